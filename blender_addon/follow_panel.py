"""What the panel shows of following: pins, path, waypoints. Drawing looks only at what is known; it never works."""

from __future__ import annotations

from typing import Any

import bpy

from . import follow_properties, properties

ICONS = {follow_properties.OBJECT: "EMPTY_DATA", follow_properties.POINT: "PIVOT_CURSOR",
         follow_properties.PRESENT: "ARMATURE_DATA"}  # fmt: skip


class LIMBER_UL_pins(bpy.types.UIList):
    """A pin a line: used or not, its name, its frames, hard or soft."""

    def draw_item(self, context: bpy.types.Context, layout: bpy.types.UILayout, data: Any, item: Any, icon: int,
                  active_data: Any, active_property: Any, index: Any = 0, flt_flag: Any = 0) -> None:  # fmt: skip
        """Called by Blender for every line."""
        row = layout.row(align=True)
        row.prop(item, "use", text="")
        name = row.row()
        name.active = item.use
        name.prop(item, "name", text="", emboss=False, icon=ICONS[item.source])  # type: ignore[arg-type]
        span = name.row()
        span.alignment = "RIGHT"
        span.label(text=frames_text(item.start, item.end))
        row.prop(item, "hard", text="", icon="PINNED" if item.hard else "UNPINNED", emboss=False)


class LIMBER_UL_waypoints(bpy.types.UIList):
    """A waypoint a line: its object, its frame, with or without a heading."""

    def draw_item(self, context: bpy.types.Context, layout: bpy.types.UILayout, data: Any, item: Any, icon: int,
                  active_data: Any, active_property: Any, index: Any = 0, flt_flag: Any = 0) -> None:  # fmt: skip
        """Called by Blender for every line."""
        row = layout.row(align=True)
        row.prop(item, "target", text="")
        row.prop(item, "frame", text="")
        row.prop(item, "use_heading", text="", icon="ORIENTATION_NORMAL")


def frames_text(start: int, end: int) -> str:
    """``43`` or ``10 to 43``."""
    return str(start) if start == end else f"{start} to {end}"


def draw(column: bpy.types.UILayout, obj: bpy.types.Object | None, scene: bpy.types.Scene) -> None:
    """Pins, path, waypoints, and what of the motion is kept; ``column`` splits properties."""
    if obj is None:
        return
    kept = follow_properties.of(obj)
    draw_pins(column, kept, obj)
    draw_path(column, kept)
    draw_waypoints(column, kept)
    settings = properties.settings(scene)
    column.prop(settings, "prompt")
    column.row().prop(kept, "motion", expand=True)
    if kept.motion == follow_properties.KEPT:
        column.prop(settings, "trust", slider=True)
        column.row().prop(settings, "keep_marked", expand=True)
    elif kept.motion == follow_properties.KEYS:
        column.row().prop(settings, "keep", expand=True)


def draw_pins(column: bpy.types.UILayout, kept: Any, obj: Any) -> None:
    """The list, the buttons that add to it, and the chosen pin."""
    box = column.box().column()
    row = box.row()
    row.label(text="Pins", icon="PINNED")
    row.prop(kept, "show", text="", icon="HIDE_OFF" if kept.show else "HIDE_ON", emboss=False)
    row = box.row()
    row.template_list("LIMBER_UL_pins", "", kept, "pins", kept, "pin", rows=3)
    row.operator("limber.pin_remove", text="", icon="REMOVE")
    grid = box.grid_flow(columns=2, even_columns=True, align=True)
    for name in ("pin_empty", "pin_object", "pin_here", "pin_present"):
        grid.operator(f"limber.{name}")
    box.operator("limber.pin_cursor", icon="PIVOT_CURSOR")
    if not 0 <= kept.pin < len(kept.pins):
        return
    pin = kept.pins[kept.pin]
    chosen = box.column()
    chosen.use_property_split, chosen.use_property_decorate = True, False
    chosen.prop_search(pin, "bone", obj.pose, "bones")
    chosen.prop(pin, "source")
    if pin.source == follow_properties.OBJECT:
        chosen.prop(pin, "target")
        if pin.target is not None and pin.target.type == "ARMATURE":
            chosen.prop_search(pin, "target_bone", pin.target.pose, "bones")
    elif pin.source == follow_properties.POINT:
        chosen.prop(pin, "place")
    chosen.prop(pin, "offset")
    pair = chosen.column(align=True)
    pair.prop(pin, "start")
    pair.prop(pin, "end")
    if not pin.hard:
        chosen.prop(pin, "firmness", slider=True)


def draw_path(column: bpy.types.UILayout, kept: Any) -> None:
    """The curve, its pace and its heading."""
    box = column.box().column()
    box.use_property_split, box.use_property_decorate = True, False
    row = box.row(align=True)
    row.prop(kept, "path", icon="CURVE_PATH")
    row.operator("limber.path_stroke", text="", icon="GREASEPENCIL")
    if kept.path is None:
        return
    box.row().prop(kept, "pace", expand=True)
    if kept.pace == follow_properties.SPEED:
        box.prop(kept, "speed")
    box.row().prop(kept, "heading", expand=True)
    box.prop(kept, "own_frames")
    if kept.own_frames:
        pair = box.column(align=True)
        pair.prop(kept, "start")
        pair.prop(kept, "end")


def draw_waypoints(column: bpy.types.UILayout, kept: Any) -> None:
    """The list and its buttons."""
    box = column.box().column()
    row = box.row(align=True)
    row.label(text="Waypoints", icon="EMPTY_AXIS")
    row.operator("limber.waypoint_add", text="", icon="ADD")
    row.operator("limber.waypoint_remove", text="", icon="REMOVE")
    if len(kept.waypoints):
        box.template_list("LIMBER_UL_waypoints", "", kept, "waypoints", kept, "waypoint", rows=2)


CLASSES = (LIMBER_UL_pins, LIMBER_UL_waypoints)
