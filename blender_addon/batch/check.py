"""Looking at what was written: Blender's evaluated pose of the bones that deform, at some frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import armature_io, rigify_io
from ..motion import retarget, rotations
from ..motion.rotations import Array
from ..motion.skeleton import INDEX
from ..whole_motion import Character
from .convert import Converted

NEXT = {"shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle"}
RIGIFY = {
    "shoulder": "upper_arm",
    "elbow": "forearm",
    "wrist": "hand",
    "hip": "thigh",
    "knee": "shin",
    "ankle": "foot",
}
_SEEN = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")


def check(character: Character, made: Converted, first: int, count: int) -> dict[str, Any]:
    """Evaluate ``count`` frames and compare them with the source and with what was meant.

    Returns:
        ``limb_error`` and ``limb_error_worst``: degrees between the source's and the evaluated
        directions of upper arms, forearms, thighs and shins in the world; ``place_error``: metres
        between where joints are and where they were meant to be; ``checked``: frames.
    """
    at = rows(made, count)
    return compare(character, made, at, evaluated(character, (at + first).tolist())) if len(at) else {}


def rows(made: Converted, count: int) -> NDArray[np.int64]:
    """At most ``count`` frames of a clip, counted from 0, evenly spread."""
    n = len(made.canonical)
    return np.unique(np.linspace(0, n - 1, min(count, n)).astype(int))


def compare(
    character: Character, made: Converted, at: NDArray[np.int64], heads: dict[str, Array]
) -> dict[str, Any]:
    """:func:`check` of what :func:`evaluated` saw at the frames ``at``."""
    wanted = retarget.limb_directions(made.source.clip.sample(at), made.source.rig)
    seen = np.stack([directions(character, heads, role) for role in retarget.LIMBS], 1)
    # NaN: no such limb; zero: scaled to nothing, as characters are before they appear
    there = (np.linalg.norm(wanted, axis=-1) > 0.5) & (np.linalg.norm(seen, axis=-1) > 0.5)
    angles = np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(wanted - seen, axis=-1) / 2, 0, 1)))[there]
    places = made.canonical.sample(at).positions()
    off = [np.linalg.norm(heads[f"{s}_{part}"] - places[:, INDEX[f"{s}_{part}"]], axis=-1)
           for s in ("left", "right") for part in ("hip", "knee", "ankle") if f"{s}_{part}" in heads]  # fmt: skip
    return {"checked": len(at), "limb_error": float(angles.mean()) if len(angles) else None,
            "limb_error_worst": float(angles.max()) if len(angles) else None,
            "place_error": float(np.max(off)) if off else None}  # fmt: skip


def evaluated(character: Character, frames: Sequence[int]) -> dict[str, Array]:
    """Places of the deforming bones by role, Y up, metres ``(F, 3)``; ``..._tip`` of limbs' last bones."""
    names = deforming(character)
    scene, unit = bpy.context.scene, armature_io.unit_scale()
    out = {role: np.empty((len(frames), 3)) for role in names}
    for row, frame in enumerate(frames):
        scene.frame_set(frame)
        obj = character.obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        world = np.array(obj.matrix_world)
        for role, (bone, end) in names.items():
            point = getattr(obj.pose.bones[bone], end)
            out[role][row] = world[:3, :3] @ np.array(point) + world[:3, 3]
    return {role: rotations.rotate(armature_io.Y_UP, x) * unit for role, x in out.items()}


def deforming(character: Character) -> dict[str, tuple[str, str]]:
    """Role -> the bone whose head (or tail) shows it; ``left_wrist_tip`` where nothing follows an elbow."""
    bones = character.bone_map.bones
    control = rigify_io.is_control_rig(character.obj, character.bone_map)
    out: dict[str, tuple[str, str]] = {}
    for side in ("left", "right"):
        for part in _SEEN:
            role = f"{side}_{part}"
            if control:
                bone = f"DEF-{RIGIFY[part]}.{side[0].upper()}"
                if bone in character.obj.pose.bones:
                    out[role] = (bone, "head")
            elif role in bones:
                out[role] = (bones[role][0], "head")
        for part, after in NEXT.items():
            if f"{side}_{after}" not in out and f"{side}_{part}" in bones:
                out[f"{side}_{part}_tip"] = (bones[f"{side}_{part}"][-1], "tail")
    return out


def directions(character: Character, heads: dict[str, Array], role: str) -> Array:
    """Unit direction of a limb ``(F, 3)``; NaN where it has no bone."""
    side, part = role.split("_")
    end = heads.get(f"{side}_{NEXT[part]}", heads.get(f"{role}_tip"))
    if role not in heads or end is None:
        return np.full((len(next(iter(heads.values()))), 3), np.nan)
    return rotations.normalize(end - heads[role])
