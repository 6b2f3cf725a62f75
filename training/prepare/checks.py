"""What is wrong with a take, what can be mended, and why a take is left out.

Takes are canonical clips at their own rate. In order: units, rate, place and spin of the whole, the
calibration pose at the beginning, frozen stretches, glitching limbs; then the take is cut into the
pieces that are good, each resampled to 30 fps and put on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.contacts import runs
from blender_addon.motion.skeleton import INDEX, Skeleton

from . import glitches

FPS = 30.0
MIN_FRAMES = 12
FASTEST = 70.0
"""Rad/s of a joint in the world, 134 degrees a frame: bodies pass it for an instant at most."""
SPINNING = 0.02
"""Share of the frames that may be faster than that before the whole take counts as broken."""
FROZEN = 0.5
"""Seconds without any change at all, to the last digit: a capture that stopped."""
STILL = 1e-6
FEET = [INDEX[n] for n in ("left_ankle", "right_ankle", "left_foot", "right_foot")]
_UNITS = {"millimetres": 1e-3, "centimetres": 1e-2, "decimetres": 0.1, "inches": 0.0254}


@dataclass
class Finding:
    """One take's record for the report: what was repaired, and the reason if (a part) was left out."""

    name: str
    source: str
    frames: int = 0
    repaired: list[str] = field(default_factory=list)
    left_out: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Piece:
    """A usable part of a take, 30 fps, on the ground, and the second of the take at which it begins."""

    start: float
    clip: Clip


def check(clip: Clip, finding: Finding, drawn: bool = False) -> list[Piece]:
    """Repair a take or leave it out; ``finding`` says what and why.

    Args:
        clip: canonical joints, any rate, metres as far as its reader could tell.
        finding: is filled in.
        drawn: animated by hand: held poses are meant, limbs may snap.
    """
    if not _long_enough(clip, finding):
        return []
    scaled = _units(clip, finding)
    if scaled is None:
        return []
    clip = _rate(scaled, finding)
    if _upside_down(clip):
        finding.left_out = "upside down from beginning to end: wrong axes"
        return []
    clip, start = _cut_lead_in(clip, finding, drawn)
    if not _long_enough(clip, finding) or _broken(clip, finding):
        return []
    if drawn:
        edges: set[int] = set()
    else:
        clip, edges = _repair(clip, finding)
    spans = _spans(clip, edges, finding, drawn)
    pieces = []
    for a, b in spans:
        part = clip.slice(a, b).resample(FPS)
        if len(part) >= MIN_FRAMES:
            pieces.append(Piece(start + a / clip.fps, part))
        elif len(spans) > 1:
            finding.repaired.append(f"{b - a} frames between jumps dropped, fewer than {MIN_FRAMES}")
    if not pieces and not finding.left_out:
        finding.left_out = f"no piece of {MIN_FRAMES} frames is free of jumps"
    shift = _ground([p.clip for p in pieces]) if pieces else 0.0
    if abs(shift) > 0.01:
        finding.repaired.append(f"moved by {shift * 100:+.0f} cm onto the ground")
    lift = np.array([0.0, shift, 0.0])
    return [Piece(p.start, replace(p.clip, root_positions=p.clip.root_positions + lift)) for p in pieces]


def _long_enough(clip: Clip, finding: Finding) -> bool:
    frames = int(clip.seconds * FPS + 1e-6) + (len(clip) > 0)
    if frames < MIN_FRAMES:
        finding.left_out = f"{frames} frames, fewer than {MIN_FRAMES}"
    return frames >= MIN_FRAMES


# -- units, rate, axes ------------------------------------------------------------------------------------


def _units(clip: Clip, finding: Finding) -> Clip | None:
    """Bodies of another unit are scaled; a path of another unit than the body's is scaled by itself."""
    leg = clip.hip_height
    if not 0.2 < leg < 3:
        unit = next((n for n, s in _UNITS.items() if 0.4 < leg * s < 1.3), None)
        if unit is None:
            finding.left_out = f"hips at {leg:.2f} m over the feet: not a human body in any unit"
            return None
        finding.repaired.append(f"read as {unit} (hips at {leg:.4g} over the feet)")
        s = clip.skeleton
        scaled = Skeleton(
            s.names, s.parents, s.offsets * _UNITS[unit], s.rest_rotations, s.tips * _UNITS[unit]
        )
        clip = replace(clip, skeleton=scaled, root_positions=clip.root_positions * _UNITS[unit])
        leg = clip.hip_height
    height = float(np.median(clip.root_positions[:, 1]))
    for factor in (0.001, 0.01, 100.0, 1000.0):
        if 0.5 * leg < height * factor < 1.5 * leg:
            scaled = replace(clip, root_positions=clip.root_positions * factor)
            # A root near the origin may only lack its height: then feet that stood would slide.
            if factor < 1 or _sliding(scaled) < 0.5 * _sliding(clip):
                text = f"the path scaled by {factor:g}: hips at {height:.3g} m on legs of {leg:.2f} m"
                finding.repaired.append(text)
                return scaled
    return clip


def _sliding(clip: Clip) -> float:
    """Usual speed over the ground of the slower foot, m/s."""
    step = np.diff(clip.positions()[:, FEET][..., [0, 2]], axis=0) * clip.fps
    return float(np.median(np.linalg.norm(step, axis=-1).min(-1)))


def _rate(clip: Clip, finding: Finding) -> Clip:
    """A rate that is a time or vice versa, and frames that were only repeated to reach the rate."""
    if clip.fps < 1 and 5 <= clip.fps * 1000 <= 480:
        finding.repaired.append(f"frame time read as milliseconds: {clip.fps * 1000:g} fps")
        clip = replace(clip, fps=clip.fps * 1000)
    if len(clip) < 2 * MIN_FRAMES:
        return clip
    same = _changes(clip) < STILL
    for factor in (4, 3, 2):
        for phase in range(factor):
            fresh = (np.arange(1, len(clip)) - phase) % factor == 0
            if same[~fresh].mean() > 0.98 and same[fresh].mean() < 0.2 and clip.fps / factor >= 10:
                finding.repaired.append(
                    f"every frame stood {factor} times: {clip.fps / factor:g} fps held at {clip.fps:g}"
                )
                return replace(clip.slice(phase % factor, len(clip)), fps=clip.fps).sample(
                    np.arange(0, len(clip) - phase % factor, factor), clip.fps / factor
                )
    return clip


def _changes(clip: Clip) -> np.ndarray:
    """The largest change of any number from frame to frame. ``(F - 1,)``."""
    turned = np.abs(np.diff(clip.rotations, axis=0)).max((1, 2))
    return np.maximum(turned, np.abs(np.diff(clip.root_positions, axis=0)).max(1))


def _upside_down(clip: Clip) -> bool:
    p = clip.positions()
    return bool((p[:, INDEX["head"], 1] < p[:, FEET, 1].min(1)).mean() > 0.95)


# -- what cannot be mended ----------------------------------------------------------------------------------


def _broken(clip: Clip, finding: Finding) -> bool:
    speed = np.linalg.norm(np.diff(clip.root_positions, axis=0), axis=-1) * clip.fps
    if (speed > 12 * clip.hip_height).mean() > SPINNING:
        finding.left_out = f"explodes: the root jumps at {speed.max():.0f} m/s, again and again"
        return True
    turned, _ = clip.forward()
    turn = (rotations.angle_between(turned[1:], turned[:-1]) * clip.fps).max(-1)
    if (turn > FASTEST).mean() > SPINNING and np.percentile(turn, 100 * (1 - SPINNING)) > FASTEST:
        usual = float(np.median(turn))
        if usual > FASTEST / 3:  # glitches stand out from what is around them; this does not
            finding.left_out = f"joints spin at {np.percentile(turn, 98):.0f} rad/s"
            return True
    local = rotations.angle_between(clip.rotations[1:], clip.rotations[:-1]) * clip.fps
    if float(local.max()) < 0.02:
        finding.left_out = "frozen: no joint turns faster than 0.02 rad/s"
        return True
    return False


# -- cutting ------------------------------------------------------------------------------------------------


def _cut_lead_in(clip: Clip, finding: Finding, drawn: bool) -> tuple[Clip, float]:
    """Drop a calibration pose before the take; also the seconds that were dropped.

    It shows as one jump within the first third of a second: 8 degrees averaged over the joints, and
    8 times the usual, or a fifth of the hip height in the root's place; or as a T-pose that is held. What
    is drawn by hand may snap.
    """
    head = clip.slice(0, min(len(clip), max(10, round(clip.fps / 3))))
    if len(head) < 3:
        return clip, 0.0
    jump = np.degrees(rotations.angle_between(head.rotations[1:], head.rotations[:-1])).mean(-1)
    step = np.linalg.norm(np.diff(head.root_positions, axis=0), axis=-1)
    cut = 0
    if not drawn and jump.max() > 8 and jump.max() > 8 * np.median(jump):
        cut = int(jump.argmax()) + 1
    if not drawn and step.max() > 0.2 * clip.hip_height:
        cut = max(cut, int(step.argmax()) + 1)
    held = _held_t_pose(clip)
    if held > cut:
        finding.repaired.append(f"{held} frames of T-pose at the beginning dropped")
        return clip.slice(held, len(clip)), held / clip.fps
    if cut:
        finding.repaired.append(f"{cut} lead-in frames dropped")
        return clip.slice(cut, len(clip)), cut / clip.fps
    return clip, 0.0


def _held_t_pose(clip: Clip) -> int:
    """How many frames from the first on stand still in the T-pose; 0 if fewer than a tenth of a second.

    The arms are level and straight, the trunk upright: the local rotations of a T-pose are near nothing.
    """
    body = np.degrees(2 * np.arccos(np.clip(np.abs(clip.rotations[:, 1:, 0]), 0, 1)))  # without the heading
    near = (body.mean(-1) < 8) & (body.max(-1) < 25)
    count = int(near.argmin()) if not near.all() else 0
    return count if count >= clip.fps / 10 and count < len(clip) - MIN_FRAMES else 0


def _repair(clip: Clip, finding: Finding) -> tuple[Clip, set[int]]:
    clip, done = glitches.repair(clip)
    for limb, count in done.frames.items():
        finding.repaired.append(f"{limb}: {count} frames that jumped filled from those around them")
    for limb, count in done.softened.items():
        finding.repaired.append(f"{limb}: {count} slips spread over a tenth of a second")
    return clip, set(done.left)


def _spans(clip: Clip, edges: set[int], finding: Finding, drawn: bool) -> list[tuple[int, int]]:
    """Parts between jumps and frozen stretches, as (start, stop) frames."""
    n = len(clip)
    for e in sorted(edges):
        finding.repaired.append(f"divided at {e / clip.fps:.2f} s, where a limb turns over")
    speed = np.linalg.norm(np.diff(clip.root_positions, axis=0), axis=-1) * clip.fps
    for e in (np.flatnonzero(speed > 12 * clip.hip_height) + 1).tolist():
        finding.repaired.append(
            f"divided at {e / clip.fps:.2f} s, where the root jumps at {speed[e - 1]:.0f} m/s"
        )
        edges.add(e)
    out = np.zeros(n, bool)
    if not drawn:
        for a, b in runs(_changes(clip) < STILL):
            if b - a >= FROZEN * clip.fps:
                out[a + 1 : b + 1] = True
                finding.repaired.append(
                    f"frozen for {(b - a) / clip.fps:.2f} s at {a / clip.fps:.2f} s: cut out"
                )
    marks = sorted({0, n, *edges, *(np.flatnonzero(np.diff(out)) + 1).tolist()})
    return [(a, b) for a, b in pairwise(marks) if not out[a]]


def _ground(clips: list[Clip]) -> float:
    """How far up the feet's lowest usual height has to go to be the T-pose's."""
    feet = np.concatenate([c.positions()[:, FEET, 1].min(1) for c in clips])
    rest = clips[0].skeleton.offsets
    ball = rest[INDEX["left_ankle"], 1] + rest[INDEX["left_foot"], 1]
    standing = rest[0, 1] + rest[INDEX["left_hip"], 1] + rest[INDEX["left_knee"], 1] + ball
    return float(standing - np.percentile(feet, 5))
