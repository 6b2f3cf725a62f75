"""Batches on a Ray cluster of two nodes on this machine; skipped where Ray is not installed (the extra ``ray``)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import __main__, scene_files  # noqa: E402
from blender_addon.batch import plan, ray_cluster  # noqa: E402
from blender_addon.motion import bvh  # noqa: E402
from tests.blender_addon import characters  # noqa: E402
from tests.motion.walking import walk  # noqa: E402


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three clips, one of them cut short, and a character."""
    clip, _ = walk(steps=2)
    for name in ("a", "b", "cut"):
        bvh.save(tmp_path / f"{name}.bvh", clip)
    text = (tmp_path / "cut.bvh").read_text()
    (tmp_path / "cut.bvh").write_text(text[: len(text) // 2])
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene_files.save(tmp_path / "hero.blend", characters.make_person("Hero"), 1, 2)
    return tmp_path


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head and a second node, one processor each."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'limber[ray]'")
    ray_cluster.library()
    from ray.cluster_utils import Cluster  # type: ignore[import-not-found]

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    yield made
    made.shutdown()


def call(files: Path, address: str) -> int:
    return __main__.main(["retarget", "--source", str(files / "*.bvh"), "--target", str(files / "hero.blend"), "-o",
                          str(files / "out"), "--ray", address, "--jobs", "2", "--check", "2"])  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_two_workers_do_the_jobs_and_tell_what_failed(files: Path, cluster: Any) -> None:
    assert call(files, cluster.address) == 1
    told = json.loads((files / "out/report.json").read_text())
    assert {Path(e["source"]).stem: e["state"] for e in told["entries"]} == {
        "a": "done",
        "b": "done",
        "cut": "failed",
    }
    assert all(Path(e["output"]).is_file() for e in told["entries"] if e["state"] == "done")
    assert all(e["limb_error"] < 1 for e in told["entries"] if e["state"] == "done")


@pytest.mark.filterwarnings("ignore")
def test_no_cluster_is_one_sentence(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'limber[ray]'")
    assert call(files, "127.0.0.1:9") == 1
    assert "No Ray cluster answers at 127.0.0.1:9" in capsys.readouterr().err


def test_without_ray_the_call_is_wrong(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(SystemExit) as ended:
        call(files, "auto")
    assert ended.value.code == 2
    assert "pip install 'limber[ray]'" in capsys.readouterr().err


def test_paths_hold_on_other_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.bvh", "t.blend", "m.json"):
        (tmp_path / name).write_text("")
    (unit,) = plan.plan(["a.bvh"], ["t.blend:Rig"], Path("out"), plan.Options(map="m.json"))
    far = ray_cluster.whole(unit)
    assert far.source.path == str(tmp_path / "a.bvh")
    assert (far.target.path, far.target.armature) == (str(tmp_path / "t.blend"), "Rig")
    assert far.output == str(tmp_path / "out/a")
    assert far.options.map == str(tmp_path / "m.json")
    assert far.options.source_map == "auto"
