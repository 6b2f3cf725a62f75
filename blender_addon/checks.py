"""Why a button cannot be pressed, in a few words. Cheap: called with every drawing of the panel."""

from __future__ import annotations

from typing import Any

import bpy

from . import jobs, plans, properties, selection


def active_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature that the panel is about."""
    layer = context.view_layer  # a timer's context has no `object`
    obj = layer.objects.active if layer else None
    return obj if obj is not None and obj.type == "ARMATURE" else None


def running(obj: bpy.types.Object | None) -> jobs.Job | None:
    """The run that goes on on ``obj``."""
    session = jobs.current()
    job = session.job(obj) if session else None
    return job if job is not None and not job.over else None


def why_no_run(context: bpy.types.Context, task: str = plans.INBETWEEN) -> str:
    """Why a task cannot be started on what is selected, whatever is asked for besides; "" if it can."""
    obj = active_armature(context)
    if obj is None:
        return "Select an armature"
    if running(obj) is not None:
        return "This armature is being worked on. Wait, or cancel"
    if properties.under_review(obj):
        return "Accept or discard the result first"
    if not obj.is_editable:
        return "The armature is linked from another file. Make a library override of it"
    data = obj.animation_data
    if data is not None and data.use_tweak_mode:
        return "Leave the NLA strip's tweak mode first"
    if task not in (plans.GENERATE, plans.FOLLOW) and (data is None or data.action is None):
        return "No keys: key at least two poses" if task == plans.INBETWEEN else "No Action: there is no motion yet"
    goes_on = task == plans.GENERATE and properties.settings(context.scene).begin == "MOTION"
    if goes_on and (data is None or data.action is None):
        return "No keys: there is no motion to go on from"
    session = jobs.current()
    character = session.characters.get(obj) if session else None
    if character is not None and character.bone_map is None:
        return f"The bones are not understood: {character.problem}"
    if task == plans.INBETWEEN:
        return ""
    settings = properties.settings(context.scene)
    if needs_selection(settings, task) and not selection.selected_bones(obj):
        return "No bone is selected: select what is asked for in Pose Mode"
    return ""


def why_unable(settings: Any, task: str) -> str:
    """Why nothing installed does a task with the system and bundle of ``settings``; "" where something does.

    Apart from :func:`why_no_run`, because an operator's arguments may name others than the panel shows.
    """
    session = jobs.current()
    if session is None or task == plans.INBETWEEN:
        return ""
    return session.why_not(task, settings.system or "auto", settings.bundle)


def needs_selection(settings: Any, task: str) -> bool:
    """Whether a task is about the selected bones."""
    if task == plans.COMPLETE:
        return settings.missing == "BONES"
    return task == plans.EDIT or (task == plans.REFINE and settings.bones == "SELECTED")


def why_not_again(context: bpy.types.Context) -> str:
    """Why Make Again cannot be pressed; "" if it can."""
    obj = active_armature(context)
    if obj is None:
        return "Select an armature"
    if running(obj) is not None:
        return "This armature is being worked on. Wait, or cancel"
    if properties.under_review(obj):
        return "Accept or discard the result first"
    if not obj.is_editable:
        return "The armature is linked from another file. Make a library override of it"
    data = obj.animation_data
    if data is None or data.action is None or plans.PROVENANCE not in data.action:
        return "The armature's Action was not made by Limber"
    return ""


def why_no_decision(context: bpy.types.Context) -> str:
    """Why results cannot be accepted or discarded; "" if they can."""
    obj = active_armature(context)
    if obj is None:
        return "Select an armature"
    if running(obj) is not None:
        return "This armature is being worked on. Wait, or cancel"
    if not properties.under_review(obj):
        return "There is no result to decide on"
    return ""


def why_no_amount(obj: bpy.types.Object | None) -> str:
    """Why there can be no more or less of the model in the result that is shown; "" if there can."""
    session = jobs.current()
    if session is None or obj is None:
        return "Select an armature"
    state = properties.review(obj)
    action = state.results[state.current].action if state.current < len(state.results) else None
    if action is None or not session.amounts.known(action):
        return (
            "Nothing is known between this result and plain interpolation: it was generated, it follows controls, "
            "or the file was opened since. Make it again"
        )
    return ""
