"""Which bone plays which role, found once per armature and remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy

from . import armature_io
from .motion import bone_maps
from .motion.bone_maps import BoneMap
from .motion.errors import LimberError


@dataclass(frozen=True)
class Character:
    """What the panel says about an armature.

    Attributes:
        bones: how many bones it had; another number means another armature.
        bone_map: None where no map was found.
        mapped: bones with a role.
        missing: main roles without a bone.
        problem: why there is no map.
    """

    bones: int
    bone_map: BoneMap | None
    mapped: int = 0
    missing: tuple[str, ...] = ()
    problem: str = ""


class Characters:
    """Remembers mappings by the object's session number, so that drawing never searches."""

    def __init__(self) -> None:
        self._known: dict[int, Character] = {}
        self._wanted: set[int] = set()
        self.version = 0

    def get(self, obj: bpy.types.Object) -> Character | None:
        """What is known about ``obj``; None: nothing yet."""
        character = self._known.get(obj.session_uid)
        return character if character is not None and character.bones == len(obj.data.bones) else None

    def want(self, obj: bpy.types.Object) -> None:
        """Have ``obj`` looked at with the next slice."""
        self._wanted.add(obj.session_uid)

    def forget(self) -> None:
        """Everything may have changed."""
        self._known.clear()
        self.version += 1

    def find_wanted(self, find_object: Callable[[int], bpy.types.Object | None]) -> bool:
        """Look at one of the wanted armatures; whether there was one."""
        if not self._wanted:
            return False
        obj = find_object(self._wanted.pop())
        if obj is not None and self.get(obj) is None:
            self.find(obj)
        return True

    def find(self, obj: bpy.types.Object) -> Character:
        """Look at ``obj`` now (some milliseconds) and remember it."""
        bones = len(obj.data.bones)
        try:
            found = bone_maps.find(armature_io.read_skeleton(obj))
            mapped = sum(len(names) for names in found.bones.values())
            character = Character(bones, found, mapped, tuple(found.missing))
        except LimberError as error:
            character = Character(bones, None, problem=str(error))
        self._known[obj.session_uid] = character
        self.version += 1
        return character


PRESETS = {"names": "by bone names", "structure": "by structure", "custom": "by hand"}


def headline(character: Character) -> str:
    """``Rigify: 22 of 22 joints`` for the panel."""
    assert character.bone_map is not None
    preset = character.bone_map.preset
    return f"{PRESETS.get(preset, preset)}: {character.mapped} bones mapped"
