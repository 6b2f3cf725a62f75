"""Limber in German, in a real window: panel, result, menus, pie and preferences; and the shortcuts, pressed as keys.

The checkout is enabled as the extension ``limber``, so that its page in the preferences is there. OUT holds
report.json afterwards, and a picture of each.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT, HERE = Path(__file__).resolve().parents[3], Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(HERE)]

import bpy  # noqa: E402
import stage  # noqa: E402

from tests.blender_addon.characters import key_poses, make_person  # noqa: E402

MODULE = "bl_ext.user_default.limber"
PATIENCE = float(os.environ.get("LOOK_PATIENCE", "120"))
LANGUAGES = ("de_DE", "de")
"""Blender's names of German, the older one first."""


def ours(name: str) -> Any:
    """A module of the enabled extension."""
    return importlib.import_module(f"{MODULE}.{name}")


def enable() -> Iterator[float]:
    """The checkout as an extension, and Blender in German."""
    link = Path(bpy.utils.user_resource("EXTENSIONS", path="user_default", create=True)) / "limber"
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "blender_addon")
    bpy.ops.extensions.repo_refresh_all()
    bpy.ops.preferences.addon_enable(module=MODULE)
    view = bpy.context.preferences.view
    for name in LANGUAGES:
        try:
            view.language = name  # type: ignore[assignment]
        except TypeError:
            continue
        stage.REPORT["language"] = name
    view.use_translate_interface = view.use_translate_tooltips = view.use_translate_reports = True
    yield 1.0
    stage.REPORT["locale"] = bpy.app.translations.locale
    stage.REPORT["said"] = ours("translations").shown("Hero is being worked on")
    lookup = bpy.app.translations.pgettext
    wanted = ours("translations").LANGUAGES["de"].items()
    stage.REPORT["not as our German has it"] = [  # Blender has words of its own for some, and its own come first
        [english, theirs, text] for (context, english), text in wanted
        if (theirs := lookup(english, context)) != text
    ]  # fmt: skip


def character() -> Iterator[float]:
    """An armature in pose mode, keyed; the sidebar's tab, and a dope sheet below."""
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=True)
    yield 1.0
    with stage.within():
        obj = make_person()
    key_poses(obj, (1, 20, 45, 60))
    bpy.context.view_layer.objects.active = obj
    with stage.within():
        bpy.ops.object.mode_set(mode="POSE")
    kinds = {area.type for area in bpy.context.window_manager.windows[0].screen.areas}
    if "DOPESHEET_EDITOR" in kinds:
        stage.area("DOPESHEET_EDITOR").ui_type = "DOPESHEET"
    stage.look(0.9, 0.0, 4.0)
    yield from stage.show_tab()
    settings = bpy.context.scene.limber  # type: ignore[attr-defined]
    settings.system, settings.variations = "interpolation", 2
    yield from stage.until(lambda: ours("jobs").current().characters.get(obj) is not None, PATIENCE)
    yield 1.0
    stage.picture("01-panel")


def tasks() -> Iterator[float]:
    """What the panel has for other tasks."""
    settings = bpy.context.scene.limber  # type: ignore[attr-defined]
    for task in ("follow", "text", "refine"):
        settings.task = task
        yield 1.0
        stage.picture(f"05-{task}")
    settings.task = "inbetween"


def result() -> Iterator[float]:
    """A run, and what the panel says of it."""
    obj = bpy.context.view_layer.objects.active
    stage.press("inbetween")
    job = ours("jobs").current().job(obj)
    yield 0.3
    stage.picture("07-running")
    yield from stage.until(lambda: job.over, PATIENCE)
    stage.REPORT["error"] = str(job.error or "")
    yield 1.0
    stage.picture("08-result")


def pressed(key: str, kind: str = "VIEW_3D") -> Iterator[float]:
    """A real key with the pointer in the middle of an editor, if the window's machine can press any."""
    program = shutil.which("xdotool")
    if program is None:
        return
    area = stage.area(kind)
    height = bpy.context.window_manager.windows[0].height
    x, y = area.x + area.width // 3, height - (area.y + area.height // 2)
    subprocess.run([program, "mousemove", str(x), str(y)], check=True)
    yield 0.7
    subprocess.run([program, "mousemove", str(x + 3), str(y + 3)], check=True)
    yield 0.7
    subprocess.run([program, "key", key], check=True)
    yield 1.5


def shortcuts() -> Iterator[float]:
    """Alt and the arrows flip variations in both editors."""
    obj: Any = bpy.context.view_layer.objects.active
    shown = [obj.limber.current]
    for kind in ("VIEW_3D", "DOPESHEET_EDITOR"):
        for key in ("alt+Right", "alt+Left"):
            yield from pressed(key, kind)
            shown.append(obj.limber.current)
    stage.REPORT["variations shown by Alt Right, Left in both editors"] = shown


def pie() -> Iterator[float]:
    """Ctrl Alt L opens it."""
    yield from pressed("ctrl+alt+l")
    for _ in range(12):  # it opens in a movement of its own, a little with every drawing
        stage.area().tag_redraw()
        yield 0.2
    stage.picture("02-pie")
    yield from pressed("Escape")


def menus() -> Iterator[float]:
    """Our menu, and Blender's two that end with it."""
    for kind, menu in (("VIEW_3D", "LIMBER_MT_tasks"), ("VIEW_3D", "VIEW3D_MT_pose"),
                       ("DOPESHEET_EDITOR", "DOPESHEET_MT_key")):  # fmt: skip
        with stage.within(kind):
            bpy.ops.wm.call_menu("INVOKE_DEFAULT", name=menu)  # type: ignore[call-arg]
        yield 1.0
        stage.picture(f"06-{menu}")
        yield from pressed("Escape", kind)


def preferences() -> Iterator[float]:
    """The extension's page, over the whole window."""
    view = stage.area()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=view):
        bpy.ops.screen.screen_full_area(use_hide_panels=False)
    yield 1.0
    area = bpy.context.window_manager.windows[0].screen.areas[0]
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "limber"
    yield 1.0
    bpy.ops.preferences.addon_expand(module=MODULE)
    yield 2.0
    stage.picture("03-preferences")
    region = next(r for r in area.regions if r.type == "WINDOW")
    for part in ("04-preferences-below", "04-preferences-end"):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=region):
            for _ in range(15):
                bpy.ops.view2d.scroll_down()
        yield 1.0
        stage.picture(part)
    area.type = "VIEW_3D"
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
        bpy.ops.screen.back_to_previous()
    yield 1.0


def clashes() -> None:
    """What of Blender's own has one of our keys, in the key configuration that this window uses."""
    keymaps, found = ours("keymaps"), []
    manager: Any = bpy.context.window_manager
    for keymap in manager.keyconfigs.default.keymaps:
        here = keymap.space_type in {"EMPTY", "VIEW_3D", "DOPESHEET_EDITOR"}
        if keymap.is_modal or not here or keymap.name == "Font":
            continue
        for item in keymap.keymap_items:
            held = {key for key in ("shift", "ctrl", "alt", "oskey") if getattr(item, key)}
            found += [f"{keymap.name}: {item.idname} {item.to_string()}" for shortcut in keymaps.SHORTCUTS
                      if item.type == shortcut.key and (item.any or held == set(shortcut.modifiers))]  # fmt: skip
    stage.REPORT["shortcuts of Blender's that are ours too"] = found


stage.tell([enable, clashes, character, pie, preferences, tasks, menus, result, shortcuts])
