"""What a run is asked to do, from the panel's settings or from what an earlier result carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import numpy as np

from . import follow_properties, selection
from .motion import contacts
from .motion.errors import InvalidRequestError
from .motion.skeleton import JOINTS
from .sparse_keys import Tolerance
from .units import unit_scale

PROVENANCE = "limber"
"""Name of the custom property on an Action that says how it was made (JSON)."""

ROOT = "root"
INBETWEEN, COMPLETE, REFINE, EDIT, GENERATE, FOLLOW = (
    "inbetween",
    "complete",
    "refine",
    "edit",
    "text",
    "follow",
)
TASKS = (INBETWEEN, COMPLETE, REFINE, EDIT, GENERATE, FOLLOW)
NAMES = {
    INBETWEEN: "In-between",
    COMPLETE: "Complete",
    REFINE: "Refine",
    EDIT: "Edit Joints",
    GENERATE: "Generate",
    FOLLOW: "Follow",
}
"""What people read."""


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
        start, end: frames, both included.
        keep: ``"ALL"`` keys or the ``"SELECTED"`` ones; the other tasks know ``"NONE"`` besides.
        seed, variations, system, bundle: as in the request.
        known: what an earlier result knew (:func:`known_to_json`); None: what is keyed.
        texts: ``[[text, start, stop], ...]`` by scene frames, ``stop`` exclusive.
        task: one of ``TASKS``.
        bones: complete, refine: the bones that it is about; empty: all.
        gap: complete: only where bones have no key for more than so many frames; 0: wherever asked.
        confidence: refine, follow: how far the present motion is trusted, 0 to 1.
        scope: complete, refine, follow: what an earlier result changed, frames by bone (:func:`runs`).
        heading: generate: degrees to the left of Blender's front, which is -Y.
        place: generate: where it begins, canonical metres (y up); None: at the start frame's pose, which stays.
        goes_on: generate: the motion stays up to the start frame, its last one, and goes on after it.
        loop: generate, where it goes on: back to the motion's first pose, at the end frame.
        motion: follow: what of the present motion is kept, see :mod:`.follow_properties`.
        controls: follow: the entries of :mod:`.motion.controls`; None: what the armature object holds.
        tolerance: few keys that keep the result this near; None: a key on every frame.
        amount: how much of the model, 0 (plain interpolation) to :data:`.motion.blending.MOST`, where a task has both.
    """

    start: int
    end: int
    keep: str = "ALL"
    seed: int = 0
    variations: int = 1
    system: str = "auto"
    bundle: str = ""
    known: dict[str, list[list[int]]] | None = None
    texts: list[list[Any]] = field(default_factory=list)
    task: str = INBETWEEN
    bones: tuple[str, ...] = ()
    gap: int = 0
    confidence: float = 0.5
    scope: dict[str, list[list[int]]] | None = None
    heading: float = 0.0
    place: tuple[float, float, float] | None = None
    goes_on: bool = False
    loop: bool = False
    motion: str = follow_properties.KEPT
    controls: Mapping[str, Any] | None = None
    tolerance: Tolerance | None = None
    amount: float = 1.0


# -- masks as text -------------------------------------------------------------------------------------


def runs(mask: np.ndarray, first: int) -> list[list[int]]:
    """Frames of a ``(F,)`` mask as ``[[from, to], ...]``, both included."""
    return [[start + first, stop - 1 + first] for start, stop in contacts.runs(mask)]


def known_to_json(joints: np.ndarray, root: np.ndarray, first: int) -> dict[str, list[list[int]]]:
    """Masks ``(F, 22)`` and ``(F,)`` as runs of scene frames by joint name, the root's place as ``"root"``."""
    known = {name: runs(joints[:, j], first) for j, name in enumerate(JOINTS)}
    return {name: found for name, found in (*known.items(), (ROOT, runs(root, first))) if found}


def read_known(known: dict[str, list[list[int]]], first: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """The masks again, on ``frames`` frames from scene frame ``first``; what lies outside is left out."""
    joints, root = np.zeros((frames, len(JOINTS)), bool), np.zeros(frames, bool)
    for name, found in known.items():
        if name != ROOT and name not in JOINTS:
            raise InvalidRequestError("known", f"there is no joint {name!r}")
        column = root if name == ROOT else joints[:, JOINTS.index(name)]
        column |= read_runs(found, first, frames)
    return joints, root


def read_runs(found: list[list[int]], first: int, frames: int) -> np.ndarray:
    """Runs of scene frames as a mask again ``(frames,)``; what lies outside is left out."""
    out = np.zeros(frames, bool)
    for start, end in found:
        out[max(start - first, 0) : max(end + 1 - first, 0)] = True
    return out


# -- where plans come from -----------------------------------------------------------------------------


def frame_range(obj: bpy.types.Object, scene: bpy.types.Scene, settings: Any) -> tuple[int, int]:
    """First and last frame that the settings mean."""
    if settings.range_mode == "OWN":
        return settings.start, settings.end
    if settings.range_mode == "KEYS":
        action = obj.animation_data.action if obj.animation_data else None
        if action is None:
            raise InvalidRequestError("keys", "the armature has none", "Key at least two poses.")
        first, last = action.curve_frame_range
        return round(first), round(last)
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_start, scene.frame_end


def from_settings(
    obj: bpy.types.Object, scene: bpy.types.Scene, settings: Any, task: str = INBETWEEN
) -> Plan:
    """The plan that the panel shows.

    Raises:
        InvalidRequestError: the range holds nothing, or no bone is selected where some have to be.
    """
    start, end = frame_range(obj, scene, settings)
    if end <= start:
        raise InvalidRequestError("range", f"{start} to {end} holds no frames between",
                                  "Choose an end after the start.")  # fmt: skip
    plan = Plan(start, end, settings.keep, settings.seed, settings.variations, settings.system or "auto",
                settings.bundle, tolerance=tolerance(settings))  # fmt: skip
    if task == INBETWEEN:
        return plan
    if task == GENERATE:
        place = cursor(scene) if settings.begin == "CURSOR" else None
        plan = replace(plan, task=task, keep="NONE", heading=float(np.degrees(settings.heading)), place=place)
        if settings.begin == "MOTION":
            plan = onward(obj, plan, settings.loop)
        said = plan.start + plan.goes_on
        texts = marked(scene, said, end) if settings.markers else spans(settings.prompt, said, end)
        return replace(plan, texts=texts)
    if task == FOLLOW:
        motion = follow_properties.of(obj).motion
        keep = {follow_properties.KEYS: settings.keep, follow_properties.KEPT: settings.keep_marked}.get(
            motion, "NONE"
        )
        return replace(plan, task=task, keep=keep, motion=motion, confidence=settings.trust,
                       texts=spans(settings.prompt, start, end))  # fmt: skip
    complete = task == COMPLETE
    gaps = complete and settings.missing == "GAPS"
    some = task == EDIT or (settings.bones == "SELECTED" if not complete else not gaps)
    bones = selection.selected_bones(obj) if some else ()
    if some and not bones:
        raise InvalidRequestError("bones", "none is selected", "Select bones in Pose Mode.")
    return replace(plan, task=task, keep=settings.keep_marked, bones=bones,
                   texts=spans(settings.prompt, start, end) if task == EDIT else [],
                   gap=settings.gap if gaps else 0, confidence=settings.trust)  # fmt: skip


def tolerance(settings: Any) -> Tolerance | None:
    """How near sparse keys are to keep the result, where the settings want them."""
    if settings.keys != "SPARSE":
        return None
    return Tolerance(float(np.degrees(settings.degrees)), settings.millimetres)


def onward(obj: bpy.types.Object, plan: Plan, loop: bool) -> Plan:
    """A plan that goes on after the armature's last key.

    Raises:
        InvalidRequestError: there is no key, or none of the range's frames lies after the last one.
    """
    action = obj.animation_data.action if obj.animation_data else None
    if action is None:
        raise InvalidRequestError("keys", "the armature has none", "There is no motion to go on from.")
    last = int(np.ceil(action.curve_frame_range[1]))
    if plan.end - last < 1 + loop:
        raise InvalidRequestError("range", f"the motion has keys up to {last}, the range ends at {plan.end}",
                                  "Choose an end after the last key.")  # fmt: skip
    return replace(plan, start=last, goes_on=True, loop=loop)


def marked(scene: bpy.types.Scene, start: int, end: int) -> list[list[Any]]:
    """The timeline's markers as prompts, each from its frame to the next one, within ``start`` to ``end``.

    Raises:
        InvalidRequestError: no marker's time lies there.
    """
    found = sorted((marker.frame, marker.name) for marker in scene.timeline_markers)
    ends = [*(frame for frame, _ in found), end + 1][1:]
    texts: list[list[Any]] = [[name, max(a, start), min(b, end + 1)]
                              for (a, name), b in zip(found, ends, strict=True) if name.strip()]  # fmt: skip
    texts = [span for span in texts if span[1] < span[2]]
    if not texts:
        raise InvalidRequestError("markers", f"none from frame {start} to {end}",
                                  "Add markers (M in the timeline) and name them.")  # fmt: skip
    return texts


def spans(prompt: str, start: int, end: int) -> list[list[Any]]:
    """Prompts, separated by semicolons, that share the frames ``start`` to ``end`` evenly."""
    said = [part.strip() for part in prompt.split(";") if part.strip()]
    edges = np.linspace(start, end + 1, len(said) + 1).round().astype(int).tolist()
    return [[text, a, b] for text, a, b in zip(said, edges[:-1], edges[1:], strict=True)]


def cursor(scene: bpy.types.Scene) -> tuple[float, float, float]:
    """The 3D cursor in canonical metres, y up."""
    x, y, z = (unit_scale(scene) * float(v) for v in scene.cursor.location)
    return x, z, -y


def read_provenance(action: bpy.types.Action) -> dict[str, Any]:
    """How ``action`` was made.

    Raises:
        InvalidRequestError: it does not say, or not in a way that can be read.
    """
    try:
        made = json.loads(action[PROVENANCE])
    except KeyError:
        raise InvalidRequestError("action", f"{action.name} was not made by Limber") from None
    except (TypeError, ValueError):
        raise InvalidRequestError(
            "action", f"what {action.name} says about its making cannot be read"
        ) from None
    if not isinstance(made, dict):
        raise InvalidRequestError("action", f"what {action.name} says about its making cannot be read")
    return made


def from_action(obj: bpy.types.Object) -> Plan:
    """The plan that made the armature's current Action, to be made again.

    The keys are taken from that Action, which holds them bit for bit; what it adds is marked as
    made, and does not count.

    Raises:
        InvalidRequestError: there is no Action, or it does not carry how it was made.
    """
    action = obj.animation_data.action if obj.animation_data else None
    if action is None:
        raise InvalidRequestError("action", "the armature has none")
    made = read_provenance(action)
    try:
        known = _frames_by_name(made["known"])
        few = made.get("tolerance")  # results of older versions do not say
        plan = Plan(int(made["start"]), int(made["end"]), "ALL", int(made["seed"]), int(made["variations"]),
                    str(made["system"]), str(made["bundle"]), known, list(made["texts"]),
                    tolerance=Tolerance(**{k: float(v) for k, v in few.items()}) if few else None,
                    amount=float(made.get("amount", 1.0)))  # fmt: skip
        if made["task"] == INBETWEEN:
            return plan
        return replace(plan, task=str(made["task"]), keep="NONE", confidence=float(made["confidence"]),
                       scope=_frames_by_name(made["scope"]), **_placing(made))  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"what {action.name} says about its making is incomplete ({error})"
        raise InvalidRequestError("action", problem) from None


def _placing(made: dict[str, Any]) -> dict[str, Any]:
    """Where a generated motion began, what was followed; nothing for the other tasks."""
    if made["task"] == FOLLOW:
        return {"motion": str(made["motion"]), "controls": dict(made["controls"])}
    if made["task"] != GENERATE:
        return {}
    place = made["place"]
    return {"heading": float(made["heading"]), "place": None if place is None else tuple(map(float, place)),
            "goes_on": bool(made.get("goes_on", False)), "loop": bool(made.get("loop", False))}  # fmt: skip


def _frames_by_name(found: Any) -> dict[str, list[list[int]]]:
    return {str(name): [[int(a), int(b)] for a, b in frames] for name, frames in found.items()}
