"""Reference poses: which way is up and ahead, who stands, and the T-pose that a body is laid into."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import kinematics, reference, rotations
from blender_addon.motion.errors import MappingError
from tests.motion.characters import SIDES, Z_UP, character, moving, names
from tests.motion.people import person

AXES = {
    "+Y": rotations.IDENTITY,
    "+Z": Z_UP,
    "-Z": rotations.from_axis_angle([-np.pi / 2, 0.0, 0.0]),
    "+X": rotations.from_axis_angle([0.0, 0.0, -np.pi / 2]),
    "-X": rotations.from_axis_angle([0.0, 0.0, np.pi / 2]),
    "-Y": rotations.from_axis_angle([np.pi, 0.0, 0.0]),
}


@pytest.mark.parametrize("axis", sorted(AXES))
@pytest.mark.parametrize("form", ["t", "a", "down"])
def test_up_is_where_the_head_is(axis: str, form: str) -> None:
    c = character(form, world=AXES[axis])
    bones = reference.resolve(c.skeleton, c.bone_map.bones)
    _, p = c.skeleton.rest_global()
    turn = reference.find_axes(c.skeleton, bones, p)
    up = rotations.rotate(turn, rotations.rotate(AXES[axis], reference.UP))
    assert np.allclose(up, reference.UP)


@settings(max_examples=30, deadline=None)
@given(st.floats(-3.1, 3.1))
def test_facing_is_where_hips_and_shoulders_say(yaw: float) -> None:
    c = character("a", facing=yaw)
    bones = reference.resolve(c.skeleton, c.bone_map.bones)
    _, p = c.skeleton.rest_global()
    assert reference.facing(bones, p) == pytest.approx(yaw, abs=1e-6)


@pytest.mark.parametrize("form", ["t", "a", "down"])
@pytest.mark.parametrize("facing", [0.0, np.pi, -1.2])
def test_whoever_stands_can_be_taken_as_a_reference(form: str, facing: float) -> None:
    c = character(form, facing=facing)
    assert c.rig(moving(c)[0]).source == "rest"


def test_a_zero_pose_that_means_nothing_is_seen_as_such() -> None:
    c = character("along x")
    clip, plain = moving(c)
    rig = c.rig(clip)
    assert rig.source == "clip"
    bones = reference.resolve(c.flat, c.bone_map.bones)
    q, p = plain.forward()
    assert reference.standing_frame(c.flat, bones, p, q) == 0, "the frame in which it stands upright"


def test_somebody_lying_or_sitting_is_no_reference() -> None:
    c = character("t")
    bones = reference.resolve(c.skeleton, c.bone_map.bones)
    for role, turn in (("pelvis", [1.5, 0, 0]), ("left_hip", [-1.5, 0, 0]), ("right_knee", [2.2, 0, 0])):
        local = c.skeleton.rest_rotations.copy()
        local[bones.first(role)] = rotations.from_axis_angle(np.array(turn, float))
        q, p = kinematics.forward(c.skeleton.parents, local, c.skeleton.offsets)
        assert not reference.plausible(c.skeleton, bones, p, q), role
    q, p = c.skeleton.rest_global()
    assert reference.plausible(c.skeleton, bones, p, q)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["t", "a", "down"]), st.floats(-3, 3), st.integers(0, 2**31), st.booleans())
def test_the_t_pose_has_straight_limbs_and_flat_feet_ahead(
    form: str, facing: float, seed: int, twists: bool
) -> None:
    rng = np.random.default_rng(seed)
    c = character(form, names(twists=twists), facing=facing, rng=rng)
    bones = reference.resolve(c.skeleton, c.bone_map.bones)
    q = reference.t_pose(c.skeleton, bones, c.skeleton.rest_rotations)
    _, p = kinematics.forward(
        c.skeleton.parents, kinematics.local_rotations(c.skeleton.parents, q), c.skeleton.offsets
    )
    ways = reference.directions(c.skeleton, bones, p, q)
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        for part in ("shoulder", "elbow", "wrist"):
            assert np.allclose(rotations.normalize(ways[f"{side}_{part}"]), [sign, 0, 0], atol=1e-6)
        for part in ("hip", "knee"):
            assert np.allclose(rotations.normalize(ways[f"{side}_{part}"]), [0, -1, 0], atol=1e-6)
        foot = ways[f"{side}_ankle"]
        assert foot[0] == pytest.approx(0, abs=1e-6)
        assert foot[2] > 0
        flat = c.person.truth[f"{side}_foot"][0]
        bone, ankle = c.skeleton.index(flat), bones.first(f"{side}_ankle")
        pitch = c.flat.offsets[bone]
        assert foot[1] / np.linalg.norm(foot) == pytest.approx(pitch[1] / np.linalg.norm(pitch), abs=1e-6)
        assert p[ankle, 1] > p[bone, 1]
    assert abs(reference.facing(bones, p)) < 1e-6


def test_spine_bones_that_carry_the_legs_count_as_pelvis() -> None:
    p = person(names())
    for bone in p.bones:
        if bone.name in ("Left hip", "Right hip"):
            bone.parent = "spine0"
    p.bones.sort(key=lambda b: b.name.endswith(("hip", "knee", "ankle", "foot")) and b.name[0] in "LR")
    c = character(person_=p)
    bones = reference.resolve(c.skeleton, c.bone_map.bones)
    assert [c.skeleton.names[b] for b in bones.roles["pelvis"]] == ["pelvis", "spine0"]
    assert [c.skeleton.names[b] for b in bones.roles["spine"]] == ["spine1", "spine2"]
    only = reference.resolve(c.skeleton, {**c.bone_map.bones, "spine": ("spine0",)})
    assert "spine" not in only


@pytest.mark.parametrize("role", ["pelvis", "left_hip", "right_knee"])
def test_without_hips_or_legs_nothing_can_be_done(role: str) -> None:
    c = character()
    roles = {r: b for r, b in c.bone_map.bones.items() if r != role}
    with pytest.raises(MappingError, match=role):
        reference.resolve(c.skeleton, roles)


def test_a_bone_that_is_not_there_is_named() -> None:
    c = character()
    with pytest.raises(MappingError, match="'tail'"):
        reference.resolve(c.skeleton, {**c.bone_map.bones, "head": ("tail",)})


def test_the_end_of_a_bone_is_its_children_else_its_tip_else_nowhere() -> None:
    c = character()
    s = c.skeleton
    assert np.allclose(reference.end_of_bone(s, s.index("Left knee")), s.offsets[s.index("Left ankle")])
    head = s.index("head")
    assert np.allclose(reference.end_of_bone(s, head), s.tips[head])
    bare = type(s)(s.names, s.parents, s.offsets)
    assert not reference.end_of_bone(bare, head).any()
