"""Bundles: what is written is what is read, and anything else is refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from backend import service, weights
from backend.systems.mmdm import MMDM
from blender_addon.motion.errors import WeightsError
from blender_addon.motion.skeleton import JOINTS

from .conftest import make_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "tiny")


def save(path: Path, tensors: dict[str, torch.Tensor], **settings: Any) -> weights.Bundle:
    return weights.save(path, {"s": tensors}, {"s": {"architecture": {}, "tasks": ["inbetween"]}}, family="open",
                        licence="CC0-1.0", data=["a", "b"], card="card", metrics={"x": 1}, **settings)  # fmt: skip


def test_round_trip_is_float16_on_disk_and_float32_in_memory(tmp_path: Path) -> None:
    tensors = {"w": torch.randn(7, 5), "n": torch.arange(4), "flag": torch.tensor([True, False]),
               "scalar": torch.tensor(0.1), "empty": torch.zeros(0, 3)}  # fmt: skip
    bundle = save(tmp_path / "b", tensors)
    read = bundle.tensors("s")
    assert read.keys() == tensors.keys()
    for key, tensor in tensors.items():
        expected = tensor.half().float() if tensor.is_floating_point() else tensor
        assert read[key].dtype == expected.dtype
        assert torch.equal(read[key], expected)
    assert (bundle.metrics, bundle.config["data"], bundle.name) == ({"x": 1}, ["a", "b"], "b")
    assert tuple(bundle.config["skeleton"]) == JOINTS


def test_full_precision_is_kept_where_asked_for(tmp_path: Path) -> None:
    tensor = torch.randn(100, dtype=torch.float32)
    assert torch.equal(save(tmp_path / "b", {"w": tensor}, half=False).tensors("s")["w"], tensor)


def test_tensors_that_share_memory_are_written(tmp_path: Path) -> None:
    one = torch.randn(4, 4)
    read = save(tmp_path / "b", {"a": one, "b": one.T}).tensors("s")
    assert torch.equal(read["b"], read["a"].T)


def test_the_same_weights_give_the_same_file(tmp_path: Path) -> None:
    assert (
        weights.load(make_bundle(tmp_path / "a")).sha256 == weights.load(make_bundle(tmp_path / "b")).sha256
    )


def test_a_network_comes_back_and_computes_the_same(folder: Path) -> None:
    bundle = weights.load(folder)
    first, second = service.build(bundle, "mmdm"), service.build(bundle, "mmdm")
    assert isinstance(first, MMDM)
    assert isinstance(second, MMDM)
    assert not first.network.training
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert a.dtype == torch.float32
        assert torch.equal(a, b)


@pytest.mark.parametrize("value", [1e6, float("nan"), float("-inf")])
def test_values_that_float16_cannot_hold_are_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(WeightsError, match=r"s\.w has values that are not finite"):
        save(tmp_path / "b", {"w": torch.tensor([value])})


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        change(config)
        (folder / "config.json").write_text(json.dumps(config))

    return apply


def damaged(folder: Path) -> None:
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)


def shortened(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:-10])


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "unknown key": (edited(lambda c: c.update(extra=1)), "unknown extra"),
    "missing key": (edited(lambda c: c.pop("licence")), "missing licence"),
    "missing system key": (edited(lambda c: c["systems"]["mmdm"].pop("tasks")), "missing tasks"),
    "unknown system": (
        edited(lambda c: c["systems"].update(oracle=c["systems"].pop("mmdm"))),
        "does not know",
    ),
    "helper for a system": (edited(lambda c: c["systems"].update(base=c["systems"].pop("mmdm"))), "base"),
    "no systems": (edited(lambda c: c.update(systems={})), "no systems"),
    "older format": (edited(lambda c: c.update(format=0)), "format 0"),
    "newer format": (edited(lambda c: c.update(format=2)), "format 2"),
    "format as text": (edited(lambda c: c.update(format="1")), "format '1'"),
    "unknown family": (edited(lambda c: c.update(family="secret")), "family 'secret'"),
    "other skeleton": (edited(lambda c: c["skeleton"].reverse()), "another skeleton"),
    "a list": (lambda f: (f / "config.json").write_text("[]"), "table"),
    "not JSON": (lambda f: (f / "config.json").write_text("{"), r"config\.json cannot be read"),
    "no config": (lambda f: (f / "config.json").unlink(), r"no config\.json"),
    "no metrics": (lambda f: (f / "metrics.json").unlink(), r"no metrics\.json"),
    "no card": (lambda f: (f / "card.md").unlink(), r"no card\.md"),
    "no model": (lambda f: (f / "model.safetensors").unlink(), r"no model\.safetensors"),
    "one bit flipped": (damaged, "damaged"),
    "cut short": (shortened, "damaged"),
    "empty model": (lambda f: (f / "model.safetensors").write_bytes(b""), "damaged"),
    "another width": (
        edited(lambda c: c["systems"]["mmdm"]["architecture"].update(pose_width=32)),
        "do not fit",
    ),
    "unknown entry of a system": (edited(lambda c: c["systems"]["mmdm"].update(extra=1)), "unknown extra"),
    "missing entry of a system": (edited(lambda c: c["systems"]["mmdm"].pop("window")), "window"),
    "unknown setting": (edited(lambda c: c["systems"]["mmdm"]["architecture"].update(depth=9)), "do not fit"),
}


def use(folder: Path) -> None:
    bundle = weights.load(folder)
    service.build(bundle, next(iter(bundle.systems)))


@pytest.mark.parametrize("name", WRONG)
def test_a_bundle_that_is_not_right_is_refused(folder: Path, name: str) -> None:
    change, message = WRONG[name]
    change(folder)
    with pytest.raises(WeightsError, match=message):
        use(folder)


def test_missing_and_unknown_tensors_are_refused(tmp_path: Path) -> None:
    whole = weights.load(make_bundle(tmp_path / "whole"))
    entry, tensors = whole.systems["mmdm"], whole.tensors("mmdm")
    for change in (lambda t: t.popitem(), lambda t: t.update(surprise=torch.zeros(1))):
        wrong = dict(tensors)
        change(wrong)
        bundle = weights.save(tmp_path / "wrong", {"mmdm": wrong}, {"mmdm": entry}, family="open", licence="x", data=[],
                              card="", metrics={})  # fmt: skip
        with pytest.raises(WeightsError, match="do not fit"):
            service.build(bundle, "mmdm")


def test_states_and_entries_have_to_agree(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="agree"):
        weights.save(tmp_path / "b", {"s": {}}, {}, family="open", licence="", data=[], card="", metrics={})


def test_bundles_are_discovered_by_name_and_the_first_counts(tmp_path: Path) -> None:
    for path in ("mine/open", "theirs/open", "theirs/research"):
        make_bundle(tmp_path / path)
    (tmp_path / "theirs" / "notes").mkdir()
    found = weights.discover([tmp_path / "mine" / "open", tmp_path / "theirs", tmp_path / "nowhere"])
    assert found == {"open": tmp_path / "mine" / "open", "research": tmp_path / "theirs" / "research"}
