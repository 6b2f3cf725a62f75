"""Armature + Action <-> Clip: the only place that converts axes, units and bone space.

Blender's world (Z up, scene units) becomes the canonical one (Y up, metres) by
``(x, y, z) -> (x, z, -y)``; the armature object's own transform, parents included, is part of it.
A mirrored object is seen with its X axis unmirrored, an unevenly scaled one with its mean scale:
bones keep rigid orientations that way, and what is read is written back the same.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import ArrayLike

from . import pose_model
from .depsgraph import needs_depsgraph, object_moves_by_depsgraph, visit
from .keyframes import Channels, Keys
from .motion import kinematics, rotations
from .motion.clip import Clip, concatenate
from .motion.errors import InvalidRequestError, SkeletonError
from .motion.rotations import Array
from .motion.skeleton import Skeleton
from .pose_model import BoneInfo, Curves, bone_infos
from .units import unit_scale as unit_scale  # for callers

Y_UP = np.array([np.sqrt(0.5), -np.sqrt(0.5), 0.0, 0.0])
"""Quarter turn about X: Blender's world to the canonical one."""
AT_ONCE = 4096
"""Frames whose matrices are in memory at once: a take may be of any length."""


def scene_fps(scene: Any = None) -> float:
    """The scene's frame rate."""
    render = (scene or bpy.context.scene).render
    return render.fps / render.fps_base


class Placement:
    """Armature space -> canonical world, per frame: a rotation, a scale and a shift.

    Args:
        matrices: ``(F or 1, 4, 4)`` world matrices of the armature object.
        unit: metres per Blender unit.

    Raises:
        InvalidRequestError: the object is scaled to nothing.
    """

    def __init__(self, matrices: Array, unit: float) -> None:
        m = np.array(matrices[:, :3, :3], np.float64)
        determinant = np.linalg.det(m)
        if (np.abs(determinant) < 1e-24).any():
            raise InvalidRequestError("armature", "its object is scaled to zero", "Give it a scale.")
        m[determinant < 0, :, 0] *= -1
        u, _, v = np.linalg.svd(m)
        self.scale = np.cbrt(np.abs(determinant)) * unit  # (F,)
        self.rotation = rotations.multiply(Y_UP, rotations.from_matrix(u @ v))  # (F, 4)
        self.shift = rotations.rotate(Y_UP, matrices[:, :3, 3]) * unit  # (F, 3)

    def point(self, x: Array) -> Array:
        """Armature space to the canonical world. ``(F, ..., 3)``."""
        q, s, t = self._like(x)
        return t + rotations.rotate(q, x) * s

    def back(self, x: Array) -> Array:
        """The canonical world to armature space. ``(F, ..., 3)``."""
        q, s, t = self._like(x)
        return rotations.rotate(rotations.inverse(q), (x - t) / s)

    def _like(self, x: Array) -> tuple[Array, Array, Array]:
        middle = (1,) * (np.ndim(x) - 2)
        n = len(self.scale)
        return (self.rotation.reshape(n, *middle, 4), self.scale.reshape(n, *middle, 1),
                self.shift.reshape(n, *middle, 3))  # fmt: skip


# -- reading ----------------------------------------------------------------------------------------


def read_skeleton(obj: Any, bones: Sequence[str] | None = None) -> Skeleton:
    """An armature's bones at rest, in canonical axes and metres, as the object stands now.

    Args:
        obj: the armature object.
        bones: only these and their ancestors; None: all.

    Raises:
        InvalidRequestError: not an armature.
        SkeletonError: no bones.
    """
    infos = _infos(obj, bones)
    bpy.context.view_layer.update()
    return _skeleton(infos, Placement(np.array(obj.matrix_world)[None], unit_scale()))


def _infos(obj: Any, bones: Sequence[str] | None) -> list[BoneInfo]:
    if obj is None or obj.type != "ARMATURE":
        raise InvalidRequestError("armature", "no armature is chosen", "Select a character's armature.")
    infos = bone_infos(obj, bones)
    if not infos:
        raise SkeletonError(f"{obj.name} has no bones")
    return infos


def _skeleton(infos: list[BoneInfo], placement: Placement) -> Skeleton:
    rest = np.stack([i.rest for i in infos])
    parents = np.array([i.parent for i in infos])
    turned = rotations.multiply(placement.rotation[0], rotations.from_matrix(rest[:, :3, :3]))
    local = kinematics.local_rotations(parents, turned)
    p = placement.point(rest[None, :, :3, 3])[0]
    up = turned[np.maximum(parents, 0)]
    away = rotations.rotate(rotations.inverse(up), p - p[np.maximum(parents, 0)])
    offsets = np.where((parents < 0)[:, None], p, away)
    tips = np.zeros((len(infos), 3))
    tips[:, 1] = np.array([i.length for i in infos]) * placement.scale[0]
    return Skeleton(tuple(i.name for i in infos), parents, offsets, local, tips)


def read_clip(obj: Any, frames: ArrayLike, bones: Sequence[str] | None = None) -> Clip:
    """The armature's motion at scene frames (fractions allowed), as the Action plays it.

    Args:
        obj: the armature object.
        frames: ``(F,)`` ascending scene frames; the clip's rate is the scene's, so only evenly
            spaced frames make a clip that plays at the right speed.
        bones: only these and their ancestors; None: all.

    Returns:
        A clip on ``read_skeleton(obj, bones)``'s bones in canonical axes and metres.
    """
    at = np.asarray(frames, np.float64)
    parts = [
        _finish(read_clip_steps(obj, at[k : k + AT_ONCE], bones)) for k in range(0, max(1, len(at)), AT_ONCE)
    ]
    return parts[0] if len(parts) == 1 else concatenate(parts)


def read_clip_steps(
    obj: Any, frames: ArrayLike, bones: Sequence[str] | None = None
) -> Generator[float, None, Clip]:
    """:func:`read_clip` in steps of a few milliseconds; yields the fraction done."""
    infos = _infos(obj, bones)
    poses, world = yield from read_poses_steps(obj, infos, np.asarray(frames, np.float64))
    return clip_from_poses(infos, poses, world)


def read_poses_steps(
    obj: Any, infos: list[BoneInfo], frames: Array
) -> Generator[float, None, tuple[Array, Array]]:
    """Pose matrices ``(F, B, 4, 4)`` in armature space and world matrices ``(F or 1, 4, 4)``."""
    names = [i.name for i in infos]
    if needs_depsgraph(obj, names):
        return (yield from visit(obj, frames, names))
    out = np.empty((len(frames), len(infos), 4, 4))
    curves = Curves(obj)
    for k, info in enumerate(infos):
        yield k / len(infos)
        channels = pose_model.local_channels(curves, obj.pose.bones[info.name], info.name, frames)
        out[:, k] = _pose(infos, k, out, pose_model.compose(*_connected(info, channels)))
    if object_moves_by_depsgraph(obj):
        _, world = yield from visit(obj, frames, [])
    else:
        world = _object_matrices(obj, curves, frames)
    return out, world


def _connected(info: BoneInfo, channels: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    location, turn, scale = channels
    return (np.zeros((1, 3)) if info.connected else location), turn, scale


def _pose(infos: list[BoneInfo], k: int, poses: Array, basis: Array) -> Array:
    """Pose matrix of bone ``k`` from its parent's in ``poses`` and its own channels. ``(F, 4, 4)``."""
    return _transform(infos, k, poses).apply(basis)


def _transform(infos: list[BoneInfo], k: int, poses: Array) -> pose_model.ParentTransform:
    parent = infos[k].parent
    if parent < 0:
        return pose_model.parent_transform(infos[k], None, None)
    return pose_model.parent_transform(infos[k], infos[parent], poses[:, parent])


def _object_matrices(obj: Any, curves: Curves, frames: Array) -> Array:
    """World matrices of an object that only its own Action moves. ``(F or 1, 4, 4)``."""
    prop = pose_model.rotation_property(obj.rotation_mode)
    if not any(curves.animated(p) for p in ("location", prop, "scale")):
        bpy.context.view_layer.update()
        return np.array(obj.matrix_world)[None]
    location, turn, scale = pose_model.local_channels(curves, obj, "", frames)
    if prop == "rotation_quaternion":
        delta = pose_model.to_rotation(np.array(obj.delta_rotation_quaternion), "QUATERNION")
    elif prop == "rotation_euler":
        delta = pose_model.to_rotation(np.array(obj.delta_rotation_euler), obj.rotation_mode)
    else:
        delta = rotations.IDENTITY
    return pose_model.compose(location + np.array(obj.delta_location), rotations.multiply(delta, turn),
                              scale * np.array(obj.delta_scale))  # fmt: skip


def clip_from_poses(infos: list[BoneInfo], poses: Array, world: Array, fps: float | None = None) -> Clip:
    """A clip from armature-space pose matrices ``(F, B, 4, 4)`` and the object's ``(F or 1, 4, 4)``."""
    placement = Placement(world, unit_scale())
    skeleton = _skeleton(infos, placement)
    q = rotations.multiply(placement.rotation[:, None], pose_model.orientation(poses))
    p = placement.point(poses[..., :3, 3])
    parents = skeleton.parents
    above = np.maximum(parents, 0)
    moved = rotations.rotate(rotations.inverse(q[:, above]), p - p[:, above])
    moved = np.where((parents < 0)[:, None], p, moved)
    off = np.abs(moved[:, 1:] - skeleton.offsets[1:]).max(initial=0)
    rigid = off < 1e-6 * max(np.abs(skeleton.offsets).max(), 1e-9)
    return Clip(skeleton, kinematics.local_rotations(parents, q), p[:, 0],
                scene_fps() if fps is None else fps, translations=None if rigid else moved)  # fmt: skip


def _finish(steps: Generator[float, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


# -- writing ----------------------------------------------------------------------------------------


def basis_channels(
    obj: Any,
    clip: Clip,
    frames: ArrayLike,
    bones: Sequence[str],
    keys: Keys | None = None,
    pelvis: str | None = None,
    residuals: bool = False,
) -> Channels:
    """F-curve values that give bones the clip's orientations, and the pelvis its place.

    Args:
        obj: the armature object.
        clip: on the armature's bones (by name), canonical axes; one frame per entry of ``frames``.
        frames: ``(F,)`` ascending scene frames.
        bones: bones that are to turn as the clip says. All others keep their own animation.
        keys: the animator's keys: signs and Euler turns continue theirs.
        pelvis: bone whose place is to be as the clip says, by the location channel of the nearest
            bone at or above it that can move freely, else of the object; None: no location.
        residuals: add, between a bone's own keys, what at these keys its pose differs from the
            clip's, so that the curve runs through every key (:mod:`.residuals`).

    Returns:
        (data path, index) -> frames, values; locked channels are left out.
    """
    return _finish(basis_channels_steps(obj, clip, frames, bones, keys, pelvis, residuals))


def basis_channels_steps(
    obj: Any,
    clip: Clip,
    frames: ArrayLike,
    bones: Sequence[str],
    keys: Keys | None = None,
    pelvis: str | None = None,
    residuals: bool = False,
) -> Generator[float, None, Channels]:
    """:func:`basis_channels` in steps of a few milliseconds; yields the fraction done."""
    from .channel_writer import Writer

    frames = np.asarray(frames, np.float64)
    if len(frames) != len(clip):
        raise InvalidRequestError("frames", f"{len(frames)} frames for a clip of {len(clip)}")
    _infos(obj, [*bones, *([pelvis] if pelvis else [])])
    return (yield from Writer(obj, bones, frames, clip, keys, pelvis, residuals).run())
