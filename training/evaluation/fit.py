"""Rotations for given joint positions: bone lengths are kept, every bone points where it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from blender_addon.motion import kinematics, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import PARENTS

_CHILDREN = [[c for c, p in enumerate(PARENTS) if p == j] for j in range(len(PARENTS))]
_ENDS = [j for j, children in enumerate(_CHILDREN) if not children]


def _levels() -> list[list[int]]:
    """Joints that have children, by their distance from the root: limbs side by side go at once."""
    depth = [0] * len(PARENTS)
    for j, parent in enumerate(PARENTS):
        depth[j] = depth[parent] + 1 if parent >= 0 else 0
    return [[j for j, d in enumerate(depth) if d == k and _CHILDREN[j]] for k in range(max(depth))]


_LEVELS = _levels()


def to_positions(clip: Clip, positions: ArrayLike) -> Clip:
    """The clip bent so that its joints come close to ``positions`` ``(F, 22, 3)``; see :func:`fit`."""
    local = fit(clip.rotations, clip.root_positions, clip.skeleton.offsets, positions)
    return replace(clip, rotations=local, root_positions=np.array(positions, np.float64)[:, 0])


def fit(local: ArrayLike, root: ArrayLike, offsets: ArrayLike, positions: ArrayLike) -> Array:
    """Local rotations that bring the joints of a skeleton close to given positions.

    From the root outwards: a joint with one child is swung, by the smallest turn, until its bone points
    from where the joint has come to lie to where the child should be, so that errors do not add up along
    a limb; one with several children (pelvis, upper spine) takes the rotation that brings all of them
    nearest (Kabsch 1976). Twist about a bone stays as it was, for points say nothing about it; joints
    without children keep their local rotations. The root goes where its position says.

    Args:
        local: ``(..., 22, 4)`` rotations to start from.
        root: ``(..., 3)`` their root positions.
        offsets: ``(22, 3)``, or one skeleton each: ``(..., 22, 3)``.
        positions: ``(..., 22, 3)`` where the joints should be.

    Returns:
        ``(..., 22, 4)``.
    """
    target, local = np.asarray(positions, np.float64), np.asarray(local, np.float64)
    bones = np.broadcast_to(offsets, target.shape)
    turned = local.copy()
    for joints in _LEVELS:  # global rotations to start from; joints without children need none
        below = [c for j in joints for c in _CHILDREN[j] if _CHILDREN[c]]
        above = turned[..., [PARENTS[c] for c in below], :]
        turned[..., below, :] = rotations.multiply(above, local[..., below, :])
    placed = np.empty_like(target)
    placed[..., 0, :] = target[..., 0, :]
    for joints in _LEVELS:
        single = [j for j in joints if len(_CHILDREN[j]) == 1]
        if single:
            ends, start = [_CHILDREN[j][0] for j in single], turned[..., single, :]
            now = rotations.rotate(start, bones[..., ends, :])
            swing = rotations.between(now, target[..., ends, :] - placed[..., single, :])
            turned[..., single, :] = rotations.multiply(swing, start)
        for j in [j for j in joints if len(_CHILDREN[j]) > 1]:
            ends = _CHILDREN[j]
            turned[..., j, :] = _nearest(bones[..., ends, :], target[..., ends, :] - placed[..., j, None, :])
        below = [c for j in joints for c in _CHILDREN[j]]
        above = [PARENTS[c] for c in below]
        placed[..., below, :] = placed[..., above, :] + rotations.rotate(
            turned[..., above, :], bones[..., below, :]
        )
    found = kinematics.local_rotations(PARENTS, turned)
    found[..., _ENDS, :] = local[..., _ENDS, :]
    return found


def _nearest(rest: Array, target: Array) -> Array:
    """The rotation that brings rest vectors nearest to others. ``2 x (..., K, 3) -> (..., 4)``."""
    u, _, v = np.linalg.svd(np.einsum("...ki,...kj->...ij", target, rest))
    flip = np.ones((*u.shape[:-2], 1, 3))
    flip[..., 0, 2] = np.sign(np.linalg.det(u @ v))  # a rotation, never a mirror image
    return rotations.from_matrix((u * flip) @ v)
