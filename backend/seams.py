"""Seams: where filled frames meet known ones, the velocity must not jump.

What the second difference at a key exceeds its neighbours by is a jump that the sample made, not the
motion's own acceleration. It is spread over the free frames beside the key; no key moves.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request
from blender_addon.motion.rotations import Array

SEAM = 8
"""Frames at 30 fps over which a velocity step at a key is spread, at most."""
_HALVINGS = 4

Mask = NDArray[np.bool_]


def smooth_seams(clip: Clip, request: Request) -> Clip:
    """Spread the velocity step at each key over the free frames beside it.

    Half of the step goes to either free side (all of it where the other side is known) as a cubic
    Hermite tangent that is zero at the key and at its far end. Where the tangents of two near keys
    get into each other's way, they shrink until no step is larger than it was. What lies before the
    first and after the last key is a held pose, which has no seam.
    """
    known = np.concatenate([request.rotation_known, request.root_known[:, None]], 1)  # (F, 23)
    frames = np.flatnonzero(known.any(1))
    if frames.size == 0:
        return clip
    first, last = int(frames[0]), int(frames[-1])
    offsets = _settled_offsets(clip.slice(first, last + 1), known[first : last + 1])
    ends = ((first, len(clip) - 1 - last), (0, 0), (0, 0))
    return _moved(clip, np.pad(offsets, ends, mode="edge")) if offsets.any() else clip


def _settled_offsets(clip: Clip, known: Mask) -> Array:
    """Offsets ``(F, 23, 3)`` for a clip between its first and last key; zero where known."""
    offsets = np.zeros((*known.shape, 3))
    if len(clip) < 5:
        return offsets
    before = steps(clip)
    reach = max(2, round(SEAM * clip.fps / 30))
    gaps = np.zeros(known.shape, int)
    masks, group = np.unique(known, axis=1, return_inverse=True)
    for g, mask in enumerate(masks.T):
        members = group.reshape(-1) == g
        offsets[:, members] = _offsets(mask, before[:, members], reach)
        gaps[:, members] = _gap_numbers(mask)[:, None]
    weights = np.ones((gaps.max() + 1, known.shape[1], 1))  # of every gap and track
    tracks = np.arange(known.shape[1])
    size = np.linalg.norm(before, axis=-1)
    weighted = offsets
    for attempt in range(_HALVINGS + 1):
        weighted = offsets * weights[gaps, tracks]
        worse = known & (np.linalg.norm(steps(_moved(clip, weighted)), axis=-1) > size * (1 + 1e-6) + 1e-9)
        if not worse.any():
            break
        at, track = np.nonzero(worse)
        for side in (-1, 1):
            weights[gaps[at + side, track], track] *= 0.5
        if attempt == _HALVINGS:
            weighted[:, worse.any(0)] = 0  # these tracks stay as they were
    return weighted


def steps(clip: Clip) -> Array:
    """What the second difference at each frame exceeds its neighbours' mean by. ``(F, 23, 3)``.

    Rotation vectors in each joint's own frame, radians a frame; then the root, metres a frame. Zero
    at the first and last two frames, which have no neighbours to compare with.
    """
    turning = rotations.to_axis_angle(
        rotations.multiply(rotations.inverse(clip.rotations[:-1]), clip.rotations[1:])
    )
    speed = np.concatenate([turning, np.diff(clip.root_positions, axis=0)[:, None]], 1)
    second = np.diff(speed, axis=0)
    out = np.zeros((len(clip), *speed.shape[1:]))
    out[2:-2] = second[1:-1] - 0.5 * (second[:-2] + second[2:])
    return out


def _moved(clip: Clip, offsets: Array) -> Clip:
    """Rotations turned in their own frame and the root shifted by ``offsets`` ``(F, 23, 3)``."""
    turned = clip.rotations.copy()
    some = offsets[:, :-1].any(-1)
    turned[some] = rotations.multiply(turned[some], rotations.from_axis_angle(offsets[:, :-1][some]))
    return replace(clip, rotations=turned, root_positions=clip.root_positions + offsets[:, -1])


def _gap_numbers(known: Mask) -> NDArray[np.intp]:
    """1, 2 ... for each run of free frames, 0 where known. ``(F,)``."""
    starts = ~known & np.concatenate(([True], known[:-1]))
    return np.where(known, 0, np.cumsum(starts))


def _offsets(known: Mask, step: Array, reach: int) -> Array:
    """Offsets ``(F, K, 3)`` that take the velocity steps ``(F, K, 3)`` at the edges of known runs away."""
    out = np.zeros_like(step)
    edges = np.flatnonzero(np.diff(known.astype(np.int8)))  # the last frame before each change
    bounds = [0, *(edges + 1).tolist(), len(known)]
    for start, stop in pairwise(bounds):
        if known[start]:
            continue
        length = min(reach, stop - start)
        u = np.arange(1, length + 1) / (length + 1)
        tangent = (u * (1 - u) ** 2 * (length + 1))[
            :, None, None
        ]  # Hermite h10: slope 1 at the key, 0 at the end
        # The velocity after a key must fall by its share of the step, the velocity before it must rise:
        # both are offsets of one sign, since time runs the other way on the side before.
        if start > 0:
            out[start : start + length] -= tangent * _share(known, start - 1, -1) * step[start - 1]
        if stop < len(known):
            out[stop - length : stop] -= tangent[::-1] * _share(known, stop, 1) * step[stop]
    return out


def _share(known: Mask, key: int, other: int) -> float:
    """Half where the key's other side is free too, else all."""
    beyond = key + other
    return 0.5 if 0 <= beyond < len(known) and not known[beyond] else 1.0
