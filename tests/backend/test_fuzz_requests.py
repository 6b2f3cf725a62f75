"""Requests in which one thing is wrong: whatever it is, the answer is a result or one of our own errors.

``LIMBER_FUZZ_TIMES=100 pytest tests/backend/test_fuzz_requests.py`` tries a hundred times as many.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend import weights
from backend.nn import masked
from backend.nn.mogents import MoGenTS as Networks
from backend.service import Service
from backend.systems.mogents import MoGenTS
from blender_addon.motion import constraints, controls, npz, npz_archive, onward
from blender_addon.motion.constraints import Request, TextSpan
from blender_addon.motion.errors import LimberError
from blender_addon.motion.skeleton import INDEX

from .conftest import Server, make_bundle, waving
from .fuzzing import CONTROLS
from .test_onward import CODES, SIZES

TIMES = int(os.environ.get("LIMBER_FUZZ_TIMES", "1"))
FRAMES = 14
WAVES = (TextSpan("a person waves", 0, FRAMES),)
ARM = np.isin(np.arange(22), [INDEX["left_shoulder"], INDEX["left_elbow"]])[None].repeat(FRAMES, 0)


def followed(found: Any = CONTROLS) -> Request:
    """A request that follows what the text of controls says."""
    clip = waving(FRAMES)
    said = controls.load(json.dumps(found), clip.fps, FRAMES, bones={"hand.R": "right_wrist"})
    return controls.request(clip, said, system="interpolation", options={"closing": TIMES > 1})


REQUESTS: dict[str, Callable[[], Request]] = {
    "inbetween": lambda: constraints.inbetween(waving(FRAMES), (0, 6, 13), bundle="tiny"),
    "complete": lambda: constraints.complete(waving(FRAMES), ARM, system="interpolation"),
    "refine": lambda: constraints.refine(waving(FRAMES), 0.5, system="smoothing"),
    "edit": lambda: constraints.edit(waving(FRAMES), ARM, texts=WAVES, bundle="told"),
    "text": lambda: constraints.text(waving(FRAMES), WAVES, True, bundle="told"),
    "follow": followed,
    "extend": lambda: onward.extended(waving(FRAMES - 4), 4, WAVES, bundle="told"),
    "loop": lambda: onward.looped(waving(6), 4, bundle="told").request,
}
WRONG = st.one_of(
    st.sampled_from([None, True, 0, -1, 1, 2, 2**31, 2**63, 2**64, 1e-320, 1e300, float("nan"), float("inf"), "", "x",
                     "tiny", "interpolation", "mogents", "a" * 300, "\0", "\ud800", "../..", [], {}, [[]], [0, 0],
                     {"feet": 1}, {"closing": False}]),
    st.integers(), st.floats(), st.text(max_size=8),
)  # fmt: skip
VALUES = st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e-320, 1e150, 1e300, -1e308, float("nan"), float("inf")])
KINDS = st.sampled_from(["f8", "f4", "f2", "i8", "u1", "?", "U3", "S2"])


def limits(examples: int) -> settings:
    """Few examples, or as often as is asked for."""
    return settings(max_examples=examples * TIMES, deadline=None, suppress_health_check=list(HealthCheck))


def altered(found: Any, data: st.DataObject) -> Any:
    """JSON in which one thing is another one, is missing, is there twice, or is new."""
    if isinstance(found, dict | list) and found and data.draw(st.integers(0, 3), "deeper"):
        keys = list(found) if isinstance(found, dict) else list(range(len(found)))
        at = data.draw(st.sampled_from(keys), "at")
        way = data.draw(st.sampled_from(["alter", "alter", "alter", "drop", "more"]), "way")
        out: Any = found.copy()
        if way == "alter":
            out[at] = altered(found[at], data)
        elif way == "drop":
            del out[at]
        elif isinstance(out, dict):
            out[data.draw(st.sampled_from([*keys, "x"]))] = data.draw(WRONG)
        else:
            out.insert(at, found[at])
        return out
    return data.draw(WRONG, "wrong")


def spoilt(array: np.ndarray, data: st.DataObject) -> np.ndarray:
    """An array with some other numbers, of another shape, or of another type."""
    way = data.draw(st.sampled_from(["numbers", "numbers", "numbers", "shape", "type"]), "way")
    if way == "shape":
        return np.zeros(data.draw(st.lists(st.integers(0, 23), max_size=4)), array.dtype)
    if way == "type":
        with np.errstate(all="ignore"):
            return np.nan_to_num(array).astype(data.draw(KINDS))
    out = array.copy()
    if not out.size:
        return out
    some = data.draw(st.lists(st.integers(0, out.size - 1), min_size=1, max_size=4), "entries")
    value = data.draw(VALUES, "value")
    if out.dtype.kind in "iub":
        value = np.clip(np.nan_to_num(value), -100, 100)
    out.reshape(-1)[some] = value
    if data.draw(st.booleans(), "everywhere"):
        out[...] = out.reshape(-1)[some[0]]
    return out


def wrong(good: Request, data: st.DataObject, key: str | None = None) -> bytes:
    """A request's file with one entry that is not as it should be."""
    entries = npz_archive.read(npz.request_to_bytes(good), "request")
    key = key or data.draw(st.sampled_from(["meta", "meta", *sorted(entries)]), "entry")
    if key == "meta":
        meta = altered(json.loads(str(entries["meta"])), data)
        entries["meta"] = np.array(json.dumps(meta))
    else:
        entries[key] = spoilt(entries[key], data)
    return npz_archive.write(entries)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Bundles of the smallest size, random, for keys and for texts."""
    folder = tmp_path_factory.mktemp("weights")
    make_bundle(folder / "tiny")
    torch.manual_seed(0)
    network = Networks(CODES, SIZES)
    network.quantiser.codebooks.books.normal_()
    told, tensors = MoGenTS(network, frozenset({"text", "edit"}), 64, masked.Sampling(steps=3)).to_bundle()
    weights.save(folder / "told", {"mogents": tensors}, {"mogents": told}, family="open", licence="none", data=[],
                 card="", metrics={})  # fmt: skip
    return Service([folder])


def answer(service: Service, file: bytes) -> None:
    """Read and answer; anything but a result of numbers or an error of ours is a defect."""
    with contextlib.suppress(LimberError):
        result = service.run(npz.request_from_bytes(file, 1 << 24))
        for clip in result.clips:
            assert np.isfinite(clip.rotations).all()
            assert np.isfinite(clip.root_positions).all()
        npz.result_to_bytes(result)


@pytest.mark.parametrize("task", REQUESTS)
@limits(5)
@given(data=st.data())
def test_one_thing_wrong_is_answered_or_refused(service: Service, task: str, data: st.DataObject) -> None:
    answer(service, wrong(REQUESTS[task](), data))


@limits(40)
@given(data=st.data())
def test_controls_of_which_one_thing_is_wrong(service: Service, data: st.DataObject) -> None:
    with contextlib.suppress(LimberError):
        found = altered(CONTROLS, data)
        request = followed(
            found if isinstance(found, dict) else {"pins": found}
        )  # other text would be a path
        if TIMES > 1:
            answer(service, npz.request_to_bytes(request))


@limits(25)
@given(task=st.sampled_from(sorted(REQUESTS)), data=st.data())
def test_the_server_says_why_and_has_no_defect(server: Server, task: str, data: st.DataObject) -> None:
    said = server.call("POST", "/v1/jobs", wrong(REQUESTS[task](), data))
    if said.status == 201:
        server.call("DELETE", f"/v1/jobs/{said.json['job']}")
    else:
        assert 400 <= said.status < 500, said.body
        assert said.error["message"]
