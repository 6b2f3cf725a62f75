"""Requests, results, motions and AMASS takes as .npz files.

A file is arrays plus one entry ``meta``: JSON with ``schema`` (version), ``kind`` and everything
that is no array. Every entry is known or an error, float64 arrays come back bit for bit, and
nothing is unpickled. The HTTP body of a job is such a file, so any request can be saved and re-run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import npz_archive, rotations
from .clip import Clip
from .constraints import FARTHEST, SCHEMA_VERSION, Request, Result, TextSpan
from .errors import FileFormatError, InvalidRequestError, SkeletonError
from .npz_archive import MAX_BYTES
from .rotations import Array
from .skeleton import JOINTS, PARENTS, Skeleton, canonical

Source = str | os.PathLike[str] | bytes

_MASKS = ("rotation_known", "position_known", "root_known", "heading_known")
_OPTIONAL = {"targets": "f", "ground_known": "b", "headings": "f", "firmness": "f"}
_CLIP_ARRAYS = ("rotations", "root_positions", "parents", "offsets", "rest_rotations", "tips")


# -- motions -----------------------------------------------------------------------------------


def save_clip(path: str | os.PathLike[str], clip: Clip) -> None:
    """Write a clip on any skeleton."""
    Path(path).write_bytes(clip_to_bytes(clip))


def load_clip(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Clip:
    """Read what :func:`save_clip` wrote.

    Raises:
        FileFormatError, InvalidRequestError: naming the entry that makes no sense.
        OSError: the file cannot be opened.
    """
    return _clip_from(path, str(path), max_bytes)


def clip_to_bytes(clip: Clip) -> bytes:
    """A clip as the bytes of its file."""
    arrays: dict[str, np.ndarray] = {}
    meta = {"clip": _pack_clip(clip, "clip", arrays)}
    return _pack("clip", meta, arrays)


def clip_from_bytes(data: bytes, max_bytes: int = MAX_BYTES) -> Clip:
    """Inverse of :func:`clip_to_bytes`."""
    return _clip_from(data, "clip", max_bytes)


def _clip_from(source: Source, name: str, max_bytes: int) -> Clip:
    file = _File(source, name, "clip", max_bytes)
    clip = file.clip(file.take("clip", dict), "clip")
    file.close()
    return clip


# -- requests ----------------------------------------------------------------------------------


def save_request(path: str | os.PathLike[str], request: Request) -> None:
    """Write a request."""
    Path(path).write_bytes(request_to_bytes(request))


def load_request(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Request:
    """Read what :func:`save_request` wrote; errors as for :func:`load_clip`."""
    return _request_from(path, str(path), max_bytes)


def request_to_bytes(request: Request) -> bytes:
    """A request as the bytes of its file."""
    arrays: dict[str, np.ndarray] = {}
    meta: dict[str, Any] = {
        key: getattr(request, key) for key in ("task", "seed", "variations", "system", "bundle")
    }
    meta["options"] = dict(request.options)
    meta["texts"] = [{"text": s.text, "start": s.start, "stop": s.stop} for s in request.texts]
    meta["clip"] = _pack_clip(request.clip, "clip", arrays)
    arrays |= {key: getattr(request, key) for key in (*_MASKS, "confidence")}
    for key in _OPTIONAL:
        if (value := getattr(request, key)) is not None:
            arrays[key] = value
    return _pack("request", meta, arrays)


def request_from_bytes(data: bytes, max_bytes: int = MAX_BYTES) -> Request:
    """Inverse of :func:`request_to_bytes`."""
    return _request_from(data, "request", max_bytes)


def _request_from(source: Source, name: str, max_bytes: int) -> Request:
    file = _File(source, name, "request", max_bytes)
    clip = file.clip(file.take("clip", dict), "clip")
    fields: dict[str, Any] = {key: file.array(key, "b") for key in _MASKS}
    fields["confidence"] = file.array("confidence", "f")
    fields |= {key: file.optional(key, kind) for key, kind in _OPTIONAL.items()}
    for key, kind in (("task", str), ("seed", int), ("variations", int), ("system", str), ("bundle", str),
                      ("options", dict)):  # fmt: skip
        fields[key] = file.take(key, kind)
    fields["texts"] = tuple(_text_span(span) for span in file.take("texts", list))
    file.close()
    return Request(clip=clip, **fields)


def _text_span(span: object) -> TextSpan:
    if not isinstance(span, dict) or span.keys() != {"text", "start", "stop"}:
        raise InvalidRequestError("texts", "each must have exactly text, start and stop")
    text, start, stop = span["text"], span["start"], span["stop"]
    if not isinstance(text, str) or type(start) is not int or type(stop) is not int:
        raise InvalidRequestError("texts", "text must be text, start and stop frame numbers")
    return TextSpan(text, start, stop)


# -- results -----------------------------------------------------------------------------------


def save_result(path: str | os.PathLike[str], result: Result) -> None:
    """Write a result."""
    Path(path).write_bytes(result_to_bytes(result))


def load_result(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Result:
    """Read what :func:`save_result` wrote; errors as for :func:`load_clip`."""
    return _result_from(path, str(path), max_bytes)


def result_to_bytes(result: Result) -> bytes:
    """A result as the bytes of its file."""
    arrays: dict[str, np.ndarray] = {}
    meta: dict[str, Any] = {"report": dict(result.report)}
    meta["clips"] = [_pack_clip(clip, f"clips.{i}", arrays) for i, clip in enumerate(result.clips)]
    meta["baseline"] = _pack_clip(result.baseline, "baseline", arrays)
    return _pack("result", meta, arrays)


def result_from_bytes(data: bytes, max_bytes: int = MAX_BYTES) -> Result:
    """Inverse of :func:`result_to_bytes`."""
    return _result_from(data, "result", max_bytes)


def _result_from(source: Source, name: str, max_bytes: int) -> Result:
    file = _File(source, name, "result", max_bytes)
    clips = tuple(file.clip(meta, f"clips.{i}") for i, meta in enumerate(file.take("clips", list)))
    result = Result(clips, file.clip(file.take("baseline", dict), "baseline"), file.take("report", dict))
    file.close()
    return result


# -- what they share ---------------------------------------------------------------------------


def _pack(kind: str, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    head = npz_archive.pack_meta({"schema": SCHEMA_VERSION, "kind": kind, **meta})
    return npz_archive.write({"meta": head, **arrays})


def _pack_clip(clip: Clip, prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Adds the clip's arrays under ``prefix.``; returns the rest of it, for ``meta``."""
    s = clip.skeleton
    for key, value in zip(_CLIP_ARRAYS, (clip.rotations, clip.root_positions, s.parents, s.offsets,
                                         s.rest_rotations, s.tips), strict=True):  # fmt: skip
        arrays[f"{prefix}.{key}"] = value
    if clip.translations is not None:
        arrays[f"{prefix}.translations"] = clip.translations
    return {"names": list(s.names), "fps": clip.fps, "name": clip.name, "metadata": dict(clip.metadata)}


class _File:
    """An archive whose entries are taken out one by one; what is left at the end is an error."""

    def __init__(self, source: Source, name: str, kind: str, max_bytes: int) -> None:
        self.name = name
        self.arrays = npz_archive.read(source, name, max_bytes=max_bytes)
        if "meta" not in self.arrays:
            raise FileFormatError(name, f"no entry 'meta'; this is not a Limber {kind}")
        self.meta = npz_archive.unpack_meta(self.arrays.pop("meta"), name)
        schema, found = self.meta.pop("schema", None), self.meta.pop("kind", None)
        if type(schema) is not int or schema != SCHEMA_VERSION:
            problem = f"version {str(schema)[:40]}, this Limber reads {SCHEMA_VERSION}"
            raise InvalidRequestError("schema", problem, "Use the same version of Limber on both sides.")
        if found != kind:
            raise InvalidRequestError("kind", f"{str(found)[:40]!r} where a {kind} is expected")

    def take(self, key: str, kind: type) -> Any:
        """An entry of ``meta`` of exactly that type."""
        if key not in self.meta:
            raise InvalidRequestError(key, "missing in meta")
        return _typed(self.meta.pop(key), kind, key)

    def array(self, key: str, kind: str) -> np.ndarray:
        """An array whose dtype is of that kind (numpy's letter)."""
        if key not in self.arrays:
            raise InvalidRequestError(key, "missing")
        value = self.arrays.pop(key)
        if value.dtype.kind != kind:
            raise InvalidRequestError(key, f"{value.dtype} where {_KIND_NAMES[kind]} are expected")
        return value

    def optional(self, key: str, kind: str) -> np.ndarray | None:
        """The same, or None where there is no such array."""
        return self.array(key, kind) if key in self.arrays else None

    def clip(self, meta: object, prefix: str) -> Clip:
        """The clip whose arrays stand under ``prefix.``."""
        if not isinstance(meta, dict) or meta.keys() != {"names", "fps", "name", "metadata"}:
            raise InvalidRequestError(prefix, "must have exactly names, fps, name and metadata in meta")
        names = _typed(meta["names"], list, f"{prefix}.names")
        if not all(isinstance(n, str) for n in names):
            raise InvalidRequestError(f"{prefix}.names", "a joint's name is not text")
        a = {k: self.array(f"{prefix}.{k}", "i" if k == "parents" else "f") for k in _CLIP_ARRAYS}
        moved = self.optional(f"{prefix}.translations", "f")
        if ((a["parents"] < -1) | (a["parents"] >= len(names))).any():
            raise InvalidRequestError(f"{prefix}.parents", "a parent that is none of the joints")
        try:
            skeleton = Skeleton(tuple(names), a["parents"], a["offsets"], a["rest_rotations"], a["tips"])
            return Clip(skeleton, a["rotations"], a["root_positions"],
                        _typed(meta["fps"], float, f"{prefix}.fps"), moved,
                        _typed(meta["name"], str, f"{prefix}.name"),
                        _typed(meta["metadata"], dict, f"{prefix}.metadata"))  # fmt: skip
        except SkeletonError as error:
            raise InvalidRequestError(f"{prefix}.skeleton", str(error)) from error
        except InvalidRequestError as error:
            if error.field.startswith(prefix):
                raise
            raise InvalidRequestError(f"{prefix}.{error.field}", error.problem, error.remedy) from error

    def close(self) -> None:
        """Complains about what nobody took."""
        for key in (*self.arrays, *self.meta):
            raise InvalidRequestError(
                key[:80], "unknown entry", "Remove it, or use the version that wrote it."
            )


_KIND_NAMES = {"b": "truth values", "i": "whole numbers", "f": "real numbers"}
_TYPE_NAMES = {str: "text", int: "a whole number", float: "a number", dict: "an object", list: "a list"}


def _typed(value: object, kind: type, key: str) -> Any:
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    if type(value) is not kind:  # not isinstance: JSON's true is no number
        raise InvalidRequestError(key, f"{type(value).__name__} where {_TYPE_NAMES[kind]} is expected")
    return value


# -- AMASS -------------------------------------------------------------------------------------

_POSE_WIDTHS = {66: "smpl", 72: "smpl", 156: "smplh", 165: "smplx"}
_AMASS_FIELDS = (
    "poses",
    "root_orient",
    "pose_body",
    "trans",
    "mocap_framerate",
    "mocap_frame_rate",
    "joints",
)

# Z up to Y up: a quarter turn about -X.
_TO_Y_UP = rotations.from_axis_angle([-math.pi / 2, 0, 0])

# Where the mean SMPL body has its pelvis in the model's own axes; AMASS' ``trans`` moves the model,
# not the pelvis. Of the three only the last is seen as height, once the body stands in Z-up axes.
_MODEL_PELVIS = np.array([-0.0018, -0.2233, 0.0282])


def load_amass(
    path: str | os.PathLike[str], joints: ArrayLike | None = None, max_bytes: int = MAX_BYTES
) -> Clip:
    """An AMASS take on the canonical skeleton, Y up.

    The body shape (``betas``) needs the licensed model and is not used: the skeleton has default
    proportions, unless rest joint positions are given.

    Args:
        path: .npz with ``poses`` ``(F, 66 | 72 | 156 | 165)`` axis-angle (SMPL, SMPL-H, SMPL-X; or
            ``root_orient`` and ``pose_body``), ``trans`` ``(F, 3)`` and ``mocap_framerate`` or
            ``mocap_frame_rate``; Z up, metres. Everything else in it is left unread.
        joints: ``(>= 22, 3)`` rest joint positions in the body model's axes (Y up, facing +Z);
            None: the file's own ``joints``, which :func:`save_amass` writes, if it has some.

    Raises:
        FileFormatError: naming the entry that is missing or makes no sense.
        OSError: the file cannot be opened.
    """
    name = str(path)
    a = npz_archive.read(path, name, _AMASS_FIELDS, max_bytes)
    poses = a.get("poses")
    if poses is None and "root_orient" in a and "pose_body" in a:
        if (
            a["root_orient"].ndim != 2
            or a["pose_body"].ndim != 2
            or len(a["root_orient"]) != len(a["pose_body"])
        ):
            raise FileFormatError(name, "root_orient and pose_body must be (frames, 3) and (frames, 63)")
        poses = np.concatenate([a["root_orient"], a["pose_body"]], -1)
    if poses is None:
        raise FileFormatError(name, "no entry 'poses'; this is not an AMASS motion")
    if poses.ndim != 2 or poses.shape[1] not in _POSE_WIDTHS:
        raise FileFormatError(name, f"poses: shape {poses.shape}, expected (frames, 66, 72, 156 or 165)")
    trans = a.get("trans", np.zeros(0))
    if trans.shape != (len(poses), 3):
        raise FileFormatError(name, f"trans: shape {trans.shape}, expected ({len(poses)}, 3)")
    if len(poses) == 0:
        raise FileFormatError(name, "poses: no frames")
    poses, trans = _real(poses, "poses", name), _real(trans, "trans", name)
    rate = a.get("mocap_framerate", a.get("mocap_frame_rate"))
    if rate is None or rate.size != 1 or not 0 < float(_real(rate, "mocap_framerate", name).item()) <= 10_000:
        raise FileFormatError(name, "mocap_framerate (or mocap_frame_rate): one number in 0..10000 is needed")
    body = _real(np.asarray(joints), "joints", name) if joints is not None else a.get("joints")
    offsets, pelvis = _proportions(body, name)
    local = rotations.from_axis_angle(poses[:, : 3 * len(JOINTS)].reshape(len(poses), len(JOINTS), 3))
    local[:, 0] = rotations.multiply(_TO_Y_UP, local[:, 0])
    facts = {"source": name, "model": _POSE_WIDTHS[poses.shape[1]]}
    return Clip(canonical(offsets), local, rotations.rotate(_TO_Y_UP, trans + pelvis),
                float(rate.item()), name=Path(path).stem, metadata=facts)  # fmt: skip


def _real(values: np.ndarray, key: str, name: str) -> Array:
    if values.dtype.kind not in "fiu":
        raise FileFormatError(name, f"{key}: {values.dtype} where real numbers are expected")
    values = values.astype(np.float64)
    bad = np.argwhere(~(np.abs(np.atleast_1d(values)) <= FARTHEST))  # farther, angles and places mean nothing
    if len(bad):
        raise FileFormatError(name, f"{key}: not a finite number in row {int(bad[0][0])}")
    return values


def _proportions(joints: np.ndarray | None, name: str) -> tuple[Array | None, Array]:
    """Canonical offsets, and the pelvis' place in the body model's axes."""
    if joints is None:
        return None, _MODEL_PELVIS
    if joints.ndim != 2 or joints.shape[1] != 3 or len(joints) < len(JOINTS):
        raise FileFormatError(name, f"joints: shape {joints.shape}, expected (22 or more, 3)")
    at = _real(joints, "joints", name)[: len(JOINTS)]
    offsets = at - at[np.maximum(PARENTS, 0)]
    offsets[0] = 0, at[0, 1] - at[:, 1].min(), 0  # the lowest joint, the ball of a foot, on the ground
    return offsets, at[0]


def save_amass(path: str | os.PathLike[str], clip: Clip) -> None:
    """Write a canonical clip as an AMASS take (SMPL-H, 156 wide, fingers straight, Z up).

    Its proportions go into an entry ``joints`` of their own: AMASS' ``betas`` cannot hold them, and
    are written as zeros.

    Raises:
        InvalidRequestError: the clip is not on the canonical skeleton.
    """
    if clip.skeleton.names != JOINTS or clip.translations is not None:
        raise InvalidRequestError("clip", "not on the canonical 22 joints", "Retarget it first.")
    back = rotations.inverse(_TO_Y_UP)
    local = clip.rotations.copy()
    local[:, 0] = rotations.multiply(back, local[:, 0])
    poses = np.zeros((len(clip), 156))
    poses[:, : 3 * len(JOINTS)] = rotations.to_axis_angle(local).reshape(len(clip), -1)
    rest = clip.skeleton.rest_global()[1]
    arrays = {
        "poses": poses,
        "trans": rotations.rotate(back, clip.root_positions) - _MODEL_PELVIS,
        "mocap_framerate": np.array(clip.fps),
        "betas": np.zeros(16),
        "dmpls": np.zeros((len(clip), 8)),
        "gender": np.array("neutral"),
        "joints": rest - rest[0] + _MODEL_PELVIS,
    }
    Path(path).write_bytes(npz_archive.write(arrays))
