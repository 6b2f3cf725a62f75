"""From a checkpoint to a bundle that the backend loads, and what its card says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend import weights
from backend.__main__ import main as limber
from backend.nn.denoiser import Denoiser
from backend.service import Service
from blender_addon.motion import constraints, npz
from tests.training.material import shrunk, swinging
from tests.training.test_prepare_readers import amass_folder, body_model, humanml3d_folder
from training.__main__ import main
from training.config import PRESETS
from training.export import export, remeasure, system_of
from training.train import train


@pytest.fixture(scope="module")
def checkpoints(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for preset in ("pose-open", "kaa-open", "pose"):
        train(shrunk(preset, steps=6, rate=3e-3), folder / preset, data, device="cpu", threads=1)
    return {p: folder / p / "last.pt" for p in ("pose-open", "kaa-open", "pose")}


@pytest.fixture(scope="module")
def bundle(
    checkpoints: dict[str, Path], data: Path, tmp_path_factory: pytest.TempPathFactory
) -> weights.Bundle:
    both = [checkpoints["kaa-open"], checkpoints["pose-open"]]
    return export(both, data, tmp_path_factory.mktemp("bundles") / "open", most=1, notes="Tried: little.")


def test_limber_fills_a_request_with_an_exported_bundle(bundle: weights.Bundle, tmp_path: Path) -> None:
    service = Service([bundle.path.parent])
    entry = next(m for m in service.models() if m["name"] == "open")
    assert not entry["problem"]
    assert set(entry["systems"]) == {"mmdm", "pose"}
    request = constraints.inbetween(swinging(3, 50), [0, 20, 49])
    for name in ("auto", "mmdm", "pose"):
        result = service.run(constraints.Request(**{**request.__dict__, "system": name}))
        assert result.report["system"] == ("mmdm" if name == "auto" else name)
        assert result.report["key_change"] == 0.0
        assert not np.array_equal(result.clips[0].rotations, result.baseline.rotations)
    npz.save_request(tmp_path / "request.npz", request)
    call = [
        "run",
        str(tmp_path / "request.npz"),
        "-o",
        str(tmp_path / "result.npz"),
        "--weights",
        str(bundle.path),
    ]
    assert limber(call) == 0
    assert len(npz.load_result(tmp_path / "result.npz").clips[0]) == 50


def test_the_card_says_what_it_is_and_only_what_was_measured(bundle: weights.Bundle) -> None:
    card = (bundle.path / "card.md").read_text()
    assert card.startswith("# Limber `open`")
    assert "`mmdm`" in card
    assert "`pose`" in card
    assert "CMU" in card
    assert "ReActIdle" in card
    assert "Bandai" not in card.split("## Measured")[0]
    assert "Tried: little." in card
    metrics = json.loads((bundle.path / "metrics.json").read_text(), parse_constant=pytest.fail)
    cell = metrics["inbetween"]["cmu subjects"]["15"]["model"]["error_cm"]
    assert f"{cell:.2f}" in card
    columns = set(metrics["inbetween"]["cmu subjects"]["15"])
    assert columns == {"windows", "model", "pose", "interpolation", "zero velocity", "truth"}


def test_a_system_does_what_its_masks_taught_it() -> None:
    tasks = {}
    for preset in ("pose", "kaa", "mmdm"):
        config = shrunk(preset)
        tasks[preset] = system_of(config, Denoiser(config.architecture)).tasks
    assert tasks == {
        "pose": {"inbetween"}, "kaa": {"inbetween"}, "mmdm": {"inbetween", "complete", "refine"},
    }  # fmt: skip


def test_measuring_the_bundle_again_gives_nearly_the_same(bundle: weights.Bundle, data: Path) -> None:
    again, first = remeasure(bundle.path, data, 1), bundle.metrics
    for row, gaps in first["inbetween"].items():
        for gap, cells in gaps.items():
            measured = again["inbetween"][row][gap]
            assert measured["interpolation"] == cells["interpolation"]
            assert measured["model"]["error_cm"] == pytest.approx(cells["model"]["error_cm"], rel=0.05)


def test_one_bundle_has_one_family_and_open_means_open(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="one family"):
        export([checkpoints["kaa-open"], checkpoints["pose"]], data, tmp_path / "b", most=1)
    train(shrunk("pose", family="open"), tmp_path / "run", data, device="cpu", threads=1)
    with pytest.raises(ValueError, match="bandai_namco"):
        export([tmp_path / "run" / "last.pt"], data, tmp_path / "b", most=1)
    assert not (tmp_path / "b").exists()


def test_two_checkpoints_of_one_system_are_refused(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="pose"):
        export([checkpoints["pose-open"], checkpoints["pose-open"]], data, tmp_path / "b", most=1)


def test_the_commands_export_and_evaluate(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, notes = tmp_path / "research", tmp_path / "notes.md"
    notes.write_text("Nothing else was tried.")
    common = ["--data", str(data), "--most", "1"]
    assert main(["export", str(checkpoints["pose"]), *common, "-o", str(out), "--notes", str(notes)]) == 0
    assert "CC BY-NC" in (out / "card.md").read_text()
    assert main(["evaluate", str(out), *common, "--report", str(tmp_path / "report")]) == 0
    assert "joint error" in capsys.readouterr().out
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert (tmp_path / "report" / "tables.md").read_text().startswith("**bandai_namco takes**")
    assert main(["evaluate", str(tmp_path / "nothing"), *common]) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
@pytest.mark.parametrize("collection", ["AMASS", "HumanML3D"])
def test_a_collection_becomes_a_bundle_that_the_backend_loads(
    collection: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands as the README has them, on small folders of the real formats."""
    monkeypatch.setitem(PRESETS, "small", shrunk("tiny"))
    models, data, out = tmp_path / "models", tmp_path / "motion.npz", tmp_path / "bundles" / "own"
    if collection == "AMASS":
        pytest.importorskip("smplx")
        body_model(models / "smplh" / "male" / "model.npz")
        body_model(models / "SMPLH_FEMALE.npz", taller=0.05)
        folder = amass_folder(tmp_path / "AMASS")
    else:
        folder = humanml3d_folder(tmp_path / "HumanML3D")
    prepare = [
        "prepare",
        str(folder),
        "-o",
        str(data),
        "--splits",
        str(tmp_path / "splits.json"),
        "--no-embeddings",
    ]
    assert main([*prepare, "--body-models", str(models)]) == 0
    assert main(["train", "small", "--data", str(data), "-o", str(tmp_path / "run"), "--threads", "1"]) == 0
    assert (
        main(
            ["export", str(tmp_path / "run" / "last.pt"), "--data", str(data), "-o", str(out), "--most", "1"]
        )
        == 0
    )
    service = Service([out.parent])
    entry = next(m for m in service.models() if m["name"] == "own")
    assert not entry["problem"]
    assert entry["family"] == "research"
    assert any(collection in line for line in entry["data"])
    request = constraints.inbetween(swinging(3, 50), [0, 20, 49], bundle="own")
    assert service.run(request).report["key_change"] == 0.0
