"""One clip onto one character: numpy from the source's clip to the target's bones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..motion import (
    broad_hips,
    contacts,
    fingers,
    foot_lock,
    hand_contacts,
    large_feet,
    retarget,
    root_motion,
    rotations,
)
from ..motion.clip import Clip
from ..motion.retarget import Rig
from ..motion.root_motion import GroundPath
from ..motion.rotations import Array
from .plan import Options
from .sources import Source


@dataclass(frozen=True, eq=False)
class Converted:
    """A clip ready to be written.

    Attributes:
        source: at the rate that is written.
        canonical: the motion with the target's proportions, as it is to be seen.
        written: the same without what the object carries.
        lacking: roles that keep the target's own animation.
        fingers: the source's fingers that moved, see :func:`..motion.fingers.read`.
        turns: further bones and their global differences, see :func:`.retarget.from_canonical`.
        places: further bones and where their heads are.
        path: what the object carries, or a control rig's root; None: nothing.
        on_control: it is the control rig's root.
        measures: skating, penetration and so on, by name.
    """

    source: Source
    canonical: Clip
    written: Clip
    lacking: tuple[str, ...]
    fingers: Mapping[str, Array]
    turns: Mapping[int, Array]
    places: Mapping[int, Array]
    path: GroundPath | None
    measures: dict[str, Any]
    on_control: bool = False

    def bones(self, rig: Rig) -> list[int]:
        """Bones of the rig that are written."""
        left = {b for role in self.lacking for b in rig.bones.roles[role]}
        mapped = [b for role in rig.bones.roles.values() for b in role if b not in left]
        return [*mapped, *(b for b in self.turns if b not in mapped)]

    def onto(self, rig: Rig, base: Clip | None, rows: slice) -> Clip:
        """Some of the frames on the rig's own bones."""
        part = self.written.slice(rows.start, rows.stop)
        below = None if base is None else base.slice(rows.start, rows.stop)
        return retarget.from_canonical(part, rig, below, self.lacking, {b: x[rows] for b, x in self.turns.items()},
                                       {b: x[rows] for b, x in self.places.items()})  # fmt: skip


def convert(source: Source, rig: Rig, options: Options) -> Converted:
    """Retarget a clip: rest poses aligned, scaled to the legs, feet standing, the root where it is wanted.

    Args:
        source: the clip and its character.
        rig: the target.
        options: rate, feet, root.
    """
    if options.fps and options.fps != source.clip.fps:
        source = replace(source, clip=source.clip.resample(options.fps))
    there = retarget.to_canonical(source.clip, source.rig)
    q, p = there.forward()
    found = contacts.find_in(there.skeleton, q, p, there.fps)
    plain = foot_lock.stand(retarget.fit(there, rig, ground=found.ground), found)
    shown = plain
    if options.feet == "lock":
        skated = contacts.skating(p[:, list(contacts.BALLS)], found.toe, there.fps, there.hip_height)
        suited = large_feet.levelled(broad_hips.steadied(plain, there.skeleton), there.skeleton)
        shown = foot_lock.lock_enough(suited, found, skated)
    measures = measure(there, p, found, plain, shown)
    shown, hands = touching(there, q, p, shown, options)
    measures |= hands
    if options.in_place:
        shown = root_motion.in_place(shown)
    bent = fingers.read(source.clip, source.rig, there)
    turns = fingers.write(bent, rig, shown)
    path, places, written = None, {}, shown
    bone = root_bone(rig) if options.root == "bone" else None
    if options.root != "hips" and not options.in_place:
        path = root_motion.ground_path(shown)
        if bone is None:
            written = path.local(shown)
        else:
            turns, places = {**turns, bone: path.turns}, {bone: path.places + _height(rig, bone)}
            path = None
    return Converted(
        source,
        shown,
        written,
        retarget.lacking_roles(source.rig, rig),
        bent,
        turns,
        places,
        path,
        measures,
        options.root == "bone",
    )


def touching(there: Clip, q: Array, p: Array, shown: Clip, options: Options) -> tuple[Clip, dict[str, Any]]:
    """Hands that rest where the source's did, and by how much they missed that before and after.

    Args:
        there: the source's motion on the canonical joints, ``q`` and ``p`` its :meth:`.Clip.forward`.
        shown: the same with the target's proportions.
        options: whether they are to.
    """
    found = hand_contacts.find(there.skeleton, q, p, there.fps)
    when = found.any()
    out: dict[str, Any] = {"hands_touching": float(when.mean()) if when.size else 0.0}
    if not when.any():
        return shown, out
    out["hands_off_before"] = out["hands_off_after"] = hand_contacts.missed(shown, found)
    if options.hands == "touch":
        shown = hand_contacts.keep(shown, found)
        out["hands_off_after"] = hand_contacts.missed(shown, found)
    return shown, out


def root_bone(rig: Rig) -> int | None:
    """The topmost bone above the hips; None: there is none among those that retargeting knows."""
    above = rig.skeleton.ancestors(rig.bones.first("pelvis"))
    return above[-1] if above else None


def _height(rig: Rig, bone: int) -> Array:
    """How high the bone's head is at rest, Y up. ``(3,)``."""
    _, p = rig.skeleton.rest_global()
    return rotations.rotate(rig.axes, p[bone]) * (0.0, 1.0, 0.0)


def measure(there: Clip, p: Array, found: contacts.Contacts, plain: Clip, shown: Clip) -> dict[str, Any]:
    """Skating and penetration before and after, and how far the root is from the scaled path."""
    balls, fps = list(contacts.BALLS), there.fps
    out: dict[str, Any] = {
        "frames": len(there),
        "fps": fps,
        "standing": float(found.foot.mean()) if len(p) else 0.0,
    }
    out["skating_source"] = contacts.skating(p[:, balls], found.toe, fps, there.hip_height)
    for name, clip in (("before", plain), ("after", shown)):
        q, at = plain.forward() if clip is plain else clip.forward()
        out[f"skating_{name}"] = contacts.skating(at[:, balls], found.toe, fps, clip.hip_height)
        out[f"penetration_{name}"] = contacts.penetration(clip.skeleton, q, at)
    flat = lambda x: np.linalg.norm(np.diff(x[:, [0, 2]], axis=0), axis=1).sum()  # noqa: E731
    ratio = retarget.legs(shown.skeleton)[0] / retarget.legs(there.skeleton)[0]
    wanted = there.root_positions * ratio
    moved = float(flat(wanted))
    off = shown.root_positions - wanted
    out["leg_ratio"] = float(ratio)
    out["root_path_ratio"] = float(flat(shown.root_positions)) / moved if moved > 1e-6 else 1.0
    out["root_error"] = float(np.linalg.norm((off - off[:1])[:, [0, 2]], axis=1).max(initial=0))
    return out
