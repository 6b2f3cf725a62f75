"""``limber-train export``: checkpoints -> a bundle that the backend loads, measured, with its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from backend import weights
from backend.nn.denoiser import Denoiser
from backend.nn.mogents import MoGenTS as MoGenTSNetworks
from backend.nn.ropar import RoPAR as RoPARNetworks
from backend.nn.steered import Steered
from backend.systems.base import Denoising
from backend.systems.dms import DMS
from backend.systems.mmdm import MMDM
from backend.systems.mogents import MoGenTS
from backend.systems.pose import Pose
from backend.systems.ropar import RoPAR

from . import corruption, evaluate, known, masks
from .config import Config
from .objectives import denoise
from .prepare import cache as cache_file
from .prepare.cache import Cache
from .prepare.sources import SOURCES
from .train import averaged

TASKS: Mapping[str, Mapping[str, Any]] = {
    "inbetween": masks.KEYED, "complete": masks.COMPLETION, "refine": corruption.CORRUPTIONS,
}  # fmt: skip
"""Task -> the policies that train it."""
TEXT_TASKS = frozenset({"text", "edit"})
"""What a system of text and codes is offered for."""
Trained = Denoising | MoGenTS | RoPAR | DMS
PART_TASKS = frozenset({"text", "complete", "refine"})
"""What a system of part tokens is offered for."""
DRAWS = 8
"""DDIM steps of a variation that is drawn; the first result of a request is one pass."""


def system_of(config: Config, network: nn.Module, data: Cache | None = None) -> Trained:
    """The system that a trained network becomes; it does what it was trained for.

    Args:
        data: what it was trained on, for the prompts that a system with text keeps; None: none are kept.

    Raises:
        ValueError: a first stage, which does nothing by itself.
    """
    if isinstance(network, MoGenTSNetworks):
        return MoGenTS(
            network, TEXT_TASKS, config.long_frames, prompts=data and known.prompts(data, config.sources)
        )
    if isinstance(network, RoPARNetworks):
        prompts = data and known.prompts(data, config.sources)
        return RoPAR(network, PART_TASKS, config.long_frames, config.tau, prompts=prompts)
    if isinstance(network, Steered):
        return DMS(network, frozenset(config.offered), config.long_frames, DRAWS)
    if not isinstance(network, Denoiser):
        raise ValueError(f"a run of {config.objective!r} does not become a system")
    kind = {"mmdm": MMDM, "pose": Pose}[denoise.system(config)]
    trained = frozenset(task for task, policies in TASKS.items() if policies.keys() & config.masks.keys())
    return kind(network, trained, config.frames, DRAWS)


def export(
    checkpoints: Sequence[Path], data: Path, out: Path, most: int = 200, notes: str = ""
) -> weights.Bundle:
    """Write and measure a bundle.

    Args:
        checkpoints: of different systems; the first is the default (``auto``).
        data: the prepared cache, for the held-out clips.
        out: the bundle's folder.
        most: windows a row of the table.
        notes: what was tried, for the card.
    """
    runs = [averaged(c) for c in checkpoints]
    families = {c.family for c, _ in runs}
    if len(families) != 1:
        raise ValueError(f"a bundle has one family, these checkpoints have {sorted(families)}")
    family = families.pop()
    used = sorted({s for c, _ in runs for s in c.sources})
    if family == "open" and not all(SOURCES[s].commercial for s in used):
        raise ValueError(
            f"an open bundle cannot be trained on {[s for s in used if not SOURCES[s].commercial]}"
        )
    cache = cache_file.load(data)
    named = {s.name: s for s in (system_of(c, n, cache) for c, n in runs)}
    if len(named) < len(runs):
        raise ValueError(f"a bundle has each system once, these checkpoints are all {', '.join(named)}")
    table = evaluate.evaluate(cache, _columns(named), most=most)
    entries, states = {}, {}
    for name, system in named.items():
        entries[name], states[name] = system.to_bundle()
    licence = ("Weights: usable commercially (trained only on motion that may be)." if family == "open" else
               "Weights: research and non-commercial use only (CC BY-NC 4.0), since also trained on "
               f"{', '.join(s for s in used if not SOURCES[s].commercial)}.")  # fmt: skip
    return weights.save(
        out, states, entries, family=family, licence=licence, data=[f"{s}: {SOURCES[s].licence}" for s in used],
        card=card(family, licence, used, runs, table, named, notes), metrics=table,
    )  # fmt: skip


def _columns(named: Mapping[str, Trained]) -> dict[str, Trained]:
    """The default is ``model`` in the table, the others go by their names."""
    first, *others = named.items()
    return {"model": first[1], **dict(others)}


def card(
    family: str,
    licence: str,
    used: Sequence[str],
    runs: Sequence[tuple[Config, nn.Module]],
    table: Mapping[str, Any],
    named: Mapping[str, Trained],
    notes: str,
) -> str:
    """The text of ``card.md``; every figure comes from ``table`` or the networks."""
    default = next(iter(named))
    lines = [f"# Limber `{family}`", "", licence, "", "## Data", ""]
    lines += [f"- {s}: {SOURCES[s].licence}" for s in used]
    lines += ["", "## Systems", ""]
    lines += [
        about(name, system, config) for (name, system), (config, _) in zip(named.items(), runs, strict=True)
    ]
    for (name, system), (config, _) in zip(named.items(), runs, strict=True):
        lines += words(name, system, config)
    lines += [
        "", "## Measured on held-out motion", "",
        f"`{default}` (what `auto` takes) beside plain interpolation; `limber-train evaluate` makes these tables. "
        "LAFAN1's protocol: 10 past frames and 1 future frame given; L2P in units of the source's own training "
        "deviation. Held-out takes are near copies of training takes; groups and subjects are the truer test.",
        "", evaluate.markdown(table),
    ]  # fmt: skip
    others = [n for n, system in named.items() if n != default and "inbetween" in system.tasks]
    if others and "inbetween" in table:
        lines += _others(others, table)
    if notes:
        lines += ["", "## What was tried", "", notes.strip()]
    return "\n".join(lines).strip() + "\n"


def words(name: str, system: Trained, config: Config) -> list[str]:
    """Lines of the card: the actions, styles and modifiers that a system with text knows."""
    if not isinstance(system, MoGenTS | RoPAR) or system.prompts is None:
        return []
    return ["", f"## What `{name}` knows of words", "", *known.listed(system.prompts, config.sources)]


def about(name: str, system: Trained, config: Config) -> str:
    """A line of the card: how large a system is, and how it was trained."""
    millions = sum(p.numel() for p in system.network.parameters()) / 1e6
    trained = f"{config.steps} steps of {config.batch} windows"
    if isinstance(system, MoGenTS):
        assert config.quantiser is not None
        assert config.masked is not None
        a, q = config.masked, config.quantiser
        what = (f"codes of 4 frames of a joint, {q.levels} levels of {q.codes}; {a.rounds} rounds and "
                f"{a.residual_rounds} residual ones, frames {a.pose_width} wide, joints {a.width}")  # fmt: skip
    elif isinstance(system, RoPAR):
        assert config.vae is not None
        assert config.transformer is not None
        t = config.transformer
        what = (f"tokens of 4 frames of a body part, {config.vae.latent} channels; {t.rounds} rounds {t.width} wide, "
                f"diffusion head of {t.head_depth} layers")  # fmt: skip
    elif isinstance(system, DMS):
        assert config.steered is not None
        what = f"a branch {config.steered.width} wide beside the frozen `mmdm`; signals drawn by {config.strategy!r}"
    else:
        b = config.architecture
        what = (f"{b.rounds} rounds, pose stream {b.pose_width}, joint stream {b.joint_width}, "
                f"{b.patch} frames a token")  # fmt: skip
    return f"- `{name}`: {millions:.2f} M parameters, {what}; {trained}."


def _others(others: Sequence[str], table: Mapping[str, Any]) -> list[str]:
    """The joint errors of the systems beside the default, as lines."""
    who = ["model", *others, "interpolation"]
    lines = ["", "## The same table for the other systems (joint error, cm)", "",
             "| data | missing frames | " + " | ".join(who) + " |", "|" + " --- |" * (2 + len(who))]  # fmt: skip
    for row, gaps in table["inbetween"].items():
        for gap, cells in gaps.items():
            lines.append(
                f"| {row} | {gap} | " + " | ".join(f"{cells[n]['error_cm']:.2f}" for n in who) + " |"
            )
    for row, cells in table["inbetween partial"].items():
        values = " | ".join(f"{cells['mixed'][n]['error_cm']:.2f}" for n in who)
        lines.append(f"| {row} | partial poses | {values} |")
    return lines


def remeasure(bundle: Path, data: Path, most: int) -> dict[str, Any]:
    """Evaluate an exported bundle as it is loaded by the backend (float16 storage and all)."""
    return evaluate.evaluate(cache_file.load(data), evaluate.columns(bundle), most=most)
