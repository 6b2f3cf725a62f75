"""Forward kinematics, two-bone inverse kinematics, and quantities derived from positions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import rotations
from .rotations import Array


def forward(parents: ArrayLike, local: ArrayLike, translations: ArrayLike) -> tuple[Array, Array]:
    """Global orientation and position of every joint.

    Args:
        parents: ``(J,)``, parents before children, -1 for a root.
        local: ``(..., J, 4)`` rotations relative to the parent.
        translations: ``(..., J, 3)`` positions in the parent's frame (a root's: in the world).

    Returns:
        ``(..., J, 4)`` and ``(..., J, 3)``.
    """
    local, translations = np.asarray(local), np.asarray(translations)
    batch = np.broadcast_shapes(local.shape[:-2], translations.shape[:-2])
    q = np.array(np.broadcast_to(local, (*batch, *local.shape[-2:])))
    p = np.array(np.broadcast_to(translations, (*batch, *translations.shape[-2:])),
                 np.result_type(local, translations))  # fmt: skip
    for j, parent in enumerate(np.asarray(parents)):
        if parent >= 0:
            p[..., j, :] = p[..., parent, :] + rotations.rotate(q[..., parent, :], p[..., j, :])
            q[..., j, :] = rotations.multiply(q[..., parent, :], q[..., j, :])
    return q, p


def local_rotations(parents: ArrayLike, global_rotations: ArrayLike) -> Array:
    """Rotations relative to the parent from global ones. ``(..., J, 4) -> (..., J, 4)``."""
    g = np.asarray(global_rotations)
    parents = np.asarray(parents)
    up = rotations.inverse(g[..., np.maximum(parents, 0), :])
    return np.where((parents < 0)[:, None], g, rotations.multiply(up, g))


def two_bone_ik(
    root: ArrayLike, middle: ArrayLike, end: ArrayLike, target: ArrayLike, hinge: ArrayLike
) -> tuple[Array, Array]:
    """Swing two bones so that their end meets the target, bending where they bend already.

    Lengths stay; out of reach the limb is stretched straight towards the target. Analytic
    (law of cosines): first the angle at the middle joint, then one swing of the whole limb.

    Args:
        root, middle, end: ``(..., 3)`` present positions, e.g. hip, knee, ankle.
        target: ``(..., 3)`` where the end should be.
        hinge: ``(..., 3)`` bend axis to use where the limb is straight now.

    Returns:
        Two world-space rotations ``(..., 4)``: one that premultiplies the first bone's global
        orientation, one that premultiplies the second's.
    """
    root, middle, end, target, hinge = np.broadcast_arrays(root, middle, end, target, hinge)
    upper, lower = middle - root, end - middle
    a, b = np.linalg.norm(upper, axis=-1), np.linalg.norm(lower, axis=-1)
    reach = np.linalg.norm(target - root, axis=-1)
    wanted = np.clip(reach, np.abs(a - b) + 1e-9, np.maximum(a + b - 1e-9, 0))
    axis = np.cross(upper, lower)
    straight = np.linalg.norm(axis, axis=-1, keepdims=True) < 1e-6 * (a * b)[..., None]
    flat = hinge - (hinge * upper).sum(-1, keepdims=True) / np.maximum(a * a, 1e-18)[..., None] * upper
    axis = rotations.normalize(np.where(straight, flat, axis))
    scale = np.maximum(2 * a * b, 1e-18)
    now = np.arctan2(np.linalg.norm(np.cross(upper, lower), axis=-1), (upper * lower).sum(-1))
    then = np.arccos(np.clip((wanted * wanted - a * a - b * b) / scale, -1, 1))
    bend = rotations.from_axis_angle(axis * (then - now)[..., None])
    bent_end = middle + rotations.rotate(bend, lower)
    swing = rotations.between(bent_end - root, target - root)
    return swing, rotations.multiply(swing, bend)


def velocity(x: ArrayLike, fps: float) -> Array:
    """Central differences along the first axis, one-sided at both ends; per second. Same shape."""
    x = np.asarray(x)
    if len(x) < 2:
        return np.zeros_like(x)
    return np.gradient(x, axis=0) * fps


def foot_contacts(
    feet: ArrayLike, fps: float, hip_height: float, ground: float = 0.0
) -> NDArray[np.bool_]:
    """Which feet stand, with hysteresis. ``(F, K, 3) -> (F, K)`` boolean.

    A point starts to stand when it is both low (5 % of the hip height over its own floor level)
    and slow (25 % of the hip height per second), and lets go only at twice those limits. The floor
    level of each point is the lower of ``ground`` plus 10 % of hip height and its own 5th
    percentile, since an ankle never touches the ground.
    """
    feet = np.asarray(feet, np.float64)
    if len(feet) == 0:
        return np.zeros(feet.shape[:2], bool)
    speed = np.linalg.norm(velocity(feet, fps), axis=-1) / hip_height
    floor = np.minimum(np.percentile(feet[..., 1], 5, axis=0), ground + 0.1 * hip_height)
    height = (feet[..., 1] - floor) / hip_height
    tight = (height < 0.05) & (speed < 0.25)
    loose = (height < 0.10) & (speed < 0.5)
    out = tight.copy()
    for f in range(1, len(out)):
        out[f] |= out[f - 1] & loose[f]
    for f in range(len(out) - 2, -1, -1):
        out[f] |= out[f + 1] & loose[f]
    return out
