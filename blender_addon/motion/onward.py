"""Motion that goes on: extended by what comes next, or led back into its own beginning (a loop).

Both are requests like any other: the motion as it is, and frames after it of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import constraints, rotations
from .clip import Clip
from .constraints import MAX_FRAMES, Request, TextSpan
from .errors import InvalidRequestError
from .retarget import Rig
from .rotations import Array

CONTEXT_SECONDS = 1.6
"""How much of a loop's beginning is shown to the model after its end: what it leads into."""
TRAVELS = ("auto", "stay", "onward")
MOVING = 0.3
"""Metres a second, of a body whose hips are 0.9 m high, above which a root is on its way."""
_WINDOW = 0.25
"""Seconds over which a root's velocity is measured."""


@dataclass(frozen=True, eq=False)
class Loop:
    """A request for a loop.

    Attributes:
        request: the motion, the frames that lead back, and the beginning once more.
        frames: length of the loop: the motion, what leads back, and the first pose again as its last frame.
        shift: ``(3,)`` metres, how far on the last frame stands from the first; zero: at the same place.
    """

    request: Request
    frames: int
    shift: Array


def extended(clip: Clip, frames: int, texts: Sequence[TextSpan] = (), **settings: Any) -> Request:
    """The motion, and ``frames`` more that go on from it.

    Args:
        clip: canonical; stays as it is.
        texts: what is done then, by frames of the whole.
        settings: ``seed``, ``variations``, ``system``, ``bundle``, ``options``.

    Raises:
        InvalidRequestError: no frames, or too many.
    """
    longer = held(clip, frames)
    free = np.arange(len(longer)) >= len(clip)
    return constraints.edit(longer, np.repeat(free[:, None], len(clip.skeleton), 1), free, texts=tuple(texts),
                            **settings)  # fmt: skip


def looped(
    clip: Clip, frames: int, texts: Sequence[TextSpan] = (), travel: str = "auto", **settings: Any
) -> Loop:
    """The motion, ``frames`` that lead back into it, and its first pose: the next frame could be its second one.

    Args:
        clip: canonical; stays as it is.
        frames: between its last pose and its first one.
        texts: what is done meanwhile, by frames of the whole.
        travel: where the first pose is met again: ``stay`` where it was, ``onward`` as far on as the motion
            goes in its length, so that each round begins where the last one ended (a walk cycle); ``auto``:
            onward if the root is on its way at both ends, the same way.
        settings: ``seed``, ``variations``, ``system``, ``bundle``, ``options``.

    Raises:
        InvalidRequestError: no frames, or too many; a motion of one frame, or another ``travel``.
    """
    if len(clip) < 2:
        raise InvalidRequestError("clip", "a loop needs at least two frames", "Choose a longer motion.")
    if travel not in TRAVELS:
        raise InvalidRequestError("travel", f"{travel!r} is none of {', '.join(TRAVELS)}")
    shift = travelled(clip, frames, travel)
    again = min(len(clip), max(2, round(CONTEXT_SECONDS * clip.fps)))
    longer = held(clip, frames + again)
    turned, placed = longer.rotations.copy(), longer.root_positions.copy()
    turned[-again:], placed[-again:] = clip.rotations[:again], clip.root_positions[:again] + shift
    free = np.zeros(len(longer), bool)
    free[len(clip) : len(clip) + frames] = True
    request = constraints.edit(
        replace(longer, rotations=turned, root_positions=placed), np.repeat(free[:, None], len(clip.skeleton), 1),
        free, texts=tuple(texts), **settings,
    )  # fmt: skip
    return Loop(request, len(clip) + frames + 1, shift)


def again(clip: Clip, rig: Rig, shift: Array) -> Clip:
    """A character's own motion, its last frame the first pose again.

    Args:
        clip: on the rig's bones; what its last frame holds is ignored.
        shift: ``(3,)`` canonical metres, how far on the pelvis stands then.
    """
    turned, placed = clip.rotations.copy(), clip.local_translations()
    turned[-1], placed[-1] = turned[0], placed[0]
    pelvis = rig.bones.first("pelvis")
    parent = clip.skeleton.parents[pelvis]
    way = rotations.rotate(rotations.inverse(rig.axes), np.asarray(shift, np.float64))
    if parent >= 0:
        way = rotations.rotate(rotations.inverse(clip.slice(0, 1).forward()[0][0, parent]), way)
    placed[-1, pelvis] += way
    own = clip.translations is not None or parent >= 0
    return replace(clip, rotations=turned, root_positions=placed[:, 0], translations=placed if own else None)


def held(clip: Clip, frames: int) -> Clip:
    """The clip and its last pose for ``frames`` more.

    Raises:
        InvalidRequestError: fewer than one, or more than a request may have.
    """
    if not 1 <= frames <= MAX_FRAMES - len(clip):
        raise InvalidRequestError("frames", f"{frames} more frames", "Ask for at least one, and fewer than "
                                  f"{MAX_FRAMES} in all.")  # fmt: skip
    end = lambda x: np.concatenate((x, np.repeat(x[-1:], frames, 0)))  # noqa: E731
    return replace(clip, rotations=end(clip.rotations), root_positions=end(clip.root_positions),
                   translations=None if clip.translations is None else end(clip.translations))  # fmt: skip


def travelled(clip: Clip, frames: int, travel: str = "auto") -> Array:
    """How far on a loop's last frame stands from its first, on the ground. ``(3,)`` metres; see :func:`looped`."""
    root = clip.root_positions * np.array([1.0, 0, 1.0])
    few = min(max(1, round(_WINDOW * clip.fps)), len(clip) - 1)
    leaving, arriving = ((root[a + few] - root[a]) * clip.fps / few for a in (len(clip) - 1 - few, 0))
    if travel == "auto":
        speeds = np.linalg.norm((leaving, arriving), axis=-1)
        along = float(leaving @ arriving) >= 0.5 * float(speeds[0] * speeds[1])  # within 60 degrees
        travel = "onward" if along and speeds.min() > MOVING * clip.hip_height / 0.9 else "stay"
    if travel == "stay":
        return np.zeros(3)
    return root[-1] - root[0] + 0.5 * (leaving + arriving) * (frames + 1) / clip.fps
