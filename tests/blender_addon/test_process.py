"""The backend as a real process: announced, watched, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from blender_addon import elsewhere, process
from blender_addon.client import Client, Loopback
from blender_addon.motion.errors import BackendError, JobCancelled, LimberError
from tests.blender_addon.running import alive

ROOT = Path(process.__file__).resolve().parent.parent


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Until ``condition``; fails after ``seconds``, which is patience, not a measurement."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def python() -> str:
    """The Python of the backend's environment."""
    found = os.environ.get("LIMBER_PYTHON", sys.executable)
    if subprocess.run([found, "-c", "import fastapi, torch"], check=False, capture_output=True).returncode:
        pytest.skip("LIMBER_PYTHON does not name an environment with the backend's libraries")
    return found


def backend(*command: str, folder: Path = ROOT, **variables: str) -> process.Backend:
    return process.Backend(command, folder, {**os.environ, **variables})


def script(text: str, **variables: str) -> process.Backend:
    return backend(sys.executable, "-c", text, **variables)


def test_real_backend_starts_answers_and_ends(python: str) -> None:
    before = set(threading.enumerate())  # other tests' backends are kept for the next
    real = backend(python, "-m", "backend", "serve", PYTHONHOME="/nowhere", PYTHONPATH="/nowhere")
    assert real.state == process.STOPPED
    real.start()
    assert real.state in (process.STARTING, process.READY)
    address = real.wait(threading.Event())
    assert real.state == process.READY
    health = Client(Loopback(address.port), address.token).health()
    assert health["protocol"] == process.PROTOCOL
    with pytest.raises(LimberError, match="token"):
        Client(Loopback(address.port), "another token").health()
    pid = real.pid
    assert pid is not None
    real.stop(wait=True)
    assert real.state == process.STOPPED
    assert not alive(pid)
    assert {t for t in threading.enumerate() if t.name.startswith("limber-std")} <= before


def test_real_backend_ends_when_its_parent_is_killed(python: str) -> None:
    code = (
        "import pathlib, sys, threading, time\n"
        "from blender_addon import process\n"
        "b = process.Backend([sys.argv[1], '-m', 'backend', 'serve'], pathlib.Path(sys.argv[2]))\n"
        "b.start(); b.wait(threading.Event()); print(b.pid, flush=True); time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, python, str(ROOT)], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    # Inside a container the orphan may stay as a zombie until its new parent looks.
    wait_for(lambda: not alive(pid) or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z")


def test_a_kill_is_a_crash_with_its_signal(python: str) -> None:
    real = backend(python, "-m", "backend", "serve")
    real.start()
    real.wait(threading.Event())
    assert real.pid is not None
    os.kill(real.pid, signal.SIGKILL)
    wait_for(lambda: real.state == process.CRASHED)
    assert "SIGKILL" in real.problem
    real.stop(wait=True)


def test_last_lines_of_a_crash_are_kept() -> None:
    b = script("import sys; print('\\n'.join(f'line {i}' for i in range(100)), file=sys.stderr); sys.exit(3)")
    b.start()
    with pytest.raises(BackendError, match="exit code 3"):
        b.wait(threading.Event())
    assert b.state == process.CRASHED
    wait_for(lambda: b.last_lines(2) == ["line 98", "line 99"])
    assert len(b.last_lines(1000)) == process.LINES_KEPT
    b.stop(wait=True)


def test_much_output_does_not_stop_it() -> None:
    hello = '{"limber": "1", "protocol": 1, "port": 5, "token": "t"}'
    b = script(f"import sys; print('''{hello}''', flush=True)\n"
               "for i in range(20000): print('x' * 100); print('y' * 100, file=sys.stderr)\n"
               "print('end', file=sys.stderr, flush=True); sys.stdin.read()")  # fmt: skip
    b.start()
    assert b.wait(threading.Event()) == process.Address("1", 5, "t")
    wait_for(lambda: b.last_lines(1) == ["end"])
    b.stop(wait=True)


@pytest.mark.parametrize(("line", "says"), [
    ("hello", "announced itself wrongly"),
    ("[]", "announced itself wrongly"),
    ('{"limber": "9", "protocol": 9, "port": 1, "token": "t"}', "speaks protocol 9"),
])  # fmt: skip
def test_wrong_announcements(line: str, says: str) -> None:
    b = script(f"import sys; print({line!r}, flush=True); sys.stdin.read()")
    b.start()
    with pytest.raises(BackendError, match=says):
        b.wait(threading.Event())
    assert b.state == process.CRASHED
    b.stop(wait=True)


def test_a_process_that_stays_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.2)
    b = script("import time\nwhile True: time.sleep(1)")
    b.start()
    pid = b.pid
    assert pid is not None
    b._end(b._process, 0.2)  # type: ignore[arg-type]
    assert not alive(pid)


def test_waiting_can_be_cancelled() -> None:
    b = script("import sys; sys.stdin.read()")
    b.start()
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(JobCancelled):
        b.wait(cancelled)
    b.stop(wait=True)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    b = backend(str(tmp_path / "python"))
    with pytest.raises(BackendError, match="cannot be started"):
        b.start()
    assert b.state == process.CRASHED


def test_which_python(tmp_path: Path) -> None:
    here = Path(sys.executable)
    chosen, fallback = tmp_path / "chosen", tmp_path / "env"
    chosen.touch()
    made = process.environment_python(fallback)
    with pytest.raises(BackendError, match="Press Set Up"):
        process.find_python("", str(fallback), {})
    made.parent.mkdir(parents=True)
    made.touch()
    assert process.find_python("", str(fallback), {}) == made
    mark = fallback / process.SET_UP_MARK
    for text, whole in (('{"state": "installing"}', False), ('{"sta', False), ('{"state": "installed"}', True)):
        mark.write_text(text)
        if whole:
            assert process.find_python("", str(fallback), {}) == made
        else:
            with pytest.raises(BackendError, match="is not finished"):
                process.find_python("", str(fallback), {})
    assert process.find_python("", str(fallback), {"LIMBER_PYTHON": str(here)}) == here
    assert process.find_python(str(chosen), str(fallback), {"LIMBER_PYTHON": str(here)}) == chosen
    with pytest.raises(BackendError, match="LIMBER_PYTHON"):
        process.find_python("", "", {"LIMBER_PYTHON": str(tmp_path / "none")})


def test_a_shared_backend_without_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()  # where the folder would be: as on a disk that takes nothing, also for an administrator
    found = elsewhere.Elsewhere(
        lambda cancelled: elsewhere.find_or_start(Path(sys.executable), tmp_path, cancelled, tmp_path / "data")
    )
    found.start()
    with pytest.raises(BackendError, match="untick Share"):
        found.wait(threading.Event())
    assert found.state == process.CRASHED


def test_which_source(tmp_path: Path) -> None:
    package = tmp_path / "limber"
    package.mkdir()
    assert process.source_folder(package) == tmp_path
    (package / "backend_bundle" / "backend").mkdir(parents=True)
    assert process.source_folder(package) == package / "backend_bundle"


def test_environment_of_the_child(tmp_path: Path) -> None:
    given = {"PATH": "/bin", "PYTHONHOME": "/blender", "PYTHONPATH": "/blender", "PYTHONSTARTUP": "x", "HOME": "/root"}
    made = process.child_environment(tmp_path, given)
    assert made["PATH"] == "/bin"
    assert made["HOME"] == "/root"
    assert made["PYTHONPATH"] == str(tmp_path)
    assert "PYTHONHOME" not in made
    assert "PYTHONSTARTUP" not in made
