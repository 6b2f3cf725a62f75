"""What turns a sample into a deliverable: exact keys, smooth seams, feet that stand.

Numpy on clips; every step changes unknown values only, and the last one copies the known ones bit
for bit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blender_addon.motion import kinematics, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import INDEX

SEAM = 8
"""Frames at 30 fps over which a velocity step at a key is spread, at most."""

_LEGS = tuple((INDEX[f"{s}_hip"], INDEX[f"{s}_knee"], INDEX[f"{s}_ankle"], INDEX[f"{s}_foot"])
              for s in ("left", "right"))  # fmt: skip


def finish(clip: Clip, request: Request, feet: bool = True) -> Clip:
    """Smooth seams, stand feet, copy what is known.

    Args:
        clip: a sample, of the request's length, rate and skeleton.
        request: what is known.
        feet: hold standing feet by two-bone IK on frames where the leg is not known.
    """
    clip = keep_known(clip, request)
    clip = smooth_seams(clip, request)
    if feet:
        clip = hold_feet(clip, request)
    return keep_known(clip, request)


def keep_known(clip: Clip, request: Request) -> Clip:
    """Known rotations and root places, bit for bit as the request has them."""
    known = request.rotation_known
    turned = np.where(known[..., None], request.clip.rotations, clip.rotations)
    root = np.where(request.root_known[:, None], request.clip.root_positions, clip.root_positions)
    out = replace(clip, rotations=turned, root_positions=root)
    # a Clip makes signs continuous along time; the known ones keep the request's own sign
    out.rotations[known] = request.clip.rotations[known]
    return out


# -- seams -------------------------------------------------------------------------------------------


def smooth_seams(clip: Clip, request: Request) -> Clip:
    """Spread the velocity step at each key over the free frames beside it.

    The step is what the second difference at the key exceeds its neighbours by. Half of it goes to
    either free side (all of it where the other side is known) as a cubic Hermite tangent that is
    zero at the key and at its far end, so no key moves.
    """
    reach = max(2, round(SEAM * clip.fps / 30))
    local = clip.rotations.copy()
    for j in range(local.shape[1]):
        known = request.rotation_known[:, j]
        if known.any() and not known.all():
            local[:, j] = rotations.multiply(local[:, j], rotations.from_axis_angle(
                _seam_offsets(known, reach, lambda f, j=j: _turning_step(local[:, j], f))))  # fmt: skip
    root = clip.root_positions
    if request.root_known.any() and not request.root_known.all():
        root = root + _seam_offsets(
            request.root_known, reach, lambda f: _excess(np.diff(root[f - 2 : f + 3], 2, axis=0))
        )
    return replace(clip, rotations=local, root_positions=root)


def _turning_step(q: Array, f: int) -> Array:
    """The rotation's velocity step at frame ``f``, in its own frame, radians a frame. ``(3,)``."""
    part = q[f - 2 : f + 3]
    speed = rotations.to_axis_angle(rotations.multiply(rotations.inverse(part[:-1]), part[1:]))
    return _excess(np.diff(speed, axis=0))


def _excess(second: Array) -> Array:
    """The middle one of three second differences, less its neighbours' mean. ``(3, n) -> (n,)``."""
    return second[1] - 0.5 * (second[0] + second[2])


def _seam_offsets(known: np.ndarray, reach: int, step_at) -> Array:
    """Offsets ``(F, 3)`` that take the velocity steps at the edges of known runs away."""
    n = len(known)
    out = np.zeros((n, 3))
    for f in np.flatnonzero(known):
        before, after = f > 0 and not known[f - 1], f < n - 1 and not known[f + 1]
        if not (before or after) or f < 2 or f > n - 3:
            continue
        step = step_at(int(f)) * (0.5 if before and after else 1.0)
        for free, direction in ((after, 1), (before, -1)):
            if not free:
                continue
            run = _free_run(known, f, direction)
            length = min(reach, run)
            u = np.arange(1, length + 1) / (length + 1)
            tangent = u * (1 - u) ** 2 * (length + 1)  # Hermite h10: slope 1 at the key, 0 at the end
            # velocity after the key falls by the step, velocity before it rises by it: both offsets
            # have the same sign, since time runs the other way on the side before
            out[f + direction * np.arange(1, length + 1)] -= tangent[:, None] * step
    return out


def _free_run(known: np.ndarray, f: int, direction: int) -> int:
    """Number of unknown frames from ``f`` (exclusive) in a direction."""
    side = known[f + 1 :] if direction > 0 else known[:f][::-1]
    stop = np.flatnonzero(side)
    return int(stop[0]) if stop.size else len(side)


# -- feet --------------------------------------------------------------------------------------------


def hold_feet(clip: Clip, request: Request, blend_seconds: float = 0.13) -> Clip:
    """Hold each ankle where it stands by turning hip and knee on frames where the leg is free.

    A stance's place is that of the known frames within it (interpolated between them), else the
    ankle's median over the stance. The correction fades in and out beside the stance, and the foot
    keeps the orientation it had.
    """
    n = len(clip)
    if n < 3:
        return clip
    q, p = clip.forward()
    local = clip.rotations.copy()
    free_root = ~request.root_known | ~request.rotation_known[:, 0]
    fade = max(1, round(blend_seconds * clip.fps))
    for hip, knee, ankle, ball in _LEGS:
        leg_known = request.rotation_known[:, (hip, knee, ankle)].all(1) & ~free_root
        may = ~request.rotation_known[:, (hip, knee, ankle)].any(1)
        if not may.any():
            continue
        stands = kinematics.foot_contacts(p[:, (ankle, ball)], clip.fps, clip.hip_height).all(1)
        offset = np.zeros((n, 3))
        for start, stop in _runs(stands):
            if stop - start < 3 or not may[start:stop].any():
                continue
            _hold(offset, p[:, ankle], leg_known, start, stop, fade, clip.hip_height)
        moved = may & (np.linalg.norm(offset, axis=1) > 1e-6)
        if not moved.any():
            continue
        hinge = rotations.rotate(q[moved, hip], np.array([1.0, 0, 0]))
        first, second = kinematics.two_bone_ik(p[moved, hip], p[moved, knee], p[moved, ankle],
                                               p[moved, ankle] + offset[moved], hinge)  # fmt: skip
        thigh, shin = rotations.multiply(first, q[moved, hip]), rotations.multiply(second, q[moved, knee])
        pelvis, foot = q[moved, 0], q[moved, ankle]
        local[moved, hip] = rotations.multiply(rotations.inverse(pelvis), thigh)
        local[moved, knee] = rotations.multiply(rotations.inverse(thigh), shin)
        local[moved, ankle] = rotations.multiply(rotations.inverse(shin), foot)
    return replace(clip, rotations=local)


def _hold(
    offset: Array, ankle: Array, known: np.ndarray, start: int, stop: int, fade: int, height: float
) -> None:
    """Add one stance's correction to ``offset`` ``(F, 3)``, faded out over the frames beside it."""
    frames = np.arange(start, stop)
    fixed = frames[known[start:stop]]
    if fixed.size:
        target = np.stack([np.interp(frames, fixed, ankle[fixed, a]) for a in range(3)], 1)
    else:
        target = np.broadcast_to(np.median(ankle[start:stop], axis=0), (stop - start, 3))
    move = target - ankle[start:stop]
    move *= np.minimum(1.0, 0.1 * height / np.maximum(np.linalg.norm(move, axis=1), 1e-9))[:, None]
    offset[start:stop] = move
    for k in range(1, fade + 1):
        weight = 0.5 + 0.5 * np.cos(np.pi * k / (fade + 1))
        if start - k >= 0 and not offset[start - k].any():
            offset[start - k] = weight * move[0]
        if stop - 1 + k < len(offset):
            offset[stop - 1 + k] = weight * move[-1]


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Start and stop of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
