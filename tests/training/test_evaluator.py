"""The motion-text evaluator: what it sees, what counts as the same, and that it learns to tell acts apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import WeightsError
from blender_addon.motion.skeleton import canonical
from tests.motion.strategies import seeds
from tests.training.acted import ACTS, act, captioned
from training import captions, evaluator, train_evaluator
from training.captions import alike, collect
from training.evaluator import Evaluator, Shape
from training.train_evaluator import Settings, contrast

TINY = Shape(width=24, rounds=1, heads=2, hidden=32, patch=4, text_hidden=32, space=16, dropout=0.0)


@pytest.fixture(scope="module")
def trained() -> Evaluator:
    settings = Settings(batch=32, steps=60, rate=4e-3)
    return train_evaluator.train(captioned(), TINY, 0, settings)


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(sorted(ACTS)), st.floats(-3.1, 3.1), st.floats(0.5, 2))
def test_place_heading_and_size_make_no_difference(seed: int, name: str, yaw: float, size: float) -> None:
    clip = act(name, seed % 100, 20)
    turn = rotations.from_axis_angle([0, yaw, 0])
    turned = clip.rotations.copy()
    turned[:, 0] = rotations.multiply(turn, turned[:, 0])
    root = size * (rotations.rotate(turn, clip.root_positions) + [3.0, 0, -2])
    moved = Clip(canonical(size * clip.skeleton.offsets), turned, root)
    a, b = (evaluator.padded([c])[0] for c in (clip, moved))
    assert torch.allclose(a, b, atol=2e-4)


def test_described_are_way_turning_and_height() -> None:
    ahead, _ = evaluator.padded([act("walks forward", 0, 30)])
    scale = act("walks forward", 0, 30).skeleton.offsets[0, 1]
    assert ahead.shape == (1, 30, evaluator.CHANNELS)
    assert float(ahead[0, :, 0].mean()) == pytest.approx(1, abs=0.05), "pelvis height, hip heights"
    assert 0.8 / 30 < float(ahead[0, 1:, 2].mean()) * scale < 1.2 / 30, "metres a frame, to the front"
    left, _ = evaluator.padded([act("turns left", 0, 30)])
    right, _ = evaluator.padded([act("turns right", 0, 30)])
    assert float(left[0, :, 3].mean()) > 0.02 > -0.02 > float(right[0, :, 3].mean())


def test_what_stands_beside_a_clip_does_not_change_it(trained: Evaluator) -> None:
    clips = [act("turns left", 1, 23), act("walks forward", 2, 90), act("turns right", 3, 41)]
    together = trained.clips(clips)
    alone = np.concatenate([trained.clips([c]) for c in clips])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 4.0, rtol=1e-5)  # sqrt(16)
    with pytest.raises(ValueError, match="25"):
        trained.clips([replace(clips[0], fps=25.0)])


def test_it_learns_to_tell_acts_apart_and_left_from_right(trained: Evaluator) -> None:
    cache = captioned()
    held = collect(cache, cache.select("takes"))
    texts = trained.sentences(cache.embeddings[[s.texts[1] for s in held]])
    motions = trained.clips([s.clip(cache) for s in held])
    nearest = ((motions[:, None] - texts) ** 2).sum(-1).argmin(1)
    assert (nearest == np.arange(len(ACTS))).mean() >= 0.75
    mirrored = [s for s in collect(cache, cache.select("takes"), mirrored=True) if s.mirrored]
    motions = trained.clips([s.clip(cache) for s in mirrored])
    chosen = [held[i].meaning for i in ((motions[:, None] - texts) ** 2).sum(-1).argmin(1)]
    assert np.mean([c == s.meaning for c, s in zip(chosen, mirrored, strict=True)]) >= 0.75


def test_contrast_by_hand_and_without_false_negatives() -> None:
    motion = torch.tensor([[1.0, 0.0], [0.0, 1.0]]) * 2**0.5
    none = torch.eye(2, dtype=torch.bool)
    found = contrast(motion, motion, none, 1.0)
    assert float(found) == pytest.approx(np.log(1 + np.exp(-1.0)))
    same = torch.ones(2, 2, dtype=torch.bool)
    assert float(contrast(motion, motion, same, 1.0)) == pytest.approx(0)


class TestAlike:
    def test_a_source_of_names_goes_by_meaning_and_others_by_similarity(self) -> None:
        cache = captioned()
        said = collect(cache, cache.entries)
        first = {cache.texts[s.meaning]: s for s in said}
        walk, left, right = (first[f"a person {n}"] for n in ("walks forward", "turns left", "turns right"))
        ahead = first["walking ahead"]
        items = [walk, left, right, ahead]
        texts = [s.texts[0] for s in items]
        found = alike(cache, items, texts, items, texts)
        assert found.diagonal().all()
        assert not found[1, 2], "left and right are near in words, and different"
        assert found[0, 3], "another source's words for the same"
        assert not found[0, 1]
        assert (found == found.T).all()
        assert alike(cache, [], [], items, texts).shape == (0, 4)

    def test_mirror_images_say_the_other_side(self) -> None:
        cache = captioned()
        plain, mirrored = collect(cache, cache.select("takes"), mirrored=True)[8:10]
        assert not plain.mirrored
        assert mirrored.mirrored
        for a, b in zip(plain.texts, mirrored.texts, strict=True):
            assert cache.texts[b] == cache.texts[a].replace("left", "RIGHT").replace("right", "left").replace(
                "RIGHT", "right"
            )
        assert plain.clip(cache).mirror(tuple(range(22))) is not None
        x, y = plain.clip(cache), mirrored.clip(cache)
        np.testing.assert_allclose(x.root_positions * [-1, 1, 1], y.root_positions)

    def test_stretches_are_separate_and_short_ones_left_out(self) -> None:
        cache = captioned()
        entry = next(e for e in cache.entries if e.source == "cmu")
        assert [(s.start, s.stop) for s in collect(cache, [entry])] == [(0, 60), (10, 50)]
        assert [(s.start, s.stop) for s in collect(cache, [entry], shortest=50)] == [(0, 60)]
        assert len(collect(cache, [entry])[1].clip(cache)) == 40
        assert captions.collect(cache, []) == []


def test_a_file_gives_the_same_evaluator_and_others_are_refused(trained: Evaluator, tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    evaluator.save(path, trained, {"seed": 0})
    again = evaluator.load(path)
    assert again.shape == TINY
    clips = [act("turns left", 1, 23)]
    np.testing.assert_allclose(again.clips(clips), trained.clips(clips), atol=0.02)
    path.write_bytes(b"something else")
    with pytest.raises(WeightsError, match="no evaluator"):
        evaluator.load(path)


def test_nothing_to_train_on_is_said() -> None:
    with pytest.raises(ValueError, match="no captioned"):
        train_evaluator.train(captioned(), TINY, 0, Settings(), [])


def test_the_two_that_come_along_are_of_different_shapes_and_small() -> None:
    from importlib.resources import files

    found = {name: evaluator.installed(name) for name in evaluator.SHAPES}
    assert (
        found["choose"].shape
        == evaluator.SHAPES["choose"]
        != found["report"].shape
        == evaluator.SHAPES["report"]
    )
    for name, network in found.items():
        assert Path(str(files("training").joinpath("evaluators", f"{name}.safetensors"))).stat().st_size < 3e6
        turns = network.clips([act("turns left", 5, 80), act("turns right", 5, 80)])
        assert np.isfinite(turns).all()
        assert np.linalg.norm(turns[0] - turns[1]) > 0.5, "left and right lie apart"
