"""A walk on the canonical skeleton whose feet stand exactly where and when it says."""

from __future__ import annotations

import numpy as np

from blender_addon.motion import foot_lock, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import CANONICAL, INDEX


def walk(
    steps: int = 6, fps: float = 30.0, step_length: float = 0.5, period: float = 0.5
) -> tuple[Clip, Array]:
    """The clip and when each foot stands ``(F, 2)``."""
    frames = int(steps * period * fps) + 1
    t = np.arange(frames) / fps / period
    clip = rest_clip(frames, fps)
    _, p = clip.forward()
    root = np.array(clip.root_positions)
    root[:, 1] -= 0.05
    root[:, 2] = step_length * t
    p = p - p[:, :1] + root[:, None]
    local, stands = clip.rotations.copy(), np.zeros((frames, 2), bool)
    for k, side in enumerate(("left", "right")):
        phase = (t + k) / 2
        part = phase % 1  # the first half stands, the second swings
        place = np.floor(phase) + np.clip(2 * part - 1, 0, 1)
        target = p[:, INDEX[f"{side}_ankle"]].copy()
        target[:, 2] = 2 * step_length * place - k * step_length + 0.25
        target[:, 1] = CANONICAL.offsets[0, 1] - 0.87 + 0.1 * np.sin(np.pi * np.clip(2 * part - 1, 0, 1)) ** 2
        stands[:, k] = part < 0.5
        hip, knee, ankle = (INDEX[f"{side}_{b}"] for b in ("hip", "knee", "ankle"))
        hinge = np.broadcast_to([1.0, 0, 0], (frames, 3))
        first, second = foot_lock.knee_ik(p[:, hip], p[:, knee], p[:, ankle], target, hinge)
        local[:, hip] = first
        local[:, knee] = rotations.multiply(rotations.inverse(first), second)
        local[:, ankle] = rotations.inverse(second)
    return Clip(clip.skeleton, local, root, fps), stands
