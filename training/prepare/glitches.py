"""Limbs that jump for a few frames: what marker swaps and a solver's two answers leave in a capture.

A dancer's leg turns fast, but it speeds up and slows down; a solver's leg is elsewhere from one frame
to the next and back again a few frames later. So a step counts as a jump when it is fast *and* far
faster than the steps around it. The frames between two jumps are filled from those around them, the
whole limb at once and in world orientations, so that the rest of the body stays as it was captured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from blender_addon.motion import kinematics, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import INDEX, PARENTS

LIMBS = {
    "left leg": ("left_hip", "left_knee", "left_ankle", "left_foot"),
    "right leg": ("right_hip", "right_knee", "right_ankle", "right_foot"),
    "left arm": ("left_collar", "left_shoulder", "left_elbow", "left_wrist"),
    "right arm": ("right_collar", "right_shoulder", "right_elbow", "right_wrist"),
    "trunk": ("pelvis", "spine1", "spine2", "spine3", "neck", "head"),
}
JUMP = 45.0
"""Rad/s in the world above which a step may be a jump; a thigh or shin in a kick stays below 35."""
ARM_JUMP = 70.0
"""The same for arms, which throw and punch."""
OUTSTANDING = 3.0
"""A jump is so many times as fast as the usual step around it (the median over a quarter of a second)."""
LONGEST = 0.35
"""Seconds that are filled; what is wrong for longer is no glitch but another pose."""
SOFTEN = 1.75
"""Radians up to which a jump that stays is spread over a tenth of a second: a marker that slipped. What
turns further is a limb turned over, and no blend of the two sides is right."""


@dataclass(frozen=True)
class Repair:
    """What was done to a clip.

    Attributes:
        frames: how many frames of each limb were filled.
        softened: how many jumps of each limb were spread over a tenth of a second.
        left: frames before which a limb still turns over, because neither side is short enough to fill.
    """

    frames: dict[str, int]
    softened: dict[str, int]
    left: tuple[int, ...]


def repair(clip: Clip) -> tuple[Clip, Repair]:
    """Fill what jumps; see :class:`Repair`. The clip is canonical, at its own rate."""
    turned, _ = clip.forward()
    filled: dict[str, int] = {}
    softened: dict[str, int] = {}
    left: set[int] = set()
    for limb, names in LIMBS.items():
        joints = [INDEX[n] for n in names]
        q, limit = turned[:, joints], ARM_JUMP if "arm" in limb else JUMP
        edges = jumps(q, clip.fps, limit)
        if not len(edges):
            continue
        keep = _trusted(q, edges, clip.fps)
        if not keep.all():
            filled[limb] = int((~keep).sum())
            q = _fill(q, keep)
        edges = jumps(q, clip.fps, limit)
        if len(edges):
            far = rotations.angle_between(q[edges], q[edges - 1]).max(-1) > SOFTEN
            left.update(edges[far].tolist())
            if not far.all():
                softened[limb] = int((~far).sum())
                q = _fill(q, _around(edges[~far], edges[far], len(q), max(1, round(clip.fps / 20))))
        turned[:, joints] = q
    done = Repair(filled, softened, tuple(sorted(left)))
    if not filled and not softened:
        return clip, done
    return replace(clip, rotations=kinematics.local_rotations(PARENTS, turned)), done


def _around(soft: np.ndarray, hard: np.ndarray, frames: int, reach: int) -> np.ndarray:
    """Frames to keep ``(frames,)`` when the soft jumps are blended, never across a hard one."""
    keep = np.ones(frames, bool)
    for e in soft.tolist():
        low = max([e - reach, 1, *(h + 1 for h in hard.tolist() if h <= e)])
        high = min([e + reach, frames - 1, *(h - 1 for h in hard.tolist() if h > e)])
        keep[low:high] = False
    return keep


def jumps(q: np.ndarray, fps: float, limit: float) -> np.ndarray:
    """Frames ``(K,)`` before which any of the joints jumps. ``q``: ``(F, J, 4)`` in the world."""
    if len(q) < 3:
        return np.zeros(0, int)
    speed = rotations.angle_between(q[1:], q[:-1]) * fps  # (F - 1, J)
    half = max(2, round(fps / 8))
    padded = np.pad(speed, ((half, half), (0, 0)), mode="reflect" if len(speed) > half else "edge")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0), axis=-1)
    return np.flatnonzero(((speed > limit) & (speed > OUTSTANDING * usual)).any(-1)) + 1


def _trusted(q: np.ndarray, edges: np.ndarray, fps: float) -> np.ndarray:
    """Frames to keep ``(F,)``.

    The pieces between jumps are chosen so that the most frames are kept and what follows on another
    fits to it: dynamic programming over pieces, two of which fit when they are near in time and the
    limb could have got from one to the other.
    """
    bounds = [0, *edges.tolist(), len(q)]
    pieces = list(pairwise(bounds))
    best = [b - a for a, b in pieces]
    before = [-1] * len(pieces)
    for k, (start, stop) in enumerate(pieces):
        for i in range(k - 1, -1, -1):
            if start - pieces[i][1] > LONGEST * fps:
                break
            if _fits(q[pieces[i][1] - 1], q[start], (start - pieces[i][1] + 1) / fps) and (
                best[i] + stop - start > best[k]
            ):
                best[k], before[k] = best[i] + stop - start, i
    keep = np.ones(len(q), bool)
    free = set(range(len(pieces)))
    while free:  # the best chain, then the best of what lies outside it, until all is told
        chain = [max(free, key=lambda k: best[k])]
        while before[chain[-1]] in free:
            chain.append(before[chain[-1]])
        told = set(range(chain[-1], chain[0] + 1)) & free
        for i in told.difference(chain):
            keep[slice(*pieces[i])] = False
        free -= told
    return keep


def _fits(a: np.ndarray, b: np.ndarray, seconds: float) -> bool:
    """Could the limb have got from ``a`` to ``b`` in that time, at 25 rad/s and half a radian's noise?"""
    return float(rotations.angle_between(a, b).max()) < min(np.pi / 2, 0.5 + 25 * seconds)


def _fill(q: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Slerp over the frames that are not kept; beyond the ends the nearest is held."""
    known = np.flatnonzero(keep)
    missing = np.flatnonzero(~keep)
    high = (
        np.clip(np.searchsorted(known, missing), 1, len(known) - 1)
        if len(known) > 1
        else np.zeros_like(missing)
    )
    low = np.maximum(high - 1, 0)
    span = np.maximum(known[high] - known[low], 1)
    t = np.clip((missing - known[low]) / span, 0, 1)
    out = q.copy()
    out[missing] = rotations.slerp(
        q[known[low]], q[known[high]], np.broadcast_to(t[:, None], (len(t), q.shape[1]))
    )
    return out
