"""A picture of two motions, one above the other: figures in perspective, drawn with Pillow alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .motion.rotations import Array
from .motion.skeleton import INDEX, PARENTS

SCALE = 2
"""Drawn this many times too large and shrunk: Pillow's own lines have no smooth edges."""

WIDTH, BAND, TITLE, FOOT = 2200, 560, 54, 40
PAPER, INK, FAINT, GRID = (250, 249, 246), (38, 42, 50), (120, 126, 136), (222, 220, 213)
NEAR, FAR, TRUNK = (214, 92, 48), (44, 110, 168), (70, 76, 88)
TRAILS = {"left_wrist": (236, 168, 130), "right_wrist": (140, 182, 218),
          "left_foot": (226, 130, 90), "right_foot": (92, 148, 198)}  # fmt: skip
LIMBS = (("hip", "knee", 0.062), ("knee", "ankle", 0.048), ("ankle", "foot", 0.036),
         ("shoulder", "elbow", 0.044), ("elbow", "wrist", 0.036))  # fmt: skip


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
        self.away = 1.35 * (high[0] - low[0])
        self.eye = np.array([middle[0], 1.55, middle[2] + self.away])
        down = np.arctan2(self.eye[1] - 0.46 * high[1], self.away)
        self.turn = np.array([[1, 0, 0], [0, np.cos(down), np.sin(down)], [0, -np.sin(down), np.cos(down)]])
        corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (0.0, high[1]) for z in (low[2], high[2])])
        self.focus, self.centre = 1.0, np.zeros(2)
        seen = self.project(corners)[0]
        span = seen.max(0) - seen.min(0)
        self.focus = float(min(0.94 * width / span[0], 0.80 * height / span[1]))
        seen = self.project(corners)[0]
        self.centre = np.array([0.5 * width, 0.53 * height]) - 0.5 * (seen.max(0) + seen.min(0))

    def project(self, points: Array) -> tuple[Array, Array]:
        """Pixels ``(..., 2)`` and pixels per metre ``(...)`` there."""
        p = (points - self.eye) @ self.turn.T
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

    everything = np.concatenate([b.positions.reshape(-1, 3) for b in bands])
    low, high = everything.min(0) - [0.35, 0, 0.3], everything.max(0) + [0.35, 0.1, 0.3]
    s = SCALE
    whole = Image.new("RGB", (WIDTH * s, (len(bands) * (TITLE + BAND + FOOT)) * s), PAPER)
    for row, band in enumerate(bands):
        picture = Image.new("RGB", (WIDTH * s, (TITLE + BAND + FOOT) * s), PAPER)
        camera = Camera(low, high, WIDTH * s, BAND * s)
        camera.centre[1] += TITLE * s
        pen = ImageDraw.Draw(picture, "RGBA")
        _ground(pen, camera, low, high)
        _trails(pen, camera, band.positions)
        _figures(pen, camera, band.positions, first, sorted(keyed), step)
        _numbers(pen, camera, band, first, sorted(keyed))
        _title(pen, band)
        whole.paste(picture, (0, row * (TITLE + BAND + FOOT) * s))
    whole.resize((whole.width // s, whole.height // s), Image.Resampling.LANCZOS).save(path)


def _font(size: float) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size * SCALE)  # Pillow's own, so that nothing is looked for on the system


def _flat(points: Array) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]


def _ground(pen: Any, camera: Camera, low: Array, high: Array) -> None:
    """A grid of half metres on the floor."""
    x0, x1 = np.floor(low[0] - 1.0), np.ceil(high[0] + 1.0)
    z0, z1 = low[2] - 0.55, high[2] + 0.25
    for x in np.arange(x0, x1 + 0.01, 0.5):
        pen.line(_flat(camera.project(np.array([[x, 0, z0], [x, 0, z1]]))[0]), fill=GRID, width=SCALE)
    for z in np.linspace(z0, z1, 5):
        pen.line(_flat(camera.project(np.array([[x0, 0, z], [x1, 0, z]]))[0]), fill=GRID, width=SCALE)


def _trails(pen: Any, camera: Camera, positions: Array) -> None:
    """Where hands and balls of the feet go, a dot every frame."""
    for joint, colour in TRAILS.items():
        pixels, _ = camera.project(positions[:, INDEX[joint]])
        pen.line(_flat(pixels), fill=(*colour, 150), width=2 * SCALE, joint="curve")
        for x, y in pixels:
            r = 2.2 * SCALE
            pen.ellipse((x - r, y - r, x + r, y + r), fill=(*colour, 210))


def _figures(pen: Any, camera: Camera, positions: Array, first: int, keyed: Sequence[int], step: int) -> None:
    """Faint figures between the keys, then the keys in full."""
    for a, b in zip(keyed, keyed[1:], strict=False):
        count = max(round((b - a) / step) - 1, 0)
        for k in range(1, count + 1):
            frame = round(a + (b - a) * k / (count + 1))
            _figure(pen, camera, positions[frame - first], 0.30)
    for frame in keyed:
        _figure(pen, camera, positions[frame - first], 1.0)


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
    for name in ("spine1", "spine2", "spine3", "neck"):
        parent = joints[PARENTS[INDEX[name]]]
        parts.append((float(camera.project(parent)[1]), (np.stack([parent, joints[INDEX[name]]]), 0.085, TRUNK)))
    for pair, radius in ((("left_shoulder", "right_shoulder"), 0.05), (("left_hip", "right_hip"), 0.07)):
        parts.append(_bone(camera, joints, *pair, radius, TRUNK))
    for _, (ends, radius, colour) in sorted(parts, key=lambda part: part[0]):
        _capsule(pen, camera, ends, radius, _mixed(colour, strength), _mixed(PAPER, 1.0))
    neck, head = joints[INDEX["neck"]], joints[INDEX["head"]]
    up = (head - neck) / max(float(np.linalg.norm(head - neck)), 1e-6)
    _capsule(pen, camera, np.stack([head + 0.03 * up, head + 0.11 * up]), 0.088, _mixed(TRUNK, strength), PAPER)


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


def _numbers(pen: Any, camera: Camera, band: Band, first: int, keyed: Sequence[int]) -> None:
    """Frame numbers of the keys under their figures."""
    y = (TITLE + BAND + 0.3 * FOOT) * SCALE
    for frame in keyed:
        root = band.positions[frame - first, 0] * [1.0, 0.0, 1.0]
        (x, ground), _ = camera.project(root)
        pen.line((x, ground + 26 * SCALE, x, y - 12 * SCALE), fill=FAINT, width=SCALE)
        r = 6 * SCALE
        pen.polygon([(x, y - 12 * SCALE - r), (x + r, y - 12 * SCALE), (x, y - 12 * SCALE + r), (x - r, y - 12 * SCALE)],
                    fill=INK)  # fmt: skip
        pen.text((x, y), str(frame), fill=INK, font=_font(20), anchor="mt")


def _title(pen: Any, band: Band) -> None:
    font = _font(26)
    left, middle = 36 * SCALE, 0.62 * TITLE * SCALE
    pen.text((left, middle), band.title, fill=INK, font=font, anchor="lm")
    pen.text((left + pen.textlength(band.title, font=font) + 22 * SCALE, middle), band.note, fill=FAINT,
             font=_font(20), anchor="lm")  # fmt: skip
