"""What a run can be told from Python; what is not given is as the panel has it.

    bpy.ops.limber.inbetween(start=1, end=60, seed=3, variations=2, keys="SPARSE", wait=True)

No postponed annotations here: Blender reads the properties from them.
"""

from typing import Any

import bpy

from .. import plans, properties

NAMES = ("start", "end", "seed", "variations", "system", "bundle", "prompt", "keys", "degrees", "millimetres")


class Overridden:
    """Settings of which some are given; the scene's own stay as they are."""

    def __init__(self, settings: Any, given: dict[str, Any]) -> None:
        self._settings, self._given = settings, given

    def __getattr__(self, name: str) -> Any:
        return self._given[name] if name in self._given else getattr(self._settings, name)


class RunArguments:
    """Operators whose settings can be given as arguments, by the names and with the limits of the panel's."""

    start: bpy.props.IntProperty(
        name="Start", options={"SKIP_SAVE"}, description="First frame of the range; the panel's if not given"
    )
    end: bpy.props.IntProperty(
        name="End", options={"SKIP_SAVE"}, description="Last frame of the range; the panel's if not given"
    )
    seed: bpy.props.IntProperty(
        name="Seed", min=0, options={"SKIP_SAVE"}, description="The same keys with the same seed give the same motion"
    )  # fmt: skip
    variations: bpy.props.IntProperty(
        name="Variations", default=1, min=1, max=8, options={"SKIP_SAVE"},
        description="How many results the run brings",
    )  # fmt: skip
    system: bpy.props.StringProperty(
        name="System", options={"SKIP_SAVE"}, description="Which system fills the motion; auto takes the best one"
    )
    bundle: bpy.props.StringProperty(
        name="Bundle", options={"SKIP_SAVE"}, description="Trained weights by name; empty takes the default"
    )
    prompt: bpy.props.StringProperty(
        name="Prompt", options={"SKIP_SAVE"},
        description="What is done, in English; several prompts, separated by semicolons, share the range",
    )  # fmt: skip
    keys: bpy.props.EnumProperty(
        name="Keys", items=properties.KEYED, options={"SKIP_SAVE"},
        description="How many keys a result is written with",
    )  # fmt: skip
    degrees: bpy.props.FloatProperty(
        name="Rotation", subtype="ANGLE", options={"SKIP_SAVE"},
        description="How far a bone's rotation between sparse keys may be from the result, in radians",
    )  # fmt: skip
    millimetres: bpy.props.FloatProperty(
        name="Location (mm)", options={"SKIP_SAVE"},
        description="How far a joint or a location between sparse keys may be from the result, in millimetres",
    )  # fmt: skip

    def settings(self, obj: bpy.types.Object, scene: bpy.types.Scene) -> Any:
        """The scene's settings with what was given.

        Raises:
            InvalidRequestError: one end of the range is given, and the other is to be read from keys there are not.
        """
        own = properties.settings(scene)
        asked = self.properties  # type: ignore[attr-defined]
        given = {name: getattr(self, name) for name in NAMES if asked.is_property_set(name)}
        if given.keys() & {"start", "end"}:
            if not given.keys() >= {"start", "end"}:
                first, last = plans.frame_range(obj, scene, own)
                given = {"start": first, "end": last} | given
            given["range_mode"] = "OWN"
        return Overridden(own, given)
