"""Bundles: a folder with the trained weights of one or more systems and all that is needed to use them.

::

    <bundle>/
      model.safetensors   every tensor, named "<system>.<parameter>", floats stored as float16
      config.json         CONFIG_KEYS, no more and no less
      card.md             data, licence, metrics, in prose
      metrics.json        the evaluation's table

A system whose parameters hold those of another one of the bundle (a branch beside a denoiser) says so:
``"shares": {"base": "mmdm"}`` in its entry means that its ``base.X`` is ``mmdm.X``, stored once.

``config.json`` holds the SHA-256 of ``model.safetensors``; a file that was damaged, cut short or
swapped is refused before any of it is used. The order of ``systems`` is the order of preference:
the first that does a task is what ``auto`` takes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from blender_addon.motion.errors import WeightsError
from blender_addon.motion.skeleton import JOINTS

FORMAT = 1
FAMILIES = ("open", "research")
CONFIG_KEYS = frozenset(
    {"format", "family", "licence", "data", "skeleton", "systems", "text_encoder", "sha256"}
)
SYSTEM_KEYS = frozenset({"architecture", "tasks"})
SHARES = "shares"
"""Optional key of a system's entry."""
MODEL, CONFIG, CARD, METRICS = "model.safetensors", "config.json", "card.md", "metrics.json"

State = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose ``config.json`` has been read and checked; tensors are read when asked for.

    Attributes:
        path: the folder; its name is the bundle's.
        config: the checked ``config.json``.
        metrics: ``metrics.json``.
    """

    path: Path
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def sha256(self) -> str:
        return self.config["sha256"]

    @property
    def systems(self) -> Mapping[str, Mapping[str, Any]]:
        return self.config["systems"]

    def tensors(self, system: str) -> dict[str, Tensor]:
        """The parameters of one system, the ``<system>.`` taken off, floats as float32.

        Raises:
            WeightsError: no such system, or the file is missing, damaged or of other content.
        """
        if system not in self.systems:
            raise WeightsError(f"bundle {self.name} has no system {system!r}, only {', '.join(self.systems)}")
        path = self.path / MODEL
        found = _sha256(path)
        if found != self.sha256:
            raise WeightsError(f"{path} is damaged: SHA-256 {found[:12]}..., expected {self.sha256[:12]}.... "
                               "Install Limber again.")  # fmt: skip
        prefixes = {f"{system}.": ""} | {
            f"{other}.": f"{part}." for part, other in self.systems[system].get(SHARES, {}).items()
        }
        state = {}
        try:
            with safe_open(path, framework="pt") as file:
                for prefix, own in prefixes.items():
                    names = [k for k in file.keys() if k.startswith(prefix)]  # noqa: SIM118 - no mapping
                    state |= {own + k.removeprefix(prefix): file.get_tensor(k) for k in names}
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} cannot be read: {error}") from error
        if not state:
            raise WeightsError(f"{path} has no tensor for system {system!r}, though {CONFIG} lists it")
        return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def load(path: str | os.PathLike[str]) -> Bundle:
    """Read and check a bundle's ``config.json`` and ``metrics.json``; tensors come later.

    Raises:
        WeightsError: a file is missing or not JSON, a key is missing or unknown, or the format,
            family or skeleton is not one that this version knows.
    """
    folder = Path(path)
    config = _read_json(folder / CONFIG)
    _check_config(config, folder / CONFIG)
    for name in (MODEL, CARD):
        if not (folder / name).is_file():
            raise WeightsError(f"{folder} has no {name}. Install Limber again.")
    return Bundle(folder, config, _read_json(folder / METRICS))


def save(
    path: str | os.PathLike[str],
    states: Mapping[str, State],
    systems: Mapping[str, Mapping[str, Any]],
    *,
    family: str,
    licence: str,
    data: Sequence[str],
    card: str,
    metrics: Mapping[str, Any],
    text_encoder: Mapping[str, Any] | None = None,
    half: bool = True,
) -> Bundle:
    """Write a bundle and read it back.

    Args:
        path: the folder, made if need be.
        states: system -> its ``state_dict()``.
        systems: system -> its entry of ``config.json``, with at least SYSTEM_KEYS.
        family, licence, data: of the whole bundle; ``data`` names every data set trained on.
        card: the text of ``card.md``.
        metrics: the content of ``metrics.json``.
        half: store floating point tensors as float16 (values beyond its range are an error).

    Raises:
        WeightsError: states and systems disagree, or a value is not finite as stored.
    """
    if states.keys() != systems.keys():
        raise WeightsError(f"states for {sorted(states)}, entries for {sorted(systems)}: they have to agree")
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    tensors, entries = {}, {}
    for system, state in states.items():
        shares = _shared(system, states)
        entries[system] = {**systems[system], **({SHARES: shares} if shares else {})}
        for key, value in state.items():
            if not key.startswith(tuple(f"{part}." for part in shares)):
                tensors[f"{system}.{key}"] = _stored(value, half, f"{system}.{key}")
    save_file(tensors, folder / MODEL)
    config = {
        "format": FORMAT, "family": family, "licence": licence, "data": list(data), "skeleton": list(JOINTS),
        "systems": entries, "text_encoder": text_encoder,
        "sha256": _sha256(folder / MODEL),
    }  # fmt: skip
    _check_config(config, folder / CONFIG)
    for name, value in ((CONFIG, config), (METRICS, metrics)):
        (folder / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
    return load(folder)


def discover(folders: Sequence[str | os.PathLike[str]]) -> dict[str, Path]:
    """Bundle name -> folder: every folder with a ``config.json`` below ``folders``, and themselves.

    Of two with one name the first counts, so that a folder given by hand can stand before the
    ones that came along.
    """
    found: dict[str, Path] = {}
    for folder in map(Path, folders):
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        for candidate in (folder, *inside):
            if (candidate / CONFIG).is_file():
                found.setdefault(candidate.name, candidate)
    return found


def _shared(system: str, states: Mapping[str, State]) -> dict[str, str]:
    """Parts of a system that are another system, parameter for parameter: part -> that system."""
    own, found = states[system], {}
    for part in dict.fromkeys(key.split(".")[0] for key in own):
        inside = {k.removeprefix(f"{part}."): v for k, v in own.items() if k.startswith(f"{part}.")}
        for other, state in states.items():
            if other == system or state.keys() != inside.keys():
                continue
            if all(torch.equal(v.cpu().half(), state[k].cpu().half()) for k, v in inside.items()):
                found[part] = other
    return found


def _stored(value: Tensor, half: bool, name: str) -> Tensor:
    value = value.detach().cpu()
    if value.is_floating_point():
        value = value.to(torch.float16 if half else torch.float32)
        if not bool(torch.isfinite(value).all()):
            raise WeightsError(f"{name} has values that are not finite{' as float16' if half else ''}")
    return value.clone().contiguous()  # a clone: safetensors refuses tensors that share memory


def _check_config(config: Any, path: Path) -> None:
    if not isinstance(config, dict):
        raise WeightsError(f"{path}: a table is expected, not {type(config).__name__}")
    if config.get("format") != FORMAT:
        raise WeightsError(f"{path}: format {config.get('format')!r}, this version of Limber reads {FORMAT}. "
                           "Update Limber or the bundle.")  # fmt: skip
    _check_keys(config.keys(), CONFIG_KEYS, CONFIG_KEYS, str(path))
    if config["family"] not in FAMILIES:
        raise WeightsError(f"{path}: family {config['family']!r} is none of {', '.join(FAMILIES)}")
    if tuple(config["skeleton"]) != JOINTS:
        raise WeightsError(f"{path}: made for another skeleton ({len(config['skeleton'])} joints)")
    if not isinstance(config["systems"], dict) or not config["systems"]:
        raise WeightsError(f"{path}: no systems")
    for name, entry in config["systems"].items():
        # What a system keeps besides is its own to check; it knows its own keys.
        _check_keys(entry.keys(), SYSTEM_KEYS, entry.keys(), f"{path}, system {name}")


def _check_keys(found: Any, needed: Any, known: Any, where: str) -> None:
    if missing := sorted(needed - set(found)):
        raise WeightsError(f"{where}: missing {', '.join(missing)}")
    if unknown := sorted(set(found) - set(known)):
        raise WeightsError(f"{where}: unknown {', '.join(unknown)}")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{path.parent} has no {path.name}. Install Limber again.") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
