"""How Much on a pending result, moved as a slider is and undone; then the result as an NLA strip, and taken off again.

The add-on comes from this checkout and needs ``LIMBER_PYTHON``; ``LOOK_PATIENCE`` is how long a run may take.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT, HERE = Path(__file__).resolve().parents[3], Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(HERE)]

import bpy  # noqa: E402
import stage  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon import demo, how_much, jobs, keyframes, properties, whole_motion  # noqa: E402

PATIENCE = float(os.environ.get("LOOK_PATIENCE", "240"))
LONGEST = {"last": 0.0, "gap": 0.0}


def watch() -> float:
    """Every 2 ms: how long was nobody here?"""
    now = time.perf_counter()
    if LONGEST["last"]:
        LONGEST["gap"] = max(LONGEST["gap"], now - LONGEST["last"])
    LONGEST["last"] = now
    return 0.002


def session() -> jobs.Session:
    """The add-on's."""
    found = jobs.current()
    assert found is not None
    return found


def settled() -> Iterator[float]:
    """Until the Action is where its slider is."""
    yield from stage.until(lambda: not session().amounts.busy, PATIENCE, 0.05)
    yield 0.5


def character() -> Iterator[float]:
    """Rigify's human with the demonstration's key poses; below the 3D view the NLA editor."""
    blender_addon.register()
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=False)
    yield 1.0
    for kind in ("OUTLINER", "PROPERTIES"):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=stage.area(kind)):
            bpy.ops.screen.area_close()
        yield 0.5
    yield from stage.dope_sheet(0.25)
    stage.area("DOPESHEET_EDITOR").type = "NLA_EDITOR"
    rig = stage.rigify_character()
    bpy.context.scene.render.fps = 30
    frames = demo.set_keys(whole_motion.describe(rig))
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = frames[0], frames[-1]
    space: Any = stage.area().spaces.active
    space.overlay.show_relationship_lines = space.overlay.show_cursor = space.show_gizmo = False
    space.show_region_toolbar = space.show_region_tool_header = space.overlay.show_bones = False
    yield from stage.show_tab()
    with stage.within("NLA_EDITOR"):
        bpy.ops.nla.view_all()
    bpy.context.scene.frame_set((frames[0] + frames[1]) // 2)
    stage.look(0.8, 0.8, 4.0)
    with stage.within():
        bpy.ops.ed.undo_push(message="stage")
    yield 1.0


def run() -> Iterator[float]:
    """In-between, with whole poses kept."""
    rig = bpy.context.view_layer.objects.active
    session().looked_at = False
    limber = properties.settings(bpy.context.scene)
    limber.range_mode, limber.start, limber.end = "OWN", bpy.context.scene.frame_start, bpy.context.scene.frame_end
    keys = keyframes.read_keys(rig, limber.start, limber.end)
    stage.press("inbetween")
    yield from stage.until(lambda: (job := session().job(rig)) is not None and job.over, PATIENCE)
    assert (job := session().job(rig)) is not None
    assert job.error is None, str(job.error)
    stage.REPORT["keys"] = len(keys)
    yield 1.0


def amounts() -> Iterator[float]:
    """Nothing of the model, all of it, and beyond; a slider that is dragged; undo and redo."""
    for amount, name in ((0.0, "1-nothing"), (1.5, "3-beyond"), (1.0, "2-all")):
        began = time.perf_counter()
        moved_to(amount)
        yield from stage.until(lambda: not session().amounts.busy, PATIENCE, 0.02)
        stage.REPORT[f"seconds_to_{amount:g}"] = round(time.perf_counter() - began, 2)
        yield 0.5
        stage.picture(name)
    bpy.app.timers.register(watch)
    yield 0.1
    LONGEST["gap"] = 0.0
    for n in range(30):  # as a hand drags it
        moved_to(n / 20, pushed=False)
        yield 0.03
    moved_to(0.6)
    yield from settled()
    bpy.app.timers.unregister(watch)
    stage.REPORT["longest_gap_ms"] = round(1000 * LONGEST["gap"], 1)
    held("dragged", 0.6)
    for name, operator, amount in (("undone", "undo", 1.0), ("redone", "redo", 0.6)):
        with stage.within():
            getattr(bpy.ops.ed, operator)()
        yield 0.3
        yield from settled()
        held(name, amount)


def moved_to(amount: float, pushed: bool = True) -> None:
    """The slider, as the panel moves it: the number, and an undo step when it is let go."""
    result().amount = amount
    if pushed:
        with stage.within():
            bpy.ops.ed.undo_push(message="How Much")


def result() -> Any:
    """The result that is shown."""
    state = properties.review(bpy.context.view_layer.objects.active)
    return state.results[state.current]


def held(name: str, amount: float) -> None:
    """What slider and Action say, and whether any key moved."""
    shown = result()
    stage.REPORT[name] = {"slider": round(shown.amount, 3), "action": round(how_much.written(shown.action), 3),
                          "key_change": shown.key_change}  # fmt: skip
    assert abs(how_much.written(shown.action) - amount) < 1e-4, stage.REPORT[name]
    assert shown.key_change == 0.0


def strip() -> Iterator[float]:
    """Accepted as a strip, blended in and out; undone; again, and taken off."""
    rig = bpy.context.view_layer.objects.active
    name, scene = rig.name, bpy.context.scene
    limber = properties.settings(scene)
    limber.blend_in, limber.blend_out = 12, 12
    with stage.within():
        bpy.ops.ed.undo_push(message="blending")
    stage.press("accept_strip")
    yield 0.5
    with stage.within("NLA_EDITOR"):
        bpy.ops.nla.view_all()
    yield 0.5
    stage.picture("4-strip")
    tracks = [track.name for track in rig.animation_data.nla_tracks]
    with stage.within():
        bpy.ops.ed.undo()
    yield 0.5
    rig = bpy.data.objects[name]
    undone = [len(rig.animation_data.nla_tracks), rig.animation_data.action.name, properties.under_review(rig)]
    stage.press("accept_strip")
    yield 0.5
    stage.press("remove_strip")
    yield 0.5
    stage.picture("5-taken-off")
    data, left = rig.animation_data, [action.name for action in bpy.data.actions]
    stage.REPORT["strip"] = {"tracks": tracks, "undone": undone, "left": [len(data.nla_tracks), data.action.name, left]}
    blender_addon.unregister()
    stage.REPORT["finished"] = True


stage.tell([character, run, amounts, strip])
