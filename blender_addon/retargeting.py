"""Retargeting in the open file, a few milliseconds at a time, so that Blender goes on answering.

Reading files and the maths run in a thread (numpy alone); whatever touches Blender's data is done by the
main thread in small steps, which a timer drives and :meth:`Retargeting.run` drives where there are no
timers. Between two steps the armature plays what it played before. Undo, opening another file and deleting
an armature end a run: what it held of Blender's data is gone then.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import bpy
import numpy as np

from . import actions, armature_io, jobs, rigify_io, whole_motion
from .batch import bulk, check, convert, sources, targets
from .batch.convert import Converted
from .batch.plan import Options, Place
from .depsgraph import frame_kept
from .motion import retarget
from .motion.bone_maps import BoneMap
from .motion.clip import Clip
from .motion.errors import InvalidRequestError, LimberError
from .retarget_steps import (
    Steps,
    action_played,
    clip_heard,
    found_files,
    in_thread,
    own_animation,
    played,
    spread,
)
from .translations import say

SLICE, PAUSE = 0.012, 0.02
"""Seconds of work a tick, and between two."""
SHARE, MOST = 0.25, 0.2
"""Where Blender itself needs long between two ticks (a heavy scene), work for this share of it, at most so long."""
REDRAWN = 0.25
"""Seconds between two drawings of the panel."""
PIECE = 256
"""Frames that are solved at once."""
CHECKED = 6
RUNNING, DONE, FAILED, CANCELLED = "RUNNING", "DONE", "FAILED", "CANCELLED"

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What is to be done, independent of what the panel shows meanwhile.

    Attributes:
        target, source: session numbers of the armature objects; the source's may be 0.
        target_map, source_map: their maps.
        what: ``ACTION``, ``NLA`` or ``FILES``.
        path: of a file or folder.
        first: scene frame at which files begin.
        options: rate, feet, hands, root.
    """

    target: int
    source: int
    target_map: BoneMap
    source_map: BoneMap | None
    what: str
    path: str
    first: int
    options: Options


@dataclass
class Retargeting:
    """One press of the button."""

    asked: Asked
    state: str = RUNNING
    share: float = 0.0
    text: str = "Starting"
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    problem: str = ""
    gone: bool = False
    left: float = 0.0
    drawn: float = 0.0
    _steps: Generator[Any, None, None] | None = None

    # -- driving -----------------------------------------------------------------------------------

    def step(self) -> None:
        """One step of the work; errors end the run and are kept in ``problem``."""
        if self.state != RUNNING:
            return
        if not self._still_there():
            self.abandon("An armature was deleted during the run.")
            return
        try:
            if self._steps is None:
                self._steps = self._work()
            next(self._steps)
        except StopIteration:
            self.state = DONE if self.made else FAILED
            if not self.made:
                self.problem = self.failed[0] if self.failed else "There is no clip."
        except LimberError as error:
            self.state, self.problem = FAILED, str(error)

    def tick(self) -> float | None:
        """A slice of the work; seconds until the next one, None when the run is over."""
        now = time.perf_counter()
        gap = now - self.left - PAUSE if self.left else 0.0
        until = now + min(max(SLICE, SHARE * gap), MOST)
        while self.state == RUNNING and time.perf_counter() < until:
            self.step()
        self.left = time.perf_counter()
        return PAUSE if self.state == RUNNING else None

    def run(self) -> None:
        """To the end, for scripts and where there are no timers."""
        while self.state == RUNNING:
            self.step()

    def cancel(self) -> None:
        """End it; finished clips stay, the unfinished one goes."""
        if self.state == RUNNING:
            self.state = CANCELLED
            self._close()

    def abandon(self, why: str) -> None:
        """End it without touching Blender's data, which is another by now."""
        if self.state == RUNNING:
            self.state, self.problem, self.gone = FAILED, why, True
            self._close()

    def summary(self) -> str:
        """A line for people."""
        errors = [e["limb_error"] for _, e in self.made if e.get("limb_error") is not None]
        text = f"{len(self.made)} clips"
        if errors:
            text += f", limbs off by at most {max(errors):.2f} degrees on average"
        return text + (f", {len(self.failed)} failed" if self.failed else "")

    def _close(self) -> None:
        if self._steps is not None:
            self._steps.close()
            self._steps = None

    def _still_there(self) -> bool:
        wanted = [uid for uid in (self.asked.target, self.asked.source) if uid]
        return all(jobs.find_object(uid) is not None for uid in wanted)

    # -- the work ------------------------------------------------------------------------------------

    def _work(self) -> Steps[None]:
        obj = jobs.find_object(self.asked.target)
        assert obj is not None
        actions.check_editable(obj)
        own = obj.animation_data.action if obj.animation_data else None
        slot = obj.animation_data.action_slot if own is not None else None
        shown = None if own is None else whole_motion.read(obj, self.asked.target_map, spread(own))
        target = targets.Target(whole_motion.describe(obj, (), self.asked.target_map, shown), own)
        first = None
        for at, of, name, read in self._clips():
            self.text = name
            try:
                start, source = yield from self._counted(read, at, of, 0.0, 0.3)
                if not isinstance(source, sources.Source):
                    raise source[1]
                action, measures = yield from self._counted(
                    self._one(target, name, start, source), at, of, 0.3, 1.0
                )
            except LimberError as error:
                self.failed.append(f"{name}: {error}")
                continue
            self.made.append((action.name, measures))
            first = first or action
        if first is not None:
            actions.assign(obj, first, None)
        elif own is not None:
            actions.assign(obj, own, slot)

    def _counted(self, steps: Steps[T], at: int, of: int, low: float, high: float) -> Steps[T]:
        """Steps of one clip as a share of all."""
        while True:
            try:
                share = next(steps)
            except StopIteration as stop:
                return stop.value
            self.share = max(self.share, (at + low + (high - low) * min(max(share, 0.0), 1.0)) / of)
            yield self.share

    def _one(self, target: targets.Target, name: str, first: int,
             source: sources.Source) -> Steps[tuple[Any, dict[str, Any]]]:  # fmt: skip
        """Write one clip; its Action, which nothing plays yet, and what was measured."""
        character, obj = target.character, target.character.obj
        made: Converted = yield from in_thread(
            lambda: convert.convert(source, character.rig, self.asked.options)
        )
        frames = np.arange(first, first + len(made.written))
        base = yield from own_animation(target, frames)
        values = yield from bulk.channels_steps(character, made, base, first, PIECE)
        action, whole = None, False
        steps = bulk.write_steps(obj, name, values, first, target.own)
        try:
            while True:
                try:
                    action = next(steps)
                except StopIteration as stop:
                    action, slot = stop.value
                    break
                yield 0.8
            heads: list[dict[str, Any]] = []
            at = check.rows(made, CHECKED)
            for row in at:
                with action_played(obj, action, slot), frame_kept(obj, bpy.context.scene):
                    heads.append(check.evaluated(character, [int(row) + first]))
                yield 0.9
            whole = True
        finally:
            if not whole and not self.gone and action is not None:
                bpy.data.actions.remove(action)
        seen = {role: np.concatenate([h[role] for h in heads]) for role in heads[0]} if heads else {}
        return action, made.measures | (check.compare(character, made, at, seen) if heads else {})

    # -- where clips come from -------------------------------------------------------------------------

    def _clips(self) -> Iterator[tuple[int, int, str, Steps[tuple[int, Any]]]]:
        """Number, how many, name, and the steps that read it: first frame and clip."""
        if self.asked.what == "FILES":
            files = found_files(Path(self.asked.path))
            for k, file in enumerate(files):
                yield k, len(files), file.stem, self._file(file)
            return
        obj = jobs.find_object(self.asked.source)
        assert obj is not None
        found = played(obj, self.asked.what)
        for k, action in enumerate(found):
            yield k, len(found), action.name, self._action(obj, action)

    def _file(self, file: Path) -> Steps[tuple[int, Any]]:
        try:
            (source,) = yield from in_thread(lambda: list(sources.read(Place(str(file)))))
        except OSError as error:
            raise LimberError(f"{file}: {error.strerror}") from error
        return self.asked.first, source

    def _action(self, obj: Any, action: Any) -> Steps[tuple[int, Any]]:
        """An Action of an armature of the file; what it plays itself is put back after every step."""
        bone_map = self.asked.source_map
        assert bone_map is not None
        with clip_heard(obj, action) as (first, last):
            if rigify_io.is_control_rig(obj, bone_map):
                steps = rigify_io.read_clip_steps(obj, bone_map, np.arange(first, last + 1.0))
            else:
                steps = armature_io.read_clip_steps(obj, np.arange(first, last + 1), bone_map.names)
        while True:
            try:
                with clip_heard(obj, action):
                    share = next(steps)
            except StopIteration as stop:
                clip: Clip = replace(stop.value, name=action.name)
                break
            yield share
        rig = yield from in_thread(lambda: retarget.make_rig(clip.skeleton, bone_map, clip))
        return first, sources.Source(action.name, clip, rig)


# -- the one that runs --------------------------------------------------------------------------------

_latest: Retargeting | None = None


def latest() -> Retargeting | None:
    """The run that is going on, or the last one."""
    return _latest


def start(asked: Asked, wait: bool) -> Retargeting:
    """Begin; to the end at once where asked to, and where there are no timers.

    Raises:
        InvalidRequestError: one is running.
    """
    global _latest  # noqa: PLW0603 - one run at a time, and the panel draws it
    if _latest is not None and _latest.state == RUNNING:
        raise InvalidRequestError("retarget", "a run is going on", "Wait for it, or cancel it.")
    _latest = Retargeting(asked)
    if wait or bpy.app.background:
        _latest.run()
    else:
        bpy.app.timers.register(_tick, first_interval=PAUSE)
    return _latest


def forget() -> None:
    """The add-on is being disabled."""
    global _latest  # noqa: PLW0603
    if _latest is not None:
        _latest.cancel()
    _latest = None
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def _tick() -> float | None:
    run = _latest
    if run is None:
        return None
    again = run.tick()
    if again is None and run.made and not run.gone:
        window = bpy.context.window or next(iter(bpy.context.window_manager.windows), None)
        with bpy.context.temp_override(window=window):
            bpy.ops.ed.undo_push(message=say("Retarget"))
    if again is None or run.left - run.drawn > REDRAWN:
        run.drawn = run.left
        _redraw()
    return again


def _redraw() -> None:
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            for region in area.regions if area.type == "VIEW_3D" else ():
                if region.type == "UI":
                    region.tag_redraw()


@bpy.app.handlers.persistent
def data_replaced(*_: object) -> None:
    """After undo and before another file opens: what a run holds of Blender's data is gone."""
    if _latest is not None:
        _latest.abandon("Undo or another file ended the run.")


HANDLERS = ("undo_post", "redo_post", "load_pre")


def register() -> None:
    """Hear of undo and of other files."""
    for name in HANDLERS:
        getattr(bpy.app.handlers, name).append(data_replaced)


def unregister() -> None:
    """The reverse."""
    forget()
    for name in HANDLERS:
        listed = getattr(bpy.app.handlers, name)
        if data_replaced in listed:
            listed.remove(data_replaced)
