"""From request to result: every rate and length, windows over long ranges, cancelling, seeds, exact keys."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import tasks, windows
from backend.nn.denoiser import Architecture, Denoiser
from backend.systems.base import Interpolation, System
from backend.systems.mmdm import MMDM
from blender_addon.motion import constraints, interpolation, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.constraints import Request, Result
from blender_addon.motion.errors import InvalidRequestError, JobCancelled
from blender_addon.motion.skeleton import JOINTS
from tests.motion.strategies import seeds

J = len(JOINTS)
INBETWEEN = frozenset({"inbetween"})


@pytest.fixture(scope="module")
def tiny() -> System:
    """A real network, two rounds, 16 wide, whose random weights say something."""
    torch.manual_seed(1)
    network = Denoiser(
        Architecture(pose_width=16, joint_width=8, heads=2, joint_heads=2, hidden=32, rounds=2)
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    return MMDM(network, INBETWEEN, 64, 3)


def walk(frames: int, fps: float = 30.0) -> Clip:
    """Everything swings, the root walks; the same motion at every rate."""
    clip = rest_clip(frames, fps)
    t = np.arange(frames)[:, None, None] / fps
    rng = np.random.default_rng(1)
    axes, phase = rng.normal(size=(1, J, 3)) * 0.3, rng.uniform(0, 6, (1, J, 1))
    root = clip.root_positions + np.concatenate([0.1 * np.sin(t[:, 0]), 0 * t[:, 0], 0.6 * t[:, 0]], 1)
    return Clip(clip.skeleton, rotations.from_axis_angle(axes * np.sin(2 * t + phase)), root, fps)


def run(request: Request, system: System) -> Result:
    return tasks.run(request, system, lambda step, total: None, lambda: False)


def partial(request: Request, rng: np.random.Generator) -> Request:
    """Some joints and places left out at the keys within."""
    known, root = request.rotation_known.copy(), request.root_known.copy()
    inner = np.flatnonzero(known.any(1))[1:-1]
    known[inner] &= rng.random((len(inner), J)) < 0.6
    root[inner] &= rng.random(len(inner)) < 0.5
    return constraints.inbetween(request.clip, known.any(1) | False, known, root)


FPS = [12.0, 24.0, 25.0, 29.97, 30.0, 60.0, 120.0]


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from(FPS), st.sampled_from([2, 3, 5, 17, 60, 131, 300]), st.booleans())
def test_any_rate_length_and_keys(tiny: System, seed: int, fps: float, frames: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    keys = rng.random(frames) < rng.choice([0.0, 0.02, 0.2, 0.7])
    if keys.sum() < 2:
        keys[[0, -1]] = True
    request = constraints.inbetween(walk(frames, fps), keys)
    request = request if whole else partial(request, rng)
    result = run(request, tiny)
    clip, known = result.clips[0], request.rotation_known
    assert (len(clip), clip.fps) == (frames, fps)
    assert (len(result.baseline), result.baseline.fps) == (frames, fps)
    assert result.report["key_change"] == 0.0
    assert tasks.key_change(request, clip) == 0.0
    assert clip.rotations[known].tobytes() == request.clip.rotations[known].tobytes()
    baseline = interpolation.fill(request)
    assert (result.baseline.rotations == baseline.rotations).all()
    keyed = np.flatnonzero(known.any(1))
    if np.diff(keyed).max(initial=0) > 1 and fps <= 30:  # between keys, the model says something
        assert not np.array_equal(clip.rotations, baseline.rotations)
    # beyond the first and the last key the pose is held
    at = np.flatnonzero(known.any(1) | request.root_known)
    for outside, edge in ((slice(0, at[0]), at[0]), (slice(at[-1] + 1, None), at[-1])):
        held = np.broadcast_to(clip.rotations[edge], clip.rotations[outside].shape)
        assert rotations.angle_between(clip.rotations[outside], held).max(initial=0) < 1e-6


@pytest.mark.parametrize("fps", FPS)
def test_known_frames_lie_on_grid_frames_that_know_the_same(fps: float) -> None:
    rng = np.random.default_rng(int(fps))
    for keys in ([1, 2, 3, 50], [0, 99], [7, 8, 61, 62, 63], list(range(30, 60))):
        request = partial(constraints.inbetween(walk(100, fps), keys), rng)
        grid = windows.to_grid(request)
        assert len(grid.filled) == int(np.ceil(99 * 30 / fps - 1e-6)) + 1
        assert grid.filled.fps == 30 or fps == 30
        assert (np.diff(grid.warp) >= 0).all()
        assert (grid.warp >= 0).all()
        assert grid.warp[-1] <= len(grid.filled) - 1
        at = np.flatnonzero(request.rotation_known.any(1) | request.root_known)
        place = grid.warp[at]
        assert (place == np.round(place)).all()
        assert np.abs(place - at * 30 / fps).max() < 1
        place = place.astype(int)
        known = request.rotation_known[at]
        assert grid.rotation_known[place][known].all()
        assert grid.root_known[place][request.root_known[at]].all()
        if fps <= 30:  # each has a grid frame of its own
            error = rotations.angle_between(grid.filled.rotations[place], request.clip.rotations[at])
            assert error[known].max() < 1e-7


def keys_at(frames: int, *keys: int) -> np.ndarray:
    out = np.zeros(frames, bool)
    out[list(keys)] = True
    return out


def check_plan(known: np.ndarray, whole: np.ndarray, asked: slice) -> list[windows.Span]:
    spans = windows.plan(known, whole, asked)
    assert spans[0].start == asked.start
    assert spans[-1].stop == asked.stop
    for span in spans:
        assert span.frames[0] == span.start
        assert span.frames[-1] == span.stop - 1
        assert list(span.frames) == sorted(set(span.frames))
        inside = np.flatnonzero(known[span.start : span.stop]) + span.start
        assert set(inside) <= set(span.frames), "a model must see every known frame of its window"
        if span.stop - span.start > windows.LONGEST:
            gap = np.diff(np.r_[span.start, inside, span.stop - 1]).max()
            assert gap >= windows.LONGEST - windows.OVERLAP, "no need for strides"
            assert len(span.frames) <= windows.LONGEST + inside.size
        else:
            assert len(span.frames) == span.stop - span.start
    for a, b in pairwise(spans):
        assert a.start < b.start
        assert a.stop < b.stop
        assert b.start < a.stop
        assert whole[b.start] or a.stop - b.start > windows.OVERLAP or b.start == a.start + 1
    return spans


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(2, 1000), st.sampled_from([0.0, 0.002, 0.01, 0.05, 0.5, 1.0]), st.floats(0, 1))
def test_windows_cover_every_frame(seed: int, frames: int, share: float, firm: float) -> None:
    rng = np.random.default_rng(seed)
    known = rng.random(frames) < share
    whole = known & (rng.random(frames) < firm)
    keys = np.flatnonzero(known)
    check_plan(known, whole, slice(0, frames))
    if keys.size > 1:
        check_plan(known, whole, slice(int(keys[0]), int(keys[-1]) + 1))


def test_windows_end_at_whole_keys_where_they_can() -> None:
    known = keys_at(1000, *range(0, 1000, 27), 999)
    for span in check_plan(known, known, slice(0, 1000)):
        assert known[span.start]
        assert known[span.stop - 1]
        assert span.stop - span.start <= windows.LONGEST
    whole = keys_at(1000, *range(0, 1000, 54), 999)
    for span in check_plan(known, whole, slice(0, 1000)):
        assert whole[span.start]
        assert whole[span.stop - 1]


def test_one_huge_gap_is_one_window_read_at_strides() -> None:
    known = keys_at(2101, 0, 40, 45, 2045, 2100)
    spans = check_plan(known, known, slice(0, 2101))
    long = [s for s in spans if s.stop - s.start > windows.LONGEST]
    assert [(s.start, s.stop - 1) for s in long] == [(45, 2045)]


@pytest.mark.parametrize(
    "keys",
    [(0, 2000), tuple(range(0, 2001, 2)), (3, 1990), tuple(range(0, 2001, 40)), (0, 5, 1000, 1001, 2000)],
)
def test_long_ranges_have_no_jumps_where_windows_meet(tiny: System, keys: tuple[int, ...]) -> None:
    request = constraints.inbetween(walk(2001), list(keys), options={"feet": False})
    result = run(request, tiny)
    assert result.report["key_change"] == 0.0
    grid = windows.to_grid(request)
    known = grid.rotation_known.any(1)
    spans = windows.plan(known, known, slice(min(keys), max(keys) + 1))
    borders = sorted({s.start for s in spans[1:]} | {s.stop - 1 for s in spans[:-1]})
    assert_no_jumps(result.clips[0], borders, request)


def assert_no_jumps(clip: Clip, borders: list[int], request: Request) -> None:
    """Steps at window borders stay within what those beside them are."""
    turn = rotations.angle_between(clip.rotations[1:], clip.rotations[:-1]).max(1)
    move = np.linalg.norm(np.diff(clip.root_positions, axis=0), axis=1)
    for steps in (turn, move):
        for b in borders:
            near = np.r_[steps[max(b - 6, 0) : max(b - 1, 0)], steps[b + 1 : b + 6]]
            assert steps[max(b - 1, 0) : b + 1].max() <= 1.5 * near.max() + 1e-3, f"a jump at frame {b}"


def test_joints_that_are_not_known_at_a_window_border_do_not_jump(tiny: System) -> None:
    frames = 400
    known = np.zeros((frames, J), bool)
    known[[0, -1]] = True
    known[20:-20:20, :11] = True  # the upper half of the body is keyed at the ends alone
    request = constraints.inbetween(walk(frames), known.any(1), known, options={"feet": False})
    result = run(request, tiny)
    spans = windows.plan(known.any(1), known.all(1) & request.root_known, slice(0, frames))
    assert len(spans) > 3
    borders = sorted({s.start for s in spans[1:]} | {s.stop - 1 for s in spans[:-1]})
    assert_no_jumps(result.clips[0], borders, request)


def test_progress_counts_up_to_the_end(tiny: System) -> None:
    seen: list[tuple[int, int]] = []
    request = constraints.inbetween(walk(300), [0, 100, 200, 299], variations=3)
    result = tasks.run(request, tiny, lambda step, total: seen.append((step, total)), lambda: False)
    total = result.report["evaluations"]
    assert total == (1 + 3 + 3) * result.report["windows"]
    assert seen == [(k, total) for k in range(total + 1)]


@pytest.mark.parametrize("after", [0, 1, 4])
def test_cancelling_stops_before_the_next_evaluation(tiny: System, after: int) -> None:
    seen: list[int] = []
    request = constraints.inbetween(walk(60), [0, 59], variations=3)
    with pytest.raises(JobCancelled):
        tasks.run(request, tiny, lambda step, total: seen.append(step), lambda: len(seen) >= after)
    assert len(seen) == after


def test_the_same_seed_gives_the_same_and_another_variation_or_seed_another(tiny: System) -> None:
    request = constraints.inbetween(walk(60), [0, 20, 59], variations=3, seed=7)
    first, again = run(request, tiny).clips, run(request, tiny).clips
    for a, b in zip(first, again, strict=True):
        assert a.rotations.tobytes() == b.rotations.tobytes()
        assert a.root_positions.tobytes() == b.root_positions.tobytes()
    other = run(replace(request, seed=8), tiny).clips
    free = 10
    different = [first[0], first[1], first[2], other[1]]
    for i, a in enumerate(different):
        for b in different[:i]:
            assert not np.allclose(a.rotations[free], b.rotations[free], atol=1e-5)
    assert (first[0].rotations == other[0].rotations).all(), "the best answer depends on no seed"
    alone = run(replace(request, variations=1), tiny).clips[0]
    assert (alone.rotations == first[0].rotations).all()


def test_interpolation_as_a_system_is_the_plain_interpolation() -> None:
    request = constraints.inbetween(walk(90, 24.0), [0, 10, 50, 89])
    result = run(request, Interpolation())
    assert (result.clips[0].rotations == interpolation.fill(request).rotations).all()
    assert (result.clips[0].root_positions == result.baseline.root_positions).all()


def test_feet_can_be_left_alone(tiny: System) -> None:
    clip = rest_clip(60)
    request = constraints.inbetween(clip, [0, 59])
    held, free = (run(replace(request, options={"feet": f}), tiny).clips[0] for f in (True, False))
    assert not np.array_equal(held.rotations, free.rotations)
    assert tasks.skating(held) <= tasks.skating(free)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"options": {"speed": 1}}, "options"),
        ({"options": {"feet": 1}}, "options"),
        ({"task": "refine"}, "task"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(tiny: System, change: dict, field: str) -> None:
    request = constraints.inbetween(walk(10), [0, 9])
    with pytest.raises(InvalidRequestError) as error:
        run(replace(request, **change), tiny)
    assert error.value.field == field
    assert error.value.remedy


def test_fewer_than_two_keys_are_refused_even_in_a_request_made_by_hand(tiny: System) -> None:
    request = constraints.inbetween(walk(10), [0, 9])
    known = request.rotation_known.copy()
    known[9] = False
    with pytest.raises(InvalidRequestError, match="fewer than two keyed frames"):
        run(replace(request, rotation_known=known), tiny)


def test_a_clip_far_from_the_origin_is_filled_as_one_near_it(tiny: System) -> None:
    near = constraints.inbetween(walk(60), [0, 30, 59])
    far = constraints.inbetween(walk(60).moved(rotations.IDENTITY, [3000.0, 0, -2000.0]), [0, 30, 59])
    a, b = run(near, tiny).clips[0], run(far, tiny).clips[0]
    assert np.abs(a.rotations - b.rotations).max() < 1e-4
    assert np.abs(b.root_positions - a.root_positions - [3000.0, 0, -2000.0]).max() < 1e-3


def test_a_turned_clip_is_filled_as_it_was(tiny: System) -> None:
    turn = rotations.from_axis_angle([0.0, 2.0, 0.0])
    # without feet: where a leg reaches its full length, its angles answer to rounding
    plain = constraints.inbetween(walk(60), [0, 30, 59], options={"feet": False})
    turned = replace(plain, clip=plain.clip.moved(turn, [0.0, 0, 0]))
    a, b = run(plain, tiny).clips[0].moved(turn, [0.0, 0, 0]), run(turned, tiny).clips[0]
    assert rotations.angle_between(a.rotations, b.rotations).max() < 1e-3
    assert np.abs(a.root_positions - b.root_positions).max() < 1e-3


# -- completion and refinement -------------------------------------------------------------------------

EVERYTHING = frozenset({"inbetween", "complete", "refine"})


def every_task(system: System) -> System:
    assert isinstance(system, MMDM)
    return MMDM(system.network, EVERYTHING, 64, 3)


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize("variation", [0, 1])
def test_completion_keeps_all_that_is_not_missing_bit_for_bit(
    tiny: System, fps: float, variation: int
) -> None:
    clip = walk(round(3 * fps), fps)
    missing = np.zeros((len(clip), J), bool)
    missing[5:-9, [16, 18, 20]] = True
    missing[: len(clip) // 2, 3] = True
    request = constraints.complete(clip, missing, variations=1 + variation)
    out = run(request, every_task(tiny)).clips[variation]
    assert (out.rotations[~missing] == clip.rotations[~missing]).all()
    assert (out.root_positions == clip.root_positions).all()
    assert (out.rotations[missing] != interpolation.fill(request).rotations[missing]).any()


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 120.0])
def test_refinement_keeps_what_is_trusted_wholly_and_moves_the_rest(tiny: System, fps: float) -> None:
    clip = walk(round(6 * fps), fps)
    confidence = np.full((len(clip), J), 0.5)
    confidence[: len(clip) // 3] = 1.0
    confidence[:, 12:16] = 1.0
    confidence[-4:] = 0.0  # not to be trusted at all
    request = constraints.refine(clip, confidence)
    result = run(request, every_task(tiny))
    out, kept = result.clips[0], confidence == 1
    assert (out.rotations[kept] == clip.rotations[kept]).all()
    assert (out.root_positions[kept[:, 0]] == clip.root_positions[kept[:, 0]]).all()
    assert result.report["key_change"] == 0.0
    turned = rotations.angle_between(out.rotations, clip.rotations)
    assert turned[~kept].max() > 1e-3
    assert (result.baseline.rotations[:-4] == clip.rotations[:-4]).all(), "the line beside it is the input"
    assert result.report["windows"] > 1


def test_interpolation_refines_nothing_and_completes_by_slerp() -> None:
    clip = walk(40)
    untouched = run(constraints.refine(clip, 0.5), Interpolation()).clips[0]
    assert (untouched.rotations == clip.rotations).all()
    missing = np.zeros((40, J), bool)
    missing[10:30, 18] = True
    request = constraints.complete(clip, missing)
    assert (run(request, Interpolation()).clips[0].rotations == interpolation.fill(request).rotations).all()


def test_fast_noise_does_not_fold_into_the_models_frame_rate() -> None:
    """At 120 fps a sine of 55 Hz would be one of 5 Hz at every fourth frame."""
    clip = walk(480, 120.0)
    shake = np.radians(8) * np.sin(2 * np.pi * 55 * np.arange(480) / 120)
    shaken = clip.rotations.copy()
    shaken[:, 16] = rotations.multiply(
        shaken[:, 16], rotations.from_axis_angle(np.eye(3)[0] * shake[:, None])
    )
    noisy = replace(clip, rotations=shaken)
    grid = windows.to_grid(constraints.refine(noisy, 0.5)).filled
    clean = windows.to_grid(constraints.refine(clip, 0.5)).filled
    inner = slice(4, -4)
    error = rotations.angle_between(grid.rotations[inner, 16], clean.rotations[inner, 16])
    assert np.degrees(error.max()) < 2.5
