"""The sentence encoder: its words and its sentence are the same reading, and nothing is loaded before it is asked."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend import text
from blender_addon.motion.errors import WeightsError

ROOT = Path(__file__).resolve().parents[2]


def test_importing_it_loads_nothing() -> None:
    code = "import sys, backend.text; assert 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=120)


def test_a_damaged_or_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        text.Encoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(WeightsError, match="expected 53aa5117"):
        text.Encoder(tmp_path)


@pytest.mark.skipif(
    importlib.util.find_spec(text.PACKAGE) is None or importlib.util.find_spec("transformers") is None,
    reason="the sentence encoder is not in this environment",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_words_and_sentences() -> None:
    encoder = text.shared()
    assert text.shared() is encoder
    said = ["walk", "a tired person walks and turns left"]
    words = encoder.words(said)
    assert [w.shape for w in words] == [(3, text.WIDTH), (9, text.WIDTH)], "first and last mark included"
    mean = words[1].astype(np.float32).mean(0)
    assert np.allclose(encoder.embed(said)[1], mean / np.linalg.norm(mean), atol=2e-3)
    assert encoder.words([]) == []
