"""The text of a BVH file, taken apart: joints with their channels, and a table of numbers.

:mod:`.bvh` makes motion of it; here are words, braces and line numbers only.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass, field

import numpy as np

from .errors import FileFormatError
from .rotations import Array

LARGEST = 1e12
"""Numbers beyond this are damage; their squares would overflow further on."""

_CHANNEL = re.compile(r"([xyz])(position|rotation)", re.IGNORECASE)
_FRAMES = re.compile(r"^frames\s*:?\s*(\S+)$", re.IGNORECASE)
_FRAME_TIME = re.compile(r"^frame\s*time\s*:?\s*(\S+)$", re.IGNORECASE)


@dataclass
class Joint:
    """One ROOT or JOINT block.

    Attributes:
        parent: index of the block around it, -1 for a ROOT.
        line: where it begins in the file.
        offset, tip: its OFFSET and its End Site's, in file units; None where there is none.
        channels: as listed, ``"xr"`` for Xrotation, ``"yp"`` for Yposition.
    """

    name: str
    parent: int
    line: int
    offset: tuple[float, ...] | None = None
    tip: tuple[float, ...] | None = None
    channels: list[str] = field(default_factory=list)


def read_hierarchy(text: str, path: str) -> list[Joint]:
    """The joints, parents first. Read word by word, since braces may stand anywhere."""
    joints: list[Joint] = []
    stack: list[int] = []  # open blocks; -1 is an End Site, whose joint is below it
    opening: int | None = None  # a joint or End Site that waits for its brace
    line = 0
    for line, row in enumerate(text.split("\n"), 1):
        words = row.replace("{", " { ").replace("}", " } ").split()
        while words:
            word = words.pop(0).upper()
            if word == "HIERARCHY":
                continue
            if word == "{":
                if opening is None:
                    raise FileFormatError(path, "a brace that opens nothing", line)
                stack.append(opening)
                opening = None
            elif opening is not None:
                raise FileFormatError(path, f"expected an opening brace, found {word!r}", line)
            elif word == "}":
                if not stack:
                    raise FileFormatError(path, "a closing brace too many", line)
                stack.pop()
            elif word in ("ROOT", "JOINT"):
                _start_joint(joints, stack, word, _words_before_brace(words), path, line)
                opening = len(joints) - 1
            elif word == "END":
                _words_before_brace(words)
                if not stack or stack[-1] < 0:
                    raise FileFormatError(path, "an End Site outside a joint", line)
                opening = -1
            elif word == "OFFSET":
                _read_offset(joints, stack, words, path, line)
            elif word == "CHANNELS":
                _read_channels(joints, stack, words, path, line)
            else:
                raise FileFormatError(path, f"unknown word {word!r} in the hierarchy", line)
    if stack or opening is not None:
        raise FileFormatError(path, "the hierarchy's braces are not closed", line)
    if not joints:
        raise FileFormatError(path, "no ROOT in the hierarchy", line)
    return joints


def _words_before_brace(words: list[str]) -> str:
    """Takes words up to a brace or the line's end: names may hold spaces."""
    end = next((i for i, w in enumerate(words) if w in "{}"), len(words))
    taken, words[:] = words[:end], words[end:]
    return " ".join(taken)


def _start_joint(joints: list[Joint], stack: list[int], word: str, name: str, path: str, line: int) -> None:
    if (word == "ROOT") != (not stack) or (stack and stack[-1] < 0):
        where = "inside another joint" if stack else "outside a ROOT"
        raise FileFormatError(path, f"{word} {name} {where}", line)
    if not name:
        raise FileFormatError(path, f"{word} without a name", line)
    joints.append(Joint(name, stack[-1] if stack else -1, line))


def _read_offset(joints: list[Joint], stack: list[int], words: list[str], path: str, line: int) -> None:
    if not stack:
        raise FileFormatError(path, "OFFSET outside a joint", line)
    try:
        offset = tuple(float(w) for w in words[:3])
    except ValueError:
        raise FileFormatError(path, f"OFFSET {' '.join(words[:3])}: not numbers", line) from None
    del words[:3]
    if len(offset) != 3 or not all(abs(x) < LARGEST for x in offset):
        raise FileFormatError(path, f"OFFSET needs three finite numbers, has {offset}", line)
    if stack[-1] >= 0:
        joints[stack[-1]].offset = offset
    elif joints[stack[-2]].tip is None:  # a second End Site of one joint has no place in a Skeleton
        joints[stack[-2]].tip = offset


def _read_channels(joints: list[Joint], stack: list[int], words: list[str], path: str, line: int) -> None:
    if not words or not words[0].isdigit():
        raise FileFormatError(path, "CHANNELS without a number", line)
    count = int(words.pop(0))
    names, words[:] = words[:count], words[count:]
    if len(names) != count:
        raise FileFormatError(path, f"CHANNELS announces {count} channels and names {len(names)}", line)
    if not stack or (stack[-1] < 0 and count):
        raise FileFormatError(path, "CHANNELS outside a joint", line)
    if not count:
        return
    channels = []
    for name in names:
        match = _CHANNEL.fullmatch(name)
        if match is None:
            raise FileFormatError(path, f"unknown channel {name!r}", line)
        channels.append((match[1] + match[2][0]).lower())
    if len(set(channels)) != len(channels) or joints[stack[-1]].channels:
        raise FileFormatError(path, "a channel occurs twice in one joint", line)
    joints[stack[-1]].channels = channels


def read_motion(text: str, at: int, line: int, joints: list[Joint], path: str) -> tuple[Array, str, int]:
    """Channel values ``(frames, channels)``, the frame time as written, and its line.

    Args:
        at, line: where the text after the word MOTION begins, and its line number.
    """
    declared = frame_time = None
    count_line = time_line = line
    while declared is None or frame_time is None:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        row = text[at:end].strip()
        if match := _FRAMES.match(row):
            declared, count_line = match[1], line
        elif match := _FRAME_TIME.match(row):
            frame_time, time_line = match[1], line
        elif row or end == len(text):
            missing = "Frames:" if declared is None else "Frame Time:"
            raise FileFormatError(path, f"expected '{missing}', found {row[:40]!r}", line)
        at, line = end + 1, line + 1
    if not declared.isdigit():
        raise FileFormatError(path, f"Frames: {declared[:40]} is not a count", count_line)
    columns = sum(len(j.channels) for j in joints)
    if columns == 0:
        raise FileFormatError(path, "no joint has a channel", line)
    values = _read_numbers(text[at:], line, columns, path)
    frames, wanted = len(values), int(declared[:19])
    if frames == 0:
        raise FileFormatError(path, "no frames", line)
    if wanted - frames > 1:  # one off is a known slip of exporters, more is lost motion
        raise FileFormatError(path, f"cut short: {wanted} frames are announced, {frames} are there",
                              count_line)  # fmt: skip
    return values, frame_time, time_line


def _read_numbers(block: str, line: int, columns: int, path: str) -> Array:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # how old numpy reports leftovers
            flat = np.fromstring(block, np.float64, sep=" ") if block.strip() else np.zeros(0)
        good = flat.size % columns == 0 and bool((np.abs(flat) < LARGEST).all())  # not so for NaN
    except (ValueError, DeprecationWarning):
        good, flat = False, np.zeros(0)
    if not good:
        raise _diagnose(block, line, columns, path)
    return flat.reshape(-1, columns)


def _diagnose(block: str, line: int, columns: int, path: str) -> FileFormatError:
    """Which line the fast reader stumbled over; only run once something is wrong."""
    number, odd = line, None
    for number, row in enumerate(block.split("\n"), line):
        words = row.split()
        for word in words:
            try:
                value = float(word)
            except ValueError:
                return FileFormatError(path, f"{word[:40]!r} is not a number", number)
            if not math.isfinite(value):
                return FileFormatError(path, f"{word[:40]} is not a finite number", number)
            if abs(value) >= LARGEST:
                return FileFormatError(path, f"{word[:40]} is out of all proportion", number)
        if words and len(words) != columns and odd is None:
            odd = FileFormatError(path, f"{len(words)} numbers in a frame of {columns} channels", number)
    return odd or FileFormatError(path, "the motion cannot be read", number)
