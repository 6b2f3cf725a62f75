"""A small MDM as a baseline: denoises whole windows, of which nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from backend.features import Window
from backend.nn import diffusion

from .. import losses
from ..baselines import Inpainting, MotionDiffusion
from ..config import Config
from ..dataset import generators
from ..prepare.cache import Cache
from .base import Objective, Outcome, Rows, Step
from .denoise import CALIBRATION, Denoise


def make(config: Config, data: Cache, device: torch.device) -> MDM:
    """See :func:`training.objectives.make`."""
    return MDM(config, data, device)


def network(config: Config) -> MotionDiffusion:
    """Of the sizes of the configuration's pose stream."""
    a = config.architecture
    return MotionDiffusion(a.pose_width, a.heads, a.hidden, a.rounds)


def restored(config: Config, tensors: Mapping[str, Tensor]) -> MotionDiffusion:
    """See :func:`training.objectives.restored`."""
    found = network(config)
    found.load_state_dict(dict(tensors))
    return found


class MDM(Objective):
    """Draws the windows of :class:`Denoise`, in their frames, and ignores what is known of them."""

    system = "mdm"

    def __init__(self, config: Config, data: Cache, device: torch.device) -> None:
        self.config, self.drawn = config, Denoise(config, data, device)
        self._network = network(config)

    @property
    def network(self) -> MotionDiffusion:
        """See :meth:`Objective.network`."""
        return self._network

    def calibrate(self, batches: int = 24) -> None:
        """Means and deviations of the channels."""
        c, seen = self.config, []
        for n in range(batches):
            x, truth = self.drawn.windows(
                self.drawn.train, generators(c.seed, CALIBRATION, n, size=c.batch), c.frames
            )
            seen.append(truth.channels[x.valid])
        self._network.mean.copy_(torch.cat(seen).mean(0))
        self._network.deviation.copy_(torch.cat(seen).std(0).clamp(min=0.02))

    def draw(self, rows: Rows) -> tuple[Window, Window]:
        """See :meth:`Denoise.draw`."""
        return self.drawn.draw(rows)

    def loss(self, model: Any, step: Step) -> Outcome:
        """The clean motion's squared error, and the terms that the other networks learn from."""
        jitter = step.here(torch.randn(step.size, generator=step.noise) * 0.2)
        x, truth = self.drawn.described(step.batch, jitter)
        clean = self._network.standard(truth.channels)
        at = step.here(torch.randint(diffusion.STEPS, (step.size,), generator=step.noise))
        noise = step.here(torch.randn(step.size, *clean.shape[1:], generator=step.noise))
        with step.precision():
            found = model(diffusion.noisy(clean, noise, at), at, x.valid).float()
        nothing = x._replace(
            rotation_known=torch.zeros_like(x.rotation_known), root_known=torch.zeros_like(x.root_known)
        )
        out = found * self._network.deviation + self._network.mean
        total, terms = losses.loss(out, nothing, truth, self.config.weights, step.total)
        squared = ((found - clean).square().mean(-1) * x.valid).sum() / step.total(x.valid.sum())
        return Outcome(total + squared, {**terms, "squared": float(squared.detach())}, x.valid.sum())

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Joint error of in-betweening by inpainting over the filling's."""
        assert isinstance(network, MotionDiffusion)
        if self.drawn.checks is None:
            return {}
        x, truth = self.drawn.windows(self.drawn.checks, generators(7, size=16), self.config.frames)
        system = Inpainting(network, self.config.frames)
        out = x.base + system.sample(x, 0, torch.Generator().manual_seed(7), lambda: None)
        model, plain = (losses.loss(o, x, truth, self.config.weights)[1]["joints"] for o in (out, x.base))
        return {"below_filling": 1 - model / plain}
