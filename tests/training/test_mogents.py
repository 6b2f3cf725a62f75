"""MoGenTS' two stages: what is learnt, from which captions, behind which masks; and that it becomes a system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import features, tasks
from backend.nn.quantiser import TOKENS
from backend.systems.mogents import MoGenTS
from blender_addon.motion import constraints
from blender_addon.motion.clip import rest_clip
from blender_addon.motion.skeleton import MIRROR
from tests.training.material import shrunk, swinging
from training import export
from training.captioned import Sentences, Stretches
from training.objectives import mogents, mogents_vq
from training.prepare import cache
from training.train import Run, averaged, train

TEXTS = ("a person waves the left hand", "a person waves the right hand", "a person bows")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with captions: long, short, and none."""
    clips = [swinging(n, frames) for n, frames in enumerate((90, 40, 20, 60, 90, 40))]
    spoken = ([(0, 0, 90)], [(2, 0, 40)], [(1, 0, 20)], [], [(0, 0, 90)], [(2, 0, 40)])
    rows = [
        {"name": f"clip {n}", "source": "cmu", "group": str(n), "split": split, "captions": captions}
        for n, (captions, split) in enumerate(zip(spoken, ["train"] * 4 + ["validation"] * 2, strict=True))
    ]
    vectors = np.random.default_rng(0).normal(size=(3, 384)).astype(np.float16)
    path = tmp_path_factory.mktemp("said") / "cache.npz"
    cache.save(path, clips, rows, cache.Texts(TEXTS, vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
                                              np.array([1, 0, 2])))  # fmt: skip
    return path


@pytest.fixture(scope="module")
def checkpoint(said: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages, a few steps each."""
    folder = tmp_path_factory.mktemp("runs")
    train(shrunk("mogents-vq"), folder / "vq", said, device="cpu", threads=1)
    train(shrunk("mogents"), folder / "mt", said, start=folder / "vq" / "last.pt", device="cpu", threads=1)
    return folder / "mt" / "last.pt"


def test_mirrored_stretches_have_their_mirrored_sentences(said: Path) -> None:
    data = cache.load(said)
    stretches = Stretches(data, data.select("train"), {"cmu": 1.0}, 48, 64)
    seen = set()
    for seed in range(40):
        for frames in stretches.buckets:
            window, (text,) = stretches.batch([np.random.default_rng(seed)], frames)
            drawn = window.rotations[0][window.valid[0]].numpy()
            for entry in data.select("train"):
                own = data.rotations[entry.start : entry.start + entry.length]
                other = own[:, MIRROR] * np.array([1, 1, -1, -1], np.float32)
                for side, turned in ((1, own), (-1, other)):
                    starts = range(len(turned) - len(drawn) + 1)
                    if not any(np.array_equal(turned[k : k + len(drawn)], drawn) for k in starts):
                        continue
                    if not entry.captions:
                        assert text is None
                        continue
                    asked = entry.captions[0].text
                    assert text == (asked if side == 1 else int(data.mirrored[asked]))
                    seen.add((asked, side))
    assert {(0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)} <= seen


def test_words_come_first_and_the_sentence_last(said: Path) -> None:
    data = cache.load(said)
    words = [np.full((n, 384), n, np.float16) for n in (2, 3, 1)]
    vectors, there = Sentences.of(words, data.embeddings).batch([1, None, 2])
    assert there.sum(1).tolist() == [4, 0, 2]
    assert (vectors[0, :3] == 3).all()
    assert torch.allclose(vectors[2, 1], torch.from_numpy(data.embeddings[2].astype(np.float32)))
    assert not vectors[1].any()


@given(st.integers(1, 12), st.integers(0, 3), st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_masks_hide_something_and_nothing_that_has_ended(frames: int, padding: int, seed: int) -> None:
    valid = torch.tensor([[True] * frames + [False] * padding])
    hidden = mogents.mask(valid, np.random.default_rng(seed), torch.Generator().manual_seed(seed))
    assert hidden.shape == (1, frames + padding, TOKENS)
    assert hidden.any()
    assert not hidden[0, frames:].any()


def test_the_quantiser_has_to_be_trained_first(said: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--from"):
        Run(shrunk("mogents"), tmp_path, said, "cpu", 1).one_step()


def test_the_second_stage_leaves_the_quantiser_as_it_was(checkpoint: Path) -> None:
    _, first = averaged(checkpoint.parents[1] / "vq" / "last.pt")
    _, both = averaged(checkpoint)
    old, new = first.state_dict(), both.state_dict()
    assert all(torch.equal(old[k], new[k]) for k in old)
    assert any(k.startswith("masked.") for k in new)


def test_both_stages_learn(said: Path, tmp_path: Path) -> None:
    few = {"steps": 60, "rate": 4e-3, "warmup": 5, "long_share": 0.0, "ema": 0.9}
    losses = {}
    run: Run
    for preset in ("mogents-vq", "mogents"):
        run = Run(shrunk(preset, **few), tmp_path / preset, said, "cpu", 1)
        if preset == "mogents":
            run.start_from(tmp_path / "vq.pt")
        found = [run.one_step()["loss"] for _ in range(60)]
        losses[preset] = np.mean(found[:5]), np.mean(found[-5:])
        run.save(tmp_path / "vq.pt")
        assert all(np.isfinite(list(run.validate().values())))
    assert losses["mogents-vq"][1] < 0.8 * losses["mogents-vq"][0]
    assert losses["mogents"][1] < 0.9 * losses["mogents"][0]


def test_errors_are_none_where_nothing_differs(said: Path) -> None:
    data = cache.load(said)
    stretches = Stretches(data, data.select("train"), {"cmu": 1.0}, 48, 64)
    raw, _ = stretches.batch([np.random.default_rng(n) for n in range(3)], 48)
    x, truth = mogents_vq.whole(raw)
    found = mogents_vq.errors(truth.channels, x, truth)
    contact = found.pop("contact")
    assert all(float(v) < 1e-5 for v in found.values())
    moved = truth.channels + features.spread(torch.zeros(1, 1, TOKENS).index_fill(2, torch.tensor([22]), 0.1))
    assert abs(float(mogents_vq.errors(moved, x, truth)["place"]) - 0.1) < 1e-5
    assert float(contact) >= 0


def test_a_checkpoint_becomes_a_system_that_knows_its_prompts(said: Path, checkpoint: Path) -> None:
    config, network = averaged(checkpoint)
    system = export.system_of(config, network, cache.load(said))
    assert isinstance(system, MoGenTS)
    entry, tensors = system.to_bundle()
    again = MoGenTS.from_bundle(entry, tensors)
    assert again.prompts is not None
    assert set(again.prompts.texts) == set(TEXTS)
    request = constraints.text(rest_clip(40, 30.0), ())
    quiet: tuple[Callable[[int, int], None], Callable[[], bool]] = (lambda a, b: None, lambda: False)
    one, two = (tasks.run(request, s, *quiet).clips[0] for s in (system, again))
    assert np.array_equal(one.rotations, two.rotations)


def test_a_first_stage_is_no_system(said: Path, checkpoint: Path) -> None:
    config, network = averaged(checkpoint.parents[1] / "vq" / "last.pt")
    with pytest.raises(ValueError, match="transformers"):
        export.system_of(replace(config), network, cache.load(said))
