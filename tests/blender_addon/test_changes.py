"""What a run is said to change before it is started is what it changes."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import (
    actions,
    changes,
    changes_drawing,
    changes_panel,
    jobs,
    keyframes,
    plans,
    properties,
    selection,
    show_properties,
)
from blender_addon.changes import Changes
from blender_addon.jobs import Session
from blender_addon.plans import Plan
from tests.blender_addon.characters import KEYED, capture_motion, every_record, key_poses, make_person
from tests.blender_addon.running import pump_until


@pytest.fixture
def captured(able_session: Session) -> Any:
    """Captured motion with locks: two axes of an Euler bone, three of a quaternion bone."""
    obj = make_person()
    capture_motion(obj)
    obj.pose.bones["left_elbow"].rotation_mode = "XYZ"
    return obj


def looked(session: Session, obj: Any, plan: Plan) -> Changes:
    """What is said before."""
    bone_map = session.characters.find(obj).bone_map
    assert bone_map is not None
    steps = changes.find_steps(obj, plan, bone_map)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def check(session: Session, obj: Any, plan: Plan) -> Changes:
    """Look, run, and compare every key of the Action before with every one after; what was said."""
    said = looked(session, obj, plan)
    before = every_record(obj)
    session.run(session.start(obj, plan))
    assert properties.under_review(obj)
    after, stay, go, kept, turned, frames = every_record(obj), 0, 0, set(), set(), set()
    for channel, records in after.items():
        bone, prop = keyframes.split_path(channel[0]) or ("", "")
        old = before.get(channel, records[:0])
        same = np.array([any((o == n) for o in old[old["frame"] == n["frame"]]) for n in records], bool)
        if same.all() and len(old) == len(records):
            continue  # not written at all
        turned |= {bone} if prop in keyframes.ROTATIONS else set()
        frames |= {round(f) for f in records["frame"][~same]}
        inside = old[(old["frame"] >= plan.start) & (old["frame"] <= plan.end)]
        unchanged = np.isin(inside["frame"], records["frame"][same])
        stay, go = stay + int(unchanged.sum()), go + int((~unchanged).sum())
        kept |= set(inside["frame"][unchanged].tolist())
    assert turned == set(said.bones)
    assert frames == set(said.frames.tolist())
    assert (stay, go) == (said.stay, said.go)
    assert kept == set(said.kept.tolist())
    return said


def test_between_keys(able_session: Session) -> None:
    obj = make_person()
    key_poses(obj)
    said = check(able_session, obj, Plan(1, 30, bundle="tiny"))
    assert said.carrier == "pelvis"
    assert said.go == 0
    assert not said.at(15) & {*KEYED, "spine2", "spine3"}  # one role, one pose
    assert {"left_wrist", "neck"} <= said.at(15)
    assert said.at(14) == set(said.bones)


def test_between_selected_keys(able_session: Session) -> None:
    obj = make_person()
    key_poses(obj)
    for curve in actions.fcurves(obj):
        for point in curve.keyframe_points:
            point.select_control_point = point.co.x != 15
    said = check(able_session, obj, Plan(1, 30, keep="SELECTED", bundle="tiny"))
    assert said.go > 0
    assert said.kept.tolist() == [1, 30]


@pytest.mark.parametrize("bones", [("left_shoulder", "left_elbow", "left_wrist"), ("pelvis", "head")])
def test_of_captured_motion(able_session: Session, captured: Any, bones: tuple[str, ...]) -> None:
    for curve in actions.fcurves(captured):
        for point in curve.keyframe_points:
            point.select_control_point = point.co.x in (24, 30)
    plan = Plan(20, 36, task=plans.COMPLETE, keep="SELECTED", bones=bones, bundle="tiny")
    said = check(able_session, captured, plan)
    assert set(said.bones) == set(bones)
    assert said.kept.tolist() == [24, 30]
    assert changes.spans(said.frames) == [(19.5, 23.5), (24.5, 29.5), (30.5, 36.5)]
    assert changes_panel.names(said)[0] == f"{bones[0]}: 20\u201323, 25\u201329, 31\u201336"


def test_locks(able_session: Session, captured: Any) -> None:
    elbow, wrist, spine = (captured.pose.bones[name] for name in ("left_elbow", "left_wrist", "spine1"))
    for bone, mode in ((elbow, "XYZ"), (wrist, "QUATERNION"), (spine, "QUATERNION")):
        bone.rotation_mode = mode
        bone.keyframe_insert("rotation_euler" if mode == "XYZ" else "rotation_quaternion", frame=25)
    elbow.lock_rotation = (True, False, True)
    wrist.lock_rotation = (True, True, True)
    captured.pose.bones["pelvis"].lock_location[1] = True
    bones = ("pelvis", "left_elbow", "left_wrist", "spine1")
    said = check(able_session, captured, Plan(20, 36, task=plans.COMPLETE, keep="NONE", bones=bones, bundle="tiny"))
    assert "left_wrist" not in said.bones  # nothing is left of it that could change
    assert said.locked == {"pelvis": ("Location Y",), "left_elbow": ("Rotation X", "Rotation Z"),
                           "left_wrist": ("Rotation X", "Rotation Y", "Rotation Z")}  # fmt: skip
    assert ("6 locked channels stay as they are", "LOCKED") in changes_panel.lines(said)
    assert "left_elbow keeps Rotation X Z" in changes_panel.names(said)


def shown(session: Session, obj: Any) -> Changes | None:
    """What the panel gets after the timer has had its time."""
    while session.preview.want(obj, session.characters.get(obj)):
        pump_until(session, lambda: not session.preview._wanted)
    return session.preview.get(obj)


def test_what_is_shown_follows_settings_selection_and_keys(able_session: Session, captured: Any) -> None:
    able_session.characters.find(captured)
    settings = properties.settings(bpy.context.scene)
    settings.task, settings.range_mode, settings.start, settings.end = plans.COMPLETE, "OWN", 20, 36
    bpy.ops.object.mode_set(mode="POSE")
    selection.select_bones(captured, ())
    assert shown(able_session, captured) is None  # a run would say the same
    selection.select_bones(captured, ("head",))
    found = shown(able_session, captured)
    assert found is not None
    assert set(found.bones) == {"head"}
    assert not able_session.preview.want(captured, able_session.characters.get(captured))  # a redraw does no work
    version = able_session.preview.version
    able_session.preview.doubt()
    assert shown(able_session, captured) is found or able_session.preview.version == version  # the same again
    settings.end = 30
    found = shown(able_session, captured)
    assert found is not None
    assert found.frames.tolist() == list(range(20, 31))
    captured.pose.bones["head"].lock_rotation = (True, True, True)
    captured.update_tag()
    bpy.context.view_layer.update()  # the depsgraph tells
    found = shown(able_session, captured)
    assert found is not None
    assert not found.bones
    assert changes_panel.headline(found).startswith("Nothing changes")


def test_bones_are_tinted_where_they_are(able_session: Session, captured: Any) -> None:
    captured.location, captured.scale = (3, 2, 1), (2, 2, 2)
    bpy.context.view_layer.update()
    plan = Plan(20, 36, task=plans.COMPLETE, keep="NONE", bones=("head", "left_wrist"), bundle="tiny")
    said, bone_map = looked(able_session, captured, plan), able_session.characters.find(captured).bone_map
    assert bone_map is not None
    ends = changes_drawing.tinted(captured, bone_map, said, 30)
    head = captured.pose.bones["head"]
    np.testing.assert_allclose(ends[True][0], captured.matrix_world @ head.head, atol=1e-5)
    np.testing.assert_allclose(ends[True][1], captured.matrix_world @ head.tail, atol=1e-5)
    assert len(ends[True]) == 4
    assert len(ends[False]) == 0
    assert len(changes_drawing.tinted(captured, bone_map, said, 40)[False]) == 4


def test_nothing_is_drawn_where_the_tab_is_closed(able_session: Session, captured: Any) -> None:
    assert changes_drawing.wanted(bpy.context) is None  # no window, no tab
    assert show_properties.of(bpy.context.scene).changes
    assert jobs.current() is able_session
