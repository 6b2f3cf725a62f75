"""More or less of the model in a pending result: Blender's own values change, the animator's keys never."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import actions, headless, how_much, jobs, keyframes, plans, pose_model, properties  # noqa: E402
from blender_addon.jobs import Session  # noqa: E402
from blender_addon.motion import rotations  # noqa: E402
from blender_addon.sparse_keys import Tolerance  # noqa: E402
from tests.blender_addon import characters, running  # noqa: E402

FRAMES = np.arange(1.0, 31.0)


@pytest.fixture
def person(able_session: Session) -> Any:
    """Keyed, and filled in by a real model of random weights."""
    obj = characters.make_person()
    characters.key_poses(obj)
    return obj


def fill(session: Session, obj: Any, **settings: Any) -> Any:
    """The result under review."""
    session.run(session.start(obj, plans.Plan(1, 30, bundle="tiny", **settings)))
    return properties.review(obj).results[0]


def pose(obj: Any, bone: str) -> np.ndarray:
    """A bone's own rotation at every frame. ``(F, 4)``."""
    return pose_model.local_channels(pose_model.Curves(obj), obj.pose.bones[bone], bone, FRAMES)[1]


def test_the_motion_lies_between_and_beyond_and_no_key_moves(able_session: Session, person: Any) -> None:
    before = keyframes.read_keys(person, 1, 30)
    result = fill(able_session, person)
    found = {}
    for amount in (1.0, 0.0, 0.5, 1.5):
        assert bpy.ops.limber.how_much(amount=amount) == {"FINISHED"}
        assert person.animation_data.action == result.action
        assert result.key_change == keyframes.largest_key_change(before, result.action) == 0.0
        assert plans.read_provenance(result.action)["amount"] == amount
        assert keyframes.read_keys(person, 1, 30).frames.tolist() == before.frames.tolist()  # ours stay marked
        found[amount] = {bone: pose(person, bone) for bone in ("spine1", "left_elbow", "right_knee")}
    far = 0.0
    for bone, turned in found[1.0].items():
        plain = found[0.0][bone]
        whole = rotations.angle_between(plain, turned)
        far = max(far, float(whole.max()))
        for amount in (0.5, 1.5):
            np.testing.assert_allclose(
                rotations.angle_between(plain, found[amount][bone]), amount * whole, atol=1e-4
            )
    assert far > 0.01  # or nothing was blended
    assert bpy.ops.limber.how_much(amount=1.0) == {"FINISHED"}
    for bone, turned in found[1.0].items():
        np.testing.assert_array_equal(pose(person, bone), turned)


def test_nothing_of_the_model_is_the_plain_interpolation(able_session: Session, person: Any) -> None:
    fill(able_session, person)
    bpy.ops.limber.how_much(amount=0.0)
    blended = characters.every_key(person.animation_data.action)
    bpy.ops.limber.discard()
    fill(able_session, person, system="interpolation")
    plain = characters.every_key(person.animation_data.action)
    assert blended.keys() == plain.keys()
    for channel, keys in plain.items():
        np.testing.assert_allclose(blended[channel], keys, atol=2e-5)


@pytest.mark.parametrize("tolerance", [None, Tolerance(2.0, 5.0)], ids=["every frame", "sparse"])
def test_it_is_made_again_the_same(able_session: Session, person: Any, tolerance: Tolerance | None) -> None:
    fill(able_session, person, tolerance=tolerance, variations=2)
    bpy.ops.limber.next_variation()
    first = characters.every_key(properties.review(person).results[0].action)
    bpy.ops.limber.how_much(amount=0.4)
    assert characters.every_key(properties.review(person).results[0].action) == first  # only what is shown
    bpy.ops.limber.next_variation()
    bpy.ops.limber.how_much(amount=0.7)
    once = person.animation_data.action
    bpy.ops.limber.accept()
    assert plans.from_action(person).amount == 0.7
    assert bpy.ops.limber.make_again() == {"FINISHED"}
    assert properties.review(person).results[0].amount == pytest.approx(0.7)
    again = characters.every_key(person.animation_data.action)
    for channel, keys in characters.every_key(once).items():
        assert len(again[channel]) == len(keys)
        if tolerance is None:  # few keys start, at another bone's key, from a curve within the tolerance
            np.testing.assert_allclose(again[channel], keys, atol=1e-5)


def test_what_the_animator_sets_in_the_result_is_kept(able_session: Session, person: Any) -> None:
    result = fill(able_session, person)
    bone = person.pose.bones["spine1"]
    bone.rotation_euler = (1, 2, 3)
    bone.keyframe_insert("rotation_euler", frame=7)  # over one of ours
    bone.keyframe_insert("rotation_euler", frame=8.25)
    person.pose.bones["head"].keyframe_insert("scale", frame=9)
    own = keyframes.read_keys(person, 1, 30)
    assert {7.0, 8.25, 9.0} <= set(own.frames)
    bpy.ops.limber.how_much(amount=0.3)
    assert keyframes.largest_key_change(own, result.action) == 0.0
    assert keyframes.read_keys(person, 1, 30).frames.tolist() == own.frames.tolist()
    assert not any(k.select_control_point for c in actions.fcurves(person) for k in c.keyframe_points
                   if how_much.authored(keyframes.read_records(c)).sum() == 0)  # fmt: skip


def test_blender_plays_it_at_once(able_session: Session, person: Any) -> None:
    fill(able_session, person)
    bpy.context.scene.frame_set(8)
    seen = []
    for amount in (1.0, 0.0):
        bpy.ops.limber.how_much(amount=amount)
        bpy.context.view_layer.update()
        evaluated = person.evaluated_get(bpy.context.evaluated_depsgraph_get())
        seen.append(np.array(evaluated.pose.bones["left_elbow"].matrix_basis))
    assert np.abs(seen[0] - seen[1]).max() > 1e-4


def test_a_slider_that_moves_while_it_is_written_is_followed_and_undo_is_put_right(
    able_session: Session, person: Any
) -> None:
    result = fill(able_session, person)
    for amount in (0.2, 0.9, 0.6):  # as a timer does it, in the middle
        result["amount"] = amount
        able_session.amounts.want(person)
        able_session.amounts.advance(1e-6)
    while how_much.HALF_WRITTEN not in result.action:
        assert able_session.amounts.advance(1e-6)  # or it was written at once
    running.pump_until(able_session, lambda: not able_session.amounts.busy)
    assert how_much.written(result.action) == pytest.approx(0.6)
    assert how_much.HALF_WRITTEN not in result.action
    bpy.ops.ed.undo_push(message="slider at 0.6")
    result["amount"] = 0.1
    bpy.ops.ed.undo_push(message="slider at 0.1")  # as the window does when it is let go: the curves come later
    able_session.amounts.want(person)
    running.pump_until(able_session, lambda: not able_session.amounts.busy)
    for replay, amount in ((bpy.ops.ed.undo, 0.6), (bpy.ops.ed.redo, 0.1)):
        replay()
        running.pump_until(able_session, lambda: not able_session.amounts.busy)
        person = bpy.data.objects["Person"]
        result = properties.review(person).results[0]
        assert (result.amount, how_much.written(result.action)) == (pytest.approx(amount), pytest.approx(amount))
        assert result.key_change == 0.0
    result["amount"] = 1.0
    able_session.amounts.want(person)
    bpy.context.view_layer.objects.active = person
    bpy.ops.limber.accept()
    assert how_much.written(person.animation_data.action) == 1.0


@pytest.mark.parametrize("task", ["refine", "complete"])
def test_captured_motion_comes_back_to_what_it_was(able_session: Session, task: str) -> None:
    obj = characters.make_person()
    characters.capture_motion(obj, 30)
    before = characters.every_record(obj)
    asked: dict[str, Any] = {"task": task, "keep": "NONE", "bones": ("left_shoulder", "left_elbow")}
    result = fill(able_session, obj, **asked)
    shown = {bone: pose(obj, bone) for bone in asked["bones"]}
    bpy.ops.limber.how_much(amount=0.5)
    assert result.key_change == 0.0
    after = characters.every_record(obj)
    for channel, records in before.items():
        if not any(bone in channel[0] for bone in asked["bones"]):
            assert after[channel].tobytes() == records.tobytes()
    bpy.ops.limber.how_much(amount=0.0)
    if task == "refine":
        after = characters.every_record(obj)
        for channel, records in before.items():
            np.testing.assert_allclose(after[channel]["value"], records["value"], atol=1e-5)
    else:
        assert any(rotations.angle_between(shown[b], pose(obj, b)).max() > 0.01 for b in asked["bones"])


def test_what_cannot_be_changed_says_why(able_session: Session, person: Any) -> None:
    result = fill(able_session, person)
    able_session.amounts.forget()  # as after opening the file again
    with pytest.raises(RuntimeError, match="Make it again"):
        bpy.ops.limber.how_much(amount=0.5)
    assert result.amount == 1.0


def test_a_plan_that_says_how_much_is_written_so(able_session: Session, person: Any) -> None:
    outcome = headless.run(able_session, person, plans.Plan(1, 30, bundle="tiny", amount=0.25))
    assert outcome.key_change == 0.0
    result = properties.review(person).results[0]
    assert result.amount == json.loads(result.action[plans.PROVENANCE])["amount"] == 0.25
    half = characters.every_key(result.action)
    bpy.ops.limber.how_much(amount=1.0)
    bpy.ops.limber.how_much(amount=0.25)
    assert characters.every_key(result.action) == half
    assert jobs.current() is able_session
