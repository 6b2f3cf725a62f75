"""Retargeting in the open file: operators and panel, on real armatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from mathutils import Euler  # noqa: E402

from blender_addon import actions, keyframes, retargeting, whole_motion  # noqa: E402
from blender_addon.batch import bulk  # noqa: E402
from blender_addon.motion import bvh  # noqa: E402
from blender_addon.operators import retarget as operator  # noqa: E402
from tests.blender_addon import characters  # noqa: E402
from tests.motion.walking import walk  # noqa: E402


@pytest.fixture
def pair(addon: None) -> tuple[Any, Any]:
    """A source with a captured Action and an active target."""
    source = characters.make_person("Actor")
    characters.capture_motion(source, 20)
    target = characters.make_person("Hero")
    bpy.context.scene.limber_retarget.source = source
    return source, target


def test_the_action_goes_over_and_the_source_stays_as_it_was(pair: tuple[Any, Any]) -> None:
    source, target = pair
    action, slot = source.animation_data.action, source.animation_data.action_slot
    before = keyframes.read_keys(source, 1, 20)
    assert bpy.ops.limber.retarget() == {"FINISHED"}
    made = target.animation_data.action
    assert made is not None
    assert made != action
    assert made.frame_range[:] == action.frame_range[:]
    assert (source.animation_data.action, source.animation_data.action_slot) == (action, slot)
    assert keyframes.largest_key_change(before, action) == 0.0
    for frame in (1, 9, 20):
        bpy.context.scene.frame_set(frame)
        a, b = (
            (o.pose.bones["left_elbow"].head - o.pose.bones["left_shoulder"].head).normalized() for o in pair
        )
        assert a.angle(b) < np.radians(0.1)


def test_every_action_on_the_nla_goes_over(pair: tuple[Any, Any]) -> None:
    source, target = pair
    data = source.animation_data
    for name in ("One", "Two"):
        copy = data.action.copy()
        copy.name = name
        data.nla_tracks.new().strips.new(name, 1, copy)
    bpy.context.scene.limber_retarget.what = "NLA"
    assert bpy.ops.limber.retarget() == {"FINISHED"}
    assert {"One", "Two", "One.001", "Two.001"} <= {a.name for a in bpy.data.actions}
    assert target.animation_data.action.name == "One.001"
    assert data.use_nla


def test_a_folder_of_files_and_one_that_is_broken(addon: None, tmp_path: Path) -> None:
    target = characters.make_person("Hero")
    bvh.save(tmp_path / "walk.bvh", walk(steps=2)[0])
    (tmp_path / "bad.bvh").write_text("")
    chosen = bpy.context.scene.limber_retarget
    chosen.what, chosen.path = "FILES", str(tmp_path)
    assert bpy.ops.limber.retarget() == {"FINISHED"}
    assert target.animation_data.action.name == "walk"
    chosen.path = str(tmp_path / "bad.bvh")
    with pytest.raises(RuntimeError, match="empty"):
        bpy.ops.limber.retarget()


def test_a_changed_bone_is_kept_on_the_armature_and_as_json(pair: tuple[Any, Any], tmp_path: Path) -> None:
    _, target = pair
    assert bpy.ops.limber.retarget_bone(side="TARGET", role="left_wrist", bone="") == {"FINISHED"}
    kept = whole_motion.kept_map(target)
    assert kept is not None
    assert "left_wrist" not in kept.bones
    assert bpy.ops.limber.retarget_save_map(filepath=str(tmp_path / "map.json")) == {"FINISHED"}
    assert "left_wrist" not in json.loads((tmp_path / "map.json").read_text())["bones"]
    assert bpy.ops.limber.retarget_forget() == {"FINISHED"}
    assert whole_motion.kept_map(target) is None
    assert bpy.ops.limber.retarget_load_map(filepath=str(tmp_path / "map.json")) == {"FINISHED"}
    assert whole_motion.kept_map(target) == kept
    with pytest.raises(RuntimeError, match="has no 'nobody'"):
        bpy.ops.limber.retarget_bone(side="TARGET", role="left_wrist", bone="nobody")


def test_a_t_pose_posed_by_hand_is_what_limbs_are_measured_from(pair: tuple[Any, Any]) -> None:
    _, target = pair
    assert bpy.ops.limber.retarget_t_pose(side="TARGET") == {"FINISHED"}
    kept = whole_motion.kept_map(target)
    assert kept is not None
    assert len(kept.reference) == 22
    assert whole_motion.describe(target, bone_map=kept).rig.source == "preset"
    assert bpy.ops.limber.retarget() == {"FINISHED"}


def test_the_button_says_why_it_cannot_be_pressed(addon: None) -> None:
    from blender_addon.operators import retarget

    assert "Select the armature" in retarget.why_not(bpy.context)
    target = characters.make_person("Hero")
    assert "Choose the armature" in retarget.why_not(bpy.context)
    bpy.context.scene.limber_retarget.source = target
    assert "same armature" in retarget.why_not(bpy.context)


# -- piece by piece -----------------------------------------------------------------------------------


def begun(pair: tuple[Any, Any]) -> retargeting.Retargeting:
    """A run that nothing drives yet."""
    return retargeting.Retargeting(operator.asked(bpy.context))


def test_between_two_steps_both_armatures_play_their_own(pair: tuple[Any, Any]) -> None:
    source, target = pair
    own = bpy.data.actions.new("Own")
    target.animation_data_create().action = own
    bpy.context.scene.frame_set(7)
    run, steps, shares = begun(pair), 0, [0.0]
    while run.state == retargeting.RUNNING:
        run.step()
        steps += 1
        if run.state == retargeting.RUNNING:
            assert target.animation_data.action == own
            assert source.animation_data.action.name == "Take"
            assert bpy.context.scene.frame_current == 7
            assert run.share >= shares[-1]
            shares.append(run.share)
    assert run.state == retargeting.DONE, run.problem
    assert steps > 90, "every bone read and every curve written is a step"
    assert target.animation_data.action.name == run.made[0][0]
    assert run.made[0][1]["limb_error"] < 0.1
    assert own.use_fake_user


def test_ticks_lead_to_the_end_and_tell_when_it_is_over(pair: tuple[Any, Any]) -> None:
    run, ticks = begun(pair), 1
    while run.tick() is not None:
        ticks += 1
    assert ticks > 1
    assert run.state == retargeting.DONE, run.problem
    assert run.tick() is None


def test_the_same_curves_come_of_pieces_as_of_the_whole(pair: tuple[Any, Any], monkeypatch: Any) -> None:
    _, target = pair
    for k, bone in enumerate(target.pose.bones):
        bone.rotation_mode = ("QUATERNION", "XYZ", "ZXY")[k % 3]
    values = []
    for piece in (3, 1000):
        monkeypatch.setattr(retargeting, "PIECE", piece)
        run = begun(pair)
        run.run()
        assert run.state == retargeting.DONE, run.problem
        action = bpy.data.actions[run.made[0][0]]
        values.append({(f.data_path, f.array_index): keyframe_values(f) for f in actions.fcurves(target)})
        target.animation_data.action = None
        bpy.data.actions.remove(action)
    assert values[0].keys() == values[1].keys()
    for key, x in values[0].items():
        np.testing.assert_allclose(x, values[1][key], atol=1e-4, err_msg=str(key))


def keyframe_values(curve: Any) -> np.ndarray:
    out = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", out)
    return out[1::2]


@pytest.mark.parametrize("after", [3, 60, 95])
def test_cancel_leaves_nothing_half_made(pair: tuple[Any, Any], after: int) -> None:
    source, target = pair
    before = {a.name for a in bpy.data.actions}
    run = begun(pair)
    for _ in range(after):
        run.step()
    assert run.state == retargeting.RUNNING
    run.cancel()
    assert run.state == retargeting.CANCELLED
    assert {a.name for a in bpy.data.actions} == before
    assert target.animation_data is None or target.animation_data.action is None
    assert source.animation_data.action.name == "Take"


def test_a_deleted_armature_ends_the_run(pair: tuple[Any, Any]) -> None:
    _, target = pair
    run = begun(pair)
    for _ in range(40):
        run.step()
    bpy.data.objects.remove(target)
    run.step()
    assert run.state == retargeting.FAILED
    assert "deleted" in run.problem


def test_undo_and_another_file_end_the_run(pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun(pair)
    monkeypatch.setattr(retargeting, "_latest", run)
    for _ in range(120):
        run.step()
    with pytest.raises(RuntimeError, match="going on"):
        bpy.ops.limber.retarget()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert run.state == retargeting.FAILED
    assert "another file" in run.problem


@given(st.permutations("XYZ"), st.lists(st.floats(-8, 8), min_size=3, max_size=3), st.booleans(),
       st.lists(st.integers(-2, 2), min_size=3, max_size=3))  # fmt: skip
def test_euler_angles_go_on_where_the_last_piece_ended(
    order: list[str], last: list[float], flipped: bool, turns: list[int]
) -> None:
    """Whatever triple of a rotation is given, what comes back is the one that was left off at."""
    given_ = np.array(last) + 2 * np.pi * np.array(turns)
    if flipped:
        middle = "XYZ".index(order[1])
        given_ = np.where(np.arange(3) == middle, np.pi - given_, given_ + np.pi)
    out = bulk.continued(given_[None], np.array(last), "".join(order))
    angles = [Euler(x, "".join(order)).to_quaternion() for x in (out[0], last)]
    assert abs(angles[0].dot(angles[1])) == pytest.approx(1, abs=1e-5)
    assert np.abs(out[0] - last).sum() <= np.abs(given_ - last).sum() + 1e-9
    np.testing.assert_allclose(out[0], last, atol=1e-6)
