"""What the drawing handlers share: lines, points and rectangles by Blender's own shaders, and the handlers' lives.

Everything expects to be called from a draw handler, where there is a region to draw into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import ArrayLike

Color = tuple[float, float, float, float]


def size(region: Any) -> tuple[int, int]:
    """Width and height of a region in pixels."""
    return region.width, region.height


@contextmanager
def blended() -> Iterator[None]:
    """Colours with opacity, for as long as this lasts."""
    gpu.state.blend_set("ALPHA")
    try:
        yield
    finally:
        gpu.state.blend_set("NONE")


def faint(color: Color, share: float) -> Color:
    """A colour with a share of its opacity."""
    return (*color[:3], share * color[3])


def batch(shader: str, kind: Any, points: ArrayLike, indices: Sequence[Sequence[int]] | None = None) -> Any:
    """Points ``(n, 2 or 3)`` on the graphics card, to be drawn with one of Blender's shaders."""
    found: Any = np.ascontiguousarray(points, np.float32)
    return batch_for_shader(gpu.shader.from_builtin(shader), kind, {"pos": found}, indices=indices)


LINE, DOT, FILL = "POLYLINE_UNIFORM_COLOR", "POINT_UNIFORM_COLOR", "UNIFORM_COLOR"
"""Blender's shaders for lines of any width, for points, and for areas."""


def lines(made: Any, color: Color, width: float, size: tuple[int, int]) -> None:
    """Draw a batch of lines (:data:`LINE`); ``width`` and the region's ``size`` in pixels."""
    shader = gpu.shader.from_builtin(LINE)
    shader.bind()
    shader.uniform_float("viewportSize", size)
    shader.uniform_float("lineWidth", width)
    shader.uniform_float("color", color)
    made.draw(shader)


def dots(made: Any, color: Color, size: float) -> None:
    """Draw a batch of points (:data:`DOT`); ``size`` in pixels."""
    shader = gpu.shader.from_builtin(DOT)
    shader.bind()
    shader.uniform_float("color", color)
    gpu.state.point_size_set(size)
    made.draw(shader)


def fill(corners: ArrayLike, color: Color) -> None:
    """Draw an area with four corners ``(4, 2)``, one after the other, in the region's pixels."""
    made = batch(FILL, "TRIS", corners, [(0, 1, 2), (0, 2, 3)])
    shader = gpu.shader.from_builtin(FILL)
    shader.bind()
    shader.uniform_float("color", color)
    made.draw(shader)


def diamond(x: float, y: float, r: float, color: Color) -> None:
    """Draw a diamond around a place in the region, ``r`` pixels from its middle to its corners."""
    fill([(x - r, y), (x, y + r), (x + r, y), (x, y - r)], color)


def box(left: float, right: float, bottom: float, top: float, color: Color) -> None:
    """Draw a rectangle in the region's pixels."""
    fill([(left, bottom), (left, top), (right, top), (right, bottom)], color)


live: list[Any] = []
"""Every drawing handler of the add-on's that Blender has now."""


class Handlers:
    """A module's drawing handlers."""

    def __init__(self) -> None:
        self._added: list[tuple[Any, Any]] = []

    def add(self, space: Any, function: Callable[[], None], when: str) -> None:
        """Have ``function`` called with every drawing of the main region of a kind of editor."""
        handle = space.draw_handler_add(function, (), "WINDOW", when)
        self._added.append((space, handle))
        live.append(handle)

    def remove(self) -> None:
        """Have none called any more, and what they drew drawn over."""
        while self._added:
            space, handle = self._added.pop()
            space.draw_handler_remove(handle, "WINDOW")
            live.remove(handle)
        redraw()


def redraw() -> None:
    """Have the editors that are drawn into drawn anew."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            for region in area.regions if area.type in ("VIEW_3D", "DOPESHEET_EDITOR") else ():
                if region.type == "WINDOW":
                    region.tag_redraw()


def tab_open(category: str, windows: Sequence[Any] | None = None) -> bool:
    """Whether any 3D view's sidebar shows the tab ``category``; in some windows, or in all."""
    manager = bpy.context.window_manager
    for window in (manager.windows if manager else ()) if windows is None else windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D" and area.spaces.active.show_region_ui:
                bars = (region for region in area.regions if region.type == "UI")
                if any(region.active_panel_category == category for region in bars):
                    return True
    return False
