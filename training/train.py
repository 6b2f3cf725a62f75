"""One training loop, on Lightning Fabric: CPU, one GPU, or many with ``torchrun``; resumes exactly."""

from __future__ import annotations

import csv
import math
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy
from lightning.fabric.strategies.strategy import Strategy
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter

from backend import weights as bundles
from backend.nn.denoiser import Denoiser, widened

from . import objectives
from .config import Config, fitted, stored
from .dataset import ahead
from .objectives.base import Rows, Step
from .prepare import cache as cache_file


class Run:
    """Everything that a checkpoint must hold for a run to go on as if it had never stopped.

    Attributes:
        objective: what is learnt, by :attr:`network`; average: its exponential moving average.
    """

    def __init__(self, config: Config, folder: Path, data: Path, device: str = "auto", threads: int = 0,
                 precision: str = "auto") -> None:  # fmt: skip
        torch.manual_seed(config.seed)
        if threads:
            torch.set_num_threads(threads)
        found = cache_file.load(data)
        counts: Counter[str] = Counter()
        for entry in found.select("train"):
            counts[entry.source] += entry.length
        config = fitted(config, counts)
        self.config, self.folder = config, folder
        self.fabric = _fabric(device, precision)
        world = self.fabric.world_size
        if config.batch % (2 * world):
            raise ValueError(
                f"batches of {config.batch} (and of half of it) cannot be shared by {world} processes"
            )
        self.objective = objectives.make(config, found, self.fabric.device)
        self.network = self.objective.network
        self.average = self._average()
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": config.decay}, {"params": plain, "weight_decay": 0.0}],
            lr=config.rate, betas=(0.9, 0.98),
        )  # fmt: skip
        self.model, self.optimizer = self.fabric.setup(self.network, self.optimizer)
        for method in self.objective.methods:
            self.model.mark_forward_method(method)
        self.average.to(self.fabric.device)
        self.step = self.began = 0
        self.frames_seen = 0
        self.objective.calibrate()
        self.average.module.load_state_dict(self.network.state_dict())

    def _average(self) -> AveragedModel:
        average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(self.config.ema))
        average.module.eval()  # it is only ever measured: no dropout
        return average

    def validate(self) -> Mapping[str, float]:
        """Held-out figures of the averaged network."""
        return self.objective.validate(self.average.module)

    def rate(self) -> float:
        """Warm-up, hold, and a last stretch down to nothing (1 - sqrt)."""
        c = self.config
        left = (c.steps - self.step) / max(c.cooldown * c.steps, 1)
        return (
            c.rate
            * min(1.0, (self.step - self.began + 1) / c.warmup)
            * (1.0 if left >= 1 else 1 - math.sqrt(1 - max(left, 0)))
        )

    def draw(self, number: int) -> Any:
        """What the objective draws on the CPU for a step. All that is random follows from the seed and the
        step, so a resumed run goes on exactly, and each of several processes draws its own rows of one batch.
        """
        return self.objective.draw(self._rows(number, self._noise(number)))

    def _noise(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed((self.config.seed * 1_000_003 + number) % 2**63)

    def _rows(self, number: int, noise: torch.Generator) -> Rows:
        c = self.config
        long = bool(torch.rand((), generator=noise) < c.long_share)
        size, frames = (c.batch // 2, c.long_frames) if long else (c.batch, c.frames)
        return Rows(
            c.seed, number, size, frames, slice(self.fabric.global_rank, None, self.fabric.world_size)
        )

    def one_step(self, batch: Any = None) -> dict[str, float]:
        """Draw a batch (or take what :meth:`draw` made of this step), fill it, compare, learn."""
        c = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        # 1. the batch
        noise = self._noise(self.step)
        rows = self._rows(self.step, noise)
        batch = self.objective.draw(rows) if batch is None else batch
        step = Step(
            rows.seed, rows.number, rows.size, rows.frames, rows.mine, noise, self.fabric.device, batch,
            self.fabric.autocast, self._share,
        )  # fmt: skip
        # 2. predict, compare
        outcome = self.objective.loss(self.model, step)
        if not torch.isfinite(outcome.loss):
            raise FloatingPointError(
                f"loss is {float(outcome.loss.detach())} at step {self.step}: lower the rate, or look at the data"
            )
        # 3. learn
        self.fabric.backward(outcome.loss)
        norm = self.fabric.clip_gradients(self.model, self.optimizer, max_norm=c.clip_norm)
        assert norm is not None
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_parameters(self.network)
        self.step += 1
        self.frames_seen += int(self._sum(outcome.frames))
        return {"loss": float(outcome.loss.detach()), "norm": float(norm), **outcome.terms}

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

    def start_from(self, path: Path, system: str | None = None) -> None:
        """Take over another run's weights and place in time, or those of a bundle's system.

        What is new (a joint stream) starts fresh, and so does the optimiser: its moments belong to other
        parameters.

        Args:
            path: a checkpoint, or the folder of a bundle.
            system: of the bundle; None: the one of this kind, else the bundle's first.
        """
        name = self.objective.system
        if path.is_dir():
            bundle = bundles.load(path)
            name = system or (name if name in bundle.systems else next(iter(bundle.systems)))
            state: dict[str, Any] = {"network": bundle.tensors(name), "step": 0, "frames_seen": 0}
        else:
            state = torch.load(path, weights_only=False, map_location="cpu")
            if (other := state["config"].get("objective", "denoise")) != self.config.objective:
                # another stage: its averaged weights are what it is for, and its place in time is not ours
                state, name = {"network": _averages(state), "step": 0, "frames_seen": 0}, other
        known = self.objective.inherited(name, state["network"])
        if isinstance(self.network, Denoiser):
            known = widened(known, self.network)
        missing, unexpected = self.network.load_state_dict(known, strict=False)
        if unexpected:
            raise ValueError(f"{path} has parameters this network lacks: {unexpected[0]}")
        self.average = self._average()
        self.step, self.frames_seen = state["step"], state["frames_seen"]
        self.began = self.step
        print(f"started from {path} at step {self.step}; new parameters: {len(missing)}", flush=True)


def _fabric(device: str, precision: str) -> Fabric:
    """One process, or as many as ``torchrun`` says, on CPUs (gloo) or GPUs (nccl).

    Args:
        precision: ``32``, ``bf16`` (matrix products in bfloat16, weights in float32), or ``auto``: bf16 on
            a GPU. Processors with AVX512-BF16 or AMX gain from it too, others lose.
    """
    if precision == "auto":
        precision = "bf16" if device == "cuda" else "32"
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
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )  # fmt: skip
    if several:
        fabric.launch()
    return fabric


def train(config: Config, folder: Path, data: Path, *, start: Path | None = None, device: str = "auto",
          threads: int = 0, precision: str = "auto", workers: int = 0,
          save_every: float = 120.0) -> Run:  # fmt: skip
    """Train, or go on training, in ``folder`` (``last.pt``, ``log.csv``, TensorBoard's ``events...``).

    ``workers`` processes draw batches ahead, which a fast GPU needs; the batches are the same. Under
    ``torchrun`` every process runs this; one of them prints and writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    run = Run(config, folder, data, device, threads, precision)
    last = folder / "last.pt"
    if last.exists():
        run.load(last)
    elif start is not None:
        run.start_from(start)
    say = run.fabric.print
    if run.config.sources != config.sources:
        say(f"sources in this cache: {', '.join(run.config.sources)}", flush=True)
    say(
        f"{sum(p.numel() for p in run.network.parameters()) / 1e6:.2f} M parameters, step {run.step}",
        flush=True,
    )
    first_process = run.fabric.is_global_zero
    board = SummaryWriter(str(folder), purge_step=run.step) if first_process else None
    began = saved = time.perf_counter()
    first, first_frames = run.step, run.frames_seen
    rows: list[dict[str, float]] = []
    for batch in ahead(run.draw, run.step, config.steps, workers):
        rows.append(run.one_step(batch))
        now = time.perf_counter()
        if run.step % 50 == 0 or run.step == config.steps:
            speed = (run.frames_seen - first_frames) / (now - began)
            means = {k: sum(row[k] for row in rows) / len(rows) for k in rows[0]}
            rows = []
            left = (config.steps - run.step) * (now - began) / (run.step - first)
            say(f"step {run.step}/{config.steps}  loss {means['loss']:.4f}  "
                f"{speed:.0f} frames/s  {left / 60:.0f} min left", flush=True)  # fmt: skip
            if board is not None:
                rate = run.rate()
                _log(folder / "log.csv", {"step": run.step, "frames": run.frames_seen, "rate": rate, **means})
                for name, value in {**means, "rate": rate, "frames_per_second": speed}.items():
                    board.add_scalar(f"train/{name}", value, run.step)
        if run.step % 250 == 0 and board is not None:
            found = run.validate()
            say(
                f"step {run.step}  validation: " + ", ".join(f"{k} {v:.3f}" for k, v in found.items()),
                flush=True,
            )
            for name, value in found.items():
                board.add_scalar(f"validation/{name}", value, run.step)
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


def averaged(run_file: Path) -> tuple[Config, nn.Module]:
    """The averaged network of a checkpoint, for evaluation and export."""
    state = torch.load(run_file, weights_only=False, map_location="cpu")
    config = stored(state["config"])
    return config, objectives.restored(config, _averages(state)).eval()


def _averages(state: Mapping[str, Any]) -> dict[str, Tensor]:
    return {k.removeprefix("module."): v for k, v in state["average"].items() if k != "n_averaged"}
