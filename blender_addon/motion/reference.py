"""Finding each character's reference pose: the T-pose that makes two rest poses comparable.

A retargeted rotation is a difference from a pose that both characters share. Rest poses are not
shared (T, A, relaxed, splayed, or meaningless), so each skeleton gets a *reference pose*: its own
bones, laid into the canonical T-pose facing +Z. Limbs are swung onto the canonical directions by
the smallest rotation, which keeps the twist that the character's maker gave them; spine, collars,
neck and head keep their rest shape, because that is proportion, not pose; feet keep their pitch
(a flat foot stays flat) and are only turned to point ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from . import kinematics, rotations
from .errors import MappingError
from .rotations import Array
from .skeleton import Skeleton

UP = np.array([0.0, 1.0, 0.0])
_SIDES = (("left", 1.0), ("right", -1.0))


@dataclass(frozen=True, eq=False)
class Bones:
    """Bone indices by role, parent first; ``spine`` and ``neck`` are chains, others may be.

    ``end`` of a role is the index of the bone whose head ends it (-1 where nothing follows).
    """

    roles: Mapping[str, tuple[int, ...]]

    def __contains__(self, role: str) -> bool:
        return role in self.roles

    def first(self, role: str) -> int:
        """Index of the role's bone (a chain's first)."""
        return self.roles[role][0]

    def last(self, role: str) -> int:
        """Index of the role's last in-line bone."""
        return self.roles[role][-1]


def resolve(skeleton: Skeleton, roles: Mapping[str, tuple[str, ...]]) -> Bones:
    """Names to indices; spine bones that carry the legs are counted as pelvis.

    3ds Max's Biped hangs the thighs on its first spine bone: that bone then has to turn with the
    pelvis, or bending the back would shift the hips.

    Raises:
        MappingError: a bone is not in the skeleton, or pelvis or a leg has no bone.
    """
    index = {n: i for i, n in enumerate(skeleton.names)}
    found: dict[str, tuple[int, ...]] = {}
    for role, names in roles.items():
        gone = [n for n in names if n not in index]
        if gone:
            raise MappingError(f"{role}: the skeleton has no bone named {gone[0]!r}")
        if names:
            found[role] = tuple(index[n] for n in names)
    for role in ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee"):
        if role not in found:
            raise MappingError(f"no bone for {role}; motion needs at least hips and legs")
    spine = list(found.get("spine", ()))
    above_legs = set(skeleton.ancestors(found["left_hip"][0])) & set(
        skeleton.ancestors(found["right_hip"][0])
    )
    carried = tuple(b for b in spine if b in above_legs)
    if carried:
        found["pelvis"] = (*found["pelvis"], *carried)
        found["spine"] = tuple(b for b in spine if b not in carried)
        if not found["spine"]:
            del found["spine"]
    return Bones(found)


def find_axes(skeleton: Skeleton, bones: Bones, positions: Array) -> Array:
    """Rotation ``(4,)`` that takes the skeleton's world to Y up, from a pose ``(J, 3)``.

    The up axis is the coordinate axis along which hips, head and feet are stacked most.
    """
    top = bones.last("head") if "head" in bones else bones.last("spine" if "spine" in bones else "pelvis")
    feet = [bones.first(f"{s}_ankle" if f"{s}_ankle" in bones else f"{s}_knee") for s, _ in _SIDES]
    stacked = positions[top] - positions[feet].mean(0)
    axis = int(np.abs(stacked).argmax())
    up = np.zeros(3)
    up[axis] = np.sign(stacked[axis]) or 1.0
    return rotations.between(up, UP)


def facing(bones: Bones, positions: Array) -> Array:
    """Heading about +Y ``(...)`` from the hips' and shoulders' left-right line, ``(..., J, 3)``."""
    across = np.zeros(positions[..., 0, :].shape)
    for part, weight in (("hip", 1.0), ("shoulder", 1.0)):
        if f"left_{part}" in bones and f"right_{part}" in bones:
            line = (
                positions[..., bones.first(f"left_{part}"), :]
                - positions[..., bones.first(f"right_{part}"), :]
            )
            across = across + weight * rotations.normalize(line)
    return np.arctan2(-across[..., 2], across[..., 0])


def directions(skeleton: Skeleton, bones: Bones, positions: Array, q: Array) -> dict[str, Array]:
    """World direction ``(..., 3)`` of each limb segment, unnormalised, zero where unknown."""
    out = {}
    for side, _ in _SIDES:
        chain = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "foot")
        for names in chain:
            roles = [f"{side}_{n}" for n in names]
            for role, after in zip(roles, [*roles[1:], None], strict=True):
                if role not in bones:
                    continue
                if after is not None and after in bones:
                    out[role] = positions[..., bones.first(after), :] - positions[..., bones.first(role), :]
                else:
                    last = bones.last(role)
                    tip = end_of_bone(skeleton, last)
                    out[role] = rotations.rotate(q[..., last, :], tip)
    return out


def end_of_bone(skeleton: Skeleton, bone: int) -> Array:
    """Where a bone ends in its own frame: its tip, else the mean of its children, else zero."""
    children = skeleton.children(bone)
    if children:
        mean = skeleton.offsets[children].mean(0)
        if np.linalg.norm(mean) > 0:
            return mean
    return np.nan_to_num(skeleton.tips[bone])


def plausible(skeleton: Skeleton, bones: Bones, positions: Array, q: Array) -> bool:
    """Does this pose ``(J, 3)``, Y up, look like somebody standing, whatever the arms do?"""
    yaw = rotations.from_axis_angle(-facing(bones, positions)[..., None] * UP)
    ways = {k: rotations.rotate(yaw, rotations.normalize(v))
            for k, v in directions(skeleton, bones, positions, q).items()}  # fmt: skip
    for side, sign in _SIDES:
        if ways[f"{side}_hip"][1] > -0.6 or ways[f"{side}_knee"][1] > -0.5:
            return False
        arm = ways.get(f"{side}_shoulder")
        if arm is not None and (arm[0] * sign < -0.35 or arm[1] > 0.6):
            return False
        foot = ways.get(f"{side}_ankle")
        if foot is not None and np.any(foot) and foot[2] < -0.3:
            return False
    top = bones.last("head") if "head" in bones else bones.last("spine" if "spine" in bones else "pelvis")
    trunk = rotations.normalize(positions[top] - positions[bones.first("pelvis")])
    hips = rotations.normalize(positions[bones.first("left_hip")] - positions[bones.first("right_hip")])
    return bool((top == bones.first("pelvis") or trunk[1] > 0.87) and abs(hips[1]) < 0.12)


def standing_frame(skeleton: Skeleton, bones: Bones, positions: Array, q: Array) -> int:
    """The frame of a clip, ``(F, J, 3)`` Y up, that looks most like standing upright.

    Straight, vertical legs and a vertical trunk, feet pointing where the hips face, arms hanging or
    stretched sideways; a sum of cosines.
    """
    yaw = rotations.from_axis_angle(-facing(bones, positions)[..., None] * UP)
    ways = {k: rotations.rotate(yaw, rotations.normalize(v))
            for k, v in directions(skeleton, bones, positions, q).items()}  # fmt: skip
    score = np.zeros(len(positions))
    for side, sign in _SIDES:
        score -= ways[f"{side}_hip"][:, 1] + ways[f"{side}_knee"][:, 1]
        if f"{side}_ankle" in ways:
            score += ways[f"{side}_ankle"][:, 2]
        for part in ("shoulder", "elbow"):
            way = ways.get(f"{side}_{part}")
            if way is not None:
                score += np.maximum(-way[:, 1], sign * way[:, 0])
    top = bones.last("head") if "head" in bones else bones.last("spine" if "spine" in bones else "pelvis")
    score += 2 * rotations.normalize(positions[:, top] - positions[:, bones.first("pelvis")])[:, 1]
    return int(score.argmax())


def t_pose(skeleton: Skeleton, bones: Bones, local: Array) -> Array:
    """Lay a standing pose, ``(J, 4)`` local rotations in a Y-up world, into the T-pose facing +Z.

    Returns:
        ``(J, 4)`` global orientations; bones without a role follow their parents.
    """
    translations = skeleton.offsets
    q, p = kinematics.forward(skeleton.parents, local, translations)
    yaw = rotations.from_axis_angle(-facing(bones, p) * UP)
    q = rotations.multiply(yaw, q)
    p = rotations.rotate(yaw, p)
    for side, sign in _SIDES:
        arm, leg = np.array([sign, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
        for names, way in ((("shoulder", "elbow", "wrist"), arm), (("hip", "knee"), leg)):
            for name in names:
                role = f"{side}_{name}"
                if role in bones:
                    present = directions(skeleton, bones, p, q)[role]
                    if np.linalg.norm(present) > 0:
                        q, p = _turn(skeleton, bones.first(role), rotations.between(present, way), q, p)
        q, p = _level_foot(skeleton, bones, side, local, yaw, q, p)
    return q


def _level_foot(skeleton: Skeleton, bones: Bones, side: str, local: Array, yaw: Array, q: Array,
                p: Array) -> tuple[Array, Array]:  # fmt: skip
    """The foot as it stood before the leg was straightened, turned to point ahead."""
    role = f"{side}_ankle"
    if role not in bones:
        return q, p
    bone = bones.first(role)
    stood, _ = kinematics.forward(skeleton.parents, local, skeleton.offsets)
    stood = rotations.multiply(yaw, stood)[bone]
    q, p = _turn(skeleton, bone, rotations.multiply(stood, rotations.inverse(q[bone])), q, p)
    way = directions(skeleton, bones, p, q)[role]
    if np.hypot(way[0], way[2]) > 0.3 * np.linalg.norm(way) > 0:
        ahead = rotations.from_axis_angle(np.arctan2(-way[0], way[2]) * UP)
        q, p = _turn(skeleton, bone, ahead, q, p)
    return q, p


def _turn(skeleton: Skeleton, bone: int, turn: Array, q: Array, p: Array) -> tuple[Array, Array]:
    """Rotate a bone and everything under it in the world, about the bone's head."""
    q, p = q.copy(), p.copy()
    pivot = p[bone].copy()
    for j in range(bone, len(skeleton)):
        if j == bone or bone in skeleton.ancestors(j):
            q[j] = rotations.multiply(turn, q[j])
            p[j] = pivot + rotations.rotate(turn, p[j] - pivot)
    return q, p
