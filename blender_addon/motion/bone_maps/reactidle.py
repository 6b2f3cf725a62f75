"""ReActIdle: 19 joints, no hands and no toes; ``pelvis.L``/``pelvis.R`` are stubs."""

from __future__ import annotations

from .preset import Preset

PRESETS = (
    Preset(
        family="reactidle",
        bones={
            "pelvis": ("pelvis",),
            "spine": ("spine", "spine.001"),
            "neck": ("neck",),
            "head": ("face",),
            "collar": ("shoulder.{0}",),
            "shoulder": ("upper_arm.{0}",),
            "elbow": ("forearm.{0}",),
            "hip": ("thigh.{0}",),
            "knee": ("shin.{0}",),
            "ankle": ("foot.{0}",),
        },
        sides=(("L",), ("R",)),
        needs=("face", "pelvis", "spine.001", "neck"),
        forbids=("hand.L", "spine.002", "head"),
    ),
)
