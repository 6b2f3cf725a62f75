"""Enabling and disabling: nothing stays behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import bpy

import blender_addon
from blender_addon import jobs

GROUPS = ("Scene", "Object", "WindowManager", "Action", "Armature", "PoseBone", "Bone", "World", "Screen")


def _ours(names: Iterable[str]) -> set[str]:
    return {name for name in names if "limber" in name.lower()}


def _snapshot() -> dict[str, object]:
    """Everything that an add-on can leave in Blender."""
    handlers = {name: list(getattr(bpy.app.handlers, name)) for name in dir(bpy.app.handlers)
                if isinstance(getattr(bpy.app.handlers, name), list)}  # fmt: skip
    keymaps = bpy.context.window_manager.keyconfigs.addon
    return {
        "types": set(dir(bpy.types)),
        "operators": set(dir(bpy.ops.limber)),
        "properties": {group: set(getattr(bpy.types, group).bl_rna.properties.keys()) for group in GROUPS},
        "attributes": {group: set(vars(getattr(bpy.types, group))) for group in GROUPS},
        "handlers": handlers,
        "keymaps": [(k.name, len(k.keymap_items)) for k in keymaps.keymaps] if keymaps else [],
        "subclasses": {cls.__name__ for base in (bpy.types.Panel, bpy.types.Operator, bpy.types.PropertyGroup)
                       for cls in base.__subclasses__() if cls.is_registered},
        "threads": _ours(thread.name for thread in threading.enumerate()),
    }


def test_nothing_stays_behind(empty_file: None) -> None:
    before = _snapshot()
    blender_addon.register()
    during = _snapshot()
    assert during["types"] != before["types"]
    assert during["handlers"] != before["handlers"]
    assert hasattr(bpy.context.scene, "limber")
    blender_addon.unregister()
    assert _snapshot() == before
    assert jobs.current() is None


def test_twice_in_a_row(empty_file: None) -> None:
    before = _snapshot()
    for _ in range(2):
        blender_addon.register()
        blender_addon.unregister()
    assert _snapshot() == before


def test_names_follow_the_house() -> None:
    from blender_addon import operators, panels

    for cls in operators.CLASSES:
        assert cls.__name__.startswith("LIMBER_OT_")
        assert cls.bl_idname == f"limber.{cls.__name__.removeprefix('LIMBER_OT_')}"
        assert cls.__doc__
        assert not cls.__doc__.endswith(".")
    assert all(cls.__name__.startswith("LIMBER_PT_") for cls in panels.CLASSES)


def test_operators_have_documented_arguments(addon: None) -> None:
    for name in dir(bpy.ops.limber):
        rna = getattr(bpy.ops.limber, name).get_rna_type()
        assert rna.description
        for prop in rna.properties:
            assert prop.identifier == "rna_type" or prop.description, (name, prop.identifier)


def test_no_timer_in_background_mode(addon: None) -> None:
    from blender_addon import handlers

    handlers.wake()
    assert not bpy.app.timers.is_registered(handlers.tick)


def test_threads_end_with_the_addon(empty_file: None) -> None:
    before = set(threading.enumerate())  # other tests' backends are kept for the next

    def left() -> set[str]:
        return _ours(t.name for t in set(threading.enumerate()) - before)

    blender_addon.register()
    blender_addon.unregister()
    deadline = time.monotonic() + 5
    while left() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left()
