"""Retargeting: limb directions from any family onto any other, round trips, and feet on the ground."""

from __future__ import annotations

import numpy as np
import pytest

from blender_addon.motion import retarget, rotations
from blender_addon.motion.bone_maps import BoneMap
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.retarget import Rig
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import CANONICAL, INDEX
from tests.motion.characters import SIDES, Z_UP, Character, character, moving, names, written
from tests.motion.people import person
from tests.motion.strategies import random_clip

FAMILIES = {
    "cmu, motionbuilder": lambda: character("t", names(spine=3, neck=2)),
    "cmu, daz-like": lambda: character("t", names(spine=2)),
    "reactidle": lambda: character("down", names(spine=2, without=("wrist", "foot"))),
    "bandai namco": lambda: character("along x", names(spine=2), preset=True),
    "lafan": lambda: character("along x", names(spine=3)),
    "mixamo": lambda: character("a", names(spine=3), scale=1.1),
    "daz": lambda: character("a", names(spine=4, neck=2, twists=True), scale=0.9),
    "z up": lambda: character("t", names(spine=3), world=Z_UP),
    "z up, a-pose, turned": lambda: character("a", names(spine=4), world=Z_UP, facing=1.0),
    "facing -z": lambda: character("down", names(spine=1), facing=np.pi),
    "few bones": lambda: character("a", names(spine=1, without=("collar", "neck", "wrist", "foot"))),
    "child": lambda: character("t", names(), scale=0.6, rng=np.random.default_rng(4)),
}


def made(family: str) -> tuple[Character, Clip, Clip, Rig]:
    c = FAMILIES[family]()
    clip, plain = moving(c, seed=len(family))
    return c, clip, plain, c.rig(clip)


def apart(a: Array, b: Array) -> Array:
    """Angle between unit vectors, degrees."""
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1)))


@pytest.mark.parametrize("source", sorted(FAMILIES))
def test_limbs_point_where_they_pointed_on_every_other_character(source: str) -> None:
    c, clip, plain, rig = made(source)
    truth = retarget.limb_directions(plain, character(person_=c.person).rig())
    assert apart(retarget.limb_directions(clip, rig), truth).max() < 0.01, "and they are what they were"
    for family in FAMILIES:
        t = FAMILIES[family]()
        target = t.rig(moving(t)[0])
        out = retarget.retarget(clip, rig, target)
        assert out.skeleton is t.skeleton
        assert len(out) == len(clip)
        assert apart(retarget.limb_directions(out, target), truth).max() < 0.1, family


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_round_trip_over_the_canonical_joints_keeps_limbs_chest_head_and_place(family: str) -> None:
    c, clip, _, rig = made(family)
    back = retarget.from_canonical(retarget.to_canonical(clip, rig), rig)
    (q, p), (q2, p2) = clip.forward(), back.forward()
    bones = rig.bones
    exact = [bones.last(r) for r in bones.roles if "_" in r or r in ("pelvis", "head")]
    spine = bones.roles["spine"]
    exact += [spine[-1]]
    if len(spine) == 3:
        exact += list(spine)
    if len(bones.roles.get("neck", ())) == 1:
        exact += list(bones.roles["neck"])
    assert np.degrees(rotations.angle_between(q[:, exact], q2[:, exact])).max() < 1e-4
    assert np.abs(p - p2)[:, bones.first("pelvis")].max() < 1e-9
    # more bones than the canonical joints hold: close, and the limbs stay where they are
    assert np.abs(p - p2).max() < (1e-6 if family in ("mixamo", "lafan", "z up", "child") else 0.12)
    assert apart(retarget.limb_directions(clip, rig), retarget.limb_directions(back, rig)).max() < 1e-3
    assert c.skeleton.names == back.skeleton.names


@pytest.mark.parametrize("spine", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("neck", [0, 1, 2, 3])
def test_chains_of_any_length_share_the_bend_and_keep_its_ends(spine: int, neck: int) -> None:
    layout = names(spine, neck, without=() if neck else ("neck",))
    c = character("t", layout, rng=np.random.default_rng(spine))
    rig = c.rig()
    # an even bend from pelvis to chest, and on to the head: every bone takes its part
    bend = np.array([0.9, 0.2, 0.1])
    d = rest_clip(1)
    q = d.rotations.copy()
    for role in ("spine1", "spine2", "spine3"):
        q[0, INDEX[role]] = rotations.from_axis_angle(bend / 3)
    for role in ("neck", "head"):
        q[0, INDEX[role]] = rotations.from_axis_angle(bend / 2)
    out = retarget.from_canonical(retarget.fit(Clip(d.skeleton, q, d.root_positions), rig), rig)
    for role, count in (("spine", spine), ("neck", neck)):
        steps = [rotations.to_axis_angle(out.rotations[0, b]) for b in rig.bones.roles.get(role, ())]
        share = bend / (count if role == "spine" else count + 1)
        assert np.allclose(np.reshape(steps, (count, 3)), share, atol=1e-6)
    again = retarget.to_canonical(out, rig)
    assert rotations.angle_between(again.rotations, q).max() < 1e-6


def test_the_rest_of_the_same_character_does_not_matter() -> None:
    layout = names()
    truth = None
    for form in ("t", "a", "down", "along x"):
        c = character(form, layout)
        clip, _ = moving(c)
        rig = c.rig(clip)
        out = retarget.to_canonical(clip, rig)
        if truth is None:
            truth = out
            continue
        angle = np.degrees(rotations.angle_between(out.rotations, truth.rotations))
        assert angle.max() < (3.0 if form == "along x" else 2.0), form
        assert np.abs(out.root_positions - truth.root_positions).max() < 0.005
        assert np.allclose(out.skeleton.offsets, truth.skeleton.offsets, atol=0.01)


def test_where_the_file_has_its_axes_does_not_matter() -> None:
    plain = None
    for world, facing in ((rotations.IDENTITY, 0.0), (Z_UP, 0.0), (rotations.IDENTITY, np.pi), (Z_UP, 1.0)):
        c = character("a", names(), world=world, facing=facing)
        clip, _ = moving(c)
        out = retarget.to_canonical(clip, c.rig())
        plain = plain or out
        assert rotations.angle_between(out.rotations, plain.rotations).max() < 1e-6
        assert np.abs(out.root_positions - plain.root_positions).max() < 1e-9


def test_the_canonical_skeleton_is_its_own_rig() -> None:
    rig = retarget.make_rig(CANONICAL, BoneMap("custom", {**_canonical_roles()}))
    clip = random_clip(np.random.default_rng(0), 12)
    out = retarget.to_canonical(clip, rig)
    # its limbs are not quite on the axes (feet, elbows), so within a degree or two
    assert np.degrees(rotations.angle_between(out.rotations, clip.rotations)).max() < 3
    assert np.abs(out.root_positions - clip.root_positions).max() < 0.02
    assert rig.canonical.offsets[0, 1] == pytest.approx(CANONICAL.offsets[0, 1], abs=0.02)


def _canonical_roles() -> dict[str, tuple[str, ...]]:
    chains = {"spine": ("spine1", "spine2", "spine3")}
    return {j: (j,) for j in INDEX if not j.startswith("spine")} | chains


# -- the root --------------------------------------------------------------------------------------------


def lowest(clip: Clip) -> Array:
    """Height of the lowest joint or tip at each frame."""
    q, p = clip.forward()
    tips = p + rotations.rotate(q, np.nan_to_num(clip.skeleton.tips))
    return np.minimum(p[..., 1].min(1), tips[..., 1].min(1))


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
def test_the_way_is_scaled_by_the_legs_and_flat_feet_stay_flat(scale: float) -> None:
    a = character("t", names(), rng=np.random.default_rng(1))
    b = character("a", names(), rng=np.random.default_rng(2), scale=scale)
    frames = 20
    root = a.flat.offsets[0] + np.linspace(0, 1, frames)[:, None] * [0.5, 0, 2.0]
    clip = written(a, Clip(a.flat, rotations.identity((frames, len(a.flat))), root))
    source, target = a.rig(), b.rig()
    out = retarget.retarget(clip, source, target)
    ratio = target.leg_length / source.leg_length
    pelvis = target.bones.first("pelvis")
    way = out.positions()[-1, pelvis] - out.positions()[0, pelvis]
    assert np.allclose(way, ratio * np.array([0.5, 0, 2.0]))
    assert np.abs(lowest(clip)).max() < 0.021
    assert np.abs(lowest(out)).max() < 0.022 * scale, "whoever stood on the ground stands on it"
    for side in SIDES:  # soles flat: foot and toes lie as in the target's own T-pose
        for role in (f"{side}_ankle", f"{side}_foot"):
            bone = target.bones.first(role)
            assert (
                np.degrees(rotations.angle_between(out.forward()[0][:, bone], target.reference[bone])).max()
                < 1.0
            )


def test_fit_keeps_rotations_and_takes_any_ratio() -> None:
    rig = character("t", names(), scale=0.5).rig()
    clip = rest_clip(5)
    out = retarget.fit(clip, rig)
    assert (out.rotations == clip.rotations).all()
    assert out.skeleton is rig.canonical
    feet = [INDEX["left_ankle"], INDEX["right_ankle"]]
    assert np.allclose(out.positions()[:, feet, 1], rig.ankle_height, atol=5e-4)
    far = Clip(clip.skeleton, clip.rotations, clip.root_positions + np.array([3.0, 0, 0]))
    assert np.allclose(retarget.fit(far, rig, ratio=1.0).root_positions[:, 0], 3.0)
    # a clip that already has these proportions stays where it is
    again = retarget.fit(out, rig)
    assert np.allclose(again.root_positions, out.root_positions)


def test_a_bone_over_the_pelvis_stays_and_only_the_pelvis_moves() -> None:
    c = character(person_=person(names(), above=("root",)))
    clip, _ = moving(c)
    rig = c.rig(clip)
    base = clip.slice(0, len(clip))
    back = retarget.from_canonical(retarget.to_canonical(clip, rig), rig, base)
    assert np.allclose(back.positions(), clip.positions(), atol=1e-6)
    assert (back.root_positions == clip.root_positions).all()
    still = [j for j in range(len(c.skeleton)) if j != rig.bones.first("pelvis")]
    assert np.allclose(back.local_translations()[:, still], clip.local_translations()[:, still])


def test_bones_without_a_role_keep_their_own_animation() -> None:
    p = person(names())
    p.add("prop", "Left wrist", (0.1, 0, 0), (0.1, 0, 0))
    c = character(person_=p)
    clip, _ = moving(c)
    rig = c.rig()
    canonical = retarget.to_canonical(clip, rig)
    prop = c.skeleton.index("prop")
    kept = retarget.from_canonical(canonical, rig, clip)
    assert np.allclose(kept.rotations[:, prop], clip.rotations[:, prop])
    rest = retarget.from_canonical(canonical, rig)
    assert np.allclose(np.abs(rest.rotations[:, prop] @ rotations.IDENTITY), 1)


# -- odd bodies --------------------------------------------------------------------------------------------


def biped() -> Character:
    """3ds Max: thighs hang on the first spine bone."""
    p = person(names())
    for bone in p.bones:
        if bone.name in ("Left hip", "Right hip"):
            bone.parent = "spine0"
    p.bones.sort(key=lambda b: b.name[0] in "LR" and b.name.split()[-1] in ("hip", "knee", "ankle", "foot"))
    return character("a", person_=p)


def test_bending_the_back_of_a_biped_does_not_move_its_hips() -> None:
    c = biped()
    rig = c.rig()
    d = rest_clip(2, offsets=rig.canonical.offsets)
    q = d.rotations.copy()
    q[1, INDEX["spine1"]] = q[1, INDEX["spine2"]] = rotations.from_axis_angle([0.6, 0, 0])
    out = retarget.from_canonical(Clip(d.skeleton, q, d.root_positions), rig)
    p = out.positions()
    hips = [rig.bones.first("left_hip"), rig.bones.first("right_hip")]
    assert np.allclose(p[0, hips], p[1, hips], atol=1e-9)
    assert apart(*retarget.limb_directions(out, rig)[:, 4:]).max() < 1e-4, "the legs stand as they stood"
    chest = rig.bones.last("spine")
    turned = rotations.angle_between(*out.forward()[0][:, chest])
    assert turned == pytest.approx(1.2, abs=1e-6)


@pytest.mark.parametrize("source", ["mixamo", "lafan"])
def test_a_biped_takes_limbs_from_others_and_gives_them_back(source: str) -> None:
    _, clip, _, rig = made(source)
    target = biped().rig()
    out = retarget.retarget(clip, rig, target)
    assert apart(retarget.limb_directions(out, target), retarget.limb_directions(clip, rig)).max() < 0.1
    back = retarget.retarget(out, target, rig)
    assert apart(retarget.limb_directions(back, rig), retarget.limb_directions(clip, rig)).max() < 0.1


@pytest.mark.parametrize(
    "without",
    [("foot",), ("collar",), ("neck",), ("wrist",), ("head",), ("foot", "collar", "neck", "wrist", "head")],
)
def test_what_a_body_lacks_does_not_disturb_the_rest(without: tuple[str, ...]) -> None:
    c = character("a", names(without=without))
    clip, _ = moving(c)
    rig = c.rig()
    assert np.isfinite(rig.canonical.offsets).all()
    out = retarget.to_canonical(clip, rig)
    for role in without:  # goes along with its parent, or the joint it would hang on
        for name in (role, f"left_{role}", f"right_{role}"):
            if name in INDEX and name != "neck":
                assert np.allclose(np.abs(out.rotations[:, INDEX[name]] @ rotations.IDENTITY), 1, atol=1e-9)
    other = character("t", names())
    target = other.rig()
    full = retarget.retarget(clip, rig, target)
    assert apart(retarget.limb_directions(full, target), retarget.limb_directions(clip, rig)).max() < 0.1
    back = retarget.retarget(full, target, rig)
    assert apart(retarget.limb_directions(back, rig), retarget.limb_directions(clip, rig)).max() < 0.1


@pytest.mark.parametrize("form", ["t", "a"])
def test_twist_bones_share_the_twist_and_leave_the_swing_to_the_first(form: str) -> None:
    layout = names()
    layout["elbow"] = ["{0} elbow", "{0} elbow twist 1", "{0} elbow twist 2"]
    c = character(form, layout)
    rig = c.rig()
    d = rest_clip(1, offsets=rig.canonical.offsets)
    q = d.rotations.copy()
    along = rotations.normalize(rig.canonical.offsets[INDEX["left_wrist"]])
    swing = rotations.from_axis_angle([0.0, 0.8, 0.0])
    q[0, INDEX["left_elbow"]] = rotations.multiply(swing, rotations.from_axis_angle(1.2 * along))
    out = retarget.from_canonical(Clip(d.skeleton, q, d.root_positions), rig)
    g, _ = out.forward()
    d_global = rotations.multiply(g[0], rotations.inverse(rig.reference))
    bones = rig.bones.roles["left_elbow"]
    shoulder = d_global[rig.bones.first("left_shoulder")]
    for k, bone in enumerate(bones, 1):
        part = rotations.from_axis_angle(1.2 * k / 3 * along)
        expected = rotations.multiply(shoulder, rotations.multiply(swing, part))
        assert rotations.angle_between(d_global[bone], expected) < 1e-6
    assert np.allclose(
        rotations.rotate(d_global[bones[0]], along), rotations.rotate(d_global[bones[2]], along)
    )
    again = retarget.to_canonical(out, rig)
    assert rotations.angle_between(again.rotations, q).max() < 1e-6


def test_bone_roll_does_not_matter() -> None:
    p = person(names(spine=4, neck=2))
    clips = []
    for seed in (None, 1, 2):
        skeleton = p.skeleton(None if seed is None else np.random.default_rng(seed))
        bone_map = BoneMap("custom", p.truth)
        rig = retarget.make_rig(skeleton, bone_map)
        motion = random_clip(np.random.default_rng(5), 8)
        out = retarget.retarget(
            motion, retarget.make_rig(CANONICAL, BoneMap("custom", _canonical_roles())), rig
        )
        order = [skeleton.names.index(n) for n in sorted(skeleton.names)]
        clips.append(out.positions()[:, order])
    assert np.allclose(clips[0], clips[1], atol=1e-9)
    assert np.allclose(clips[0], clips[2], atol=1e-9)


def test_moving_bones_of_six_channel_files_are_read_where_they_are() -> None:
    c = character("t", names())
    clip, _ = moving(c)
    moved = clip.local_translations()
    moved[:, 1:] *= 1.01
    stretched = Clip(c.skeleton, clip.rotations, clip.root_positions, clip.fps, moved)
    rig = c.rig()
    a, b = (retarget.to_canonical(x, rig) for x in (clip, stretched))
    assert rotations.angle_between(a.rotations, b.rotations).max() < 1e-6


def test_limb_directions_are_unit_and_nan_where_there_is_no_limb() -> None:
    c = character("t", names())
    out = retarget.limb_directions(moving(c)[0], c.rig())
    assert out.shape == (40, len(retarget.LIMBS), 3)
    assert np.allclose(np.linalg.norm(out, axis=-1), 1)
    legs = {r: b for r, b in c.bone_map.bones.items() if not r.endswith(("shoulder", "elbow", "wrist"))}
    rig = retarget.make_rig(c.skeleton, BoneMap("custom", legs))
    some = retarget.limb_directions(moving(c)[0], rig)
    arms = [i for i, n in enumerate(retarget.LIMBS) if n.endswith(("shoulder", "elbow"))]
    assert np.isnan(some[:, arms]).all()
    assert np.isfinite(np.delete(some, arms, 1)).all()
