"""``limber-blender demo``: a Rigify character, a handful of key poses, the real backend, and a picture."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import (
    actions,
    demo_picture,
    demo_poses,
    demo_rig,
    headless,
    keyframes,
    plans,
    scene_files,
    whole_motion,
)
from .motion import bone_maps, retarget
from .motion.errors import LimberError
from .motion.rotations import Array
from .whole_motion import Character

FPS = 30.0


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
    if importlib.util.find_spec("PIL") is None:
        raise LimberError("The demonstration's picture needs Pillow: install limber[blender].")
    # 1. the character, and its keys
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        demo_rig.make(Path(folder) / "rig.blend")
        scene_files.open_scene(Path(folder) / "rig.blend")
    bpy.data.objects[demo_rig.METARIG].hide_viewport = True
    scene_files.set_rate(FPS)
    character = whole_motion.describe(scene_files.choose_armature(demo_rig.NAME))
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


def set_keys(character: Character) -> list[int]:
    """Pose and key the character as an animator does, one key pose after the other.

    Returns:
        The keyed frames.
    """
    obj = character.obj
    _use_fk(character)
    frames, poses = demo_poses.clip(character.rig, FPS)
    span = np.arange(frames[0], frames[-1] + 1)
    own = retarget.from_canonical(poses.sample(np.interp(span, frames, np.arange(len(frames)))), character.rig)
    channels = whole_motion.channels(character, own, frames[0])
    posed = {key: values for key, values in channels.items() if keyframes.split_path(key[0])}
    obj.animation_data_create().action = bpy.data.actions.new("Key poses")
    for frame in frames:
        for (path, index), values in posed.items():
            owner, prop, _ = _owner(obj, path)
            getattr(owner, prop)[index] = values[1][frame - frames[0]]
        for path in dict.fromkeys(path for path, _ in posed):
            owner, prop, group = _owner(obj, path)
            owner.keyframe_insert(prop, frame=frame, group=group)
    return frames


def _use_fk(character: Character) -> None:
    """Set the rig's switches so that its FK controls are obeyed."""
    pose = character.obj.pose.bones
    for switch in bone_maps.controls(character.bone_map)[0]:
        if switch.bone in pose and switch.property in pose[switch.bone]:
            kind = type(pose[switch.bone][switch.property])
            pose[switch.bone][switch.property] = kind(switch.value)
    character.obj.update_tag()
    bpy.context.view_layer.update()


def _owner(obj: Any, path: str) -> tuple[Any, str, str]:
    """The pose bone (or the object), the property and the group that a transform channel's path means."""
    split = keyframes.split_path(path)
    assert split is not None, path
    bone, prop = split
    return (obj.pose.bones[bone], prop, bone) if bone else (obj, prop, "Object Transforms")


def _fill(running: Any, character: Character, keys: Any, plan: plans.Plan) -> Filled:
    actions.assign(character.obj, keys, None)
    outcome = headless.run(running, character.obj, plan)
    headless.accept_all(character.obj)
    frames = np.arange(plan.start, plan.end + 1)
    clip = whole_motion.read(character.obj, character.bone_map, frames)
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
