"""MoGenTS: text-to-motion and edits on a map of codes, joints x time (Yuan et al. 2024).

Motion becomes codes; those of which any frame is unknown are drawn, the others are never drawn again. Long
ranges are filled from left to right in windows as long as those of the training, each beginning with the
end of the one before, put into its own frame like any other motion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from blender_addon.motion.constraints import TextSpan

from .. import features, text
from ..features import Inputs, J
from ..nn import masked, quantiser
from ..nn.masked import Sampling
from ..nn.mogents import MoGenTS as Networks
from ..prompts import Prompts
from .base import Done, Step, Told, binomial

CONTEXT = 48
"""Frames that a window takes over from the one before."""
SMOOTHING = 2
"""Times that drawn motion passes the filter 1-2-1. Codes that follow each other by chance leave a tremble: on
training takes of Bandai Namco jerk was 2.4 times the recorded motion's, twice filtered it is 1.1 times."""
FADE = 12
"""Frames over which what is known and what was drawn beside it are reconciled."""
STRIDE = quantiser.STRIDE


class MoGenTS(Told):
    """The networks as a system.

    Args:
        network: trained, in evaluation mode.
        tasks: what it was trained for.
        window: the longest window of the training, in frames.
        sampling: how codes are drawn.
        prompts: what it knows of words; None: not kept.
    """

    name = "mogents"

    def __init__(self, network: Networks, tasks: frozenset[str], window: int, sampling: Sampling | None = None,
                 prompts: Prompts | None = None) -> None:  # fmt: skip
        if network.masked is None:
            raise ValueError("this network has no transformers yet")
        self.network, self.tasks, self.window = network.eval(), tasks, window
        self.sampling, self.prompts = sampling or Sampling(), prompts

    @classmethod
    def from_bundle(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Build from a bundle's entry; every tensor must be there and none more (``strict``)."""
        a = settings["architecture"]
        network = Networks(quantiser.Architecture(**a["quantiser"]), masked.Architecture(**a["transformers"]))
        rest = dict(tensors)
        prompts = None
        if settings["prompts"] is not None:
            prompts = Prompts.from_bundle(settings["prompts"], rest.pop("prompts").numpy())
        network.load_state_dict(rest, strict=True)
        return cls(network, frozenset(settings["tasks"]), int(settings["window"]),
                   Sampling(**settings["sampling"]), prompts)  # fmt: skip

    def to_bundle(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The inverse of :meth:`from_bundle`."""
        assert self.network.masked is not None
        tensors = dict(self.network.state_dict())
        if self.prompts is not None:
            tensors["prompts"] = torch.from_numpy(self.prompts.vectors)
        settings = {
            "architecture": {"quantiser": asdict(self.network.quantiser.architecture),
                             "transformers": asdict(self.network.masked.architecture)},
            "tasks": sorted(self.tasks), "window": self.window, "sampling": asdict(self.sampling),
            "prompts": None if self.prompts is None else self.prompts.to_bundle(),
        }  # fmt: skip
        return settings, tensors

    def judge(self, prompt: str) -> Mapping[str, Any]:
        """See :meth:`Told.judge`."""
        return self.prompts.judge(prompt) if self.prompts is not None else {}

    def evaluations(self, variation: int) -> int:
        """Passes of the masked transformer, then one of the residual one for each further level."""
        del variation
        further = self.network.quantiser.architecture.levels - 1 if self.network.residual else 0
        return self.sampling.steps + further

    def pieces(self, frames: int) -> int:
        """See :meth:`Told.pieces`."""
        return len(pieces(frames, self.window))

    @torch.inference_mode()
    def fill(self, x: Inputs, texts: Sequence[TextSpan], generators: Sequence[torch.Generator],
             step: Step, done: Done | None = None) -> Tensor:  # fmt: skip
        """See :meth:`Told.fill`."""
        motion = x.base.clone()
        known = torch.cat((x.rotation_known, x.root_known[..., None]), -1)  # (B, T, 23)
        settled = known.clone()
        for start, stop in pieces(x.base.shape[1], self.window):
            part = slice(start, stop)
            drawn = self._window(motion[:, part], settled[:, part], x.valid[:, part], x.offsets,
                                 _moved(texts, start, stop), generators, step)  # fmt: skip
            motion[:, part] = torch.where(features.spread(settled[:, part]), motion[:, part], drawn)
            settled[:, part] = True
            if done is not None and stop < x.base.shape[1]:
                done((motion - x.base) * ~features.known_channels(x), stop)
        return (motion - x.base) * ~features.known_channels(x)

    def _window(self, motion: Tensor, settled: Tensor, valid: Tensor, offsets: Tensor, texts: Sequence[TextSpan],
                generators: Sequence[torch.Generator], step: Step) -> Tensor:  # fmt: skip
        """What is not settled drawn, reconciled with what is. ``(B, T, 135), (B, T, 23) -> (B, T, 135)``."""
        # 1. in the frame of its first pose, which is held so long that what is settled ends with a code
        lead = -_leading(settled) % STRIDE
        hold = lambda v: torch.cat((v[:, :1].expand(-1, lead, *v.shape[2:]), v), 1)  # noqa: E731
        motion, settled, valid = hold(motion), hold(settled), hold(valid)
        turn, place = facing(motion[:, 0])
        own = turned(motion, turn, place)
        # 2. codes; those of which a frame is unknown are drawn
        codes = self.network.quantiser.encode(own, offsets, valid)
        times = quantiser.token_frames(valid).any(-1)
        free = by_code(~settled & valid[..., None])
        said = text.spoken([replace(t, start=t.start + lead, stop=t.stop + lead) for t in texts], len(codes),
                           codes.shape[1], STRIDE)  # fmt: skip
        assert self.network.masked is not None
        codes = masked.generate(self.network.masked, self.network.residual, codes, free, times, said,
                                self.sampling, generators, step)  # fmt: skip
        # 3. motion again, on the path and beside the poses that are settled
        out = self.network.quantiser.decode(codes, valid)
        for _ in range(SMOOTHING):
            out = binomial(out)
        out = turned(reconciled(out, own, settled), -turn, None, place)
        return out[:, lead:]


def pieces(frames: int, longest: int) -> list[tuple[int, int]]:
    """Windows of about one length that cover a range, each beginning with ``CONTEXT`` frames of the one before."""
    if frames <= longest:
        return [(0, frames)]
    context = min(CONTEXT, longest // 2 // STRIDE * STRIDE)
    count = -(-(frames - context) // ((longest - context) // STRIDE * STRIDE))
    advance = -(-(frames - context) // count // STRIDE) * STRIDE
    advance += STRIDE * (count * advance < frames - context)
    return [(k * advance, min((k + 1) * advance + context, frames)) for k in range(count)]


def _moved(texts: Sequence[TextSpan], start: int, stop: int) -> list[TextSpan]:
    moved = [replace(t, start=t.start - start, stop=t.stop - start) for t in texts]
    return [t for t in moved if t.stop > 0 and t.start < stop - start]


def _leading(settled: Tensor) -> int:
    """Frames before the first one of which something is to be drawn."""
    free = ~settled.all(-1).all(0)
    return int(free.int().argmax()) if bool(free.any()) else len(free)


def by_code(frames: Tensor) -> Tensor:
    """Which codes have a marked frame. ``(B, T, 23) -> (B, ceil(T / 4), 23)`` bool."""
    padded = F.pad(frames, (0, 0, 0, -frames.shape[1] % STRIDE))
    return padded.unflatten(1, (-1, STRIDE)).any(2)


# -- frames of reference ------------------------------------------------------------------------------------


def facing(pose: Tensor) -> tuple[Tensor, Tensor]:
    """The turn that makes poses ``(B, 135)`` face +Z, radians ``(B,)``, and their place on the ground ``(B, 3)``."""
    m = features.matrix_from_6d(pose[..., :6])
    half = torch.atan2(m[:, 0, 2] - m[:, 2, 0], 1 + m.diagonal(dim1=-2, dim2=-1).sum(-1))  # twist about y
    place = pose[..., -3:] * torch.tensor([1.0, 0, 1.0], dtype=pose.dtype)
    return -2 * half, place


def turned(motion: Tensor, angle: Tensor, before: Tensor | None, after: Tensor | None = None) -> Tensor:
    """Motion less ``before``, turned about y, plus ``after``. ``(B, T, 135), (B,), (B, 3)``."""
    cos, sin = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    r = torch.stack((cos, zero, sin, zero, one, zero, -sin, zero, cos), -1).unflatten(-1, (3, 3))  # (B, 3, 3)
    root = motion[..., -3:]
    if before is not None:
        root = root - before[:, None]
    root = root @ r.mT
    if after is not None:
        root = root + after[:, None]
    pelvis = motion[..., :6].unflatten(-1, (2, 3)) @ r.mT[:, None]  # its matrix' two columns, each turned
    return torch.cat((pelvis.flatten(-2), motion[..., 6:-3], root), -1)


def reconciled(drawn: Tensor, motion: Tensor, settled: Tensor) -> Tensor:
    """Drawn motion that meets what is settled beside it.

    What differs where something is settled fades out over :data:`FADE` frames (sooner in shorter gaps); on
    the ground it stays beyond, and goes from one settled place to the next between two: a path has no
    place to come back to.

    Args:
        drawn, motion: ``(B, T, 135)``; settled: ``(B, T, 23)`` bool.
    """
    before, after, t = features.neighbours(settled)
    frames = torch.arange(drawn.shape[1])[None, :, None]
    gap = torch.where(after > before, after - before, FADE + 1).clamp(max=FADE + 1)
    weight = [
        0.5 + 0.5 * torch.cos(torch.pi * ((frames - at).abs() / gap).clamp(max=1)) for at in (before, after)
    ]
    lone = after == before  # beyond the first or last settled frame, or at it: one neighbour counts once
    weight[1] = weight[1] * ~lone
    there = settled.any(1, keepdim=True)
    off = motion - drawn
    out = torch.zeros_like(off)
    for at, w in zip((before, after), weight, strict=True):
        out = out + off.gather(1, features.spread(at)) * features.spread(w * there).to(off)
    ground = [features.CHANNELS - 3, features.CHANNELS - 1]
    first, last = (off[..., ground].gather(1, at[..., J:].expand(-1, -1, 2)) for at in (before, after))
    out[..., ground] = (first + (last - first) * t[..., J:]) * there[..., J:]
    return drawn + out
