"""``limber-blender retarget``."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from ..motion.errors import InvalidRequestError
from . import page, pool, ray_cluster, report
from .plan import FEET, FORMATS, HANDS, ROOTS, Options, Unit, done_before, plan, remember

PICTURES = 6
TEXT = "Retarget clips onto characters, in batches."


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add = parser.add_argument
    add("--source", action="append", required=True, metavar="FILES",
        help="a file, a folder, a pattern such as 'clips/**/*.bvh', or FILE:ARMATURE; may be repeated. "
        ".bvh .npz .fbx .glb .gltf .vrm .usd .blend, an Action a clip")  # fmt: skip
    add(
        "--target",
        action="append",
        required=True,
        metavar="FILE[:ARMATURE]",
        help="a character; may be repeated",
    )
    add("-o", "--output", type=Path, required=True, metavar="DIR")
    add(
        "--map",
        default="auto",
        metavar="MAP",
        help="of the targets: auto (default), a family's name, or FILE.json",
    )
    add("--source-map", default="auto", metavar="MAP", help="the same of the sources")
    add("--format", choices=FORMATS, default="blend", help="default blend")
    add("--fps", type=float, default=0.0, metavar="RATE", help="default: each source's own")
    add("--root", choices=ROOTS, default="hips", help="what carries the way over the ground (default hips)")
    add("--in-place", action="store_true", help="take the way out")
    add(
        "--feet",
        choices=FEET,
        default="lock",
        help="lock (default): what stood on the source stands on the target",
    )
    add("--hands", choices=HANDS, default="touch",
        help="touch (default): hands that rest on the body or on each other do so on the target")  # fmt: skip
    add("--only-armature", action="store_true", help=".fbx and .glb without meshes")
    add(
        "--check",
        type=int,
        default=12,
        metavar="N",
        help="frames evaluated after writing (default 12, 0: none)",
    )
    add(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes, with --ray on the whole cluster (default 1)",
    )
    add("--ray", metavar="ADDRESS",
        help="do the jobs on a Ray cluster: auto, HOST:PORT or ray://HOST:PORT; its nodes share the files' paths. "
        "Needs: pip install 'limber[ray]'")  # fmt: skip
    add("--timeout", type=float, default=300.0, metavar="SECONDS",
        help="a process without a sign of life for so long is ended (default 300)")  # fmt: skip
    add("--resume", action="store_true", help="leave out what an earlier run with the same options finished")
    add("--report", type=Path, metavar="FILE.json", help="default: report.json in the output folder")
    add("--page", type=Path, metavar="FILE.html", help="the same for people, with pictures")


def run(options: argparse.Namespace) -> int:
    """Do it; 0 all, 1 some failed."""
    began = time.monotonic()
    # 1. what there is to do
    units = _units(options)
    options.output.mkdir(parents=True, exist_ok=True)
    results: dict[int, list[dict[str, Any]]] = {}
    for number, unit in enumerate(units):
        before = done_before(unit, options.output) if options.resume else None
        if before is not None:
            results[number] = [entry | {"skipped": True} for entry in before]
    # 2. doing it
    memory: list[int] = []
    numbers = {id(unit): number for number, unit in enumerate(units)}
    bar = Bar(len(units), len(results))

    def done(outcome: pool.Outcome) -> None:
        entries = list(outcome.entries)
        results[numbers[id(outcome.unit)]] = entries
        if outcome.memory:
            memory.append(outcome.memory)
        if all(entry["state"] == "done" for entry in entries):
            remember(outcome.unit, options.output, entries)
        bar.step(entries)

    left = [unit for number, unit in enumerate(units) if number not in results]
    try:
        _have_done(left, options, done, bar)
    finally:
        # 3. telling, of an interrupted run too
        bar.close()
        entries = [entry for number in sorted(results) for entry in results[number]]
        path = options.report or options.output / "report.json"
        whole = report.make(entries, _call(options), time.monotonic() - began, memory)
        if options.page:
            page.save(options.page, whole)
        report.save(path, whole)
    summary = whole["summary"]
    print(f"{summary['done']} of {summary['clips']} clips, {summary['frames']} frames, "
          f"{summary['seconds']:.1f} s: {path}")  # fmt: skip
    return 1 if summary["failed"] else 0


def _units(options: argparse.Namespace) -> list[Unit]:
    """The plan; ends the program where the call is wrong."""
    parser: argparse.ArgumentParser = options.parser
    try:
        how = Options(options.format, options.fps, options.map, options.source_map, options.root, options.in_place,
                      options.feet, options.hands, options.only_armature, max(0, options.check),
                      PICTURES if options.page else 0)  # fmt: skip
        if options.jobs < 1 or not options.timeout > 0:
            raise InvalidRequestError("jobs" if options.jobs < 1 else "timeout", "must be more than nothing")
        if options.ray:
            ray_cluster.library()
        return plan(options.source, options.target, options.output, how)
    except InvalidRequestError as error:
        parser.error(str(error))


def _have_done(units: list[Unit], options: argparse.Namespace, done: Any, bar: Bar) -> None:
    if not units:
        return
    # a farm that ends the command politely must not leave processes behind
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.ray:
            ray_cluster.run(units, options.ray, options.jobs, options.timeout, done)
        else:
            pool.run(units, options.jobs, options.timeout, done, bar.said)
    finally:
        signal.signal(signal.SIGTERM, before)


def _call(options: argparse.Namespace) -> dict[str, Any]:
    kept = {k: v for k, v in vars(options).items() if k not in ("run", "parser")}
    return {k: str(v) if isinstance(v, Path) else v for k, v in kept.items()}


class Bar:
    """A progress bar on a terminal; elsewhere a line a clip."""

    WIDTH = 30

    def __init__(self, total: int, done: int, stream: TextIO | None = None) -> None:
        self.total, self.done, self.failed, self.text = total, done, 0, ""
        self.skipped = done
        self.stream = stream or sys.stderr
        self.began = time.monotonic()
        self.live = self.stream.isatty()
        self._draw()

    def said(self, worker: int, text: str) -> None:
        """What one of the processes is doing."""
        self.text = text
        self._draw()

    def step(self, entries: list[dict[str, Any]]) -> None:
        """A unit is over."""
        self.done += 1
        for entry in entries:
            bad = entry["state"] != "done"
            self.failed += bad
            if bad or not self.live:
                self._clear()
                print(report.line(entry), file=self.stream)
        self._draw()

    def close(self) -> None:
        """Leave the terminal clean."""
        self._clear()

    def _clear(self) -> None:
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def _draw(self) -> None:
        if not self.live:
            return
        share = self.done / self.total if self.total else 1.0
        full = round(self.WIDTH * share)
        left = ""
        made = self.done - self.skipped
        if made:
            seconds = (time.monotonic() - self.began) / made * (self.total - self.done)
            left = f", {seconds / 60:.0f} min left" if seconds > 90 else f", {seconds:.0f} s left"
        bad = f", {self.failed} failed" if self.failed else ""
        self.stream.write(f"\r\x1b[K[{'#' * full}{'.' * (self.WIDTH - full)}] {self.done}/{self.total}{bad}{left}  "
                          f"{self.text[-40:]}")  # fmt: skip
        self.stream.flush()
