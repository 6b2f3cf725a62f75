"""Real things for the backend's tests: a tiny trained-shape bundle, real requests, a real server process."""

from __future__ import annotations

import http.client
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blender_addon.motion import constraints, npz, rotations
from blender_addon.motion.clip import Clip, rest_clip

ROOT = Path(__file__).resolve().parents[2]


def waving(frames: int = 40, fps: float = 30.0) -> Clip:
    """A canonical clip in which every joint turns a little and the root walks."""
    clip = rest_clip(frames, fps)
    t = np.arange(frames)[:, None, None] / 15
    axes = np.random.default_rng(1).normal(size=(1, 22, 3)) * 0.4
    root = clip.root_positions + np.array([0.0, 0, 0.02]) * np.arange(frames)[:, None]
    return Clip(clip.skeleton, rotations.from_axis_angle(axes * np.sin(t)), root, fps)


def keyed(frames: int = 40, keys: tuple[int, ...] = (), **settings: Any) -> constraints.Request:
    """An in-between request, keyed at both ends and in the middle if nothing else is said."""
    return constraints.inbetween(waving(frames), keys or (0, frames // 2, frames - 1), **settings)


def make_bundle(folder: Path, family: str = "open", draws: int = 4) -> Path:
    """A real bundle: the real network, two rounds, 16 wide, its random weights as they are."""
    import torch

    from backend import weights
    from backend.nn.denoiser import Architecture, Denoiser
    from backend.systems.mmdm import MMDM

    torch.manual_seed(0)
    network = Denoiser(
        Architecture(pose_width=16, joint_width=8, heads=2, joint_heads=2, hidden=32, rounds=2)
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))  # the output layer starts at zero
    settings, tensors = MMDM(network, frozenset({"inbetween"}), 32, draws).to_bundle()
    weights.save(folder, {"mmdm": tensors}, {"mmdm": settings}, family=family, licence="GPL-3.0-or-later",
                 data=["none: random weights of a test"], card="# A test's bundle\n", metrics={})  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("weights") / "tiny")


@dataclass
class Answer:
    """Status, headers and body of an HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, str]:
        return self.json["error"]


@dataclass
class Server:
    """A backend process as the add-on starts one: pipes on all three ends."""

    arguments: tuple[str, ...] = ()
    hello: dict[str, Any] = field(init=False)
    stderr: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend", "serve", *self.arguments], cwd=ROOT, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read_errors, daemon=True)
        self.reader.start()
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: lines.put(self.process.stdout.readline()), daemon=True).start()  # type: ignore[union-attr]
        self.hello = json.loads(lines.get(timeout=120) or "null") or {}

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.stderr.extend(self.process.stderr)

    @property
    def port(self) -> int:
        return self.hello["port"]

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str | None] | None = None,
             **more: Any) -> Answer:  # fmt: skip
        """One request; ``headers`` of None are left out."""
        sent: dict[str, str | None] = {"Authorization": f"Bearer {self.hello['token']}"}
        if body is not None:
            sent["Content-Type"] = "application/octet-stream"
        sent |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {k: v for k, v in sent.items() if v is not None}, **more)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def submit(self, request: constraints.Request) -> str:
        answer = self.call("POST", "/v1/jobs", npz.request_to_bytes(request))
        assert answer.status == 201, answer.body
        return answer.json["job"]

    def state(self, job: str) -> dict[str, Any]:
        return self.call("GET", f"/v1/jobs/{job}").json

    def ended(self, job: str) -> dict[str, Any]:
        """Wait for a job's end."""
        for _ in range(3000):
            state = self.state(job)
            if state["state"] not in ("queued", "running"):
                return state
            time.sleep(0.02)
        raise AssertionError(f"job {job} did not end: {state}")

    def alive(self) -> bool:
        return self.process.poll() is None and self.call("GET", "/v1/health").status == 200

    def stop(self) -> int:
        """Close its input, as a parent that ends does, and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Wait for its end, read the last of its lines, and close our ends of the pipes."""
        code = self.process.wait(30)
        self.reader.join(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return code


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[Server]:
    """One server for all tests that leave it alive."""
    running = Server(("--weights", str(bundle)))
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0, "".join(running.stderr)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny convolutions on several threads of a busy machine wait for each other for minutes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
