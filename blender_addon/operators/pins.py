"""Pins, path and waypoints: adding and removing. Each is one undo step, and nothing is animated by it.

No postponed annotations here: Blender reads the properties from them.
"""

from typing import Any

import bpy
import numpy as np

from .. import armature_io, checks, follow_properties, jobs, paths, pins, plans, properties, selection
from ..motion import controls
from ..motion.bone_maps import BoneMap
from ..motion.errors import InvalidRequestError, LimberError
from ..translations import shown
from .run import report

EMPTY_SIZE = 0.08
"""Metres."""
SPANS = (
    ("FRAME", "This Frame", "At the current frame alone"),
    ("RANGE", "Range", "Over the whole range"),
)


def why_not(context: bpy.types.Context) -> str:
    """Why nothing can be added; "" if it can."""
    obj = checks.active_armature(context)
    if obj is None:
        return "Select an armature"
    if not obj.is_editable:
        return "The armature is linked from another file. Make a library override of it"
    return ""


def map_of(obj: Any) -> BoneMap:
    """The armature's map, looked at now if need be.

    Raises:
        InvalidRequestError: its bones are not understood.
    """
    session = jobs.current()
    assert session is not None, "operators exist only while the session does"
    known = session.characters
    character = known.get(obj) if known.sure(obj) else None
    character = character or known.find(obj)
    if character.bone_map is None:
        raise InvalidRequestError("armature", character.problem)
    return character.bone_map


def chosen_bones(obj: Any) -> dict[str, str]:
    """The selected bones -> their joints.

    Raises:
        InvalidRequestError: none is selected, or one of them has no role.
    """
    bone_map, names = map_of(obj), selection.selected_bones(obj)
    if not names:
        raise InvalidRequestError("bones", "none is selected", "Select bones in Pose Mode.")
    out = {name: pins.joint_of(obj, bone_map, name) for name in names}
    without = [name for name, joint in out.items() if not joint]
    if without:
        raise InvalidRequestError(without[0], "the bone has no role",
                                  "Pin hips, spine, neck, head, arms, hands, legs or feet.")  # fmt: skip
    return out


def head(obj: Any, bone: str) -> np.ndarray:
    """Where a bone is now, in the world: its head, or that of the bone that shows it. ``(3,)``."""
    return pins.matrices((obj, pins.shown(obj, map_of(obj), bone)))[:3, 3]


def frames(context: bpy.types.Context, obj: Any, span: str) -> tuple[int, int]:
    """First and last frame of a new pin."""
    scene = context.scene
    if span == "FRAME":
        return scene.frame_current, scene.frame_current
    return plans.frame_range(obj, scene, properties.settings(scene))


def add(obj: Any, bone: str, joint: str, source: str, start: int, end: int) -> Any:
    """A new pin, chosen in the list."""
    kept = follow_properties.of(obj)
    pin = kept.pins.add()
    pin.name, pin.bone, pin.source = controls.spoken(joint), bone, source
    pin.start, pin.end = start, end
    kept.pin = len(kept.pins) - 1
    return pin


def add_empty(context: bpy.types.Context, name: str, matrix: np.ndarray, shape: str) -> Any:
    """An Empty in the scene's collection; selection and active object stay as they are."""
    made = bpy.data.objects.new(name, None)
    made.empty_display_type = shape  # type: ignore[assignment]
    made.empty_display_size = EMPTY_SIZE / armature_io.unit_scale(context.scene)
    context.scene.collection.objects.link(made)
    made.matrix_world = matrix.T.tolist()  # Blender takes columns
    return made


class _Adds:
    """Operators on the active armature's list."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  Blender reads it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Says why not."""
        reason = why_not(context)
        if reason:
            cls.poll_message_set(shown(reason))  # type: ignore[attr-defined]
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it; what is wrong is said, and then nothing has been changed."""
        obj = checks.active_armature(context)
        assert obj is not None
        try:
            self.change(context, obj)
        except LimberError as error:
            return report(self, error)  # type: ignore[arg-type]
        return {"FINISHED"}

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """What the operator does; checks come first."""
        raise NotImplementedError


class LIMBER_OT_pin_empty(_Adds, bpy.types.Operator):
    """Pin the selected bones, each to an Empty of its own where it is now. Move or animate the Empties"""

    bl_idname = "limber.pin_empty"
    bl_label = "To Empties"

    span: bpy.props.EnumProperty(name="Frames", items=SPANS, description="When the pin holds")

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """One Empty and one pin a bone."""
        start, end = frames(context, obj, self.span)
        for bone, joint in chosen_bones(obj).items():
            matrix = np.eye(4)
            matrix[:3, 3] = head(obj, bone)
            empty = add_empty(context, f"{obj.name} {controls.spoken(joint)}", matrix, "SPHERE")
            add(obj, bone, joint, follow_properties.OBJECT, start, end).target = empty


class LIMBER_OT_pin_object(_Adds, bpy.types.Operator):
    """Pin the selected bones to the other selected object (in Pose Mode of two armatures: to its active bone), for
    hands on what moves"""

    bl_idname = "limber.pin_object"
    bl_label = "To Object"

    span: bpy.props.EnumProperty(
        name="Frames", items=SPANS, default="RANGE", description="When the pin holds"
    )
    keep_offset: bpy.props.BoolProperty(
        name="Keep Offset",
        default=True,
        description="Hold the object where the bone is on it now, not at its origin",
    )

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """One pin a bone."""
        target, target_bone = other(context, obj)
        bones = chosen_bones(obj)
        start, end = frames(context, obj, self.span)
        world = pins.matrices((target, target_bone))
        if abs(np.linalg.det(world[:3, :3])) < 1e-18:
            raise InvalidRequestError(target.name, "it is scaled to nothing", "Give it a scale.")
        for bone, joint in bones.items():
            pin = add(obj, bone, joint, follow_properties.OBJECT, start, end)
            pin.target, pin.target_bone = target, target_bone
            if self.keep_offset:
                pin.offset = np.linalg.solve(world[:3, :3], head(obj, bone) - world[:3, 3]).tolist()


def other(context: bpy.types.Context, obj: Any) -> tuple[Any, str]:
    """The other selected object, and the bone that is active on it ("": none, or not in Pose Mode).

    Raises:
        InvalidRequestError: none is selected, or several are.
    """
    layer = context.view_layer
    found = [o for o in layer.objects if o != obj and o.select_get()] if layer else []
    if len(found) != 1:
        raise InvalidRequestError("object", f"{len(found) or 'no'} other objects are selected, one is needed",
                                  "Select what is held, then the character's bones.")  # fmt: skip
    target = found[0]
    active = target.data.bones.active if target.type == "ARMATURE" and target.mode == "POSE" else None
    return target, active.name if active is not None else ""


class LIMBER_OT_pin_here(_Adds, bpy.types.Operator):
    """Pin the selected bones to where they are now, in the world"""

    bl_idname = "limber.pin_here"
    bl_label = "Here"

    span: bpy.props.EnumProperty(name="Frames", items=SPANS, description="When the pin holds")

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """One pin a bone."""
        start, end = frames(context, obj, self.span)
        for bone, joint in chosen_bones(obj).items():
            add(obj, bone, joint, follow_properties.POINT, start, end).place = head(obj, bone).tolist()


class LIMBER_OT_pin_present(_Adds, bpy.types.Operator):
    """Pin the selected bones to the present motion over the range, frame by frame: what else is followed leaves
    them where they are"""

    bl_idname = "limber.pin_present"
    bl_label = "As It Is"

    span: bpy.props.EnumProperty(
        name="Frames", items=SPANS, default="RANGE", description="When the pin holds"
    )

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """One pin a bone."""
        start, end = frames(context, obj, self.span)
        for bone, joint in chosen_bones(obj).items():
            add(obj, bone, joint, follow_properties.PRESENT, start, end)


class LIMBER_OT_pin_cursor(_Adds, bpy.types.Operator):
    """Put the chosen pin at the 3D cursor; without one, pin the selected bone there"""

    bl_idname = "limber.pin_cursor"
    bl_label = "To 3D Cursor"

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """A place in the world for the chosen pin, or for a new one."""
        kept, place = follow_properties.of(obj), context.scene.cursor.location
        bones = selection.selected_bones(obj)
        chosen = kept.pins[kept.pin] if 0 <= kept.pin < len(kept.pins) else None
        if chosen is None or (bones and chosen.bone not in bones):
            bone, joint = next(iter(chosen_bones(obj).items()))
            chosen = add(obj, bone, joint, follow_properties.POINT, *frames(context, obj, "FRAME"))
        chosen.source, chosen.place, chosen.offset = follow_properties.POINT, place, (0, 0, 0)


class LIMBER_OT_pin_remove(_Adds, bpy.types.Operator):
    """Remove the chosen pin. Its Empty stays in the scene"""

    bl_idname = "limber.pin_remove"
    bl_label = "Remove"

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """Take it off the list."""
        del context
        kept = follow_properties.of(obj)
        if not 0 <= kept.pin < len(kept.pins):
            raise InvalidRequestError("pin", "none is chosen")
        kept.pins.remove(kept.pin)
        kept.pin = max(min(kept.pin, len(kept.pins) - 1), 0)


class LIMBER_OT_waypoint_add(_Adds, bpy.types.Operator):
    """A waypoint at the current frame: an Empty on the ground under the character, facing as it faces"""

    bl_idname = "limber.waypoint_add"
    bl_label = "Add Waypoint"

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """An Empty and its entry."""
        kept, bone = follow_properties.of(obj), map_of(obj).bones["pelvis"][0]
        matrix = np.eye(4)
        matrix[:2, 3] = head(obj, bone)[:2]
        turn = facing(obj, bone)
        matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        entry = kept.waypoints.add()
        entry.target = add_empty(context, f"{obj.name} waypoint", matrix, "PLAIN_AXES")
        entry.frame = context.scene.frame_current
        kept.waypoint = len(kept.waypoints) - 1


def facing(obj: Any, pelvis: str) -> float:
    """Radians to the left of the front view that the hips have turned from their rest pose."""
    turned = pins.matrices((obj, pelvis))[:3, :3]
    rest = np.array(obj.data.bones[pelvis].matrix_local, np.float64)[:3, :3]
    difference = turned @ np.linalg.inv(rest)
    front = difference @ np.array([0.0, -1.0, 0.0])
    return float(np.arctan2(front[0], -front[1])) if np.hypot(*front[:2]) > 1e-6 else 0.0


class LIMBER_OT_waypoint_remove(_Adds, bpy.types.Operator):
    """Remove the chosen waypoint. Its Empty stays in the scene"""

    bl_idname = "limber.waypoint_remove"
    bl_label = "Remove Waypoint"

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """Take it off the list."""
        del context
        kept = follow_properties.of(obj)
        if not 0 <= kept.waypoint < len(kept.waypoints):
            raise InvalidRequestError("waypoint", "none is chosen")
        kept.waypoints.remove(kept.waypoint)
        kept.waypoint = max(min(kept.waypoint, len(kept.waypoints) - 1), 0)


class LIMBER_OT_path_stroke(_Adds, bpy.types.Operator):
    """Make the last drawn annotation or Grease Pencil stroke a curve, and that the character's path"""

    bl_idname = "limber.path_stroke"
    bl_label = "From Stroke"

    def change(self, context: bpy.types.Context, obj: Any) -> None:
        """A curve object."""
        points = paths.last_stroke(context)
        follow_properties.of(obj).path = paths.to_curve(points, f"{obj.name} path", context.scene)


CLASSES = (LIMBER_OT_pin_empty, LIMBER_OT_pin_object, LIMBER_OT_pin_here, LIMBER_OT_pin_present, LIMBER_OT_pin_cursor,
           LIMBER_OT_pin_remove, LIMBER_OT_waypoint_add, LIMBER_OT_waypoint_remove, LIMBER_OT_path_stroke)  # fmt: skip
