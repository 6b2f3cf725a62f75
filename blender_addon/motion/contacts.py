"""Where feet touch the ground: heel and toe apart, with hysteresis, on canonical clips.

A foot is looked at by three points of its sole that a skeleton without flesh has: under the heel,
under the ball, and where the toes end. The sole's height is that of the T-pose, in which the feet
stand flat. Ground is the level on which the feet stand, found from the clip itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from . import rotations
from .clip import Clip
from .retarget import legs
from .rotations import Array
from .skeleton import INDEX, Skeleton

Mask = NDArray[np.bool_]

SIDES = ("left", "right")
ANKLES = tuple(INDEX[f"{s}_ankle"] for s in SIDES)
BALLS = tuple(INDEX[f"{s}_foot"] for s in SIDES)

SLOW, LOW = 0.25, 0.05
"""Per hip height (and second): below both a point starts to stand; at twice either it lets go."""
SHORTEST = 0.1
"""Seconds; what is shorter is no stance."""
GAP = 0.05
"""Seconds; a stance goes on over a shorter break."""
HEEL, TOES = 0.3, 0.4
"""Of the distance from ankle to ball: how far the heel lies behind the ankle and the toes' end before the ball."""
FLOOR = 0.15
"""Of the hip height: who stands higher than this over zero stands on something, and stays there; any
other level is the floor, however it was calibrated."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """When the feet stand.

    Attributes:
        heel: ``(F, 2)`` left and right.
        toe: ``(F, 2)``.
        ground: height of the floor in the clip, metres.
        under: ``(F, 2)`` feet that are under the floor for good: who rises from it, or swims.
    """

    heel: Mask
    toe: Mask
    ground: float
    under: Mask

    @property
    def foot(self) -> Mask:
        """Heel or toe. ``(F, 2)``."""
        return self.heel | self.toe


def sole_offsets(skeleton: Skeleton) -> Array:
    """Heel, ball and toes' end of both soles in the T-pose, seen from their joint. ``(2, 3, 3)``.

    The heel and the ball belong to the ankle, the toes' end to the foot joint. A character without
    toes has all its sole under the ankle.
    """
    _, ankle_height = legs(skeleton)
    out = np.zeros((2, 3, 3))
    for k, ball in enumerate(BALLS):
        way = skeleton.offsets[ball]
        flat = np.array([way[0], 0.0, way[2]])
        down = np.array([0.0, -ankle_height, 0.0])
        out[k, 0] = down - HEEL * flat
        out[k, 1] = down + flat
        out[k, 2] = TOES * flat - np.array([0.0, ankle_height + way[1], 0.0])
    return out


def soles(skeleton: Skeleton, q: Array, p: Array) -> Array:
    """World places of heel, ball and toes' end. ``(F, 22, 4), (F, 22, 3) -> (F, 2, 3, 3)``."""
    offsets = sole_offsets(skeleton)
    joints = np.array([[a, a, b] for a, b in zip(ANKLES, BALLS, strict=True)])
    return p[:, joints] + rotations.rotate(q[:, joints], offsets)


def find(clip: Clip) -> Contacts:
    """When the feet of a canonical clip stand, and on what level."""
    return find_in(clip.skeleton, *clip.forward(), clip.fps)


def find_in(skeleton: Skeleton, q: Array, p: Array, fps: float) -> Contacts:
    """:func:`find` where the clip's global orientations and places are known already."""
    frames = len(q)
    if frames < 2:  # one pose does not say whether it moves
        never = np.zeros((frames, 2), bool)
        return Contacts(never, never, 0.0, never)
    hip = float(skeleton.offsets[0, 1])
    points = soles(skeleton, q, p)[:, :, :2]
    speed = np.linalg.norm(np.gradient(points, axis=0), axis=-1) * (fps / hip)
    level = _level(points[..., 1], speed, hip)
    # each point's own floor: soles are built from bones, and no two skeletons agree to the centimetre
    own = np.clip(np.percentile(points[..., 1], 5, axis=0), level - LOW * hip, level + LOW * hip)
    height = (points[..., 1] - own) / hip
    stands = hysteresis((height < LOW) & (speed < SLOW), (height < 2 * LOW) & (speed < 2 * SLOW))
    stands = lasting(stands, max(3, round(SHORTEST * fps)), round(GAP * fps))
    ground = level if level < FLOOR * hip else 0.0
    return Contacts(stands[..., 0], stands[..., 1], ground, points[..., 1].max(-1) < ground - 2 * FLOOR * hip)


def _level(heights: Array, speed: Array, hip: float) -> float:
    """The level on which a clip stands: of the slow lowest points; all the lowest if none is slow."""
    lowest = heights.min((1, 2))
    slow = speed.min((1, 2)) < SLOW
    return float(np.percentile(lowest[slow] if slow.sum() > 2 else lowest, 20))


def hysteresis(tight: Mask, loose: Mask) -> Mask:
    """Runs of ``loose`` that hold a ``tight``, along the first axis. Same shape."""
    tight, loose = np.asarray(tight), np.asarray(loose) | np.asarray(tight)
    if not len(loose):
        return loose
    shape = loose.shape
    loose, tight = loose.reshape(len(loose), -1), tight.reshape(len(tight), -1)
    out = np.zeros_like(loose)
    for k in range(loose.shape[1]):
        for start, stop in runs(loose[:, k]):
            out[start:stop, k] = tight[start:stop, k].any()
    return out.reshape(shape)


def lasting(flags: Mask, shortest: int, gap: int) -> Mask:
    """Close breaks of at most ``gap`` frames, then drop runs shorter than ``shortest``. Same shape."""
    out = np.array(flags).reshape(len(flags), -1)
    for k in range(out.shape[1]):
        found = runs(out[:, k])
        for (_, stop), (start, _) in pairwise(found):
            out[stop:start, k] = start - stop <= gap
        for start, stop in runs(out[:, k]):
            out[start:stop, k] = stop - start >= shortest
    return out.reshape(np.shape(flags))


def runs(flags: Mask) -> list[tuple[int, int]]:
    """Start and stop of every run of True. ``(F,) -> [(start, stop), ...]``."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


# -- measuring --------------------------------------------------------------------------------------


def skating(balls: Array, stands: Mask, fps: float, hip_height: float) -> float:
    """Mean horizontal speed of standing toes, in hip heights per second; NaN where none stands.

    Args:
        balls: ``(F, 2, 3)`` places of the foot joints.
        stands: ``(F, 2)``; a step counts where the foot stands before and after it.
    """
    both = stands[1:] & stands[:-1]
    steps = np.linalg.norm(np.diff(balls[..., [0, 2]], axis=0), axis=-1)
    return float(steps[both].mean() * fps / hip_height) if both.any() else float("nan")


def penetration(skeleton: Skeleton, q: Array, p: Array, ground: float = 0.0) -> float:
    """How deep the lowest sole point of a canonical clip is under the ground, metres, at least 0."""
    if not len(q):
        return 0.0
    return max(0.0, float(ground - soles(skeleton, q, p)[..., 1].min()))
