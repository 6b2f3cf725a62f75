"""Captured motion onto real characters, nothing posed by hand: limbs point where the source's do.

One clip of each BVH family goes onto every shared rig and both Rigify rigs, is written as F-curves, and
is looked at where the animator looks: in Blender's evaluated pose. Then some of its poses are taken
as keys and filled in between by the real backend, and not one key may move by a bit.
"""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import actions, demo_rig, headless, jobs, key_writer, keyframes, plans, whole_motion
from blender_addon.motion import bone_maps, bvh, retarget, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.retarget import LIMBS, Rig
from blender_addon.whole_motion import Character
from tests.blender_addon import armatures

FAMILIES = {
    "cmu 01-09": ("cmu", ("cmu/01_01.bvh",)),
    "cmu 60, 61, 94, 135": ("cmu", ("cmu/135_", "cmu/60_", "cmu/61_", "cmu/94_")),
    "reactidle": ("reactidle", ("reactidle/000_genuine.bvh",)),
    "bandai_namco": ("bandai_namco", ("bandai_namco/dataset-1_",)),
}
"""Archive, and how the member begins that is taken (the first such in the archive)."""

FRAMES = 48
RIGIFY = ("rigify metarig", "rigify")
NEXT = {"shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle"}
DEFORM = {"shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand", "hip": "thigh", "knee": "shin", "ankle": "foot"}


@dataclass(frozen=True, eq=False)
class Source:
    """A captured clip of FRAMES frames, spread over the whole take, and its character."""

    clip: Clip
    rig: Rig


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Source]:
    """One clip a family, from the archives; only as much is unpacked as has to be."""
    folder = armatures.shared() / "mocap"
    wanted = {name: starts for name, (_, starts) in FAMILIES.items()}
    out: dict[str, Source] = {}
    for archive in sorted({a for a, _ in FAMILIES.values()}):
        path = folder / f"{archive}.tar.xz"
        if not path.is_file():
            pytest.skip(f"no {path}")
        left = {name for name, (a, _) in FAMILIES.items() if a == archive}
        with tarfile.open(path, mode="r|xz") as tar:
            for member in tar:
                name = next((n for n in left if member.name.startswith(wanted[n])), None)
                if name is None or not member.isfile():
                    continue
                tar.extract(member, target := tmp_path_factory.mktemp(archive), filter="data")
                out[name] = _source(target / member.name)
                left.remove(name)
                if not left:
                    break
        assert not left, f"{path} has no {left}"
    return {name: out[name] for name in FAMILIES}


def _source(path: Path) -> Source:
    clip = bvh.load(path)
    rig = retarget.make_rig(clip.skeleton, bone_maps.find(clip.skeleton), clip)
    return Source(clip.sample(np.linspace(0, len(clip) - 1, FRAMES)), rig)


def load(name: str, request: pytest.FixtureRequest) -> Any:
    """A character by name, alone in its file, without animation."""
    if name not in RIGIFY:
        return armatures.load(name)
    bpy.ops.wm.open_mainfile(filepath=str(request.getfixturevalue("rigify_blend")))
    names = (demo_rig.METARIG, demo_rig.NAME)
    obj, other = (bpy.data.objects[n] for n in (names if name == "rigify metarig" else names[::-1]))
    bpy.data.objects.remove(other)  # every object of the scene is evaluated at every frame
    bpy.context.view_layer.objects.active = obj
    return obj


def play(character: Character, source: Source) -> None:
    """Write the source's motion onto the character as its Action."""
    obj = character.obj
    own = retarget.retarget(source.clip, source.rig, character.rig)
    (obj.animation_data or obj.animation_data_create()).action = bpy.data.actions.new("Nothing")
    channels = whole_motion.channels(character, own, 1)
    key_writer.write_action(obj, "Retargeted", channels, keyframes.Keys(1, FRAMES, {}), 1, FRAMES)


def seen_directions(character: Character, frames: list[int]) -> np.ndarray:
    """Where the limbs point in Blender's evaluated pose. ``(F, 8, 3)``, Y up, unit."""
    out = np.empty((len(frames), len(LIMBS), 3))
    for n, frame in enumerate(frames):
        bpy.context.scene.frame_set(frame)
        obj = character.obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for k, role in enumerate(LIMBS):
            out[n, k] = np.array(obj.matrix_world.to_3x3() @ _limb(character, obj, role))
    out = np.stack([out[..., 0], out[..., 2], -out[..., 1]], -1)
    return rotations.normalize(out)


def _limb(character: Character, obj: Any, role: str) -> Any:
    side, part = role.split("_")
    bones = character.bone_map.bones
    if bones["pelvis"] == ("torso",):  # what deforms, not what is grabbed
        letter = side[0].upper()
        a, b = (obj.pose.bones[f"DEF-{DEFORM[p]}.{letter}"] for p in (part, NEXT[part]))
        return b.head - a.head
    a = obj.pose.bones[bones[role][0]]
    after = bones.get(f"{side}_{NEXT[part]}")
    return (obj.pose.bones[after[0]].head if after else obj.pose.bones[bones[role][-1]].tail) - a.head


@pytest.mark.parametrize("name", [*armatures.RIGS, *RIGIFY])
def test_limbs_point_where_the_source_s_do(
    name: str, sources: Mapping[str, Source], request: pytest.FixtureRequest
) -> None:
    character = whole_motion.describe(load(name, request))
    looked = list(range(1, FRAMES + 1, 12 if name == "rigify" else 5))
    mean = {}
    for family, source in sources.items():
        play(character, source)
        wanted = retarget.limb_directions(source.clip, source.rig)[[f - 1 for f in looked]]
        seen = seen_directions(character, looked)
        there = np.isfinite(wanted).all(-1)
        angles = np.degrees(np.arccos(np.clip((wanted * seen).sum(-1), -1, 1)))
        mean[family] = float(angles[there].mean())
    print(f"{name}, mean limb error in degrees:", {k: round(v, 4) for k, v in mean.items()})
    assert max(mean.values()) < 1.0, mean


@pytest.mark.parametrize("name", [*armatures.RIGS, *RIGIFY])
def test_no_key_moves(
    name: str, sources: Mapping[str, Source], backend_python: str, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch, kept_backends: list[Any],
) -> None:  # fmt: skip
    monkeypatch.setenv("LIMBER_PYTHON", backend_python)
    character = whole_motion.describe(load(name, request))
    obj = character.obj
    play(character, sources["bandai_namco"])
    made = headless.key_poses(obj, (1, 9, 20, 33, FRAMES), 1, FRAMES, character.bones)
    before = keyframes.read_keys(obj, 1, FRAMES)
    with headless.session() as session:
        session.backend = kept_backends.pop() if kept_backends else None
        outcome = headless.run(session, obj, plans.Plan(1, FRAMES))
        kept_backends.append(hand_over(session))
    assert outcome.key_change == 0.0
    result = bpy.data.actions[outcome.actions[0]]
    assert keyframes.largest_key_change(before, result) == 0.0
    assert actions.original_of(result) == made
    assert outcome.report["key_change"] == 0.0


def hand_over(session: jobs.Session) -> Any:
    """Take the running backend out of a session, for the next test."""
    backend, session.backend = session.backend, None
    return backend
