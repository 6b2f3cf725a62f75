"""What is shown of a run before and after it, one set per scene; the colours are in the preferences.

No postponed annotations here: Blender reads the properties from them.
"""

from typing import Any

import bpy


class LimberShow(bpy.types.PropertyGroup):
    """What is drawn in the viewport and the dope sheet."""

    ghosts: bpy.props.BoolProperty(
        name="Ghosts", default=True,
        description="Stick figures of a result that waits for a decision, at frames around the current one",
    )  # fmt: skip
    trails: bpy.props.BoolProperty(
        name="Trails", default=True,
        description="Where the selected bones go in a result that waits for a decision, a dot for every frame; "
        "hips, hands and feet where none is selected",
    )  # fmt: skip
    plain: bpy.props.BoolProperty(
        name="Plain Interpolation", default=True,
        description="Draw plain interpolation beside the model; where motion is cleaned, the motion as it was",
    )  # fmt: skip
    around: bpy.props.IntProperty(
        name="Ghosts Around", default=2, min=0, max=20,
        description="How many ghosts are drawn before the current frame, and as many after it",
    )  # fmt: skip
    step: bpy.props.IntProperty(
        name="Frame Step", default=5, min=1, max=100, description="Frames from one ghost to the next"
    )
    changes: bpy.props.BoolProperty(
        name="What Will Change", default=True,
        description="While the Limber tab is open, tint the bones that a run will change, and mark its frames and "
        "the keys that stay in the dope sheet",
    )  # fmt: skip
    names: bpy.props.BoolProperty(
        name="Names", default=False, description="List the bones that a run will change, with their frames"
    )


CLASSES = (LimberShow,)


def register() -> None:
    """Hang the group on scenes."""
    bpy.types.Scene.limber_show = bpy.props.PointerProperty(type=LimberShow)  # type: ignore[attr-defined]


def unregister() -> None:
    """Take it off again."""
    if hasattr(bpy.types.Scene, "limber_show"):
        del bpy.types.Scene.limber_show  # type: ignore[attr-defined]


def of(scene: bpy.types.Scene) -> Any:
    """What a scene shows (typed Any: Blender adds the attribute while running)."""
    return scene.limber_show  # type: ignore[attr-defined]
