"""One unit of a batch, in this process' Blender: read, convert, write, look, save."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .. import actions, rigify_io, scene_files, whole_motion
from ..motion import bvh
from ..motion.clip import Clip
from ..motion.errors import InvalidRequestError, LimberError
from . import bulk, check, convert, page, sources, targets
from .as_opened import AsOpened
from .plan import BLENDER, Place, Unit
from .sources import Source
from .targets import Target

Say = Callable[[str], None]

LARGEST = {"glb": 3_000_000, "fbx": 20_000_000}
"""Bones times frames that an exporter of Blender's is given: about 6 GB of memory. Its glTF exporter takes 1.9 kB
each (66 bones, 20,000 frames: 2.5 GB), the FBX exporter 0.3 kB; .blend and .bvh know no such limit."""
CONVERTING, SAVING = 0.002, 0.0003
"""Seconds a frame, and a bone and frame, that are no sign of a process that hangs: ten times what they take."""


class Workshop:
    """Keeps the last target open: the next clip for it needs no loading.

    Args:
        expect: told how many seconds the next step may take without a sign of life.
    """

    def __init__(self, expect: Callable[[float], None] = lambda seconds: None) -> None:
        self._expect = expect
        self._key: tuple[Place, str] | None = None
        self._target: Target | None = None
        self._opened: AsOpened | None = None

    def target(self, place: Place, choice: str) -> Target:
        """The character, opened if it is not already."""
        if self._target is None or self._key != (place, choice):
            self.close()
            self._target = targets.open_target(place, choice)
            self._opened = AsOpened(self._target.character.obj)
            self._key = (place, choice)
        return self._target

    def close(self) -> None:
        """Something else is about to be opened."""
        self._key, self._target, self._opened = None, None, None

    def run(self, unit: Unit, say: Say) -> list[dict[str, Any]]:
        """Every clip of a unit's source onto its target; one entry of the report a clip.

        Args:
            unit: what to do.
            say: called with what is being done, as a sign of life.

        Raises:
            LimberError, OSError: nothing of the unit can be done.
        """
        say(f"reading {unit.source}")
        began = time.perf_counter()
        through_blender = Path(unit.source.path).suffix.lower() in BLENDER
        if through_blender:
            self.close()
        clips = list(sources.read(unit.source, unit.options.source_map))
        read = time.perf_counter() - began
        taken: set[str] = set()
        out = []
        for found in clips:
            name = found.name if isinstance(found, Source) else found[0]
            entry = {"source": str(unit.source), "target": str(unit.target), "clip": name}
            say(f"{unit.source} {name}".rstrip())
            try:
                if isinstance(found, tuple):
                    raise found[1]
                stem = unit.output + (f"_{_file_name(name, taken)}" if name else "")
                out.append(entry | self._one(unit, found, stem, say) | {"read_seconds": read / len(clips)})
            except LimberError as error:
                out.append(entry | {"state": "failed", "error": str(error)})
        return out

    def _one(self, unit: Unit, source: Source, stem: str, say: Say) -> dict[str, Any]:
        options = unit.options
        target = self.target(unit.target, options.map)
        character, began = target.character, time.perf_counter()
        obj = character.obj
        fits(
            len(source.clip) * (options.fps or source.clip.fps) / source.clip.fps,
            len(obj.data.bones),
            options.format,
        )
        say(f"{stem}: retargeting")
        self._expect(CONVERTING * len(source.clip))
        made = convert.convert(source, character.rig, options)
        seconds = {"convert_seconds": time.perf_counter() - began}
        # 1. the Action
        say(f"{stem}: writing")
        began, first = time.perf_counter(), 1
        scene_files.set_rate(made.source.clip.fps)
        base = own_animation(target, first, len(made.written), made.source.clip.fps)
        values = bulk.channels(character, made, base, first, say)
        name = Path(stem).name
        action = bulk.write_action(obj, name, values, first, target.own)
        seconds["write_seconds"] = time.perf_counter() - began
        try:
            # 2. looking at it
            began = time.perf_counter()
            seen = check.check(character, made, first, options.check) if options.check else {}
            seconds["check_seconds"] = time.perf_counter() - began
            # 3. the file
            say(f"{stem}: saving")
            self._expect(SAVING * len(made.written) * len(obj.data.bones))
            began = time.perf_counter()
            path, last = Path(f"{stem}.{options.format}"), first + len(made.written) - 1
            scene = bpy.context.scene
            scene.frame_start, scene.frame_end = first, max(last, first)
            scene.frame_set(first)
            if options.format == "bvh" and rigify_io.is_control_rig(obj, character.bone_map):
                path.parent.mkdir(parents=True, exist_ok=True)
                bvh.save(path, made.canonical)  # controls mean nothing elsewhere, and are slow to evaluate
            else:
                scene_files.save(path, obj, first, last, options.only_armature)
            seconds["save_seconds"] = time.perf_counter() - began
        finally:
            self._put_back(target, action)
        unmapped = {"unmapped_target": list(character.bone_map.missing), "lacking": list(made.lacking),
                    "unmapped_source": list(source.rig.bone_map.missing),
                    "map": character.bone_map.preset, "source_map": source.rig.bone_map.preset,
                    "reference": character.rig.source, "source_reference": source.rig.source,
                    "doubtful": _doubtful(character)}  # fmt: skip
        if options.pictures:
            unmapped["poses"] = page.poses(made, options.pictures)
        notes = [f"the target's {target.several} Actions were left out"] if target.several else []
        if source.mended:
            notes.append(
                f"{source.mended} frames in which the source's root is thrown away were interpolated"
            )
        return {"state": "done", "output": str(path), **_finite(made.measures), **_finite(seen), **unmapped, **seconds,
                "notes": notes}  # fmt: skip

    def _put_back(self, target: Target, action: Any) -> None:
        """The character as it was opened, for the next clip; memory stays level."""
        obj = target.character.obj
        if target.own is not None:
            targets.play_alone(obj, target.own)
        else:
            obj.animation_data.action = None
        bpy.data.actions.remove(action)
        if self._opened is not None:
            self._opened.restore()
        bpy.context.view_layer.update()


def fits(frames: float, bones: int, form: str) -> None:
    """Refuse what would need more memory than a computer has.

    Raises:
        InvalidRequestError: an exporter of Blender's would not end well.
    """
    most = LARGEST.get(form)
    if most is not None and frames * bones > most:
        raise InvalidRequestError(
            "format", f"{frames:.0f} frames are more than Blender's .{form} exporter holds in memory, which of "
            f"this character's {bones} bones are {most // bones}", "Use --format blend or bvh, or cut the take up."
        )  # fmt: skip


def own_animation(target: Target, first: int, count: int, fps: float) -> Clip | None:
    """The character's own motion over the frames that are written; None where it stands at rest."""
    character = target.character
    obj = character.obj
    control = rigify_io.is_control_rig(obj, character.bone_map)
    if control:
        return None  # every control that matters is written, and the others keep their curves anyway
    posed = any(not np.allclose(np.array(b.matrix_basis), np.eye(4), atol=1e-6) for b in obj.pose.bones)
    if not (posed or actions.fcurves(obj)):
        return None
    return whole_motion.read(obj, character.bone_map, np.arange(first, first + count))


def _doubtful(character: Any) -> list[str]:
    return [f"{role} {sure:.0%}" for role, sure in character.bone_map.confidence.items() if sure < 0.6]


def _finite(measures: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no NaN."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in measures.items()}


def _file_name(name: str, taken: set[str]) -> str:
    """An Action's name as part of a file's, no two alike."""
    made = base = re.sub(r"[^\w.+-]+", "_", name).strip("._") or "clip"
    number = 1
    while made.lower() in taken:
        number += 1
        made = f"{base}_{number}"
    taken.add(made.lower())
    return made
