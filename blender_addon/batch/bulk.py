"""F-curves for a whole clip at once.

Most rigs are plain: bones that inherit everything, no constraints, nothing locked. Their channel
values are the clip's local rotations against rest, one product for all bones and frames. Whatever
is not plain goes the long way through :mod:`..channel_writer`, which knows every rule of Blender's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from itertools import pairwise
from typing import Any

import bpy
import numpy as np

from .. import actions, armature_io, continuity, pose_model, rigify_io, whole_motion
from ..depsgraph import needs_depsgraph, object_moves_by_depsgraph
from ..keyframes import ChannelId, bone_path
from ..motion import rotations
from ..motion.clip import Clip
from ..motion.errors import InvalidRequestError
from ..motion.root_motion import GroundPath
from ..motion.rotations import Array
from ..records import enum_value
from ..whole_motion import Character
from . import control_fingers, control_rig
from .convert import Converted

CHUNK = 16384
"""Frames that are worked on at once: memory stays within limits for takes of any length."""

Values = dict[ChannelId, Array]


def chunks(frames: int, size: int) -> Iterator[slice]:
    """The frames of a clip, at most ``size`` at once."""
    return (slice(at, min(at + size, frames)) for at in range(0, frames, size))


def channels(
    character: Character,
    made: Converted,
    base: Clip | None,
    first: int,
    say: Callable[[str], None] = lambda text: None,
) -> Values:
    """Channel -> values, one a frame. ``(F,)``.

    Args:
        character: what is written to.
        made: what is to be seen.
        base: the character's own animation over the same frames; None: its rest pose.
        first: scene frame of the first one.
        say: called now and then, as a sign of life.
    """
    steps, told = channels_steps(character, made, base, first, CHUNK), -1.0
    while True:
        try:
            share = next(steps)
        except StopIteration as stop:
            return stop.value
        if share >= told + 0.05:
            told = share
            say(f"{share:.0%} of the channels")


def channels_steps(
    character: Character, made: Converted, base: Clip | None, first: int, size: int
) -> Generator[float, None, Values]:
    """:func:`channels` in pieces of ``size`` frames, or smaller ones; yields the fraction done."""
    rig, names = character.rig, character.rig.skeleton.names
    bones = [names[b] for b in made.bones(rig)]
    moved = [names[b] for b in made.places] + [names[rig.bones.first("pelvis")]]
    plain = is_plain(character, bones, moved)
    if not plain and made.places:
        raise InvalidRequestError("root", f"the bones of {character.obj.name} are constrained or locked, so that none "
                                  "of them can carry the way", "Use --root hips or --root object.")  # fmt: skip
    solver = None
    if control_rig.is_free(character, bones):
        solver = control_rig.Solver(character, made.onto(rig, None, slice(0, 1)), first)
    parts: list[Values] = []
    for rows in chunks(len(made.written), size):
        done = rows.start / len(made.written)
        yield done
        clip = made.onto(rig, base, rows)
        if solver is not None:
            parts.append(solver.channels(clip) | control_fingers.channels(character, made, rows, clip))
        elif plain:
            parts.append(plain_channels(character, clip, bones, moved))
        else:
            part = len(clip) / len(made.written)
            steps = _long_way(character, clip, bones, moved[-1], first + rows.start)
            long = yield from _scaled(steps, done, part)
            if rigify_io.is_control_rig(character.obj, character.bone_map):
                long |= control_fingers.channels(character, made, rows, clip)
            parts.append(long)
    out = _joined(parts, character.obj)
    if solver is not None:
        out.update(control_rig.switch_values(character.obj, len(made.written)))
    if made.path is not None:
        carried = control_rig.root_channels if made.on_control else object_channels
        out.update(carried(character, made.path))
    return out


def _scaled(
    steps: Generator[float, None, Values], start: float, part: float
) -> Generator[float, None, Values]:
    """The steps of a part, as fractions of the whole."""
    while True:
        try:
            share = next(steps)
        except StopIteration as stop:
            return stop.value
        yield start + part * share


def _joined(parts: list[Values], obj: Any) -> Values:
    """Chunks one after the other; each rotation goes on where the last chunk's ended."""
    if len(parts) == 1:
        return parts[0]
    for before, after in pairwise(parts):
        for path in {p for p, _ in after}:
            turn = [(path, i) for i in range(4) if (path, i) in after]
            if not all(t in before for t in turn):
                continue
            if path.endswith("rotation_quaternion"):
                if sum(before[t][-1] * after[t][0] for t in turn) < 0:
                    after.update({t: -after[t] for t in turn})
            elif path.endswith("rotation_euler"):
                now = np.stack([after[t] for t in turn], 1)
                last = np.array([before[t][-1] for t in turn])
                after.update(zip(turn, continued(now, last, _order(obj, path)).T, strict=True))
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _order(obj: Any, path: str) -> str:
    owner = obj.path_resolve(path.rpartition(".")[0]) if "." in path else obj
    return str(owner.rotation_mode)


def continued(angles: Array, last: Array, order: str) -> Array:
    """Euler angles ``(F, 3)`` by axis, as whole turns and the other triple of each rotation let them go on at ``last``.

    Two triples give one rotation: the outer angles half a turn on, the middle one mirrored.
    """
    turns = 2 * np.pi
    other = angles + np.pi
    middle = "XYZ".index(order[1])
    other[:, middle] = np.pi - angles[:, middle]
    both = [x - turns * np.round((x[0] - last) / turns) for x in (angles, other)]
    return min(both, key=lambda x: float(np.abs(x[0] - last).sum()))


# -- plain rigs -------------------------------------------------------------------------------------


def is_plain(character: Character, bones: Collection[str], moved: Collection[str]) -> bool:
    """Whether channel values are local rotations and nothing else.

    Args:
        character: what is written to.
        bones: are turned.
        moved: of these, get a location too.
    """
    obj, pose = character.obj, character.obj.pose.bones
    if rigify_io.is_control_rig(obj, character.bone_map) or object_moves_by_depsgraph(obj):
        return False
    names = character.rig.skeleton.names
    world = np.array(obj.matrix_world)[:3, :3]
    lengths = np.linalg.norm(world, axis=0)
    if np.linalg.det(world) <= 0 or np.ptp(lengths) > 1e-5 * lengths.max() or needs_depsgraph(obj, names):
        return False
    curves = pose_model.Curves(obj)
    if any(curves.animated(p) for p in ("location", "rotation_quaternion", "rotation_euler", "scale")):
        return False
    for info in pose_model.bone_infos(obj, names):
        bone = pose[info.name]
        if not info.inherit_rotation or not np.allclose(bone.scale, 1, atol=1e-6):
            return False
        if curves.animated(bone_path(info.name, "scale")):
            return False
        if info.name in bones and any(bone.lock_rotation):
            return False
        if info.name in moved and (info.connected or any(bone.lock_location) or not info.local_location):
            return False
    return True


def plain_channels(
    character: Character, clip: Clip, bones: Collection[str], moved: Collection[str]
) -> Values:
    """Values for a plain rig from a clip on its skeleton."""
    obj, s = character.obj, clip.skeleton
    index = {name: i for i, name in enumerate(s.names)}
    at = [index[b] for b in bones]
    turned = rotations.multiply(rotations.inverse(s.rest_rotations[at]), clip.rotations[:, at])
    out: Values = {}
    frames, nothing = np.arange(len(clip), dtype=np.float64), np.empty(0)
    for k, name in enumerate(bones):
        mode = obj.pose.bones[name].rotation_mode
        path = bone_path(name, pose_model.rotation_property(mode))
        size = 3 if len(mode) == 3 else 4
        values = continuity.channel_values(turned[:, k], mode, frames, nothing, np.empty((0, size)))
        out.update({(path, i): values[:, i] for i in range(size)})
    t = clip.local_translations()
    scale = np.cbrt(np.linalg.det(np.array(obj.matrix_world)[:3, :3])) * armature_io.unit_scale()
    for name in moved:
        k = index[name]
        step = rotations.rotate(rotations.inverse(s.rest_rotations[k]), t[:, k] - s.offsets[k]) / scale
        out.update({(bone_path(name, "location"), i): step[:, i] for i in range(3)})
    return out


def _long_way(
    character: Character, clip: Clip, bones: Collection[str], pelvis: str, first: int
) -> Generator[float, None, Values]:
    """Any rig, bone by bone, locks, constraints and control rigs included."""
    if rigify_io.is_control_rig(character.obj, character.bone_map):
        found = yield from whole_motion.channels_steps(character, clip, first)
    else:
        frames = np.arange(first, first + len(clip), dtype=np.float64)
        found = yield from armature_io.basis_channels_steps(
            character.obj, clip, frames, list(bones), None, pelvis
        )
    out: Values = {}
    for key, value in found.items():
        frames, values = np.asarray(value[0]), np.asarray(value[1], np.float64)
        inside = (frames >= first) & (frames < first + len(clip))
        out[key] = values[inside]
    return out


def object_channels(character: Character, path: GroundPath) -> Values:
    """The armature object's own channels for a way over the ground.

    Raises:
        InvalidRequestError: it has a parent or delta transforms, so its channels are not its place.
    """
    obj = character.obj
    if obj.parent is not None or any(obj.delta_location) or any(obj.delta_rotation_euler):
        raise InvalidRequestError("root", f"the object {obj.name} has a parent or delta transforms",
                                  "Use --root hips.")  # fmt: skip
    unit = armature_io.unit_scale()
    up = rotations.inverse(armature_io.Y_UP)
    places = rotations.rotate(up, path.places) / unit + np.array([0.0, 0.0, obj.location[2]])
    turns = rotations.multiply(rotations.multiply(up, path.turns), armature_io.Y_UP)
    prop = pose_model.rotation_property(obj.rotation_mode)
    own = pose_model.to_rotation(np.array(getattr(obj, prop), np.float64), obj.rotation_mode)
    frames = np.arange(len(places), dtype=np.float64)
    size = len(getattr(obj, prop))
    values = continuity.channel_values(rotations.multiply(turns, own), obj.rotation_mode, frames, np.empty(0),
                                       np.empty((0, size)))  # fmt: skip
    return {("location", i): places[:, i] for i in range(3)} | {(prop, i): values[:, i] for i in range(size)}


# -- writing ----------------------------------------------------------------------------------------


def write_action(obj: Any, name: str, values: Mapping[ChannelId, Array], first: int, own: Any = None) -> Any:
    """A new Action with a key a frame, given to the object; other curves of ``own`` are carried over.

    Args:
        obj: the armature object.
        name: of the Action.
        values: of :func:`channels`.
        first: scene frame of the first value.
        own: the Action that bones without a role keep; it stays as it is.
    """
    steps = write_steps(obj, name, values, first, own)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            made, slot = stop.value
            break
    actions.assign(obj, made, slot)
    return made


def write_steps(
    obj: Any, name: str, values: Mapping[ChannelId, Array], first: int, own: Any = None
) -> Generator[Any, None, tuple[Any, Any]]:
    """:func:`write_action` a curve at a time, without giving it to the object; yields it, returns it and its slot."""
    actions.check_editable(obj)
    data = obj.animation_data or obj.animation_data_create()
    slot = data.action_slot if own is not None and data.action == own else None
    if own is not None and own.library is None:
        own.use_fake_user = True  # it loses its only user, and would not be saved
    made = own.copy() if own is not None else bpy.data.actions.new(name)
    yield made
    made.name, made.use_fake_user = name, True
    slot = made.slots[slot.identifier] if slot else made.slots[0] if len(made.slots) else made.slots.new(
        id_type="OBJECT", name=obj.name)  # fmt: skip
    bag = actions.channelbag(made, slot)
    present = {(f.data_path, f.array_index): f for f in bag.fcurves} if own is not None else {}
    count = len(next(iter(values.values()), ()))
    co = np.empty((count, 2), np.float32)
    co[:, 0] = np.arange(first, first + count)
    kinds = {
        kind: np.full(count, enum_value("interpolation", kind), np.uint8) for kind in ("LINEAR", "CONSTANT")
    }
    for (path, index), column in values.items():
        if (path, index) in present:
            bag.fcurves.remove(present[path, index])
        curve = _new_curve(bag, path, index)
        co[:, 1] = column
        curve.keyframe_points.add(count)
        curve.keyframe_points.foreach_set("co", co.ravel())
        kind = "CONSTANT" if path.endswith('"]') else "LINEAR"
        curve.keyframe_points.foreach_set("interpolation", kinds[kind])
        curve.update()
        yield made
    made.deselect_keys()
    return made, slot


def _new_curve(bag: Any, path: str, index: int) -> Any:
    curve = bag.fcurves.new(path, index=index)
    bone = path.split('"')[1] if path.startswith("pose.bones[") else "Object Transforms"
    curve.group = bag.groups.get(bone) or bag.groups.new(bone)
    curve.color_mode = "AUTO_YRGB" if path.endswith("rotation_quaternion") else "AUTO_RGB"
    return curve
