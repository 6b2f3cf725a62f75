"""The report for people: one HTML file, figures of source and target drawn over each other.

Needs nothing but a browser, and nothing from elsewhere: pictures are SVG in the page.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..motion import contacts, retarget
from ..motion.clip import Clip
from ..motion.skeleton import PARENTS
from .convert import Converted

VIEW = np.radians(35.0)
"""Around the vertical: figures are seen half from the side."""
SIZE = 110
"""Pixels a hip height."""

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;
max-width:72rem;padding:0 1rem;color:#26292f;background:#faf9f6}
h1{font-size:1.5rem}table{border-collapse:collapse;width:100%}td,th{padding:.35rem .6rem;text-align:left;
vertical-align:top;border-bottom:1px solid #dad8d0}
td.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#b3261e}
.s{stroke:#9aa0a8;stroke-width:3}.t{stroke:#c8541e;stroke-width:2.2}svg{display:block;max-width:100%;height:auto;fill:none;stroke-linecap:round}
.g{stroke:#dad8d0}p.k{color:#6a6e76}@media(prefers-color-scheme:dark){body{background:#1d1f23;color:#e6e4de}
td,th{border-color:#3a3d44}.g{stroke:#3a3d44}.s{stroke:#80868f}.t{stroke:#ff9a62}.bad{color:#ff8a80}}
"""


def poses(made: Converted, count: int) -> list[Any]:
    """Joints of source and target at some frames as the page draws them: ``[[source, target], ...]``.

    Each is a list of 22 pairs, in hip heights: to the right of the root and over the ground.
    """
    n = len(made.canonical)
    rows = np.unique(np.linspace(0, n - 1, count).astype(int))
    there = retarget.to_canonical(made.source.clip.sample(rows), made.source.rig)
    ground = contacts.find(retarget.to_canonical(made.source.clip, made.source.rig)).ground
    here = made.canonical.sample(rows)
    return [[_flat(there, k, ground), _flat(here, k, 0.0)] for k in range(len(rows))]


def _flat(clip: Clip, frame: int, ground: float) -> list[list[float]]:
    p = clip.slice(frame, frame + 1).positions()[0]
    x, y, z = ((p - p[0]) / clip.hip_height).T
    right = x * np.cos(VIEW) + z * np.sin(VIEW)
    up = y + (p[0, 1] - ground) / clip.hip_height
    return [[round(float(a), 3), round(float(b), 3)] for a, b in zip(right, up, strict=True)]


def save(path: Path, whole: dict[str, Any]) -> None:
    """Write the page of a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(whole), "utf-8")


def text(whole: dict[str, Any]) -> str:
    """The page."""
    summary = whole["summary"]
    failed = f", <span class=bad>{summary['failed']} failed</span>" if summary["failed"] else ""
    head = (f"<p>{summary['done']} of {summary['clips']} clips{failed}, {summary['frames']} frames in "
            f"{summary['seconds']:.1f} s. {_means(summary)}</p>")  # fmt: skip
    key = ("<p class=k>Grey: the source. Orange: the target, both in units of their hip heights, pelvis over pelvis. "
           "Limbs: mean (worst) angle between the source's and the evaluated target's limbs. Skating: of standing "
           "toes, hip heights per second, source, then target before and after feet were locked. Hands: how far "
           "touching palms are from their places, before and after.</p>")  # fmt: skip
    names = ("Clip", "Frames", "Limbs", "Skating", "Under the ground", "Root", "Hands", "Without a bone")
    columns = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(_row(entry) for entry in whole["entries"])
    return ("<!doctype html><html lang=en><meta charset=utf-8><title>Limber: retargeting</title>"
            "<meta name=viewport content='width=device-width'>"
            f"<style>{_STYLE}</style><h1>Retargeting</h1>{head}{key}"
            f"<table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></html>\n")  # fmt: skip


def _means(summary: dict[str, Any]) -> str:
    parts = []
    if summary["limb_error"]:
        parts.append(f"limbs off by {summary['limb_error']['mean']:.2f}° on average")
    if summary["skating_ratio"]:
        parts.append(f"skating {summary['skating_ratio']['mean']:.2f} of the sources'")
    return f"{', '.join(parts).capitalize()}." if parts else ""


def _row(entry: dict[str, Any]) -> str:
    name = f"{html.escape(entry['source'])} {html.escape(entry['clip'])}<br>→ {html.escape(entry['target'])}"
    if entry["state"] != "done":
        return f"<tr><td>{name}<td class=bad colspan=7>{html.escape(entry['error'])}"
    skated = " / ".join(_number(entry.get(f"skating_{k}"), 3) for k in ("source", "before", "after"))
    limbs = f"{_number(entry.get('limb_error'), 2)}° ({_number(entry.get('limb_error_worst'), 1)}°)"
    under = entry.get("penetration_after")
    cells = (str(entry["frames"]), limbs, skated, f"{_number(None if under is None else 100 * under, 1)} cm",
             f"× {_number(entry.get('root_path_ratio'), 3)}", _hands(entry))  # fmt: skip
    missing = html.escape(
        ", ".join([*entry["unmapped_target"], *(f"{r} (source)" for r in entry["unmapped_source"])])
    )
    numbers = "".join(f"<td class=n>{cell}" for cell in cells)
    drawn = picture(entry.get("poses") or [])
    figures = f"<tr><td colspan=8>{drawn}" if drawn else ""
    return f"<tr><td>{name}{numbers}<td>{missing or 'none'}{figures}"


def _hands(entry: dict[str, Any]) -> str:
    off = [entry.get(f"hands_off_{when}") for when in ("before", "after")]
    return " / ".join(f"{100 * x:.1f}" for x in off if x is not None) + " cm" if off[0] is not None else "–"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def picture(drawn: Sequence[Any]) -> str:
    """Figures side by side as SVG; nothing where there are none."""
    if not drawn:
        return ""
    step, high = 1.5 * SIZE, 2.2 * SIZE
    width = step * len(drawn)
    parts = [f"<svg width={width:.0f} height={high:.0f} viewBox='0 0 {width:.0f} {high:.0f}' role=img>",
             f"<path class=g d='M0 {high - 8:.0f}H{width:.0f}'/>"]  # fmt: skip
    for k, (source, target) in enumerate(drawn):
        for kind, joints in (("s", source), ("t", target)):
            at = [(step * (k + 0.5) + SIZE * a, high - 8 - SIZE * b) for a, b in joints]
            lines = "".join(f"M{at[parent][0]:.0f} {at[parent][1]:.0f}L{at[j][0]:.0f} {at[j][1]:.0f}"
                            for j, parent in enumerate(PARENTS) if parent >= 0)  # fmt: skip
            parts.append(f"<path class={kind} d='{lines}'/>")
    return "".join([*parts, "</svg>"])
