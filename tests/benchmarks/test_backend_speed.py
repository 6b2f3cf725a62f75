"""How long the backend takes, measured through a real process; writes JSON, asserts nothing about time.

``make benchmark`` writes ``out/backend_speed.json``. The tiny bundle stands in where none came along.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the backend's libraries are not in this environment")

from blender_addon.motion import constraints, npz
from blender_addon.motion.skeleton import INDEX
from tests.backend.conftest import ROOT, Server, keyed
from tests.motion.walking import walk

REPEATS = 7
pytestmark = pytest.mark.benchmark


def circumstances() -> dict[str, Any]:
    """What a number has to be read with."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        processor = names[0] if names else processor
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "commit": commit.stdout.strip(), "device": f"{processor}, {os.cpu_count()} processors",
        "load_before": load, "python": platform.python_version(), "seed": 0,
        **{name: version(name) for name in ("torch", "numpy", "fastapi", "uvicorn")},
    }  # fmt: skip


def seconds(action: Callable[[], float]) -> dict[str, float]:
    """Median and worst of several runs, the first (cold) one left out."""
    action()
    taken = [action() for _ in range(REPEATS)]
    return {"median": round(statistics.median(taken), 4), "worst": round(max(taken), 4), "runs": REPEATS}


def until(server: Server, job: str, reached: Callable[[dict[str, Any]], bool]) -> None:
    while not reached(server.state(job)):
        time.sleep(0.002)


def first_progress(server: Server, **settings: Any) -> Callable[[], float]:
    """From handing in 180 frames to the first look that shows a step or the end."""

    def run() -> float:
        body = npz.request_to_bytes(keyed(180, tuple(range(0, 180, 30)) + (179,), **settings))
        start = time.perf_counter()
        job = server.call("POST", "/v1/jobs", body).json["job"]
        until(server, job, lambda s: s["total"] > 0 or s["state"] in ("done", "failed"))
        taken = time.perf_counter() - start
        assert server.ended(job)["state"] == "done"
        return taken

    return run


def whole(server: Server, frames: int, **settings: Any) -> Callable[[], float]:
    """From the request's bytes to the result's, a key every 30 frames."""

    def run() -> float:
        body = npz.request_to_bytes(keyed(frames, (*range(0, frames - 1, 30), frames - 1), **settings))
        start = time.perf_counter()
        job = server.call("POST", "/v1/jobs", body).json["job"]
        until(server, job, lambda s: s["state"] not in ("queued", "running"))
        answer = server.call("GET", f"/v1/jobs/{job}/result")
        taken = time.perf_counter() - start
        assert answer.status == 200, answer.body
        return taken

    return run


def followed(server: Server, system: str) -> tuple[dict[str, float], dict[str, float]]:
    """Both hands and the ground path at every frame of a four-second walk, closing and all: first progress, whole."""
    clip, _ = walk(8)
    known = np.zeros((len(clip), 22), bool)
    known[:, [INDEX["left_wrist"], INDEX["right_wrist"]]] = True
    start = np.zeros_like(known)
    start[0] = True
    targets = clip.positions() + np.array([0.05, 0.05, 0.0])
    request = constraints.follow(
        clip, targets, known, ground_known=np.ones(len(clip), bool), rotation_known=start, root_known=start[:, 0],
        system=system,
    )  # fmt: skip
    first: list[float] = []

    def run() -> float:
        began = time.perf_counter()
        job = server.submit(request)
        until(server, job, lambda s: s["step"] > 0 or s["state"] in ("done", "failed"))
        first.append(time.perf_counter() - began)
        until(server, job, lambda s: s["state"] not in ("queued", "running"))
        assert server.call("GET", f"/v1/jobs/{job}/result").status == 200
        return time.perf_counter() - began

    whole = seconds(run)
    return {"median": round(statistics.median(first[1:]), 4), "worst": round(max(first[1:]), 4)}, whole


def cancel(server: Server, frames: int, **settings: Any) -> Callable[[], float]:
    """From asking a running job to stop until it has stopped."""

    def run() -> float:
        job = server.submit(keyed(frames, tuple(range(0, frames, 30)), variations=64, **settings))
        until(server, job, lambda s: s["step"] > 0)
        start = time.perf_counter()
        server.call("DELETE", f"/v1/jobs/{job}")
        until(server, job, lambda s: s["state"] == "cancelled")
        return time.perf_counter() - start

    return run


def start(arguments: tuple[str, ...]) -> Callable[[], float]:
    """From starting the process until it answers."""

    def run() -> float:
        begin = time.perf_counter()
        server = Server(arguments)
        server.call("GET", "/v1/health")
        taken = time.perf_counter() - begin
        server.stop()
        return taken

    return run


def test_backend_speed(
    server: Server, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = server.call("GET", "/v1/models").json["models"]
    default = next(m for m in models if m["default"])
    report: dict[str, Any] = {
        "circumstances": circumstances(),
        "model": default["name"],
        "sha256": default["sha256"],
    }
    settings = {"bundle": default["name"]}
    report["start_to_answer_s"] = seconds(start(("--weights", str(bundle))))
    report["submit_to_first_progress_s"] = seconds(first_progress(server, **settings))
    for frames in (180, 3000):
        report[f"cancel_{frames}_frames_s"] = seconds(cancel(server, frames, **settings))
    for frames in (30, 180, 1000):
        able = [name for name, tasks in default["systems"].items() if "inbetween" in tasks]
        for system in ("interpolation", *able):
            choice = {"system": system} if system == "interpolation" else {"system": system, **settings}
            report[f"inbetween_{frames}_frames_{system}_s"] = seconds(whole(server, frames, **choice))
    for name, system in (("interpolation", "interpolation"), ("first able", "auto")):
        preview, done = followed(server, system)
        report[f"follow_4_seconds_{name}_s"] = {"first_progress": preview, "whole": done}
    folder = Path(os.environ.get("LIMBER_BENCHMARKS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "backend_speed.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    with capsys.disabled():
        print("\n" + json.dumps(report, indent=1))
