"""``limber-train ablate``: the paper's comparisons on our data, each table in one run.

- ``attention`` (MMDM, Table VI): what a round attends to. All rows have one width, one number of
  rounds, the same windows in the same order and the same number of steps.
- ``masks`` (MMDM, Fig. 5a): completion trained with pattern A, B or C, each measured on all three.
- ``training-ratios`` (Fig. 5b): completion trained with pattern A at one masking ratio, measured at all.
- ``ratios``: a trained network by the share of joints that are missing, in three patterns.
- ``strides`` (Fig. 5c and Table VI's last rows): a trained network by its number of DDIM steps.

Errors are mean joint errors over held-out windows (``test`` split) that no row was trained on,
drawn once with a fixed seed for all rows. Chosen by nobody: nothing is tuned on them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from backend import weights
from backend.features import Inputs
from backend.nn import diffusion
from backend.nn.denoiser import Architecture, Denoiser
from backend.service import build
from backend.systems.base import Denoising

from . import losses
from .config import PRESETS, Config
from .dataset import generators
from .masks import SHARES
from .objectives.denoise import Denoise
from .prepare import cache as cache_file
from .train import Run, averaged

SMALL = Architecture(pose_width=64, joint_width=64, heads=4, joint_heads=4, hidden=256, rounds=4, patch=2)
ATTENTION = {
    "S": "joints", "T": "time", "S&T": "joints and time",
    "KAA, time first": "kaa time first", "KAA, joints first": "kaa joints first",
}  # fmt: skip
"""Row of Table VI -> kind of round."""


def attention(data: Path, steps: int, threads: int = 0, precision: str = "auto",
              sizes: Architecture = SMALL) -> list[dict[str, Any]]:  # fmt: skip
    """Train and measure the rows of :data:`ATTENTION`, and a pose-level transformer of the same sizes."""
    rows = []
    kinds = {**ATTENTION, "pose level": "kaa"}
    for name, kind in kinds.items():
        a = replace(sizes, attention=kind, joint_width=0 if name == "pose level" else sizes.joint_width)
        config = replace(PRESETS["kaa"], architecture=a, steps=steps, long_share=0.0, one_pass=1.0, ema=0.99)
        run, seconds = _trained(config, data, threads, precision)
        x, network = _example(run, 128), denoising(run).network
        rows.append({
            "row": name, "parameters": sum(p.numel() for p in network.parameters()),
            "operations_per_frame": operations(network, x), "frames_per_second": speed(network, x),
            "frames_per_second_bf16": speed(network, x, 6, torch.bfloat16),
            "training_seconds": round(seconds, 1), "frames_seen": run.frames_seen,
            **held_out(run, config.masks),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def masks(data: Path, steps: int, threads: int = 0, precision: str = "auto",
          sizes: Architecture = SMALL) -> list[dict[str, Any]]:  # fmt: skip
    """Completion trained with each of the paper's three patterns, measured on all three."""
    rows = []
    patterns = {"A, per pose": "per_pose", "B, per joint": "per_joint", "C, weighted": "weighted"}
    for name, policy in patterns.items():
        run, seconds = _trained(_completing(policy, steps, sizes), data, threads, precision)
        row: dict[str, Any] = {"row": name, "training_seconds": round(seconds, 1)}
        for measured, other in patterns.items():
            row[f"on {measured[0]}: below_percent"] = held_out(run, {other: 1.0})["below_percent"]
        rows.append(row)
        print(rows[-1], flush=True)
    return rows


def _completing(policy: str, steps: int, sizes: Architecture) -> Config:
    """A small network that completes one kind of mask."""
    return replace(
        PRESETS["kaa"], architecture=replace(sizes, joint_width=sizes.pose_width // 4), masks={policy: 1.0},
        steps=steps, long_share=0.0, one_pass=1.0, ema=0.99,
    )  # fmt: skip


def _trained(config: Config, data: Path, threads: int, precision: str) -> tuple[Run, float]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    run = Run(config, Path(), data, device, threads, precision)
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
def speed(network: Denoiser, x: Inputs, repeats: int = 15, dtype: torch.dtype = torch.float32) -> int:
    """Frames a second of one pass, one window, the best of several: other work only ever slows it down."""
    spent = []
    with torch.autocast(x.base.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        _pass(network, x)
        for _ in range(repeats):
            began = time.perf_counter()
            _pass(network, x)
            spent.append(time.perf_counter() - began)
    return round(x.base.shape[1] / min(spent))


def training_ratios(
    data: Path,
    steps: int,
    threads: int = 0,
    precision: str = "auto",
    sizes: Architecture = SMALL,
    shares: Sequence[int] = (10, 30, 50, 70),
) -> list[dict[str, Any]]:
    """Completion trained with pattern A at each of several masking ratios, measured at all of them."""
    rows = []
    for share in shares:
        run, seconds = _trained(_completing(f"per_pose {share} %", steps, sizes), data, threads, precision)
        row: dict[str, Any] = {"trained_at_percent": share, "training_seconds": round(seconds, 1)}
        for measured in shares:
            found = held_out(run, {f"per_pose {measured} %": 1.0})
            row[f"at {measured} %: below_percent"] = found["below_percent"]
        rows.append(row)
        print(rows[-1], flush=True)
    return rows


# -- of one trained network ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained network, and where its windows come from."""

    system: Denoising
    task: Denoise

    def windows(
        self, policies: Mapping[str, float], seed: Sequence[int], size: int
    ) -> tuple[Inputs, losses.Target]:
        """Held-out windows with something missing."""
        return self.task.windows(
            self.task.held_out(policies), generators(*seed, size=size), self.task.config.frames
        )

    def error(self, filled: Tensor, x: Inputs, truth: losses.Target) -> float:
        """Mean joint error in hundredths of the hip height, over frames of which something is missing."""
        return 100 * losses.loss(filled, x, truth, self.task.config.weights)[1]["joints"]


def subject(path: Path, data: Path, system: str | None = None) -> Subject:
    """A run's checkpoint (its averaged network), or a system of a bundle.

    Args:
        path: ``last.pt``, or a bundle's folder.
        system: of the bundle; None: the first that fills windows by denoising.

    Raises:
        ValueError: no such system in the bundle, or a run of something else.
    """
    cache = cache_file.load(data)
    there = {e.source for e in cache.select("test")}
    if path.is_dir():
        bundle = weights.load(path)
        built = {n: build(bundle, n) for n in bundle.systems if system in (None, n)}
        found = next((s for s in built.values() if isinstance(s, Denoising)), None)
        if found is None:
            raise ValueError(f"{path} has no {system or 'system'} that fills windows by denoising")
        config = PRESETS["kaa"]
    else:
        config, network = averaged(path)
        if not isinstance(network, Denoiser):
            raise ValueError(f"{path}: a run of {config.objective!r} fills no windows")
        found = Denoising(network, frozenset({"inbetween", "complete"}), config.frames, 1)
    sources = {s: w for s, w in config.sources.items() if s in there}
    config = replace(config, sources=sources, architecture=found.network.architecture)
    return Subject(found, Denoise(config, cache, torch.device("cpu")))


@torch.inference_mode()
def ratios(of: Subject, shares: Sequence[int] = SHARES, size: int = 64) -> list[dict[str, Any]]:
    """Error of completion in one pass by the share of joints that are missing, in three patterns.

    In every pose as many (A), anywhere (B), or the same joints from the second to the last but one frame.
    """
    rows = []
    for share in shares:
        row: dict[str, Any] = {"missing_percent": share}
        for name, pattern in {"A": "per_pose", "B": "per_joint", "tracks": "tracks"}.items():
            x, truth = of.windows({f"{pattern} {share} %": 1.0}, (13,), size)
            difference = of.system.sample(x, 0, torch.Generator().manual_seed(0), lambda: None)
            row[name] = round(of.error(x.base + difference, x, truth), 3)
            row[f"{name}: interpolation"] = round(of.error(x.base, x, truth), 3)
        rows.append(row)
        print(rows[-1], flush=True)
    return rows


@torch.inference_mode()
def strides(
    of: Subject, counts: Sequence[int] = (1, 2, 4, 8, 16, 50), size: int = 32
) -> list[dict[str, Any]]:
    """Error and spread of drawn samples by the number of DDIM steps; 0 steps: the one pass."""
    x, truth = of.windows({"sparse": 1.0}, (12,), size)
    plain = of.error(x.base, x, truth)
    rows = []
    for count in (0, *counts):
        system = Denoising(of.system.network, of.system.tasks, of.system.window, max(count, 1))
        began = time.perf_counter()
        drawn = []
        for n in range(4 if count else 1):
            generator = torch.Generator().manual_seed(n)
            difference = system.sample(x, min(count, 1), generator, lambda: None)
            drawn.append(x.base + difference)
        seconds = (time.perf_counter() - began) / len(drawn)
        errors = [of.error(d, x, truth) for d in drawn]
        spread = torch.stack(drawn).std(0).mean() if count else torch.zeros(())
        rows.append({
            "ddim_steps": count, "error_percent_of_hip_height": round(float(np.mean(errors)), 3),
            "best_of_four": round(min(errors), 3), "interpolation": round(plain, 3),
            "spread": round(float(spread), 6), "frames_per_second": round(size * of.task.config.frames / seconds),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


TABLES: Mapping[str, Callable[[Path, int, int, str], list[dict[str, Any]]]] = {
    "attention": attention,
    "masks": masks,
    "training-ratios": training_ratios,
}
"""Tables that train their own rows."""
OF_ONE: Mapping[str, Callable[[Subject], list[dict[str, Any]]]] = {"ratios": ratios, "strides": strides}
"""Tables of one trained network."""


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
