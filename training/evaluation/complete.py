"""Completion: joints that were lost while the rest was captured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_addon.motion import constraints
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import JOINTS, PARENTS

from .. import bootstrap, masks, metrics
from ..prepare.cache import Cache
from . import material
from .inbetween import below, interval, key_errors, number
from .material import Row
from .methods import Columns, Method, hold, plain

Mask = NDArray[np.bool_]
FRAMES = 64
LIMBS = ("left_arm", "right_leg", "right_arm", "left_leg")


def limbs(rng: np.random.Generator, count: int, ends: bool = True) -> Mask:
    """``count`` arms or legs, collars and hips included, missing between the first and the last frame."""
    missing = np.zeros((FRAMES, len(JOINTS)), bool)
    for name in rng.choice(LIMBS, count, replace=False):
        missing[:, masks.PARTS[str(name)]] = True
    return _between(missing) if ends else missing


def tracks(rng: np.random.Generator, share: float) -> Mask:
    """A share of the joints missing between the first and the last frame."""
    lost = rng.choice(len(JOINTS), round(share * len(JOINTS)), replace=False)
    missing = np.zeros((FRAMES, len(JOINTS)), bool)
    missing[:, lost] = True
    return _between(missing)


def scattered(rng: np.random.Generator, share: float) -> Mask:
    """MMDM's pattern B: each joint of each frame missing by itself; first and last frame known."""
    return _between(rng.random((FRAMES, len(JOINTS))) < share)


def occlusions(rng: np.random.Generator) -> Mask:
    """Bursts of 5 to 25 frames in which a limb or the torso is hidden; a third of the time each."""
    missing = np.zeros((FRAMES, len(JOINTS)), bool)
    for part in masks.PARTS.values():
        while missing[:, part[0]].mean() < 1 / 3:
            length = int(rng.integers(5, 26))
            start = int(rng.integers(1, FRAMES - length))
            missing[start : start + length, part] = True
    return _between(missing)


def _between(missing: Mask) -> Mask:
    missing[[0, -1]] = False
    return missing


CASES: Mapping[str, Callable[[np.random.Generator], Mask]] = {
    "one limb": partial(limbs, count=1), "two limbs": partial(limbs, count=2),
    "one limb, never seen": partial(limbs, count=1, ends=False),
    **{f"{p} % of joints": partial(tracks, share=p / 100) for p in (30, 50, 70)},
    **{f"{p} % scattered": partial(scattered, share=p / 100) for p in (30, 50, 70)},
    "occlusion bursts": occlusions,
}  # fmt: skip


def moved(missing: Mask) -> Mask:
    """Joints whose place is unknown: those below a joint whose rotation is missing. ``(..., 22)``."""
    out = np.zeros_like(missing)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            out[..., j] = out[..., parent] | missing[..., parent]
    return out


def requests(clips: Sequence[Clip], case: str, seed: int = 7) -> list[constraints.Request]:
    """Each window with its joints missing; the same draw for whoever is measured."""
    rng = np.random.default_rng(seed)
    return [constraints.complete(c, CASES[case](rng)) for c in clips]


def evaluate(cache: Cache, row: Row, columns: Columns, most: int) -> dict[str, Any]:
    """Case -> who -> metric, over what was missing; {} where every clip is shorter than a window."""
    truth = material.windows(cache, row.entries, FRAMES, most)
    if not truth:
        return {}
    return {case: _cells(requests(truth, case), columns) for case in CASES}


def _cells(asked: Sequence[constraints.Request], columns: Columns) -> dict[str, Any]:
    truth = [r.clip for r in asked]
    missing = np.stack([~r.rotation_known for r in asked])
    methods: dict[str, Method] = {**columns.able("complete"), "interpolation": plain, "zero velocity": hold}
    cells: dict[str, Any] = {"windows": len(truth)}
    errors: dict[str, Sequence[float]] = {}
    for name, fill in methods.items():
        got = fill(asked)
        cells[name], each = measure(truth, got, moved(missing), missing)
        cells[name] |= key_errors(asked, got)
        errors[name] = list(each)
        cells["truth"] = looks(truth, truth)
    below(cells, errors)
    return cells


def measure(
    truth: Sequence[Clip], got: Sequence[Clip], places: Mask | None, turns: Mask | None
) -> tuple[dict[str, Any], np.ndarray]:
    """MPJPE, PCP, acceleration and rotation error where it counts, and how the whole looks.

    Args:
        truth, got: windows of one length.
        places: ``(N, T, 22)``, the joints whose place counts; None: all.
        turns: ``(N, T, 22)``, the joints whose own rotation counts; None: all.

    Returns:
        The cell, and each window's joint error ``(N,)`` in cm.
    """
    wanted, found = (np.stack([c.positions() for c in clips]) for clips in (truth, got))
    a, b = (np.stack([c.rotations for c in clips]) for clips in (truth, got))
    each = {
        "error_cm": metrics.joint_errors(wanted, found, places),
        "pcp": metrics.correct_parts(wanted, found, places),
        "accel_mm": metrics.acceleration_errors(wanted, found, places),
        "turn_degrees": metrics.turn_errors(a, b, turns),
    }
    cell: dict[str, Any] = {k: number(_mean(v)) for k, v in each.items()}
    cell |= looks(truth, got, wanted, found)
    cell["intervals"] = {k: interval(bootstrap.interval(v)) for k, v in each.items()}
    return cell, each["error_cm"]


def looks(
    truth: Sequence[Clip],
    got: Sequence[Clip],
    wanted: np.ndarray | None = None,
    found: np.ndarray | None = None,
) -> dict[str, float | None]:
    """Both kinds of skating, penetration and jerk, of whole windows."""
    wanted = np.stack([c.positions() for c in truth]) if wanted is None else wanted
    found = np.stack([c.positions() for c in got]) if found is None else found
    fps = truth[0].fps
    return {
        "skating": number(metrics.skating_speed(found, metrics.contact_steps(wanted, fps), fps)),
        "skating_ratio": number(metrics.skating_ratio(found, fps)),
        "penetration_cm": number(metrics.penetration(found)), "jerk": number(metrics.jerk(found, fps)),
    }  # fmt: skip


def _mean(values: np.ndarray) -> float:
    """Of the windows in which something counts."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else float("nan")
