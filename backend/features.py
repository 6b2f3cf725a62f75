"""Clips as tensors: the window's own frame, the interpolated filling, and what a model reads.

A window is put into its own frame once: the ground stays 0, the pelvis of the *anchor* frame (the
last known frame before the first unknown one) goes to x = z = 0 and faces +Z, and lengths are
divided by the hip height. :func:`restore` takes it back. All tensors are batched ``(B, T, ...)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from blender_addon.motion.skeleton import JOINTS, PARENTS

from . import smoothing

J = len(JOINTS)
ROTATION = 6 * J
CHANNELS = ROTATION + 3
"""Width of a difference: 6D of every joint, then the root's place."""


@dataclass(frozen=True, eq=False)
class Window:
    """A batch of windows in their own frames.

    Attributes:
        rotations: ``(B, T, 22, 4)`` quaternions; where unknown, whatever the caller had.
        root: ``(B, T, 3)`` hip heights.
        offsets: ``(B, 22, 3)`` hip heights.
        rotation_known: ``(B, T, 22)`` bool.
        root_known: ``(B, T)`` bool.
        valid: ``(B, T)`` bool, False for padding at the end.
        confidence: ``(B, T, 22)`` in 0..1, how far values that are not known may be trusted: above 0
            they are observed, and stay in the filling; None: not at all.
        root_confidence: ``(B, T)``, the same of the root's place.
    """

    rotations: Tensor
    root: Tensor
    offsets: Tensor
    rotation_known: Tensor
    root_known: Tensor
    valid: Tensor
    confidence: Tensor | None = None
    root_confidence: Tensor | None = None

    def to(self, device: torch.device) -> Window:
        """The same window on another device."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {name: v if v is None else v.to(device) for name, v in values.items()}
        return Window(**moved)

    def observed(self) -> tuple[Tensor, Tensor]:
        """What stays in the filling: known or trusted to some degree. ``(B, T, 22), (B, T)`` bool."""
        turned, placed = self.rotation_known, self.root_known
        if self.confidence is not None:
            turned = turned | (self.confidence > 0)
        if self.root_confidence is not None:
            placed = placed | (self.root_confidence > 0)
        return turned, placed

    def trust(self) -> tuple[Tensor, Tensor]:
        """Confidence in what is observed but not known, 0 elsewhere. ``(B, T, 22), (B, T)``."""
        turned = torch.zeros_like(self.rotations[..., 0]) if self.confidence is None else self.confidence
        placed = torch.zeros_like(self.root[..., 0]) if self.root_confidence is None else self.root_confidence
        return turned * ~self.rotation_known, placed * ~self.root_known


@dataclass(frozen=True, eq=False)
class Frame:
    """How a window was put into its own frame: yaw quaternion ``(B, 4)``, place ``(B, 3)``, scale ``(B,)``."""

    turn: Tensor
    place: Tensor
    scale: Tensor


# -- quaternions and matrices in torch ------------------------------------------------------------


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product. ``(..., 4), (..., 4) -> (..., 4)``."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        (aw * bw - ax * bx - ay * by - az * bz, aw * bx + ax * bw + ay * bz - az * by,
         aw * by - ax * bz + ay * bw + az * bx, aw * bz + ax * by - ay * bx + az * bw), -1,
    )  # fmt: skip


def rotate(q: Tensor, v: Tensor) -> Tensor:
    """Rotate vectors by unit quaternions. ``(..., 4), (..., 3) -> (..., 3)``."""
    u = q[..., 1:]
    t = 2 * torch.linalg.cross(u, v)
    return v + q[..., :1] * t + torch.linalg.cross(u, t)


def to_matrix(q: Tensor) -> Tensor:
    """``(..., 4) -> (..., 3, 3)``."""
    w, x, y, z = q.unbind(-1)
    return torch.stack(
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
         2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
         2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)), -1,
    ).unflatten(-1, (3, 3))  # fmt: skip


def to_6d(q: Tensor) -> Tensor:
    """First two matrix columns. ``(..., 4) -> (..., 6)``."""
    m = to_matrix(q)
    return torch.cat((m[..., 0], m[..., 1]), -1)


def matrix_from_6d(d: Tensor) -> Tensor:
    """Gram-Schmidt (Zhou et al. 2019). ``(..., 6) -> (..., 3, 3)``."""
    x = F.normalize(d[..., :3], dim=-1, eps=1e-6)
    y = d[..., 3:]
    y = F.normalize(y - (x * y).sum(-1, keepdim=True) * x, dim=-1, eps=1e-6)
    return torch.stack((x, y, torch.linalg.cross(x, y)), -1)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """By the shorter way. ``(..., 4), (..., 4), (...) -> (..., 4)``."""
    dot = (a * b).sum(-1, keepdim=True)
    b = torch.where(dot < 0, -b, b)
    angle = torch.acos(dot.abs().clamp(max=1 - 1e-7))
    t = t[..., None]
    s = torch.sin(angle)
    small = s < 1e-3
    s = torch.where(small, torch.ones_like(s), s)
    wa = torch.where(small, 1 - t, torch.sin((1 - t) * angle) / s)
    wb = torch.where(small, t, torch.sin(t * angle) / s)
    return F.normalize(wa * a + wb * b, dim=-1)


_LEVELS: list[tuple[list[int], list[int]]] = []
_depth = [0] * J
for _j in range(1, J):
    _depth[_j] = _depth[PARENTS[_j]] + 1
for _level in range(1, max(_depth) + 1):
    _own = [j for j in range(J) if _depth[j] == _level]
    _LEVELS.append((_own, [PARENTS[j] for j in _own]))


def forward_kinematics(matrices: Tensor, root: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Global matrices ``(B, T, 22, 3, 3)`` and positions ``(B, T, 22, 3)``.

    Args:
        matrices: ``(B, T, 22, 3, 3)`` local; root: ``(B, T, 3)``; offsets: ``(B, 22, 3)``.
    """
    turned: list[Tensor] = [matrices[..., 0, :, :]] * J
    placed: list[Tensor] = [root] * J
    for own, above in _LEVELS:  # one batched product a level of the tree
        up = torch.stack([turned[p] for p in above], -3)  # (B, T, n, 3, 3)
        local = matrices[..., own, :, :]
        bone = offsets[:, None, own, :, None].expand(*up.shape[:3], 3, 1)
        both = up @ torch.cat((local, bone), -1)  # (B, T, n, 3, 4)
        for k, (j, p) in enumerate(zip(own, above, strict=True)):
            turned[j] = both[..., k, :, :3]
            placed[j] = placed[p] + both[..., k, :, 3]
    return torch.stack(turned, -3), torch.stack(placed, -2)


# -- windows -----------------------------------------------------------------------------------------


def neighbours(known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As ``motion.interpolation.neighbours`` along dimension 1. ``(B, T, ...)`` -> 3 x same."""
    n = known.shape[1]
    frames = torch.arange(n, device=known.device).view(1, n, *(1,) * (known.ndim - 2)).expand(known.shape)
    before = torch.where(known, frames, -1).cummax(1).values
    after = torch.where(known, frames, n).flip(1).cummin(1).values.flip(1)
    first, last = before < 0, after >= n
    before, after = torch.where(first, after, before), torch.where(last, before, after)
    nothing = first & last
    before, after = before.masked_fill(nothing, 0), after.masked_fill(nothing, 0)
    gap = after - before
    return before, after, (frames - before) / gap.clamp(min=1)


def interpolate(window: Window) -> Window:
    """Everything that is not observed interpolated from what is, as ``motion.interpolation.fill``."""
    rotation_known, root_known = window.observed()
    before, after, t = neighbours(rotation_known)
    q = window.rotations
    a = q.gather(1, before[..., None].expand_as(q))
    b = q.gather(1, after[..., None].expand_as(q))
    turned = torch.where((t == 0)[..., None], a, slerp(a, b, t))
    nowhere = ~rotation_known.any(1, keepdim=True)  # (B, 1, 22)
    rest = torch.zeros(4, dtype=q.dtype, device=q.device)
    rest[0] = 1
    turned = torch.where(nowhere[..., None], rest, turned)
    before, after, t = neighbours(root_known)
    r = window.root
    a = r.gather(1, before[..., None].expand_as(r))
    b = r.gather(1, after[..., None].expand_as(r))
    root = a + (b - a) * t[..., None]
    nowhere = ~root_known.any(1, keepdim=True)
    stand = torch.tensor([0.0, 1.0, 0.0], dtype=r.dtype, device=r.device)
    root = torch.where(nowhere[..., None], stand, root)
    return replace(window, rotations=turned, root=root)


def anchor(window: Window) -> Tensor:
    """The last known frame before the first unknown one, else the first known one. ``(B,)``.

    Where nothing is known, what is observed counts.
    """
    known = window.rotation_known[..., 0] & window.root_known  # (B, T)
    some = window.rotation_known.any(-1)
    some = torch.where(some.any(1, keepdim=True), some, window.observed()[0].any(-1))
    any_known = torch.where(known.any(1, keepdim=True), known, some)
    n = known.shape[1]
    frames = torch.arange(n, device=known.device)
    first = torch.where(any_known, frames, n).amin(1).clamp(max=n - 1)  # (B,)
    unknown_after = ~any_known & (frames[None] >= first[:, None])
    stop = torch.where(unknown_after, frames, n).amin(1)
    return torch.maximum(stop - 1, first)


def localise(window: Window, jitter: Tensor | None = None) -> tuple[Window, Frame]:
    """Put *interpolated* windows in metres into their own frame.

    Args:
        window: root and offsets in metres.
        jitter: ``(B,)`` radians added to the heading (training).
    """
    rows = torch.arange(len(window.root), device=window.root.device)
    at = anchor(window)
    scale = window.offsets[:, 0, 1]
    pelvis, place = window.rotations[rows, at, 0], window.root[rows, at] * torch.tensor(
        [1.0, 0, 1.0], dtype=window.root.dtype, device=window.root.device)  # fmt: skip
    half = torch.atan2(pelvis[:, 2], pelvis[:, 0])
    if jitter is not None:
        half = half + 0.5 * jitter
    zero = torch.zeros_like(half)
    turn = torch.stack((torch.cos(half), zero, -torch.sin(half), zero), -1)  # back to +Z
    frame = Frame(turn, place, scale)
    return apply(window, frame), frame


def apply(window: Window, frame: Frame) -> Window:
    """The same change of frame for any window of the batch (truth and filling alike)."""
    turn = frame.turn[:, None]
    root = rotate(turn.expand(*window.root.shape[:2], 4), window.root - frame.place[:, None])
    pelvis = multiply(turn.expand(*window.root.shape[:2], 4), window.rotations[:, :, 0])
    turned = torch.cat((pelvis[:, :, None], window.rotations[:, :, 1:]), 2)
    return replace(window, rotations=turned, root=root / frame.scale[:, None, None],
                   offsets=window.offsets / frame.scale[:, None, None])  # fmt: skip


def restore(matrices: Tensor, root: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
    """Back into the world, in metres: local matrices ``(B, T, 22, 3, 3)`` and root ``(B, T, 3)``."""
    back = frame.turn * torch.tensor([1.0, -1, -1, -1], dtype=frame.turn.dtype, device=frame.turn.device)
    pelvis = to_matrix(back)[:, None] @ matrices[:, :, 0]
    matrices = torch.cat((pelvis[:, :, None], matrices[:, :, 1:]), 2)
    root = rotate(back[:, None].expand(*root.shape[:2], 4), root * frame.scale[:, None, None])
    return matrices, root + frame.place[:, None]


class Inputs(NamedTuple):
    """What a model reads of an interpolated, localised window.

    Attributes:
        base: ``(B, T, 135)`` the filling: 6D rotations and root; observed motion is smoothed in it.
        positions: ``(B, T, 22, 3)`` the filling's joints, x and z relative to its root.
        rotation_known: ``(B, T, 22)``; root_known: ``(B, T)``; valid: ``(B, T)``.
        since, until: ``(B, T)`` frames since the last and until the next observed pose.
        offsets: ``(B, 22, 3)``.
        trust: ``(B, T, 23)`` confidence in what is observed but not known: joints, then the root.
        surplus: ``(B, T, 135)`` what smoothing took off: observed motion is ``base + surplus``.
    """

    base: Tensor
    positions: Tensor
    rotation_known: Tensor
    root_known: Tensor
    valid: Tensor
    since: Tensor
    until: Tensor
    offsets: Tensor
    trust: Tensor
    surplus: Tensor


def inputs(filled: Window) -> Inputs:
    """Describe an interpolated window in its own frame."""
    turned, placed = filled.trust()
    trust = torch.cat((turned, placed[..., None]), -1)
    settled = smoothed(filled, trust)
    m = to_matrix(settled.rotations)
    base = channels(m, settled.root)
    raw = base if settled is filled else channels(to_matrix(filled.rotations), filled.root)
    _, positions = forward_kinematics(m, settled.root, settled.offsets)
    ground = settled.root * torch.tensor([1.0, 0, 1.0], dtype=m.dtype, device=m.device)
    before, after, _ = neighbours(filled.observed()[0].any(-1))
    frames = torch.arange(base.shape[1], device=base.device)
    return Inputs(base, positions - ground[:, :, None], filled.rotation_known, filled.root_known, filled.valid,
                  (frames - before).to(base.dtype), (after - frames).to(base.dtype), filled.offsets,
                  trust.to(base.dtype), raw - base)  # fmt: skip


def channels(matrices: Tensor, root: Tensor) -> Tensor:
    """Local matrices ``(B, T, 22, 3, 3)`` and root ``(B, T, 3)`` -> 135 channels; :func:`poses` undoes it."""
    return torch.cat((torch.cat((matrices[..., 0], matrices[..., 1]), -1).flatten(2), root), -1)


def smoothed(filled: Window, trust: Tensor) -> Window:
    """The window with what is observed but not known smoothed (:mod:`smoothing`); without such, itself.

    Args:
        trust: ``(B, T, 23)``, 0: known, or interpolated.
    """
    rows = (trust > 0).flatten(1).any(1).nonzero()[:, 0]
    if not len(rows):
        return filled
    turned, root = _settled(
        filled.rotations[rows], filled.root[rows], filled.offsets[rows], trust[rows],
        torch.cat((filled.rotation_known[rows], filled.root_known[rows, :, None]), -1), filled.valid[rows],
    )  # fmt: skip
    return replace(
        filled,
        rotations=filled.rotations.index_copy(0, rows, turned),
        root=filled.root.index_copy(0, rows, root),
    )


def _settled(q: Tensor, root: Tensor, offsets: Tensor, trust: Tensor, known: Tensor,
             valid: Tensor) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Rotations ``(B, T, 22, 4)`` and root ``(B, T, 3)``, smoothed where ``trust`` ``(B, T, 23)`` is above 0.

    World rotations and joint places are smoothed each for itself; then, from the root outwards, each
    observed joint takes the rotation that fits both (:func:`smoothing.fuse`), the others keep theirs.
    """
    weights = torch.where(known, smoothing.CERTAIN, smoothing.odds(trust)) * valid[..., None]
    local = to_matrix(q)
    world, places = forward_kinematics(local, root, offsets)
    chain, reach = list(weights[..., :J].unbind(-1)), [weights[..., J]] * J
    for own, above in _LEVELS:
        for j, p in zip(own, above, strict=True):
            reach[j] = torch.minimum(reach[p], chain[p])  # a place is as good as the worst turn above it
            chain[j] = torch.minimum(chain[j], chain[p])
    turns, sure_turn = smoothing.smooth(_of_one_sign(quaternion(world)), torch.stack(chain, -1))
    start = to_matrix(F.normalize(turns, dim=-1))
    target, sure = smoothing.smooth(places, torch.stack(reach, -1))
    root = torch.where((trust[..., J] > 0)[..., None], target[:, :, 0], root)
    solved: list[Tensor] = [world[:, :, 0]] * J
    placed: list[Tensor] = [root] * J
    for own, above in [([0], [0]), *_LEVELS]:
        for j, p in zip(own, above, strict=True):
            given = local[:, :, j] if j == 0 else solved[p] @ local[:, :, j]
            if j:
                placed[j] = placed[p] + (solved[p] @ offsets[:, None, j, :, None])[..., 0]
            best = start[:, :, j]
            if below := CHILDREN[j]:
                best = smoothing.fuse(
                    0.75 * sure_turn[..., j], start[:, :, j], 3 * sure[..., below],
                    offsets[:, None, below].expand(-1, q.shape[1], -1, -1), target[:, :, below], placed[j],
                )  # fmt: skip
            solved[j] = torch.where((trust[..., j] > 0)[..., None, None], best, given)
    turned = torch.stack(
        [solved[0], *(solved[PARENTS[j]].transpose(-1, -2) @ solved[j] for j in range(1, J))], 2
    )
    return torch.where((trust[..., :J] > 0)[..., None], quaternion(turned), q), root


CHILDREN = [[c for c, p in enumerate(PARENTS) if p == j] for j in range(J)]


def quaternion(m: Tensor) -> Tensor:
    """The inverse of :func:`to_matrix`, by the largest of the four components (Shepperd 1978).

    ``(..., 3, 3) -> (..., 4)``.
    """
    d = m.diagonal(dim1=-2, dim2=-1)  # (..., 3)
    x, y, z = d.unbind(-1)
    squares = torch.stack((1 + x + y + z, 1 + x - y - z, 1 - x + y - z, 1 - x - y + z), -1)  # 4 q^2
    a = torch.stack(
        (m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]), -1
    )
    b = torch.stack(
        (m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]), -1
    )
    (wx, wy, wz), (xy, xz, yz) = a.unbind(-1), b.unbind(-1)  # 4 times the products of two components
    products = torch.stack(
        (squares[..., 0], wx, wy, wz, wx, squares[..., 1], xy, xz,
         wy, xy, squares[..., 2], yz, wz, xz, yz, squares[..., 3]), -1,
    ).unflatten(-1, (4, 4))  # fmt: skip
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    return F.normalize(products.gather(-2, best)[..., 0, :], dim=-1)


def _of_one_sign(q: Tensor) -> Tensor:
    """Quaternions ``(B, T, K, 4)``, each on its predecessor's side."""
    same = (q[:, 1:] * q[:, :-1]).sum(-1, keepdim=True) >= 0
    sign = torch.where(same, 1.0, -1.0).to(q.dtype).cumprod(1)
    return torch.cat((q[:, :1], q[:, 1:] * sign), 1)


REACHES = (8, 20, 60)
"""Frames over which :func:`momentum` lets a tangent act."""


def momentum(x: Inputs) -> Tensor:
    """Offsets from the filling that keep the speed at the keys: what a spline has over straight lines.

    At every key each joint has a tangent: its step to a known neighbour, else the mean of the slopes
    on either side, weighted by the other side's length (Catmull-Rom, Barry and Goldman 1988). In a gap a
    tangent acts as the cubic Hermite polynomial ``a (1 - a / r)^2`` of the frames ``a`` from its key,
    over a reach of ``r`` frames or the gap, whichever is shorter.

    Returns:
        ``(B, T, 6, 135)``: for each of ``REACHES`` the offset from the key before, then from the key
        after; zero where known, and where there is no key on that side.
    """
    known = torch.cat((x.rotation_known, x.root_known[..., None]), -1)  # (B, T, 23)
    before, after, _ = neighbours(known)
    frames = torch.arange(known.shape[1], device=known.device)[None, :, None]
    inside = ~known & ~(x.trust > 0) & (before < frames) & (after > frames)
    gap = (after - before).clamp(min=1)  # (B, T, 23)
    widths = torch.tensor([6] * J + [3], device=known.device)
    wide = lambda m: m.repeat_interleave(widths, -1, output_size=CHANNELS)  # noqa: E731 - (B, T, 23) -> (B, T, 135)
    inside_c, before_c, after_c, gap_c = wide(inside), wide(before), wide(after), wide(gap)
    slope = (x.base.gather(1, after_c) - x.base.gather(1, before_c)) / gap_c * inside_c
    step = torch.zeros_like(x.base)
    step[:, 1:] = x.base[:, 1:] - x.base[:, :-1]
    tangent = _tangents(known, inside, gap, slope, step, wide)
    since, until = (frames - before) * inside, (after - frames) * inside
    out = []
    for reach in REACHES:
        r = gap.clamp(max=reach)
        rise = wide(since * (1 - since / r).clamp(min=0).square())
        fall = wide(until * (1 - until / r).clamp(min=0).square())
        out.append((tangent.gather(1, before_c) - slope) * rise)
        out.append(-(tangent.gather(1, after_c) - slope) * fall)
    return torch.stack(out, 2)


def _tangents(known: Tensor, inside: Tensor, gap: Tensor, slope: Tensor, step: Tensor,
              wide: Callable[[Tensor], Tensor]) -> Tensor:  # fmt: skip
    """Speed at known frames, channels a frame. ``(B, T, 135)``."""

    def shifted(v: Tensor, by: int) -> Tensor:  # the neighbour's value, zero beyond the ends
        out = torch.zeros_like(v)
        if by > 0:
            out[:, by:] = v[:, :-by]
        else:
            out[:, :by] = v[:, -by:]
        return out

    left_gap, right_gap = shifted(inside, 1), shifted(inside, -1)
    left_length = shifted(gap * inside, 1) * left_gap
    right_length = shifted(gap * inside, -1) * right_gap
    both = (left_length + right_length).clamp(min=1)
    left_weight = torch.where(right_gap, right_length / both, left_gap.to(slope.dtype))
    right_weight = torch.where(left_gap, left_length / both, right_gap.to(slope.dtype))
    spline = wide(left_weight) * shifted(slope, 1) + wide(right_weight) * shifted(slope, -1)
    from_left, from_right = known & shifted(known, 1), known & shifted(known, -1)
    return torch.where(wide(from_left), step, torch.where(wide(from_right), shifted(step, -1), spline))


def known_channels(x: Inputs | Window) -> Tensor:
    """Which of the 135 channels are known. ``(B, T, 135)`` bool."""
    return spread(torch.cat((x.rotation_known, x.root_known[..., None]), -1))


def spread(tracks: Tensor) -> Tensor:
    """A value a joint and one for the root, on all their channels. ``(..., 23) -> (..., 135)``."""
    return torch.cat(
        (tracks[..., :J].repeat_interleave(6, -1), tracks[..., J:].expand(*tracks.shape[:-1], 3)), -1
    )


def poses(channels: Tensor) -> tuple[Tensor, Tensor]:
    """135 channels -> local matrices ``(B, T, 22, 3, 3)`` and root ``(B, T, 3)``."""
    return matrix_from_6d(channels[..., :ROTATION].unflatten(-1, (J, 6))), channels[..., ROTATION:]


def quaternions(matrices: Tensor) -> np.ndarray:
    """Rotation matrices -> float64 quaternions, in numpy."""
    from blender_addon.motion import rotations as r

    return r.from_matrix(matrices.detach().cpu().double().numpy())
