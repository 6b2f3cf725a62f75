"""The network that fills windows: rounds of KAA over what is known and the present sample.

It reads the interpolated filling, its forward-kinematic joints, the masks, how far the known poses
are, and the sample; it predicts the clean *difference* from the filling (x0 prediction).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import features
from ..features import CHANNELS, Inputs, J
from . import diffusion
from .attention import zero
from .decoder import Decoder
from .kaa import make_round


@dataclass(frozen=True)
class Architecture:
    """Sizes of the network.

    Attributes:
        pose_width: channels of the pose stream.
        joint_width: channels of a joint token; 0: no joint stream (a pose-level transformer).
        heads, joint_heads: attention heads of the two streams.
        hidden: width of the pose stream's feed-forward.
        rounds: how many KAA rounds.
        every: a joint pass in every n-th round.
        patch: frames that share a token; 2 halves the cost of a 30-fps motion, whose neighbouring
            frames say nearly the same.
        attention: what a round attends to: ``kaa``, or one of the paper's comparisons
            (:data:`kaa.ROUNDS`), in which both streams have one width.
        decoder: layers of the cross-attention decoder that denoises a sample; 0: no decoder, the
            rounds read the sample themselves.
        decoder_width: its channels.
        dropout: share of every sublayer's output of a ``kaa`` round that is dropped in training.
    """

    pose_width: int = 256
    joint_width: int = 0
    heads: int = 4
    joint_heads: int = 4
    hidden: int = 1024
    rounds: int = 6
    every: int = 1
    patch: int = 2
    attention: str = "kaa"
    decoder: int = 0
    decoder_width: int = 192
    dropout: float = 0.0


def sinusoid(x: Tensor, width: int, longest: float = 200.0) -> Tensor:
    """Sines and cosines of a number at ``width / 2`` wave lengths. ``(...) -> (..., width)``."""
    speed = torch.exp(torch.linspace(0, math.log(longest), width // 2, device=x.device))
    angle = x[..., None] / speed
    return torch.cat((angle.sin(), angle.cos()), -1)


def patched(x: Tensor, p: int) -> Tensor:
    """``p`` neighbouring frames side by side, zeros after the end. ``(B, T, C) -> (B, ceil(T / p), p * C)``."""
    if short := -x.shape[1] % p:
        x = torch.cat((x, torch.zeros_like(x[:, :1]).expand(-1, short, -1)), 1)
    return x.unflatten(1, (-1, p)).flatten(2)


def unpatched(x: Tensor, p: int) -> Tensor:
    """The inverse: ``(B, N, p * C) -> (B, N * p, C)``."""
    return x.unflatten(-1, (p, -1)).flatten(1, 2)


_DISTANCE = 32
_GATE = 5.0  # the gates' own rate of learning: a bias has to come from 0 to about 1
_BODY = CHANNELS + 3 * J  # the filling's channels and joints
_READ = _BODY + 3 * J + J + 1 + 3 * _DISTANCE + CHANNELS + J + 1 + CHANNELS
_JOINT_READ = 6 + 3 + 3 + 1 + 6 + 1 + 6
_LOUDEST = 10.0  # what smoothing took off is read up to this many deviations


class Encoded(NamedTuple):
    """What the encoder found out about what is known.

    Attributes:
        guess: ``(B, T, 135)`` its single best answer.
        context: ``(B, N, C)`` tokens for the decoder to attend to.
        known: ``(B, T, 23)``; valid: ``(B, N)`` bool or None.
    """

    guess: Tensor
    context: Tensor
    known: Tensor
    valid: Tensor | None

    def rows(self, which: Tensor) -> Encoded:
        """Some of the batch."""
        valid = None if self.valid is None else self.valid[which]
        return Encoded(self.guess[which], self.context[which], self.known[which], valid)


def widened(state: Mapping[str, Tensor], network: Denoiser) -> dict[str, Tensor]:
    """A state that reads fewer features a frame, with columns of zeros for what is new.

    Features are only ever added at the end of a frame's, so a network that grew an input answers as
    it did where that input is zero.
    """
    out, own = dict(state), network.state_dict()
    p = network.architecture.patch
    for name in ("read.weight", "read_joint.weight"):
        if name in out and name in own and out[name].shape[1] < own[name].shape[1]:
            old = out[name].unflatten(1, (p, -1))
            grown = old.new_zeros(len(old), p, own[name].shape[1] // p)
            grown[..., : old.shape[-1]] = old
            out[name] = grown.flatten(1)
    return out


class Denoiser(nn.Module):
    """The network: inputs and sample in, clean difference out, in units of standard deviations.

    Buffers ``mean`` and ``deviation`` ``(201,)`` standardise what it reads of the filling, ``scale``
    ``(135,)`` is the standard deviation of the differences it writes; :meth:`calibrate` measures them
    on training windows. Speeds are read too: a frame's step is a hundredth of a joint's range, too
    little to be found in standardised places alone. What comes out is a learnt share of the spline
    through the keys (``gates``) plus what the rounds have found, times a gain, so that a nearly still
    body gets a nearly still difference.
    """

    mean: Tensor
    deviation: Tensor
    scale: Tensor

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.architecture = a
        self.register_buffer("mean", torch.zeros(_BODY))
        self.register_buffer("deviation", torch.ones(_BODY))
        self.register_buffer("scale", torch.full((CHANNELS,), 0.1))
        self.read = nn.Linear(_READ * a.patch, a.pose_width)
        self.read_step = nn.Sequential(
            nn.Linear(64, a.pose_width), nn.GELU(), nn.Linear(a.pose_width, a.pose_width)
        )
        self.body = nn.Linear(3 * J, a.pose_width)
        if a.joint_width:
            self.read_joint = nn.Linear(_JOINT_READ * a.patch, a.joint_width)
            self.joint_name = nn.Parameter(torch.randn(J + 1, a.joint_width) * 0.02)
            self.joint_norm = nn.LayerNorm(a.joint_width)
            self.joint_rotation = zero(nn.Linear(a.joint_width, 6 * a.patch))
            self.joint_root = zero(nn.Linear(a.joint_width, 3 * a.patch))
        self.rounds = nn.ModuleList(
            make_round(
                a.attention,
                a.pose_width,
                a.joint_width if r % a.every == 0 else 0,
                a.heads,
                a.joint_heads,
                a.hidden,
                a.dropout,
            )
            for r in range(a.rounds)
        )
        if a.decoder:
            self.decoder = Decoder(
                a.decoder, a.decoder_width, a.pose_width, a.heads, CHANNELS, J + 1, a.patch
            )
        self.norm = nn.LayerNorm(a.pose_width)
        self.gain = zero(nn.Linear(a.pose_width, 1))
        self.gates = zero(nn.Linear(a.pose_width, 2 * len(features.REACHES) * (J + 1)))
        self.write = zero(nn.Linear(a.pose_width, CHANNELS * a.patch))

    def forward(self, x: Inputs, sample: Tensor, step: Tensor) -> Tensor:
        """``sample (B, T, 135)``, ``step (B,)`` -> ``(B, T, 135)``.

        With a decoder, rows at step ``STEPS`` get the encoder's single best answer, the others what
        the decoder makes of their sample.
        """
        if not self.architecture.decoder:
            return self.answer(x, *self._rounds(x, sample, step))
        encoded = self.encode(x)
        rows = (step < diffusion.STEPS).nonzero()[:, 0]
        if not len(rows):
            return encoded.guess
        return encoded.guess.index_copy(0, rows, self.decode(encoded.rows(rows), sample[rows], step[rows]))

    def answers(self, x: Inputs, sample: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Both answers of a network with a decoder, for training. ``(B, T, 135)`` twice.

        Args:
            sample: ``(B, T, 135)``; step: ``(B,)`` of the chain, below ``STEPS``.

        Returns:
            the encoder's single best answer, and what the decoder makes of the sample. The decoder's
            errors do not reach the best answer's own way out.
        """
        encoded = self.encode(x)
        return encoded.guess, self.decode(encoded._replace(guess=encoded.guess.detach()), sample, step)

    def encode(self, x: Inputs) -> Encoded:
        """Read what is known, once for all steps of the chain (networks with a decoder only)."""
        nothing = torch.zeros_like(x.base)
        pose, joints = self._rounds(
            x, nothing, torch.full((len(x.base),), diffusion.STEPS, device=x.base.device)
        )
        known = torch.cat((x.rotation_known, x.root_known[..., None]), -1).to(x.base.dtype)
        return Encoded(self.answer(x, pose, joints), self.norm(pose), known, self._valid(x))

    def decode(self, encoded: Encoded, sample: Tensor, step: Tensor) -> Tensor:
        """The clean difference that a sample at ``step`` ``(B,)`` comes from. ``(B, T, 135)``."""
        moved = self.decoder(
            sample - encoded.guess, encoded.known, encoded.context, encoded.valid,
            sinusoid(step.to(sample.dtype), 64),
        )  # fmt: skip
        return encoded.guess + moved

    def _valid(self, x: Inputs) -> Tensor | None:
        """Which tokens have a valid frame ``(B, N)``; None: all have."""
        p = self.architecture.patch
        whole = bool(x.valid.all()) and x.base.shape[1] % p == 0
        return None if whole else patched(x.valid[..., None], p).any(-1)

    def _rounds(self, x: Inputs, sample: Tensor, step: Tensor) -> tuple[Tensor, Tensor | None]:
        """Both streams after the last round: ``(B, N, C)`` and ``(B, N, 23, c)`` or None."""
        pose, joints, valid = self.opened(x, sample, step)
        for block in self.rounds:
            if block.joint_width:
                pose, joints = block(pose, joints, valid)
            else:
                pose, _ = block(pose, None, valid)
        return pose, joints

    def opened(self, x: Inputs, sample: Tensor, step: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Both streams before the first round, and which tokens are valid (:meth:`_valid`)."""
        p = self.architecture.patch
        both = torch.cat(
            (*self._body(x), x.rotation_known.to(x.base.dtype), x.root_known[..., None].to(x.base.dtype),
             sinusoid(x.since, _DISTANCE), sinusoid(x.until, _DISTANCE),
             sinusoid(100 * x.since / (x.since + x.until).clamp(min=1), _DISTANCE), sample, x.trust,
             self._surplus(x)), -1,
        )  # (B, T, read)  # fmt: skip
        pose = self.read(patched(both, p)) + self.body(x.offsets.flatten(1))[:, None]  # (B, T / p, C)
        pose = pose + self.read_step(sinusoid(step.to(x.base.dtype), 64))[:, None]
        joints = self._joints(x, sample) if self.architecture.joint_width else None
        return pose, joints, self._valid(x)

    def answer(self, x: Inputs, pose: Tensor, joints: Tensor | None) -> Tensor:
        """The streams as a difference. ``(B, T, 135)``."""
        p, frames = self.architecture.patch, x.base.shape[1]
        pose = self.norm(pose)
        out = unpatched(self.write(pose) * self.gain(pose).clamp(max=3).exp(), p)  # (B, T, 135)
        if joints is not None:
            tokens: Tensor = self.joint_norm(joints)  # (B, T / p, 23, c)
            turned = (
                self.joint_rotation(tokens[:, :, :J]).unflatten(-1, (p, 6)).transpose(2, 3)
            )  # (B, T / p, p, 22, 6)
            placed = unpatched(self.joint_root(tokens[:, :, J]), p)
            out = out + torch.cat((turned.flatten(1, 2).flatten(2), placed), -1)
        return out[:, :frames] + self._kept_speed(x, pose)

    def _kept_speed(self, x: Inputs, pose: Tensor) -> Tensor:
        """The share of :func:`features.momentum` that each joint takes, by learnt gates. ``(B, T, 135)``."""
        frames, p = x.base.shape[1], self.architecture.patch
        gates = _GATE * self.gates(pose).repeat_interleave(p, 1)[:, :frames]
        gates = gates.unflatten(-1, (2 * len(features.REACHES), J + 1))  # (B, T, 6, 23)
        offsets = features.momentum(x)  # (B, T, 6, 135)
        turned, placed = offsets.split((features.ROTATION, 3), -1)
        turned = (gates[..., :J, None] * turned.unflatten(-1, (J, 6))).sum(2).flatten(2)  # (B, T, 132)
        placed = (gates[..., J:] * placed).sum(2)  # (B, T, 3)
        return torch.cat((turned, placed), -1) / self.scale

    def _body(self, x: Inputs) -> tuple[Tensor, Tensor]:
        """The standardised filling ``(B, T, 201)`` and its joints' speeds ``(B, T, 66)``, hip heights a second."""
        both = (torch.cat((x.base, x.positions.flatten(2)), -1) - self.mean) / self.deviation
        return both, velocities(x).flatten(2)

    def _surplus(self, x: Inputs) -> Tensor:
        """What smoothing took off, in deviations of a difference. ``(B, T, 135)``."""
        return (x.surplus / self.scale).clamp(-_LOUDEST, _LOUDEST)

    def _joints(self, x: Inputs, sample: Tensor) -> Tensor:
        """One token a joint and one for the root. ``(B, T / p, 23, c)``."""
        r = features.ROTATION
        both, speeds = self._body(x)
        surplus = self._surplus(x)
        turned, root, placed = both.split((r, 3, 3 * J), -1)
        tokens = torch.cat(
            (turned.unflatten(-1, (J, 6)), placed.unflatten(-1, (J, 3)), speeds.unflatten(-1, (J, 3)),
             x.rotation_known[..., None].to(x.base.dtype), sample[..., :r].unflatten(-1, (J, 6)),
             x.trust[..., :J, None], surplus[..., :r].unflatten(-1, (J, 6))), -1,
        )  # (B, T, 22, 26)  # fmt: skip
        extra = torch.zeros_like(tokens[:, :, :1])
        extra[:, :, 0, 6:9] = root
        extra[:, :, 0, 12] = x.root_known.to(x.base.dtype)
        extra[:, :, 0, 13:16] = sample[..., r:]
        extra[:, :, 0, 19] = x.trust[..., J]
        extra[:, :, 0, 20:23] = surplus[..., r:]
        tokens = torch.cat((tokens, extra), 2).transpose(1, 2).flatten(0, 1)  # (B * 23, T, 26)
        tokens = patched(tokens, self.architecture.patch)  # (B * 23, T / p, p * 26)
        return self.read_joint(tokens).unflatten(0, (len(x.base), J + 1)).transpose(1, 2) + self.joint_name

    @torch.no_grad()
    def calibrate(self, filling: Tensor, differences: Tensor) -> None:
        """Measure the buffers.

        Args:
            filling: ``(n, 201)`` channels and joints of fillings.
            differences: ``(n, 135)`` truth minus filling at unknown frames.
        """
        self.mean.copy_(filling.mean(0))
        self.deviation.copy_(filling.std(0).clamp(min=0.02))
        self.scale.copy_(differences.square().mean(0).sqrt().clamp(min=0.01))


def velocities(x: Inputs) -> Tensor:
    """Backward differences of the filling's joints, hip heights a second. ``(B, T, 22, 3)``."""
    ground = x.base[..., features.ROTATION :] * torch.tensor(
        [1.0, 0, 1.0], device=x.base.device, dtype=x.base.dtype
    )
    places = x.positions + ground[:, :, None]
    return torch.cat((torch.zeros_like(places[:, :1]), places[:, 1:] - places[:, :-1]), 1) * 30
