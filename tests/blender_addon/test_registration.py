"""Enabling and disabling: nothing stays behind."""

from __future__ import annotations

import threading
import time

import bpy

import blender_addon
from blender_addon import jobs
from tests.blender_addon.leftovers import ours, snapshot


def test_nothing_stays_behind(empty_file: None) -> None:
    before = snapshot()
    blender_addon.register()
    during = snapshot()
    assert during["types"] != before["types"]
    assert during["handlers"] != before["handlers"]
    assert during["drawing"] != before["drawing"]
    assert hasattr(bpy.context.scene, "limber")
    blender_addon.unregister()
    assert snapshot() == before
    assert jobs.current() is None


def test_twice_in_a_row(empty_file: None) -> None:
    before = snapshot()
    for _ in range(2):
        blender_addon.register()
        blender_addon.unregister()
    assert snapshot() == before


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
        return ours(t.name for t in set(threading.enumerate()) - before)

    blender_addon.register()
    blender_addon.unregister()
    deadline = time.monotonic() + 5
    while left() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left()
