"""100STYLE: a folder of BVH a style, and ``Frame_Cuts.csv``, which says where each take begins and ends.

Takes are ``STYLE/STYLE_XX.bvh``, XX being the way of moving (FW forward walk, BR backward run, ...). The
table has a row a style and ``XX_START``, ``XX_STOP`` in frames of the file; ``N/A`` where there is no take.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from blender_addon.motion.clip import Clip

from ..sentences import style100 as sentences
from ..sources import SOURCES, Source
from ..take import Options, Take, nothing
from . import bvh_folder


def takes(folder: Path, source: Source, options: Options) -> Iterator[Take]:
    """One take a file, cut as the table says; files without a row are left out with that reason."""
    del options
    source = source if source.name in SOURCES else SOURCES["100style"]
    cuts = _cuts(next(folder.rglob("Frame_Cuts.csv")))
    for file in sorted(folder.rglob("*.bvh")):
        style, _, way = file.stem.rpartition("_")
        if (style, way) not in cuts:
            yield Take(file.stem, source, nothing, problem="no such take in Frame_Cuts.csv")
            continue
        start, stop = cuts[style, way]
        yield Take(file.stem, source, partial(_load, file, start, stop), sentences.sentences(style, way),
                   notes=(f"frames {start} to {stop} of the file, as Frame_Cuts.csv says",))  # fmt: skip


def _cuts(path: Path) -> dict[tuple[str, str], tuple[int, int]]:
    out = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            style = (row.get("STYLE_NAME") or "").strip()
            for key, value in row.items():
                way, _, end = (key or "").strip().rpartition("_")
                if end != "START" or not style:
                    continue
                last = (row.get(f"{way}_STOP") or "").strip()
                first = (value or "").strip()
                if not first or not last or "N/A" in (first.upper(), last.upper()):
                    continue
                try:
                    out[style, way] = int(float(first)), int(float(last))
                except ValueError:
                    raise ValueError(f"{path}, line {number}: {way} of {style} is no frame number") from None
    return out


def _load(file: Path, start: int, stop: int) -> Clip:
    clip = bvh_folder.load(file)
    return replace(clip.slice(max(start, 0), min(stop, len(clip))), name=file.stem)
