"""The backend's process: found, started, watched and ended, without ever making Blender wait.

Nothing here imports bpy. Two threads per process read its two pipes; everything else looks at
what they left behind. The backend ends when its standard input closes, so it cannot outlive
Blender even when Blender is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .motion.errors import BackendError, JobCancelled

PROTOCOL = 1
"""Version of the first line and of the HTTP interface that this add-on speaks."""

LINES_KEPT = 40
START_SECONDS = 120.0
"""A cold import of torch from a slow disk takes half a minute; after two it will not come."""

STOP_SECONDS = 3.0
SET_UP_MARK = "limber-setup.json"
"""The file that says that an environment is Limber's own, and whether it is whole; see ``setup/work.py``."""

PACKAGE = Path(__file__).resolve().parent

STOPPED, STARTING, READY, CRASHED = "STOPPED", "STARTING", "READY", "CRASHED"


@dataclass(frozen=True)
class Address:
    """What the backend announced: where it listens and the token it wants to see."""

    version: str
    port: int
    token: str
    host: str = "127.0.0.1"
    tls: bool = False
    authority: str = ""  # file of the certificate to trust besides the system's own


def source_folder(package: Path = PACKAGE) -> Path:
    """Folder from which ``python -m backend`` runs: the one in the extension, else the checkout."""
    bundled = package / "backend_bundle"
    return bundled if (bundled / "backend").is_dir() else package.parent


def data_folder() -> Path:
    """Limber's own folder for what must outlive the extension (its environment, models)."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "limber"


def bundles_folder() -> Path:
    """Where bundles that the user added are kept."""
    return data_folder() / "bundles"


def weights_arguments() -> list[str]:
    """Command line arguments that name the bundles that the user added, where there are any."""
    added = bundles_folder()
    return ["--weights", str(added)] if added.is_dir() else []


def serve_command(python: Path) -> list[str]:
    """What starts the backend."""
    return [str(python), "-m", "backend", "serve", *weights_arguments()]


def environment_python(folder: Path) -> Path:
    """The interpreter of the virtual environment in ``folder``."""
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def find_python(interpreter: str = "", environment: str = "", variables: Mapping[str, str] = os.environ) -> Path:
    """The Python that runs the backend.

    Args:
        interpreter: the one named in the preferences; "" for none. It wins.
        environment: virtual environment folder from the preferences; "" for Limber's own folder.
        variables: where ``LIMBER_PYTHON`` is looked up; it comes before the environment.

    Raises:
        BackendError: there is none; says where one was looked for and how to make one.
    """
    for source, value in (("The preferences name", interpreter), ("LIMBER_PYTHON is", variables.get("LIMBER_PYTHON"))):
        if value:
            if not Path(value).is_file():
                raise BackendError(f"{source} {value}, which is not a file. Choose the Python of the backend's "
                                   "environment in Limber's preferences.")  # fmt: skip
            return Path(value)
    folder = Path(environment) if environment else data_folder() / "env"
    python = environment_python(folder)
    if not python.is_file():
        raise BackendError(f"No Python for the backend: there is no environment in {folder}. Press Set Up in Limber's "
                           "preferences, or choose a Python there.")  # fmt: skip
    if half_made(folder):
        raise BackendError(f"The backend's environment in {folder} is not finished. Wait for Set Up in Limber's "
                           "preferences, or press it again: it goes on where it stopped.")  # fmt: skip
    return python


def half_made(environment: Path) -> bool:
    """Whether Set Up is at work in an environment, or was broken off there: its Python starts, and lacks libraries."""
    try:
        return json.loads((environment / SET_UP_MARK).read_text(encoding="utf-8"))["state"] == "installing"
    except OSError:
        return False  # not made by Set Up, so nothing is known against it
    except (ValueError, KeyError, TypeError):
        return True  # cut short by a crash


def child_environment(folder: Path, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Blender's environment without what belongs to Blender's own Python.

    A ``PYTHONHOME`` of Blender's would make the backend's Python fail to find its own library, and
    a ``PYTHONPATH`` would put Blender's numpy before the environment's.
    """
    kept = {key: value for key, value in variables.items() if not key.upper().startswith("PYTHON")}
    kept.pop("VIRTUAL_ENV", None)
    return {**kept, "PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1",
            "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip


class Backend:
    """One backend process. Every method returns at once, except :meth:`wait`, which is for threads.

    Args:
        command: program and arguments; never a shell line.
        folder: working folder, and the only entry of its module search path.
        variables: environment to start from.
    """

    def __init__(self, command: Sequence[str], folder: Path, variables: Mapping[str, str] = os.environ) -> None:
        self.command, self.folder = tuple(command), folder
        self.variables = dict(variables)
        self.address: Address | None = None
        self.problem = ""
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.started = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._settled = threading.Event()
        self._stopping = False

    # -- state ---------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``STOPPED``, ``STARTING``, ``READY`` or ``CRASHED``; asks the system, never waits."""
        if self._process is None:
            return CRASHED if self.problem else STOPPED
        if self._process.poll() is not None:
            if not self._stopping and not self.problem:
                self.problem = f"The backend ended by itself ({_ending(self._process.returncode)})."
            return STOPPED if self._stopping else CRASHED
        if self.problem:
            return CRASHED
        return READY if self.address else STARTING

    @property
    def pid(self) -> int | None:
        """Process number while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def last_lines(self, count: int = 8) -> list[str]:
        """The end of what the backend wrote to its standard error."""
        return list(self.lines)[-count:]

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it and return; :attr:`state` tells how it went.

        Raises:
            BackendError: the program cannot be started at all.
        """
        hidden = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
        try:
            process = subprocess.Popen(
                self.command, cwd=self.folder, env=child_environment(self.folder, self.variables), shell=False,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, creationflags=hidden,
            )  # fmt: skip
        except OSError as error:
            self.problem = f"The backend cannot be started: {error}. Check the Python in Limber's preferences."
            self._settled.set()
            raise BackendError(self.problem) from error
        self._process, self.started = process, time.monotonic()
        for name, work, pipe in (("stdout", self._read_announcement, process.stdout),
                                 ("stderr", self._read_errors, process.stderr)):  # fmt: skip
            thread = threading.Thread(target=work, args=(pipe,), name=f"limber-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def wait(self, cancelled: threading.Event, seconds: float = START_SECONDS) -> Address:
        """Where the ready backend listens; for worker threads only.

        Raises:
            BackendError: it crashed, speaks another protocol, or did not come up in ``seconds``.
            JobCancelled: ``cancelled`` was set first.
        """
        deadline = time.monotonic() + seconds
        while not self._settled.wait(0.05):
            if cancelled.is_set():
                raise JobCancelled("cancelled while the backend was starting")
            if time.monotonic() > deadline:
                raise BackendError(f"The backend did not come up in {seconds:.0f} s. Press Restart.")
        if self.state != READY or self.address is None:
            raise BackendError(self.problem or "The backend was stopped.")
        return self.address

    def stop(self, wait: bool = False) -> None:
        """End it: close its input, then, if it stays, kill it (in a thread, unless ``wait``)."""
        process = self._process
        if process is None:
            return
        self._stopping = True
        if wait:
            self._end(process)
        else:
            threading.Thread(target=self._end, args=(process,), name="limber-stop", daemon=True).start()

    # -- threads -------------------------------------------------------------------------------

    def _end(self, process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
        try:
            if process.stdin:
                process.stdin.close()
        except OSError:
            pass  # the pipe broke because it is gone already, which is what is wanted
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(1.0)
        self._settled.set()

    def _read_announcement(self, pipe: IO[bytes]) -> None:
        with pipe:
            line = pipe.readline(4096)
            try:
                self.address = _announced(line)
            except BackendError as error:
                self.problem = self.problem or ("" if self._stopping else self._why(str(error)))
            self._settled.set()
            while pipe.read(65536):  # its later output is nobody's; unread, it would block it
                pass

    def _read_errors(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in iter(pipe.readline, b""):
                self.lines.append(line.decode("utf-8", "replace").rstrip())

    def _why(self, problem: str) -> str:
        """An ending says more than a missing first line does."""
        process = self._process
        if process is None:
            return problem
        try:
            return f"The backend ended before it was ready ({_ending(process.wait(0.5))})."
        except subprocess.TimeoutExpired:
            return problem


def _announced(line: bytes) -> Address:
    """Read the first line of standard output; BackendError says what is wrong with it."""
    try:
        hello = json.loads(line)
        protocol, address = hello["protocol"], Address(str(hello["limber"]), int(hello["port"]), str(hello["token"]))
    except (ValueError, KeyError, TypeError) as error:
        shown = line[:80].decode("utf-8", "replace").strip()
        raise BackendError(f"The backend announced itself wrongly: {shown!r}. Check the Python in Limber's "
                           "preferences.") from error  # fmt: skip
    if protocol != PROTOCOL:
        raise BackendError(f"The backend (Limber {address.version}) speaks protocol {protocol}, this add-on speaks "
                           f"{PROTOCOL}. Install the same version of both.")  # fmt: skip
    return address


def _ending(code: int) -> str:
    """``exit code 1``, or the signal where there was one."""
    if code >= 0:
        return f"exit code {code}"
    import signal

    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
