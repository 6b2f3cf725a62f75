"""What RoPAR learns, from what, and what is measured of it; on made-up motion and tiny networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.nn import parts
from backend.nn.ropar import RoPAR as Networks
from tests.training import acted
from tests.training.material import shrunk, swinging
from training import ablate_ropar
from training.config import PRESETS
from training.dataset import generators
from training.kept import Kept
from training.objectives import ropar_vae
from training.objectives.ropar_windows import Draws, Seen, spoil
from training.prepare import cache as cache_file
from training.prepare.cache import Texts
from training.train import Run, averaged, train


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources, one with sentences about its clips; some longer than a usual step."""
    clips, rows = [], []
    for source in ("cmu", "bandai_namco"):
        for k, split in enumerate(("train", "train", "validation", "test")):
            clips.append(swinging(len(clips), 20 if k == 0 else 60))
            row: dict[str, object] = {
                "name": f"{source} {k}",
                "source": source,
                "group": str(k),
                "split": split,
            }
            if source == "bandai_namco":
                row["captions"] = [(0, 0, len(clips[-1]))]
            rows.append(row)
    path = tmp_path_factory.mktemp("captioned") / "cache.npz"
    said = Texts(("turns left", "turns right"), np.eye(2, 384, dtype=np.float16), np.array([1, 0], np.int32))
    cache_file.save(path, clips, rows, said)
    return path


@given(st.integers(0, 2**31), st.floats(0, 1), st.integers(4, 80))
@settings(max_examples=30, deadline=None)
def test_exactly_so_much_is_spoiled_and_confidence_says_what(seed: int, share: float, frames: int) -> None:
    clip = swinging(0, frames)
    q, root = clip.rotations.astype(np.float32), clip.root_positions.astype(np.float32)
    seen_q, seen_root, confidence = spoil(np.random.default_rng(seed), q, root, share)
    lost = np.stack([confidence[:, own].mean(1) < parts.TAU for own in map(list, parts.PARTS.values())], 1)
    assert lost.sum() == round((1 - share) * lost.size)
    for p, own in enumerate(parts.PARTS.values()):
        good = np.ix_(~lost[:, p], list(own))
        assert np.array_equal(seen_q[good], q[good]), "what is credible is the truth"
    assert np.array_equal(seen_root[~lost[:, 0]], root[~lost[:, 0]])
    assert np.allclose(np.linalg.norm(seen_q, axis=-1), 1, atol=1e-5)
    assert np.array_equal(confidence[:, -1], confidence[:, 0])


def test_windows_begin_where_they_should_and_mirrored_sentences_swap_sides(captioned: Path) -> None:
    cache = cache_file.load(captioned)
    draws = Draws(cache, cache.select("train"), {"cmu": 0.5, "bandai_namco": 0.5}, True)
    usual, longer = (draws.batch(generators(3, size=40), n, m) for n, m in ((24, 0), (64, 24)))
    assert set(usual.valid.sum(1).tolist()) == {20}, "what is longer is left to the long steps"
    assert set(longer.valid.sum(1).tolist()) == {60}
    assert set(usual.texts) == {-1, 0, 1}
    assert torch.allclose(usual.truth[:, 0, [-3, -1]], torch.zeros(40, 2), atol=1e-5)
    assert torch.equal(usual.truth, usual.channels)


def test_a_caches_own_confidence_is_taken(captioned: Path) -> None:
    cache = cache_file.load(captioned)
    own = np.full((len(cache.roots), 23), 15, np.uint8)
    own[:, list(parts.PARTS["left_arm"])] = 3
    draws = Draws(replace(cache, confidence=own), cache.select("train"), {"cmu": 1.0}, False, 0.3)
    x = draws.batch(generators(1, size=16), 20)
    low = x.confidence[:, :20] < 0.5
    arms = [list(parts.PARTS[f"{s}_arm"]) for s in ("left", "right")]
    assert all(int(low[b].sum()) == 20 * 4 for b in range(16))
    assert {tuple(bool(low[b, 0, a].all()) for a in arms) for b in range(16)} == {
        (True, False),
        (False, True),
    }, "mirrored too"


def a_loss(run: Run, x: Seen) -> torch.Tensor:
    """Of the P-VAE, without the randomness of a step."""
    vae = run.network.vae
    assert isinstance(vae, parts.PartVAE)
    rows, tokens = ropar_vae.believed(x, vae, run.config)
    present = vae.present(rows, tokens)
    described = parts.describe(parts.held(x.channels, x.valid), x.offsets)
    out, mean, _ = run.network(described, present, x.valid, torch.zeros(*tokens.shape, vae.latent))
    terms = ropar_vae.errors(vae, out, present, described, x)
    return sum(terms.values()) + mean[tokens].square().sum()  # type: ignore[return-value]


def test_the_vae_learns_nothing_from_what_is_not_credible(data: Path, tmp_path: Path) -> None:
    run = Run(shrunk("ropar-vae", credible=0.2), tmp_path, data, "cpu", 1)
    objective = run.objective
    assert isinstance(objective, ropar_vae.Parts)
    x = objective.train.batch(generators(5, size=4), 24)
    limbs = torch.tensor([j for name, own in parts.PARTS.items() if name != "torso" for j in own])
    bad = torch.zeros(4, 24, 22, dtype=torch.bool)
    assert isinstance(run.network, Networks)
    _, tokens = ropar_vae.believed(x, run.network.vae, run.config)
    for p, own in enumerate(parts.PARTS.values()):
        frames = (~tokens[:, :, p]).repeat_interleave(4, 1)[:, :24]
        bad[:, :, list(own)] |= frames[..., None]
    where = bad.clone()
    where[:, :, [j for j in range(22) if j not in limbs]] = False
    assert where.any()
    noise = torch.nn.functional.normalize(torch.randn(4, 24, 22, 6), dim=-1)
    six = torch.where(where[..., None], noise, x.channels[..., :-3].unflatten(-1, (22, 6)))
    spoiled = replace(x, channels=torch.cat((six.flatten(2), x.channels[..., -3:]), -1))
    found = []
    for batch in (x, spoiled):
        run.network.zero_grad()
        a_loss(run, batch).backward()
        found.append([p.grad.clone() for p in run.network.parameters() if p.grad is not None])
    assert any(g.any() for g in found[0])
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, atol=1e-4 * float(a.abs().max()) + 1e-6)


def test_the_vae_then_the_transformer(captioned: Path, tmp_path: Path) -> None:
    small = {"steps": 3, "long_share": 0.5, "credible": 0.5}
    first = train(shrunk("ropar-vae", **small), tmp_path / "vae", captioned, device="cpu", threads=1)
    second = train(shrunk("ropar", **small), tmp_path / "ropar", captioned, start=tmp_path / "vae" / "last.pt",
                   device="cpu", threads=1)  # fmt: skip
    config, network = averaged(tmp_path / "ropar" / "last.pt")
    assert config == second.config
    assert isinstance(network, Networks)
    kept = {k: v for k, v in first.average.module.state_dict().items() if k.startswith("vae.")}
    assert kept.keys() == {k for k in network.state_dict() if k.startswith("vae.")}
    assert all(torch.equal(network.state_dict()[k], v) for k, v in kept.items()), "the P-VAE stays as it is"
    assert second.step == 3
    for p in network.parameters():  # no layer is silent any more, as after a real run
        torch.nn.init.normal_(p, std=0.2)
    found = second.objective.validate(network)
    assert all(np.isfinite(v) for v in found.values())
    assert not np.isclose(found["text"], found["silent"], rtol=1e-7), "the text reaches the tokens"


def test_learning_lowers_the_error_of_the_vae(data: Path, tmp_path: Path) -> None:
    config = shrunk("ropar-vae", steps=80, rate=4e-3, ema=0.9, long_share=0.0)
    run = Run(config, tmp_path, data, "cpu", 1)
    before = run.validate()["joints"]
    for _ in range(80):
        run.one_step()
    assert run.validate()["joints"] < 0.95 * before


@pytest.mark.parametrize("changes", [{"parts": False}, {"shared": False}])
def test_comparisons_learn_too(changes: dict[str, bool], data: Path, tmp_path: Path) -> None:
    tiny = PRESETS["ropar-vae-tiny"].vae
    assert tiny is not None
    run = Run(
        shrunk("ropar-vae", vae=replace(tiny, **changes), heed=changes.get("parts", True)),
        tmp_path,
        data,
        "cpu",
        1,
    )
    for _ in range(2):
        assert np.isfinite(run.one_step()["loss"])


def test_the_sensitivity_curve_trains_all_on_the_same_spoiled_data(tmp_path: Path) -> None:
    path = tmp_path / "cache.npz"
    acted.write(path, validation=True)
    presets = {n: f"{n}-tiny" for n in ("ropar-vae", "ropar", "mogents-vq", "mogents")}
    shares = (1.0, 0.6)
    one = Kept(tmp_path / "kept", ["60 MoGenTS"])
    assert not ablate_ropar.credible(path, 2, 1, "32", shares, presets, kept=one), "nothing is measured"
    (apart,) = (tmp_path / "kept").glob("*.pt")
    before = apart.stat().st_mtime_ns
    rows = ablate_ropar.credible(path, 2, 1, "32", shares, presets, most=8, size=4, kept=Kept(tmp_path / "kept"))
    assert apart.stat().st_mtime_ns == before, "what is there is not trained again"
    assert len(list((tmp_path / "kept").glob("*.pt"))) == len(rows)
    assert [(r["credible_percent"], r["row"]) for r in rows] == [
        (100, "RoPAR"), (100, "MoGenTS"), (60, "RoPAR"), (60, "MoGenTS"), (60, "RoPAR, confidence not heeded"),
    ]  # fmt: skip
    assert all(r["motions"] == 8 and np.isfinite([r["R@1"], r["KID"], r["skating"]]).all() for r in rows)
    assert len({r["truth R@1"] for r in rows}) == 1, "measured on what is not spoiled"
