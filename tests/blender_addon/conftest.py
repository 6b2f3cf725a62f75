"""Blender in this process (the bpy wheel), empty and with the add-on enabled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")


@pytest.fixture
def empty_file() -> None:
    """A file with a scene and nothing in it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def addon(empty_file: None) -> Iterator[None]:
    """The add-on, enabled; disabled again afterwards."""
    import blender_addon

    blender_addon.register()
    try:
        yield
    finally:
        blender_addon.unregister()
