"""One reader a kind of collection; the kind is told from what lies in the folder.

A reader is a function ``(folder, source, options) -> iterable of takes``. It lists; clips are read later,
one by one, so that a damaged file costs that file and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .. import sources
from ..sources import Source
from ..take import Options, Take
from . import amass, bvh_folder, characters, humanml3d, style100

Reader = Callable[[Path, Source, Options], Iterable[Take]]


def _kinds(folder: Path) -> Iterator[tuple[str, Reader]]:
    if (folder / "new_joint_vecs").is_dir() or (folder / "new_joints").is_dir():
        yield "humanml3d", humanml3d.takes
    elif next(folder.rglob("Frame_Cuts.csv"), None):
        yield "100style", style100.takes
    else:
        if next(folder.rglob("*.bvh"), None):
            yield folder.name, bvh_folder.takes
        if next(folder.rglob("*.npz"), None):
            yield folder.name, amass.takes
        if any(f.suffix.lower() in characters.SUFFIXES for f in folder.rglob("*")):
            yield folder.name, characters.takes


def takes(what: Path | str, options: Options) -> list[Take]:
    """Every take of a collection, what cannot be used included (with its reason).

    Args:
        what: a folder, whose name names its source, or ``NAME=FOLDER``.
        options: what some readers need.

    Raises:
        ValueError: not a folder, or nothing in it that a reader knows.
    """
    name, separator, path = str(what).partition("=")
    folder = Path(path if separator and not Path(what).is_dir() else what)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    found: list[Take] = []
    for kind, reader in _kinds(folder):
        source = sources.named(name if separator and path == str(folder) else kind)
        found += reader(folder, source, options)
    if not found:
        raise ValueError(
            f"no usable clip in {folder}: no .bvh, no .npz, no {', '.join(characters.SUFFIXES)} and no HumanML3D"
        )
    return found
