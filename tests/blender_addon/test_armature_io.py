"""Armature -> Clip -> the same armature, whatever the bones, the object and the channels are like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import actions, armature_io, depsgraph, key_writer, keyframes, pose_model  # noqa: E402
from blender_addon.motion import rotations  # noqa: E402
from blender_addon.motion.clip import Clip  # noqa: E402
from blender_addon.motion.errors import InvalidRequestError, SkeletonError  # noqa: E402
from tests.blender_addon import armatures  # noqa: E402

SLOW = settings(max_examples=8, deadline=None)
FRAMES = np.arange(1.0, 21)
ODD = np.array([1.0, 2.25, 7.0, 10.5, 20.0])


def names(obj: Any) -> list[str]:
    return [b.name for b in obj.pose.bones]


def degrees(a: Clip, b: Clip) -> float:
    """Largest difference of any bone's orientation in the world."""
    return float(np.degrees(rotations.angle_between(a.forward()[0], b.forward()[0]).max()))


def round_trip(obj: Any, frames: np.ndarray = FRAMES, location: bool = True) -> tuple[Clip, Clip]:
    """Read, write onto an object without animation, read again."""
    clip = armature_io.read_clip(obj, frames)
    keys = keyframes.read_keys(obj, frames[0], frames[0] - 1)
    channels = armature_io.basis_channels(
        obj, clip, frames, names(obj), keys, names(obj)[0] if location else None
    )
    key_writer.write_action(obj, "again", channels, keys, frames[0], frames[-1])
    return clip, armature_io.read_clip(obj, frames)


@SLOW
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1]))
def test_poses_equal_blenders_own(seed: int, scale: float) -> None:
    obj = armatures.random_armature(seed)
    armatures.key_randomly(obj, (1, 10.5, 20), seed, scale=scale)
    infos = pose_model.bone_infos(obj)
    fast, world = armature_io._finish(armature_io.read_poses_steps(obj, infos, ODD))
    slow, world_too = armature_io._finish(depsgraph.visit(obj, ODD, [i.name for i in infos]))
    # Blender leaves shear of less than a ten-thousandth alone
    np.testing.assert_allclose(fast, slow, atol=1e-3 if scale else 5e-5)
    np.testing.assert_allclose(np.broadcast_to(world, world_too.shape), world_too, atol=1e-6)


def test_a_long_take_is_read_in_parts_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    obj = armatures.random_armature(5)
    armatures.key_randomly(obj, (1, 8, 20), 5)
    whole = armature_io.read_clip(obj, FRAMES)
    monkeypatch.setattr(armature_io, "AT_ONCE", 6)
    parts = armature_io.read_clip(obj, FRAMES)
    assert parts.skeleton.names == whole.skeleton.names
    assert degrees(parts, whole) < 1e-6
    np.testing.assert_allclose(parts.positions(), whole.positions(), atol=1e-9)


@SLOW
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1]))
def test_round_trip(seed: int, scale: float) -> None:
    obj = armatures.random_armature(seed)
    armatures.key_randomly(obj, (1, 8, 20), seed, scale=scale)
    obj.rotation_euler, obj.scale, obj.location = (1, 2, 3), (0.5, 0.5, 0.5), (4, 5, 6)
    before, after = round_trip(obj)
    assert degrees(before, after) < 0.01
    np.testing.assert_allclose(before.positions(), after.positions(), atol=1e-4)


@pytest.mark.parametrize("name", armatures.RIGS)
def test_round_trip_on_every_shared_rig(name: str) -> None:
    obj = armatures.load(name)
    for i, bone in enumerate(obj.pose.bones):
        bone.rotation_mode = armatures.MODES[i % len(armatures.MODES)]
    armatures.key_randomly(obj, (1, 20), 5, move=0.02)
    before, after = round_trip(obj)
    assert degrees(before, after) < 0.01


def test_basis_agrees_with_blenders_own_inverse() -> None:
    obj = armatures.random_armature(4)
    armatures.key_randomly(obj, (1, 20), 4)
    infos = pose_model.bone_infos(obj)
    poses, _ = armature_io._finish(armature_io.read_poses_steps(obj, infos, np.array([9.0])))
    from mathutils import Matrix

    for k, info in enumerate(infos):
        bone = obj.data.bones[info.name]
        matrix = Matrix(poses[0, k].tolist())
        kwargs = {}
        if info.parent >= 0:
            kwargs = {"parent_matrix": Matrix(poses[0, info.parent].tolist()),
                      "parent_matrix_local": Matrix(infos[info.parent].rest.tolist())}  # fmt: skip
        theirs = np.array(
            bone.convert_local_to_pose(matrix, bone.matrix_local, invert=True, **kwargs).to_quaternion()
        )
        ours = pose_model.solve_rotation(armature_io._transform(infos, k, poses),
                                         pose_model.orientation(poses[:, k]), np.ones((1, 3)))[0]  # fmt: skip
        assert np.degrees(rotations.angle_between(ours, theirs)) < 0.01, info.name


def placed(obj: Any, kind: str) -> None:
    """Give the object a hard place in the world."""
    obj.rotation_euler = (0.3, -0.7, 1.9)
    obj.location = (1, -2, 3)
    if kind == "mirrored":
        obj.scale = (-1, 1, 1)
    elif kind == "uneven":
        obj.scale = (1.0, 0.8, 1.3)
    elif kind in ("parented", "animated parent"):
        parent = bpy.data.objects.new("parent", None)
        bpy.context.collection.objects.link(parent)
        parent.rotation_euler, parent.scale = (1.1, 0.2, -0.6), (0.01, 0.01, 0.01)
        obj.parent = parent
        if kind == "animated parent":
            parent.keyframe_insert("rotation_euler", frame=1)
            parent.rotation_euler = (0, 0, 1)
            parent.keyframe_insert("rotation_euler", frame=20)
    elif kind == "animated object":
        for mode, prop in (("QUATERNION", "rotation_quaternion"),):
            obj.rotation_mode = mode
            obj.keyframe_insert(prop, frame=1)
            obj.rotation_quaternion = (0.3, 0.9, -0.2, 0.1)
            obj.keyframe_insert(prop, frame=20)
        obj.delta_location, obj.delta_rotation_quaternion = (0.5, 0, 0), (0.9, 0.1, 0, 0.4)


KINDS = ("plain", "mirrored", "uneven", "parented", "animated parent", "animated object")


@pytest.mark.parametrize("kind", KINDS)
def test_objects_anywhere(kind: str) -> None:
    obj = armatures.random_armature(2, 12)
    armatures.key_randomly(obj, (1, 20), 2)
    placed(obj, kind)
    before, after = round_trip(obj)
    assert degrees(before, after) < 0.01
    np.testing.assert_allclose(before.root_positions, after.root_positions, atol=1e-4)
    if kind in ("plain", "parented", "animated parent", "animated object"):
        infos = pose_model.bone_infos(obj)
        poses, world = armature_io._finish(depsgraph.visit(obj, FRAMES, [i.name for i in infos]))
        heads = np.einsum("fij,fkj->fki", world[:, :3, :3], poses[..., :3, 3]) + world[:, None, :3, 3]
        canonical = heads[..., [0, 2, 1]] * (1, 1, -1)
        np.testing.assert_allclose(after.positions(), canonical, atol=1e-4)


def test_axes_units_and_rest() -> None:
    obj = armatures.chain(2)
    obj.location = (1, 2, 3)
    scene = bpy.context.scene
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", 0.01
    skeleton = armature_io.read_skeleton(obj)
    q, p = skeleton.rest_global()
    np.testing.assert_allclose(p, [[0.01, 0.03, -0.02], [0.01, 0.04, -0.02]], atol=1e-9)
    np.testing.assert_allclose(skeleton.tips[0], [0, 0.01, 0], atol=1e-9)
    np.testing.assert_allclose(rotations.rotate(q[0], [0, 1, 0]), [0, 1, 0], atol=1e-6)  # up in both worlds
    np.testing.assert_allclose(rotations.rotate(q[0], [1, 0, 0]), [1, 0, 0], atol=1e-6)
    scene.unit_settings.system = "NONE"
    np.testing.assert_allclose(armature_io.read_skeleton(obj).offsets[0], [1, 3, -2], atol=1e-6)
    scene.render.fps, scene.render.fps_base = 30, 1.001
    assert armature_io.read_clip(obj, [1, 2]).fps == pytest.approx(29.97003)


def test_constraints_drivers_and_the_nla_are_evaluated() -> None:
    obj = armatures.chain(3)
    armatures.key_randomly(obj, (1, 20), 0, move=0)
    plain = armature_io.read_clip(obj, FRAMES)
    constraint = obj.pose.bones[1].constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget = obj, "bone 0"
    seen = armature_io.read_clip(obj, FRAMES)
    assert degrees(plain, seen) > 1
    q = seen.forward()[0]
    assert np.degrees(rotations.angle_between(q[:, 0], q[:, 1])).max() < 0.01
    constraint.mute = True
    assert degrees(plain, armature_io.read_clip(obj, FRAMES)) < 1e-4
    curve = obj.pose.bones[2].driver_add("rotation_quaternion", 1)
    curve.driver.expression = "0.8"
    assert degrees(plain, armature_io.read_clip(obj, FRAMES)) > 1


def test_evaluating_leaves_frame_and_unkeyed_pose_alone() -> None:
    obj = armatures.chain(3)
    armatures.key_randomly(obj, (1, 20), 0)
    obj.pose.bones[1].constraints.new("LIMIT_ROTATION")
    bpy.context.scene.frame_set(7)
    obj.pose.bones[0].rotation_quaternion = (0.5, 0.5, -0.5, 0.5)  # posed, not keyed
    bpy.context.view_layer.update()
    shown = np.array(obj.pose.bones[2].matrix)
    steps = armature_io.read_clip_steps(obj, FRAMES)
    for _ in steps:
        assert bpy.context.scene.frame_current == 7
    assert bpy.context.scene.frame_current == 7
    assert tuple(obj.pose.bones[0].rotation_quaternion) == (0.5, 0.5, -0.5, 0.5)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(np.array(obj.pose.bones[2].matrix), shown, atol=1e-6)


def test_what_blender_does_not_evaluate_is_an_error() -> None:
    obj = armatures.chain(2)
    obj.pose.bones[0].constraints.new("LIMIT_ROTATION")
    obj.data.pose_position = "REST"
    with pytest.raises(InvalidRequestError, match="Pose Position"):
        armature_io.read_clip(obj, FRAMES)
    obj.data.pose_position = "POSE"
    obj.hide_set(True)
    with pytest.raises(InvalidRequestError, match="hidden"):
        armature_io.read_clip(obj, FRAMES)
    obj.hide_set(False)
    obj.scale = (0, 1, 1)
    with pytest.raises(InvalidRequestError, match="zero"):
        armature_io.read_clip(obj, FRAMES)
    with pytest.raises(InvalidRequestError, match="no armature"):
        armature_io.read_skeleton(None)
    with pytest.raises(SkeletonError, match="no bones"):
        armature_io.read_skeleton(armatures.empty_object())


# -- writing ----------------------------------------------------------------------------------------


def turned(clip: Clip, seed: int = 0) -> Clip:
    """Another motion on the same bones."""
    rng = np.random.default_rng(seed)
    spin = rotations.from_axis_angle(rng.normal(size=(1, clip.rotations.shape[1], 3)))
    return Clip(clip.skeleton, rotations.multiply(clip.rotations, np.broadcast_to(spin, clip.rotations.shape)),
                clip.root_positions + 0.3, clip.fps)  # fmt: skip


def test_locked_channels_are_left_out() -> None:
    obj = armatures.chain(4)
    euler, quaternion, four, whole = obj.pose.bones
    euler.rotation_mode = "XYZ"
    euler.lock_rotation[1] = True
    euler.lock_location[2] = True
    quaternion.lock_rotation[0], quaternion.lock_rotations_4d = True, False  # holds an Euler angle
    four.lock_rotations_4d = True
    four.lock_rotation_w = True
    whole.lock_rotation = (True, True, True)
    clip = turned(armature_io.read_clip(obj, FRAMES))
    channels = armature_io.basis_channels(obj, clip, FRAMES, names(obj), pelvis="bone 0")
    paths = {b: {i for (p, i) in channels if p.startswith(f'pose.bones["{b}"].rot')} for b in names(obj)}
    assert paths == {"bone 0": {0, 2}, "bone 1": {0, 1, 2, 3}, "bone 2": {1, 2, 3}, "bone 3": set()}
    assert {i for p, i in channels if p.endswith("location")} == {0, 1}
    values = np.stack([channels['pose.bones["bone 1"].rotation_quaternion', i][1] for i in range(4)], -1)
    assert np.abs(rotations.to_euler(values, "ZYX")[:, 2]).max() < 1e-6


def test_children_make_up_for_what_is_locked_above() -> None:
    obj = armatures.chain(2)
    obj.pose.bones[0].lock_rotation = (True, True, True)
    clip = turned(armature_io.read_clip(obj, FRAMES))
    channels = armature_io.basis_channels(obj, clip, FRAMES, names(obj))
    key_writer.write_action(obj, "new", channels)
    q, wanted = armature_io.read_clip(obj, FRAMES).forward()[0], clip.forward()[0]
    assert np.degrees(rotations.angle_between(q[:, 1], wanted[:, 1])).max() < 0.01


@pytest.mark.parametrize("where", ["bone", "root", "object"])
def test_the_place_goes_where_it_can(where: str) -> None:
    obj = armatures.chain(3)
    obj.rotation_euler, obj.scale = (0.2, 0.4, -0.9), (2, 2, 2)
    bpy.ops.object.mode_set(mode="EDIT")
    obj.data.edit_bones[1].use_connect = where != "bone"
    bpy.ops.object.mode_set(mode="OBJECT")
    if where == "object":
        obj.pose.bones[0].lock_location = (True, True, True)
    clip = turned(armature_io.read_clip(obj, FRAMES))
    channels = armature_io.basis_channels(obj, clip, FRAMES, ["bone 1", "bone 2"], pelvis="bone 1")
    path = {
        "bone": 'pose.bones["bone 1"].location',
        "root": 'pose.bones["bone 0"].location',
        "object": "location",
    }
    assert {p for p, _ in channels if p.endswith("location")} == {path[where]}
    key_writer.write_action(obj, "new", channels)
    again = armature_io.read_clip(obj, FRAMES)
    np.testing.assert_allclose(again.positions()[:, 1], clip.positions()[:, 1], atol=1e-4)


def test_nowhere_to_put_the_place() -> None:
    obj = armatures.chain(1)
    obj.pose.bones[0].lock_location = obj.lock_location = (True, True, True)
    with pytest.raises(InvalidRequestError, match="Unlock"):
        armature_io.basis_channels(obj, armature_io.read_clip(obj, FRAMES), FRAMES, [], pelvis="bone 0")


@pytest.mark.parametrize("mode", armatures.MODES)
def test_values_continue_the_animators(mode: str) -> None:
    """Turns of 300 degrees keyed as such: curves go on from the keys, with no jump of their own."""
    obj = armatures.chain(1)
    bone = obj.pose.bones[0]
    bone.rotation_mode = mode
    prop = pose_model.rotation_property(mode)
    turns = np.radians([0.0, 300.0, 600.0])
    for frame, angle in zip((1, 21, 41), turns, strict=True):
        if mode == "QUATERNION":
            value = (np.cos(angle / 2), 0, 0, np.sin(angle / 2))
        elif mode == "AXIS_ANGLE":
            value = (angle, 0, 0, 1)
        else:
            value = (0, 0, angle)
        setattr(bone, prop, value)
        bone.keyframe_insert(prop, frame=frame)
    for fcurve in actions.fcurves(obj):
        for key in fcurve.keyframe_points:
            key.interpolation = "LINEAR"
    frames = np.arange(1.0, 42)
    keys = keyframes.read_keys(obj, 1, 41)
    angle = np.interp(frames, (1, 21, 41), turns)
    q = np.stack([np.cos(angle / 2), 0 * angle, 0 * angle, np.sin(angle / 2)], -1)
    clip = armature_io.read_clip(obj, frames)
    clip = Clip(
        clip.skeleton, rotations.multiply(clip.skeleton.rest_rotations[0], q)[:, None], clip.root_positions
    )
    channels = armature_io.basis_channels(obj, clip, frames, ["bone 0"], keys)
    key_writer.write_action(obj, "new", channels, keys)
    size = len(getattr(bone, prop))
    curves = pose_model.Curves(obj)
    values = curves.values(keyframes.bone_path("bone 0", prop), (0.0,) * size, frames)
    assert np.abs(np.diff(values, axis=0)).max() < np.radians(16)
    assert keyframes.largest_key_change(keys, obj.animation_data.action) == 0.0


def test_residuals_lead_the_curve_through_the_keys() -> None:
    obj = armatures.random_armature(9, 10)
    for bone in obj.data.bones:
        bone.use_inherit_rotation = True
        bone.inherit_scale = "FULL"
    armatures.key_randomly(obj, (1, 10, 20), 9, turn=0.2, move=0.05)
    keys = keyframes.read_keys(obj, 1, 20)
    own = armature_io.read_clip(obj, FRAMES)
    other = Clip(own.skeleton, turned(own).rotations, own.root_positions, own.fps, own.translations)
    channels = armature_io.basis_channels(obj, other, FRAMES, names(obj), keys, names(obj)[0], residuals=True)
    key_writer.write_action(obj, "new", channels, keys)
    assert keyframes.largest_key_change(keys, obj.animation_data.action) == 0.0
    result = armature_io.read_clip(obj, FRAMES)
    at = [0, 9, 19]
    off = np.degrees(rotations.angle_between(result.forward()[0][at], own.forward()[0][at]))
    assert off.max() < 0.01
    # no pop beside a key: one frame away the pose has moved by little
    steps = np.degrees(rotations.angle_between(result.rotations[1:], result.rotations[:-1]))
    assert (
        steps.max() < 3 * np.degrees(rotations.angle_between(own.rotations[1:], own.rotations[:-1])).max() + 5
    )


def test_frames_and_clip_must_agree() -> None:
    obj = armatures.chain(1)
    clip = armature_io.read_clip(obj, FRAMES)
    with pytest.raises(InvalidRequestError, match="frames"):
        armature_io.basis_channels(obj, clip, FRAMES[:-1], ["bone 0"])
