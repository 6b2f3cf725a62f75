"""What a batch has to do: units of one source file onto one target, and what was done before."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..motion.errors import InvalidRequestError

BLENDER = (".blend", ".fbx", ".glb", ".gltf", ".vrm", ".usd", ".usda", ".usdc", ".usdz")
"""What Blender opens or imports."""
SOURCES = (".bvh", ".npz", *BLENDER)
TARGETS = (*BLENDER, ".bvh")
FORMATS = ("blend", "glb", "fbx", "bvh")
ROOTS = ("hips", "bone", "object")
FEET = ("lock", "keep")
HANDS = ("touch", "keep")
RECORDS = ".limber"
"""Folder in the output folder: one record a unit done, for --resume."""


@dataclass(frozen=True)
class Options:
    """How everything is retargeted.

    Attributes:
        format: one of ``FORMATS``.
        fps: rate of what is written; 0: each source's own.
        map: of the targets: ``auto``, a family's name, or a .json file of a BoneMap.
        source_map: the same of the sources.
        root: what carries the way over the ground, one of ``ROOTS``.
        in_place: take that way out.
        feet: one of ``FEET``.
        hands: one of ``HANDS``.
        only_armature: .fbx and .glb without meshes.
        check: how many frames are looked at after writing; 0: none.
        pictures: poses a clip for the page for people; 0: none.
    """

    format: str = "blend"
    fps: float = 0.0
    map: str = "auto"
    source_map: str = "auto"
    root: str = "hips"
    in_place: bool = False
    feet: str = "lock"
    hands: str = "touch"
    only_armature: bool = False
    check: int = 12
    pictures: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (("format", FORMATS), ("root", ROOTS), ("feet", FEET), ("hands", HANDS)):
            if getattr(self, name) not in allowed:
                raise InvalidRequestError(name, f"{getattr(self, name)!r} is none of {', '.join(allowed)}")
        if self.fps and not 0.01 <= self.fps <= 1000:
            raise InvalidRequestError("fps", f"{self.fps} is not a frame rate")


@dataclass(frozen=True)
class Place:
    """A file, and the armature object in it where it holds several: ``villain.blend:Rig``."""

    path: str
    armature: str = ""

    @classmethod
    def parse(cls, text: str) -> Place:
        """``path`` or ``path:object``; a colon that is part of an existing path stays in it."""
        if not os.path.exists(text) and ":" in text:
            path, _, armature = text.rpartition(":")
            if os.path.splitext(path)[1]:
                return cls(path, armature)
        return cls(text)

    def __str__(self) -> str:
        return f"{self.path}:{self.armature}" if self.armature else self.path


@dataclass(frozen=True)
class Unit:
    """One source file onto one target.

    Attributes:
        output: path without ending; a file of several clips appends each one's name.
        key: of everything that the result depends on; the record's name.
    """

    source: Place
    target: Place
    output: str
    options: Options
    key: str = field(default="")

    def to_json(self) -> dict[str, Any]:
        """As the wire has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Unit:
        """Inverse of :meth:`to_json`."""
        return cls(Place(**data["source"]), Place(**data["target"]), data["output"], Options(**data["options"]),
                   data["key"])  # fmt: skip


def plan(sources: Sequence[str], targets: Sequence[str], output: Path, options: Options) -> list[Unit]:
    """Every source file onto every target.

    Args:
        sources: paths or patterns (``clips/**/*.bvh``), of a file of several armatures ``path:object``.
        targets: paths, ``path:object``.
        output: folder; with several targets each gets a folder of its own in it.

    Raises:
        InvalidRequestError: a pattern that finds nothing, an ending that is not known, a file that is not there.
    """
    found = [pair for text in sources for pair in expand(text)]
    places = [Place.parse(text) for text in targets]
    for place in places:
        _known(place, TARGETS, "target")
        if not os.path.isfile(place.path):
            raise InvalidRequestError("target", f"there is no file {place.path}")
    folders = _names((Path(p.path).stem + (f"_{p.armature}" if p.armature else ""), p.path) for p in places)
    stems = _names((relative, place.path) for place, relative in found)
    units = []
    for target, folder in zip(places, folders, strict=True):
        base = output / folder if len(places) > 1 else output
        for (source, _), stem in zip(found, stems, strict=True):
            unit = Unit(source, target, str(base / stem), options)
            units.append(Unit(source, target, unit.output, options, _key(unit)))
    return units


def expand(text: str) -> list[tuple[Place, str]]:
    """Files that a pattern finds, with the path that each keeps in the output folder, without ending.

    Raises:
        InvalidRequestError: none, or one of another kind that was named in full.
    """
    if not glob.has_magic(text) or os.path.exists(text):
        place = Place.parse(text)
        if os.path.isdir(place.path):
            return expand(os.path.join(glob.escape(place.path), "**", "*"))
        _known(place, SOURCES, "source")
        if not os.path.exists(place.path):
            raise InvalidRequestError("source", f"there is no file {place.path}")
        return [(place, Path(place.path).stem)]
    fixed = Path(text)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    paths = sorted(p for p in glob.glob(text, recursive=True) if not os.path.isdir(p))
    paths = [p for p in paths if os.path.splitext(p)[1].lower() in SOURCES]
    if not paths:
        raise InvalidRequestError("source", f"{text} finds no file of {', '.join(SOURCES)}")
    return [(Place(p), str(Path(os.path.relpath(p, fixed)).with_suffix(""))) for p in paths]


def _known(place: Place, endings: Sequence[str], what: str) -> None:
    if os.path.splitext(place.path)[1].lower() not in endings:
        raise InvalidRequestError(what, f"{place.path} ends in none of {', '.join(endings)}")


def _names(wanted: Iterable[tuple[str, str]]) -> list[str]:
    """Names that differ even where letter case does not count: ``walk``, ``walk_fbx``, ``walk_fbx_2``."""
    taken: set[str] = set()
    out = []
    for name, path in wanted:
        made, number = name, 1
        if made.lower() in taken:
            made = name = f"{name}_{os.path.splitext(path)[1][1:].lower()}"
        while made.lower() in taken:
            number += 1
            made = f"{name}_{number}"
        taken.add(made.lower())
        out.append(made)
    return out


# -- what was done before -----------------------------------------------------------------------------


def _key(unit: Unit) -> str:
    """A hash of what a unit's result depends on: options, paths, and the files' sizes and times."""
    files = [unit.source.path, unit.target.path]
    files += [m for m in (unit.options.map, unit.options.source_map) if m.endswith(".json")]
    stamps = []
    for path in files:
        try:
            state = os.stat(path)
            stamps.append((os.path.abspath(path), state.st_size, state.st_mtime_ns))
        except OSError:
            stamps.append((os.path.abspath(path), -1, 0))
    data = unit.to_json() | {"key": "", "files": stamps, "output": os.path.abspath(unit.output)}
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:24]


def done_before(unit: Unit, folder: Path) -> list[dict[str, Any]] | None:
    """The entries of a unit that an earlier run finished, all of whose files are still there; else None."""
    try:
        entries = json.loads((folder / RECORDS / f"{unit.key}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(entries, list) or not entries:
        return None
    good = all(isinstance(e, dict) and e.get("state") == "done" and os.path.isfile(e.get("output", ""))
               for e in entries)  # fmt: skip
    return entries if good else None


def remember(unit: Unit, folder: Path, entries: list[dict[str, Any]]) -> None:
    """Note that a unit is done, in one step: a run that is killed leaves no half record."""
    records = folder / RECORDS
    records.mkdir(parents=True, exist_ok=True)
    part = records / f"{unit.key}.part"
    part.write_text(json.dumps(entries), "utf-8")
    part.replace(records / f"{unit.key}.json")
