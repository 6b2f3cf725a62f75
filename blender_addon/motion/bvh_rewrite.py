"""Some frames of a BVH file replaced, everything else left as it was written, character by character."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike

from . import rotations
from .bvh_text import Joint, read_hierarchy
from .clip import Clip
from .errors import FileFormatError, InvalidRequestError
from .rotations import Array

_MOTION = re.compile(r"^[ \t]*MOTION[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_FRAME_TIME = re.compile(r"^[ \t]*frame\s*time\s*:?\s*\S+[ \t]*\r?(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)
_COUNT = re.compile(r"^[ \t]*frames\s*:?\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_DECIMALS = 6


def rewrite(
    text: str,
    clip: Clip,
    changed: ArrayLike,
    scale: float,
    name: str = "bvh",
    moved: ArrayLike | None = None,
) -> str:
    """The text of a BVH file with some frames' numbers replaced by a clip's.

    Args:
        text: the file, one that :func:`.bvh.parse` reads.
        clip: what it is to hold: its joints in its order, identity rest orientations, metres.
        changed: ``(F,)`` boolean, the frames to replace, or ``(F, J)``, the joints to replace in them.
        moved: ``(F, J)``, the joints whose positions are to be replaced; None: of all that are changed.
        scale: metres per unit of the file.
        name: what errors call it.

    Returns:
        The text. Header, line ends and all that is not ``changed`` are the same characters as
        before. A joint with fewer than three rotation channels gets the part of the
        rotation that they can hold.

    Raises:
        FileFormatError: not a BVH file.
        InvalidRequestError: the clip's joints or length are not the file's.
    """
    start = _MOTION.search(text)
    rate = _FRAME_TIME.search(text, start.end()) if start else None
    if start is None or rate is None:
        raise FileFormatError(name, "not a BVH file: no MOTION section")
    joints = read_hierarchy(
        text[: start.start()].replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff"), name
    )
    if len(joints) != len(clip.skeleton):
        raise InvalidRequestError("clip", f"{len(clip.skeleton)} joints, {name} has {len(joints)}")
    rows = _rows(text[rate.end() :], sum(len(j.channels) for j in joints), name)
    turned = np.asarray(changed, bool)
    if turned.shape not in ((len(clip),), (len(clip), len(joints))) or len(rows) != len(clip):
        raise InvalidRequestError("clip", f"{len(clip)} frames, {name} has {len(rows)}")
    turned = np.broadcast_to(turned.reshape(len(clip), -1), (len(clip), len(joints)))
    placed = turned if moved is None else np.asarray(moved, bool)
    written = np.array([[float(word) for word in row.split()] for row in rows])
    table, replaced = _table(joints, clip, scale, written, turned, placed)
    for frame in np.flatnonzero(replaced.any(1)):
        rows[frame] = _row(rows[frame], table[frame] + 0.0, replaced[frame])
    line_end = "\r\n" if "\r\n" in text else "\n"
    return text[: rate.end()] + line_end.join(rows) + line_end


def lengthened(text: str, frames: int, name: str = "bvh") -> str:
    """The text of a BVH file with its last frame ``frames`` times more; all before stays as it was written.

    Raises:
        FileFormatError: not a BVH file.
    """
    start = _MOTION.search(text)
    rate = _FRAME_TIME.search(text, start.end()) if start else None
    count = _COUNT.search(text, start.end(), rate.start()) if start and rate else None
    if start is None or rate is None or count is None:
        raise FileFormatError(name, "not a BVH file: no MOTION section")
    head = text[: start.start()].replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    rows = _rows(text[rate.end() :], sum(len(j.channels) for j in read_hierarchy(head, name)), name)
    line_end = "\r\n" if "\r\n" in text else "\n"
    counted = f"{text[: count.start(1)]}{len(rows) + frames}{text[count.end(1) : rate.end()]}"
    return counted + line_end.join(rows + rows[-1:] * frames) + line_end


def _row(row: str, values: Array, replaced: np.ndarray) -> str:
    """One frame's line with some of its numbers replaced; the others, and what is between, as written."""
    if replaced.all():
        return " ".join(f"{value:.{_DECIMALS}f}" for value in values)
    parts = re.split(r"(\s+)", row)
    words = [n for n, part in enumerate(parts) if part.strip()]
    for column in np.flatnonzero(replaced):
        parts[words[column]] = f"{values[column]:.{_DECIMALS}f}"
    return "".join(parts)


def _rows(block: str, columns: int, name: str) -> list[str]:
    """One text a frame, as written; frames wrapped over several lines are joined with blanks."""
    lines = [line for line in (part.strip("\r") for part in block.split("\n")) if line.strip()]
    if all(len(line.split()) == columns for line in lines):
        return lines
    words = block.split()
    if len(words) % columns:
        raise FileFormatError(
            name, f"{len(words)} numbers are no whole number of frames of {columns} channels"
        )
    return [" ".join(words[i : i + columns]) for i in range(0, len(words), columns)]


def _table(
    joints: list[Joint], clip: Clip, scale: float, written: Array, turned: np.ndarray, placed: np.ndarray
) -> tuple[Array, np.ndarray]:
    """Channel values ``(F, columns)`` and which of them are new; angles run on from the frame before,
    without jumps of 360."""
    table, replaced = written.copy(), np.zeros(written.shape, bool)
    places = clip.local_translations() / scale
    column = 0
    for j, joint in enumerate(joints):
        turns: list[tuple[str, int]] = []
        for channel in joint.channels:
            if channel[1] == "p":
                values = places[:, j, "xyz".index(channel[0])]
                table[placed[:, j], column] = values[placed[:, j]]
                replaced[:, column] = placed[:, j]
            else:
                turns.append((channel[0].upper(), column))
                replaced[:, column] = turned[:, j]
            column += 1
        if turns and turned[:, j].any():
            order = "".join(axis for axis, _ in turns)
            order += "".join(axis for axis in "XYZ" if axis not in order)
            angles = np.degrees(rotations.to_euler(clip.rotations[:, j], order))
            _run_on(table, [c for _, c in turns], angles, turned[:, j])
    return table, replaced


def _run_on(table: Array, columns: list[int], angles: Array, changed: np.ndarray) -> None:
    """Write ``angles (F, 3)`` into ``table`` at changed frames, each nearest to the frame before.

    Every orientation has two sets of angles: ``(a, b, c)`` and ``(a + 180, 180 - b, c + 180)``.
    """
    other = np.stack([angles[:, 0] + 180, 180 - angles[:, 1], angles[:, 2] + 180], -1)
    for frame in np.flatnonzero(changed):
        near = table[frame - 1, columns] if frame else angles[frame, : len(columns)]
        best = None
        for candidate in (angles[frame], other[frame]) if len(columns) == 3 else (angles[frame],):
            turned = candidate[: len(columns)]
            turned = turned - 360 * np.round((turned - near) / 360)
            if best is None or np.abs(turned - near).sum() < np.abs(best - near).sum() - 1e-9:
                best = turned
        table[frame, columns] = best
