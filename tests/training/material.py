"""Made-up motion and shrunk presets: what the tests of training are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.skeleton import JOINTS
from training.config import PRESETS, Config


def swinging(seed: int, frames: int, fps: float = 30.0) -> Clip:
    """Joints swing, each at its own pace, knees bend back, the root walks."""
    rng = np.random.default_rng(seed)
    clip = rest_clip(frames, fps)
    t = np.arange(frames)[:, None, None] / fps
    axes = rng.normal(size=(1, len(JOINTS), 3)) * 0.25
    turns = axes * np.sin(t * rng.uniform(1, 5, (1, len(JOINTS), 1)) + rng.uniform(0, 6, (1, len(JOINTS), 1)))
    way = [0.05 * np.sin(3 * t[:, 0]), 0.02 * np.sin(4 * t[:, 0]), 0.5 * t[:, 0]]
    root = clip.root_positions + np.concatenate(way, 1)
    return Clip(clip.skeleton, rotations.from_axis_angle(turns), root, fps, name=f"swing {seed}")


FIRST_STAGES = {"mogents": "mogents-vq", "ropar": "ropar-vae"}
"""Objective -> the preset of the stage that it starts from."""


def shrunk(preset: str, **changes: object) -> Config:
    """A preset with everything that makes it what it is, but few and narrow, on the sources of the fixture."""
    config = PRESETS[preset]
    a = config.architecture
    narrow = replace(
        a, pose_width=16, joint_width=min(a.joint_width, 8), heads=2, joint_heads=2, hidden=24,
        rounds=min(a.rounds, 2),
    )  # fmt: skip
    small: dict[str, object] = {"frames": 24, "long_frames": 32, "batch": 4, "steps": 2, "warmup": 2}
    for tiny, names in (("ropar-tiny", ("vae", "transformer")), ("mogents-tiny", ("quantiser", "masked"))):
        for name in names:
            if getattr(config, name) is not None:
                small[name] = getattr(PRESETS[tiny], name)
    sources = {s: w for s, w in config.sources.items() if s in ("cmu", "reactidle", "bandai_namco")}
    return replace(config, architecture=narrow, sources=sources, **{**small, **changes})  # type: ignore[arg-type]
