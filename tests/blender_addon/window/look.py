"""Shows the Limber tab in a real Blender window and presses its buttons; see README.md."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT)]

import blender_addon  # noqa: E402
from blender_addon import jobs, keyframes, process, selection  # noqa: E402

OUT = Path(os.environ["OUT"])
STORY = os.environ.get("LOOK_STORY", "run")
BEGAN = time.monotonic()
REPORT: dict[str, Any] = {"blender": bpy.app.version_string, "python": sys.version.split()[0], "story": STORY}
LONGEST = {"gap_ms": 0.0, "last": 0.0}


def character() -> Any:
    """The armature with the most mapped bones, keyed at four frames."""
    scene = os.environ.get("LOOK_SCENE", "")
    if scene:
        bpy.ops.wm.open_mainfile(filepath=scene, load_ui=False, use_scripts=True)
    else:
        bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=True)
    if not scene:
        from tests.blender_addon.characters import make_person

        with in_view():  # a timer has no window of its own
            make_person()
    armatures = [o for o in bpy.data.objects if o.type == "ARMATURE" and o.visible_get()]
    obj = max(armatures, key=lambda o: len(o.data.bones))
    for other in bpy.context.view_layer.objects:
        other.select_set(other == obj)
    bpy.context.view_layer.objects.active = obj
    return obj


def key(obj: Any) -> None:
    """Key every mapped bone at four frames, with some swing."""
    session = jobs.current()
    assert session is not None
    found = session.characters.find(obj)
    assert found.bone_map is not None, found.problem
    REPORT["mapping"] = {"preset": found.bone_map.preset, "missing": list(found.missing)}
    data = obj.animation_data or obj.animation_data_create()
    data.action = bpy.data.actions.new("Walk")
    for n, frame in enumerate((1, 20, 45, 60)):
        for k, (role, bones) in enumerate(found.bone_map.bones.items()):
            for name in bones:
                bone = obj.pose.bones[name]
                bone.rotation_mode = "QUATERNION"
                angle = 0.25 * math.sin(2.1 * n + k)
                bone.rotation_quaternion = (math.cos(angle / 2), math.sin(angle / 2), 0, 0)
                bone.keyframe_insert("rotation_quaternion", frame=frame)
                if role == "pelvis":
                    bone.keyframe_insert("location", frame=frame)


def open_sidebar() -> None:
    """Open the sidebar. Its tab is chosen later: before it has been drawn once, choosing crashes Blender 5.2."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        if area.type == "VIEW_3D":
            area.spaces.active.show_region_ui = True
            area.tag_redraw()


def choose_tab() -> None:
    """The Limber tab."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        if area.type == "VIEW_3D":
            next(r for r in area.regions if r.type == "UI").active_panel_category = "Limber"
            area.tag_redraw()


def in_view() -> Any:
    """The 3D view's context: a timer has none of its own."""
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    region = next(r for r in area.regions if r.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def press(name: str, **arguments: Any) -> None:
    """A button, as pressed in the 3D view: with an undo step where it makes one."""
    with in_view():
        result = getattr(bpy.ops.limber, name)("EXEC_DEFAULT", True, **arguments)
    REPORT.setdefault("pressed", []).append([round(time.monotonic() - BEGAN, 1), name, sorted(result)])


def stop_backend_process(number: int) -> None:
    """A signal to the backend's process: SIGSTOP holds a run in the middle."""
    session = jobs.current()
    if session is not None and session.backend is not None and session.backend.pid is not None:
        os.kill(session.backend.pid, number)


def measure() -> float:
    """Every 2 ms: how long was nobody here? That is how long the main thread was held by something."""
    now = time.perf_counter()
    session = jobs.current()
    busy = session is not None and any(not job.over for job in session.jobs.values())
    if busy and LONGEST["last"]:
        LONGEST["gap_ms"] = max(LONGEST["gap_ms"], 1000 * (now - LONGEST["last"]))
    LONGEST["last"] = now if busy else 0.0
    return 0.002


def note() -> None:
    """What there is to say, into report.json."""
    session = jobs.current()
    obj = bpy.context.view_layer.objects.active
    job = session.job(obj) if session and obj else None
    if job is not None:
        REPORT["job"] = {"phase": job.phase, "error": str(job.error or ""), **job.facts(),
                         "first_progress_ms": job.first_progress and round(1000 * job.first_progress)}
    if obj is not None and session is not None:
        REPORT["results"] = [[r.action.name if r.action else "", r.key_change, r.comparison, r.made_by, r.remark]
                             for r in obj.limber.results]
        action = obj.animation_data.action if obj.animation_data else None
        REPORT["action"] = action.name if action else ""
        REPORT["keys"] = len(keyframes.read_keys(obj, 1, 250))
    if REPORT.get("runs") and job is not None:
        REPORT["runs"][-1] = {"longest_gap_ms": round(LONGEST["gap_ms"], 1), **REPORT["job"]}
    REPORT["longest_gap_ms"] = round(LONGEST["gap_ms"], 1)
    REPORT["backend"] = session.backend_line() if session else ""
    (OUT / "report.json").write_text(json.dumps(REPORT, indent=1), encoding="utf-8")


def begin_run() -> None:
    """Start, and hold the backend so that the middle can be seen."""
    stop_backend_process(signal.SIGSTOP)
    press(bpy.context.scene.limber.task)


def choose_task(task: str, *bones: str, **settings: Any) -> Callable[[], None]:
    """Set the panel, and select bones in Pose Mode."""

    def choose() -> None:
        chosen = bpy.context.scene.limber
        chosen.task = task
        for name, value in {"range_mode": "OWN", "start": 20, "end": 44, **settings}.items():
            setattr(chosen, name, value)
        obj = bpy.context.view_layer.objects.active
        if bones:
            with in_view():
                bpy.ops.object.mode_set(mode="POSE")
            selection.select_bones(obj, bones)
        for area in bpy.context.window_manager.windows[0].screen.areas:
            area.tag_redraw()

    return choose


def use_bundle() -> None:
    """LOOK_BUNDLE's weights instead of the installed ones."""
    folder = os.environ.get("LOOK_BUNDLE", "")
    session = jobs.current()
    if not folder or session is None:
        return
    command = [os.environ["LIMBER_PYTHON"], "-m", "backend", "serve", "--weights", folder]
    session.backend = process.Backend(command, ROOT)
    session.backend.start()
    bpy.context.scene.limber.bundle = Path(folder).name


def show_preferences() -> None:
    """The add-on's preferences, from the packed extension as a person installs it, where the view was."""
    bpy.ops.extensions.package_install_files(
        filepath=os.environ["LOOK_ZIP"], repo="user_default", enable_on_install=True, overwrite=True
    )
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=False)  # takes the splash away
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Limber"
    module = next(a.module for a in bpy.context.preferences.addons if a.module.endswith(".limber"))
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.preferences.addon_expand(module=module)


def begin_timing() -> None:
    """A run with everything warm, nobody pressing anything: what counts is how long the window was held."""
    REPORT.setdefault("runs", []).append({})
    LONGEST["gap_ms"] = 0.0
    press("inbetween")


def time_drawing() -> None:
    """What drawing the window once costs without us: a gap in a run cannot be shorter."""
    began = time.perf_counter()
    with in_view():
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=5)
    REPORT["drawing_ms"] = round(1000 * (time.perf_counter() - began) / 5, 1)


def middle() -> None:
    """Numbers as a long run reports them: the layout of the bar is what is looked at."""
    session = jobs.current()
    assert session is not None
    for job in session.jobs.values():
        if job.phase in (jobs.READING, jobs.WRITING):
            continue  # its own work would stop
        job.phase, job.step, job.total, job.eta = jobs.RUNNING, 37, 100, 12.0


def reload_scripts() -> None:
    """F3 > Reload Scripts, as pressed; Blender does it a moment later."""
    REPORT["before_reload"] = id(jobs.current())
    with in_view():
        bpy.ops.script.reload("EXEC_DEFAULT")


def note_reloaded() -> None:
    """The add-on as Blender has it now, looked up anew."""
    fresh = sys.modules["blender_addon.jobs"].current()
    obj = bpy.context.view_layer.objects.active
    REPORT.setdefault("reloaded", []).append({
        "session": fresh is not None and id(fresh) != REPORT["before_reload"],
        "action": obj.animation_data.action.name, "actions": [a.name for a in bpy.data.actions],
        "panel": hasattr(bpy.types, "LIMBER_PT_main"),
    })  # fmt: skip


def no_range() -> None:
    """A range without keys."""
    settings = bpy.context.scene.limber
    settings.range_mode, settings.start, settings.end = "OWN", 100, 120


PATIENCE = float(os.environ.get("LOOK_PATIENCE", "10"))
ARM = ("left_shoulder", "left_elbow", "left_wrist")
STORIES: dict[str, list[tuple[float, Callable[[], None]]]] = {
    "run": [
        (10, begin_run),
        (5, middle),
        (6, lambda: stop_backend_process(signal.SIGCONT)),
        (PATIENCE, lambda: press("next_variation")),
        (6, lambda: press("accept")),
        (6, lambda: press("make_again")),
        (6, note),
    ],
    "reload": [
        (10, begin_run),
        (8, reload_scripts),
        (12, note_reloaded),
        (4, lambda: press("inbetween")),
        (PATIENCE, note_reloaded),
    ],
    "crash": [
        (10, begin_run),
        (5, lambda: stop_backend_process(signal.SIGKILL)),
        (10, lambda: press("restart_backend")),
        (6, note),
    ],
    "complete": [
        (10, choose_task("complete", *ARM)),
        (8, begin_run),
        (8, middle),
        (6, lambda: stop_backend_process(signal.SIGCONT)),
        (PATIENCE, lambda: press("next_variation")),
        (8, lambda: press("accept")),
        (8, note),
    ],
    "refine": [
        (10, choose_task("refine", bones="ALL", trust=0.35)),
        (8, begin_run),
        (8, middle),
        (6, lambda: stop_backend_process(signal.SIGCONT)),
        (PATIENCE, lambda: press("next_variation")),
        (8, lambda: press("discard")),
        (8, note),
    ],
    "unable": [
        (15, choose_task("complete")),
        (8, choose_task("complete", *ARM)),
        (8, choose_task("complete", missing="GAPS")),
        (8, choose_task("refine", bones="SELECTED")),
        (8, note),
    ],
    "preferences": [(3, show_preferences), (10, note)],
    "errors": [(10, no_range), (1, lambda: press("inbetween")), (6, note)],
    "empty": [(6, note)],
    "speed": [
        (12, lambda: press("inbetween")),
        (8, lambda: press("discard")),
        (4, begin_timing),
        (8, lambda: press("discard")),
        (4, begin_timing),
        (8, time_drawing),
        (2, note),
    ],
}
"""Seconds after the step before, and what happens then."""


def later(function: Callable[[], None]) -> Callable[[], None]:
    """For a timer: says what went wrong instead of going away in silence."""

    def run() -> None:
        try:
            function()
        except Exception:  # noqa: BLE001  a timer that raises is dropped without a word
            REPORT.setdefault("errors", []).append(traceback.format_exc())
        note()

    return run


def stage() -> None:
    """The character, its keys, and where undo goes back to."""
    if STORY == "preferences":
        return  # the packed extension is shown there, not this checkout
    blender_addon.register()
    if STORY != "empty":
        obj = character()
        if STORY in ("complete", "refine", "unable"):
            from tests.blender_addon.characters import capture_motion

            capture_motion(obj)
        else:
            key(obj)
        use_bundle()
        bpy.context.scene.limber.variations = 2
        bpy.context.scene.frame_end = 60
    with in_view():
        bpy.ops.ed.undo_push(message="stage")


def main() -> None:
    """One timer goes through the story: while a start script runs there is no window to speak of."""
    panel = [] if STORY == "preferences" else [(2.0, open_sidebar), (3.0, choose_tab)]
    steps = iter([(0.0, stage), *panel, *STORIES[STORY]])
    waiting: list[Callable[[], None]] = []

    def tell() -> float | None:
        if waiting:
            later(waiting.pop())()
        seconds, function = next(steps, (0.0, None))
        if function is None:
            return None
        waiting.append(function)
        return max(seconds, 0.1)

    bpy.app.timers.register(tell, first_interval=1, persistent=True)
    bpy.app.timers.register(measure, first_interval=1, persistent=True)


main()
