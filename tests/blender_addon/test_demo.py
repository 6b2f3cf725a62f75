"""The demonstration: its poses stand on the ground, its picture shows them, and it runs as a command."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon import demo_picture, demo_poses, keyframes
from blender_addon.motion import bone_maps, bvh, kinematics, retarget, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import CANONICAL, JOINTS, PARENTS

needs_pillow = pytest.mark.skipif(importlib.util.find_spec("PIL") is None, reason="Pillow is not installed")
ROOT = Path(demo_poses.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def rig() -> retarget.Rig:
    """The canonical body, described like any other character."""
    found = bone_maps.find(CANONICAL)
    return retarget.make_rig(CANONICAL, found)


def test_poses_are_few_and_far_enough_apart() -> None:
    frames = [pose.frame for pose in demo_poses.POSES]
    assert 6 <= len(frames) <= 8
    assert min(np.diff(frames)) >= 8
    assert max(np.diff(frames)) <= 25


def test_the_lowest_foot_stands_where_the_pose_says(rig: retarget.Rig) -> None:
    frames, clip = demo_poses.clip(rig)
    assert len(clip) == len(frames)
    _, p = kinematics.forward(PARENTS, clip.rotations, clip.local_translations())
    lowest = p[..., 1].min(1)
    for pose, height in zip(demo_poses.POSES, lowest, strict=True):
        # Joints are above the sole by no more than an ankle is.
        assert pose.lift * rig.leg_length - 1e-9 <= height + 0.02
        assert height <= pose.lift * rig.leg_length + rig.ankle_height + 0.05


def test_an_empty_pose_mirrors_the_one_before(rig: retarget.Rig) -> None:
    _, clip = demo_poses.clip(rig)
    facing = rotations.from_axis_angle(np.array([0, -np.pi / 2, 0]))
    ahead = Clip(clip.skeleton, clip.rotations, clip.root_positions * 0, clip.fps).moved(facing, np.zeros(3))
    there = ahead.slice(0, 1).mirror().forward()[0]
    assert np.degrees(rotations.angle_between(there[0], ahead.forward()[0][1])).max() < 1e-6


@needs_pillow
def test_picture_shows_both_motions(tmp_path: Path, rig: retarget.Rig) -> None:
    from PIL import Image

    frames, clip = demo_poses.clip(rig)
    dense = clip.sample(np.interp(np.arange(1, frames[-1] + 1), frames, np.arange(len(frames))))
    raised = dense.positions() + [0.0, 0.2, 0.0]
    bands = [demo_picture.Band("One", "a note", raised), demo_picture.Band("Two", "", dense.positions())]
    demo_picture.draw(tmp_path / "a.png", bands, 1, frames)
    with Image.open(tmp_path / "a.png") as opened:
        picture = np.asarray(opened.convert("RGB")).astype(int)
    half = picture.shape[0] // 2
    upper, lower = picture[:half], picture[half:]
    for side in (upper, lower):
        for colour in (demo_picture.NEAR, demo_picture.FAR, demo_picture.TRUNK, demo_picture.INK):
            assert (np.abs(side - colour).sum(-1) < 12).any()
    assert (upper != lower[: len(upper)]).any()
    drawn = (np.abs(picture - demo_picture.NEAR).sum(-1) < 12).any(0)
    assert np.flatnonzero(drawn).min() > 10  # nobody is cut off at the edges
    assert np.flatnonzero(drawn).max() < picture.shape[1] - 10


@needs_pillow
def test_the_command_makes_three_files_and_says_one_line(tmp_path: Path, backend_python: str) -> None:
    variables = {**os.environ, "LIMBER_PYTHON": backend_python, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "blender_addon", "demo", "--out", str(tmp_path / "out")],
                          env=variables, capture_output=True, text=True, timeout=280, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    assert re.fullmatch(r"92 frames, [\d.]+ s, largest key change 0, foot skating [\d.]+ m/s \(.+\), "
                        r"[\d.]+ m/s \(interpolation\)", lines[0]), lines[0]  # fmt: skip
    assert (tmp_path / "out" / "demo.png").stat().st_size > 50_000
    clip = bvh.load(tmp_path / "out" / "demo.bvh")
    assert len(clip) == 92
    assert set(clip.skeleton.names) == set(JOINTS)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "demo.blend"))
    rig = bpy.data.objects["Character"]
    original = bpy.data.actions["Key poses"]
    result = rig.animation_data.action
    assert result != original
    rig.animation_data.action = original
    keys = keyframes.read_keys(rig, 1, 92)
    assert set(keys.frames) == {pose.frame for pose in demo_poses.POSES}
    assert keyframes.largest_key_change(keys, result) == 0.0
