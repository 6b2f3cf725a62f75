"""Where motion comes from: each source with its licence, its groups and its way of being split."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A named collection.

    Attributes:
        name: folder or archive name.
        licence: what the card says.
        commercial: may weights trained on it be used commercially?
        group: file stem -> the subject or action-and-style group that is held out whole.
        held_out: how many per cent of the groups are test groups.
        takes: how many per cent of the remaining clips are held-out takes (near copies of
            training takes where the collection repeats itself; a weaker test).
    """

    name: str
    licence: str
    commercial: bool
    group: Callable[[str], str]
    held_out: int
    takes: int


def _bandai(stem: str) -> str:
    """``dataset-1_walk_normal_001`` -> ``dataset-1_walk_normal``."""
    return re.sub(r"_\d+$", "", stem)


def _cmu(stem: str) -> str:
    """``07_01`` -> ``07``; 60 and 61 are partners in the same takes, so one group."""
    subject = stem.split("_")[0]
    return "60+61" if subject in ("60", "61") else subject


SOURCES = {
    s.name: s
    for s in (
        Source("cmu", "CMU Graphics Lab Motion Capture Database: free for research and commercial use, raw "
               "data not to be resold; mocap.cs.cmu.edu, NSF EIA-0196217", True, _cmu, 25, 0),
        Source("reactidle", "ReActIdle: MIT (arXiv 2509.05023)", True, lambda stem: stem.split("_")[0], 15, 0),
        Source("bandai_namco", "Bandai Namco Research Motion Dataset: CC BY-NC 4.0 (arXiv 2306.08861)",
               False, _bandai, 8, 6),
    )
}  # fmt: skip


def unknown(name: str) -> Source:
    """A folder that is no known collection: each file is its own group."""
    return Source(name, "unknown: stated by whoever prepares it", False, lambda stem: stem, 10, 0)
