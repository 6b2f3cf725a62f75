"""What must hold whatever comes: no pickle, parsers that only refuse, fields that are all checked, TLS for others."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.server import Reach, listen
from blender_addon.motion import npz, npz_archive
from blender_addon.motion.errors import BackendError, LimberError

from . import fuzzing
from .conftest import ROOT, Server, keyed

UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}


def test_no_pickle_is_imported_and_no_shell_is_used() -> None:
    for package in ("blender_addon", "backend"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {name.split(".")[0] for name in names} & UNSAFE, path
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    options = {k.arg: ast.unparse(k.value) for k in node.keywords}
                    assert called not in ("eval", "os.system", "os.popen", "torch.load"), f"{path}: {called}"
                    assert options.get("shell", "False") == "False", path
                    assert options.get("allow_pickle", "False") == "False", path


@pytest.mark.parametrize("name", ["bvh", "npz request", "npz clip", "npz meta", "npz array", "npz result", "AMASS",
                                  "controls", "safetensors", "config.json", "bone map"])  # fmt: skip
def test_parsers_only_refuse(name: str, tmp_path: Path) -> None:
    good, read = fuzzing.parsers(tmp_path)[name]
    read(good)
    outcome = fuzzing.run(good, read, 0.3, seed=int(time.time()))
    assert outcome.failed == []
    assert outcome.refused > 0


def fields() -> dict[str, Any]:
    """The entries of a real request's file."""
    return npz_archive.read(npz.request_to_bytes(keyed(6)), "request")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
ARRAYS = st.tuples(
    st.sampled_from(["f8", "f4", "i8", "u1", "?", "U3"]), st.lists(st.integers(0, 7), max_size=4),
    st.sampled_from([0, 1, -1, np.nan, np.inf, 1e300]),
)  # fmt: skip


@pytest.mark.parametrize("key", sorted(fields()))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_array_of_a_request_is_checked(key: str, data: st.DataObject) -> None:
    entries = fields()
    if key == "meta":
        meta = json.loads(str(entries["meta"]))
        at = data.draw(st.sampled_from(sorted(meta)))
        meta[at] = data.draw(JSON)
        entries["meta"] = np.array(json.dumps(meta))
    else:
        kind, shape, value = data.draw(ARRAYS)
        with np.errstate(all="ignore"):
            entries[key] = np.nan_to_num(np.full(shape, value)).astype(kind) if kind[0] in "iu" else np.full(
                shape, value).astype(kind)  # fmt: skip
    with contextlib.suppress(LimberError):  # anything else is a defect
        npz.request_from_bytes(npz_archive.write(entries), 1 << 24)


METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "LIMBER"]
PATHS = ["/v1/health", "/v1/models", "/v1/jobs", "/v1/jobs/x", "/v1/jobs/../../etc/passwd", "/v1/jobs/%00/result",
         "/", "//", "/openapi.json", "/docs", "/v1/jobs/" + "a" * 3000]  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(METHODS), path=st.sampled_from(PATHS), body=st.none() | st.binary(max_size=200),
    name=st.sampled_from(["X-Any", "Content-Type", "Host", "Authorization", "Origin", "Content-Length", "Range"]),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)  # fmt: skip
def test_any_call_gets_an_answer_that_is_no_defect(
    server: Server, method: str, path: str, body: bytes | None, name: str, value: str
) -> None:
    if name == "Content-Length" and value.isdigit():
        return  # a length that is not the body's only makes the caller wait
    answer = server.call(method, path, body, {name: value})
    assert answer.status < 500, answer.body
    assert b"root:" not in answer.body
    if answer.status >= 400 and method != "HEAD" and answer.headers.get("content-type") == "application/json":
        assert answer.error["message"]


# -- who may reach it ------------------------------------------------------------------------------


def test_another_computer_is_let_in_only_by_tls_and_with_a_private_token(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="unprotected"):
        Reach(host="0.0.0.0").check()
    with pytest.raises(BackendError, match="belong together"):
        Reach(certificate=tmp_path).check()
    file = tmp_path / "token"
    file.write_text("a" * 40)
    file.chmod(0o644)
    with pytest.raises(BackendError, match="chmod 600"):
        Reach(token_file=file).token()
    file.chmod(0o600)
    assert Reach(token_file=file).token() == "a" * 40
    file.write_text("short")
    with pytest.raises(BackendError, match="32"):
        Reach(token_file=file).token()


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BackendError, match=f"port {port}"):
            listen(port)


def test_a_shared_backend_is_announced_to_its_user_alone_and_ends_when_lonely(tmp_path: Path) -> None:
    file = tmp_path / "shared.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "backend", "serve", "--announce", str(file), "--linger", "2"], cwd=ROOT,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        assert json.loads(file.read_text()) == hello
        if os.name == "posix":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert not file.exists()
