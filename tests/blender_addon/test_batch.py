"""``limber-blender retarget`` through real files, real processes and a real Blender."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import __main__, actions  # noqa: E402
from blender_addon.batch import plan, pool, sources, targets, work  # noqa: E402
from blender_addon.motion import bone_maps, bvh  # noqa: E402
from blender_addon.motion.clip import Clip  # noqa: E402
from blender_addon.motion.errors import LimberError  # noqa: E402
from tests.blender_addon import armatures, characters  # noqa: E402
from tests.blender_addon.batches import FRAMES, run, seen_error  # noqa: E402


@pytest.mark.parametrize("form", plan.FORMATS)
def test_every_format_holds_the_motion(folder: Path, form: str) -> None:
    (entry,) = run(folder, options=plan.Options(format=form, check=4))
    assert entry["state"] == "done", entry
    assert Path(entry["output"]) == folder / f"out/walk.{form}"
    assert entry["frames"] == FRAMES
    assert entry["limb_error"] < 1
    assert entry["place_error"] < 1e-4
    assert entry["skating_after"] <= max(0.7 * entry["skating_source"], 0.01)
    assert entry["penetration_after"] < 0.01
    assert entry["root_path_ratio"] == pytest.approx(1, abs=0.02)
    assert seen_error(Path(entry["output"])) < 1


@pytest.mark.parametrize("source", ["walk_amass.npz", "walk.npz"])
def test_motions_of_our_own_and_of_amass(folder: Path, source: str) -> None:
    (entry,) = run(folder, source=source)
    assert entry["state"] == "done", entry
    assert entry["limb_error"] < 1


def test_another_rate_is_resampled(folder: Path) -> None:
    (entry,) = run(folder, options=plan.Options(fps=24, check=2))
    assert entry["frames"] == 37
    assert entry["fps"] == 24


def test_nothing_on_the_target_changes_but_its_action(folder: Path) -> None:
    target = targets.open_target(plan.Place(str(folder / "hero.blend")), "auto")
    obj = target.character.obj
    bones = {b.name: np.array(b.matrix_local) for b in obj.data.bones}
    before = {f.data_path for f in actions.fcurves(obj)}
    (entry,) = run(folder)
    bpy.ops.wm.open_mainfile(filepath=entry["output"])
    obj = bpy.data.objects["Hero"]
    assert all((np.array(b.matrix_local) == bones[b.name]).all() for b in obj.data.bones)
    assert (np.array(obj.matrix_world) == np.eye(4)).all()
    assert sorted(a.name for a in bpy.data.actions) == ["Idle", "walk"]
    assert obj.animation_data.action.name == "walk"
    assert {f.data_path for f in actions.fcurves(obj)} > before, "the prop keeps its own animation"
    bpy.context.scene.frame_set(30)
    assert obj.pose.bones["prop"].rotation_quaternion[1] == pytest.approx(0.5)
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (1, FRAMES)


@pytest.mark.parametrize("root", plan.ROOTS)
def test_the_way_is_carried_by_what_is_asked_to(folder: Path, root: str) -> None:
    (entry,) = run(folder, options=plan.Options(root=root, check=4))
    assert entry["state"] == "done", entry
    assert entry["place_error"] < 1e-4, "the same is seen"
    bpy.ops.wm.open_mainfile(filepath=entry["output"])
    obj = bpy.data.objects["Hero"]
    far = {}
    for frame in (1, FRAMES):
        bpy.context.scene.frame_set(frame)
        far[frame] = (obj.matrix_world.translation.copy(), obj.pose.bones["root"].matrix.translation.copy())
    moved = [(b - a).length for a, b in zip(far[1], far[FRAMES], strict=True)]
    assert [x > 1 for x in moved] == [root == "object", root == "bone"]


def test_no_bone_above_the_hips_is_said(folder: Path) -> None:
    (unit,) = plan.plan(
        [str(folder / "walk.bvh")], [str(folder / "walk.bvh")], folder / "o", plan.Options(root="bone")
    )
    (entry,) = work.Workshop().run(unit, lambda text: None)
    assert "no bone stands above the hips" in entry["error"]


def test_in_place(folder: Path) -> None:
    (entry,) = run(folder, options=plan.Options(in_place=True, check=4))
    bpy.ops.wm.open_mainfile(filepath=entry["output"])
    obj, places = bpy.data.objects["Hero"], []
    for frame in range(1, FRAMES, 5):
        bpy.context.scene.frame_set(frame)
        places.append((obj.matrix_world @ obj.pose.bones["pelvis"].head).y)
    assert np.ptp(places) < 0.15


def test_every_action_of_a_file_is_a_clip(folder: Path) -> None:
    rig = armatures.shared() / "rigs" / "kaykit_General.glb"
    (unit,) = plan.plan(
        [str(rig)], [str(folder / "hero.blend")], folder / "many", plan.Options(check=2, format="bvh")
    )
    entries = work.Workshop().run(unit, lambda text: None)
    assert len(entries) > 10
    assert all(e["state"] == "done" for e in entries), [e for e in entries if e["state"] != "done"]
    assert len({e["output"] for e in entries}) == len(entries)
    assert np.mean([e["limb_error"] for e in entries]) < 1.5


# -- the command ----------------------------------------------------------------------------------------


def command(*arguments: object) -> int:
    return __main__.main(["retarget", *(str(a) for a in arguments)])


def test_failures_are_told_the_rest_goes_on_and_resume_does_what_is_missing(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    (clips / "sub").mkdir(parents=True)
    text = (folder / "walk.bvh").read_text()
    (clips / "a.bvh").write_text(text)
    (clips / "sub" / "a.bvh").write_text(text)
    (clips / "cut.bvh").write_text(text[: len(text) // 2])
    call = (
        "--source",
        clips / "**/*.bvh",
        "--target",
        folder / "hero.blend",
        "-o",
        out,
        "--check",
        2,
        "--format",
        "bvh",
    )
    assert command(*call) == 1
    assert "Traceback" not in capfd.readouterr().err
    told = json.loads((out / "report.json").read_text())
    assert told["summary"]["done"] == 2
    (bad,) = [e for e in told["entries"] if e["state"] == "failed"]
    assert "cut short" in bad["error"] or "numbers in a frame" in bad["error"]
    stamps = {p: p.stat().st_mtime_ns for p in out.rglob("*.bvh")}
    assert {str(p.relative_to(out)) for p in stamps} == {"a.bvh", "sub/a.bvh"}
    (clips / "cut.bvh").write_text(text)
    (out / "a.bvh").unlink()
    assert command(*call, "--resume") == 0
    assert (out / "sub/a.bvh").stat().st_mtime_ns == stamps[out / "sub/a.bvh"]
    told = json.loads((out / "report.json").read_text())["summary"]
    assert (told["done"], told["skipped"], told["failed"]) == (3, 1, 0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe that blocks whoever opens it")
def test_what_hangs_and_what_crashes_is_replaced(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hangs.bvh")
    os.mkfifo(tmp_path / "crashes.bvh")
    for name in ("a", "z"):
        (tmp_path / f"{name}.bvh").write_bytes((folder / "walk.bvh").read_bytes())
    clips = [str(tmp_path / f"{n}.bvh") for n in ("a", "crashes", "hangs", "z")]
    how = plan.Options(check=0, format="bvh")
    units = plan.plan(clips, [str(folder / "hero.blend")], tmp_path / "out", how)
    process = pool.Process(40.0)

    def crash(text: str) -> None:
        if (
            "crashes" in text
        ):  # the signal that a bad pointer in Blender would bring, in the middle of the unit
            pid = process.pid
            assert pid is not None
            threading.Timer(0.3, lambda: os.kill(pid, signal.SIGSEGV)).start()

    try:
        first = pool.attempt(process, units[0], crash)
        assert first.entries[0]["state"] == "done"
        crashed = pool.attempt(process, units[1], crash)
        assert "SIGSEGV" in crashed.entries[0]["error"]
        assert crashed.attempts == 2, "another process might have done it"
        process.patience = 3.0
        hung = pool.attempt(process, units[2], crash)
        assert "no sign of life for 3 s" in hung.entries[0]["error"]
        process.patience = 120.0
        assert pool.attempt(process, units[3], crash).entries[0]["state"] == "done"
    finally:
        process.stop()


def test_a_batch_that_is_ended_leaves_no_process_behind(folder: Path, tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs a pipe that blocks whoever opens it")
    os.mkfifo(tmp_path / "hangs.bvh")
    running = subprocess.Popen(
        [sys.executable, "-m", "blender_addon", "retarget", "--source", str(tmp_path / "hangs.bvh"), "--target",
         str(folder / "hero.blend"), "-o", str(tmp_path / "out")],
        cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    until = time.monotonic() + 120
    while time.monotonic() < until and not any(_blocked(int(c)) for c in _children(running.pid)):
        time.sleep(0.2)
    found = _children(running.pid)
    assert found, children
    running.terminate()
    _, err = running.communicate(timeout=120)
    assert running.returncode == 1, err
    until = time.monotonic() + 60
    while time.monotonic() < until and any(Path(f"/proc/{pid}/exe").exists() for pid in found):
        time.sleep(0.2)
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in found)


def _children(pid: int) -> list[str]:
    """Processes that any of a process' threads started."""
    return [c for t in Path(f"/proc/{pid}/task").glob("*/children") for c in t.read_text().split()]


def _blocked(pid: int) -> bool:
    """Whether a worker is past starting: it has mapped Blender's libraries."""
    try:
        return (
            "bpy" in Path(f"/proc/{pid}/maps").read_text() or "numpy" in Path(f"/proc/{pid}/maps").read_text()
        )
    except OSError:
        return False


@pytest.mark.parametrize(
    "wrong",
    [
        ("--source", "nowhere/*.bvh"),
        ("--source", "missing.bvh"),
        ("--source", "text.txt"),
        ("--jobs", "0"),
        ("--fps", "-3"),
        ("--format", "mov"),
        ("--target", "gone.blend"),
    ],
)
def test_wrong_calls_end_with_two(folder: Path, tmp_path: Path, wrong: tuple[str, str], capsys: Any) -> None:
    call = {
        "--source": folder / "walk.bvh",
        "--target": folder / "hero.blend",
        "-o": tmp_path / "out",
    } | dict([wrong])
    with pytest.raises(SystemExit) as ended:
        command(*(x for pair in call.items() for x in pair))
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


# -- files that are broken ------------------------------------------------------------------------------


def broken(folder: Path, tmp_path: Path) -> dict[str, tuple[Path, str]]:
    """Broken source -> file and a word of what has to be said."""
    text = (folder / "walk.bvh").read_text()
    head, motion = text.split("MOTION")
    rows = motion.split("\n")
    values = rows[5].split()
    nan = "\n".join([*rows[:5], " ".join([*values[:4], "nan", *values[5:]]), *rows[6:]])
    one = "\n".join(["", "Frames: 1", rows[2], rows[3], ""])
    files = {
        "cut": ("x.bvh", "\n".join(text.split("\n")[:-20]), "cut short"),
        "empty": ("x.bvh", "", "empty"),
        "nan": ("x.bvh", head + "MOTION" + nan, "not a finite number"),
        "no root": ("x.bvh", text.replace("ROOT", "JOINT", 1), "ROOT"),
        "no body": ("x.bvh", "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Xrotation Yrotation Zrotation\n"
                    "End Site\n{\nOFFSET 0 1 0\n}\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n0 0 0\n", "bone"),
        "one frame": ("x.bvh", head + "MOTION" + one, ""),
        "no glb": ("x.glb", "hello", "cannot be read"),
        "no fbx": ("x.fbx", "hello", "cannot be read"),
        "empty fbx": ("x.fbx", "", "empty"),
        "empty usd": ("x.usdc", "", "empty"),
        "no blend": ("x.blend", "hello", "cannot be read"),
        "no npz": ("x.npz", "hello", ".npz"),
    }  # fmt: skip
    out = {}
    for name, (file, content, word) in files.items():
        path = tmp_path / name.replace(" ", "_") / file
        path.parent.mkdir()
        path.write_text(content)
        out[name] = (path, word)
    return out


def test_broken_files_are_told_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    shop = work.Workshop()
    for name, (path, word) in broken(folder, tmp_path).items():
        (unit,) = plan.plan(
            [str(path)], [str(folder / "hero.blend")], tmp_path / "out", plan.Options(check=1)
        )
        if not word:
            (entry,) = shop.run(unit, lambda text: None)
            assert entry["state"] == "done", (name, entry)
            continue
        with pytest.raises(LimberError) as told:
            shop.run(unit, lambda text: None)
        assert word in str(told.value), name
        assert "Traceback" not in str(told.value)


def test_two_armatures_and_none(folder: Path, tmp_path: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(folder / "hero.blend"))
    characters.make_person("Villain")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "two.blend"))
    with pytest.raises(LimberError, match=r"two\.blend:NAME of Hero, Villain"):
        targets.open_target(plan.Place(str(tmp_path / "two.blend")), "auto")
    assert (
        targets.open_target(plan.Place(str(tmp_path / "two.blend"), "Villain"), "auto").character.obj.name
        == "Villain"
    )
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "none.blend"))
    with pytest.raises(LimberError, match="none"):
        targets.open_target(plan.Place(str(tmp_path / "none.blend")), "auto")


def test_takes_of_any_length_are_worked_on_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon.batch import bulk, convert

    target = targets.open_target(plan.Place(str(folder / "hero.blend")), "auto")
    (source,) = sources.read(plan.Place(str(folder / "walk.bvh")))
    assert isinstance(source, sources.Source)
    made = convert.convert(source, target.character.rig, plan.Options())
    whole = bulk.channels(target.character, made, None, 1)
    monkeypatch.setattr(bulk, "CHUNK", 7)
    parts = bulk.channels(target.character, made, None, 1)
    for key, values in whole.items():
        np.testing.assert_allclose(parts[key], values, atol=1e-9, err_msg=str(key))


# -- plans ------------------------------------------------------------------------------------------------


def test_names_never_collide_and_folders_are_kept(tmp_path: Path) -> None:
    for name in ("a/walk.bvh", "a/walk.fbx", "b/WALK.bvh", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "t.blend").write_text("")
    units = plan.plan(
        [str(tmp_path / "a"), str(tmp_path / "b")],
        [str(tmp_path / "t.blend")],
        tmp_path / "o",
        plan.Options(),
    )
    names = [str(Path(u.output).relative_to(tmp_path / "o")) for u in units]
    assert names == ["walk", "walk_fbx", "WALK_bvh"]
    again = plan.Unit.from_json(json.loads(json.dumps(units[0].to_json())))
    assert again == units[0]
    assert len({u.key for u in units}) == 3


def test_a_record_holds_for_the_same_options_and_files_alone(tmp_path: Path) -> None:
    for name in ("walk.bvh", "t.blend"):
        (tmp_path / name).write_text("")
    made = tmp_path / "o" / "walk.bvh"

    def unit(**options: Any) -> plan.Unit:
        return plan.plan([str(tmp_path / "walk.bvh")], [str(tmp_path / "t.blend")], tmp_path / "o",
                         plan.Options(**options))[0]  # fmt: skip

    plan.remember(unit(), tmp_path / "o", [{"state": "done", "output": str(made)}])
    assert plan.done_before(unit(), tmp_path / "o") is None, "the file is not there"
    made.write_text("")
    assert plan.done_before(unit(), tmp_path / "o")
    assert plan.done_before(unit(fps=24), tmp_path / "o") is None
    (tmp_path / "walk.bvh").write_text("changed")
    assert plan.done_before(unit(), tmp_path / "o") is None


def test_maps_by_family_and_by_file(folder: Path, tmp_path: Path) -> None:
    clip: Clip = bvh.load(folder / "walk.bvh")
    found = bone_maps.find(clip.skeleton)
    (tmp_path / "map.json").write_text(found.to_json())
    assert sources.choose_map(clip.skeleton, str(tmp_path / "map.json")).bones == found.bones
    assert sources.choose_map(clip.skeleton, "smpl").bones == found.bones
    for wrong, word in (("mixamo", "not those"), ("nobody", "there is no map")):
        with pytest.raises(LimberError, match=word):
            sources.choose_map(clip.skeleton, wrong)
