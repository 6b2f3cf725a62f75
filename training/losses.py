"""What a filled window is punished for, over the frames that were not given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from backend.features import Inputs, Window, forward_kinematics, poses, to_matrix
from blender_addon.motion.skeleton import INDEX

FEET = [INDEX[n] for n in ("left_ankle", "right_ankle", "left_foot", "right_foot")]


@dataclass(frozen=True)
class Weights:
    """Weights of the terms, all L1.

    Attributes:
        rotation: 6D of the local rotations.
        place: the root's place, hip heights.
        position: forward-kinematic joint positions relative to the root, hip heights. Relative,
            because with L1 the root's error would else decide every joint's sign.
        velocity: their frame differences.
        contact: speed of feet that stand in the truth.
        floor: a window counts by 1 / sqrt(error of its interpolation + floor), hip heights, so that
            short gaps and quiet motion are learnt beside long gaps and wild motion.
    """

    rotation: float = 2.0
    place: float = 6.0
    position: float = 6.0
    velocity: float = 5.0
    contact: float = 3.0
    floor: float = 0.004


@dataclass(frozen=True, eq=False)
class Target:
    """The truth of a batch: channels ``(B, T, 135)``, positions ``(B, T, 22, 3)``, feet that stand."""

    channels: Tensor
    positions: Tensor
    standing: Tensor


def target(truth: Window) -> Target:
    """Describe true windows (localised, hip heights)."""
    m = to_matrix(truth.rotations)
    channels = torch.cat((torch.cat((m[..., 0], m[..., 1]), -1).flatten(2), truth.root), -1)
    _, p = forward_kinematics(m, truth.root, truth.offsets)
    feet = p[:, :, FEET]
    speed = (feet[:, 1:] - feet[:, :-1]).norm(dim=-1) * 30
    floor = feet[..., 1].amin(1, keepdim=True)
    low = feet[:, 1:, :, 1] < floor + 0.06
    return Target(channels, p, (speed < 0.25) & low)


def loss(
    out: Tensor,
    x: Inputs,
    truth: Target,
    weights: Weights,
    total_share: Callable[[Tensor], Tensor] = lambda x: x,
) -> tuple[Tensor, dict[str, float]]:
    """Mean weighted loss of filled channels ``(B, T, 135)``, and its terms for the log.

    Args:
        total_share: from this process' sum of the windows' weights to that of the whole batch, where
            several processes share one.
    """
    matrices, root = poses(out)
    _, p = forward_kinematics(matrices, root, x.offsets)
    free = (~(x.rotation_known.all(-1) & x.root_known) & x.valid).to(out.dtype)  # (B, T)
    pairs = torch.maximum(free[:, 1:], free[:, :-1]) * x.valid[:, 1:].to(out.dtype)
    difference = (out - truth.channels).abs()
    relative = (p - p[:, :, :1]) - (truth.positions - truth.positions[:, :, :1])
    step, true_step = p[:, 1:] - p[:, :-1], truth.positions[:, 1:] - truth.positions[:, :-1]
    terms = {  # each (B, T) or (B, T - 1)
        "rotation": difference[..., :-3].mean(-1),
        "place": difference[..., -3:].mean(-1),
        "position": relative.abs().mean((-1, -2)),
        "joints": (p - truth.positions).norm(dim=-1).mean(-1),
        "velocity": (step - true_step).abs().mean((-1, -2)),
        "contact": (step[:, :, FEET].norm(dim=-1) * truth.standing).mean(-1),
    }
    means = {k: over(v, free if v.shape == free.shape else pairs) for k, v in terms.items()}  # (B,)
    total = sum(
        getattr(weights, k) * means[k] for k in ("rotation", "place", "position", "velocity", "contact")
    )
    filling = (x.positions - x.positions[:, :, :1]) - (truth.positions - truth.positions[:, :, :1])
    placed = x.base[..., -3:] - truth.channels[..., -3:]
    plain = over(filling.norm(dim=-1).mean(-1) + placed.norm(dim=-1), free)  # (B,)
    share = (plain + weights.floor).rsqrt()
    total = (total * share).sum() / total_share(share.sum())
    return total, {k: float(v.detach().mean()) for k, v in means.items()}


def over(x: Tensor, where: Tensor) -> Tensor:
    """Mean of ``(B, T)`` over the marked frames of each window. ``(B,)``."""
    return (x * where).sum(1) / where.sum(1).clamp(min=1)
