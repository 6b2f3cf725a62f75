"""Files that are cut short, empty, not numbers, too long, or somebody else's: each is told in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import scene_files  # noqa: E402
from blender_addon.batch import plan, pool, report, sources, targets, work  # noqa: E402
from blender_addon.motion.errors import InvalidRequestError, LimberError  # noqa: E402
from tests.blender_addon import armatures, characters  # noqa: E402
from tests.blender_addon.test_batch import command  # noqa: E402


def half(source: Path, to: Path) -> Path:
    """The first half of a file."""
    data = source.read_bytes()
    to.write_bytes(data[: len(data) // 2])
    return to


def amass(folder: Path, to: Path, **changed: Any) -> Path:
    """The walk as AMASS, with some of its arrays changed; None leaves one out."""
    with np.load(folder / "walk_amass.npz") as arrays:
        whole = dict(arrays) | changed
    np.savez(to, **{name: value for name, value in whole.items() if value is not None})
    return to


def action_file(to: Path, keys: list[tuple[int, float]]) -> Path:
    """A .blend whose character's hips go along X by these keys."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    hips = characters.make_person("Hero").pose.bones["pelvis"]
    for frame, x in keys:
        hips.location = (x, 0, 0)
        hips.keyframe_insert("location", frame=frame)
    bpy.ops.wm.save_as_mainfile(filepath=str(to))
    return to


def bare_file(to: Path, what: str) -> Path:
    """A file without an armature, or with one that has no bones or no Action."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if what == "no bones":
        obj = bpy.data.objects.new("Bare", bpy.data.armatures.new("Bare"))
        bpy.context.scene.collection.objects.link(obj)
    elif what == "no action":
        characters.make_person("Hero")
    bpy.ops.wm.save_as_mainfile(filepath=str(to))
    return to


def test_every_broken_file_of_a_folder_is_told_and_the_good_ones_are_done(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rigs, clips = armatures.shared() / "rigs", tmp_path / "clips"
    clips.mkdir()
    with np.load(folder / "walk_amass.npz") as arrays:
        poses, way = np.array(arrays["poses"]), np.array(arrays["trans"])
    spoiled = poses.copy()
    spoiled[5, 7] = np.nan
    said = {
        half(rigs / "kaykit_General.glb", clips / "half.glb"): "cannot be read",
        half(rigs / "rocketbox_biped_female.fbx", clips / "half.fbx"): "cannot be read",
        half(folder / "hero.blend", clips / "half.blend"): "cannot be read",
        half(folder / "walk_amass.npz", clips / "half.npz"): "damaged",
        amass(folder, clips / "nan.npz", poses=spoiled): "not a finite number in row 5",
        amass(folder, clips / "none.npz", poses=poses[:0], trans=way[:0]): "no frames",
        amass(folder, clips / "other.npz", poses=None): "not an AMASS motion",
        action_file(clips / "nan.blend", [(1, 0.0), (5, float("nan")), (10, 1.0)]): "not a finite number",
        action_file(clips / "ages.blend", [(1, 0.0), (900_000, 1.0)]): "from frame 1 to 900000",
        bare_file(clips / "nobody.blend", "no armature"): "the file has none",
        bare_file(clips / "boneless.blend", "no bones"): "has no bones",
        bare_file(clips / "still.blend", "no action"): "no Action that moves bones",
    }
    for ending in ("blend", "bvh", "fbx", "glb", "usdc", "vrm"):
        (clips / f"empty.{ending}").touch()
        said[clips / f"empty.{ending}"] = "empty"
    good = {
        amass(folder, clips / "one.npz", poses=poses[:1], trans=way[:1]): 1,
        action_file(clips / "one.blend", [(1, 0.0)]): 1,
        action_file(clips / "ten.blend", [(1, 0.0), (10, 1.0)]): 10,
    }
    out = tmp_path / "out"
    assert command("--source", clips, "--target", folder / "hero.blend", "-o", out, "--format", "bvh") == 1
    assert "Traceback" not in capfd.readouterr().err
    told = {Path(e["source"]): e for e in json.loads((out / "report.json").read_text())["entries"]}
    assert set(told) == set(said) | set(good)
    for path, word in said.items():
        assert word in told[path].get("error", "done"), path.name
        assert "defect" not in told[path]["error"]
    for path, frames in good.items():
        assert told[path]["state"] == "done", told[path]
        assert told[path]["frames"] == frames


def test_an_empty_target_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.glb").touch()
    with pytest.raises(LimberError, match="empty"):
        targets.open_target(plan.Place(str(tmp_path / "x.glb")), "auto")


def test_takes_too_long_for_an_exporter_are_told_before_work_is_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.fits(200_000, 66, "blend")
    work.fits(200_000, 66, "bvh")
    work.fits(200_000, 66, "fbx")
    with pytest.raises(
        InvalidRequestError, match=r"200000 frames .* 66 bones are 45454\. Use --format blend"
    ):
        work.fits(200_000, 66, "glb")
    monkeypatch.setitem(work.LARGEST, "glb", 100)
    how = plan.Options(format="glb", fps=10.0)
    (unit,) = plan.plan([str(folder / "walk.bvh")], [str(folder / "hero.blend")], folder / "out", how)
    (entry,) = work.Workshop().run(unit, lambda text: None)
    assert (
        "16 frames are more than Blender's .glb exporter holds" in entry["error"]
        or "15 frames" in entry["error"]
    )


def test_a_clip_that_is_longer_than_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_FRAMES", 20)
    with pytest.raises(LimberError, match="at most 20 are taken"):
        list(sources.read(plan.Place(str(folder / "walk.bvh"))))


def test_a_long_step_is_announced(folder: Path) -> None:
    heard: list[float] = []
    (unit,) = plan.plan(
        [str(folder / "walk.bvh")], [str(folder / "hero.blend")], folder / "out", plan.Options()
    )
    work.Workshop(heard.append).run(unit, lambda text: None)
    bones = len(targets.open_target(unit.target, "auto").character.obj.data.bones)
    assert heard == pytest.approx([46 * work.CONVERTING, 46 * bones * work.SAVING])


def test_a_step_that_is_announced_is_waited_for_and_no_longer() -> None:
    process = pool.Process(3.0)
    says = "import sys; print('{}', flush=True); sys.stdin.readline(); print('{\"expect\": 4}', flush=True); input()"
    process._process = subprocess.Popen([sys.executable, "-c", says], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)  # fmt: skip
    threading.Thread(target=pool._pump, args=(process._process.stdout, process._lines), daemon=True).start()
    unit = plan.Unit(plan.Place("a.bvh"), plan.Place("b.glb"), "out", plan.Options())
    try:
        assert process._lines.get(timeout=60) == "{}\n", "it is up"
        assert "no sign of life for 4 s" in process.do(unit, lambda text: None)["hung"]
    finally:
        process.stop()


def test_feet_that_do_not_skate_are_nothing_to_compare_with() -> None:
    assert report.ratio({"skating_source": 1e-9, "skating_after": 0.1}) is None
    assert report.ratio({"skating_source": 0.2, "skating_after": 0.1}) == pytest.approx(0.5)
    assert report.ratio({"skating_source": None, "skating_after": None}) is None
    entry = {"source": "a", "clip": "", "target": "b", "state": "done", "output": "c", "frames": 1}
    assert report.line(entry) == "c: 1 frame"


def test_usd_and_vrm_without_an_armature(tmp_path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_cube_add()
    scene_files.enable("io_scene_gltf2")
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "cube.glb"))
    (tmp_path / "cube.glb").rename(tmp_path / "cube.vrm")
    with pytest.raises(LimberError, match="the file has none"):
        targets.open_file(plan.Place(str(tmp_path / "cube.vrm")))
