"""From a request to a result: rates, windows, sampling, finishing, and what is measured on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from blender_addon.motion import interpolation, kinematics, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request, Result, TextSpan
from blender_addon.motion.errors import InvalidRequestError, JobCancelled
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import INDEX, JOINTS

from . import closing, features, following
from .finish import finish
from .systems.base import BUILT_IN, System, Told
from .windows import FPS, Grid, Span, around, plan, shifted, to_grid

SHOWN_SECONDS, SHOWN_TIMES = 0.5, 10
"""Between two looks at what there is so far, at least; the latter times what the look takes."""
BENDING = 40
"""Steps of progress that closing counts as."""
OPTIONS = {"feet": bool, "closing": bool}
"""Name of each option and its type: whether standing feet are held; following: whether what a system left of
the way to its targets is closed."""

Progress = Callable[[int, int], None]
Shown = Callable[[Clip, int], None]
"""Called with the motion so far, before it is finished, and how many of its frames are drawn."""
FEET = [INDEX[n] for n in ("left_ankle", "right_ankle", "left_foot", "right_foot")]


def run(
    request: Request,
    system: System,
    progress: Progress,
    cancelled: Callable[[], bool],
    shown: Shown | None = None,
) -> Result:
    """Fill in what the request does not know.

    Args:
        request: checked by its own constructor.
        system: fills windows.
        progress: called with (step, total) before every network evaluation and once at the end.
        cancelled: looked at before every network evaluation.
        shown: where several windows cover the request, called after those of the first variation, now and then.

    Raises:
        InvalidRequestError: a task the system cannot do, or an unknown option.
        JobCancelled: ``cancelled()`` became true.
    """
    # 1. arguments
    _check(request, system)
    # 2. the same request at 30 fps, and the windows that cover it
    grid = to_grid(request)
    baseline = grid.filled if request.clip.fps == FPS else interpolation.fill(request)
    anything = grid.rotation_known.any(1) | grid.root_known
    if grid.confidence is not None:
        anything = anything | grid.confidence.any(1)
    inner = _asked(request, anything)
    spans, texts = _windows(request, system, grid, anything, inner)
    led = following.lead(request, grid) if request.task == "follow" else None
    if led is not None:
        pieces = len(following.windows(len(grid.filled)))
    else:
        pieces = sum(system.pieces(s.stop - s.start) if isinstance(system, Told) else 1 for s in spans)
    closings = request.variations + (system is not BUILT_IN["interpolation"])
    bending = BENDING * closings if led is not None and request.options.get("closing", True) else 0
    total = sum(system.evaluations(v) for v in range(request.variations)) * pieces + bending
    done = 0

    def step(counts: bool = True) -> None:
        nonlocal done
        if cancelled():
            raise JobCancelled("cancelled")
        if counts:
            progress(done, total)
            done += 1

    def so_far(difference: Array, frames: int) -> None:
        clip = interpolation.keep_known(_moved(request, grid, baseline, difference), request)
        assert shown is not None
        shown(clip, int(np.searchsorted(grid.warp, frames)))

    show = None if shown is None else _seldom(so_far)
    # 3. sample every variation, add its difference to the interpolation, finish
    clips = []
    for variation in range(request.variations):
        generator = torch.Generator().manual_seed((request.seed * 1_000_003 + variation) % 2**63)
        with _one_thread():
            if led is not None:
                difference = following.sample(grid, led, texts, system, variation, generator, step)
            else:
                show = None if variation else show
                difference = _sample(grid, spans, texts, system, variation, generator, step, show)
        difference[: inner.start], difference[inner.stop :] = (
            difference[inner.start],
            difference[inner.stop - 1],
        )
        if difference.any():
            moved = _moved(request, grid, baseline, difference)
            clips.append(finish(moved, request, feet=request.options.get("feet", True)))
        else:  # plain interpolation stays what it is: the line that everything is measured against
            clips.append(baseline)
        if led is not None:
            clips[-1] = _closed(clips[-1], request, step)
    if led is not None and system is BUILT_IN["interpolation"]:
        baseline = clips[0]
    elif led is not None:
        plain = following.sample(grid, led, (), BUILT_IN["interpolation"], 0, torch.Generator(), lambda: None)
        baseline = _closed(add(baseline, plain, grid.warp), request, step)
    progress(total, total)
    # 4. measure
    report: dict[str, Any] = {
        "evaluations": total,
        "windows": len(spans),
        "key_change": max(key_change(request, c) for c in clips),
        "skating": {"model": skating(clips[0]), "interpolation": skating(baseline)},
        "longest_gap_seconds": _longest_gap(np.flatnonzero(anything)) / FPS,
    }
    if led is not None:
        report |= closing.deviations(clips[0], request)
    if texts and isinstance(system, Told):
        report["prompts"] = [system.judge(t) for t in dict.fromkeys(t.text for t in request.texts)]
    return Result(tuple(clips), baseline, report)


def _closed(clip: Clip, request: Request, step: Callable[[bool], None]) -> Clip:
    """A sample that meets what it is asked to follow; known values bit for bit."""
    calls = 0

    def evaluation() -> None:  # an optimiser's evaluations are as many as it needs; BENDING of them count
        nonlocal calls
        step(calls < BENDING)
        calls += 1

    if not request.options.get("closing", True):
        return clip
    with _one_thread():
        feet = request.options.get("feet", True)
        return interpolation.keep_known(following.finished(clip, request, evaluation, feet), request)


def _windows(
    request: Request, system: System, grid: Grid, anything: np.ndarray, inner: slice
) -> tuple[list[Span], Sequence[TextSpan]]:
    """The windows to fill, and what is said. Where that is something, or could be, they are whole ranges."""
    whole = grid.rotation_known.all(1) & grid.root_known
    if not isinstance(system, Told) or not (request.texts or request.task in ("text", "edit")):
        return plan(anything, whole, inner), ()
    unknown = ~whole
    unknown[: inner.start] = unknown[inner.stop :] = False
    rate = FPS / request.clip.fps
    on_grid = [replace(t, start=round(t.start * rate), stop=round(t.stop * rate)) for t in request.texts]
    return around(unknown), on_grid


def _moved(request: Request, grid: Grid, baseline: Clip, difference: Array) -> Clip:
    """The sample at the request's rate.

    An interpolation is as smooth at any rate: the difference is added to it. What was observed has
    noise between the frames of the grid too, so there the refined grid itself is brought back.
    """
    if request.task != "refine" or request.clip.fps == FPS:
        return add(baseline, difference, grid.warp)
    refined = add(grid.filled, difference, np.arange(len(grid.filled), dtype=float))
    return replace(refined.sample(grid.warp, request.clip.fps), skeleton=request.clip.skeleton)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch on one thread: windows are small, and threads that wait for each other on a busy machine
    (an animator's, with Blender playing) make a pass many times slower: 0.1 s became 1.8 s on two cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _asked(request: Request, known: np.ndarray) -> slice:
    """The frames that a system fills. In-betweening asks nothing beyond the keys: poses are held there."""
    keys = np.flatnonzero(known)
    if request.task != "inbetween":
        return slice(0, len(known))
    return slice(int(keys[0]), int(keys[-1]) + 1)


def _check(request: Request, system: System) -> None:
    """Whether this system can be asked this."""
    if request.task not in system.tasks:
        raise InvalidRequestError(
            "task", f"{system.name} cannot do {request.task!r}", f"It can do {sorted(system.tasks)}."
        )
    for key, value in request.options.items():
        if key not in OPTIONS:
            raise InvalidRequestError("options", f"{key!r} is not known", f"Known: {sorted(OPTIONS)}.")
        if not isinstance(value, OPTIONS[key]):
            wanted = OPTIONS[key].__name__
            raise InvalidRequestError("options", f"{key}: {value!r} is no {wanted}", f"Give a {wanted}.")
    if request.task == "inbetween" and request.rotation_known.any(1).sum() < 2:
        raise InvalidRequestError(
            "rotation_known", "fewer than two keyed frames", "Key a first and a last pose."
        )


# -- sampling ----------------------------------------------------------------------------------------


def _sample(
    grid: Grid,
    spans: Sequence[Span],
    texts: Sequence[TextSpan],
    system: System,
    variation: int,
    generator: torch.Generator,
    step: Callable[[], None],
    show: Callable[[Array, int], None] | None = None,
) -> Array:
    """Differences from the filling in the world, ``(G, 135)``, windows blended where they meet.

    Args:
        show: called with the differences so far and up to which frame they are drawn.
    """
    out = np.zeros((len(grid.filled), features.CHANNELS))
    covered = 0
    for span in spans:

        def within(part: Array, frames: int, before: Array = out, span: Span = span, covered: int = covered) -> None:
            assert show is not None
            show(_blended(before.copy(), part, span, covered), span.start + frames)

        part = _one_window(grid, span, shifted(texts, span), system, variation, generator, step,
                           None if show is None else within)  # fmt: skip
        _blended(out, part, span, covered)
        covered = span.stop
        if show is not None and span is not spans[-1]:
            show(out, covered)
    return out


def _seldom(show: Callable[[Array, int], None]) -> Callable[[Array, int], None]:
    """So seldom that it does not slow down what it shows."""
    again = 0.0

    def now_and_then(difference: Array, frames: int) -> None:
        nonlocal again
        began = time.monotonic()
        if began >= again:
            show(difference, frames)
            now = time.monotonic()
            again = now + max(SHOWN_SECONDS, SHOWN_TIMES * (now - began))

    return now_and_then


def _blended(out: Array, part: Array, span: Span, covered: int) -> Array:
    """``out``, with the differences of one window put in: they lead over from the ones up to ``covered``."""
    if len(part) < span.stop - span.start:
        part = _stretch(part, span)
    weight = np.ones((len(part), 1))
    shared = max(covered - span.start, 0)
    u = (np.arange(shared) + 1) / (shared + 1)
    weight[:shared, 0] = u * u * (3 - 2 * u)
    here = out[span.start : span.stop]
    here += weight * (part - here)
    return out


def _stretch(part: Array, span: Span) -> Array:
    """Differences at ``span.frames`` ``(n, C)`` -> at every frame of the span."""
    frames = np.arange(span.start, span.stop)
    at = np.interp(frames, span.frames, np.arange(len(part)))
    low = np.minimum(at.astype(int), len(part) - 2)
    t = (at - low)[:, None]
    return part[low] * (1 - t) + part[low + 1] * t


def _one_window(
    grid: Grid,
    span: Span,
    texts: Sequence[TextSpan],
    system: System,
    variation: int,
    generator: torch.Generator,
    step: Callable[[], None],
    done: Callable[[Array, int], None] | None = None,
) -> Array:
    """One window's differences from the grid's filling in the world, metres and 6D. ``(frames, 135)``.

    Args:
        done: called with the same, so far, and up to which frame it is drawn.
    """
    index = np.array(span.frames)
    clip = grid.filled
    place = clip.root_positions[index[0]] * np.array([1.0, 0, 1.0])  # keeps float32 exact far from the origin
    t = lambda x: torch.as_tensor(np.ascontiguousarray(x))[None]  # noqa: E731
    trust = () if grid.confidence is None else (grid.confidence[index].astype(np.float32),)
    window = features.Window(
        t(clip.rotations[index].astype(np.float32)),
        t((clip.root_positions[index] - place).astype(np.float32)),
        t(clip.skeleton.offsets.astype(np.float32)),
        t(grid.rotation_known[index]),
        t(grid.root_known[index]),
        torch.ones(1, len(index), dtype=torch.bool),
        *(t(c) for values in trust for c in (values, values[:, 0])),
    )
    filled, frame = features.localise(window)
    x = features.inputs(filled)
    before = features.restore(*features.poses(x.base + x.surplus), frame)

    def in_the_world(difference: torch.Tensor) -> Array:
        after = features.restore(*features.poses(x.base + difference), frame)
        turned = (_columns(after[0]) - _columns(before[0])).flatten(1)
        return torch.cat((turned, after[1][0] - before[1][0]), -1).double().numpy()

    if isinstance(system, Told):
        told = None if done is None else lambda difference, frames: done(in_the_world(difference), frames)
        return in_the_world(system.fill(x, texts, [generator], step, told))
    return in_the_world(system.sample(x, variation, generator, step))


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


def standing(clip: Clip) -> float:
    """Share of the frames in which a foot stands, 0..1: what glides all the time has no skating, and none of this."""
    return float(
        kinematics.foot_contacts(clip.positions()[:, FEET], clip.fps, clip.hip_height).any(-1).mean()
    )


def _longest_gap(keys: np.ndarray) -> int:
    """Most unknown frames between two known ones."""
    return int(np.diff(keys).max()) - 1 if keys.size > 1 else 0
