"""Between Blender's data and a request: reading what is keyed.

:func:`collect` is a generator: each step takes a few milliseconds of the main thread. What needs no
Blender (retargeting, the masks) is in :class:`Collected`, for the worker thread.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from . import actions, armature_io, keyframes
from .keyframes import ROTATIONS, Keys
from .motion import constraints, retarget
from .motion.clip import Clip, concatenate
from .motion.constraints import Mask, Request, Result, TextSpan
from .motion.errors import InvalidRequestError
from .motion.skeleton import INDEX, JOINTS
from .plans import Plan, read_known

if TYPE_CHECKING:
    from .motion.bone_maps import BoneMap

CHUNK = 250
"""Frames read at once: a piece of two dozen bones is turned into a clip in a few milliseconds."""

BONES_AT_ONCE = 4


@dataclass(frozen=True)
class Answers:
    """What came back, on the character's own bones: one clip a variation.

    Attributes:
        clips: one frame a scene frame, from ``Collected.first`` on.
        joints: ``(F, 22)`` which joints were known.
        root: ``(F,)`` where the root's place was known.
        report: how it was made and what was measured.
    """

    clips: tuple[Clip, ...]
    joints: Mask
    root: Mask
    report: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Collected:
    """Everything that was read; no reference into Blender.

    Attributes:
        plan: what was asked for.
        keys: the keys that are kept.
        clip: the character's own motion, one frame a scene frame from ``first`` on.
        bone_map: which bone plays which role.
        first: scene frame of the clip's first frame.
        action: session number of the Action that was read.
    """

    plan: Plan
    keys: Keys
    clip: Clip
    bone_map: BoneMap
    first: int
    action: int

    @property
    def last(self) -> int:
        """Scene frame of the clip's last frame."""
        return self.first + len(self.clip) - 1

    @property
    def frames(self) -> np.ndarray:
        """Scene frames of the clip. ``(F,)``."""
        return np.arange(self.first, self.last + 1)

    @property
    def bones(self) -> tuple[str, ...]:
        """Bones with a role, which the result moves."""
        return tuple(bone for bones in self.bone_map.bones.values() for bone in bones)

    # -- for the worker thread -----------------------------------------------------------------

    def rig(self) -> retarget.Rig:
        """The character, described for retargeting."""
        return retarget.make_rig(self.clip.skeleton, self.bone_map, self.clip)

    def request(self, rig: retarget.Rig) -> Request:
        """The request, on the canonical joints."""
        joints, root = self.known()
        plan = self.plan
        return constraints.inbetween(
            retarget.to_canonical(self.clip, rig), joints.any(1), joints, root, seed=plan.seed,
            variations=plan.variations, system=plan.system, bundle=plan.bundle,
            texts=tuple(TextSpan(*span) for span in plan.texts),
        )  # fmt: skip

    def known(self) -> tuple[Mask, Mask]:
        """Which joints are keyed where ``(F, 22)``, and where the root's place is ``(F,)``.

        A joint is known where one of its bones has a rotation key; the root's place where the
        pelvis, a bone above it or the object has a location key, and, on a character that is only
        ever turned, at every key.
        """
        if self.plan.known is not None:
            return read_known(self.plan.known, self.first, len(self.clip))
        joints = np.zeros((len(self.clip), len(JOINTS)), bool)
        for role, bones in self.bone_map.bones.items():
            columns = [INDEX[name] for name in _joints_of(role)]
            for bone in bones:
                joints[np.ix_(self._keyed(bone, ROTATIONS), columns)] = True
        root = np.zeros(len(self.clip), bool)
        pelvis = self.bone_map.bones["pelvis"][0]
        skeleton = self.clip.skeleton
        above = [skeleton.names[i] for i in skeleton.ancestors(skeleton.index(pelvis))]
        for bone in ("", pelvis, *above):
            root[self._keyed(bone, ("location",))] = True
        return joints, root if root.any() else joints.any(1)

    def _keyed(self, bone: str, channels: Sequence[str]) -> np.ndarray:
        frames = np.rint(self.keys.frames_of(bone, channels)).astype(int) - self.first
        return frames[(frames >= 0) & (frames < len(self.clip))]

    def answers(self, rig: retarget.Rig, request: Request, result: Result) -> Answers:
        """The result on the character's own bones."""
        clips = tuple(retarget.from_canonical(clip, rig, self.clip) for clip in result.clips)
        return Answers(clips, request.rotation_known, request.root_known, dict(result.report))


def _joints_of(role: str) -> tuple[str, ...]:
    return ("spine1", "spine2", "spine3") if role == "spine" else (role,)


# -- for the main thread, in slices -----------------------------------------------------------------


def collect(obj: bpy.types.Object, plan: Plan, bone_map: BoneMap) -> Generator[None, None, Collected]:
    """Read the keys of the plan's range, and the motion from the first of them to the last.

    Raises:
        InvalidRequestError: nothing to go between, or an armature that cannot be animated.
    """
    # 1. may it be written to
    actions.check_editable(obj)
    data = obj.animation_data
    if data is None or data.action is None:
        raise InvalidRequestError("keys", f"{obj.name} has none", "Key at least two poses.")
    action = data.action.session_uid
    # 2. the keys
    keys = yield from _read_keys(obj, plan)
    mapped = [bone for bones in bone_map.bones.values() for bone in bones]
    first, last = span(keys, mapped, plan)
    # 3. the motion between the outermost of them, piece by piece
    pieces = []
    for start in range(first, last + 1, CHUNK):
        yield
        frames = np.arange(start, min(start + CHUNK, last + 1))
        steps = armature_io.read_clip_steps(obj, frames, mapped)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                pieces.append(end.value)
                break
            yield
    yield
    return Collected(plan, keys, concatenate(pieces) if len(pieces) > 1 else pieces[0], bone_map, first, action)


def _read_keys(obj: bpy.types.Object, plan: Plan) -> Generator[None, None, Keys]:
    """Every key that is kept, a few bones a step."""
    channels: dict[keyframes.ChannelId, keyframes.KeyedChannel] = {}
    bones = ["", *(bone.name for bone in obj.pose.bones)]
    for at in range(0, len(bones), BONES_AT_ONCE):
        part = keyframes.read_keys(obj, plan.start, plan.end, plan.keep == "SELECTED", bones[at : at + BONES_AT_ONCE])
        channels.update(part.channels)
        yield
    return Keys(float(plan.start), float(plan.end), channels)


def span(keys: Keys, bones: Sequence[str], plan: Plan) -> tuple[int, int]:
    """First and last keyed frame of the bones with a role.

    Raises:
        InvalidRequestError: fewer than two keyed frames.
    """
    found = [keys.frames_of(bone) for bone in ("", *bones)]
    frames = np.unique(np.rint(np.concatenate(found)).astype(int))
    if len(frames) < 2:
        selected = "selected " if plan.keep == "SELECTED" else ""
        count = {0: "no keyed frame", 1: "one keyed frame"}[len(frames)]
        problem = f"{count} among the {selected}keys from {plan.start} to {plan.end}, two are needed"
        raise InvalidRequestError("keys", problem, "Key a first and a last pose, or choose another range.")
    return int(frames[0]), int(frames[-1])
