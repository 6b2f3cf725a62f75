"""DMS: what steers in training, that a branch learns beside a frozen denoiser, and that it becomes a system."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend import features, tasks, weights
from backend.nn.steered import Steered
from backend.service import build
from backend.systems.base import BUILT_IN
from blender_addon.motion import constraints
from blender_addon.motion.skeleton import INDEX
from tests.training.material import swinging
from training import ablate_dms, distortion, evaluate, export, extend
from training.config import PRESETS
from training.dataset import generators
from training.evaluation import control, material
from training.evaluation.methods import Columns
from training.evaluator import installed
from training.objectives import dms
from training.prepare import cache
from training.train import Run, averaged, train

TEXTS = ("a person waves the left hand", "a person waves the right hand", "a person bows")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of captioned clips of which ten, four seconds long, are held out."""
    splits = ["train"] * 4 + ["validation"] + ["test"] * 10
    clips = [swinging(n, 130) for n in range(len(splits))]
    rows = [
        {"name": f"clip {n}", "source": "cmu", "group": str(n), "split": split, "captions": [(n % 3, 0, 130)]}
        for n, split in enumerate(splits)
    ]
    vectors = np.random.default_rng(0).normal(size=(3, 384)).astype(np.float16)
    path = tmp_path_factory.mktemp("said") / "cache.npz"
    cache.save(path, clips, rows, cache.Texts(TEXTS, vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
                                              np.array([1, 0, 2])))  # fmt: skip
    return path


@pytest.fixture(scope="module")
def runs(said: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A denoiser of a few steps, and a branch of a few more."""
    folder = tmp_path_factory.mktemp("runs")
    train(replace(PRESETS["tiny"], sources={"cmu": 1.0}), folder / "base", said, device="cpu", threads=1)
    train(replace(PRESETS["dms-tiny"], sources={"cmu": 1.0}, steps=6), folder / "dms", said,
          start=folder / "base" / "last.pt", device="cpu", threads=1)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def objective(said: Path) -> dms.Steer:
    config = replace(PRESETS["dms-tiny"], sources={"cmu": 1.0}, frames=48, long_frames=64)
    return dms.make(config, cache.load(said), torch.device("cpu"))


class TestBatches:
    def test_targets_are_where_the_joints_truly_are_unless_soft(self, objective: dms.Steer):
        batch = objective.windows(objective.train, generators(0, size=24), 64)
        _, p = features.forward_kinematics(
            features.to_matrix(batch.truth.rotations), batch.truth.root, batch.truth.offsets
        )
        hard = batch.control.weight == 1
        assert hard.any()
        np.testing.assert_allclose(batch.control.targets[hard], p[hard], atol=1e-5)
        soft = (batch.control.weight > 0) & ~hard
        if soft.any():
            assert (batch.control.targets[soft] - p[soft]).norm(dim=-1).max() < 5 * dms.LOOSE
        at = batch.control.grounded
        np.testing.assert_allclose(batch.control.ground[at], p[at][:, 0, ::2], atol=1e-5)

    def test_one_to_three_joints_steer(self, objective: dms.Steer):
        batch = objective.windows(objective.train, generators(1, size=48), 64)
        counts = {int(n) for n in (batch.control.weight > 0).any(1).sum(1)}
        assert counts <= {0, 1, 2, 3}
        assert {1, 2, 3} <= counts

    def test_every_kind_of_what_is_known_is_met(self, objective: dms.Steer):
        batch = objective.windows(objective.train, generators(2, size=64), 64)
        known = batch.given.rotation_known
        assert known[:, 0].all(1).any()  # a start, or keys
        assert (~known.any(2).any(1)).any()  # nothing, or a motion
        assert batch.given.confidence is not None
        moved = batch.given.confidence.any(2).any(1)
        assert moved.any()
        assert not known[moved].any()
        same = (batch.given.rotations == batch.truth.rotations).all(-1).all(-1).all(-1)
        assert not same[moved].all()
        assert same[~moved].all()

    def test_the_same_seed_draws_the_same(self, objective: dms.Steer):
        a, b = (objective.windows(objective.train, generators(3, size=6), 64) for _ in range(2))
        np.testing.assert_array_equal(a.control.weight, b.control.weight)
        np.testing.assert_array_equal(a.given.rotations, b.given.rotations)
        assert a.texts == b.texts


def test_drifts_are_smooth_and_about_one():
    drawn = [distortion.drift(np.random.default_rng(seed), 100, 3) for seed in range(40)]
    assert 0.5 < np.std(np.stack(drawn)) < 1.2
    assert max(np.abs(np.diff(d, 2, axis=0)).max() for d in drawn) < 0.2


def test_only_the_branch_learns_and_it_learns(said: Path, runs: Path):
    config = replace(PRESETS["dms-tiny"], sources={"cmu": 1.0}, steps=40, rate=3e-3, ema=0.9, long_share=0.0)
    run = Run(config, runs, said, "cpu", 1)
    run.start_from(runs / "base" / "last.pt")
    network = run.network
    assert isinstance(network, Steered)
    before = {k: v.clone() for k, v in network.base.state_dict().items()}
    source = run.objective
    assert isinstance(source, dms.Steer)
    start = source.validate(run.network)
    assert start["missed_model"] == pytest.approx(start["missed_filling"], rel=0.5)
    batch = run.draw(0)
    losses = [run.one_step(batch)["loss"] for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    for key, value in network.base.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_a_run_becomes_a_system_that_follows(runs: Path):
    system = export.system_of(*averaged(runs / "dms" / "last.pt"))
    assert system.name == "dms"
    clip = swinging(3, 40)
    known = np.zeros((40, 22), bool)
    known[20, INDEX["head"]] = True
    request = constraints.follow(clip, clip.positions(), known, rotation_known=known & False)
    result = tasks.run(request, system, lambda step, total: None, lambda: False)
    assert result.report["pins"][0]["worst"] < 1e-3


def test_a_system_is_added_to_a_bundle_that_is_there(data: Path, runs: Path, tmp_path: Path):
    config, network = averaged(runs / "base" / "last.pt")
    base = export.system_of(config, network)
    settings, tensors = base.to_bundle()
    weights.save(tmp_path / "b", {base.name: tensors}, {base.name: settings}, family="research", licence="test",
                 data=["cmu: test"], card="# Card\n\nOld lines.\n", metrics={"inbetween": {"row": 1}})  # fmt: skip
    # the branch was trained on the averaged denoiser as float32; a bundle stores float16, as the base does
    for _ in range(2):  # the second time in its own place
        made = extend.extend(
            tmp_path / "b", runs / "dms" / "last.pt", data, most=8, tasks=["follow"], notes="Tried."
        )
    assert list(made.systems) == [base.name, "dms"]
    assert made.systems["dms"]["shares"] == {"base": base.name}
    assert made.metrics["inbetween"] == {"row": 1}
    assert made.metrics["follow"] == {}  # this cache has no captions
    card = (made.path / weights.CARD).read_text()
    assert card.startswith("# Card\n\nOld lines.")
    assert card.count("## Added to this bundle: `dms`") == 1
    assert "Tried." in card
    assert build(made, base.name).name == base.name


class TestProtocol:
    def test_every_joint_set_meets_every_stretch_and_the_density_is_what_it_says(self, said: Path):
        data = cache.load(said)
        row = material.rows(data)["cmu subjects"]
        asked = control.cases(data, row)
        assert len(asked) == 10 * (len(control.JOINT_SETS) + 2)
        for case in asked:
            if not case.joints:
                continue
            frames = case.known.any(1).sum()
            assert frames == control.DENSITIES[case.density]
            wanted = len(control.JOINT_SETS) if case.joints == control.ALL else 1
            assert (case.known.sum(1)[case.known.any(1)] == wanted).all()

    def test_errors_are_the_protocols(self, said: Path):
        data = cache.load(said)
        asked = [c for c in control.cases(data, material.rows(data)["cmu subjects"]) if c.joints][:2]
        right = [c.clip for c in asked]
        cell = control.measure(asked, right)
        assert set(cell.values()) == {0.0}
        one = replace(right[0], root_positions=right[0].root_positions + [0.3, 0, 0])
        cell = control.measure(asked, [one, right[1]])
        assert cell["average_cm"] == pytest.approx(15)
        assert cell["trajectory_20"] == 50
        assert cell["trajectory_50"] == 0

    def test_what_is_delivered_meets_its_targets(self, said: Path, runs: Path):
        data = cache.load(said)
        system = export.system_of(*averaged(runs / "dms" / "last.pt"))
        columns = Columns({"model": system, "interpolation": BUILT_IN["interpolation"]})
        cells = control.evaluate(
            data, material.rows(data)["cmu subjects"], columns, installed("report"), 8, ["head"]
        )
        for who in ("model", "interpolation"):
            assert cells["all"][who]["average_cm"] < 2
        assert cells["unsteered"]["model"]["jerk"] is not None
        text = evaluate.markdown({"follow": {"cmu subjects": cells}})
        assert "**Following, cmu subjects: average error, cm**" in text

    def test_the_ablation_has_a_row_for_every_strategy(self, said: Path, runs: Path):
        rows = ablate_dms.strategies(
            said, runs / "base" / "last.pt", 1, 1, "32", "dms-tiny", (0,), 8, ["head"]
        )
        assert [r["row"] for r in rows] == ["no control training", *dms.steering.STRATEGIES]
        assert all(r["average_cm"] >= 0 for r in rows)


def test_unsteered_and_steered_share_their_stretches(said: Path):
    data = cache.load(said)
    asked = control.cases(data, material.rows(data)["cmu subjects"])
    free = [c for c in asked if not c.joints]
    assert {c.text for c in free} <= set(TEXTS)
    assert isinstance(free[0].request(), constraints.Request)
    assert free[0].request().task == "text"
    assert installed("report").clips([free[0].clip]).shape[0] == 1
    assert Columns({}).able("follow") == {}


def test_measured_tables_are_taken_into_a_bundle(runs: Path, tmp_path: Path):
    system = export.system_of(*averaged(runs / "base" / "last.pt"))
    settings, tensors = system.to_bundle()
    card = "# Card\n\n## Measured on held-out motion\n\nAbout.\n\n**old**\n\n## What was tried\n\nMuch.\n"
    weights.save(tmp_path / "b", {system.name: tensors}, {system.name: settings}, family="research", licence="test",
                 data=["cmu: test"], card=card, metrics={"text": {"row": {"choose": {"windows": 3}}}})  # fmt: skip
    before = weights.load(tmp_path / "b")
    cells = {"windows": 9, system.name: {"R@1": 0.5}, "truth": {"R@1": 1.0}}
    (tmp_path / "m.json").write_text(json.dumps({"text": {"row": {"report": cells}}}))
    made = extend.record(tmp_path / "b", tmp_path / "m.json")
    assert made.sha256 == before.sha256
    assert made.metrics["text"]["row"].keys() == {"choose", "report"}
    text = (made.path / weights.CARD).read_text()
    assert "**old**" not in text
    assert "About." in text
    assert text.rstrip().endswith("Much.")
    (tmp_path / "m.json").write_text(json.dumps({"text": {"row": {"report": {"stranger": {}}}}}))
    with pytest.raises(ValueError, match="stranger"):
        extend.record(tmp_path / "b", tmp_path / "m.json")
