"""How much of the model: from plain interpolation (0) to the model's motion (1), and beyond.

Rotations go along the great circle by the shorter way, numbers along the straight line; past 1 both go on as
they went. Where the two motions agree, as they do at every key, every amount gives the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import rotations
from .rotations import Array

MOST = 1.5
"""The largest amount: half as far again as the model went. By the shorter way no rotation then passes 270 degrees."""

AGREE = 1e-9
"""Channel values this near are one value, computed twice."""


def turned(plain: ArrayLike, model: ArrayLike, amount: ArrayLike) -> Array:
    """Rotations between (or beyond) two. ``(..., 4), (..., 4), (...) -> (..., 4)``; in the model's half-space, up
    to a quarter turn from it.

    Args:
        plain, model: unit quaternions.
        amount: 0 is ``plain``, 1 is ``model``; more goes on along the same arc.
    """
    plain, model = np.asarray(plain), np.asarray(model)
    rest = np.broadcast_to(1 - np.asarray(amount, np.float64), np.broadcast_shapes(plain.shape, model.shape)[:-1])
    return rotations.slerp(model, plain, rest)  # from the model, for its signs


def moved(plain: ArrayLike, model: ArrayLike, amount: ArrayLike) -> Array:
    """Numbers between (or beyond) two. Same shapes."""
    plain, model = np.asarray(plain, np.float64), np.asarray(model, np.float64)
    return plain + np.asarray(amount, np.float64) * (model - plain)


def agree(plain: ArrayLike, model: ArrayLike) -> NDArray[np.bool_]:
    """Where two motions have the same values. ``(F, n), (F, n) -> (F,)``."""
    return (np.abs(np.asarray(model) - np.asarray(plain)) <= AGREE).all(-1)
