"""Blender's pose evaluation in numpy: from channel values to bone matrices, and back.

Everything here is in armature space, Blender's axes and units; :mod:`.armature_io` converts. The
parenting rules (inherit rotation, inherit scale, local location, connected) are those that the
manual gives under *Bones, Relations*; tests compare them with the dependency graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import actions
from .keyframes import bone_path
from .motion import rotations
from .motion.rotations import Array


@dataclass(frozen=True, eq=False)
class BoneInfo:
    """One bone at rest.

    Attributes:
        parent: index among the bones read with it, -1 for a root.
        rest: ``(4, 4)`` rest matrix in armature space.
    """

    name: str
    parent: int
    rest: Array
    length: float
    connected: bool
    inherit_rotation: bool
    local_location: bool
    inherit_scale: str


def bone_infos(obj: Any, bones: Iterable[str] | None = None) -> list[BoneInfo]:
    """Bones (all, or the named ones with their ancestors), parents before children."""
    data = obj.data.bones
    wanted = None
    if bones is not None:
        wanted = set()
        for name in bones:
            bone = data.get(name)
            while bone is not None and bone.name not in wanted:
                wanted.add(bone.name)
                bone = bone.parent
    out: list[BoneInfo] = []
    index: dict[str, int] = {}
    pending = [b for b in data if b.parent is None][::-1]
    while pending:
        bone = pending.pop()
        pending.extend(reversed(bone.children))
        if wanted is not None and bone.name not in wanted:
            continue
        index[bone.name] = len(out)
        out.append(BoneInfo(
            bone.name, index[bone.parent.name] if bone.parent else -1,
            np.array(bone.matrix_local, np.float64), float(bone.length),
            bool(bone.use_connect and bone.parent), bool(bone.use_inherit_rotation),
            bool(bone.use_local_location), bone.inherit_scale))  # fmt: skip
    return out


# -- channel values ---------------------------------------------------------------------------------


class Curves:
    """The values that an object's Action gives its channels; live values where it gives none."""

    def __init__(self, obj: Any) -> None:
        self._obj = obj
        self._curves: dict[tuple[str, int], Any] = {
            (f.data_path, f.array_index): f
            for f in actions.fcurves(obj)
            if not (f.mute or (f.group is not None and f.group.mute))
        }

    def animated(self, path: str) -> bool:
        """Whether any index of a data path has an F-curve."""
        return any((path, i) in self._curves for i in range(4))

    def values(self, path: str, live: Sequence[float], frames: Array) -> Array:
        """Values of a vector property. ``(F, n)``, or ``(1, n)`` where nothing is animated."""
        found = [self._curves.get((path, i)) for i in range(len(live))]
        if not any(found):
            return np.array([live], np.float64)
        columns = [np.full(len(frames), x) if f is None else sample(f, frames)
                   for f, x in zip(found, live, strict=True)]  # fmt: skip
        return np.stack(columns, -1)

    def scalar(self, path: str, live: float, frames: Array) -> Array:
        """Values of a number property (a custom property, say). ``(F,)``."""
        f = self._curves.get((path, 0))
        return np.full(len(frames), float(live)) if f is None else sample(f, frames)


def sample(fcurve: Any, frames: Array) -> Array:
    """An F-curve's values, modifiers included. ``(F,) -> (F,)``."""
    frames = np.asarray(frames, np.float64)
    out = np.empty(len(frames))
    left = np.ones(len(frames), bool)
    n = len(fcurve.keyframe_points)
    if n and not len(fcurve.modifiers):
        # Where a frame is keyed the value is there already: a call per frame costs 2 microseconds.
        co = np.empty(2 * n, np.float32)
        fcurve.keyframe_points.foreach_get("co", co)
        where = np.minimum(np.searchsorted(co[0::2], frames), n - 1)
        left = co[0::2][where] != frames
        out[~left] = co[1::2][where[~left]]
    for i in np.flatnonzero(left):
        out[i] = fcurve.evaluate(frames[i])
    return out


def euler_order(mode: str) -> tuple[str, list[int]]:
    """Our order for a Blender Euler mode (theirs reversed) and which angle comes where."""
    order = mode[::-1]
    return order, ["XYZ".index(axis) for axis in order]


def to_rotation(values: Array, mode: str) -> Array:
    """Channel values of a rotation mode -> unit quaternions. ``(..., 3 or 4) -> (..., 4)``."""
    if mode == "QUATERNION":
        q = rotations.normalize(values)
        return np.where((q == 0).all(-1, keepdims=True), rotations.IDENTITY, q)
    if mode == "AXIS_ANGLE":
        return rotations.from_axis_angle(rotations.normalize(values[..., 1:]) * values[..., :1])
    order, where = euler_order(mode)
    return rotations.from_euler(values[..., where], order)


def rotation_property(mode: str) -> str:
    """Name of the channel that a rotation mode uses."""
    return {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")


def local_channels(curves: Curves, owner: Any, bone: str, frames: Array) -> tuple[Array, Array, Array]:
    """Location ``(n, 3)``, rotation ``(n, 4)`` and scale ``(n, 3)`` of a pose bone or the object.

    ``n`` is the number of frames, or 1 where that channel does not move.
    """
    prop = rotation_property(owner.rotation_mode)
    turned = curves.values(bone_path(bone, prop), tuple(getattr(owner, prop)), frames)
    return (curves.values(bone_path(bone, "location"), tuple(owner.location), frames),
            to_rotation(turned, owner.rotation_mode),
            curves.values(bone_path(bone, "scale"), tuple(owner.scale), frames))  # fmt: skip


def compose(location: Array, turn: Array, scale: Array) -> Array:
    """Matrices from location ``(n, 3)``, rotation ``(n, 4)`` and scale ``(n, 3)``. ``(N, 4, 4)``."""
    n = max(len(location), len(turn), len(scale))
    out = np.zeros((n, 4, 4))
    out[:, :3, :3] = rotations.to_matrix(turn) * scale[:, None, :]
    out[:, :3, 3] = location
    out[:, 3, 3] = 1
    return out


# -- parenting --------------------------------------------------------------------------------------


def _square_up(m: Array, unit: bool) -> Array:
    """Remove shear, bone axis first; with ``unit`` the scale too. ``(..., 3, 3)``.

    The other two axes are laid into the plane across Y and turned by the same angle each until
    they are square: with b their bisector and p square to it, x, z = (b +- p) / sqrt 2.
    """
    x, y, z = m[..., 0], m[..., 1], m[..., 2]
    along = rotations.normalize(y)
    x = x - (x * along).sum(-1, keepdims=True) * along
    z = z - (z * along).sum(-1, keepdims=True) * along
    ux, uz = rotations.normalize(x), rotations.normalize(z)
    b, p = rotations.normalize(ux + uz), rotations.normalize(ux - uz)
    nx, nz = (b + p) / np.sqrt(2), (b - p) / np.sqrt(2)
    if not unit:
        sine = np.sqrt(np.linalg.norm(np.cross(ux, uz), axis=-1, keepdims=True))  # keeps the volume
        nx = nx * np.linalg.norm(x, axis=-1, keepdims=True) * sine
        nz = nz * np.linalg.norm(z, axis=-1, keepdims=True) * sine
        along = y
    return np.stack([nx, along, nz], -1)


def orientation(m: Array) -> Array:
    """Orientation of a bone matrix, scale and shear taken off, Y exact. ``(..., 4, 4) -> (..., 4)``."""
    r = _square_up(np.asarray(m)[..., :3, :3], unit=True)
    mirrored = np.linalg.det(r) < 0
    return rotations.from_matrix(np.where(mirrored[..., None, None], -r, r))


@dataclass(frozen=True, eq=False)
class ParentTransform:
    """Where a bone stands before its own channels act: ``(N, 4, 4)`` for rotation and scale, the
    same for location, and a scale ``(N, 3)`` applied last (None: 1)."""

    turn: Array
    place: Array
    scale: Array | None = None

    def apply(self, basis: Array) -> Array:
        """The bone's pose matrix. ``(N, 4, 4)``."""
        out = self.turn @ basis
        out[..., :3, 3] = np.einsum("...ij,...j->...i", self.place[..., :3, :3], basis[..., :3, 3])
        out[..., :3, 3] += self.place[..., :3, 3]
        if self.scale is not None:
            out[..., :3, :3] = out[..., :3, :3] * self.scale[..., None, :]
        return out


def parent_transform(info: BoneInfo, parent: BoneInfo | None, pose: Array | None) -> ParentTransform:
    """From the parent's pose matrix ``(N, 4, 4)`` (None for a root) to where the child starts."""
    if parent is None or pose is None:
        rest = info.rest[None]
        if info.local_location:
            return ParentTransform(rest, rest)
        place = np.eye(4)[None].copy()
        place[0, :3, 3] = info.rest[:3, 3]
        return ParentTransform(rest, place)
    offset = np.linalg.inv(parent.rest) @ info.rest
    full = pose @ offset
    place = full
    if not info.local_location:
        place = pose.copy()
        place[..., :3, 3] = full[..., :3, 3]
    if info.inherit_rotation and info.inherit_scale == "FULL":
        return ParentTransform(full, place)
    turn, last = _without(info, parent, pose)
    turn = turn @ offset
    if info.inherit_scale == "FIX_SHEAR":
        turn[..., :3, :3] = _square_up(turn[..., :3, :3], unit=False)
    return ParentTransform(turn, place, last)


def _without(info: BoneInfo, parent: BoneInfo, pose: Array) -> tuple[Array, Array | None]:
    """The parent's matrix less what the child does not inherit, and the scale to apply last."""
    mode, m = info.inherit_scale, pose[..., :3, :3]
    out, last = np.array(pose), None
    lengths = np.linalg.norm(m, axis=-2)
    square = np.linalg.norm(_square_up(m, unit=False), axis=-2)
    sheared = np.abs(np.linalg.det(m)) / np.maximum(lengths.prod(-1), 1e-30)
    volume = lengths * np.cbrt(sheared)[..., None]  # the axes' scale with the true volume
    if info.inherit_rotation:
        if mode in ("NONE", "AVERAGE", "ALIGNED"):
            out[..., :3, :3] = _square_up(m, unit=True)
        elif mode == "NONE_LEGACY":
            out[..., :3, :3] = m / lengths[..., None, :]
    else:
        out[:] = parent.rest
        if mode in ("FULL", "FIX_SHEAR"):
            unit = parent.rest[:3, :3] / np.linalg.norm(parent.rest[:3, :3], axis=0)
            out[..., :3, :3] = unit * (lengths if mode == "FULL" else volume)[..., None, :]
    if mode == "ALIGNED":
        last = square if info.inherit_rotation else volume
    if mode == "AVERAGE":
        out[..., :3, :3] *= np.cbrt(np.abs(np.linalg.det(m)))[..., None, None]
    return out, last


def solve_rotation(transform: ParentTransform, wanted: Array, scale: Array) -> Array:
    """The channel rotation that gives a bone the orientation ``wanted`` ``(N, 4)``. ``(N, 4)``.

    Exact in one step where the parent is not sheared; a few more steps otherwise.
    """
    q = rotations.multiply(rotations.inverse(orientation(transform.turn)), wanted)
    n = len(q)
    for _ in range(8):
        reached = orientation(transform.apply(compose(np.zeros((1, 3)), q, scale)))
        off = rotations.multiply(rotations.inverse(np.broadcast_to(reached, (n, 4))), wanted)
        if np.abs(off[..., 1:]).max(initial=0) < 1e-9:
            break
        q = rotations.normalize(rotations.multiply(q, off))
    return q
