"""A cache of made-up captioned motion: walks forward, backward and to a side, arms raised, in two sources."""

from __future__ import annotations

from dataclasses import replace
from functools import cache as once
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.skeleton import INDEX, JOINTS
from tests.training.material import swinging
from training.prepare import cache as cache_file
from training.prepare.cache import Cache

ACTS = {
    "walks forward": "walks forward", "walks backward": "walks backward",
    "steps to the left": "steps to the right", "steps to the right": "steps to the left",
    "turns left": "turns right", "turns right": "turns left",
    "raises the left arm": "raises the right arm", "raises the right arm": "raises the left arm",
}  # fmt: skip
"""Act -> its mirror image."""
WAYS = ("a person {}", "somebody {}", "this figure {}")
SOURCE, WRITTEN = "bandai_namco", "cmu"


def act(name: str, seed: int, frames: int) -> Clip:
    """A noisy performance of an act."""
    rng = np.random.default_rng(seed)
    clip = replace(swinging(seed, frames), root_positions=rest_clip(frames).root_positions)
    t = np.arange(frames) / 30
    sign = 1.0 if "left" in name else -1.0
    root, turned = clip.root_positions.copy(), clip.rotations.copy()
    speed = rng.uniform(0.8, 1.2)
    if name.startswith("walks"):
        root[:, 2] += (speed if "forward" in name else -speed) * t
    elif name.startswith("steps"):
        root[:, 0] += sign * speed * t
    elif name.startswith("turns"):
        turned[:, 0] = rotations.multiply(
            rotations.from_axis_angle(np.outer(sign * speed * t, [0, 1, 0])), turned[:, 0]
        )
    else:
        joint = INDEX["left_shoulder" if sign > 0 else "right_shoulder"]
        up = rotations.from_axis_angle([0, 0, sign * 1.4 * speed])
        turned[:, joint] = rotations.multiply(up, turned[:, joint])
    return Clip(clip.skeleton, turned, root, name=f"{name} {seed}")


@once
def captioned() -> Cache:
    """What :func:`write` writes, read."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cache.npz"
        write(path)
        return cache_file.load(path)


def write(path: Path, validation: bool = False) -> None:
    """Three performances of every act to train on, one held out; the second source says one thing in other words.

    Args:
        validation: keep a training performance of every act, and one clip more of the second source, for it.
    """
    texts = [way.format(a) for a in ACTS for way in WAYS] + ["walking ahead", "going ahead on foot"]
    number = {t: i for i, t in enumerate(texts)}
    mirrored = [number[way.format(other)] for other in ACTS.values() for way in WAYS]
    vectors = np.random.default_rng(0).normal(size=(len(texts), cache_file.EMBEDDING))
    vectors[-2:] = vectors[0] + 0.1 * vectors[-2:]  # the same as the first
    vectors[number["a person turns right"]] = (
        vectors[number["a person turns left"]] + 0.1 * vectors[1]
    )  # but alike
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clips, rows = [], []
    splits = ("train", "train", "validation" if validation else "train", "takes")
    for k, name in enumerate(ACTS):
        for take in range(4):
            frames = 40 + 7 * take
            clips.append(act(name, 10 * k + take, frames))
            said = [(number[way.format(name)], 0, frames) for way in WAYS]
            rows.append({"name": clips[-1].name, "source": SOURCE, "group": name, "captions": said,
                         "split": splits[take]})  # fmt: skip
    for group, split in (("01", "train"), ("02", "validation"))[: 1 + validation]:
        clips.append(act("walks forward", 99, 60))
        rows.append({"name": f"{group}_01", "source": WRITTEN, "group": group, "split": split,
                     "captions": [(len(texts) - 2, 0, 60), (len(texts) - 1, 10, 50)]})  # fmt: skip
    said = cache_file.Texts(texts, vectors, np.array([*mirrored, len(texts) - 2, len(texts) - 1]))
    cache_file.save(path, clips, rows, said)


assert set(ACTS.values()) == set(ACTS)
assert len(JOINTS) == 22
