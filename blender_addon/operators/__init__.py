"""The buttons, each usable from Python and each one undo step."""

from __future__ import annotations

from . import decide, pins, run

CLASSES = (*run.CLASSES, *decide.CLASSES, *pins.CLASSES)
