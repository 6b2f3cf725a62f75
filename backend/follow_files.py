"""BVH files that follow: pins, a path and waypoints from a JSON file, met on the file's own bones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.motion import bone_maps, bvh, controls, reach, retarget
from blender_addon.motion.bvh_rewrite import rewrite
from blender_addon.motion.constraints import TextSpan
from blender_addon.motion.errors import InvalidRequestError
from blender_addon.motion.pinned import Pin
from blender_addon.motion.skeleton import INDEX, JOINTS

from .bvh_files import Filled
from .service import Service

MISSED = 1e-3
"""Metres: a hard pin that is off by more is told."""


def follow_file(
    source: Path,
    told: Path,
    target: Path,
    service: Service,
    progress: Callable[[int, int], None],
    *,
    keys: Sequence[int] = (),
    trust: float = 0.8,
    prompt: str = "",
    fps: float | None = None,
    **settings: Any,
) -> Filled:
    """Lead a file's character where it is told to go.

    Args:
        source: the file to read; told: controls, see :mod:`blender_addon.motion.controls`, frames from 0, places
            in the file's world.
        target: the file to write; further variations go to ``<name>-2.bvh`` and so on.
        keys: frames that stay as they are, character by character.
        trust: how closely the file's motion is kept, 0: nothing of it but the keys.
        prompt: what is done meanwhile.
        fps: the file's frames per second, where its Frame Time is wrong; None: believe it.
        settings: ``seed``, ``variations``, ``system``, ``bundle``.

    Returns:
        What was done; its report has ``missed``: ``[pin's name, frame, metres]`` of hard pins that this body
        cannot reach.

    Raises:
        InvalidRequestError: controls that make no sense, by name; keys that are not in the file.
        FileFormatError, MappingError: a file that is not what it should be.
    """
    # 1. the file, its character, and what it is told
    clip = bvh.load(source)
    text = bvh.decode(source.read_bytes(), str(source))
    scale = float(clip.metadata["scale"])
    clip = clip if fps is None else replace(clip, fps=fps)
    kept = np.zeros(len(clip), bool)
    for key in keys:
        if not 0 <= key < len(clip):
            problem = f"frame {key} is not in the file"
            raise InvalidRequestError("keys", problem, f"It has frames 0 to {len(clip) - 1}.")
        kept[key] = True
    rig = retarget.make_rig(clip.skeleton, bone_maps.find(clip.skeleton), clip)
    asked = controls.load(told, clip.fps, len(clip), bones=_bones(rig))
    for pin in asked.pins:
        reach.point(rig, pin.joint, pin.bone)  # raises where the character has nothing there
    asked = reach.present(asked, clip, rig)
    # 2. the request, in canonical axes
    canonical = retarget.to_canonical(clip, rig)
    known = np.repeat(kept[:, None], len(JOINTS), 1)
    texts = (TextSpan(prompt, 0, len(clip)),) if prompt else ()
    request = controls.request(
        canonical, asked.turned(rig.axes), reach.offsets(rig), rotation_known=known,
        root_known=kept, trust=trust, texts=texts, **settings,
    )  # fmt: skip
    # 3. the model, back on the file's bones, and met there
    result = service.run(request, progress)
    changed = ~kept
    paths, missed = [], []
    for number, variation in enumerate(result.clips, 1):
        moved = retarget.from_canonical(variation, rig, clip)
        free = np.repeat(changed[:, None], len(clip.skeleton), 1)
        moved = reach.meet(moved, rig, asked.pins, free, changed, request.grounded())
        path = target if number == 1 else target.with_stem(f"{target.stem}-{number}")
        path.write_text(rewrite(text, moved, changed, scale, str(source)), encoding="utf-8", newline="")
        paths.append(path)
        missed += _missed(asked.pins, reach.distances(moved, rig, asked.pins)) if number == 1 else []
    report = {**result.report, "missed": missed}
    return Filled(tuple(paths), int(changed.sum()), int(kept.sum()), report)


def _bones(rig: retarget.Rig) -> dict[str, str]:
    """Bone -> canonical joint, of bones that begin one."""
    names = rig.skeleton.names
    found = {names[rig.bones.first(j)]: j for j in JOINTS if j in rig.bones}
    chain = rig.bones.roles.get("spine", ())
    for k, bone in enumerate(chain):
        found.setdefault(names[bone], f"spine{1 + min(round(3 * k / max(len(chain), 1)), 2)}")
    return {bone: joint for bone, joint in found.items() if joint in INDEX}


def _missed(pins: Sequence[Pin], away: Sequence[np.ndarray]) -> list[list[Any]]:
    """``[name, frame, metres]`` of every hard pin at its worst frame, where that is off."""
    out: list[list[Any]] = []
    for pin, off in zip(pins, away, strict=True):
        worst = int(off.argmax())
        if pin.hard and off[worst] > MISSED:
            out.append([pin.name, int(pin.frames[worst]), float(off[worst])])
    return out
