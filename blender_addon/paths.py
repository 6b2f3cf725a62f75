"""Paths: a curve object as a line over the ground with a pace, and drawn strokes as curve objects."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from . import actions, pose_model
from .motion.errors import InvalidRequestError
from .motion.rotations import Array

STEPS = 64
"""Points from one control point of a Bezier curve to the next: less than 0.1 mm off a metre's quarter circle."""
TOLERANCE = 0.002
"""Of a stroke's length: how far its curve may be from it."""


def line(obj: Any) -> tuple[Array, bool]:
    """A curve object in the world, as it is now: points ``(n, 3)``, Blender's axes and units, and whether it is closed.

    Raises:
        InvalidRequestError: no curve, no spline or several, no length.
    """
    if obj is None or obj.type != "CURVE":
        raise InvalidRequestError("path", "its curve is gone", "Choose another curve, or none.")
    splines = obj.data.splines
    if len(splines) != 1:
        raise InvalidRequestError("path", f"{obj.name} has {len(splines)} splines, one is needed",
                                  "Join them, or separate the one that is walked.")  # fmt: skip
    spline = splines[0]
    changed = any(m.show_viewport for m in obj.modifiers) or obj.data.shape_keys is not None
    if spline.type == "BEZIER" and not changed:
        local = bezier(spline)
    elif spline.type == "POLY" and not changed:
        local = np.array([p.co[:3] for p in spline.points], np.float64)
    else:
        local = _evaluated(obj)
    matrix = np.array(obj.matrix_world, np.float64)
    points = local @ matrix[:3, :3].T + matrix[:3, 3]
    if not np.isfinite(points).all():
        raise InvalidRequestError("path", f"{obj.name} is not in a finite place")
    if len(points) < 2 or np.ptp(points[:, :2], axis=0).max() < 1e-6:
        raise InvalidRequestError(
            "path", f"{obj.name}: its length over the ground is zero", "Draw a longer one."
        )
    return points, bool(spline.use_cyclic_u)


def bezier(spline: Any) -> Array:
    """Points of a Bezier spline, control points among them; a closed one ends before its beginning. ``(n, 3)``."""
    knots = spline.bezier_points
    left, at, right = (np.array([getattr(k, name) for k in knots], np.float64).reshape(-1, 3)
                       for name in ("handle_left", "co", "handle_right"))  # fmt: skip
    after = np.roll(np.arange(len(knots)), -1)
    pieces = np.arange(len(knots) if spline.use_cyclic_u else len(knots) - 1)
    t = np.linspace(0, 1, STEPS, endpoint=False)[None, :, None]
    a, b, c, d = (x[pieces, None] for x in (at, right, left[after], at[after]))
    points = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    points = points.reshape(-1, 3)
    return points if spline.use_cyclic_u else np.concatenate([points, at[-1:]])


def _evaluated(obj: Any) -> Array:
    """NURBS, modifiers, shape keys: as Blender evaluates it, without thickness."""
    seen = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = seen.to_mesh()
    try:
        if mesh is None or len(mesh.polygons):
            raise InvalidRequestError("path", f"{obj.name} is evaluated to a surface, not to a line",
                                      "Give it no bevel and no extrusion.")  # fmt: skip
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        return points.reshape(-1, 3).astype(np.float64)
    finally:
        seen.to_mesh_clear()


def fractions(obj: Any, start: int, end: int) -> list[list[float]]:
    """``[[frame, share of the length], ...]`` from the curve's Evaluation Time.

    Raises:
        InvalidRequestError: it has no keys.
    """
    curve = obj.data
    data = curve.animation_data
    found = None
    if data is not None and data.action is not None:
        bag = actions.channelbag(data.action, data.action_slot, ensure=False)
        found = bag.fcurves.find("eval_time") if bag is not None else None
    if found is None or not len(found.keyframe_points):
        raise InvalidRequestError("path", f"{obj.name} has no keys on its Evaluation Time",
                                  "Key it under Object Data > Path Animation, or choose another pace.")  # fmt: skip
    frames = np.arange(start, end + 1, dtype=np.float64)
    share = pose_model.sample(found, frames) / max(float(curve.path_duration), 1e-9)
    return [[int(f), round(float(s), 7)] for f, s in zip(frames, np.clip(share, 0, 1), strict=True)]


# -- strokes ------------------------------------------------------------------------------------------


def last_stroke(context: bpy.types.Context) -> Array:
    """The last drawn stroke, in the world: of the selected Grease Pencil object, else an annotation. ``(n, 3)``.

    Raises:
        InvalidRequestError: there is none, or it has no length.
    """
    layer = context.view_layer
    drawings = [o for o in layer.objects if o.type == "GREASEPENCIL" and o.select_get()] if layer else []
    found = _pencil_stroke(drawings[0], context.scene) if drawings else _annotation(context.scene)
    if found is None:
        raise InvalidRequestError(
            "path", "there is no stroke", "Draw one with Annotate, or with Grease Pencil."
        )
    if len(found) < 2 or np.ptp(found, axis=0).max() < 1e-6:
        raise InvalidRequestError("path", "the stroke's length is zero", "Draw a longer one.")
    return found


def _annotation(scene: Any) -> Array | None:
    pencil = scene.annotation if hasattr(scene, "annotation") else scene.grease_pencil  # Blender 5, Blender 4
    if pencil is None or not len(pencil.layers):
        return None
    frames = pencil.layers[max(pencil.layers.active_index, 0)].frames
    # the frame that is shown; which one is active Blender says only once it has drawn it
    there = [f for f in frames if f.frame_number <= scene.frame_current] or list(frames)[:1]
    strokes: Any = max(there, key=lambda f: f.frame_number).strokes if there else ()
    if not len(strokes):
        return None
    points = np.array([p.co for p in strokes[-1].points], np.float64).reshape(-1, 3)
    if getattr(strokes[-1], "display_mode", "3DSPACE") != "3DSPACE":  # Blender 4 does not tell
        raise InvalidRequestError("path", "the stroke lies on the screen, not in the scene",
                                  "Set the Annotate tool's placement to 3D Cursor or Surface.")  # fmt: skip
    return points


def _pencil_stroke(obj: Any, scene: Any) -> Array | None:
    layer = obj.data.layers.active
    frame = layer.get_frame_at(scene.frame_current) if layer is not None else None
    if frame is None or not len(frame.drawing.strokes):
        return None
    points = np.array([p.position for p in frame.drawing.strokes[-1].points], np.float64).reshape(-1, 3)
    matrix = np.array(obj.matrix_world, np.float64) @ np.array(layer.matrix_local, np.float64)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def simplified(points: Array, tolerance: float) -> Array:
    """The points of a line that it is not farther than ``tolerance`` from (Douglas and Peucker 1973)."""
    kept = np.zeros(len(points), bool)
    kept[[0, -1]] = True
    pending = [(0, len(points) - 1)]
    while pending:
        low, high = pending.pop()
        if high - low < 2:
            continue
        along = points[high] - points[low]
        away = points[low + 1 : high] - points[low]
        share = np.clip((away @ along) / max(float(along @ along), 1e-18), 0, 1)
        far = np.linalg.norm(away - share[:, None] * along, axis=-1)
        worst = int(np.argmax(far))
        if far[worst] > tolerance:
            kept[low + 1 + worst] = True
            pending += [(low, low + 1 + worst), (low + 1 + worst, high)]
    return points[kept]


def to_curve(points: Array, name: str, scene: Any) -> Any:
    """A new curve object through a stroke, with smooth handles."""
    length = float(np.linalg.norm(np.diff(points, axis=0), axis=-1).sum())
    knots = simplified(points, TOLERANCE * length)
    data: Any = bpy.data.curves.new(name, "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("BEZIER")
    spline.bezier_points.add(len(knots) - 1)
    for knot, place in zip(spline.bezier_points, knots, strict=True):
        knot.co = place.tolist()
        knot.handle_left_type = knot.handle_right_type = "AUTO"
    made = bpy.data.objects.new(name, data)
    scene.collection.objects.link(made)
    return made
