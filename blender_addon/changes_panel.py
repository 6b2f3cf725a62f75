"""The box above the button: what a run will change, in a few lines, with names for who wants them."""

from __future__ import annotations

from typing import Any

import bpy

from . import jobs, properties, show_properties
from .changes import Changes, spans
from .translations import say

NAMES_SHOWN = 12
"""Bones that are listed."""


def draw(
    layout: bpy.types.UILayout, obj: bpy.types.Object | None, context: bpy.types.Context, session: jobs.Session
) -> None:
    """What is known of the next run on ``obj``; asks to have it looked at where something has changed."""
    if obj is None or properties.under_review(obj):
        return
    if session.preview.want(obj, session.characters.get(obj)):
        session.wake()
    found, settings = session.preview.get(obj), show_properties.of(context.scene)
    if found is None or not settings.changes:
        return
    box = layout.box().column(align=True)
    box.scale_y = 0.85
    icon: Any = "TRIA_DOWN" if settings.names else "TRIA_RIGHT"
    box.prop(settings, "names", text=headline(found), icon=icon, emboss=False, translate=False)
    for line, icon in lines(found):
        box.label(text=line, icon=icon, translate=False)
    if settings.names:
        column = box.column(align=True)
        column.active = False
        for line in names(found):
            column.label(text=line, icon="BLANK1", translate=False)


def headline(found: Changes) -> str:
    """``22 bones, frames 2 to 29``."""
    frames = found.frames
    if not len(frames):
        return say("Nothing changes: every frame in the range is kept")
    return say("Changes: {count} bones, frames {start} to {end}", count=len(found.bones), start=frames[0],
               end=frames[-1])  # fmt: skip


def lines(found: Changes) -> list[tuple[str, Any]]:
    """Channels, keys and locks, each with an icon."""
    out: list[tuple[str, Any]] = []
    if found.carrier is not None and found.root.any():
        moves = say("the object") if not found.carrier else found.carrier
        out.append((say("Rotations, and the location of {name}", name=moves), "ORIENTATION_GIMBAL"))
    else:
        out.append((say("Rotations, no location"), "ORIENTATION_GIMBAL"))
    keys = say("{stay} of their keys stay, {go} give way", stay=found.stay, go=found.go)
    out.append((keys, "KEYFRAME_HLT"))
    if found.locked:
        count = sum(len(held) for held in found.locked.values())
        out.append((say("{count} locked channels stay as they are", count=count), "LOCKED"))
    return out


def names(found: Changes) -> list[str]:
    """Bones with the frames at which they change, then the locked channels."""
    listed = [f"{bone}: {_runs(found.first + mask.nonzero()[0])}" for bone, mask in found.bones.items()]
    more = len(listed) - NAMES_SHOWN
    out = listed[:NAMES_SHOWN] + ([say("and {count} more", count=more)] if more > 0 else [])
    for bone, held in list(found.locked.items())[:NAMES_SHOWN]:
        out.append(say("{bone} keeps {channels}", bone=bone, channels=say_channels(held)))
    return out


def say_channels(channels: tuple[str, ...]) -> str:
    """``Rotation X Y, Location Z`` in the person's language."""
    axes: dict[str, list[str]] = {}
    for channel in channels:
        kind, _, axis = channel.rpartition(" ")
        axes.setdefault(kind, []).append(axis)
    return ", ".join(" ".join((say(kind), *found)) for kind, found in axes.items())


def _runs(frames: Any) -> str:
    """``2-14, 16-29``; only how many runs where there are more than three."""
    found = [(round(a + 0.5), round(b - 0.5)) for a, b in spans(frames)]
    if len(found) > 3:
        return say("{start} to {end}, in {count} parts", start=found[0][0], end=found[-1][1], count=len(found))
    return ", ".join(f"{a}\u2013{b}" if a != b else f"{a}" for a, b in found)
