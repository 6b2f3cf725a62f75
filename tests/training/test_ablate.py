"""The papers' comparisons: every row trains, is measured on the same windows, and lands in the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from backend.nn.denoiser import Architecture
from tests.training.material import shrunk
from training import ablate
from training.__main__ import main
from training.train import train

TINY = Architecture(pose_width=16, joint_width=16, heads=2, joint_heads=2, hidden=32, rounds=2)


def test_the_attention_table_has_the_papers_rows(data: Path, tmp_path: Path) -> None:
    rows = ablate.attention(data, 2, 1, TINY)
    assert [r["row"] for r in rows] == [*ablate.ATTENTION, "pose level"]
    assert len({r["interpolation"] for r in rows}) == 1, "all rows are measured on the same windows"
    assert len({r["frames_seen"] for r in rows}) == 1, "all rows learn from the same windows"
    cost = {r["row"]: r["operations_per_frame"] for r in rows}
    assert cost["KAA, joints first"] == cost["KAA, time first"] < cost["S&T"]
    assert cost["pose level"] < cost["KAA, joints first"]
    text = ablate.write(rows, "attention", tmp_path)
    assert text.count("\n") == 2 + len(rows)
    assert json.loads((tmp_path / "attention.json").read_text()) == rows


def test_operations_are_counted_as_by_hand(data: Path) -> None:
    run, _ = ablate._trained(shrunk("pose", steps=1), data, 1)
    network, a = run.network, run.config.architecture
    counts = {n: n * ablate.operations(network, ablate._example(run, n)) for n in (16, 32, 64)}
    linear = sum(m.weight.numel() for m in network.modules() if isinstance(m, torch.nn.Linear))
    assert 0.8 < counts[64] / 64 * a.patch / (2 * linear) < 1.2, "two operations a weight and token"
    # The rest is attention: scores and their use, four operations a pair of tokens, channel and round.
    pairs = lambda n: (n // a.patch) ** 2  # noqa: E731
    bent = counts[64] - 3 * counts[32] + 2 * counts[16]  # what is constant or linear in the frames goes away
    assert bent == pytest.approx(
        4 * a.pose_width * a.rounds * (pairs(64) - 3 * pairs(32) + 2 * pairs(16)), rel=0.02
    )


def test_strides_of_a_checkpoint(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = shrunk("kaa", steps=5, ema=0.0, one_pass=0.2, rate=3e-2)
    train(config, tmp_path, data, device="cpu", threads=1)
    rows = ablate.strides(tmp_path / "last.pt", data, (1, 4), size=4)
    assert [r["ddim_steps"] for r in rows] == [0, 1, 4]
    assert rows[0]["spread"] == 0 < rows[2]["spread"]
    assert all(r["best_of_four"] <= r["error_percent_of_hip_height"] for r in rows)
    call = ["ablate", "strides", "--data", str(data), "-o", str(tmp_path / "out")]
    assert main(call) == 1
    assert "--checkpoint" in capsys.readouterr().err
