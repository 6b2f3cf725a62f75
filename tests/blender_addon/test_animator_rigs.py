"""The animator of :mod:`.animator_rigs` for a moment, always the same; for long by the benchmark marker."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.blender_addon import animator_rigs as animator

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")


def test_whatever_an_animator_does_nothing_of_hers_is_lost(
    tmp_path: Path, backend_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few hundred things; ends early on a slow computer, which only makes it look at less."""
    monkeypatch.setenv("LIMBER_PYTHON", backend_python)
    diary = animator.run(tmp_path, ("mixamo", "unreal"), examples=8, steps=40, seconds=35)
    assert sum(diary.done.values()) > 20
    assert sum(1 for times in diary.done.values() if times) >= 6, diary.done  # kinds of things


@pytest.mark.benchmark
@pytest.mark.timeout(7200)
def test_thousands_of_things(tmp_path: Path, backend_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes ``animator_rigs.json``: steps, seeds, rigs."""
    monkeypatch.setenv("LIMBER_PYTHON", backend_python)
    if not (Path(__file__).parents[2].parent / "shared" / "rigs").is_dir():
        rigs = tuple(rig for rig in animator.RIGS if not rig.endswith(".glb"))
    else:
        rigs = animator.RIGS
    out = Path(os.environ.get("LIMBER_BENCHMARKS", "out")) / "animator_rigs.json"
    told = animator.long(rigs, 5000, 3600, 1, out)
    assert told["problem"] == ""
    assert json.loads(out.read_text(encoding="utf-8")) == told
