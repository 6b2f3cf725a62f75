"""Text-to-motion: does the motion show what was asked for, does it look real, how much does it vary?

Everything is measured on the embeddings of one of the project's own evaluators (:mod:`training.evaluator`)
on held-out clips that have captions. Two rows stand beside every system: the true motion, which no system
can be expected to pass, and the true motion under captions of something else, which is chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend import tasks
from blender_addon.motion import constraints
from blender_addon.motion.clip import Clip, rest_clip

from .. import bootstrap, captions, metrics, text_metrics
from ..captions import Said
from ..evaluator import LONGEST, SHORTEST, Evaluator
from ..prepare.cache import FPS, Cache
from .inbetween import interval, number
from .material import Row
from .methods import Method

TASK = "text"
"""What a system must be able to do."""
Generate = Callable[[Sequence[str], Sequence[int], int], Sequence[Clip]]
"""(texts, lengths in frames at 30 a second, seed) -> a clip each, on the canonical joints at 30 fps."""

TEXTS, SAMPLES = 20, 6
"""Of multimodality: texts, and motions for each."""
ROUNDS = 100
"""Random halves that KID, FID and their floors are averaged over."""
FEWEST = 8
"""Stretches; of fewer, no row is made."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What every system is asked for, and what its answers are compared with.

    Attributes:
        said: the N stretches of held-out clips; texts: ``(N,)`` the sentence drawn for each.
        clips: the true motion, at most ``LONGEST`` frames.
        others: ``(M,)`` sentences that wrong answers come from, the N first.
        wrong: ``(N, 32)`` wrong answers among them: 31 of a pool, and one for the shuffled row.
    """

    said: Sequence[Said]
    texts: NDArray[np.intp]
    clips: Sequence[Clip]
    others: NDArray[np.intp]
    wrong: NDArray[np.intp]


def prompted(method: Method) -> Generate:
    """A system as it is asked through the product: one request a motion, at rest where nothing is known."""

    def generate(texts: Sequence[str], lengths: Sequence[int], seed: int) -> list[Clip]:
        return method([
            constraints.text(rest_clip(n, FPS), [constraints.TextSpan(text, 0, n)], seed=1_000_003 * seed + k)
            for k, (text, n) in enumerate(zip(texts, lengths, strict=True))
        ])  # fmt: skip

    return generate


def ask(cache: Cache, row: Row, most: int = 200, longest: int = LONGEST, seed: int = 0,
        size: int = text_metrics.POOL) -> Asked | None:  # fmt: skip
    """Held-out stretches, evenly thinned to ``most``, each with one of its sentences and a pool.

    Pools are drawn from the row's other captions first, then from those of clips that were trained on.

    Returns:
        None where the row has no captions, too few, or not enough different ones.
    """
    said = captions.collect(cache, row.entries, shortest=SHORTEST)
    if len(said) > most:
        said = [said[i] for i in np.linspace(0, len(said) - 1, most).round().astype(int)]
    if len(said) < FEWEST or not len(cache.embeddings):
        return None
    rng = np.random.default_rng(seed)
    draw = lambda items: np.array([s.texts[rng.integers(len(s.texts))] for s in items], np.intp)  # noqa: E731
    texts = draw(said)
    spare = captions.collect(cache, row.scale, shortest=SHORTEST)
    every, others = [*said, *spare], np.concatenate([texts, draw(spare)])
    same = captions.alike(cache, said, texts.tolist(), every, others.tolist())
    try:
        wrong = text_metrics.pools(same, [s.meaning for s in every], len(said), size + 1, seed)
    except ValueError as error:
        print(f"{said[0].entry.source}: {error}, text is not measured here", flush=True)
        return None
    clips = [s.clip(cache, 0, min(s.length, longest)) for s in said]
    return Asked(said, texts, clips, others, wrong)


def evaluate(cache: Cache, row: Row, generate: Mapping[str, Generate], judges: Mapping[str, Evaluator],
             most: int = 200, seed: int = 0, size: int = text_metrics.POOL) -> dict[str, Any]:  # fmt: skip
    """Judge -> who -> metric, "truth" and "shuffled" among them; {} where a row has no captions.

    Args:
        generate: name -> system.
        judges: name -> evaluator.
        size: captions of a pool.
    """
    asked = ask(cache, row, most, seed=seed, size=size)
    if asked is None:
        return {}
    made = {name: _made(cache, asked, system, seed) for name, system in generate.items()}
    found = {}
    for judge, evaluator in judges.items():
        space = Space(cache, row, asked, evaluator)
        cells: dict[str, Any] = {"windows": len(asked.clips)}
        for name, (clips, several) in made.items():
            cells[name] = space.measure(clips, several) | looks(clips)
        cells["truth"] = space.measure(asked.clips) | looks(asked.clips)
        cells["shuffled"] = space.shuffled()
        found[judge] = cells
    return found


def _made(cache: Cache, asked: Asked, system: Generate, seed: int) -> tuple[list[Clip], list[list[Clip]]]:
    """A motion for every caption, and several for each of a few."""
    words = [cache.texts[t] for t in asked.texts]
    lengths = [len(c) for c in asked.clips]
    clips = list(system(words, lengths, seed))
    if [len(c) for c in clips] != lengths:
        raise ValueError("a system gave clips of other lengths than it was asked for")
    _, first = np.unique(asked.texts, return_index=True)
    few = first[np.linspace(0, len(first) - 1, min(TEXTS, len(first))).round().astype(int)]
    again = [list(system([words[i] for i in few], [lengths[i] for i in few], seed + k))
             for k in range(1, SAMPLES + 1)]  # fmt: skip
    return clips, [list(motions) for motions in zip(*again, strict=True)]


class Space:
    """What one evaluator makes of the truth, the captions and the training clips of a row."""

    def __init__(self, cache: Cache, row: Row, asked: Asked, evaluator: Evaluator) -> None:
        self.evaluator, self.asked = evaluator, asked
        self.truth = evaluator.clips(asked.clips)
        self.others = evaluator.sentences(cache.embeddings[asked.others])
        self.texts = self.others[: len(asked.texts)]
        known = captions.collect(cache, row.scale, shortest=SHORTEST)
        self.training = evaluator.clips([s.clip(cache, 0, min(s.length, LONGEST)) for s in known])

    def measure(self, clips: Sequence[Clip], several: Sequence[Sequence[Clip]] = ()) -> dict[str, Any]:
        """One line of the table.

        Args:
            clips: a motion for each caption; several: for a few captions, several motions each.
        """
        real = clips is self.asked.clips
        x = self.truth if real else self.evaluator.clips(clips)
        cell = self._matching(x, self.texts, self.asked.wrong[:, :-1])
        halves = (
            (text_metrics.kid_floor(x, ROUNDS), text_metrics.fid_floor(x, ROUNDS)) if real else
            (text_metrics.kid_subsets(self.truth, x, len(x) // 2, ROUNDS),
             text_metrics.fid_halves(self.truth, x, ROUNDS))
        )  # fmt: skip
        for name, values in zip(("KID", "FID"), halves, strict=True):
            cell[name] = number(float(values.mean()))
            cell["intervals"][name] = interval(tuple(np.percentile(values, (2.5, 97.5))))
        each = {"diversity": text_metrics.diversity(x), "nearest": text_metrics.nearest(x, self.training)[0]}
        if several:
            spread = np.stack([self.evaluator.clips(motions) for motions in several])
            each["multimodality"] = text_metrics.multimodality(spread)
        for name, values in each.items():
            cell[name] = number(float(values.mean()))
            cell["intervals"][name] = interval(bootstrap.interval(values))
        return cell

    def shuffled(self) -> dict[str, Any]:
        """The truth under captions of something else: what is right by chance."""
        wrong = np.random.default_rng(0).permuted(self.asked.wrong, axis=1)  # near captions come first
        return self._matching(self.truth, self.others[wrong[:, -1]], wrong[:, :-1])

    def _matching(self, x: np.ndarray, texts: np.ndarray, wrong: np.ndarray) -> dict[str, Any]:
        hits = text_metrics.retrieval(x, texts, self.others, wrong)
        each = {f"R@{k}": hits[:, i].astype(float) for i, k in enumerate(text_metrics.TOP)}
        each["matching"] = text_metrics.matching_distances(texts, x)
        cell: dict[str, Any] = {k: number(float(v.mean())) for k, v in each.items()}
        cell["intervals"] = {k: interval(bootstrap.interval(v)) for k, v in each.items()}
        return cell


def looks(clips: Sequence[Clip]) -> dict[str, float | None]:
    """Skating of both kinds, frames with a standing foot, penetration and jerk: means over clips of any lengths."""
    placed = [(c.positions(), c.fps) for c in clips]
    return {
        "skating": number(100 * float(np.mean([tasks.skating(c) for c in clips]))),
        "standing": number(100 * float(np.mean([tasks.standing(c) for c in clips]))),
        "skating_ratio": number(float(np.mean([metrics.skating_ratio(p, fps) for p, fps in placed]))),
        "penetration_cm": number(float(np.mean([metrics.penetration(p) for p, _ in placed]))),
        "jerk": number(float(np.mean([metrics.jerk(p, fps) for p, fps in placed]))),
    }
