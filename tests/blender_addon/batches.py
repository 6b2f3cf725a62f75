"""A folder of clips and a character for batches, one unit in this process, and reading back what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from blender_addon import armature_io, scene_files
from blender_addon.batch import plan, sources, work
from blender_addon.motion import bone_maps, bvh, npz, retarget
from tests.blender_addon import characters
from tests.motion.walking import walk

FRAMES = 46


def make_folder(out: Path) -> None:
    """A walk as .bvh and AMASS, and a character in a .blend with an Action of its own and a prop."""
    clip, _ = walk(steps=3)
    assert len(clip) == FRAMES
    bvh.save(out / "walk.bvh", clip)
    npz.save_amass(out / "walk_amass.npz", clip)
    npz.save_clip(out / "walk.npz", clip)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = characters.make_person("Hero")
    bpy.ops.object.mode_set(mode="EDIT")
    prop = obj.data.edit_bones.new("prop")
    prop.head, prop.tail = (0.5, 0, 1), (0.5, 0, 1.2)
    root = obj.data.edit_bones.new("root")
    root.head, root.tail = (0, 0, 0), (0, 0.2, 0)
    obj.data.edit_bones["pelvis"].parent = root
    bpy.ops.object.mode_set(mode="OBJECT")
    obj.animation_data_create().action = bpy.data.actions.new("Idle")
    obj.pose.bones["prop"].rotation_mode = "QUATERNION"
    for frame, x in ((1, 0.0), (30, 0.5)):
        obj.pose.bones["prop"].rotation_quaternion = (1, x, 0, 0)
        obj.pose.bones["prop"].keyframe_insert("rotation_quaternion", frame=frame)
    scene_files.save(out / "hero.blend", obj, 1, 30)


def run(folder: Path, *, source: str = "walk.bvh", options: plan.Options | None = None, out: str = "out",
        target: str = "hero.blend") -> list[dict[str, Any]]:  # fmt: skip
    """One unit in this process."""
    (unit,) = plan.plan(
        [str(folder / source)], [str(folder / target)], folder / out, options or plan.Options(check=4)
    )
    return work.Workshop().run(unit, lambda text: None)


def seen_error(path: Path, armature: str = "Hero") -> float:
    """Mean angle in degrees between the walk's limbs and a written file's, read back by nothing of the batch."""
    clip, _ = walk(steps=3)
    if path.suffix == ".bvh":
        out = bvh.load(path)
    else:
        scene_files.open_scene(path, clip.fps)
        obj = scene_files.choose_armature()
        first = round(obj.animation_data.action.frame_range[0])  # Blender reads FBX one frame late
        out = armature_io.read_clip(obj, np.arange(first, first + FRAMES))
    rig = retarget.make_rig(out.skeleton, bone_maps.find(out.skeleton), out)
    a = retarget.limb_directions(clip, sources.described("", clip, "auto").rig)
    b = retarget.limb_directions(out, rig)
    assert len(a) == len(b)
    return float(np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1))).mean())
