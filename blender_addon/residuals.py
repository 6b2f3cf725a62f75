"""What keeps a generated curve running through an animator's keys.

At a bone's own keys its pose differs a little from the generated one: the canonical skeleton has
no fingers, three spine joints, no twist bones. That difference is found at the keys, interpolated
between them, held beyond the first and last, and added to what was generated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .motion import rotations
from .motion.rotations import Array

Indices = NDArray[np.intp]


def _between(times: Array, at: Array) -> tuple[Indices, Indices, Array]:
    """Neighbouring indices and the fraction between them; ends are held. 3 x ``(n,)``."""
    at = np.clip(at, times[0], times[-1])
    low = np.clip(np.searchsorted(times, at, side="right") - 1, 0, max(len(times) - 2, 0))
    high = np.minimum(low + 1, len(times) - 1)
    span = np.where(high > low, times[high] - times[low], 1.0)
    return low, high, (at - times[low]) / span


def at_times(values: Array, frames: Array, times: Array) -> Array:
    """Rotations ``(F, 4)`` or vectors ``(F, 3)`` at other times. ``(n, 4 or 3)``."""
    low, high, t = _between(frames, times)
    if values.shape[-1] == 4:
        out = rotations.slerp(values[low], values[high], t)
        exact = (t == 0) | (t == 1)
        out[exact] = np.where(t[exact, None] == 0, values[low][exact], values[high][exact])
        return out
    return values[low] + (values[high] - values[low]) * t[:, None]


def turned(made: Array, frames: Array, key_frames: Array, keyed: Array) -> Array:
    """Generated rotations ``(F, 4)`` led through the keyed ones ``(K, 4)``. ``(F, 4)``."""
    if not len(key_frames):
        return made
    there = at_times(made, frames, key_frames)
    off = rotations.continuous(rotations.multiply(rotations.inverse(there), keyed))
    return rotations.multiply(made, at_times(off, key_frames, frames))


def shifted(made: Array, frames: Array, key_frames: Array, keyed: Array) -> Array:
    """Generated locations ``(F, 3)`` led through the keyed ones ``(K, 3)``. ``(F, 3)``."""
    if not len(key_frames):
        return made
    off = keyed - at_times(made, frames, key_frames)
    return made + at_times(off, key_frames, frames)
