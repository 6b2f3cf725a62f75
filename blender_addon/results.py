"""Writing what came back: new Actions in slices, then all of them shown in one undo step."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeAlias

import bpy

from . import (
    actions,
    captured_writer,
    character_io,
    followed,
    how_much,
    key_writer,
    keyframes,
    plans,
    properties,
    review,
)
from .captured import Captured
from .followed import Followed
from .keyframes import Channels, Keys
from .motion.errors import InvalidRequestError
from .transfer import Answers, Collected
from .translations import shown

Read: TypeAlias = Collected | Captured
"""What was read: keyed poses, or captured motion."""

UNDO_MESSAGES = {task: f"Limber: {name.lower()}" for task, name in plans.NAMES.items()}
UNFINISHED = "limber_unfinished"
"""Property of an Action that is being written. Whatever still has it when undo or loading brought another
state of the file was caught in an undo step or a saved file in the middle, and goes."""

CHANGED = (
    "Keys were changed during the run. This goes through the earlier ones; the original Action has yours"
)


def write(
    obj: bpy.types.Object, collected: Read, answers: Answers, facts: Callable[[], dict[str, Any]],
    amounts: how_much.Amounts,
) -> Generator[None, None, None]:  # fmt: skip
    """One Action a variation, then the first of them on the armature, under review.

    Nothing of the animator's changes before the last step; given up earlier (a cancel, an undo, the
    add-on disabled), what was written so far is removed.

    Args:
        obj: the armature object.
        collected: what was read from it.
        answers: what came back.
        facts: what else the Actions are to carry about the run; asked when they are done.
        amounts: gets what the results were written from, so that there can be more or less of the model in them.
    """
    original = _still_there(obj, collected)
    changed = (yield from _key_change(collected.keys, original)) != 0
    slot = obj.animation_data.action_slot
    original_uid, had_fake_user = original.session_uid, original.use_fake_user
    slot_identifier = slot.identifier if slot else ""
    made: list[tuple[int, float]] = []  # (session number of the Action, largest key change)
    with _given_up_cleanly(made, original_uid, had_fake_user):
        # 1. the Actions
        plain = None if answers.plain is None else (yield from _channels(obj, collected, answers.plain))[0]
        for n, clip in enumerate(answers.clips):
            model, kept = yield from _channels(obj, collected, clip)
            source = how_much.kept(obj, plain, model, kept, collected.plan.tolerance) if plain is not None else None
            channels = model if source is None else how_much.blended(source, collected.plan.amount)
            action = yield from _write_one(obj, collected, channels, kept, result_name(original.name), made)
            if source is not None:
                amounts.keep(action.session_uid, source)
            change = yield from _key_change(collected.keys, action)
            made[-1] = (action.session_uid, change)
            record = _provenance(collected, answers, n, original.name, slot_identifier)
            action[plans.PROVENANCE] = json.dumps(record | facts())
            yield
        # 2. on the armature, at once
        _show(obj, made, answers, original, slot_identifier, had_fake_user, collected.plan.task)
        if changed:
            for entry in properties.review(obj).results:
                entry.remark = CHANGED
        made.clear()
        if isinstance(collected, Followed):
            yield from _measure(obj, collected, answers)
        _undo_step(UNDO_MESSAGES[collected.plan.task])


def _measure(
    obj: bpy.types.Object, collected: Followed, answers: Answers
) -> Generator[None, None, None]:
    """How far the pins of what is shown were met, measured on the rig itself; reading changes nothing."""
    found = answers.report["followed"][0] | (yield from followed.remeasured_steps(obj, collected))
    properties.review(obj).results[0].followed = "\n".join(followed.lines(found))


def _undo_step(message: str) -> None:
    """The run's one undo step. A timer may find no window in its context, and undo wants one."""
    window = bpy.context.window or next(iter(bpy.context.window_manager.windows), None)
    with bpy.context.temp_override(window=window):
        bpy.ops.ed.undo_push(message=shown(message))


def _still_there(obj: bpy.types.Object, collected: Read) -> bpy.types.Action:
    """The Action that was read.

    Raises:
        InvalidRequestError: the armature plays another one now, has results under review again, or has lost bones.
    """
    action = obj.animation_data.action if obj.animation_data else None
    if action is None or action.session_uid != collected.action:
        raise InvalidRequestError("armature", f"{obj.name} was given another Action during the run",
                                  "The result was thrown away; run again.")  # fmt: skip
    if properties.under_review(obj):  # an undo during the run has taken a decision back
        raise InvalidRequestError("armature", f"{obj.name} has results under review again",
                                  "Accept or discard them, then run again.")  # fmt: skip
    lost = [name for name in collected.bones if name not in obj.pose.bones]
    if lost:
        raise InvalidRequestError("armature", f"{obj.name} lost the bone {lost[0]!r} during the run",
                                  "The result was thrown away; run again.")  # fmt: skip
    return action


def _channels(
    obj: bpy.types.Object, collected: Read, clip: Any
) -> Generator[None, None, tuple[Channels, Keys]]:
    """A clip as F-curve values, and the keys that stay."""
    if isinstance(collected, Captured):
        return (yield from _quietly(captured_writer.channels_steps(obj, collected, clip)))
    channels = yield from _quietly(character_io.result_channels_steps(
        obj, collected.bone_map, collected.captured, clip, collected.keys))  # fmt: skip
    return channels, collected.keys


def _write_one(
    obj: bpy.types.Object, collected: Read, channels: Channels, kept: Keys, name: str, made: list[tuple[int, float]]
) -> Generator[None, None, bpy.types.Action]:
    first, last = (kept.start, kept.end) if isinstance(collected, Captured) else (collected.first, collected.last)
    before = {action.session_uid for action in bpy.data.actions}
    steps = key_writer.write_action_steps(obj, name, channels, kept, first, last, False, collected.plan.tolerance,
                                          collected.pinned() if isinstance(collected, Followed) else {})  # fmt: skip
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        if before is not None:  # the copy is made by the first step
            for action in [a for a in bpy.data.actions if a.session_uid not in before]:
                action[UNFINISHED] = True
                made.append((action.session_uid, 0.0))
            before = None
        yield


def _quietly(steps: Any) -> Generator[None, None, Any]:
    """The same steps without what they yield."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        yield


@contextmanager
def _given_up_cleanly(made: list[tuple[int, float]], original: int, had_fake_user: bool) -> Iterator[None]:
    """Remove what is in ``made`` if the work is not finished; looked up anew, undo may have taken it."""
    try:
        yield
    finally:
        if made:
            unfinished = {uid for uid, _ in made}
            for action in [a for a in bpy.data.actions if a.session_uid in unfinished]:
                bpy.data.actions.remove(action)
            for action in bpy.data.actions:
                if action.session_uid == original and action.library is None:
                    action.use_fake_user = had_fake_user


def unfinished() -> list[bpy.types.Action]:
    """The Actions that are half written."""
    return [action for action in bpy.data.actions if UNFINISHED in action and action.library is None]


def remove_unfinished() -> None:
    """Remove half-written Actions; only when no run is writing (see :meth:`.jobs.Session.data_replaced`).

    An undo step that the animator made, or an automatic save, between two slices of the writing holds
    what was written so far, and the fake user that keeps the original meanwhile.
    """
    had: dict[str, bool] = {}
    for action in unfinished():
        original = actions.original_of(action)
        if original is not None and original.library is None:  # the first copy of several knows it as it was
            had[original.name] = had.get(original.name, True) and bool(action[actions.ORIGINAL_FAKE_USER])
        bpy.data.actions.remove(action)
    for name, fake_user in had.items():
        bpy.data.actions[name].use_fake_user = fake_user


def _key_change(keys: Keys, action: bpy.types.Action) -> Generator[None, None, float]:
    """Largest change of any kept key, read back from the Action, a few channels a step."""
    worst, items = 0.0, list(keys.channels.items())
    name = action.name
    for at in range(0, len(items), 8):
        present = bpy.data.actions.get(name)
        if present is None:
            return float("inf")
        part = Keys(keys.start, keys.end, dict(items[at : at + 8]))
        worst = max(worst, keyframes.largest_key_change(part, present))
        yield
    return worst


def result_name(original: str) -> str:
    """``<original> Limber <n>`` with the next free number."""
    base = original.rpartition(" Limber ")
    stem = base[0] if base[0] and base[2].isdigit() else original
    n = 1
    while f"{stem} Limber {n}" in bpy.data.actions:
        n += 1
    return f"{stem} Limber {n}"


def _provenance(collected: Read, answers: Answers, n: int, original: str, slot: str) -> dict[str, Any]:
    """How variation ``n`` was made, so that it can be made again."""
    plan, report = collected.plan, answers.report
    more: dict[str, Any] = {}
    if isinstance(collected, Captured):
        more = {"scope": collected.scope_json(), "confidence": plan.confidence}
    if isinstance(collected, Followed):
        more |= collected.made_json()
    if plan.task == plans.GENERATE:
        more |= {"heading": plan.heading, "place": plan.place, "goes_on": plan.goes_on, "loop": plan.loop}
    return more | {
        "task": plan.task, "variation": n, "variations": plan.variations, "seed": plan.seed,
        "system": report.get("system", plan.system), "bundle": report.get("bundle", plan.bundle),
        "asked_system": plan.system, "asked_bundle": plan.bundle,
        "start": plan.start, "end": plan.end, "keep": plan.keep, "texts": plan.texts,
        "tolerance": None if plan.tolerance is None else asdict(plan.tolerance),
        "amount": 1.0 if answers.plain is None else plan.amount,
        "known": plans.known_to_json(answers.joints, answers.root, collected.first),
        "mapping": collected.bone_map.preset, "source_action": original, "source_slot": slot, "report": report,
    }  # fmt: skip


def _show(
    obj: bpy.types.Object, made: list[tuple[int, float]], answers: Answers, original: bpy.types.Action,
    slot: str, had_fake_user: bool, task: str,
) -> None:  # fmt: skip
    """Put the results under review and the first of them on the armature."""
    state = properties.review(obj)
    state.results.clear()
    state.original, state.original_slot, state.original_fake_user = original, slot, had_fake_user
    by_uid = {action.session_uid: action for action in bpy.data.actions}
    report = answers.report
    for n, (uid, change) in enumerate(made):
        entry = state.results.add()
        if "followed" in report:
            entry.followed = "\n".join(followed.lines(report["followed"][n]))
        entry.action, entry.key_change = by_uid[uid], change
        entry.amount = how_much.written(by_uid[uid])
        by_uid[uid].pop(UNFINISHED, None)
        by_uid[uid].use_fake_user = False  # the review holds it, and where that goes with its armature, so does it
        entry.comparison = comparison(report, task)
        entry.made_by = made_by(report)
        entry.licence = str(report.get("licence", ""))
        entry.remark = remark(report, task)
    state.current = 0
    action = state.results[0].action
    actions.assign(obj, action, review.slot_of(action, slot))


def comparison(report: dict[str, Any], task: str = plans.INBETWEEN) -> str:
    """The model beside plain interpolation, or beside what was there before; a line or two."""
    lines = [_line("Foot skating", report.get("skating"), 100, "cm/s", report, task)]
    if task != plans.INBETWEEN:
        lines.insert(0, _line("Jerk", report.get("jerk"), 1, "m/s³", report, task))
    return "\n".join(line for line in lines if line)


def _line(name: str, both: Any, factor: float, unit: str, report: dict[str, Any], task: str) -> str:
    if not isinstance(both, dict) or not {"model", "interpolation"} <= both.keys():
        return ""
    model, plain = (factor * float(both[key]) for key in ("model", "interpolation"))
    digits = 0 if factor == 1 and max(model, plain) >= 10 else 1
    if task == plans.REFINE:
        return f"{name}: {plain:.{digits}f} before, {model:.{digits}f} now ({unit})"
    if report.get("system") == "interpolation" or task == plans.GENERATE:  # a text leaves nothing to interpolate
        return f"{name}: {model:.{digits}f} {unit}"
    if task == plans.COMPLETE:
        return f"{name}: {model:.{digits}f} {unit}, plain interpolation {plain:.{digits}f}"
    return f"{name}: {model:.{digits}f} {unit}\nPlain interpolation: {plain:.{digits}f} {unit}"


def made_by(report: dict[str, Any]) -> str:
    """``pose, bundle open, seed 0, 0.4 s``."""
    parts = [str(report.get("system", "?"))]
    if report.get("bundle"):
        parts.append(f"bundle {report['bundle']}")
    if "seed" in report:
        parts.append(f"seed {report['seed']}")
    if "seconds" in report:
        parts.append(f"{float(report['seconds']):.1f} s")
    return ", ".join(parts)


def remark(report: dict[str, Any], task: str = plans.INBETWEEN) -> str:
    """What to know about the result; "" where there is nothing."""
    if report.get("prompts"):
        return " ".join(_judged(prompt) for prompt in report["prompts"] if prompt)
    if report.get("system") != "interpolation":
        return ""
    if task == plans.REFINE:
        return "No model: no trained weights for this were used, and nothing was changed"
    if task == plans.COMPLETE:
        return "Plain interpolation, no model: no trained weights for this were used"
    if task == plans.FOLLOW:
        return "No model: the motion that was there was led and bent, no trained weights for this were used"
    return "Plain interpolation, no model: there are no trained weights beside the backend"


def _judged(prompt: dict[str, Any]) -> str:
    """How near a prompt is to what the model knows, and what it knows beside it."""
    line = f"\u201c{prompt['text']}\u201d is {prompt['level']}."
    return line if prompt["level"] == "known" else f"{line} It knows: {'; '.join(prompt['nearest'])}."
