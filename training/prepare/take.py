"""What a reader of a collection gives: takes that can be read one by one, with what is said about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blender_addon.motion.clip import Clip

from .sources import Source


@dataclass(frozen=True)
class Sentence:
    """A sentence about a take, or about a part of it (seconds; None: to the end)."""

    text: str
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Take:
    """One take of a collection.

    Attributes:
        name: unique within its source.
        source: where it comes from.
        read: gives the clip on the canonical joints at its own rate; raises LimberError, OSError.
        said: sentences about it.
        split: the collection's own split, if it has one: ``train``, ``validation`` or ``test``.
        problem: why it is left out unread; empty: it is read.
        drawn: animated by hand, not captured.
        notes: what the report has to say of it.
    """

    name: str
    source: Source
    read: Callable[[], Clip]
    said: tuple[Sentence, ...] = ()
    split: str = ""
    problem: str = ""
    drawn: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """What readers may need beside a folder.

    Attributes:
        body_models: folder of SMPL-H and SMPL-X models, for AMASS.
        captions: a table ``dataset, clip, start_s, end_s, text, source``.
    """

    body_models: Path | None = None
    captions: Path | None = None


def nothing() -> Clip:
    """The ``read`` of takes with a ``problem``; never called."""
    raise AssertionError("a take with a problem is not read")
