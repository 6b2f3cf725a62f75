"""Windows to look at: truth, systems and baselines in the same place. Not picked by hand: evenly spaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_addon.motion import constraints
from blender_addon.motion.clip import Clip

from .. import metrics
from ..prepare.cache import Cache
from ..text_metrics import POOL
from . import complete, inbetween, material, noise, refine, text
from .material import PAST, Row
from .methods import Columns, plain

GAP = 30
COMPLETED = ("one limb", "occlusion bursts")
REFINED = ("rotations 5 cm", "swapped sides")


@dataclass(frozen=True, eq=False)
class Sample:
    """One window as everybody made it.

    Attributes:
        title: data set, task and case, for people.
        source: name of the clip.
        fps: frames a second.
        known: ``(T, 22)``, which joints' rotations were given.
        tracks: who -> joint positions ``(T, 22, 3)`` in metres; the truth first.
        same: everybody's joints should be where the truth's are; False: the truth is one answer of many.
    """

    title: str
    source: str
    fps: float
    known: NDArray[np.bool_]
    tracks: Mapping[str, np.ndarray]
    same: bool = True


def draw(cache: Cache, rows: Mapping[str, Row], columns: Columns, tasks: Sequence[str],
         count: int = 2) -> list[Sample]:  # fmt: skip
    """``count`` windows of every data set and case, each filled by every system that can."""
    found: list[Sample] = []
    for name, row in rows.items():
        if "inbetween" in tasks:
            clips = material.windows(cache, row.entries, PAST + GAP + 1, count)
            asked = inbetween.requests(clips, GAP)
            found += _samples(f"{name}: in-between, {GAP} frames", clips, asked, columns, "interpolation")
        for case in COMPLETED if "complete" in tasks else ():
            clips = material.windows(cache, row.entries, complete.FRAMES, count)
            asked = complete.requests(clips, case)
            found += _samples(f"{name}: complete, {case}", clips, asked, columns, "interpolation")
        for case in REFINED if "refine" in tasks else ():
            clips = material.windows(cache, row.entries, refine.FRAMES, count)
            given = refine.noisy(clips, case)
            found += _refined(f"{name}: refine, {case}", cache, row, case, clips, given, columns)
        if text.TASK in tasks:
            found += _told(name, cache, row, columns, count)
    return found


def _samples(title: str, clips: Sequence[Clip], asked: Sequence[constraints.Request], columns: Columns,
             baseline: str) -> list[Sample]:  # fmt: skip
    """In-betweening and completion, beside interpolation."""
    if not clips:
        return []
    made = {n: fill(asked) for n, fill in columns.able(asked[0].task).items()} | {baseline: plain(asked)}
    return _gather(title, clips, made, [r.rotation_known for r in asked])


def _refined(
    title: str,
    cache: Cache,
    row: Row,
    case: str,
    clips: Sequence[Clip],
    given: Sequence[Clip],
    columns: Columns,
) -> list[Sample]:
    """Refinement, beside what was given and the better filter."""
    if not clips:
        return []
    asked = [constraints.refine(c, refine.TRUST) for c in given]
    made: dict[str, Sequence[Clip]] = {"before": given}
    made |= {n: fill(asked) for n, fill in columns.able("refine").items()}
    made["Savitzky-Golay"] = refine.settings(cache, row, case)["savitzky_golay"](given)
    return _gather(title, clips, made, [~noise.changed(a, b) for a, b in zip(clips, given, strict=True)])


def _gather(
    title: str, clips: Sequence[Clip], made: Mapping[str, Sequence[Clip]], known: Sequence[NDArray[np.bool_]]
) -> list[Sample]:
    return [
        Sample(title, clip.name, clip.fps, known[k],
               {"truth": clip.positions(), **{n: made[n][k].positions() for n in made}})
        for k, clip in enumerate(clips)
    ]  # fmt: skip


def _told(name: str, cache: Cache, row: Row, columns: Columns, count: int, size: int = POOL) -> list[Sample]:
    """Captions, and what everybody makes of them; the truth is one motion of many that would do."""
    asked = text.ask(cache, row, size=size)
    if asked is None:
        return []
    chosen = np.linspace(0, len(asked.clips) - 1, min(count, len(asked.clips))).round().astype(int)
    words, clips = [cache.texts[asked.texts[i]] for i in chosen], [asked.clips[i] for i in chosen]
    made = {
        n: text.prompted(m)(words, [len(c) for c in clips], 0) for n, m in columns.able(text.TASK).items()
    }
    shown = {n: [_placed(c) for c in clips] for n, clips in {"truth": clips, **made}.items()}
    return [
        Sample(f"{name}: “{words[k]}”", asked.said[i].entry.name, clip.fps, np.zeros(clip.rotations.shape[:2], bool),
               {n: places[k] for n, places in shown.items()}, same=False)
        for k, (i, clip) in enumerate(zip(chosen, clips, strict=True))
    ]  # fmt: skip


def _placed(clip: Clip) -> np.ndarray:
    """Joints of a motion that begins facing +Z and goes about the origin. ``(T, 22, 3)``."""
    return metrics.facing_window(clip, 0).positions()
