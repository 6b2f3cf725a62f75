"""The server as a real process: what it answers, what it refuses, and that it lives on."""

from __future__ import annotations

import io
import json
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blender_addon.motion import npz

from .conftest import ROOT, Server, keyed

MIB = 1 << 20


# -- what it answers -------------------------------------------------------------------------------


def test_first_line_announces_version_protocol_port_and_token(server: Server) -> None:
    from backend import PROTOCOL, __version__

    assert server.hello.keys() == {"limber", "protocol", "port", "token"}
    assert (server.hello["limber"], server.hello["protocol"]) == (__version__, PROTOCOL)
    assert len(server.hello["token"]) >= 32


def test_health(server: Server) -> None:
    health = server.call("GET", "/v1/health").json
    assert health["pid"] == server.process.pid
    assert set(health["jobs"]) == {"queued", "running", "done", "failed", "cancelled"}


def test_models_lists_bundles_with_licence_systems_and_hash(server: Server) -> None:
    models = {m["name"]: m for m in server.call("GET", "/v1/models").json["models"]}
    assert models["tiny"]["systems"] == {"mmdm": ["inbetween"]}
    assert models["tiny"]["licence"] == "GPL-3.0-or-later"
    assert re.fullmatch(r"[0-9a-f]{64}", models["tiny"]["sha256"])
    assert models[""]["systems"]["interpolation"]


@pytest.mark.parametrize(
    "settings", [{"bundle": "tiny"}, {"system": "interpolation"}, {"bundle": "tiny", "variations": 3}]
)
def test_a_job_runs_and_its_result_keeps_the_keys(server: Server, settings: dict[str, Any]) -> None:
    request = keyed(**settings)
    job = server.submit(request)
    state = server.ended(job)
    assert (state["state"], state["error"]) == ("done", None)
    assert state["step"] == state["total"] > 0
    assert state["eta_seconds"] == 0
    answer = server.call("GET", f"/v1/jobs/{job}/result")
    assert answer.headers["content-type"] == "application/octet-stream"
    result = npz.result_from_bytes(answer.body)
    assert len(result.clips) == settings.get("variations", 1)
    for clip in result.clips:
        known = request.rotation_known
        assert np.array_equal(clip.rotations[known], request.clip.rotations[known])
        assert np.array_equal(
            clip.root_positions[request.root_known], request.clip.root_positions[request.root_known]
        )
    assert result.report["system"] == settings.get("system", "mmdm")


def test_the_same_seed_gives_the_same_result(server: Server) -> None:
    bodies = []
    for seed in (5, 5, 6):
        job = server.submit(keyed(bundle="tiny", seed=seed, variations=2))
        server.ended(job)
        bodies.append(npz.result_from_bytes(server.call("GET", f"/v1/jobs/{job}/result").body))
    a, b, c = (body.clips[1].rotations for body in bodies)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_what_no_model_can_do_names_who_can(server: Server) -> None:
    from blender_addon.motion import constraints

    request = keyed(bundle="tiny")
    other = constraints.Request(**{**request.__dict__, "task": "text"})
    state = server.ended(server.submit(other))
    assert state["state"] == "failed"
    assert state["error"]["field"] == "task"
    result = server.call("GET", f"/v1/jobs/{state['job']}/result")
    assert (result.status, result.error) == (409, state["error"])


@pytest.mark.parametrize(
    ("field", "value"), [("bundle", "nowhere"), ("system", "magic"), ("options", {"sparkle": True})]
)
def test_settings_that_do_not_exist_are_named(server: Server, field: str, value: Any) -> None:
    answer = server.call("POST", "/v1/jobs", npz.request_to_bytes(keyed(**{field: value})))
    error = answer.error if answer.status != 201 else server.ended(answer.json["job"])["error"]
    assert error["field"].startswith(field)
    assert error["message"]
    assert server.alive()


# -- cancel ----------------------------------------------------------------------------------------


def test_cancel_stops_a_running_job_and_drops_its_result(server: Server) -> None:
    job = server.submit(keyed(6000, tuple(range(0, 6000, 40)), bundle="tiny", variations=64))
    while (state := server.state(job))["state"] == "queued" or not state["step"]:
        time.sleep(0.005)
    assert state["total"] > state["step"]
    assert server.call("DELETE", f"/v1/jobs/{job}").status == 200
    assert server.ended(job)["state"] == "cancelled"
    answer = server.call("GET", f"/v1/jobs/{job}/result")
    assert (answer.status, answer.error["field"]) == (409, "job")


def test_cancel_of_a_waiting_and_of_a_finished_job(server: Server) -> None:
    long = server.submit(keyed(6000, tuple(range(0, 6000, 40)), bundle="tiny", variations=64))
    waiting = server.submit(keyed())
    assert server.call("DELETE", f"/v1/jobs/{waiting}").json["state"] == "cancelled"
    server.call("DELETE", f"/v1/jobs/{long}")
    server.ended(long)
    done = server.submit(keyed())
    server.ended(done)
    assert server.call("DELETE", f"/v1/jobs/{done}").json["state"] == "done"


# -- who may ask -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer wrong", "Basic abc", "Bearer \xff"])
def test_a_missing_or_wrong_token_is_refused(server: Server, value: str | None) -> None:
    answer = server.call("GET", "/v1/health", headers={"Authorization": value})
    assert (answer.status, answer.error["field"]) == (401, "Authorization")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:80", ""]
)
def test_a_strange_host_is_refused_even_with_the_token(server: Server, host: str) -> None:
    answer = server.call("GET", "/v1/health", headers={"Host": host})
    assert (answer.status, answer.error["field"]) == (400, "Host")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
def test_web_pages_are_refused(server: Server, origin: str) -> None:
    answer = server.call("GET", "/v1/health", headers={"Origin": origin})
    assert (answer.status, answer.error["field"]) == (400, "Origin")


def test_it_listens_on_this_computer_only(server: Server) -> None:
    with socket.socket() as probe:
        probe.settimeout(2)
        with pytest.raises(OSError):
            probe.connect(("127.0.0.2", server.port))


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/v1/jobs/none", 404), ("GET", "/v1/jobs/none/result", 404), ("DELETE", "/v1/jobs/none", 404),
    ("GET", "/", 404), ("GET", "/docs", 404), ("GET", "/openapi.json", 404), ("PUT", "/v1/jobs", 405),
    ("GET", "/v1/jobs/../../etc/passwd", 404),
])  # fmt: skip
def test_what_is_not_there_is_json_too(server: Server, method: str, path: str, status: int) -> None:
    answer = server.call(method, path)
    assert answer.status == status
    assert answer.error["message"]


# -- requests that make no sense -------------------------------------------------------------------


def arrays() -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(npz.request_to_bytes(keyed()))) as file:
        return dict(file)


def packed(entries: dict[str, Any], compress: bool = False) -> bytes:
    out = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(out, **entries)
    return out.getvalue()


def with_meta(**changes: Any) -> bytes:
    entries = arrays()
    meta = json.loads(str(entries["meta"]))
    meta |= changes
    return packed({**entries, "meta": np.array(json.dumps(meta))})


def replaced(ending: str, change: Any) -> bytes:
    entries = arrays()
    key = next(k for k in entries if k.endswith(ending))
    return packed({**entries, key: change(entries[key])})


def with_nan(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array[3] = np.nan
    return array


def zero_frames() -> bytes:
    entries = arrays()
    n = len(next(v for k, v in entries.items() if k.endswith("rotations")))
    return packed({k: v[:0] if v.ndim and len(v) == n else v for k, v in entries.items()})


def ten_million_frames() -> bytes:
    """Zeros pack a thousand to one: small on the wire, gigabytes unpacked."""
    entries = arrays()
    key = next(k for k in entries if k.endswith("root_known"))
    return packed({**entries, key: np.zeros(10_000_000, bool)}, compress=True)


def pickled() -> bytes:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(ROOT / "out-of-a-pickle"), "w"))

    array = np.empty(1, object)
    array[0] = Evil()
    entries = arrays()
    key = next(k for k in entries if k.endswith("rotations"))
    out = io.BytesIO()
    np.savez(out, allow_pickle=True, **{**entries, key: array})
    return out.getvalue()


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in "abcdefgh":  # 800 MiB in 4
            archive.writestr(f"{name}.npy", bytes(100 * MIB))
    return out.getvalue()


def bomb_that_lies() -> bytes:
    """100 MiB of zeros in an archive whose directory says that there are 200 bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("meta.npy", bytes(100 * MIB))
    return out.getvalue().replace((100 * MIB).to_bytes(4, "little"), (200).to_bytes(4, "little"))


def lying_header() -> bytes:
    """An array that says it has 10 million frames and holds three numbers."""
    body = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        body, {"descr": "<f8", "fortran_order": False, "shape": (10**7, 22, 4)}
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("clip_rotations.npy", body.getvalue() + bytes(24))
    return out.getvalue()


def members(names: Iterator[str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return out.getvalue()


NONSENSE = {
    "not a number": lambda: replaced("rotations", with_nan),
    "infinite": lambda: replaced("root_positions", lambda a: a / 0.0),
    "wrong shape": lambda: replaced("rotations", lambda a: a[:, :21]),
    "wrong type": lambda: replaced("root_known", lambda a: a.astype(np.float64)),
    "text for numbers": lambda: replaced("confidence", lambda a: a.astype(str)),
    "confidence of two": lambda: replaced("confidence", lambda a: a + 1),
    "unknown version": lambda: with_meta(schema=99),
    "no version": lambda: with_meta(schema=None),
    "a result, not a request": lambda: with_meta(kind="result"),
    "unknown entry": lambda: packed({**arrays(), "surprise": np.zeros(3)}),
    "zero frames": zero_frames,
    "ten million frames": ten_million_frames,
    "header of ten million frames": lying_header,
    "zip bomb": zip_bomb,
    "zip bomb that lies about its size": bomb_that_lies,
    "pickle in the archive": pickled,
    "a pickle": lambda: pickle.dumps({"clip": [1, 2, 3]}),
    "truncated": lambda: packed(arrays())[:-100],
    "half": lambda: packed(arrays())[:2000],
    "empty": lambda: b"",
    "JSON": lambda: b'{"clip": []}',
    "noise": lambda: np.random.default_rng(0).bytes(5000),
    "no metadata": lambda: packed({"rotations": np.zeros((3, 22, 4))}),
    "paths outside": lambda: members(iter(["../../evil.npy"])),
    "a hundred thousand entries": lambda: members(f"e{i}.npy" for i in range(100_000)),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_gets_one_clear_error_and_the_process_lives_on(server: Server, name: str) -> None:
    with np.errstate(all="ignore"):
        body = NONSENSE[name]()
    answer = server.call("POST", "/v1/jobs", body)
    assert answer.status == 400, answer.body[:300]
    error = answer.error
    assert error.keys() == {"field", "problem", "remedy", "message"}
    assert error["field"], error
    assert error["problem"], error
    assert error["remedy"], error
    assert "Traceback" not in error["message"]
    assert server.alive()
    assert not (ROOT / "out-of-a-pickle").exists()


def test_after_all_that_a_job_still_runs(server: Server) -> None:
    assert server.ended(server.submit(keyed(bundle="tiny")))["state"] == "done"
    assert not [line for line in server.stderr if "Traceback" in line]


@pytest.mark.parametrize("kind", [None, "application/json", "text/plain", "multipart/form-data; boundary=x"])
def test_a_wrong_content_type_is_named(server: Server, kind: str | None) -> None:
    answer = server.call("POST", "/v1/jobs", b"abc", {"Content-Type": kind})
    assert (answer.status, answer.error["field"]) == (400, "Content-Type")
    assert "application/octet-stream" in answer.error["remedy"]


def test_a_body_too_large_is_refused_before_it_is_read(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line:
        line.sendall(f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
                     f"Authorization: Bearer {server.hello['token']}\r\nContent-Length: {1 << 40}\r\n"
                     "Content-Type: application/octet-stream\r\n\r\n".encode())  # fmt: skip
        line.sendall(bytes(MIB))
        line.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    # A client that stops half way may find the line closed; one that waits reads the reason.
    assert not answer or answer.startswith(b"HTTP/1.1 413")
    assert server.alive()


def test_a_body_too_large_says_so_to_a_client_that_writes_all_of_it(server: Server) -> None:
    from backend.server import MAX_BODY

    chunks = (bytes(8 * MIB) for _ in range(MAX_BODY // (8 * MIB) + 1))
    answer = server.call(
        "POST", "/v1/jobs", chunks, {"Content-Length": str((MAX_BODY // (8 * MIB) + 1) * 8 * MIB)}
    )
    assert (answer.status, answer.error["field"]) == (413, "body")
    assert answer.error["remedy"]
    assert server.alive()


def test_a_body_without_a_length_is_counted(server: Server) -> None:
    from backend.server import MAX_BODY

    chunks = (bytes(8 * MIB) for _ in range(MAX_BODY // (8 * MIB) + 1))
    try:
        answer = server.call(
            "POST", "/v1/jobs", chunks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
        )
    except (ConnectionError, BrokenPipeError):
        answer = None  # it hung up on the flood, which is an answer too
    assert answer is None or (answer.status == 413 and answer.error["message"])
    assert server.alive()


def test_garbage_instead_of_http(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        line.recv(1000)
    assert server.alive()


def test_the_queue_is_bounded(server: Server) -> None:
    jobs = [server.submit(keyed(6000, tuple(range(0, 6000, 40)), bundle="tiny", variations=64))]
    while server.state(jobs[0])["state"] == "queued":
        time.sleep(0.005)
    body = npz.request_to_bytes(keyed())
    answer = server.call("POST", "/v1/jobs", body)
    while answer.status == 201 and len(jobs) < 100:
        jobs.append(answer.json["job"])
        answer = server.call("POST", "/v1/jobs", body)
    for job in reversed(jobs):
        server.call("DELETE", f"/v1/jobs/{job}")
    assert answer.status == 503
    assert "waiting" in answer.error["message"]
    server.ended(jobs[0])
    assert server.ended(server.submit(keyed()))["state"] == "done"


# -- its life --------------------------------------------------------------------------------------


def test_it_ends_when_the_parents_pipe_closes_even_at_work() -> None:
    running = Server()
    running.submit(keyed(6000, tuple(range(0, 6000, 40)), system="interpolation", variations=64))
    assert running.stop() == 0
    assert not [line for line in running.stderr if "Traceback" in line]


def test_it_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys, time\n"
         f"p = subprocess.Popen([sys.executable, '-m', 'backend', 'serve'], cwd={str(ROOT)!r}, stdin=-1, stderr=-1)\n"
         "time.sleep(600)"], stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert parent.stdout is not None
    port = json.loads(parent.stdout.readline())["port"]
    parent.kill()
    parent.wait()
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                break
        time.sleep(0.05)
    else:
        raise AssertionError("the backend outlived its parent")
    parent.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_it_ends_cleanly_when_told_to() -> None:
    running = Server()
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() in (0, -signal.SIGTERM)
    assert not [line for line in running.stderr if "Traceback" in line]


def test_a_port_that_is_taken_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = subprocess.run([sys.executable, "-m", "backend", "serve", "--port", str(port)], cwd=ROOT, text=True,
                             capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)  # fmt: skip
    assert ran.returncode == 1
    assert f"port {port} of 127.0.0.1 cannot be used" in ran.stderr
    assert "--port" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_models_leave_memory_when_idle_and_come_back(bundle: Path) -> None:
    running = Server(("--weights", str(bundle), "--idle", "0.3"))
    try:
        assert running.ended(running.submit(keyed(bundle="tiny")))["state"] == "done"
        for _ in range(300):
            models = {m["name"]: m["loaded"] for m in running.call("GET", "/v1/models").json["models"]}
            if not models["tiny"]:
                break
            time.sleep(0.05)
        assert models["tiny"] == []
        assert running.ended(running.submit(keyed(bundle="tiny")))["state"] == "done"
    finally:
        running.stop()


def test_many_askers_at_once(server: Server) -> None:
    job = server.submit(keyed(600, tuple(range(0, 600, 30)), bundle="tiny", variations=4))
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda _: server.state(job)["state"], range(200)))
    assert set(states) <= {"queued", "running", "done"}
    assert server.ended(job)["state"] == "done"
