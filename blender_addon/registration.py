"""Registering and unregistering, so that disabling leaves nothing behind."""

from __future__ import annotations

import bpy

from . import handlers, jobs, operators, panels, preferences, properties

CLASSES = (
    *properties.CLASSES,
    preferences.LimberPreferences,
    *operators.CLASSES,
    *panels.CLASSES,
)


def register() -> None:
    """Classes, properties, handlers and the session, in that order."""
    done = []
    try:
        for cls in CLASSES:
            bpy.utils.register_class(cls)
            done.append(cls)
    except (RuntimeError, ValueError):  # half an add-on would hide what is wrong behind the next error
        for cls in reversed(done):
            bpy.utils.unregister_class(cls)
        raise
    properties.register()
    jobs.open_session(handlers.wake)
    handlers.register()


def unregister() -> None:
    """The reverse; running jobs are cancelled and the backend is ended."""
    handlers.unregister()
    jobs.close_session()
    properties.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
