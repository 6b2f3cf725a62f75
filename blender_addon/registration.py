"""Registering and unregistering, so that disabling leaves nothing behind."""

from __future__ import annotations

from typing import Any

import bpy

from . import (
    changes_drawing,
    follow_panel,
    follow_properties,
    ghosts,
    handlers,
    jobs,
    keymaps,
    menus,
    operators,
    panels,
    pin_drawing,
    preferences,
    properties,
    retarget_panel,
    show_panel,
    show_properties,
    translations,
)
from .operators import retarget
from .setup import operators as setup_operators

CLASSES = (
    *properties.CLASSES,
    *follow_properties.CLASSES,
    *show_properties.CLASSES,
    preferences.LimberPreferences,
    *operators.CLASSES,
    *setup_operators.CLASSES,
    *follow_panel.CLASSES,
    *panels.CLASSES,
    *show_panel.CLASSES,
    *menus.CLASSES,
    *retarget.CLASSES,
    *retarget_panel.CLASSES,
)


def register() -> None:
    """Classes, properties, handlers and the session, in that order."""
    done = []
    try:
        for cls in CLASSES:
            _describe(cls)
            bpy.utils.register_class(cls)
            done.append(cls)
    except (RuntimeError, ValueError):  # half an add-on would hide what is wrong behind the next error
        for cls in reversed(done):
            bpy.utils.unregister_class(cls)
        raise
    translations.register()
    properties.register()
    follow_properties.register()
    show_properties.register()
    retarget.register()
    jobs.open_session(handlers.wake)
    handlers.register()
    pin_drawing.register()
    ghosts.register()
    changes_drawing.register()
    menus.register()
    keymaps.register()


def _describe(cls: Any) -> None:
    """The docstring is the description, on one line in every Python: as Blender takes it, a long one could not
    be looked up in a translation."""
    if issubclass(cls, (bpy.types.Operator, bpy.types.Panel, bpy.types.Menu)) and cls.__doc__:
        cls.bl_description = " ".join(cls.__doc__.split())


def unregister() -> None:
    """The reverse; running jobs are cancelled and the backend is ended."""
    keymaps.unregister()
    menus.unregister()
    changes_drawing.unregister()
    ghosts.unregister()
    pin_drawing.unregister()
    handlers.unregister()
    setup_operators.close()
    jobs.close_session()
    retarget.unregister()
    show_properties.unregister()
    follow_properties.unregister()
    properties.unregister()
    translations.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
