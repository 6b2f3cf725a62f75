"""What Limber keeps in the file: settings on the scene, what is under review on the object.

What is under review lives in Blender's data, so that undo, redo, saving and loading treat it like
everything else. What only matters while Blender runs (jobs, the backend) is in :mod:`.jobs`.

No postponed annotations here: Blender reads the properties from them.
"""

import math
from typing import Any

import bpy

from .motion.blending import MOST

RANGES = (
    ("SCENE", "Scene", "The scene's frame range, or the preview range where it is set"),
    ("KEYS", "Keys", "From the character's first key to its last"),
    ("OWN", "Own", "The two frames below"),
)
KEEPS = (
    ("ALL", "All", "Every key in the range stays exactly as it is"),
    ("SELECTED", "Selected", "Only the selected keys are poses to go through; "
                                  "the others in the range give way in the result"),
)  # fmt: skip
TASKS = (
    ("inbetween", "In-between", "Fill the motion between key poses. Every key stays exactly as it is"),
    ("complete", "Complete", "Fill what is missing of a captured motion: some bones over some frames"),
    ("refine", "Refine", "Clean a captured motion: jitter, noise, sliding feet"),
    ("edit", "Edit Joints", "Let the selected bones do something else over some frames"),
    ("text", "Generate", "Make motion that does what is said"),
    ("follow", "Follow", "Hands, feet, any joint and the hips go where pins, a path and waypoints say"),
)
BEGINNINGS = (
    ("CURSOR", "Cursor", "Begin at the 3D cursor, facing the heading below"),
    ("POSE", "Pose", "Go on from the pose at the range's first frame, which stays as it is"),
    ("MOTION", "Motion", "Go on after the last key, up to the range's end; all before stays as it is"),
)
MISSING = (
    ("BONES", "Selected", "The selected bones are missing over the whole range, whatever their keys say"),
    ("GAPS", "Gaps", "Where a bone with a key on nearly every frame has none for a while"),
)
BONES = (
    ("ALL", "All", "Every bone with a role"),
    ("SELECTED", "Selected", "The selected bones; all others stay exactly as they are"),
)
KEYED = (
    ("SPARSE", "Sparse", "Few keys with Bezier handles, easy to edit, that keep the result within the tolerance"),
    ("EVERY", "Every Frame", "The result has a key on every frame, exactly as it was computed"),
)
MARKED = (
    ("NONE", "None", "Every asked for key in the range may change"),
    ("SELECTED", "Selected", "The selected keys stay exactly as they are, and the motion goes through them"),
)


def _bundles(settings: bpy.types.PropertyGroup, context: bpy.types.Context, typed: str) -> list[str]:
    """Names of the bundles that the backend has told of."""
    from . import jobs

    del settings, context
    session = jobs.current()
    names = [str(model.get("name", "")) for model in session.models] if session else []
    return [name for name in names if typed.lower() in name.lower()]


class LimberSettings(bpy.types.PropertyGroup):
    """Settings of the next run, one set per scene."""

    task: bpy.props.EnumProperty(name="Task", items=TASKS, description="What is done to the motion")
    missing: bpy.props.EnumProperty(name="Missing", items=MISSING, description="What is filled in")
    gap: bpy.props.IntProperty(
        name="Longer Than", default=3, min=1, max=10_000,
        description="A bone without a key for more frames than this is missing there",
    )  # fmt: skip
    bones: bpy.props.EnumProperty(name="Bones", items=BONES, description="Which bones are cleaned")
    trust: bpy.props.FloatProperty(
        name="Trust", default=0.5, min=0.05, max=0.95, subtype="FACTOR",
        description="How far the captured motion is trusted: the more, the less it changes",
    )  # fmt: skip
    prompt: bpy.props.StringProperty(
        name="Prompt",
        description="What is done, in English; several prompts, separated by semicolons, share the range",
    )
    begin: bpy.props.EnumProperty(name="Begin", items=BEGINNINGS, description="Where generated motion begins")
    loop: bpy.props.BoolProperty(
        name="Loop", default=False,
        description="Lead back to the motion's first pose, which is the range's last frame: where it began, or as "
        "far on as it goes in a round if it is on its way at both ends",
    )  # fmt: skip
    markers: bpy.props.BoolProperty(
        name="Prompts from Markers", default=False,
        description="The timeline's markers are the prompts, each from its frame to the next marker",
    )  # fmt: skip
    heading: bpy.props.FloatProperty(
        name="Heading", subtype="ANGLE", default=0.0,
        description="Which way generated motion begins to face, to the left of the front view",
    )  # fmt: skip
    keep_marked: bpy.props.EnumProperty(
        name="Keep Keys", items=MARKED, description="Which keys among what is asked for stay as they are"
    )
    range_mode: bpy.props.EnumProperty(name="Range", items=RANGES, description="Which frames are filled")
    start: bpy.props.IntProperty(name="Start", default=1, description="First frame of the range")
    end: bpy.props.IntProperty(name="End", default=60, description="Last frame of the range")
    keep: bpy.props.EnumProperty(
        name="Keep Keys", items=KEEPS, description="Which keys the motion goes through"
    )
    keys: bpy.props.EnumProperty(name="Keys", items=KEYED, description="How many keys a result is written with")
    degrees: bpy.props.FloatProperty(
        name="Rotation", subtype="ANGLE", default=math.radians(1.0), min=math.radians(0.01), max=math.radians(20.0),
        description="How far a bone's rotation between sparse keys may be from the result",
    )  # fmt: skip
    millimetres: bpy.props.FloatProperty(
        name="Location (mm)", default=5.0, min=0.01, max=500.0,
        description="How far a joint or a location between sparse keys may be from the result, in millimetres",
    )  # fmt: skip
    blend_in: bpy.props.IntProperty(
        name="Blend In", default=0, min=0, max=10_000,
        description="Frames over which a result that is accepted as an NLA strip fades in",
    )  # fmt: skip
    blend_out: bpy.props.IntProperty(
        name="Blend Out", default=0, min=0, max=10_000,
        description="Frames over which a result that is accepted as an NLA strip fades out",
    )  # fmt: skip
    variations: bpy.props.IntProperty(
        name="Variations", default=1, min=1, max=8, description="How many results one run brings"
    )
    seed: bpy.props.IntProperty(
        name="Seed", default=0, min=0, description="The same keys with the same seed give the same motion"
    )
    system: bpy.props.StringProperty(
        name="System", default="auto", description="Which system fills the motion; auto takes the best one"
    )
    bundle: bpy.props.StringProperty(
        name="Bundle", search=_bundles, search_options={"SORT"},
        description="Trained weights by name; empty takes the default",
    )  # fmt: skip


def _amount_changed(result: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """Have the result's Action follow; where there is no timer, at once."""
    from . import jobs

    del context
    session = jobs.current()
    if session is not None:
        session.want_amount(result.id_data)  # type: ignore[arg-type]


class LimberResult(bpy.types.PropertyGroup):
    """One result under review, with what was measured."""

    action: bpy.props.PointerProperty(type=bpy.types.Action, name="Action", description="The result itself")
    key_change: bpy.props.FloatProperty(
        name="Largest Key Change", precision=6,
        description="Largest difference between any kept key and the same key in the result, read back",
    )  # fmt: skip
    comparison: bpy.props.StringProperty(
        name="Comparison", description="The model beside plain interpolation, measured on this result"
    )
    made_by: bpy.props.StringProperty(name="Made by", description="System and bundle")
    licence: bpy.props.StringProperty(name="Licence", description="Licence of the bundle")
    keep: bpy.props.BoolProperty(
        name="Keep Too", description="Accepting another result leaves this one in the file as well"
    )
    amount: bpy.props.FloatProperty(
        name="How Much", default=1.0, min=0.0, max=MOST, update=_amount_changed,
        description="How much of the model: 0 is plain interpolation (where motion is cleaned: as it was), 1 the "
        "model's result, more goes further the same way. Every key stays exactly as it is",
    )  # fmt: skip
    remark: bpy.props.StringProperty(name="Remark", description="What to know about this result")
    followed: bpy.props.StringProperty(
        name="Followed", description="How far each pin and the path were met, measured on this result"
    )


class LimberReview(bpy.types.PropertyGroup):
    """Results on an armature that are neither accepted nor discarded yet."""

    original: bpy.props.PointerProperty(
        type=bpy.types.Action, name="Original", description="The Action that the results were made from"
    )
    original_slot: bpy.props.StringProperty(name="Original Slot", description="Identifier of the slot in use")
    original_fake_user: bpy.props.BoolProperty(
        name="Original Had a Fake User", description="Whether the original was kept without a user before the run"
    )
    results: bpy.props.CollectionProperty(type=LimberResult, description="What the last run brought")
    current: bpy.props.IntProperty(name="Shown", default=0, min=0, description="Which result is shown")


CLASSES = (LimberSettings, LimberResult, LimberReview)


def register() -> None:
    """Hang the groups on Blender's types."""
    bpy.types.Scene.limber = bpy.props.PointerProperty(type=LimberSettings)  # type: ignore[attr-defined]
    bpy.types.Object.limber = bpy.props.PointerProperty(type=LimberReview)  # type: ignore[attr-defined]


def unregister() -> None:
    """Take them off again."""
    for owner in (bpy.types.Scene, bpy.types.Object):
        if hasattr(owner, "limber"):
            del owner.limber  # type: ignore[attr-defined]


def settings(scene: bpy.types.Scene) -> Any:
    """The scene's settings (typed Any: Blender adds the attribute while running)."""
    return scene.limber  # type: ignore[attr-defined]


def review(obj: bpy.types.Object) -> Any:
    """The object's review."""
    return obj.limber  # type: ignore[attr-defined]


def under_review(obj: bpy.types.Object) -> bool:
    """Whether ``obj`` has results that wait for a decision; a result whose Action is gone does not count."""
    return any(result.action is not None for result in review(obj).results)
