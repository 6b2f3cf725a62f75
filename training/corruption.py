"""Noisy capture for refinement: what a camera or a suit would have delivered instead of the truth.

Each policy takes a random generator, local rotations ``(T, 22, 4)``, the root's path ``(T, 3)`` and the
skeleton's offsets ``(22, 3)`` in metres, and returns what was observed with the confidence that came
with it. A suit disturbs rotations, which add up along a limb; a camera disturbs places, which a solver
turns into rotations (:func:`evaluation.fit.fit`) that keep the bones' lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from blender_addon.motion import kinematics
from blender_addon.motion import rotations as r
from blender_addon.motion.constraints import heeded
from blender_addon.motion.skeleton import JOINTS, MIRROR, PARENTS

from .evaluation.fit import fit
from .masks import PARTS


@dataclass(frozen=True, eq=False)
class Observed:
    """Corrupted motion.

    Attributes:
        rotations: ``(T, 22, 4)``; roots: ``(T, 3)`` metres.
        confidence: ``(T, 22)``; root_confidence: ``(T,)``; 1: the truth, and known to be. As the product
            reads it: 0 where it is too low to be heeded (:func:`constraints.heeded`).
    """

    rotations: np.ndarray
    roots: np.ndarray
    confidence: np.ndarray
    root_confidence: np.ndarray


Corruption = Callable[[np.random.Generator, np.ndarray, np.ndarray, np.ndarray], Observed]

_MIRROR = np.array(MIRROR)
_SIDES = np.array([1, 1, -1, -1], np.float32)
TRUST = 0.5
"""The confidence of capture that says nothing about it; the product's default."""


def coloured(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> np.ndarray:
    """Noise of variance 1 whose neighbouring frames (axis 0) correlate by ``memory`` (AR(1))."""
    out = rng.normal(size=shape)
    for t in range(1, len(out)):
        out[t] = memory * out[t - 1] + np.sqrt(1 - memory**2) * out[t]
    return out


def _confidence(rng: np.random.Generator, level: np.ndarray) -> np.ndarray:
    """Confidence for noise of ``level`` degrees ``(T, 23)``: half of the time it says nothing."""
    if rng.random() < 0.5:
        return np.full(level.shape, TRUST)
    telling = np.exp(-level / 8) + rng.normal(0, 0.1, level.shape)
    return np.clip(telling, 0.05, 0.95)


def _noisy(rng: np.random.Generator, q: np.ndarray, p: np.ndarray, level: np.ndarray) -> Observed:
    """Turn joints and shift the root by noise of ``level`` ``(T, 23)``: degrees, and centimetres for the root."""
    memory = rng.uniform(0, 0.9) if rng.random() < 0.5 else 0.0
    turns = coloured(rng, (len(q), len(JOINTS), 3), memory) * np.radians(level[:, :-1, None])
    shifts = coloured(rng, (len(q), 3), memory) * level[:, -1:] / 100
    turned = r.multiply(q.astype(np.float64), r.from_axis_angle(turns))
    c = _confidence(rng, level)
    return _observed(turned, p + shifts, c[:, :-1], c[:, -1])


def jitter(rng: np.random.Generator, q: np.ndarray, p: np.ndarray, offsets: np.ndarray) -> Observed:
    """Noise on every joint, 0.3 to 12 degrees, and on the root, of a fifth to all as many centimetres."""
    level = np.exp(rng.uniform(np.log(0.3), np.log(12)))
    each = level * np.exp(rng.normal(0, 0.3, (1, len(JOINTS) + 1)))
    each[:, -1] *= rng.uniform(0.2, 1)
    return _noisy(rng, q, p, np.repeat(each, len(q), 0))


def bursts(rng: np.random.Generator, q: np.ndarray, p: np.ndarray, offsets: np.ndarray) -> Observed:
    """A little noise everywhere, and much of it on a part for 2 to 20 frames at a time."""
    level = np.full((len(q), len(JOINTS) + 1), np.exp(rng.uniform(np.log(0.2), np.log(3))))
    for _ in range(int(rng.integers(1, 6))):
        start, length = int(rng.integers(len(q))), int(rng.integers(2, 21))
        joints = [*PARTS[str(rng.choice(list(PARTS)))]] if rng.random() < 0.8 else [*range(len(JOINTS))]
        level[start : start + length, joints] = rng.uniform(5, 30)
    return _noisy(rng, q, p, level)


def swaps(rng: np.random.Generator, q: np.ndarray, p: np.ndarray, offsets: np.ndarray) -> Observed:
    """Left and right exchanged for 1 to 8 frames at a time (arms, legs, or both), and a little noise."""
    seen = _noisy(rng, q, p, np.full((len(q), len(JOINTS) + 1), np.exp(rng.uniform(np.log(0.1), np.log(3)))))
    turned, confidence = seen.rotations.copy(), seen.confidence.copy()
    for _ in range(int(rng.integers(1, 4))):
        start, length = int(rng.integers(len(q))), int(rng.integers(1, 9))
        span = slice(start, start + length)
        names = (("arm",), ("leg",), ("arm", "leg"))[int(rng.integers(3))]
        joints = [j for n in names for side in ("left", "right") for j in PARTS[f"{side}_{n}"]]
        turned[span, joints] = seen.rotations[span][:, _MIRROR[joints]] * _SIDES
        if rng.random() < 0.5:
            confidence[span, joints] *= 0.5
    return _observed(turned, seen.roots, confidence, seen.root_confidence)


def positions(rng: np.random.Generator, q: np.ndarray, p: np.ndarray, offsets: np.ndarray) -> Observed:
    """Noise on the place of every joint, 0.3 to 12 cm a coordinate, and the skeleton fitted to it."""
    deviation = float(np.exp(rng.uniform(np.log(0.003), np.log(0.12))))
    memory = rng.uniform(0, 0.9) if rng.random() < 0.3 else 0.0
    each = deviation * np.exp(rng.normal(0, 0.3, (1, len(JOINTS), 1)))
    places = _places(q, p, offsets)
    moved = places + each * coloured(rng, places.shape, memory)
    c = _confidence(rng, np.full((len(q), len(JOINTS) + 1), 300 * deviation))
    return _observed(fit(q, p, offsets, moved), moved[:, 0], c[:, :-1], c[:, -1])


def lost(rng: np.random.Generator, q: np.ndarray, p: np.ndarray, offsets: np.ndarray) -> Observed:
    """A limb's joints shake, or left and right are taken for each other, for 2 to 20 frames at a time.

    Half of the time the tracker knows which joints it lost, and all others are the truth.
    """
    places = _places(q, p, offsets)
    moved = places.copy()
    for _ in range(int(rng.integers(1, 5))):
        start, length = int(rng.integers(len(q))), int(rng.integers(2, 21))
        span, name = slice(start, start + length), ("arm", "leg")[int(rng.integers(2))]
        left, right = (PARTS[f"{side}_{name}"][1:] for side in ("left", "right"))
        if rng.random() < 0.5:
            joints = list(left if rng.random() < 0.5 else right)
            shape = moved[span][:, joints].shape
            moved[span, joints] += rng.uniform(0.02, 0.15) * rng.normal(size=shape)
        else:
            moved[span, [*left, *right]] = places[span][:, [*right, *left]]
    found = fit(q, p, offsets, moved).astype(np.float32)
    wrong = (r.angle_between(found, q) > 1e-3) & (moved != places).any((1, 2))[:, None]
    found[~wrong] = q[~wrong]
    if rng.random() < 0.5:
        confidence = np.where(wrong, rng.uniform(0.05, 0.3), 1.0)
    else:
        confidence = np.full(wrong.shape, TRUST)
    return _observed(found, p, confidence, confidence[:, 0])


def _observed(q: np.ndarray, p: np.ndarray, confidence: np.ndarray, root_confidence: np.ndarray) -> Observed:
    one = np.float32
    return Observed(
        q.astype(one), p.astype(one), heeded(confidence).astype(one),
        heeded(root_confidence[:, None])[:, 0].astype(one),
    )  # fmt: skip


def _places(q: np.ndarray, p: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Forward kinematics. ``(T, 22, 3)``."""
    bones = np.broadcast_to(offsets, (len(q), *offsets.shape)).astype(np.float64)
    bones[:, 0] = p
    return kinematics.forward(PARENTS, q.astype(np.float64), bones)[1]


CORRUPTIONS: Mapping[str, Corruption] = {
    "jitter": jitter, "bursts": bursts, "swaps": swaps, "positions": positions, "lost": lost,
}  # fmt: skip
