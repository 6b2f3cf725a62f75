"""``limber-train ablate baselines | sharing``: what is trained for the same time, measured as it is delivered.

- ``baselines``: a pose-level transformer, a small MDM and the whole MMDM on in-betweening alone.
- ``sharing`` (issue: does one core for all tasks cost anything?): the mix of tasks beside one task alone.

Every row trains for the same processor time from nothing, and is measured on held-out motion through
the product's own path, beside plain interpolation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.nn.denoiser import Architecture, Denoiser
from backend.systems.base import System

from . import corruption, masks
from .baselines import Inpainting, MotionDiffusion
from .config import PRESETS, Config
from .evaluation import complete, inbetween, material, refine
from .evaluation.methods import Columns
from .export import system_of
from .prepare import cache as cache_file
from .train import Run

SIZES = Architecture(pose_width=192, heads=4, hidden=768, rounds=5)
KAA = replace(SIZES, joint_width=24, every=2, decoder=2, decoder_width=128)
ROWS = ("bandai_namco takes", "bandai_namco groups", "cmu subjects")
_KEYED = PRESETS["kaa"].masks


def _ended(config: Config, steps: int) -> Config:
    """A run of a known length, its rate falling over the last 30 %."""
    return replace(config, steps=steps, cooldown=0.3, long_share=0.0, ema=0.995)


def trained(config: Config, data: Path, seconds: float, threads: int, precision: str) -> tuple[Run, float]:
    """Train for about ``seconds`` of processor time: a few steps tell how many there are in it."""
    probe = Run(_ended(config, 1000), Path(), data, "cpu", threads, precision)
    for _ in range(3):
        probe.one_step()
    began = time.process_time()
    for _ in range(10):
        probe.one_step()
    steps = max(int(seconds / (time.process_time() - began) * 10), 20)
    run = Run(_ended(config, steps), Path(), data, "cpu", threads, precision)
    began = time.process_time()
    while run.step < steps:
        run.one_step()
    return run, time.process_time() - began


def _system(run: Run) -> System:
    network = run.average.module
    if isinstance(network, MotionDiffusion):
        return Inpainting(network, run.config.frames)
    assert isinstance(network, Denoiser)
    return system_of(run.config, network)


def baselines(
    data: Path, seconds: float = 300, threads: int = 1, precision: str = "32", most: int = 12
) -> list[dict[str, Any]]:
    """Mean joint error in cm over gaps of 5, 15, 30 and 45 frames, a row a method and held-out set."""
    kinds = {
        "pose-level transformer": replace(PRESETS["pose"], architecture=SIZES, masks=_KEYED),
        "small MDM": replace(PRESETS["pose"], architecture=SIZES, masks=_KEYED, objective="mdm"),
        "MMDM": replace(PRESETS["kaa"], architecture=KAA, masks=_KEYED),
    }
    found = cache_file.load(data)
    rows = material.rows(found, ROWS)
    systems, seen = {}, {}
    for name, config in kinds.items():
        run, spent = trained(config, data, seconds, threads, precision)
        systems[name], seen[name] = _system(run), (run.frames_seen, round(spent))
    table = []
    with Columns(systems) as columns:
        for title, row in rows.items():
            measured = _gaps(found, row, columns, inbetween.GAPS, most)
            for name in (*kinds, "interpolation"):
                errors = {
                    f"{gap} frames": round(cells[name]["error_cm"], 3) for gap, cells in measured.items()
                }
                frames, spent = seen.get(name, (0, 0))
                table.append({"data": title, "row": name, "frames_seen": frames, "seconds": spent, **errors})
    return table


TASKS: Mapping[str, Mapping[str, float]] = {
    "in-betweening alone": _KEYED,
    "completion alone": {k: v for k, v in PRESETS["mmdm"].masks.items() if k in masks.COMPLETION},
    "refinement alone": {k: v for k, v in PRESETS["mmdm"].masks.items() if k in corruption.CORRUPTIONS},
    "all three": PRESETS["mmdm"].masks,
}


def sharing(
    data: Path, seconds: float = 300, threads: int = 1, precision: str = "32", most: int = 12
) -> list[dict[str, Any]]:
    """Mean joint error in cm of one network for all tasks, and of one a task, at the same time each."""
    found = cache_file.load(data)
    rows = material.rows(found, ROWS)
    table = []
    for name, policies in TASKS.items():
        config = replace(PRESETS["mmdm"], architecture=KAA, masks=policies)
        run, spent = trained(config, data, seconds, threads, precision)
        with Columns({"model": _system(run)}) as columns:
            for title, row in rows.items():
                cells = {"data": title, "row": name, "frames_seen": run.frames_seen, "seconds": round(spent)}
                table.append(cells | _errors(found, row, columns, most))
        print(table[-len(rows) :], flush=True)
    return table


def _errors(found: cache_file.Cache, row: material.Row, columns: Columns, most: int) -> dict[str, Any]:
    """The three tasks' errors, each with its baseline; what a network was not trained for is left empty."""
    able: Sequence[str] = sorted(columns.systems["model"].tasks)
    out: dict[str, Any] = {}
    if "inbetween" in able:
        cells = _gaps(found, row, columns, [30], most)["30"]
    else:
        cells = {}
    out |= _pair("in-between 30 frames", cells, "interpolation")
    cells = complete.evaluate(found, row, columns, most)["one limb"] if "complete" in able else {}
    out |= _pair("one limb", cells, "interpolation")
    cells = refine.evaluate(found, row, columns, most, ["positions 5 cm"]) if "refine" in able else {}
    return out | _pair("positions 5 cm", cells.get("positions 5 cm", {}), "smoothing")


def _gaps(found: cache_file.Cache, row: material.Row, columns: Columns, gaps: Sequence[int],
          most: int) -> dict[str, Any]:  # fmt: skip
    return inbetween.lafan1(found, row, columns, material.statistics(found, row.scale), gaps, most)


def _pair(name: str, cells: Mapping[str, Any], beside: str) -> dict[str, Any]:
    who = {name: "model", f"{name}, {beside}": beside}
    return {k: round(cells[w]["error_cm"], 3) if cells else "" for k, w in who.items()}


TABLES: Mapping[str, Callable[[Path, float, int, str], list[dict[str, Any]]]] = {
    "baselines": baselines, "sharing": sharing,
}  # fmt: skip
"""Name -> table, of a cache, seconds a row, threads and precision."""
