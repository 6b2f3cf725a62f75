"""``limber-train ablate quantiser``: codes of joints beside codes of whole poses, the same steps and windows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backend import features
from backend.nn.mogents import MoGenTS
from blender_addon.motion.skeleton import JOINTS

from .config import PRESETS, Config
from .dataset import Windows, generators
from .objectives import mogents_vq
from .prepare import cache as cache_file
from .prepare.cache import Cache
from .train import Run

WINDOWS = 256
QUANTISERS: Mapping[str, Mapping[str, Any]] = {
    "joints": {}, "whole pose": {"whole": True}, "whole pose, four times as wide": {"whole": True, "width": 384},
}  # fmt: skip

def quantiser(
    data: Path, steps: int, threads: int = 0, precision: str = "auto", preset: str = "mogents-vq"
) -> list[dict[str, Any]]:
    """Reconstruction of held-out windows by each kind of quantiser: as many codes a level, levels and steps."""
    cache = cache_file.load(data)
    rows = []
    for name, changes in QUANTISERS.items():
        base = PRESETS[preset]
        assert base.quantiser is not None
        config = replace(base, quantiser=replace(base.quantiser, **changes), steps=steps)
        run = Run(config, Path(), data, "cuda" if torch.cuda.is_available() else "cpu", threads, precision)
        began = time.perf_counter()
        while run.step < steps:
            run.one_step()
        network = run.average.module
        assert isinstance(network, MoGenTS)
        spent = {"training_seconds": round(time.perf_counter() - began, 1)}
        rows.append({"row": name, **spent, **reconstruction(network, run.config, cache)})
        print(rows[-1], flush=True)
    return rows


@torch.inference_mode()
def reconstruction(network: MoGenTS, config: Config, cache: Cache, size: int = WINDOWS) -> dict[str, Any]:
    """What is lost on the way through the codes, on windows of the ``test`` split.

    Returns:
        mean joint error about the root, cm, of all joints and of each; of the root's path; share of the codes
        that are used; parameters.
    """
    sources = {s: w for s, w in config.sources.items() if any(e.source == s for e in cache.select("test"))}
    windows = Windows(cache, cache.select("test"), sources, {"sparse": 1.0}, tempo=0.0)
    raw, _ = windows.batch(generators(11, size=size), config.frames)
    x, truth = mogents_vq.whole(raw)
    codes = network.quantiser.encode(truth.channels, x.offsets, x.valid)
    out = network.quantiser.decode(codes, x.valid)
    matrices, root = features.poses(out)
    _, places = features.forward_kinematics(matrices, root, x.offsets)
    relative = (places - places[:, :, :1]) - (truth.positions - truth.positions[:, :, :1])
    scale = 100 * raw.offsets[:, 0, 1]  # hip heights -> cm
    mean = lambda v: float((v * scale[:, None])[x.valid].mean())  # noqa: E731
    each = relative.norm(dim=-1)  # (B, T, 22)
    path: Tensor = (root - truth.channels[..., -3:]).norm(dim=-1)
    return {
        "error_cm": round(mean(each.mean(-1)), 2), "path_cm": round(mean(path), 2),
        "use": round(mogents_vq.use(codes, config), 3),
        "parameters": sum(p.numel() for p in network.quantiser.parameters()),
        "joints_cm": {name: round(mean(each[..., j]), 2) for j, name in enumerate(JOINTS)},
    }  # fmt: skip


TABLES = {"quantiser": quantiser}
