"""``python -m blender_addon.named_clips FILE FOLDER``: every Action of a character as canonical motion.

One ``.npz`` (:mod:`.motion.npz`) an Action at 30 fps on the 22 joints, and on standard output one line of
JSON: ``{"clips": {name: file}}``. Files with several armatures give those of each mapped one. Training
reads animated characters through it, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .motion.errors import LimberError

FPS = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 done, 1 failed with a sentence on standard error."""
    parser = argparse.ArgumentParser(prog="named_clips", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    try:
        print(json.dumps({"clips": export(options.file, options.folder)}))
    except (LimberError, OSError, ImportError) as error:
        print(str(error), file=sys.stderr)
        return 1
    return 0


def export(file: Path, folder: Path) -> dict[str, str]:
    """Write all Actions of a file's mapped armatures; name -> file name in ``folder``."""
    import bpy

    from . import scene_files

    scene_files.open_scene(file)
    found: dict[str, str] = {}
    for obj in scene_files.armatures():
        for action in sorted(bpy.data.actions, key=lambda a: a.name):
            if not _moves(action, obj):
                continue
            name = action.name.removeprefix(f"{obj.name}|").removeprefix("Armature|")
            if name in found:
                name = f"{obj.name}|{name}"
            found[name] = _write(obj, action, name, folder / f"{len(found):04}.npz")
    return found


def _moves(action: Any, obj: Any) -> bool:
    """Has the Action curves of this armature's bones, and more than one frame?"""
    bones = {f'pose.bones["{b.name}"]' for b in obj.data.bones}
    first, last = action.frame_range
    return last - first > 0.5 and any(
        curve.data_path.rpartition(".")[0] in bones
        for layer in action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        for curve in bag.fcurves
    )


def _write(obj: Any, action: Any, name: str, path: Path) -> str:
    import bpy

    from . import whole_motion
    from .motion import npz, retarget

    data = obj.animation_data or obj.animation_data_create()
    for track in list(data.nla_tracks):  # importers lay every Action on a track; only one is meant
        data.nla_tracks.remove(track)
    for (
        bone
    ) in obj.pose.bones:  # what this Action leaves alone stands as at rest, not as the last one left it
        bone.matrix_basis.identity()
    data.action = action
    data.action_slot = next(s for s in action.slots if s.target_id_type == "OBJECT")
    scene = bpy.context.scene
    first, last = (float(x) for x in action.frame_range)
    step = scene.render.fps / scene.render.fps_base / FPS
    frames = first + step * np.arange(int((last - first) / step + 1e-6) + 1)
    character = whole_motion.describe(obj, frames)
    raw = whole_motion.read(obj, character.bone_map, frames)
    clip = retarget.to_canonical(replace(raw, fps=FPS, name=name), character.rig)
    npz.save_clip(path, replace(clip, metadata={"action": action.name}))
    return path.name


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender as a module may wait for ever while it is taken down
