"""Tables as text: the card's and the README's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BASELINES = (
    "interpolation",
    "zero velocity",
    "before",
    "smoothing",
    "Savitzky-Golay",
    "One Euro",
    "shuffled",
)
"""Columns that are no systems."""
_NOT_COLUMNS = ("windows", "truth")

_COLUMNS = (
    ("joint error, cm", "error_cm", 2), ("L2P", "L2P", 3), ("L2Q", "L2Q", 3), ("NPSS", "NPSS", 4),
    ("skating, cm/s", "skating", 1), ("jerk, m/s3", "jerk", 0),
)  # fmt: skip
"""Of in-betweening's tables: heading, metric, digits."""
_BESIDE_TRUTH = ("skating", "jerk")

_POSES = (
    ("joint error, cm", "error_cm", 2),
    ("PCP, %", "pcp", 1),
    ("acceleration error, mm/frame2", "accel_mm", 1),
)

_TEXT = (
    ("R@1", "R@1", 3), ("R@2", "R@2", 3), ("R@3", "R@3", 3), ("KID", "KID", 3), ("FID", "FID", 1),
    ("distance to the text", "matching", 2), ("diversity", "diversity", 2), ("multimodality", "multimodality", 2),
    ("nearest training clip", "nearest", 2), ("skating, cm/s", "skating", 1), ("a foot stands, %", "standing", 0),
    ("jerk, m/s3", "jerk", 0),
)  # fmt: skip


_CONTROL = (
    ("average error, cm", "average_cm", 2), ("trajectory > 50 cm, %", "trajectory_50", 1),
    ("location > 50 cm, %", "location_50", 1), ("trajectory > 20 cm, %", "trajectory_20", 1),
    ("location > 20 cm, %", "location_20", 1), ("KID", "KID", 3), ("skating, cm/s", "skating", 1),
    ("jerk, m/s3", "jerk", 0),
)  # fmt: skip


def who(cells: Mapping[str, Any]) -> list[str]:
    """The columns of one row of a table: systems first, then what they are measured against."""
    names = [n for n in cells if n not in _NOT_COLUMNS]
    return [n for n in names if n not in BASELINES] + [n for n in BASELINES if n in names]


def markdown(table: Mapping[str, Any], model: str = "model") -> str:
    """The tables as a card shows them; ``model`` is the column that ships."""
    lines: list[str] = []
    for row, gaps in table.get("inbetween", {}).items():
        lines += ["", f"**{row}**", "", *_inbetween(gaps, model)]
    if table.get("inbetween mmdm"):
        lines += ["", "**MMDM's transition: 30 frames between 10 known ones on either side**", "",
                  *_flat(table["inbetween mmdm"], (("joint error, cm", "error_cm", 2), ("L2P", "L2P", 3),
                                                   ("L2Q", "L2Q", 3), ("NPSS", "NPSS", 4)))]  # fmt: skip
    if table.get("inbetween partial"):
        lines += ["", "**Sparse keys of which some leave out limbs, joints or the place** "
                  "(error over what was not given)", "",
                  *_flat(table["inbetween partial"], (("joint error, cm", "error_cm", 2),))]  # fmt: skip
    for task, title in (("complete", "Completion (over the joints whose place was not known)"),
                        ("refine", "Refinement (all joints; before: the noisy motion itself)")):  # fmt: skip
        for row, cases in table.get(task, {}).items():
            lines += ["", f"**{title}: {row}**", "", *_flat({c: {c: v} for c, v in cases.items()}, _POSES)]
    for row, judges in table.get("text", {}).items():
        for judge, cells in judges.items():
            lines += ["", f"**Text, {row}, evaluator `{judge}`** ({cells['windows']} captions)", "",
                      *_lines(cells, _TEXT)]  # fmt: skip
    for row, parts in table.get("follow", {}).items():
        for part in ("all", "unsteered"):
            if part in parts:
                lines += ["", f"**Following, {row}, {part}** ({parts[part]['windows']} motions of four seconds)", "",
                          *_lines(parts[part], _CONTROL)]  # fmt: skip
        lines += ["", f"**Following, {row}: average error, cm**", "", *_by_part(parts)]
    for kinds in table.get("pairs", {}).values():
        lines += [
            "",
            "**Minimal pairs: prompts that differ in a word or two, % right**",
            "",
            *_prompts(kinds),
        ]
    return "\n".join(lines).strip() + "\n"


def _by_part(parts: Mapping[str, Any]) -> list[str]:
    """Average errors: a line for each method, a column for each joint set and density."""
    columns = [p for p in parts if p not in ("all", "unsteered")]
    lines = [_line(["", *columns]), _line(["---"] * (len(columns) + 1))]
    for name in who(parts[columns[0]]):
        lines.append(_line([name, *(cell(parts[p][name]["average_cm"], 2) for p in columns)]))
    return lines


def _lines(cells: Mapping[str, Any], columns: Sequence[tuple[str, str, int]]) -> list[str]:
    """One case, a line for each method and one for the truth; small intervals in brackets."""
    lines = [_line(["", *(title for title, _, _ in columns)]), _line(["---"] * (len(columns) + 1))]
    for name in [*who(cells), *(["truth"] if "truth" in cells else [])]:
        line = [name]
        for _, key, digits in columns:
            low, high = cells[name].get("intervals", {}).get(key, (None, None))
            spread = "" if low is None else f" ({cell(low, digits)} to {cell(high, digits)})"
            line.append(cell(cells[name].get(key), digits) + spread)
        lines.append(_line(line))
    return lines


def _prompts(kinds: Mapping[str, Any]) -> list[str]:
    """Minimal pairs: a line for each kind and method, a column for each judge."""
    judges = list(dict.fromkeys(j for cells in kinds.values() for n in (*who(cells), "truth")
                                for j in cells.get(n, {}).get("counts", {})))  # fmt: skip
    lines = [_line(["kind", "", *judges]), _line(["---"] * (len(judges) + 2))]
    for kind, cells in kinds.items():
        for name in [*who(cells), *(["truth"] if "truth" in cells else [])]:
            lines.append(_line([kind, name, *(cell(cells[name].get(j), 0) for j in judges)]))
    return lines


def _inbetween(gaps: Mapping[str, Any], model: str) -> list[str]:
    """One data set of LAFAN1's protocol: the model beside interpolation and the truth."""
    heads = ["missing frames"]
    for title, key, _ in _COLUMNS:
        heads += [title, "interpolation"]
        heads += ["below"] if key == "error_cm" else ["truth"] if key in _BESIDE_TRUTH else []
    lines = [_line(heads), _line(["---"] * len(heads))]
    for gap, cells in gaps.items():
        line = [str(gap)]
        for _, key, digits in _COLUMNS:
            m, i = cells[model][key], cells["interpolation"][key]
            line += [cell(m, digits), cell(i, digits)]
            if key == "error_cm":
                line.append(f"{100 * (1 - m / i):.0f} %" if i else "–")
            elif key in _BESIDE_TRUTH:
                line.append(cell(cells["truth"][key], digits))
        lines.append(_line(line))
    return lines


def _flat(rows: Mapping[str, Mapping[str, Any]], columns: Sequence[tuple[str, str, int]]) -> list[str]:
    """Every row's only cells, metric by metric, a column for each method."""
    first = next(iter(next(iter(rows.values())).values()))
    names = who(first)
    heads = ["data"] + [
        f"{title}: {n}" if k == 0 else n for title, _, _ in columns for k, n in enumerate(names)
    ]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row, cells in rows.items():
        c = next(iter(cells.values()))
        lines.append(_line([row, *(cell(c[n][key], digits) for _, key, digits in columns for n in names)]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def cell(value: float | None, digits: int) -> str:
    """A number, or a dash where there is nothing to measure."""
    return "–" if value is None else f"{value:.{digits}f}"


def summary(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Bundles side by side: joint error in cm, and how far below interpolation it lies.

    Args:
        tables: bundle name -> its ``metrics.json``.
    """
    names = list(tables)
    head = ["held-out motion", "missing frames", "interpolation", *(f"`{n}`" for n in names)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    first = tables[names[0]]["inbetween"]
    for row, gaps in first.items():
        for gap in gaps:
            plain = gaps[gap]["interpolation"]["error_cm"]
            cells = [row, gap, f"{plain:.2f} cm"]
            for name in names:
                error = tables[name]["inbetween"][row][gap]["model"]["error_cm"]
                below = round(100 * (1 - error / plain))
                cells.append(f"{error:.2f} cm ({abs(below)} % {'above' if below < 0 else 'below'})")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
