"""Smoothing of observed motion: exact where it must be, better than what was given where there is noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import features, smoothing
from backend.features import J, Window
from blender_addon.motion import rotations as r
from blender_addon.motion.clip import Clip
from tests.training.material import swinging
from training.evaluation import noise

SEEDS = st.integers(0, 2**32 - 1)


def lanes(seed: int, frames: int = 48, noise_level: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A slow wave of three channels and the same with noise. ``(1, T, 1, 3)`` twice."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / 30
    clean = np.sin(t * rng.uniform(1, 3, 3) + rng.uniform(0, 6, 3))
    noisy = clean + noise_level * rng.normal(size=clean.shape)
    return torch.from_numpy(clean)[None, :, None], torch.from_numpy(noisy)[None, :, None]


@given(SEEDS, st.floats(-2, 2), st.floats(-2, 2))
@settings(max_examples=30, deadline=None)
def test_straight_lines_stay_whatever_is_trusted(seed: int, level: float, slope: float) -> None:
    rng = np.random.default_rng(seed)
    values = (level + slope * torch.arange(40, dtype=torch.float64) / 40)[None, :, None, None]
    weights = torch.from_numpy(rng.uniform(0.3, 3, (1, 40, 1)))
    line, sure = smoothing.smooth(values, weights)
    assert torch.allclose(line, values, atol=2e-3)  # the ridge levels a slope that rests on one frame
    assert (sure > 0).all()


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_noise_is_taken_off_and_what_is_left_of_it_is_known(seed: int) -> None:
    clean, noisy = lanes(seed, 96, 0.1)
    line, sure = smoothing.smooth(noisy, torch.ones(1, 96, 1, dtype=torch.float64))
    before, after = (noisy - clean).square().mean(), (line - clean)[:, 8:-8].square().mean()
    assert after < 0.4 * before
    claimed = 1 / sure[:, 8:-8].mean() / 3
    assert 0.2 < claimed / after < 5, "the variance that is left, a channel"


def test_clean_motion_is_left_nearly_as_it_is() -> None:
    clean, _ = lanes(3)
    line, _ = smoothing.smooth(clean, torch.ones(1, 48, 1, dtype=torch.float64))
    assert (line - clean).abs().max() < 2e-3


def test_values_without_weight_come_from_those_around_them() -> None:
    clean, _ = lanes(5)
    broken, weights = clean.clone(), torch.ones(1, 48, 1, dtype=torch.float64)
    broken[:, 20:23], weights[:, 20:23] = 50.0, 0.0
    line, sure = smoothing.smooth(broken, weights)
    assert (line - clean)[:, 20:23].abs().max() < 0.1
    nothing, sure = smoothing.smooth(broken, torch.zeros_like(weights))
    assert torch.equal(nothing, broken)
    assert (sure == 0).all()


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_fused_rotations_lie_between_what_they_come_from(seed: int) -> None:
    rng = np.random.default_rng(seed)
    q = torch.from_numpy(r.normalize(rng.normal(size=(6, 4))))
    true = features.to_matrix(q)
    bones = torch.from_numpy(rng.normal(size=(6, 2, 3)))
    places = torch.einsum("bij,bnj->bni", true, bones)
    off = true @ features.to_matrix(torch.from_numpy(r.from_axis_angle(0.3 * rng.normal(size=(6, 3)))))
    one, zero = torch.ones(6, dtype=q.dtype), torch.zeros(6, 3, dtype=q.dtype)
    only_places = smoothing.fuse(0 * one, off, torch.ones(6, 2, dtype=q.dtype), bones, places, zero)
    assert torch.allclose(only_places, true, atol=1e-8)
    only_turn = smoothing.fuse(one, off, torch.zeros(6, 2, dtype=q.dtype), bones, places, zero)
    assert torch.allclose(only_turn, off, atol=1e-8)
    both = smoothing.fuse(one, off, torch.ones(6, 2, dtype=q.dtype), bones, places, zero)
    error = lambda m: (m - true).norm(dim=(-2, -1))  # noqa: E731
    assert (error(both) <= error(off) + 1e-9).all()
    assert torch.allclose(torch.linalg.det(both), one)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_matrices_and_quaternions_are_each_others_inverse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = np.concatenate((np.eye(3), r.normalize(rng.normal(size=(5, 3)))))
    angles = [0.0, 1e-5, 1.0, math.pi - 1e-7, math.pi]
    q = torch.from_numpy(np.concatenate([r.from_axis_angle(a * axes) for a in angles]))
    back = features.quaternion(features.to_matrix(q))
    assert (1 - (q * back).sum(-1).abs()).abs().max() < 1e-12


# -- whole windows -----------------------------------------------------------------------------------


def window(clip: Clip, confidence: float, known: np.ndarray | None = None) -> Window:
    """A clip as one observed window."""
    n = len(clip)
    t = lambda x: torch.as_tensor(np.array(x))[None]  # noqa: E731
    turned = torch.zeros(1, n, J, dtype=torch.bool) if known is None else t(known)
    return Window(
        t(clip.rotations).float(), t(clip.root_positions).float(), t(clip.skeleton.offsets).float(), turned,
        turned[..., 0], torch.ones(1, n, dtype=torch.bool), torch.full((1, n, J), confidence),
        torch.full((1, n), confidence),
    )  # fmt: skip


def smoothed(given: Window) -> Window:
    turned, placed = given.trust()
    return features.smoothed(given, torch.cat((turned, placed[..., None]), -1))


def error(found: Window, truth: Clip) -> float:
    """Mean joint error in metres."""
    places = features.forward_kinematics(features.to_matrix(found.rotations), found.root, found.offsets)[1]
    return float((places[0] - torch.from_numpy(truth.positions()).float()).norm(dim=-1).mean())


@pytest.mark.parametrize("kind", ["rotations 1 cm", "rotations 5 cm", "positions 1 cm", "positions 5 cm"])
def test_both_kinds_of_noise_are_halved(kind: str) -> None:
    truth = swinging(3, 64)
    noisy = window(noise.NOISES[kind](truth, np.random.default_rng(0)), 0.5)
    assert error(smoothed(noisy), truth) < 0.55 * error(noisy, truth)


def test_what_is_known_or_not_observed_is_kept_to_the_bit() -> None:
    truth = swinging(4, 40)
    noisy = noise.NOISES["rotations 5 cm"](truth, np.random.default_rng(0))
    known = np.random.default_rng(1).random((40, J)) < 0.3
    given = window(noisy, 0.5, known)
    out = smoothed(given)
    assert torch.equal(out.rotations[given.rotation_known], given.rotations[given.rotation_known])
    assert torch.equal(out.root[given.root_known], given.root[given.root_known])
    assert not torch.equal(out.rotations, given.rotations)
    nothing = window(noisy, 0.0, known)
    assert smoothed(nothing) is nothing


def test_rows_do_not_see_each_other_nor_what_is_padding() -> None:
    truth = swinging(5, 40)
    noisy = window(noise.NOISES["positions 5 cm"](truth, np.random.default_rng(0)), 0.5)
    alone = smoothed(noisy)
    names = ("rotations", "root", "rotation_known", "root_known", "confidence", "root_confidence")
    junk = {name: torch.cat((getattr(noisy, name), getattr(noisy, name).flip(1)), 1) for name in names}
    longer = Window(**junk, offsets=noisy.offsets, valid=torch.arange(80)[None] < 40)
    assert torch.allclose(smoothed(longer).rotations[:, :40], alone.rotations, atol=2e-3)
