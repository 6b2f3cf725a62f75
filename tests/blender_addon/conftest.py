"""Blender in this process (the bpy wheel), empty and with the add-on enabled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from blender_addon.jobs import Session
    from blender_addon.process import Backend

ROOT = Path(__file__).resolve().parents[2]

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")


@pytest.fixture
def empty_file() -> None:
    """A file with a scene and nothing in it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def addon(empty_file: None) -> Iterator[None]:
    """The add-on, enabled; disabled again afterwards."""
    import blender_addon

    blender_addon.register()
    try:
        yield
    finally:
        blender_addon.unregister()


@pytest.fixture(scope="session")
def backend_python() -> str:
    """The Python of the backend's environment; the tests that need the real backend skip without one."""
    found = os.environ.get("LIMBER_PYTHON", sys.executable)
    if subprocess.run([found, "-c", "import fastapi, torch"], check=False, capture_output=True).returncode:
        pytest.skip("LIMBER_PYTHON does not name an environment with the backend's libraries")
    return found


@pytest.fixture(scope="session")
def kept_backends() -> Iterator[list[Backend]]:
    """The running backend is handed from test to test: importing torch takes longer than most of them."""
    kept: list[Backend] = []
    yield kept
    for backend in kept:
        backend.stop(wait=True)


@pytest.fixture
def session(
    addon: None, backend_python: str, kept_backends: list[Backend], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    """The add-on's session with the real backend."""
    from blender_addon import jobs

    monkeypatch.setenv("LIMBER_PYTHON", backend_python)
    found = jobs.current()
    assert found is not None
    found.backend = kept_backends.pop() if kept_backends else None
    yield found
    left = jobs.current()
    if left is not None and left.backend is not None and left.backend.state == "READY":
        kept_backends.append(left.backend)
        left.backend = None


@pytest.fixture(scope="session")
def able_bundle(backend_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real weights of the smallest size, random, that do every task; made by the backend's own Python."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    make = "import sys, pathlib, tests.backend.conftest as c; c.make_bundle(pathlib.Path(sys.argv[1]))"
    subprocess.run([backend_python, "-c", make, str(folder)], check=True, cwd=ROOT)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for system in config["systems"].values():
        system["tasks"] = ["inbetween", "complete", "refine"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def able_backends() -> Iterator[list[Backend]]:
    """As ``kept_backends``, with the bundle that does every task."""
    kept: list[Backend] = []
    yield kept
    for backend in kept:
        backend.stop(wait=True)


@pytest.fixture
def able_session(
    addon: None,
    backend_python: str,
    able_bundle: Path,
    able_backends: list[Backend],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Session]:
    """The add-on's session with a real backend whose bundle ``tiny`` does every task."""
    from blender_addon import jobs
    from blender_addon.process import Backend

    monkeypatch.setenv("LIMBER_PYTHON", backend_python)
    found = jobs.current()
    assert found is not None
    if able_backends:
        found.backend = able_backends.pop()
    else:
        arguments = [backend_python, "-m", "backend", "serve", "--weights", str(able_bundle)]
        found.backend = Backend(arguments, ROOT)
        found.backend.start()
    bpy.context.scene.limber.bundle = "tiny"
    yield found
    left = jobs.current()
    if left is not None and left.backend is not None and left.backend.state == "READY":
        able_backends.append(left.backend)
        left.backend = None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips and a character for batches, see :func:`.batches.make_folder`."""
    from tests.blender_addon import batches

    out = tmp_path_factory.mktemp("batch")
    batches.make_folder(out)
    return out


@pytest.fixture(scope="session")
def rigify_blend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with Rigify's human metarig and the rig generated from it, made once."""
    from blender_addon import demo_rig

    path = tmp_path_factory.mktemp("generated") / "rigify.blend"
    demo_rig.make(path)
    return path


@pytest.fixture
def rigify_rig(rigify_blend: Path) -> Any:
    """The generated rig, fresh from its file."""
    from blender_addon import demo_rig

    bpy.ops.wm.open_mainfile(filepath=str(rigify_blend))
    obj = bpy.data.objects[demo_rig.NAME]
    bpy.context.view_layer.objects.active = obj
    return obj
