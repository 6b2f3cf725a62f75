"""The client: every answer and every failure becomes a value or one of our errors."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping

import pytest

from blender_addon.client import Answer, Client, Loopback
from blender_addon.motion.errors import BackendError, InvalidRequestError, LimberError


class Script:
    """A transport that gives one answer and remembers what it was asked."""

    def __init__(self, status: int, body: object) -> None:
        self.answer = Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode())
        self.asked: list[tuple[str, str, bytes | None, Mapping[str, str]]] = []

    def __call__(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        assert seconds > 0
        self.asked.append((method, path, body, headers))
        return self.answer


def test_token_and_type_are_sent() -> None:
    transport = Script(201, {"job": "7"})
    assert Client(transport, "secret").submit(b"npz") == "7"
    method, path, body, headers = transport.asked[0]
    assert (method, path, body) == ("POST", "/v1/jobs", b"npz")
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"] == "application/octet-stream"


def test_status() -> None:
    answer = {"job": "7", "state": "running", "step": 3, "total": 10, "eta_seconds": 1.5, "elapsed_seconds": 2,
              "error": None}  # fmt: skip
    status = Client(Script(200, answer), "t").status("7")
    assert (status.state, status.step, status.total, status.eta_seconds) == ("running", 3, 10, 1.5)
    assert status.error is None


def test_a_failed_job_names_field_and_remedy() -> None:
    answer = {"job": "7", "state": "failed", "step": 0, "total": 0, "eta_seconds": None, "elapsed_seconds": 0,
              "error": {"field": "keys", "problem": "too few", "remedy": "Key more.", "message": "m"}}  # fmt: skip
    error = Client(Script(200, answer), "t").status("7").error
    assert isinstance(error, InvalidRequestError)
    assert (error.field, error.problem, error.remedy) == ("keys", "too few", "Key more.")


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 500, 503])
@pytest.mark.parametrize("body", [
    {"error": {"field": "clip", "problem": "no frames", "remedy": "", "message": "clip: no frames"}},
    {"error": {"field": "", "problem": "busy", "remedy": "Wait.", "message": "busy. Wait."}},
    {"error": "text"}, {"detail": "x"}, [], b"<html>", b"",
])  # fmt: skip
def test_every_refusal_is_one_of_ours(status: int, body: object) -> None:
    client = Client(Script(status, body), "t")
    for call in (client.health, client.models, lambda: client.submit(b""), lambda: client.status("1"),
                 lambda: client.result("1"), lambda: client.cancel("1")):  # fmt: skip
        with pytest.raises(LimberError) as caught:
            call()
        assert str(caught.value)


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{}", b'{"state": "running", "step": "many"}'])
def test_answers_that_make_no_sense(body: bytes) -> None:
    with pytest.raises(BackendError):
        Client(Script(200, body), "t").status("1")


def test_nobody_listens() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with pytest.raises(BackendError, match="does not answer"):
        Client(Loopback(port), "t").health()


def test_somebody_hangs_up_or_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(BackendError, match="did not answer within"):
            Loopback(port)("GET", "/", None, {}, 0.2)

        def hang_up() -> None:
            server.accept()[0].close()  # the call above
            connection = server.accept()[0]
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(BackendError, match="does not answer"):
            Loopback(port)("GET", "/", None, {}, 5)
        thread.join()
