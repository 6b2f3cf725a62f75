"""What an objective is: a network, how its windows are drawn, and what it is punished for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Rows:
    """Which rows of which batch a process draws: see :class:`Step`."""

    seed: int
    number: int
    size: int
    frames: int
    mine: slice


@dataclass(frozen=True, eq=False)
class Step:
    """One optimiser step of one of several processes.

    Attributes:
        seed: of the run; number: of the step. All randomness follows from the two.
        size, frames: of the whole batch.
        mine: this process' rows of the batch.
        noise: a generator that is the same in every process: draw for the whole batch, take ``mine``.
        device: where the network is.
        batch: what :meth:`Objective.draw` drew for this step.
        precision: context in which networks compute (the run's precision); results may be bfloat16.
        total: this process' sum of the rows' weights -> that of the whole batch, a process.
    """

    seed: int
    number: int
    size: int
    frames: int
    mine: slice
    noise: torch.Generator
    device: torch.device
    batch: Any
    precision: Callable[[], AbstractContextManager[Any]]
    total: Callable[[Tensor], Tensor]

    def here(self, x: Tensor) -> Tensor:
        """This process' rows of something drawn for the whole batch."""
        return x[self.mine].to(self.device)


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of one batch: the loss, its terms for the log, and how many frames it was made of."""

    loss: Tensor
    terms: Mapping[str, float]
    frames: Tensor


class Objective(ABC):
    """A network and what it has to learn.

    Attributes:
        system: the system of a bundle that it becomes.
        methods: names of the network's methods besides ``forward`` that :meth:`loss` calls.
    """

    system: str
    methods: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """What is trained, saved, averaged and exported."""

    @abstractmethod
    def calibrate(self) -> None:
        """Measure what the network's buffers need on training windows, the same in every process."""

    def inherited(self, system: str, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Parameters of another run or bundle, by the names that they have in this network.

        Args:
            system: what they belong to there.
        """
        del system
        return tensors

    def draw(self, rows: Rows) -> Any:
        """The part of a batch that is drawn on the CPU, from ``rows`` alone: maybe ahead, in another process."""
        del rows
        return None

    @abstractmethod
    def loss(self, model: Any, step: Step) -> Outcome:
        """Predict on the step's batch and compare.

        Args:
            model: the network as it is called in training (precision, several processes).
        """

    @abstractmethod
    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Held-out figures of a network, always on the same windows; printed and logged by their names."""
