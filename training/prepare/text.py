"""Sentence embeddings of the cache: by the product's own encoder, :mod:`backend.text`."""

from __future__ import annotations

import numpy as np

from backend.text import PACKAGE, Encoder

from .cache import EMBEDDING

__all__ = ["PACKAGE", "Encoder", "none"]


def none(count: int) -> np.ndarray:
    """Embeddings of ``count`` sentences that were not made: no rows. ``(0, 384)``."""
    return np.zeros((count, EMBEDDING), np.float16)
