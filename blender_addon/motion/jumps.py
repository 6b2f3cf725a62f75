"""Frames in which a capture was not where it was: the root is thrown away and back within a moment.

Optical systems write such frames where they lose a body, often the first ones of a take. They are no
motion, and one of them can put a character a metre under the ground.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .clip import Clip

FAST = 25.0
"""Hip heights per second: no body is moved faster."""
FAR = 0.3
"""Hip heights in one frame: a smaller step is no throw, however high the rate."""
SHORT = 0.25
"""Seconds: whoever stays longer where the jump ended is there."""


def thrown(places: NDArray[np.float64], fps: float, hip_height: float) -> NDArray[np.bool_]:
    """Frames that lie between two jumps, or a jump and an end, and are few. ``(F, 3) -> (F,)``."""
    frames = len(places)
    out = np.zeros(frames, bool)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    cuts = np.flatnonzero(steps > max(FAR, FAST / fps) * hip_height) + 1
    if not len(cuts):
        return out
    edges = [0, *cuts.tolist(), frames]
    parts = list(pairwise(edges))
    longest = max(parts, key=lambda part: part[1] - part[0])
    for part in parts:
        if part != longest and part[1] - part[0] <= SHORT * fps:
            out[part[0] : part[1]] = True
    return out


def mended(clip: Clip, hip_height: float) -> tuple[Clip, int]:
    """The clip with such frames interpolated from their neighbours (held at an end), and how many they were."""
    bad = thrown(clip.root_positions, clip.fps, hip_height)
    count = int(bad.sum())
    if not count:
        return clip, 0
    good = np.flatnonzero(~bad)
    return clip.sample(good).sample(np.interp(np.arange(len(clip)), good, np.arange(len(good)))), count
