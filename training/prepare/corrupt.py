"""``limber-train prepare --corrupt``: capture as a camera in the street would have delivered it, part by part.

Methods that learn from unreliable capture (RoPAR) need motion of which some parts are wrong and are known
to be. Clean recordings are spoiled here as video reconstruction is (Li et al., sec. 1 and 2.2): limbs
behind something, parts outside the picture, shaking, feet that slide. What is wrong has low confidence,
as a detector would say; what is right stays bit for bit. Training clips only: what is measured on stays true.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blender_addon.motion import rotations as r
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import JOINTS

from .. import masks
from ..corruption import coloured
from . import cache as cache_file
from .cache import Cache, Texts

PARTS: Mapping[str, tuple[int, ...]] = {**masks.PARTS, "torso": (0, *masks.PARTS["torso"])}
"""Every joint is in one part; the root's path belongs to the torso."""
NAMES = tuple(PARTS)
LEGS, ARMS = ("left_leg", "right_leg"), ("left_arm", "right_arm")
CREDIBLE = 0.5
"""Mean confidence above which a part is meant to be believed; nothing lies near it."""


@dataclass(frozen=True, eq=False)
class Event:
    """Something that went wrong.

    Attributes:
        kind: of :data:`KINDS`.
        parts: what it spoils.
        start, stop: frames, ``stop`` exclusive.
    """

    kind: str
    parts: tuple[str, ...]
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Spoiled:
    """A clip as it was captured.

    Attributes:
        rotations: ``(T, 22, 4)``; roots: ``(T, 3)``.
        confidence: ``(T, 23)``: of the joints, then of the root's place.
        lost: ``(T, 5)`` bool, parts of :data:`NAMES` that are not to be believed.
        events: what happened.
    """

    rotations: np.ndarray
    roots: np.ndarray
    confidence: np.ndarray
    lost: np.ndarray
    events: Sequence[Event]


# -- what happens -----------------------------------------------------------------------------------


def _limb(rng: np.random.Generator) -> tuple[str, ...]:
    return (str(rng.choice([*ARMS, *LEGS])),)


def _framed(rng: np.random.Generator) -> tuple[str, ...]:
    """What a picture leaves out: most often the legs, else one side, else all limbs."""
    way = rng.random()
    if way < 0.7:
        return LEGS
    side = "left" if rng.random() < 0.5 else "right"
    return (f"{side}_arm", f"{side}_leg") if way < 0.9 else (*ARMS, *LEGS)


def _shaken(rng: np.random.Generator) -> tuple[str, ...]:
    return (str(rng.choice(NAMES)),)


def _seconds(low: float, high: float) -> Callable[[np.random.Generator, int], int]:
    return lambda rng, n: int(30 * np.exp(rng.uniform(np.log(low), np.log(high))))


@dataclass(frozen=True)
class Kind:
    """A way of going wrong.

    Attributes:
        share: how often.
        parts: draws what it spoils.
        length: draws for how many frames, given the clip's.
        confidence: lowest and highest mean confidence of what it spoils.
    """

    share: float
    parts: Callable[[np.random.Generator], tuple[str, ...]]
    length: Callable[[np.random.Generator, int], int]
    confidence: tuple[float, float]


KINDS: Mapping[str, Kind] = {
    "occlusion": Kind(0.4, _limb, _seconds(0.3, 2.5), (0.08, 0.3)),
    "framing": Kind(0.2, _framed, lambda rng, n: int(rng.uniform(0.4, 1) * n) + 1, (0.03, 0.12)),
    "jitter": Kind(0.25, _shaken, _seconds(0.3, 3), (0.2, 0.4)),
    "sliding": Kind(0.15, lambda rng: LEGS, _seconds(0.7, 4), (0.2, 0.4)),
}


def plan(rng: np.random.Generator, frames: int, credible: float) -> tuple[list[Event], np.ndarray]:
    """Events until the asked-for share of all (part, frame) is lost, and which those are ``(T, 5)``.

    A part that is lost already is not spoiled twice; the last event is cut short, so that never more is lost.
    """
    lost, events = np.zeros((frames, len(NAMES)), bool), []
    wanted = int((1 - credible) * lost.size)
    names, shares = list(KINDS), np.array([k.share for k in KINDS.values()])
    while (missing := wanted - int(lost.sum())) > 0:
        kind = names[rng.choice(len(names), p=shares / shares.sum())]
        length = min(max(KINDS[kind].length(rng, frames), 1), frames)
        start = int(rng.integers(frames - length + 1))
        for part in rng.permutation(KINDS[kind].parts(rng)).tolist():
            column = NAMES.index(part)
            stop = start + min(length, missing)
            taken = np.flatnonzero(lost[start:stop, column])
            stop = start + int(taken[0]) if taken.size else stop
            if stop > start:
                lost[start:stop, column] = True
                missing -= stop - start
                events.append(Event(kind, (part,), start, stop))
            if not missing:
                break
    return events, lost


def spoil(
    rng: np.random.Generator, q: np.ndarray, root: np.ndarray, usual: np.ndarray, credible: float
) -> Spoiled:
    """A clip with parts that went wrong.

    Args:
        q: ``(T, 22, 4)`` local rotations; root: ``(T, 3)`` metres.
        usual: ``(22, 4)``, the pose that reconstruction falls back to where it sees nothing.
        credible: share of all (part, frame) that stays as it is.
    """
    events, lost = plan(rng, len(q), credible)
    turned, placed, confidence = q.copy(), root.copy(), _seen(rng, len(q))
    for event in events:
        span = slice(event.start, event.stop)
        joints = [j for p in event.parts for j in PARTS[p]]
        turned[span, joints] = _WRONG[event.kind](rng, q, joints, span, usual)
        low, high = KINDS[event.kind].confidence
        level = rng.uniform(low, high) + 0.03 * rng.normal(size=(1, len(joints)))
        confidence[span, joints] = np.clip(level, 0.02, 0.45)
        if 0 in joints:  # the root goes with the torso: its depth is what a single camera knows least
            away = np.array([np.cos(a := rng.uniform(0, 2 * np.pi)), 0.15, np.sin(a)])
            drift = coloured(rng, (event.stop - event.start, 1), 0.9) * rng.uniform(0.02, 0.08)
            placed[span] = root[span] + drift * away
            confidence[span, -1] = confidence[span, 0]
    return Spoiled(turned, placed, confidence, lost, events)


def _seen(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Confidence of what is seen: between 0.66 and 1, slowly changing, a joint a little unlike the next."""
    level = rng.uniform(0.75, 0.97) + 0.04 * coloured(rng, (frames, 1), 0.97)
    return np.clip(level + 0.03 * rng.normal(size=(1, len(JOINTS) + 1)), 0.66, 1.0)


def _occluded(
    rng: np.random.Generator, q: np.ndarray, joints: Sequence[int], span: slice, usual: np.ndarray
) -> np.ndarray:
    """Held where it was last seen, drawn towards the usual pose, adrift."""
    n = span.stop - span.start
    last = np.broadcast_to(q[max(span.start - 1, 0), joints], (n, len(joints), 4))
    pull = 1 - np.exp(-np.arange(1, n + 1) / rng.uniform(5, 40))
    there = r.slerp(
        last, np.broadcast_to(usual[list(joints)], last.shape), np.repeat(pull[:, None], len(joints), 1)
    )
    return _turned(there, rng.uniform(4, 12) * coloured(rng, (n, len(joints), 3), 0.95))


def _outside(
    rng: np.random.Generator, q: np.ndarray, joints: Sequence[int], span: slice, usual: np.ndarray
) -> np.ndarray:
    """Never seen: the usual pose, swaying."""
    n = span.stop - span.start
    there = np.broadcast_to(usual[list(joints)], (n, len(joints), 4))
    guess = 10 * rng.normal(size=(1, len(joints), 3))
    return _turned(there, guess + rng.uniform(2, 6) * coloured(rng, (n, len(joints), 3), 0.97))


def _jittered(
    rng: np.random.Generator, q: np.ndarray, joints: Sequence[int], span: slice, usual: np.ndarray
) -> np.ndarray:
    """As it was, shaking."""
    n = span.stop - span.start
    return _turned(
        q[span][:, joints], rng.uniform(5, 15) * coloured(rng, (n, len(joints), 3), rng.uniform(0, 0.4))
    )


def _slid(
    rng: np.random.Generator, q: np.ndarray, joints: Sequence[int], span: slice, usual: np.ndarray
) -> np.ndarray:
    """Smoothed over a third to a whole second: steps lose their reach, and the feet slide under the body."""
    half = int(rng.integers(5, 16))
    rows = np.clip(np.arange(span.start - half, span.stop + half), 0, len(q) - 1)
    wide = q[rows][:, joints]
    total = np.cumsum(np.concatenate([np.zeros_like(wide[:1], np.float64), wide]), 0)
    return r.normalize(total[2 * half + 1 :] - total[: -2 * half - 1])


_WRONG = {"occlusion": _occluded, "framing": _outside, "jitter": _jittered, "sliding": _slid}


def _turned(q: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    return r.multiply(q.astype(np.float64), r.from_axis_angle(np.radians(degrees)))


# -- a whole cache ----------------------------------------------------------------------------------


def corrupt(
    cache: Cache, out: Path, credible: float, seed: int = 0, splits: Sequence[str] = ("train",)
) -> dict[str, object]:
    """Write a cache whose clips of ``splits`` are spoiled; everything else is as it was, and believed.

    A clip's fate follows from the seed and its name alone.

    Args:
        credible: share of (part, frame) that stays true, 0.3 to 1; of every clip, not only on average.

    Returns:
        The report, also written beside the cache as ``.corruption.json``.

    Raises:
        ValueError: another share, or a cache that has confidence of its own.
    """
    if not 0.3 <= credible <= 1:
        raise ValueError(f"{100 * credible:g} % credible: between 30 and 100 % are meant")
    if cache.confidence is not None:
        raise ValueError("this cache has confidence already: corrupt the one that it was made from")
    usual = _usual(cache)
    clips: list[Clip] = []
    confidence: list[np.ndarray] = []
    kinds: Counter[str] = Counter()
    kept, total = np.zeros(len(NAMES)), 0
    for entry in cache.entries:
        clip = cache.clip(entry)
        if entry.split not in splits:
            clips.append(clip)
            confidence.append(np.ones((len(clip), len(JOINTS) + 1)))
            continue
        rng = np.random.default_rng([seed, zlib.crc32(f"{entry.source}/{entry.name}".encode())])
        found = spoil(rng, clip.rotations, clip.root_positions, usual, credible)
        clips.append(replace(clip, rotations=found.rotations, root_positions=found.roots))
        confidence.append(found.confidence)
        kinds.update(e.kind for e in found.events)
        kept, total = kept + (~found.lost).sum(0), total + len(found.lost)
    rows = [{"name": e.name, "source": e.source, "group": e.group, "split": e.split,
             "captions": [(c.text, c.start, c.stop) for c in e.captions]} for e in cache.entries]  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    cache_file.save(out, clips, rows, Texts(cache.texts, cache.embeddings, cache.mirrored), confidence)
    each = {n: round(100 * k / max(total, 1), 2) for n, k in zip(NAMES, kept.tolist(), strict=True)}
    every = round(100 * float(kept.sum()) / max(total * len(NAMES), 1), 2)
    report: dict[str, object] = {
        "seed": seed, "splits": list(splits), "frames": total,
        "credible_percent": {"asked for": 100 * credible, "all": every, **each},
        "events": dict(sorted(kinds.items())), "megabytes": round(out.stat().st_size / 1e6, 2),
    }  # fmt: skip
    out.with_suffix(".corruption.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _usual(cache: Cache, most: int = 4000) -> np.ndarray:
    """Mean local rotation of each joint over the cache's training frames. ``(22, 4)``."""
    rows = np.concatenate(
        [np.arange(e.start, e.start + e.length) for e in cache.select("train") or cache.entries]
    )
    rows = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)]
    return r.mean(cache.rotations[rows].astype(np.float64))
