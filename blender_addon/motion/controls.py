"""Pins, a path and waypoints, as JSON and as what a request holds.

One format for both command lines, for the panel and for what a result says about its making::

    {"up": "Y", "unit": 1.0,
     "pins": [{"joint": "left_wrist", "frames": [20, 40], "position": [0.4, 1.2, 0.3]},
              {"bone": "hand.R", "frames": [20, 21], "positions": [[...], [...]], "firmness": 0.5},
              {"joint": "left_ankle", "frames": 10, "position": "present", "offset": [0, 0.1, 0]}],
     "path": {"points": [[0, 0], [0, 2], [1, 3]], "frames": [1, 90], "heading": "along"},
     "waypoints": [{"frame": 60, "position": [1, 0, 3], "heading": 90}]}

Positions are metres times ``unit``; ``up`` is ``"Y"`` (x right, z forward) or ``"Z"``, Blender's axes. A point
of the ground has two numbers or three, of which the height is left out. Headings are degrees to the left of
where the canonical character faces: +Z, or -Y in Blender. Frames are counted as the command counts them, both
ends included. ``firmness`` 1, the default, is a hard pin. A path is a smooth line through its points (straight
pieces with ``"smooth": false``), walked from end to end over its frames, at a ``speed`` in metres a second, or by
``fractions``, pairs of frame and share of the length; its ``heading`` is ``"along"``, ``"free"`` or degrees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import polyline
from .constraints import FARTHEST
from .errors import FileFormatError, InvalidRequestError
from .pinned import Controls, Ground, Pin, check, request
from .rotations import Array
from .skeleton import INDEX, JOINTS

__all__ = ["PRESENT", "Controls", "Ground", "Pin", "check", "load", "request", "spoken"]

PRESENT = "present"
"""The position of a pin that is to stay where the present motion has it."""
MAX_BYTES = 64 * 1024 * 1024
MAX_POINTS = 100_000
_SPOKEN = {"wrist": "hand", "ankle": "foot", "foot": "toes", "shoulder": "upper arm", "collar": "collarbone"}
_WHOLE = {"version", "up", "unit", "pins", "path", "waypoints"}
_PIN = {"joint", "bone", "name", "frames", "position", "positions", "offset", "firmness"}
_PATH = {"name", "points", "closed", "smooth", "frames", "speed", "fractions", "heading"}
_WAYPOINT = {"name", "frame", "position", "heading"}


def spoken(joint: str) -> str:
    """A joint as people say it: ``left_wrist`` is ``"Left hand"``."""
    side, _, name = joint.rpartition("_")
    return f"{side} {_SPOKEN.get(name, name)}".strip().capitalize()


def load(
    source: Path | str | Mapping[str, Any],
    fps: float,
    frames: int,
    first: int = 0,
    bones: Mapping[str, str] | None = None,
) -> Controls:
    """Read controls.

    Args:
        source: a file, its text (which begins with a brace), or what it holds.
        fps: the clip's rate, for a path's speed.
        frames: how many frames the clip has.
        first: what its first frame is called.
        bones: bone -> canonical joint; None: only joints can be named.

    Raises:
        FileFormatError: no JSON; OSError: no such file.
        InvalidRequestError: anything that makes no sense; it names the entry.
    """
    reader = _Reader(fps, frames, first, bones)
    found = reader.whole(parsed(source))
    check(found)
    return found


def parsed(source: Path | str | Mapping[str, Any]) -> Mapping[str, Any]:
    """What a file or its text holds, unread.

    Raises:
        FileFormatError: no JSON; OSError: no such file.
    """
    if isinstance(source, Mapping):
        return source
    name = "controls"
    if isinstance(source, Path) or not source.lstrip().startswith("{"):
        path = Path(source)
        name = str(path)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise FileFormatError(name, f"more than {MAX_BYTES // 1024 // 1024} MB")
        try:
            source = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FileFormatError(name, f"no UTF-8 text ({error.reason})") from None
    try:
        found = json.loads(source)
    except json.JSONDecodeError as error:
        raise FileFormatError(name, f"no JSON: {error.msg}", error.lineno) from None
    except (RecursionError, ValueError) as error:
        raise FileFormatError(name, f"no JSON that can be read ({type(error).__name__})") from None
    if not isinstance(found, Mapping):
        raise FileFormatError(name, "holds no JSON object with pins, a path or waypoints")
    return found


class _Reader:
    """One reading; remembers how the clip's frames are counted and which way is up."""

    def __init__(self, fps: float, frames: int, first: int, bones: Mapping[str, str] | None) -> None:
        self.fps, self.frames, self.first, self.bones = fps, frames, first, bones
        self.z_up, self.unit = False, 1.0

    def whole(self, found: Any) -> Controls:
        """All of it."""
        entry = _entry(found, "controls", _WHOLE)
        if entry.get("version", 1) != 1:
            raise InvalidRequestError(
                "version", f"{entry['version']!r} is not known", "This version reads 1."
            )
        up = entry.get("up", "Y")
        if up not in ("Y", "Z"):
            raise InvalidRequestError("up", f'{up!r} is neither "Y" nor "Z"')
        self.z_up = up == "Z"
        self.unit = _number(entry.get("unit", 1.0), "unit")
        if not 1e-6 <= self.unit <= 1e6:
            raise InvalidRequestError("unit", f"{self.unit} is no length in metres")
        pins = tuple(self.pin(p, k) for k, p in enumerate(_list(entry.get("pins", []), "pins")))
        path = self.path(entry["path"]) if entry.get("path") is not None else None
        listed = _list(entry.get("waypoints", []), "waypoints")
        waypoints = tuple(self.waypoint(w, k) for k, w in enumerate(listed))
        if not (pins or path or waypoints):
            raise InvalidRequestError(
                "controls", "there is nothing to follow", "Add a pin, a path or a waypoint."
            )
        return Controls(self.fps, self.frames, self.first, pins, path, waypoints)

    # -- entries -------------------------------------------------------------------------------------

    def pin(self, found: Any, number: int) -> Pin:
        """One pin."""
        entry = _entry(found, f"pin {number + 1}", _PIN)
        joint, bone = self._joint(entry, f"pin {number + 1}")
        name = _name(entry, f"pin {number + 1} ({bone or joint})")
        frames = self._frames(entry.get("frames"), name)
        firmness = _number(entry.get("firmness", 1.0), name, "firmness")
        if not 0 < firmness <= 1:
            raise InvalidRequestError(name, f"firmness {firmness:g} is not above 0 and at most 1")
        offset = self._points([entry.get("offset", [0, 0, 0])], name, "offset")[0]
        if ("position" in entry) == ("positions" in entry):
            raise InvalidRequestError(name, "has to have either a position or positions")
        if entry.get("position") == PRESENT:
            return Pin(name, INDEX[joint], frames, None, firmness, bone, offset)
        if "position" in entry:
            places = self._points([entry["position"]], name, "position")
        else:
            places = self._points(entry["positions"], name, "positions")
            if len(places) != len(frames):
                raise InvalidRequestError(name, f"{len(places)} positions for {len(frames)} frames")
        return Pin(
            name, INDEX[joint], frames, np.broadcast_to(places, (len(frames), 3)) + offset, firmness, bone
        )

    def path(self, found: Any) -> Ground:
        """The path, where one is on it at every frame."""
        entry = _entry(found, "path", _PATH)
        name = _name(entry, "path")
        closed, rounded = (_flag(entry.get(key, default), name, key)
                           for key, default in (("closed", False), ("smooth", True)))  # fmt: skip
        points = self._points(entry.get("points"), name, "points", ground=True)
        if len(points) > MAX_POINTS:
            raise InvalidRequestError(name, f"{len(points)} points, at most {MAX_POINTS} are taken")
        line = polyline.over_ground(polyline.smooth(points, closed) if rounded else points, closed)
        total = float(polyline.lengths(line)[-1])
        if len(line) < 2:
            raise InvalidRequestError(
                name, "its length over the ground is zero", "Give it points that differ."
            )
        frames = self._frames(entry.get("frames", [self.first, self.first + self.frames - 1]), name)
        way = self._way(entry, name, frames, total, closed)
        return Ground(
            name, frames, polyline.places(line, way), self._path_headings(entry, name, line, way, closed)
        )

    def _way(
        self, entry: Mapping[str, Any], name: str, frames: np.ndarray, total: float, closed: bool
    ) -> Array:
        """How far one is at each frame, metres. ``(n,)``."""
        speed, fractions = entry.get("speed"), entry.get("fractions")
        if speed is not None and fractions is not None:
            raise InvalidRequestError(name, "has a speed and fractions", "Leave one of them out.")
        if speed is not None:
            speed = _number(speed, name, "speed")
            if speed <= 0:
                raise InvalidRequestError(name, f"speed {speed:g} does not move")
            way = speed * (frames - frames[0]) / self.fps
            return way % total if closed else np.minimum(way, total)
        if fractions is None:
            if len(frames) < 2:
                raise InvalidRequestError(
                    name, "one frame is no time to walk it", "Give it two frames or more."
                )
            return total * np.linspace(0.0, 1.0, len(frames))
        pairs = _array(fractions, name, "fractions", 2)
        at, share = pairs[:, 0], pairs[:, 1]
        if (np.diff(at) <= 0).any():
            raise InvalidRequestError(name, "the frames of its fractions do not ascend")
        if (share < 0).any() or (share > 1).any():
            raise InvalidRequestError(name, "a fraction outside 0..1")
        return total * np.interp(frames + self.first, at, share)

    def _path_headings(self, entry: Mapping[str, Any], name: str, line: Array, way: Array,
                       closed: bool) -> Array | None:  # fmt: skip
        heading = entry.get("heading", "along")
        if heading == "free":
            return None
        if heading == "along":
            return polyline.directions(line, way, closed)
        if isinstance(heading, str):
            raise InvalidRequestError(name, f"heading {heading!r} is neither along, free nor degrees")
        return np.full(len(way), np.radians(_number(heading, name, "heading")))

    def waypoint(self, found: Any, number: int) -> Ground:
        """One waypoint."""
        entry = _entry(found, f"waypoint {number + 1}", _WAYPOINT)
        name = _name(entry, f"waypoint {number + 1}")
        frame = entry.get("frame")
        if isinstance(frame, Sequence):
            raise InvalidRequestError(name, f"frame {frame!r} is not a whole number")
        frames = self._frames(frame, name)
        place = self._points([entry.get("position")], name, "position", ground=True)[:, [0, 2]]
        heading = entry.get("heading")
        if heading is None or heading == "free":
            return Ground(name, frames, place)
        return Ground(name, frames, place, np.radians([_number(heading, name, "heading")]))

    # -- values --------------------------------------------------------------------------------------

    def _joint(self, entry: Mapping[str, Any], name: str) -> tuple[str, str]:
        """Canonical joint and bone ("": none is named)."""
        joint, bone = entry.get("joint"), entry.get("bone", "")
        if not isinstance(bone, str) or not isinstance(joint, str | None):
            raise InvalidRequestError(name, "its joint or bone is no name")
        if joint is None and not bone:
            raise InvalidRequestError(name, "names neither a joint nor a bone")
        if joint is None:
            joint = (self.bones or {}).get(bone)
            if joint is None:
                raise InvalidRequestError(f"{name} ({bone})", "the bone has no role",
                                          "Pin hips, spine, neck, head, arms, hands, legs or feet.")  # fmt: skip
        if joint not in INDEX:
            raise InvalidRequestError(
                f"{name} ({joint})", "there is no such joint", f"Use {', '.join(JOINTS)}."
            )
        return joint, bone

    def _frames(self, found: Any, name: str) -> np.ndarray:
        """Frame numbers of the clip from one number, or from the first and the last. ``(n,)``."""
        ends = [found, found] if isinstance(found, int) else found
        if not (isinstance(ends, Sequence) and len(ends) == 2 and all(type(f) is int for f in ends)):
            raise InvalidRequestError(name, f"frames {found!r}: neither a frame nor a first and a last one")
        low, high = ends
        last = self.first + self.frames - 1
        if high < low:
            raise InvalidRequestError(name, f"frames {low} to {high} hold none")
        for frame in (low, high):
            if not self.first <= frame <= last:
                raise InvalidRequestError(name, f"frame {frame} lies outside {self.first}..{last}")
        return np.arange(low, high + 1) - self.first

    def _points(self, found: Any, name: str, key: str, ground: bool = False) -> Array:
        """Points in canonical axes and metres. ``(n, 3)``."""
        if (
            ground
            and isinstance(found, Sequence)
            and all(isinstance(p, Sequence) and len(p) == 2 for p in found)
        ):
            flat = _array(found, name, key, 2)
            points = np.insert(flat, 2 if self.z_up else 1, 0.0, axis=1)
        else:
            points = _array(found, name, key, 3)
        points = points * self.unit
        return np.stack([points[:, 0], points[:, 2], -points[:, 1]], -1) if self.z_up else points


def _entry(found: Any, name: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise InvalidRequestError(
            name, f"{type(found).__name__}, expected an object with {', '.join(sorted(known))}"
        )
    unknown = [str(key) for key in found if key not in known]
    if unknown:
        raise InvalidRequestError(name, f"{unknown[0]!r} is not known", f"Known: {', '.join(sorted(known))}.")
    return found


def _list(found: Any, name: str) -> Sequence[Any]:
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise InvalidRequestError(name, f"{type(found).__name__}, expected a list")
    return found


def _name(entry: Mapping[str, Any], otherwise: str) -> str:
    name = entry.get("name", "")
    if not isinstance(name, str):
        raise InvalidRequestError(otherwise, f"its name {name!r} is no text")
    return name or otherwise


def _flag(found: Any, name: str, key: str) -> bool:
    if not isinstance(found, bool):
        raise InvalidRequestError(name, f"{key} {found!r} is neither true nor false")
    return found


def _number(found: Any, name: str, key: str = "") -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise InvalidRequestError(name, f"{key} {found!r} is not a number".strip())
    try:
        value = float(found)
    except OverflowError:
        value = np.inf
    if not np.isfinite(value):
        raise InvalidRequestError(name, f"{key} {found!r} is not a finite number".strip())
    return value


def _array(found: Any, name: str, key: str, last: int) -> Array:
    """A list of as many numbers each as an array ``(n, k)``."""
    if not isinstance(found, Sequence) or isinstance(found, str) or not len(found):
        raise InvalidRequestError(
            name, f"its {key} are missing" if found is None else f"its {key} are no list"
        )
    for row in found:
        if not isinstance(row, Sequence) or len(row) != last or any(type(x) not in (int, float) for x in row):
            raise InvalidRequestError(name, f"its {key} are not {last} numbers each")
    try:
        out = np.array(found, np.float64)
    except OverflowError:
        out = np.full((len(found), last), np.inf)
    if not np.isfinite(out).all():
        raise InvalidRequestError(name, f"its {key} hold something that is not a finite number")
    if (np.abs(out) > FARTHEST).any():
        raise InvalidRequestError(name, f"its {key} hold a number beyond {FARTHEST:g}")
    return out
