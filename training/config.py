"""Presets: everything that decides a run, as frozen data, each number with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backend.nn import autoregressive, masked, parts, quantiser, steered
from backend.nn.denoiser import Architecture

from . import steering
from .losses import Weights


@dataclass(frozen=True)
class Config:
    """A training run.

    Attributes:
        family: ``open`` (commercial use allowed) or ``research``.
        sources: share of each source among the windows.
        masks: share of each mask policy.
        architecture: the network.
        weights: the loss.
        frames: window length; 64 holds a 60-frame gap with context.
        long_frames, long_share: some windows are longer, so that two-second gaps and more are met.
        batch: windows a step; short runs learn more from many small steps than from few large ones.
        steps: optimiser steps in all.
        rate: AdamW's learning rate, held, then lowered over the last ``cooldown`` of the steps, so
            that a run can be prolonged or branched from any checkpoint before it.
        warmup: steps to reach ``rate``.
        one_pass: for networks without a decoder, the share of samples at step ``STEPS`` (the one-pass
            mode); the rest train the chain.
        chain: weight of the decoder's loss beside the one pass'.
        ema: decay of the averaged weights that are exported; 0.999 suits short runs.
        decay: AdamW's weight decay of matrices.
        clip_norm: gradients are scaled down to this norm.
        objective: what is learnt, a module of :mod:`training.objectives`.
        quantiser, masked: networks of MoGenTS, where it is learnt; ``mogents-vq`` trains the first,
            ``mogents`` the second with ``--from`` the first's checkpoint.
        vae, transformer: networks of RoPAR, likewise (``ropar-vae``, ``ropar``).
        credible: RoPAR: least share of a window's body parts, over time, that is not spoiled on the fly; each
            window's own share lies between it and 1.
        tau: RoPAR: mean confidence above which a part is credible.
        heed: RoPAR: False learns from what is not credible too (for comparison).
        steered: the branch of DMS, where it is learnt, with ``--from`` a bundle or run of ``mmdm``.
        strategy: DMS: how joints and frames that steer are drawn, of :data:`steering.STRATEGIES`.
        uniform: DMS: share of windows whose joints and frames are drawn evenly instead.
        follow: DMS: weight of how far targets are missed, hip heights.
        offered: DMS: the tasks that it is offered for.
    """

    family: str = "research"
    sources: Mapping[str, float] = field(
        default_factory=lambda: {
            "bandai_namco": 0.58,
            "cmu": 0.27,
            "reactidle": 0.09,
            "kaykit": 0.03,
            "mesh2motion": 0.03,
        }
    )
    masks: Mapping[str, float] = field(
        default_factory=lambda: {"transition": 0.5, "sparse": 0.3, "partial": 0.2}
    )
    architecture: Architecture = field(default_factory=Architecture)
    weights: Weights = field(default_factory=Weights)
    frames: int = 64
    long_frames: int = 128
    long_share: float = 0.08
    batch: int = 16
    steps: int = 12000
    rate: float = 6e-4
    cooldown: float = 0.3
    warmup: int = 200
    one_pass: float = 0.85
    chain: float = 0.5
    ema: float = 0.999
    decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 0
    objective: str = "denoise"
    quantiser: quantiser.Architecture | None = None
    masked: masked.Architecture | None = None
    vae: parts.Architecture | None = None
    transformer: autoregressive.Architecture | None = None
    credible: float = 1.0
    tau: float = parts.TAU
    heed: bool = True
    steered: steered.Architecture | None = None
    strategy: str = "dms"
    uniform: float = steering.UNIFORM
    follow: float = 8.0
    offered: tuple[str, ...] = ("follow", "text")


def fitted(config: Config, frames: Mapping[str, int]) -> Config:
    """The same run on the sources that a cache has.

    Args:
        frames: source -> its frames to train on. Of the configuration's sources those are taken that
            are there, in their proportions; where none is, all others, by their length.

    Raises:
        ValueError: no frames at all.
    """
    there = {s: share for s, share in config.sources.items() if frames.get(s)}
    there = there or {s: float(n) for s, n in frames.items() if n}
    if not there:
        raise ValueError("the cache has no clips to train on")
    return replace(config, sources=there)


def stored(saved: Mapping[str, Any]) -> Config:
    """A configuration from what ``dataclasses.asdict`` made of it; older ones lack the newest fields."""
    kinds = {"architecture": Architecture, "weights": Weights, "quantiser": quantiser.Architecture,
             "masked": masked.Architecture, "vae": parts.Architecture,
             "transformer": autoregressive.Architecture, "steered": steered.Architecture}  # fmt: skip
    values: dict[str, Any] = {
        k: kinds[k](**v) if k in kinds and v is not None else v for k, v in saved.items()
    }
    return Config(**values)


_OPEN = {"cmu": 0.64, "reactidle": 0.26, "kaykit": 0.05, "mesh2motion": 0.05}
_KAA = Architecture(joint_width=24, every=2, decoder=3, dropout=0.05)
_OPEN_KAA = replace(_KAA, dropout=0.1)
"""The open family has an hour of motion: without dropout, held-out subjects gain half of what training clips do."""
_MIX = {
    "transition": 0.26, "sparse": 0.14, "partial": 0.1,
    "per_pose": 0.03, "per_joint": 0.03, "weighted": 0.04, "limbs": 0.08, "occlusions": 0.06,
    "jitter": 0.06, "bursts": 0.03, "swaps": 0.03, "positions": 0.1, "lost": 0.04,
}  # fmt: skip
"""All tasks of MMDM: in-betweening for half of the windows, completion for a quarter, refinement for the rest."""

_VQ = Config(
    objective="mogents_vq", quantiser=quantiser.Architecture(width=96, levels=4), frames=64, long_share=0.05,
    batch=16, steps=3500, rate=8e-4, warmup=100, ema=0.998,
)  # fmt: skip
_SAID = {"bandai_namco": 0.64, "cmu": 0.2, "reactidle": 0.04, "kaykit": 0.06, "mesh2motion": 0.06}
_MOGENTS = Config(
    objective="mogents", sources=_SAID, quantiser=_VQ.quantiser, masked=masked.Architecture(), frames=112,
    long_frames=196, long_share=0.7, batch=32, steps=7000, rate=8e-4, warmup=200, ema=0.999, decay=0.02,
)  # fmt: skip
"""Half of the captioned stretches are longer than 112 frames; a step of long ones has half as many rows."""
_TINY_CODES = quantiser.Architecture(width=16, depth=1, codes=16, levels=3)
_TINY_MASKED = masked.Architecture(width=8, heads=2, hidden=16, pose_width=16, pose_heads=2, pose_hidden=24, rounds=1,
                                   residual_rounds=1)  # fmt: skip

_VAE = Config(objective="ropar_vae", vae=parts.Architecture(), frames=64, long_share=0.05, batch=32, steps=2500,
              rate=1e-3, warmup=100, ema=0.99, credible=0.6)  # fmt: skip
_ROPAR = Config(
    objective="ropar", sources=_SAID, vae=_VAE.vae, transformer=autoregressive.Architecture(), frames=96,
    long_frames=196, long_share=0.6, batch=32, steps=3000, rate=8e-4, warmup=100, ema=0.995, decay=0.02, credible=0.8,
)  # fmt: skip
"""Some of every part is hidden by untrustworthiness in both stages: that is how the product asks."""
_TINY_PARTS = parts.Architecture(width=16, hidden=16, latent=4, depth=1)
_TINY_TOKENS = autoregressive.Architecture(
    width=16, heads=2, hidden=24, rounds=1, head_width=16, head_depth=1
)

_TINY = Architecture(pose_width=32, joint_width=8, heads=2, joint_heads=2, hidden=64, rounds=2, decoder=1,
                     decoder_width=16)  # fmt: skip
_DMS = Config(
    objective="dms", sources=_SAID, architecture=_KAA, steered=steered.Architecture(), frames=96, long_frames=128,
    long_share=0.75, batch=24, steps=5000, rate=1e-3, warmup=100, ema=0.998, decay=0.02,
)  # fmt: skip
"""Windows of four seconds: what the protocol measures and animators ask for; most captioned stretches are as long."""

PRESETS: Mapping[str, Config] = {
    "tiny": Config(architecture=_TINY,
                   masks={"sparse": 0.5, "limbs": 0.25, "jitter": 0.25},
                   frames=24, long_frames=32, batch=4, steps=8, warmup=2),
    "pose": Config(),
    "pose-open": Config(family="open", sources=_OPEN),
    "kaa": Config(architecture=_KAA),
    "kaa-open": Config(family="open", sources=_OPEN, architecture=_OPEN_KAA),
    "mmdm": Config(architecture=_KAA, masks=_MIX),
    "mmdm-open": Config(family="open", sources=_OPEN, architecture=_OPEN_KAA, masks=_MIX, decay=0.05),
    "mmdm-gpu": Config(
        masks=_MIX, batch=256, steps=40000, rate=5e-4, warmup=1000, ema=0.9995,
        architecture=Architecture(pose_width=320, joint_width=32, heads=5, joint_heads=4, hidden=1280, rounds=7,
                                  every=2, decoder=3, decoder_width=256, dropout=0.05),
    ),
    "mogents-vq": _VQ,
    "mogents-vq-open": replace(_VQ, family="open", sources=_OPEN, decay=0.05),
    "mogents": _MOGENTS,
    "mogents-gpu": replace(_MOGENTS, batch=96, steps=10000),
    "mogents-open": replace(
        _MOGENTS, family="open", sources={"cmu": 0.5, "reactidle": 0.1, "kaykit": 0.2, "mesh2motion": 0.2},
        masked=masked.Architecture(dropout=0.2), decay=0.1,
    ),
    "mogents-vq-tiny": replace(_VQ, quantiser=_TINY_CODES, frames=24, long_frames=32, batch=4, steps=8, warmup=2),
    "mogents-tiny": replace(_MOGENTS, quantiser=_TINY_CODES, masked=_TINY_MASKED, frames=24, long_frames=32, batch=4,
                            steps=8, warmup=2),
    "ropar-vae": _VAE,
    "ropar-vae-open": replace(_VAE, family="open", sources=_OPEN, decay=0.05),
    "ropar": _ROPAR,
    "ropar-open": replace(
        _ROPAR, family="open", sources={"cmu": 0.5, "reactidle": 0.1, "kaykit": 0.2, "mesh2motion": 0.2},
        transformer=autoregressive.Architecture(dropout=0.2), decay=0.1,
    ),
    "dms": _DMS,
    "dms-open": replace(
        _DMS, family="open", sources={"cmu": 0.5, "reactidle": 0.1, "kaykit": 0.2, "mesh2motion": 0.2},
        architecture=_OPEN_KAA, steered=steered.Architecture(dropout=0.1), decay=0.05,
        offered=("follow",),  # an hour of captioned motion teaches no text: R@3 is what chance gives
    ),
    "dms-tiny": replace(
        _DMS, architecture=_TINY, steered=steered.Architecture(width=16, heads=2, hidden=24), frames=24,
        long_frames=32, batch=4, steps=8, warmup=2,
    ),
    "ropar-vae-tiny": replace(_VAE, vae=_TINY_PARTS, frames=24, long_frames=32, batch=4, steps=8, warmup=2),
    "ropar-tiny": replace(_ROPAR, vae=_TINY_PARTS, transformer=_TINY_TOKENS, frames=24, long_frames=32, batch=4,
                          steps=8, warmup=2),
}  # fmt: skip
"""``tiny`` is for tests. ``pose`` has no joint stream (the baseline); ``kaa`` has a thin one and a
decoder; ``mmdm`` is the same for all three tasks. ``mmdm-gpu`` is as large as a bundle of 30 MB allows,
in batches that keep a large GPU busy; ``mogents-gpu`` has such batches too."""
