"""What will change, before a run; ghosts and trails, while its result is pending; nothing of either afterwards.

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
from blender_addon import demo, gpu_drawing, jobs, pending, selection, show_properties, whole_motion  # noqa: E402

PATIENCE = float(os.environ.get("LOOK_PATIENCE", "240"))
ARM = ("upper_arm_fk.L", "forearm_fk.L", "hand_fk.L")


def mode(name: str) -> None:
    """Pose or Object Mode."""
    with stage.within():
        bpy.ops.object.mode_set(mode=name)


def settled() -> Iterator[float]:
    """Until what is shown has been looked at."""
    session = jobs.current()
    assert session is not None
    yield 1.0
    yield from stage.until(lambda: not session.preview._wanted, PATIENCE)
    yield 0.5


def character() -> Iterator[float]:
    """Rigify's human with the demonstration's key poses; 3D view, sidebar and dope sheet."""
    blender_addon.register()
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=False)
    yield 1.0
    for kind in ("OUTLINER", "PROPERTIES"):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=stage.area(kind)):
            bpy.ops.screen.area_close()
        yield 0.5
    yield from stage.dope_sheet()
    rig = stage.rigify_character()
    bpy.context.scene.render.fps = 30
    frames = demo.set_keys(whole_motion.describe(rig))
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = frames[0], frames[-1]
    space: Any = stage.area().spaces.active
    space.overlay.show_relationship_lines = space.overlay.show_cursor = space.show_gizmo = False
    space.show_region_toolbar = space.show_region_tool_header = space.overlay.show_bones = False
    yield from stage.show_tab()
    with stage.within("DOPESHEET_EDITOR"):
        bpy.ops.action.view_all()
    stage.look(0.8, 1.2, 5.0)
    bpy.context.scene.frame_set((frames[0] + frames[1]) // 2)
    yield 1.0


def before() -> Iterator[float]:
    """The box, the tint and the dope sheet: all bones between keys, then an arm over some frames, with names."""
    scene: Any = bpy.context.scene
    yield from settled()
    stage.picture("1-between-keys")
    rig: Any = bpy.context.view_layer.objects.active
    mode("POSE")
    selection.select_bones(rig, ARM)
    rig.pose.bones[ARM[1]].lock_rotation = (False, True, True)
    limber = scene.limber
    limber.task, limber.range_mode = "edit", "OWN"
    limber.start, limber.end = scene.frame_start + 8, scene.frame_start + 40
    show_properties.of(scene).names = True
    stage.area().spaces.active.overlay.show_bones = True
    yield from settled()
    stage.picture("2-an-arm")
    rig.pose.bones[ARM[1]].lock_rotation = (False, False, False)
    show_properties.of(scene).names = False
    limber.task, limber.range_mode = "inbetween", "SCENE"
    mode("OBJECT")
    stage.area().spaces.active.overlay.show_bones = False
    yield from settled()


def pending_result() -> Iterator[float]:
    """In-between; ghosts and trails at two frames, and the trails of what is selected."""
    rig, scene = bpy.context.view_layer.objects.active, bpy.context.scene
    stage.press("inbetween")
    session = jobs.current()
    assert session is not None
    yield from stage.until(lambda: (job := session.job(rig)) is not None and job.over, PATIENCE)
    assert (job := session.job(rig)) is not None
    assert job.error is None, str(job.error)
    yield 1.0
    stage.picture("3-ghosts")
    scene.frame_set(scene.frame_current + 40)
    stage.look(0.8, 2.2, 5.0, turn=0.7)
    yield 0.5
    stage.picture("4-later")
    mode("POSE")
    selection.select_bones(rig, ("hand_ik.L", "foot_ik.R"))
    show_properties.of(scene).ghosts = False
    yield 0.5
    stage.picture("5-trails-of-selected")
    show_properties.of(scene).ghosts = True
    mode("OBJECT")
    yield 0.5


def cost() -> Iterator[float]:
    """What a drawing of the view costs with everything, and without."""
    settings = show_properties.of(bpy.context.scene)
    found: dict[str, list[float]] = {"with": [], "without": []}
    for n in range(6):
        settings.ghosts = settings.trails = n % 2 == 0
        with stage.within():
            bpy.ops.wm.redraw_timer(type="DRAW", iterations=2)
            began = time.perf_counter()
            bpy.ops.wm.redraw_timer(type="DRAW", iterations=5)
        found["with" if n % 2 == 0 else "without"].append((time.perf_counter() - began) * 200)
        yield 0.1
    settings.ghosts = settings.trails = True
    stage.REPORT["ms_a_drawing"] = {name: round(min(values), 1) for name, values in found.items()}


def after() -> Iterator[float]:
    """Accepted: nothing is drawn; disabled: nothing is left."""
    stage.press("accept")
    yield 1.0
    stage.picture("6-accepted")
    blender_addon.unregister()
    yield 1.0
    stage.picture("7-disabled")
    stage.REPORT["left"] = {"handlers": len(gpu_drawing.live), "figures": len(pending._kept)}
    stage.REPORT["finished"] = True


stage.tell([character, before, pending_result, cost, after])
