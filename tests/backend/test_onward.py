"""Motion that goes on and loops: what was there stays, the seam is none, the last frame is the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backend import tasks, weights
from backend.__main__ import main
from backend.nn import masked, quantiser
from backend.nn.mogents import MoGenTS as Networks
from backend.systems.mogents import MoGenTS
from blender_addon.motion import bvh, constraints, onward, rotations
from blender_addon.motion.bvh_rewrite import lengthened
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.constraints import Request, TextSpan
from blender_addon.motion.errors import InvalidRequestError
from tests.backend.conftest import waving

CODES = quantiser.Architecture(width=8, depth=1, codes=8, levels=2)
SIZES = masked.Architecture(width=8, heads=2, hidden=8, pose_width=16, pose_heads=2, pose_hidden=16, rounds=1,
                            residual_rounds=1, dropout=0.0)  # fmt: skip

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def system() -> MoGenTS:
    torch.manual_seed(0)
    network = Networks(CODES, SIZES)
    network.quantiser.codebooks.books.normal_()
    return MoGenTS(network, frozenset({"text", "edit"}), 64, masked.Sampling(steps=3))


@pytest.fixture(scope="module")
def folder(system: MoGenTS, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of that system."""
    settings, tensors = system.to_bundle()
    path = tmp_path_factory.mktemp("weights") / "open"
    weights.save(path, {"mogents": tensors}, {"mogents": settings}, family="open", licence="none", data=[], card="",
                 metrics={})  # fmt: skip
    return path


def run(request: Request, system: MoGenTS) -> Clip:
    result = tasks.run(request, system, lambda step, total: None, lambda: False)
    assert result.report["key_change"] == 0
    return result.clips[0]


def walk(frames: int = 60, speed: float = 1.0) -> Clip:
    clip = rest_clip(frames)
    t = np.arange(frames)[:, None] / 30
    return Clip(clip.skeleton, waving(frames).rotations, clip.root_positions + t * [0, 0, speed])


@pytest.mark.parametrize("frames", [1, 7, 90])
def test_what_was_there_stays_to_the_bit_and_more_comes(system: MoGenTS, frames: int) -> None:
    clip = waving(50)
    out = run(onward.extended(clip, frames, [TextSpan("a person waves", 50, 50 + frames)]), system)
    assert len(out) == 50 + frames
    assert np.array_equal(out.rotations[:50], clip.rotations)
    assert np.array_equal(out.root_positions[:50], clip.root_positions)
    if frames > 20:
        assert not np.allclose(out.rotations[60:], clip.rotations[-1], atol=1e-3)


def test_the_first_new_frame_is_no_jump(system: MoGenTS) -> None:
    clip = waving(50)
    out = run(onward.extended(clip, 60), system)
    turned = rotations.angle_between(out.rotations[1:], out.rotations[:-1]).max(1)
    assert turned[49] <= turned[50:].max()
    step = np.linalg.norm(np.diff(out.root_positions, axis=0), axis=1)
    assert step[49] <= step[50:].max()


@pytest.mark.parametrize(("speed", "travels"), [(1.2, True), (0.05, False)])
def test_a_loop_ends_in_its_first_pose_where_the_motion_goes(
    system: MoGenTS, speed: float, travels: bool
) -> None:
    clip = walk(speed=speed)
    loop = onward.looped(clip, 20)
    out = run(loop.request, system).slice(0, loop.frames)
    assert np.array_equal(out.rotations[:60], clip.rotations)
    assert np.array_equal(out.rotations[-1], clip.rotations[0])
    assert np.array_equal(out.root_positions[-1], clip.root_positions[0] + loop.shift)
    if travels:  # each round begins where the last one ended, at the speed of the motion
        assert np.allclose(loop.shift, [0, 0, speed * 80 / 30], atol=1e-6)
    else:
        assert not loop.shift.any()
    # across the seam the motion goes on as fast as it does beside it
    around = np.concatenate((out.rotations[-4:], out.rotations[1:4]))
    turned = rotations.angle_between(around[1:], around[:-1]).max(1)
    every = rotations.angle_between(out.rotations[1:], out.rotations[:-1]).max(1)
    assert turned.max() <= every.max() + 1e-9


@given(st.floats(-np.pi, np.pi), st.floats(0.6, 3), st.integers(1, 60), st.integers(10, 90))
@hypothesis_settings(max_examples=30, deadline=None)
def test_walking_straight_on_a_loop_goes_on_straight(
    way: float, speed: float, frames: int, length: int
) -> None:
    clip = rest_clip(length)
    direction = np.array([np.sin(way), 0, np.cos(way)])
    clip = Clip(
        clip.skeleton,
        clip.rotations,
        clip.root_positions + np.arange(length)[:, None] / 30 * speed * direction,
    )
    assert np.allclose(onward.travelled(clip, frames), direction * speed * (length + frames) / 30, atol=1e-6)
    assert not onward.travelled(clip, frames, "stay").any()


def test_arms_and_times_are_edited_at_once(system: MoGenTS) -> None:
    clip = waving(120)
    asked = np.zeros((120, 22), bool)
    asked[20:60, [16, 18, 20]] = True  # the left arm
    asked[80:100] = True  # everything
    root = np.zeros(120, bool)
    root[80:100] = True
    texts = (TextSpan("waves", 20, 60), TextSpan("jumps", 80, 100))
    out = run(constraints.edit(clip, asked, root, texts=texts), system)
    assert np.array_equal(out.rotations[~asked], clip.rotations[~asked])
    assert np.array_equal(out.root_positions[~root], clip.root_positions[~root])
    assert not np.allclose(out.rotations[30:50, 16], clip.rotations[30:50, 16], atol=1e-3)
    assert not np.allclose(out.rotations[85:95, 0], clip.rotations[85:95, 0], atol=1e-3)


def test_a_timeline_of_prompts_has_no_seams(system: MoGenTS) -> None:
    out = run(constraints.told(["waves", "walks", "sits"], [1.0, 1.5, 1.0]), system)
    turned = rotations.angle_between(out.rotations[1:], out.rotations[:-1]).max(1)
    assert len(out) == 105
    assert turned[[29, 74]].max() <= np.delete(turned, [29, 74]).max()


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: onward.extended(waving(10), 0), "frames"),
        (lambda: onward.looped(waving(1), 5), "clip"),
        (lambda: onward.looped(waving(10), 5, travel="away"), "travel"),
        (lambda: onward.looped(waving(10), 1_000_000), "frames"),
    ],
)
def test_what_cannot_go_on_says_why(make: object, field: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidRequestError) as raised:
        make()
    assert raised.value.field == field


# -- files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_file_gets_longer_and_stays_as_it_was_written(line_end: str, tmp_path: Path) -> None:
    bvh.save(tmp_path / "a.bvh", waving(5))
    text = (tmp_path / "a.bvh").read_text().replace("\n", line_end)
    out = lengthened(text, 3)
    assert out.replace("Frames: 8", "Frames: 5").startswith(text.rstrip())
    (tmp_path / "b.bvh").write_text(out, newline="")
    assert np.array_equal(
        bvh.load(tmp_path / "b.bvh").rotations[5:], bvh.load(tmp_path / "a.bvh").rotations[[4, 4, 4]]
    )


def test_commands_extend_and_loop_a_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.bvh", tmp_path / "out.bvh"
    bvh.save(source, walk(40))
    there = source.read_text().splitlines()
    common = [str(source), "--weights", str(folder), "-o", str(target)]
    assert main(["extend", *common, "--seconds", "1"]) == 0
    assert "30 frames more, 40 as they were" in capsys.readouterr().out
    made = target.read_text().splitlines()
    assert [line for line in made[: len(there)] if "Frames:" not in line] == [
        line for line in there if "Frames:" not in line
    ]
    assert main(["extend", *common, "--text", "waves", "--text", "sits", "--seconds", "1,0.5"]) == 0
    assert len(bvh.load(target)) == 40 + 30 + 15
    assert main(["loop", *common, "--seconds", "0.5", "--variations", "2"]) == 0
    assert "15 frames lead back, 40 as they were" in capsys.readouterr().out
    for path in (target, tmp_path / "out-2.bvh"):
        loop = bvh.load(path)
        assert len(loop) == 40 + 15 + 1
        assert rotations.angle_between(loop.rotations[-1], loop.rotations[0]).max() < 1e-5
        assert np.allclose((loop.root_positions[-1] - loop.root_positions[0])[[0, 1]], 0, atol=0.01)
        assert loop.root_positions[-1, 2] - loop.root_positions[0, 2] > 1.5
    assert main(["extend", *common, "--text", "waves", "--seconds", "1,2"]) == 1
    assert "2 lengths for 1 prompts" in capsys.readouterr().err
    assert main(["loop", *common, "--seconds", "0"]) == 1
