"""The README's figures are what the bundles' own metrics say."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend import weights

training = pytest.importorskip("training.evaluate", reason="the training package's libraries are not installed")

ROOT = Path(__file__).resolve().parents[1]


def test_table_is_the_commands_output() -> None:
    tables = {n: weights.load(ROOT / "backend" / "weights" / n).metrics for n in ("open", "research")}
    assert training.summary(tables) in (ROOT / "README.md").read_text(encoding="utf-8")
