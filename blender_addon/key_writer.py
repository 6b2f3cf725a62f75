"""Writing results as new Actions: the animator's keys bit for bit, ours between them."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import bpy
import numpy as np

from . import actions, sparse_keys
from .keyframes import ChannelId, Channels, Keys, read_keys, split_path
from .motion.errors import InvalidRequestError, LimberError
from .records import RECORD, authored, curved, generated_records, read_records, write_records

_CUSTOM = re.compile(r'pose\.bones\["((?:[^"\\]|\\.)*)"\]')

AT_ONCE = 4
"""F-curves that are read or written in one step."""


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
    exact: sparse_keys.Exact = MappingProxyType({}),
) -> Iterator[float]:
    """:func:`write_action` in steps of at most a few milliseconds; yields the fraction done.

    ``exact``: with few keys, frames by bone at which it is to be exactly where every frame's keys would have it.

    The Action is looked up again by name at every step, since an undo in between would leave
    dangling references; LimberError says so if it is gone. Its value is the Action.
    """
    actions.check_editable(obj)
    checked = {key: checked_channel(key, value) for key, value in channels.items()}
    given = [c[0] for c in checked.values() if len(c[0])]
    if start is None:
        start = template.start if template else float(min((f.min() for f in given), default=0))
    if end is None:
        end = template.end if template else float(max((f.max() for f in given), default=0))
    if template is None:
        template = read_keys(obj, start, end)
    object_name, made, slot_handle = obj.name_full, *actions.new_copy(obj, name)
    made_name = made.name
    # 1. what stays
    fixed: dict[ChannelId, np.ndarray] = {}
    for some in _by_few(list(checked)):
        yield 0.0
        there = _found(actions.channelbag(_there(made_name), slot_handle), some)
        for (path, index), fcurve in there.items():
            present = read_records(fcurve) if fcurve else np.zeros(0, RECORD)
            known = template.channels.get((path, index))
            fixed[path, index] = _fixed(present, known.records if known else None, template,
                                        split_path(path) is None, start, end)  # fmt: skip
    # 2. the keys that are ours
    share = 0.05 if tolerance is None else 0.7  # of the time
    steps = our_keys_steps(_owner(object_name), checked, fixed, tolerance, exact)
    while True:
        try:
            yield share * next(steps)
        except StopIteration as stop:
            ours = stop.value
            break
    # 3. both
    selected: dict[ChannelId, np.ndarray] = {}
    for some in _by_few(list(checked)):
        yield share + (1 - share) * len(selected) / len(checked)
        bag = actions.channelbag(_there(made_name), slot_handle)
        for (path, index), fcurve in _found(bag, some).items():
            merged = merge(fixed[path, index], ours[path, index])
            write_records(fcurve or _new_fcurve(bag, path, index), merged)
            selected[path, index] = np.flatnonzero(merged["selected"])
    yield 1.0
    action, obj = _there(made_name), _owner(object_name)
    _select(action, slot_handle, selected)
    if assign:
        actions.assign(obj, action, slot_handle)
    return action


def _there(name: str) -> Any:
    """The Action that is being written; an undo may have taken it.

    Raises:
        LimberError: it is gone.
    """
    action = bpy.data.actions.get(name)
    if action is None:
        raise LimberError(f"The Action {name!r} went away while it was being written. Run again.")
    return action


def _owner(name: str) -> Any:
    """The armature object; an undo may have taken it.

    Raises:
        LimberError: it is gone.
    """
    obj = bpy.data.objects.get(name)
    if obj is None:
        raise LimberError(f"{name!r} went away while its Action was being written. Run again.")
    return obj


def _by_few(channels: list[ChannelId]) -> Iterator[list[ChannelId]]:
    """A few F-curves a step."""
    for at in range(0, len(channels), AT_ONCE):
        yield channels[at : at + AT_ONCE]


def _found(bag: Any, wanted: Iterable[ChannelId]) -> dict[ChannelId, Any]:
    """F-curves by channel, None where there is none: one pass, since Blender looks a path up by going through all."""
    there = {(fcurve.data_path, fcurve.array_index): fcurve for fcurve in bag.fcurves}
    return {channel: there.get(channel) for channel in wanted}


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


def checked_channel(key: ChannelId, value: Sequence) -> tuple[np.ndarray, np.ndarray, str]:
    """Frames ``(n,)`` in order, values ``(n,)`` and interpolation of a channel that is to be written.

    Raises:
        InvalidRequestError: it makes no sense.
    """
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


def our_keys_steps(
    obj: Any,
    channels: sparse_keys.Written,
    fixed: Mapping[ChannelId, np.ndarray],
    tolerance: sparse_keys.Tolerance | None,
    exact: sparse_keys.Exact = MappingProxyType({}),
) -> Generator[float, None, dict[ChannelId, np.ndarray]]:
    """Our keys by channel: on every given frame, or only where they are needed.

    Args:
        obj: the armature object.
        channels: as :func:`checked_channel` hands them out.
        fixed: the keys beside ours by channel.
        tolerance: how near few keys are to keep the motion; None: every frame.
        exact: as in :func:`.sparse_keys.few_steps`.

    Returns:
        Records by channel; yields the fraction done every few milliseconds.
    """
    few: dict[str, sparse_keys.Few] = {}
    if tolerance is not None:
        keyed = {channel: np.asarray(records["frame"], np.float64) for channel, records in fixed.items()}
        few = yield from sparse_keys.few_steps(obj, channels, keyed, tolerance, exact)
    out: dict[ChannelId, np.ndarray] = {}
    for path, indices in sparse_keys.groups(channels).items():
        yield 1.0
        keys = few.get(path)
        for n, index in enumerate(indices):
            if keys is None:
                out[path, index] = generated_records(*channels[path, index])
            else:
                records = generated_records(keys.frames, keys.values[:, n])
                out[path, index] = curved(records, keys.slopes[:, n], keys.bridged)
    return out


def merge(fixed: np.ndarray, made: np.ndarray) -> np.ndarray:
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
