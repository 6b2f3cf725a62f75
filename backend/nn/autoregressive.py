"""Masked autoregression on a map of part tokens, and the diffusion head that draws them (RoPAR, sec. 2.4).

A transformer reads the map, parts x time, with ``[M]`` where a token is hidden, and the text; for each
hidden token it gives a vector. A small network on that vector alone, a diffusion over one token, draws the
token (Li et al. 2024, "Autoregressive Image Generation without Vector Quantization"). Tokens that are not
credible are always hidden and never a target.

The head learns eq. 3 through the velocity ``v`` (Salimans and Ho 2022): its error is that of the noise over
the signal's power, so that few steps suffice at the noisy end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import diffusion
from .attention import Attention, FeedForward, attend, rotary, turn, zero
from .masked import TEXT, Context, cosine, times


@dataclass(frozen=True)
class Architecture:
    """Sizes of the transformer and its head.

    Attributes:
        width, heads, hidden, rounds: of the transformer.
        dropout: in attention and feed-forwards.
        head_width, head_depth: of the denoiser; depth 0: no diffusion, the token is regressed.
        draws: noise levels that the head sees of each target in training.
    """

    width: int = 96
    heads: int = 3
    hidden: int = 288
    rounds: int = 4
    dropout: float = 0.0
    head_width: int = 128
    head_depth: int = 2
    draws: int = 2


class PartAttention(Attention):
    """Attention over parts and time at once, rotary positions in time."""

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """``x (B, N, P, C)``, ``valid (B, N)`` bool -> the same."""
        b, n, p, c = x.shape
        q, k, v = self.qkv(x).view(b, n * p, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        cos, sin = (r.repeat_interleave(p, 0).to(q.dtype) for r in rotary(n, c // self.heads, x.device))
        mask = None if valid is None else valid.repeat_interleave(p, 1)[:, None, None]
        out = attend(turn(q, cos, sin), turn(k, cos, sin), v, mask)
        out = self.out(out.transpose(1, 2).reshape(b, n, p, c))
        return F.dropout(out, self.dropout, self.training)


class Round(nn.Module):
    """Tokens, then the text, then the feed-forward."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.heads, self.dropout = a.heads, a.dropout
        self.norms = nn.ModuleList(nn.LayerNorm(a.width) for _ in range(3))
        self.tokens = PartAttention(a.width, a.heads, True, a.dropout)
        self.q, self.kv, self.out = (nn.Linear(a.width, n * a.width) for n in (1, 2, 1))
        self.feed = FeedForward(a.width, a.hidden, a.dropout)

    def forward(self, x: Tensor, valid: Tensor, said: Tensor, seen: Tensor) -> Tensor:
        """``x (B, N, P, C)``, ``valid (B, N)``, ``said (B, S, C)``, ``seen (B, N, S)``."""
        x = x + self.tokens(self.norms[0](x), valid)
        x = x + F.dropout(self._read(self.norms[1](x), said, seen), self.dropout, self.training)
        return x + self.feed(self.norms[2](x))

    def _read(self, x: Tensor, said: Tensor, seen: Tensor) -> Tensor:
        b, n, p, c = x.shape
        q = self.q(x).view(b, n * p, self.heads, -1).transpose(1, 2)
        k, v = self.kv(said).view(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        out = attend(q, k, v, seen.repeat_interleave(p, 1)[:, None])
        return self.out(out.transpose(1, 2).reshape(b, n, p, c))


class Head(nn.Module):
    """Denoises one token, told what the transformer says of it: an MLP with adaptive norms."""

    def __init__(self, a: Architecture, latent: int) -> None:
        super().__init__()
        w = a.head_width
        self.read, self.told, self.time = nn.Linear(latent, w), nn.Linear(a.width, w), nn.Linear(w, w)
        self.norms = nn.ModuleList(nn.LayerNorm(w, elementwise_affine=False) for _ in range(a.head_depth))
        self.adapt = nn.ModuleList(zero(nn.Linear(w, 3 * w)) for _ in range(a.head_depth))
        self.layers = nn.ModuleList(FeedForward(w, w) for _ in range(a.head_depth))
        self.out = nn.Sequential(nn.LayerNorm(w), zero(nn.Linear(w, latent)))

    def forward(self, x: Tensor, step: Tensor, told: Tensor) -> Tensor:
        """The velocity ``v``. ``x (n, D)``, ``step (n,)``, ``told (n, C) -> (n, D)``."""
        at = times(diffusion.STEPS, self.time.in_features, x.device)[step].to(told.dtype)
        c = F.silu(self.told(told) + self.time(at))
        y = self.read(x)
        for norm, adapt, layer in zip(self.norms, self.adapt, self.layers, strict=True):
            shift, scale, gate = adapt(c).chunk(3, -1)
            y = y + gate * layer(norm(y) * (1 + scale) + shift)
        return self.out(y)


class Transformer(nn.Module):
    """Says of every hidden token what the head needs to draw it.

    Args:
        a: sizes; parts: rows of the map; latent: channels of a token.
    """

    def __init__(self, a: Architecture, parts: int, latent: int) -> None:
        super().__init__()
        self.architecture, self.parts, self.latent = a, parts, latent
        self.embed = nn.Linear(latent, a.width)
        self.hidden = nn.Parameter(0.02 * torch.randn(a.width))
        self.names = nn.Parameter(0.5 * torch.randn(parts, a.width))
        self.nothing = nn.Parameter(0.02 * torch.randn(a.width))
        self.text = nn.Sequential(nn.LayerNorm(TEXT), nn.Linear(TEXT, a.width))
        self.rounds = nn.ModuleList(Round(a) for _ in range(a.rounds))
        self.norm = nn.LayerNorm(a.width)
        self.head = Head(a, latent) if a.head_depth else None
        self.guess = None if a.head_depth else nn.Linear(a.width, latent)

    def forward(self, z: Tensor, hidden: Tensor, valid: Tensor, context: Context) -> Tensor:
        """``z (B, N, P, D)``, ``hidden (B, N, P)`` bool, ``valid (B, N)`` bool -> ``(B, N, P, C)``."""
        b, n, _, _ = z.shape
        # where a token is hidden its value is not looked at, whatever it is
        x = torch.where(
            hidden[..., None], self.hidden.to(z.dtype), self.embed(z.masked_fill(hidden[..., None], 0.0))
        )
        x = x + self.names + times(n, x.shape[-1], x.device)[:, None]
        said = torch.cat((self.text(context.vectors), self.nothing.expand(b, 1, -1)), 1)
        seen = F.pad(context.seen, (0, 1), value=True)
        for block in self.rounds:
            x = block(x, valid, said, seen)
        return self.norm(x)

    def loss(self, z: Tensor, hidden: Tensor, learnt: Tensor, valid: Tensor, context: Context, noise: Tensor,
             at: Tensor) -> Tensor:  # fmt: skip
        """Sum over the targets of the mean squared error of a token (eq. 3).

        Args:
            z, hidden, valid, context: as :meth:`forward`.
            learnt: ``(B, N, P)`` bool, hidden tokens that are credible; no other adds to the loss.
            noise: ``(draws, B, N, P, D)``; at: ``(draws, B, N, P)`` steps of the chain.
        """
        told = self(z, hidden, valid, context)[learnt]  # (n, C)
        target = z[learnt]
        if self.head is None:
            assert self.guess is not None
            return (self.guess(told).float() - target).square().mean(-1).sum()
        total = z.new_zeros(())
        for e, t in zip(noise, at, strict=True):
            e, t = e[learnt], t[learnt]
            a = diffusion.alphas().to(target)[t][:, None]
            x = a.sqrt() * target + (1 - a).sqrt() * e
            velocity = a.sqrt() * e - (1 - a).sqrt() * target
            total = total + (self.head(x, t, told).float() - velocity).square().mean(-1).sum()
        return total / len(noise)


# -- masks ---------------------------------------------------------------------------------------------------


def hide(credible: Tensor, valid: Tensor, alpha: Tensor, generator: torch.Generator,
         structured: float = 0.4) -> Tensor:  # fmt: skip
    """Which tokens are hidden (eq. 2): all that are not credible, and as many others as make ``alpha`` in all.

    Every sequence so has the same share hidden, whatever its noise. At least one credible token is hidden,
    so that there is something to learn; more than ``alpha`` are where more than that are not credible.

    Args:
        credible: ``(B, N, P)`` bool; valid: ``(B, N)`` bool; alpha: ``(B,)``.
        structured: share of the sequences whose credible tokens are hidden part by part or stretch by
            stretch, as they are when a motion is completed; the others' are hidden anywhere.

    Returns:
        ``(B, N, P)`` bool, False where a sequence has ended.
    """
    b, n, p = credible.shape
    here = valid[..., None].expand(b, n, p).cpu()
    good, bad = here & credible.cpu(), here & ~credible.cpu()
    count = here.flatten(1).sum(1)
    want = (alpha * count).round().long() - bad.flatten(1).sum(1)
    want = torch.minimum(want.clamp(min=1), good.flatten(1).sum(1))
    score = torch.rand(b, n, p, generator=generator)
    kind = torch.rand(b, generator=generator)
    by_part, by_time = torch.rand(b, 1, p, generator=generator), torch.rand(b, 1, 1, generator=generator)
    away = (torch.arange(n)[None, :, None] / valid.cpu().sum(1).clamp(min=1)[:, None, None] - by_time).abs()
    score = score + 10 * by_part * (kind < structured / 2)[:, None, None]
    score = score - 10 * away * ((kind >= structured / 2) & (kind < structured))[:, None, None]
    rank = score.masked_fill(~good, -torch.inf).flatten(1).argsort(1, descending=True).argsort(1)
    chosen = (rank < want[:, None]).view(b, n, p) & good
    return (chosen | bad).to(credible.device)


# -- sampling ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        steps: passes of the transformer; denoising: steps of the head's chain.
        guidance: of the text (Ho and Salimans 2022); 1: none.
        temperature: of the head's noise.
    """

    steps: int = 10
    denoising: int = 10
    guidance: float = 3.0
    temperature: float = 0.9


@torch.inference_mode()
def generate(network: Transformer, z: Tensor, free: Tensor, valid: Tensor, context: Context, sampling: Sampling,
             generators: Sequence[torch.Generator], step: Callable[[], None]) -> Tensor:  # fmt: skip
    """Draw the free tokens in random order, a cosine schedule's share of them at a time; others stay.

    Args:
        z: ``(B, N, P, D)``; what is free in it is ignored.
        free: ``(B, N, P)`` bool; valid: ``(B, N)`` bool.
        generators: one a row, so that a row is the same whoever shares its batch.
        step: called before every pass.
    """
    free = free & valid[..., None]
    count = free.flatten(1).sum(1)
    draw = lambda *shape: torch.stack([torch.rand(shape, generator=g) for g in generators])  # noqa: E731
    order = draw(*free.shape[1:]).to(z.device).masked_fill(~free, -1.0)
    rank = order.flatten(1).argsort(1, descending=True).argsort(1).view_as(free)  # the free ones first
    hidden = free
    for k in range(sampling.steps):
        step()
        left = (cosine(torch.tensor((k + 1) / sampling.steps)).item() * count).floor()
        if k == sampling.steps - 1:
            left = torch.zeros_like(left)
        now = hidden & (rank >= left[:, None, None])
        noise = torch.stack([torch.randn(z.shape[1:], generator=g) for g in generators]).to(z)
        if bool(now.any()):
            told = _told(network, z, hidden, valid, context, sampling.guidance)
            z = z.masked_scatter(now[..., None], _drawn(network, told, now, noise, sampling))
        hidden = hidden & ~now
    return z


def _told(network: Transformer, z: Tensor, hidden: Tensor, valid: Tensor, context: Context,
          guidance: float) -> Tensor:  # fmt: skip
    """With text and, where that is asked for, without. ``(1 or 2, B, N, P, C)``."""
    if guidance == 1 or not bool(context.seen.any()):
        return network(z, hidden, valid, context)[None]
    both = network(z.repeat(2, 1, 1, 1), hidden.repeat(2, 1, 1), valid.repeat(2, 1), context.doubled())
    return both.unflatten(0, (2, -1))


def _drawn(network: Transformer, told: Tensor, now: Tensor, noise: Tensor, sampling: Sampling) -> Tensor:
    """Values of the tokens ``now``, one after another. ``(n, D)``."""
    said = told[:, now]  # (1 or 2, n, C)

    def guided(f: Callable[[Tensor], Tensor]) -> Tensor:
        out = f(said.flatten(0, 1)).unflatten(0, (len(said), -1))
        return out[0] if len(said) == 1 else out[1] + sampling.guidance * (out[0] - out[1])

    if network.head is None:
        assert network.guess is not None
        return guided(network.guess)
    head, x = network.head, sampling.temperature * noise[now]
    chain = diffusion.strides(sampling.denoising)
    for at, following in zip(chain, [*chain[1:], -1], strict=True):
        step = torch.full((len(x) * len(said),), at, device=x.device)
        v = guided(lambda c: head(x.repeat(len(said), 1), step, c))  # noqa: B023
        a = diffusion.alphas()[at].item()
        x = diffusion.ddim(x, a**0.5 * x - (1 - a) ** 0.5 * v, at, following)
    return x
