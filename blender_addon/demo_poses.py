"""The demonstration's key poses: a walk, a jump, a landing and a reach, as an animator might block them.

A pose is a small table of joint rotations in degrees from the T-pose; its place on the ground is
given in leg lengths, and how high the hips are follows from the feet: the lowest one stands.
Numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from .motion import kinematics, rotations
from .motion.clip import Clip
from .motion.retarget import Rig
from .motion.rotations import Array
from .motion.skeleton import INDEX, JOINTS, MIRROR, PARENTS

Turns = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Pose:
    """One key pose.

    Attributes:
        frame: scene frame at 30 fps.
        along, across: place on the ground in leg lengths: the way walked, and to the left of it.
        turns: joint -> degrees about X (bending), Y (turning) and Z (sideways), ``Rz Rx Ry``
            for arms and ``Ry Rx Rz`` for the rest; joints that are not named stay as in the T-pose.
        lift: how high over the ground the lowest foot is, in leg lengths.
        heading: degrees the body is turned to its left from the way it walks.
    """

    frame: int
    along: float
    turns: Turns
    across: float = 0.0
    lift: float = 0.0
    heading: float = 0.0
    name: str = field(default="", compare=False)


def _arms(left: tuple[float, float, float], right: tuple[float, float, float]) -> Turns:
    """Arms from (forward swing, away from the body, elbow's bend), in degrees; 0 away hangs down."""
    out: dict[str, tuple[float, float, float]] = {}
    for side, sign, (swing, away, bend) in (("left", 1.0, left), ("right", -1.0, right)):
        out[f"{side}_shoulder"] = (-swing, 0.0, sign * (away - 90.0))
        out[f"{side}_elbow"] = (0.0, -sign * bend, 0.0)
    return out


def _leg(side: str, thigh: float, knee: float, foot: float, out: float = 0.0) -> Turns:
    """A leg from (thigh forward, knee's bend, toes up, thigh outwards), in degrees."""
    sign = 1.0 if side == "left" else -1.0
    return {f"{side}_hip": (-thigh, 0.0, sign * out), f"{side}_knee": (knee, 0.0, 0.0),
            f"{side}_ankle": (-foot, 0.0, 0.0)}  # fmt: skip


def _back(bend: float, turn: float = 0.0) -> Turns:
    """The spine's bend forward and turn to the left, shared by its three joints; the head looks ahead."""
    third = (bend / 3, turn / 3, 0.0)
    return {"spine1": third, "spine2": third, "spine3": third, "neck": (-bend / 3, -turn / 2, 0.0),
            "head": (-bend / 3, -turn / 2, 0.0)}  # fmt: skip


_CONTACT: Turns = {
    "pelvis": (4.0, -8.0, 0.0), **_back(3.0, 14.0),
    **_leg("left", 26.0, 3.0, 12.0), **_leg("right", -18.0, 14.0, -14.0), "right_foot": (-20.0, 0.0, 0.0),
    **_arms((-24.0, 8.0, 10.0), (22.0, 8.0, 26.0)),
}  # fmt: skip
"""The left heel touches the ground, the right foot is about to leave it."""

POSES = (
    Pose(1, 0.0, _CONTACT, name="contact"),
    Pose(16, 0.80, {}, name="contact, other foot"),
    Pose(31, 1.60, _CONTACT, name="contact"),
    Pose(45, 2.15, {
        "pelvis": (28.0, 0.0, 0.0), **_back(30.0),
        **_leg("left", 78.0, 92.0, 30.0, 4.0), **_leg("right", 78.0, 92.0, 30.0, 4.0),
        **_arms((-62.0, 14.0, 8.0), (-62.0, 14.0, 8.0)),
    }, name="crouch"),
    Pose(57, 3.05, {
        "pelvis": (6.0, 0.0, 0.0), **_back(-6.0),
        **_leg("left", 42.0, 62.0, -24.0, 4.0), **_leg("right", 24.0, 58.0, -30.0, 4.0),
        **_arms((138.0, 16.0, 14.0), (138.0, 16.0, 14.0)),
    }, lift=0.52, name="top of the jump"),
    Pose(67, 3.95, {
        "pelvis": (22.0, 0.0, 0.0), **_back(26.0),
        **_leg("left", 76.0, 84.0, 26.0, 5.0), **_leg("right", 76.0, 84.0, 26.0, 5.0),
        **_arms((48.0, 22.0, 24.0), (48.0, 22.0, 24.0)),
    }, name="landing"),
    Pose(92, 4.45, {
        "pelvis": (0.0, 0.0, 0.0), **_back(-4.0, 24.0),
        **_leg("left", -8.0, 6.0, -6.0, 5.0), **_leg("right", 12.0, 6.0, 6.0, 5.0),
        **_arms((-14.0, 10.0, 18.0), (152.0, 8.0, 8.0)), "right_collar": (0.0, 0.0, -12.0),
    }, heading=38.0, name="reach"),
)  # fmt: skip
"""Gaps of 9 to 24 frames. An empty table mirrors the pose before it."""


def clip(rig: Rig, fps: float = 30.0) -> tuple[list[int], Clip]:
    """The poses on a character, one frame of the clip each, walking along +X.

    Args:
        rig: the character; gives proportions and scale.
        fps: rate that the clip is labelled with.

    Returns:
        Scene frames, and the clip on the canonical 22 joints.
    """
    turned: list[Array] = []
    for pose in POSES:
        turned.append(_local(pose.turns) if pose.turns else _mirrored(turned[-1]))
    local = np.stack(turned)
    heads = np.array([p.heading for p in POSES])
    yaw = rotations.from_axis_angle(np.radians(90.0 + heads)[:, None] * [0.0, 1.0, 0.0])
    local[:, 0] = rotations.multiply(yaw, local[:, 0])
    root = np.array([[p.along * rig.leg_length, 0.0, -p.across * rig.leg_length] for p in POSES])
    standing = Clip(rig.canonical, local, root, fps, name="Limber demo")
    root = root.copy()
    root[:, 1] = np.array([p.lift for p in POSES]) * rig.leg_length - _lowest(standing, rig)
    return [p.frame for p in POSES], replace(standing, root_positions=root)


def _local(turns: Turns) -> Array:
    """Local rotations ``(22, 4)`` from degrees by joint."""
    out = rotations.identity(len(JOINTS))
    for joint, (x, y, z) in turns.items():
        order = "XZY" if "shoulder" in joint or "elbow" in joint else "YXZ"
        angles = dict(zip("XYZ", np.radians((x, y, z)), strict=True))
        out[INDEX[joint]] = rotations.from_euler(np.array([angles[a] for a in order]), order)
    return out


def _mirrored(local: Array) -> Array:
    """Left and right swapped. ``(22, 4)``."""
    return local[list(MIRROR)] * np.array([1.0, 1.0, -1.0, -1.0])


def _lowest(standing: Clip, rig: Rig) -> Array:
    """Height of the lowest point of the feet: soles of heel and ball. ``(F,)``."""
    q, p = kinematics.forward(PARENTS, standing.rotations, standing.local_translations())
    heights = []
    for side in ("left", "right"):
        ankle, ball = INDEX[f"{side}_ankle"], INDEX[f"{side}_foot"]
        rest_ball = rig.canonical.offsets[ball]
        heel = np.array([0.0, -rig.ankle_height, -0.25 * rest_ball[2]])
        front = rest_ball * [1.0, 0.0, 1.0] + np.array([0.0, -rig.ankle_height, 0.0])
        for point in (heel, front):
            heights.append((p[:, ankle] + rotations.rotate(q[:, ankle], np.broadcast_to(point, p[:, 0].shape)))[:, 1])
    return np.min(heights, axis=0)
