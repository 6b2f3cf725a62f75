"""GDQuest's Mannequiny: Unreal's words with Blender's side suffixes, two spine bones."""

from __future__ import annotations

from .preset import Preset

PRESETS = (
    Preset(
        family="mannequiny",
        bones={
            "pelvis": ("pelvis",),
            "spine": ("spine_01", "spine_02", "spine_03"),
            "neck": ("neck_01",),
            "head": ("head",),
            "collar": ("clavicle.{0}",),
            "shoulder": ("upperarm.{0}",),
            "elbow": ("lowerarm.{0}",),
            "wrist": ("hand.{0}",),
            "hip": ("thigh.{0}",),
            "knee": ("calf.{0}",),
            "ankle": ("foot.{0}",),
            "foot": ("ball.{0}",),
        },
        sides=(("l",), ("r",)),
        fingers={
            "thumb": ("thumb_01.{0}", "thumb_02.{0}", "thumb_03.{0}"),
            "index": ("index_01.{0}", "index_02.{0}", "index_03.{0}"),
            "middle": ("middle_01.{0}", "middle_02.{0}", "middle_03.{0}"),
            "ring": ("ring_01.{0}", "ring_02.{0}", "ring_03.{0}"),
            "pinky": ("pinky_01.{0}", "pinky_02.{0}", "pinky_03.{0}"),
        },
        needs=("pelvis", "spine_01", "thigh.l", "lowerarm.l"),
    ),
)
