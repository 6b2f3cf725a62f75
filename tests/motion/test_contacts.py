"""Contacts, feet that stand, the way over the ground, fingers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blender_addon.motion import (
    bone_maps,
    broad_hips,
    contacts,
    fingers,
    foot_lock,
    retarget,
    root_motion,
    rotations,
)
from blender_addon.motion.bone_maps import BoneMap
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.skeleton import CANONICAL, INDEX, JOINTS, PARENTS, Skeleton, canonical
from tests.motion.walking import walk

BALLS = list(contacts.BALLS)


def rig(thigh: float = 1.0, hips: float = 1.0) -> retarget.Rig:
    """A character of other proportions."""
    o = np.array(CANONICAL.offsets)
    for side in ("left", "right"):
        o[INDEX[f"{side}_knee"]] *= thigh
        o[INDEX[f"{side}_hip"], 0] *= hips
    o[0, 1] += 0.4 * (thigh - 1)
    skeleton = canonical(o)
    return retarget.make_rig(skeleton, bone_maps.find(skeleton))


def skated(clip: Clip, found: contacts.Contacts) -> float:
    return contacts.skating(clip.positions()[:, BALLS], found.toe, clip.fps, clip.hip_height)


# -- finding ----------------------------------------------------------------------------------------


@given(hnp.arrays(bool, st.tuples(st.integers(0, 30), st.integers(1, 3))),
       hnp.arrays(bool, st.tuples(st.just(30), st.just(3))))  # fmt: skip
def test_hysteresis_is_what_a_walk_in_both_directions_finds(tight: np.ndarray, more: np.ndarray) -> None:
    loose = tight | more[: len(tight), : tight.shape[1]]
    want = tight.copy()
    for f in range(1, len(want)):
        want[f] |= want[f - 1] & loose[f]
    for f in range(len(want) - 2, -1, -1):
        want[f] |= want[f + 1] & loose[f]
    assert (contacts.hysteresis(tight, loose) == want).all()


def test_short_stances_go_and_short_breaks_close() -> None:
    flags = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0], bool)
    assert contacts.lasting(flags, 3, 1).tolist() == [True] * 6 + [False] * 6


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_a_walk_s_stances_are_found(fps: float) -> None:
    clip, stands = walk(fps=fps)
    found = contacts.find(clip)
    inside = slice(2, -2)
    assert (found.toe[inside] == stands[inside]).mean() > 0.9
    assert skated(clip, found) < 0.03
    assert abs(found.ground - contacts.soles(clip.skeleton, *clip.forward())[..., 1].min()) < 0.02


def test_a_floor_that_is_calibrated_badly_is_the_floor_and_a_platform_is_not() -> None:
    clip, _ = walk()
    level = contacts.find(clip).ground
    for shift, ground in ((-1.0, level - 1.0), (0.05, level + 0.05), (0.8, 0.0)):
        moved = replace(clip, root_positions=clip.root_positions + np.array([0, shift, 0]))
        assert contacts.find(moved).ground == pytest.approx(ground, abs=1e-9)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_clips_too_short_to_say(frames: int) -> None:
    clip = rest_clip(frames)
    found = contacts.find(clip)
    assert found.heel.shape == found.toe.shape == (frames, 2)
    assert len(foot_lock.lock_enough(clip, found, 0.0)) == frames
    assert contacts.penetration(clip.skeleton, *clip.forward()) == pytest.approx(0.0, abs=1e-9)


# -- holding ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("thigh", "hips"), [(1.0, 1.0), (1.1, 1.0), (0.9, 1.2), (1.2, 0.9)])
def test_feet_that_stood_stand_on_other_legs(thigh: float, hips: float) -> None:
    clip, _ = walk()
    found, target = contacts.find(clip), rig(thigh, hips)
    plain = foot_lock.stand(retarget.fit(clip, target, ground=found.ground), found)
    locked = foot_lock.lock_enough(plain, found, skated(clip, found))
    assert skated(locked, found) <= max(0.7 * skated(plain, found), 0.01)
    assert contacts.penetration(locked.skeleton, *locked.forward()) < 0.01
    a, b = (retarget.limb_directions(retarget.from_canonical(c, target), target) for c in (plain, locked))
    assert np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1))).mean() < 2.0
    np.testing.assert_allclose(locked.root_positions[:, [0, 2]], plain.root_positions[:, [0, 2]], atol=1e-12)
    assert np.abs(locked.rotations[:, [INDEX["head"], INDEX["left_elbow"]]]
                  - plain.rotations[:, [INDEX["head"], INDEX["left_elbow"]]]).max() == 0  # fmt: skip


def test_a_foot_keeps_its_orientation() -> None:
    clip, _ = walk()
    found, target = contacts.find(clip), rig(1.15, 1.2)
    plain = retarget.fit(clip, target, ground=found.ground)
    locked = foot_lock.lock(plain, found)
    a, b = plain.forward()[0], locked.forward()[0]
    assert np.degrees(rotations.angle_between(a[:, BALLS], b[:, BALLS])).max() < 1e-4


@given(st.integers(0, 2**32 - 1))
def test_knees_reach_and_bend_forwards(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hip = rng.normal(size=(8, 3))
    bend = rng.uniform(-0.05, 1.5, (8, 1))  # a little backwards too, as captures have it
    upper, lower = (
        np.array([0, -0.4, 0.0]),
        0.45 * np.concatenate([0 * bend, -np.cos(bend), -np.sin(bend)], 1),
    )
    knee = hip + upper
    ankle = knee + lower
    target = hip + rotations.normalize(ankle - hip + 0.05 * rng.normal(size=(8, 3))) * rng.uniform(
        0.3, 0.84, (8, 1)
    )
    first, second = foot_lock.knee_ik(hip, knee, ankle, target, np.broadcast_to([1.0, 0, 0], (8, 3)))
    at = hip + rotations.rotate(first, knee - hip)
    end = at + rotations.rotate(second, ankle - knee)
    np.testing.assert_allclose(end, target, atol=2e-6)
    hinge = rotations.rotate(first, np.broadcast_to([1.0, 0, 0], (8, 3)))
    assert ((np.cross(at - hip, end - at) * hinge).sum(-1) > -1e-9).all()


@pytest.mark.parametrize("back", [6.0, 12.0])
def test_knees_that_the_capture_bent_backwards_do_not_flip(back: float) -> None:
    """Half a centimetre of correction used to turn such legs by 20 degrees and more."""
    clip = rest_clip(60)
    local = clip.rotations.copy()
    bend = rotations.from_axis_angle(np.radians([-back, 0.0, 0.0]))
    for side in ("left", "right"):
        local[:, INDEX[f"{side}_knee"]] = bend
    sway = np.linspace(0, 0.04, 60)[:, None] * np.array([1.0, 0.0, 0.0])  # feet that creep by 4 cm
    clip = replace(clip, rotations=local, root_positions=clip.root_positions + sway)
    stands = np.ones((60, 2), bool)
    found = contacts.Contacts(stands, stands, 0.0, np.zeros((60, 2), bool))
    locked = foot_lock.lock(clip, found, play=0.04)
    assert skated(locked, found) < 0.2 * skated(clip, found)
    target = retarget.make_rig(CANONICAL, bone_maps.find(CANONICAL))
    a, b = (retarget.limb_directions(retarget.from_canonical(c, target), target) for c in (clip, locked))
    assert np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1))).max() < 4.0
    assert contacts.penetration(locked.skeleton, *locked.forward()) < 0.01


# -- broad hips -------------------------------------------------------------------------------------


def broad(share: float) -> Clip:
    """A walk that rolls and turns its pelvis, on hips ``share`` times as broad."""
    clip, _ = walk()
    offsets = np.array(clip.skeleton.offsets)
    for joint in ("left_hip", "right_hip"):
        offsets[INDEX[joint], 0] *= share
    local = clip.rotations.copy()
    t = np.linspace(0, 12, len(clip))
    local[:, 0] = rotations.from_axis_angle(np.stack([0 * t, 0.2 * np.sin(t), 0.15 * np.cos(t)], 1))
    return replace(clip, skeleton=canonical(offsets), rotations=local)


def test_broad_hips_swing_in_proportion_and_limbs_stay_where_they_point() -> None:
    clip = broad(2.5)
    out = broad_hips.steadied(clip, CANONICAL)
    (q, _), (made, _) = clip.forward(), out.forward()
    line = lambda x: rotations.rotate(x[:, 0], np.array([1.0, 0, 0]))  # noqa: E731
    assert np.abs(line(made)[:, 1]).max() == pytest.approx(0.5 * np.abs(line(q)[:, 1]).max(), rel=0.02)
    rest = [INDEX[j] for j in ("left_hip", "right_knee", "spine1", "left_wrist", "head")]
    assert np.degrees(rotations.angle_between(q[:, rest], made[:, rest])).max() < 1e-4
    np.testing.assert_array_equal(out.root_positions, clip.root_positions)


def test_alike_hips_and_bodies_on_their_side_stay_as_they_are() -> None:
    alike = broad(1.2)
    assert broad_hips.steadied(alike, CANONICAL) is alike
    clip = broad(2.5)
    lying = clip.moved(rotations.from_axis_angle([0.0, 0.0, 1.4]), [0.0, 0.0, 0.0])
    out = broad_hips.steadied(lying, CANONICAL)
    assert np.degrees(rotations.angle_between(out.rotations, lying.rotations)).max() < 1e-4


@given(
    hnp.arrays(float, st.tuples(st.integers(1, 60), st.just(2)), elements=st.floats(-1, 1)),
    st.floats(0.01, 0.5),
)
def test_what_is_held_is_near_and_moves_less(x: np.ndarray, play: float) -> None:
    out = foot_lock.held(x, play)
    assert np.linalg.norm(out - x, axis=1).max() <= play + 1e-9
    way = lambda y: np.linalg.norm(np.diff(y, axis=0), axis=1).sum()  # noqa: E731
    assert way(out) <= way(x) + 1e-9


@given(hnp.arrays(float, st.integers(1, 80), elements=st.floats(0, 1)), st.integers(1, 9))
def test_an_eased_maximum_is_never_lower(x: np.ndarray, width: int) -> None:
    out = foot_lock.eased_maximum(x, width)
    assert out.shape == x.shape
    assert (out >= x - 1e-12).all()
    assert out.max() <= x.max() + 1e-12


# -- the way over the ground -------------------------------------------------------------------------


def test_path_and_what_is_seen_from_it_are_the_clip() -> None:
    clip, _ = walk()
    turning = rotations.from_axis_angle(np.linspace(0, 3, len(clip))[:, None] * np.array([0, 1.0, 0]))
    local = clip.rotations.copy()
    local[:, 0] = rotations.multiply(turning, local[:, 0])
    clip = replace(clip, rotations=local)
    path = root_motion.ground_path(clip)
    seen = path.local(clip)
    back = path.places + rotations.rotate(path.turns, seen.root_positions)
    np.testing.assert_allclose(back, clip.root_positions, atol=1e-12)
    assert np.degrees(rotations.angle_between(rotations.multiply(path.turns, seen.rotations[:, 0]),
                                              clip.rotations[:, 0])).max() < 1e-5  # fmt: skip
    assert np.abs(seen.root_positions[:, [0, 2]]).max() < 0.1
    assert np.abs(path.places[:, 1]).max() == 0


def test_in_place_stays_on_the_spot() -> None:
    clip, _ = walk()
    out = root_motion.in_place(clip)
    assert np.ptp(out.root_positions[:, 2]) < 0.1 * np.ptp(clip.root_positions[:, 2])
    assert (out.rotations == clip.rotations).all()


# -- fingers ------------------------------------------------------------------------------------------


def handed(curl: float, count: int) -> tuple[Skeleton, BoneMap]:
    """The canonical skeleton with an index finger of ``count`` bones on the left, curled at rest."""
    names, parents = list(JOINTS), list(PARENTS)
    offsets, rest = [*CANONICAL.offsets], [rotations.IDENTITY] * len(JOINTS)
    for k in range(count):
        names.append(f"finger {k}")
        parents.append(INDEX["left_wrist"] if k == 0 else len(names) - 2)
        offsets.append(np.array([0.09 if k == 0 else 0.03, 0, 0.02 if k == 0 else 0.0]))
        rest.append(rotations.from_axis_angle([0, 0, -curl]))
    tips = np.full((len(names), 3), np.nan)
    tips[-1] = [0.03, 0, 0]
    skeleton = Skeleton(tuple(names), np.array(parents), np.array(offsets), np.array(rest), tips)
    found = bone_maps.find(CANONICAL)
    return skeleton, BoneMap("custom", found.bones, {}, {}, {"left_index": tuple(names[len(JOINTS) :])})


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_fingers_bend_alike_whatever_their_rest_pose(count: int) -> None:
    skeleton, bone_map = handed(0.0, 3)
    source = retarget.make_rig(skeleton, bone_map)
    local = np.tile(skeleton.rest_rotations, (20, 1, 1))
    bend = np.linspace(0, 0.6, 20)
    for j in range(len(JOINTS), len(skeleton)):
        local[:, j] = rotations.from_axis_angle(bend[:, None] * np.array([0, 0, -1.0]))
    local[:, INDEX["left_elbow"]] = rotations.from_axis_angle([0.3, 0.4, 0.1])
    clip = Clip(skeleton, local, np.tile(skeleton.offsets[0], (20, 1)))
    there = retarget.to_canonical(clip, source)
    skeleton, bone_map = handed(0.3, count)
    target = retarget.make_rig(skeleton, bone_map)
    shown = retarget.fit(there, target)
    turns = fingers.write(fingers.read(clip, source, there), target, shown)
    out = retarget.from_canonical(shown, target, None, (), turns)
    q, _ = out.forward()
    last = rotations.rotate(q[:, -1], np.array([1.0, 0, 0]))
    want = rotations.rotate(clip.forward()[0][:, -1], np.array([1.0, 0, 0]))
    assert np.degrees(np.arccos(np.clip((last * want).sum(-1), -1, 1))).max() < 1e-3


def test_fingers_that_never_move_are_not_taken() -> None:
    skeleton, bone_map = handed(0.0, 3)
    source = retarget.make_rig(skeleton, bone_map)
    clip = Clip(skeleton, np.tile(skeleton.rest_rotations, (5, 1, 1)), np.tile(skeleton.offsets[0], (5, 1)))
    assert fingers.read(clip, source, retarget.to_canonical(clip, source)) == {}


# -- what a source lacks --------------------------------------------------------------------------------


def test_roles_that_the_source_lacks_keep_the_target_s_own_animation() -> None:
    skeleton = CANONICAL
    full = bone_maps.find(skeleton)
    less = BoneMap(
        "custom", {r: b for r, b in full.bones.items() if r not in ("left_wrist", "neck", "left_foot")}
    )
    source, target = retarget.make_rig(skeleton, less), retarget.make_rig(skeleton, full)
    lacking = retarget.lacking_roles(source, target)
    assert set(lacking) == {"left_wrist", "left_foot"}, "a neck is told by the head"
    clip, _ = walk()
    base = np.tile(rotations.from_axis_angle([0.2, 0.1, 0.3]), (len(clip), len(skeleton), 1))
    own = Clip(skeleton, base, clip.root_positions, clip.fps)
    out = retarget.from_canonical(clip, target, own, lacking)
    np.testing.assert_allclose(
        out.rotations[:, INDEX["left_wrist"]], base[:, INDEX["left_wrist"]], atol=1e-12
    )
    np.testing.assert_allclose(
        out.rotations[:, INDEX["right_wrist"]], clip.rotations[:, INDEX["right_wrist"]], atol=1e-9
    )
