"""KayKit's characters: no neck, no collars; ``wrist`` and ``hand`` are in line."""

from __future__ import annotations

from .preset import Preset

PRESETS = (
    Preset(
        family="kaykit",
        bones={
            "pelvis": ("hips",),
            "spine": ("spine", "chest"),
            "head": ("head",),
            "shoulder": ("upperarm.{0}",),
            "elbow": ("lowerarm.{0}",),
            "wrist": ("wrist.{0}", "hand.{0}"),
            "hip": ("upperleg.{0}",),
            "knee": ("lowerleg.{0}",),
            "ankle": ("foot.{0}",),
            "foot": ("toes.{0}",),
        },
        sides=(("l",), ("r",)),
        needs=("hips", "chest", "upperleg.l", "upperarm.l", "wrist.l"),
    ),
)
