"""The "Limber" tab of the 3D view's sidebar. Drawing looks only at what is known; it never works."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

from . import (
    changes_panel,
    checks,
    follow_panel,
    jobs,
    mapping,
    plans,
    process,
    properties,
    review,
    selection,
)
from .motion.errors import BackendError, InvalidRequestError, LimberError
from .translations import say, shown

CATEGORY = "Limber"
PHASES = {
    jobs.READING: "Reading the keys",
    jobs.STARTING: "Starting the backend",
    jobs.SENDING: "Sending",
    jobs.QUEUED: "Waiting for its turn",
    jobs.RUNNING: "Filling the motion",
    jobs.FETCHING: "Fetching the result",
    jobs.WRITING: "Writing the Action",
}
ICONS = {plans.INBETWEEN: "ANIM", plans.COMPLETE: "BONE_DATA", plans.REFINE: "SMOOTHCURVE", plans.EDIT: "POSE_HLT",
         plans.GENERATE: "OUTLINER_DATA_FONT", plans.FOLLOW: "CON_FOLLOWPATH"}  # fmt: skip
OPERATORS = {task: f"limber.{task}" for task in plans.TASKS} | {plans.GENERATE: "limber.generate"}
LINES_SHOWN = 6
NAMES_SHOWN = 6


class LIMBER_PT_main(bpy.types.Panel):
    """Character, task, range, what is kept, the button."""

    bl_idname = "LIMBER_PT_main"
    bl_label = "Limber"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender for every drawing."""
        session, layout = jobs.current(), self.layout
        if session is None or layout is None:
            return
        if not session.looked_at:
            session.looked_at = True
            session.wake()
        width = context.region.width if context.region else 300
        obj = checks.active_armature(context)
        draw_character(layout, obj, session, width)
        job = checks.running(obj)
        column = layout.column()
        column.enabled = job is None
        task = properties.settings(context.scene).task
        tasks = column.grid_flow(columns=3, even_columns=True, align=True)
        tasks.prop(properties.settings(context.scene), "task", expand=True)
        draw_settings(column, obj, context)
        if job is None:
            changes_panel.draw(layout, obj, context, session)
            row = layout.row()
            row.scale_y = 1.5
            unable = checks.why_unable(properties.settings(context.scene), task)
            row.enabled = not unable  # the operator itself may be called with another bundle
            row.operator(OPERATORS[task], icon=ICONS[task])  # type: ignore[arg-type]
            reason = checks.why_no_run(context, task) or unable
            if reason and obj is not None and not properties.under_review(obj):
                wrapped(layout, reason, width, "INFO")
        else:
            draw_progress(layout, job, width)
        draw_error(layout, session, obj, width)
        draw_review(layout, obj, width)
        reviewing = obj is not None and properties.under_review(obj)  # the result says its own bundle
        bundle = properties.settings(context.scene).bundle
        draw_backend(layout, session, "" if reviewing else session.model_line(bundle, task), width)


def wrapped(layout: bpy.types.UILayout, text: str, width: int, icon: str = "NONE", alert: bool = False) -> None:
    """A label in the person's language, over as many lines as the sidebar's width needs; Blender cuts long ones off."""
    scale = bpy.context.preferences.system.ui_scale
    used = 60 if icon == "NONE" else 82
    characters = max(16, int((width / scale - used) / 6.2))
    column = layout.column(align=True)
    column.alert = alert
    column.scale_y = 0.8
    for n, line in enumerate(textwrap.wrap(shown(text), characters) or [""]):
        first: Any = icon if n == 0 else ("BLANK1" if icon != "NONE" else "NONE")
        column.label(text=line, icon=first, translate=False)


def draw_character(
    layout: bpy.types.UILayout, obj: bpy.types.Object | None, session: jobs.Session, width: int
) -> None:
    """The armature and how far it is understood."""
    if obj is None:
        layout.label(text="Select an armature", icon="ARMATURE_DATA")
        return
    box = layout.box()
    box.label(text=obj.name, icon="ARMATURE_DATA", translate=False)
    character = session.characters.get(obj)
    if not session.characters.sure(obj):
        session.characters.want(obj)
        session.wake()
    if character is None:
        box.label(text="Looking at the bones ...")
        return
    if character.bone_map is None:
        wrapped(box, character.problem, width, "ERROR", alert=True)
        return
    wrapped(box, mapping.headline(character), width, "QUESTION" if character.missing else "CHECKMARK")
    if character.missing:
        names = [say(name.replace("_", " ")) for name in character.missing]
        more = say(" and {count} more", count=len(names) - NAMES_SHOWN) if len(names) > NAMES_SHOWN else ""
        wrapped(box, say("Without a bone: {names}{more}", names=", ".join(names[:NAMES_SHOWN]), more=more), width)


def draw_settings(layout: bpy.types.UILayout, obj: bpy.types.Object | None, context: bpy.types.Context) -> None:
    """Range, what is kept, and how."""
    scene = context.scene
    settings = properties.settings(scene)
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.row().prop(settings, "range_mode", expand=True)
    if settings.range_mode == "OWN":
        pair = column.column(align=True)
        pair.prop(settings, "start")
        pair.prop(settings, "end")
    elif settings.range_mode == "SCENE":
        start, end = (
            (scene.frame_preview_start, scene.frame_preview_end)
            if scene.use_preview_range
            else (scene.frame_start, scene.frame_end)
        )
        which = say("Preview range: {start} to {end}" if scene.use_preview_range else "Scene range: {start} to {end}",
                    start=start, end=end)  # fmt: skip
        row = column.row()
        row.alignment = "RIGHT"
        row.label(text=which, translate=False)
    if settings.task == plans.INBETWEEN:
        column.row().prop(settings, "keep", expand=True)
    elif settings.task == plans.GENERATE:
        prompt = column.row()
        prompt.enabled = not settings.markers
        prompt.prop(settings, "prompt")
        whole = column.row()
        whole.use_property_split = False  # beside a label it would be cut off
        whole.prop(settings, "markers")
        column.row().prop(settings, "begin", expand=True)
        if settings.begin == "CURSOR":
            row = column.row(align=True)
            row.prop(settings, "heading")
            row.operator("limber.heading_from_view", text="", icon="VIEW_CAMERA")
        elif settings.begin == "MOTION":
            column.prop(settings, "loop")
    elif settings.task == plans.FOLLOW:
        follow_panel.draw(column, obj, scene)
    else:
        draw_scope(column, obj, settings)
    column.prop(settings, "variations")


def draw_scope(column: bpy.types.UILayout, obj: bpy.types.Object | None, settings: Any) -> None:
    """What of a captured motion is asked for."""
    complete = settings.task == plans.COMPLETE
    if settings.task == plans.EDIT:
        column.prop(settings, "prompt")
    else:
        column.row().prop(settings, "missing" if complete else "bones", expand=True)
    if obj is not None and checks.needs_selection(settings, settings.task):
        row = column.row()
        row.alignment = "RIGHT"
        row.label(text=selection_text(selection.selected_bones(obj)), translate=False)
    if complete and settings.missing == "GAPS":
        column.prop(settings, "gap")
    if settings.task == plans.REFINE:
        column.prop(settings, "trust", slider=True)
    column.row().prop(settings, "keep_marked", expand=True)


def selection_text(names: tuple[str, ...]) -> str:
    """``hand.L and 2 more``."""
    if not names:
        return say("No bone selected")
    return names[0] + (say(" and {count} more", count=len(names) - 1) if len(names) > 1 else "")


def draw_progress(layout: bpy.types.UILayout, job: jobs.Job, width: int) -> None:
    """The bar, the remaining time and Cancel."""
    column = layout.column()
    factor = job.step / job.total if job.total else 0.0
    column.progress(factor=factor, type="BAR", text=progress_text(job))
    if job.so_far is not None:
        wrapped(column, say("To be seen up to frame {frame}", frame=job.so_far.end), width, "HIDE_OFF")
    column.operator("limber.cancel", icon="CANCEL")


def progress_text(job: jobs.Job) -> str:
    """``Filling the motion 3/10, 4 s left``."""
    text = say(PHASES.get(job.phase, job.phase.title()))
    if job.phase == jobs.RUNNING and job.total:
        text += f" {job.step}/{job.total}"
        if job.eta is not None:
            text += say(", {seconds} s left", seconds=f"{max(job.eta, 0):.0f}")
    return text


def draw_error(
    layout: bpy.types.UILayout, session: jobs.Session, obj: bpy.types.Object | None, width: int
) -> None:
    """Why the last run failed: the field, what is wrong, and what to do."""
    job = session.job(obj)
    told_below = session.backend_state == process.CRASHED and isinstance(job and job.error, BackendError)
    if job is not None and job.phase == jobs.FAILED and job.error is not None and not told_below:
        box = layout.box()
        for n, line in enumerate(error_lines(job.error)):
            wrapped(box, line, width, "ERROR" if n == 0 else "NONE", alert=n == 0)
    elif job is not None and job.phase == jobs.CANCELLED:
        layout.label(text="Cancelled. Nothing was changed", icon="INFO")
    if session.defect:
        wrapped(layout.box(), f"A defect in Limber: {session.defect}", width, "ERROR", alert=True)


def error_lines(error: LimberError) -> list[str]:
    """Field and problem, then the remedy."""
    if isinstance(error, InvalidRequestError):
        return [f"{error.field}: {error.problem}", *([error.remedy] if error.remedy else [])]
    return [str(error)]


def draw_review(layout: bpy.types.UILayout, obj: bpy.types.Object | None, width: int) -> None:
    """What came back, what was measured, and the decision."""
    if obj is None or not properties.under_review(obj):
        return
    state = properties.review(obj)
    box = layout.box()
    total = review.count(obj)
    result = state.results[min(state.current, len(state.results) - 1)]
    if result.action is not None:
        place = say(" ({number} of {total})", number=state.current + 1, total=total) if total > 1 else ""
        box.label(text=f"{result.action.name}{place}", icon="ACTION", translate=False)
    row = box.row(align=True)
    row.scale_y = 1.2
    row.operator("limber.accept", icon="CHECKMARK")
    row.operator("limber.discard", icon="TRASH")
    strip = box.column(align=True)
    strip.operator("limber.accept_strip", icon="NLA")
    row = strip.row(align=True)
    row.prop(properties.settings(bpy.context.scene), "blend_in", text="Fade In")
    row.prop(properties.settings(bpy.context.scene), "blend_out", text="Fade Out")
    box.operator("limber.next_variation", icon="FORWARD")
    if total > 1:
        box.prop(result, "keep")
    if not checks.why_no_amount(obj):
        box.prop(result, "amount", slider=True)
    exact = result.key_change == 0
    line = say("Largest change to any key: {change}", change=f"{result.key_change:g}")
    wrapped(box, line, width, "CHECKMARK" if exact else "ERROR", not exact)
    column = box.column(align=True)
    for line in result.comparison.splitlines():
        wrapped(column, line, width, "BLANK1")
    if result.comparison and result.amount != 1:
        wrapped(column, "(as measured where How Much is 1)", width, "BLANK1")
    for line in result.followed.splitlines():
        wrapped(column, line, width, "ERROR" if "cannot be reached" in line else "PINNED")
    if result.remark:
        wrapped(box, result.remark, width, "INFO")
    column = box.column(align=True)
    if result.made_by:
        wrapped(column, result.made_by, width)
    if result.licence:
        wrapped(column, result.licence, width)


def draw_backend(layout: bpy.types.UILayout, session: jobs.Session, model: str, width: int) -> None:
    """Quiet lines while it works; its last words and Restart when it does not."""
    if session.backend_state != process.CRASHED:
        column = layout.column()
        column.active = False
        wrapped(column, session.backend_line(), width)
        if model:
            wrapped(column, model, width)
        return
    box = layout.box()
    wrapped(box, session.backend_line(), width, "ERROR", alert=True)
    if session.backend is not None:
        for line in session.backend.last_lines(LINES_SHOWN):
            wrapped(box, line, width)
    wrapped(box, "Your keys are as they were.", width)
    box.operator("limber.restart_backend", icon="FILE_REFRESH")


class LIMBER_PT_options(bpy.types.Panel):
    """What is rarely changed: system, bundle, seed; and making a result again."""

    bl_idname = "LIMBER_PT_options"
    bl_label = "Options"
    bl_parent_id = "LIMBER_PT_main"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  Blender reads it

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender for every drawing."""
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        settings = properties.settings(context.scene)
        column.prop(settings, "seed")
        column.row().prop(settings, "keys", expand=True)
        if settings.keys == "SPARSE":
            column.prop(settings, "degrees")
            column.prop(settings, "millimetres")
        column.prop(settings, "system")
        column.prop(settings, "bundle")
        column.operator("limber.make_again", icon="LOOP_BACK")
        column.operator("limber.make_again", text="Make Again, Another Seed", icon="LOOP_FORWARDS").another = True


CLASSES = (LIMBER_PT_main, LIMBER_PT_options)
