"""Observed motion smoothed before a network reads it: as much as its noise asks for, trusting what is trusted.

Local linear regression in time with a Gaussian kernel (Fan and Gijbels 1996). Its bandwidth follows from
the noise and the motion themselves, joint by joint and frame by frame, so that clean capture stays nearly
what it is, and shaking capture does not reach the network as if it were motion.

Noise comes in two kinds. A suit's errors are turns, which add up along a limb; a camera's are shifts of
points, which a solver spread over the joints, so that a joint's turn undoes its parent's: averaged each
by itself, such turns no longer fit together. So the joints' world rotations and their places are both
smoothed, and the skeleton takes the rotations that fit both best, each by what is left of its noise.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

NARROWEST, WIDEST = 0.4, 6.0
"""Bandwidths in frames: at the narrowest a neighbour counts for 4 %."""
PILOT = 4.0
"""Bandwidth of the first estimate, from which the motion's own curvature is read."""
AROUND = 6.0
"""Over how many frames noise and curvature are averaged."""
CERTAIN = 1e3
"""Weight of a known value beside observed ones, which have at most :func:`odds` of 0.95."""


def odds(confidence: Tensor) -> Tensor:
    """Weight of an observed value: the squared odds of its confidence, 1 at a half, 0 at 0."""
    c = confidence.clamp(max=0.95)
    return (c / (1 - c)).square()


def smooth(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Values along time as local lines, and how sure they are.

    Args:
        values: ``(B, T, K, C)``, continuous in time (quaternions: of one sign).
        weights: ``(B, T, K)``, 0: the value says nothing. Where nothing near has weight, the value stays.

    Returns:
        ``(B, T, K, C)``, and ``(B, T, K)``: one over the variance, summed over channels, that is left of
        white noise; 0 where nothing near has weight.
    """
    variance = _noise(values, weights)
    pilot, _ = _lines(values, weights, torch.full_like(weights, PILOT))
    bend, inside = torch.zeros_like(weights), torch.zeros_like(weights)
    there = weights > 0
    bend[:, 1:-1] = (pilot[:, 2:] - 2 * pilot[:, 1:-1] + pilot[:, :-2]).square().sum(-1)
    inside[:, 1:-1] = (there[:, 2:] & there[:, 1:-1] & there[:, :-2]).to(weights.dtype)
    curvature = _around(bend, inside)
    # the bandwidth that balances a kernel's squared bias h^4 / 4 E[x''^2] and variance s^2 / (2 sqrt(pi) h)
    best = (variance / (2 * math.sqrt(math.pi) * curvature).clamp(min=1e-12)).pow(0.2)
    bandwidth = best.clamp(NARROWEST, WIDEST)
    line, found = _lines(values, weights, bandwidth)
    return line, found * 2 * math.sqrt(math.pi) * bandwidth / variance.clamp(min=1e-9)


def fuse(above: Tensor, start: Tensor, sure: Tensor, bones: Tensor, places: Tensor, placed: Tensor) -> Tensor:
    """The rotation that agrees best with an estimate of itself and with where its joint's children are.

    Most likely under Gaussian errors (Wahba's problem, Markley 1988): the orthogonal factor of
    ``sum_c sure_c t_c b_c^T + start / (2 s^2)``, where ``1 / s^2`` is ``above``.

    Args:
        above: ``(...)`` one over the variance of the estimate's turn about each axis.
        start: ``(..., 3, 3)`` the estimate.
        sure: ``(..., N)`` one over the variance of each child's place along each axis.
        bones: ``(..., N, 3)`` the children's rest offsets.
        places: ``(..., N, 3)`` where they are; placed: ``(..., 3)`` where the joint itself is.
    """
    way = places - placed[..., None, :]
    h = torch.einsum("...n,...ni,...nj->...ij", sure, way, bones) + 0.5 * above[..., None, None] * start
    u, _, v = torch.linalg.svd(h / h.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-30))
    flip = torch.ones_like(u[..., 0, :])
    flip[..., 2] = torch.linalg.det(u @ v).sign()  # a rotation, never a mirror image
    return (u * flip[..., None, :]) @ v


def _noise(values: Tensor, weights: Tensor) -> Tensor:
    """Variance of white noise, summed over channels, from third differences. ``(B, T, K)``.

    The squares of their coefficients 1, -3, 3, -1 add up to 20, and motion has hardly any.
    """
    out, seen = torch.zeros_like(weights), torch.zeros_like(weights)
    if values.shape[1] >= 4:
        third = values[:, 3:] - 3 * values[:, 2:-1] + 3 * values[:, 1:-2] - values[:, :-3]
        there = weights > 0
        inside = (there[:, 3:] & there[:, 2:-1] & there[:, 1:-2] & there[:, :-3]).to(values.dtype)
        out[:, 1:-2], seen[:, 1:-2] = third.square().sum(-1) / 20 * inside, inside
    return _around(out, seen)


def _around(x: Tensor, weights: Tensor) -> Tensor:
    """Weighted means over :data:`AROUND` frames. ``(B, T, K)`` -> the same, 0 where nothing has weight."""
    kernel = _kernel(x.new_full((1, x.shape[1], 1), AROUND))[0, 0]  # (T, T)
    sums = torch.einsum("ts,bsk->btk", kernel, x * weights)
    return sums / torch.einsum("ts,bsk->btk", kernel, weights).clamp(min=1e-9)


def _kernel(bandwidth: Tensor) -> Tensor:
    """Gaussian weights. ``(B, T, K) -> (B, K, T, T)``, the last axis being the neighbours."""
    frames = torch.arange(bandwidth.shape[1], dtype=bandwidth.dtype, device=bandwidth.device)
    apart = frames[None, :] - frames[:, None]  # (T, T)
    return torch.exp(-0.5 * (apart / bandwidth.transpose(1, 2)[..., None]).square())


def _lines(values: Tensor, weights: Tensor, bandwidth: Tensor) -> tuple[Tensor, Tensor]:
    """The local line's value at its own frame ``(B, T, K, C)``, and whether there was one ``(B, T, K)``."""
    kernel = _kernel(bandwidth) * weights.transpose(1, 2)[:, :, None, :]  # (B, K, T, T)
    frames = torch.arange(values.shape[1], dtype=values.dtype, device=values.device)
    apart = frames[None, :] - frames[:, None]
    first = kernel * apart
    s0, s1, s2 = kernel.sum(-1), first.sum(-1), (first * apart).sum(-1)  # (B, K, T)
    lanes = values.transpose(1, 2)  # (B, K, T, C)
    y0, y1 = kernel @ lanes, first @ lanes
    # a ridge on the slope: where one frame alone has weight, the line is level
    s2 = s2 + 1e-3 * s0 + 1e-12
    line = (s2[..., None] * y0 - s1[..., None] * y1) / (s2 * s0 - s1.square()).clamp(min=1e-12)[..., None]
    found = s0 > 1e-8
    return torch.where(found[..., None], line, lanes).transpose(1, 2), found.transpose(1, 2)
