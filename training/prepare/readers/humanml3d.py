"""A HumanML3D folder: ``new_joint_vecs`` (263 numbers a frame) or ``new_joints`` (22 positions), 20 fps.

Its rotations cannot be used: they were fitted to positions joint by joint and do not give them back.
So positions are what is read, and rotations are *recovered* from them (:mod:`..recovered`); the report
says so. Takes named ``M...`` are mirrored copies, which training makes itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import FileFormatError
from blender_addon.motion.skeleton import JOINTS

from .. import recovered, sides
from ..sources import SOURCES, Source
from ..take import Options, Sentence, Take, nothing

FPS = 20.0
_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def takes(folder: Path, source: Source, options: Options) -> Iterator[Take]:
    """One take a file; splits from ``train.txt``, ``val.txt``, ``test.txt``, sentences from ``texts/``."""
    del options
    if source.name not in SOURCES:
        known = SOURCES["humanml3d"]
        source = Source(source.name, known.licence, known.commercial, known.group, 10, 0, note=known.note)
    split = {
        name: side
        for list_name, side in _SPLITS.items()
        if (folder / f"{list_name}.txt").is_file()
        for name in (folder / f"{list_name}.txt").read_text(encoding="utf-8").split()
    }
    files = {
        f.stem: f for kind in ("new_joints", "new_joint_vecs") for f in sorted((folder / kind).glob("*.npy"))
    }
    for name, file in sorted(files.items()):
        if name.startswith("M") and name[1:] in files:
            yield Take(
                name, source, nothing, problem=f"the mirrored copy of {name[1:]}, which training makes itself"
            )
        else:
            yield Take(name, source, partial(load, file), _said(folder / "texts" / f"{name}.txt"),
                       split.get(name, ""), notes=(SOURCES["humanml3d"].note,))  # fmt: skip
    for name in sorted(set(split) - set(files)):
        yield Take(name, source, nothing, problem="in a split list, but there is no such file")


def _said(path: Path) -> tuple[Sentence, ...]:
    """Lines ``sentence#words with tags#from#to`` in seconds; 0 and 0, or nan, mean the whole take."""
    if not path.is_file():
        return ()
    out = []
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split("#")
        if not parts[0].strip():
            continue
        start, end = (np.nan_to_num(float(x)) for x in parts[2:4]) if len(parts) >= 4 else (0.0, 0.0)
        out.append(Sentence(sides.plain(parts[0].strip()), float(start), float(end) or None))
    return tuple(out)


def load(file: Path) -> Clip:
    """The take on the canonical joints, rotations recovered.

    Raises:
        FileFormatError: neither ``(F, 263)`` nor ``(F, 22, 3)`` real numbers.
    """
    try:
        a = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FileFormatError(str(file), f"not an array ({error})") from error
    if a.ndim == 2 and a.shape[1] == 263:
        at = positions(a)
    elif a.ndim == 3 and a.shape[1:] == (len(JOINTS), 3):
        at = np.asarray(a, np.float64)
    else:
        raise FileFormatError(str(file), f"shape {a.shape}, expected (frames, 263) or (frames, 22, 3)")
    if not len(at) or not np.isfinite(at).all():
        raise FileFormatError(str(file), "no frames" if not len(at) else "a number that is not finite")
    return recovered.clip(at, FPS, file.stem)


def positions(vectors: np.ndarray) -> np.ndarray:
    """263 numbers a frame to world positions. ``(F, 263) -> (F, 22, 3)``.

    Per frame: the root's turn about Y (half angle, per frame), its velocity along X and Z in its own
    heading, its height, then 21 joints relative to the root on the ground, in its heading; rotations,
    velocities and contacts follow and are not used (HumanML3D, ``recover_from_ric``).
    """
    v = np.asarray(vectors, np.float64)
    angle = np.concatenate([[0.0], np.cumsum(v[:-1, 0])])
    heading = np.zeros((len(v), 4))
    heading[:, 0], heading[:, 2] = np.cos(angle), np.sin(angle)
    back = rotations.inverse(heading)
    step = np.zeros((len(v), 3))
    step[1:, 0], step[1:, 2] = v[:-1, 1], v[:-1, 2]
    root = np.cumsum(rotations.rotate(back, step), axis=0)
    joints = rotations.rotate(back[:, None], v[:, 4:67].reshape(len(v), 21, 3))
    joints[..., 0] += root[:, :1]
    joints[..., 2] += root[:, 2:]
    root[:, 1] = v[:, 3]
    return np.concatenate([root[:, None], joints], 1)
