"""Presets: bone names of one rig family, and how a skeleton's names are held against them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, takewhile

from ..skeleton import Skeleton
from .bone_map import CHAIN_ROLES, LIMB_ROLES, SIDES, BoneMap

REQUIRED = (
    "pelvis", "spine",
    *(f"{s}_{r}" for s in SIDES for r in ("shoulder", "elbow", "hip", "knee", "ankle")),
)  # fmt: skip
"""A preset that does not find all of these does not match."""

LIMBS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "foot"))
"""Roles that hang one under the other. (Rigify's arm controls hang on a copy of the collar's.)
"""


@dataclass(frozen=True)
class Switch:
    """A custom property of a pose bone that makes a control rig obey its FK controls.

    Attributes:
        bone, property: ``pose.bones[bone][property]``.
        value: what it has to be for the roles' bones to say alone where the limb is.
        roles: the roles that depend on it.
    """

    bone: str
    property: str
    value: float
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Preset:
    """One skeleton of one family. Families with several skeletons list several presets.

    Attributes:
        family: name of the family.
        bones: role -> bone names, parent first; limb roles are written once, without their side,
            and ``{0}``, ``{1}`` ... stand for the words of ``sides``. ``"a|b"`` is one bone that
            goes by either name. Bones of ``spine`` and ``neck`` that a skeleton lacks are
            skipped; a limb role needs its first bone.
        sides: the words for left and those for right.
        fingers: finger without side -> bone names, as in ``bones``.
        needs: names (with their side words, ``|`` allowed) without which it is not this family.
        forbids: names with which it is not this family.
        reference: see BoneMap; names as written in the family.
        ancestry: whether elbow hangs under shoulder, knee under hip and so on (controls of some
            rigs do not); a match that contradicts this is none.
        switches: what has to be set for a control rig to obey its mapped bones.
        at_rest: controls that move mapped bones too and have to stay at rest; those of them
            that are mapped themselves do not count.
    """

    family: str
    bones: Mapping[str, tuple[str, ...]]
    sides: tuple[tuple[str, ...], tuple[str, ...]] = (("Left",), ("Right",))
    fingers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    reference: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
    ancestry: bool = True
    switches: tuple[Switch, ...] = ()
    at_rest: tuple[str, ...] = ()

    def roles(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every role with its names, sides filled in."""
        for role, names in self.bones.items():
            if role in LIMB_ROLES:
                for side, words in zip(SIDES, self.sides, strict=True):
                    yield f"{side}_{role}", tuple(n.format(*words) for n in names)
            else:
                yield role, names

    def finger_bones(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every finger with its names, sides filled in."""
        for finger, names in self.fingers.items():
            for side, words in zip(SIDES, self.sides, strict=True):
                yield f"{side}_{finger}", tuple(n.format(*words) for n in names)


def match(preset: Preset, skeleton: Skeleton, index: NameIndex) -> BoneMap | None:
    """The map that ``preset`` gives on ``skeleton``, or None where it is not that family."""
    if any(index.get(n) is None for n in preset.needs) or any(index.get(n) for n in preset.forbids):
        return None
    bones: dict[str, tuple[str, ...]] = {}
    for role, names in preset.roles():
        found = [index.get(n) for n in names]
        if role not in CHAIN_ROLES and found[0] is None:
            continue
        if kept := tuple(n for n in found if n is not None):
            bones[role] = kept
    if preset.ancestry:
        _keep_in_line(bones, skeleton)
    flat = [b for group in bones.values() for b in group]
    if any(r not in bones for r in REQUIRED) or len(set(flat)) != len(flat):
        return None
    if preset.ancestry and not _in_line(bones, skeleton):
        return None
    fingers: dict[str, tuple[str, ...]] = {}
    for finger, names in preset.finger_bones():
        kept = tuple(n for n in map(index.get, names) if n is not None)
        if kept and not set(kept) & set(flat):
            fingers[finger] = kept
    reference = {index.get(n) or "": q for n, q in preset.reference.items()}
    reference.pop("", None)
    return BoneMap(preset.family, bones, dict.fromkeys(bones, 1.0), reference, fingers)


def _keep_in_line(bones: dict[str, tuple[str, ...]], skeleton: Skeleton) -> None:
    """Drop spine bones that carry no arm (Rigify's ``spine_fk`` below the pivot)."""
    arm = bones.get("left_shoulder", ())[:1]
    carried = [up for bone in arm for up in skeleton.ancestors(skeleton.index(bone))]
    kept = tuple(b for b in bones.pop("spine", ()) if skeleton.index(b) in carried)
    if kept:
        bones["spine"] = kept


def _in_line(bones: Mapping[str, tuple[str, ...]], skeleton: Skeleton) -> bool:
    """Whether every limb's bones, and those of spine and neck, hang one under the other."""
    chains = [[f"{side}_{role}" for role in limb] for side in SIDES for limb in LIMBS]
    chains += [["spine"], ["neck", "head"]]
    for chain in chains:
        line = [skeleton.index(b) for role in chain for b in bones.get(role, ())]
        for above, below in pairwise(line):
            if above not in skeleton.ancestors(below):
                return False
    return True


def strip_namespace(name: str) -> str:
    """``"mixamorig1:Hips"`` -> ``"Hips"``, ``"Armature|Hips"`` -> ``"Hips"``, ``"Bip01 Head"`` too."""
    bare = re.split(r"[:|]", name)[-1].strip()
    bare = re.sub(r"^mixamorig\d*[_.\- ]?(?=[A-Z])", "", bare)  # exporters that drop the colon
    bare = re.sub(r"^[Bb]ip\d+[_ .](?=\w)", "", bare)
    return bare or name


class NameIndex:
    """Looks a skeleton's bones up by names without namespaces, and by case only where it counts.

    Names are tried as they are, then without upper and lower case, then without the prefix that
    (nearly) all of the names share (``"f_avg_"``, ``"Character1_"``); with ``loose`` also with
    all separators alike (``"L Thigh"`` is ``"L_Thigh"``). A name that two bones would answer to
    is answered by neither.
    """

    def __init__(self, skeleton: Skeleton, loose: bool = False) -> None:
        bare = [strip_namespace(n) for n in skeleton.names]
        prefix = shared_prefix(bare)
        cut = [n.removeprefix(prefix) for n in bare] if prefix else bare
        self._levels: list[tuple[Callable[[str], str], dict[str, str | None]]] = []
        forms: list[tuple[Callable[[str], str], Iterable[str]]] = [
            (str, skeleton.names), (str, bare), (str.casefold, bare), (str.casefold, cut),
        ]  # fmt: skip
        if loose:
            forms.append((_unify, cut))
        for form, keys in forms:
            level: dict[str, str | None] = {}
            for key, name in zip(map(form, keys), skeleton.names, strict=True):
                level[key] = None if key in level else name
            self._levels.append((form, level))

    def get(self, name: str) -> str | None:
        """The skeleton's bone that goes by ``name`` (``"a|b"``: by either), or None."""
        for option in name.split("|"):
            for form, level in self._levels:
                if found := level.get(form(option)):
                    return found
        return None


def _unify(name: str) -> str:
    return re.sub(r"[ ._\-]+", "_", name).casefold()


def shared_prefix(names: list[str]) -> str:
    """The prefix, ending in a separator, that all names but three in twenty share ("" if none).

    Exporters add a root or two of their own above the character, so not all names have it.
    """
    if len(names) < 8:
        return ""
    stems = sorted(names)
    middle = stems[len(stems) // 4 : len(stems) - len(stems) // 4]
    same = takewhile(lambda letters: letters[0] == letters[1], zip(middle[0], middle[-1], strict=False))
    prefix = "".join(a for a, _ in same)  # sorted: what first and last share, all share
    for end in reversed([i for i, c in enumerate(prefix) if c in "_-. "]):
        if sum(n.startswith(prefix[: end + 1]) for n in names) >= 0.85 * len(names):
            return prefix[: end + 1]
    return ""
