"""Joint trees: the canonical 22 joints and any other skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from . import rotations
from .errors import SkeletonError

JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
    "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck",
    "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
"""SMPL's 22 body joints, in SMPL's order. ``left_foot`` is the ball of the foot (toe base)."""

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)

INDEX = {name: i for i, name in enumerate(JOINTS)}

MIRROR = tuple(
    INDEX[n.replace("left", "right") if "left" in n else n.replace("right", "left")] for n in JOINTS
)
"""Index of each joint's counterpart on the other side; joints in the middle name themselves."""

# An adult's proportions in metres, T-pose, rounded (offsets from the parent joint).
_OFFSETS = (
    (0.0, 0.93, 0.0), (0.09, -0.07, 0.0), (-0.09, -0.07, 0.0), (0.0, 0.11, -0.01),
    (0.0, -0.40, 0.0), (0.0, -0.40, 0.0), (0.0, 0.13, 0.0), (0.0, -0.40, -0.01),
    (0.0, -0.40, -0.01), (0.0, 0.06, 0.0), (0.0, -0.06, 0.13), (0.0, -0.06, 0.13),
    (0.0, 0.21, -0.02), (0.07, 0.12, -0.01), (-0.07, 0.12, -0.01), (0.0, 0.09, 0.03),
    (0.11, 0.02, 0.0), (-0.11, 0.02, 0.0), (0.26, 0.0, 0.0), (-0.26, 0.0, 0.0),
    (0.25, 0.0, 0.0), (-0.25, 0.0, 0.0),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A tree of joints with a rest pose. Arrays are copied, float64 and read-only.

    Attributes:
        names: J unique names.
        parents: ``(J,)`` int; -1 for a root; a parent comes before its children.
        offsets: ``(J, 3)`` rest position of each joint in its parent's frame (a root's: in the
            world).
        rest_rotations: ``(J, 4)`` rest orientation relative to the parent; identity by default.
        tips: ``(J, 3)`` end of each bone in its own frame, NaN where unknown (BVH end sites,
            Blender's bone tails).

    Raises:
        SkeletonError: names repeat, shapes disagree, a parent comes after its child, or a number
            is not finite.
    """

    names: tuple[str, ...]
    parents: np.ndarray
    offsets: np.ndarray
    rest_rotations: np.ndarray = field(default=None)  # type: ignore[assignment]
    tips: np.ndarray = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        names = tuple(self.names)
        n = len(names)
        if n == 0:
            raise SkeletonError("a skeleton needs at least one joint")
        if len(set(names)) != n:
            twice = next(x for x in names if names.count(x) > 1)
            raise SkeletonError(f"joint name {twice!r} occurs twice")
        parents = np.array(self.parents, np.int32)
        offsets = np.array(self.offsets, np.float64)
        rest = rotations.identity(n) if self.rest_rotations is None else self.rest_rotations
        rest = np.array(rest, np.float64)
        tips = np.full((n, 3), np.nan) if self.tips is None else np.array(self.tips, np.float64)
        shapes = {"parents": (parents, (n,)), "offsets": (offsets, (n, 3)),
                  "rest_rotations": (rest, (n, 4)), "tips": (tips, (n, 3))}  # fmt: skip
        for what, (array, shape) in shapes.items():
            if array.shape != shape:
                raise SkeletonError(f"{what} must have shape {shape}, not {array.shape}")
            array.setflags(write=False)
        if (parents >= np.arange(n)).any() or (parents < -1).any():
            raise SkeletonError("every parent must come before its children")
        if not (np.isfinite(offsets).all() and np.isfinite(rest).all()):
            raise SkeletonError("offsets and rest rotations must be finite numbers")
        for key, value in zip(("names", "parents", "offsets", "rest_rotations", "tips"),
                              (names, parents, offsets, rest, tips), strict=True):  # fmt: skip
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Index of a joint by name; SkeletonError names what is missing."""
        try:
            return self.names.index(name)
        except ValueError:
            raise SkeletonError(f"no joint named {name!r}") from None

    def children(self, joint: int) -> list[int]:
        """Indices of the joints whose parent is ``joint``."""
        return [int(i) for i in np.flatnonzero(self.parents == joint)]

    def ancestors(self, joint: int) -> list[int]:
        """Indices from ``joint``'s parent up to its root."""
        out: list[int] = []
        while (joint := int(self.parents[joint])) >= 0:
            out.append(joint)
        return out

    def rest_global(self) -> tuple[np.ndarray, np.ndarray]:
        """Rest orientation ``(J, 4)`` and position ``(J, 3)`` of every joint in the world."""
        from . import kinematics

        return kinematics.forward(self.parents, self.rest_rotations, self.offsets)


def canonical(offsets: np.ndarray | Sequence | None = None) -> Skeleton:
    """The 22-joint skeleton, with a character's own proportions if ``offsets`` ``(22, 3)`` is given.

    The pelvis offset is its rest position, so ``offsets[0, 1]`` is the hip height.
    """
    return Skeleton(JOINTS, np.array(PARENTS), np.array(_OFFSETS if offsets is None else offsets))


CANONICAL = canonical()
