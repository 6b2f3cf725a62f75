"""What is trained for the same time: every row learns, is measured, and stands beside its baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend import features
from backend.nn.denoiser import Architecture
from tests.training.material import shrunk
from training import comparisons
from training.baselines import Inpainting, MotionDiffusion
from training.dataset import generators
from training.objectives.mdm import MDM
from training.train import Run

TINY = Architecture(pose_width=16, heads=2, joint_heads=2, hidden=24, rounds=2)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "SIZES", TINY)
    monkeypatch.setattr(comparisons, "KAA", replace(TINY, joint_width=8, decoder=1, decoder_width=8))
    monkeypatch.setattr(comparisons, "ROWS", ("cmu subjects",))


def test_all_baselines_are_measured_on_the_same_windows(data: Path, small: None) -> None:
    rows = comparisons.baselines(data, 0.2, 1, "32", 1)
    assert [r["row"] for r in rows] == ["pose-level transformer", "small MDM", "MMDM", "interpolation"]
    assert all(r["15 frames"] > 0 for r in rows)
    assert all(r["frames_seen"] > 0 for r in rows[:3])


def test_sharing_measures_each_row_on_what_it_was_trained_for(data: Path, small: None) -> None:
    rows = {r["row"]: r for r in comparisons.sharing(data, 0.2, 1, "32", 1)}
    assert list(rows) == list(comparisons.TASKS)
    assert rows["refinement alone"]["one limb"] == ""
    both = rows["all three"]
    for name in ("one limb", "positions 5 cm"):
        alone = next(r for r in rows.values() if r is not both and r[name])
        beside = next(k for k in both if k.startswith(f"{name}, "))
        assert both[beside] == alone[beside] > 0


def test_a_small_mdm_learns_and_keeps_what_is_known(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = shrunk("pose", objective="mdm", steps=40, rate=3e-3, ema=0.5, long_share=0.0)
    run = Run(config, tmp_path, data, "cpu", 1)
    first = run.one_step()["squared"]
    for _ in range(39):
        last = run.one_step()["squared"]
    assert last < 0.7 * first
    objective, network = run.objective, run.average.module
    assert isinstance(objective, MDM)
    assert isinstance(network, MotionDiffusion)
    x, _ = objective.drawn.windows(objective.drawn.checks, generators(1, size=3), 24)
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    system = Inpainting(network, 24)
    out = system.sample(x, 0, torch.Generator().manual_seed(0), step)
    assert steps == system.evaluations(0)
    assert not out[features.known_channels(x)].any()
    assert out[~features.known_channels(x) & x.valid[..., None]].abs().max() > 0
    run.save(tmp_path / "last.pt")
    again = Run(config, tmp_path, data, "cpu", 1)
    again.load(tmp_path / "last.pt")
    assert again.validate() == run.validate()
