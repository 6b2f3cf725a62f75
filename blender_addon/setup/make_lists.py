#!/usr/bin/env python3
"""Makes the lists that "Set Up" installs from: every library with its version, SHA-256 and size.

``python -m blender_addon.setup.make_lists linux-x86_64-cp311-cpu`` downloads, through pip and wherever pip is told to
look, what ``pyproject.toml`` depends on, and writes ``blender_addon/setup/lists/<target>.txt``. A
target is ``<system>-<machine>-<python>-<torch>``; torch is ``cpu``, ``cuda`` or ``mps`` and only
names what the index gave: which build that is depends on where pip looks.

A target of another system than this one takes its versions from a list that is there already
(``--like``), because pip answers "which system is this?" for the computer that it runs on. Needs
the standard library, and a Python with pip for what it downloads.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTS = ROOT / "blender_addon" / "setup" / "lists"
TARGET = re.compile(r"(linux|windows|macos)-(x86_64|amd64|arm64|aarch64)-cp3(\d+)-(cpu|cuda|mps)")
PLATFORMS = {
    "windows-amd64": ["win_amd64"],
    "macos-arm64": [f"macosx_{n}_0_{kind}" for n in (14, 13, 12, 11) for kind in ("arm64", "universal2")],
    "linux-x86_64": [*(f"manylinux_2_{n}_x86_64" for n in (28, 27, 24, 17)), "manylinux2014_x86_64"],
}
ONLY_ON = {"windows": ["colorama"]}
"""What libraries of the list need on one system alone; pip cannot tell from another."""


def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 when every list was written."""
    parser = argparse.ArgumentParser(description='Makes the hash-locked lists that "Set Up" installs from.')
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="such as windows-amd64-cp311-cpu")
    parser.add_argument("--python", default=sys.executable, help="the Python whose pip downloads")
    parser.add_argument("--like", metavar="TARGET", help="take the versions of this list, for another system")
    parser.add_argument("--out", type=Path, default=LISTS, help="folder that receives the lists")
    options = parser.parse_args(arguments)
    for target in options.targets:
        try:
            path = make(target, options.out, options.python, options.like)
        except (ValueError, OSError, subprocess.CalledProcessError) as error:
            print(f"make_lists: {target}: {error}", file=sys.stderr)
            return 1
        print(path)
    return 0


def make(target: str, out: Path, python: str, like: str | None) -> Path:
    """Download what a target needs and write its list.

    Raises:
        ValueError: no such target.
        CalledProcessError: pip did not find something.
    """
    match = TARGET.fullmatch(target)
    if match is None:
        raise ValueError("not of the form system-machine-python-torch")
    wanted = _dependencies() if like is None else _pinned(out / f"{like}.txt", match[1])
    command = [python, "-m", "pip", "download", "--quiet", "--only-binary", ":all:"]
    if like is not None:
        command += ["--no-deps", "--implementation", "cp", "--python-version", f"3.{match[3]}"]
        for platform in PLATFORMS[f"{match[1]}-{match[2]}"]:
            command += ["--platform", platform]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "--dest", folder, *wanted], check=True)
        text = render(target, sorted(Path(folder).glob("*.whl"), key=lambda path: path.name.lower()))
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{target}.txt"
    path.write_text(text, encoding="utf-8")
    return path


def render(target: str, wheels: list[Path]) -> str:
    """The list as text: pip reads it, and so does the add-on (the sizes stand in comments)."""
    lines, packed, unpacked = [], 0, 0
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        size = wheel.stat().st_size
        with zipfile.ZipFile(wheel) as archive:
            inside = sum(info.file_size for info in archive.infolist())
        with wheel.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        packed, unpacked = packed + size, unpacked + inside
        lines.append(f"{name.replace('_', '-').lower()}=={version} --hash=sha256:{digest}  # {size} {inside}")
    head = [f"# {target}: made by make_lists.py. After each library: its bytes packed and unpacked.",
            f"# all: {packed} {unpacked}"]  # fmt: skip
    return "\n".join([*head, *lines, ""])


def _dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def _pinned(path: Path, system: str) -> list[str]:
    """``name==version`` of a list, without what marks one build (``+cpu``), and what only ``system`` needs."""
    found = re.findall(r"^([a-z0-9.-]+==[^\s+]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{path} holds no libraries")
    return [*found, *ONLY_ON.get(system, ())]


if __name__ == "__main__":
    sys.exit(main())
