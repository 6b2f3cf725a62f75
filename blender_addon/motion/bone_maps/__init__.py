"""Bone maps: which bone of a character plays which role.

``find(skeleton)`` tries the presets (one data-only module per rig family) and returns a BoneMap;
roles that no bone was found for are in its ``missing``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..skeleton import Skeleton
from . import (
    autorig_pro,
    bandai_namco,
    biped,
    cmu,
    credible,
    daz,
    general,
    kaykit,
    kenney,
    lafan,
    makehuman,
    mannequiny,
    mixamo,
    reactidle,
    rigify,
    smpl,
    unreal,
    vrm,
)
from .bone_map import FINGERS, ROLES, BoneMap
from .preset import NameIndex, Preset, Switch, match

__all__ = ["FINGERS", "PRESETS", "ROLES", "BoneMap", "Preset", "Switch", "controls", "find"]

_FAMILIES = (
    rigify, autorig_pro, mixamo, unreal, smpl, cmu, lafan, reactidle, bandai_namco, vrm, makehuman,
    biped, daz, kaykit, kenney, mannequiny,
)  # fmt: skip

PRESETS: Mapping[str, tuple[Preset, ...]] = MappingProxyType(
    {module.__name__.rsplit(".", 1)[1]: module.PRESETS for module in _FAMILIES}
)
"""Family -> its skeletons."""


LOOSE = frozenset({"rigify", "autorig_pro"})
"""Families whose controls hang on helper bones, not on each other."""


def find(skeleton: Skeleton) -> BoneMap:
    """The best map of ``skeleton``'s bones; what no bone was found for is in its ``missing``."""
    for loose in (False, True):
        index = NameIndex(skeleton, loose)
        found = (match(p, skeleton, index) for family in PRESETS.values() for p in family)
        if maps := [m for m in found if m]:
            best = general.complete(max(maps, key=lambda m: len(m.names)), skeleton)
            return credible.credible(best, skeleton, best.preset not in LOOSE)
    return credible.credible(general.find(skeleton), skeleton)


def controls(bone_map: BoneMap) -> tuple[tuple[Switch, ...], tuple[str, ...]]:
    """What a control rig needs for its mapped bones to be obeyed: switches, bones kept at rest.

    Both are empty for families without controls. Names are those of the family; a rig may lack
    some of them.
    """
    mapped = set(bone_map.names)
    for preset in PRESETS.get(bone_map.preset, ()):
        names = {n for _, group in preset.roles() for option in group for n in option.split("|")}
        if preset.switches and mapped & names >= set(bone_map.bones.get("pelvis", ())):
            switches = tuple(s for s in preset.switches if set(s.roles) & set(bone_map.bones))
            return switches, tuple(b for b in preset.at_rest if b not in mapped)
    return (), ()
