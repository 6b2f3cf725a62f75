"""Random bytes and damaged files for every parser: nothing but our own errors may come out.

``python -m tests.backend.fuzzing --seconds 60 -o out/fuzz.json`` gives every parser a minute; the
test runs the same for a moment. A seed names the whole run; what fails is kept as a file.
"""

from __future__ import annotations

import argparse
import io
import json
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.motion import bvh, controls, npz
from blender_addon.motion.bone_maps import BoneMap, find
from blender_addon.motion.constraints import Result
from blender_addon.motion.errors import LimberError

from .conftest import keyed, make_bundle, waving

WORDS = (b"nan", b"-1", b"1e999", b"\0", b"\xff\xfe", b"{", b"[", b"End Site", b"JOINT", b"MOTION", b"99999999999",
         b"\x93NUMPY", b"PK\x03\x04", b'"', b"null", b"\xf0\x9f\xa6\xb4", b"F64", b"..", b"/etc/passwd")  # fmt: skip

CONTROLS: dict[str, Any] = {
    "version": 1, "up": "Z", "unit": 1.0,
    "pins": [{"joint": "left_wrist", "frames": [2, 5], "position": [0.4, -0.3, 1.2], "firmness": 0.5},
             {"bone": "hand.R", "frames": [3, 4], "positions": [[-0.5, 0, 1], [-0.4, 0, 1]], "name": "Hand"},
             {"joint": "left_ankle", "frames": 10, "position": "present", "offset": [0, 0.1, 0]}],
    "path": {"points": [[0, 0], [0, -0.2], [0.1, -0.3]], "frames": [0, 9], "heading": "along", "closed": False,
             "fractions": [[0, 0], [9, 1]]},
    "waypoints": [{"frame": 12, "position": [0.05, -0.2], "heading": 20}],
}  # fmt: skip
"""Every kind of entry of controls, on a clip of 14 frames; the bone is the right wrist's."""


@dataclass
class Outcome:
    """How a parser fared.

    Attributes:
        tried, taken, refused: inputs, those that were read, those refused with an error of ours.
        seconds: how long it took; ``slowest`` the longest of one input.
        failed: what came out otherwise, with the input's file.
    """

    tried: int = 0
    taken: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    failed: list[dict[str, str]] = field(default_factory=list)


def damage(rng: np.random.Generator, good: bytes) -> bytes:
    """A file that was cut, overwritten, mixed or never was one."""
    data = bytearray(good)
    if rng.random() < 0.1:
        return rng.bytes(int(rng.integers(0, 4000)))
    for _ in range(int(rng.integers(1, 8))):
        at = int(rng.integers(0, len(data) + 1))
        if rng.random() < 0.5:  # the head and the end of a file are where its structure stands
            at = (
                min(len(data), int(rng.integers(0, 300)))
                if rng.random() < 0.5
                else max(0, len(data) - at % 300)
            )
        way = int(rng.integers(0, 6))
        if way == 0:
            data[at : at + 1] = rng.bytes(1)
        elif way == 1:
            data[at : at + int(rng.integers(1, 64))] = b""
        elif way == 2:
            data[at:at] = WORDS[int(rng.integers(len(WORDS)))]
        elif way == 3:
            data[at : at + 8] = struct.pack("<Q", int(rng.integers(0, 2**63)))
        elif way == 4:
            data[at:at] = data[: int(rng.integers(0, 200))]
        else:
            del data[at:]
    return bytes(data)


def parsers(folder: Path) -> Mapping[str, tuple[bytes, Callable[[bytes], Any]]]:
    """Name -> (a good file, what reads it)."""
    from backend import weights

    bundle = make_bundle(folder / "tiny")

    def tensors(data: bytes) -> Any:
        """As if the hash did not protect it: an author of a bundle can write any hash."""
        (bundle / weights.MODEL).write_bytes(data)
        loaded = weights.load(bundle)
        object.__setattr__(
            loaded, "config", {**loaded.config, "sha256": weights._sha256(bundle / weights.MODEL)}
        )
        return loaded.tensors("mmdm")

    def config(data: bytes) -> Any:
        (bundle / weights.CONFIG).write_bytes(data)
        return weights.load(bundle)

    def entry(archive: bytes, name: str) -> tuple[bytes, Callable[[bytes], bytes]]:
        """One entry of an archive, and the archive with another one there: otherwise checksums refuse nearly all."""
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            entries = {info.filename: file.read(info) for info in file.infolist()}

        def with_other(data: bytes) -> bytes:
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as file:
                for key, value in {**entries, name: data}.items():
                    file.writestr(key, value)
            return out.getvalue()

        return entries[name], with_other

    good_config = (bundle / weights.CONFIG).read_bytes()
    meta, with_meta = entry(npz.request_to_bytes(keyed(6)), "meta.npy")
    turned, with_turned = entry(npz.clip_to_bytes(waving(6)), "clip.rotations.npy")
    take = folder / "take.npz"
    npz.save_amass(take, waving(6))
    poses, with_poses = entry(take.read_bytes(), "poses.npy")

    def amass(data: bytes) -> Any:
        take.write_bytes(with_poses(data))
        return npz.load_amass(take, max_bytes=1 << 24)

    bones = find(waving(2).skeleton)
    answered = Result((waving(6),), waving(6), {"system": "none"})
    return {
        "bvh": (bvh.format(waving(6)).encode(), lambda d: bvh.parse(bvh.decode(d, "fuzz.bvh"), "fuzz.bvh")),
        "npz request": (npz.request_to_bytes(keyed(6)), lambda d: npz.request_from_bytes(d, 1 << 24)),
        "npz clip": (npz.clip_to_bytes(waving(6)), lambda d: npz.clip_from_bytes(d, 1 << 24)),
        "npz meta": (meta, lambda d: npz.request_from_bytes(with_meta(d), 1 << 24)),
        "npz array": (turned, lambda d: npz.clip_from_bytes(with_turned(d), 1 << 24)),
        "npz result": (npz.result_to_bytes(answered), lambda d: npz.result_from_bytes(d, 1 << 24)),
        "AMASS": (poses, amass),
        "controls": (
            json.dumps(CONTROLS).encode(),
            lambda d: controls.load(
                "{" + d.decode("utf-8", "replace").lstrip("{"), 30.0, 14, bones={"hand.R": "right_wrist"}
            ),
        ),
        "safetensors": ((bundle / weights.MODEL).read_bytes(), tensors),
        "config.json": (good_config, config),
        "bone map": (bones.to_json().encode(), lambda d: BoneMap.from_json(d.decode("utf-8", "replace"))),
    }


def run(
    good: bytes, read: Callable[[bytes], Any], seconds: float, seed: int, kept: Path | None = None
) -> Outcome:
    """Damage ``good`` in ever new ways and read it."""
    rng, outcome, began = np.random.default_rng(seed), Outcome(), time.monotonic()
    while time.monotonic() - began < seconds:
        data, start = damage(rng, good), time.monotonic()
        try:
            read(data)
            outcome.taken += 1
        except LimberError:
            outcome.refused += 1
        except Exception as error:  # noqa: BLE001  whatever comes out is what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            entry = {
                "error": f"{type(error).__name__}: {error}"[:300],
                "at": f"{where.filename}:{where.lineno}",
            }
            if kept is not None and len(outcome.failed) < 20:
                path = kept / f"failed-{seed}-{outcome.tried}.bin"
                path.write_bytes(data)
                entry["file"] = str(path)
            outcome.failed.append(entry)
        outcome.tried += 1
        outcome.slowest = max(outcome.slowest, time.monotonic() - start)
    outcome.seconds = time.monotonic() - began
    return outcome


def main() -> int:
    """Command line; 1 where anything but our own errors came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="for each parser (default 600)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], metavar="PARSER")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {"seed": options.seed, "seconds each": options.seconds, "parsers": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name, (good, read) in parsers(Path(folder)).items():
            if not options.only or name in options.only:
                outcome = run(good, read, options.seconds, options.seed, options.output.parent)
                told["parsers"][name] = vars(outcome)
                print(
                    name,
                    {k: v for k, v in vars(outcome).items() if k != "failed"},
                    len(outcome.failed),
                    "failed",
                )
                for entry in outcome.failed[:3]:
                    print("   ", entry)
    options.output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return int(any(outcome["failed"] for outcome in told["parsers"].values()))


if __name__ == "__main__":
    sys.exit(main())
