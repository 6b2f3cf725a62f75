"""Reading clips: .bvh and .npz by ourselves, everything else through Blender, an Action a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..motion import bone_maps, bvh, jumps, npz, npz_archive, retarget
from ..motion.bone_maps import BoneMap, general
from ..motion.bone_maps.preset import NameIndex, match
from ..motion.clip import Clip
from ..motion.errors import InvalidRequestError, LimberError, MappingError
from ..motion.retarget import Rig
from ..motion.skeleton import Skeleton
from .plan import Place

MAX_FRAMES = 250_000
"""Longest clip that is taken, over two hours at 30 frames a second: some 4 GB for a character of 66 bones."""


@dataclass(frozen=True, eq=False)
class Source:
    """One clip and the character that it was made for.

    Attributes:
        name: of the Action; "" where a file is one clip.
        clip: the motion, without frames that the capture threw away.
        rig: whose it is.
        mended: how many such frames there were, see :mod:`..motion.jumps`.
    """

    name: str
    clip: Clip
    rig: Rig
    mended: int = 0


def read(place: Place, source_map: str = "auto") -> Iterator[Source | tuple[str, LimberError]]:
    """Every clip of a file, one after the other; a clip that cannot be used as its name and why.

    Raises:
        LimberError: the file as a whole makes no sense.
        OSError: it cannot be read.
    """
    ending = Path(place.path).suffix.lower()
    if ending == ".bvh":
        yield described("", bvh.load(place.path), source_map)
    elif ending == ".npz":
        yield described("", _npz(place.path), source_map)
    else:
        yield from _blender(place, source_map)


def described(name: str, clip: Clip, source_map: str) -> Source:
    """A clip with its map and reference pose."""
    if not len(clip):
        raise InvalidRequestError("frames", "the clip has none")
    if len(clip) > MAX_FRAMES:
        raise InvalidRequestError(
            "frames", f"{len(clip)}, at most {MAX_FRAMES} are taken", "Cut the take up."
        )
    rig = retarget.make_rig(clip.skeleton, choose_map(clip.skeleton, source_map), clip)
    clip, count = jumps.mended(clip, rig.canonical.offsets[0, 1])
    return Source(name, clip, rig, count)


def choose_map(skeleton: Skeleton, choice: str) -> BoneMap:
    """The bone map that ``auto``, a family's name or a .json file gives.

    Raises:
        MappingError: no such family, or it does not fit these bones.
    """
    if choice == "auto":
        return bone_maps.find(skeleton)
    if choice.lower().endswith(".json"):
        found = BoneMap.from_json(Path(choice).read_text("utf-8"))
        gone = [name for name in found.names if name not in skeleton.names]
        if gone:
            raise MappingError(f"{choice} names a bone {gone[0]!r} that is not there")
        return found
    if choice not in bone_maps.PRESETS:
        raise MappingError(f"there is no map {choice!r}; there are {', '.join(sorted(bone_maps.PRESETS))}")
    for loose in (False, True):
        index = NameIndex(skeleton, loose)
        maps = [m for p in bone_maps.PRESETS[choice] if (m := match(p, skeleton, index))]
        if maps:
            return general.complete(max(maps, key=lambda m: len(m.names)), skeleton)
    raise MappingError(f"the bones are not those of {choice}")


def _npz(path: str) -> Clip:
    """A motion of our own or an AMASS take, whichever the file is."""
    ours = bool(npz_archive.read(path, path, only=("meta",)))
    return npz.load_clip(path) if ours else npz.load_amass(path)


# -- through Blender --------------------------------------------------------------------------------


def _blender(place: Place, source_map: str) -> Iterator[Source | tuple[str, LimberError]]:
    from .. import whole_motion
    from . import targets

    obj = targets.open_file(place)
    found = targets.actions_of(obj)
    if not found:
        raise InvalidRequestError("source", "its armature has no Action that moves bones")
    # the Action's name is left out where there is no choice: walk.fbx holds walk, not "Armature|mixamo.com"
    for action in found:
        name = action.name if len(found) > 1 else ""
        try:
            first, last = targets.play_alone(obj, action)
            bone_map = targets.map_of(place, obj, source_map)
            clip = whole_motion.read(obj, bone_map, np.arange(first, last + 1))
            clip = replace(clip, name=action.name)
            yield Source(name, clip, retarget.make_rig(clip.skeleton, bone_map, clip))
        except LimberError as error:
            yield name, error
