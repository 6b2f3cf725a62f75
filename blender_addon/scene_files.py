"""Scenes from files and into files, for the command line: .blend, .bvh, .fbx, .glb and .gltf.

Blender opens and imports; motion leaves as .bvh through :mod:`.motion.bvh`, because Blender's own
writer knows only bones as they stand in the armature, not the object around them.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import bpy

from .motion.errors import FileFormatError, InvalidRequestError

READS = (".blend", ".bvh", ".fbx", ".glb", ".gltf")
WRITES = (".blend", ".bvh", ".fbx", ".glb")


def open_scene(path: Path, fps: float | None = None) -> None:
    """Make this Blender hold what the file holds, and nothing else.

    Args:
        path: ends in one of ``READS``.
        fps: frames per second of a .glb or .gltf, which do not say; None: Blender's 24.

    Raises:
        FileFormatError: not a file of that kind.
        OSError: it cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in READS:
        raise FileFormatError(str(path), f"is none of {', '.join(READS)}")
    with path.open("rb"):  # a missing file is told by the system, not by an importer
        pass
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if suffix == ".bvh":
        _import_bvh(path)
        return
    calls: dict[str, Callable[[], Any]] = {
        ".blend": lambda: bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False),
        ".fbx": lambda: bpy.ops.import_scene.fbx(filepath=str(path)),
        ".glb": lambda: bpy.ops.import_scene.gltf(filepath=str(path)),
        ".gltf": lambda: bpy.ops.import_scene.gltf(filepath=str(path)),
    }
    if suffix == ".fbx":
        enable("io_scene_fbx")
    elif suffix != ".blend":
        enable("io_scene_gltf2")
        if fps is not None:
            set_rate(fps)
    _quietly(path, "cannot be read", calls[suffix])


def _import_bvh(path: Path) -> None:
    """Blender's importer at the size and rate that our reader finds in the file."""
    from .motion import bvh

    clip = bvh.load(path)  # refuses what is damaged, by line
    enable("io_anim_bvh")
    scale = float(clip.metadata["scale"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Blender's importer leaves the file open behind it
        _quietly(path, "cannot be read", lambda: bpy.ops.import_anim.bvh(
            filepath=str(path), global_scale=scale, rotate_mode="NATIVE", update_scene_fps=False,
            update_scene_duration=True,
        ))  # fmt: skip
    set_rate(clip.fps)


def set_rate(fps: float, scene: Any = None) -> None:
    """Give the scene a frame rate, fractions kept (29.97 is 30 over 1.001)."""
    render = (scene or bpy.context.scene).render
    whole = max(1, min(32767, round(fps)))
    render.fps, render.fps_base = whole, whole / fps


def enable(addon: str) -> None:
    """Switch on one of Blender's own add-ons (the BVH one is off by default since 5.0).

    Raises:
        InvalidRequestError: this Blender comes without it.
    """
    addon_utils: Any = importlib.import_module("addon_utils")
    if addon_utils.check(addon)[1]:
        return
    with quiet():
        # default_set: some add-ons read their own preferences while they register.
        found = addon_utils.enable(addon, default_set=True)
    if found is None:
        raise InvalidRequestError("Blender", f"its add-on {addon!r} is missing", "Use a complete Blender.")


@contextmanager
def quiet() -> Iterator[None]:
    """Send standard output to nowhere, what Blender's C code prints included."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        with redirect_stdout(StringIO()):  # an embedding program's sys.stdout need not be descriptor 1
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _quietly(path: Path, what: str, call: Callable[[], Any]) -> None:
    """Call an operator; what it prints is thrown away, what it raises is told by file."""
    try:
        with quiet():
            done = call()
    except RuntimeError as error:
        text = " ".join(str(error).removeprefix("Error:").split()) or "Blender does not say why"
        raise FileFormatError(str(path), f"{what}: {text}") from error
    if "FINISHED" not in done:
        raise FileFormatError(str(path), what)


def armatures() -> list[Any]:
    """The scene's armature objects, by name."""
    return sorted((o for o in bpy.context.scene.objects if o.type == "ARMATURE"), key=lambda o: o.name)


def choose_armature(name: str = "") -> Any:
    """The armature called ``name``, or the only one.

    Raises:
        InvalidRequestError: none, several, or none of that name; the names are listed.
    """
    found = armatures()
    names = ", ".join(o.name for o in found)
    if not found:
        raise InvalidRequestError("armature", "the file has none")
    if name:
        chosen = next((o for o in found if name in (o.name, o.data.name)), None)
        if chosen is None:
            raise InvalidRequestError("armature", f"there is no {name!r}", f"The file has: {names}.")
        return chosen
    if len(found) > 1:
        raise InvalidRequestError("armature", f"the file has {len(found)}", f"Choose with --armature: {names}.")
    return found[0]


# -- writing ----------------------------------------------------------------------------------------


def save(path: Path, obj: Any, first: int, last: int, only_armature: bool = False) -> None:
    """Write the scene, or for .bvh the armature's motion, in the format that the name says.

    Args:
        path: ends in one of ``WRITES``.
        obj: the armature whose motion it is about.
        first, last: scene frames that are exported; .blend keeps everything.
        only_armature: .fbx and .glb without meshes and other objects.

    Raises:
        FileFormatError: Blender cannot write it.
        OSError: the folder cannot be written to.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITES:
        raise FileFormatError(str(path), f"cannot be written, only {', '.join(WRITES)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".bvh":
        _save_bvh(path, obj, first, last)
    elif suffix == ".blend":
        _quietly(path, "cannot be written",
                 lambda: bpy.ops.wm.save_as_mainfile(filepath=str(path.resolve()), check_existing=False))  # fmt: skip
    else:
        _export(path, suffix, obj, first, last, only_armature)


def _save_bvh(path: Path, obj: Any, first: int, last: int) -> None:
    """All bones; a control rig, whose bones mean nothing elsewhere, as the 22 canonical joints."""
    import numpy as np

    from . import armature_io, whole_motion
    from .motion import bone_maps, bvh, retarget

    frames = np.arange(first, last + 1)
    found = bone_maps.find(armature_io.read_skeleton(obj))
    if bone_maps.controls(found)[0]:
        character = whole_motion.describe(obj)
        clip = retarget.to_canonical(whole_motion.read(obj, found, frames), character.rig)
    else:
        clip = armature_io.read_clip(obj, frames)
    bvh.save(path, clip)


def _export(path: Path, suffix: str, obj: Any, first: int, last: int, only_armature: bool) -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = first, last
    chosen = [obj] if only_armature else list(scene.objects)
    _select(chosen, obj)
    if suffix == ".fbx":
        enable("io_scene_fbx")
        _quietly(path, "cannot be written", lambda: bpy.ops.export_scene.fbx(
            filepath=str(path), use_selection=only_armature, add_leaf_bones=False, bake_anim=True,
            bake_anim_use_all_bones=True, bake_anim_use_nla_strips=False, bake_anim_use_all_actions=False,
            bake_anim_simplify_factor=0.0,
        ))  # fmt: skip
    else:
        enable("io_scene_gltf2")
        _quietly(path, "cannot be written", lambda: bpy.ops.export_scene.gltf(
            filepath=str(path), export_format="GLB", use_selection=only_armature, export_animations=True,
            export_animation_mode="ACTIVE_ACTIONS", export_frame_range=True, export_force_sampling=True,
            export_optimize_animation_size=False,
        ))  # fmt: skip


def _select(chosen: Sequence[Any], active: Any) -> None:
    layer = bpy.context.view_layer
    for obj in layer.objects:
        obj.select_set(obj in chosen)
    layer.objects.active = active
