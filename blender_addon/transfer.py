"""Between Blender's data and a request: reading what is keyed, writing what came back.

``collect`` and ``write`` are generators: each step takes a few milliseconds of the main thread.
What needs no Blender (retargeting, the masks) is in :class:`Collected`, for the worker thread.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from . import actions, properties
from .mapping import Character
from .motion import constraints, retarget
from .motion.clip import Clip
from .motion.constraints import Request, Result
from .motion.errors import InvalidRequestError
from .motion.skeleton import INDEX, JOINTS
from .plans import PROVENANCE, Plan

if TYPE_CHECKING:
    from .keyframes import Keys
    from .motion.bone_maps import BoneMap
    from .motion.retarget import Rig


@dataclass(frozen=True)
class Answers:
    """What came back, on the character's own bones: one clip a variation."""

    clips: tuple[Clip, ...]
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
        action, slot: name of the Action and identifier of the slot that the keys are from.
    """

    plan: Plan
    keys: Keys
    clip: Clip
    bone_map: BoneMap
    first: int
    action: str
    slot: str
    rig: Rig = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rig", None)

    def request(self) -> Request:
        """The request, on the canonical joints. For the worker thread."""
        object.__setattr__(self, "rig", retarget.make_rig(self.clip.skeleton, self.bone_map, self.clip))
        canonical = retarget.to_canonical(self.clip, self.rig)
        joints, root = self.known()
        return constraints.inbetween(
            canonical, joints.any(1), joints, root, seed=self.plan.seed, variations=self.plan.variations,
            system=self.plan.system, bundle=self.plan.bundle,
        )  # fmt: skip

    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """Which joints are keyed where ``(F, 22)``, and where the root's place is ``(F,)``."""
        joints = np.zeros((len(self.clip), len(JOINTS)), bool)
        if self.plan.known is not None:
            for frame, names in self.plan.known.items():
                joints[frame - self.first, [INDEX[name] for name in names if name in INDEX]] = True
            return joints, joints[:, 0].copy()
        for role, bones in self.bone_map.bones.items():
            columns = [INDEX[name] for name in _joints_of(role)]
            for bone in bones:
                frames = self._frames(bone, ("rotation_quaternion", "rotation_euler", "rotation_axis_angle"))
                joints[np.ix_(frames, columns)] = True
        root = np.zeros(len(self.clip), bool)
        for bone in ("", *self._above(self.bone_map.bones["pelvis"][0])):
            root[self._frames(bone, ("location",))] = True
        return joints, root if root.any() else (joints[:, 0] if joints[:, 0].any() else joints.any(1))

    def _frames(self, bone: str, channels: tuple[str, ...]) -> np.ndarray:
        frames = np.rint(self.keys.frames_of(bone, channels)).astype(int) - self.first
        return frames[(frames >= 0) & (frames < len(self.clip))]

    def _above(self, bone: str) -> list[str]:
        skeleton = self.clip.skeleton
        j = skeleton.index(bone)
        return [bone, *(skeleton.names[i] for i in skeleton.ancestors(j))]

    def answers(self, request: Request, result: Result) -> Answers:
        """The result on the character's own bones. For the worker thread."""
        del request
        clips = tuple(retarget.from_canonical(clip, self.rig, self.clip) for clip in result.clips)
        return Answers(clips, dict(result.report))


def _joints_of(role: str) -> tuple[str, ...]:
    return ("spine1", "spine2", "spine3") if role == "spine" else (role,)
