"""The named clips inside animated characters: ``.glb``, ``.gltf``, ``.fbx``, ``.blend``.

Blender opens them in a process of its own (``python -m blender_addon.named_clips``), which maps the
bones and writes every Action as canonical motion; nothing of Blender is loaded here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from blender_addon.motion import npz
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import FileFormatError

from ..sentences import clip_names
from ..sources import SOURCES, Source
from ..take import Options, Take, nothing

SUFFIXES = (".glb", ".gltf", ".fbx", ".blend")
SECONDS = 600.0
"""A file that Blender has not read by then is given up."""

_OWNERS = (("kaykit", "kaykit"), ("mannequiny", "mannequiny"), ("ue_", "mesh2motion"),
           ("rigify_deform", "mesh2motion"))  # fmt: skip
_ROOT = Path(__file__).resolve().parents[3]


def takes(folder: Path, source: Source, options: Options) -> Iterator[Take]:
    """One take an Action, named ``file:Action``; rest poses and files without Actions are told, not used."""
    del options
    for file in sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES):
        owner = _owner(file, source)
        try:
            with tempfile.TemporaryDirectory(prefix="limber-clips-") as place:
                found = {n: npz.load_clip(path) for n, path in named_clips(file, Path(place)).items()}
        except FileFormatError as error:
            yield Take(file.stem, owner, nothing, problem=str(error))
            continue
        if not found:
            yield Take(file.stem, owner, nothing, problem="a character without animation")
        for name, clip in found.items():
            problem = "a rest pose, no motion" if clip_names.is_rest(name) else ""
            yield Take(
                f"{file.stem}:{name}", owner, partial(_same, clip), clip_names.sentences(name), problem=problem,
                drawn=True,
            )  # fmt: skip


def _owner(file: Path, source: Source) -> Source:
    """Known characters name their maker; other files belong to the folder."""
    if source.name in SOURCES:
        return source
    return next((SOURCES[o] for start, o in _OWNERS if file.stem.startswith(start)), source)


def _same(clip: Clip) -> Clip:
    return clip


def named_clips(file: Path, folder: Path) -> dict[str, Path]:
    """Every Action of a file as a canonical clip in ``folder``: name -> file.

    Raises:
        FileFormatError: Blender cannot be started or does not understand the file.
    """
    call = [sys.executable, "-m", "blender_addon.named_clips", str(file.resolve()), str(folder)]
    try:
        done = subprocess.run(
            call,
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise FileFormatError(str(file), f"Blender did not read it within {SECONDS:.0f} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        raise FileFormatError(str(file), f"Blender does not read it: {last}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return {name: folder / path for name, path in answer["clips"].items()}
