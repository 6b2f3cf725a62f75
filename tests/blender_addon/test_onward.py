"""Generate that goes on from the motion, loops it, and reads prompts from markers; with the shipped weights."""

from __future__ import annotations

import signal
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import checks, plans, review
from blender_addon.jobs import Session
from blender_addon.motion.errors import InvalidRequestError
from tests.blender_addon.characters import capture_motion, every_record, key_poses, make_person
from tests.blender_addon.running import wait_until_idle

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")


@pytest.fixture
def person(able_session: Session) -> Any:
    obj = make_person()
    capture_motion(obj)
    bpy.ops.ed.undo_push(message="captured")
    bpy.context.scene.limber.bundle = "research"
    return obj


def last_key(obj: Any) -> int:
    return int(np.ceil(obj.animation_data.action.curve_frame_range[1]))


def go_on(session: Session, end: int, **settings: Any) -> None:
    """Press Generate, beginning at the motion's end."""
    scene = bpy.context.scene.limber
    scene.task, scene.range_mode, scene.start, scene.end, scene.begin = "text", "OWN", 1, end, "MOTION"
    scene.keys = "EVERY"
    for name, value in settings.items():
        setattr(scene, name, value)
    operators: Any = bpy.ops  # the add-on's own are not in its types
    assert operators.limber.generate() == {"FINISHED"}
    wait_until_idle(session)


def test_a_motion_goes_on_and_what_was_there_stays_to_the_bit(able_session: Session, person: Any) -> None:
    before, last = every_record(person), last_key(person)
    go_on(able_session, last + 40)
    after = every_record(person)
    for channel, old in before.items():
        new = after[channel]
        assert new[new["frame"] <= last].tobytes() == old.tobytes(), channel
    turned = [new for (path, _), new in after.items() if "rotation" in path and new["frame"][-1] == last + 40]
    assert len(turned) > 20
    assert any(np.ptp(new["value"][new["frame"] > last]) > 0.05 for new in turned), "it moves"
    for new in turned:  # no jump into what is new
        steps = np.abs(np.diff(new["value"]))
        assert steps[new["frame"][1:] == last + 1] < 0.35
    assert plans.from_action(person).goes_on


def test_a_loop_ends_in_the_first_pose(able_session: Session, person: Any) -> None:
    first, last = (int(x) for x in person.animation_data.action.curve_frame_range)
    go_on(able_session, last + 20, loop=True)
    poses = []
    for frame in (first, last, last + 20):
        bpy.context.scene.frame_set(frame)
        poses.append([bone.matrix_basis.to_quaternion() for bone in person.pose.bones])
    apart = lambda a, b: max(x.rotation_difference(y).angle for x, y in zip(a, b, strict=True))  # noqa: E731
    assert apart(poses[0], poses[2]) < 2e-3
    assert apart(poses[0], poses[1]) > 0.1, "it had to be led back"
    assert plans.from_action(person).loop
    review.discard(person)
    assert person.animation_data.action.curve_frame_range[1] == last


def test_where_there_is_nothing_to_go_on_from_is_said(able_session: Session, person: Any) -> None:
    scene = bpy.context.scene.limber
    scene.task, scene.range_mode, scene.begin, scene.start = "text", "OWN", "MOTION", 1
    scene.end = last_key(person)
    with pytest.raises(InvalidRequestError, match="Choose an end after the last key"):
        plans.from_settings(person, bpy.context.scene, scene, plans.GENERATE)
    person.animation_data.action = None
    assert "no motion to go on from" in checks.why_no_run(bpy.context, plans.GENERATE)


def test_markers_are_prompts_from_each_to_the_next(addon: None) -> None:
    obj = make_person()
    key_poses(obj)
    scene = bpy.context.scene
    scene.limber.markers, scene.limber.range_mode = True, "OWN"
    scene.limber.start, scene.limber.end, scene.limber.begin = 10, 100, "CURSOR"
    with pytest.raises(InvalidRequestError, match="markers"):
        plans.from_settings(obj, scene, scene.limber, plans.GENERATE)
    for name, frame in (("sits", 60), ("walks", 1), ("", 90), ("waves", 40), ("jumps", 200)):
        scene.timeline_markers.new(name, frame=frame)
    for marker in scene.timeline_markers:  # an empty name gets one of Blender's own
        if marker.frame == 90:
            marker.name = " "
    plan = plans.from_settings(obj, scene, scene.limber, plans.GENERATE)
    assert plan.texts == [["walks", 10, 40], ["waves", 40, 60], ["sits", 60, 90]]
