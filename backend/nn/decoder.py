"""The decoder of MMDM (sec. III-A): a sample attends to what the encoder read, and is denoised.

The encoder's work does not depend on the sample, so a chain of any length pays for it once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import Attention, CrossAttention, FeedForward, zero


class DecoderLayer(nn.Module):
    """Self-attention over time, cross-attention to the encoder's tokens, feed-forward; norms first."""

    def __init__(self, width: int, context: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.self_attention = nn.LayerNorm(width), Attention(width, heads, True)
        self.norm2, self.cross_attention = nn.LayerNorm(width), CrossAttention(width, context, heads)
        self.norm3, self.forward_ = nn.LayerNorm(width), FeedForward(width, 2 * width)

    def forward(self, x: Tensor, context: Tensor, valid: Tensor | None) -> Tensor:
        """``x (B, N, W)``, ``context (B, N, C)``, ``valid (B, N)`` or None -> ``(B, N, W)``."""
        x = x + self.self_attention(self.norm1(x), valid)
        x = x + self.cross_attention(self.norm2(x), context, valid)
        return x + self.forward_(self.norm3(x))


class Decoder(nn.Module):
    """Noisy difference in, what has to be added to the encoder's guess out; nothing before training.

    Args:
        layers, width, heads: its own sizes.
        context: channels of the encoder's tokens.
        channels: of a frame of the sample; known: of a frame's mask; patch: frames a token.
    """

    def __init__(
        self, layers: int, width: int, context: int, heads: int, channels: int, known: int, patch: int
    ) -> None:
        super().__init__()
        self.patch = patch
        self.read = nn.Linear((channels + known) * patch, width)
        self.read_step = nn.Sequential(nn.Linear(64, width), nn.GELU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(DecoderLayer(width, context, heads) for _ in range(layers))
        self.norm, self.write = nn.LayerNorm(width), zero(nn.Linear(width, channels * patch))

    def forward(
        self, sample: Tensor, known: Tensor, context: Tensor, valid: Tensor | None, step: Tensor
    ) -> Tensor:
        """``sample (B, T, 135)``, ``known (B, T, 23)``, ``context (B, N, C)``, ``step (B, 64)`` -> ``(B, T, 135)``."""
        frames, p = sample.shape[1], self.patch
        both = torch.cat((sample, known), -1)
        if short := -frames % p:
            both = torch.cat((both, torch.zeros_like(both[:, :1]).expand(-1, short, -1)), 1)
        x = self.read(both.unflatten(1, (-1, p)).flatten(2)) + self.read_step(step)[:, None]
        for layer in self.layers:
            x = layer(x, context, valid)
        return self.write(self.norm(x)).unflatten(-1, (p, -1)).flatten(1, 2)[:, :frames]
