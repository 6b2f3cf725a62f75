"""Keys come out as they went in, bit for bit, in a new Action; everything else is carried over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import actions, armature_io, key_writer, keyframes  # noqa: E402
from blender_addon.motion.errors import InvalidRequestError, LimberError  # noqa: E402
from tests.blender_addon import armatures  # noqa: E402

SLOW = settings(max_examples=8, deadline=None)
WORDS = {f: [i.identifier for i in bpy.types.Keyframe.bl_rna.properties[n].enum_items]
         for f, n in (("interpolation", "interpolation"), ("easing", "easing"), ("type", "type"),
                      ("handle", "handle_left_type"))}  # fmt: skip


def dense(obj: Any, first: int, last: int, seed: int = 0) -> dict[keyframes.ChannelId, tuple]:
    """Values for every rotation channel at every frame, as a result has them."""
    rng = np.random.default_rng(seed)
    frames, out = np.arange(first, last + 1), {}
    for bone in obj.pose.bones:
        prop = armature_io.pose_model.rotation_property(bone.rotation_mode)
        for i in range(len(getattr(bone, prop))):
            out[keyframes.bone_path(bone.name, prop), i] = (frames, rng.normal(size=len(frames)))
    return out


def disturb_keys(obj: Any, seed: int) -> None:
    """Give every key other handles, types, interpolation and easing."""
    rng = np.random.default_rng(seed)
    for fcurve in actions.fcurves(obj):
        for key in fcurve.keyframe_points:
            key.interpolation = str(rng.choice(WORDS["interpolation"]))
            key.easing = str(rng.choice(WORDS["easing"]))
            key.type = str(rng.choice(WORDS["type"]))
            key.handle_left_type = str(rng.choice(WORDS["handle"]))
            key.handle_right_type = str(rng.choice(WORDS["handle"]))
            key.handle_left = (key.co[0] - rng.uniform(0.1, 3), rng.normal())
            key.handle_right = (key.co[0] + rng.uniform(0.1, 3), rng.normal())
            key.back, key.amplitude, key.period = rng.uniform(0, 3, size=3).tolist()


def test_reads_every_field_as_set() -> None:
    obj = armatures.chain(2)
    obj.pose.bones[1].rotation_mode = "XYZ"
    obj.pose.bones[1].rotation_euler = (0.1, 0.2, 0.3)
    obj.pose.bones[1].keyframe_insert("rotation_euler", frame=10.5)
    obj.location = (1, 2, 3)
    obj.keyframe_insert("location", frame=4)
    obj["prop"] = 1.0
    obj.keyframe_insert('["prop"]', frame=5)
    keys = keyframes.read_keys(obj, 0, 20)
    assert len(keys) == 6
    assert keys.bones == ("bone 1", "") or keys.bones == ("", "bone 1")
    assert keys.frames.tolist() == [4.0, 10.5]
    assert keys.keyed_bones(10.5) == {"bone 1": frozenset(("rotation_euler", i) for i in range(3))}
    key = next(k for k in keys if k.bone == "bone 1" and k.index == 1)
    point = next(f for f in actions.fcurves(obj) if "bone 1" in f.data_path and f.array_index == 1).keyframe_points[0]
    assert (key.frame, key.value, key.interpolation) == (10.5, point.co[1], point.interpolation)
    assert key.handle_left == tuple(point.handle_left)
    assert keyframes.read_keys(obj, 0, 10).frames.tolist() == [4.0]


def test_only_selected_keys_and_bones() -> None:
    obj = armatures.chain(3)
    armatures.key_randomly(obj, (1, 5, 9), 0, move=0)
    for fcurve in actions.fcurves(obj):
        for key in fcurve.keyframe_points:
            key.select_control_point = key.co[0] == 5
    assert keyframes.read_keys(obj, 1, 9, only_selected_keys=True).frames.tolist() == [5.0]
    assert keyframes.read_keys(obj, 1, 9, bones=["bone 2"]).bones == ("bone 2",)


def test_names_with_quotes_and_brackets() -> None:
    obj = armatures.chain(1)
    obj.data.bones[0].name = 'a"b]\\c'
    armatures.key_randomly(obj, (1, 3), 0)
    keys = keyframes.read_keys(obj, 1, 3)
    assert keys.bones == ('a"b]\\c',)
    action = key_writer.write_action(obj, "new", dense(obj, 1, 3), keys)
    assert keyframes.largest_key_change(keys, action) == 0.0
    bag = actions.channelbag(action, obj.animation_data.action_slot)
    assert {f.group.name for f in bag.fcurves} == {'a"b]\\c'}


@SLOW
@given(st.integers(0, 10_000), st.lists(st.floats(1, 60, width=32), min_size=2, max_size=6, unique=True))
def test_keys_stay_bit_for_bit(seed: int, frames: list[float]) -> None:
    obj = armatures.random_armature(seed, 8)
    armatures.key_randomly(obj, tuple(sorted(frames)), seed, scale=0.2)
    disturb_keys(obj, seed)
    keys = keyframes.read_keys(obj, 1, 60, include_generated=True)
    original, slot = obj.animation_data.action, obj.animation_data.action_slot
    assert keyframes.largest_key_change(keys, original, slot) == 0.0
    action = key_writer.write_action(obj, "new", dense(obj, 1, 60), keys)
    assert action != original
    assert obj.animation_data.action == action
    assert keyframes.largest_key_change(keys, action, obj.animation_data.action_slot) == 0.0
    assert keyframes.largest_key_change(keys, original, slot) == 0.0


@pytest.mark.parametrize("name", armatures.RIGS)
def test_keys_stay_on_every_shared_rig(name: str, tmp_path: Path) -> None:
    obj = armatures.load(name)
    modes = armatures.MODES
    for i, bone in enumerate(obj.pose.bones):
        bone.rotation_mode = modes[i % len(modes)]
    armatures.key_randomly(obj, (1, 7.25, 20), 3, move=0.01)
    keys = keyframes.read_keys(obj, 1, 20)
    frames = np.arange(1.0, 21)
    clip = armature_io.read_clip(obj, frames)
    bones = [b.name for b in obj.pose.bones]
    channels = armature_io.basis_channels(obj, clip, frames, bones, keys, bones[0])
    action = key_writer.write_action(obj, "new", channels, keys)
    assert keyframes.largest_key_change(keys, action, obj.animation_data.action_slot) == 0.0
    # and still after saving and loading, which is when Blender might recompute handles
    action_name, obj_name = action.name, obj.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    slot = bpy.data.objects[obj_name].animation_data.action_slot
    assert keyframes.largest_key_change(keys, bpy.data.actions[action_name], slot) == 0.0


def test_change_is_measured() -> None:
    obj = armatures.chain(1)
    armatures.key_randomly(obj, (1, 5), 0)
    keys = keyframes.read_keys(obj, 1, 5)
    action = obj.animation_data.action
    point = actions.fcurves(obj)[0].keyframe_points[1]
    before = point.co[1]
    point.co[1] = before + 0.25
    assert keyframes.largest_key_change(keys, action) == pytest.approx(0.25)
    point.co[1] = before
    assert keyframes.largest_key_change(keys, action) == 0.0
    point.interpolation = "CONSTANT"
    assert keyframes.largest_key_change(keys, action) == float("inf")
    point.interpolation = "BEZIER"
    actions.fcurves(obj)[0].keyframe_points.remove(point)
    assert keyframes.largest_key_change(keys, action) == float("inf")


def test_generated_keys_are_marked_until_corrected() -> None:
    obj = armatures.chain(1)
    armatures.key_randomly(obj, (1, 20), 0, move=0)
    keys = keyframes.read_keys(obj, 1, 20)
    action = key_writer.write_action(obj, "new", dense(obj, 1, 20), keys)
    curve = actions.fcurves(obj)[0]
    assert [k.type for k in curve.keyframe_points].count("GENERATED") == 18
    assert [k.select_control_point for k in curve.keyframe_points].count(True) == 2  # the animator's own selection
    assert keyframes.read_keys(obj, 1, 20).frames.tolist() == [1.0, 20.0]
    obj.pose.bones[0].rotation_quaternion = (0.5, 0.5, 0.5, 0.5)
    obj.pose.bones[0].keyframe_insert("rotation_quaternion", frame=9)
    assert keyframes.read_keys(obj, 1, 20).frames.tolist() == [1.0, 9.0, 20.0]
    assert len(keyframes.read_keys(obj, 1, 20, include_generated=True).frames) == 20
    keys = keyframes.read_keys(obj, 1, 20)  # inserting a key made Blender recompute handles beside it
    again = key_writer.write_action(obj, "again", dense(obj, 1, 20, 5), keys)
    assert keyframes.largest_key_change(keys, again) == 0.0
    assert action != again


def test_the_rest_is_carried_over() -> None:
    obj = armatures.chain(3)
    armatures.key_randomly(obj, (1, 10, 30, 50), 0)
    obj.pose.bones[2]["twist"] = 0.5
    obj.pose.bones[2].keyframe_insert('["twist"]', frame=10)
    keys = keyframes.read_keys(obj, 10, 30)
    everything = {(f.data_path, f.array_index): keyframes.read_records(f) for f in actions.fcurves(obj)}
    written = {k: v for k, v in dense(obj, 10, 30).items() if "bone 0" in k[0]}
    key_writer.write_action(obj, "new", written, keys)
    for fcurve in actions.fcurves(obj):
        before, after = everything[fcurve.data_path, fcurve.array_index], keyframes.read_records(fcurve)
        if (fcurve.data_path, fcurve.array_index) not in written:
            assert (before == after).all()
        else:
            outside = (after["frame"] < 10) | (after["frame"] > 30)
            assert after["frame"][outside].tolist() == [1, 50]
            assert len(after) == 2 + 21


def test_custom_property_keys_stay() -> None:
    obj = armatures.chain(1)
    obj.pose.bones[0]["ik"] = 0.25
    obj.pose.bones[0].keyframe_insert('["ik"]', frame=7)
    path = 'pose.bones["bone 0"]["ik"]'
    frames = np.arange(1, 12)
    key_writer.write_action(obj, "new", {(path, 0): (frames, np.ones(11), "CONSTANT")}, start=2, end=10)
    records = keyframes.read_records(actions.fcurves(obj)[0])
    assert records["frame"].tolist() == list(range(1, 12))
    assert records["value"][6] == 0.25
    assert records["interpolation"][0] == keyframes.enum_value("interpolation", "CONSTANT")


def test_discard_restores_action_and_slot() -> None:
    obj = armatures.chain(2)
    armatures.key_randomly(obj, (1, 9), 0)
    original = obj.animation_data.action
    extra = original.slots.new(id_type="OBJECT", name="other")
    obj.animation_data.action_slot = original.slots[0]
    handle, count = obj.animation_data.action_slot.handle, len(bpy.data.actions)
    for fake in (False, True):
        original.use_fake_user = fake
        first = key_writer.write_action(obj, "new", dense(obj, 1, 9))
        assert first.slots[1].identifier == extra.identifier
        assert original.use_fake_user
        actions.discard(obj)
        assert obj.animation_data.action == original
        assert obj.animation_data.action_slot.handle == handle
        assert original.use_fake_user is fake
        assert len(bpy.data.actions) == count


def test_discard_leaves_an_unanimated_object_as_it_was() -> None:
    obj = armatures.chain(1)
    key_writer.write_action(obj, "new", dense(obj, 1, 9))
    actions.discard(obj)
    assert obj.animation_data is None
    assert len(bpy.data.actions) == 0
    with pytest.raises(LimberError, match="nothing to discard"):
        actions.discard(obj)


def test_what_cannot_be_animated_says_why(tmp_path: Path) -> None:
    obj = armatures.chain(1)
    armatures.key_randomly(obj, (1, 9), 0)
    track = obj.animation_data.nla_tracks.new()
    track.strips.new("strip", 1, obj.animation_data.action)
    obj.animation_data.use_tweak_mode = True
    with pytest.raises(InvalidRequestError, match="tweak mode"):
        key_writer.write_action(obj, "new", dense(obj, 1, 9))
    with pytest.raises(InvalidRequestError, match="no armature"):
        key_writer.write_action(None, "new", {})


@pytest.mark.parametrize("bad", [((1, 2), (0.0,)), ((1.0,), (float("nan"),)), ((float("inf"),), (0.0,))])
def test_senseless_channels_are_refused(bad: tuple) -> None:
    obj = armatures.chain(1)
    with pytest.raises(InvalidRequestError, match="location"):
        key_writer.write_action(obj, "new", {(keyframes.bone_path("bone 0", "location"), 0): bad})
    assert len(bpy.data.actions) == 0


def linked(tmp_path: Path) -> Any:
    """The armature of another file, linked."""
    obj = armatures.chain(3, "Linked")
    armatures.key_randomly(obj, (1, 5, 9), 0)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, into):
        into.objects = ["Linked"]
    bpy.context.collection.objects.link(bpy.data.objects["Linked"])
    return bpy.data.objects["Linked"]


def test_linked_armatures_are_refused_with_the_remedy(tmp_path: Path) -> None:
    obj = linked(tmp_path)
    with pytest.raises(InvalidRequestError, match="library override"):
        key_writer.write_action(obj, "new", dense(obj, 1, 9))
    assert len(keyframes.read_keys(obj, 1, 9)) > 0  # reading is all right


def test_library_overrides_work(tmp_path: Path) -> None:
    obj = linked(tmp_path).override_create(remap_local_usages=True)
    keys = keyframes.read_keys(obj, 1, 9)
    original = obj.animation_data.action
    frames = np.arange(1.0, 10)
    clip = armature_io.read_clip(obj, frames)
    bones = [b.name for b in obj.pose.bones]
    channels = armature_io.basis_channels(obj, clip, frames, bones, keys, bones[0])
    action = key_writer.write_action(obj, "new", channels, keys)
    assert action.library is None
    assert keyframes.largest_key_change(keys, action, obj.animation_data.action_slot) == 0.0
    again = armature_io.read_clip(obj, frames)
    assert np.degrees(armature_io.rotations.angle_between(again.rotations, clip.rotations)).max() < 0.01
    actions.discard(obj)
    assert obj.animation_data.action == original


def test_writing_gives_way_between_curves_and_survives_a_vanished_action() -> None:
    obj = armatures.chain(2)
    steps = key_writer.write_action_steps(obj, "new", dense(obj, 1, 9))
    assert 0 <= next(steps) <= 1
    bpy.data.actions.remove(bpy.data.actions["new"])
    with pytest.raises(LimberError, match="went away"):
        list(steps)
    assert obj.animation_data is None
