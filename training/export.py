"""``limber-train export``: checkpoints -> a bundle that the backend loads, measured, with its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backend import weights
from backend.nn.denoiser import Denoiser
from backend.systems.base import Denoising
from backend.systems.mmdm import MMDM
from backend.systems.pose import Pose

from . import corruption, evaluate, masks
from .config import Config
from .objectives import denoise
from .prepare import cache as cache_file
from .prepare.sources import SOURCES
from .train import averaged

TASKS: Mapping[str, Mapping[str, Any]] = {
    "inbetween": masks.KEYED, "complete": masks.COMPLETION, "refine": corruption.CORRUPTIONS,
}  # fmt: skip
"""Task -> the policies that train it."""
DRAWS = 8
"""DDIM steps of a variation that is drawn; the first result of a request is one pass."""


def system_of(config: Config, network: Denoiser) -> Denoising:
    """``mmdm`` where the network has a joint stream, else ``pose``; it does what it was trained for."""
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
    named = {s.name: s for s in (system_of(c, n) for c, n in runs)}
    if len(named) < len(runs):
        raise ValueError(f"a bundle has each system once, these checkpoints are all {', '.join(named)}")
    table = evaluate.evaluate(cache_file.load(data), _columns(named), most=most)
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


def _columns(named: Mapping[str, Denoising]) -> dict[str, Denoising]:
    """The default is ``model`` in the table, the others go by their names."""
    first, *others = named.items()
    return {"model": first[1], **dict(others)}


def card(
    family: str,
    licence: str,
    used: Sequence[str],
    runs: Sequence[tuple[Config, Denoiser]],
    table: Mapping[str, Any],
    named: Mapping[str, Denoising],
    notes: str,
) -> str:
    """The text of ``card.md``; every figure comes from ``table`` or the networks."""
    default = next(iter(named))
    lines = [f"# Limber `{family}`", "", licence, "", "## Data", ""]
    lines += [f"- {s}: {SOURCES[s].licence}" for s in used]
    lines += ["", "## Systems", ""]
    for (name, system), (config, _) in zip(named.items(), runs, strict=True):
        millions = sum(p.numel() for p in system.network.parameters()) / 1e6
        a = config.architecture
        lines.append(
            f"- `{name}`: {millions:.2f} M parameters, {a.rounds} rounds, pose stream {a.pose_width}, joint "
            f"stream {a.joint_width}, {a.patch} frames a token; {config.steps} steps of {config.batch} windows."
        )
    lines += [
        "", "## Measured on held-out motion", "",
        f"`{default}` (what `auto` takes) beside plain interpolation; `limber-train evaluate` makes these tables. "
        "LAFAN1's protocol: 10 past frames and 1 future frame given; L2P in units of the source's own training "
        "deviation. Held-out takes are near copies of training takes; groups and subjects are the truer test.",
        "", evaluate.markdown(table),
    ]  # fmt: skip
    if len(named) > 1:
        lines += _others([n for n in named if n != default], table)
    if notes:
        lines += ["", "## What was tried", "", notes.strip()]
    return "\n".join(lines).strip() + "\n"


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
