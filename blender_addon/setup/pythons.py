"""Finding a Python that can make the backend's environment. No bpy; every question is a subprocess."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..motion.errors import BackendError

VERSIONS = ((3, 11), (3, 12))
"""What the backend runs on and the lists are made for, the preferred one first."""

ANSWER_SECONDS = 20.0
_QUESTION = (
    "import importlib.util as u, json, platform, struct, sys;"
    "print(json.dumps([list(sys.version_info[:2]), sys.implementation.name, struct.calcsize('P') * 8,"
    " platform.machine(), all(u.find_spec(n) for n in ('venv', 'ensurepip'))]))"
)


@dataclass(frozen=True)
class Python:
    """An interpreter that answered.

    Attributes:
        path: the program.
        version: major and minor.
        machine: ``platform.machine()`` as it says itself; an emulated Python differs from the system.
    """

    path: Path
    version: tuple[int, int]
    machine: str

    @property
    def tag(self) -> str:
        """``cp311``."""
        return f"cp{self.version[0]}{self.version[1]}"


def no_window() -> int:
    """``creationflags`` that keep Windows from flashing a console."""
    return subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0


def examine(path: Path) -> Python:
    """Ask an interpreter what it is; waits for it, so never from Blender's main thread.

    Raises:
        BackendError: it is no Python, does not answer, or is one that will not do; says which.
    """
    if not path.is_file():
        raise BackendError(f"{path} is not a file. Choose the program of a Python 3.11 or 3.12.")
    kept = {key: value for key, value in os.environ.items() if not key.upper().startswith("PYTHON")}
    try:
        ran = subprocess.run([str(path), "-I", "-c", _QUESTION], capture_output=True, env=kept, check=False,
                             timeout=ANSWER_SECONDS, stdin=subprocess.DEVNULL, creationflags=no_window())  # fmt: skip
        version, kind, bits, machine, complete = json.loads(ran.stdout)
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired) as error:
        raise BackendError(
            f"{path} does not answer as a Python does ({_short(error)}). Choose another."
        ) from error
    said = f"{path} is Python {version[0]}.{version[1]}"
    if kind != "cpython" or bits != 64:
        raise BackendError(f"{said} ({kind}, {bits} bits). A 64-bit CPython is needed.")
    if tuple(version) not in VERSIONS:
        known = " or ".join(f"{a}.{b}" for a, b in VERSIONS)
        raise BackendError(f"{said}. Python {known} is needed: install one beside it and choose it here.")
    if not complete:
        remedy = (
            f"Install the package python{version[0]}.{version[1]}-venv"
            if sys.platform == "linux"
            else "Reinstall it"
        )
        raise BackendError(f"{said}, but without venv and pip. {remedy}, or choose another Python.")
    return Python(path, (version[0], version[1]), str(machine))


def find(given: str = "", more: Sequence[Path] = ()) -> Python:
    """The given interpreter, or the first of the usual places that will do.

    Args:
        given: what the user chose; "" to look for one.
        more: places to look at last, such as the Python that Blender brought along.

    Raises:
        BackendError: none will do; says what was looked at and why each was refused.
    """
    if given:
        return examine(Path(given))
    refused: list[str] = []
    for path in [*_candidates(), *more]:
        try:
            return examine(path)
        except BackendError as error:
            refused.append(str(error))
    looked = f" Looked at: {' '.join(refused[:4])}" if refused else ""
    raise BackendError("No Python 3.11 or 3.12 was found on this computer. Install one (python.org, the Microsoft "
                       f"Store, Homebrew or the system's packages), or choose its program here.{looked}")  # fmt: skip


def _candidates() -> Iterator[Path]:
    seen: set[Path] = set()
    for path in (*_by_name(), *_by_folder()):
        real = Path(os.path.realpath(path))
        if path.is_file() and real not in seen:
            seen.add(real)
            yield path


def _by_name() -> Iterator[Path]:
    names = [f"python{a}.{b}" for a, b in VERSIONS]
    for name in (*names, "python3", "python"):
        found = shutil.which(name)
        # An empty file there is not Python but the invitation to get it from the shop.
        if found and os.path.getsize(found) > 0:
            yield Path(found)


def _by_folder() -> Iterator[Path]:
    home = Path.home()
    for major, minor in VERSIONS:
        version = f"{major}.{minor}"
        if sys.platform == "win32":
            local = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
            for base in (
                local / "Programs" / "Python",
                Path(os.environ.get("PROGRAMFILES", "C:\\Program Files")),
            ):
                yield base / f"Python{major}{minor}" / "python.exe"
            yield from (home / ".pyenv" / "pyenv-win" / "versions").glob(f"{version}.*/python.exe")
            continue
        if sys.platform == "darwin":
            yield Path(f"/Library/Frameworks/Python.framework/Versions/{version}/bin/python{version}")
            yield from (Path(f"{base}/bin/python{version}") for base in ("/opt/homebrew", "/usr/local"))
        yield from sorted((home / ".pyenv" / "versions").glob(f"{version}.*/bin/python{version}"))
        yield from sorted((home / ".local/share/uv/python").glob(f"cpython-{version}*/bin/python{version}"))


def _short(error: BaseException) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"nothing within {ANSWER_SECONDS:.0f} s"
    return error.strerror or str(error) if isinstance(error, OSError) else "no sensible answer"
