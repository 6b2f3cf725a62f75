"""Pictures for the README's recording, told inside a windowed Blender; :mod:`recording` starts it and joins them.

The add-on comes from this checkout and needs ``LIMBER_PYTHON``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT, HERE = Path(__file__).resolve().parents[3], Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(HERE)]

import bpy  # noqa: E402
import stage  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon import demo, jobs, whole_motion  # noqa: E402

KEYED = "Seven key poses, and Blender's curves between them"
ASKED = "Press In-between"
MADE = "The same seven keys, bit for bit, and natural motion between them"
STEP, MILLISECONDS, MOST = 4, 133, 32
SHOTS: list[tuple[str, str, int]] = stage.REPORT.setdefault("shots", [])


def shot(caption: str, milliseconds: int = MILLISECONDS) -> None:
    """One picture of the recording."""
    name = f"shot-{len(SHOTS):03d}"
    stage.picture(name)
    SHOTS.append((f"{name}.png", caption, milliseconds))


def character() -> Iterator[float]:
    """Rigify's human with the demonstration's key poses; 3D view, sidebar and dope sheet, nothing else."""
    blender_addon.register()
    bpy.context.preferences.view.ui_scale = 1.35
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False, use_factory_startup=False)
    yield 1.0
    for kind in ("OUTLINER", "PROPERTIES"):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=stage.area(kind)):
            bpy.ops.screen.area_close()
        yield 0.5
    yield from dope_sheet()
    rig = stage.rigify_character()
    bpy.context.scene.render.fps = 30
    frames = demo.set_keys(whole_motion.describe(rig))
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = frames[0], frames[-1]
    space: Any = stage.area().spaces.active
    space.overlay.show_bones = space.overlay.show_object_origins = space.overlay.show_outline_selected = False
    space.overlay.show_relationship_lines = space.overlay.show_cursor = space.show_gizmo = False
    space.show_region_toolbar = space.show_region_tool_header = False
    yield from stage.show_tab()
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=stage.area("DOPESHEET_EDITOR")
    ):
        region = next(r for r in stage.area("DOPESHEET_EDITOR").regions if r.type == "WINDOW")
        with bpy.context.temp_override(region=region):
            bpy.ops.action.view_all()
    stage.look(0.95, 2.8, 7.2)
    yield 1.0


def dope_sheet() -> Iterator[float]:
    """The keys, where the timeline was but taller."""
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=stage.area()):
        bpy.ops.screen.area_split(direction="HORIZONTAL", factor=0.25)
    yield 0.5
    lowest = min((a for a in window.screen.areas if a.type == "VIEW_3D"), key=lambda a: a.y)
    lowest.type = "DOPESHEET_EDITOR"
    lowest.ui_type = "DOPESHEET"
    timeline = next(a for a in window.screen.areas if a.ui_type == "TIMELINE")
    with bpy.context.temp_override(window=window, area=timeline):
        bpy.ops.screen.area_close()
    yield 0.5


def keys_alone() -> Iterator[float]:
    """What there is before."""
    yield from played(KEYED)


def pressed() -> Iterator[float]:
    """In-between, with pictures while it runs."""
    rig = bpy.context.view_layer.objects.active
    shot(ASKED, 600)
    stage.press("inbetween")
    session = jobs.current()
    assert session is not None
    while (job := session.job(rig)) is None or not job.over:
        if job is not None and len(SHOTS) < MOST:
            shot(ASKED, 150)
        yield 0.5
    assert job.error is None, str(job.error)
    yield 1.0
    stage.REPORT["key_change"] = [result.key_change for result in rig.limber.results]


def motion() -> Iterator[float]:
    """What came of it, and the end held for a while."""
    yield from played(MADE)
    stage.press("accept")
    yield 0.5
    shot(MADE, 1500)
    stage.REPORT["finished"] = True


def played(caption: str) -> Iterator[float]:
    """The scene's range, every few frames one picture."""
    scene = bpy.context.scene
    for frame in range(scene.frame_start, scene.frame_end + 1, STEP):
        scene.frame_set(frame)
        yield 0.05
        shot(caption)


stage.tell([character, keys_alone, pressed, motion])
