"""Sparse keys in a real window: an in-between's curves in the Graph Editor, and the Options panel. Needs LIMBER_PYTHON.

OUT holds report.json afterwards: how many keys a channel has, of how many frames.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT, OUT = Path(__file__).resolve().parents[3], Path(os.environ.get("OUT", "."))
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon import actions, jobs, panels  # noqa: E402
from tests.blender_addon.characters import key_poses, make_person  # noqa: E402

REPORT: dict[str, Any] = {}
SHOWN = "left_hip"
PATIENCE = float(os.environ.get("LOOK_PATIENCE", "120"))
"""Seconds that the run may take."""


def areas() -> tuple[Any, Any]:
    """The window and its biggest 3D view."""
    window = bpy.context.window_manager.windows[0]
    views = [a for a in window.screen.areas if a.type == "VIEW_3D"]
    return window, max(views, key=lambda a: a.width * a.height)


def stage() -> None:
    """A keyed person in pose mode; the Graph Editor to the left of the view with the Limber tab."""
    window, view = areas()
    with bpy.context.temp_override(window=window, area=view):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.45)
    view.ui_type = "FCURVES"
    obj = make_person()
    key_poses(obj, (1, 30, 60))
    bpy.ops.object.mode_set(mode="POSE")
    for bone in obj.pose.bones:
        bone.select = bone.name == SHOWN
    obj.data.bones.active = obj.data.bones[SHOWN]
    settings = bpy.context.scene.limber
    settings.range_mode, settings.start, settings.end = "OWN", 1, 60
    space = areas()[1].spaces.active
    space.show_region_ui = True


def tab() -> None:
    """The Limber tab; its region wants a redraw before it knows its categories."""
    region = next(r for r in areas()[1].regions if r.type == "UI")
    region.active_panel_category = "Limber"


def result() -> str:
    """What there is of the run."""
    obj = bpy.data.objects["Person"]
    if not obj.limber.results:
        job = jobs.current().job(obj)
        return "none" if job is None else f"{job.phase} {job.error}"
    curves = actions.fcurves(obj)
    REPORT["keys a channel"] = {f"{c.data_path}[{c.array_index}]": len(c.keyframe_points) for c in curves}
    return "there"


def look() -> None:
    """All of the bone's curves in sight."""
    window = areas()[0]
    area = next(a for a in window.screen.areas if a.type == "GRAPH_EDITOR")
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.graph.view_all()


def story() -> Iterator[float]:
    """Seconds to wait, step by step."""
    stage()
    yield 3.0
    tab()
    yield 1.0
    bpy.ops.limber.inbetween("INVOKE_DEFAULT")
    waited = 0.0
    while waited < PATIENCE:
        REPORT["run"] = result()
        if REPORT["run"] == "there":
            break
        waited += 1.0
        yield 1.0
    look()
    yield 20.0
    bpy.ops.wm.quit_blender()


def main() -> None:
    """Go through the story by a timer: while a start script runs there is no window to speak of."""
    panels.LIMBER_PT_options.bl_options = set()  # open
    blender_addon.register()
    steps = story()

    def tell() -> float | None:
        wait: float | None = None
        try:
            wait = next(steps, None)
        except Exception:  # noqa: BLE001  a timer that raises is dropped without a word
            REPORT.setdefault("errors", []).append(traceback.format_exc())
        (OUT / "report.json").write_text(json.dumps(REPORT, indent=1), encoding="utf-8")
        return wait

    bpy.app.timers.register(tell, first_interval=2.0, persistent=True)


main()
