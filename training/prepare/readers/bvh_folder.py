"""Folders of BVH: CMU, ReActIdle, Bandai Namco, LAFAN1, anybody's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from blender_addon.motion import bone_maps, bvh, retarget
from blender_addon.motion.clip import Clip

from ..sentences import bandai_namco, lafan, table
from ..sources import SOURCES, Source
from ..take import Options, Sentence, Take


def takes(folder: Path, source: Source, options: Options) -> Iterator[Take]:
    """One take a file, named by its stem (by its path where stems repeat)."""
    if "LICENCE" not in source.licence and source.name not in SOURCES and _is_lafan(folder):
        source = SOURCES["lafan1"]
    files = sorted(folder.rglob("*.bvh"))
    stems = [f.stem for f in files]
    written = table.read(options.captions, source.name) if options.captions else {}
    for file in files:
        name = (
            file.stem if stems.count(file.stem) == 1 else file.relative_to(folder).with_suffix("").as_posix()
        )
        yield Take(name, source, partial(load, file), written.get(name, ()) or said(source.name, file.stem))


def _is_lafan(folder: Path) -> bool:
    files = list(folder.rglob("*.bvh"))
    return bool(files) and all(lafan.NAME.fullmatch(f.stem) for f in files)


def said(source: str, stem: str) -> tuple[Sentence, ...]:
    """Sentences from a file's name, where the collection's names say something."""
    if source == "bandai_namco":
        return bandai_namco.sentences(stem)
    if source == "lafan1":
        return lafan.sentences(stem)
    return ()


def load(file: Path) -> Clip:
    """A BVH file on the canonical joints, at its own rate."""
    raw = bvh.load(file)
    return retarget.to_canonical(raw, retarget.make_rig(raw.skeleton, bone_maps.find(raw.skeleton), raw))
