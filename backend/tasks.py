"""From a request to a result: rates, windows, sampling, finishing, and what is measured on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from blender_addon.motion import interpolation, kinematics, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request, Result
from blender_addon.motion.errors import InvalidRequestError, JobCancelled
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import INDEX, JOINTS

from . import features
from .finish import finish
from .systems.base import System

FPS = 30.0
LONGEST = 128
"""Frames of one window; longer ranges are covered by windows that overlap at keys."""
OVERLAP = 12
OPTIONS = {"feet": bool}

Progress = Callable[[int, int], None]
FEET = [INDEX[n] for n in ("left_ankle", "right_ankle", "left_foot", "right_foot")]


@dataclass(frozen=True)
class Span:
    """Frames ``start`` to ``stop`` (exclusive) at 30 fps, read at every ``stride``-th frame or so."""

    start: int
    stop: int
    frames: tuple[int, ...]


def run(request: Request, system: System, progress: Progress, cancelled: Callable[[], bool]) -> Result:
    """Fill in what the request does not know.

    Args:
        request: checked by its own constructor.
        system: fills windows.
        progress: called with (step, total) before every network evaluation and once at the end.
        cancelled: looked at before every network evaluation.

    Raises:
        InvalidRequestError: a task the system cannot do, or an unknown option.
        JobCancelled: ``cancelled()`` became true.
    """
    # 1. arguments
    if request.task not in system.tasks:
        raise InvalidRequestError(
            "task", f"{system.name} cannot do {request.task!r}", f"It can do {sorted(system.tasks)}."
        )
    for key, value in request.options.items():
        if not isinstance(value, OPTIONS.get(key, ())):
            raise InvalidRequestError(
                "options", f"{key!r}: {value!r} is not known", f"Known: {sorted(OPTIONS)}."
            )
    if request.task == "inbetween" and request.rotation_known.any(1).sum() < 2:
        raise InvalidRequestError(
            "rotation_known", "fewer than two keyed frames", "Key a first and a last pose."
        )
    # 2. the same request at 30 fps, and the windows that cover it
    grid = to_grid(request)
    baseline = interpolation.fill(request)
    spans = plan(grid.rotation_known.any(1) | grid.root_known)
    total = sum(system.evaluations(v) for v in range(request.variations)) * len(spans)
    done = 0

    def step() -> None:
        nonlocal done
        if cancelled():
            raise JobCancelled("cancelled")
        progress(done, total)
        done += 1

    # 3. sample every variation, add its difference to the interpolation, finish
    clips = []
    for variation in range(request.variations):
        generator = torch.Generator().manual_seed((request.seed * 1_000_003 + variation) % 2**63)
        difference = _sample(grid, spans, system, variation, generator, step)
        moved = add(baseline, difference, grid.warp)
        clips.append(
            finish(moved, request, feet=bool(request.options.get("feet", True)) and difference.any())
        )
    progress(total, total)
    # 4. measure
    report: dict[str, Any] = {
        "evaluations": total, "windows": len(spans),
        "key_change": max(key_change(request, c) for c in clips),
        "skating": {"model": skating(clips[0]), "interpolation": skating(baseline)},
        "longest_gap_seconds": _longest_gap(grid.rotation_known.any(1)) / FPS,
    }  # fmt: skip
    return Result(tuple(clips), baseline, report)


# -- rates -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Grid:
    """A request at 30 fps.

    Attributes:
        clip: F30 frames; at known frames the request's own poses.
        rotation_known, root_known: ``(F30, 22)``, ``(F30,)``.
        warp: ``(F,)`` place of each of the request's frames on the grid; every known frame lies on
            a grid frame exactly.
    """

    clip: Clip
    rotation_known: np.ndarray
    root_known: np.ndarray
    warp: Array


def to_grid(request: Request) -> Grid:
    """Move a request to 30 fps; known frames are snapped to their nearest grid frame."""
    clip = request.clip
    n, ratio = len(clip), FPS / clip.fps
    if ratio == 1:
        return Grid(clip, request.rotation_known, request.root_known, np.arange(n, dtype=float))
    count = int(np.ceil((n - 1) * ratio - 1e-6)) + 1
    anything = np.flatnonzero(request.rotation_known.any(1) | request.root_known)
    snapped = np.round(anything * ratio).astype(int)
    ends = np.array([0, n - 1]), np.array([0, count - 1])
    frames, places = np.concatenate((anything, ends[0])), np.concatenate((snapped, ends[1]))
    order = np.unique(frames, return_index=True)[1]
    frames, places = frames[order], np.maximum.accumulate(places[order])
    warp = np.interp(np.arange(n), frames, places)
    # where each grid frame looks in the request: known frames exactly at themselves
    unique, index = np.unique(places, return_index=True)
    back = np.interp(np.arange(count), unique, frames[index])
    sampled = clip.sample(back, FPS)
    low, high = np.floor(back + 1e-9).astype(int), np.ceil(back - 1e-9).astype(int)
    return Grid(sampled, request.rotation_known[low] & request.rotation_known[high],
                request.root_known[low] & request.root_known[high], warp)  # fmt: skip


# -- windows -----------------------------------------------------------------------------------------


def plan(known: np.ndarray) -> list[Span]:
    """Windows of at most ``LONGEST`` frames that begin and end at known frames wherever they can.

    Neighbours share at least ``OVERLAP`` frames, or a gap between two keys. A gap longer than a
    window becomes one window that is read at every second, third ... frame.
    """
    n = len(known)
    if n <= LONGEST:
        return [_span(0, n)]
    keys = np.flatnonzero(known)
    spans, start = [], 0
    while True:
        if start + LONGEST >= n:
            spans.append(_span(start, n))
            return spans
        inside = keys[(keys > start) & (keys < start + LONGEST)]
        if inside.size and inside[-1] > start + OVERLAP:
            last = int(inside[-1])
        else:  # one long gap
            later = keys[keys >= start + LONGEST]
            last = int(later[0]) if later.size else n - 1
        spans.append(_span(start, last + 1))
        if last >= n - 1:
            return spans
        earlier = keys[(keys > start) & (keys <= last - OVERLAP)]
        start = int(earlier[-1]) if earlier.size else last


def _span(start: int, stop: int) -> Span:
    length = stop - start
    if length <= LONGEST:
        return Span(start, stop, tuple(range(start, stop)))
    stride = int(np.ceil((length - 1) / (LONGEST - 1)))
    frames = np.unique(np.round(np.linspace(start, stop - 1, (length - 1) // stride + 1)).astype(int))
    return Span(start, stop, tuple(frames.tolist()))


def _sample(grid: Grid, spans: list[Span], system: System, variation: int, generator: torch.Generator,
            step: Callable[[], None]) -> Array:  # fmt: skip
    """Differences from the interpolation in the world, ``(F30, 135)``, windows blended where they meet."""
    out = np.zeros((len(grid.clip), features.CHANNELS))
    covered = 0
    for span in spans:
        part = _one_window(grid, span, system, variation, generator, step)
        frames = np.arange(span.start, span.stop)
        at = np.stack([np.interp(frames, span.frames, part[:, c]) for c in range(part.shape[1])], 1)
        shared = max(covered - span.start, 0)
        weight = np.ones(len(frames))
        if shared:
            u = (np.arange(shared) + 1) / (shared + 1)
            weight[:shared] = u * u * (3 - 2 * u)
        here = out[span.start : span.stop]
        here += weight[:, None] * (at - here)
        covered = span.stop
    return out


def _one_window(grid: Grid, span: Span, system: System, variation: int, generator: torch.Generator,
                step: Callable[[], None]) -> Array:  # fmt: skip
    """One window's differences in the world, metres and 6D. ``(frames, 135)``."""
    index = np.array(span.frames)
    clip = grid.clip
    place = clip.root_positions[index[0]] * np.array([1.0, 0, 1.0])  # keeps float32 exact far from the origin
    t = lambda x: torch.as_tensor(np.ascontiguousarray(x))[None]  # noqa: E731
    window = features.Window(
        t(clip.rotations[index].astype(np.float32)), t((clip.root_positions[index] - place).astype(np.float32)),
        t(clip.skeleton.offsets.astype(np.float32)), t(grid.rotation_known[index]), t(grid.root_known[index]),
        torch.ones(1, len(index), dtype=torch.bool),
    )  # fmt: skip
    filled, frame = features.localise(features.interpolate(window))
    x = features.inputs(filled)
    difference = system.sample(x, variation, generator, step)
    before = features.restore(*features.poses(x.base), frame)
    after = features.restore(*features.poses(x.base + difference), frame)
    turned = (_columns(after[0]) - _columns(before[0])).flatten(1)
    return torch.cat((turned, after[1][0] - before[1][0]), -1).double().numpy()


def _columns(matrices: torch.Tensor) -> torch.Tensor:
    """First two columns. ``(1, T, 22, 3, 3) -> (T, 22, 6)``."""
    m = matrices[0]
    return torch.cat((m[..., 0], m[..., 1]), -1)


def add(baseline: Clip, difference: Array, warp: Array) -> Clip:
    """The baseline plus a 30-fps difference ``(F30, 135)`` read at ``warp`` ``(F,)``."""
    if not difference.any():
        return baseline
    low = np.floor(warp + 1e-9).astype(int)
    t = (warp - low).clip(0, 1)[:, None]
    d = difference[low] * (1 - t) + difference[np.minimum(low + 1, len(difference) - 1)] * t
    six = rotations.to_6d(baseline.rotations) + d[:, : features.ROTATION].reshape(len(d), len(JOINTS), 6)
    return replace(baseline, rotations=rotations.from_6d(six),
                   root_positions=baseline.root_positions + d[:, features.ROTATION :])  # fmt: skip


# -- what is measured on every result ---------------------------------------------------------------------


def key_change(request: Request, clip: Clip) -> float:
    """Largest absolute difference of any known number; 0.0 when every bit is kept."""
    turned = np.abs(clip.rotations - request.clip.rotations)[request.rotation_known]
    moved = np.abs(clip.root_positions - request.clip.root_positions)[request.root_known]
    return float(max(turned.max(initial=0.0), moved.max(initial=0.0)))


def skating(clip: Clip) -> float:
    """Mean horizontal speed of standing feet, metres a second; 0 where no foot stands."""
    feet = clip.positions()[:, FEET]
    if len(feet) < 2:
        return 0.0
    stands = kinematics.foot_contacts(feet, clip.fps, clip.hip_height)
    both = stands[1:] & stands[:-1]
    speed = np.linalg.norm(np.diff(feet[..., (0, 2)], axis=0), axis=-1) * clip.fps
    return float(speed[both].mean()) if both.any() else 0.0


def _longest_gap(known: np.ndarray) -> int:
    keys = np.flatnonzero(known)
    return int(np.diff(keys).max()) - 1 if keys.size > 1 else 0
