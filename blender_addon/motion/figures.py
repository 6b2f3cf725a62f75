"""Motion as stick figures: the places that are drawn of a clip, computed once for all its frames."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import rotations
from .clip import Clip
from .skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Figure:
    """A clip's stick figure.

    Attributes:
        points: ``(F, P, 3)`` float32, canonical axes, metres: joints, then the ends of the outermost bones.
        lines: ``(L, 2)`` which points a stick joins.
        columns: bone -> its joint among the points.
    """

    points: NDArray[np.float32]
    lines: NDArray[np.intp]
    columns: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.points)

    def sticks(self, frame: int) -> NDArray[np.float32]:
        """Both ends of every stick at a frame, one after the other. ``(2 L, 3)``."""
        return self.points[frame, self.lines.ravel()]

    def trail(self, bone: str) -> NDArray[np.float32]:
        """Where a bone's joint goes. ``(F, 3)``."""
        return self.points[:, self.columns[bone]]


def figure(clip: Clip, bones: Collection[str]) -> Figure:
    """The stick figure of some of a clip's bones.

    Args:
        clip: F frames on any skeleton.
        bones: those that are shown; one that the skeleton does not have is left out.
    """
    skeleton = clip.skeleton
    wanted = set(bones)
    shown = [j for j, name in enumerate(skeleton.names) if name in wanted]
    column = {j: n for n, j in enumerate(shown)}
    q, p = clip.forward()
    parents = {j: _above(skeleton, j, column) for j in shown}
    joined = [(column[up], column[j]) for j, up in parents.items() if up is not None]
    ends = [j for j in shown if j not in parents.values() and np.isfinite(skeleton.tips[j]).all()]
    tips = p[:, ends] + rotations.rotate(q[:, ends], skeleton.tips[ends])
    joined += [(column[j], len(shown) + n) for n, j in enumerate(ends)]
    points = np.concatenate([p[:, shown], tips], axis=1).astype(np.float32)
    lines = np.array(joined, np.intp).reshape(-1, 2)
    return Figure(points, lines, {skeleton.names[j]: n for j, n in column.items()})


def _above(skeleton: Skeleton, joint: int, shown: Collection[int]) -> int | None:
    """The nearest shown joint above one; None: there is none."""
    return next((up for up in skeleton.ancestors(joint) if up in shown), None)


def window(centre: int, around: int, step: int, first: int, last: int) -> list[int]:
    """Frames ``centre + k step`` for ``k`` from ``-around`` to ``around`` that lie in ``first..last``."""
    return [frame for k in range(-around, around + 1) if first <= (frame := centre + k * step) <= last]
