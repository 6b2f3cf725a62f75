"""One training loop, on Lightning Fabric: CPU, one GPU, or many with ``torchrun``; resumes exactly."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy
from lightning.fabric.strategies.strategy import Strategy
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter

from backend import features
from backend.nn import diffusion
from backend.nn.denoiser import Architecture, Denoiser, widened

from . import losses
from .config import Config
from .dataset import Windows, generators
from .prepare import cache as cache_file


class Run:
    """Everything that a checkpoint must hold for a run to go on as if it had never stopped."""

    def __init__(
        self, config: Config, folder: Path, data: Path, device: str = "auto", threads: int = 0
    ) -> None:
        torch.manual_seed(config.seed)
        if threads:
            torch.set_num_threads(threads)
        self.config, self.folder = config, folder
        self.fabric = _fabric(device)
        world = self.fabric.world_size
        if config.batch % (2 * world):
            raise ValueError(
                f"batches of {config.batch} (and of half of it) cannot be shared by {world} processes"
            )
        self.network = Denoiser(config.architecture)
        self.average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(config.ema))
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": config.decay}, {"params": plain, "weight_decay": 0.0}],
            lr=config.rate, betas=(0.9, 0.98),
        )  # fmt: skip
        self.model, self.optimizer = self.fabric.setup(self.network, self.optimizer)
        self.average.to(self.fabric.device)
        data_cache = cache_file.load(data)
        self.windows = Windows(data_cache, data_cache.select("train"), config.sources, config.masks)
        self.step = self.began = 0
        self.frames_seen = 0
        self.checks = Windows(data_cache, data_cache.select("validation"), config.sources, config.masks)
        self.calibrate()

    def calibrate(self, batches: int = 24) -> None:
        """Measure the network's means and deviations on training windows, the same in every process."""
        c = self.config
        filling, differences = [], []
        for n in range(batches):
            rngs = generators(c.seed, _CALIBRATION, n, size=c.batch)
            x, truth = self._windows(self.windows, rngs, c.frames)
            filling.append(torch.cat((x.base, x.positions.flatten(2)), -1)[x.valid])
            unknown = ~(x.rotation_known.all(-1) & x.root_known) & x.valid
            differences.append((truth.channels - x.base)[unknown])
        self.network.calibrate(torch.cat(filling), torch.cat(differences))
        self.average.module.load_state_dict(self.network.state_dict())

    def _windows(self, source: Windows, rngs: Sequence[np.random.Generator], frames: int,
                 jitter: Tensor | None = None) -> tuple[features.Inputs, losses.Target]:  # fmt: skip
        """A batch in its own frame: what the model reads, and the truth."""
        raw, given = (w.to(self.fabric.device) for w in source.batch(rngs, frames))
        filled, frame = features.localise(features.interpolate(given), jitter)
        return features.inputs(filled), losses.target(features.apply(raw, frame))

    def validate(self, size: int = 64) -> float:
        """Joint error of the averaged network over the interpolation's, one pass, always the same windows."""
        model, plain = self.one_pass_errors(self.checks, generators(7, size=size))
        return model / plain

    @torch.inference_mode()
    def one_pass_errors(self, source: Windows, rngs: Sequence[np.random.Generator]) -> tuple[float, float]:
        """Joint error of the averaged network in one pass, and of the filling, hip heights."""
        x, truth = self._windows(source, rngs, self.config.frames)
        at = torch.full((len(rngs),), diffusion.STEPS, device=x.base.device)
        free = ~features.known_channels(x)
        out = x.base + self.average.module(x, torch.zeros_like(x.base), at) * self.network.scale * free
        model, plain = (losses.loss(o, x, truth, self.config.weights)[1]["joints"] for o in (out, x.base))
        return model, plain

    def rate(self) -> float:
        """Warm-up, hold, and a last stretch down to nothing (1 - sqrt)."""
        c = self.config
        left = (c.steps - self.step) / max(c.cooldown * c.steps, 1)
        return (
            c.rate
            * min(1.0, (self.step - self.began + 1) / c.warmup)
            * (1.0 if left >= 1 else 1 - math.sqrt(1 - max(left, 0)))
        )

    def one_step(self) -> dict[str, float]:
        """Draw a batch, fill it, compare, learn."""
        c = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        # 1. data, masks and the window's own frame. All of it follows from the seed and the step, so a
        # resumed run goes on exactly, and each of several processes draws its own rows of one batch.
        noise = torch.Generator().manual_seed((c.seed * 1_000_003 + self.step) % 2**63)
        long = bool(torch.rand((), generator=noise) < c.long_share)
        size, frames = (c.batch // 2, c.long_frames) if long else (c.batch, c.frames)
        mine = slice(self.fabric.global_rank, None, self.fabric.world_size)
        here = lambda x: x[mine].to(self.fabric.device)  # noqa: E731
        jitter = here(torch.randn(size, generator=noise) * 0.2)
        x, truth = self._windows(self.windows, generators(c.seed, self.step, size=size)[mine], frames, jitter)
        # 2. the sample: none (one-pass), or the clean difference with noise
        scale = self.network.scale
        free = ~features.known_channels(x)
        clean = (truth.channels - x.base) * free / scale
        at = torch.randint(diffusion.STEPS, (size,), generator=noise)
        at = here(torch.where(torch.rand(size, generator=noise) < c.one_pass, diffusion.STEPS, at))
        sample = diffusion.noisy(clean, here(torch.randn(size, *clean.shape[1:], generator=noise)), at) * free
        # 3. predict, put back what is known, compare
        out = x.base + self.model(x, sample, at) * scale * free
        total, terms = losses.loss(out, x, truth, c.weights, self._share)
        if not torch.isfinite(total):
            raise FloatingPointError(
                f"loss is {float(total.detach())} at step {self.step}: lower the rate, or look at the data"
            )
        # 4. learn
        self.fabric.backward(total)
        norm = self.fabric.clip_gradients(self.model, self.optimizer, max_norm=c.clip_norm)
        assert norm is not None
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_parameters(self.network)
        self.step += 1
        self.frames_seen += int(self._sum(x.valid.sum()))
        return {"loss": float(total.detach()), "norm": float(norm), **terms}

    def _sum(self, x: Tensor) -> Tensor:
        """Over all processes."""
        out = self.fabric.all_reduce(x, reduce_op="sum")
        assert isinstance(out, Tensor)
        return out

    def _share(self, share: Tensor) -> Tensor:
        """Weights of the whole batch, a process: gradients are averaged over the processes."""
        return self._sum(share.detach()) / self.fabric.world_size

    # -- keeping -------------------------------------------------------------------------------------

    def save(self, path: Path | None = None) -> None:
        """Write a checkpoint beside the old one, then take its place: never half a file. One process does."""
        if not self.fabric.is_global_zero:
            return
        path = path or self.folder / "last.pt"
        state: dict[str, Any] = {
            "config": asdict(self.config), "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(), "torch": torch.get_rng_state(),
            "step": self.step, "began": self.began, "frames_seen": self.frames_seen,
        }  # fmt: skip
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Go on exactly where a checkpoint stopped."""
        state = torch.load(path, weights_only=False, map_location="cpu")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch"])
        self.step, self.began, self.frames_seen = state["step"], state["began"], state["frames_seen"]

    def start_from(self, path: Path) -> None:
        """Take over another run's weights and place in time; what is new (a joint stream) starts fresh.

        The optimiser starts fresh too: its moments belong to other parameters.
        """
        state = torch.load(path, weights_only=False, map_location="cpu")
        missing, unexpected = self.network.load_state_dict(
            widened(state["network"], self.network), strict=False
        )
        if unexpected:
            raise ValueError(f"{path} has parameters this network lacks: {unexpected[0]}")
        self.average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(self.config.ema))
        self.step, self.frames_seen = state["step"], state["frames_seen"]
        self.began = self.step
        print(f"started from {path} at step {self.step}; new parameters: {len(missing)}", flush=True)


_CALIBRATION = 2**31
"""In the place of a step: the random streams of :meth:`Run.calibrate`."""


def _fabric(device: str) -> Fabric:
    """One process, or as many as ``torchrun`` says, on CPUs (gloo) or GPUs (nccl, bf16)."""
    several = "TORCHELASTIC_RUN_ID" in os.environ
    strategy: Strategy | str = "auto"
    if several:  # a step whose samples are all one-pass has no use for the decoder
        strategy = DDPStrategy(
            find_unused_parameters=True, process_group_backend="nccl" if device == "cuda" else "gloo"
        )
    fabric = Fabric(
        accelerator="cuda" if device == "cuda" else "cpu", strategy=strategy,
        devices=int(os.environ["LOCAL_WORLD_SIZE"]) if several else 1,
        num_nodes=int(os.environ["WORLD_SIZE"]) // int(os.environ["LOCAL_WORLD_SIZE"]) if several else 1,
        precision="bf16-mixed" if device == "cuda" else "32-true",
    )  # fmt: skip
    if several:
        fabric.launch()
    return fabric


def train(config: Config, folder: Path, data: Path, *, start: Path | None = None, device: str = "auto",
          threads: int = 0, save_every: float = 120.0) -> Run:  # fmt: skip
    """Train, or go on training, in ``folder`` (``last.pt``, ``log.csv``, TensorBoard's ``events...``).

    Under ``torchrun`` every process runs this; one of them prints and writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    run = Run(config, folder, data, device, threads)
    last = folder / "last.pt"
    if last.exists():
        run.load(last)
    elif start is not None:
        run.start_from(start)
    say = run.fabric.print
    say(
        f"{sum(p.numel() for p in run.network.parameters()) / 1e6:.2f} M parameters, step {run.step}",
        flush=True,
    )
    first_process = run.fabric.is_global_zero
    board = SummaryWriter(str(folder), purge_step=run.step) if first_process else None
    began = saved = time.perf_counter()
    first, first_frames = run.step, run.frames_seen
    rows: list[dict[str, float]] = []
    while run.step < config.steps:
        rows.append(run.one_step())
        now = time.perf_counter()
        if run.step % 50 == 0 or run.step == config.steps:
            speed = (run.frames_seen - first_frames) / (now - began)
            means = {k: sum(row[k] for row in rows) / len(rows) for k in rows[0]}
            rows = []
            left = (config.steps - run.step) * (now - began) / (run.step - first)
            say(f"step {run.step}/{config.steps}  loss {means['loss']:.4f}  position {means['position']:.4f}  "
                f"{speed:.0f} frames/s  {left / 60:.0f} min left", flush=True)  # fmt: skip
            if board is not None:
                rate = run.rate()
                _log(folder / "log.csv", {"step": run.step, "frames": run.frames_seen, "rate": rate, **means})
                for name, value in {**means, "rate": rate, "frames_per_second": speed}.items():
                    board.add_scalar(f"train/{name}", value, run.step)
        if run.step % 250 == 0 and board is not None:
            below = 1 - run.validate()
            say(f"step {run.step}  validation: {100 * below:.1f} % below interpolation", flush=True)
            board.add_scalar("validation/below_interpolation", below, run.step)
        if now - saved > save_every:
            run.save()
            saved = now
    run.save()
    if board is not None:
        board.close()
    return run


def _log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as f:
        writer = csv.DictWriter(f, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def averaged(run_file: Path) -> tuple[Config, Denoiser]:
    """The averaged network of a checkpoint, for evaluation and export."""
    state = torch.load(run_file, weights_only=False, map_location="cpu")
    saved = dict(state["config"])
    architecture, weights = Architecture(**saved.pop("architecture")), losses.Weights(**saved.pop("weights"))
    config = replace(Config(), architecture=architecture, weights=weights, **saved)
    network = Denoiser(architecture)
    tensors: dict[str, Tensor] = {
        k.removeprefix("module."): v for k, v in state["average"].items() if k != "n_averaged"
    }
    nn.Module.load_state_dict(network, widened(tensors, network))
    return config, network.eval()
