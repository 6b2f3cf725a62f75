"""The usual cures for noise: Savitzky-Golay and One Euro, with settings chosen on validation clips.

Arrays are ``(N, T, D)``: N windows of T frames, D coordinates, each filtered by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import savgol_filter

from blender_addon.motion import kinematics, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import PARENTS

from .. import metrics
from .fit import fit


def savitzky_golay(x: ArrayLike, window: int, order: int) -> Array:
    """Least-squares polynomials in a sliding window (Savitzky and Golay 1964), ends by the last window's.

    Args:
        x: ``(N, T, D)``.
        window: frames, odd; cut down to what a short clip has.
        order: of the polynomial.
    """
    x = np.asarray(x, np.float64)
    window = min(window, x.shape[1] - 1 + x.shape[1] % 2)
    return x if window <= order else np.asarray(savgol_filter(x, window, order, axis=1), np.float64)


def one_euro(x: ArrayLike, fps: float, cutoff: float, beta: float, speed_cutoff: float = 1.0) -> Array:
    """Low-pass whose cutoff rises with speed (Casiez, Roussel and Vogel 2012, "1 Euro Filter").

    ``alpha(f) = 1 / (1 + fps / (2 pi f))``; the speed is low-passed at ``speed_cutoff`` Hz, the value at
    ``cutoff + beta |speed|``. Causal: it lags, as it does where it is used.

    Args:
        x: ``(N, T, D)``.
        cutoff: Hz, of what stands still.
        beta: Hz for each unit a second.
    """
    x = np.asarray(x, np.float64)
    out, speed = x.copy(), np.zeros_like(x[:, 0])
    share = _share(speed_cutoff, fps)
    for t in range(1, x.shape[1]):
        speed = speed + share * ((x[:, t] - x[:, t - 1]) * fps - speed)
        alpha = _share(cutoff + beta * np.abs(speed), fps)
        out[:, t] = out[:, t - 1] + alpha * (x[:, t] - out[:, t - 1])
    return out


def _share(cutoff: Any, fps: float) -> Any:
    """Weight of the new value in a first-order low-pass of ``cutoff`` Hz."""
    return 1 / (1 + fps / (2 * np.pi * cutoff))


# -- on clips ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filter:
    """A filter with its settings.

    Attributes:
        kind: ``"savitzky_golay"`` or ``"one_euro"``.
        on: ``"rotations"``: the local quaternions (continuous in time, made unit again) and the root's
            path; ``"positions"``: the joints' paths, to which the skeleton is fitted (:mod:`fit`).
        first, second: window and order, or cutoff and beta.
    """

    kind: str
    on: str
    first: float
    second: float

    def __call__(self, clips: Sequence[Clip]) -> list[Clip]:
        """Filtered clips, of one length and rate."""
        if not clips:
            return []
        local, root, offsets = stacked(clips)
        local, root, _ = self.run(local, root, offsets, positions_of(local, root, offsets), clips[0].fps)
        return [replace(c, rotations=q, root_positions=p) for c, q, p in zip(clips, local, root, strict=True)]

    def run(self, local: Array, root: Array, offsets: Array, positions: Array,
            fps: float) -> tuple[Array, Array, Array]:  # fmt: skip
        """Filtered local rotations, roots and joint positions of what :func:`stacked` gives."""
        if self.on == "rotations":
            local, root = rotations.normalize(self._smooth(local, fps)), self._smooth(root, fps)
        else:
            target = self._smooth(positions, fps)
            local, root = fit(local, root, offsets, target), target[..., 0, :]
        return local, root, positions_of(local, root, offsets)

    def _smooth(self, x: Array, fps: float) -> Array:
        flat = x.reshape(*x.shape[:2], -1)
        if self.kind == "savitzky_golay":
            flat = savitzky_golay(flat, int(self.first), int(self.second))
        else:
            flat = one_euro(flat, fps, self.first, self.second)
        return flat.reshape(x.shape)

    def __str__(self) -> str:
        names = ("window", "order") if self.kind == "savitzky_golay" else ("cutoff", "beta")
        return f"on {self.on}, {names[0]} {self.first:g}, {names[1]} {self.second:g}"


def stacked(clips: Sequence[Clip]) -> tuple[Array, Array, Array]:
    """Local rotations ``(N, T, 22, 4)``, roots ``(N, T, 3)`` and offsets ``(N, 1, 22, 3)`` of clips."""
    return (np.stack([c.rotations for c in clips]), np.stack([c.root_positions for c in clips]),
            np.stack([c.skeleton.offsets for c in clips])[:, None])  # fmt: skip


def positions_of(local: Array, root: Array, offsets: Array) -> Array:
    """Joint positions ``(N, T, 22, 3)`` of what :func:`stacked` gives."""
    bones = np.array(np.broadcast_to(offsets, (*local.shape[:-1], 3)))
    bones[..., 0, :] = root
    return kinematics.forward(PARENTS, local, bones)[1]


ON = ("rotations", "positions")
GRIDS = {
    # orders 0 and 1, and 2 and 3, are the same filter but at the ends
    "savitzky_golay": tuple(Filter("savitzky_golay", *f) for f in product(ON, (5, 7, 9, 13, 17, 25, 35), (1, 3))),
    "one_euro": tuple(Filter("one_euro", *f) for f in product(ON, (0.5, 1.0, 2.0, 4.0, 8.0), (0.0, 0.5, 2.0, 8.0))),
}  # fmt: skip


def choose(kind: str, truth: Sequence[Clip], noisy: Sequence[Clip]) -> Filter:
    """The settings of the lowest mean joint error on these clips, which must not be the measured ones."""
    wanted = np.stack([c.positions() for c in truth])
    given = stacked(noisy)
    positions, fps = positions_of(*given), noisy[0].fps

    def error(settings: Filter) -> float:
        return float(metrics.joint_errors(wanted, settings.run(*given, positions, fps)[2]).mean())

    return min(GRIDS[kind], key=error)
