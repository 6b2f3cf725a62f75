"""Training masks as data: one small function a policy, drawn like the product's requests.

Each takes a random generator and a number of frames and returns ``rotation_known (T, 22)`` and
``root_known (T,)``. They end in :func:`constraints.keyed`, the constructor that the product's
in-betweening uses, so that what is trained is what is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

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


def partial_keys(rng: np.random.Generator, frames: int) -> Masks:
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


# -- completion (MMDM, sec. IV-A and V-D) -------------------------------------------------------------


def _missing(frames: int, missing: np.ndarray, root: np.ndarray | None = None) -> Masks:
    """Masks of :func:`constraints.complete`: all is known but ``missing`` ``(T, 22)``."""
    placed = np.ones(frames, bool) if root is None else ~root
    return ~missing, placed


def per_pose(rng: np.random.Generator, frames: int, share: float | None = None) -> Masks:
    """Pattern A: in every pose the same share of its joints, drawn anew (the paper's 0.3 and 0.5 inside)."""
    if share is None:
        count = int(rng.integers(1, round(0.8 * len(JOINTS)) + 1))
    else:
        count = round(share * len(JOINTS))
    order = rng.random((frames, len(JOINTS))).argsort(1)
    return _missing(frames, order < count)


def per_joint(rng: np.random.Generator, frames: int, share: float | None = None) -> Masks:
    """Pattern B: a share of all joints of all frames."""
    share = rng.uniform(0.1, 0.8) if share is None else share
    return _missing(frames, rng.random((frames, len(JOINTS))) < share)


def tracks(rng: np.random.Generator, frames: int, share: float) -> Masks:
    """A share of the joints missing between the first and the last frame."""
    missing = np.zeros((frames, len(JOINTS)), bool)
    missing[1:-1, rng.choice(len(JOINTS), round(share * len(JOINTS)), replace=False)] = True
    return _missing(frames, missing)


ALPHA = 0.5
"""Balance of confidence and error in :func:`mask_weights`."""


def mask_weights(confidence: np.ndarray, error: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """Eq. 9: how likely a joint is to be masked. ``(T, 22), (T, 22) -> (T, 22)`` in 0..1.

    The lower its confidence and the larger its triangulation error (relative to the largest), the
    larger its weight.
    """
    return alpha * (1 - confidence) + (1 - alpha) * error / max(float(error.max()), 1e-9)


def weighted(rng: np.random.Generator, frames: int) -> Masks:
    """Pattern C: a share of all joints of all frames, drawn by eq. 9's weights.

    The recordings have no confidence of their own; here a limb loses it for a while at a time, as
    behind furniture or another person, and its error grows as the confidence falls.
    """
    confidence = np.ones((frames, len(JOINTS)))
    for part in PARTS.values():
        for _ in range(int(rng.integers(0, 3))):
            middle, width = rng.uniform(0, frames), rng.uniform(2, 20)
            dip = rng.uniform(0.3, 1) * np.exp(-0.5 * ((np.arange(frames) - middle) / width) ** 2)
            confidence[:, part] *= 1 - dip[:, None]
    confidence *= rng.uniform(0.95, 1, confidence.shape)
    error = (1 - confidence) * rng.lognormal(0, 0.5, confidence.shape)
    weights = mask_weights(confidence, error)
    # without replacement, by weight (Efraimidis and Spirakis 2006): the smallest exponentials first
    count = round(rng.uniform(0.1, 0.5) * weights.size)
    key = rng.exponential(size=weights.shape) / np.maximum(weights, 1e-9)
    return _missing(frames, key <= np.partition(key.ravel(), count)[count])


def limbs(rng: np.random.Generator, frames: int) -> Masks:
    """One or two parts missing, through the whole window or for a while."""
    missing = np.zeros((frames, len(JOINTS)), bool)
    for name in rng.choice(list(PARTS), 1 if rng.random() < 0.6 else 2, replace=False):
        length = frames if rng.random() < 0.5 else int(rng.integers(min(4, frames), frames + 1))
        start = int(rng.integers(frames - length + 1))
        missing[start : start + length, PARTS[str(name)]] = True
    return _missing(frames, missing)


def occlusions(rng: np.random.Generator, frames: int) -> Masks:
    """Bursts: parts, a few joints, or everything missing for 2 to 30 frames at a time."""
    missing, root = np.zeros((frames, len(JOINTS)), bool), np.zeros(frames, bool)
    for _ in range(int(rng.integers(1, 6))):
        length = int(rng.integers(2, 31))
        start = int(rng.integers(max(frames - length, 1)))
        span = slice(start, min(start + length, frames))
        way = rng.random()
        if way < 0.5:
            missing[span, PARTS[str(rng.choice(list(PARTS)))]] = True
        elif way < 0.8:
            missing[span, rng.random(len(JOINTS)) < 0.4] = True
        else:
            missing[span] = root[span] = True
    if missing.all(1).all():
        missing[[0, -1]] = root[[0, -1]] = False
    return _missing(frames, missing, root)


KEYED: Mapping[str, Policy] = {"transition": transition, "sparse": sparse, "partial": partial_keys}
COMPLETION: Mapping[str, Policy] = {
    "per_pose": per_pose, "per_joint": per_joint, "weighted": weighted, "limbs": limbs, "occlusions": occlusions,
}  # fmt: skip
SHARES = (10, 20, 30, 40, 50, 60, 70, 80)
"""Per cent of the joints that the policies of :data:`FIXED` leave out."""
FIXED: Mapping[str, Policy] = {
    f"{name} {p} %": partial(policy, share=p / 100)
    for name, policy in {"per_pose": per_pose, "per_joint": per_joint, "tracks": tracks}.items() for p in SHARES
}  # fmt: skip
"""Completion at one share each, for the papers' curves."""
POLICIES: Mapping[str, Policy] = {**KEYED, **COMPLETION, **FIXED}
