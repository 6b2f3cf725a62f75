"""Reading keys exactly as set, and writing results as new Actions.

An animator's key is never changed: :func:`read_keys` takes every field of it, :func:`write_action`
puts it back into the new Action bit for bit, and :func:`largest_key_change` measures that it did.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import bpy
import numpy as np

from . import actions, sparse_keys
from .motion import sparse
from .motion.errors import InvalidRequestError, LimberError
from .records import (
    RECORD,
    authored,
    curved,
    enum_name,
    generated_records,
    read_records,
    write_records,
)
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
_CUSTOM = re.compile(r'pose\.bones\["((?:[^"\\]|\\.)*)"\]')


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


# -- writing ----------------------------------------------------------------------------------------


def write_action(
    obj: Any,
    name: str,
    channels: Channels,
    template: Keys | None = None,
    start: float | None = None,
    end: float | None = None,
    assign: bool = True,
    tolerance: sparse_keys.Tolerance | None = None,
) -> Any:
    """A new Action: the present one's copy, with ``channels`` written between the kept keys.

    Inside ``start``..``end`` the written F-curves hold the keys of ``template`` bit for bit and
    generated keys at all other given frames; keys outside, and every other F-curve, are carried
    over as they are. The present Action stays unchanged and gets a fake user.

    Args:
        obj: the armature object.
        name: the new Action's name (Blender may append a number).
        channels: (data path, index) -> frames, values[, interpolation].
        template: the animator's keys to keep; None: all of them that lie in the range.
        start, end: range that is replaced; by default the template's, else that of the channels.
        assign: give the Action and its slot to the object.
        tolerance: write only the keys that the motion needs to stay this near; None: all.

    Returns:
        The Action.

    Raises:
        InvalidRequestError: the armature cannot be animated, or a channel makes no sense.
    """
    steps = write_action_steps(obj, name, channels, template, start, end, assign, tolerance)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def write_action_steps(
    obj: Any,
    name: str,
    channels: Channels,
    template: Keys | None = None,
    start: float | None = None,
    end: float | None = None,
    assign: bool = True,
    tolerance: sparse_keys.Tolerance | None = None,
) -> Iterator[float]:
    """:func:`write_action` in steps of at most a few milliseconds; yields the fraction done.

    The Action is looked up again by name at every step, since an undo in between would leave
    dangling references; LimberError says so if it is gone. Its value is the Action.
    """
    actions.check_editable(obj)
    checked = {key: _checked(key, value) for key, value in channels.items()}
    given = [c[0] for c in checked.values() if len(c[0])]
    if start is None:
        start = template.start if template else float(min((f.min() for f in given), default=0))
    if end is None:
        end = template.end if template else float(max((f.max() for f in given), default=0))
    if template is None:
        template = read_keys(obj, start, end)
    object_name, made, slot_handle = obj.name_full, *actions.new_copy(obj, name)
    made_name = made.name
    selected: dict[ChannelId, np.ndarray] = {}
    done = 0
    for path, indices in sparse_keys.groups(checked).items():
        yield done / len(checked)
        action = bpy.data.actions.get(made_name)
        if action is None:
            raise LimberError(f"The Action {made_name!r} went away while it was being written. Run again.")
        bag = actions.channelbag(action, slot_handle)
        fixed = {}
        for index in indices:
            fcurve = bag.fcurves.find(path, index=index)
            present = read_records(fcurve) if fcurve else np.zeros(0, RECORD)
            known = template.channels.get((path, index))
            fixed[index] = _fixed(present, known.records if known else None, template,
                                  split_path(path) is None, start, end)  # fmt: skip
        made_keys = _made(obj, path, {index: checked[path, index] for index in indices}, fixed, tolerance)
        for index in indices:
            merged = _merge(fixed[index], made_keys[index])
            fcurve = bag.fcurves.find(path, index=index) or _new_fcurve(bag, path, index)
            write_records(fcurve, merged)
            selected[path, index] = np.flatnonzero(merged["selected"])
        done += len(indices)
    yield 1.0
    action, obj = bpy.data.actions.get(made_name), bpy.data.objects.get(object_name)
    if action is None or obj is None:
        raise LimberError(f"The Action {made_name!r} went away while it was being written. Run again.")
    _select(action, slot_handle, selected)
    if assign:
        actions.assign(obj, action, slot_handle)
    return action


def _select(action: Any, slot: int, selected: Mapping[ChannelId, np.ndarray]) -> None:
    """Blender makes new keys selected; only the animator's own selection is wanted.

    Deselecting a whole Action is quick, flag by flag in bulk is not (they are bits), so the other
    F-curves' flags are put back.
    """
    bag = actions.channelbag(action, slot)
    others = []
    for fcurve in bag.fcurves:
        if (fcurve.data_path, fcurve.array_index) not in selected:
            for flag in ("select_control_point", "select_left_handle", "select_right_handle"):
                values = np.empty(len(fcurve.keyframe_points), bool)
                fcurve.keyframe_points.foreach_get(flag, values)
                if values.any():
                    others.append((fcurve, flag, values))
    action.deselect_keys()
    for fcurve, flag, values in others:
        fcurve.keyframe_points.foreach_set(flag, values)
    for (path, index), where in selected.items():
        points = bag.fcurves.find(path, index=index).keyframe_points
        for i in where:
            points[int(i)].select_control_point = True


def _checked(key: ChannelId, value: Sequence) -> tuple[np.ndarray, np.ndarray, str]:
    frames, values = np.asarray(value[0], np.float64).ravel(), np.asarray(value[1], np.float64).ravel()
    if len(frames) != len(values):
        raise InvalidRequestError("channels", f"{key[0]}[{key[1]}]: {len(frames)} frames, {len(values)} values")
    if not (np.isfinite(frames).all() and np.isfinite(values).all()):
        raise InvalidRequestError("channels", f"{key[0]}[{key[1]}]: not a finite number")
    order = np.argsort(frames, kind="stable")
    return frames[order], values[order], value[2] if len(value) > 2 else "LINEAR"


def _fixed(present: np.ndarray, known: np.ndarray | None, template: Keys, custom: bool,
           start: float, end: float) -> np.ndarray:  # fmt: skip
    """Keys outside the range, and the kept ones inside it."""
    outside = present[(present["frame"] < start) | (present["frame"] > end)]
    kept = np.zeros(0, RECORD) if known is None else known
    if custom and known is None:  # a property of its own: as read, Keys hold poses alone, so all that is set is kept
        inside = present[(present["frame"] >= start) & (present["frame"] <= end)]
        kept = inside[authored(inside)]
    if template.start < start or template.end > end:
        kept = kept[(kept["frame"] >= start) & (kept["frame"] <= end)]
    return np.concatenate([outside, kept])


def _made(
    obj: Any, path: str, written: Mapping[int, tuple[np.ndarray, np.ndarray, str]], fixed: Mapping[int, np.ndarray],
    tolerance: sparse_keys.Tolerance | None,
) -> dict[int, np.ndarray]:  # fmt: skip
    """Our keys of one data path by index: on every given frame, or only where they are needed."""
    split, frames = split_path(path), next(iter(written.values()))[0]
    alike = all(np.array_equal(f, frames) and how == "LINEAR" for f, _, how in written.values())
    if tolerance is None or split is None or not alike or (np.diff(frames) <= 0).any():
        return {index: generated_records(*channel) for index, channel in written.items()}
    values = np.stack([v for _, v, _ in written.values()], -1)
    keyed = [records["frame"] for records in fixed.values()]
    at = np.flatnonzero(sparse_keys.frames_kept(obj, split[1], frames, values, keyed, tolerance))
    slopes, bridged = sparse.slopes(frames, values)[at], np.diff(at) > 1
    return {index: curved(generated_records(frames[at], values[at, n]), slopes[:, n], bridged)
            for n, index in enumerate(written)}  # fmt: skip


def _merge(fixed: np.ndarray, made: np.ndarray) -> np.ndarray:
    """The fixed keys, and ours where there is none of these."""
    if len(fixed):
        # A thousandth of a frame: nearer keys cannot be told apart in Blender's editors.
        near = np.searchsorted(np.sort(fixed["frame"]), made["frame"])
        edges = np.concatenate([[-np.inf], np.sort(fixed["frame"]), [np.inf]])
        gap = np.minimum(made["frame"] - edges[near], edges[near + 1] - made["frame"])
        made = made[gap > 1e-3]
    merged = np.concatenate([fixed, made])
    return merged[np.argsort(merged["frame"], kind="stable")]


def _new_fcurve(bag: Any, path: str, index: int) -> Any:
    fcurve = bag.fcurves.new(path, index=index)
    found = _CUSTOM.match(path)
    group = bpy.utils.unescape_identifier(found[1]) if found else "Object Transforms"
    fcurve.group = bag.groups.get(group) or bag.groups.new(group)
    fcurve.color_mode = "AUTO_YRGB" if path.endswith("rotation_quaternion") else "AUTO_RGB"
    return fcurve


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
