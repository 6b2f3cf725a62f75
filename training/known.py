"""What a text model knows of words: the prompts that its bundle keeps, and the lists on its card."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from backend.prompts import Prompts
from blender_addon.motion.errors import LimberError

from .captions import collect
from .prepare.cache import FPS, Cache
from .prepare.sentences import bandai_namco
from .prepare.sentences.phrases import third

LONGEST = 10.0
"""Seconds that are suggested for a prompt at most."""


def prompts(cache: Cache, sources: Collection[str]) -> Prompts:
    """The first sentence of every captioned stretch that was trained on, and its mirror image, each once.

    A prompt is known if it is as near to one of them as nine in ten of the other sentences about the same
    stretches are, near if it is as near as 99 in 100 of them are. (Of the research data's sentences: cosines of
    0.63 and 0.48. Of its held-out captions that were never trained on 80 % are known, 18 % near; of thirty
    sentences about anything but motion none is known and one near.)

    Raises:
        LimberError: nothing is said about these sources.
    """
    said = collect(cache, [e for e in cache.select("train") if e.source in sources], mirrored=True)
    if not said:
        raise LimberError("nothing is said about the motion that this model was trained on")
    lengths: dict[int, list[int]] = {}
    for s in said:
        lengths.setdefault(s.texts[0], []).append(s.length)
    chosen = sorted(lengths)
    vectors = cache.embeddings[chosen]
    others = sorted({t for s in said for t in s.texts} - set(chosen))
    wide = vectors.astype(np.float32)
    known, near = 0.9, 0.5
    if others:
        known, near = np.percentile(
            (cache.embeddings[others].astype(np.float32) @ wide.T).max(1), (10, 1)
        ).tolist()
    seconds = [round(min(float(np.median(lengths[t])) / FPS, LONGEST), 1) for t in chosen]
    return Prompts([cache.texts[t] for t in chosen], seconds, vectors, known, near)


def listed(known: Prompts, sources: Collection[str]) -> list[str]:
    """Lines for the card: actions and modifiers where clips are named by them, and the other sentences."""
    lines: list[str] = []
    written: set[str] = set()
    if "bandai_namco" in sources:
        actions = [phrases[0].replace("+", "") for phrases in bandai_namco.ACTIONS.values()]
        styles = [m.after[0] or "neutrally" for m in bandai_namco.STYLES.values()]
        lines += [
            f"Actions in styles: {'; '.join(actions)}.",
            "",
            f"Styles (modifiers): {'; '.join(styles)}.",
            "",
        ]
        # not all actions in all styles: these sentences are prompts of the bundle all the same
        written = {t for t in known.texts if any(t.startswith(f"a person {third(a)}") for a in actions)}
    rest = [t for t in known.texts if t not in written]
    lines += [f"{'Besides' if lines else 'Sentences'}: {'; '.join(rest)}.", ""]
    return [*lines, f"{len(known.texts)} prompts in all; a prompt is called known above a cosine of "
            f"{known.known:.2f} with the nearest of them, near above {known.near:.2f}."]  # fmt: skip
