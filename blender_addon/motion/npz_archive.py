"""Named arrays in an .npz file, read as if the file were hostile.

numpy's own reader allocates what a header declares before it looks at the data, and evaluates the
header as Python. Here a member is read only if the sizes that the archive declares fit the limit,
and its header only if it matches the plain form with a number of bytes that is really there. No
pickle is ever read or written.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np

from .errors import FileFormatError, InvalidRequestError

MAX_BYTES = 2 << 30
"""Largest sum of the uncompressed members that is read from a file."""

MAX_META_BYTES = 64 << 20
_MAX_MEMBERS = 4096
_MAX_DIMENSIONS = 8
_DESCR = re.compile(r"'descr'\s*:\s*'([<>|=]?)([a-zA-Z])(\d{0,9})'")
_ORDER = re.compile(r"'fortran_order'\s*:\s*(True|False)")
_SHAPE = re.compile(r"'shape'\s*:\s*\(((?:\s*\d{1,15}L?\s*,?)*)\s*\)")
_KINDS = {"b": "boolean", "i": "integer", "u": "integer", "f": "real", "U": "text", "S": "text"}


def read(
    source: str | os.PathLike[str] | bytes,
    name: str,
    only: Iterable[str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> dict[str, np.ndarray]:
    """The arrays of an archive.

    Args:
        source: a path, or the file's bytes.
        name: what errors call it.
        only: members to read where present, the rest are not even looked at; None: all.
        max_bytes: limit for the sum of all uncompressed members.

    Raises:
        FileFormatError: no archive, damaged, too large, or a member that is no plain array.
        OSError: the file cannot be opened.
    """
    stream: Any = io.BytesIO(source) if isinstance(source, bytes) else os.fspath(source)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = _members(archive, name, max_bytes)
            wanted = members if only is None else [k for k in only if k in members]
            return {k: _read_member(archive, members[k], k, name) for k in wanted}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise FileFormatError(name, f"not an .npz file, or damaged ({error})") from error
    except (ValueError, OverflowError) as error:  # zipfile's on offsets outside the file
        raise FileFormatError(name, f"damaged .npz file ({error})") from error


def _members(archive: zipfile.ZipFile, name: str, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Name without ``.npy`` -> member, after everything the directory tells has been checked."""
    infos = archive.infolist()
    if len(infos) > _MAX_MEMBERS:
        raise FileFormatError(name, f"{len(infos)} entries, at most {_MAX_MEMBERS} are read")
    total = sum(info.file_size for info in infos)
    if total > max_bytes:
        raise FileFormatError(name, f"holds {total} bytes when unpacked, at most {max_bytes} are read")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        key = info.filename.removesuffix(".npy")
        if key == info.filename or not key or len(key) > 200 or re.search(r"[\\/:\0]|\.\.", key):
            raise FileFormatError(name, f"entry {info.filename[:80]!r} is not an array's name")
        if key in members:
            raise FileFormatError(name, f"entry {key!r} occurs twice")
        if info.flag_bits & 1:
            raise FileFormatError(name, f"entry {key!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileFormatError(name, f"entry {key!r} uses an unknown compression")
        members[key] = info
    return members


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, key: str, name: str) -> np.ndarray:
    with archive.open(info) as stream:
        data = stream.read(info.file_size + 1)
    if len(data) != info.file_size:
        raise FileFormatError(name, f"entry {key!r} is cut short")
    if data[:6] != b"\x93NUMPY" or len(data) < 12 or data[6] not in (1, 2, 3):
        raise FileFormatError(name, f"entry {key!r} is not an array")
    start = 10 if data[6] == 1 else 12
    end = start + int.from_bytes(data[8:start], "little")
    header = data[start : min(end, start + 10_000)].decode("latin-1")
    descr, order, shape = _DESCR.search(header), _ORDER.search(header), _SHAPE.search(header)
    if descr is None or order is None or shape is None or end > len(data):
        raise FileFormatError(name, f"entry {key!r} has a header of an unknown form")
    if descr[2] == "O":
        raise FileFormatError(name, f"entry {key!r} holds pickled Python objects, which are never read")
    if descr[2] not in _KINDS:
        raise FileFormatError(name, f"entry {key!r} has the unsupported type {descr[2]}{descr[3]}")
    sizes = tuple(int(n.rstrip("L")) for n in shape[1].replace(" ", "").split(",") if n)
    if len(sizes) > _MAX_DIMENSIONS:
        raise FileFormatError(name, f"entry {key!r} has {len(sizes)} dimensions")
    try:
        dtype = np.dtype("".join(descr.groups()))
    except TypeError as error:
        raise FileFormatError(name, f"entry {key!r} has the unsupported type {descr[2]}{descr[3]}") from error
    count = math.prod(sizes)
    if count * dtype.itemsize != len(data) - end or (dtype.itemsize == 0 and count > 1):
        raise FileFormatError(name, f"entry {key!r} declares shape {sizes} of {dtype}, which is not the "
                              f"{len(data) - end} bytes it holds")  # fmt: skip
    if count == 0 or dtype.itemsize == 0:
        return np.zeros(sizes, dtype)
    if dtype.kind == "b":  # any byte but 0 counts as true; numpy trusts them to be 0 or 1
        flat = np.frombuffer(data, np.uint8, offset=end) != 0
    else:
        flat = np.frombuffer(data, dtype, offset=end).astype(dtype.newbyteorder("="))
    return flat.reshape(sizes, order="F" if order[1] == "True" else "C")


def write(arrays: Mapping[str, np.ndarray], compress: bool = False) -> bytes:
    """The bytes of an .npz file; the same arrays always give the same bytes."""
    out = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", how) as archive:
        for key, array in arrays.items():
            info = zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = how
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            archive.writestr(info, member.getvalue())
    return out.getvalue()


def pack_meta(meta: Mapping[str, Any]) -> np.ndarray:
    """A JSON object as the array that holds it.

    Raises:
        InvalidRequestError: a value that JSON cannot hold (NaN and infinity are none either).
    """
    try:
        text = json.dumps(meta, allow_nan=False, default=_plain, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError("meta", f"cannot be written as JSON ({error})") from error
    return np.array(text)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} {str(value)[:80]!r} is no JSON value")


def unpack_meta(array: np.ndarray, name: str) -> dict[str, Any]:
    """The JSON object in the entry ``meta``.

    Raises:
        FileFormatError: not text, too long, not JSON, or not an object.
    """
    if array.shape != () or array.dtype.kind not in "US" or array.dtype.itemsize > MAX_META_BYTES:
        raise FileFormatError(name, "entry 'meta' must be one JSON text of reasonable length")
    text = array.item()
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # JSON and text decoding errors are ValueErrors
        raise FileFormatError(name, f"entry 'meta' is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise FileFormatError(name, "entry 'meta' must be a JSON object")
    return cast("dict[str, Any]", value)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number")
