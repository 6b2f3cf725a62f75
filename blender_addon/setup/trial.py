"""The self-test: a tiny request through the real backend, the way that the panel sends one."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..client import CANCELLED, DONE, FAILED, Client, Loopback
from ..motion import constraints, npz
from ..motion.clip import rest_clip
from ..motion.errors import BackendError, JobCancelled
from ..process import Backend

KEYS = (0, 8, 15)
JOB_SECONDS = 180.0


def run(python: Path, source: Path, cancelled: threading.Event) -> dict[str, Any]:
    """Start the backend, have half a second of motion filled in, end the backend; waits for all of it.

    Args:
        python: the environment's interpreter.
        source: folder of the backend's source.
        cancelled: looked at all the time.

    Returns:
        ``start_seconds``, ``job_seconds`` and ``report`` (as in the result).

    Raises:
        BackendError: it does not start, or its answer is not right; says what it wrote last.
        LimberError: what the backend says about the request.
        JobCancelled: ``cancelled`` was set.
    """
    backend = Backend([str(python), "-m", "backend", "serve"], source)
    began = time.monotonic()
    backend.start()
    try:
        address = backend.wait(cancelled)
        started = time.monotonic()
        request = constraints.inbetween(rest_clip(KEYS[-1] + 1), KEYS)
        client = Client(Loopback(address.port), address.token)
        job = client.submit(npz.request_to_bytes(request))
        _wait(client, job, cancelled)
        result = npz.result_from_bytes(client.result(job))
    except BackendError as error:
        said = " ".join(backend.last_lines(3))
        raise BackendError(f"{error} {said}".strip()) from error
    finally:
        backend.stop(wait=True)
    for clip in result.clips:
        if not np.array_equal(clip.rotations[list(KEYS)], request.clip.rotations[list(KEYS)]):
            raise BackendError("The self-test's keys did not come back as they were. Please report this.")
    return {"start_seconds": round(started - began, 2), "job_seconds": round(time.monotonic() - started, 2),
            "report": dict(result.report)}  # fmt: skip


def _wait(client: Client, job: str, cancelled: threading.Event) -> None:
    until = time.monotonic() + JOB_SECONDS
    while (status := client.status(job)).state != DONE:
        if status.state in (FAILED, CANCELLED):
            raise status.error or BackendError("The backend failed and did not say why.")
        if time.monotonic() > until:
            raise BackendError(f"The self-test was not done within {JOB_SECONDS:.0f} s.")
        if cancelled.wait(0.1):
            client.cancel(job)
            raise JobCancelled("cancelled")
