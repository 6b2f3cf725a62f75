"""The extension: built the same twice, taken by Blender's own tools, and gone without a trace."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load_builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_addon", ROOT / "build_addon.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


builder = load_builder()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return builder.build(ROOT, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def scripts() -> Path:
    """The folder of Blender's scripts inside the bpy wheel; nothing of it is run in this process."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        pytest.skip("bpy is not installed here")
    found = sorted(Path(spec.origin).parent.glob("*.*/scripts"))
    assert found, "the bpy wheel has no scripts"
    return found[-1]


# -- the file --------------------------------------------------------------------------------------


def test_two_builds_are_equal_byte_for_byte(package: Path, tmp_path: Path) -> None:
    copy = tmp_path / "checkout"
    skip = shutil.ignore_patterns(".*", "__pycache__", "out", "runs", "tests", "training", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=skip)
    for path in copy.rglob("*"):
        os.utime(path, (1e9, 1e9))
    (copy / "blender_addon" / "__pycache__").mkdir(exist_ok=True)
    (copy / "blender_addon" / "__pycache__" / "x.pyc").write_bytes(b"left over")
    ran = subprocess.run([sys.executable, str(copy / "build_addon.py"), "--out", str(tmp_path / "out")],
                         cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    again = next((tmp_path / "out").glob("*.zip"))
    assert again.read_bytes() == package.read_bytes()
    assert hashlib.sha256(package.read_bytes()).hexdigest() in ran.stdout


def test_what_is_inside(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert package.name == f"limber-{manifest['version']}.zip"
    bundled = ("backend/server.py", "blender_addon/__init__.py", "blender_addon/motion/rotations.py")
    for needed in (
        "LICENSE",
        "__init__.py",
        "motion/rotations.py",
        *(f"backend_bundle/{name}" for name in bundled),
    ):
        assert needed in names
    for name in names:
        assert not name.endswith(".pyc")
        assert not name.startswith(("tests/", "training/", "/"))
        assert ".." not in name
    outside = {n for n in names if n.startswith("backend_bundle/blender_addon/") and "/motion/" not in n}
    assert outside == {"backend_bundle/blender_addon/__init__.py"}


def test_one_version_everywhere() -> None:
    import backend

    manifest = builder.read_manifest(ROOT / "blender_addon" / "blender_manifest.toml")
    assert manifest["version"] == backend.__version__
    assert f"[{backend.__version__}]" in (ROOT / "CHANGELOG.md").read_text() or "[Unreleased]" in (
        ROOT / "CHANGELOG.md"
    ).read_text()  # fmt: skip


def test_the_libraries_are_the_same_everywhere(package: Path) -> None:
    pytest.importorskip("torch", reason="the backend's libraries are not in this environment")
    from backend import doctor

    with zipfile.ZipFile(package) as archive:
        listed = archive.read("backend_bundle/requirements.txt").decode().split()
    assert listed == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert listed == [doctor.requirement(name) for name in doctor.LIBRARIES]


def test_the_backend_runs_from_the_unpacked_bundle(package: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the backend's libraries are not in this environment")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    ran = subprocess.run([sys.executable, "-P", "-c", "import backend, sys; print(backend.__file__)\n"
                          "from backend.__main__ import main; sys.exit(main(['models']))"],
                         cwd=tmp_path, env={**variables, "PYTHONPATH": str(tmp_path / "backend_bundle")},
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == str(tmp_path / "backend_bundle" / "backend" / "__init__.py")
    assert "interpolation" in ran.stdout


# -- what is refused -------------------------------------------------------------------------------

MANIFEST = (ROOT / "blender_addon" / "blender_manifest.toml").read_text(encoding="utf-8")
REFUSED: dict[str, tuple[str, str, str]] = {
    "doubled underscore": ('id = "limber"', 'id = "lim__ber"', "id"),
    "id with a dash": ('id = "limber"', 'id = "lim-ber"', "id"),
    "version of two numbers": ('version = "0.1.0"', 'version = "0.1"', "version"),
    "schema": ('schema_version = "1.0.0"', 'schema_version = "soon"', "schema_version"),
    "name with Blender": ('name = "Limber"', 'name = "Limber for Blender"', "name"),
    "name with a blank": ('name = "Limber"', 'name = " Limber"', "name"),
    "long tagline": ('tagline = "', 'tagline = "' + "long " * 20, "tagline"),
    "tagline with a stop": ('exactly as set"', 'exactly as set."', "tagline"),
    "type": ('type = "add-on"', 'type = "addon"', "type"),
    "licence as text": (
        'license = ["SPDX:GPL-3.0-or-later"]',
        'license = "SPDX:GPL-3.0-or-later"',
        "license",
    ),
    "licence without SPDX": ('"SPDX:GPL-3.0-or-later"', '"GPL"', "license"),
    "Blender version": (
        'blender_version_min = "4.5.0"',
        'blender_version_min = "4.5"',
        "blender_version_min",
    ),
    "unknown tag": ('"Animation"', '"Magic"', "Magic"),
    "unknown permission": ("[permissions]", '[permissions]\nmind = "Reads it"', "mind"),
    "reason with a stop": ("[permissions]", '[permissions]\nclipboard = "Copies."', "clipboard"),
    "no maintainer": ("maintainer = ", "# maintainer = ", "maintainer"),
    "unknown key": ("type = ", 'surprise = "x"\ntype = ', "surprise"),
    "not TOML": ("type = ", "type == ", "blender_manifest"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_manifest_that_is_not_right_is_refused(tmp_path: Path, name: str) -> None:
    old, new, message = REFUSED[name]
    changed = MANIFEST.replace(old, new, 1)
    assert changed != MANIFEST, f"the manifest no longer holds {old!r}"
    (tmp_path / "blender_manifest.toml").write_text(changed, encoding="utf-8")
    with pytest.raises(builder.BuildError, match=message):
        builder.read_manifest(tmp_path / "blender_manifest.toml")


@pytest.mark.parametrize(("change", "message"), [
    (lambda f: f.pop("__init__.py"), "__init__.py is missing"),
    (lambda f: f.update({"Motion/Rotations.py": b"", "motion/rotations.PY": b""}), "case"),
    (lambda f: f.update({"motion/über.py": b""}), "not a name"),
    (lambda f: f.update({"a b.py": b""}), "not a name"),
    (lambda f: f.update({"backend_bundle/backend/weights/open/notes.txt": b""}), "weights bundle open"),
])  # fmt: skip
def test_files_that_are_not_right_are_refused(
    change: Callable[[dict[str, bytes]], Any], message: str
) -> None:
    files = dict(builder.collect(ROOT))
    change(files)
    with pytest.raises(builder.BuildError, match=message):
        builder.check_files(files)


def test_another_version_in_the_manifest_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "blender_addon").mkdir()
    (tmp_path / "backend").mkdir()
    (tmp_path / "blender_addon" / "blender_manifest.toml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "backend" / "__init__.py").write_text('__version__ = "9.9.9"\n', encoding="utf-8")
    assert builder.main(["--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "9.9.9" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# -- Blender's own tools ---------------------------------------------------------------------------


def extension_tool(scripts: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What ``blender --command extension`` runs; the wheel brings it along without the ``blender`` program."""
    tool = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    return subprocess.run(
        [sys.executable, str(tool), *arguments], capture_output=True, text=True, check=False
    )


def tags_file(scripts: Path) -> str:
    return str(next((scripts / "modules" / "_bpy_internal").rglob("tags.py")))


def test_blenders_validate_takes_it(package: Path, scripts: Path) -> None:
    ran = extension_tool(scripts, "validate", f"--valid-tags={tags_file(scripts)}", str(package))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Success parsing TOML" in ran.stdout


def test_blenders_build_takes_it(package: Path, scripts: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "source")
        ours = set(archive.namelist())
    source, built = str(tmp_path / "source"), str(tmp_path / "built.zip")
    ran = extension_tool(scripts, "build", f"--valid-tags={tags_file(scripts)}", "--source-dir", source,
                         "--output-filepath", built)  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    with zipfile.ZipFile(built) as archive:
        theirs = {name for name in archive.namelist() if not name.endswith("/")}
    assert theirs == ours


def test_what_blender_refuses_is_refused_here_too(scripts: Path, tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("")
    stricter = {"schema", "name with Blender", "licence without SPDX", "unknown key"}  # its web site's rules
    for name, (old, new, _) in REFUSED.items():
        (tmp_path / "blender_manifest.toml").write_text(MANIFEST.replace(old, new, 1), encoding="utf-8")
        ran = extension_tool(scripts, "validate", f"--valid-tags={tags_file(scripts)}", str(tmp_path))
        assert (ran.returncode != 0) or name in stricter, f"{name}: Blender takes it, we do not"


def test_our_tags_are_blenders(scripts: Path) -> None:
    known: dict[str, Any] = {}
    exec(Path(tags_file(scripts)).read_text(encoding="utf-8"), known)
    assert known["addons"] - {"All"} == builder.TAGS


WORK = """
import json, os, sys
import bpy, addon_utils

bpy.ops.wm.read_factory_settings(use_empty=True)
addon_utils.enable("bl_pkg", default_set=True)
bpy.ops.extensions.package_install_files(filepath=sys.argv[-1], repo="user_default", enable_on_install=True)
from bl_ext.user_default.limber import process
from bl_ext.user_default.limber.motion import skeleton

body = skeleton.canonical()
_, places = body.rest_global()
armature = bpy.data.objects.new("Body", bpy.data.armatures.new("Body"))
bpy.context.scene.collection.objects.link(armature)
bpy.context.view_layer.objects.active = armature
bpy.ops.object.mode_set(mode="EDIT")
for name, parent, (x, y, z) in zip(body.names, body.parents, places):
    bone = armature.data.edit_bones.new(name)
    bone.head, bone.tail = (x, -z, y), (x, -z, y + 0.08)
    bone.parent = armature.data.edit_bones[body.names[parent]] if parent >= 0 else None
bpy.ops.object.mode_set(mode="POSE")
for frame, lean in ((1, 0.0), (16, 0.7), (31, -0.4)):
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = (1.0, lean * 0.3, lean * 0.1, 0.0)
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    armature.pose.bones["pelvis"].location = (0.0, 0.0, lean)
    armature.pose.bones["pelvis"].keyframe_insert("location", frame=frame)
bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 31

def keys():
    found = {}
    action = armature.animation_data.action
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    for curve in bags[0].fcurves:
        for point in curve.keyframe_points:
            found[f"{curve.data_path}[{curve.array_index}]@{point.co[0]:g}"] = float(point.co[1]).hex()
    return action.name, found

original, before = keys()
done = bpy.ops.limber.inbetween()
result, after = keys()
report = {"done": sorted(done), "original": original, "result": result, "source": str(process.source_folder()),
          "changed": [k for k in before if after.get(k) != before[k]], "more": len(after) - len(before),
          "kept": original in bpy.data.actions}
print("REPORT" + json.dumps(report))
bpy.ops.preferences.addon_disable(module="bl_ext.user_default.limber")
"""


def in_a_clean_blender(
    script: str, package: Path, folder: Path, **variables: str
) -> tuple[dict[str, Any], str]:
    """Run a script in a Blender whose user folders are empty; its report, and all that it printed."""
    user = folder / "blender user"
    user.mkdir()
    (folder / "script.py").write_text(script)
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "BLENDER_USER_RESOURCES": str(user)}
    command = [sys.executable, str(folder / "script.py"), str(package)]
    everything = {**os.environ, **home, **variables}
    ran = subprocess.run(command, cwd=folder, env=everything, capture_output=True, text=True, timeout=200, check=False)
    said = ran.stdout + ran.stderr
    lines = [line for line in ran.stdout.splitlines() if line.startswith("REPORT")]
    assert lines, said[-4000:]
    return json.loads(lines[0].removeprefix("REPORT")), said


@pytest.mark.usefixtures("scripts")
def test_installed_it_fills_motion_with_the_backend_it_brought_along(package: Path, tmp_path: Path) -> None:
    python = os.environ.get("LIMBER_PYTHON") or (
        sys.executable if importlib.util.find_spec("torch") else None
    )
    if python is None:
        pytest.skip("no Python with torch for the backend (set LIMBER_PYTHON)")
    report, said = in_a_clean_blender(WORK, package, tmp_path, LIMBER_PYTHON=python)
    assert report["done"] == ["FINISHED"], said
    assert Path(report["source"]).name == "backend_bundle"
    assert str(tmp_path) in report["source"]
    assert report["changed"] == []
    assert report["more"] > 0
    assert report["result"] != report["original"]
    assert report["kept"]
    assert "Traceback" not in said


INSTALL = """
import json, os, sys
import bpy, addon_utils

def state():
    types = (bpy.types.Scene, bpy.types.Object, bpy.types.WindowManager, bpy.types.Action, bpy.types.Armature)
    handlers = [f.__module__ for h in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, h), list)
                for f in getattr(bpy.app.handlers, h)]
    return {
        "classes": sorted(n for n in dir(bpy.types) if "limber" in n.lower()),
        "properties": sorted(f"{t.__name__}.{p}" for t in types for p in t.bl_rna.properties.keys() if "limber" in p),
        "operators": [n for n in dir(bpy.ops) if n == "limber"] and sorted(dir(bpy.ops.limber)),
        "handlers": sorted(m for m in handlers if "limber" in m),
        "modules": sorted(m for m in sys.modules if ".limber" in m),
        "addons": sorted(a.module for a in bpy.context.preferences.addons if "limber" in a.module),
    }

bpy.ops.wm.read_factory_settings(use_empty=True)
report = {"before": state()}
addon_utils.enable("bl_pkg", default_set=True)
bpy.ops.extensions.package_install_files(filepath=sys.argv[-1], repo="user_default", enable_on_install=True)
report["enabled"] = state()
name = "bl_ext.user_default.limber"
folder = os.path.join(bpy.utils.user_resource("EXTENSIONS"), "user_default", "limber")
report["folder"] = os.path.isdir(folder)
report["bundle"] = os.path.isdir(os.path.join(folder, "backend_bundle", "backend"))
bpy.ops.preferences.addon_disable(module=name)
report["disabled"] = state()
bpy.ops.preferences.addon_enable(module=name)
report["again"] = state()
bpy.ops.extensions.package_uninstall(repo_index=[r.module for r in bpy.context.preferences.extensions.repos].index(
    "user_default"), pkg_id="limber")
report["after"] = state()
report["folder after"] = os.path.isdir(folder)
report["left"] = [os.path.join(d, f) for d, _, fs in os.walk(os.environ["BLENDER_USER_RESOURCES"]) for f in fs
                  if "limber" in os.path.join(d, f).lower()]
print("REPORT" + json.dumps(report))
"""


@pytest.mark.usefixtures("scripts")
def test_installs_into_a_clean_blender_and_leaves_nothing_behind(package: Path, tmp_path: Path) -> None:
    report, said = in_a_clean_blender(INSTALL, package, tmp_path)
    assert report["folder"], said
    assert report["bundle"]
    assert report["enabled"]["classes"]
    assert report["enabled"]["addons"] == ["bl_ext.user_default.limber"]
    assert report["again"]["classes"] == report["enabled"]["classes"]
    for what in ("classes", "properties", "handlers"):
        assert report["disabled"][what] == report["before"][what], what
    for what in ("classes", "properties", "handlers", "addons", "modules"):
        assert report["after"][what] == report["before"][what], what
    assert not report["folder after"]
    assert report["left"] == []
    assert "Traceback" not in said
