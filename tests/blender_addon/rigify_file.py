"""A .blend file with Rigify's human metarig and the rig generated from it.

Generated in a process of its own: the bpy 4.5 wheel starts a file-closing thread when Rigify
generates, and then waits for it for ever while it exits (``~GlobalState`` in
``pthread_cond_destroy``). The file that it leaves opens and closes as any other.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

METARIG, RIG = "metarig", "rig"


def make(path: Path, timeout: float = 240.0) -> Path:
    """Write the file; objects are called METARIG and RIG.

    Raises:
        RuntimeError: Rigify is missing or failed; the text is the process's output.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(path)], capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode or not path.is_file():
        raise RuntimeError(f"Rigify made no rig (exit {done.returncode}):\n{done.stdout}\n{done.stderr}")
    return path


def _generate(path: str) -> None:
    import bpy

    addon_utils = importlib.import_module("addon_utils")  # found only once bpy is imported
    bpy.ops.wm.read_factory_settings(use_empty=True)
    # default_set: Rigify reads its own preferences while it registers its rig types.
    if addon_utils.enable("rigify", default_set=True) is None:
        raise RuntimeError("this Blender comes without Rigify")
    bpy.ops.object.armature_human_metarig_add()
    meta = bpy.context.object
    bpy.ops.pose.rigify_generate()
    rig = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o != meta)
    meta.name, rig.name = METARIG, RIG
    bpy.ops.wm.save_as_mainfile(filepath=path)


if __name__ == "__main__":
    _generate(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)
