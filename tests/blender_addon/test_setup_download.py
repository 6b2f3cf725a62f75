"""Set Up downloads from an index on this computer, is broken off in the middle, and goes on where it stopped."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blender_addon.setup import work
from tests.blender_addon.test_setup import STARTABLE, ended, plan, wheels

__all__ = ["wheels"]


class Index(ThreadingHTTPServer):
    """A package index over a wheel folder.

    Attributes:
        cut: names of wheels of which only a half is sent.
        sent: names of wheels, each time that one was sent whole.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.folder, self.cut, self.sent = folder, set[str](), list[str]()


class Answer(BaseHTTPRequestHandler):
    server: Index  # type: ignore[assignment]

    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        wheel = self.server.folder / name
        if name.endswith(".whl") and wheel.is_file():
            body, kind = wheel.read_bytes(), "application/octet-stream"
        else:
            found = sorted(self.server.folder.glob(f"{name.replace('-', '_')}-*.whl"))
            body = "".join(f'<a href="/files/{w.name}">{w.name}</a>' for w in found).encode()
            kind = "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if name in self.server.cut:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body)
        if name.endswith(".whl"):
            self.server.sent.append(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class has it so
        del format, args


@pytest.fixture
def index(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Serves the borrowed wheel and a big one; pip is told of no other index."""
    with zipfile.ZipFile(wheels / "heavy-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("heavy.bin", os.urandom(work.BIG))
        info = "heavy-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: heavy\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"heavy.bin,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    for name in [name for name in os.environ if re.fullmatch(r"PIP_.*|.*_proxy", name, re.IGNORECASE)]:
        monkeypatch.delenv(name)
    with Index(wheels) as running:
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{running.server_port}/simple")
        monkeypatch.setenv("PIP_RETRIES", "0")
        thread = threading.Thread(target=running.serve_forever, name="index", daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join(5)


@STARTABLE
def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    tmp_path: Path, wheels: Path, index: Index
) -> None:
    wanted = plan(tmp_path, None)
    heavy = wheels / "heavy-1.0-py3-none-any.whl"
    digest, size = hashlib.sha256(heavy.read_bytes()).hexdigest(), heavy.stat().st_size
    for path in wanted.lists.glob("*.txt"):
        with path.open("a") as out:
            out.write(f"heavy==1.0 --hash=sha256:{digest}  # {size} {size}\n")
    # 1. what would be fetched is said first
    look = ended(work.Look(wanted))
    assert look.problem == ""
    assert look.facts["to download"] > size
    # 2. the big one breaks off: said, and the small one is kept
    index.cut.add(heavy.name)
    broken = ended(work.SetUp(wanted))
    assert broken.problem
    assert "defect" not in broken.problem
    kept = Path(f"{wanted.environment}.downloads")
    assert [p.name for p in kept.glob("*.whl")] == ["borrowed-1.0-py3-none-any.whl"]
    assert not wanted.environment.exists()
    # 3. again: only the big one is fetched, and the backend works
    index.cut.clear()
    again = ended(work.SetUp(wanted))
    assert again.problem == ""
    assert again.facts["report"]["key_change"] == 0
    assert index.sent == ["borrowed-1.0-py3-none-any.whl", heavy.name]
    assert not kept.exists()
