"""Tiny made files in every collection's format, through prepare, to one cache."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blender_addon.motion import bvh, npz, rotations
from blender_addon.motion.clip import Clip, heading
from blender_addon.motion.errors import FileFormatError
from blender_addon.motion.skeleton import INDEX, JOINTS
from tests.training.material import swinging
from training.__main__ import main
from training.prepare import build, cache, readers, recovered
from training.prepare.readers import amass, humanml3d
from training.prepare.take import Options

ROOT = Path(__file__).resolve().parents[2]
NOTHING = Options()


def prepared(tmp_path: Path, *folders: Path | str, options: Options = NOTHING) -> tuple[cache.Cache, dict]:
    out = tmp_path / "cache.npz"
    report = build.prepare(folders, out, tmp_path / "splits.json", options=options)
    return cache.load(out), json.loads(json.dumps(report))


def texts(found: cache.Cache, entry: cache.Entry) -> list[str]:
    return [found.texts[c.text] for c in entry.captions]


# -- BVH in its layouts --------------------------------------------------------------------------------------


def test_lafan1_is_known_by_its_names_and_tested_on_subject_5(tmp_path: Path) -> None:
    folder = tmp_path / "ubisoft"
    folder.mkdir()
    for subject in range(1, 6):
        bvh.save(folder / f"walk1_subject{subject}.bvh", swinging(subject, 40))
        bvh.save(folder / f"fallAndGetUp1_subject{subject}.bvh", swinging(subject + 9, 40))
    found, report = prepared(tmp_path, folder)
    assert {e.source for e in found.entries} == {"lafan1"}
    assert {e.group for e in found.select("test")} == {"subject5"}
    assert "CC BY-NC-ND" in report["sources"]["lafan1"]["licence"]
    assert any("falls down" in t for t in found.texts)


def test_100style_is_cut_as_its_table_says(tmp_path: Path) -> None:
    folder = tmp_path / "100STYLE"
    for style in ("Angry", "ArmsAboveHead", "Zombie", "Old"):
        (folder / style).mkdir(parents=True)
        bvh.save(folder / style / f"{style}_FW.bvh", swinging(3, 120, 60.0))
        bvh.save(folder / style / f"{style}_ID.bvh", swinging(4, 120, 60.0))
    rows = ["STYLE_NAME,FW_START,FW_STOP,ID_START,ID_STOP", "Angry,20,100,N/A,N/A", "ArmsAboveHead,0,120,10,110",
            "Zombie,0,60,0,60", "Old,0,60,0,60"]  # fmt: skip
    (folder / "Frame_Cuts.csv").write_text("\n".join(rows))
    found, report = prepared(tmp_path, folder)
    lengths = {e.name: e.length for e in found.entries}
    assert lengths["Angry_FW"] == 40
    assert "Angry_ID" not in lengths
    left = {f["name"]: f["left_out"] for f in report["findings"] if f["left_out"]}
    assert left == {"Angry_ID": "no such take in Frame_Cuts.csv"}
    entry = next(e for e in found.entries if e.name == "ArmsAboveHead_FW")
    assert entry.group == "ArmsAboveHead"
    assert any("arms above head" in t for t in texts(found, entry))
    (folder / "Frame_Cuts.csv").write_text("STYLE_NAME,FW_START,FW_STOP\nAngry,x,9\n")
    with pytest.raises(ValueError, match="line 2: FW of Angry"):
        readers.takes(folder, NOTHING)


def test_captions_of_a_table_follow_their_clips(tmp_path: Path) -> None:
    folder = tmp_path / "cmu"
    folder.mkdir()
    take = swinging(1, 90)
    root = take.root_positions.copy()
    root[60:] += [30.0, 0, 0]
    bvh.save(folder / "01_01.bvh", Clip(take.skeleton, take.rotations, root, 30.0))
    table = tmp_path / "captions.csv"
    table.write_text("dataset,clip,start_s,end_s,text,source\ncmu,01_01,,,swings,a\ncmu,01_01,1,3,left,b\n")
    found, _ = prepared(tmp_path, folder, options=Options(captions=table))
    first, second = found.entries
    assert (first.name, second.name) == ("01_01", "01_01.2")
    assert [(found.texts[c.text], c.start, c.stop) for c in first.captions] == [
        ("swings", 0, 60),
        ("left", 30, 60),
    ]
    assert [(found.texts[c.text], c.start, c.stop) for c in second.captions] == [
        ("swings", 0, 30),
        ("left", 0, 30),
    ]
    assert found.texts[found.mirrored[found.texts.index("left")]] == "right"
    assert found.texts[found.mirrored[found.texts.index("swings")]] == "swings"


# -- AMASS ---------------------------------------------------------------------------------------------------


def body_model(path: Path, taller: float = 0.1) -> None:
    """A body of 60 points in the real format: SMPL-H's entries; the first beta makes the legs longer."""
    rng = np.random.default_rng(0)
    rest = swinging(0, 1).skeleton.rest_global()[1]
    at = np.zeros((60, 3))
    at[:22] = rest - rest[0]
    shape = np.zeros((60, 3, 16))
    for side in ("left", "right"):
        for k, joint in enumerate(("knee", "ankle", "foot")):
            shape[INDEX[f"{side}_{joint}"], 1, 0] = -taller * min(k + 1, 2)
    regressor = np.zeros((52, 60))
    regressor[np.arange(52), np.arange(52)] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path, v_template=at, shapedirs=shape, J_regressor=regressor, f=rng.integers(0, 60, (20, 3)),
        posedirs=np.zeros((60, 3, 459)), weights=np.full((60, 52), 1 / 52), bs_type=np.array("lrotmin"),
        kintree_table=np.zeros((2, 52), np.int64), part2num=np.array({"head": 1}, object),
    )  # fmt: skip


def amass_folder(folder: Path) -> Path:
    for k, subject in enumerate(("ACCAD/Female1", "ACCAD/Male1", "KIT/3", "KIT/9")):
        (folder / subject).mkdir(parents=True)
        npz.save_amass(folder / subject / "walk_poses.npz", swinging(k, 60, 120.0))
        path = folder / subject / "walk_poses.npz"
        with np.load(path) as a:
            entries = {n: a[n] for n in a.files if n != "joints"}
        entries |= {"betas": np.array([1.0 + k, *[0.0] * 15]), "gender": np.array("male" if k else "female")}
        np.savez(path, **entries)
    np.savez(folder / "KIT/3/shape.npz", betas=np.zeros(16), gender=np.array("male"))
    (folder / "KIT/3/broken_poses.npz").write_bytes(b"PK no archive")
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
def test_amass_takes_have_their_subjects_proportions(tmp_path: Path) -> None:
    pytest.importorskip("smplx")
    models = tmp_path / "models"
    body_model(models / "smplh" / "male" / "model.npz")
    body_model(models / "SMPLH_FEMALE.npz", taller=0.05)
    folder = amass_folder(tmp_path / "AMASS")
    found, report = prepared(tmp_path, folder, options=Options(body_models=models))
    assert {e.source for e in found.entries} == {"amass"}
    legs = {}
    for e in found.entries:
        offsets = found.skeletons[e.skeleton]
        legs[e.group] = -offsets[INDEX["left_knee"], 1]
    assert legs == pytest.approx(
        {"ACCAD/Female1": 0.45, "ACCAD/Male1": 0.6, "KIT/3": 0.7, "KIT/9": 0.8}, abs=1e-4
    )
    assert {e.length for e in found.entries} == {15}, "120 fps become 30"
    left = {f["name"]: f["left_out"] for f in report["findings"] if f["left_out"]}
    assert "no motion in it" in left["KIT/3/shape"]
    assert "not an .npz" in left["KIT/3/broken_poses"]


def test_amass_without_models_says_so_and_wrong_models_are_named(tmp_path: Path) -> None:
    folder = amass_folder(tmp_path / "AMASS")
    found, report = prepared(tmp_path, folder)
    assert len(found.skeletons) == 1
    notes = [f["notes"] for f in report["findings"] if not f["left_out"]]
    assert notes == [["no body models given: default proportions"]] * 4
    with pytest.raises(FileFormatError, match="no smplx model"):
        amass.find_model(tmp_path, "smplx", "male")
    np.savez(tmp_path / "SMPLH_NEUTRAL.npz", v_template=np.zeros((4, 3)))
    with pytest.raises(ValueError, match="no shapedirs"):
        prepared(tmp_path, folder, options=Options(body_models=tmp_path))


# -- HumanML3D -------------------------------------------------------------------------------------------------


def vectors(clip: Clip) -> np.ndarray:
    """What HumanML3D stores of a clip: the inverse of :func:`humanml3d.positions`, rotations left 0."""
    p, turn = clip.positions(), heading(clip)
    back = rotations.from_axis_angle(np.stack([0 * turn, -turn, 0 * turn], -1))
    out = np.zeros((len(p), 263))
    out[:-1, 0] = -np.diff(turn) / 2
    step = rotations.rotate(back[1:], np.diff(p[:, 0], axis=0))
    out[:-1, 1], out[:-1, 2] = step[:, 0], step[:, 2]
    out[:, 3] = p[:, 0, 1]
    flat = p[:, 1:] - p[:, :1] * [1, 0, 1]
    out[:, 4:67] = rotations.rotate(back[:, None], flat).reshape(len(p), 63)
    return out


def test_humanml3d_numbers_become_the_positions_they_came_from() -> None:
    clip = swinging(5, 50, 20.0)
    turned = clip.moved(rotations.from_axis_angle([0, -heading(clip)[0], 0]), [0, 0, 0])
    start = turned.root_positions[0] * [1, 0, 1]
    assert np.abs(humanml3d.positions(vectors(turned)) - (turned.positions() - start)).max() < 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_recovered_rotations_give_the_positions_back(seed: int) -> None:
    p = swinging(seed, 60, 20.0).positions()
    clip = recovered.clip(p, 20.0)
    assert np.abs(clip.positions() - p).max() < 0.04
    speed = rotations.angle_between(clip.rotations[1:], clip.rotations[:-1]) * 20
    assert speed.max() < 45, "no limb turns over"
    again = recovered.clip(clip.positions(), 20.0)
    assert np.abs(again.positions() - clip.positions()).max() < 0.04


def humanml3d_folder(folder: Path) -> Path:
    for name in ("new_joint_vecs", "new_joints", "texts"):
        (folder / name).mkdir(parents=True)
    for k in range(4):
        clip = swinging(k, 60, 20.0)
        np.save(folder / "new_joint_vecs" / f"00000{k}.npy", vectors(clip).astype(np.float32))
        np.save(folder / "new_joint_vecs" / f"M00000{k}.npy", vectors(clip.mirror()).astype(np.float32))
        (folder / "texts" / f"00000{k}.txt").write_text(
            "a man raises his left hand.#a/DET man/NOUN#0.0#0.0\nhe waves.#he/PRON#1.0#2.5\n"
        )
    np.save(folder / "new_joints" / "000009.npy", swinging(9, 60, 20.0).positions())
    np.save(folder / "new_joints" / "000010.npy", np.zeros((5, 7)))
    (folder / "train.txt").write_text("000000\n000001\nM000000\n000009\n000011\n")
    (folder / "val.txt").write_text("000002\n")
    (folder / "test.txt").write_text("000003\n")
    return folder


def test_a_humanml3d_folder_goes_through(tmp_path: Path) -> None:
    folder = humanml3d_folder(tmp_path / "HumanML3D")
    found, report = prepared(tmp_path, folder)
    split = {e.name: e.split for e in found.entries}
    assert split == {
        "000000": "train",
        "000001": "train",
        "000002": "validation",
        "000003": "test",
        "000009": "train",
    }
    assert {e.length for e in found.entries} == {89}, "59 intervals of 1/20 s at 30 fps"
    e = found.entries[0]
    assert [(found.texts[c.text], c.start, c.stop) for c in e.captions] == [
        ("a man raises his left hand.", 0, 89), ("he waves.", 30, 76)]  # fmt: skip
    left = {f["name"]: f["left_out"] for f in report["findings"] if f["left_out"]}
    assert "mirrored copy of 000000" in left["M000000"]
    assert "shape (5, 7)" in left["000010"]
    assert "no such file" in left["000011"]
    assert "recovered" in report["sources"]["humanml3d"]["note"]
    assert all("recovered" in f["notes"][0] for f in report["findings"] if f["name"] == "000000")


# -- characters --------------------------------------------------------------------------------------------------

MAKE = """
import os, sys
from pathlib import Path
import bpy
from blender_addon import scene_files
source, out = Path(sys.argv[1]), Path(sys.argv[2])
scene_files.open_scene(source)
obj = scene_files.choose_armature()
obj.animation_data.action.name = "Wave_Left_Loop"
rest = bpy.data.actions.new("Nothing")
scene_files.save(out, obj, 0, int(bpy.context.scene.frame_end), True)
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="Blender as a module is not installed")
@pytest.mark.parametrize("suffix", [".glb", ".blend"])
def test_named_clips_of_characters(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    clip = swinging(2, 60)
    bvh.save(tmp_path / "walk.bvh", clip)
    made = subprocess.run(
        [sys.executable, "-c", MAKE, str(tmp_path / "walk.bvh"), str(folder / f"hero{suffix}")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (folder / "broken.glb").write_bytes(b"not a character")
    found, report = prepared(tmp_path, folder)
    assert len(found.entries) == 1
    entry = found.entries[0]
    assert entry.name.startswith("hero:")
    assert entry.source == "people"
    assert abs(entry.length - 60) <= 2
    left = {f["name"]: f["left_out"] for f in report["findings"] if f["left_out"]}
    assert "Blender does not read it" in left["broken"]
    back = found.clip(entry)
    a = back.positions()[:50] - back.root_positions[:50, None]
    b = clip.positions() - clip.root_positions[:, None]
    joints = [INDEX["left_elbow"], INDEX["right_knee"]]
    off = min(float(np.abs(a[:, joints] - b[s : s + 50, joints]).mean()) for s in range(3))
    assert off < 0.06


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_names_sources_and_tells_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    bvh.save(folder / "07_01.bvh", swinging(1, 40))
    rest = ["-o", str(tmp_path / "c.npz"), "--splits", str(tmp_path / "s.json"), "--no-embeddings"]
    assert main(["prepare", f"cmu={folder}", *rest]) == 0
    said = capsys.readouterr().out
    assert "mocap.cs.cmu.edu" in said
    assert [e.source for e in cache.load(tmp_path / "c.npz").entries] == ["cmu"]
    assert main(["prepare", str(tmp_path / "nowhere"), *rest]) == 1
    assert "no such folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["prepare", str(tmp_path / "empty"), *rest]) == 1
    assert "no usable clip" in capsys.readouterr().err
    assert len(JOINTS) == 22
