"""Curves as SVG: error over gap length, share of missing joints, and noise."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from .evaluation.tables import who

WIDTH, HEIGHT = 380, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 46, 40
COLOURS = {"interpolation": "#d98032", "zero velocity": "#b0a08c", "before": "#9a9a9a",
           "Savitzky-Golay": "#d98032", "One Euro": "#a8559b"}  # fmt: skip
SYSTEMS = ("#1f6fd0", "#1d9e74", "#c03a4f", "#6f5bd0", "#0f9bb3", "#7d8f1a")


@dataclass(frozen=True)
class Series:
    """One method's line.

    Attributes:
        name: of the method.
        points: ``(x, value, low, high)``; low and high are None where there is no interval.
    """

    name: str
    points: tuple[tuple[float, float, float | None, float | None], ...]


def of(task: str, rows: Mapping[str, Any]) -> str:
    """The curves of one section, "" where it has none."""
    found = []
    for row, cases in rows.items():
        if task == "inbetween":
            found.append(plot(row, "missing frames", "joint error, cm", series(cases, r"(\d+)")))
        elif task == "complete":
            for kind in ("of joints", "scattered"):
                chosen = series(cases, rf"(\d+) % {kind}")
                found.append(plot(f"{row}: joints missing {'for 2 s' if kind == 'of joints' else 'here and there'}",
                                  "% of the joints", "joint error, cm", chosen))  # fmt: skip
        elif task == "refine":
            for kind in ("rotations", "positions"):
                for metric, label in (
                    ("error_cm", "joint error, cm"),
                    ("accel_mm", "acceleration error, mm/frame²"),
                ):
                    chosen = series(cases, rf"{kind} (\d+) cm", metric)
                    found.append(plot(f"{row}: noisy {kind}", "noise, cm", label, chosen))
    return "\n".join(f for f in found if f)


def series(cases: Mapping[str, Any], pattern: str, metric: str = "error_cm") -> list[Series]:
    """A line for each method over the cases whose names match; the pattern's group is x."""
    matched = [(float(m[1]), cells) for case, cells in cases.items() if (m := re.fullmatch(pattern, case))]
    names = dict.fromkeys(n for _, cells in matched for n in who(cells))
    found = []
    for name in names:
        points = []
        for x, cells in sorted(matched, key=lambda p: p[0]):
            cell = cells.get(name, {})
            if cell.get(metric) is not None:
                low, high = cell.get("intervals", {}).get(metric, (None, None))
                points.append((x, cell[metric], low, high))
        if points:
            found.append(Series(name, tuple(points)))
    return found


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each method: baselines have their own, systems take turns."""
    found, left = {}, 0
    for name in names:
        if name not in COLOURS:
            found[name] = SYSTEMS[left % len(SYSTEMS)]
            left += 1
        else:
            found[name] = COLOURS[name]
    return found


def plot(title: str, across: str, up: str, lines: Sequence[Series]) -> str:
    """One SVG, axes from 0; "" where no line has two points. Zero velocity may run out at the top."""
    if not any(len(s.points) > 1 for s in lines):
        return ""
    shown = [s for s in lines if s.name != "zero velocity"] or lines
    top = _round_up(max(max(v, h or v) for s in shown for _, v, _, h in s.points))
    last = max(x for s in lines for x, *_ in s.points)
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    at = lambda x, y: (LEFT + wide * x / last, TOP + high * (1 - y / top))  # noqa: E731
    painted = colours([s.name for s in lines])
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 16 * len(lines)}" role="img" aria-label="{escape(title)}">',
             f'<text class="title" x="4" y="16">{escape(title)}</text>', *_axes(across, up, top, lines, at),
             f'<clipPath id="area"><rect x="{LEFT}" y="{TOP}" width="{wide}" height="{high}"/></clipPath>',
             '<g clip-path="url(#area)">']  # fmt: skip
    for s in lines:
        parts += _line(s, painted[s.name], at)
    parts.append("</g>")
    for k, s in enumerate(lines):
        y = HEIGHT + 4 + 16 * k
        parts.append(f'<rect x="{LEFT}" y="{y - 8}" width="14" height="4" fill="{painted[s.name]}"/>'
                     f'<text x="{LEFT + 20}" y="{y - 2}">{escape(s.name)}</text>')  # fmt: skip
    return "\n".join([*parts, "</svg>"])


def _axes(across: str, up: str, top: float, lines: Sequence[Series], at: Any) -> list[str]:
    parts = []
    for k in range(5):
        x, y = at(0, top * k / 4)
        parts.append(f'<path class="grid" d="M{x} {y:.1f}H{WIDTH - RIGHT}"/>'
                     f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{top * k / 4:g}</text>')  # fmt: skip
    for value in sorted({x for s in lines for x, *_ in s.points}):
        x, y = at(value, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 16}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(across)}</text>')
    parts.append(f'<text x="4" y="{TOP - 14}">{escape(up)}</text>')
    return parts


def _line(s: Series, colour: str, at: Any) -> list[str]:
    parts = []
    band = [(x, low, high) for x, _, low, high in s.points if low is not None and high is not None]
    if len(band) > 1:
        edge = [at(x, high) for x, _, high in band] + [at(x, low) for x, low, _ in reversed(band)]
        parts.append(f'<path d="M{_path(edge)}Z" fill="{colour}" opacity="0.15"/>')
    points = [at(x, v) for x, v, *_ in s.points]
    parts.append(f'<path d="M{_path(points)}" fill="none" stroke="{colour}" stroke-width="2"/>')
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return parts


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 6, 8, 10 times a power of ten, so that quarters are short numbers."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(f * power for f in (1, 2, 4, 6, 8, 10) if f * power >= value * (1 - 1e-9))
