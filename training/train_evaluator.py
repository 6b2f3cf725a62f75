"""``limber-train evaluator``: trains a motion-text evaluator on the captioned training clips of a cache."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import canonical

from . import captions, evaluator
from .captions import Said
from .dataset import resized
from .evaluator import LONGEST, Evaluator, Shape
from .prepare import cache as cache_file
from .prepare.cache import Cache


@dataclass(frozen=True)
class Settings:
    """How an evaluator is trained.

    Attributes:
        batch: pairs a step; each is told from the others.
        steps: optimiser steps.
        rate: AdamW's, with a short warm-up and a cosine down to nothing.
        decay: weight decay.
        temperature: of the contrast; fixed.
        shares: of each source among the pairs, as far as the cache has it.
        cropped: half of the pairs show a part of their stretch, at least this share of it.
    """

    batch: int = 128
    steps: int = 1200
    rate: float = 6e-4
    decay: float = 0.05
    temperature: float = 0.1
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    cropped: float = 0.7


STEPS = {"choose": 900, "report": 1200}
"""Of the evaluators that come along."""
SHARES = {"bandai_namco": 0.68, "cmu": 0.17, "kaykit": 0.06, "mesh2motion": 0.08, "mannequiny": 0.01}
"""Sources by how much there is to learn from."""
OTHERS = 0.1
"""Share of a source that is not among them."""


class Pairs:
    """Draws stretches of motion with one of their sentences.

    A source is drawn by its share, then a stretch, the likelier the seldomer its meaning (by the root).
    Half are mirror images, with left and right exchanged in the sentence; limbs vary in length.
    """

    def __init__(self, cache: Cache, items: Sequence[Said], settings: Settings) -> None:
        if not items:
            raise ValueError("no captioned clip to train on")
        self.cache, self.items, self.settings = cache, list(items), settings
        meanings = Counter((i.entry.source, i.meaning) for i in items)
        each = np.array([meanings[i.entry.source, i.meaning] ** -0.5 for i in items])
        owners = np.array([i.entry.source for i in items])
        self.chance = np.zeros(len(items))
        for source in set(owners):
            own = owners == source
            self.chance[own] = settings.shares.get(source, OTHERS) * each[own] / each[own].sum()
        self.chance /= self.chance.sum()

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Described motion, which frames are there, sentence embeddings, and which pairs are alike."""
        chosen = [self.items[i] for i in rng.choice(len(self.items), self.settings.batch, p=self.chance)]
        texts = [s.texts[rng.integers(len(s.texts))] for s in chosen]
        described, valid = evaluator.padded([self._clip(rng, s) for s in chosen])
        embeddings = torch.from_numpy(self.cache.embeddings[texts].astype(np.float32))
        alike = captions.alike(self.cache, chosen, texts, chosen, texts)
        return described, valid, embeddings, torch.from_numpy(alike)

    def _clip(self, rng: np.random.Generator, said: Said) -> Clip:
        """The stretch or, half of the time, a part of it; never more than can be looked at."""
        most = min(said.length, LONGEST)
        n = most
        if rng.random() < 0.5:
            n = int(rng.integers(max(evaluator.SHORTEST, round(self.settings.cropped * most)), most + 1))
        at = int(rng.integers(said.length - n + 1))
        clip = said.clip(self.cache, at, at + n)
        return replace(clip, skeleton=canonical(resized(rng, clip.skeleton.offsets)))


def contrast(motion: Tensor, text: Tensor, alike: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE (van den Oord et al. 2018) without the false negatives.

    Args:
        motion, text: ``(B, D)`` of length ``sqrt(D)``; alike: ``(B, B)``, pairs that count neither way.
    """
    cosine = motion @ text.T / motion.shape[1] / temperature
    own = torch.arange(len(cosine), device=cosine.device)
    others = alike.clone()
    others[own, own] = False
    cosine = cosine.masked_fill(others, -torch.inf)
    return (F.cross_entropy(cosine, own) + F.cross_entropy(cosine.T, own)) / 2


def train(
    cache: Cache, shape: Shape, seed: int, settings: Settings = Settings(), said: Sequence[Said] | None = None
) -> Evaluator:
    """Train one evaluator on the captioned training clips, one process on the CPU.

    Args:
        said: what to train on; None: the captioned stretches of the ``train`` split and their mirror images.
    """
    torch.manual_seed(seed)
    items = captions.collect(cache, cache.select("train"), mirrored=True) if said is None else said
    pairs, network = Pairs(cache, items, settings), Evaluator(shape)
    rngs = (np.random.default_rng((seed, step)) for step in range(settings.steps))
    _normalise(network, [pairs.batch(np.random.default_rng((seed, 2**31, k)))[:2] for k in range(4)])
    optimizer = torch.optim.AdamW(
        network.parameters(), settings.rate, (0.9, 0.98), weight_decay=settings.decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.rate, max(settings.steps, 2), pct_start=0.08, cycle_momentum=False
    )
    began, losses = time.perf_counter(), []
    network.train()
    for step, rng in enumerate(rngs, 1):
        described, valid, embeddings, alike = pairs.batch(rng)
        with torch.autocast("cpu", torch.bfloat16):
            motion, text = network.motion(described, valid), network.sentence(embeddings)
        loss = contrast(motion, text, alike, settings.temperature)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"loss is {float(loss.detach())} at step {step}")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % 50 == 0 or step == settings.steps:
            spent = time.perf_counter() - began
            left = (settings.steps - step) * spent / step / 60
            print(f"step {step}/{settings.steps}  loss {np.mean(losses):.4f}  {spent / step:.2f} s a step  "
                  f"{left:.0f} min left", flush=True)  # fmt: skip
            losses = []
    return network.eval()


def _normalise(network: Evaluator, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Means and deviations of what is described."""
    frames = torch.cat([described[valid] for described, valid in batches])
    network.mean.copy_(frames.mean(0))
    network.deviation.copy_(frames.std(0).clamp(min=0.01))


def command(data: Path, out: Path, name: str, steps: int | None, threads: int) -> Path:
    """Train the evaluator ``name`` and write ``out/NAME.safetensors``."""
    if name not in evaluator.SHAPES:
        raise ValueError(f"no evaluator {name!r}; there are {', '.join(evaluator.SHAPES)}")
    if threads:
        torch.set_num_threads(threads)
    cache = cache_file.load(data)
    if not len(cache.embeddings):
        raise ValueError(f"{data} has no sentence embeddings: prepare it without --no-embeddings")
    settings = Settings(steps=STEPS[name] if steps is None else steps)
    seed = evaluator.SEEDS[name]
    trained = train(cache, evaluator.SHAPES[name], seed, settings)
    sources = sorted({e.source for e in cache.select("train") if e.captions})
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.safetensors"
    evaluator.save(path, trained, {"name": name, "seed": seed, "steps": settings.steps, "data": sources})
    return path
