"""A table of captions: ``dataset, clip, start_s, end_s, text, source``; empty times mean the whole clip."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from .. import sides
from ..take import Sentence

COLUMNS = {"dataset", "clip", "start_s", "end_s", "text"}


def read(path: Path, dataset: str) -> dict[str, tuple[Sentence, ...]]:
    """Sentences of one data set by clip.

    Raises:
        ValueError: a column is missing or a time is none; the line is named.
    """
    out: dict[str, list[Sentence]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if missing := COLUMNS - set(rows.fieldnames or ()):
            raise ValueError(f"{path}: no column {sorted(missing)[0]!r}")
        for row in rows:
            if row["dataset"] != dataset or not row["text"].strip():
                continue
            try:
                start = float(row["start_s"] or 0)
                end = float(row["end_s"]) if row["end_s"] else None
            except ValueError:
                raise ValueError(f"{path}, line {rows.line_num}: a time that is no number") from None
            sentence = Sentence(sides.plain(" ".join(row["text"].split())), start, end)
            if sentence not in out[row["clip"]]:
                out[row["clip"]].append(sentence)
    return {clip: tuple(found) for clip, found in out.items()}
