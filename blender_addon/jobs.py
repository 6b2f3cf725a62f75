"""Runs: from the button to the result, in slices that Blender does not feel.

A :class:`.runs.Job` reads keys (main thread, in slices), talks to the backend (its own thread), and
writes the result (main thread, in slices; one undo step). The :class:`Session` holds the jobs, one
an armature at most, and the backend. Blender's data is looked up again by its session number in
every slice, because undo, loading and deleting leave dangling references behind.

In Blender a timer calls :meth:`Session.tick`; in background mode, where there are no timers,
:meth:`Session.run` does the same until a job is over.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from queue import Empty
from typing import Any

import bpy

from . import (
    captured,
    changes,
    client,
    conversation,
    elsewhere,
    followed,
    how_much,
    mapping,
    pending,
    plans,
    preferences,
    process,
    results,
    transfer,
)
from .motion.bone_maps import BoneMap
from .motion.errors import BackendError, InvalidRequestError, JobCancelled, LimberError, MappingError
from .motion.figures import Figure
from .runs import (
    CANCELLED,
    DONE,
    FAILED,
    FETCHING,
    OVER,
    QUEUED,
    READING,
    RUNNING,
    SENDING,
    STARTING,
    WRITING,
    Job,
)

__all__ = [
    "CANCELLED", "DONE", "FAILED", "FETCHING", "OVER", "QUEUED", "READING", "RUNNING", "SENDING", "STARTING",
    "WRITING", "Job", "Session", "close_session", "current", "find_object", "open_session",
]  # fmt: skip

SLICE_SECONDS, SLOW_SLICE_SECONDS = 0.012, 0.02
"""Work per tick on the main thread, and where Blender itself needs long between two ticks (a heavy scene
that is drawn for every change): there fewer, longer ones are felt less. One step of a generator may take
up to 30 ms, and the sum stays below 50."""

SLOW_SECONDS = 0.1

COLLECT = {plans.INBETWEEN: transfer.collect, plans.FOLLOW: followed.collect}
"""How a task is read, if not as captured motion."""

BUSY_SECONDS, WATCH_SECONDS = 0.02, 0.5
PACKAGE_FOLDER = Path(__file__).resolve().parent


class Session:
    """Everything that lives as long as the add-on is enabled.

    Args:
        wake: has :meth:`tick` called soon, and then as often as it asks for.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.jobs: dict[int, Job] = {}
        self.backend: process.Backend | None = None
        self.backend_problem = ""
        self.models: list[dict[str, Any]] = []
        self.defect = ""
        self.characters = mapping.Characters()
        self.preview = changes.Preview()
        self.amounts = how_much.Amounts()
        self.looked_at = False
        self._asked: conversation.Models | None = None
        self._shown: object = None
        self._draw_again = False
        self._left, self._slice_seconds = 0.0, SLICE_SECONDS

    # -- the backend ---------------------------------------------------------------------------

    @property
    def backend_state(self) -> str:
        """``STOPPED``, ``STARTING``, ``READY`` or ``CRASHED``."""
        if self.backend is None:
            return process.CRASHED if self.backend_problem else process.STOPPED
        return self.backend.state

    def start_backend(self) -> process.Backend:
        """The running backend, started if need be.

        Raises:
            BackendError: there is no Python for it, or it cannot be started.
        """
        if self.backend is not None and self.backend.state in (process.STARTING, process.READY):
            return self.backend
        settings = preferences.get()
        self.models, self._asked, self.backend_problem = [], None, ""
        try:
            python = None if settings.remote else process.find_python(settings.python, settings.environment)
            folder = process.source_folder(PACKAGE_FOLDER)
            self.backend = elsewhere.make(settings, python, folder)
            self.backend.start()
        except BackendError as error:
            self.backend_problem = str(error)
            raise
        self.wake()
        return self.backend

    def stop_backend(self, wait: bool = False) -> None:
        """End the backend; running jobs fail with it."""
        if self.backend is not None:
            self.backend.stop(wait)
            self.backend = None
        self.backend_problem = ""

    def restart_backend(self) -> None:
        """End it and start it anew; what failed because of it is over and said.

        Raises:
            BackendError: as :meth:`start_backend`.
        """
        self.stop_backend()
        self.defect = ""
        self.jobs = {uid: job for uid, job in self.jobs.items() if job.phase != FAILED}
        self.start_backend()

    def backend_line(self) -> str:
        """One line about the backend, for people."""
        state = self.backend_state
        if state == process.CRASHED:
            return self.backend_problem or (self.backend.problem if self.backend else "")
        return {process.STOPPED: "Backend: not running", process.STARTING: "Backend: starting",
                process.READY: "Backend: ready"}[state]  # fmt: skip

    def model_line(self, bundle: str, task: str = plans.INBETWEEN) -> str:
        """Which weights a run will use, and their licence; "" while the backend has not told."""
        if not self.models:
            return ""
        chosen = next((m for m in self.models if (m["name"] == bundle if bundle else m.get("default"))), None)
        if chosen is None:
            return f"There is no bundle named {bundle!r}"
        if chosen.get("problem"):
            return f"Bundle {chosen['name']}: {chosen['problem']}"
        if not chosen["name"]:
            return "No trained weights: plain interpolation"
        able = [m for m in self.models if m["name"] and any(task in t for t in m.get("systems", {}).values())]
        if able and chosen not in able and not bundle:  # as the backend chooses: its own family first, by name
            chosen = min(able, key=lambda m: (m.get("family") != chosen.get("family"), m["name"]))
        return f"Bundle: {chosen['name']}. {chosen.get('licence', '')}".strip()

    def why_not(self, task: str, system: str, bundle: str) -> str:
        """Why no installed weights do a task; "" if some do, if interpolation was asked for by name, or
        while the backend has not told."""
        if not self.models or system == "interpolation":
            return ""
        able = [m["name"] for m in self.models if m["name"] and any(task in t for t in m["systems"].values())]
        chosen = next((m for m in self.models if (m["name"] == bundle if bundle else m.get("default"))), None)
        if chosen is None or chosen["name"] in able or (able and not bundle):
            return ""  # a bundle that is not there is said elsewhere; without a name the backend asks the others
        if task == plans.FOLLOW and not bundle and system == "auto":
            return ""  # the present motion is led without a model, too
        name = plans.NAMES[task]
        if not able:
            return f"No installed bundle can {name}. Install one that can"
        return f"Bundle {chosen['name']} cannot {name}; {' and '.join(able)} can. Choose it under Options"

    # -- runs ----------------------------------------------------------------------------------

    def job(self, obj: bpy.types.Object | None) -> Job | None:
        """The armature's latest run."""
        return None if obj is None else self.jobs.get(obj.session_uid)

    def start(self, obj: bpy.types.Object, plan: plans.Plan) -> Job:
        """Begin a run and return at once.

        Raises:
            InvalidRequestError: one is running on this armature already.
        """
        running = self.job(obj)
        if running is not None and not running.over:
            raise InvalidRequestError("armature", f"{obj.name} is being worked on", "Wait for it, or cancel it.")
        job = self.jobs[obj.session_uid] = Job(obj, plan)
        try:
            self.start_backend()
        except BackendError as error:
            job.end(FAILED, error)
        self.wake()
        return job

    def run(self, job: Job) -> Job:
        """Work until ``job`` is over; for background mode and scripts.

        Raises:
            LimberError: it failed; JobCancelled: it was cancelled.
        """
        while not job.over:
            self.pump()
            if not job.over and job.work is None:
                time.sleep(BUSY_SECONDS / 2)
        if job.error is not None:
            raise job.error
        if job.phase == CANCELLED:
            raise JobCancelled("cancelled")
        return job

    def cancel(self, job: Job) -> None:
        """Stop the computation; the backend is told by the job's own thread."""
        job.end(CANCELLED)

    def file_closing(self) -> None:
        """The file that the jobs belong to closes."""
        for job in self.jobs.values():
            job.end(CANCELLED)
        self.jobs.clear()
        self.characters.forget()
        pending.forget()
        self.preview.forget()
        self.amounts.forget()

    def data_replaced(self) -> None:
        """Undo or redo: what was being read or written is read or written again."""
        self.characters.doubt()
        self.preview.data_replaced()
        for job in self.jobs.values():
            job.put_aside()
        self.amounts.look_again()
        self.wake()

    def want_amount(self, obj: bpy.types.Object) -> None:
        """A result's slider was moved; without a timer its Action follows at once."""
        self.amounts.want(obj)
        if bpy.app.background:
            self.amounts.settle()
        self.wake()

    def bones_changed(self) -> None:
        """Perhaps: mappings are looked at again before the next use."""
        self.characters.doubt()

    def close(self) -> None:
        """Cancel everything and end the backend."""
        self.file_closing()
        self.stop_backend()

    # -- the pump ------------------------------------------------------------------------------

    def tick(self) -> float | None:
        """For the timer: :meth:`pump`, guarded, and when to come again."""
        try:
            again = self.pump()
        except Exception as error:  # noqa: BLE001  Blender drops a timer that raises without a word
            traceback.print_exc()
            self.defect = f"{type(error).__name__}: {error}"
            for job in self.jobs.values():
                job.end(FAILED, LimberError(f"A defect in Limber: {self.defect}. Nothing of yours was changed."))
            again = WATCH_SECONDS
        self._redraw_if_changed()
        return BUSY_SECONDS if again is None and self._draw_again else again

    def pump(self) -> float | None:
        """One slice of whatever is to be done.

        Returns:
            Seconds until there is more to do; None: nothing, until :meth:`wake`.
        """
        busy, now = False, time.perf_counter()
        self._slice_seconds = SLOW_SLICE_SECONDS if 0 < self._left < now - SLOW_SECONDS else SLICE_SECONDS
        for job in list(self.jobs.values()):
            if not job.over:
                began, worked = time.perf_counter(), time.thread_time()
                self._advance(job)
                job.longest_hold = max(job.longest_hold, time.perf_counter() - began)
                job.longest_work = max(job.longest_work, time.thread_time() - worked)
                busy = True
        busy = self.amounts.advance(self._slice_seconds) or busy
        found = self.characters.find_wanted(find_object)
        if not busy:
            found = self.preview.advance(self._slice_seconds, self.characters, find_object) or found
        self._watch_backend()
        self._left = time.perf_counter() if busy else 0.0
        if busy or found:
            return BUSY_SECONDS
        watching = self.backend is not None and self.backend.state in (process.STARTING, process.READY)
        return WATCH_SECONDS if watching else None

    def _advance(self, job: Job) -> None:
        try:
            self._take_events(job)
            obj = find_object(job.uid)
            if obj is None:
                raise BackendError(f"{job.name} is gone, so its motion was thrown away.")
            if job.phase == READING:
                bone_map = self._bone_map(obj)
                collect = COLLECT.get(job.plan.task, captured.collect)
                if bone_map and self._slice(job, lambda: collect(obj, job.plan, bone_map)):
                    self._converse(job)
            elif job.phase == WRITING:
                answers, collected = job.answers, job.collected
                assert answers is not None
                assert collected is not None
                if self._slice(job, lambda: results.write(
                        obj, followed.ready(obj, collected), answers, job.facts, self.amounts)):  # fmt: skip
                    pending.remember(obj, collected, answers)
                    job.end(DONE)
        except LimberError as error:
            job.end(CANCELLED if isinstance(error, JobCancelled) else FAILED, error)

    def _slice(self, job: Job, make: Callable[[], Generator[None, None, Any]]) -> bool:
        """Go on with the job's generator for a while; True when it has come to its end."""
        if job.work is None:
            job.work = make()
        until = time.perf_counter() + self._slice_seconds
        try:
            while time.perf_counter() < until:
                next(job.work)
        except StopIteration as end:
            job.work = None
            if job.phase == READING:
                job.collected = end.value
            return True
        return False

    def _bone_map(self, obj: bpy.types.Object) -> BoneMap | None:
        """The armature's map; None: it is being looked for.

        Raises:
            MappingError: the bones are not understood.
        """
        character = self.characters.get(obj)
        if character is None or not self.characters.sure(obj):
            self.characters.want(obj)
            return None
        if character.bone_map is None:
            raise MappingError(character.problem)
        return character.bone_map

    def _converse(self, job: Job) -> None:
        assert job.collected is not None
        job.phase = STARTING
        talk = conversation.Talk(self.start_backend(), job.collected, job.cancelled, job.events)
        threading.Thread(target=talk.run, name="limber-job", daemon=True).start()

    def _take_events(self, job: Job) -> None:
        while True:
            try:
                kind, value = job.events.get_nowait()
            except Empty:
                return
            if kind == "failed":
                raise value
            if kind == "answers":
                job.answers, job.phase = value, WRITING
            elif kind == "so far":
                self._look(job, value)
            elif kind == "phase":
                job.phase = value
            elif kind == "status":
                if job.first_progress is None:
                    job.first_progress = time.monotonic() - job.began
                job.phase = QUEUED if value.state == client.QUEUED else RUNNING
                job.step, job.total, job.eta = value.step, value.total, value.eta_seconds

    def _look(self, job: Job, figure: Figure) -> None:
        """Have what is drawn so far seen in the viewport; nothing else of Blender's is touched."""
        obj = find_object(job.uid)
        if obj is None or job.collected is None or not len(figure):
            return
        job.so_far = pending.so_far(obj, job.collected, figure)
        for area in (a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "VIEW_3D"):
            area.tag_redraw()

    def _watch_backend(self) -> None:
        """Start it early if the panel is looked at; ask it once what it can do."""
        if self.looked_at and self.backend is None and not self.backend_problem and preferences.get().early_start:
            self.looked_at = False
            try:
                self.start_backend()
            except BackendError:
                return  # kept in backend_problem, which the panel shows
        if self.backend is None or self.backend.state != process.READY:
            return
        if self._asked is None:
            self._asked = conversation.Models(self.backend)
        self.models = self._asked.models

    def _redraw_if_changed(self) -> None:
        """Have the sidebars drawn again when what they show is another than before."""
        shown = (
            self.backend_state, self.backend_problem, self.defect, len(self.models), self.characters.version,
            self.preview.version,
            self.amounts.busy,
            tuple((j.uid, j.phase, j.step, j.total, j.eta and round(j.eta), j.error) for j in self.jobs.values()),
        )  # fmt: skip
        if shown == self._shown and not self._draw_again:
            return
        # Once more after the last change: panels take their new places with the drawing after.
        self._draw_again = shown != self._shown
        self._shown = shown
        manager = bpy.context.window_manager
        for window in manager.windows if manager else ():
            for area in window.screen.areas:
                for region in area.regions if area.type == "VIEW_3D" else ():
                    if region.type == "UI":  # the view itself shows nothing of this, and may be slow to draw
                        region.tag_redraw()


def find_object(uid: int) -> bpy.types.Object | None:
    """The armature object with this session number, wherever undo or renaming put it."""
    return next((obj for obj in bpy.data.objects if obj.session_uid == uid and obj.type == "ARMATURE"), None)


_session: Session | None = None


def current() -> Session | None:
    """The session, while the add-on is enabled."""
    return _session


def open_session(wake: Callable[[], None]) -> Session:
    """Called at registration."""
    global _session  # noqa: PLW0603  one add-on, one session
    _session = Session(wake)
    return _session


def close_session() -> None:
    """Called when the add-on is disabled."""
    global _session  # noqa: PLW0603
    if _session is not None:
        _session.close()
        _session = None
