"""How much of the model a pending result has: its Action rewritten between plain interpolation and the model's
motion, and beyond, without a new run.

What both were written from is kept in memory while their results wait for a decision. A slider that moves leaves
its number in the review; the session's timer brings the Action after it, a few curves a slice. The Action says
which amount it holds, so that undo, which may bring back either of the two without the other, is put right too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from . import actions, continuity, key_writer, keyframes, plans, pose_model, properties, review, sparse_keys
from .keyframes import ROTATIONS, ChannelId, Channels, Keys
from .motion import blending
from .motion.errors import InvalidRequestError
from .motion.rotations import Array
from .records import RECORD, authored, read_records, write_records
from .sparse_keys import Tolerance

HALF_WRITTEN = "limber_amount_unfinished"
"""Property of an Action some of whose curves have another amount than the others."""

REMEMBERED = 24
"""Results that are kept in memory: what undo brings back after a few more runs can still be changed."""

NEAR = 1e-6
"""Amounts this near are one, said by numbers of different length."""


@dataclass(frozen=True, eq=False)
class Kept:
    """What a result was written from, and what its range has to hold whatever the amount.

    Attributes:
        plain, model: plain interpolation and the model's motion as F-curve values.
        modes: rotation mode by data path.
        keys: the animator's keys.
        tolerance: as in the plan.
    """

    plain: Channels
    model: Channels
    modes: dict[str, str]
    keys: Keys
    tolerance: Tolerance | None


def kept(obj: Any, plain: Channels, model: Channels, keys: Keys, tolerance: Tolerance | None) -> Kept:
    """What to keep of a result; ``obj`` tells its bones' rotation modes."""
    modes = {}
    for path, _ in model:
        split = keyframes.split_path(path)
        if split is not None and split[1] in ROTATIONS:
            modes[path] = (obj.pose.bones[split[0]] if split[0] else obj).rotation_mode
    return Kept(plain, model, modes, keys, tolerance)


# -- the values -------------------------------------------------------------------------------------------------


def blended(source: Kept, amount: float) -> Channels:
    """The F-curve values of an amount; at 0 and 1 the very numbers of plain interpolation and of the model."""
    out: dict[ChannelId, tuple] = {}
    for path, indices in sparse_keys.groups(source.model).items():
        out |= _blended(source, path, indices, amount)
    return out


def _blended(source: Kept, path: str, indices: list[int], amount: float) -> dict[ChannelId, tuple]:
    """One data path's channels."""
    model = {index: source.model[path, index] for index in indices}
    plain = {index: source.plain.get((path, index), ((),)) for index in indices}
    frames = np.asarray(model[indices[0]][0])
    alike = all(np.array_equal(c[0], frames) for c in (*model.values(), *plain.values()))
    if amount == 1 or not alike or any(len(c) > 2 for c in model.values()):  # a switch is on or off
        return {(path, index): channel for index, channel in model.items()}
    a, b = (np.stack([np.asarray(c[1], np.float64) for c in both.values()], -1) for both in (plain, model))
    mode = source.modes.get(path, "")
    whole = len(indices) == (4 if mode in ("QUATERNION", "AXIS_ANGLE") else 3)
    if amount == 0:
        made = a
    elif mode and whole and pose_model.rotation_property(mode) == path.rpartition(".")[2]:
        made = _turned(a, b, mode, frames, amount)
    else:
        made = blending.moved(a, b, amount)
    return {(path, index): (frames, made[:, n]) for n, index in enumerate(indices)}


def _turned(plain: Array, model: Array, mode: str, frames: Array, amount: float) -> Array:
    """Values of a rotation mode's channels ``(F, n)``; where both agree, as at keys, the model's own."""
    same = blending.agree(plain, model)
    turn = blending.turned(pose_model.to_rotation(plain, mode), pose_model.to_rotation(model, mode), amount)
    anchors = np.flatnonzero(same) if same.any() else np.array([0])
    values = continuity.channel_values(turn, mode, frames, frames[anchors], model[anchors])
    return np.where(same[:, None], model, values)


# -- the Action -------------------------------------------------------------------------------------------------


def rewrite_steps(obj_uid: int, uid: int, source: Kept, amount: float) -> Generator[None, None, float | None]:
    """Bring a result's Action to an amount, one data path a step; whatever is not ours in it stays bit for bit.

    Everything is looked up again in every step, by session number, since undo may come between two.

    Returns:
        The largest change of a kept key, read back; None if the armature or the Action is gone.
    """
    worst, ours = 0.0, (yield from _ours_steps(obj_uid, uid, source, amount))
    if ours is None:
        return None
    for path, indices in sparse_keys.groups(source.model).items():
        obj, action = _find(bpy.data.objects, obj_uid), _find(bpy.data.actions, uid)
        if obj is None or action is None:
            return None
        action[HALF_WRITTEN] = True
        slot = review.slot_of(action, properties.review(obj).original_slot)
        bag = actions.channelbag(action, slot, ensure=False)
        worst = max(worst, _rewrite(bag, source, path, indices, ours))
        yield
    action = _find(bpy.data.actions, uid)
    if action is None:
        return None
    try:
        made = plans.read_provenance(action)
    except InvalidRequestError:
        return None
    action[plans.PROVENANCE] = json.dumps(made | {"amount": round(amount, 6)})
    action.pop(HALF_WRITTEN, None)
    action.update_tag(refresh={"TIME"})  # curves that are filled in bulk tell nobody
    return worst


def _ours_steps(
    obj_uid: int, uid: int, source: Kept, amount: float
) -> Generator[None, None, dict[ChannelId, np.ndarray] | None]:
    """The keys that an amount gives, for all bones together; None if the armature or the Action is gone."""
    channels: dict[ChannelId, tuple] = {}
    fixed: dict[ChannelId, np.ndarray] = {}
    for path, indices in sparse_keys.groups(source.model).items():
        yield
        obj, action = _find(bpy.data.objects, obj_uid), _find(bpy.data.actions, uid)
        if obj is None or action is None:
            return None
        bag = actions.channelbag(action, review.slot_of(action, properties.review(obj).original_slot), ensure=False)
        for channel, values in _blended(source, path, indices, amount).items():
            curve = None if bag is None else bag.fcurves.find(path, index=channel[1])
            channels[channel] = key_writer.checked_channel(channel, values)
            records = read_records(curve) if curve else np.zeros(0, RECORD)
            fixed[channel] = records[~_ours(source, path, channel[1], records)]
    obj = _find(bpy.data.objects, obj_uid)
    if obj is None:
        return None
    steps = key_writer.our_keys_steps(obj, channels, fixed, source.tolerance)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value
        yield


def _rewrite(
    bag: Any, source: Kept, path: str, indices: list[int], ours: dict[ChannelId, np.ndarray]
) -> float:
    """One data path's curves; returns the largest change of a kept key."""
    found = {index: bag.fcurves.find(path, index=index) for index in indices} if bag is not None else {}
    if not found or None in found.values():  # the animator took one away
        return 0.0
    present = {index: read_records(curve) for index, curve in found.items()}
    fixed = {index: records[~_ours(source, path, index, records)] for index, records in present.items()}
    worst = 0.0
    for index, curve in found.items():
        _put(curve, present[index], key_writer.merge(fixed[index], ours[path, index]))
        known = source.keys.channels.get((path, index))
        if known is not None:
            worst = max(worst, keyframes._change(known.records, read_records(curve)))
    return worst


def _ours(source: Kept, path: str, index: int, present: np.ndarray) -> np.ndarray:
    """Which keys of a curve the run made, and nobody has touched since. ``(n,)`` bool."""
    ours = ~authored(present) & np.isin(present["frame"], np.float32(source.model[path, index][0]))
    known = source.keys.channels.get((path, index))
    return ours if known is None else ours & ~np.isin(present["frame"], known.records["frame"])


def _put(curve: Any, present: np.ndarray, records: np.ndarray) -> None:
    """Make ``records`` the curve's keys, selected as they say."""
    moving = [name for name in records.dtype.names or () if name not in ("value", "left", "right", "back")]
    if len(present) == len(records) and all((present[n] == records[n]).all() for n in moving):
        points = curve.keyframe_points  # the same keys with other values: a tenth of the time
        points.foreach_set("co", np.stack([records["frame"], records["value"]], -1).ravel())
        for field_, name in (("back", "back"), ("left", "handle_left"), ("right", "handle_right")):
            points.foreach_set(name, np.ascontiguousarray(records[field_]).ravel())
        return
    write_records(curve, records)
    for flag in ("select_left_handle", "select_right_handle"):
        curve.keyframe_points.foreach_set(flag, np.zeros(len(records), bool))
    curve.keyframe_points.foreach_set("select_control_point", np.ascontiguousarray(records["selected"]))


def written(action: Any) -> float:
    """Which amount an Action holds; 1 where nothing says another."""
    try:
        return float(plans.read_provenance(action).get("amount", 1.0))
    except (InvalidRequestError, TypeError, ValueError):
        return 1.0


def _find(collection: Any, uid: int) -> Any:
    """What has this session number, wherever undo or renaming put it."""
    return next((one for one in collection if one.session_uid == uid), None)


# -- the slider -------------------------------------------------------------------------------------------------


class Amounts:
    """Results whose amount can be changed, and those that are on their way to one. Lives in the session."""

    def __init__(self) -> None:
        self._kept: dict[int, Kept] = {}  # by the Action's session number
        self._wanted: list[int] = []  # session numbers of objects
        self._work: Generator[None, None, None] | None = None

    def keep(self, uid: int, source: Kept) -> None:
        """Remember what a result was written from; the oldest are forgotten."""
        self._kept[uid] = source
        while len(self._kept) > REMEMBERED:
            del self._kept[next(iter(self._kept))]

    def known(self, action: Any) -> bool:
        """Whether the Action's amount can be changed."""
        return action is not None and action.session_uid in self._kept and plans.PROVENANCE in action

    def want(self, obj: Any) -> None:
        """The armature's results are to be looked at: a slider has moved, or undo brought something back.

        What is being written is finished first, so that a slider that keeps moving is followed.
        """
        if obj.session_uid not in self._wanted and (self._behind(obj) is not None):
            self._wanted.append(obj.session_uid)

    def look_again(self) -> None:
        """Undo or redo: Actions and sliders may be of different times."""
        self._drop()
        for obj in bpy.data.objects:
            if obj.type == "ARMATURE" and properties.under_review(obj):
                self.want(obj)

    def forget(self) -> None:
        """Another file: nothing that is remembered is of it."""
        self._drop()
        self._kept.clear()

    @property
    def busy(self) -> bool:
        """Whether an Action is behind its slider."""
        return bool(self._wanted) or self._work is not None

    def advance(self, seconds: float) -> bool:
        """Write for about so long; True if there was something to write."""
        if not self.busy:
            return False
        until = time.perf_counter() + seconds
        while self.busy and time.perf_counter() < until:
            self._step()
        return True

    def settle(self) -> None:
        """Write what is wanted to its end: before a decision, before the file is saved, and for Python."""
        while self.busy:
            self._step()

    def _step(self) -> None:
        if self._work is None:
            self._work = self._follow_steps(self._wanted.pop(0))
        try:
            next(self._work)
        except StopIteration:
            self._work = None
        except BaseException:  # what fails once would fail with every tick
            self._drop()
            raise

    def _follow_steps(self, obj_uid: int) -> Generator[None, None, None]:
        """Bring an armature's results to where their sliders are, until they are there."""
        while True:
            obj = _find(bpy.data.objects, obj_uid)
            behind = None if obj is None else self._behind(obj)
            if behind is None:
                return
            uid, amount = behind
            worst = yield from rewrite_steps(obj_uid, uid, self._kept[uid], amount)
            obj = _find(bpy.data.objects, obj_uid)
            if obj is None or worst is None:
                return
            for result in properties.review(obj).results:
                if result.action is not None and result.action.session_uid == uid:
                    result.key_change = worst

    def _behind(self, obj: Any) -> tuple[int, float] | None:
        """Session number and amount of a result whose Action holds another; the one that is shown first."""
        state = properties.review(obj)
        results = list(state.results)
        for result in results[state.current :] + results[: state.current]:
            action = result.action
            if not self.known(action):
                continue
            if HALF_WRITTEN in action or abs(written(action) - result.amount) > NEAR:
                return action.session_uid, float(result.amount)
        return None

    def _drop(self) -> None:
        """Write no further; an Action that is half written says so itself, and is wanted again."""
        self._wanted.clear()
        if self._work is not None:
            self._work.close()
            self._work = None
