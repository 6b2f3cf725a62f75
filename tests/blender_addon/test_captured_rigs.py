"""Complete and Refine on real characters and on Rigify's controls: without the backend where only the way
there and back is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import (  # noqa: E402
    actions,
    armature_io,
    captured,
    captured_writer,
    key_writer,
    keyframes,
    plans,
    rigify_io,
)
from blender_addon.captured import Captured  # noqa: E402
from blender_addon.keyframes import split_path  # noqa: E402
from blender_addon.motion import bone_maps, interpolation, rotations  # noqa: E402
from blender_addon.motion.clip import Clip  # noqa: E402
from blender_addon.motion.constraints import Result  # noqa: E402
from tests.blender_addon import armatures  # noqa: E402
from tests.blender_addon.characters import every_record  # noqa: E402

RIGS = ("ue_37clips.glb", "rigify_deform_44clips.glb", "kaykit_MovementBasic.glb", "mannequiny.glb")


def finish(steps: Any) -> Any:
    return armature_io._finish(steps)


def carried_out(obj: Any, plan: plans.Plan, turn: float = 0.0) -> tuple[Captured, Any]:
    """A plan by interpolation, turned about the vertical by ``turn`` where asked; what was read, and the Action."""
    bone_map = bone_maps.find(armature_io.read_skeleton(obj))
    read = finish(captured.collect(obj, plan, bone_map))
    rig = read.rig()
    request = read.request(rig)
    filled = interpolation.fill(request)
    q = filled.rotations.copy()
    extra = rotations.from_axis_angle(np.array([0.0, turn, 0.0]))
    q[read.scope.joints] = rotations.multiply(q[read.scope.joints], extra)
    made = Clip(filled.skeleton, q, filled.root_positions, filled.fps)
    answers = read.answers(rig, request, Result((made,), filled))
    channels, kept = finish(captured_writer.channels_steps(obj, read, answers.clips[0]))
    action = key_writer.write_action(obj, "made", channels, kept, kept.start, kept.end)
    assert keyframes.largest_key_change(read.keys, action, obj.animation_data.action_slot) == 0.0
    return read, action


def written(obj: Any, before: dict[tuple[str, int], np.ndarray]) -> set[str]:
    """Bones any of whose curves is another than before."""
    after = every_record(obj)
    return {(split_path(path) or (path,))[0] for (path, i), r in after.items()
            if (path, i) not in before or before[path, i].tobytes() != r.tobytes()}  # fmt: skip


def longest(obj: Any) -> Any:
    """The longest Action of the file, given to the armature."""
    action = max(bpy.data.actions, key=lambda a: a.curve_frame_range[1] - a.curve_frame_range[0])
    data = obj.animation_data or obj.animation_data_create()
    for track in list(data.nla_tracks):
        data.nla_tracks.remove(track)
    data.action = action
    data.action_slot = next(s for s in action.slots if s.target_id_type in ("OBJECT", "UNSPECIFIED"))
    return action


@pytest.mark.parametrize("name", RIGS)
def test_a_clip_of_a_real_character(name: str) -> None:
    obj = armatures.load(name)
    if not len(bpy.data.actions):
        pytest.skip("a character without clips")
    action = longest(obj)
    first, last = (round(x) for x in action.curve_frame_range)
    start, end = first + (last - first) // 3, first + 2 * (last - first) // 3
    before = every_record(obj)
    whole = np.arange(first, last + 1, dtype=float)
    was = armature_io.read_clip(obj, whole)
    # 1. refined by nobody: the way there and back changes nothing
    carried_out(obj, plans.Plan(start, end, "NONE", task="refine", confidence=0.5))
    now = armature_io.read_clip(obj, whole)
    assert np.degrees(rotations.angle_between(was.forward()[0], now.forward()[0])).max() < 0.02
    np.testing.assert_allclose(was.positions(), now.positions(), atol=1e-3)
    # 2. an arm is missing: the arm alone is written, in the range alone
    actions.assign(obj, action, None)
    arm = bone_maps.find(armature_io.read_skeleton(obj)).bones["left_elbow"]
    read, _ = carried_out(obj, plans.Plan(start, end, "NONE", task="complete", bones=arm), turn=0.5)
    assert written(obj, before) <= set(arm)
    assert set(read.bones) == set(arm)
    after = armature_io.read_clip(obj, whole)
    moved = rotations.angle_between(was.rotations, after.rotations)
    outside = (whole < start) | (whole > end)
    assert np.degrees(moved[outside]).max() < 0.01
    others = [j for j, bone in enumerate(was.skeleton.names) if bone not in arm]
    assert np.degrees(moved[:, others]).max() < 1e-4


# -- Rigify -------------------------------------------------------------------------------------------

BODY = ("torso", "hips", "chest", "neck", "head", "shoulder.L", "spine_fk.002")
FRAMES = tuple(range(1, 31))


def bake(obj: Any, bones: Iterable[str], seed: int = 0) -> None:
    """A key on every frame of some controls, smooth in time."""
    rng = np.random.default_rng(seed)
    for name in bones:
        bone = obj.pose.bones[name]
        bone.rotation_mode = "QUATERNION"
        axis, phase = rng.normal(size=3) * 0.12, rng.uniform(0, 6)
        place = rng.normal(size=3) * 0.04
        for frame in FRAMES:
            s = float(np.sin(0.25 * frame + phase))
            bone.rotation_quaternion = rotations.from_axis_angle(axis * s).tolist()
            bone.keyframe_insert("rotation_quaternion", frame=frame)
            if name == "torso" or "_ik" in name:
                bone.location = (place * s).tolist()
                bone.keyframe_insert("location", frame=frame)


def limbs(*stems: str) -> tuple[str, ...]:
    return tuple(f"{stem}.{letter}" for stem in stems for letter in "LR")


FK = limbs("upper_arm_fk", "forearm_fk", "hand_fk", "thigh_fk", "shin_fk", "foot_fk")
IK = limbs("hand_ik", "foot_ik")


def seen(obj: Any, frames: Iterable[int] = FRAMES) -> Clip:
    bone_map = bone_maps.find(armature_io.read_skeleton(obj))
    return finish(rigify_io.read_clip_steps(obj, bone_map, np.array(list(frames), float)))


@pytest.mark.parametrize("way", ["FK", "IK"])
def test_refined_by_nobody_a_control_rig_looks_as_it_did(rigify_rig: Any, way: str) -> None:
    obj = rigify_rig
    if way == "FK":
        for name in ("upper_arm_parent.L", "upper_arm_parent.R", "thigh_parent.L", "thigh_parent.R"):
            obj.pose.bones[name]["IK_FK"] = 1.0
    bake(obj, (*BODY, *(FK if way == "FK" else IK)))
    before = seen(obj)
    carried_out(obj, plans.Plan(8, 20, "NONE", task="refine", confidence=0.5))
    after = seen(obj)
    apart = np.degrees(rotations.angle_between(before.forward()[0], after.forward()[0]))
    assert apart.max() < 0.05, np.argwhere(apart >= 0.05)[:5]
    if way == "FK":  # an IK limb stretches after its hand; FK has no way to say that
        np.testing.assert_allclose(before.positions(), after.positions(), atol=1e-3)


@pytest.mark.parametrize(("way", "chosen", "expected"), [
    ("FK", "forearm_fk.L", {"forearm_fk.L"}),
    ("IK", "hand_ik.L", {"upper_arm_fk.L", "forearm_fk.L", "hand_fk.L"}),
])  # fmt: skip
def test_one_limb_of_a_control_rig(rigify_rig: Any, way: str, chosen: str, expected: set[str]) -> None:
    obj = rigify_rig
    if way == "FK":
        obj.pose.bones["upper_arm_parent.L"]["IK_FK"] = 1.0
    bake(obj, (*BODY, *(FK if way == "FK" else IK)))
    records, before = every_record(obj), seen(obj)
    read, _ = carried_out(obj, plans.Plan(8, 20, "NONE", task="complete", bones=(chosen,)), turn=0.4)
    assert set(read.bones) == expected
    switch = 'pose.bones["upper_arm_parent.L"]["IK_FK"]'
    assert written(obj, records) == expected | ({switch} if way == "IK" else set())
    after = seen(obj)
    apart = np.degrees(rotations.angle_between(before.forward()[0], after.forward()[0]))
    arm = [before.skeleton.index(b) for b in ("upper_arm_fk.L", "forearm_fk.L", "hand_fk.L")]
    others = [j for j in range(len(before.skeleton)) if j not in arm]
    assert apart[:, others].max() < 0.01
    outside = np.array([f < 8 or f > 20 for f in FRAMES])
    assert apart[outside].max() < 0.05
    assert apart[~outside][:, arm].max() > 5
