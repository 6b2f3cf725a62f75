"""Frames per second of retargeting with reading and writing, one process; writes JSON, asserts nothing about time.

``out/retarget_speed.json``: a captured clip of 2,200 frames onto the 66-bone Unreal-named rig and onto
Rigify's controls, by the clock and by the processor's time (the clock counts what else runs on the machine);
and 300 clips by two processes, with what memory they had after each.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import demo_rig  # noqa: E402
from blender_addon.batch import bulk, convert, pool, sources, targets  # noqa: E402
from blender_addon.batch.plan import Options, Place, plan  # noqa: E402
from blender_addon.motion import bvh  # noqa: E402
from tests.benchmarks.test_backend_speed import ROOT, circumstances  # noqa: E402
from tests.blender_addon import armatures  # noqa: E402
from tests.motion.walking import walk  # noqa: E402

REPEATS = 5
PEERS = {"unreal": 1735, "rigify": 164}
"""Frames per second of the best of today's tools (with hand posing): ../shared/notes/retarget-peers.md."""
pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk of 2,251 frames on 22 joints."""
    path = tmp_path_factory.mktemp("speed") / "walk.bvh"
    bvh.save(path, walk(steps=75, fps=60.0)[0])
    return path


def once(target: targets.Target, clip: Path, clock: Callable[[], float]) -> dict[str, float]:
    """Seconds of each part of one clip, the Action taken away again."""
    at = [clock()]
    (source,) = sources.read(Place(str(clip)))
    at.append(clock())
    assert isinstance(source, sources.Source)
    made = convert.convert(source, target.character.rig, Options())
    at.append(clock())
    values = bulk.channels(target.character, made, None, 1)
    at.append(clock())
    action = bulk.write_action(target.character.obj, "walk", values, 1)
    at.append(clock())
    target.character.obj.animation_data.action = None
    bpy.data.actions.remove(action)
    parts = dict(
        zip(
            ("read", "convert", "solve", "write"),
            (b - a for a, b in pairwise(at)),
            strict=True,
        )
    )
    return parts | {"all": at[-1] - at[0], "frames": float(len(made.written))}


def measured(target: targets.Target, clip: Path, clock: Callable[[], float]) -> dict[str, Any]:
    """Medians of several runs, the first left out."""
    runs = [once(target, clip, clock) for _ in range(REPEATS + 1)][1:]
    out = {name: round(statistics.median(r[name] for r in runs), 4) for name in runs[0]}
    return out | {"frames_per_second": round(out["frames"] / out["all"])}


@pytest.mark.parametrize("name", ["unreal", "rigify"])
def test_frames_per_second(name: str, clip: Path, tmp_path: Path) -> None:
    if name == "unreal":
        place = Place(str(armatures.shared() / "rigs" / "ue_male.glb"))
    else:
        demo_rig.make(tmp_path / "rigify.blend")
        place = Place(str(tmp_path / "rigify.blend"), demo_rig.NAME)
    target = targets.open_target(place, "auto")
    result = {"clock": measured(target, clip, time.perf_counter),
              "processor": measured(target, clip, time.process_time),
              "best_peer_frames_per_second": PEERS[name], **circumstances()}  # fmt: skip
    note(name, result)
    assert result["clock"]["frames"] == 2251


def note(name: str, result: dict[str, Any]) -> None:
    """Into the JSON file, beside what is there."""
    out = ROOT / "out" / "retarget_speed.json"
    out.parent.mkdir(exist_ok=True)
    whole = json.loads(out.read_text()) if out.is_file() else {}
    out.write_text(json.dumps(whole | {name: result}, indent=1))


@pytest.mark.timeout(3600)
def test_memory_over_three_hundred_clips(tmp_path: Path) -> None:
    for k in range(300):
        bvh.save(tmp_path / f"{k:03}.bvh", walk(steps=2 + k % 7)[0])
    target = str(armatures.shared() / "rigs" / "ue_male.glb")
    units = plan([str(tmp_path / "*.bvh")], [target], tmp_path / "out", Options(check=2, only_armature=True))
    memory: list[int] = []
    failed: list[str] = []

    def done(outcome: pool.Outcome) -> None:
        memory.append(outcome.memory)
        for entry in outcome.entries:
            failed.extend([entry["error"]] if entry["state"] != "done" else [])
            Path(entry.get("output", "")).unlink()

    began = time.perf_counter()
    pool.run(units, 2, 300.0, done)
    result = {"clips": len(units), "failed": len(failed), "seconds": time.perf_counter() - began,
              "bytes_after_20": max(memory[:20]), "bytes_of_last_20": max(memory[-20:]), "bytes": memory,
              **circumstances()}  # fmt: skip
    note("memory", result)
    assert not failed
    assert result["bytes_of_last_20"] < 1.1 * result["bytes_after_20"]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("form", ["blend", "bvh"])
def test_two_hundred_thousand_frames(form: str, tmp_path: Path) -> None:
    frames = 200_000
    clip = tmp_path / "take.bvh"
    bvh.save(clip, walk(steps=60)[0])
    head, _, motion = clip.read_text().partition("Frames:")
    _, rate, *rows = motion.strip().split("\n")
    there_and_back = [*rows, *rows[::-1]]
    with clip.open("w") as file:
        file.write(f"{head}Frames: {frames}\n{rate}\n")
        file.writelines(f"{there_and_back[k % len(there_and_back)]}\n" for k in range(frames))
    target = str(armatures.shared() / "rigs" / "ue_male.glb")
    (unit,) = plan([str(clip)], [target], tmp_path / "out", Options(format=form, only_armature=True))
    process, began = pool.Process(300.0), time.perf_counter()
    try:
        (entry,) = pool.attempt(process, unit, lambda text: None).entries
        seconds = time.perf_counter() - began
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.stop()
    assert entry["state"] == "done", entry
    assert entry["frames"] == frames
    highest = next(int(line.split()[1]) * 1024 for line in status.split("\n") if line.startswith("VmHWM"))
    note(f"long_{form}", {"frames": frames, "seconds": seconds, "bytes_highest": highest, **circumstances()})
