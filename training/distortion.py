"""Motion that is not where it should be: what a branch learns to move when a whole motion is to be steered.

Slow drifts of the root, the heading and a limb or two, so that the joints are off by up to some decimetres
while the motion itself stays natural.
"""

from __future__ import annotations

import numpy as np

from blender_addon.motion import rotations
from blender_addon.motion.skeleton import INDEX

DRIFT, TURN, LIMB = 0.35, 0.35, 0.35
"""Standard deviations: the root's drift in metres, the heading's and a joint's in radians."""
KNOTS = (12, 60)
"""Frames between the knots of a drift."""
_TURNING = [INDEX[f"{s}_{n}"] for s in ("left", "right") for n in ("shoulder", "elbow", "hip", "knee")] + [
    INDEX[n] for n in ("spine1", "spine3", "neck")
]


def drift(rng: np.random.Generator, frames: int, channels: int) -> np.ndarray:
    """Smooth noise of variance about one: random knots, joined by smoothsteps. ``(T, C)``."""
    apart = int(rng.integers(*KNOTS))
    knots = rng.normal(size=(frames // apart + 2, channels))
    at = (np.arange(frames) + rng.uniform(0, apart)) / apart
    low = np.minimum(at.astype(int), len(knots) - 2)
    t = np.clip(at - low, 0, 1)[:, None]
    return knots[low] + (knots[low + 1] - knots[low]) * t * t * (3 - 2 * t)


def distorted(
    rng: np.random.Generator, turned: np.ndarray, root: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations ``(T, 22, 4)`` and root ``(T, 3)`` with drifts; each of the three kinds in two windows of three."""
    out, placed, n = turned.astype(np.float64), root.copy(), len(root)
    if rng.random() < 0.67:
        placed[:, ::2] += DRIFT * drift(rng, n, 2)
    if rng.random() < 0.67:
        angle = TURN * drift(rng, n, 1)
        out[:, 0] = rotations.multiply(rotations.from_axis_angle(angle * [0.0, 1.0, 0.0]), out[:, 0])
    if rng.random() < 0.67:
        for j in rng.choice(_TURNING, int(rng.integers(1, 4)), replace=False):
            out[:, j] = rotations.multiply(out[:, j], rotations.from_axis_angle(LIMB * drift(rng, n, 3)))
    return out.astype(np.float32), placed
