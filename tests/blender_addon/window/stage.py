"""What stories in a real window share: a clock that goes through steps, pictures, the sidebar, a character to look at.

Nothing here imports the checkout, so that a story may use the packed extension alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import bpy

OUT = Path(os.environ.get("OUT", "."))
REPORT: dict[str, Any] = {"blender": bpy.app.version_string}

Step = Callable[[], None] | Callable[[], Iterator[float]]
"""Done at once, or a generator that says how many seconds to let the window live before it is asked again."""


def tell(steps: Sequence[Step], end: bool = True) -> None:
    """Go through steps by a timer: while a start script runs there is no window to speak of.

    Args:
        end: close Blender afterwards, whatever happened.
    """
    bpy.context.preferences.view.show_splash = False
    waiting, going = list(steps), []

    def go() -> float | None:
        try:
            while going or waiting:
                if going:
                    seconds = next(going[0], None)
                    if seconds is not None:
                        return max(seconds, 0.01)
                    going.clear()
                else:
                    made = waiting.pop(0)()
                    if made is not None:
                        going.append(made)
        except Exception:  # noqa: BLE001  a timer that raises is dropped without a word
            REPORT["error"] = traceback.format_exc()
        (OUT / "report.json").write_text(json.dumps(REPORT, indent=1), encoding="utf-8")
        if end:
            bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(go, first_interval=2.0, persistent=True)


def until(condition: Callable[[], bool], seconds: float, look: float = 0.25) -> Iterator[float]:
    """Let the window live until ``condition``.

    Raises:
        TimeoutError: it did not come true.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came of it in {seconds:.0f} s")
        yield look


def look(height: float, along: float, distance: float, down: float = 1.35, turn: float = 0.0) -> None:
    """Point the 3D view's camera at a place on the X axis, from the side.

    Args:
        height, along, distance: metres.
        down, turn: radians.
    """
    from mathutils import Euler

    region: Any = area().spaces.active.region_3d
    region.view_perspective, region.view_distance = "PERSP", distance
    region.view_rotation, region.view_location = Euler((down, 0, turn)).to_quaternion(), (along, 0, height)


def area(kind: str = "VIEW_3D") -> Any:
    """The first editor of a kind."""
    return next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == kind)


def within(kind: str = "VIEW_3D") -> Any:
    """An editor's context: a timer has none of its own."""
    found = area(kind)
    region = next(r for r in found.regions if r.type == "WINDOW")
    return bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=found, region=region)


def press(operator: str, kind: str = "VIEW_3D", **arguments: Any) -> set[str]:
    """A button of the add-on, as pressed in an editor."""
    with within(kind):
        return getattr(bpy.ops.limber, operator)("EXEC_DEFAULT", True, **arguments)


def picture(name: str) -> Path:
    """The whole window as it is drawn anew, into OUT."""
    path = OUT / f"{name}.png"
    window = bpy.context.window_manager.windows[0]
    window.cursor_warp(1, 1)  # or a tooltip lies over something
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
        if program := shutil.which("import"):  # Blender's own are black on a virtual screen
            subprocess.run([program, "-window", "root", str(path)], check=True)
        else:
            bpy.ops.screen.screenshot(filepath=str(path), check_existing=False)
    return path


def show_tab(name: str = "Limber") -> Iterator[float]:
    """The sidebar with one of its tabs; before it has been drawn once, choosing crashes Blender 5.2."""
    view = area()
    view.spaces.active.show_region_ui = True
    view.tag_redraw()
    yield 2.0
    next(r for r in view.regions if r.type == "UI").active_panel_category = name
    view.tag_redraw()
    yield 1.0


def dope_sheet(share: float = 0.3) -> Iterator[float]:
    """A dope sheet below the 3D view, ``share`` of its height, where the timeline was."""
    window = bpy.context.window_manager.windows[0]
    timeline = next((a for a in window.screen.areas if a.ui_type == "TIMELINE"), None)
    with bpy.context.temp_override(window=window, area=area()):
        bpy.ops.screen.area_split(direction="HORIZONTAL", factor=share)
    yield 0.5
    lowest = min((a for a in window.screen.areas if a.type == "VIEW_3D"), key=lambda a: a.y)
    lowest.type, lowest.ui_type = "DOPESHEET_EDITOR", "DOPESHEET"
    if timeline is not None:
        with bpy.context.temp_override(window=window, area=timeline):
            bpy.ops.screen.area_close()
    yield 0.5


def rigify_character() -> Any:
    """Rigify's human, generated in the open file, with a body; active, its metarig hidden."""
    bpy.ops.preferences.addon_enable(module="rigify")
    ops: Any = bpy.ops  # Rigify's operators are in no stub
    with within():
        ops.object.armature_human_metarig_add()
        metarig = bpy.context.object
        ops.pose.rigify_generate()
    rig = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o != metarig)
    rig.name = "Character"
    metarig.hide_set(True)
    make_body(rig)
    for other in bpy.context.view_layer.objects:
        other.select_set(other == rig)
    bpy.context.view_layer.objects.active = rig
    return rig


THICK = {
    "thigh": ((0, 0.09), (1, 0.07)), "thigh.001": ((1, 0.055),), "shin": ((0, 0.055), (1, 0.055)),
    "shin.001": ((1, 0.035),), "foot": ((0.5, 0.045), (1, 0.035)), "toe": ((1, 0.025),),
    "spine": ((-0.5, 0.09), (0.3, 0.125), (1, 0.105)), "spine.001": ((1, 0.1),), "spine.002": ((1, 0.125),),
    "spine.003": ((0.6, 0.13), (1, 0.06)), "spine.004": ((1, 0.045),), "spine.005": ((1, 0.05),),
    "spine.006": ((0.3, 0.085), (0.75, 0.095), (1, 0.05)), "shoulder": ((0.4, 0.05), (1, 0.055)),
    "upper_arm": ((0, 0.055), (1, 0.045)), "upper_arm.001": ((1, 0.038),), "forearm": ((0, 0.038), (1, 0.036)),
    "forearm.001": ((1, 0.025),), "hand": ((0, 0.026), (0.6, 0.04), (1.6, 0.02)),
}  # fmt: skip
"""How thick a body is along Rigify's bones: share of the bone's length, metres."""


def make_body(rig: Any) -> Any:
    """A mannequin over Rigify's deforming bones: a stick figure in a skin, which then follows the nearest bones."""
    points, edges, thick, roots, ends = [], [], [], [], {}
    bones = [b for b in rig.data.bones if b.use_deform and b.name.startswith("DEF-") and _shape(b)]
    for bone in bones:
        before = ends.get(bone.parent.name if bone.parent else "")
        for share, radius in _shape(bone):
            if before is not None and share == 0:
                continue  # where the bone above ended; twice the same place makes a thread of the skin
            if before is None:
                roots.append(len(points))
            else:
                edges.append((before, len(points)))
            before = len(points)
            points.append(bone.head_local.lerp(bone.tail_local, share))
            thick.append(radius)
        ends[bone.name] = before
    sticks = bpy.data.objects.new("Sticks", bpy.data.meshes.new("Sticks"))
    bpy.context.scene.collection.objects.link(sticks)
    sticks.data.from_pydata(points, edges, [])
    sticks.modifiers.new("Skin", "SKIN").use_smooth_shade = True
    for n, (vertex, radius) in enumerate(zip(sticks.data.skin_vertices[0].data, thick, strict=True)):
        vertex.radius, vertex.use_root = (radius, radius), n in roots
    sticks.modifiers.new("Round", "SUBSURF").levels = 1
    depsgraph = bpy.context.evaluated_depsgraph_get()
    mesh = bpy.data.meshes.new_from_object(sticks.evaluated_get(depsgraph))
    bpy.data.objects.remove(sticks)
    body = bpy.data.objects.new("Body", mesh)
    bpy.context.scene.collection.objects.link(body)
    groups = [body.vertex_groups.new(name=bone.name) for bone in bones]
    for vertex in mesh.vertices:
        away = [_away(vertex.co, bone) for bone in bones]
        nearest = sorted(range(len(bones)), key=away.__getitem__)[:3]
        shares = [1 / (away[n] + 1e-3) ** 4 for n in nearest]
        for n, share in zip(nearest, shares, strict=True):
            groups[n].add([vertex.index], share / sum(shares), "REPLACE")
    body.modifiers.new("Bones", "ARMATURE").object = rig
    return body


def _shape(bone: Any) -> Sequence[tuple[float, float]]:
    """As THICK has it, without the side: ``DEF-thigh.L.001`` is a ``thigh.001``."""
    return THICK.get(bone.name.removeprefix("DEF-").replace(".L", "").replace(".R", ""), ())


def _away(place: Any, bone: Any) -> float:
    """Metres from a place to a bone."""
    along = bone.tail_local - bone.head_local
    share = min(1.0, max(0.0, (place - bone.head_local).dot(along) / along.length_squared))
    return (place - bone.head_local - share * along).length
