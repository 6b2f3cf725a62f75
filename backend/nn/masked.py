"""Masked generation on a map of codes (MoGenTS, sec. 3.2 and 3.3), and its residual levels.

The map has two streams, as wide as their work: a thin one of a token a joint, and a wide one of a token
a frame. A round attends over the joints of a frame and over the frames of a joint in the thin one, gathers
the joints into the wide one, where frames attend to each other and to the text, and hands what they learnt
back to the joints. In the last :attr:`Architecture.joint_time` rounds of the masked transformer the joints
attend over joints and time at once too. (All three attentions at full width, as published, take 4 to 5 s
for ten seconds of motion on two cores.) Positions are two-dimensional: a sinusoid of time and a learnt
name of the joint (attention over time has rotary positions besides).

Text is a list of vectors, each visible to the tokens of its time span: a prompt's words and its one
sentence vector. A learnt vector that stands for "nothing is said" is always visible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Attention, FeedForward, attend
from .quantiser import TOKENS

RANDOM, HIDDEN = 0.1, 0.88
"""Of the tokens to be predicted 10 % become any other code, 88 % of the rest are hidden, the others stay."""
TEXT = 384
"""Width of the text vectors."""


@dataclass(frozen=True)
class Architecture:
    """Sizes of the two transformers.

    Attributes:
        width, heads, hidden: of the stream of joints.
        pose_width, pose_heads, pose_hidden: of the stream of frames.
        rounds: of the masked transformer.
        residual_rounds: of the one that predicts the further levels.
        joint_time: how many rounds of the masked transformer, the last ones, attend over joints and time
            at once: quadratic in 23 tokens a frame.
        dropout: in attention and feed-forwards of the stream of frames.
    """

    width: int = 32
    heads: int = 2
    hidden: int = 64
    pose_width: int = 192
    pose_heads: int = 6
    pose_hidden: int = 320
    rounds: int = 4
    residual_rounds: int = 2
    joint_time: int = 1
    dropout: float = 0.1


@dataclass(frozen=True, eq=False)
class Context:
    """What is said.

    Attributes:
        vectors: ``(B, S, 384)``.
        seen: ``(B, N, S)`` bool, which of them the tokens of a time may read.
    """

    vectors: Tensor
    seen: Tensor

    def rows(self, some: slice) -> Context:
        """Of some rows."""
        return Context(self.vectors[some], self.seen[some])

    def doubled(self) -> Context:
        """With text, then without: both halves of guidance in one batch."""
        silent = torch.zeros_like(self.seen)
        return Context(torch.cat((self.vectors, self.vectors)), torch.cat((self.seen, silent)))


def silence(batch: int, times: int, device: torch.device | None = None) -> Context:
    """No text at all."""
    return Context(
        torch.zeros(batch, 0, TEXT, device=device),
        torch.zeros(batch, times, 0, dtype=torch.bool, device=device),
    )


class TextAttention(nn.Module):
    """Attention of the frames to the text; text vectors carry their own positions."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.q, self.kv, self.out = (nn.Linear(width, n * width) for n in (1, 2, 1))

    def forward(self, x: Tensor, said: Tensor, seen: Tensor) -> Tensor:
        """``x (B, N, P)``, ``said (B, S, P)``, ``seen (B, N, S)`` bool -> ``(B, N, P)``."""
        b, n, c = x.shape
        keys, values = self.kv(said).view(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q = self.q(x).view(b, n, self.heads, c // self.heads).transpose(1, 2)
        out = attend(q, keys, values, seen[:, None])
        out = self.out(out.transpose(1, 2).reshape(b, n, c))
        return F.dropout(out, self.dropout, self.training)


class Round(nn.Module):
    """Joints, then frames of a joint, in the thin stream; frames and text in the wide one; back again."""

    def __init__(self, a: Architecture, both: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(a.width) for _ in range(4 + both))
        self.pose_norms = nn.ModuleList(nn.LayerNorm(a.pose_width) for _ in range(4))
        self.joints = Attention(a.width, a.heads, False)
        self.time = Attention(a.width, a.heads, True)
        self.both = Attention(a.width, a.heads, False) if both else None
        self.gather = nn.Linear(TOKENS * a.width, a.pose_width)
        self.poses = Attention(a.pose_width, a.pose_heads, True, a.dropout)
        self.text = TextAttention(a.pose_width, a.pose_heads, a.dropout)
        self.pose_forward = FeedForward(a.pose_width, a.pose_hidden, a.dropout)
        self.scatter = nn.Linear(a.pose_width, TOKENS * a.width)
        self.joint_forward = FeedForward(a.width, a.hidden)

    def forward(
        self, x: Tensor, p: Tensor, valid: Tensor, said: Tensor, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``x (B, N, K, C)``, ``p (B, N, P)``, ``valid (B, N)``, the text -> ``x``, ``p``."""
        b, n, k, c = x.shape
        y = self.norms[0](x).view(b * n, k, c)
        x = x + self.joints(y).view(b, n, k, c)
        y = self.norms[1](x).transpose(1, 2).reshape(b * k, n, c)
        x = x + self.time(y, valid.repeat_interleave(k, 0)).view(b, k, n, c).transpose(1, 2)
        if self.both is not None:
            y = self.norms[4](x).view(b, n * k, c)
            x = x + self.both(y, valid.repeat_interleave(k, 1)).view(b, n, k, c)
        p = p + self.gather(self.norms[2](x).flatten(2))
        p = p + self.poses(self.pose_norms[0](p), valid)
        p = p + self.text(self.pose_norms[1](p), said, seen)
        p = p + self.pose_forward(self.pose_norms[2](p))
        x = x + self.scatter(self.pose_norms[3](p)).view(b, n, k, c)
        return x + self.joint_forward(self.norms[3](x)), p


class _Trunk(nn.Module):
    """Rounds on embedded tokens, and the layers that say which code."""

    def __init__(self, a: Architecture, rounds: int, both: int, codes: int) -> None:
        super().__init__()
        self.names = nn.Parameter(torch.randn(TOKENS, a.width))  # as loud as the time and the codes
        self.pose = nn.Parameter(0.02 * torch.randn(a.pose_width))
        self.nothing = nn.Parameter(0.02 * torch.randn(a.pose_width))
        # normed: a sentence's unit vector would be all but silent beside the words' states
        self.read = nn.Sequential(nn.LayerNorm(TEXT), nn.Linear(TEXT, a.pose_width))
        self.rounds = nn.ModuleList(Round(a, n >= rounds - both) for n in range(rounds))
        # a hidden layer: the stream is too thin to rank all codes by itself
        self.out = nn.Sequential(
            nn.LayerNorm(a.width), nn.Linear(a.width, 4 * a.width), nn.GELU(), nn.Linear(4 * a.width, codes)
        )

    def forward(self, x: Tensor, valid: Tensor, context: Context, some: Tensor | None = None) -> Tensor:
        """``(B, N, K, C) -> (B, N, K, codes)``, or ``(M, codes)`` of the M tokens ``some (B, N, K)`` alone."""
        b, n, _, c = x.shape
        said = torch.cat((self.read(context.vectors), self.nothing.expand(b, 1, -1)), 1)
        seen = F.pad(context.seen, (0, 1), value=True)  # (B, N, S + 1)
        x = x + self.names + times(n, c, x.device)[:, None]
        p = (self.pose + times(n, len(self.pose), x.device)).expand(b, n, -1)
        for block in self.rounds:
            x, p = block(x, p, valid, said, seen)
        return self.out(x if some is None else x[some])


def times(count: int, width: int, device: torch.device) -> Tensor:
    """Sinusoids of the time. ``(count, width)``."""
    speed = torch.exp(-math.log(1e4) * torch.arange(0, width, 2, device=device) / width)
    angle = torch.arange(count, device=device)[:, None] * speed
    return torch.cat((angle.sin(), angle.cos()), -1)[:, :width]


class Masked(nn.Module):
    """Predicts hidden codes of the first level.

    Args:
        a: sizes; codes: entries of the codebook. The token ``codes`` is hidden.
    """

    def __init__(self, a: Architecture, codes: int) -> None:
        super().__init__()
        self.architecture, self.codes = a, codes
        self.embed = nn.Embedding(codes + 1, a.width)
        self.trunk = _Trunk(a, a.rounds, a.joint_time, codes)

    def forward(self, tokens: Tensor, valid: Tensor, context: Context, some: Tensor | None = None) -> Tensor:
        """``tokens (B, N, K)``, ``valid (B, N)`` -> logits ``(B, N, K, codes)``; ``some``: of these tokens alone."""
        return self.trunk(self.embed(tokens), valid, context, some)


class Residual(nn.Module):
    """Predicts the codes of one further level from the sum of those before it.

    Args:
        a: sizes; codes: entries of each codebook; levels: how many there are in all.
    """

    def __init__(self, a: Architecture, codes: int, levels: int) -> None:
        super().__init__()
        self.codes, self.levels = codes, levels
        self.embed = nn.Embedding((levels - 1) * codes, a.width)
        self.level = nn.Embedding(levels, a.width)
        self.trunk = _Trunk(a, a.residual_rounds, 0, codes)

    def forward(self, codes: Tensor, level: Tensor, valid: Tensor, context: Context,
                some: Tensor | None = None) -> Tensor:  # fmt: skip
        """Logits ``(B, N, K, codes)`` of level ``level (B,)`` >= 1, from ``codes (B, N, K, levels)``.

        Codes of that level and above are not looked at. ``some``: of these tokens alone.
        """
        below = torch.arange(self.levels - 1, device=codes.device) < level[:, None]  # (B, levels - 1)
        part = codes[..., : self.levels - 1]
        use = below[:, None, None] & (part >= 0)
        shifted = part.clamp(min=0) + self.codes * torch.arange(self.levels - 1, device=codes.device)
        x = (self.embed(shifted) * use[..., None]).sum(-2)  # (B, N, K, C)
        return self.trunk(x + self.level(level)[:, None, None], valid, context, some)


# -- training -------------------------------------------------------------------------------------------


def cosine(u: Tensor) -> Tensor:
    """The share that is hidden at ``u`` in 0..1 (Chang et al. 2022)."""
    return torch.cos(0.5 * math.pi * u)


def temporal_spatial(valid: Tensor, generator: torch.Generator) -> Tensor:
    """Which tokens to predict: whole frames first, then joints of the frames that are left.

    Both shares follow the cosine schedule, drawn apart. At least one token of a row is chosen.

    Args:
        valid: ``(B, N)`` bool, on any device.
        generator: on the CPU.

    Returns:
        ``(B, N, 23)`` bool.
    """
    b, n = valid.shape
    here = valid.cpu()
    length = here.sum(1)
    frames, joints = cosine(torch.rand(2, b, generator=generator))
    order = torch.rand(b, n, generator=generator).masked_fill(~here, 2.0).argsort(1).argsort(1)
    hidden = order < (frames * length).round().clamp(min=1)[:, None]
    rank = torch.rand(b, n, TOKENS, generator=generator).argsort(-1).argsort(-1)
    some = rank < (joints * TOKENS).round()[:, None, None]
    return ((hidden[..., None] | some) & here[..., None]).to(valid.device)


def disturbance(shape: Sequence[int], vocabulary: int, generator: torch.Generator) -> Tensor:
    """What tokens become that are to be predicted, if they are chosen; see :data:`RANDOM`.

    Returns:
        ``shape`` int64, on the CPU: a code, ``vocabulary`` where the token is hidden, -1 where it stays.
    """
    draw, second = torch.rand(2, *shape, generator=generator)
    other = torch.randint(vocabulary, tuple(shape), generator=generator)
    hidden = torch.where(second < HIDDEN, vocabulary, -1)
    return torch.where(draw < RANDOM, other, hidden)


def replaced(codes: Tensor, chosen: Tensor, vocabulary: int, drawn: Tensor) -> Tensor:
    """What the network sees of ``codes (B, N, K)``. Padding (-1) is hidden.

    Args:
        chosen: ``(B, N, K)`` bool, what is to be predicted; drawn: of :func:`disturbance`.
    """
    seen = torch.where(chosen & (drawn >= 0), drawn, codes)
    return torch.where(codes < 0, vocabulary, seen)


# -- sampling -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sampling:
    """How codes are drawn.

    Attributes:
        steps: passes of the masked transformer.
        guidance, residual_guidance: of the text, for the first level and for the others; 1: none.
        temperature: of the drawing; 0: always the most likely code.
        keep: codes beyond this share of the probability are not drawn.
    """

    steps: int = 10
    guidance: float = 2.0
    residual_guidance: float = 2.0
    temperature: float = 1.0
    keep: float = 0.9


@torch.inference_mode()
def generate(
    masked: Masked,
    residual: Residual | None,
    codes: Tensor,
    free: Tensor,
    valid: Tensor,
    context: Context,
    sampling: Sampling,
    generators: Sequence[torch.Generator],
    step: Callable[[], None],
) -> Tensor:
    """Fill in the free tokens; the others are never sampled again, in no level.

    Args:
        codes: ``(B, N, 23, levels)``; those that are free are ignored.
        free: ``(B, N, 23)`` bool; valid: ``(B, N)`` bool.
        generators: one a row, so that a row is the same whoever shares its batch.
        step: called before every pass.

    Returns:
        codes of the same shape, -1 where a row has ended.
    """
    here = valid[..., None].expand(free.shape)
    free = free & here
    tokens = torch.where(free | ~here, masked.codes, codes[..., 0].clamp(min=0))
    count = free.flatten(1).sum(1)
    for k in range(sampling.steps):
        step()
        hidden = free & (tokens == masked.codes)
        if not bool(hidden.any()):
            continue
        logits = _guided(lambda c, n: masked(_twice(tokens, n), _twice(valid, n), c, _twice(hidden, n)),  # noqa: B023
                         context, sampling.guidance)  # fmt: skip
        code, likely = _drawn(logits, hidden, sampling, generators)
        sure = torch.full(tokens.shape, torch.inf, device=tokens.device).masked_scatter(hidden, likely)
        filled = tokens.masked_scatter(hidden, code)
        left = (cosine(torch.tensor((k + 1) / sampling.steps)).item() * count).floor()
        if k == sampling.steps - 1:
            left = torch.zeros_like(left)
        # the least sure of what was drawn just now stay hidden; what was settled stays settled
        rank = sure.flatten(1).argsort(1).argsort(1).view_as(sure)
        tokens = torch.where(hidden & (rank < left[:, None, None]), masked.codes, filled)
    out = torch.where(free[..., None], -1, codes)
    out[..., 0] = torch.where(free, tokens, codes[..., 0])
    for level in range(1, codes.shape[-1] if residual else 1):
        assert residual is not None
        step()
        at = torch.full((len(codes),), level, device=codes.device)
        logits = _guided(
            lambda c, n: residual(_twice(out, n), _twice(at, n), _twice(valid, n), c, _twice(free, n)),  # noqa: B023
            context, sampling.residual_guidance,
        )  # fmt: skip
        code, _ = _drawn(logits, free, sampling, generators)
        out[..., level] = out[..., level].masked_scatter(free, code)
    return torch.where(here[..., None], out, -1)


def _twice(x: Tensor, times: int) -> Tensor:
    """Rows again for the half that hears no text, where there is one."""
    return torch.cat((x,) * times) if times > 1 else x


def _guided(network: Callable[[Context, int], Tensor], context: Context, scale: float) -> Tensor:
    """Logits with guidance (Ho and Salimans 2022); one plain pass where nothing is said."""
    if scale == 1 or not bool(context.seen.any()):
        return network(context, 1)
    said, silent = network(context.doubled(), 2).chunk(2)
    return silent + scale * (said - silent)


def _drawn(
    logits: Tensor, which: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """A code of each of the M tokens ``which (B, N, K)`` and how sure it is (its log probability).

    ``logits (M, codes)`` -> ``(M,)`` each. One number a token is drawn, row by row: the same whoever shares a batch.
    """
    likely = logits.float().log_softmax(-1)
    if sampling.temperature == 0:
        sure, code = likely.max(-1)
        return code, sure
    chance = likely.exp()
    ordered = _ascending(chance)
    below = ordered.cumsum(-1)
    # what is likelier than a code decides, so the most likely one is always kept
    least = ordered.masked_fill(below[:, -1:] - below > sampling.keep, torch.inf).amin(-1, keepdim=True)
    weight = (likely / sampling.temperature).exp() * (chance >= least)
    u = torch.cat([torch.rand(int(n), 1, generator=g)
                   for n, g in zip(which.flatten(1).sum(1), generators, strict=True)]).clamp(max=1 - 1e-6)  # fmt: skip
    reached = weight.cumsum(-1)
    code = (reached <= u.to(reached) * reached[:, -1:]).sum(-1).clamp(max=weight.shape[-1] - 1)
    return code, likely.gather(-1, code[:, None])[:, 0]


def _ascending(x: Tensor) -> Tensor:
    """Sorted along the last axis. numpy's vectorised sort takes a twentieth of the time of torch's on a processor."""
    if x.device.type == "cpu":
        return torch.from_numpy(np.sort(x.numpy(), axis=-1))
    return x.sort(-1).values
