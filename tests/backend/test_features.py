"""Windows as tensors: the same maths as in numpy, and frames of reference that come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import features
from blender_addon.motion import constraints, interpolation, kinematics, rotations
from blender_addon.motion.clip import Clip, heading
from blender_addon.motion.constraints import Request
from blender_addon.motion.skeleton import INDEX, JOINTS, PARENTS
from tests.motion.strategies import angles, quaternions, random_clip, random_quaternions, seeds, vectors

J = len(JOINTS)


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(x.astype(np.float32) if x.dtype == np.float64 else x))[None]


def window(request: Request, valid: np.ndarray | None = None) -> features.Window:
    clip = request.clip
    valid = np.ones(len(clip), bool) if valid is None else valid
    return features.Window(
        tensor(clip.rotations), tensor(clip.root_positions), tensor(clip.skeleton.offsets),
        tensor(request.rotation_known), tensor(request.root_known), tensor(valid),
    )  # fmt: skip


def masked(seed: int, frames: int, share: float) -> Request:
    rng = np.random.default_rng(seed)
    known = rng.random((frames, J)) < share
    known[0, 0] = known[-1, 1] = True
    root = rng.random(frames) < share
    root[rng.integers(frames)] = True
    return constraints.inbetween(random_clip(rng, frames), known.any(1), known, root)


def turned(a: np.ndarray, b: torch.Tensor) -> float:
    return float(rotations.angle_between(a, b[0].double().numpy()).max())


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 40), st.sampled_from([0.03, 0.3, 0.9]))
def test_tensors_are_filled_as_clips_are(seed: int, frames: int, share: float) -> None:
    request = masked(seed, frames, share)
    expected, out = interpolation.fill(request), features.interpolate(window(request))
    # two keys nearly half a turn apart may be joined by either way: leave those out
    before, after, _ = interpolation.neighbours(request.rotation_known)
    q, joints = request.clip.rotations, np.arange(J)
    clear = rotations.angle_between(q[before, joints], q[after, joints]) < 3.0
    error = rotations.angle_between(expected.rotations, out.rotations[0].double().numpy())
    assert error[clear].max(initial=0) < 2e-3
    assert np.abs(expected.root_positions - out.root[0].numpy()).max() < 1e-5
    known = request.rotation_known
    assert (out.rotations[0].numpy()[known] == q.astype(np.float32)[known]).all()


def test_what_is_known_nowhere_is_filled_with_the_t_pose() -> None:
    known = np.zeros((6, J), bool)
    known[[0, 5], 0] = True
    request = constraints.inbetween(random_clip(np.random.default_rng(0), 6), [0, 5], known)
    out = features.interpolate(window(request)).rotations[0, :, 1:]
    assert (out == torch.tensor([1.0, 0, 0, 0])).all()


@settings(max_examples=40, deadline=None)
@given(quaternions(), quaternions(), vectors)
def test_rotations_agree_with_numpy(a: np.ndarray, b: np.ndarray, v: np.ndarray) -> None:
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    assert np.allclose(features.multiply(ta, tb), rotations.multiply(a, b))
    assert np.allclose(features.to_matrix(ta), rotations.to_matrix(a))
    assert np.allclose(features.to_6d(ta), rotations.to_6d(a))
    assert np.allclose(features.matrix_from_6d(features.to_6d(ta)), rotations.to_matrix(a), atol=1e-6)
    assert np.allclose(features.rotate(ta, torch.from_numpy(v.copy())), rotations.rotate(a, v))
    assert np.allclose(np.abs((features.quaternions(features.to_matrix(ta)) * a).sum()), 1)


@given(quaternions(), angles, st.floats(0, 1))
def test_slerp_agrees_with_numpy(a: np.ndarray, angle: float, t: float) -> None:
    b = rotations.multiply(a, rotations.from_axis_angle([0.0, min(angle, 3.0), 0.0]))
    out = features.slerp(torch.from_numpy(a), torch.from_numpy(b), torch.tensor(t, dtype=torch.float64))
    assert rotations.angle_between(rotations.slerp(a, b, t), out.numpy()) < 1e-6


def test_forward_kinematics_agrees_with_numpy() -> None:
    rng = np.random.default_rng(0)
    q, root = random_quaternions(rng, 2, 5, J), rng.normal(size=(2, 5, 3))
    offsets = rng.normal(size=(2, J, 3))
    m, p = features.forward_kinematics(
        features.to_matrix(torch.from_numpy(q)), torch.from_numpy(root), torch.from_numpy(offsets)
    )
    for b in range(2):
        moved = np.broadcast_to(offsets[b], (5, J, 3)).copy()
        moved[:, 0] = root[b]
        globally, positions = kinematics.forward(PARENTS, q[b], moved)
        assert np.allclose(m[b], rotations.to_matrix(globally))
        assert np.allclose(p[b], positions)


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(-3, 3), st.booleans())
def test_a_window_in_its_own_frame_comes_back(seed: int, jitter: float, shake: bool) -> None:
    request = masked(seed, 12, 0.3)
    filled = features.interpolate(window(request))
    local, frame = features.localise(filled, torch.tensor([jitter]) if shake else None)
    m, root = features.restore(features.to_matrix(local.rotations), local.root, frame)
    assert np.allclose(m, features.to_matrix(filled.rotations), atol=2e-5)
    assert np.allclose(root, filled.root, atol=2e-5)
    # the same change of frame for the truth, joints and all
    truth = features.apply(window(request), frame)
    again, placed = features.restore(features.to_matrix(truth.rotations), truth.root, frame)
    assert np.allclose(again, features.to_matrix(window(request).rotations), atol=2e-5)
    assert np.allclose(placed, request.clip.root_positions, atol=2e-5)
    _, local_joints = features.forward_kinematics(
        features.to_matrix(local.rotations), local.root, local.offsets
    )
    _, joints = features.forward_kinematics(features.to_matrix(filled.rotations), filled.root, filled.offsets)
    back = features.rotate(frame.turn[:, None, None], joints - frame.place[:, None, None]) / frame.scale
    assert np.allclose(local_joints, back, atol=1e-4)


def test_the_anchor_faces_ahead_over_the_origin_on_the_same_ground() -> None:
    clip = random_clip(np.random.default_rng(5), 20).moved(rotations.IDENTITY, [30.0, 0, -20.0])
    request = constraints.inbetween(clip, [0, 1, 2, 19])
    local, frame = features.localise(features.interpolate(window(request)))
    assert frame.scale == pytest.approx(clip.hip_height)
    assert torch.allclose(local.root[0, 2, ::2], torch.zeros(2), atol=1e-5)
    assert float(local.root[0, 2, 1]) == pytest.approx(clip.root_positions[2, 1] / clip.hip_height, rel=1e-4)
    facing = Clip(clip.skeleton, local.rotations[0].double().numpy(), local.root[0].double().numpy())
    assert abs((heading(facing)[2] + np.pi) % (2 * np.pi) - np.pi) < 1e-4


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([0, 1, 2, 9], 2),  # the last known frame before the first unknown one
        ([0, 9], 0),
        ([3, 4, 9], 4),  # nothing known at first: the gap after the first known frame counts
        ([5], 5),
        (list(range(10)), 9),
        ([], 9),  # nothing known anywhere: any frame of the filling will do
    ],
)
def test_anchor(keys: list[int], expected: int) -> None:
    known = torch.zeros(1, 10, J, dtype=torch.bool)
    known[:, keys] = True
    place = known[..., 0].clone()
    some = torch.zeros(1, 10, 1)
    w = features.Window(some, some, some, known, place, torch.ones(1, 10, dtype=torch.bool))
    assert int(features.anchor(w)) == expected


def test_without_a_known_pelvis_any_known_joint_anchors() -> None:
    known = torch.zeros(2, 10, J, dtype=torch.bool)
    known[:, [4, 8], INDEX["head"]] = True
    some = torch.zeros(2, 10, 1)
    w = features.Window(some, some, some, known, torch.zeros(2, 10, dtype=torch.bool), some[..., 0] == 0)
    assert features.anchor(w).tolist() == [4, 4]


def test_inputs_tell_where_the_known_poses_are_and_what_is_known() -> None:
    request = constraints.inbetween(random_clip(np.random.default_rng(1), 11), [2, 3, 8])
    filled, _ = features.localise(features.interpolate(window(request)))
    x = features.inputs(filled)
    assert x.since[0, 2:9].tolist() == [0, 0, 1, 2, 3, 4, 0]
    assert x.until[0, 2:9].tolist() == [0, 0, 4, 3, 2, 1, 0]
    known = features.known_channels(x)
    assert known.shape == x.base.shape
    assert known[0, 2].all()
    assert not known[0, 5].any()
    assert x.base.shape[-1] == features.CHANNELS
    # joints are over the root's place on the ground
    assert np.allclose(x.positions[0, :, 0, 0], 0, atol=1e-5)
    assert np.allclose(x.positions[0, :, 0, 1], x.base[0, :, features.ROTATION + 1], atol=1e-5)
    m, root = features.poses(x.base)
    assert np.allclose(m, features.to_matrix(filled.rotations), atol=1e-5)
    assert np.allclose(root, filled.root)


def test_padding_at_the_end_does_not_change_the_filling_of_what_is_valid() -> None:
    request = masked(3, 20, 0.3)
    short = features.interpolate(window(request))
    longer = window(request)

    def pad(x: torch.Tensor, value: float = 0.0) -> torch.Tensor:
        return torch.cat((x, torch.full_like(x[:, :1], value).expand(-1, 7, *x.shape[2:])), 1)

    padded = features.Window(
        pad(longer.rotations, 0.5), pad(longer.root), longer.offsets,
        pad(longer.rotation_known, False), pad(longer.root_known, False), pad(longer.valid, False),
    )  # fmt: skip
    out = features.interpolate(padded)
    assert torch.equal(out.rotations[:, :20], short.rotations)
    assert torch.equal(out.root[:, :20], short.root)
