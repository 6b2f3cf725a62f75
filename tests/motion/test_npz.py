"""The .npz files: nothing lost, nothing believed."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.motion import constraints, npz, npz_archive, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.constraints import Request, Result, TextSpan
from blender_addon.motion.errors import FileFormatError, InvalidRequestError, LimberError
from blender_addon.motion.skeleton import JOINTS
from tests.motion.strategies import random_clip, random_quaternions, random_skeleton, seeds


def identical(a: Clip, b: Clip):
    for key in ("rotations", "root_positions", "translations"):
        np.testing.assert_array_equal(getattr(a, key), getattr(b, key))
    for key in ("parents", "offsets", "rest_rotations", "tips"):
        np.testing.assert_array_equal(getattr(a.skeleton, key), getattr(b.skeleton, key))
    assert (a.skeleton.names, a.fps, a.name) == (b.skeleton.names, b.fps, b.name)
    assert dict(a.metadata) == dict(b.metadata)


def a_request(seed=0, frames=6, targets=False) -> Request:
    clip = replace(
        random_clip(np.random.default_rng(seed), frames), name="Łukasz", metadata={"take": [1, None]}
    )
    settings = {
        "seed": 2**63 - 1,
        "variations": 3,
        "system": "pose",
        "bundle": "open",
        "options": {"feet": True},
    }
    request = constraints.inbetween(clip, [0, frames - 1], texts=(TextSpan("läuft 🏃", 0, 3),), **settings)
    return (
        replace(request, targets=np.random.default_rng(seed).normal(size=(frames, 22, 3)))
        if targets
        else request
    )


def entries(data: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return dict(file)


def changed(request: Request | None = None, meta=None, drop=(), **arrays) -> bytes:
    """A request's file with some entries of another content."""
    old = entries(npz.request_to_bytes(request or a_request()))
    head = json.loads(old["meta"].item())
    head = meta(head) if meta else head
    old |= arrays
    old["meta"] = np.array(json.dumps(head))
    return npz_archive.write({k: v for k, v in old.items() if k not in drop})


def refuse(data: bytes, field: str, problem: str = ""):
    with pytest.raises(InvalidRequestError) as error:
        npz.request_from_bytes(data)
    assert error.value.field == field
    assert problem in error.value.problem


def damaged(data: bytes, problem: str):
    with pytest.raises(FileFormatError, match=problem) as error:
        npz.request_from_bytes(data)
    assert error.value.path == "request"


class TestRoundTrips:
    @settings(max_examples=25, deadline=None)
    @given(seeds, st.integers(0, 5), st.integers(1, 8), st.booleans())
    def test_clips_come_back_bit_for_bit(self, seed, frames, joints, translations):
        rng = np.random.default_rng(seed)
        clip = random_clip(rng, frames, random_skeleton(rng, joints, rest=True), translations)
        identical(npz.clip_from_bytes(npz.clip_to_bytes(clip)), clip)

    @pytest.mark.parametrize("targets", [False, True])
    def test_requests_come_back_bit_for_bit(self, targets, tmp_path):
        request = a_request(targets=targets)
        npz.save_request(tmp_path / "r.npz", request)
        back = npz.load_request(tmp_path / "r.npz")
        identical(back.clip, request.clip)
        for key, value in request.__dict__.items():
            if isinstance(value, np.ndarray) or value is None:
                np.testing.assert_array_equal(getattr(back, key), value)
            elif key != "clip":
                assert getattr(back, key) == value

    def test_results_come_back_bit_for_bit(self, tmp_path):
        clips = tuple(random_clip(np.random.default_rng(i), 4) for i in range(3))
        result = Result(
            clips[:2],
            clips[2],
            {"seconds": np.float64(0.5), "keys": np.arange(3), "hash": "ab", "none": None},
        )
        npz.save_result(tmp_path / "r.npz", result)
        back = npz.load_result(tmp_path / "r.npz")
        for a, b in zip((*result.clips, result.baseline), (*back.clips, back.baseline), strict=True):
            identical(a, b)
        assert back.report == {"seconds": 0.5, "keys": [0, 1, 2], "hash": "ab", "none": None}

    def test_files_on_disk(self, tmp_path):
        clip = random_clip(np.random.default_rng(0), 4)
        npz.save_clip(tmp_path / "c.npz", clip)
        identical(npz.load_clip(tmp_path / "c.npz"), clip)
        with pytest.raises(FileNotFoundError):
            npz.load_clip(tmp_path / "none.npz")

    def test_numpy_reads_them_without_pickle_and_the_bytes_are_reproducible(self):
        data = npz.request_to_bytes(a_request())
        assert data == npz.request_to_bytes(a_request())
        assert entries(data)["clip.rotations"].dtype == np.float64

    def test_numpys_own_compressed_files_are_read(self):
        request = a_request()
        out = io.BytesIO()
        np.savez_compressed(out, **entries(npz.request_to_bytes(request)))
        identical(npz.request_from_bytes(out.getvalue()).clip, request.clip)

    def test_other_layouts_of_the_same_numbers_are_read(self):
        request = a_request()
        q = request.clip.rotations
        for other in (np.asfortranarray(q), q.astype(">f8")):
            identical(
                npz.request_from_bytes(changed(request, **{"clip.rotations": other})).clip, request.clip
            )
        single = npz.request_from_bytes(changed(request, **{"clip.rotations": q.astype(np.float32)}))
        assert rotations.angle_between(single.clip.rotations, q).max() < 1e-6

    def test_what_json_cannot_hold_is_refused_when_written(self):
        clip = rest_clip(2)
        for report in ({"x": float("nan")}, {"x": object()}, {"x": np.array([np.inf])}):
            with pytest.raises(InvalidRequestError, match="JSON"):
                npz.result_to_bytes(Result((clip,), clip, report))


class TestWrongContent:
    @pytest.mark.parametrize("key", sorted(entries(npz.request_to_bytes(a_request())).keys() - {"meta"}))
    def test_every_missing_array_is_named(self, key):
        refuse(changed(drop=(key,)), key, "missing")

    @pytest.mark.parametrize(
        "key", ["task", "seed", "variations", "system", "bundle", "options", "texts", "clip"]
    )
    def test_every_missing_setting_is_named(self, key):
        refuse(changed(meta=lambda m: {k: v for k, v in m.items() if k != key}), key, "missing")

    def test_unknown_entries_are_errors(self):
        refuse(changed(surprise=np.zeros(3)), "surprise", "unknown")
        refuse(changed(meta=lambda m: {**m, "guidance": 2.5}), "guidance", "unknown")
        refuse(changed(meta=lambda m: {**m, "clip": {**m["clip"], "up": "Z"}}), "clip", "exactly")

    @pytest.mark.parametrize("version", [0, 2, 1.0, "1", None, True, [1], "9" * 5000])
    def test_other_versions_are_refused_with_a_remedy(self, version):
        with pytest.raises(InvalidRequestError) as error:
            npz.request_from_bytes(changed(meta=lambda m: {**m, "schema": version}))
        assert error.value.field == "schema"
        assert error.value.remedy
        assert len(str(error.value)) < 300

    def test_other_kinds_are_refused(self):
        refuse(npz.clip_to_bytes(rest_clip(2)), "kind", "'clip' where a request is expected")

    @pytest.mark.parametrize(
        ("key", "value"),
        [("task", 3), ("task", None), ("seed", 1.5), ("seed", True), ("seed", "1"), ("variations", "2"),
         ("variations", True), ("system", None), ("bundle", 1), ("options", []), ("texts", {}), ("clip", [])],
    )  # fmt: skip
    def test_settings_of_the_wrong_type(self, key, value):
        refuse(changed(meta=lambda m: {**m, key: value}), key)

    @pytest.mark.parametrize(
        "span",
        [{}, "walk", {"text": "a", "start": 0}, {"text": 1, "start": 0, "stop": 2},
         {"text": "a", "start": 0.5, "stop": 2}, {"text": "a", "start": True, "stop": 2},
         {"text": "a", "start": 0, "stop": 2, "x": 1}],
    )  # fmt: skip
    def test_texts_of_the_wrong_form(self, span):
        refuse(changed(meta=lambda m: {**m, "texts": [span]}), "texts")

    @pytest.mark.parametrize(
        ("key", "array", "field"),
        [
            ("clip.rotations", np.zeros((6, 22, 3)), "clip.rotations"),
            ("clip.rotations", np.ones((6, 22, 4), int), "clip.rotations"),
            ("clip.rotations", np.full((6, 22, 4), np.nan), "clip.rotations"),
            ("clip.rotations", np.array("x"), "clip.rotations"),
            ("clip.root_positions", np.zeros((5, 3)), "clip.root_positions"),
            ("clip.root_positions", np.full((6, 3), np.inf), "clip.root_positions"),
            ("clip.translations", np.zeros((6, 22)), "clip.translations"),
            ("clip.parents", np.zeros(22), "clip.parents"),
            ("clip.parents", np.zeros(22, int), "clip.skeleton"),
            ("clip.parents", np.full(22, -(2**63)), "clip.parents"),
            ("clip.parents", np.full(22, 2**62), "clip.parents"),
            ("clip.parents", np.full(3, -1), "clip.skeleton"),
            ("clip.offsets", np.full((22, 3), np.nan), "clip.skeleton"),
            ("clip.tips", np.zeros((1, 3)), "clip.skeleton"),
            ("rotation_known", np.zeros((6, 22)), "rotation_known"),
            ("rotation_known", np.zeros((6, 21), bool), "rotation_known"),
            ("root_known", np.zeros((6, 1), bool), "root_known"),
            ("confidence", np.full((6, 22), 2.0), "confidence"),
            ("targets", np.zeros((6, 22, 2)), "targets"),
            ("targets", np.full((6, 22, 3), np.nan), "targets"),
        ],
    )
    def test_arrays_of_the_wrong_form_are_named(self, key, array, field):
        refuse(changed(**{key: array}), field)

    @pytest.mark.parametrize(
        ("key", "value"),
        [("fps", 0), ("fps", "30"), ("fps", None), ("fps", 1e300), ("fps", 10**400), ("fps", True), ("names", "abc"),
         ("names", [1] * 22), ("names", ["a"] * 22), ("names", []), ("name", None), ("metadata", [])],
    )  # fmt: skip
    def test_facts_of_the_clip_of_the_wrong_form(self, key, value):
        with pytest.raises(LimberError, match="clip"):
            npz.request_from_bytes(changed(meta=lambda m: {**m, "clip": {**m["clip"], key: value}}))

    def test_whole_numbers_are_rates_too(self):
        data = changed(meta=lambda m: {**m, "clip": {**m["clip"], "fps": 60}})
        assert npz.request_from_bytes(data).clip.fps == 60.0

    def test_bytes_that_are_neither_true_nor_false(self):
        mask = np.frombuffer(b"\x02" * 132, bool).reshape(6, 22)
        back = npz.request_from_bytes(changed(rotation_known=mask))
        assert (back.rotation_known.view(np.uint8) == 1).all()

    @pytest.mark.parametrize(
        "meta",
        ["", "[1]", "null", "{", '{"schema": NaN}', '{"schema": Infinity}', "[" * 100_000, '{"a":' * 5000,
         '{"schema": ' + "9" * 5000 + "}", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")],
    )  # fmt: skip
    def test_meta_that_is_no_json_object(self, meta):
        damaged(npz_archive.write({"meta": np.array(meta)}), "meta")

    @pytest.mark.parametrize(
        "array", [np.zeros(3), np.array(["{}"]), np.array(1), np.array(True), np.zeros((0,), "U5")]
    )
    def test_meta_that_is_no_text(self, array):
        damaged(npz_archive.write({"meta": array}), "meta")

    def test_no_meta(self):
        damaged(npz_archive.write({"poses": np.zeros(3)}), "not a Limber request")


def archive(members, how=zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as file:
        for name, data in members:
            file.writestr(name, data)
    return out.getvalue()


def header(descr="<f8", shape="(3,)", order="False", payload=b"\0" * 24, version=1) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + len(text).to_bytes(2 if version == 1 else 4, "little")
        + text
        + payload
    )


class TestHostile:
    @pytest.mark.parametrize(
        "data", [b"", b"PK", b"hello" * 100, b"PK\x05\x06" + b"\0" * 18, b"\x93NUMPY\x01\0"]
    )
    def test_no_archive(self, data):
        damaged(data, "npz|meta")

    @settings(max_examples=60, deadline=None)
    @given(st.floats(0, 1, exclude_max=True))
    def test_truncated_anywhere(self, share):
        data = npz.request_to_bytes(a_request())
        with pytest.raises(FileFormatError):
            npz.request_from_bytes(data[: int(share * len(data))])

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_flipped_bytes_are_an_error_or_do_no_harm(self, data):
        file = bytearray(npz.request_to_bytes(a_request()))
        for _ in range(data.draw(st.integers(1, 4))):
            file[data.draw(st.integers(0, len(file) - 1))] ^= data.draw(st.integers(1, 255))
        refusal = None
        try:
            npz.request_from_bytes(bytes(file))
        except LimberError as error:
            refusal = error
        assert refusal is None or isinstance(refusal, FileFormatError | InvalidRequestError)

    def test_pickles_are_never_loaded(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "owned"), "w"))

        out = io.BytesIO()
        np.savez(out, meta=np.array([Bomb()], dtype=object), allow_pickle=True)
        damaged(out.getvalue(), "pickle")
        import pickle

        damaged(archive([("meta.npy", pickle.dumps(Bomb()))]), "not an array")
        assert not (tmp_path / "owned").exists()

    def test_a_zip_bomb_is_refused_before_it_is_unpacked(self):
        zeros = header(shape=f"({50 << 20},)", descr="|b1", payload=b"\0" * (50 << 20))
        bomb = archive([("meta.npy", zeros)], zipfile.ZIP_DEFLATED)
        assert len(bomb) < 100_000
        with pytest.raises(FileFormatError, match="at most 10000000 are read"):
            npz.request_from_bytes(bomb, max_bytes=10_000_000)

    def test_a_size_that_lies_is_noticed(self):
        data = bytearray(archive([("meta.npy", header(payload=b"\0" * 24))], zipfile.ZIP_DEFLATED))
        at = data.rfind(b"PK\x01\x02")
        data[at + 24 : at + 28] = (16).to_bytes(4, "little")  # the directory's uncompressed size
        damaged(bytes(data), "cut short|damaged|header|not an array")

    @pytest.mark.parametrize(
        "shape",
        ["(1000000000000,)", "(4,)", "(2,)", "()", "(0,)", "(999999999999999, 999999999999999)", "(0, 999999999999999)",
         "(-1,)", "(3.0,)", "(3, 'a')", "(" + "1, " * 20 + "3)", "(" + "1, " * 2000 + "3)"],
    )  # fmt: skip
    def test_shapes_that_are_not_what_is_there(self, shape):
        damaged(archive([("meta.npy", header(shape=shape))]), "entry 'meta'")

    @pytest.mark.parametrize(
        "descr", ["|O", "<O8", "<c16", "|V8", "<M8", "<f3", "<f0", "<U0", "x", "<f99999999", "|S0"]
    )
    def test_types_that_are_not_read(self, descr):
        damaged(archive([("meta.npy", header(descr=descr))]), "entry 'meta'")

    @pytest.mark.parametrize(
        "member",
        [b"", b"\x93NUMPY", b"\x93NUMPY\x01\0\xff\xff{}", b"\x93NUMPY\x09\0" + b"\0" * 40,
         b"\x93NUMPY\x02\0\xff\xff\xff\xff{}", header(order="__import__('os')"),
         b"\x93NUMPY\x01\0\x40\0" + b"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}" + b"\0" * 24],
    )  # fmt: skip
    def test_headers_of_another_form(self, member):
        damaged(archive([("meta.npy", member)]), "entry 'meta'")

    @pytest.mark.parametrize(
        "name", ["../meta.npy", "/meta.npy", "a\\b.npy", "C:x.npy", "meta.txt", ".npy", "x" * 300 + ".npy"]
    )
    def test_names_that_are_no_arrays(self, name):
        damaged(archive([(name, header())]), "not an array's name")

    def test_a_name_twice(self):
        with pytest.warns(UserWarning, match="Duplicate"):
            data = archive([("meta.npy", header()), ("meta.npy", header())])
        damaged(data, "occurs twice")

    def test_too_many_members(self):
        damaged(archive([(f"a{i}.npy", b"") for i in range(5000)]), "at most 4096")

    def test_unknown_compression_and_encryption(self):
        damaged(archive([("meta.npy", header())], zipfile.ZIP_BZIP2), "unknown compression")
        data = bytearray(archive([("meta.npy", header())]))
        data[data.rfind(b"PK\x01\x02") + 8] |= 1
        damaged(bytes(data), "encrypted")


class TestAmass:
    @staticmethod
    def take(width=156, frames=5, **change):
        rng = np.random.default_rng(0)
        poses = rng.normal(size=(frames, width)) * 0.4
        return {"poses": poses, "trans": rng.normal(size=(frames, 3)), "mocap_framerate": np.array(120.0),
                "betas": np.zeros(16), "gender": np.array("female"), **change}  # fmt: skip

    @staticmethod
    def save(path, entries):
        np.savez(path, **{k: v for k, v in entries.items() if v is not None})
        return path

    @pytest.mark.parametrize(("width", "model"), [(66, "smpl"), (72, "smpl"), (156, "smplh"), (165, "smplx")])
    @pytest.mark.parametrize("key", ["mocap_framerate", "mocap_frame_rate"])
    def test_widths_and_rates(self, tmp_path, width, model, key):
        take = self.take(width)
        take[key] = take.pop("mocap_framerate")
        clip = npz.load_amass(self.save(tmp_path / "walk_poses.npz", take))
        assert (clip.fps, clip.name, clip.metadata["model"]) == (120.0, "walk_poses", model)
        assert clip.skeleton.names == JOINTS
        expected = rotations.from_axis_angle(take["poses"][:, 3:66].reshape(-1, 21, 3))
        assert rotations.angle_between(clip.rotations[:, 1:], expected).max() < 1e-7

    def test_z_up_becomes_y_up_and_forward_stays_forward(self, tmp_path):
        # AMASS: a body that stands upright facing -Y has its model turned by 90 degrees about X.
        poses = np.zeros((2, 156))
        poses[:, 0] = np.pi / 2
        trans = np.array([[0, 0, 1.2], [0, -1, 1.2]])  # walks the way it faces
        clip = npz.load_amass(self.save(tmp_path / "a.npz", self.take(poses=poses, trans=trans)))
        assert rotations.angle_between(clip.rotations[:, 0], rotations.IDENTITY).max() < 1e-7
        np.testing.assert_allclose(np.diff(clip.root_positions, axis=0), [[0, 0, 1]], atol=1e-12)
        assert clip.root_positions[0, 1] == pytest.approx(1.2, abs=0.05)

    def test_pickled_extras_are_left_alone(self, tmp_path):
        np.savez(tmp_path / "a.npz", **self.take(), labels=np.array([{"a": 1}], dtype=object))
        assert len(npz.load_amass(tmp_path / "a.npz")) == 5

    def test_split_poses(self, tmp_path):
        take = self.take()
        split = {
            **take,
            "poses": None,
            "root_orient": take["poses"][:, :3],
            "pose_body": take["poses"][:, 3:66],
        }
        a = npz.load_amass(self.save(tmp_path / "a.npz", take))
        b = npz.load_amass(self.save(tmp_path / "b.npz", split))
        np.testing.assert_array_equal(a.rotations, b.rotations)

    @settings(max_examples=15, deadline=None)
    @given(seeds)
    def test_round_trip_with_proportions(self, tmp_path_factory, seed):
        rng = np.random.default_rng(seed)
        offsets = np.array(rest_clip().skeleton.offsets)
        offsets[1:] *= rng.uniform(0.8, 1.2, (21, 1))
        clip = random_clip(rng, 4)
        rest = rest_clip(1, offsets=offsets).positions()[0]
        offsets[0] = 0, offsets[0, 1] - rest[:, 1].min(), 0
        clip = replace(clip, skeleton=rest_clip(1, offsets=offsets).skeleton,
                       rotations=random_quaternions(rng, 4, 22), fps=59.94)  # fmt: skip
        path = tmp_path_factory.mktemp("amass") / "a.npz"
        npz.save_amass(path, clip)
        back = npz.load_amass(path)
        assert back.fps == clip.fps
        assert rotations.angle_between(back.rotations, clip.rotations).max() < 1e-7
        np.testing.assert_allclose(back.skeleton.offsets, offsets, atol=1e-9)
        np.testing.assert_allclose(back.positions(), clip.positions(), atol=1e-6)

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"poses": None}, "poses"),
            ({"poses": np.zeros((5, 100))}, "poses"),
            ({"poses": np.zeros(156)}, "poses"),
            ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "no frames"),
            ({"poses": np.full((5, 156), np.nan)}, "poses: not a finite number in row 0"),
            ({"poses": np.full((5, 156), "x")}, "poses"),
            ({"trans": None}, "trans"),
            ({"trans": np.zeros((4, 3))}, "trans"),
            ({"trans": np.full((5, 3), np.inf)}, "trans"),
            ({"mocap_framerate": None}, "mocap_framerate"),
            ({"mocap_framerate": np.array(0.0)}, "mocap_framerate"),
            ({"mocap_framerate": np.array(np.nan)}, "mocap_framerate"),
            ({"mocap_framerate": np.zeros(2)}, "mocap_framerate"),
            ({"mocap_framerate": np.array("fast")}, "mocap_framerate"),
            ({"joints": np.zeros((21, 3))}, "joints"),
            ({"joints": np.full((22, 3), np.nan)}, "joints"),
            ({"poses": np.array([None, {}], dtype=object)}, "pickle"),
            ({"poses": None, "root_orient": np.zeros((5, 3)), "pose_body": np.zeros((4, 63))}, "root_orient"),
        ],
    )
    def test_refusals_name_the_entry(self, tmp_path, change, word):
        path = self.save(tmp_path / "a.npz", self.take(**change))
        with pytest.raises(FileFormatError, match=word) as error:
            npz.load_amass(path)
        assert error.value.path == str(path)

    def test_only_canonical_clips_are_written(self, tmp_path):
        rng = np.random.default_rng(0)
        for clip in (random_clip(rng, 2, random_skeleton(rng, 22)), random_clip(rng, 2, translations=True)):
            with pytest.raises(InvalidRequestError, match="canonical"):
                npz.save_amass(tmp_path / "a.npz", clip)
