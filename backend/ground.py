"""The ground: who is filled freely neither sinks into it nor hovers over it.

A network draws the hips' height and the legs' angles apart, so the feet of generated motion drift about the
floor (walks of MoGenTS by a tenth of the hip height). What is lowest within a stride is on the floor, so
that is what the whole body is moved by. Whoever jumps is back on it within a stride; whoever is much
higher or lower stands on something, or swims.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request
from blender_addon.motion.contacts import FLOOR
from blender_addon.motion.foot_lock import smooth
from blender_addon.motion.rotations import Array

STRIDE = 0.8
"""Seconds: within these some part of the body is on the floor, of who walks, runs or jumps."""
BESIDE = 0.8
"""Seconds: nearer than this to a frame whose place is known less is moved, beside it nothing."""


def put_on_ground(clip: Clip, request: Request) -> Clip:
    """Move the body up or down where its place is free, until the lowest joint of every stride is on the floor.

    Nothing is moved where something has a place to be at: a pinned joint would leave it. The floor is where
    the known frames' lowest joint is, where any are known, else 0.
    """
    free = ~request.root_known
    if len(clip) < 3 or not free.any() or request.position_known.any():
        return clip
    lowest = clip.positions()[..., 1].min(1)
    hip = clip.hip_height
    floor = float(np.percentile(lowest[~free], 5)) if not free.all() else 0.0
    gap = _envelope(lowest, clip.fps) - floor
    standing = smooth(2 - np.abs(gap) / (FLOOR * hip))  # all of it up to FLOOR, nothing from twice that on
    share = smooth(_distance(~free) / (BESIDE * clip.fps))
    root = clip.root_positions.copy()
    root[free, 1] -= (gap * standing * share)[free]
    return replace(clip, root_positions=root)


def _envelope(heights: Array, fps: float) -> Array:
    """What the heights rest on: without peaks that are shorter than a stride, and without corners. ``(F,) -> (F,)``."""
    reach, half = max(1, round(STRIDE * fps / 2)), max(1, round(STRIDE * fps / 8))
    around = lambda x, n: sliding_window_view(np.pad(x, n, mode="edge"), 2 * n + 1)  # noqa: E731
    out = around(around(heights, reach).min(-1), reach).max(-1)  # an opening
    for _ in range(3):  # three boxes are as good as a bell; what rises goes on rising past the ends
        out = sliding_window_view(np.pad(out, half, mode="reflect", reflect_type="odd"), 2 * half + 1).mean(-1)
    return out


def _distance(known: NDArray[np.bool_]) -> Array:
    """Frames to the nearest known one; without any, infinity. ``(F,) -> (F,)``."""
    at = np.flatnonzero(known)
    if not at.size:
        return np.full(len(known), np.inf)
    return np.abs(np.arange(len(known))[:, None] - at).min(1).astype(float)
