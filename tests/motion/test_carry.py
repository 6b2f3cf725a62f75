"""Only the change comes back, and only where it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import carry, parts, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.errors import InvalidRequestError
from blender_addon.motion.skeleton import JOINTS, Skeleton


def chain(frames: int, seed: int) -> Clip:
    rng = np.random.default_rng(seed)
    skeleton = Skeleton(("r", "a", "b", "c", "d"), np.array([-1, 0, 1, 0, 3]), rng.normal(size=(5, 3)))
    turned = rotations.normalize(rng.normal(size=(frames, 5, 4)))
    return Clip(skeleton, turned, rng.normal(size=(frames, 3)), 30)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sets(st.integers(0, 4)), st.sampled_from([None, 0]))
def test_no_change_leaves_all_and_a_change_touches_only_what_was_asked(
    seed: int, bones: set[int], root: int | None
) -> None:
    own, before, after = chain(7, seed), chain(7, seed + 1), chain(7, seed + 2)
    same = carry.carried(own, before, before, bones, root)
    assert rotations.angle_between(same.rotations, own.rotations).max() < 1e-6
    np.testing.assert_allclose(same.root_positions, own.root_positions, atol=1e-12)
    new = carry.carried(own, before, after, bones, root)
    others = [j for j in range(5) if j not in bones]
    assert new.rotations[:, others].tobytes() == own.rotations[:, others].tobytes()
    if root is None:
        assert new.root_positions.tobytes() == own.root_positions.tobytes()
    q_own, q_new = own.forward()[0], new.forward()[0]
    q_old, q_after = before.forward()[0], after.forward()[0]
    for j in bones:
        change = rotations.multiply(q_after[:, j], rotations.inverse(q_old[:, j]))
        assert rotations.angle_between(rotations.multiply(change, q_own[:, j]), q_new[:, j]).max() < 1e-6


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_what_is_there_stays_and_what_is_missing_lies_between(seed: int) -> None:
    clip, rng = chain(12, seed), np.random.default_rng(seed)
    missing = rng.random((12, 5)) < 0.5
    out = carry.interpolated(clip, missing)
    there = rotations.angle_between(out.rotations, clip.rotations)[~missing]
    assert there.max(initial=0) < 1e-7
    for j in range(5):
        frames = np.flatnonzero(~missing[:, j])
        if not frames.size:
            assert np.allclose(out.rotations[:, j], clip.skeleton.rest_rotations[j])
            continue
        held = out.rotations[: frames[0], j]
        assert rotations.angle_between(held, clip.rotations[frames[0], j]).max(initial=0) < 1e-7


def test_shapes_are_checked() -> None:
    with pytest.raises(InvalidRequestError, match="missing"):
        carry.interpolated(chain(3, 0), np.zeros((3, 4), bool))
    with pytest.raises(InvalidRequestError, match="frames"):
        carry.carried(chain(3, 0), chain(4, 0), chain(3, 0), [0])


def test_jerk_of_a_cubic_is_six() -> None:
    clip = rest_clip(20, 30.0)
    t = np.arange(20) / 30
    root = clip.root_positions + np.stack([t**3, 0 * t, 0 * t], -1)
    moving = Clip(clip.skeleton, clip.rotations, root, 30.0)
    asked = np.ones((20, 22), bool)
    assert carry.jerk(moving, asked) == pytest.approx(6.0, rel=1e-6)
    assert carry.jerk(moving, np.zeros((20, 22), bool)) == 0
    assert carry.jerk(rest_clip(3), np.ones((3, 22), bool)) == 0
    hand = np.zeros((20, 22), bool)
    hand[:, JOINTS.index("left_elbow")] = True
    assert carry.jerk(moving, hand) == pytest.approx(6.0, rel=1e-6)


def test_parts_of_the_body() -> None:
    assert parts.joints(["left_arm"]) == ("left_shoulder", "left_elbow", "left_wrist")
    assert parts.joints(["head", "spine", "head"]) == ("spine1", "spine2", "spine3", "head")
    assert parts.joints(["all"]) == JOINTS
    assert {parts.role(j) for j in parts.joints(["spine"])} == {"spine"}
    with pytest.raises(InvalidRequestError, match="tail"):
        parts.joints(["tail"])
