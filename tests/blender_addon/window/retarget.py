"""The Retarget panel in a real Blender window, from the choice of a source to what came of it; see README.md."""

from __future__ import annotations

import json
import os
import shutil
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
from blender_addon import follow_panel, panels, retarget_panel, retargeting, scene_files, whole_motion  # noqa: E402
from blender_addon.operators import retarget  # noqa: E402

OUT = Path(os.environ["OUT"])
RIG, CLIPS = Path(os.environ["LOOK_RIG"]), [Path(p) for p in os.environ["LOOK_CLIPS"].split(os.pathsep)]
PATIENCE = float(os.environ.get("LOOK_PATIENCE", "300"))
BEGAN = time.monotonic()
REPORT: dict[str, Any] = {
    "blender": bpy.app.version_string,
    "rig": RIG.name,
    "clips": [p.name for p in CLIPS],
}
TIMES = {"last": 0.0, "longest": 0.0}


def stage() -> None:
    """The add-on with the Retarget panel open, a character, and a captured armature beside it."""
    for name in dir(panels) + dir(follow_panel):  # how a person has folded the tab; Blender keeps it by class
        found = getattr(panels, name, None) or getattr(follow_panel, name, None)
        if isinstance(found, type) and issubclass(found, bpy.types.Panel) and hasattr(found, "bl_label"):
            found.bl_options = {*getattr(found, "bl_options", set()), "DEFAULT_CLOSED"}
    for opened in (retarget_panel.LIMBER_PT_retarget, retarget_panel.LIMBER_PT_retarget_bones):
        opened.bl_options = set()
    blender_addon.register()
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=True)
    with in_view():  # importers change modes, and a timer has no window of its own
        if RIG.suffix == ".fbx":
            scene_files.enable("io_scene_fbx")
            bpy.ops.import_scene.fbx(filepath=str(RIG))
        else:
            scene_files.enable("io_scene_gltf2")
            bpy.ops.import_scene.gltf(filepath=str(RIG))
    target = scene_files.choose_armature()
    target.animation_data_clear()
    scene_files.enable("io_anim_bvh")
    with in_view():
        bpy.ops.import_anim.bvh(filepath=str(CLIPS[0]), global_scale=0.056444, rotate_mode="NATIVE")
    source = next(o for o in bpy.context.scene.objects if o.type == "ARMATURE" and o != target)
    source.location.x = 1.5
    choose(target)
    retarget.settings(bpy.context.scene).source = source
    REPORT["source"], REPORT["target"] = source.name, target.name
    with in_view():
        bpy.ops.view3d.view_all("EXEC_DEFAULT")
        bpy.ops.ed.undo_push(message="stage")


def choose(obj: Any) -> None:
    """Make an object the active one, and the only one that is selected."""
    for other in bpy.context.view_layer.objects:
        other.select_set(other == obj)
    bpy.context.view_layer.objects.active = obj


def area() -> Any:
    """The 3D view."""
    return next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")


def in_view() -> Any:
    """The 3D view's context: a timer has none of its own."""
    region = next(r for r in area().regions if r.type == "WINDOW")
    return bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area(), region=region)


def open_sidebar() -> None:
    """Before it has been drawn once, choosing a tab crashes Blender 5.2."""
    area().spaces.active.show_region_ui = True
    area().tag_redraw()


def choose_tab() -> None:
    """The Limber tab."""
    next(r for r in area().regions if r.type == "UI").active_panel_category = "Limber"
    area().tag_redraw()


def press(name: str, how: str = "EXEC_DEFAULT", **arguments: Any) -> None:
    """A button, as pressed in the 3D view."""
    with in_view():
        result = getattr(bpy.ops.limber, name)(how, True, **arguments)
    REPORT.setdefault("pressed", []).append([round(time.monotonic() - BEGAN, 1), name, sorted(result)])
    area().tag_redraw()


def note_maps() -> None:
    """What is known of both armatures."""
    for side in ("SOURCE", "TARGET"):
        found = retarget.known_map(retarget.armature_of(bpy.context, side))
        REPORT[f"map {side}"] = None if found is None else {
            "preset": found.preset, "missing": list(found.missing),
            "doubtful": sorted(r for r, sure in found.confidence.items() if sure < 0.6)}  # fmt: skip


def change_and_save() -> None:
    """Neck to none and back, kept on the armature and saved."""
    target = bpy.context.view_layer.objects.active
    neck = retarget.look(target).bones["neck"][0]
    press("retarget_bone", side="TARGET", role="neck", bone="")
    REPORT["neck after none"] = "neck" in retarget.look(target).bones
    press("retarget_bone", side="TARGET", role="neck", bone=neck)
    press("retarget_save_map", filepath=str(OUT / "map.json"))
    kept = whole_motion.kept_map(target)
    REPORT["kept"] = kept is not None and kept.bones["neck"] == (neck,)
    REPORT["saved"] = (
        kept is not None and (OUT / "map.json").read_text("utf-8").strip() == kept.to_json().strip()
    )


def run(what: str) -> Callable[[], None]:
    """Press Retarget for the active clip, the NLA's or a folder."""

    def begin() -> None:
        chosen = retarget.settings(bpy.context.scene)
        chosen.what = what
        if what == "NLA":
            data = chosen.source.animation_data
            for name in ("First", "Second"):
                copy = data.action.copy()
                copy.name = name
                strip = data.nla_tracks.new().strips.new(name, 1, copy)
                strip.influence = 1.0
        if what == "FILES":
            folder = OUT / "clips"
            folder.mkdir(exist_ok=True)
            for path in CLIPS[1:]:
                shutil.copy(path, folder / path.name)
            (folder / "broken.bvh").write_text("HIERARCHY")
            chosen.path = str(folder)
        TIMES.update(last=0.0, longest=0.0)
        press("retarget")

    return begin


def told(what: str) -> Callable[[], None]:
    """What came of it."""

    def note() -> None:
        found, target = retargeting.latest(), bpy.context.view_layer.objects.active
        assert found is not None
        action = target.animation_data.action if target.animation_data else None
        REPORT[what] = {
            "state": found.state, "problem": found.problem, "failed": found.failed, "summary": found.summary(),
            "entries": [[name, entry.get("limb_error")] for name, entry in found.made],
            "plays": action.name if action else "", "actions": sorted(a.name for a in bpy.data.actions),
            "longest_gap_ms": round(1000 * TIMES["longest"], 1),
        }  # fmt: skip
        with in_view():
            bpy.context.scene.frame_set(60)
            bpy.ops.view3d.view_all("EXEC_DEFAULT")

    return note


def measure() -> float:
    """Every 2 ms: how long was the main thread held while a run is going on?"""
    now, found = time.perf_counter(), retargeting.latest()
    busy = found is not None and found.state == retargeting.RUNNING
    if busy and TIMES["last"]:
        TIMES["longest"] = max(TIMES["longest"], now - TIMES["last"])
    TIMES["last"] = now if busy else 0.0
    return 0.002


STORY: list[tuple[float, Callable[[], None]]] = [
    (0.0, stage),
    (2.0, open_sidebar),
    (3.0, choose_tab),
    (6.0, lambda: press("retarget_look")),
    (6.0, note_maps),
    (1.0, change_and_save),
    (3.0, run("ACTION")),
    (8.0, told("ACTION")),
    (6.0, run("NLA")),
    (8.0, told("NLA")),
    (6.0, run("FILES")),
    (8.0, told("FILES")),
    (6.0, lambda: press("retarget_bone", "INVOKE_DEFAULT", side="TARGET", role="neck", bone="")),
    (8.0, lambda: None),
]
"""Seconds after the step before, and what happens then."""


def main() -> None:
    """One timer goes through the story: while a start script runs there is no window to speak of."""
    steps, waiting = iter(STORY), list[Callable[[], None]]()

    def tell() -> float | None:
        found = retargeting.latest()
        if found is not None and found.state == retargeting.RUNNING and time.monotonic() - BEGAN < PATIENCE:
            return 1.0  # what came of a run is told when it is over
        if waiting:
            try:
                waiting.pop()()
            except Exception:  # noqa: BLE001  a timer that raises is dropped without a word
                REPORT.setdefault("errors", []).append(traceback.format_exc())
            (OUT / "report.json").write_text(json.dumps(REPORT, indent=1), encoding="utf-8")
        seconds, function = next(steps, (0.0, None))
        if function is None:
            return None
        waiting.append(function)
        return max(seconds, 0.1)

    bpy.app.timers.register(tell, first_interval=1, persistent=True)
    bpy.app.timers.register(measure, first_interval=1, persistent=True)


main()
