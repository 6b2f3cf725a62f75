"""``limber-blender``: real files in, the real backend, real files out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import __main__, actions, armature_io, headless, keyframes, scene_files
from blender_addon.keyframes import split_path
from blender_addon.motion import bvh, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.errors import FileFormatError, InvalidRequestError
from blender_addon.motion.skeleton import INDEX
from tests.blender_addon.characters import capture_motion, every_key, every_record, key_poses, make_person
from tests.blender_addon.running import alive


def swaying(frames: int = 40, fps: float = 30.0) -> Clip:
    """A person who sways, bends the arms and walks, with a key on every frame."""
    still = rest_clip(frames, fps)
    t = np.arange(frames) / fps
    turned = np.array(still.rotations)
    for joint, axis, size in (("pelvis", 1, 0.4), ("left_shoulder", 2, 0.9), ("left_elbow", 1, -0.8),
                              ("right_hip", 0, 0.6), ("right_knee", 0, 0.7), ("spine2", 2, 0.2)):  # fmt: skip
        vector = np.zeros((frames, 3))
        vector[:, axis] = size * np.sin(2.1 * t + axis)
        turned[:, INDEX[joint]] = rotations.from_axis_angle(vector)
    root = still.root_positions + np.stack([0.1 * np.sin(t), 0.02 * np.sin(5 * t), 0.8 * t], -1)
    return Clip(still.skeleton, turned, root, fps, name="sway")


@pytest.fixture(autouse=True)
def _backend(backend_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMBER_PYTHON", backend_python)


@pytest.fixture
def sway(tmp_path: Path) -> Path:
    """The clip as a .bvh file."""
    path = tmp_path / "sway ü.bvh"
    bvh.save(path, swaying())
    return path


@pytest.fixture
def scene(tmp_path: Path, empty_file: None) -> Path:
    """A .blend with a keyed person and another armature without keys."""
    person = make_person()
    key_poses(person, (1, 15, 30))
    make_person("Other")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    return tmp_path / "scene.blend"


def call(*arguments: object) -> int:
    return __main__.main([str(a) for a in arguments])


def angles(a: Clip, b: Clip) -> np.ndarray:
    """Degrees between two clips' global orientations ``(F, J)``, joint by joint of ``a``."""
    order = [b.skeleton.names.index(name) for name in a.skeleton.names]
    return np.degrees(rotations.angle_between(a.forward()[0], b.forward()[0][:, order]))


# -- inbetween --------------------------------------------------------------------------------------


def test_dense_bvh_keeps_the_poses_that_were_named(
    sway: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new folder" / "out.bvh"
    assert call("inbetween", sway, "--frames", "5:35", "--keys", "5,14,24,35", "--every-frame", "-o", out) == 0
    said = capfd.readouterr().out.splitlines()
    assert len(said) == 1
    assert "31 frames" in said[0]
    assert "largest key change 0," in said[0]
    before, after = bvh.load(sway), bvh.load(out)
    assert len(after) == len(before)
    assert after.fps == before.fps
    off, moved = angles(before, after).max(1), np.abs(before.positions()[:, 0] - after.positions()[:, 0]).max(1)
    kept = [f for f in range(40) if f + 1 <= 5 or f + 1 >= 35 or f + 1 in (14, 24)]
    assert off[kept].max() < 0.01
    assert moved[kept].max() < 1e-4
    assert off[18] > 0.5  # in between something was made up


def test_blend_gets_a_new_action_and_keeps_the_old_one(
    scene: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(scene))
    before = every_key(bpy.data.actions["Walk"])
    out = tmp_path / "out.blend"
    assert call("inbetween", scene, "--armature", "Person", "--frames", "1:30", "--variations", 2, "-o", out) == 0
    assert "largest key change 0," in capfd.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=str(out))
    person = bpy.data.objects["Person"]
    now = person.animation_data.action
    assert now.name == "Walk Limber 1"
    assert {a.name for a in bpy.data.actions} == {"Walk", "Walk Limber 1", "Walk Limber 2"}
    assert every_key(bpy.data.actions["Walk"]) == before
    assert actions.original_of(now) == bpy.data.actions["Walk"]
    after = every_key(now)
    for channel, keys in before.items():
        assert set(keys) <= set(after[channel])
        assert len(keys) < len(after[channel]) < 30  # few, unless every frame is asked for


def test_variations_of_other_formats_are_files(sway: Path, tmp_path: Path) -> None:
    arguments = ("--frames", "1:20", "--keys", "1,20", "--variations", 2, "--seed", 3, "--system", "interpolation")
    assert call("inbetween", sway, *arguments, "-o", tmp_path / "v.bvh") == 0
    assert (tmp_path / "v.bvh").is_file()
    assert (tmp_path / "v-2.bvh").is_file()


@pytest.mark.parametrize("suffix", [".glb", ".fbx"])
def test_exports_play_as_the_scene_does(sway: Path, tmp_path: Path, suffix: str) -> None:
    out, blend = tmp_path / f"out{suffix}", tmp_path / "out.blend"
    arguments = ("inbetween", sway, "--frames", "1:40", "--keys", "1,20,40", "--only-armature", "-o")
    assert call(*arguments, blend) == 0
    wanted = joint_places(blend)
    assert call(*arguments, out) == 0
    found = joint_places(out)
    shared = sorted(wanted.keys() & found.keys())
    assert len(shared) >= 20
    for joint in shared:
        np.testing.assert_allclose(found[joint], wanted[joint], atol=2e-3, err_msg=joint)


def joint_places(path: Path) -> dict[str, np.ndarray]:
    """Every bone's head in the canonical world at some of the 40 frames ``(F, 3)``; frame 1 or 0 is first."""
    scene_files.open_scene(path, 30.0)
    obj = scene_files.choose_armature()
    first = round(obj.animation_data.action.frame_range[0])
    clip = armature_io.read_clip(obj, first + np.array([0, 7, 19, 30, 39]))
    return {name: clip.positions()[:, j] for j, name in enumerate(clip.skeleton.names)}


def test_whole_poses_are_keyed_on_a_copy(empty_file: None) -> None:
    person = make_person()
    original = key_poses(person, (1, 5, 9, 13, 40))
    before = every_key(original)
    bones = ["head", "left_foot"]
    made = headless.key_poses(person, (13, 3), 3, 13, bones)
    assert every_key(original) == before
    assert person.animation_data.action == made
    keys = keyframes.read_keys(person, 0, 100)
    assert set(keys.frames_of("left_foot")) == {3, 13}  # nothing moved it, but it is part of the pose
    assert set(keys.frames_of("left_elbow")) == {1, 3, 13, 40}
    curve = {(c.data_path, c.array_index): c for c in actions.fcurves(person)}
    actions.assign(person, original, None)
    for old in actions.fcurves(person):
        for frame in (3, 13):
            new = curve[old.data_path, old.array_index]
            assert new.evaluate(frame) == pytest.approx(old.evaluate(frame), abs=1e-6)


# -- complete and refine ----------------------------------------------------------------------------


@pytest.fixture
def take(tmp_path: Path, empty_file: None) -> Path:
    """A .blend with a captured person."""
    capture_motion(make_person())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "take.blend"))
    return tmp_path / "take.blend"


@pytest.mark.parametrize(("arguments", "bones"), [
    (("complete", "--joints", "left_arm"), {"left_shoulder", "left_elbow", "left_wrist"}),
    (("complete", "--bones", "head,neck"), {"head", "neck"}),
    (("refine", "--joints", "legs", "--confidence", "0.3"),
     {f"{s}_{j}" for s in ("left", "right") for j in ("hip", "knee", "ankle", "foot")}),
])  # fmt: skip
def test_captured_motion_in_a_blend(take: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
                                    arguments: tuple[str, ...], bones: set[str]) -> None:  # fmt: skip
    bpy.ops.wm.open_mainfile(filepath=str(take))
    before = every_record(bpy.data.objects["Person"])
    out = tmp_path / "out.blend"
    command, *rest = arguments
    assert call(command, take, "--frames", "20:40", *rest, "--system", "interpolation", "-o", out) == 0
    said = capfd.readouterr().out
    assert "largest key change 0," in said
    assert "jerk" in said
    bpy.ops.wm.open_mainfile(filepath=str(out))
    person = bpy.data.objects["Person"]
    assert person.animation_data.action.name == "Take Limber 1"
    after = every_record(person)
    written = {split_path(path)[0] for (path, i), r in after.items() if r.tobytes() != before[path, i].tobytes()}  # type: ignore[index]
    assert written == bones
    for channel, records in before.items():
        now = after[channel]
        for outside in (lambda r: r["frame"] < 20, lambda r: r["frame"] > 40):
            assert now[outside(now)].tobytes() == records[outside(records)].tobytes()


def test_a_captured_bvh_comes_back_as_a_bvh(sway: Path, tmp_path: Path) -> None:
    out, untouched = tmp_path / "out.bvh", tmp_path / "same.bvh"
    scene_files.open_scene(sway)
    scene_files.save(untouched, scene_files.choose_armature(), 1, 40)
    arguments = ("--frames", "10:20", "--joints", "left_arm", "--system", "interpolation", "-o", out)
    assert call("complete", sway, *arguments) == 0
    a, b = untouched.read_text().splitlines(), out.read_text().splitlines()
    differ = [n for n, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    assert len(differ) == 11  # the frames that were asked for; every other line is the same text
    assert differ == list(range(differ[0], differ[0] + 11))


@pytest.mark.parametrize(("arguments", "says"), [
    (("complete", "--gaps", "3"), "no captured bone is without a key"),
    (("complete", "--bones", "Tail"), "'Tail'"),
    (("complete", "--joints", "all"), "nothing is left to go by"),
    (("complete", "--joints", "head", "--bundle", "none such"), "none such"),
])  # fmt: skip
def test_what_cannot_be_completed_is_said(take: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
                                          arguments: tuple[str, ...], says: str) -> None:  # fmt: skip
    out = tmp_path / "never.blend"
    assert call(arguments[0], take, "--frames", "1:60", *arguments[1:], "-o", out) == 1
    assert says in capfd.readouterr().err
    assert not out.exists()


# -- what goes wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "says"), [
    (("--frames", "1:30"), "Other, Person"),
    (("--frames", "1:30", "--armature", "Nobody"), "Other, Person"),
    (("--frames", "1:30", "--armature", "Other"), "key"),
    (("--frames", "1:30", "--armature", "Person", "--keys", "7"), "at least 2"),
    (("--frames", "1:30", "--armature", "Person", "--keys", "1,31"), "outside 1:30"),
    (("--frames", "1:30", "--armature", "Person", "--bundle", "none such"), "none such"),
    (("--frames", "100:130", "--armature", "Person"), "key"),
])  # fmt: skip
def test_failures_are_one_sentence(
    scene: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    out = tmp_path / "never.blend"
    assert call("inbetween", scene, *arguments, "-o", out) == 1
    said = capfd.readouterr()
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if line.startswith("limber-blender:")]
    assert len(lines) == 1
    assert says in lines[0]
    assert not out.exists()


def test_files_that_cannot_be_read_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bad = {suffix: tmp_path / f"bad{suffix}" for suffix in (".bvh", ".blend", ".glb", ".fbx", ".txt")}
    for path in bad.values():
        path.write_bytes(b"this is none of these")
    for path in (*bad.values(), tmp_path / "missing.blend"):
        assert call("map", path) == 1
        assert path.name in capfd.readouterr().err
    with pytest.raises(FileFormatError, match="written"):
        scene_files.save(tmp_path / "out.obj", None, 1, 2)


def test_no_armature(tmp_path: Path, empty_file: None, capfd: pytest.CaptureFixture[str]) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "none.blend"))
    assert call("map", tmp_path / "none.blend") == 1
    assert "has none" in capfd.readouterr().err
    with pytest.raises(InvalidRequestError):
        scene_files.choose_armature()


@pytest.mark.parametrize("arguments", [
    (), ("dance",), ("inbetween",), ("inbetween", "a.blend", "-o", "b.blend"),
    ("inbetween", "a.blend", "--frames", "9", "-o", "b.blend"),
    ("inbetween", "a.blend", "--frames", "9:9", "-o", "b.blend"),
    ("inbetween", "a.blend", "--frames", "1:9", "-o", "b.mp4"),
    ("inbetween", "a.blend", "--frames", "1:9", "--keys", "one", "-o", "b.blend"),
    ("inbetween", "a.blend", "--frames", "1:9", "--variations", "0", "-o", "b.blend"),
    ("inbetween", "a.blend", "--frames", "1:9", "-o", "./a.blend"),
    ("complete", "a.blend", "--frames", "1:9", "-o", "b.blend"),
    ("complete", "a.blend", "--frames", "1:9", "--joints", "tail", "-o", "b.blend"),
    ("complete", "a.blend", "--frames", "1:9", "--joints", "head", "--gaps", "3", "-o", "b.blend"),
    ("refine", "a.blend", "--frames", "1:9", "--confidence", "1", "-o", "b.blend"),
])  # fmt: skip
def test_wrong_calls_exit_with_2(arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        call(*arguments)
    assert left.value.code == 2
    assert "usage" in capfd.readouterr().err


# -- the rest ---------------------------------------------------------------------------------------


def test_map_says_what_is_there_and_what_is_missing(sway: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert call("map", sway) == 0
    said = capfd.readouterr().out
    assert "left_elbow" in said
    assert "missing: none" in said.splitlines()[-1]


def test_nothing_is_left_enabled_and_no_process_stays(empty_file: None) -> None:
    person = make_person()
    key_poses(person, (1, 30))
    from blender_addon import jobs, plans

    with headless.session() as running:
        outcome = headless.run(running, person, plans.Plan(1, 30, system="interpolation"))
        assert running.backend is not None
        pid: Any = running.backend.pid
    assert outcome.frames == 30
    assert outcome.key_change == 0.0
    assert jobs.current() is None
    assert not hasattr(bpy.types.Scene, "limber")
    deadline = time.monotonic() + 20
    while alive(pid):
        assert time.monotonic() < deadline, "the backend stayed"
        time.sleep(0.02)
