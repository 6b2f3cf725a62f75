"""Few keys for dense motion: cubic Hermite segments that stay within a tolerance.

The slope at a key is the dense motion's own (central differences), so the curve through the keys has no
corners, and a key's two handles lie on one line. Keys are chosen from left to right, each as far from the
one before as the tolerance lets it be.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

Array = np.ndarray
Deviation = Callable[[Array, Array], Array]
"""How far values ``(m, k)`` are from ``(m, k)``, as a share of what is allowed: ``(m,)``."""


def slopes(frames: Array, values: Array) -> Array:
    """Central differences, one-sided at the ends. ``(n,), (n, k) -> (n, k)``, values per frame."""
    if len(frames) < 2:
        return np.zeros_like(values)
    return np.gradient(values, frames, axis=0)


def hermite(frames: Array, values: Array, slope: Array, at: Array) -> Array:
    """The cubic through two keys with these slopes.

    Args:
        frames: ``(2,)``; values, slope: ``(2, k)``; at: ``(m,)`` frames.

    Returns:
        ``(m, k)``.
    """
    length = frames[1] - frames[0]
    t = ((at - frames[0]) / length)[:, None]
    a, b = values
    da, db = slope * length
    return a + t * (da + t * (3 * (b - a) - 2 * da - db + t * (2 * (a - b) + da + db)))


def curve(frames: Array, values: Array, keep: Array) -> Array:
    """The motion as its keys give it. ``(n,), (n, k)``, which frames have a key ``(n,)`` bool -> ``(n, k)``."""
    slope, out = slopes(frames, values), values.copy()
    for a, b in itertools.pairwise(np.flatnonzero(keep)):
        ends = [a, b]
        out[a : b + 1] = hermite(frames[ends], values[ends], slope[ends], frames[a : b + 1])
    return out


def kept(frames: Array, values: Array, fixed: Array, deviation: Deviation) -> Array:
    """Which frames need a key, so that the curve through them deviates nowhere by more than is allowed.

    Args:
        frames: ``(n,)``, ascending; values: ``(n, k)``, the channels that share their keyed frames.
        fixed: ``(n,)`` bool, frames that have a key in any case; the first and last always have one.
        deviation: measures at the frames in between.

    Returns:
        ``(n,)`` bool.
    """
    out = np.array(fixed, bool)
    if not len(out):
        return out
    out[[0, -1]] = True
    slope, forced = slopes(frames, values), np.flatnonzero(out)

    def fits(a: int, b: int) -> bool:
        ends = [a, b]
        between = slice(a + 1, b)
        curve = hermite(frames[ends], values[ends], slope[ends], frames[between])
        return b - a < 2 or bool((deviation(curve, values[between]) <= 1).all())

    for start, end in itertools.pairwise(forced):
        at, stop = int(start), int(end)
        while at < stop:
            near, far = at + 1, min(at + 2, stop)  # the next frame always fits; strides double while they do
            while far > near and fits(at, far):
                near, far = far, min(far + 2 * (far - at), stop)
            while far - near > 1:
                middle = (near + far) // 2
                near, far = (middle, far) if fits(at, middle) else (near, middle)
            out[near] = True
            at = near
    return out


def quaternions(degrees: float) -> Deviation:
    """Of quaternions ``(m, 4)`` of one sign, of any length: what lies between keys is not of length one."""

    def measure(a: Array, b: Array) -> Array:
        chord = np.linalg.norm(_unit(a) - _unit(b), axis=-1)
        return np.degrees(4 * np.arcsin(np.minimum(chord / 2, 1))) / degrees

    return measure


def _unit(q: Array) -> Array:
    return q / np.maximum(np.linalg.norm(q, axis=-1, keepdims=True), 1e-12)


def angles(degrees: float) -> Deviation:
    """Of Euler angles in radians ``(m, k)``: the turns about the axes add up to no less than the whole turn."""

    def measure(a: Array, b: Array) -> Array:
        return np.degrees(np.abs(a - b).sum(-1)) / degrees

    return measure


def places(distance: float) -> Deviation:
    """Of points ``(m, k)``, or parts of them, in the unit of ``distance``."""

    def measure(a: Array, b: Array) -> Array:
        return np.linalg.norm(a - b, axis=-1) / distance

    return measure
