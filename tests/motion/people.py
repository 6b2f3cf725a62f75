"""People in a T-pose whose bones are called as a test wants: what bone maps are tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from blender_addon.motion import rotations
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import Skeleton
from tests.motion.strategies import random_quaternions

LIMBS = ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")
Names = Mapping[str, Sequence[str]]


@dataclass
class Bone:
    """A bone while a person is being put together."""

    name: str
    parent: str | None
    head: Array
    tip: Array


@dataclass
class Person:
    """Bones in any order, and which of them plays which role."""

    bones: list[Bone]
    truth: dict[str, tuple[str, ...]]

    def add(self, name: str, parent: str, head: Sequence[float], tip: Sequence[float]) -> Person:
        """Hang one more bone on a parent; head and tip are relative to the parent's head."""
        at = next(b.head for b in self.bones if b.name == parent)
        self.bones.append(Bone(name, parent, at + head, at + head + tip))
        return self

    def skeleton(
        self,
        rng: np.random.Generator | None = None,
        turn: Array = rotations.IDENTITY,
        scale: float = 1.0,
        tips: bool = True,
    ) -> Skeleton:
        """The rest pose, turned and scaled; with ``rng`` in shuffled order and with any bone roll."""
        order = _order(self.bones, rng)
        index = {b.name: i for i, b in enumerate(order)}
        parents = np.array([-1 if b.parent is None else index[b.parent] for b in order])
        p = rotations.rotate(turn, np.array([b.head for b in order])) * scale
        ends = rotations.rotate(turn, np.array([b.tip for b in order])) * scale
        n = len(order)
        q = rotations.identity(n) if rng is None else random_quaternions(rng, n)
        up = np.where(parents[:, None] >= 0, q[parents], rotations.IDENTITY)
        start = np.where(parents[:, None] >= 0, p[parents], 0.0)
        offsets = rotations.rotate(rotations.inverse(up), p - start)
        local = rotations.multiply(rotations.inverse(up), q)
        given = rotations.rotate(rotations.inverse(q), ends - p) if tips else None
        return Skeleton(tuple(index), parents, offsets, local, given)  # type: ignore[arg-type]


def _order(bones: Sequence[Bone], rng: np.random.Generator | None) -> list[Bone]:
    left, out, done = list(bones), [], {None}
    while left:
        ready = [i for i, b in enumerate(left) if b.parent in done]
        pick = left.pop(ready[0] if rng is None else int(rng.choice(ready)))
        out.append(pick)
        done.add(pick.name)  # type: ignore[arg-type]
    return out


def person(
    names: Names,
    sides: tuple[Sequence[str], Sequence[str]] = (("Left",), ("Right",)),
    above: Sequence[str] = (),
    rng: np.random.Generator | None = None,
) -> Person:
    """Put a person together.

    Args:
        names: role -> bone names, parent first; limb roles without side, ``{0}`` ... for its
            words. A role may be left out; several names of a limb role lie in line.
        sides: words for left and right.
        above: bones over the pelvis, on the ground, topmost first.
        rng: varies the proportions, by up to a tenth.
    """
    vary = 1.0 if rng is None else rng.uniform(0.9, 1.1, 12)
    size = np.broadcast_to(vary, 12)
    out = Person([], {})
    parent: str | None = None
    for name in above:
        out.bones.append(Bone(name, parent, np.zeros(3), np.array([0, 0, 0.2])))
        parent = name
    hip_height, trunk = 0.86 * size[0], 0.5 * size[1]
    pelvis = np.array([0, hip_height + 0.06, 0])
    chest = np.array([0, hip_height + 0.75 * trunk, -0.02])
    base = np.array([0, hip_height + 1.12 * trunk, -0.02])
    head = base + [0, 0.1 * size[2], 0.02]
    hub = _line(out, "pelvis", names["pelvis"], parent, pelvis, pelvis + [0, 0.1, 0])
    step = (chest - pelvis) / max(len(names["spine"]), 1)
    hub_up = _line(out, "spine", names["spine"], hub, pelvis + step, chest + step)
    neck = _line(out, "neck", names.get("neck", ()), hub_up, base, head)
    _line(out, "head", names.get("head", ()), neck, head, head + [0, 0.2 * size[3], 0])
    for side, words, x in zip(("left", "right"), sides, (1.0, -1.0), strict=True):
        arm = hip_height + trunk
        y = arm - 0.02
        points = {
            "collar": (0.04, y - 0.02, 0.0), "shoulder": (0.17, arm, -0.02),
            "elbow": (0.17 + 0.27 * size[4], arm, -0.03), "wrist": (0.17 + 0.27 * size[4] + 0.25 * size[5], arm, -0.02),
            "hip": (0.09, hip_height, 0.0), "knee": (0.1, hip_height * 0.53, 0.01),
            "ankle": (0.1, 0.08, -0.03), "foot": (0.1, 0.02, 0.1),
        }  # fmt: skip
        ends = {"wrist": (0.1, 0.0, 0.0), "foot": (0.0, 0.0, 0.07), "ankle": (0.0, -0.06, 0.13)}
        for limb, hang in ((LIMBS[:4], hub_up), (LIMBS[4:], hub)):
            have = [r for r in limb if names.get(r)]
            at = hang
            for role, after in zip(have, [*have[1:], None], strict=True):
                here = np.array(points[role]) * [x, 1, 1]
                follows = limb[limb.index(role) + 1] if role in limb[:3] else None
                if after:
                    there = np.array(points[after]) * [x, 1, 1]
                elif follows and role != "ankle":
                    there = np.array(points[follows]) * [x, 1, 1]
                else:
                    there = here + np.array(ends[role]) * [x, 1, 1]
                at = _line(out, f"{side}_{role}", [n.format(*words) for n in names[role]], at, here, there)
    return out


def _line(out: Person, role: str, names: Sequence[str], parent: str | None, start: Array, end: Array) -> str:
    """Bones in line from ``start`` to ``end``; the last one's name, or the parent's without any."""
    n = len(names)
    for i, name in enumerate(names):
        a, b = start + (end - start) * i / n, start + (end - start) * (i + 1) / n
        out.bones.append(Bone(name, parent, a, b))
        parent = name
    if n:
        out.truth[role] = tuple(names)
    assert parent is not None
    return parent
