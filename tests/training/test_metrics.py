from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.motion import constraints, interpolation, rotations
from blender_addon.motion.clip import Clip, heading, rest_clip
from blender_addon.motion.skeleton import INDEX
from tests.motion.strategies import random_clip, random_quaternions, seeds
from training import metrics

FPS = 30.0
UNIT = metrics.PositionStatistics(np.zeros((22, 3)), np.ones((22, 3)))


def walkers(frames=12, windows=1):
    """Positions ``(windows, frames, 22, 3)``: all joints a metre up, toes on the ground."""
    positions = np.ones((windows, frames, 22, 3))
    positions[..., metrics.TOES, 1] = 0
    return positions


def waving(frames=61, amplitude=0.8, period=40.0):
    """A standing figure whose left elbow swings about z as a sine, and whose root speeds up along z."""
    t = np.arange(frames)
    clip = rest_clip(frames, FPS)
    q = clip.rotations.copy()
    angle = amplitude * np.sin(2 * np.pi * t / period)
    q[:, INDEX["left_elbow"]] = rotations.from_axis_angle(angle[:, None] * [0, 0, 1])
    root = clip.root_positions + (t[:, None] / FPS) ** 2 * [0, 0, 1.0]
    return replace(clip, rotations=q, root_positions=root), angle


class TestL2Q:
    @pytest.mark.parametrize("angle", [0.0, 1e-5, 0.5, 3.0])
    def test_one_joint_off_by_an_angle(self, angle):
        truth = rotations.identity((2, 5, 3))
        predicted = truth.copy()
        predicted[:, :, 1] = rotations.from_axis_angle([0, angle, 0])
        # The chord between unit quaternions half the angle apart.
        assert metrics.l2q(truth, predicted) == pytest.approx(2 * np.sin(angle / 4), abs=1e-12)

    def test_joints_add_as_squares_and_frames_as_a_mean(self):
        truth = rotations.identity((1, 4, 2))
        predicted = truth.copy()
        predicted[0, 0] = rotations.from_axis_angle([0, 0, 1.0])  # both joints, one frame of four
        assert metrics.l2q(truth, predicted) == pytest.approx(np.sqrt(2) * 2 * np.sin(0.25) / 4)

    @given(seeds)
    def test_signs_do_not_matter(self, seed):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=4) + np.cumsum(rng.normal(size=(2, 9, 3, 4)) * 0.05, 1)
        truth = rotations.normalize(truth)
        predicted = rotations.normalize(truth + rng.normal(size=truth.shape) * 0.02)
        flipped = predicted * rng.choice([-1, 1], (2, 9, 3, 1))
        assert metrics.l2q(truth, flipped) == pytest.approx(metrics.l2q(truth, predicted), abs=1e-12)
        assert metrics.npss(truth, flipped) == pytest.approx(metrics.npss(truth, predicted), abs=1e-12)
        assert metrics.l2q(truth, truth * -1) == 0


class TestL2P:
    def test_is_counted_in_deviations_of_training(self):
        std = np.random.default_rng(0).uniform(0.1, 2, (22, 3))
        truth = np.random.default_rng(1).normal(size=(3, 7, 22, 3))
        predicted = truth + 0.5 * std
        statistics = metrics.PositionStatistics(np.full((22, 3), 9.0), std)
        assert metrics.l2p(truth, predicted, statistics) == pytest.approx(0.5 * np.sqrt(66))

    def test_one_joint_one_frame(self):
        truth = np.zeros((1, 10, 22, 3))
        predicted = truth.copy()
        predicted[0, 3, 5] = [3, 0, 4]
        assert metrics.l2p(truth, predicted, UNIT) == pytest.approx(5 / 10)

    def test_no_deviation_is_no_scale(self):
        std = np.ones((22, 3))
        std[4, 1] = 0
        with pytest.raises(ValueError, match="deviation of zero"):
            metrics.l2p(walkers(), walkers(), metrics.PositionStatistics(std, std))

    def test_statistics_are_over_all_frames_of_all_windows(self):
        clips = [random_clip(np.random.default_rng(i), 5 + i) for i in range(3)]
        s = metrics.position_statistics(clips)
        everything = np.concatenate([c.positions() for c in clips])
        np.testing.assert_allclose(s.mean, everything.mean(0))
        np.testing.assert_allclose(s.std, everything.std(0))

    @given(seeds, st.integers(0, 7))
    def test_a_window_faces_z_about_the_origin_wherever_it_was(self, seed, frame):
        rng = np.random.default_rng(seed)
        clip = random_clip(rng, 8)
        window = metrics.facing_window(clip, frame)
        np.testing.assert_allclose(window.root_positions.mean(0)[[0, 2]], 0, atol=1e-9)
        np.testing.assert_allclose(window.root_positions[:, 1], clip.root_positions[:, 1], atol=1e-9)
        assert np.cos(heading(window)[frame]) == pytest.approx(1, abs=1e-9)
        elsewhere = clip.moved(rotations.from_axis_angle([0, rng.uniform(-3, 3), 0]), [4, 0, -7])
        np.testing.assert_allclose(metrics.facing_window(elsewhere, frame).positions(), window.positions(),
                                   atol=1e-6)  # fmt: skip


class TestNPSS:
    T = 60

    def wave(self, cycles, amplitude=1.0):
        return amplitude * np.cos(2 * np.pi * cycles * np.arange(self.T) / self.T)[None, :, None]

    @pytest.mark.parametrize(("truth", "predicted"), [(2, 2), (2, 5), (7, 3), (1, 20)])
    def test_waves_are_as_far_apart_as_their_frequencies(self, truth, predicted):
        # Half the power at bin k, half at T - k: both halves of the cumulative sums differ over
        # |k - m| bins by a half.
        distance = metrics.spectral_distance(self.wave(truth), self.wave(predicted))
        assert distance == pytest.approx(abs(truth - predicted), abs=1e-9)

    def test_amplitude_of_the_prediction_does_not_count(self):
        assert metrics.spectral_distance(self.wave(3), self.wave(3, 0.01)) == pytest.approx(0, abs=1e-9)

    def test_dimensions_weigh_as_much_as_their_true_power(self):
        truth = np.concatenate([self.wave(2, 3.0), self.wave(2, 1.0)], -1)
        predicted = np.concatenate([self.wave(2), self.wave(12)], -1)
        assert metrics.spectral_distance(truth, predicted) == pytest.approx(10 * 1 / (9 + 1))

    def test_windows_weigh_by_their_power(self):
        rng = np.random.default_rng(3)
        t = np.arange(20)[:, None, None] / 20
        axes = rng.normal(size=(2, 1, 3, 3)) * np.array([0.3, 1.5])[:, None, None, None]
        q = rotations.from_axis_angle(axes * np.sin(6 * t))
        p = rotations.from_axis_angle(axes * t)
        alone = [metrics.npss(q[k : k + 1], p[k : k + 1]) for k in range(2)]
        power = [metrics.spectral_power(q[k : k + 1]) for k in range(2)]
        assert metrics.npss(q, p) == pytest.approx(np.average(alone, weights=power))

    def test_a_frozen_wave_is_its_frequency_away(self):
        # All power at bin 0: 1 against 0 up to k, against 1/2 up to T - k.
        frozen = metrics.spectral_distance(self.wave(4), np.ones((1, self.T, 1)))
        assert frozen == pytest.approx(4 + (self.T - 2 * 4) / 2)

    def test_dimensions_without_power_are_no_nan(self):
        zero = np.zeros((1, self.T, 1))
        assert metrics.spectral_distance(zero, zero) == 0
        assert np.isfinite(metrics.spectral_distance(self.wave(2), zero))
        q = rotations.identity((1, 10, 2))
        assert metrics.npss(q, q) == 0

    def test_quaternions_of_real_turns(self):
        q = random_quaternions(np.random.default_rng(0), 2, 1, 4) * np.ones((1, 30, 1, 1))
        assert metrics.npss(q, q) == pytest.approx(0, abs=1e-12)
        turning = rotations.multiply(
            q, rotations.from_axis_angle(np.linspace(0, 2, 30)[:, None, None] * [0, 1, 0])
        )
        assert metrics.npss(turning, q) > 0.01


class TestPictured:
    def test_joint_error_is_centimetres(self):
        truth = walkers()
        assert metrics.joint_error(truth, truth + [0.03, 0, 0.04]) == pytest.approx(5)

    def test_jerk_of_a_cubic(self):
        t = np.arange(20) / FPS
        positions = np.zeros((1, 20, 22, 3))
        positions[..., 0] = (t**3)[:, None]
        assert metrics.jerk(positions, FPS) == pytest.approx(6)
        assert np.isnan(metrics.jerk(positions[:, :3], FPS))

    def test_jerk_of_even_motion_is_zero(self):
        t = np.arange(20)[:, None, None] / FPS
        assert metrics.jerk(np.zeros((20, 22, 3)) + t**2, FPS) == pytest.approx(0, abs=1e-8)

    def test_penetration(self):
        positions = walkers(10)
        positions[:, :5, metrics.TOES[0], 1] = -0.03
        assert metrics.penetration(positions) == pytest.approx(1.5)
        assert metrics.penetration(positions, ground=-0.03) == pytest.approx(0)


class TestPoses:
    """A number a window: MPJPE, acceleration error, PCP and angles."""

    def test_joint_errors_are_means_of_what_counts(self):
        truth = walkers(4, 2)
        predicted = truth.copy()
        predicted[0, 1, 3] += [0.03, 0, 0.04]
        np.testing.assert_allclose(metrics.joint_errors(truth, predicted), [5 / 88, 0])
        where = np.zeros((2, 4, 22), bool)
        where[0, 1, 3:5] = True
        found = metrics.joint_errors(truth, predicted, where)
        assert found[0] == pytest.approx(2.5)
        assert np.isnan(found[1])

    def test_acceleration_error_of_a_parabola(self):
        truth = walkers(9)
        t = np.arange(9)[:, None, None]
        predicted = truth + 0.002 * t**2 * np.array([1.0, 0, 0])  # second difference: 4 mm
        np.testing.assert_allclose(metrics.acceleration_errors(truth, predicted), [4])
        straight = truth + 0.1 * t * np.array([0, 0, 1.0]) + [1, 2, 3]
        np.testing.assert_allclose(metrics.acceleration_errors(truth, straight), [0], atol=1e-9)

    def test_acceleration_error_counts_the_middle_frame(self):
        truth = walkers(7)
        predicted = truth.copy()
        predicted[0, 3, 5, 1] += 0.01  # 10, -20, 10 mm around frame 3
        where = np.zeros((1, 7, 22), bool)
        where[0, 3, 5] = True
        np.testing.assert_allclose(metrics.acceleration_errors(truth, predicted, where), [20])
        where[0, 2, 5] = True
        np.testing.assert_allclose(metrics.acceleration_errors(truth, predicted, where), [15])
        np.testing.assert_allclose(metrics.acceleration_errors(truth, predicted), [40 / 110])

    def test_parts_are_ten_and_every_end_is_a_joint(self):
        assert len(metrics.PARTS) == len(set(metrics.PARTS)) == 10

    @pytest.mark.parametrize(
        ("off", "correct"),
        [(0.2499, 10), (0.2501, 9)],  # the elbow alone: the forearm, 25 cm, is right up to 2 x 12.5 cm
    )
    def test_a_part_is_right_up_to_half_its_length(self, off, correct):
        clip = rest_clip(3)
        truth = clip.positions()[None]
        predicted = truth.copy()
        predicted[:, :, INDEX["left_wrist"], 2] += off
        assert np.linalg.norm(clip.skeleton.offsets[INDEX["left_wrist"]]) == 0.25
        np.testing.assert_allclose(metrics.correct_parts(truth, predicted), [10 * correct])

    def test_parts_count_where_an_end_does(self):
        truth = rest_clip(2).positions()[None]
        predicted = truth + [0, 0, 9.0]
        where = np.zeros((1, 2, 22), bool)
        assert np.isnan(metrics.correct_parts(truth, predicted, where)).all()
        where[0, 0, INDEX["left_wrist"]] = True
        predicted[:, :, [INDEX["left_wrist"], INDEX["left_elbow"]]] = truth[
            :, :, [INDEX["left_wrist"], INDEX["left_elbow"]]
        ]
        np.testing.assert_allclose(metrics.correct_parts(truth, predicted, where), [100])
        np.testing.assert_allclose(metrics.correct_parts(truth, predicted, alpha=1e9), [100])

    @pytest.mark.parametrize("degrees", [0, 1e-4, 30, 180])
    def test_turn_errors_are_angles(self, degrees):
        truth = rotations.identity((2, 3, 22))
        predicted = truth.copy()
        predicted[1, :, 4] = rotations.from_axis_angle([0, 0, np.radians(degrees)])
        where = np.zeros((2, 3, 22), bool)
        where[:, :, 4:6] = True
        np.testing.assert_allclose(metrics.turn_errors(truth, -predicted, where), [0, degrees / 2], atol=1e-9)


class TestSkating:
    def sliding(self, speed, height=0.0, frames=11, toes=metrics.TOES):
        positions = walkers(frames)
        for toe in toes:
            positions[:, :, toe, 1] = height
            positions[:, :, toe, 2] += speed * np.arange(frames) / FPS
        return positions

    @pytest.mark.parametrize(
        ("speed", "height", "ratio"),
        [
            (1.0, 0.0, 1.0),  # at the ends 3 of 5 averaged steps move: 0.6 m/s
            (0.7, 0.0, 0.8),  # at the ends 0.42 m/s, next to them 0.56 m/s: 8 of 10
            (0.49, 0.0, 0.0),
            (1.0, 0.051, 0.0),
            (1.0, -0.2, 1.0),
            (0.0, 0.0, 0.0),
        ],
    )
    def test_ratio_of_an_even_slide(self, speed, height, ratio):
        assert metrics.skating_ratio(self.sliding(speed, height), FPS) == pytest.approx(ratio)
        one = self.sliding(speed, height, toes=metrics.TOES[1:])
        assert metrics.skating_ratio(one, FPS) == pytest.approx(ratio)

    def test_vertical_motion_is_no_slide(self):
        positions = walkers()
        positions[..., metrics.TOES, 1] = np.arange(12)[:, None] * -0.1
        assert metrics.skating_ratio(positions, FPS) == 0

    def test_ground_can_be_elsewhere(self):
        positions = self.sliding(1.0)
        positions[..., 1] += 2
        assert metrics.skating_ratio(positions, FPS) == 0
        assert metrics.skating_ratio(positions, FPS, ground=2.0) == 1

    def test_a_single_frame_has_no_steps(self):
        assert np.isnan(metrics.skating_ratio(walkers(1), FPS))

    @given(st.floats(0, 3))
    def test_speed_over_the_truths_contacts(self, speed):
        contacts = metrics.contact_steps(walkers(11), FPS)
        assert contacts.shape == (1, 10, 2)
        assert contacts.all()
        assert metrics.skating_speed(self.sliding(speed), contacts, FPS) == pytest.approx(
            100 * speed, abs=1e-9
        )

    def test_a_foot_that_truly_moves_or_hangs_is_no_contact(self):
        assert not metrics.contact_steps(self.sliding(0.21), FPS).any()
        assert not metrics.contact_steps(self.sliding(0.0, 0.06), FPS).any()
        one = metrics.contact_steps(self.sliding(1.0, toes=metrics.TOES[:1]), FPS)
        assert not one[..., 0].any()
        assert one[..., 1].all()
        assert np.isnan(metrics.skating_speed(walkers(), np.zeros((1, 11, 2), bool), FPS))


class TestKeyError:
    def test_nothing_changed_is_zero_exactly(self):
        clip = random_clip(np.random.default_rng(0), 9)
        flipped = Clip(clip.skeleton, -clip.rotations, clip.root_positions, clip.fps)
        everything = np.ones((9, 22), bool), np.ones(9, bool)
        assert metrics.key_error(clip, clip, *everything) == (0, 0)
        assert metrics.key_error(clip, flipped, *everything) == (0, 0)

    def test_only_what_was_known_counts(self):
        clip = random_clip(np.random.default_rng(1), 9)
        q, root = clip.rotations.copy(), clip.root_positions.copy()
        q[3, 4] = rotations.multiply(q[3, 4], rotations.from_axis_angle([0, np.radians(10), 0]))
        root[5] += [0.3, 0, 0.4]
        after = replace(clip, rotations=q, root_positions=root)
        known, root_known = np.zeros((9, 22), bool), np.zeros(9, bool)
        assert metrics.key_error(clip, after, known, root_known) == (0, 0)
        known[3], root_known[5] = True, True
        assert metrics.key_error(clip, after, known, root_known) == pytest.approx((10, 0.5))


class TestMeasure:
    gap = slice(10, 40)

    def filled(self, clip):
        keys = np.ones(len(clip), bool)
        keys[self.gap] = False
        return interpolation.fill(constraints.inbetween(clip, keys))

    def test_the_truth_is_perfect(self):
        clip = metrics.facing_window(random_clip(np.random.default_rng(2), 61), 9)
        row = metrics.measure([clip, clip], [clip, clip], self.gap, UNIT)
        assert [row[k] for k in ("l2p", "l2q", "npss", "error_cm")] == [0, 0, 0, 0]
        assert row["jerk"] == row["true_jerk"] > 0

    def test_interpolation_of_a_known_motion(self):
        truth, angle = waving()
        row = metrics.measure([truth], [self.filled(truth)], self.gap, UNIT)
        t = np.arange(10, 40)
        share = (t - 9) / 31
        off = np.abs(angle[t] - (angle[9] + share * (angle[40] - angle[9])))
        # Elbow and wrist turn with the error; all joints share the root's, a parabola under its chord.
        chord = (9 / FPS) ** 2 + share * ((40 / FPS) ** 2 - (9 / FPS) ** 2)
        slip = np.abs(chord - (t / FPS) ** 2)
        wrist = 2 * 0.25 * np.sin(off / 2)  # across the slip: it swings in the xy plane
        assert row["l2q"] == pytest.approx((np.sqrt(2) * 2 * np.sin(off / 4)).mean(), abs=1e-12)
        assert row["l2p"] == pytest.approx(np.sqrt(22 * slip**2 + wrist**2).mean(), abs=1e-12)
        assert row["error_cm"] == pytest.approx(
            100 * (21 * slip + np.hypot(slip, wrist)).mean() / 22, abs=1e-10
        )
        # The whole figure glides, toes on the ground: the two skating measures know its speed.
        assert row["skating_ratio"] > row["true_skating_ratio"] > 0
        assert row["penetration_cm"] == 0
        assert row["npss"] == pytest.approx(0.0372927, abs=1e-7)  # pinned when first computed

    def test_other_windows_are_refused(self):
        truth, _ = waving()
        for other in ([truth, truth], [truth.slice(0, 50)], [replace(truth, fps=24)]):
            with pytest.raises(ValueError, match="one number, length and rate"):
                metrics.measure([truth], other, self.gap, UNIT)
