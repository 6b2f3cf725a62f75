"""Generated motion put where it is wanted: moved and turned about the vertical."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from . import rotations
from .clip import Clip


def placed(clip: Clip, heading: float = 0.0, place: ArrayLike = (0.0, 0.0, 0.0)) -> Clip:
    """The motion turned about y and moved, as if the world's origin were there.

    Args:
        clip: any clip in which y is up.
        heading: radians; 0 faces as before (+Z of generated motion), positive turns left.
        place: what is added to every place, metres.
    """
    turn = np.array([np.cos(heading / 2), 0.0, np.sin(heading / 2), 0.0])
    turned = clip.rotations.copy()
    turned[:, 0] = rotations.multiply(np.broadcast_to(turn, turned[:, 0].shape), turned[:, 0])
    root = rotations.rotate(np.broadcast_to(turn, (len(clip), 4)), clip.root_positions) + np.asarray(
        place, float
    )
    return replace(clip, rotations=turned, root_positions=root)
