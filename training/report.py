"""``limber-train evaluate --report``: one HTML page that needs nothing else, to be looked at.

Tables and curves are made here, as HTML and SVG; only the animated skeletons need the page's script
(``report.html``, beside this file). Everything is inside the one file: no network, no library.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.motion.skeleton import JOINTS, PARENTS

from . import curves
from .evaluation.samples import Sample
from .evaluation.tables import who

Columns = Sequence[tuple[str, str, int, bool | None]]
"""Heading, metric, digits, and whether less is better (None: neither; near the truth)."""

INBETWEEN: Columns = (
    ("joint error, cm", "error_cm", 2, True), ("L2P", "L2P", 3, True), ("L2Q", "L2Q", 3, True),
    ("NPSS", "NPSS", 4, True), ("skating, cm/s", "skating", 1, None),
    ("skating steps", "skating_ratio", 3, None), ("under ground, cm", "penetration_cm", 2, None),
    ("jerk, m/s³", "jerk", 0, None), ("key change", "key_degrees", 4, None),
)  # fmt: skip
POSES: Columns = (
    ("joint error, cm", "error_cm", 2, True), ("PCP, %", "pcp", 1, False),
    ("acceleration error, mm/frame²", "accel_mm", 1, True), ("rotation error, °", "turn_degrees", 2, True),
    ("skating, cm/s", "skating", 1, None), ("skating steps", "skating_ratio", 3, None),
    ("under ground, cm", "penetration_cm", 2, None), ("jerk, m/s³", "jerk", 0, None),
    ("key change", "key_degrees", 4, None),
)  # fmt: skip
TEXT: Columns = (
    ("R@1", "R@1", 3, False), ("R@2", "R@2", 3, False), ("R@3", "R@3", 3, False), ("KID", "KID", 3, True),
    ("FID", "FID", 2, True), ("distance to its text", "matching", 2, True), ("diversity", "diversity", 2, None),
    ("multimodality", "multimodality", 2, None), ("nearest training clip", "nearest", 2, None),
    ("skating, cm/s", "skating", 1, None), ("skating steps", "skating_ratio", 3, None),
    ("under ground, cm", "penetration_cm", 2, None), ("jerk, m/s³", "jerk", 0, None),
)  # fmt: skip
PAIRS: Columns = (
    ("evaluator to choose by, %", "choose", 0, False), ("evaluator to report, %", "report", 0, False),
    ("measured on the motion, %", "measure", 0, False),
)  # fmt: skip
SECTIONS = (
    ("inbetween", "In-betweening, LAFAN1's protocol", INBETWEEN, "missing frames"),
    ("inbetween mmdm", "In-betweening, MMDM's transition", INBETWEEN, "missing frames"),
    ("inbetween partial", "Sparse and partial keys", INBETWEEN[:1], "keys"),
    ("complete", "Completion", POSES, "missing"),
    ("refine", "Refinement", POSES, "noise"),
    ("text", "Text to motion", TEXT, "evaluator"),
    ("pairs", "Minimal pairs: prompts that differ in a word or two", PAIRS, "what differs"),
)
UNITS = {"evaluator": "captions", "what differs": "motions"}
"""What a case is measured over, by the heading of its column, where that is not windows."""


def write(path: Path, title: str, about: str, table: Mapping[str, Any], samples: Sequence[Sample]) -> None:
    """Write the page.

    Args:
        path: the file.
        title: heading.
        about: a sentence or two of what was measured; plain text.
        table: from :func:`evaluate.evaluate`.
        samples: from :func:`evaluation.samples.draw`; none: no player.
    """
    shown = page(title, about, content(table), samples)
    path.write_text(shown, encoding="utf-8")


def page(title: str, about: str, content: str, samples: Sequence[Sample] = (), notes: bool = True) -> str:
    """A whole page.

    Args:
        content: HTML.
        notes: explain the metrics of :func:`content` at its end.
    """
    shown = files("training").joinpath("report.html").read_text(encoding="utf-8")
    explained = r"<!--NOTES-->(.*)<!--/NOTES-->"
    shown = re.sub(explained, r"\1" if notes else "", shown, flags=re.DOTALL)
    parts = {
        "TITLE": escape(title), "ABOUT": escape(about), "CONTENT": content,
        "DATA": json.dumps(motion(samples)).replace("</", "<\\/"),
    }  # fmt: skip
    for key, value in parts.items():
        shown = shown.replace(f"<!--{key}-->", value)
    return shown


# -- tables and curves ---------------------------------------------------------------------------------


def content(table: Mapping[str, Any]) -> str:
    """Every section with its curves and tables, as HTML."""
    out = []
    for key, title, columns, head in SECTIONS:
        if not table.get(key):
            continue
        out.append(f"<section><h2>{escape(title)}</h2>")
        if drawn := curves.of(key, table[key]):
            out.append(f'<div class="curves">{drawn}</div>')
        for row, cases in table[key].items():
            out.append(f"<details{' open' if len(table[key]) == 1 else ''}><summary>{escape(row)}</summary>")
            out.append(_table(cases, columns, head))
            out.append("</details>")
        out.append("</section>")
    return "\n".join(out)


def _table(cases: Mapping[str, Any], columns: Columns, head: str) -> str:
    """One data set: a block of lines for each case, a line for each method."""
    titles = "".join(f"<th>{escape(t)}</th>" for t, *_ in columns)
    compared = any("below" in cells[n].get("intervals", {}) for cells in cases.values() for n in who(cells))
    last = "<th>below</th>" if compared else ""
    lines = [f"<table><thead><tr><th>{head}</th><th>method</th>{titles}{last}</tr></thead>"]
    for case, cells in cases.items():
        names = who(cells)
        lines.append("<tbody>")
        for k, name in enumerate(names):
            lead = (f'<th rowspan="{len(names) + ("truth" in cells)}">{escape(case)}'
                    f"<small>{cells['windows']} {UNITS.get(head, 'windows')}</small></th>")  # fmt: skip
            values = "".join(_cell(cells, names, name, c) for c in columns)
            settings = cells[name].get("settings", "")
            note = f"<small>{escape(settings)}</small>" if settings else ""
            below = f"<td>{_below(cells[name])}</td>" if compared else ""
            lines.append(f"<tr>{lead if k == 0 else ''}<td>{escape(name)}{note}</td>{values}{below}</tr>")
        if "truth" in cells:
            values = "".join(f"<td>{_number(cells['truth'].get(key), d)}</td>" for _, key, d, _ in columns)
            lines.append(f'<tr class="truth"><td>truth</td>{values}{"<td></td>" if compared else ""}</tr>')
        lines.append("</tbody>")
    return "\n".join([*lines, "</table>"])


def _cell(cells: Mapping[str, Any], names: Sequence[str], name: str, column: tuple) -> str:
    """A value with its interval; the best of a column stands out."""
    _, key, digits, less = column
    value = cells[name].get(key)
    low, high = cells[name].get("intervals", {}).get(key, (None, None))
    there = [v for n in names if n != "before" and (v := cells[n].get(key)) is not None]
    best = (
        less is not None and value is not None and len(there) > 1 and value == (min if less else max)(there)
    )
    small = "" if low is None else f"<small>{_number(low, digits)} – {_number(high, digits)}</small>"
    return f"<td{' class=best' if best else ''}>{_number(value, digits)}{small}</td>"


def _below(cell: Mapping[str, Any]) -> str:
    """How far under the baseline's error, as an interval; over it, where the whole interval is."""
    low, high = cell.get("intervals", {}).get("below", (None, None))
    if low is None or high is None or low == high == 0:
        return ""
    low, high = round(low) + 0.0, round(high) + 0.0  # no "-0"
    return f"{-high:.0f} – {-low:.0f} % above" if high < 0 else f"{low:.0f} – {high:.0f} %"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


# -- motion ------------------------------------------------------------------------------------------------


def motion(samples: Sequence[Sample]) -> dict[str, Any]:
    """Skeletons for the page's player: millimetres as little-endian int16 in base64."""
    return {
        "joints": JOINTS, "parents": PARENTS,
        "samples": [
            {"title": s.title, "source": s.source, "fps": s.fps, "frames": len(s.known), "same": s.same,
             "known": _packed(s.known.astype(np.uint8)),
             "tracks": {n: _packed(_millimetres(p)) for n, p in s.tracks.items()}}
            for s in samples
        ],
    }  # fmt: skip


def _millimetres(positions: np.ndarray) -> np.ndarray:
    return np.clip(np.round(positions * 1000), -32768, 32767).astype("<i2")


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
