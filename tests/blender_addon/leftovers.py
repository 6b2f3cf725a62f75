"""Everything that an add-on can leave in Blender."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import bpy

from blender_addon import gpu_drawing, pending

GROUPS = ("Scene", "Object", "WindowManager", "Action", "Armature", "PoseBone", "Bone", "World", "Screen")


def ours(names: Iterable[str]) -> set[str]:
    """Those with our name."""
    return {name for name in names if "limber" in name.lower()}


def snapshot() -> dict[str, object]:
    """Everything that an add-on can leave in Blender."""
    handlers = {name: list(getattr(bpy.app.handlers, name)) for name in dir(bpy.app.handlers)
                if isinstance(getattr(bpy.app.handlers, name), list)}  # fmt: skip
    keymaps = bpy.context.window_manager.keyconfigs.addon
    return {
        "types": set(dir(bpy.types)),
        "operators": set(dir(bpy.ops.limber)),
        "properties": {group: set(getattr(bpy.types, group).bl_rna.properties.keys()) for group in GROUPS},
        "attributes": {group: set(vars(getattr(bpy.types, group))) for group in GROUPS},
        "handlers": handlers,
        "keymaps": [(k.name, len(k.keymap_items)) for k in keymaps.keymaps] if keymaps else [],
        "subclasses": {
            cls.__name__
            for base in (bpy.types.Panel, bpy.types.Operator, bpy.types.PropertyGroup)
            for cls in base.__subclasses__()
            if cls.is_registered
        },
        "drawing": len(gpu_drawing.live),
        "drawn": len(pending._kept),
        "threads": ours(thread.name for thread in threading.enumerate()),
    }
