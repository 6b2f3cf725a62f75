"""Ghosts and trails in the viewport: the model's result and plain interpolation beside it, while it is pending.

Stick figures at frames around the current one, and the ways of chosen joints with a dot for every frame. What is
drawn stays on the graphics card (:class:`.pending.Shown`); a redraw sends nothing but colours and a matrix.
"""

from __future__ import annotations

from typing import Any

import bpy
import gpu
from mathutils import Matrix

from . import checks, gpu_drawing, pending, preferences, show_properties
from .gpu_drawing import Color
from .motion.figures import Figure, window
from .pending import Shown

CLEAREST, FAINTEST = 0.9, 0.15
"""Opacity of the ghost at the current frame, and what that of the farthest comes near."""
TRAIL = 0.5
"""Opacity of a trail's line; its dots are clear."""
WIDTH, TRAIL_WIDTH, DOT = 2.5, 1.2, 3.0
"""Pixels, before the interface's scale."""
AT_MOST = 400
"""Batches kept of one result: a long shuttle through it makes many."""


def wanted(context: Any) -> tuple[Any, Shown] | None:
    """The armature object whose results are drawn in a view, and what of them; None: nothing is."""
    obj, space = checks.active_armature(context), context.space_data
    if obj is None or space is None or not space.overlay.show_overlays or not obj.visible_get():
        return None
    job = checks.running(obj)
    shown = job.so_far if job is not None and job.so_far is not None else pending.find(obj)
    return None if shown is None else (obj, shown)


def figures(obj: Any, shown: Shown, settings: Any) -> list[tuple[str, Figure, Color]]:
    """Which figures are drawn, the model's last, so that it lies above; name, figure and colour of each."""
    colors, out = preferences.colors(), []
    if settings.plain and shown.plain is not None:
        out.append(("plain", shown.plain, colors.plain))
    model = pending.model(obj, shown)
    out.append((f"model {shown.models.index(model)}", model, colors.model))
    return out


def opacity(frame: int, current: int, around: int, step: int) -> float:
    """Of a ghost ``frame - current`` away, where the farthest is ``around`` steps away."""
    return CLEAREST - (CLEAREST - FAINTEST) * abs(frame - current) / (step * (around + 1))


def draw() -> None:
    """In the view's space."""
    context = bpy.context
    found = wanted(context)
    if found is None:
        return
    paint(*found, context.scene, gpu_drawing.size(context.region), context.preferences.system.ui_scale)


def paint(obj: Any, shown: Shown, scene: Any, size: tuple[int, int], scale: float) -> None:
    """Draw with the matrices that are set, in a region of a size in pixels; ``scale`` is the interface's."""
    settings, now = show_properties.of(scene), scene.frame_current
    matrix: Any = gpu.matrix  # the stubs do not know its context
    with gpu_drawing.blended(), matrix.push_pop():
        matrix.multiply_matrix(Matrix(shown.matrix(obj).tolist()))
        for name, figure, color in figures(obj, shown, settings):
            if settings.trails:
                for bone in pending.trailed(obj, shown):
                    line, dotted = _trail(shown, name, figure, bone)
                    gpu_drawing.lines(line, gpu_drawing.faint(color, TRAIL), TRAIL_WIDTH * scale, size)
                    gpu_drawing.dots(dotted, color, DOT * scale)
            if settings.ghosts:
                for frame in window(now, settings.around, settings.step, shown.first, shown.last):
                    clear = opacity(frame, now, settings.around, settings.step)
                    ghost = _ghost(shown, name, figure, frame)
                    gpu_drawing.lines(ghost, gpu_drawing.faint(color, clear), WIDTH * scale, size)


def _ghost(shown: Shown, name: str, figure: Figure, frame: int) -> Any:
    key = (name, frame)
    if key not in shown.batches:
        if len(shown.batches) >= AT_MOST:
            shown.batches.clear()
        shown.batches[key] = gpu_drawing.batch(gpu_drawing.LINE, "LINES", figure.sticks(frame - shown.first))
    return shown.batches[key]


def _trail(shown: Shown, name: str, figure: Figure, bone: str) -> tuple[Any, Any]:
    key = (name, bone)
    if key not in shown.batches:
        points = figure.trail(bone)[shown.start - shown.first : shown.end + 1 - shown.first]
        shown.batches[key] = (gpu_drawing.batch(gpu_drawing.LINE, "LINE_STRIP", points),
                              gpu_drawing.batch(gpu_drawing.DOT, "POINTS", points))  # fmt: skip
    return shown.batches[key]


handlers = gpu_drawing.Handlers()


def register() -> None:
    """Draw from now on."""
    handlers.add(bpy.types.SpaceView3D, draw, "POST_VIEW")


def unregister() -> None:
    """Draw no more, and forget what was drawn."""
    handlers.remove()
    pending.forget()
