"""Captured clips onto every character, in one table: ``python -m tests.benchmarks.retarget_table``.

CMU, ReActIdle and Bandai Namco onto the rigs of ``../shared/rigs`` and both Rigify rigs, nothing posed by
hand, with feet kept, with feet locked, and (a fifth of the clips) with hands that touch, through the
processes that ``limber-blender retarget`` uses.
What is written is deleted at once; the numbers go to a JSON file and, as a table, to standard output.
What is done is noted a line at a time beside the JSON file: after an interruption, ``--resume`` goes on there.
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
from tests.benchmarks.test_backend_speed import circumstances

ROOT = Path(__file__).parents[2]
RIGS = ("ue_male.glb", "ue_zombie_42bones.glb", "ue_37clips.glb", "rigify_deform_44clips.glb", "kenney.glb",
        "kaykit_General.glb", "mannequiny.glb", "rocketbox_biped_female.fbx")  # fmt: skip
SOURCES = {"cmu": 131, "reactidle": 20, "bandai_namco": 200}
COLUMNS = ("clips", "failed", "limb keep", "limb lock", "over 2", "path off %", "skate keep", "skate lock", "under cm",
           "hands cm before", "hands cm after", "limb hands", "frames/s")  # fmt: skip
TOUCHING = 5
"""One clip of so many is also done with hands that touch."""


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
                some = files if how.hands == "keep" else files[::TOUCHING]
                out += plan(some, [target], scratch / "out" / variant(how), how)
    return out


def variant(how: Options) -> str:
    """``keep``, ``lock`` or ``touch``: feet as they come, feet held, and hands that touch too."""
    return how.feet if how.hands == "keep" else how.hands


def table(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a rig and source."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in entries:
        # "rigify.blend:Character" and "rigify.blend:metarig" are two rigs
        rows.setdefault((Path(entry["target"]).name, Path(entry["source"]).parent.name), []).append(entry)
    return [row(target, source, found) for (target, source), found in rows.items()]


def row(target: str, source: str, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of the table, the worst clips beside the means."""
    done = [e for e in entries if e["state"] == "done"]
    parts = {name: [e for e in done if e["variant"] == name] for name in ("keep", "lock", "touch")}
    limb = {
        n: [e["limb_error"] for e in part if e.get("limb_error") is not None] for n, part in parts.items()
    }
    skated = {n: [(e["skating_after"], e["skating_source"], e["frames"]) for e in part if e.get("skating_source")]
              for n, part in parts.items()}  # fmt: skip
    lock, hands = parts["lock"], [e for e in parts["touch"] if e.get("hands_off_before") is not None]
    seconds = sum(e[k] for e in lock for k in ("read_seconds", "convert_seconds", "write_seconds"))
    worst = [a / b for a, b, _ in skated["lock"]]
    return {
        "target": target, "source": source,
        "clips": len({e["source"] for e in entries}), "failed": len(entries) - len(done),
        "limb keep": mean(limb["keep"]), "limb keep worst clip": max(limb["keep"], default=math.nan),
        "limb lock": mean(limb["lock"]), "limb lock worst clip": max(limb["lock"], default=math.nan),
        "over 2": sum(x > 2 for x in limb["lock"]),
        "path off %": 100 * max((abs(e["root_path_ratio"] - 1) for e in lock), default=math.nan),
        "skate keep": weighted(skated["keep"]), "skate lock": weighted(skated["lock"]),
        "skate lock worst clip": max(worst, default=math.nan), "skate over 0.7": sum(x > 0.7 for x in worst),
        "under cm": 100 * max((e["penetration_after"] for e in lock), default=math.nan),
        "hands cm before": 100 * mean([e["hands_off_before"] for e in hands]),
        "hands cm after": 100 * mean([e["hands_off_after"] for e in hands]), "limb hands": mean(limb["touch"]),
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
        cells = [
            f"{r[c]:.0f}" if c in ("clips", "failed", "over 2", "frames/s") else f"{r[c]:.2f}"
            for c in COLUMNS
        ]
        lines.append(f"| {r['target']} | {r['source']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def name_of(unit: Unit) -> str:
    """What a unit is told by in the notes of what is done."""
    target = Path(unit.target.path).name + (f":{unit.target.armature}" if unit.target.armature else "")
    source = Path(unit.source.path)
    return f"{target} {source.parent.name}/{source.name} {variant(unit.options)}"


class Notes:
    """What is done, a JSON line a unit; a line that was cut off is not counted.

    Attributes:
        done: name of the unit -> its entries and the process' memory.
    """

    def __init__(self, path: Path, resume: bool) -> None:
        self.done: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        for line in path.read_text("utf-8").splitlines() if resume and path.exists() else ():
            try:
                noted = json.loads(line)
            except ValueError:
                continue
            self.done[noted["unit"]] = noted
        self._file = path.open("w", encoding="utf-8")
        for noted in self.done.values():
            self._write(noted)

    def add(self, outcome: pool.Outcome) -> None:
        """Note a unit, and delete what it wrote."""
        how = variant(outcome.unit.options)
        noted = {"unit": name_of(outcome.unit), "memory": outcome.memory,
                 "entries": [entry | {"variant": how} for entry in outcome.entries]}  # fmt: skip
        for entry in outcome.entries:
            if entry["state"] == "done":
                Path(entry["output"]).unlink()
            else:
                print(report.line(entry), flush=True)
        self.done[noted["unit"]] = noted
        self._write(noted)

    def _write(self, noted: dict[str, Any]) -> None:
        self._file.write(json.dumps(noted) + "\n")
        self._file.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--mocap", type=Path, required=True, help="folder with cmu, reactidle and bandai_namco unpacked")
    add("--rigs", type=Path, default=ROOT.parent / "shared" / "rigs")
    add("--clips", type=int, default=200, help="of each source (default: as many as there are, or 200)")
    add("--fps", type=float, default=0.0)
    add("--jobs", type=int, default=2)
    add("--check", type=int, default=12)
    add("--resume", action="store_true", help="go on where an interrupted run with the same --out stopped")
    add("--out", type=Path, default=ROOT / "out" / "retarget_table.json")
    options = parser.parse_args(arguments)
    began, where = time.monotonic(), circumstances()
    notes = Notes(options.out.with_suffix(".jsonl"), options.resume)
    before = len(notes.done)
    with tempfile.TemporaryDirectory(prefix="limber-table-") as scratch:
        hows = [Options(format="blend", fps=options.fps, feet=feet, hands=hands, check=options.check)
                for feet, hands in (("keep", "keep"), ("lock", "keep"), ("lock", "touch"))]  # fmt: skip
        todo = units(options.mocap, options.rigs, options.clips, Path(scratch), hows)
        left = [unit for unit in todo if name_of(unit) not in notes.done]

        def done(outcome: pool.Outcome) -> None:
            notes.add(outcome)
            if len(notes.done) % 100 == 0:
                print(f"{len(notes.done)}/{len(todo)}", flush=True)

        if left:
            pool.run(left, options.jobs, 900.0, done)
    found = [notes.done[name_of(unit)] for unit in todo]
    entries = [entry for noted in found for entry in noted["entries"]]
    rows = table(entries)
    whole = {**where, "units": len(todo), "resumed": before, "seconds": time.monotonic() - began,
             "memory": [noted["memory"] for noted in found], "rows": rows, "entries": entries}  # fmt: skip
    options.out.write_text(json.dumps(whole, indent=1).replace("NaN", "null"))
    print(text(rows))


if __name__ == "__main__":
    main()
