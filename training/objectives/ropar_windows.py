"""Windows for RoPAR: motion as a camera may have seen it, how far each joint is to be believed, and a sentence.

Confidence is the cache's own where it has any. Otherwise parts are spoiled on the fly: for stretches of
time, often the whole window (out of the picture), a part shakes and drifts and its confidence is low, until
the asked-for share of all (part, frame) is spoiled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from backend import features
from backend.nn import parts
from backend.nn.masked import TEXT, Context
from blender_addon.motion import rotations
from blender_addon.motion.skeleton import JOINTS, MIRROR

from .. import captions
from ..captions import Said
from ..corruption import coloured
from ..dataset import resized
from ..prepare.cache import Cache, Entry

_MIRROR = np.array(MIRROR)
_PARTS = [list(own) for own in parts.PARTS.values()]


@dataclass(frozen=True, eq=False)
class Seen:
    """A batch in its own frame: x = z = 0 and +Z are where the torso is first believed.

    Attributes:
        channels: ``(B, T, 135)`` as observed, hip heights; truth: the same, unspoiled.
        offsets: ``(B, 22, 3)``; valid: ``(B, T)`` bool.
        confidence: ``(B, T, 22)``; root_confidence: ``(B, T)``.
        texts: a number in :attr:`Cache.texts` each, -1: nothing is said.
    """

    channels: Tensor
    truth: Tensor
    offsets: Tensor
    valid: Tensor
    confidence: Tensor
    root_confidence: Tensor
    texts: tuple[int, ...]


class Draws:
    """Draws windows.

    Args:
        cache: the data.
        entries: what may be drawn.
        sources: share of each source.
        said: draw captioned stretches from their first frame on (and, without a caption, what has none);
            False: anything from anywhere.
        credible: least share of a window's (part, frame) that stays unspoiled; each window's own share is
            drawn between it and 1.
    """

    def __init__(self, cache: Cache, entries: Sequence[Entry], sources: Mapping[str, float], said: bool,
                 credible: float = 1.0) -> None:  # fmt: skip
        self.cache, self.said, self.credible = cache, said, credible
        entries = [e for e in entries if e.source in sources]
        found = captions.collect(cache, entries) if said else []
        captioned = {s.entry.start for s in found}
        found += [Said(e, 0, e.length, (), -e.start - 1) for e in entries if e.start not in captioned]
        self.items = found
        often = Counter((s.entry.source, s.meaning) for s in found)
        chance = np.array(
            [s.length * often[s.entry.source, s.meaning] ** (-0.5 * bool(s.texts)) for s in found]
        )
        for source, share in sources.items():
            own = np.array([s.entry.source == source for s in found], bool)
            chance[own] *= share / max(chance[own].sum(), 1e-9)
        self.chance, self.lengths = chance, np.array([s.length for s in found])

    def batch(
        self, rngs: Sequence[np.random.Generator], frames: int, at_least: int = 0, turn: bool = True
    ) -> Seen:
        """Windows of ``frames`` frames, padded where a motion is shorter.

        Args:
            rngs: one a window.
            at_least: take none shorter than this, if there are any longer.
            turn: half of the windows begin facing anywhere (training).
        """
        chance = self.chance
        if self.said:  # nothing is cut off that a longer step shows whole
            fit = chance * (self.lengths > at_least if at_least else self.lengths <= frames)
            chance = fit if fit.any() else chance
        rows = [self._one(rng, frames, chance / chance.sum()) for rng in rngs]
        turned = [float(rng.uniform(-np.pi, np.pi)) if turn and rng.random() < 0.5 else 0.0 for rng in rngs]
        stack = lambda k: torch.from_numpy(np.stack([row[k] for row in rows]))  # noqa: E731
        q, root, seen_q, seen_root, offsets, c, root_c, valid = (stack(k) for k in range(8))
        return self._framed(q, root, seen_q, seen_root, offsets, c, root_c, valid, torch.tensor(turned),
                            tuple(int(row[8]) for row in rows))  # fmt: skip

    def _framed(self, q: Tensor, root: Tensor, seen_q: Tensor, seen_root: Tensor, offsets: Tensor, c: Tensor,
                root_c: Tensor, valid: Tensor, turned: Tensor, texts: tuple[int, ...]) -> Seen:  # fmt: skip
        known = (root_c > parts.TAU) & (c[..., 0] > parts.TAU) & valid
        first = known & (known.cumsum(1) == 1)
        first[:, 0] |= ~known.any(1)
        seen = features.Window(seen_q, seen_root, offsets, first[..., None].expand(c.shape), first, valid)
        own, frame = features.localise(seen, turned.float())
        true = features.apply(features.Window(q, root, offsets, seen.rotation_known, first, valid), frame)
        channels, truth = (features.channels(features.to_matrix(w.rotations), w.root) for w in (own, true))
        return Seen(channels, truth, own.offsets, valid, c, root_c, texts)

    def _one(self, rng: np.random.Generator, frames: int, chance: np.ndarray) -> tuple[np.ndarray | int, ...]:
        said = self.items[rng.choice(len(self.items), p=chance)]
        n = min(frames, said.length)
        spare = said.length - n
        at = 0 if said.texts and rng.random() < 0.5 else int(rng.integers(spare + 1))
        rows = slice(said.entry.start + said.start + at, said.entry.start + said.start + at + n)
        q, root = np.zeros((frames, len(JOINTS), 4), np.float32), np.zeros((frames, 3), np.float32)
        q[..., 0] = 1
        q[:n], root[:n] = self.cache.rotations[rows], self.cache.roots[rows]
        offsets = resized(rng, self.cache.skeletons[said.entry.skeleton]).astype(np.float32)
        believed = self.cache.believed(rows.start, rows.stop)
        chosen = said.texts[rng.integers(len(said.texts))] if said.texts else -1
        if rng.random() < 0.5:
            q = q[:, _MIRROR] * np.array([1, 1, -1, -1], np.float32)
            root = root * np.array([-1, 1, 1], np.float32)
            offsets = offsets[_MIRROR] * np.array([-1, 1, 1], np.float32)
            believed = believed[:, [*_MIRROR, len(JOINTS)]]
            chosen = int(self.cache.mirrored[chosen]) if said.texts else -1
        valid = np.arange(frames) < n
        seen_q, seen_root, c = q.copy(), root.copy(), np.zeros((frames, len(JOINTS) + 1), np.float32)
        c[:n] = believed
        if self.credible < 1 and self.cache.confidence is None:
            share = rng.uniform(self.credible, 1.0)
            seen_q[:n], seen_root[:n], c[:n] = spoil(rng, q[:n], root[:n], share)
        return q, root, seen_q, seen_root, offsets, c[:, :-1], c[:, -1], valid, chosen


def spoil(
    rng: np.random.Generator, q: np.ndarray, root: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parts out of sight for stretches of time.

    Args:
        q: ``(T, 22, 4)``; root: ``(T, 3)``.
        share: of (part, frame) that stays as it is.

    Returns:
        what was observed, and the confidence ``(T, 23)``, the root's last: 0.7 and more where
        it is the truth, else below 0.4.
    """
    n = len(q)
    lost = np.zeros((n, len(_PARTS)), bool)
    wanted = round((1 - share) * lost.size)
    while (missing := wanted - int(lost.sum())) > 0:
        part, length = int(rng.integers(len(_PARTS))), n if rng.random() < 0.4 else int(rng.integers(8, 64))
        start = int(rng.integers(max(n - length, 0) + 1))
        fresh = np.flatnonzero(~lost[:, part])
        fresh = fresh[(fresh >= start) & (fresh < start + length)][:missing]
        lost[fresh, part] = True
    c = rng.uniform(0.7, 1.0, (n, len(JOINTS))).astype(np.float32)
    q, root = q.copy(), root.copy()
    for part, joints in enumerate(_PARTS):
        where, own = lost[:, part, None], np.isin(np.arange(len(JOINTS)), joints)
        if not where.any():
            continue
        low = rng.uniform(0.05, 0.35, c.shape)
        drift = np.radians(17) * (
            rng.normal(size=(1, len(joints), 3)) + coloured(rng, (n, len(joints), 3), 0.9)
        )
        moved = q.copy()
        moved[:, joints] = rotations.multiply(
            q[:, joints].astype(np.float64), rotations.from_axis_angle(drift)
        )
        c = np.where(where & own, low, c).astype(np.float32)
        q = np.where((where & own)[..., None], moved, q)
        if part == 0:
            root = root + where * (0.1 * coloured(rng, (n, 3), 0.95)).astype(np.float32)
    return q, root, np.concatenate((c, c[:, :1]), 1)


def sentences(cache: Cache, texts: Sequence[int], times: int, device: torch.device) -> Context:
    """Sentence vectors as what rows of ``times`` tokens may read; -1: nothing is said."""
    seen = torch.tensor([t >= 0 for t in texts])[:, None, None].expand(-1, times, 1)
    vectors = torch.zeros(len(texts), 1, TEXT)
    for b, t in enumerate(texts):
        if t >= 0:
            vectors[b, 0] = torch.from_numpy(cache.embeddings[t].astype(np.float32))
    return Context(vectors.to(device), seen.to(device))
