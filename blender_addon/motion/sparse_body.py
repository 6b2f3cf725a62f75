"""Few keys for a whole body: every bone turns within some degrees, and every joint is within some millimetres.

Small turns add up along a limb, so a foot is farther off than any bone above it says. Where a joint is too far
off, the bone above it that is most to blame gets a key more, until none is. What stands still is held nearer:
a foot that creeps is seen long before one that swings a little beside its way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from . import kinematics, rotations, sparse
from .contacts import runs
from .sparse import Array, Curve, Deviation

STILL, NEARER = 0.25, 0.2
"""Metres per second: what is slower than this stands, and is allowed less, down to this share."""
LIMIT = 0.999
"""Of what is allowed: keys are stored in single precision."""
WIDER = 2.0
"""How much more than allowed the curve through the motion's own values may be off at first; fitting halves it."""
BLOCK = 256
"""Frames that are reduced at once; where two blocks meet all that moves has a key."""


@dataclass(frozen=True, eq=False)
class Group:
    """Channels that share their keyed frames.

    Attributes:
        values: ``(n, k)``.
        fixed: ``(n,)`` bool, frames that have a key in any case, with the motion's own value.
        kind: :func:`.sparse.quaternions`, ``angles`` or ``places``.
        allowed: what ``kind`` is asked with.
        joint: which of the body's joints they move; -1: none.
        local: from values to the joint's local rotations ``(n, 4)``, or its places ``(n, 3)``.
        moves: whether they are places.
    """

    values: Array
    fixed: Array
    kind: Callable[[float], Deviation]
    allowed: float
    joint: int = -1
    local: Callable[[Array, slice], Array] | None = None
    moves: bool = False


@dataclass(frozen=True, eq=False)
class Body:
    """The motion that is to be kept.

    Attributes:
        frames: ``(n,)``, ascending.
        fps: frames a second.
        parents: ``(J,)``, parents before children, -1 for a root.
        local: ``(n, J, 4)`` rotations relative to the parent.
        places: ``(n, J, 3)`` in the parent's frame, metres.
        metres: how far from its place a joint may be.
    """

    frames: Array
    fps: float
    parents: Array
    local: Array
    places: Array
    metres: float


def reduced(body: Body, groups: Sequence[Group]) -> Generator[float, None, list[Curve]]:
    """A curve a group, with few keys; yields the fraction done every few milliseconds.

    A group deviates nowhere by more than it is allowed, and joints of the body are nowhere farther off than
    ``metres``, a fifth of it where they stand still.
    """
    count = len(body.frames)
    if not count:
        return [Curve(np.zeros(0, int), group.values, group.values) for group in groups]
    slopes = [sparse.slopes(body.frames, group.values) for group in groups]
    parts: list[list[Curve]] = []
    for block in _blocks(count, groups):
        done, share = block.start / count, (block.stop - block.start) / count
        for within in (steps := _Block(body, groups, slopes, block)).run():
            yield done + share * within
        parts.append(steps.curves)
    return [_joined([part[n] for part in parts]) for n in range(len(groups))]


def _blocks(count: int, groups: Sequence[Group]) -> Iterator[slice]:
    """Pieces that share their border frames; a border lies where most groups have a key anyway."""
    fixed = np.sum([group.fixed for group in groups], axis=0) if groups else np.zeros(count, int)
    start = 0
    while start < count - 1 - BLOCK:
        late = np.arange(start + BLOCK // 2, start + BLOCK + 1)
        border = int(late[::-1][fixed[late[::-1]].argmax()])  # of several the last
        yield slice(start, border + 1)
        start = border
    yield slice(start, count)


def _joined(parts: Sequence[Curve]) -> Curve:
    """One curve of pieces that share their border keys."""
    at, start = [parts[0].at], int(parts[0].at[-1])
    for part in parts[1:]:
        at.append(part.at[1:] + start)
        start += int(part.at[-1])
    values = [parts[0].values, *(part.values[1:] for part in parts[1:])]
    slopes = [parts[0].slopes, *(part.slopes[1:] for part in parts[1:])]
    return Curve(np.concatenate(at), np.concatenate(values), np.concatenate(slopes))


class _Block:
    """Some frames, reduced."""

    def __init__(self, body: Body, groups: Sequence[Group], slopes: Sequence[Array], block: slice) -> None:
        self.body = replace(body, frames=body.frames[block], local=body.local[block], places=body.places[block])
        self.block, self.groups = block, groups
        self.values = [group.values[block] for group in groups]
        self.slopes = [slope[block] for slope in slopes]
        self.measure = [group.kind(group.allowed) for group in groups]
        self.keep = [group.fixed[block].copy() for group in groups]
        for keep in self.keep:
            keep[[0, -1]] = True
        self.held = [keep.copy() for keep in self.keep]
        self.firm = np.zeros(len(self.body.frames), bool)  # what two blocks share
        self.firm[0], self.firm[-1] = block.start > 0, block.stop < len(body.frames)
        self.curves: list[Curve] = []
        self.off: list[Array] = [np.zeros(0)] * len(groups)  # deviation, as a share of what is allowed
        self.above = [_chain(body.parents, j) for j in range(len(body.parents))]
        self.movers: dict[int, list[int]] = {}
        for n, group in enumerate(groups):
            if group.joint >= 0:
                self.movers.setdefault(group.joint, []).append(n)
        self.local, self.places = self.body.local.copy(), self.body.places.copy()

    def run(self) -> Generator[float, None, None]:
        """Fill ``curves``."""
        body, frames = self.body, self.body.frames
        self.turns, self.at = yield from self._forward(body.local, body.places)
        self.allowed = body.metres * _share(self.at, frames, body.fps)
        levers = self._levers()
        for n, group in enumerate(self.groups):
            near = group.kind(group.allowed * min(WIDER, levers[n]))
            steps = sparse.fewest(frames, self.values[n], self.slopes[n], self.keep[n], near)
            self.keep[n] = yield from _fractions(steps, 0.7 * n / len(self.groups))
            self.curves.append(sparse.exact(self.values[n], self.slopes[n], self.keep[n]))
        changed = set(range(len(self.groups)))
        while changed:
            for n in sorted(changed):
                self._fit(n)
                yield 0.7
            changed = {n for n in range(len(self.groups)) if self._turn_nearer(n)}
            if not changed:
                changed = yield from self._place_nearer()

    def _fit(self, n: int) -> None:
        group, frames = self.groups[n], self.body.frames
        self.curves[n] = sparse.fitted(frames, self.values[n], self.slopes[n], self.keep[n], self.held[n], self.firm)
        made = sparse.sampled(frames, self.curves[n])
        self.off[n] = self.measure[n](made, self.values[n])
        if group.local is not None:
            (self.places if group.moves else self.local)[:, group.joint] = group.local(made, self.block)

    def _levers(self) -> list[float]:
        """What of its tolerance each group can use up before joints that hang on it get too far off."""
        reach = np.zeros(len(self.above))
        for j, above in enumerate(self.above):
            for a in above:
                reach[a] = max(reach[a], float(np.linalg.norm(self.at[0, j] - self.at[0, a])))
        out = []
        for group in self.groups:
            turns = group.joint >= 0 and not group.moves and reach[group.joint] > 0
            out.append(WIDER * np.degrees(self.body.metres / reach[group.joint]) / group.allowed if turns else WIDER)
        return out

    def _turn_nearer(self, n: int) -> bool:
        """Give the group a key in every segment that deviates too much; whether there was one."""
        off, at = self.off[n], self.curves[n].at
        found = False
        for a, b in pairwise(at):
            worst = a + int(off[a : b + 1].argmax())
            if off[worst] > LIMIT:
                found |= self._key(n, worst)
        return found

    def _key(self, n: int, at: int) -> bool:
        """A key more where the curve is worst near a frame, or one that is held; whether that can be done."""
        keep, held = self.keep[n], self.held[n]
        if keep[at]:
            if held[at]:
                return False
            held[at] = True
            return True
        keys = self.curves[n].at
        i = int(np.searchsorted(keys, at))
        a, b = int(keys[i - 1]), int(keys[i])
        if keep[a + 1 : b].any():  # it got one already
            return True
        inner = self.off[n][a + 1 : b]
        keep[a + 1 + int(inner.argmax()) if inner.max() > 1e-6 else at] = True
        return True

    def _place_nearer(self) -> Generator[float, None, set[int]]:
        """Give keys to what moves the joints that are too far off; the groups that got one."""
        _, at = yield from self._forward(self.local, self.places)
        gap = at - self.at
        off = np.linalg.norm(gap, axis=-1) / self.allowed
        changed: set[int] = set()
        if not (off > LIMIT).any():
            return changed
        turned, moved = self._steps()
        yield 0.9
        for n, (start, stop) in enumerate(runs((off > LIMIT).any(-1))):
            frame = start + int(off[start:stop].max(-1).argmax())
            bad = np.flatnonzero(off[frame] > LIMIT)
            done: set[int] = set()
            for joint in bad[np.argsort(-off[frame, bad])].tolist():
                if done.isdisjoint(self.above[joint]):  # what hangs on the same bones may be well by then
                    blamed = self._blamed(joint, frame, gap[frame, joint], turned, moved)
                    if blamed is not None:
                        changed.add(blamed)
                        done.add(self.groups[blamed].joint)
            if n % 8 == 0:
                yield 0.9
        return changed

    def _steps(self) -> tuple[Array, Array]:
        """By how much every joint is turned and moved by its own channels, in the world. ``(n, J, 3)`` each."""
        turn = rotations.to_axis_angle(rotations.multiply(self.local, rotations.inverse(self.body.local)))
        above = np.maximum(self.body.parents, 0)
        up = np.where((self.body.parents < 0)[:, None], rotations.IDENTITY, self.turns[:, above])
        return rotations.rotate(up, turn), rotations.rotate(up, self.places - self.body.places)

    def _blamed(self, joint: int, frame: int, gap: Array, turned: Array, moved: Array) -> int | None:
        """Give the group a key that brought a joint the farthest into a direction; None where all are exact."""
        chain = [joint, *self.above[joint]]
        by_turn = np.cross(turned[frame, chain], self.at[frame, joint] - self.at[frame, chain]) @ gap
        by_move = moved[frame, chain] @ gap
        shares = [(by_move[i] if self.groups[n].moves else by_turn[i], n)
                  for i, a in enumerate(chain) for n in self.movers.get(a, ())]  # fmt: skip
        return next((n for _, n in sorted(shares, reverse=True) if self._key(n, frame)), None)

    def _forward(self, local: Array, places: Array) -> Generator[float, None, tuple[Array, Array]]:
        turns, at = kinematics.forward(self.body.parents, local, places)
        yield 0.0
        return turns, at


def _fractions(steps: Generator[None, None, Array], done: float) -> Generator[float, None, Array]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        yield done


def _chain(parents: Array, joint: int) -> list[int]:
    """The joints above one, nearest first."""
    out, at = [], int(parents[joint])
    while at >= 0:
        out.append(at)
        at = int(parents[at])
    return out


def _share(at: Array, frames: Array, fps: float) -> Array:
    """What of the tolerance is allowed where joints ``(n, J, 3)`` are that slow. ``(n, J)``."""
    if len(at) < 2:
        return np.ones(at.shape[:2])
    speed = np.linalg.norm(np.gradient(at, frames, axis=0), axis=-1) * fps
    slowest = speed.copy()
    slowest[1:] = np.minimum(slowest[1:], speed[:-1])
    slowest[:-1] = np.minimum(slowest[:-1], speed[1:])
    return np.clip(slowest / STILL, NEARER, 1.0)
