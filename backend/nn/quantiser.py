"""Joint-level 2D residual VQ-VAE (MoGenTS, sec. 3.1): a motion as a map of codes, joints x time / 4.

Every joint, and the root, has its own code for every four frames. The joints stay apart all the way:
convolutions run over (time, joint) and only time is strided; the joints lie in depth-first order, so
that what lies beside a joint in the map is mostly beside it in the body. The paper's released code pads
22 joints to 24 and strides both axes; here each row of the map is one true joint.

Read are a joint's 6D rotation, its place about the root seen from the pelvis' heading, and that place's
speed; written are the 6D rotations and the root. The root's height is coded as it is, its way over the
ground as velocity in the window's frame: a path has no bounds, a codebook has. The loss compares the
summed path, and a caller that knows places along it (:mod:`backend.systems.mogents`) holds it to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blender_addon.motion.skeleton import PARENTS

from .. import features
from ..features import J

TOKENS = J + 1
"""Rows of the map: the joints, then the root."""
READ = 12
"""Channels of a row: rotation, place, speed. The root's: velocity, height, heading, velocity seen from it."""
WRITE = 6
STRIDE = 4
"""Frames a code."""
FPS = 30.0


@dataclass(frozen=True)
class Architecture:
    """Sizes of the quantiser.

    Attributes:
        width: channels of the convolutions and of a code.
        depth: residual blocks at each of the rates.
        codes: entries of a level's codebook.
        levels: residual levels.
        level_dropout: share of training windows that use only the first few levels.
        decay: of the codebooks' moving averages.
        whole: one code for the whole pose instead of one a joint (for comparison).
    """

    width: int = 128
    depth: int = 2
    codes: int = 256
    levels: int = 6
    level_dropout: float = 0.2
    decay: float = 0.99
    whole: bool = False


def order() -> list[int]:
    """The root, then the joints depth first: each chain in one piece."""
    out = [J]

    def visit(joint: int) -> None:
        out.append(joint)
        for child in (j for j in range(J) if PARENTS[j] == joint):
            visit(child)

    visit(0)
    return out


# -- what is read and written -------------------------------------------------------------------------


def describe(channels: Tensor, offsets: Tensor) -> Tensor:
    """Motion as a map. ``(B, T, 135), (B, 22, 3) -> (B, T, 23, 12)``."""
    matrices, root = features.poses(channels)
    _, places = features.forward_kinematics(matrices, root, offsets)
    ground = root * torch.tensor([1.0, 0, 1.0], dtype=root.dtype, device=root.device)
    ahead = F.normalize(matrices[:, :, 0, (0, 2), 2], dim=-1, eps=1e-6)  # x and z of where the pelvis faces
    sin, cos = ahead.unbind(-1)  # (B, T)
    seen = _unturned(places - ground[:, :, None], sin[..., None], cos[..., None])  # (B, T, 22, 3)
    joints = torch.cat((channels[..., : features.ROTATION].unflatten(-1, (J, 6)), seen, _speed(seen)), -1)
    velocity = _speed(root)
    local = _unturned(velocity, sin, cos)
    rows = (velocity[..., :1], root[..., 1:2], velocity[..., 2:], ahead, local)
    line = F.pad(torch.cat(rows, -1), (0, READ - 8))
    return torch.cat((joints, line[:, :, None]), 2)


def _speed(x: Tensor) -> Tensor:
    """Backward differences a second; the first frame takes the second's."""
    if x.shape[1] < 2:
        return torch.zeros_like(x)
    d = (x[:, 1:] - x[:, :-1]) * FPS
    return torch.cat((d[:, :1], d), 1)


def _unturned(v: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
    """Vectors seen from a heading. ``(..., 3), (...), (...) -> (..., 3)``."""
    x, y, z = v.unbind(-1)
    return torch.stack((cos * x - sin * z, y, sin * x + cos * z), -1)


def motion(rows: Tensor) -> Tensor:
    """What the decoder wrote as channels; the path starts at x = z = 0. ``(B, T, 23, 6) -> (B, T, 135)``."""
    root = rows[:, :, J, :3]
    step = root / FPS
    step = torch.cat((torch.zeros_like(step[:, :1]), step[:, 1:]), 1)
    path = step.cumsum(1)
    place = torch.stack((path[..., 0], root[..., 1], path[..., 2]), -1)
    return torch.cat((rows[:, :, :J].flatten(2), place), -1)


# -- codebooks ------------------------------------------------------------------------------------------


class ResidualCodebooks(nn.Module):
    """Levels of codebooks, each for what the ones before left over; learnt by moving averages.

    No gradient reaches a codebook (van den Oord et al. 2017, appendix A.1). A code that is used less
    than ``DEAD`` of the mean use takes the place of a vector of the batch, so that every code is used
    sooner or later; that is also how a fresh codebook gets its first entries.
    """

    DEAD = 0.1
    books: Tensor
    uses: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self.register_buffer("books", torch.zeros(a.levels, a.codes, a.width))
        self.register_buffer("uses", torch.zeros(a.levels, a.codes))

    def forward(self, z: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise ``z (B, N, K, C)``; in training also learn.

        Returns:
            the quantised map with straight-through gradients, its codes ``(B, N, K, levels)`` (-1: not
            used), and the commitment loss.
        """
        a = self.architecture
        with torch.autocast(z.device.type, enabled=False):
            z = z.float()
            here = valid[..., None].expand(z.shape[:-1])  # (B, N, K)
            used = torch.full((len(z),), a.levels, device=z.device)
            if self.training and a.level_dropout:
                fewer = torch.randint(1, a.levels + 1, (len(z),)).to(z.device)
                used = torch.where(torch.rand(len(z)).to(z.device) < a.level_dropout, fewer, used)
            left, total = z, torch.zeros_like(z)
            codes, commitment = [], z.new_zeros(())
            for level in range(a.levels):
                on = here & (level < used)[:, None, None]
                if self.training:
                    self._revive(level, left.detach()[on])
                code = nearest(left.detach(), self.books[level])
                chosen = F.embedding(code, self.books[level]) * on[..., None]
                if self.training:
                    self._learn(level, left.detach()[on], code[on])
                commitment = commitment + ((left - chosen).square().mean(-1) * on).sum() / on.sum().clamp(
                    min=1
                )
                codes.append(torch.where(on, code, -1))
                total = total + chosen
                left = left - chosen
            return z + (total - z).detach(), torch.stack(codes, -1), commitment / a.levels

    def lookup(self, codes: Tensor, upto: int | None = None) -> Tensor:
        """Sum of the codes' vectors; -1 counts nothing. ``(B, N, K, L) -> (B, N, K, C)``."""
        out = torch.zeros((*codes.shape[:-1], self.books.shape[-1]), device=codes.device)
        for level in range(codes.shape[-1] if upto is None else upto):
            code = codes[..., level]
            out = out + F.embedding(code.clamp(min=0), self.books[level]) * (code >= 0)[..., None]
        return out

    @torch.no_grad()
    def _learn(self, level: int, vectors: Tensor, code: Tensor) -> None:
        """Moving averages of each code's use and of the mean of what chose it, over all processes."""
        a = self.architecture
        count = torch.zeros(a.codes, device=vectors.device).index_add_(
            0, code, torch.ones_like(vectors[:, 0])
        )
        total = torch.zeros(a.codes, a.width, device=vectors.device).index_add_(0, code, vectors)
        both = _over_processes(torch.cat((count[:, None], total), 1))
        count, total = both[:, 0], both[:, 1:]
        before = self.uses[level]
        after = a.decay * before + (1 - a.decay) * count
        moved = a.decay * before[:, None] * self.books[level] + (1 - a.decay) * total
        self.books[level] = torch.where(
            after[:, None] > 1e-6, moved / after[:, None].clamp(min=1e-6), self.books[level]
        )
        self.uses[level] = after

    @torch.no_grad()
    def _revive(self, level: int, vectors: Tensor) -> None:
        """Codes that nothing chooses move onto vectors of the batch (of the first process')."""
        if not len(vectors):
            return
        mean = self.uses[level].mean().clamp(min=1e-3)
        dead = self.uses[level] < self.DEAD * mean
        if bool((self.uses[level] == 0).all()):
            dead = torch.ones_like(dead)
            mean = torch.ones_like(mean) * len(vectors) / self.architecture.codes
        pick = torch.randint(len(vectors), (self.architecture.codes,)).to(vectors.device)
        noise = torch.randn(self.architecture.codes, vectors.shape[1]).to(vectors.device)
        fresh = vectors[pick] + 0.01 * vectors.std(0, unbiased=False) * noise
        self.books[level] = torch.where(dead[:, None], _of_first_process(fresh), self.books[level])
        self.uses[level] = torch.where(dead, mean, self.uses[level])


def nearest(z: Tensor, book: Tensor) -> Tensor:
    """Number of the nearest entry. ``(..., C), (codes, C) -> (...)``."""
    return (book.square().sum(-1) - 2 * z @ book.T).argmin(-1)


def _over_processes(x: Tensor) -> Tensor:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(x)
    return x


def _of_first_process(x: Tensor) -> Tensor:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast(x, 0)
    return x


# -- the network ------------------------------------------------------------------------------------------


class Block(nn.Module):
    """A residual block over (time, joint); the first convolution is spread out in time."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=(dilation, 1), dilation=(dilation, 1))
        self.second = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``(B, C, T, K)``, mask ``(B, 1, T, 1)`` of frames that are there."""
        return x + self.second(F.silu(self.first(F.silu(x) * mask)))


class Quantiser(nn.Module):
    """Encoder, codebooks, decoder."""

    mean: Tensor
    deviation: Tensor
    order: Tensor
    back: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self.register_buffer("mean", torch.zeros(TOKENS, READ))
        self.register_buffer("deviation", torch.ones(TOKENS, READ))
        rows = 1 if a.whole else TOKENS
        self.read_rows = TOKENS // rows  # of the map, in one of the network's
        ahead = torch.zeros(1, dtype=torch.long) if a.whole else torch.tensor(order())
        self.register_buffer("order", ahead, persistent=False)
        self.register_buffer("back", ahead.argsort(), persistent=False)
        self.read = nn.Linear(READ * self.read_rows, a.width)
        self.write = nn.Linear(a.width, WRITE * self.read_rows)
        self.joint_in = nn.Parameter(0.02 * torch.randn(rows, a.width))
        self.joint_out = nn.Parameter(0.02 * torch.randn(rows, a.width))
        blocks = lambda: nn.ModuleList(Block(a.width, 3**k) for k in range(a.depth))  # noqa: E731
        self.down = nn.ModuleList(
            nn.Conv2d(a.width, a.width, (4, 3), stride=(2, 1), padding=1) for _ in range(2)
        )
        self.up = nn.ModuleList(nn.Conv2d(a.width, a.width, 3, padding=1) for _ in range(2))
        self.encoding = nn.ModuleList(blocks() for _ in range(2))
        self.decoding = nn.ModuleList(blocks() for _ in range(3))
        self.codebooks = ResidualCodebooks(a)
        # as the map lies: a seventh faster on a CPU
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, channels: Tensor, offsets: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruct ``(B, T, 135)``; also the codes and the commitment loss."""
        q, codes, commitment = self.codebooks(
            self._encoded(channels, offsets, valid), token_frames(valid).any(-1)
        )
        return self._decoded(q, valid), codes, commitment

    def encode(self, channels: Tensor, offsets: Tensor, valid: Tensor) -> Tensor:
        """Codes of a motion, -1 where it has ended.

        Args:
            channels: ``(B, T, 135)`` in the window's frame, hip heights; offsets: ``(B, 22, 3)``.
            valid: ``(B, T)`` bool, False for padding at the end.

        Returns:
            ``(B, ceil(T / 4), 23, levels)``.
        """
        z = self._encoded(channels, offsets, valid)
        here = token_frames(valid).any(-1)
        codes, left = [], z.float()
        for book in self.codebooks.books:
            code = nearest(left, book)
            left = left - F.embedding(code, book)
            codes.append(torch.where(here[..., None], code, -1))
        return torch.stack(codes, -1)

    def decode(self, codes: Tensor, valid: Tensor) -> Tensor:
        """Motion of codes, the path from x = z = 0. ``(B, N, 23, <= levels), (B, T) -> (B, T, 135)``."""
        return self._decoded(self.codebooks.lookup(codes), valid)

    @torch.no_grad()
    def calibrate(self, rows: Tensor) -> None:
        """Measure means and deviations of ``(n, 23, 12)`` true rows."""
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0).clamp(min=0.02))

    def _encoded(self, channels: Tensor, offsets: Tensor, valid: Tensor) -> Tensor:
        """``(B, N, 23, C)``."""
        # padding holds the last frame: speeds at the end of a motion are its own
        held = torch.arange(valid.shape[1], device=valid.device).minimum(valid.sum(1, keepdim=True) - 1)
        held = held.clamp(min=0)[..., None].expand(channels.shape)
        rows = (describe(channels.gather(1, held), offsets) - self.mean) / self.deviation
        x = (
            self.read(rows.unflatten(2, (-1, self.read_rows)).flatten(3)) + self.joint_in
        )  # (B, T, 23 or 1, C)
        x = F.pad(x, (0, 0, 0, 0, 0, -x.shape[1] % STRIDE))
        mask = token_frames(valid).flatten(1)  # (B, 4 N)
        x = x[:, :, self.order].permute(0, 3, 1, 2)  # (B, C, T, 23)
        for down, blocks in zip(self.down, self.encoding, strict=True):
            x = down(x * mask[:, None, :, None])
            mask = mask.unflatten(1, (-1, 2)).any(-1)
            assert isinstance(blocks, nn.ModuleList)
            for block in blocks:
                x = block(x, mask[:, None, :, None])
        return x.permute(0, 2, 3, 1)[:, :, self.back]

    def _decoded(self, q: Tensor, valid: Tensor) -> Tensor:
        masks = [token_frames(valid).flatten(1)]  # frames, pairs, fours
        for _ in self.up:
            masks.append(masks[-1].unflatten(1, (-1, 2)).any(-1))
        x = (q + self.joint_out)[:, :, self.order].permute(0, 3, 1, 2)
        first, *later = self.decoding
        for block in first:  # type: ignore[union-attr]
            x = block(x, masks[2][:, None, :, None])
        for k, (up, blocks) in enumerate(zip(self.up, later, strict=True)):
            mask = masks[1 - k][:, None, :, None]
            x = up(x.repeat_interleave(2, 2) * mask)
            for block in blocks:  # type: ignore[union-attr]
                x = block(x, mask)
        rows = self.write(F.silu(x.permute(0, 2, 3, 1)[:, : valid.shape[1], self.back]))
        rows = rows.unflatten(-1, (self.read_rows, WRITE)).flatten(2, 3)  # (B, T, 23, 6)
        return motion(rows.float() * self.deviation[:, :WRITE] + self.mean[:, :WRITE])


def token_frames(valid: Tensor) -> Tensor:
    """A mask of frames, by code. ``(B, T) -> (B, ceil(T / 4), 4)``."""
    return F.pad(valid, (0, -valid.shape[1] % STRIDE)).unflatten(1, (-1, STRIDE))
