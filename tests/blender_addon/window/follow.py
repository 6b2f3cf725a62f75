"""Follows a curve with a character in a real Blender window, for pictures; see README.md."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT)]

import blender_addon  # noqa: E402
from blender_addon import (  # noqa: E402
    follow_properties,
    jobs,
    key_writer,
    pins,
    selection,
    whole_motion,
)
from blender_addon.motion import retarget  # noqa: E402

OUT = Path(os.environ["OUT"])
RIG = os.environ.get("LOOK_RIG", "mixamo")
PATIENCE = float(os.environ.get("LOOK_PATIENCE", "120"))
SYSTEM = os.environ.get("LOOK_SYSTEM", "interpolation")
FRAMES = 90
REPORT: dict[str, Any] = {"rig": RIG, "blender": bpy.app.version_string, "system": SYSTEM}
BEGAN = time.monotonic()


def view() -> Any:
    """The 3D view's context: a timer has none of its own."""
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    region = next(r for r in area.regions if r.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def areas() -> list[Any]:
    return [a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D"]


def open_sidebar() -> None:
    for area in areas():
        area.spaces.active.show_region_ui = True
        area.tag_redraw()


def choose_tab() -> None:
    for area in areas():
        next(r for r in area.regions if r.type == "UI").active_panel_category = "Limber"
        look(area.spaces.active.region_3d)
        area.spaces.active.overlay.show_relationship_lines = False
        area.tag_redraw()


def look(region: Any) -> None:
    """From the front, above and aside, at the whole way."""
    from mathutils import Euler

    region.view_perspective = "PERSP"
    region.view_rotation = Euler((1.05, 0, 0.6)).to_quaternion()
    region.view_location = (0.4, -1.3, 0.7)
    region.view_distance = 8


def press(name: str, **arguments: Any) -> None:
    with view():
        done = getattr(bpy.ops.limber, name)("EXEC_DEFAULT", True, **arguments)
    REPORT.setdefault("pressed", []).append([round(time.monotonic() - BEGAN, 1), name, sorted(done)])


def character() -> Any:
    """The armature: of LOOK_SCENE, or a bare one with Mixamo's names."""
    scene = os.environ.get("LOOK_SCENE", "")
    if scene:
        bpy.ops.wm.open_mainfile(filepath=scene, load_ui=False, use_scripts=True)
    else:
        bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=True)
        from tests.blender_addon.characters import make_person, rename

        with view():
            made = make_person("Bare")
        rename(made, "mixamo")
        made.data.display_type = "OCTAHEDRAL"
    armatures = [o for o in bpy.data.objects if o.type == "ARMATURE" and o.visible_get()]
    obj = max(armatures, key=lambda o: len(o.data.bones))
    for other in bpy.context.view_layer.objects:
        other.select_set(other == obj)
        if other.type == "ARMATURE" and other != obj:
            other.hide_set(True)
    bpy.context.view_layer.objects.active = obj
    return obj


def walking(obj: Any) -> None:
    """A walk straight ahead as the character's Action."""
    from tests.motion.walking import walk

    bpy.context.scene.render.fps = 30
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, FRAMES
    clip, _ = walk(steps=6, fps=30.0, step_length=0.6, period=0.5)
    found = whole_motion.describe(obj)
    own = retarget.from_canonical(retarget.fit(clip, found.rig), found.rig)
    key_writer.write_action(obj, "Walk", whole_motion.channels(found, own, 1))
    for key in list(obj.animation_data.action.keys()):
        del obj.animation_data.action[key]
    REPORT["mapping"] = found.bone_map.preset


def way(obj: Any) -> None:
    """An S over the ground, and the left hand at an Empty half way."""
    data: Any = bpy.data.curves.new("Way", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("BEZIER")
    spline.bezier_points.add(3)
    places = ((0, 0, 0), (0.7, -1.0, 0), (-0.2, -2.0, 0), (0.6, -3.0, 0))
    for knot, place in zip(spline.bezier_points, places, strict=True):
        knot.co = place
        knot.handle_left_type = knot.handle_right_type = "AUTO"
    curve = bpy.data.objects.new("Way", data)
    bpy.context.scene.collection.objects.link(curve)
    kept = follow_properties.of(obj)
    kept.path = curve
    settings = bpy.context.scene.limber  # type: ignore[attr-defined]
    settings.task, settings.range_mode, settings.start, settings.end = "follow", "OWN", 1, FRAMES
    settings.system = SYSTEM
    session = jobs.current()
    assert session is not None
    bone_map = session.characters.find(obj).bone_map
    assert bone_map is not None
    hand = bone_map.bones["left_wrist"][0]
    bpy.context.scene.frame_set(45)
    with view():
        bpy.ops.object.mode_set(mode="POSE")
    selection.select_bones(obj, [hand])
    press("pin_empty")
    pin = kept.pins[0]
    place, _ = at_hand()
    pin.target.location = place
    REPORT["pin"] = [pin.name, pin.bone, pin.start]


def at_hand() -> tuple[Any, Any]:
    """A place that the left hand reaches from the way's middle, and the way's middle."""
    from blender_addon import paths

    points, _ = paths.line(bpy.data.objects["Way"])
    middle = points[len(points) // 2]
    obj = bpy.context.view_layer.objects.active
    height = obj.matrix_world @ obj.pose.bones[shown(obj, "left_shoulder")].head
    return (middle[0] + 0.45, middle[1] - 0.2, height.z - 0.12), middle


def shown(obj: Any, role: str) -> str:
    session = jobs.current()
    assert session is not None
    bone_map = session.characters.find(obj).bone_map
    assert bone_map is not None
    return pins.shown(obj, bone_map, bone_map.bones[role][0])


def to_frame(frame: int) -> Callable[[], None]:
    def go() -> None:
        bpy.context.scene.frame_set(frame)
        for area in areas():
            area.tag_redraw()

    return go


def note() -> None:
    """What was measured, into report.json."""
    session = jobs.current()
    obj = bpy.context.view_layer.objects.active
    job = session.job(obj) if session and obj else None
    if job is not None:
        REPORT["job"] = {"phase": job.phase, "error": str(job.error or ""), **job.facts()}
    if obj is not None and session is not None and len(obj.limber.results):
        REPORT["followed"] = obj.limber.results[0].followed.splitlines()
        REPORT["made_by"] = obj.limber.results[0].made_by
        REPORT["key_change"] = obj.limber.results[0].key_change
    if obj is not None and session is not None and REPORT.get("job", {}).get("phase") == jobs.DONE:
        REPORT["seen"] = seen(obj)
    (OUT / "report.json").write_text(json.dumps(REPORT, indent=1), encoding="utf-8")


def seen(obj: Any) -> dict[str, float]:
    """Metres, looked up in the scene itself: from the hand to its Empty, from the hips to the way, at worst."""
    from blender_addon import paths

    scene, now = bpy.context.scene, bpy.context.scene.frame_current
    points, _ = paths.line(bpy.data.objects["Way"])
    hips = []
    for frame in range(1, FRAMES + 1, 6):
        scene.frame_set(frame)
        sides = [obj.pose.bones[shown(obj, f"{side}_hip")].head for side in ("left", "right")]
        here = np.array([obj.matrix_world @ head for head in sides]).mean(0)
        hips.append(float(np.linalg.norm(points[:, :2] - here[:2], axis=-1).min()))
    scene.frame_set(45)
    pin = follow_properties.of(obj).pins[0]
    hand = np.array(obj.matrix_world @ obj.pose.bones[shown(obj, "left_wrist")].head)
    away = float(np.linalg.norm(hand - np.array(pin.target.matrix_world.translation)))
    scene.frame_set(now)
    return {"hand_to_empty": round(away, 6), "hips_to_way_at_worst": round(max(hips), 4)}


def stage() -> None:
    blender_addon.register()
    obj = character()
    walking(obj)
    way(obj)
    with view():
        bpy.ops.ed.undo_push(message="stage")


def disable() -> None:
    """Everything that was drawn has to go."""
    blender_addon.unregister()
    for area in areas():
        area.tag_redraw()


STEPS: list[tuple[float, Callable[[], None]]] = [
    (0, stage),
    (2, open_sidebar),
    (3, choose_tab),
    (8, lambda: press("follow")),
    (2, lambda: None),
    (6, to_frame(20)),
    (6, to_frame(45)),
    (6, to_frame(70)),
    (6, note),
    (1, lambda: press("accept")),
    (6, disable),
]


def waiting_for_a_run() -> bool:
    """Whether a run goes on, and has not gone on for longer than LOOK_PATIENCE."""
    session = jobs.current()
    return session is not None and any(not j.over and j.seconds < PATIENCE for j in session.jobs.values())


def guarded(function: Callable[[], None]) -> None:
    try:
        function()
    except Exception:  # noqa: BLE001  a timer that raises is dropped without a word
        REPORT.setdefault("errors", []).append(traceback.format_exc())
    if function is not disable:
        note()


def main() -> None:
    """One timer goes through the steps: while a start script runs there is no window to speak of."""
    steps, waiting = iter(STEPS), []

    def tell() -> float | None:
        if waiting_for_a_run():
            return 1.0
        if waiting:
            guarded(waiting.pop())
        seconds, function = next(steps, (0.0, None))
        if function is None:
            return None
        waiting.append(function)
        return max(seconds, 0.1)

    bpy.app.timers.register(tell, first_interval=1, persistent=True)


main()
