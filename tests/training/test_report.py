"""The page: everything in one file, every number of the table on it, motion as it was measured."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from backend.systems.base import Interpolation
from training import curves, evaluate, report
from training.evaluation.samples import Sample
from training.prepare import cache


class Every(Interpolation):
    """Interpolation under a name of its own."""


@pytest.fixture(scope="module")
def measured(data: Path) -> tuple[dict, list[Sample]]:
    found = cache.load(data)
    systems = {"model": Every()}
    tasks = ["inbetween", "complete"]
    table = evaluate.evaluate(found, systems, sets=("cmu subjects",), gaps=(5, 15), most=2, tasks=tasks)
    return table, evaluate.samples(found, systems, tasks, count=1)


@pytest.fixture(scope="module")
def page(measured: tuple[dict, list[Sample]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "index.html"
    report.write(path, "Limber: <open>", "Measured & shown.", *measured)
    return path


class Balanced(HTMLParser):
    """Every element that is opened is closed, in order."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [v or "" for k, v in attrs if k in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [v or "" for k, v in attrs if k in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_needs_nothing_else(page: Path) -> None:
    parser = Balanced()
    text = page.read_text(encoding="utf-8")
    parser.feed(text)
    assert parser.open == []
    assert parser.references == []
    assert not re.search(r"https?://|@import|url\((?!#area)", text)
    assert "<!--" not in text, "every placeholder is filled"
    words = " ".join(parser.text)
    assert "Limber: <open>" in words
    assert "Measured & shown." in words


def test_every_joint_error_is_on_the_page(page: Path, measured: tuple[dict, list[Sample]]) -> None:
    text = page.read_text(encoding="utf-8")
    for rows in measured[0].values():
        for row, cases in rows.items():
            assert f"<summary>{row}</summary>" in text
            for cells in cases.values():
                for cell in cells.values():
                    if isinstance(cell, dict) and "error_cm" in cell:
                        assert f">{cell['error_cm']:.2f}<" in text


def test_motion_arrives_to_the_millimetre(page: Path, measured: tuple[dict, list[Sample]]) -> None:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    shown = json.loads(found[1])["samples"]
    assert len(shown) == len(measured[1]) == 4 * 3  # rows of the cache, cases of the two tasks
    for there, sample in zip(shown, measured[1], strict=True):
        assert list(there["tracks"]) == ["truth", "model", "interpolation"]
        known = np.frombuffer(base64.b64decode(there["known"]), np.uint8).reshape(there["frames"], 22)
        assert (known.astype(bool) == sample.known).all()
        for name, packed in there["tracks"].items():
            values = np.frombuffer(base64.b64decode(packed), "<i2").reshape(there["frames"], 22, 3) / 1000
            assert np.abs(values - sample.tracks[name]).max() <= 0.0005 + 1e-9


def test_a_table_without_motion_or_curves_is_a_page_too(tmp_path: Path) -> None:
    cells = {"windows": 3, "model": {"error_cm": 1.234}, "interpolation": {"error_cm": None}}
    report.write(tmp_path / "i.html", "t", "a", {"inbetween partial": {"r": {"mixed": cells}}}, [])
    text = (tmp_path / "i.html").read_text(encoding="utf-8")
    assert "1.23" in text
    assert "–" in text
    assert "<svg" not in text


def test_curves_go_through_their_points() -> None:
    cases = {
        f"{x} % of joints": {"windows": 1, "model": {"error_cm": y, "intervals": {"error_cm": [y - 1, y + 1]}},
                             "interpolation": {"error_cm": 2 * y}}
        for x, y in ((70, 3.0), (30, 1.0), (50, 2.0))
    }  # fmt: skip
    model, plain = curves.series(cases, r"(\d+) % of joints")
    assert model.points == ((30, 1.0, 0.0, 2.0), (50, 2.0, 1.0, 3.0), (70, 3.0, 2.0, 4.0))
    assert plain.points == ((30, 2.0, None, None), (50, 4.0, None, None), (70, 6.0, None, None))
    drawn = curves.plot("t", "x", "y", [model, plain])
    wide = curves.WIDTH - curves.LEFT - curves.RIGHT
    high = curves.HEIGHT - curves.TOP - curves.BOTTOM
    x, y = curves.LEFT + wide * 50 / 70, curves.TOP + high * (1 - 2 / 6)
    assert f'cx="{x:.1f}" cy="{y:.1f}"' in drawn
    assert curves.plot("t", "x", "y", [curves.Series("a", ((1.0, 1.0, None, None),))]) == ""
    assert curves.series(cases, "nothing") == []


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.03, 0.04), (1, 1), (1.01, 2), (5, 6), (9.9, 10), (10, 10), (123, 200)]
)
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    line = curves.Series("model", ((0, 0, None, None), (1, value, None, None)))
    assert f">{top:g}</text>" in curves.plot("t", "x", "y", [line])


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on this machine")
def test_a_browser_runs_the_page_without_complaint(page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "shot.png"
    call = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1000,700",
            "--virtual-time-budget=1500", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
            f"--screenshot={picture}", f"{page.as_uri()}#sample=1&frame=20"]  # fmt: skip
    done = subprocess.run(call, capture_output=True, text=True, timeout=200, check=False)
    assert picture.exists(), done.stderr[-2000:]
    assert "CONSOLE" not in done.stderr, [x for x in done.stderr.splitlines() if "CONSOLE" in x]
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
