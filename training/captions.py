"""What is said about the clips of a cache, and which of it says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import MIRROR, canonical

from .prepare.cache import FPS, Cache, Entry
from .prepare.sources import named

ALIKE = 0.8
"""Sentences whose embeddings' cosine is above this say the same (TMR: Petrovich et al. 2023)."""


@dataclass(frozen=True)
class Said:
    """A stretch of a clip and the sentences about it.

    Attributes:
        entry: the clip.
        start, stop: frames of the clip, ``stop`` exclusive.
        texts: numbers of the sentences in :attr:`Cache.texts`.
        meaning: number of the clip's first sentence: clips that share it show the same.
        mirrored: the mirror image is meant, left and right exchanged in the sentences.
    """

    entry: Entry
    start: int
    stop: int
    texts: tuple[int, ...]
    meaning: int
    mirrored: bool = False

    @property
    def length(self) -> int:
        return self.stop - self.start

    def clip(self, cache: Cache, start: int = 0, stop: int | None = None) -> Clip:
        """Frames ``start`` to ``stop`` of the stretch."""
        a = self.entry.start + self.start
        s = slice(a + start, a + (self.length if stop is None else stop))
        clip = Clip(canonical(cache.skeletons[self.entry.skeleton]), cache.rotations[s], cache.roots[s], FPS)
        return clip.mirror(MIRROR) if self.mirrored else clip


def collect(cache: Cache, entries: Sequence[Entry], mirrored: bool = False, shortest: int = 12) -> list[Said]:
    """Every captioned stretch of the clips, once, with all of its sentences.

    Args:
        mirrored: their mirror images too.
        shortest: frames; shorter stretches are left out.
    """
    found = []
    for entry in entries:
        spans: dict[tuple[int, int], list[int]] = {}
        for c in entry.captions:
            if c.stop - c.start >= shortest:
                spans.setdefault((c.start, c.stop), []).append(c.text)
        for (start, stop), texts in spans.items():
            meaning = entry.captions[0].text
            found.append(Said(entry, start, stop, tuple(texts), meaning))
            if mirrored:
                other = cache.mirrored[[*texts, meaning]].tolist()
                found.append(Said(entry, start, stop, tuple(other[:-1]), other[-1], True))
    return found


def alike(cache: Cache, rows: Sequence[Said], row_texts: Sequence[int], columns: Sequence[Said],
          column_texts: Sequence[int]) -> NDArray[np.bool_]:  # fmt: skip
    """Which pairs must not count as wrong answers of each other. ``(R, C)``.

    The same clip; the same meaning; or sentences that are :data:`ALIKE`. Within a source whose sentences
    were made from the names of its clips the meaning alone decides: there "turns left" and "turns right"
    are as near as paraphrases, and different.

    Args:
        row_texts, column_texts: the sentence that stands for each item.
    """
    if not rows or not columns:
        return np.zeros((len(rows), len(columns)), bool)
    vectors = cache.embeddings.astype(np.float32)
    similar = vectors[np.asarray(row_texts)] @ vectors[np.asarray(column_texts)].T > ALIKE
    ids: dict[str, int] = {}
    sources = [[ids.setdefault(s.entry.source, len(ids)) for s in side] for side in (rows, columns)]
    written = np.array([named(source).written for source in ids])
    a, b = (np.array(s) for s in sources)
    named_alike = (a[:, None] == b) & ~written[a][:, None]
    meanings = [np.array([s.meaning for s in side]) for side in (rows, columns)]
    takes = [np.array([s.entry.start for s in side]) for side in (rows, columns)]
    mirrored = [np.array([s.mirrored for s in side]) for side in (rows, columns)]
    same = (takes[0][:, None] == takes[1]) & (mirrored[0][:, None] == mirrored[1])
    return (similar & ~named_alike) | (meanings[0][:, None] == meanings[1]) | same
