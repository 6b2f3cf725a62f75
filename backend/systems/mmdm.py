"""MMDM: masked motion diffusion with Kinematic Attention Aggregation (joint and pose tokens)."""

from __future__ import annotations

from .base import Denoising


class MMDM(Denoising):
    """A KAA network with a joint stream; see :mod:`backend.nn.kaa`."""

    name = "mmdm"
