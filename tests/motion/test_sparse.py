"""Sparse keys stay within the tolerance, whatever the motion, and are few where it is smooth."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.motion import rotations, sparse


def steps(seed: int, count: int, channels: int, smooth: int) -> np.ndarray:
    """A random walk, smoothed over some frames."""
    rng = np.random.default_rng(seed)
    out = rng.normal(size=(count + smooth, channels)).cumsum(0) * 0.1
    kernel = np.ones(smooth + 1) / (smooth + 1)
    return np.stack([np.convolve(c, kernel, "valid") for c in out.T], -1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 120), st.integers(0, 20), st.floats(0.05, 20.0))
def test_rotations_stay_within_the_tolerance(seed: int, count: int, smooth: int, degrees: float) -> None:
    frames, values = np.arange(count, dtype=float), steps(seed, count, 4, smooth) + (5, 0, 0, 0)
    values = rotations.continuous(rotations.normalize(values))
    fixed = np.random.default_rng(seed).random(count) < 0.1
    keep = sparse.kept(frames, values, fixed, sparse.quaternions(degrees))
    assert keep[fixed].all()
    assert keep[0]
    assert keep[-1]
    off = np.degrees(rotations.angle_between(rotations.normalize(sparse.curve(frames, values, keep)), values))
    assert off.max() <= degrees * (1 + 1e-9) + 1e-6


@given(st.integers(0, 2**32 - 1), st.integers(2, 120), st.integers(1, 3), st.floats(1e-4, 1.0))
def test_places_and_angles_stay_within_the_tolerance(seed: int, count: int, channels: int, allowed: float) -> None:
    frames, values = np.arange(count, dtype=float), steps(seed, count, channels, 3)
    keep = sparse.kept(frames, values, np.zeros(count, bool), sparse.places(allowed))
    off = np.linalg.norm(sparse.curve(frames, values, keep) - values, axis=-1)
    assert off.max() <= allowed + 1e-9
    keep = sparse.kept(frames, values, np.zeros(count, bool), sparse.angles(np.degrees(allowed)))
    assert np.abs(sparse.curve(frames, values, keep) - values).sum(-1).max() <= allowed + 1e-9


@given(st.floats(-1, 1), st.floats(-0.1, 0.1))
def test_a_straight_line_needs_two_keys(start: float, slope: float) -> None:
    frames = np.arange(50.0)
    values = start + slope * frames[:, None]
    keep = sparse.kept(frames, values, np.zeros(50, bool), sparse.places(1e-6))
    assert keep.sum() == 2


def test_a_swing_needs_few_keys_and_noise_needs_all() -> None:
    frames = np.arange(121.0)
    swing = np.radians(20) * np.sin(2 * np.pi * frames / 30)[:, None]  # an arm of a walk, 30 frames a cycle
    none = np.zeros(121, bool)
    assert sparse.kept(frames, swing, none, sparse.angles(1.0)).mean() < 0.2
    noise = np.random.default_rng(0).normal(size=(121, 1))
    assert sparse.kept(frames, noise, none, sparse.angles(1.0)).mean() > 0.9
