"""Noise, the fit that turns it into rotations, the filters that fight it, and bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_coeffs

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import INDEX
from tests.motion.strategies import random_clip, seeds
from tests.training.material import swinging
from training import bootstrap, metrics
from training.evaluation import filters, fit, noise


class TestFit:
    @settings(max_examples=20)
    @given(seeds)
    def test_the_places_of_another_pose_of_the_same_body_are_met(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        pose, other = random_clip(rng, 4), random_clip(rng, 4)
        other = Clip(pose.skeleton, other.rotations, other.root_positions, pose.fps)
        # the branching joints are rigid: their children keep their distances, so that a pose can be met
        found = fit.to_positions(pose, other.positions())
        np.testing.assert_allclose(found.positions(), other.positions(), atol=1e-6)

    def test_a_clips_own_places_change_nothing(self) -> None:
        clip = swinging(0, 20)
        found = fit.to_positions(clip, clip.positions())
        assert rotations.angle_between(found.rotations, clip.rotations).max() < 1e-6

    def test_bones_keep_their_length_and_point_where_they_should(self) -> None:
        clip = swinging(1, 10)
        target = clip.positions()
        elbow, wrist = INDEX["left_elbow"], INDEX["left_wrist"]
        target[:, wrist] = target[:, elbow] + [0, 0, 2.0]  # out of reach
        found = fit.to_positions(clip, target).positions()
        bone = found[:, wrist] - found[:, elbow]
        length = np.linalg.norm(clip.skeleton.offsets[wrist])
        np.testing.assert_allclose(bone, np.tile([0, 0, length], (10, 1)), atol=1e-9)
        others = [j for j in range(22) if j != wrist]
        np.testing.assert_allclose(found[:, others], target[:, others], atol=1e-9)

    def test_windows_of_different_bodies_at_once(self) -> None:
        clips = [swinging(k, 8) for k in range(3)]
        local, root, offsets = filters.stacked(clips)
        offsets = offsets * np.array([1.0, 1.3, 0.7])[:, None, None, None]
        target = filters.positions_of(local, root, offsets)
        start = rotations.identity(local.shape[:-1])
        found = fit.fit(start, root, offsets, target)
        np.testing.assert_allclose(filters.positions_of(found, root, offsets), target, atol=1e-6)


class TestNoise:
    clip = swinging(0, 200)

    def test_white_noise_moves_joints_as_far_as_a_gaussian_does(self) -> None:
        rng = np.random.default_rng(0)
        noisy = noise.white(self.clip, rng, 0.05)
        np.testing.assert_array_equal(noisy.skeleton.offsets, self.clip.skeleton.offsets)
        off = np.linalg.norm(noisy.positions() - self.clip.positions(), axis=-1)
        # the root is moved by the noise alone; the fit keeps errors from growing outwards
        assert off[:, 0].mean() == pytest.approx(0.05 * np.sqrt(8 / np.pi), rel=0.05)
        assert 0.06 < off.mean() < 0.1

    @pytest.mark.parametrize("centimetres", [1, 5, 10])
    def test_turning_noise_has_the_displacement_it_is_named_for(self, centimetres: int) -> None:
        noisy = noise.NOISES[f"rotations {centimetres} cm"](self.clip, np.random.default_rng(1))
        error = metrics.joint_error(self.clip.positions(), noisy.positions())
        assert error == pytest.approx(centimetres, rel=1e-3)

    @pytest.mark.parametrize("name", ["jitter bursts", "swapped sides"])
    def test_bursts_leave_the_rest_as_it_was(self, name: str) -> None:
        noisy = noise.NOISES[name](self.clip, np.random.default_rng(2))
        changed = noise.changed(self.clip, noisy)
        share = changed.any(1).mean()
        assert 0.1 < share < 0.35
        assert not changed[[0, -1]].any()
        same = ~changed.any(1)
        assert (noisy.rotations[same] == self.clip.rotations[same]).all()
        assert (noisy.root_positions == self.clip.root_positions).all()

    def test_swapped_sides_are_where_the_other_side_was(self) -> None:
        noisy = noise.swapped(self.clip, np.random.default_rng(3))
        changed = noise.changed(self.clip, noisy).any(1)
        here, there = noisy.positions()[changed], self.clip.positions()[changed]
        pairs = [(INDEX[f"left_{n}"], INDEX[f"right_{n}"]) for n in ("elbow", "knee")]
        for a, b in pairs:  # towards the other's place as far as the bone reaches
            before = np.linalg.norm(there[:, a] - there[:, b], axis=-1)
            after = np.linalg.norm(here[:, a] - there[:, b], axis=-1)
            assert (after <= before + 1e-6).all()
            assert (after < 0.9 * before).any()

    def test_the_same_seed_gives_the_same_noise(self) -> None:
        for make in noise.NOISES.values():
            a, b = (make(self.clip.slice(0, 40), np.random.default_rng(5)) for _ in range(2))
            assert (a.rotations == b.rotations).all()


class TestSavitzkyGolay:
    @given(st.integers(0, 3), st.sampled_from([5, 7, 13]))
    def test_polynomials_of_its_order_pass(self, order: int, window: int) -> None:
        t = np.linspace(-1, 1, 40)
        x = np.stack([t**k for k in range(order + 1)], -1)[None]
        np.testing.assert_allclose(filters.savitzky_golay(x, window, order), x, atol=1e-9)

    def test_an_impulse_is_spread_by_the_known_weights(self) -> None:
        # window 5, order 2: (-3, 12, 17, 12, -3) / 35, Savitzky and Golay's own example
        x = np.zeros((1, 11, 1))
        x[0, 5] = 1
        out = filters.savitzky_golay(x, 5, 2)[0, 3:8, 0]
        np.testing.assert_allclose(out, np.array([-3, 12, 17, 12, -3]) / 35, atol=1e-12)
        np.testing.assert_allclose(savgol_coeffs(5, 3), savgol_coeffs(5, 2), atol=1e-12)

    def test_short_clips_are_left_or_given_a_shorter_window(self) -> None:
        x = np.random.default_rng(0).normal(size=(1, 3, 2))
        assert (filters.savitzky_golay(x, 25, 3) == x).all()
        assert filters.savitzky_golay(x, 25, 1) == pytest.approx(filters.savitzky_golay(x, 3, 1))


class TestOneEuro:
    def test_without_beta_it_is_a_first_order_low_pass(self) -> None:
        x = np.ones((1, 10, 1))
        x[0, 0] = 0
        # cutoff fps / 2 pi: alpha = 1 / 2, so a step is halved in every frame
        out = filters.one_euro(x, 30.0, 30.0 / (2 * np.pi), 0.0)[0, :, 0]
        np.testing.assert_allclose(out, 1 - 0.5 ** np.arange(10))

    def test_speed_opens_it(self) -> None:
        # the authors' filter by hand, two frames: alpha_d at 1 Hz, then the cutoff at beta |speed|
        x = np.array([0.0, 1.0, 1.0])[None, :, None]
        alpha_d = 1 / (1 + 30 / (2 * np.pi))
        speed = [0, alpha_d * 30, alpha_d * 30 * (1 - alpha_d)]
        alpha = [1 / (1 + 30 / (2 * np.pi * (1.0 + 0.7 * s))) for s in speed]
        first = alpha[1]
        second = first + alpha[2] * (1 - first)
        out = filters.one_euro(x, 30.0, 1.0, 0.7)[0, :, 0]
        np.testing.assert_allclose(out, [0, first, second])
        assert (out >= filters.one_euro(x, 30.0, 1.0, 0.0)[0, :, 0]).all()

    @given(seeds)
    def test_what_stands_still_stays(self, seed: int) -> None:
        x = np.random.default_rng(seed).normal(size=(2, 1, 3)) * np.ones((1, 9, 1))
        np.testing.assert_allclose(filters.one_euro(x, 30.0, 1.0, 1.0), x)


class TestChosenFilters:
    def test_filters_make_noise_smaller_on_other_clips_than_they_were_set_on(self) -> None:
        rng = np.random.default_rng(0)
        truth = [swinging(k, 64) for k in range(6)]
        noisy = [noise.white(c, rng, 0.05) for c in truth]
        for kind in filters.GRIDS:
            chosen = filters.choose(kind, truth[:3], noisy[:3])
            wanted = np.stack([c.positions() for c in truth[3:]])
            before = np.stack([c.positions() for c in noisy[3:]])
            after = np.stack([c.positions() for c in chosen(noisy[3:])])
            assert (
                metrics.joint_errors(wanted, after).mean() < 0.8 * metrics.joint_errors(wanted, before).mean()
            )
            worst = metrics.acceleration_errors(wanted, before).mean()
            assert metrics.acceleration_errors(wanted, after).mean() < 0.5 * worst

    @pytest.mark.parametrize("on", filters.ON)
    def test_a_clip_alone_is_filtered_as_among_others(self, on: str) -> None:
        clips = [swinging(k, 30) for k in range(3)]
        smooth = filters.Filter("savitzky_golay", on, 7, 1)
        together, alone = smooth(clips), [smooth([c])[0] for c in clips]
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a.rotations, b.rotations, atol=1e-12)
        assert smooth([]) == []


class TestBootstrap:
    def test_covers_the_mean_as_often_as_it_says(self) -> None:
        rng = np.random.default_rng(0)
        hits = 0
        for k in range(200):
            low, high = bootstrap.interval(rng.normal(3, 1, 60), rounds=400, seed=k)
            hits += low <= 3 <= high
        assert 0.88 < hits / 200 < 0.99

    def test_of_normal_values_is_two_standard_errors_wide(self) -> None:
        values = np.random.default_rng(1).normal(0, 2, 400)
        low, high = bootstrap.interval(values, rounds=4000)
        expected = 2 * 1.96 * values.std() / np.sqrt(400)
        assert high - low == pytest.approx(expected, rel=0.06)

    def test_weights_and_nan(self) -> None:
        assert bootstrap.interval([5.0, 5.0, np.nan]) == (5, 5)
        assert bootstrap.interval([1.0, 9.0], [1.0, 0.0]) == (1, 1)
        assert np.isnan(bootstrap.interval([np.nan])).all()
        assert np.isnan(bootstrap.interval([])).all()

    def test_below_is_drawn_in_pairs(self) -> None:
        baseline = np.random.default_rng(2).uniform(1, 100, 50)  # windows differ widely, the share does not
        assert bootstrap.below(0.3 * baseline, baseline) == pytest.approx((70, 70))
        assert bootstrap.below(2 * baseline, baseline) == pytest.approx((-100, -100))
        assert np.isnan(bootstrap.below([0.0], [0.0])).all()
