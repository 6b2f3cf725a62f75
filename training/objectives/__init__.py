"""What runs learn: one module an objective; :func:`make` finds the one of a configuration."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from types import ModuleType

import torch
from torch import Tensor, nn

from ..config import Config
from ..prepare.cache import Cache
from .base import Objective


def make(config: Config, data: Cache, device: torch.device) -> Objective:
    """The objective that ``config.objective`` names, a module of this package, not yet calibrated.

    Raises:
        ValueError: no such module.
    """
    return _module(config).make(config, data, device)


def restored(config: Config, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The network of a finished run from its parameters, on the CPU.

    Raises:
        ValueError: no such objective.
    """
    return _module(config).restored(config, tensors)


def _module(config: Config) -> ModuleType:
    name = f"{__name__}.{config.objective}"
    if importlib.util.find_spec(name) is None:
        raise ValueError(f"no objective {config.objective!r}")
    return importlib.import_module(name)
