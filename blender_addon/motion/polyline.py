"""Lines over the ground: their length, where one is after some way, which way one looks there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .rotations import Array

LOOK = 0.1
"""Metres of the line before and behind by which its direction is told, so that a corner is turned, not jumped."""
SAME = 1e-6
"""Metres; points nearer than this are one."""
STEPS = 32
"""Points of a smooth line from one of its knots to the next."""


def over_ground(points: ArrayLike, closed: bool = False) -> Array:
    """Places ``(N, 3)``, y up, as a line over the ground ``(M, 2)`` (x, z) without repeated points.

    Args:
        points: in order.
        closed: the line goes on from the last point to the first.
    """
    flat = np.asarray(points, np.float64)[:, [0, 2]]
    if closed and len(flat) > 1:
        flat = np.concatenate([flat, flat[:1]])
    moved = np.linalg.norm(np.diff(flat, axis=0), axis=-1) > SAME
    return flat[np.concatenate([[True], moved])]


def lengths(line: Array) -> Array:
    """Way from the line's beginning to each of its points. ``(M, 2) -> (M,)``."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=-1))])


def places(line: Array, way: ArrayLike) -> Array:
    """Where one is after ``way`` ``(n,)`` metres; held beyond the ends. ``(n, 2)``."""
    knots, at = lengths(line), np.asarray(way, np.float64)
    return np.stack([np.interp(at, knots, line[:, a]) for a in (0, 1)], -1)


def directions(line: Array, way: ArrayLike, closed: bool = False) -> Array:
    """Angle about +Y of the line's direction after ``way`` ``(n,)``, 0 along +Z. ``(n,)``, unwrapped.

    Args:
        line: ``(M, 2)``, at least two points.
        closed: its end is its beginning, so that the direction there looks across the seam.
    """
    knots, way = lengths(line), np.asarray(way, np.float64)
    total = knots[-1]
    look = min(LOOK, total / 4)
    if closed:
        doubled = np.concatenate([line[:-1], line[:-1], line])  # a lap before and a lap after
        ahead = places(doubled, total + way % total + look) - places(doubled, total + way % total - look)
    else:
        ahead = places(line, np.minimum(way + look, total)) - places(line, np.maximum(way - look, 0))
    at = np.clip(np.searchsorted(knots, way % total if closed else way, side="right") - 1, 0, len(line) - 2)
    turned_back = np.linalg.norm(ahead, axis=-1) < 1e-3 * look  # a hairpin: the piece that one is on tells
    ahead = np.where(turned_back[:, None], np.diff(line, axis=0)[at], ahead)
    return np.unwrap(np.arctan2(ahead[:, 0], ahead[:, 1]))


def smooth(points: ArrayLike, closed: bool = False) -> Array:
    """A smooth line through points: centripetal Catmull-Rom (Yuksel et al. 2011). ``(N, 3) -> (M, 3)``.

    Args:
        points: at least two that differ; repeated ones are left out.
        closed: the last is joined to the first, without being repeated.
    """
    x = np.asarray(points, np.float64)
    x = x[np.concatenate([[True], np.linalg.norm(np.diff(x, axis=0), axis=-1) > SAME])]
    if closed and len(x) > 2 and np.linalg.norm(x[0] - x[-1]) <= SAME:
        x = x[:-1]
    if len(x) < 3:
        return x
    if closed:
        knots = np.concatenate([x[-1:], x, x[:2]])
    else:
        knots = np.concatenate([2 * x[:1] - x[1:2], x, 2 * x[-1:] - x[-2:-1]])
    time = np.concatenate([[0.0], np.cumsum(np.sqrt(np.linalg.norm(np.diff(knots, axis=0), axis=-1)))])
    out = []
    for k in range(1, len(knots) - 2):
        p, t = knots[k - 1 : k + 3], time[k - 1 : k + 3]
        at = np.linspace(t[1], t[2], STEPS, endpoint=False)[:, None]
        a = [_between(p[i], p[i + 1], t[i], t[i + 1], at) for i in range(3)]
        b = [_between(a[i], a[i + 1], t[i], t[i + 2], at) for i in range(2)]
        out.append(_between(b[0], b[1], t[1], t[2], at))
    return np.concatenate(out if closed else [*out, x[-1:]])


def _between(a: Array, b: Array, start: float, end: float, at: Array) -> Array:
    return (end - at) / (end - start) * a + (at - start) / (end - start) * b
