"""Generated Rigify rigs: posed with IK or FK, filled on FK, every key in place, what is seen unchanged at it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import actions, armature_io, character_io, key_writer, keyframes, rigify_io  # noqa: E402
from blender_addon.motion import bone_maps, constraints, interpolation, retarget, rotations  # noqa: E402
from blender_addon.motion.bone_maps import BoneMap  # noqa: E402
from blender_addon.motion.clip import Clip  # noqa: E402
from blender_addon.motion.skeleton import INDEX  # noqa: E402
from tests.blender_addon import armatures  # noqa: E402

BODY = ("torso", "neck", "head", "shoulder.L", "shoulder.R", "spine_fk.002", "spine_fk.003")
FK = tuple(f"{b}.{s}" for s in "LR" for b in ("upper_arm_fk", "forearm_fk", "hand_fk", "thigh_fk", "shin_fk",
                                               "foot_fk", "toe_fk"))  # fmt: skip
IK = tuple(f"{b}.{s}" for s in "LR" for b in ("hand_ik", "foot_ik"))
FRAMES = (1, 12, 25)


def pose(obj: Any, bones: Iterable[str], seed: int = 0, frames: tuple[float, ...] = FRAMES) -> None:
    """Key controls at random, small enough for a body."""
    armatures.key_randomly(obj, frames, seed, turn=0.15, move=0, bones=list(bones))
    rng = np.random.default_rng(seed)
    for name in ("torso", *(b for b in bones if "_ik" in b)):
        for frame in frames:
            obj.pose.bones[name].location = (0.05 * rng.normal(size=3)).tolist()
            obj.pose.bones[name].keyframe_insert("location", frame=frame)


def use_fk(obj: Any) -> None:
    for s in "LR":
        obj.pose.bones[f"upper_arm_parent.{s}"]["IK_FK"] = 1.0
        obj.pose.bones[f"thigh_parent.{s}"]["IK_FK"] = 1.0


def read(obj: Any) -> tuple[BoneMap, keyframes.Keys, character_io.Capture]:
    bone_map = bone_maps.find(armature_io.read_skeleton(obj))
    keys = keyframes.read_keys(obj, FRAMES[0], FRAMES[-1])
    return bone_map, keys, character_io.capture(obj, bone_map, keys)


def fill(bone_map: BoneMap, captured: character_io.Capture) -> Clip:
    """Plain interpolation, by the way that every result takes."""
    rig = retarget.make_rig(captured.clip.skeleton, bone_map, captured.clip)
    request = constraints.inbetween(retarget.to_canonical(captured.clip, rig), captured.joints.any(1),
                                    captured.joints, captured.root)  # fmt: skip
    return retarget.from_canonical(interpolation.fill(request), rig, captured.clip)


def seen(obj: Any, bone_map: BoneMap, frames: Iterable[float]) -> Clip:
    return armature_io._finish(rigify_io.read_clip_steps(obj, bone_map, np.array(list(frames), np.float64)))


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(rotations.angle_between(a, b))


@pytest.mark.parametrize("way", ["FK", "IK"])
def test_filled_with_every_key_in_place(rigify_rig: Any, way: str) -> None:
    obj = rigify_rig
    if way == "FK":
        use_fk(obj)
    pose(obj, (*BODY, *(FK if way == "FK" else IK), "hips", "chest", "f_index.01.L"))
    bone_map, keys, captured = read(obj)
    assert rigify_io.is_control_rig(obj, bone_map)
    assert captured.frames.tolist() == list(FRAMES)
    assert captured.joints.sum() == 22 * len(FRAMES)
    before = seen(obj, bone_map, FRAMES)
    original = obj.animation_data.action
    untouched = {(f.data_path, f.array_index): keyframes.read_records(f) for f in actions.fcurves(obj)
                 if "f_index" in f.data_path or "chest" in f.data_path}  # fmt: skip
    result = fill(bone_map, captured)
    channels = character_io.result_channels(obj, bone_map, captured, result, keys)
    action = key_writer.write_action(obj, "filled", channels, keys)
    # 1. the keys, bit for bit, and what has no role
    assert keyframes.largest_key_change(keys, action, obj.animation_data.action_slot) == 0.0
    for f in actions.fcurves(obj):
        if (f.data_path, f.array_index) in untouched:
            assert (keyframes.read_records(f) == untouched[f.data_path, f.array_index]).all()
    # 2. at the keys the character looks as it did
    after = seen(obj, bone_map, FRAMES)
    assert degrees(before.forward()[0], after.forward()[0]).max() < 0.01
    np.testing.assert_allclose(before.positions(), after.positions(), atol=1e-4)
    # 3. between them it moves as the result says; only the chest's two spine bones are led by the keys
    between = np.array([f for f in captured.scene_frames if f not in FRAMES])
    got, rows = seen(obj, bone_map, between), (between - captured.first).astype(int)
    off = degrees(got.forward()[0], result.forward()[0][rows]).max(0)
    led = {"spine_fk.002"}
    assert max(x for x, n in zip(off, got.skeleton.names, strict=True) if n not in led) < 0.05
    np.testing.assert_allclose(got.root_positions, result.root_positions[rows], atol=1e-3)
    # 4. back again
    actions.discard(obj, action)
    assert obj.animation_data.action == original
    assert degrees(before.forward()[0], seen(obj, bone_map, FRAMES).forward()[0]).max() < 1e-3


def test_switches_are_the_animators_at_the_keys_and_outside(rigify_rig: Any) -> None:
    obj = rigify_rig
    pose(obj, (*BODY, *IK))
    obj.pose.bones["thigh_parent.L"].keyframe_insert('["IK_FK"]', frame=12)
    bone_map, keys, captured = read(obj)
    channels = character_io.result_channels(obj, bone_map, captured, fill(bone_map, captured), keys)
    key_writer.write_action(obj, "filled", channels, keys)
    bag = actions.channelbag(obj.animation_data.action, obj.animation_data.action_slot)
    for bone, prop, generated, own in (("upper_arm_parent.R", "IK_FK", 1.0, 0.0), ("thigh_parent.L", "IK_FK", 1.0, 0.0),
                                       ("torso", "head_follow", 1.0, 0.0), ("torso", "neck_follow", 1.0, 0.5)):
        curve = bag.fcurves.find(f'pose.bones["{bone}"]["{prop}"]')
        assert [curve.evaluate(f) for f in (0, 26, *FRAMES)] == [own] * 5, bone
        assert {curve.evaluate(f) for f in range(2, 25) if f not in FRAMES} == {generated}, bone
    assert bag.fcurves.find('pose.bones["upper_arm_parent.L"]["FK_limb_follow"]') is None  # 0 already


def test_authorship_by_control(rigify_rig: Any) -> None:
    obj = rigify_rig
    pose(obj, ("torso",))
    armatures.key_randomly(obj, (12,), 1, move=0, bones=["hand_ik.L", "head"])
    armatures.key_randomly(obj, (18,), 1, move=0, bones=["forearm_fk.R"])
    _, _, captured = read(obj)
    known = {joint: sorted(np.flatnonzero(captured.joints[:, j]) + 1) for joint, j in INDEX.items()}
    assert known["pelvis"] == [1, 12, 25]
    assert known["head"] == [12]
    assert known["left_shoulder"] == known["left_elbow"] == known["left_wrist"] == [12]
    assert known["right_elbow"] == known["right_shoulder"] == [18]  # seen through IK, so all of the arm
    assert known["left_knee"] == known["spine1"] == known["neck"] == []
    assert (np.flatnonzero(captured.root) + 1).tolist() == [1, 12, 25]


def test_fk_bones_are_authored_one_by_one(rigify_rig: Any) -> None:
    obj = rigify_rig
    use_fk(obj)
    pose(obj, ("torso",))
    armatures.key_randomly(obj, (12,), 1, move=0, bones=["forearm_fk.R"])
    _, _, captured = read(obj)
    assert captured.joints[11, INDEX["right_elbow"]]
    assert not captured.joints[:, INDEX["right_shoulder"]].any()


def test_partly_keyed_bodies_are_filled_around_the_keys(rigify_rig: Any) -> None:
    """One arm keyed in the middle: the rest of the body moves, that arm's pose is what it was."""
    obj = rigify_rig
    use_fk(obj)
    obj.rotation_euler, obj.scale = (0, 0, 1.2), (1.5, 1.5, 1.5)
    pose(obj, (*BODY, *FK), frames=(1, 25))
    armatures.key_randomly(obj, (12.5,), 3, move=0, bones=["upper_arm_fk.L", "forearm_fk.L", "hand_fk.L"])
    bone_map, keys, captured = read(obj)
    channels = character_io.result_channels(obj, bone_map, captured, fill(bone_map, captured), keys)
    action = key_writer.write_action(obj, "filled", channels, keys)
    assert keyframes.largest_key_change(keys, action, obj.animation_data.action_slot) == 0.0
    curve = actions.channelbag(action, obj.animation_data.action_slot).fcurves.find(
        'pose.bones["forearm_fk.L"].rotation_quaternion', index=1)  # fmt: skip
    assert 12.5 in [k.co[0] for k in curve.keyframe_points]
    assert len(curve.keyframe_points) == 26


def test_moving_root_and_hips_are_followed(rigify_rig: Any) -> None:
    """Controls that are not written but move what is: root, hips, chest."""
    obj = rigify_rig
    use_fk(obj)
    pose(obj, (*BODY, *FK))
    armatures.key_randomly(obj, FRAMES, 5, turn=0.3, move=0.3, bones=["root", "hips", "chest"])
    bone_map, keys, captured = read(obj)
    result = fill(bone_map, captured)
    channels = character_io.result_channels(obj, bone_map, captured, result, keys)
    key_writer.write_action(obj, "filled", channels, keys)
    off = armature_io._finish(rigify_io.pose_error_steps(obj, bone_map, result, captured.scene_frames, 6))
    got = seen(obj, bone_map, captured.scene_frames)
    each = degrees(got.forward()[0], result.forward()[0]).max(0)
    assert off <= each.max() + 1e-6
    assert max(x for x, n in zip(each, got.skeleton.names, strict=True) if n != "spine_fk.002") < 0.05
    np.testing.assert_allclose(got.root_positions, result.root_positions, atol=1e-3)
