"""Captured clips onto every character, in one table: ``python -m tests.benchmarks.retarget_table``.

CMU, ReActIdle and Bandai Namco onto the rigs of ``../shared/rigs`` and both Rigify rigs, nothing posed by
hand, with feet kept and with feet locked, through the processes that ``limber-blender retarget`` uses.
What is written is deleted at once; the numbers go to a JSON file and, as a table, to standard output.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blender_addon import demo_rig
from blender_addon.batch import pool, report
from blender_addon.batch.plan import Options, Unit, plan

ROOT = Path(__file__).parents[2]
RIGS = ("ue_male.glb", "ue_zombie_42bones.glb", "ue_37clips.glb", "rigify_deform_44clips.glb", "kenney.glb",
        "kaykit_General.glb", "mannequiny.glb", "rocketbox_biped_female.fbx")  # fmt: skip
SOURCES = {"cmu": 131, "reactidle": 20, "bandai_namco": 200}
COLUMNS = (
    "clips",
    "failed",
    "limb keep",
    "limb lock",
    "path",
    "skate keep",
    "skate lock",
    "under cm",
    "frames/s",
)


def spread(files: Sequence[Path], count: int) -> list[Path]:
    """``count`` of the files, evenly over their names."""
    count = min(count, len(files))
    return [files[i * len(files) // count] for i in range(count)]


def units(mocap: Path, rigs: Path, clips: int, scratch: Path, options: Sequence[Options]) -> list[Unit]:
    """Every source onto every rig, rig by rig."""
    rigify = scratch / "rigify.blend"
    demo_rig.make(rigify)
    targets = [str(rigs / name) for name in RIGS]
    targets += [f"{rigify}:{name}" for name in (demo_rig.NAME, demo_rig.METARIG)]
    out = []
    for target in targets:
        for source, most in SOURCES.items():
            files = [str(p) for p in spread(sorted((mocap / source).glob("*.bvh")), min(clips, most))]
            for how in options:
                out += plan(files, [target], scratch / "out" / how.feet, how)
    return out


def table(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a rig and source."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in entries:
        # "rigify.blend:Character" and "rigify.blend:metarig" are two rigs
        rows.setdefault((Path(entry["target"]).name, Path(entry["source"]).parent.name), []).append(entry)
    return [row(target, source, found) for (target, source), found in rows.items()]


def row(target: str, source: str, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of the table, the worst clip's limb error beside the mean."""
    done = [e for e in entries if e["state"] == "done"]
    keep, lock = ([e for e in done if e["feet"] == feet] for feet in ("keep", "lock"))
    limb = {n: [e["limb_error"] for e in part if e.get("limb_error") is not None]
            for n, part in (("keep", keep), ("lock", lock))}  # fmt: skip
    skated = {n: [(e["skating_after"], e["skating_source"], e["frames"]) for e in part if e.get("skating_source")]
              for n, part in (("keep", keep), ("lock", lock))}  # fmt: skip
    seconds = sum(e[k] for e in lock for k in ("read_seconds", "convert_seconds", "write_seconds"))
    return {
        "target": target, "source": source,
        "clips": len({e["source"] for e in entries}), "failed": len(entries) - len(done),
        "limb keep": mean(limb["keep"]), "limb keep worst clip": max(limb["keep"], default=math.nan),
        "limb lock": mean(limb["lock"]), "limb lock worst clip": max(limb["lock"], default=math.nan),
        "path": mean([e["root_path_ratio"] for e in lock]),
        "skate keep": weighted(skated["keep"]), "skate lock": weighted(skated["lock"]),
        "under cm": 100 * max((e["penetration_after"] for e in lock), default=math.nan),
        "frames/s": sum(e["frames"] for e in lock) / seconds if seconds else math.nan,
    }  # fmt: skip


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def weighted(values: Sequence[tuple[float, float, int]]) -> float:
    """Skating on the target over skating on the source, by frames."""
    below = sum(b * n for _, b, n in values)
    return sum(a * n for a, _, n in values) / below if below else math.nan


def text(rows: Sequence[dict[str, Any]]) -> str:
    """The table for people."""
    lines = ["| onto | from | " + " | ".join(COLUMNS) + " |", "| --- | --- |" + " --- |" * len(COLUMNS)]
    for r in rows:
        cells = [f"{r[c]:.0f}" if c in ("clips", "failed", "frames/s") else f"{r[c]:.2f}" for c in COLUMNS]
        lines.append(f"| {r['target']} | {r['source']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--mocap", type=Path, required=True, help="folder with cmu, reactidle and bandai_namco unpacked"
    )
    parser.add_argument("--rigs", type=Path, default=ROOT.parent / "shared" / "rigs")
    parser.add_argument(
        "--clips", type=int, default=200, help="of each source (default: as many as there are, or 200)"
    )
    parser.add_argument("--fps", type=float, default=0.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--check", type=int, default=12)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "retarget_table.json")
    options = parser.parse_args(arguments)
    began, entries, memory = time.monotonic(), [], []
    with tempfile.TemporaryDirectory(prefix="limber-table-") as scratch:
        hows = [Options(format="blend", fps=options.fps, feet=feet, check=options.check, only_armature=True)
                for feet in ("keep", "lock")]  # fmt: skip
        todo = units(options.mocap, options.rigs, options.clips, Path(scratch), hows)

        def done(outcome: pool.Outcome) -> None:
            memory.append(outcome.memory)
            for entry in outcome.entries:
                entries.append(entry | {"feet": outcome.unit.options.feet})
                if entry["state"] == "done":
                    Path(entry["output"]).unlink()
                else:
                    print(report.line(entry), flush=True)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            if len(entries) % 50 == 0:
                print(f"{len(entries)}/{len(todo)}", flush=True)

        pool.run(todo, options.jobs, 900.0, done)
    rows = table(entries)
    whole = {"seconds": time.monotonic() - began, "memory": memory, "rows": rows, "entries": entries}
    options.out.write_text(json.dumps(whole, indent=1).replace("NaN", "null"))
    print(text(rows))


if __name__ == "__main__":
    main()
