"""Ghosts and trails: where they are drawn is where the bones are, and what is drawn goes with its result."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

import blender_addon
from blender_addon import ghosts, gpu_drawing, jobs, pending, plans, properties, selection, show_properties
from blender_addon.jobs import Session
from blender_addon.motion.figures import Figure
from blender_addon.pending import Shown
from tests.blender_addon.characters import capture_motion, key_poses, make_person

FRAMES = (1, 7, 15, 22, 30)


@pytest.fixture
def person(able_session: Session) -> Any:
    """A character in centimetres, on an object that is turned, scaled and elsewhere; keyed."""
    bpy.context.scene.unit_settings.scale_length = 0.01
    obj = make_person()
    obj.scale = (120, 120, 120)
    obj.location, obj.rotation_euler = (250, -80, 13), (0.1, -0.2, 1.1)
    key_poses(obj)
    bpy.context.view_layer.update()
    return obj


def run(session: Session, obj: Any, **settings: Any) -> Shown:
    session.run(session.start(obj, plans.Plan(1, 30, bundle="tiny", **settings)))
    shown = pending.find(obj)
    assert shown is not None
    return shown


def drawn(obj: Any, shown: Shown, figure: Figure, bone: str, frame: int) -> np.ndarray:
    """Where a joint is drawn, in the world. ``(3,)``."""
    place = np.append(figure.trail(bone)[frame - shown.first], 1.0)
    return (shown.matrix(obj) @ place)[:3]


def off(obj: Any, shown: Shown, figure: Figure, frames: tuple[int, ...] = FRAMES) -> float:
    """How far, at most, joints are drawn from where Blender has them, in the world's units."""
    worst = 0.0
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        for bone in ("pelvis", "left_wrist", "right_ankle", "head"):
            there = np.array(obj.matrix_world @ obj.pose.bones[bone].head)
            worst = max(worst, float(np.abs(drawn(obj, shown, figure, bone, frame) - there).max()))
    return worst


def test_ghosts_stand_where_the_bones_are(able_session: Session, person: Any) -> None:
    shown = run(able_session, person)
    assert shown.plain is not None
    assert off(person, shown, shown.models[0]) < 0.5  # of 200 units' height
    assert off(person, shown, shown.plain) > 2  # the other one is elsewhere, or nothing is compared
    properties.review(person).results[0].amount = 0.0
    assert off(person, shown, shown.plain) < 0.5
    person.location.x += 1000  # the figures go with the object
    bpy.context.view_layer.update()
    assert off(person, shown, shown.plain) < 0.5


def test_on_a_mirrored_and_uneven_object(able_session: Session, person: Any) -> None:
    person.scale = (-100, 130, 130)
    bpy.context.view_layer.update()
    shown = run(able_session, person)
    assert off(person, shown, shown.models[0]) < 0.5


def test_an_object_that_moves_itself_leaves_them_in_the_world(able_session: Session, person: Any) -> None:
    for frame, x in ((1, 0), (30, 90)):
        person.location.x = x
        person.keyframe_insert("location", index=0, frame=frame)
    shown = run(able_session, person)
    assert not shown.follows
    assert off(person, shown, shown.models[0]) < 1.0


def test_variations_bring_their_own(able_session: Session, person: Any) -> None:
    shown = run(able_session, person, variations=2)
    settings = show_properties.of(bpy.context.scene)
    names = [name for name, _, _ in ghosts.figures(person, shown, settings)]
    assert names == ["plain", "model 0"]
    bpy.ops.limber.next_variation()
    assert [name for name, _, _ in ghosts.figures(person, shown, settings)] == ["plain", "model 1"]
    assert off(person, shown, shown.models[1]) < 0.5
    settings.plain = False
    assert [name for name, _, _ in ghosts.figures(person, shown, settings)] == ["model 1"]


def test_trails_of_what_is_selected(able_session: Session, person: Any) -> None:
    shown = run(able_session, person)
    assert pending.trailed(person, shown) == ("pelvis", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
    bpy.ops.object.mode_set(mode="POSE")
    selection.select_bones(person, ("left_elbow", "head"))
    assert set(pending.trailed(person, shown)) == {"left_elbow", "head"}


def test_captured_motion_as_it_was(able_session: Session) -> None:
    obj = make_person()
    capture_motion(obj)
    able_session.run(able_session.start(
        obj, plans.Plan(20, 40, bundle="tiny", task=plans.REFINE, keep="NONE", confidence=0.3)))  # fmt: skip
    shown = pending.find(obj)
    assert shown is not None
    assert (shown.start, shown.end) == (19, 41)
    assert off(obj, shown, shown.models[0], (20, 30, 40)) < 0.005
    assert shown.plain is not None
    bpy.ops.limber.discard()
    assert off(obj, shown, shown.plain, (20, 30, 40)) < 0.005


@pytest.mark.parametrize("decide", ["accept", "discard"])
def test_gone_with_the_decision(able_session: Session, person: Any, decide: str) -> None:
    run(able_session, person)
    getattr(bpy.ops.limber, decide)()
    assert pending.find(person) is None


def test_gone_with_the_file_and_with_the_addon(able_session: Session, person: Any) -> None:
    run(able_session, person)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not pending._kept
    obj = make_person()
    key_poses(obj)
    running = jobs.current()
    assert running is not None
    run(running, obj, system="interpolation")
    running.stop_backend(wait=True)  # its threads would end some time later
    handles = list(gpu_drawing.live)
    assert handles
    blender_addon.unregister()
    try:
        assert not pending._kept
        assert not gpu_drawing.live
        for handle in handles:  # Blender itself has them no more
            with pytest.raises(ValueError, match="callback"):
                bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
    finally:
        blender_addon.register()
