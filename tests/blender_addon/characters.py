"""Real armatures with keys, built in the open file."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

from blender_addon import actions, armature_io, key_writer, keyframes
from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.skeleton import CANONICAL, JOINTS
from blender_addon.records import write_records

KEYED = ("pelvis", "spine1", "left_shoulder", "right_shoulder", "left_elbow", "left_hip", "right_hip", "left_knee",
         "right_knee", "head")  # fmt: skip

SIDES = {"hip": ("UpLeg", "thigh"), "knee": ("Leg", "calf"), "ankle": ("Foot", "foot"), "foot": ("ToeBase", "ball"),
         "collar": ("Shoulder", "clavicle"), "shoulder": ("Arm", "upperarm"), "elbow": ("ForeArm", "lowerarm"),
         "wrist": ("Hand", "hand")}  # fmt: skip
MIDDLE = {"pelvis": ("Hips", "pelvis"), "spine1": ("Spine", "spine_01"), "spine2": ("Spine1", "spine_02"),
          "spine3": ("Spine2", "spine_03"), "neck": ("Neck", "neck_01"), "head": ("Head", "head")}  # fmt: skip


def make_person(name: str = "Person") -> Any:
    """An armature with SMPL's 22 bones, in Blender's axes, standing at the origin; active and selected."""
    data = bpy.data.armatures.new(name)
    obj = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    _, heads = CANONICAL.rest_global()
    for j, joint in enumerate(CANONICAL.names):
        bone = data.edit_bones.new(joint)
        x, y, z = heads[j]
        bone.head = (x, -z, y)
        children = CANONICAL.children(j)
        tip = heads[children].mean(0) - heads[j] if children else np.array([0.0, 0.1, 0.0])
        tip = tip if np.linalg.norm(tip) > 0.02 else np.array([0.0, 0.1, 0.0])
        bone.tail = (x + tip[0], -(z + tip[2]), y + tip[1])
        parent = int(CANONICAL.parents[j])
        if parent >= 0:
            bone.parent = data.edit_bones[CANONICAL.names[parent]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def renamed(joint: str, rig: str) -> str:
    """What Mixamo or the Unreal mannequin call one of SMPL's joints."""
    column = ("mixamo", "unreal").index(rig)
    if joint in MIDDLE:
        name = MIDDLE[joint][column]
    else:
        side, _, part = joint.partition("_")
        name = (f"{side.title()}{SIDES[part][0]}", f"{SIDES[part][1]}_{side[0]}")[column]
    return f"mixamorig:{name}" if rig == "mixamo" else name


def rename(obj: Any, rig: str) -> None:
    """Give a person's bones the names that ``rig`` has for them."""
    for joint in CANONICAL.names:
        obj.data.bones[joint].name = renamed(joint, rig)


def key_poses(obj: Any, frames: tuple[int, ...] = (1, 15, 30), action: str = "Walk") -> Any:
    """Key some bones' rotations and the pelvis' place at ``frames``; the Action."""
    data = obj.animation_data or obj.animation_data_create()
    data.action = bpy.data.actions.new(action)
    for n, frame in enumerate(frames):
        for k, name in enumerate(KEYED):
            bone = obj.pose.bones[name]
            bone.rotation_mode = "QUATERNION" if k % 2 else "XYZ"
            angle = 0.5 * math.sin(1.7 * n + k)
            if k % 2:
                bone.rotation_quaternion = (math.cos(angle / 2), math.sin(angle / 2), 0, 0)
                bone.keyframe_insert("rotation_quaternion", frame=frame)
            else:
                bone.rotation_euler = (angle, 0.1 * n, 0)
                bone.keyframe_insert("rotation_euler", frame=frame)
        obj.pose.bones["pelvis"].location = (0.02 * n, 0, 0.3 * n)
        obj.pose.bones["pelvis"].keyframe_insert("location", frame=frame)
    return data.action


def capture_motion(obj: Any, frames: int = 60, first: int = 1, action: str = "Take", seed: int = 3) -> Any:
    """A key on every frame of every bone, as from a suit: swinging limbs, a walking pelvis, some noise; bones
    in three rotation modes, handles that nobody would guess. The Action."""
    rng = np.random.default_rng(seed)
    still = rest_clip(frames, 24.0)
    t = np.arange(frames) / 24.0
    turned = np.array(still.rotations)
    for j in range(len(JOINTS)):
        phase, size = rng.uniform(0, 6), 0.35 if j else 0.15
        vector = np.stack([size * np.sin(2 * t + phase + k) for k in range(3)], -1)
        turned[:, j] = rotations.from_axis_angle(vector + rng.normal(0, 0.01, vector.shape))
    root = still.root_positions + np.stack([0.05 * np.sin(t), 0.02 * np.sin(4 * t), 0.7 * t], -1)
    clip = Clip(still.skeleton, turned, root, 24.0)
    for k, bone in enumerate(obj.pose.bones):
        bone.rotation_mode = ("QUATERNION", "XYZ", "AXIS_ANGLE")[k % 3]
    at = np.arange(first, first + frames, dtype=float)
    channels = armature_io.basis_channels(obj, clip, at, list(JOINTS), pelvis="pelvis")
    made = key_writer.write_action(obj, action, channels)
    for curve in actions.fcurves(obj):
        records = keyframes.read_records(curve)
        records["type"], records["back"] = keyframes.enum_value("type", "KEYFRAME"), 0
        records["interpolation"] = keyframes.enum_value("interpolation", "BEZIER")
        records["left_type"] = records["right_type"] = keyframes.enum_value("left_type", "FREE")
        records["left"][:, 1] += rng.normal(0, 0.01, len(records))
        write_records(curve, records)
        curve.keyframe_points.foreach_set("select_control_point", np.zeros(frames, bool))
    for key in list(made.keys()):
        del made[key]
    made.use_fake_user = False
    return made


def every_record(obj: Any) -> dict[tuple[str, int], np.ndarray]:
    """Every field of every key of the armature's present Action."""
    return {(curve.data_path, curve.array_index): keyframes.read_records(curve) for curve in actions.fcurves(obj)}


def every_key(action: Any) -> dict[tuple[str, int], list[tuple[float, ...]]]:
    """All keys of an Action as plain numbers."""
    return {
        (curve.data_path, curve.array_index): [(*k.co, *k.handle_left, *k.handle_right) for k in curve.keyframe_points]
        for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves
    }  # fmt: skip
