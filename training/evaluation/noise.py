"""Broken motion for refinement: what trackers do to joints, as a clip that is still a skeleton.

Two kinds, since they ask for different cures. As from cameras: joint *positions* are disturbed and turned
into rotations by :func:`fit.to_positions`, as a capture system's solver would, so that a bone keeps its
length and errors do not pile up from shoulder to hand. As from a suit: every joint's *rotation* is
disturbed, and they do pile up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import INDEX

from .fit import to_positions

Noise = Callable[[Clip, np.random.Generator], Clip]

LIMBS = {
    **{f"{s} arm": [INDEX[f"{s}_{n}"] for n in ("elbow", "wrist")] for s in ("left", "right")},
    **{f"{s} leg": [INDEX[f"{s}_{n}"] for n in ("knee", "ankle", "foot")] for s in ("left", "right")},
}
"""Joints that are lost together."""

ROOT_SHARE = 0.4
"""How much of the wanted displacement the root's own shift makes up in :func:`turning`."""

BURST = 0.10
"""Deviation in a burst, metres a coordinate."""


def white(clip: Clip, rng: np.random.Generator, deviation: float) -> Clip:
    """Gaussian noise of ``deviation`` metres on every coordinate of every joint, as in MMDM's table IV.

    The mean displacement of a joint before the fit is ``deviation * sqrt(8 / pi)``: 8 cm at 5 cm.
    """
    positions = clip.positions()
    return to_positions(clip, positions + rng.normal(0, deviation, positions.shape))


def turning(clip: Clip, rng: np.random.Generator, displacement: float) -> Clip:
    """Every local rotation turned by Gaussian noise and the root's place shifted, by turns of one size in
    all joints and frames, chosen so that the mean displacement of a joint is ``displacement`` metres."""
    wanted = clip.positions()
    turns = rng.normal(size=(*clip.rotations.shape[:2], 3))
    shifts = rng.normal(size=clip.root_positions.shape) * displacement / np.sqrt(8 / np.pi)

    def noisy(angle: float) -> Clip:
        turned = rotations.multiply(clip.rotations, rotations.from_axis_angle(angle * turns))
        return replace(clip, rotations=turned, root_positions=clip.root_positions + ROOT_SHARE * shifts)

    low, high = 0.0, 1.0
    for _ in range(20):  # displacement grows with the angle: bisection
        middle = (low + high) / 2
        off = np.linalg.norm(noisy(middle).positions() - wanted, axis=-1).mean()
        low, high = (middle, high) if off < displacement else (low, middle)
    return noisy((low + high) / 2)


def jitter(clip: Clip, rng: np.random.Generator) -> Clip:
    """Bursts of 4 to 12 frames in which one limb's joints shake by :data:`BURST`; a fifth of the frames."""
    positions = clip.positions()
    for start, stop in _bursts(len(clip), rng, 4, 12, 0.2):
        limb = list(LIMBS.values())[rng.integers(len(LIMBS))]
        positions[start:stop, limb] += rng.normal(0, BURST, (stop - start, len(limb), 3))
    return _where_moved(clip, positions)


def swapped(clip: Clip, rng: np.random.Generator) -> Clip:
    """Bursts of 5 to 20 frames in which left and right arm, or leg, are taken for each other; a quarter of
    the frames."""
    positions = clip.positions()
    for start, stop in _bursts(len(clip), rng, 5, 20, 0.25):
        what = ("arm", "leg")[rng.integers(2)]
        a, b = LIMBS[f"left {what}"], LIMBS[f"right {what}"]
        positions[start:stop, a + b] = positions[start:stop, b + a]
    return _where_moved(clip, positions)


NOISES: Mapping[str, Noise] = {
    **{f"positions {c} cm": partial(white, deviation=c / 100) for c in (1, 5, 10)},
    **{f"rotations {c} cm": partial(turning, displacement=c / 100) for c in (1, 5, 10)},
    "jitter bursts": jitter, "swapped sides": swapped,
}  # fmt: skip


def changed(before: Clip, after: Clip) -> NDArray[np.bool_]:
    """Which local rotations differ. ``(F, 22)``."""
    return rotations.angle_between(before.rotations, after.rotations) > 1e-6


def _where_moved(clip: Clip, positions: np.ndarray) -> Clip:
    """Fitted where a joint was moved; the other frames stay as they are, bit for bit."""
    moved = (np.abs(positions - clip.positions()) > 1e-9).any((1, 2))
    out = to_positions(clip, positions)
    out.rotations[~moved] = clip.rotations[~moved]
    out.root_positions[~moved] = clip.root_positions[~moved]
    return out


def _bursts(
    frames: int, rng: np.random.Generator, shortest: int, longest: int, share: float
) -> list[tuple[int, int]]:
    """Stretches that do not touch each other or the ends and cover about ``share`` of the frames."""
    free = np.ones(frames, bool)
    free[[0, -1]] = False
    found: list[tuple[int, int]] = []
    for _ in range(100):
        if sum(b - a for a, b in found) >= share * frames:
            break
        length = int(rng.integers(shortest, longest + 1))
        starts = [s for s in range(1, frames - length) if free[s : s + length].all()]
        if not starts:
            break
        start = int(rng.choice(starts))
        found.append((start, start + length))
        free[max(start - 1, 0) : start + length + 1] = False
    return sorted(found)
