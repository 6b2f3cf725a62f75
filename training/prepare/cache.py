"""The cache: every clip at 30 fps on the canonical joints, quantised, in one file.

Local rotations are stored as axis-angle in int16 (pi / 32767, 0.0055 degrees a step), root
positions as float32, both as differences along time with their bytes separated, which deflate
likes. The table of clips is JSON. Reading gives plain arrays, ready to be windowed.

Version 2 adds sentences: each different one once, with its embedding (float16), the number of the
sentence with left and right swapped, and for every clip which sentences say what happens when.
Version 1 files are read as caches without sentences.

Version 3 is a cache of capture that is not to be believed everywhere: it adds how far each joint, and
the root's place, is to be believed in every frame, in fifteenths. Caches without are still version 2.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import FileFormatError
from blender_addon.motion.skeleton import JOINTS, canonical

VERSION = 2
EMBEDDING = 384
"""Width of all-MiniLM-L6-v2's sentence embeddings."""
FPS = 30.0
STEP = np.pi / 32767
_FIRST = {"turns", "roots", "skeletons", "meta"}
_SECOND = {"embeddings", "mirrored"}
_THIRD = {"confidence"}
LEVELS = 15
"""Steps of confidence between 0 and 1."""


@dataclass(frozen=True)
class Caption:
    """A sentence about a part of a clip.

    Attributes:
        text: its number in :attr:`Cache.texts`.
        start, stop: frames of the clip that it is about, ``stop`` exclusive.
    """

    text: int
    start: int
    stop: int


@dataclass(frozen=True)
class Entry:
    """One clip of the cache: where it lies, where it came from, which side of the split it is on."""

    name: str
    source: str
    group: str
    split: str
    start: int
    length: int
    skeleton: int
    captions: tuple[Caption, ...] = ()


@dataclass(frozen=True, eq=False)
class Cache:
    """All clips end to end.

    Attributes:
        rotations: ``(N, 22, 4)`` float32 local quaternions, sign-continuous within a clip.
        roots: ``(N, 3)`` float32 metres, the ground at 0.
        skeletons: ``(S, 22, 3)`` float32 offsets.
        entries: the table.
        texts: every different sentence once.
        embeddings: ``(len(texts), 384)`` float16, unit length; no rows where the cache was made
            without a text encoder.
        mirrored: ``(len(texts),)`` number of the same sentence with left and right swapped, for
            mirrored clips; a sentence without sides names itself.
        confidence: ``(N, 23)`` uint8, how far each joint and, last, the root's place is to be believed, in
            fifteenths; None: everything is true.
    """

    rotations: np.ndarray
    roots: np.ndarray
    skeletons: np.ndarray
    entries: tuple[Entry, ...]
    texts: tuple[str, ...] = ()
    embeddings: np.ndarray = field(default_factory=lambda: np.zeros((0, EMBEDDING), np.float16))
    mirrored: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    confidence: np.ndarray | None = None

    def believed(self, start: int, stop: int) -> np.ndarray:
        """Confidence 0..1 of frames ``start`` to ``stop``, counted over the whole cache. ``(T, 23)`` float32."""
        if self.confidence is None:
            return np.ones((stop - start, len(JOINTS) + 1), np.float32)
        return self.confidence[start:stop].astype(np.float32) / LEVELS

    def said(
        self, entry: Entry, start: int, stop: int, mirror: bool = False, share: float = 0.5
    ) -> list[int]:
        """Numbers of the sentences that are about a window of a clip.

        Args:
            entry: the clip.
            start, stop: frames of the clip; ``stop`` exclusive.
            mirror: the window is mirrored: left and right swapped in the sentences too.
            share: a sentence counts if it is about this share of the window.
        """
        enough = share * max(stop - start, 1)
        found = [c.text for c in entry.captions if min(stop, c.stop) - max(start, c.start) >= enough]
        return [int(self.mirrored[t]) for t in found] if mirror else found

    def windows(self, starts: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Many windows at once: ``(B, frames, 22, 4)`` quaternions and ``(B, frames, 3)`` roots, float32.

        Args:
            starts: ``(B,)`` first frames, counted over the whole cache (``entry.start`` + frame); each
                window must lie inside its clip.
            frames: length of a window.
        """
        rows = np.asarray(starts)[:, None] + np.arange(frames)
        return self.rotations.take(rows, axis=0), self.roots.take(rows, axis=0)

    def select(self, split: str, sources: Sequence[str] | None = None) -> list[Entry]:
        """Entries of a split, of all sources or the given ones."""
        return [e for e in self.entries if e.split == split and (sources is None or e.source in sources)]

    def clip(self, entry: Entry) -> Clip:
        """One entry as a Clip."""
        s = slice(entry.start, entry.start + entry.length)
        return Clip(
            canonical(self.skeletons[entry.skeleton]), self.rotations[s], self.roots[s], FPS, name=entry.name
        )


@dataclass(frozen=True, eq=False)
class Texts:
    """Sentences of a cache; see :class:`Cache` for the shapes."""

    texts: Sequence[str]
    embeddings: np.ndarray
    mirrored: np.ndarray


def save(
    path: Path, clips: Sequence[Clip], rows: Sequence[Mapping[str, object]], texts: Texts | None = None,
    confidence: Sequence[np.ndarray] | None = None,
) -> None:  # fmt: skip
    """Write clips (30 fps, canonical).

    Args:
        path: the file.
        clips: the motion.
        rows: for each clip ``name, source, group, split`` and, if there are texts, ``captions``:
            a list of ``(text, start, stop)``.
        texts: the sentences that captions refer to by number.
        confidence: for each clip ``(frames, 23)`` in 0..1; None: everything is true.
    """
    skeletons: list[np.ndarray] = []
    entries: list[Mapping[str, object]] = []
    start = 0
    for clip, row in zip(clips, rows, strict=True):
        offsets = clip.skeleton.offsets.astype(np.float32)
        match = [i for i, s in enumerate(skeletons) if np.allclose(s, offsets, atol=1e-5)]
        if not match:
            skeletons.append(offsets)
        entries.append({**row, "start": start, "length": len(clip),
                        "skeleton": match[0] if match else len(skeletons) - 1})  # fmt: skip
        start += len(clip)
    turns = np.concatenate([_quantise(c.rotations) for c in clips])
    roots = np.round(np.concatenate([c.root_positions for c in clips]) * 10_000).astype(np.int32)
    said = texts or Texts((), np.zeros((0, EMBEDDING)), np.zeros(0))
    version = VERSION if confidence is None else VERSION + 1
    meta = {"version": version, "joints": JOINTS, "entries": entries, "texts": list(said.texts)}
    believed = {} if confidence is None else {"confidence": _pack(_levels(np.concatenate(confidence)))}
    np.savez_compressed(
        path, **believed, turns=_pack(turns.reshape(len(turns), -1)), roots=_pack(roots), skeletons=np.array(skeletons),
        embeddings=np.asarray(said.embeddings, np.float16), mirrored=np.asarray(said.mirrored, np.int32),
        meta=np.frombuffer(json.dumps(meta, separators=(",", ":")).encode(), np.uint8),
    )  # fmt: skip


def _quantise(q: np.ndarray) -> np.ndarray:
    return np.round(rotations.to_axis_angle(q) / STEP).astype(np.int16)


def _levels(confidence: np.ndarray) -> np.ndarray:
    return np.round(np.clip(confidence, 0, 1) * LEVELS).astype(np.uint8)


def _pack(x: np.ndarray) -> np.ndarray:
    """Wrapping differences along time, most significant bytes apart. ``(N, C) -> (bytes, N * C)``."""
    d = np.diff(x, axis=0, prepend=np.zeros_like(x[:1]))
    size = d.dtype.itemsize
    return np.ascontiguousarray(d.T).reshape(-1).view(np.uint8).reshape(-1, size).T.copy()


def _unpack(packed: np.ndarray, channels: int, dtype: type) -> np.ndarray:
    d = np.ascontiguousarray(packed.T).reshape(-1).view(dtype).reshape(channels, -1).T
    return np.cumsum(d, axis=0, dtype=dtype)


def load(path: Path | str) -> Cache:
    """Read a cache.

    Raises:
        FileFormatError: not a cache, or of another version.
    """
    with Path(path).open("rb") as raw:
        try:
            f = np.load(raw, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise FileFormatError(str(path), f"not a motion cache ({error})") from error
        if not isinstance(f, NpzFile) or not _FIRST <= set(f.files) <= _FIRST | _SECOND | _THIRD:
            raise FileFormatError(str(path), "not a motion cache; make one with limber-train prepare")
        meta = json.loads(bytes(f["meta"]))
        if meta["version"] not in (1, VERSION, VERSION + 1) or tuple(meta["joints"]) != JOINTS:
            raise FileFormatError(
                str(path), f"cache version {meta['version']}, expected at most {VERSION + 1}"
            )
        said: dict[str, Any] = {k: f[k] for k in _SECOND if k in f.files}
        turns = _unpack(f["turns"], len(JOINTS) * 3, np.int16)
        roots = _unpack(f["roots"], 3, np.int32).astype(np.float32) / 10_000
        skeletons = f["skeletons"]
        if set(f.files) >= _THIRD:
            said["confidence"] = _unpack(f["confidence"], len(JOINTS) + 1, np.uint8)
    q = np.empty((len(turns), len(JOINTS), 4), np.float32)
    for s in range(0, len(turns), 50_000):  # keeps the float64 working set small
        part = turns[s : s + 50_000].reshape(-1, len(JOINTS), 3).astype(np.float32) * np.float32(STEP)
        q[s : s + 50_000] = rotations.from_axis_angle(part)
    entries = tuple(
        Entry(**(e | {"captions": tuple(Caption(*c) for c in e.get("captions", ()))}))
        for e in meta["entries"]
    )
    for e in entries:
        part = slice(e.start, e.start + e.length)
        q[part] = rotations.continuous(q[part])
    return Cache(q, roots, skeletons, entries, tuple(meta.get("texts", ())), **said)


def table(cache: Cache) -> list[dict[str, object]]:
    """The entries as plain dictionaries (for reports)."""
    return [asdict(e) for e in cache.entries]
