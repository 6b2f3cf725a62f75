"""What a run's own thread does: turn the keys into a request, have it filled, turn it back.

No bpy here: everything that takes long and needs no Blender happens in this thread.
"""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from .client import CANCELLED, DONE, FAILED, RUNNING, Client, Loopback
from .motion import figures, npz
from .motion.constraints import Request, Result
from .motion.errors import BackendError, JobCancelled, LimberError
from .process import Backend

if TYPE_CHECKING:
    from .captured import Captured
    from .transfer import Answers, Collected

Event: TypeAlias = tuple[str, Any]
"""``("phase", str)``, ``("status", JobStatus)``, ``("so far", Figure)``, ``("answers", Answers)`` or
``("failed", LimberError)``."""

LOOKS = 4
"""Times of what a look at an unfinished motion took, until the next one."""
POLL_FIRST, POLL_LAST = 0.02, 0.25
"""Quick at first, so that progress shows within 250 ms; slower when it takes long anyway."""


class Talk:
    """One run's conversation with the backend.

    Args:
        backend: the process; may still be starting.
        collected: what was read from Blender.
        cancelled: set by the main thread; the backend is told, and everything else is dropped.
        events: what the main thread is to know.
    """

    def __init__(
        self, backend: Backend, collected: Collected | Captured, cancelled: threading.Event, events: SimpleQueue[Event]
    ) -> None:
        self.backend, self.collected, self.cancelled, self.events = backend, collected, cancelled, events

    def run(self) -> None:
        """The thread's whole life; never raises."""
        try:
            answers = self._fill()
        except LimberError as error:
            self.events.put(("failed", self._explained(error)))
        except Exception as error:  # noqa: BLE001  a thread that dies in silence would leave the run hanging
            traceback.print_exc()
            self.events.put(("failed", LimberError(f"A defect in Limber: {type(error).__name__}: {error}")))
        else:
            self.events.put(("answers", answers))

    def _fill(self) -> Any:
        # 1. the request, while the backend may still be starting
        rig = self.collected.rig()
        request = self.collected.request(rig)
        body = npz.request_to_bytes(request)
        # 2. the backend
        address = self.backend.wait(self.cancelled)
        client = Client(Loopback.to(address), address.token)
        # 3. hand it in
        self.events.put(("phase", "SENDING"))
        self._check()
        job = client.submit(body)
        # 4. watch, cancel
        self._watch(client, job, rig, request)
        # 5. the result, on the character's own bones
        self.events.put(("phase", "FETCHING"))
        result = npz.result_from_bytes(client.result(job))
        self._check()
        return self._drawn(self.collected.answers(rig, request, result))

    def _drawn(self, answers: Answers) -> Answers:
        """The answers with what is drawn of them."""
        bones = tuple(bone for bones in self.collected.bone_map.bones.values() for bone in bones)
        clips = answers.clips if answers.plain is None else (*answers.clips, answers.plain)
        return replace(answers, figures=tuple(figures.figure(clip, bones) for clip in clips))

    def _show(self, client: Client, job: str, rig: Any, request: Request, frames: int) -> None:
        """What is drawn of a long request so far, as a figure; whatever goes wrong with it, the run goes on."""
        try:
            clip = npz.clip_from_bytes(client.partial(job))
            whole = self._drawn(self.collected.answers(rig, request, Result((clip,), clip))).figures[0]
        except LimberError:
            return
        self.events.put(("so far", replace(whole, points=whole.points[:frames])))

    def _watch(self, client: Client, job: str, rig: Any, request: Request) -> None:
        wait, ready, next_look = POLL_FIRST, 0, 0.0
        while True:
            status = client.status(job)
            self.events.put(("status", status))
            if status.state == RUNNING and status.ready > ready and time.monotonic() >= next_look:
                ready, began = status.ready, time.monotonic()
                self._show(client, job, rig, request, ready)
                next_look = time.monotonic() + LOOKS * (time.monotonic() - began)
            if status.state == DONE:
                return
            if status.state == FAILED:
                raise status.error or BackendError("The backend failed and did not say why.")
            if status.state == CANCELLED:
                raise JobCancelled("cancelled in the backend")
            if self.cancelled.wait(wait):
                client.cancel(job)
                raise JobCancelled("cancelled")
            wait = min(wait * 1.3, POLL_LAST)

    def _check(self) -> None:
        if self.cancelled.is_set():
            raise JobCancelled("cancelled")

    def _explained(self, error: LimberError) -> LimberError:
        """A connection that breaks because the process ended is better told as that."""
        if isinstance(error, BackendError):
            deadline = time.monotonic() + 0.5
            while time.monotonic() < deadline and not self.backend.problem:
                if self.backend.state == "CRASHED":
                    break
                time.sleep(0.02)
            if self.backend.problem:
                return BackendError(f"{self.backend.problem} Press Restart; your keys are as they were.")
        return error


class Models:
    """Asks the backend once, in a thread, which bundles there are.

    Attributes:
        models: empty until the answer is there, and if there is none.
        problem: why there is none.
    """

    def __init__(self, backend: Backend) -> None:
        self.models: list[dict[str, Any]] = []
        self.problem = ""
        self._backend = backend
        threading.Thread(target=self._ask, name="limber-models", daemon=True).start()

    def _ask(self) -> None:
        address = self._backend.address
        if address is None:
            return
        try:
            self.models = Client(Loopback.to(address), address.token).models()
        except LimberError as error:
            self.problem = str(error)
