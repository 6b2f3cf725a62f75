"""Random bytes and damaged files for every parser: nothing but our own errors may come out.

``python -m tests.backend.fuzzing --seconds 60 -o out/fuzz.json`` gives every parser a minute; the
test runs the same for a moment. A seed names the whole run; what fails is kept as a file.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.motion import bvh, npz
from blender_addon.motion.bone_maps import BoneMap, find
from blender_addon.motion.errors import LimberError

from .conftest import keyed, make_bundle, waving

WORDS = (b"nan", b"-1", b"1e999", b"\0", b"\xff\xfe", b"{", b"[", b"End Site", b"JOINT", b"MOTION", b"99999999999",
         b"\x93NUMPY", b"PK\x03\x04", b'"', b"null", b"\xf0\x9f\xa6\xb4", b"F64", b"..", b"/etc/passwd")  # fmt: skip


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

    good_config = (bundle / weights.CONFIG).read_bytes()
    bones = find(waving(2).skeleton)
    return {
        "bvh": (bvh.format(waving(6)).encode(), lambda d: bvh.parse(bvh.decode(d, "fuzz.bvh"), "fuzz.bvh")),
        "npz request": (npz.request_to_bytes(keyed(6)), lambda d: npz.request_from_bytes(d, 1 << 24)),
        "npz clip": (npz.clip_to_bytes(waving(6)), lambda d: npz.clip_from_bytes(d, 1 << 24)),
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
