"""A mapped character's keys -> what a request needs, and a result -> F-curve values.

``capture`` reads poses at keyed frames only: nothing else of a motion is known, so nothing else is
worth evaluating. ``result_channels`` goes the other way. Both are generators too (``..._steps``)
and know about generated Rigify rigs (:mod:`.rigify_io`); no caller has to.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from . import armature_io
from .keyframes import ROTATIONS, Channels, Keys
from .motion.bone_maps import BoneMap
from .motion.clip import Clip
from .motion.errors import InvalidRequestError
from .motion.rotations import Array
from .motion.skeleton import INDEX, JOINTS, PARENTS

_JOINTS_OF = {"spine": ("spine1", "spine2", "spine3")}


@dataclass(frozen=True, eq=False)
class Capture:
    """What was read of a character; holds nothing of Blender's, so threads may use it.

    Attributes:
        poses: the character's bones, one frame per entry of ``frames``.
        first, last: scene frames of the range.
        frames: scene frames at which poses were read, ascending.
        roles: role -> scene frames at which it is keyed.
        joints: ``(F, 22)`` the same per canonical joint, roles without a bone with their parents.
        root: ``(F,)`` where the root's place is known; everywhere if no location is keyed.
        moves: whether any location is keyed, so that results move the root.
    """

    poses: Clip
    first: int
    last: int
    frames: Array
    roles: Mapping[str, Array]
    joints: np.ndarray
    root: np.ndarray
    moves: bool

    @property
    def scene_frames(self) -> Array:
        """Scene frame of each of the clip's frames. ``(F,)``."""
        return np.arange(self.first, self.last + 1, dtype=np.float64)

    @cached_property
    def clip(self) -> Clip:
        """One frame a scene frame, exact at ``frames``, interpolated elsewhere; made when first
        asked for, which had better be in a thread: it takes time with the length of the range."""
        return self.poses.sample(np.interp(self.scene_frames, self.frames, np.arange(len(self.frames))))


def capture(obj: Any, bone_map: BoneMap, keys: Keys) -> Capture:
    """Read a character's keyed poses over the range of ``keys``."""
    return armature_io._finish(capture_steps(obj, bone_map, keys))


def capture_steps(obj: Any, bone_map: BoneMap, keys: Keys) -> Generator[float, None, Capture]:
    """:func:`capture` in steps of a few milliseconds.

    Raises:
        InvalidRequestError: no armature, a range without frames, or nothing mapped is keyed.
    """
    from . import rigify_io

    first, last = round(keys.start), round(keys.end)
    if last <= first:
        raise InvalidRequestError("range", f"{first} to {last} holds no frames between",
                                  "Choose an end after the start.")  # fmt: skip
    control_rig = rigify_io.is_control_rig(obj, bone_map)
    roles, places = _keyed(obj, bone_map, keys, first, last)
    frames = np.unique(np.concatenate([places, *roles.values(), [first, last]])).astype(np.float64)
    if control_rig:
        read = yield from rigify_io.read_clip_steps(obj, bone_map, frames)
    else:
        read = yield from armature_io.read_clip_steps(obj, frames, bone_map.names)
    joints = joint_mask(bone_map, roles, first, last)
    root = np.ones(last - first + 1, bool)
    if len(places):
        root[:] = False
        root[places.astype(int) - first] = True
    return Capture(read, first, last, frames, roles, joints, root, bool(len(places)))


def keyed_frames(obj: Any, bone_map: BoneMap, keys: Keys) -> Array:
    """Whole scene frames at which anything that a request asks about is keyed. ``(n,)``."""
    roles, places = _keyed(obj, bone_map, keys, round(keys.start), round(keys.end))
    return _join([places, *roles.values()])


def _keyed(
    obj: Any, bone_map: BoneMap, keys: Keys, first: int, last: int
) -> tuple[dict[str, Array], Array]:
    from . import rigify_io

    control_rig = rigify_io.is_control_rig(obj, bone_map)
    roles, places = rigify_io.keyed_roles(obj, keys) if control_rig else keyed_roles(obj, bone_map, keys)
    return {r: _whole(f, first, last) for r, f in roles.items()}, _whole(places, first, last)


def keyed_roles(obj: Any, bone_map: BoneMap, keys: Keys) -> tuple[dict[str, Array], Array]:
    """Frames at which each role is keyed, and those at which the root's place is.

    A role is keyed where any of its bones has a rotation key; the place where the pelvis, a bone
    above it or the object has a location key.
    """
    roles = {role: _join(keys.frames_of(bone, ROTATIONS) for bone in bones)
             for role, bones in bone_map.bones.items()}  # fmt: skip
    above, bone = [""], obj.data.bones.get(bone_map.bones["pelvis"][0])
    while bone is not None:
        above.append(bone.name)
        bone = bone.parent
    return roles, _join(keys.frames_of(name, ("location",)) for name in above)


def joint_mask(bone_map: BoneMap, roles: Mapping[str, Array], first: int, last: int) -> np.ndarray:
    """Roles' keyed frames as a mask over canonical joints. ``(F, 22)`` bool."""
    out = np.zeros((last - first + 1, len(JOINTS)), bool)
    columns = {role: [INDEX[j] for j in _JOINTS_OF.get(role, (role,))] for role in bone_map.bones}
    present = {j for found in columns.values() for j in found}
    for role, frames in roles.items():
        for j in columns.get(role, ()):
            out[frames.astype(int) - first, j] = True
    for j in range(1, len(JOINTS)):  # no bone: it always goes with its parent
        if j not in present:
            out[:, j] = out[:, PARENTS[j]]
    return out


def _join(found: Iterable[Array]) -> Array:
    return np.unique(np.concatenate([np.empty(0), *found]))


def _whole(frames: Array, first: int, last: int) -> Array:
    """Nearest whole frames inside the range: requests have one pose a frame."""
    whole = np.unique(np.floor(np.asarray(frames) + 0.5))
    return whole[(whole >= first) & (whole <= last)]


# -- results ----------------------------------------------------------------------------------------


def result_channels(obj: Any, bone_map: BoneMap, captured: Capture, clip: Clip, keys: Keys) -> Channels:
    """F-curve values for a result on the character's own bones (``retarget.from_canonical``'s)."""
    return armature_io._finish(result_channels_steps(obj, bone_map, captured, clip, keys))


def result_channels_steps(
    obj: Any, bone_map: BoneMap, captured: Capture, clip: Clip, keys: Keys
) -> Generator[float, None, Channels]:
    """:func:`result_channels` in steps of a few milliseconds.

    Only mapped bones are written; fingers, twist bones and props keep their own curves. Each
    bone's curve runs through its own keys; see :mod:`.residuals`.
    """
    from . import rigify_io

    if rigify_io.is_control_rig(obj, bone_map):
        return (yield from rigify_io.result_channels_steps(obj, bone_map, captured, clip, keys))
    bones = [b for role in bone_map.bones.values() for b in role]
    pelvis = bone_map.bones["pelvis"][0] if captured.moves else None
    return (yield from armature_io.basis_channels_steps(
        obj, clip, captured.scene_frames, bones, keys, pelvis, residuals=True))  # fmt: skip


def constrained_bones(obj: Any, bone_map: BoneMap) -> tuple[str, ...]:
    """Mapped bones whose own constraints will have the last word over what is written."""
    kinds = {"IK", "COPY_ROTATION", "COPY_TRANSFORMS", "CHILD_OF", "ARMATURE", "DAMPED_TRACK", "TRACK_TO",
             "LOCKED_TRACK", "STRETCH_TO", "SPLINE_IK", "LIMIT_ROTATION", "TRANSFORM", "ACTION"}  # fmt: skip
    return tuple(b for role in bone_map.bones.values() for b in role
                 if any(c.type in kinds and not c.mute and c.influence > 0
                        for c in obj.pose.bones[b].constraints))  # fmt: skip

