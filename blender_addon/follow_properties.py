"""What a character is to follow, kept on its armature object: pins, a path, waypoints.

In Blender's data, so that undo, saving, loading and library overrides treat it like everything else.

No postponed annotations here: Blender reads the properties from them.
"""

from typing import Any

import bpy

KEPT, KEYS, NOTHING = "KEEP", "KEYS", "NOTHING"
MOTIONS = (
    (KEPT, "Motion", "The present motion is changed, as far as it has to be"),
    (KEYS, "Keys", "Only the keyed poses are kept, exactly; everything between is made anew"),
    (NOTHING, "Nothing", "Everything in the range is made anew"),
)
OBJECT, POINT, PRESENT = "OBJECT", "POINT", "PRESENT"
SOURCES = (
    (OBJECT, "Object", "An Empty or any other object, or a bone of another armature"),
    (POINT, "Place", "A place that does not move"),
    (PRESENT, "As It Is", "Where the present motion has it, frame by frame"),
)
WHOLE, SPEED, TIMED = "WHOLE", "SPEED", "KEYS"
SPEEDS = (
    (WHOLE, "Range", "From the path's end to end over its frames, at one speed"),
    (SPEED, "Speed", "At this speed, as far as the frames last"),
    (TIMED, "Keys", "As the curve's own Evaluation Time says, under Path Animation"),
)
ALONG, FREE = "ALONG", "FREE"
HEADINGS = (
    (ALONG, "Along", "Facing along the path"),
    (FREE, "Free", "Facing any way"),
)
OVERRIDABLE: Any = {"LIBRARY_OVERRIDABLE"}
GROWING: Any = {"LIBRARY_OVERRIDABLE", "USE_INSERTION"}


def _no_armature_of_its_own(entry: bpy.types.PropertyGroup, target: bpy.types.Object) -> bool:
    return target != entry.id_data


def _curve(entry: bpy.types.PropertyGroup, target: bpy.types.Object) -> bool:
    del entry
    return target.type == "CURVE"


class LimberPin(bpy.types.PropertyGroup):
    """One bone at some frames; its ``name`` is what messages call it."""

    use: bpy.props.BoolProperty(name="Use", default=True, description="Heed this pin", override=OVERRIDABLE)
    bone: bpy.props.StringProperty(
        name="Bone", description="Bone of this character that is pinned", override=OVERRIDABLE
    )
    source: bpy.props.EnumProperty(
        name="Pinned To", items=SOURCES, description="What the bone is pinned to", override=OVERRIDABLE
    )
    target: bpy.props.PointerProperty(
        type=bpy.types.Object, name="Object", poll=_no_armature_of_its_own, override=OVERRIDABLE,
        description="The object that the bone is pinned to",
    )  # fmt: skip
    target_bone: bpy.props.StringProperty(
        name="Its Bone", description="A bone of that object; empty for the object", override=OVERRIDABLE
    )
    place: bpy.props.FloatVectorProperty(
        name="Place", subtype="TRANSLATION", description="The place in the world", override=OVERRIDABLE
    )
    offset: bpy.props.FloatVectorProperty(
        name="Offset", subtype="TRANSLATION", override=OVERRIDABLE,
        description="Added to the place: in the object's own axes, in the world's for other pins",
    )  # fmt: skip
    start: bpy.props.IntProperty(
        name="Start", default=1, description="First frame of the pin", override=OVERRIDABLE
    )
    end: bpy.props.IntProperty(
        name="End", default=1, description="Last frame of the pin", override=OVERRIDABLE
    )
    hard: bpy.props.BoolProperty(
        name="Hard", default=True, override=OVERRIDABLE,
        description="Met to the millimetre wherever the body reaches; otherwise it only draws",
    )  # fmt: skip
    firmness: bpy.props.FloatProperty(
        name="Firmness", default=0.5, min=0.05, max=0.95, subtype="FACTOR", override=OVERRIDABLE,
        description="How strongly a pin that is not hard draws",
    )  # fmt: skip


class LimberWaypoint(bpy.types.PropertyGroup):
    """Where the character is at a frame, and perhaps which way it faces."""

    target: bpy.props.PointerProperty(
        type=bpy.types.Object, name="Object", poll=_no_armature_of_its_own, override=OVERRIDABLE,
        description="Where it is; the front, as everywhere in Blender, is -Y",
    )  # fmt: skip
    frame: bpy.props.IntProperty(
        name="Frame", default=1, description="When the character is there", override=OVERRIDABLE
    )
    use_heading: bpy.props.BoolProperty(
        name="Heading", default=True, override=OVERRIDABLE, description="Face the way that the object faces"
    )


class LimberFollow(bpy.types.PropertyGroup):
    """All that a character is to follow."""

    pins: bpy.props.CollectionProperty(type=LimberPin, override=GROWING, description="The pins")
    pin: bpy.props.IntProperty(name="Pin", description="The chosen pin", override=OVERRIDABLE)
    waypoints: bpy.props.CollectionProperty(type=LimberWaypoint, override=GROWING, description="The waypoints")
    waypoint: bpy.props.IntProperty(name="Waypoint", description="The chosen waypoint", override=OVERRIDABLE)
    path: bpy.props.PointerProperty(
        type=bpy.types.Object, name="Path", poll=_curve, override=OVERRIDABLE,
        description="A curve over the ground that the hips stay above",
    )  # fmt: skip
    own_frames: bpy.props.BoolProperty(
        name="Own Frames",
        override=OVERRIDABLE,
        description="Walk the path over these frames, not the whole range",
    )
    start: bpy.props.IntProperty(
        name="Start", default=1, description="First frame on the path", override=OVERRIDABLE
    )
    end: bpy.props.IntProperty(
        name="End", default=60, description="Last frame on the path", override=OVERRIDABLE
    )
    pace: bpy.props.EnumProperty(
        name="Pace", items=SPEEDS, description="How fast it is walked", override=OVERRIDABLE
    )
    speed: bpy.props.FloatProperty(
        name="Speed", default=1.2, min=0.01, soft_max=6.0, unit="VELOCITY", override=OVERRIDABLE,
        description="Metres a second along the path",
    )  # fmt: skip
    heading: bpy.props.EnumProperty(
        name="Heading",
        items=HEADINGS,
        description="Which way the character faces on the path",
        override=OVERRIDABLE,
    )
    motion: bpy.props.EnumProperty(
        name="Keep", items=MOTIONS, description="What of the present motion is kept", override=OVERRIDABLE
    )
    show: bpy.props.BoolProperty(
        name="Show in Viewport",
        default=True,
        description="Draw pins, path and deviations",
        override=OVERRIDABLE,
    )


CLASSES = (LimberPin, LimberWaypoint, LimberFollow)


def register() -> None:
    """Hang the group on objects."""
    bpy.types.Object.limber_follow = bpy.props.PointerProperty(  # type: ignore[attr-defined]
        type=LimberFollow, override=OVERRIDABLE
    )


def unregister() -> None:
    """Take it off again."""
    if hasattr(bpy.types.Object, "limber_follow"):
        del bpy.types.Object.limber_follow  # type: ignore[attr-defined]


def of(obj: bpy.types.Object) -> Any:
    """What an armature object is to follow (typed Any: Blender adds the attribute while running)."""
    return obj.limber_follow  # type: ignore[attr-defined]
