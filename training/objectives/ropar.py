"""Hidden part tokens from those that are seen and the text (RoPAR, sec. 2.4): the transformer and its head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from backend.nn import autoregressive, diffusion, parts
from backend.nn.masked import cosine
from backend.nn.ropar import RoPAR

from ..config import Config
from ..dataset import generators
from ..prepare.cache import Cache
from .base import Objective, Outcome, Rows, Step
from .ropar_vae import believed, restored, to, untrained
from .ropar_windows import Draws, Seen, sentences

__all__ = ["SILENT", "Hidden", "make", "restored"]
SILENT = 0.1
"""Share of the windows whose text is dropped, for guidance."""


def make(config: Config, data: Cache, device: torch.device) -> Hidden:
    """See :func:`training.objectives.make`."""
    return Hidden(config, data, device)


class Hidden(Objective):
    """Predicts hidden credible tokens; the P-VAE comes trained (``--from`` its checkpoint) and stays as it is."""

    system = "ropar"
    methods = ("predict",)

    def __init__(self, config: Config, data: Cache, device: torch.device) -> None:
        if config.transformer is None:
            raise ValueError("this configuration has no transformer")
        self.config, self.device, self.data = config, device, data
        self._network = untrained(config)
        self._network.vae.requires_grad_(False)
        draw = lambda split, credible: Draws(data, data.select(split), config.sources, True, credible)  # noqa: E731
        self.train, self.checks = draw("train", config.credible), draw("validation", 1.0)

    @property
    def network(self) -> RoPAR:
        """See :meth:`Objective.network`."""
        return self._network

    def inherited(self, system: str, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See :meth:`Objective.inherited`: a bundle's prompts are no parameters."""
        del system
        return {k: v for k, v in tensors.items() if k != "prompts"}

    def calibrate(self) -> None:
        """Nothing: the P-VAE was calibrated when it was trained."""

    def draw(self, rows: Rows) -> Seen:
        """Captioned stretches, some of their parts spoiled; a long step draws what a usual one has no room for."""
        rngs = generators(rows.seed, rows.number, size=rows.size)[rows.mine]
        return self.train.batch(
            rngs, rows.frames, self.config.frames if rows.frames > self.config.frames else 0
        )

    def loss(self, model: Any, step: Step) -> Outcome:
        """See :meth:`Objective.loss`."""
        c, noise = self.config, step.noise
        x = to(step.batch, self.device)
        times = parts.token_frames(x.valid).any(-1)
        drop = step.here(torch.rand(step.size, generator=noise) < SILENT)
        alpha = cosine(torch.rand(step.size, generator=noise))[step.mine]
        texts = [-1 if silent else t for t, silent in zip(x.texts, drop.tolist(), strict=True)]
        said = sentences(self.data, texts, times.shape[1], self.device)
        vae, a = self.network.vae, c.transformer
        assert a is not None
        rows, tokens = believed(x, vae, c)
        with step.precision():
            with torch.no_grad():
                z = vae.encode(x.channels, x.offsets, rows, tokens, x.valid).float()
            z = z.masked_fill(~tokens[..., None], 0.0)
            hidden = autoregressive.hide(tokens, times, alpha, noise)
            learnt = hidden & tokens
            shape = (a.draws, *z.shape)
            e = torch.randn(shape, generator=noise).to(self.device)
            at = torch.randint(diffusion.STEPS, shape[:-1], generator=noise).to(self.device)
            total = model.predict(z, hidden, learnt, times, said, e, at)
        count = learnt.sum().float()
        loss = total / step.total(count).clamp(min=1)
        here = times[..., None].expand(hidden.shape)
        return Outcome(loss, {"hidden": float(hidden[here].float().mean())}, x.valid.sum())

    @torch.inference_mode()
    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Eq. 3 on held-out windows, with the text and without: what the text tells."""
        assert isinstance(network, RoPAR)
        assert network.transformer is not None
        noise = torch.Generator().manual_seed(7)
        rngs = generators(7, size=32)
        x = to(self.checks.batch(rngs, self.config.frames, turn=False), self.device)
        times = parts.token_frames(x.valid).any(-1)
        rows, tokens = believed(x, network.vae, self.config)
        z = network.vae.encode(x.truth, x.offsets, rows, tokens, x.valid)
        z = z.masked_fill(~tokens[..., None], 0.0)
        hidden = autoregressive.hide(tokens, times, torch.full((len(z),), 0.9), noise, 0.0)
        e = torch.randn((4, *z.shape), generator=noise).to(self.device)
        at = torch.randint(diffusion.STEPS, (4, *tokens.shape), generator=noise).to(self.device)
        found: dict[str, float] = {}
        for name, texts in (("text", x.texts), ("silent", [-1] * len(z))):
            told = sentences(self.data, texts, times.shape[1], self.device)
            error = network.transformer.loss(z, hidden, hidden & tokens, times, told, e, at)
            found[name] = float(error / (hidden & tokens).sum())
        return found
