"""Generate, Edit Joints and variations in a real Blender window; see README.md."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT, HERE = Path(__file__).resolve().parents[3], Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(HERE)]

import bpy  # noqa: E402
import numpy as np  # noqa: E402
import stage  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon import jobs, keyframes, pins, process, selection  # noqa: E402
from tests.blender_addon.characters import every_record, make_person, rename  # noqa: E402

RIG = os.environ.get("LOOK_RIG", "mixamo")
BUNDLE = Path(os.environ.get("LOOK_BUNDLE", ROOT / "backend" / "weights" / "research"))
PATIENCE = float(os.environ.get("LOOK_PATIENCE", "120"))
CURSOR, HEADING = (0.8, -0.6, 0.0), 60.0
"""Metres, and degrees to the left of -Y."""
ARM = ("right_collar", "right_shoulder", "right_elbow", "right_wrist")
RUNS: list[dict[str, Any]] = stage.REPORT.setdefault("runs", [])


# -- the stage ---------------------------------------------------------------------------------------


def character() -> Iterator[float]:
    """The rig and the backend; the 3D view, its sidebar and the timeline, nothing else."""
    blender_addon.register()
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=True)
    yield 1.0
    for kind in ("OUTLINER", "PROPERTIES"):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=stage.area(kind)):
            bpy.ops.screen.area_close()
        yield 0.5
    stage.REPORT |= {"rig": RIG, "bundle": BUNDLE.name}
    found = session()
    found.backend = process.Backend([os.environ["LIMBER_PYTHON"], "-m", "backend", "serve", "--weights", str(BUNDLE)],
                                    ROOT)  # fmt: skip
    found.backend.start()
    obj = rigged()
    stage.REPORT["mapping"] = bone_map(obj).preset
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 30, 1, 90
    scene.cursor.location = CURSOR
    ask("text", bundle=BUNDLE.name, prompt="a person walks", begin="CURSOR", heading=math.radians(HEADING))
    space: Any = stage.area().spaces.active
    space.overlay.show_relationship_lines = space.show_gizmo = False
    if any(
        o.type == "MESH" for o in bpy.data.objects
    ):  # a body says more, and controls take seconds to be drawn
        space.overlay.show_bones = space.overlay.show_outline_selected = False
    yield from stage.show_tab()
    widen()
    stage.look(0.8, 0.9, 6.5, 1.2, 0.35)
    yield 2.0
    stage.picture("01-before")


def rigged() -> Any:
    """Rigify's human, one of the shared characters (``ue_male.glb`` by its path), or a bare one with Mixamo's or
    Unreal's names."""
    if RIG == "rigify":
        return stage.rigify_character()
    with stage.within():
        if RIG.endswith(".glb"):
            bpy.ops.import_scene.gltf(filepath=RIG)
        else:
            rename(make_person("Bare"), RIG)
    obj: Any = next(o for o in bpy.data.objects if o.type == "ARMATURE")
    obj.animation_data_clear()
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    bpy.context.view_layer.objects.active = obj
    return obj


def widen() -> None:
    """A sidebar in which sentences are not cut."""
    bpy.context.preferences.view.ui_scale = 1.1


def session() -> jobs.Session:
    found = jobs.current()
    assert found is not None
    return found


def active() -> Any:
    return bpy.context.view_layer.objects.active


def bone_map(obj: Any) -> Any:
    found = session().characters.find(obj).bone_map
    assert found is not None
    return found


def ask(task: str, start: int = 1, end: int = 90, **settings: Any) -> None:
    """Set the panel."""
    chosen: Any = bpy.context.scene.limber  # type: ignore[attr-defined]
    for name, value in {"task": task, "range_mode": "OWN", "start": start, "end": end, **settings}.items():
        setattr(chosen, name, value)


def run(name: str, operator: str) -> Iterator[float]:
    """Press a task's button, take a picture in the middle, wait, and note what was measured."""
    began = time.monotonic()
    stage.press(operator)
    job = session().job(active())
    assert job is not None
    yield from stage.until(lambda: job.over or job.phase == jobs.RUNNING, PATIENCE, 0.05)
    if not job.over:
        stage.picture(f"{name}-running")
    yield from stage.until(lambda: job.over, PATIENCE, 0.05)
    assert job.error is None, str(job.error)
    results = active().limber.results
    RUNS.append({"run": name, "pressed_to_result_s": round(time.monotonic() - began, 2), **job.facts(),
                 "results": [r.action.name for r in results], "key_change": max(r.key_change for r in results),
                 "made_by": results[0].made_by, "remark": results[0].remark})  # fmt: skip
    yield 0.5


# -- what is seen ------------------------------------------------------------------------------------


def head(obj: Any, role: str) -> np.ndarray:
    """Where a joint is in the scene, metres. ``(3,)``"""
    found = bone_map(obj)
    return np.array(obj.matrix_world @ obj.pose.bones[pins.shown(obj, found, found.bones[role][0])].head)


def facing(obj: Any) -> float:
    """Degrees to the left of -Y, by the thighs."""
    across = head(obj, "left_hip") - head(obj, "right_hip")
    return math.degrees(math.atan2(across[1], across[0]))


def look_at(frame: int, name: str) -> Iterator[float]:
    """The window at a frame, its view on the character."""
    bpy.context.scene.frame_set(frame)
    region: Any = stage.area().spaces.active.region_3d
    region.view_location = (*head(active(), "left_hip")[:2], 0.8)
    yield 0.5
    stage.picture(name)


def key(combination: str) -> None:
    """A shortcut, pressed with the pointer over the 3D view."""
    program = shutil.which("xdotool")
    assert program, "shortcuts are pressed by xdotool"
    subprocess.run([program, "mousemove", "500", "400", "key", combination], check=True)


def check(name: str, value: Any) -> None:
    stage.REPORT.setdefault("checks", {})[name] = value


# -- the story ---------------------------------------------------------------------------------------


def at_the_cursor() -> Iterator[float]:
    """Three walks from the 3D cursor; flipped by the shortcut, two are kept."""
    stage.press("heading_from_view")
    check(
        "heading_from_view_degrees (asked 200)",
        round(math.degrees(bpy.context.scene.limber.heading) % 360, 1),
    )  # type: ignore[attr-defined]
    ask("text", variations=3, heading=math.radians(HEADING))
    yield from run("02-cursor", "generate")
    obj = active()
    state = obj.limber
    bpy.context.scene.frame_set(1)
    middle = (head(obj, "left_hip") + head(obj, "right_hip")) / 2
    check("hips_from_cursor_m", round(float(np.hypot(*(middle - np.array(CURSOR))[:2])), 4))
    check("facing_degrees (asked 60)", round(facing(obj), 2))
    for frame in (1, 40, 80):
        yield from look_at(frame, f"02-cursor-frame-{frame:02d}")
    seen = []
    for combination in ("alt+Right", "alt+Right", "alt+Right", "alt+Left"):
        key(combination)
        yield 1.5
        seen.append((state.current, obj.animation_data.action == state.results[state.current].action))
    check("shown_after_shortcuts (asked 1 2 0 2)", seen)
    state.results[0].keep = True
    yield from look_at(40, "03-another-variation")
    chosen = [state.results[0].action.name, state.results[2].action.name]
    stage.press("accept")
    check("kept", [chosen, sorted(a.name for a in bpy.data.actions)])
    yield from look_at(40, "04-accepted")


def an_arm_waves() -> Iterator[float]:
    """The right arm of that walk is told to wave; nothing else changes."""
    obj = active()
    found = bone_map(obj)
    names = {name for role in ARM if role in found.bones for name in found.bones[role]}
    with stage.within():
        bpy.ops.object.mode_set(mode="POSE")
    selection.select_bones(obj, names)
    ask("edit", 15, 75, prompt="a person waves the right hand", variations=2)
    before, raised = every_record(obj), [height(obj, frame) for frame in range(15, 76, 3)]
    yield 1.0
    stage.picture("05-edit-before")
    yield from run("06-edit", "edit")
    after = every_record(obj)
    changed = {
        channel for channel in after if after[channel].tobytes() != before.get(channel, np.empty(0)).tobytes()
    }
    bones = {(keyframes.split_path(path) or ("?",))[0] for path, _ in changed}
    check("edit_bones_changed", sorted(bones))
    check("edit_others_bit_for_bit", bones <= names and before.keys() <= after.keys())
    check("edit_outside_the_range_bit_for_bit", all(
        part(before[c]).tobytes() == part(after[c]).tobytes() for c in before
        for part in (lambda r: r[r["frame"] < 15], lambda r: r[r["frame"] > 75])
    ))  # fmt: skip
    now = [height(obj, frame) for frame in range(15, 76, 3)]
    check("hand_above_shoulder_m_at_most", [round(max(raised), 3), round(max(now), 3)])
    for frame in (16, 35, 50, 65):
        yield from look_at(frame, f"06-edit-frame-{frame:02d}")
    key("alt+Right")
    yield 1.5
    yield from look_at(50, "07-edit-second")
    stage.press("accept")
    with stage.within():
        bpy.ops.object.mode_set(mode="OBJECT")


def height(obj: Any, frame: int) -> float:
    """How far the right hand is above its shoulder, metres."""
    bpy.context.scene.frame_set(frame)
    return float((head(obj, "right_wrist") - head(obj, "right_shoulder"))[2])


def from_the_pose() -> Iterator[float]:
    """A walk out of a keyed pose, which stays."""
    obj = active()
    pose = bpy.data.actions.new("Pose")
    bpy.context.scene.frame_set(40)
    obj.animation_data.action = pose
    for bone in obj.pose.bones:
        for prop in (
            "location",
            "rotation_quaternion" if bone.rotation_mode == "QUATERNION" else "rotation_euler",
        ):
            bone.keyframe_insert(prop, frame=1)
    bpy.context.scene.frame_set(1)
    roles = ("left_hip", "right_wrist", "left_ankle", "head")
    before, stood = every_record(obj), np.array([head(obj, role) for role in roles])
    ask("text", 1, 60, begin="POSE", prompt="a person waves both hands", variations=1)
    yield from run("08-pose", "generate")
    after = every_record(obj)
    check("pose_key_bit_for_bit", all(after[c][after[c]["frame"] == 1].tobytes() == r.tobytes()
                                      for c, r in before.items()))  # fmt: skip
    bpy.context.scene.frame_set(1)
    check("pose_moved_m", float(np.abs(np.array([head(obj, role) for role in roles]) - stood).max()))
    for frame in (1, 3, 30, 60):
        yield from look_at(frame, f"08-pose-frame-{frame:02d}")
    stage.press("accept")


def onwards() -> Iterator[float]:
    """It goes on after its last key, for long; what was there stays."""
    obj = active()
    before = every_record(obj)
    ask("text", 1, 400, begin="MOTION", prompt="a person walks", variations=1)
    bpy.context.scene.frame_end = 400
    yield from run("09-onwards", "generate")
    after = every_record(obj)
    check("onwards_before_bit_for_bit", all(after[c][after[c]["frame"] <= 60].tobytes() == r.tobytes()
                                            for c, r in before.items()))  # fmt: skip
    for frame in (60, 70, 150, 390):
        yield from look_at(frame, f"09-onwards-frame-{frame:03d}")
    stage.press("discard")
    check("discard_brings_back", obj.animation_data.action is not None)
    yield 1.0


PARTS = {"cursor": at_the_cursor, "edit": an_arm_waves, "pose": from_the_pose, "onwards": onwards}
stage.tell([character, *(PARTS[name] for name in os.environ.get("LOOK_STORY", " ".join(PARTS)).split())])
