"""The report of a preparation as text: what went in, what was mended, what was left out and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def lines(report: Mapping[str, Any], out: Path) -> str:
    """Sizes, licences, sources by split, kinds of repairs, and every take that was left out."""
    text = [f"{report['clips']} clips, {report['minutes']} minutes -> {out} ({report['megabytes']:.1f} MB)"]
    said = report["sentences"]
    text.append(f"{said['different']} different sentences, embedded by {said['encoder'] or 'nothing'}")
    for name, source in report["sources"].items():
        use = "" if source["commercial"] else " [not for commercial use]"
        text.append(f"{name}: {source['licence']}{use}" + (f"; {source['note']}" if source["note"] else ""))
        for key, clips in report["counts"].items():
            if key.startswith(f"{name}/"):
                text.append(f"  {key.split('/')[1]}: {clips} clips, {report['frames'][key]} frames")
    kinds: Counter[str] = Counter()
    for finding in report["findings"]:
        if not finding["left_out"]:
            kinds.update({kind(r) for r in finding["repaired"]})
    text.append(f"{report['repaired']} of {report['takes']} takes repaired, {report['left out']} left out")
    text += [f"  {count} takes: {what}" for what, count in kinds.most_common()]
    for finding in report["findings"]:
        if finding["left_out"]:
            text.append(f"left out: {finding['source']}/{finding['name']}: {finding['left_out']}")
    return "\n".join(text)


def corrupted(report: Mapping[str, Any], out: Path) -> str:
    """What was spoiled, and how much stayed true."""
    share = report["credible_percent"]
    parts = ", ".join(
        f"{n.replace('_', ' ')} {v} %" for n, v in share.items() if n not in ("asked for", "all")
    )
    events = ", ".join(f"{n} {k}" for k, n in report["events"].items()) or "nothing"
    return (f"{out} ({report['megabytes']:.1f} MB): {report['frames']} frames of {', '.join(report['splits'])} spoiled "
            f"with seed {report['seed']}: {events}\n{share['all']} % of (part, frame) credible: {parts}")  # fmt: skip


def kind(repair: str) -> str:
    """A repair without its numbers, so that equal ones can be counted."""
    return re.sub(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", "N", repair)
