"""RoPAR: text-to-motion, completion and refinement by body part (Li et al., "Robust Motion Generation ...").

A part's token is kept where the part is known, or observed and credible; all others are drawn from those and
the text. What was observed and is credible stays as it was observed (smoothed), what is known stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import torch
from torch import Tensor

from blender_addon.motion.constraints import TextSpan

from .. import features, text
from ..features import Inputs, J
from ..nn import autoregressive, parts
from ..nn.autoregressive import Sampling
from ..nn.masked import Context, silence
from ..nn.ropar import RoPAR as Networks
from ..prompts import Prompts
from .base import Done, Step, Told, smooth

TASKS = frozenset({"text", "complete", "refine"})
DRAWN = Sampling()
CONTEXT = 12
"""Tokens that a stretch takes over from the one before."""
REACH = 20
"""Frames beside what is settled over which what is drawn is bent towards it."""


class RoPAR(Told):
    """The networks as a system.

    Args:
        network: trained, in evaluation mode.
        tasks: what it is offered for.
        window: frames it was trained on.
        tau: mean confidence above which a part is credible.
        sampling: how tokens are drawn.
        prompts: what it knows of words; None: not kept.
    """

    name = "ropar"

    def __init__(self, network: Networks, tasks: frozenset[str], window: int, tau: float = parts.TAU,
                 sampling: Sampling = DRAWN, prompts: Prompts | None = None) -> None:  # fmt: skip
        if network.transformer is None:
            raise ValueError("this network has no transformer yet")
        self.network, self.tasks, self.window = network.eval(), tasks, window
        self.tau, self.sampling, self.prompts = tau, sampling, prompts

    @classmethod
    def from_bundle(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Build from a bundle's entry; every tensor must be there and none more (``strict``)."""
        a = settings["architecture"]
        network = Networks(parts.Architecture(**a["vae"]), autoregressive.Architecture(**a["transformer"]))
        rest, prompts = dict(tensors), None
        if settings["prompts"] is not None:
            prompts = Prompts.from_bundle(settings["prompts"], rest.pop("prompts").numpy())
        network.load_state_dict(rest, strict=True)
        return cls(network, frozenset(settings["tasks"]), int(settings["window"]), float(settings["tau"]),
                   Sampling(**settings["sampling"]), prompts)  # fmt: skip

    def to_bundle(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The inverse of :meth:`from_bundle`."""
        assert self.network.transformer is not None
        a = {
            "vae": asdict(self.network.vae.architecture),
            "transformer": asdict(self.network.transformer.architecture),
        }
        settings = {"architecture": a, "tasks": sorted(self.tasks), "window": self.window, "tau": self.tau,
                    "sampling": asdict(self.sampling),
                    "prompts": None if self.prompts is None else self.prompts.to_bundle()}  # fmt: skip
        tensors = dict(self.network.state_dict())
        if self.prompts is not None:
            tensors["prompts"] = torch.from_numpy(self.prompts.vectors)
        return settings, tensors

    def judge(self, prompt: str) -> Mapping[str, Any]:
        """See :meth:`Told.judge`."""
        return self.prompts.judge(prompt) if self.prompts is not None else {}

    def evaluations(self, variation: int) -> int:
        """The transformer's passes."""
        return self.sampling.steps

    def pieces(self, frames: int) -> int:
        """See :meth:`Told.pieces`."""
        return len(stretches(-(-frames // parts.STRIDE), self.window // parts.STRIDE))

    def fill(self, x: Inputs, texts: Sequence[TextSpan], generators: Sequence[torch.Generator],
             step: Step, done: Done | None = None) -> Tensor:  # fmt: skip
        """See :meth:`Told.fill`. Motion is decoded at the end, all at once."""
        del done
        return self.drawn(
            x, spoken(texts, len(x.base), -(-x.base.shape[1] // parts.STRIDE)), generators, step
        )

    @torch.inference_mode()
    def drawn(self, x: Inputs, said: Context, generators: Sequence[torch.Generator], step: Step) -> Tensor:
        """As :meth:`fill`, something else said to each window."""
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
        free = ~kept
        for start, stop in stretches(z.shape[1], self.window // parts.STRIDE):
            now = slice(start, stop)
            heard = Context(said.vectors, said.seen[:, now])
            z[:, now] = autoregressive.generate(network, z[:, now], free[:, now], times[:, now], heard,
                                                self.sampling, generators, step)  # fmt: skip
            free[:, now] = False
        # 3. beside what is known or believed, which stays
        settled = parts_rows(vae, kept, rows, x.base.shape[1])
        settled = settled | torch.cat((x.rotation_known, x.root_known[..., None]), -1)
        difference = reconciled(vae.decode(z, x.valid), x.base, settled) - x.base
        free = ~features.spread(settled)
        return smooth(difference * free, x) * free

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


def reconciled(drawn: Tensor, base: Tensor, settled: Tensor) -> Tensor:
    """Drawn motion that meets what is settled beside it.

    Its offset at a settled frame fades out over ``REACH`` frames, in shorter gaps over the gap: there it goes
    from one side's offset to the other's. On the ground an offset stays beyond: a path has no place to come
    back to. A path that is settled nowhere begins at the filling's first place.

    Args:
        drawn, base: ``(B, T, 135)``; settled: ``(B, T, 23)`` bool.
    """
    before, after, t = features.neighbours(settled)
    frames = torch.arange(drawn.shape[1])[None, :, None]
    there, lone = settled.any(1, keepdim=True), before == after
    reach = torch.where(lone, REACH, (after - before).clamp(max=REACH))
    off, out = base - drawn, drawn
    for at, other in ((before, False), (after, True)):
        u = ((frames - at).abs() / reach).clamp(max=1)
        weight = (1 - u * u * (3 - 2 * u)) * there * (~lone if other else torch.ones_like(lone))
        out = out + off.gather(1, features.spread(at)) * features.spread(weight)
    first, last = (off.gather(1, features.spread(at)) for at in (before, after))
    path = (drawn + first + (last - first) * features.spread(t))[..., -3:]
    begun = drawn[..., -3:] + off[:, :1, -3:] * torch.tensor([1.0, 0.0, 1.0])
    path = torch.where(there[..., J:], path, begun)
    return torch.cat((out[..., :-3], path), -1)


def spoken(texts: Sequence[TextSpan], rows: int, times: int) -> Context:
    """The sentence vectors of prompts, as what ``rows`` windows of ``times`` tokens may read during their spans."""
    spans = [t for t in texts if t.text.strip()]
    if not spans:
        return silence(rows, times)
    vectors = torch.from_numpy(text.shared().embed([t.text for t in spans])).float()  # (S, 384)
    at = torch.arange(times)[:, None] * parts.STRIDE
    seen = torch.stack([((at + parts.STRIDE > t.start) & (at < t.stop))[:, 0] for t in spans], 1)  # (N, S)
    return Context(vectors.expand(rows, -1, -1), seen.expand(rows, -1, -1))


def stretches(times: int, longest: int) -> list[tuple[int, int]]:
    """Tokens that are drawn together: as many as in training, each stretch with ``CONTEXT`` of those before."""
    longest = max(longest, 2)
    found = [(0, min(times, longest))]
    while found[-1][1] < times:
        start = found[-1][1] - min(CONTEXT, longest // 2)
        found.append((start, min(times, start + longest)))
    return found
