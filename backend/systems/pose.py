"""The pose-level transformer: the same network without joint tokens, and the baseline of the tables."""

from __future__ import annotations

from .base import Denoising


class Pose(Denoising):
    """Pose tokens only; the fastest of the systems."""

    name = "pose"
