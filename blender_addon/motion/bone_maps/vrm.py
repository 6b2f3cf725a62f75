"""VRM: VRoid's bone names, the humanoid names of VRM 0 and 1 (and Unity), the VRM add-on's own."""

from __future__ import annotations

from .preset import Preset

VROID = Preset(
    family="vrm",
    bones={
        "pelvis": ("J_Bip_C_Hips",),
        "spine": ("J_Bip_C_Spine", "J_Bip_C_Chest", "J_Bip_C_UpperChest"),
        "neck": ("J_Bip_C_Neck",),
        "head": ("J_Bip_C_Head",),
        "collar": ("J_Bip_{0}_Shoulder",),
        "shoulder": ("J_Bip_{0}_UpperArm",),
        "elbow": ("J_Bip_{0}_LowerArm",),
        "wrist": ("J_Bip_{0}_Hand",),
        "hip": ("J_Bip_{0}_UpperLeg",),
        "knee": ("J_Bip_{0}_LowerLeg",),
        "ankle": ("J_Bip_{0}_Foot",),
        "foot": ("J_Bip_{0}_ToeBase",),
    },
    sides=(("L",), ("R",)),
    fingers={
        "thumb": ("J_Bip_{0}_Thumb1", "J_Bip_{0}_Thumb2", "J_Bip_{0}_Thumb3"),
        "index": ("J_Bip_{0}_Index1", "J_Bip_{0}_Index2", "J_Bip_{0}_Index3"),
        "middle": ("J_Bip_{0}_Middle1", "J_Bip_{0}_Middle2", "J_Bip_{0}_Middle3"),
        "ring": ("J_Bip_{0}_Ring1", "J_Bip_{0}_Ring2", "J_Bip_{0}_Ring3"),
        "pinky": ("J_Bip_{0}_Little1", "J_Bip_{0}_Little2", "J_Bip_{0}_Little3"),
    },
    needs=("J_Bip_C_Hips", "J_Bip_L_UpperLeg"),
)

HUMANOID = Preset(
    family="vrm",
    bones={
        "pelvis": ("hips",),
        "spine": ("spine", "chest", "upperChest"),
        "neck": ("neck",),
        "head": ("head",),
        "collar": ("{0}Shoulder",),
        "shoulder": ("{0}UpperArm",),
        "elbow": ("{0}LowerArm",),
        "wrist": ("{0}Hand",),
        "hip": ("{0}UpperLeg",),
        "knee": ("{0}LowerLeg",),
        "ankle": ("{0}Foot",),
        "foot": ("{0}Toes|{0}ToeBase",),
    },
    sides=(("left",), ("right",)),
    fingers={
        "thumb": (
            "{0}ThumbMetacarpal",  # VRM 1; VRM 0 calls the same three bones proximal to distal
            "{0}ThumbProximal",
            "{0}ThumbIntermediate",
            "{0}ThumbDistal",
        ),
        "index": ("{0}IndexProximal", "{0}IndexIntermediate", "{0}IndexDistal"),
        "middle": ("{0}MiddleProximal", "{0}MiddleIntermediate", "{0}MiddleDistal"),
        "ring": ("{0}RingProximal", "{0}RingIntermediate", "{0}RingDistal"),
        "pinky": ("{0}LittleProximal", "{0}LittleIntermediate", "{0}LittleDistal"),
    },
    needs=("hips", "leftUpperLeg", "leftLowerArm"),
)

BLENDER_VRM = Preset(
    family="vrm",
    bones={
        "pelvis": ("hips",),
        "spine": ("spine", "chest", "upper_chest"),
        "neck": ("neck",),
        "head": ("head",),
        "collar": ("shoulder.{0}",),
        "shoulder": ("upper_arm.{0}",),
        "elbow": ("lower_arm.{0}",),
        "wrist": ("hand.{0}",),
        "hip": ("upper_leg.{0}",),
        "knee": ("lower_leg.{0}",),
        "ankle": ("foot.{0}",),
        "foot": ("toes.{0}",),
    },
    sides=(("L",), ("R",)),
    fingers={
        "thumb": ("thumb.metacarpal.{0}", "thumb.proximal.{0}", "thumb.intermediate.{0}", "thumb.distal.{0}"),
        "index": ("index.proximal.{0}", "index.intermediate.{0}", "index.distal.{0}"),
        "middle": ("middle.proximal.{0}", "middle.intermediate.{0}", "middle.distal.{0}"),
        "ring": ("ring.proximal.{0}", "ring.intermediate.{0}", "ring.distal.{0}"),
        "pinky": ("little.proximal.{0}", "little.intermediate.{0}", "little.distal.{0}"),
    },
    needs=("hips", "upper_leg.L", "lower_arm.L"),
)

PRESETS = (VROID, HUMANOID, BLENDER_VRM)
