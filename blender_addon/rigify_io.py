"""Generated Rigify rigs: poses are read off what is seen, and written onto the FK controls.

Reading: an animator may pose with IK or FK; what counts is where the ``ORG`` bones end up. Each
mapped control of a limb gets the orientation and place of its ``ORG`` bone (:func:`seen_bone`), so
the character looks like any other mapped armature from there on.

Writing: the FK controls, the collars, neck, head and ``torso``, each solved from the pose of the
bone that it hangs on, in numpy. Switches (``IK_FK`` ...; the preset lists them) are keyed in the
new Action alone: the value that FK needs on generated frames, the animator's own where the limb is
his. Rigify's snapping operators exist only where the rig's script ran, so they are not used.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from . import armature_io, channel_writer, pose_model
from .character_io import Capture, _join
from .depsgraph import visit
from .keyframes import PROPERTIES, ROTATIONS, Channels, Keys
from .motion import rotations
from .motion.bone_maps import BoneMap
from .motion.bone_maps.preset import Switch
from .motion.bone_maps.rigify import CONTROLS
from .motion.clip import Clip
from .motion.rotations import Array
from .motion.skeleton import Skeleton
from .pose_model import BoneInfo, bone_infos

_LIMB_CONTROLS = {
    # control without side -> roles that it poses while the limb is in IK
    "hand_ik": ("shoulder", "elbow", "wrist"), "upper_arm_ik": ("shoulder", "elbow", "wrist"),
    "upper_arm_ik_target": ("shoulder", "elbow", "wrist"),
    "foot_ik": ("hip", "knee", "ankle", "foot"), "thigh_ik": ("hip", "knee", "ankle", "foot"),
    "thigh_ik_target": ("hip", "knee", "ankle", "foot"), "foot_heel_ik": ("hip", "knee", "ankle", "foot"),
    "foot_spin_ik": ("hip", "knee", "ankle", "foot"), "toe_ik": ("foot",),
}  # fmt: skip
_FK_CONTROLS = {"upper_arm_fk": "shoulder", "forearm_fk": "elbow", "hand_fk": "wrist", "thigh_fk": "hip",
                "shin_fk": "knee", "foot_fk": "ankle", "toe_fk": "foot", "toe": "foot"}  # fmt: skip
_LIMBS = {"upper_arm": ("shoulder", "elbow", "wrist"), "thigh": ("hip", "knee", "ankle", "foot")}
_SIDES = (("left", "L"), ("right", "R"))
_BODY = {"torso": "pelvis", "hips": "pelvis", "chest": "spine", "neck": "neck", "head": "head"}
_PLACES = ("", "root", "torso", "hips")


def is_control_rig(obj: Any, bone_map: BoneMap) -> bool:
    """Whether the map is that of a generated rig's controls and the rig is there."""
    pose = obj.pose.bones
    return bone_map.bones.get("pelvis") == ("torso",) and all(
        n in pose for n in ("torso", "upper_arm_parent.L", "ORG-upper_arm.L", "upper_arm_fk.L"))  # fmt: skip


def switches(obj: Any) -> list[Switch]:
    """The preset's switches that this rig has."""
    pose = obj.pose.bones
    return [s for s in CONTROLS.switches if s.bone in pose and s.property in pose[s.bone]]


def switch_path(switch: Switch) -> str:
    """Data path of a switch."""
    return f'pose.bones["{switch.bone}"]["{switch.property}"]'


# -- what is keyed ----------------------------------------------------------------------------------


def keyed_roles(obj: Any, keys: Keys) -> tuple[dict[str, Array], Array]:
    """As :func:`.character_io.keyed_roles`, through Rigify's controls.

    While a limb is in IK any key on any of its controls holds the whole limb, since the animator
    sees all of it; in FK each control holds its own bone.
    """
    roles: dict[str, list[Array]] = {}

    def note(role: str, frames: Array) -> None:
        if len(frames):
            roles.setdefault(role, []).append(frames)

    for control, role in _BODY.items():
        note(role, keys.frames_of(control, ROTATIONS))
    for bone in keys.bones:
        if bone.startswith("spine_fk"):
            below = bone in ("spine_fk", "spine_fk.001")
            note("pelvis" if below else "spine", keys.frames_of(bone, ROTATIONS))
    curves = pose_model.Curves(obj)
    for side, letter in _SIDES:
        note(f"{side}_collar", keys.frames_of(f"shoulder.{letter}", ROTATIONS))
        for limb, parts in _LIMBS.items():
            _limb_roles(obj, keys, curves, f"{limb}_parent.{letter}", side, letter, parts, note)
    return {r: _join(f) for r, f in roles.items()}, _join(keys.frames_of(b, ("location",)) for b in _PLACES)


def _limb_roles(obj: Any, keys: Keys, curves: pose_model.Curves, parent: str, side: str, letter: str,
                parts: Sequence[str], note: Any) -> None:  # fmt: skip
    switch = Switch(parent, "IK_FK", 1.0, ())
    for control, held in _LIMB_CONTROLS.items():
        if held[-1] == parts[-1]:
            frames = keys.frames_of(f"{control}.{letter}", PROPERTIES)
            seen = frames[switch_value(obj, curves, switch, frames) < 1.0]
            for part in held:
                note(f"{side}_{part}", seen)
    for control, part in _FK_CONTROLS.items():
        if part in parts:
            frames = keys.frames_of(f"{control}.{letter}", ROTATIONS)
            in_ik = switch_value(obj, curves, switch, frames) < 1.0
            note(f"{side}_{part}", frames)
            for other in parts:
                note(f"{side}_{other}", frames[in_ik])


def posed_roles(
    obj: Any, bone_map: BoneMap, control: str, frames: Array, curves: pose_model.Curves
) -> tuple[str, ...]:
    """Roles that a control poses at ``frames``: its own, or all of a limb's while that is in IK."""
    role = next((r for r, bones in bone_map.bones.items() if control in bones), _BODY.get(control, ""))
    stem, _, letter = control.rpartition(".")
    side = next((s for s, c in _SIDES if c == letter), "")
    for limb, parts in _LIMBS.items():
        names = tuple(r for part in parts if (r := f"{side}_{part}") in bone_map.bones)
        in_limb = not role and stem in _LIMB_CONTROLS and _LIMB_CONTROLS[stem][-1] == parts[-1]
        if role in names or (side and in_limb):
            switch = Switch(f"{limb}_parent.{letter}", "IK_FK", 1.0, names)
            in_ik = switch.bone in obj.pose.bones and (switch_value(obj, curves, switch, frames) < 1.0).any()
            return names if in_ik or not role else (role,)
    return (role,) if role in bone_map.bones else ()


def switch_value(obj: Any, curves: pose_model.Curves, switch: Switch, frames: Array) -> Array:
    """What a switch says at ``frames``. ``(F,)``."""
    live = obj.pose.bones[switch.bone].get(switch.property, switch.value)
    return curves.scalar(switch_path(switch), float(live), np.asarray(frames))


# -- reading ----------------------------------------------------------------------------------------


def seen_bone(obj: Any, control: str) -> str:
    """The bone that shows where a control's part of the body is.

    A limb's ``ORG`` bone, which follows IK or FK; for torso the pelvis bone. Spine, neck, head and
    collars have no other controls than these, and show themselves. (``ORG-spine.002`` would not
    do: at the pivot it turns half with the chest and half with the hips.)
    """
    data = obj.data.bones
    name = "ORG-" + control.replace("_fk", "", 1)
    if control == "torso" and "ORG-thigh.L" in data and data["ORG-thigh.L"].parent is not None:
        return data["ORG-thigh.L"].parent.name
    limb = control.rsplit(".", 1)[0] in _FK_CONTROLS
    return name if limb and name in data else control


def _controls(bone_map: BoneMap) -> tuple[list[str], list[int]]:
    """Mapped controls and their parents as a body has them, parents first."""
    names: list[str] = []
    parents: list[int] = []

    def chain(start: str | None, *roles: str) -> None:
        at = names.index(start) if start else -1
        for role in roles:
            for bone in bone_map.bones.get(role, ()):
                names.append(bone)
                parents.append(at)
                at = len(names) - 1

    chain(None, "pelvis", "spine")
    pelvis, chest = names[0], names[-1]
    chain(chest, "neck", "head")
    for side, _ in _SIDES:
        chain(chest, *(f"{side}_{r}" for r in ("collar", "shoulder", "elbow", "wrist")))
        chain(pelvis, *(f"{side}_{r}" for r in ("hip", "knee", "ankle", "foot")))
    return names, parents


def skeleton(obj: Any, bone_map: BoneMap) -> Skeleton:
    """The mapped controls as a body of their own, canonical axes, metres."""
    infos, _ = _body(obj, bone_map)
    return armature_io._skeleton(infos, armature_io.Placement(np.array(obj.matrix_world)[None],
                                                              armature_io.unit_scale()))  # fmt: skip


def _body(obj: Any, bone_map: BoneMap) -> tuple[list[BoneInfo], list[str]]:
    names, parents = _controls(bone_map)
    rest = {i.name: i for i in bone_infos(obj, names)}
    infos = [BoneInfo(n, p, rest[n].rest, rest[n].length, False, True, True, "FULL")
             for n, p in zip(names, parents, strict=True)]  # fmt: skip
    return infos, [seen_bone(obj, n) for n in names]


def read_clip_steps(obj: Any, bone_map: BoneMap, frames: Array) -> Generator[float, None, Clip]:
    """What is seen of the mapped controls' parts at scene frames; a clip on :func:`skeleton`."""
    infos, seen = _body(obj, bone_map)
    poses, world = yield from visit(obj, frames, seen)
    return armature_io.clip_from_poses(infos, _as_controls(obj, infos, seen, poses), world)


def _as_controls(obj: Any, infos: list[BoneInfo], seen: list[str], poses: Array) -> Array:
    """Pose matrices that the controls would have if they moved rigidly with their ORG bones."""
    data = obj.data.bones
    offset = np.stack([np.linalg.inv(np.array(data[s].matrix_local, np.float64)) @ i.rest
                       for i, s in zip(infos, seen, strict=True)])  # fmt: skip
    return poses @ offset


# -- writing ----------------------------------------------------------------------------------------


def result_channels_steps(
    obj: Any, bone_map: BoneMap, captured: Capture, clip: Clip, keys: Keys
) -> Generator[float, None, Channels]:
    """Channels of FK controls, ``torso`` and switches for a result on :func:`skeleton`'s bones."""
    writer = RigifyWriter(obj, bone_map, captured, clip, keys)
    out: dict[tuple[str, int], tuple] = dict((yield from writer.run()))
    curves, frames = pose_model.Curves(obj), captured.scene_frames
    for switch in switches(obj):
        known = _join(captured.roles.get(r, np.empty(0)) for r in switch.roles)
        made = switch_values(obj, curves, switch, frames, known)
        if made is not None:
            out[switch_path(switch), 0] = (*made, "CONSTANT")
    return out


def switch_values(obj: Any, curves: pose_model.Curves, switch: Switch, frames: Array,
                  known: Array) -> tuple[Array, Array] | None:  # fmt: skip
    """Frames and values of a switch: what FK needs where the limb is generated, the animator's
    where it is known and outside the range. None where it has the right value already."""
    wide = np.concatenate([[frames[0] - 1], frames, [frames[-1] + 1]])
    own = switch_value(obj, curves, switch, wide)
    if (own == switch.value).all():
        return None
    theirs = np.isin(wide, known)
    theirs[[0, -1]] = True
    return wide, np.where(theirs, own, switch.value)


class RigifyWriter(channel_writer.Writer):
    """Knows what each control hangs on once the switches are set."""

    def __init__(self, obj: Any, bone_map: BoneMap, captured: Capture, clip: Clip, keys: Keys) -> None:
        names, _ = _controls(bone_map)
        pelvis = "torso" if captured.moves else None
        super().__init__(obj, names, captured.scene_frames, clip, keys, pelvis, True)
        self.seen = seen_bone(obj, "torso")
        self.roles = {b: r for r, bones in bone_map.bones.items() for b in bones}
        self.captured = captured

    def visit(self, frames: Array) -> Generator[float, None, tuple[Array, Array]]:
        """The pelvis bone too, which hangs below torso."""
        return (yield from visit(self.obj, frames, [*(i.name for i in self.infos), self.seen]))

    def visited(self, poses: Array) -> Array:
        self.pelvis_poses = poses[:, -1]
        return poses[:, :-1]

    def relations(self, poses: Array) -> list[Array]:
        torso = poses[:, self.index["torso"]]
        return [*super().relations(poses[:, :-1]), np.linalg.inv(torso) @ poses[:, -1]]

    def hangs(self, k: int) -> bool:
        """The switches leave ``MCH-upper_arm_parent``, ``MCH-ROT-neck`` ... to hang on their parents."""
        kinds = {c.type for c in self.obj.pose.bones[self.infos[k].name].constraints if not c.mute}
        return kinds <= {"COPY_ROTATION", "COPY_SCALE"}

    # -- torso stands in for the pelvis, which hips and spine_fk may turn against it -----------------

    def _against_torso(self) -> Array:
        """Torso's pose -> the pose it would have if it were rigid with the pelvis. ``(F or 1, 4, 4)``."""
        k = self.index["torso"]
        rest = np.array(self.obj.data.bones[self.seen].matrix_local, np.float64)
        virtual = self.pelvis_poses @ np.linalg.inv(rest) @ self.infos[k].rest
        return np.linalg.inv(self.present[:, k]) @ virtual

    def wanted(self, k: int, turn: Array) -> Array:
        """Torso is turned so that the pelvis gets there; others as they are."""
        if self.infos[k].name != "torso":
            return turn
        off = pose_model.orientation(self._against_torso())
        return rotations.multiply(turn, rotations.inverse(off))

    def wanted_place(self, k: int, place: Array) -> Array:
        """The same for its place: the pelvis' shift against torso is turned by torso's own turn."""
        shift = self._against_torso()[..., :3, 3]
        turned = pose_model.orientation(self.poses[:, k])
        return place - rotations.rotate(turned, np.broadcast_to(shift, place.shape))

    # -- the animator's poses are what is seen, whichever controls made them -------------------------

    @cached_property
    def _captured(self) -> tuple[Array, Array]:
        """Orientations and places, canonical axes, of the captured poses. ``(K, B, 4)``, ``(K, B, 3)``."""
        return self.captured.poses.forward()

    def _exact(self, name: str, frames: Array) -> tuple[Array, Array, np.ndarray]:
        """Captured orientation and place of a control in armature space, and row numbers."""
        at = np.searchsorted(self.captured.frames, frames)
        j = self.captured.poses.skeleton.index(name)
        q, p = self._captured[0][at, j], self._captured[1][at, j]
        rows = frames.astype(int) - self.captured.first
        turn, scale, shift = (_rows(x, rows) for x in (self.place.rotation, self.place.scale, self.place.shift))
        back = rotations.inverse(turn)
        return rotations.multiply(back, q), rotations.rotate(back, (p - shift) / scale[:, None]), rows

    def keyed_turn(self, k: int, transform: pose_model.ParentTransform) -> tuple[Array, Array]:
        """Where the role is known: the rotation that shows the captured pose."""
        name = self.infos[k].name
        at = self.captured.roles.get(self.roles[name], np.empty(0))
        if not len(at):
            return at, np.empty((0, 4))
        wanted, _, rows = self._exact(name, at)
        if name == "torso":
            off = pose_model.orientation(self._against_torso())
            wanted = rotations.multiply(wanted, rotations.inverse(_rows(off, rows)))
        last = None if transform.scale is None else _rows(transform.scale, rows)
        here = pose_model.ParentTransform(_rows(transform.turn, rows), _rows(transform.place, rows), last)
        _, scale = self._unturned(self.infos[k])
        return at, pose_model.solve_rotation(here, wanted, _rows(scale, rows))

    def keyed_place(self, bone: str, made: Array, step: Array) -> tuple[Array, Array]:
        """Where the root is known: the location that shows the captured place."""
        at = self.captured.scene_frames[self.captured.root]
        k = self.index["torso"]
        if bone != "torso" or not len(at):
            return super().keyed_place(bone, made, step)
        _, p, rows = self._exact("torso", at)
        there = np.array(self.poses[:, k, :3, 3])
        there[rows] = p
        target = self.wanted_place(k, there)[rows]
        place = armature_io._transform(self.infos, k, self.poses).place[:, :3, :3]
        inverse = np.linalg.inv(np.broadcast_to(place, (len(self.frames), 3, 3)))[rows]
        base = made[rows] - step[rows]
        return at, base + np.einsum("nij,nj->ni", inverse, target - self.poses[rows, k, :3, 3])


def _rows(values: Array, rows: np.ndarray) -> Array:
    """Some frames of ``(F, ...)``; of what does not move, ``(1, ...)``, as many copies as asked for."""
    return values[rows] if len(values) > 1 else np.repeat(values, len(rows), axis=0)


def pose_error_steps(
    obj: Any, bone_map: BoneMap, clip: Clip, frames: Array, every: int = 15
) -> Generator[float, None, float]:
    """Largest difference in degrees between what is seen and ``clip``, at every so many frames."""
    rows = np.unique([*range(0, len(frames), every), len(frames) - 1])
    seen = yield from read_clip_steps(obj, bone_map, np.asarray(frames)[rows])
    q, wanted = seen.forward()[0], clip.forward()[0][rows]
    return float(np.degrees(rotations.angle_between(q, wanted).max(initial=0)))
