"""What is found in takes: units, rates, held poses, frozen stretches, limbs that pop; and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import kinematics, rotations
from blender_addon.motion.clip import Clip, concatenate, rest_clip
from blender_addon.motion.skeleton import INDEX, PARENTS, canonical
from tests.training.material import swinging
from training.prepare import checks, glitches


def found(clip: Clip, drawn: bool = False) -> tuple[list[checks.Piece], checks.Finding]:
    finding = checks.Finding("take", "test")
    return checks.check(clip, finding, drawn), finding


def told(finding: checks.Finding, words: str) -> bool:
    return any(words in r for r in finding.repaired)


def popped(clip: Clip, limb: str, frames: slice, angle: float = 1.8) -> Clip:
    """The limb elsewhere for some frames; everything else stays where it was in the world."""
    turned, _ = clip.forward()
    joints = [INDEX[n] for n in glitches.LIMBS[limb]]
    turn = rotations.from_axis_angle([0.0, angle, 0.0])
    turned[frames, joints[0] : joints[0] + 1] = rotations.multiply(
        turn, turned[frames, joints[0] : joints[0] + 1]
    )
    for j in joints[1:]:
        turned[frames, j] = rotations.multiply(turn, turned[frames, j])
    return replace(clip, rotations=kinematics.local_rotations(PARENTS, turned))


@pytest.mark.parametrize("limb", sorted(glitches.LIMBS))
@pytest.mark.parametrize("length", [1, 3, 8])
def test_a_limb_that_pops_is_put_back(limb: str, length: int) -> None:
    clip = swinging(1, 120, 60.0)
    mended, done = glitches.repair(popped(clip, limb, slice(50, 50 + length)))
    assert done.frames == {limb: length}
    assert not done.left
    turned, before = mended.forward()[0], clip.forward()[0]
    far = np.degrees(rotations.angle_between(turned, before))
    assert far.max() < 12, "filled from its neighbours, which move on meanwhile"
    others = [j for j in range(22) if j not in [INDEX[n] for n in glitches.LIMBS[limb]]]
    assert far[:, others].max() < 1e-4, "what did not pop stays"
    assert far[:50].max() < 1e-4


def kick(peak: float, fps: float) -> Clip:
    """A leg that turns by 150 degrees as fast as legs do and back: a bell of speed, no jump."""
    t = np.arange(int(2 * fps)) / fps
    speed = peak * np.exp(-0.5 * ((t - 0.8) / 0.03) ** 2) - peak * np.exp(-0.5 * ((t - 1.3) / 0.03) ** 2)
    angle = np.zeros((len(t), 22, 3))
    angle[:, INDEX["left_hip"], 0] = -np.cumsum(speed) / fps
    angle[:, INDEX["spine1"], 1] = 0.2 * np.sin(3 * t)
    angle[:, INDEX["left_shoulder"], 2], angle[:, INDEX["right_shoulder"], 2] = -1.3, 1.3  # no T-pose
    clip = rest_clip(len(t), fps)
    return replace(clip, rotations=rotations.from_axis_angle(angle))


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
def test_a_fast_kick_is_no_glitch(fps: float) -> None:
    clip = kick(34.0, fps)
    pieces, finding = found(clip)
    assert len(pieces) == 1
    assert not finding.repaired
    assert not finding.left_out


def test_a_limb_that_stays_turned_over_divides_the_take() -> None:
    clip = swinging(2, 240, 60.0)
    pieces, finding = found(popped(clip, "right leg", slice(120, 240), 2.9))
    assert [len(p.clip) for p in pieces] == [60, 60]
    assert [p.start for p in pieces] == [0.0, 2.0]
    assert told(finding, "divided at 2.00 s, where a limb turns over")


def test_a_small_slip_that_stays_is_softened() -> None:
    clip = popped(swinging(3, 240, 60.0), "left leg", slice(120, 240), 1.2)
    pieces, finding = found(clip)
    assert len(pieces) == 1
    assert told(finding, "left leg: 1 slips spread")


def test_a_root_that_jumps_divides_the_take() -> None:
    clip = swinging(4, 90)
    root = clip.root_positions.copy()
    root[40:] += [20.0, 0, 0]
    pieces, finding = found(replace(clip, root_positions=root))
    assert [len(p.clip) for p in pieces] == [40, 50]
    assert told(finding, "where the root jumps")


def swaying(frames: int) -> Clip:
    """Feet that stand while the body leans to and fro about the ankles: the size of the path matters."""
    clip = rest_clip(frames)
    lean = np.zeros((frames, 3))
    lean[:, 0] = 0.3 * np.sin(np.arange(frames) / 8)
    turn = rotations.from_axis_angle(lean)
    turned = clip.rotations.copy()
    turned[:, 0] = turn
    turned[:, INDEX["left_shoulder"]] = rotations.from_axis_angle([0, 0, -1.3])
    turned[:, INDEX["right_shoulder"]] = rotations.from_axis_angle([0, 0, 1.3])
    ankle = clip.positions()[0, INDEX["left_ankle"]] * [0, 1, 1]
    root = ankle + rotations.rotate(turn, clip.root_positions - ankle)
    return replace(clip, rotations=turned, root_positions=root)


def scaled(clip: Clip, body: float, path: float) -> Clip:
    return replace(
        clip, skeleton=canonical(clip.skeleton.offsets * body), root_positions=clip.root_positions * path
    )


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        (100.0, 100.0, "read as centimetres"),
        (1000.0, 1000.0, "read as millimetres"),
        (1 / 0.0254, 1 / 0.0254, "read as inches"),
        (1.0, 100.0, "the path scaled by 0.01"),
        (1.0, 0.01, "the path scaled by 100"),
    ],
)
def test_flipped_units_are_mended(body: float, path: float, words: str) -> None:
    clip = swaying(90)
    pieces, finding = found(scaled(clip, body, path))
    assert told(finding, words), finding
    straight, _ = found(clip)
    assert np.abs(pieces[0].clip.positions() - straight[0].clip.positions()).max() < 0.01


def test_a_root_without_height_is_no_flipped_unit() -> None:
    """ReActIdle's: people stand, the root is near the origin, and only the ground is missing."""
    clip = swinging(6, 120)
    root = 0.01 * np.sin(np.arange(120) / 9)[:, None] * [1, 0, 1] + [0, 0.008, 0]
    legs = [INDEX[f"{s}_{n}"] for s in ("left", "right") for n in ("hip", "knee", "ankle")]
    turned = clip.rotations.copy()
    turned[:, [0, *legs]] = rotations.IDENTITY
    pieces, finding = found(replace(clip, root_positions=root, rotations=turned))
    assert pieces
    assert not told(finding, "scaled")
    assert told(finding, "onto the ground")


@pytest.mark.parametrize("factor", [2, 4])
def test_repeated_frames_are_taken_out(factor: int) -> None:
    clip = swinging(7, 90)
    held = replace(clip.sample(np.repeat(np.arange(90), factor)), fps=30.0 * factor)
    pieces, finding = found(held)
    assert told(finding, f"every frame stood {factor} times: 30 fps held at {30 * factor}")
    assert len(pieces[0].clip) == 90
    assert np.abs(pieces[0].clip.rotations - clip.rotations).max() < 1e-9


def test_a_frame_time_in_milliseconds_is_mended() -> None:
    pieces, finding = found(replace(swinging(8, 60), fps=0.03))
    assert told(finding, "frame time read as milliseconds: 30 fps") or finding.left_out
    assert len(pieces[0].clip) == 60


def test_a_held_t_pose_is_cut() -> None:
    take = swinging(9, 60)
    far = replace(
        take, rotations=rotations.multiply(take.rotations, rotations.from_axis_angle([0.4, 0.0, 0.5]))
    )
    pieces, finding = found(concatenate([rest_clip(20), far]))
    assert told(finding, "20 frames of T-pose at the beginning dropped")
    assert pieces[0].start == pytest.approx(20 / 30)
    assert len(pieces[0].clip) == 60


def test_a_capture_that_stopped_is_cut_out_but_a_drawn_hold_stays() -> None:
    clip = swinging(10, 90)
    held = clip.sample(np.concatenate([np.arange(40), np.full(30, 39), np.arange(40, 90)]))
    pieces, finding = found(held)
    assert [len(p.clip) for p in pieces] == [40, 50]
    assert told(finding, "frozen for 1.00 s at 1.30 s: cut out")
    pieces, finding = found(held, drawn=True)
    assert [len(p.clip) for p in pieces] == [120]


def test_upside_down_is_left_out() -> None:
    clip = swinging(11, 60).moved(rotations.from_axis_angle([np.pi, 0, 0]), [0, 2.0, 0])
    pieces, finding = found(clip)
    assert not pieces
    assert "upside down" in finding.left_out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([30.0, 60.0, 120.0]), st.integers(30, 200))
def test_good_takes_stay_whole(seed: int, fps: float, frames: int) -> None:
    clip = swinging(seed, int(frames * fps / 30), fps)
    pieces, finding = found(clip)
    assert len(pieces) == 1
    assert not finding.left_out
    assert all("onto the ground" in r for r in finding.repaired)
    assert np.abs(pieces[0].clip.rotations[0] - clip.rotations[0]).max() < 1e-9
