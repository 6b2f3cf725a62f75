"""Runs with the real backend process, and everything that can happen to Blender meanwhile.

Background mode has no timers, so the tests call the pump that the timer calls. A run is caught in
the middle by stopping the backend's process (SIGSTOP) where it has to be long.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest

import blender_addon
from blender_addon import jobs, plans, process, registration
from blender_addon.jobs import Session
from tests.blender_addon.characters import every_key, key_poses, make_person
from tests.blender_addon.running import go_on, hold, pump_until, short_slices, start, wait_until_idle

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")


@pytest.fixture
def person(session: Session) -> Any:
    obj = make_person()
    key_poses(obj)
    bpy.ops.ed.undo_push(message="keyed")
    return obj


@pytest.fixture
def untouched(person: Any) -> Callable[[], bool]:
    """Whether the animator's Action is as it was, and on the armature."""
    before = every_key(person.animation_data.action)
    name = person.name

    def check() -> bool:
        obj = bpy.data.objects[name]
        assert obj.animation_data.action.name == "Walk"
        assert obj.animation_data.action_slot is not None
        assert every_key(obj.animation_data.action) == before
        assert [action.name for action in bpy.data.actions] == ["Walk"]
        return True

    return check


# -- as it should be --------------------------------------------------------------------------------


def test_a_run_brings_an_action_with_every_key_as_it_was(session: Session, person: Any) -> None:
    original = person.animation_data.action
    before = every_key(original)
    assert bpy.ops.limber.inbetween() == {"FINISHED"}
    assert every_key(original) == before
    assert original.use_fake_user
    made = person.animation_data.action
    assert made.name == "Walk Limber 1"
    assert person.limber.results[0].key_change == 0
    after = every_key(made)
    for channel, keys in before.items():
        assert set(keys) <= set(after[channel])
        assert len(keys) < len(after[channel]) < 30
    job = session.job(person)
    assert job is not None
    assert job.phase == jobs.DONE
    made_by = plans.read_provenance(made)
    assert made_by["seed"] == 0
    assert made_by["longest_hold_ms"] > 0
    assert made_by["known"]["head"] == [[1, 1], [15, 15], [30, 30]]


def test_one_undo_step_and_back(session: Session, person: Any, untouched: Callable[[], bool]) -> None:
    bpy.ops.limber.inbetween()
    bpy.ops.ed.undo()
    assert untouched()
    obj = bpy.data.objects["Person"]
    assert not obj.limber.results
    assert not obj.animation_data.action.use_fake_user
    bpy.ops.ed.redo()
    obj = bpy.data.objects["Person"]
    assert obj.animation_data.action.name == "Walk Limber 1"
    assert obj.limber.results[0].action == obj.animation_data.action
    assert obj.limber.original.name == "Walk"


def test_discard(session: Session, person: Any, untouched: Callable[[], bool]) -> None:
    bpy.ops.limber.inbetween()
    assert bpy.ops.limber.discard() == {"FINISHED"}
    assert untouched()
    assert not bpy.data.actions["Walk"].use_fake_user
    assert not bpy.ops.limber.discard.poll()


def test_accept(session: Session, person: Any) -> None:
    bpy.context.scene.limber.variations = 2
    bpy.ops.limber.inbetween()
    assert bpy.ops.limber.next_variation() == {"FINISHED"}
    assert person.animation_data.action.name == "Walk Limber 2"
    assert bpy.ops.limber.accept() == {"FINISHED"}
    assert sorted(a.name for a in bpy.data.actions) == ["Walk", "Walk Limber 2"]
    assert person.animation_data.action.name == "Walk Limber 2"
    assert bpy.data.actions["Walk"].use_fake_user
    assert not bpy.ops.limber.accept.poll()


def test_variations_go_round(session: Session, person: Any, untouched: Callable[[], bool]) -> None:
    bpy.context.scene.limber.variations = 3
    bpy.ops.limber.inbetween()
    seen = []
    for _ in range(4):
        bpy.ops.limber.next_variation()
        seen.append(person.animation_data.action.name[-1])
        assert person.animation_data.action_slot is not None
    assert seen == ["2", "3", "1", "2"]
    bpy.ops.limber.next_variation(step=-1)
    assert person.animation_data.action.name[-1] == "1"
    bpy.ops.limber.discard()
    assert untouched()


def test_made_again_is_the_same(session: Session, person: Any) -> None:
    bpy.context.scene.limber.seed = 7
    bpy.context.scene.limber.keys = "EVERY"  # with few keys: tests/blender_addon/test_sparse_keys.py
    bpy.ops.limber.inbetween()
    bpy.ops.limber.accept()
    first = person.animation_data.action
    assert bpy.ops.limber.make_again() == {"FINISHED"}
    second = person.animation_data.action
    assert second.name == "Walk Limber 2"
    a, b = every_key(first), every_key(second)
    assert a.keys() == b.keys()
    for channel, keys in a.items():
        assert len(keys) == len(b[channel])
        for one, other in zip(keys, b[channel], strict=True):
            assert one[:2] == pytest.approx(other[:2], abs=1e-5)  # what goes in was read from a curve


def test_arguments_from_python_count_and_the_panel_stays(session: Session, person: Any) -> None:
    settings = bpy.context.scene.limber
    settings.range_mode, settings.seed, settings.variations = "KEYS", 5, 1
    assert bpy.ops.limber.inbetween(end=15, seed=9, variations=2, keys="EVERY") == {"FINISHED"}
    assert len(person.limber.results) == 2
    made = plans.read_provenance(person.animation_data.action)
    assert (made["start"], made["end"], made["seed"]) == (1, 15, 9)
    assert made["tolerance"] is None
    assert (settings.range_mode, settings.seed, settings.variations, settings.keys) == ("KEYS", 5, 1, "SPARSE")
    bpy.ops.limber.discard()
    bpy.ops.limber.inbetween()  # what was given once is not remembered
    made = plans.read_provenance(person.animation_data.action)
    assert (made["end"], made["seed"]) == (30, 5)
    assert made["tolerance"] == {"degrees": pytest.approx(1), "millimetres": 5}
    bpy.ops.limber.discard()
    with pytest.raises(RuntimeError, match="range"):
        bpy.ops.limber.inbetween(start=9, end=9)


def test_every_operator_and_property_says_what_it_is() -> None:
    silent = []
    for kind in registration.CLASSES:
        for base in kind.__mro__:
            found = vars(base).get("__annotations__", {})  # deferred: what bpy.props was called with
            silent += [f"{kind.__name__}.{n}" for n, prop in found.items() if not prop.keywords.get("description")]
        if issubclass(kind, bpy.types.Operator) and not kind.__doc__:  # what Blender shows as its tooltip
            silent.append(kind.__name__)
    assert silent == []


def test_several_are_kept(session: Session, person: Any) -> None:
    bpy.context.scene.limber.variations = 3
    bpy.ops.limber.inbetween()
    person.limber.results[2].keep = True
    assert bpy.ops.limber.accept() == {"FINISHED"}
    assert sorted(a.name for a in bpy.data.actions) == ["Walk", "Walk Limber 1", "Walk Limber 3"]
    assert all(a.use_fake_user for a in bpy.data.actions)
    assert person.animation_data.action.name == "Walk Limber 1"


def test_made_again_with_another_seed(session: Session, person: Any) -> None:
    bpy.context.scene.limber.seed = 7
    bpy.ops.limber.inbetween()
    bpy.ops.limber.accept()
    assert bpy.ops.limber.make_again(another=True) == {"FINISHED"}
    made = plans.read_provenance(person.animation_data.action)
    assert made["seed"] == 8
    assert made["report"]["sha256"]
    assert bpy.context.scene.limber.seed == 7


def test_saved_in_review_and_opened_again(session: Session, person: Any, tmp_path: Path,
                                          untouched: Callable[[], bool]) -> None:  # fmt: skip
    bpy.context.scene.limber.variations = 2
    bpy.ops.limber.inbetween()
    path = str(tmp_path / "übung 测试.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert sorted(a.name for a in bpy.data.actions) == ["Walk", "Walk Limber 1", "Walk Limber 2"]
    assert bpy.ops.limber.next_variation() == {"FINISHED"}
    assert bpy.ops.limber.discard() == {"FINISHED"}
    assert untouched()


@pytest.mark.parametrize(("change", "says"), [
    ({"end": 1}, "no frames between"),
    ({"start": 2, "end": 16}, "one keyed frame"),
    ({"start": 50, "end": 60}, "no keyed frame"),
    ({"bundle": "none such"}, "none such"),
    ({"system": "none such"}, "none such"),
])  # fmt: skip
def test_what_makes_no_sense_is_said(session: Session, person: Any, untouched: Callable[[], bool],
                                     change: dict[str, Any], says: str) -> None:  # fmt: skip
    settings = bpy.context.scene.limber
    settings.range_mode = "OWN"
    for key, value in change.items():
        setattr(settings, key, value)
    with pytest.raises(RuntimeError, match=says):
        bpy.ops.limber.inbetween()
    assert untouched()
    assert session.backend_state in (process.READY, process.STARTING, process.STOPPED)


def test_two_armatures_at_once(session: Session, person: Any) -> None:
    other = make_person("Other")
    key_poses(other, action="Run")
    first, second = start(session, person), start(session, other)
    with pytest.raises(blender_addon.motion.errors.InvalidRequestError, match="being worked on"):
        start(session, other)
    pump_until(session, lambda: first.over and second.over)
    assert person.animation_data.action.name == "Walk Limber 1"
    assert other.animation_data.action.name == "Run Limber 1"


# -- accidents ----------------------------------------------------------------------------------------


def test_backend_killed_mid_run(session: Session, person: Any, untouched: Callable[[], bool]) -> None:
    job = hold(session, person)
    assert session.backend is not None
    assert session.backend.pid is not None
    os.kill(session.backend.pid, signal.SIGKILL)
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.FAILED
    assert "SIGKILL" in str(job.error)
    assert session.backend_state == process.CRASHED
    assert untouched()
    assert bpy.ops.limber.restart_backend() == {"FINISHED"}
    assert session.job(person) is None
    assert bpy.ops.limber.inbetween() == {"FINISHED"}
    assert person.animation_data.action.name == "Walk Limber 1"


def test_file_closed_mid_run(
    session: Session, person: Any, untouched: Callable[[], bool], tmp_path: Path
) -> None:
    path = str(tmp_path / "a.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    job = hold(session, person)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert job.phase == jobs.CANCELLED
    go_on(session)
    wait_until_idle(session)
    assert not bpy.data.actions
    bpy.ops.wm.open_mainfile(filepath=path)
    assert untouched()


def test_file_saved_mid_run(
    session: Session, person: Any, untouched: Callable[[], bool], tmp_path: Path
) -> None:
    job = hold(session, person)
    path = str(tmp_path / "a.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    go_on(session)
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.DONE
    bpy.ops.wm.open_mainfile(filepath=path)
    assert untouched()


def test_undo_while_the_backend_works(session: Session, person: Any) -> None:
    bpy.data.objects["Person"].location.x = 3
    bpy.ops.ed.undo_push(message="moved")
    job = hold(session, person)
    bpy.ops.ed.undo()
    go_on(session)
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.DONE, job.error
    obj = bpy.data.objects["Person"]
    assert obj.location.x == 0
    assert obj.animation_data.action.name == "Walk Limber 1"
    assert obj.limber.results[0].key_change == 0


@pytest.mark.parametrize("read", [False, True])
def test_a_decision_that_is_undone_during_a_run_is_asked_for_again(session: Session, person: Any, read: bool) -> None:
    bpy.ops.limber.inbetween()
    bpy.ops.limber.discard("EXEC_DEFAULT", True)
    job = start(session, bpy.data.objects["Person"])
    if read:
        pump_until(session, lambda: job.phase != jobs.READING)
    bpy.ops.ed.undo()
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.FAILED
    obj = bpy.data.objects["Person"]
    assert sorted(a.name for a in bpy.data.actions) == ["Walk", "Walk Limber 1"]
    assert obj.limber.results[0].action == obj.animation_data.action
    assert bpy.ops.limber.discard() == {"FINISHED"}
    assert [a.name for a in bpy.data.actions] == ["Walk"]


@pytest.mark.parametrize("phase", [jobs.READING, jobs.WRITING])
def test_undo_while_reading_or_writing(
    session: Session, person: Any, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_slices(monkeypatch)
    before = every_key(person.animation_data.action)
    bpy.data.objects["Person"].location.x = 3
    bpy.ops.ed.undo_push(message="moved")
    job = start(session, person)
    pump_until(session, lambda: job.phase == phase and job.work is not None)
    bpy.ops.ed.undo()
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.DONE, job.error
    obj = bpy.data.objects["Person"]
    assert every_key(bpy.data.actions["Walk"]) == before
    assert sorted(a.name for a in bpy.data.actions) == ["Walk", "Walk Limber 1"]
    assert obj.animation_data.action.name == "Walk Limber 1"
    bpy.ops.ed.undo()
    assert bpy.data.objects["Person"].animation_data.action.name == "Walk"


def half_written(session: Session, person: Any, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> jobs.Job:
    """A run in the middle of its writing, with an Action that is there in part."""
    short_slices(monkeypatch)
    job = start(session, person, **settings)
    pump_until(session, lambda: job.phase == jobs.WRITING and len(bpy.data.actions) > 1)
    return job


def test_an_undo_step_made_while_writing_brings_nothing_half_written_back(
    session: Session, person: Any, untouched: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = half_written(session, person, monkeypatch, variations=2)
    bpy.data.objects["Person"].location.x = 3
    bpy.ops.ed.undo_push(message="moved while it was written")
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.DONE, job.error
    bpy.ops.ed.undo()
    assert bpy.data.objects["Person"].location.x == 3
    assert untouched()
    assert not bpy.data.actions["Walk"].use_fake_user
    bpy.ops.ed.redo()
    assert sorted(a.name for a in bpy.data.actions) == ["Walk", "Walk Limber 1", "Walk Limber 2"]
    assert bpy.ops.limber.accept() == {"FINISHED"}
    assert bpy.data.actions["Walk"].use_fake_user


def test_a_file_saved_while_writing_holds_nothing_half_written(
    session: Session, person: Any, untouched: Callable[[], bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = half_written(session, person, monkeypatch)
    path = str(tmp_path / "a.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    assert untouched()  # and so is what was saved
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.DONE, job.error
    bpy.ops.wm.open_mainfile(filepath=path)
    assert untouched()
    assert not bpy.data.actions["Walk"].use_fake_user


def test_undo_of_the_keys_mid_run(session: Session, person: Any) -> None:
    name = person.name
    person.pose.bones["head"].keyframe_insert("location", frame=5)
    key_poses(person, (1, 20), action="Newer")
    bpy.ops.ed.undo_push(message="another Action")
    job = hold(session, person)
    bpy.ops.ed.undo()
    go_on(session)
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.FAILED
    assert "another Action" in str(job.error)
    assert bpy.data.objects[name].animation_data.action.name == "Walk"
    assert [a.name for a in bpy.data.actions] == ["Walk"]


def test_key_changed_mid_run(session: Session, person: Any) -> None:
    job = hold(session, person)
    bone = person.pose.bones["head"]
    bone.rotation_quaternion = (0, 1, 0, 0)
    bone.keyframe_insert("rotation_quaternion", frame=15)
    changed = every_key(person.animation_data.action)
    go_on(session)
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.DONE
    assert every_key(bpy.data.actions["Walk"]) == changed
    assert "changed during the run" in person.limber.results[0].remark


def test_cancel_stops_the_computation(session: Session, person: Any, untouched: Callable[[], bool]) -> None:
    job = hold(session, person)
    assert bpy.ops.limber.cancel() == {"FINISHED"}
    assert job.phase == jobs.CANCELLED
    assert not bpy.ops.limber.cancel.poll()
    go_on(session)
    wait_until_idle(session)
    assert untouched()
    assert bpy.ops.limber.inbetween() == {"FINISHED"}


@pytest.mark.parametrize("phase", [jobs.READING, jobs.WRITING])
def test_cancel_while_reading_or_writing(session: Session, person: Any, untouched: Callable[[], bool],
                                         phase: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    short_slices(monkeypatch)
    job = start(session, person)
    pump_until(session, lambda: job.phase == phase and job.work is not None)
    session.cancel(job)
    assert untouched()
    assert not bpy.data.actions["Walk"].use_fake_user
    wait_until_idle(session) if phase == jobs.WRITING else None


def test_armature_renamed_mid_run(session: Session, person: Any) -> None:
    job = hold(session, person)
    person.name = "Somebody else"
    go_on(session)
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.DONE
    assert person.animation_data.action.name == "Walk Limber 1"


def test_armature_deleted_mid_run(session: Session, person: Any) -> None:
    job = hold(session, person)
    bpy.data.actions["Walk"].use_fake_user = True
    bpy.data.objects.remove(person)
    go_on(session)
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.FAILED
    assert "Person is gone" in str(job.error)
    assert [a.name for a in bpy.data.actions] == ["Walk"]


def test_bone_deleted_mid_run(session: Session, person: Any, untouched: Callable[[], bool]) -> None:
    job = hold(session, person)
    bpy.ops.object.mode_set(mode="EDIT")
    person.data.edit_bones.remove(person.data.edit_bones["left_elbow"])
    bpy.ops.object.mode_set(mode="OBJECT")
    go_on(session)
    pump_until(session, lambda: job.over)
    assert job.phase == jobs.FAILED
    assert "left_elbow" in str(job.error)
    assert untouched()


def test_disabled_mid_run(session: Session, person: Any, untouched: Callable[[], bool]) -> None:
    job = hold(session, person)
    backend = session.backend
    assert backend is not None
    blender_addon.unregister()
    try:
        assert job.phase == jobs.CANCELLED
        assert jobs.current() is None
        assert not hasattr(bpy.types.Object, "limber")
        assert untouched()
        deadline = time.monotonic() + 20
        while backend.pid is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert backend.pid is None
    finally:
        blender_addon.register()
    assert untouched()


def test_disabled_in_review_and_enabled_again(
    session: Session, person: Any, untouched: Callable[[], bool]
) -> None:
    bpy.ops.limber.inbetween()
    blender_addon.unregister()
    assert person.animation_data.action.name == "Walk Limber 1"
    assert bpy.data.actions["Walk"].use_fake_user
    blender_addon.register()
    assert bpy.ops.limber.discard() == {"FINISHED"}
    assert untouched()


def test_scripts_reloaded_mid_run(session: Session, person: Any, untouched: Callable[[], bool]) -> None:
    """What F3 > Reload Scripts does to an add-on: unregister, load its modules anew, register."""
    import importlib
    import sys

    job = hold(session, person)
    old = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "blender_addon"}
    blender_addon.unregister()
    for name in old:
        del sys.modules[name]
    try:
        fresh = importlib.import_module("blender_addon")
        fresh.register()
        try:
            assert job.phase == jobs.CANCELLED
            assert untouched()
            assert bpy.ops.limber.inbetween() == {"FINISHED"}
            assert bpy.context.object.animation_data.action.name == "Walk Limber 1"
        finally:
            fresh.unregister()
    finally:
        for name in [n for n in sys.modules if n.split(".")[0] == "blender_addon"]:
            del sys.modules[name]
        sys.modules.update(old)
        blender_addon.register()


def test_a_defect_in_the_timer_is_reported(session: Session, person: Any, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    job = start(session, person)
    person.data["breaks"] = 1
    monkeypatch.setattr(job, "events", None)  # as broken as it can be
    assert session.tick() is not None
    assert "AttributeError" in session.defect
    assert job.phase == jobs.FAILED
    assert "AttributeError" in capsys.readouterr().err
