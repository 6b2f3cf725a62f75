"""Batches onto Rigify rigs, linked characters, USD and VRM."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import armature_io, demo_rig, scene_files  # noqa: E402
from blender_addon.batch import bulk, control_rig, convert, plan, sources, targets, work  # noqa: E402
from blender_addon.motion import rotations  # noqa: E402
from blender_addon.motion.clip import Clip  # noqa: E402
from blender_addon.motion.skeleton import JOINTS, Skeleton  # noqa: E402
from tests.blender_addon import characters  # noqa: E402
from tests.blender_addon.batches import FRAMES, run, seen_error  # noqa: E402
from tests.motion.walking import walk  # noqa: E402


def test_the_root_of_a_rigify_rig_carries_the_way(rigify_blend: Path, folder: Path) -> None:
    (unit,) = plan.plan([str(folder / "walk.bvh")], [f"{rigify_blend}:{demo_rig.NAME}"], folder / "rooted",
                        plan.Options(root="bone", check=6))  # fmt: skip
    (entry,) = work.Workshop().run(unit, lambda text: None)
    assert entry["state"] == "done", entry
    assert entry["place_error"] < 1e-4
    bpy.ops.wm.open_mainfile(filepath=entry["output"])
    bones, far = scene_files.choose_armature(demo_rig.NAME).pose.bones, {}
    for frame in (1, FRAMES):
        bpy.context.scene.frame_set(frame)
        far[frame] = bones["root"].matrix.translation.copy(), bones["torso"].location.copy()
    assert (far[FRAMES][0] - far[1][0]).length > 1
    assert (far[FRAMES][1] - far[1][1]).length < 0.2, "torso sways on it"


def test_control_rigs_get_the_same_values_the_quick_way_and_the_long_one(
    rigify_blend: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = targets.open_target(plan.Place(str(rigify_blend), demo_rig.NAME), "auto")
    (source,) = sources.read(plan.Place(str(folder / "walk.bvh")))
    assert isinstance(source, sources.Source)
    made = convert.convert(source, target.character.rig, plan.Options())
    quick = bulk.channels(target.character, made, None, 1)
    monkeypatch.setattr(control_rig, "is_free", lambda *_: False)
    slow = bulk.channels(target.character, made, None, 1)
    assert set(quick) == set(slow)
    for key, values in slow.items():
        sign = np.sign((values * quick[key]).sum()) if "quaternion" in key[0] else 1
        np.testing.assert_allclose(sign * quick[key], values, atol=1e-6, err_msg=str(key))


def test_a_rigify_rig_shows_the_motion_and_its_switches_are_set(rigify_blend: Path, folder: Path) -> None:
    (unit,) = plan.plan(
        [str(folder / "walk.bvh")],
        [f"{rigify_blend}:{demo_rig.NAME}"],
        folder / "rigify",
        plan.Options(check=4),
    )
    (entry,) = work.Workshop().run(unit, lambda text: None)
    assert entry["state"] == "done", entry
    assert entry["limb_error"] < 2
    assert entry["place_error"] < 1e-3
    bpy.ops.wm.open_mainfile(filepath=entry["output"])
    bpy.context.scene.frame_set(10)
    assert scene_files.choose_armature(demo_rig.NAME).pose.bones["thigh_parent.L"]["IK_FK"] == 1.0


def test_fingers_bend_on_a_rigify_rig_as_on_the_source(rigify_blend: Path, folder: Path) -> None:
    """A fist on the SMPL-H hands of an AMASS take, looked at on the bones that deform."""
    target = targets.open_target(plan.Place(str(rigify_blend), demo_rig.NAME), "auto")
    obj = target.character.obj
    walked, _ = walk(steps=3)
    source = sources.described("", with_fingers(walked), "auto")
    made = convert.convert(source, target.character.rig, plan.Options())
    assert len(made.fingers) == 2
    bulk.write_action(obj, "fist", bulk.channels(target.character, made, None, 1), 1)
    p = source.clip.positions()
    for row in (0, 20, FRAMES - 1):
        bpy.context.scene.frame_set(row + 1)
        pose = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        for side in ("left", "right"):
            names = source.rig.bone_map.fingers[f"{side}_index"]
            for k, bone in enumerate(target.character.bone_map.fingers[f"{side}_index"][:2]):
                a, b = (p[row, source.clip.skeleton.index(n)] for n in names[k : k + 2])
                seen = pose[f"DEF-{bone}"]
                way = rotations.rotate(armature_io.Y_UP, np.array(seen.tail - seen.head))
                off = rotations.normalize(b - a) - rotations.normalize(way)
                assert np.degrees(np.linalg.norm(off)) < 0.5


def with_fingers(clip: Clip) -> Clip:
    """A clip on canonical joints with three bones on both index fingers, that close more and more."""
    s = clip.skeleton
    names, parents, offsets = list(s.names), s.parents.tolist(), s.offsets.tolist()
    turned = [clip.rotations[:, j] for j in range(len(s))]
    bend = np.linspace(0.1, 1.2, len(clip))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        at = s.index(f"{side}_wrist")
        for k in (1, 2, 3):
            names.append(f"{side}_index{k}")
            parents.append(at)
            offsets.append([sign * (0.08 if k == 1 else 0.03), 0.0, 0.0])
            turned.append(rotations.from_axis_angle(bend[:, None] * np.array([0.0, 0.0, -sign])))
            at = len(names) - 1
    skeleton = Skeleton(tuple(names), np.array(parents), np.array(offsets))
    return Clip(skeleton, np.stack(turned, 1), clip.root_positions, clip.fps)


def test_a_linked_character_is_overridden(folder: Path, tmp_path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(folder / "hero.blend"), link=True) as (there, here):
        here.objects = [name for name in there.objects if name == "Hero"]
    bpy.context.scene.collection.objects.link(here.objects[0])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    (unit,) = plan.plan(
        [str(folder / "walk.bvh")], [str(tmp_path / "shot.blend")], tmp_path / "out", plan.Options(check=4)
    )
    (entry,) = work.Workshop().run(unit, lambda text: None)
    assert entry["state"] == "done", entry
    assert entry["limb_error"] < 1


def test_an_instance_of_a_linked_collection_is_overridden(folder: Path, tmp_path: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(folder / "hero.blend"))
    made = bpy.data.collections.new("Cast")
    made.objects.link(bpy.data.objects["Hero"])
    bpy.context.scene.collection.children.link(made)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (there, here):
        here.collections = [name for name in there.collections if name == "Cast"]
    empty = bpy.data.objects.new("Cast", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", here.collections[0]
    bpy.context.scene.collection.objects.link(empty)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    (entry,) = run(tmp_path, source=str(folder / "walk.bvh"), target="shot.blend")
    assert entry["state"] == "done", entry
    assert entry["limb_error"] < 1
    before = (tmp_path / "library.blend").stat().st_mtime_ns
    assert before < Path(entry["output"]).stat().st_mtime_ns, "the library is not written to"


@pytest.mark.parametrize("ending", ["usda", "usdc"])
def test_usd_characters_and_clips(folder: Path, tmp_path: Path, ending: str) -> None:
    bpy.ops.wm.open_mainfile(filepath=run(folder)[0]["output"])
    bpy.context.scene.frame_set(1)
    bpy.ops.wm.usd_export(
        filepath=str(tmp_path / f"hero.{ending}"), export_animation=True, export_armatures=True
    )
    (entry,) = run(tmp_path, source=str(folder / "walk.bvh"), target=f"hero.{ending}", out="onto")
    assert entry["state"] == "done", entry
    assert entry["limb_error"] < 1
    (entry,) = run(tmp_path, source=f"hero.{ending}", target=str(folder / "hero.blend"), out="from",
                   options=plan.Options(format="bvh", feet="keep", hands="keep"))  # fmt: skip
    assert entry["state"] == "done", entry
    assert seen_error(Path(entry["output"])) < 1, "what went through USD is the walk"


@pytest.mark.parametrize("version", [0, 1])
def test_vrm_files_say_which_bone_is_which(folder: Path, tmp_path: Path, version: int) -> None:
    """Names that nobody could guess; the file's humanoid list tells."""
    roles = {"hips": "pelvis", "spine": "spine1", "chest": "spine2", "upperChest": "spine3", "neck": "neck",
             "head": "head"}  # fmt: skip
    for side in ("left", "right"):
        roles |= {f"{side}{a}": f"{side}_{b}" for a, b in (
            ("Shoulder", "collar"), ("UpperArm", "shoulder"), ("LowerArm", "elbow"), ("Hand", "wrist"),
            ("UpperLeg", "hip"), ("LowerLeg", "knee"), ("Foot", "ankle"), ("Toes", "foot"))}  # fmt: skip
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = characters.make_person("Avatar")
    nodes = {f"骨{(7 * k) % 22}": joint for k, joint in enumerate(JOINTS)}
    for name, joint in nodes.items():
        obj.data.bones[joint].name = name
    scene_files.save(tmp_path / "avatar.glb", obj, 1, 2)
    _state_humanoid(tmp_path / "avatar.glb", tmp_path / "avatar.vrm", roles, nodes, version)
    (entry,) = run(tmp_path, source=str(folder / "walk.bvh"), target="avatar.vrm")
    assert entry["state"] == "done", entry
    assert (entry["map"], entry["unmapped_target"]) == ("vrm", [])
    assert entry["limb_error"] < 1


def _state_humanoid(glb: Path, vrm: Path, roles: dict[str, str], names: dict[str, str], version: int) -> None:
    """The same file with a VRM extension that lists humanoid bones."""
    data = glb.read_bytes()
    (size,) = struct.unpack_from("<I", data, 12)
    whole = json.loads(data[20 : 20 + size])
    joints = {names[n["name"]]: k for k, n in enumerate(whole["nodes"]) if n.get("name") in names}
    if version == 1:
        listed: Any = {
            "VRMC_vrm": {"humanoid": {"humanBones": {a: {"node": joints[b]} for a, b in roles.items()}}}
        }
    else:
        listed = {
            "VRM": {"humanoid": {"humanBones": [{"bone": a, "node": joints[b]} for a, b in roles.items()]}}
        }
    text = json.dumps(whole | {"extensions": listed}).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + data[20 + size :]
    vrm.write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(body)) + body)


def test_a_warm_target_is_as_it_was_opened_for_every_clip(
    rigify_blend: Path, folder: Path, tmp_path: Path
) -> None:
    shop = work.Workshop()
    for target, root in ((folder / "hero.blend", "object"), (f"{rigify_blend}:{demo_rig.NAME}", "hips")):
        units = plan.plan([str(folder / "walk.bvh"), str(folder / "walk_amass.npz")], [str(target)], tmp_path / root,
                          plan.Options(root=root, check=4))  # fmt: skip
        (first,), (second,), (again,) = (shop.run(unit, lambda text: None) for unit in (*units, units[0]))
        assert second["place_error"] < 1e-3
        assert second["limb_error"] < 1.5
        for name in ("limb_error", "place_error", "root_path_ratio"):
            assert again[name] == pytest.approx(first[name], abs=1e-6)
        opened = shop.target(units[0].target, "auto").character.obj
        assert not opened.location.length
        if root == "hips":
            assert opened.pose.bones["thigh_parent.L"]["IK_FK"] == 0.0, "the switch is the Action's alone"


def test_a_pose_without_an_action_is_kept_by_bones_that_a_source_lacks(folder: Path, tmp_path: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(folder / "hero.blend"))
    obj = bpy.data.objects["Hero"]
    obj.animation_data_clear()
    obj.pose.bones["prop"].rotation_quaternion = (0.8, 0.6, 0, 0)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "posed.blend"))
    shop = work.Workshop()
    clips = [str(folder / "walk.bvh"), str(folder / "walk_amass.npz")]
    for unit in plan.plan(clips, [str(tmp_path / "posed.blend")], tmp_path / "out", plan.Options(check=0)):
        (entry,) = shop.run(unit, lambda text: None)
        turn = shop.target(unit.target, "auto").character.obj.pose.bones["prop"].rotation_quaternion
        assert tuple(turn) == pytest.approx((0.8, 0.6, 0, 0)), entry
