"""Pins on a character's own bones: met to the millimetre, smoothly, and nothing that is known moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blender_addon.motion import controls, kinematics, reach, retarget, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Mask
from blender_addon.motion.errors import InvalidRequestError
from blender_addon.motion.pinned import Pin
from blender_addon.motion.retarget import Rig
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import INDEX
from tests.motion.test_retarget import FAMILIES, made

ALL_SIX = ("pelvis", "head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
TOPS = {"head": "pelvis", "wrist": "shoulder", "ankle": "hip", "elbow": "collar", "foot": "hip"}


def reachable(clip: Clip, rig: Rig, joint: str, frames: np.ndarray, size: float = 0.03) -> Pin:
    """A pin a few centimetres from where the joint is, towards the top of its limb and aside."""
    rng = np.random.default_rng(INDEX[joint])
    q, p = clip.forward()
    at = reach.point(rig, INDEX[joint]).at(q, p)[frames]
    side, _, part = joint.rpartition("_")
    way = rng.normal(size=3) if joint != "pelvis" else np.array([0.0, -1.0, 0.0])
    top = f"{side}_{TOPS[part]}".lstrip("_") if part in TOPS else ""
    if top in rig.bones:
        inwards = p[frames, rig.bones.first(top)] - at
        way = rotations.normalize(inwards) + 0.3 * rotations.normalize(way)
    places = at + size * rig.leg_length * rotations.normalize(np.broadcast_to(way, at.shape))
    return Pin(joint, INDEX[joint], frames, places)


def met(clip: Clip, rig: Rig, pins: list[Pin], free: Mask | None = None, root_free: Mask | None = None,
        grounded: Mask | None = None) -> Clip:  # fmt: skip
    everywhere = np.ones((len(clip), len(rig.skeleton)), bool)
    return reach.meet(clip, rig, pins, everywhere if free is None else free,
                      everywhere[:, 0] if root_free is None else root_free,
                      np.zeros(len(clip), bool) if grounded is None else grounded)  # fmt: skip


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("joint", ["pelvis", "left_wrist", "right_ankle", "left_foot", "spine2", "right_shoulder",
                                   "left_hip", "neck"])  # fmt: skip
def test_one_pin_is_met(family: str, joint: str) -> None:
    _, clip, _, rig = made(family)
    frames = np.array([9, 10, 11, 25])
    try:
        pin = reachable(clip, rig, joint, frames)
    except InvalidRequestError:
        assert joint not in rig.bones, "it has none"
        return
    after = met(clip, rig, [pin])
    assert reach.distances(after, rig, [pin])[0].max() < 1e-4
    assert np.allclose(after.root_positions[-1], clip.root_positions[-1]), "far from the pins nothing moves"
    assert np.allclose(after.rotations[-1], clip.rotations[-1])


@pytest.mark.parametrize("family", ["mixamo", "daz", "lafan", "z up, a-pose, turned"])
def test_six_pins_at_once_are_met(family: str) -> None:
    _, clip, _, rig = made(family)
    frames = np.arange(12, 20)
    pins = [
        reachable(clip, rig, joint, frames, 0.004 if joint in ("pelvis", "head") else 0.02)
        for joint in ALL_SIX
    ]
    after = met(clip, rig, pins)
    assert max(d.max() for d in reach.distances(after, rig, pins)) < 1e-3


def test_elbow_and_hand_together() -> None:
    _, clip, _, rig = made("lafan")
    frames = np.array([7])
    bent = met(
        clip, rig, [reachable(clip, rig, "left_elbow", frames), reachable(clip, rig, "left_wrist", frames)]
    )
    q, p = bent.forward()
    # both where one body can have them
    pins = [
        Pin(j, INDEX[j], frames, reach.point(rig, INDEX[j]).at(q, p)[frames])
        for j in ("left_elbow", "left_wrist")
    ]
    after = met(clip, rig, pins)
    assert max(d.max() for d in reach.distances(after, rig, pins)) < 1e-3


def test_hands_and_feet_keep_their_orientation() -> None:
    _, clip, _, rig = made("mixamo")
    frames = np.arange(5, 15)
    for joint in ("left_wrist", "left_ankle"):
        after = met(clip, rig, [reachable(clip, rig, joint, frames)])
        bone = rig.bones.first(joint)
        assert rotations.angle_between(after.forward()[0][:, bone], clip.forward()[0][:, bone]).max() < 1e-6


def test_what_is_known_stays_to_the_bit_and_the_rest_meets_it_smoothly() -> None:
    _, clip, _, rig = made("lafan")
    free = np.ones((len(clip), len(rig.skeleton)), bool)
    free[[8, 22]] = False
    pins = [
        reachable(clip, rig, "right_wrist", np.arange(12, 18)),
        reachable(clip, rig, "pelvis", np.arange(12, 18)),
    ]
    after = met(clip, rig, pins, free, free[:, 0])
    assert (after.rotations[[8, 22]] == clip.rotations[[8, 22]]).all()
    assert (after.root_positions[[8, 22]] == clip.root_positions[[8, 22]]).all()
    assert max(d.max() for d in reach.distances(after, rig, pins)) < 1e-4
    shown = [rig.bones.first("right_wrist"), rig.bones.first("pelvis")]
    change = (after.positions() - clip.positions())[:, shown]
    step = np.linalg.norm(np.diff(change, axis=0), axis=-1)
    assert step.max() < 0.5 * np.linalg.norm(change, axis=-1).max(), "a correction comes over several frames"


def test_a_pin_on_a_known_frame_moves_nothing() -> None:
    _, clip, _, rig = made("lafan")
    nothing = np.zeros((len(clip), len(rig.skeleton)), bool)
    after = met(clip, rig, [reachable(clip, rig, "left_wrist", np.array([4]))], nothing, nothing[:, 0])
    assert (after.rotations == clip.rotations).all()
    assert (after.root_positions == clip.root_positions).all()


def test_feet_stay_while_the_hips_are_moved() -> None:
    _, clip, _, rig = made("lafan")
    frames = np.arange(10, 20)
    p = clip.positions()
    low = Pin("hips", 0, frames, p[frames, rig.bones.first("pelvis")] - [0, 0.03, 0])
    after = met(clip, rig, [low])
    for side in reach.SIDES:
        bone = rig.bones.first(f"{side}_ankle")
        assert np.linalg.norm(after.positions()[:, bone] - clip.positions()[:, bone], axis=-1).max() < 1e-3


def test_the_place_over_the_ground_is_not_given_up_for_a_head() -> None:
    _, clip, _, rig = made("lafan")
    frames = np.arange(10, 20)
    pin = reachable(clip, rig, "head", frames)
    after = met(clip, rig, [pin], grounded=np.ones(len(clip), bool))
    pelvis = rig.bones.first("pelvis")
    assert np.allclose(after.positions()[:, pelvis][:, [0, 2]], clip.positions()[:, pelvis][:, [0, 2]])
    assert reach.distances(after, rig, [pin])[0].max() < 0.02


def test_out_of_reach_the_limb_is_stretched_towards_it() -> None:
    _, clip, _, rig = made("lafan")
    frames = np.array([10])
    far = Pin("hand", INDEX["left_wrist"], frames, np.array([[30.0, 1.0, 0.0]]))
    after = met(clip, rig, [far])
    p = after.positions()
    top, hand = p[10, rig.bones.first("left_shoulder")], p[10, rig.bones.first("left_wrist")]
    assert np.isfinite(p).all()
    assert np.dot(rotations.normalize(hand - top), rotations.normalize(far.at(p)[0] - top)) > 0.999


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_offsets_are_from_the_points_to_the_canonical_joints(family: str) -> None:
    c, _, _, rig = made(family)
    local = kinematics.local_rotations(rig.skeleton.parents, rig.reference)
    turned = local.copy()
    still = Clip(rig.skeleton, turned[None], np.zeros((1, 3)))  # the T-pose, facing +Z, axes Y up
    joints = retarget.to_canonical(still, _upright(rig)).positions()[0]
    q, p = still.forward()
    wanted = reach.offsets(rig)
    for joint in ("pelvis", "left_ankle", "right_wrist", "head"):
        if joint in rig.bones:
            spot = reach.point(rig, INDEX[joint]).at(q, p)[0]
            assert np.allclose(joints[INDEX[joint]] - spot, wanted[INDEX[joint]], atol=1e-6), joint
    del c


def _upright(rig: Rig) -> Rig:
    return replace(rig, axes=rotations.identity())


def test_present_pins_are_told_by_the_characters_own_points() -> None:
    _, clip, _, rig = made("daz")
    said = controls.load({"pins": [{"joint": "left_wrist", "frames": [3, 9], "position": "present",
                                    "offset": [0, 0.1, 0]}]}, clip.fps, len(clip))  # fmt: skip
    told = reach.present(said, clip, rig)
    hand: Array = clip.positions()[3:10, rig.bones.first("left_wrist")]
    assert told.pins[0].places is not None
    assert np.allclose(told.pins[0].places, hand + [0, 0.1, 0])
    assert np.allclose(reach.distances(clip, rig, told.pins)[0], 0.1)


def test_a_joint_that_the_character_has_not_is_named() -> None:
    _, _, _, rig = made("few bones")
    with pytest.raises(InvalidRequestError, match="left_collar: the character has no bone for it"):
        reach.point(rig, INDEX["left_collar"])
