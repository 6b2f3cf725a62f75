"""How fast random windows come out of the cache; writes JSON, asserts nothing about time.

``LIMBER_CACHE=/path/cache.npz`` measures a real one; else a made-up one stands in. Aim: 250,000 frames/s
from memory on 2 cores, and 60,000 training frames/s on one core, to be multiplied by ``dataset.ahead``.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training's libraries are not in this environment")

from tests.benchmarks.test_backend_speed import circumstances
from tests.training.material import swinging
from training.config import PRESETS
from training.corruption import CORRUPTIONS
from training.dataset import Windows, ahead, generators
from training.masks import POLICIES
from training.prepare import cache

pytestmark = pytest.mark.benchmark
SECONDS = 4.0
FRAMES, BATCH = 60, 256


def made(folder: Path) -> Path:
    clips = [swinging(k, 600) for k in range(40)]
    rows = [{"name": str(k), "source": "made", "group": str(k), "split": "train"} for k in range(40)]
    cache.save(folder / "cache.npz", clips, rows)
    return folder / "cache.npz"


def through(windows: Windows, workers: int, steps: int = 60) -> int:
    """Frames per second of batches that other processes draw, once they have begun to come."""
    batches = ahead(lambda step: windows.batch(generators(step, size=BATCH), FRAMES), 0, steps, workers)
    next(batches)
    begin, frames = time.perf_counter(), sum(truth.valid.numel() for truth, _ in batches)
    return round(frames / (time.perf_counter() - begin))


def rate(work: Any, threads: int, seconds: float = SECONDS) -> float:
    """Frames per second of ``work(seed) -> frames``, called again and again on so many threads."""
    work(0)
    with ThreadPoolExecutor(threads) as pool:
        begin = time.perf_counter()

        def run(thread: int) -> int:
            frames, k = 0, 0
            while time.perf_counter() - begin < seconds:
                frames, k = frames + work(1000 * thread + k), k + 1
            return frames

        total = sum(pool.map(run, range(threads)))
        return round(total / (time.perf_counter() - begin))


def test_cache_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = os.environ.get("LIMBER_CACHE")
    path = Path(given) if given else made(tmp_path)
    begin = time.perf_counter()
    found = cache.load(path)
    report: dict[str, Any] = {
        "circumstances": circumstances(), "file": path.name if given else "made up",
        "megabytes": round(path.stat().st_size / 1e6, 2), "frames": len(found.roots),
        "load_s": round(time.perf_counter() - begin, 2), "window_frames": FRAMES, "batch": BATCH,
    }  # fmt: skip
    entries = [e for e in found.select("train") if e.length >= FRAMES]
    starts = np.concatenate([np.arange(e.start, e.start + e.length - FRAMES + 1) for e in entries])

    def gathered(seed: int) -> int:
        rng = np.random.default_rng(seed)
        rotations, _ = found.windows(rng.choice(starts, BATCH), FRAMES)
        return rotations.shape[0] * rotations.shape[1]

    sources = dict.fromkeys(sorted({e.source for e in entries}), 1.0)
    windows = Windows(found, entries, sources, PRESETS["mmdm"].masks)

    def drawn(seed: int, source: Windows = windows) -> int:
        truth, _ = source.batch(generators(seed, size=BATCH), FRAMES)
        return truth.valid.numel()

    keyed = Windows(found, entries, sources, PRESETS["pose"].masks)
    report["keyed_batches_frames_per_s"] = rate(lambda seed: drawn(seed, keyed), 1)
    for policy in (*POLICIES, *CORRUPTIONS):
        one = Windows(found, entries, sources, {policy: 1.0})
        report[f"{policy}_frames_per_s"] = rate(lambda seed, one=one: drawn(seed, one), 1, 1.0)
    for workers in (1, 2):
        report[f"ahead_frames_per_s_{workers}_processes"] = through(windows, workers)
    for threads in (1, 2):
        report[f"windows_frames_per_s_{threads}_threads"] = rate(gathered, threads)
        report[f"training_batches_frames_per_s_{threads}_threads"] = rate(drawn, threads)
    folder = Path(os.environ.get("LIMBER_BENCHMARKS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cache_speed.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    with capsys.disabled():
        print("\n" + json.dumps(report, indent=1))
