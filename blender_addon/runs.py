"""One run on one armature: what it was asked, how far it is, what it measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from queue import SimpleQueue
from typing import Any

import bpy

from . import captured, conversation, pending, plans, transfer
from .motion.errors import LimberError

READING, STARTING, SENDING, QUEUED, RUNNING, FETCHING, WRITING = (
    "READING", "STARTING", "SENDING", "QUEUED", "RUNNING", "FETCHING", "WRITING",
)  # fmt: skip
DONE, FAILED, CANCELLED = "DONE", "FAILED", "CANCELLED"
OVER = (DONE, FAILED, CANCELLED)


class Job:
    """One run on one armature.

    Attributes:
        uid: session number of the armature object; survives renaming and undo.
        name: the object's name when it was started, for messages.
        plan: what was asked for.
        phase: one of the names above.
        step, total, eta: the backend's progress; ``eta`` in seconds or None.
        error: why it failed.
        so_far: what is drawn of a long request already, to be looked at; it goes with the run's end.
        first_progress: seconds from the start to the backend's first answer about it.
        longest_hold: longest time in seconds that the main thread was held at once, by the clock.
        longest_work: the same in processor time, which a busy computer does not stretch.
    """

    def __init__(self, obj: bpy.types.Object, plan: plans.Plan) -> None:
        self.uid, self.name, self.plan = obj.session_uid, obj.name, plan
        self.phase, self.step, self.total = READING, 0, 0
        self.eta: float | None = None
        self.error: LimberError | None = None
        self.began, self.ended = time.monotonic(), 0.0
        self.first_progress: float | None = None
        self.longest_hold = self.longest_work = 0.0
        self.cancelled = threading.Event()
        self.events: SimpleQueue[conversation.Event] = SimpleQueue()
        self.collected: transfer.Collected | captured.Captured | None = None
        self.answers: transfer.Answers | None = None
        self.work: Generator[None, None, Any] | None = None
        self.so_far: pending.Shown | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in OVER

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        return (self.ended or time.monotonic()) - self.began

    def facts(self) -> dict[str, Any]:
        """What was measured in Blender, for the Action: seconds, and how long the window was held at most."""
        return {"seconds": round(self.seconds, 3), "longest_hold_ms": round(1000 * self.longest_hold, 1),
                "longest_work_ms": round(1000 * self.longest_work, 1)}  # fmt: skip

    def end(self, phase: str, error: LimberError | None = None) -> None:
        """Close it: what its thread still brings is thrown away, and what it half wrote is removed."""
        if self.over:
            return
        self.phase, self.error, self.ended = phase, error, time.monotonic()
        self.cancelled.set()
        self.put_aside()
        self.collected = self.answers = self.so_far = None

    def put_aside(self) -> None:
        """Stop reading or writing in the middle; a generator cleans up after itself."""
        if self.work is not None:
            self.work.close()
            self.work = None
