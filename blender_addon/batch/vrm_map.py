"""Which bone plays which role, as a .vrm file itself says: VRM 0 and VRM 1 both list their humanoid bones."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..motion.bone_maps import BoneMap
from ..motion.errors import FileFormatError

_BODY = {
    "hips": "pelvis",
    "spine": "spine",
    "chest": "spine",
    "upperChest": "spine",
    "neck": "neck",
    "head": "head",
}
_LIMBS = {"Shoulder": "collar", "UpperArm": "shoulder", "LowerArm": "elbow", "Hand": "wrist", "UpperLeg": "hip",
          "LowerLeg": "knee", "Foot": "ankle", "Toes": "foot"}  # fmt: skip
_FINGERS = {"Thumb": "thumb", "Index": "index", "Middle": "middle", "Ring": "ring", "Little": "pinky"}
_JOINTS = ("Metacarpal", "Proximal", "Intermediate", "Distal")
_GLB, _JSON = 0x46546C67, 0x4E4F534A


def stated(path: Path) -> BoneMap | None:
    """The map that a .vrm file states; None: it states none, or hips or legs are not in it.

    Raises:
        FileFormatError: not a binary glTF file.
        OSError: it cannot be read.
    """
    whole = _json(path)
    humanoid = _humanoid(whole.get("extensions") or {})
    nodes = whole.get("nodes") or []
    named = {bone: str(nodes[k].get("name", "")) for bone, k in humanoid.items() if 0 <= k < len(nodes)}
    bones: dict[str, tuple[str, ...]] = {}
    for bone, role in _BODY.items():
        if named.get(bone):
            bones[role] = (*bones.get(role, ()), named[bone])
    for side in ("left", "right"):
        for limb, role in _LIMBS.items():
            if named.get(side + limb):
                bones[f"{side}_{role}"] = (named[side + limb],)
    fingers = {}
    for side in ("left", "right"):
        for finger, role in _FINGERS.items():
            chain = tuple(n for joint in _JOINTS if (n := named.get(f"{side}{finger}{joint}")))
            if chain:
                fingers[f"{side}_{role}"] = chain
    if "pelvis" not in bones or "left_hip" not in bones or "right_hip" not in bones:
        return None
    return BoneMap("vrm", bones, fingers=fingers)


def _humanoid(extensions: Mapping[str, Any]) -> dict[str, int]:
    """Humanoid bone -> node."""
    newer = extensions.get("VRMC_vrm", {}).get("humanoid", {}).get("humanBones", {})
    older = extensions.get("VRM", {}).get("humanoid", {}).get("humanBones", [])
    pairs = [(name, bone.get("node")) for name, bone in newer.items()]
    pairs += [(bone.get("bone"), bone.get("node")) for bone in older]
    return {str(name): node for name, node in pairs if isinstance(node, int)}


def _json(path: Path) -> dict[str, Any]:
    """The JSON chunk of a binary glTF file."""
    with path.open("rb") as file:
        head = file.read(20)
        if len(head) < 20 or struct.unpack_from("<I", head)[0] != _GLB:
            raise FileFormatError(str(path), "is no binary glTF file")
        size, kind = struct.unpack_from("<II", head, 12)
        text = file.read(size)
    try:
        found = json.loads(text)
    except ValueError as error:
        raise FileFormatError(str(path), "its JSON cannot be read") from error
    if kind != _JSON or not isinstance(found, dict):
        raise FileFormatError(str(path), "is no binary glTF file")
    return found
