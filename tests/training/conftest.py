"""A small cache of made-up motion, with every source, split and form that training meets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.material import swinging
from training.prepare import cache


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache file: three sources, each with clips in every split, one shorter than a window."""
    clips, rows = [], []
    for source in ("cmu", "reactidle", "bandai_namco"):
        for k, split in enumerate(("train", "train", "train", "validation", "test", "takes")):
            clips.append(swinging(len(clips), 18 if k == 2 else 90))
            rows.append({"name": f"{source} {k}", "source": source, "group": str(k), "split": split})
    path = tmp_path_factory.mktemp("data") / "cache.npz"
    cache.save(path, clips, rows)
    return path
