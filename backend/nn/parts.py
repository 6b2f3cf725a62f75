"""Five parts of a body, and the P-VAE that turns each of them into tokens (RoPAR, sec. 2.2 and 2.3).

A part is read with the root and the spine, so that every token says where the body is. Weights are shared
by all parts; what lies on the right is read as its mirror image, so that an arm is an arm and a leg a leg.
Four frames make a token. A token is *credible* where the mean confidence of the part's own joints passes
``TAU`` and none of them is missing; what is not credible is not read, by no other token either.

The paper gives neither sizes nor thresholds. Where a part's own joints are credible and the root or the
spine are not (a camera that sees one arm), those rows are left out of what is read and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blender_addon.motion.skeleton import INDEX

from .. import features
from ..features import J
from . import quantiser
from .quantiser import READ, STRIDE, WRITE, token_frames

ROWS = J + 1
"""Rows that motion is described by: the joints, then the root."""
TAU = 0.5
"""Mean confidence above which a part is credible."""
_TRUNK = tuple(INDEX[n] for n in ("pelvis", "spine1", "spine2", "spine3"))
_ARM, _LEG = ("collar", "shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "foot")
PARTS: dict[str, tuple[int, ...]] = {
    "torso": (*_TRUNK, INDEX["neck"], INDEX["head"]),
    **{f"{s}_arm": tuple(INDEX[f"{s}_{n}"] for n in _ARM) for s in ("left", "right")},
    **{f"{s}_leg": tuple(INDEX[f"{s}_{n}"] for n in _LEG) for s in ("left", "right")},
}
"""Each joint is in one part; the root's path is the torso's."""
_SIGNS = torch.tensor(
    [[1.0, -1, -1, -1, 1, 1, -1, 1, 1, -1, 1, 1], [-1.0, 1, 1, -1, 1, -1, 1, 1, 1, 1, 1, 1]]
)
"""What a mirror image (x -> -x) changes in a joint's row and in the root's."""


@dataclass(frozen=True)
class Architecture:
    """Sizes of the P-VAE.

    Attributes:
        width: channels between the layers; hidden: inside a block.
        latent: channels of a part's token.
        depth: blocks of the encoder and of the decoder.
        parts: False: the whole body is one part, five tokens wide (for comparison).
        shared: False: each part has weights of its own (for comparison).
    """

    width: int = 192
    hidden: int = 256
    latent: int = 24
    depth: int = 3
    parts: bool = True
    shared: bool = True


class Layout:
    """Which rows a part reads.

    Attributes:
        own: the joints of each part.
        rows: ``(P, R)`` rows of each part, ``there (P, R)`` False for padding.
        kinds: ``(P,)`` torso, arm or leg; signs: ``(P, R, READ)`` of the mirror image or 1.
        owned: ``(P, R)``, rows that are the part's own.
    """

    def __init__(self, parts: bool) -> None:
        if not parts:
            self.own = [tuple(range(J))]
            self.rows = torch.arange(ROWS)[None]
            self.there = self.owned = torch.ones(1, ROWS, dtype=torch.bool)
            self.kinds, self.signs = torch.zeros(1, dtype=torch.long), torch.ones(1, ROWS, READ)
            return
        self.own = list(PARTS.values())
        lists = [(J, *_TRUNK, *(j for j in own if j not in _TRUNK)) for own in self.own]
        most = max(map(len, lists))
        self.there = torch.tensor([[k < len(rows) for k in range(most)] for rows in lists])
        self.rows = torch.tensor([[*rows, *[0] * (most - len(rows))] for rows in lists])
        names = list(PARTS)
        owners: Sequence[set[int]] = [{*own, J} if n == "torso" else {*own} for n, own in PARTS.items()]
        self.owned = self.there & torch.tensor([[r in own for r in rows] for own, rows in
                                                zip(owners, self.rows.tolist(), strict=True)])  # fmt: skip
        self.kinds = torch.tensor([("torso", "arm", "leg").index(n.rsplit("_")[-1]) for n in names])
        right = torch.tensor([n.startswith("right") for n in names])
        signs = _SIGNS[(self.rows == J).long()]  # (P, R, READ)
        self.signs = torch.where(right[:, None, None], signs, torch.ones_like(signs))

    def __len__(self) -> int:
        return len(self.own)


# -- what is read ------------------------------------------------------------------------------------------


def describe(channels: Tensor, offsets: Tensor) -> Tensor:
    """Motion as rows. ``(B, T, 135), (B, 22, 3) -> (B, T, 23, 12)``.

    As :func:`quantiser.describe`, but a joint's place and speed are those in the frame that its limb hangs
    from: they follow from the part's own rotations alone, whatever became of the others.
    """
    rows = quantiser.describe(channels, offsets)
    matrices, root = features.poses(channels)
    still = torch.eye(3, dtype=channels.dtype, device=channels.device).expand_as(matrices).clone()
    limbs = [j for j in range(J) if j not in _TRUNK]
    still[:, :, limbs] = matrices[:, :, limbs]
    _, places = features.forward_kinematics(still, torch.zeros_like(root), offsets)
    step = (places[:, 1:] - places[:, :-1]) * quantiser.FPS
    speed = torch.cat((step[:, :1], step), 1) if len(step[0]) else torch.zeros_like(places)
    joints = torch.cat((rows[:, :, :J, :6], places, speed), -1)
    return torch.cat((joints, rows[:, :, J:]), 2)


def row_confidence(confidence: Tensor, root_confidence: Tensor, valid: Tensor) -> Tensor:
    """Mean confidence of each row over the frames of a token, 0 where it is missing in one of them.

    Args:
        confidence: ``(B, T, 22)``; root_confidence: ``(B, T)``; valid: ``(B, T)`` bool.

    Returns:
        ``(B, N, 23)``.
    """
    root = torch.minimum(root_confidence, confidence[..., 0])  # its row is seen from the pelvis' heading
    both = torch.cat((confidence, root[..., None]), -1) * valid[..., None]
    each = F.pad(both, (0, 0, 0, -both.shape[1] % STRIDE)).unflatten(1, (-1, STRIDE))  # (B, N, 4, 23)
    here = token_frames(valid)[..., None]
    missing = ((each <= 0) & here).any(2)
    return (each.sum(2) / here.sum(2).clamp(min=1)).masked_fill(missing, 0.0)


def credible(rows: Tensor, layout: Layout, tau: float = TAU) -> Tensor:
    """Which tokens are credible (sec. 2.2). ``(B, N, 23) -> (B, N, P)`` bool."""
    found = []
    for own in layout.own:
        mine = rows[..., list(own)]
        found.append((mine.mean(-1) > tau) & (mine > 0).all(-1))
    return torch.stack(found, -1)


def held(channels: Tensor, valid: Tensor) -> Tensor:
    """Padding at the end holds the last frame: speeds there are the motion's own. ``(B, T, 135)``."""
    at = torch.arange(valid.shape[1], device=valid.device).minimum(valid.sum(1, keepdim=True) - 1)
    return channels.gather(1, at.clamp(min=0)[..., None].expand(channels.shape))


def _inside(x: Tensor, present: Tensor, speeds: Tensor) -> Tensor:
    """Speeds into a token's first frame are its second's where the token before is not read.

    Args:
        x: ``(B, N, P, 4, R, 12)``; present: ``(B, N, P, R)``; speeds: ``(P, R, 12)`` bool, which they are.
    """
    before = F.pad(present[:, :-1], (0, 0, 0, 0, 1, 0))
    replaced = speeds & ~before[..., None]  # (B, N, P, R, 12)
    first = torch.where(replaced, x[..., 1, :, :], x[..., 0, :, :])
    return torch.cat((first[..., None, :, :], x[..., 1:, :, :]), -3)


# -- layers --------------------------------------------------------------------------------------------------


class Dense(nn.Module):
    """A linear layer of all parts, or one a part. ``(B, N, P, in) -> (B, N, P, out)``."""

    def __init__(self, sets: int, inside: int, outside: int) -> None:
        super().__init__()
        layers = [nn.Linear(inside, outside) for _ in range(sets)]
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        if len(self.weight) == 1:
            return x @ self.weight[0] + self.bias[0]
        return torch.einsum("bnpi,pio->bnpo", x, self.weight) + self.bias


class Block(nn.Module):
    """A token and its two neighbours in time, through a hidden layer; what is absent counts as nothing."""

    def __init__(self, sets: int, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first, self.second = Dense(sets, 3 * width, hidden), Dense(sets, hidden, width)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """``x (B, N, P, C)``, ``present (B, N, P)`` bool."""
        y = self.norm(x) * present[..., None]
        before, after = F.pad(y[:, :-1], (0, 0, 0, 0, 1, 0)), F.pad(y[:, 1:], (0, 0, 0, 0, 0, 1))
        return x + self.second(F.gelu(self.first(torch.cat((before, y, after), -1))))


class PartVAE(nn.Module):
    """Encoder and decoder of part tokens.

    Latents are handed out and taken back with mean 0 and deviation 1 once :meth:`scale_latents` was called.
    """

    _rows: Tensor
    _there: Tensor
    _kinds: Tensor
    _signs: Tensor
    _owned: Tensor
    _speeds: Tensor
    mean: Tensor
    deviation: Tensor
    latent_mean: Tensor
    latent_deviation: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.layout = Layout(a.parts)
        p, r = self.layout.rows.shape
        self.latent = a.latent if a.parts else a.latent * len(PARTS)
        sets = 1 if a.shared or not a.parts else p
        speeds = torch.zeros(ROWS, READ, dtype=torch.bool)
        speeds[:J, 9:], speeds[J, [0, 2, 5, 6, 7]] = True, True
        fixed = {n: getattr(self.layout, n) for n in ("rows", "there", "kinds", "signs", "owned")}
        for name, value in {**fixed, "speeds": speeds[self.layout.rows]}.items():
            self.register_buffer(f"_{name}", value, persistent=False)
        self.register_buffer("mean", torch.zeros(p, r, READ))
        self.register_buffer("deviation", torch.ones(p, r, READ))
        self.register_buffer("latent_mean", torch.zeros(p, self.latent))
        self.register_buffer("latent_deviation", torch.ones(p, self.latent))
        self.kind_in, self.kind_out = (nn.Parameter(0.02 * torch.randn(3, a.width)) for _ in range(2))
        blocks = lambda: nn.ModuleList(Block(sets, a.width, a.hidden) for _ in range(a.depth))  # noqa: E731
        self.read = Dense(sets, STRIDE * r * READ + r, a.width)
        self.encoding, self.decoding = blocks(), blocks()
        self.posterior = Dense(sets, a.width, 2 * self.latent)
        self.unpack = Dense(sets, self.latent, a.width)
        self.write = Dense(sets, a.width, STRIDE * r * WRITE)

    def gather(self, rows: Tensor) -> Tensor:
        """Rows by part, mirrored where they are on the right. ``(B, T, 23, 12) -> (B, T, P, R, 12)``."""
        return rows[:, :, self._rows] * self._signs

    @torch.no_grad()
    def calibrate(self, rows: Tensor) -> None:
        """Means and deviations of true rows ``(n, 23, 12)``, a kind of part each."""
        parts = self.gather(rows[None])[0]  # (n, P, R, 12)
        kinds = self.layout.kinds
        for kind in kinds.unique():
            mine = parts[:, kinds == kind].flatten(0, 1)
            self.mean[kinds == kind] = mine.mean(0)
            self.deviation[kinds == kind] = mine.std(0).clamp(min=0.02)

    @torch.no_grad()
    def scale_latents(self, z: Tensor, tokens: Tensor) -> None:
        """Measure latents ``(B, N, P, D)`` of unscaled :meth:`encode`, where ``tokens (B, N, P)``."""
        for p in range(z.shape[2]):
            mine = z[:, :, p][tokens[:, :, p]]
            self.latent_mean[p] = mine.mean(0)
            self.latent_deviation[p] = mine.std(0).clamp(min=1e-3)

    def present(self, rows: Tensor, tokens: Tensor) -> Tensor:
        """Which rows a token may read. ``(B, N, 23), (B, N, P) -> (B, N, P, R)`` bool.

        The own rows of a credible token, and of the root and the spine what is credible itself.
        """
        seen = rows[..., self._rows] > TAU
        return (seen | self._owned) & self._there & tokens[..., None]

    def posteriors(self, described: Tensor, present: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log variances ``(B, N, P, D)``; anything where a token reads nothing.

        Args:
            described: ``(B, T, 23, 12)`` of :func:`describe`; present: ``(B, N, P, R)`` bool.
            valid: ``(B, T)`` bool.
        """
        x = (self.gather(described) - self.mean) / self.deviation * valid[:, :, None, None, None]
        x = F.pad(x, (0, 0, 0, 0, 0, 0, 0, -x.shape[1] % STRIDE)).unflatten(1, (-1, STRIDE))
        x = (
            _inside(x.transpose(2, 3), present, self._speeds) * present[..., None, :, None]
        )  # (B, N, P, 4, R, 12)
        x = self.read(torch.cat((x.flatten(3), present.to(x.dtype)), -1)) + self.kind_in[self._kinds]
        tokens = present.any(-1)
        for block in self.encoding:
            x = block(x, tokens)
        mean, spread = self.posterior(x).float().chunk(2, -1)
        return mean, spread.clamp(-10, 4)

    def decode_parts(self, z: Tensor, tokens: Tensor, frames: int) -> Tensor:
        """Each part's rows. ``(B, N, P, D), (B, N, P) -> (B, T, P, R, 6)``."""
        x = self.unpack(z) + self.kind_out[self._kinds]
        for block in self.decoding:
            x = block(x, tokens)
        out = self.write(x).float().unflatten(-1, (STRIDE, -1, WRITE))  # (B, N, P, 4, R, 6)
        out = out.transpose(2, 3).flatten(1, 2)[:, :frames]
        return (out * self.deviation[..., :WRITE] + self.mean[..., :WRITE]) * self._signs[..., :WRITE]

    def merged(self, parts: Tensor, weight: Tensor) -> Tensor:
        """One body of all parts: root and spine are the mean over those that count.

        Args:
            parts: ``(B, T, P, R, 6)``; weight: ``(B, T, P, R)``, 0 for what does not count.

        Returns:
            ``(B, T, 23, 6)``, 0 where no part counts.
        """
        share = (weight * self._there).flatten(2)
        index = self._rows.flatten()
        total = parts.new_zeros(*parts.shape[:2], ROWS, WRITE)
        total = total.index_add(2, index, parts.flatten(2, 3) * share[..., None])
        count = share.new_zeros(*parts.shape[:2], ROWS).index_add(2, index, share)
        return total / count.clamp(min=1e-6)[..., None]

    # -- for use --------------------------------------------------------------------------------------------

    def encode(
        self, channels: Tensor, offsets: Tensor, rows: Tensor, tokens: Tensor, valid: Tensor
    ) -> Tensor:
        """Latents of credible tokens, scaled; anything elsewhere. ``(B, N, P, D)``.

        Args:
            channels: ``(B, T, 135)`` in the window's frame, hip heights; offsets: ``(B, 22, 3)``.
            rows: ``(B, N, 23)`` of :func:`row_confidence`; tokens: ``(B, N, P)`` bool.
            valid: ``(B, T)`` bool.
        """
        described = describe(held(channels, valid), offsets)
        mean, _ = self.posteriors(described, self.present(rows, tokens), valid)
        return (mean - self.latent_mean) / self.latent_deviation

    def decode(self, z: Tensor, valid: Tensor) -> Tensor:
        """Motion of scaled latents, its path from x = z = 0. ``(B, N, P, D), (B, T) -> (B, T, 135)``."""
        here = token_frames(valid).any(-1)[..., None].expand(z.shape[:3])
        parts = self.decode_parts(z * self.latent_deviation + self.latent_mean, here, valid.shape[1])
        return quantiser.motion(self.merged(parts, torch.ones_like(parts[..., 0])))
