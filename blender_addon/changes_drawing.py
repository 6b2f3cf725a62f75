"""Where a run will change something, before it is started: bones tinted in the viewport, frames and the keys that
stay marked in the dope sheet. Only while the Limber tab is open somewhere in the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import bpy
import numpy as np

from . import changes, checks, gpu_drawing, jobs, panels, preferences, properties, rigify_io, show_properties
from .changes import Changes
from .motion.bone_maps import BoneMap
from .motion.rotations import Array

WIDTH = 7.0
"""Of a tinted bone, pixels before the interface's scale."""
ELSEWHERE = 0.35
"""How much of its opacity is left of a bone that stays as it is at the current frame."""
SCRUBBED, STRIP = 23, 7
"""Heights of the dope sheet's row of frame numbers and of the strip below it, pixels before the interface's scale."""
WASH = 0.12
"""Opacity, of the strip's, over the frames' keys."""
AT_MOST = 2000
"""Marks in the strip; with more keys than pixels one would lie on the other."""


def wanted(context: Any) -> tuple[Any, Changes] | None:
    """The active armature and what a run on it will change; None: that is not to be shown here."""
    session, obj = jobs.current(), checks.active_armature(context)
    if session is None or obj is None or not show_properties.of(context.scene).changes:
        return None
    if properties.under_review(obj) or checks.running(obj) is not None or context.window is None:
        return None
    if not gpu_drawing.tab_open(panels.CATEGORY, (context.window,)):
        return None
    if session.preview.want(obj, session.characters.get(obj)):
        session.wake()
    found = session.preview.get(obj)
    return None if found is None else (obj, found)


def tinted(obj: Any, bone_map: BoneMap, found: Changes, frame: int) -> Mapping[bool, Array]:
    """Ends of the bones that change, in the world ``(2 n, 3)``: at the current frame, and at others only."""
    now, ends = found.at(frame), {True: [], False: []}
    matrix, controls = np.array(obj.matrix_world, np.float64), rigify_io.is_control_rig(obj, bone_map)
    for name in found.bones:
        bone = obj.pose.bones.get(rigify_io.seen_bone(obj, name) if controls else name)
        if bone is not None:
            ends[name in now].extend((tuple(bone.head), tuple(bone.tail)))
    return {here: np.array(points, np.float64).reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
            for here, points in ends.items()}  # fmt: skip


def draw_bones() -> None:
    """In the view's space."""
    context: Any = bpy.context
    if not context.space_data.overlay.show_overlays:
        return
    shown, session = wanted(context), jobs.current()
    if shown is None or session is None:
        return
    obj, found = shown
    character = session.characters.get(obj)
    if character is None or character.bone_map is None or not obj.visible_get():
        return
    ends = tinted(obj, character.bone_map, found, context.scene.frame_current)
    paint_bones(ends, gpu_drawing.size(context.region), context.preferences.system.ui_scale)


def paint_bones(ends: Mapping[bool, Array], size: tuple[int, int], scale: float) -> None:
    """Draw what :func:`tinted` found, in a region of a size in pixels; ``scale`` is the interface's."""
    color = preferences.colors().change
    with gpu_drawing.blended():
        for here, points in ends.items():
            if len(points):
                made = gpu_drawing.batch(gpu_drawing.LINE, "LINES", points)
                gpu_drawing.lines(made, gpu_drawing.faint(color, 1.0 if here else ELSEWHERE), WIDTH * scale, size)


def draw_frames() -> None:
    """In the dope sheet's pixels: a strip over the frames that change, and a mark for every kept key's frame."""
    context: Any = bpy.context
    shown, session = wanted(context), jobs.current()
    if shown is None or session is None:
        return
    _, found = shown
    if session.preview.by_selection:
        session.preview.doubt()  # that other keys are selected is told to nobody but this editor
        session.wake()
    view, height = context.region.view2d, context.region.height
    paint_frames(found, lambda frame: view.view_to_region(frame, 0, clip=False)[0], height,
                 context.preferences.system.ui_scale)  # fmt: skip


def paint_frames(found: Changes, x: Callable[[float], float], height: float, scale: float) -> None:
    """Draw the strip and the marks.

    Args:
        x: where a frame lies in the region; height: the region's. Pixels.
        scale: the interface's.
    """
    colors = preferences.colors()
    top = height - SCRUBBED * scale
    bottom = top - STRIP * scale
    with gpu_drawing.blended():
        for start, end in changes.spans(found.frames):
            gpu_drawing.box(x(start), x(end), bottom, top, colors.change)
            gpu_drawing.box(x(start), x(end), 0, bottom, gpu_drawing.faint(colors.change, WASH))
        for frame in found.kept[:AT_MOST]:
            gpu_drawing.diamond(x(float(frame)), (top + bottom) / 2, 0.7 * STRIP * scale, colors.keep)


handlers = gpu_drawing.Handlers()


def register() -> None:
    """Draw from now on."""
    handlers.add(bpy.types.SpaceView3D, draw_bones, "POST_VIEW")
    handlers.add(bpy.types.SpaceDopeSheetEditor, draw_frames, "POST_PIXEL")


def unregister() -> None:
    """Draw no more."""
    handlers.remove()
