"""Hips that are broader than the source's, in units of the legs: their swing is scaled to their breadth.

Where hip joints are twice as far apart, the same roll and turn of the pelvis lifts and carries the feet
twice as far, and standing feet would slide and lift. So the line through both hip joints swings less
about the way that the body faces, in the inverse ratio of breadths. Thighs, chest and all else keep
their directions in the world.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import root_motion, rotations
from .clip import Clip
from .retarget import legs
from .rotations import Array
from .skeleton import INDEX, PARENTS, Skeleton

ALIKE = 1.25
"""Hips up to so much broader than the source's swing as they are."""
WHOLE, NONE = np.radians(15.0), np.radians(50.0)
"""Swing of the hip line up to which all of it is scaled, and from which nothing is: who lies on a side lies on it."""
_LEFT, _RIGHT = INDEX["left_hip"], INDEX["right_hip"]
_ACROSS = np.array([1.0, 0.0, 0.0])


def breadth(skeleton: Skeleton) -> float:
    """Distance of the hip joints of a canonical skeleton, in leg lengths."""
    length, _ = legs(skeleton)
    return float(np.linalg.norm(skeleton.offsets[_LEFT] - skeleton.offsets[_RIGHT])) / length


def steadied(clip: Clip, source: Skeleton) -> Clip:
    """A canonical clip whose pelvis swings as little as its breadth asks for, the root in its place.

    Args:
        clip: with the target's proportions.
        source: canonical, whose motion it is.
    """
    share = ALIKE * breadth(source) / max(breadth(clip.skeleton), 1e-9)
    if share >= 1 or len(clip) < 2:
        return clip
    old = clip.rotations[:, 0]
    turn = scaled(old, root_motion.ground_path(clip).turns, share)
    new = rotations.multiply(turn, old)
    local = clip.rotations.copy()
    local[:, 0] = new
    back = rotations.multiply(rotations.inverse(new), old)
    for j, parent in enumerate(PARENTS):
        if parent == 0:  # thighs and spine stay as they are in the world
            local[:, j] = rotations.multiply(back, local[:, j])
    return replace(clip, rotations=local)


def scaled(pelvis: Array, facing: Array, share: float) -> Array:
    """World rotations ``(F, 4)`` that bring the hip line nearer to square with ``facing`` ``(F, 4)``."""
    seen = rotations.rotate(rotations.multiply(rotations.inverse(facing), pelvis), _ACROSS)
    angle = np.arccos(np.clip(seen[:, 0], -1, 1))
    fade = np.clip((angle - WHOLE) / (NONE - WHOLE), 0, 1)
    less = (1 - share) * angle * (1 - fade * fade * (3 - 2 * fade))
    axis = rotations.normalize(np.cross(seen, _ACROSS))
    return rotations.multiply(rotations.multiply(facing, rotations.from_axis_angle(axis * less[:, None])),
                              rotations.inverse(facing))  # fmt: skip
