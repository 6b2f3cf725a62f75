"""``limber-train ablate``: the tables of a folder as one HTML page with their curves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from . import curves, report
from .curves import Series

Rows = Sequence[Mapping[str, Any]]
_ERROR = "joint error, % of the hip height"


def write(folder: Path) -> Path:
    """``FOLDER/index.html`` with every table that ``ablate`` has left there.

    Raises:
        FileNotFoundError: there is none.
    """
    found = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
    }
    found = {name: rows for name, rows in found.items() if rows and isinstance(rows, list)}
    if not found:
        raise FileNotFoundError(f"{folder} has no table of limber-train ablate")
    order = [*(n for n in SECTIONS if n in found), *(n for n in found if n not in SECTIONS)]
    sections = [_section(name, found[name]) for name in order]
    page = folder / "index.html"
    about = "Mean joint errors over held-out windows that no row was trained on, the same for all rows of a table."
    page.write_text(
        report.page("Limber: comparisons", about, "\n".join(sections), notes=False), encoding="utf-8"
    )
    return page


def _section(name: str, rows: Rows) -> str:
    """A table without curves of its own is shown all the same."""
    title, drawn = SECTIONS.get(name, (name, lambda rows: ""))
    heads = list(dict.fromkeys(key for row in rows for key in row))
    head = "".join(f"<th>{escape(h.replace('_', ' '))}</th>" for h in heads)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(str(row.get(h, '')))}</td>" for h in heads) + "</tr>" for row in rows
    )
    return (f'<section><h2>{escape(title)}</h2><div class="curves">{drawn(rows)}</div>'
            f"<details open><summary>table</summary><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody>"
            "</table></details></section>")  # fmt: skip


def _attention(rows: Rows) -> str:
    each = lambda key: {str(r["row"]): {str(r["row"]): float(r[key])} for r in rows}  # noqa: E731
    return "\n".join((
        curves.bars("Error below interpolation", "", "%", each("below_percent")),
        curves.bars("Speed", "", "frames a second, one pass", each("frames_per_second")),
        curves.bars("Operations", "", "a frame", each("operations_per_frame")),
    ))  # fmt: skip


def _masks(rows: Rows) -> str:
    patterns = {k: k.removeprefix("on ").split(":")[0] for k in rows[0] if k.startswith("on ")}
    groups = {
        f"on {short}": {f"trained with {r['row']}": float(r[key]) for r in rows}
        for key, short in patterns.items()
    }
    return curves.bars("Error below interpolation, by pattern", "measured on pattern", "%", groups)


def _training_ratios(rows: Rows) -> str:
    keys = {k: k.removeprefix("at ").split(":")[0] for k in rows[0] if k.startswith("at ")}
    groups = {
        share: {f"trained at {r['trained_at_percent']} %": float(r[key]) for r in rows}
        for key, share in keys.items()
    }
    return curves.bars(
        "Error below interpolation, by masking ratio (pattern A)", "joints missing", "%", groups
    )


def _ratios(rows: Rows) -> str:
    found = []
    for pattern, title in (
        ("A", "as many in every pose (A)"),
        ("B", "anywhere (B)"),
        ("tracks", "the same joints"),
    ):
        lines = [
            Series(name, _points((float(r["missing_percent"]), r[key]) for r in rows))
            for name, key in (("model", pattern), ("interpolation", f"{pattern}: interpolation"))
        ]
        found.append(curves.plot(f"Joints missing: {title}", "% of the joints", _ERROR, lines))
    return "\n".join(found)


def _strides(rows: Rows) -> str:
    drawn = [r for r in rows if r["ddim_steps"] > 0]
    steps = [float(r["ddim_steps"]) for r in drawn]
    line = lambda name, key: Series(name, _points(zip(steps, (r[key] for r in drawn), strict=True)))  # noqa: E731
    one = next(float(r["error_percent_of_hip_height"]) for r in rows if r["ddim_steps"] == 0)
    flat = Series("one pass, no sample", _points((x, one) for x in steps))
    lines = [line("a drawn sample", "error_percent_of_hip_height"), line("best of four", "best_of_four"), flat,
             line("interpolation", "interpolation")]  # fmt: skip
    across = "DDIM steps of the 50"
    return "\n".join((
        curves.plot("Error of drawn samples", across, _ERROR, lines, ranked=True),
        curves.plot("How much samples differ", across, "deviation of the channels", [line("spread", "spread")], True),
        curves.plot("Speed", across, "frames a second", [line("frames a second", "frames_per_second")], True),
    ))  # fmt: skip


def _baselines(rows: Rows) -> str:
    gaps = {k: float(k.removesuffix(" frames")) for k in rows[0] if k.endswith(" frames")}
    found = []
    for data in dict.fromkeys(str(r["data"]) for r in rows):
        lines = [Series(str(r["row"]), _points((x, r[k]) for k, x in gaps.items() if _there(r, k)))
                 for r in rows if r["data"] == data]  # fmt: skip
        found.append(curves.plot(data, "missing frames", "joint error, cm", lines))
    return "\n".join(found)


def _sharing(rows: Rows) -> str:
    tasks = [k for k in rows[0] if k not in ("data", "row", "frames_seen", "seconds")]
    own, beside = [k for k in tasks if "," not in k], [k for k in tasks if "," in k]
    found = []
    for data in dict.fromkeys(str(r["data"]) for r in rows):
        here = [r for r in rows if r["data"] == data]
        groups = {k: {str(r["row"]): float(r[k]) for r in here if _there(r, k)} for k in own}
        for k in beside:  # a task's baseline is the same whoever was trained
            task, method = k.split(", ", 1)
            groups[task] |= {method: float(next(r[k] for r in here if _there(r, k)))}
        found.append(curves.bars(data, "", "joint error, cm", groups))
    return "\n".join(found)


def _parts(rows: Rows) -> str:
    """RoPAR's tables: every measure as bars, a bar a row."""
    titles = {"joints_percent_of_hip_height": _ERROR, "path_percent_of_hip_height": "path error, % of the hip height",
              "R@1": "R@1", "R@3": "R@3", "KID": "KID", "FID": "FID", "skating": "skating, cm/s"}  # fmt: skip
    drawn = [
        curves.bars(title, "", "", {str(r["row"]): {str(r["row"]): float(r[key])} for r in rows})
        for key, title in titles.items()
        if all(_there(r, key) for r in rows)
    ]
    return "\n".join(drawn)


def _credible(rows: Rows) -> str:
    """A line a learner; where everything is credible there is nothing to heed, so that line begins at the other's."""
    whole = [r for r in rows if r["credible_percent"] == 100]
    found = []
    for key in ("R@1", "R@3", "KID", "skating"):
        if not all(_there(r, key) for r in rows):
            continue
        lines = []
        for name in dict.fromkeys(str(r["row"]) for r in rows):
            own = [r for r in rows if r["row"] == name]
            own += [
                r for r in whole if name not in (o["row"] for o in whole) and name.startswith(str(r["row"]))
            ]
            points = sorted((float(r["credible_percent"]), float(r[key])) for r in own)
            lines.append(Series(name, _points(points)))
        if all(_there(r, f"truth {key}") for r in rows):
            truth = sorted({(float(r["credible_percent"]), float(r[f"truth {key}"])) for r in rows})
            lines.append(Series("truth", _points(truth)))
        found.append(curves.plot(key, "credible share of the training data, %", "", lines))
    return "\n".join(found)


def _there(row: Mapping[str, Any], key: str) -> bool:
    """Whether it was measured: a network may not do every task."""
    return isinstance(row.get(key), (int, float))


def _points(pairs: Any) -> tuple[tuple[float, float, None, None], ...]:
    return tuple((float(x), float(y), None, None) for x, y in pairs)


SECTIONS: Mapping[str, tuple[str, Callable[[Rows], str]]] = {
    "attention": ("What a round attends to (MMDM, Table VI)", _attention),
    "masks": ("Mask patterns (MMDM, Fig. 5a)", _masks),
    "training-ratios": ("Masking ratio in training (MMDM, Fig. 5b)", _training_ratios),
    "ratios": ("Completion by the share of joints missing", _ratios),
    "baselines": ("In-betweening at equal training time, beside learned baselines", _baselines),
    "sharing": ("One network for all tasks, and one a task, at equal training time", _sharing),
    "ropar-vae": ("Parts, shared weights, and the whole body (RoPAR, Table 2)", _parts),
    "ropar-generation": ("With and without parts and diffusion head (RoPAR, Table 2)", _parts),
    "ropar-credible": ("How much of the training data is credible (RoPAR, Fig. 3)", _credible),
    "strides": ("Denoising steps and DDIM strides (MMDM, Fig. 5c)", _strides),
}
"""Table -> heading and what draws it."""
