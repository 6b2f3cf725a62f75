"""Pins, path, waypoints and deviations in the viewport, of the active armature while Follow is the task.

:func:`shapes` says what there is to be seen, in the world; the two handlers draw it. Nothing is drawn in
background mode, and what cannot be read (a path without length) is left out: the run says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import blf
import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d

from . import (
    armature_io,
    checks,
    follow_properties,
    followed,
    gpu_drawing,
    jobs,
    paths,
    pins,
    plans,
    properties,
)
from .gpu_drawing import Color
from .motion import controls, pinned
from .motion.errors import LimberError
from .motion.rotations import Array
from .translations import shown

HARD: Color = (1.0, 0.55, 0.1, 1.0)
SOFT: Color = (0.35, 0.7, 1.0, 1.0)
RESTING = 0.35
"""How much of its opacity is left of a pin that does not hold at the current frame."""
WAY: Color = (0.4, 0.9, 0.5, 0.9)
AWAY: Color = (1.0, 0.25, 0.25, 1.0)
PIXELS = 6
"""Half the width of a pin's diamond."""
ARROW = 0.3
"""Length of a waypoint's arrow, metres."""
CLEARLY = 0.01
"""Metres: a path that is missed by less is not worth a line."""


@dataclass
class Shapes:
    """What there is to be seen, in the world's units.

    Attributes:
        lines: points ``(n, 3)`` that are joined, colour and width in pixels of each.
        marks: place ``(3,)`` and colour of each diamond.
        texts: place ``(3,)``, words and colour of each.
    """

    lines: list[tuple[Array, Color, float]] = field(default_factory=list)
    marks: list[tuple[Array, Color]] = field(default_factory=list)
    texts: list[tuple[Array, str, Color]] = field(default_factory=list)

    def miss(self, there: Array, here: Array, name: str, unit: float, least: float) -> None:
        """A line from where something is to where it has to be, and how far that is."""
        away = unit * float(np.linalg.norm(there - here))
        if away > least:
            self.lines.append((np.stack([here, there]), AWAY, 2.0))
            self.texts.append((there, f"{name}: {followed.length(away)}", AWAY))


def shapes(obj: Any, scene: Any) -> Shapes:
    """What is to be seen of an armature object at the scene's current frame."""
    out, kept, unit = Shapes(), follow_properties.of(obj), armature_io.unit_scale(scene)
    for number, pin in enumerate(kept.pins):
        if pin.use and pin.source != follow_properties.PRESENT:
            _pin(out, obj, pin, number, scene.frame_current, unit)
    for number, waypoint in enumerate(kept.waypoints):
        if waypoint.target is not None:
            _waypoint(out, waypoint, number, unit)
    if kept.path is not None:
        _path(out, obj, scene, unit)
    return out


def _faint(color: Color) -> Color:
    return gpu_drawing.faint(color, RESTING)


def _pin(out: Shapes, obj: Any, pin: Any, number: int, frame: int, unit: float) -> None:
    place = np.array(pin.place, np.float64) + np.array(pin.offset)
    if pin.source == follow_properties.OBJECT:
        target, bone = pin.target, pin.target_bone
        if target is None or (bone and (target.type != "ARMATURE" or bone not in target.pose.bones)):
            return
        world = np.array(target.matrix_world, np.float64)
        world = world @ np.array(target.pose.bones[bone].matrix, np.float64) if bone else world
        place = world[:3, 3] + world[:3, :3] @ np.array(pin.offset, np.float64)
    color = HARD if pin.hard else SOFT
    holds = pin.start <= frame <= pin.end
    out.marks.append((place, color if holds else _faint(color)))
    shown = _shown(obj, pin.bone)
    if holds and shown:
        here = np.array(obj.matrix_world @ obj.pose.bones[shown].head, np.float64)
        out.miss(place, here, pins.title(pin, number), unit, pinned.EXACT)


def _shown(obj: Any, bone: str) -> str:
    """The bone that shows where a pinned one is; "" where that cannot be told now."""
    if bone not in obj.pose.bones:
        return ""
    session = jobs.current()
    character = session.characters.get(obj) if session else None
    return pins.shown(obj, character.bone_map, bone) if character and character.bone_map else bone


def _waypoint(out: Shapes, waypoint: Any, number: int, unit: float) -> None:
    world = np.array(waypoint.target.matrix_world, np.float64)
    place = world[:3, 3]
    out.marks.append((place, WAY))
    out.texts.append((place, f"{number + 1}: frame {waypoint.frame}", WAY))
    if not waypoint.use_heading:
        return
    try:
        angle = pins.heading(world)
    except LimberError:
        return  # straight up: the run says so
    ahead = np.array([np.sin(angle), -np.cos(angle), 0.0]) * ARROW / unit
    aside = np.array([-ahead[1], ahead[0], 0.0])
    tip = place + ahead
    out.lines.append((np.stack([place, tip]), WAY, 2.0))
    out.lines.append(
        (np.stack([tip - 0.3 * ahead + 0.2 * aside, tip, tip - 0.3 * ahead - 0.2 * aside]), WAY, 2.0)
    )


def _path(out: Shapes, obj: Any, scene: Any, unit: float) -> None:
    """The line, a mark for every second of it, and how far the hips are from where they have to be now."""
    kept = follow_properties.of(obj)
    try:
        points, closed = paths.line(kept.path)
    except LimberError:
        return
    out.lines.append((np.concatenate([points, points[:1]]) if closed else points, WAY, 2.5))
    ground = _walked(obj, scene, points, closed)
    if ground is None:
        return
    height = float(points[:, 2].mean())
    places = (
        np.stack([ground.places[:, 0], -ground.places[:, 1], np.full(len(ground.places), height * unit)], -1)
        / unit
    )
    for k in range(0, len(places), max(1, round(armature_io.scene_fps(scene)))):
        out.marks.append((places[k], _faint(WAY)))
    at = np.flatnonzero(ground.frames + ground_start(obj, scene) == scene.frame_current)
    session = jobs.current()
    character = session.characters.get(obj) if session else None
    if len(at) and character is not None and character.bone_map is not None:
        roles = character.bone_map.bones
        hips = [_shown(obj, roles[f"{side}_hip"][0]) for side in ("left", "right")]  # the joint is half way
        heads = [obj.matrix_world @ obj.pose.bones[bone].head for bone in hips]
        here = np.array(heads, np.float64).mean(0)
        here[2] = places[at[0], 2]
        out.marks.append((places[at[0]], WAY))
        out.miss(places[at[0]], here, "Path", unit, CLEARLY)


def ground_start(obj: Any, scene: Any) -> int:
    """Scene frame that a path's frames are counted from."""
    return plans.frame_range(obj, scene, properties.settings(scene))[0]


_KNOWN: dict[tuple[Any, ...], Any] = {}
"""The path as it was last walked, by all that it depends on: drawing happens far more often than changes."""


def _walked(obj: Any, scene: Any, points: Array, closed: bool) -> Any:
    """Where one is on the path at every frame; None where that makes no sense."""
    kept = follow_properties.of(obj)
    try:
        start, end = plans.frame_range(obj, scene, properties.settings(scene))
    except LimberError:
        return None
    timed = kept.pace == follow_properties.TIMED and kept.path.data.eval_time  # its keys change with it
    key = (points.tobytes(), closed, start, end, kept.pace, kept.speed, kept.own_frames, kept.start, kept.end, timed,
           armature_io.scene_fps(scene), armature_io.unit_scale(scene))  # fmt: skip
    if key not in _KNOWN:
        _KNOWN.clear()
        _KNOWN[key] = None
        try:
            told = pins.path_entry(kept, start, end)
            if told is not None and end >= start:
                entries = {"up": "Z", "unit": armature_io.unit_scale(scene), "path": told}
                read = controls.load(entries, armature_io.scene_fps(scene), end - start + 1, start)
                _KNOWN[key] = read.path
        except LimberError:
            pass  # nothing to walk: the run says what is wrong
    return _KNOWN[key]


# -- drawing --------------------------------------------------------------------------------------------


def wanted(context: Any) -> Any:
    """The armature object whose pins are drawn in a view; None: none is."""
    obj = checks.active_armature(context)
    space = context.space_data
    if obj is None or space is None or not space.overlay.show_overlays:
        return None
    if properties.settings(context.scene).task != plans.FOLLOW or not follow_properties.of(obj).show:
        return None
    return obj


def draw_lines() -> None:
    """In the view's space: paths, arrows, deviations."""
    context = bpy.context
    obj = wanted(context)
    if obj is None:
        return
    size = gpu_drawing.size(context.region)
    with gpu_drawing.blended():
        for points, color, width in shapes(obj, context.scene).lines:
            gpu_drawing.lines(gpu_drawing.batch(gpu_drawing.LINE, "LINE_STRIP", points), color, width, size)


def draw_marks() -> None:
    """In the region's pixels: diamonds and words, of one size however far they are."""
    context = bpy.context
    obj = wanted(context)
    if obj is None:
        return
    found = shapes(obj, context.scene)
    scale = context.preferences.system.ui_scale
    region, view = context.region, context.region_data
    with gpu_drawing.blended():
        for place, color in found.marks:
            at = location_3d_to_region_2d(region, view, place.tolist())
            if at is None:
                continue
            gpu_drawing.diamond(at.x, at.y, PIXELS * scale, color)
        for place, words, color in found.texts:
            at = location_3d_to_region_2d(region, view, place.tolist())
            if at is None:
                continue
            blf.size(0, 12 * scale)
            blf.color(0, *color)
            blf.position(0, at.x + 1.8 * PIXELS * scale, at.y - 0.6 * PIXELS * scale, 0)
            blf.draw(0, shown(words))


handlers = gpu_drawing.Handlers()


def register() -> None:
    """Draw from now on."""
    handlers.add(bpy.types.SpaceView3D, draw_lines, "POST_VIEW")
    handlers.add(bpy.types.SpaceView3D, draw_marks, "POST_PIXEL")


def unregister() -> None:
    """Draw no more, and forget what was drawn."""
    handlers.remove()
    _KNOWN.clear()
