"""From a clip on an armature's bones to F-curve values: one pass over the bones, parents first."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from . import armature_io, continuity, pose_model, residuals
from .depsgraph import needs_depsgraph
from .keyframes import ChannelId, Keys, bone_path
from .motion import rotations
from .motion.clip import Clip
from .motion.errors import InvalidRequestError
from .motion.rotations import Array
from .pose_model import BoneInfo, Curves

Written = dict[ChannelId, tuple[Array, Array]]


class Writer:
    """Solves channel values; see :func:`.armature_io.basis_channels` for the arguments."""

    def __init__(self, obj: Any, infos: list[BoneInfo], frames: Array, clip: Clip, bones: set[str],
                 keys: Keys | None, use_residuals: bool) -> None:  # fmt: skip
        self.obj, self.infos, self.frames, self.clip, self.bones = obj, infos, frames, clip, bones
        self.keys, self.use_residuals = keys, use_residuals
        self.curves = Curves(obj)
        self.index = {info.name: k for k, info in enumerate(infos)}
        self.out: Written = {}

    def run(self, pelvis: str | None) -> Generator[float, None, Written]:
        """The channels; yields the fraction done."""
        present, world = yield from armature_io.read_poses_steps(self.obj, self.infos, self.frames)
        self.place = armature_io.Placement(world, armature_io.unit_scale())
        q, p = self.clip.forward()
        constrained = needs_depsgraph(self.obj, [i.name for i in self.infos])
        poses = np.empty_like(present)
        back = rotations.inverse(self.place.rotation)
        for k, info in enumerate(self.infos):
            if k % 2 == 0:
                yield k / len(self.infos)
            transform = armature_io._transform(self.infos, k, poses)
            if info.name in self.bones:
                wanted = rotations.multiply(back, q[:, self.clip.skeleton.index(info.name)])
                poses[:, k] = transform.apply(self._turn(info, transform, wanted))
            elif constrained and info.parent >= 0:
                poses[:, k] = poses[:, info.parent] @ np.linalg.inv(present[:, info.parent]) @ present[:, k]
            elif constrained:
                poses[:, k] = present[:, k]
            else:
                poses[:, k] = transform.apply(self._own(info))
        if pelvis:
            there = self.place.back(p[:, self.clip.skeleton.index(pelvis)])
            self._carry(pelvis, poses, there, world)
        return self.out

    # -- rotation ----------------------------------------------------------------------------------

    def _channels(self, info: BoneInfo) -> tuple[Array, Array, Array]:
        return pose_model.local_channels(self.curves, self.obj.pose.bones[info.name], info.name, self.frames)

    def _own(self, info: BoneInfo) -> Array:
        location, turn, scale = self._channels(info)
        return pose_model.compose(np.zeros((1, 3)) if info.connected else location, turn, scale)

    def _turn(self, info: BoneInfo, transform: pose_model.ParentTransform, wanted: Array) -> Array:
        """Solve one bone, note its channels, and return the basis matrices it will really have."""
        bone = self.obj.pose.bones[info.name]
        mode, prop = bone.rotation_mode, pose_model.rotation_property(bone.rotation_mode)
        path, live = bone_path(info.name, prop), tuple(getattr(bone, prop))
        location, own, scale = self._channels(info)
        location = np.zeros((1, 3)) if info.connected else location
        made = pose_model.solve_rotation(transform, wanted, scale)
        made = np.broadcast_to(made, (len(self.frames), 4))
        at = self.keys.frames_of(info.name, (prop,)) if self.keys else np.empty(0)
        keyed = self.curves.values(path, live, at) if len(at) else np.empty((0, len(live)))
        keyed = np.broadcast_to(keyed, (len(at), len(live)))
        if self.use_residuals:
            made = residuals.turned(made, self.frames, at, pose_model.to_rotation(keyed, mode))
        locked = _locked_rotation(bone)
        if any(locked) and not _by_component(bone):
            made = _hold_axes(made, own, locked[-3:])
        values = continuity.channel_values(made, mode, self.frames, at, keyed)
        leave = locked if _by_component(bone) else (all(locked),) * len(live)
        if any(leave):
            present = np.broadcast_to(self.curves.values(path, live, self.frames), values.shape)
            values = np.where(leave, present, values)
        for i in range(len(live)):
            if not leave[i]:
                self.out[path, i] = (self.frames, values[:, i])
        return pose_model.compose(location, pose_model.to_rotation(values, mode), scale)

    # -- location ----------------------------------------------------------------------------------

    def _carry(self, pelvis: str, poses: Array, wanted: Array, world: Array) -> None:
        """Move what can move so that the pelvis gets to ``wanted`` ``(F, 3)``, armature space."""
        k = self.index[pelvis]
        missing = wanted - poses[:, k, :3, 3]
        while k >= 0:
            bone = self.obj.pose.bones[self.infos[k].name]
            if not self.infos[k].connected and not all(bone.lock_location):
                place = armature_io._transform(self.infos, k, poses).place[:, :3, :3]
                step = np.einsum("nij,nj->ni", np.linalg.inv(np.broadcast_to(place, (len(missing), 3, 3))), missing)
                return self._shift(bone, self.infos[k].name, step)
            k = self.infos[k].parent
        if all(self.obj.lock_location):
            raise InvalidRequestError(
                "armature", f"nothing can move {self.obj.name}: the location of {pelvis}, of all bones above it "
                "and of the object is locked or connected", "Unlock one of them.")  # fmt: skip
        location, turn, scale = pose_model.local_channels(self.curves, self.obj, "", self.frames)
        turned = rotations.to_matrix(turn) * scale[:, None, :]
        above = world[:, :3, :3] @ np.linalg.inv(turned)  # parent's axes, and the delta transform
        step = np.einsum("nij,nj->ni", np.broadcast_to(world[:, :3, :3], (len(missing), 3, 3)), missing)
        step = np.einsum("nij,nj->ni", np.broadcast_to(np.linalg.inv(above), (len(missing), 3, 3)), step)
        self._shift(self.obj, "", step)

    def _shift(self, owner: Any, bone: str, step: Array) -> None:
        path, live = bone_path(bone, "location"), tuple(owner.location)
        values = self.curves.values(path, live, self.frames) + step
        if self.use_residuals and self.keys:
            at = self.keys.frames_of(bone, ("location",))
            if len(at):
                keyed = np.broadcast_to(self.curves.values(path, live, at), (len(at), 3))
                values = residuals.shifted(values, self.frames, at, keyed)
        for i in range(3):
            if not owner.lock_location[i]:
                self.out[path, i] = (self.frames, values[:, i])


def _by_component(bone: Any) -> bool:
    """Whether rotation locks hold channels as they are (Euler, or four-component locks)."""
    return bone.rotation_mode not in ("QUATERNION", "AXIS_ANGLE") or bool(bone.lock_rotations_4d)


def _locked_rotation(bone: Any) -> tuple[bool, ...]:
    """Locked channels of the bone's rotation mode, in channel order."""
    locks = tuple(bool(x) for x in bone.lock_rotation)
    if bone.rotation_mode in ("QUATERNION", "AXIS_ANGLE") and bone.lock_rotations_4d:
        return (bool(bone.lock_rotation_w), *locks)
    return locks


def _hold_axes(made: Array, own: Array, locked: tuple[bool, ...]) -> Array:
    """Three-axis locks of a quaternion bone: its Euler angles (XYZ) about them stay, as Blender has it."""
    new = rotations.to_euler(made, "ZYX")[:, ::-1]
    old = rotations.to_euler(own, "ZYX")[:, ::-1]
    held = np.where(locked, np.broadcast_to(old, new.shape), new)
    return rotations.from_euler(held[:, ::-1], "ZYX")
