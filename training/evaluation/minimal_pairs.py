"""Minimal pairs: prompts that differ in a word or two, whose motions must differ accordingly.

Left and right, forward and backward, once and twice, and styles. Each motion is judged twice where it can
be: by an evaluator (is it nearer to its own prompt than to the other?) and by a measure of the motion itself
(which way it turned, where it went in its own heading, which hand was up), in which no network has a say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.contacts import runs
from blender_addon.motion.skeleton import INDEX

from .. import bootstrap
from ..evaluator import Evaluator
from ..prepare.cache import Cache
from .inbetween import interval, number
from .text import Generate

Measure = Callable[[Clip], float]
Votes = dict[str, list[tuple[str, bool]]]
"""Judge -> (kind of pair, whether it was right)."""
Embed = Callable[[Sequence[str]], np.ndarray]
"""Sentences -> their embeddings ``(N, 384)``."""


# -- measures of a motion ---------------------------------------------------------------------------


def _yaw(clip: Clip) -> np.ndarray:
    """Heading of the pelvis, radians, without jumps. ``(F,)``."""
    pelvis = clip.rotations[:, 0]
    return np.unwrap(2 * np.arctan2(pelvis[:, 2], pelvis[:, 0]))


def turned(clip: Clip) -> float:
    """Degrees turned to the left between the first and the last frame."""
    yaw = _yaw(clip)
    return float(np.degrees(yaw[-1] - yaw[0]))


def _travelled(clip: Clip) -> np.ndarray:
    """Metres to the left, up and ahead, each step in the heading of its moment, added up. ``(3,)``."""
    yaw = _yaw(clip)[:-1]
    back = rotations.from_axis_angle(np.outer(-yaw, [0.0, 1, 0]))
    return rotations.rotate(back, np.diff(clip.root_positions, axis=0)).sum(0)


def ahead(clip: Clip) -> float:
    """Mean speed ahead in the own heading, metres a second; negative: backward."""
    return float(_travelled(clip)[2] * clip.fps / max(len(clip) - 1, 1))


def aside(clip: Clip) -> float:
    """Mean speed to the left of where the first frame faces, metres a second.

    Of the first frame, not of each moment: who walks to the left may turn there.
    """
    moved = clip.root_positions[-1] - clip.root_positions[0]
    back = rotations.from_axis_angle([0.0, -_yaw(clip)[0], 0])
    return float(rotations.rotate(back, moved)[0] * clip.fps / max(len(clip) - 1, 1))


def speed(clip: Clip) -> float:
    """Mean speed of the root over the ground, metres a second."""
    steps = np.diff(clip.root_positions[:, [0, 2]], axis=0)
    return float(np.linalg.norm(steps, axis=-1).mean() * clip.fps)


def _hands(clip: Clip) -> np.ndarray:
    """Height of the left and the right wrist above the pelvis, hip heights. ``(F, 2)``."""
    placed = clip.positions()
    wrists = placed[:, [INDEX["left_wrist"], INDEX["right_wrist"]], 1]
    return (wrists - placed[:, :1, 1]) / clip.hip_height


def left_hand(clip: Clip) -> float:
    """How much higher the left hand gets than the right one, hip heights; negative: the right one."""
    left, right = np.percentile(_hands(clip), 95, axis=0)
    return float(left - right)


def lower_hand(clip: Clip) -> float:
    """How high the hand gets that stays lower, hip heights above the pelvis."""
    return float(np.percentile(_hands(clip), 95, axis=0).min())


def liveliness(clip: Clip) -> float:
    """Mean speed of hands and feet, metres a second."""
    joints = [INDEX[f"{s}_{n}"] for s in ("left", "right") for n in ("wrist", "ankle")]
    steps = np.diff(clip.positions()[:, joints], axis=0)
    return float(np.linalg.norm(steps, axis=-1).mean() * clip.fps)


def hops(clip: Clip) -> float:
    """How often both feet leave the ground at once (lowest toe or ankle 6 cm up, 3 frames or more)."""
    feet = [INDEX[f"{s}_{n}"] for s in ("left", "right") for n in ("foot", "ankle")]
    heights = clip.positions()[:, feet, 1]
    up = (heights - np.percentile(heights, 10, axis=0)).min(1) > 0.06
    return float(sum(stop - start >= 3 for start, stop in runs(up)))


def reaches(clip: Clip) -> float:
    """How often the higher hand rises through the middle of its range."""
    high = _hands(clip).max(1)
    low, top = np.percentile(high, (5, 95))
    if top - low < 0.1:
        return 0.0
    above, count = False, 0
    for h in (high - low) / (top - low):
        if not above and h > 0.65:
            above, count = True, count + 1
        elif above and h < 0.35:
            above = False
    return float(count)


# -- the pairs ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two prompts.

    Attributes:
        kind: side, way, count, or style.
        a, b: the prompts.
        measure: larger for ``a`` than for ``b``; None: only an evaluator can say.
        signed: the measure is above 0 for ``a`` and below for ``b``; else the two are compared.
        frames: how long the motions are.
    """

    kind: str
    a: str
    b: str
    measure: Measure | None = None
    signed: bool = False
    frames: int = 120


def _sides() -> list[Pair]:
    found = []
    for style in ("", " energetically", " exhausted", " like an elderly person"):
        found.append(Pair("side", f"a person walks and turns left{style}", f"a person walks and turns right{style}",
                          turned, True, 150))  # fmt: skip
        for act in ("raises", "waves"):
            found.append(Pair("side", f"a person {act} the left hand{style}", f"a person {act} the right hand{style}",
                              left_hand, True))  # fmt: skip
    for a in ("a person walks to the left", "somebody steps to the left"):
        found.append(Pair("side", a, a.replace("left", "right"), aside, True))
    for a in ("someone makes a left turn while walking", "a man walks around a corner to the left"):
        found.append(Pair("side", a, a.replace("left", "right"), turned, True, 150))
    found.append(Pair("side", "the left arm goes up", "the right arm goes up", left_hand, True))
    found.append(Pair("side", "a person raises both hands", "a person raises the left hand", lower_hand))
    return found


def _ways() -> list[Pair]:
    found = [Pair("way", f"a person {act} forward{style}", f"a person {act} backward{style}", ahead, True)
             for act in ("walks", "runs") for style in ("", " happily", " like a giant")]  # fmt: skip
    found.append(Pair("way", "somebody walks straight ahead", "somebody walks backwards", ahead, True))
    found.append(Pair("way", "a person steps forward", "a person steps back", ahead, True))
    return found


def _counts() -> list[Pair]:
    return [
        Pair("count", "a person jumps twice", "a person jumps once", hops),
        Pair("count", "a person hops three times", "a person hops once", hops),
        Pair("count", "a person raises the right hand twice", "a person raises the right hand once", reaches),
        Pair("count", "a person punches several times", "a person punches once", reaches),
    ]


def _styles() -> list[Pair]:
    found = [Pair("style", f"a person {act} energetically", f"a person {act} exhausted", measure)
             for act, measure in (("walks forward", speed), ("raises the left hand", liveliness),
                                  ("waves both hands", liveliness), ("walks and turns left", speed))]  # fmt: skip
    found += [Pair("style", f"a person {act} like a young person", f"a person {act} like an elderly person", measure)
              for act, measure in (("walks forward", speed), ("runs forward", speed),
                                   ("waves the right hand", liveliness))]  # fmt: skip
    found += [Pair("style", f"a person {act} in a masculine way", f"a person {act} in a feminine way")
              for act in ("walks forward", "raises both hands", "waves the left hand")]  # fmt: skip
    found += [
        Pair("style", "a person runs forward", "a person walks forward", speed),
        Pair("style", "a person walks quickly", "a person walks slowly", speed),
        Pair("style", "a lively person walks", "a worn out person walks", speed),
        Pair("style", "a person walks forward proudly", "a person walks forward sadly"),
    ]
    return found


PAIRS = (*_sides(), *_ways(), *_counts(), *_styles())
KINDS = ("side", "way", "count", "style")


# -- judging -----------------------------------------------------------------------------------------------


def evaluate(generate: Mapping[str, Generate], judges: Mapping[str, Evaluator], embed: Embed,
             pairs: Sequence[Pair] = PAIRS, samples: int = 2, seed: int = 0) -> dict[str, Any]:  # fmt: skip
    """Kind (and "all") -> who -> per cent that is right by each judge and by measure, with intervals.

    Args:
        generate: name -> system.
        judges: name -> evaluator.
        embed: sentences -> their embeddings.
        samples: motions a prompt.
    """
    wanted = [(p, text) for p in pairs for text in (p.a, p.b)]
    words, kinds = [text for _, text in wanted], [p.kind for p, _ in wanted]
    places = {name: judge.sentences(embed(words)) for name, judge in judges.items()}
    votes: dict[str, Votes] = {}
    for name, system in generate.items():
        cast = votes.setdefault(name, {})
        for k in range(samples):
            clips = list(system(words, [p.frames for p, _ in wanted], seed + k))
            for judge, evaluator in judges.items():
                right = nearer(evaluator.clips(clips), places[judge])
                cast.setdefault(judge, []).extend(zip(kinds, right.tolist(), strict=True))
            cast.setdefault("measure", []).extend(_measured(pairs, clips))
    return shares(votes)


def truth(cache: Cache, splits: Sequence[str], judges: Mapping[str, Evaluator],
          pairs: Sequence[Pair] = PAIRS) -> dict[str, Any]:  # fmt: skip
    """The same of real clips whose first sentence is one of a pair's prompts: how far judges and measures go.

    Measures that compare are taken of all clips of one prompt against all of the other.
    """
    clips: dict[str, list[Clip]] = {}
    for entry in (e for split in splits for e in cache.select(split)):
        if entry.captions:
            clips.setdefault(cache.texts[entry.captions[0].text], []).append(cache.clip(entry))
    numbers = {text: i for i, text in enumerate(cache.texts)}
    cast: Votes = {}
    for pair in pairs:
        sides = [clips.get(text, []) for text in (pair.a, pair.b)]
        if not any(sides) or not {pair.a, pair.b} <= numbers.keys():
            continue
        for judge, evaluator in judges.items():
            texts = evaluator.sentences(cache.embeddings[[numbers[pair.a], numbers[pair.b]]])
            for k, side in enumerate(sides):
                x = evaluator.clips(side)
                own, other = (np.linalg.norm(x - texts[i], axis=-1) for i in (k, 1 - k))
                cast.setdefault(judge, []).extend((pair.kind, bool(r)) for r in own < other)
        if pair.measure is not None:
            a, b = ([pair.measure(c) for c in side] for side in sides)
            right = [v > 0 for v in a] + [v < 0 for v in b] if pair.signed else [x > y for x in a for y in b]
            cast.setdefault("measure", []).extend((pair.kind, r) for r in right)
    return shares({"truth": cast})


def nearer(motions: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Which motions are nearer to their own prompt than to its partner's, a after b. ``2 x (2 P, D) -> (2 P,)``."""
    partner = np.arange(len(texts)).reshape(-1, 2)[:, ::-1].ravel()
    own, other = (np.linalg.norm(motions - t, axis=-1) for t in (texts, texts[partner]))
    return own < other


def _measured(pairs: Sequence[Pair], clips: Sequence[Clip]) -> list[tuple[str, bool]]:
    """A vote a motion where a sign decides, a vote a pair where two are compared."""
    found = []
    for pair, a, b in zip(pairs, clips[::2], clips[1::2], strict=True):
        if pair.measure is None:
            continue
        x, y = pair.measure(a), pair.measure(b)
        found += [(pair.kind, r) for r in ((x > 0, y < 0) if pair.signed else (x > y,))]
    return found


def shares(votes: Mapping[str, Votes]) -> dict[str, Any]:
    """Kind (and "all") -> who -> judge -> per cent right, their intervals and of how many."""
    found: dict[str, Any] = {}
    for kind in (*KINDS, "all"):
        for who, cast in votes.items():
            cell: dict[str, Any] = {"intervals": {}, "counts": {}}
            for judge, each in cast.items():
                right = 100 * np.array([r for k, r in each if kind in (k, "all")], float)
                if right.size:
                    cell[judge], cell["counts"][judge] = number(float(right.mean())), len(right)
                    cell["intervals"][judge] = interval(bootstrap.interval(right))
            if cell["counts"]:
                found.setdefault(kind, {})[who] = cell
                found[kind]["windows"] = max(found[kind].get("windows", 0), *cell["counts"].values())
    return found


def embedder(cache: Cache) -> Embed:
    """Embeddings from the cache where it has the sentence, else from the product's own encoder."""
    known = {text: i for i, text in enumerate(cache.texts)}

    def embed(sentences: Sequence[str]) -> np.ndarray:
        new = [s for s in dict.fromkeys(sentences) if s not in known]
        found: dict[str, np.ndarray] = {}
        if new:
            from backend import text

            found = dict(zip(new, text.shared().embed(new), strict=True))
        return np.stack([cache.embeddings[known[s]] if s in known else found[s] for s in sentences])

    return embed
