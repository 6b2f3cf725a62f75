"""``limber-train ablate``: the paper's comparisons on our data, each table in one run.

- ``attention`` (MMDM, Table VI): what a round attends to. All rows have one width, one number of
  rounds, the same windows in the same order and the same number of steps.
- ``masks`` (MMDM, Fig. 5a): completion trained with pattern A, B or C, each measured on all three.
- ``strides`` (MMDM, Fig. 5c and Table VI's last rows): a trained checkpoint by its number of DDIM steps.

Errors are mean joint errors over held-out windows (``test`` split) that no row was trained on,
drawn once with a fixed seed for all rows. Chosen by nobody: nothing is tuned on them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from backend.features import Inputs
from backend.nn import diffusion
from backend.nn.denoiser import Architecture, Denoiser
from backend.systems.base import Denoising

from . import losses
from .config import PRESETS, Config
from .dataset import generators
from .objectives.denoise import Denoise
from .train import Run, averaged

SMALL = Architecture(pose_width=64, joint_width=64, heads=4, joint_heads=4, hidden=256, rounds=4, patch=2)
ATTENTION = {
    "S": "joints", "T": "time", "S&T": "joints and time",
    "KAA, time first": "kaa time first", "KAA, joints first": "kaa joints first",
}  # fmt: skip
"""Row of Table VI -> kind of round."""


def attention(data: Path, steps: int, threads: int = 0, sizes: Architecture = SMALL) -> list[dict[str, Any]]:
    """Train and measure the rows of :data:`ATTENTION`, and a pose-level transformer of the same sizes."""
    rows = []
    kinds = {**ATTENTION, "pose level": "kaa"}
    for name, kind in kinds.items():
        a = replace(sizes, attention=kind, joint_width=0 if name == "pose level" else sizes.joint_width)
        config = replace(PRESETS["kaa"], architecture=a, steps=steps, long_share=0.0, one_pass=1.0, ema=0.99)
        run, seconds = _trained(config, data, threads)
        x, network = _example(run, 128), denoising(run).network
        rows.append({
            "row": name, "parameters": sum(p.numel() for p in network.parameters()),
            "operations_per_frame": operations(network, x), "frames_per_second": speed(network, x),
            "training_seconds": round(seconds, 1), "frames_seen": run.frames_seen,
            **held_out(run, config.masks),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def masks(data: Path, steps: int, threads: int = 0, sizes: Architecture = SMALL) -> list[dict[str, Any]]:
    """Completion trained with each of the paper's three patterns, measured on all three."""
    rows = []
    patterns = {"A, per pose": "per_pose", "B, per joint": "per_joint", "C, weighted": "weighted"}
    for name, policy in patterns.items():
        config = replace(
            PRESETS["kaa"], architecture=replace(sizes, joint_width=sizes.pose_width // 4), masks={policy: 1.0},
            steps=steps, long_share=0.0, one_pass=1.0, ema=0.99,
        )  # fmt: skip
        run, seconds = _trained(config, data, threads)
        row: dict[str, Any] = {"row": name, "training_seconds": round(seconds, 1)}
        for measured, other in patterns.items():
            row[f"on {measured[0]}: below_percent"] = held_out(run, {other: 1.0})["below_percent"]
        rows.append(row)
        print(rows[-1], flush=True)
    return rows


def _trained(config: Config, data: Path, threads: int) -> tuple[Run, float]:
    run = Run(config, Path(), data, "cuda" if torch.cuda.is_available() else "cpu", threads)
    began = time.perf_counter()
    while run.step < config.steps:
        run.one_step()
    return run, time.perf_counter() - began


def denoising(run: Run) -> Denoise:
    """What the run learns.

    Raises:
        ValueError: something else than filling windows.
    """
    if not isinstance(run.objective, Denoise):
        raise ValueError(f"a run of {run.config.objective!r} fills no windows")
    return run.objective


def held_out(run: Run, policies: Mapping[str, float], size: int = 64, batches: int = 6) -> dict[str, float]:
    """Joint error of the averaged network on held-out windows, beside interpolation, in hip heights a hundredth."""
    task = denoising(run)
    source = task.held_out(policies)
    model = plain = 0.0
    for n in range(batches):
        a, b = task.one_pass_errors(run.average.module, source, generators(11, n, size=size))
        model, plain = model + a / batches, plain + b / batches
    return {
        "error_percent_of_hip_height": round(100 * model, 3), "interpolation": round(100 * plain, 3),
        "below_percent": round(100 * (1 - model / plain), 1),
    }  # fmt: skip


def _example(run: Run, frames: int) -> Inputs:
    task = denoising(run)
    return task.windows(task.held_out({"sparse": 1.0}), generators(3, size=1), frames)[0]


def _pass(network: Denoiser, x: Inputs) -> None:
    network(x, torch.zeros_like(x.base), torch.full((len(x.base),), diffusion.STEPS, device=x.base.device))


@torch.inference_mode()
def operations(network: Denoiser, x: Inputs) -> int:
    """Multiplications and additions of one pass, a frame (torch's own counter; it knows plain attention only)."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        _pass(network, x)
    return round(counter.get_total_flops() / x.base.shape[1])


@torch.inference_mode()
def speed(network: Denoiser, x: Inputs, repeats: int = 15) -> int:
    """Frames a second of one pass, one window, the best of several: other work only ever slows it down."""
    _pass(network, x)
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        _pass(network, x)
        spent.append(time.perf_counter() - began)
    return round(x.base.shape[1] / min(spent))


@torch.inference_mode()
def strides(
    checkpoint: Path, data: Path, counts: Sequence[int] = (1, 2, 4, 8, 16, 50), size: int = 32
) -> list[dict[str, Any]]:
    """Error and spread of drawn samples by the number of DDIM steps; 0 steps: the one pass.

    Args:
        checkpoint: of a run; its averaged network is measured on ``size`` held-out windows.
    """
    config, network = averaged(checkpoint)
    run = Run(config, checkpoint.parent, data, "cpu")
    task = denoising(run)
    x, truth = task.windows(task.held_out({"sparse": 1.0}), generators(12, size=size), config.frames)
    rows = []
    for count in (0, *counts):
        system = Denoising(network, frozenset({"inbetween"}), config.frames, max(count, 1))
        began = time.perf_counter()
        drawn = []
        for n in range(4 if count else 1):
            generator = torch.Generator().manual_seed(n)
            difference = system.sample(x, min(count, 1), generator, lambda: None)
            drawn.append(x.base + difference)
        seconds = (time.perf_counter() - began) / len(drawn)
        errors = [losses.loss(d, x, truth, config.weights)[1]["joints"] for d in drawn]
        spread = torch.stack(drawn).std(0).mean() if count else torch.zeros(())
        rows.append({
            "ddim_steps": count, "error_percent_of_hip_height": round(100 * float(np.mean(errors)), 3),
            "best_of_four": round(100 * min(errors), 3), "spread": round(float(spread), 4),
            "frames_per_second": round(size * config.frames / seconds),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


TABLES: Mapping[str, Callable[[Path, int, int], list[dict[str, Any]]]] = {
    "attention": attention,
    "masks": masks,
}
"""Tables that train their own rows."""


def write(rows: Sequence[Mapping[str, Any]], name: str, out: Path) -> str:
    """``OUT/NAME.json`` and the same as a markdown table, which is returned."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(list(rows), indent=1) + "\n")
    heads = list(rows[0])
    lines = ["| " + " | ".join(h.replace("_", " ") for h in heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(str(row[h]) for h in heads) + " |" for row in rows]
    text = "\n".join(lines) + "\n"
    (out / f"{name}.md").write_text(text)
    return text
