"""How few keys a walk needs, how far the curves through them are from it, and whether its feet slide.

    python -m tests.benchmarks.sparse_keys /work/data/bandai_namco /work/data/cmu --out sparse.json

Every clip is keyed as a rig without control bones has it: a quaternion a joint, the hips' place. Joints' places
are measured after forward kinematics. Sliding is the skating of :func:`contacts.skating` on the clip's canonical
skeleton, where the clip's own toes stand: as captured, and on the same walk with its feet held (as results
of the product have them).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from blender_addon.motion import bone_maps, bvh, contacts, foot_lock, retarget, rotations, sparse, sparse_body
from blender_addon.motion.clip import Clip
from blender_addon.motion.rotations import Array

T = TypeVar("T")


def reduced(clip: Clip, degrees: float, millimetres: float) -> tuple[Clip, float]:
    """A clip as few keys give it, and the share of its frames that have one (mean over joints and places)."""
    none, metres = np.zeros(len(clip), bool), millimetres / 1000
    moved = clip.local_translations()  # of the root its place; of other joints where the file moves them
    groups = [sparse_body.Group(clip.rotations[:, j], none, sparse.quaternions, degrees, j, _unit)
              for j in range(len(clip.skeleton))]  # fmt: skip
    groups += [sparse_body.Group(moved[:, j], none, sparse.places, metres, j, _same, True)
               for j in np.flatnonzero(np.ptp(moved, axis=0).max(-1) > 1e-6)]  # fmt: skip
    frames = np.arange(len(clip), dtype=float)
    parents, local, places = _with_tips(clip, moved)
    body = sparse_body.Body(frames, clip.fps, parents, local, places, metres)
    curves = _result(sparse_body.reduced(body, groups))
    turned, now = clip.rotations.copy(), moved.copy()
    for group, curve in zip(groups, curves, strict=True):
        made = sparse.sampled(frames, curve)
        if group.moves:
            now[:, group.joint] = made
        else:
            turned[:, group.joint] = rotations.normalize(made)
    made = replace(clip, rotations=turned, root_positions=now[:, 0],
                   translations=None if clip.translations is None else now)  # fmt: skip
    return made, float(np.mean([len(curve.at) / len(frames) for curve in curves]))


def _with_tips(clip: Clip, moved: Array) -> tuple[np.ndarray, Array, Array]:
    """Parents, rotations and places of the joints and of the ends of the last ones."""
    last = np.setdiff1d(np.arange(len(clip.skeleton)), clip.skeleton.parents)
    tips = np.broadcast_to(clip.skeleton.tips[last], (len(clip), len(last), 3))
    return (np.concatenate([clip.skeleton.parents, last]),
            np.concatenate([clip.rotations, rotations.identity((len(clip), len(last)))], 1),
            np.concatenate([moved, tips], 1))  # fmt: skip


def _unit(values: Array, _: slice) -> Array:
    return rotations.normalize(values)


def _same(values: Array, _: slice) -> Array:
    return values


def _result(steps: Generator[float, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def measured(clip: Clip, degrees: float, millimetres: float) -> dict[str, float]:
    """One clip: the share of frames keyed, the worst deviations, and how fast standing toes slide."""
    made, keyed = reduced(clip, degrees, millimetres)
    off = 1000 * np.linalg.norm(made.positions() - clip.positions(), axis=-1)
    moved = made.local_translations() - clip.local_translations()
    rig = retarget.make_rig(clip.skeleton, bone_maps.find(clip.skeleton), clip)
    captured = retarget.to_canonical(clip, rig)
    feet = contacts.find(captured)
    held = foot_lock.lock(captured, feet, feet.ground)
    held_made, held_keyed = reduced(held, degrees, millimetres)
    slides = partial(_sliding, feet=feet)
    return {"frames": len(clip), "keyed": keyed, "held_keyed": held_keyed,
            "degrees": float(np.degrees(rotations.angle_between(made.rotations, clip.rotations)).max()),
            "millimetres": float(1000 * np.linalg.norm(moved, axis=-1).max()),
            "joints_mm_mean": float(off.mean()), "joints_mm_worst": float(off.max()),
            "slide_cm_s": slides(captured), "slide_cm_s_sparse": slides(retarget.to_canonical(made, rig)),
            "held_slide_cm_s": slides(held), "held_slide_cm_s_sparse": slides(held_made)}  # fmt: skip


def _sliding(clip: Clip, feet: contacts.Contacts) -> float:
    balls = clip.positions()[:, list(contacts.BALLS)]
    return 100 * clip.hip_height * contacts.skating(balls, feet.toe, clip.fps, clip.hip_height)


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over frames (of sliding: over clips with a stance), the worst of what is a worst."""
    count = np.array([row["frames"] for row in rows])
    out: dict[str, float] = {"clips": len(rows), "frames": int(count.sum())}
    for name in rows[0]:
        column = np.array([row[name] for row in rows])
        if name in ("degrees", "millimetres", "joints_mm_worst"):
            out[name] = float(column.max())
        elif "slide" in name:
            out[name] = float(np.nanmean(column))
        elif name != "frames":
            out[name] = float(np.average(column, weights=count))
    return out


def main() -> None:
    """Print a line a source and write all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--named", default="walk", help="part of the file's name (default walk)")
    parser.add_argument("--degrees", type=float, default=1.0)
    parser.add_argument("--millimetres", type=float, default=5.0)
    parser.add_argument("--most", type=int, default=60, help="about so many clips a folder (default 60)")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    table = {}
    for folder in options.folders:
        files = sorted(f for f in folder.rglob("*.bvh") if options.named in str(f.relative_to(folder)).lower())
        rows = [measured(bvh.load(f).resample(30), options.degrees, options.millimetres)
                for f in files[:: max(1, len(files) // options.most)]]  # fmt: skip
        if not rows:
            parser.error(f"no .bvh named {options.named!r} in {folder}")
        table[folder.name] = summary(rows)
        print(folder.name, json.dumps(table[folder.name]))
    if options.out:
        options.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
