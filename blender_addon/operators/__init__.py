"""The buttons, each usable from Python and each one undo step."""

from __future__ import annotations

from . import decide, heading, pins, run

CLASSES = (*run.CLASSES, *decide.CLASSES, *heading.CLASSES, *pins.CLASSES)
