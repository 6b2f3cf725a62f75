"""What every system is: something that fills the unknown part of windows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from ..features import Inputs

Step = Callable[[], None]
"""Called before every network evaluation: counts progress, raises JobCancelled when cancelled."""


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
    tasks = frozenset({"inbetween"})

    def evaluations(self, variation: int) -> int:
        """One step, so that progress and cancel are the same for every system."""
        return 1

    def sample(self, x: Inputs, variation: int, generator: torch.Generator, step: Step) -> Tensor:
        """Zero difference."""
        step()
        return torch.zeros_like(x.base)
