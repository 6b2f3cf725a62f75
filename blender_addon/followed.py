"""Following: what is pinned of a character over a range, the way to the joints and back, and how far it was met.

A kind of captured motion (:mod:`.captured`): everything with a role is asked for over the range, but for the keys
that stay, with some of the motion around it. What comes back is corrected on the rig's own bones
(:mod:`.motion.reach`), written, and measured on the rig as Blender then evaluates it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from . import actions, armature_io, captured, follow_properties, keyframes, pins, rigify_io, scope
from .captured import Captured
from .channel_writer import carrier
from .motion import carry, controls, pinned, reach, retarget, rotations
from .motion import clip as clips
from .motion.clip import Clip
from .motion.constraints import Mask, Request, Result
from .motion.controls import Controls, Pin
from .motion.errors import InvalidRequestError
from .motion.retarget import Rig
from .motion.rotations import Array
from .motion.skeleton import JOINTS, PARENTS
from .plans import Plan
from .scope import Scope
from .transfer import Answers

if TYPE_CHECKING:
    from .motion.bone_maps import BoneMap

LISTED = 100
"""Frames that a report lists of a pin that was missed."""
SHOWN = 3
"""Missed frames of a pin that are said one by one."""


@dataclass(frozen=True, eq=False)
class Followed(Captured):
    """Everything that was read; ``plan.controls`` holds what is to be followed.

    Attributes:
        controls: the same, by frames of the clip.
        had_action: whether there was an Action.
    """

    controls: Controls
    had_action: bool

    def own(self) -> Clip:
        """The motion underneath: the present one, or what the kept keys say of it."""
        if self.plan.motion == follow_properties.KEPT:
            return self.clip
        missing = np.zeros(self.clip.rotations.shape[:2], bool)
        for bone, mask in self.scope.bones.items():
            missing[:, self.clip.skeleton.index(bone)] = mask
        return carry.interpolated(self.clip, missing)

    def request(self, rig: Rig) -> Request:
        """The request, on the canonical joints."""
        plan, asked = self.plan, self.scope
        said = self.told.turned(rig.axes)
        heeded = plan.confidence if plan.motion == follow_properties.KEPT else 0.0
        return pinned.request(
            retarget.to_canonical(self.own(), rig), said, reach.offsets(rig), rotation_known=~asked.joints,
            root_known=~asked.root, trust=heeded, seed=plan.seed, variations=plan.variations, system=plan.system,
            bundle=plan.bundle, texts=self._texts(),
        )  # fmt: skip

    @cached_property
    def _rig(self) -> Rig:
        return super().rig()

    def rig(self) -> Rig:
        """The character, described for retargeting; once."""
        return self._rig

    @cached_property
    def told(self) -> Controls:
        """What is to be followed, with places for the pins on the present motion.

        Raises:
            InvalidRequestError: a pin on something that the character has not.
        """
        for pin in self.controls.pins:
            try:
                reach.point(self._rig, pin.joint, pin.bone)
            except InvalidRequestError as error:
                raise InvalidRequestError(pin.name, error.problem, error.remedy) from None
        return reach.present(self.controls, self.clip, self._rig)

    def answers(self, rig: Rig, request: Request, result: Result) -> Answers:
        """What changed, on the character's own bones, with the pins met there."""
        own, skeleton = self.own(), self.clip.skeleton
        before = retarget.from_canonical(request.clip, rig, own)
        bones = [skeleton.index(bone) for bone in self.scope.bones]
        free = np.zeros(own.rotations.shape[:2], bool)
        for bone, mask in self.scope.bones.items():
            free[:, skeleton.index(bone)] = mask
        pelvis = skeleton.index(self.bone_map.bones["pelvis"][0]) if self.scope.carrier is not None else None
        said, made = self.told, []
        for clip in result.clips:
            moved = carry.carried(own, before, retarget.from_canonical(clip, rig, own), bones, pelvis)
            drawn = [self._drawn(pin, rig, request, clip) for pin in said.pins]
            made.append(reach.meet(moved, rig, drawn, free, self.scope.root, request.grounded()))
        report = {**result.report, "followed": [measured(clip, rig, said, self.held) for clip in made]}
        known: Mask = ~self.scope.joints
        return Answers(tuple(made), known, ~self.scope.root, report)

    def pinned(self) -> dict[str, np.ndarray]:
        """Scene frames of the hard pins by the bone that is to be exact there."""
        out: dict[str, np.ndarray] = {}
        for pin in self.controls.pins:
            if pin.hard:
                bones = (pin.bone,) if pin.bone else self.bone_map.bones.get(JOINTS[pin.joint], ())
                for bone in bones or ("",):
                    frames = self.first + np.asarray(pin.frames)
                    out[bone] = np.concatenate([out.get(bone, frames[:0]), frames])
        return out

    @property
    def held(self) -> Mask:
        """Joints whose places keys hold: the root and all joints above are kept. ``(F, 22)``."""
        out: Mask = np.repeat(~self.scope.root[:, None], len(JOINTS), 1)
        for j in range(1, len(JOINTS)):
            out[:, j] = out[:, PARENTS[j]] & ~self.scope.joints[:, PARENTS[j]]
        return out

    def _drawn(self, pin: Pin, rig: Rig, request: Request, clip: Clip) -> Pin:
        """A hard pin as it is; of a soft one, as far as the model went along."""
        if pin.hard or request.targets is None or pin.places is None:
            return pin
        missed = clip.positions()[pin.frames, pin.joint] - request.targets[pin.frames, pin.joint]
        return replace(pin, places=pin.places + _back(rig, missed))

    def made_json(self) -> dict[str, Any]:
        """What a result's Action says besides about its making."""
        return {"motion": self.plan.motion, "controls": dict(self.plan.controls or {})}


def _back(rig: Rig, way: Array) -> Array:
    return rotations.rotate(rotations.inverse(rig.axes), way)


# -- for the main thread, in slices -----------------------------------------------------------------


def collect(obj: bpy.types.Object, plan: Plan, bone_map: BoneMap) -> Generator[None, None, Followed]:
    """Read what is to be followed, the motion, and every key that has to stay.

    Raises:
        InvalidRequestError: nothing to follow, something that makes no sense, or an armature that cannot be
            animated; the entry is named.
    """
    # 1. may it be written to
    actions.check_editable(obj)
    # 2. what is to be followed: before anything is touched
    if plan.controls is None:
        plan = replace(plan, controls=(yield from pins.read_steps(obj, bone_map, plan.start, plan.end)))
    assert plan.controls is not None
    said = controls.load(plan.controls, armature_io.scene_fps(), plan.end - plan.start + 1, plan.start,
                         pins.bones_of(obj, bone_map))  # fmt: skip
    moves = said.grounds or any(pin.joint == 0 for pin in said.pins)
    if moves and carrier(obj, bone_map.bones["pelvis"][0]) is None:
        raise InvalidRequestError("armature", f"nothing can move {obj.name}: its locations are locked or connected",
                                  "Unlock one, or follow with hands and feet alone.")  # fmt: skip
    yield
    # 3. the motion and the keys that stay, as of captured motion
    asked = find(obj, plan, bone_map, armature_io.scene_fps())
    with _some_action(obj):
        read = yield from captured.read_steps(obj, plan, bone_map, asked)
    shifted = said.shifted(plan.start - asked.first, len(read.clip), asked.first)
    data = obj.animation_data
    had_action = data is not None and data.action is not None
    return Followed(**{f.name: getattr(read, f.name) for f in fields(Captured)}, controls=shifted,
                    had_action=had_action)  # fmt: skip


@contextmanager
def _some_action(obj: Any) -> Iterator[None]:
    """An Action for as long as reading takes; a character without any gets a lasting one with its result."""
    data = obj.animation_data
    if data is not None and data.action is not None:
        yield
        return
    actions.ensure(obj)
    made = obj.animation_data.action
    try:
        yield
    finally:
        bpy.data.actions.remove(made)
        if data is None:
            obj.animation_data_clear()


def ready(obj: Any, read: Any) -> Any:
    """What was read, for writing: a character without any Action gets the one that its result takes the place of.

    Args:
        read: whatever a run has read; only what was to follow, of a character that had no Action, changes.
    """
    data = obj.animation_data
    if not isinstance(read, Followed) or read.had_action or (data is not None and data.action is not None):
        return read
    actions.ensure(obj)
    return replace(read, action=obj.animation_data.action.session_uid)


def find(obj: Any, plan: Plan, bone_map: BoneMap, fps: float) -> Scope:
    """Everything with a role over the range, but for the keys that stay; what of the motion is read around it."""
    start, end = plan.start, plan.end
    begin, stop = _motion(obj, start, end)
    around = max(1, round(scope.CONTEXT_SECONDS * fps))
    first, last = max(start - around, begin), min(end + around, stop)
    mask = np.zeros(last - first + 1, bool)
    mask[start - first : end + 1 - first] = True
    masks = {bone: mask.copy() for control, found in scope._roles(obj, plan, bone_map, first, last).items()
             for bone in scope._written(bone_map, control, found)}  # fmt: skip
    carried = carrier(obj, bone_map.bones["pelvis"][0])
    root = mask.copy() if carried is not None else np.zeros_like(mask)
    if plan.scope is not None:
        masks, root = scope._again(plan.scope, bone_map, masks, first, last)
    elif plan.keep != "NONE":
        kept_are_selected = plan.keep == "SELECTED"
        made_too = plan.motion == follow_properties.KEPT
        keys = keyframes.read_keys(obj, start, end, kept_are_selected, include_generated=made_too)
        scope.clear_keyed(obj, bone_map, keys, masks, root, first)
    masks = {bone: one for bone, one in masks.items() if one.any()}
    if not masks and not root.any():
        raise InvalidRequestError("keys", "every pose in the range is kept, nothing is left to follow with",
                                  "Keep the motion instead of its keys, or fewer keys.")  # fmt: skip
    joints = scope._joints(bone_map, masks, first, last)
    return Scope(
        first, last, start, end, (begin, stop), masks, joints, root, carried if root.any() else None, ()
    )


def _motion(obj: Any, start: int, end: int) -> tuple[int, int]:
    """First and last frame of the armature's Action and the range together."""
    if not actions.fcurves(obj):
        return start, end
    begin, stop = scope._motion(obj)
    return min(begin, start), max(stop, end)


# -- how far it was met ------------------------------------------------------------------------------------


def measured(
    clip: Clip, rig: Rig, said: Controls, held: Mask, at: np.ndarray | None = None
) -> dict[str, Any]:
    """How far pins, path and headings were met on the character's own bones, as a report says it.

    Args:
        clip: on the character's bones.
        said: what was asked; pins are told.
        held: ``(F, 22)`` joints that are where keys have them.
        at: which frames the clip holds, ascending; None: all of them.

    Returns:
        ``pins`` (name, joint, bone, frames, hard, mean, worst, worst_frame; missed: where hard pins are off by more
        than a millimetre, ``[frame, metres]``, and misses: how often; held: the same where a key holds them),
        ``path`` and ``heading`` where asked; frames are the scene's.
    """
    at = np.arange(said.frames) if at is None else at
    out: dict[str, Any] = {"pins": []}
    placed = [replace(pin, frames=np.searchsorted(at, pin.frames)) for pin in said.pins]
    for pin, far in zip(said.pins, reach.distances(clip, rig, placed), strict=True):
        frames = pin.frames + said.first
        off = (far > pinned.EXACT) & pin.hard
        by_key = off & held[pin.frames, pin.joint]
        missed, by_keys = ([[int(f), _round(d)] for f, d in zip(frames[some], far[some], strict=True)]
                           for some in (off & ~by_key, by_key))  # fmt: skip
        out["pins"].append({
            "name": pin.name, "joint": JOINTS[pin.joint], "bone": pin.bone, "frames": len(frames), "hard": pin.hard,
            **_summary(far, frames), "misses": len(missed), "missed": missed[:LISTED], "held": by_keys[:LISTED],
        })  # fmt: skip
    if said.grounds:
        canonical = retarget.to_canonical(clip, rig)
        out |= _ground(
            canonical.root_positions[:, [0, 2]], clips.heading(canonical), said.turned(rig.axes), at
        )
    return out


def _ground(places: Array, faces: Array, said: Controls, at: np.ndarray) -> dict[str, Any]:
    """How far the path and the waypoints were met, given places ``(n, 2)`` and headings ``(n,)`` at frames ``at``."""
    frames = np.concatenate([g.frames for g in said.grounds])
    rows = np.searchsorted(at, frames)
    far = np.linalg.norm(places[rows] - np.concatenate([g.places for g in said.grounds]), axis=-1)
    out = {"path": {"frames": len(frames), **_summary(far, frames + said.first)}}
    looked = [(g.frames, g.headings) for g in said.grounds if g.headings is not None]
    if looked:
        frames = np.concatenate([f for f, _ in looked])
        off = faces[np.searchsorted(at, frames)] - np.concatenate([h for _, h in looked])
        off = np.abs((off + np.pi) % (2 * np.pi) - np.pi)
        out["heading"] = {"frames": len(frames), **_summary(off, frames + said.first)}
    return out


def _summary(far: Array, frames: np.ndarray) -> dict[str, Any]:
    worst = int(np.argmax(far))
    return {"mean": _round(far.mean()), "worst": _round(far[worst]), "worst_frame": int(frames[worst])}


def _round(x: float) -> float:
    return round(float(x), 7)


def remeasured_steps(obj: Any, read: Followed) -> Generator[None, None, dict[str, Any]]:
    """:func:`measured` for the pins, on the rig itself as Blender evaluates its present Action."""
    if not read.controls.pins:
        return {"pins": []}
    at = np.unique(np.concatenate([p.frames for p in read.controls.pins]))
    steps = motion_steps(obj, read.bone_map, (at + read.first).astype(np.float64))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            seen: Clip = end.value
            break
        yield
    return measured(seen, read.rig(), replace(read.told, path=None, waypoints=()), read.held, at)


def motion_steps(obj: Any, bone_map: BoneMap, frames: Array) -> Generator[float, None, Clip]:
    """What is seen of the mapped bones at scene frames."""
    if rigify_io.is_control_rig(obj, bone_map):
        return (yield from rigify_io.read_clip_steps(obj, bone_map, frames))
    return (yield from armature_io.read_clip_steps(obj, frames, bone_map.names))


def lines(found: Mapping[str, Any]) -> list[str]:
    """A measurement for people, a line an entry: ``Left hand: 0.3 mm at worst, frame 43``."""
    out = [line for pin in found.get("pins", ()) for line in _pin_lines(pin)]
    if path := found.get("path"):
        out.append(f"Place over the ground: {length(path['mean'])} on average, {length(path['worst'])} at worst, "
                   f"frame {path['worst_frame']}")  # fmt: skip
    if heading := found.get("heading"):
        out.append(f"Heading: {np.degrees(heading['worst']):.1f}° at worst, frame {heading['worst_frame']}")
    return out


def _pin_lines(pin: Mapping[str, Any]) -> list[str]:
    name, missed, held = pin["name"], pin["missed"], pin["held"]
    if not pin["hard"]:
        return [f"{name} (soft): {length(pin['mean'])} on average, {length(pin['worst'])} at worst, "
                f"frame {pin['worst_frame']}"]  # fmt: skip
    if not missed and not held:
        return [f"{name}: {length(pin['worst'])} at worst, frame {pin['worst_frame']}"]
    shown = _worst(missed)
    said = [f"{name}: the key at frame {frame} holds it {length(far)} away" for frame, far in _worst(held)]
    said += [f"{name}: cannot be reached at frame {frame} by {length(far)}" for frame, far in shown]
    left = pin["misses"] - len(shown)
    if left <= 0:
        return said
    return [*said, f"{name}: nor at {left} more frames" if left > 1 else f"{name}: nor at one more frame"]


def _worst(missed: Sequence[Any]) -> Sequence[Any]:
    return sorted(missed, key=lambda m: -m[1])[:SHOWN]


def length(metres: float) -> str:
    """``0.3 mm``, ``12 cm``, ``1.40 m``."""
    if metres < 0.01:
        return f"{1000 * metres:.1f} mm"
    return f"{100 * metres:.1f} cm" if metres < 1 else f"{metres:.2f} m"
