"""What every system is: something that fills the unknown part of windows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from blender_addon.motion.constraints import TextSpan

from .. import features
from ..control import Control
from ..features import Inputs
from ..nn import diffusion
from ..nn.denoiser import Architecture, Denoiser, widened

Step = Callable[[], None]
"""Called before every network evaluation: counts progress, raises JobCancelled when cancelled."""

Done = Callable[[Tensor, int], None]
"""Called with the difference from the filling so far, ``(B, T, 135)``, and up to which frame it is drawn."""


class System(ABC):
    """Fills in what is unknown.

    Attributes:
        name: as requests and bundles call it.
        tasks: the tasks whose masks it was trained to fill.
        window: the longest window, in frames at 30 fps, that it was trained on.
    """

    name: ClassVar[str]
    tasks: frozenset[str]
    window: int = 64

    @abstractmethod
    def evaluations(self, variation: int) -> int:
        """How often ``step`` will be called for one window."""

    @abstractmethod
    def sample(self, x: Inputs, variation: int, generator: torch.Generator, step: Step) -> Tensor:
        """The difference from the filling, ``(B, T, 135)``: 6D rotations, then the root.

        Args:
            x: interpolated windows in their own frames.
            variation: 0 is the system's single best answer; others are drawn.
            generator: source of all randomness.
            step: see :data:`Step`.
        """


class Interpolation(System):
    """The plain interpolation as a system: needs no weights, changes nothing, always there."""

    name = "interpolation"
    tasks = frozenset({"inbetween", "complete", "refine", "follow"})

    def evaluations(self, variation: int) -> int:
        """One step, so that progress and cancel are the same for every system."""
        return 1

    def sample(self, x: Inputs, variation: int, generator: torch.Generator, step: Step) -> Tensor:
        """What is observed as it is, everything else interpolated."""
        step()
        return x.surplus


class Smoothing(System):
    """Observed motion smoothed as its noise asks (:mod:`backend.smoothing`), which is what every other
    system starts from."""

    name = "smoothing"
    tasks = frozenset({"refine"})

    def evaluations(self, variation: int) -> int:
        """One step, as for interpolation."""
        return 1

    def sample(self, x: Inputs, variation: int, generator: torch.Generator, step: Step) -> Tensor:
        """Zero difference: the filling."""
        step()
        return torch.zeros_like(x.base)


BUILT_IN: Mapping[str, System] = {s.name: s for s in (Interpolation(), Smoothing())}
"""Systems that need no weights. Interpolation is for comparison where something is refined: it leaves it as it is."""


class Told(System):
    """A system that heeds texts; asked for text, it takes what is unknown in one piece with what is around it."""

    def pieces(self, frames: int) -> int:
        """Into how many windows it cuts a range of ``frames``: each takes :meth:`evaluations`."""
        del frames
        return 1

    @abstractmethod
    def fill(self, x: Inputs, texts: Sequence[TextSpan], generators: Sequence[torch.Generator],
             step: Step, done: Done | None = None) -> Tensor:  # fmt: skip
        """The difference from the filling, ``(B, T, 135)``, as :meth:`sample`.

        Args:
            x: interpolated windows in their own frames.
            texts: what is said, by frames of the windows (to all of them).
            generators: one a window.
            step: see :data:`Step`.
            done: called after each of several windows but the last, see :data:`Done`.
        """

    def sample(self, x: Inputs, variation: int, generator: torch.Generator, step: Step) -> Tensor:
        """See :meth:`System.sample`; nothing is said."""
        return self.fill(x, (), [generator], step)

    def judge(self, prompt: str) -> Mapping[str, Any]:
        """How near a prompt is to what the system knows (:meth:`Prompts.judge`); nothing where it cannot say."""
        del prompt
        return {}


class Steering(Told):
    """A system that leads joints, the ground path and the heading where they are told to go, and heeds texts."""

    @abstractmethod
    def steered(self, x: Inputs, control: Control, texts: Sequence[TextSpan], variation: int,
                generator: torch.Generator, step: Step) -> Tensor:  # fmt: skip
        """The difference from the filling, ``(B, T, 135)``, as :meth:`System.sample`.

        Args:
            x: interpolated windows, moved along the path (:func:`control.steer`), in their own frames.
            control: what they are told, in the same frames.
            texts: what is said, by frames of the windows.
            variation, generator, step: as :meth:`System.sample`.
        """


class Denoising(System):
    """A trained denoiser, in one pass or down the diffusion chain.

    Variation 0 is the network's single best answer (step ``STEPS``: no sample yet). Others start from
    noise and go down the chain in DDIM strides; known channels are put back at every step.

    Args:
        network: in evaluation mode.
        tasks: what it was trained for.
        window: frames it was trained on.
        draws: evaluations of a variation that is drawn.
    """

    def __init__(self, network: Denoiser, tasks: frozenset[str], window: int, draws: int) -> None:
        self.network, self.tasks, self.window, self.draws = network.eval(), tasks, window, draws

    @classmethod
    def from_bundle(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Build from a bundle's entry; every tensor must be there and none more (``strict``)."""
        network = Denoiser(Architecture(**settings["architecture"]))
        network.load_state_dict(widened(tensors, network), strict=True)
        return cls(network, frozenset(settings["tasks"]), int(settings["window"]), int(settings["draws"]))

    def to_bundle(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The inverse of :meth:`from_bundle`."""
        settings = {"architecture": asdict(self.network.architecture), "tasks": sorted(self.tasks),
                    "window": self.window, "draws": self.draws}  # fmt: skip
        return settings, dict(self.network.state_dict())

    def evaluations(self, variation: int) -> int:
        """One for the single best answer, ``draws`` for a drawn one."""
        return 1 if variation == 0 else self.draws

    @torch.inference_mode()
    def sample(self, x: Inputs, variation: int, generator: torch.Generator, step: Step) -> Tensor:
        """See :meth:`System.sample`."""
        scale = self.network.scale.to(x.base)
        free = ~features.known_channels(x)
        if variation == 0:
            step()
            t = torch.full((len(x.base),), diffusion.STEPS)
            return smooth(self.network(x, torch.zeros_like(x.base), t) * scale * free, x) * free
        sample = torch.randn(x.base.shape, generator=generator, dtype=x.base.dtype)
        chain = diffusion.strides(self.draws)
        if bool((observed_channels(x) | ~free).all()):
            # Observed motion is the chain's own state part-way down (MMDM, sec. IV-B): its difference
            # from the filling is zero there, under as much noise as that step has.
            chain = diffusion.strides(self.draws, PART_WAY)
            sample = (1 - diffusion.alphas()[chain[0]]).sqrt() * sample
        encoded = self.network.encode(x) if self.network.architecture.decoder else None
        for now, following in zip(chain, [*chain[1:], -1], strict=True):
            step()
            at = torch.full((len(x.base),), now)
            if encoded is None:
                x0 = self.network(x, sample * free, at) * free
            else:
                x0 = self.network.decode(encoded, sample * free, at) * free
            sample = diffusion.ddim(sample, x0, now, following)
        return smooth(sample * scale * free, x) * free


PART_WAY = 25
"""The step of the chain at which observed motion enters it."""


def observed_channels(x: Inputs) -> Tensor:
    """Which of the 135 channels are observed but not known. ``(B, T, 135)`` bool."""
    return features.spread(x.trust > 0)


def smooth(difference: Tensor, x: Inputs) -> Tensor:
    """The binomial filter 1-2-1 along time, ends held. ``(B, T, C) -> (B, T, C)``.

    Frames that share a token leave an error that alternates from frame to frame: too small to be seen
    in a pose, three times the truth's jerk in motion. The filter has a zero at exactly that frequency.
    Where the filling is an interpolation only the difference is filtered; where it is observed motion,
    whose noise the difference has to cancel, what comes out is.
    """
    observed = observed_channels(x)
    out = binomial(difference)
    if observed.any():
        out = torch.where(observed, binomial(x.base + difference) - x.base, out)
    return out


def binomial(x: Tensor) -> Tensor:
    """The filter 1-2-1 along time, ends held. ``(B, T, C) -> (B, T, C)``."""
    before = torch.cat((x[:, :1], x[:, :-1]), 1)
    after = torch.cat((x[:, 1:], x[:, -1:]), 1)
    return 0.25 * before + 0.5 * x + 0.25 * after
