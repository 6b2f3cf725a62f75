"""Captioned stretches of motion, whole or cropped, with what is said about them, as batches of tensors."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend import text
from backend.features import Window
from backend.nn.masked import TEXT
from blender_addon.motion.skeleton import JOINTS, MIRROR

from .captions import Said, collect
from .dataset import resized
from .prepare.cache import Cache, Entry

SHORTEST = 16
"""Frames of a stretch."""
STEP = 16
"""Stretches whose lengths differ by less share a batch: padding costs as much as motion."""
_MIRROR = np.array(MIRROR)


@dataclass(frozen=True, eq=False)
class Sentences:
    """What every sentence of a cache is to a network.

    Attributes:
        vectors: ``(all words and sentence vectors, 384)`` float16; a sentence's are ``starts[i]`` to
            ``starts[i + 1]``: its words, then its one vector.
        starts: ``(sentences + 1,)``.
    """

    vectors: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, words: Sequence[np.ndarray], whole: np.ndarray) -> Sentences:
        """From words ``(words, 384)`` each, and sentence vectors ``(sentences, 384)``."""
        parts = [np.concatenate((w, v[None])) for w, v in zip(words, whole, strict=True)]
        starts = np.cumsum([0, *(len(p) for p in parts)])
        return cls(np.concatenate(parts) if parts else np.zeros((0, TEXT), np.float16), starts)

    @classmethod
    def read(cls, cache: Cache) -> Sentences:
        """Of all sentences of a cache. The encoder takes minutes for thousands, so what it said is kept in
        the system's folder for temporary files."""
        key = hashlib.sha256("\n".join((text.SHA256, *cache.texts)).encode()).hexdigest()[:16]
        kept = Path(tempfile.gettempdir()) / f"limber-words-{key}.npz"
        if kept.exists():
            with np.load(kept) as f:
                return cls(f["vectors"], f["starts"])
        found = cls.of(text.Encoder().words(cache.texts) if cache.texts else [], cache.embeddings)
        with tempfile.NamedTemporaryFile(dir=kept.parent, suffix=".npz", delete=False) as part:
            np.savez(part, vectors=found.vectors, starts=found.starts)
        Path(part.name).replace(kept)
        return found

    def batch(self, chosen: Sequence[int | None]) -> tuple[Tensor, Tensor]:
        """Vectors ``(B, S, 384)`` float32 of a sentence each (None: none), and which are there ``(B, S)``."""
        rows = [self.vectors[self.starts[i] : self.starts[i + 1]] if i is not None else self.vectors[:0]
                for i in chosen]  # fmt: skip
        most = max((len(r) for r in rows), default=0)
        out = torch.zeros(len(rows), most, TEXT)
        there = torch.zeros(len(rows), most, dtype=torch.bool)
        for b, r in enumerate(rows):
            out[b, : len(r)] = torch.from_numpy(r.astype(np.float32))
            there[b, : len(r)] = True
        return out, there


class Stretches:
    """Draws batches of captioned stretches of about one length; where nothing is said, windows of motion.

    Half are mirrored, left and right exchanged in their sentences too. They are played at their own speed:
    sentences speak of it.

    Args:
        cache: the data.
        entries: what may be drawn.
        source_weights: share of each source; within one every stretch has the same (see :func:`everything`).
        frames: longest stretch of a usual step; longer ones are drawn by the long steps.
        long_frames: what is longer is cropped.
    """

    def __init__(self, cache: Cache, entries: Sequence[Entry], source_weights: Mapping[str, float], frames: int,
                 long_frames: int) -> None:  # fmt: skip
        self.cache, self.frames, self.long_frames = cache, frames, long_frames
        found: dict[str, list[Said]] = {s: [] for s in source_weights}
        for said in everything(cache, [e for e in entries if e.source in source_weights], long_frames):
            found[said.entry.source].append(said)
        # by the length that a batch is padded to; each stretch with its chance
        self.buckets: dict[int, tuple[list[Said], list[float]]] = {}
        for source, stretches in found.items():
            for said in stretches:
                kept, chances = self.buckets.setdefault(self._padded(said.length), ([], []))
                kept.append(said)
                chances.append(source_weights[source] / len(stretches))

    def _padded(self, length: int) -> int:
        for limit in (self.frames, self.long_frames):
            if length <= limit:
                return min(-(-length // STEP) * STEP, limit)
        return self.long_frames

    def length(self, draw: float, long: bool) -> int:
        """What the batch of a step is padded to, by its share of all stretches; ``draw`` in 0..1."""
        lengths = [n for n in sorted(self.buckets) if (n > self.frames) == long] or sorted(self.buckets)
        chances = np.cumsum([sum(self.buckets[n][1]) for n in lengths])
        return lengths[min(int(np.searchsorted(chances / chances[-1], draw)), len(lengths) - 1)]

    def batch(self, rngs: Sequence[np.random.Generator], frames: int) -> tuple[Window, list[int | None]]:
        """Windows of up to ``frames`` frames, in metres, everything known; and a sentence of each.

        Args:
            rngs: one a window, so that a window is the same whoever draws it.
            frames: one of :meth:`length`.
        """
        stretches, weights = self.buckets[frames]
        chances = np.array(weights) / sum(weights)
        size, j = len(rngs), len(JOINTS)
        rotations = np.zeros((size, frames, j, 4), np.float32)
        rotations[..., 0] = 1
        roots = np.zeros((size, frames, 3), np.float32)
        offsets = np.empty((size, j, 3), np.float32)
        valid = np.zeros((size, frames), bool)
        texts: list[int | None] = []
        for b, rng in enumerate(rngs):
            said = stretches[rng.choice(len(stretches), p=chances)]
            n = min(frames, said.length)
            at = said.entry.start + said.start + int(rng.integers(said.length - n + 1))
            turned, placed = self.cache.rotations[at : at + n], self.cache.roots[at : at + n]
            bones = resized(rng, self.cache.skeletons[said.entry.skeleton])
            sentence = said.texts[rng.integers(len(said.texts))] if said.texts else None
            if rng.random() < 0.5:
                turned = turned[:, _MIRROR] * np.array([1, 1, -1, -1], np.float32)
                placed = placed * np.array([-1, 1, 1], np.float32)
                bones = bones[_MIRROR] * np.array([-1, 1, 1], np.float32)
                sentence = None if sentence is None else int(self.cache.mirrored[sentence])
            rotations[b, :n], roots[b, :n], offsets[b], valid[b, :n] = turned, placed, bones, True
            texts.append(sentence)
        t = torch.from_numpy
        known = t(valid)
        window = Window(t(rotations), t(roots), t(offsets), known[..., None].expand(-1, -1, j), known, known)
        return window, texts


def everything(cache: Cache, entries: Sequence[Entry], frames: int) -> list[Said]:
    """Captioned stretches, each as often as ``frames`` go into it; clips without captions likewise."""
    found = collect(cache, entries, shortest=SHORTEST)
    found += [Said(e, 0, e.length, (), -1) for e in entries if not e.captions and e.length >= SHORTEST]
    return [said for said in found for _ in range(max(1, round(said.length / frames)))]
