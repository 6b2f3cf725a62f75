"""From the zip alone, with a wheel folder and no network, in a real Blender: set up, first in-between, a table.

``python -m tests.blender_addon.window.from_zip WHEELS --out DIR`` builds the zip, opens a windowed Blender with an
empty profile and no network but its own loopback, and has :mod:`from_zip_story` press the buttons. Afterwards DIR
holds pictures and ``report.json``, and the table is printed. WHEELS is made beforehand, where there is a network::

    pip download --no-deps --require-hashes --only-binary :all: -d WHEELS \\
        -r blender_addon/setup/lists/linux-x86_64-cp311-cpu.txt

``--window`` is what opens a window: a program, and its arguments up to the script, the folder for pictures and the
seconds that it may stay up. Without it, ``blender`` of this computer is used.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import build_addon

HERE = Path(__file__).resolve().parent
SECONDS = 1200


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 when the story went to its end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", type=Path, help="folder of wheels")
    parser.add_argument("--out", type=Path, required=True, help="emptied first; receives pictures and report")
    parser.add_argument("--python", type=Path, default=Path(sys.base_prefix) / "bin",
                        help="folder of a Python 3.11 or 3.12, put on the PATH")  # fmt: skip
    parser.add_argument("--window", default="", help="what opens a window")
    options = parser.parse_args(arguments)
    out = options.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    (out / "home").mkdir(parents=True)
    zip_file = build_addon.build(build_addon.ROOT, out)
    variables = {"STORY_ZIP": str(zip_file), "STORY_WHEELS": str(options.wheels.resolve()), "HOME": str(out / "home"),
                 "PATH": f"{options.python}:{os.environ['PATH']}:/usr/sbin", "LIMBER_PYTHON": "",
                 "MOUNT": f"{options.wheels.resolve()} {options.python.parent}"}  # fmt: skip
    open_window(HERE / "from_zip_story.py", out, SECONDS, variables, options.window, network=False)
    found = json.loads((out / "report.json").read_text(encoding="utf-8"))
    print(table(found))
    if "error" in found:
        print(found["error"], file=sys.stderr)
    return 0 if found.get("finished") else 1


def open_window(
    script: Path,
    out: Path,
    seconds: int,
    variables: Mapping[str, str],
    window: str = "",
    network: bool = True,
) -> None:
    """Run a script in a windowed Blender and wait for its end.

    Args:
        variables: besides this process's environment; MOUNT is added to that of the environment.
        window: as of ``--window``; "" for this computer's own Blender.
        network: False leaves the loopback alone, which needs Linux and an administrator's rights.
    """
    command = [*shlex.split(window), str(script), str(out), str(seconds)]
    if not window:
        command = ["timeout", str(seconds), "blender", "--factory-startup", "--python", str(script)]
    if not network:
        alone = 'ip link set lo up && exec "$@"'
        command = ["unshare", "--net", "--mount", "sh", "-c", alone, "sh", *command]
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "BLENDER_", "PYTHON", "LIMBER_"))
    }
    mounts = " ".join(filter(None, (variables.get("MOUNT"), os.environ.get("MOUNT"))))
    given = {**kept, "SCRIPT": str(script), "OUT": str(out), **variables, "MOUNT": mounts}
    with (out / "said.txt").open("w") as said:
        subprocess.run(command, env=given, stdout=said, stderr=said, stdin=subprocess.DEVNULL, check=False)


def table(found: Mapping[str, Any]) -> str:
    """Steps with their seconds, and sizes, as Markdown."""
    sizes = {"the zip": "zip_bytes", f"{found.get('wheels', 0)} wheels": "wheels_bytes",
             "the environment": "environment_bytes"}  # fmt: skip
    lines = [
        "| step | seconds |",
        "| --- | --- |",
        *(f"| {what} | {seconds} |" for what, seconds in found["steps"]),
    ]
    lines += ["", "| on the disk | MB |", "| --- | --- |"]
    lines += [f"| {what} | {found[key] / 1e6:.0f} |" for what, key in sizes.items() if key in found]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
