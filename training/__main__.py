"""``limber-train prepare | train | evaluate | ablate | summary | export | extend | record``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from blender_addon.motion.errors import LimberError

SPLITS = Path(__file__).resolve().parent / "splits.json"


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="limber-train", description="Train Limber's motion models.")
    sub = p.add_subparsers(dest="command", required=True)
    c = sub.add_parser("prepare", help="collections of motion -> one cache, splits and a report")
    c.add_argument(
        "folders", nargs="+", metavar="[NAME=]FOLDER",
        help="BVH (LAFAN1's and 100STYLE's layouts too), AMASS .npz, HumanML3D, or .glb, .fbx and .blend "
        "characters with clips; the folder's name, or NAME, says which source it is",
    )  # fmt: skip
    c.add_argument("-o", "--out", type=Path, required=True, help="cache file, .npz")
    c.add_argument("--splits", type=Path, default=SPLITS, help="kept splits (default: %(default)s)")
    c.add_argument("--seed", type=int, default=0, help="of collections that have no kept split yet")
    c.add_argument("--captions", type=Path, help="table: dataset, clip, start_s, end_s, text, source")
    c.add_argument("--body-models", type=Path, help="folder of SMPL-H and SMPL-X .npz models, for AMASS")
    c.add_argument("--no-embeddings", action="store_true", help="store sentences without their embeddings")
    c.add_argument("--corrupt", action="store_true",
                   help="spoil the training clips part by part as video capture does, with matching confidence; "
                   "one cache file may be given in place of folders")  # fmt: skip
    c.add_argument("--credible", type=int, default=60, metavar="PERCENT",
                   help="with --corrupt: how much stays true, 30 to 100 (default: %(default)s)")  # fmt: skip
    c = sub.add_parser("train", help="train a preset, or go on where the folder's run stopped")
    c.add_argument("preset")
    c.add_argument("--data", type=Path, required=True, help="cache file of prepare")
    c.add_argument("-o", "--out", type=Path, required=True, help="run folder")
    c.add_argument("--steps", type=int, help="optimiser steps in all (default: the preset's)")
    c.add_argument("--from", dest="start", type=Path, help="start from another run's checkpoint")
    c.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    c.add_argument("--precision", choices=("auto", "32", "bf16"), default="auto",
                   help="bf16: matrix products in bfloat16 (default on a GPU; for CPUs that have it)")  # fmt: skip
    c.add_argument("--threads", type=int, default=0)
    c.add_argument("--workers", type=int, default=0, help="processes that draw batches ahead, for a fast GPU")
    c = sub.add_parser("evaluate", help="measure a bundle on held-out motion, beside what it has to beat")
    c.add_argument("bundle", type=Path)
    c.add_argument(
        "--data", type=Path, required=True, help="cache of prepare, or any folder of .bvh and .npz"
    )
    c.add_argument("--task", choices=("inbetween", "complete", "refine", "text", "follow", "all"), default="all",
                   help="what to measure (default: all that the bundle can do)")  # fmt: skip
    c.add_argument("--beside", type=Path, action="append", default=[], metavar="BUNDLE",
                   help="another bundle whose systems become columns; repeatable")  # fmt: skip
    c.add_argument("--system", help="measure this system of the bundle alone, by its name")
    c.add_argument(
        "--report", type=Path, help="folder for metrics.json, tables.md and the page to look at, index.html"
    )
    c.add_argument("--most", type=int, default=200, help="windows a row (default: %(default)s)")
    c.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    c = sub.add_parser("sampling", help="ways of drawing from a text system, beside each other, to choose one")
    c.add_argument("model", type=Path, help="a bundle, or a run's checkpoint")
    c.add_argument("--data", type=Path, required=True, help="cache of prepare")
    c.add_argument("--system", default="mogents", help="of the bundle (default: %(default)s)")
    c.add_argument("--try", dest="tries", action="append", default=[], metavar="NAME=VALUE,...",
                   help="what to change; may be repeated")  # fmt: skip
    c.add_argument("--most", type=int, default=60, help="captions (default: %(default)s)")
    c.add_argument("--set", dest="chosen", metavar="NAME=VALUE,...",
                   help="measure nothing: write these into the bundle")  # fmt: skip
    c = sub.add_parser("evaluator", help="train a motion-text evaluator, which text-to-motion is measured by")
    c.add_argument(
        "name", choices=("choose", "report"), help="the one to choose models by, or the one to report"
    )
    c.add_argument("--data", type=Path, required=True, help="a cache with captions")
    c.add_argument("-o", "--out", type=Path, required=True, help="folder for NAME.safetensors")
    c.add_argument("--steps", type=int, help="optimiser steps (default: those of the one that comes along)")
    c.add_argument("--threads", type=int, default=0)
    c = sub.add_parser("ablate", help="the papers' comparisons on our data, a table in one run")
    c.add_argument(
        "table",
        choices=(
            "attention",
            "masks",
            "training-ratios",
            "baselines",
            "sharing",
            "ratios",
            "strides",
            "ropar-vae",
            "ropar-generation",
            "ropar-credible",
            "quantiser",
            "dms",
            "dms-uniform",
        ),
    )
    c.add_argument("--data", type=Path, required=True)
    c.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        help="folder for TABLE.json, TABLE.md and the page of all its tables, index.html",
    )
    c.add_argument(
        "--steps", type=int, default=1000, help="optimiser steps of each row (default: %(default)s)"
    )
    c.add_argument("--seconds", type=float, default=300,
                   help="for baselines and sharing: processor time of each row (default: %(default)s)")  # fmt: skip
    c.add_argument("--precision", choices=("auto", "32", "bf16"), default="auto", help="of the training")
    c.add_argument(
        "--checkpoint", type=Path, help="for ratios, strides and dms: a run's last.pt, or a bundle"
    )
    c.add_argument("--system", help="of the bundle (default: its first)")
    c.add_argument("--seeds", type=int, default=2, help="for dms: runs of each row (default: %(default)s)")
    c.add_argument("--threads", type=int, default=0)
    c.add_argument("--workers", type=int, default=0, help="for ropar-generation and ropar-credible: as for train")
    c.add_argument("--keep", type=Path,
                   help="for the same two: folder of trained rows; what is there is not trained again")  # fmt: skip
    c.add_argument("--row", action="append", metavar="NAME",
                   help="with --keep: train only this row ('60 MoGenTS'), measure nothing; repeatable")  # fmt: skip
    c = sub.add_parser("summary", help="the table of the README, from the metrics that bundles carry")
    c.add_argument("bundles", nargs="+", type=Path)
    c = sub.add_parser("export", help="checkpoints -> a measured bundle; the first is what auto takes")
    c.add_argument("checkpoints", nargs="+", type=Path)
    c.add_argument("--data", type=Path, required=True)
    c.add_argument("-o", "--out", type=Path, required=True)
    c.add_argument("--most", type=int, default=200)
    c.add_argument("--notes", type=Path, help="text for the card: what was tried")
    c = sub.add_parser("extend", help="another system into a bundle that is there, measured")
    c.add_argument("checkpoint", type=Path)
    c.add_argument("--bundle", type=Path, required=True, help="the folder, which is written anew")
    c.add_argument("--data", type=Path, required=True)
    c.add_argument("--most", type=int, default=200)
    c.add_argument("--task", action="append", help="measure this task of the system's alone; may be repeated")
    c.add_argument("--notes", type=Path, help="text for the card: what was tried")
    c = sub.add_parser("record", help="tables of evaluate --report into a bundle's metrics and card")
    c.add_argument("bundle", type=Path)
    c.add_argument("--metrics", type=Path, required=True, help="the report's metrics.json")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 done, 1 failed with a reason, 2 wrong call."""
    a = _parser().parse_args(arguments)
    try:
        commands = {"prepare": _prepare, "train": _train, "evaluate": _evaluate, "evaluator": _evaluator,
                    "sampling": _sampling, "ablate": _ablate, "summary": _summary, "export": _export,
                    "extend": _extend, "record": _record}  # fmt: skip
        return commands[a.command](a)
    except (LimberError, FloatingPointError, FileNotFoundError, ValueError) as e:
        print(f"limber-train: {e}", file=sys.stderr)
        return 1


def _prepare(a: argparse.Namespace) -> int:
    from .prepare import build, cache, corrupt, summary, text
    from .prepare.take import Options

    if a.corrupt and len(a.folders) == 1 and Path(a.folders[0]).suffix == ".npz":
        report = corrupt.corrupt(cache.load(Path(a.folders[0])), a.out, a.credible / 100, a.seed)
        print(summary.corrupted(report, a.out))
        return 0
    options = Options(a.body_models, a.captions)
    encoder = None if a.no_embeddings else text.Encoder()
    report = build.prepare(a.folders, a.out, a.splits, a.seed, options, encoder)
    print(summary.lines(report, a.out))
    if a.corrupt:
        spoiled = corrupt.corrupt(cache.load(a.out), a.out, a.credible / 100, a.seed)
        print(summary.corrupted(spoiled, a.out))
    return 0


def _train(a: argparse.Namespace) -> int:
    from .config import PRESETS
    from .train import train

    if a.preset not in PRESETS:
        raise ValueError(f"no preset {a.preset!r}; there are {', '.join(PRESETS)}")
    config = PRESETS[a.preset] if a.steps is None else replace(PRESETS[a.preset], steps=a.steps)
    train(config, a.out, a.data, start=a.start, device=a.device, threads=a.threads,
          precision=a.precision, workers=a.workers)  # fmt: skip
    return 0


def _evaluate(a: argparse.Namespace) -> int:
    from . import evaluate, report

    systems, cache = evaluate.columns(a.bundle, a.beside), evaluate.load(a.data)
    if a.system:
        systems = {a.system: evaluate.system(a.bundle, a.system)}
    tasks = None if a.task == "all" else [a.task]
    table = evaluate.evaluate(cache, systems, most=a.most, tasks=tasks, workers=a.workers)
    text = evaluate.markdown(table)
    print(text)
    if a.report:
        a.report.mkdir(parents=True, exist_ok=True)
        evaluate.write(table, a.report / "metrics.json")
        (a.report / "tables.md").write_text(text)
        about = (f"What a motion tool delivers with this bundle on {a.data.name}, up to {a.most} windows a row; "
                 f"'model' is its {evaluate.default_system(a.bundle)}.")  # fmt: skip
        page = a.report / "index.html"
        report.write(
            page, f"Limber: {a.bundle.resolve().name}", about, table, evaluate.samples(cache, systems, tasks)
        )
        print(f"{page}: open it in a browser")
    return 0


def _sampling(a: argparse.Namespace) -> int:
    from . import sampling

    if a.chosen:
        bundle = sampling.choose(a.model, a.system, sampling.changes(a.chosen))
        print(f"{bundle.path}: {bundle.systems[a.system]['sampling']}")
        return 0
    rows = sampling.compare(a.model, a.data, a.system, [sampling.changes(t) for t in ["", *a.tries]], a.most)
    print(sampling.markdown(rows), end="")
    return 0


def _evaluator(a: argparse.Namespace) -> int:
    from . import train_evaluator

    path = train_evaluator.command(a.data, a.out, a.name, a.steps, a.threads)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _ablate(a: argparse.Namespace) -> int:
    from . import ablate, ablate_dms, ablate_mogents, ablate_ropar, ablation_page, comparisons
    from .kept import Kept

    if a.table in comparisons.TABLES:
        rows = comparisons.TABLES[a.table](a.data, a.seconds, a.threads, a.precision)
    elif a.table in ablate_ropar.ROWS:
        kept = Kept(a.keep, a.row)
        rows = ablate_ropar.ROWS[a.table](
            a.data, a.steps, a.threads, a.precision, kept=kept, workers=a.workers
        )
        if a.row is not None:
            return 0  # trained; measured with the others
    elif a.table in ablate_ropar.TABLES:
        rows = ablate_ropar.TABLES[a.table](a.data, a.steps, a.threads, a.precision)
    elif a.table in ablate_mogents.TABLES:
        rows = ablate_mogents.TABLES[a.table](a.data, a.steps, a.threads, a.precision)
    elif a.table in ablate_dms.TABLES:
        if a.checkpoint is None:
            raise ValueError(
                f"{a.table}: say which denoiser is steered with --checkpoint RUN/last.pt or BUNDLE"
            )
        rows = ablate_dms.TABLES[a.table](
            a.data, a.checkpoint, a.steps, a.threads, a.precision, seeds=range(a.seeds)
        )
    elif a.table in ablate.OF_ONE:
        if a.checkpoint is None:
            raise ValueError(f"{a.table}: say which trained network with --checkpoint RUN/last.pt or BUNDLE")
        rows = ablate.OF_ONE[a.table](ablate.subject(a.checkpoint, a.data, a.system))
    else:
        rows = ablate.TABLES[a.table](a.data, a.steps, a.threads, a.precision)
    print(ablate.write(rows, a.table, a.out), end="")
    print(f"{ablation_page.write(a.out)}: open it in a browser")
    return 0


def _summary(a: argparse.Namespace) -> int:
    from backend import weights

    from .evaluate import summary

    bundles = [weights.load(path) for path in a.bundles]
    print(summary({b.name: b.metrics for b in bundles}), end="")
    return 0


def _export(a: argparse.Namespace) -> int:
    from .export import export

    notes = a.notes.read_text() if a.notes else ""
    bundle = export(a.checkpoints, a.data, a.out, a.most, notes)
    size = sum(f.stat().st_size for f in bundle.path.iterdir()) / 1e6
    print(f"{bundle.path}: {size:.1f} MB")
    return 0


def _extend(a: argparse.Namespace) -> int:
    from .extend import extend

    notes = a.notes.read_text() if a.notes else ""
    bundle = extend(a.bundle, a.checkpoint, a.data, a.most, a.task, notes)
    size = sum(f.stat().st_size for f in bundle.path.iterdir()) / 1e6
    print(f"{bundle.path}: {size:.1f} MB, {', '.join(bundle.systems)}")
    return 0


def _record(a: argparse.Namespace) -> int:
    from .extend import record

    bundle = record(a.bundle, a.metrics)
    print(f"{bundle.path}: {', '.join(bundle.metrics)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
