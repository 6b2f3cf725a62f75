"""Splits by subject or take group, drawn once with a seed and kept in a file.

``train``; ``validation`` (to choose by); ``test`` (held-out groups: subjects, or action and
style); ``takes`` (held-out takes of groups that were trained on).
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from .sources import Source


def draw(source: Source, stems: Sequence[str], seed: int) -> dict[str, str]:
    """Split of every clip of one source; the same for the same names and seed."""
    rng = random.Random(f"{seed}:{source.name}")
    groups = sorted({source.group(s) for s in stems})
    rng.shuffle(groups)
    tests = max(1, round(len(groups) * source.held_out / 100)) if len(groups) > 2 else 0
    validations = max(1, tests // 3) if tests else 0
    if source.tests:
        groups = sorted(groups, key=lambda g: g not in source.tests)  # the protocol's tests come first
        tests = sum(g in source.tests for g in groups)
    held = dict.fromkeys(groups[:tests], "test") | dict.fromkeys(
        groups[tests : tests + validations], "validation"
    )
    out = {s: held.get(source.group(s), "train") for s in sorted(stems)}
    rest = [s for s, split in out.items() if split == "train"]
    rng.shuffle(rest)
    for s in rest[: round(len(rest) * source.takes / 100)]:
        out[s] = "takes"
    return out


def keep(
    path: Path, source: Source, stems: Sequence[str], seed: int, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The kept split; clips that are new since it was written join ``train`` of their group's side.

    Args:
        path: the kept file, written when something is new.
        source: the collection.
        stems: its takes.
        seed: for a collection that is drawn for the first time.
        given: the collection's own split, which is taken as it is (for those takes that have one).
    """
    if not stems:
        return {}
    kept: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}
    if source.name not in kept:
        kept[source.name] = draw(source, stems, seed) | dict(given or {})
    known = kept[source.name]
    sides = _sides(source, known)
    for s in stems:
        if s not in known:
            known[s] = (given or {}).get(s) or sides.get(source.group(s), "train")
    text = json.dumps(kept, indent=0, sort_keys=True) + "\n"
    if not path.exists() or path.read_text() != text:  # the kept file may belong to an installed package
        path.write_text(text)
    return known


def _sides(source: Source, known: Mapping[str, str]) -> dict[str, str]:
    return {source.group(s): split for s, split in known.items() if split in ("test", "validation")}
