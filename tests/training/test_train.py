"""The training loop on tiny real networks: every preset runs, resumes to the bit, and fails early."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend import features
from backend.nn import diffusion
from blender_addon.motion import kinematics
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import INDEX, JOINTS, MIRROR, PARENTS, canonical
from tests.training.material import FIRST_STAGES, shrunk
from training import losses
from training.__main__ import main
from training.config import PRESETS, fitted
from training.corruption import CORRUPTIONS
from training.dataset import Windows, ahead, generators
from training.objectives.denoise import Denoise
from training.prepare import cache
from training.train import Run, averaged, train


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_two_steps_of_every_preset(preset: str, data: Path, tmp_path: Path) -> None:
    start = None
    if first := FIRST_STAGES.get(shrunk(preset).objective):
        train(shrunk(first), tmp_path / "first", data, device="cpu", threads=1)
        start = tmp_path / "first" / "last.pt"
    run = train(shrunk(preset), tmp_path, data, start=start, device="cpu", threads=1)
    assert run.step == 2
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [r["step"] for r in rows] == ["2"]
    assert all(math.isfinite(float(v)) for v in rows[0].values())
    config, network = averaged(tmp_path / "last.pt")
    assert config == shrunk(preset)
    for mine, kept in zip(
        network.state_dict().values(), run.average.module.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, kept)


def test_open_presets_train_on_nothing_that_is_not_free() -> None:
    from training.prepare.sources import SOURCES

    for config in PRESETS.values():
        assert config.family in ("open", "research")
        if config.family == "open":
            assert all(SOURCES[s].commercial for s in config.sources)


def test_presets_take_the_sources_that_a_cache_has() -> None:
    config = PRESETS["mmdm"]
    some = fitted(config, {"cmu": 9, "reactidle": 1, "amass": 50, "kaykit": 0})
    assert some.sources == {s: config.sources[s] for s in ("cmu", "reactidle")}
    assert fitted(config, {"amass": 50, "humanml3d": 25}).sources == {"amass": 50.0, "humanml3d": 25.0}
    with pytest.raises(ValueError, match="no clips to train on"):
        fitted(config, {"amass": 0})


def equal(a: object, b: object) -> bool:
    """To the last bit, through tables and lists."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(equal, a, b))
    return a == b


@pytest.mark.parametrize("preset", ["pose", "kaa"])
def test_a_resumed_run_equals_an_unbroken_one_to_the_last_bit(
    preset: str, data: Path, tmp_path: Path
) -> None:
    config = shrunk(preset, steps=6, one_pass=0.5, long_share=0.5)
    unbroken = Run(config, tmp_path, data, "cpu", 1)
    for _ in range(6):
        unbroken.one_step()
    unbroken.save(tmp_path / "unbroken.pt")
    broken = Run(config, tmp_path / "run", data, "cpu", 1)
    for _ in range(3):
        broken.one_step()
    (tmp_path / "run").mkdir()
    broken.save()
    torch.manual_seed(99)  # another process begins elsewhere
    train(config, tmp_path / "run", data, device="cpu", threads=1)
    a, b = (
        torch.load(p, weights_only=False) for p in (tmp_path / "unbroken.pt", tmp_path / "run" / "last.pt")
    )
    assert a["step"] == b["step"] == 6
    assert equal(a, b)


def test_batches_drawn_ahead_train_the_same_network_to_the_bit(data: Path, tmp_path: Path) -> None:
    config = shrunk("kaa", steps=4, long_share=0.5)
    one, two = (
        train(config, tmp_path / str(n), data, device="cpu", threads=1, workers=n).network.state_dict()
        for n in (0, 2)
    )
    assert equal(one, two)


def test_two_processes_match_one_to_rounding(data: Path, tmp_path: Path) -> None:
    """The command under torchrun (gloo), and alone: the same batches, the same steps."""
    call = [
        "-m",
        "training",
        "train",
        "tiny",
        "--data",
        str(data),
        "--steps",
        "5",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, *call, "-o", str(tmp_path / "one")], check=True, cwd=root, timeout=240)
    several = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*several, *call, "-o", str(tmp_path / "two")], check=True, cwd=root, timeout=240)
    one, two = (torch.load(tmp_path / n / "last.pt", weights_only=False) for n in ("one", "two"))
    assert one["step"] == two["step"] == 5
    assert one["frames_seen"] == two["frames_seen"]
    for name, value in one["network"].items():
        assert torch.allclose(value, two["network"][name], atol=2e-5), name
    began = Run(PRESETS["tiny"], tmp_path, data, "cpu", 1).network.state_dict()
    assert any(not torch.equal(v, began[k]) for k, v in one["network"].items())


def test_batches_that_cannot_be_shared_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be shared"):
        Run(shrunk("pose", batch=3), tmp_path, data, "cpu", 1)


def test_a_finished_run_is_left_as_it_is(data: Path, tmp_path: Path) -> None:
    train(shrunk("pose"), tmp_path, data, device="cpu", threads=1)
    before = torch.load(tmp_path / "last.pt", weights_only=False)
    train(shrunk("pose"), tmp_path, data, device="cpu", threads=1)
    assert equal(before, torch.load(tmp_path / "last.pt", weights_only=False))
    assert not list(tmp_path.glob("*.part"))


def test_learning_lowers_the_error_on_held_out_windows(data: Path, tmp_path: Path) -> None:
    config = shrunk("tiny", steps=60, one_pass=1.0, masks={"sparse": 1.0}, long_share=0.0, rate=3e-3, ema=0.9)
    run = Run(config, tmp_path, data, "cpu", 1)
    assert run.validate()["below_filling"] == pytest.approx(0, abs=1e-6), "a new network says nothing"
    for _ in range(60):
        run.one_step()
    assert run.validate()["below_filling"] > 0.03


def test_nan_fails_at_once_and_says_where(data: Path, tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"at step \d"):
        train(shrunk("pose", steps=20, rate=1e30, warmup=1), tmp_path, data, device="cpu", threads=1)
    assert not (tmp_path / "last.pt").exists(), "no checkpoint of a broken network"


def test_a_joint_stream_starts_as_the_pose_network_it_comes_from(data: Path, tmp_path: Path) -> None:
    pose = train(shrunk("pose", steps=4), tmp_path / "pose", data, device="cpu", threads=1)
    later = Run(shrunk("kaa", steps=8), tmp_path / "kaa", data, "cpu", 1)
    later.start_from(tmp_path / "pose" / "last.pt")
    later.network.eval()  # no dropout
    assert later.step == later.began == 4
    x, _ = windows_of(pose, 3)
    sample = torch.randn(x.base.shape)
    at = torch.full((3,), diffusion.STEPS)
    with torch.inference_mode():
        sample = torch.zeros_like(sample)  # none yet: the encoder of a network with a decoder never sees one
        assert torch.equal(later.network(x, sample, at), pose.network(x, sample, at))
        assert torch.equal(later.average.module(x, sample, at), pose.network(x, sample, at))
    later.network.train()
    later.one_step()
    with pytest.raises(ValueError, match="lacks"):
        Run(shrunk("pose"), tmp_path, data, "cpu", 1).start_from(_saved(later, tmp_path / "later.pt"))


def windows_of(run: Run, size: int, seed: int = 0) -> tuple[features.Inputs, losses.Target]:
    """Training windows of a run that fills windows."""
    assert isinstance(run.objective, Denoise)
    return run.objective.windows(run.objective.train, generators(seed, size=size), 24)


def _saved(run: Run, path: Path) -> Path:
    run.save(path)
    return path


def test_the_rate_warms_up_holds_and_falls_to_nothing(data: Path, tmp_path: Path) -> None:
    run = Run(shrunk("pose", steps=100, warmup=10, cooldown=0.3), tmp_path, data, "cpu", 1)
    rates = []
    for run.step in range(101):
        rates.append(run.rate() / run.config.rate)
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert rates[10:71] == pytest.approx(np.ones(61))
    assert (np.diff(rates[70:]) < 0).all()
    assert rates[100] == 0


# -- batches -----------------------------------------------------------------------------------------


def windows(data: Path, split: str = "train", tempo: float = 0.0) -> Windows:
    found = cache.load(data)
    config = shrunk("pose")
    return Windows(found, found.select(split), config.sources, config.masks, tempo)


def test_batches_are_real_motion_padded_and_masked(data: Path) -> None:
    batch, given = windows(data).batch(generators(0, size=64), 40)
    assert given is batch, "nothing is corrupted by masks alone"
    assert batch.rotations.shape == (64, 40, len(JOINTS), 4)
    assert torch.allclose(batch.rotations.norm(dim=-1), torch.ones(()), atol=1e-5)
    length = batch.valid.sum(1)
    assert set(length.tolist()) == {18, 40}
    for b, n in enumerate(length.tolist()):
        assert batch.valid[b, :n].all()
        assert not batch.rotation_known[b, n:].any()
        assert not batch.root_known[b, n:].any()
        assert batch.rotation_known[b, :n].any(1).sum() >= 2


def test_windows_are_played_slower_and_faster_without_leaving_the_path(data: Path) -> None:
    source = windows(data, tempo=0.3)
    entry = max(source.cache.select("train"), key=lambda e: e.length)
    path = source.cache.roots[entry.start : entry.start + entry.length]
    rng, lengths = np.random.default_rng(0), []
    for _ in range(60):
        q, p = source._stretch(rng, entry, 12)
        assert np.allclose(np.linalg.norm(q, axis=-1), 1, atol=1e-5)
        a, b, c = path[:-1, None], path[1:, None], p[None]  # every place lies on the path's polyline
        along = (((c - a) * (b - a)).sum(-1) / np.maximum(((b - a) ** 2).sum(-1), 1e-12)).clip(0, 1)
        assert np.linalg.norm(a + (b - a) * along[..., None] - c, axis=-1).min(0).max() < 1e-4
        lengths.append(np.linalg.norm(np.diff(p, axis=0), axis=-1).sum())
    assert np.std(lengths) > 0


def test_a_mirrored_window_is_the_mirror_image(data: Path) -> None:
    source = windows(data)
    batch, _ = source.batch(generators(1, size=40), 24)
    original = source.cache
    seen = {True: 0, False: 0}
    for b in range(40):
        clip = Clip(canonical(batch.offsets[b].numpy()), batch.rotations[b].numpy(), batch.root[b].numpy())
        mirrored = clip.mirror(MIRROR)
        for flag, c in ((False, clip), (True, mirrored)):
            n = int(batch.valid[b].sum())
            if any(
                np.allclose(original.roots[e.start + s : e.start + s + n], c.root_positions[:n], atol=1e-5)
                for e in original.select("train")
                for s in range(e.length - n + 1)
            ):
                seen[flag] += 1
                break
        else:
            raise AssertionError("a window that is in no clip, nor its mirror image")
    assert min(seen.values()) > 5


def test_a_source_without_clips_is_named(data: Path) -> None:
    found = cache.load(data)
    with pytest.raises(ValueError, match="'lafan'"):
        Windows(found, found.select("train"), {"cmu": 1.0, "lafan": 1.0}, {"sparse": 1.0})


def test_batches_drawn_ahead_by_processes_are_those_of_their_steps(data: Path) -> None:
    found = cache.load(data)
    source = Windows(found, found.select("train"), shrunk("pose").sources, {"partial": 0.5, "jitter": 0.5})

    def draw(step: int) -> tuple[features.Window, features.Window]:
        if step == 9:
            raise ArithmeticError("no such step")
        return source.batch(generators(3, step, size=6), 24)

    alone = list(ahead(draw, 0, 8, workers=0))
    resumed = list(ahead(draw, 3, 8, workers=2))
    assert len(alone) == 8
    for a, b in zip(alone[3:], resumed, strict=True):
        for x, y in zip(a, b, strict=True):
            assert equal(vars(x), vars(y))
    assert not torch.equal(alone[3][0].root, alone[4][0].root)
    with pytest.raises(ArithmeticError, match="no such step"):
        list(ahead(draw, 8, 10, workers=1))


@pytest.mark.parametrize("policy", sorted(CORRUPTIONS))
def test_corrupted_windows_are_observed_and_known_only_where_they_are_true(data: Path, policy: str) -> None:
    found = cache.load(data)
    config = shrunk("pose")
    source = Windows(found, found.select("train"), config.sources, {policy: 1.0})
    truth, given = source.batch(generators(4, size=16), 24)
    assert torch.equal(given.rotations[given.rotation_known], truth.rotations[given.rotation_known])
    assert torch.equal(given.root[given.root_known], truth.root[given.root_known])
    assert bool(given.rotation_known.any()) == (policy == "lost")
    observed, placed = given.observed()
    assert not observed[~given.valid].any()
    assert observed[given.valid].float().mean() > 0.5
    assert given.confidence is not None
    assert given.root_confidence is not None
    assert torch.equal(placed & given.valid, given.root_confidence > 0)
    heeded = given.confidence[observed]
    assert (heeded > 0).all()
    assert (given.rotations - truth.rotations)[given.valid].abs().max() > 0.01
    assert torch.equal(given.rotations[~given.valid], truth.rotations[~given.valid])
    filled = features.interpolate(given)
    assert torch.allclose(filled.rotations[observed], given.rotations[observed])
    again = source.batch(generators(4, size=16), 24)[1]
    assert torch.equal(again.rotations, given.rotations)


# -- the loss ----------------------------------------------------------------------------------------


def test_the_truth_costs_nothing_and_known_frames_do_not_count(data: Path, tmp_path: Path) -> None:
    run = Run(shrunk("pose"), tmp_path, data, "cpu", 1)
    x, truth = windows_of(run, 24, 2)
    best, terms = losses.loss(truth.channels, x, truth, losses.Weights(contact=0.0))
    assert float(best) < 1e-5
    assert all(v < 1e-5 for k, v in terms.items() if k != "contact")
    plain, _ = losses.loss(x.base, x, truth, losses.Weights())
    assert float(plain) > 10 * float(best)
    # what is wrong only at padded frames costs nothing
    padding = ~x.valid
    assert padding.any()
    wrong = truth.channels.clone()
    wrong[:, 1:][padding[:, 1:] & padding[:, :-1]] += 1.0
    worse, _ = losses.loss(wrong, x, truth, losses.Weights(contact=0.0))
    assert float(worse) == pytest.approx(float(best), abs=1e-5)


def test_targets_know_the_positions_of_the_clip(data: Path) -> None:
    found = cache.load(data)
    entry = found.select("train")[0]
    clip = found.clip(entry).slice(0, 20)
    t = lambda a: torch.as_tensor(np.asarray(a, np.float32))[None]  # noqa: E731
    ones = torch.ones(1, 20, dtype=torch.bool)
    w = features.Window(
        t(clip.rotations),
        t(clip.root_positions),
        t(clip.skeleton.offsets),
        ones[..., None].expand(1, 20, 22),
        ones,
        ones,
    )
    truth = losses.target(w)
    moved = clip.local_translations()
    _, p = kinematics.forward(PARENTS, clip.rotations, moved)
    assert np.allclose(truth.positions[0], p, atol=1e-5)
    assert truth.standing.shape == (1, 19, 4)
    still = losses.target(replace(w, rotations=w.rotations[:, :1].expand_as(w.rotations), root=w.root * 0))
    assert still.standing.any()
    assert INDEX["left_ankle"] in losses.FEET


# -- the command line --------------------------------------------------------------------------------


def test_the_command_trains_and_refuses_an_unknown_preset(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = [
        "train",
        "tiny",
        "--data",
        str(data),
        "-o",
        str(tmp_path),
        "--steps",
        "1",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    assert main(call) == 0
    assert (tmp_path / "last.pt").exists()
    call[1] = "huge"
    assert main(call) == 1
    assert "no preset 'huge'" in capsys.readouterr().err
    assert main(["train", "tiny", "--data", str(tmp_path / "none.npz"), "-o", str(tmp_path / "x")]) == 1
