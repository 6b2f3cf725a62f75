"""Complete and Refine on captured motion, with the real backend: what was not asked for stays bit for bit."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import blender_addon
from blender_addon import actions, checks, jobs, keyframes, plans, results, selection
from blender_addon.jobs import Session
from blender_addon.keyframes import split_path
from blender_addon.records import write_records
from tests.blender_addon.characters import capture_motion, every_record, make_person
from tests.blender_addon.running import go_on, hold, pump_until, short_slices, start, wait_until_idle

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")

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
    scene.keys = "EVERY"
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


def test_marked_keys_are_kept_exactly(person: Any) -> None:
    turns = ("rotation_quaternion", "rotation_axis_angle", "rotation_euler")
    curve = next(
        c for c in actions.fcurves(person) if split_path(c.data_path) in {("left_elbow", t) for t in turns}
    )
    curve.keyframe_points[29].select_control_point = True  # frame 30
    before = every_record(person)
    ask("refine", 10, 50, bones="ALL", trust=0.2, keep_marked="SELECTED")
    assert person.limber.results[0].key_change == 0
    after = every_record(person)
    # the pose at that frame is the bone's, whichever of its channels was marked
    for channel in (c for c in before if c[0] == curve.data_path):
        at = before[channel]["frame"] == 30
        assert before[channel][at].tobytes() == after[channel][after[channel]["frame"] == 30].tobytes()
        assert before[channel][~at].tobytes() != after[channel][~at].tobytes()
    made = plans.read_provenance(person.animation_data.action)
    assert made["known"]["left_elbow"] == [[1, 9], [30, 30], [51, 60]]
    assert made["scope"]["left_elbow"] == [[10, 29], [31, 50]]


def test_the_pelvis_and_its_place(person: Any) -> None:
    before = every_record(person)
    selection.select_bones(person, {"pelvis"})
    ask("complete", 20, 40)
    changed = same(before, every_record(person), {"pelvis"}, 20, 40)
    assert any("location" in path for path, _ in changed)


def cut(obj: Any, bone: str, start: int, end: int) -> None:
    """Take a bone's keys of a range away, as a suit does that loses it."""
    for curve in actions.fcurves(obj):
        if (split_path(curve.data_path) or ("",))[0] == bone:
            records = keyframes.read_records(curve)
            inside = (records["frame"] >= start) & (records["frame"] <= end)
            write_records(curve, records[~inside])


def test_gaps_are_filled_and_every_key_stays(person: Any) -> None:
    cut(person, "head", 20, 35)
    cut(person, "left_knee", 50, 60)
    cut(person, "right_knee", 10, 12)  # no longer than the limit
    before = every_record(person)
    ask("complete", 1, 60, missing="GAPS", gap=3)
    assert person.limber.results[0].key_change == 0
    for channel, old in before.items():
        new = every_record(person)[channel]
        bone = split_path(channel[0])[0]  # type: ignore[index]
        gap = {"head": range(20, 36), "left_knee": range(50, 61)}.get(bone, range(0))
        filled = new[np.isin(new["frame"], list(gap))]
        if "rotation" in channel[0]:
            assert filled["frame"].tolist() == list(gap), channel
        assert new[~np.isin(new["frame"], list(gap))].tobytes() == old.tobytes(), channel


def test_sparse_curves_play_as_before_outside_the_range(person: Any) -> None:
    """New keys bend a curve as far as the next old key; the frames up to there are held by keys of their own."""
    for a, b in ((2, 29), (31, 59)):
        cut(person, "left_wrist", a, b)
    path = next(
        c.data_path for c in actions.fcurves(person) if "left_wrist" in c.data_path and "rot" in c.data_path
    )
    curves = {c.array_index: c for c in actions.fcurves(person) if c.data_path == path}
    outside = [*range(1, 40), *range(51, 61), -5, 70]
    was = {i: [c.evaluate(f) for f in outside] for i, c in curves.items()}
    keys = {i: keyframes.read_records(c) for i, c in curves.items()}
    selection.select_bones(person, {"left_wrist"})
    ask("complete", 40, 50)
    for curve in actions.fcurves(person):
        if curve.data_path == path:
            assert [curve.evaluate(f) for f in outside] == was[curve.array_index]
            now = keyframes.read_records(curve)
            old = keys[curve.array_index]
            assert now[np.isin(now["frame"], old["frame"])].tobytes() == old.tobytes()


def test_nothing_is_changed_by_a_model_that_changes_nothing(person: Any) -> None:
    before = every_record(person)
    ask("refine", 10, 50, bones="ALL", bundle="", system="interpolation")
    assert "nothing was changed" in person.limber.results[0].remark
    for channel, new in every_record(person).items():
        np.testing.assert_allclose(new["value"], before[channel]["value"], atol=2e-6, err_msg=str(channel))


# -- deciding, undoing, making again ------------------------------------------------------------------


def test_variations_accepted_and_undone(person: Any) -> None:
    before = every_record(person)
    selection.select_bones(person, {"left_shoulder"})
    ask("complete", 20, 40, variations=2)
    first = every_record(person)
    assert bpy.ops.limber.next_variation() == {"FINISHED"}
    second = every_record(person)
    assert any(first[c].tobytes() != second[c].tobytes() for c in first)
    assert bpy.ops.limber.accept() == {"FINISHED"}
    assert sorted(a.name for a in bpy.data.actions) == ["Take", "Take Limber 2"]
    person.animation_data.action = bpy.data.actions["Take"]
    assert all(before[c].tobytes() == r.tobytes() for c, r in every_record(person).items())


def test_one_undo_step(person: Any) -> None:
    before = every_record(person)
    ask("refine", 20, 40)
    bpy.ops.ed.undo()
    obj = bpy.data.objects["Person"]
    assert [a.name for a in bpy.data.actions] == ["Take"]
    assert all(before[c].tobytes() == r.tobytes() for c, r in every_record(obj).items())
    bpy.ops.ed.redo()
    assert bpy.data.objects["Person"].animation_data.action.name == "Take Limber 1"


@pytest.mark.parametrize("task", ["complete", "refine"])
def test_made_again_is_the_same(person: Any, task: str) -> None:
    selection.select_bones(person, {"left_shoulder", "left_elbow"})
    ask(task, 20, 40, bones="SELECTED", seed=5)
    bpy.ops.limber.accept()
    first = every_record(person)
    assert bpy.ops.limber.make_again() == {"FINISHED"}
    assert person.animation_data.action.name == "Take Limber 2"
    second = every_record(person)
    for channel, records in first.items():
        np.testing.assert_allclose(
            second[channel]["value"], records["value"], atol=1e-5, err_msg=str(channel)
        )


# -- accidents ----------------------------------------------------------------------------------------

TASKS = [{"task": "complete", "bones": ("left_shoulder", "left_elbow"), "keep": "NONE"},
         {"task": "refine", "keep": "NONE"}]  # fmt: skip


def untouched(before: Records, name: str = "Person") -> bool:
    obj = bpy.data.objects[name]
    assert obj.animation_data.action.name == "Take"
    assert [a.name for a in bpy.data.actions] == ["Take"]
    after = every_record(obj)
    return after.keys() == before.keys() and all(before[c].tobytes() == after[c].tobytes() for c in before)


@pytest.fixture(params=TASKS, ids=["complete", "refine"])
def task(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param) | {"bundle": "tiny"}


def test_backend_killed_mid_run(able_session: Session, person: Any, task: dict[str, Any]) -> None:
    before = every_record(person)
    job = hold(able_session, person, **task)
    assert able_session.backend is not None
    assert able_session.backend.pid is not None
    os.kill(able_session.backend.pid, signal.SIGKILL)
    pump_until(able_session, lambda: job.over)
    assert job.phase == jobs.FAILED
    assert untouched(before)


def test_file_closed_mid_run(
    able_session: Session, person: Any, task: dict[str, Any], tmp_path: Path
) -> None:
    before, path = every_record(person), str(tmp_path / "a.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    job = hold(able_session, person, **task)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert job.phase == jobs.CANCELLED
    go_on(able_session)
    wait_until_idle(able_session)
    assert not bpy.data.actions
    bpy.ops.wm.open_mainfile(filepath=path)
    assert untouched(before)


@pytest.mark.parametrize("phase", [jobs.READING, jobs.WRITING])
def test_undo_while_reading_or_writing(
    able_session: Session, person: Any, task: dict[str, Any], phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_slices(monkeypatch)
    before = every_record(person)
    person.location.x = 3
    bpy.ops.ed.undo_push(message="moved")
    job = start(able_session, person, **task)
    pump_until(able_session, lambda: job.phase == phase and job.work is not None)
    bpy.ops.ed.undo()
    pump_until(able_session, lambda: job.over)
    assert job.phase == jobs.DONE, job.error
    obj = bpy.data.objects["Person"]
    assert obj.animation_data.action.name == "Take Limber 1"
    actions.assign(obj, bpy.data.actions["Take"], None)
    after = every_record(obj)
    assert all(before[c].tobytes() == after[c].tobytes() for c in before)


@pytest.mark.parametrize("phase", [jobs.READING, jobs.WRITING])
def test_cancelled(
    able_session: Session, person: Any, task: dict[str, Any], phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_slices(monkeypatch)
    before = every_record(person)
    job = start(able_session, person, **task)
    pump_until(able_session, lambda: job.phase == phase and job.work is not None)
    able_session.cancel(job)
    assert untouched(before)
    assert not bpy.data.actions["Take"].use_fake_user


def test_key_changed_mid_run(able_session: Session, person: Any, task: dict[str, Any]) -> None:
    job = hold(able_session, person, **(task | {"bones": ("left_shoulder",)}))
    bone = person.pose.bones["head"]
    bone.keyframe_insert("location", frame=15)
    prop = {"QUATERNION": "rotation_quaternion", "XYZ": "rotation_euler"}.get(
        bone.rotation_mode, "rotation_axis_angle"
    )
    setattr(bone, prop, [0.3] * len(getattr(bone, prop)))
    bone.keyframe_insert(prop, frame=15)
    changed = every_record(person)
    go_on(able_session)
    pump_until(able_session, lambda: job.over)
    assert job.phase == jobs.DONE, job.error
    assert "changed during the run" in person.limber.results[0].remark
    actions.assign(person, bpy.data.actions["Take"], None)
    assert all(changed[c].tobytes() == r.tobytes() for c, r in every_record(person).items())


def test_disabled_mid_run(able_session: Session, person: Any, task: dict[str, Any]) -> None:
    before = every_record(person)
    job = hold(able_session, person, **task)
    blender_addon.unregister()
    try:
        assert job.phase == jobs.CANCELLED
        assert untouched(before)
    finally:
        blender_addon.register()


# -- what cannot be done ------------------------------------------------------------------------------


def test_a_button_that_cannot_be_pressed_says_why(person: Any) -> None:
    settings = bpy.context.scene.limber
    selection.select_bones(person, ())
    assert "No bone is selected" in checks.why_no_run(bpy.context, "complete")
    assert not bpy.ops.limber.complete.poll()
    settings.missing = "GAPS"
    assert checks.why_no_run(bpy.context, "complete") == ""
    assert checks.why_no_run(bpy.context, "refine") == ""
    settings.bones = "SELECTED"
    assert "No bone is selected" in checks.why_no_run(bpy.context, "refine")
    assert checks.why_no_run(bpy.context, "inbetween") == ""


def test_weights_that_cannot_are_named(addon: None) -> None:
    session = jobs.current()
    assert session is not None
    able = {"mmdm": ["complete", "inbetween"]}
    none = {"pose": ["inbetween"]}
    built_in = {"name": "", "default": False, "systems": {"interpolation": ["complete", "refine"]}}
    assert session.why_not("complete", "auto", "") == ""  # nobody has told yet
    session.models = [{"name": "open", "default": True, "systems": none}, built_in]
    assert session.why_not("complete", "auto", "") == "No installed bundle can Complete. Install one that can"
    assert session.why_not("complete", "interpolation", "") == ""
    session.models.insert(1, {"name": "research", "default": False, "systems": able})
    assert session.why_not("complete", "auto", "") == ""  # the backend asks the others then
    assert "Bundle open cannot Complete; research can" in session.why_not("complete", "auto", "open")
    assert session.why_not("complete", "auto", "research") == ""
    assert "No installed bundle can Refine" in session.why_not("refine", "auto", "")
    assert session.why_not("follow", "auto", "") == ""  # for which no model is needed
    assert "No installed bundle can Follow" in session.why_not("follow", "auto", "open")


def test_an_operator_is_judged_by_its_own_bundle(able_session: Session, person: Any) -> None:
    bpy.context.scene.limber.bundle = "open"
    able_session.models = [{"name": "open", "default": True, "systems": {"pose": ["inbetween"]}},
                           {"name": "tiny", "default": False, "systems": {"mmdm": ["refine"]}}]  # fmt: skip
    with pytest.raises(RuntimeError, match="Bundle open cannot Refine; tiny can"):
        bpy.ops.limber.refine()
    assert bpy.ops.limber.refine(start=20, end=30, bundle="tiny") == {"FINISHED"}
    assert plans.read_provenance(person.animation_data.action)["bundle"] == "tiny"
    assert bpy.context.scene.limber.bundle == "open"


@pytest.mark.parametrize(("task", "change", "says"), [
    ("complete", {"start": 100, "end": 130}, "no key from 100 to 130"),
    ("complete", {"missing": "GAPS", "start": 1, "end": 60}, "no captured bone is without a key"),
    ("refine", {"bundle": "none such", "start": 1, "end": 60}, "none such"),
])  # fmt: skip
def test_what_makes_no_sense_is_said(person: Any, task: str, change: dict[str, Any], says: str) -> None:
    before = every_record(person)
    selection.select_bones(person, {"head"})
    with pytest.raises(RuntimeError, match=says):
        ask(task, change.pop("start"), change.pop("end"), **change)
    assert untouched(before)


def test_modifiers_and_bones_without_a_role_are_refused(person: Any) -> None:
    selection.select_bones(person, {"head"})
    curve = next(c for c in actions.fcurves(person) if '"head"' in c.data_path and "rotation" in c.data_path)
    curve.modifiers.new("CYCLES")
    with pytest.raises(RuntimeError, match="has a modifier"):
        ask("complete", 20, 40)
    curve.modifiers[0].mute = True
    ask("complete", 20, 40)
    bpy.ops.limber.discard()
    bpy.ops.object.mode_set(mode="EDIT")
    extra = person.data.edit_bones.new("Prop")
    extra.head, extra.tail = (0, 0, 0), (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    selection.select_bones(person, {"Prop"})
    with pytest.raises(RuntimeError, match="has a role: Prop"):
        ask("complete", 20, 40)


def test_what_was_measured_is_said() -> None:
    report = {"system": "mmdm", "skating": {"model": 0.012, "interpolation": 0.034},
              "jerk": {"model": 95.4, "interpolation": 210.2}}  # fmt: skip
    said = results.comparison(report, "refine").splitlines()
    assert said == ["Jerk: 210 before, 95 now (m/s³)", "Foot skating: 3.4 before, 1.2 now (cm/s)"]
    said = results.comparison(report, "complete").splitlines()
    assert said == [
        "Jerk: 95 m/s³, plain interpolation 210",
        "Foot skating: 1.2 cm/s, plain interpolation 3.4",
    ]
