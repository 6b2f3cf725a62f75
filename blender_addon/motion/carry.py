"""Carrying over what changed: of a motion that went through the canonical skeleton and was changed
there, only the change comes back, and only onto the bones that it was asked for.

A character has more bones than the canonical 22 joints (four spine bones, twist bones), so a pose
that goes there and back is close to itself, not equal. With ``before`` and ``after`` the same round
trip without and with the change, ``D = after before^-1`` per bone, in the world, is the change alone:
identity where nothing changed, and the character's own details stay underneath it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import rotations
from .clip import Clip
from .errors import InvalidRequestError
from .interpolation import neighbours
from .rotations import Array
from .skeleton import PARENTS


def interpolated(clip: Clip, missing: ArrayLike) -> Clip:
    """``clip`` with the local rotations of its bones slerped over the frames where they are missing.

    Args:
        clip: F frames on any skeleton of J bones.
        missing: ``(F, J)`` boolean. Beyond the first and last frame that is there, poses are held; a
            bone that is missing everywhere stands as at rest.

    Raises:
        InvalidRequestError: ``missing`` is of another shape.
    """
    missing = np.asarray(missing, bool)
    if missing.shape != clip.rotations.shape[:2]:
        raise InvalidRequestError("missing", f"shape {missing.shape}, expected {clip.rotations.shape[:2]}")
    out = clip.rotations.copy()
    for j in np.flatnonzero(missing.any(0)):
        there = ~missing[:, j]
        if not there.any():
            out[:, j] = clip.skeleton.rest_rotations[j]
            continue
        before, after, t = neighbours(there)
        between = rotations.slerp(clip.rotations[before, j], clip.rotations[after, j], t)
        out[~there, j] = between[~there]
    return replace(clip, rotations=out)


def carried(own: Clip, before: Clip, after: Clip, bones: Collection[int], root: int | None = None) -> Clip:
    """``own`` with the change from ``before`` to ``after`` on some of its bones.

    Args:
        own: the character's own motion, F frames.
        before, after: the same bones and length, see the module.
        bones: indices of the bones that turn; every other one keeps its rotation in its parent.
        root: index of the bone whose place changes too; None: no place does.

    Returns:
        A clip on the same skeleton. Where ``before`` equals ``after`` it is ``own`` to rounding.
    """
    if not len(own) == len(before) == len(after):
        raise InvalidRequestError("clips", f"{len(own)}, {len(before)} and {len(after)} frames")
    (q_own, p_own), (q_old, p_old), (q_new, p_new) = own.forward(), before.forward(), after.forward()
    local, moved = own.rotations.copy(), own.local_translations()
    q, p = np.empty_like(q_own), np.empty_like(p_own)
    wanted = set(bones)
    for j, parent in enumerate(own.skeleton.parents):
        up = q[:, parent] if parent >= 0 else rotations.identity(len(own))
        at = p[:, parent] if parent >= 0 else np.zeros((len(own), 3))
        if j in wanted:
            change = rotations.multiply(q_new[:, j], rotations.inverse(q_old[:, j]))
            q[:, j] = rotations.normalize(rotations.multiply(change, q_own[:, j]))
            local[:, j] = rotations.multiply(rotations.inverse(up), q[:, j])
        else:
            q[:, j] = rotations.multiply(up, local[:, j])
        if j == root:
            p[:, j] = p_own[:, j] + p_new[:, j] - p_old[:, j]
            moved[:, j] = rotations.rotate(rotations.inverse(up), p[:, j] - at)
        else:
            p[:, j] = at + rotations.rotate(up, moved[:, j])
    kept = own.translations is not None or root not in (None, 0)
    return replace(own, rotations=local, root_positions=moved[:, 0], translations=moved if kept else None)


def jerk(clip: Clip, joints: NDArray[np.bool_]) -> float:
    """Mean size of the third derivative of joint positions, m/s^3, where ``joints`` ``(F, 22)`` is true.

    What hangs below a joint moves with it and counts too; 0 where fewer than four frames are there.

    Args:
        clip: on the canonical 22 joints.
    """
    if len(clip) < 4 or not joints.any():
        return 0.0
    moves = joints.copy()
    for j in range(1, len(PARENTS)):
        moves[:, j] |= moves[:, PARENTS[j]]
    size: Array = np.linalg.norm(np.diff(clip.positions(), n=3, axis=0), axis=-1) * clip.fps**3
    # the difference over frames f..f+3 belongs to whatever of them was asked for
    asked = moves[:-3] | moves[1:-2] | moves[2:-1] | moves[3:]
    return float(size[asked].mean()) if asked.any() else 0.0
