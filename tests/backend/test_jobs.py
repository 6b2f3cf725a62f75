"""The queue: order, progress, cancel, bounds; its work here is plain functions, which is its seam."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from backend.jobs import Jobs, QueueFullError, UnknownJobError
from blender_addon.motion.errors import (
    FileFormatError,
    InvalidRequestError,
    JobCancelled,
    LimberError,
    WeightsError,
)


@contextmanager
def queue(work: Callable[..., bytes], **settings: Any) -> Iterator[Jobs]:
    jobs = Jobs(work, **settings)
    try:
        yield jobs
    finally:
        assert jobs.close(10)


def echo(request: Any, progress: Any, cancelled: Any) -> bytes:
    for step in range(1, 4):
        progress(step, 3)
    return bytes(request)


class Stepper:
    """Work that goes one step whenever it is told to, and looks at cancel before each."""

    def __init__(self, total: int = 10) -> None:
        self.total, self.go, self.stepped = total, threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, request: Any, progress: Any, cancelled: Callable[[], bool]) -> bytes:
        for step in range(1, self.total + 1):
            self.go.acquire()
            if cancelled():
                raise JobCancelled("cancelled")
            progress(step, self.total)
            self.stepped.release()
        return b"done"

    def step(self) -> None:
        self.go.release()
        assert self.stepped.acquire(timeout=10)


def test_jobs_run_one_after_the_other_in_order() -> None:
    order = []

    def work(request: Any, progress: Any, cancelled: Any) -> bytes:
        order.append(request)
        return b""

    with queue(work) as jobs:
        ids = [jobs.submit(i).id for i in range(8)]
        for job in ids:
            assert jobs.wait(job, 10)["state"] == "done"
    assert order == list(range(8))


def test_progress_and_remaining_time() -> None:
    work = Stepper(10)
    with queue(work) as jobs:
        job = jobs.submit(None).id
        work.step()
        first = jobs.describe(job)
        assert (first["state"], first["step"], first["total"]) == ("running", 1, 10)
        work.step()
        state = jobs.describe(job)
        assert state["step"] == 2
        assert state["eta_seconds"] >= 0
        assert state["elapsed_seconds"] >= first["elapsed_seconds"]
        work.go.release(10)
        ended = jobs.wait(job, 10)
        assert ended.pop("elapsed_seconds") >= state["elapsed_seconds"]
        assert ended == {
            "job": job,
            "state": "done",
            "step": 10,
            "total": 10,
            "eta_seconds": 0.0,
            "error": None,
            "ready": 0,
        }
        assert jobs.result(job) == b"done"


def test_what_there_is_so_far_can_be_had_until_the_job_ends() -> None:
    begun, go = threading.Event(), threading.Event()

    def work(request: Any, progress: Any, cancelled: Any) -> bytes:
        jobs.show(b"half", 50)
        begun.set()
        assert go.wait(10)
        return b"whole"

    with queue(work) as jobs:
        first, second = jobs.submit(None).id, jobs.submit(None).id
        assert begun.wait(10)
        assert (jobs.partial(first), jobs.describe(first)["ready"]) == (b"half", 50)
        assert (jobs.partial(second), jobs.describe(second)["ready"]) == (None, 0)
        go.set()
        jobs.wait(second, 10)
        assert (jobs.partial(first), jobs.result(first)) == (None, b"whole")


def test_cancel_is_seen_before_the_next_step() -> None:
    work = Stepper(1000)
    with queue(work) as jobs:
        job = jobs.submit(None).id
        work.step()
        jobs.cancel(job)
        work.go.release()
        state = jobs.wait(job, 10)
        assert (state["state"], state["step"]) == ("cancelled", 1)
        assert jobs.result(job) is None


def test_cancel_of_a_waiting_job_never_runs_it() -> None:
    work = Stepper(1)
    ran = []

    def logged(request: Any, progress: Any, cancelled: Any) -> bytes:
        ran.append(request)
        return work(request, progress, cancelled)

    with queue(logged) as jobs:
        first, second = jobs.submit("first").id, jobs.submit("second").id
        assert jobs.cancel(second)["state"] == "cancelled"
        work.go.release()
        assert jobs.wait(first, 10)["state"] == "done"
        assert jobs.cancel(first)["state"] == "done"
    assert ran == ["first"]


def test_a_cancel_that_comes_during_the_last_step_drops_the_result() -> None:
    inside, go = threading.Event(), threading.Event()

    def work(request: Any, progress: Any, cancelled: Any) -> bytes:
        inside.set()
        go.wait(10)
        return b"too late"

    with queue(work) as jobs:
        job = jobs.submit(None).id
        assert inside.wait(10)
        jobs.cancel(job)
        go.set()
        assert jobs.wait(job, 10)["state"] == "cancelled"
        assert jobs.result(job) is None


@pytest.mark.parametrize(("error", "field", "remedy"), [
    (InvalidRequestError("keys", "only one", "Set two."), "keys", "Set two."),
    (FileFormatError("request", "cut short"), "request", "Send a request as Limber writes it."),
    (WeightsError("damaged"), "", ""),
])  # fmt: skip
def test_errors_arrive_with_field_and_remedy(error: LimberError, field: str, remedy: str) -> None:
    def work(request: Any, progress: Any, cancelled: Any) -> bytes:
        raise error

    with queue(work) as jobs:
        state = jobs.wait(jobs.submit(None).id, 10)
        assert state["state"] == "failed"
        assert (state["error"]["field"], state["error"]["remedy"]) == (field, remedy)
        assert str(error) in state["error"]["message"]


def test_a_defect_is_shown_and_survived(capsys: pytest.CaptureFixture[str]) -> None:
    def work(request: Any, progress: Any, cancelled: Any) -> bytes:
        return {}[request]

    with queue(work) as jobs:
        state = jobs.wait(jobs.submit("gone").id, 10)
        assert state["state"] == "failed"
        assert "KeyError" in state["error"]["message"]
        assert jobs.wait(jobs.submit("again").id, 10)["state"] == "failed"
    assert "Traceback" in capsys.readouterr().err


def test_the_queue_is_bounded() -> None:
    work = Stepper(1)
    with queue(work, waiting=2) as jobs:
        first = jobs.submit(None).id
        while jobs.describe(first)["state"] == "queued":
            pass
        jobs.submit(None)
        jobs.submit(None)
        with pytest.raises(QueueFullError, match="2 jobs are waiting"):
            jobs.submit(None)
        work.go.release(3)


def test_results_are_kept_within_a_size_the_newest_always() -> None:
    with queue(echo, keep_bytes=100) as jobs:
        ids = [jobs.submit(bytes([i]) * 60).id for i in range(3)]
        jobs.wait(ids[-1], 10)
        assert jobs.result(ids[-1]) == bytes([2]) * 60
        for job in ids[:-1]:
            with pytest.raises(UnknownJobError):
                jobs.result(job)
        huge = jobs.submit(bytes(1000)).id
        jobs.wait(huge, 10)
        assert jobs.result(huge) == bytes(1000)


def test_results_are_kept_for_a_time() -> None:
    idle = threading.Semaphore(0)
    with queue(echo, keep_seconds=0.01, idle=idle.release, idle_seconds=0.05) as jobs:
        job = jobs.submit(b"x").id
        jobs.wait(job, 10)
        assert idle.acquire(timeout=10)
        assert idle.acquire(timeout=10)
        with pytest.raises(UnknownJobError):
            jobs.describe(job)


def test_warm_comes_first_and_idle_when_nothing_is_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    idle = threading.Semaphore(0)

    def warm() -> None:
        seen.append("warm")
        raise WeightsError("no such bundle")

    def work(request: Any, progress: Any, cancelled: Any) -> bytes:
        seen.append("work")
        return b""

    def rest() -> None:
        seen.append("idle")
        idle.release()

    with queue(work, warm=warm, idle=rest, idle_seconds=0.02) as jobs:
        assert jobs.wait(jobs.submit(None).id, 10)["state"] == "done"
        assert idle.acquire(timeout=10)
    assert seen[:2] == ["warm", "work"]
    assert "no such bundle" in capsys.readouterr().err


def test_close_cancels_what_runs_and_what_waits() -> None:
    work = Stepper(1000)
    jobs = Jobs(work)
    running, waiting = jobs.submit(None).id, jobs.submit(None).id
    work.step()
    work.go.release()
    assert jobs.close(10)
    assert jobs.describe(running)["state"] == jobs.describe(waiting)["state"] == "cancelled"
    with pytest.raises(QueueFullError):
        jobs.submit(None)


def test_unknown_jobs() -> None:
    with queue(echo) as jobs:
        for call in (jobs.describe, jobs.result, jobs.cancel):
            with pytest.raises(UnknownJobError, match="nothing"):
                call("nothing")


@pytest.mark.parametrize(("module", "said"), [("torch", "cannot be loaded"), ("backend.gone", "a defect")])
def test_a_missing_library_is_no_defect(module: str, said: str) -> None:
    def work(request: Any, progress: Any, cancelled: Any) -> bytes:
        raise ImportError(f"No module named '{module}'", name=module)

    with queue(work) as jobs:
        told = jobs.wait(jobs.submit(0).id, 10)
    assert told["state"] == "failed"
    assert said in told["error"]["message"]
