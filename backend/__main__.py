"""``limber``: the backend's command line. Exit codes: 0 done, 1 failed (it says why), 2 wrong usage."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import __version__, doctor

try:
    from blender_addon.motion.arguments import confidence
    from blender_addon.motion.constraints import MAX_VARIATIONS
    from blender_addon.motion.errors import LimberError
    from blender_addon.motion.parts import PARTS
    from blender_addon.motion.skeleton import JOINTS
except ImportError as error:  # a Python without numpy: most often, one that belongs to another program
    sys.exit(doctor.without_libraries(sys.argv[1:], error))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None: the process's own.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except LimberError as error:
        print(f"limber: {error}", file=sys.stderr)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"limber: {name}{error.strerror or error}", file=sys.stderr)
    except ImportError as error:
        print(f"limber: {doctor.unloadable(error)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("limber: cancelled", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="limber", description="Motion between keys; needs no Blender.")
    parser.add_argument("--version", action="version", version=f"limber {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--weights", type=Path, action="append", default=[], metavar="DIR",
                         help="a bundle, or a folder of bundles, to look in first")  # fmt: skip
        sub.set_defaults(command=run)
        return sub

    serve = command("serve", _serve, "Serve the add-on on 127.0.0.1 until standard input closes.")
    serve.add_argument("--port", type=_integer(0, 65535), default=0, help="default 0: the system picks one")
    serve.add_argument("--stay", action="store_true", help="stay when standard input closes")
    serve.add_argument("--idle", type=float, default=300.0, metavar="SECONDS",
                       help="forget loaded models after this time without work (default 300)")  # fmt: skip
    _reach_arguments(serve)
    command("models", _models, "List the installed models, what they do and their licences.")
    look = command("doctor", _doctor, "Check that what Limber needs is there; say what to do where it is not.")
    look.add_argument("--port", type=_integer(0, 65535), default=0, help="also: is this port free?")
    run = command("run", _run, "Answer a saved request.")
    run.add_argument("request", type=Path, help="request .npz")
    run.add_argument("-o", "--output", type=Path, required=True, help="result .npz")
    fill = command("inbetween", _inbetween, "Fill in the frames between keys of a BVH file.")
    fill.add_argument("input", type=Path, help="any humanoid .bvh")
    fill.add_argument("--keys", type=_frames, required=True, metavar="0,30,60",
                      help="frames to keep, from 0; so are those before the first and after the last")  # fmt: skip
    _file_arguments(fill)
    complete = command(
        "complete", _captured, "Fill in joints that are missing over some frames of a BVH file."
    )
    _captured_arguments(complete, "missing", required=True)
    refine = command("refine", _captured, "Clean a captured BVH file: jitter, noise, sliding feet.")
    _captured_arguments(refine, "to clean", required=False)
    refine.add_argument("--confidence", type=confidence, default=0.5, metavar="C",
                        help="how far the motion is trusted, 0.05 to 0.95 (default 0.5)")  # fmt: skip
    edit = command("edit", _edit, "Let joints of a BVH file do something else over some frames.")
    _captured_arguments(edit, "to do something else", required=True)
    edit.add_argument(
        "--text", default="", metavar="PROMPT", help="what they do (default: anything that fits)"
    )
    made = command("generate", _generate, "Motion that does what is said, as a BVH file.")
    made.add_argument("prompts", nargs="+", metavar="PROMPT", help="what is done; several follow one another")
    made.add_argument("--seconds", type=_numbers, metavar="4,2.5",
                      help="how long each prompt takes (default: as long as the nearest known prompt)")  # fmt: skip
    made.add_argument("--heading", type=float, default=0.0, metavar="DEGREES",
                      help="which way it begins, to the left of +Z (default 0)")  # fmt: skip
    _output_arguments(made)
    made.add_argument("--fps", type=_rate, default=30.0, help="of the file (default 30)")
    extend = command("extend", _extend, "Let the motion of a BVH file go on.")
    extend.add_argument("input", type=Path, help="any humanoid .bvh")
    extend.add_argument("--text", action="append", default=[], metavar="PROMPT", help="what is done next; may be "
                        "repeated for what is done after that (default: anything that fits)")  # fmt: skip
    extend.add_argument("--seconds", type=_numbers, metavar="4,2.5",
                        help="how long each prompt takes (default: as long as the nearest known prompt; without "
                             "prompts 2)")  # fmt: skip
    _file_arguments(extend)
    loop = command("loop", _loop, "Lead the motion of a BVH file back to its first pose, without a seam.")
    loop.add_argument("input", type=Path, help="any humanoid .bvh")
    loop.add_argument("--seconds", type=float, default=0.7, help="how long that takes (default 0.7)")
    loop.add_argument("--text", default="", metavar="PROMPT", help="what is done meanwhile")
    loop.add_argument("--travel", choices=("auto", "stay", "onward"), default="auto",
                      help="end where the motion began, or as far on as it goes in a round, as a walk cycle does "
                           "(default: onward if it is on its way at both ends)")  # fmt: skip
    _file_arguments(loop)
    follow = command("follow", _follow, "Lead the character of a BVH file along pins, a path and waypoints.")
    follow.add_argument("input", type=Path, help="any humanoid .bvh")
    follow.add_argument("--controls", type=Path, required=True, metavar="FILE.json",
                        help="what goes where: see blender_addon/motion/controls.py")  # fmt: skip
    follow.add_argument("--keys", type=_frames, default=[], metavar="0,30,60", help="frames that stay as they are")
    follow.add_argument("--keep", type=_share, default=0.8, metavar="K",
                        help="how closely the motion is kept; 0: nothing but the keys (default 0.8)")  # fmt: skip
    follow.add_argument("--text", default="", metavar="PROMPT", help="what is done meanwhile")
    _file_arguments(follow)
    return parser


def _reach_arguments(serve: argparse.ArgumentParser) -> None:
    """Who else may use the backend; without these, whoever started it."""
    serve.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS",
                       help="another address of this computer, for other computers; needs TLS")  # fmt: skip
    serve.add_argument("--name", action="append", default=[], metavar="HOST",
                       help="what other computers call this one, as in their https://HOST:port")  # fmt: skip
    serve.add_argument("--certificate", type=Path, metavar="PEM", help="certificate for TLS")
    serve.add_argument("--key", type=Path, metavar="PEM", help="its private key")
    serve.add_argument("--token-file", type=Path, metavar="FILE", help="the token, instead of a new one each time")
    serve.add_argument("--announce", type=Path, metavar="FILE",
                       help="also write the first line here, readable for this user alone")  # fmt: skip
    serve.add_argument("--linger", type=float, default=0.0, metavar="SECONDS",
                       help="end after this time without a call, instead of with the parent")  # fmt: skip


def _captured_arguments(parser: argparse.ArgumentParser, what: str, required: bool) -> None:
    """What complete and refine have in common."""
    parser.add_argument("input", type=Path, help="any humanoid .bvh")
    parser.add_argument("--joints", type=_names, required=required, default=["all"], metavar="left_arm,head",
                        help=f"joints that are {what}: {', '.join((*PARTS, *JOINTS))}")  # fmt: skip
    parser.add_argument("--frames", type=_range, metavar="A:B", help="from 0, both included (default: all)")
    _file_arguments(parser)


def _file_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that reads a BVH file has."""
    _output_arguments(parser)
    parser.add_argument(
        "--fps", type=_rate, help="the file's frames per second, where its Frame Time is wrong"
    )


def _output_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that writes a BVH file has."""
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .bvh to write")
    parser.add_argument("--seed", type=_integer(0, 2**63 - 1), default=0, help="default 0")
    parser.add_argument("--variations", type=_integer(1, MAX_VARIATIONS), default=1,
                        help="how many; the second goes to OUT-2.bvh, and so on")  # fmt: skip
    parser.add_argument("--system", default="auto", help="auto (default) or a system's name")
    parser.add_argument("--bundle", default="", help="name of the weights bundle (default: open)")


# -- commands --------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    from .server import Reach, serve

    reach = Reach(options.listen, options.name, options.token_file, options.certificate, options.key,
                  options.announce, options.linger)  # fmt: skip
    serve(options.weights, options.port, options.stay, options.idle, reach)
    return 0


def _models(options: argparse.Namespace) -> int:
    from .service import Service

    for model in Service(options.weights).models():
        name = model["name"] or "(built in)"
        print(f"{name}{' (default)' if model['default'] else ''}")
        if model["problem"]:
            print(f"  problem   {model['problem']}")
            continue
        print(f"  licence   {model['licence']}")
        if model["data"]:
            print(f"  data      {', '.join(model['data'])}")
            print(f"  sha256    {model['sha256']}")
        for system, tasks in model["systems"].items():
            print(f"  {system}: {', '.join(tasks)}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    return doctor.tell(doctor.examine(options.weights, options.port))


def _run(options: argparse.Namespace) -> int:
    from blender_addon.motion import npz

    from .service import Service

    request = npz.load_request(options.request)
    result = Service(options.weights).run(request, Progress())
    npz.save_result(options.output, result)
    print(f"{options.output}: {len(result.clips)} x {len(result.baseline)} frames, "
          f"{result.report['system']}, {result.report['seconds']:.2f} s")  # fmt: skip
    return 0


def _inbetween(options: argparse.Namespace) -> int:
    from .bvh_files import inbetween_file
    from .service import Service

    service = Service(options.weights)
    done = inbetween_file(
        options.input, options.keys, options.output, service, Progress(), fps=options.fps,
        seed=options.seed, variations=options.variations, system=options.system, bundle=options.bundle,
    )  # fmt: skip
    for path in done.paths:
        print(f"{path}: {done.filled} frames filled in, {done.kept} kept as they were, "
              f"{done.report['system']}, {done.report['seconds']:.2f} s")  # fmt: skip
    return 0


def _captured(options: argparse.Namespace) -> int:
    from .bvh_files import captured_file
    from .service import Service

    trust = getattr(options, "confidence", None)
    done = captured_file(
        options.input, options.output, Service(options.weights), Progress(), joints=options.joints,
        frames=options.frames, confidence=trust, fps=options.fps, seed=options.seed,
        variations=options.variations, system=options.system, bundle=options.bundle,
    )  # fmt: skip
    jerk = done.report["jerk"]
    beside = "before" if trust is not None else "plain interpolation"
    what = "completed" if trust is None else "refined"
    for path in done.paths:
        print(f"{path}: {', '.join(options.joints)} {what} in {done.filled} frames, all else as it was; jerk "
              f"{jerk['model']:.1f} m/s^3 ({beside} {jerk['interpolation']:.1f}), "
              f"{done.report['system']}, {done.report['seconds']:.2f} s")  # fmt: skip
    return 0


def _edit(options: argparse.Namespace) -> int:
    from .bvh_files import captured_file
    from .service import Service

    done = captured_file(
        options.input, options.output, Service(options.weights), Progress(), joints=options.joints,
        frames=options.frames, prompt=options.text, fps=options.fps, seed=options.seed,
        variations=options.variations, system=options.system, bundle=options.bundle,
    )  # fmt: skip
    for path in done.paths:
        print(f"{path}: {', '.join(options.joints)} made anew in {done.filled} frames, all else as it was, "
              f"{done.report['system']}, {done.report['seconds']:.2f} s")  # fmt: skip
    _judged(done.report)
    return 0


def _generate(options: argparse.Namespace) -> int:
    from .bvh_files import generate_file
    from .service import Service

    done = generate_file(
        options.prompts, options.seconds, options.output, Service(options.weights), Progress(),
        heading=options.heading, fps=options.fps, seed=options.seed, variations=options.variations,
        system=options.system, bundle=options.bundle,
    )  # fmt: skip
    for path in done.paths:
        print(f"{path}: {done.filled} frames, foot skating {done.report['skating']['model']:.3f} m/s, "
              f"{done.report['system']}, {done.report['seconds']:.2f} s")  # fmt: skip
    _judged(done.report)
    return 0


def _extend(options: argparse.Namespace) -> int:
    from .onward_files import extended_file
    from .service import Service

    done = extended_file(
        options.input, options.output, Service(options.weights), Progress(), prompts=options.text,
        seconds=options.seconds, fps=options.fps, seed=options.seed, variations=options.variations,
        system=options.system, bundle=options.bundle,
    )  # fmt: skip
    for path in done.paths:
        print(f"{path}: {done.filled} frames more, {done.kept} as they were, "
              f"{done.report['system']}, {done.report['seconds']:.2f} s")  # fmt: skip
    _judged(done.report)
    return 0


def _loop(options: argparse.Namespace) -> int:
    from .onward_files import looped_file
    from .service import Service

    done = looped_file(
        options.input, options.output, Service(options.weights), Progress(), prompt=options.text,
        seconds=options.seconds, travel=options.travel, fps=options.fps, seed=options.seed,
        variations=options.variations, system=options.system, bundle=options.bundle,
    )  # fmt: skip
    for path in done.paths:
        print(f"{path}: {done.filled} frames lead back, {done.kept} as they were; the last frame is the first, "
              f"{done.report['travel']:.2f} m on; {done.report['system']}, {done.report['seconds']:.2f} s")  # fmt: skip
    _judged(done.report)
    return 0


def _follow(options: argparse.Namespace) -> int:
    from .follow_files import follow_file
    from .service import Service

    done = follow_file(
        options.input, options.controls, options.output, Service(options.weights), Progress(), keys=options.keys,
        trust=options.keep, prompt=options.text, fps=options.fps, seed=options.seed,
        variations=options.variations, system=options.system, bundle=options.bundle,
    )  # fmt: skip
    for path in done.paths:
        print(f"{path}: {done.filled} frames, {done.kept} kept as they were, foot skating "
              f"{done.report['skating']['model']:.3f} m/s, {done.report['system']}, "
              f"{done.report['seconds']:.2f} s")  # fmt: skip
    if path := done.report.get("path"):
        print(f"  path: {100 * path['mean']:.1f} cm off on average, {100 * path['worst']:.1f} cm at frame "
              f"{path['worst_frame']}")  # fmt: skip
    for name, frame, off in done.report["missed"]:
        print(f"  {name}: out of reach by {100 * off:.1f} cm at frame {frame}")
    return 0


def _judged(report: Mapping[str, Any]) -> None:
    """How near each prompt is to what the model knows."""
    for prompt in report.get("prompts", ()):
        if prompt:
            print(f'  "{prompt["text"]}" is {prompt["level"]}; nearest: {"; ".join(prompt["nearest"])}')


class Progress:
    """Shows the step on standard error, at most ten times a second, and only to a person."""

    def __init__(self) -> None:
        self._shown = 0.0

    def __call__(self, step: int, total: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and (now - self._shown > 0.1 or step == total):
            self._shown = now
            print(f"\r{step}/{total} ", end="\n" if step == total else "", file=sys.stderr, flush=True)


# -- values of arguments ---------------------------------------------------------------------------


def _integer(low: int, high: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not in {low}..{high}")
        return value

    return integer


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:  # also catches not-a-number
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to below 1")
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value <= 10_000:  # also catches not-a-number
        raise argparse.ArgumentTypeError(f"{text} is not a frame rate")
    return value


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of seconds such as 4,2.5") from None


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in PARTS and name not in JOINTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no joint and no part of the body")
    return names


def _range(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    try:
        start, end = int(first), int(last)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 10:50") from None
    if not colon or start < 0 or end < start:
        raise argparse.ArgumentTypeError(f"{text!r} holds no frames; they are counted from 0")
    return start, end


def _frames(text: str) -> list[int]:
    try:
        frames = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of frames such as 0,30,60") from None
    if frames[0] < 0:
        raise argparse.ArgumentTypeError(f"frame {frames[0]}: frames are counted from 0")
    return frames


if __name__ == "__main__":
    sys.exit(main())
