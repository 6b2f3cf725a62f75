"""Which bones are selected, from Blender 4.5 (on the bone) to 5.2 (on the pose bone)."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

ON_POSE_BONES = bpy.app.version >= (5, 0, 0)


def _holder(obj: Any) -> Any:
    return obj.pose.bones if ON_POSE_BONES else obj.data.bones


def selected_bones(obj: Any) -> tuple[str, ...]:
    """Names of the selected bones, in the armature's order; in bulk, since panels ask at every drawing."""
    bones = _holder(obj)
    flags = np.empty(len(bones), bool)
    bones.foreach_get("select", flags)
    return tuple(bones[int(i)].name for i in np.flatnonzero(flags))


def select_bones(obj: Any, names: Any) -> None:
    """Make these the selected bones, and no others."""
    wanted = set(names)
    for bone in _holder(obj):
        bone.select = bone.name in wanted
