"""Which bone plays which role, found once per armature and remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from . import armature_io
from .motion import bone_maps
from .motion.bone_maps import BoneMap
from .motion.errors import LimberError, MappingError
from .motion.skeleton import Skeleton

NEEDED = ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee")
"""Without these nothing says how a character stands (:func:`.motion.retarget.make_rig`)."""


@dataclass(frozen=True)
class Character:
    """What the panel says about an armature.

    Attributes:
        signature: of names, parents and places of its bones; another one means other bones.
        bones: how many bones it had.
        bone_map: None where no map was found.
        mapped: bones with a role.
        missing: main roles without a bone.
        problem: why there is no map.
    """

    signature: int
    bones: int
    bone_map: BoneMap | None
    mapped: int = 0
    missing: tuple[str, ...] = ()
    problem: str = ""


class Characters:
    """Remembers mappings by the object's session number, so that drawing never searches."""

    def __init__(self) -> None:
        self._known: dict[int, Character] = {}
        self._doubted: set[int] = set()
        self._wanted: set[int] = set()
        self._read: tuple[int, int, Skeleton | LimberError] | None = None
        self.version = 0

    def get(self, obj: bpy.types.Object) -> Character | None:
        """What is known about ``obj``, perhaps doubted; None: nothing yet."""
        character = self._known.get(obj.session_uid)
        return character if character is not None and character.bones == len(_bones(obj)) else None

    def sure(self, obj: bpy.types.Object) -> bool:
        """Whether what is known about ``obj`` still holds."""
        return self.get(obj) is not None and obj.session_uid not in self._doubted

    def want(self, obj: bpy.types.Object) -> None:
        """Have ``obj`` looked at with the next slice."""
        self._wanted.add(obj.session_uid)

    def doubt(self) -> None:
        """Bones may have changed (posing looks the same to Blender): look again before relying on it."""
        self._doubted.update(self._known)

    def forget(self) -> None:
        """Other objects altogether."""
        self._known.clear()
        self._doubted.clear()
        self._wanted.clear()
        self._read = None
        self.version += 1

    def find_wanted(self, find_object: Callable[[int], bpy.types.Object | None]) -> bool:
        """One stage of looking at a wanted armature; whether there was anything to do.

        Reading 700 bones and finding their roles takes 20 ms each: two slices.
        """
        if self._read is not None:
            uid, signed, skeleton = self._read
            self._read = None
            self._remember(uid, signed, skeleton)
            return True
        if not self._wanted:
            return False
        obj = find_object(self._wanted.pop())
        if obj is None or self.sure(obj):
            return True
        known, signed = self.get(obj), signature(obj)
        if known is not None and known.signature == signed:
            self._doubted.discard(obj.session_uid)
        else:
            self._read = (obj.session_uid, signed, self._skeleton(obj))
        return True

    def find(self, obj: bpy.types.Object) -> Character:
        """Look at ``obj`` now and remember it; for scripts."""
        return self._remember(obj.session_uid, signature(obj), self._skeleton(obj))

    def _skeleton(self, obj: bpy.types.Object) -> Skeleton | LimberError:
        try:
            return armature_io.read_skeleton(obj)
        except LimberError as error:
            return error

    def _remember(self, uid: int, signed: int, skeleton: Skeleton | LimberError) -> Character:
        bones = 0 if isinstance(skeleton, LimberError) else len(skeleton)
        try:
            if isinstance(skeleton, LimberError):
                raise skeleton
            found = bone_maps.find(skeleton)
            lacking = [role.replace("_", " ") for role in NEEDED if role not in found.bones]
            if lacking:
                raise MappingError(f"no bone was found for {', '.join(lacking)}")
            mapped = sum(len(names) for names in found.bones.values())
            character = Character(signed, bones, found, mapped, tuple(found.missing))
        except LimberError as error:
            character = Character(signed, bones, None, problem=str(error))
        self._known[uid] = character
        self._doubted.discard(uid)
        self.version += 1
        return character


def _bones(obj: bpy.types.Object) -> Any:
    """An armature object's bones (typed Any: the stubs do not know which kind of data an object has)."""
    return obj.data.bones  # type: ignore[union-attr]


def signature(obj: bpy.types.Object) -> int:
    """Of the names, parents and rest places of an armature's bones; a millisecond for 700."""
    bones = _bones(obj)
    places = np.empty(3 * len(bones), np.float32)
    bones.foreach_get("head_local", places)
    return hash((tuple((bone.name, bone.parent and bone.parent.name) for bone in bones), places.tobytes()))


FOUND_BY = {"names": "Found by bone names", "structure": "Found by structure", "custom": "Mapped by hand"}
FAMILIES = {"cmu": "CMU", "smpl": "SMPL", "vrm": "VRM", "lafan": "LAFAN", "kaykit": "KayKit", "makehuman": "MakeHuman",
            "biped": "3ds Max Biped", "daz": "Daz", "unreal": "Unreal", "autorig_pro": "Auto-Rig Pro"}  # fmt: skip


def headline(character: Character) -> str:
    """``Rigify: all 20 joints`` for the panel."""
    assert character.bone_map is not None
    preset = character.bone_map.preset
    family = FOUND_BY.get(preset) or FAMILIES.get(preset) or preset.replace("_", " ").title()
    total = len(bone_maps.ROLES)
    done = total - len(character.missing)
    return f"{family}: all {total} joints" if done == total else f"{family}: {done} of {total} joints"
