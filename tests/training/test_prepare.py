"""Preparing data: what is mended, what is left out and why, which side of the split a clip is on."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import bvh, rotations
from blender_addon.motion.clip import Clip, concatenate, rest_clip
from blender_addon.motion.errors import FileFormatError
from blender_addon.motion.skeleton import INDEX, JOINTS
from tests.motion.strategies import random_clip, seeds
from tests.training.material import swinging
from training.__main__ import main
from training.prepare import build, cache, checks, sources, splits


def checked(clip: Clip) -> tuple[Clip | None, checks.Finding]:
    """The clip in one piece, or None, and what was found."""
    finding = checks.Finding(clip.name, "test")
    pieces = checks.check(clip, finding)
    assert len(pieces) < 2, finding.repaired
    return (pieces[0].clip if pieces else None), finding


def changed(clip: Clip, rotation: np.ndarray | None = None, root: np.ndarray | None = None) -> Clip:
    return Clip(
        clip.skeleton,
        clip.rotations if rotation is None else rotation,
        clip.root_positions if root is None else root,
        clip.fps,
    )


def with_lead_in(frames: int = 1) -> Clip:
    """A calibration pose, then the take, which begins elsewhere in another pose."""
    take = swinging(1, 60)
    q = rotations.multiply(take.rotations, rotations.from_axis_angle([0.0, 0.0, 0.5]))
    return concatenate([rest_clip(frames), changed(take, q, take.root_positions + [1.0, 0, 0])])


def exploding() -> Clip:
    clip = swinging(2, 60)
    root = clip.root_positions.copy()
    root[20:] += 20.0 * np.random.default_rng(0).normal(size=(40, 3))
    return changed(clip, root=root)


def spinning() -> Clip:
    clip = swinging(3, 60)
    angle = np.zeros((60, len(JOINTS), 3))
    angle[:, :, 1] = (np.arange(60) % 2)[:, None] * 3.1
    return changed(clip, rotations.from_axis_angle(angle))


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_calibration_pose_before_the_take_is_cut(frames: int) -> None:
    clip, finding = checked(with_lead_in(frames))
    assert clip is not None
    assert len(clip) == 60
    assert finding.repaired[0] == f"{frames} lead-in frames dropped"


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (exploding(), "root jumps"),
        (spinning(), "joints spin"),
        (rest_clip(40), "frozen"),
        (swinging(4, 8), "8 frames, fewer than"),
        (Clip(rest_clip(1, offsets=rest_clip(1).skeleton.offsets * 2000).skeleton, swinging(5, 40).rotations,
              swinging(5, 40).root_positions * 2000), "not a human body"),
    ],
)  # fmt: skip
def test_what_cannot_be_mended_is_left_out_with_its_reason(clip: Clip, reason: str) -> None:
    kept, finding = checked(clip)
    assert kept is None
    assert reason in finding.left_out


@pytest.mark.parametrize("height", [-0.4, 0.0, 0.7])
def test_a_clip_is_moved_onto_the_ground(height: float) -> None:
    clip = swinging(6, 60)
    kept, finding = checked(changed(clip, root=clip.root_positions + [0, height, 0]))
    assert kept is not None
    lowest = np.percentile(kept.positions()[:, checks.FEET, 1].min(1), 5)
    assert lowest == pytest.approx(0, abs=0.005)
    assert any("onto the ground" in r for r in finding.repaired) or height == 0.0
    ordinary, _ = checked(clip)
    assert ordinary is not None
    assert np.allclose(kept.root_positions, ordinary.root_positions)


def test_a_good_clip_stays_as_it_is_but_for_its_height() -> None:
    clip = swinging(7, 60)
    kept, finding = checked(clip)
    assert kept is not None
    assert not finding.left_out
    assert (kept.rotations == clip.rotations).all()
    assert np.allclose(kept.root_positions[:, ::2], clip.root_positions[:, ::2])


# -- the whole of it -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """BVH files as collections have them: good ones, broken ones, partners, another rate."""
    root = tmp_path_factory.mktemp("mocap")
    cmu, bandai = root / "cmu", root / "bandai_namco"
    cmu.mkdir()
    bandai.mkdir()
    for k, stem in enumerate(["01_01", "01_02", "07_01", "09_01", "60_01", "61_01", "13_01"]):
        bvh.save(cmu / f"{stem}.bvh", swinging(k, 40))
    bvh.save(cmu / "07_02.bvh", with_lead_in())
    bvh.save(cmu / "07_03.bvh", exploding())
    bvh.save(cmu / "07_04.bvh", rest_clip(40))
    (cmu / "07_05.bvh").write_text("HIERARCHY\nROOT nobody\n")
    bvh.save(cmu / "07_06.bvh", swinging(9, 120, 120.0))
    high = swinging(10, 40)
    bvh.save(cmu / "09_02.bvh", changed(high, root=high.root_positions + [0, 0.5, 0]))
    for style in ("normal", "sad", "proud", "old"):
        for k in range(1, 5):
            bvh.save(bandai / f"dataset-1_walk_{style}_00{k}.bvh", swinging(20 + k, 30))
    return cmu, bandai


def test_prepare_reports_what_it_did_with_every_clip(folders: tuple[Path, Path], tmp_path: Path) -> None:
    out, kept = tmp_path / "cache.npz", tmp_path / "splits.json"
    report = build.prepare(folders, out, kept)
    written = json.loads((tmp_path / "cache.report.json").read_text())
    assert written == json.loads(json.dumps(report))
    findings = {f["name"]: f for f in written["findings"]}
    assert findings["07_02"]["repaired"][0] == "1 lead-in frames dropped"
    assert "root jumps" in findings["07_03"]["left_out"]
    assert "frozen" in findings["07_04"]["left_out"]
    assert "07_05" in findings["07_05"]["left_out"]
    assert re.search(r"-[45]\d cm onto the ground", findings["09_02"]["repaired"][0])
    found = cache.load(out)
    names = {e.name for e in found.entries}
    assert names.isdisjoint({"07_03", "07_04", "07_05"})
    assert written["clips"] == len(found.entries) == 7 + 1 + 1 + 1 + 16
    assert sum(written["counts"].values()) == len(found.entries)
    entry = next(e for e in found.entries if e.name == "07_06")
    assert entry.length == 30, "120 fps become 30"
    split = {e.name: e.split for e in found.entries}
    assert split["60_01"] == split["61_01"]
    # the motion is what it was: limb directions through BVH, retargeting and quantisation
    entry = next(e for e in found.entries if e.name == "01_01")
    clip, original = found.clip(entry), swinging(0, 40)
    shift = clip.root_positions - original.root_positions
    assert np.abs(shift - shift[0]).max() < 1e-3
    for a, b in (("left_shoulder", "left_elbow"), ("right_hip", "right_knee")):
        ways = [c.positions()[:, INDEX[b]] - c.positions()[:, INDEX[a]] for c in (clip, original)]
        cosine = (rotations.normalize(ways[0]) * rotations.normalize(ways[1])).sum(-1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.2
    again = tmp_path / "again.npz"
    build.prepare(folders, again, kept)
    for key in ("turns", "roots", "skeletons", "meta"):
        assert (np.load(out)[key] == np.load(again)[key]).all()


def test_the_command_prepares_and_says_what_is_left_out(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["prepare", str(folders[0]), "-o", str(tmp_path / "c.npz"), "--splits", str(tmp_path / "s.json")]
    assert main(call) == 0
    text = capsys.readouterr().out
    assert "left out: cmu/07_04: frozen" in text
    empty = tmp_path / "cmu"
    empty.mkdir()
    assert main(["prepare", str(empty), *call[2:]]) == 1
    assert "no usable clip" in capsys.readouterr().err


# -- splits ----------------------------------------------------------------------------------------------


def stems(groups: int, each: int) -> list[str]:
    return [f"dataset-1_walk_style{g}_{k:03}" for g in range(groups) for k in range(each)]


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 40), st.integers(1, 8), st.integers(0, 5))
def test_groups_are_never_divided_between_training_and_test(groups: int, each: int, seed: int) -> None:
    source = sources.SOURCES["bandai_namco"]
    split = splits.draw(source, stems(groups, each), seed)
    assert split == splits.draw(source, stems(groups, each)[::-1], seed), (
        "the order of the files does not matter"
    )
    sides: dict[str, set[str]] = {}
    for stem, side in split.items():
        sides.setdefault(source.group(stem), set()).add(side)
    assert all(s <= {"train", "takes"} or len(s) == 1 for s in sides.values())
    counted = Counter(split.values())
    assert counted["test"] > 0
    assert counted["validation"] > 0
    assert counted["train"] > 0


def test_splits_once_drawn_are_kept_and_new_clips_join_their_group(tmp_path: Path) -> None:
    path, source = tmp_path / "splits.json", sources.SOURCES["bandai_namco"]
    first = dict(splits.keep(path, source, stems(12, 3), seed=0))
    text, changed_at = path.read_text(), path.stat().st_mtime_ns
    assert splits.keep(path, source, stems(12, 3), seed=5) == first, (
        "another seed changes nothing that is kept"
    )
    assert path.stat().st_mtime_ns == changed_at
    more = splits.keep(path, source, stems(12, 5) + ["dataset-2_run_new_001"], seed=0)
    assert {k: more[k] for k in first} == first
    for stem in stems(12, 5):
        side = first[stem.rsplit("_", 1)[0] + "_000"]
        if stem not in first:
            assert more[stem] == (side if side in ("test", "validation") else "train")
    assert more["dataset-2_run_new_001"] == "train"
    assert splits.keep(path, sources.SOURCES["cmu"], ["01_01", "02_01", "03_01", "04_01"], 0)
    assert json.loads(path.read_text())["bandai_namco"] == more
    assert text != path.read_text()


def test_partners_in_the_same_takes_are_one_group() -> None:
    group = sources.SOURCES["cmu"].group
    assert group("60_05") == group("61_05") == "60+61"
    assert group("06_05") == "06"
    assert sources.unknown("mine").group("a_1") != sources.unknown("mine").group("a_2")


def test_the_kept_splits_of_the_repository_divide_no_group() -> None:
    path = Path(splits.__file__).resolve().parents[1] / "splits.json"
    kept = json.loads(path.read_text())
    for name, split in kept.items():
        source = sources.SOURCES[name]
        sides: dict[str, set[str]] = {}
        for stem, side in split.items():
            sides.setdefault(source.group(stem), set()).add(side)
        assert all(s <= {"train", "takes"} or len(s) == 1 for s in sides.values()), name
        assert {"train", "validation", "test"} <= set(split.values())


# -- the cache -------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, 60))
def test_clips_come_back_from_the_cache(
    tmp_path_factory: pytest.TempPathFactory, seed: int, frames: int
) -> None:
    rng = np.random.default_rng(seed)
    clips = [random_clip(rng, frames), random_clip(rng, 5)]
    clips.append(Clip(rest_clip(1, offsets=rest_clip(1).skeleton.offsets * 1.1).skeleton, clips[0].rotations,
                      clips[0].root_positions + [-7.0, 0, 9]))  # fmt: skip
    rows = [{"name": str(k), "source": "s", "group": "g", "split": "train"} for k in range(3)]
    path = tmp_path_factory.mktemp("cache") / "c.npz"
    cache.save(path, clips, rows)
    found = cache.load(path)
    assert [e.skeleton for e in found.entries] == [0, 0, 1]
    for clip, entry in zip(clips, found.entries, strict=True):
        back = found.clip(entry)
        assert (back.name, len(back), back.fps) == (entry.name, len(clip), 30.0)
        assert np.degrees(rotations.angle_between(clip.rotations, back.rotations)).max() < 0.006
        assert np.abs(clip.root_positions - back.root_positions).max() < 0.051e-3
        assert np.allclose(clip.skeleton.offsets, back.skeleton.offsets, atol=1e-5)
        signs = (found.rotations[entry.start : entry.start + entry.length][1:]
                 * found.rotations[entry.start : entry.start + entry.length][:-1]).sum(-1)  # fmt: skip
        assert (signs >= 0).all()


def test_what_is_no_cache_is_refused(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "c.npz"
    path.write_bytes(b"not a cache")
    with pytest.raises(FileFormatError, match="not a motion cache"):
        cache.load(path)
    path.write_bytes(data.read_bytes()[:-200])
    with pytest.raises(FileFormatError, match="not a motion cache"):
        cache.load(path)
    np.savez(path, a=np.zeros(3))
    with pytest.raises(FileFormatError, match="not a motion cache"):
        cache.load(path)
    np.save(tmp_path / "c.npy", np.zeros(3))
    with pytest.raises(FileFormatError, match="not a motion cache"):
        cache.load(tmp_path / "c.npy")


def test_tables_and_selections(data: Path) -> None:
    found = cache.load(data)
    assert {e.source for e in found.select("test")} == {"cmu", "reactidle", "bandai_namco"}
    assert [e.source for e in found.select("test", ["cmu"])] == ["cmu"]
    assert cache.table(found)[0]["name"] == "cmu 0"
