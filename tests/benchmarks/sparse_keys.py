"""How few keys a walk needs, and how far the curves through them are from it.

    python -m tests.benchmarks.sparse_keys /work/data/bandai_namco /work/data/cmu --out sparse.json

Every clip is keyed as a rig without control bones has it: a quaternion a joint, the hips' place. Joint errors
add up along a limb, so the joints' places are measured too, after forward kinematics.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from blender_addon.motion import bvh, rotations, sparse
from blender_addon.motion.clip import Clip


def measured(clip: Clip, degrees: float, millimetres: float) -> dict[str, float]:
    """One clip: the share of frames keyed (mean over joints and places), and the worst deviations."""
    frames = np.arange(len(clip), dtype=float)
    none = np.zeros(len(frames), bool)
    turned, shares = clip.rotations.copy(), []
    moved = clip.local_translations()  # of the root its place; of other joints where the file moves them
    now = moved.copy()
    for j in np.flatnonzero(np.ptp(moved, axis=0).max(-1) > 1e-6):
        keep = sparse.kept(frames, moved[:, j], none, sparse.places(millimetres / 1000))
        now[:, j] = sparse.curve(frames, moved[:, j], keep)
        shares.append(keep.mean())
    for j in range(len(clip.skeleton)):
        q = clip.rotations[:, j]
        keep = sparse.kept(frames, q, none, sparse.quaternions(degrees))
        turned[:, j] = rotations.normalize(sparse.curve(frames, q, keep))
        shares.append(keep.mean())
    made = replace(clip, rotations=turned, root_positions=now[:, 0], translations=now)
    off = 100 * np.linalg.norm(made.positions() - clip.positions(), axis=-1)
    return {"frames": len(frames), "keyed": float(np.mean(shares)),
            "degrees": float(np.degrees(rotations.angle_between(turned, clip.rotations)).max()),
            "millimetres": float(1000 * np.linalg.norm(now - moved, axis=-1).max()),
            "joints_cm_mean": float(off.mean()), "joints_cm_worst": float(off.max())}  # fmt: skip


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
        count = np.array([r["frames"] for r in rows])
        table[folder.name] = {
            "clips": len(rows), "frames": int(count.sum()),
            "keyed": float(np.average([r["keyed"] for r in rows], weights=count)),
            "joints_cm_mean": float(np.average([r["joints_cm_mean"] for r in rows], weights=count)),
            **{k: max(r[k] for r in rows) for k in ("degrees", "millimetres", "joints_cm_worst")},
        }  # fmt: skip
        print(folder.name, json.dumps(table[folder.name]))
    if options.out:
        options.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
