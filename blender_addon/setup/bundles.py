"""Bundles that the user added: copied into Limber's own folder, checked first, removed again. No bpy.

The checks are those that need no torch: names, sizes, hash, keys, skeleton, and that the weights are
a safetensors file. Whether the tensors fit a system is told by the backend, which shows it beside the
bundle's name.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from ..motion.errors import WeightsError
from ..motion.skeleton import JOINTS
from ..process import bundles_folder

FILES = ("model.safetensors", "config.json", "card.md", "metrics.json")
KEYS = {"format", "family", "licence", "data", "skeleton", "systems", "text_encoder", "sha256"}
FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def examine(folder: Path) -> dict[str, Any]:
    """The ``config.json`` of a bundle that may be added.

    Raises:
        WeightsError: what does not fit, and why.
    """
    if not _NAME.fullmatch(folder.name):
        raise WeightsError(f"{folder.name!r} is no name for a bundle: use letters, digits, '-', '_' and '.'.")
    for name in FILES:
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{folder} is no bundle: it has no {name}.")
        if path.is_symlink():
            raise WeightsError(f"{path} is a link to elsewhere; a bundle holds its own files.")
    config, _ = _json(folder / "config.json"), _json(folder / "metrics.json")
    if config.get("format") != FORMAT:
        raise WeightsError(
            f"{folder.name} is of format {config.get('format')!r}, this Limber reads {FORMAT}."
        )
    if wrong := sorted(config.keys() ^ KEYS):
        raise WeightsError(f"{folder.name}: missing or unknown in config.json: {', '.join(wrong)}.")
    if config["skeleton"] != list(JOINTS):
        raise WeightsError(f"{folder.name} was made for another skeleton.")
    if not isinstance(config["systems"], dict) or not config["systems"]:
        raise WeightsError(f"{folder.name} holds no system.")
    weights = folder / "model.safetensors"
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(100_000_000, weights.stat().st_size - 8) or file.read(1) != b"{":
            raise WeightsError(f"{weights} is no safetensors file.")
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != config["sha256"]:
        raise WeightsError(f"{weights} is damaged: its SHA-256 is not the one in config.json. Copy it again.")
    return config


def add(folder: Path, into: Path | None = None) -> str:
    """Copy a bundle to where the backend looks; its name.

    Raises:
        WeightsError: it does not fit, or one of that name is there.
        OSError: it cannot be copied.
    """
    into = into or bundles_folder()
    examine(folder)
    target = into / folder.name
    if target.exists():
        raise WeightsError(
            f"A bundle {folder.name!r} was added already. Remove it first, or rename the folder."
        )
    half = into / f".{folder.name}.part"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    try:
        for name in FILES:
            shutil.copyfile(folder / name, half / name)
        half.rename(target)  # at once, so that a copy that broke off is never taken for a bundle
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return folder.name


def remove(name: str, into: Path | None = None) -> None:
    """Delete a bundle that was added.

    Raises:
        WeightsError: there is none of that name among the added ones.
    """
    target = (into or bundles_folder()) / name
    if not _NAME.fullmatch(name) or not (target / "config.json").is_file():
        raise WeightsError(
            f"{name!r} was not added here, so it is not removed. What came with Limber stays with it."
        )
    shutil.rmtree(target)


def added(into: Path | None = None) -> list[str]:
    """Names of the added bundles."""
    folder = into or bundles_folder()
    if not folder.is_dir():
        return []
    return sorted(
        p.name for p in folder.iterdir() if _NAME.fullmatch(p.name) and (p / "config.json").is_file()
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not JSON ({error}).") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: a table is expected.")
    return value
