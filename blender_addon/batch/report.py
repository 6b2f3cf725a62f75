"""The report of a batch: JSON for pipelines, a line a file for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Entry = dict[str, Any]

FORMAT = 1
STILL = 1e-3
"""Hip heights a second: feet of a source that skate less do not skate, and are nothing to be compared with."""
_MEASURES = ("limb_error", "limb_error_worst", "skating_source", "skating_before", "skating_after",
             "penetration_before", "penetration_after", "root_path_ratio", "root_error", "place_error",
             "hands_touching", "hands_off_before", "hands_off_after")  # fmt: skip


def make(
    entries: Sequence[Entry], call: dict[str, Any], seconds: float, memory: Sequence[int]
) -> dict[str, Any]:
    """The whole report.

    Args:
        entries: one a clip and target.
        call: what was asked for.
        seconds: from start to end.
        memory: bytes of a worker after each unit.
    """
    done = [e for e in entries if e["state"] == "done"]
    return {
        "format": FORMAT, "call": call,
        "summary": {
            "clips": len(entries), "done": len(done), "failed": len(entries) - len(done),
            "skipped": sum(bool(e.get("skipped")) for e in entries),
            "frames": sum(e.get("frames", 0) for e in done), "seconds": seconds,
            "memory_first": memory[0] if memory else None, "memory_last": memory[-1] if memory else None,
            "memory_highest": max(memory, default=None),
            **{name: spread([e.get(name) for e in done]) for name in _MEASURES},
            "skating_ratio": spread([ratio(e) for e in done]),
        },
        "entries": list(entries),
    }  # fmt: skip


def ratio(entry: Entry) -> float | None:
    """Skating on the target over the source's, both per hip height; None where the source's feet do not skate."""
    before, after = entry.get("skating_source"), entry.get("skating_after")
    return after / before if before is not None and before > STILL and after is not None else None


def spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """Mean and largest of what was measured; None where nothing was."""
    there = [v for v in values if v is not None]
    return {"mean": sum(there) / len(there), "largest": max(there)} if there else None


def save(path: Path, report: dict[str, Any]) -> None:
    """Write the JSON; the poses of the page's pictures are left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [{k: v for k, v in entry.items() if k != "poses"} for entry in report["entries"]]
    report = report | {"entries": entries}
    path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", "utf-8")


def line(entry: Entry) -> str:
    """One clip for people."""
    name = f"{entry['source']} {entry['clip']}".rstrip()
    if entry["state"] != "done":
        return f"FAILED {name} -> {entry['target']}: {entry['error']}"
    parts = [f"{entry['frames']} frame{'' if entry['frames'] == 1 else 's'}"]
    if entry.get("limb_error") is not None:
        parts.append(f"limbs off by {entry['limb_error']:.2f} degrees")
    if (skated := ratio(entry)) is not None:
        parts.append(f"skating {skated:.2f} of the source's")
    if entry.get("unmapped_target"):
        parts.append(f"no bone for {', '.join(entry['unmapped_target'])}")
    return f"{entry['output']}: {', '.join(parts)}"
