"""What retargeting in the open file is made of: where clips come from, and work that is done beside Blender."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from . import actions, armature_io, rigify_io
from .batch import targets
from .motion.clip import Clip
from .motion.errors import InvalidRequestError

FILES = (".bvh", ".npz")
"""Clips that are read into an open file; others are for ``limber-blender retarget`` or are imported first."""

T = TypeVar("T")
Steps = Generator[float, None, T]


def found_files(path: Path) -> list[Path]:
    """A file, or the clips of a folder.

    Raises:
        InvalidRequestError: no such files.
    """
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in FILES) if path.is_dir() else [path]
    if not files or not all(p.suffix.lower() in FILES for p in files):
        raise InvalidRequestError("path", f"{path} is no file of {', '.join(FILES)}, nor a folder of them",
                                  "Import other files first, and choose the armature.")  # fmt: skip
    return files


def played(obj: Any, what: str) -> list[Any]:
    """The Action of an armature, or those on its NLA tracks, each once."""
    data = obj.animation_data
    if what == "ACTION":
        return [data.action]
    strips = [s for t in data.nla_tracks if not t.mute for s in t.strips if not s.mute]
    return list(dict.fromkeys(s.action for s in strips if s.action is not None))


def in_thread(work: Callable[[], T]) -> Steps[T]:
    """Have something done that touches nothing of Blender's; yields while it lasts.

    Raises:
        BaseException: whatever it raises.
    """
    box: list[tuple[bool, Any]] = []

    def call() -> None:
        try:
            box.append((True, work()))
        except BaseException as error:  # noqa: BLE001 - raised below, in the main thread
            box.append((False, error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.004)
        yield 0.0
    good, value = box[0]
    if not good:
        raise value
    return value


def own_animation(target: targets.Target, frames: np.ndarray) -> Steps[Clip | None]:
    """:func:`.batch.work.own_animation` in steps."""
    obj, bone_map = target.character.obj, target.character.bone_map
    posed = any(not np.allclose(np.array(b.matrix_basis), np.eye(4), atol=1e-6) for b in obj.pose.bones)
    if rigify_io.is_control_rig(obj, bone_map) or not (posed or actions.fcurves(obj)):
        return None
    return (yield from armature_io.read_clip_steps(obj, frames, bone_map.names))


@contextmanager
def action_played(obj: Any, action: Any, slot: Any) -> Iterator[None]:
    """Have an armature play an Action, and then what it played before."""
    data = obj.animation_data or obj.animation_data_create()
    before = data.action, data.action_slot, data.use_nla
    try:
        data.use_nla = False
        data.action, data.action_slot = action, slot
        yield
    finally:
        data.use_nla = before[2]
        data.action = before[0]
        if before[1] is not None:
            data.action_slot = before[1]


@contextmanager
def clip_heard(obj: Any, action: Any) -> Iterator[tuple[int, int]]:
    """As :func:`action_played` with the slot that is the armature's; first and last whole frame."""
    data = obj.animation_data
    before = data.action, data.action_slot, data.use_nla
    try:
        yield targets.play_alone(obj, action)
    finally:
        data.use_nla = before[2]
        data.action = before[0]
        if before[1] is not None:
            data.action_slot = before[1]


def spread(action: Any) -> np.ndarray:
    """Frames over an Action that show how a character stands."""
    return np.linspace(action.frame_range[0], action.frame_range[1], 24)
