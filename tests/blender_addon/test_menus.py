"""Menus, the pie menu and shortcuts: there while the add-on is, and what they name exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest

import blender_addon
from blender_addon import keymaps, menus


def entries() -> dict[str, int]:
    """How many entries add-ons have put into each of Blender's menus."""
    return {name: len(getattr(getattr(bpy.types, name).draw, "_draw_funcs", [])) for name in menus.MENUS}


def test_blenders_menus_hold_ours_only_while_enabled(empty_file: None) -> None:
    for _ in range(2):
        blender_addon.register()
        assert all(
            menus.draw_submenu in getattr(bpy.types, name).draw._draw_funcs for name in menus.MENUS
        )  # Blender's own list
        during = entries()
        blender_addon.unregister()
        assert {name: count - 1 for name, count in during.items()} == entries()


def test_every_task_of_the_panel_is_in_the_menu(addon: None) -> None:
    from blender_addon.operators import run

    in_menu = {name for name, _ in menus.TASKS}
    assert in_menu == {cls.bl_idname for cls in run.CLASSES if issubclass(cls, run._Task)}


def test_icons_and_operators_exist(addon: None) -> None:
    ours: Any = bpy.ops.limber  # type: ignore[attr-defined]
    rna: Any = bpy.types.UILayout.bl_rna
    icons = rna.functions["operator"].parameters["icon"].enum_items.keys()
    assert {icon for _, icon in menus.TASKS} <= set(icons)
    assert {name.partition(".")[2] for name, _ in menus.TASKS} <= set(dir(ours))


@pytest.fixture
def shortcuts(addon: None) -> list[tuple[Any, Any]]:
    found = keymaps.added()
    if not found:
        pytest.skip("this Blender has no key configuration for add-ons")
    return found


def test_each_place_has_each_shortcut_with_its_arguments(shortcuts: list[tuple[Any, Any]]) -> None:
    assert len(shortcuts) == len(keymaps.PLACES) * len(keymaps.SHORTCUTS)
    steps = {item.properties.step for _, item in shortcuts if item.idname == "limber.next_variation"}
    assert steps == {1, -1}
    names = {item.properties.name for _, item in shortcuts if item.idname == "wm.call_menu_pie"}
    assert names == {menus.LIMBER_MT_pie.bl_idname}
    assert all(keymaps._is_ours(item) for _, item in shortcuts)


def taken(shortcut: keymaps.Shortcut) -> list[str]:
    """What of Blender's own has a shortcut where ours are: in the 3D view and dope sheet, or everywhere."""
    folder = bpy.utils.system_resource("SCRIPTS", path="presets/keyconfig/keymap_data")
    default = bpy.utils.execfile(str(Path(folder) / "blender_default.py"))
    found = []
    for name, place, content in default.generate_keymaps(default.Params()):
        here = place["space_type"] in {"EMPTY", *(space for _, space in keymaps.PLACES), "VIEW_3D"}
        if not here or place.get("modal") or name == "Font":  # text objects are edited in a mode without bones
            continue
        for operator, event, _ in content["items"]:
            held = {key for key in ("shift", "ctrl", "alt", "oskey") if event.get(key)}
            if event["type"] == shortcut.key and (event.get("any") or held == set(shortcut.modifiers)):
                found.append(f"{name}: {operator}")
    return found


def test_no_shortcut_is_blenders_already() -> None:
    assert taken(keymaps.Shortcut("", "G", {}, ())), "the look-up finds what there is"
    assert [clash for shortcut in keymaps.SHORTCUTS for clash in taken(shortcut)] == []
