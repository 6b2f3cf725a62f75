"""``limber-blender``: the add-on without a window.

Exit codes: 0 done, 1 failed (one sentence says why), 2 wrong call. One function a command, one entry
in ``COMMANDS`` each.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .batch import command as retarget
from .motion.constraints import MAX_VARIATIONS
from .motion.errors import LimberError

WRITES = (".blend", ".bvh", ".fbx", ".glb")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None: the process's own, and the process ends here.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    code = _guarded(options)
    if arguments is None:
        # Blender as a module may wait for ever for a thread of its own while it is taken down (seen after
        # Rigify and after glTF imports in 4.5), and it reports as leaks what importers keep.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _guarded(options: argparse.Namespace) -> int:
    """The command's exit code; what went wrong goes to standard error in one sentence."""
    if importlib.util.find_spec("bpy") is None:
        print("limber-blender: Blender's Python module bpy is not installed. Install limber[blender], or call "
              "this module with Blender's own Python.", file=sys.stderr)  # fmt: skip
        return 1
    try:
        return options.run(options)
    except LimberError as error:
        print(f"limber-blender: {error}", file=sys.stderr)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"limber-blender: {name}{error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("limber-blender: cancelled", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="limber-blender", description="Limber inside Blender, without a window."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (run, arguments, text) in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text)
        arguments(sub)
        sub.set_defaults(run=run, parser=sub)
    return parser


# -- inbetween ---------------------------------------------------------------------------------------


def _inbetween_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scene", type=Path, metavar="SCENE", help=".blend, .bvh, .fbx, .glb or .gltf")
    parser.add_argument("--armature", default="", metavar="NAME", help="needed where the file has several")
    parser.add_argument(
        "--frames", type=_range, required=True, metavar="A:B", help="scene frames, both included"
    )
    parser.add_argument("--keys", type=_frames, metavar="1,20,45",
                        help="take the poses at these frames as the keys (for motion with a key on every frame); "
                        "without it the Action's own keys are kept")  # fmt: skip
    parser.add_argument("-o", "--output", type=_output, required=True, metavar="OUT",
                        help=f"{', '.join(WRITES)}; the second variation of all but .blend goes to OUT-2")  # fmt: skip
    parser.add_argument("--seed", type=_integer(0, 2**31 - 1), default=0, help="default 0")
    parser.add_argument("--variations", type=_integer(1, MAX_VARIATIONS), default=1, help="default 1")
    parser.add_argument("--system", default="auto", help="auto (default) or a system's name")
    parser.add_argument("--bundle", default="", help="name of the weights bundle (default: open)")
    parser.add_argument(
        "--fps", type=_rate, help="rate of a .glb or .gltf SCENE, which does not say (default 24)"
    )
    parser.add_argument("--only-armature", action="store_true", help=".fbx and .glb without meshes")


def _inbetween(options: argparse.Namespace) -> int:
    import bpy

    from . import actions, headless, plans, scene_files

    if options.output.resolve() == options.scene.resolve():
        options.parser.error("-o names the scene itself; choose another file")
    start, end = options.frames
    scene_files.open_scene(options.scene, options.fps)
    obj = scene_files.choose_armature(options.armature)
    plan = plans.Plan(start, end, "ALL", options.seed, options.variations, options.system, options.bundle)
    with headless.session() as running:
        if options.keys is not None:
            bones = [bone for names in headless.find_map(obj).bones.values() for bone in names]
            headless.key_poses(obj, options.keys, start, end, bones)
        outcome = headless.inbetween(running, obj, plan)
        headless.accept_all(obj)
        for number, name in enumerate(outcome.actions, 1):
            if number > 1 and options.output.suffix == ".blend":
                break  # it holds all variations
            path = (
                options.output if number == 1 else options.output.with_stem(f"{options.output.stem}-{number}")
            )
            action = bpy.data.actions[name]
            actions.assign(obj, action, None)
            scene_files.save(path, obj, *headless.action_range(obj, start, end), options.only_armature)
    print(f"{options.output}: {summary(outcome)}")
    return 0


def summary(outcome: Any) -> str:
    """One line: frames, seconds, largest key change, skating, what made it and its licence."""
    report = outcome.report
    skating = report.get("skating", {})
    made = str(report.get("system", "?"))
    if report.get("bundle"):
        made += f" ({report['bundle']})"
    parts = [
        f"{outcome.frames} frames", f"{outcome.seconds:.2f} s", f"largest key change {outcome.key_change:g}",
        f"foot skating {skating.get('model', float('nan')):.3f} m/s (interpolation "
        f"{skating.get('interpolation', float('nan')):.3f})", made,
    ]  # fmt: skip
    if report.get("licence"):
        parts.append(str(report["licence"]))
    return ", ".join(parts)


# -- map ---------------------------------------------------------------------------------------------


def _map_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scene", type=Path, metavar="FILE", help=".blend, .bvh, .fbx, .glb or .gltf")
    parser.add_argument("--armature", default="", metavar="NAME", help="needed where the file has several")


def _map(options: argparse.Namespace) -> int:
    from . import headless, scene_files
    from .motion.bone_maps import ROLES

    scene_files.open_scene(options.scene)
    obj = scene_files.choose_armature(options.armature)
    found = headless.find_map(obj)
    width = max(len(role) for role in ROLES)
    for role in ROLES:
        if role in found.bones:
            doubt = "" if found.confidence[role] >= 1 else f"   ({found.confidence[role]:.0%} sure)"
            print(f"{role:{width}}  {', '.join(found.bones[role])}{doubt}")
    for finger, bones in found.fingers.items():
        print(f"{finger:{width}}  {', '.join(bones)}")
    print(f"{obj.name}: {len(found.bones)} of {len(ROLES)} roles, found by {found.preset}; "
          f"missing: {', '.join(found.missing) or 'none'}")  # fmt: skip
    return 0


# -- demo --------------------------------------------------------------------------------------------


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="default: out")
    parser.add_argument("--seed", type=_integer(0, 2**31 - 1), default=0, help="default 0")
    parser.add_argument("--system", default="auto", help="auto (default) or a system's name")
    parser.add_argument("--bundle", default="", help="name of the weights bundle (default: open)")


def _demo(options: argparse.Namespace) -> int:
    from . import demo

    print(demo.run(options.out, options.seed, options.system, options.bundle))
    return 0


Arguments = Callable[[argparse.ArgumentParser], None]
COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], Arguments, str]] = {
    "inbetween": (_inbetween, _inbetween_arguments, "Fill the motion between the keys of a character."),
    "retarget": (retarget.run, retarget.arguments, retarget.TEXT),
    "map": (_map, _map_arguments, "Say which bone plays which role, and which roles have none."),
    "demo": (
        _demo,
        _demo_arguments,
        "A Rigify character, a few key poses, the backend: demo.blend, .bvh, .png.",
    ),
}


# -- values of arguments -----------------------------------------------------------------------------


def _integer(low: int, high: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not in {low}..{high}")
        return value

    return integer


def _rate(text: str) -> float:
    value = float(text)
    if not 0.01 <= value <= 1000:  # also catches not-a-number
        raise argparse.ArgumentTypeError(f"{text} is not a frame rate")
    return value


def _range(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    try:
        start, end = int(first), int(last)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 1:60") from None
    if not colon or end <= start:
        raise argparse.ArgumentTypeError(f"{text!r} holds no frames between")
    return start, end


def _frames(text: str) -> list[int]:
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of frames such as 1,20,45") from None


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in WRITES:
        raise argparse.ArgumentTypeError(f"{text!r} ends in none of {', '.join(WRITES)}")
    return path


if __name__ == "__main__":
    sys.exit(main())
