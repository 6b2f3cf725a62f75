"""BVH files that go on: extended by what is said, or led back into their own beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.motion import bone_maps, bvh, onward, retarget
from blender_addon.motion.anchor import anchor
from blender_addon.motion.bvh_rewrite import lengthened, rewrite
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import TextSpan
from blender_addon.motion.errors import InvalidRequestError

from .bvh_files import Filled
from .service import Service

UNSAID = 2.0
"""Seconds that a motion goes on where nothing is said, neither what nor how long."""
BACK = 0.7
"""Seconds in which a loop leads back."""

Progress = Callable[[int, int], None]


def extended_file(
    source: Path,
    target: Path,
    service: Service,
    progress: Progress,
    *,
    prompts: Sequence[str] = (),
    seconds: Sequence[float] | None = None,
    fps: float | None = None,
    **settings: Any,
) -> Filled:
    """The file's motion, character by character, and more frames that go on from it.

    Args:
        source: the file to read.
        target: the file to write; further variations go to ``<name>-2.bvh`` and so on.
        prompts: what is done next, one after the other; none: anything that fits.
        seconds: how long each (without prompts: one number); None: as long as the nearest prompt that is known.
        fps: the file's frames per second, where its Frame Time is wrong; None: believe it.
        settings: ``seed``, ``variations``, ``system``, ``bundle``.

    Raises:
        InvalidRequestError: not as many lengths as prompts, or one that is no length.
        FileFormatError, MappingError: the file is not a BVH, or not of a body.
    """
    clip = _read(source, fps)
    lengths = predicted(service, prompts, seconds, settings)
    ends = [len(clip)]
    for s in lengths:
        frames = round(s * clip.fps) if np.isfinite(s) else 0
        if frames < 1:
            raise InvalidRequestError("seconds", f"{s} seconds are no length", "Give at least a frame.")
        ends.append(ends[-1] + frames)
    texts = [TextSpan(p, a, b) for p, a, b in zip(prompts, ends[:-1], ends[1:], strict=False)]
    rig = retarget.make_rig(clip.skeleton, bone_maps.find(clip.skeleton), clip)
    request = onward.extended(retarget.to_canonical(clip, rig), ends[-1] - len(clip), texts, **settings)
    result = service.run(request, progress)
    known = np.arange(ends[-1]) < len(clip)
    whole = onward.held(clip, ends[-1] - len(clip))
    paths = _written(source, target, rig, whole, known, result.clips)
    return Filled(paths, ends[-1] - len(clip), len(clip), result.report)


def looped_file(
    source: Path,
    target: Path,
    service: Service,
    progress: Progress,
    *,
    prompt: str = "",
    seconds: float = BACK,
    travel: str = "auto",
    fps: float | None = None,
    **settings: Any,
) -> Filled:
    """The file's motion, character by character, then frames that lead back to its first pose, which is the last.

    Args:
        source, target, fps, settings: as :func:`extended_file`.
        prompt: what is done meanwhile; "": anything that fits.
        seconds: how long that takes.
        travel: see :func:`onward.looped`.

    Raises:
        InvalidRequestError: no length, or a file of one frame.
        FileFormatError, MappingError: the file is not a BVH, or not of a body.
    """
    clip = _read(source, fps)
    frames = round(seconds * clip.fps) if np.isfinite(seconds) else 0
    if frames < 1:
        raise InvalidRequestError("seconds", f"{seconds} seconds are no length", "Give at least a frame.")
    rig = retarget.make_rig(clip.skeleton, bone_maps.find(clip.skeleton), clip)
    texts = [TextSpan(prompt, len(clip), len(clip) + frames)] if prompt else []
    loop = onward.looped(retarget.to_canonical(clip, rig), frames, texts, travel, **settings)
    result = service.run(loop.request, progress)
    known = np.ones(loop.frames, bool)
    known[len(clip) : len(clip) + frames] = False
    whole = onward.again(onward.held(clip, frames + 1), rig, loop.shift)
    paths = _written(source, target, rig, whole, known, [c.slice(0, loop.frames) for c in result.clips])
    return Filled(paths, frames, len(clip), {**result.report, "travel": float(np.linalg.norm(loop.shift))})


def predicted(
    service: Service, prompts: Sequence[str], seconds: Sequence[float] | None, settings: dict[str, Any]
) -> list[float]:
    """How long each prompt takes (without prompts: one length): as was said, else as the nearest known prompt does.

    Raises:
        InvalidRequestError: not as many lengths as prompts.
    """
    if seconds is None:
        choice = {k: v for k, v in settings.items() if k in ("system", "bundle")}
        return [float(service.judge(p, **choice).get("seconds", 4.0)) for p in prompts] or [UNSAID]
    if len(seconds) != max(len(prompts), 1):
        raise InvalidRequestError("seconds", f"{len(seconds)} lengths for {len(prompts)} prompts",
                                  "Say how long each one takes.")  # fmt: skip
    return list(seconds)


def _read(source: Path, fps: float | None) -> Clip:
    clip = bvh.load(source)
    return clip if fps is None else replace(clip, fps=fps)


def _written(source: Path, target: Path, rig: retarget.Rig, whole: Clip, known: np.ndarray,
             clips: Sequence[Clip]) -> tuple[Path, ...]:  # fmt: skip
    """Each variation on the file's own bones, exactly onto the frames that are known, as a longer file."""
    text = bvh.decode(source.read_bytes(), str(source))
    first = int(np.flatnonzero(~known)[0])
    text = lengthened(text, len(whole) - first, str(source))
    base = anchor(whole.sample(np.zeros(len(whole))), whole, known)  # what bones without a role do
    changed = np.arange(len(whole)) >= first
    paths = []
    for number, variation in enumerate(clips, 1):
        moved = anchor(retarget.from_canonical(variation, rig, base), whole, known)
        path = target if number == 1 else target.with_stem(f"{target.stem}-{number}")
        out = rewrite(text, moved, changed, float(whole.metadata["scale"]), str(source))
        path.write_text(out, encoding="utf-8", newline="")
        paths.append(path)
    return tuple(paths)
