"""The general mapper, where no preset fits: names and structure vote.

Agreement is certain, names alone are nearly so, structure alone is a fair guess. Where the two
contradict each other, a plain word beats the form and a vague one beats nothing: the role stays
open, since a wrong bone is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from ..rotations import Array
from ..skeleton import Skeleton
from . import names, structure, words
from .bone_map import LIMB_ROLES, ROLES, SIDES, BoneMap

BOTH, FORM, DISPUTED = 1.0, 0.6, 0.6

Found = dict[str, tuple[tuple[int, ...], float]]


def find(skeleton: Skeleton) -> BoneMap:
    """Map a skeleton of no known family. Never fails; what is open is in ``missing``."""
    readings = names.read_all(skeleton)
    named: Found = {}
    for side in SIDES:
        for roles in (names.ARM, names.LEG):
            limb = names.limb(skeleton, readings, side, roles)
            named.update({f"{side}_{role}": found for role, found in limb.items()})
    body = {a for i, r in enumerate(readings) if r.roles for a in skeleton.ancestors(i)}
    helpers = {i for i, r in enumerate(readings) if r.helper and not r.finger and i not in body}
    sided = {i: r.side for i, r in enumerate(readings) if r.side in SIDES}
    form = structure.find(skeleton, helpers, sided)
    limbs = _vote(skeleton, readings, named, {r: b for r, b in form.items() if r[0] in "lr"})
    trunk = _trunk(skeleton, readings, limbs, form)
    found = _consistent(skeleton, {**limbs, **trunk})
    bones = {r: tuple(skeleton.names[b] for b in group) for r, (group, _) in found.items()}
    wrists = {s: found[f"{s}_wrist"][0][0] for s in SIDES if f"{s}_wrist" in found}
    taken = {b for group in bones.values() for b in group}
    fingers = {f: b for f, b in names.fingers(skeleton, readings, wrists).items() if not taken & set(b)}
    by_name = any(r in named for r in bones) or any(readings[group[0]].roles for group, _ in found.values())
    confidence = {r: c for r, (_, c) in found.items()}
    return BoneMap("names" if by_name else "structure", bones, confidence, {}, fingers)


def complete(bone_map: BoneMap, skeleton: Skeleton) -> BoneMap:
    """A preset's map with the limb roles it lacks filled in where a name says so plainly."""
    readings = names.read_all(skeleton)
    bones, confidence = dict(bone_map.bones), dict(bone_map.confidence)
    taken = set(bone_map.names)
    for side in SIDES:
        for roles in (names.ARM, names.LEG):
            for role, (group, sure) in names.limb(skeleton, readings, side, roles).items():
                key = f"{side}_{role}"
                found = tuple(skeleton.names[b] for b in group)
                if key not in bones and sure >= 0.9 and not taken & set(found):
                    trial = {**{r: (tuple(map(skeleton.index, b)), 1.0) for r, b in bones.items()},
                             key: (group, sure)}  # fmt: skip
                    if key in _consistent(skeleton, trial):
                        bones[key], confidence[key] = found, sure
                        taken |= set(found)
    return BoneMap(bone_map.preset, bones, confidence, bone_map.reference, bone_map.fingers)


def _vote(
    skeleton: Skeleton, readings: Sequence[names.Reading], named: Found, form: Mapping[str, tuple[int, ...]]
) -> Found:
    """Limb roles on which names and form agree, or where only one of them has an answer."""
    out: Found = {}
    by_name = {b: r for r, (group, _) in named.items() for b in group}
    for role in (f"{s}_{r}" for s in SIDES for r in LIMB_ROLES):
        name, shape = named.get(role), form.get(role)
        if name and shape:
            if name[0][0] == shape[0]:
                out[role] = (name[0], BOTH)
            elif name[1] >= 0.9:
                out[role] = (name[0], DISPUTED)
        elif name:
            out[role] = name
        elif shape and not any(b in by_name for b in shape) and _may_be(readings[shape[0]], role):
            out[role] = (shape, FORM)
    return out


def _may_be(reading: names.Reading, role: str) -> bool:
    """Whether a name at least does not speak against a limb role."""
    side, part = role.split("_")
    if reading.side not in ("", side) or reading.helper or reading.finger:
        return False
    known = reading.phrase in words.VOCABULARY
    return not known or part in reading.roles


def _trunk(
    skeleton: Skeleton, readings: Sequence[names.Reading], limbs: Found, form: Mapping[str, tuple[int, ...]]
) -> Found:
    """Pelvis, spine, neck and head around the limbs that were found."""
    out: Found = {}
    legs = [limbs[f"{s}_hip"][0][0] for s in SIDES if f"{s}_hip" in limbs]
    arms = [limbs[r][0][0] for s in SIDES if (r := _root(limbs, s))]
    by_word: dict[str, list[int]] = {r: [] for r in ("pelvis", "spine", "neck", "head")}
    for i, reading in enumerate(readings):
        for role in reading.roles:
            if role in by_word and not reading.side:
                by_word[role].append(i)
    pelvis = _pelvis(skeleton, by_word["pelvis"], legs, arms, form)
    if pelvis is not None:
        out["pelvis"] = pelvis
    chest = _meet(skeleton, arms) if len(arms) == 2 else form.get("spine", (None,))[-1]
    neck: list[int] = []
    if pelvis is not None and chest is not None:
        line = _between(skeleton, pelvis[0][0], chest)
        neck = [b for b in line if "neck" in readings[b].roles]
        spine = [b for b in line if b not in neck and not readings[b].helper and not readings[b].side]
        if not neck and "neck" in form and form["neck"][0] in line and not readings[form["neck"][0]].roles:
            neck = [b for b in form["neck"] if b in line]
            spine = [b for b in spine if b not in neck]
        if spine:
            words_say = any("spine" in readings[b].roles for b in spine)
            agree = tuple(spine) == form.get("spine")
            out["spine"] = (tuple(spine), BOTH if words_say and agree else 0.9 if words_say else FORM)
    out.update(_top(skeleton, readings, by_word, form, chest, neck))
    return out


def _root(limbs: Found, side: str) -> str:
    """The arm's first role that has a bone, or ""."""
    return next((f"{side}_{r}" for r in ("collar", "shoulder") if f"{side}_{r}" in limbs), "")


def _pelvis(
    skeleton: Skeleton, words_say: Sequence[int], legs: Sequence[int], arms: Sequence[int],
    form: Mapping[str, tuple[int, ...]],
) -> tuple[tuple[int, ...], float] | None:  # fmt: skip
    """The bone that carries legs and trunk: by its name, else where legs and arms meet."""
    if len(legs) == 2:
        carried = [*legs, *(arms if len(arms) == 2 else [])]
        common = [a for a in skeleton.ancestors(legs[0])
                  if all(a in skeleton.ancestors(b) for b in carried)]  # fmt: skip
        fit = [a for a in common if a in words_say]
        if fit:
            return (fit[0],), BOTH if form.get("pelvis") == (fit[0],) else 0.9
        if form.get("pelvis", (-1,))[0] in common:
            return form["pelvis"], FORM
        if len(carried) == 4 and common and _near_hips(skeleton, common[0], legs):
            return (common[0],), FORM
        return None
    if "pelvis" in form and not legs:
        bone = form["pelvis"][0]
        return (bone,), BOTH if bone in words_say else FORM
    return None


def _near_hips(skeleton: Skeleton, bone: int, legs: Sequence[int]) -> bool:
    """Whether a bone sits near the hips, measured by the legs below them."""
    p = skeleton.rest_global()[1]
    below = [j for j in range(len(skeleton)) if legs[0] in skeleton.ancestors(j)]
    length = float(np.linalg.norm(p[below] - p[legs[0]], axis=-1).max()) if below else 0.0
    return float(np.linalg.norm(p[bone] - _mean(p, legs))) < 0.5 * length


def _mean(p: Array, bones: Sequence[int]) -> Array:
    return p[list(bones)].mean(0)


def _meet(skeleton: Skeleton, bones: Sequence[int]) -> int | None:
    """The nearest common ancestor."""
    other = set(skeleton.ancestors(bones[1]))
    return next((a for a in skeleton.ancestors(bones[0]) if a in other), None)


def _between(skeleton: Skeleton, top: int, bone: int) -> list[int]:
    """Bones from below ``top`` down to ``bone``, it included; empty if it is not under ``top``."""
    line = [bone, *skeleton.ancestors(bone)]
    return list(reversed(line[: line.index(top)])) if top in line else []


def _top(
    skeleton: Skeleton, readings: Sequence[names.Reading], by_word: Mapping[str, list[int]],
    form: Mapping[str, tuple[int, ...]], chest: int | None, neck: Sequence[int],
) -> Found:  # fmt: skip
    """Neck and head: by their words, under the chest; else by form."""
    out: Found = {}
    above = {i: set(skeleton.ancestors(i)) for i in (*by_word["head"], *by_word["neck"])}
    heads = [h for h in by_word["head"] if not above[h] & set(by_word["head"])]
    if chest is not None:
        heads = [h for h in heads if chest in above[h]]
    head = heads[0] if len(heads) == 1 else None
    if head is not None:
        out["head"] = ((head,), BOTH if form.get("head") == (head,) else 0.9)
    elif not by_word["head"] and "head" in form and readings[form["head"][0]].roles in ((), ("spine",)):
        out["head"] = (form["head"], FORM)
        head = form["head"][0]
    necks = list(neck)
    start = neck[-1] if neck else chest
    if head is not None and start is not None:
        line = [b for b in _between(skeleton, start, head) if b != head]
        spines = () if not by_word["neck"] else by_word["spine"]  # Rigify calls neck and head spine
        necks += [b for b in line if b not in spines and not readings[b].helper]
    elif not necks and not by_word["neck"] and head is None and not by_word["head"]:
        necks = list(form.get("neck", ()))
    elif not necks:
        necks = [n for n in by_word["neck"] if chest is None or chest in above[n]]
        if any(a not in above[b] for a, b in pairwise(necks)):
            necks = []
    if necks:
        said = any("neck" in readings[b].roles for b in necks)
        agree = tuple(necks) == form.get("neck")
        out["neck"] = (tuple(necks), BOTH if said and agree else 0.9 if said else FORM)
    return out


def _consistent(skeleton: Skeleton, found: Found) -> Found:
    """Drop roles that contradict the tree or each other: the less certain of two goes."""
    out = dict(found)
    chains = [[f"{s}_{r}" for r in limb] for s in SIDES for limb in (names.ARM, names.LEG)]
    for chain in chains:
        line = [r for r in chain if r in out]
        for above, below in pairwise(line):
            if above not in out or below not in out or below.endswith("_shoulder"):
                continue
            if out[above][0][-1] not in skeleton.ancestors(out[below][0][0]):
                out.pop(above if out[above][1] < out[below][1] else below)
    owner: dict[int, str] = {}
    for role in [r for r in ROLES if r in out]:
        for bone in out[role][0]:
            if bone not in owner:
                owner[bone] = role
            elif owner[bone] in out and role in out:
                out.pop(role if out[role][1] <= out[owner[bone]][1] else owner[bone])
    return out
