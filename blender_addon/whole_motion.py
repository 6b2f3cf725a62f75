"""Whole motions of mapped characters, every frame of them: read, described, written.

In-betweening reads keyed frames only (:mod:`.character_io`); exporting, drawing and retargeting need
all of them. Generated Rigify rigs look like any other character here too.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import armature_io, character_io, rigify_io
from .character_io import Capture
from .keyframes import Channels, Keys
from .motion import bone_maps, retarget
from .motion.bone_maps import BoneMap
from .motion.clip import Clip
from .motion.skeleton import JOINTS

KEPT_MAP = "limber_bone_map"
"""Custom property of an armature object that holds its map as JSON."""


@dataclass(frozen=True, eq=False)
class Character:
    """An armature object, its map, and what retargeting has to know about it."""

    obj: Any
    bone_map: BoneMap
    rig: retarget.Rig

    @property
    def bones(self) -> tuple[str, ...]:
        """Bones with a role."""
        return tuple(bone for bones in self.bone_map.bones.values() for bone in bones)


def kept_map(obj: Any) -> BoneMap | None:
    """The map that a person has put right and kept on the armature object; None: none, or its bones are gone.

    Raises:
        MappingError: what is kept is no map.
    """
    text = obj.get(KEPT_MAP)
    if not isinstance(text, str):
        return None
    found = BoneMap.from_json(text)
    return found if all(name in obj.data.bones for name in found.names) else None


def describe(obj: Any, frames: ArrayLike = (), bone_map: BoneMap | None = None,
             shown: Clip | None = None) -> Character:  # fmt: skip
    """Map an armature and find its reference pose.

    Args:
        obj: the armature object.
        frames: scene frames of a motion that shows how it stands, where its rest pose does not.
        bone_map: which bone plays which role; None: found.
        shown: such a motion that has been read already.

    Raises:
        MappingError: too few bones are understood.
        SkeletonError: no bones.
    """
    found = bone_maps.find(armature_io.read_skeleton(obj)) if bone_map is None else bone_map
    if rigify_io.is_control_rig(obj, found):
        skeleton = rigify_io.skeleton(obj, found)
    else:
        skeleton = armature_io.read_skeleton(obj, found.names)
    if shown is None and np.size(frames):
        shown = read(obj, found, frames)
    return Character(obj, found, retarget.make_rig(skeleton, found, shown))


def read(obj: Any, bone_map: BoneMap, frames: ArrayLike) -> Clip:
    """The mapped bones' motion at scene frames, canonical axes, metres."""
    at = np.asarray(frames, np.float64)
    if rigify_io.is_control_rig(obj, bone_map):
        return armature_io._finish(rigify_io.read_clip_steps(obj, bone_map, at))
    return armature_io.read_clip(obj, at, bone_map.names)


def channels(character: Character, clip: Clip, first: int, moves: bool = True) -> Channels:
    """F-curve values that make the armature move as ``clip``, whatever its Action says now.

    Args:
        character: see :func:`describe`.
        clip: on ``character.rig.skeleton``, one frame a scene frame.
        first: scene frame of the clip's first frame.
        moves: write the root's place too.

    Returns:
        (data path, index) -> frames, values[, interpolation]; a control rig's switches included.
    """
    return armature_io._finish(channels_steps(character, clip, first, moves))


def channels_steps(
    character: Character, clip: Clip, first: int, moves: bool = True
) -> Generator[float, None, Channels]:
    """:func:`channels` in steps of a few milliseconds; yields the fraction done."""
    n = len(clip)
    frames = np.arange(first, first + n, dtype=np.float64)
    nothing = Capture(clip, first, first + n - 1, frames, {}, np.zeros((n, len(JOINTS)), bool), np.zeros(n, bool),
                      moves)  # fmt: skip
    keys = Keys(float(first), float(first + n - 1), {})
    return (
        yield from character_io.result_channels_steps(character.obj, character.bone_map, nothing, clip, keys)
    )
