"""Learnt baselines that the tables set beside the systems; nothing of them is shipped."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from backend import features
from backend.features import CHANNELS, Inputs
from backend.nn import diffusion
from backend.nn.attention import Attention, FeedForward
from backend.nn.denoiser import sinusoid
from backend.systems.base import System


class MotionDiffusion(nn.Module):
    """A small MDM (Tevet et al. 2023): a transformer over whole poses that denoises motion itself.

    A token a frame and one for the step; it knows nothing of keys or gaps, and predicts the clean motion
    (not its difference from a filling) from a noisy one.

    Args:
        width, heads, hidden, layers: of the transformer.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int = 256, heads: int = 4, hidden: int = 1024, layers: int = 6) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("deviation", torch.ones(CHANNELS))
        self.read, self.write = nn.Linear(CHANNELS, width), nn.Linear(width, CHANNELS)
        self.read_step = nn.Sequential(nn.Linear(64, width), nn.GELU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(
            nn.ModuleList((nn.LayerNorm(width), Attention(width, heads, True), nn.LayerNorm(width),
                           FeedForward(width, hidden)))
            for _ in range(layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width)

    def forward(self, sample: Tensor, step: Tensor, valid: Tensor | None = None) -> Tensor:
        """Standardised noisy motion ``(B, T, 135)``, ``step (B,)`` -> the clean motion it comes from."""
        token = self.read_step(sinusoid(step.to(sample.dtype), 64))[:, None]  # (B, 1, C)
        x = torch.cat((token, self.read(sample)), 1)  # (B, 1 + T, C)
        if valid is not None:
            valid = torch.cat((torch.ones_like(valid[:, :1]), valid), 1)
        for layer in self.layers:
            before, attention, after, forward = layer  # type: ignore[misc]
            x = x + attention(before(x), valid)
            x = x + forward(after(x))
        return self.write(self.norm(x[:, 1:]))

    def standard(self, channels: Tensor) -> Tensor:
        """Channels in deviations from their means."""
        return (channels - self.mean) / self.deviation


class Inpainting(System):
    """MDM's in-betweening: known channels are written over the prediction at every step of the chain."""

    name = "mdm"
    tasks = frozenset({"inbetween", "complete"})

    def __init__(self, network: MotionDiffusion, window: int) -> None:
        self.network, self.window = network.eval(), window

    def evaluations(self, variation: int) -> int:
        """All steps: MDM has no best answer of one pass."""
        return diffusion.STEPS

    @torch.inference_mode()
    def sample(
        self, x: Inputs, variation: int, generator: torch.Generator, step: Callable[[], None]
    ) -> Tensor:
        """See :meth:`System.sample`."""
        free = ~features.known_channels(x)
        known = self.network.standard(x.base)
        sample = torch.randn(x.base.shape, generator=generator, dtype=x.base.dtype)
        chain = diffusion.strides(diffusion.STEPS)
        for now, following in zip(chain, [*chain[1:], -1], strict=True):
            step()
            clean = self.network(sample, torch.full((len(sample),), now), None if x.valid.all() else x.valid)
            sample = diffusion.ddim(sample, torch.where(free, clean, known), now, following)
        return (sample * self.network.deviation + self.network.mean - x.base) * free
