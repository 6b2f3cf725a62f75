"""Limber in Blender's own menus: View3D > Pose, Dope Sheet > Key, and a pie menu.

All show the same operators; what cannot be pressed is grey, and says why.
"""

from __future__ import annotations

from typing import Any

import bpy

TASKS = (
    ("limber.inbetween", "IPO_EASE_IN_OUT"),
    ("limber.complete", "MOD_MASK"),
    ("limber.refine", "MOD_SMOOTH"),
    ("limber.edit", "BONE_DATA"),
    ("limber.generate", "TEXT"),
    ("limber.follow", "CON_FOLLOWPATH"),
)
"""Operator and icon of each task, as the panel orders them."""

MENUS = ("VIEW3D_MT_pose", "DOPESHEET_MT_key")
"""Blender's menus that end with ours."""


class LIMBER_MT_tasks(bpy.types.Menu):
    """What Limber can do to the active armature, with the panel's settings."""

    bl_idname = "LIMBER_MT_tasks"
    bl_label = "Limber"

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender when the menu opens."""
        del context
        layout = self.layout
        for name, icon in TASKS:
            layout.operator(name, icon=icon)  # type: ignore[arg-type]
        layout.separator()
        layout.operator("limber.accept", icon="CHECKMARK")
        layout.operator("limber.discard", icon="TRASH")
        layout.operator("limber.next_variation", icon="FORWARD")
        layout.operator("limber.make_again", icon="LOOP_BACK")
        layout.operator("limber.cancel", icon="X")


class LIMBER_MT_pie(bpy.types.Menu):
    """What is pressed most, around the pointer: decisions to the sides, tasks above and below."""

    bl_idname = "LIMBER_MT_pie"
    bl_label = "Limber"

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender when the menu opens; the order is west, east, south, north, then the corners."""
        del context
        pie = self.layout.menu_pie()
        pie.operator("limber.discard", icon="TRASH")
        pie.operator("limber.accept", icon="CHECKMARK")
        pie.operator("limber.next_variation", icon="FORWARD")
        pie.operator("limber.inbetween", icon="IPO_EASE_IN_OUT")
        pie.operator("limber.complete", icon="MOD_MASK")
        pie.operator("limber.refine", icon="MOD_SMOOTH")
        pie.operator("limber.make_again", icon="LOOP_BACK")
        pie.operator("limber.edit", icon="BONE_DATA")


def draw_submenu(self: Any, context: bpy.types.Context) -> None:
    """The last entry of Blender's menus."""
    del context
    self.layout.separator()
    self.layout.menu(LIMBER_MT_tasks.bl_idname)


CLASSES = (LIMBER_MT_tasks, LIMBER_MT_pie)


def register() -> None:
    """Add the entry to Blender's menus."""
    for name in MENUS:
        getattr(bpy.types, name).append(draw_submenu)


def unregister() -> None:
    """Take it out again."""
    for name in MENUS:
        getattr(bpy.types, name).remove(draw_submenu)
