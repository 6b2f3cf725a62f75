"""Which way generated motion begins to face, taken from the 3D view.

No postponed annotations here: Blender reads the properties from them.
"""

import math
from typing import Any

import bpy

from .. import properties
from ..translations import say

STEEP = 0.1
"""Share of a view's direction along the ground below which it looks straight down or up."""


def seen(rotation: Any) -> float:
    """The angle to the left of Blender's front, which is -Y, in which a view looks, radians.

    Args:
        rotation: the view's quaternion. Straight from above or below, the picture's upper edge is ahead.
    """
    from mathutils import Vector

    ahead = rotation @ Vector((0.0, 0.0, -1.0))
    if math.hypot(ahead.x, ahead.y) < STEEP:
        ahead = rotation @ Vector((0.0, 1.0, 0.0))
    return math.atan2(ahead.x, -ahead.y)


class LIMBER_OT_heading_from_view(bpy.types.Operator):
    """Generated motion begins to face away from the viewer, into the 3D view"""

    bl_idname = "limber.heading_from_view"
    bl_label = "Heading from View"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  Blender reads it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a view to take it from."""
        if context.region_data is None:
            cls.poll_message_set(say("There is no 3D view to take it from"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take it."""
        view: Any = context.region_data
        properties.settings(context.scene).heading = seen(view.view_rotation)
        return {"FINISHED"}


CLASSES = (LIMBER_OT_heading_from_view,)
