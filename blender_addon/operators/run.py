"""Starting, cancelling, making again, and the backend.

No postponed annotations here: Blender reads the properties from them.
"""

from dataclasses import replace

import bpy

from .. import checks, jobs, plans, review
from ..motion.errors import LimberError
from ..translations import shown
from .arguments import RunArguments

SEEDS = 2**31 - 1
"""The largest seed that Blender's settings hold."""


def report(operator: bpy.types.Operator, error: LimberError) -> set[str]:
    """Tell the person; from Python the same becomes a RuntimeError."""
    operator.report({"ERROR"}, shown(str(error)))
    return {"CANCELLED"}


def begin(operator: bpy.types.Operator, obj: bpy.types.Object, plan: plans.Plan, wait: bool) -> set[str]:
    """Start ``plan`` on ``obj``; wait for it where asked to, and where there are no timers."""
    session = jobs.current()
    assert session is not None, "operators exist only while the session does"
    try:
        job = session.start(obj, plan)
        if wait or bpy.app.background:
            session.run(job)
    except LimberError as error:
        return report(operator, error)
    return {"FINISHED"}


class _Task(RunArguments):
    """Operators that start a run as the panel's settings have it, or as they are told."""

    bl_options = {"REGISTER"}  # noqa: RUF012  Blender reads it
    task = plans.INBETWEEN

    wait: bpy.props.BoolProperty(
        name="Wait", default=False, options={"SKIP_SAVE"},
        description="Return only when the result is there (always so in background mode)",
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Says why not."""
        reason = checks.why_no_run(context, cls.task)
        if reason:
            cls.poll_message_set(shown(reason))  # type: ignore[attr-defined]
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it."""
        obj = checks.active_armature(context)
        assert obj is not None
        try:
            settings = self.settings(obj, context.scene)
            if unable := checks.why_unable(settings, self.task):
                raise LimberError(unable)
            plan = plans.from_settings(obj, context.scene, settings, self.task)
        except LimberError as error:
            return report(self, error)  # type: ignore[arg-type]
        return begin(self, obj, plan, self.wait)  # type: ignore[arg-type]


class LIMBER_OT_inbetween(_Task, bpy.types.Operator):
    """Fill the motion between the keys of the active armature. Every key stays exactly as it is, and the
    result is a new Action"""

    bl_idname = "limber.inbetween"
    bl_label = "In-between"
    task = plans.INBETWEEN


class LIMBER_OT_complete(_Task, bpy.types.Operator):
    """Fill what is missing of a captured motion. Every other bone and frame stays exactly as it is, and the
    result is a new Action"""

    bl_idname = "limber.complete"
    bl_label = "Complete"
    task = plans.COMPLETE


class LIMBER_OT_refine(_Task, bpy.types.Operator):
    """Clean a captured motion. Bones and frames that are not asked for stay exactly as they are, and the
    result is a new Action"""

    bl_idname = "limber.refine"
    bl_label = "Refine"
    task = plans.REFINE


class LIMBER_OT_edit(_Task, bpy.types.Operator):
    """Let the selected bones do something else over the range. Every other bone and frame stays exactly as it
    is, and the result is a new Action"""

    bl_idname = "limber.edit"
    bl_label = "Edit Joints"
    task = plans.EDIT


class LIMBER_OT_generate(_Task, bpy.types.Operator):
    """Make motion over the range that does what the prompt says; the result is a new Action"""

    bl_idname = "limber.generate"
    bl_label = "Generate"
    task = plans.GENERATE


class LIMBER_OT_follow(_Task, bpy.types.Operator):
    """Have pins, a path and waypoints followed over the range. Keys that are kept stay exactly as they are, and
    the result is a new Action"""

    bl_idname = "limber.follow"
    bl_label = "Follow"
    task = plans.FOLLOW


class LIMBER_OT_make_again(bpy.types.Operator):
    """Make this result once more from what is kept on its Action: the same model, keys and text, and the same seed or
    another one"""

    bl_idname = "limber.make_again"
    bl_label = "Make Again"
    bl_options = {"REGISTER"}  # noqa: RUF012  Blender reads it

    wait: bpy.props.BoolProperty(
        name="Wait", default=False, options={"SKIP_SAVE"},
        description="Return only when the result is there (always so in background mode)",
    )  # fmt: skip

    another: bpy.props.BoolProperty(
        name="Another Seed", default=False, options={"SKIP_SAVE"},
        description="With the seed after the one that made this result",
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Says why not."""
        reason = checks.why_not_again(context)
        if reason:
            cls.poll_message_set(shown(reason))
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it."""
        obj = checks.active_armature(context)
        assert obj is not None
        try:
            plan = plans.from_action(obj)
            if self.another:
                plan = replace(plan, seed=(plan.seed + 1) % (SEEDS + 1))
            if plan.task in (
                plans.REFINE,
                plans.FOLLOW,
            ):  # which start from what the motion was, not from what it became
                review.back_to_original(obj)
        except LimberError as error:
            return report(self, error)
        return begin(self, obj, plan, self.wait)


class LIMBER_OT_cancel(bpy.types.Operator):
    """Stop the computation. Nothing is changed"""

    bl_idname = "limber.cancel"
    bl_label = "Cancel"
    bl_options = {"REGISTER"}  # noqa: RUF012  Blender reads it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while something runs."""
        if checks.running(checks.active_armature(context)) is None:
            cls.poll_message_set(shown("Nothing is running on this armature"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Stop it."""
        session, job = jobs.current(), checks.running(checks.active_armature(context))
        if session is None or job is None:
            return {"CANCELLED"}
        session.cancel(job)
        return {"FINISHED"}


class LIMBER_OT_restart_backend(bpy.types.Operator):
    """End the backend, if it runs, and start it anew. Runs that wait for it fail; nothing else changes"""

    bl_idname = "limber.restart_backend"
    bl_label = "Restart Backend"
    bl_options = {"REGISTER"}  # noqa: RUF012  Blender reads it

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Restart it."""
        del context
        session = jobs.current()
        if session is None:
            return {"CANCELLED"}
        try:
            session.restart_backend()
        except LimberError as error:
            return report(self, error)
        return {"FINISHED"}


CLASSES = (LIMBER_OT_inbetween, LIMBER_OT_complete, LIMBER_OT_refine, LIMBER_OT_edit, LIMBER_OT_generate,
           LIMBER_OT_follow, LIMBER_OT_make_again, LIMBER_OT_cancel, LIMBER_OT_restart_backend)  # fmt: skip
