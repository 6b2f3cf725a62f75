"""Retargeting in the open file: the maps of both characters, and clips onto the active armature.

No postponed annotations here: Blender reads the properties from them.
"""

from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ExportHelper, ImportHelper

from .. import armature_io, checks, retargeting, whole_motion
from ..batch import sources
from ..batch.plan import Options
from ..motion import bone_maps
from ..motion.bone_maps import ROLES, BoneMap
from ..motion.errors import InvalidRequestError, LimberError
from ..translations import say, shown
from .run import report

WHAT = (
    ("ACTION", "Action", "The source armature's Action"),
    ("NLA", "NLA", "Every Action on the source armature's NLA tracks"),
    ("FILES", "Files", "A .bvh or .npz file, or a folder of them"),
)
FEET = (
    ("lock", "Lock", "Feet that stand on the source stand on the target"),
    ("keep", "Keep", "Legs turn as the source's do, feet may slide"),
)
HANDS = (
    ("touch", "Touch", "Hands that rest on the body or on each other do so on the target"),
    ("keep", "Keep", "Arms turn as the source's do"),
)
ROOTS = (
    ("hips", "Hips", "The hips carry the way over the ground"),
    ("bone", "Root Bone", "The topmost bone above the hips carries it"),
    ("object", "Object", "The armature object carries it"),
)
SIDES = (("SOURCE", "Source", "The source armature"), ("TARGET", "Target", "The active armature"))

_seen: dict[int, BoneMap] = {}


def known_map(obj: Any) -> BoneMap | None:
    """The map that was last looked up for an armature; drawing asks, and never searches."""
    return _seen.get(obj.session_uid) if obj is not None else None


def look(obj: Any) -> BoneMap:
    """The kept map, or the one that is found; remembered for drawing."""
    found = whole_motion.kept_map(obj) or bone_maps.find(armature_io.read_skeleton(obj))
    _seen[obj.session_uid] = found
    return found


def keep(obj: Any, found: BoneMap) -> None:
    """Keep a map on an armature object."""
    if obj.library is not None:
        raise InvalidRequestError("armature", f"{obj.name} is linked", "Make a library override of it.")
    obj[whole_motion.KEPT_MAP] = found.to_json()
    _seen[obj.session_uid] = found


class LimberRetarget(bpy.types.PropertyGroup):
    """What is retargeted, one set per scene."""

    what: bpy.props.EnumProperty(name="Clips", items=WHAT, description="Where the motion comes from")
    source: bpy.props.PointerProperty(
        type=bpy.types.Object, name="Source", description="Armature whose motion is taken",
        poll=lambda _, obj: isinstance(obj, bpy.types.Object) and obj.type == "ARMATURE",
    )  # fmt: skip
    path: bpy.props.StringProperty(
        name="Path", subtype="FILE_PATH", description="A file, or a folder of files"
    )
    feet: bpy.props.EnumProperty(name="Feet", items=FEET, description="What becomes of standing feet")
    hands: bpy.props.EnumProperty(name="Hands", items=HANDS, description="What becomes of hands that touch")
    root: bpy.props.EnumProperty(name="Root", items=ROOTS, description="What carries the way over the ground")
    in_place: bpy.props.BoolProperty(name="In Place", description="Take the way over the ground out")


def settings(scene: Any) -> Any:
    """The scene's settings."""
    return scene.limber_retarget


def armature_of(context: bpy.types.Context, side: str) -> Any:
    """The source or the target; None where it is not chosen."""
    return settings(context.scene).source if side == "SOURCE" else checks.active_armature(context)


def why_not(context: bpy.types.Context) -> str:
    """Why nothing can be retargeted; "" if it can."""
    obj, chosen, run = checks.active_armature(context), settings(context.scene), retargeting.latest()
    if run is not None and run.state == retargeting.RUNNING:
        return "A run is going on"
    if obj is None:
        return "Select the armature that is to move"
    if not obj.is_editable:
        return "The armature is linked from another file. Make a library override of it"
    if checks.running(obj) is not None or checks.properties.under_review(obj):
        return "Wait for the result, then accept or discard it"
    if chosen.what == "FILES":
        return "" if chosen.path else "Choose a file or a folder"
    if chosen.source is None:
        return "Choose the armature whose motion is taken"
    if chosen.source == obj:
        return "Source and target are the same armature"
    data = chosen.source.animation_data
    if data is None or (data.action is None if chosen.what == "ACTION" else not len(data.nla_tracks)):
        return "The source has no Action" if chosen.what == "ACTION" else "The source has no NLA tracks"
    return ""


class LIMBER_OT_retarget(bpy.types.Operator):
    """Retarget the clips onto the active armature: a new Action each, the present one is kept"""

    bl_idname = "limber.retarget"
    bl_label = "Retarget"
    bl_options = {"REGISTER"}  # noqa: RUF012  Blender reads it

    wait: bpy.props.BoolProperty(
        name="Wait", default=False, options={"SKIP_SAVE"},
        description="Return only when the clips are there (always so in background mode)",
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Says why not."""
        reason = why_not(context)
        if reason:
            cls.poll_message_set(shown(reason))
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin; a timer does the rest."""
        try:
            run = retargeting.start(asked(context), self.wait)
        except LimberError as error:
            return report(self, error)
        if run.state == retargeting.RUNNING:
            return {"FINISHED"}
        for text in run.failed if run.made else ():
            self.report({"WARNING"}, shown(text))
        if run.state != retargeting.DONE:
            self.report({"ERROR"}, shown(run.problem))
            return {"CANCELLED"}
        self.report({"INFO"}, shown(run.summary()))
        return {"FINISHED"}


def asked(context: bpy.types.Context) -> retargeting.Asked:
    """What the panel's settings say.

    Raises:
        LimberError: one of the armatures is not understood.
    """
    obj, chosen, scene = checks.active_armature(context), settings(context.scene), context.scene
    source = chosen.source if chosen.what != "FILES" else None
    options = Options(feet=chosen.feet, hands=chosen.hands, root=chosen.root, in_place=chosen.in_place,
                      fps=armature_io.scene_fps())  # fmt: skip
    return retargeting.Asked(
        obj.session_uid, source.session_uid if source else 0, look(obj), look(source) if source else None,
        chosen.what, bpy.path.abspath(chosen.path), scene.frame_start, options,
    )  # fmt: skip


class LIMBER_OT_retarget_cancel(bpy.types.Operator):
    """End the retargeting that is going on. Finished clips stay in the file"""

    bl_idname = "limber.retarget_cancel"
    bl_label = "Cancel"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """End it."""
        run = retargeting.latest()
        if run is not None:
            run.cancel()
        return {"FINISHED"}


# -- maps -------------------------------------------------------------------------------------------


class _Side:
    """Operators about the map of one of the two armatures."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  Blender reads it
    side: bpy.props.EnumProperty(name="Side", items=SIDES, default="TARGET", description="Which armature",
                                  options={"SKIP_SAVE"})  # fmt: skip

    def armature(self, context: bpy.types.Context) -> Any:
        """The armature that the operator is about."""
        obj = armature_of(context, self.side)
        if obj is None:
            raise InvalidRequestError("armature", "none is chosen")
        return obj


class LIMBER_OT_retarget_look(bpy.types.Operator):
    """Look up which bone plays which role, on both armatures"""

    bl_idname = "limber.retarget_look"
    bl_label = "Look Up Bones"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look."""
        try:
            for side in ("SOURCE", "TARGET"):
                if (obj := armature_of(context, side)) is not None:
                    look(obj)
        except LimberError as error:
            return report(self, error)
        return {"FINISHED"}


class LIMBER_OT_retarget_bone(_Side, bpy.types.Operator):
    """Give a role another bone, or none, and keep the map on the armature"""

    bl_idname = "limber.retarget_bone"
    bl_label = "Change Bone"

    role: bpy.props.StringProperty(name="Role", description="One of the 20 roles", options={"SKIP_SAVE"})
    bone: bpy.props.StringProperty(name="Bone", description="Its bone; empty for none", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the bone."""
        del event
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        """A search among the armature's bones."""
        obj = armature_of(context, self.side)
        if obj is not None and self.layout is not None:
            self.layout.prop_search(self, "bone", obj.data, "bones", text=say(self.role.replace("_", " ")).title())

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Keep it."""
        try:
            obj = self.armature(context)
            if self.role not in ROLES:
                raise InvalidRequestError("role", f"there is no {self.role!r}")
            if self.bone and self.bone not in obj.data.bones:
                raise InvalidRequestError("bone", f"{obj.name} has no {self.bone!r}")
            keep(obj, changed(known_map(obj) or look(obj), self.role, self.bone))
        except LimberError as error:
            return report(self, error)
        return {"FINISHED"}


def changed(found: BoneMap, role: str, bone: str) -> BoneMap:
    """A map with another bone on a role ("" for none); the bone is taken from whatever had it."""
    bones = {r: tuple(b for b in names if b != bone) for r, names in found.bones.items() if r != role}
    fingers = {f: tuple(b for b in names if b != bone) for f, names in found.fingers.items()}
    if bone:
        bones[role] = (bone,)
    bones = {r: names for r, names in bones.items() if names}
    sure = {r: 1.0 if r == role else found.confidence[r] for r in bones if r == role or r in found.confidence}
    return BoneMap(
        "custom", bones, sure, found.reference, {f: names for f, names in fingers.items() if names}
    )


class LIMBER_OT_retarget_t_pose(_Side, bpy.types.Operator):
    """Take the present pose as the T-pose: for rigs whose rest pose is misread. Kept on the armature"""

    bl_idname = "limber.retarget_t_pose"
    bl_label = "Pose Is T-Pose"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Keep it."""
        try:
            obj = self.armature(context)
            found = known_map(obj) or look(obj)
            clip = whole_motion.read(obj, found, [context.scene.frame_current])
            q, _ = clip.forward()
            turned = {name: tuple(q[0, j].tolist()) for j, name in enumerate(clip.skeleton.names)}
            keep(obj, BoneMap("custom", found.bones, found.confidence, turned, found.fingers))  # type: ignore[arg-type]
        except LimberError as error:
            return report(self, error)
        return {"FINISHED"}


class LIMBER_OT_retarget_forget(_Side, bpy.types.Operator):
    """Forget the kept map and look again"""

    bl_idname = "limber.retarget_forget"
    bl_label = "Forget Kept Map"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forget it."""
        try:
            obj = self.armature(context)
            if whole_motion.KEPT_MAP in obj:
                del obj[whole_motion.KEPT_MAP]
            look(obj)
        except LimberError as error:
            return report(self, error)
        return {"FINISHED"}


class LIMBER_OT_retarget_save_map(_Side, bpy.types.Operator, ExportHelper):
    """Save the map as JSON, for limber-blender retarget --map"""

    bl_idname = "limber.retarget_save_map"
    bl_label = "Save Map"

    filename_ext = ".json"
    filter_glob: bpy.props.StringProperty(
        default="*.json", description="Files that are shown", options={"HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it."""
        try:
            obj = self.armature(context)
            Path(self.filepath).write_text((known_map(obj) or look(obj)).to_json() + "\n", "utf-8")  # type: ignore[attr-defined]
        except LimberError as error:
            return report(self, error)
        except OSError as error:
            return report(self, LimberError(f"{error.filename}: {error.strerror}"))
        return {"FINISHED"}


class LIMBER_OT_retarget_load_map(_Side, bpy.types.Operator, ImportHelper):
    """Load a map from JSON and keep it on the armature"""

    bl_idname = "limber.retarget_load_map"
    bl_label = "Load Map"

    filter_glob: bpy.props.StringProperty(
        default="*.json", description="Files that are shown", options={"HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read it."""
        try:
            obj = self.armature(context)
            keep(obj, sources.choose_map(armature_io.read_skeleton(obj), self.filepath))  # type: ignore[attr-defined]
        except LimberError as error:
            return report(self, error)
        except OSError as error:
            return report(self, LimberError(f"{error.filename}: {error.strerror}"))
        return {"FINISHED"}


CLASSES = (
    LimberRetarget, LIMBER_OT_retarget, LIMBER_OT_retarget_cancel, LIMBER_OT_retarget_look, LIMBER_OT_retarget_bone,
    LIMBER_OT_retarget_t_pose, LIMBER_OT_retarget_forget, LIMBER_OT_retarget_save_map, LIMBER_OT_retarget_load_map,
)  # fmt: skip


def register() -> None:
    """The settings on the scene; classes are registered before."""
    bpy.types.Scene.limber_retarget = bpy.props.PointerProperty(type=LimberRetarget)  # type: ignore[attr-defined]
    retargeting.register()


def unregister() -> None:
    """The reverse."""
    retargeting.unregister()
    del bpy.types.Scene.limber_retarget  # type: ignore[attr-defined]
    _seen.clear()
