"""A clip: a skeleton moving at a frame rate. Clips are values; every function returns a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import kinematics, rotations
from .errors import InvalidRequestError, SkeletonError
from .rotations import Array
from .skeleton import JOINTS, MIRROR, Skeleton, canonical


@dataclass(frozen=True, eq=False)
class Clip:
    """A moving skeleton.

    Attributes:
        skeleton: J joints.
        rotations: ``(F, J, 4)`` rotations relative to the parent, made unit and sign-continuous.
        root_positions: ``(F, 3)`` world position of joint 0.
        fps: frames per second.
        translations: ``(F, J, 3)`` positions in the parent's frame, where they are not the rest
            offsets (files with six channels a joint); None where they are. Joint 0's entries are
            ignored: ``root_positions`` holds them.
        name: where it came from; shown to people, never parsed.
        metadata: JSON-like facts that travel with the clip (model, seed, source ...).

    Raises:
        InvalidRequestError: shapes disagree or a number is not finite; the field is named.
    """

    skeleton: Skeleton
    rotations: Array
    root_positions: Array
    fps: float = 30.0
    translations: Array | None = None
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.skeleton)
        rot = np.asarray(self.rotations, np.float64)
        root = np.asarray(self.root_positions, np.float64)
        if rot.ndim != 3 or rot.shape[1:] != (n, 4):
            raise InvalidRequestError("rotations", f"shape {rot.shape}, expected (frames, {n}, 4)")
        if root.shape != (len(rot), 3):
            raise InvalidRequestError("root_positions", f"shape {root.shape}, expected ({len(rot)}, 3)")
        if not (np.isfinite(self.fps) and 0 < self.fps <= 10_000):
            raise InvalidRequestError("fps", f"{self.fps} is not a frame rate")
        moved = None if self.translations is None else np.asarray(self.translations, np.float64)
        if moved is not None and moved.shape != (len(rot), n, 3):
            raise InvalidRequestError("translations", f"shape {moved.shape}, expected ({len(rot)}, {n}, 3)")
        for what, array in (("rotations", rot), ("root_positions", root), ("translations", moved)):
            if array is not None and not np.isfinite(array).all():
                frame = int(np.argwhere(~np.isfinite(array))[0][0])
                raise InvalidRequestError(what, f"not a finite number at frame {frame}")
        with np.errstate(over="ignore"):  # huge numbers are simply not unit
            square = np.einsum("...i,...i->...", rot, rot)
        small = square < 1e-20  # nearly none: numpy is slow at reducing a last axis of four
        if small.any() and (np.abs(rot[small]).max(-1) < 1e-12).any():
            raise InvalidRequestError("rotations", "a quaternion of length zero",
                                      "Use 1 0 0 0 for no rotation.")  # fmt: skip
        # What is unit to the last bits stays as it is, so that copying, slicing, saving and loading
        # give back the same bits: keys must come back exactly.
        off = np.abs(square - 1) > 4e-15
        if off.any():
            rot = np.array(rot)
            rot[off] = rotations.normalize(rot[off])
        object.__setattr__(self, "rotations", rotations.continuous(rot))
        object.__setattr__(self, "root_positions", root)
        object.__setattr__(self, "translations", moved)
        object.__setattr__(self, "fps", float(self.fps))

    def __len__(self) -> int:
        return len(self.rotations)

    @property
    def seconds(self) -> float:
        """Time from the first frame to the last."""
        return max(len(self) - 1, 0) / self.fps

    @property
    def hip_height(self) -> float:
        """Rest height of the root over the ground, metres (canonical skeletons)."""
        return float(self.skeleton.offsets[0, 1])

    def local_translations(self) -> Array:
        """Position of every joint in its parent's frame. ``(F, J, 3)``."""
        t = self.translations
        t = np.broadcast_to(self.skeleton.offsets, (len(self), len(self.skeleton), 3)) if t is None else t
        t = np.array(t)
        t[:, 0] = self.root_positions
        return t

    def forward(self) -> tuple[Array, Array]:
        """Global orientation ``(F, J, 4)`` and position ``(F, J, 3)`` of every joint."""
        return kinematics.forward(self.skeleton.parents, self.rotations, self.local_translations())

    def positions(self) -> Array:
        """World position of every joint. ``(F, J, 3)``."""
        return self.forward()[1]

    # -- taking apart and putting together -----------------------------------------------------

    def slice(self, start: int, stop: int) -> Clip:
        """Frames ``start`` to ``stop`` (exclusive); negative numbers count from the end."""
        s = slice(start, stop)
        moved = None if self.translations is None else self.translations[s]
        return replace(self, rotations=self.rotations[s], root_positions=self.root_positions[s],
                       translations=moved)  # fmt: skip

    def sample(self, times: ArrayLike, fps: float | None = None) -> Clip:
        """The clip at given frame times (fractions allowed, held beyond the ends), slerp and lerp."""
        times = np.clip(np.asarray(times, np.float64), 0, max(len(self) - 1, 0))
        if len(self) == 0:
            raise InvalidRequestError("rotations", "a clip without frames cannot be sampled")
        low = np.minimum(np.floor(times).astype(int), len(self) - 1)
        high = np.minimum(low + 1, len(self) - 1)
        t = times - low
        lerp = lambda x: x[low] + (x[high] - x[low]) * t.reshape(-1, *(1,) * (x.ndim - 1))  # noqa: E731
        turned = rotations.slerp(self.rotations[low], self.rotations[high],
                                 np.broadcast_to(t[:, None], (len(t), len(self.skeleton))))  # fmt: skip
        exact = t == 0
        turned[exact] = self.rotations[low[exact]]
        return replace(self, rotations=turned, root_positions=lerp(self.root_positions),
                       translations=None if self.translations is None else lerp(self.translations),
                       fps=self.fps if fps is None else fps)  # fmt: skip

    def resample(self, fps: float) -> Clip:
        """The same motion at another rate; the first frame stays where it is."""
        if fps == self.fps or len(self) == 0:
            return replace(self, fps=fps)
        count = int(np.floor(self.seconds * fps + 1e-6)) + 1
        return self.sample(np.arange(count) * (self.fps / fps), fps)

    def mirror(self, pairs: Sequence[int] = MIRROR) -> Clip:
        """Swap left and right across the plane x = 0 (canonical axes; rest orientations identity).

        Args:
            pairs: for each joint the index of its counterpart.
        """
        if len(pairs) != len(self.skeleton):
            raise SkeletonError(f"{len(pairs)} mirror pairs for {len(self.skeleton)} joints")
        swap = np.asarray(pairs)
        flip, turn = np.array([-1.0, 1, 1]), np.array([1.0, 1, -1, -1])
        moved = None if self.translations is None else self.translations[:, swap] * flip
        s = self.skeleton
        mirrored = Skeleton(s.names, s.parents, s.offsets[swap] * flip, s.rest_rotations, s.tips[swap] * flip)
        return replace(self, skeleton=mirrored, rotations=self.rotations[:, swap] * turn,
                       root_positions=self.root_positions * flip, translations=moved)  # fmt: skip

    def moved(self, turn: ArrayLike, shift: ArrayLike) -> Clip:
        """Turn the whole clip about the world's origin by ``turn`` ``(4,)``, then shift it ``(3,)``."""
        turn = np.asarray(turn, np.float64)
        root = rotations.rotate(turn, self.root_positions) + np.asarray(shift, np.float64)
        rot = self.rotations.copy()
        rot[:, 0] = rotations.multiply(turn, rot[:, 0])
        return replace(self, rotations=rot, root_positions=root)


def blend(a: Clip, b: Clip, weight: ArrayLike) -> Clip:
    """From ``a`` (weight 0) to ``b`` (weight 1), per frame; weights outside 0..1 extrapolate.

    Args:
        a, b: clips of the same length, skeleton and rate.
        weight: a number, ``(F,)`` or ``(F, J)``; the root path uses joint 0's weight.
    """
    if len(a) != len(b) or a.skeleton.names != b.skeleton.names:
        raise InvalidRequestError("clips", "only clips of one length and skeleton can be blended")
    w = np.asarray(weight, np.float64)
    w = w[:, None] if w.ndim == 1 else w
    w = np.broadcast_to(w, a.rotations.shape[:2])
    moved = a.translations
    if a.translations is not None or b.translations is not None:
        ta, tb = a.local_translations(), b.local_translations()
        moved = ta + w[..., None] * (tb - ta)
    root = a.root_positions + w[:, :1] * (b.root_positions - a.root_positions)
    turned = rotations.slerp(a.rotations, b.rotations, w)
    return replace(a, rotations=turned, translations=moved, root_positions=root)


def concatenate(clips: Sequence[Clip]) -> Clip:
    """One after the other; skeleton, rate and name are the first one's."""
    first = clips[0]
    if any(c.skeleton.names != first.skeleton.names or c.fps != first.fps for c in clips):
        raise InvalidRequestError("clips", "only clips of one skeleton and rate can be joined")
    moved = None
    if any(c.translations is not None for c in clips):
        moved = np.concatenate([c.local_translations() for c in clips])
    return replace(first, rotations=np.concatenate([c.rotations for c in clips]), translations=moved,
                   root_positions=np.concatenate([c.root_positions for c in clips]))  # fmt: skip


def rest_clip(frames: int = 1, fps: float = 30.0, offsets: ArrayLike | None = None) -> Clip:
    """The canonical skeleton standing in its T-pose at the origin."""
    skeleton = canonical(offsets)  # type: ignore[arg-type]
    root = np.tile(skeleton.offsets[0], (frames, 1))
    return Clip(skeleton, rotations.identity((frames, len(JOINTS))), root, fps)


def heading(clip: Clip) -> Array:
    """Angle about +Y in which the pelvis faces, radians, unwrapped; 0 is +Z. ``(F,)``.

    The twist of the pelvis' orientation about the vertical, so that a bow or a lean does not turn
    the heading. Where the body is upside down the angle is still continuous in time.
    """
    q = clip.rotations[:, 0]
    return np.unwrap(2 * np.arctan2(q[:, 2], q[:, 0]), period=2 * np.pi)
