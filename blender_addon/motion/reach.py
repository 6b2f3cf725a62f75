"""Pins met on a character's own bones: what is pinned of it, and how its limbs get there to the millimetre.

A rig is never proportioned exactly as its 22 joints say (four spine bones, clavicles that slide), so a joint that
was met on them is millimetres off on the rig. Here the rig's own bones are corrected: hips by a shift, hands and
feet by two-bone inverse kinematics (hands and feet keep their orientation), elbows by collar and upper arm, the
head by the spine; corrections come and go smoothly beside the pinned frames, and nothing that is known moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import kinematics, reference, rotations
from .clip import Clip
from .constraints import Mask
from .errors import InvalidRequestError
from .foot_lock import FADE, fade, knee_ik
from .pinned import Controls, Pin
from .retarget import Rig
from .rotations import Array
from .skeleton import INDEX, JOINTS

NEAR = 1e-5
"""Metres: nearer than this nothing has to be turned."""
LEAN = 0.05
"""Metres that the hips go, at most, for a limb that is too short on this character alone."""
ROUNDS = 3
SIDES = ("left", "right")
_HANGS_ON = {"ankle": "knee", "wrist": "elbow", "foot": "ankle"}
_BY_LIMB = {INDEX[f"{s}_{b}"] for s in SIDES for b in ("ankle", "foot", "elbow", "wrist")}
_BY_SPINE = tuple(INDEX[j] for j in ("head", "neck"))


@dataclass(frozen=True, eq=False)
class Point:
    """A point of a character: on a bone, ``(3,)`` in the bone's own frame, its head at zero."""

    bone: int
    place: Array

    def at(self, q: Array, p: Array) -> Array:
        """Where it is, given global orientations ``(..., B, 4)`` and heads ``(..., B, 3)``. ``(..., 3)``."""
        return p[..., self.bone, :] + rotations.rotate(q[..., self.bone, :], self.place)


def point(rig: Rig, joint: int, bone: str = "") -> Point:
    """What of a character is at a canonical joint: a bone's head, or the tail of the last one of a limb.

    Args:
        joint: index of the canonical joint.
        bone: which of the bones of a spine is meant; "": the nearest.

    Raises:
        InvalidRequestError: the character has nothing there.
    """
    name, roles, head = JOINTS[joint], rig.bones, np.zeros(3)
    side, _, part = name.rpartition("_")
    if name.startswith("spine"):
        chain = roles.roles.get("spine", ())
        named = [b for b in chain if rig.skeleton.names[b] == bone]
        if chain:
            nearest = min(round((int(name[-1]) - 1) * len(chain) / 3), len(chain) - 1)
            return Point((named or [chain[nearest]])[0], head)
    elif name in roles:
        return Point(roles.first(name), head)
    elif part in _HANGS_ON and f"{side}_{_HANGS_ON[part]}" in roles:
        last = roles.last(f"{side}_{_HANGS_ON[part]}")
        return Point(last, reference.end_of_bone(rig.skeleton, last))
    raise InvalidRequestError(name, "the character has no bone for it", "Pin another one.")


def offsets(rig: Rig) -> Array:
    """From the points to the canonical joints, of the character in its T-pose facing +Z. ``(22, 3)``.

    Joints for which it has nothing are zero.
    """
    local = kinematics.local_rotations(rig.skeleton.parents, rig.reference)
    q, p = kinematics.forward(rig.skeleton.parents, local, rig.skeleton.offsets)
    _, joints = rig.canonical.rest_global()
    joints = joints + p[rig.bones.first("pelvis")] + rig.root_offset - joints[0]
    out = np.zeros((len(JOINTS), 3))
    for j in range(len(JOINTS)):
        try:
            out[j] = joints[j] - point(rig, j).at(q, p)
        except InvalidRequestError:
            continue  # nothing there: whoever pins it is told by point()
    return out


def present(controls: Controls, clip: Clip, rig: Rig) -> Controls:
    """Pins on the present motion, told by where the character's own points are in ``clip``."""
    if all(pin.places is not None for pin in controls.pins):
        return controls
    q, p = clip.forward()
    pins = tuple(
        replace(pin, places=pin.at(point(rig, pin.joint, pin.bone).at(q, p))) for pin in controls.pins
    )
    return replace(controls, pins=pins)


def distances(clip: Clip, rig: Rig, pins: Sequence[Pin]) -> list[Array]:
    """How far each pin's point is from where it has to be, metres, ``(n,)`` each."""
    q, p = clip.forward()
    return [np.linalg.norm(point(rig, pin.joint, pin.bone).at(q, p)[pin.frames] - _places(pin), axis=-1)
            for pin in pins]  # fmt: skip


def _places(pin: Pin) -> Array:
    assert pin.places is not None, "pins on the present motion are told first, see present()"
    return pin.places


def meet(clip: Clip, rig: Rig, pins: Sequence[Pin], free: Mask, root_free: Mask, grounded: Mask) -> Clip:
    """The clip with its pins met, where its bones reach.

    Args:
        clip: on the character's own bones, F frames.
        pins: where they have to be in the clip's world; places are told.
        free: ``(F, B)`` which bones may turn; root_free: ``(F,)`` where the hips may move.
        grounded: ``(F,)`` where the hips' place over the ground is asked for.
    """
    wanted: dict[int, tuple[Point, Array]] = {}
    for pin in sorted(pins, key=lambda pin: pin.firmness):
        found = wanted.setdefault(
            pin.joint, (point(rig, pin.joint, pin.bone), np.full((len(clip), 3), np.nan))
        )
        found[1][pin.frames] = _places(pin)
    return _Body(clip, rig, wanted, free, root_free, grounded).met() if wanted else clip


class _Body:
    """The bones while they are being corrected."""

    def __init__(self, clip: Clip, rig: Rig, wanted: dict[int, tuple[Point, Array]], free: Mask, root_free: Mask,
                 grounded: Mask) -> None:  # fmt: skip
        self.clip, self.rig, self.wanted = clip, rig, wanted
        self.free, self.root_free, self.grounded = free, root_free, grounded
        self.local, self.moved = clip.rotations.copy(), clip.local_translations()
        self.parents, self.width = clip.skeleton.parents, max(1, round(FADE * clip.fps))
        self.refresh()

    def met(self) -> Clip:
        """See :func:`meet`."""
        feet = {side: self.where(f"{side}_ankle") for side in SIDES}
        self.hips(self._trunk())
        for turn in range(ROUNDS):
            self.spine()
            for side in SIDES:
                self.leg(side, feet[side])
                self.arm(side)
            if turn < ROUNDS - 1 and not self.hips(self._short()):
                break
        return replace(
            self.clip, rotations=self.local, root_positions=self.moved[:, 0], translations=self.moved
        )

    def refresh(self) -> None:
        """Where everything is now."""
        self.q, self.p = kinematics.forward(self.parents, self.local, self.moved)

    def where(self, joint: str) -> Array | None:
        """A joint's point ``(F, 3)``; None where the character has none."""
        try:
            return point(self.rig, INDEX[joint]).at(self.q, self.p)
        except InvalidRequestError:
            return None

    def off(self, joint: int) -> Array:
        """From where a pinned joint is to where it has to be, NaN where it is free. ``(F, 3)``."""
        if joint not in self.wanted:
            return np.full((len(self.clip), 3), np.nan)
        spot, places = self.wanted[joint]
        return places - spot.at(self.q, self.p)

    def eased(self, off: Array, free: Mask) -> Array:
        """Steps that come and go beside the pinned frames, and are nothing where nothing may move. ``(F, 3)``."""
        pinned = ~np.isnan(off[:, 0]) & free
        return fade(np.where(pinned[:, None], off, 0.0), pinned | ~free, self.width) * free[:, None]

    # -- hips and spine --------------------------------------------------------------------------------

    def _trunk(self) -> Array:
        """How far the hips have to go for what is pinned of the trunk. ``(F, 3)``, NaN: nothing is."""
        off = self.off(0)
        others = [self.off(j) for j in self.wanted if j and j not in _BY_LIMB]
        return np.where(np.isnan(off), self._level(_mean(others, len(off))), off)

    def _short(self) -> Array:
        """How far they have to go for hands and feet that are out of reach on this character alone."""
        found = [self.off(j) for j in self.wanted if j in _BY_LIMB]
        found = [np.where(np.linalg.norm(off, axis=-1, keepdims=True) < LEAN, off, np.nan) for off in found]
        off = self._level(_mean(found, len(self.clip)))
        held = ~np.isnan(self.off(0)[:, 0]) | ~(np.linalg.norm(off, axis=-1) > NEAR)
        return np.where(held[:, None], np.nan, off)

    def _level(self, off: Array) -> Array:
        """Up and down only, where the place over the ground is asked for."""
        return np.where(self.grounded[:, None] & ~np.isnan(off), off * np.array([0.0, 1.0, 0.0]), off)

    def hips(self, off: Array) -> bool:
        """Shift the hips; whether there was anything to do."""
        step = self.eased(off, self.root_free)
        if not np.abs(step).max(initial=0) > NEAR:
            return False
        bone = self.rig.bones.first("pelvis")
        above = self.parents[bone]
        turn = self.q[:, above] if above >= 0 else rotations.identity(len(step))
        self.moved[:, bone] += rotations.rotate(rotations.inverse(turn), step)
        self.refresh()
        return True

    def spine(self) -> None:
        """Bend the spine so that the head, or else the neck, gets there."""
        chain = (*self.rig.bones.roles.get("spine", ()), *self.rig.bones.roles.get("neck", ()))
        joint = next((j for j in _BY_SPINE if j in self.wanted), None)
        if joint is None or len(chain) < 2:
            return
        low, middle = chain[0], chain[len(chain) // 2]
        head = self.rig.bones.roles.get("head", ())
        self.two_bones(low, middle, self.wanted[joint][0], self.eased(self.off(joint), self.both(low, middle)),
                       [b for b in head[:1] if joint == INDEX["head"]])  # fmt: skip

    # -- limbs -----------------------------------------------------------------------------------------

    def leg(self, side: str, before: Array | None) -> None:
        """The ankle goes where it, or the toes, are pinned; else it stays where it was before the hips moved."""
        roles = self.rig.bones
        if before is None or f"{side}_hip" not in roles or f"{side}_knee" not in roles:
            return
        hip, knee = roles.first(f"{side}_hip"), roles.first(f"{side}_knee")
        ankle, toes = INDEX[f"{side}_ankle"], INDEX[f"{side}_foot"]
        spot = point(self.rig, ankle)
        free = self.both(hip, knee)
        off = self.off(ankle)
        off = np.where(np.isnan(off), self.off(toes), off)
        held = before - spot.at(self.q, self.p)
        now = np.where(np.isnan(off), np.where(np.abs(held) > NEAR, held, np.nan), off)
        moving = ~np.isnan(now).all(1)
        pinned = ~np.isnan(off[:, 0])
        # between pins the foot goes back to where it was, not to where the hips would take it
        step = held + self.eased(np.where(pinned[:, None], off - held, np.nan), free)
        if moving.any():
            self.two_bones(
                hip, knee, spot, step * free[:, None], roles.roles.get(f"{side}_ankle", ())[:1], knees=True
            )
        if ankle in self.wanted and toes in self.wanted and f"{side}_ankle" in roles:
            self.aim(roles.first(f"{side}_ankle"), self.wanted[toes][0], self.off(toes))

    def arm(self, side: str) -> None:
        """The elbow by collar and upper arm, then the hand by upper arm and forearm."""
        roles = self.rig.bones
        if f"{side}_shoulder" not in roles or f"{side}_elbow" not in roles:
            return
        upper, lower = roles.first(f"{side}_shoulder"), roles.first(f"{side}_elbow")
        elbow, wrist = INDEX[f"{side}_elbow"], INDEX[f"{side}_wrist"]
        if elbow in self.wanted:
            collar = roles.first(f"{side}_collar") if f"{side}_collar" in roles else None
            spot, off = self.wanted[elbow][0], self.off(elbow)
            if collar is None:
                self.aim(upper, spot, off)
            else:
                self.two_bones(collar, upper, spot, self.eased(off, self.both(collar, upper)), [lower])
        if wrist in self.wanted:
            spot, off = self.wanted[wrist][0], self.off(wrist)
            hand = roles.roles.get(f"{side}_wrist", ())[:1]
            if elbow in self.wanted:
                self.aim(lower, spot, off, hand)
            else:
                self.two_bones(upper, lower, spot, self.eased(off, self.both(upper, lower)), hand)

    def both(self, *bones: int) -> Mask:
        """Where all of these bones may turn. ``(F,)``."""
        return self.free[:, list(bones)].all(1)

    def two_bones(self, first: int, second: int, spot: Point, step: Array, kept: Sequence[int],
                  knees: bool = False) -> None:  # fmt: skip
        """Turn two bones so that a point goes by ``step`` ``(F, 3)``; ``kept`` bones keep their orientation."""
        at = np.linalg.norm(step, axis=-1) > NEAR
        if not at.any():
            return
        end = spot.at(self.q, self.p)
        unturned = rotations.multiply(self.q[:, first], rotations.inverse(self.rig.reference[first]))
        hinge = rotations.rotate(unturned, np.array([1.0, 0.0, 0.0] if knees else [0.0, 1.0, 0.0]))
        solve = knee_ik if knees else kinematics.two_bone_ik
        turns = solve(self.p[at, first], self.p[at, second], end[at], (end + step)[at], hinge[at])
        below, before = rotations.multiply(turns[1], self.q[at, second]), self.q
        self.turn(first, at, rotations.multiply(turns[0], self.q[at, first]))
        self.turn(second, at, below)
        self.restore(kept, at, before)

    def aim(self, bone: int, spot: Point, off: Array, kept: Sequence[int] = ()) -> None:
        """Turn one bone so that a point below it looks where it has to be."""
        step = self.eased(off, self.both(bone))
        at = np.linalg.norm(step, axis=-1) > NEAR
        if not at.any():
            return
        end = spot.at(self.q, self.p)
        swing = rotations.between((end - self.p[:, bone])[at], (end + step - self.p[:, bone])[at])
        before = self.q
        self.turn(bone, at, rotations.multiply(swing, self.q[at, bone]))
        self.restore(kept, at, before)

    def restore(self, bones: Sequence[int], at: Mask, before: Array) -> None:
        """Give bones the orientations back that they had ``before`` ``(F, B, 4)``, where they may turn."""
        for bone in bones:
            there = at & self.free[:, bone]
            self.turn(bone, there, before[there, bone])

    def turn(self, bone: int, at: Mask, orientation: Array) -> None:
        """Give a bone a global orientation at some frames; what hangs on it goes along."""
        above = self.parents[bone]
        up = self.q[at, above] if above >= 0 else rotations.identity(int(at.sum()))
        self.local[at, bone] = rotations.multiply(rotations.inverse(up), orientation)
        self.refresh()


def _mean(found: Sequence[Array], frames: int) -> Array:
    """Mean of what is there, NaN where nothing is. ``(F, 3)``."""
    total, count = np.zeros((frames, 3)), np.zeros((frames, 1))
    for off in found:
        there = ~np.isnan(off[:, :1])
        total += np.where(there, off, 0.0)
        count += there
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
