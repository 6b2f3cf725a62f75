"""What is measured, of a model and of plain interpolation alike. numpy only.

Shapes: N windows, T frames, J joints. Positions are global, metres, Y up; quaternions are global,
wxyz. Every function takes windows of one length; pool windows of one gap length before calling, since
the means of L2Q, L2P and NPSS run over windows and frames at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip, heading
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import INDEX

TOES = (INDEX["left_foot"], INDEX["right_foot"])
"""Balls of the feet; HumanML3D's joints 10 and 11."""

SKATE_HEIGHT, SKATE_SPEED, SKATE_WINDOW = 0.05, 0.5, 5  # metres, m/s, frames
CONTACT_SPEED = 0.2  # m/s


# -- LAFAN1's in-betweening benchmark ----------------------------------------------------------


@dataclass(frozen=True)
class PositionStatistics:
    """What L2P is scored by, from the windows the model was trained on.

    Attributes:
        mean, std: ``(J, 3)`` metres, of global positions in windows from :func:`facing_window`.
    """

    mean: Array
    std: Array


def facing_window(clip: Clip, frame: int) -> Clip:
    """The clip about the world's origin: mean of the root's path at x = z = 0, facing +Z at ``frame``.

    As in LAFAN1's benchmark (Harvey et al. 2020, "Robust Motion In-Betweening"), where windows face
    +X at the last frame of the past, the 10th of 65; only the names of the axes differ.
    """
    angle = -heading(clip)[frame]
    turned = clip.moved(rotations.from_axis_angle([0.0, angle, 0.0]), [0.0, 0.0, 0.0])
    centre = turned.root_positions.mean(0)
    return turned.moved(rotations.IDENTITY, [-centre[0], 0.0, -centre[2]])


def position_statistics(windows: Sequence[Clip]) -> PositionStatistics:
    """Mean and standard deviation of each joint's coordinates over all windows and frames.

    Args:
        windows: training windows, made by :func:`facing_window`.
    """
    positions = np.concatenate([w.positions() for w in windows])
    return PositionStatistics(positions.mean(0), positions.std(0))


def l2q(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean over windows and frames of the norm of the difference of all joints' global quaternions.

    Harvey et al. 2020, LAFAN1's benchmark. Quaternions there are continuous in time and both motions
    start from the same key; see :func:`same_signs`.

    Args:
        truth, predicted: ``(N, T, J, 4)``.
    """
    truth, predicted = same_signs(truth, predicted)
    return float(np.sqrt(np.square(predicted - truth).sum((-2, -1))).mean())


def l2p(truth: ArrayLike, predicted: ArrayLike, statistics: PositionStatistics) -> float:
    """The same for global positions in units of their standard deviation in training.

    Harvey et al. 2020, LAFAN1's benchmark.

    Args:
        truth, predicted: ``(N, T, J, 3)``, both moved as :func:`facing_window` moves the truth (the
            mean falls out of the difference, the direction does not: the deviations differ by axis).

    Raises:
        ValueError: a coordinate that never varied in training has no scale.
    """
    if not (statistics.std > 0).all():
        raise ValueError("a standard deviation of zero: L2P has no scale for that coordinate")
    difference = (np.asarray(predicted) - np.asarray(truth)) / statistics.std
    return float(np.sqrt(np.square(difference).sum((-2, -1))).mean())


def npss(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Normalised power spectrum similarity of global quaternions; 0 is best.

    Gopalakrishnan et al. 2019, as LAFAN1's benchmark computes it: per dimension the squared *real*
    parts of the Fourier transform over time, normalised to sum 1; the L1 distance of their cumulative
    sums; averaged with the truth's total power as weight.

    Args:
        truth, predicted: ``(N, T, J, 4)``.
    """
    a, b = same_signs(truth, predicted)
    return spectral_distance(a.reshape(*a.shape[:2], -1), b.reshape(*b.shape[:2], -1))


def spectral_distance(truth: ArrayLike, predicted: ArrayLike) -> float:
    """What :func:`npss` computes, of any features.

    Args:
        truth, predicted: ``(N, T, D)``.
    """
    power, other = (np.square(np.fft.fft(x, axis=1).real) for x in (truth, predicted))
    total = power.sum(1)  # (N, D)
    shares, others = _share(power, total), _share(other, other.sum(1))
    distance = np.abs(np.cumsum(shares, 1) - np.cumsum(others, 1)).sum(1)  # (N, D)
    weight = total.sum()
    return float((distance * total).sum() / weight) if weight > 0 else 0.0


def spectral_power(quaternions: ArrayLike) -> float:
    """The power that :func:`npss` weighs windows by: summed over dimensions and frequencies.

    Args:
        quaternions: ``(N, T, J, 4)``.
    """
    return float(np.square(np.fft.fft(rotations.continuous(quaternions, axis=1), axis=1).real).sum())


def _share(power: Array, total: Array) -> Array:
    """Power over its sum; a dimension without power has none at any frequency."""
    total = total[:, None]
    return np.divide(power, total, out=np.zeros_like(power), where=total > 0)


def same_signs(truth: ArrayLike, predicted: ArrayLike) -> tuple[Array, Array]:
    """Both continuous in time, each joint's track of a window with the sign nearer to the truth's.

    ``q`` and ``-q`` are one rotation; which of the two a model returns must not be measured.
    ``(N, T, J, 4) -> 2 x (N, T, J, 4)``.
    """
    truth = rotations.continuous(truth, axis=1)
    predicted = rotations.continuous(predicted, axis=1)
    opposite = (truth * predicted).sum((1, 3), keepdims=True) < 0
    return truth, np.where(opposite, -predicted, predicted)


# -- errors that can be pictured ---------------------------------------------------------------


def joint_error(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean distance between each joint and where it should be, centimetres.

    Args:
        truth, predicted: ``(..., J, 3)`` global positions over the gap.
    """
    return float(100 * np.linalg.norm(np.asarray(predicted) - np.asarray(truth), axis=-1).mean())


def jerk(positions: ArrayLike, fps: float) -> float:
    """Mean size of the third time derivative, m/s^3, by third differences; nan under 4 frames.

    Args:
        positions: ``(..., T, J, 3)``.
    """
    third = np.diff(np.asarray(positions, np.float64), n=3, axis=-3) * fps**3
    return float(np.linalg.norm(third, axis=-1).mean()) if third.size else nan


def penetration(positions: ArrayLike, ground: float = 0.0) -> float:
    """Depth of the lowest joint under the ground, 0 where it is above; mean over frames, centimetres.

    Args:
        positions: ``(..., T, J, 3)``; the joint counts, not the sole under it.
        ground: height of the ground, metres.
    """
    lowest = np.asarray(positions)[..., 1].min(-1)
    return float(100 * np.maximum(ground - lowest, 0).mean())


# -- completion and refinement: a number a window -----------------------------------------------

PARTS = tuple(
    (INDEX[a], INDEX[b])
    for a, b in (
        ("pelvis", "neck"), ("neck", "head"),
        *((f"{s}_{a}", f"{s}_{b}") for s in ("left", "right")
          for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))),
    )
)  # fmt: skip
"""Torso, head, upper and lower arms and legs: the ten parts of the Shelf and Campus benchmarks."""


def joint_errors(truth: ArrayLike, predicted: ArrayLike, where: ArrayLike | None = None) -> Array:
    """MPJPE: mean distance of a joint from where it should be, centimetres, a number a window.

    Args:
        truth, predicted: ``(N, T, J, 3)`` global positions, not aligned to each other.
        where: ``(N, T, J)`` boolean, what counts; None: everything.

    Returns:
        ``(N,)``; nan for a window in which nothing counts.
    """
    distance = 100 * np.linalg.norm(np.asarray(predicted) - np.asarray(truth), axis=-1)
    return _mean(distance, where)


def acceleration_errors(truth: ArrayLike, predicted: ArrayLike, where: ArrayLike | None = None) -> Array:
    """Mean size of the difference of accelerations, millimetres per squared frame, a number a window.

    Accelerations are second differences (Kanazawa et al. 2019, "Learning 3D Human Dynamics from Video";
    "Accel" of MMDM's tables). At 30 fps 1 mm a squared frame is 0.9 m/s^2.

    Args:
        truth, predicted: ``(N, T, J, 3)``, T of 3 or more.
        where: ``(N, T, J)``; a second difference counts where its middle frame does.

    Returns:
        ``(N,)``.
    """
    second = np.diff(np.asarray(predicted, np.float64) - np.asarray(truth, np.float64), n=2, axis=-3)
    size = 1000 * np.linalg.norm(second, axis=-1)
    return _mean(size, None if where is None else np.asarray(where, bool)[..., 1:-1, :])


def correct_parts(truth: ArrayLike, predicted: ArrayLike, where: ArrayLike | None = None,
                  alpha: float = 0.5) -> Array:  # fmt: skip
    """PCP: percentage of correct parts, a number a window.

    A part is correct if the mean distance of its two ends from where they should be is at most ``alpha``
    of its true length: Ferrari et al. 2008 ("Progressive Search Space Reduction for Human Pose
    Estimation"), in 3D and with the mean of the ends as Belagiannis et al. 2014 ("3D Pictorial
    Structures for Multiple Human Pose Estimation") have it.

    Args:
        truth, predicted: ``(N, T, 22, 3)``.
        where: ``(N, T, 22)``; a part counts where either of its ends does.

    Returns:
        ``(N,)`` in 0 to 100; nan for a window in which no part counts.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    starts, ends = (list(x) for x in zip(*PARTS, strict=True))
    off = np.linalg.norm(predicted - truth, axis=-1)
    length = np.linalg.norm(truth[..., starts, :] - truth[..., ends, :], axis=-1)
    right = (off[..., starts] + off[..., ends]) / 2 <= alpha * length
    counts = None if where is None else np.asarray(where)[..., starts] | np.asarray(where)[..., ends]
    return 100 * _mean(right, counts)


def turn_errors(truth: ArrayLike, predicted: ArrayLike, where: ArrayLike | None = None) -> Array:
    """Mean angle between rotations, degrees, a number a window.

    Args:
        truth, predicted: ``(N, T, J, 4)``.
        where: ``(N, T, J)``.
    """
    return _mean(np.degrees(rotations.angle_between(truth, predicted)), where)


def _mean(values: Array | NDArray[np.bool_], where: ArrayLike | None) -> Array:
    """Over all but the first axis, of what counts. ``(N, ...) -> (N,)``."""
    axes = tuple(range(1, values.ndim))
    if where is None:
        return values.mean(axes)
    where = np.broadcast_to(np.asarray(where, bool), values.shape)
    count = where.sum(axes)
    total = np.where(where, values, 0.0).sum(axes)
    return np.divide(total, count, out=np.full(len(values), nan), where=count > 0)


# -- foot skating ------------------------------------------------------------------------------


def skating_ratio(positions: ArrayLike, fps: float, ground: float = 0.0) -> float:
    """Share of the steps between frames in which a foot on the ground slides, 0 to 1.

    A step counts if either toe is lower than 5 cm at both its frames and moves over the ground faster
    than 0.5 m/s, in that step and on average over the 5 steps around it (zeros beyond the ends).
    Karunratanakul et al. 2023 (GMD); the measure most text-to-motion papers report, there
    at 20 fps. nan under 2 frames.

    Args:
        positions: ``(..., T, J, 3)``, canonical joints.
        ground: height of the ground, metres.
    """
    toes = np.asarray(positions, np.float64)[..., TOES, :]  # (..., T, 2, 3)
    speed = _ground_speed(toes, fps)  # (..., T - 1, 2)
    if not speed.size:
        return nan
    low = toes[..., 1] - ground < SKATE_HEIGHT
    half = SKATE_WINDOW // 2
    padded = np.pad(speed, [(0, 0)] * (speed.ndim - 2) + [(half, half), (0, 0)])
    average = np.lib.stride_tricks.sliding_window_view(padded, SKATE_WINDOW, axis=-2).mean(-1)
    slides = low[..., :-1, :] & low[..., 1:, :] & (speed > SKATE_SPEED) & (average > SKATE_SPEED)
    return float(slides.any(-1).mean())


def contact_steps(positions: ArrayLike, fps: float, ground: float = 0.0) -> NDArray[np.bool_]:
    """In which steps between frames each toe stands: lower than 5 cm at both ends, slower than 0.2 m/s.

    Args:
        positions: ``(..., T, J, 3)``, canonical joints; the true motion's, since a sliding foot would
            else not count as one that ought to stand.

    Returns:
        ``(..., T - 1, 2)``, left and right.
    """
    toes = np.asarray(positions, np.float64)[..., TOES, :]
    low = toes[..., 1] - ground < SKATE_HEIGHT
    return low[..., :-1, :] & low[..., 1:, :] & (_ground_speed(toes, fps) < CONTACT_SPEED)


def skating_speed(positions: ArrayLike, contacts: ArrayLike, fps: float) -> float:
    """Mean speed over the ground of a toe while it ought to stand, cm/s; nan if none ever does.

    Args:
        positions: ``(..., T, J, 3)``, canonical joints.
        contacts: ``(..., T - 1, 2)`` from :func:`contact_steps` of the true motion.
    """
    speed = _ground_speed(np.asarray(positions, np.float64)[..., TOES, :], fps)
    contacts = np.asarray(contacts, bool)
    return float(100 * speed[contacts].mean()) if contacts.any() else nan


def _ground_speed(points: Array, fps: float) -> Array:
    """Horizontal speed in each step between frames, m/s. ``(..., T, K, 3) -> (..., T - 1, K)``."""
    return np.linalg.norm(np.diff(points[..., [0, 2]], axis=-3), axis=-1) * fps


# -- keys --------------------------------------------------------------------------------------


def key_error(
    before: Clip, after: Clip, rotations_known: ArrayLike, root_known: ArrayLike
) -> tuple[float, float]:
    """Largest change to anything that was to be kept: degrees, and metres. (0, 0) means not one bit.

    Args:
        before, after: F frames, J joints.
        rotations_known: ``(F, J)``.
        root_known: ``(F,)``.
    """
    known, root = np.asarray(rotations_known, bool), np.asarray(root_known, bool)
    a, b = before.rotations[known], after.rotations[known]
    # q and -q are one rotation, and a clip chooses the sign by its first frame.
    same = (a == b).all(-1) | (a == -b).all(-1)
    angle = np.where(same, 0.0, np.degrees(rotations.angle_between(a, b)))
    moved = np.linalg.norm(after.root_positions[root] - before.root_positions[root], axis=-1)
    return float(angle.max(initial=0)), float(moved.max(initial=0))


# -- all of them -------------------------------------------------------------------------------


def measure(
    truth: Sequence[Clip], predicted: Sequence[Clip], gap: slice, statistics: PositionStatistics
) -> dict[str, float]:
    """Everything that goes into a row of the table, for windows of one gap.

    Args:
        truth: windows of one length and rate on the canonical joints, each made by
            :func:`facing_window`.
        predicted: the same windows filled, in the same place.
        gap: the missing frames. Skating and jerk also take in two frames on either side, where there
            are so many, so that a jump at a seam is seen.

    Returns:
        ``l2p``, ``l2q``, ``npss``, ``error_cm``, ``skating_ratio``, ``skating_speed`` (cm/s),
        ``penetration_cm``, ``jerk`` (m/s^3), and the true motion's own ``true_skating_ratio``,
        ``true_skating_speed``, ``true_jerk`` and ``true_penetration_cm``.
    """
    fps = truth[0].fps
    forms = {(len(c), c.fps, len(c.skeleton)) for c in (*truth, *predicted)}
    if len(truth) != len(predicted) or len(forms) != 1:
        raise ValueError("windows of one number, length and rate can be measured together")
    (tq, tp), (pq, pp) = (map(np.stack, zip(*(c.forward() for c in clips), strict=True))
                          for clips in (truth, predicted))  # fmt: skip
    wide = slice(max(gap.start - 2, 0), gap.stop + 2)
    contacts = contact_steps(tp[:, wide], fps)
    return {
        "l2p": l2p(tp[:, gap], pp[:, gap], statistics),
        "l2q": l2q(tq[:, gap], pq[:, gap]),
        "npss": npss(tq[:, gap], pq[:, gap]),
        "error_cm": joint_error(tp[:, gap], pp[:, gap]),
        "skating_ratio": skating_ratio(pp[:, wide], fps),
        "skating_speed": skating_speed(pp[:, wide], contacts, fps),
        "penetration_cm": penetration(pp[:, gap]),
        "jerk": jerk(pp[:, wide], fps),
        "true_skating_ratio": skating_ratio(tp[:, wide], fps),
        "true_skating_speed": skating_speed(tp[:, wide], contacts, fps),
        "true_jerk": jerk(tp[:, wide], fps),
        "true_penetration_cm": penetration(tp[:, gap]),
    }
