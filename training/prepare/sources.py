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
        group: take's name -> the subject or action-and-style group that is held out whole.
        held_out: how many per cent of the groups are test groups.
        takes: how many per cent of the remaining clips are held-out takes (near copies of
            training takes where the collection repeats itself; a weaker test).
        tests: groups that are test groups by the collection's own protocol; empty: drawn.
        note: what else has to be known of its motion.
        written: its sentences were written by people, each in words of their own, not made from names.
    """

    name: str
    licence: str
    commercial: bool
    group: Callable[[str], str]
    held_out: int
    takes: int
    tests: frozenset[str] = frozenset()
    note: str = ""
    written: bool = False


def _bandai(stem: str) -> str:
    """``dataset-1_walk_normal_001`` -> ``dataset-1_walk_normal``."""
    return re.sub(r"_\d+$", "", stem)


def _cmu(stem: str) -> str:
    """``07_01`` -> ``07``; 60 and 61 are partners in the same takes, so one group."""
    subject = stem.split("_")[0]
    return "60+61" if subject in ("60", "61") else subject


def _lafan(stem: str) -> str:
    """``dance1_subject2`` -> ``subject2``."""
    return stem.rsplit("_", 1)[-1]


def _style(stem: str) -> str:
    """``Angry_FW`` -> ``Angry``."""
    return stem.rsplit("_", 1)[0]


def _subject(name: str) -> str:
    """AMASS: ``ACCAD/Male1Walking_c3d/Walk_B3`` -> ``ACCAD/Male1Walking_c3d``, a subject's folder."""
    return name.rsplit("/", 1)[0]


def _family(name: str) -> str:
    """A character's clips by what is done: ``Walking_A`` -> ``walking``, ``Sit_Floor_Idle`` -> ``sit``.

    Loops, variants and the phases of one act are near copies of each other.
    """
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name.rsplit(":", 1)[-1])
    return words[0].lower() if words else name


def _human(name: str) -> str:
    """HumanML3D: the capture behind a take is unknown here; its own split lists decide."""
    return name.removeprefix("M")


SOURCES = {
    s.name: s
    for s in (
        Source("cmu", "CMU Graphics Lab Motion Capture Database: free for research and commercial use, raw "
               "data not to be resold; mocap.cs.cmu.edu, NSF EIA-0196217", True, _cmu, 25, 0, written=True),
        Source("reactidle", "ReActIdle: MIT (arXiv 2509.05023)", True, lambda stem: stem.split("_")[0], 15, 0),
        Source("bandai_namco", "Bandai Namco Research Motion Dataset: CC BY-NC 4.0 (arXiv 2306.08861)",
               False, _bandai, 8, 6),
        Source("kaykit", "KayKit character animations by Kay Lousberg: CC0", True, _family, 10, 0),
        Source("mesh2motion", "Mesh2Motion animations: CC0", True, _family, 10, 0),
        Source("mannequiny", "Mannequiny by GDQuest and contributors: CC BY 4.0", True, _family, 10, 0),
        Source("lafan1", "LAFAN1, Ubisoft La Forge Animation Dataset: CC BY-NC-ND 4.0", False, _lafan, 20, 0,
               frozenset({"subject5"})),
        Source("100style", "100STYLE: CC BY 4.0 (Mason, Starke, Komura 2022)", True, _style, 10, 0),
        Source("amass", "AMASS: non-commercial research only (amass.is.tue.mpg.de); its subsets have terms of "
               "their own", False, _subject, 10, 0),
        Source("humanml3d", "HumanML3D: texts MIT; motion from AMASS and HumanAct12, non-commercial research "
               "only", False, _human, 10, 0,
               note="joint rotations are recovered from joint positions: limb twists are a guess", written=True),
    )
}  # fmt: skip


def unknown(name: str) -> Source:
    """A folder that is no known collection: each file is its own group."""
    return Source(name, "unknown: stated by whoever prepares it", False, lambda stem: stem, 10, 0)


def named(name: str) -> Source:
    """The known collection of that name (case, ``-`` and ``_`` do not matter), or an unknown one."""
    plain = re.sub(r"[\W_]", "", name.lower())
    return next((s for n, s in SOURCES.items() if re.sub(r"[\W_]", "", n) == plain), None) or unknown(name)
