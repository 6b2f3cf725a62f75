"""Parts through a bottleneck of tokens (RoPAR, sec. 2.3): what the P-VAE learns, from credible parts only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from backend import features
from backend.nn import parts, quantiser
from backend.nn.parts import STRIDE, PartVAE
from backend.nn.ropar import RoPAR
from blender_addon.motion.skeleton import INDEX

from ..config import Config
from ..dataset import generators
from ..prepare.cache import Cache
from .base import Objective, Outcome, Rows, Step
from .ropar_windows import Draws, Seen

CALIBRATION = 2**31
"""In the place of a step: the random streams of :meth:`Parts.calibrate`."""
WEIGHTS: Mapping[str, float] = {
    "rotation": 2.0, "root": 1.0, "position": 6.0, "velocity": 5.0, "place": 1.0, "contact": 3.0, "kl": 1e-3,
}  # fmt: skip
"""Of the terms, all L1 but the last."""
FEET = [INDEX[n] for n in ("left_ankle", "right_ankle", "left_foot", "right_foot")]


def make(config: Config, data: Cache, device: torch.device) -> Parts:
    """See :func:`training.objectives.make`."""
    return Parts(config, data, device)


def restored(config: Config, tensors: Mapping[str, Tensor]) -> RoPAR:
    """See :func:`training.objectives.restored`."""
    network = untrained(config)
    network.load_state_dict(tensors)
    return network


def untrained(config: Config) -> RoPAR:
    """The networks of a configuration.

    Raises:
        ValueError: it says nothing of parts.
    """
    if config.vae is None:
        raise ValueError("this configuration has no P-VAE")
    return RoPAR(config.vae, config.transformer)


class Parts(Objective):
    """Reconstruction of credible tokens: rotations, joints, speeds, path, standing feet; and eq. 1's KL."""

    system = "ropar"

    def __init__(self, config: Config, data: Cache, device: torch.device) -> None:
        self.config, self.device = config, device
        self._network = untrained(config)
        draw = lambda split, credible: Draws(data, data.select(split), config.sources, False, credible)  # noqa: E731
        self.train, self.checks = draw("train", config.credible), draw("validation", 1.0)

    @property
    def network(self) -> RoPAR:
        """See :meth:`Objective.network`."""
        return self._network

    def calibrate(self, batches: int = 24) -> None:
        """Means and deviations of what is read."""
        c, rows = self.config, []
        for n in range(batches):
            x = self.train.batch(generators(c.seed, CALIBRATION, n, size=c.batch), c.frames)
            rows.append(parts.describe(parts.held(x.truth, x.valid), x.offsets)[x.valid])
        self.network.vae.calibrate(torch.cat(rows).to(self.device))

    def draw(self, rows: Rows) -> Seen:
        """Windows from anywhere, some of their parts spoiled."""
        return self.train.batch(generators(rows.seed, rows.number, size=rows.size)[rows.mine], rows.frames)

    def loss(self, model: Any, step: Step) -> Outcome:
        """See :meth:`Objective.loss`."""
        x = to(step.batch, self.device)
        vae = self.network.vae
        rows, tokens = believed(x, vae, self.config)
        present = vae.present(rows, tokens)
        described = parts.describe(parts.held(x.channels, x.valid), x.offsets)
        noise = step.here(torch.randn(step.size, *tokens.shape[1:], vae.latent, generator=step.noise))
        with step.precision():
            out, mean, spread = model(described, present, x.valid, noise)
        terms = errors(vae, out.float(), present, described, x)
        kl = 0.5 * (mean.square() + spread.exp() - 1 - spread).mean(-1)
        terms["kl"] = (kl * tokens).sum() / tokens.sum().clamp(min=1)
        follow_latents(vae, mean.detach(), tokens)
        total = sum((WEIGHTS[k] * terms[k] for k in WEIGHTS), torch.zeros((), device=self.device))
        logged = {k: float(v.detach()) for k, v in terms.items()}
        return Outcome(total, {**logged, "credible": float(tokens.float().mean())}, x.valid.sum())

    @torch.inference_mode()
    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Mean error of the joints about the root and of the path, hip heights."""
        assert isinstance(network, RoPAR)
        x = to(self.checks.batch(generators(7, size=64), self.config.frames, turn=False), self.device)
        return {k: float(v.mean()) for k, v in reconstructed(network.vae, x).items()}


def to(x: Seen, device: torch.device) -> Seen:
    """The batch on a device."""
    return Seen(x.channels.to(device), x.truth.to(device), x.offsets.to(device), x.valid.to(device),
                x.confidence.to(device), x.root_confidence.to(device), x.texts)  # fmt: skip


def believed(x: Seen, vae: PartVAE, config: Config) -> tuple[Tensor, Tensor]:
    """Confidence of rows ``(B, N, 23)`` and which tokens are learnt from ``(B, N, P)``.

    Everything that is there, where ``config.heed`` is False (for comparison).
    """
    c, root = x.confidence, x.root_confidence
    if not config.heed:
        c, root = torch.ones_like(c), torch.ones_like(root)
    rows = parts.row_confidence(c, root, x.valid)
    return rows, parts.credible(rows, vae.layout, config.tau)


@torch.no_grad()
def follow_latents(vae: PartVAE, mean: Tensor, tokens: Tensor, memory: float = 0.98) -> None:
    """Moving averages of the latents' mean and deviation, one for parts of a kind."""
    kinds = vae.layout.kinds
    for kind in kinds.unique():
        own = kinds == kind
        z = mean[:, :, own][tokens[:, :, own]]
        if len(z) > 1:
            vae.latent_mean[own] = memory * vae.latent_mean[own] + (1 - memory) * z.mean(0)
            vae.latent_deviation[own] = memory * vae.latent_deviation[own] + (1 - memory) * z.std(0).clamp(
                min=1e-3
            )


def errors(vae: PartVAE, out: Tensor, present: Tensor, described: Tensor, x: Seen) -> dict[str, Tensor]:
    """What differs from what was observed, where it is credible.

    Joint places need the whole body: what is not credible is taken as observed on both sides, and neither
    counts nor has a gradient.

    Args:
        out: ``(B, T, P, R, 6)``; present: ``(B, N, P, R)``; described: ``(B, T, 23, 12)``.
    """
    frames = x.valid.shape[1]
    here = present.repeat_interleave(STRIDE, 1)[:, :frames] & x.valid[:, :, None, None]  # (B, T, P, R)
    given = described[..., : parts.WRITE]
    index = vae.layout.rows.to(out.device)
    difference = (out - given[:, :, index]).abs()
    is_root = (index == features.J)[None, None]
    joint_rows, root_rows = here & ~is_root, here & is_root
    body = vae.merged(out, here.to(out.dtype))
    ours = torch.zeros(*here.shape[:2], parts.ROWS, device=out.device).index_add(
        2, index.flatten(), here.flatten(2).float()) > 0  # fmt: skip
    mixed = quantiser.motion(torch.where(ours[..., None], body, given))
    asis = quantiser.motion(given)
    (p, path), (q, true_path) = (_placed(v, x.offsets) for v in (mixed, asis))
    joints = ours[..., : features.J]
    relative = (p - p[:, :, :1]) - (q - q[:, :, :1])
    step = lambda v: v[:, 1:] - v[:, :-1]  # noqa: E731
    pair = lambda v: v[:, 1:] & v[:, :-1]  # noqa: E731
    stands = _standing(q) & pair(ours.all(-1))[..., None]
    return {
        "rotation": _mean(difference.mean(-1), joint_rows),
        "root": _mean(difference[..., :3].mean(-1), root_rows),
        "position": _mean(relative.abs().mean(-1), joints),
        "velocity": _mean(step(relative).abs().mean(-1), pair(joints)),
        "place": _mean((path - true_path).abs().mean(-1), ours[..., features.J]),
        "contact": _mean(step(p)[:, :, FEET].norm(dim=-1), stands),
    }


def _placed(channels: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    matrices, root = features.poses(channels)
    return features.forward_kinematics(matrices, root, offsets)[1], root


def _standing(p: Tensor) -> Tensor:
    feet = p[:, :, FEET]
    speed = (feet[:, 1:] - feet[:, :-1]).norm(dim=-1) * quantiser.FPS
    return (speed < 0.25) & (feet[:, 1:, :, 1] < feet[..., 1].amin(1, keepdim=True) + 0.06)


def _mean(x: Tensor, where: Tensor) -> Tensor:
    return (x * where).sum() / where.sum().clamp(min=1)


def reconstructed(vae: PartVAE, x: Seen) -> dict[str, Tensor]:
    """Errors of the truth through the tokens, a number a window: joints about the root, the path. ``(B,)``."""
    times = parts.token_frames(x.valid).any(-1)
    rows = torch.ones(*times.shape, parts.ROWS, device=x.truth.device) * times[..., None]
    tokens = times[..., None].expand(*times.shape, len(vae.layout))
    z = vae.encode(x.truth, x.offsets, rows, tokens, x.valid)
    (p, path), (q, true_path) = (_placed(v, x.offsets) for v in (vae.decode(z, x.valid), x.truth))
    start = true_path[:, :1] * torch.tensor([1.0, 0, 1.0], device=path.device)
    joints = ((p - p[:, :, :1]) - (q - q[:, :, :1])).norm(dim=-1).mean(-1)
    away = (path - (true_path - start)).norm(dim=-1)
    count = x.valid.sum(1).clamp(min=1)
    return {"joints": (joints * x.valid).sum(1) / count, "path": (away * x.valid).sum(1) / count}
