"""A request at the models' frame rate, and the windows that cover it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from blender_addon.motion import interpolation
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import OBSERVING, Request, TextSpan, heeded
from blender_addon.motion.contacts import runs
from blender_addon.motion.rotations import Array

FPS = 30.0
LONGEST = 128
"""Frames of one window; longer ranges are covered by windows that overlap at keys."""
OVERLAP = 12
CONTEXT = 48
"""Frames on either side of what a text is about that are looked at."""

Mask = NDArray[np.bool_]


# -- rates -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Grid:
    """A request at 30 fps.

    Attributes:
        filled: G frames, everything unknown interpolated over the whole range, so that neighbouring
            windows start from one and the same filling.
        rotation_known, root_known: ``(G, 22)``, ``(G,)``.
        confidence: ``(G, 22)`` of what is observed but not known, 0 elsewhere; None: nothing is.
        warp: ``(F,)`` place of each of the request's frames on the grid; every known frame lies on
            a grid frame exactly.
    """

    filled: Clip
    rotation_known: Mask
    root_known: Mask
    warp: Array
    confidence: Array | None = None


def to_grid(request: Request) -> Grid:
    """Move a request to 30 fps; known frames are snapped to their nearest grid frame.

    Where several known frames meet in one grid frame (more than 30 fps), each joint takes the last
    that knows it.
    """
    clip, rotation_known, root_known = request.clip, request.rotation_known, request.root_known
    n, ratio = len(clip), FPS / clip.fps
    refining = request.task in OBSERVING
    trusted = heeded(request.confidence) if refining else request.confidence
    confidence = np.where(rotation_known, 0.0, trusted) if refining else None
    if ratio == 1:
        return Grid(
            interpolation.fill(request), rotation_known, root_known, np.arange(n, dtype=float), confidence
        )
    count = int(np.ceil((n - 1) * ratio - 1e-6)) + 1
    keyed = np.flatnonzero(rotation_known.any(1) | root_known)
    frames = np.union1d(keyed, [0, n - 1])
    places = np.maximum.accumulate(np.round(frames * ratio).astype(int)).clip(0, count - 1)
    places[frames == n - 1] = places[-1] if n - 1 in keyed else count - 1
    warp = np.interp(np.arange(n), frames, places)
    # where each grid frame looks in the request: places of known frames exactly at one of them
    _, last = np.unique(places[::-1], return_index=True)
    knots = len(places) - 1 - last
    back = np.interp(np.arange(count), places[knots], frames[knots])
    sampled = (_averaged(clip, round(1 / ratio)) if refining and ratio < 1 else clip).sample(back, FPS)
    low, high = np.floor(back + 1e-9).astype(int), np.ceil(back - 1e-9).astype(int)
    known, placed = rotation_known[low] & rotation_known[high], root_known[low] & root_known[high]
    turned, root = sampled.rotations.copy(), sampled.root_positions.copy()
    at = places[np.searchsorted(frames, keyed)]
    i, joint = np.nonzero(rotation_known[keyed])
    turned[at[i], joint], known[at[i], joint] = clip.rotations[keyed[i], joint], True
    i = np.flatnonzero(root_known[keyed])
    root[at[i]], placed[at[i]] = clip.root_positions[keyed[i]], True
    exact = replace(sampled, rotations=turned, root_positions=root)
    seen, seen_root = known, placed
    if refining:
        trusted = trusted[np.round(back).astype(int)]
        confidence = np.where(known, 0.0, trusted)
        seen, seen_root = known | (trusted > 0), placed | (trusted[:, 0] > 0)
    return Grid(interpolation.filled(exact, seen, seen_root), known, placed, warp, confidence)


def _averaged(clip: Clip, width: int) -> Clip:
    """Means over ``width`` frames, so that noise above what 30 fps can hold does not fold back below."""

    def mean(x: Array) -> Array:
        ends = ((width // 2, width - 1 - width // 2), *((0, 0),) * (x.ndim - 1))
        return np.lib.stride_tricks.sliding_window_view(np.pad(x, ends, mode="edge"), width, axis=0).mean(-1)

    turned = mean(clip.rotations)
    turned /= np.linalg.norm(turned, axis=-1, keepdims=True)
    return replace(clip, rotations=turned, root_positions=mean(clip.root_positions))


# -- windows -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """Frames ``start`` to ``stop`` (exclusive) at 30 fps, of which a model reads ``frames``."""

    start: int
    stop: int
    frames: tuple[int, ...]


def plan(known: Mask, whole: Mask, asked: slice) -> list[Span]:
    """Windows that begin and end at wholly known frames wherever they can, else at known ones.

    Neighbours share a wholly known frame, or at least ``OVERLAP`` frames. A window has at most
    ``LONGEST`` frames, unless a gap is longer: that is read at every second, third ... frame.

    Args:
        known: ``(G,)`` frames of which something is known.
        whole: ``(G,)`` frames of which everything is.
        asked: the frames to cover.
    """
    keys, firm = np.flatnonzero(known), np.flatnonzero(whole)
    spans: list[Span] = []
    start = covered = asked.start  # covered: the last frame of the window before
    while start + LONGEST < asked.stop:
        last = _last(firm, covered, start) or _last(keys, covered, start)
        nearer = covered if whole[covered] else covered - OVERLAP
        if not last and start < nearer:
            start = nearer
            continue
        if not last:  # one long gap
            later = keys[(keys > covered) & (keys < asked.stop)]
            last = int(later[0]) if later.size else asked.stop - 1
        spans.append(_span(start, last + 1, keys))
        if last == asked.stop - 1:
            return spans
        earlier = firm[(firm > start) & (firm <= last - OVERLAP)]
        if earlier.size:
            start = int(earlier[-1])
        else:
            start = last if whole[last] else max(start + 1, last - OVERLAP)
        covered = last
    return [*spans, _span(start, asked.stop, keys)]


def around(unknown: Mask) -> list[Span]:
    """One window for what is unknown and ``CONTEXT`` frames on either side, at every frame; several where
    what is unknown lies far apart."""
    spans: list[Span] = []
    for start, stop in runs(unknown):
        first, last = max(start - CONTEXT, 0), min(stop + CONTEXT, len(unknown))
        if spans and first <= spans[-1].stop:
            first = spans.pop().start
        spans.append(Span(first, last, tuple(range(first, last))))
    return spans


def shifted(texts: Sequence[TextSpan], span: Span) -> list[TextSpan]:
    """Texts by the frames of the grid -> by those of one window; those outside it are left out."""
    moved = [replace(t, start=t.start - span.start, stop=t.stop - span.start) for t in texts]
    return [t for t in moved if t.stop > 0 and t.start < span.stop - span.start]


def _last(keys: NDArray[np.intp], covered: int, start: int) -> int:
    """The last key at which a window from ``start`` may end, or 0."""
    inside = keys[(keys > covered) & (keys < start + LONGEST)]
    return int(inside[-1]) if inside.size else 0


def _span(start: int, stop: int, keys: NDArray[np.intp]) -> Span:
    """All frames of a short window; of a long one evenly spread ones, and all that are known."""
    length = stop - start
    if length <= LONGEST:
        return Span(start, stop, tuple(range(start, stop)))
    stride = int(np.ceil((length - 1) / (LONGEST - 1)))
    spread = np.round(np.linspace(start, stop - 1, (length - 1) // stride + 1)).astype(int)
    frames = np.union1d(spread, keys[(keys >= start) & (keys < stop)])
    return Span(start, stop, tuple(frames.tolist()))
