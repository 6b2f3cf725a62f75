"""The one request: a clip and, per frame and joint, what is known about it. A task is a mask.

The constructors at the end are the tasks; they are used by the product and, to draw training
masks, by the training package, so that the two can never drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .clip import Clip, rest_clip
from .errors import InvalidRequestError
from .rotations import Array
from .skeleton import JOINTS, PARENTS

SCHEMA_VERSION = 1
TASKS = ("text", "inbetween", "complete", "refine", "edit", "follow")
OBSERVING = ("refine", "follow")
"""Tasks in which values that are not known are heeded by their confidence."""
MAX_FRAMES = 200_000
MAX_VARIATIONS = 64
FARTHEST = 1e7
"""Metres: farther away nothing can be met to a millimetre, and the models' numbers end."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class TextSpan:
    """A prompt for frames ``start`` to ``stop`` (exclusive)."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Request:
    """What is known, and what is wanted.

    Attributes:
        clip: the canonical 22-joint clip, F frames. Values that are not known are ignored by the
            models (they must be finite all the same).
        task: one of ``TASKS``.
        rotation_known: ``(F, 22)``, the joint's local rotation is to stay as it is.
        position_known: ``(F, 22)``, the joint's world position (forward kinematics of ``clip``,
            or ``targets`` where given) is to be met.
        root_known: ``(F,)``, the root's path is to stay as it is.
        heading_known: ``(F,)``, the pelvis' heading (``clip``'s, or ``headings`` where given) is to be met.
        confidence: ``(F, 22)`` in 0..1, how far the values are to be trusted.
        targets: ``(F, 22, 3)`` world positions for ``position_known`` and ``ground_known``; None: the clip's own.
        ground_known: ``(F,)``, the pelvis is to be above this point of the ground (x and z of its
            position); its height is free. None: nowhere.
        headings: ``(F,)`` radians about Y, 0 facing +Z, for ``heading_known``; None: the clip's own.
        firmness: ``(F, 22)`` in 0..1, of ``position_known``: 1 is met exactly where the body reaches (a
            hard pin), less only draws the joint there (a soft one). None: 1.
        texts: prompts, each with its span.
        seed: the same request with the same seed gives the same result.
        variations: how many results.
        system: ``"auto"`` or a system's name.
        bundle: name of the weights bundle, or "" for the default.
        options: further settings by name (``"feet": bool`` ...); unknown ones are errors.

    Raises:
        InvalidRequestError: anything that makes no sense, by field, with a remedy.
    """

    clip: Clip
    task: str
    rotation_known: Mask
    position_known: Mask
    root_known: Mask
    heading_known: Mask
    confidence: Array
    targets: Array | None = None
    ground_known: Mask | None = None
    headings: Array | None = None
    firmness: Array | None = None
    texts: tuple[TextSpan, ...] = ()
    seed: int = 0
    variations: int = 1
    system: str = "auto"
    bundle: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def observed(self) -> tuple[Mask, Mask]:
        """What the filling keeps: known, or (refinement, following) trusted to some degree. ``(F, 22), (F,)``."""
        if self.task not in OBSERVING:
            return self.rotation_known, self.root_known
        some = heeded(self.confidence) > 0
        return self.rotation_known | some, self.root_known | some[:, 0]

    def grounded(self) -> Mask:
        """``ground_known``, nowhere where it is None. ``(F,)``."""
        return np.zeros(len(self.clip), bool) if self.ground_known is None else self.ground_known

    def __post_init__(self) -> None:
        n, j = len(self.clip), len(JOINTS)
        if self.task not in TASKS:
            raise InvalidRequestError("task", f"{self.task!r} is none of {', '.join(TASKS)}")
        skeleton = self.clip.skeleton
        if skeleton.names != JOINTS or tuple(skeleton.parents) != PARENTS:
            raise InvalidRequestError("clip", "not on the canonical 22 joints", "Retarget it first.")
        if n == 0:
            raise InvalidRequestError("clip", "no frames", "Choose a frame range of at least one frame.")
        if n > MAX_FRAMES:
            raise InvalidRequestError("clip", f"{n} frames, at most {MAX_FRAMES} are taken",
                                      "Split the range into parts.")  # fmt: skip
        for key, value in (("clip.root_positions", self.clip.root_positions), ("clip.offsets", skeleton.offsets),
                           ("targets", self.targets)):  # fmt: skip
            if value is not None and (np.abs(value) > FARTHEST).any():
                raise InvalidRequestError(key, f"a place more than {FARTHEST:g} m away", "Use metres.")
        for key, shape in (("rotation_known", (n, j)), ("position_known", (n, j)),
                           ("root_known", (n,)), ("heading_known", (n,)), ("ground_known", (n,))):  # fmt: skip
            if key == "ground_known" and self.ground_known is None:
                continue
            value = np.asarray(getattr(self, key))
            if value.shape != shape or value.dtype != np.bool_:
                raise InvalidRequestError(key, f"{value.dtype} {value.shape}, expected bool {shape}")
            object.__setattr__(self, key, value)
        confidence = np.asarray(self.confidence, np.float64)
        if confidence.shape != (n, j):
            raise InvalidRequestError("confidence", f"shape {confidence.shape}, expected {(n, j)}")
        if not ((confidence >= 0) & (confidence <= 1)).all():
            raise InvalidRequestError("confidence", "a value outside 0..1 or not a number")
        object.__setattr__(self, "confidence", confidence)
        for key, shape in (("targets", (n, j, 3)), ("headings", (n,)), ("firmness", (n, j))):
            if getattr(self, key) is None:
                continue
            value = np.asarray(getattr(self, key), np.float64)
            if value.shape != shape:
                raise InvalidRequestError(key, f"shape {value.shape}, expected {shape}")
            if not np.isfinite(value).all():
                raise InvalidRequestError(key, "not a finite number")
            object.__setattr__(self, key, value)
        if self.firmness is not None and not ((self.firmness >= 0) & (self.firmness <= 1)).all():
            raise InvalidRequestError("firmness", "a value outside 0..1")
        if self.task == "follow" and not (
            self.position_known.any() or self.heading_known.any() or self.grounded().any()
        ):
            raise InvalidRequestError("position_known", "there is nothing to follow", "Add a pin or a path.")
        if not (isinstance(self.variations, int) and 1 <= self.variations <= MAX_VARIATIONS):
            raise InvalidRequestError("variations", f"{self.variations!r} is not in 1..{MAX_VARIATIONS}")
        if not (isinstance(self.seed, int) and 0 <= self.seed < 2**63):
            raise InvalidRequestError("seed", f"{self.seed!r} is not in 0..2^63-1")
        for span in self.texts:
            if not (0 <= span.start < span.stop <= n):
                raise InvalidRequestError("texts", f"span {span.start}..{span.stop} lies outside 0..{n}")

    def __len__(self) -> int:
        return len(self.clip)


@dataclass(frozen=True, eq=False)
class Result:
    """What came back: one clip a variation, the plain interpolation, and what was measured.

    Attributes:
        clips: the variations, each with the request's length, rate and skeleton.
        baseline: the plain interpolation of the same request.
        report: JSON-like: model, bundle, hash, licence, seconds, key error, skating ...
    """

    clips: tuple[Clip, ...]
    baseline: Clip
    report: Mapping[str, Any] = field(default_factory=dict)


def _empty(clip: Clip, confidence: float) -> dict[str, Any]:
    n, j = len(clip), len(JOINTS)
    return {
        "clip": clip,
        "rotation_known": np.zeros((n, j), bool),
        "position_known": np.zeros((n, j), bool),
        "root_known": np.zeros(n, bool),
        "heading_known": np.zeros(n, bool),
        "confidence": np.full((n, j), confidence),
    }


def keyed(
    frames: int, keys: ArrayLike, joints: ArrayLike | None = None, root: ArrayLike | None = None
) -> tuple[Mask, Mask]:
    """Masks of keyed poses: ``rotation_known (F, 22)`` and ``root_known (F,)``.

    Args:
        frames: length of the clip.
        keys: keyed frame numbers, or a boolean ``(F,)``.
        joints: ``(F, 22)`` boolean, which joints are keyed where; None: whole poses at ``keys``.
        root: ``(F,)`` boolean, where the root's place is keyed; None: wherever the pelvis is.

    Raises:
        InvalidRequestError: fewer than two keyed frames, or a key outside the clip.
    """
    keys = np.asarray(keys)
    if keys.dtype == np.bool_:
        if keys.shape != (frames,):
            raise InvalidRequestError("keys", f"shape {keys.shape}, expected ({frames},)")
        keys = np.flatnonzero(keys)
    outside = keys[(keys < 0) | (keys >= frames)] if keys.size else keys
    if outside.size:
        raise InvalidRequestError("keys", f"frame {int(outside[0])} lies outside 0..{frames - 1}")
    if joints is None:
        known = np.zeros((frames, len(JOINTS)), bool)
        known[keys.astype(int)] = True
    else:
        known = np.asarray(joints, bool)
        if known.shape != (frames, len(JOINTS)):
            raise InvalidRequestError("joints", f"shape {known.shape}, expected {(frames, len(JOINTS))}")
    count = int(known.any(axis=1).sum())
    if count < 2:
        raise InvalidRequestError("keys", f"{count} keyed frames in the range, at least 2 are needed",
                                  "Key a first and a last pose.")  # fmt: skip
    return known, (known[:, 0].copy() if root is None else np.asarray(root, bool))


def inbetween(
    clip: Clip,
    keys: ArrayLike | Sequence[int],
    joints: ArrayLike | None = None,
    root: ArrayLike | None = None,
    **settings: Any,
) -> Request:
    """Known: the keyed joints at the keyed frames.

    Args:
        clip: the poses; frames between keys are ignored.
        keys: keyed frame numbers, or a boolean ``(F,)``.
        joints: ``(F, 22)`` boolean, which joints are keyed where; None: whole poses at ``keys``.
        root: ``(F,)`` boolean, where the root's place is keyed; None: wherever the pelvis is.
        settings: ``seed``, ``variations``, ``system``, ``bundle``, ``texts``, ``options``.

    Raises:
        InvalidRequestError: fewer than two keyed frames, or a key outside the clip.
    """
    base = _empty(clip, 1.0)
    base["rotation_known"], base["root_known"] = keyed(len(clip), keys, joints, root)
    base["heading_known"] = base["rotation_known"][:, 0].copy()
    return Request(task="inbetween", **base, **settings)


def complete(clip: Clip, missing: ArrayLike, root_missing: ArrayLike | None = None,
             **settings: Any) -> Request:  # fmt: skip
    """Known: all but ``missing`` ``(F, 22)`` (and the root's path where ``root_missing`` ``(F,)``)."""
    base = _empty(clip, 1.0)
    missing = np.asarray(missing, bool)
    base["rotation_known"] = ~missing
    base["root_known"] = np.ones(len(clip), bool) if root_missing is None else ~np.asarray(root_missing, bool)
    base["heading_known"] = ~missing[:, 0]
    base["confidence"] = np.where(missing, 0.0, 1.0)
    return Request(task="complete", **base, **settings)


def refine(clip: Clip, confidence: ArrayLike, **settings: Any) -> Request:
    """Everything is there, ``confidence`` ``(F, 22)`` or a number says how far it can be trusted.

    Entries with confidence 1 are kept as they are.
    """
    base = _empty(clip, 1.0)
    confidence = np.broadcast_to(np.asarray(confidence, np.float64), base["confidence"].shape).copy()
    base["confidence"] = confidence
    base["rotation_known"] = confidence >= 1
    base["root_known"] = base["heading_known"] = confidence[:, 0] >= 1
    return Request(task="refine", **base, **settings)


DOUBT = 0.2
"""Observed values of less confidence say less than the frames around them."""


def heeded(confidence: np.ndarray) -> np.ndarray:
    """Confidence ``(F, J)`` with 0 where a value is better drawn anew than believed.

    That is where it is below :data:`DOUBT` and the joint was seen at least twice as well at some other
    time: motion that is doubtful throughout is all there is.
    """
    doubtful = (confidence < DOUBT) & (2 * confidence <= confidence.max(0, keepdims=True, initial=0.0))
    return np.where(doubtful, 0.0, confidence)


def edit(clip: Clip, regenerate: ArrayLike, root: ArrayLike | None = None, **settings: Any) -> Request:
    """Known: all but ``regenerate`` ``(F, 22)``, with or without new ``texts``."""
    request = complete(clip, regenerate, root, **settings)
    return Request(**{**request.__dict__, "task": "edit"})


def text(clip: Clip, texts: Sequence[TextSpan], start_pose: bool = False, **settings: Any) -> Request:
    """Known: nothing, or the first frame's pose; ``clip`` gives skeleton, length and rate."""
    base = _empty(clip, 0.0)
    if start_pose:
        for key in ("rotation_known", "root_known", "heading_known"):
            base[key][0] = True
        base["confidence"][0] = 1
    return Request(task="text", texts=tuple(texts), **base, **settings)


def told(prompts: Sequence[str], seconds: Sequence[float], fps: float = 30.0, **settings: Any) -> Request:
    """Text-to-motion from nothing: one prompt after the other, each so long, on the standard body.

    Raises:
        InvalidRequestError: no prompt, not as many lengths, or one that is no length.
    """
    if not prompts or len(prompts) != len(seconds):
        raise InvalidRequestError("seconds", f"{len(seconds)} lengths for {len(prompts)} prompts",
                                  "Say how long each one takes.")  # fmt: skip
    ends = [0]
    for s in seconds:
        frames = round(s * fps) if np.isfinite(s) else 0
        if frames < 2:
            raise InvalidRequestError("seconds", f"{s} seconds are no length", "Give at least a tenth.")
        ends.append(ends[-1] + frames)
    spans = [TextSpan(p, a, b) for p, a, b in zip(prompts, ends[:-1], ends[1:], strict=True)]
    return text(rest_clip(min(ends[-1], MAX_FRAMES + 1), fps), spans, **settings)


def follow(
    clip: Clip,
    targets: ArrayLike | None = None,
    known: ArrayLike | None = None,
    *,
    firmness: ArrayLike | None = None,
    ground_known: ArrayLike | None = None,
    headings: ArrayLike | None = None,
    heading_known: ArrayLike | None = None,
    rotation_known: ArrayLike | None = None,
    root_known: ArrayLike | None = None,
    trust: float = 0.0,
    **settings: Any,
) -> Request:
    """Joints (pins), the ground path and the heading go where they are told; the rest is free.

    Args:
        clip: skeleton, length and rate; with ``rotation_known`` and ``root_known`` the keys in it stay, with
            ``trust`` the whole motion is what is steered.
        targets: ``(F, 22, 3)`` world positions, metres; the pelvis' x and z are the ground path's.
        known: ``(F, 22)`` which of them are pins; None: none.
        firmness: ``(F, 22)`` or a number, see :class:`Request`.
        ground_known: ``(F,)``; headings: ``(F,)`` radians; heading_known: ``(F,)``.
        rotation_known: ``(F, 22)``; root_known: ``(F,)``: keys, which stay bit for bit.
        trust: 0: nothing but the keys is heeded; up to 1: how closely the clip's own motion is kept.
        settings: as for :func:`inbetween`.

    Raises:
        InvalidRequestError: nothing to follow, or values that make no sense.
    """
    base = _empty(clip, trust)
    n, j = len(clip), len(JOINTS)
    for key, value in (("position_known", known), ("heading_known", heading_known), ("root_known", root_known),
                       ("rotation_known", rotation_known), ("ground_known", ground_known)):  # fmt: skip
        if value is not None:
            base[key] = np.asarray(value, bool)
    if targets is not None:
        base["targets"] = np.asarray(targets, np.float64)
    if headings is not None:
        base["headings"] = np.asarray(headings, np.float64)
    if firmness is not None:
        base["firmness"] = np.broadcast_to(np.asarray(firmness, np.float64), (n, j)).copy()
    return Request(task="follow", **base, **settings)
