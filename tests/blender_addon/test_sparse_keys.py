"""Few keys in Blender: its own evaluation stays within the tolerance, and the animator's keys are untouched."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import actions, armature_io, key_writer, keyframes, plans, properties  # noqa: E402
from blender_addon.jobs import Session  # noqa: E402
from blender_addon.motion import rotations  # noqa: E402
from blender_addon.sparse_keys import Tolerance  # noqa: E402
from tests.blender_addon import armatures, characters  # noqa: E402
from tests.blender_addon.test_keyframes import disturb_keys  # noqa: E402

FRAMES = np.arange(1, 91)


def swinging(obj: Any, mode: str) -> dict[keyframes.ChannelId, tuple]:
    """Every bone swings about an axis of its own and drifts, on every frame."""
    out: dict[keyframes.ChannelId, tuple] = {}
    for n, bone in enumerate(obj.pose.bones):
        bone.rotation_mode = mode
        angle = 0.6 * np.sin(2 * np.pi * FRAMES / 30 + n)
        q = rotations.from_axis_angle(angle[:, None] * rotations.normalize(np.array([1.0, 0.3 * n, 0.5])))
        turned = q if mode == "QUATERNION" else rotations.to_euler(q, mode)
        prop = "rotation_quaternion" if mode == "QUATERNION" else "rotation_euler"
        for i in range(turned.shape[1]):
            out[keyframes.bone_path(bone.name, prop), i] = (FRAMES, turned[:, i])
        for i in range(3):
            out[keyframes.bone_path(bone.name, "location"), i] = (FRAMES, 0.1 * np.cos(FRAMES / 20 + i))
    return out


def evaluated(obj: Any, path: str, count: int) -> np.ndarray:
    """What Blender makes of a property at every frame. ``(F, count)``."""
    curves = {c.array_index: c for c in actions.fcurves(obj) if c.data_path == path}
    return np.array([[curves[i].evaluate(frame) for i in range(count)] for frame in FRAMES])


def keyed_share(obj: Any) -> float:
    """Keys a channel, of the frames there are."""
    return float(np.mean([len(c.keyframe_points) for c in actions.fcurves(obj)])) / len(FRAMES)


@pytest.mark.parametrize("mode", ["QUATERNION", "ZXY"])
def test_blender_stays_within_the_tolerance(mode: str) -> None:
    obj = armatures.chain(3)
    channels = swinging(obj, mode)
    key_writer.write_action(obj, "all", channels, keyframes.Keys(1, 90, {}), 1, 90)
    places = armature_io.read_clip(obj, FRAMES).positions()
    key_writer.write_action(obj, "sparse", channels, keyframes.Keys(1, 90, {}), 1, 90, tolerance=Tolerance(1.0, 5.0))
    assert keyed_share(obj) < 0.25
    off = np.linalg.norm(armature_io.read_clip(obj, FRAMES).positions() - places, axis=-1)
    assert off.max() <= 0.005001  # errors along the chain do not add up
    for bone in obj.pose.bones:
        prop, count = ("rotation_quaternion", 4) if mode == "QUATERNION" else ("rotation_euler", 3)
        path = keyframes.bone_path(bone.name, prop)
        dense = np.stack([channels[path, i][1] for i in range(count)], -1)
        found = evaluated(obj, path, count)
        as_quaternions = (rotations.normalize if count == 4 else lambda e: rotations.from_euler(e, mode))
        off = rotations.angle_between(as_quaternions(found), as_quaternions(dense))
        assert np.degrees(off).max() <= 1.001
        path = keyframes.bone_path(bone.name, "location")
        dense = np.stack([channels[path, i][1] for i in range(3)], -1)
        assert np.linalg.norm(evaluated(obj, path, 3) - dense, axis=-1).max() <= 0.005001


@pytest.mark.parametrize("seed", range(4))
def test_the_animators_keys_are_untouched_and_the_rest_is_near(seed: int) -> None:
    obj = armatures.chain(3)
    channels = swinging(obj, "QUATERNION")
    armatures.key_randomly(obj, (1, 20, 41.5, 60, 90), seed)
    disturb_keys(obj, seed)
    keys = keyframes.read_keys(obj, 1, 90)
    action = key_writer.write_action(obj, "sparse", channels, keys, tolerance=Tolerance())
    assert keyframes.largest_key_change(keys, action) == 0.0
    assert keyframes.read_keys(obj, 1, 90).frames.tolist() == keys.frames.tolist()  # ours are marked
    apart = np.abs(FRAMES[:, None] - keys.frames).min(1) >= 1
    for bone in obj.pose.bones:
        path = keyframes.bone_path(bone.name, "rotation_quaternion")
        dense = np.stack([channels[path, i][1] for i in range(4)], -1)[apart]
        off = rotations.angle_between(rotations.normalize(evaluated(obj, path, 4)[apart]), dense)
        assert np.degrees(off).max() <= 1.001
    assert keyed_share(obj) < 0.4


def test_custom_properties_and_steps_keep_every_frame() -> None:
    obj = armatures.chain(1)
    obj.pose.bones[0]["IK_FK"] = 0.0
    path = 'pose.bones["bone 0"]["IK_FK"]'
    written = {(path, 0): (FRAMES, np.zeros(90)),
               (keyframes.bone_path("bone 0", "scale"), 0): (FRAMES, np.ones(90), "CONSTANT")}  # fmt: skip
    key_writer.write_action(obj, "all", written, keyframes.Keys(1, 90, {}), 1, 90, tolerance=Tolerance())
    assert keyed_share(obj) == 1.0


def test_a_run_is_sparse_and_is_made_again_the_same(session: Session) -> None:
    person = characters.make_person()
    characters.key_poses(person)
    before = keyframes.read_keys(person, 1, 30)
    settings = properties.settings(bpy.context.scene)
    settings.range_mode, settings.start, settings.end = "OWN", 1, 30
    assert plans.from_settings(person, bpy.context.scene, settings).tolerance is not None  # the default
    settings.keys = "EVERY"
    assert bpy.ops.limber.inbetween() == {"FINISHED"}
    dense = sum(len(c.keyframe_points) for c in actions.fcurves(person))
    bpy.ops.limber.discard()
    settings.keys, settings.degrees, settings.millimetres = "SPARSE", math.radians(2), 7
    bpy.ops.limber.inbetween()
    bpy.ops.limber.accept()
    first = person.animation_data.action
    assert sum(len(c.keyframe_points) for c in actions.fcurves(person)) < 0.6 * dense
    assert keyframes.largest_key_change(before, first) == 0.0
    made = plans.from_action(person).tolerance
    assert made is not None
    assert (made.degrees, made.millimetres) == (pytest.approx(2), 7)
    settings.keys = "EVERY"  # what the result says counts, not the panel
    assert bpy.ops.limber.make_again() == {"FINISHED"}
    again, once = characters.every_key(person.animation_data.action), characters.every_key(first)
    assert {channel: len(keys) for channel, keys in again.items()} == {c: len(keys) for c, keys in once.items()}


def test_what_has_to_be_exact_is_keyed_there_with_all_above_it() -> None:
    obj = armatures.chain(3)
    channels, at = swinging(obj, "QUATERNION"), np.array([33, 34, 52])
    steps = key_writer.write_action_steps(obj, "exact", channels, keyframes.Keys(1, 90, {}), 1, 90, True, Tolerance(),
                                          {"bone 1": at})  # fmt: skip
    for _ in steps:
        pass
    for curve in actions.fcurves(obj):
        keyed = dict(tuple(key.co) for key in curve.keyframe_points)
        if "bone 2" not in curve.data_path:
            wanted = channels[curve.data_path, curve.array_index][1][at - 1]
            assert [keyed[frame] for frame in at] == pytest.approx(wanted, abs=1e-6)
    assert keyed_share(obj) < 0.3
