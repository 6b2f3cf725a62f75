"""Following: do joints go where they are told, and does the motion stay natural? OmniControl's protocol.

Held-out captioned stretches of four seconds. Given are the first pose, the caption, and the true places of one
joint (or of all six) at 1, 2, 5, a quarter, or all of the frames, drawn at random. Every joint set meets every
stretch once; the densities take turns. Beside the systems stand plain interpolation led along the targets, and
the systems that heed text with the same captions and first poses and nothing to follow ("unsteered").

- trajectory error: share of motions with any target missed by more than 50 (20) cm;
- location error: share of targets missed by more;
- average error: mean distance from the targets, centimetres;
- KID of the steered motions and skating, beside the unsteered ones' and the truth's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blender_addon.motion import constraints
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import INDEX, JOINTS

from .. import captions, text_metrics
from ..evaluator import Evaluator
from ..prepare.cache import Cache
from .inbetween import number
from .material import Row
from .methods import Columns, Method
from .text import looks

TASK = "follow"
FRAMES = 120
FEWEST = 8
"""Stretches; of fewer, no row is made."""
JOINT_SETS: Mapping[str, tuple[str, ...]] = {
    "pelvis": ("pelvis",), "head": ("head",), "left hand": ("left_wrist",), "right hand": ("right_wrist",),
    "left foot": ("left_foot",), "right foot": ("right_foot",),
}  # fmt: skip
ALL = "all six"
DENSITIES: Mapping[str, int] = {"1": 1, "2": 2, "5": 5, "25 %": FRAMES // 4, "100 %": FRAMES}
"""Name -> frames with targets."""
FAR, NEAR = 0.5, 0.2
"""Metres: the protocol's thresholds."""
ROUNDS = 100


@dataclass(frozen=True, eq=False)
class Case:
    """One stretch that is to be followed.

    Attributes:
        joints, density: of :data:`JOINT_SETS` (or :data:`ALL`) and :data:`DENSITIES`; "" both: unsteered.
        clip: the truth; text: what is said; known: ``(F, 22)``, whose places are given.
    """

    joints: str
    density: str
    clip: Clip
    text: str
    known: np.ndarray

    def request(self, **settings: Any) -> constraints.Request:
        """As the product asks: the first pose is a key; with nothing to follow, text goes on from it."""
        n = len(self.clip)
        spans = (constraints.TextSpan(self.text, 0, n),)
        if not self.joints:
            return constraints.text(self.clip, spans, start_pose=True)
        start = np.zeros((n, len(JOINTS)), bool)
        start[0] = True
        return constraints.follow(
            self.clip, self.clip.positions(), self.known, rotation_known=start, root_known=start[:, 0],
            texts=spans, **settings,
        )  # fmt: skip


def cases(cache: Cache, row: Row, most: int = 60, seed: int = 5, sets: Sequence[str] = ()) -> list[Case]:
    """Every joint set on every stretch, then every stretch unsteered; [] where there are too few.

    Args:
        sets: names of joint sets; empty: each joint alone, and all six.
    """
    said = captions.collect(cache, row.entries, shortest=FRAMES)
    if len(said) > most:
        said = [said[i] for i in np.linspace(0, len(said) - 1, most).round().astype(int)]
    if len(said) < FEWEST:
        return []
    rng = np.random.default_rng(seed)
    clips = [s.clip(cache, 0, FRAMES) for s in said]
    texts = [cache.texts[s.texts[rng.integers(len(s.texts))]] for s in said]
    every = {**JOINT_SETS, ALL: tuple(j for names in JOINT_SETS.values() for j in names)}
    found = []
    for k, (joints, names) in enumerate(every.items()):
        if sets and joints not in sets:
            continue
        for n, (clip, text) in enumerate(zip(clips, texts, strict=True)):
            density = list(DENSITIES)[(n + 2 * k) % len(DENSITIES)]
            known = np.zeros((FRAMES, len(JOINTS)), bool)
            frames = rng.choice(FRAMES, DENSITIES[density], replace=False)
            known[np.ix_(frames, np.array([INDEX[j] for j in names]))] = True
            found.append(Case(joints, density, clip, text, known))
    none = np.zeros((FRAMES, len(JOINTS)), bool)
    return found + [Case("", "", clip, text, none) for clip, text in zip(clips, texts, strict=True)]


def misses(case: Case, clip: Clip) -> np.ndarray:
    """Distance from every target, metres. ``(targets,)``."""
    return np.linalg.norm(clip.positions() - case.clip.positions(), axis=-1)[case.known]


def measure(asked: Sequence[Case], got: Sequence[Clip]) -> dict[str, float | None]:
    """The protocol's errors over some cases; centimetres and per cent."""
    each = [misses(c, g) for c, g in zip(asked, got, strict=True)]
    every = np.concatenate(each)
    cell = {"average_cm": number(100 * float(np.mean([e.mean() for e in each])))}
    for name, limit in (("50", FAR), ("20", NEAR)):
        cell[f"trajectory_{name}"] = number(100 * float(np.mean([(e > limit).any() for e in each])))
        cell[f"location_{name}"] = number(100 * float((every > limit).mean()))
    return cell


def evaluate(cache: Cache, row: Row, columns: Columns, judge: Evaluator, most: int = 60,
             sets: Sequence[str] = ()) -> dict[str, Any]:  # fmt: skip
    """Joint set, density or "all" -> who -> metric; {} where a row has no captions.

    Args:
        sets: see :func:`cases`.
        judge: the evaluator whose embeddings KID is of.
    """
    asked = cases(cache, row, most, sets=sets)
    if not asked:
        return {}
    table: dict[str, Any] = {}
    said = columns.able("text")
    truth = [c.clip for c in asked if not c.joints]
    for name, method in columns.able(TASK).items():
        for part, cell in delivered(asked, method, judge).items():
            table.setdefault(part, {"windows": sum(_in(c, part) for c in asked)})[name] = cell
        if name in said:
            table.setdefault("unsteered", {"windows": len(truth)})[name] = unsteered(asked, said[name], judge)
    floor = float(text_metrics.kid_floor(judge.clips(truth), ROUNDS).mean())
    table["all"]["truth"] = looks(truth) | {"KID": number(floor)}
    return table


def delivered(asked: Sequence[Case], method: Method, judge: Evaluator,
              options: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:  # fmt: skip
    """What one method makes of all cases: part ("all", a joint set, a density) -> metric."""
    steered = [c for c in asked if c.joints]
    got = method([c.request(options=dict(options or {}), seed=k) for k, c in enumerate(steered)])
    truth = judge.clips([c.clip for c in asked if not c.joints])
    found: dict[str, dict[str, Any]] = {}
    for part in ("all", *JOINT_SETS, ALL, *DENSITIES):
        some = [k for k, c in enumerate(steered) if _in(c, part)]
        if not some:
            continue
        clips = [got[k] for k in some]
        found[part] = measure([steered[k] for k in some], clips) | looks(clips)
        found[part]["KID"] = _kid(truth, judge.clips(clips))
    return found


def unsteered(asked: Sequence[Case], method: Method, judge: Evaluator) -> dict[str, Any]:
    """The same captions and first poses with nothing to follow."""
    free = [c for c in asked if not c.joints]
    got = method([c.request() for c in free])
    return looks(got) | {"KID": _kid(judge.clips([c.clip for c in free]), judge.clips(got))}


def _kid(truth: np.ndarray, made: np.ndarray) -> float | None:
    """Mean KID of subsets of equal size, half of what is fewer; None of fewer than four."""
    size = min(len(truth), len(made)) // 2
    if size < 2:
        return None
    return number(float(text_metrics.kid_subsets(truth, made, size, ROUNDS).mean()))


def _in(case: Case, part: str) -> bool:
    return bool(case.joints) and (part == "all" or part in (case.joints, case.density))
