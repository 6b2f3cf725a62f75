from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import kinematics, rotations
from blender_addon.motion.errors import SkeletonError
from blender_addon.motion.skeleton import CANONICAL, INDEX, JOINTS, MIRROR, PARENTS, Skeleton, canonical
from tests.motion.strategies import random_quaternions, random_skeleton, seeds


def by_matrices(skeleton, local, translations):
    """Forward kinematics by 4x4 matrices, the textbook's way."""
    world = []
    for j, parent in enumerate(skeleton.parents):
        m = np.eye(4)
        m[:3, :3], m[:3, 3] = rotations.to_matrix(local[j]), translations[j]
        world.append(m if parent < 0 else world[parent] @ m)
    return np.array(world)


class TestForward:
    @settings(max_examples=40)
    @given(seeds, st.integers(1, 12))
    def test_equals_matrices_and_comes_back(self, seed, joints):
        rng = np.random.default_rng(seed)
        s = random_skeleton(rng, joints)
        local, t = random_quaternions(rng, joints), rng.normal(size=(joints, 3))
        q, p = kinematics.forward(s.parents, local, t)
        m = by_matrices(s, local, t)
        np.testing.assert_allclose(rotations.to_matrix(q), m[:, :3, :3], atol=1e-12)
        np.testing.assert_allclose(p, m[:, :3, 3], atol=1e-12)
        assert (rotations.angle_between(kinematics.local_rotations(s.parents, q), local) < 1e-9).all()

    @pytest.mark.parametrize("batch", [(), (0,), (3,), (2, 0), (2, 3)])
    def test_batches_are_frame_by_frame(self, batch):
        rng = np.random.default_rng(1)
        local = random_quaternions(rng, *batch, 22)
        q, p = kinematics.forward(PARENTS, local, CANONICAL.offsets)
        assert q.shape == (*batch, 22, 4)
        assert p.shape == (*batch, 22, 3)
        for i in np.ndindex(*batch):
            one_q, one_p = kinematics.forward(PARENTS, local[i], CANONICAL.offsets)
            np.testing.assert_allclose(q[i], one_q, atol=1e-14)
            np.testing.assert_allclose(p[i], one_p, atol=1e-14)

    def test_inputs_are_left_alone(self):
        local, t = rotations.identity(22), np.array(CANONICAL.offsets)
        kinematics.forward(PARENTS, local, t)
        np.testing.assert_array_equal(t, CANONICAL.offsets)

    def test_float32_stays(self):
        q, p = kinematics.forward(PARENTS, rotations.identity(22, np.float32), np.zeros((22, 3), np.float32))
        assert q.dtype == p.dtype == np.float32


class TestTwoBoneIK:
    @staticmethod
    def solve(seed, reach_share):
        """A random bent limb and a target at a share of its length from the root."""
        rng = np.random.default_rng(seed)
        root = rng.normal(size=3)
        middle = root + rng.uniform(0.2, 0.6) * rotations.normalize(rng.normal(size=3))
        end = middle + rng.uniform(0.2, 0.6) * rotations.normalize(rng.normal(size=3))
        a, b = np.linalg.norm(middle - root), np.linalg.norm(end - middle)
        reach = abs(a - b) + reach_share * (a + b - abs(a - b))
        target = root + reach * rotations.normalize(rng.normal(size=3))
        first, second = kinematics.two_bone_ik(root, middle, end, target, rng.normal(size=3))
        new_middle = root + rotations.rotate(first, middle - root)
        new_end = new_middle + rotations.rotate(second, end - middle)
        return root, middle, end, target, new_middle, new_end

    @given(seeds, st.floats(0.001, 0.999))
    def test_reaches_and_keeps_the_lengths(self, seed, share):
        root, middle, end, target, new_middle, new_end = self.solve(seed, share)
        np.testing.assert_allclose(new_end, target, atol=1e-7)
        assert np.linalg.norm(new_middle - root) == pytest.approx(np.linalg.norm(middle - root), abs=1e-12)
        assert np.linalg.norm(new_end - new_middle) == pytest.approx(np.linalg.norm(end - middle), abs=1e-12)

    @given(seeds, st.floats(1.0, 5.0))
    def test_out_of_reach_is_stretched_towards_the_target(self, seed, share):
        root, middle, end, target, _, new_end = self.solve(seed, share)
        length = np.linalg.norm(middle - root) + np.linalg.norm(end - middle)
        assert np.linalg.norm(new_end - root) == pytest.approx(length, abs=1e-6)
        towards = rotations.normalize(target - root)
        np.testing.assert_allclose(rotations.normalize(new_end - root), towards, atol=1e-6)

    def test_a_straight_leg_bends_about_the_hinge(self):
        hip, knee, ankle = np.array([[0, 0.9, 0], [0, 0.5, 0], [0, 0.1, 0.0]])
        target = np.array([0, 0.3, 0.0])
        first, second = kinematics.two_bone_ik(hip, knee, ankle, target, [1, 0, 0])
        new_knee = hip + rotations.rotate(first, knee - hip)
        new_ankle = new_knee + rotations.rotate(second, ankle - knee)
        np.testing.assert_allclose(new_ankle, target, atol=1e-7)
        assert abs(new_knee[2]) > 0.1  # about x: the knee leaves along z
        assert abs(new_knee[0]) < 1e-9

    def test_a_target_that_is_met_already_changes_nothing(self):
        hip, knee, ankle = np.array([[0, 0.9, 0], [0, 0.5, 0.1], [0, 0.1, 0.0]])
        for turn in kinematics.two_bone_ik(hip, knee, ankle, ankle, [1, 0, 0]):
            assert rotations.angle_between(turn, rotations.IDENTITY) < 1e-7

    def test_degenerate_limbs_stay_finite(self):
        zero = np.zeros(3)
        for limb in ((zero, zero, zero, zero, zero), (zero, np.eye(3)[0], np.eye(3)[0], np.eye(3)[1], zero),
                     (zero, np.eye(3)[0], 2 * np.eye(3)[0], zero, np.eye(3)[1])):  # fmt: skip
            for turn in kinematics.two_bone_ik(*limb):
                assert np.isfinite(turn).all()
                assert np.linalg.norm(turn) == pytest.approx(1)

    def test_batched(self):
        rng = np.random.default_rng(0)
        points = rng.normal(size=(5, 4, 7, 3))
        first, second = kinematics.two_bone_ik(*points)
        assert first.shape == second.shape == (4, 7, 4)
        one, _ = kinematics.two_bone_ik(*points[:, 2, 3])
        np.testing.assert_allclose(first[2, 3], one, atol=1e-12)


class TestDerived:
    def test_velocity_of_a_line_and_a_parabola(self):
        t = np.arange(10)[:, None] / 30
        np.testing.assert_allclose(kinematics.velocity(3 * t, 30), np.full((10, 1), 3), atol=1e-12)
        np.testing.assert_allclose(kinematics.velocity(t * t, 30)[1:-1], 2 * t[1:-1], atol=1e-12)

    @pytest.mark.parametrize("frames", [0, 1])
    def test_velocity_of_too_little_is_zero(self, frames):
        np.testing.assert_array_equal(kinematics.velocity(np.ones((frames, 3)), 30), np.zeros((frames, 3)))

    def test_contacts_of_a_foot_that_stands_lifts_and_stands(self):
        height = np.concatenate([np.zeros(20), 0.3 * np.sin(np.linspace(0, np.pi, 20)), np.zeros(20)])
        forward = np.concatenate([np.zeros(20), np.linspace(0, 0.8, 20), np.full(20, 0.8)])
        feet = np.stack([np.zeros(60), height, forward], -1)[:, None]
        stands = kinematics.foot_contacts(feet, 30, 0.93)[:, 0]
        assert stands[:18].all()
        assert stands[42:].all()
        assert not stands[22:38].any()

    @pytest.mark.parametrize("frames", [0, 1, 2])
    def test_contacts_of_short_clips(self, frames):
        assert kinematics.foot_contacts(np.zeros((frames, 2, 3)), 30, 0.93).shape == (frames, 2)


class TestSkeleton:
    def test_canonical_rest_pose_stands_on_the_ground_facing_z_with_left_at_plus_x(self):
        _, p = CANONICAL.rest_global()
        assert p[:, 1].min() == pytest.approx(0, abs=1e-12)
        assert p[INDEX["left_wrist"], 0] > 0.5
        assert p[INDEX["left_foot"], 2] > p[INDEX["left_ankle"], 2]
        np.testing.assert_allclose(p[list(MIRROR)] * [-1, 1, 1], p, atol=1e-12)

    def test_mirror_swaps_sides_only(self):
        for j, other in enumerate(MIRROR):
            assert MIRROR[other] == j
            sides = sorted({JOINTS[j].partition("_")[0], JOINTS[other].partition("_")[0]})
            assert j == other or sides == ["left", "right"]

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"names": ("a", "a")}, "twice"),
            ({"names": ()}, "at least one"),
            ({"parents": [-1, 1]}, "parent"),
            ({"parents": [-2, 0]}, "parent"),
            ({"parents": [-1]}, "parents"),
            ({"offsets": [[0, 0, 0]]}, "offsets"),
            ({"offsets": [[0, 0, 0], [0, np.nan, 0]]}, "finite"),
            ({"rest_rotations": np.zeros((1, 4))}, "rest_rotations"),
            ({"tips": np.zeros((2, 2))}, "tips"),
        ],
    )
    def test_refusals(self, change, word):
        good = {"names": ("a", "b"), "parents": [-1, 0], "offsets": np.zeros((2, 3))}
        Skeleton(**good)
        with pytest.raises(SkeletonError, match=word):
            Skeleton(**{**good, **change})

    def test_is_read_only_and_a_copy(self):
        offsets = np.zeros((22, 3))
        s = canonical(offsets)
        offsets[0] = 5
        assert not s.offsets.any()
        with pytest.raises(ValueError, match="read-only"):
            s.offsets[0] = 1

    def test_family(self):
        assert CANONICAL.children(0) == [1, 2, 3]
        assert CANONICAL.ancestors(INDEX["left_knee"]) == [INDEX["left_hip"], 0]
        with pytest.raises(SkeletonError, match="elbow of the tail"):
            CANONICAL.index("elbow of the tail")
