"""From a clip on an armature's bones to F-curve values: one pass over the bones, parents first."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from . import armature_io, continuity, pose_model, residuals
from .depsgraph import needs_depsgraph, visit
from .keyframes import ChannelId, Keys, bone_path
from .motion import rotations
from .motion.clip import Clip
from .motion.errors import InvalidRequestError
from .motion.rotations import Array
from .pose_model import BoneInfo, Curves

Written = dict[ChannelId, tuple[Array, Array]]


class Writer:
    """Solves channel values; see :func:`.armature_io.basis_channels` for the arguments."""

    def __init__(self, obj: Any, bones: Sequence[str], frames: Array, clip: Clip, keys: Keys | None = None,
                 pelvis: str | None = None, use_residuals: bool = False, also: Sequence[str] = ()) -> None:  # fmt: skip
        """``also``: bones that are not written, but whose poses are needed."""
        self.obj, self.frames, self.clip, self.bones = obj, frames, clip, set(bones)
        self.keys, self.pelvis, self.use_residuals = keys, pelvis, use_residuals
        moved = [*bones, *([pelvis] if pelvis else []), *also]
        self.copies = copied(obj, moved)
        self.infos = pose_model.bone_infos(obj, [*moved, *self.copies.values()])
        self.index = {info.name: k for k, info in enumerate(self.infos)}
        self.curves = Curves(obj)
        self.out: Written = {}

    def run(self) -> Generator[float, None, Written]:
        """The channels; yields the fraction done."""
        self.present, world = yield from self.evaluate()
        self.place = armature_io.Placement(world, armature_io.unit_scale())
        q, p = yield from self._forward()
        back = rotations.inverse(self.place.rotation)
        self.poses = np.empty((len(self.frames), len(self.infos), 4, 4))
        for done, k in enumerate(self.order()):
            yield done / len(self.infos)
            name = self.infos[k].name
            if name in self.bones:
                wanted = self.wanted(k, rotations.multiply(back, q[name]))
                transform = armature_io._transform(self.infos, k, self.poses)
                self.poses[:, k] = transform.apply(self._turn(k, transform, wanted))
            else:
                self.poses[:, k] = self.follow(k)
        if self.pelvis:
            yield 1.0
            self._carry(self.pelvis, self.place.back(p[self.pelvis]), world)
        return self.out

    def _forward(self) -> Generator[float, None, tuple[dict[str, Array], dict[str, Array]]]:
        """The clip's global orientations and places by bone, a joint a step."""
        s, q, p = self.clip.skeleton, self.clip.rotations, self.clip.local_translations()
        turns: list[Array] = []
        places: list[Array] = []
        for j, parent in enumerate(s.parents):
            yield 0.0
            up = turns[parent] if parent >= 0 else rotations.identity(1)
            at = places[parent] if parent >= 0 else np.zeros(3)
            turns.append(rotations.multiply(up, q[:, j]))
            places.append(at + rotations.rotate(up, p[:, j]))
        return dict(zip(s.names, turns, strict=True)), dict(zip(s.names, places, strict=True))

    # -- bones that are not written ------------------------------------------------------------------

    def evaluate(self) -> Generator[float, None, tuple[Array, Array]]:
        """Present pose matrices ``(F or 1, B, 4, 4)`` and world matrices ``(F or 1, 4, 4)``.

        Where constraints are at work the dependency graph has to be asked, which is slow: first at
        the keyed frames, and only if bones move against their parents at all frames.
        """
        names = [i.name for i in self.infos]
        self.constrained = needs_depsgraph(self.obj, names)
        if not self.constrained:  # then channels alone tell all bones' poses
            return (yield from armature_io.read_poses_steps(self.obj, [], self.frames))
        keyed = self.keys.frames if self.keys else self.frames
        at = np.unique([*keyed, self.frames[0], self.frames[-1]])
        poses, world = yield from self.visit(at)
        still = np.ptp(world, axis=0).max() < 1e-6
        if still and all(np.ptp(m, axis=0).max(initial=0) < 1e-5 for m in self.relations(poses)):
            return self.visited(poses[:1]), world[:1]
        if len(at) != len(self.frames) or (at != self.frames).any():
            poses, world = yield from self.visit(self.frames)
        return self.visited(poses), world

    def visit(self, frames: Array) -> Generator[float, None, tuple[Array, Array]]:
        """Evaluate the dependency graph at some frames."""
        return (yield from visit(self.obj, frames, [i.name for i in self.infos]))

    def visited(self, poses: Array) -> Array:
        """Matrices of ``infos``' bones among what :meth:`visit` brought."""
        return poses

    def relations(self, poses: Array) -> list[Array]:
        """What has to stay the same for one evaluation to serve all frames."""
        out = []
        for k, info in enumerate(self.infos):
            if info.name not in self.bones and info.name not in self.copies and not self.hangs(k):
                out.append(_relative(poses, k, info.parent))
        return out

    def order(self) -> Sequence[int]:
        """Bones in an order in which each one comes after all that move it."""
        out: dict[int, None] = {}

        def add(k: int) -> None:
            if k in out:
                return
            info = self.infos[k]
            if info.parent >= 0:
                add(info.parent)
            if info.name in self.copies:
                add(self.index[self.copies[info.name]])
            out[k] = None

        for k in range(len(self.infos)):
            add(k)
        return list(out)

    def hangs(self, k: int) -> bool:
        """Whether an unwritten bone follows its parent by the ordinary rules and its own channels."""
        return not any(not c.mute for c in self.obj.pose.bones[self.infos[k].name].constraints)

    def follow(self, k: int) -> Array:
        """Pose matrices ``(F, 4, 4)`` of a bone that is not written, its parent's being solved."""
        info = self.infos[k]
        if info.name in self.copies:
            return self.poses[:, self.index[self.copies[info.name]]]
        if not self.constrained or (self.hangs(k) and not self.driven):
            return armature_io._transform(self.infos, k, self.poses).apply(self._own(info))
        relative = _relative(self.present, k, info.parent)
        return relative if info.parent < 0 else self.poses[:, info.parent] @ relative

    @cached_property
    def driven(self) -> bool:
        """Whether drivers or NLA tracks, too, move bones: then channels do not tell their pose."""
        return needs_depsgraph(self.obj, [i.name for i in self.infos], constraints=False)

    # -- what control rigs do differently ------------------------------------------------------------

    def wanted(self, k: int, turn: Array) -> Array:
        """Orientation ``(F, 4)`` for a written bone, from the clip's, both in armature space."""
        return turn

    def wanted_place(self, k: int, place: Array) -> Array:
        """Where the pelvis bone's head has to be ``(F, 3)``, from where the clip has it."""
        return place

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

    def _unturned(self, info: BoneInfo) -> tuple[Array, Array]:
        """A bone's location ``(n, 3)`` and scale ``(n, 3)``, n the frames or 1."""
        bone, out = self.obj.pose.bones[info.name], []
        for prop in ("location", "scale"):
            out.append(self.curves.values(bone_path(info.name, prop), tuple(getattr(bone, prop)), self.frames))
        return (np.zeros((1, 3)) if info.connected else out[0]), out[1]

    def _own(self, info: BoneInfo) -> Array:
        bone = self.obj.pose.bones[info.name]
        location, turn, scale = pose_model.local_channels(self.curves, bone, info.name, self.frames)
        return pose_model.compose(np.zeros((1, 3)) if info.connected else location, turn, scale)

    def _turn(self, k: int, transform: pose_model.ParentTransform, wanted: Array) -> Array:
        """Solve one bone, note its channels, and return the basis matrices it will really have."""
        info = self.infos[k]
        bone = self.obj.pose.bones[info.name]
        mode, prop = bone.rotation_mode, pose_model.rotation_property(bone.rotation_mode)
        path, live = bone_path(info.name, prop), tuple(getattr(bone, prop))
        location, scale = self._unturned(info)
        made = pose_model.solve_rotation(transform, wanted, scale)
        made = np.broadcast_to(made, (len(self.frames), 4))
        if self.use_residuals:
            made = residuals.turned(made, self.frames, *self.keyed_turn(k, transform))
        locked = locked_rotation(bone)
        if any(locked) and not _by_component(bone):
            own = self.curves.values(path, live, self.frames)
            made = _hold_axes(made, pose_model.to_rotation(own, mode), locked[-3:])
        values = continuity.channel_values(made, mode, self.frames, *self._anchors(info.name, prop))
        leave = left_rotation(bone)
        if any(leave):
            present = np.broadcast_to(self.curves.values(path, live, self.frames), values.shape)
            values = np.where(leave, present, values)
        for i in range(len(live)):
            if not leave[i]:
                self.out[path, i] = (self.frames, values[:, i])
        return pose_model.compose(location, pose_model.to_rotation(values, mode), scale)

    # -- location ----------------------------------------------------------------------------------

    def _carry(self, pelvis: str, wanted: Array, world: Array) -> None:
        """Move what can move so that the pelvis gets to ``wanted`` ``(F, 3)``, armature space."""
        k = self.index[pelvis]
        missing = self.wanted_place(k, wanted) - self.poses[:, k, :3, 3]
        name = carrier(self.obj, pelvis)
        if name is None:
            raise InvalidRequestError(
                "armature", f"nothing can move {self.obj.name}: the location of {pelvis}, of all bones above it "
                "and of the object is locked or connected", "Unlock one of them.")  # fmt: skip
        if name:
            place = armature_io._transform(self.infos, self.index[name], self.poses).place[:, :3, :3]
            self._shift(self.obj.pose.bones[name], name, _through(np.linalg.inv(place), missing))
            return
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


def carrier(obj: Any, pelvis: str) -> str | None:
    """Whose location moves a pelvis bone: the nearest bone at or above it that can move freely, "" for
    the object; None where all are locked or connected."""
    bone = obj.data.bones.get(pelvis)
    while bone is not None:
        connected = bone.use_connect and bone.parent is not None
        if not connected and not all(obj.pose.bones[bone.name].lock_location):
            return bone.name
        bone = bone.parent
    return None if all(obj.lock_location) else ""


def _relative(poses: Array, k: int, parent: int) -> Array:
    """Pose matrices of bone ``k`` as its parent sees them. ``(F, 4, 4)``."""
    return poses[:, k] if parent < 0 else np.linalg.inv(poses[:, parent]) @ poses[:, k]


def copied(obj: Any, names: Sequence[str]) -> dict[str, str]:
    """Bones at or above these that copy all of another one, as ``ORG-shoulder`` does ``shoulder``."""
    out: dict[str, str] = {}
    for info in pose_model.bone_infos(obj, names):
        for c in obj.pose.bones[info.name].constraints:
            if (c.type == "COPY_TRANSFORMS" and not c.mute and c.influence == 1 and c.target == obj
                    and c.subtarget and c.owner_space == c.target_space == "WORLD"):  # fmt: skip
                out[info.name] = c.subtarget
    return {a: b for a, b in out.items() if a not in names}


def _through(m: Array, v: Array) -> Array:
    """Matrices ``(F or 1, 3, 3)`` times vectors ``(F, 3)``."""
    return np.einsum("nij,nj->ni", np.broadcast_to(m, (len(v), 3, 3)), v)


def _by_component(bone: Any) -> bool:
    """Whether rotation locks hold channels as they are (Euler, or four-component locks)."""
    return bone.rotation_mode not in ("QUATERNION", "AXIS_ANGLE") or bool(bone.lock_rotations_4d)


def left_rotation(bone: Any) -> tuple[bool, ...]:
    """Which channels of the bone's rotation mode are not written, in channel order, because of its locks."""
    locked = locked_rotation(bone)
    count = 4 if bone.rotation_mode in ("QUATERNION", "AXIS_ANGLE") else 3
    if all(locked[-3:]):  # what is left of a quaternion, w, could only undo the lock
        return (True,) * count
    return locked if _by_component(bone) else (False,) * count


def locked_rotation(bone: Any) -> tuple[bool, ...]:
    """Locked channels of the bone's rotation mode, in channel order; of a quaternion by angles, X, Y and Z."""
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
