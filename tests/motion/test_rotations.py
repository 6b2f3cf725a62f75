from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import rotations
from tests.motion.strategies import (
    UGLY_ANGLES,
    angles,
    quaternions,
    random_quaternions,
    seeds,
    unit_vectors,
    vectors,
)

DTYPES = (np.float64, np.float32)
SHAPES = ((), (1,), (0,), (5,), (2, 3), (4, 0, 2))
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-6}


def same_rotation(a, b, tolerance=1e-9):
    """Equal as rotations, that is up to the quaternion's sign."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape
    sign = np.where((a * b).sum(-1, keepdims=True) < 0, -1, 1)
    np.testing.assert_allclose(a, b * sign, atol=tolerance, rtol=0)


@pytest.fixture(params=DTYPES, ids=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.fixture(params=SHAPES, ids=str)
def batch(request, dtype):
    q = random_quaternions(np.random.default_rng(3), *request.param)
    return q.astype(dtype)


class TestShapesAndTypes:
    def test_every_conversion_returns_its_shape_and_type_and_comes_back(self, batch, dtype):
        back = {
            "matrix": (rotations.to_matrix, rotations.from_matrix, (3, 3)),
            "6d": (rotations.to_6d, rotations.from_6d, (6,)),
            "axis_angle": (rotations.to_axis_angle, rotations.from_axis_angle, (3,)),
        }
        for to, again, form in back.values():
            there = to(batch)
            assert there.shape == batch.shape[:-1] + form
            assert there.dtype == dtype
            home = again(there)
            assert home.dtype == dtype
            same_rotation(home, batch, TOLERANCE[dtype] * 10)

    @pytest.mark.parametrize("order", rotations.EULER_ORDERS)
    def test_euler_returns_its_shape_and_type_and_comes_back(self, batch, dtype, order):
        there = rotations.to_euler(batch, order)
        assert there.shape == batch.shape[:-1] + (3,)
        assert there.dtype == dtype
        home = rotations.from_euler(there, order)
        assert home.dtype == dtype
        same_rotation(home, batch, TOLERANCE[dtype] * 10)

    def test_algebra_keeps_shape_and_type(self, batch, dtype):
        v = np.ones((*batch.shape[:-1], 3), dtype)
        for value, form in (
            (rotations.multiply(batch, batch), 4),
            (rotations.inverse(batch), 4),
            (rotations.rotate(batch, v), 3),
            (rotations.between(v, rotations.rotate(batch, v)), 4),
            (rotations.slerp(batch, rotations.inverse(batch), np.full(batch.shape[:-1], 0.5, dtype)), 4),
            *((part, 4) for part in rotations.swing_twist(batch, np.array([0, 1, 0], dtype))),
        ):
            assert value.shape == (*batch.shape[:-1], form)
            assert value.dtype == dtype

    def test_integers_become_float64(self):
        assert rotations.multiply([1, 0, 0, 0], [0, 1, 0, 0]).dtype == np.float64

    @pytest.mark.parametrize("order", ["", "XY", "XYX", "xyz", "ABC"])
    def test_an_unknown_order_is_named(self, order):
        with pytest.raises(ValueError, match="order"):
            rotations.from_euler(np.zeros(3), order)


class TestUglyAngles:
    @pytest.mark.parametrize("axis", [*np.eye(3), *-np.eye(3), np.array([0.6, -0.8, 0])])
    @pytest.mark.parametrize("angle", UGLY_ANGLES)
    def test_axis_angle_keeps_the_angle(self, axis, angle, dtype):
        q = rotations.from_axis_angle((axis * angle).astype(dtype))
        back = rotations.to_axis_angle(q)
        assert np.linalg.norm(back) == pytest.approx(angle, abs=2 * TOLERANCE[dtype], rel=1e-6)
        if angle < np.pi - 1e-6:  # at a half turn both axes are right
            np.testing.assert_allclose(back, axis * angle, atol=4 * TOLERANCE[dtype])

    @pytest.mark.parametrize("order", rotations.EULER_ORDERS)
    @pytest.mark.parametrize("middle", [np.pi / 2, np.pi / 2 - 1e-7, 1e-5 - np.pi / 2, -np.pi / 2])
    def test_euler_at_the_pole(self, order, middle, dtype):
        angle = np.array([0.7, middle, -1.9], dtype)
        q = rotations.from_euler(angle, order)
        back = rotations.to_euler(q, order)
        assert np.isfinite(back).all()
        same_rotation(rotations.from_euler(back, order), q, 1e-9 if dtype == np.float64 else 1e-3)

    def test_small_angles_are_not_lost(self):
        for angle in (1e-5, 1e-9, 1e-15):
            q = rotations.from_axis_angle([0, angle, 0])
            assert rotations.to_axis_angle(q)[1] == pytest.approx(angle, rel=1e-12)
            assert rotations.to_euler(q, "XYZ")[1] == pytest.approx(angle, rel=1e-6)
            assert rotations.angle_between(rotations.IDENTITY, q) == pytest.approx(angle, rel=1e-9)

    def test_normalize_survives_tiny_and_huge_and_zero(self):
        v = np.array([[3e-200, 4e-200, 0], [3e200, 4e200, 0], [0, 0, 0]])
        np.testing.assert_allclose(rotations.normalize(v), [[0.6, 0.8, 0], [0.6, 0.8, 0], [0, 0, 0]])


class TestAgainstScipy:
    @pytest.fixture(autouse=True)
    def load(self):
        self.transform = pytest.importorskip("scipy.spatial.transform")  # Blender's environments lack it

    def scipy(self, q):
        return self.transform.Rotation.from_quat(np.roll(q, -1, -1))

    def test_matrix_axis_angle_and_rotate(self):
        q = random_quaternions(np.random.default_rng(0), 200)
        v = np.random.default_rng(1).normal(size=(200, 3))
        np.testing.assert_allclose(rotations.to_matrix(q), self.scipy(q).as_matrix(), atol=1e-14)
        np.testing.assert_allclose(rotations.to_axis_angle(q), self.scipy(q).as_rotvec(), atol=1e-13)
        np.testing.assert_allclose(rotations.rotate(q, v), self.scipy(q).apply(v), atol=1e-13)

    def test_multiply(self):
        a, b = random_quaternions(np.random.default_rng(2), 2, 100)
        both = (self.scipy(a) * self.scipy(b)).as_matrix()
        np.testing.assert_allclose(rotations.to_matrix(rotations.multiply(a, b)), both, atol=1e-14)

    @pytest.mark.parametrize("order", rotations.EULER_ORDERS)
    def test_euler_is_intrinsic_in_the_written_order(self, order):
        angle = np.random.default_rng(4).uniform(-np.pi, np.pi, (100, 3))
        theirs = self.transform.Rotation.from_euler(order, angle)  # upper case: intrinsic
        q = rotations.from_euler(angle, order)
        np.testing.assert_allclose(rotations.to_matrix(q), theirs.as_matrix(), atol=1e-14)
        np.testing.assert_allclose(rotations.to_euler(q, order), theirs.as_euler(order), atol=1e-7)

    def test_slerp_and_mean(self):
        a, b = random_quaternions(np.random.default_rng(5), 2)
        slerp = self.transform.Slerp([0, 1], self.scipy(np.stack([a, b])))
        t = np.linspace(0, 1, 11)
        mine = rotations.slerp(np.broadcast_to(a, (11, 4)), np.broadcast_to(b, (11, 4)), t)
        np.testing.assert_allclose(rotations.to_matrix(mine), slerp(t).as_matrix(), atol=1e-12)
        small = np.random.default_rng(6).normal(size=(20, 3)) * 0.4
        near = rotations.multiply(a, rotations.from_axis_angle(small))
        weights = np.linspace(0.1, 1, 20)
        np.testing.assert_allclose(rotations.to_matrix(rotations.mean(near, weights)),
                                   self.scipy(near).mean(weights).as_matrix(), atol=1e-12)  # fmt: skip


class TestLaws:
    @given(quaternions(), quaternions(), vectors)
    def test_multiply_rotates_by_the_second_first(self, a, b, v):
        np.testing.assert_allclose(rotations.rotate(rotations.multiply(a, b), v),
                                   rotations.rotate(a, rotations.rotate(b, v)), atol=1e-12)  # fmt: skip

    @given(quaternions(), vectors)
    def test_rotation_keeps_length_and_comes_back(self, q, v):
        turned = rotations.rotate(q, v)
        assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(v), abs=1e-12)
        np.testing.assert_allclose(rotations.rotate(rotations.inverse(q), turned), v, atol=1e-12)
        np.testing.assert_allclose(rotations.to_matrix(q) @ v, turned, atol=1e-12)

    @given(quaternions())
    def test_matrix_is_a_rotation(self, q):
        m = rotations.to_matrix(q)
        np.testing.assert_allclose(m @ m.T, np.eye(3), atol=1e-14)
        assert np.linalg.det(m) == pytest.approx(1, abs=1e-14)
        same_rotation(rotations.from_matrix(m), q, 1e-9)

    @given(st.tuples(angles, angles, angles), st.sampled_from(rotations.EULER_ORDERS))
    def test_euler_round_trip(self, triple, order):
        q = rotations.from_euler(np.array(triple), order)
        back = rotations.to_euler(q, order)
        assert abs(back[1]) <= np.pi / 2 + 1e-12
        assert rotations.angle_between(rotations.from_euler(back, order), q) < 1e-7

    @given(quaternions())
    def test_6d_is_two_columns_and_forgives_scale_and_shear(self, q):
        d, m = rotations.to_6d(q), rotations.to_matrix(q)
        np.testing.assert_array_equal(d, np.concatenate([m[:, 0], m[:, 1]]))
        sheared = np.concatenate([3 * d[:3], 0.2 * d[3:] + 0.7 * d[:3]])
        same_rotation(rotations.from_6d(sheared), q, 1e-9)

    @given(unit_vectors(), unit_vectors())
    def test_between_takes_one_direction_to_the_other_by_the_smallest_turn(self, a, b):
        q = rotations.between(a, b)
        np.testing.assert_allclose(rotations.rotate(q, a), b, atol=1e-6)
        smallest = np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)
        assert rotations.angle_between(rotations.IDENTITY, q) == pytest.approx(smallest, abs=1e-6)

    @pytest.mark.parametrize("a", [*np.eye(3), np.array([0.95, 0.3, 0.1])])
    def test_between_opposite_directions_is_some_half_turn(self, a):
        q = rotations.between(a, -2 * a)
        np.testing.assert_allclose(rotations.rotate(q, a), -a, atol=1e-12)

    def test_between_zero_vectors_is_the_identity(self):
        for a, b in itertools.product(([0, 0, 0], [1, 0, 0]), repeat=2):
            if not any(a) or not any(b):
                np.testing.assert_array_equal(rotations.between(a, b), rotations.IDENTITY)

    @given(quaternions(), quaternions(), st.floats(0, 1))
    def test_slerp_divides_the_shorter_way(self, a, b, t):
        middle = rotations.slerp(a, b, t)
        whole = rotations.angle_between(a, b)
        assert np.linalg.norm(middle) == pytest.approx(1, abs=1e-12)
        assert rotations.angle_between(a, middle) == pytest.approx(t * whole, abs=1e-7)
        assert rotations.angle_between(middle, b) == pytest.approx((1 - t) * whole, abs=1e-7)

    def test_slerp_of_opposite_signs_is_one_rotation(self):
        q = random_quaternions(np.random.default_rng(7))
        same_rotation(rotations.slerp(q, -q, 0.3), q)

    @given(quaternions(), unit_vectors())
    def test_swing_and_twist_make_up_the_rotation(self, q, axis):
        swing, twist = rotations.swing_twist(q, axis)
        same_rotation(rotations.multiply(swing, twist), q)
        np.testing.assert_allclose(rotations.rotate(twist, axis), axis, atol=1e-9)
        turn = rotations.to_axis_angle(swing)
        assert abs(turn @ axis) < 1e-6  # the swing's axis is perpendicular

    @settings(max_examples=30)
    @given(seeds)
    def test_continuous_only_flips_signs(self, seed):
        q = random_quaternions(np.random.default_rng(seed), 12, 3)
        out = rotations.continuous(q)
        assert ((out[1:] * out[:-1]).sum(-1) >= 0).all()
        np.testing.assert_array_equal(np.abs(out), np.abs(q))
        np.testing.assert_array_equal(out[0], q[0])
        moved = np.moveaxis(rotations.continuous(np.moveaxis(q, 0, 1), axis=1), 1, 0)
        np.testing.assert_array_equal(moved, out)

    def test_mean_ignores_signs(self):
        q = random_quaternions(np.random.default_rng(8), 4)
        same_rotation(rotations.mean(np.stack([q, -q, q])), q)
