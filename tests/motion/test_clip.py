from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip, blend, concatenate, heading, rest_clip
from blender_addon.motion.errors import InvalidRequestError, SkeletonError
from blender_addon.motion.skeleton import CANONICAL, MIRROR, canonical
from tests.motion.strategies import (
    quaternions,
    random_clip,
    random_quaternions,
    random_skeleton,
    seeds,
    vectors,
)


def close(a: Clip, b: Clip, tolerance=1e-9):
    assert len(a) == len(b)
    assert a.skeleton.names == b.skeleton.names
    assert rotations.angle_between(a.rotations, b.rotations).max(initial=0) < max(tolerance, 1e-7)
    np.testing.assert_allclose(a.root_positions, b.root_positions, atol=tolerance)
    np.testing.assert_allclose(a.positions(), b.positions(), atol=tolerance)


class TestMaking:
    def good(self):
        return {
            "skeleton": CANONICAL,
            "rotations": rotations.identity((3, 22)),
            "root_positions": np.zeros((3, 3)),
        }

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("rotations", np.ones((3, 21, 4))),
            ("rotations", np.ones((3, 22, 3))),
            ("rotations", np.ones(4)),
            ("rotations", np.zeros((3, 22, 4))),
            ("rotations", np.full((3, 22, 4), np.nan)),
            ("rotations", np.full((3, 22, 4), np.inf)),
            ("root_positions", np.zeros((2, 3))),
            ("root_positions", np.full((3, 3), np.inf)),
            ("fps", 0),
            ("fps", -30),
            ("fps", np.nan),
            ("fps", 1e9),
            ("translations", np.zeros((3, 22))),
            ("translations", np.full((3, 22, 3), np.nan)),
        ],
    )
    def test_refusals_name_their_field(self, field, value):
        with pytest.raises(InvalidRequestError) as error:
            Clip(**{**self.good(), field: value})
        assert error.value.field == field

    def test_the_frame_is_told(self):
        root = np.zeros((3, 3))
        root[1, 2] = np.nan
        with pytest.raises(InvalidRequestError, match="frame 1"):
            Clip(**{**self.good(), "root_positions": root})

    @settings(max_examples=25)
    @given(seeds)
    def test_rotations_become_unit_and_continuous(self, seed):
        rng = np.random.default_rng(seed)
        clip = random_clip(rng, 8)
        raw = clip.rotations * rng.uniform(0.5, 2, (8, 22, 1)) * rng.choice([-1, 1], (8, 22, 1))
        made = replace(clip, rotations=raw)
        np.testing.assert_allclose(np.linalg.norm(made.rotations, axis=-1), 1, atol=1e-14)
        assert ((made.rotations[1:] * made.rotations[:-1]).sum(-1) >= 0).all()
        close(made, clip)

    @settings(max_examples=25)
    @given(seeds)
    def test_unit_rotations_keep_their_bits(self, seed):
        clip = random_clip(np.random.default_rng(seed), 8)
        for again in (replace(clip), clip.slice(0, 8), clip.sample(range(8)), Clip(clip.skeleton, *(
                np.array(a) for a in (clip.rotations, clip.root_positions)))):  # fmt: skip
            np.testing.assert_array_equal(again.rotations, clip.rotations)
            np.testing.assert_array_equal(again.root_positions, clip.root_positions)

    def test_empty_and_single_frame_clips(self):
        for frames in (0, 1):
            clip = rest_clip(frames)
            assert len(clip) == frames
            assert clip.seconds == 0
            assert clip.positions().shape == (frames, 22, 3)
            assert heading(clip).shape == (frames,)
            assert len(clip.mirror()) == len(clip.resample(60)) == len(clip.slice(0, 5)) == frames

    def test_rest_clip_stands_at_the_origin(self):
        clip = rest_clip(2)
        np.testing.assert_allclose(clip.positions()[1], CANONICAL.rest_global()[1], atol=1e-12)
        assert clip.hip_height == pytest.approx(clip.positions()[0, 0, 1])


class TestSliceAndSample:
    @given(seeds, st.integers(-12, 12), st.integers(-12, 12))
    def test_slice_is_pythons(self, seed, start, stop):
        clip = random_clip(np.random.default_rng(seed), 7, translations=True)
        part = clip.slice(start, stop)
        np.testing.assert_array_equal(part.root_positions, clip.root_positions[start:stop])
        assert len(part.translations) == len(part)

    @given(seeds, st.sampled_from([24.0, 29.97, 60.0, 120.0, 7.5]))
    def test_resample_keeps_time(self, seed, fps):
        clip = random_clip(np.random.default_rng(seed), 20)
        other = clip.resample(fps)
        assert other.fps == fps
        assert clip.seconds - 1 / fps - 1e-6 < other.seconds <= clip.seconds + 1e-6
        time = (len(other) - 1) / fps * clip.fps
        close(other.slice(-1, len(other)), clip.sample([time], fps))
        np.testing.assert_array_equal(other.rotations[0], clip.rotations[0])

    def test_twice_the_rate_holds_every_frame_and_the_middle_between(self):
        clip = random_clip(np.random.default_rng(1), 10)
        double = clip.resample(60)
        assert len(double) == 19
        close(Clip(clip.skeleton, double.rotations[::2], double.root_positions[::2]), clip)
        middle = rotations.slerp(clip.rotations[:-1], clip.rotations[1:], np.full((9, 22), 0.5))
        assert rotations.angle_between(double.rotations[1::2], middle).max() < 1e-7

    def test_sampling_beyond_the_ends_holds(self):
        clip = random_clip(np.random.default_rng(2), 5, translations=True)
        held = clip.sample([-3, 99])
        np.testing.assert_array_equal(held.rotations[0], clip.rotations[0])
        np.testing.assert_array_equal(held.translations[1], clip.translations[4])

    def test_an_empty_clip_cannot_be_sampled(self):
        with pytest.raises(InvalidRequestError, match="without frames"):
            rest_clip(0).sample([0])


class TestMirror:
    @settings(max_examples=25)
    @given(seeds)
    def test_twice_is_the_same(self, seed):
        rng = np.random.default_rng(seed)
        clip = random_clip(rng, 5, translations=bool(seed % 2))
        twice = clip.mirror().mirror()
        np.testing.assert_array_equal(twice.rotations, clip.rotations)
        np.testing.assert_array_equal(twice.root_positions, clip.root_positions)
        np.testing.assert_array_equal(twice.skeleton.offsets, clip.skeleton.offsets)
        close(twice, clip)

    @settings(max_examples=25)
    @given(seeds)
    def test_positions_are_mirrored_with_sides_swapped(self, seed):
        rng = np.random.default_rng(seed)
        clip = random_clip(rng, 5)
        offsets = CANONICAL.offsets + rng.normal(size=(22, 3)) * 0.02
        crooked = replace(clip, skeleton=canonical(offsets))
        for c in (clip, crooked):
            expected = c.positions()[:, list(MIRROR)] * [-1, 1, 1]
            np.testing.assert_allclose(c.mirror().positions(), expected, atol=1e-9)

    def test_needs_as_many_pairs_as_joints(self):
        s = random_skeleton(np.random.default_rng(0), 4)
        with pytest.raises(SkeletonError, match="mirror pairs"):
            random_clip(np.random.default_rng(0), 3, s).mirror()


class TestMovedAndHeading:
    @given(seeds, quaternions(), vectors)
    def test_moved_moves_every_joint_alike(self, seed, turn, shift):
        clip = random_clip(np.random.default_rng(seed), 3)
        expected = rotations.rotate(turn, clip.positions()) + shift
        np.testing.assert_allclose(clip.moved(turn, shift).positions(), expected, atol=1e-9)

    @given(st.floats(-3, 3), st.floats(-1.2, 1.2))
    def test_heading_is_the_turn_about_y_whatever_the_bow(self, turn, bow):
        clip = rest_clip(1)
        bent = rotations.multiply(
            rotations.from_axis_angle([0, turn, 0]), rotations.from_axis_angle([bow, 0, 0])
        )
        q = clip.rotations.copy()
        q[:, 0] = bent
        assert np.cos(heading(replace(clip, rotations=q))[0] - turn) == pytest.approx(1, abs=1e-12)

    def test_heading_runs_on_past_half_turns(self):
        angle = np.linspace(0, 6 * np.pi, 80)
        q = rotations.identity((80, 22))
        q[:, 0] = rotations.from_axis_angle(angle[:, None] * [0, 1, 0])
        np.testing.assert_allclose(heading(Clip(CANONICAL, q, np.zeros((80, 3)))), angle, atol=1e-9)


class TestBlendAndConcatenate:
    @settings(max_examples=25)
    @given(seeds)
    def test_ends_and_middle(self, seed):
        rng = np.random.default_rng(seed)
        a, b = random_clip(rng, 6), random_clip(rng, 6, translations=True)
        close(blend(a, b, 0), a)
        close(blend(a, b, 1.0), b)
        per_frame = blend(a, b, np.linspace(0, 1, 6))
        np.testing.assert_allclose(per_frame.positions()[0], a.positions()[0], atol=1e-9)
        np.testing.assert_allclose(per_frame.positions()[-1], b.positions()[-1], atol=1e-9)
        half = blend(a, b, 0.5)
        whole = rotations.angle_between(a.rotations, b.rotations)
        np.testing.assert_allclose(rotations.angle_between(a.rotations, half.rotations), whole / 2, atol=1e-6)

    def test_weights_per_joint(self):
        rng = np.random.default_rng(0)
        a, b = random_clip(rng, 4), random_clip(rng, 4)
        weight = np.zeros((4, 22))
        weight[:, 5] = 1
        mixed = blend(a, b, weight)
        assert rotations.angle_between(mixed.rotations[:, 5], b.rotations[:, 5]).max() < 1e-7
        assert rotations.angle_between(mixed.rotations[:, 6], a.rotations[:, 6]).max() < 1e-7
        np.testing.assert_array_equal(mixed.root_positions, a.root_positions)

    def test_concatenate(self):
        rng = np.random.default_rng(1)
        a, b = random_clip(rng, 4), random_clip(rng, 3, translations=True)
        both = concatenate([a, b])
        assert len(both) == 7
        np.testing.assert_allclose(
            both.positions(), np.concatenate([a.positions(), b.positions()]), atol=1e-12
        )

    def test_mismatches_are_refused(self):
        rng = np.random.default_rng(2)
        a = random_clip(rng, 4)
        other = random_clip(rng, 4, random_skeleton(rng, 22))
        for b in (a.slice(0, 3), other):
            with pytest.raises(InvalidRequestError, match="clips"):
                blend(a, b, 0.5)
        for b in (replace(a, fps=60), other):
            with pytest.raises(InvalidRequestError, match="clips"):
                concatenate([a, b])

    def test_random_quaternions_far_apart_stay_unit(self):
        rng = np.random.default_rng(3)
        a = replace(random_clip(rng, 4), rotations=random_quaternions(rng, 4, 22))
        b = replace(a, rotations=-a.rotations)
        np.testing.assert_allclose(np.linalg.norm(blend(a, b, 0.3).rotations, axis=-1), 1, atol=1e-12)
