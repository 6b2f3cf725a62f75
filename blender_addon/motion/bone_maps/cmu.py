"""CMU's BVH conversions: the MotionBuilder-like skeleton and the Daz-like one (cgspeed's)."""

from __future__ import annotations

from .preset import Preset

MOTIONBUILDER = Preset(
    family="cmu",
    # LHipJoint and RHipJoint sit on the hips with no length and are no joints of the body.
    bones={
        "pelvis": ("Hips",),
        "spine": ("LowerBack", "Spine", "Spine1"),
        "neck": ("Neck", "Neck1"),
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
    sides=(("Left", "L"), ("Right", "R")),
    fingers={"index": ("{0}HandIndex1",), "thumb": ("{1}Thumb",)},
    needs=("LowerBack", "LHipJoint"),
)

DAZ_LIKE = Preset(
    family="cmu",
    bones={
        "pelvis": ("hip",),
        "spine": ("abdomen", "chest"),
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
    fingers={
        "thumb": ("{0}Thumb1", "{0}Thumb2"),
        "index": ("{0}Index1", "{0}Index2"),
        "middle": ("{0}Mid1", "{0}Mid2"),
        "ring": ("{0}Ring1", "{0}Ring2"),
        "pinky": ("{0}Pinky1", "{0}Pinky2"),
    },
    needs=("lButtock", "rButtock"),
)

PRESETS = (MOTIONBUILDER, DAZ_LIKE)
