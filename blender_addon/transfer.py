"""Between Blender's data and a request: reading what is keyed.

:func:`collect` is a generator: each step takes a few milliseconds of the main thread. What needs no
Blender (retargeting, the masks) is in :class:`Collected`, for the worker thread.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from . import actions, character_io, keyframes
from .character_io import Capture
from .keyframes import Keys
from .motion import constraints, retarget
from .motion.clip import Clip
from .motion.constraints import Mask, Request, Result, TextSpan
from .motion.errors import InvalidRequestError
from .motion.figures import Figure
from .plans import Plan, read_known

if TYPE_CHECKING:
    from .motion.bone_maps import BoneMap

BONES_AT_ONCE = 4


@dataclass(frozen=True)
class Answers:
    """What came back, on the character's own bones: one clip a variation.

    Attributes:
        clips: one frame a scene frame, from ``Collected.first`` on.
        joints: ``(F, 22)`` which joints were known.
        root: ``(F,)`` where the root's place was known.
        report: how it was made and what was measured.
        plain: what is at no amount of the model at all: plain interpolation, or the motion as it was where it is
            cleaned; None where nothing is between it and the model.
        figures: places of ``clips``' joints and, last, of ``plain``'s, to be drawn.
    """

    clips: tuple[Clip, ...]
    joints: Mask
    root: Mask
    report: dict[str, Any]
    plain: Clip | None = None
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, eq=False)
class Collected:
    """Everything that was read; no reference into Blender.

    Attributes:
        plan: what was asked for.
        keys: the keys that are kept.
        captured: the character's keyed poses, from the first keyed frame to the last.
        bone_map: which bone plays which role.
        action: session number of the Action that was read.
    """

    plan: Plan
    keys: Keys
    captured: Capture
    bone_map: BoneMap
    action: int

    @property
    def clip(self) -> Clip:
        """The character's bones, one frame a scene frame from ``first`` on."""
        return self.captured.clip

    @property
    def first(self) -> int:
        """Scene frame of the clip's first frame."""
        return self.captured.first

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

        On a character that is only ever turned the root's place is known at every frame.
        """
        if self.plan.known is not None:
            return read_known(self.plan.known, self.first, len(self.clip))
        return self.captured.joints, self.captured.root

    def answers(self, rig: retarget.Rig, request: Request, result: Result) -> Answers:
        """The result on the character's own bones."""
        clips = tuple(retarget.from_canonical(clip, rig, self.clip) for clip in result.clips)
        plain = retarget.from_canonical(result.baseline, rig, self.clip)
        return Answers(clips, request.rotation_known, request.root_known, dict(result.report), plain)


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
    first, last = span(character_io.keyed_frames(obj, bone_map, keys), plan)
    # 3. the poses at the keyed frames
    steps = character_io.capture_steps(obj, bone_map, replace(keys, start=float(first), end=float(last)))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return Collected(plan, keys, end.value, bone_map, action)
        yield


def _read_keys(obj: bpy.types.Object, plan: Plan) -> Generator[None, None, Keys]:
    """Every key that is kept, a few bones a step."""
    channels: dict[keyframes.ChannelId, keyframes.KeyedChannel] = {}
    found = (keyframes.split_path(curve.data_path) for curve in actions.fcurves(obj))
    bones = list(dict.fromkeys(split[0] for split in found if split is not None))
    for at in range(0, len(bones), BONES_AT_ONCE):
        part = keyframes.read_keys(obj, plan.start, plan.end, plan.keep == "SELECTED", bones[at : at + BONES_AT_ONCE])
        channels.update(part.channels)
        yield
    return Keys(float(plan.start), float(plan.end), channels)


def span(frames: np.ndarray, plan: Plan) -> tuple[int, int]:
    """First and last of the keyed frames.

    Raises:
        InvalidRequestError: fewer than two keyed frames.
    """
    if len(frames) < 2:
        selected = "selected " if plan.keep == "SELECTED" else ""
        count = {0: "no keyed frame", 1: "one keyed frame"}[len(frames)]
        problem = f"{count} among the {selected}keys from {plan.start} to {plan.end}, two are needed"
        raise InvalidRequestError("keys", problem, "Key a first and a last pose, or choose another range.")
    return int(frames[0]), int(frames[-1])
