"""Bone maps: which bone of a character plays which role.

``find(skeleton)`` tries the presets (one data-only module per rig family) and returns a BoneMap;
roles that no bone was found for are in its ``missing``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import MappingError
from ..skeleton import Skeleton
from . import bandai_namco, cmu, reactidle
from .bone_map import FINGERS, ROLES, BoneMap
from .preset import NameIndex, Preset, match

__all__ = ["FINGERS", "PRESETS", "ROLES", "BoneMap", "Preset", "find"]

PRESETS: Mapping[str, tuple[Preset, ...]] = MappingProxyType(
    {
        module.__name__.rsplit(".", 1)[1]: module.PRESETS
        for module in (cmu, reactidle, bandai_namco)
    }
)
"""Family -> its skeletons."""


def find(skeleton: Skeleton) -> BoneMap:
    """The best map of ``skeleton``'s bones.

    Raises:
        MappingError: nothing on it looks like a body.
    """
    index = NameIndex(skeleton)
    maps = [m for family in PRESETS.values() for p in family if (m := match(p, skeleton, index))]
    if not maps:
        raise MappingError("no preset fits these bones")
    return max(maps, key=lambda m: len(m.names))
