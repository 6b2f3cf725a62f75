"""Shortcuts: in Blender's add-on key configuration, so that they can be changed in the preferences.

None takes a key from Blender: where a shortcut's operator cannot run, the key goes on to whatever else has it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import bpy
import rna_keymap_ui

from . import menus


class Shortcut(NamedTuple):
    """One shortcut as it is delivered.

    Attributes:
        operator: its ``bl_idname``.
        key: Blender's name of the key.
        arguments: the operator's properties.
        modifiers: which of ``shift``, ``ctrl``, ``alt`` are held.
    """

    operator: str
    key: str
    arguments: dict[str, Any]
    modifiers: tuple[str, ...]


SHORTCUTS = (
    Shortcut("wm.call_menu_pie", "L", {"name": menus.LIMBER_MT_pie.bl_idname}, ("ctrl", "alt")),
    Shortcut("limber.next_variation", "RIGHT_ARROW", {"step": 1}, ("alt",)),
    Shortcut("limber.next_variation", "LEFT_ARROW", {"step": -1}, ("alt",)),
)
PLACES = (("Pose", "EMPTY"), ("Object Mode", "EMPTY"), ("Dopesheet", "DOPESHEET_EDITOR"))
"""Keymaps, by name and editor, that hold all of them."""

_added: list[tuple[Any, Any]] = []
"""Keymap and item of each shortcut."""


def register() -> None:
    """Add the shortcuts; without a key configuration (background mode) there is nothing to add to."""
    manager = bpy.context.window_manager
    config = manager.keyconfigs.addon if manager else None
    if config is None:
        return
    for name, space in PLACES:
        keymap = config.keymaps.new(name=name, space_type=space)  # type: ignore[arg-type]
        for shortcut in SHORTCUTS:
            held: dict[str, Any] = dict.fromkeys(shortcut.modifiers, True)
            item = keymap.keymap_items.new(shortcut.operator, shortcut.key, "PRESS", **held)  # type: ignore[arg-type]
            for argument, value in shortcut.arguments.items():
                setattr(item.properties, argument, value)
            _added.append((keymap, item))


def unregister() -> None:
    """Take them out; a keymap that only they needed goes as well."""
    emptied = []
    while _added:
        keymap, item = _added.pop()
        keymap.keymap_items.remove(item)
        if not keymap.keymap_items:
            emptied.append(keymap)
    for keymap in emptied:
        bpy.context.window_manager.keyconfigs.addon.keymaps.remove(keymap)


def added() -> list[tuple[Any, Any]]:
    """Keymap and item of each shortcut as it was delivered."""
    return list(_added)


def draw(layout: bpy.types.UILayout) -> None:
    """The shortcuts as the user has them now, each to be changed or switched off."""
    layout.label(text="Shortcuts")
    user: Any = bpy.context.window_manager.keyconfigs.user
    for name, space in PLACES:
        keymap = user.keymaps.find(name, space_type=space)
        if keymap is None:
            continue
        column = layout.column()
        column.label(text=name)
        for item in keymap.keymap_items:
            if _is_ours(item):
                column.context_pointer_set("keymap", keymap)
                rna_keymap_ui.draw_kmi([], user, keymap, item, column, 0)


def _is_ours(item: Any) -> bool:
    if item.idname == "wm.call_menu_pie":
        return item.properties is not None and item.properties.name == menus.LIMBER_MT_pie.bl_idname
    return item.idname.startswith("limber.")
