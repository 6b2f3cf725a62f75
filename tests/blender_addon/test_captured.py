"""Complete and Refine on captured motion, with the real backend: what was not asked for stays bit for bit."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import actions, selection
from blender_addon.jobs import Session
from blender_addon.keyframes import split_path
from tests.blender_addon.characters import capture_motion, every_record, make_person

Records = dict[tuple[str, int], np.ndarray]


@pytest.fixture
def person(able_session: Session) -> Any:
    obj = make_person()
    capture_motion(obj)
    bpy.ops.ed.undo_push(message="captured")
    return obj


def ask(task: str, start: int, end: int, **settings: Any) -> None:
    """Press a task's button."""
    scene = bpy.context.scene.limber
    scene.task, scene.range_mode, scene.start, scene.end = task, "OWN", start, end
    for name, value in settings.items():
        setattr(scene, name, value)
    assert getattr(bpy.ops.limber, task)() == {"FINISHED"}


def same(before: Records, after: Records, asked: set[str], start: int, end: int) -> set[tuple[str, int]]:
    """Assert that all is bit for bit as before but rotations (and the pelvis' place) of bones in ``asked``
    in the range; the channels that changed."""
    assert before.keys() == after.keys()
    changed = set()
    for channel, old in before.items():
        bone, prop = split_path(channel[0]) or ("?", "?")
        new = after[channel]
        mine = bone in asked and (prop != "location" or bone == "pelvis")
        if not mine:
            assert old.tobytes() == new.tobytes(), channel
            continue
        for kept in (lambda r: r[r["frame"] < start], lambda r: r[r["frame"] > end]):
            assert kept(old).tobytes() == kept(new).tobytes(), channel
        inside = new[(new["frame"] >= start) & (new["frame"] <= end)]
        assert inside["frame"].tolist() == list(range(start, end + 1))
        if inside["value"].tolist() != old[(old["frame"] >= start) & (old["frame"] <= end)]["value"].tolist():
            changed.add(channel)
    return changed


def test_selected_bones_are_completed_and_nothing_else(person: Any) -> None:
    before = every_record(person)
    selection.select_bones(person, {"left_shoulder", "left_elbow"})
    ask("complete", 20, 40)
    original = bpy.data.actions["Take"]
    made = person.animation_data.action
    assert made.name == "Take Limber 1"
    assert made != original
    changed = same(before, every_record(person), {"left_shoulder", "left_elbow"}, 20, 40)
    assert {split_path(path)[0] for path, _ in changed} == {"left_shoulder", "left_elbow"}  # type: ignore[index]
    assert person.limber.results[0].key_change == 0
    actions.assign(person, original, None)
    after = every_record(person)
    assert all(before[c].tobytes() == after[c].tobytes() for c in before)


def test_refined_and_nothing_else(person: Any) -> None:
    before = every_record(person)
    ask("refine", 10, 50, bones="ALL", trust=0.4)
    bones = {split_path(path)[0] for path, _ in before}  # type: ignore[index]
    changed = same(before, every_record(person), bones, 10, 50)
    assert len(changed) > 60
    assert "before" in person.limber.results[0].comparison
