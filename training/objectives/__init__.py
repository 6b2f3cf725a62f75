"""What runs learn: one module an objective; :func:`make` finds the one of a configuration."""

from __future__ import annotations

import importlib
import importlib.util

import torch

from ..config import Config
from ..prepare.cache import Cache
from .base import Objective


def make(config: Config, data: Cache, device: torch.device) -> Objective:
    """The objective that ``config.objective`` names, a module of this package, not yet calibrated.

    Raises:
        ValueError: no such module.
    """
    name = f"{__name__}.{config.objective}"
    if importlib.util.find_spec(name) is None:
        raise ValueError(f"no objective {config.objective!r}")
    return importlib.import_module(name).make(config, data, device)
