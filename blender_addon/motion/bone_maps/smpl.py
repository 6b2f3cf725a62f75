"""SMPL (``L_Hip``, also with a ``f_avg_`` prefix), SMPL-H and SMPL-X (``left_hip``), AMASS.

The canonical skeleton uses the second set of names.
"""

from __future__ import annotations

from .preset import Preset

SMPL = Preset(
    family="smpl",
    bones={
        "pelvis": ("Pelvis",),
        "spine": ("Spine1", "Spine2", "Spine3"),
        "neck": ("Neck",),
        "head": ("Head",),
        "collar": ("{0}_Collar",),
        "shoulder": ("{0}_Shoulder",),
        "elbow": ("{0}_Elbow",),
        "wrist": ("{0}_Wrist",),
        "hip": ("{0}_Hip",),
        "knee": ("{0}_Knee",),
        "ankle": ("{0}_Ankle",),
        "foot": ("{0}_Foot",),
    },
    sides=(("L",), ("R",)),
    needs=("Spine3", "L_Hip", "L_Collar"),
)

SMPLX = Preset(
    family="smpl",
    bones={
        "pelvis": ("pelvis",),
        "spine": ("spine1", "spine2", "spine3"),
        "neck": ("neck",),
        "head": ("head",),
        "collar": ("{0}_collar",),
        "shoulder": ("{0}_shoulder",),
        "elbow": ("{0}_elbow",),
        "wrist": ("{0}_wrist",),
        "hip": ("{0}_hip",),
        "knee": ("{0}_knee",),
        "ankle": ("{0}_ankle",),
        "foot": ("{0}_foot",),
    },
    sides=(("left",), ("right",)),
    fingers={
        "thumb": ("{0}_thumb1", "{0}_thumb2", "{0}_thumb3"),
        "index": ("{0}_index1", "{0}_index2", "{0}_index3"),
        "middle": ("{0}_middle1", "{0}_middle2", "{0}_middle3"),
        "ring": ("{0}_ring1", "{0}_ring2", "{0}_ring3"),
        "pinky": ("{0}_pinky1", "{0}_pinky2", "{0}_pinky3"),
    },
    needs=("spine3", "left_hip", "left_collar"),
)

PRESETS = (SMPL, SMPLX)
