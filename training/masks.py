"""Training masks as data: one small function a policy, drawn like the product's requests.

Each takes a random generator and a number of frames and returns ``rotation_known (T, 22)`` and
``root_known (T,)``. They end in :func:`constraints.keyed`, the constructor that the product's
in-betweening uses, so that what is trained is what is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from blender_addon.motion import constraints
from blender_addon.motion.skeleton import INDEX, JOINTS

Masks = tuple[np.ndarray, np.ndarray]
Policy = Callable[[np.random.Generator, int], Masks]

_ARM = ("collar", "shoulder", "elbow", "wrist")
_LEG = ("hip", "knee", "ankle", "foot")
PARTS: Mapping[str, tuple[int, ...]] = {
    "torso": tuple(INDEX[n] for n in ("spine1", "spine2", "spine3", "neck", "head")),
    **{f"{s}_arm": tuple(INDEX[f"{s}_{n}"] for n in _ARM) for s in ("left", "right")},
    **{f"{s}_leg": tuple(INDEX[f"{s}_{n}"] for n in _LEG) for s in ("left", "right")},
}


def transition(rng: np.random.Generator, frames: int) -> Masks:
    """Known stretches with gaps of 2 to 60 frames between them, as completed capture has them.

    A stretch is one frame (a lone key) half of the time, else 2 to 20 frames of context. The first
    and the last frame are known: nothing is asked for beyond the keys.
    """
    keys = np.zeros(frames, bool)
    at = 0
    while at < frames:
        stretch = 1 if rng.random() < 0.5 else int(rng.integers(2, 21))
        keys[at : at + stretch] = True
        at += stretch
        longest = min(60, frames - at - 1)
        if longest < 2:
            keys[at:] = True
            break
        at += int(rng.integers(2, longest + 1))
    keys[-1] = True
    return constraints.keyed(frames, keys)


def sparse(rng: np.random.Generator, frames: int) -> Masks:
    """Whole poses at random frames, gaps of 2 to 60, first and last frame keyed."""
    keys = np.zeros(frames, bool)
    keys[0] = keys[-1] = True
    typical = float(np.exp(rng.uniform(np.log(4), np.log(45))))
    at = 0
    while True:
        step = int(np.clip(rng.exponential(typical) + 3, 3, 61))
        left = frames - 1 - at
        if step > left - 3:  # no room for another gap of 2 before the last key
            if left <= 61:
                break
            step = left // 2
        at += step
        keys[at] = True
    return constraints.keyed(frames, keys)


def partial(rng: np.random.Generator, frames: int) -> Masks:
    """Sparse keys of which some leave out limbs, single joints, or the root's place."""
    rotation, root = sparse(rng, frames)
    keyed = np.flatnonzero(rotation.any(1))
    joints = rotation.copy()
    for f in keyed[1:-1] if rng.random() < 0.8 else keyed:
        way = rng.random()
        if way < 0.45:  # only some parts are posed
            for part in PARTS.values():
                if rng.random() < 0.5:
                    joints[f, part] = False
            joints[f, 0] = root[f] = rng.random() < 0.6
        elif way < 0.6:  # single joints
            joints[f] &= rng.random(len(JOINTS)) < rng.uniform(0.2, 0.9)
            root[f] = joints[f, 0]
        elif way < 0.7:  # the pose without its place
            root[f] = False
    if joints.any(1).sum() < 2:
        joints[[0, -1]] = root[[0, -1]] = True
    return constraints.keyed(frames, joints.any(1), joints, root)


POLICIES: Mapping[str, Policy] = {"transition": transition, "sparse": sparse, "partial": partial}
