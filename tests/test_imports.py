"""The arrows of the house, read from the imports: nothing points the wrong way, not even inside a function."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STANDARD = frozenset(sys.stdlib_module_names)
OURS = ("blender_addon", "backend", "training")

BLENDER = {"bpy", "bpy_extras", "mathutils", "addon_utils", "gpu", "gpu_extras", "rna_keymap_ui", "blf", "idprop"}
BACKEND = {"numpy", "torch", "safetensors", "fastapi", "starlette", "uvicorn", "transformers"}
TRAINING = BACKEND | {"scipy", "lightning", "tensorboard", "smplx", "matplotlib"}
ALLOWED = {
    "blender_addon.motion": ({"numpy"}, ("blender_addon.motion",)),
    "blender_addon.demo_picture": (
        {"numpy", "PIL"},
        ("blender_addon",),
    ),  # the picture of `make demo`, no more
    "blender_addon": ({"numpy"} | BLENDER, ("blender_addon",)),
    "backend": (BACKEND, ("backend", "blender_addon.motion")),
    "training": (TRAINING, ("training", "backend", "blender_addon.motion")),
    "build_addon": (set(), ()),
}
"""Part -> the libraries and the parts of ours that it may import (the standard library always)."""


def files() -> list[Path]:
    found = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]
    return [*found, ROOT / "build_addon.py"]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """(module, line) of every import of a file, relative ones made absolute."""
    here = module_name(path).split(".")
    package = here if path.name == "__init__.py" else here[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            # `from a import b` may name a module: the longer name is what decides.
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            base = [*base, *(node.module.split(".") if node.module else [])]
            yield from ((".".join([*base, alias.name]), node.lineno) for alias in node.names)


def part_of(module: str) -> str:
    """The most special part of ALLOWED that a module belongs to."""
    return max((p for p in ALLOWED if module == p or module.startswith(f"{p}.")), key=len)


def inside(module: str, parts: tuple[str, ...]) -> bool:
    return any(module == p or module.startswith(f"{p}.") for p in parts)


@pytest.mark.parametrize("path", files(), ids=module_name)
def test_imports_follow_the_arrows(path: Path) -> None:
    libraries, ours = ALLOWED[part_of(module_name(path))]
    for module, line in imported(path):
        top = module.split(".")[0]
        if top in STANDARD or top == "__future__":
            continue
        allowed = inside(module, ours) if top in OURS else top in libraries
        assert allowed, f"{path.relative_to(ROOT)}:{line} imports {module}"


@pytest.mark.parametrize("path", [p for p in files() if "blender_addon" in p.parts], ids=module_name)
def test_the_addon_imports_itself_relatively(path: Path) -> None:
    # Installed, the package is called bl_ext.<repository>.limber.
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        assert not any(name.split(".")[0] == "blender_addon" for name in names), f"line {node.lineno}"


def test_systems_do_not_know_each_other() -> None:
    systems = {
        p.stem: p for p in (ROOT / "backend" / "systems").glob("*.py") if p.stem not in ("__init__", "base")
    }
    for name, path in systems.items():
        others = {f"backend.systems.{other}" for other in systems if other != name}
        for module, line in imported(path):
            assert not inside(module, tuple(others)), f"{name}:{line} imports {module}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("blender_addon.motion", ("bpy", "torch", "backend", "training")),
        ("blender_addon", ("bpy", "torch", "numpy")),
        ("backend", ("bpy", "torch", "fastapi")),
        ("backend.__main__", ("bpy", "torch", "fastapi")),
        ("backend.server", ("bpy", "torch")),
        ("backend.service", ("bpy", "fastapi", "lightning", "scipy", "matplotlib")),
    ],
)
def test_import_in_a_fresh_interpreter(module: str, absent: tuple[str, ...]) -> None:
    if module.startswith("backend.s"):
        pytest.importorskip("torch", reason="the backend's libraries are not in this environment")
    code = f"import sys, {module}; print(sorted(set(sys.modules) & set({absent!r})))"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]", f"import {module} also imported {ran.stdout.strip()}"


def test_every_module_of_the_motion_core_imports_without_bpy_and_torch() -> None:
    modules = [module_name(p) for p in files() if inside(module_name(p), ("blender_addon.motion",))]
    code = f"import sys, {', '.join(modules)}; print(sorted(set(sys.modules) & {{'bpy', 'torch', 'scipy'}}))"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"
