"""What the tests of the motion core draw from: ugly angles, rotations, trees and moving skeletons."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import Skeleton, canonical

UGLY_ANGLES = (0.0, 1e-12, 1e-5, 0.3, np.pi / 2 - 1e-9, np.pi / 2, 2.0, np.pi - 1e-7, np.pi)

angles = st.one_of(st.sampled_from(UGLY_ANGLES), st.floats(-np.pi, np.pi))
lengths = st.floats(-10, 10, width=32)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def unit_vectors(draw: st.DrawFn) -> Array:
    """``(3,)``, the axes and their opposites among them."""
    axis = np.array(draw(st.tuples(lengths, lengths, lengths)))
    if np.linalg.norm(axis) < 1e-3:
        axis = np.eye(3)[draw(st.integers(0, 2))] * draw(st.sampled_from((1, -1)))
    return axis / np.linalg.norm(axis)


@st.composite
def quaternions(draw: st.DrawFn) -> Array:
    """``(4,)`` unit."""
    return rotations.from_axis_angle(draw(unit_vectors()) * draw(angles))


vectors = hnp.arrays(np.float64, 3, elements=lengths)


def random_quaternions(rng: np.random.Generator, *shape: int) -> Array:
    """Uniform over all rotations, ``(*shape, 4)``."""
    return rotations.normalize(rng.normal(size=(*shape, 4)))


def random_skeleton(rng: np.random.Generator, joints: int, rest: bool = False) -> Skeleton:
    """A tree of any form; with turned rest orientations if ``rest``."""
    parents = np.array([-1] + [int(rng.integers(0, j)) for j in range(1, joints)])
    turned = random_quaternions(rng, joints) if rest else None
    tips = np.where(rng.random((joints, 1)) < 0.5, rng.normal(size=(joints, 3)), np.nan)
    return Skeleton(tuple(f"joint {j}" for j in range(joints)), parents, rng.normal(size=(joints, 3)),
                    turned, tips)  # type: ignore[arg-type]  # fmt: skip


def random_clip(
    rng: np.random.Generator, frames: int, skeleton: Skeleton | None = None, translations: bool = False
) -> Clip:
    """A clip of smooth random turns, canonical unless a skeleton is given."""
    skeleton = canonical() if skeleton is None else skeleton
    j = len(skeleton)
    start, step = random_quaternions(rng, j), rng.normal(size=(frames, j, 3)) * 0.1
    q = np.empty((frames, j, 4))
    for f in range(frames):
        start = rotations.multiply(start, rotations.from_axis_angle(step[f]))
        q[f] = start
    moved = rng.normal(size=(frames, j, 3)) if translations else None
    root = np.cumsum(rng.normal(size=(frames, 3)) * 0.05, 0) + [0, 0.9, 0]
    return Clip(skeleton, q, root, 30.0, moved)
