"""In-betweening a BVH file: any humanoid skeleton in, the same file with the gaps filled out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.motion import bone_maps, bvh, constraints, retarget
from blender_addon.motion.anchor import anchor
from blender_addon.motion.bvh_rewrite import rewrite
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import InvalidRequestError

from .service import Service

CONTEXT_SECONDS = 1.0
"""How much of what lies before the first key and after the last is shown to the model."""


@dataclass(frozen=True)
class Filled:
    """What was done.

    Attributes:
        paths: the files written, one a variation.
        filled, kept: how many frames are new, and how many are as they were.
        report: the result's.
    """

    paths: tuple[Path, ...]
    filled: int
    kept: int
    report: Mapping[str, Any]


def inbetween_file(
    source: Path,
    keys: Sequence[int],
    target: Path,
    service: Service,
    progress: Callable[[int, int], None],
    *,
    fps: float | None = None,
    **settings: Any,
) -> Filled:
    """Fill in the frames between ``keys``; all others stay as they are, character by character.

    Args:
        source: the file to read; its frames between the keys are ignored.
        keys: frame numbers from 0, at least two.
        target: the file to write; further variations go to ``<name>-2.bvh`` and so on.
        fps: the file's frames per second, where its Frame Time is wrong; None: believe it.
        settings: ``seed``, ``variations``, ``system``, ``bundle``.

    Raises:
        InvalidRequestError: a key that is not in the file, or fewer than two.
        FileFormatError, MappingError: the file is not a BVH, or not of a body.
    """
    # 1. the file, its character, and which frames are to be filled
    clip = bvh.load(source)
    scale = float(clip.metadata["scale"])
    clip = clip if fps is None else replace(clip, fps=fps)
    changed = gaps(len(clip), keys)
    rig = retarget.make_rig(clip.skeleton, bone_maps.find(clip.skeleton), clip)
    # 2. the part that matters, on the canonical skeleton
    context = round(CONTEXT_SECONDS * clip.fps)
    part = slice(max(min(keys) - context, 0), max(keys) + context + 1)
    before = clip.slice(part.start, part.stop)
    known = ~changed[part]
    request = constraints.inbetween(retarget.to_canonical(before, rig), np.flatnonzero(known), **settings)
    # 3. the model
    result = service.run(request, progress)
    # 4. back onto the file's bones, exactly onto the frames that are kept
    base = _held(before, known)
    paths = []
    text = bvh.decode(source.read_bytes(), str(source))
    for number, variation in enumerate(result.clips, 1):
        moved = anchor(retarget.from_canonical(variation, rig, base), before, known)
        whole = _put(clip, moved, part)
        path = target if number == 1 else target.with_stem(f"{target.stem}-{number}")
        path.write_text(rewrite(text, whole, changed, scale, str(source)), encoding="utf-8", newline="")
        paths.append(path)
    return Filled(tuple(paths), int(changed.sum()), int((~changed).sum()), result.report)


def gaps(frames: int, keys: Sequence[int]) -> np.ndarray:
    """Which frames lie between keys without being one. ``(frames,)`` boolean.

    Raises:
        InvalidRequestError: fewer than two keys, or a key outside the frames.
    """
    wanted = sorted(set(keys))
    if len(wanted) < 2:
        raise InvalidRequestError("keys", f"{len(wanted)} keyed frame", "Name at least two, such as 0,30.")
    if wanted[0] < 0 or wanted[-1] >= frames:
        outside = wanted[0] if wanted[0] < 0 else wanted[-1]
        problem = f"frame {outside} is not in the file"
        raise InvalidRequestError("keys", problem, f"It has frames 0 to {frames - 1}.")
    changed = np.zeros(frames, bool)
    changed[wanted[0] : wanted[-1]] = True
    changed[wanted] = False
    return changed


def _held(clip: Clip, known: np.ndarray) -> Clip:
    """Every bone interpolated between the known frames, which is what bones without a role do."""
    return anchor(clip.sample(np.zeros(len(clip))), clip, known)


def _put(clip: Clip, part: Clip, where: slice) -> Clip:
    """``clip`` with ``part`` in place of the frames ``where``."""
    rotations, root = clip.rotations.copy(), clip.root_positions.copy()
    rotations[where], root[where] = part.rotations, part.root_positions
    moved = clip.local_translations().copy() if part.translations is not None else clip.translations
    if moved is not None and part.translations is not None:
        moved[where] = part.translations
    return replace(clip, rotations=rotations, root_positions=root, translations=moved)
