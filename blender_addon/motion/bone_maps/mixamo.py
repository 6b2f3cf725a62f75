"""Mixamo's auto-rigger, and what borrowed its names (Ready Player Me, many game characters)."""

from __future__ import annotations

from .preset import Preset

PRESETS = (
    Preset(
        family="mixamo",
        bones={
            "pelvis": ("Hips",),
            "spine": ("Spine", "Spine1", "Spine2", "Spine3", "Spine4"),
            "neck": ("Neck", "Neck1", "Neck2"),
            "head": ("Head",),
            "collar": ("{0}Shoulder",),
            "shoulder": ("{0}Arm",),
            "elbow": ("{0}ForeArm",),
            "wrist": ("{0}Hand",),
            "hip": ("{0}UpLeg",),
            "knee": ("{0}Leg",),
            "ankle": ("{0}Foot",),
            "foot": ("{0}ToeBase",),
        },
        fingers={
            "thumb": ("{0}HandThumb1", "{0}HandThumb2", "{0}HandThumb3"),
            "index": ("{0}HandIndex1", "{0}HandIndex2", "{0}HandIndex3"),
            "middle": ("{0}HandMiddle1", "{0}HandMiddle2", "{0}HandMiddle3"),
            "ring": ("{0}HandRing1", "{0}HandRing2", "{0}HandRing3"),
            "pinky": ("{0}HandPinky1", "{0}HandPinky2", "{0}HandPinky3"),
        },
        needs=("Hips", "Spine1", "LeftUpLeg"),
        forbids=("LHipJoint", "LowerBack", "LeftToe", "LeftToes"),
    ),
)
