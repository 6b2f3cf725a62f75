"""3ds Max Biped (``Bip01 L Thigh``; the index strips ``Bip01 `` as it strips namespaces).

The thighs hang on the first spine bone as a rule, and the clavicles on the neck; the pelvis is
still the pelvis.
"""

from __future__ import annotations

from .preset import Preset

PRESETS = (
    Preset(
        family="biped",
        bones={
            "pelvis": ("Pelvis",),
            "spine": ("Spine", "Spine1", "Spine2", "Spine3", "Spine4"),
            "neck": ("Neck", "Neck1", "Neck2"),
            "head": ("Head",),
            "collar": ("{0} Clavicle",),
            "shoulder": ("{0} UpperArm",),
            "elbow": ("{0} Forearm",),
            "wrist": ("{0} Hand",),
            "hip": ("{0} Thigh",),
            "knee": ("{0} Calf",),
            "ankle": ("{0} Foot",),
            "foot": ("{0} Toe0",),
        },
        sides=(("L",), ("R",)),
        fingers={
            "thumb": ("{0} Finger0", "{0} Finger01", "{0} Finger02"),
            "index": ("{0} Finger1", "{0} Finger11", "{0} Finger12"),
            "middle": ("{0} Finger2", "{0} Finger21", "{0} Finger22"),
            "ring": ("{0} Finger3", "{0} Finger31", "{0} Finger32"),
            "pinky": ("{0} Finger4", "{0} Finger41", "{0} Finger42"),
        },
        needs=("Pelvis", "Spine", "L Thigh", "L Calf"),
    ),
)
