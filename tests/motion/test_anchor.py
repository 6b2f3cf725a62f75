"""Anchoring: exact where it is known, and the way there without a jump."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import rotations
from blender_addon.motion.anchor import anchor
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.errors import InvalidRequestError


def random_clip(seed: int, frames: int = 30, size: float = 0.5, translations: bool = False) -> Clip:
    rng = np.random.default_rng(seed)
    rest = rest_clip(frames)
    turned = rotations.from_axis_angle(np.cumsum(rng.normal(0, size / 10, (frames, 22, 3)), 0))
    moved = rest.local_translations() + rng.normal(0, 0.02, (frames, 22, 3)) if translations else None
    root = rest.root_positions + np.cumsum(rng.normal(0, 0.02, (frames, 3)), 0)
    return Clip(rest.skeleton, turned, root, 30, moved)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 1000),
    st.lists(st.integers(0, 29), min_size=1, max_size=30, unique=True),
    st.booleans(),
    st.booleans(),
)
def test_known_frames_are_bit_for_bit(seed: int, keys: list[int], ours: bool, theirs: bool) -> None:
    a, b = random_clip(seed, translations=ours), random_clip(seed + 1, translations=theirs)
    known = np.zeros(30, bool)
    known[keys] = True
    out = anchor(a, b, known)
    assert np.array_equal(out.rotations[known], b.rotations[known]) or np.array_equal(
        np.abs(out.rotations[known]), np.abs(b.rotations[known])
    )
    assert np.array_equal(out.root_positions[known], b.root_positions[known])
    assert np.array_equal(out.local_translations()[known], b.local_translations()[known])


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_clip_that_is_right_already_stays(seed: int) -> None:
    clip = random_clip(seed)
    known = np.zeros(30, bool)
    known[[0, 11, 29]] = True
    out = anchor(clip, clip, known)
    assert rotations.angle_between(out.rotations, clip.rotations).max() < 1e-7
    assert np.allclose(out.root_positions, clip.root_positions, atol=1e-12)


def test_a_constant_difference_is_taken_away_everywhere() -> None:
    clip = random_clip(3)
    off = rotations.from_axis_angle(np.random.default_rng(0).normal(0, 0.3, (22, 3)))
    wrong = replace(
        clip, rotations=rotations.multiply(clip.rotations, off), root_positions=clip.root_positions + 0.3
    )
    known = np.zeros(30, bool)
    known[[4, 20]] = True
    out = anchor(wrong, clip, known)
    assert rotations.angle_between(out.rotations, clip.rotations).max() < 1e-6
    assert np.allclose(out.root_positions, clip.root_positions, atol=1e-12)


def test_from_a_standing_clip_it_is_plain_interpolation() -> None:
    clip = random_clip(5)
    known = np.zeros(30, bool)
    known[[0, 29]] = True
    out = anchor(clip.sample(np.zeros(30)), clip, known)
    t = np.broadcast_to((np.arange(30) / 29)[:, None], (30, 22))
    expected = rotations.slerp(clip.rotations[[0] * 30], clip.rotations[[29] * 30], t)
    assert rotations.angle_between(out.rotations, expected).max() < 1e-6


@pytest.mark.parametrize("known", [np.zeros(30, bool), np.ones(29, bool)])
def test_refused(known: np.ndarray) -> None:
    with pytest.raises(InvalidRequestError):
        anchor(random_clip(0), random_clip(1), known)
