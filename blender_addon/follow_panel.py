"""What the panel shows of following: pins, path, waypoints. Drawing looks only at what is known; it never works."""

from __future__ import annotations

from typing import Any

import bpy

from . import follow_properties, properties
from .translations import say

ICONS = {follow_properties.OBJECT: "EMPTY_DATA", follow_properties.POINT: "PIVOT_CURSOR",
         follow_properties.PRESENT: "ARMATURE_DATA"}  # fmt: skip


class LIMBER_UL_pins(bpy.types.UIList):
    """A pin a line: used or not, its name, its frames, hard or soft."""

    def draw_item(self, context: bpy.types.Context, layout: bpy.types.UILayout, data: Any, item: Any, icon: int,
                  active_data: Any, active_property: Any, index: Any = 0, flt_flag: Any = 0) -> None:  # fmt: skip
        """Called by Blender for every line."""
        row = layout.row(align=True)
        row.use_property_split = False
        row.prop(item, "use", text="")
        name = row.row()
        name.active = item.use
        name.prop(item, "name", text="", emboss=False, icon=ICONS[item.source])  # type: ignore[arg-type]
        span = name.row()
        span.alignment = "RIGHT"
        span.label(text=frames_text(item.start, item.end), translate=False)
        row.prop(item, "hard", text="", icon="PINNED" if item.hard else "UNPINNED", emboss=False)


class LIMBER_UL_waypoints(bpy.types.UIList):
    """A waypoint a line: its object, its frame, with or without a heading."""

    def draw_item(self, context: bpy.types.Context, layout: bpy.types.UILayout, data: Any, item: Any, icon: int,
                  active_data: Any, active_property: Any, index: Any = 0, flt_flag: Any = 0) -> None:  # fmt: skip
        """Called by Blender for every line."""
        row = layout.row(align=True)
        row.use_property_split = False
        row.prop(item, "target", text="")
        row.prop(item, "frame", text="")
        row.prop(item, "use_heading", text="", icon="ORIENTATION_NORMAL")


def frames_text(start: int, end: int) -> str:
    """``43`` or ``10 to 43``."""
    return str(start) if start == end else say("{start} to {end}", start=start, end=end)


def draw(column: bpy.types.UILayout, obj: bpy.types.Object | None, scene: bpy.types.Scene) -> None:
    """Pins, path, waypoints, and what of the motion is kept; ``column`` splits properties."""
    if obj is None or properties.under_review(obj):
        return  # the result is what counts then
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


def _part(column: bpy.types.UILayout, name: str, text: str, count: int, icon: str) -> Any:
    """Header and body of a part that folds up; no body while it is folded."""
    header, body = column.panel(f"limber_follow_{name}", default_closed=name == "waypoints")
    header.label(text=f"{text} ({count})" if count else text, icon=icon, translate=False)  # type: ignore[arg-type]
    if body is not None:
        body.use_property_split, body.use_property_decorate = True, False
    return header, body


def draw_pins(column: bpy.types.UILayout, kept: Any, obj: Any) -> None:
    """The list, the buttons that add to it, and the chosen pin."""
    header, body = _part(column, "pins", say("Pins"), len(kept.pins), "PINNED")
    header.prop(kept, "show", text="", icon="HIDE_OFF" if kept.show else "HIDE_ON", emboss=False)
    if body is None:
        return
    if len(kept.pins):
        row = body.row()
        row.template_list("LIMBER_UL_pins", "", kept, "pins", kept, "pin", rows=2)
        row.operator("limber.pin_remove", text="", icon="REMOVE")
    grid = body.grid_flow(columns=2, even_columns=True, align=True)
    for name in ("pin_empty", "pin_object", "pin_here", "pin_present"):
        grid.operator(f"limber.{name}")
    body.operator("limber.pin_cursor", icon="PIVOT_CURSOR")
    if 0 <= kept.pin < len(kept.pins):
        draw_pin(body, kept.pins[kept.pin], obj)


def draw_pin(body: bpy.types.UILayout, pin: Any, obj: Any) -> None:
    """The chosen pin; its offset and its bone fold up."""
    body.prop(pin, "source")
    if pin.source == follow_properties.OBJECT:
        body.prop(pin, "target")
        if pin.target is not None and pin.target.type == "ARMATURE":
            body.prop_search(pin, "target_bone", pin.target.pose, "bones")
    pair = body.row(align=True)
    pair.prop(pin, "start", text="Frames")
    pair.prop(pin, "end", text="")
    if not pin.hard:
        body.prop(pin, "firmness", slider=True)
    header, more = body.panel("limber_follow_pin", default_closed=True)
    header.label(text="More")
    if more is None:
        return
    more.use_property_split, more.use_property_decorate = True, False
    more.prop_search(pin, "bone", obj.pose, "bones")
    if pin.source == follow_properties.POINT:
        more.prop(pin, "place")
    more.prop(pin, "offset")


def draw_path(column: bpy.types.UILayout, kept: Any) -> None:
    """The curve, its pace and its heading."""
    _, body = _part(column, "path", say("Path"), int(kept.path is not None), "CURVE_PATH")
    if body is None:
        return
    row = body.row(align=True)
    row.prop(kept, "path", text="Curve")
    row.operator("limber.path_stroke", text="", icon="GREASEPENCIL")
    if kept.path is None:
        return
    body.row().prop(kept, "pace", expand=True)
    if kept.pace == follow_properties.SPEED:
        body.prop(kept, "speed")
    body.row().prop(kept, "heading", expand=True)
    body.prop(kept, "own_frames")
    if kept.own_frames:
        pair = body.row(align=True)
        pair.prop(kept, "start", text="Frames")
        pair.prop(kept, "end", text="")


def draw_waypoints(column: bpy.types.UILayout, kept: Any) -> None:
    """The list and its buttons."""
    header, body = _part(column, "waypoints", say("Waypoints"), len(kept.waypoints), "EMPTY_AXIS")
    row = header.row(align=True)
    row.operator("limber.waypoint_add", text="", icon="ADD")
    row.operator("limber.waypoint_remove", text="", icon="REMOVE")
    if body is not None and len(kept.waypoints):
        body.template_list("LIMBER_UL_waypoints", "", kept, "waypoints", kept, "waypoint", rows=2)


CLASSES = (LIMBER_UL_pins, LIMBER_UL_waypoints)
