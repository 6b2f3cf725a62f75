"""The keys of one F-curve as an array, every field of them, and back again bit for bit.

What a tool makes is marked: type ``GENERATED``, and the key's ``back`` field, which no interpolation
but *Back* looks at, repeats its value. Blender keeps that type when a person inserts a key over such
a key, so the type alone would take the animator's correction for ours; the value then differs from
``back`` and the key counts as the animator's.
"""

from __future__ import annotations

from typing import Any, cast

import bpy
import numpy as np

RECORD = np.dtype(
    [
        ("frame", "f4"), ("value", "f4"), ("left", "f4", 2), ("right", "f4", 2),
        ("back", "f4"), ("amplitude", "f4"), ("period", "f4"),
        ("left_type", "u1"), ("right_type", "u1"), ("interpolation", "u1"), ("easing", "u1"), ("type", "u1"),
        ("selected", "?"),
    ]
)  # fmt: skip
"""One key as Blender stores it; enums are Blender's own numbers, see :func:`enum_name`."""

_RNA = {"left_type": "handle_left_type", "right_type": "handle_right_type", "interpolation": "interpolation",
        "easing": "easing", "type": "type", "back": "back", "amplitude": "amplitude", "period": "period",
        "selected": "select_control_point", "left": "handle_left", "right": "handle_right"}  # fmt: skip


def _property(field: str) -> bpy.types.EnumProperty:
    """What Blender says of a keyframe's field."""
    return cast("bpy.types.EnumProperty", bpy.types.Keyframe.bl_rna.properties[_RNA[field]])


def enum_value(field: str, name: str) -> int:
    """Blender's number of an enum entry, e.g. ``("type", "GENERATED")``."""
    return int(_property(field).enum_items[name].value)


def enum_name(field: str, value: int) -> str:
    """Name of an enum entry from a record's number."""
    items = _property(field).enum_items
    return next(item.identifier for item in items if item.value == value)


def read_records(fcurve: Any) -> np.ndarray:
    """Every key of an F-curve. ``(n,)`` of dtype ``RECORD``; empty for baked samples."""
    points = fcurve.keyframe_points
    n = len(points)
    out = np.zeros(n, RECORD)
    if n == 0:
        return out
    co = np.empty(2 * n, np.float32)
    points.foreach_get("co", co)
    out["frame"], out["value"] = co[0::2], co[1::2]
    for field, name in _RNA.items():
        kind, shape = (RECORD[field].subdtype or (RECORD[field], ()))
        flat = np.empty(n * (shape[0] if shape else 1), kind)
        points.foreach_get(name, flat)
        out[field] = flat.reshape(n, *shape)
    return out


def write_records(fcurve: Any, records: np.ndarray) -> None:
    """Make ``records`` (in time order) the F-curve's only keys, bit for bit; all become selected."""
    points = fcurve.keyframe_points
    n = len(records)
    points.clear()
    points.add(n)
    if n == 0:
        return
    # Handles are written last and F-curve.update() is never called: it would recompute the
    # animator's automatic handles from our neighbouring keys.
    points.foreach_set("co", np.stack([records["frame"], records["value"]], -1).ravel())
    for field, name in _RNA.items():
        if field != "selected":
            points.foreach_set(name, np.ascontiguousarray(records[field]).ravel())


def authored(records: np.ndarray) -> np.ndarray:
    """Which keys a person set or corrected, as against made by a tool. ``(n,)`` bool."""
    ours = records["type"] == enum_value("type", "GENERATED")
    return ~(ours & (records["back"].view(np.uint32) == records["value"].view(np.uint32)))


def generated_records(frames: np.ndarray, values: np.ndarray, interpolation: str = "LINEAR") -> np.ndarray:
    """Keys as a tool makes them, with handles that lie on the polyline. ``(n,)`` of ``RECORD``."""
    out = np.zeros(len(frames), RECORD)
    out["frame"], out["value"] = frames, values
    frames, values = out["frame"].astype(np.float64), out["value"].astype(np.float64)
    point = np.stack([frames, values], -1)
    step = np.diff(point, axis=0) / 3
    out["left"], out["right"] = point - (1 / 3, 0), point + (1 / 3, 0)
    if len(point) > 1:
        out["left"][1:], out["right"][:-1] = point[1:] - step, point[:-1] + step
    out["left_type"] = out["right_type"] = enum_value("left_type", "AUTO_CLAMPED")
    out["interpolation"] = enum_value("interpolation", interpolation)
    out["type"] = enum_value("type", "GENERATED")
    out["back"] = out["value"]
    return out


def curved(records: np.ndarray, slopes: np.ndarray, bridged: np.ndarray) -> np.ndarray:
    """The same keys, with Bezier segments where frames between them were left out.

    Handles a third of the way make the time of the curve even, so that it is the cubic Hermite curve with
    these slopes. Both handles lie on one line where both sides are curves.

    Args:
        records: ``(n,)`` of :func:`generated_records`.
        slopes: ``(n,)``, value per frame.
        bridged: ``(n - 1,)`` bool, segments that are to be curves.
    """
    out = records.copy()
    frame, value = out["frame"].astype(np.float64), out["value"].astype(np.float64)
    third = np.diff(frame) / 3
    at = np.flatnonzero(bridged)
    out["right"][at] = np.stack([frame[at] + third[at], value[at] + slopes[at] * third[at]], -1)
    out["left"][at + 1] = np.stack(
        [frame[at + 1] - third[at], value[at + 1] - slopes[at + 1] * third[at]], -1
    )
    out["interpolation"][at] = enum_value("interpolation", "BEZIER")
    free, aligned = enum_value("left_type", "FREE"), enum_value("left_type", "ALIGNED")
    before = np.concatenate([[False], bridged])
    after = np.concatenate([bridged, [False]])
    kind = np.where(before & after, aligned, free)
    out["left_type"] = np.where(before | after, kind, out["left_type"])
    out["right_type"] = np.where(before | after, kind, out["right_type"])
    return out
