"""MakeHuman and MPFB: the default rig. (``cmu_mb`` has CMU's names, ``game_engine`` Unreal's.)

Its five toes are separate and none of them is the ball of the foot, so the foot stays unmapped.
"""

from __future__ import annotations

from .preset import Preset

PRESETS = (
    Preset(
        family="makehuman",
        bones={
            "pelvis": ("root",),
            "spine": ("spine05", "spine04", "spine03", "spine02", "spine01"),
            "neck": ("neck01", "neck02", "neck03"),
            "head": ("head",),
            "collar": ("clavicle.{0}", "shoulder01.{0}"),
            "shoulder": ("upperarm01.{0}", "upperarm02.{0}"),
            "elbow": ("lowerarm01.{0}", "lowerarm02.{0}"),
            "wrist": ("wrist.{0}",),
            "hip": ("upperleg01.{0}", "upperleg02.{0}"),
            "knee": ("lowerleg01.{0}", "lowerleg02.{0}"),
            "ankle": ("foot.{0}",),
        },
        sides=(("L",), ("R",)),
        fingers={
            "thumb": ("finger1-1.{0}", "finger1-2.{0}", "finger1-3.{0}"),
            "index": ("finger2-1.{0}", "finger2-2.{0}", "finger2-3.{0}"),
            "middle": ("finger3-1.{0}", "finger3-2.{0}", "finger3-3.{0}"),
            "ring": ("finger4-1.{0}", "finger4-2.{0}", "finger4-3.{0}"),
            "pinky": ("finger5-1.{0}", "finger5-2.{0}", "finger5-3.{0}"),
        },
        needs=("root", "spine05", "upperleg01.L"),
    ),
)
