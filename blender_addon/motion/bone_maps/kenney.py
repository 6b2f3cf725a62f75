"""Kenney's animated characters: Mixamo's words on Unity's spine (``Chest``, ``UpperChest``)."""

from __future__ import annotations

from .preset import Preset

PRESETS = (
    Preset(
        family="kenney",
        bones={
            "pelvis": ("Hips",),
            "spine": ("Spine", "Chest", "UpperChest"),
            "neck": ("Neck",),
            "head": ("Head",),
            "collar": ("{0}Shoulder",),
            "shoulder": ("{0}Arm",),
            "elbow": ("{0}ForeArm",),
            "wrist": ("{0}Hand",),
            "hip": ("{0}UpLeg",),
            "knee": ("{0}Leg",),
            "ankle": ("{0}Foot",),
            "foot": ("{0}Toes",),
        },
        fingers={
            "thumb": ("{0}HandThumb1", "{0}HandThumb2"),
            "index": ("{0}HandIndex1", "{0}HandIndex2", "{0}HandIndex3"),
        },
        needs=("Hips", "Chest", "LeftUpLeg", "LeftForeArm"),
    ),
)
