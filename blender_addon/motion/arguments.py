"""Arguments that both command lines take, read from text."""

from __future__ import annotations

import argparse


def confidence(text: str) -> float:
    """How far motion to be refined is trusted: neither wholly nor not at all.

    Raises:
        argparse.ArgumentTypeError: not in 0.05..0.95.
    """
    value = float(text)
    if not 0.05 <= value <= 0.95:  # also catches not-a-number
        raise argparse.ArgumentTypeError(f"{text} is not in 0.05..0.95")
    return value
