"""``limber`` as a person runs it: exit codes, plain words, files that keep what they should."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.__main__ import main
from blender_addon.motion import bvh, npz, rotations
from blender_addon.motion.clip import Clip

from .conftest import ROOT, keyed, waving

MOCAP = Path(os.environ.get("LIMBER_MOCAP", "/work/data"))
"""The recordings of ../shared/mocap, unpacked."""


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    path = tmp_path / "walk.bvh"
    bvh.save(path, waving(90), order="ZYX")
    return path


def limber(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "backend", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def motion_lines(path: Path) -> list[str]:
    lines = path.read_text().split("\n")
    start = next(i for i, line in enumerate(lines) if line.strip().lower().startswith("frame time"))
    return [line for line in lines[start + 1 :] if line.strip()]


# -- usage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["run"],
        ["run", "x.npz"],
        ["inbetween", "a.bvh", "-o", "b.bvh"],
        ["inbetween", "a.bvh", "--keys", "1,two", "-o", "b.bvh"],
        ["inbetween", "a.bvh", "--keys=-1,3", "-o", "b.bvh"],
        ["inbetween", "a.bvh", "--keys", "", "-o", "b.bvh"],
        ["inbetween", "a.bvh", "--keys", "0,9", "-o", "b.bvh", "--seed=-1"],
        ["inbetween", "a.bvh", "--keys", "0,9", "-o", "b.bvh", "--variations", "0"],
        ["inbetween", "a.bvh", "--keys", "0,9", "-o", "b.bvh", "--fps", "nan"],
        ["complete", "a.bvh", "-o", "b.bvh"],
        ["complete", "a.bvh", "--joints", "left_arm,tail", "-o", "b.bvh"],
        ["complete", "a.bvh", "--joints", "left_arm", "--frames", "9:3", "-o", "b.bvh"],
        ["complete", "a.bvh", "--joints", "left_arm", "--frames", "5", "-o", "b.bvh"],
        ["refine", "a.bvh", "--confidence", "1.5", "-o", "b.bvh"],
        ["refine", "a.bvh", "--confidence", "nan", "-o", "b.bvh"],
        ["serve", "--port", "70000"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: limber" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    from backend import __version__

    for arguments, expected in ((["--help"], "inbetween"), (["--version"], f"limber {__version__}")):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert expected in capsys.readouterr().out


def test_as_a_process(tmp_path: Path) -> None:
    ran = limber("run", tmp_path / "missing.npz", "-o", tmp_path / "out.npz")
    assert ran.returncode == 1
    assert ran.stderr.startswith("limber: ")
    assert "missing.npz" in ran.stderr
    assert "Traceback" not in ran.stderr


# -- models and doctor -----------------------------------------------------------------------------


def test_models(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--weights", str(bundle)]) == 0
    out = capsys.readouterr().out
    for expected in (
        "tiny",
        "licence   GPL-3.0-or-later",
        "mmdm: inbetween",
        "interpolation: complete, follow, inbetween, refine",
    ):
        assert expected in out


def test_doctor_is_content_here(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--weights", str(bundle)]) == 0
    out = capsys.readouterr().out
    assert "PROBLEM" not in out
    for expected in ("Python", "torch", "Model tiny", "SHA-256", "Disk", "Loopback", "Everything is there."):
        assert expected in out


def test_doctor_names_a_damaged_bundle_and_the_remedy(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in bundle.iterdir():
        (broken / path.name).write_bytes(path.read_bytes()[:-3])
    assert main(["doctor", "--weights", str(broken)]) == 1
    out = capsys.readouterr().out
    assert "PROBLEM  Model broken" in out
    assert "->" in out
    assert "1 problem." in out


# -- run -------------------------------------------------------------------------------------------


def test_run_answers_a_saved_request(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    npz.save_request(tmp_path / "request.npz", keyed(bundle="tiny", seed=3, variations=2))
    for name in ("a.npz", "b.npz"):
        arguments = [
            "run",
            str(tmp_path / "request.npz"),
            "-o",
            str(tmp_path / name),
            "--weights",
            str(bundle),
        ]
        assert main(arguments) == 0
    first, second = npz.load_result(tmp_path / "a.npz"), npz.load_result(tmp_path / "b.npz")
    assert len(first.clips) == 2
    for x, y in zip(first.clips, second.clips, strict=True):
        assert np.array_equal(x.rotations, y.rotations)
    assert first.report["bundle"] == "tiny"
    assert len(first.report["sha256"]) == 64
    assert "2 x 40 frames, mmdm" in capsys.readouterr().out


def test_run_says_what_is_wrong_with_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK not really")
    assert main(["run", str(tmp_path / "bad.npz"), "-o", str(tmp_path / "out.npz")]) == 1
    assert "bad.npz" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_an_output_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    npz.save_request(tmp_path / "request.npz", keyed(system="interpolation"))
    assert main(["run", str(tmp_path / "request.npz"), "-o", str(tmp_path / "no" / "out.npz")]) == 1
    assert "out.npz" in capsys.readouterr().err


# -- inbetween -------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["interpolation", "mmdm"])
def test_kept_frames_are_the_same_characters(tmp_path: Path, walk: Path, bundle: Path, system: str) -> None:
    out = tmp_path / "out.bvh"
    arguments = ["inbetween", str(walk), "--keys", "20,45,70", "-o", str(out), "--system", system,
                 "--bundle", "tiny", "--weights", str(bundle)]  # fmt: skip
    assert main(arguments) == 0
    before, after = motion_lines(walk), motion_lines(out)
    assert len(before) == len(after) == 90
    kept = [i for i in range(90) if i <= 20 or i >= 70 or i == 45]
    assert [after[i] for i in kept] == [before[i] for i in kept]
    assert sum(after[i] != before[i] for i in range(90)) == 90 - len(kept)
    header = walk.read_text().index("MOTION")
    assert out.read_text()[:header] == walk.read_text()[:header]


def test_interpolation_without_context_is_slerp_between_the_keys(tmp_path: Path, walk: Path) -> None:
    out = tmp_path / "out.bvh"
    arguments = ["inbetween", str(walk), "--keys", "0,89", "-o", str(out), "--system", "interpolation"]
    assert main(arguments) == 0
    source, filled = bvh.load(walk), bvh.load(out)
    t = np.broadcast_to((np.arange(90) / 89)[:, None], (90, 22))
    expected = rotations.slerp(source.rotations[[0] * 90], source.rotations[[89] * 90], t)
    assert rotations.angle_between(expected, filled.rotations).max() < np.radians(0.01)


def test_variations_go_to_files_of_their_own(tmp_path: Path, walk: Path, bundle: Path) -> None:
    out = tmp_path / "out.bvh"
    arguments = ["inbetween", str(walk), "--keys", "0,30,60", "-o", str(out), "--variations", "3", "--seed", "1",
                 "--bundle", "tiny", "--weights", str(bundle)]  # fmt: skip
    assert main(arguments) == 0
    texts = [(tmp_path / name).read_text() for name in ("out.bvh", "out-2.bvh", "out-3.bvh")]
    assert len(set(texts)) == 3


def test_line_ends_and_spelling_of_the_file_stay(tmp_path: Path, walk: Path) -> None:
    text = walk.read_text().replace("\n", "\r\n").replace(" 0.000000", " -0.0e0")
    walk.write_bytes(text.encode())
    out = tmp_path / "out.bvh"
    assert main(["inbetween", str(walk), "--keys", "0,30", "-o", str(out), "--system", "interpolation"]) == 0
    before, after = walk.read_bytes().split(b"\r\n"), out.read_bytes().split(b"\r\n")
    start = next(i for i, line in enumerate(before) if line.startswith(b"Frame Time")) + 1
    assert before[: start + 1] == after[: start + 1]
    assert before[start + 30 :] == after[start + 30 :]
    assert b"\n" not in b"".join(after)


def test_names_in_any_script_and_writing_over_the_input(tmp_path: Path, walk: Path) -> None:
    path = walk.rename(tmp_path / "歩き – Übung 1.bvh")
    before = motion_lines(path)
    ran = limber("inbetween", path, "--keys", "3,40", "-o", path, "--system", "interpolation")
    assert ran.returncode == 0, ran.stderr
    after = motion_lines(path)
    assert (after[:4], after[40:]) == (before[:4], before[40:])
    assert after[20] != before[20]


@pytest.mark.parametrize(
    ("keys", "message"),
    [("5", "at least two"), ("7,7", "at least two"), ("0,500", "frame 500"), ("0,90", "frames 0 to 89")],
)
def test_keys_that_make_no_sense(
    walk: Path, tmp_path: Path, keys: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inbetween", str(walk), "--keys", keys, "-o", str(tmp_path / "out.bvh")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.bvh").exists()


def test_files_that_are_no_motion(tmp_path: Path, walk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"noise.bvh": b"\x00\x01\x02", "cut.bvh": walk.read_bytes()[:3000], "empty.bvh": b""}
    for name, data in wrong.items():
        (tmp_path / name).write_bytes(data)
        arguments = ["inbetween", str(tmp_path / name), "--keys", "0,1", "-o", str(tmp_path / "out.bvh")]
        assert main(arguments) == 1
        assert name in capsys.readouterr().err


def steps(clip: Clip) -> np.ndarray:
    """Largest turn of any joint from each frame to the next, radians."""
    return rotations.angle_between(clip.rotations[:-1], clip.rotations[1:]).max(-1)


@pytest.mark.parametrize("family", ["cmu", "reactidle", "bandai_namco"])
def test_recordings_of_each_family(family: str, tmp_path: Path) -> None:
    files = sorted((MOCAP / family).glob("*.bvh"))
    if not files:
        pytest.skip(f"no recordings in {MOCAP / family} (set LIMBER_MOCAP)")
    source = files[len(files) // 2]
    out = tmp_path / "out.bvh"
    arguments = ["inbetween", str(source), "--keys", "10,30,55", "-o", str(out), "--system", "interpolation"]
    assert main(arguments) == 0
    before, after = motion_lines(source), motion_lines(out)
    kept = [i for i in range(len(before)) if i <= 10 or i >= 55 or i == 30]
    assert [after[i] for i in kept] == [before[i] for i in kept]
    # No jump into or out of a gap: no step there is larger than what the recording itself does.
    recorded, filled = steps(bvh.load(source)), steps(bvh.load(out))
    for seam in (10, 30, 55):
        assert filled[seam - 1 : seam + 1].max() < 1.5 * recorded.max()


# -- complete and refine -----------------------------------------------------------------------------


@pytest.fixture
def able(bundle: Path, tmp_path: Path) -> Path:
    """The tiny bundle, said to do every task."""
    return with_tasks(bundle, tmp_path / "able")


def with_tasks(bundle: Path, folder: Path) -> Path:
    shutil.copytree(bundle, folder)
    config = json.loads((folder / "config.json").read_text())
    for system in config["systems"].values():
        system["tasks"] = ["inbetween", "complete", "refine"]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def columns(path: Path) -> tuple[list[list[str]], list[str]]:
    """The numbers as written, a list a frame, and which joint each column belongs to."""
    joints: list[str] = []
    name = ""
    for line in path.read_text().splitlines():
        words = line.split()
        if words[:1] in (["ROOT"], ["JOINT"]):
            name = words[1]
        elif words[:1] == ["CHANNELS"]:
            joints += [f"{name}/{channel}" for channel in words[2:]]
    return [line.split() for line in motion_lines(path)], joints


@pytest.mark.parametrize(
    ("command", "joints", "place"),
    [
        (
            ["complete", "--joints", "left_arm,head"],
            ("left_shoulder", "left_elbow", "left_wrist", "head"),
            False,
        ),
        (["complete", "--joints", "pelvis"], ("pelvis",), True),
        (["refine", "--joints", "right_knee", "--confidence", "0.3"], ("right_knee",), False),
        (["refine"], (), True),
    ],
)
def test_only_what_was_asked_for_is_written_anew(
    walk: Path, able: Path, tmp_path: Path, command: list[str], joints: tuple[str, ...], place: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out.bvh"
    arguments = [
        command[0],
        walk,
        *command[1:],
        "--frames",
        "20:50",
        "--weights",
        able,
        "--bundle",
        "able",
        "-o",
        out,
    ]
    assert main([str(a) for a in arguments]) == 0
    assert "in 31 frames, all else as it was" in capsys.readouterr().out
    (old, names), (new, _) = columns(walk), columns(out)
    assert len(old) == len(new)
    changed = set()
    for frame, (before, after) in enumerate(zip(old, new, strict=True)):
        for name, a, b in zip(names, before, after, strict=True):
            if a != b:
                assert 20 <= frame <= 50
                changed.add(name)
    moved = {name.split("/")[0] for name in changed if "rotation" in name}
    assert moved == set(joints) if joints else len(moved) == 22
    assert {name.split("/")[0] for name in changed if "position" in name} == ({"pelvis"} if place else set())
    header = walk.read_text().split("MOTION")[0]
    assert out.read_text().startswith(header)


def test_refining_by_nobody_changes_no_more_than_rounding(walk: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.bvh"
    assert main(["refine", str(walk), "--system", "interpolation", "-o", str(out)]) == 0
    before, after = bvh.load(walk), bvh.load(out)
    assert rotations.angle_between(before.rotations, after.rotations).max() < 1e-6
    np.testing.assert_allclose(before.root_positions, after.root_positions, atol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["complete", "--joints", "left_arm", "--frames", "20:95"], "frames 0 to 89"),
        (["complete", "--joints", "all"], "nothing is left to go by"),
        (["complete", "--joints", "left_arm", "--bundle", "open-none"], "open-none"),
    ],
)
def test_what_cannot_be_completed_is_said(
    walk: Path, tmp_path: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.bvh"
    assert main([arguments[0], str(walk), *arguments[1:], "-o", str(out)]) == 1
    assert says in capsys.readouterr().err
    assert not out.exists()
