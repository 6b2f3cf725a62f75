"""Few keys for dense motion: cubic Hermite curves that stay within a tolerance.

First the fewest keys whose segments, with the motion's own slopes (central differences), stay near enough
(a shortest path over all segments that do); then values and slopes at these keys by least squares, so that
the curve has no corners and its keys need not be where the motion trembles. Which keys more are needed, for
the places of a body's joints too, is found in :mod:`.sparse_body`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Deviation = Callable[[Array, Array], Array]
"""How far values ``(m, k)`` are from ``(m, k)``, as a share of what is allowed: ``(m,)``."""

STRIDES = (*range(2, 25), 28, 32, 40, 48, 64, 96, 128, 192, 256, 384, 512)
"""Frames that a segment may span at first."""
EVEN = 0.3
"""Of a key: what a segment that uses up all that is allowed costs more than one that is exact."""
HOLD, LOOSE = 1e6, 1e-3
"""Weights of a key's own value: where it may not move, and where least squares are to be well posed."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A cubic Hermite curve.

    Attributes:
        at: ``(K,)`` indices of its keys among the frames; the first and the last frame have one.
        values, slopes: ``(K, k)``, slopes per frame.
    """

    at: Array
    values: Array
    slopes: Array


def slopes(frames: Array, values: Array) -> Array:
    """Central differences, one-sided at the ends. ``(n,), (n, k) -> (n, k)``, values per frame."""
    if len(frames) < 2:
        return np.zeros_like(values)
    return np.gradient(values, frames, axis=0)


def hermite(t: Array, length: Array) -> tuple[Array, Array, Array, Array]:
    """What first value, first slope, last value and last slope count at ``t`` in 0..1; shapes are broadcast."""
    s = 1 - t
    return (1 + 2 * t) * s * s, length * t * s * s, t * t * (3 - 2 * t), -length * t * t * s


def _spans(frames: Array, at: Array) -> tuple[Array, Array]:
    """For every frame but the last its segment's number, and what the segment's two keys count there: ``(4, n)``."""
    spans = np.repeat(np.arange(len(at) - 1), np.diff(at))
    start, length = frames[at[:-1]][spans], np.diff(frames[at])[spans]
    return spans, np.stack(hermite((frames[:-1] - start) / length, length))


def sampled(frames: Array, curve: Curve) -> Array:
    """The curve's values at all frames. ``(n,) -> (n, k)``."""
    spans, share = _spans(frames, curve.at)
    out = np.empty((len(frames), curve.values.shape[1]))
    out[-1] = curve.values[-1]
    a, da, b, db = share[..., None]
    v, m = curve.values, curve.slopes
    out[:-1] = a * v[spans] + da * m[spans] + b * v[spans + 1] + db * m[spans + 1]
    return out


def exact(values: Array, slope: Array, keep: Array) -> Curve:
    """The curve through the motion's own values with its own slopes. Arguments as in :func:`fitted`."""
    at = np.flatnonzero(keep)
    return Curve(at, values[at], slope[at])


def fitted(frames: Array, values: Array, slope: Array, keep: Array, held: Array, firm: Array) -> Curve:
    """The curve with these keys that is nearest to the motion in the sense of least squares.

    Args:
        frames: ``(n,)``, ascending; values: ``(n, k)``; slope: :func:`slopes` of them.
        keep: ``(n,)`` bool, frames with a key; the first and the last have one.
        held: ``(n,)`` bool, keys that have the motion's own value.
        firm: ``(n,)`` bool, keys that have the motion's own slope.
    """
    rough = exact(values, slope, keep)
    at, keys = rough.at, len(rough.at)
    if keys < 2 or keys == len(frames):
        return rough
    spans, share = _spans(frames, at)
    # 1. every segment adds a 4 x 4 block to the equations of its two keys: value, slope, value, slope
    blocks = np.empty((4, 4, keys - 1))
    for i, j in itertools.product(range(4), repeat=2):
        blocks[i, j] = np.bincount(spans, share[i] * share[j], keys - 1) if i <= j else blocks[j, i]
    matrix = np.zeros((2 * keys, 2 * keys))
    right = np.zeros((2 * keys, values.shape[1]))
    first = 2 * np.arange(keys - 1)
    for i in range(4):
        for j in range(4):
            matrix[first + i, first + j] += blocks[i, j]
        for k in range(values.shape[1]):
            right[first + i, k] += np.bincount(spans, share[i] * values[:-1, k], keys - 1)
    # 2. what holds a key
    own = np.where(np.stack([held[at], firm[at]], -1), HOLD, LOOSE).ravel()
    matrix[np.arange(2 * keys), np.arange(2 * keys)] += own
    right += own[:, None] * np.stack([rough.values, rough.slopes], 1).reshape(2 * keys, -1)
    found = np.linalg.solve(matrix, right).reshape(keys, 2, -1)
    return Curve(at, np.where(held[at][:, None], rough.values, found[:, 0]),
                 np.where(firm[at][:, None], rough.slopes, found[:, 1]))  # fmt: skip


def fewest(
    frames: Array, values: Array, slope: Array, fixed: Array, deviation: Deviation
) -> Generator[None, None, Array]:
    """Which frames need a key, so that the curve with the motion's own values and slopes stays near enough.

    Args:
        frames: ``(n,)``, ascending; values: ``(n, k)``, the channels that share their keyed frames.
        slope: :func:`slopes` of them.
        fixed: ``(n,)`` bool, frames that have a key in any case; the first and last always have one.
        deviation: measures at the frames in between.

    Returns:
        ``(n,)`` bool; yields every few milliseconds.
    """
    out, count = np.array(fixed, bool), len(frames)
    if not count:
        return out
    out[[0, -1]] = True
    forced = np.flatnonzero(out)
    until = forced[np.searchsorted(forced, np.arange(count - 1), side="right")]  # no segment spans a forced key
    # 1. which strides fit, from every frame; a longer one is tried only where the one before did
    cost = np.full((count, len(STRIDES) + 1), np.inf)
    cost[:, 0] = 1.0
    start = np.arange(count - 1)
    for n, stride in enumerate(STRIDES):
        start = start[start + stride <= until[start]]
        if not len(start):
            break
        stop, between = start + stride, start[:, None] + np.arange(1, stride)
        length = (frames[stop] - frames[start])[:, None]
        a, da, b, db = (x[..., None] for x in hermite((frames[between] - frames[start][:, None]) / length, length))
        made = (a * values[start][:, None] + da * slope[start][:, None]
                + b * values[stop][:, None] + db * slope[stop][:, None])  # fmt: skip
        channels = values.shape[1]
        off = deviation(made.reshape(-1, channels), values[between].reshape(-1, channels))
        worst = off.reshape(between.shape).max(1)
        start = start[worst <= 1]
        cost[start, n + 1] = 1 + EVEN * worst[worst <= 1] ** 2
        yield
    # 2. the cheapest way from the first frame to the last
    used = int(np.flatnonzero((cost < np.inf).any(0))[-1]) + 1 if count > 1 else 1
    strides = np.array([1, *STRIDES])[:used]
    total = np.full(count + int(strides[-1]), np.inf)  # some room behind, that no way leads to
    before = np.zeros(len(total), int)
    total[0] = 0
    for i in range(count - 1):
        reached = i + strides
        least = total[i] + cost[i, :used]
        better = reached[least < total[reached]]
        total[reached] = np.minimum(least, total[reached])
        before[better] = i
        if i % 64 == 0:
            yield
    at = count - 1
    while at > 0:
        out[at], at = True, int(before[at])
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
