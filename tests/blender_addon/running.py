"""Runs caught in the middle: what the timer calls, and a backend whose process is stopped (SIGSTOP)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from blender_addon import jobs, plans, process
from blender_addon.client import Client, Loopback
from blender_addon.jobs import Job, Session


def pump_until(session: Session, condition: Callable[[], bool], seconds: float = 60) -> None:
    """What the timer does, until ``condition``; ``seconds`` is patience, not a measurement."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, [(j.phase, j.error) for j in session.jobs.values()]
        session.tick()
        time.sleep(0.002)


def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fast computer meet a run in the middle of its reading and writing, too: a step or few a tick."""
    for name in ("SLICE_SECONDS", "SLOW_SLICE_SECONDS"):
        monkeypatch.setattr(jobs, name, 1e-4)


def start(session: Session, obj: Any, **settings: Any) -> Job:
    """A run over everything, not waited for."""
    return session.start(obj, plans.Plan(1, 250, **settings))


def hold(session: Session, obj: Any, **settings: Any) -> Job:
    """A run that stays in the middle, because the backend's process is stopped."""
    session.start_backend()
    pump_until(session, lambda: session.backend_state == process.READY)
    assert session.backend is not None
    assert session.backend.pid is not None
    os.kill(session.backend.pid, signal.SIGSTOP)
    job = start(session, obj, **settings)
    pump_until(session, lambda: job.phase in (jobs.SENDING, jobs.QUEUED, jobs.RUNNING))
    return job


def go_on(session: Session) -> None:
    """Let the backend that :func:`hold` stopped go on."""
    assert session.backend is not None
    if session.backend.pid is not None:
        os.kill(session.backend.pid, signal.SIGCONT)


def wait_until_idle(session: Session) -> None:
    """Until the backend has no job, asked over its own interface."""
    assert session.backend is not None
    assert session.backend.address is not None
    client = Client(Loopback(session.backend.address.port), session.backend.address.token)
    pump_until(
        session, lambda: not {"queued", "running"} & {k for k, n in client.health()["jobs"].items() if n}
    )


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
