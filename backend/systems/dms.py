"""DMS: joints, path and heading where they are told to be, on a masked denoiser (Liu et al. 2025; OmniControl).

The dynamic masking strategy is a way of training (:mod:`training.steering`); what it trains is a branch that
steers a denoiser (:mod:`backend.nn.steered`). While a variation is sampled, every step's clean motion is moved
towards the targets by forward kinematics as well (OmniControl's spatial guidance). What is then still missed
:mod:`backend.closing` takes off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import torch
from torch import Tensor

from blender_addon.motion.constraints import TextSpan

from .. import features, text
from ..control import Control
from ..features import Inputs
from ..nn import diffusion, steered
from ..nn.denoiser import Architecture, Denoiser
from ..nn.steered import Steered
from .base import Done, Steering, Step, smooth

GUIDED = 3
"""Guidance steps on each clean motion of the chain."""
FARTHEST = 1.0
"""Of a deviation of the denoiser's differences: a guidance step changes no channel by more."""


class DMS(Steering):
    """The networks as a system.

    Args:
        network: trained, in evaluation mode.
        tasks: what it is offered for.
        window: frames it was trained on.
        draws: evaluations of a variation that is drawn.
    """

    name = "dms"

    def __init__(self, network: Steered, tasks: frozenset[str], window: int, draws: int) -> None:
        self.network, self.tasks, self.window, self.draws = network.eval(), tasks, window, draws

    @classmethod
    def from_bundle(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Build from a bundle's entry; every tensor must be there and none more (``strict``)."""
        a = settings["architecture"]
        network = Steered(Denoiser(Architecture(**a["base"])), steered.Architecture(**a["branch"]))
        network.load_state_dict(dict(tensors), strict=True)
        return cls(network, frozenset(settings["tasks"]), int(settings["window"]), int(settings["draws"]))

    def to_bundle(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The inverse of :meth:`from_bundle`."""
        settings = {
            "architecture": {"base": asdict(self.network.base.architecture),
                             "branch": asdict(self.network.architecture)},
            "tasks": sorted(self.tasks), "window": self.window, "draws": self.draws,
        }  # fmt: skip
        return settings, dict(self.network.state_dict())

    def evaluations(self, variation: int) -> int:
        """One for the single best answer, ``draws`` for a drawn one."""
        return 1 if variation == 0 else self.draws

    def fill(self, x: Inputs, texts: Sequence[TextSpan], generators: Sequence[torch.Generator],
             step: Step, done: Done | None = None) -> Tensor:  # fmt: skip
        """See :meth:`Told.fill`: nothing steers, and one window is the whole."""
        del done
        b, t, j = x.rotation_known.shape
        none = x.base.new_zeros(b, t)
        nothing = Control(none[..., None, None].expand(b, t, j, 3), none[..., None].expand(b, t, j),
                          none[..., None].expand(b, t, 2), none > 0, none, none > 0)  # fmt: skip
        return self.steered(x, nothing, texts, 1, generators[0], step)

    def steered(self, x: Inputs, control: Control, texts: Sequence[TextSpan], variation: int,
                generator: torch.Generator, step: Step) -> Tensor:  # fmt: skip
        """See :meth:`Steering.steered`."""
        network, p = self.network, self.network.base.architecture.patch
        scale, free = network.base.scale.to(x.base), ~features.known_channels(x)
        with torch.no_grad():
            said = text.spoken(texts, len(x.base), -(-x.base.shape[1] // p), p)
            step()
            encoded = network.encode(x, control, said)
            if variation == 0:
                return smooth(encoded.guess * scale * free, x) * free
            sample = torch.randn(x.base.shape, generator=generator, dtype=x.base.dtype)
            chain = diffusion.strides(self.draws)
            for k, (now, following) in enumerate(zip(chain, [*chain[1:], -1], strict=True)):
                if k:
                    step()
                x0 = network.base.decode(encoded, sample * free, torch.full((len(x.base),), now)) * free
                x0 = guided(x0, x, control, scale, free)
                sample = diffusion.ddim(sample, x0, now, following)
            return smooth(sample * scale * free, x) * free


def guided(
    x0: Tensor, x: Inputs, control: Control, scale: Tensor, free: Tensor, steps: int = GUIDED
) -> Tensor:
    """A clean difference moved towards its targets along the gradient of how far they are missed.

    Steps are as long as would reach the targets were the way straight (Polyak's rule). ``(B, T, 135)``.
    """
    for _ in range(steps):
        with torch.enable_grad():
            moving = x0.detach().requires_grad_()
            cost = missed(x.base + moving * scale * free, x, control)
            if not bool((cost > 1e-8).any()):
                return x0
            (slope,) = torch.autograd.grad(cost.sum(), moving)
        power = slope.square().sum((1, 2), keepdim=True).clamp(min=1e-12)
        change = cost.detach()[:, None, None] / power * slope
        x0 = x0 - change.clamp(-FARTHEST, FARTHEST) * free
    return x0


def missed(channels: Tensor, x: Inputs, control: Control) -> Tensor:
    """Squared distances from the targets and the path, summed. ``(B, T, 135) -> (B,)``, hip heights squared."""
    matrices, root = features.poses(channels)
    _, p = features.forward_kinematics(matrices, root, x.offsets)
    away = ((p - control.targets) * control.weight[..., None]).square().sum((1, 2, 3))
    beside = ((root[..., ::2] - control.ground) * control.grounded[..., None]).square().sum((1, 2))
    return away + beside
