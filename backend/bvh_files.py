"""BVH files: any humanoid skeleton in, the same file with what was asked for filled in or cleaned out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.motion import bone_maps, bvh, carry, constraints, parts, retarget
from blender_addon.motion.anchor import anchor
from blender_addon.motion.bvh_rewrite import rewrite
from blender_addon.motion.bvh_text import read_hierarchy
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import InvalidRequestError
from blender_addon.motion.placing import placed
from blender_addon.motion.skeleton import INDEX, JOINTS

from .service import Service

CONTEXT_SECONDS = 1.0
"""How much of what lies before the first key and after the last is shown to the model."""
CAPTURED_CONTEXT_SECONDS = 2.0
"""The same around the frames to complete or to refine, where every frame says something."""


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


def captured_file(
    source: Path,
    target: Path,
    service: Service,
    progress: Callable[[int, int], None],
    *,
    joints: Sequence[str],
    frames: tuple[int, int] | None = None,
    confidence: float | None = None,
    prompt: str | None = None,
    fps: float | None = None,
    **settings: Any,
) -> Filled:
    """Complete, refine or edit some joints over some frames; every other number stays as it is written.

    Args:
        source: the file to read.
        target: the file to write; further variations go to ``<name>-2.bvh`` and so on.
        joints: names of joints or parts of the body (:mod:`blender_addon.motion.parts`).
        frames: first and last frame, from 0; None: all.
        confidence: None: the joints are missing there, complete them; a number from 0 to 1: refine them,
            trusting them so far.
        prompt: what they are to do instead ("": anything that fits); None: this is no edit.
        fps: the file's frames per second, where its Frame Time is wrong; None: believe it.
        settings: ``seed``, ``variations``, ``system``, ``bundle``.

    Raises:
        InvalidRequestError: frames that are not in the file, or joints that it does not have.
        FileFormatError, MappingError: the file is not a BVH, or not of a body.
    """
    # 1. the file, its character, and what is asked for
    clip = bvh.load(source)
    text = bvh.decode(source.read_bytes(), str(source))
    scale = float(clip.metadata["scale"])
    clip = clip if fps is None else replace(clip, fps=fps)
    start, end = (0, len(clip) - 1) if frames is None else frames
    if not 0 <= start <= end < len(clip):
        problem = f"{start}:{end} is not in the file"
        raise InvalidRequestError("frames", problem, f"It has frames 0 to {len(clip) - 1}.")
    rig = retarget.make_rig(clip.skeleton, bone_maps.find(clip.skeleton), clip)
    asked, bones = _asked(rig, joints)
    pelvis = rig.bones.first("pelvis")
    place = pelvis if pelvis in bones and _has_place(text, pelvis, str(source)) else None
    # 2. the part that matters, on the canonical skeleton
    around = round(CAPTURED_CONTEXT_SECONDS * clip.fps)
    part = slice(max(start - around, 0), min(end + around + 1, len(clip)))
    inside = np.zeros(part.stop - part.start, bool)
    inside[start - part.start : end + 1 - part.start] = True
    wanted = inside[:, None] & asked
    own = clip.slice(part.start, part.stop)
    if confidence is None:
        own = carry.interpolated(own, inside[:, None] & np.isin(np.arange(len(clip.skeleton)), bones))
    canonical = retarget.to_canonical(own, rig)
    moved = inside & (place is not None)
    if prompt is None:
        known = to_request(canonical, wanted, moved, confidence, settings)
    else:
        span = constraints.TextSpan(prompt, start - part.start, end + 1 - part.start)
        known = constraints.edit(canonical, wanted, moved, texts=(span,) if prompt else (), **settings)
    # 3. the model
    result = service.run(known, progress)
    # 4. what it changed, onto the file's own bones and numbers
    changed = np.zeros((2, len(clip), len(clip.skeleton)), bool)
    changed[0, start : end + 1, bones] = True
    if place is not None:
        changed[1, start : end + 1, place] = True
    before = retarget.from_canonical(known.clip, rig, own)
    paths = []
    for number, variation in enumerate(result.clips, 1):
        new = carry.carried(own, before, retarget.from_canonical(variation, rig, own), bones, place)
        path = target if number == 1 else target.with_stem(f"{target.stem}-{number}")
        out = rewrite(text, _put(clip, new, part), changed[0], scale, str(source), changed[1])
        path.write_text(out, encoding="utf-8", newline="")
        paths.append(path)
    was = result.baseline if confidence is None else known.clip
    jerks = {"model": carry.jerk(result.clips[0], wanted), "interpolation": carry.jerk(was, wanted)}
    count = int(inside.sum())
    return Filled(tuple(paths), count, len(clip) - count, {**result.report, "jerk": jerks})


def generate_file(
    prompts: Sequence[str],
    seconds: Sequence[float] | None,
    target: Path,
    service: Service,
    progress: Callable[[int, int], None],
    *,
    heading: float = 0.0,
    fps: float = 30.0,
    **settings: Any,
) -> Filled:
    """Motion of the canonical 22 joints that does what is said, one prompt after the other, in one piece.

    Args:
        prompts: what is done; seconds: how long each; None: as long as the nearest prompt that is known.
        target: the file to write; further variations go to ``<name>-2.bvh`` and so on.
        heading: which way the motion begins, degrees to the left of +Z.
        fps: of the file.
        settings: ``seed``, ``variations``, ``system``, ``bundle``.

    Raises:
        InvalidRequestError: not as many lengths as prompts, or one that is no length.
        WeightsError: no model here heeds text, or the sentence encoder is missing.
    """
    if seconds is None:
        choice = {k: v for k, v in settings.items() if k in ("system", "bundle")}
        seconds = [float(service.judge(p, **choice).get("seconds", 4.0)) for p in prompts]
    request = constraints.told(prompts, seconds, fps, **settings)
    result = service.run(request, progress)
    paths = []
    for number, variation in enumerate(result.clips, 1):
        path = target if number == 1 else target.with_stem(f"{target.stem}-{number}")
        bvh.save(path, placed(variation, np.radians(heading)))
        paths.append(path)
    return Filled(tuple(paths), len(request), 0, result.report)


def to_request(
    clip: Clip, asked: np.ndarray, place: np.ndarray, confidence: float | None, settings: Mapping[str, Any]
) -> constraints.Request:
    """Complete (no ``confidence``) or refine the joints ``asked`` ``(F, 22)``, and the root where ``place``.

    Raises:
        InvalidRequestError: everything is to be completed.
    """
    if confidence is not None:
        return constraints.refine(clip, np.where(asked, confidence, 1.0), **settings)
    if asked.all():
        raise InvalidRequestError("joints", "everything is missing, nothing is left to go by",
                                  "Name fewer joints, or fewer frames.")  # fmt: skip
    return constraints.complete(clip, asked, place, **settings)


def _asked(rig: retarget.Rig, names: Sequence[str]) -> tuple[np.ndarray, list[int]]:
    """Canonical joints ``(22,)`` and the file's bones that are asked for.

    Raises:
        InvalidRequestError: an unknown name, or one that the file has no bone for.
    """
    found = parts.joints(names)
    roles = list(dict.fromkeys(parts.role(joint) for joint in found))
    missing = [role for role in roles if role not in rig.bones]
    if missing and "all" not in names:
        raise InvalidRequestError("joints", f"the file has no bone for {missing[0]!r}", "Leave it out.")
    bones = [bone for role in roles if role in rig.bones for bone in rig.bones.roles[role]]
    asked = np.zeros(len(JOINTS), bool)
    asked[[INDEX[joint] for joint in JOINTS if parts.role(joint) in roles]] = True
    return asked, bones


def _has_place(text: str, joint: int, name: str) -> bool:
    """Whether a joint of a BVH file has position channels."""
    head = text[: text.upper().index("MOTION")].replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    return any(channel[1] == "p" for channel in read_hierarchy(head, name)[joint].channels)


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
