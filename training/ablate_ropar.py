"""``limber-train ablate``: RoPAR's comparisons (Li et al., Table 2 and Fig. 3), each table in one run.

- ``ropar-vae``: the P-VAE beside a VAE of the whole body and one without shared weights: same windows, steps
  and tokens. A third of (part, frame) is spoiled on average, as in capture from video; measured on the truth.
- ``ropar-generation``: RoPAR, without its diffusion head, and without parts, on the same spoiled windows.
- ``ropar-credible``: RoPAR, MoGenTS, and RoPAR that heeds no confidence, each trained from nothing on one and
  the same corrupted cache (``prepare --corrupt``), by the share of it that is credible.

What is measured comes from the ``test`` split, which no row was trained on; text-to-motion by the evaluator
that nothing is chosen by.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend import features, text
from backend.finish import finish
from backend.nn.masked import Context
from backend.nn.mogents import MoGenTS
from backend.nn.parts import STRIDE, row_confidence
from backend.nn.ropar import RoPAR as Networks
from backend.systems import mogents
from backend.systems.ropar import RoPAR
from blender_addon.motion import constraints, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.skeleton import canonical

from . import evaluator, text_metrics
from .config import PRESETS, Config
from .dataset import ahead, generators
from .evaluation import material
from .evaluation import text as judged
from .evaluation.methods import deliver
from .kept import Kept, Trained
from .objectives.ropar_vae import reconstructed
from .objectives.ropar_windows import Draws
from .prepare import cache as cache_file
from .prepare import corrupt
from .prepare.cache import FPS, Cache
from .train import Run

VAES: Mapping[str, Mapping[str, Any]] = {
    "P-VAE": {}, "whole body": {"parts": False}, "weights not shared": {"shared": False},
}  # fmt: skip
SPOILED = 0.34
"""Least credible share of a window where rows are compared: on average a third is spoiled."""
WINDOWS = 192
MOTIONS = 160
BATCH = 16
SAID = 100
"""Steps between two lines of progress."""
NOWHERE = Kept()


def vaes(
    data: Path, steps: int, threads: int = 0, precision: str = "auto", preset: str = "ropar-vae"
) -> list[dict[str, Any]]:
    """Table 2, reconstruction. A VAE of the whole body cannot leave parts out: it learns from all it sees."""
    cache = cache_file.load(data)
    judge = evaluator.installed("report")
    rows = []
    for name, changes in VAES.items():
        config = _spoiled(PRESETS[preset], steps, changes)
        run, seconds = Training(data, steps, threads, precision).run(config)
        network = run.average.module
        assert isinstance(network, Networks)
        rows.append({
            "row": name, "parameters": sum(p.numel() for p in network.vae.parameters()),
            "training_seconds": round(seconds, 1), **_reconstruction(network, cache, config, judge),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def generation(data: Path, steps: int, threads: int = 0, precision: str = "auto", preset: str = "ropar",
               kept: Kept = NOWHERE, workers: int = 0) -> list[dict[str, Any]]:  # fmt: skip
    """Table 2, generation: each row a P-VAE (or another) and a transformer of ``steps`` steps.

    Args:
        kept: where networks are; none is measured where only some are to be trained.
        workers: processes that draw batches ahead.
    """
    train = Training(data, steps, threads, precision, workers)
    rows = []
    kinds: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
        "RoPAR": ({}, {}), "without diffusion head": ({}, {"head_depth": 0}), "without parts": ({"parts": False}, {}),
    }  # fmt: skip
    for name, (vae, transformer) in kinds.items():
        parts = bool(vae.get("parts", True))

        def whole(vae: Mapping[str, Any] = vae, parts: bool = parts,
                  transformer: Mapping[str, Any] = transformer) -> tuple[Run, float]:  # fmt: skip
            config = _spoiled(PRESETS[preset.replace("ropar", "ropar-vae")], steps, vae)
            stage = "P-VAE" if parts else "VAE of the whole body"
            first = replace(kept, only=None).row(stage, lambda: train.run(config))
            assert first is not None
            return _second(PRESETS[preset], first, SPOILED, parts, transformer, train)

        found = kept.row(name, whole)
        if found is not None and kept.only is None:
            answers = _answers(found.network, found.config)
            rows.append({"row": name, "steps": found.config.steps, "training_seconds": round(found.seconds, 1),
                         **measured(cache_file.load(data), answers)})  # fmt: skip
            print(rows[-1], flush=True)
    return rows


LEARNERS = ("RoPAR", "MoGenTS", "RoPAR, confidence not heeded")


def credible(data: Path, steps: int, threads: int = 0, precision: str = "auto",
             shares: Sequence[float] = (1.0, 0.8, 0.6, 0.3), presets: Mapping[str, str] | None = None,
             most: int = MOTIONS, size: int = text_metrics.POOL, kept: Kept = NOWHERE,
             workers: int = 0) -> list[dict[str, Any]]:  # fmt: skip
    """Fig. 3: text-to-motion by the credible share of the training data; each stage of each row ``steps`` steps.

    Args:
        presets: of the stages, by name; None: the product's own.
        most: motions that a row is measured on; size: captions of a pool.
        kept: where networks are (``60 MoGenTS``), and spoiled caches (``60.npz``); nothing is measured where
            only some rows are to be trained.
        workers: processes that draw batches ahead.
    """
    presets = presets or {n: n for n in ("ropar-vae", "ropar", "mogents-vq", "mogents")}
    clean = cache_file.load(data)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for share in shares:
            percent = round(100 * share)
            spoiled = (kept.folder or Path(folder)) / f"{percent}.npz" if share < 1 else data
            # where everything is credible there is nothing to heed
            for name in LEARNERS if share < 1 else LEARNERS[:2]:
                stages = ("mogents-vq", "mogents") if name == "MoGenTS" else ("ropar-vae", "ropar")

                def whole(stages: tuple[str, str] = stages, heed: bool = name != LEARNERS[2], share: float = share,
                          spoiled: Path = spoiled) -> tuple[Run, float]:  # fmt: skip
                    if not spoiled.exists():
                        corrupt.corrupt(clean, spoiled, share)
                    train = Training(spoiled, steps, threads, precision, workers)
                    return _stages([PRESETS[presets[s]] for s in stages], heed, train)

                found = kept.row(f"{percent} {name}", whole)
                if found is not None and kept.only is None:
                    answers = _answers(found.network, found.config)
                    rows.append({"credible_percent": percent, "row": name, "steps": found.config.steps,
                                 "training_seconds": round(found.seconds),
                                 **measured(clean, answers, most=most, size=size)})  # fmt: skip
                    print(rows[-1], flush=True)
    return rows


def _stages(configs: Sequence[Config], heed: bool, train: Training) -> tuple[Run, float]:
    """Two stages, the second on the averaged weights of the first; what is credible is as the cache says."""
    last: Run | None = None
    spent = 0.0
    for config in configs:
        config = replace(config, steps=train.steps, credible=1.0, heed=heed)
        first = last.average.module if last is not None else None

        def begin(run: Run, first: nn.Module | None = first) -> None:
            if first is not None:
                for network in (run.network, run.average.module):
                    network.load_state_dict(first.state_dict(), strict=False)

        last, seconds = train.run(config, begin)
        spent += seconds
    assert last is not None
    return last, spent


def _answers(network: nn.Module, config: Config) -> judged.Generate:
    """A trained second stage as a system that is asked for text."""
    if isinstance(network, Networks):
        return prompted(RoPAR(network, frozenset({"text"}), config.frames))
    assert isinstance(network, MoGenTS)
    system = mogents.MoGenTS(network, frozenset({"text"}), config.long_frames)
    return judged.prompted(lambda requests: [deliver(r, system) for r in requests])


# -- runs ---------------------------------------------------------------------------------------------------


def _spoiled(config: Config, steps: int, changes: Mapping[str, Any]) -> Config:
    assert config.vae is not None
    sizes = replace(config.vae, **changes)
    return replace(config, vae=sizes, steps=steps, credible=SPOILED, heed=sizes.parts, long_share=0.0)


@dataclass(frozen=True)
class Training:
    """How every stage of a table is trained.

    Attributes:
        data: the cache; steps: of a stage.
        threads, precision, workers: see :func:`training.train.train`.
    """

    data: Path
    steps: int
    threads: int = 0
    precision: str = "auto"
    workers: int = 0

    def run(self, config: Config, begin: Callable[[Run], None] = lambda run: None) -> tuple[Run, float]:
        """A finished run, and how many seconds it took."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        run = Run(config, Path(), self.data, device, self.threads, self.precision)
        begin(run)
        began = time.perf_counter()
        for batch in ahead(run.draw, run.step, config.steps, self.workers):
            run.one_step(batch)
            if run.step % SAID == 0:
                speed = run.step / (time.perf_counter() - began)
                print(f"{config.objective} {run.step}/{config.steps}, {speed:.1f} steps/s", flush=True)
        return run, time.perf_counter() - began


def _second(config: Config, first: Trained, share: float, heed: bool, changes: Mapping[str, Any],
            train: Training) -> tuple[Run, float]:  # fmt: skip
    """A transformer on the averaged P-VAE of another run."""
    assert config.transformer is not None
    assert isinstance(first.network, Networks)
    learnt = first.network.vae.state_dict()
    config = replace(config, vae=first.config.vae, transformer=replace(config.transformer, **changes),
                     steps=train.steps, credible=share, heed=heed)  # fmt: skip

    def begin(run: Run) -> None:
        for found in (run.network, run.average.module):
            assert isinstance(found, Networks)
            found.vae.load_state_dict(learnt)

    return train.run(config, begin)


# -- what is measured -----------------------------------------------------------------------------------------


@torch.inference_mode()
def _reconstruction(
    network: Networks, cache: Cache, config: Config, judge: evaluator.Evaluator
) -> dict[str, float]:
    draws = Draws(cache, cache.select("test"), config.sources, False)
    found: dict[str, list[Tensor]] = {"joints": [], "path": []}
    made, true = [], []
    for n in range(0, WINDOWS, 32):
        x = draws.batch(generators(11, n, size=32), config.frames, turn=False)
        for k, v in reconstructed(network.vae, x).items():
            found[k].append(v)
        rows, tokens = _all(x.valid, network)
        again = network.vae.decode(network.vae.encode(x.truth, x.offsets, rows, tokens, x.valid), x.valid)
        for out, clips in ((again, made), (x.truth, true)):
            clips += _clips(out, x.offsets, x.valid.sum(1).tolist())
    a, b = judge.clips(true), judge.clips(made)
    return {
        "joints_percent_of_hip_height": round(100 * float(torch.cat(found["joints"]).mean()), 3),
        "path_percent_of_hip_height": round(100 * float(torch.cat(found["path"]).mean()), 3),
        "KID": round(text_metrics.kid(a, b), 4), "FID": round(text_metrics.fid(a, b), 3),
    }  # fmt: skip


def _all(valid: Tensor, network: Networks) -> tuple[Tensor, Tensor]:
    """Confidence of rows and tokens where everything is credible."""
    ones = torch.ones(*valid.shape, features.J)
    rows = row_confidence(ones, ones[..., 0], valid)
    return rows, (rows[..., :1] > 0).expand(-1, -1, len(network.vae.layout))


def measured(cache: Cache, generate: judged.Generate, judge: str = "report", most: int = MOTIONS,
             size: int = text_metrics.POOL) -> dict[str, Any]:  # fmt: skip
    """R@1 to 3, KID, skating and standing feet of the first row of :data:`material.SETS` that has captions."""
    for name, row in material.rows(cache).items():
        asked = judged.ask(cache, row, most, size=size)
        if asked is None:
            continue
        space = judged.Space(cache, row, asked, evaluator.installed(judge))
        clips = generate([cache.texts[t] for t in asked.texts], [len(c) for c in asked.clips], 0)
        cell, truth = space.measure(clips), space.measure(asked.clips)
        keep = ("R@1", "R@2", "R@3", "KID", "diversity")
        looks = {w: judged.looks(c) for w, c in (("", clips), ("truth ", asked.clips))}
        return {"set": name, "motions": len(clips), **{k: cell[k] for k in keep},
                "truth R@1": truth["R@1"], "truth R@3": truth["R@3"],
                **{f"{w}{k}": found[k] for k in ("skating", "standing") for w, found in looks.items()}}  # fmt: skip
    raise ValueError("no captions to measure text-to-motion by")


def prompted(system: RoPAR, skeleton: np.ndarray | None = None) -> judged.Generate:
    """A system that is asked many prompts at once, finished as the product does (standing feet)."""

    def generate(texts: Sequence[str], lengths: Sequence[int], seed: int) -> list[Clip]:
        vectors = torch.from_numpy(text.shared().embed(list(texts))).float()
        clips: list[Clip | None] = [None] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: lengths[i])
        for at in range(0, len(order), BATCH):
            some = order[at : at + BATCH]
            drawn = _asked(system, vectors[some], [lengths[i] for i in some], [seed, *some])
            for i, clip in zip(some, drawn, strict=True):
                request = constraints.text(
                    rest_clip(lengths[i], FPS), [constraints.TextSpan(texts[i], 0, lengths[i])]
                )
                clips[i] = finish(clip, request)
        return [c for c in clips if c is not None]

    return generate


def _asked(system: RoPAR, vectors: Tensor, lengths: Sequence[int], seeds: Sequence[int]) -> list[Clip]:
    """Motions of sentences, from rest clips; row k's randomness follows from the first seed and its own."""
    longest, rows = max(lengths), len(lengths)
    rest = rest_clip(longest, FPS)
    t = lambda v: torch.tensor(np.asarray(v), dtype=torch.float32).expand(rows, *np.shape(v))  # noqa: E731
    valid = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
    nothing = torch.zeros_like(valid)
    window = features.Window(t(rest.rotations), t(rest.root_positions), t(rest.skeleton.offsets),
                             nothing[..., None].expand(-1, -1, features.J), nothing, valid)  # fmt: skip
    x = features.inputs(features.localise(features.interpolate(window))[0])
    drawing = [torch.Generator().manual_seed(seeds[0] * 1_000_003 + s) for s in seeds[1:]]
    said = Context(vectors[:, None], torch.ones(rows, -(-longest // STRIDE), 1, dtype=torch.bool))
    out = x.base + system.drawn(x, said, drawing, lambda: None)
    return _clips(out, x.offsets, lengths, float(rest.skeleton.offsets[0, 1]))


def _clips(channels: Tensor, offsets: Tensor, lengths: Sequence[int], scale: float = 1.0) -> list[Clip]:
    """Clips of channels ``(B, T, 135)`` in hip heights."""
    matrices, root = features.poses(channels)
    turned = features.quaternions(matrices)
    return [
        Clip(
            canonical(scale * o.double().numpy()),
            rotations.continuous(q[:n]),
            scale * r[:n].double().numpy(),
            FPS,
        )
        for q, r, o, n in zip(turned, root, offsets, lengths, strict=True)
    ]


TABLES: Mapping[str, Callable[[Path, int, int, str], list[dict[str, Any]]]] = {"ropar-vae": vaes}
ROWS: Mapping[str, Callable[..., list[dict[str, Any]]]] = {
    "ropar-generation": generation, "ropar-credible": credible,
}  # fmt: skip
"""Tables whose rows can be kept and trained apart: see :mod:`training.kept`."""
