"""Retargeting between any two characters by rotation differences from their reference poses.

With P a bone's global orientation and R its orientation in the character's reference pose (the
T-pose found by :mod:`.reference`), ``D = P R^-1`` is the same rotation for every character, and it
is the canonical skeleton's global rotation. So a character is described once, as a :class:`Rig`,
and every retargeting is ``to_canonical`` followed by ``from_canonical``. Bone roll cancels in
``P R^-1``; rest bones are never edited.

Several bones on one role share its rotation: a chain's bones sit at even steps between the joints
below and above it, and orientations are read off the chain by slerp. Three spine bones map onto
the three canonical ones exactly; four, two or one lose nothing at the chest.

The root is scaled by the ratio of leg lengths (thigh + shin), with each character's own ankle
height added, so that feet that stood flat stand flat.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from . import kinematics, reference, rotations
from .bone_maps import BoneMap
from .clip import Clip
from .reference import Bones
from .rotations import Array
from .skeleton import INDEX, JOINTS, PARENTS, Skeleton, canonical

_SINGLE = tuple(j for j in JOINTS if not j.startswith("spine") and j not in ("pelvis", "neck"))
_SPINE = ("spine1", "spine2", "spine3")
_ROOT_ABOVE_HIPS = 0.08  # of the leg length: where SMPL's pelvis sits over the hip joints


@dataclass(frozen=True, eq=False)
class Rig:
    """A character: skeleton, map, reference pose, and what follows from them.

    Attributes:
        skeleton: the character's own bones.
        bone_map: which bone plays which role.
        bones: the same as indices.
        axes: ``(4,)`` rotation from the skeleton's world to Y up.
        reference: ``(J, 4)`` global orientation of every bone in the T-pose facing +Z, Y up.
        canonical: the 22 joints with this character's proportions (metres, as the skeleton's).
        root_offset: ``(3,)`` from the pelvis bone's head to the canonical root, in the T-pose.
        leg_length: thigh + shin.
        ankle_height: of the ankle over the lowest point of the foot, in the T-pose.
        source: how the reference pose was found: ``"preset"``, ``"rest"``, ``"clip"``.
    """

    skeleton: Skeleton
    bone_map: BoneMap
    bones: Bones
    axes: Array
    reference: Array
    canonical: Skeleton
    root_offset: Array
    leg_length: float
    ankle_height: float
    source: str


def make_rig(skeleton: Skeleton, bone_map: BoneMap, clip: Clip | None = None) -> Rig:
    """Describe a character; finds its reference pose without a person.

    In order: the preset's own calibration, the rest pose if somebody could stand like that, the
    most upright frame of ``clip``, and the rest pose all the same where there is no clip.

    Raises:
        MappingError: hips or legs are not mapped, or a mapped bone is not there.
    """
    bones = reference.resolve(skeleton, bone_map.bones)
    _, rest_p = skeleton.rest_global()
    if bone_map.reference:
        known = kinematics.local_rotations(skeleton.parents, _preset(skeleton, bone_map.reference))
        laid = reference.t_pose(skeleton, bones, known)  # a calibration is never straight to the last bit
        return _describe(skeleton, bone_map, bones, rotations.identity(), laid, "preset")
    axes = reference.find_axes(skeleton, bones, rest_p)
    local = _upright(skeleton, skeleton.rest_rotations, axes)
    q, p = kinematics.forward(skeleton.parents, local, skeleton.offsets)
    source = "rest"
    if clip is not None and len(clip) and not reference.plausible(skeleton, bones, p, q):
        source = "clip"
        _, positions = clip.forward()
        axes = reference.find_axes(skeleton, bones, positions.mean(0) - positions.mean((0, 1)))
        turned = _upright(skeleton, clip.rotations, axes)
        q, p = kinematics.forward(skeleton.parents, turned, clip.local_translations())
        local = turned[reference.standing_frame(skeleton, bones, p, q)]
    return _describe(skeleton, bone_map, bones, axes, reference.t_pose(skeleton, bones, local), source)


def _upright(skeleton: Skeleton, local: Array, axes: Array) -> Array:
    """Local rotations with the world's axes changed, which only the roots feel."""
    local = np.array(local)
    roots = skeleton.parents < 0
    local[..., roots, :] = rotations.multiply(axes, local[..., roots, :])
    return local


def _preset(skeleton: Skeleton, known: Mapping[str, tuple[float, float, float, float]]) -> Array:
    """Global orientations from a preset's calibration; bones it does not name follow their parents."""
    q = np.array(skeleton.rest_rotations)
    for j, name in enumerate(skeleton.names):
        if name in known:
            q[j] = rotations.normalize(np.array(known[name], np.float64))
        elif skeleton.parents[j] >= 0:
            q[j] = rotations.multiply(q[skeleton.parents[j]], q[j])
    return q


def _describe(skeleton: Skeleton, bone_map: BoneMap, bones: Bones, axes: Array, q: Array, source: str) -> Rig:
    local = kinematics.local_rotations(skeleton.parents, q)
    _, p = kinematics.forward(skeleton.parents, local, skeleton.offsets)
    hips = 0.5 * (p[bones.first("left_hip")] + p[bones.first("right_hip")])
    leg = np.mean([
        np.linalg.norm(p[bones.first(f"{s}_knee")] - p[bones.first(f"{s}_hip")])
        + np.linalg.norm(_knee_end(skeleton, bones, s, p, q) - p[bones.first(f"{s}_knee")])
        for s in ("left", "right")
    ])  # fmt: skip
    ankle = _ankle_height(skeleton, bones, p, q)
    root = hips + np.array([0.0, _ROOT_ABOVE_HIPS * leg, 0.0])
    joints = _joint_positions(skeleton, bones, p, q, root)
    offsets = joints - joints[np.maximum(PARENTS, 0)]
    offsets[0] = (0.0, (1 + _ROOT_ABOVE_HIPS) * leg + ankle, 0.0)
    return Rig(skeleton, bone_map, bones, axes, q, canonical(offsets), root - p[bones.first("pelvis")],
               float(leg), float(ankle), source)  # fmt: skip


def _knee_end(skeleton: Skeleton, bones: Bones, side: str, p: Array, q: Array) -> Array:
    if f"{side}_ankle" in bones:
        return p[bones.first(f"{side}_ankle")]
    last = bones.last(f"{side}_knee")
    return p[last] + rotations.rotate(q[last], reference.end_of_bone(skeleton, last))


def _ankle_height(skeleton: Skeleton, bones: Bones, p: Array, q: Array) -> float:
    """Mean height of the ankles over the lowest joint or tip of their own foot."""
    heights = []
    for side in ("left", "right"):
        ankle = _knee_end(skeleton, bones, side, p, q)
        points = [ankle]
        for role in (f"{side}_ankle", f"{side}_foot"):
            if role in bones:
                b = bones.last(role)
                points += [p[b], p[b] + rotations.rotate(q[b], reference.end_of_bone(skeleton, b))]
        heights.append(ankle[1] - min(x[1] for x in points))
    return float(np.mean(heights))


def _joint_positions(skeleton: Skeleton, bones: Bones, p: Array, q: Array, root: Array) -> Array:
    """The 22 canonical joints of a character in its reference pose. ``(22, 3)``."""
    out = np.full((len(JOINTS), 3), np.nan)
    out[0] = root
    for role in _SINGLE:
        if role in bones:
            out[INDEX[role]] = p[bones.first(role)]
    top = bones.last("spine") if "spine" in bones else bones.last("pelvis")
    neck = p[bones.first("neck")] if "neck" in bones else None
    if neck is None:
        neck = out[INDEX["head"]] if "head" in bones else p[top] + rotations.rotate(
            q[top], reference.end_of_bone(skeleton, top))  # fmt: skip
    out[INDEX["neck"]] = neck
    heads = [p[b] for b in bones.roles.get("spine", ())] or [root]
    line = np.array([*heads, neck])
    steps = np.linspace(0, 1, len(line))
    for k, role in enumerate(_SPINE):
        out[INDEX[role]] = [np.interp(k / 3, steps, line[:, a]) for a in range(3)]
    for j in range(1, len(JOINTS)):  # what a character lacks sits on its parent, with no length
        if np.isnan(out[j]).any():
            out[j] = out[PARENTS[j]]
    for side in ("left", "right"):
        if f"{side}_ankle" not in bones:
            out[INDEX[f"{side}_ankle"]] = _knee_end(skeleton, bones, side, p, q)
        for role, below in ((f"{side}_wrist", f"{side}_elbow"), (f"{side}_foot", f"{side}_ankle")):
            if role not in bones and below in bones:
                b = bones.last(below)
                out[INDEX[role]] = p[b] + rotations.rotate(q[b], reference.end_of_bone(skeleton, b))
            elif role not in bones:
                out[INDEX[role]] = out[INDEX[below]]
    return out


def along(knots: Array, at: Array, q: Array) -> Array:
    """Orientations along a chain by slerp. ``knots (K,), at (M,), q (F, K, 4) -> (F, M, 4)``."""
    high = np.clip(np.searchsorted(knots, at, side="left"), 1, len(knots) - 1)
    low = high - 1
    t = np.clip((at - knots[low]) / (knots[high] - knots[low]), 0, 1)
    return rotations.slerp(q[:, low], q[:, high], np.broadcast_to(t, (len(q), len(t))))


def to_canonical(clip: Clip, rig: Rig) -> Clip:
    """A clip on the rig's own bones -> the canonical 22 joints with the rig's proportions.

    Units and placement stay as they are (metres, the ground where the clip has it); only the axes
    are turned to Y up. Roles without a bone follow their parents.
    """
    q, p = clip.forward()
    q = rotations.multiply(rig.axes, q)
    p = rotations.rotate(rig.axes, p)
    difference = rotations.multiply(q, rotations.inverse(rig.reference))  # (F, bones, 4)
    bones, frames = rig.bones, len(clip)
    d = np.full((frames, len(JOINTS), 4), np.nan)
    d[:, 0] = difference[:, bones.last("pelvis")]
    for role in _SINGLE:
        if role in bones:
            d[:, INDEX[role]] = difference[:, bones.last(role)]
    spine = bones.roles.get("spine", ())
    chain = np.concatenate([d[:, :1], difference[:, list(spine)]], 1)
    if spine:
        d[:, [INDEX[r] for r in _SPINE]] = along(_spine_knots(len(spine)), _spine_knots(3)[1:], chain)
    else:
        d[:, [INDEX[r] for r in _SPINE]] = d[:, :1]
    chest, neck = d[:, INDEX["spine3"]], bones.roles.get("neck", ())
    head = d[:, INDEX["head"]] if "head" in bones else (difference[:, neck[-1]] if neck else chest)
    d[:, INDEX["head"]] = head
    ends = np.concatenate([chest[:, None], difference[:, list(neck)], head[:, None]], 1)
    d[:, INDEX["neck"]] = along(_neck_knots(len(neck)), np.array([0.5]), ends)[:, 0]
    for j in range(1, len(JOINTS)):
        missing = np.isnan(d[:, j]).any(-1)
        d[missing, j] = d[missing, PARENTS[j]]
    root = p[:, bones.first("pelvis")] + rotations.rotate(d[:, 0], rig.root_offset)
    return Clip(rig.canonical, kinematics.local_rotations(PARENTS, d), root, clip.fps,
                name=clip.name, metadata=clip.metadata)  # fmt: skip


def _spine_knots(count: int) -> Array:
    return np.arange(count + 1) / max(count, 1)


def _neck_knots(count: int) -> Array:
    return np.arange(count + 2) / (count + 1)


def fit(clip: Clip, rig: Rig, ratio: float | None = None, ground: float = 0.0) -> Clip:
    """A canonical clip of somebody else with this rig's proportions; rotations stay.

    The root's path is scaled by the ratio of leg lengths (or ``ratio``); its height over the
    ground is scaled from the ankles up, so that flat feet stay flat. ``ground`` is the height of
    the clip's floor, which comes to lie at zero.
    """
    length, ankle = legs(clip.skeleton)
    ratio = rig.leg_length / length if ratio is None else ratio
    root = clip.root_positions * ratio
    # the root does not sit equally high over everybody's hips, in units of the legs
    above, mine = clip.hip_height - ankle, rig.canonical.offsets[0, 1] - rig.ankle_height
    rise = ratio * (mine / rig.leg_length) / (above / length)
    root[:, 1] = (clip.root_positions[:, 1] - ground - ankle) * rise + rig.ankle_height
    return replace(clip, skeleton=rig.canonical, root_positions=root)


def legs(skeleton: Skeleton) -> tuple[float, float]:
    """Leg length and ankle height of a canonical skeleton."""
    o = skeleton.offsets
    leg = np.mean(
        [np.linalg.norm(o[INDEX[f"{s}_{b}"]]) for s in ("left", "right") for b in ("knee", "ankle")]
    )
    length = 2 * float(leg)
    hips = 0.5 * (o[INDEX["left_hip"], 1] + o[INDEX["right_hip"], 1])
    return length, float(o[0, 1] + hips - length)


def differences(clip: Clip, rig: Rig) -> dict[int, Array]:
    """Global rotation difference ``(F, 4)`` from the reference pose for every mapped bone."""
    d, _ = clip.forward()
    bones = rig.bones
    out: dict[int, Array] = dict.fromkeys(bones.roles["pelvis"], d[:, 0])
    for role in _SINGLE:
        for k, bone in enumerate(bones.roles.get(role, ())):
            out[bone] = _share_twist(d, role, k + 1, len(bones.roles[role]), rig)
    spine, neck = bones.roles.get("spine", ()), bones.roles.get("neck", ())
    if spine:
        chain = d[:, [0, *(INDEX[r] for r in _SPINE)]]
        shared = along(_spine_knots(3), _spine_knots(len(spine))[1:], chain)
        out |= {bone: shared[:, k] for k, bone in enumerate(spine)}
    if neck:
        ends = d[:, [INDEX["spine3"], INDEX["neck"], INDEX["head"]]]
        shared = along(_neck_knots(1), _neck_knots(len(neck))[1:-1], ends)
        out |= {bone: shared[:, k] for k, bone in enumerate(neck)}
    return out


def _share_twist(d: Array, role: str, k: int, count: int, rig: Rig) -> Array:
    """Bone ``k`` of ``count`` in-line bones of a limb: all of the swing, ``k/count`` of the twist."""
    j = INDEX[role]
    if k == count:
        return d[:, j]
    parent = d[:, PARENTS[j]]
    child = [c for c in range(len(JOINTS)) if PARENTS[c] == j]
    axis = rig.canonical.offsets[child[0]] if child else np.array([1.0, 0, 0])
    swing, twist = rotations.swing_twist(rotations.multiply(rotations.inverse(parent), d[:, j]), axis)
    part = rotations.from_axis_angle(rotations.to_axis_angle(twist) * (k / count))
    return rotations.multiply(parent, rotations.multiply(swing, part))


def from_canonical(
    clip: Clip,
    rig: Rig,
    base: Clip | None = None,
    lacking: Collection[str] = (),
    also: Mapping[int, Array] | None = None,
    places: Mapping[int, Array] | None = None,
) -> Clip:
    """A canonical clip -> the rig's own bones.

    Args:
        clip: 22 joints with the rig's proportions (:func:`fit` makes them so).
        rig: the character.
        base: the character's own animation, same length, for bones without a role; None: rest.
        lacking: roles of the rig that keep ``base`` too (:func:`lacking_roles`).
        also: further bones and their global differences ``(F, 4)``, as :func:`differences` has
            them: fingers, a bone that carries the way over the ground.
        places: further bones and where their heads have to be ``(F, 3)``, Y up.

    Returns:
        A clip on ``rig.skeleton`` in its own axes; only the pelvis bone and those of ``places``
        are moved.
    """
    s, frames = rig.skeleton, len(clip)
    back = rotations.inverse(rig.axes)
    left = {b for role in lacking for b in rig.bones.roles.get(role, ())}
    mapped = {b: rotations.multiply(rotations.multiply(back, x), rig.reference[b])
              for b, x in {**differences(clip, rig), **(also or {})}.items() if b not in left}  # fmt: skip
    local = np.array(
        np.broadcast_to(s.rest_rotations, (frames, len(s), 4)) if base is None else base.rotations
    )
    moved = np.array(
        np.broadcast_to(s.offsets, (frames, len(s), 3)) if base is None else base.local_translations()
    )
    q, p = np.empty((frames, len(s), 4)), np.empty((frames, len(s), 3))
    root = clip.root_positions - rotations.rotate(clip.rotations[:, 0], rig.root_offset)
    placed = {b: rotations.rotate(back, x)
              for b, x in {**(places or {}), rig.bones.first("pelvis"): root}.items()}  # fmt: skip
    for j, parent in enumerate(s.parents):
        up = q[:, parent] if parent >= 0 else rotations.identity(frames)
        at = p[:, parent] if parent >= 0 else np.zeros((frames, 3))
        if j in mapped:
            q[:, j] = mapped[j]
            local[:, j] = rotations.multiply(rotations.inverse(up), q[:, j])
        else:
            q[:, j] = rotations.multiply(up, local[:, j])
        if j in placed:
            p[:, j] = placed[j]
            moved[:, j] = rotations.rotate(rotations.inverse(up), p[:, j] - at)
        else:
            p[:, j] = at + rotations.rotate(up, moved[:, j])
    return Clip(s, local, moved[:, 0], clip.fps, translations=None if len(s) == 1 else moved,
                name=clip.name, metadata=clip.metadata)  # fmt: skip


def lacking_roles(source: Rig, target: Rig) -> tuple[str, ...]:
    """Roles that only the target has a bone for, and that nothing on the source tells about.

    A neck is told by the head over it; everything else by its own bone alone.
    """
    told = {"neck": ("neck", "head"), "head": ("head", "neck")}
    return tuple(role for role in target.bones.roles
                 if not any(r in source.bones for r in told.get(role, (role,))))  # fmt: skip


def retarget(clip: Clip, source: Rig, target: Rig, base: Clip | None = None) -> Clip:
    """A clip on one character -> the same motion on another, scaled to its legs."""
    return from_canonical(fit(to_canonical(clip, source), target), target, base)


LIMBS = tuple(f"{s}_{b}" for s in ("left", "right") for b in ("shoulder", "elbow", "hip", "knee"))


def limb_directions(clip: Clip, rig: Rig) -> Array:
    """Unit world directions of upper arms, forearms, thighs and shins, Y up. ``(F, 8, 3)``."""
    q, p = clip.forward()
    ways = reference.directions(rig.skeleton, rig.bones, p, q)
    out = np.stack([ways.get(role, np.full((len(clip), 3), np.nan)) for role in LIMBS], 1)
    return rotations.rotate(rig.axes, rotations.normalize(out))
