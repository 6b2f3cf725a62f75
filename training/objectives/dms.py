"""Steering a trained denoiser (DMS): windows of captioned motion, some of it known, some joints told where to go.

The denoiser comes trained, with ``--from`` a bundle or a checkpoint of ``mmdm``, and stays as it is; the branch
beside it learns. What steers is drawn by :mod:`training.steering`; what is known besides is what the product's
requests have: a start, keys, nothing, or a motion that is to be changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend import control, features
from backend.control import Control
from backend.features import Inputs, Window
from backend.nn import diffusion
from backend.nn.denoiser import Denoiser
from backend.nn.masked import Context
from backend.nn.steered import Steered
from blender_addon.motion.skeleton import INDEX, JOINTS

from .. import distortion, losses, steering
from ..captioned import Sentences, Stretches
from ..config import Config
from ..dataset import generators
from ..masks import POLICIES
from ..prepare.cache import Cache
from .base import Objective, Outcome, Rows, Step
from .denoise import chain_loss

KNOWN: Mapping[str, float] = {
    "start": 0.4, "transition": 0.1, "sparse": 0.1, "partial": 0.05, "nothing": 0.1, "motion": 0.25
}  # fmt: skip
"""Share of what is known beside what steers."""
CONTROLLED = tuple(
    INDEX[n] for n in ("pelvis", "head", "left_wrist", "right_wrist", "left_foot", "right_foot")
)
"""The joints of OmniControl's protocol, and of the paper's set C."""
ANY = 0.3
"""Share of windows in which any of the 22 joints may steer: the product pins all of them."""
PATHS, HEADED, WHOLE = 0.3, 0.5, 0.6
"""Share of windows with a ground path; of those, with a heading too; and with a path at every frame."""
SOFT, LOOSE = 0.15, 0.05
"""Share of windows with soft pins, and how far (metres) the softest stand from where the joint was."""
UNSTEERED, SILENT = 0.1, 0.15
"""Share of windows that nothing steers, and to which nothing is said."""


def make(config: Config, data: Cache, device: torch.device) -> Steer:
    """See :func:`training.objectives.make`."""
    return Steer(config, data, device)


def untrained(config: Config) -> Steered:
    """The networks of a configuration.

    Raises:
        ValueError: it has no branch.
    """
    if config.steered is None:
        raise ValueError("this configuration has no branch that steers")
    return Steered(Denoiser(config.architecture), config.steered)


def restored(config: Config, tensors: Mapping[str, Tensor]) -> Steered:
    """See :func:`training.objectives.restored`."""
    network = untrained(config)
    network.load_state_dict(dict(tensors))
    return network


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows in metres: the truth, what is given of it, what steers, and a sentence each (None: silence)."""

    truth: Window
    given: Window
    control: Control
    texts: Sequence[int | None]


class Steer(Objective):
    """The branch of a :class:`Steered` denoiser: the denoiser's own losses, and how far targets are missed."""

    system = "dms"
    methods = ("answers",)

    def __init__(self, config: Config, data: Cache, device: torch.device) -> None:
        self.config, self.device = config, device
        self._network = untrained(config)
        draw = lambda split: Stretches(  # noqa: E731
            data, data.select(split), config.sources, config.frames, config.long_frames
        )
        self.train, self.checks = draw("train"), draw("validation")
        self.sentences = Sentences.read(data)

    @property
    def network(self) -> Steered:
        """See :meth:`Objective.network`."""
        return self._network

    def calibrate(self) -> None:
        """Nothing: the denoiser was calibrated when it was trained."""

    def inherited(self, system: str, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See :meth:`Objective.inherited`: the denoiser of another system becomes the base."""
        return tensors if system == self.system else {f"base.{k}": v for k, v in tensors.items()}

    def draw(self, rows: Rows) -> Batch:
        """See :meth:`Objective.draw`."""
        draws = np.random.default_rng([rows.seed, rows.number, 1])
        frames = self.train.length(float(draws.random()), rows.frames > self.config.frames)
        return self.windows(self.train, generators(rows.seed, rows.number, size=rows.size)[rows.mine], frames)

    def windows(self, source: Stretches, rngs: Sequence[np.random.Generator], frames: int) -> Batch:
        """A batch of up to ``frames`` frames, one generator a window."""
        truth, texts = source.batch(rngs, frames)
        _, positions = features.forward_kinematics(
            features.to_matrix(truth.rotations), truth.root, truth.offsets
        )
        places, headings = positions.numpy(), control.yaw(truth.rotations[:, :, 0]).numpy()
        known = truth.rotation_known.numpy() & False
        rooted = truth.root_known.numpy() & False
        trust = np.zeros(known.shape, np.float32)
        turned, root = truth.rotations.numpy().copy(), truth.root.numpy().copy()
        told = [_nothing(frames) for _ in rngs]
        for b, rng in enumerate(rngs):
            n = int(truth.valid[b].sum())
            known[b, :n], rooted[b, :n], moved = _known(rng, n)
            if moved:
                turned[b, :n], root[b, :n] = distortion.distorted(rng, turned[b, :n], root[b, :n])
                trust[b, :n] = rng.uniform(0.2, 0.9)
            if rng.random() >= UNSTEERED:
                told[b] = self._steers(rng, places[b, :n], headings[b, :n], frames)
        texts = [None if rng.random() < SILENT else t for rng, t in zip(rngs, texts, strict=True)]
        t = torch.from_numpy
        given = replace(
            truth, rotations=t(turned), root=t(root), rotation_known=t(known), root_known=t(rooted),
            confidence=t(trust), root_confidence=t(trust[..., 0].copy()),
        )  # fmt: skip
        return Batch(truth, given, Control(*(t(np.stack(c)) for c in zip(*told, strict=True))), texts)

    def _steers(self, rng: np.random.Generator, places: np.ndarray, headings: np.ndarray,
                frames: int) -> tuple[np.ndarray, ...]:  # fmt: skip
        """The fields of one window's :class:`Control`, ``frames`` long."""
        n = len(places)
        targets, weight, ground, grounded, heading, headed = _nothing(frames)
        path = rng.random() < PATHS
        if not path or rng.random() < 0.6:
            joints = tuple(range(len(JOINTS))) if rng.random() < ANY else CONTROLLED
            chosen = steering.steered(rng, places, self.config.strategy, joints, self.config.uniform)
            firm = rng.uniform(0.3, 1) if rng.random() < SOFT else 1.0
            loose = rng.normal(size=(len(JOINTS), 3)) * LOOSE * (1 - firm)
            weight[:n] = firm * chosen
            targets[:n] = np.where(chosen[..., None], places + loose, 0)
        if path:
            some = (
                np.ones(n, bool)
                if rng.random() < WHOLE
                else rng.random(n) < np.exp(rng.uniform(np.log(1 / n), 0))
            )
            some[rng.integers(n)] = True
            grounded[:n], ground[:n] = some, np.where(some[:, None], places[:, 0, ::2], 0)
            if rng.random() < HEADED:
                headed[:n], heading[:n] = some, np.where(some, headings, 0)
        return targets, weight, ground, grounded, heading, headed

    def described(self, batch: Batch, jitter: Tensor | None = None) -> tuple[Inputs, Control, losses.Target]:
        """Windows in their own frames: what the network reads, what steers it, and the truth.

        Args:
            jitter: ``(B,)`` radians added to the heading.
        """
        told = batch.control.to(self.device)
        filled = control.steer(features.interpolate(batch.given.to(self.device)), told)
        filled, frame = features.localise(filled, jitter)
        truth = losses.target(features.apply(batch.truth.to(self.device), frame))
        return features.inputs(filled), control.localise(told, frame), truth

    def said(self, texts: Sequence[int | None], x: Inputs) -> Context:
        """Sentences for every token of their windows."""
        vectors, there = (v.to(self.device) for v in self.sentences.batch(texts))
        tokens = -(-x.base.shape[1] // self.network.base.architecture.patch)
        return Context(vectors, there[:, None].expand(-1, tokens, -1))

    def loss(self, model: Any, step: Step) -> Outcome:
        """See :meth:`Objective.loss`."""
        c, batch = self.config, step.batch
        # 1. the windows' own frames
        jitter = step.here(torch.randn(step.size, generator=step.noise) * 0.2)
        x, told, truth = self.described(batch, jitter)
        # 2. a noisy sample for the decoder
        scale, free = self.network.base.scale, ~features.known_channels(x)
        clean = (truth.channels - x.base) * free / scale
        at = step.here(torch.randint(diffusion.STEPS, (step.size,), generator=step.noise))
        frames = clean.shape[1]
        noise = step.here(torch.randn(step.size, frames, features.CHANNELS, generator=step.noise))
        sample = diffusion.noisy(clean, noise, at) * free
        # 3. predict, compare
        with step.precision():
            guess, drawn = model.answers(x, told, self.said(batch.texts, x), sample, at)
        out = x.base + guess.float() * scale * free
        total, terms = losses.loss(out, x, truth, c.weights, step.total)
        missed, steers = misses(out, x, told)
        asked = missed.sum() / step.total(steers.to(missed.dtype).sum()).clamp(min=1)
        chain = chain_loss(drawn.float(), clean, free & x.valid[..., None], at, step.total)
        terms = {**terms, "chain": float(chain.detach()), "missed": float(asked.detach())}
        return Outcome(total + c.chain * chain + c.follow * asked, terms, x.valid.sum())

    @torch.inference_mode()
    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """How far targets are missed (hip heights), by the filling and in one pass, and both joint errors."""
        assert isinstance(network, Steered)
        frames = max(self.checks.buckets)
        batch = self.windows(self.checks, generators(7, size=32), frames)
        x, told, truth = self.described(batch)
        free = ~features.known_channels(x)
        none = torch.zeros_like(x.base)
        at = torch.full((len(x.base),), diffusion.STEPS, device=x.base.device)
        guess = network(x, told, self.said(batch.texts, x), none, at)
        found = {}
        for name, out in (("filling", x.base), ("model", x.base + guess * network.base.scale * free)):
            missed, steers = misses(out, x, told)
            found[f"missed_{name}"] = float(missed.sum() / steers.sum().clamp(min=1))
            found[f"error_{name}"] = losses.loss(out, x, truth, self.config.weights)[1]["joints"]
        return found


def _nothing(frames: int) -> tuple[np.ndarray, ...]:
    """The fields of a :class:`Control` that asks for nothing."""
    j, f = len(JOINTS), np.float32
    return (np.zeros((frames, j, 3), f), np.zeros((frames, j), f), np.zeros((frames, 2), f),
            np.zeros(frames, bool), np.zeros(frames, f), np.zeros(frames, bool))  # fmt: skip


def _known(rng: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """What is known of one window: ``(T, 22)``, ``(T,)``, and whether its motion is observed instead."""
    kind = list(KNOWN)[rng.choice(len(KNOWN), p=list(KNOWN.values()))]
    if kind in POLICIES and frames > 8:
        return *POLICIES[kind](rng, frames), False
    rotation, root = np.zeros((frames, len(JOINTS)), bool), np.zeros(frames, bool)
    if kind == "start":
        first = 1 if rng.random() < 0.6 else int(rng.integers(2, 11))
        rotation[:first], root[:first] = True, True
    return rotation, root, kind == "motion"


def misses(out: Tensor, x: Inputs, told: Control) -> tuple[Tensor, Tensor]:
    """How far each window misses what it was told, and whether it was told anything. ``(B,)`` hip heights, bool.

    A mean over its targets by their firmness; a path counts as one more joint, a heading's error as the arc
    at a hip height's distance.

    Args:
        out: ``(B, T, 135)`` channels in the windows' own frames.
    """
    matrices, root = features.poses(out)
    _, p = features.forward_kinematics(matrices, root, x.offsets)
    # the square root's slope at nought is infinite
    away = ((p - told.targets).square().sum(-1) + 1e-8).sqrt() * told.weight
    beside = ((root[..., ::2] - told.ground).square().sum(-1) + 1e-8).sqrt() * told.grounded
    forward = matrices[:, :, 0, :, 2]
    wanted = torch.stack((told.heading.sin(), torch.zeros_like(told.heading), told.heading.cos()), -1)
    turned = ((forward - wanted)[..., ::2].square().sum(-1) + 1e-8).sqrt() * told.headed
    count = told.weight.sum((1, 2)) + told.grounded.sum(1) + told.headed.sum(1)
    total = away.sum((1, 2)) + beside.sum(1) + turned.sum(1)
    return total / count.clamp(min=1e-6), count > 0
