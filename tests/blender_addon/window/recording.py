"""The README's recording: ``python -m tests.blender_addon.window.recording`` writes ``.github/limber.gif``.

A windowed Blender goes through :mod:`recording_story`; its pictures are joined with Pillow, each under a caption.
``--window`` is as of :mod:`from_zip`; ``--shots`` joins the pictures of an earlier run again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests.blender_addon.window.from_zip import HERE, open_window

ROOT = HERE.parents[2]
WIDTH, CAPTION, SECONDS, MAX_BYTES = 960, 34, 2400, 1_500_000
COLOURS, VIVID, FREQUENT = 256, 72, 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 when the file was written and is small enough for a page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / ".github" / "limber.gif")
    parser.add_argument(
        "--shots", type=Path, help="keep the pictures in this folder, or join those that are there"
    )
    parser.add_argument("--window", default="", help="what opens a window")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        folder = (options.shots or Path(made)).resolve()
        if not (folder / "report.json").is_file():
            record(folder, options.window)
        found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        if "error" in found or not found.get("finished"):
            print(found.get("error", "the story did not come to its end"), file=sys.stderr)
            return 1
        join(folder, found["shots"], options.out)
    size = options.out.stat().st_size
    print(
        f"{options.out}: {len(found['shots'])} pictures, {size / 1e6:.2f} MB, key change {found['key_change']}"
    )
    return 0 if size <= MAX_BYTES else 1


def record(folder: Path, window: str) -> None:
    """Have the story take its pictures."""
    (folder / "home").mkdir(parents=True, exist_ok=True)
    python = Path(os.environ.get("LIMBER_PYTHON", sys.executable))
    mounts = {str(ROOT), str(python.resolve().parents[1])}
    variables = {
        "HOME": str(folder / "home"),
        "LIMBER_PYTHON": str(python),
        "MOUNT": " ".join(sorted(mounts)),
    }
    open_window(HERE / "recording_story.py", folder, SECONDS, variables, window)


def join(folder: Path, shots: Sequence[tuple[str, str, int]], out: Path) -> None:
    """Pictures (name, caption, milliseconds) as one animation; all with one set of colours."""
    pictures = [captioned(folder / name, caption) for name, caption, _ in shots]
    palette = colours(pictures[:: max(1, len(pictures) // 6)])
    flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    out.parent.mkdir(parents=True, exist_ok=True)
    flat[0].save(
        out, save_all=True, append_images=flat[1:], duration=[ms for *_, ms in shots], loop=0, optimize=True
    )


def colours(pictures: Sequence[Image.Image]) -> Image.Image:
    """A palette: the most frequent colours as they are, so that walls have no tint, then the others, apart by
    whether they are vivid; a rare one counts as much as a frequent one, or a figure would lose its shades."""
    pixels = np.concatenate([np.asarray(picture).reshape(-1, 3) for picture in pictures])
    shades, count = np.unique(pixels, axis=0, return_counts=True)
    found: list[int] = shades[np.argsort(-count)[:FREQUENT]].ravel().tolist()
    others = np.unique(shades & 0xFC, axis=0)
    vivid = np.ptp(others, axis=1) > 60
    for some, most in ((others[~vivid], COLOURS - FREQUENT - VIVID), (others[vivid], VIVID)):
        if len(some):
            made = Image.fromarray(some[None]).quantize(most, method=Image.Quantize.MEDIANCUT)
            found += (made.getpalette() or [])[: 3 * most]
    palette = Image.new("P", (1, 1))
    palette.putpalette(found)
    return palette


def captioned(path: Path, caption: str) -> Image.Image:
    """A picture at the animation's size with a line of text below it."""
    with Image.open(path) as whole:
        picture = whole.convert("RGB").resize(
            (WIDTH, WIDTH * whole.height // whole.width), Image.Resampling.LANCZOS
        )
    made = Image.new("RGB", (WIDTH, picture.height + CAPTION), (24, 24, 24))
    made.paste(picture)
    place = (WIDTH / 2, picture.height + CAPTION / 2)
    ImageDraw.Draw(made).text(place, caption, (240, 240, 240), ImageFont.load_default(15), "mm")
    return made


if __name__ == "__main__":
    sys.exit(main())
