"""A thousand small jobs from two clients at once, and the memory meanwhile; writes ``backend_load.json``."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the backend's libraries are not in this environment")

from blender_addon.motion import npz
from tests.backend.conftest import Server, keyed
from tests.benchmarks.test_backend_speed import circumstances

pytestmark = pytest.mark.benchmark
JOBS = 1000


def resident(pid: int) -> int:
    """Bytes of a process in memory (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(1800)
def test_a_thousand_jobs_from_two_clients(server: Server) -> None:
    body = npz.request_to_bytes(keyed(8, bundle="tiny"))
    memory: list[tuple[int, int]] = []

    def client(number: int) -> int:
        done = 0
        for n in range(JOBS // 2):
            job = server.call("POST", "/v1/jobs", body).json["job"]
            assert server.ended(job)["state"] == "done"
            assert server.call("GET", f"/v1/jobs/{job}/result").status == 200
            done += 1
            if number == 0 and n % 25 == 0:
                memory.append((2 * n, resident(server.process.pid)))
        return done

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        done = sum(pool.map(client, range(2)))
    assert done == JOBS
    told = {**circumstances(), "jobs": done, "clients": 2, "seconds": round(time.monotonic() - began, 1),
            "resident_bytes": [{"after": n, "bytes": size} for n, size in memory]}  # fmt: skip
    folder = Path(os.environ.get("LIMBER_BENCHMARKS", "out"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "backend_load.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
