"""Windows with something missing or noisy in, the clean difference from their filling out (MMDM, pose, KAA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend import features
from backend.features import Inputs, Window
from backend.nn import diffusion
from backend.nn.denoiser import Denoiser, widened

from .. import losses
from ..config import Config
from ..dataset import Windows, generators
from ..prepare.cache import Cache
from .base import Objective, Outcome, Rows, Step

CALIBRATION = 2**31
"""In the place of a step: the random streams of :meth:`Denoise.calibrate`."""
FLOOR = 0.05
"""Share of the mean power of a difference that a window's own is at least taken to have."""


def make(config: Config, data: Cache, device: torch.device) -> Denoise:
    """See :func:`training.objectives.make`."""
    return Denoise(config, data, device)


def restored(config: Config, tensors: Mapping[str, Tensor]) -> Denoiser:
    """See :func:`training.objectives.restored`."""
    network = Denoiser(config.architecture)
    nn.Module.load_state_dict(network, widened(tensors, network))
    return network


def system(config: Config) -> str:
    """What a bundle calls such a network: ``mmdm`` where it has a joint stream, else ``pose``."""
    return "mmdm" if config.architecture.joint_width else "pose"


class Denoise(Objective):
    """Networks with a decoder learn both answers from every window: the best guess under L1, and what a
    noisy sample comes from under L2 (the mean, which DDIM's steps need: an L1 chain ends at one answer,
    whatever it starts from). Networks without one read the sample themselves, in a share of the windows.
    """

    methods = ("answers",)

    def __init__(self, config: Config, data: Cache, device: torch.device) -> None:
        self.config, self.device = config, device
        self._network = Denoiser(config.architecture)
        self.system = system(config)
        self.data = data
        self.train = Windows(data, data.select("train"), config.sources, config.masks)
        entries = data.select("validation")
        there = {s: w for s, w in config.sources.items() if any(e.source == s for e in entries)}
        self.checks = Windows(data, entries, there, config.masks) if there else None

    @property
    def network(self) -> Denoiser:
        """See :meth:`Objective.network`."""
        return self._network

    def calibrate(self, batches: int = 24) -> None:
        """Means and deviations of fillings and of their differences from the truth."""
        c = self.config
        filling, differences = [], []
        for n in range(batches):
            x, truth = self.windows(self.train, generators(c.seed, CALIBRATION, n, size=c.batch), c.frames)
            filling.append(torch.cat((x.base, x.positions.flatten(2)), -1)[x.valid])
            unknown = ~(x.rotation_known.all(-1) & x.root_known) & x.valid
            differences.append((truth.channels - x.base)[unknown])
        self.network.calibrate(torch.cat(filling), torch.cat(differences))

    def windows(
        self, source: Windows, rngs: Sequence[np.random.Generator], frames: int
    ) -> tuple[Inputs, losses.Target]:
        """A batch in its own frame: what the model reads, and the truth."""
        return self.described(source.batch(rngs, frames))

    def described(
        self, batch: tuple[Window, Window], jitter: Tensor | None = None
    ) -> tuple[Inputs, losses.Target]:
        """Windows in their own frames: what the model reads, and the truth.

        Args:
            batch: the truth, and what is given of it.
            jitter: ``(B,)`` radians added to the heading.
        """
        raw, given = (w.to(self.device) for w in batch)
        filled, frame = features.localise(features.interpolate(given), jitter)
        return features.inputs(filled), losses.target(features.apply(raw, frame))

    def held_out(self, policies: Mapping[str, float]) -> Windows:
        """Windows of the ``test`` split at their own tempo, with these masks."""
        return Windows(self.data, self.data.select("test"), self.config.sources, policies, tempo=0.0)

    def draw(self, rows: Rows) -> tuple[Window, Window]:
        """Windows with their masks."""
        rngs = generators(rows.seed, rows.number, size=rows.size)[rows.mine]
        return self.train.batch(rngs, rows.frames)

    def loss(self, model: Any, step: Step) -> Outcome:
        """See :meth:`Objective.loss`."""
        c = self.config
        # 1. the windows' own frames
        jitter = step.here(torch.randn(step.size, generator=step.noise) * 0.2)
        x, truth = self.described(step.batch, jitter)
        # 2. the sample: the clean difference with noise, or none (one pass)
        scale, free = self.network.scale, ~features.known_channels(x)
        clean = (truth.channels - x.base) * free / scale
        both = self.network.architecture.decoder > 0
        at = torch.randint(diffusion.STEPS, (step.size,), generator=step.noise)
        if not both:
            at = torch.where(torch.rand(step.size, generator=step.noise) < c.one_pass, diffusion.STEPS, at)
        at = step.here(at)
        noise = step.here(torch.randn(step.size, *clean.shape[1:], generator=step.noise))
        sample = diffusion.noisy(clean, noise, at) * free
        # 3. predict, put back what is known, compare
        with step.precision():
            guess, drawn = model.answers(x, sample, at) if both else (model(x, sample, at), None)
        guess = guess.float()
        total, terms = losses.loss(x.base + guess * scale * free, x, truth, c.weights, step.total)
        if drawn is not None:
            chain = chain_loss(drawn.float(), clean, free & x.valid[..., None], at, step.total)
            total, terms = total + c.chain * chain, {**terms, "chain": float(chain.detach())}
        return Outcome(total, terms, x.valid.sum())

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Joint error over the filling's, one pass; nothing where the cache has no validation clips."""
        if self.checks is None:
            return {}
        model, plain = self.one_pass_errors(network, self.checks, generators(7, size=64))
        return {"below_filling": 1 - model / plain}

    @torch.inference_mode()
    def one_pass_errors(
        self, network: nn.Module, source: Windows, rngs: Sequence[np.random.Generator]
    ) -> tuple[float, float]:
        """Joint error of a network in one pass, and of the filling, hip heights."""
        x, truth = self.windows(source, rngs, self.config.frames)
        at = torch.full((len(rngs),), diffusion.STEPS, device=x.base.device)
        free = ~features.known_channels(x)
        out = x.base + network(x, torch.zeros_like(x.base), at) * self.network.scale * free
        model, plain = (losses.loss(o, x, truth, self.config.weights)[1]["joints"] for o in (out, x.base))
        return model, plain


def chain_loss(drawn: Tensor, clean: Tensor, where: Tensor, at: Tensor, total: Any) -> Tensor:
    """L2 of the free channels, in units of each window's own power, so that quiet windows count too.

    Args:
        drawn, clean: ``(B, T, 135)``; where: the same, bool; at: ``(B,)``.
    """
    free = where.to(clean.dtype)
    count = free.sum((1, 2)).clamp(min=1)
    power = (clean.square() * free).sum((1, 2)) / count
    error = ((drawn - clean).square() * free).sum((1, 2)) / count
    share = 1 / (power + FLOOR)
    return (error * share).sum() / total(torch.ones_like(share).sum())
