"""The task "follow": controls on the grid, a filling that heeds them, windows one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request, TextSpan
from blender_addon.motion.parts import PARTS
from blender_addon.motion.skeleton import INDEX

from . import closing, control, features
from .control import Control
from .features import Window
from .feet import hold_feet
from .systems.base import Steering, System
from .windows import Grid, Span, shifted

LONGEST = 128
"""Frames of a window: what steering is trained on."""
KEPT, BLENDED = 12, 12
"""Frames that a window takes over from the one before as known, and over which the two then blend."""


@dataclass(frozen=True, eq=False)
class Led:
    """A request's grid that is led somewhere.

    Attributes:
        steered: the filling moved along path and heading, ``(1, G)``, metres; told: what is asked of it.
    """

    steered: Window
    told: Control


def lead(request: Request, grid: Grid) -> Led:
    """Controls at 30 fps (each at its nearest grid frame, the last of several), and the steered filling."""
    asked = closing.wanted(request)
    at = np.round(grid.warp).astype(int)
    n = len(grid.filled)
    fields = (asked.targets, asked.weight, asked.ground, asked.grounded, asked.heading, asked.headed)
    out = [np.zeros((n, *f.shape[1:]), f.dtype) for f in fields]
    for frame in np.flatnonzero(asked.frames):
        for on_grid, field in zip(out, fields, strict=True):
            on_grid[at[frame]] = field[frame]
    told = Control(*(torch.tensor(f if f.dtype == bool else f.astype(np.float32))[None] for f in out))
    t = lambda x: torch.tensor(np.ascontiguousarray(x))[None]  # noqa: E731
    trust = np.zeros((n, 22), np.float32) if grid.confidence is None else grid.confidence.astype(np.float32)
    clip = grid.filled
    filling = Window(
        t(clip.rotations.astype(np.float32)), t(clip.root_positions.astype(np.float32)),
        t(clip.skeleton.offsets.astype(np.float32)), t(grid.rotation_known), t(grid.root_known),
        torch.ones(1, n, dtype=torch.bool), t(trust), t(trust[:, 0]),
    )  # fmt: skip
    return Led(control.steer(filling, told), told)


def windows(frames: int) -> list[tuple[int, int]]:
    """Windows of at most ``LONGEST`` frames, each beginning ``KEPT + BLENDED`` before the one before ends."""
    out, start = [], 0
    while start + LONGEST < frames:
        out.append((start, start + LONGEST))
        start += LONGEST - KEPT - BLENDED
    return [*out, (start, frames)]


def sample(grid: Grid, led: Led, texts: Sequence[TextSpan], system: System, variation: int,
           generator: torch.Generator, step: Callable[[], None]) -> np.ndarray:  # fmt: skip
    """Differences from the grid's filling in the world, metres and 6D. ``(G, 135)``."""
    plain = features.channels(
        features.to_matrix(torch.tensor(grid.filled.rotations).float())[None],
        torch.tensor(grid.filled.root_positions).float()[None],
    )
    now = led.steered
    channels = features.channels(features.to_matrix(now.rotations), now.root)
    for k, (start, stop) in enumerate(windows(len(grid.filled))):
        part = slice(start, stop)
        said = shifted(texts, Span(start, stop, ()))
        own = _part(now, part, KEPT if k else 0)
        made = _window(own, led.told.frames(part), said, system, variation, generator, step)
        if k:
            t = (torch.arange(BLENDED) + 1) / (BLENDED + 1)
            t = (t * t * (3 - 2 * t))[:, None]
            some = slice(start + KEPT, start + KEPT + BLENDED)
            here = slice(KEPT, KEPT + BLENDED)
            made[:, here] = channels[:, some] * (1 - t) + made[:, here] * t
            channels[:, some.start : stop] = made[:, KEPT:]
        else:
            channels[:, part] = made
        matrices, root = features.poses(channels[:, part])
        turned, placed = now.rotations.clone(), now.root.clone()
        turned[:, part], placed[:, part] = features.quaternion(matrices), root
        now = replace(now, rotations=turned, root=placed)
    return (channels - plain)[0].double().numpy()


def _part(window: Window, part: slice, kept: int) -> Window:
    """Some frames, of which the first ``kept`` count as known."""
    rotation, root = window.rotation_known[:, part].clone(), window.root_known[:, part].clone()
    rotation[:, :kept], root[:, :kept] = True, True
    assert window.confidence is not None
    assert window.root_confidence is not None
    return Window(
        window.rotations[:, part], window.root[:, part], window.offsets, rotation, root, window.valid[:, part],
        window.confidence[:, part], window.root_confidence[:, part],
    )  # fmt: skip


def _window(window: Window, told: Control, texts: Sequence[TextSpan], system: System, variation: int,
            generator: torch.Generator, step: Callable[[], None]) -> Tensor:  # fmt: skip
    """One window's channels in the world. ``(1, T, 135)``."""
    place = window.root[:, :1] * torch.tensor([1.0, 0, 1.0])  # keeps float32 exact far from the origin
    near = replace(window, root=window.root - place)
    told = replace(told, targets=told.targets - place[:, :, None], ground=told.ground - place[..., ::2])
    filled, frame = features.localise(near)
    x = features.inputs(filled)
    if isinstance(system, Steering):
        difference = system.steered(x, control.localise(told, frame), texts, variation, generator, step)
    else:
        difference = system.sample(x, variation, generator, step)
    matrices, root = features.restore(*features.poses(x.base + difference), frame)
    return features.channels(matrices, root + place)


def finished(clip: Clip, request: Request, step: Callable[[], None], feet: bool = True) -> Clip:
    """A sample bent until it meets what is asked for; feet that stand held again; hard pins exactly.

    Args:
        feet: hold feet; those of legs that are pinned are never.
    """
    clip = closing.close(clip, request, step)
    if feet:
        pinned = request.position_known.any(0)
        led = request.rotation_known.copy()
        for part in ("left_leg", "right_leg"):
            leg = [INDEX[name] for name in PARTS[part]]
            led[:, leg] |= pinned[leg].any()
        clip = hold_feet(clip, replace(request, rotation_known=led))
    return closing.exact(clip, request)
