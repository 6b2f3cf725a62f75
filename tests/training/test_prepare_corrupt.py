"""Corrupted capture: what is wrong is marked, what is right is bit for bit as it was, a seed decides all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import rotations
from blender_addon.motion.skeleton import JOINTS
from tests.motion.strategies import seeds
from tests.training.acted import captioned
from tests.training.material import swinging
from training.__main__ import main
from training.prepare import cache as cache_file
from training.prepare import corrupt

USUAL = rotations.identity((len(JOINTS),))


def test_every_joint_is_in_one_part() -> None:
    assert sorted(j for part in corrupt.PARTS.values() for j in part) == list(range(len(JOINTS)))


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 400), st.floats(0.3, 1))
def test_as_much_is_lost_as_was_asked_for(seed: int, frames: int, credible: float) -> None:
    events, lost = corrupt.plan(np.random.default_rng(seed), frames, credible)
    assert lost.sum() == int((1 - credible) * lost.size)
    again = np.zeros_like(lost)
    for event in events:
        for part in event.parts:
            column = again[event.start : event.stop, corrupt.NAMES.index(part)]
            assert not column.any(), "nothing is spoiled twice"
            column[:] = True
    assert (again == lost).all()


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0.3, 0.9))
def test_what_is_wrong_is_not_believed_and_what_is_right_is_kept(seed: int, credible: float) -> None:
    clip = swinging(seed % 50, 120)
    q, root = clip.rotations, clip.root_positions
    found = corrupt.spoil(np.random.default_rng(seed), q, root, USUAL, credible)
    np.testing.assert_allclose(np.linalg.norm(found.rotations, axis=-1), 1, atol=1e-9)
    for name, joints in corrupt.PARTS.items():
        lost = found.lost[:, corrupt.NAMES.index(name)]
        believed = found.confidence[:, joints]
        assert (found.rotations[~lost][:, joints] == q[~lost][:, joints]).all()
        assert (believed[~lost] > corrupt.CREDIBLE).all()
        assert (believed[lost] < corrupt.CREDIBLE).all()
        if lost.any():
            moved = rotations.angle_between(found.rotations[lost][:, joints], q[lost][:, joints])
            assert moved.max() > 1e-3
    torso = found.lost[:, corrupt.NAMES.index("torso")]
    assert (found.roots[~torso] == root[~torso]).all()
    assert ((found.confidence[:, -1] < corrupt.CREDIBLE) == torso).all()


def test_each_way_of_going_wrong_looks_like_itself() -> None:
    clip = swinging(3, 200)
    joints, span = list(corrupt.PARTS["left_leg"]), slice(40, 160)
    rng = np.random.default_rng(0)
    made = {kind: wrong(rng, clip.rotations, joints, span, USUAL) for kind, wrong in corrupt._WRONG.items()}

    def shaking(q: np.ndarray) -> float:
        steps = rotations.to_axis_angle(rotations.multiply(rotations.inverse(q[:-1]), q[1:]))
        return float(np.linalg.norm(np.diff(steps, axis=0), axis=-1).mean())

    true = clip.rotations[span][:, joints]
    assert shaking(made["jitter"]) > 10 * shaking(true)
    assert shaking(made["framing"]) < shaking(made["jitter"]) / 2
    stride = 0.5 * np.sin(2 * np.pi * np.arange(200) / 30)  # a step a second
    walk = clip.rotations.copy()
    walk[:, joints] = rotations.from_axis_angle(stride[:, None, None] * np.array([1.0, 0, 0]))
    reach = lambda q: float(rotations.angle_between(q, rotations.mean(q)[None]).mean())  # noqa: E731
    slid = [reach(corrupt._slid(rng, walk, joints, span, USUAL)) for _ in range(10)]
    assert np.mean(slid) < 0.6 * reach(walk[span][:, joints]), "steps lose their reach"
    assert max(slid) < reach(walk[span][:, joints])
    start = rotations.angle_between(made["occlusion"][0], clip.rotations[39, joints]).mean()
    late = rotations.angle_between(made["occlusion"][-20:], true[-20:]).mean()
    assert start < 0.6, "held where it was last seen"
    assert late > 0.1, "and then lost"


class TestCache:
    def test_training_clips_alone_are_spoiled_the_same_for_a_seed(self, tmp_path: Path) -> None:
        clean = captioned()
        report = corrupt.corrupt(clean, tmp_path / "a.npz", 0.5, 3)
        a = cache_file.load(tmp_path / "a.npz")
        assert a.confidence is not None
        assert a.texts == clean.texts
        assert a.entries == clean.entries
        assert (a.embeddings == clean.embeddings).all()
        share = report["credible_percent"]
        assert isinstance(share, dict)
        assert share["all"] == pytest.approx(50, abs=0.5)
        for e in clean.entries:
            rows = slice(e.start, e.start + e.length)
            believed = a.believed(rows.start, rows.stop)
            if e.split != "train":
                assert (believed == 1).all()
                assert (a.rotations[rows] == clean.rotations[rows]).all()
                continue
            for name, joints in corrupt.PARTS.items():
                good = believed[:, joints].mean(1) > corrupt.CREDIBLE
                same = (a.rotations[rows][:, joints] == clean.rotations[rows][:, joints]).all((1, 2))
                turned = (a.rotations[rows][:, joints] == -clean.rotations[rows][:, joints]).all((1, 2))
                assert (same | turned)[good].all(), name
        corrupt.corrupt(clean, tmp_path / "b.npz", 0.5, 3)
        assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
        corrupt.corrupt(clean, tmp_path / "c.npz", 0.5, 4)
        assert (cache_file.load(tmp_path / "c.npz").rotations != a.rotations).any()

    def test_a_clip_does_not_depend_on_the_others(self, tmp_path: Path) -> None:
        clean = captioned()
        few = replace(clean, entries=clean.entries[5:7])
        usual = corrupt._usual(clean)
        rng = lambda: np.random.default_rng(1)  # noqa: E731
        clip = clean.clip(few.entries[0])
        a, b = (corrupt.spoil(rng(), clip.rotations, clip.root_positions, usual, 0.4) for _ in range(2))
        assert (a.rotations == b.rotations).all()
        assert (a.confidence == b.confidence).all()

    def test_the_command_takes_a_cache_and_refuses_nonsense(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "spoiled.npz"
        call = ["prepare", str(data), "--corrupt", "--credible", "40", "-o", str(out)]
        assert main(call) == 0
        assert "40" in capsys.readouterr().out
        found = cache_file.load(out)
        train = [e for e in found.entries if e.split == "train"]
        lost = np.concatenate([found.believed(e.start, e.start + e.length) for e in train])
        shares = [(lost[:, joints].mean(1) < corrupt.CREDIBLE).mean() for joints in corrupt.PARTS.values()]
        assert np.mean(shares) == pytest.approx(0.6, abs=0.02)
        call[call.index("40")] = "20"
        assert main(call) == 1
        assert "between 30 and 100" in capsys.readouterr().err
        assert main(["prepare", str(out), "--corrupt", "-o", str(tmp_path / "twice.npz")]) == 1
        assert "confidence already" in capsys.readouterr().err

    def test_a_cache_without_confidence_is_believed(self, data: Path) -> None:
        found = cache_file.load(data)
        assert found.confidence is None
        assert (found.believed(3, 10) == 1).all()
        assert found.believed(3, 10).shape == (7, len(JOINTS) + 1)
