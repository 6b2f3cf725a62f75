"""Unreal's mannequins (UE4: 3 spine bones, 1 neck; UE5: 5 and 2), MakeHuman's game engine rig.

Twist bones (``upperarm_twist_01_l``) hang beside their limb and play no role.
"""

from __future__ import annotations

from .preset import Preset

PRESETS = (
    Preset(
        family="unreal",
        bones={
            "pelvis": ("pelvis",),
            "spine": ("spine_01", "spine_02", "spine_03", "spine_04", "spine_05"),
            "neck": ("neck_01", "neck_02"),
            "head": ("head",),
            "collar": ("clavicle_{0}",),
            "shoulder": ("upperarm_{0}",),
            "elbow": ("lowerarm_{0}",),
            "wrist": ("hand_{0}",),
            "hip": ("thigh_{0}",),
            "knee": ("calf_{0}",),
            "ankle": ("foot_{0}",),
            "foot": ("ball_{0}",),
        },
        sides=(("l",), ("r",)),
        fingers={
            "thumb": ("thumb_01_{0}", "thumb_02_{0}", "thumb_03_{0}"),
            "index": ("index_01_{0}", "index_02_{0}", "index_03_{0}"),
            "middle": ("middle_01_{0}", "middle_02_{0}", "middle_03_{0}"),
            "ring": ("ring_01_{0}", "ring_02_{0}", "ring_03_{0}"),
            "pinky": ("pinky_01_{0}", "pinky_02_{0}", "pinky_03_{0}"),
        },
        needs=("pelvis", "spine_01", "thigh_l", "lowerarm_l"),
    ),
)
