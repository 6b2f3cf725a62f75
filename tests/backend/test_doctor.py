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

from backend import doctor
from backend.doctor import Finding

from .conftest import ROOT


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
    assert found["torch"].found == installed
    assert not found["torch"].good
    assert "pip install 'torch>=99.0'" in found["torch"].remedy
    assert found["no-such-library-of-limber"].found == "not installed"
