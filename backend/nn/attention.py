"""Attention along one axis, with rotary positions, and the feed-forward beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def rotary(length: int, width: int, device: torch.device, base: float = 1000.0) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions (Su et al. 2021). ``(length, width / 2)`` each."""
    speed = base ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    angle = torch.arange(length, device=device, dtype=torch.float32)[:, None] * speed
    return angle.cos(), angle.sin()


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs of channels by their position. ``(..., T, C), (T, C / 2)``."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention. ``(B, H, T, D)`` each, ``mask`` True where a key may be seen.

    In float32 on a CPU: torch's bfloat16 kernel takes six times as long to learn from there.
    """
    if q.dtype == torch.bfloat16 and q.device.type == "cpu":
        with torch.autocast("cpu", enabled=False):
            out = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask)
        return out.to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


class Attention(nn.Module):
    """Multi-head self-attention over the second last axis.

    Args:
        width: channels C; heads: number of heads; rotary_positions: relative positions along the
            axis (time), none for a set (joints); dropout: share of the output that is dropped in training.
    """

    def __init__(self, width: int, heads: int, rotary_positions: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.rotary_positions, self.dropout = heads, rotary_positions, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """``(B, T, C)``, ``valid (B, T)`` bool or None -> ``(B, T, C)``."""
        b, t, c = x.shape
        q, k, v = (
            self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        )  # (B, H, T, D)
        if self.rotary_positions:
            cos, sin = rotary(t, c // self.heads, x.device)
            q, k = turn(q, cos.to(q.dtype), sin.to(q.dtype)), turn(k, cos.to(k.dtype), sin.to(k.dtype))
        mask = None if valid is None else valid[:, None, None, :]  # (B, 1, 1, T)
        out = attend(q, k, v, mask)
        return F.dropout(self.out(out.transpose(1, 2).reshape(b, t, c)), self.dropout, self.training)


class CrossAttention(nn.Module):
    """Multi-head attention of a sequence to another of the same times (rotary positions on both).

    Args:
        width: channels of the sequence that asks; context: of the one that answers; heads: number of heads.
    """

    def __init__(self, width: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.kv, self.out = (
            nn.Linear(width, width),
            nn.Linear(context, 2 * width),
            nn.Linear(width, width),
        )

    def forward(self, x: Tensor, context: Tensor, valid: Tensor | None = None) -> Tensor:
        """``x (B, T, C)``, ``context (B, S, D)``, ``valid (B, S)`` bool or None -> ``(B, T, C)``."""
        b, t, c = x.shape
        size = c // self.heads
        q = self.q(x).view(b, t, self.heads, size).transpose(1, 2)
        k, v = self.kv(context).view(b, -1, 2, self.heads, size).permute(2, 0, 3, 1, 4)
        q, k = (turn(y, *(r.to(y.dtype) for r in rotary(y.shape[2], size, x.device))) for y in (q, k))
        mask = None if valid is None else valid[:, None, None, :]
        out = attend(q, k, v, mask)
        return self.out(out.transpose(1, 2).reshape(b, t, c))


class FeedForward(nn.Sequential):
    """Two layers with a GELU between, dropout after."""

    def __init__(self, width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width), nn.Dropout(dropout))


def zero(layer: nn.Linear) -> nn.Linear:
    """A layer that says nothing until it is trained."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
