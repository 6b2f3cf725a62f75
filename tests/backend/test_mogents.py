"""MoGenTS as a system: what is known stays to the bit, long ranges in one piece, poses and paths reconciled."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import features, tasks
from backend.nn import masked, quantiser
from backend.nn.mogents import MoGenTS as Networks
from backend.systems import mogents as m
from backend.systems.mogents import MoGenTS
from backend.windows import CONTEXT, around
from blender_addon.motion import constraints
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.constraints import Request, Result
from blender_addon.motion.errors import JobCancelled
from blender_addon.motion.skeleton import INDEX
from tests.backend.conftest import waving

CODES = quantiser.Architecture(width=8, depth=1, codes=8, levels=2)
SIZES = masked.Architecture(width=8, heads=2, hidden=8, pose_width=16, pose_heads=2, pose_hidden=16, rounds=1,
                            residual_rounds=1, dropout=0.0)  # fmt: skip
WINDOW = 64

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def system() -> MoGenTS:
    torch.manual_seed(0)
    network = Networks(CODES, SIZES)
    network.quantiser.codebooks.books.normal_()
    return MoGenTS(network, frozenset({"text", "edit"}), WINDOW, masked.Sampling(steps=3))


def run(request: Request, system: MoGenTS) -> Result:
    return tasks.run(request, system, lambda step, total: None, lambda: False)


@pytest.mark.parametrize("fps", [30.0, 24.0])
def test_an_arm_is_made_anew_and_everything_else_stays_to_the_bit(system: MoGenTS, fps: float) -> None:
    clip = waving(90, fps)
    asked = np.zeros((90, 22), bool)
    asked[20:60, [INDEX[f"left_{j}"] for j in ("shoulder", "elbow", "wrist")]] = True
    result = run(constraints.edit(clip, asked), system)
    out = result.clips[0]
    assert np.array_equal(out.rotations[~asked], clip.rotations[~asked])
    assert np.array_equal(out.root_positions, clip.root_positions)
    assert not np.allclose(out.rotations[asked], clip.rotations[asked], atol=1e-3)
    assert result.report["key_change"] == 0


def test_time_is_edited_between_frames_that_stay(system: MoGenTS) -> None:
    clip = waving(100)
    asked = np.zeros((100, 22), bool)
    asked[30:70] = True
    out = run(constraints.edit(clip, asked, asked[:, 0]), system).clips[0]
    assert np.array_equal(out.rotations[~asked], clip.rotations[~asked])
    assert np.array_equal(out.root_positions[~asked[:, 0]], clip.root_positions[~asked[:, 0]])


def test_a_long_motion_is_made_in_windows_without_a_jump(system: MoGenTS) -> None:
    result = run(constraints.text(rest_clip(200), ()), system)
    pieces = m.pieces(200, WINDOW)
    assert result.report["evaluations"] == len(pieces) * system.evaluations(0)
    q = torch.tensor(result.clips[0].rotations)
    turning = 2 * torch.acos((q[1:] * q[:-1]).sum(-1).abs().clamp(max=1)).amax(-1)
    seams = [start + min(m.CONTEXT, WINDOW // 2) - 1 for start, _ in pieces[1:]]
    assert turning[seams].max() <= turning.max()
    assert turning[seams].max() < 3 * turning.median() + 0.3


def test_windows_that_are_drawn_are_shown_and_change_nothing(
    system: MoGenTS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SHOWN_SECONDS", 0)  # every window, however quick
    monkeypatch.setattr(tasks, "SHOWN_TIMES", 0)
    clip = waving(300, 24.0)
    asked = np.zeros((300, 22), bool)
    asked[20:280] = True
    request = constraints.edit(clip, asked, asked[:, 0], variations=2)
    seen: list[tuple[Clip, int]] = []
    result = tasks.run(request, system, lambda step, total: None, lambda: False, lambda *s: seen.append(s))
    counts = [frames for _, frames in seen]
    assert len(counts) >= 2
    assert counts == sorted(set(counts)), "of the first variation only"
    assert counts[0] < 280
    for so_far, frames in seen:
        assert np.array_equal(so_far.rotations[~asked], clip.rotations[~asked])
        assert np.allclose(so_far.rotations[frames + 1 :], result.baseline.rotations[frames + 1 :], atol=1e-9)
        assert not np.allclose(so_far.rotations[20:frames], result.baseline.rotations[20:frames], atol=1e-2)
    for one, other in zip(result.clips, run(request, system).clips, strict=True):
        assert np.array_equal(one.rotations, other.rotations)


def test_seeds_and_variations_differ_and_come_again(system: MoGenTS) -> None:
    request = constraints.text(rest_clip(30), (), variations=2)
    one, two = run(request, system).clips
    again = run(request, system).clips[1]
    assert not np.allclose(one.rotations, two.rotations)
    assert np.array_equal(two.rotations, again.rotations)


def test_motion_goes_on_from_a_pose(system: MoGenTS) -> None:
    clip = waving(40)
    out = run(constraints.text(clip, (), start_pose=True), system).clips[0]
    assert np.array_equal(out.rotations[0], clip.rotations[0])
    assert np.array_equal(out.root_positions[0], clip.root_positions[0])
    step = np.linalg.norm(np.diff(out.root_positions, axis=0), axis=1)
    assert step[0] <= step.max()


def test_a_cancelled_run_stops_at_the_next_pass(system: MoGenTS) -> None:
    seen: list[int] = []

    def progress(step: int, total: int) -> None:
        del total
        seen.append(step)

    with pytest.raises(JobCancelled):
        tasks.run(constraints.text(rest_clip(30), ()), system, progress, lambda: len(seen) > 1)
    assert seen == [0, 1]


@given(st.integers(1, 2000), st.integers(8, 60))
@settings(deadline=None, max_examples=200)
def test_windows_cover_everything_and_share_whole_codes(frames: int, fours: int) -> None:
    longest = 4 * fours
    found = m.pieces(frames, longest)
    assert found[0][0] == 0
    assert found[-1][1] == frames
    assert all(0 < b - a <= longest for a, b in found)
    for (_, end), (start, stop) in pairwise(found):
        assert 0 < end - start <= m.CONTEXT
        assert (end - start) % 4 == 0
        assert stop > end


@given(st.floats(-3.1, 3.1), st.floats(-5, 5), st.floats(-5, 5))
@settings(deadline=None, max_examples=30)
def test_facing_undoes_a_turn_and_a_shift(angle: float, x: float, z: float) -> None:
    clip = waving(5)
    channels = features.channels(
        features.to_matrix(torch.tensor(clip.rotations[None])), torch.tensor(clip.root_positions[None])
    )
    turn, place = m.facing(channels[:, 0])
    own = m.turned(channels, turn, place)
    away = m.turned(
        own, torch.tensor([angle], dtype=own.dtype), None, torch.tensor([[x, 0, z]], dtype=own.dtype)
    )
    turn, place = m.facing(away[:, 0])
    assert torch.allclose(m.turned(away, turn, place), own, atol=1e-5)


@given(st.lists(st.booleans(), min_size=2, max_size=50))
@settings(deadline=None, max_examples=60)
def test_what_is_settled_is_met_and_the_rest_approached(flags: list[bool]) -> None:
    settled = torch.tensor(flags)[None, :, None].expand(1, -1, 23)
    torch.manual_seed(len(flags))
    motion, drawn = torch.randn(2, 1, len(flags), features.CHANNELS)
    out = m.reconciled(drawn, motion, settled)
    where = features.spread(settled)
    assert torch.allclose(out[where], motion[where], atol=1e-5)
    if not any(flags):
        assert torch.equal(out, drawn)
    far = [k for k in range(len(flags)) if all(abs(k - i) > m.FADE for i, f in enumerate(flags) if f)]
    assert torch.allclose(out[:, far, :132], drawn[:, far, :132], atol=1e-5)


def test_one_window_holds_what_is_unknown_and_its_surroundings() -> None:
    unknown = np.zeros(600, bool)
    unknown[100:120] = unknown[150] = unknown[500:520] = True
    spans = around(unknown)
    assert [(s.start, s.stop) for s in spans] == [
        (100 - CONTEXT, 151 + CONTEXT),
        (500 - CONTEXT, 520 + CONTEXT),
    ]


def test_a_bundle_gives_the_same_system_again(system: MoGenTS) -> None:
    entry, tensors = system.to_bundle()
    again = MoGenTS.from_bundle(entry, tensors)
    request = constraints.text(rest_clip(20), ())
    assert np.array_equal(run(request, system).clips[0].rotations, run(request, again).clips[0].rotations)
    with pytest.raises(RuntimeError):
        MoGenTS.from_bundle(entry, {**tensors, "more": torch.zeros(1)})
