"""BVH dialects as small texts, damaged files, and round trips of any skeleton."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blender_addon.motion import bvh, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.errors import FileFormatError, InvalidRequestError, LimberError
from blender_addon.motion.skeleton import Skeleton
from tests.motion.strategies import random_clip, random_skeleton, seeds

PLAIN = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Head
    {
      OFFSET 0 50 1
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0 20 0
      }
    }
  }
  JOINT LeftUpLeg
  {
    OFFSET 9 -5 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 -90 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
1 95 -3 10 20 30 0 0 0 0 0 0 -5 0 0
2 96 -4 11 21 31 0 0 90 0 0 0 -6 0 0
"""


def refuse(text, problem, line):
    with pytest.raises(FileFormatError) as error:
        bvh.parse(text, "walk.bvh")
    assert error.value.path == "walk.bvh"
    assert problem in error.value.problem
    assert error.value.line == line


def same(a: Clip, b: Clip, degrees=1e-4):
    """Equal by joint names, whatever the order of the joints."""
    order = [b.skeleton.index(n) for n in a.skeleton.names]
    assert a.fps == b.fps
    assert np.degrees(rotations.angle_between(a.rotations, b.rotations[:, order])).max() < degrees
    np.testing.assert_allclose(a.positions(), b.positions()[:, order], atol=1e-6)
    np.testing.assert_allclose(a.skeleton.tips, b.skeleton.tips[order], atol=1e-7)
    np.testing.assert_allclose(a.skeleton.offsets, b.skeleton.offsets[order], atol=1e-7)


class TestPlain:
    def test_what_is_in_it(self):
        clip = bvh.parse(PLAIN)
        assert clip.skeleton.names == ("Hips", "Spine", "Head", "LeftUpLeg")
        assert list(clip.skeleton.parents) == [-1, 0, 1, 0]
        assert clip.fps == 30
        assert clip.translations is None
        assert clip.metadata["scale"] == 0.01
        np.testing.assert_allclose(clip.root_positions, [[0.01, 0.95, -0.03], [0.02, 0.96, -0.04]])
        np.testing.assert_allclose(clip.skeleton.offsets[2], [0, 0.5, 0.01])
        np.testing.assert_allclose(clip.skeleton.tips[[2, 3]], [[0, 0.2, 0], [0, -0.9, 0]])
        assert np.isnan(clip.skeleton.tips[:2]).all()

    def test_rotations_multiply_in_the_listed_order(self):
        clip = bvh.parse(PLAIN)
        expected = rotations.from_euler(np.radians([10, 20, 30]), "ZXY")
        assert rotations.angle_between(clip.rotations[0, 0], expected) < 1e-9
        # Spine turned by 90 degrees about Y at frame 1: the head's offset z becomes x.
        at = clip.positions()[1] - clip.root_positions[1]
        np.testing.assert_allclose(rotations.rotate(rotations.inverse(clip.rotations[1, 0]), at[2]),
                                   [0.01, 0.6, 0], atol=1e-9)  # fmt: skip

    def test_files_are_called_by_their_name(self, tmp_path):
        path = tmp_path / "über take 1.bvh"
        path.write_text(PLAIN, encoding="utf-8")
        clip = bvh.load(path)
        assert clip.name == "über take 1"
        assert clip.metadata["source"] == str(path)
        bvh.save(tmp_path / "again.bvh", clip)
        same(clip, bvh.load(tmp_path / "again.bvh"))

    def test_a_missing_file_is_an_os_error(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            bvh.load(tmp_path / "none.bvh")

    def test_one_frame_is_a_pose(self):
        clip = bvh.parse(PLAIN.replace("Frames: 2", "Frames: 1").rsplit("2 96", 1)[0])
        assert len(clip) == 1


class TestDialects:
    @pytest.mark.parametrize(
        ("what", "change"),
        [
            ("crlf", lambda t: t.replace("\n", "\r\n")),
            ("cr", lambda t: t.replace("\n", "\r")),
            ("tabs", lambda t: t.replace("  ", "\t").replace(" 0 ", "\t0\t")),
            ("byte order mark", lambda t: "\ufeff" + t),
            ("no last newline", lambda t: t.rstrip()),
            ("blank lines", lambda t: t.replace("\n", "\n\n") + "\n\n"),
            ("spaces at line ends", lambda t: t.replace("\n", "   \n")),
            ("lower case", lambda t: t.lower().replace("hips", "Hips").replace("spine", "Spine")
             .replace("head", "Head").replace("leftupleg", "LeftUpLeg")),
            ("upper case", lambda t: t.replace("OFFSET", "Offset").replace("CHANNELS", "Channels")
             .replace("rotation", "ROTATION").replace("position", "Position").replace("End Site", "End site")),
            ("no colons", lambda t: t.replace("Frames:", "Frames").replace("Frame Time:", "Frame Time")),
            ("colons apart", lambda t: t.replace("Frames:", "Frames :").replace("Frame Time:", "FrameTime:\t")),
            ("frame time first", lambda t: t.replace("Frames: 2\nFrame Time: 0.0333333",
                                                     "Frame Time: 0.0333333\nFrames: 2")),
            ("brace on the line", lambda t: t.replace("\n      {", " {").replace("Hips\n{", "Hips {")),
            ("everything on few lines", lambda t: t.replace("}\n", "} ").replace("{\n", "{ ")
             .replace("0 0\n  CH", "0 0 CH").replace("} MOTION", "}\nMOTION")),
            ("named end site", lambda t: t.replace("End Site", "End Site Toe_End")),
            ("one frame too many announced", lambda t: t.replace("Frames: 2", "Frames: 3")),
            ("too few announced", lambda t: t.replace("Frames: 2", "Frames: 1")),
            ("a frame on two lines", lambda t: t.replace("30 0 0", "30\n0 0")),
            ("exponents", lambda t: t.replace("95", "9.5e1").replace("-90", "-9.0E+01")),
            ("spaces before the header", lambda t: "\n \n" + t),
        ],
    )  # fmt: skip
    def test_reads_the_same(self, what, change):
        changed = change(PLAIN)
        assert changed != PLAIN
        clip, expected = bvh.parse(changed), bvh.parse(PLAIN)
        assert clip.skeleton.names == expected.skeleton.names
        same(clip, expected)

    @pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "utf-16"])
    def test_encodings(self, tmp_path, encoding):
        path = tmp_path / "a.bvh"
        path.write_bytes(PLAIN.replace("Spine", "Rücken").encode(encoding))
        assert bvh.load(path).skeleton.names[1] == "Rücken"

    def test_names_with_spaces_and_namespaces(self):
        text = PLAIN.replace("ROOT Hips", "ROOT mixamorig:Hips").replace("JOINT Spine", "JOINT Bip01 L Thigh")
        names = bvh.parse(text).skeleton.names
        assert names[:2] == ("mixamorig:Hips", "Bip01 L Thigh")
        assert bvh.parse(bvh.format(bvh.parse(text))).skeleton.names == names

    def test_names_that_occur_twice(self):
        text = PLAIN.replace("LeftUpLeg", "Head").replace("Hips", "Head_2")
        assert bvh.parse(text).skeleton.names == ("Head_2", "Spine", "Head", "Head_3")

    def test_several_roots(self):
        channels = "Xposition Yposition Zposition Xrotation Yrotation Zrotation"
        second = f"ROOT Prop\n{{\nOFFSET 7 0 0\nCHANNELS 6 {channels}\n}}\n"
        text = PLAIN.replace("MOTION", second + "MOTION").replace("-5 0 0\n", "-5 0 0 50 0 0 0 0 90\n")
        clip = bvh.parse(text.replace("-6 0 0\n", "-6 0 0 60 0 0 0 0 90\n"))
        assert list(clip.skeleton.parents) == [-1, 0, 1, 0, -1]
        np.testing.assert_allclose(clip.positions()[:, 4, 0], [0.5, 0.6])
        same(clip, bvh.parse(bvh.format(clip)))

    def test_a_root_that_only_rotates_stands_at_its_offset(self):
        text = PLAIN.replace("CHANNELS 6 Xposition Yposition Zposition ", "CHANNELS 3 ").replace(
            "OFFSET 0 0 0", "OFFSET 0 95 0").replace("1 95 -3 ", "").replace("2 96 -4 ", "")  # fmt: skip
        np.testing.assert_allclose(bvh.parse(text).root_positions, [[0, 0.95, 0]] * 2)

    def test_positions_replace_offsets_on_any_joint_and_axis(self):
        text = PLAIN.replace("OFFSET 9 -5 0\n    CHANNELS 3", "OFFSET 9 -5 0\n    CHANNELS 4 Yposition")
        text = text.replace(" -5 0 0\n", " -7 -5 0 0\n").replace(" -6 0 0\n", " -8 -6 0 0\n")
        clip = bvh.parse(text)
        np.testing.assert_allclose(clip.translations[:, 3], [[0.09, -0.07, 0], [0.09, -0.08, 0]])
        np.testing.assert_allclose(clip.translations[:, 2], [clip.skeleton.offsets[2]] * 2)
        same(clip, bvh.parse(bvh.format(clip)))

    def test_positions_equal_to_the_offsets_are_none(self):
        text = PLAIN.replace("OFFSET 9 -5 0\n    CHANNELS 3", "OFFSET 9 -5 0\n    CHANNELS 4 Yposition")
        text = text.replace(" -5 0 0\n", " -5 -5 0 0\n").replace(" -6 0 0\n", " -5.00001 -6 0 0\n")
        assert bvh.parse(text).translations is None

    @pytest.mark.parametrize("order", ["X", "Y", "Z", "XY", "ZX", "YZ", *rotations.EULER_ORDERS])
    def test_any_subset_and_order_of_rotations(self, order):
        channels = " ".join(f"{a}rotation" for a in order)
        angles = [25.0, -40.0, 70.0][: len(order)]
        text = (f"HIERARCHY\nROOT a\n{{\nOFFSET 0 0 0\nCHANNELS {len(order)} {channels}\n}}\nMOTION\nFrames: 1\n"
                f"Frame Time: 0.04\n{' '.join(map(str, angles))}\n")  # fmt: skip
        expected = rotations.IDENTITY
        for axis, angle in zip(order, angles, strict=True):
            turn = rotations.from_axis_angle(np.radians(angle) * np.eye(3)["XYZ".index(axis)])
            expected = rotations.multiply(expected, turn)
        assert rotations.angle_between(bvh.parse(text).rotations[0, 0], expected) < 1e-9

    def test_rotations_before_positions(self):
        text = PLAIN.replace("Xposition Yposition Zposition Zrotation Xrotation Yrotation",
                             "Zrotation Xrotation Yrotation Xposition Yposition Zposition")  # fmt: skip
        text = text.replace("1 95 -3 10 20 30", "10 20 30 1 95 -3").replace(
            "2 96 -4 11 21 31", "11 21 31 2 96 -4"
        )
        same(bvh.parse(text), bvh.parse(PLAIN))

    @pytest.mark.parametrize(
        ("time", "fps"),
        [("0.0333333", 30), ("0.033333", 30), (".0333", 30), ("0.03333334", 30), ("0.04166667", 24), ("0.0417", 24),
         ("0.0083333", 120), ("0.00833333", 120), ("0.016667", 60), ("1", 1), ("3.3333333e-2", 30),
         ("0.0333667", 29.97), ("0.0400000", 25), ("2", 0.5), ("0.033366700", 29.97)],
    )  # fmt: skip
    def test_frame_times_are_rounded_rates(self, time, fps):
        assert bvh.parse(PLAIN.replace("0.0333333", time)).fps == fps

    def test_second_end_sites_and_empty_channels_do_no_harm(self):
        text = PLAIN.replace(
            "OFFSET 0 -90 0\n    }", "OFFSET 0 -90 0\n    }\n    End Site\n    {\n OFFSET 1 1 1\n    }"
        )
        same(bvh.parse(text), bvh.parse(PLAIN))
        text = PLAIN.replace("OFFSET 0 20 0", "OFFSET 0 20 0\n CHANNELS 0")
        same(bvh.parse(text), bvh.parse(PLAIN))


class TestScale:
    @pytest.mark.parametrize("scale", [1.0, 0.01, 0.001, 0.0254 / 0.45])
    @pytest.mark.parametrize("height", [0.7, 1.0, 1.3])
    def test_is_guessed_from_the_skeleton(self, scale, height):
        body = rest_clip(2, offsets=np.array(rest_clip().skeleton.offsets) * height)
        text = bvh.format(body, scale=1 / scale)
        guessed = bvh.parse(text)
        assert guessed.metadata["scale"] == scale
        same(guessed, body)
        same(guessed, bvh.parse(text, scale=scale))

    def test_is_taken_as_told(self):
        assert bvh.parse(PLAIN, scale=2.0).skeleton.offsets[1, 1] == 20
        for scale in (0.0, -1.0, float("nan"), float("inf")):
            with pytest.raises(InvalidRequestError, match="scale"):
                bvh.parse(PLAIN, scale=scale)

    def test_a_skeleton_without_size_is_centimetres(self):
        assert bvh.guess_scale(Skeleton(("a",), np.array([-1]), np.zeros((1, 3)))) == 0.01


class TestDamaged:
    @pytest.mark.parametrize(
        ("what", "old", "new", "problem", "line"),
        [
            ("no offset numbers", "OFFSET 0 10 0", "OFFSET 0 10", "three finite numbers", 8),
            ("an offset that is none", "OFFSET 0 10 0", "OFFSET 0 ten 0", "not numbers", 8),
            ("an infinite offset", "OFFSET 0 10 0", "OFFSET 0 inf 0", "three finite numbers", 8),
            ("a channel nobody knows", "3 Zrotation Xrotation Yrotation\n    JOINT", "3 Zrot Xrot Yrot\n    JOINT",
             "unknown channel", 9),
            ("a channel twice", "3 Zrotation Xrotation Yrotation\n    J", "3 Zrotation Zrotation Yrotation\n    J",
             "twice", 9),
            ("fewer channels than announced", "3 Zrotation Xrotation Yrotation\n    J", "3 Zrotation Xrotation\n    J",
             "announces 3 channels and names 2", 9),
            ("channels without a number", "CHANNELS 6 ", "CHANNELS ", "without a number", 5),
            ("a huge number of channels", "CHANNELS 6 ", "CHANNELS 999999999999 ", "announces", 5),
            ("a brace too few", "  JOINT LeftUpLeg\n  {", "  JOINT LeftUpLeg\n", "opening brace", 22),
            ("a brace too many", "}\nMOTION", "}\n}\nMOTION", "closing brace too many", 30),
            ("an open brace", "}\nMOTION", "MOTION", "not closed", 29),
            ("a word nobody knows", "OFFSET 0 10 0", "OFFSETS 0 10 0", "unknown word", 8),
            ("a joint without a name", "JOINT Spine", "JOINT", "without a name", 6),
            ("a joint without an offset", "OFFSET 0 10 0\n", "\n", "no OFFSET", 6),
            ("a root in a joint", "JOINT Spine", "ROOT Spine", "inside another joint", 6),
            ("a joint outside", "ROOT Hips", "JOINT Hips", "outside a ROOT", 2),
            ("no frame count", "Frames: 2\n", "", "expected 'Frames:'", 32),
            ("no frame time", "Frame Time: 0.0333333\n", "", "expected 'Frame Time:'", 32),
            ("a frame count that is none", "Frames: 2", "Frames: many", "not a count", 31),
            ("a negative count", "Frames: 2", "Frames: -2", "not a count", 31),
            ("a huge count", "Frames: 2", "Frames: 99999999999999999999999", "cut short", 31),
            ("a count far off", "Frames: 2", "Frames: 40", "40 frames are announced, 2 are there", 31),
            ("a frame time that is none", "0.0333333", "fast", "not a number", 32),
            ("a frame time of zero", "0.0333333", "0", "not a time", 32),
            ("a frame time of nan", "0.0333333", "nan", "not a time", 32),
            ("a word in the motion", "1 95 -3", "1 up -3", "'up' is not a number", 33),
            ("nan", "2 96 -4", "2 nan -4", "not a finite number", 34),
            ("infinity", "2 96 -4", "2 1e999 -4", "not a finite number", 34),
            ("a number beyond reason", "2 96 -4", "2 1e200 -4", "out of all proportion", 34),
            ("an offset beyond reason", "OFFSET 0 10 0", "OFFSET 0 1e200 0", "three finite numbers", 8),
            ("a number missing", "1 95 -3", "1 95", "14 numbers in a frame of 15", 33),
            ("a number too many", "1 95 -3", "1 95 -3 4", "16 numbers in a frame of 15", 33),
            ("decimal commas", "1 95 -3", "1,5 95 -3", "not a number", 33),
        ],
    )  # fmt: skip
    def test_names_path_line_and_problem(self, what, old, new, problem, line):
        assert PLAIN.count(old) >= 1
        refuse(PLAIN.replace(old, new, 1), problem, line)

    @pytest.mark.parametrize("text", ["", "   \n\n", "\ufeff"])
    def test_empty(self, text):
        refuse(text, "empty", 1)

    @pytest.mark.parametrize("text", ["hello", "<html></html>", "Frames: 3", "\0\0\0\0"])
    def test_something_else(self, text):
        refuse(text, "not a BVH file", 1)

    def test_no_frames(self):
        head = PLAIN.split("1 95")[0]
        refuse(head, "no frames", 33)
        refuse(head.replace("Frames: 2", "Frames: 0"), "no frames", 33)

    def test_no_channels(self):
        refuse(
            "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\n}\nMOTION\nFrames: 1\nFrame Time: 0.1\n\n",
            "no joint has a channel",
            9,
        )

    def test_binary(self, tmp_path):
        path = tmp_path / "x.bvh"
        path.write_bytes(bytes(range(256)) * 10)
        with pytest.raises(FileFormatError, match="not a text file"):
            bvh.load(path)

    @settings(max_examples=150)
    @given(st.integers(0, len(PLAIN) - 1))
    def test_cut_short_anywhere(self, length):
        self.survive(PLAIN[:length])

    @settings(max_examples=200)
    @given(st.integers(0, len(PLAIN)), st.integers(0, 40), st.text("{}\n .-19eNn\0OFSTCHA", max_size=8))
    @example(0, 9, "")
    def test_garbled_anywhere(self, at, drop, put):
        self.survive(PLAIN[:at] + put + PLAIN[at + drop :])

    @staticmethod
    def survive(text):
        """Either it is refused by name, or what came out is whole."""
        refusal = None
        try:
            clip = bvh.parse(text, "walk.bvh")
        except FileFormatError as error:
            refusal = error
        if refusal is None:
            assert np.isfinite(clip.positions()).all()
        else:
            assert str(refusal).startswith("walk.bvh")

    def test_too_large_a_file_is_not_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr(bvh, "MAX_BYTES", 10)
        (tmp_path / "a.bvh").write_text(PLAIN)
        with pytest.raises(FileFormatError, match="at most 10"):
            bvh.load(tmp_path / "a.bvh")

    def test_a_deep_hierarchy_is_no_recursion(self):
        n = 3000
        text = ("HIERARCHY\nROOT j0\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n"
                + "".join(f"JOINT j{i}\n{{\nOFFSET 0 1 0\nCHANNELS 1 Xrotation\n" for i in range(1, n))
                + "}\n" * n + "MOTION\nFrames: 1\nFrame Time: 0.04\n" + "0 " * n)  # fmt: skip
        assert len(bvh.parse(text, scale=0.01).skeleton) == n


class TestRoundTrip:
    @settings(max_examples=40, deadline=None)
    @given(seeds, st.integers(1, 9), st.sampled_from(rotations.EULER_ORDERS), st.booleans())
    def test_any_skeleton_in_any_order(self, seed, joints, order, translations):
        rng = np.random.default_rng(seed)
        clip = random_clip(rng, 4, random_skeleton(rng, joints), translations)
        again = bvh.parse(bvh.format(clip, order=order), scale=0.01)
        same(clip, again)
        assert (again.translations is None) == (not translations or joints == 1)

    @settings(max_examples=25, deadline=None)
    @given(seeds, st.booleans())
    def test_rest_orientations_are_turned_into_the_worlds_axes(self, seed, translations):
        rng = np.random.default_rng(seed)
        clip = random_clip(rng, 3, random_skeleton(rng, 6, rest=True), translations)
        again = bvh.parse(bvh.format(clip), scale=0.01)
        order = [again.skeleton.index(n) for n in clip.skeleton.names]
        np.testing.assert_allclose(again.positions()[:, order], clip.positions(), atol=1e-6)
        rest, rest_positions = clip.skeleton.rest_global()
        np.testing.assert_allclose(again.skeleton.rest_global()[1][order], rest_positions, atol=1e-6)
        turned = rotations.multiply(clip.forward()[0], rotations.inverse(rest))  # away from rest
        assert rotations.angle_between(turned, again.forward()[0][:, order]).max() < 1e-6

    def test_angles_do_not_jump(self):
        t = np.linspace(0, 4 * np.pi, 200)
        q = rotations.identity((200, 22))
        q[:, 0] = rotations.from_axis_angle(t[:, None] * [0, 1, 0])
        text = bvh.format(replace(rest_clip(200), rotations=q), order="YXZ")
        table = np.array([line.split() for line in text.splitlines()[-200:]], float)
        assert np.abs(np.diff(table[:, 3])).max() < 5
        assert table[-1, 3] == pytest.approx(720, abs=1e-3)

    def test_position_channels_on_demand(self):
        clip = rest_clip(2)
        assert bvh.format(clip).count("Xposition") == 1
        assert bvh.format(clip, positions=True).count("Xposition") == 22
        same(clip, bvh.parse(bvh.format(clip, positions=True)))

    @pytest.mark.parametrize("fps", [24, 29.97, 30, 59.94, 60, 120, 12.5, 1000])
    def test_rates(self, fps):
        assert bvh.parse(bvh.format(replace(rest_clip(2), fps=fps))).fps == pytest.approx(fps, rel=1e-9)

    def test_braces_in_names_cannot_break_the_file(self):
        s = Skeleton(("a}{", "b\nMOTION"), np.array([-1, 0]), np.ones((2, 3)))
        text = bvh.format(Clip(s, rotations.identity((1, 2)), np.zeros((1, 3))))
        assert bvh.parse(text, scale=0.01).skeleton.names == ("a", "b MOTION")

    @pytest.mark.parametrize(
        ("change", "field"),
        [({"clip": rest_clip(0)}, "clip"), ({"scale": 0}, "scale"), ({"scale": np.nan}, "scale"),
         ({"order": "XYX"}, "order"), ({"order": "zxy"}, "order")],
    )  # fmt: skip
    def test_refusals(self, change, field):
        with pytest.raises(LimberError) as error:
            bvh.format(**{"clip": rest_clip(2), **change})
        assert isinstance(error.value, InvalidRequestError)
        assert error.value.field == field


def test_a_long_take_is_written_in_parts_as_in_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    spin = np.linspace(0, 30, 60)[:, None] * np.array([0.0, 1.0, 0.2])  # several whole turns
    clip = rest_clip(60)
    local = np.array(clip.rotations)
    local[:, 1] = rotations.from_axis_angle(spin)
    local[:, 2:] = rotations.from_axis_angle(rng.normal(size=(60, local.shape[1] - 2, 3)))
    clip = replace(clip, rotations=local)
    whole = bvh.format(clip)
    monkeypatch.setattr(bvh, "AT_ONCE", 7)
    assert bvh.format(clip) == whole
    bvh.save(tmp_path / "a.bvh", clip)
    assert (tmp_path / "a.bvh").read_text() == whole
