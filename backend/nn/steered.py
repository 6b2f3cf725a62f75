"""Spatial control of the masked denoiser: a branch beside its rounds that starts at zero output.

As in ControlNet and OmniControl (Xie et al. 2024, "realism guidance") the trained denoiser stays as it is. Before
each of its rounds a narrow branch reads the pose stream, what is asked of joints, path and heading, and the
text; attends over time; and adds what it found onto the stream. All its ways out start at zero, so that an
untrained branch changes nothing. The branch is narrow (an adapter, not a copy): it costs a quarter of the
network that it steers, and a bundle holds both.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import features
from ..control import Control, wrapped, yaw
from ..features import CHANNELS, Inputs, J
from . import diffusion
from .attention import Attention, FeedForward, zero
from .denoiser import Denoiser, Encoded, patched, sinusoid, unpatched
from .masked import TEXT, Context, TextAttention


@dataclass(frozen=True)
class Architecture:
    """Sizes of the branch.

    Attributes:
        width, heads, hidden: of its stream, a token for each of the denoiser's.
        dropout: share of its sublayers' outputs that is dropped in training.
    """

    width: int = 112
    heads: int = 4
    hidden: int = 384
    dropout: float = 0.05


REACH = 12.0
"""Frames over which a target is felt where there is none: what is read of it falls to a half."""
_READ = 5 * J + 6
"""Five numbers a joint; whether there is a path and a heading, the heading's sine and cosine, the path's speed."""


def signals(x: Inputs, control: Control) -> Tensor:
    """What the branch reads of the targets, frame by frame. ``(B, T, 116)``.

    A joint's way from where the filling has it to its target is interpolated between the frames that have
    one and held beyond them; beside it stands whether this frame has a target, and how near the next one is.
    """
    ground = x.base[..., features.ROTATION :] * x.base.new_tensor([1.0, 0.0, 1.0])
    places = x.positions + ground[:, :, None]
    there = control.weight > 0  # (B, T, 22)
    away = torch.where(there[..., None], control.targets - places, 0.0)
    before, after, t = features.neighbours(there)
    a, b = (away.gather(1, i[..., None].expand_as(away)) for i in (before, after))
    held = a + (b - a) * t.clamp(0, 1)[..., None]  # (B, T, 22, 3)
    frames = torch.arange(there.shape[1], device=there.device)[None, :, None]
    apart = torch.minimum((frames - before).abs(), (after - frames).abs())
    near = torch.exp2(-apart / REACH) * there.any(1, keepdim=True)
    joints = torch.cat((held * near[..., None], control.weight[..., None], near[..., None]), -1)
    turn = wrapped(control.heading - yaw(_pelvis(x)))
    told = control.headed.to(x.base.dtype)
    grounded = control.grounded.to(x.base.dtype)
    # how fast and whither the path leads (its places are the filling's already)
    step = torch.zeros_like(control.ground)
    both = control.grounded[:, 1:] & control.grounded[:, :-1]
    step[:, 1:] = 30 * torch.where(both[..., None], control.ground[:, 1:] - control.ground[:, :-1], 0.0)
    rest = torch.stack((grounded, told, turn.sin() * told, turn.cos() * told), -1)
    return torch.cat((joints.flatten(2), rest, step), -1)


def _pelvis(x: Inputs) -> Tensor:
    """Orientation of the filling's pelvis. ``(B, T, 4)``."""
    return features.quaternion(features.matrix_from_6d(x.base[..., :6]))


class Layer(nn.Module):
    """One step of the branch: time, text, feed-forward; norms first."""

    def __init__(self, a: Architecture, stream: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(a.width) for _ in range(4))
        self.stream_norm, self.down = nn.LayerNorm(stream), nn.Linear(stream, a.width)
        self.time = Attention(a.width, a.heads, True, a.dropout)
        self.text = TextAttention(a.width, a.heads, a.dropout)
        self.forward_ = FeedForward(a.width, a.hidden, a.dropout)
        self.up = zero(nn.Linear(a.width, stream))

    def forward(
        self, h: Tensor, pose: Tensor, valid: Tensor | None, said: Tensor, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``h (B, N, W)``, ``pose (B, N, C)`` -> the branch, and what is added onto the stream."""
        h = h + self.down(self.stream_norm(pose))
        h = h + self.time(self.norms[0](h), valid)
        h = h + self.text(self.norms[1](h), said, seen)
        h = h + self.forward_(self.norms[2](h))
        return h, self.up(self.norms[3](h))


class Steered(nn.Module):
    """A frozen :class:`Denoiser` with a decoder, and the branch that steers it.

    Args:
        base: trained; its parameters take no gradient.
        a: sizes of the branch.
    """

    def __init__(self, base: Denoiser, a: Architecture) -> None:
        super().__init__()
        if not base.architecture.decoder:
            raise ValueError("a denoiser without a decoder cannot be steered")
        self.architecture = a
        self.base = base.requires_grad_(False)
        c, p = base.architecture, base.architecture.patch
        self.read = nn.Linear(_READ * p, a.width)
        self.said, self.unsaid = nn.Linear(TEXT, a.width), nn.Parameter(torch.zeros(a.width))
        self.layers = nn.ModuleList(Layer(a, c.pose_width) for _ in range(c.rounds))
        self.norm, self.write = nn.LayerNorm(a.width), zero(nn.Linear(a.width, CHANNELS * p))

    def train(self, mode: bool = True) -> Steered:
        """The denoiser stays in evaluation mode: nothing of it is dropped."""
        super().train(mode)
        self.base.eval()
        return self

    def forward(self, x: Inputs, control: Control, said: Context, sample: Tensor, step: Tensor) -> Tensor:
        """The clean difference, in units of the denoiser's scale. ``(B, T, 135)``.

        Args:
            control: in the windows' own frames; said: by the denoiser's tokens.
            sample: ``(B, T, 135)``; step: ``(B,)``, ``STEPS``: the single best answer.
        """
        encoded = self.encode(x, control, said)
        if bool((step == diffusion.STEPS).all()):
            return encoded.guess
        drawn = self.base.decode(encoded, sample, step.clamp(max=diffusion.STEPS - 1))
        return torch.where((step == diffusion.STEPS)[:, None, None], encoded.guess, drawn)

    def answers(
        self, x: Inputs, control: Control, said: Context, sample: Tensor, step: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Both answers, for training, as :meth:`Denoiser.answers`."""
        encoded = self.encode(x, control, said)
        return encoded.guess, self.base.decode(encoded._replace(guess=encoded.guess.detach()), sample, step)

    def encode(self, x: Inputs, control: Control, said: Context) -> Encoded:
        """Read what is known and what is asked for, once for all steps of the chain."""
        base, p = self.base, self.base.architecture.patch
        nothing = torch.zeros_like(x.base)
        step = torch.full((len(x.base),), diffusion.STEPS, device=x.base.device)
        pose, joints, valid = base.opened(x, nothing, step)
        h = self.read(patched(signals(x, control), p))
        heard, seen = self._heard(said)
        for block, layer in zip(base.rounds, self.layers, strict=True):
            h, moved = layer(h, pose, valid, heard, seen)
            pose = pose + moved
            if block.joint_width:
                pose, joints = block(pose, joints, valid)
            else:
                pose, _ = block(pose, None, valid)
        own = unpatched(self.write(self.norm(h)), p)[:, : x.base.shape[1]]
        known = torch.cat((x.rotation_known, x.root_known[..., None]), -1).to(x.base.dtype)
        return Encoded(base.answer(x, pose, joints) + own, base.norm(pose), known, valid)

    def _heard(self, said: Context) -> tuple[Tensor, Tensor]:
        """Vectors of the text in the branch's width, with the one that stands for silence first."""
        b, n = said.seen.shape[:2]
        places = sinusoid(
            torch.arange(said.vectors.shape[1], device=said.vectors.device).float(), self.architecture.width
        )
        heard = self.said(said.vectors) + places
        silent = self.unsaid.expand(b, 1, -1).to(heard.dtype)
        seen = torch.cat((torch.ones(b, n, 1, dtype=torch.bool, device=said.seen.device), said.seen), -1)
        return torch.cat((silent, heard), 1), seen
