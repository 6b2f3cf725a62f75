"""From the zip alone to a first in-between, told inside a windowed Blender; :mod:`from_zip` starts it.

Only the packed extension is used. The environment names ``OUT``, ``STORY_ZIP`` and ``STORY_WHEELS``.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
import stage

ZIP, WHEELS = Path(os.environ["STORY_ZIP"]), Path(os.environ["STORY_WHEELS"])
SET_UP_SECONDS, RUN_SECONDS = 900.0, 300.0
STEPS: list[list[Any]] = stage.REPORT.setdefault("steps", [])


def module(name: str) -> Any:
    """One of the installed extension's modules."""
    return importlib.import_module(f"bl_ext.user_default.limber.{name}")


class timed:
    """Adds a row to the table: what was done, seconds."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        self.began = time.monotonic()

    def __exit__(self, *problem: object) -> None:
        STEPS.append([self.what, round(time.monotonic() - self.began, 1)])


def surroundings() -> None:
    """Nothing of the checkout, of a network or of an earlier profile may help."""
    stage.REPORT |= {
        "online_access": bpy.app.online_access,
        "interfaces": sorted(
            line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]
        ),
        "addons_before": sorted(a.module for a in bpy.context.preferences.addons if "limber" in a.module),
        "python": sys.version.split()[0],
        "zip_bytes": ZIP.stat().st_size,
        "wheels_bytes": sum(p.stat().st_size for p in WHEELS.glob("*.whl")),
        "wheels": len(list(WHEELS.glob("*.whl"))),
    }


def install() -> None:
    """Preferences > Get Extensions > Install from Disk."""
    with timed("Install from Disk"):
        bpy.ops.extensions.package_install_files(
            filepath=str(ZIP), repo="user_default", enable_on_install=True, overwrite=True
        )


def show_preferences() -> Iterator[float]:
    """The add-on's page where the 3D view was."""
    stage.area().type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Limber"
    name = next(a.module for a in bpy.context.preferences.addons if a.module.endswith(".limber"))
    with stage.within("PREFERENCES"):
        bpy.ops.preferences.addon_expand(module=name)
    yield 2.0
    stage.picture("1-before")


def choose_wheels() -> None:
    """The wheel folder, as chosen in the preferences."""
    module("preferences").raw().wheels = f"{WHEELS}{os.sep}"


def work() -> Any:
    """What Set Up is doing."""
    return module("setup.operators").current()


def ask_for_the_size() -> Iterator[float]:
    """Set Up shows what it would do."""
    with timed("Set Up: what it will do"):
        stage.press("set_up", "PREFERENCES")
        yield from stage.until(lambda: work().over, 120)
    yield 0.5
    stage.REPORT["look"] = {**work().facts, "problem": work().problem}
    stage.picture("2-size")
    assert not work().problem, work().problem


def set_up() -> Iterator[float]:
    """Install, with a picture of each phase in the middle."""
    stage.press("set_up", "PREFERENCES", confirmed=True)
    began, phase, seen = time.monotonic(), "", set()
    while True:
        now = "" if work().over else work().doing.split(":")[0]
        if now != phase:
            if phase:
                STEPS.append([f"Install: {phase[0].lower()}{phase[1:]}", round(time.monotonic() - began, 1)])
            began, phase = time.monotonic(), now
        if work().over:
            break
        if phase not in seen and time.monotonic() - began > 3:
            seen.add(phase)
            stage.picture(f"3-{phase.lower().replace(' ', '-')}")
        yield 0.1
    yield 0.5
    facts = work().facts
    stage.REPORT["set_up"] = {**{k: v for k, v in facts.items() if k != "report"}, "problem": work().problem}
    stage.picture("4-after")
    assert work().succeeded, work().problem
    environment = module("process").data_folder() / "env"
    stage.REPORT["environment_bytes"] = sum(p.lstat().st_size for p in environment.rglob("*") if p.is_file())


def character() -> Iterator[float]:
    """Rigify's human with the demonstration's key poses, in a fresh file."""
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=False)
    yield 1.0
    stage.area("PREFERENCES").type = "VIEW_3D"
    yield 1.0
    rig = stage.rigify_character()
    demo, whole_motion = module("demo"), module("whole_motion")
    bpy.context.scene.render.fps = 30
    frames = demo.set_keys(whole_motion.describe(rig))
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = frames[0], frames[-1]
    stage.REPORT["keys"] = frames
    yield from stage.show_tab()
    stage.look(0.9, 2.2, 6.5)
    yield 1.0


def session() -> Any:
    """The add-on's session."""
    return module("jobs").current()


def first_run() -> Iterator[float]:
    """Press In-between and wait for it."""
    rig = bpy.context.view_layer.objects.active
    stage.picture("5-keys")
    with timed("First In-between"):
        stage.press("inbetween")
        yield from stage.until(lambda: session().job(rig).over, RUN_SECONDS, 0.05)
    job = session().job(rig)
    assert job.error is None, str(job.error)
    yield 1.0
    stage.REPORT["result"] = [
        [r.action.name, r.key_change, r.comparison, r.made_by] for r in rig.limber.results
    ]
    bpy.context.scene.frame_set(50)
    stage.picture("6-result")
    assert all(r.key_change == 0 for r in rig.limber.results)


def second_run() -> Iterator[float]:
    """Again, with everything warm."""
    rig = bpy.context.view_layer.objects.active
    stage.press("discard")
    yield 0.5
    with timed("In-between again, warm"):
        stage.press("inbetween")
        yield from stage.until(lambda: session().job(rig).over, RUN_SECONDS, 0.05)
    with timed("Accept"):
        stage.press("accept")
    yield 0.5
    stage.picture("7-accepted")
    stage.REPORT["action"] = rig.animation_data.action.name
    stage.REPORT["finished"] = True


stage.tell([surroundings, install, show_preferences, choose_wheels, ask_for_the_size, set_up, character, first_run,
            second_run])  # fmt: skip
