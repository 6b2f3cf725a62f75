"""Windows of motion from the cache, augmented and masked, as batches of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from backend.features import Window
from blender_addon.motion.skeleton import INDEX, JOINTS, MIRROR

from .corruption import CORRUPTIONS
from .masks import POLICIES
from .prepare.cache import Cache, Entry

_MIRROR = np.array(MIRROR)
_ARMS = [INDEX[f"{s}_{n}"] for s in ("left", "right") for n in ("shoulder", "elbow", "wrist")]
_TRUNK = [INDEX[n] for n in ("spine1", "spine2", "spine3", "neck", "head", "left_collar", "right_collar")]

Batch = TypeVar("Batch")

TEMPO = 0.223
"""Largest log of the playing speed: a fifth slower to a quarter faster."""


def generators(*seed: int, size: int) -> list[np.random.Generator]:
    """``size`` independent streams, one a window, that follow from ``seed`` (run, step) alone."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(size)]


class Windows:
    """Draws batches of training windows.

    A source is chosen by its weight, a clip by its length, a start anywhere; half are mirrored; arm
    and trunk lengths vary by 12 % either way, so that one capture suit's proportions are not learnt
    by heart. Clips shorter than the window are padded at the end and marked.

    Args:
        cache: the data.
        entries: what may be drawn.
        source_weights: share of each source; those without a weight are left out.
        mask_weights: share of each policy of :data:`masks.POLICIES` and :data:`corruption.CORRUPTIONS`.
        tempo: largest log of the speed at which half of the windows are played.
    """

    def __init__(self, cache: Cache, entries: Sequence[Entry], source_weights: Mapping[str, float],
                 mask_weights: Mapping[str, float], tempo: float = TEMPO) -> None:  # fmt: skip
        self.cache, self.tempo = cache, tempo
        self.groups = {s: [e for e in entries if e.source == s] for s in source_weights}
        empty = [s for s, g in self.groups.items() if not g]
        if empty:
            raise ValueError(f"the cache has no training clips of {empty[0]!r}")
        self.chances = {s: np.array([e.length for e in g], float) for s, g in self.groups.items()}
        self.chances = {s: c / c.sum() for s, c in self.chances.items()}
        self.sources, self.weights = _normalised(source_weights)
        self.policies, self.policy_weights = _normalised(mask_weights)

    def batch(self, rngs: Sequence[np.random.Generator], frames: int) -> tuple[Window, Window]:
        """Windows of ``frames`` frames, in metres, not yet interpolated.

        Args:
            rngs: one a window, so that a window is the same whoever draws it (:func:`generators`).

        Returns:
            the truth, and what is given of it: the same but where a policy corrupts what is observed.
        """
        size = len(rngs)
        rotations = np.zeros((size, frames, len(JOINTS), 4), np.float32)
        rotations[..., 0] = 1
        roots = np.zeros((size, frames, 3), np.float32)
        offsets = np.empty((size, len(JOINTS), 3), np.float32)
        known = np.zeros((size, frames, len(JOINTS)), bool)
        root_known = np.zeros((size, frames), bool)
        valid = np.zeros((size, frames), bool)
        trust = np.zeros((size, frames, len(JOINTS)), np.float32)
        root_trust = np.zeros((size, frames), np.float32)
        corrupted: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for b, rng in enumerate(rngs):
            source = self.sources[rng.choice(len(self.sources), p=self.weights)]
            entry = self.groups[source][rng.choice(len(self.chances[source]), p=self.chances[source])]
            n = min(frames, entry.length)
            rotations[b, :n], roots[b, :n] = self._stretch(rng, entry, n)
            offsets[b] = resized(rng, self.cache.skeletons[entry.skeleton])
            if rng.random() < 0.5:
                rotations[b] = rotations[b][:, _MIRROR] * np.array([1, 1, -1, -1], np.float32)
                roots[b] *= np.array([-1, 1, 1], np.float32)
                offsets[b] = offsets[b, _MIRROR] * np.array([-1, 1, 1], np.float32)
            policy = self.policies[rng.choice(len(self.policies), p=self.policy_weights)]
            if policy in POLICIES:
                known[b, :n], root_known[b, :n] = POLICIES[policy](rng, n)
            else:
                seen = CORRUPTIONS[policy](rng, rotations[b, :n], roots[b, :n], offsets[b])
                known[b, :n], root_known[b, :n] = seen.confidence >= 1, seen.root_confidence >= 1
                corrupted[b] = seen.rotations, seen.roots
                trust[b, :n], root_trust[b, :n] = seen.confidence, seen.root_confidence
            valid[b, :n] = True
        t = torch.from_numpy
        truth = Window(t(rotations), t(roots), t(offsets), t(known), t(root_known), t(valid))
        if not corrupted:
            return truth, truth
        turned, placed = rotations.copy(), roots.copy()
        for b, (q, p) in corrupted.items():
            turned[b, : len(q)], placed[b, : len(p)] = q, p
        given = replace(
            truth, rotations=t(turned), root=t(placed), confidence=t(trust), root_confidence=t(root_trust)
        )
        return truth, given

    def _stretch(self, rng: np.random.Generator, entry: Entry, n: int) -> tuple[np.ndarray, np.ndarray]:
        """``n`` frames from anywhere in a clip, half of the time played up to a quarter slower or faster."""
        speed = float(np.exp(rng.uniform(-self.tempo, self.tempo))) if rng.random() < 0.5 else 1.0
        span = int(np.ceil((n - 1) * speed)) + 1
        if speed == 1.0 or span > entry.length:
            at = entry.start + int(rng.integers(entry.length - n + 1))
            return self.cache.rotations[at : at + n], self.cache.roots[at : at + n]
        at = entry.start + int(rng.integers(entry.length - span + 1))
        times = np.arange(n, dtype=np.float32) * np.float32(speed)
        before = np.minimum(times.astype(int), span - 2)
        t = (times - before)[:, None]
        turned, placed = self.cache.rotations[at : at + span], self.cache.roots[at : at + span]
        a, b = turned[before], turned[before + 1]
        b = np.where((a * b).sum(-1, keepdims=True) < 0, -b, b)
        q = a + (b - a) * t[..., None]  # neighbouring frames are close: the chord is as good as the arc
        q /= np.linalg.norm(q, axis=-1, keepdims=True)
        return q, placed[before] + (placed[before + 1] - placed[before]) * t


def resized(rng: np.random.Generator, offsets: np.ndarray) -> np.ndarray:
    """Another body: arms and trunk each up to 12 % longer or shorter. ``(22, 3) -> (22, 3)``."""
    out = offsets.copy()
    out[_ARMS] *= rng.uniform(0.88, 1.12)
    out[_TRUNK] *= rng.uniform(0.88, 1.12)
    return out


def _normalised(weights: Mapping[str, float]) -> tuple[list[str], np.ndarray]:
    names = list(weights)
    values = np.array([weights[n] for n in names], float)
    return names, values / values.sum()


# -- ahead of the training --------------------------------------------------------------------------


class _Steps(Dataset[Any]):
    """The batch of each step, by its number."""

    def __init__(self, draw: Callable[[int], Any]) -> None:
        self.draw = draw

    def __getitem__(self, step: int) -> Any:
        return self.draw(step)


def _alone(worker: int) -> None:
    torch.set_num_threads(1)


def ahead(draw: Callable[[int], Batch], start: int, stop: int, workers: int) -> Iterator[Batch]:
    """``draw(step)`` for every step from ``start`` to ``stop`` (exclusive), in order, drawn before it is needed.

    Each batch follows from its step alone, so however many processes draw them, and wherever a run was
    broken off, they are the same. The processes are forked: they share the cache's memory, and must not
    touch a GPU. What is drawn ahead of a run that stops early is thrown away.

    Args:
        draw: makes a batch of tensors, from the step's number alone.
        workers: processes, each two batches ahead; 0: none, drawn when asked for.

    Raises:
        Exception: what ``draw`` raised.
    """
    if workers < 1:
        yield from map(draw, range(start, stop))
        return
    yield from DataLoader(
        _Steps(draw), batch_size=None, sampler=range(start, stop), num_workers=workers,
        multiprocessing_context="fork", worker_init_fn=_alone,
        generator=torch.Generator(),  # a seed of its own: the run's random state is not the loader's to move
    )  # fmt: skip
