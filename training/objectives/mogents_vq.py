"""Whole windows through a bottleneck of codes (MoGenTS, sec. 3.1): what the quantiser of motion learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend import features
from backend.nn import quantiser
from backend.nn.mogents import MoGenTS

from .. import losses
from ..config import Config
from ..dataset import Windows, generators
from ..prepare.cache import Cache
from .base import Objective, Outcome, Rows, Step

CALIBRATION = 2**31
"""In the place of a step: the random streams of :meth:`Quantise.calibrate`."""
WEIGHTS: Mapping[str, float] = {
    "rotation": 2.0, "position": 6.0, "velocity": 5.0, "place": 1.0, "pace": 10.0, "contact": 3.0,
    "commitment": 0.1,
}  # fmt: skip
"""Of the terms, all L1 but the last. The summed path alone would let a window's first frames decide it,
its steps alone would let it drift."""


def make(config: Config, data: Cache, device: torch.device) -> Quantise:
    """See :func:`training.objectives.make`."""
    return Quantise(config, data, device)


def restored(config: Config, tensors: Mapping[str, Tensor]) -> MoGenTS:
    """See :func:`training.objectives.restored`."""
    network = untrained(config)
    network.load_state_dict(tensors)
    return network


def untrained(config: Config) -> MoGenTS:
    """The networks of a configuration.

    Raises:
        ValueError: it says nothing of a quantiser.
    """
    if config.quantiser is None:
        raise ValueError("this configuration has no quantiser")
    return MoGenTS(config.quantiser, config.masked)


class Quantise(Objective):
    """Reconstruction through the codes: rotations, joints, their speeds, the root's path."""

    system = "mogents"

    def __init__(self, config: Config, data: Cache, device: torch.device) -> None:
        self.config, self.device = config, device
        self._network = untrained(config)
        draw = lambda split: Windows(data, data.select(split), config.sources, {"sparse": 1.0})  # noqa: E731
        self.train, self.checks = draw("train"), draw("validation")

    @property
    def network(self) -> MoGenTS:
        """See :meth:`Objective.network`."""
        return self._network

    def calibrate(self, batches: int = 24) -> None:
        """Means and deviations of what the quantiser reads."""
        c = self.config
        rows = []
        for n in range(batches):
            rngs = generators(c.seed, CALIBRATION, n, size=c.batch)
            x, truth = self.windows(self.train, rngs, c.frames)
            rows.append(quantiser.describe(truth.channels, x.offsets)[x.valid])
        self.network.quantiser.calibrate(torch.cat(rows))

    def draw(self, rows: Rows) -> features.Window:
        """See :meth:`Objective.draw`: true windows, in metres."""
        return self.train.batch(generators(rows.seed, rows.number, size=rows.size)[rows.mine], rows.frames)[0]

    def windows(self, source: Windows, rngs: Sequence[np.random.Generator],
                frames: int) -> tuple[features.Inputs, losses.Target]:  # fmt: skip
        """A batch in its own frame: the first frame stands at x = z = 0 and faces +Z."""
        return whole(source.batch(rngs, frames)[0].to(self.device))

    def loss(self, model: Any, step: Step) -> Outcome:
        """See :meth:`Objective.loss`."""
        # half of the windows face anywhere: in the middle of a long motion a character has turned
        turned = torch.rand(step.size, generator=step.noise) < 0.5
        jitter = (2 * torch.rand(step.size, generator=step.noise) - 1) * torch.pi * turned
        x, truth = whole(step.batch.to(self.device), step.here(jitter))
        with step.precision():
            out, codes, commitment = model(truth.channels, x.offsets, x.valid)
        terms = {**errors(out.float(), x, truth), "commitment": commitment.float()}
        total = sum((WEIGHTS[k] * terms[k] for k in WEIGHTS), torch.zeros((), device=self.device))
        logged = {k: float(v.detach()) for k, v in terms.items()}
        return Outcome(total, {**logged, "use": use(codes, self.config)}, x.valid.sum())

    @torch.inference_mode()
    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Mean error of the joints about the root and of the root's path, hip heights; codes in use."""
        assert isinstance(network, MoGenTS)
        x, truth = self.windows(self.checks, generators(7, size=64), self.config.frames)
        codes = network.quantiser.encode(truth.channels, x.offsets, x.valid)
        found = errors(network.quantiser.decode(codes, x.valid), x, truth)
        return {
            "joints": float(found["joints"]),
            "path": float(found["path"]),
            "use": use(codes, self.config),
        }


def whole(raw: features.Window, jitter: Tensor | None = None) -> tuple[features.Inputs, losses.Target]:
    """True windows in the frame of their first pose, described; see :func:`localised`."""
    own = localised(raw, jitter)
    return features.inputs(own), losses.target(own)


def localised(raw: features.Window, jitter: Tensor | None = None) -> features.Window:
    """True windows in the frame of their first pose.

    Args:
        raw: in metres, whatever is known; jitter: ``(B,)`` radians added to the heading.
    """
    first = torch.zeros_like(raw.root_known)
    first[:, 0] = True
    start = replace(raw, rotation_known=first[..., None].expand(raw.rotation_known.shape), root_known=first,
                    confidence=None, root_confidence=None)  # fmt: skip
    return features.localise(start, jitter)[0]


def errors(out: Tensor, x: features.Inputs, truth: losses.Target) -> dict[str, Tensor]:
    """What differs, L1 over the frames that are there; ``joints`` and ``path`` are distances."""
    here = x.valid.to(out.dtype)
    pairs = here[:, 1:] * here[:, :-1]
    matrices, root = features.poses(out)
    _, p = features.forward_kinematics(matrices, root, x.offsets)
    relative = (p - p[:, :, :1]) - (truth.positions - truth.positions[:, :, :1])
    difference = (out - truth.channels).abs()
    step = lambda v: v[:, 1:] - v[:, :-1]  # noqa: E731
    terms = {
        "rotation": (difference[..., :-3].mean(-1), here),
        "position": (relative.abs().mean((-1, -2)), here),
        "velocity": (step(relative).abs().mean((-1, -2)), pairs),
        "place": (difference[..., -3:].mean(-1), here),
        "pace": (step(out[..., -3:] - truth.channels[..., -3:]).abs().mean(-1), pairs),
        "contact": ((step(p)[:, :, losses.FEET].norm(dim=-1) * truth.standing).mean(-1), pairs),
        "joints": (relative.norm(dim=-1).mean(-1), here),
        "path": ((out - truth.channels)[..., -3:].norm(dim=-1), here),
    }
    return {k: (v * where).sum() / where.sum().clamp(min=1) for k, (v, where) in terms.items()}


def use(codes: Tensor, config: Config) -> float:
    """Share of the codes that are chosen at least once, mean over the levels. ``(B, N, 23, levels)``."""
    assert config.quantiser is not None
    shares = [len(codes[..., n][codes[..., n] >= 0].unique()) / config.quantiser.codes
              for n in range(codes.shape[-1])]  # fmt: skip
    return sum(shares) / len(shares)
