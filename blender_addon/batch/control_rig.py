"""A whole clip onto a generated Rigify rig's FK controls, in orientations alone.

:class:`..rigify_io.RigifyWriter` knows what each control hangs on once the switches are set. Nothing
in such a rig is scaled and nothing but ``torso`` is moved, so its 4x4 matrices reduce to one
quaternion a control and frame, and what stands still is worked out once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import armature_io, pose_model, rigify_io
from ..character_io import Capture
from ..continuity import channel_values
from ..keyframes import ChannelId, Keys, bone_path
from ..motion import rotations
from ..motion.clip import Clip
from ..motion.errors import InvalidRequestError
from ..motion.root_motion import GroundPath
from ..motion.rotations import Array
from ..motion.skeleton import JOINTS
from ..rigify_io import RigifyWriter
from ..whole_motion import Character

Values = dict[ChannelId, Array]


class Solver:
    """Channel values of one rig, whose pose but for the written controls stands still.

    Raises:
        InvalidRequestError: the rig is hidden or shows its rest position.
    """

    def __init__(self, character: Character, clip: Clip, first: int) -> None:
        self.character = character
        one = clip.slice(0, 1)
        frame = np.array([float(first)])
        known = Capture(
            one, first, first, frame, {}, np.zeros((1, len(JOINTS)), bool), np.zeros(1, bool), True
        )
        self.writer = RigifyWriter(character.obj, character.bone_map, known, one, Keys(first, first, {}))
        self.writer.present, world = armature_io._finish(self.writer.evaluate())
        self.place = armature_io.Placement(world, armature_io.unit_scale())
        self.writer.poses = np.array(self.writer.present)
        self.rest = [pose_model.orientation(info.rest[None]) for info in self.writer.infos]
        self.present = pose_model.orientation(self.writer.present[0])  # (bones, 4)

    def channels(self, clip: Clip) -> Values:
        """Rotations of the controls and the place of ``torso``."""
        writer, out = self.writer, Values()
        q, _ = clip.forward()
        back = rotations.inverse(self.place.rotation)
        joints = {name: j for j, name in enumerate(clip.skeleton.names)}
        off = pose_model.orientation(writer._against_torso())
        turned: dict[int, Array] = {}
        for k in writer.order():
            info = writer.infos[k]
            if info.name not in writer.bones:
                turned[k] = self._follow(k, turned)
                continue
            wanted = rotations.multiply(back, q[:, joints[info.name]])
            if info.name == "torso":
                wanted = rotations.multiply(wanted, rotations.inverse(off))
            turned[k] = wanted
            basis = rotations.multiply(rotations.inverse(self._before(k, turned)), wanted)
            out.update(rotation_values(self.character.obj.pose.bones[info.name], basis))
        out.update(self._torso(clip, turned[writer.index["torso"]]))
        return out

    def _before(self, k: int, turned: dict[int, Array]) -> Array:
        """Orientation that a bone has without its own rotation. ``(F or 1, 4)``."""
        info = self.writer.infos[k]
        if info.parent < 0 or not info.inherit_rotation:
            return self.rest[k]
        against = rotations.multiply(rotations.inverse(self.rest[info.parent]), self.rest[k])
        return rotations.multiply(turned[info.parent], against)

    def _follow(self, k: int, turned: dict[int, Array]) -> Array:
        """Orientation of a bone that is not written."""
        writer = self.writer
        info = writer.infos[k]
        if info.name in writer.copies:
            return turned[writer.index[writer.copies[info.name]]]
        if writer.hangs(k) and not writer.driven:
            bone = self.character.obj.pose.bones[info.name]
            _, own, _ = pose_model.local_channels(writer.curves, bone, info.name, writer.frames)
            return rotations.multiply(self._before(k, turned), own[:1])
        if info.parent < 0:
            return self.present[k : k + 1]
        against = rotations.multiply(rotations.inverse(self.present[info.parent]), self.present[k])
        return rotations.multiply(turned[info.parent], against)

    def _torso(self, clip: Clip, turn: Array) -> Values:
        """``torso``'s location, so that the pelvis bone gets to its place."""
        writer = self.writer
        k = writer.index["torso"]
        shift = writer._against_torso()[..., :3, 3]
        places = self.place.back(clip.root_positions)
        goal = places - rotations.rotate(turn, np.broadcast_to(shift, places.shape))
        place = armature_io._transform(writer.infos, k, writer.present).place[0]
        own = np.array(self.character.obj.pose.bones["torso"].location)
        present = writer.present[0, k, :3, 3] - place[:3, :3] @ own
        step = (goal - present) @ np.linalg.inv(place[:3, :3]).T
        return {(bone_path("torso", "location"), i): step[:, i] for i in range(3)}


def root_channels(character: Character, path: GroundPath) -> Values:
    """A control rig's ``root``, on which all of it hangs, for a way over the ground.

    Raises:
        InvalidRequestError: this is no control rig, or its root is locked.
    """
    obj = character.obj
    bone = obj.pose.bones.get("root") if rigify_io.is_control_rig(obj, character.bone_map) else None
    if bone is None or any((*bone.lock_location, *bone.lock_rotation)):
        raise InvalidRequestError(
            "root", "no bone stands above the hips", "Use --root hips or --root object."
        )
    up = rotations.inverse(armature_io.Y_UP)
    moved = np.tile(np.eye(4), (len(path.places), 1, 1))
    moved[:, :3, :3] = rotations.to_matrix(
        rotations.multiply(rotations.multiply(up, path.turns), armature_io.Y_UP)
    )
    moved[:, :3, 3] = rotations.rotate(up, path.places) / armature_io.unit_scale()
    rest = np.array(obj.matrix_world, np.float64) @ np.array(bone.bone.matrix_local, np.float64)
    basis = np.linalg.inv(rest) @ moved @ rest
    out = rotation_values(bone, rotations.from_matrix(basis[:, :3, :3]))
    return out | {(bone_path("root", "location"), i): basis[:, i, 3] for i in range(3)}


def rotation_values(bone: Any, basis: Array) -> Values:
    """A bone's rotation channels, in its own mode, from what it is turned against rest. ``(F, 4)``."""
    mode = bone.rotation_mode
    path = bone_path(bone.name, pose_model.rotation_property(mode))
    size = 3 if len(mode) == 3 else 4
    values = channel_values(basis, mode, np.arange(len(basis), dtype=float), np.empty(0), np.empty((0, size)))
    return {(path, i): values[:, i] for i in range(size)}


def is_free(character: Character, bones: list[str]) -> bool:
    """Whether a control rig stands still, unscaled, with nothing locked: then :class:`Solver` may be used."""
    obj = character.obj
    if not rigify_io.is_control_rig(
        obj, character.bone_map
    ) or rigify_io.armature_io.object_moves_by_depsgraph(obj):
        return False
    curves = pose_model.Curves(obj)
    if curves._curves or not np.allclose(np.array([b.scale for b in obj.pose.bones]), 1, atol=1e-6):
        return False
    pose = obj.pose.bones
    return not (any(any(pose[b].lock_rotation) for b in bones) or any(pose["torso"].lock_location))


def switch_values(obj: Any, count: int) -> Values:
    """What the switches have to be for FK to be obeyed, where they are not that already."""
    out: Values = {}
    for switch in rigify_io.switches(obj):
        if float(obj.pose.bones[switch.bone].get(switch.property, switch.value)) != switch.value:
            out[rigify_io.switch_path(switch), 0] = np.full(count, switch.value)
    return out
