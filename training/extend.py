"""``limber-train extend``: another system into a bundle that is there, measured, with its part of the card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend import weights
from backend.service import build
from backend.weights import Bundle

from . import evaluate
from .config import Config
from .export import about, system_of, words
from .prepare import cache as cache_file
from .prepare.sources import SOURCES
from .train import averaged

HEADING = "## Added to this bundle: "


def extend(
    bundle: Path,
    checkpoint: Path,
    data: Path,
    most: int = 200,
    tasks: Sequence[str] | None = None,
    notes: str = "",
) -> Bundle:
    """Add a system (or put it in the place of the one of its name), and measure what it does.

    What the bundle holds besides stays as it is, tensors and figures.

    Args:
        bundle: its folder, which is written anew.
        checkpoint: of the system.
        data: the prepared cache, for the held-out clips.
        most: windows a row of the table.
        tasks: what is measured; None: the system's tasks.
        notes: what was tried, for the card.

    Raises:
        ValueError: a checkpoint of another family, or trained on what an open bundle may not hold.
    """
    old = weights.load(bundle)
    config, network = averaged(checkpoint)
    if config.family != old.config["family"]:
        raise ValueError(
            f"{bundle.name} is of the family {old.config['family']!r}, this run is {config.family!r}"
        )
    if config.family == "open" and (bad := [s for s in config.sources if not SOURCES[s].commercial]):
        raise ValueError(f"an open bundle cannot be trained on {bad}")
    cache = cache_file.load(data)
    system = system_of(config, network, cache)
    # their order is the order of preference: one that is replaced keeps its place
    kept = {name: system if name == system.name else build(old, name) for name in old.systems}
    # what is measured is the system that the backend will load, float16 storage and all
    entries, states = {}, {}
    for name, each in {**kept, system.name: system}.items():
        entries[name], states[name] = each.to_bundle()  # type: ignore[attr-defined]
    known = {line.split(":")[0] for line in old.config["data"]}
    lines = [
        *old.config["data"],
        *(f"{s}: {SOURCES[s].licence}" for s in sorted(config.sources) if s not in known),
    ]
    put = lambda card, metrics: weights.save(  # noqa: E731
        bundle, states, entries, family=config.family, licence=old.config["licence"], data=lines, card=card,
        metrics=metrics, text_encoder=old.config["text_encoder"],
    )  # fmt: skip
    card = (old.path / weights.CARD).read_text(encoding="utf-8")
    made = put(card, old.metrics)
    table = evaluate.evaluate(cache, {system.name: build(made, system.name)}, most=most, tasks=tasks)
    return put(_card(card, config, system, table, notes), _merged(old.metrics, table))


MEASURED = "## Measured on held-out motion"
_NOT_CASES = {"windows"}


def record(bundle: Path, metrics: Path) -> Bundle:
    """Take tables that ``evaluate --report`` wrote into a bundle's metrics and card; its weights stay.

    Tables of systems that were added later stand in their own parts of the card and stay there.

    Raises:
        ValueError: a table of systems that the bundle does not have.
    """
    old = weights.load(bundle)
    table = json.loads(metrics.read_text(encoding="utf-8"))
    first = next(iter(old.systems))
    known = {*old.systems, "model", *evaluate.BASELINES, "truth", *_NOT_CASES}
    for row in table.get("text", {}).values():
        for cells in row.values():
            if others := sorted(cells.keys() - known):
                raise ValueError(f"{metrics}: {others[0]!r} is no system of {bundle.name}")
    merged = _merged(old.metrics, table)
    card = (old.path / weights.CARD).read_text(encoding="utf-8")
    added = {name for name in old.systems if HEADING + f"`{name}`" in card}
    own = {k: v for k, v in merged.items() if not (k == "follow" and added and first not in added)}
    before, heading, rest = card.partition(MEASURED)
    start, end = rest.index("**"), rest.find("\n## ")
    tail = rest[end:] if end >= 0 else "\n"
    text = before + heading + rest[:start] + evaluate.markdown(own) + tail
    states, entries = {}, {}
    for name in old.systems:
        states[name] = old.tensors(name)
        entries[name] = {k: v for k, v in old.systems[name].items() if k != weights.SHARES}
    return weights.save(
        bundle, states, entries, family=old.config["family"], licence=old.config["licence"], data=old.config["data"],
        card=text, metrics=merged, text_encoder=old.config["text_encoder"],
    )  # fmt: skip


def _card(card: str, config: Config, system: Any, table: dict[str, Any], notes: str) -> str:
    """The card with this system's part at its end, instead of an older one."""
    before, _, rest = card.partition(HEADING + f"`{system.name}`")
    after = rest[rest.index(HEADING) :] if HEADING in rest else ""
    part = [
        HEADING + f"`{system.name}`",
        "",
        about(system.name, system, config),
        *words(system.name, system, config),
    ]
    part += ["", evaluate.markdown(table, system.name)]
    if notes:
        part += ["", notes.strip()]
    return (
        f"{before.rstrip()}\n\n{(after.rstrip() + chr(10) * 2) if after else ''}"
        + "\n".join(part).strip()
        + "\n"
    )


def _merged(old: Any, new: Any) -> Any:
    """Nested tables; what is new wins, what is old and not measured again stays."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{k: _merged(old[k], v) if k in old else v for k, v in new.items()}}
