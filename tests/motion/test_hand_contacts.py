"""Hands that rest on a body rest on another one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blender_addon.motion import bone_maps, hand_contacts, kinematics, retarget, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.skeleton import CANONICAL, INDEX, canonical

FRAMES = 60
HIP = float(CANONICAL.offsets[0, 1])


def body(arms: float = 1.0, shoulders: float = 1.0, hips: float = 1.0) -> retarget.Rig:
    """A character of other proportions."""
    o = np.array(CANONICAL.offsets)
    for side in ("left", "right"):
        for joint, ratio in (("elbow", arms), ("wrist", arms), ("shoulder", shoulders), ("hip", hips)):
            o[INDEX[f"{side}_{joint}"], 0] *= ratio
    skeleton = canonical(o)
    return retarget.make_rig(skeleton, bone_maps.find(skeleton))


def reaching(goals: dict[str, tuple[float, float, float]]) -> Clip:
    """Arms that hang, go to a place over the middle third of the clip, and hang again; the palms get there."""
    clip = rest_clip(FRAMES)
    local = clip.rotations.copy()
    there = np.clip(np.minimum(np.arange(FRAMES) - 10, 50 - np.arange(FRAMES)) / 10, 0, 1)[:, None]
    for side, goal in goals.items():
        sign = 1.0 if side == "left" else -1.0
        local[:, INDEX[f"{side}_shoulder"]] = rotations.from_axis_angle(np.array([0.0, 0.0, -1.3 * sign]))
        q, p = replace(clip, rotations=local).forward()
        shoulder, elbow, wrist = (INDEX[f"{side}_{j}"] for j in ("shoulder", "elbow", "wrist"))
        palm = hand_contacts.palms(CANONICAL, q, p)[:, 0 if sign > 0 else 1]
        target = p[:, wrist] + there * (np.array(goal) - palm)
        hinge = np.broadcast_to([0.0, -sign, 0.0], (FRAMES, 3))
        a, b = kinematics.two_bone_ik(p[:, shoulder], p[:, elbow], p[:, wrist], target, hinge)
        upper = rotations.multiply(a, q[:, shoulder])
        lower = rotations.multiply(b, q[:, elbow])
        local[:, shoulder] = upper
        local[:, elbow] = rotations.multiply(rotations.inverse(upper), lower)
        local[:, wrist] = rotations.multiply(rotations.inverse(lower), q[:, wrist])
    return replace(clip, rotations=local)


TOUCHES = {
    "together": {"left": (0.01, 1.15, 0.35), "right": (-0.01, 1.15, 0.35)},
    "head": {"left": (0.09, 1.62, 0.06)},
    "hips": {"left": (0.16, 0.97, 0.03), "right": (-0.16, 0.97, 0.03)},
    "forearm": {"left": (0.05, 1.26, 0.24), "right": (0.12, 1.15, 0.30)},
}


@pytest.mark.parametrize("what", TOUCHES)
@pytest.mark.parametrize("other", [{"arms": 0.8}, {"shoulders": 1.6}, {"arms": 1.2, "hips": 1.5}])
def test_hands_rest_where_they_rested(what: str, other: dict[str, float]) -> None:
    clip, target = reaching(TOUCHES[what]), body(**other)
    q, p = clip.forward()
    found = hand_contacts.find(clip.skeleton, q, p, clip.fps)
    seen = found.together.any() if what == "together" else any(name == what for _, name in found.parts)
    assert seen, (what, sorted(found.parts))
    assert found.any()[25:35].any(1).all()
    plain = retarget.fit(clip, target)
    kept = hand_contacts.keep(plain, found)
    before, after = hand_contacts.missed(plain, found), hand_contacts.missed(kept, found)
    assert after < max(0.35 * before, 1.05 * hand_contacts.ENOUGH * HIP)
    far = hand_contacts.eased_in(found.any().any(1), round(hand_contacts.FADE * clip.fps)) == 0
    assert far.any()
    np.testing.assert_allclose(kept.rotations[far], plain.rotations[far], atol=1e-12)
    (a, _), (b, _) = plain.forward(), kept.forward()
    hands = [INDEX["left_wrist"], INDEX["right_wrist"], INDEX["left_ankle"], INDEX["head"]]
    assert np.degrees(rotations.angle_between(a[:, hands], b[:, hands])).max() < 1e-4
    steps = rotations.angle_between(kept.rotations[1:], kept.rotations[:-1])
    own = rotations.angle_between(plain.rotations[1:], plain.rotations[:-1])
    assert np.degrees(steps.max()) < np.degrees(own.max()) + 12, "comes and goes without a jolt"


def test_the_same_body_stays_as_it_is() -> None:
    clip = reaching(TOUCHES["hips"])
    found = hand_contacts.find(clip.skeleton, *clip.forward(), clip.fps)
    assert found.any().any()
    kept = hand_contacts.keep(clip, found)
    np.testing.assert_array_equal(kept.rotations, clip.rotations)
    assert hand_contacts.missed(clip, found) < 1e-9


def test_arms_that_hang_touch_nothing() -> None:
    clip = reaching({"left": (0.24, 0.75, 0.0), "right": (-0.24, 0.75, 0.0)})
    found = hand_contacts.find(clip.skeleton, *clip.forward(), clip.fps)
    assert not found.any().any()
    assert hand_contacts.keep(clip, found) is clip
    assert np.isnan(hand_contacts.missed(clip, found))


def test_hands_that_pass_a_part_quickly_do_not_rest_on_it() -> None:
    clip = reaching(TOUCHES["hips"])
    fast = hand_contacts.find(clip.skeleton, *clip.slice(14, 22).forward(), 600.0)
    assert not fast.any().any()


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_clips_too_short_to_say(frames: int) -> None:
    clip = rest_clip(frames)
    found = hand_contacts.find(clip.skeleton, *clip.forward(), clip.fps)
    assert found.any().shape == (frames, 2)
    assert len(hand_contacts.keep(clip, found)) == frames


@given(hnp.arrays(bool, st.integers(0, 50)), st.integers(1, 9))
def test_weights_are_one_where_true_and_change_slowly(when: np.ndarray, width: int) -> None:
    weight = hand_contacts.eased_in(when, width)
    assert (weight[when] == 1).all()
    assert ((weight >= 0) & (weight <= 1)).all()
    if when.any():
        assert np.abs(np.diff(weight)).max(initial=0) <= 1.6 / (width + 1)
    else:
        assert not weight.any()
