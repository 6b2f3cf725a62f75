"""Making, repairing and removing the backend's environment, in a thread that Blender only looks at.

Steps: Python, list, room, environment, downloads, installation, self-test. What is done is kept in
``limber-setup.json`` inside the environment and, wheel by wheel, in a folder of downloads beside it,
so that a set-up that was broken off at any moment goes on where it stopped. An installation that was
broken off in the middle is begun anew from the downloads: a half written library looks whole.

No bpy, no shell.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..motion.errors import BackendError, JobCancelled, LimberError
from ..process import SET_UP_MARK, environment_python
from . import lists, pythons, trial
from .pip_says import explain

MARK = SET_UP_MARK
"""Nothing without this file is ever removed."""

BIG = 20 << 20
SPARE = 200 << 20
LOOK_SECONDS = 0.25

_LEASH = """
import os, runpy, sys, threading
def end_with_parent():
    while os.read(0, 4096):
        pass
    os._exit(130)
threading.Thread(target=end_with_parent, daemon=True).start()
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a module and ends when standard input closes: pip must not go on writing into an environment when
Blender was killed and a next one sets it up again."""


@dataclass(frozen=True)
class Plan:
    """What is wanted.

    Attributes:
        environment: folder of the virtual environment, made if need be.
        source: folder of the backend's source, for the self-test.
        python: interpreter to make it with; "" to look for one.
        more_pythons: where to look last.
        torch: one of :data:`.lists.TORCH`.
        wheels: folder that holds every wheel; None to download them.
        index: one more package index; "" for none.
        online: whether the network may be used.
        repair: begin anew, whatever is there.
        lists: where the lists are.
    """

    environment: Path
    source: Path
    python: str = ""
    more_pythons: tuple[Path, ...] = ()
    torch: str = "auto"
    wheels: Path | None = None
    index: str = ""
    online: bool = True
    repair: bool = False
    lists: Path = lists.FOLDER


class Work:
    """One thread's work and how far it is; :meth:`cancel` ends it, whatever it does.

    Attributes:
        doing: one line for people.
        fraction: 0 to 1 of the whole.
        problem: why it failed; "" while it has not.
        facts: what was found and measured, by name.
    """

    def __init__(self) -> None:
        self.doing, self.fraction, self.problem = "Beginning", 0.0, ""
        self.facts: dict[str, Any] = {}
        self.cancelled = threading.Event()
        self.lines: deque[str] = deque(maxlen=200)
        self._thread = threading.Thread(target=self._guarded, name="limber-setup", daemon=True)

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def succeeded(self) -> bool:
        return self.over and not self.problem and not self.cancelled.is_set()

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Ask it to end; returns at once."""
        self.cancelled.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for its end; not for Blender's main thread, except when it closes."""
        self._thread.join(seconds)

    def work(self) -> None:
        """What the thread does. Raises LimberError or OSError."""
        raise NotImplementedError

    def _guarded(self) -> None:
        try:
            self.work()
        except JobCancelled:
            self.cancelled.set()
        except LimberError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = explain(str(error))
        except Exception as error:  # noqa: BLE001  a thread that dies without a word would look as if it worked on
            traceback.print_exc()
            self.problem = f"A defect in Limber: {type(error).__name__}: {error}"

    def check(self) -> None:
        """Raises JobCancelled where it was."""
        if self.cancelled.is_set():
            raise JobCancelled("cancelled")

    def _empty(self, environment: Path) -> None:
        """Delete everything but the mark, which goes last, so that what was broken off can be repeated."""
        for path in environment.iterdir():
            self.check()
            if path.name != MARK:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def run(
        self, python: Path, module: Sequence[str | Path], variables: Mapping[str, str], watch: Any = None
    ) -> None:
        """Run a module of a Python to its end, calling ``watch()`` all the while.

        Raises:
            BackendError: it failed; in plain words where the reason is known.
            JobCancelled: it was ended.
        """
        self.check()
        command = [str(python), "-c", _LEASH, *map(str, module)]
        try:
            process = subprocess.Popen(command, env=dict(variables), shell=False,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       creationflags=pythons.no_window())  # fmt: skip
        except OSError as error:
            raise BackendError(explain(f"{python}: {error}")) from error
        said: deque[str] = deque(maxlen=60)
        reader = threading.Thread(
            target=self._read, args=(process.stdout, said), name="limber-setup-read", daemon=True
        )
        reader.start()
        try:
            while process.poll() is None:
                if self.cancelled.wait(LOOK_SECONDS):
                    raise JobCancelled("cancelled")
                if watch is not None:
                    watch()
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(3)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if process.stdin is not None:
                process.stdin.close()
            reader.join(2)
        if process.returncode:
            raise BackendError(explain("\n".join(said)))

    def _read(self, pipe: IO[bytes], said: deque[str]) -> None:
        with pipe:
            for line in iter(pipe.readline, b""):
                text = line.decode("utf-8", "replace").rstrip()
                said.append(text)
                self.lines.append(text)


class SetUp(Work):
    """Make or repair the environment of ``plan``."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def work(self) -> None:
        """The steps, each skipped where it was done before."""
        plan, began = self.plan, time.monotonic()
        # 1. a Python, and the list that fits it
        self.doing = "Looking for a Python"
        python = pythons.find(plan.python, plan.more_pythons)
        special = plan.wheels is not None or bool(plan.index)
        libraries = lists.choose(python, plan.torch, special, plan.lists, plan.wheels)
        self.facts |= {"python": str(python.path), "list": libraries.target, "packed": libraries.packed,
                       "unpacked": libraries.unpacked}  # fmt: skip
        # 2. may it be done here?
        mark = read_mark(plan.environment)
        _check_folder(plan.environment, mark)
        downloads = plan.wheels or Path(f"{plan.environment}.downloads")
        done = {"target": libraries.target, "libraries": [one.line for one in libraries.all]}
        whole = mark is not None and mark.get("state") == "installed" and not plan.repair and all(
            mark.get(key) == value for key, value in done.items())  # fmt: skip
        if not whole:
            self._make(python, libraries, downloads, done)
        # 3. does it work?
        self.doing, self.fraction = "Trying the backend", 0.95
        self.facts |= trial.run(environment_python(plan.environment), plan.source, self.cancelled)
        write_mark(plan.environment, {**done, "state": "installed", "tried": True})
        if plan.wheels is None:
            shutil.rmtree(downloads, ignore_errors=True)
        self.facts["seconds"] = round(time.monotonic() - began, 1)
        self.doing, self.fraction = "Done", 1.0

    def _make(
        self, python: pythons.Python, libraries: lists.Libraries, downloads: Path, done: dict[str, Any]
    ) -> None:
        plan = self.plan
        self.doing = "Looking at the wheels"
        wanted = lists.missing(libraries.all, downloads)
        if plan.wheels is not None and wanted:
            names = ", ".join(f"{one.name} {one.version}" for one in wanted[:5])
            more = f" and {len(wanted) - 5} more" if len(wanted) > 5 else ""
            raise BackendError(f"The wheel folder {plan.wheels} has no fitting wheel for {names}{more} "
                               f"(list {libraries.target}). Put them there and press Set Up again.")  # fmt: skip
        if wanted and not plan.online:
            raise BackendError("Blender may not use the network. Allow Online Access in Blender's preferences under "
                               "System, or choose a wheel folder.")  # fmt: skip
        self._check_room(libraries.unpacked + sum(one.packed for one in wanted))
        if wanted:
            self._download(python, wanted, libraries.packed, downloads)
        # An environment is made anew each time: a library that was half written looks whole to pip.
        self.doing, self.fraction = "Making the environment", 0.5
        plan.environment.mkdir(parents=True, exist_ok=True)
        write_mark(plan.environment, {**done, "state": "installing"})
        self._empty(plan.environment)
        # venv would run ensurepip itself, but swallow what it says, such as that the disk is full.
        self.run(python.path, ["venv", "--without-pip", plan.environment], _variables())
        inside = environment_python(plan.environment)
        if not inside.is_file():
            raise BackendError(explain(f"{inside} vanished after it was written: access is denied"))
        self.run(inside, ["ensurepip", "--upgrade", "--default-pip"], _variables())
        self._install(inside, libraries, downloads)
        write_mark(plan.environment, {**done, "state": "installed"})

    def _check_room(self, needed: int) -> None:
        folder = self.plan.environment
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        if free < needed + SPARE:
            raise BackendError(f"{folder} has {gigabytes(free)} free, {gigabytes(needed + SPARE)} are needed. Free "
                               "some space, or choose a folder on another disk.")  # fmt: skip

    def _download(
        self, python: pythons.Python, wanted: Sequence[lists.Library], total: int, folder: Path
    ) -> None:
        """One pip for all small ones and one for each big one, so that little is lost when it breaks off."""
        folder.mkdir(parents=True, exist_ok=True)
        small = [one for one in wanted if one.packed < BIG]
        groups = [group for group in (small, *([one] for one in wanted if one.packed >= BIG)) if group]
        had, part = total - sum(one.packed for one in wanted), folder / "part"

        for group in groups:
            shutil.rmtree(part, ignore_errors=True)  # what pip left there when it was broken off
            part.mkdir()

            def watch(had: int = had) -> None:
                here = had + _bytes(part)
                self.doing = f"Downloading: {here / 1e6:.0f} of {total / 1e6:.0f} MB"
                self.fraction = 0.02 + 0.45 * min(1.0, here / total)

            watch()
            wishes, got = part / "list.txt", part / "got"
            wishes.write_text("".join(one.line for one in group), encoding="utf-8")
            command: list[str | Path] = [
                "pip", "download", "--no-deps", "--require-hashes", "--only-binary", ":all:",
                "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "off",
                "--dest", got, "-r", wishes,
            ]  # fmt: skip
            if self.plan.index:
                command += ["--extra-index-url", self.plan.index]
            self.run(
                python.path,
                command,
                {**_variables(), "TMPDIR": str(part), "TEMP": str(part), "TMP": str(part)},
                watch,
            )
            for wheel in got.glob("*.whl"):
                wheel.replace(folder / wheel.name)
            had += sum(one.packed for one in group)
        shutil.rmtree(part, ignore_errors=True)

    def _install(self, inside: Path, libraries: lists.Libraries, wheels: Path) -> None:
        """From the folder alone: no network, no index, nothing that the user's pip is set to."""
        wishes = self.plan.environment / "limber-list.txt"
        wishes.write_text("".join(one.line for one in libraries.all), encoding="utf-8")
        total = libraries.unpacked

        def watch() -> None:
            there = {one.name for one in libraries.all} & _installed(self.plan.environment)
            size = sum(one.unpacked for one in libraries.all if one.name in there)
            self.doing = f"Installing: {len(there)} of {len(libraries.all)} libraries"
            self.fraction = 0.52 + 0.42 * size / total

        alone = {key: value for key, value in _variables().items() if not key.upper().startswith("PIP_")}
        self.run(inside, ["pip", "install", "--no-index", "--no-deps", "--require-hashes", "--only-binary",
                  ":all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "off",
                  "--find-links", wheels, "-r", wishes], {**alone, "PIP_CONFIG_FILE": os.devnull}, watch)  # fmt: skip


class Look(Work):
    """Say what :class:`SetUp` would do and how much it would fetch, and touch nothing."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def work(self) -> None:
        """Python, list, sizes."""
        plan = self.plan
        self.doing = "Looking for a Python"
        python = pythons.find(plan.python, plan.more_pythons)
        special = plan.wheels is not None or bool(plan.index)
        libraries = lists.choose(python, plan.torch, special, plan.lists, plan.wheels)
        self.doing = "Looking at the wheels"
        wanted = lists.missing(libraries.all, plan.wheels or Path(f"{plan.environment}.downloads"))
        self.facts |= {
            "python": str(python.path), "list": libraries.target, "unpacked": libraries.unpacked,
            "to download": 0 if plan.wheels else sum(one.packed for one in wanted),
        }  # fmt: skip


class Try(Work):
    """The self-test alone, with any Python that has the backend's libraries."""

    def __init__(self, python: Path, source: Path) -> None:
        super().__init__()
        self.python, self.source = python, source

    def work(self) -> None:
        """Start, ask, end."""
        self.doing, self.fraction = "Trying the backend", 0.5
        self.facts |= trial.run(self.python, self.source, self.cancelled)
        self.doing, self.fraction = "Done", 1.0


class Remove(Work):
    """Delete the environment that Limber made, and its downloads; nothing else."""

    def __init__(self, environment: Path) -> None:
        super().__init__()
        self.environment = environment

    def work(self) -> None:
        """Refuses a folder without Limber's mark."""
        self.doing = "Removing the environment"
        if read_mark(self.environment) is None:
            raise BackendError(f"{self.environment} was not made by Limber (it has no {MARK}), so it stays.")
        self._empty(self.environment)
        shutil.rmtree(self.environment)
        shutil.rmtree(f"{self.environment}.downloads", ignore_errors=True)
        self.doing, self.fraction = "Removed", 1.0


def read_mark(environment: Path) -> dict[str, Any] | None:
    """What Limber wrote into an environment of its own; None where it did not."""
    try:
        mark = json.loads((environment / MARK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}  # ours, cut short by a crash: nothing in it is known to be done
    return mark if isinstance(mark, dict) else {}


def write_mark(environment: Path, mark: Mapping[str, Any]) -> None:
    """Replace the mark in one step."""
    fresh = environment / f"{MARK}.new"
    fresh.write_text(json.dumps(mark, indent=1), encoding="utf-8")
    fresh.replace(environment / MARK)


def gigabytes(size: float) -> str:
    """``1.3 GB``, ``190 MB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _check_folder(environment: Path, mark: Mapping[str, Any] | None) -> None:
    """Only an empty folder or one of our own is written to."""
    if mark is None and environment.exists() and (not environment.is_dir() or any(environment.iterdir())):
        raise BackendError(f"{environment} holds something that Limber did not make. Choose an empty folder, or, if "
                           "it is an environment of yours, its Python as an existing Python.")  # fmt: skip


def _variables() -> dict[str, str]:
    """The system's environment without what belongs to Blender's own Python."""
    kept = {key: value for key, value in os.environ.items() if not key.upper().startswith("PYTHON")}
    return {**kept, "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"}


def _bytes(folder: Path) -> int:
    """Size of all files below; those that vanish meanwhile count nothing."""
    size = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.path.getsize(os.path.join(base, name))
            except OSError:
                continue
    return size


def _installed(environment: Path) -> set[str]:
    """Names of the libraries that pip has finished."""
    found = [
        *environment.glob("lib/python3*/site-packages/*.dist-info"),
        *environment.glob("Lib/site-packages/*.dist-info"),
    ]
    return {path.name.split("-")[0].lower().replace("_", "-") for path in found}
