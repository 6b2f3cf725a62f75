"""Feet larger than the source's tilt less near the floor; nothing else turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.motion import contacts, large_feet, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.skeleton import CANONICAL, INDEX, PARENTS, Skeleton, canonical
from tests.motion.walking import walk

ANKLE = INDEX["left_ankle"]
PITCH = st.floats(-1.2, 1.4)


def with_feet(times: float) -> Skeleton:
    """The canonical skeleton with feet so much longer."""
    o = np.array(CANONICAL.offsets)
    for side in contacts.SIDES:
        o[INDEX[f"{side}_foot"], 2] *= times
    return canonical(o)


def pitched(angle: float, raised: float = 0.0, times: float = 3.0) -> Clip:
    """Stands with the left foot's toes turned down by an angle, and all of it higher."""
    clip = rest_clip(2)
    local = clip.rotations.copy()
    local[:, ANKLE] = rotations.from_axis_angle(np.array([angle, 0.0, 0.0]))
    return replace(clip, skeleton=with_feet(times), rotations=local,
                   root_positions=clip.root_positions + np.array([0.0, raised, 0.0]))  # fmt: skip


def down(clip: Clip) -> float:
    """By how much the left foot is turned down from where it stands flat."""
    q, _ = clip.forward()
    ahead = rotations.rotate(q[0, ANKLE], np.array([0.0, 0.0, 1.0]))
    return float(np.arctan2(-ahead[1], ahead[2]))


def test_feet_like_the_source_s_stay_untouched() -> None:
    clip = pitched(0.5, times=1.1)
    assert large_feet.levelled(clip, CANONICAL) is clip
    assert large_feet.levelled(pitched(0.5), with_feet(3.0)) is not None
    assert len(large_feet.levelled(pitched(0.5).slice(0, 0), CANONICAL)) == 0


@given(PITCH)
def test_pitch_beyond_flat_is_scaled_and_all_else_keeps_its_orientation(angle: float) -> None:
    clip = pitched(angle)
    share = large_feet.ALIKE * large_feet.size(CANONICAL) / large_feet.size(clip.skeleton)
    assert 0 < share < 1
    out = large_feet.levelled(clip, CANONICAL)
    off = contacts.sole_offsets(clip.skeleton)[0, 1]
    steep = np.pi / 2 - np.arctan2(-off[1], np.hypot(off[0], off[2]))
    if angle < steep:  # farther, and the ball points back under the ankle
        assert down(out) == pytest.approx(angle if angle <= 0 else share * angle, abs=2e-3)
    q, _ = clip.forward()
    after, _ = out.forward()
    others = [j for j in range(len(PARENTS)) if j != ANKLE]
    assert rotations.angle_between(q[:, others], after[:, others]).max() < 1e-6


def test_a_foot_in_the_air_may_point_as_it_does() -> None:
    clip = pitched(0.8, raised=1.0)
    assert down(large_feet.levelled(clip, CANONICAL)) == pytest.approx(0.8)
    lower = [down(large_feet.levelled(pitched(0.8, raised=h), CANONICAL)) for h in (0.0, 0.35, 0.45, 0.55)]
    assert lower == sorted(lower)


@given(st.floats(-np.pi, np.pi), PITCH, st.floats(-0.5, 0.5), st.floats(0.1, 0.9))
def test_a_foot_is_never_raised_beyond_flat_nor_turned_aside(
    heading: float, pitch: float, roll: float, share: float
) -> None:
    flat = np.array([0.0, -0.1, 0.15])
    parts = [rotations.from_axis_angle(np.array(v)) for v in ((0, heading, 0), (pitch, 0, 0), (0, 0, roll))]
    turn = rotations.multiply(rotations.multiply(parts[0], parts[1]), parts[2])
    ball = rotations.rotate(turn, flat)[None]
    out = rotations.rotate(rotations.from_axis_angle(large_feet.raised(ball, flat, share)), ball)
    before, after, stands = (np.arcsin(-v[..., 1] / np.linalg.norm(flat)) for v in (ball, out, flat))
    wanted = before if before <= stands else stands + share * (before - stands)
    assert after == pytest.approx(wanted, abs=1e-6)
    (x, z), (u, w) = ball[0, [0, 2]], out[0, [0, 2]]
    assert x * w - z * u == pytest.approx(0, abs=1e-9)


def test_a_walk_on_large_feet_is_smooth() -> None:
    clip, _ = walk(steps=4)
    clip = replace(clip, skeleton=with_feet(3.0))
    out = large_feet.levelled(clip, CANONICAL)
    q, r = clip.forward()[0][:, ANKLE], out.forward()[0][:, ANKLE]
    turned = [rotations.angle_between(x[1:], x[:-1]).max() for x in (q, r)]
    assert turned[1] <= 1.5 * turned[0] + 1e-6
