"""Pins, path and waypoints of an armature object -> :mod:`.motion.controls`' entries.

Targets that move (animated, constrained, parented to what moves) are asked of Blender frame by frame, in slices,
and the scene is back on its frame, unkeyed poses included, whenever a slice ends. Everything is told in Blender's
axes and units; the format knows both.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from typing import Any

import bpy
import numpy as np

from . import armature_io, follow_properties, paths, rigify_io
from .depsgraph import SLICE, frame_kept, object_moves_by_depsgraph
from .motion import controls
from .motion.bone_maps import BoneMap
from .motion.errors import InvalidRequestError
from .motion.rotations import Array

Target = tuple[Any, str]
"""An object, and one of its bones or ""."""
_CONTROLS = {"hand_ik": "wrist", "upper_arm_ik": "shoulder", "upper_arm_ik_target": "elbow", "foot_ik": "ankle",
             "foot_heel_ik": "ankle", "foot_spin_ik": "ankle", "thigh_ik": "hip", "thigh_ik_target": "knee",
             "toe_ik": "foot"}  # fmt: skip
_BODY = {"torso": "pelvis", "hips": "pelvis", "chest": "spine3"}
_SIDES = {"L": "left", "R": "right"}
DIGITS = 6
"""Of every number that is written: micrometres."""


# -- which joint a bone is ---------------------------------------------------------------------------------


def joint_of(obj: Any, bone_map: BoneMap, bone: str) -> str:
    """The canonical joint that a bone or control of a character stands for; "" if it has no role."""
    for role, names in bone_map.bones.items():
        if bone in names:
            if role != "spine":
                return role
            return f"spine{1 + min(round(3 * names.index(bone) / len(names)), 2)}"
    return _control_joint(obj, bone_map, bone) if rigify_io.is_control_rig(obj, bone_map) else ""


def _control_joint(obj: Any, bone_map: BoneMap, bone: str) -> str:
    """The same for Rigify's other controls, and for the bones that its controls move."""
    if bone in _BODY:
        return _BODY[bone]
    stem, _, letter = bone.rpartition(".")
    if stem in _CONTROLS and letter in _SIDES:
        return f"{_SIDES[letter]}_{_CONTROLS[stem]}"
    for prefix in ("ORG-", "DEF-"):
        if bone.startswith(prefix):
            bare = bone.removeprefix(prefix)
            stem, _, letter = bare.rpartition(".")
            return next((joint_of(obj, bone_map, n) for n in (f"{stem}_fk.{letter}", bare)
                         if any(n in names for names in bone_map.bones.values())), "")  # fmt: skip
    return ""


def bones_of(obj: Any, bone_map: BoneMap) -> dict[str, str]:
    """Every bone that can be pinned -> its joint."""
    found = ((bone.name, joint_of(obj, bone_map, bone.name)) for bone in obj.pose.bones)
    return {name: joint for name, joint in found if joint}


def shown(obj: Any, bone_map: BoneMap, bone: str) -> str:
    """The bone whose head shows where a pinned bone is: controls of a limb stay behind while others move it."""
    if not rigify_io.is_control_rig(obj, bone_map):
        return bone
    joint = joint_of(obj, bone_map, bone)
    control = bone_map.bones.get(joint, ("",))[0]
    return rigify_io.seen_bone(obj, control) if control and joint != "pelvis" else bone


# -- targets --------------------------------------------------------------------------------------------


def moves(target: Target) -> bool:
    """Whether a target may be elsewhere at another frame."""
    obj, bone = target
    data = obj.animation_data
    if bone or obj.rigid_body is not None:
        return True
    animated = data is not None and (data.action is not None or bool(data.drivers) or bool(data.nla_tracks))
    return animated or object_moves_by_depsgraph(obj)


def matrices(target: Target) -> Array:
    """World matrix of an object or one of its bones, as the scene stands now. ``(4, 4)``."""
    obj, bone = target
    seen = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    world = np.array(seen.matrix_world, np.float64)
    return world @ np.array(seen.pose.bones[bone].matrix, np.float64) if bone else world


def sample_steps(
    character: Any, wanted: dict[Target, np.ndarray]
) -> Generator[None, None, dict[Target, dict[int, Array]]]:
    """World matrices of targets at whole scene frames, in slices.

    Args:
        character: its unkeyed pose is kept, as that of every armature among the targets.
        wanted: target -> frames ``(n,)``.

    Returns:
        target -> frame -> ``(4, 4)``; one that does not move has the one entry of its first frame.
    """
    bpy.context.view_layer.update()
    out: dict[Target, dict[int, Array]] = {t: {} for t in wanted}
    moving: dict[int, list[Target]] = {}
    for target, frames in wanted.items():
        if not moves(target):
            out[target][int(frames[0])] = matrices(target)
            continue
        for frame in frames:
            moving.setdefault(int(frame), []).append(target)
    armatures = {character, *(obj for obj, _ in wanted if obj.type == "ARMATURE")}
    pending = sorted(moving)
    while pending:
        yield
        until = time.perf_counter() + SLICE
        with ExitStack() as kept:
            for armature in armatures:
                kept.enter_context(frame_kept(armature, bpy.context.scene))
            while pending and time.perf_counter() < until:
                frame = pending.pop(0)
                bpy.context.scene.frame_set(frame)
                for target in moving[frame]:
                    out[target][frame] = matrices(target)
    return out


def target_of(entry: Any, name: str, character: Any) -> Target:
    """The target of a pin or waypoint.

    Raises:
        InvalidRequestError: it is gone, or it is the character itself.
    """
    target, bone = entry.target, getattr(entry, "target_bone", "")
    if target is None or target.name not in bpy.context.scene.objects:
        raise InvalidRequestError(
            name, "its object is gone from the scene", "Choose another one, or remove it."
        )
    if target == character:
        raise InvalidRequestError(name, "it is pinned to the character itself", "Choose another object.")
    if bone and (target.type != "ARMATURE" or bone not in target.pose.bones):
        raise InvalidRequestError(name, f"{target.name} has no bone {bone!r}", "Choose another one, or none.")
    return target, bone


# -- all of it ------------------------------------------------------------------------------------------


def read_steps(obj: Any, bone_map: BoneMap, start: int, end: int) -> Generator[None, None, dict[str, Any]]:
    """What an armature object is to follow from ``start`` to ``end``, as :func:`.controls.load` takes it.

    Pins and paths are cut to the range; what lies outside of it is left out.

    Raises:
        InvalidRequestError: a target is gone, a bone has no role, a path has no length, or nothing is in the
            range; it names the entry.
    """
    kept = follow_properties.of(obj)
    out: dict[str, Any] = {"up": "Z", "unit": armature_io.unit_scale()}
    used = [(n, pin) for n, pin in enumerate(kept.pins) if pin.use and pin.start <= end and pin.end >= start]
    for number, pin in used:
        if pin.end < pin.start:
            raise InvalidRequestError(title(pin, number), f"frames {pin.start} to {pin.end} hold none")
    there = [(n, w) for n, w in enumerate(kept.waypoints) if start <= w.frame <= end]
    # 1. where the targets are
    wanted: dict[Target, np.ndarray] = {}
    for number, pin in used:
        if pin.source == follow_properties.OBJECT:
            _want(wanted, target_of(pin, title(pin, number), obj), span(pin, start, end))
    for number, waypoint in there:
        _want(wanted, target_of(waypoint, f"waypoint {number + 1}", obj), [waypoint.frame])
    at = yield from sample_steps(obj, wanted)
    # 2. the entries
    out["pins"] = [_pin(obj, bone_map, pin, number, span(pin, start, end), at) for number, pin in used]
    out["waypoints"] = [_waypoint(w, number, at, obj) for number, w in there]
    if kept.path is not None:
        path = path_entry(kept, start, end)
        out |= {"path": path} if path else {}
    if not (out["pins"] or out["waypoints"] or "path" in out):
        raise InvalidRequestError("follow", f"nothing is to be followed from {start} to {end}",
                                  "Add a pin, a path or a waypoint, or choose another range.")  # fmt: skip
    return out


def _want(wanted: dict[Target, np.ndarray], target: Target, frames: Iterable[int]) -> None:
    wanted[target] = np.union1d(wanted.get(target, np.empty(0, int)), np.asarray(list(frames), int))


def span(pin: Any, start: int, end: int) -> np.ndarray:
    """Frames of a pin inside the range."""
    return np.arange(max(pin.start, start), min(pin.end, end) + 1)


def title(pin: Any, number: int) -> str:
    """What messages call a pin."""
    return pin.name or f"pin {number + 1} ({pin.bone})"


def _at(at: dict[Target, dict[int, Array]], target: Target, frames: np.ndarray) -> Array:
    """World matrices at frames ``(n, 4, 4)``, the one there is for what does not move."""
    found = at[target]
    if not moves(target):
        return np.broadcast_to(next(iter(found.values())), (len(frames), 4, 4))
    return np.stack([found[int(frame)] for frame in frames])


def _pin(obj: Any, bone_map: BoneMap, pin: Any, number: int, frames: np.ndarray,
         at: dict[Target, dict[int, Array]]) -> dict[str, Any]:  # fmt: skip
    name = title(pin, number)
    if pin.bone not in obj.pose.bones:
        raise InvalidRequestError(name, f"{obj.name} has no bone {pin.bone!r}", "Choose another one.")
    joint = joint_of(obj, bone_map, pin.bone)
    if not joint:
        raise InvalidRequestError(name, f"the bone {pin.bone!r} has no role",
                                  "Pin hips, spine, neck, head, arms, hands, legs or feet.")  # fmt: skip
    out: dict[str, Any] = {"name": name, "joint": joint, "bone": pin.bone,
                           "frames": [int(frames[0]), int(frames[-1])]}  # fmt: skip
    if not pin.hard:
        out["firmness"] = round(float(pin.firmness), DIGITS)
    offset = np.array(pin.offset, np.float64)
    if pin.source == follow_properties.OBJECT:
        world = _at(at, target_of(pin, name, obj), frames)
        places = world[:, :3, 3] + np.einsum("nij,j->ni", world[:, :3, :3], offset)
        return out | {"positions": places.round(DIGITS).tolist()}
    place = (
        controls.PRESENT
        if pin.source == follow_properties.PRESENT
        else np.array(pin.place).round(DIGITS).tolist()
    )
    return out | {"position": place, "offset": offset.round(DIGITS).tolist()}


def _waypoint(waypoint: Any, number: int, at: dict[Target, dict[int, Array]], obj: Any) -> dict[str, Any]:
    name = f"waypoint {number + 1}"
    target = target_of(waypoint, name, obj)
    world = _at(at, target, np.array([waypoint.frame]))[0]
    out: dict[str, Any] = {"name": f"{name} ({target[0].name})", "frame": int(waypoint.frame),
                           "position": world[:3, 3].round(DIGITS).tolist()}  # fmt: skip
    if waypoint.use_heading:
        out["heading"] = round(math.degrees(heading(world, out["name"])), DIGITS)
    return out


def heading(world: Array, name: str = "waypoint") -> float:
    """Radians to the left of the front view in which a matrix' front, its -Y, points over the ground.

    Raises:
        InvalidRequestError: it points straight up or down.
    """
    x, y = -world[0, 1], -world[1, 1]
    if math.hypot(x, y) < 1e-3 * float(np.linalg.norm(world[:3, 1])):
        raise InvalidRequestError(
            name, "its front points straight up or down", "Turn it, or leave its heading."
        )
    return math.atan2(x, -y)


def path_entry(kept: Any, start: int, end: int) -> dict[str, Any] | None:
    """The path's entry; None: none of its frames are in the range."""
    first, last = path_frames(kept, start, end)
    low, high = max(first, start), min(last, end)
    if low > high:
        return None
    points, closed = paths.line(kept.path)
    out: dict[str, Any] = {
        "name": f"path ({kept.path.name})", "points": points.round(DIGITS).tolist(), "closed": closed,
        "smooth": False, "frames": [low, high], "heading": kept.heading.lower(),
    }  # fmt: skip
    if kept.pace == follow_properties.TIMED:
        return out | {"fractions": paths.fractions(kept.path, low, high)}
    if kept.pace == follow_properties.SPEED and low == first:
        return out | {"speed": round(float(kept.speed), DIGITS)}
    if (low, high) == (first, last):
        return out
    return out | {"fractions": _cut(kept, points, closed, (first, last), (low, high))}


def path_frames(kept: Any, start: int, end: int) -> tuple[int, int]:
    """First and last frame on the path.

    Raises:
        InvalidRequestError: there are none between them.
    """
    if not kept.own_frames:
        return start, end
    if kept.end <= kept.start:
        raise InvalidRequestError("path", f"frames {kept.start} to {kept.end} are no time to walk it",
                                  "Choose an end after the start.")  # fmt: skip
    return kept.start, kept.end


def _cut(
    kept: Any, points: Array, closed: bool, whole: tuple[int, int], part: tuple[int, int]
) -> list[list[float]]:
    """Shares of the length at the ends of a part of the path's frames, where the range cuts it."""
    first, last = whole
    if kept.pace != follow_properties.SPEED:
        return [[f, (f - first) / (last - first)] for f in part]
    from .motion import polyline

    unit = armature_io.unit_scale()
    flat = polyline.over_ground(points[:, [0, 2, 1]] * unit, closed)
    total = float(polyline.lengths(flat)[-1])
    share = float(kept.speed) * (np.arange(part[0], part[1] + 1) - first) / armature_io.scene_fps() / total
    share = share % 1.0 if closed else np.minimum(share, 1.0)
    return [[f, float(s)] for f, s in zip(range(part[0], part[1] + 1), share, strict=True)]
