"""Armatures for tests: random ones with every kind of bone, and the shared characters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import pose_model  # noqa: E402

MODES = ("QUATERNION", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE")
SCALES = ("FULL", "FIX_SHEAR", "ALIGNED", "AVERAGE", "NONE", "NONE_LEGACY")
RIGS = (
    "ue_male.glb", "ue_zombie_42bones.glb", "ue_37clips.glb", "rigify_deform_44clips.glb", "kenney.glb",
    "mannequiny.glb", "rocketbox_biped_female.fbx", "kaykit_General.glb", "kaykit_MovementBasic.glb",
    "kaykit_CombatMelee.glb", "kaykit_CombatRanged.glb", "kaykit_MovementAdvanced.glb", "kaykit_Simulation.glb",
)  # fmt: skip


def shared() -> Path:
    """The folder of real characters, which are no part of the repository; skips where it is absent."""
    folder = Path(os.environ.get("LIMBER_SHARED", Path(__file__).parents[2].parent / "shared"))
    if not (folder / "rigs").is_dir():
        pytest.skip(f"no shared rigs in {folder}; LIMBER_SHARED names the folder that has them")
    return folder


def load(name: str) -> Any:
    """A shared character in an empty file; its armature object, active, without animation."""
    path = shared() / "rigs" / name
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    obj = next(o for o in bpy.data.objects if o.type == "ARMATURE")
    obj.animation_data_clear()
    bpy.context.view_layer.objects.active = obj
    return obj


def empty_object(name: str = "Rig") -> Any:
    """An armature object without bones, active, in an empty file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    return obj


def chain(count: int, name: str = "Rig") -> Any:
    """A straight chain of bones up the Z axis."""
    obj = empty_object(name)
    bpy.ops.object.mode_set(mode="EDIT")
    for i in range(count):
        bone = obj.data.edit_bones.new(f"bone {i}")
        bone.head, bone.tail = (0, 0, i), (0, 0, i + 1)
        if i:
            bone.parent = obj.data.edit_bones[i - 1]
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def random_armature(seed: int, count: int = 24) -> Any:
    """Bones with any roll, parent, connection and inheritance, in every rotation mode."""
    rng = np.random.default_rng(seed)
    obj = empty_object()
    bpy.ops.object.mode_set(mode="EDIT")
    for i in range(count):
        bone = obj.data.edit_bones.new(f"bone {i}")
        if i:
            bone.parent = obj.data.edit_bones[int(rng.integers(max(0, i - 4), i))]
        bone.head = rng.normal(size=3)
        bone.tail = np.array(bone.head) + rng.normal(size=3)
        bone.roll = rng.normal()
        bone.use_connect = bool(i and rng.random() < 0.3)
        bone.use_inherit_rotation = bool(rng.random() < 0.7)
        bone.use_local_location = bool(rng.random() < 0.7)
        bone.inherit_scale = SCALES[i % len(SCALES)]
    bpy.ops.object.mode_set(mode="OBJECT")
    for i, bone in enumerate(obj.pose.bones):
        bone.rotation_mode = MODES[i % len(MODES)]
    return obj


def key_randomly(obj: Any, frames: tuple[float, ...], seed: int, turn: float = 0.7, move: float = 0.2,
                 scale: float = 0.0, bones: list[str] | None = None) -> None:  # fmt: skip
    """Key whole poses by Blender's own operators, as a person does."""
    rng = np.random.default_rng(seed)
    for bone in obj.pose.bones if bones is None else [obj.pose.bones[b] for b in bones]:
        prop = pose_model.rotation_property(bone.rotation_mode)
        for frame in frames:
            size = len(getattr(bone, prop))
            value = turn * rng.normal(size=size)
            if size == 4:
                value[0] += 1.0  # near the rest pose, and no zero quaternion
            setattr(bone, prop, value.tolist())
            bone.keyframe_insert(prop, frame=frame)
            if move:
                bone.location = (move * rng.normal(size=3)).tolist()
                bone.keyframe_insert("location", frame=frame)
            if scale:
                bone.scale = (1 + scale * rng.uniform(-1, 1, size=3)).tolist()
                bone.keyframe_insert("scale", frame=frame)
