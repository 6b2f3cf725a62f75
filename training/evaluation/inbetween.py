"""In-betweening: LAFAN1's protocol, MMDM's, and sparse keys that leave something out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blender_addon.motion import constraints
from blender_addon.motion.clip import Clip

from .. import bootstrap, masks, metrics
from ..prepare.cache import Cache
from . import material
from .material import PAST, Row
from .methods import Columns, Method, hold, plain

GAPS = (5, 15, 30, 45)
"""LAFAN1's (Harvey et al. 2020): 10 past frames, 1 future frame."""
CONTEXT, TRANSITION = 10, 30
"""MMDM's: a transition of 30 frames between what precedes and what follows (sec. V-A; the paper does not
say how much; its shortest segments, 45 frames, leave 15)."""

_NAMES = {"l2p": "L2P", "l2q": "L2Q", "npss": "NPSS", "error_cm": "error_cm", "skating_speed": "skating",
          "skating_ratio": "skating_ratio", "jerk": "jerk", "penetration_cm": "penetration_cm"}  # fmt: skip
TRUE = {"true_skating_speed": "skating", "true_skating_ratio": "skating_ratio", "true_jerk": "jerk",
        "true_penetration_cm": "penetration_cm"}  # fmt: skip


def requests(clips: Sequence[Clip], gap: int, past: int = PAST) -> list[constraints.Request]:
    """All frames of every window known but ``gap`` of them after the first ``past``."""
    keys = np.ones(len(clips[0]), bool) if clips else np.ones(0, bool)
    keys[past : past + gap] = False
    return [constraints.inbetween(c, keys) for c in clips]


def lafan1(
    cache: Cache,
    row: Row,
    columns: Columns,
    scale: metrics.PositionStatistics,
    gaps: Sequence[int],
    most: int,
) -> dict[str, Any]:
    """Gap -> who -> metric; gaps for which every clip is too short are left out and named."""
    found: dict[str, Any] = {}
    for gap in gaps:
        truth = material.windows(cache, row.entries, PAST + gap + 1, most)
        if not truth:
            print(
                f"{row.entries[0].source}, {gap} missing frames: every clip is shorter, left out", flush=True
            )
            continue
        found[str(gap)] = _cells(truth, slice(PAST, PAST + gap), columns, scale)
    return found


def mmdm(
    cache: Cache, row: Row, columns: Columns, scale: metrics.PositionStatistics, most: int
) -> dict[str, Any]:
    """The same cells for MMDM's transition with context on both sides; {} where every clip is shorter."""
    truth = material.windows(cache, row.entries, 2 * CONTEXT + TRANSITION, most, CONTEXT)
    if not truth:
        return {}
    return {str(TRANSITION): _cells(truth, slice(CONTEXT, CONTEXT + TRANSITION), columns, scale)}


def _cells(
    truth: Sequence[Clip], gap: slice, columns: Columns, scale: metrics.PositionStatistics
) -> dict[str, Any]:
    """One gap of one data set: who -> metric."""
    asked = requests(truth, gap.stop - gap.start, gap.start)
    methods: dict[str, Method] = {**columns.able("inbetween"), "interpolation": plain, "zero velocity": hold}
    cells: dict[str, Any] = {"windows": len(truth)}
    errors: dict[str, Sequence[float]] = {}
    for name, fill in methods.items():
        filled = fill(asked)
        measured = metrics.measure(truth, filled, gap, scale)
        cell: dict[str, Any] = {_NAMES[k]: number(v) for k, v in measured.items() if k in _NAMES}
        cell |= key_errors(asked, filled)
        intervals, errors[name] = _intervals(truth, filled, gap, scale)
        cells[name] = cell | {"intervals": intervals}
        cells["truth"] = {v: number(measured[k]) for k, v in TRUE.items()}
    below(cells, errors)
    return cells


def _intervals(
    truth: Sequence[Clip], filled: Sequence[Clip], gap: slice, scale: metrics.PositionStatistics
) -> tuple[dict[str, Any], Sequence[float]]:
    """Bootstrap intervals of the four main numbers, and each window's joint error."""
    each: dict[str, list[float]] = {"L2P": [], "L2Q": [], "NPSS": [], "error_cm": []}
    power = []
    for a, b in zip(truth, filled, strict=True):
        (tq, tp), (pq, pp) = ((x[None, gap] for x in c.forward()) for c in (a, b))
        each["L2P"].append(metrics.l2p(tp, pp, scale))
        each["L2Q"].append(metrics.l2q(tq, pq))
        each["NPSS"].append(metrics.npss(tq, pq))
        each["error_cm"].append(metrics.joint_error(tp, pp))
        power.append(metrics.spectral_power(tq))
    found = {}
    for key, values in each.items():
        found[key] = interval(bootstrap.interval(values, power if key == "NPSS" else None))
    return found, each["error_cm"]


# -- shared by the tasks -------------------------------------------------------------------------------


def number(value: float) -> float | None:
    """Rounded; None where there is nothing to measure (no toe ever stands), since JSON has no nan."""
    return round(value, 5) if math.isfinite(value) else None


def interval(ends: bootstrap.Interval) -> list[float | None]:
    """As JSON."""
    return [number(e) for e in ends]


def key_errors(asked: Sequence[constraints.Request], got: Sequence[Clip]) -> dict[str, float | None]:
    """The largest change to anything that was given: degrees and metres; 0 means not one bit."""
    found = [
        metrics.key_error(r.clip, c, r.rotation_known, r.root_known) for r, c in zip(asked, got, strict=True)
    ]
    return {"key_degrees": number(max(d for d, _ in found)), "key_metres": number(max(m for _, m in found))}


def below(
    cells: dict[str, Any], errors: Mapping[str, Sequence[float]], baseline: str = "interpolation"
) -> None:
    """Add to every column's intervals how far its error lies below the baseline's, in per cent."""
    for name, values in errors.items():
        if name != baseline:
            cells[name]["intervals"]["below"] = interval(bootstrap.below(values, errors[baseline]))


# -- partial keys ----------------------------------------------------------------------------------------


def partial(cache: Cache, row: Row, columns: Columns, most: int) -> dict[str, Any]:
    """Sparse keys of which some leave out limbs, joints or the place: error over what was not given."""
    truth = material.windows(cache, row.entries, 64, most)
    if not truth:
        return {}
    rng = np.random.default_rng(5)
    asked = []
    for clip in truth:
        known, root = masks.partial_keys(rng, len(clip))
        asked.append(constraints.inbetween(clip, known.any(1), known, root))
    cells: dict[str, Any] = {"windows": len(truth)}
    for name, fill in {**columns.able("inbetween"), "interpolation": plain}.items():
        errors = []
        for request, clip in zip(asked, fill(asked), strict=True):
            distance = np.linalg.norm(clip.positions() - request.clip.positions(), axis=-1)
            errors.append(float(distance[~request.rotation_known].mean() * 100))
        cells[name] = {"error_cm": round(float(np.mean(errors)), 4),
                       "intervals": {"error_cm": interval(bootstrap.interval(errors))}}  # fmt: skip
    return cells
