"""The dynamic masking strategy: its three equations by hand, and what is drawn by them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion.skeleton import INDEX, JOINTS
from tests.training.material import swinging
from training import steering

SEEDS = st.integers(0, 2**32 - 1)
HAND, HEAD = INDEX["right_wrist"], INDEX["head"]


def waving(frames: int = 40) -> np.ndarray:
    """All joints stand; the hand moves in the second half, the head a little throughout. ``(T, 22, 3)``."""
    out = np.zeros((frames, len(JOINTS), 3))
    out[frames // 2 :, HAND, 0] = 0.1 * np.arange(frames - frames // 2)
    out[:, HEAD, 1] = 0.01 * np.arange(frames)
    return out


def test_equations_by_hand() -> None:
    p = np.array([[[0.0, 0, 0], [0, 0, 0]], [[3, 4, 0], [0, 0, 1]], [[3, 4, 0], [0, 0, 4]]])
    assert steering.amplitude(p).tolist() == [2.5, 2.0]
    assert steering.retention(steering.amplitude(p)).tolist() == pytest.approx([2.5 / 4.5, 2.0 / 4.5])
    assert steering.frame_weights(p).tolist() == pytest.approx([6 / 15, 6 / 15, 3 / 15])
    assert steering.frame_weights(p[:, :1]).tolist() == pytest.approx([0.5, 0.5, 0])
    still = np.zeros((5, 4, 3))
    assert steering.retention(steering.amplitude(still)).tolist() == [0.25] * 4
    assert steering.frame_weights(still).tolist() == [0.2] * 5
    assert steering.amplitude(p[:1]).tolist() == [0, 0]
    assert steering.frame_weights(p[:1]).tolist() == [1]


@given(SEEDS, st.integers(1, 60), st.sampled_from(sorted(steering.STRATEGIES)))
@settings(max_examples=80, deadline=None)
def test_one_to_three_joints_at_the_same_frames(seed: int, frames: int, strategy: str) -> None:
    positions = swinging(seed % 7, frames).positions()
    some = [0, HAND, HEAD, INDEX["left_foot"]]
    out = steering.steered(np.random.default_rng(seed), positions, strategy, some)
    assert out.shape == (frames, len(JOINTS))
    joints = np.flatnonzero(out.any(0))
    assert 1 <= len(joints) <= 3
    assert set(joints) <= set(some)
    assert (out[:, joints] == out[:, joints[:1]]).all()
    again = steering.steered(np.random.default_rng(seed), positions, strategy, some)
    assert np.array_equal(out, again)


def drawn(strategy: str, uniform: float = 0.0) -> np.ndarray:
    """How often each joint steers at each frame of the waving figure. ``(T, 22)``."""
    return np.mean([steering.steered(np.random.default_rng(k), waving(), strategy, uniform=uniform)
                    for k in range(400)], axis=0)  # fmt: skip


def test_what_moves_far_steers_when_it_moves() -> None:
    far = drawn("dms")
    assert far[:, HAND].sum() > 2 * far[:, INDEX["left_knee"]].sum()
    assert far[21:, HAND].mean() > 2 * far[:20, HAND].mean()
    even = drawn("uniform")
    assert (np.abs(even.sum(0) / even.sum(0).mean() - 1) < 0.7).all()
    assert drawn("without time")[:20, HAND].mean() > 2 * far[:20, HAND].mean()
    away = drawn("masking large")
    assert away[:, HAND].sum() < 0.5 * even[:, HAND].sum()
    rest = drawn("masking moderate")
    assert rest[:, HAND].sum() > rest[:, INDEX["left_knee"]].sum()
    some = drawn("dms", uniform=0.5)
    assert some[:, INDEX["left_knee"]].sum() > 1.5 * far[:, INDEX["left_knee"]].sum() * 0.5


def test_from_one_frame_to_all() -> None:
    counts = [steering.steered(np.random.default_rng(k), waving()).any(1).sum() for k in range(300)]
    assert min(counts) == 1
    assert max(counts) == 40
    assert np.median(counts) < 12, "pins are asked for more often than paths"
