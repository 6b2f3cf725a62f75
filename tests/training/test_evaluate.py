"""Evaluating: windows nobody trained on, tables that are JSON, cards that survive what cannot be measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend.systems.base import Interpolation
from blender_addon.motion import bvh, npz
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import INDEX
from tests.training.material import shrunk, swinging
from training import evaluate, metrics
from training.evaluation import complete, inbetween, material, methods, noise, refine
from training.export import system_of
from training.prepare import cache
from training.train import averaged, train


def strict(text: str) -> object:
    """Parse JSON as the standard has it: no NaN, no Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


class Every(Interpolation):
    """Interpolation under a name of its own: a system that can do every task."""


class Keys(Interpolation):
    """One that can only go in between."""

    tasks = frozenset({"inbetween"})


@pytest.fixture(scope="module")
def table(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("run")
    train(shrunk("tiny"), folder, data, device="cpu", threads=1)
    system = system_of(*averaged(folder / "last.pt"))
    return evaluate.evaluate(cache.load(data), {"model": system}, gaps=(5, 15), most=3, tasks=["inbetween"])


@pytest.fixture(scope="module")
def poses(data: Path) -> dict:
    return evaluate.evaluate(
        cache.load(data), {"model": Every()}, sets=("cmu subjects",), most=2, tasks=["complete", "refine"]
    )


def test_every_row_has_model_baselines_truth_and_intervals(table: dict, tmp_path: Path) -> None:
    assert set(table) == {"inbetween", "inbetween mmdm", "inbetween partial"}
    assert set(table["inbetween"]) == set(evaluate.SETS)
    names = {"L2P", "L2Q", "NPSS", "error_cm", "skating", "skating_ratio", "jerk", "penetration_cm",
             "key_degrees", "key_metres", "intervals"}  # fmt: skip
    for gaps in (*table["inbetween"].values(), *table["inbetween mmdm"].values()):
        for cells in gaps.values():
            assert cells["windows"] > 0
            assert set(cells) == {"windows", "model", "interpolation", "zero velocity", "truth"}
            assert set(cells["truth"]) == {"skating", "skating_ratio", "jerk", "penetration_cm"}
            for who in ("model", "interpolation", "zero velocity"):
                cell = cells[who]
                assert set(cell) == names
                assert (cell["key_degrees"], cell["key_metres"]) == (0, 0), "what is given is never changed"
                for key in ("L2P", "L2Q", "NPSS", "error_cm"):
                    low, high = cell["intervals"][key]
                    assert 0 < low <= cell[key] <= high
            assert "below" in cells["model"]["intervals"]
    assert all(set(gaps) == {"5", "15"} for gaps in table["inbetween"].values())
    assert all(set(gaps) == {"30"} for gaps in table["inbetween mmdm"].values())
    evaluate.write(table, tmp_path / "metrics.json")
    assert strict((tmp_path / "metrics.json").read_text()) == table


def widths(text: str) -> list[set[int]]:
    """Columns of the lines of every table in a text: one number each if it is well formed."""
    blocks = [b for b in text.split("\n\n") if b.startswith("|")]
    return [{line.count("|") for line in b.splitlines()} for b in blocks]


def test_the_cards_tables_are_well_formed(table: dict, poses: dict) -> None:
    text = evaluate.markdown(table | poses)
    assert "nan" not in text
    found = widths(text)
    assert len(found) == len(evaluate.SETS) + 2 + 2
    assert all(len(w) == 1 for w in found), "every row as wide as its head"
    assert evaluate.markdown(poses).startswith("**Completion")


def test_bundles_measured_before_this_have_a_table_too(table: dict) -> None:
    plain = {"inbetween": {"cmu subjects": {"5": {
        "windows": 1, "truth": {"skating": 1.0, "jerk": None},
        "model": dict.fromkeys(("error_cm", "L2P", "L2Q", "NPSS", "skating", "jerk"), 1.0),
        "interpolation": dict.fromkeys(("error_cm", "L2P", "L2Q", "NPSS", "skating", "jerk"), 2.0),
    }}}, "inbetween partial": {"cmu subjects": {"mixed": {
        "windows": 1, "model": {"error_cm": 1.0}, "interpolation": {"error_cm": 4.0}}}}}  # fmt: skip
    assert "| 5 | 1.00 | 2.00 | 50 % |" in evaluate.markdown(plain)
    assert "| cmu subjects | 1.00 | 4.00 |" in evaluate.markdown(plain)
    assert "| cmu subjects | 5 | 2.00 cm | 1.00 cm (50 % below) |" in evaluate.summary({"b": plain})


def test_a_toe_that_never_stands_is_null_and_a_dash(data: Path) -> None:
    found = cache.load(data)
    lifted = cache.Cache(found.rotations, found.roots + np.float32([0, 5, 0]), found.skeletons, found.entries)
    table = evaluate.evaluate(
        lifted, {"model": Interpolation()}, sets=("cmu subjects",), gaps=(5,), most=2, tasks=["inbetween"]
    )
    cells = table["inbetween"]["cmu subjects"]["5"]
    assert cells["model"]["skating"] is None
    assert cells["truth"]["skating"] is None
    strict(json.dumps(table))
    line = evaluate.markdown(table).splitlines()[4]
    assert line.count("–") == 3
    assert "0 %" in line


def test_interpolation_is_measured_as_the_plain_one(data: Path) -> None:
    clips = evaluate.windows(cache.load(data), cache.load(data).select("test"), 26, 2)
    asked = [*inbetween.requests(clips, 15), *complete.requests(clips_of(data), "two limbs")]
    for request, clip in zip(asked, methods.plain(asked), strict=True):
        out = methods.deliver(request, Interpolation())
        assert (out.rotations == clip.rotations).all()
        assert (out.root_positions == clip.root_positions).all()


def clips_of(data: Path) -> list[Clip]:
    found = cache.load(data)
    return evaluate.windows(found, found.select("test"), complete.FRAMES, 2)


def test_zero_velocity_stays_where_it_was(data: Path) -> None:
    (request,) = inbetween.requests(clips_of(data)[:1], 30)
    (held,) = methods.hold([request])
    assert (held.rotations[10:40] == held.rotations[9]).all()
    assert (held.root_positions[10:40] == request.clip.root_positions[9]).all()
    assert metrics.key_error(request.clip, held, request.rotation_known, request.root_known) == (0, 0)


def test_other_processes_deliver_the_same(data: Path) -> None:
    found = cache.load(data)
    systems, some = (
        {"model": Interpolation()},
        {"sets": ("cmu subjects",), "gaps": (5,), "most": 2, "tasks": ["inbetween"]},
    )
    assert evaluate.evaluate(found, systems, workers=2, **some) == evaluate.evaluate(found, systems, **some)


def test_only_what_a_system_can_do_is_measured(data: Path) -> None:
    found = cache.load(data)
    table = evaluate.evaluate(found, {"model": Keys()}, sets=("cmu subjects",), gaps=(5,), most=1)
    assert set(table) == {"inbetween", "inbetween mmdm", "inbetween partial"}
    with pytest.raises(ValueError, match="none of model can refine; they can inbetween"):
        evaluate.evaluate(found, {"model": Keys()}, tasks=["refine"])
    both = {"model": Keys(), "other": Every()}
    table = evaluate.evaluate(found, both, sets=("cmu subjects",), most=1, tasks=["complete"])
    cells = table["complete"]["cmu subjects"]["one limb"]
    assert set(cells) == {"windows", "other", "interpolation", "zero velocity", "truth"}


def test_windows_are_held_out_evenly_spread_and_face_ahead(data: Path) -> None:
    found = cache.load(data)
    entries = found.select("test")
    every = evaluate.windows(found, entries, 26, 100)
    assert len(every) == 2 * 3  # 90 frames, every 40th, 26 long
    some = evaluate.windows(found, entries, 26, 2)
    assert len(some) == 2
    for clip in every:
        assert len(clip) == 26
        assert np.abs(clip.root_positions[:, ::2].mean(0)).max() < 1e-6
    assert evaluate.windows(found, entries, 91, 5) == []


def test_what_the_cache_has_no_clips_for_is_left_out(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.npz"
    rows = [
        {"name": str(k), "source": "cmu", "group": str(k), "split": s}
        for k, s in enumerate(("train", "test"))
    ]
    cache.save(path, [swinging(0, 70), swinging(1, 70)], rows)
    table = evaluate.evaluate(cache.load(path), {"model": Keys()}, gaps=(5, 60), most=2)
    assert set(table["inbetween"]) == {"cmu subjects"}
    assert set(table["inbetween"]["cmu subjects"]) == {"5"}
    said = capsys.readouterr().out
    assert "no clips in this cache" in said
    assert "60 missing frames: every clip is shorter" in said


def test_timing_is_a_number(data: Path) -> None:
    found = cache.load(data)
    clip: Clip = found.clip(found.select("test")[0])
    assert evaluate.timed(Interpolation(), clip, frames=40, repeats=1) > 0


def test_the_scale_of_l2p_is_the_sources_own_training_motion(data: Path) -> None:
    found = cache.load(data)
    row = material.rows(found)["cmu subjects"]
    scale = material.statistics(found, row.scale)
    clips = evaluate.windows(found, found.select("train", ["cmu"]), 65, 2000)
    assert np.allclose(scale.std, metrics.position_statistics(clips).std)
    assert {e.split for e in row.validation} == {"validation"}


# -- any folder of clips ---------------------------------------------------------------------------------


def test_a_folder_of_files_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    (folder / "deeper").mkdir(parents=True)
    clips = [swinging(k, 70) for k in range(3)]
    bvh.save(folder / "deeper" / "a.bvh", clips[0])
    npz.save_clip(folder / "b.npz", clips[1].resample(60))
    npz.save_amass(folder / "c.npz", clips[2])
    (folder / "d.bvh").write_text("HIERARCHY")
    np.savez(folder / "e.npz", x=np.zeros(3))
    found = evaluate.load(folder)
    assert {e.name for e in found.entries} == {"a", "b", "c"}
    said = capsys.readouterr().out
    assert "d: left out" in said
    assert "e: left out" in said
    assert "onto the ground" in said
    for entry, clip in zip(sorted(found.entries, key=lambda e: e.name[-1]), clips, strict=True):
        read = found.clip(entry)
        assert len(read) >= 69
        off = read.positions()[:69] - clip.positions()[:69]
        off -= off.mean((0, 1))  # where the ground is, is the reader's to say
        assert np.abs(off).max() < 0.02, entry.name
    table = evaluate.evaluate(found, {"model": Every()}, gaps=(5,), most=2, tasks=["inbetween", "complete"])
    for key in ("inbetween", "inbetween mmdm", "complete"):
        assert set(table[key]) == {"mine test"}


def test_a_folder_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no usable"):
        evaluate.load(tmp_path)
    (tmp_path / "a.bvh").write_text("not motion")
    with pytest.raises(ValueError, match=r"no usable clip in .*; a: "):
        evaluate.load(tmp_path)


# -- completion and refinement ---------------------------------------------------------------------------


def test_every_case_of_completion_is_measured_where_it_counts(poses: dict) -> None:
    cases = poses["complete"]["cmu subjects"]
    assert set(cases) == set(complete.CASES)
    for case, cells in cases.items():
        for who in ("model", "interpolation", "zero velocity"):
            cell = cells[who]
            assert cell["error_cm"] > 0, case
            assert 0 <= cell["pcp"] <= 100
            assert cell["turn_degrees"] > 0
            assert (cell["key_degrees"], cell["key_metres"]) == (0, 0)
        assert cells["model"]["error_cm"] == cells["interpolation"]["error_cm"], "one and the same"
        assert cells["model"]["intervals"]["below"] == [0, 0]


@pytest.mark.parametrize("case", complete.CASES)
def test_what_is_missing_is_what_the_case_says(case: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        missing = complete.CASES[case](rng)
        assert missing.shape == (complete.FRAMES, 22)
        if "never" not in case:
            assert not missing[[0, -1]].any()
        inner = missing[1:-1]
        if case.startswith(("30", "50", "70")):
            assert inner.mean() == pytest.approx(int(case[:2]) / 100, abs=0.04)
        if "limb" in case:
            assert (inner == inner[0]).all()
            assert inner[0].sum() == (8 if "two" in case else 4)
        assert missing.any()


def test_a_joint_is_out_of_place_below_what_is_missing() -> None:
    missing = np.zeros((1, 22), bool)
    missing[0, [INDEX["left_shoulder"], INDEX["head"]]] = True
    assert set(np.flatnonzero(complete.moved(missing)[0])) == {INDEX["left_elbow"], INDEX["left_wrist"]}
    missing[0, 0] = True
    assert complete.moved(missing)[0].sum() == 21, "all but the pelvis itself"


def test_refinement_has_before_filters_and_marked_cases(poses: dict) -> None:
    cases = poses["refine"]["cmu subjects"]
    assert set(cases) == {*noise.NOISES, *refine.MARKED.values()}
    for name, cells in cases.items():
        # what is marked as doubtful is drawn anew, everything else stays: the model here is interpolation
        plain = cells["interpolation" if name in refine.MARKED.values() else "before"]
        assert cells["model"]["error_cm"] == pytest.approx(plain["error_cm"], rel=1e-3)
        assert cells["before"]["error_cm"] > 0
        assert "window" in cells["Savitzky-Golay"]["settings"]
        assert "cutoff" in cells["One Euro"]["settings"]
        assert ("interpolation" in cells) == (name in refine.MARKED.values())
        for who in ("model", "Savitzky-Golay", "One Euro"):
            assert (cells[who]["key_degrees"], cells[who]["key_metres"]) == (0, 0)
    one, ten = cases["rotations 1 cm"], cases["rotations 10 cm"]
    assert one["before"]["error_cm"] == pytest.approx(1, abs=1e-3)
    assert ten["before"]["error_cm"] == pytest.approx(10, abs=1e-2)
    assert ten["Savitzky-Golay"]["error_cm"] < ten["before"]["error_cm"]
