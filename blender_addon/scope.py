"""What is asked for on a captured motion: which bones, at which frames, and what that is on the canonical
joints. Looks at Blender's data, changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import actions, character_io, plans, pose_model, rigify_io
from .channel_writer import carrier
from .keyframes import PROPERTIES, ROTATIONS, Keys, read_keys, read_records, split_path
from .motion.bone_maps import BoneMap
from .motion.constraints import Mask
from .motion.errors import InvalidRequestError
from .plans import Plan

CONTEXT_SECONDS = 2.0
"""How much of the motion before and after the range is shown to the model."""
DENSE = 2.0
"""Frames from key to key, the middle one of them, up to which a bone counts as captured."""
NO_KEYS = "Choose frames that the motion has, or another armature."


@dataclass(frozen=True, eq=False)
class Scope:
    """What is asked for.

    Attributes:
        first, last: scene frames that are read, context included.
        start, end: scene frames of the range, no further than the motion goes.
        motion: first and last frame of the whole motion.
        bones: bone that is written -> ``(F,)``, at which of the frames ``first``..``last``.
        joints: ``(F, 22)`` the same on the canonical joints.
        root: ``(F,)`` where the root's place is asked for.
        carrier: bone whose location carries the root ("" for the object); None: the place is not asked.
        named: the bones that the request was about, for messages; empty: all.
    """

    first: int
    last: int
    start: int
    end: int
    motion: tuple[int, int]
    bones: Mapping[str, Mask]
    joints: Mask
    root: Mask
    carrier: str | None
    named: tuple[str, ...]

    @property
    def frames(self) -> np.ndarray:
        """Scene frames that are read. ``(F,)``."""
        return np.arange(self.first, self.last + 1)

    def mask(self, bone: str, prop: str) -> Mask | None:
        """Frames of a channel that are asked for; None: none of them."""
        if prop in ROTATIONS:
            return self.bones.get(bone)
        return self.root if prop == "location" and bone == self.carrier else None

    def removed(self, frames: np.ndarray, mask: Mask) -> np.ndarray:
        """Which keys at ``frames`` ``(n,)`` give way: those with nothing but asked for frames around them."""
        out = np.ones(len(frames), bool)
        for whole in (np.floor(frames), np.ceil(frames)):
            at = whole.astype(int) - self.first
            inside = (at >= 0) & (at < len(mask))
            out &= inside & mask[np.clip(at, 0, len(mask) - 1)]
        return out


def find(obj: Any, plan: Plan, bone_map: BoneMap, fps: float) -> Scope:
    """What ``plan`` asks for on the armature's present motion.

    Raises:
        InvalidRequestError: there is no motion in the range, no bone with a role, no gap, or nothing
            but kept keys.
    """
    if plan.task == plans.GENERATE:
        return _whole(obj, plan, bone_map, fps)
    motion = _motion(obj)
    start, end, first, last = _span(motion, plan, fps)
    roles = _roles(obj, plan, bone_map, start, end)
    masks: dict[str, Mask] = {}
    nothing = np.zeros(last - first + 1, bool)
    gaps = plan.gap > 0 and plan.scope is None
    for control, found in roles.items():
        if gaps:
            mask = _gaps(obj, control, plan.gap, start, end, first, last)
        else:
            mask = nothing.copy()
            mask[start - first : end + 1 - first] = True
        for bone in _written(bone_map, control, found):
            masks[bone] = masks.get(bone, nothing) | mask
    carried = _carrier(obj, plan, bone_map)
    root = masks.get(bone_map.bones["pelvis"][0], nothing).copy() if carried is not None else nothing.copy()
    if gaps and carried is not None:
        root = _gaps(obj, carried, plan.gap, start, end, first, last, ("location",))
    if plan.scope is not None:
        masks, root = _again(plan.scope, bone_map, masks, first, last)
    if plan.keep == "SELECTED":
        _keep(obj, plan, bone_map, masks, root, first)
    masks = {bone: mask for bone, mask in masks.items() if mask.any()}
    carried = carried if root.any() else None
    if not masks and carried is None:
        raise _nothing(plan)
    joints = _joints(bone_map, masks, first, last)
    return Scope(first, last, start, end, motion, masks, joints, root, carried, plan.bones)


def _whole(obj: Any, plan: Plan, bone_map: BoneMap, fps: float) -> Scope:
    """Every bone with a role and the root over the whole range; at a pose to begin with, from the frame after.

    Of a motion that goes on its end is read too, of one that is to loop all of it.
    """
    first, last = plan.start, plan.end
    if plan.goes_on:
        begin, _ = _motion(obj)
        first = begin if plan.loop else max(begin, plan.start - max(1, round(CONTEXT_SECONDS * fps)))
    mask = np.ones(last - first + 1, bool)
    mask[: plan.start - first + (plan.place is None)] = False
    masks = {bone: mask.copy() for control, found in _roles(obj, plan, bone_map, first, last).items()
             for bone in _written(bone_map, control, found)}  # fmt: skip
    carried = carrier(obj, bone_map.bones["pelvis"][0])
    root = mask.copy() if carried is not None else np.zeros_like(mask)
    joints = _joints(bone_map, masks, first, last)
    return Scope(first, last, first, last, (first, last), masks, joints, root, carried, ())


def _motion(obj: Any) -> tuple[int, int]:
    """First and last frame of the armature's Action."""
    low, high = (float(x) for x in obj.animation_data.action.curve_frame_range)
    return int(np.floor(low)), int(np.ceil(high))


def _span(motion: tuple[int, int], plan: Plan, fps: float) -> tuple[int, int, int, int]:
    """The range as far as the motion goes, and the frames that are read."""
    begin, stop = motion
    start, end = max(plan.start, begin), min(plan.end, stop)
    if end < start:
        problem = f"there is no key from {plan.start} to {plan.end}, the motion goes from {begin} to {stop}"
        raise InvalidRequestError("range", problem, NO_KEYS)
    around = max(1, round(CONTEXT_SECONDS * fps))
    first, last = max(start - around, begin), min(end + around, stop)
    if last == first:
        raise InvalidRequestError("range", "the motion is one frame long", NO_KEYS)
    return start, end, first, last


def _roles(obj: Any, plan: Plan, bone_map: BoneMap, start: int, end: int) -> dict[str, tuple[str, ...]]:
    """Bones or controls that are asked about -> the roles that they pose.

    Raises:
        InvalidRequestError: none of the named bones has a role.
    """
    control_rig = rigify_io.is_control_rig(obj, bone_map)
    if control_rig:
        names: Iterable[str] = plan.bones or [bone.name for bone in obj.pose.bones]
        frames = np.arange(start, end + 1, dtype=np.float64)
        curves = pose_model.Curves(obj)
        out = {name: rigify_io.posed_roles(obj, bone_map, name, frames, curves) for name in names}
    else:
        by_bone = {bone: (role,) for role, bones in bone_map.bones.items() for bone in bones}
        out = {name: by_bone.get(name, ()) for name in plan.bones or by_bone}
    out = {name: found for name, found in out.items() if found}
    if not out:
        named = ", ".join(plan.bones[:4]) + (" ..." if len(plan.bones) > 4 else "")
        raise InvalidRequestError("bones", f"none of the chosen bones has a role: {named}",
                                  "Choose arms, legs, spine, neck, head or hips.")  # fmt: skip
    return out


def _written(bone_map: BoneMap, control: str, roles: tuple[str, ...]) -> tuple[str, ...]:
    """The bone itself where it has its role alone, else all bones of the roles that it poses."""
    if len(roles) == 1 and control in bone_map.bones.get(roles[0], ()):
        return (control,)
    return tuple(bone for role in roles for bone in bone_map.bones.get(role, ()))


def _carrier(obj: Any, plan: Plan, bone_map: BoneMap) -> str | None:
    """Who carries the root, if that is asked for and moves; see :class:`Scope`."""
    pelvis = bone_map.bones["pelvis"]
    found = carrier(obj, pelvis[0])
    asked = not plan.bones or found in plan.bones or (found in pelvis and set(pelvis) & set(plan.bones))
    if found is None or not asked:
        return None
    moves = any(split_path(f.data_path) == (found, "location") for f in actions.fcurves(obj))
    return found if moves else None


def _gaps(obj: Any, bone: str, longer: int, start: int, end: int, first: int, last: int,
          properties: Iterable[str] = PROPERTIES) -> Mask:  # fmt: skip
    """Frames of the range at which a captured bone has no key for more than ``longer`` frames."""
    out = np.zeros(last - first + 1, bool)
    wanted = set(properties)
    found = [read_records(f)["frame"] for f in actions.fcurves(obj)
             if (split := split_path(f.data_path)) is not None and split[0] == bone and split[1] in wanted]  # fmt: skip
    keyed = np.unique(np.concatenate([np.empty(0), *found]))
    if len(keyed) < 4 or np.median(np.diff(keyed)) > DENSE:
        return out  # never captured: at rest, or posed by hand
    edges = np.concatenate([[start - longer - 2.0 if keyed[0] > start else keyed[0]], keyed,
                            [end + longer + 2.0 if keyed[-1] < end else keyed[-1]]])  # fmt: skip
    for low, high in itertools.pairwise(edges):
        a, b = max(int(np.floor(low)) + 1, start), min(int(np.ceil(high)) - 1, end)
        if b - a + 1 > longer:
            out[a - first : b + 1 - first] = True
    return out


def _keep(obj: Any, plan: Plan, bone_map: BoneMap, masks: dict[str, Mask], root: Mask, first: int) -> None:
    """Take the frames of selected keys out of what is asked."""
    keys = read_keys(obj, plan.start, plan.end, only_selected_keys=True, include_generated=True)
    clear_keyed(obj, bone_map, keys, masks, root, first)


def clear_keyed(
    obj: Any, bone_map: BoneMap, keys: Keys, masks: dict[str, Mask], root: Mask, first: int
) -> None:
    """Take the frames of ``keys`` out of what is asked of the bones whose roles they pose, and of the root."""
    if rigify_io.is_control_rig(obj, bone_map):
        roles, places = rigify_io.keyed_roles(obj, keys)
    else:
        roles, places = character_io.keyed_roles(obj, bone_map, keys)
    for role, frames in roles.items():
        for bone in bone_map.bones.get(role, ()):
            if bone in masks:
                _clear(masks[bone], frames, first)
    _clear(root, places, first)


def _clear(mask: Mask, frames: np.ndarray, first: int) -> None:
    for whole in (np.floor(frames), np.ceil(frames)):
        at = whole.astype(int) - first
        mask[at[(at >= 0) & (at < len(mask))]] = False


def _again(scope: Mapping[str, list[list[int]]], bone_map: BoneMap, asked: Mapping[str, Mask], first: int,
           last: int) -> tuple[dict[str, Mask], Mask]:  # fmt: skip
    """What an earlier result changed."""
    frames = last - first + 1
    masks = {
        name: plans.read_runs(found, first, frames) for name, found in scope.items() if name != plans.ROOT
    }
    unknown = sorted(masks.keys() - asked.keys())
    if unknown:
        raise InvalidRequestError("bones", f"{unknown[0]!r}, which was changed then, has no role any more")
    return masks, plans.read_runs(scope.get(plans.ROOT, []), first, frames)


def _joints(bone_map: BoneMap, masks: Mapping[str, Mask], first: int, last: int) -> Mask:
    frames = np.arange(first, last + 1)
    roles = {}
    for role, bones in bone_map.bones.items():
        found = [masks[bone] for bone in bones if bone in masks]
        if found:
            roles[role] = frames[np.logical_or.reduce(found)].astype(np.float64)
    return character_io.joint_mask(bone_map, roles, first, last)


def _nothing(plan: Plan) -> InvalidRequestError:
    if plan.gap and plan.scope is None:
        problem = f"no captured bone is without a key for more than {plan.gap} frames"
        return InvalidRequestError("gaps", f"{problem} from {plan.start} to {plan.end}",
                                   "Choose a shorter gap, or the bones.")  # fmt: skip
    return InvalidRequestError("keys", "every key that is asked for is to be kept",
                               "Select fewer keys, or keep none.")  # fmt: skip


def kept_keys(scope: Scope, channel: Keys) -> Keys:
    """The keys among ``channel`` that have to come out as they were."""
    out = {}
    for key, one in channel.channels.items():
        mask = scope.mask(one.bone, one.property)
        keep = np.ones(len(one.records), bool) if mask is None else ~scope.removed(one.records["frame"], mask)
        out[key] = type(one)(one.bone, one.property, one.index, one.records[keep])
    return Keys(channel.start, channel.end, out)
