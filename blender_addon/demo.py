"""``limber-blender demo``: a Rigify character, a handful of key poses, the real backend, and a picture."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import (
    actions,
    armature_io,
    demo_picture,
    demo_poses,
    demo_rig,
    headless,
    keyframes,
    plans,
    scene_files,
)
from .motion import bone_maps, retarget
from .motion.bone_maps import BoneMap
from .motion.rotations import Array

FPS = 30.0


@dataclass(frozen=True, eq=False)
class Character:
    """The armature, its map, and what retargeting needs to know about it."""

    obj: Any
    bone_map: BoneMap
    rig: retarget.Rig

    @property
    def bones(self) -> tuple[str, ...]:
        """Bones with a role."""
        return tuple(bone for bones in self.bone_map.bones.values() for bone in bones)


def run(out: Path, seed: int = 0, system: str = "auto", bundle: str = "") -> str:
    """Make ``demo.blend``, ``demo.bvh`` and ``demo.png`` in a folder.

    Args:
        out: made where missing.
        seed, system, bundle: as in a request.

    Returns:
        One line: frames, seconds, largest key change, foot skating of model and interpolation.

    Raises:
        LimberError: whatever went wrong, in one sentence.
    """
    # 1. the character, and its keys
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        demo_rig.make(Path(folder) / "rig.blend")
        scene_files.open_scene(Path(folder) / "rig.blend")
    scene_files.set_rate(FPS)
    character = describe(scene_files.choose_armature(demo_rig.NAME))
    frames = set_keys(character)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = frames[0], frames[-1]
    keys = character.obj.animation_data.action
    # 2. the interpolation, then the model, both by the panel's own path
    with headless.session() as running:
        plain = _fill(running, character, keys, plans.Plan(frames[0], frames[-1], system="interpolation"))
        made = _fill(running, character, keys,
                     plans.Plan(frames[0], frames[-1], seed=seed, system=system, bundle=bundle))  # fmt: skip
        # 3. the files
        _picture(out / "demo.png", frames, made, plain)
        scene_files.save(out / "demo.bvh", character.obj, frames[0], frames[-1])
        scene.frame_set(frames[0])
        scene_files.save(out / "demo.blend", character.obj, frames[0], frames[-1])
    return _line(made)


@dataclass(frozen=True, eq=False)
class Filled:
    """A result and the joints ``(F, 22, 3)`` of the character playing it."""

    outcome: headless.Outcome
    positions: Array


def describe(obj: Any) -> Character:
    """Map an armature, and set a control rig so that its FK controls are obeyed."""
    found = headless.find_map(obj)
    for switch in bone_maps.controls(found)[0]:
        owner = obj.pose.bones.get(switch.bone)
        if owner is not None and switch.property in owner:
            owner[switch.property] = type(owner[switch.property])(switch.value)
    obj.update_tag()
    names = [bone for bones in found.bones.values() for bone in bones]
    return Character(obj, found, retarget.make_rig(armature_io.read_skeleton(obj, names), found))


def set_keys(character: Character) -> list[int]:
    """Pose and key the character as an animator does, one key pose after the other.

    Returns:
        The keyed frames.
    """
    obj = character.obj
    frames, poses = demo_poses.clip(character.rig, FPS)
    own = retarget.from_canonical(poses, character.rig)
    channels = armature_io.basis_channels(obj, own, frames, character.bones,
                                          pelvis=character.bone_map.bones["pelvis"][0])  # fmt: skip
    obj.animation_data_create().action = bpy.data.actions.new("Key poses")
    for k, frame in enumerate(frames):
        for (path, index), values in channels.items():
            owner, prop = _owner(obj, path)
            getattr(owner, prop)[index] = values[1][k]
        for path in dict.fromkeys(path for path, _ in channels):
            bone, prop = keyframes.split_path(path) or ("", path)
            owner, _ = _owner(obj, path)
            owner.keyframe_insert(prop, frame=frame, group=bone or "Object Transforms")
    return frames


def _owner(obj: Any, path: str) -> tuple[Any, str]:
    """The pose bone (or the object) and the property that a transform channel's path means."""
    split = keyframes.split_path(path)
    assert split is not None, path
    bone, prop = split
    return (obj.pose.bones[bone] if bone else obj), prop


def _fill(running: Any, character: Character, keys: Any, plan: plans.Plan) -> Filled:
    actions.assign(character.obj, keys, None)
    outcome = headless.inbetween(running, character.obj, plan)
    headless.accept_all(character.obj)
    frames = np.arange(plan.start, plan.end + 1)
    clip = armature_io.read_clip(character.obj, frames, character.bones)
    return Filled(outcome, retarget.to_canonical(clip, character.rig).positions())


def _picture(path: Path, frames: list[int], made: Filled, plain: Filled) -> None:
    report = made.outcome.report
    model, interpolation = (f"feet skate {100 * report['skating'][k]:.1f} cm/s" for k in ("model", "interpolation"))
    title = "Plain interpolation (no trained weights)" if _without_model(made) else "Limber"
    by = f"{report['system']}, bundle {report['bundle']}, " if report.get("bundle") else ""
    bands = (demo_picture.Band(title, by + model, made.positions),
             demo_picture.Band("Plain interpolation", interpolation, plain.positions))  # fmt: skip
    demo_picture.draw(path, bands, frames[0], frames)


def _without_model(made: Filled) -> bool:
    return made.outcome.report.get("system") == "interpolation"


def _line(made: Filled) -> str:
    outcome = made.outcome
    skating = outcome.report["skating"]
    who = "plain interpolation, no trained weights" if _without_model(made) else "model"
    return (f"{outcome.frames} frames, {outcome.seconds:.2f} s, largest key change {outcome.key_change:g}, "
            f"foot skating {skating['model']:.3f} m/s ({who}), {skating['interpolation']:.3f} m/s (interpolation)")
