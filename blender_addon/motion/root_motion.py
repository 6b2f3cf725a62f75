"""The way that a character goes over the ground, apart from how its hips sway on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import rotations
from .clip import Clip, heading
from .rotations import Array

SECONDS = 1.0
"""Sway and steps that are shorter than this stay in the hips."""


@dataclass(frozen=True, eq=False)
class GroundPath:
    """A smoothed way over the ground.

    Attributes:
        places: ``(F, 3)``, y = 0.
        turns: ``(F, 4)`` about +Y.
    """

    places: Array
    turns: Array

    def local(self, clip: Clip) -> Clip:
        """The clip as seen by somebody who walks along on this path."""
        back = rotations.inverse(self.turns)
        turned = clip.rotations.copy()
        turned[:, 0] = rotations.multiply(back, turned[:, 0])
        return replace(
            clip, rotations=turned, root_positions=rotations.rotate(back, clip.root_positions - self.places)
        )


def ground_path(clip: Clip) -> GroundPath:
    """The path of a canonical clip's root over the ground and its heading, both eased over a second."""
    width = max(1, round(0.5 * SECONDS * clip.fps))
    flat = clip.root_positions * (1.0, 0.0, 1.0)
    places = np.stack([eased(flat[:, a], width) for a in range(3)], 1)
    angle = eased(heading(clip), width)
    return GroundPath(places, rotations.from_axis_angle(angle[:, None] * np.array([0.0, 1.0, 0.0])))


def in_place(clip: Clip) -> Clip:
    """The clip on the spot where it begins: the eased path is taken out, turning and sway stay."""
    path = ground_path(clip)
    return replace(clip, root_positions=clip.root_positions - path.places + path.places[:1])


def eased(x: Array, width: int) -> Array:
    """Mean over ``2 width + 1`` frames; the ends go on in the direction that they have there."""
    if len(x) < 2:
        return np.array(x)
    width = min(width, len(x) - 1)
    before = 2 * x[0] - x[width:0:-1]
    after = 2 * x[-1] - x[-2 : -width - 2 : -1]
    padded = np.concatenate([before, x, after])
    total = np.concatenate([[0.0], np.cumsum(padded)])
    window = 2 * width + 1
    return (total[window:] - total[:-window]) / window
