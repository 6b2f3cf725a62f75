"""Characters whose files have the habits of real families, and motion whose truth is known.

A person (see ``people``) is laid out in a T-pose. ``character`` writes the same body down as a file
would: every bone's zero orientation where the family has it (a T, an A, arms down, all bones along
one axis), any up axis, facing any way. ``moving`` gives the same motion in those terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from blender_addon.motion import rotations
from blender_addon.motion.bone_maps import BoneMap
from blender_addon.motion.clip import Clip
from blender_addon.motion.retarget import Rig, make_rig
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import Skeleton
from tests.motion.people import Person, person

ARM = ("shoulder", "elbow", "wrist")
SIDES = ("left", "right")
Z_UP = rotations.from_axis_angle([np.pi / 2, 0.0, 0.0])  # Y up to Z up
IDENTITY = rotations.IDENTITY


def names(
    spine: int = 3, neck: int = 1, twists: bool = False, without: tuple[str, ...] = ()
) -> dict[str, list[str]]:
    """Bone names by role for a body with so many bones."""
    limbs = ("collar", *ARM, "hip", "knee", "ankle", "foot")
    out = {"pelvis": ["pelvis"], "spine": [f"spine{i}" for i in range(spine)]}
    out |= {"neck": [f"neck{i}" for i in range(neck)], "head": ["head"]}
    for limb in limbs:
        twisted = twists and limb in ("shoulder", "elbow", "hip")
        out[limb] = ["{0} " + limb, "{0} " + limb + " twist"] if twisted else ["{0} " + limb]
    return {k: v for k, v in out.items() if k not in without}


@dataclass
class Character:
    """A body, its file form, and what is true of it.

    Attributes:
        person: T-pose layout.
        skeleton: as the file has it; zero orientations are identities.
        bone_map: roles.
        zero: ``(J, 4)`` T-pose orientation of each bone, Y up, facing +Z, before ``world``.
        world: ``(4,)`` from Y up to the file's world.
        flat: a skeleton like ``skeleton`` whose zero pose is the T-pose, Y up.
    """

    person: Person
    skeleton: Skeleton
    bone_map: BoneMap
    zero: Array
    world: Array
    flat: Skeleton

    def role_of(self, bone: int) -> str:
        name = self.skeleton.names[bone]
        return next((r for r, group in self.person.truth.items() if name in group), "")

    def rig(self, clip: Clip | None = None) -> Rig:
        return make_rig(self.skeleton, self.bone_map, clip)


def zero_pose(p: Person, form: str) -> Array:
    """T-pose orientation of every bone for a family's zero pose."""
    out = rotations.identity(len(p.bones))
    role = {n: r for r, group in p.truth.items() for n in group}
    for j, bone in enumerate(p.bones):
        side, _, part = role.get(bone.name, "").partition("_")
        sign = {"left": 1.0, "right": -1.0}.get(side, 0.0)
        if form in ("a", "down"):
            if part in ARM:
                out[j] = rotations.from_axis_angle([0, 0, sign * (0.7 if form == "a" else 1.45)])
        elif form == "along x":  # LAFAN1: every bone points along its own X
            way = {"hip": [0, -1, 0], "knee": [0, -1, 0], "ankle": [0, -0.4, 1.0], "foot": [0, 0, 1.0]}.get(
                part, [sign, 0, 0] if sign else [0, 1.0, 0]
            )
            out[j] = rotations.between(np.array([1.0, 0, 0]), np.array(way))
        elif form != "t":
            raise ValueError(form)
    return out


def character(
    form: str = "t",
    layout: Mapping[str, list[str]] | None = None,
    world: Array = IDENTITY,
    facing: float = 0.0,
    scale: float = 1.0,
    rng: np.random.Generator | None = None,
    preset: bool = False,
    person_: Person | None = None,
) -> Character:
    """A character in a family's terms.

    Args:
        form: ``"t"``, ``"a"``, ``"down"`` (arms), ``"along x"`` (meaningless).
        layout: see :func:`names`.
        world: from Y up to the file's world.
        facing: of the zero pose, radians about up.
        scale: of all lengths.
        rng: varies the proportions.
        preset: whether the map brings the reference orientations, as Bandai Namco's does.
    """
    p = person(layout or names(), rng=rng) if person_ is None else person_
    index = {b.name: j for j, b in enumerate(p.bones)}
    parents = np.array([-1 if b.parent is None else index[b.parent] for b in p.bones])
    heads, tips = np.array([b.head for b in p.bones]) * scale, np.array([b.tip for b in p.bones]) * scale
    # the zero pose is the T-pose turned by `facing` in a world turned by `world`
    zero = rotations.multiply(
        rotations.inverse(rotations.multiply(world, rotations.from_axis_angle([0.0, facing, 0.0]))),
        rotations.identity(len(p.bones)),
    )
    zero = rotations.multiply(zero_pose(p, form), zero)
    step = heads - np.where(parents[:, None] >= 0, heads[parents], 0)
    up = np.where(parents[:, None] >= 0, zero[parents], rotations.inverse(world))
    offsets = rotations.rotate(rotations.inverse(up), step)
    ends = rotations.rotate(rotations.inverse(zero), tips - heads)
    skeleton = Skeleton(tuple(index), parents, offsets, None, ends)  # type: ignore[arg-type]
    flat = Skeleton(tuple(index), parents, step, None, tips - heads)  # type: ignore[arg-type]
    reference = {n: tuple(zero[j].tolist()) for n, j in index.items()} if preset else {}
    return Character(p, skeleton, BoneMap("custom", p.truth, {}, reference), zero, world, flat)  # type: ignore[arg-type]


def moving(c: Character, frames: int = 40, seed: int = 0, amount: float = 0.7) -> tuple[Clip, Clip]:
    """A motion in the file's terms, and the same as rotations from the T-pose (Y up).

    It begins upright with hanging arms; in-line bones of a limb turn about the limb only.
    """
    rng = np.random.default_rng(seed)
    n = len(c.skeleton)
    t = np.linspace(0, 1, frames)[:, None, None]
    speed, phase = rng.uniform(3, 9, (1, n, 1)), rng.uniform(0, 6, (1, n, 1))
    wave = np.sin(speed * t + phase) * np.minimum(1, 4 * t)  # nothing in the first frame
    turn = wave * rotations.normalize(rng.normal(size=(1, n, 3))) * amount
    turn[:, 0] += np.array([0.0, 2.0, 0.0]) * t[:, 0]  # the whole body turns round
    for j in range(n):
        role = c.role_of(j)
        chain = c.person.truth.get(role, ())
        if "_" in role and c.skeleton.names[j] in chain[1:]:
            along = rotations.normalize(c.person.bones[j].tip - c.person.bones[j].head)
            turn[:, j] = wave[:, j] * along
    local = rotations.from_axis_angle(turn)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for name in c.person.truth.get(f"{side}_shoulder", ())[:1]:
            j = c.skeleton.names.index(name)
            hang = rotations.from_axis_angle([0.0, 0.0, -1.3 * sign])
            local[:, j] = rotations.multiply(hang, local[:, j])
    root = c.flat.offsets[0] + np.stack([0.1 * t[:, 0, 0], 0.05 * wave[:, 0, 0], 0.8 * t[:, 0, 0]], 1)
    plain = Clip(c.flat, local, root)
    return written(c, plain), plain


def written(c: Character, plain: Clip) -> Clip:
    """A clip of rotations from the T-pose in the character's own terms."""
    parents = c.skeleton.parents
    up = np.where(parents[:, None] >= 0, c.zero[parents], rotations.inverse(c.world))
    local = rotations.multiply(rotations.multiply(rotations.inverse(up), plain.rotations), c.zero)
    return Clip(c.skeleton, local, rotations.rotate(c.world, plain.root_positions), plain.fps)
