"""What a run is asked to do, from the panel's settings or from what an earlier result carries."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import bpy

from .motion.errors import InvalidRequestError

PROVENANCE = "limber"
"""Name of the custom property on an Action that says how it was made (JSON)."""


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
        start, end: frames, both included.
        keep: ``"ALL"`` keys or the ``"SELECTED"`` ones.
        seed, variations, system, bundle: as in the request.
        source: name of the Action to take the keys from; "": the armature's current one.
        source_slot: its slot's identifier, "": the one in use.
        known: ``{frame: [joint, ...]}`` as an earlier result had it; None: from the keys.
        texts: ``[[text, start, stop], ...]``.
    """

    start: int
    end: int
    keep: str = "ALL"
    seed: int = 0
    variations: int = 1
    system: str = "auto"
    bundle: str = ""
    source: str = ""
    source_slot: str = ""
    known: dict[int, list[str]] | None = None
    texts: list[list[Any]] = field(default_factory=list)


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


def from_settings(obj: bpy.types.Object, scene: bpy.types.Scene, settings: Any) -> Plan:
    """The plan that the panel shows.

    Raises:
        InvalidRequestError: the range holds nothing.
    """
    start, end = frame_range(obj, scene, settings)
    if end <= start:
        raise InvalidRequestError("range", f"{start} to {end} holds no frames between",
                                  "Choose an end after the start.")  # fmt: skip
    return Plan(start, end, settings.keep, settings.seed, settings.variations, settings.system or "auto",
                settings.bundle)  # fmt: skip


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
        raise InvalidRequestError("action", f"what {action.name} says about its making cannot be read") from None
    if not isinstance(made, dict):
        raise InvalidRequestError("action", f"what {action.name} says about its making cannot be read")
    return made


def from_action(obj: bpy.types.Object, name: str = "") -> Plan:
    """The plan that made an earlier result, to be made again.

    Args:
        obj: the armature.
        name: the result; "" for the armature's current Action.

    Raises:
        InvalidRequestError: no such Action, or it does not carry how it was made.
    """
    action = bpy.data.actions.get(name) if name else (obj.animation_data and obj.animation_data.action)
    if action is None:
        raise InvalidRequestError("action", f"there is none named {name!r}" if name else "the armature has none")
    made = read_provenance(action)
    source = str(made.get("source_action", ""))
    if source not in bpy.data.actions:
        source = action.name  # the keys are in the result as well, bit for bit
    try:
        known = {int(frame): [str(joint) for joint in joints] for frame, joints in made["known"].items()}
        return Plan(int(made["start"]), int(made["end"]), str(made["keep"]), int(made["seed"]),
                    int(made["variations"]), str(made["system"]), str(made["bundle"]), source,
                    str(made.get("source_slot", "")), known, list(made.get("texts", [])))  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRequestError("action", f"what {action.name} says about its making is incomplete "
                                  f"({error})") from None  # fmt: skip
