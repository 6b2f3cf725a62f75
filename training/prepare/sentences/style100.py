"""Sentences for 100STYLE's takes: a way of moving, and the style's own name."""

from __future__ import annotations

import re

from ..take import Sentence
from .phrases import Manner, write

_WAYS: dict[str, tuple[str, ...]] = {
    "BR": ("run backward", "run backwards"),
    "BW": ("walk backward", "walk backwards"),
    "FR": ("run forward", "run"),
    "FW": ("walk forward", "walk"),
    "ID": ("stand idle", "stand in place", "idle"),
    "SR": ("run sideways", "sidestep at a run"),
    "SW": ("walk sideways", "sidestep"),
    "TR1": ("change from standing to walking and back", "start and +stop walking"),
    "TR2": ("change between walking and running", "speed up and +slow down"),
    "TR3": ("change from one way of moving to another", "change direction while moving"),
}


def sentences(style: str, way: str) -> tuple[Sentence, ...]:
    """Sentences of ``STYLE_WAY``, e.g. ``ArmsAboveHead`` and ``FW``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", style).replace("_", " ").lower()
    manner = Manner((f"in the style of {words}", f"{words} style", f"with the style {words}"))
    return tuple(Sentence(text) for text in write(_WAYS.get(way, ("move",)), manner, 12, f"{style} {way}"))
