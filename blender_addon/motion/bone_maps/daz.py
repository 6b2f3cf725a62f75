"""Daz: Genesis 9, Genesis 3 and 8 (bend and twist bones in line), Genesis 1 and 2.

``hip`` carries location and everything below it; ``pelvis`` only turns the legs, so it is no role.
"""

from __future__ import annotations

from .preset import Preset

_FINGERS = {
    "thumb": ("{0}Thumb1", "{0}Thumb2", "{0}Thumb3"),
    "index": ("{0}Index1", "{0}Index2", "{0}Index3"),
    "middle": ("{0}Mid1", "{0}Mid2", "{0}Mid3"),
    "ring": ("{0}Ring1", "{0}Ring2", "{0}Ring3"),
    "pinky": ("{0}Pinky1", "{0}Pinky2", "{0}Pinky3"),
}

GENESIS_9 = Preset(
    family="daz",
    bones={
        "pelvis": ("hip",),
        "spine": ("spine1", "spine2", "spine3", "spine4"),
        "neck": ("neck1", "neck2"),
        "head": ("head",),
        "collar": ("{0}_shoulder",),
        "shoulder": ("{0}_upperarm",),
        "elbow": ("{0}_forearm",),
        "wrist": ("{0}_hand",),
        "hip": ("{0}_thigh",),
        "knee": ("{0}_shin",),
        "ankle": ("{0}_foot", "{0}_metatarsals"),
        "foot": ("{0}_toes",),
    },
    sides=(("l",), ("r",)),
    fingers={
        "thumb": ("{0}_thumb1", "{0}_thumb2", "{0}_thumb3"),
        "index": ("{0}_index1", "{0}_index2", "{0}_index3"),
        "middle": ("{0}_mid1", "{0}_mid2", "{0}_mid3"),
        "ring": ("{0}_ring1", "{0}_ring2", "{0}_ring3"),
        "pinky": ("{0}_pinky1", "{0}_pinky2", "{0}_pinky3"),
    },
    needs=("hip", "pelvis", "l_upperarm", "l_shin"),
)

GENESIS_3_8 = Preset(
    family="daz",
    bones={
        "pelvis": ("hip",),
        "spine": ("abdomenLower", "abdomenUpper", "chestLower", "chestUpper"),
        "neck": ("neckLower", "neckUpper"),
        "head": ("head",),
        "collar": ("{0}Collar",),
        "shoulder": ("{0}ShldrBend", "{0}ShldrTwist"),
        "elbow": ("{0}ForearmBend", "{0}ForearmTwist"),
        "wrist": ("{0}Hand",),
        "hip": ("{0}ThighBend", "{0}ThighTwist"),
        "knee": ("{0}Shin",),
        "ankle": ("{0}Foot", "{0}Metatarsals"),
        "foot": ("{0}Toe",),
    },
    sides=(("l",), ("r",)),
    fingers=_FINGERS,
    needs=("hip", "lShldrBend", "lThighBend"),
)

GENESIS_1_2 = Preset(
    family="daz",
    bones={
        "pelvis": ("hip",),
        "spine": ("abdomen", "abdomen2", "chest"),
        "neck": ("neck",),
        "head": ("head",),
        "collar": ("{0}Collar",),
        "shoulder": ("{0}Shldr",),
        "elbow": ("{0}ForeArm",),
        "wrist": ("{0}Hand",),
        "hip": ("{0}Thigh",),
        "knee": ("{0}Shin",),
        "ankle": ("{0}Foot",),
        "foot": ("{0}Toe",),
    },
    sides=(("l",), ("r",)),
    fingers=_FINGERS,
    needs=("hip", "abdomen", "lShldr"),
    forbids=("lButtock",),
)

PRESETS = (GENESIS_9, GENESIS_3_8, GENESIS_1_2)
