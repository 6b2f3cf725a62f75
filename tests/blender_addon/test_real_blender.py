"""What only a Blender of its own can show: it is killed in the middle of a run, and it reloads its scripts.

Each test runs a script in a process with the bpy wheel and empty user folders, where the add-on is enabled as
Blender enables extensions.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")

STAGE = """
import contextlib
import faulthandler, json, os, signal, sys, time
import bpy, addon_utils

faulthandler.dump_traceback_later(float(os.environ.get("PATIENCE", "150")), exit=True)  # a hang says where

sys.path.insert(0, os.environ["ROOT"])
NAME = "bl_ext.user_default.limber"
bpy.ops.wm.read_factory_settings(use_empty=True)
assert addon_utils.enable(NAME, default_set=True) is not None

def tell(found):
    with open("report.part", "w") as file:
        json.dump(found, file)
    os.replace("report.part", "report.json")

def module(name):
    return sys.modules[f"{NAME}.{name}"]

from tests.blender_addon.characters import every_key, key_poses, make_person
person = make_person()
key_poses(person)
before = every_key(person.animation_data.action)

def held():
    '''A run in the middle of which the backend stands still.'''
    session = module("jobs").current()
    backend = session.start_backend()
    while backend.state != "READY":
        session.pump()
        time.sleep(0.01)
    os.kill(backend.pid, signal.SIGSTOP)
    job = session.start(person, module("plans").Plan(1, 30))
    while job.phase not in ("SENDING", "QUEUED", "RUNNING"):
        session.pump()
        time.sleep(0.002)
    return session, job, backend.pid
"""

KILLED = (
    STAGE
    + """
session, job, pid = held()
os.kill(pid, signal.SIGCONT)
tell({"pid": pid})
time.sleep(600)
"""
)

RELOADED = (
    STAGE
    + """
session, job, pid = held()
old = {n: id(m) for n, m in sys.modules.items() if n.startswith(NAME)}
# In a window bpy.ops.script.reload() has a timer do just this; background mode has no timers.
bpy.utils.load_scripts(reload_scripts=True)
report = {
    "again": sorted(n for n, m in sys.modules.items() if n in old and id(m) == old[n]),
    "modules": len(old),
    "job": job.phase,
    "session": module("jobs").current() is not session,
    "untouched": every_key(person.animation_data.action) == before,
    "actions": [a.name for a in bpy.data.actions],
    "panel": hasattr(bpy.types, "LIMBER_PT_main") and hasattr(bpy.context.scene, "limber"),
    "handlers": sorted(f.__module__ for f in bpy.app.handlers.load_pre if f.__module__.startswith(NAME)),
    "pid": pid,
}
# A stopped process ends when it is killed, which takes longer than what follows does on a fast computer.
with contextlib.suppress(ProcessLookupError):
    os.kill(pid, signal.SIGCONT)
report["done"] = sorted(bpy.ops.limber.inbetween())
report["result"] = person.animation_data.action.name
report["kept"] = person.limber.results[0].key_change
tell(report)
os._exit(0)
"""
)


def blender(script: str, folder: Path, python: str) -> subprocess.Popen[bytes]:
    """Start a script in a Blender with empty user folders that has this checkout as an extension."""
    extensions = folder / "user" / "extensions" / "user_default"
    extensions.mkdir(parents=True)
    (extensions / "limber").symlink_to(ROOT / "blender_addon", target_is_directory=True)
    # Blender's module may wait for ever while it is taken down, so nobody waits for that.
    lines = ["try:", *(f"    {line}" for line in script.splitlines()), "except BaseException:",
             "    import os, traceback", "    traceback.print_exc()", "    os._exit(1)"]  # fmt: skip
    (folder / "script.py").write_text("\n".join(lines), encoding="utf-8")
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "LIMBER_PYTHON": python,
            "BLENDER_USER_RESOURCES": str(folder / "user"), "ROOT": str(ROOT)}  # fmt: skip
    with (folder / "said.txt").open("w") as said:
        return subprocess.Popen([sys.executable, str(folder / "script.py")], cwd=folder, env={**os.environ, **home},
                                stdin=subprocess.DEVNULL, stdout=said, stderr=said)  # fmt: skip


def report(child: subprocess.Popen[bytes], folder: Path) -> dict[str, Any]:
    """What the script tells of itself; in a file, since its output may be cut into by Blender's own."""
    path = folder / "report.json"
    deadline = time.monotonic() + 240
    while not path.is_file():
        said = (folder / "said.txt").read_text(errors="replace")[-4000:]
        assert child.poll() is None or path.is_file(), said
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return json.loads(path.read_text(encoding="utf-8"))


def gone(pid: int, seconds: float = 30) -> bool:
    """Whether a process ends in time; inside a container an orphan may stay as a zombie for a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_no_backend_outlives_a_killed_blender(tmp_path: Path, backend_python: str) -> None:
    child = blender(KILLED, tmp_path, backend_python)
    try:
        pid = report(child, tmp_path)["pid"]
    finally:
        child.kill()
        child.wait()
    assert gone(pid), f"the backend {pid} outlived Blender"


def test_scripts_reloaded_by_blender_itself_mid_run(tmp_path: Path, backend_python: str) -> None:
    child = blender(RELOADED, tmp_path, backend_python)
    try:
        found = report(child, tmp_path)
    finally:
        child.kill()
        child.wait()
    assert found["job"] == "CANCELLED"
    assert found["untouched"]
    assert found["actions"] == ["Walk"]
    assert found["session"], "the session is the old one"
    assert found["panel"]
    assert [m.rpartition(".")[2] for m in found["handlers"]] == ["handlers", "retargeting"], (
        "each is there once"
    )
    assert found["done"] == ["FINISHED"]
    assert found["result"] == "Walk Limber 1"
    assert found["kept"] == 0
    assert gone(found["pid"]), "the backend of before the reload is still there"
