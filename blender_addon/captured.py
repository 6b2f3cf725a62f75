"""Captured motion, a key on nearly every frame: what of it is missing or to be cleaned, and the way there
and back.

In-betweening reads keyed poses and fills the rest; here everything is read, with some of the motion
around the range, and only what is asked for (:mod:`.scope`) is written. The same two halves as in
:mod:`.transfer`: slices on the main thread, and what needs no Blender for the worker thread.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from . import actions, armature_io, keyframes, plans, rigify_io
from .keyframes import Keys
from .motion import carry, constraints, onward, retarget
from .motion.anchor import anchor
from .motion.clip import Clip
from .motion.constraints import Mask, Request, Result, TextSpan
from .motion.errors import InvalidRequestError
from .motion.placing import placed
from .plans import Plan
from .scope import Scope, find, kept_keys
from .transfer import BONES_AT_ONCE, Answers

if TYPE_CHECKING:
    from .motion.bone_maps import BoneMap


@dataclass(frozen=True, eq=False)
class Captured:
    """Everything that was read; no reference into Blender.

    Attributes:
        plan: what was asked for.
        keys: every key that has to come out as it was, of the whole Action.
        clip: the character's bones at every frame of the scope.
        bone_map: which bone plays which role.
        action: session number of the Action that was read.
        scope: what is asked for.
    """

    plan: Plan
    keys: Keys
    clip: Clip
    bone_map: BoneMap
    action: int
    scope: Scope

    @property
    def first(self) -> int:
        """Scene frame of the clip's first frame."""
        return self.scope.first

    @property
    def last(self) -> int:
        """Scene frame of the clip's last frame."""
        return self.scope.last

    @property
    def bones(self) -> tuple[str, ...]:
        """Bones that the result moves."""
        return tuple(self.scope.bones)

    def scope_json(self) -> dict[str, list[list[int]]]:
        """What is changed, frames by bone, the root's place as ``"root"``."""
        found = {name: plans.runs(mask, self.first) for name, mask in self.scope.bones.items()}
        place = plans.runs(self.scope.root, self.first)
        return found | ({plans.ROOT: place} if place else {})

    # -- for the worker thread -----------------------------------------------------------------

    def rig(self) -> retarget.Rig:
        """The character, described for retargeting."""
        return retarget.make_rig(self.clip.skeleton, self.bone_map, self.clip)

    def own(self) -> Clip:
        """The motion underneath: as captured, and interpolated where it is missing."""
        if self.plan.task not in (plans.COMPLETE, plans.EDIT):
            return self.clip
        missing = np.zeros(self.clip.rotations.shape[:2], bool)
        for bone, mask in self.scope.bones.items():
            missing[:, self.clip.skeleton.index(bone)] = mask
        return carry.interpolated(self.clip, missing)

    def request(self, rig: retarget.Rig) -> Request:
        """The request, on the canonical joints."""
        plan, scope = self.plan, self.scope
        clip = retarget.to_canonical(self.own(), rig)
        settings: dict[str, Any] = {
            "seed": plan.seed, "variations": plan.variations, "system": plan.system, "bundle": plan.bundle,
            "texts": self._texts(),
        }  # fmt: skip
        if plan.task == plans.COMPLETE:
            if not (~scope.joints).any():
                raise InvalidRequestError("range", "everything is missing, nothing is left to go by",
                                          "Choose fewer bones, or a part of the motion.")  # fmt: skip
            return constraints.complete(clip, scope.joints, scope.root, **settings)
        if plan.task == plans.EDIT:
            return constraints.edit(clip, scope.joints, scope.root, **settings)
        if plan.goes_on:
            return self._onward(clip, settings)[0]
        if plan.task == plans.GENERATE:
            return constraints.text(clip, start_pose=plan.place is None, **settings)
        return constraints.refine(clip, np.where(scope.joints, plan.confidence, 1.0), **settings)

    def _onward(self, clip: Clip, settings: dict[str, Any]) -> tuple[Request, np.ndarray]:
        """A request for the frames after the motion, and how far on a loop's last frame stands. ``(3,)``"""
        known, texts = self.plan.start - self.first + 1, settings.pop("texts")
        there = clip.slice(0, known)
        if not self.plan.loop:
            return onward.extended(there, len(clip) - known, texts, **settings), np.zeros(3)
        loop = onward.looped(there, len(clip) - known - 1, texts, **settings)
        return loop.request, loop.shift

    def _texts(self) -> tuple[TextSpan, ...]:
        """Prompts by frames of the clip, as far as it goes."""
        last = len(self.clip)
        found = [TextSpan(text, max(start - self.first, 0), min(stop - self.first, last))
                 for text, start, stop in self.plan.texts]  # fmt: skip
        return tuple(span for span in found if span.start < span.stop)

    def answers(self, rig: retarget.Rig, request: Request, result: Result) -> Answers:
        """What changed, on the character's own bones."""
        if self.plan.task == plans.GENERATE:
            return self._generated(rig, result)
        own, skeleton = self.own(), self.clip.skeleton
        before = retarget.from_canonical(request.clip, rig, own)
        bones = [skeleton.index(bone) for bone in self.scope.bones]
        pelvis = skeleton.index(self.bone_map.bones["pelvis"][0]) if self.scope.carrier is not None else None
        clips = tuple(carry.carried(own, before, retarget.from_canonical(clip, rig, own), bones, pelvis)
                      for clip in result.clips)  # fmt: skip
        was = request.clip if self.plan.task == plans.REFINE else result.baseline
        jerks = {"model": carry.jerk(result.clips[0], self.scope.joints),
                 "interpolation": carry.jerk(was, self.scope.joints)}  # fmt: skip
        known: Mask = ~self.scope.joints
        return Answers(clips, known, ~self.scope.root, {**result.report, "jerk": jerks}, own)

    def _generated(self, rig: retarget.Rig, result: Result) -> Answers:
        """New motion on the character's own bones, where it is wanted."""
        plan, clips = self.plan, result.clips
        if plan.goes_on:
            return self._gone_on(rig, result)
        if plan.place is not None:
            begun = (placed(clip, 0.0, clip.root_positions[0] * (-1.0, 0.0, -1.0)) for clip in clips)
            clips = tuple(placed(clip, np.radians(plan.heading), plan.place) for clip in begun)
        own = tuple(retarget.from_canonical(clip, rig, self.clip) for clip in clips)
        return Answers(own, ~self.scope.joints, ~self.scope.root, dict(result.report))

    def _gone_on(self, rig: retarget.Rig, result: Result) -> Answers:
        """What comes after the motion, joined to the character's own poses: its last, and a loop's first again."""
        exact, known = self.clip, ~self.scope.joints.any(1)
        if self.plan.loop:
            _, shift = self._onward(retarget.to_canonical(self.clip, rig), {"texts": ()})
            exact = onward.again(exact, rig, shift)
            known[-1] = True
        base = anchor(exact.sample(np.zeros(len(exact))), exact, known)  # what bones without a role do
        own = tuple(anchor(retarget.from_canonical(clip.slice(0, len(exact)), rig, base), exact, known)
                    for clip in result.clips)  # fmt: skip
        return Answers(own, ~self.scope.joints, ~self.scope.root, dict(result.report))


# -- for the main thread, in slices -----------------------------------------------------------------


def collect(obj: bpy.types.Object, plan: Plan, bone_map: BoneMap) -> Generator[None, None, Captured]:
    """Read what the plan is about, the motion around it, and every key that has to stay.

    Raises:
        InvalidRequestError: nothing to work on, or an armature that cannot be animated.
    """
    # 1. may it be written to
    actions.check_editable(obj)
    if plan.task == plans.GENERATE:
        actions.ensure(obj)
    data = obj.animation_data
    if data is None or data.action is None:
        raise InvalidRequestError(
            "keys", f"{obj.name} has none", "Give it the Action with the captured motion."
        )
    # 2. what is asked for
    scope = find(obj, plan, bone_map, armature_io.scene_fps())
    return (yield from read_steps(obj, plan, bone_map, scope))


def read_steps(
    obj: bpy.types.Object, plan: Plan, bone_map: BoneMap, scope: Scope
) -> Generator[None, None, Captured]:
    """Read the motion of a scope and every key that has to stay.

    Raises:
        InvalidRequestError: a curve that is to be written has a modifier.
    """
    check_curves(obj, scope)
    data = obj.animation_data
    assert data is not None
    assert data.action is not None
    action = data.action.session_uid
    yield
    # 1. the keys that stay
    channels: dict[keyframes.ChannelId, keyframes.KeyedChannel] = {}
    found = (keyframes.split_path(curve.data_path) for curve in actions.fcurves(obj))
    bones = list(dict.fromkeys(split[0] for split in found if split is not None))
    for at in range(0, len(bones), BONES_AT_ONCE):
        part = keyframes.read_keys(obj, -np.inf, np.inf, False, bones[at : at + BONES_AT_ONCE], True)
        channels.update(kept_keys(scope, part).channels)
        yield
    # 2. the motion
    frames = scope.frames.astype(np.float64)
    if rigify_io.is_control_rig(obj, bone_map):
        steps = rigify_io.read_clip_steps(obj, bone_map, frames)
    else:
        steps = armature_io.read_clip_steps(obj, frames, bone_map.names)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return Captured(plan, Keys(-np.inf, np.inf, channels), end.value, bone_map, action, scope)
        yield


def check_curves(obj: Any, scope: Scope) -> None:
    """Modifiers would carry what is written to frames that nobody asked for.

    Raises:
        InvalidRequestError: a curve that is to be written has one.
    """
    for curve in actions.fcurves(obj):
        split = keyframes.split_path(curve.data_path)
        if split is not None and scope.mask(*split) is not None and any(not m.mute for m in curve.modifiers):
            kind = next(m.type for m in curve.modifiers if not m.mute).replace("_", " ").title()
            raise InvalidRequestError("curves", f"{split[0] or obj.name} has a modifier ({kind}) on its {split[1]}",
                                      "Bake the Action first (Object > Animation > Bake Action).")  # fmt: skip
