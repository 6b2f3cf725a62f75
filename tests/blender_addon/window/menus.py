"""Menus, pie and shortcuts in a real window: each is opened for a picture. OUT holds report.json afterwards."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT, OUT = Path(__file__).resolve().parents[3], Path(os.environ.get("OUT", "."))
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon import keymaps, menus  # noqa: E402

REPORT: dict[str, Any] = {}


def opened(kind: str, menu: str) -> Callable[[], None]:
    """Open a menu in an editor of a kind; the next one's redraw closes it."""

    def press() -> None:
        window = bpy.context.window_manager.windows[0]
        area = next(a for a in window.screen.areas if a.type == kind)
        region = next(r for r in area.regions if r.type == "WINDOW")
        with bpy.context.temp_override(window=window, area=area, region=region):
            call: Any = (
                bpy.ops.wm.call_menu_pie if menu == menus.LIMBER_MT_pie.bl_idname else bpy.ops.wm.call_menu
            )
            REPORT[menu] = sorted(call("INVOKE_DEFAULT", name=menu))

    return press


def stage() -> None:
    """An armature in pose mode, below it a dope sheet."""
    bpy.ops.object.armature_add()
    bpy.ops.object.mode_set(mode="POSE")
    areas = bpy.context.window_manager.windows[0].screen.areas
    next(a for a in areas if a.type in ("DOPESHEET_EDITOR", "TIMELINE")).ui_type = "DOPESHEET"
    user: Any = bpy.context.window_manager.keyconfigs.user
    REPORT["shortcuts"] = [
        f"{name}: {item.idname} {item.to_string()}"
        for name, space in keymaps.PLACES
        for item in user.keymaps.find(name, space_type=space).keymap_items
        if keymaps._is_ours(item)
    ]


STORY = [(1.0, stage), (3.0, opened("VIEW_3D", "LIMBER_MT_pie")), (10.0, opened("VIEW_3D", "VIEW3D_MT_pose")),
         (10.0, opened("DOPESHEET_EDITOR", "DOPESHEET_MT_key"))]  # fmt: skip
"""Seconds after the step before, and what happens then."""


def main() -> None:
    """Go through the story by a timer: while a start script runs there is no window to speak of."""
    blender_addon.register()
    steps = iter(STORY[1:])
    waiting = [STORY[0][1]]

    def tell() -> float | None:
        try:
            waiting.pop()()
        except Exception:  # noqa: BLE001  a timer that raises is dropped without a word
            REPORT.setdefault("errors", []).append(traceback.format_exc())
        (OUT / "report.json").write_text(json.dumps(REPORT, indent=1), encoding="utf-8")
        seconds, function = next(steps, (0.0, None))
        if function is None:
            return None
        waiting.append(function)
        return seconds

    bpy.app.timers.register(tell, first_interval=STORY[0][0], persistent=True)


main()
