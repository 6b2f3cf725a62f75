"""LAFAN1's BVH files and skeletons that follow the same habits (MotionBuilder, Vicon, Xsens)."""

from __future__ import annotations

from .preset import Preset

LAFAN1 = Preset(
    family="lafan",
    bones={
        "pelvis": ("Hips",),
        "spine": ("Spine", "Spine1", "Spine2", "Spine3"),
        "neck": ("Neck", "Neck1"),
        "head": ("Head",),
        "collar": ("{0}Shoulder",),
        "shoulder": ("{0}Arm",),
        "elbow": ("{0}ForeArm",),
        "wrist": ("{0}Hand",),
        "hip": ("{0}UpLeg",),
        "knee": ("{0}Leg",),
        "ankle": ("{0}Foot",),
        "foot": ("{0}Toe",),
    },
    needs=("LeftToe", "LeftUpLeg", "Spine1"),
)

JOINT_NAMES = Preset(
    family="lafan",
    # 100STYLE and other BVH files that name the joints instead of the limbs.
    bones={
        "pelvis": ("Hips",),
        "spine": ("Chest", "Chest2", "Chest3", "Chest4"),
        "neck": ("Neck",),
        "head": ("Head",),
        "collar": ("{0}Collar",),
        "shoulder": ("{0}Shoulder",),
        "elbow": ("{0}Elbow",),
        "wrist": ("{0}Wrist",),
        "hip": ("{0}Hip",),
        "knee": ("{0}Knee",),
        "ankle": ("{0}Ankle",),
        "foot": ("{0}Toe",),
    },
    needs=("Chest", "LeftCollar", "LeftElbow", "LeftHip"),
)

PRESETS = (LAFAN1, JOINT_NAMES)
