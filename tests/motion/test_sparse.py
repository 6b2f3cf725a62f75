"""Sparse keys stay within the tolerance, whatever the motion, and are few where it is smooth."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import kinematics, rotations, sparse, sparse_body

T = TypeVar("T")
FEW = settings(max_examples=25, deadline=None)


def steps(seed: int, count: int, channels: int, smooth: int) -> np.ndarray:
    """A random walk, smoothed over some frames."""
    rng = np.random.default_rng(seed)
    out = rng.normal(size=(count + smooth, channels)).cumsum(0) * 0.1
    kernel = np.ones(smooth + 1) / (smooth + 1)
    return np.stack([np.convolve(c, kernel, "valid") for c in out.T], -1)


def result(made: Generator[float, None, T]) -> T:
    while True:
        try:
            next(made)
        except StopIteration as end:
            return end.value


def alone(
    values: np.ndarray, fixed: np.ndarray, kind: Callable[[float], sparse.Deviation], allowed: float
) -> tuple[np.ndarray, sparse.Curve]:
    """What becomes of channels that move no joint: values at all frames, and the curve."""
    frames = np.arange(len(values), dtype=float)
    nothing = np.zeros((len(values), 0))
    body = sparse_body.Body(frames, 30.0, np.zeros(0, int), nothing[..., None], nothing[..., None], 1.0)
    curve = result(sparse_body.reduced(body, [sparse_body.Group(values, fixed, kind, allowed)]))[0]
    return sparse.sampled(frames, curve), curve


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(0, 20), st.floats(0.05, 20.0))
def test_rotations_stay_within_the_tolerance(seed: int, count: int, smooth: int, degrees: float) -> None:
    values = steps(seed, count, 4, smooth) + (5, 0, 0, 0)
    values = rotations.continuous(rotations.normalize(values))
    fixed = np.random.default_rng(seed).random(count) < 0.1
    made, curve = alone(values, fixed, sparse.quaternions, degrees)
    assert np.isin(np.flatnonzero(fixed), curve.at).all()
    assert (curve.at[0], curve.at[-1]) == (0, count - 1)
    assert (made[fixed] == values[fixed]).all()
    off = np.degrees(rotations.angle_between(rotations.normalize(made), values))
    assert off.max() <= degrees + 1e-6


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(2, 120), st.integers(1, 3), st.floats(1e-4, 1.0))
def test_places_and_angles_stay_within_the_tolerance(seed: int, count: int, channels: int, allowed: float) -> None:
    values, none = steps(seed, count, channels, 3), np.zeros(count, bool)
    made, _ = alone(values, none, sparse.places, allowed)
    assert np.linalg.norm(made - values, axis=-1).max() <= allowed
    made, _ = alone(values, none, sparse.angles, np.degrees(allowed))
    assert np.abs(made - values).sum(-1).max() <= allowed


@FEW
@given(st.floats(-1, 1), st.floats(-0.1, 0.1))
def test_a_straight_line_needs_two_keys(start: float, slope: float) -> None:
    values = start + slope * np.arange(50.0)[:, None]
    _, curve = alone(values, np.zeros(50, bool), sparse.places, 1e-6)
    assert len(curve.at) <= 4  # strides are not of every length


def test_a_swing_needs_few_keys_and_noise_needs_all() -> None:
    frames = np.arange(121.0)
    swing = np.radians(20) * np.sin(2 * np.pi * frames / 30)[:, None]  # an arm of a walk, 30 frames a cycle
    none = np.zeros(121, bool)
    assert len(alone(swing, none, sparse.angles, 1.0)[1].at) < 0.15 * 121
    noise = np.random.default_rng(0).normal(size=(121, 1))
    assert len(alone(noise, none, sparse.angles, 1.0)[1].at) > 0.9 * 121


def test_a_long_motion_has_no_corner_where_its_blocks_meet() -> None:
    values = steps(3, 3 * sparse_body.BLOCK, 3, 12)
    made, curve = alone(values, np.zeros(len(values), bool), sparse.places, 0.05)
    assert np.linalg.norm(made - values, axis=-1).max() <= 0.05
    assert len(curve.at) < 0.3 * len(values)
    assert (np.diff(curve.at) > 0).all()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 300), st.floats(0.002, 0.05))
def test_joints_are_where_they_were_and_nearer_where_they_stand(seed: int, count: int, metres: float) -> None:
    # a chain whose root moves: turns add up; it stands still in the middle third
    frames, joints = np.arange(count, dtype=float), 5
    still = np.clip(np.minimum(frames, count - frames), 0, count / 3)  # the clock of the motion
    path = steps(seed, count, 3 * joints + 3, 12)
    path = np.stack([np.interp(still, frames, c) for c in path.T], -1)
    local = rotations.from_axis_angle(path[:, : 3 * joints].reshape(count, joints, 3) * 0.5)
    local = np.stack([rotations.continuous(local[:, j]) for j in range(joints)], 1)
    places = np.tile(np.array([0.0, 0.4, 0.0]), (count, joints, 1))
    places[:, 0] = path[:, -3:]
    parents, none = np.arange(joints) - 1, np.zeros(count, bool)
    body = sparse_body.Body(frames, 30.0, parents, local, places, metres)
    groups = [sparse_body.Group(local[:, j], none, sparse.quaternions, 3.0, j, lambda v, _: rotations.normalize(v))
              for j in range(joints)]  # fmt: skip
    groups.append(sparse_body.Group(places[:, 0], none, sparse.places, metres, 0, lambda v, _: v, True))
    curves = result(sparse_body.reduced(body, groups))
    made = [sparse.sampled(frames, curve) for curve in curves]
    now = places.copy()
    now[:, 0] = made[-1]
    turned = np.stack([rotations.normalize(m) for m in made[:-1]], 1)
    at, before = (kinematics.forward(parents, q, p)[1] for q, p in ((turned, now), (local, places)))
    off = np.linalg.norm(at - before, axis=-1)
    assert off.max() <= metres
    assert np.degrees(rotations.angle_between(turned, local)).max() <= 3.0
    speed = np.linalg.norm(np.gradient(before, axis=0), axis=-1) * 30
    stands = speed == 0
    assert (off[stands] <= metres * sparse_body.NEARER).all()
