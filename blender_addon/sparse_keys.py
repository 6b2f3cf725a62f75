"""Which of a result's frames get a key, where the animator wants few that can be edited.

A bone's channels of one property are keyed on the same frames. Beside a kept key every frame of ours stays:
the segment there takes its shape from the animator's own handles, which are not ours to fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .motion import sparse

SCALE = 0.005
"""What a scale may deviate by; nothing of ours animates it but rigs that stretch."""


@dataclass(frozen=True)
class Tolerance:
    """How far the curve between sparse keys may be from the result.

    Attributes:
        degrees: of a bone's rotation, in its own space.
        millimetres: of a bone's, or the object's, location.
    """

    degrees: float = 1.0
    millimetres: float = 5.0


def frames_kept(
    obj: Any, prop: str, frames: np.ndarray, values: np.ndarray, authored: Sequence[np.ndarray], tolerance: Tolerance
) -> np.ndarray:
    """Which frames of one bone's property get a key.

    Args:
        obj: the armature object, for its size.
        prop: a transform property; axis and angle are not reduced.
        frames: ``(n,)`` ascending; values: ``(n, k)``, the channels that are written.
        authored: frames of the kept keys, channel by channel.
        tolerance: what is allowed.

    Returns:
        ``(n,)`` bool.
    """
    deviation = _deviation(obj, prop, values.shape[1], tolerance)
    if deviation is None:
        return np.ones(len(frames), bool)
    return sparse.kept(frames, values, _beside(frames, authored), deviation)


def _deviation(obj: Any, prop: str, channels: int, tolerance: Tolerance) -> sparse.Deviation | None:
    if prop == "rotation_quaternion" and channels == 4:
        return sparse.quaternions(tolerance.degrees)
    if prop == "rotation_euler":
        return sparse.angles(tolerance.degrees)
    if prop == "location":
        return sparse.places(tolerance.millimetres / 1000 / _metres(obj))
    return sparse.places(SCALE) if prop == "scale" else None


def _metres(obj: Any) -> float:
    """How long, at most, one unit of the armature is in metres."""
    units = bpy.context.scene.unit_settings
    unit = 1.0 if units.system == "NONE" else float(units.scale_length)
    return unit * max(map(float, obj.matrix_world.to_scale()), key=abs, default=1.0) or 1.0


def _beside(frames: np.ndarray, authored: Sequence[np.ndarray]) -> np.ndarray:
    """Frames at and next to a kept key of any channel, and at both ends of a hole. ``(n,)`` bool."""
    out = np.zeros(len(frames), bool)
    for keyed in authored:
        at = np.searchsorted(frames, keyed)
        for near in (at - 1, at, at + 1):  # the frame before, the key's own or the one after, and its next
            out[near[(near >= 0) & (near < len(frames))]] = True
    hole = np.flatnonzero(np.diff(frames) > 1 + 1e-3)
    out[hole] = out[hole + 1] = True
    return out


def groups(channels: Mapping[tuple[str, int], Any]) -> dict[str, list[int]]:
    """Indices by data path, in the order of the channels."""
    out: dict[str, list[int]] = {}
    for path, index in channels:
        out.setdefault(path, []).append(index)
    return out
