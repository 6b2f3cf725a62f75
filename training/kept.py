"""Networks of a table's rows, kept in a folder: a row that is there is not trained again.

So a table that was broken off goes on, its rows can be trained by several processes at once (each told its
own with ``only``) or on another machine, and all are measured together in the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .config import Config
from .train import Run, averaged

_LARGEST = 6e4
"""float16 ends at 65504."""


@dataclass(frozen=True, eq=False)
class Trained:
    """The averaged network of a run, its configuration, and how long it took in all, in seconds."""

    config: Config
    network: nn.Module
    seconds: float


@dataclass(frozen=True)
class Kept:
    """Where networks are kept.

    Attributes:
        folder: None: nowhere.
        only: names that this process trains; None: all. The others are taken where they are there.
    """

    folder: Path | None = None
    only: Collection[str] | None = None

    def row(self, name: str, train: Callable[[], tuple[Run, float]]) -> Trained | None:
        """A row's network: read, or trained (and kept, in half precision, as bundles are).

        Args:
            name: unique in its table.
            train: makes the run; how long it took.

        Returns:
            None: it is not there, and another process' work.
        """
        path = self.folder / f"{_file(name)}.pt" if self.folder is not None else None
        if path is None or not path.exists():
            if self.only is not None and name not in self.only:
                return None
            run, seconds = train()
            if path is None:
                return Trained(run.config, run.average.module, seconds)
            path.parent.mkdir(parents=True, exist_ok=True)
            state = {f"module.{k}": _half(v.cpu()) for k, v in run.average.module.state_dict().items()}
            part = path.with_suffix(".part")
            torch.save({"config": asdict(run.config), "average": state, "seconds": seconds}, part)
            part.replace(path)
        config, network = averaged(path)
        return Trained(config, network.float(), torch.load(path, weights_only=False)["seconds"])


def _half(x: Tensor) -> Tensor:
    fits = x.is_floating_point() and (not x.numel() or float(x.abs().max()) < _LARGEST)
    return x.half() if fits else x


def _file(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
