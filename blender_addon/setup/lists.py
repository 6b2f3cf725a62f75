"""The hash-locked lists that came along (made by :mod:`make_lists`), and which one fits a computer."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..motion.errors import BackendError
from .pythons import Python

FOLDER = Path(__file__).resolve().parent / "lists"
TORCH = ("auto", "cpu", "cuda", "mps")
_LINE = re.compile(r"([a-z0-9.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})  # (\d+) (\d+)")
_SYSTEMS = {"linux": "linux", "win32": "windows", "darwin": "macos"}
_MACHINES = {("windows", "x86_64"): "amd64", ("macos", "aarch64"): "arm64", ("linux", "arm64"): "aarch64"}


@dataclass(frozen=True)
class Library:
    """One line of a list.

    Attributes:
        name, version, sha256: of the wheel.
        packed, unpacked: bytes of the wheel, and of what is in it.
    """

    name: str
    version: str
    sha256: str
    packed: int
    unpacked: int

    @property
    def line(self) -> str:
        """As pip reads it."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n"


@dataclass(frozen=True)
class Libraries:
    """A list: everything that one kind of computer needs.

    Attributes:
        target: such as ``linux-x86_64-cp311-cpu``.
        all: its lines.
    """

    target: str
    all: tuple[Library, ...]

    @property
    def torch(self) -> str:
        """``cpu``, ``cuda`` or ``mps``."""
        return self.target.rpartition("-")[2]

    @property
    def packed(self) -> int:
        """Bytes to download."""
        return sum(library.packed for library in self.all)

    @property
    def unpacked(self) -> int:
        """Bytes on the disk afterwards."""
        return sum(library.unpacked for library in self.all)

    @property
    def special(self) -> bool:
        """Whether it holds a build (``+cpu``) that only an index of its own, or a wheel folder, has."""
        return any("+" in library.version for library in self.all)


def read(path: Path) -> Libraries:
    """Read a list.

    Raises:
        BackendError: a line is not of the form that :mod:`make_lists` writes.
    """
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _LINE.fullmatch(line)
        if match:
            found.append(Library(match[1], match[2], match[3], int(match[4]), int(match[5])))
        elif not line.startswith("#"):
            raise BackendError(f"{path} is damaged: {line[:60]!r}. Install Limber again.")
    if not found:
        raise BackendError(f"{path} is empty. Install Limber again.")
    return Libraries(path.stem, tuple(found))


def choose(
    python: Python, torch: str = "auto", special: bool = False, folder: Path = FOLDER, wheels: Path | None = None
) -> Libraries:
    """The list for a Python on this computer.

    Args:
        torch: one of TORCH; ``auto`` takes what the hardware can use, or else what there is.
        special: builds that need an index of their own can be had.
        wheels: folder that has to hold them all; ``auto`` then takes a list that is whole there, if one is.

    Raises:
        BackendError: no list fits; says which there are.
    """
    system = _SYSTEMS.get(sys.platform, sys.platform)
    machine = _MACHINES.get((system, python.machine.lower()), python.machine.lower())
    stem = f"{system}-{machine}-{python.tag}-"
    order = [torch] if torch != "auto" else [hardware(), *(kind for kind in TORCH[1:] if kind != hardware())]
    fitting = [read(path) for kind in order if (path := folder / f"{stem}{kind}.txt").is_file()]
    if wheels is not None and len(fitting) > 1:
        fitting.sort(key=lambda libraries: bool(missing(libraries.all, wheels)))
    for libraries in fitting:
        if special or not libraries.special:
            return libraries
    if fitting:
        raise BackendError(f"The list {fitting[0].target} needs a build of torch that the usual index does not hold. "
                           "Name an index that has it, choose a wheel folder, or choose another torch.")  # fmt: skip
    known = ", ".join(sorted(path.stem for path in folder.glob("*.txt"))) or "none"
    raise BackendError(f"This Limber has no list of libraries for {stem}{torch}. It has: {known}. Use one of those "
                       "Pythons, or make an environment yourself and choose it as an existing Python.")  # fmt: skip


def hardware() -> str:
    """The build of torch that this computer can make use of."""
    if sys.platform == "darwin":
        return "mps" if platform.machine() == "arm64" else "cpu"
    if shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").is_file():
        return "cuda"
    return "cpu"


def missing(libraries: Iterable[Library], folder: Path) -> list[Library]:
    """Libraries without a wheel of the right name and content in ``folder``."""
    wheels: dict[str, list[Path]] = {}
    for path in folder.glob("*.whl") if folder.is_dir() else ():
        wheels.setdefault(path.name.split("-")[0].lower().replace("_", "-"), []).append(path)
    return [one for one in libraries if not any(_is(path, one) for path in wheels.get(one.name, ()))]


def _is(path: Path, library: Library) -> bool:
    if path.stat().st_size != library.packed:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == library.sha256
