"""Reading keys exactly as set, and measuring that they are where they were.

An animator's key is never changed: :func:`read_keys` takes every field of it, :func:`.key_writer.write_action`
puts it back into the new Action bit for bit, and :func:`largest_key_change` measures that it did.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import bpy
import numpy as np

from . import actions
from .records import authored, enum_name, read_records
from .records import (
    enum_value as enum_value,  # for callers, with the other three
)

PROPERTIES = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")
ROTATIONS = PROPERTIES[1:4]

ChannelId = tuple[str, int]
"""An F-curve's data path and index."""
Channels = Mapping[ChannelId, tuple]
"""Per F-curve: frames ``(n,)``, values ``(n,)`` and, if not ``"LINEAR"``, an interpolation's name."""

_BONE = re.compile(r'pose\.bones\["((?:[^"\\]|\\.)*)"\]\.(\w+)\Z')


def bone_path(bone: str, prop: str) -> str:
    """Data path of a pose bone's property; the object's own where ``bone`` is ""."""
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{prop}' if bone else prop


def split_path(path: str) -> tuple[str, str] | None:
    """Bone ("" for the object) and property of a transform channel; None for anything else."""
    if path in PROPERTIES:
        return "", path
    found = _BONE.match(path)
    if found is None or found[2] not in PROPERTIES:
        return None
    return bpy.utils.unescape_identifier(found[1]), found[2]


class Key(NamedTuple):
    """One key, as :class:`Keys` hands it out one by one (times in frames, float32 values)."""

    bone: str
    property: str
    index: int
    frame: float
    value: float
    handle_left: tuple[float, float]
    handle_right: tuple[float, float]
    handle_left_type: str
    handle_right_type: str
    interpolation: str
    easing: str
    type: str


@dataclass(frozen=True, eq=False)
class KeyedChannel:
    """The keys of one F-curve.

    Attributes:
        bone: the pose bone's name, "" for the object's own channel.
        property: one of ``PROPERTIES``.
        index: array index.
        records: ``(n,)`` of dtype ``RECORD``, in time order.
    """

    bone: str
    property: str
    index: int
    records: np.ndarray

    @builtins.property  # the field above hides the short name
    def path(self) -> str:
        """The F-curve's data path."""
        return bone_path(self.bone, self.property)


@dataclass(frozen=True, eq=False)
class Keys:
    """Every key of an armature object in ``start``..``end`` (inclusive, scene frames)."""

    start: float
    end: float
    channels: Mapping[ChannelId, KeyedChannel]

    def __len__(self) -> int:
        return sum(len(c.records) for c in self.channels.values())

    def __iter__(self) -> Iterator[Key]:
        for c in self.channels.values():
            for r in c.records:
                yield Key(c.bone, c.property, c.index, float(r["frame"]), float(r["value"]),
                          (float(r["left"][0]), float(r["left"][1])), (float(r["right"][0]), float(r["right"][1])),
                          *(enum_name(f, r[f]) for f in ("left_type", "right_type", "interpolation",
                                                         "easing", "type")))  # fmt: skip

    @property
    def frames(self) -> np.ndarray:
        """Every keyed frame once, ascending, fractions kept. ``(n,)`` float64."""
        return self.frames_of()

    @property
    def bones(self) -> tuple[str, ...]:
        """Bones with a key, in the order of their channels; "" stands for the object."""
        return tuple(dict.fromkeys(c.bone for c in self.channels.values() if len(c.records)))

    def frames_of(self, bone: str | None = None, properties: Iterable[str] = PROPERTIES) -> np.ndarray:
        """Keyed frames of one bone (None: of all) on some properties. ``(n,)`` float64, ascending."""
        wanted = set(properties)
        found = [c.records["frame"] for c in self.channels.values()
                 if c.property in wanted and bone in (None, c.bone)]  # fmt: skip
        return np.unique(np.concatenate(found)).astype(np.float64) if found else np.empty(0)

    def keyed_bones(self, frame: float, tolerance: float = 1e-4) -> dict[str, frozenset[tuple[str, int]]]:
        """What is keyed at a frame: bone -> {(property, index)}; a bone without a key is absent."""
        out: dict[str, set[tuple[str, int]]] = {}
        for c in self.channels.values():
            if (np.abs(c.records["frame"] - frame) <= tolerance).any():
                out.setdefault(c.bone, set()).add((c.property, c.index))
        return {bone: frozenset(found) for bone, found in out.items()}


# -- reading ----------------------------------------------------------------------------------------


def read_keys(
    obj: Any,
    start: float,
    end: float,
    only_selected_keys: bool = False,
    bones: Iterable[str] | None = None,
    include_generated: bool = False,
) -> Keys:
    """Every key of the armature object's active Action in ``start``..``end``, exactly as set.

    Args:
        obj: an armature object; NLA tracks are left aside.
        start, end: scene frames, inclusive.
        only_selected_keys: only keys selected in the animation editors.
        bones: only these bones ("" for the object's own channels); None: all.
        include_generated: also keys that an earlier result wrote and nobody has touched since.
    """
    wanted = None if bones is None else set(bones)
    channels: dict[ChannelId, KeyedChannel] = {}
    for fcurve in actions.fcurves(obj):
        split = split_path(fcurve.data_path)
        if split is None or (wanted is not None and split[0] not in wanted):
            continue
        records = read_records(fcurve)
        keep = (records["frame"] >= start) & (records["frame"] <= end)
        if not include_generated:
            keep &= authored(records)
        if only_selected_keys:
            keep &= records["selected"]
        if keep.any():
            channels[fcurve.data_path, fcurve.array_index] = KeyedChannel(*split, fcurve.array_index,
                                                                          records[keep])  # fmt: skip
    return Keys(float(start), float(end), channels)


# -- measuring --------------------------------------------------------------------------------------


def largest_key_change(keys: Keys, action: Any, slot: Any = None) -> float:
    """How far any of the animator's keys has moved; 0.0 exactly when all are there bit for bit.

    Args:
        keys: as they were read before.
        action: the Action to look into.
        slot: its slot (or the slot's handle); None: the only slot, or the only one for objects.

    Returns:
        The largest absolute difference of a key's value or handles, infinity where a key is
        missing or its interpolation, easing, handle types or type differ.
    """
    bag = actions.channelbag(action, slot, ensure=False)
    worst = 0.0
    for (path, index), channel in keys.channels.items():
        fcurve = bag.fcurves.find(path, index=index) if bag else None
        if fcurve is None:
            return float("inf")
        worst = max(worst, _change(channel.records, read_records(fcurve)))
    return worst


def _change(before: np.ndarray, after: np.ndarray) -> float:
    worst, used = 0.0, 0
    if len(after) and (np.diff(before["frame"]) > 0).all() and (np.diff(after["frame"]) > 0).all():
        where = np.minimum(np.searchsorted(after["frame"], before["frame"]), len(after) - 1)
        if (after["frame"][where] != before["frame"]).any():
            return float("inf")
        return _difference(before, after[where])
    for record in before:
        where = np.flatnonzero(after["frame"][used:] == record["frame"])
        if not len(where):
            return float("inf")
        # Two keys on one frame are possible: each is matched once, in order.
        used += int(where[0])
        match = after[used]
        used += 1
        worst = max(worst, _difference(np.array([record]), np.array([match])))
    return worst


def _difference(before: np.ndarray, after: np.ndarray) -> float:
    """Largest difference of keys ``(n,)`` one by one."""
    if any((before[f] != after[f]).any() for f in ("left_type", "right_type", "interpolation", "easing", "type")):
        return float("inf")
    worst = 0.0
    for field in ("value", "left", "right", "back", "amplitude", "period"):
        a, b = np.ascontiguousarray(before[field]), np.ascontiguousarray(after[field])
        if a.tobytes() != b.tobytes():
            gap = float(np.abs(a.astype(np.float64) - b).max())
            worst = max(worst, gap if gap > 0 else float(np.finfo(np.float64).tiny))
    return worst
