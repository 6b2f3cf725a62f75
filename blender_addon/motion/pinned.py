"""Pins, a path and waypoints, and what a request holds of them; their text is in :mod:`.controls`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import clip as clips
from . import constraints, rotations
from .clip import Clip
from .constraints import Mask, Request
from .errors import InvalidRequestError
from .rotations import Array

EXACT = 0.001
"""Metres: hard pins farther apart than this contradict each other."""
TURNED = np.radians(1.0)
"""Headings farther apart than this contradict each other."""


@dataclass(frozen=True, eq=False)
class Pin:
    """One joint at some frames.

    Attributes:
        name: what messages call it.
        joint: index of the canonical joint.
        frames: ``(n,)`` frames of the clip, ascending.
        places: ``(n, 3)`` where it has to be, canonical axes, metres; None: where the clip has it.
        firmness: 1 is met exactly, less only draws.
        bone: the rig's bone that was meant; "": the joint's.
        offset: ``(3,)`` what is added to the clip's place where ``places`` is None.
    """

    name: str
    joint: int
    frames: np.ndarray
    places: Array | None
    firmness: float = 1.0
    bone: str = ""
    offset: Array | None = None

    @property
    def hard(self) -> bool:
        """Whether it has to be met exactly."""
        return self.firmness == 1

    def at(self, present: Array) -> Array:
        """Where the joint has to be ``(n, 3)``, given where it is ``(F, 3)``."""
        if self.places is not None:
            return self.places
        return present[self.frames] + (0 if self.offset is None else self.offset)


@dataclass(frozen=True, eq=False)
class Ground:
    """Where the pelvis is over the ground at some frames: a path, or a waypoint.

    Attributes:
        name: what messages call it.
        frames: ``(n,)`` frames of the clip, ascending.
        places: ``(n, 2)`` x and z, metres.
        headings: ``(n,)`` radians; None: free.
    """

    name: str
    frames: np.ndarray
    places: Array
    headings: Array | None = None


@dataclass(frozen=True, eq=False)
class Controls:
    """Everything that is to be followed on a clip of ``frames`` frames, the first of which is called ``first``."""

    fps: float
    frames: int
    first: int = 0
    pins: tuple[Pin, ...] = ()
    path: Ground | None = None
    waypoints: tuple[Ground, ...] = ()

    @property
    def grounds(self) -> tuple[Ground, ...]:
        """The path and the waypoints."""
        return (*([self.path] if self.path else []), *self.waypoints)

    def shifted(self, by: int, frames: int, first: int) -> Controls:
        """The same on a longer clip of ``frames`` frames that begins ``by`` frames earlier, at ``first``."""
        pins = tuple(replace(p, frames=p.frames + by) for p in self.pins)
        path = replace(self.path, frames=self.path.frames + by) if self.path else None
        waypoints = tuple(replace(w, frames=w.frames + by) for w in self.waypoints)
        return replace(self, pins=pins, path=path, waypoints=waypoints, frames=frames, first=first)

    def turned(self, axes: Array) -> Controls:
        """The same in a world turned by ``axes`` ``(4,)``, as :class:`.retarget.Rig` has them."""
        if np.allclose(np.abs(axes), rotations.IDENTITY, atol=1e-12):
            return self
        turn = lambda x: rotations.rotate(axes, x)  # noqa: E731
        pins = tuple(
            replace(p, places=None if p.places is None else turn(p.places),
                    offset=None if p.offset is None else turn(p.offset)) for p in self.pins
        )  # fmt: skip
        grounds = [_turned(g, turn) for g in self.grounds]
        path = grounds.pop(0) if self.path else None
        return replace(self, pins=pins, path=path, waypoints=tuple(grounds))


def _turned(ground: Ground, turn: Any) -> Ground:
    places = turn(np.insert(ground.places, 1, 0.0, axis=1))[:, [0, 2]]
    if ground.headings is None:
        return replace(ground, places=places)
    ahead = turn(np.stack([np.sin(ground.headings), 0 * ground.headings, np.cos(ground.headings)], -1))
    return replace(ground, places=places, headings=np.unwrap(np.arctan2(ahead[:, 0], ahead[:, 2])))


# -- what a request holds -------------------------------------------------------------------------------


def request(clip: Clip, controls: Controls, offsets: Array | None = None, **settings: Any) -> Request:
    """The request that follows ``controls``.

    Args:
        clip: the canonical clip; see :func:`.constraints.follow`.
        controls: made for as many frames.
        offsets: ``(22, 3)`` from the point of a rig that is pinned to the canonical joint, on a character that
            faces +Z in its T-pose; turned with the heading here. None: the joints themselves are pinned.
        settings: as for :func:`.constraints.follow`: ``rotation_known``, ``root_known``, ``trust``, ``seed`` ...

    Raises:
        InvalidRequestError: nothing to follow, or entries that contradict each other; it names them.
    """
    if controls.frames != len(clip):
        raise InvalidRequestError("controls", f"made for {controls.frames} frames, the clip has {len(clip)}")
    targets = clip.positions()
    heading, heading_known = clips.heading(clip).copy(), np.zeros(len(clip), bool)
    for ground in controls.grounds:
        if ground.headings is not None:
            near = heading[ground.frames] - ground.headings
            heading[ground.frames] = ground.headings + 2 * np.pi * np.round(near / (2 * np.pi))
            heading_known[ground.frames] = True
    known, firmness = _pins(controls, targets, _facing(clip, heading, heading_known), offsets)
    ground_known = np.zeros(len(clip), bool)
    for ground in controls.grounds:
        targets[ground.frames[:, None], 0, [0, 2]] = ground.places
        ground_known[ground.frames] = True
    return constraints.follow(clip, targets, known, firmness=firmness, ground_known=ground_known, headings=heading,
                              heading_known=heading_known, **settings)  # fmt: skip


def _pins(controls: Controls, targets: Array, facing: Array, offsets: Array | None) -> tuple[Mask, Array]:
    """Write the pins' places into ``targets``; which joints are pinned where, and how firmly. ``(F, 22)`` both."""
    present = targets.copy()
    check(controls, present)
    known, firmness = np.zeros(targets.shape[:2], bool), np.zeros(targets.shape[:2])
    for pin in sorted(controls.pins, key=lambda p: p.firmness):  # the firmer one wins
        places = pin.at(present[:, pin.joint])
        if offsets is not None and pin.places is not None:
            places = places + rotations.rotate(facing[pin.frames], offsets[pin.joint])
        targets[pin.frames, pin.joint] = places
        known[pin.frames, pin.joint] = True
        firmness[pin.frames, pin.joint] = pin.firmness
    return known, firmness


def _facing(clip: Clip, heading: Array, known: Mask) -> Array:
    """Turn about Y with which the pelvis faces, as asked or as it is. ``(F, 4)``."""
    angle = np.where(known, heading, clips.heading(clip)) / 2
    return np.stack([np.cos(angle), 0 * angle, np.sin(angle), 0 * angle], -1)


# -- contradictions -------------------------------------------------------------------------------------


def check(controls: Controls, present: Array | None = None) -> None:
    """No two entries ask for two things at once.

    Args:
        controls: all of them.
        present: ``(F, 22, 3)`` where the joints are; None: pins on the present motion are not looked at.

    Raises:
        InvalidRequestError: it names both entries and the frame.
    """
    first = controls.first
    there: dict[int, tuple[Array, np.ndarray]] = {}  # joint -> places (F, 3), number of the pin (F,)
    for number, pin in enumerate(controls.pins):
        if not pin.hard or (pin.places is None and present is None):
            continue
        places = pin.at(present[:, pin.joint] if present is not None else np.empty((0, 3)))
        at, who = there.setdefault(pin.joint, (np.zeros((controls.frames, 3)), np.full(controls.frames, -1)))
        apart = np.where(who[pin.frames] >= 0, np.linalg.norm(at[pin.frames] - places, axis=-1), 0.0)
        if (apart > EXACT).any():
            k = int(np.argmax(apart > EXACT))
            other = controls.pins[who[pin.frames[k]]].name
            raise _contradict(pin.name, other, f"{apart[k]:.3g} m apart", int(pin.frames[k]) + first)
        at[pin.frames], who[pin.frames] = places, number
    _check_grounds(controls, there)


def _check_grounds(controls: Controls, pinned: dict[int, tuple[Array, np.ndarray]]) -> None:
    """The path and the waypoints against each other, and against hard pins of the pelvis."""
    names = [*(pin.name for pin in controls.pins), *(ground.name for ground in controls.grounds)]
    at, who = pinned.get(0, (np.zeros((controls.frames, 3)), np.full(controls.frames, -1)))
    where, who = at[:, [0, 2]], who.copy()
    faces, facing = np.zeros(controls.frames), np.full(controls.frames, -1)
    for number, ground in enumerate(controls.grounds, len(controls.pins)):
        f = ground.frames
        apart = np.where(who[f] >= 0, np.linalg.norm(where[f] - ground.places, axis=-1), 0.0)
        if (apart > EXACT).any():
            k = int(np.argmax(apart > EXACT))
            raise _contradict(
                ground.name, names[who[f[k]]], f"{apart[k]:.3g} m apart", int(f[k]) + controls.first
            )
        where[f], who[f] = ground.places, number
        if ground.headings is None:
            continue
        turn = np.abs((faces[f] - ground.headings + np.pi) % (2 * np.pi) - np.pi)
        turn = np.where(facing[f] >= 0, turn, 0.0)
        if (turn > TURNED).any():
            k = int(np.argmax(turn > TURNED))
            how = f"headings {np.degrees(turn[k]):.0f} degrees apart"
            raise _contradict(ground.name, names[facing[f[k]]], how, int(f[k]) + controls.first)
        faces[f], facing[f] = ground.headings, number


def _contradict(one: str, other: str, how: str, frame: int) -> InvalidRequestError:
    return InvalidRequestError(one, f"contradicts {other} at frame {frame}: {how}",
                               "Move one of them, make it softer, or give them different frames.")  # fmt: skip
