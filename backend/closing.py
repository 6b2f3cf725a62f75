"""From nearly there to there: a sample bent until its pins, its path and its headings are met.

Two steps, on any clip, whichever system made it (Kimodo and MaskControl close in the same spirit):

1. :func:`close`: the whole motion is bent by smooth corrections. A correction is a cubic B-spline a joint, at a
   coarse and a fine spacing of knots; its coefficients have a prior (small for a spine, large for an elbow's
   hinge), and L-BFGS minimises targets missed + prior + sliding of standing feet. So a pin at one frame
   moves the frames around it, and an arm before a back.
2. :func:`exact`: what is left at hard pins (millimetres) is taken off frame by frame by damped least squares on
   all free joints and, weighted least, the root (Wampler 1986; the limbs' part of it is two-bone IK).

Known rotations and places take no part, and corrections fade before them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blender_addon.motion import kinematics, rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request
from blender_addon.motion.rotations import Array
from blender_addon.motion.skeleton import INDEX, JOINTS, PARENTS

from . import features
from .control import wrapped

Mask = NDArray[np.bool_]
STEPS = 60
"""L-BFGS iterations at most."""
COARSE, FINE = 0.4, 0.1
"""Seconds between knots."""
FINE_SHARE = 0.3
"""Of a coefficient's size on the fine knots."""
FADE = 0.2
"""Seconds before a known value over which corrections come and go."""
MARGIN = 1.2
"""Seconds beside the first and the last target that may still be bent."""
FIRM, TURN, SLIDE = 0.004, 0.02, 0.003
"""What weighs as much as a correction of one prior deviation: a hard target missed by so many metres, a heading by
so many radians, a standing foot moving so many metres a frame at 30 fps."""
REACHING = 0.15
"""Metres: targets that are farther pull less and less."""
PRIOR = 0.02
"""Weight of the corrections' squares beside the targets'."""
EXACT = 1e-3
"""Metres: a hard pin that is off by more is reported."""
RISE, SINK = 0.08, 0.7
"""How far the pelvis is lifted and lowered for the sake of other joints' pins at most, hip heights."""
_ROOT = (0.3, 0.15, 0.3)
"""Prior deviations of the root, hip heights."""


def _deviations() -> Array:
    """Prior deviations of each joint about its own axes, radians. ``(22, 3)``."""
    size = {"pelvis": 0.12, "spine": 0.08, "neck": 0.12, "head": 0.15, "collar": 0.1, "shoulder": 0.5, "elbow": 0.06,
            "wrist": 0.1, "hip": 0.35, "knee": 0.04, "ankle": 0.15, "foot": 0.1}  # fmt: skip
    out = np.array([[next(v for k, v in size.items() if k in name)] * 3 for name in JOINTS])
    for s in ("left", "right"):
        out[INDEX[f"{s}_elbow"], 1] = 0.6  # hinges (canonical rest: elbows bend about Y, knees about X)
        out[INDEX[f"{s}_knee"], 0] = 0.45
    return out


DEVIATIONS = _deviations()
_FEET = [INDEX[n] for n in ("left_ankle", "right_ankle", "left_foot", "right_foot")]
_ABOVE = np.zeros((len(JOINTS), len(JOINTS)), bool)
"""``[j, a]``: turning joint ``a`` moves joint ``j``."""
for _j in range(len(JOINTS)):
    _a = PARENTS[_j]
    while _a >= 0:
        _ABOVE[_j, _a] = True
        _a = PARENTS[_a]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a request asks of a clip, in metres.

    Attributes:
        targets: ``(F, 22, 3)``; weight: ``(F, 22)``, 0: none, 1: hard.
        ground: ``(F, 2)``; grounded: ``(F,)``; heading: ``(F,)`` radians; headed: ``(F,)``.
    """

    targets: Array
    weight: Array
    ground: Array
    grounded: Mask
    heading: Array
    headed: Mask

    @property
    def frames(self) -> Mask:
        """Where anything is asked for. ``(F,)``."""
        return (self.weight > 0).any(1) | self.grounded | self.headed


def wanted(request: Request) -> Wanted:
    """What a request asks for: its own targets, or the clip's where it has none."""
    targets = request.targets
    if targets is None:
        targets = request.clip.positions()
    firmness = np.ones_like(request.confidence) if request.firmness is None else request.firmness
    weight = np.where(request.position_known, firmness, 0.0)
    headings = request.headings
    if headings is None:
        headings = heading(request.clip.rotations[:, 0])
    return Wanted(targets, weight, targets[:, 0, ::2], request.grounded(), headings, request.heading_known)


def heading(q: Array) -> Array:
    """Heading of pelvis rotations: their twist about Y. ``(F, 4) -> (F,)`` radians."""
    return 2.0 * np.arctan2(q[:, 2], q[:, 0]).astype(np.float64)


# -- bending --------------------------------------------------------------------------------------------


def close(clip: Clip, request: Request, step: Callable[[], None] = lambda: None, steps: int = STEPS) -> Clip:
    """The clip bent until what is asked for is met, as nearly as its prior allows.

    Args:
        clip: a sample of the request's length, rate and skeleton.
        request: what is known and asked for.
        step: called before every evaluation; what it raises ends the work.
        steps: iterations at most.
    """
    asked = wanted(request)
    if not asked.frames.any():
        return clip
    first, last = (int(f) for f in np.flatnonzero(asked.frames)[[0, -1]])
    margin = round(MARGIN * clip.fps)
    span = slice(max(first - margin, 0), min(last + margin + 1, len(clip)))
    bend = _Bend(clip, request, asked, span)
    optimiser = torch.optim.LBFGS(bend.z, 1.0, steps, 2 * steps, 1e-7, 1e-9, 10, "strong_wolfe")

    def evaluate() -> float:
        step()
        optimiser.zero_grad()
        cost = bend.cost()
        cost.backward()
        return float(cost.detach())

    optimiser.step(evaluate)
    return bend.clip()


class _Bend:
    """The corrections of a span of frames: coefficients ``z``, and what they cost."""

    def __init__(self, clip: Clip, request: Request, asked: Wanted, span: slice) -> None:
        self.whole, self.span = clip, span
        n = span.stop - span.start
        t = lambda x: torch.tensor(x[span]).float()  # noqa: E731
        self.place = clip.root_positions[span.start] * [
            1.0,
            0,
            1.0,
        ]  # keeps float32 exact far from the origin
        self.matrices = features.to_matrix(t(clip.rotations))[None]
        self.root = (torch.as_tensor(clip.root_positions[span] - self.place).float())[None]
        self.offsets = torch.tensor(clip.skeleton.offsets).float()[None]
        self.targets = t(asked.targets - self.place)[None]
        # a soft pin weighs by the square of its firmness, so that half a pin is much less than a whole one
        self.pull = t(asked.weight**2)[None] / FIRM
        self.ground, self.grounded = t(asked.ground - self.place[::2])[None], t(asked.grounded)[None] / FIRM
        self.heading, self.headed = t(asked.heading)[None], t(asked.headed)[None] / TURN
        turned, placed = ~request.rotation_known[span], ~request.root_known[span]
        hip, fps = clip.hip_height, clip.fps
        ends = span.start > 0, span.stop < len(clip)
        fade = _faded(np.concatenate((turned, placed[:, None]), 1), max(1, round(FADE * fps)), ends)
        self.turns = torch.as_tensor(fade[:, :22, None] * DEVIATIONS).float()  # (F, 22, 3)
        self.moves = torch.as_tensor(fade[:, 22:] * np.array(_ROOT) * hip).float()  # (F, 3)
        self.pelvis_told = bool((asked.weight[span, 0] > 0).any())
        self.hip = hip
        self.bases = [torch.as_tensor(share * _splines(n, gap * fps)).float()
                      for gap, share in ((COARSE, 1.0), (FINE, FINE_SHARE))]  # fmt: skip
        self.z = [torch.zeros(b.shape[1], 69, requires_grad=True) for b in self.bases]
        feet = clip.positions()[span][:, _FEET]
        stands = kinematics.foot_contacts(feet, fps, hip)
        both = stands[1:] & stands[:-1] if n > 1 else np.zeros((0, 4), bool)
        self.stands = torch.as_tensor(both).float()[None, :, :, None] / (SLIDE * 30 / fps)

    def corrections(self) -> tuple[Tensor, Tensor]:
        """Each joint's turn about its own axes ``(F, 22, 3)``, and the root's way ``(F, 3)``.

        A body that is pulled up rises to its toes and no farther: it does not fly after a pin that it cannot
        reach. Where the pelvis itself is told its height, that holds.
        """
        z = torch.stack([b @ z for b, z in zip(self.bases, self.z, strict=True)]).sum(0)
        turns, way = z[:, :66].unflatten(1, (22, 3)) * self.turns, z[:, 66:] * self.moves
        if not self.pelvis_told:
            up, down = RISE * self.hip, SINK * self.hip
            y = way[:, 1]
            y = torch.where(
                y > 0, up * torch.tanh(y.clamp(min=0) / up), down * torch.tanh(y.clamp(max=0) / down)
            )
            way = torch.stack((way[:, 0], y, way[:, 2]), -1)
        return turns, way

    def moved(self) -> tuple[Tensor, Tensor]:
        """Local matrices ``(1, F, 22, 3, 3)`` and root ``(1, F, 3)`` with the corrections."""
        turns, way = self.corrections()
        return self.matrices @ _exponential(turns)[None], self.root + way[None]

    def cost(self) -> Tensor:
        """See the module's head."""
        matrices, root = self.moved()
        _, p = features.forward_kinematics(matrices, root, self.offsets)
        # by the logarithm far off (Cauchy): a pin out of reach does not tear everything else after it
        away = (p - self.targets).square().sum(-1)
        pins = (self.pull.square() * REACHING**2 * torch.log1p(away / REACHING**2)).sum()
        path = ((root[..., ::2] - self.ground) * self.grounded[..., None]).square().sum()
        forward = matrices[0, :, 0, :, 2]
        turn = wrapped(torch.atan2(forward[:, 0], forward[:, 2]) - self.heading[0])
        feet = p[:, :, _FEET]
        slide = ((feet[:, 1:] - feet[:, :-1]) * self.stands).square().sum()
        prior = torch.stack([z.square().sum() for z in self.z]).sum()
        return (pins + path + (turn * self.headed[0]).square().sum() + slide) * PRIOR + prior

    @torch.no_grad()
    def clip(self) -> Clip:
        """The whole clip with its bent span."""
        turns, way = (x.double().numpy() for x in self.corrections())
        local, root = self.whole.rotations.copy(), self.whole.root_positions.copy()
        local[self.span] = rotations.multiply(local[self.span], rotations.from_axis_angle(turns))
        root[self.span] += way
        return replace(self.whole, rotations=local, root_positions=root)


def _splines(frames: int, gap: float) -> Array:
    """Uniform cubic B-splines with a knot every ``gap`` frames. ``(F, K)``, rows sum to 1."""
    at = np.arange(frames)[:, None] / gap
    knots = np.arange(-1, int(np.ceil((frames - 1) / gap)) + 2)
    u = np.abs(at - knots)
    return np.where(u < 1, 2 / 3 - u**2 + u**3 / 2, np.where(u < 2, (2 - u) ** 3 / 6, 0.0))


def _faded(free: Mask, width: int, ends: tuple[bool, bool]) -> Array:
    """1 far from what is known, smoothly 0 at it. ``(F, K) -> (F, K)``.

    Args:
        ends: whether the clip goes on before and after these frames, unchanged.
    """
    n = len(free)
    padded = np.concatenate(
        (np.full((1, free.shape[1]), not ends[0]), free, np.full((1, free.shape[1]), not ends[1]))
    )
    frames = np.arange(n + 2)[:, None]
    before = np.maximum.accumulate(np.where(padded, -n - width, frames), axis=0)
    after = np.minimum.accumulate(np.where(padded, 2 * n + width + 2, frames)[::-1], axis=0)[::-1]
    t = np.clip(np.minimum(frames - before, after - frames) / (width + 1), 0, 1)[1:-1]
    return t * t * (3 - 2 * t) * free


def _exponential(v: Tensor) -> Tensor:
    """Rotation matrices of axis-angle vectors (Rodrigues), smooth at zero. ``(..., 3) -> (..., 3, 3)``."""
    square = v.square().sum(-1)[..., None, None] + 1e-12
    angle = square.sqrt()
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    k = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).unflatten(-1, (3, 3))
    return torch.eye(3) + angle.sin() / angle * k + (1 - angle.cos()) / square * (k @ k)


# -- exactness --------------------------------------------------------------------------------------------


ITERATIONS = 25
DAMPING = 1e-3
"""Metres: errors that are small beside it are no longer chased through stretched limbs."""
BEYOND = 2 * REACHING
"""Metres: what is still farther after bending is out of reach, and no limb is stretched after it."""
_LEAST, _FARTHEST = 0.02, 0.03
"""What the root takes beside the limbs, and how far it goes at most, hip heights: the pelvis told its place apart."""


def exact(clip: Clip, request: Request) -> Clip:
    """The clip with its hard pins met to less than a millimetre wherever free joints reach.

    What is taken off a frame fades over the frames beside it that have no hard pin of their own.
    """
    asked = wanted(request)
    away = np.linalg.norm(clip.positions() - asked.targets, axis=-1)
    hard = (asked.weight >= 1) & (away < BEYOND)
    frames = np.flatnonzero(hard.any(1))
    if not frames.size:
        return clip
    local, root = clip.rotations.copy(), clip.root_positions.copy()
    free = np.concatenate((~request.rotation_known, ~request.root_known[:, None]), 1)
    turned, placed = _solved(
        local[frames], root[frames], clip.skeleton.offsets, asked.targets[frames], hard[frames], free[frames],
        clip.hip_height,
    )  # fmt: skip
    turns = np.zeros((len(clip), 22, 3))
    moves = np.zeros((len(clip), 3))
    turns[frames] = rotations.to_axis_angle(rotations.multiply(rotations.inverse(local[frames]), turned))
    moves[frames] = placed - root[frames]
    width = max(1, round(FADE * clip.fps))
    nearest = frames[np.abs(np.arange(len(clip))[:, None] - frames).argmin(1)]
    apart = np.abs(np.arange(len(clip)) - nearest)
    t = np.clip(1 - apart / (width + 1), 0, 1)
    share = _faded(free, width, (False, False)) * (t * t * (3 - 2 * t))[:, None]
    share[frames] = free[frames]
    turns, moves = turns[nearest] * share[:, :22, None], moves[nearest] * share[:, 22:]
    beside = np.setdiff1d(np.flatnonzero(share.any(1)), frames)
    local[beside] = rotations.multiply(local[beside], rotations.from_axis_angle(turns[beside]))
    root[beside] += moves[beside]
    local[frames], root[frames] = turned, placed
    return replace(clip, rotations=local, root_positions=root)


def _solved(local: Array, root: Array, offsets: Array, targets: Array, hard: Mask, free: Mask,
            hip: float) -> tuple[Array, Array]:  # fmt: skip
    """Damped least squares, all frames at once; a frame keeps the best it had. ``(F, 22, 4), (F, 3)``."""
    n = len(local)
    scale = np.concatenate((DEVIATIONS.ravel(), np.full(3, _LEAST * hip)))
    weight = (
        np.concatenate((np.repeat(free[:, :22], 3, 1), np.repeat(free[:, 22:], 3, 1)), 1) * scale
    )  # (F, 69)
    pins = np.flatnonzero(hard.any(0))
    asked = np.repeat(hard[:, pins], 3, 1)
    bones = np.broadcast_to(offsets, (n, 22, 3))
    q, place = local.copy(), root.copy()
    best_q, best_place, best = q.copy(), place.copy(), np.full(n, np.inf)
    for k in range(ITERATIONS + 1):
        moved = bones.copy()
        moved[:, 0] = place
        world, p = kinematics.forward(np.array(PARENTS), q, moved)
        miss = (targets[:, pins] - p[:, pins]).reshape(n, -1) * asked
        worst = np.abs(miss).max(1)
        better = worst < best
        best_q[better], best_place[better], best[better] = q[better], place[better], worst[better]
        if k == ITERATIONS or best.max() < 0.05 * EXACT:
            break
        jacobian = _jacobian(world, p, pins) * asked[..., None] * weight[:, None]
        square = jacobian @ jacobian.transpose(0, 2, 1)
        damping = (DAMPING**2 + 1e-3 * worst[:, None] ** 2)[..., None] * np.eye(square.shape[1])
        change = (
            weight
            * (jacobian.transpose(0, 2, 1) @ np.linalg.solve(square + damping, miss[..., None]))[..., 0]
        )
        turns = change[:, :66].reshape(n, 22, 3)
        large = np.abs(change[:, :66]).max(1)
        less = np.minimum(1, 0.4 / np.maximum(large, 1e-9))
        q = rotations.multiply(q, rotations.from_axis_angle(turns * less[:, None, None]))
        reach = np.where(hard[:, :1], np.inf, _FARTHEST * hip)
        place = root + np.clip(place + change[:, 66:] * less[:, None] - root, -reach, reach)
    return best_q, best_place


def _jacobian(world: Array, p: Array, pins: NDArray[np.intp]) -> Array:
    """How pinned joints move with every joint's own axes and the root. ``(F, 3 P, 69)``."""
    n = len(p)
    axes = rotations.to_matrix(world).transpose(0, 1, 3, 2)  # (F, 22, axis, xyz)
    arm = p[:, pins, None] - p[:, None]  # (F, P, 22, 3)
    turned = (
        np.cross(axes[:, None], arm[:, :, :, None]) * _ABOVE[pins][None, :, :, None, None]
    )  # (F, P, 22, axis, xyz)
    turned = turned.reshape(n, len(pins), 66, 3).transpose(0, 1, 3, 2)
    moved = np.broadcast_to(np.eye(3), (n, len(pins), 3, 3))
    return np.concatenate((turned, moved), -1).reshape(n, 3 * len(pins), 69)


# -- what became of it ----------------------------------------------------------------------------------


LISTED = 100


def deviations(clip: Clip, request: Request) -> dict[str, object]:
    """How far pins, path and headings are missed: the report's entries.

    ``pins``: a joint each, metres; ``missed``: hard pins that are off by more than :data:`EXACT`, by frame of the
    request. ``path`` and ``heading`` (radians) where they are asked for.
    """
    asked = wanted(request)
    away = np.linalg.norm(clip.positions() - asked.targets, axis=-1)
    pins = []
    for j in np.flatnonzero((asked.weight > 0).any(0)):
        frames = np.flatnonzero(asked.weight[:, j] > 0)
        hard = frames[asked.weight[frames, j] >= 1]
        off = away[frames, j]
        missed = [[int(f), float(away[f, j])] for f in hard if away[f, j] > EXACT]
        pins.append({
            "joint": JOINTS[j], "frames": len(frames), "firm": len(hard), "mean": float(off.mean()),
            "worst": float(off.max()), "worst_frame": int(frames[off.argmax()]), "missed": missed[:LISTED],
        })  # fmt: skip
    found: dict[str, object] = {"pins": pins}
    if asked.grounded.any():
        frames = np.flatnonzero(asked.grounded)
        off = np.linalg.norm(clip.root_positions[frames][:, ::2] - asked.ground[frames], axis=1)
        found["path"] = {"frames": len(frames), "mean": float(off.mean()), "worst": float(off.max()),
                         "worst_frame": int(frames[off.argmax()])}  # fmt: skip
    if asked.headed.any():
        frames = np.flatnonzero(asked.headed)
        turn = heading(clip.rotations[frames, 0]) - asked.heading[frames]
        off = np.abs((turn + np.pi) % (2 * np.pi) - np.pi)
        found["heading"] = {"frames": len(frames), "worst": float(off.max()),
                            "worst_frame": int(frames[off.argmax()])}  # fmt: skip
    return found
