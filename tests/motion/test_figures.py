"""Stick figures of clips: places as forward kinematics has them, and what is joined to what."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.figures import figure, window
from blender_addon.motion.skeleton import Skeleton


def clip(seed: int, frames: int = 5) -> Clip:
    """A root, an unnamed middle, two limbs; random turns."""
    rng = np.random.default_rng(seed)
    offsets = rng.normal(size=(6, 3))
    tips = np.array([[0, 0.1 * (j + 1), 0] for j in range(6)])
    skeleton = Skeleton(("ground", "hips", "twist", "knee", "hand", "prop"), np.array([-1, 0, 1, 2, 1, 4]),
                        offsets, rotations.identity(6), tips)  # fmt: skip
    turned = rotations.normalize(rng.normal(size=(frames, 6, 4)))
    return Clip(skeleton, turned, rng.normal(size=(frames, 3)), 24.0)


@given(st.integers(0, 2**32 - 1))
def test_places_are_those_of_forward_kinematics(seed: int) -> None:
    moving = clip(seed)
    found = figure(moving, ("hips", "knee", "hand"))
    q, p = moving.forward()
    for bone in ("hips", "knee", "hand"):
        np.testing.assert_allclose(found.trail(bone), p[:, moving.skeleton.index(bone)], atol=1e-5)
    for bone, end in (("knee", 3), ("hand", 4)):  # outermost: their own ends are shown
        column = next(b for a, b in found.lines if a == found.columns[bone])
        tip = p[:, end] + rotations.rotate(q[:, end], moving.skeleton.tips[end])
        np.testing.assert_allclose(found.points[:, column], tip, atol=1e-5)


def test_sticks_pass_over_bones_that_are_not_shown() -> None:
    moving = clip(1)
    found = figure(moving, ("hand", "knee", "hips", "no such bone"))
    joined = {(int(a), int(b)) for a, b in found.lines}
    hips, knee, hand = (found.columns[name] for name in ("hips", "knee", "hand"))
    assert {(hips, knee), (hips, hand)} < joined
    assert len(joined) == 4  # and the two ends; nothing leads down to the ground's bone
    sticks = found.sticks(3).reshape(-1, 2, 3)
    np.testing.assert_array_equal(sticks[0], found.points[3, found.lines[0]])
    assert len(found) == 5
    assert found.points.dtype == np.float32


def test_nothing_shown_is_nothing_drawn() -> None:
    found = figure(clip(2), ())
    assert found.points.shape == (5, 0, 3)
    assert found.sticks(0).shape == (0, 3)


def test_frames_around_the_current_one() -> None:
    assert window(10, 2, 4, 1, 60) == [2, 6, 10, 14, 18]
    assert window(3, 2, 4, 1, 8) == [3, 7]  # what lies outside the result is left out
    assert window(100, 1, 4, 1, 60) == []
