"""Finishing: known bits stay, seams get smoother and never rougher, standing feet stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import feet, ground, seams
from backend.finish import finish
from blender_addon.motion import constraints, interpolation, kinematics, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.constraints import Request
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import INDEX, JOINTS
from tests.motion.strategies import random_clip, seeds

LEFT = [INDEX[f"left_{n}"] for n in ("hip", "knee", "ankle")]
ANKLE = INDEX["left_ankle"]


def some_request(rng: np.random.Generator, frames: int) -> Request:
    """Random joints known at random frames, the root at others."""
    known = rng.random((frames, len(JOINTS))) < rng.choice([0.05, 0.3, 0.9])
    known[rng.random(frames) < 0.5] = False
    known[0, 3] = known[-1, 5] = True
    return constraints.inbetween(random_clip(rng, frames), known.any(1), known, rng.random(frames) < 0.3)


def smooth(frames: int, fps: float = 30.0, speed: float = 1.0) -> Clip:
    """A canonical clip whose joints and root swing slowly."""
    clip = rest_clip(frames, fps)
    t = np.arange(frames)[:, None, None] / fps * speed
    axes = np.random.default_rng(3).normal(size=(1, len(JOINTS), 3)) * 0.3
    root = clip.root_positions + np.stack([t[:, 0, 0] * 0, 0.02 * np.sin(t[:, 0, 0]), 0.5 * t[:, 0, 0]], 1)
    return Clip(clip.skeleton, rotations.from_axis_angle(axes * np.sin(t)), root, fps)


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from([2, 5, 9, 40]), st.booleans())
def test_known_values_come_back_bit_for_bit(seed: int, frames: int, stand: bool) -> None:
    rng = np.random.default_rng(seed)
    request = some_request(rng, frames)
    sample = random_clip(rng, frames)
    out = finish(sample, request, feet=stand)
    known = request.rotation_known
    assert out.rotations[known].tobytes() == request.clip.rotations[known].tobytes()
    at = request.root_known
    assert out.root_positions[at].tobytes() == request.clip.root_positions[at].tobytes()
    assert np.isfinite(out.rotations).all()
    assert np.allclose(np.linalg.norm(out.rotations, axis=-1), 1)


def test_keys_keep_the_sign_of_their_own_quaternions() -> None:
    # in the request the left knee turns on past half a turn between its keys; the sample does not
    clip = rest_clip(21)
    angle = np.linspace(0, 2 * np.pi * 0.95, 21)
    q = clip.rotations.copy()
    q[:, LEFT[1]] = rotations.from_axis_angle(angle[:, None] * [1.0, 0, 0])
    clip = Clip(clip.skeleton, q, clip.root_positions)
    request = constraints.inbetween(clip, [0, 20])
    assert clip.rotations[20, LEFT[1], 0] < 0
    for out in (finish(interpolation.fill(request), request), interpolation.fill(request)):
        assert (out.rotations[[0, 20]] == clip.rotations[[0, 20]]).all()


def with_kinks(rng: np.random.Generator, keys: list[int], frames: int, fps: float) -> tuple[Clip, Request]:
    """A smooth clip to which a change of velocity was given at every key, and its request."""
    clip = smooth(frames, fps)
    turn, move = np.zeros((frames, len(JOINTS), 3)), np.zeros((frames, 3))
    for a, b in zip([0, *keys], [*keys, frames - 1], strict=True):
        if b - a > 1:
            u = np.linspace(0, 1, b - a + 1)
            hump = (u * (1 - u))[:, None]
            turn[a : b + 1] += hump[..., None] * rng.normal(size=(len(JOINTS), 3)) * 0.3
            move[a : b + 1] += hump * rng.normal(size=3) * 0.2
    moved = Clip(
        clip.skeleton,
        rotations.multiply(clip.rotations, rotations.from_axis_angle(turn)),
        clip.root_positions + move,
        fps,
    )
    return moved, constraints.inbetween(clip, sorted({0, *keys, frames - 1}))


@settings(max_examples=20, deadline=None)
@given(
    seeds, st.sampled_from([12.0, 30.0, 60.0, 120.0]), st.sets(st.integers(3, 56), min_size=1, max_size=12)
)
def test_no_velocity_step_at_a_key_grows(seed: int, fps: float, keys: set[int]) -> None:
    clip, request = with_kinks(np.random.default_rng(seed), sorted(keys), 60, fps)
    before = np.linalg.norm(seams.steps(clip), axis=-1)
    after = np.linalg.norm(seams.steps(seams.smooth_seams(clip, request)), axis=-1)
    known = np.concatenate([request.rotation_known, request.root_known[:, None]], 1)
    assert (after[known] <= before[known] * (1 + 1e-5) + 1e-8).all()


@pytest.mark.parametrize("fps", [24.0, 30.0, 120.0])
@pytest.mark.parametrize("beside", ["free", "known before", "known after"])
def test_a_lone_velocity_step_all_but_vanishes_and_the_key_stays(fps: float, beside: str) -> None:
    clip, _ = with_kinks(np.random.default_rng(0), [40], 81, fps)
    keys = {"free": [0, 40, 80], "known before": [*range(41), 80], "known after": [0, *range(40, 81)]}
    request = constraints.inbetween(clip, keys[beside])
    out = seams.smooth_seams(clip, request)
    before, after = (np.linalg.norm(seams.steps(c)[40], axis=-1) for c in (clip, out))
    assert (before > 1e-3).any()
    assert (after < 0.15 * before + 1e-6).all()
    assert np.allclose(
        out.rotations[request.rotation_known], clip.rotations[request.rotation_known], atol=1e-12
    )
    assert np.allclose(out.root_positions[request.root_known], clip.root_positions[request.root_known])
    # velocities on either side meet: the difference of the root's is far below what it was
    for c, factor in ((clip, 1.0), (out, 0.35)):
        jump = np.linalg.norm(np.diff(c.root_positions[39:42], 2, axis=0))
        reference = np.linalg.norm(np.diff(clip.root_positions[39:42], 2, axis=0))
        assert jump <= factor * reference + 1e-3


def test_a_smooth_clip_is_left_as_it_is() -> None:
    clip = smooth(60)
    request = constraints.inbetween(clip, [0, 20, 40, 59])
    out = seams.smooth_seams(clip, request)
    assert np.abs(out.rotations - clip.rotations).max() < 2e-5
    assert np.abs(out.root_positions - clip.root_positions).max() < 2e-5


def test_poses_held_beyond_the_last_key_stay_held() -> None:
    clip, _ = with_kinks(np.random.default_rng(2), [20], 41, 30.0)
    hold = clip.sample(np.minimum(np.arange(60), 40))
    known = np.zeros((60, len(JOINTS)), bool)
    known[[0, 20]] = True
    known[40, : len(JOINTS) // 2] = True
    request = constraints.inbetween(hold, known.any(1), known)
    out = seams.smooth_seams(hold, request)
    assert np.abs(np.diff(out.rotations[40:], axis=0)).max() < 1e-12
    assert np.abs(np.diff(out.root_positions[40:], axis=0)).max() < 1e-12


def standing(frames: int = 60, slide: float = 0.3, fps: float = 30.0) -> Clip:
    """Someone stands on flat feet; between frames 10 and 50 the whole body drifts and comes back."""
    clip = rest_clip(frames, fps)
    t = np.clip((np.arange(frames) / fps - 10 / 30) / (40 / 30), 0, 1)
    root = clip.root_positions.copy()
    root[:, 2] += 0.1 * slide * np.sin(np.pi * t)
    root[:, 1] -= 0.03  # knees bend a little, so that a leg has room
    clip = Clip(clip.skeleton, clip.rotations, root, fps)
    return _bend_knees(clip)


def _bend_knees(clip: Clip, lift: float = 0.03) -> Clip:
    q, p = clip.forward()
    local = clip.rotations.copy()
    for side in ("left", "right"):
        hip, knee, ankle = (INDEX[f"{side}_{n}"] for n in ("hip", "knee", "ankle"))
        first, second = kinematics.two_bone_ik(
            p[:, hip], p[:, knee], p[:, ankle], p[:, ankle] + [0, lift, 0], np.array([1.0, 0, 0])
        )
        local[:, hip], shin = first, rotations.multiply(second, q[:, knee])
        local[:, knee] = rotations.multiply(rotations.inverse(first), shin)
        local[:, ankle] = rotations.inverse(shin)
    return Clip(clip.skeleton, local, clip.root_positions, clip.fps)


def slide(clip: Clip, frames: slice = slice(None)) -> float:
    """Way of the left ankle over the ground, metres."""
    return float(np.linalg.norm(np.diff(clip.positions()[frames, ANKLE][:, (0, 2)], axis=0), axis=-1).sum())


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_standing_feet_slide_less_and_keep_their_orientation(fps: float) -> None:
    frames = round(2 * fps)
    clip = standing(frames, fps=fps)
    request = constraints.inbetween(clip, [0, frames - 1])
    out = feet.hold_feet(clip, request)
    assert slide(clip) > 0.04
    assert slide(out) < 0.15 * slide(clip)
    before, after = clip.forward()[0][:, ANKLE], out.forward()[0][:, ANKLE]
    assert rotations.angle_between(before, after).max() < 1e-6
    upper = [j for j in range(len(JOINTS)) if not any(w in JOINTS[j] for w in ("hip", "knee", "ankle"))]
    assert (out.rotations[:, upper] == clip.rotations[:, upper]).all()


def knee_angles(clip: Clip) -> np.ndarray:
    """Bend of both knees, degrees. ``(F, 2)``."""
    q = clip.rotations[:, [INDEX["left_knee"], INDEX["right_knee"]]]
    return np.degrees(2 * np.arccos(np.clip(np.abs(q[..., 0]), 0, 1)))


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0.0005, 0.02))
def test_a_nearly_straight_knee_does_not_pop(seed: int, lift: float) -> None:
    """Held still, an ankle that trembles by a few millimetres must not make the knee flutter."""
    still = standing(slide=0.0)
    clip = _bend_knees(
        Clip(still.skeleton, rest_clip(60).rotations, still.root_positions + [0, 0.03 - lift, 0]), lift
    )
    rng = np.random.default_rng(seed)
    wander = np.cumsum(rng.normal(size=(60, 3)), axis=0)
    wander *= 0.008 / np.abs(wander).max()
    clip = Clip(clip.skeleton, clip.rotations, clip.root_positions + wander)
    out = feet.hold_feet(clip, constraints.inbetween(clip, [0, 59]))
    flutter = np.abs(np.diff(knee_angles(out), axis=0)).max()
    assert flutter < 4.0


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_legs_of_which_something_is_known_are_not_touched(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clip = standing(60, slide=rng.uniform(0.1, 1))
    known = rng.random((60, len(JOINTS))) < 0.05
    known[[0, -1]] = True
    request = constraints.inbetween(clip, known.any(1), known)
    out = feet.hold_feet(clip, request)
    fixed = known[:, LEFT].any(1)
    assert np.allclose(out.rotations[fixed][:, LEFT], clip.rotations[fixed][:, LEFT], atol=1e-12)


def biggest_jump(x: Array) -> float:
    """Largest change of the speed from one frame to the next."""
    return float(np.linalg.norm(np.diff(x, 2, axis=0), axis=-1).max())


@pytest.mark.parametrize("keys", [[0, 59], [0, 30, 59], [0, 29, 31, 59], [0, *range(20, 30), 59]])
def test_a_correction_comes_and_goes_without_a_pop(keys: list[int]) -> None:
    # the foot stands while it drifts, lifts off, and stands again; keys lie where it drifts
    clip = standing(60, slide=0.6)
    q = clip.rotations.copy()
    lift = np.clip(1 - np.abs(np.arange(60) - 44) / 6, 0, 1)[:, None] * [-0.9, 0, 0]
    q[:, LEFT[0]] = rotations.multiply(q[:, LEFT[0]], rotations.from_axis_angle(lift))
    clip = Clip(clip.skeleton, q, clip.root_positions)
    request = constraints.inbetween(clip, keys)
    out = feet.hold_feet(clip, request)
    offset = (out.positions() - clip.positions())[:, ANKLE]
    assert np.abs(offset).max() > 0.005
    assert np.abs(offset[keys]).max() < 1e-9
    # no frame-to-frame change above what fading the largest offset over the fade takes
    fade = round(feet.FADE * 30)
    assert np.linalg.norm(np.diff(offset, axis=0), axis=-1).max() < 2.5 * np.abs(offset).max() / fade


def test_a_stance_meets_the_place_where_it_is_keyed() -> None:
    clip = standing(60, slide=0.6)
    request = constraints.inbetween(clip, [0, 30, 59])
    out = feet.hold_feet(clip, request)
    place = clip.positions()[:, ANKLE]
    assert np.allclose(out.positions()[30, ANKLE], place[30])
    # between two keyed places the foot goes straight from one to the other
    middle = out.positions()[15, ANKLE]
    assert np.allclose(middle, (place[0] + place[30]) / 2, atol=2e-3)


def test_no_foot_is_moved_farther_than_a_tenth_of_the_hip_height() -> None:
    ankle = np.zeros((40, 3))
    ankle[:, 0] = np.linspace(-1, 1, 40)
    stands, free = np.ones(40, bool), np.ones(40, bool)
    foot = rotations.from_axis_angle(np.linspace(-1, 1, 40)[:, None] * [0, 1.0, 0])
    offset, turn = feet._corrections(ankle, foot, stands, free, 30.0, 0.1)
    assert np.linalg.norm(offset, axis=1).max() <= 0.1 + 1e-12
    assert np.linalg.norm(turn, axis=1).max() <= feet.WIDEST + 1e-12


def test_toes_stand_where_nothing_of_a_stance_is_known() -> None:
    clip = standing(60, slide=0.3)
    q = clip.rotations.copy()
    shaken = rotations.from_axis_angle(0.05 * np.random.default_rng(0).normal(size=(60, 1, 3)))
    q[:, [ANKLE]] = rotations.multiply(q[:, [ANKLE]], shaken)
    clip = Clip(clip.skeleton, q, clip.root_positions)
    toes = INDEX["left_foot"]
    way = lambda c: np.linalg.norm(np.diff(c.positions()[:, toes], axis=0), axis=-1).sum()  # noqa: E731
    out = feet.hold_feet(clip, constraints.text(clip, ()))
    assert way(out) < 0.2 * way(clip)
    kept = feet.hold_feet(clip, constraints.inbetween(clip, range(60)))
    assert np.array_equal(kept.rotations, clip.rotations)


def lowest(clip: Clip) -> Array:
    return clip.positions()[..., 1].min(1)


def generated(frames: int, heights: Array) -> tuple[Clip, Request]:
    """A person at rest, carried up and down, as an answer to a prompt."""
    clip = rest_clip(frames)
    root = clip.root_positions + np.stack([np.zeros(frames), heights, np.zeros(frames)], 1)
    request = constraints.text(clip, [constraints.TextSpan("a person stands", 0, frames)])
    return Clip(clip.skeleton, clip.rotations, root, clip.fps), request


def test_generated_motion_neither_sinks_nor_hovers_and_jumps_stay_jumps() -> None:
    t = np.arange(120) / 30
    flight = np.clip(t - 1.5, 0, None) * np.clip(2.0 - t, 0, None) * 9.81 / 2  # half a second in the air
    drift = 0.05 * np.sin(2 * np.pi * t / 4)
    clip, request = generated(120, flight + drift)
    out = lowest(finish(clip, request))
    assert np.abs(lowest(clip) - flight).max() > 0.049
    assert np.abs(out - flight).max() < 0.03


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(3, 90))
def test_only_free_places_are_put_on_the_ground_and_none_that_leads_a_pin(seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    clip, request = generated(frames, 0.1 * rng.normal(size=frames).cumsum())
    known = rng.random(frames) < 0.2
    some = replace(request, root_known=known, clip=clip)
    out = ground.put_on_ground(clip, some)
    assert (out.root_positions[known] == clip.root_positions[known]).all()
    assert (out.root_positions[:, (0, 2)] == clip.root_positions[:, (0, 2)]).all()
    pinned = np.zeros((frames, len(JOINTS)), bool)
    pinned[frames // 2, ANKLE] = True
    assert ground.put_on_ground(clip, replace(some, position_known=pinned)) is clip


def test_who_stands_on_something_stays_there() -> None:
    clip, request = generated(60, np.full(60, 0.5))
    assert np.abs(lowest(finish(clip, request)) - lowest(clip)).max() < 1e-6
