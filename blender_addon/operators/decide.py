"""What becomes of the results: keep one, none, or look at the next. Each is one undo step.

No postponed annotations here: Blender reads the properties from them.
"""

import bpy

from .. import checks, jobs, nla, properties, review
from ..motion.blending import MOST
from ..motion.errors import InvalidRequestError
from ..translations import shown


def chosen(context: bpy.types.Context) -> bpy.types.Object:
    """The armature that is decided on; ``poll`` has seen that there is one."""
    obj = checks.active_armature(context)
    assert obj is not None
    return obj


def settle() -> None:
    """What is decided on is what its slider says."""
    session = jobs.current()
    if session is not None:
        session.amounts.settle()


class _Decision:
    """Operators that need results under review."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  Blender reads it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Says why not."""
        reason = checks.why_no_decision(context)
        if reason:
            cls.poll_message_set(shown(reason))  # type: ignore[attr-defined]
        return not reason


class LIMBER_OT_accept(_Decision, bpy.types.Operator):
    """Keep the result that is shown, and those marked to be kept too. The original Action stays in the file"""

    bl_idname = "limber.accept"
    bl_label = "Accept"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Keep it."""
        settle()
        review.accept(chosen(context))
        return {"FINISHED"}


class LIMBER_OT_accept_strip(_Decision, bpy.types.Operator):
    """Keep the result that is shown as an NLA strip above the original Action, which stays as it was and plays before
    and after it; further results go unless they are marked to be kept"""

    bl_idname = "limber.accept_strip"
    bl_label = "Accept as NLA Strip"

    blend_in: bpy.props.IntProperty(
        name="Blend In", min=0, max=10_000, options={"SKIP_SAVE"},
        description="Frames over which the strip fades in; the panel's if not given",
    )  # fmt: skip
    blend_out: bpy.props.IntProperty(
        name="Blend Out", min=0, max=10_000, options={"SKIP_SAVE"},
        description="Frames over which the strip fades out; the panel's if not given",
    )  # fmt: skip

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Keep it so."""
        settle()
        panel = properties.settings(context.scene)
        asked = (getattr(self if self.properties.is_property_set(name) else panel, name)
                 for name in ("blend_in", "blend_out"))  # fmt: skip
        try:
            nla.accept(chosen(context), *asked)
        except InvalidRequestError as error:
            self.report({"ERROR"}, shown(str(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class LIMBER_OT_remove_strip(bpy.types.Operator):
    """Take the result's NLA strip off again and give the armature back the Action that it was made from"""

    bl_idname = "limber.remove_strip"
    bl_label = "Remove NLA Strip"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  Blender reads it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a strip that is a result."""
        if nla.placed(checks.active_armature(context)) is None:
            cls.poll_message_set(shown("No result of this armature was accepted as an NLA strip"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take it off."""
        try:
            nla.remove(chosen(context))
        except InvalidRequestError as error:
            self.report({"ERROR"}, shown(str(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class LIMBER_OT_discard(_Decision, bpy.types.Operator):
    """Go back to the original Action and throw the results away"""

    bl_idname = "limber.discard"
    bl_label = "Discard"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Throw them away."""
        settle()
        review.discard(chosen(context))
        return {"FINISHED"}


class LIMBER_OT_next_variation(_Decision, bpy.types.Operator):
    """Show the next result"""

    bl_idname = "limber.next_variation"
    bl_label = "Next Variation"

    step: bpy.props.IntProperty(name="Step", default=1, description="How many further; negative goes back")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs another one to show."""
        if not super().poll(context):
            return False
        if review.count(checks.active_armature(context)) < 2:
            cls.poll_message_set(shown("There is one result. Set Variations above 1 before the run"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show it."""
        settle()
        review.show_next(chosen(context), self.step)
        return {"FINISHED"}


class LIMBER_OT_how_much(_Decision, bpy.types.Operator):
    """Blend the result that is shown between plain interpolation and the model's motion, or beyond it. Every key stays
    exactly as it is"""

    bl_idname = "limber.how_much"
    bl_label = "How Much"

    amount: bpy.props.FloatProperty(
        name="How Much", default=1.0, min=0.0, max=MOST,
        description="0 is plain interpolation (where motion is cleaned: as it was), 1 the model's result, more goes "
        "further the same way",
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a result that remembers what it was written from."""
        if not super().poll(context):
            return False
        reason = checks.why_no_amount(checks.active_armature(context))
        if reason:
            cls.poll_message_set(shown(reason))
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set it, and write the Action at once."""
        state = properties.review(chosen(context))
        state.results[state.current].amount = self.amount
        settle()
        return {"FINISHED"}


CLASSES = (LIMBER_OT_accept, LIMBER_OT_discard, LIMBER_OT_next_variation, LIMBER_OT_how_much,
           LIMBER_OT_accept_strip, LIMBER_OT_remove_strip)  # fmt: skip
