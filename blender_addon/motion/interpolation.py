"""Plain interpolation, the baseline that every result is measured against.

Slerp of each joint between its own known frames, lerp of the root between the frames where its
place is known, held beyond the first and last. A joint that is known nowhere stands as in the
T-pose; a root known nowhere stands at its hip height over the origin.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from . import rotations
from .clip import Clip
from .constraints import Request
from .rotations import Array


def neighbours(known: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """For every frame the known frames around it and the way between them.

    Args:
        known: ``(F, ...)``.

    Returns:
        before, after ``(F, ...)`` frame numbers (equal at known frames and beyond the ends; 0 where
        nothing is known) and the fraction ``(F, ...)`` in 0..1.
    """
    f = len(known)
    frames = np.arange(f).reshape(f, *(1,) * (known.ndim - 1))
    before = np.maximum.accumulate(np.where(known, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, frames, f)[::-1], axis=0)[::-1]
    first, last = before < 0, after >= f
    before, after = np.where(first, after, before), np.where(last, before, after)
    nothing = first & last
    before, after = np.where(nothing, 0, before), np.where(nothing, 0, after)
    gap = after - before
    return before, after, np.where(gap > 0, (frames - before) / np.maximum(gap, 1), 0.0)


def fill(request: Request) -> Clip:
    """The request's clip with everything that is not observed interpolated from what is.

    What is observed but not known (refinement) stays as it is. Known values are copied bit for bit.
    """
    return keep_known(filled(request.clip, *request.observed()), request)


def filled(clip: Clip, rotation_known: NDArray[np.bool_], root_known: NDArray[np.bool_]) -> Clip:
    """The clip with the unknown interpolated; known rotations up to the quaternion's sign.

    Args:
        clip: the canonical 22-joint clip, F frames.
        rotation_known: ``(F, 22)``; root_known: ``(F,)``.
    """
    before, after, t = neighbours(rotation_known)
    joints = np.arange(rotation_known.shape[1])
    a, b = clip.rotations[before, joints], clip.rotations[after, joints]
    turned = np.where((t == 0)[..., None], a, rotations.slerp(a, b, t))
    turned[:, ~rotation_known.any(0)] = rotations.IDENTITY
    before, after, t = neighbours(root_known)
    a, b = clip.root_positions[before], clip.root_positions[after]
    root = np.where((t == 0)[..., None], a, a + (b - a) * t[..., None])
    if not root_known.any():
        root = np.tile([0.0, clip.hip_height, 0.0], (len(clip), 1))
    return replace(clip, rotations=turned, root_positions=root, translations=None)


def keep_known(clip: Clip, request: Request) -> Clip:
    """``clip`` with the known rotations and root places of ``request``, bit for bit.

    A Clip makes the signs of its quaternions continuous along time; at known frames the request's
    own signs win, for an animator's key must come back as the very numbers it was.
    """
    known = request.rotation_known
    turned = np.where(known[..., None], request.clip.rotations, clip.rotations)
    root = np.where(request.root_known[:, None], request.clip.root_positions, clip.root_positions)
    out = replace(clip, rotations=turned, root_positions=root)
    out.rotations[known] = request.clip.rotations[known]
    return out
