#!/usr/bin/env python3
"""Builds the Blender extension: ``python build_addon.py [--out DIR]`` writes ``limber-<version>.zip``.

The zip holds the add-on at its root and, under ``backend_bundle/``, what the backend process needs:
the backend, its weights, the motion core (a second copy, so that the folder can be put on the path
of another Python without Blender's package around it), and the list of libraries to install.

The same tree always gives the same bytes: entries are sorted, times and permissions fixed, text as
it is. What Blender's ``extension validate`` would refuse is refused here, with the same meaning, so
that a mistake shows before the file is handed to anyone. Needs the standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
SKIPPED = {"__pycache__", ".DS_Store", "Thumbs.db"}
MAX_BUNDLE = 30 << 20
"""Bytes of one weights bundle."""

# The tags that Blender knows for add-ons (docs: "Extension Tags").
TAGS = {
    "3D View", "Add Curve", "Add Mesh", "Animation", "Bake", "Camera", "Compositing", "Development",
    "Game Engine", "Geometry Nodes", "Grease Pencil", "Import-Export", "Lighting", "Material", "Mesh",
    "Modeling", "Node", "Object", "Paint", "Physics", "Pipeline", "Render", "Rigging", "Scene", "Sculpt",
    "Sequencer", "System", "Text Editor", "Tracking", "User Interface", "UV",
}  # fmt: skip
REQUIRED = {"schema_version", "id", "version", "name", "tagline", "maintainer", "type", "license",
            "blender_version_min"}  # fmt: skip
OPTIONAL = {"blender_version_max", "website", "copyright", "tags", "platforms", "wheels", "permissions",
            "build"}  # fmt: skip


class BuildError(Exception):
    """Something that Blender would refuse, or that is not there."""


def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 when the zip was written, 1 when something is wrong."""
    parser = argparse.ArgumentParser(description="Builds the Blender extension of Limber.")
    parser.add_argument("--out", type=Path, default=ROOT / "out", help="folder that receives the zip")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to build from")
    options = parser.parse_args(arguments)
    try:
        path = build(options.root, options.out)
    except (BuildError, OSError) as error:
        print(f"build_addon: {error}", file=sys.stderr)
        return 1
    print(f"{path}  {path.stat().st_size} bytes")
    print(f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return 0


def build(root: Path, out: Path) -> Path:
    """Write the zip and say where.

    Args:
        root: the checkout.
        out: a folder, made if need be.

    Raises:
        BuildError: the manifest or a file is not what Blender takes.
    """
    # 1. the manifest
    manifest = read_manifest(root / "blender_addon" / "blender_manifest.toml")
    version = _backend_version(root)
    if manifest["version"] != version:
        raise BuildError(f"blender_manifest.toml says version {manifest['version']}, the backend {version}")
    # 2. the files, by their place in the zip
    files = dict(sorted(collect(root)))
    check_files(files)
    # 3. the zip
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{manifest['id']}-{version}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, content)
    return path


def collect(root: Path) -> Iterator[tuple[str, bytes]]:
    """(name in the zip, content) of everything that goes in."""
    yield "LICENSE", (root / "LICENSE").read_bytes()
    for path in _tree(root / "blender_addon"):
        relative, content = path.relative_to(root / "blender_addon").as_posix(), path.read_bytes()
        yield relative, content
        if relative == "__init__.py" or relative.startswith("motion/"):
            yield f"backend_bundle/blender_addon/{relative}", content
    for path in _tree(root / "backend"):
        yield f"backend_bundle/{path.relative_to(root).as_posix()}", path.read_bytes()
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield "backend_bundle/requirements.txt", "".join(f"{d}\n" for d in project["dependencies"]).encode()


def _tree(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") or part in SKIPPED for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and path.suffix not in (".pyc", ".pyo"):
            yield path


def check_files(files: Mapping[str, bytes]) -> None:
    """Refuse a set of files that Blender or a file system of some animator would not take.

    Raises:
        BuildError: a file is missing, a name is unsafe or differs from another by case only, or a
            weights bundle is incomplete or too large.
    """
    for needed in ("blender_manifest.toml", "__init__.py", "backend_bundle/backend/__main__.py",
                   "backend_bundle/blender_addon/motion/__init__.py"):  # fmt: skip
        if needed not in files:
            raise BuildError(f"{needed} is missing")
    folded: dict[str, str] = {}
    for name in files:
        if not re.fullmatch(r"[A-Za-z0-9_.\-/]+", name) or len(name) > 160:
            raise BuildError(f"{name!r} is not a name that every system takes")
        if other := folded.get(name.lower()):
            raise BuildError(f"{name} and {other} are one file where case does not count")
        folded[name.lower()] = name
    sizes: dict[str, dict[str, int]] = {}
    for name, content in files.items():
        if match := re.match(r"backend_bundle/backend/weights/([^/]+)/(.+)", name):
            sizes.setdefault(match[1], {})[match[2]] = len(content)
    for bundle, members in sizes.items():
        expected = {"model.safetensors", "config.json", "card.md", "metrics.json"}
        if members.keys() != expected:
            wrong = sorted(members.keys() ^ expected)
            raise BuildError(f"weights bundle {bundle}: missing or unexpected {', '.join(wrong)}")
        if sum(members.values()) > MAX_BUNDLE:
            raise BuildError(f"weights bundle {bundle}: {sum(members.values())} bytes, at most {MAX_BUNDLE}")


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest, checked the way ``extension validate`` does.

    Raises:
        BuildError: everything that is wrong with it, one per line.
    """
    try:
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BuildError(f"{path} is missing") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BuildError(f"{path}: {error}") from error
    if wrong := list(_manifest_faults(manifest)):
        raise BuildError("\n".join(f"{path.name}: {fault}" for fault in wrong))
    return manifest


def _manifest_faults(manifest: dict[str, Any]) -> Iterator[str]:
    for key in sorted(REQUIRED - manifest.keys()):
        yield f"{key} is missing"
    for key in sorted(manifest.keys() - REQUIRED - OPTIONAL):
        yield f"{key} is unknown"
    text = {k: v for k, v in manifest.items() if isinstance(v, str)}
    for key in ("schema_version", "id", "version", "name", "tagline", "maintainer", "type",
                "blender_version_min"):  # fmt: skip
        if key in manifest and (not text.get(key) or text[key] != text[key].strip()):
            yield f"{key} must be text without blanks around it"
    if text.get("schema_version") != "1.0.0":
        yield f"schema_version {text.get('schema_version')!r} is not 1.0.0"
    if text.get("type") != "add-on":
        yield f"type {text.get('type')!r} is not add-on"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", text.get("id", "")):
        yield f"id {text.get('id')!r} is not a Python name, or has doubled underscores"
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.\-]+)?", text.get("version", "")):
        yield f"version {text.get('version')!r} is not of the form 1.2.3"
    for key in ("blender_version_min", "blender_version_max"):
        if key in manifest and not re.fullmatch(r"\d+\.\d+\.\d+", text.get(key, "")):
            yield f"{key} {text.get(key)!r} is not of the form 4.5.0"
    if "blender" in text.get("name", "").lower():
        yield "name must not hold 'Blender'"
    yield from _line_faults("tagline", text.get("tagline", ""))
    for key in ("license", "copyright", "tags", "platforms", "wheels"):
        value = manifest.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
            yield f"{key} must be a list of texts"
    if any(not str(v).startswith("SPDX:") for v in manifest.get("license") or ["none"]):
        yield "license must be a list of SPDX: entries"
    for tag in manifest.get("tags", ()):
        if tag not in TAGS:
            yield f"tag {tag!r} is none that Blender knows"
    for line in manifest.get("copyright", ()):
        if not re.match(r"\d+(-\d+)? \S", str(line)):
            yield f"copyright {line!r} must be a year, or two with '-' between, and a name"
    for name, reason in dict(manifest.get("permissions", {})).items():
        if name not in ("files", "network", "clipboard", "camera", "microphone"):
            yield f"permission {name!r} is none that Blender knows"
        yield from _line_faults(f"permission {name}", str(reason))


def _line_faults(what: str, line: str) -> Iterator[str]:
    """One short sentence without a full stop, as Blender wants taglines and reasons."""
    if not 1 <= len(line) <= 64 or not line.isprintable() or line != line.strip():
        yield f"{what} must be one line of 1 to 64 characters, it has {len(line)}"
    if line and not (line[-1].isalnum() or line[-1] in ")]}"):
        yield f"{what} must not end with {line[-1]!r}"


def _backend_version(root: Path) -> str:
    source = (root / "backend" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if match is None:
        raise BuildError("backend/__init__.py states no __version__")
    return match[1]


if __name__ == "__main__":
    sys.exit(main())
