"""Names that lie: swapped, shuffled, half renamed. What contradicts the skeleton is left out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import retarget
from blender_addon.motion.bone_maps import LOOSE, BoneMap, credible, find
from blender_addon.motion.errors import MappingError
from tests.motion.people import Person
from tests.motion.test_bone_maps import FAMILIES, family, rename, seeds

IN_LINE = sorted(key for key in FAMILIES if FAMILIES[key][0] not in LOOSE)


def wrong(p: Person, found: BoneMap) -> list[str]:
    """Roles on bones that do not play them; bones of the trunk in line may take each other's."""
    trunk = {b for role in ("pelvis", "spine", "neck") for b in p.truth.get(role, ())}
    above = {"spine": trunk, "neck": trunk, "head": set(p.truth.get("neck", ()))}
    return [role for role, names in found.bones.items()
            if not set(names) <= set(p.truth.get(role, ())) | above.get(role, set())]  # fmt: skip


def usable(found: BoneMap) -> bool:
    return all(role in found.bones for role in credible.CORE)


@given(st.sampled_from(IN_LINE), seeds)
@settings(max_examples=40, deadline=None)
def test_shuffled_names_give_no_map_that_could_be_used_and_is_wrong(key: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = family(key)
    names = [b.name for b in p.bones]
    p = rename(p, dict(zip(names, rng.permutation(names).tolist(), strict=True)))
    skeleton = p.skeleton(rng)
    found = find(skeleton)
    if usable(found):
        assert not wrong(p, found)
        return
    assert max(found.confidence.values(), default=0) < 0.6 or not wrong(p, found), "doubtful, and said so"
    with pytest.raises(MappingError, match="hips and legs"):
        retarget.make_rig(skeleton, found)


@pytest.mark.parametrize("key", ["mixamo", "ue4"])
def test_any_two_names_swapped(key: str) -> None:
    names = [name for bones in family(key).truth.values() for name in bones]
    for a, b in combinations(names, 2):
        p = family(key)
        p = rename(p, {b_.name: {a: b, b: a}.get(b_.name, b_.name) for b_ in p.bones})
        found = find(p.skeleton())
        if usable(found):  # 0.6: a bone of that name, in no order that says more
            assert not [role for role in wrong(p, found) if found.confidence[role] > 0.6], (a, b)


@pytest.mark.parametrize("key", sorted(set(FAMILIES) - set(IN_LINE)))
def test_limbs_of_controls_that_are_swapped_across_the_body(key: str) -> None:
    truth = family(key).truth
    for one, two in (("left_wrist", "right_ankle"), ("right_hip", "right_foot"), ("left_elbow", "head")):
        if one not in truth or two not in truth:
            continue
        p = family(key)
        a, b = truth[one][0], truth[two][0]
        p = rename(p, {b_.name: {a: b, b: a}.get(b_.name, b_.name) for b_ in p.bones})
        found = find(p.skeleton())
        assert one not in wrong(p, found), (one, two)


def test_a_good_map_is_the_very_same() -> None:
    p = family("mixamo")
    skeleton = p.skeleton()
    found = find(skeleton)
    assert credible.credible(found, skeleton) is found
