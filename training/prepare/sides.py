"""Left and right swapped in sentences, for mirrored clips. Swapping twice gives the sentence back."""

from __future__ import annotations

import re

_PAIRS = (
    ("left", "right"), ("lefts", "rights"), ("leftward", "rightward"), ("leftwards", "rightwards"),
    ("lefthand", "righthand"), ("lefthanded", "righthanded"), ("leftmost", "rightmost"),
    ("leftside", "rightside"), ("clockwise", "counterclockwise"),
)  # fmt: skip
_OTHER = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
# "right away" is no direction. Both sides of each, so that swapping twice changes nothing.
_KEPT = re.compile(r"\b(?:(?:left|right) (?:away|now|angles?)|all (?:left|right))\b", re.IGNORECASE)
_SIDE = re.compile(r"\b(?:" + "|".join(sorted(_OTHER, key=len, reverse=True)) + r")\b", re.IGNORECASE)
_COUNTER = re.compile(r"\b(?:counter[- ]|anti-?)clockwise\b", re.IGNORECASE)


def plain(sentence: str) -> str:
    """One spelling where there are several, and no odd capitals: ``anti-clockwise`` -> ``counterclockwise``."""
    sentence = _COUNTER.sub("counterclockwise", sentence)
    return _SIDE.sub(lambda m: m[0] if m[0] in (m[0].upper(), m[0].capitalize()) else m[0].lower(), sentence)


def swap(sentence: str) -> str:
    """``raises the Left hand`` -> ``raises the Right hand``. The sentence is :func:`plain`."""
    out, at = [], 0
    for kept in _KEPT.finditer(sentence):
        out += [_SIDE.sub(_swapped, sentence[at : kept.start()]), kept.group()]
        at = kept.end()
    return "".join([*out, _SIDE.sub(_swapped, sentence[at:])])


def _swapped(found: re.Match[str]) -> str:
    word = found.group()
    other = _OTHER[word.lower()]
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other
