"""Which of a result's frames get a key, where the animator wants few that can be edited.

A bone's channels of one property are keyed on the same frames; which these are is chosen for all bones together,
since turns add up along a limb (:mod:`.motion.sparse_body`). Beside a kept key every frame of ours stays:
the segment there takes its shape from the animator's own handles, which are not ours to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import bpy
import numpy as np

from . import channel_writer, pose_model
from .keyframes import ChannelId, bone_path, split_path
from .motion import rotations, sparse, sparse_body
from .motion.rotations import Array
from .pose_model import BoneInfo
from .units import unit_scale

SCALE = 0.005
"""What a scale may deviate by; nothing of ours animates it but rigs that stretch."""

AT_ONCE = 1024
"""Frames of a property that are read in one step."""

Written = Mapping[ChannelId, tuple[Array, Array, str]]
"""Frames, values and interpolation by channel."""
Exact = Mapping[str, Array]
"""Frames by bone."""


@dataclass(frozen=True)
class Tolerance:
    """How far the curves between sparse keys may be from the result.

    Attributes:
        degrees: of a bone's rotation, in its own space.
        millimetres: of the place of a bone's head in the world (of its tip too, where no bone hangs on it), and of
            what a location channel says; a fifth of it where that place stands still.
    """

    degrees: float = 1.0
    millimetres: float = 5.0


@dataclass(frozen=True, eq=False)
class Few:
    """The keys of one property.

    Attributes:
        frames: ``(K,)``.
        values, slopes: ``(K, k)`` by channel, slopes per frame.
        bridged: ``(K - 1,)`` bool, segments that leave frames out.
    """

    frames: Array
    values: Array
    slopes: Array
    bridged: Array


def few_steps(
    obj: Any, written: Written, authored: Mapping[ChannelId, Array], tolerance: Tolerance,
    exact: Exact = MappingProxyType({}),
) -> Generator[float, None, dict[str, Few]]:  # fmt: skip
    """The keys of all that can be reduced, by data path; the rest is absent and wants every frame.

    Custom properties, axis and angle, what steps, and channels of a property that do not share their frames are
    not reduced. Yields the fraction done every few milliseconds; the object is looked up again after a yield.

    Args:
        obj: the armature object.
        written: what is to be written; authored: frames of the keys beside it that are kept.
        tolerance: what is allowed.
        exact: by bone, frames at which it and all above it are keyed, so that it is exactly where the result has it.
    """
    indices = groups(written)
    paths = {path: [written[path, i] for i in found] for path, found in indices.items()
             if _reducible(path, [written[path, i] for i in found])}  # fmt: skip
    if not paths:
        return {}
    distinct = {channels[0][0].tobytes(): channels[0][0] for channels in paths.values()}  # most often one
    grid = np.unique(np.concatenate(list(distinct.values())))
    nodes = _Nodes(obj, sorted({(split_path(path) or ("", ""))[0] for path in paths}), tolerance.millimetres / 1000)
    whole = {path for path, channels in paths.items() if len(channels[0][0]) == len(grid)}
    yield from nodes.read(grid, {path: len(paths[path]) for path in whole})
    found = []
    for path, channels in paths.items():
        yield 0.0
        keyed = [authored[path, i] for i in indices[path] if (path, i) in authored]
        keyed_exactly = nodes.exact(path, exact)
        found.append(nodes.group(path, indices[path], channels, keyed, keyed_exactly, tolerance))
    curves = yield from sparse_body.reduced(nodes.body(), found)
    out: dict[str, Few] = {}
    for (path, channels), curve in zip(paths.items(), curves, strict=True):
        out[path] = _own(grid, curve, channels[0][0])
        yield 1.0
    return out


def _reducible(path: str, channels: Sequence[tuple[Array, Array, str]]) -> bool:
    split, frames = split_path(path), channels[0][0]
    alike = all(np.array_equal(f, frames) and how == "LINEAR" for f, _, how in channels)
    if split is None or not alike or not len(frames) or (np.diff(frames) <= 0).any():
        return False
    return split[1] in ("location", "rotation_euler", "scale") or (
        split[1] == "rotation_quaternion" and len(channels) == 4
    )


def _own(grid: Array, curve: sparse.Curve, frames: Array) -> Few:
    """A property's own keys: on frames of others it has none."""
    own = np.isin(grid[curve.at], frames)
    kept = np.flatnonzero(own)
    at = curve.at[kept]
    bridged = (np.diff(kept) == 1) & (np.diff(at) > 1)
    return Few(grid[at], curve.values[kept], curve.slopes[kept], bridged)


def _fixed(grid: Array, frames: Array, authored: Sequence[Array]) -> np.ndarray:
    """Frames at and next to a kept key of any channel, at both ends of a hole, and those of others. ``(n,)`` bool."""
    out = ~np.isin(grid, frames)
    out[1:] |= out[:-1].copy()
    out[:-1] |= ~np.isin(grid[1:], frames)
    for keyed in authored:
        at = np.searchsorted(grid, keyed)
        for near in (at - 1, at, at + 1):  # the frame before, the key's own or the one after, and its next
            out[near[(near >= 0) & (near < len(grid))]] = True
    hole = np.flatnonzero(np.diff(grid) > 1 + 1e-3)
    out[hole] = out[hole + 1] = True
    return out


class _Nodes:
    """The written bones, all above them, and the tips of the last ones, as a body; the object is its root."""

    def __init__(self, obj: Any, bones: Sequence[str], metres: float) -> None:
        self.name, self.metres, scene = obj.name_full, metres, bpy.context.scene
        self.fps = scene.render.fps / scene.render.fps_base
        copies = channel_writer.copied(obj, [b for b in bones if b])
        self.infos = pose_model.bone_infos(obj, [b for b in (*bones, *copies.values()) if b])
        world, own = np.abs(obj.matrix_world.to_scale()), np.abs(obj.scale)
        unit = unit_scale(scene)
        self.scale = unit * float(world.max()) or 1.0  # metres of one unit of the armature, at most
        self.outside = unit * float((world / np.maximum(own, 1e-9)).max()) or 1.0  # and of one outside of it
        self._lay(copies)

    def _lay(self, copies: Mapping[str, str]) -> None:
        """Which node hangs on which, and how: node 0 is the object."""
        infos = {info.name: info for info in self.infos}
        order: list[str] = []

        def add(name: str) -> None:
            above = copies.get(name) or (self.infos[infos[name].parent].name if infos[name].parent >= 0 else "")
            if above and above not in order:
                add(above)
            if name not in order:
                order.append(name)

        for info in self.infos:
            add(info.name)
        self.index = {"": 0} | {name: n for n, name in enumerate(order, 1)}
        self.order = [infos[name] for name in order]
        self.parents, self.turns, self.shifts = [-1], [rotations.IDENTITY], [np.zeros(3)]
        for info in self.order:
            copy = copies.get(info.name)
            up = infos[copy] if copy else self.infos[info.parent] if info.parent >= 0 else None
            rest = info.rest if up is None else np.linalg.inv(up.rest) @ info.rest
            self._hang(self.index[up.name] if up else 0, np.eye(4) if copy else rest)
        self.copies = copies
        for info in self.order:
            if self.index[info.name] not in self.parents:
                tip = np.eye(4)
                tip[1, 3] = info.length
                self._hang(self.index[info.name], tip)

    def _hang(self, above: int, rest: Array) -> None:
        self.parents.append(above)
        self.turns.append(pose_model.orientation(rest))
        self.shifts.append(rest[:3, 3] * self.scale)

    def read(self, grid: Array, whole: Mapping[str, int]) -> Generator[float, None, None]:
        """The present motion of what is not written; ``whole`` says how many channels of a path are, at all frames."""
        self.grid, count = grid, len(grid)
        self.local = np.tile(np.array(self.turns), (count, 1, 1))
        self.places = np.tile(np.array(self.shifts), (count, 1, 1))
        self.raw: dict[str, tuple[Array, str]] = {}
        for info in (None, *self.order):
            name = info.name if info else ""
            if name in self.copies:
                continue
            for turns in (False, True):
                owner = _owner(self.name, name)
                if owner is None:
                    continue
                prop = pose_model.rotation_property(owner.rotation_mode) if turns else "location"
                path, mode, size = bone_path(name, prop), owner.rotation_mode, len(getattr(owner, prop))
                values = np.zeros((count, size))
                if whole.get(path) != size:
                    for start in range(0, count, AT_ONCE):
                        yield 0.0
                        some = slice(start, start + AT_ONCE)
                        values[some] = _present(self.name, name, prop, grid[some], values[0])
                self.raw[path] = values, mode
                self._put(name, prop, values, mode, info)

    def _put(self, bone: str, prop: str, values: Array, mode: str, info: BoneInfo | None) -> None:
        n = self.index[bone]
        if prop == "location":
            self.places[:, n] = self._placed(n, values, info)
        else:
            self.local[:, n] = self._turned(n, values, mode)

    def _placed(self, n: int, values: Array, info: BoneInfo | None) -> Array:
        if info is not None and info.connected:
            return np.broadcast_to(self.shifts[n], values.shape)
        turn = self.turns[n] if info is None or info.local_location else rotations.IDENTITY
        return self.shifts[n] + rotations.rotate(turn, values) * (self.scale if info else self.outside)

    def _turned(self, n: int, values: Array, mode: str) -> Array:
        return rotations.multiply(self.turns[n], pose_model.to_rotation(values, mode))

    def exact(self, path: str, exact: Exact) -> Array:
        """Frames at which a property has a key because a bone at or below it has to be exactly in its place."""
        node, out = self.index[(split_path(path) or ("", ""))[0]], [np.zeros(0)]
        for bone, frames in exact.items():
            at = self.index.get(bone, node) if bone else node  # where that is not known, all may move it
            while at >= 0 and at != node:
                at = self.parents[at]
            if at == node:
                out.append(np.asarray(frames, np.float64))
        return np.concatenate(out)

    def group(self, path: str, indices: Sequence[int], channels: Sequence[tuple[Array, Array, str]],
              authored: Sequence[Array], exact: Array, tolerance: Tolerance) -> sparse_body.Group:  # fmt: skip
        """One property; the body gets what it says."""
        bone, prop = split_path(path) or ("", "")
        frames, at = channels[0][0], np.searchsorted(self.grid, channels[0][0])
        info = self.order[self.index[bone] - 1] if bone else None
        whole, mode = self.raw.get(path, (None, ""))
        fixed = _fixed(self.grid, frames, authored) | np.isin(self.grid, exact)
        if whole is None:  # a scale, or a rotation that the bone's mode does not use
            values = np.zeros((len(self.grid), len(channels)))
            values[at] = np.stack([v for _, v, _ in channels], -1)
            kind, allowed = self._kind(prop, bone, tolerance)
            return sparse_body.Group(values, fixed, kind, allowed)
        for index, (_, values, _) in zip(indices, channels, strict=True):
            whole[at, index] = values
        self._put(bone, prop, whole, mode, info)
        chosen, n = list(indices), self.index[bone]

        def local(values: Array, block: slice) -> Array:
            full = whole[block].copy()
            full[:, chosen] = values
            return self._placed(n, full, info) if prop == "location" else self._turned(n, full, mode)

        kind, allowed = self._kind(prop, bone, tolerance)
        return sparse_body.Group(whole[:, chosen], fixed, kind, allowed, n, local, prop == "location")

    def _kind(self, prop: str, bone: str, tolerance: Tolerance) -> tuple[Callable[[float], sparse.Deviation], float]:
        if prop == "rotation_quaternion":
            return sparse.quaternions, tolerance.degrees
        if prop == "rotation_euler":
            return sparse.angles, tolerance.degrees
        if prop == "location":
            return sparse.places, self.metres / (self.scale if bone else self.outside)
        return sparse.places, SCALE

    def body(self) -> sparse_body.Body:
        """All that is known of the joints' motion."""
        return sparse_body.Body(self.grid, self.fps, np.array(self.parents), self.local, self.places, self.metres)


def _owner(obj: str, bone: str) -> Any:
    """A bone of an object, or the object; None where it is gone. Looked up by name: an undo leaves nothing else."""
    found = bpy.data.objects.get(obj)
    return found if found is None or not bone else found.pose.bones.get(bone)


def _present(obj: str, bone: str, prop: str, frames: Array, otherwise: Array) -> Array:
    owner = _owner(obj, bone)
    if owner is None:
        return otherwise
    return pose_model.Curves(bpy.data.objects[obj]).values(bone_path(bone, prop), tuple(getattr(owner, prop)), frames)


def groups(channels: Mapping[tuple[str, int], Any]) -> dict[str, list[int]]:
    """Indices by data path, in the order of the channels."""
    out: dict[str, list[int]] = {}
    for path, index in channels:
        out.setdefault(path, []).append(index)
    return out
