"""Refinement: noisy motion made clean, against the filters that people use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from blender_addon.motion import constraints
from blender_addon.motion.clip import Clip
from blender_addon.motion.interpolation import keep_known

from ..prepare.cache import Cache
from . import complete, filters, material, noise
from .inbetween import below, key_errors
from .material import Row
from .methods import Columns, plain, smoothed

FRAMES = 64
TRUST = 0.5
"""Confidence of motion that says nothing about it: everything may be moved."""
DOUBT = 0.1
"""Confidence of joints that the tracker itself marks as bad; all others are then certain and kept."""
MARKED = {"jitter bursts": "jitter bursts, marked", "swapped sides": "swapped sides, marked"}
"""Noise -> the case in which the bad joints are marked; filters then change these alone, too, and
interpolation, which throws them away, becomes a baseline."""
VALIDATION = 8
"""Windows that the filters are set on."""
KINDS = {"savitzky_golay": "Savitzky-Golay", "one_euro": "One Euro"}


def noisy(clips: Sequence[Clip], name: str, seed: int = 11) -> list[Clip]:
    """Each window with its noise; the same draw for whoever is measured."""
    rng = np.random.default_rng(seed)
    return [noise.NOISES[name](c, rng) for c in clips]


def evaluate(cache: Cache, row: Row, columns: Columns, most: int,
             cases: Sequence[str] = tuple(noise.NOISES)) -> dict[str, Any]:  # fmt: skip
    """Noise -> who -> metric, ``before`` being the noisy motion itself; {} where every clip is shorter."""
    truth = material.windows(cache, row.entries, FRAMES, most)
    if not truth:
        return {}
    found: dict[str, Any] = {}
    for name in cases:
        given = noisy(truth, name)
        chosen = settings(cache, row, name)
        found[name] = _cells(truth, given, chosen, columns, None)
        if name in MARKED:
            bad = [noise.changed(a, b) for a, b in zip(truth, given, strict=True)]
            found[MARKED[name]] = _cells(truth, given, chosen, columns, bad)
    return found


@lru_cache(maxsize=64)
def settings(cache: Cache, row: Row, name: str) -> Mapping[str, filters.Filter]:
    """Both filters as they do best on validation windows with this noise, drawn by another seed."""
    validation = material.windows(cache, row.validation, FRAMES, VALIDATION)
    given = noisy(validation, name, seed=12)
    return {kind: filters.choose(kind, validation, given) for kind in KINDS}


def _cells(
    truth: Sequence[Clip],
    given: Sequence[Clip],
    chosen: Mapping[str, filters.Filter],
    columns: Columns,
    bad: Sequence[np.ndarray] | None,
) -> dict[str, Any]:
    """One kind of noise: who -> metric."""
    trust = [TRUST] * len(given) if bad is None else [np.where(b, DOUBT, 1.0) for b in bad]
    asked = [constraints.refine(c, t) for c, t in zip(given, trust, strict=True)]
    cells: dict[str, Any] = {"windows": len(truth), "truth": complete.looks(truth, truth)}
    results = {"before": list(given)}
    results |= {name: fill(asked) for name, fill in columns.able("refine").items()}
    results["smoothing"] = smoothed(asked)
    for kind, title in KINDS.items():
        results[title] = _kept(chosen[kind](given), asked)
    if bad is not None:
        results["interpolation"] = plain(
            [constraints.complete(c, b) for c, b in zip(given, bad, strict=True)]
        )
    errors: dict[str, Sequence[float]] = {}
    for name, clips in results.items():
        cell, each = complete.measure(truth, clips, None, None)
        cells[name] = cell | key_errors(asked, clips)
        errors[name] = list(each)
    for kind, title in KINDS.items():
        cells[title]["settings"] = str(chosen[kind])
    below(cells, errors, "before")
    return cells


def _kept(filtered: Sequence[Clip], asked: Sequence[constraints.Request]) -> list[Clip]:
    """What is certain stays, for filters as for models."""
    return [keep_known(c, r) for c, r in zip(filtered, asked, strict=True)]
