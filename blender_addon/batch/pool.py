"""Processes that do units, one at a time each; one that hangs, dies or grows is replaced."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..motion.errors import LimberError
from .plan import Unit

PACKAGE = __package__ or "blender_addon.batch"
GROWTH = 2 << 30
"""Bytes by which a process may grow over its first unit; more, and a fresh one takes its place."""
TAIL = 300
"""Characters of what a dead process printed last."""


@dataclass(frozen=True)
class Outcome:
    """What came of a unit.

    Attributes:
        unit: which.
        entries: one a clip, for the report.
        memory: bytes of the process afterwards; 0 where it died.
        attempts: processes that it took.
    """

    unit: Unit
    entries: tuple[dict[str, Any], ...]
    memory: int = 0
    attempts: int = 1


@dataclass
class Process:
    """One worker process and the pipes to it."""

    patience: float
    _process: subprocess.Popen[str] | None = None
    _lines: queue.Queue[str | None] = field(default_factory=queue.Queue)
    _log: IO[bytes] | None = None
    _first: int = 0
    units: int = 0

    @property
    def pid(self) -> int | None:
        """The system's number of the process; None: none runs."""
        return self._process.pid if self._process else None

    def do(self, unit: Unit, said: Callable[[str], None]) -> dict[str, Any]:
        """Have a unit done; a process is started if none runs.

        Returns:
            The worker's last message; ``{"dead": why}`` or ``{"hung": why}`` when the process was lost over it.
        """
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        self.units += 1
        try:
            self._process.stdin.write(json.dumps(unit.to_json()) + "\n")
            self._process.stdin.flush()
        except OSError:
            return {"dead": self._death()}
        wait = self.patience
        while True:
            try:
                line = self._lines.get(timeout=wait)
            except queue.Empty:
                self.stop()
                return {"hung": f"no sign of life for {wait:g} s; the process was ended"}
            if line is None:
                return {"dead": self._death()}
            message = json.loads(line)
            wait = max(self.patience, message.get("expect", 0.0))
            if "expect" in message:
                continue
            if "say" in message:
                said(message["say"])
                continue
            self._first = self._first or message.get("memory", 0)
            if message.get("memory", 0) > self._first + GROWTH:
                self.stop()
            return message

    def stop(self) -> None:
        """End the process, at once and without asking."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        if self._log is not None:
            self._log.close()
            self._log = None
        self.units = 0

    def _start(self) -> None:
        root = PACKAGE.split(".")[0]
        top = Path(__file__).resolve().parents[PACKAGE.count(".") + 1]
        env = dict(os.environ)
        env["PYTHONPATH"] = os.pathsep.join([str(top), *filter(None, [env.get("PYTHONPATH")])])
        self._log = tempfile.TemporaryFile(prefix=f"{root}-batch-")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE}.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, text=True, encoding="utf-8", env=env,
            start_new_session=True,  # Ctrl-C is for the command alone, which then ends its processes
        )  # fmt: skip
        self._lines, self._first, self.units = queue.Queue(), 0, 0
        threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True).start()

    def _death(self) -> str:
        """Why the process is gone."""
        assert self._process is not None
        code = self._process.wait()
        text = ""
        if self._log is not None:
            size = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, size - 4 * TAIL))
            text = " ".join(self._log.read().decode("utf-8", "replace").split())[-TAIL:]
        self.stop()
        if code < 0:
            try:
                why = f"Blender crashed ({signal.Signals(-code).name})"
            except ValueError:
                why = f"Blender crashed (signal {-code})"
        else:
            why = f"Blender ended with exit code {code}"
        return f"{why}: {text}" if text else why


def _pump(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    try:
        for line in stream:
            lines.put(line)
    except ValueError:  # closed under our hands by stop()
        pass
    lines.put(None)


def run(units: Sequence[Unit], jobs: int, patience: float, done: Callable[[Outcome], None],
        said: Callable[[int, str], None] = lambda worker, text: None) -> None:  # fmt: skip
    """Do every unit, ``jobs`` at a time; calls ``done`` for each from the calling thread.

    Args:
        units: are taken in order, those of one target next to each other.
        jobs: processes.
        patience: seconds without a sign of life after which a process counts as hanging.
        done: gets each outcome as it comes.
        said: gets what each process is doing.

    Raises:
        KeyboardInterrupt: after every process has been ended.
    """
    waiting: queue.Queue[Unit] = queue.Queue()
    for unit in units:
        waiting.put(unit)
    finished: queue.Queue[Outcome | BaseException] = queue.Queue()
    processes = [Process(patience) for _ in range(max(1, min(jobs, len(units))))]
    stopped = threading.Event()

    def serve(number: int, process: Process) -> None:
        try:
            while not stopped.is_set():
                try:
                    unit = waiting.get_nowait()
                except queue.Empty:
                    break
                finished.put(attempt(process, unit, lambda text: said(number, text)))
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            finished.put(error)

    threads = [threading.Thread(target=serve, args=pair, daemon=True) for pair in enumerate(processes)]
    for thread in threads:
        thread.start()
    try:
        for _ in units:
            outcome = finished.get()
            if isinstance(outcome, BaseException):
                raise LimberError(f"the batch cannot go on: {outcome}") from outcome
            done(outcome)
    finally:
        stopped.set()
        for process in processes:
            process.stop()


def attempt(process: Process, unit: Unit, said: Callable[[str], None]) -> Outcome:
    """A unit on a process; once more on a fresh one if the process died over it but had done others before."""
    used = process.units > 0
    message = process.do(unit, said)
    attempts = 1
    if "dead" in message and used:
        message, attempts = process.do(unit, said), 2
    if "entries" in message:
        return Outcome(unit, tuple(message["entries"]), message.get("memory", 0), attempts)
    error = message.get("dead") or message.get("hung") or message.get("error", "")
    return failed(unit, error, message.get("memory", 0), attempts)


def failed(unit: Unit, error: str, memory: int = 0, attempts: int = 1) -> Outcome:
    """The outcome of a unit of which nothing came."""
    entry = {
        "source": str(unit.source),
        "target": str(unit.target),
        "clip": "",
        "state": "failed",
        "error": error,
    }
    return Outcome(unit, (entry,), memory, attempts)
