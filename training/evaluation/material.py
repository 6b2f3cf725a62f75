"""What is measured on: held-out windows of a prepared cache, or of any folder of clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from blender_addon.motion import bone_maps, kinematics, npz, npz_archive, retarget, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import FileFormatError, LimberError
from blender_addon.motion.skeleton import JOINTS, PARENTS

from .. import metrics
from ..prepare import cache as cache_file
from ..prepare import checks, readers
from ..prepare.cache import Cache, Entry
from ..prepare.take import Options, Take

PAST = 10
OFFSET = 40
SETS: Mapping[str, tuple[str, str]] = {
    "bandai_namco takes": ("bandai_namco", "takes"),
    "bandai_namco groups": ("bandai_namco", "test"),
    "cmu subjects": ("cmu", "test"),
    "reactidle takes": ("reactidle", "test"),
}
"""Row -> source and split."""


@dataclass(frozen=True)
class Row:
    """One row of every table.

    Attributes:
        entries: the clips that are measured.
        scale: the clips that L2P's deviation comes from.
        validation: the clips that the filters' settings are chosen on.
    """

    entries: tuple[Entry, ...]
    scale: tuple[Entry, ...]
    validation: tuple[Entry, ...]


def rows(cache: Cache, names: Sequence[str] | None = None) -> dict[str, Row]:
    """The rows that a cache has clips for.

    A source without a name in :data:`SETS` has rows "<source> test" and "<source> takes". A source
    without training or validation clips (a folder that was only read to be measured) is scaled by, and
    its filters are set on, the measured clips themselves: in the filters' favour.

    Args:
        names: of :data:`SETS`, to take these alone; those the cache has no clips of are named on
            standard output, unless it is of other motion altogether.
    """
    wanted = dict(SETS) if names is None else {n: SETS[n] for n in names}
    if names is None:
        named = {source for source, _ in SETS.values()}
        for source in sorted({e.source for e in cache.entries} - named):
            wanted |= {f"{source} {split}": (source, split) for split in ("test", "takes")}
    told = names is not None or any(
        source in {e.source for e in cache.entries} for source, _ in SETS.values()
    )
    found = {}
    for name, (source, split) in wanted.items():
        entries = cache.select(split, [source])
        if not entries:
            if name in SETS and told:
                print(f"{name}: no clips in this cache, left out", flush=True)
            continue
        scale, validation = (tuple(cache.select(s, [source]) or entries) for s in ("train", "validation"))
        found[name] = Row(tuple(entries), scale, validation)
    return found


def windows(cache: Cache, entries: Sequence[Entry], length: int, most: int, past: int = PAST) -> list[Clip]:
    """Windows of ``length`` frames every ``OFFSET`` frames, evenly thinned to at most ``most``.

    Each faces +Z at frame ``past - 1``, about the origin (:func:`metrics.facing_window`).
    """
    return [
        metrics.facing_window(cache.clip(e).slice(s, s + length), past - 1)
        for e, s in _starts(entries, length, most)
    ]


def statistics(cache: Cache, entries: Sequence[Entry], length: int = 65,
               most: int = 2000) -> metrics.PositionStatistics:  # fmt: skip
    """The scale of L2P: :func:`metrics.position_statistics` of these clips' :func:`windows`, all at once.

    Of shorter windows where every clip is shorter than ``length``.
    """
    length = min(length, max(e.length for e in entries))
    starts = _starts(entries, length, most)
    frames = np.array([e.start + s for e, s in starts])[:, None] + np.arange(length)  # (N, T)
    bones = cache.skeletons[[e.skeleton for e, _ in starts]]
    placed = [
        _facing(cache.rotations[f], cache.roots[f], bones[k : k + len(f), None], min(PAST, length) - 1)
        for k in range(0, len(frames), 200)
        for f in [frames[k : k + 200]]
    ]
    positions = np.concatenate(placed).reshape(-1, len(JOINTS), 3)
    return metrics.PositionStatistics(positions.mean(0), positions.std(0))


def _starts(entries: Sequence[Entry], length: int, most: int) -> list[tuple[Entry, int]]:
    """Every ``OFFSET`` frames a window, evenly thinned to at most ``most``."""
    found = [(e, s) for e in entries for s in range(0, e.length - length + 1, OFFSET)]
    if len(found) > most:
        found = [found[i] for i in np.linspace(0, len(found) - 1, most).round().astype(int)]
    return found


def _facing(local: np.ndarray, root: np.ndarray, offsets: np.ndarray, frame: int) -> np.ndarray:
    """Joint positions of windows as :func:`metrics.facing_window` places them. ``(N, T, 22, 3)``."""
    local, root = local.astype(np.float64), root.astype(np.float64)
    pelvis = local[:, frame, 0]
    turn = rotations.from_axis_angle(-2 * np.arctan2(pelvis[:, 2], pelvis[:, 0])[:, None] * [0.0, 1, 0])
    bones = np.array(np.broadcast_to(offsets, (*local.shape[:-1], 3)), np.float64)
    bones[..., 0, :] = root - root.mean(1, keepdims=True) * [1.0, 0, 1]
    return rotations.rotate(turn[:, None, None], kinematics.forward(PARENTS, local, bones)[1])


# -- any folder of clips -----------------------------------------------------------------------------


def load(path: Path) -> Cache:
    """A prepared cache, or any folder that ``prepare`` reads, or of clips that Limber saved (``.npz``).

    A folder's clips come through ``prepare``'s own readers and checks (canonical joints, 30 fps, on the
    ground); all of them are measured. What was repaired or left out is named, with its reason.

    Raises:
        ValueError: nothing in the folder can be used.
        LimberError: a file that is no cache.
    """
    if not path.is_dir():
        return cache_file.load(path)
    name, clips, refused = path.resolve().name, [], []
    for take, read, drawn in _takes(path):
        finding = checks.Finding(take, name)
        try:
            pieces = checks.check(read(), finding, drawn)
        except (LimberError, OSError) as error:
            pieces, finding.left_out = [], str(error)
        for note in [*finding.repaired, *([f"left out: {finding.left_out}"] if finding.left_out else [])]:
            print(f"{take}: {note}", flush=True)
        if finding.left_out:
            refused.append(f"{take}: {finding.left_out}")
        clips += [(take if len(pieces) == 1 else f"{take} at {p.start:.1f} s", p.clip) for p in pieces]
    if not clips:
        raise ValueError(f"no usable clip in {path}" + "".join(f"; {r}" for r in refused[:3]))
    return _gather(name, clips)


def _takes(path: Path) -> Iterator[tuple[str, Callable[[], Clip], bool]]:
    """Name, reader, and whether it was drawn by hand, of everything in a folder."""
    own = {f: str(f.relative_to(path).with_suffix("")) for f in sorted(path.rglob("*.npz")) if _is_clip(f)}
    yield from ((name, partial(_canonical, file), False) for file, name in own.items())
    others = [f for f in path.rglob("*") if f.is_file() and f not in own]
    if not others:
        return
    stems = {Path(n).name for n in own.values()}
    for take in readers.takes(path, Options()):
        if Path(take.name).name not in stems:  # the AMASS reader lists every .npz
            yield take.name, partial(_read, take), take.drawn


def _is_clip(file: Path) -> bool:
    """Whether Limber saved it, and not AMASS."""
    try:
        return "meta" in npz_archive.read(file, str(file), ("meta",))
    except LimberError:
        return False


def _read(take: Take) -> Clip:
    if take.problem:
        raise FileFormatError(take.name, take.problem)
    return take.read()


def _canonical(file: Path) -> Clip:
    """One of Limber's own clips, on any skeleton, on the canonical joints."""
    clip = npz.load_clip(file)
    if clip.skeleton.names == JOINTS and clip.translations is None:
        return clip
    return retarget.to_canonical(clip, retarget.make_rig(clip.skeleton, bone_maps.find(clip.skeleton), clip))


def _gather(source: str, clips: Sequence[tuple[str, Clip]]) -> Cache:
    """Clips as a cache in memory, all of them "test" clips of one source."""
    entries, at = [], 0
    for number, (name, clip) in enumerate(clips):
        entries.append(Entry(name, source, name, "test", at, len(clip), number))
        at += len(clip)
    return Cache(
        np.concatenate([c.rotations for _, c in clips]).astype(np.float32),
        np.concatenate([c.root_positions for _, c in clips]).astype(np.float32),
        np.stack([c.skeleton.offsets for _, c in clips]).astype(np.float32), tuple(entries),
    )  # fmt: skip
