"""RoPAR: text-to-motion, completion and refinement by body part (Li et al., "Robust Motion Generation ...").

A part's token is kept where the part is known, or observed and credible; all others are drawn from those and
the text. What was observed and is credible stays as it was observed (smoothed), what is known stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from blender_addon.motion.constraints import TextSpan

from .. import features, text
from ..features import Inputs, J
from ..nn import autoregressive, parts
from ..nn.autoregressive import Sampling
from ..nn.masked import TEXT, Context, silence
from ..nn.ropar import RoPAR as Networks
from .base import Step, System, smooth

TASKS = frozenset({"text", "complete", "refine"})
DRAWN = Sampling()
FADE = 4
"""Frames over which what is kept goes over into what is drawn."""


class RoPAR(System):
    """The networks as a system.

    Args:
        network: trained, in evaluation mode.
        tasks: what it is offered for.
        window: frames it was trained on.
        tau: mean confidence above which a part is credible.
        sampling: how tokens are drawn.
    """

    name = "ropar"

    def __init__(self, network: Networks, tasks: frozenset[str], window: int, tau: float = parts.TAU,
                 sampling: Sampling = DRAWN) -> None:  # fmt: skip
        if network.transformer is None:
            raise ValueError("this network has no transformer yet")
        self.network, self.tasks, self.window = network.eval(), tasks, window
        self.tau, self.sampling = tau, sampling

    @classmethod
    def from_bundle(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Build from a bundle's entry; every tensor must be there and none more (``strict``)."""
        a = settings["architecture"]
        network = Networks(parts.Architecture(**a["vae"]), autoregressive.Architecture(**a["transformer"]))
        network.load_state_dict(tensors, strict=True)
        return cls(network, frozenset(settings["tasks"]), int(settings["window"]), float(settings["tau"]),
                   Sampling(**settings["sampling"]))  # fmt: skip

    def to_bundle(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The inverse of :meth:`from_bundle`."""
        assert self.network.transformer is not None
        a = {
            "vae": asdict(self.network.vae.architecture),
            "transformer": asdict(self.network.transformer.architecture),
        }
        settings = {"architecture": a, "tasks": sorted(self.tasks), "window": self.window, "tau": self.tau,
                    "sampling": asdict(self.sampling)}  # fmt: skip
        return settings, dict(self.network.state_dict())

    def evaluations(self, variation: int) -> int:
        """The transformer's passes."""
        return self.sampling.steps

    def sample(self, x: Inputs, variation: int, generator: torch.Generator, step: Step) -> Tensor:
        """See :meth:`System.sample`; nothing is said."""
        return self.fill(x, (), [generator], step)

    @torch.inference_mode()
    def fill(self, x: Inputs, texts: Sequence[TextSpan], generators: Sequence[torch.Generator],
             step: Step) -> Tensor:  # fmt: skip
        """The difference from the filling, ``(B, T, 135)``.

        Args:
            x: interpolated windows in their own frames.
            texts: what is said, by frames of the windows (to all of them).
            generators: one a window.
            step: see :data:`backend.systems.base.Step`.
        """
        network = self.network.transformer
        assert network is not None
        vae = self.network.vae
        # 1. which tokens are kept
        times = parts.token_frames(x.valid).any(-1)
        confidence = torch.cat((x.rotation_known, x.root_known[..., None]), -1).to(x.base) + x.trust
        rows = parts.row_confidence(confidence[..., :J], confidence[..., J], x.valid)
        kept = parts.credible(rows, vae.layout, self._threshold(rows))
        # 2. the others, drawn
        z = vae.encode(x.base, x.offsets, rows, kept, x.valid).masked_fill(~kept[..., None], 0.0)
        said = spoken(texts, len(z), times.shape[1])
        z = autoregressive.generate(network, z, ~kept, times, said, self.sampling, generators, step)
        out = vae.decode(z, x.valid)
        # 3. on the path that is known or believed; what is kept fades into what was drawn
        believed = parts_rows(vae, kept, rows, x.base.shape[1])
        out = torch.cat((out[..., :-3], pinned(out[..., -3:], x, believed[..., J])), -1)
        drawn = features.spread(_faded(~believed).to(x.base))
        difference = (out - x.base) * drawn
        return smooth(difference, x) * (~features.known_channels(x) & (drawn > 0))

    def _threshold(self, rows: Tensor) -> float:
        """``tau``; where nothing passes it though something was observed, what the best of it passes."""
        best = float(rows.max())
        return self.tau if best > self.tau or best == 0 else 0.9 * best


def parts_rows(vae: parts.PartVAE, kept: Tensor, rows: Tensor, frames: int) -> Tensor:
    """Which joints, and the root's path, are kept as they are. ``(B, N, P), (B, N, 23) -> (B, T, 23)`` bool."""
    out = torch.zeros_like(rows, dtype=torch.bool)
    for p, own in enumerate(vae.layout.own):
        out[..., list(own)] |= kept[..., p, None]
    out[..., J] = rows[..., J] > 0
    return out.repeat_interleave(parts.STRIDE, 1)[:, :frames]


def pinned(path: Tensor, x: Inputs, believed: Tensor) -> Tensor:
    """A drawn path, bent so that it passes where the root is believed to be.

    The bend is linear between such frames and constant beyond; where the root is nowhere, the path begins
    at the filling's first place, at its own height.

    Args:
        path: ``(B, T, 3)``; believed: ``(B, T)`` bool.
    """
    there = believed | x.root_known
    before, after, t = features.neighbours(there)
    off = x.base[..., -3:] - path
    a, b = (off.gather(1, at[..., None].expand_as(off)) for at in (before, after))
    bend = a + (b - a) * t[..., None]
    start = (off[:, :1] * torch.tensor([1.0, 0, 1.0], dtype=path.dtype)).expand_as(off)
    return path + torch.where(there.any(1)[:, None, None], bend, start)


def _faded(drawn: Tensor) -> Tensor:
    """1 where something is drawn, down to 0 over ``FADE`` frames beside it. ``(B, T, 23)`` bool -> float."""
    before, after, _ = features.neighbours(drawn)
    frames = torch.arange(drawn.shape[1])[None, :, None]
    away = torch.minimum((frames - before).abs(), (after - frames).abs())
    return (1 - away / (FADE + 1)).clamp(min=0) * drawn.any(1, keepdim=True)


# -- text -----------------------------------------------------------------------------------------------------


def with_sentence(states: np.ndarray) -> np.ndarray:
    """Words' states ``(W, 384)`` and, last, the sentence's one vector. ``(W + 1, 384)`` float32."""
    mean = states.astype(np.float32).mean(0)
    return np.concatenate((states, (mean / np.linalg.norm(mean))[None])).astype(np.float32)


def spoken(texts: Sequence[TextSpan], rows: int, times: int) -> Context:
    """Prompts as context of ``rows`` windows of ``times`` tokens, each visible during its span."""
    spans = [s for s in texts if s.text.strip()]
    if not spans:
        return silence(rows, times)
    vectors = [with_sentence(s) for s in text.shared().words([s.text for s in spans])]
    seen = np.zeros((times, sum(map(len, vectors))), bool)
    column = 0
    for span, said in zip(spans, vectors, strict=True):
        first, last = span.start // parts.STRIDE, -(-span.stop // parts.STRIDE)
        seen[max(first, 0) : last, column : column + len(said)] = True
        column += len(said)
    every = torch.from_numpy(np.concatenate(vectors)).reshape(1, -1, TEXT)
    return Context(every.expand(rows, -1, -1), torch.from_numpy(seen).expand(rows, -1, -1))


def shifted(texts: Sequence[TextSpan], start: int, stop: int, rate: float) -> list[TextSpan]:
    """Spans of a request as spans of frames ``start`` to ``stop`` at 30 fps; those outside are left out.

    Args:
        rate: 30 / the request's frames a second.
    """
    moved = [
        replace(s, start=round(s.start * rate) - start, stop=round(s.stop * rate) - start) for s in texts
    ]
    return [s for s in moved if s.stop > 0 and s.start < stop - start]
