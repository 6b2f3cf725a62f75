"""Set Up: what it refuses and why, what it goes on with, what it removes; models that are added."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from blender_addon import elsewhere, process
from blender_addon.motion.errors import BackendError, WeightsError
from blender_addon.setup import bundles, lists, pip_says, pythons, work

ROOT = Path(__file__).resolve().parents[2]
STARTABLE = pytest.mark.skipif(
    sys.version_info[:2] not in pythons.VERSIONS, reason="not a Python that Set Up takes"
)


def ended(started: work.Work, seconds: float = 240) -> work.Work:
    started.start()
    started.join(seconds)
    assert started.over
    return started


@pytest.fixture
def wheels(tmp_path: Path, backend_python: str) -> Path:
    """A real wheel whose one file lets the environment see the libraries of the backend's."""
    where = "import pathlib, numpy; print(pathlib.Path(numpy.__file__).parents[1])"
    ran = subprocess.run([backend_python, "-c", where], capture_output=True, text=True, check=True)
    site = ran.stdout.strip()
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "borrowed-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("borrowed.pth", f"{site}\n")
        info = "borrowed-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: borrowed\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(
            f"{info}/RECORD", f"borrowed.pth,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return folder


def plan(tmp_path: Path, wheels: Path | None, **more: object) -> work.Plan:
    """A plan whose list holds that one wheel."""
    python = pythons.Python(
        Path(sys.executable), (sys.version_info[0], sys.version_info[1]), os.uname().machine
    )
    folder = tmp_path / "lists"
    folder.mkdir(exist_ok=True)
    path = tmp_path / "wheels" / "borrowed-1.0-py3-none-any.whl"
    digest, size = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size
    for kind in lists.TORCH[1:]:
        for system in ("linux-x86_64", "linux-aarch64", "macos-arm64"):
            (folder / f"{system}-{python.tag}-{kind}.txt").write_text(
                f"# a list\nborrowed==1.0 --hash=sha256:{digest}  # {size} {size}\n")  # fmt: skip
    given = {"python": sys.executable, "lists": folder, **more}
    return work.Plan(tmp_path / "env", ROOT, wheels=wheels, **given)  # type: ignore[arg-type]


@STARTABLE
def test_from_a_wheel_folder_to_a_first_motion_then_again_then_removed(tmp_path: Path, wheels: Path) -> None:
    first = ended(work.SetUp(plan(tmp_path, wheels)))
    assert first.problem == ""
    assert first.facts["report"]["key_change"] == 0
    mark = work.read_mark(tmp_path / "env")
    assert mark is not None
    assert mark["state"] == "installed"
    # again: nothing is made anew, only tried
    (tmp_path / "env" / "kept.txt").write_text("mine")
    assert ended(work.SetUp(plan(tmp_path, wheels))).problem == ""
    assert (tmp_path / "env" / "kept.txt").is_file()
    # broken off in the middle of an installation: begun anew, the mark never lost
    work.write_mark(tmp_path / "env", {**mark, "state": "installing"})
    stopped = work.SetUp(plan(tmp_path, wheels))
    stopped.start()
    while stopped.doing != "Making the environment":
        time.sleep(0.01)
    stopped.cancel()
    stopped.join(60)
    assert stopped.cancelled.is_set()
    assert work.read_mark(tmp_path / "env") is not None
    # removed, and nothing else with it
    assert ended(work.Remove(tmp_path / "env")).problem == ""
    assert not (tmp_path / "env").exists()
    assert wheels.is_dir()


@STARTABLE
@pytest.mark.parametrize(("change", "said"), [
    ("empty wheel folder", "no fitting wheel for borrowed 1.0"),
    ("another wheel", "no fitting wheel"),
    ("no network", "Online Access"),
    ("foreign folder", "did not make"),
    ("no room", "are needed"),
    ("read-only", "written"),
])  # fmt: skip
def test_what_cannot_be_is_said(
    tmp_path: Path, wheels: Path, change: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = plan(tmp_path, None if change == "no network" else wheels, online=False)
    path = wheels / "borrowed-1.0-py3-none-any.whl"
    if change == "empty wheel folder":
        path.unlink()
    elif change == "another wheel":
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    elif change == "foreign folder":
        (tmp_path / "env").mkdir()
        (tmp_path / "env" / "thesis.txt").write_text("mine")
    elif change == "no room":
        monkeypatch.setattr(work, "SPARE", 1 << 60)
    elif change == "read-only":
        monkeypatch.setattr(
            work, "_LEASH", "import sys; sys.exit('OSError: [Errno 30] Read-only file system')"
        )
    tried = ended(work.SetUp(wanted))
    assert said in tried.problem
    assert not tried.succeeded
    if change == "foreign folder":
        assert (tmp_path / "env" / "thesis.txt").is_file()
        assert "was not made by Limber" in ended(work.Remove(tmp_path / "env")).problem
        assert (tmp_path / "env" / "thesis.txt").is_file()


def test_no_python_and_wrong_pythons_are_told(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="not a file"):
        pythons.examine(tmp_path / "python")
    liar = tmp_path / "liar"
    liar.write_text("#!/bin/sh\necho hello\n")
    liar.chmod(0o755)
    with pytest.raises(BackendError, match="does not answer"):
        pythons.examine(liar)
    old = tmp_path / "old"
    old.write_text('#!/bin/sh\necho \'[[3, 8], "cpython", 64, "x86_64", true]\'\n')
    old.chmod(0o755)
    with pytest.raises(BackendError, match=r"3\.8.*3\.11 or 3\.12"):
        pythons.examine(old)


def test_a_wheel_folder_decides_which_build_of_torch(tmp_path: Path) -> None:
    folder, wheels = tmp_path / "lists", tmp_path / "wheels"
    folder.mkdir()
    wheels.mkdir()
    python = pythons.Python(Path(sys.executable), (3, 11), "x86_64")
    system = {"linux": "linux-x86_64", "darwin": "macos-x86_64"}.get(sys.platform, "windows-amd64")
    for kind in ("cpu", "cuda", "mps"):
        digest = hashlib.sha256(kind.encode()).hexdigest()
        text = f"torch=={kind} --hash=sha256:{digest}  # {len(kind)} 9\n"
        (folder / f"{system}-cp311-{kind}.txt").write_text(text)
    for kind in ("cpu", "cuda", "mps"):
        wheel = wheels / "torch-1-py3-none-any.whl"
        wheel.write_text(kind)
        assert lists.choose(python, "auto", True, folder, wheels).torch == kind
        assert lists.choose(python, "cpu", True, folder, wheels).torch == "cpu"


def test_every_list_that_came_along_is_whole() -> None:
    found = sorted(lists.FOLDER.glob("*.txt"))
    assert found
    for path in found:
        libraries = lists.read(path)
        names = {one.name for one in libraries.all}
        assert {"numpy", "torch", "safetensors", "fastapi", "uvicorn"} <= names
        assert libraries.packed < libraries.unpacked


@pytest.mark.parametrize(("line", "said"), [
    ("OSError: [Errno 28] No space left on device", "disk is full"),
    ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not the one"),
    ("PermissionError: [WinError 5] Access is denied: 'python.exe'", "virus scanner"),
    ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "network"),
    ("ERROR: No matching distribution found for torch==9", "does not hold"),
])  # fmt: skip
def test_pips_words_become_plain(line: str, said: str) -> None:
    assert said in pip_says.explain(f"Collecting torch\n{line}\n")


def test_bundles_are_added_refused_and_removed(able_bundle: Path, tmp_path: Path) -> None:
    into = tmp_path / "bundles"
    assert bundles.add(able_bundle, into) == "tiny"
    assert bundles.added(into) == ["tiny"]
    with pytest.raises(WeightsError, match="added already"):
        bundles.add(able_bundle, into)
    weights = into / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(WeightsError, match="damaged"):
        bundles.examine(into / "tiny")
    config = into / "tiny" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "format": 99}))
    with pytest.raises(WeightsError, match="format 99"):
        bundles.examine(into / "tiny")
    for name in ("..", "open", "../tiny"):
        with pytest.raises(WeightsError, match="not added"):
            bundles.remove(name, into)
    bundles.remove("tiny", into)
    assert bundles.added(into) == []


def test_another_computer_only_by_tls_or_tunnel() -> None:
    token = "t" * 40
    assert elsewhere.parse("localhost:8000", token) == process.Address("", 8000, token, "127.0.0.1")
    assert elsewhere.parse("https://studio:8000", token, "c.pem").tls
    for text, said in (("studio:8000", "unprotected"), ("http://studio:8000", "unprotected"),
                       ("file:///etc/passwd", "not an address"), ("localhost:99999", "not an address")):  # fmt: skip
        with pytest.raises(BackendError, match=said):
            elsewhere.parse(text, token)
    with pytest.raises(BackendError, match="token"):
        elsewhere.parse("localhost:8000", " ")
