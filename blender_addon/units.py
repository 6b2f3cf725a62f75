"""The scene's unit of length."""

from __future__ import annotations

from typing import Any

import bpy


def unit_scale(scene: Any = None) -> float:
    """Metres per Blender unit."""
    units = (scene or bpy.context.scene).unit_settings
    return 1.0 if units.system == "NONE" else float(units.scale_length)
