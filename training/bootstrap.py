"""How far a mean over windows can be trusted: percentile bootstrap (Efron 1979). numpy only."""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import ArrayLike

ROUNDS = 1000
LEVEL = 0.95

Interval = tuple[float, float]


def interval(
    values: ArrayLike, weights: ArrayLike | None = None, rounds: int = ROUNDS, seed: int = 0
) -> Interval:
    """The middle 95 % of the (weighted) means of windows drawn with replacement.

    Windows of one clip are alike, so that with many windows a clip the interval is too narrow.

    Args:
        values: ``(N,)``, a number a window; windows that are nan are left out.
        weights: ``(N,)``, not negative; None: equal.

    Returns:
        Lower and upper end; nan where there is no window.
    """
    values = np.asarray(values, np.float64)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, np.float64)
    there = np.isfinite(values) & (weights > 0)
    values, weights = values[there], weights[there]
    if not values.size:
        return nan, nan
    drawn = _drawn(len(values), rounds, seed)
    means = (values * weights)[drawn].sum(1) / weights[drawn].sum(1)
    return _ends(means)


def below(values: ArrayLike, baseline: ArrayLike, rounds: int = ROUNDS, seed: int = 0) -> Interval:
    """By how many per cent the mean lies below a baseline's, measured on the same windows, drawn in pairs.

    Args:
        values, baseline: ``(N,)``.

    Returns:
        Lower and upper end in per cent; negative where the mean is above.
    """
    values, baseline = np.asarray(values, np.float64), np.asarray(baseline, np.float64)
    there = np.isfinite(values) & np.isfinite(baseline)
    values, baseline = values[there], baseline[there]
    if not values.size or baseline.sum() <= 0:
        return nan, nan
    drawn = _drawn(len(values), rounds, seed)
    totals = baseline[drawn].sum(1)
    ratios = np.divide(values[drawn].sum(1), totals, out=np.ones(rounds), where=totals > 0)
    return _ends(100 * (1 - ratios))


def _drawn(count: int, rounds: int, seed: int) -> np.ndarray:
    """``(rounds, count)`` window numbers with replacement."""
    return np.random.default_rng(seed).integers(count, size=(rounds, count))


def _ends(means: np.ndarray) -> Interval:
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(means, (tail, 100 - tail))
    return float(low), float(high)
