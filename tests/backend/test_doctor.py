"""``limber doctor`` names each condition that keeps Limber from working; each is really made here."""

from __future__ import annotations

import importlib.metadata
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend import doctor, service
from backend.doctor import Finding

from .conftest import ROOT, make_bundle


def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = doctor._loopback(taken.getsockname()[1])
    assert not found.good
    assert "choose another" in found.remedy


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    code = "from backend import doctor; f = list(doctor._disk())[0]; print(f.good, f.found, f.remedy)"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
                         preexec_fn=limit)  # fmt: skip
    assert ran.stdout.startswith("False nothing can be written")
    assert "TMPDIR" in ran.stdout


def test_no_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    (found,) = doctor._disk()
    assert not found.good
    assert "gone" in found.found


def test_a_file_that_vanished(tmp_path: Path) -> None:
    def look() -> Iterator[Finding]:
        (tmp_path / "torch_cpu.dll").read_bytes()
        yield Finding("never", "reached")

    (found,) = doctor._refused(look)
    assert not found.good
    assert "torch_cpu.dll" in found.found
    assert "virus scanner" in found.remedy


def test_wrong_and_absent_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = importlib.metadata.version("torch")
    monkeypatch.setitem(doctor.LIBRARIES, "torch", ((99, 0), None))
    monkeypatch.setitem(doctor.LIBRARIES, "no-such-library-of-limber", ((1, 0), None))
    found = {finding.what: finding for finding in doctor._libraries()}
    assert installed in found["torch"].found
    assert not found["torch"].good
    assert 'pip install "torch>=99.0"' in found["torch"].remedy
    assert found["Libraries"].found == "not installed: no-such-library-of-limber"
    assert not found["Libraries"].good


@pytest.mark.parametrize(("command", "said"), [("doctor", "PROBLEM  Libraries: not installed: numpy"),
                                               ("serve", "limber: No module named 'numpy'")])  # fmt: skip
def test_a_python_without_any_library_is_told_so(command: str, said: str) -> None:
    """The Python of another program, named by mistake: without its site-packages there is not even numpy."""
    ran = subprocess.run([sys.executable, "-S", "-m", "backend", command], cwd=ROOT, capture_output=True, text=True,
                         check=False, stdin=subprocess.DEVNULL)  # fmt: skip
    assert ran.returncode == 1
    assert said in ran.stdout + ran.stderr
    assert "press Set Up" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(("does", "said"), [
    ("import os, signal; os.kill(os.getpid(), signal.SIGBUS)", "damaged"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "processor does not know"),
    ("raise ImportError('libtorch_cpu.so: cannot open shared object file')", "libtorch_cpu.so"),
])  # fmt: skip
def test_a_torch_that_cannot_start(
    does: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text(does)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = doctor._torch_starts()
    assert not found.good
    assert said in found.found


def test_damaged_weights_and_a_folder_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path / "added" / "mine", tmp_path / "packaged" / "theirs"):
        make_bundle(path)
        weights = path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    monkeypatch.setattr(service, "PACKAGED", tmp_path / "packaged")
    found = list(doctor._models([tmp_path / "added", tmp_path / "gone"]))
    assert [f.what for f in found] == ["Models", "Models", "Model mine", "Model theirs"]
    assert not any(f.good for f in found)
    assert "gone" in found[0].found
    assert "open, is missing" in found[1].found
    assert all("is damaged" in f.found for f in found[2:])
    assert "add it again" in found[2].remedy
    assert "zip again" in found[3].remedy
