"""Rewriting frames of a BVH: the new ones say what the clip says, the others keep every character."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import bvh, rotations
from blender_addon.motion.bvh_rewrite import rewrite
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import FileFormatError, InvalidRequestError
from blender_addon.motion.rotations import EULER_ORDERS
from blender_addon.motion.skeleton import Skeleton


def chain(frames: int, seed: int, translations: bool = False) -> Clip:
    rng = np.random.default_rng(seed)
    offsets = rng.normal(size=(5, 3)) * 0.3
    skeleton = Skeleton(("root", "a", "b", "c", "d"), np.array([-1, 0, 1, 0, 3]), offsets)
    turned = rotations.normalize(rng.normal(size=(frames, 5, 4)))
    moved = offsets + rng.normal(size=(frames, 5, 3)) * 0.1 if translations else None
    return Clip(skeleton, turned, rng.normal(size=(frames, 3)), 30, moved)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(EULER_ORDERS),
    st.booleans(),
    st.lists(st.booleans(), min_size=12, max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(0, 10**6),
)
def test_new_frames_hold_the_clip_and_old_ones_their_characters(
    order: str, translations: bool, changed: list[bool], end: str, seed: int
) -> None:
    before, after = chain(12, seed, translations), chain(12, seed + 1, translations)
    after = Clip(before.skeleton, after.rotations, after.root_positions, 30, after.translations)
    text = bvh.format(before, 100, order).replace("\n", end)
    out = rewrite(text, after, changed, 0.01)
    old, new = text.split(end), out.split(end)
    assert len(old) == len(new)
    start = len(old) - 13  # 12 frames and the empty end
    assert old[:start] == new[:start]
    for i, different in enumerate(changed):
        if not different:
            assert new[start + i] == old[start + i]
    read, mask = bvh.parse(out, scale=0.01), np.array(changed)
    assert rotations.angle_between(read.rotations, after.rotations)[mask].max(initial=0) < 1e-5
    assert np.allclose(read.root_positions[mask], after.root_positions[mask], atol=1e-7)
    assert np.allclose(read.local_translations()[mask], after.local_translations()[mask], atol=1e-7)


def test_angles_run_on_from_the_frame_before() -> None:
    turns = np.zeros((60, 5, 3))
    turns[:, :, 1] = np.linspace(0, 3 * np.pi, 60)[:, None]  # one and a half turns
    base = chain(60, 0)
    clip = Clip(base.skeleton, rotations.from_axis_angle(turns), base.root_positions, 30)
    text = bvh.format(clip, 100, "ZXY")
    changed = np.zeros(60, bool)
    changed[1:59] = True
    rows = [[float(x) for x in row.split()] for row in rewrite(text, clip, changed, 0.01).split("\n")[-61:-1]]
    assert np.abs(np.diff(np.array(rows)[1:59, 3:], axis=0)).max() < 20


def test_joints_with_one_rotation_channel_get_the_part_they_can_hold() -> None:
    text = bvh.format(chain(4, 1), 100, "XYZ")
    lines = text.split("\n")
    which = max(i for i, line in enumerate(lines) if "CHANNELS 3" in line)
    lines[which] = lines[which].replace("CHANNELS 3 Xrotation Yrotation Zrotation", "CHANNELS 1 Xrotation")
    start = lines.index(next(line for line in lines if line.startswith("Frame Time"))) + 1
    lines[start:-1] = [" ".join(row.split()[:-2]) for row in lines[start:-1]]
    text = "\n".join(lines)
    clip = bvh.parse(text, scale=0.01)
    out = bvh.parse(rewrite(text, clip, np.ones(4, bool), 0.01), scale=0.01)
    assert rotations.angle_between(out.rotations, clip.rotations).max() < 1e-5


def test_frames_wrapped_over_lines_become_one_line_with_the_same_words() -> None:
    clip = chain(5, 2)
    text = bvh.format(clip)
    head, _, body = text.partition("Frame Time")
    first, *rows = body.rstrip("\n").split("\n")
    wrapped = "\n".join(" ".join(r.split()[:7]) + "\n" + " ".join(r.split()[7:]) for r in rows)
    out = rewrite(f"{head}Frame Time{first}\n{wrapped}\n", clip, np.zeros(5, bool), 0.01)
    assert out.split("\n")[-6:-1] == rows


def test_refused() -> None:
    clip, text = chain(5, 0), bvh.format(chain(5, 0))
    with pytest.raises(FileFormatError):
        rewrite("no motion", clip, np.ones(5, bool), 0.01)
    with pytest.raises(InvalidRequestError, match="4 frames"):
        rewrite(text, clip.slice(0, 4), np.ones(4, bool), 0.01)
    with pytest.raises(FileFormatError, match="whole number"):
        rewrite(text + "1 2 3\n", clip, np.ones(5, bool), 0.01)
