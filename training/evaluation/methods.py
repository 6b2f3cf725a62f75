"""Who is measured: everything that turns requests into clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from backend import tasks
from backend.systems.base import System
from blender_addon.motion import interpolation
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request

Method = Callable[[Sequence[Request]], list[Clip]]


def product(system: System) -> Method:
    """What an animator gets: ``backend.tasks.run`` with seams, feet, exact keys and all."""

    def fill(requests: Sequence[Request]) -> list[Clip]:
        return [tasks.run(r, system, _silent, _never).clips[0] for r in requests]

    return fill


def _silent(step: int, total: int) -> None:
    """Nobody watches."""


def _never() -> bool:
    """Nobody cancels."""
    return False


def plain(requests: Sequence[Request]) -> list[Clip]:
    """Every unknown joint and place interpolated in time: the line that everything is measured against.

    The very clip that the product gives for its ``interpolation`` system, without the detour.
    """
    return [interpolation.fill(r) for r in requests]


def hold(requests: Sequence[Request]) -> list[Clip]:
    """Zero velocity: what is unknown stays as it was last known (before the first key: as at the first)."""
    return [_held(r) for r in requests]


def _held(request: Request) -> Clip:
    clip = request.clip
    before, _, _ = interpolation.neighbours(request.rotation_known)
    turned = clip.rotations[before, np.arange(before.shape[1])]
    turned[:, ~request.rotation_known.any(0)] = [1.0, 0, 0, 0]
    before, _, _ = interpolation.neighbours(request.root_known)
    held = replace(clip, rotations=turned, root_positions=clip.root_positions[before])
    return interpolation.keep_known(held, request)


def untouched(requests: Sequence[Request]) -> list[Clip]:
    """The clip as it was given: "before" of refinement."""
    return [r.clip for r in requests]
