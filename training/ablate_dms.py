"""``limber-train ablate dms``: how control signals are drawn in training (DMS, Tables 1 to 4), the same budget each.

- ``dms``: no control training, even draws, the paper's strategy, each half of it alone, and the two that favour
  large and moderate movement for masking; each with several seeds, on one frozen denoiser. No share of even draws is
  mixed in, so that a strategy is what it says.
- ``dms-uniform``: the paper's strategy with a share of even draws mixed in (what the paper does not have).

Errors are those that the network leaves (no closing optimisation), by OmniControl's protocol
(:mod:`training.evaluation.control`) on held-out groups of action and style.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from backend.nn.steered import Steered
from backend.systems.dms import DMS

from . import evaluator
from .config import PRESETS, Config
from .evaluation import control, material
from .evaluation.methods import Columns
from .export import DRAWS
from .prepare import cache as cache_file
from .steering import STRATEGIES
from .train import Run

SEEDS = (0, 1)
ROW = "bandai_namco groups"
MOST = 40
"""Stretches."""
SHARES = (0.0, 0.2, 0.5)
METRICS = ("average_cm", "trajectory_50", "trajectory_20", "location_50", "location_20", "KID", "skating")


def strategies(
    data: Path, start: Path, steps: int, threads: int = 0, precision: str = "auto", preset: str = "dms",
    seeds: Sequence[int] = SEEDS, most: int = MOST, sets: Sequence[str] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    """The rows of Tables 1 to 4.

    Args:
        start: checkpoint or bundle of the denoiser that is steered.
        most: stretches of the protocol; sets: of its joint sets, empty: all.
    """
    base = replace(PRESETS[preset], steps=steps, uniform=0.0)
    cells = {"no control training": [replace(base, steps=0)]}
    cells |= {name: [replace(base, strategy=name, seed=seed) for seed in seeds] for name in STRATEGIES}
    return _rows(cells, data, start, threads, precision, most, sets)


def uniform(data: Path, start: Path, steps: int, threads: int = 0, precision: str = "auto", preset: str = "dms",
            seeds: Sequence[int] = SEEDS, most: int = MOST) -> list[dict[str, Any]]:  # fmt: skip
    """The paper's strategy with shares of even draws; see :func:`strategies`."""
    base = replace(PRESETS[preset], steps=steps)
    cells = {
        f"dms, {share:.0%} even": [replace(base, uniform=share, seed=seed) for seed in seeds]
        for share in SHARES
    }
    return _rows(cells, data, start, threads, precision, most)


def _rows(cells: Mapping[str, Sequence[Config]], data: Path, start: Path, threads: int, precision: str,
          most: int, sets: Sequence[str] = ()) -> list[dict[str, Any]]:  # fmt: skip
    cache = cache_file.load(data)
    row = next(iter(material.rows(cache, [ROW]).values()), None) or next(iter(material.rows(cache).values()))
    asked = control.cases(cache, row, most, sets=sets)
    if not asked:
        raise ValueError("no captioned held-out stretches of four seconds: nothing to measure")
    judge = evaluator.installed("report")
    rows = []
    for name, configs in cells.items():
        found, slow, spent = [], [], 0.0
        for config in configs:
            began = time.perf_counter()
            system = _trained(config, data, start, threads, precision)
            spent += time.perf_counter() - began
            parts = control.delivered(
                asked, Columns({"dms": system}).able(control.TASK)["dms"], judge, {"closing": False}
            )
            found.append(parts["all"])
            slow.append(parts.get("head", parts["all"])["average_cm"])
        rows.append({"row": name, "training_seconds": round(spent / len(configs), 1), **_means(found),
                     "head average_cm": round(statistics.mean(slow), 2)})  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def _trained(config: Config, data: Path, start: Path, threads: int, precision: str) -> DMS:
    run = Run(config, Path(), data, "cuda" if torch.cuda.is_available() else "cpu", threads, precision)
    run.start_from(start, "mmdm")  # never from a branch that has learnt already
    while run.step < config.steps:
        run.one_step()
    network = run.average.module if config.steps else run.network
    assert isinstance(network, Steered)
    return DMS(network.cpu(), frozenset(config.offered), config.long_frames, DRAWS)


def _means(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean over seeds, and the half of their range."""
    out: dict[str, Any] = {}
    for key in METRICS:
        values = [f[key] for f in found if f[key] is not None]
        if not values:
            continue
        out[key] = round(statistics.mean(values), 3)
        if len(values) > 1:
            out[f"{key} ±"] = round((max(values) - min(values)) / 2, 3)
    return out


TABLES = {"dms": strategies, "dms-uniform": uniform}
"""Table -> function of (data, denoiser, steps, threads, precision, seeds)."""
