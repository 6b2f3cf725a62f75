"""Auto-Rig Pro: the controls, and the deform bones that its exporter leaves."""

from __future__ import annotations

from .preset import Preset, Switch

CONTROLS = Preset(
    family="autorig_pro",
    bones={
        "pelvis": ("c_root_master.x",),
        "spine": ("c_spine_01.x", "c_spine_02.x", "c_spine_03.x", "c_spine_04.x", "c_spine_05.x"),
        "neck": ("c_neck.x",),
        "head": ("c_head.x",),
        "collar": ("c_shoulder.{0}",),
        "shoulder": ("c_arm_fk.{0}",),
        "elbow": ("c_forearm_fk.{0}",),
        "wrist": ("c_hand_fk.{0}",),
        "hip": ("c_thigh_fk.{0}",),
        "knee": ("c_leg_fk.{0}",),
        "ankle": ("c_foot_fk.{0}",),
        "foot": ("c_toes_fk.{0}",),
    },
    sides=(("l",), ("r",)),
    fingers={
        "thumb": ("c_thumb1.{0}", "c_thumb2.{0}", "c_thumb3.{0}"),
        "index": ("c_index1.{0}", "c_index2.{0}", "c_index3.{0}"),
        "middle": ("c_middle1.{0}", "c_middle2.{0}", "c_middle3.{0}"),
        "ring": ("c_ring1.{0}", "c_ring2.{0}", "c_ring3.{0}"),
        "pinky": ("c_pinky1.{0}", "c_pinky2.{0}", "c_pinky3.{0}"),
    },
    needs=("c_root_master.x", "c_thigh_fk.l"),
    ancestry=False,  # helper bones stand between the controls
    switches=tuple(
        Switch(f"{bone}.{letter}", "ik_fk_switch", 1.0, tuple(f"{side}_{r}" for r in roles))
        for side, letter in (("left", "l"), ("right", "r"))
        for bone, roles in (
            ("c_hand_ik", ("shoulder", "elbow", "wrist")),
            ("c_foot_ik", ("hip", "knee", "ankle", "foot")),
        )
    ),
    at_rest=("c_root.x",),
)

DEFORM = Preset(
    family="autorig_pro",
    bones={
        "pelvis": ("root.x",),
        "spine": ("spine_01.x", "spine_02.x", "spine_03.x", "spine_04.x", "spine_05.x"),
        "neck": ("neck.x",),
        "head": ("head.x",),
        "collar": ("shoulder.{0}",),
        "shoulder": ("arm_stretch.{0}",),
        "elbow": ("forearm_stretch.{0}",),
        "wrist": ("hand.{0}",),
        "hip": ("thigh_stretch.{0}",),
        "knee": ("leg_stretch.{0}",),
        "ankle": ("foot.{0}",),
        "foot": ("toes_01.{0}",),
    },
    sides=(("l",), ("r",)),
    fingers={
        "thumb": ("thumb1.{0}|c_thumb1.{0}", "c_thumb2.{0}|thumb2.{0}", "c_thumb3.{0}|thumb3.{0}"),
        "index": ("index1.{0}|c_index1.{0}", "c_index2.{0}|index2.{0}", "c_index3.{0}|index3.{0}"),
        "middle": ("middle1.{0}|c_middle1.{0}", "c_middle2.{0}|middle2.{0}", "c_middle3.{0}|middle3.{0}"),
        "ring": ("ring1.{0}|c_ring1.{0}", "c_ring2.{0}|ring2.{0}", "c_ring3.{0}|ring3.{0}"),
        "pinky": ("pinky1.{0}|c_pinky1.{0}", "c_pinky2.{0}|pinky2.{0}", "c_pinky3.{0}|pinky3.{0}"),
    },
    needs=("root.x", "thigh_stretch.l", "arm_stretch.l"),
    forbids=("c_thigh_fk.l",),
    ancestry=False,
)

PRESETS = (CONTROLS, DEFORM)
