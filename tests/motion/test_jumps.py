"""Thrown frames are found and mended, and motion is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.motion import jumps
from tests.motion.walking import walk

HIP = 0.93


@pytest.mark.parametrize("at", [0, 20, 43])
def test_three_frames_a_metre_away_are_mended(at: int) -> None:
    clip, _ = walk(steps=3)
    root = clip.root_positions.copy()
    root[at : at + 3] -= [0.0, 1.0, 0.0]
    out, count = jumps.mended(replace(clip, root_positions=root), HIP)
    assert count == 3
    assert np.abs(out.root_positions - clip.root_positions).max() < 0.15
    kept = np.ones(len(clip), bool)
    kept[at : at + 3] = False
    np.testing.assert_array_equal(out.rotations[kept], clip.rotations[kept])
    np.testing.assert_array_equal(out.root_positions[kept], clip.root_positions[kept])


@given(st.floats(0, 12), st.floats(24, 480))
def test_motion_that_bodies_can_do_is_no_jump(speed: float, fps: float) -> None:
    places = np.arange(50)[:, None] * np.array([speed, 0.0, speed]) / fps
    assert not jumps.thrown(places, fps, HIP).any()


def test_a_cut_to_another_place_stays() -> None:
    clip, _ = walk(steps=6)
    root = clip.root_positions.copy()
    root[40:] += [3.0, 0.0, 0.0]
    cut = replace(clip, root_positions=root)
    assert jumps.mended(cut, HIP) == (cut, 0)
