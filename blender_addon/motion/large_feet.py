"""Feet that are larger than the source's, in units of the legs: near the floor they are pitched down less.

A heel that goes up by a share of the leg tilts a large foot less than a small one. With the source's angle a foot
of twice the size would lift its leg twice as far, or push its toes into the floor, and knees would have to bend
for it. So near the floor the pitch beyond flat is scaled in the inverse ratio of the feet's sizes; a foot that
is pointed in the air stays as it is, and so do toes, thighs and shins.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import rotations
from .clip import Clip
from .contacts import SIDES, sole_offsets, soles
from .foot_lock import smooth
from .retarget import legs
from .rotations import Array
from .skeleton import INDEX, PARENTS, Skeleton

ALIKE = 1.25
"""Feet up to so much larger than the source's tilt as they do."""
NEAR, FAR = 0.1, 0.3
"""Of the hip height: a sole lower than the first is near the floor, one higher than the second is in the air."""
_UP = np.array([0.0, 1.0, 0.0])
_BALL = 1


def size(skeleton: Skeleton) -> float:
    """Distance from the ankle to the sole under the ball of a canonical skeleton, in leg lengths."""
    length, _ = legs(skeleton)
    return float(np.linalg.norm(sole_offsets(skeleton)[:, _BALL], axis=-1).mean()) / length


def levelled(clip: Clip, source: Skeleton, ground: float = 0.0) -> Clip:
    """A canonical clip whose feet tilt as little near the floor as their size asks for.

    Args:
        clip: with the target's proportions.
        source: canonical, whose motion it is.
        ground: height of the floor under the target.
    """
    share = ALIKE * size(source) / max(size(clip.skeleton), 1e-9)
    if share >= 1 or not len(clip):
        return clip
    q, p = clip.forward()
    points = soles(clip.skeleton, q, p)
    local = clip.rotations.copy()
    for k, side in enumerate(SIDES):
        ankle, toes = INDEX[f"{side}_ankle"], INDEX[f"{side}_foot"]
        turn = raised(points[:, k, _BALL] - p[:, ankle], sole_offsets(clip.skeleton)[k, _BALL], share)
        height = (points[:, k, _BALL, 1] - ground) / clip.hip_height
        weight = 1 - smooth((height - NEAR) / (FAR - NEAR))
        foot = rotations.multiply(rotations.from_axis_angle(turn * weight[:, None]), q[:, ankle])
        local[:, ankle] = rotations.multiply(rotations.inverse(q[:, PARENTS[ankle]]), foot)
        local[:, toes] = rotations.multiply(rotations.inverse(foot), q[:, toes])
    return replace(clip, rotations=local)


def raised(ball: Array, flat: Array, share: float) -> Array:
    """Rotation vectors that leave only ``share`` of a foot's pitch beyond flat. ``(F, 3)``.

    Args:
        ball: ``(F, 3)`` from the ankle to the sole under the ball.
        flat: ``(3,)`` the same of the foot that stands flat.
    """
    down = np.arcsin(np.clip(-rotations.normalize(ball)[:, 1], -1, 1))
    stands = np.arcsin(np.clip(-rotations.normalize(flat)[1], -1, 1))
    less = (1 - share) * np.maximum(down - stands, 0)
    # a foot that points straight down has no direction to be raised in
    return rotations.normalize(np.cross(ball, _UP)) * less[:, None]
