"""Named clips of the CC0 characters onto each other and back: ``python -m tests.benchmarks.retarget_round_trip``.

Every clip is written onto the other character, read from what Blender plays there, written back onto its own
character, and read again; the second reading is compared with the clip. What the other body cannot hold (a
character without neck or collars) or holds elsewhere (feet on shorter legs) is what is lost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from blender_addon import scene_files, whole_motion
from blender_addon.batch import bulk, convert, sources, targets, work
from blender_addon.batch.plan import Options, Place
from blender_addon.batch.sources import Source
from blender_addon.motion import retarget
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import LimberError

ROOT = Path(__file__).parents[2]
KAYKIT = tuple(f"kaykit_{part}.glb" for part in ("General", "MovementBasic", "MovementAdvanced", "CombatMelee",
                                                 "CombatRanged", "Simulation"))  # fmt: skip
CLIPS = {
    "ue_37clips": ("ue_37clips.glb",),
    "rigify_deform_44clips": ("rigify_deform_44clips.glb",),
    "kaykit": KAYKIT,
}
OTHERS = ("ue_37clips.glb", "rigify_deform_44clips.glb", "kaykit_General.glb", "kenney.glb")
FIRST = 1


def clips_of(rigs: Path, files: Sequence[str], most: int) -> list[Source]:
    """Up to ``most`` named clips of a character's files that can be read and last longer than a frame."""
    found = [s for name in files for s in sources.read(Place(str(rigs / name))) if isinstance(s, Source)]
    found = [s for s in found if len(s.clip) > 1]
    return [found[i * len(found) // min(most, len(found))] for i in range(min(most, len(found)))]


def over(clips: Sequence[Source | None], file: Path, options: Options) -> list[Source | None]:
    """Each clip written onto a character and read from what Blender plays; None where it fails."""
    target = targets.open_target(Place(str(file)), "auto")
    obj, out = target.character.obj, []
    for source in clips:
        if source is None:
            out.append(None)
            continue
        try:
            made = convert.convert(source, target.character.rig, options)
            scene_files.set_rate(source.clip.fps)
            base = work.own_animation(target, FIRST, len(made.written), source.clip.fps)
            action = bulk.write_action(obj, source.name, bulk.channels(target.character, made, base, FIRST), FIRST,
                                       target.own)  # fmt: skip
            seen = whole_motion.read(
                obj, target.character.bone_map, np.arange(FIRST, FIRST + len(made.written))
            )
            out.append(Source(source.name, seen, target.character.rig))
            obj.animation_data.action = None
            bpy.data.actions.remove(action)
            for bone in obj.pose.bones:
                bone.matrix_basis.identity()
        except LimberError as error:
            print(f"{source.name} onto {file.name}: {error}", flush=True)
            out.append(None)
    return out


def lost(before: Source, after: Source) -> dict[str, Any]:
    """What a round trip changed: limbs in degrees, joints and the hips' path in cm."""
    a, b = (retarget.limb_directions(s.clip, s.rig) for s in (before, after))
    there = (np.linalg.norm(a, axis=-1) > 0.5) & (np.linalg.norm(b, axis=-1) > 0.5)  # zero: scaled to nothing
    angle = np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1)))[there]
    one, two = (canonical(s) for s in (before, after))
    p, q = one.positions(), two.positions()
    level = np.median(q[:, 0, 1] - p[:, 0, 1])  # a floor that was calibrated elsewhere is no loss
    q = q - np.array([0.0, level, 0.0])
    body = (q - q[:, :1]) - (p - p[:, :1])
    return {
        "clip": before.name, "frames": len(p),
        "limbs degrees": float(angle.mean()), "limbs degrees worst": float(angle.max()),
        "joints cm": 100 * float(np.linalg.norm(body, axis=-1).mean()),
        "hips cm": 100 * float(np.linalg.norm(q[:, 0] - p[:, 0], axis=-1).mean()),
    }  # fmt: skip


def canonical(source: Source) -> Clip:
    return retarget.to_canonical(source.clip, source.rig)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rigs", type=Path, default=ROOT.parent / "shared" / "rigs")
    parser.add_argument("--clips", type=int, default=1000, help="of each character (default: all)")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "retarget_round_trip.json")
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    began, rows = time.monotonic(), []
    hows = {"kept": Options(feet="keep", hands="keep"), "held": Options()}
    for owner, files in CLIPS.items():
        clips = clips_of(options.rigs, files, options.clips)
        for other in OTHERS:
            if other in files:
                continue
            for name, how in hows.items():
                there = over(clips, options.rigs / other, how)
                back = over(there, options.rigs / files[0], how)
                pairs = [(a, b) for a, b in zip(clips, back, strict=True) if b is not None]
                found = [lost(a, b) for a, b in pairs]
                row = {"clips of": owner, "over": other, "feet and hands": name, "clips": len(clips),
                       "failed": len(clips) - len(found),
                       **{k: float(np.mean([f[k] for f in found])) for k in
                          ("limbs degrees", "limbs degrees worst", "joints cm", "hips cm")}}  # fmt: skip
                rows.append(row | {"entries": found})
                options.out.write_text(
                    json.dumps({"seconds": time.monotonic() - began, "rows": rows}, indent=1)
                )
                print(
                    " | ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()),
                    flush=True,
                )


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # Blender as a module may wait for ever while it is taken down
