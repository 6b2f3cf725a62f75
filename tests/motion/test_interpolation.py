"""The plain interpolation: slerp and lerp between what is known, which itself stays to the bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import constraints, interpolation, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.skeleton import INDEX, JOINTS
from tests.motion.strategies import random_clip, seeds

J = len(JOINTS)


@settings(deadline=None)
@given(seeds, st.integers(1, 40), st.sampled_from([0.0, 0.02, 0.3, 1.0]))
def test_neighbours_are_the_nearest_known_frames(seed: int, frames: int, share: float) -> None:
    known = np.random.default_rng(seed).random((frames, 3)) < share
    before, after, t = interpolation.neighbours(known)
    for c in range(3):
        keys = np.flatnonzero(known[:, c])
        for f in range(frames):
            low, high = keys[keys <= f], keys[keys >= f]
            if not keys.size:
                assert (before[f, c], after[f, c], t[f, c]) == (0, 0, 0)
                continue
            low, high = (low[-1] if low.size else high[0]), (high[0] if high.size else low[-1])
            assert (before[f, c], after[f, c]) == (low, high)
            assert t[f, c] == ((f - low) / (high - low) if high > low else 0)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 40), st.sampled_from([0.03, 0.3, 0.9]))
def test_known_values_stay_to_the_bit_and_only_they_count(seed: int, frames: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    clip = random_clip(rng, frames)
    known = rng.random((frames, J)) < share
    known[0, 0] = known[-1, 1] = True
    request = constraints.inbetween(clip, known.any(1), known, rng.random(frames) < share)
    out = interpolation.fill(request)
    assert (len(out), out.fps, out.skeleton) == (frames, clip.fps, clip.skeleton)
    assert out.rotations[known].tobytes() == clip.rotations[known].tobytes()
    at = request.root_known
    assert out.root_positions[at].tobytes() == clip.root_positions[at].tobytes()
    # other values where nothing is known, another result nowhere
    q, root = clip.rotations.copy(), clip.root_positions.copy()
    q[~known] = rotations.normalize(rng.normal(size=q[~known].shape))
    root[~at] = rng.normal(size=root[~at].shape)
    other = Clip(clip.skeleton, q, root, clip.fps)
    other.rotations[known] = clip.rotations[known]
    again = interpolation.fill(constraints.Request(**{**request.__dict__, "clip": other}))
    assert rotations.angle_between(out.rotations, again.rotations).max() < 1e-7
    assert (again.root_positions == out.root_positions).all()


def test_between_two_keys_it_turns_evenly_by_the_shorter_way_and_beyond_it_holds() -> None:
    clip = rest_clip(30)
    q, root = clip.rotations.copy(), clip.root_positions.copy()
    elbow = INDEX["left_elbow"]
    q[5, elbow] = rotations.from_axis_angle([0.0, 0.2, 0.0])
    q[25, elbow] = -rotations.from_axis_angle([0.0, 1.2, 0.0])
    root[25] = [1.0, 1.0, 2.0]
    out = interpolation.fill(constraints.inbetween(Clip(clip.skeleton, q, root), [5, 25]))
    angle = np.linalg.norm(rotations.to_axis_angle(out.rotations[:, elbow]), axis=-1)
    assert np.allclose(angle, np.interp(np.arange(30), [5, 25], [0.2, 1.2]))
    expected = [np.interp(np.arange(30), [5, 25], [root[5, a], root[25, a]]) for a in range(3)]
    assert np.allclose(out.root_positions, np.stack(expected, 1))


def test_what_is_known_nowhere_stands_in_the_t_pose_at_hip_height() -> None:
    clip = random_clip(np.random.default_rng(0), 12)
    known = np.zeros((12, J), bool)
    known[[2, 9], INDEX["head"]] = True
    out = interpolation.fill(constraints.inbetween(clip, [2, 9], known, np.zeros(12, bool)))
    others = [j for j in range(J) if j != INDEX["head"]]
    assert (out.rotations[:, others] == rotations.IDENTITY).all()
    assert (out.root_positions == [0.0, clip.hip_height, 0.0]).all()
    nothing = interpolation.fill(constraints.text(clip, ()))
    assert (nothing.rotations == rotations.IDENTITY).all()
