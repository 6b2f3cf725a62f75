"""Hands that touch: each other, the head, chest, hips, thighs and the other arm.

Bodies have no flesh here, only bones, so parts are segments with a usual thickness. Where a palm of the
source rests on a part, the target's palm is brought to the same place on its own part: as far along
the bone, as far off it in units of its own proportions. Two palms that touch meet half-way. Arms get
there by two-bone inverse kinematics, blended in and out; the hands keep their orientation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from . import kinematics, rotations
from .clip import Clip
from .contacts import Mask, hysteresis, lasting
from .foot_lock import smooth
from .retarget import legs
from .rotations import Array
from .skeleton import INDEX, Skeleton

SIDES = ("left", "right")
PALM = 0.33
"""Of the forearm: how far the palm lies beyond the wrist."""
SLOW = 0.35
"""Hip heights a second: a palm rests on a part that it moves against more slowly; at twice that it leaves."""
LASTS, GAP = 0.1, 0.07
"""Seconds: what is shorter is no touch; a touch goes on over a shorter break."""
FADE = 0.17
"""Seconds in which the hand comes to its place and leaves it."""
ENOUGH = 0.012
"""Of the hip height: a hand that is so near its place stays where it is."""
FARTHEST = 0.5
"""Of the arm: a place farther from the hand than this is no place to bring it to."""
PALMS = 0.09
"""Hip heights between palms that touch."""
BENT = np.radians(40.0)
"""Of the hip: a thigh bent less is not leant or sat on with a hand."""
_FARTHER = 1.35
"""A touch that has begun goes on to so many times the distance at which it begins."""


@dataclass(frozen=True)
class Part:
    """A capsule of the body on which a palm may rest.

    Attributes:
        frame: joint with which it turns.
        ends: two joints; or one and the same.
        shift: in hip heights and in the joint's frame, from both ends; ``x`` outwards on the right too.
        near: hip heights from the segment to a palm that touches it.
        scale: which of a body's lengths its thickness goes by.
    """

    frame: str
    ends: tuple[str, str]
    shift: tuple[float, float, float]
    near: float
    scale: str


def _parts(other: str) -> dict[str, Part]:
    """Parts that a hand can rest on, given the other side's name."""
    out = {
        "head": Part("head", ("head", "head"), (0.0, 0.10, 0.03), 0.15, "trunk"),
        "chest": Part("spine3", ("left_shoulder", "right_shoulder"), (0.0, -0.12, 0.0), 0.13, "trunk"),
        "hips": Part("pelvis", ("left_hip", "right_hip"), (0.0, 0.08, 0.0), 0.125, "legs"),
        "upper arm": Part(f"{other}_shoulder", (f"{other}_shoulder", f"{other}_elbow"), (0.0, 0.0, 0.0), 0.09, "arms"),
        "forearm": Part(f"{other}_elbow", (f"{other}_elbow", f"{other}_wrist"), (0.0, 0.0, 0.0), 0.08, "arms"),
    }  # fmt: skip
    for side in SIDES:
        out[f"{side} thigh"] = Part(
            f"{side}_hip", (f"{side}_hip", f"{side}_knee"), (0.0, 0.0, 0.0), 0.12, "legs"
        )
    return out


@dataclass(frozen=True, eq=False)
class Touch:
    """Where one of the source's hands rests on one part.

    Attributes:
        when: ``(F,)``.
        along: ``(F,)`` 0 at the part's first end, 1 at its second.
        off: ``(F, 3)`` from there to the palm, in the part's frame, hip heights of the source.
    """

    when: Mask
    along: Array
    off: Array


@dataclass(frozen=True, eq=False)
class Touches:
    """What the source's hands touch.

    Attributes:
        parts: side and part -> touch; only what is touched at all.
        together: ``(F,)`` palm on palm.
        between: ``(F, 3)`` from the right palm to the left one, hip heights, in the chest's frame.
        sizes: the source's lengths, see :func:`sizes`.
    """

    parts: Mapping[tuple[str, str], Touch]
    together: Mask
    between: Array
    sizes: Mapping[str, float]

    def any(self) -> Mask:
        """Whether each hand touches anything. ``(F, 2)``."""
        out = np.repeat(self.together[:, None], 2, axis=1)
        for (side, _), touch in self.parts.items():
            out[:, SIDES.index(side)] |= touch.when
        return out


def sizes(skeleton: Skeleton) -> dict[str, float]:
    """Lengths of a canonical body, metres: ``legs``, ``arms``, ``trunk`` and ``hip height``."""
    o = skeleton.offsets
    arms = np.mean([np.linalg.norm(o[INDEX[f"{s}_{j}"]]) for s in SIDES for j in ("elbow", "wrist")])
    trunk = sum(np.linalg.norm(o[INDEX[j]]) for j in ("spine1", "spine2", "spine3", "neck"))
    return {
        "legs": legs(skeleton)[0],
        "arms": 2 * float(arms),
        "trunk": float(trunk),
        "hip height": float(o[0, 1]),
    }


def palms(skeleton: Skeleton, q: Array, p: Array) -> Array:
    """World places of both palms. ``(F, 22, 4), (F, 22, 3) -> (F, 2, 3)``."""
    wrists = [INDEX[f"{s}_wrist"] for s in SIDES]
    return p[:, wrists] + rotations.rotate(q[:, wrists], PALM * skeleton.offsets[wrists])


def find(skeleton: Skeleton, q: Array, p: Array, fps: float) -> Touches:
    """What the hands of a canonical motion touch, ``q (F, 22, 4)`` and ``p (F, 22, 3)`` in the world."""
    body = sizes(skeleton)
    hip, frames = body["hip height"], len(q)
    if frames < 2 or not body["arms"]:
        return Touches({}, np.zeros(frames, bool), np.zeros((frames, 3)), body)
    at = palms(skeleton, q, p)
    chest = rotations.inverse(q[:, INDEX["spine3"]])
    between = rotations.rotate(chest, at[:, 0] - at[:, 1]) / hip
    apart = np.linalg.norm(between, axis=-1)
    shortest, gap = max(2, round(LASTS * fps)), round(GAP * fps)
    together = lasting(hysteresis(apart < PALMS, apart < PALMS * _FARTHER), 2, gap)
    found: dict[tuple[str, str], Touch] = {}
    for k, side in enumerate(SIDES):
        for name, part in _parts(SIDES[1 - k]).items():
            along, off = _seen(part, skeleton, q, p, at[:, k])
            far = np.linalg.norm(off, axis=-1) / part.near
            speed = np.linalg.norm(kinematics.velocity(off, fps), axis=-1)
            touches = hysteresis((far < 1) & (speed < SLOW), (far < _FARTHER) & (speed < 2 * SLOW))
            if name.endswith("thigh"):
                touches &= _lifted(q, p, name.split()[0])
            when = lasting(touches, shortest, gap) & ~together
            if when.any():
                found[side, name] = Touch(when, along, off)
    return Touches(found, together, between, body)


def _lifted(q: Array, p: Array, side: str) -> Mask:
    """Whether a thigh is not in line with the trunk: by a straight leg a hand hangs, and rests on nothing."""
    thigh = rotations.normalize(p[:, INDEX[f"{side}_knee"]] - p[:, INDEX[f"{side}_hip"]])
    down = rotations.rotate(q[:, INDEX["pelvis"]], np.array([0.0, -1.0, 0.0]))
    return (thigh * down).sum(-1) < np.cos(BENT)


def _segment(part: Part, skeleton: Skeleton, q: Array, p: Array) -> tuple[Array, Array]:
    shift = skeleton.offsets[0, 1] * np.array(part.shift)
    moved = rotations.rotate(q[:, INDEX[part.frame]], shift)
    a, b = (p[:, INDEX[end]] + moved for end in part.ends)
    return a, b


def _seen(part: Part, skeleton: Skeleton, q: Array, p: Array, palm: Array) -> tuple[Array, Array]:
    """How far along a part a palm is, and its way from there, see :class:`Touch`."""
    a, b = _segment(part, skeleton, q, p)
    way = b - a
    square = np.maximum((way * way).sum(-1), 1e-12)
    along = np.clip(((palm - a) * way).sum(-1) / square, 0, 1)
    off = palm - a - along[:, None] * way
    turned = rotations.rotate(rotations.inverse(q[:, INDEX[part.frame]]), off)
    return along, turned / skeleton.offsets[0, 1]


# -- on the target ----------------------------------------------------------------------------------


def places(touches: Touches, skeleton: Skeleton, q: Array, p: Array, fps: float) -> tuple[Array, Array]:
    """Where another body's palms have to be, ``(F, 2, 3)``, and how much so, ``(F, 2)`` from 0 to 1."""
    mine = sizes(skeleton)
    ratio = {k: mine[k] / max(v, 1e-9) for k, v in touches.sizes.items()}
    at, width = palms(skeleton, q, p), max(1, round(FADE * fps))
    total, weight, most = np.zeros_like(at), np.zeros(at.shape[:2]), np.zeros(at.shape[:2])

    def add(k: int, goal: Array, when: Mask) -> None:
        w = eased_in(when, width)
        total[:, k] += w[:, None] * goal
        weight[:, k] += w
        most[:, k] = np.maximum(most[:, k], w)

    for (side, name), touch in touches.parts.items():
        k = SIDES.index(side)
        part = _parts(SIDES[1 - k])[name]
        a, b = _segment(part, skeleton, q, p)
        off = touch.off * (touches.sizes["hip height"] * ratio[part.scale])
        goal = a + touch.along[:, None] * (b - a) + rotations.rotate(q[:, INDEX[part.frame]], off)
        add(k, goal, touch.when)
    if touches.together.any():
        size = touches.sizes["hip height"] * ratio["arms"]
        half = 0.5 * size * rotations.rotate(q[:, INDEX["spine3"]], touches.between)
        middle = at.mean(1)
        if touches.parts:  # hands on each other on the belly: the middle is where the body wants it
            wanted = np.where(weight[..., None] > 0, total / np.maximum(weight, 1e-9)[..., None], at)
            middle += (most[..., None] * (wanted - at)).mean(1)
        add(0, middle + half, touches.together)
        add(1, middle - half, touches.together)
    goal = np.where(weight[..., None] > 0, total / np.maximum(weight, 1e-9)[..., None], at)
    return goal, most


def eased_in(when: Mask, width: int) -> Array:
    """1 where true, falling smoothly to 0 over ``width`` frames beside it. ``(F,)``."""
    rows = np.flatnonzero(when)
    if not len(rows):
        return np.zeros(len(when))
    frames = np.arange(len(when))
    after = np.searchsorted(rows, frames)
    near = np.minimum(np.abs(frames - rows[np.minimum(after, len(rows) - 1)]),
                      np.abs(frames - rows[np.maximum(after - 1, 0)]))  # fmt: skip
    return smooth(1 - near / (width + 1))


def keep(clip: Clip, touches: Touches) -> Clip:
    """A canonical clip whose hands rest where the source's did.

    Args:
        clip: with the target's proportions, as long as what was looked at.
        touches: of :func:`find` on the source.
    """
    if not touches.any().any() or not sizes(clip.skeleton)["arms"]:
        return clip
    q, p = clip.forward()
    goal, weight = places(touches, clip.skeleton, q, p, clip.fps)
    at = palms(clip.skeleton, q, p)
    off = goal - at
    far = np.linalg.norm(off, axis=-1)
    size = sizes(clip.skeleton)
    wanted = np.maximum(far - ENOUGH * clip.hip_height, 0) * weight
    wanted *= 1 - smooth(far / (FARTHEST * size["arms"]) - 1)
    move = off * (wanted / np.maximum(far, 1e-12))[..., None]
    local = clip.rotations.copy()
    for k, side in enumerate(SIDES):
        _bend_arm(side, local, q, p, move[:, k])
    return replace(clip, rotations=local)


def _bend_arm(side: str, local: Array, q: Array, p: Array, move: Array) -> None:
    """Turn upper arm and forearm so that the wrist moves by ``move`` ``(F, 3)``; the hand keeps its orientation."""
    collar, shoulder, elbow, wrist = (INDEX[f"{side}_{j}"] for j in ("collar", "shoulder", "elbow", "wrist"))
    at = np.linalg.norm(move, axis=1) > 1e-7
    if not at.any():
        return
    hinge = rotations.rotate(q[at, shoulder], np.array([0.0, -1.0 if side == "left" else 1.0, 0.0]))
    first, second = kinematics.two_bone_ik(p[at, shoulder], p[at, elbow], p[at, wrist], p[at, wrist] + move[at],
                                           hinge)  # fmt: skip
    upper, lower = rotations.multiply(first, q[at, shoulder]), rotations.multiply(second, q[at, elbow])
    local[at, shoulder] = rotations.multiply(rotations.inverse(q[at, collar]), upper)
    local[at, elbow] = rotations.multiply(rotations.inverse(upper), lower)
    local[at, wrist] = rotations.multiply(rotations.inverse(lower), q[at, wrist])


def missed(clip: Clip, touches: Touches) -> float:
    """Mean distance in metres of touching palms from their places; NaN where nothing is touched."""
    when = touches.any()
    if not when.any():
        return float("nan")
    q, p = clip.forward()
    goal, _ = places(touches, clip.skeleton, q, p, clip.fps)
    return float(np.linalg.norm(goal - palms(clip.skeleton, q, p), axis=-1)[when].mean())
