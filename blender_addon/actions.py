"""Actions, slots and channelbags: one interface from Blender 4.5 to 5.2, and the way back.

A result's Action remembers, in custom properties that survive saving, undo and renaming, which
Action and slot it took the place of, so that :func:`discard` restores both exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from .motion.errors import InvalidRequestError, LimberError

ORIGINAL = "limber_original"
ORIGINAL_SLOT = "limber_original_slot"
ORIGINAL_FAKE_USER = "limber_original_fake_user"
MADE_ANIMATION_DATA = "limber_made_animation_data"


def check_editable(obj: Any) -> None:
    """Raise InvalidRequestError, with the remedy, if the object cannot be given an Action."""
    if obj is None or obj.type != "ARMATURE":
        raise InvalidRequestError("armature", "no armature is chosen", "Select a character's armature.")
    if obj.library is not None:
        raise InvalidRequestError("armature", f"{obj.name} is linked from {obj.library.filepath}",
                                  "Make a library override of it (Object > Library Override > Make).")  # fmt: skip
    data = obj.animation_data
    if data is not None and data.use_tweak_mode:
        raise InvalidRequestError("armature", f"{obj.name} is in the NLA editor's tweak mode",
                                  "Leave it with Tab in the NLA editor.")  # fmt: skip


def fcurves(obj: Any) -> list[Any]:
    """F-curves of the object's active Action and slot; empty where there is none."""
    data = obj.animation_data
    if data is None or data.action is None or data.action_slot is None:
        return []
    bag = channelbag(data.action, data.action_slot, ensure=False)
    return list(bag.fcurves) if bag else []


def _slot(action: Any, slot: Any) -> Any:
    """A slot from a slot, a handle or None (the only slot, or the only one for objects)."""
    if isinstance(slot, int):
        return next((s for s in action.slots if s.handle == slot), None)
    if slot is not None:
        return next((s for s in action.slots if s.handle == slot.handle), None)
    found = [s for s in action.slots if s.target_id_type in ("OBJECT", "UNSPECIFIED")]
    return found[0] if len(found) == 1 else action.slots[0] if len(action.slots) == 1 else None


def channelbag(action: Any, slot: Any, ensure: bool = True) -> Any:
    """The slot's channelbag on the Action's keyframe strip.

    Args:
        slot: the slot, its handle, or None for the only one.
        ensure: make layer, strip and channelbag where missing; otherwise None is returned.
    """
    slot = _slot(action, slot)
    if slot is None:
        if ensure:
            raise LimberError(f"The Action {action.name!r} has no slot for this armature.")
        return None
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot, ensure=ensure)
            if bag is not None:
                return bag
    if not ensure:
        return None
    layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
    return layer.strips.new(type="KEYFRAME").channelbag(slot, ensure=True)


def new_copy(obj: Any, name: str) -> tuple[Any, int]:
    """A copy of the object's Action (an empty one where it has none) that knows its original.

    Returns:
        The new Action, not assigned to anything, and the handle of the slot for the object.
    """
    data = obj.animation_data
    original = data.action if data else None
    slot = data.action_slot if data else None
    made = original.copy() if original else bpy.data.actions.new(name)
    made.name = name
    for key in (ORIGINAL, ORIGINAL_SLOT, ORIGINAL_FAKE_USER, MADE_ANIMATION_DATA):
        if key in made:
            del made[key]
    made.use_fake_user = True
    if slot is None:
        slot = made.slots.new(id_type="OBJECT", name=obj.name)
    handle = int(slot.handle)
    if original is not None:
        made[ORIGINAL] = original
        made[ORIGINAL_SLOT] = data.action_slot.identifier if data.action_slot else ""
        made[ORIGINAL_FAKE_USER] = bool(original.use_fake_user)
        if original.library is None:
            original.use_fake_user = True
    made[MADE_ANIMATION_DATA] = data is None
    return made, handle


def assign(obj: Any, action: Any, slot: Any) -> None:
    """Give the object an Action and one of its slots (a slot or its handle)."""
    check_editable(obj)
    data = obj.animation_data or obj.animation_data_create()
    data.action = action
    data.action_slot = _slot(action, slot)


def ensure(obj: Any) -> None:
    """An Action for the object, an empty one where it has none."""
    data = obj.animation_data or obj.animation_data_create()
    if data.action is None:
        made = bpy.data.actions.new(f"{obj.name} motion")
        assign(obj, made, made.slots.new(id_type="OBJECT", name=obj.name))


def original_of(action: Any) -> Any:
    """The Action that a result took the place of; None if there was none or it was deleted."""
    return action.get(ORIGINAL)


def is_result(action: Any) -> bool:
    """Whether the Action was made by :func:`new_copy`."""
    return action is not None and MADE_ANIMATION_DATA in action


def discard(obj: Any, action: Any | None = None, remove: bool = True) -> None:
    """Put back the Action and slot that a result replaced, exactly, and delete the result.

    Args:
        action: the result; None: the object's present Action. Nothing is done to the object if
            it has meanwhile been given another Action.
        remove: delete the result from the file.
    """
    data = obj.animation_data
    action = action or (data.action if data else None)
    if not is_result(action):
        raise LimberError("The present Action is not a result of Limber, there is nothing to discard.")
    assert action is not None
    original = original_of(action)
    if data is not None and data.action == action:
        check_editable(obj)
        data.action = original
        if original is not None:
            slots = {s.identifier: s for s in original.slots}
            data.action_slot = slots.get(action[ORIGINAL_SLOT])
        elif action[MADE_ANIMATION_DATA]:
            obj.animation_data_clear()
    if original is not None and original.library is None and not any(_others(action, original)):
        original.use_fake_user = bool(action[ORIGINAL_FAKE_USER])
    if remove:
        bpy.data.actions.remove(action)


def accept(action: Any) -> None:
    """Keep a result: it becomes an ordinary Action; the original stays in the file."""
    action.use_fake_user = True


def _others(action: Any, original: Any) -> Iterator[Any]:
    """Further results of the same original: while one lives, the original keeps its fake user."""
    return (a for a in bpy.data.actions if a != action and is_result(a) and original_of(a) == original)
