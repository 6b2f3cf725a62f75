"""The same jobs on a Ray cluster: ``limber-blender retarget --ray ADDRESS``.

An actor holds one process of :mod:`.worker`, as :mod:`.pool` does on one machine, so a Blender that hangs
or dies is replaced where it is. This package travels to the nodes; Python with bpy and numpy has to be
there, and the paths of clips, characters and output have to mean the same files on all of them.
"""

from __future__ import annotations

import importlib
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..motion.errors import InvalidRequestError, LimberError
from . import pool
from .plan import Place, Unit

LOST = 2
"""Nodes that a unit may be lost with before it counts as failed."""


def library() -> Any:
    """The ``ray`` package.

    Raises:
        InvalidRequestError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise InvalidRequestError("ray", "the package ray is not installed",
                                  "Install it with: pip install 'limber[ray]'.") from error  # fmt: skip


class Hand:
    """What an actor runs: one process, one unit at a time."""

    def __init__(self, patience: float) -> None:
        self._process = pool.Process(patience)

    def do(self, unit: dict[str, Any]) -> dict[str, Any]:
        """A unit as the wire has it; its entries, memory and attempts."""
        outcome = pool.attempt(self._process, Unit.from_json(unit), lambda text: None)
        return {"entries": list(outcome.entries), "memory": outcome.memory, "attempts": outcome.attempts}


def run(units: Sequence[Unit], address: str, jobs: int, patience: float,
        done: Callable[[pool.Outcome], None]) -> None:  # fmt: skip
    """:func:`.pool.run` on a cluster.

    Args:
        units: taken in order.
        address: of the cluster: ``auto``, ``host:port`` or ``ray://host:port``.
        jobs: actors, of one processor each; those that the cluster has no room for wait.
        patience: seconds without a sign of life after which a process counts as hanging.
        done: gets each outcome as it comes.

    Raises:
        InvalidRequestError: Ray is not installed.
        LimberError: there is no cluster at the address.
    """
    ray = library()
    _answers(address)
    package = Path(__file__).resolve().parents[1]
    try:
        ray.init(address=address, runtime_env={"py_modules": [str(package)]}, log_to_driver=False,
                 logging_level="ERROR")  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError) as error:
        text = str(error).strip()
        raise LimberError(
            f"No Ray cluster answers at {address}: {text.splitlines()[0] if text else error!r}"
        ) from error
    actor = ray.remote(num_cpus=1, max_restarts=-1)(Hand)
    hands = [actor.remote(patience) for _ in range(max(1, min(jobs, len(units))))]
    try:
        _share_out(ray, hands, deque((unit, 0) for unit in units), done)
    finally:
        for hand in hands:
            ray.kill(hand)  # its process ends with the pipe to it
        ray.shutdown()


def _answers(address: str) -> None:
    """Ray itself would wait for minutes.

    Raises:
        LimberError: nobody listens there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # "auto", "local"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=20).close()
    except OSError as error:
        raise LimberError(f"No Ray cluster answers at {address}: {error}") from error


def _share_out(ray: Any, hands: Sequence[Any], waiting: deque[tuple[Unit, int]],
               done: Callable[[pool.Outcome], None]) -> None:  # fmt: skip
    """Give every actor a unit, and the next one when it is done."""
    running: dict[Any, tuple[Any, Unit, int]] = {}

    def give(hand: Any) -> None:
        if waiting:
            unit, lost = waiting.popleft()
            running[hand.do.remote(whole(unit).to_json())] = (hand, unit, lost)

    for hand in hands:
        give(hand)
    while running:
        (ready,), _ = ray.wait(list(running), num_returns=1)
        hand, unit, lost = running.pop(ready)
        try:
            got = ray.get(ready)
            outcome = pool.Outcome(unit, tuple(got["entries"]), got["memory"], got["attempts"])
        except ray.exceptions.RayActorError as error:
            if lost + 1 < LOST:  # the node is gone; the actor comes up again on another
                waiting.appendleft((unit, lost + 1))
                give(hand)
                continue
            outcome = pool.failed(unit, f"the node that did it was lost: {error}".splitlines()[0])
        except ray.exceptions.RayError as error:
            outcome = pool.failed(unit, f"Ray: {' '.join(str(error).split())[:300]}")
        done(outcome)
        give(hand)


def whole(unit: Unit) -> Unit:
    """The unit with paths that hold wherever it is done."""
    far = lambda place: Place(os.path.abspath(place.path), place.armature)  # noqa: E731
    maps = {name: os.path.abspath(value) for name in ("map", "source_map")
            if (value := getattr(unit.options, name)).lower().endswith(".json")}  # fmt: skip
    return replace(unit, source=far(unit.source), target=far(unit.target), output=os.path.abspath(unit.output),
                   options=replace(unit.options, **maps))  # fmt: skip
