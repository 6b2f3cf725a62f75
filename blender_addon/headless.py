"""Runs without a window: the panel's own path (jobs, transfer, the backend's process), waited for."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import actions, armature_io, jobs, keyframes, plans, pose_model, properties
from .motion import bone_maps, parts
from .motion.bone_maps import BoneMap
from .motion.errors import InvalidRequestError
from .records import generated_records, write_records


@dataclass(frozen=True)
class Outcome:
    """What a run brought.

    Attributes:
        actions: names of the new Actions, one a variation; the first is the armature's now.
        frames: how many frames the range has.
        seconds: from the start to the written Action, the backend's start included.
        key_change: largest difference between a kept key and the same key read back.
        report: the backend's, by name.
    """

    actions: tuple[str, ...]
    frames: int
    seconds: float
    key_change: float
    report: dict[str, Any]


@contextmanager
def session() -> Iterator[jobs.Session]:
    """The add-on, enabled as Blender enables it; disabled again, and the backend ended, at the end."""
    from . import registration

    enabled = jobs.current() is not None
    _prefer_this_python()
    if not enabled:
        registration.register()
    try:
        running = jobs.current()
        assert running is not None, "registering opens the session"
        yield running
    finally:
        if not enabled:
            registration.unregister()


def _prefer_this_python() -> None:
    """Run the backend with this Python where that can be: one environment then serves both."""
    if "LIMBER_PYTHON" in os.environ or not sys.executable:
        return
    if all(importlib.util.find_spec(name) for name in ("torch", "fastapi", "uvicorn", "safetensors")):
        os.environ["LIMBER_PYTHON"] = sys.executable


def run(running: jobs.Session, obj: Any, plan: plans.Plan) -> Outcome:
    """Do what the plan asks (in-between, complete, refine), and wait for it.

    Args:
        running: see :func:`session`.
        obj: the armature object; gets the first result as its Action, the present one is kept.
        plan: what is asked for.

    Raises:
        LimberError: whatever went wrong, in one sentence.
    """
    began = time.monotonic()
    answers: Any = None
    job = running.start(obj, plan)
    while not job.over:
        running.pump()
        answers = job.answers or answers
        if not job.over and job.work is None:
            time.sleep(jobs.BUSY_SECONDS / 2)
    running.run(job)  # over already: raises what went wrong
    seconds = time.monotonic() - began
    made = [result for result in properties.review(obj).results if result.action is not None]
    change = max(float(result.key_change) for result in made)
    return Outcome(tuple(result.action.name for result in made), plan.end - plan.start + 1, seconds, change,
                   dict(answers.report) if answers else {})  # fmt: skip


def accept_all(obj: Any) -> None:
    """Keep every variation as an ordinary Action; nothing stays under review."""
    state = properties.review(obj)
    for result in state.results:
        if result.action is not None:
            actions.accept(result.action)
        result.action = None
    state.results.clear()
    state.original, state.original_slot, state.current = None, "", 0


def bones_of(obj: Any, joints: Sequence[str]) -> tuple[str, ...]:
    """The armature's bones for joints and parts of the body (:mod:`.motion.parts`).

    Raises:
        InvalidRequestError: an unknown name, or one that the armature has no bone for.
    """
    found = find_map(obj).bones
    roles = list(dict.fromkeys(parts.role(joint) for joint in parts.joints(joints)))
    missing = [role for role in roles if role not in found]
    if missing and "all" not in joints:
        raise InvalidRequestError("joints", f"{obj.name} has no bone for {missing[0]!r}", "Leave it out.")
    return tuple(bone for role in roles for bone in found.get(role, ()))


def find_map(obj: Any) -> BoneMap:
    """Which bone of the armature plays which role."""
    return bone_maps.find(armature_io.read_skeleton(obj))


# -- poses of a dense clip as keys --------------------------------------------------------------------


def key_poses(obj: Any, frames: Sequence[int], start: int, end: int, bones: Sequence[str]) -> Any:
    """A copy of the armature's Action that within ``start``..``end`` has whole poses as its only keys.

    Args:
        obj: the armature object; gets the copy, its present Action stays in the file as it is.
        frames: scene frames whose poses are kept, in the range.
        start, end: range that is emptied of all other keys.
        bones: are keyed even where nothing moves them.

    Returns:
        The new Action.

    Raises:
        InvalidRequestError: fewer than two frames, one outside the range, or nothing is animated.
    """
    wanted = np.array(sorted(set(frames)), np.float64)
    if len(wanted) < 2:
        raise InvalidRequestError("keys", f"{len(wanted)} frame named, at least 2 are needed",
                                  "Name the frames of a first and a last pose.")  # fmt: skip
    outside = [f for f in wanted if not start <= f <= end]
    if outside:
        raise InvalidRequestError("keys", f"frame {outside[0]:.0f} lies outside {start}:{end}")
    actions.check_editable(obj)
    original = obj.animation_data.action if obj.animation_data else None
    if original is None:
        raise InvalidRequestError("keys", f"{obj.name} has no Action", "Give it one, or pose and key it.")
    channels = _whole_poses(obj, wanted, bones)
    made, slot = actions.new_copy(obj, f"{original.name} keys")
    made.name = f"{original.name} keys"
    bag = actions.channelbag(made, slot)
    for (path, index), values in channels.items():
        fcurve = bag.fcurves.find(path, index=index) or bag.fcurves.new(path, index=index)
        present = keyframes.read_records(fcurve)
        outer = present[(present["frame"] < start) | (present["frame"] > end)]
        write_records(fcurve, _merged(outer, wanted, values))
        fcurve.update()  # handles of a copy: nobody has set them by hand
    actions.assign(obj, made, slot)
    return made


def _merged(outer: np.ndarray, frames: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Records of whole poses between those outside the range, in time order."""
    posed = generated_records(frames, values, "BEZIER")
    posed["type"] = keyframes.enum_value("type", "KEYFRAME")
    posed["back"] = 0
    both = np.concatenate([outer, posed])
    return both[np.argsort(both["frame"], kind="stable")]


def _whole_poses(obj: Any, frames: np.ndarray, bones: Sequence[str]) -> dict[keyframes.ChannelId, np.ndarray]:
    """Channel values at ``frames``: of every transform that is animated, and of ``bones`` anyway."""
    curves = pose_model.Curves(obj)
    paths: dict[tuple[str, int], np.ndarray] = {}
    for fcurve in actions.fcurves(obj):
        if keyframes.split_path(fcurve.data_path) is not None:
            paths[fcurve.data_path, fcurve.array_index] = pose_model.sample(fcurve, frames)
    for bone in bones:
        owner = obj.pose.bones[bone]
        prop = pose_model.rotation_property(owner.rotation_mode)
        path = keyframes.bone_path(bone, prop)
        values = np.broadcast_to(curves.values(path, tuple(getattr(owner, prop)), frames),
                                 (len(frames), len(getattr(owner, prop))))  # fmt: skip
        for index in range(values.shape[1]):
            paths[path, index] = values[:, index]
    return paths


def action_range(obj: Any, start: int, end: int) -> tuple[int, int]:
    """First and last frame of the armature's Action or the given range, whichever reaches further."""
    data = obj.animation_data
    if data is None or data.action is None:
        return start, end
    first, last = data.action.frame_range
    return min(start, int(np.floor(first))), max(end, int(np.ceil(last)))
