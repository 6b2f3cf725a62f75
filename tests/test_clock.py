"""The computer's clock may be set while something runs, or have stopped in 1970: nothing of ours looks at it."""

from __future__ import annotations

import ast
import re
import sys
import threading

import numpy as np
import pytest

from blender_addon.client import DONE, Client, JobStatus, Loopback
from blender_addon.motion import constraints, npz
from blender_addon.motion.clip import rest_clip
from blender_addon.process import Backend
from tests.test_imports import ROOT

WALL = {"time", "time_ns", "localtime", "gmtime", "strftime", "ctime", "asctime", "clock_gettime"}
"""Of the module ``time``. What remains (monotonic, perf_counter, thread_time, sleep) does not follow the clock."""

JUMPING = """
import itertools, runpy, sys, time
stages = itertools.cycle([0.0, 4e9, 1e9, -86400.0])  # 1970, 2096, 2001, the day before all of them
moment, struct, text = time.time, time.gmtime, time.strftime
time.time = lambda: next(stages)
time.time_ns = lambda: int(next(stages) * 1e9)
time.localtime = time.gmtime = lambda seconds=None: struct(next(stages) if seconds is None else seconds)
sys.argv = ["backend", "serve"]
runpy.run_module("backend", run_name="__main__", alter_sys=True)
"""
"""The backend, under a clock that is another at each look."""


@pytest.mark.parametrize("package", ["blender_addon", "backend"])
def test_nobody_asks_for_the_time_of_day(package: str) -> None:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if re.search(r"\b(date)?time\b", text) else ():
            here = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id == "time" and node.attr in WALL:
                    found.append(f"{here} time.{node.attr}")
            elif isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
                found += [f"{here} from {node.module} import {name.name}" for name in node.names
                          if node.module == "datetime" or name.name in WALL]  # fmt: skip
            elif isinstance(node, ast.Import):
                found += [f"{here} import datetime" for name in node.names if name.name == "datetime"]
    assert not found, "these follow the computer's clock; time.monotonic() does not:\n" + "\n".join(found)


def test_a_job_while_the_backends_clock_jumps() -> None:
    pytest.importorskip("fastapi", reason="the backend's libraries are not installed for this Python")
    backend = Backend([sys.executable, "-c", JUMPING], ROOT)
    backend.start()
    try:
        address = backend.wait(threading.Event())
        client = Client(Loopback(address.port), address.token)
        request = constraints.inbetween(rest_clip(16), (0, 8, 15), system="interpolation")
        job, told = client.submit(npz.request_to_bytes(request)), list[JobStatus]()
        while not told or told[-1].state in ("queued", "running"):
            told.append(client.status(job))
            threading.Event().wait(0.05)
        assert told[-1].state == DONE, (told[-1].error, backend.last_lines())
        elapsed = [status.elapsed_seconds for status in told]
        assert elapsed == sorted(elapsed)
        assert 0 <= elapsed[-1] < 3600
        result = npz.result_from_bytes(client.result(job))
        assert np.array_equal(result.clips[0].rotations[8], request.clip.rotations[8])
    finally:
        backend.stop(wait=True)
