"""Real characters map by themselves: the shared rigs, both Rigify rigs, the captured skeletons.

The tables were written by looking at each rig's bones and where they lie.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import pytest

from blender_addon import demo_rig
from blender_addon.motion import bone_maps, bvh
from blender_addon.motion.bone_maps import BoneMap
from blender_addon.motion.skeleton import Skeleton

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")
armature_io = pytest.importorskip("blender_addon.armature_io")

LIMBS = ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")


def truth(trunk: str, limbs: str, sides: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    """Role -> bones from two texts: parts by ``;``, bones by ``,``, ``.`` for none."""
    out: dict[str, tuple[str, ...]] = {}
    for role, text in zip(("pelvis", "spine", "neck", "head"), trunk.split(";"), strict=True):
        out[role] = tuple(b.strip() for b in text.split(","))
    for role, text in zip(LIMBS, limbs.split(";"), strict=True):
        for side, word in zip(("left", "right"), sides, strict=True):
            out[f"{side}_{role}"] = tuple(b.strip().replace("*", word) for b in text.split(","))
    return {r: b for r, b in out.items() if b != (".",)}


UNREAL = truth("pelvis; spine_01, spine_02, spine_03; neck_01; head",
               "clavicle_*; upperarm_*; lowerarm_*; hand_*; thigh_*; calf_*; foot_*; ball_*", ("l", "r"))  # fmt: skip
KAYKIT = truth("hips; spine, chest; .; head",
               ".; upperarm.*; lowerarm.*; wrist.*, hand.*; upperleg.*; lowerleg.*; foot.*; toes.*",
               ("l", "r"))  # fmt: skip
RIGS = {
    "ue_male.glb": ("unreal", UNREAL, 10),
    "ue_zombie_42bones.glb": ("unreal", UNREAL, 4),
    "ue_37clips.glb": ("unreal", UNREAL, 10),
    "rigify_deform_44clips.glb": ("rigify", truth(
        "DEF-hips; DEF-spine.001, DEF-spine.002, DEF-spine.003; DEF-neck; DEF-head",
        "DEF-shoulder.*; DEF-upper_arm.*; DEF-forearm.*; DEF-hand.*; DEF-thigh.*; DEF-shin.*; DEF-foot.*; DEF-toe.*",
        ("L", "R")), 10),
    "kenney.glb": ("kenney", truth(
        "Hips; Spine, Chest, UpperChest; Neck; Head",
        "*Shoulder; *Arm; *ForeArm; *Hand; *UpLeg; *Leg; *Foot; *Toes", ("Left", "Right")), 4),
    "mannequiny.glb": ("mannequiny", truth(
        "pelvis; spine_01, spine_02; neck_01; head",
        "clavicle.*; upperarm.*; lowerarm.*; hand.*; thigh.*; calf.*; foot.*; ball.*", ("l", "r")), 8),
    "rocketbox_biped_female.fbx": ("biped", truth(
        "Bip01 Pelvis; Bip01 Spine, Bip01 Spine1, Bip01 Spine2; Bip01 Neck; Bip01 Head",
        "Bip01 * Clavicle; Bip01 * UpperArm; Bip01 * Forearm; Bip01 * Hand; Bip01 * Thigh; Bip01 * Calf;"
        "Bip01 * Foot; Bip01 * Toe0", ("L", "R")), 10),
    **{f"kaykit_{name}.glb": ("kaykit", KAYKIT, 0) for name in (
        "CombatMelee", "CombatRanged", "General", "MovementAdvanced", "MovementBasic", "Simulation")},
}  # fmt: skip
METARIG = truth(
    "spine; spine.001, spine.002, spine.003; spine.004, spine.005; spine.006",
    "shoulder.*; upper_arm.*; forearm.*; hand.*; thigh.*; shin.*; foot.*; toe.*", ("L", "R"),
)  # fmt: skip
CONTROLS = truth(
    "torso; spine_fk.002, spine_fk.003; neck; head",
    "shoulder.*; upper_arm_fk.*; forearm_fk.*; hand_fk.*; thigh_fk.*; shin_fk.*; foot_fk.*; toe_fk.*", ("L", "R"),
)  # fmt: skip
CAPTURED = {
    "cmu/01_01.bvh": ("cmu", truth(
        "Hips; LowerBack, Spine, Spine1; Neck, Neck1; Head",
        "*Shoulder; *Arm; *ForeArm; *Hand; *UpLeg; *Leg; *Foot; *ToeBase", ("Left", "Right"))),
    "cmu/135_03.bvh": ("cmu", truth(
        "hip; abdomen, chest; neck; head", "*Collar; *Shldr; *ForeArm; *Hand; *Thigh; *Shin; *Foot; .", ("l", "r"))),
    "reactidle/000_genuine.bvh": ("reactidle", truth(
        "pelvis; spine, spine.001; neck; face",
        "shoulder.*; upper_arm.*; forearm.*; .; thigh.*; shin.*; foot.*; .", ("L", "R"))),
    "bandai_namco/dataset-1_bow_active_001.bvh": ("bandai_namco", truth(
        "Hips; Spine, Chest; Neck; Head",
        "Shoulder_*; UpperArm_*; LowerArm_*; Hand_*; UpperLeg_*; LowerLeg_*; Foot_*; Toes_*", ("L", "R"))),
}  # fmt: skip


@pytest.fixture(scope="module")
def shared() -> Path:
    """The folder of real characters and captures, which are no part of the repository."""
    folder = Path(os.environ.get("LIMBER_SHARED", Path(__file__).parents[2].parent / "shared"))
    if not (folder / "rigs").is_dir():
        pytest.skip(f"no shared rigs in {folder}; LIMBER_SHARED names the folder that has them")
    return folder


@lru_cache
def skeleton_of(path: Path) -> Skeleton:
    """The bones of the armature in a .glb or .fbx file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    return armature_io.read_skeleton(next(o for o in bpy.data.objects if o.type == "ARMATURE"))


@pytest.fixture
def rigify(rigify_blend: Path) -> Mapping[str, bpy.types.Object]:
    """The metarig and the generated rig, freshly opened."""
    bpy.ops.wm.open_mainfile(filepath=str(rigify_blend))
    return {name: bpy.data.objects[name] for name in (demo_rig.METARIG, demo_rig.NAME)}


def nonsense(skeleton: Skeleton) -> tuple[Skeleton, dict[str, str]]:
    """The same bones called nonsense, and the way back to their names."""
    names = tuple(f"Q{(i * 7919) % 9973:04}" for i in range(len(skeleton)))
    renamed = Skeleton(names, skeleton.parents, skeleton.offsets, skeleton.rest_rotations, skeleton.tips)
    return renamed, dict(zip(names, skeleton.names, strict=True))


def check(found: BoneMap, expected: Mapping[str, tuple[str, ...]], family: str) -> None:
    assert dict(found.bones) == dict(expected)
    assert found.preset == family
    assert min(found.confidence.values()) == 1.0


@pytest.mark.parametrize("file", RIGS)
def test_shared_rig(shared: Path, file: str) -> None:
    family, expected, fingers = RIGS[file]
    found = bone_maps.find(skeleton_of(shared / "rigs" / file))
    check(found, expected, family)
    assert len(found.fingers) == fingers


def test_every_shared_rig_is_in_the_table(shared: Path) -> None:
    there = {p.name for p in (shared / "rigs").iterdir() if p.suffix in (".glb", ".fbx")}
    assert there <= set(RIGS)


@pytest.mark.parametrize("file", [f for f in RIGS if not f.startswith("kaykit_") or "General" in f])
def test_shared_rig_without_names_is_right_or_open(shared: Path, file: str) -> None:
    _, expected, _ = RIGS[file]
    skeleton, back = nonsense(skeleton_of(shared / "rigs" / file))
    found = bone_maps.find(skeleton)
    assert found.preset == "structure"
    for role, bones in found.bones.items():
        named = tuple(back[b] for b in bones)
        assert named == expected[role][: len(named)], role
    assert {f"{s}_{r}" for s in ("left", "right") for r in ("hip", "knee", "ankle")} <= set(found.bones)


def test_rigify_metarig(rigify: Mapping[str, bpy.types.Object]) -> None:
    found = bone_maps.find(armature_io.read_skeleton(rigify[demo_rig.METARIG]))
    check(found, METARIG, "rigify")
    assert len(found.fingers) == 10
    assert bone_maps.controls(found) == ((), ())


def test_rigify_controls(rigify: Mapping[str, bpy.types.Object]) -> None:
    rig = rigify[demo_rig.NAME]
    found = bone_maps.find(armature_io.read_skeleton(rig))
    check(found, CONTROLS, "rigify")
    assert len(found.fingers) == 10
    # Reading only what is mapped (and its parents) must not change the answer.
    assert bone_maps.find(armature_io.read_skeleton(rig, list(found.names))).bones == found.bones


def test_rigify_switches_make_the_deform_bones_obey(rigify: Mapping[str, bpy.types.Object]) -> None:
    """With the switches set, turning mapped controls alone turns the body as much, and no more."""
    from math import radians, tau

    from mathutils import Quaternion

    rig = rigify[demo_rig.NAME]
    found = bone_maps.find(armature_io.read_skeleton(rig))
    switches, still = bone_maps.controls(found)
    assert {s.bone for s in switches} <= set(rig.pose.bones.keys())
    for s in switches:
        assert s.property in rig.pose.bones[s.bone]
        rig.pose.bones[s.bone][s.property] = type(rig.pose.bones[s.bone][s.property])(s.value)
    assert set(still) & set(rig.pose.bones.keys()) == {"hips", "chest", "spine_fk", "spine_fk.001"}
    deform = {"pelvis": "DEF-spine", "spine": "DEF-spine.003", "head": "DEF-spine.006",
              "left_elbow": "DEF-forearm.L", "left_wrist": "DEF-hand.L", "right_knee": "DEF-shin.R",
              "right_foot": "DEF-toe.R", "left_collar": "DEF-shoulder.L"}  # fmt: skip

    def angles(before: Mapping[str, Quaternion]) -> dict[str, float]:
        bpy.context.view_layer.update()
        turned = {r: rig.pose.bones[d].matrix.to_quaternion() for r, d in deform.items()}
        angle = {r: q.rotation_difference(before[r]).angle for r, q in turned.items()}
        return {r: min(a, tau - a) for r, a in angle.items()}

    bpy.context.view_layer.update()
    rest = {r: rig.pose.bones[d].matrix.to_quaternion() for r, d in deform.items()}
    carried = {
        "pelvis": set(deform), "spine": set(deform) - {"pelvis", "right_knee", "right_foot"}, "neck": {"head"},
        "head": {"head"}, "left_collar": {"left_collar", "left_elbow", "left_wrist"},
        "left_shoulder": {"left_elbow", "left_wrist"}, "left_wrist": {"left_wrist"},
        "right_hip": {"right_knee", "right_foot"}, "right_ankle": {"right_foot"},
    }  # fmt: skip
    for role, moved in carried.items():
        control = rig.pose.bones[found.bones[role][0]]
        mode, control.rotation_mode = control.rotation_mode, "QUATERNION"
        control.rotation_quaternion = Quaternion((0, 0, 1), radians(20))
        after = angles(rest)
        control.rotation_quaternion = Quaternion()
        control.rotation_mode = mode
        for part, angle in after.items():
            assert angle == pytest.approx(radians(20) if part in moved else 0.0, abs=2e-3), (role, part)


@pytest.mark.parametrize("file", CAPTURED)
def test_captured_skeleton(shared: Path, file: str, tmp_path: Path) -> None:
    family, expected = CAPTURED[file]
    archive = shared / "mocap" / f"{Path(file).parent.name}.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    with tarfile.open(archive, mode="r|xz") as tar:
        for member in tar:
            if member.name.endswith(file):
                tar.extract(member, tmp_path, filter="data")
                break
    found = bone_maps.find(bvh.load(tmp_path / member.name).skeleton)
    check(found, expected, family)
