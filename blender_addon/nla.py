"""A result as an NLA strip above the Action that it was made from, which stays what it was and plays around it.

Blender plays an armature's own Action on top of all strips, so the original becomes a strip too, as Push Down Action
makes it. The result's strip holds the run's range alone and can be blended in and out, muted, moved or taken off.
"""

from __future__ import annotations

from typing import Any

import bpy

from . import actions, plans, properties, review
from .motion.errors import InvalidRequestError

PLACED = "limber_strip"
"""Property of a result that was accepted as a strip."""


def accept(obj: bpy.types.Object, blend_in: int = 0, blend_out: int = 0) -> bpy.types.NlaStrip:
    """Accept the result that is shown as a strip at full influence above one of the original Action.

    Args:
        obj: the armature object with results under review.
        blend_in, blend_out: frames over which the strip fades in and out, within its own; where they do not fit, both
            are shortened alike.

    Returns:
        The result's strip.

    Raises:
        InvalidRequestError: the armature plays something that is not under review, or a strip would not be heard.
    """
    state, data = properties.review(obj), obj.animation_data
    result = data.action if data else None
    if result is None or result not in [entry.action for entry in state.results]:
        raise InvalidRequestError("action", f"{obj.name} does not play the result",
                                  "Press Next Variation, which shows it.")  # fmt: skip
    actions.check_editable(obj)
    if data.action_blend_type != "REPLACE" or data.action_influence < 1:
        raise InvalidRequestError("action", "it is blended with the strips below, and so would be both",
                                  "In the NLA editor set its blending to Replace and its influence to 1, or press "
                                  "Accept.")  # fmt: skip
    if any(track.is_solo for track in data.nla_tracks):
        raise InvalidRequestError("NLA", "one track plays solo, so another would not be seen",
                                  "Take the star off in the NLA editor.")  # fmt: skip
    original, original_slot, slot = state.original, state.original_slot, data.action_slot
    result[actions.ORIGINAL_FAKE_USER] = state.original_fake_user  # a second variation has seen it changed already
    review.accept(obj)
    data.use_nla = True
    extrapolation = "NOTHING"
    if original is not None:
        below = _strip(data, original, review.slot_of(original, original_slot))
        below.extrapolation = data.action_extrapolation
        extrapolation = _beyond(result, original)
    strip = _strip(data, result, slot, _range(result))
    strip.extrapolation = extrapolation  # type: ignore[assignment]
    length = strip.frame_end - strip.frame_start
    fit = min(1.0, length / max(blend_in + blend_out, 1))
    strip.blend_in, strip.blend_out = blend_in * fit, blend_out * fit
    data.action = None
    result[PLACED] = True
    return strip


def remove(obj: bpy.types.Object) -> None:
    """Take the topmost result's strip off and give the armature back the Action that it was made from.

    The result goes with its strip, unless something else uses it.

    Raises:
        InvalidRequestError: no strip of the armature was made by :func:`accept`.
    """
    found = placed(obj)
    if found is None:
        raise InvalidRequestError("NLA", f"{obj.name} has no strip of Limber's")
    actions.check_editable(obj)
    data: Any = obj.animation_data
    track, strip, result = found
    original, at = actions.original_of(result), list(data.nla_tracks).index(track)
    below = data.nla_tracks[at - 1] if at else None
    _take_off(data, track, strip)
    if original is not None and below is not None and data.action is None:
        theirs = [one for one in below.strips if one.action == original]
        if len(theirs) == len(below.strips) == 1:
            slot = theirs[0].action_slot
            data.action_extrapolation = theirs[0].extrapolation
            _take_off(data, below, theirs[0])
            actions.assign(obj, original, slot)
    if original is not None and original.library is None:
        original.use_fake_user = bool(result[actions.ORIGINAL_FAKE_USER])
    if result.users == int(result.use_fake_user):
        bpy.data.actions.remove(result)
    else:
        del result[PLACED]


def placed(obj: bpy.types.Object | None) -> tuple[bpy.types.NlaTrack, bpy.types.NlaStrip, bpy.types.Action] | None:
    """The topmost strip that :func:`accept` made, with its track and the result."""
    data = obj.animation_data if obj is not None else None
    for track in reversed(data.nla_tracks if data else ()):
        for strip in track.strips:
            if strip.action is not None and PLACED in strip.action and actions.is_result(strip.action):
                return track, strip, strip.action
    return None


def _range(result: bpy.types.Action) -> tuple[float, float]:
    """The run's frames; all that the Action has where it does not say them."""
    try:
        made = plans.read_provenance(result)
        return float(made["start"]), float(made["end"])
    except (InvalidRequestError, KeyError, TypeError, ValueError):
        first, last = result.curve_frame_range
        return first, last


def _beyond(result: bpy.types.Action, original: bpy.types.Action) -> str:
    """What the result's strip does past its ends: its last pose is held where the original had ended by then."""
    (start, end), (first, last) = _range(result), original.curve_frame_range
    if end < last:
        return "NOTHING"
    return "HOLD" if start <= first else "HOLD_FORWARD"


def _strip(data: Any, action: Any, slot: Any, span: tuple[float, float] | None = None) -> Any:
    """A strip of the Action's frames ``span`` at these very frames, on a new track above all others."""
    track = data.nla_tracks.new()
    track.name = action.name
    first, last = span or action.curve_frame_range
    strip = track.strips.new(action.name, int(first), action)
    strip.action_slot = actions._slot(action, slot)
    strip.use_sync_length = False
    strip.action_frame_start, strip.action_frame_end = first, max(last, first + 1)
    strip.frame_start, strip.frame_end = first, max(last, first + 1)
    strip.blend_type, strip.use_auto_blend = "REPLACE", False
    return strip


def _take_off(data: Any, track: Any, strip: Any) -> None:
    """Remove a strip, and its track if nothing else is on it."""
    track.strips.remove(strip)
    if not len(track.strips):
        data.nla_tracks.remove(track)
