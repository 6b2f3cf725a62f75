"""Retargeting in the open file: operators and panel, on real armatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import keyframes, whole_motion  # noqa: E402
from blender_addon.motion import bvh  # noqa: E402
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
