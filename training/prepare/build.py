"""``limber-train prepare``: folders of BVH -> one cache, its splits, and a report of every clip."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from blender_addon.motion import bone_maps, bvh, retarget
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import LimberError

from . import cache, checks, sources, splits


def prepare(folders: Sequence[Path], out: Path, splits_file: Path, seed: int = 0) -> dict[str, object]:
    """Read every ``.bvh`` below the folders (a folder's name names its source).

    Returns:
        The report, also written beside the cache as JSON: every clip that was repaired or left
        out with its reason, and counts by source and split.
    """
    clips: list[Clip] = []
    rows: list[dict[str, str]] = []
    findings: list[checks.Finding] = []
    for folder in folders:
        source = sources.SOURCES.get(folder.name) or sources.unknown(folder.name)
        files = sorted(folder.rglob("*.bvh"))
        split = splits.keep(splits_file, source, [f.stem for f in files], seed)
        began = time.perf_counter()
        for file in files:
            finding = checks.Finding(file.stem, source.name)
            findings.append(finding)
            clip = _read(file, finding)
            if clip is None:
                continue
            finding.frames = len(clip)
            clips.append(clip)
            rows.append({"name": file.stem, "source": source.name, "group": source.group(file.stem),
                         "split": split[file.stem]})  # fmt: skip
        print(f"{source.name}: {len(files)} files in {time.perf_counter() - began:.0f} s", flush=True)
    if not clips:
        reasons = sorted({f.left_out for f in findings})
        raise ValueError(
            f"no usable clip in {', '.join(map(str, folders))}" + "".join(f"; {r}" for r in reasons[:3])
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    cache.save(out, clips, rows)
    counts = Counter((r["source"], r["split"]) for r in rows)
    report = {
        "clips": len(clips), "minutes": round(sum(len(c) for c in clips) / cache.FPS / 60, 1),
        "counts": {f"{a}/{b}": n for (a, b), n in sorted(counts.items())},
        "findings": [asdict(f) for f in findings if f.left_out or f.repaired],
    }  # fmt: skip
    out.with_suffix(".report.json").write_text(json.dumps(report, indent=1))
    return report


def _read(file: Path, finding: checks.Finding) -> Clip | None:
    try:
        raw = bvh.load(file)
        rig = retarget.make_rig(raw.skeleton, bone_maps.find(raw.skeleton), raw)
        return checks.check(retarget.to_canonical(raw, rig).resample(cache.FPS), finding)
    except LimberError as e:
        finding.left_out = str(e)
        return None
