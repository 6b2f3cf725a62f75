"""The "Retarget" panel: clips onto the active armature, and which bone plays which role on both.

Drawing looks only at what is known; it never works.
"""

from __future__ import annotations

import bpy

from . import checks, retargeting
from .motion.bone_maps import ROLES, BoneMap
from .operators import retarget
from .panels import CATEGORY, wrapped
from .translations import say, shown

SHOWN = 5
"""Clips that failed, of which the panel tells; the others are counted."""


class LIMBER_PT_retarget(bpy.types.Panel):
    """Where the motion comes from, how it is retargeted, the button."""

    bl_idname = "LIMBER_PT_retarget"
    bl_label = "Retarget"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  Blender reads it

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender for every drawing."""
        layout = self.layout
        if layout is None:
            return
        chosen = retarget.settings(context.scene)
        width = context.region.width if context.region else 300
        layout.row().prop(chosen, "what", expand=True)
        layout.prop(chosen, "path" if chosen.what == "FILES" else "source", text="")
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.row().prop(chosen, "feet", expand=True)
        column.row().prop(chosen, "hands", expand=True)
        column.prop(chosen, "root")
        column.prop(chosen, "in_place")
        run = retargeting.latest()
        if run is not None and run.state == retargeting.RUNNING:
            layout.progress(factor=run.share, type="BAR", text=shown(run.text))
            layout.operator("limber.retarget_cancel", icon="X")
            return
        row = layout.row()
        row.scale_y = 1.5
        row.operator("limber.retarget", icon="ARMATURE_DATA")
        reason = retarget.why_not(context)
        if reason:
            wrapped(layout, reason, width, "INFO")
        if run is not None:
            draw_outcome(layout, run, width)


def draw_outcome(layout: bpy.types.UILayout, run: retargeting.Retargeting, width: int) -> None:
    """What came of the last run, and which clips failed."""
    if run.state == retargeting.FAILED:
        wrapped(layout, run.problem, width, "ERROR")
        return
    said = shown(run.summary()) + (say(", cancelled") if run.state == retargeting.CANCELLED else "")
    wrapped(layout, said, width, "CHECKMARK" if run.state == retargeting.DONE else "INFO")
    for text in run.failed[:SHOWN]:
        wrapped(layout, text, width, "ERROR")


def surety(bone_map: BoneMap) -> str:
    """Which family of names a map is of, and how sure it is where it is least so."""
    least = min(bone_map.confidence.values(), default=1.0)
    sure = say("{share} sure" if least > 0.995 else "each at least {share} sure", share=f"{least:.0%}")
    counted = say("{count} of {total} roles", count=len(bone_map.bones), total=len(ROLES))
    return f"{bone_map.preset}, {counted}, {sure}"


class LIMBER_PT_retarget_bones(bpy.types.Panel):
    """Roles, the bones of both armatures, and how sure the map is; a click changes a bone."""

    bl_idname = "LIMBER_PT_retarget_bones"
    bl_label = "Bones"
    bl_parent_id = "LIMBER_PT_retarget"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  Blender reads it

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender for every drawing."""
        layout = self.layout
        if layout is None:
            return
        width = context.region.width if context.region else 300
        layout.operator("limber.retarget_look", icon="VIEWZOOM")
        found = {
            side: retarget.known_map(retarget.armature_of(context, side)) for side in ("SOURCE", "TARGET")
        }
        for side, bone_map in found.items():
            if bone_map is not None:
                wrapped(layout, f"{say(side.title())}: {surety(bone_map)}", width, "ARMATURE_DATA")
        column = layout.column(align=True)
        for role in ROLES:
            row = column.row(align=True)
            row.label(text=say(role.replace("_", " ")).title(), translate=False)
            for side, bone_map in found.items():
                if bone_map is None:
                    continue
                names = bone_map.bones.get(role, ())
                doubtful = bool(names) and bone_map.confidence[role] < 0.6
                cell = row.row(align=True)
                cell.alert = doubtful
                text = say("none") if not names else names[0] + (f" +{len(names) - 1}" if len(names) > 1 else "")
                change = cell.operator(
                    "limber.retarget_bone", text=text, icon="ERROR" if doubtful else "NONE", translate=False
                )
                change.side, change.role = side, role  # type: ignore[attr-defined]
                change.bone = names[0] if names else ""  # type: ignore[attr-defined]
        if checks.active_armature(context) is not None:
            for name in ("t_pose", "save_map", "load_map", "forget"):
                layout.operator(f"limber.retarget_{name}")


CLASSES = (LIMBER_PT_retarget, LIMBER_PT_retarget_bones)
