"""Feet that stood on the source stand on the target.

Within a stance the sole point that touches (the ball; the heel while the ball is up) may not move;
the whole stance lies where the retargeted foot is on average, so limbs turn as little as can be.
Corrections come and go smoothly beside the stances, hip and knee are turned by two-bone inverse
kinematics, the foot keeps its orientation, and where a straight leg would not reach, the hips sink.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from . import root_motion, rotations
from .clip import Clip
from .contacts import BALLS, FLOOR, SIDES, Contacts, Mask, runs, skating, soles
from .rotations import Array
from .skeleton import INDEX

FADE = 0.13
"""Seconds in which a correction comes and goes."""
FARTHEST = 0.12
"""Of the hip height: no standing foot is raised or lowered farther."""
SLACK = 0.0045
"""Of the hip height, half a centimetre: what a foot may be too high or too deep. A straight leg has to
bend by 10 degrees to be half a centimetre shorter, and nobody sees that half."""
PLAY = (0.01, 0.02, 0.04, 0.07, 0.12)
"""Of the hip height: how far a standing foot is kept from where it would be, see :func:`lock_enough`."""
ENOUGH = 0.6
"""Of the source's skating: less is not worth turning limbs for."""
SINK = 0.06
"""Of the hip height: the hips sink no farther."""
UP = np.array([0.0, 1.0, 0.0])
REACH = 0.9995
"""Of the leg: as straight as a leg may become by a correction."""
STRAIGHT = np.radians(4.0)
"""A leg bent less than this says nothing about the direction in which its knee bends."""
FARTHER_BACK = np.radians(2.0)
"""A knee that the capture bent backwards is bent no farther than this beyond it."""
BENT = (np.radians(12.0), np.radians(30.0))
"""From the first to the second, bending a knee becomes a cheap way to reach exactly."""
DEEPEST = SLACK + 0.001
"""Of the hip height: no sole that could be raised is left deeper under the ground."""
SPARE = 0.003
"""Of the hip height: how much too near or too far the ankle of a leg that is all but straight may stay."""


def lock(clip: Clip, contacts: Contacts, ground: float = 0.0, play: float = PLAY[0]) -> Clip:
    """Hold the standing feet of a canonical clip, and keep all feet above the ground.

    Args:
        clip: canonical, with the target's proportions.
        contacts: when the feet stood, as found on the source; one row a frame.
        ground: height of the floor under the target.
        play: of the hip height: how far a foot may be kept from where it would be. A foot that
            creeps farther while it stands goes along, late.
    """
    return clip if len(clip) < 3 else _locked(clip, _settled(clip, contacts, ground), contacts, ground, play)


def lock_enough(clip: Clip, contacts: Contacts, skated: float, ground: float = 0.0) -> Clip:
    """:func:`lock` with as little play as brings skating down to ``ENOUGH`` of the source's.

    Bodies like the source's need little; short legs under broad hips need more, and pay for it
    with the directions of their limbs.

    Args:
        skated: the source's own skating, see :func:`.contacts.skating`.
    """
    if len(clip) < 3:
        return clip
    out, settled = clip, _settled(clip, contacts, ground)
    for play in PLAY:
        out = _locked(clip, settled, contacts, ground, play)
        balls = out.positions()[:, list(BALLS)]
        now = skating(balls, contacts.toe, clip.fps, clip.hip_height)
        if not now > ENOUGH * skated:  # nothing stands: not a number
            break
    return out


@dataclass(frozen=True, eq=False)
class _Settled:
    """A clip with its hips at the height of its standing feet: orientations ``(F, 22, 4)``, places
    ``(F, 22, 3)``, sole points ``(F, 2, 3, 3)``, and by how much that raised it ``(F, 3)``."""

    q: Array
    p: Array
    points: Array
    rise: Array


def _settled(clip: Clip, contacts: Contacts, ground: float) -> _Settled:
    q, p = clip.forward()
    points = soles(clip.skeleton, q, p)
    lowest = points[..., 1].min(-1) - ground
    rise = settle(lowest, contacts.foot, clip.fps, clip.hip_height)[:, None] * UP
    return _Settled(q, p + rise[:, None], points + rise[:, None, None], rise)


def _locked(clip: Clip, body: _Settled, contacts: Contacts, ground: float, play: float) -> Clip:
    hip = clip.hip_height
    moves = np.stack([
        corrections(body.points[:, k], Stance(contacts.heel[:, k], contacts.toe[:, k], contacts.under[:, k]),
                    clip.fps, ground, hip, play)
        for k in range(len(SIDES))
    ], 1)  # fmt: skip
    sink = _sink(body.p, moves, clip.fps, hip)
    down = -sink[:, None] * UP
    local, root = clip.rotations.copy(), clip.root_positions + body.rise + down
    for k, side in enumerate(SIDES):
        _bend_leg(side, local, body.q, body.p, down, moves[:, k], hip)
    return _above(replace(clip, rotations=local, root_positions=root), contacts, ground)


def _above(clip: Clip, contacts: Contacts, ground: float) -> Clip:
    """Raise the hips where a foot is still under the ground: a leg that is straight cannot be shorter."""
    hip = clip.hip_height
    lowest = np.where(contacts.under, np.inf, soles(clip.skeleton, *clip.forward())[..., 1].min(-1)).min(1)
    deep = np.maximum(0, ground - DEEPEST * hip - lowest)
    if not deep.any():
        return clip
    rise = eased_maximum(np.minimum(deep, SINK * hip), max(1, round(FADE * clip.fps)))
    return replace(clip, root_positions=clip.root_positions + rise[:, None] * UP)


def stand(clip: Clip, contacts: Contacts, ground: float = 0.0) -> Clip:
    """Only raise or lower a whole canonical clip, so that its feet stand at ground level most of the time."""
    if not contacts.foot.any():
        return clip
    lowest = soles(clip.skeleton, *clip.forward())[..., 1].min(-1) - ground
    off = np.median(lowest[contacts.foot])
    if abs(off) > FLOOR * clip.hip_height:
        return clip
    return replace(clip, root_positions=clip.root_positions - off * UP)


# -- where the feet go ------------------------------------------------------------------------------


def settle(lowest: Array, stands: Mask, fps: float, hip: float) -> Array:
    """How far to raise the hips so that standing feet are at ground level with no leg bent for it. ``(F,)``.

    Legs of other proportions crouch to other heights: the hips' height over standing feet is taken
    from the feet, eased, and what is left over is for the legs.

    Args:
        lowest: ``(F, 2)`` heights of the soles over the ground.
        stands: ``(F, 2)``.
    """
    near = stands & (np.abs(lowest) < FLOOR * hip)
    at = np.flatnonzero(near.any(1))
    if not len(at):
        return np.zeros(len(lowest))
    wanted = -(lowest * near).sum(1)[at] / near.sum(1)[at]
    return root_motion.eased(np.interp(np.arange(len(lowest)), at, wanted), max(1, round(FADE * fps)))


@dataclass(frozen=True, eq=False)
class Stance:
    """When one foot stands, ``(F,)`` each; see :class:`.contacts.Contacts`."""

    heel: Mask
    toe: Mask
    under: Mask


def corrections(points: Array, stance: Stance, fps: float, ground: float, hip: float, play: float) -> Array:
    """How far to move one foot, whose sole points are ``(F, 3, 3)``. ``(F, 3)``."""
    toe, stands = stance.toe, stance.heel | stance.toe
    active = np.where(toe[:, None], points[:, 1], points[:, 0])
    before = np.concatenate([points[:1], points[:-1]])
    step = active - np.where(toe[:, None], before[:, 1], before[:, 0])
    lowest = points[..., 1].min(1) - ground
    out = np.zeros((len(points), 3))
    for start, stop in runs(stands):
        # what the touching point moved since the stance began; handing over from heel to ball is no jump
        slid = (np.cumsum(step[start:stop], 0) - step[start])[:, [0, 2]]
        out[start:stop, [0, 2]] = held(slid, play * hip) - slid
        level = float(np.median(lowest[start:stop]))
        level = 0.0 if abs(level) < FLOOR * hip else level  # else it stands on something
        out[start:stop, 1] = level - lowest[start:stop]
    off = out[:, 1]
    out[:, 1] = np.sign(off) * np.clip(np.abs(off) - SLACK * hip, 0, FARTHEST * hip)
    out = fade(out, stands, max(1, round(FADE * fps)))
    out[:, 1] = np.where(stance.under, out[:, 1], np.maximum(out[:, 1], -lowest - SLACK * hip))
    return out


def held(x: Array, play: float) -> Array:
    """A place that ``x`` ``(n, 2)`` is never farther from than ``play``, and that moves as little as can be.

    Its mean where that will do; else what a ring of that radius does that ``x`` pushes around, the
    mean of forwards and backwards in time.
    """
    mean = x.mean(0)
    if ((x - mean) ** 2).sum(1).max() <= play * play:
        return np.broadcast_to(mean, x.shape)
    return 0.5 * (_pushed(x, play) + _pushed(x[::-1], play)[::-1])


def _pushed(x: Array, play: float) -> Array:
    out = np.empty_like(x)
    rows = x.tolist()
    a, b = rows[0]
    for k, (u, v) in enumerate(rows):
        du, dv = u - a, v - b
        far = math.hypot(du, dv)
        if far > play:
            over = 1 - play / far
            a, b = a + over * du, b + over * dv
        out[k] = a, b
    return out


def fade(offset: Array, settled: Mask, width: int) -> Array:
    """Frames between settled ones: from one offset to the next, or to nothing and back if they are far."""
    out = offset.copy()
    n = len(offset)
    for start, stop in runs(~settled):
        before = offset[start - 1] if start > 0 else np.zeros(3)
        after = offset[stop] if stop < n else np.zeros(3)
        k = np.arange(1, stop - start + 1)
        over = min(width, stop - start) + 1
        leaves, comes = smooth(1 - k / over), smooth(1 - k[::-1] / over)
        out[start:stop] = leaves[:, None] * before + comes[:, None] * after
    return out


def smooth(x: Array) -> Array:
    """Smoothstep of ``x`` clipped to 0..1."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


# -- what the body does about it ---------------------------------------------------------------------


def _sink(p: Array, moves: Array, fps: float, hip: float) -> Array:
    """How far the hips have to sink for both feet to be reached, ``(F,)``, without a jolt."""
    need = np.zeros(len(p))
    for k, side in enumerate(SIDES):
        top, knee, ankle = (p[:, INDEX[f"{side}_{b}"]] for b in ("hip", "knee", "ankle"))
        length = np.linalg.norm(knee - top, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)
        present = np.linalg.norm(ankle - top, axis=-1)
        reach = np.maximum(REACH * length, present)
        way = ankle + moves[:, k] - top
        room = reach**2 - (way[:, [0, 2]] ** 2).sum(-1)
        short = -way[:, 1] - np.sqrt(np.maximum(room, 0)) - SLACK * hip
        need = np.maximum(need, np.where(room > 0, short, 0))
    if not (need > 1e-6).any():
        return np.zeros(len(p))
    return eased_maximum(np.minimum(need, SINK * hip), max(1, round(FADE * fps)))


def eased_maximum(x: Array, width: int) -> Array:
    """A smooth curve that is nowhere below ``x``: widest maximum, then a mean, over ``2 width + 1``."""
    window = 2 * width + 1
    padded = np.pad(x, 2 * width, mode="edge")
    highest = np.lib.stride_tricks.sliding_window_view(padded, window).max(-1)
    return np.lib.stride_tricks.sliding_window_view(highest, window).mean(-1)


def _bend_leg(side: str, local: Array, q: Array, p: Array, down: Array, move: Array, size: float) -> None:
    """Turn hip and knee so that the ankle gets to its place; the foot keeps its orientation."""
    hip, knee, ankle = (INDEX[f"{side}_{b}"] for b in ("hip", "knee", "ankle"))
    at = np.linalg.norm(move - down, axis=1) > 1e-7
    if not at.any():
        return
    shift = down[at]
    hinge = rotations.rotate(q[at, hip], np.array([1.0, 0, 0]))
    first, second = knee_ik(p[at, hip] + shift, p[at, knee] + shift, p[at, ankle] + shift,
                            p[at, ankle] + move[at], hinge, SPARE * size)  # fmt: skip
    thigh, shin = rotations.multiply(first, q[at, hip]), rotations.multiply(second, q[at, knee])
    local[at, hip] = rotations.multiply(rotations.inverse(q[at, 0]), thigh)
    local[at, knee] = rotations.multiply(rotations.inverse(thigh), shin)
    local[at, ankle] = rotations.multiply(rotations.inverse(shin), q[at, ankle])


def knee_ik(root: Array, middle: Array, end: Array, target: Array, hinge: Array,
            slack: float = 0.0) -> tuple[Array, Array]:  # fmt: skip
    """:func:`.kinematics.two_bone_ik` for joints that bend one way only, about ``hinge``.

    A leg that is all but straight, or bent backwards by the noise of its capture, would be folded
    backwards by the plain formula: its bend axis is blended with, and never against, the hinge.

    Args:
        root, middle, end: ``(..., 3)`` hip, knee and ankle as they are.
        target: ``(..., 3)`` where the ankle should be.
        hinge: ``(..., 3)`` axis of the knee.
        slack: metres by which the ankle may stay too near or too far where the leg is all but
            straight: there a millimetre costs degrees. With any, a leg that the capture bent
            backwards stays as it is rather than flip.

    Returns:
        World-space rotations ``(..., 4)`` that premultiply thigh and shin.
    """
    upper, lower = middle - root, end - middle
    a, b = np.linalg.norm(upper, axis=-1), np.linalg.norm(lower, axis=-1)
    across = np.cross(upper, lower)
    flat = rotations.normalize(hinge - (hinge * upper).sum(-1, keepdims=True) / np.maximum(a * a, 1e-18)[..., None]
                               * upper)  # fmt: skip
    bent = np.arcsin(np.clip(np.linalg.norm(across, axis=-1) / np.maximum(a * b, 1e-18), 0, 1))
    right_way = (across * flat).sum(-1) > 0
    trust = np.where(right_way, smooth(bent / STRAIGHT - 0.5), 0.0)[..., None]
    axis = rotations.normalize((1 - trust) * flat + trust * rotations.normalize(across))
    reach = np.linalg.norm(target - root, axis=-1)
    # upper . R(angle) lower = size cos(angle + now), since the axis is square to the upper bone
    cosine, sine = (upper * lower).sum(-1), (across * axis).sum(-1)
    now, size = np.arctan2(sine, cosine), np.hypot(sine, cosine)
    present = np.linalg.norm(end - root, axis=-1)
    spare = slack * (1 - smooth((np.abs(now) - BENT[0]) / (BENT[1] - BENT[0])))
    reach = present + np.sign(reach - present) * np.maximum(np.abs(reach - present) - spare, 0)
    wanted = np.clip(reach, np.abs(a - b) + 1e-9, np.maximum(a + b - 1e-9, 0))
    then = np.arccos(np.clip((wanted**2 - a * a - b * b) / np.maximum(2 * size, 1e-18), -1, 1))
    if slack > 0:
        kept = np.minimum(then, np.abs(now) + FARTHER_BACK)
        missed = np.sqrt(a * a + b * b + 2 * size * np.cos(kept)) - wanted
        back = smooth(-now / STRAIGHT) * (1 - smooth(missed / slack - 1))
        then = (1 - back) * then - back * kept
    bend = rotations.from_axis_angle(axis * (then - now)[..., None])
    swing = rotations.between(middle + rotations.rotate(bend, lower) - root, target - root)
    return swing, rotations.multiply(swing, bend)
