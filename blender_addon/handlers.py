"""What Blender calls on its own: loading, undo, changes of the scene; and the one timer.

The timer runs only while there is something to do. A timer that raises is dropped without a word
by Blender, so ours reports instead and goes on.
"""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from . import changes, gpu_drawing, jobs, panels, results

SOON = 0.01


@persistent
def load_pre(*_: object) -> None:
    """Another file is about to be opened: running jobs belong to the one that closes."""
    session = jobs.current()
    if session is not None:
        session.file_closing()


@persistent
def load_post(*_: object) -> None:
    """Another file is open."""
    session = jobs.current()
    if session is not None:
        session.file_closing()
        results.remove_unfinished()


@persistent
def save_pre(*_: object) -> None:
    """What is half written is put aside, so that the file does not hold it; it is written again afterwards."""
    session = jobs.current()
    if session is None:
        return
    session.amounts.settle()
    if results.unfinished():
        session.data_replaced()


@persistent
def undo_post(*_: object) -> None:
    """Everything that was read from Blender may be another object now."""
    session = jobs.current()
    if session is not None:
        session.data_replaced()
        results.remove_unfinished()


@persistent
def depsgraph_update_post(_scene: object, depsgraph: bpy.types.Depsgraph) -> None:
    """An armature's bones or constraints may have changed."""
    session = jobs.current()
    if session is None:
        return
    if depsgraph.id_type_updated("ARMATURE"):
        session.bones_changed()
    if any(depsgraph.id_type_updated(kind) for kind in changes.DEPENDS_ON):
        session.preview.doubt()
        if gpu_drawing.tab_open(panels.CATEGORY):
            session.wake()


HANDLERS = (
    ("load_pre", load_pre),
    ("load_post", load_post),
    ("save_pre", save_pre),
    ("undo_post", undo_post),
    ("redo_post", undo_post),
    ("depsgraph_update_post", depsgraph_update_post),
)


def tick() -> float | None:
    """The timer: one slice of the session's work; None ends it."""
    session = jobs.current()
    return None if session is None else session.tick()


def wake() -> None:
    """Have the timer run. Background mode has no timers (one that stays keeps Blender from ending)."""
    if not bpy.app.background and not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=SOON, persistent=True)


def register() -> None:
    """Hook into Blender."""
    for name, function in HANDLERS:
        getattr(bpy.app.handlers, name).append(function)


def unregister() -> None:
    """Unhook; a handler that something else removed already is fine."""
    for name, function in HANDLERS:
        listed = getattr(bpy.app.handlers, name)
        if function in listed:
            listed.remove(function)
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
