"""Hidden codes of captioned motion (MoGenTS, sec. 3.2 and 3.3): what the two transformers learn.

The quantiser comes trained, with ``--from`` a checkpoint of ``mogents_vq``, and stays as it is. Most masks are
the paper's; the others are those of the product's edits: limbs over some time, or everything over some time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backend import features
from backend.nn import masked
from backend.nn.mogents import MoGenTS
from backend.nn.quantiser import TOKENS, token_frames
from blender_addon.motion.parts import PARTS
from blender_addon.motion.skeleton import INDEX

from ..captioned import Sentences, Stretches
from ..config import Config
from ..dataset import generators
from ..prepare.cache import Cache
from . import mogents_vq
from .base import Objective, Outcome, Rows, Step

SILENT = 0.1
"""Share of the windows that are learnt without their text."""
LENGTH = 1
"""Of a step's random streams that of its length."""
EDITED = {"published": 0.65, "limbs": 0.2, "time": 0.15}
"""Share of each kind of mask."""
_LIMBS = [[INDEX[j] for j in joints] for joints in PARTS.values()]

restored = mogents_vq.restored


def make(config: Config, data: Cache, device: torch.device) -> Fill:
    """See :func:`training.objectives.make`."""
    return Fill(config, data, device)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch as it is drawn on the CPU.

    Attributes:
        window: true motion, ``B`` rows, in metres.
        vectors, there: what is said, ``(B, S, 384)`` and which of it is there ``(B, S)``.
        chosen: tokens to be predicted ``(B, N, 23)``; disturbance: what becomes of them.
        level: a residual level each, ``(B,)``.
    """

    window: features.Window
    vectors: Tensor
    there: Tensor
    chosen: Tensor
    disturbance: Tensor
    level: Tensor


class Fill(Objective):
    """Cross-entropy of hidden codes of the first level, and of one further level at a time."""

    system = "mogents"
    methods = ("predict",)

    def __init__(self, config: Config, data: Cache, device: torch.device) -> None:
        self.config, self.device = config, device
        self._network = mogents_vq.untrained(config)
        if self._network.masked is None:
            raise ValueError("this configuration has no transformers")
        self._network.quantiser.requires_grad_(False)
        draw = lambda split: Stretches(  # noqa: E731
            data, data.select(split), config.sources, config.frames, config.long_frames
        )
        self.train, self.checks = draw("train"), draw("validation")
        self.sentences = Sentences.read(data)

    @property
    def network(self) -> MoGenTS:
        """See :meth:`Objective.network`."""
        return self._network

    def inherited(self, system: str, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See :meth:`Objective.inherited`: a bundle's prompts are no parameters."""
        del system
        return {k: v for k, v in tensors.items() if k != "prompts"}

    def calibrate(self) -> None:
        """Nothing: the quantiser was calibrated when it was trained."""

    def draw(self, rows: Rows) -> Drawn:
        """See :meth:`Objective.draw`. How long a step's stretches are follows from its number too."""
        rngs = generators(rows.seed, rows.number, size=rows.size)[rows.mine]
        length = np.random.default_rng((rows.seed, rows.number, LENGTH)).random()
        long = rows.frames > self.config.frames
        return self._drawn(self.train, rngs, self.train.length(length, long))

    def loss(self, model: Any, step: Step) -> Outcome:
        """See :meth:`Objective.loss`.

        Raises:
            ValueError: the quantiser is not trained.
        """
        if not bool(self.network.quantiser.codebooks.books.any()):
            raise ValueError("the quantiser is not trained: start with --from RUN/last.pt of mogents-vq")
        terms, seen = self._terms(model, self.network, step.batch, step.precision)
        total = torch.stack(list(terms.values())).sum()
        return Outcome(total, {k: float(v.detach()) for k, v in terms.items()}, seen)

    @torch.inference_mode()
    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Cross-entropy on held-out stretches, with and without what is said about them."""
        assert isinstance(network, MoGenTS)
        out = {}
        for name, silent in (("", 0.0), ("silent_", 1.0)):
            batches = [self._drawn(self.checks, generators(7, n, size=8), n, silent)
                       for n in sorted(self.checks.buckets)]  # fmt: skip
            found = [self._terms(network, network, batch, torch.no_grad)[0] for batch in batches]
            out |= {f"{name}{k}": float(torch.stack([f[k] for f in found]).mean()) for k in found[0]}
        return out

    def _drawn(self, source: Stretches, rngs: Sequence[np.random.Generator], frames: int,
               silent: float = SILENT) -> Drawn:  # fmt: skip
        """Row by row; to a share of them, ``silent``, nothing is said."""
        window, texts = source.batch(rngs, frames)
        texts = [None if rng.random() < silent else text for rng, text in zip(rngs, texts, strict=True)]
        vectors, there = self.sentences.batch(texts)
        vocabulary, levels = self.network.quantiser.architecture.codes, self.network.quantiser.architecture.levels
        chosen, changed = [], []
        for rng, here in zip(rngs, token_frames(window.valid).any(-1), strict=True):
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            chosen.append(mask(here[None], rng, generator))
            changed.append(masked.disturbance(chosen[-1].shape, vocabulary, generator))
        level = [int(rng.integers(1, levels)) if levels > 1 else 1 for rng in rngs]
        return Drawn(window, vectors, there, torch.cat(chosen), torch.cat(changed), torch.tensor(level))

    def _terms(self, model: Any, network: MoGenTS, drawn: Drawn,
               precision: Any) -> tuple[dict[str, Tensor], Tensor]:  # fmt: skip
        """Loss of each transformer on one batch, and how many frames it has."""
        # 1. codes of true motion in the frame of its first pose
        own = mogents_vq.localised(drawn.window.to(self.device))
        channels = features.channels(features.to_matrix(own.rotations), own.root)
        with torch.no_grad(), precision():
            codes = network.quantiser.encode(channels, own.offsets, own.valid)
        valid = token_frames(own.valid).any(-1)
        # 2. what is said, what is hidden
        vectors, there, chosen, changed, level = (
            v.to(self.device)
            for v in (drawn.vectors, drawn.there, drawn.chosen, drawn.disturbance, drawn.level)
        )
        context = masked.Context(vectors, there[:, None] & valid[..., None])
        tokens = masked.replaced(codes[..., 0], chosen, network.quantiser.architecture.codes, changed)
        # 3. predict, compare
        with precision():
            first, further = model.predict(tokens, codes, level, valid, context)
        terms = {"first": F.cross_entropy(first[chosen].float(), codes[..., 0][chosen])}
        if further is not None:
            some = slice(len(further))
            at = level[some, None, None, None].expand(len(further), *codes.shape[1:-1], 1)
            wanted, here = codes[some].gather(-1, at)[..., 0], valid[some]
            terms["residual"] = F.cross_entropy(further[here].float().flatten(0, 1), wanted[here].flatten())
        return terms, own.valid.sum()


def mask(valid: Tensor, rng: np.random.Generator, generator: torch.Generator) -> Tensor:
    """Tokens of one row to be predicted, at least one. ``(1, N) -> (1, N, 23)`` bool."""
    kind = list(EDITED)[rng.choice(len(EDITED), p=list(EDITED.values()))]
    if kind == "published":
        return masked.temporal_spatial(valid, generator)
    n = int(valid.sum())
    length = int(rng.integers(1, n + 1))
    start = int(rng.integers(n - length + 1))
    where = torch.zeros(*valid.shape, TOKENS, dtype=torch.bool)
    where[0, start : start + length] = True
    if kind == "limbs":
        joints = torch.zeros(TOKENS, dtype=torch.bool)
        for k in rng.choice(len(_LIMBS), size=rng.integers(1, 3), replace=False):
            joints[_LIMBS[k]] = True
        where &= joints
    # some of the way through decoding: the rest has been settled
    share = math.cos(0.5 * math.pi * rng.random())
    draw = torch.rand(where.shape, generator=generator).masked_fill(~where, 2.0)
    return where & ((draw < share) | (draw == draw.amin()))
