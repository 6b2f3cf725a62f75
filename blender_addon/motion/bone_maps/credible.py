"""Leaving out what cannot be: a wrong map is worse than none.

Names may lie: bones are renamed half, pasted from another rig, swapped. So a map is held against the
tree: limbs hang in line, both sides alike, legs and trunk on the pelvis. Where it contradicts, both
bones of the contradiction are left out, and all that hangs on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..skeleton import Skeleton
from .bone_map import SIDES, BoneMap

ARM = ("collar", "shoulder", "elbow", "wrist")
LEG = ("hip", "knee", "ankle", "foot")
_NEEDED = {
    "shoulder": "elbow",
    "elbow": "shoulder",
    "wrist": "elbow",
    "knee": "hip",
    "ankle": "knee",
    "foot": "ankle",
}
CORE = ("pelvis", *(f"{side}_{part}" for side in SIDES for part in ("hip", "knee")))
"""Without these nothing can be retargeted, and what else was found is doubtful."""
DOUBTFUL = 0.4
_UNLIKE = 1.3
"""Times as long: the same bone of the other side is not so much longer."""


def credible(found: BoneMap, skeleton: Skeleton, in_line: bool = True) -> BoneMap:
    """The map without the roles that the skeleton contradicts.

    Args:
        found: a map of its bones.
        skeleton: in whose rest pose both sides are alike where bones do not hang in line.
        in_line: whether limbs hang in line; controls of some families hang on helper bones.
    """
    tree = _Tree(found, skeleton)
    out: set[str] = set()
    for limb in (ARM, LEG):
        if in_line:
            for side in SIDES:
                out |= tree.broken([f"{side}_{part}" for part in limb])
            out |= tree.unlike(limb, tree.reach)
        else:
            out |= tree.unlike(limb, tree.distance)
    if in_line:
        out |= tree.misplaced()
    if "head" in out and "neck" in found.bones:
        out.add("neck")  # found on the way to it
    while True:  # what hangs on nothing goes too
        lost = {f"{side}_{part}" for side in SIDES for part, above in _NEEDED.items()
                if f"{side}_{part}" in found.bones and f"{side}_{part}" not in out
                and (f"{side}_{above}" in out or f"{side}_{above}" not in found.bones)}  # fmt: skip
        if not lost:
            break
        out |= lost
    kept = {role: names for role, names in found.bones.items() if role not in out}
    usable = all(role in kept for role in CORE)
    if not out and (usable or max(found.confidence.values(), default=0.0) <= DOUBTFUL):
        return found
    fingers = {f: n for f, n in found.fingers.items() if f"{f.split('_')[0]}_wrist" in kept}
    most = 1.0 if usable else DOUBTFUL
    sure = {role: min(found.confidence[role], most) for role in kept}
    return replace(found, bones=kept, confidence=sure, fingers=fingers)


class _Tree:
    """Where the mapped bones are in the skeleton."""

    def __init__(self, found: BoneMap, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.bones = {role: [skeleton.index(n) for n in names] for role, names in found.bones.items()}
        self.above = [set(skeleton.ancestors(j)) for j in range(len(skeleton))]
        self.places = skeleton.rest_global()[1]
        self.lengths = np.linalg.norm(skeleton.offsets, axis=1)

    def broken(self, chain: list[str]) -> set[str]:
        """Roles of a limb from the first place on where one bone does not hang under the one before."""
        there = [role for role in chain if role in self.bones]
        for k, role in enumerate(there):
            line = self.bones[role] if k == 0 else [self.bones[there[k - 1]][-1], *self.bones[role]]
            if any(a not in self.above[b] for a, b in pairwise(line)):
                return set(there[max(k - 1, 0) :])
        return set()

    def reach(self, above: str, below: str) -> float | None:
        """Length of the way in the tree between two roles' bones; None: one hangs not under the other."""
        if above not in self.bones or below not in self.bones:
            return None
        a, b = self.bones[above][0], self.bones[below][0]
        if a not in self.above[b]:
            return None
        way = [b, *(j for j in self.above[b] if a in self.above[j])]
        return float(self.lengths[way].sum())

    def distance(self, above: str, below: str) -> float | None:
        """Distance at rest between two roles' bones."""
        if above not in self.bones or below not in self.bones:
            return None
        return float(np.linalg.norm(self.places[self.bones[above][0]] - self.places[self.bones[below][0]]))

    def unlike(self, limb: tuple[str, ...], measured: Callable[[str, str], float | None]) -> set[str]:
        """Roles whose bones are of another length on the other side, and all that hang on them."""
        sides = [["pelvis", *(f"{side}_{part}" for part in limb)] for side in SIDES]
        for k in range(len(limb)):
            one, two = (measured(chain[k], chain[k + 1]) for chain in sides)
            if one is None or two is None:
                continue
            if max(one, two) > _UNLIKE * min(one, two) + 1e-9:
                return {role for chain in sides for role in chain[max(k, 1) :] if role in self.bones}
        return set()

    def misplaced(self) -> set[str]:
        """A pelvis that carries no legs; trunk, head and arms that hang on a leg; legs and head on an arm."""
        out = set()
        legs = [self.bones[f"{s}_{p}"][0] for s in SIDES for p in ("hip", "knee") if f"{s}_{p}" in self.bones]
        arms = [
            self.bones[f"{s}_{p}"][0]
            for s in SIDES
            for p in ("shoulder", "elbow")
            if f"{s}_{p}" in self.bones
        ]
        pelvis = self.bones.get("pelvis", [])
        if pelvis and any(pelvis[0] not in self.above[j] for j in legs):
            out.add("pelvis")
        for role in ("spine", "neck", "head", *(f"{s}_{p}" for s in SIDES for p in ARM)):
            for bone in self.bones.get(role, []):
                if any(leg in self.above[bone] or bone == leg for leg in legs):
                    out.add(role)
        for role in ("head", *(f"{s}_{p}" for s in SIDES for p in LEG)):
            if any(arm in self.above[bone] for bone in self.bones.get(role, []) for arm in arms):
                out.add(role)
        if pelvis and any(pelvis[0] not in self.above[bone] for bone in self.bones.get("spine", [])):
            out.add("spine")
        if any(bone in self.above[arm] for bone in self.bones.get("head", []) for arm in arms):
            out.add("head")
        return out | self._shared()

    def _shared(self) -> set[str]:
        """Limbs that carry the head or a limb of the other side; spine and neck that do not carry the head."""
        ends = {
            role: bones[-1] for role, bones in self.bones.items() if role not in ("pelvis", "spine", "neck")
        }
        out = set()
        for side, other in (SIDES, SIDES[::-1]):
            carried = [j for role, j in ends.items() if role == "head" or role.startswith(other)]
            for role, bones in self.bones.items():
                if role.startswith(side) and any(b in self.above[j] for b in bones for j in carried):
                    out.add(role)
        if "head" in ends:
            carry = self.above[ends["head"]]
            out |= {role for role in ("spine", "neck") if not carry.issuperset(self.bones.get(role, []))}
        return out
