"""``limber-train prepare``: collections of motion -> one cache, its splits, and a report of every take."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import LimberError

from . import cache, checks, readers, sides, splits, text
from .checks import Finding, Piece
from .take import Options, Sentence, Take


@dataclass
class _Gathered:
    clips: list[Clip] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    texts: dict[str, int] = field(default_factory=dict)
    licences: dict[str, dict[str, object]] = field(default_factory=dict)

    def number(self, sentence: str) -> int:
        return self.texts.setdefault(sentence, len(self.texts))


def prepare(
    folders: Sequence[Path | str], out: Path, splits_file: Path, seed: int = 0, options: Options | None = None,
    encoder: text.Encoder | None = None,
) -> dict[str, object]:  # fmt: skip
    """Read every take below the folders, check, repair, split, embed, write.

    Args:
        folders: collections; a folder's name names its source, or ``NAME=FOLDER`` does.
        out: the cache file.
        splits_file: kept splits; only added to.
        seed: for collections that are not yet in the kept splits.
        options: what some readers need.
        encoder: for the sentences' embeddings; None: they are stored without.

    Returns:
        The report, also written beside the cache as JSON: every take that was repaired or left
        out with its reason, and counts by source and split.
    """
    gathered = _Gathered()
    for folder in folders:
        began = time.perf_counter()
        takes = readers.takes(folder, options or Options())
        count = _gather(takes, splits_file, seed, gathered)
        print(f"{folder}: {count} takes in {time.perf_counter() - began:.0f} s", flush=True)
    if not gathered.clips:
        reasons = sorted({f.left_out for f in gathered.findings})
        raise ValueError(
            f"no usable clip in {', '.join(map(str, folders))}" + "".join(f"; {r}" for r in reasons[:3])
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    cache.save(out, gathered.clips, gathered.rows, _embed(gathered, encoder))
    report = _report(gathered, out, encoder)
    out.with_suffix(".report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
    return report


def _gather(takes: Iterable[Take], splits_file: Path, seed: int, gathered: _Gathered) -> int:
    """Read the takes of one folder, each source with its own split; how many there were."""
    by_source: dict[str, list[Take]] = defaultdict(list)
    for take in takes:
        by_source[take.source.name].append(take)
    for group in by_source.values():
        source = group[0].source
        gathered.licences[source.name] = {
            "licence": source.licence, "commercial": source.commercial, "note": source.note,
        }  # fmt: skip
        usable = [t for t in group if not t.problem]
        given = {t.name: t.split for t in usable if t.split}
        split = splits.keep(splits_file, source, [t.name for t in usable], seed, given)
        for take in group:
            finding = Finding(take.name, source.name, left_out=take.problem, notes=list(take.notes))
            gathered.findings.append(finding)
            for k, piece in enumerate(() if take.problem else _read(take, finding)):
                finding.frames += len(piece.clip)
                gathered.clips.append(piece.clip)
                gathered.rows.append({
                    "name": take.name if k == 0 else f"{take.name}.{k + 1}", "source": source.name,
                    "group": source.group(take.name), "split": split[take.name],
                    "captions": _captions(take.said, piece, gathered),
                })  # fmt: skip
    return sum(map(len, by_source.values()))


def _read(take: Take, finding: Finding) -> list[Piece]:
    try:
        return checks.check(take.read(), finding, take.drawn)
    except (LimberError, OSError) as e:
        finding.left_out = str(e)
        return []


def _captions(said: Sequence[Sentence], piece: Piece, gathered: _Gathered) -> list[tuple[int, int, int]]:
    """Sentences about this piece, as ``(text, start, stop)`` frames of it."""
    found = []
    for sentence in said:
        start = max(0, round((sentence.start - piece.start) * cache.FPS))
        end = len(piece.clip) if sentence.end is None else round((sentence.end - piece.start) * cache.FPS) + 1
        stop = min(len(piece.clip), end)
        if stop - start >= min(checks.MIN_FRAMES, len(piece.clip)):
            found.append((gathered.number(sentence.text), start, stop))
    return found


def _embed(gathered: _Gathered, encoder: text.Encoder | None) -> cache.Texts:
    """All sentences and their mirrored selves, numbered, and embedded once each."""
    mirrored: list[int] = []
    for sentence in list(gathered.texts):
        gathered.number(sides.swap(sentence))
    for sentence in list(gathered.texts):
        mirrored.append(gathered.number(sides.swap(sentence)))
    texts = list(gathered.texts)
    assert len(mirrored) == len(texts), "swapping twice gives the sentence back"
    embeddings = encoder.embed(texts) if encoder and texts else text.none(0)
    return cache.Texts(texts, embeddings, mirrored)  # type: ignore[arg-type]


def _report(gathered: _Gathered, out: Path, encoder: text.Encoder | None) -> dict[str, object]:
    counts = Counter((str(r["source"]), str(r["split"])) for r in gathered.rows)
    frames: Counter[tuple[str, str]] = Counter()
    for row, clip in zip(gathered.rows, gathered.clips, strict=True):
        frames[str(row["source"]), str(row["split"])] += len(clip)
    said = Counter(str(r["source"]) for r in gathered.rows if r["captions"])
    findings = gathered.findings
    return {
        "clips": len(gathered.clips),
        "minutes": round(sum(len(c) for c in gathered.clips) / cache.FPS / 60, 1),
        "megabytes": round(out.stat().st_size / 1e6, 2),
        "sources": gathered.licences,
        "counts": {f"{a}/{b}": n for (a, b), n in sorted(counts.items())},
        "frames": {f"{a}/{b}": n for (a, b), n in sorted(frames.items())},
        "sentences": {"different": len(gathered.texts), "clips with some": dict(sorted(said.items())),
                      "encoder": encoder.name if encoder else None},
        "takes": len(findings),
        "left out": sum(bool(f.left_out) for f in findings),
        "repaired": sum(bool(f.repaired) for f in findings if not f.left_out),
        "findings": [asdict(f) for f in findings if f.left_out or f.repaired or f.notes],
    }  # fmt: skip
