"""The diffusion chain: 50 cosine steps, x0 prediction, DDIM with any stride.

Step ``STEPS`` is special: it stands for *no sample yet*. Its input is zero instead of noise, so the
network answers with its best single guess; that is the one-pass mode. Steps 0 .. ``STEPS - 1`` are
the chain proper, for variations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

STEPS = 50


def alphas(steps: int = STEPS) -> Tensor:
    """Cumulative signal power of the cosine schedule (Nichol and Dhariwal 2021). ``(steps,)``."""
    t = torch.arange(steps, dtype=torch.float64)
    f = torch.cos(((t + 1) / steps + 0.008) / 1.008 * math.pi / 2) ** 2
    return (f / math.cos(0.008 / 1.008 * math.pi / 2) ** 2).clamp(min=1e-4).float()


def noisy(x0: Tensor, noise: Tensor, step: Tensor) -> Tensor:
    """Forward process; zero at step ``STEPS``. ``(B, T, C), (B, T, C), (B,) -> (B, T, C)``."""
    a = torch.cat((alphas(), torch.zeros(1))).to(x0)[step].view(-1, 1, 1)
    last = (step == STEPS).view(-1, 1, 1)
    return torch.where(last, torch.zeros_like(x0), a.sqrt() * x0 + (1 - a).sqrt() * noise)


def ddim(x: Tensor, x0: Tensor, step: int, following: int) -> Tensor:
    """One deterministic step (Song et al. 2021, eq. 12, eta = 0) from ``step`` to ``following`` (-1: x0)."""
    if following < 0:
        return x0
    a = alphas().to(x)
    noise = (x - a[step].sqrt() * x0) / (1 - a[step]).sqrt()
    return a[following].sqrt() * x0 + (1 - a[following]).sqrt() * noise


def strides(count: int, first: int = STEPS - 1) -> list[int]:
    """At most ``count`` steps of the chain, evenly spread, from ``first`` (its noisy end) down."""
    return sorted({round(x) for x in torch.linspace(first, 0, count).tolist()}, reverse=True)
