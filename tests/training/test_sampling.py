"""Ways of drawing are compared on validation captions, and the chosen one is written into the bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend import text, weights
from backend.systems.ropar import RoPAR
from tests.training import acted
from training import sampling
from training.__main__ import main
from training.config import PRESETS
from training.export import system_of
from training.train import averaged, train


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A cache with captions, and a bundle with a tiny RoPAR."""
    folder = tmp_path_factory.mktemp("sampling")
    data, first = folder / "cache.npz", folder / "vae"
    acted.write(data, validation=True)
    train(PRESETS["ropar-vae-tiny"], first, data, device="cpu", threads=1)
    train(PRESETS["ropar-tiny"], folder / "run", data, start=first / "last.pt", device="cpu", threads=1)
    system = system_of(*averaged(folder / "run" / "last.pt"))
    assert isinstance(system, RoPAR)
    entry, tensors = system.to_bundle()
    weights.save(
        folder / "bundle", {"ropar": tensors}, {"ropar": entry}, family="research", licence="none", data=[], card="",
        metrics={"text": {}}, text_encoder={"name": text.PACKAGE, "sha256": text.SHA256},
    )  # fmt: skip
    return data, folder / "bundle"


def test_settings_are_read_from_words() -> None:
    assert sampling.changes("steps=20, guidance=2.5") == {"steps": 20, "guidance": 2.5}
    assert sampling.changes("") == {}
    for wrong in ("steps", "steps=many", "=,"):
        with pytest.raises(ValueError, match="NAME=NUMBER"):
            sampling.changes(wrong)


def test_ways_of_drawing_stand_beside_the_truth(made: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    data, bundle = made
    call = ["sampling", str(bundle), "--data", str(data), "--system", "ropar", "--most", "8"]
    assert main([*call, "--try", "steps=2,temperature=0"]) == 0
    said = capsys.readouterr().out
    assert all(f"| {row} |" in said for row in ("as it is", "steps 2, temperature 0", "truth"))
    assert main([*call, "--try", "loudness=1"]) == 1
    assert "no setting 'loudness'" in capsys.readouterr().err


def test_the_chosen_way_is_written_and_nothing_else(made: tuple[Path, Path]) -> None:
    _, bundle = made
    before = weights.load(bundle)
    tensors = before.tensors("ropar")
    assert main(["sampling", str(bundle), "--data", "-", "--system", "ropar", "--set", "steps=3"]) == 0
    after = weights.load(bundle)
    assert after.systems["ropar"]["sampling"] == {**before.systems["ropar"]["sampling"], "steps": 3}
    rest = lambda b: {k: v for k, v in b.systems["ropar"].items() if k != "sampling"}  # noqa: E731
    assert rest(after) == rest(before)
    assert all((after.tensors("ropar")[k] == v).all() for k, v in tensors.items())
    assert after.metrics == before.metrics
