"""Results under review: which is shown, and what becomes of them. Changes nothing but Actions."""

from __future__ import annotations

import bpy

from . import actions, properties
from .motion.errors import InvalidRequestError


def count(obj: bpy.types.Object | None) -> int:
    """How many results wait for a decision."""
    return 0 if obj is None else sum(result.action is not None for result in properties.review(obj).results)


def slot_of(action: bpy.types.Action, identifier: str) -> bpy.types.ActionSlot | None:
    """The slot with this identifier; None lets Blender's rules choose."""
    return next((slot for slot in action.slots if slot.identifier == identifier), None)


def show_next(obj: bpy.types.Object, step: int = 1) -> None:
    """Show the result ``step`` further on, round and round; removed ones are passed over."""
    state = properties.review(obj)
    alive = [i for i, result in enumerate(state.results) if result.action is not None]
    place = alive.index(state.current) if state.current in alive else 0
    state.current = alive[(place + step) % len(alive)]
    action = state.results[state.current].action
    actions.assign(obj, action, slot_of(action, state.original_slot))


def accept(obj: bpy.types.Object) -> None:
    """Keep what is shown (even if the animator put another Action there) and what is marked; other results go."""
    state = properties.review(obj)
    ours = [result.action for result in state.results if result.action is not None]
    marked = [result.action for result in state.results if result.action is not None and result.keep]
    shown = obj.animation_data.action if obj.animation_data else None
    if state.original is not None and state.original.library is None:
        state.original.use_fake_user = (
            True  # set by the run already, but redo may have brought an earlier state
        )
    _forget(state)
    for action in ours:
        if action == shown or action in marked:
            action.use_fake_user = True  # as any new Action of Blender's own: it survives being swapped out
    _remove([action for action in ours if action != shown and action not in marked])


def discard(obj: bpy.types.Object) -> None:
    """Back to the original Action and slot; the results go."""
    state = properties.review(obj)
    original, slot = state.original, state.original_slot
    ours = [result.action for result in state.results if result.action is not None]
    shown = obj.animation_data.action if obj.animation_data else None
    if original is not None and (shown is None or shown in ours):
        actions.assign(obj, original, slot_of(original, slot))
        original.use_fake_user = state.original_fake_user
    _forget(state)
    _remove(ours)


def back_to_original(obj: bpy.types.Object) -> None:
    """Give the armature the Action that its accepted result was made from; the result stays in the file.

    Raises:
        InvalidRequestError: that Action is gone.
    """
    result = obj.animation_data.action
    original = actions.original_of(result) if result is not None else None
    if result is None or original is None:
        name = result.name if result is not None else obj.name
        raise InvalidRequestError("action", f"what {name} was made from is no longer in the file",
                                  "It starts from the motion as it was; run it on this one instead.")  # fmt: skip
    result.use_fake_user = True
    actions.assign(obj, original, slot_of(original, result[actions.ORIGINAL_SLOT]))


def _remove(actions: list[bpy.types.Action]) -> None:
    """Remove results; one that the animator uses elsewhere too (a strip, another armature) stays."""
    for action in actions:
        if action.users == int(action.use_fake_user):
            bpy.data.actions.remove(action)


def _forget(state: bpy.types.PropertyGroup) -> None:
    """No review any more; pointers are cleared, so that they keep nothing alive."""
    for result in state.results:  # type: ignore[attr-defined]
        result.action = None
    state.results.clear()  # type: ignore[attr-defined]
    state.original = None  # type: ignore[attr-defined]
    state.original_slot = ""  # type: ignore[attr-defined]
    state.current = 0  # type: ignore[attr-defined]
