"""Rotations from joint positions alone, where a collection has nothing better.

Pelvis and chest have three neighbours and so a full orientation. A limb's upper bone gets its twist
from the plane in which the knee or elbow bends, where it bends enough; the rest follows its parent by
the smallest turn. Positions come back to the stretch of the bones; twists of hands, feet and head are
guesses.
"""

from __future__ import annotations

import numpy as np

from blender_addon.motion import kinematics, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import INDEX, JOINTS, PARENTS, canonical

_CHILDREN = {j: [k for k in range(len(JOINTS)) if PARENTS[k] == j] for j in range(len(JOINTS))}
_HINGES = {f"{s}_{a}": (f"{s}_{b}", f"{s}_{c}") for s in ("left", "right")
           for a, b, c in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))}  # fmt: skip
_STRAIGHT = 0.1
"""Sine of the bend below which a knee or elbow shows no plane."""


def clip(positions: np.ndarray, fps: float, name: str = "") -> Clip:
    """Positions ``(F, 22, 3)``, Y up, metres -> a canonical clip; bone lengths are the median ones."""
    p = np.asarray(positions, np.float64)
    rest = canonical().offsets.copy()
    pelvis = _frame(p[:, INDEX["left_hip"]] - p[:, INDEX["right_hip"]], p[:, INDEX["spine1"]] - p[:, 0])
    chest_at = p[:, INDEX["spine3"]]
    chest = _frame(p[:, INDEX["left_collar"]] - p[:, INDEX["right_collar"]], p[:, INDEX["neck"]] - chest_at)
    known = {0: pelvis, INDEX["spine3"]: chest}
    for j in range(1, len(JOINTS)):
        bone = p[:, j] - p[:, PARENTS[j]]
        if PARENTS[j] in known:  # the parent's frame is known: the bone's own direction in it, on average
            rest[j] = np.median(rotations.rotate(rotations.inverse(known[PARENTS[j]]), bone), axis=0)
        else:
            rest[j] *= np.median(np.linalg.norm(bone, axis=-1)) / np.linalg.norm(rest[j])
    turned = np.zeros((len(p), len(JOINTS), 4))
    for j in range(len(JOINTS)):
        parent = turned[:, PARENTS[j]] if j else None
        if j in known:
            turned[:, j] = known[j]
        elif not _CHILDREN[j]:
            turned[:, j] = parent  # type: ignore[assignment]
        else:
            assert parent is not None
            bone = p[:, _CHILDREN[j][0]] - p[:, j]
            swing = rotations.between(rotations.rotate(parent, rest[_CHILDREN[j][0]]), bone)
            turned[:, j] = rotations.multiply(swing, parent)
            if JOINTS[j] in _HINGES:
                turned[:, j] = _twisted(turned[:, j], p, j, bone)
    rest[0] = 0.0, -_leg(rest), 0.0
    local = kinematics.local_rotations(PARENTS, turned)
    return Clip(canonical(rest), local, p[:, 0], fps, name=name)


def _leg(rest: np.ndarray) -> float:
    """Height of the lower ball of the foot against the pelvis in the rest pose (below: negative)."""
    chains = ([INDEX[f"{s}_{n}"] for n in ("hip", "knee", "ankle", "foot")] for s in ("left", "right"))
    return float(min(rest[c, 1].sum() for c in chains))


def _frame(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Orientation whose X is ``left`` and whose Y is nearest to ``up``. ``(F, 3)`` twice -> ``(F, 4)``."""
    x = rotations.normalize(left)
    y = rotations.normalize(up - (up * x).sum(-1, keepdims=True) * x)
    return rotations.from_matrix(np.stack([x, y, np.cross(x, y)], -1))


def _twisted(q: np.ndarray, p: np.ndarray, j: int, bone: np.ndarray) -> np.ndarray:
    """Turn the upper bone about itself until its hinge axis is across the plane of the bend.

    A knee bends backwards about X, an elbow forwards about Y (canonical rest axes); where the limb is
    nearly straight the twist is carried over from the frames around it.
    """
    middle, end = (INDEX[n] for n in _HINGES[JOINTS[j]])
    lower = p[:, end] - p[:, middle]
    along = rotations.normalize(bone)
    axis = np.cross(along, rotations.normalize(lower))
    bend = np.linalg.norm(axis, axis=-1)
    seen = bend > _STRAIGHT
    if not seen.any():
        return q
    name = JOINTS[j]
    rest = np.array([1.0, 0, 0]) if "hip" in name else np.array([0.0, -1 if "left" in name else 1, 0])
    now = rotations.rotate(q, rest)
    across = np.cross(along, now)
    angle = np.arctan2((axis * across).sum(-1), (axis * now).sum(-1))
    frames = np.arange(len(q))
    angle = np.interp(frames, frames[seen], np.unwrap(angle[seen]))
    return rotations.multiply(rotations.from_axis_angle(along * angle[:, None]), q)
