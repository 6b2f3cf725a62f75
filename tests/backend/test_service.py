"""The service: which bundle, which system, what is kept in memory, what the report says."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.service import PACKAGED, Service
from blender_addon.motion import constraints, rotations
from blender_addon.motion.errors import InvalidRequestError, JobCancelled, WeightsError

from .conftest import keyed, make_bundle, waving


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles with the names of the real ones."""
    return shadowed(tmp_path_factory.mktemp("weights"))


def shadowed(folder: Path) -> Path:
    """Bundles that only fill in between keys, in place of all that came along."""
    for name in sorted(
        {"open", "research", *(p.name for p in PACKAGED.iterdir() if (p / "config.json").exists())}
    ):
        make_bundle(folder / name, family="open" if name == "open" else "research")
    return folder


@pytest.fixture
def service(folders: Path) -> Service:
    return Service([folders])


def with_task(task: str, **settings: Any) -> constraints.Request:
    return constraints.Request(**{**keyed(**settings).__dict__, "task": task})


def test_open_is_the_default_and_auto_takes_its_first_system(service: Service) -> None:
    result = service.run(keyed())
    assert {k: result.report[k] for k in ("bundle", "family", "system")} == {
        "bundle": "open",
        "family": "open",
        "system": "mmdm",
    }
    assert result.report["licence"] == "GPL-3.0-or-later"
    assert result.report["sha256"] == next(m for m in service.models() if m["default"])["sha256"]


def test_a_bundle_by_name(service: Service) -> None:
    assert service.run(keyed(bundle="research")).report["family"] == "research"


def test_a_given_folder_comes_before_the_installed_one(folders: Path, tmp_path: Path) -> None:
    mine = tmp_path / "open"
    shutil.copytree(folders / "research", mine)
    assert Service([mine, folders]).run(keyed()).report["family"] == "research"


def test_interpolation_needs_no_weights_and_is_the_baseline_where_keys_have_nothing_to_smooth(
    service: Service,
) -> None:
    result = service.run(keyed(40, (0, 39), system="interpolation"))
    assert "bundle" not in result.report
    assert rotations.angle_between(result.clips[0].rotations, result.baseline.rotations).max() < 1e-6
    assert np.allclose(result.clips[0].root_positions, result.baseline.root_positions, atol=1e-9)


@pytest.mark.parametrize("system", ["mmdm", "interpolation"])
def test_keys_are_kept_bit_for_bit(service: Service, system: str) -> None:
    request = keyed(70, (0, 7, 8, 40, 69), system=system, variations=2)
    for clip in service.run(request).clips:
        assert np.array_equal(
            clip.rotations[request.rotation_known], request.clip.rotations[request.rotation_known]
        )
        assert np.array_equal(
            clip.root_positions[request.root_known], request.clip.root_positions[request.root_known]
        )


def test_the_same_seed_gives_the_same_result_in_another_service(folders: Path) -> None:
    a, b = (Service([folders]).run(keyed(seed=9, variations=2)) for _ in range(2))
    for x, y in zip(a.clips, b.clips, strict=True):
        assert np.array_equal(x.rotations, y.rotations)


@pytest.mark.parametrize(
    ("request_", "field", "message"),
    [
        (lambda: keyed(bundle="nowhere"), "bundle", "Installed: .*open.*research"),
        (lambda: keyed(system="magic"), "system", "Use auto, mmdm, interpolation"),
        (lambda: with_task("text"), "task", "No installed model does"),
        (lambda: with_task("text", system="mmdm"), "task", "mmdm cannot do 'text'"),
        (lambda: with_task("text", system="interpolation"), "task", "interpolation cannot do 'text'"),
        (lambda: with_task("refine", system="mmdm"), "task", "Use smoothing"),
        (lambda: keyed(options={"sparkle": 1}), "options", "sparkle"),
        (lambda: keyed(20_000, variations=64), "variations", "Ask for fewer"),
    ],
)
def test_what_cannot_be_done_says_what_can(service: Service, request_: Any, field: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message) as raised:
        service.run(request_())
    assert raised.value.field == field
    assert raised.value.remedy


def refining(folder: Path, family: str) -> None:
    """A bundle whose one system refines."""
    import torch

    from backend import weights
    from backend.nn.denoiser import Architecture, Denoiser
    from backend.systems.mmdm import MMDM

    torch.manual_seed(0)
    network = Denoiser(
        Architecture(pose_width=16, joint_width=8, heads=2, joint_heads=2, hidden=32, rounds=1)
    )
    settings, tensors = MMDM(network, frozenset({"refine"}), 32, 2).to_bundle()
    weights.save(folder, {"mmdm": tensors}, {"mmdm": settings}, family=family, licence=f"{folder.name}'s", data=[],
                 card="", metrics={})  # fmt: skip


def test_who_can_answers_where_the_default_cannot(tmp_path: Path) -> None:
    shadowed(tmp_path)
    refining(tmp_path / "a-research", "research")
    service = Service([tmp_path])
    found = service.run(with_task("refine")).report
    assert (found["bundle"], found["licence"]) == ("a-research", "a-research's")
    assert service.run(keyed()).report["bundle"] == "open", "what the default can do, it does"
    refining(tmp_path / "z-open", "open")
    service = Service([tmp_path])
    assert service.run(with_task("refine")).report["bundle"] == "z-open", "its own family comes first"
    assert service.run(with_task("refine", system="mmdm")).report["bundle"] == "z-open"
    assert service.run(with_task("refine", bundle="open")).report["bundle"] == "z-open"


def test_a_named_bundle_answers_with_its_own_family_alone(tmp_path: Path) -> None:
    shadowed(tmp_path)
    refining(tmp_path / "other", "research")
    with pytest.raises(InvalidRequestError, match=r"open cannot do 'refine'. Use mmdm \(other\)"):
        Service([tmp_path]).run(with_task("refine", bundle="open"))


def test_a_damaged_bundle_is_passed_over_for_those_that_can(tmp_path: Path) -> None:
    shadowed(tmp_path)
    refining(tmp_path / "a", "open")
    refining(tmp_path / "b", "open")
    (tmp_path / "a" / "config.json").write_text("{}")
    assert Service([tmp_path]).run(with_task("refine")).report["bundle"] == "b"


def test_models_are_kept_and_released(service: Service) -> None:
    def loaded() -> dict[str, list[str]]:
        return {m["name"]: m["loaded"] for m in service.models() if m["name"]}

    assert loaded()["open"] == []
    service.warm()
    assert loaded()["open"] == ["mmdm"]
    service.run(keyed(bundle="research"))
    assert loaded()["research"] == ["mmdm"]
    service.release()
    assert not any(loaded().values())
    assert service.run(keyed()).report["system"] == "mmdm"


def test_a_damaged_bundle_is_listed_with_its_problem_and_spares_the_others(
    folders: Path, tmp_path: Path
) -> None:
    shutil.copytree(folders, tmp_path / "w")
    (tmp_path / "w" / "research" / "config.json").write_text("{}")
    model = tmp_path / "w" / "open" / "model.safetensors"
    service = Service([tmp_path / "w"])
    entries = {m["name"]: m for m in service.models()}
    assert "format" in entries["research"]["problem"]
    assert not entries["open"]["problem"]
    with pytest.raises(WeightsError, match="format"):
        service.run(keyed(bundle="research"))
    assert service.run(keyed()).report["system"] == "mmdm"
    service.release()
    model.write_bytes(model.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="damaged"):
        service.run(keyed())


def test_without_any_bundle_there_is_interpolation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("backend.service.PACKAGED", tmp_path)
    service = Service()
    service.warm()
    assert [m["name"] for m in service.models()] == [""]
    assert service.run(keyed()).report["system"] == "interpolation"
    with pytest.raises(InvalidRequestError, match="Installed: none"):
        service.run(keyed(bundle="open"))


def test_smoothing_refines_where_no_model_can(service: Service) -> None:
    assert service.run(with_task("refine")).report["system"] == "smoothing"


def test_progress_counts_up_and_cancel_is_looked_at_before_every_step(service: Service) -> None:
    seen: list[tuple[int, int]] = []
    service.run(keyed(variations=3), lambda step, total: seen.append((step, total)))
    assert [step for step, _ in seen] == sorted(step for step, _ in seen)
    assert len({total for _, total in seen}) == 1
    assert seen[-1][0] == seen[-1][1]
    looks = 0

    def cancelled() -> bool:
        nonlocal looks
        looks += 1
        return looks > 2

    with pytest.raises(JobCancelled):
        service.run(keyed(variations=3), cancelled=cancelled)
    assert looks == 3
    assert service.run(keyed()).clips


def test_runs_from_several_threads_do_not_disturb_each_other(service: Service) -> None:
    expected = [service.run(keyed(seed=s, variations=2)).clips[1].rotations for s in range(3)]
    found: dict[int, np.ndarray] = {}

    def one(seed: int) -> None:
        found[seed] = service.run(keyed(seed=seed, variations=2)).clips[1].rotations

    threads = [threading.Thread(target=one, args=(s,)) for s in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, turned in enumerate(expected):
        assert np.array_equal(found[seed], turned)


@pytest.mark.parametrize("fps", [12, 23.976, 24, 25, 30, 60, 120])
def test_any_rate(service: Service, fps: float) -> None:
    clip = waving(50, fps)
    request = constraints.inbetween(clip, (0, 13, 49))
    result = service.run(request)
    assert (len(result.clips[0]), result.clips[0].fps) == (50, fps)
    assert np.array_equal(result.clips[0].rotations[13], clip.rotations[13])


@pytest.mark.parametrize("name", ["open", "research"])
def test_the_bundles_that_come_along_are_sound(name: str) -> None:
    if not (PACKAGED / name / "config.json").is_file():
        pytest.skip(f"the {name} bundle is not in this checkout")
    entry = next(m for m in Service().models() if m["name"] == name)
    assert not entry["problem"]
    assert entry["family"] == name
    assert any("inbetween" in tasks for tasks in entry["systems"].values())
    assert sum(path.stat().st_size for path in (PACKAGED / name).iterdir()) <= 30 << 20
    assert Service().run(keyed(bundle=name)).report["key_change"] == 0
