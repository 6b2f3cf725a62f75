"""Rigify's human metarig and the character generated from it as a .blend file, made by a process of its own.

The bpy 4.5 wheel can hang while a process in which Rigify has generated a rig exits; the process
that shows the demonstration must not, so another one generates and leaves without ceremony.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .motion.errors import LimberError

NAME, METARIG = "Character", "metarig"
SECONDS = 600.0
"""Rigify takes two seconds; a busy or slow computer may take a hundred times as long."""


def make(path: Path) -> None:
    """Write the file; the objects are called ``NAME`` and ``METARIG``, and both are visible.

    Raises:
        LimberError: Rigify is missing, or it failed.
    """
    folder = str(Path(__file__).resolve().parent.parent)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))}
    try:
        done = subprocess.run([sys.executable, "-m", __spec__.name, str(path)], env=variables, capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, timeout=SECONDS, check=False)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise LimberError(f"Rigify did not finish its rig in {SECONDS:.0f} s.") from error
    if done.returncode or not path.is_file():
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise LimberError(f"Rigify could not make its rig: {lines[-1] if lines else f'exit {done.returncode}'}")


def _generate(path: str) -> None:
    import bpy

    from . import scene_files

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene_files.enable("rigify")
    ops: Any = bpy.ops  # Rigify's operators are in no stub
    ops.object.armature_human_metarig_add()
    meta = bpy.context.object
    ops.pose.rigify_generate()
    rig = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o != meta)
    rig.name, meta.name = NAME, METARIG
    bpy.ops.wm.save_as_mainfile(filepath=path)


if __name__ == "__main__":
    _generate(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)
