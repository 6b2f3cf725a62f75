"""From a clip on an armature's bones to F-curve values: one pass over the bones, parents first."""

from __future__ import annotations

from collections.abc import Generator, Sequence
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
        self.present, world = yield from self.evaluate()
        self.place = armature_io.Placement(world, armature_io.unit_scale())
        q, p = self.clip.forward()
        back = rotations.inverse(self.place.rotation)
        self.poses = np.empty((len(self.frames), len(self.infos), 4, 4))
        for done, k in enumerate(self.order()):
            if done % 2 == 0:
                yield done / len(self.infos)
            name = self.infos[k].name
            if name in self.bones:
                wanted = self.wanted(k, rotations.multiply(back, q[:, self.clip.skeleton.index(name)]))
                transform = armature_io._transform(self.infos, k, self.poses)
                self.poses[:, k] = transform.apply(self._turn(k, transform, wanted))
            else:
                self.poses[:, k] = self.follow(k)
        if pelvis:
            self._carry(pelvis, self.place.back(p[:, self.clip.skeleton.index(pelvis)]), world)
        return self.out

    # -- what control rigs do differently -----------------------------------------------------------

    def evaluate(self) -> Generator[float, None, tuple[Array, Array]]:
        """Present pose matrices ``(F or 1, B, 4, 4)`` and world matrices ``(F or 1, 4, 4)``."""
        self.constrained = needs_depsgraph(self.obj, [i.name for i in self.infos])
        return (yield from armature_io.read_poses_steps(self.obj, self.infos, self.frames))

    def order(self) -> Sequence[int]:
        """Bones in an order in which each one comes after all that move it."""
        return range(len(self.infos))

    def wanted(self, k: int, turn: Array) -> Array:
        """Orientation ``(F, 4)`` for a written bone, from the clip's, both in armature space."""
        return turn

    def follow(self, k: int) -> Array:
        """Pose matrices ``(F, 4, 4)`` of a bone that is not written, its parent's being solved."""
        info = self.infos[k]
        if not self.constrained:
            return armature_io._transform(self.infos, k, self.poses).apply(self._own(info))
        if info.parent < 0:
            return self.present[:, k]
        return self.poses[:, info.parent] @ np.linalg.inv(self.present[:, info.parent]) @ self.present[:, k]

    def keyed_turn(self, k: int, transform: pose_model.ParentTransform) -> tuple[Array, Array]:
        """Frames ``(K,)`` at which the bone's rotation is the animator's, and it ``(K, 4)``."""
        bone = self.obj.pose.bones[self.infos[k].name]
        at, values = self._anchors(self.infos[k].name, pose_model.rotation_property(bone.rotation_mode))
        return at, pose_model.to_rotation(values, bone.rotation_mode)

    def keyed_place(self, bone: str, made: Array, step: Array) -> tuple[Array, Array]:
        """Frames ``(K,)`` at which a bone's location is the animator's, and it ``(K, 3)``."""
        return self._anchors(bone, "location")

    def _anchors(self, bone: str, prop: str) -> tuple[Array, Array]:
        owner = self.obj.pose.bones[bone] if bone else self.obj
        live = tuple(getattr(owner, prop))
        at = self.keys.frames_of(bone, (prop,)) if self.keys else np.empty(0)
        if not len(at):
            return at, np.empty((0, len(live)))
        values = self.curves.values(bone_path(bone, prop), live, at)
        return at, np.broadcast_to(values, (len(at), len(live)))

    # -- rotation ----------------------------------------------------------------------------------

    def _channels(self, info: BoneInfo) -> tuple[Array, Array, Array]:
        return pose_model.local_channels(self.curves, self.obj.pose.bones[info.name], info.name, self.frames)

    def _own(self, info: BoneInfo) -> Array:
        location, turn, scale = self._channels(info)
        return pose_model.compose(np.zeros((1, 3)) if info.connected else location, turn, scale)

    def _turn(self, k: int, transform: pose_model.ParentTransform, wanted: Array) -> Array:
        """Solve one bone, note its channels, and return the basis matrices it will really have."""
        info = self.infos[k]
        bone = self.obj.pose.bones[info.name]
        mode, prop = bone.rotation_mode, pose_model.rotation_property(bone.rotation_mode)
        path, live = bone_path(info.name, prop), tuple(getattr(bone, prop))
        location, own, scale = self._channels(info)
        location = np.zeros((1, 3)) if info.connected else location
        made = pose_model.solve_rotation(transform, wanted, scale)
        made = np.broadcast_to(made, (len(self.frames), 4))
        if self.use_residuals:
            made = residuals.turned(made, self.frames, *self.keyed_turn(k, transform))
        locked = _locked_rotation(bone)
        if any(locked) and not _by_component(bone):
            made = _hold_axes(made, own, locked[-3:])
        values = continuity.channel_values(made, mode, self.frames, *self._anchors(info.name, prop))
        leave = locked if _by_component(bone) else (all(locked),) * len(live)
        if any(leave):
            present = np.broadcast_to(self.curves.values(path, live, self.frames), values.shape)
            values = np.where(leave, present, values)
        for i in range(len(live)):
            if not leave[i]:
                self.out[path, i] = (self.frames, values[:, i])
        return pose_model.compose(location, pose_model.to_rotation(values, mode), scale)

    def wanted_place(self, k: int, place: Array) -> Array:
        """Where the pelvis bone's head has to be ``(F, 3)``, from where the clip has it."""
        return place

    # -- location ----------------------------------------------------------------------------------

    def _carry(self, pelvis: str, wanted: Array, world: Array) -> None:
        """Move what can move so that the pelvis gets to ``wanted`` ``(F, 3)``, armature space."""
        k = self.index[pelvis]
        missing = self.wanted_place(k, wanted) - self.poses[:, k, :3, 3]
        while k >= 0:
            bone = self.obj.pose.bones[self.infos[k].name]
            if not self.infos[k].connected and not all(bone.lock_location):
                place = armature_io._transform(self.infos, k, self.poses).place[:, :3, :3]
                self._shift(bone, self.infos[k].name, _through(np.linalg.inv(place), missing))
                return
            k = self.infos[k].parent
        if all(self.obj.lock_location):
            raise InvalidRequestError(
                "armature", f"nothing can move {self.obj.name}: the location of {pelvis}, of all bones above it "
                "and of the object is locked or connected", "Unlock one of them.")  # fmt: skip
        _, turn, scale = pose_model.local_channels(self.curves, self.obj, "", self.frames)
        turned = rotations.to_matrix(turn) * scale[:, None, :]
        above = world[:, :3, :3] @ np.linalg.inv(turned)  # parent's axes, and the delta transform
        self._shift(self.obj, "", _through(np.linalg.inv(above), _through(world[:, :3, :3], missing)))

    def _shift(self, owner: Any, bone: str, step: Array) -> None:
        path, live = bone_path(bone, "location"), tuple(owner.location)
        values = self.curves.values(path, live, self.frames) + step
        if self.use_residuals:
            values = residuals.shifted(values, self.frames, *self.keyed_place(bone, values, step))
        for i in range(3):
            if not owner.lock_location[i]:
                self.out[path, i] = (self.frames, values[:, i])


def _through(m: Array, v: Array) -> Array:
    """Matrices ``(F or 1, 3, 3)`` times vectors ``(F, 3)``."""
    return np.einsum("nij,nj->ni", np.broadcast_to(m, (len(v), 3, 3)), v)


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
