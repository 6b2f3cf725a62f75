"""What the panel says: reasons, progress, errors, measured lines. Its looks are for `window/`."""

from __future__ import annotations

from typing import Any

import bpy
import pytest

from blender_addon import checks, jobs, mapping, panels, plans, process, results
from blender_addon.motion.bone_maps import ROLES, BoneMap
from blender_addon.motion.errors import BackendError, InvalidRequestError
from tests.blender_addon.characters import key_poses, make_person


def _session() -> jobs.Session:
    session = jobs.current()
    assert session is not None
    return session


# -- why a button cannot be pressed -----------------------------------------------------------------


def test_nothing_selected(addon: None) -> None:
    assert checks.why_no_run(bpy.context) == "Select an armature"
    assert not bpy.ops.limber.inbetween.poll()
    with pytest.raises(RuntimeError, match="Select an armature"):
        bpy.ops.limber.inbetween()
    for name in ("accept", "discard", "next_variation", "cancel", "make_again"):
        assert not getattr(bpy.ops.limber, name).poll()


def test_no_keys(addon: None) -> None:
    make_person()
    assert "key at least two poses" in checks.why_no_run(bpy.context)


def test_ready(addon: None) -> None:
    key_poses(make_person())
    assert checks.why_no_run(bpy.context) == ""
    assert bpy.ops.limber.inbetween.poll()
    assert "There is no result" in checks.why_no_decision(bpy.context)
    assert "not made by Limber" in checks.why_not_again(bpy.context)


def test_tweak_mode(addon: None) -> None:
    obj = make_person()
    action = key_poses(obj)
    data = obj.animation_data
    strip = data.nla_tracks.new().strips.new("Walk", 1, action)
    strip.influence = 1
    data.action = None
    data.nla_tracks[0].select = strip.select = True
    data.use_tweak_mode = True
    if not data.use_tweak_mode:
        pytest.skip("this Blender does not enter tweak mode without an NLA editor")
    assert "tweak mode" in checks.why_no_run(bpy.context)


def test_linked(addon: None, tmp_path: Any) -> None:
    key_poses(make_person())
    path = str(tmp_path / "character.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, to):
        to.objects = ["Person"]
    obj = to.objects[0]
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    assert "library override" in checks.why_no_run(bpy.context)


def test_bones_not_understood(addon: None) -> None:
    data = bpy.data.armatures.new("Box")
    obj = bpy.data.objects.new("Box", data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    data.edit_bones.new("Lid").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    obj.keyframe_insert("location", frame=1)
    found = _session().characters.find(obj)
    assert found.bone_map is None
    assert "left hip" in found.problem
    assert "not understood" in checks.why_no_run(bpy.context)


# -- the character ------------------------------------------------------------------------------------


def test_the_mapping_is_found_in_slices_and_kept(addon: None) -> None:
    session, obj = _session(), make_person()
    characters = session.characters
    assert characters.get(obj) is None
    characters.want(obj)
    while characters.find_wanted(jobs.find_object):
        pass
    found = characters.get(obj)
    assert found is not None
    assert found.bone_map is not None
    assert found.missing == ()
    assert mapping.headline(found).endswith(f"all {len(ROLES)} joints")
    version = characters.version
    obj.pose.bones["head"].location.x = 1
    session.bones_changed()
    assert not characters.sure(obj)
    characters.want(obj)
    while characters.find_wanted(jobs.find_object):
        pass
    assert characters.sure(obj)
    assert characters.version == version  # posed, not changed: nothing was searched again


def test_other_bones_are_another_mapping(addon: None) -> None:
    session, obj = _session(), make_person()
    session.characters.find(obj)
    obj.data.bones["left_elbow"].name = "Q7"
    session.bones_changed()
    session.characters.want(obj)
    while session.characters.find_wanted(jobs.find_object):
        pass
    found = session.characters.get(obj)
    assert found is not None
    assert found.bone_map is None or "left_elbow" not in {b for bones in found.bone_map.bones.values() for b in bones}


def test_headline_counts_what_is_missing() -> None:
    bones = {role: (role,) for role in ROLES if role not in ("left_foot", "right_foot")}
    character = mapping.Character(0, 18, BoneMap("names", bones), 18, ("left_foot", "right_foot"))
    assert mapping.headline(character) == "Found by bone names: 18 of 20 joints"


# -- range ----------------------------------------------------------------------------------------------


def test_ranges(addon: None) -> None:
    obj, scene = make_person(), bpy.context.scene
    settings = scene.limber
    settings.range_mode = "KEYS"
    with pytest.raises(InvalidRequestError, match="keys"):
        plans.frame_range(obj, scene, settings)
    key_poses(obj, (3, 20, 41))
    assert plans.frame_range(obj, scene, settings) == (3, 41)
    settings.range_mode, settings.start, settings.end = "OWN", 5, 25
    assert plans.frame_range(obj, scene, settings) == (5, 25)
    settings.range_mode, scene.frame_start, scene.frame_end = "SCENE", 2, 90
    assert plans.frame_range(obj, scene, settings) == (2, 90)
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 10, 30
    assert plans.frame_range(obj, scene, settings) == (10, 30)


# -- words ----------------------------------------------------------------------------------------------


def test_progress_text(addon: None) -> None:
    job = jobs.Job(make_person(), plans.Plan(1, 60))
    assert panels.progress_text(job) == "Reading the keys"
    job.phase, job.step, job.total = jobs.RUNNING, 3, 10
    assert panels.progress_text(job) == "Filling the motion 3/10"
    job.eta = 4.2
    assert panels.progress_text(job) == "Filling the motion 3/10, 4 s left"
    assert set(panels.PHASES) | set(jobs.OVER) == {
        jobs.READING, jobs.STARTING, jobs.SENDING, jobs.QUEUED, jobs.RUNNING, jobs.FETCHING, jobs.WRITING,
        jobs.DONE, jobs.FAILED, jobs.CANCELLED,
    }  # fmt: skip


def test_errors_show_field_problem_and_remedy() -> None:
    assert panels.error_lines(InvalidRequestError("keys", "one is too few", "Key more.")) == [
        "keys: one is too few",
        "Key more.",
    ]
    assert panels.error_lines(BackendError("gone")) == ["gone"]


def test_measured_lines() -> None:
    report = {"system": "pose", "bundle": "open", "seed": 3, "seconds": 0.42,
              "skating": {"model": 0.012, "interpolation": 0.205}}  # fmt: skip
    assert results.comparison(report) == "Foot skating: 1.2 cm/s\nPlain interpolation: 20.5 cm/s"
    assert results.made_by(report) == "pose, bundle open, seed 3, 0.4 s"
    assert results.remark(report) == ""
    assert results.comparison({}) == ""
    assert "no model" in results.remark({"system": "interpolation"})


def test_which_weights_will_be_used(addon: None) -> None:
    session = _session()
    assert session.model_line("") == ""
    session.models = [{"name": "open", "default": True, "licence": "CC BY 4.0", "problem": ""},
                      {"name": "research", "default": False, "licence": "CC BY-NC 4.0", "problem": ""},
                      {"name": "broken", "default": False, "problem": "no config.json"},
                      {"name": "", "default": False, "licence": "none needed", "problem": ""}]  # fmt: skip
    assert session.model_line("") == "Bundle: open. CC BY 4.0"
    assert session.model_line("research") == "Bundle: research. CC BY-NC 4.0"
    assert session.model_line("broken") == "Bundle broken: no config.json"
    assert "no bundle named 'other'" in session.model_line("other")
    session.models[1]["systems"] = {"mogents": ["text"]}
    assert session.model_line("", "text") == "Bundle: research. CC BY-NC 4.0", "whoever can, answers"
    assert session.model_line("open", "text") == "Bundle: open. CC BY 4.0"
    session.models = [{"name": "", "default": True, "licence": "none needed", "problem": ""}]
    assert session.model_line("") == "No trained weights: plain interpolation"


def test_no_python_for_the_backend_is_said(addon: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("LIMBER_PYTHON", str(tmp_path / "none"))
    key_poses(make_person())
    with pytest.raises(RuntimeError, match="LIMBER_PYTHON"):
        bpy.ops.limber.inbetween()
    session = _session()
    assert session.backend_state == process.CRASHED
    assert "LIMBER_PYTHON" in session.backend_line()


def test_result_names_count_on(addon: None) -> None:
    assert results.result_name("Walk") == "Walk Limber 1"
    bpy.data.actions.new("Walk Limber 1")
    assert results.result_name("Walk") == "Walk Limber 2"
    assert results.result_name("Walk Limber 1") == "Walk Limber 2"
    assert results.result_name("Limber walk") == "Limber walk Limber 1"


def test_masks_survive_being_written_down() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(50):
        joints, root = rng.random((40, 22)) < 0.2, rng.random(40) < 0.2
        again = plans.read_known(plans.known_to_json(joints, root, 17), 17, 40)
        assert (again[0] == joints).all()
        assert (again[1] == root).all()
