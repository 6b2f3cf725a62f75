"""Slerp beyond its ends, and what the amount promises: its ends, its direction, and agreement where both agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blender_addon.motion import blending, rotations
from tests.motion.strategies import quaternions, vectors

amounts = st.floats(-0.5, blending.MOST)
HALF_TURN = np.pi - 1e-4
"""Nearer to a half turn both ways are short, and the smallest error decides between them."""


def carried_on(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """The definition: turn from ``a`` by ``t`` times the rotation vector that leads to ``b``."""
    way = rotations.to_axis_angle(rotations.multiply(rotations.inverse(a), b))
    return rotations.multiply(a, rotations.from_axis_angle(t * way))


@given(quaternions(), quaternions(), amounts)
def test_slerp_goes_on_along_the_same_arc(a, b, t):
    assume(rotations.angle_between(a, b) < HALF_TURN)
    found = rotations.slerp(a, b, t)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-12)
    assert rotations.angle_between(found, carried_on(a, b, t)) < 1e-6


@given(quaternions(), quaternions(), amounts, st.sampled_from((1, -1)), st.sampled_from((1, -1)))
def test_signs_change_no_rotation_and_the_models_half_space_is_kept(a, b, t, s, u):
    assume(rotations.angle_between(a, b) < HALF_TURN)
    found = blending.turned(s * a, u * b, t)
    assert rotations.angle_between(found, blending.turned(a, b, t)) < 1e-6
    assert float(found @ (u * b)) >= -1e-9 or abs(t - 1) > 1  # less than a quarter turn of the sphere away


@given(quaternions(), quaternions(), st.floats(0, blending.MOST), st.floats(0, blending.MOST))
def test_more_is_further_from_the_plain_motion(a, b, t, u):
    angle = float(rotations.angle_between(a, b))
    assume(angle * blending.MOST < np.pi)
    far = [float(rotations.angle_between(a, blending.turned(a, b, w))) for w in sorted((t, u))]
    np.testing.assert_allclose(far, [w * angle for w in sorted((t, u))], atol=1e-6)


@given(quaternions(), quaternions(), vectors, vectors, amounts)
def test_the_ends_are_the_two_motions_and_agreement_stays(a, b, v, w, t):
    assert rotations.angle_between(blending.turned(a, b, 0), a) < 1e-7
    assert rotations.angle_between(blending.turned(a, b, 1), b) < 1e-7
    assert rotations.angle_between(blending.turned(a, -a, t), a) < 1e-7
    np.testing.assert_allclose(blending.moved(v, w, 0), v)
    np.testing.assert_allclose(blending.moved(v, w, 1), w, atol=1e-12)
    np.testing.assert_array_equal(blending.moved(v, v, t), v)
    np.testing.assert_allclose(blending.moved(v, w, t) - w, (t - 1) * (w - v), atol=1e-9)


def test_agreement_is_said_frame_by_frame():
    a = np.zeros((3, 4))
    b = a + [[0], [1e-12], [1e-3]]
    assert blending.agree(a, b).tolist() == [True, True, False]
