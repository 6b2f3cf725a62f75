"""``limber-train evaluate``: what the product delivers on held-out motion, beside plain interpolation.

LAFAN1's protocol (Harvey et al. 2020): windows every 40 frames, 10 past frames and 1 future frame
given, facing aligned at the last past frame; the gap is what is measured. Every row goes through
``backend.tasks.run``, seams, feet and all: what is measured is what an animator gets. Windows are
drawn from splits that no training run has seen:

- ``takes``: held-out takes of groups that were trained on (near copies where a data set repeats itself);
- ``groups`` / ``subjects``: whole action-and-style groups, or whole subjects.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend import tasks
from backend.systems.base import Interpolation, System
from blender_addon.motion import constraints
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import INDEX

from . import masks, metrics
from .prepare.cache import Cache, Entry

GAPS = (5, 15, 30, 45)
PAST = 10
OFFSET = 40
SETS: Mapping[str, tuple[str, str]] = {
    "bandai_namco takes": ("bandai_namco", "takes"),
    "bandai_namco groups": ("bandai_namco", "test"),
    "cmu subjects": ("cmu", "test"),
    "reactidle takes": ("reactidle", "test"),
}
"""Row -> source and split."""

_NAMES = {"l2p": "L2P", "l2q": "L2Q", "npss": "NPSS", "error_cm": "error_cm", "skating_speed": "skating",
          "skating_ratio": "skating_ratio", "jerk": "jerk", "penetration_cm": "penetration_cm"}  # fmt: skip
_TRUE = {"true_skating_speed": "skating", "true_skating_ratio": "skating_ratio", "true_jerk": "jerk"}


def windows(cache: Cache, entries: Sequence[Entry], length: int, most: int) -> list[Clip]:
    """Windows of ``length`` frames every ``OFFSET`` frames, evenly thinned to at most ``most``."""
    found = [(e, s) for e in entries for s in range(0, e.length - length + 1, OFFSET)]
    if len(found) > most:
        found = [found[i] for i in np.linspace(0, len(found) - 1, most).round().astype(int)]
    return [metrics.facing_window(cache.clip(e).slice(s, s + length), PAST - 1) for e, s in found]


def statistics(cache: Cache, source: str, length: int = 65, most: int = 2000) -> metrics.PositionStatistics:
    """The scale of L2P: the same source's training windows."""
    return metrics.position_statistics(windows(cache, cache.select("train", [source]), length, most))


def transition(clips: Sequence[Clip], gap: int, system: System) -> list[Clip]:
    """Every window's gap filled by a system, as the product fills it."""
    keys = np.ones(PAST + gap + 1, bool)
    keys[PAST : PAST + gap] = False
    return [_fill(constraints.inbetween(c, keys), system) for c in clips]


def _fill(request: constraints.Request, system: System) -> Clip:
    return tasks.run(request, system, lambda step, total: None, lambda: False).clips[0]


def evaluate(cache: Cache, systems: Mapping[str, System], sets: Sequence[str] = tuple(SETS), gaps: Sequence[int] = GAPS,
             most: int = 200) -> dict[str, Any]:  # fmt: skip
    """The table: task -> data set -> gap -> who -> metric.

    Args:
        cache: the prepared data with its splits.
        systems: name -> system; ``interpolation`` is always added.
        sets: rows of :data:`SETS`; those the cache has no clips of are left out and named.
        gaps: missing frames.
        most: windows a row.
    """
    everyone = {**systems, "interpolation": Interpolation()}
    table: dict[str, Any] = {"inbetween": {}, "inbetween partial": {}}
    for row in sets:
        source, split = SETS[row]
        entries = cache.select(split, [source])
        if not entries:
            print(f"{row}: no clips in this cache, left out", flush=True)
            continue
        scale = statistics(cache, source)
        table["inbetween"][row] = {}
        for gap in gaps:
            truth = windows(cache, entries, PAST + gap + 1, most)
            if not truth:
                print(f"{row}, {gap} missing frames: every clip is shorter, left out", flush=True)
                continue
            cells = _row(truth, gap, everyone, scale)
            table["inbetween"][row][str(gap)] = cells
            print(row, gap, {n: c["error_cm"] for n, c in cells.items() if n in everyone}, flush=True)
        if cells := partial(cache, entries, everyone, most):
            table["inbetween partial"][row] = {"mixed": cells}
    return table


def _row(
    truth: Sequence[Clip], gap: int, systems: Mapping[str, System], scale: metrics.PositionStatistics
) -> dict[str, Any]:
    """One gap of one data set: who -> metric."""
    cells: dict[str, Any] = {"windows": len(truth)}
    for name, system in systems.items():
        filled = transition(truth, gap, system)
        measured = metrics.measure(truth, filled, slice(PAST, PAST + gap), scale)
        cells[name] = {_NAMES[k]: _number(v) for k, v in measured.items() if k in _NAMES}
        cells["truth"] = {v: _number(measured[k]) for k, v in _TRUE.items()}
    return cells


def _number(value: float) -> float | None:
    """Rounded; None where there is nothing to measure (no toe ever stands), since JSON has no nan."""
    return round(value, 5) if math.isfinite(value) else None


def partial(
    cache: Cache, entries: Sequence[Entry], systems: Mapping[str, System], most: int
) -> dict[str, Any]:
    """Sparse keys of which some leave out limbs, joints or the place: error over what was not given."""
    truth = windows(cache, entries, 64, most)
    if not truth:
        return {}
    cells: dict[str, Any] = {"windows": len(truth)}
    for name, system in systems.items():
        rng = np.random.default_rng(5)
        errors: list[float] = []
        for clip in truth:
            known, root = masks.partial(rng, len(clip))
            request = constraints.inbetween(clip, known.any(1), known, root)
            out = _fill(request, system)
            distance = np.linalg.norm(out.positions() - clip.positions(), axis=-1)
            errors.append(float(distance[~known].mean() * 100))
        cells[name] = {"error_cm": round(float(np.mean(errors)), 4)}
    return cells


def limb_completion(cache: Cache, entries: Sequence[Entry], system: System, most: int = 100) -> float:
    """Mean joint error, cm, of one arm that is missing between whole first and last poses."""
    arm = list(masks.PARTS["left_arm"])
    errors = []
    for clip in windows(cache, entries, 48, most):
        missing = np.zeros((len(clip), len(INDEX)), bool)
        missing[1:-1, arm] = True
        request = constraints.inbetween(clip, np.ones(len(clip), bool), ~missing)
        out = _fill(request, system)
        distance = np.linalg.norm(out.positions() - clip.positions(), axis=-1)
        errors.append(float(distance[1:-1][:, arm].mean() * 100))
    return float(np.mean(errors))


_COLUMNS = (
    ("joint error, cm", "error_cm", 2), ("L2P", "L2P", 3), ("L2Q", "L2Q", 3), ("NPSS", "NPSS", 4),
    ("skating, cm/s", "skating", 1), ("jerk, m/s3", "jerk", 0),
)  # fmt: skip
"""Of the card's tables: heading, metric, digits."""


def markdown(table: Mapping[str, Any], model: str = "model") -> str:
    """The tables as a card shows them; ``model`` is the column that ships."""
    lines = []
    for row, gaps in table["inbetween"].items():
        heads = ["missing frames"]
        for title, key, _ in _COLUMNS:
            heads += [title, "interpolation"]
            heads += ["below"] if key == "error_cm" else ["truth"] if key in _TRUE.values() else []
        lines += ["", f"**{row}**", "", _line(heads), _line(["---"] * len(heads))]
        for gap, cells in gaps.items():
            line = [str(gap)]
            for _, key, digits in _COLUMNS:
                m, i = cells[model][key], cells["interpolation"][key]
                line += [_cell(m, digits), _cell(i, digits)]
                if key == "error_cm":
                    line.append(f"{100 * (1 - m / i):.0f} %" if i else "–")
                elif key in _TRUE.values():
                    line.append(_cell(cells["truth"][key], digits))
            lines.append(_line(line))
    lines += ["", "**Sparse keys of which some leave out limbs, joints or the place** "
              "(error over what was not given)", "",
              _line(["data", "joint error, cm", "interpolation"]), _line(["---"] * 3)]  # fmt: skip
    for row, cells in table["inbetween partial"].items():
        c = cells["mixed"]
        lines.append(_line([row, *(_cell(c[who]["error_cm"], 2) for who in (model, "interpolation"))]))
    return "\n".join(lines).strip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def write(table: Mapping[str, Any], path: Path) -> None:
    """Write ``metrics.json``."""
    path.write_text(json.dumps(table, indent=1, allow_nan=False) + "\n")


def timed(system: System, clip: Clip, frames: int = 180, every: int = 30, repeats: int = 5) -> float:
    """Median seconds of a warm in-between of ``frames`` frames with a key at every ``every``-th."""
    long = clip.sample(np.linspace(0, len(clip) - 1, frames))
    keys = np.unique(np.append(np.arange(0, frames, every), frames - 1))
    request = constraints.inbetween(long, keys)
    _fill(request, system)
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        _fill(request, system)
        spent.append(time.perf_counter() - began)
    return float(np.median(spent))


def summary(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Bundles side by side: joint error in cm, and how far below interpolation it lies.

    Args:
        tables: bundle name -> its ``metrics.json``.
    """
    names = list(tables)
    head = ["held-out motion", "missing frames", "interpolation", *(f"`{n}`" for n in names)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    first = tables[names[0]]["inbetween"]
    for row, gaps in first.items():
        for gap in gaps:
            plain = gaps[gap]["interpolation"]["error_cm"]
            cells = [row, gap, f"{plain:.2f} cm"]
            for name in names:
                error = tables[name]["inbetween"][row][gap]["model"]["error_cm"]
                cells.append(f"{error:.2f} cm ({100 * (1 - error / plain):.0f} % below)")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
