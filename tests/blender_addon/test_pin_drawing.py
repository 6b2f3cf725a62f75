"""What the viewport shows of pins, path and waypoints: said in the world; a real window draws it (window/follow.py)."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import jobs, pin_drawing
from blender_addon.pin_drawing import AWAY, HARD, SOFT, WAY, shapes
from tests.blender_addon.characters import capture_motion, make_person
from tests.blender_addon.test_follow import curve, empty, pin, ready, seen


@pytest.fixture
def person(addon: None) -> Any:
    obj = make_person()
    capture_motion(obj)
    ready(obj)
    session = jobs.current()
    assert session is not None
    session.characters.find(obj)
    bpy.context.scene.frame_set(20)
    return obj


def drawn(obj: Any) -> pin_drawing.Shapes:
    return shapes(obj, bpy.context.scene)


def test_nothing_to_follow_nothing_to_see(person: Any) -> None:
    found = drawn(person)
    assert [*found.lines, *found.marks, *found.texts] == []


def test_pins_and_how_far_they_are_missed(person: Any) -> None:
    wrist = seen(person, "left_wrist", 20)
    pin(person, "left_wrist", wrist + [0, 0, 0.03], (15, 25)).name = "Cup"
    pin(person, "head", seen(person, "head", 20), (15, 25), hard=False)
    pin(person, "right_wrist", (0, 0, 0), (40, 45))
    found = drawn(person)
    assert [color for _, color in found.marks] == [HARD, SOFT, (*HARD[:3], pin_drawing.RESTING)]
    assert np.allclose(found.marks[0][0], wrist + [0, 0, 0.03], atol=1e-6)
    ((line, color, _),) = found.lines
    assert color == AWAY
    assert np.allclose(line, [wrist, wrist + [0, 0, 0.03]], atol=1e-6)
    assert [words for _, words, _ in found.texts] == ["Cup: 3.0 cm"]


def test_a_target_is_seen_where_it_is_now(person: Any) -> None:
    prop = empty("Prop", (1, 2, 3))
    prop.scale = (2, 2, 2)
    bpy.context.view_layer.update()
    pin(person, "head", (0, 0, 0), (40, 45), source="OBJECT", target=prop, offset=(0, 0, 0.5))
    assert np.allclose(drawn(person).marks[0][0], (1, 2, 4))
    bpy.data.objects.remove(prop)
    assert not drawn(person).marks


def test_the_path_has_a_mark_a_second_and_shows_where_the_hips_should_be(person: Any) -> None:
    person.limber_follow.path = curve([(0, 0, 0.1), (0, -2, 0.1)])
    found = drawn(person)
    assert len(found.lines) == 2
    path, color, _ = found.lines[0]
    assert color == WAY
    assert np.allclose(path[[0, -1]], [(0, 0, 0.1), (0, -2, 0.1)])
    seconds = [place for place, c in found.marks if c[3] < WAY[3]]
    assert len(seconds) == 2  # 41 frames at 24 a second
    assert np.allclose(seconds[1], (0, -2 * 24 / 40, 0.1), atol=1e-3)
    away, color, _ = found.lines[1]
    assert color == AWAY
    hips = 0.5 * (seen(person, "left_hip", 20) + seen(person, "right_hip", 20))
    assert np.allclose(away, [(hips[0], hips[1], 0.1), (0, -2 * 10 / 40, 0.1)], atol=1e-3)


def test_a_path_that_cannot_be_walked_is_only_a_line(person: Any) -> None:
    person.limber_follow.path = curve([(0, 0, 0), (0, -2, 0)])
    person.limber_follow.pace = "KEYS"
    assert len(drawn(person).lines) == 1
    assert not drawn(person).marks
    person.limber_follow.path.scale = (0, 0, 0)
    bpy.context.view_layer.update()
    assert not drawn(person).lines


def test_waypoints_point_the_way_they_face(person: Any) -> None:
    there = empty("There", (1, 1, 0))
    there.rotation_euler = (0, 0, math.radians(90))
    bpy.context.view_layer.update()
    entry = person.limber_follow.waypoints.add()
    entry.target, entry.frame = there, 33
    found = drawn(person)
    assert np.allclose(found.lines[0][0], [(1, 1, 0), (1 + pin_drawing.ARROW, 1, 0)], atol=1e-6)
    assert found.texts[0][1] == "1: frame 33"
    there.rotation_euler = (math.radians(90), 0, 0)
    bpy.context.view_layer.update()
    assert not drawn(person).lines


def test_scenes_in_other_units(person: Any) -> None:
    bpy.context.scene.unit_settings.scale_length = 0.01
    pin(person, "left_wrist", seen(person, "left_wrist", 20) + [0, 0, 3], (15, 25)).name = "Cup"
    assert drawn(person).texts[0][1] == "Cup: 3.0 cm"
