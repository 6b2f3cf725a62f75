"""From rotations to the values of a rotation mode's channels, continuing the animator's own.

One rotation has many values: two quaternions, endless Euler triples, endless axis-angle pairs. The
ones nearest to the animator's neighbouring key are taken, and from there on the nearest to the
frame before, so that curves do not jump where the motion does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .motion import rotations
from .motion.rotations import Array
from .pose_model import euler_order

TURN = 2 * math.pi
Start = Sequence[float] | Array | None


def channel_values(q: Array, mode: str, frames: Array, anchor_frames: Array, anchors: Array) -> Array:
    """Channel values of a rotation mode.

    Args:
        q: ``(F, 4)`` unit quaternions.
        mode: Blender's rotation mode.
        frames: ``(F,)`` ascending.
        anchor_frames: ``(K,)`` ascending frames of the animator's keys; may be empty.
        anchors: ``(K, n)`` channel values there.

    Returns:
        ``(F, 4)`` for quaternions and axis-angle, else ``(F, 3)``.
    """
    if mode == "QUATERNION":
        return _quaternions(q, frames, anchor_frames, anchors)
    walk = _axis_angles if mode == "AXIS_ANGLE" else _eulers
    out = np.empty((len(q), 4 if mode == "AXIS_ANGLE" else 3))
    if not len(anchor_frames):
        walk(q, mode, range(len(q)), None, out)
        return out
    first = int(np.searchsorted(frames, anchor_frames[0]))
    walk(q, mode, range(first - 1, -1, -1), anchors[0], out)
    owner = np.searchsorted(anchor_frames, frames, side="right") - 1
    for k in np.unique(owner[first:]):
        here = np.flatnonzero(owner == k)
        walk(q, mode, range(int(here[0]), int(here[-1]) + 1), anchors[k], out)
    return out


def _quaternions(q: Array, frames: Array, anchor_frames: Array, anchors: Array) -> Array:
    q = rotations.continuous(q)
    if not len(anchor_frames):
        return q
    owner = np.searchsorted(anchor_frames, frames, side="right") - 1  # -1: before the first key
    out = q.copy()
    for k in np.unique(owner):
        here = np.flatnonzero(owner == k)
        nearest = here[-1] if k < 0 else here[0]
        if (q[nearest] * anchors[max(k, 0)]).sum() < 0:
            out[here] = -q[here]
    return out


def _near(angle: float, reference: float) -> float:
    return angle + TURN * round((reference - angle) / TURN)


def _eulers(q: Array, mode: str, order: Sequence[int], start: Start, out: Array) -> None:
    """Walk through frames in ``order``, from ``start`` on; writes rows of ``out``."""
    if not len(order):
        return
    ours, where = euler_order(mode)
    angles = rotations.to_euler(q, ours)
    before = None if start is None else [float(start[i]) for i in where]
    for f in order:
        a, b, c = (float(x) for x in angles[f])
        if before is not None:
            u, v, w = before
            one = (_near(a, u), _near(b, v), _near(c, w))
            # The other triple of the same rotation: R(a, b, c) = R(a + pi, pi - b, c + pi).
            two = (_near(a + math.pi, u), _near(math.pi - b, v), _near(c + math.pi, w))
            far = abs(one[0] - u) + abs(one[1] - v) + abs(one[2] - w)
            other = abs(two[0] - u) + abs(two[1] - v) + abs(two[2] - w)
            a, b, c = one if far <= other else two
        before = [a, b, c]
        row = out[f]
        row[where[0]], row[where[1]], row[where[2]] = a, b, c


def _axis_angles(q: Array, mode: str, order: Sequence[int], start: Start, out: Array) -> None:
    """As :func:`_eulers`, for angle and axis."""
    before = [0.0, 0.0, 1.0, 0.0] if start is None else [float(x) for x in start]
    for f in order:
        w, x, y, z = (float(c) for c in q[f])
        n = math.sqrt(x * x + y * y + z * z)
        if n < 1e-9:  # no axis: the one before stays
            before = [_near(0.0 if w > 0 else TURN, before[0]), *before[1:]]
        else:
            angle, sign = 2 * math.atan2(n, w), 1.0
            if x * before[1] + y * before[2] + z * before[3] < 0:
                sign = -1.0
            before = [_near(sign * angle, before[0]), sign * x / n, sign * y / n, sign * z / n]
        out[f] = before
