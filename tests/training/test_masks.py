"""Training masks: what each policy promises, for any seed and length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion.skeleton import INDEX, JOINTS
from tests.motion.strategies import seeds
from training.masks import COMPLETION, KEYED, PARTS, POLICIES, mask_weights

lengths = st.one_of(st.integers(12, 128), st.sampled_from([12, 64, 128]))


def gaps(known: np.ndarray) -> np.ndarray:
    """Lengths of the unknown runs between known frames. ``(F,)`` bool -> ``(n,)``."""
    steps = np.diff(np.flatnonzero(known)) - 1
    return steps[steps > 0]


@settings(max_examples=100, deadline=None)
@given(seeds, lengths, st.sampled_from(sorted(KEYED)))
def test_every_policy_makes_a_request_that_the_product_would_take(
    seed: int, frames: int, policy: str
) -> None:
    rotation, root = POLICIES[policy](np.random.default_rng(seed), frames)
    assert rotation.shape == (frames, len(JOINTS))
    assert root.shape == (frames,)
    assert rotation.dtype == root.dtype == bool
    assert rotation.any(1).sum() >= 2
    again = POLICIES[policy](np.random.default_rng(seed), frames)
    assert (again[0] == rotation).all()
    assert (again[1] == root).all()


@settings(max_examples=150, deadline=None)
@given(seeds, lengths, st.sampled_from(["transition", "sparse"]))
def test_whole_poses_from_first_to_last_with_gaps_of_2_to_60(seed: int, frames: int, policy: str) -> None:
    rotation, root = POLICIES[policy](np.random.default_rng(seed), frames)
    assert (rotation.all(1) == rotation.any(1)).all()
    assert (root == rotation[:, 0]).all()
    assert rotation[0].all()
    assert rotation[-1].all()
    found = gaps(root)
    assert ((found >= 2) & (found <= 60)).all()


@settings(max_examples=100, deadline=None)
@given(seeds, lengths)
def test_partial_poses_leave_out_limbs_joints_and_places_at_keys_of_sparse(seed: int, frames: int) -> None:
    rotation, root = POLICIES["partial"](np.random.default_rng(seed), frames)
    assert not root[~rotation.any(1)].any(), "a place without any joint is no key"


def test_all_of_what_is_asked_for_is_drawn() -> None:
    rng = np.random.default_rng(0)
    drawn = {p: [POLICIES[p](rng, 64) for _ in range(400)] for p in POLICIES}
    lengths = np.concatenate([gaps(root) for _, root in drawn["transition"] + drawn["sparse"]])
    assert lengths.min() == 2
    assert lengths.max() >= 55
    lone = [root[0] and not root[1] for _, root in drawn["transition"]]
    assert 0.3 < np.mean(lone) < 0.7, "a lone first key about half of the time"
    poses = [(r, root) for r, root in drawn["partial"]]
    assert any((r[:, 0] & ~root).any() for r, root in poses), "a pose without its place"
    arm = list(PARTS["left_arm"])
    others = [j for j in range(len(JOINTS)) if j not in arm]
    assert any((~r[:, arm].any(1) & r[:, others].all(1)).any() for r, _ in poses), "all but an arm"
    assert any((r.any(1) & (r.sum(1) < 8)).any() for r, _ in poses), "a few joints only"


def test_parts_are_limbs_and_torso_without_the_pelvis() -> None:
    joints = [j for part in PARTS.values() for j in part]
    assert len(set(joints)) == len(joints) == len(JOINTS) - 1
    assert INDEX["pelvis"] not in joints


@pytest.mark.parametrize("frames", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("policy", sorted(KEYED))
def test_very_short_windows_have_two_keys(policy: str, frames: int) -> None:
    for seed in range(20):
        rotation, _ = POLICIES[policy](np.random.default_rng(seed), frames)
        assert rotation.any(1).sum() >= 2


# -- completion ----------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(seeds, lengths, st.sampled_from(sorted(COMPLETION)))
def test_completion_leaves_something_out_and_something_to_go_by(seed: int, frames: int, policy: str) -> None:
    rotation, root = COMPLETION[policy](np.random.default_rng(seed), frames)
    assert rotation.shape == (frames, len(JOINTS))
    assert root.shape == (frames,)
    assert rotation.any()
    assert not rotation.all()


def test_patterns_a_and_b_are_the_papers() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        counts = (~COMPLETION["per_pose"](rng, 40)[0]).sum(1)
        assert (counts == counts[0]).all(), "the same share of every pose"
    counts = (~COMPLETION["per_joint"](rng, 40)[0]).sum(1)
    assert len(set(counts.tolist())) > 1


def test_equation_9() -> None:
    confidence, error = np.array([[1.0, 0.5, 0.0]]), np.array([[0.0, 1.0, 2.0]])
    assert np.allclose(mask_weights(confidence, error, 0.5), [[0.0, 0.5, 1.0]])
    assert np.allclose(mask_weights(confidence, error, 1.0), 1 - confidence)
    assert np.allclose(mask_weights(confidence, error * 0, 0.0), 0)


def test_pattern_c_masks_whole_limbs_at_a_time_more_than_chance() -> None:
    rng = np.random.default_rng(2)
    arm = list(PARTS["left_arm"])
    together = {}
    for name in ("weighted", "per_joint"):
        found = [~COMPLETION[name](rng, 60)[0][:, arm] for _ in range(60)]
        together[name] = np.mean([np.corrcoef(m[:, 1], m[:, 2])[0, 1] for m in found if m.any(0).all()])
    assert together["weighted"] > together["per_joint"] + 0.1
