"""``limber-train evaluate``: what the product delivers on held-out motion, beside what it has to beat.

Everything goes through ``backend.tasks.run``, seams, feet and all: what is measured is what an animator
gets. Windows are drawn from splits that no training run has seen:

- ``takes``: held-out takes of groups that were trained on (near copies where a data set repeats itself);
- ``groups`` / ``subjects``: whole action-and-style groups, or whole subjects.

The tasks are measured in :mod:`training.evaluation`, one module each; this is the way in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend import weights
from backend.service import build
from backend.systems.base import BUILT_IN, System
from blender_addon.motion import constraints
from blender_addon.motion.clip import Clip

from . import evaluator
from .evaluation import complete, control, inbetween, material, minimal_pairs, refine, text
from .evaluation.inbetween import GAPS
from .evaluation.material import OFFSET, PAST, SETS, Row, load, windows
from .evaluation.methods import Columns, deliver
from .evaluation.samples import Sample, draw
from .evaluation.tables import BASELINES, markdown, summary
from .prepare.cache import Cache

__all__ = [
    "BASELINES", "GAPS", "OFFSET", "PAST", "SETS", "TASKS", "columns", "default_system", "evaluate", "load",
    "markdown", "samples", "summary", "system", "timed", "windows", "write",
]  # fmt: skip

TASKS = ("inbetween", "complete", "refine", text.TASK, control.TASK)
HELD_OUT = ("test", "takes")


def columns(bundle: Path, beside: Sequence[Path] = ()) -> dict[str, System]:
    """A bundle's systems as the backend loads them (float16 storage and all), as columns.

    The first system, which ``auto`` takes, is ``model``; its others go by their names, those of further
    bundles by "bundle/system".

    Raises:
        WeightsError: a bundle that cannot be loaded.
    """
    loaded = weights.load(bundle)
    first, *others = loaded.systems
    found = {"model": build(loaded, first), **{n: build(loaded, n) for n in others}}
    for path in beside:
        other = weights.load(path)
        found |= {f"{other.name}/{n}": build(other, n) for n in other.systems}
    return found


def system(bundle: Path, name: str) -> System:
    """One of a bundle's systems.

    Raises:
        WeightsError: there is none of that name, or the bundle cannot be loaded.
    """
    return build(weights.load(bundle), name)


def default_system(bundle: Path) -> str:
    """Name of the system that ``auto`` takes: the column ``model``."""
    return next(iter(weights.load(bundle).systems))


def evaluate(cache: Cache, systems: Mapping[str, System], sets: Sequence[str] | None = None,
             gaps: Sequence[int] = GAPS, most: int = 200, tasks: Sequence[str] | None = None,
             workers: int = 1) -> dict[str, Any]:  # fmt: skip
    """The tables: task -> data set -> gap or case -> who -> metric.

    Args:
        cache: the prepared data with its splits, or a folder's clips (:func:`load`).
        systems: name -> system; baselines are always added.
        sets: rows of :data:`SETS`; None: all that the cache has clips of.
        gaps: missing frames of LAFAN1's protocol.
        most: windows a row.
        tasks: of :data:`TASKS`; None: those that at least one system can do.
        workers: processes.

    Raises:
        ValueError: a task that no system can do, or nothing to measure on.
    """
    chosen = _tasks(systems, tasks)
    found = material.rows(cache, sets)
    if not found:
        raise ValueError("no held-out clip in this data: nothing to measure")
    table: dict[str, Any] = {}
    with Columns(systems, workers) as runs:
        for name, row in found.items():
            for key, cells in _row(cache, name, row, runs, gaps, most, chosen):
                table.setdefault(key, {})
                if cells:
                    table[key][name] = cells
        if text.TASK in chosen:
            table["pairs"] = {"prompts": _pairs(cache, runs)}
    return table


def _pairs(cache: Cache, runs: Columns) -> dict[str, Any]:
    """Minimal pairs: kind -> who -> judge, beside real clips of those prompts."""
    judges = {name: evaluator.installed(name) for name in evaluator.SHAPES}
    generate = {name: text.prompted(method) for name, method in runs.able(text.TASK).items()}
    found = minimal_pairs.evaluate(generate, judges, minimal_pairs.embedder(cache))
    for kind, cells in minimal_pairs.truth(cache, HELD_OUT, judges).items():
        found[kind]["truth"] = cells["truth"]
    return found


def samples(
    cache: Cache, systems: Mapping[str, System], tasks: Sequence[str] | None = None, count: int = 2
) -> list[Sample]:
    """Windows to look at, evenly spaced: ``count`` of every data set and case."""
    return draw(cache, material.rows(cache), Columns(systems), _tasks(systems, tasks), count)


def _tasks(systems: Mapping[str, System], tasks: Sequence[str] | None) -> list[str]:
    """Those asked for, or all that some system can do."""
    able = [t for t in TASKS if any(t in s.tasks for s in systems.values())]
    if unable := [t for t in tasks or () if t not in able]:
        raise ValueError(f"none of {', '.join(systems)} can {unable[0]}; they can {', '.join(able)}")
    return able if tasks is None else [t for t in TASKS if t in tasks]


def _row(
    cache: Cache, name: str, row: Row, runs: Columns, gaps: Sequence[int], most: int, tasks: Sequence[str]
) -> list[tuple[str, dict[str, Any]]]:
    """One data set: table -> gap or case -> who -> metric."""
    found = []
    if "inbetween" in tasks:
        scale = material.statistics(cache, row.scale)
        found.append(("inbetween", inbetween.lafan1(cache, row, runs, scale, gaps, most)))
        found.append(("inbetween mmdm", inbetween.mmdm(cache, row, runs, scale, most)))
        cells = inbetween.partial(cache, row, runs, most)
        found.append(("inbetween partial", {"mixed": cells} if cells else {}))
    if "complete" in tasks:
        found.append(("complete", complete.evaluate(cache, row, runs, most)))
    if "refine" in tasks:
        found.append(("refine", refine.evaluate(cache, row, runs, most)))
    if text.TASK in tasks:
        judges = {n: evaluator.installed(n) for n in evaluator.SHAPES}
        generate = {n: text.prompted(method) for n, method in runs.able(text.TASK).items()}
        found.append((text.TASK, text.evaluate(cache, row, generate, judges, most)))
    if control.TASK in tasks:
        led = Columns({**runs.systems, "interpolation": BUILT_IN["interpolation"]})
        found.append((control.TASK, control.evaluate(cache, row, led, evaluator.installed("report"), most)))
    for key, cells in found:
        for case, cell in cells.items():
            errors = {n: c["error_cm"] for n, c in cell.items() if isinstance(c, dict) and "error_cm" in c}
            print(f"{name}, {key}, {case}: {errors}", flush=True)
    return found


def write(table: Mapping[str, Any], path: Path) -> None:
    """Write ``metrics.json``."""
    path.write_text(json.dumps(table, indent=1, allow_nan=False) + "\n")


def timed(system: System, clip: Clip, frames: int = 180, every: int = 30, repeats: int = 5) -> float:
    """Median seconds of a warm in-between of ``frames`` frames with a key at every ``every``-th."""
    long = clip.sample(np.linspace(0, len(clip) - 1, frames))
    keys = np.unique(np.append(np.arange(0, frames, every), frames - 1))
    request = constraints.inbetween(long, keys)
    deliver(request, system)
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        deliver(request, system)
        spent.append(time.perf_counter() - began)
    return float(np.median(spent))
