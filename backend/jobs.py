"""The queue: one worker thread computes, everyone else submits, looks, and cancels.

One thread, because two models running at once on one machine make both slower than one after the
other. Results wait as bytes, for a bounded time and within a bounded size, for whoever asked.
"""

from __future__ import annotations

import secrets
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from blender_addon.motion.errors import JobCancelled, LimberError

from .doctor import unloadable
from .wire import describe_error

QUEUED, RUNNING, DONE, FAILED, CANCELLED = STATES = ("queued", "running", "done", "failed", "cancelled")

Progress = Callable[[int, int], None]
Work = Callable[[Any, Progress, Callable[[], bool]], bytes]
"""``work(request, progress, cancelled) -> result bytes``; raises LimberError, or JobCancelled."""


class QueueFullError(LimberError):
    """As many jobs wait as may."""


class UnknownJobError(LimberError):
    """No such job, or it was forgotten."""


@dataclass
class Job:
    """One request on its way. Written by the worker, read under the queue's lock.

    ``partial`` is what there is so far, of which the first ``ready`` frames are drawn.
    """

    id: str
    request: Any
    state: str = QUEUED
    step: int = 0
    total: int = 0
    error: dict[str, str] | None = None
    result: bytes | None = None
    ready: int = 0
    partial: bytes | None = None
    created: float = field(default_factory=time.monotonic)
    started: float | None = None
    stepped: float | None = None  # when the first step was reported: loading before it says nothing of pace
    ended: float | None = None
    cancel: threading.Event = field(default_factory=threading.Event)

    def describe(self) -> dict[str, Any]:
        """The job as the wire shows it."""
        now = self.ended if self.ended is not None else time.monotonic()
        return {
            "job": self.id, "state": self.state, "step": self.step, "total": self.total,
            "eta_seconds": self._eta(now), "error": self.error, "ready": self.ready,
            "elapsed_seconds": round(now - self.started, 3) if self.started is not None else 0.0,
        }  # fmt: skip

    def _eta(self, now: float) -> float | None:
        if self.state in (DONE, FAILED, CANCELLED):
            return 0.0
        if self.stepped is None or self.step < 1 or not self.total:
            return None
        return round((now - self.stepped) / self.step * (self.total - self.step), 3)


class Jobs:
    """A bounded queue with one worker thread.

    Args:
        work: does one request; called on the worker thread only.
        waiting: how many jobs may wait.
        keep_seconds, keep_bytes: finished jobs are forgotten after this time, the oldest first
            where their results together are larger than this.
        idle: called on the worker thread after ``idle_seconds`` without a job.
        warm: called on the worker thread once, before the first job.
    """

    def __init__(
        self,
        work: Work,
        waiting: int = 16,
        keep_seconds: float = 900,
        keep_bytes: int = 1 << 29,
        idle: Callable[[], None] | None = None,
        idle_seconds: float = 300,
        warm: Callable[[], None] | None = None,
    ) -> None:
        self._work, self._idle, self._warm = work, idle, warm
        self._waiting, self._keep_seconds, self._keep_bytes = waiting, keep_seconds, keep_bytes
        self._idle_seconds = idle_seconds
        self._jobs: dict[str, Job] = {}
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._running: Job | None = None
        self._thread = threading.Thread(target=self._loop, name="limber-worker", daemon=True)
        self._thread.start()

    def submit(self, request: Any) -> Job:
        """Put a request in the queue.

        Raises:
            QueueFullError: too many wait, or the process is ending.
        """
        with self._changed:
            if self._closing:
                raise QueueFullError("the backend is ending: start it again")
            if len(self._queue) >= self._waiting:
                raise QueueFullError(f"{self._waiting} jobs are waiting already: try again later")
            job = Job(secrets.token_hex(8), request)
            self._jobs[job.id] = job
            self._queue.append(job)
            self._changed.notify_all()
            return job

    def describe(self, job_id: str) -> dict[str, Any]:
        """State of a job. Raises UnknownJobError."""
        with self._changed:
            return self._find(job_id).describe()

    def result(self, job_id: str) -> bytes | None:
        """Result of a job, None where it is not done. Raises UnknownJobError."""
        with self._changed:
            return self._find(job_id).result

    def partial(self, job_id: str) -> bytes | None:
        """What there is so far of a job that runs; None where there is nothing yet. Raises UnknownJobError."""
        with self._changed:
            return self._find(job_id).partial

    def show(self, partial: bytes, ready: int) -> None:
        """What there is so far of the job that runs; called by its work, on the worker thread.

        Args:
            partial: what whoever asks is given.
            ready: how many of its frames are drawn.
        """
        with self._changed:
            if self._running is not None:
                self._running.partial, self._running.ready = partial, ready

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Stop a job; one that waits is cancelled at once, one that runs before its next step.

        A job that has ended stays as it is. Raises UnknownJobError.
        """
        with self._changed:
            job = self._find(job_id)
            job.cancel.set()
            if job.state == QUEUED:
                self._queue.remove(job)
                self._end(job, CANCELLED)
            return job.describe()

    def wait(self, job_id: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait until a job has ended, at most ``timeout`` seconds; its state then."""
        with self._changed:
            job = self._find(job_id)
            self._changed.wait_for(lambda: job.ended is not None, timeout)
            return job.describe()

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        with self._changed:
            states = [job.state for job in self._jobs.values()]
            return {state: states.count(state) for state in STATES}

    def close(self, timeout: float = 2.0) -> bool:
        """Cancel everything and end the worker; whether it ended within ``timeout`` seconds."""
        with self._changed:
            self._closing = True
            for job in self._jobs.values():
                job.cancel.set()
            while self._queue:
                self._end(self._queue.popleft(), CANCELLED)
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- on the worker thread ------------------------------------------------------------------

    def _loop(self) -> None:
        if self._warm is not None:
            self._guarded(self._warm)
        while True:
            with self._changed:
                arrived = self._changed.wait_for(lambda: self._queue or self._closing, self._idle_seconds)
                self._forget()
                if self._closing:
                    return
                job = self._queue.popleft() if arrived else None
                if job is not None:
                    job.state, job.started, self._running = RUNNING, time.monotonic(), job
            if job is not None:
                self._run(job)
            elif self._idle is not None:
                self._guarded(self._idle)

    def _run(self, job: Job) -> None:
        def progress(step: int, total: int) -> None:
            with self._changed:
                job.step, job.total = step, total
                job.stepped = time.monotonic() if job.stepped is None else job.stepped

        state, error, result = FAILED, None, None
        try:
            if job.cancel.is_set():
                raise JobCancelled("cancelled")
            result = self._work(job.request, progress, job.cancel.is_set)
            if job.cancel.is_set():  # whoever was told "cancelled" must not get a result after all
                raise JobCancelled("cancelled")
            state = DONE
        except JobCancelled:
            state, result = CANCELLED, None
        except LimberError as raised:
            error = describe_error(raised)
        except MemoryError:
            error = describe_error(LimberError("not enough memory: choose a shorter range"))
        except ImportError as raised:  # libraries are imported when they are needed
            traceback.print_exc(file=sys.stderr)
            error = describe_error(LimberError(unloadable(raised)))
        except Exception as raised:  # noqa: BLE001 - the worker outlives any defect; it is shown in full
            traceback.print_exc(file=sys.stderr)
            error = describe_error(LimberError(f"a defect in Limber: {type(raised).__name__}: {raised}. "
                                               "Please report it with the backend's log."))  # fmt: skip
        with self._changed:
            job.error, job.result, job.partial, self._running = error, result, None, None
            self._end(job, state)
            self._forget()

    @staticmethod
    def _guarded(call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:  # noqa: BLE001 - warming up and tidying must not end the worker
            traceback.print_exc(file=sys.stderr)

    # -- under the lock ------------------------------------------------------------------------

    def _find(self, job_id: str) -> Job:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise UnknownJobError(f"there is no job {job_id!r} (any more): submit it again") from None

    def _end(self, job: Job, state: str) -> None:
        job.state, job.ended, job.request = state, time.monotonic(), None
        self._changed.notify_all()

    def _forget(self) -> None:
        ended = sorted((j for j in self._jobs.values() if j.ended is not None), key=lambda j: j.ended or 0)
        size = sum(len(j.result or b"") for j in ended)
        now = time.monotonic()
        for job in ended:
            old = now - (job.ended or now) > self._keep_seconds
            # The newest result is kept whatever its size: someone is about to fetch it.
            if old or (size > self._keep_bytes and job is not ended[-1]):
                del self._jobs[job.id]
                size -= len(job.result or b"")
