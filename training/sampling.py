"""``limber-train sampling``: ways of drawing from a system that is asked for text, beside each other.

Measured on the validation clips' captions by the evaluator that may be chosen by: neither is used by the
tables of a card. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from backend import weights
from backend.service import build
from backend.systems.mogents import MoGenTS
from backend.systems.ropar import RoPAR
from backend.weights import Bundle

from . import evaluator
from .evaluation import material
from .evaluation import text as judged
from .evaluation.methods import deliver
from .evaluation.tables import cell
from .export import system_of
from .prepare import cache as cache_file
from .prepare.cache import Cache
from .train import averaged

POOLS = (16, 4)
"""Captions that a motion is matched with: the first number that a source's validation clips have meanings for."""
_COLUMNS = (("R@1", 3), ("R@3", 3), ("KID", 3), ("matching", 2), ("skating", 1), ("standing", 0), ("jerk", 0))


def changes(said: str) -> dict[str, float]:
    """``steps=20,guidance=2.5`` as numbers by name; nothing for nothing.

    Raises:
        ValueError: a part is no ``NAME=NUMBER``.
    """
    found: dict[str, float] = {}
    for part in filter(None, said.split(",")):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError as error:
            raise ValueError(f"{part!r} is no NAME=NUMBER") from error
    return found


def applied(system: MoGenTS | RoPAR, changed: Mapping[str, float]) -> None:
    """Draw otherwise from now on.

    Raises:
        ValueError: the system has no such setting.
    """
    kinds = {f.name: type(getattr(system.sampling, f.name)) for f in fields(system.sampling)}
    if strange := sorted(changed.keys() - kinds.keys()):
        raise ValueError(f"{system.name} has no setting {strange[0]!r}; there are {', '.join(kinds)}")
    settings: Any = replace(system.sampling, **{k: kinds[k](v) for k, v in changed.items()})
    system.sampling = settings


def compare(model: Path, data: Path, name: str, tries: Sequence[Mapping[str, float]],
            most: int = 60) -> list[dict[str, Any]]:  # fmt: skip
    """One row for each way of drawing, and the truth's.

    Args:
        model: a bundle's folder or a checkpoint; name: of the bundle's system.
        tries: what is changed from what the system comes with; {}: nothing.
        most: captions.
    """
    cache = cache_file.load(data)
    space, asked, source = _space(cache, most)
    rows = []
    for changed in tries:
        system = _system(model, name)
        applied(system, changed)
        clips = judged.prompted(lambda requests, s=system: [deliver(r, s) for r in requests])(
            [cache.texts[t] for t in asked.texts], [len(c) for c in asked.clips], 0
        )
        label = ", ".join(f"{k} {v:g}" for k, v in changed.items()) or "as it is"
        rows.append({"drawn": label, "source": source, **space.measure(clips), **judged.looks(clips)})
        print(rows[-1]["drawn"], {k: rows[-1][k] for k, _ in _COLUMNS}, flush=True)
    rows.append({"drawn": "truth", "source": source, **space.measure(asked.clips), **judged.looks(asked.clips)})
    return rows


def _space(cache: Cache, most: int) -> tuple[judged.Space, judged.Asked, str]:
    """The first source whose validation clips have captions enough.

    Raises:
        ValueError: none has.
    """
    for source in sorted({e.source for e in cache.entries}):
        own = [tuple(cache.select(split, [source])) for split in ("validation", "train")]
        row = material.Row(own[0], own[1], own[0])
        for size in POOLS if own[0] else ():
            if (asked := judged.ask(cache, row, most, size=size)) is not None:
                return judged.Space(cache, row, asked, evaluator.installed("choose")), asked, source
    raise ValueError("no validation clips with captions to choose by")


def _system(model: Path, name: str) -> MoGenTS | RoPAR:
    system = build(weights.load(model), name) if model.is_dir() else system_of(*averaged(model))
    if not isinstance(system, MoGenTS | RoPAR):
        raise ValueError(f"{model}: {name} does not draw in steps that can be chosen")
    return system


def choose(path: Path, name: str, changed: Mapping[str, float]) -> Bundle:
    """Write a way of drawing into a bundle; its weights, card and figures stay.

    Raises:
        ValueError: the system has no such setting.
    """
    old = weights.load(path)
    system = _system(path, name)
    applied(system, changed)
    entries = {n: {k: v for k, v in old.systems[n].items() if k != weights.SHARES} for n in old.systems}
    entries[name], _ = system.to_bundle()
    return weights.save(
        path, {n: old.tensors(n) for n in old.systems}, entries, family=old.config["family"],
        licence=old.config["licence"], data=old.config["data"], card=(path / weights.CARD).read_text(encoding="utf-8"),
        metrics=old.metrics, text_encoder=old.config["text_encoder"],
    )  # fmt: skip


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table."""
    heads = ["drawn", *(name for name, _ in _COLUMNS)]
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for row in rows:
        values = [cell(row[name], digits) for name, digits in _COLUMNS]
        lines.append("| " + " | ".join([row["drawn"], *values]) + " |")
    return "\n".join(lines) + "\n"
