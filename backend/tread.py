"""The way over the ground: a body goes as its standing feet say.

Networks that draw the root's way and the legs' poses from codes of their own let bodies glide: on training
takes of Bandai Namco, generated feet stood in 62 % of the frames in which both low and slow were asked,
recorded ones in 80 %. Where nothing after it is known, the way is free to follow the feet.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import INDEX

REACH = 0.12
"""Of the hip height: a foot (mean of ankle and ball) that is higher above its own floor carries nothing."""
SURE = 0.5
"""Weight from which the feet alone say how the body goes; below, they say part of it."""
SMOOTHING = 0.1
"""Seconds, the deviation of the Gaussian over what the feet slide by. Chosen on training takes: less shakes the
body (jerk), more leaves more sliding."""

_SIDES = tuple((INDEX[f"{s}_ankle"], INDEX[f"{s}_foot"]) for s in ("left", "right"))
_GROUND = (0, 2)


def follow_feet(clip: Clip, request: Request) -> Clip:
    """Shift the root over the ground so that the foot that carries stands still.

    Only frames after the last one whose root is known, and only where motion is made (text, edit): what is
    filled in between known places has to arrive, and what is observed has a way of its own.
    """
    known = np.flatnonzero(request.root_known)
    start = int(known[-1]) if known.size else 0
    if request.task not in ("text", "edit") or len(clip) - start < 3:
        return clip
    slide = _slide(clip)[start:]  # (n - 1, 2), of each step
    root = clip.root_positions.copy()
    root[start + 1 :, _GROUND] -= np.cumsum(slide, axis=0)
    return replace(clip, root_positions=root)


def _slide(clip: Clip) -> Array:
    """How far over the ground the carrying foot slides from each frame to the next, smoothed. ``(F - 1, 2)``."""
    p = clip.positions()
    lowest = 0.1 * clip.hip_height
    steps, weights = [], []
    for ankle, ball in _SIDES:
        heights = p[:, (ankle, ball), 1]
        above = (heights - np.minimum(np.percentile(heights, 5, axis=0), lowest)).mean(1) / clip.hip_height
        weight = np.clip(1 - above / REACH, 0, 1) ** 2
        weights.append(0.5 * (weight[1:] + weight[:-1]))
        ends = np.diff(p[:, (ankle, ball)][..., _GROUND], axis=0)  # (F - 1, 2 ends, 2)
        slower = np.linalg.norm(ends, axis=-1).argmin(1)  # rolling over the toes, the ankle is the faster end
        steps.append(ends[np.arange(len(ends)), slower])
    w, v = np.stack(weights, 1), np.stack(steps, 1)  # (F - 1, 2 feet), (F - 1, 2 feet, 2)
    w = w * (w / np.maximum(w.max(1, keepdims=True), 1e-9)) ** 4  # the lower foot decides
    total = w.sum(1, keepdims=True)
    slide = (v * w[..., None]).sum(1) / np.maximum(total, 1e-9)
    sure = np.clip(total / SURE, 0, 1)
    # with no foot down the frames around decide, and in a long flight nothing does
    near = _blurred(sure, clip.fps)
    return _blurred(slide * sure, clip.fps) / np.maximum(near, 1e-3) * np.clip(near / 0.1, 0, 1)


def _blurred(x: Array, fps: float) -> Array:
    """A Gaussian along time, the ends mirrored. ``(n, C) -> (n, C)``."""
    deviation = SMOOTHING * fps
    reach = min(int(np.ceil(3 * deviation)), len(x) - 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    wide = np.pad(x, ((reach, reach), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, 2 * reach + 1, axis=0)  # (n, C, window)
    return windows @ (weights / weights.sum())
