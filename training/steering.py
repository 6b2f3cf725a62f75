"""Which joints steer at which frames in training: the dynamic masking strategy (DMS), and what it is compared with.

The paper says "masked" and "retained" both ways; here, as in its equations and its last section, what is
*retained* is what steers: joints that move far, at the frames in which they move. What steers is a
boolean, never a place other than zero, so that a target at the origin is a target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from blender_addon.motion.skeleton import JOINTS

UNIFORM = 0.2
"""Share of windows whose joints and frames are drawn evenly: by eq. 2 alone slow joints (a head, a standing
foot) are hardly ever learnt. The paper has no such share."""
FEWEST = 1
"""Frames that steer, at least; the share of frames is drawn evenly on a logarithmic scale from there to all,
for a pin at one frame and a path through all are both asked for. The paper does not say its share."""

Chances = Callable[[np.ndarray], np.ndarray]


def amplitude(positions: np.ndarray) -> np.ndarray:
    """Eq. 1: mean displacement of each joint from frame to frame. ``(T, N, 3) -> (N,)``, metres; 0 for one frame."""
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1)
    return steps.mean(0) if len(steps) else np.zeros(positions.shape[1])


def retention(moved: np.ndarray) -> np.ndarray:
    """Eq. 2: chance of each controllable joint to be kept as a control signal. ``(N,) -> (N,)``, sum 1.

    Evenly where nothing moves.
    """
    total = moved.sum()
    return moved / total if total > 1e-9 else np.full(len(moved), 1 / len(moved))


def frame_weights(positions: np.ndarray) -> np.ndarray:
    """Eq. 3: each frame's share of the chosen joints' displacement over the clip. ``(T, n, 3) -> (T,)``, sum 1.

    The first frame has no step before it (the paper's sum starts at a frame 0 that is not there): it
    takes that of the second.
    """
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1).sum(-1)
    steps = np.concatenate((steps[:1], steps)) if len(steps) else np.ones(1)
    return retention(steps)


def _evenly(moved: np.ndarray) -> np.ndarray:
    return np.full(len(moved), 1 / len(moved))


def _slow(moved: np.ndarray) -> np.ndarray:
    """The other way round: what moves far is masked (the paper's table 4, "higher masking in larger amplitude")."""
    return retention(moved.max(initial=0.0) - moved + 1e-6)


def _extremes(moved: np.ndarray) -> np.ndarray:
    """What moves moderately is masked: a chance by the distance from the median (table 4)."""
    return retention(np.abs(moved - np.median(moved)) + 1e-6)


STRATEGIES: Mapping[str, tuple[Chances, Chances]] = {
    "dms": (retention, retention),
    "uniform": (_evenly, _evenly),
    "without joints": (_evenly, retention),
    "without time": (retention, _evenly),
    "masking large": (_slow, _slow),
    "masking moderate": (_extremes, _extremes),
}
"""Name -> chances of joints from their amplitudes, and of frames from their weights (tables 1 to 4)."""


def steered(
    rng: np.random.Generator,
    positions: np.ndarray,
    strategy: str = "dms",
    controllable: Sequence[int] = tuple(range(len(JOINTS))),
    uniform: float = UNIFORM,
) -> np.ndarray:
    """Which joints steer at which frames. ``(T, 22)`` bool.

    One to three joints are drawn by their amplitude, then frames by how far those joints move in them,
    both without replacement.

    Args:
        rng: source of all randomness.
        positions: ``(T, 22, 3)`` world places of the joints.
        strategy: of :data:`STRATEGIES`.
        controllable: joints that may steer (the paper's set C).
        uniform: share of windows that are drawn evenly instead.
    """
    joints, frames = STRATEGIES["uniform" if rng.random() < uniform else strategy]
    allowed = np.asarray(controllable)
    count = min(int(rng.integers(1, 4)), len(allowed))
    chosen = allowed[_drawn(rng, joints(amplitude(positions[:, allowed])), count)]
    share = np.exp(rng.uniform(np.log(FEWEST), np.log(len(positions) + 1)))
    kept = _drawn(rng, frames(frame_weights(positions[:, chosen])), min(int(share), len(positions)))
    out = np.zeros(positions.shape[:2], bool)
    out[np.ix_(kept, chosen)] = True
    return out


def _drawn(rng: np.random.Generator, chances: np.ndarray, count: int) -> np.ndarray:
    """``count`` different indices by their chances (Efraimidis and Spirakis 2006)."""
    key = rng.exponential(size=len(chances)) / np.maximum(chances, 1e-12)
    return np.sort(np.argsort(key)[:count])
