"""A picture of two motions, one above the other: a strip of poses in perspective, drawn with Pillow.

The strip is unrolled in time: every frame is drawn a little further along than it happens, so that a
walk on the spot would not lie on top of itself. A foot that stands leaves a level row of dots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .motion.rotations import Array
from .motion.skeleton import INDEX, PARENTS

SCALE = 2
"""Drawn this many times too large and shrunk: Pillow's own lines have no smooth edges."""

WIDTH, BAND, TITLE, FOOT = 2400, 520, 60, 44
PAPER, INK, FAINT, GRID = (250, 249, 246), (38, 42, 50), (110, 116, 126), (217, 215, 207)
GHOST = 0.38
"""How much of its colour a figure between two keys has."""
FLOOR = (240, 238, 231)
NEAR, FAR, TRUNK = (214, 92, 48), (44, 110, 168), (70, 76, 88)
LEGEND = "dark: key poses · pale: in between, unrolled in time · dotted: hands and feet, a dot a frame"
TRAILS = {"left_wrist": (120, 168, 208), "right_wrist": (232, 148, 106),
          "left_foot": (70, 130, 184), "right_foot": (222, 112, 68)}  # fmt: skip
LIMBS = (("hip", "knee", 0.060), ("knee", "ankle", 0.044), ("ankle", "foot", 0.034),
         ("shoulder", "elbow", 0.042), ("elbow", "wrist", 0.034))  # fmt: skip


@dataclass(frozen=True, eq=False)
class Band:
    """One motion.

    Attributes:
        title, note: what stands over it, bold and faint.
        positions: ``(F, 22, 3)`` metres, Y up, walking along +X.
    """

    title: str
    note: str
    positions: Array


class Camera:
    """A pinhole beside the path, a little above the hips.

    Args:
        low, high: ``(3,)`` corners of what has to be seen.
        width, height: of the picture in pixels.
    """

    def __init__(self, low: Array, high: Array, width: int, height: int) -> None:
        middle = 0.5 * (low + high)
        away = 0.9 * (high[0] - low[0])
        self.eye = np.array([middle[0], 1.9, middle[2] + away])
        down = np.arctan2(self.eye[1] - 0.45 * high[1], away)
        self.turn = np.array([[1, 0, 0], [0, np.cos(down), np.sin(down)], [0, -np.sin(down), np.cos(down)]])
        self.focus, self.centre = 1.0, np.zeros(2)
        xs, zs = (low[0], high[0]), (low[2], high[2])
        seen: Array = self.project(np.array([[x, y, z] for x in xs for y in (0.0, high[1]) for z in zs]))[0]
        first, last = np.asarray(seen.min(0), np.float64), np.asarray(seen.max(0), np.float64)
        size = last - first
        self.focus = float(min(0.99 * width / size[0], 0.98 * height / size[1]))
        self.centre = 0.5 * np.array([width, height]) - 0.5 * self.focus * (first + last)

    def project(self, points: Array) -> tuple[Array, Array]:
        """Pixels ``(..., 2)`` and pixels per metre ``(...)`` there."""
        p: Any = (points - self.eye) @ self.turn.T
        depth = -p[..., 2]
        return np.stack([p[..., 0], -p[..., 1]], -1) * (self.focus / depth)[..., None] + self.centre, self.focus / depth


def draw(path: Path, bands: Sequence[Band], first: int, keyed: Sequence[int], step: int = 4) -> None:
    """Write the picture.

    Args:
        path: a .png.
        bands: from top to bottom, all of one length.
        first: number of their first frame.
        keyed: frame numbers of the key poses.
        step: every how many frames a figure between two keys is drawn.

    Raises:
        ImportError: Pillow is missing.
    """
    from PIL import Image, ImageDraw

    bands = _unrolled(bands)
    everything = np.concatenate([b.positions.reshape(-1, 3) for b in bands])
    low, high = everything.min(0) - [0.25, 0, 0.2], everything.max(0) + [0.25, 0.16, 0.2]
    keyed, s = sorted(keyed), SCALE
    shown = _shown(keyed, step)
    whole = Image.new("RGB", (WIDTH * s, (len(bands) * (TITLE + BAND + FOOT)) * s), PAPER)
    for row, band in enumerate(bands):
        picture = Image.new("RGB", (WIDTH * s, (TITLE + BAND + FOOT) * s), PAPER)
        camera = Camera(low, high, WIDTH * s, BAND * s)
        camera.centre[1] += TITLE * s
        pen = ImageDraw.Draw(picture, "RGBA")
        _ground(pen, camera, low, high)
        _trails(pen, camera, band.positions)
        _figures(pen, camera, band.positions, first, keyed, shown)
        _numbers(pen, camera, band, first, keyed, shown)
        _title(pen, band)
        whole.paste(picture, (0, row * (TITLE + BAND + FOOT) * s))
    whole.resize((whole.width // s, whole.height // s), Image.Resampling.LANCZOS).save(path)


def _unrolled(bands: Sequence[Band]) -> list[Band]:
    """The bands with their frames moved apart along X until they fill a strip of the picture's form."""
    whole = np.concatenate([b.positions.reshape(-1, 3) for b in bands])
    size = whole.max(0) - whole.min(0)
    wide = (size[1] + 0.3) * WIDTH / BAND * 0.94
    frames = len(bands[0].positions)
    apart = max(wide - size[0] - 0.5, 0.0) / max(frames - 1, 1) * np.array([1.0, 0.0, 0.0])
    return [replace(b, positions=b.positions + apart * np.arange(frames)[:, None, None]) for b in bands]


def _font(size: float) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size * SCALE)  # Pillow's own, so that nothing is looked for on the system


def _flat(points: Array) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]


def _ground(pen: Any, camera: Camera, low: Array, high: Array) -> None:
    """A strip of floor with lines along it."""
    x0, x1 = low[0] - 3.0, high[0] + 3.0
    z0, z1 = low[2] - 0.3, high[2] + 0.3
    pen.polygon(_flat(camera.project(np.array([[x0, 0, z0], [x1, 0, z0], [x1, 0, z1], [x0, 0, z1]]))[0]), fill=FLOOR)
    for z in np.linspace(z0, z1, 4):
        pen.line(_flat(camera.project(np.array([[x0, 0, z], [x1, 0, z]]))[0]), fill=GRID, width=SCALE)


def _trails(pen: Any, camera: Camera, positions: Array) -> None:
    """Where hands and balls of the feet go, a dot every frame."""
    for joint, colour in TRAILS.items():
        pixels, _ = camera.project(positions[:, INDEX[joint]])
        pen.line(_flat(pixels), fill=(*colour, 150), width=2 * SCALE, joint="curve")
        for x, y in pixels:
            r = 2.2 * SCALE
            pen.ellipse((x - r, y - r, x + r, y + r), fill=(*colour, 210))


def _shown(keyed: Sequence[int], step: int) -> list[int]:
    """The keys, and between two of them evenly spread frames about ``step`` apart."""
    out = []
    for a, b in pairwise(keyed):
        count = max(round((b - a) / step), 1)
        out += [round(a + (b - a) * k / count) for k in range(count)]
    return [*out, keyed[-1]]


def _figures(
    pen: Any, camera: Camera, positions: Array, first: int, keyed: Sequence[int], shown: Sequence[int]
) -> None:
    """Faint figures between the keys, then the keys in full."""
    for frame in sorted(shown, key=lambda f: f in keyed):
        _figure(pen, camera, positions[frame - first], 1.0 if frame in keyed else GHOST)


def _mixed(colour: Sequence[int], strength: float) -> tuple[int, int, int]:
    """A colour towards the paper's; opaque, so that overlapping parts of one figure do not show."""
    r, g, b = (round(p + (c - p) * strength) for c, p in zip(colour, PAPER, strict=True))
    return r, g, b


def _figure(pen: Any, camera: Camera, joints: Array, strength: float) -> None:
    """One figure of capsules ``(22, 3)``: what is farther is drawn first."""
    parts: list[tuple[float, Any]] = []
    for side, colour in (("left", FAR), ("right", NEAR)):
        for a, b, radius in LIMBS:
            parts.append(_bone(camera, joints, f"{side}_{a}", f"{side}_{b}", radius, colour))
    for name in ("spine1", "spine2", "spine3", "neck", "head"):
        parent = joints[PARENTS[INDEX[name]]]
        parts.append((float(camera.project(parent)[1]), (np.stack([parent, joints[INDEX[name]]]),
                                                           0.085 if "spine" in name else 0.055, TRUNK)))
    for pair, radius in ((("left_shoulder", "right_shoulder"), 0.05), (("left_hip", "right_hip"), 0.07)):
        parts.append(_bone(camera, joints, *pair, radius, TRUNK))
    for _, (ends, radius, colour) in sorted(parts, key=lambda part: part[0]):
        _capsule(pen, camera, ends, radius, _mixed(colour, strength), _mixed(PAPER, 1.0))
    neck, head = joints[INDEX["neck"]], joints[INDEX["head"]]
    up = (head - neck) / max(float(np.linalg.norm(head - neck)), 1e-6)
    _capsule(pen, camera, np.stack([head + 0.04 * up, head + 0.12 * up]), 0.086, _mixed(TRUNK, strength), PAPER)


def _bone(camera: Camera, joints: Array, a: str, b: str, radius: float, colour: Any) -> tuple[float, Any]:
    ends = joints[[INDEX[a], INDEX[b]]]
    return float(camera.project(ends.mean(0))[1]), (ends, radius, colour)


def _capsule(pen: Any, camera: Camera, ends: Array, radius: float, colour: Any, rim: Any) -> None:
    """A thick line with round ends and a thin rim that sets it off from what lies behind."""
    pixels, size = camera.project(ends)
    r = radius * float(size.mean())
    for grown, fill in ((r + 1.2 * SCALE, rim), (r, colour)):
        pen.line(_flat(pixels), fill=fill, width=round(2 * grown))
        for x, y in pixels:
            pen.ellipse((x - grown, y - grown, x + grown, y + grown), fill=fill)


def _numbers(pen: Any, camera: Camera, band: Band, first: int, keyed: Sequence[int], ticks: Sequence[int]) -> None:
    """Frame numbers under the figures: a diamond and a bold number where there is a key."""
    y = (TITLE + BAND + 6) * SCALE
    for frame in ticks:
        root = band.positions[frame - first, 0] * [1.0, 0.0, 1.0]
        x = float(camera.project(root)[0][0])
        if frame not in keyed:
            pen.text((x, y + 12 * SCALE), str(frame), fill=FAINT, font=_font(15), anchor="mt")
            continue
        r = 6 * SCALE
        pen.polygon([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], fill=INK)
        pen.text((x, y + 11 * SCALE), str(frame), fill=INK, font=_font(20), anchor="mt")


def _title(pen: Any, band: Band) -> None:
    font = _font(26)
    left, middle = 36 * SCALE, 0.62 * TITLE * SCALE
    pen.text((WIDTH * SCALE - left, middle), LEGEND, fill=FAINT, font=_font(17), anchor="rm")
    pen.text((left, middle), band.title, fill=INK, font=font, anchor="lm")
    pen.text((left + pen.textlength(band.title, font=font) + 22 * SCALE, middle), band.note, fill=FAINT,
             font=_font(20), anchor="lm")  # fmt: skip
