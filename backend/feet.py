"""Feet: where a foot stands, it stands still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from blender_addon.motion import kinematics, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request
from blender_addon.motion.contacts import runs
from blender_addon.motion.foot_lock import fade, smooth
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import INDEX

SHORTEST = 0.1
"""Seconds; what is shorter is no stance."""
FADE = 0.13
"""Seconds in which a correction comes and goes."""
LENIENCE = 2.0
"""How many times as fast as a recorded foot a filled one may be and still count as standing: it drifts.
On held-out takes (30 missing frames) 2 cut skating by a quarter against 1; 3 gained no more."""
FARTHEST = 0.1
"""Of the hip height: no foot is moved farther."""
WIDEST = 0.35
"""Radians: no foot is turned farther."""
ROOM = 0.03
"""Of a leg's length: a leg that is shorter than straight by this (a knee bent by 28 degrees) may change it freely."""

Mask = NDArray[np.bool_]
_LEGS = tuple(
    (INDEX[f"{s}_hip"], INDEX[f"{s}_knee"], INDEX[f"{s}_ankle"], INDEX[f"{s}_foot"])
    for s in ("left", "right")
)


def hold_feet(clip: Clip, request: Request) -> Clip:
    """Hold each foot where it stands by turning hip, knee and ankle on frames where the leg is free.

    A stance's place is that of the frames in it whose leg is known (interpolated between them), else
    the ankle's median over the stance. The correction comes and goes beside the stance, and is nothing
    at frames that cannot be corrected. The foot keeps the orientation it had; in a stance of which nothing is
    known it keeps its mean one, since toes slide where it turns.
    """
    if len(clip) < 3:
        return clip
    q, p = clip.forward()
    local = clip.rotations.copy()
    for hip, knee, ankle, ball in _LEGS:
        free = ~request.rotation_known[:, (hip, knee, ankle)].any(1)
        if not free.any():
            continue
        stands = kinematics.foot_contacts(p[:, (ankle, ball)], clip.fps / LENIENCE, clip.hip_height).all(1)
        offset, turn = _corrections(
            p[:, ankle], q[:, ankle], stands, free, clip.fps, FARTHEST * clip.hip_height
        )
        moved = free & (np.linalg.norm(np.concatenate((offset, turn), 1), axis=1) > 1e-6)
        if not moved.any():
            continue
        hinge = rotations.rotate(q[moved, hip], np.array([1.0, 0, 0]))
        first, second = kinematics.two_bone_ik(
            p[moved, hip], p[moved, knee], p[moved, ankle],
            _within_reach(p[moved, hip], p[moved, knee], p[moved, ankle], offset[moved]), hinge,
        )  # fmt: skip
        thigh, shin = rotations.multiply(first, q[moved, hip]), rotations.multiply(second, q[moved, knee])
        pelvis, foot = (
            q[moved, 0],
            rotations.multiply(rotations.from_axis_angle(turn[moved]), q[moved, ankle]),
        )
        local[moved, hip] = rotations.multiply(rotations.inverse(pelvis), thigh)
        local[moved, knee] = rotations.multiply(rotations.inverse(thigh), shin)
        local[moved, ankle] = rotations.multiply(rotations.inverse(shin), foot)
    return replace(clip, rotations=local)


def _corrections(ankle: Array, foot: Array, stands: Mask, free: Mask, fps: float,
                 farthest: float) -> tuple[Array, Array]:  # fmt: skip
    """How far to move an ankle ``(F, 3)`` and to turn its foot ``(F, 4)`` at every frame; zero where it is not free.

    Returns:
        ``(F, 3)`` metres, and ``(F, 3)`` rotation vectors in the world.
    """
    n = len(ankle)
    width = max(1, round(FADE * fps))
    offset = np.zeros((n, 6))
    settled = ~free  # frames whose offset is final: fixed legs, and stances
    fixed = np.flatnonzero(~free)
    for start, stop in runs(stands):
        if stop - start < max(3, round(SHORTEST * fps)) or not free[start:stop].any():
            continue
        move = np.zeros((stop - start, 6))
        move[:, :3] = _target(ankle[start:stop], ~free[start:stop]) - ankle[start:stop]
        far = np.linalg.norm(move[:, :3], axis=1)
        move[:, :3] *= np.minimum(1.0, farthest / np.maximum(far, 1e-9))[:, None]
        if free[start:stop].all():
            own = rotations.mean(foot[start:stop])
            turn = rotations.to_axis_angle(rotations.multiply(own, rotations.inverse(foot[start:stop])))
            wide = np.linalg.norm(turn, axis=1)
            move[:, 3:] = turn * np.minimum(1.0, WIDEST / np.maximum(wide, 1e-9))[:, None]
        # by the next fixed leg that does not belong to the stance, the correction is gone
        frames = np.arange(start, stop)
        left, right = np.searchsorted(fixed, (start, stop))
        if left > 0:
            move *= smooth((frames - fixed[left - 1]) / (width + 1))[:, None]
        if right < len(fixed):
            move *= smooth((fixed[right] - frames) / (width + 1))[:, None]
        offset[start:stop] = move
        settled[start:stop] = True
    place, turn = (fade(part, settled, width) for part in (offset[:, :3], offset[:, 3:]))
    return place, turn


def _within_reach(hip: Array, knee: Array, ankle: Array, offset: Array) -> Array:
    """Where each ankle goes: as far as ``offset`` says, its leg's length as far as its bend allows.

    Near its full stretch a leg's length says little and its knee's angle much: half a percent are 11
    degrees. So the straighter a leg is, the more it is only swung, and a knee never pops. ``(n, 3)`` each.
    """
    leg = ankle - hip
    full = np.linalg.norm(knee - hip, axis=1) + np.linalg.norm(ankle - knee, axis=1)
    now, then = np.linalg.norm(leg, axis=1), np.linalg.norm(leg + offset, axis=1)
    room = smooth((1 - now / full) / ROOM)
    wanted = np.minimum(now + room * (then - now), np.maximum(now, (1 - 0.1 * ROOM) * full))
    return hip + (leg + offset) * (wanted / np.maximum(then, 1e-9))[:, None]


def _target(ankle: Array, fixed: Mask) -> Array:
    """Where the ankle of one stance belongs. ``(n, 3), (n,) -> (n, 3)``."""
    frames, at = np.arange(len(ankle)), np.flatnonzero(fixed)
    if at.size:
        return np.stack([np.interp(frames, at, ankle[at, a]) for a in range(3)], 1)
    return np.broadcast_to(np.median(ankle, axis=0), ankle.shape)
