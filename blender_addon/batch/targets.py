"""Opening files and the characters in them, and their Actions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .. import actions, armature_io, scene_files, whole_motion
from ..keyframes import split_path
from ..motion import clip
from ..motion.bone_maps import BoneMap
from ..motion.clip import Clip
from ..motion.errors import FileFormatError, InvalidRequestError, LimberError
from ..whole_motion import Character
from . import sources, vrm_map
from .plan import Place

POSES = 40
"""Poses of its own Actions that are looked at to see how a character stands."""
_USD = (".usd", ".usda", ".usdc", ".usdz")


@dataclass(frozen=True, eq=False)
class Target:
    """An opened character.

    Attributes:
        character: its armature, map and reference pose.
        own: its own Action, which bones that a source lacks keep; None where it has none.
        several: how many Actions the file has where it is unclear which one would be its own.
    """

    character: Character
    own: Any
    several: int = 0


def open_file(place: Place) -> Any:
    """Make this Blender hold a file and nothing else; its armature object, evaluated and editable.

    Raises:
        LimberError: not a file of its kind, no armature, or several and none is chosen.
        OSError: it cannot be read.
    """
    path = Path(place.path)
    ending = path.suffix.lower()
    if not path.stat().st_size:
        raise FileFormatError(str(path), "empty")  # importers take an empty file for one of another kind
    try:
        if ending in _USD or ending == ".vrm":
            _import_more(path, ending)
        else:
            scene_files.open_scene(path)
        if not scene_files.armatures():
            _override_instances()
        obj = scene_files.choose_armature(place.armature)
    except InvalidRequestError as error:
        # the command line of retargeting names the armature behind the file
        raise LimberError(
            str(error).replace("Choose with --armature:", f"Choose one as {path.name}:NAME of")
        ) from error
    if not len(obj.data.bones):
        raise InvalidRequestError("armature", f"{obj.name} has no bones")
    return _editable(obj)


def _import_more(path: Path, ending: str) -> None:
    """What :mod:`..scene_files` does not know: VRM, which is glTF by another name, and USD."""
    with path.open("rb"):
        pass
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if ending == ".vrm":
        scene_files.enable("io_scene_gltf2")
        scene_files._quietly(path, "cannot be read", lambda: bpy.ops.import_scene.gltf(filepath=str(path)))
        return
    operator = getattr(bpy.ops.wm, "usd_import", None)
    if operator is None or "usd_import" not in dir(bpy.ops.wm):
        raise FileFormatError(str(path), "this Blender was built without USD")
    scene_files._quietly(path, "cannot be read", lambda: operator(filepath=str(path)))


def _override_instances() -> None:
    """Library overrides of linked collections that stand in the scene as instances: their armatures can move."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    for empty in [o for o in scene.objects if o.instance_type == "COLLECTION"]:
        linked = empty.instance_collection
        if (
            linked is None
            or linked.library is None
            or not any(o.type == "ARMATURE" for o in linked.all_objects)
        ):
            continue
        if linked.override_hierarchy_create(scene, layer, reference=empty) is None:
            raise InvalidRequestError("armature", f"{empty.name} is linked and Blender cannot override it")


def _editable(obj: Any) -> Any:
    """The object, or where it is linked from another file its library override."""
    layer = bpy.context.view_layer
    if obj.library is not None:
        made = obj.override_hierarchy_create(bpy.context.scene, layer)
        if made is None:
            raise InvalidRequestError("armature", f"{obj.name} is linked and Blender cannot override it")
        obj = made
        if obj.name not in layer.objects:
            bpy.context.scene.collection.objects.link(obj)
    if obj.hide_get():
        obj.hide_set(False)
    obj.hide_viewport = False
    if obj.data.pose_position != "POSE" and obj.data.library is None:
        obj.data.pose_position = "POSE"
    layer.objects.active = obj
    layer.update()
    return obj


def open_target(place: Place, choice: str) -> Target:
    """Open a character for retargeting.

    Args:
        place: the file, and its armature.
        choice: which map, see :func:`.sources.choose_map`.

    Raises:
        LimberError: see :func:`open_file`; or it has no map.
    """
    obj = open_file(place)
    bone_map = map_of(place, obj, choice)
    if Path(place.path).suffix.lower() == ".blend":
        own = obj.animation_data.action if obj.animation_data else None
        shown = None if own is None else whole_motion.read(obj, bone_map, _spread(own, POSES))
        return Target(whole_motion.describe(obj, (), bone_map, shown), own)
    # importers leave whichever clip came last on the armature, and all of them on NLA tracks
    found = actions_of(obj)
    own = found[0] if len(found) == 1 else None
    shown = _poses(obj, bone_map, found)
    for other in bpy.data.objects:
        other.animation_data_clear()
    for bone in obj.pose.bones:
        bone.matrix_basis.identity()
    bpy.context.view_layer.update()
    if own is not None:
        play_alone(obj, own)
    for action in found if own is None else ():
        bpy.data.actions.remove(action)
    return Target(whole_motion.describe(obj, (), bone_map, shown), own, 0 if own else len(found))


def map_of(place: Place, obj: Any, choice: str) -> BoneMap:
    """The map of an opened file's armature: kept on it, stated in the file, or found; or the one that is asked for.

    Raises:
        MappingError: see :func:`.sources.choose_map`.
    """
    if choice == "auto":
        if (kept := whole_motion.kept_map(obj)) is not None:
            return kept
        told = vrm_map.stated(Path(place.path)) if place.path.lower().endswith(".vrm") else None
        if told is not None and all(name in obj.data.bones for name in told.names):
            return told
    return sources.choose_map(armature_io.read_skeleton(obj), choice)


def _poses(obj: Any, bone_map: BoneMap, found: Sequence[Any]) -> Clip | None:
    """Poses of the file's own Actions: they show how the character stands where its rest pose does not."""
    parts = []
    for action in found:
        try:
            play_alone(obj, action)
            parts.append(whole_motion.read(obj, bone_map, _spread(action, max(2, POSES // len(found)))))
        except LimberError:  # an Action that cannot be read shows nothing; the clip itself is not wanted
            continue
    return clip.concatenate(parts) if parts else None


def _spread(action: Any, count: int) -> np.ndarray:
    return np.linspace(action.frame_range[0], action.frame_range[1], count)


# -- Actions ----------------------------------------------------------------------------------------


def actions_of(obj: Any) -> list[Any]:
    """Actions of the file that move this armature's bones, by name."""
    return [a for a in sorted(bpy.data.actions, key=lambda a: a.name) if slot_for(obj, a) is not None]


def slot_for(obj: Any, action: Any) -> Any:
    """The slot of an Action that is this armature's: its own name, else the one with most of its bones.

    None where no slot moves any of its bones, or mostly bones that it does not have.
    """
    best, most = None, 0.0
    for slot in action.slots:
        if slot.target_id_type not in ("OBJECT", "UNSPECIFIED"):
            continue
        bag = actions.channelbag(action, slot, ensure=False)
        split = [split_path(f.data_path) for f in bag.fcurves] if bag else []
        bones = {s[0] for s in split if s and s[0]}
        here = sum(b in obj.pose.bones for b in bones)
        if here * 2 <= len(bones):
            continue
        score = here + (0.5 if slot.identifier == f"OB{obj.name}" else 0.0)
        if score > most:
            best, most = slot, score
    return best


def play_alone(obj: Any, action: Any) -> tuple[int, int]:
    """Give the armature an Action and silence its NLA; first and last whole frame.

    Raises:
        InvalidRequestError: the Action moves none of its bones, or holds no frames.
    """
    slot = slot_for(obj, action)
    if slot is None:
        raise InvalidRequestError("action", f"{action.name} moves none of the armature's bones")
    data = obj.animation_data or obj.animation_data_create()
    data.use_nla = False
    data.action = action
    data.action_slot = slot
    first, last = action.frame_range
    if not (np.isfinite(first) and np.isfinite(last)) or last - first > sources.MAX_FRAMES:
        raise InvalidRequestError("action", f"{action.name} goes from frame {first:.0f} to {last:.0f}, at most "
                                  f"{sources.MAX_FRAMES} frames are taken", "Cut the take up.")  # fmt: skip
    return int(np.floor(first)), int(np.ceil(last))


def same_file(a: Place, b: Place) -> bool:
    """Whether two places are in one file."""
    return os.path.abspath(a.path) == os.path.abspath(b.path)
