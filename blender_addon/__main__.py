"""``limber-blender``: the add-on without a window.

Exit codes: 0 done, 1 failed (one sentence says why), 2 wrong call. One function a command, one entry
in ``COMMANDS`` each.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .batch import command as retarget
from .motion.arguments import confidence
from .motion.blending import MOST
from .motion.constraints import MAX_VARIATIONS
from .motion.errors import InvalidRequestError, LimberError
from .motion.parts import PARTS
from .motion.skeleton import JOINTS

JOINTS_HELP = f"joints that are {{}}: {', '.join((*PARTS, *JOINTS))}"
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
        sub.set_defaults(run=run, parser=sub, task=name)
    return parser


# -- inbetween ---------------------------------------------------------------------------------------


def _inbetween_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    _amount_argument(parser)
    parser.add_argument("--keys", type=_frames, metavar="1,20,45",
                        help="take the poses at these frames as the keys (for motion with a key on every frame); "
                        "without it the Action's own keys are kept")  # fmt: skip


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    """What in-betweening, completing and refining have in common."""
    parser.add_argument("scene", type=Path, metavar="SCENE", help=".blend, .bvh, .fbx, .glb or .gltf")
    parser.add_argument("--armature", default="", metavar="NAME", help="needed where the file has several")
    parser.add_argument(
        "--frames", type=_range, required=True, metavar="A:B", help="scene frames, both included"
    )
    parser.add_argument("-o", "--output", type=_output, required=True, metavar="OUT",
                        help=f"{', '.join(WRITES)}; the second variation of all but .blend goes to OUT-2")  # fmt: skip
    parser.add_argument("--seed", type=_integer(0, 2**31 - 1), default=0, help="default 0")
    parser.add_argument("--variations", type=_integer(1, MAX_VARIATIONS), default=1, help="default 1")
    keyed = parser.add_mutually_exclusive_group()
    keyed.add_argument("--sparse", nargs=2, type=_tolerance, metavar=("DEGREES", "MM"), default=(1.0, 5.0),
                       help="few keys that keep the result this near (default 1 5)")  # fmt: skip
    keyed.add_argument("--every-frame", action="store_true", help="a key on every frame instead")
    parser.add_argument("--system", default="auto", help="auto (default) or a system's name")
    parser.add_argument("--bundle", default="", help="name of the weights bundle (default: open)")
    parser.add_argument(
        "--fps", type=_rate, help="rate of a .glb or .gltf SCENE, which does not say (default 24)"
    )
    parser.add_argument("--only-armature", action="store_true", help=".fbx and .glb without meshes")


def _amount_argument(parser: argparse.ArgumentParser) -> None:
    """For what has plain interpolation, or the motion as it was, at its other end."""
    parser.add_argument("--amount", type=_amount, default=1.0, metavar="A",
                        help=f"how much of the model: 0 plain interpolation (refine: as it was), up to {MOST:g} "
                        "(default 1)")  # fmt: skip


def _inbetween(options: argparse.Namespace) -> int:
    from . import headless

    def key(obj: Any) -> dict[str, Any]:
        if options.keys is not None:
            bones = [bone for names in headless.find_map(obj).bones.values() for bone in names]
            start, end = options.frames
            headless.key_poses(obj, options.keys, start, end, bones)
        return {}

    return _carry_out(options, key)


def _carry_out(
    options: argparse.Namespace,
    prepare: Callable[[Any], dict[str, Any]],
    say: Callable[[Mapping[str, Any]], None] = lambda report: None,
) -> int:
    """Open, run, save; ``prepare`` gets the armature and gives the plan's further entries, ``say`` the report."""
    import bpy

    from . import actions, headless, plans, scene_files
    from .sparse_keys import Tolerance

    if options.output.resolve() == options.scene.resolve():
        options.parser.error("-o names the scene itself; choose another file")
    start, end = options.frames
    scene_files.open_scene(options.scene, options.fps)
    obj = scene_files.choose_armature(options.armature)
    with headless.session() as running:
        usual = {"start": start, "end": end, "seed": options.seed, "variations": options.variations,
                 "system": options.system, "bundle": options.bundle,
                 "tolerance": None if options.every_frame else Tolerance(*options.sparse),
                 "amount": getattr(options, "amount", 1.0)}  # fmt: skip
        plan = plans.Plan(**(usual | prepare(obj)))
        outcome = headless.run(running, obj, plan)
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
    print(f"{options.output}: {summary(outcome, plan.task)}")
    say(outcome.report)
    return 0


def summary(outcome: Any, task: str = "inbetween") -> str:
    """One line: frames, seconds, largest key change, skating and jerk, what made it and its licence."""
    report = outcome.report
    beside = "before" if task == "refine" else "interpolation"
    measured = [f"foot skating {_pair(report.get('skating', {}), 3, 'm/s', beside)}"]
    if "jerk" in report:
        measured.append(f"jerk {_pair(report['jerk'], 1, 'm/s^3', beside)}")
    made = str(report.get("system", "?"))
    if report.get("bundle"):
        made += f" ({report['bundle']})"
    measured += [f"\"{p['text']}\" is {p['level']} (nearest: {'; '.join(p['nearest'])})"
                 for p in report.get("prompts", ()) if p]  # fmt: skip
    parts = [
        f"{outcome.frames} frames", f"{outcome.seconds:.2f} s", f"largest key change {outcome.key_change:g}",
        *measured, made,
    ]  # fmt: skip
    if report.get("licence"):
        parts.append(str(report["licence"]))
    return ", ".join(parts)


def _pair(both: dict[str, float], digits: int, unit: str, beside: str) -> str:
    model, other = (both.get(key, float("nan")) for key in ("model", "interpolation"))
    return f"{model:.{digits}f} {unit} ({beside} {other:.{digits}f})"


# -- complete and refine -----------------------------------------------------------------------------


def _complete_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    _amount_argument(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--joints", type=_names, metavar="left_arm,head", help=JOINTS_HELP.format("missing"))
    what.add_argument("--bones", type=_words, metavar="NAME,NAME", help="bones that are missing, by name")
    what.add_argument("--gaps", type=_integer(1, 10_000), metavar="N",
                      help="wherever a captured bone has no key for more than N frames")  # fmt: skip


def _refine_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    _amount_argument(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--joints", type=_names, metavar="left_arm,head",
                      help=JOINTS_HELP.format("to clean") + " (default: all)")  # fmt: skip
    what.add_argument("--bones", type=_words, metavar="NAME,NAME", help="bones to clean, by name")
    parser.add_argument("--confidence", type=confidence, default=0.5, metavar="C",
                        help="how far the motion is trusted, 0.05 to 0.95 (default 0.5)")  # fmt: skip


def _captured(options: argparse.Namespace) -> int:
    from . import headless

    def scope(obj: Any) -> dict[str, Any]:
        bones = tuple(options.bones or ())
        unknown = [name for name in bones if name not in obj.pose.bones]
        if unknown:
            raise InvalidRequestError("bones", f"{obj.name} has no bone {unknown[0]!r}")
        if options.joints:
            bones = headless.bones_of(obj, options.joints)
        more = {"task": options.task, "keep": "NONE", "bones": bones}
        if options.task == "edit":
            from . import plans

            return more | {"texts": plans.spans(options.text, *options.frames)}
        if options.task == "complete":
            return more | {"gap": options.gaps or 0}
        return more | {"confidence": options.confidence}

    return _carry_out(options, scope)


# -- edit and generate -------------------------------------------------------------------------------


def _edit_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    _amount_argument(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--joints", type=_names, metavar="left_arm,head",
                      help=JOINTS_HELP.format("to do something else"))  # fmt: skip
    what.add_argument("--bones", type=_words, metavar="NAME,NAME", help="bones to do something else, by name")
    parser.add_argument(
        "--text", default="", metavar="PROMPT", help="what they do (default: anything that fits)"
    )


def _generate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "prompt", metavar="PROMPT", help="what is done; several, separated by ;, share the frames"
    )
    _run_arguments(parser)
    parser.add_argument("--place", type=_place, default=(0.0, 0.0, 0.0), metavar="X,Y,Z",
                        help="where it begins, scene units (default: the origin)")  # fmt: skip
    parser.add_argument("--heading", type=float, default=0.0, metavar="DEGREES",
                        help="which way it begins, to the left of the front view (default 0)")  # fmt: skip
    parser.add_argument("--from-pose", action="store_true", help="go on from the first frame's pose instead")


def _generate(options: argparse.Namespace) -> int:
    from . import armature_io, plans

    def plan(obj: Any) -> dict[str, Any]:
        del obj
        x, y, z = (armature_io.unit_scale() * v for v in options.place)
        return {"task": plans.GENERATE, "keep": "NONE", "texts": plans.spans(options.prompt, *options.frames),
                "heading": options.heading, "place": None if options.from_pose else (x, z, -y)}  # fmt: skip

    return _carry_out(options, plan)


# -- follow ------------------------------------------------------------------------------------------


def _follow_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    parser.add_argument("--controls", type=Path, metavar="FILE.json",
                        help="pins, path and waypoints (blender_addon/motion/controls.py says how; default: those "
                        "that SCENE holds)")  # fmt: skip
    parser.add_argument("--motion", choices=("keep", "keys", "nothing"), default="keep",
                        help="of the present motion: keep it as far as can be (default), the keyed poses exactly, "
                        "or nothing")  # fmt: skip
    parser.add_argument("--trust", type=confidence, default=0.5, metavar="C",
                        help="how closely the motion is kept, 0.05 to 0.95 (default 0.5)")  # fmt: skip
    parser.add_argument("--text", default="", metavar="PROMPT", help="what is done meanwhile")


def _follow(options: argparse.Namespace) -> int:
    from . import followed, plans
    from .motion import controls

    def plan(obj: Any) -> dict[str, Any]:
        del obj
        start, end = options.frames
        told = None if options.controls is None else controls.parsed(options.controls)
        keep = "ALL" if options.motion == "keys" else "NONE"
        return {"task": plans.FOLLOW, "keep": keep, "motion": options.motion.upper(), "confidence": options.trust,
                "controls": told, "texts": plans.spans(options.text, start, end)}  # fmt: skip

    def say(report: Mapping[str, Any]) -> None:
        for number, found in enumerate(report.get("followed", ()), 1):
            for line in followed.lines(found):
                print(f"  {number}: {line}" if len(report["followed"]) > 1 else f"  {line}")

    return _carry_out(options, plan, say)


def _onward_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--text", default="", metavar="PROMPT", help="what is done after the last key; several, "
                      "separated by ;, share the frames (default: anything that fits)")  # fmt: skip
    what.add_argument("--markers", action="store_true", help="the scene's markers are the prompts")


def _onward(options: argparse.Namespace) -> int:
    """After the last key, up to the end of --frames."""
    import bpy

    from . import plans

    def plan(obj: Any) -> dict[str, Any]:
        start, end = options.frames
        found = plans.onward(obj, plans.Plan(start, end), options.task == "loop")
        after = found.start + 1
        texts = (plans.marked(bpy.context.scene, after, end) if options.markers else
                 plans.spans(options.text, after, end))  # fmt: skip
        return {"start": found.start, "task": plans.GENERATE, "keep": "NONE", "texts": texts, "goes_on": True,
                "loop": found.loop}  # fmt: skip

    return _carry_out(options, plan)


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
    "complete": (_captured, _complete_arguments, "Fill in what is missing of a captured motion."),
    "refine": (_captured, _refine_arguments, "Clean a captured motion: jitter, noise, sliding feet."),
    "edit": (_captured, _edit_arguments, "Let joints do something else over some frames."),
    "generate": (_generate, _generate_arguments, "Make motion that does what is said."),
    "extend": (_onward, _onward_arguments, "Let a motion go on after its last key, to the end of --frames."),
    "loop": (_onward, _onward_arguments, "Lead a motion back to its first pose at the end of --frames."),
    "follow": (_follow, _follow_arguments, "Have pins, a path and waypoints followed."),
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


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0.001 <= value <= 1000:  # also catches not-a-number
        raise argparse.ArgumentTypeError(f"{text} is no tolerance")
    return value


def _amount(text: str) -> float:
    value = float(text)
    if not 0 <= value <= MOST:  # also catches not-a-number
        raise argparse.ArgumentTypeError(f"{text} is not in 0..{MOST:g}")
    return value


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


def _place(text: str) -> tuple[float, float, float]:
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no place such as 0,1.5,0") from None
    return x, y, z


def _words(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _names(text: str) -> list[str]:
    names = _words(text)
    unknown = [name for name in names if name not in PARTS and name not in JOINTS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{text!r} names no joint or part of the body: {', '.join(unknown)}")
    return names


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in WRITES:
        raise argparse.ArgumentTypeError(f"{text!r} ends in none of {', '.join(WRITES)}")
    return path


if __name__ == "__main__":
    sys.exit(main())
