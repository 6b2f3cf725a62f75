"""Where joints, the ground path and the heading are to go: control signals of windows, and a filling that heeds them.

What can be known without a network is done without one: the filling is moved along the ground path and turned
with the heading (:func:`steer`), so that a network only has to move the body along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from . import features
from .features import Frame, Window


@dataclass(frozen=True, eq=False)
class Control:
    """Control signals of a batch of windows, in the units and the frame of their windows.

    What is asked for is said by weights and masks, never by a place: a target at the origin is a target.

    Attributes:
        targets: ``(B, T, 22, 3)``; finite everywhere.
        weight: ``(B, T, 22)`` in 0..1, how firmly; 0: no target.
        ground: ``(B, T, 2)`` x and z of the pelvis; grounded: ``(B, T)`` bool.
        heading: ``(B, T)`` radians about Y, 0 facing +Z; headed: ``(B, T)`` bool.
    """

    targets: Tensor
    weight: Tensor
    ground: Tensor
    grounded: Tensor
    heading: Tensor
    headed: Tensor

    def to(self, device: torch.device) -> Control:
        """The same on another device."""
        return Control(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def rows(self, some: Any) -> Control:
        """Of some windows of the batch."""
        return Control(**{f.name: getattr(self, f.name)[some] for f in fields(self)})

    def frames(self, some: Any) -> Control:
        """Of some frames."""
        return Control(**{f.name: getattr(self, f.name)[:, some] for f in fields(self)})


def yaw(q: Tensor) -> Tensor:
    """Heading of a pelvis: the twist about Y of its orientation. ``(..., 4) -> (...)`` radians."""
    return 2 * torch.atan2(q[..., 2], q[..., 0])


def wrapped(angle: Tensor) -> Tensor:
    """The same angle within half a turn either way."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


REACH = 0.4
"""Of the hip height: targets nearer to their joints than this leave the root where it is: limbs reach them."""


def steer(filled: Window, control: Control) -> Window:
    """An interpolated window moved along the ground path and turned with the heading.

    The root's distance from the path is taken off where the path (or a pinned pelvis) says where it is; where
    other joints' targets lie out of their reach, the part beyond it. Between such frames, and from them to
    frames whose root is known, it is interpolated, beyond the last one held. The heading likewise, by the
    shorter way from one to the next.

    Args:
        filled: interpolated, in any frame; control: in the same.
    """
    filled = _turned(filled, control)
    away, told = _away(filled, control)
    before, after, t = features.neighbours((told | filled.root_known)[..., None])
    a, b = (away.gather(1, i.expand_as(away)) for i in (before, after))
    moved = a + (b - a) * t.clamp(0, 1)
    root = filled.root
    root = torch.stack((root[..., 0] + moved[..., 0], root[..., 1], root[..., 2] + moved[..., 1]), -1)
    return replace(filled, root=root)


def _turned(filled: Window, control: Control) -> Window:
    q, known = filled.rotations, filled.rotation_known[..., 0]
    told = control.headed & ~known
    turn = torch.where(told, wrapped(control.heading - yaw(q[:, :, 0])), 0.0)
    before, after, t = (x[..., 0] for x in features.neighbours((told | known)[..., None]))
    a, b = turn.gather(1, before), turn.gather(1, after)
    half = 0.5 * (a + wrapped(b - a) * t.clamp(0, 1))
    zero = torch.zeros_like(half)
    pelvis = features.multiply(torch.stack((half.cos(), zero, half.sin(), zero), -1), q[:, :, 0])
    return replace(filled, rotations=torch.cat((pelvis[:, :, None], q[:, :, 1:]), 2))


def _away(filled: Window, control: Control) -> tuple[Tensor, Tensor]:
    """How far the root is from where it is told to be ``(B, T, 2)``, and at which frames it is told ``(B, T)``."""
    root = filled.root[..., ::2]
    pinned = control.weight[..., 0] > 0
    exact = control.grounded | pinned
    away = torch.where(pinned[..., None], control.targets[:, :, 0, ::2], control.ground) - root
    away = torch.where(exact[..., None], away, 0.0)
    told = exact
    weight = control.weight * ~exact[..., None]
    if bool((weight > 0).any()):
        matrices = features.to_matrix(filled.rotations)
        _, places = features.forward_kinematics(matrices, filled.root, filled.offsets)
        beside = (control.targets - places)[..., ::2] * weight[..., None]
        beside = beside.sum(2) / weight.sum(2).clamp(min=1e-6)[..., None]
        far = beside.norm(dim=-1, keepdim=True)
        reach = REACH * filled.offsets[:, :1, None, 1]
        away = away + beside * (1 - reach / far.clamp(min=1e-9)).clamp(min=0)
        told = told | (weight > 0).any(-1)
    return torch.where((told & ~filled.root_known)[..., None], away, 0.0), told & ~filled.root_known


def localise(control: Control, frame: Frame) -> Control:
    """Control signals in metres put into a window's own frame, as :func:`features.apply` puts the window."""
    turn = frame.turn[:, None]
    flat = torch.stack(
        (control.ground[..., 0], torch.zeros_like(control.heading), control.ground[..., 1]), -1
    )
    flat = features.rotate(turn.expand(*flat.shape[:2], 4), flat - frame.place[:, None])
    everywhere = turn[:, :, None].expand(*control.targets.shape[:3], 4)
    targets = features.rotate(everywhere, control.targets - frame.place[:, None, None])
    scale = frame.scale[:, None, None]
    return replace(
        control, targets=targets / scale[..., None], ground=flat[..., ::2] / scale,
        heading=wrapped(control.heading + yaw(turn)),
    )  # fmt: skip
