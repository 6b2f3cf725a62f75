"""Evaluating: windows nobody trained on, tables that are JSON, cards that survive what cannot be measured."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from backend.systems.base import Interpolation
from blender_addon.motion import constraints, interpolation
from blender_addon.motion.clip import Clip
from tests.training.material import shrunk, swinging
from training import evaluate, metrics
from training.export import system_of
from training.prepare import cache
from training.train import averaged, train


def strict(text: str) -> object:
    """Parse JSON as the standard has it: no NaN, no Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def table(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("run")
    train(shrunk("tiny"), folder, data, device="cpu", threads=1)
    system = system_of(*averaged(folder / "last.pt"))
    return evaluate.evaluate(cache.load(data), {"model": system}, gaps=(5, 15), most=3)


def test_every_row_has_model_interpolation_and_truth(table: dict, tmp_path: Path) -> None:
    assert set(table["inbetween"]) == set(evaluate.SETS)
    names = {"L2P", "L2Q", "NPSS", "error_cm", "skating", "skating_ratio", "jerk", "penetration_cm"}
    for gaps in table["inbetween"].values():
        assert set(gaps) == {"5", "15"}
        for cells in gaps.values():
            assert cells["windows"] > 0
            assert set(cells["model"]) == set(cells["interpolation"]) == names
            assert set(cells["truth"]) == {"skating", "skating_ratio", "jerk"}
            assert cells["interpolation"]["error_cm"] > 0
    evaluate.write(table, tmp_path / "metrics.json")
    assert strict((tmp_path / "metrics.json").read_text()) == table
    text = evaluate.markdown(table)
    assert "nan" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    blocks: dict[int, int] = {}
    for line in rows:
        blocks[line.count("|")] = blocks.get(line.count("|"), 0) + 1
    assert set(blocks) == {17, 4}, "every row as wide as its head"


def test_a_toe_that_never_stands_is_null_and_a_dash(data: Path) -> None:
    found = cache.load(data)
    lifted = cache.Cache(found.rotations, found.roots + np.float32([0, 5, 0]), found.skeletons, found.entries)
    table = evaluate.evaluate(lifted, {"model": Interpolation()}, sets=("cmu subjects",), gaps=(5,), most=2)
    cells = table["inbetween"]["cmu subjects"]["5"]
    assert cells["model"]["skating"] is None
    assert cells["truth"]["skating"] is None
    strict(json.dumps(table))
    line = evaluate.markdown(table).splitlines()[4]
    assert line.count("–") == 3
    assert "0 %" in line


def test_interpolation_is_measured_as_the_plain_one(data: Path) -> None:
    truth = evaluate.windows(cache.load(data), cache.load(data).select("test"), 26, 2)
    keys = np.ones(26, bool)
    keys[10:25] = False
    for clip, out in zip(truth, evaluate.transition(truth, 15, Interpolation()), strict=True):
        plain = interpolation.fill(constraints.inbetween(clip, keys))
        assert (out.rotations == plain.rotations).all()


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
    table = evaluate.evaluate(cache.load(path), {"model": Interpolation()}, gaps=(5, 60), most=2)
    assert set(table["inbetween"]) == {"cmu subjects"}
    assert set(table["inbetween"]["cmu subjects"]) == {"5"}
    said = capsys.readouterr().out
    assert "no clips in this cache" in said
    assert "60 missing frames: every clip is shorter" in said


def test_a_missing_arm_is_measured(data: Path) -> None:
    found = cache.load(data)
    error = evaluate.limb_completion(found, found.select("test"), Interpolation(), 2)
    assert math.isfinite(error)
    assert error > 0


def test_timing_is_a_number(data: Path) -> None:
    found = cache.load(data)
    clip: Clip = found.clip(found.select("test")[0])
    assert evaluate.timed(Interpolation(), clip, frames=40, repeats=1) > 0


def test_the_scale_of_l2p_is_the_sources_own_training_motion(data: Path) -> None:
    found = cache.load(data)
    scale = evaluate.statistics(found, "cmu", length=65)
    clips = evaluate.windows(found, found.select("train", ["cmu"]), 65, 2000)
    assert np.allclose(scale.std, metrics.position_statistics(clips).std)
