"""Bandai Namco Research's motion data sets: 22 joints, a zero pose that means nothing.

A Maya-like rig without its joint orients: every bone lies along its own local X, + on the left
and - on the right. The orientations below stand it into a T-pose. They were read off the data:
offsets give spine, hips and collars; the knees' hinge is local +Y, the elbows' local -Y (mean of
40 neutral takes); feet and toes as they stand when flat on the ground (toe and ankle slower than
3 mm a frame, 60 neutral takes: ankle to ball 39.6 degrees below the horizon, toes 23 and 20).
"""

from __future__ import annotations

from .preset import Preset

_HIPS = (0.707106781, 0.0, 0.0, 0.707106781)  # local X up, Y right, Z forward
_SPINE = (0.5, 0.5, 0.5, 0.5)  # X up, Y forward, Z left
_LEFT_ARM = (1.0, 0.0, 0.0, 0.0)
_RIGHT_ARM = (0.0, 1.0, 0.0, 0.0)  # X left (the bone runs along -X), Y down, Z back
_LEFT_LEG = (0.707106781, 0.0, 0.0, -0.707106781)  # X down, Y left, Z forward
_RIGHT_LEG = (0.0, 0.707106781, 0.707106781, 0.0)  # X up (the bone runs along -X), Y left, Z back

PRESETS = (
    Preset(
        family="bandai_namco",
        bones={
            "pelvis": ("Hips",),
            "spine": ("Spine", "Chest"),
            "neck": ("Neck",),
            "head": ("Head",),
            "collar": ("Shoulder_{0}",),
            "shoulder": ("UpperArm_{0}",),
            "elbow": ("LowerArm_{0}",),
            "wrist": ("Hand_{0}",),
            "hip": ("UpperLeg_{0}",),
            "knee": ("LowerLeg_{0}",),
            "ankle": ("Foot_{0}",),
            "foot": ("Toes_{0}",),
        },
        sides=(("L",), ("R",)),
        needs=("joint_Root", "Hips", "UpperLeg_L", "Toes_L"),
        reference={
            "joint_Root": (1.0, 0.0, 0.0, 0.0),
            "Hips": _HIPS,
            "Spine": _SPINE,
            "Chest": _SPINE,
            "Neck": _SPINE,
            "Head": _SPINE,
            "Shoulder_L": _LEFT_ARM,
            "UpperArm_L": _LEFT_ARM,
            "LowerArm_L": _LEFT_ARM,
            "Hand_L": _LEFT_ARM,
            "Shoulder_R": _RIGHT_ARM,
            "UpperArm_R": _RIGHT_ARM,
            "LowerArm_R": _RIGHT_ARM,
            "Hand_R": _RIGHT_ARM,
            "UpperLeg_L": _LEFT_LEG,
            "LowerLeg_L": _LEFT_LEG,
            "Foot_L": (0.639809, -0.301071, -0.301071, -0.639809),
            "Toes_L": (0.589646, -0.390278, -0.390278, -0.589646),
            "UpperLeg_R": _RIGHT_LEG,
            "LowerLeg_R": _RIGHT_LEG,
            "Foot_R": (0.301071, 0.639809, 0.639809, -0.301071),
            "Toes_R": (0.40558, 0.579228, 0.579228, -0.40558),
        },
    ),
)
