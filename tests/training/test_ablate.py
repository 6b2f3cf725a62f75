"""The papers' comparisons: every row trains, is measured on the same windows, and lands in the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from backend import weights
from backend.nn.denoiser import Architecture
from tests.training.material import shrunk
from training import ablate, ablation_page
from training.__main__ import main
from training.train import train

TINY = Architecture(pose_width=16, joint_width=16, heads=2, joint_heads=2, hidden=32, rounds=2)


def test_the_attention_table_has_the_papers_rows(data: Path, tmp_path: Path) -> None:
    rows = ablate.attention(data, 2, 1, sizes=TINY)
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
    run, _ = ablate._trained(shrunk("pose", steps=1), data, 1, "32")
    network, a = ablate.denoising(run).network, run.config.architecture
    counts = {n: n * ablate.operations(network, ablate._example(run, n)) for n in (16, 32, 64)}
    linear = sum(m.weight.numel() for m in network.modules() if isinstance(m, torch.nn.Linear))
    assert 0.8 < counts[64] / 64 * a.patch / (2 * linear) < 1.2, "two operations a weight and token"
    # The rest is attention: scores and their use, four operations a pair of tokens, channel and round.
    pairs = lambda n: (n // a.patch) ** 2  # noqa: E731
    bent = counts[64] - 3 * counts[32] + 2 * counts[16]  # what is constant or linear in the frames goes away
    assert bent == pytest.approx(
        4 * a.pose_width * a.rounds * (pairs(64) - 3 * pairs(32) + 2 * pairs(16)), rel=0.02
    )


@pytest.fixture(scope="module")
def checkpoint(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    config = shrunk("kaa", steps=30, ema=0.0, rate=3e-2)
    train(config, folder, data, device="cpu", threads=1)
    return folder / "last.pt"


def test_strides_of_a_checkpoint(
    data: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ablate.strides(ablate.subject(checkpoint, data), (1, 4), size=4)
    assert [r["ddim_steps"] for r in rows] == [0, 1, 4]
    assert rows[0]["spread"] == 0 < rows[2]["spread"]
    assert all(r["best_of_four"] <= r["error_percent_of_hip_height"] for r in rows)
    assert len({r["interpolation"] for r in rows}) == 1
    call = ["ablate", "strides", "--data", str(data), "-o", str(tmp_path / "out")]
    assert main(call) == 1
    assert "--checkpoint" in capsys.readouterr().err


def test_ratios_of_a_checkpoint_and_of_a_bundle_are_the_same(
    data: Path, checkpoint: Path, tmp_path: Path
) -> None:
    rows = ablate.ratios(ablate.subject(checkpoint, data), (10, 50, 80), size=8)
    assert [r["missing_percent"] for r in rows] == [10, 50, 80]
    for pattern in ("A", "B", "tracks"):
        plain = [r[f"{pattern}: interpolation"] for r in rows]
        assert plain[0] < plain[1] < plain[2]
    of = ablate.subject(checkpoint, data)
    settings, state = of.system.to_bundle()
    weights.save(tmp_path / "b", {"mmdm": state}, {"mmdm": settings}, family="open", licence="", data=[], card="",
                 metrics={}, half=False)  # fmt: skip
    bundled = ablate.ratios(ablate.subject(tmp_path / "b", data), (50,), size=8)
    assert bundled[0]["tracks: interpolation"] != 0
    with pytest.raises(ValueError, match="no pose"):
        ablate.subject(tmp_path / "b", data, "pose")


def test_training_ratios_are_measured_at_all_of_them(data: Path) -> None:
    rows = ablate.training_ratios(data, 1, 1, sizes=TINY, shares=(30,))
    assert [r["trained_at_percent"] for r in rows] == [30]
    assert "at 30 %: below_percent" in rows[0]


def test_a_page_shows_the_tables_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no table"):
        ablation_page.write(tmp_path)
    attended = {"below_percent": 12.0, "frames_per_second": 3210, "operations_per_frame": 2_300_000}
    made = {
        "attention": [{"row": name, **attended} for name in ("S&T", "KAA, joints first")],
        "masks": [{"row": "A, per pose", "on A: below_percent": 3.0, "on B: below_percent": -1.5}],
        "training-ratios": [{"trained_at_percent": 30, "at 30 %: below_percent": 7.5}],
        "ratios": [{"missing_percent": p, **{f"{n}{k}": p / 10 for n in ("A", "B", "tracks")
                                             for k in ("", ": interpolation")}} for p in (10, 50)],
        "baselines": [{"data": d, "row": r, "seconds": 1, "5 frames": 1.0, "30 frames": "" if r == "MMDM" else 3.0}
                      for d in ("takes", "groups") for r in ("MMDM", "interpolation")],
        "sharing": [{"data": "takes", "row": r, "seconds": 1, "one limb": e, "one limb, interpolation": b}
                    for r, e, b in (("completion alone", 2.0, 3.0), ("refinement alone", "", ""))],
        "strides": [{"ddim_steps": n, "error_percent_of_hip_height": 1.0, "best_of_four": 0.9, "interpolation": 2.0,
                     "spread": 0.1, "frames_per_second": 100} for n in (0, 1, 50)],
        "ropar-vae": [{"row": r, "joints_percent_of_hip_height": 1.0, "KID": 0.1} for r in ("P-VAE", "whole body")],
        "ropar-credible": [{"credible_percent": p, "row": r, "R@1": 0.5, "KID": 0.2, "skating": 3.0, "truth R@1": 0.9}
                           for p, r in ((100, "RoPAR"), (30, "RoPAR"), (30, "RoPAR, confidence not heeded"))],
        "something new": [{"row": "a", "value": 1}],
    }  # fmt: skip
    for name, rows in made.items():
        ablate.write(rows, name, tmp_path)
    page = ablation_page.write(tmp_path).read_text()
    assert page.count("<svg") == 3 + 1 + 1 + 3 + 2 + 1 + 3 + 2 + 3
    assert page.count("<svg") == page.count("</svg>")
    assert page.count("<h2>") == len(made), "the metrics of evaluate are not explained here"
    assert "S&amp;T" in page
    assert "2.3M" in page
    assert "-1.5" in page
    assert "http" not in page.replace("http://www.w3.org", "")
