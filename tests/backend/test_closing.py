"""Closing: pins, paths and headings met, smoothly, and nothing that is known moved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import closing
from blender_addon.motion import constraints, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request
from blender_addon.motion.skeleton import INDEX
from tests.backend.conftest import waving

F = 48
LIMBS = ("left_wrist", "right_wrist", "left_ankle", "right_foot", "left_elbow", "right_knee")


def pinned(clip: Clip, joint: str, frames: list[int], by: np.ndarray, **more: object) -> Request:
    """A request that pins one joint, moved ``by`` from where it is."""
    known = np.zeros((len(clip), 22), bool)
    known[frames, INDEX[joint]] = True
    return constraints.follow(clip, clip.positions() + by, known, trust=0.5, **more)  # type: ignore[arg-type]


def off(clip: Clip, request: Request) -> float:
    assert request.targets is not None
    return float(np.linalg.norm(clip.positions() - request.targets, axis=-1)[request.position_known].max())


@pytest.mark.usefixtures("one_thread")
class TestClose:
    def test_nothing_asked_is_nothing_done(self):
        clip = waving(F)
        request = constraints.follow(clip, heading_known=np.eye(1, F, dtype=bool)[0])
        quiet = Request(**{**request.__dict__, "task": "text", "heading_known": np.zeros(F, bool)})
        assert closing.close(clip, quiet) is clip
        assert closing.exact(clip, quiet) is clip

    def test_a_pin_moves_the_frames_around_it_and_no_joint_jumps(self):
        clip = waving(F)
        request = pinned(clip, "right_wrist", [24], np.array([0.05, 0.12, 0.1]))
        bent = closing.close(clip, request)
        assert off(bent, request) < 0.25 * off(clip, request)
        moved = np.linalg.norm(bent.positions() - clip.positions(), axis=-1)[:, INDEX["right_wrist"]]
        assert moved.argmax() in range(21, 28)
        assert moved[20] > 0.2 * moved[24]
        assert np.abs(np.diff(bent.positions() - clip.positions(), 2, axis=0)).max() < 0.02

    def test_an_arm_moves_before_the_back(self):
        clip = waving(F)
        bent = closing.close(clip, pinned(clip, "left_wrist", [24], np.array([0.0, 0.1, 0.05])))
        turned = rotations.angle_between(bent.rotations, clip.rotations)[24]
        assert turned[INDEX["left_shoulder"]] > 3 * turned[INDEX["spine2"]]

    def test_what_is_known_is_not_bent(self):
        clip = waving(F)
        known = np.zeros((F, 22), bool)
        known[[0, 20, 47]] = True
        request = pinned(
            clip, "left_wrist", [24], np.array([0.0, 0.1, 0.1]), rotation_known=known, root_known=known[:, 0]
        )
        done = closing.exact(closing.close(clip, request), request)
        np.testing.assert_allclose(done.rotations[known], clip.rotations[known], atol=1e-12)
        np.testing.assert_allclose(
            done.root_positions[known[:, 0]], clip.root_positions[known[:, 0]], atol=1e-12
        )
        assert off(done, request) < 1e-3

    def test_a_path_and_headings_are_taken(self):
        clip = waving(F)
        targets = clip.positions()
        targets[:, 0] += np.stack([0.3 * np.sin(np.arange(F) / 20), np.zeros(F), np.zeros(F)], -1)
        every = np.ones(F, bool)
        request = constraints.follow(clip, targets, ground_known=every, trust=0.5, heading_known=every,
                                     headings=closing.heading(clip.rotations[:, 0]) + 0.3)  # fmt: skip
        found = closing.deviations(closing.close(clip, request), request)
        before = closing.deviations(clip, request)
        assert found["path"]["mean"] < 0.1 * before["path"]["mean"]  # type: ignore[index]
        assert found["heading"]["worst"] < 0.3 * before["heading"]["worst"]  # type: ignore[index]

    def test_a_body_does_not_fly_after_what_it_cannot_reach(self):
        clip = waving(F)
        request = pinned(clip, "right_wrist", [24], np.array([0.0, 5.0, 0.0]))
        done = closing.exact(closing.close(clip, request), request)
        assert np.abs(done.root_positions - clip.root_positions)[:, 1].max() < 0.12 * clip.hip_height
        (pin,) = closing.deviations(done, request)["pins"]  # type: ignore[misc]
        assert pin["missed"] == [[24, pytest.approx(pin["worst"])]]
        assert pin["worst"] > 3

    def test_a_soft_pin_draws_less_than_a_hard_one(self):
        clip = waving(F)
        by = np.array([0.0, 0.15, 0.1])
        left = [off(closing.close(clip, r), r) for r in (
            pinned(clip, "left_wrist", [24], by, firmness=f) for f in (1.0, 0.3, 0.05))]  # fmt: skip
        assert left[0] < left[1] < left[2]

    def test_whatever_step_raises_ends_the_work(self):
        def stop() -> None:
            raise InterruptedError

        clip = waving(F)
        with pytest.raises(InterruptedError):
            closing.close(clip, pinned(clip, "left_wrist", [24], np.array([0.0, 0.1, 0.1])), stop)


class TestExact:
    @settings(max_examples=25, deadline=None)
    @given(joint=st.sampled_from(LIMBS), frame=st.integers(0, F - 1), seed=st.integers(0, 2**32 - 1))
    def test_what_is_within_reach_is_met_to_a_millimetre(self, joint: str, frame: int, seed: int):
        """Targets are where a body with other angles has that joint, so every one of them can be reached."""
        rng, clip = np.random.default_rng(seed), waving(F)
        turned = rotations.multiply(
            clip.rotations, rotations.from_axis_angle(rng.normal(size=(F, 22, 3)) * 0.05)
        )
        other = Clip(clip.skeleton, turned, clip.root_positions, clip.fps)
        request = pinned(clip, joint, [frame], other.positions() - clip.positions())
        assert off(closing.exact(clip, request), request) < 1e-3

    def test_frames_beside_a_pin_go_some_of_the_way(self):
        clip = waving(F)
        done = closing.exact(clip, pinned(clip, "left_wrist", [24], np.array([0.0, 0.03, 0.0])))
        moved = np.linalg.norm(done.positions() - clip.positions(), axis=-1)[:, INDEX["left_wrist"]]
        assert np.all(np.diff(moved[18:25]) > 0)
        assert moved[10] == 0

    def test_only_hard_pins_are_met(self):
        clip = waving(F)
        request = pinned(clip, "left_wrist", [24], np.array([0.0, 0.03, 0.0]), firmness=0.9)
        assert closing.exact(clip, request) is clip


@given(st.integers(2, 60), st.floats(1.5, 20))
def test_splines_sum_to_one(frames: int, gap: float):
    basis = closing._splines(frames, gap)
    np.testing.assert_allclose(basis.sum(1), 1, atol=1e-9)
    assert (basis >= 0).all()
