"""Evaluating a pose the slow way, frame by frame in Blender's dependency graph, and when that is
needed: constraints, drivers, NLA tracks and moving parents are beyond reading F-curves."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from .keyframes import split_path
from .motion.errors import InvalidRequestError
from .motion.rotations import Array

SLICE = 0.03
"""Seconds of evaluation between two yields; Blender's window stays responsive."""

_SAVED = {"location": 3, "rotation_quaternion": 4, "rotation_euler": 3, "rotation_axis_angle": 4, "scale": 3}


def needs_depsgraph(obj: Any, bones: Iterable[str], constraints: bool = True) -> bool:
    """Whether anything but the object's own Action moves one of these bones.

    Args:
        constraints: look at the bones' constraints too, not at drivers and NLA tracks alone.
    """
    pose = obj.pose.bones
    if constraints and any(not c.mute for name in bones for c in pose[name].constraints):
        return True
    data = obj.animation_data
    if data is None:
        return False
    wanted = set(bones)
    driven = (split_path(d.data_path) for d in data.drivers if not d.mute)
    return _plays_nla(data) or any(s is not None and s[0] in wanted for s in driven)


def _plays_nla(data: Any) -> bool:
    return bool(data.use_nla and any(len(t.strips) and not t.mute for t in data.nla_tracks))


def object_moves_by_depsgraph(obj: Any) -> bool:
    """Whether the object's own transform depends on more than its own Action."""
    if any(not c.mute for c in obj.constraints):
        return True
    data = obj.animation_data
    if data is not None and (_plays_nla(data) or any((split_path(d.data_path) or "x")[0] == ""
                                                     for d in data.drivers if not d.mute)):  # fmt: skip
        return True
    if obj.parent is None:
        return False
    return _animated(obj) or obj.parent_type != "OBJECT" or _anything_moves(obj.parent)


def _animated(obj: Any) -> bool:
    from . import actions

    return any((split_path(f.data_path) or "x")[0] == "" for f in actions.fcurves(obj))


def _anything_moves(obj: Any) -> bool:
    data = obj.animation_data
    moves = data is not None and (data.action is not None or len(data.drivers) or _plays_nla(data))
    if moves or any(not c.mute for c in obj.constraints):
        return True
    return obj.parent is not None and (obj.parent_type != "OBJECT" or _anything_moves(obj.parent))


def visit(obj: Any, frames: Array, bones: Iterable[str]) -> Generator[float, None, tuple[Array, Array]]:
    """Evaluated pose matrices ``(F, B, 4, 4)`` and world matrices ``(F, 4, 4)`` at scene frames.

    The scene is back on its frame, unkeyed poses included, whenever this yields.
    """
    if not obj.visible_get():
        raise InvalidRequestError("armature", f"{obj.name} is hidden, so Blender does not evaluate it",
                                  "Make it visible in the viewport.")  # fmt: skip
    if obj.data.pose_position == "REST":
        raise InvalidRequestError("armature", f"{obj.name} shows its rest position",
                                  "Switch the armature to Pose Position.")  # fmt: skip
    names, scene = list(bones), bpy.context.scene
    poses, world = np.empty((len(frames), len(names), 4, 4)), np.empty((len(frames), 4, 4))
    done = 0
    while done < len(frames):
        yield done / len(frames)
        until = time.perf_counter() + SLICE
        with frame_kept(obj, scene):
            while done < len(frames) and (time.perf_counter() < until):
                whole = int(np.floor(frames[done]))
                scene.frame_set(whole, subframe=float(frames[done] - whole))
                seen = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
                world[done] = seen.matrix_world
                for k, name in enumerate(names):
                    poses[done, k] = seen.pose.bones[name].matrix
                done += 1
    return poses, world


@contextmanager
def frame_kept(obj: Any, scene: Any) -> Iterator[None]:
    """Put the scene back on its frame and the bones into the pose they had, keyed or not."""
    frame, subframe, pose = scene.frame_current, scene.frame_subframe, obj.pose.bones
    saved = {}
    for name, size in _SAVED.items():
        saved[name] = np.empty(size * len(pose), np.float32)
        pose.foreach_get(name, saved[name])
    try:
        yield
    finally:
        scene.frame_set(frame, subframe=subframe)
        changed = False
        for name, values in saved.items():
            now = np.empty_like(values)
            pose.foreach_get(name, now)
            if (now != values).any():
                pose.foreach_set(name, values)
                changed = True
        if changed:
            obj.update_tag(refresh={"OBJECT"})
            bpy.context.view_layer.update()
