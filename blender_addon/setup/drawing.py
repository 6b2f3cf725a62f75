"""The preferences: set-up, what runs, which models there are. Drawing looks only at what is known."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

from .. import jobs, keymaps, preferences, process
from ..translations import say, shown
from . import bundles, operators
from .work import Look, Work, gigabytes

FEWEST, AROUND, CHARACTER = 60, 150, 6.2
"""Characters a line has at least; pixels around a line, and of a character."""


def draw(layout: bpy.types.UILayout, settings: Any) -> None:
    """Everything, from top to bottom.

    Args:
        settings: the preferences as Blender holds them.
    """
    draw_python(layout.box(), settings)
    draw_backend(layout.box(), settings)
    keymaps.draw(layout.box())
    draw_models(layout.box())


def lines(layout: bpy.types.UILayout, text: str, icon: str = "NONE", alert: bool = False) -> None:
    """A label in the person's language, over as many lines as the page's width needs."""
    region, scale = bpy.context.region, bpy.context.preferences.system.ui_scale
    width = int((region.width / scale - AROUND) / CHARACTER) if region else FEWEST
    column = layout.column(align=True)
    column.alert = alert
    for n, line in enumerate(textwrap.wrap(shown(text), max(FEWEST, width)) or [""]):
        first: Any = icon if n == 0 else ("BLANK1" if icon != "NONE" else "NONE")
        column.label(text=line, icon=first, translate=False)


def draw_python(box: bpy.types.UILayout, settings: Any) -> None:
    """Which Python runs the backend, and the buttons that make one."""
    found, problem = preferences.python_line(preferences.get())
    work = operators.current()
    at_work = work is not None and not work.over
    lines(box, found, ("INFO" if at_work else "ERROR") if problem else "CHECKMARK")
    column = box.column()
    column.use_property_split = True
    column.enabled = work is None or work.over
    column.prop(settings, "environment", placeholder="Limber's own data folder")
    column.prop(settings, "base_python", placeholder="Found by itself")
    column.prop(settings, "torch")
    column.prop(settings, "wheels", placeholder="Download instead")
    column.prop(settings, "index", placeholder="None")
    if not settings.wheels and not bpy.app.online_access:
        lines(
            box,
            "Blender may not use the network: allow Online Access under System, or choose a wheel folder",
            "INFO",
        )
    draw_work(box, work)
    if work is None or work.over:
        row = box.row()
        row.operator("limber.set_up", icon="IMPORT")
        row.operator("limber.set_up", text="Repair", icon="FILE_REFRESH").repair = True
        row.operator("limber.remove_environment", icon="TRASH")
        row.operator("limber.doctor", icon="VIEWZOOM")
    column = box.column()
    column.use_property_split = True
    column.prop(settings, "python", text="Existing Python", placeholder="Use the environment above")
    box.operator("limber.try_python", icon="PLAY")


def draw_work(box: bpy.types.UILayout, work: Work | None) -> None:
    """What goes on, or how it ended."""
    if work is None:
        return
    if not work.over:
        box.progress(factor=work.fraction, type="BAR", text=shown(work.doing))
        box.operator("limber.cancel_set_up", icon="CANCEL")
        return
    if work.problem:
        lines(box, work.problem, "ERROR", alert=True)
    elif work.cancelled.is_set():
        lines(box, "Cancelled. What was downloaded is kept: press Set Up to go on", "INFO")
    elif isinstance(work, Look):
        facts = work.facts
        lines(box, say("With {python}, list {name}: {load} to download, {size} on the disk", python=facts["python"],
                       name=facts["list"], load=gigabytes(facts["to download"]), size=gigabytes(facts["unpacked"])),
              "INFO")  # fmt: skip
        box.operator("limber.set_up", text="Install", icon="IMPORT").confirmed = True
    elif "job_seconds" in work.facts:
        lines(box, say("It works: the backend started in {start} s and filled a first motion in {job} s",
                       start=f"{work.facts['start_seconds']:.0f}", job=f"{work.facts['job_seconds']:.1f}"),
              "CHECKMARK")  # fmt: skip
    else:
        lines(box, work.doing, "CHECKMARK")
    if isinstance(work, operators.Doctor):
        for line in work.lines:
            lines(box, line)


def draw_backend(box: bpy.types.UILayout, settings: Any) -> None:
    """Whose backend is used, and how it is."""
    column = box.column()
    column.use_property_split = True
    column.prop(settings, "early_start")
    row = column.row()
    row.enabled = not settings.remote
    row.prop(settings, "share")
    column.prop(settings, "remote")
    if settings.remote:
        for name in ("remote_address", "remote_token", "remote_certificate"):
            column.prop(settings, name)
    session = jobs.current()
    if session is None:
        return
    row = box.row()
    row.label(text=shown(session.backend_line()), icon="INFO", translate=False)
    stopped = session.backend_state == process.STOPPED
    row.operator("limber.restart_backend", text="Start Backend" if stopped else "Restart Backend")


def draw_models(box: bpy.types.UILayout) -> None:
    """What is installed, as the backend tells it."""
    session = jobs.current()
    row = box.row()
    row.label(text="Models", icon="OUTLINER_OB_ARMATURE")
    row.operator("limber.add_bundle", icon="ADD")
    models = [model for model in session.models if model["name"]] if session else []
    own = bundles.added()
    if not models:
        lines(box, say("Start the backend to see them. Added: {names}", names=", ".join(own) or say("none")))
    for model in models:
        part = box.box()
        row = part.row()
        row.label(text=f"{model['name']}{say(' (default)') if model['default'] else ''}", translate=False)
        if model["name"] in own:
            row.operator("limber.remove_bundle", icon="TRASH", text="").name = model["name"]
        for line in describe(model):
            lines(part, line, "ERROR" if model["problem"] else "NONE", alert=bool(model["problem"]))


def describe(model: dict[str, Any]) -> list[str]:
    """Licence, data, size, systems with tasks, and what was measured; or what is wrong."""
    if model["problem"]:
        return [model["problem"]]
    size = say("; weights {size}", size=gigabytes(model["bytes"])) if model.get("bytes") else ""
    told = [say("Licence: {name}", name=model["licence"]),
            say("Data: {names}{size}", names=", ".join(model["data"]), size=size)]  # fmt: skip
    told += [f"{system}: {', '.join(tasks)}" for system, tasks in model["systems"].items()]
    return [*told, *measured(model.get("metrics") or {})]


def measured(metrics: dict[str, Any]) -> list[str]:
    """The mean error over gaps of 30 frames on each held-out motion, beside plain interpolation's."""
    told = []
    for name, gaps in (metrics.get("inbetween") or {}).items():
        entry = gaps.get("30") if isinstance(gaps, dict) else None
        if not isinstance(entry, dict) or not {"model", "interpolation"} <= entry.keys():
            continue
        model, plain = (entry[who].get("error_cm") for who in ("model", "interpolation"))
        if model is not None and plain is not None:
            line = "In-between, 30 frames missing, {name}: {model} cm (plain interpolation {plain} cm)"
            told.append(say(line, name=name, model=f"{model:.1f}", plain=f"{plain:.1f}"))
    return told
