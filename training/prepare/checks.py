"""What is wrong with a clip, what can be mended, and why a clip is left out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.skeleton import INDEX

MIN_FRAMES = 12
FASTEST = 70.0
"""Rad/s of a joint, 134 degrees a frame: no body turns like that, gimbal flips of a capture do."""
FEET = [INDEX[n] for n in ("left_ankle", "right_ankle", "left_foot", "right_foot")]


@dataclass
class Finding:
    """One clip's record for the report: what was repaired, and the reason if it was left out."""

    name: str
    source: str
    frames: int = 0
    repaired: list[str] = field(default_factory=list)
    left_out: str = ""


def check(clip: Clip, finding: Finding) -> Clip | None:
    """Repair a canonical clip (30 fps) or leave it out; ``finding`` says what and why."""
    clip = _cut_lead_in(clip, finding)
    if len(clip) < MIN_FRAMES:
        finding.left_out = f"{len(clip)} frames, fewer than {MIN_FRAMES}"
        return None
    leg = clip.hip_height
    if not 0.2 < leg < 3:
        finding.left_out = f"hips at {leg:.2f} m over the feet: not a human body in metres"
        return None
    speed = np.linalg.norm(np.diff(clip.root_positions, axis=0), axis=-1).max() * clip.fps
    if speed > 12 * leg:
        finding.left_out = f"the root jumps at {speed:.0f} m/s"
        return None
    turn = rotations.angle_between(clip.rotations[1:], clip.rotations[:-1]) * clip.fps
    worst = float(np.percentile(turn, 99.99))
    if worst > FASTEST:
        finding.left_out = f"joints spin at {worst:.0f} rad/s"
        return None
    if float(turn.max()) < 0.02:
        finding.left_out = "frozen: no joint turns faster than 0.02 rad/s"
        return None
    return _stand_on_ground(clip, finding)


def _cut_lead_in(clip: Clip, finding: Finding) -> Clip:
    """Drop a calibration pose before the take.

    It shows as one jump within the first ten frames: 8 degrees a frame averaged over the joints,
    and 8 times the usual, or a fifth of the hip height in the root's place.
    """
    head = clip.slice(0, min(len(clip), 10))
    if len(head) < 3:
        return clip
    jump = np.degrees(rotations.angle_between(head.rotations[1:], head.rotations[:-1])).mean(-1)
    step = np.linalg.norm(np.diff(head.root_positions, axis=0), axis=-1)
    cut = 0
    if jump.max() > 8 and jump.max() > 8 * np.median(jump):
        cut = int(jump.argmax()) + 1
    if step.max() > 0.2 * clip.hip_height:
        cut = max(cut, int(step.argmax()) + 1)
    if cut:
        finding.repaired.append(f"{cut} lead-in frames dropped")
        return clip.slice(cut, len(clip))
    return clip


def _stand_on_ground(clip: Clip, finding: Finding) -> Clip:
    """Shift the clip so that the feet's lowest usual height is the T-pose's."""
    feet = clip.positions()[:, FEET, 1].min(1)
    rest = clip.skeleton.offsets
    ball = rest[INDEX["left_ankle"], 1] + rest[INDEX["left_foot"], 1]
    standing = rest[0, 1] + rest[INDEX["left_hip"], 1] + rest[INDEX["left_knee"], 1] + ball
    shift = float(standing - np.percentile(feet, 5))
    if abs(shift) > 0.01:
        finding.repaired.append(f"moved by {shift * 100:+.0f} cm onto the ground")
    return replace(clip, root_positions=clip.root_positions + np.array([0.0, shift, 0.0]))
