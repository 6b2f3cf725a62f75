"""What is drawn before and after a run: the sub-panel with its switches and colours."""

from __future__ import annotations

import bpy

from . import panels, preferences, show_properties


class LIMBER_PT_show(bpy.types.Panel):
    """What is drawn in the viewport and the dope sheet before a run and while its result waits for a decision."""

    bl_idname = "LIMBER_PT_show"
    bl_label = "Show"
    bl_parent_id = "LIMBER_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = panels.CATEGORY
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  Blender reads it

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender for every drawing."""
        settings, colors = show_properties.of(context.scene), preferences.raw()
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "changes")
        column.prop(settings, "ghosts")
        column.prop(settings, "trails")
        column.prop(settings, "plain")
        around = column.column(align=True)
        around.active = settings.ghosts
        around.prop(settings, "around")
        around.prop(settings, "step")
        if colors is not None:  # the add-on may be used without being installed
            for name in preferences.Colors._fields:
                column.prop(colors, f"{name}_color")


CLASSES = (LIMBER_PT_show,)
