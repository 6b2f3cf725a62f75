"""Curves and bars as SVG: error over gap length, share of missing joints, noise, steps."""

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


def plot(title: str, across: str, up: str, lines: Sequence[Series], ranked: bool = False) -> str:
    """One SVG, axes from 0; "" where no line has two points. Zero velocity may run out at the top.

    Args:
        ranked: the values across stand one after the other, at equal distances.
    """
    if not any(len(s.points) > 1 for s in lines):
        return ""
    shown = [s for s in lines if s.name != "zero velocity"] or lines
    top = _round_up(max(max(v, h or v) for s in shown for _, v, _, h in s.points))
    values = sorted({x for s in lines for x, *_ in s.points})
    place = {x: k / (len(values) - 1) if ranked else x / values[-1] for k, x in enumerate(values)}
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    at = lambda x, y: (LEFT + wide * place[x], TOP + high * (1 - y / top))  # noqa: E731
    painted = colours([s.name for s in lines])
    parts = [*_head(title, len(lines)), *_grid(up, top), *_marks(across, [(at(x, 0)[0], f"{x:g}") for x in values]),
             f'<clipPath id="area"><rect x="{LEFT}" y="{TOP}" width="{wide}" height="{high}"/></clipPath>',
             '<g clip-path="url(#area)">']  # fmt: skip
    for s in lines:
        parts += _line(s, painted[s.name], at)
    return "\n".join([*parts, "</g>", *_legend([s.name for s in lines], painted), "</svg>"])


def bars(title: str, across: str, up: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Groups of bars side by side, from 0: group -> who -> value; bars below 0 hang. "" without groups.

    A group of one bar that has the group's own name needs no legend.
    """
    names = list(dict.fromkeys(n for cells in groups.values() for n in cells))
    if not names:
        return ""
    alone = all(list(cells) == [group] for group, cells in groups.items())
    values = [v for cells in groups.values() for v in cells.values()]
    top, low = _round_up(max(*values, 0.0)), min(*values, 0.0)
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    scale = high / (top - low)
    zero = TOP + top * scale
    painted = dict.fromkeys(names, SYSTEMS[0]) if alone else colours(names)
    parts = [*_head(title, 0 if alone else len(names)), *_grid(up, top, scale)]
    room = wide / len(groups)
    for g, cells in enumerate(groups.values()):
        thick = 0.7 * room / len(cells)
        for k, (name, value) in enumerate(cells.items()):
            x, y = LEFT + room * (g + 0.15) + thick * k, min(zero, zero - value * scale)
            middle = x + 0.46 * thick
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{0.92 * thick:.1f}" height="{abs(value) * scale:.1f}" '
                         f'fill="{painted[name]}"><title>{escape(name)}: {value:g}</title></rect>'
                         + _text(middle, y - 3, _short(value), "middle"))  # fmt: skip
    parts += _marks(across, [(LEFT + room * (g + 0.5), name) for g, name in enumerate(groups)], room)
    return "\n".join([*parts, *([] if alone else _legend(names, painted)), "</svg>"])


def _head(title: str, legend: int) -> list[str]:
    return [f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 16 * legend}" role="img" aria-label="{escape(title)}">',
            f'<text class="title" x="4" y="16">{escape(title)}</text>']  # fmt: skip


def _legend(names: Sequence[str], painted: Mapping[str, str]) -> list[str]:
    return [
        f'<rect x="{LEFT}" y="{HEIGHT - 4 + 16 * k}" width="14" height="4" fill="{painted[name]}"/>'
        f'<text x="{LEFT + 20}" y="{HEIGHT + 2 + 16 * k}">{escape(name)}</text>'
        for k, name in enumerate(names)
    ]


def _grid(up: str, top: float, scale: float | None = None) -> list[str]:
    """Lines at quarters of ``top``, ``scale`` pixels a unit (None: as high as there is room)."""
    scale = (HEIGHT - TOP - BOTTOM) / top if scale is None else scale
    parts = [f'<text x="4" y="{TOP - 14}">{escape(up)}</text>']
    for k in range(5):
        y = TOP + scale * top * (1 - k / 4)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
                     + _text(LEFT - 6, y + 4, _short(top * k / 4), "end"))  # fmt: skip
    return parts


def _marks(across: str, places: Sequence[tuple[float, str]], room: float = WIDTH) -> list[str]:
    """What stands under the axis, a word a line where the whole is wider than ``room`` pixels."""
    parts = []
    for x, text in places:
        lines = text.split(" ") if 6 * len(text) > room else [text]
        parts += [_text(x, HEIGHT - BOTTOM + 14 + 11 * k, line, "middle") for k, line in enumerate(lines)]
    return [*parts, _text(WIDTH - RIGHT, HEIGHT - 8, across, "end")]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(value: float) -> str:
    """Three digits, thousands as "k" and millions as "M"."""
    size, unit = next(((s, u) for s, u in ((1e6, "M"), (1e3, "k")) if abs(value) >= s), (1.0, ""))
    return f"{value / size:.3g}{unit}"


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
