"""Who is measured: everything that turns requests into clips."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np
import torch

from backend import tasks
from backend.systems.base import BUILT_IN, System
from blender_addon.motion import interpolation
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request

Method = Callable[[Sequence[Request]], list[Clip]]


def deliver(request: Request, system: System) -> Clip:
    """What an animator gets: ``backend.tasks.run`` with seams, feet, exact keys and all."""
    return tasks.run(request, system, _silent, _never).clips[0]


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


def smoothed(requests: Sequence[Request]) -> list[Clip]:
    """Observed motion smoothed as every system gets it: what a network adds to refinement is beyond this."""
    return [deliver(r, BUILT_IN["smoothing"]) for r in requests]


# -- systems, in this process or several -------------------------------------------------------------

_systems: dict[str, System] = {}
"""Of a worker process."""


def _start(systems: Mapping[str, System]) -> None:
    torch.set_num_threads(1)
    _systems.update(systems)


def _work(name: str, request: Request) -> Clip:
    return deliver(request, _systems[name])


@dataclass
class Columns:
    """The systems that are columns of the tables, and where they run.

    Args:
        systems: name -> system; ``interpolation`` is always measured, whether it is among them or not.
        workers: processes; 1: this one. The same windows give the same clips in any number of them.
    """

    systems: Mapping[str, System]
    workers: int = 1
    _pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self.workers > 1:
            self._pool = ProcessPoolExecutor(
                self.workers, multiprocessing.get_context("spawn"), _start, (dict(self.systems),)
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def able(self, task: str) -> dict[str, Method]:
        """Name -> method of the systems that can do a task."""
        return {n: partial(self._run, n) for n, s in self.systems.items() if task in s.tasks}

    def _run(self, name: str, requests: Sequence[Request]) -> list[Clip]:
        if self._pool is None:
            return [deliver(r, self.systems[name]) for r in requests]
        chunk = max(1, len(requests) // (4 * self.workers))
        return list(self._pool.map(partial(_work, name), requests, chunksize=chunk))
