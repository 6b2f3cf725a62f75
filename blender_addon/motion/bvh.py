"""BVH in and out: any skeleton, any channels, the dialects people meet.

What differs between programs, and what is done about it:

- Channels of a joint may be any of the six, in any order. Rotation channels are multiplied in the
  order in which they are listed, which is our Euler order string. **Position channels replace the
  joint's OFFSET** (Blender, MotionBuilder, LAFAN1, Bandai Namco), the root's included; an axis
  without a channel keeps its offset.
- Keywords in any case, tabs, CRLF or CR, a byte order mark, Latin-1 or UTF-16 bytes, blank lines,
  braces on the keyword's line, names with spaces or namespaces, names that occur twice (the later
  ones get ``_2``, ``_3``), several ROOTs (each becomes a root of the skeleton), frames wrapped over
  several lines, a frame count that is one off or too small (the frames that are there count).
- ``Frame Time`` is rounded by every writer: 0.033333 is read as 30 fps.

A file that is damaged raises :class:`FileFormatError` with its path and line.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from . import kinematics, rotations
from .bvh_text import Joint, read_hierarchy, read_motion
from .clip import Clip
from .errors import FileFormatError, InvalidRequestError
from .rotations import Array
from .skeleton import Skeleton

MAX_BYTES = 1 << 30
"""Largest file that is read."""
AT_ONCE = 4096
"""Frames that are worked on at once when a file is written."""

_SAME = 1e-6  # metres; position channels this close to the offsets say nothing
_MOTION = re.compile(r"^[ \t]*MOTION[ \t]*$", re.IGNORECASE | re.MULTILINE)
_SCALES = (1.0, 0.01, 0.001, 0.0254 / 0.45)  # m, cm, mm, CMU's (inches over ASF length 0.45)


def load(path: str | os.PathLike[str], scale: float | None = None) -> Clip:
    """Read a BVH file.

    Args:
        path: the file.
        scale: metres per unit of the file (0.01 for centimetres). BVH does not say, and one library
            mixes several (CMU's does), so None takes it from the skeleton's size, see
            :func:`guess_scale`.

    Returns:
        A clip whose skeleton has identity rest orientations, positions in metres, End Sites in
        ``skeleton.tips``; ``metadata`` holds ``source``, ``scale`` and ``frame_time``.

    Raises:
        FileFormatError: not a BVH file, cut short, no frames, or a number that is none.
        OSError: the file cannot be opened.
    """
    size = os.stat(path).st_size
    if size > MAX_BYTES:
        raise FileFormatError(str(path), f"{size} bytes, at most {MAX_BYTES} are read")
    clip = parse(decode(Path(path).read_bytes(), str(path)), str(path), scale)
    return replace(clip, name=Path(path).stem)


def parse(text: str, name: str = "bvh", scale: float | None = None) -> Clip:
    """Read a BVH from text; ``name`` stands for the path in errors. See :func:`load`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    found = _MOTION.search(text)
    if found is None:
        line = text.count("\n") + 1
        if re.match(r"\s*HIERARCHY\b", text, re.IGNORECASE):
            raise FileFormatError(name, "ends without a MOTION section; it is cut short", line)
        problem = "not a BVH file: no HIERARCHY and MOTION" if text.strip() else "empty"
        raise FileFormatError(name, problem, 1)
    joints = read_hierarchy(text[: found.start()], name)
    first = text.count("\n", 0, found.end()) + 1
    values, frame_time, time_line = read_motion(text, found.end(), first, joints, name)
    skeleton = _skeleton(joints, name)
    if scale is None:
        scale = guess_scale(skeleton)
    if not (math.isfinite(scale) and scale > 0):
        raise InvalidRequestError("scale", f"{scale} is not a number of metres per unit")
    fps = _rate(frame_time, name, time_line)
    return _clip(joints, skeleton, values, fps, frame_time, scale, name)


def guess_scale(skeleton: Skeleton) -> float:
    """Metres per unit, from a skeleton in file units: the unit that makes it most like an adult.

    Measured is the longest chain from the root's first branching to a tip, about 1.1 m in an adult
    (pelvis to fingers or toes); candidates are m, cm, mm and CMU's 0.0564 m. Inches are none: they
    lie too close to centimetres to tell a tall figure in one from a child in the other.
    """
    bones = np.linalg.norm(skeleton.offsets, axis=-1)
    # A root bone on the floor or a hip placed in the world is no part of the body's length.
    start = next((j for j in range(len(skeleton)) if len(skeleton.children(j)) > 1), 0)
    length = np.zeros(len(skeleton))
    for j in range(start + 1, len(skeleton)):
        if skeleton.parents[j] >= start:
            length[j] = length[skeleton.parents[j]] + bones[j]
    tips = np.nan_to_num(np.linalg.norm(skeleton.tips, axis=-1))
    longest = float((length + tips).max())
    if longest <= 0:
        return 0.01
    return min(_SCALES, key=lambda s: abs(math.log(longest * s / 1.1)))


# -- reading -----------------------------------------------------------------------------------


def decode(data: bytes, path: str) -> str:
    """The text of a file in any of the encodings that programs write; ``path`` for errors."""
    try:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in data:
            raise FileFormatError(path, "not a text file", 1) from None
        return data.decode("latin-1")  # MotionBuilder and old Biped exporters write it


def _skeleton(joints: list[Joint], path: str) -> Skeleton:
    """Joints to a Skeleton in file units, names made unique."""
    taken: set[str] = set()
    written = {j.name for j in joints}
    names = []
    for joint in joints:
        name, n = joint.name, 1
        while name in taken or (n > 1 and name in written):
            n += 1
            name = f"{joint.name}_{n}"
        taken.add(name)
        names.append(name)
        if joint.offset is None:
            raise FileFormatError(path, f"joint {joint.name!r} has no OFFSET", joint.line)
    tips = np.array([(math.nan,) * 3 if j.tip is None else j.tip for j in joints])
    return Skeleton(tuple(names), np.array([j.parent for j in joints]),
                    np.array([j.offset for j in joints]), tips=tips)  # fmt: skip


def _clip(joints: list[Joint], skeleton: Skeleton, values: Array, fps: float, frame_time: str,
          scale: float, path: str) -> Clip:  # fmt: skip
    frames, n = len(values), len(joints)
    skeleton = Skeleton(
        skeleton.names, skeleton.parents, skeleton.offsets * scale, tips=skeleton.tips * scale
    )
    moved = np.broadcast_to(skeleton.offsets, (frames, n, 3)).copy()
    turned = rotations.identity((frames, n))
    groups: dict[str, list[tuple[int, list[int]]]] = {}  # rotation order -> joints and columns
    column = 0
    for j, joint in enumerate(joints):
        turns = []
        for channel in joint.channels:
            if channel[1] == "p":
                moved[:, j, "xyz".index(channel[0])] = values[:, column] * scale
            else:
                turns.append((channel[0], column))
            column += 1
        if turns:
            order = "".join(axis for axis, _ in turns)
            groups.setdefault(order, []).append((j, [c for _, c in turns]))
    for order, members in groups.items():
        angles = np.radians(values[:, [columns for _, columns in members]])  # (F, members, turns)
        missing = [axis for axis in "xyz" if axis not in order]  # absent axes turn by 0, anywhere
        angles = np.concatenate([angles, np.zeros((*angles.shape[:2], len(missing)))], -1)
        euler = (order + "".join(missing)).upper()
        turned[:, [j for j, _ in members]] = rotations.from_euler(angles, euler)
    same = n == 1 or np.abs(moved[:, 1:] - skeleton.offsets[1:]).max() <= _SAME
    facts = {"source": path, "scale": scale, "frame_time": frame_time}
    return Clip(skeleton, turned, moved[:, 0].copy(), fps, None if same else moved,
                name=path, metadata=facts)  # fmt: skip


def _rate(frame_time: str, path: str, line: int) -> float:
    """Frames per second; a whole number, or one of three decimals, if rounding explains the rest."""
    try:
        seconds = float(frame_time)
    except ValueError:
        raise FileFormatError(path, f"Frame Time: {frame_time[:40]} is not a number", line) from None
    if not (math.isfinite(seconds) and 1e-4 <= seconds <= 1e6):
        raise FileFormatError(path, f"Frame Time: {frame_time} is not a time between two frames", line)
    mantissa, _, exponent = frame_time.lower().partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent or 0)
    for fps in (round(1 / seconds), round(1 / seconds, 3)):
        if fps and abs(1 / fps - seconds) <= 10.0**-digits:
            return float(fps)
    return 1 / seconds


# -- writing -----------------------------------------------------------------------------------


def save(
    path: str | os.PathLike[str],
    clip: Clip,
    scale: float = 100.0,
    order: str = "ZXY",
    positions: bool | None = None,
) -> None:
    """Write a BVH file. See :func:`format` for the arguments."""
    found = _lines(clip, scale, order, positions)  # says what is wrong before the file is touched
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in found)


def format(clip: Clip, scale: float = 100.0, order: str = "ZXY",  # noqa: A001  the module is the namespace
           positions: bool | None = None) -> str:  # fmt: skip
    """A clip as BVH text.

    BVH has no rest orientations: where the skeleton has some, the motion is written for axes that
    are the world's at rest. Positions, and orientations relative to rest, stay what they are.

    Args:
        clip: any skeleton, at least one frame.
        scale: units of the file per metre (100: centimetres).
        order: Euler order of the rotation channels, as they are listed.
        positions: position channels for every joint; None: only where the clip has translations.

    Raises:
        InvalidRequestError: no frames, or a scale or order that is none.
    """
    return "\n".join(_lines(clip, scale, order, positions)) + "\n"


def _lines(clip: Clip, scale: float, order: str, positions: bool | None) -> Iterator[str]:
    """The lines of a BVH; a long take is never all text at once."""
    if len(clip) == 0:
        raise InvalidRequestError("clip", "no frames to write")
    if not (math.isfinite(scale) and scale > 0):
        raise InvalidRequestError("scale", f"{scale} is not a number of units per metre")
    if order not in rotations.EULER_ORDERS:
        raise InvalidRequestError("order", f"{order!r} is none of {', '.join(rotations.EULER_ORDERS)}")
    everywhere = clip.translations is not None if positions is None else positions
    s = _without_rest_rotations(clip.slice(0, 1)).skeleton
    # A further root has its own place in the world, and its channels have to say where.
    placed = np.array([everywhere or j == 0 for j in range(len(s))])
    lines = _hierarchy_lines(s, scale, order, placed)
    lines += ["MOTION", f"Frames: {len(clip)}", f"Frame Time: {1 / clip.fps:.10f}"]
    return chain(lines, _rows(clip, scale, order, placed))


def _rows(clip: Clip, scale: float, order: str, placed: np.ndarray) -> Iterator[str]:
    """A line a frame, some frames after the other."""
    last = np.zeros((0, len(placed), 3))
    for at in range(0, len(clip), AT_ONCE):
        part = _without_rest_rotations(clip.slice(at, at + AT_ONCE))
        turned = np.unwrap(np.concatenate([last, rotations.to_euler(part.rotations, order)]), axis=0)[
            len(last) :
        ]
        last, angles = turned[-1:], np.degrees(turned)
        moved = part.local_translations() * scale
        columns = []
        for j in _depth_first(part.skeleton):
            if placed[j]:
                columns.append(moved[:, j])
            columns.append(angles[:, j])
        table = np.concatenate(columns, -1) + 0.0  # + 0.0 turns -0 into 0
        row = " ".join(["%.6f"] * table.shape[1])
        yield from (row % tuple(frame) for frame in table.tolist())


def _without_rest_rotations(clip: Clip) -> Clip:
    """The same motion for a skeleton whose rest orientations are the identity."""
    s = clip.skeleton
    if np.array_equal(s.rest_rotations, rotations.identity(len(s))):
        return clip
    rest, _ = s.rest_global()
    parent = np.where((s.parents < 0)[:, None], rotations.IDENTITY, rest[np.maximum(s.parents, 0)])
    straight = Skeleton(
        s.names, s.parents, rotations.rotate(parent, s.offsets), tips=rotations.rotate(rest, s.tips)
    )
    turned, _ = clip.forward()
    local = kinematics.local_rotations(s.parents, rotations.multiply(turned, rotations.inverse(rest)))
    moved = None if clip.translations is None else rotations.rotate(parent, clip.translations)
    return replace(clip, skeleton=straight, rotations=local, translations=moved)


def _depth_first(skeleton: Skeleton) -> list[int]:
    """Joints in the order in which their blocks are written."""
    out: list[int] = []
    waiting = [int(j) for j in np.flatnonzero(skeleton.parents < 0)][::-1]
    while waiting:
        out.append(waiting.pop())
        waiting += skeleton.children(out[-1])[::-1]
    return out


def _hierarchy_lines(s: Skeleton, scale: float, order: str, placed: np.ndarray) -> list[str]:
    depth = {-1: -1}
    lines, open_blocks = ["HIERARCHY"], []

    def close(until: int) -> None:
        while open_blocks and open_blocks[-1] >= until:
            lines.append("\t" * open_blocks.pop() + "}")

    offsets, tips = s.offsets * scale + 0.0, s.tips * scale + 0.0
    turns = " ".join(f"{axis}rotation" for axis in order)
    for j in _depth_first(s):
        depth[j] = level = depth[int(s.parents[j])] + 1
        close(level)
        tab = "\t" * level
        name = re.sub(r"[{}\s]+", " ", s.names[j]).strip() or f"joint_{j}"
        lines += [f"{tab}{'JOINT' if level else 'ROOT'} {name}", tab + "{"]
        open_blocks.append(level)
        lines.append("{}\tOFFSET {:.6f} {:.6f} {:.6f}".format(tab, *offsets[j]))
        where = "6 Xposition Yposition Zposition" if placed[j] else "3"
        lines.append(f"{tab}\tCHANNELS {where} {turns}")
        if np.isfinite(tips[j]).all():
            lines += [f"{tab}\tEnd Site", f"{tab}\t{{",
                      "{}\t\tOFFSET {:.6f} {:.6f} {:.6f}".format(tab, *tips[j]), f"{tab}\t}}"]  # fmt: skip
    close(0)
    return lines
