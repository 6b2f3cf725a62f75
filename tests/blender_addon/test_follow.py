"""Pins, paths and waypoints in Blender: kept on the armature, read, followed by the real backend, measured."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import (
    __main__,
    followed,
    paths,
    pins,
    plans,
    pose_model,
    properties,
    selection,
)
from blender_addon.jobs import Session
from tests.blender_addon import armatures
from tests.blender_addon.characters import capture_motion, every_key, every_record, key_poses, make_person

START, END = 10, 50


@pytest.fixture
def person(session: Session) -> Any:
    """A captured person whose next run follows from frame 10 to 50, by plain interpolation."""
    obj = make_person()
    capture_motion(obj)
    ready(obj)
    return obj


def ready(obj: Any, motion: str = "KEEP") -> None:
    settings = bpy.context.scene.limber  # type: ignore[attr-defined]
    settings.task, settings.range_mode, settings.start, settings.end = "follow", "OWN", START, END
    settings.system, settings.keys = "interpolation", "EVERY"
    obj.limber_follow.motion = motion


def pin(obj: Any, bone: str, place: Any, frames: tuple[int, int] = (30, 30), **more: Any) -> Any:
    made = obj.limber_follow.pins.add()
    made.name, made.bone, made.source, made.place = bone, bone, "POINT", place
    made.start, made.end = frames
    for key, value in more.items():
        setattr(made, key, value)
    return made


def empty(name: str = "Thing", place: Any = (0, 0, 0)) -> Any:
    made = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(made)
    made.location = place
    return made


def curve(points: Any, name: str = "Way", closed: bool = False) -> Any:
    data: Any = bpy.data.curves.new(name, "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("BEZIER")
    spline.bezier_points.add(len(points) - 1)
    for knot, place in zip(spline.bezier_points, points, strict=True):
        knot.co = place
        knot.handle_left_type = knot.handle_right_type = "AUTO"
    spline.use_cyclic_u = closed
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    bpy.context.view_layer.update()
    return made


def seen(obj: Any, bone: str, frame: int, tail: bool = False) -> np.ndarray:
    """Where Blender itself shows a bone's head at a frame, in the world."""
    bpy.context.scene.frame_set(frame)
    shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array(
        shown.matrix_world @ (shown.pose.bones[bone].tail if tail else shown.pose.bones[bone].head)
    )


def near(obj: Any, bone: str, frame: int, way: Any) -> np.ndarray:
    return seen(obj, bone, frame) + np.asarray(way)


def off(obj: Any, bone: str, frame: int, place: Any) -> float:
    return float(np.linalg.norm(seen(obj, bone, frame) - np.asarray(place)))


def read(obj: Any, start: int = START, end: int = END) -> dict[str, Any]:
    from blender_addon.operators.pins import map_of

    steps = pins.read_steps(obj, map_of(obj), start, end)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


# -- followed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["EVERY", "SPARSE"])
def test_hands_and_feet_are_where_they_were_pinned(person: Any, keys: str) -> None:
    bpy.context.scene.limber.keys = keys  # type: ignore[attr-defined]
    hand, foot = (
        near(person, "left_wrist", 30, (0.02, -0.03, 0.02)),
        near(person, "right_ankle", 20, (0, 0.02, 0.03)),
    )
    pin(person, "left_wrist", hand)
    pin(person, "right_ankle", foot, (20, 24))
    before = every_record(person)
    assert bpy.ops.limber.follow() == {"FINISHED"}
    assert person.animation_data.action.name == "Take Limber 1"
    assert off(person, "left_wrist", 30, hand) < 1e-3
    assert max(off(person, "right_ankle", f, foot) for f in range(20, 25)) < 1e-3
    result = properties.review(person).results[0]
    assert result.key_change == 0
    assert [line.rpartition(":")[0] for line in result.followed.splitlines()] == ["left_wrist", "right_ankle"]
    assert all("mm at worst" in line for line in result.followed.splitlines())
    after = every_record(person)
    for channel, records in before.items():  # outside of the range every key is as it was
        outside = (records["frame"] < START) | (records["frame"] > END)
        theirs = after[channel][np.isin(after[channel]["frame"], records["frame"][outside])]
        assert (theirs == records[outside]).all()


def test_a_hand_stays_on_a_moving_prop(person: Any) -> None:
    prop = empty("Prop")
    for frame in (1, 60):
        prop.location = near(person, "left_wrist", 30, (0, 0.001 * frame, 0))
        prop.rotation_euler = (0, 0, 0.01 * frame)
        prop.scale = (1, 1, 1 + 0.01 * frame)
        for channel in ("location", "rotation_euler", "scale"):
            prop.keyframe_insert(channel, frame=frame)
    bpy.context.scene.frame_set(7)
    held = pin(
        person, "left_wrist", (0, 0, 0), (28, 32), source="OBJECT", target=prop, offset=(0.01, 0, 0.02)
    )
    told = read(person)["pins"][0]
    assert bpy.context.scene.frame_current == 7
    assert told["frames"] == [28, 32]
    bpy.ops.limber.follow()
    for k, frame in enumerate(range(28, 33)):
        bpy.context.scene.frame_set(frame)
        wanted = np.array(prop.matrix_world @ bpy.context.scene.cursor.location.__class__(held.offset))
        assert np.allclose(told["positions"][k], wanted, atol=2e-6)
        assert off(person, "left_wrist", frame, wanted) < 1e-3


def test_a_bone_of_another_armature_is_a_target(person: Any) -> None:
    other = make_person("Partner")
    key_poses(other, (1, 60), "Dance")
    other.location = (0.2, 0.1, 0.3)
    pin(
        person,
        "right_wrist",
        (0, 0, 0),
        (20, 22),
        source="OBJECT",
        target=other,
        target_bone="left_wrist",
        hard=False,
    )
    told = read(person)["pins"][0]
    for k, frame in enumerate(range(20, 23)):
        assert np.allclose(told["positions"][k], seen(other, "left_wrist", frame), atol=2e-6)
    assert told["firmness"] == 0.5
    bpy.context.view_layer.objects.active = person
    bpy.ops.limber.follow()
    assert "right_wrist (soft):" in properties.review(person).results[0].followed


def test_a_path_is_walked(person: Any) -> None:
    way = curve([(0, 0, 0), (0, -1, 0.4), (0.6, -1.6, 0)])
    person.limber_follow.path = way
    settings = properties.settings(bpy.context.scene)
    settings.start, settings.end = 1, 60  # all of the motion, so that nothing outside pulls at its ends
    bpy.ops.limber.follow()
    points, _ = paths.line(way)
    pelvis = np.array([seen(person, "pelvis", f) for f in (1, 60)])
    assert np.allclose(pelvis[:, :2], points[[0, -1], :2], atol=0.02)
    line = properties.review(person).results[0].followed.splitlines()
    assert line[0].startswith("Place over the ground: ")
    made = plans.read_provenance(person.animation_data.action)
    assert made["report"]["followed"][0]["path"]["worst"] < 0.02
    assert made["report"]["followed"][0]["heading"]["worst"] < 0.1


def test_waypoints_and_a_pin_on_the_present_motion(person: Any) -> None:
    there = empty("There", (0.3, -0.7, 0.2))
    there.rotation_euler = (0, 0, math.radians(30))
    bpy.context.view_layer.update()
    entry = person.limber_follow.waypoints.add()
    entry.target, entry.frame = there, 25
    pin(person, "head", (0, 0, 0), (45, 45), source="PRESENT")
    head = seen(person, "head", 45)
    told = read(person)
    assert math.isclose(told["waypoints"][0]["heading"], 30, abs_tol=1e-4)
    bpy.ops.limber.follow()
    assert np.allclose(seen(person, "pelvis", 25)[:2], (0.3, -0.7), atol=2e-3)
    assert off(person, "head", 45, head) < 1e-3


def test_keys_stay_bit_for_bit_between_which_it_follows(session: Session) -> None:
    obj = make_person()
    before = every_key(key_poses(obj, (10, 30, 50)))
    ready(obj, "KEYS")
    hand = near(obj, "left_wrist", 20, (0.02, -0.02, 0.02))
    pin(obj, "left_wrist", hand, (20, 20))
    assert bpy.ops.limber.follow() == {"FINISHED"}
    after = every_key(obj.animation_data.action)
    for channel, keys in before.items():
        assert set(keys) <= set(after[channel])
    assert properties.review(obj).results[0].key_change == 0
    assert off(obj, "left_wrist", 20, hand) < 1e-3


def test_a_key_that_holds_a_pinned_hand_is_told(session: Session) -> None:
    obj = make_person()
    key_poses(obj, (10, 30, 50))
    for frame in (10, 30, 50):
        bpy.context.scene.frame_set(frame)
        for bone in obj.pose.bones:
            bone.keyframe_insert(pose_model.rotation_property(bone.rotation_mode), frame=frame)
    ready(obj, "KEYS")
    pin(obj, "left_wrist", near(obj, "left_wrist", 30, (0, 0, 0.2)), (30, 30))
    bpy.ops.limber.follow()
    assert (
        properties.review(obj).results[0].followed == "left_wrist: the key at frame 30 holds it 20.0 cm away"
    )


def test_a_failed_run_leaves_an_armature_without_motion_as_it_was(session: Session) -> None:
    obj = make_person()
    ready(obj, "NOTHING")
    bpy.context.scene.limber.bundle = "no such bundle"  # type: ignore[attr-defined]
    bpy.context.scene.limber.system = "auto"  # type: ignore[attr-defined]
    pin(obj, "left_wrist", (0.4, -0.2, 1.2), (30, 30))
    with pytest.raises(RuntimeError, match="no such bundle"):
        bpy.ops.limber.follow()
    assert obj.animation_data is None
    assert not bpy.data.actions


def test_without_any_motion_it_follows_all_the_same(session: Session) -> None:
    obj = make_person()
    ready(obj, "NOTHING")
    obj.limber_follow.path = curve([(1, 0, 0), (1, -2, 0)])
    pin(obj, "left_wrist", (1.3, -0.9, 1.2), (30, 30))
    assert bpy.ops.limber.follow() == {"FINISHED"}
    assert off(obj, "left_wrist", 30, (1.3, -0.9, 1.2)) < 0.05
    assert np.allclose(seen(obj, "pelvis", END)[:2], (1, -2), atol=0.02)


def test_made_again_it_is_the_same(person: Any) -> None:
    hand = near(person, "left_wrist", 30, (0.02, 0.03, 0.0))
    pin(person, "left_wrist", hand)
    bpy.ops.limber.follow()
    first = every_key(person.animation_data.action)
    bpy.ops.limber.accept()
    person.limber_follow.pins.clear()  # what was followed is on the Action
    assert bpy.ops.limber.make_again() == {"FINISHED"}
    assert every_key(person.animation_data.action) == first


def test_what_the_report_says_is_what_blender_shows(person: Any) -> None:
    """Measured by the numbers of the answer, and on the rig after writing: the same to a hundredth of a millimetre."""
    far = (3.0, -4.0, 9.0)
    pin(person, "left_wrist", far, (30, 31))
    bpy.ops.limber.follow()
    result = properties.review(person).results[0]
    said = plans.read_provenance(person.animation_data.action)["report"]["followed"][0]
    assert result.followed.splitlines() == followed.lines(said)
    assert "left_wrist: cannot be reached at frame 3" in result.followed
    (frame, metres), *_ = said["pins"][0]["missed"]
    assert abs(off(person, "left_wrist", frame, far) - metres) < 1e-5


# -- other rigs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["ue_male.glb", "mannequiny.glb", "rocketbox_biped_female.fbx", "rigify_deform_44clips.glb"]
)
def test_on_characters_of_other_proportions(session: Session, name: str) -> None:
    obj = armatures.load(name)
    obj.location, obj.rotation_euler.z, obj.rotation_mode = (0.4, 0.2, 0.0), 0.5, "XYZ"
    ready(obj)
    check_pins(obj)


def test_on_a_generated_rigify_rig(session: Session, rigify_rig: Any) -> None:
    ready(rigify_rig)
    check_pins(rigify_rig, {"left_wrist": "hand_ik.L", "right_ankle": "ORG-foot.R", "pelvis": "torso"},
               {"left_wrist": "ORG-hand.L", "right_ankle": "ORG-foot.R"})  # fmt: skip


def check_pins(obj: Any, names: dict[str, str] | None = None, shown: dict[str, str] | None = None) -> None:
    """A hand and a foot pinned a little from where they rest, and a path: met on the rig as Blender shows it."""
    from blender_addon.operators.pins import map_of

    bones = map_of(obj).bones
    names = names or {joint: bones[joint][0] for joint in ("left_wrist", "right_ankle", "pelvis")}
    at = seen(obj, names["pelvis"], 1)
    obj.limber_follow.path = curve([(at[0], at[1], 0), (at[0] + 0.2, at[1] - 0.6, 0)])
    obj.limber_follow.heading = "FREE"
    way = np.array([0.2, -0.6, 0]) * 0.5
    hip, foot = at, seen(obj, (shown or names)["right_ankle"], 1)
    shoulder = seen(obj, bones["left_shoulder"][0], 1)
    wrist = seen(obj, (shown or names)["left_wrist"], 1)
    scale = np.linalg.norm(foot - hip)
    targets = {"left_wrist": shoulder + 0.8 * (wrist - shoulder) + way + [0, -0.1 * scale, -0.2 * scale],
               "right_ankle": foot + way + [0, 0, 0.15 * scale]}  # fmt: skip
    for joint, place in targets.items():
        pin(obj, names[joint], place, (30, 32))
    assert bpy.ops.limber.follow() == {"FINISHED"}
    for joint, place in targets.items():
        bone = (shown or names)[joint]
        away = [off(obj, bone, frame, place) for frame in (30, 31, 32)]
        assert max(away) < 1e-3, (joint, away, properties.review(obj).results[0].followed)


# -- kept on the armature -------------------------------------------------------------------------------


def test_saved_loaded_and_undone(person: Any, tmp_path: Path) -> None:
    bpy.ops.ed.undo_push(message="before")
    bpy.context.view_layer.objects.active = person
    selection.select_bones(person, ["left_wrist", "head"])
    assert bpy.ops.limber.pin_empty() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="pinned")
    assert [p.name for p in person.limber_follow.pins] == ["Head", "Left hand"]
    bpy.ops.ed.undo()
    again = bpy.data.objects["Person"]
    assert len(again.limber_follow.pins) == 0
    assert "Person Left hand" not in bpy.data.objects
    bpy.ops.ed.redo()
    again = bpy.data.objects["Person"]
    again.limber_follow.path = curve([(0, 0, 0), (0, 1, 0)])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    kept = bpy.data.objects["Person"].limber_follow
    assert kept.pins[0].target == bpy.data.objects["Person Head"]
    assert kept.path == bpy.data.objects["Way"]


def test_on_a_library_override(session: Session, tmp_path: Path) -> None:
    obj = make_person()
    pin(obj, "head", (0, 0, 1))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, to):
        to.objects = ["Person"]
    linked = bpy.data.objects["Person"]
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    assert not bpy.ops.limber.pin_here.poll()
    ours = linked.override_create(remap_local_usages=True)
    bpy.context.view_layer.objects.active = ours
    bpy.context.view_layer.update()
    pin(ours, "left_wrist", (0.3, 0, 1))
    ours.limber_follow.pins[0].place = (0, 0, 1.5)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    kept = next(o for o in bpy.data.objects if o.override_library).limber_follow
    assert [p.bone for p in kept.pins] == ["head", "left_wrist"]
    assert kept.pins[0].place[2] == 1.5


# -- operators ------------------------------------------------------------------------------------------


def test_pins_are_added_where_bones_are(person: Any) -> None:
    bpy.context.scene.frame_set(12)
    selection.select_bones(person, ["left_wrist"])
    wrist = seen(person, "left_wrist", 12)
    bpy.ops.limber.pin_here()
    bpy.ops.limber.pin_empty(span="RANGE")
    bpy.ops.limber.pin_present()
    here, to_empty, present = person.limber_follow.pins
    assert np.allclose(here.place, wrist, atol=1e-6)
    assert (here.start, here.end) == (12, 12)
    assert (to_empty.start, to_empty.end) == (START, END)
    assert np.allclose(to_empty.target.location, wrist, atol=1e-6)
    assert present.source == "PRESENT"
    prop = empty("Prop", (1, 2, 3))
    prop.scale = (2, 1, 1)
    prop.select_set(True)
    bpy.context.view_layer.update()
    assert bpy.ops.limber.pin_object() == {"FINISHED"}
    held = person.limber_follow.pins[3]
    assert held.target == prop
    assert np.allclose(
        np.array(prop.matrix_world)[:3, :3] @ np.array(held.offset) + (1, 2, 3), wrist, atol=1e-6
    )
    bpy.context.scene.cursor.location = (0.1, 0.2, 0.3)
    person.limber_follow.pin = 3
    bpy.ops.limber.pin_cursor()
    assert held.source == "POINT"
    assert np.allclose(held.place, (0.1, 0.2, 0.3))
    for left in (3, 2, 1, 0):
        bpy.ops.limber.pin_remove()
        assert len(person.limber_follow.pins) == left
    with pytest.raises(RuntimeError, match="none is chosen"):
        bpy.ops.limber.pin_remove()


def test_a_waypoint_faces_as_the_character_does(person: Any) -> None:
    person.rotation_euler.z = 0.7
    bpy.context.scene.frame_set(12)
    assert bpy.ops.limber.waypoint_add() == {"FINISHED"}
    entry = person.limber_follow.waypoints[0]
    assert entry.frame == 12
    assert np.allclose(entry.target.location[:2], seen(person, "pelvis", 12)[:2], atol=1e-6)
    assert bpy.ops.limber.waypoint_remove() == {"FINISHED"}
    assert not person.limber_follow.waypoints


def test_a_stroke_becomes_the_path(person: Any) -> None:
    t = np.linspace(0, 3, 200)
    drawn = np.stack([np.sin(t), t, 0 * t], -1)
    scene: Any = bpy.context.scene
    with pytest.raises(RuntimeError, match="there is no stroke"):
        bpy.ops.limber.path_stroke()
    blends: Any = bpy.data
    pencil = getattr(blends, "grease_pencils_v3", blends.grease_pencils).new(
        "Drawing"
    )  # Blender 4, Blender 5
    drawing = pencil.layers.new("Lines").frames.new(1).drawing
    drawing.add_strokes([len(drawn)])
    for point, place in zip(drawing.strokes[0].points, drawn, strict=True):
        point.position = place
    sheet = bpy.data.objects.new("Drawing", pencil)
    scene.collection.objects.link(sheet)
    sheet.select_set(True)
    assert bpy.ops.limber.path_stroke() == {"FINISHED"}
    way = person.limber_follow.path
    assert len(way.data.splines[0].bezier_points) < 40
    points, _ = paths.line(way)
    apart = np.linalg.norm(points[:, None] - drawn[None], axis=-1).min(1)
    assert apart.max() < 0.03


@pytest.mark.skipif(bpy.app.version < (5, 0), reason="Blender 4 makes annotations by drawing alone")
def test_an_annotation_becomes_the_path(person: Any) -> None:
    scene, blends = (x for x in (bpy.context.scene, bpy.data))  # the stubs are of Blender 4
    scene.annotation = blends.annotations.new("Notes")  # type: ignore[attr-defined]
    stroke = scene.annotation.layers.new("Note").frames.new(1).strokes.new()  # type: ignore[attr-defined]
    stroke.points.add(3)
    for point, place in zip(stroke.points, [(0, 0, 0), (0, -1, 0), (1, -2, 0)], strict=True):
        point.co = place
    stroke.display_mode = "2DSPACE"
    with pytest.raises(RuntimeError, match="the stroke lies on the screen"):
        bpy.ops.limber.path_stroke()
    stroke.display_mode = "3DSPACE"
    assert bpy.ops.limber.path_stroke() == {"FINISHED"}
    points, _ = paths.line(person.limber_follow.path)
    assert np.allclose(points[[0, -1]], [(0, 0, 0), (1, -2, 0)])


def test_variations_say_each_how_far_they_went(person: Any) -> None:
    pin(person, "left_wrist", near(person, "left_wrist", 30, (0.02, 0, 0)))
    bpy.context.scene.limber.variations = 2  # type: ignore[attr-defined]
    bpy.ops.limber.follow()
    assert all("left_wrist: 0." in result.followed for result in properties.review(person).results)


def test_bezier_points_lie_on_the_curve() -> None:
    way = curve([(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)], closed=True)
    for knot, (x, y) in zip(
        way.data.splines[0].bezier_points, [(1, 0), (0, 1), (-1, 0), (0, -1)], strict=True
    ):
        k = 0.5522847498
        knot.handle_left_type = knot.handle_right_type = "FREE"
        knot.handle_right = (x - k * y, y + k * x, 0)
        knot.handle_left = (x + k * y, y - k * x, 0)
    way.scale = (2, 2, 2)
    bpy.context.view_layer.update()
    points, closed = paths.line(way)
    assert closed
    assert np.allclose(np.linalg.norm(points, axis=-1), 2, atol=1e-3)
    assert len(points) == 4 * paths.STEPS


def test_the_curves_own_keys_are_the_pace(person: Any) -> None:
    way = curve([(0, 0, 0), (0, -2, 0)])
    way.data.use_path, way.data.path_duration = True, 50
    for frame, value in ((START, 0), (20, 50), (END, 25)):
        way.data.eval_time = value
        way.data.keyframe_insert("eval_time", frame=frame)
    for one in _curves_of(way.data):
        for key in one.keyframe_points:
            key.interpolation = "LINEAR"
    person.limber_follow.path, person.limber_follow.pace = way, "KEYS"
    told = {int(f): s for f, s in read(person)["path"]["fractions"]}
    assert np.allclose([told[10], told[15], told[20], told[50]], [0, 0.5, 1, 0.5], atol=1e-6)
    person.limber_follow.pace, person.limber_follow.own_frames = "SPEED", True
    person.limber_follow.start, person.limber_follow.end, person.limber_follow.speed = 0, 30, 1.2
    fps = bpy.context.scene.render.fps
    told = {int(f): s for f, s in read(person)["path"]["fractions"]}
    assert set(told) == set(range(START, 31))
    assert np.isclose(told[20], 20 * 1.2 / fps / 2)


def _curves_of(data: Any) -> Any:
    from blender_addon import actions

    return actions.channelbag(data.animation_data.action, data.animation_data.action_slot).fcurves


# -- bad input: said by name, and the scene as it was ---------------------------------------------------


def gone(obj: Any) -> None:
    pin(obj, "head", (0, 0, 0), source="OBJECT", target=empty("Lost"))
    bpy.data.objects.remove(bpy.data.objects["Lost"])


def without_role(obj: Any) -> None:
    bpy.ops.object.mode_set(mode="EDIT")
    tail = obj.data.edit_bones.new("tail.001")
    tail.head, tail.tail, tail.parent = (0, 0.1, 1), (0, 0.3, 1), obj.data.edit_bones["pelvis"]
    bpy.ops.object.mode_set(mode="OBJECT")
    pin(obj, "tail.001", (0, 0, 0))


def no_length(obj: Any) -> None:
    obj.limber_follow.path = curve([(1, 1, 0), (1, 1, 2)])


def two_splines(obj: Any) -> None:
    obj.limber_follow.path = curve([(1, 1, 0), (1, 2, 2)])
    obj.limber_follow.path.data.splines.new("POLY")


def contradiction(obj: Any) -> None:
    pin(obj, "left_wrist", (0.5, 0, 1), (20, 30)).name = "Cup"
    pin(obj, "left_wrist", (0.5, 0, 1.2), (30, 40)).name = "Plate"


def no_pace(obj: Any) -> None:
    obj.limber_follow.path, obj.limber_follow.pace = curve([(0, 0, 0), (0, 1, 0)]), "KEYS"


def upright(obj: Any) -> None:
    entry = obj.limber_follow.waypoints.add()
    entry.target, entry.frame = empty("Up"), 20
    entry.target.rotation_euler = (math.pi / 2, 0, 0)


def nothing_there(obj: Any) -> None:
    pin(obj, "head", (0, 0, 0), (500, 510))


def scaled_to_nothing(obj: Any) -> None:
    obj.limber_follow.path = curve([(0, 0, 0), (0, 1, 0)])
    obj.limber_follow.path.scale = (0, 0, 0)


def unknown_bone(obj: Any) -> None:
    pin(obj, "third arm", (0, 0, 0))


def itself(obj: Any) -> None:
    pin(obj, "head", (0, 0, 0), source="OBJECT").target = obj


BAD: dict[Callable[[Any], None], str] = {
    gone: "head: its object is gone", without_role: "tail.001: the bone 'tail.001' has no role",
    no_length: "path: Way: its length over the ground is zero", two_splines: "path: Way has 2 splines",
    contradiction: "Plate: contradicts Cup at frame 30", no_pace: "path: Way has no keys on its Evaluation Time",
    upright: "waypoint 1 .Up.: its front points straight up", nothing_there: "follow: nothing is to be followed",
    scaled_to_nothing: "path: Way: its length", unknown_bone: "third arm: Person has no bone",
    itself: "head: it is pinned to the character itself",
}  # fmt: skip


@pytest.mark.parametrize("make", BAD, ids=lambda f: f.__name__)
def test_what_makes_no_sense_is_said_and_nothing_is_changed(person: Any, make: Callable[[Any], None]) -> None:
    make(person)
    bpy.context.scene.frame_set(13)
    before, things = every_record(person), {o.name for o in bpy.data.objects}
    kept = [(p.name, p.bone, tuple(p.place)) for p in person.limber_follow.pins]
    with pytest.raises(RuntimeError, match=BAD[make]):
        bpy.ops.limber.follow()
    after = every_record(person)
    assert before.keys() == after.keys()
    assert all((before[channel] == after[channel]).all() for channel in before)
    assert {o.name for o in bpy.data.objects} == things
    assert [a.name for a in bpy.data.actions if a.name.startswith("Take")] == ["Take"]
    assert [(p.name, p.bone, tuple(p.place)) for p in person.limber_follow.pins] == kept
    assert bpy.context.scene.frame_current == 13
    assert not properties.under_review(person)


def test_an_armature_without_motion_stays_without(session: Session) -> None:
    obj = make_person()
    ready(obj, "NOTHING")
    contradiction(obj)
    with pytest.raises(RuntimeError, match="Plate: contradicts Cup"):
        bpy.ops.limber.follow()
    assert obj.animation_data is None
    assert not bpy.data.actions


def test_unreachable_pins_are_told_and_the_rest_is_met(person: Any) -> None:
    pin(person, "left_wrist", (5, 5, 5), (30, 30))
    foot = near(person, "right_ankle", 20, (0, 0, 0.03))
    pin(person, "right_ankle", foot, (20, 20))
    bpy.ops.limber.follow()
    said = properties.review(person).results[0].followed.splitlines()
    assert said[0].startswith("left_wrist: cannot be reached at frame 30 by ")
    assert off(person, "right_ankle", 20, foot) < 1e-3


def test_operators_say_what_is_wrong(person: Any) -> None:
    selection.select_bones(person, [])
    for name in ("pin_empty", "pin_here", "pin_present", "pin_cursor"):
        with pytest.raises(RuntimeError, match="bones: none is selected"):
            getattr(bpy.ops.limber, name)()
    with pytest.raises(RuntimeError, match="object: no other objects are selected"):
        bpy.ops.limber.pin_object()
    assert not person.limber_follow.pins


# -- limber-blender follow ------------------------------------------------------------------------------


def test_the_command_line(session: Session, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    obj = make_person()
    capture_motion(obj)
    hand = near(obj, "left_wrist", 30, (0.02, -0.02, 0.02))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    told = {"up": "Z", "pins": [{"bone": "left_wrist", "frames": [30, 31], "position": hand.tolist()}]}
    (tmp_path / "controls.json").write_text(json.dumps(told), encoding="utf-8")
    call = ["follow", str(tmp_path / "scene.blend"), "--armature", "Person", "--frames", "10:50", "--system",
            "interpolation", "--controls", str(tmp_path / "controls.json"), "-o",
            str(tmp_path / "out.blend")]  # fmt: skip
    assert __main__.main(call) == 0
    assert "pin 1 (left_wrist): 0." in capfd.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    assert off(bpy.data.objects["Person"], "left_wrist", 31, hand) < 1e-3
    told["pins"][0]["frames"] = [30, 51]
    (tmp_path / "controls.json").write_text(json.dumps(told), encoding="utf-8")
    assert __main__.main(call) == 1
    assert "pin 1 (left_wrist): frame 51 lies outside 10..50" in capfd.readouterr().err


def test_the_command_line_takes_what_the_file_holds(
    session: Session, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    obj = make_person()
    capture_motion(obj)
    obj.limber_follow.path = curve([(0, 0, 0), (0, -2, 0)])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    call = ["follow", str(tmp_path / "scene.blend"), "--frames", "10:50", "--system", "interpolation", "--motion",
            "keep", "--trust", "0.8", "-o", str(tmp_path / "out.blend")]  # fmt: skip
    assert __main__.main(call) == 0
    assert "Place over the ground: " in capfd.readouterr().out


def test_reading_is_refused_where_a_curve_would_be_changed_elsewhere(person: Any) -> None:
    pin(person, "head", near(person, "head", 30, (0, 0, 0.01)))
    made = next(iter(_curves_of(person)))
    made.modifiers.new("NOISE")
    with pytest.raises(RuntimeError, match="modifier"):
        bpy.ops.limber.follow()
