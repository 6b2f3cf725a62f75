"""What a bone map is: which bones of a character play which of the 20 roles."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..errors import MappingError

LIMB_ROLES = ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")
SIDES = ("left", "right")
CHAIN_ROLES = ("spine", "neck")
"""Roles of 1..n bones that are shared out over several canonical joints."""

ROLES = (
    "pelvis", "spine", "neck", "head",
    *(f"{side}_{limb}" for side in SIDES for limb in LIMB_ROLES),
)  # fmt: skip
"""The 20 roles. A role names the bone whose head is that joint: ``left_shoulder`` is the upper
arm, ``left_hip`` the thigh, ``left_ankle`` the foot bone, ``left_foot`` the toe bone."""

FINGERS = tuple(
    f"{side}_{finger}" for side in SIDES for finger in ("thumb", "index", "middle", "ring", "pinky")
)

MAX_JSON = 1_000_000
"""Characters; a map of a 10,000-bone rig stays far below, anything above is not a bone map."""


@dataclass(frozen=True)
class BoneMap:
    """Roles to bones. The mappings are read-only copies.

    Attributes:
        preset: family that matched (``"mixamo"``), or ``"names"``, ``"structure"``, ``"custom"``.
        bones: role -> bones, parent first. Roles without a bone are absent.
        confidence: 0..1 per mapped role.
        reference: bone -> wxyz global orientation in the T-pose (facing +Z, Y up); only for
            families whose rest pose means nothing, else empty.
        fingers: ``"left_index"`` -> bones, knuckle first; only those that exist.

    Raises:
        MappingError: an unknown role, an empty role, a bone used twice, or a number out of range.
    """

    preset: str
    bones: Mapping[str, tuple[str, ...]]
    confidence: Mapping[str, float] = field(default_factory=dict)
    reference: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
    fingers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bones = {r: tuple(self.bones[r]) for r in ROLES if r in self.bones}
        fingers = {f: tuple(self.fingers[f]) for f in FINGERS if f in self.fingers}
        for what, given, kept in (("role", self.bones, bones), ("finger", self.fingers, fingers)):
            for key in given:
                if key not in kept:
                    raise MappingError(f"unknown {what} {key!r}")
                if not kept[key]:
                    raise MappingError(f"{key} has no bone; leave it out instead")
        used: dict[str, str] = {}
        for role, names in (*bones.items(), *fingers.items()):
            for name in names:
                if not isinstance(name, str) or not name:
                    raise MappingError(f"{role}: a bone's name must be a text, not {name!r}")
                if name in used:
                    raise MappingError(f"bone {name!r} is used for {used[name]} and for {role}")
                used[name] = role
        confidence = {r: float(self.confidence.get(r, 1.0)) for r in bones}
        for role, value in confidence.items():
            if not 0 <= value <= 1:
                raise MappingError(f"confidence of {role} must lie between 0 and 1, not {value}")
        reference = {b: _unit(b, q) for b, q in self.reference.items()}
        for key, value in (("bones", bones), ("confidence", confidence),
                           ("reference", reference), ("fingers", fingers)):  # fmt: skip
            object.__setattr__(self, key, MappingProxyType(value))

    @property
    def missing(self) -> tuple[str, ...]:
        """Main roles that have no bone, in the order of ROLES."""
        return tuple(r for r in ROLES if r not in self.bones)

    @property
    def names(self) -> tuple[str, ...]:
        """Every bone that plays a role or is a finger."""
        groups = (*self.bones.values(), *self.fingers.values())
        return tuple(name for group in groups for name in group)

    def to_json(self) -> str:
        """The map as JSON text; ``from_json`` gives it back equal."""
        return json.dumps(
            {
                "preset": self.preset,
                "bones": {k: list(v) for k, v in self.bones.items()},
                "confidence": dict(self.confidence),
                "reference": {k: list(v) for k, v in self.reference.items()},
                "fingers": {k: list(v) for k, v in self.fingers.items()},
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> BoneMap:
        """Read ``to_json``'s text.

        Raises:
            MappingError: it is not such a text, names an unknown key or role, or breaks a rule.
        """
        if len(text) > MAX_JSON:
            raise MappingError(f"a bone map of {len(text)} characters is too long")
        try:
            data = json.loads(text)
        except ValueError as e:
            raise MappingError(f"not a bone map: {e}") from e
        if not isinstance(data, dict) or not isinstance(data.get("preset"), str):
            raise MappingError("not a bone map: 'preset' is missing")
        keys = {"bones", "confidence", "reference", "fingers"}
        if unknown := set(data) - keys - {"preset"}:
            raise MappingError(f"not a bone map: unknown entry {min(unknown)!r}")
        if "bones" not in data or not all(isinstance(data.get(k, {}), dict) for k in keys):
            raise MappingError("not a bone map: 'bones' must name bones per role")
        for key in ("bones", "fingers", "reference"):
            for role, value in data.get(key, {}).items():
                if not isinstance(value, list):
                    raise MappingError(f"{key}: {role} must be a list, not {value!r}")
        try:
            return cls(data.pop("preset"), **data)
        except (TypeError, ValueError) as e:
            raise MappingError(f"not a bone map: {e}") from e


def _unit(bone: str, q: Iterable[float]) -> tuple[float, float, float, float]:
    values = tuple(float(x) for x in q)
    length = math.sqrt(sum(x * x for x in values))
    if len(values) != 4 or not abs(length - 1) < 1e-3:  # not (...) also catches NaN
        raise MappingError(f"reference of {bone!r} must be a unit quaternion, not {values}")
    w, x, y, z = (v / length for v in values)
    return w, x, y, z
