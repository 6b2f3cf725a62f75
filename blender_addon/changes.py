"""What the next run will change: which bones and channels at which frames, which keys stay, which locks hold.

Read from what makes the run itself, the plan and its scope, and looked at in slices of the main thread: drawing
shows what is known, and asks to have it looked at again when something it depends on has changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
import numpy as np

from . import (
    armature_io,
    channel_writer,
    character_io,
    checks,
    followed,
    gpu_drawing,
    keyframes,
    plans,
    properties,
    scope,
    transfer,
)
from .keyframes import ROTATIONS, ChannelId, KeyedChannel, bone_path, split_path
from .motion.bone_maps import BoneMap
from .motion.constraints import Mask
from .motion.errors import LimberError
from .plans import Plan
from .pose_model import rotation_property

if TYPE_CHECKING:
    from .mapping import Character, Characters

QUIET_SECONDS = 0.3
"""Without a change for so long before anything is looked at again: posing changes the armature all the time."""

DEPENDS_ON: Any = ("ACTION", "ARMATURE", "OBJECT")
"""Kinds of data a change of which may mean another answer."""


@dataclass(frozen=True, eq=False)
class Changes:
    """What a run will change.

    Attributes:
        first: scene frame of the masks' first frame.
        bones: bone that turns -> ``(F,)``, at which frames.
        carrier: bone whose location changes ("" for the object); None: no place does.
        root: ``(F,)`` at which frames that is.
        stay: how many keys of these channels in the range stay as they are.
        go: how many give way.
        kept: frames of the keys that stay, ascending.
        locked: bone -> its locked channels, as ``Rotation X``, which stay as they are.
    """

    first: int
    bones: Mapping[str, Mask]
    carrier: str | None
    root: Mask
    stay: int
    go: int
    kept: np.ndarray
    locked: Mapping[str, tuple[str, ...]]

    @property
    def frames(self) -> np.ndarray:
        """Scene frames at which anything changes, ascending. ``(n,)``."""
        return self.first + np.flatnonzero(np.logical_or.reduce([self.root, *self.bones.values()]))

    def at(self, frame: int) -> frozenset[str]:
        """Bones that turn otherwise at a scene frame."""
        k = frame - self.first
        inside = 0 <= k < len(self.root)
        return frozenset(bone for bone, mask in self.bones.items() if inside and mask[k])

    def same(self, other: Changes | None) -> bool:
        """Whether ``other`` says the same."""
        return other is not None and self._content() == other._content()

    def _content(self) -> tuple[Any, ...]:
        masks = {bone: mask.tobytes() for bone, mask in self.bones.items()}
        return (self.first, masks, self.carrier, self.root.tobytes(), self.stay, self.go, self.kept.tobytes(),
                dict(self.locked))  # fmt: skip


def spans(frames: np.ndarray) -> list[tuple[float, float]]:
    """Runs of frames ``(n,)`` ascending, as what they cover on the time axis: half a frame around each."""
    if not len(frames):
        return []
    breaks = np.flatnonzero(np.diff(frames) > 1) + 1
    return [(float(frames[a]) - 0.5, float(frames[b - 1]) + 0.5) for a, b in pairwise([0, *breaks, len(frames)])]


# -- looking --------------------------------------------------------------------------------------------


class _Asked(NamedTuple):
    """What a plan asks for, whatever its task.

    Attributes:
        first: scene frame of the masks' first frame; start, end: frames whose keys are counted.
        bones, carrier, root: as in :class:`Changes`, before locks.
        stays: which keys of a channel come out as they are.
    """

    first: int
    start: int
    end: int
    bones: Mapping[str, Mask]
    carrier: str | None
    root: Mask
    stays: Callable[[KeyedChannel], Mask]


def find_steps(obj: Any, plan: Plan, bone_map: BoneMap) -> Generator[None, None, Changes]:
    """Look at what ``plan`` would do to the armature, in steps of a few milliseconds; changes nothing.

    Raises:
        InvalidRequestError: the run would say the same.
    """
    # 1. what is asked for
    if plan.task == plans.INBETWEEN:
        asked = yield from _between(obj, plan, bone_map)
    else:
        look = followed.find if plan.task == plans.FOLLOW else scope.find
        asked = _scoped(look(obj, plan, bone_map, armature_io.scene_fps()))
    yield
    # 2. the channels, without those that are locked
    written, locked = _channels(obj, asked)
    turned = {bone for path, _ in written for bone, prop in [split_path(path) or ("", "")] if prop in ROTATIONS}
    # 3. their keys in the range
    stay, go, kept = 0, 0, [np.empty(0, np.float32)]
    names = list(dict.fromkeys((split_path(path) or ("",))[0] for path, _ in written))
    for at in range(0, len(names), transfer.BONES_AT_ONCE):
        some = names[at : at + transfer.BONES_AT_ONCE]
        found = keyframes.read_keys(obj, asked.start, asked.end, False, some, include_generated=True)
        for channel in written & found.channels.keys():
            one = found.channels[channel]
            stays = asked.stays(one)
            stay, go = stay + int(stays.sum()), go + int((~stays).sum())
            kept.append(one.records["frame"][stays])
        yield
    bones = {bone: mask for bone, mask in asked.bones.items() if bone in turned}
    return Changes(asked.first, bones, asked.carrier, asked.root, stay, go, np.unique(np.concatenate(kept)), locked)


def _scoped(found: scope.Scope) -> _Asked:
    """Of captured motion, and of what is generated or follows."""

    def stays(channel: KeyedChannel) -> Mask:
        mask = found.mask(channel.bone, channel.property)
        frames = channel.records["frame"]
        return np.ones(len(frames), bool) if mask is None else ~found.removed(frames, mask)

    return _Asked(found.first, found.start, found.end, found.bones, found.carrier, found.root, stays)


def _between(obj: Any, plan: Plan, bone_map: BoneMap) -> Generator[None, None, _Asked]:
    """Between keyed poses: every bone with a role, but for the frames where its role is keyed."""
    keys = yield from transfer._read_keys(obj, plan)
    first, last = transfer.span(character_io.keyed_frames(obj, bone_map, keys), plan)
    roles, places = character_io._keyed(obj, bone_map, keys, first, last)
    bones = {}
    for role, names in bone_map.bones.items():
        mask = np.ones(last - first + 1, bool)
        mask[roles.get(role, np.empty(0)).astype(int) - first] = False
        bones |= dict.fromkeys(names, mask)
    root = np.full(last - first + 1, len(places) > 0)
    root[places.astype(int) - first] = False
    carrier = channel_writer.carrier(obj, bone_map.bones["pelvis"][0]) if len(places) else None

    def stays(channel: KeyedChannel) -> Mask:
        known = keys.channels.get((channel.path, channel.index))
        return np.isin(channel.records["frame"], () if known is None else known.records["frame"])

    return _Asked(first, first, last, bones, carrier, root, stays)


def _channels(obj: Any, asked: _Asked) -> tuple[set[ChannelId], dict[str, tuple[str, ...]]]:
    """The channels that are written, and by bone the locked ones that are not."""
    written: set[ChannelId] = set()
    locked: dict[str, tuple[str, ...]] = {}
    for name in asked.bones:
        bone = obj.pose.bones[name]
        path = bone_path(name, rotation_property(bone.rotation_mode))
        written |= {(path, i) for i, left in enumerate(channel_writer.left_rotation(bone)) if not left}
        locks = channel_writer.locked_rotation(bone)
        held = tuple(f"Rotation {axis}" for axis, lock in zip("WXYZ"[-len(locks) :], locks, strict=True) if lock)
        locked |= {name: held} if held else {}
    if asked.carrier is not None:
        owner = obj.pose.bones[asked.carrier] if asked.carrier else obj
        path, locks = bone_path(asked.carrier, "location"), tuple(owner.lock_location)
        written |= {(path, i) for i, lock in enumerate(locks) if not lock}
        held = tuple(f"Location {axis}" for axis, lock in zip("XYZ", locks, strict=True) if lock)
        locked |= {asked.carrier: (*locked.get(asked.carrier, ()), *held)} if held else {}
    return written, locked


# -- remembering ----------------------------------------------------------------------------------------


class Preview:
    """What the next run on the active armature will change, as far as it is known. Lives in the session."""

    def __init__(self) -> None:
        self.version = 0
        self._key: tuple[Any, ...] | None = None
        self._found: Changes | None = None
        self._wanted = 0  # session number of an object
        self._doubted: float | None = None
        self._work: Generator[None, None, Changes] | None = None
        self._working: tuple[Any, ...] | None = None

    def get(self, obj: Any) -> Changes | None:
        """What is known about ``obj``, perhaps doubted; None: nothing, or there is no such run."""
        return self._found if self._key is not None and self._key[0] == obj.session_uid else None

    @property
    def by_selection(self) -> bool:
        """Whether it depends on which keys are selected."""
        plan = self._key[-1] if self._key is not None else None
        return isinstance(plan, Plan) and plan.keep == "SELECTED"

    def want(self, obj: Any, character: Character | None) -> bool:
        """Have ``obj`` looked at if something is different from before; whether there is anything to do."""
        if character is None or character.bone_map is None:
            return False
        if self._doubted is None and self._key == self._key_of(obj, character)[0]:
            return False
        self._wanted = obj.session_uid
        return True

    def doubt(self) -> None:
        """Keys, bones or locks may be others now: what was looked at is looked at again before long.

        What is being looked at is finished first: where changes never cease, something is shown all the same.
        """
        self._doubted = time.monotonic()
        self._wanted = self._wanted or (self._key[0] if self._key is not None else 0)

    def data_replaced(self) -> None:
        """Undo or redo: what is being looked at may be gone."""
        self._drop()
        self.doubt()

    def forget(self) -> None:
        """Another file, or another state of this one."""
        self._drop()
        self._key, self._found, self._wanted, self._doubted = None, None, 0, None

    def advance(self, seconds: float, characters: Characters, find_object: Callable[[int], Any]) -> bool:
        """Look for about so long; whether there is anything to do."""
        if not self._wanted:
            return False
        obj = find_object(self._wanted)
        character = characters.get(obj) if obj is not None else None
        if character is None or character.bone_map is None:
            self._drop()
            self._wanted = 0
            return False
        key, plan = self._key_of(obj, character)
        changing = key == self._key and self._doubted is not None
        if self._work is None and changing and time.monotonic() - (self._doubted or 0) < QUIET_SECONDS:
            return True
        if self._work is None or key != self._working:
            self._doubted = None
            self._working = key
            self._work = find_steps(obj, plan, character.bone_map) if isinstance(plan, Plan) else None
        try:
            until = time.perf_counter() + seconds
            while self._work is not None and time.perf_counter() < until:
                next(self._work)
        except StopIteration as end:
            self._settle(key, end.value)
        except LimberError:
            self._settle(key, None)
        else:
            if self._work is None:
                self._settle(key, None)
        return True

    def _settle(self, key: tuple[Any, ...], found: Changes | None) -> None:
        before = self._found if self._key is not None and self._key[0] == key[0] else None
        self._key, self._found, self._work = key, found, None
        if self._doubted is None:
            self._wanted = 0
        if (found is None) != (before is None) or (found is not None and not found.same(before)):
            self.version += 1
            gpu_drawing.redraw()

    def _key_of(self, obj: Any, character: Character) -> tuple[tuple[Any, ...], Plan | str]:
        """All that an answer depends on and that is quickly told, and the plan, or why there is none."""
        scene: Any = bpy.context.scene
        settings, plan = properties.settings(scene), ""
        if not checks.why_no_run(bpy.context, settings.task):
            try:
                plan = plans.from_settings(obj, scene, settings, settings.task)
            except LimberError as error:
                plan = str(error)
        action = obj.animation_data.action if obj.animation_data else None
        key = (obj.session_uid, action and action.session_uid, character.signature, armature_io.scene_fps(scene), plan)
        return key, plan

    def _drop(self) -> None:
        if self._work is not None:
            self._work.close()
            self._work = None
