"""How long text-to-motion takes, in this process as in the backend's; writes JSON, asserts nothing about time.

``make benchmark`` writes ``out/text_speed.json``: processor time and clock of ten seconds of motion, warm, and
how long a cancelled run goes on. Only where a bundle that heeds text came along.
"""

from __future__ import annotations

import json
import statistics
import threading
import time

import pytest

pytest.importorskip("torch", reason="the backend's libraries are not in this environment")

from backend.service import PACKAGED, Service
from blender_addon.motion import constraints
from blender_addon.motion.errors import JobCancelled
from tests.backend.conftest import ROOT
from tests.benchmarks.test_backend_speed import REPEATS, circumstances

pytestmark = pytest.mark.benchmark
PROMPT, SECONDS = "a person walks and turns left", 10.0


def test_ten_seconds_of_motion() -> None:
    bundle = next((p.name for p in sorted(PACKAGED.iterdir()) if p.name == "research"), "")
    if not bundle:
        pytest.skip("no bundle that heeds text came along")
    found = circumstances()
    service = Service()
    request = constraints.told([PROMPT], [SECONDS], bundle=bundle)
    began = time.perf_counter()
    report = service.run(request).report
    found["first_clock_seconds"] = round(time.perf_counter() - began, 3)
    clock, processor = [], []
    for _ in range(REPEATS):
        began, spent = time.perf_counter(), time.process_time()
        service.run(request)
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - spent)
    found |= {
        "prompt": PROMPT, "motion_seconds": SECONDS, "system": report["system"], "bundle": report["bundle"],
        "evaluations": report["evaluations"], "repeats": REPEATS,
        "clock_seconds": round(statistics.median(clock), 3), "clock_seconds_least": round(min(clock), 3),
        "processor_seconds": round(statistics.median(processor), 3), "cancel_seconds": _cancelled(service, request),
    }  # fmt: skip
    out = ROOT / "out"
    out.mkdir(exist_ok=True)
    (out / "text_speed.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    assert found["evaluations"] > 0


def _cancelled(service: Service, request: constraints.Request) -> float:
    """Longest time from cancelling to the end of a run, of several moments of it."""
    longest = 0.0
    for moment in range(1, 1 + REPEATS):
        stop, asked = threading.Event(), [0.0]

        def progress(step: int, total: int, moment: int = moment, stop: threading.Event = stop,
                     asked: list[float] = asked) -> None:  # fmt: skip
            if step * (REPEATS + 1) >= moment * total and not stop.is_set():
                asked[0] = time.perf_counter()
                stop.set()

        with pytest.raises(JobCancelled):
            service.run(request, progress, stop.is_set)
        longest = max(longest, time.perf_counter() - asked[0])
    return round(longest, 3)
