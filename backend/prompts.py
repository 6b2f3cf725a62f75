"""What a model knows of words: the prompts it was trained on, and how near another one is to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from . import text

LEVELS = ("known", "near", "unfamiliar")
NEAREST = 3
"""Known prompts that are offered."""


@dataclass(frozen=True, eq=False)
class Prompts:
    """Prompts of the training data, one of each meaning.

    Attributes:
        texts: M sentences; seconds: how long the motion of each usually is.
        vectors: ``(M, 384)`` their sentence vectors, unit length.
        known, near: cosines above which a prompt counts as known, and as near.
    """

    texts: Sequence[str]
    seconds: Sequence[float]
    vectors: np.ndarray
    known: float
    near: float

    @classmethod
    def from_bundle(cls, settings: Mapping[str, Any], vectors: np.ndarray) -> Self:
        """Build from a bundle's entry."""
        return cls(settings["texts"], settings["seconds"], vectors, float(settings["known"]),
                   float(settings["near"]))  # fmt: skip

    def to_bundle(self) -> dict[str, Any]:
        """What :meth:`from_bundle` takes, but the vectors."""
        return {"texts": list(self.texts), "seconds": list(self.seconds), "known": self.known,
                "near": self.near}  # fmt: skip

    def judge(self, prompt: str) -> dict[str, Any]:
        """How near a prompt is: ``text``, ``level`` (one of :data:`LEVELS`), ``similarity`` (cosine with the
        nearest), ``nearest`` (known prompts, nearest first), ``seconds`` (how long the nearest usually is).

        Raises:
            WeightsError: the sentence encoder is not there.
        """
        cosines = self.vectors.astype(np.float32) @ text.with_sentence(text.states(prompt))[-1].astype(
            np.float32
        )
        order = np.argsort(-cosines)[:NEAREST]
        best = float(cosines[order[0]])
        level = LEVELS[0 if best >= self.known else 1 if best >= self.near else 2]
        return {"text": prompt, "level": level, "similarity": round(best, 3),
                "nearest": [self.texts[i] for i in order], "seconds": self.seconds[int(order[0])]}  # fmt: skip
