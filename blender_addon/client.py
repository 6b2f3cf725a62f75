"""Talks to the backend over HTTP on this computer. Standard library only; no bpy.

Every call may wait for the network, so they are made from worker threads, never from Blender's
main thread. A transport can be passed in, so that tests can cut, slow or bend the connection.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .motion.errors import BackendError, InvalidRequestError, JobCancelled, LimberError

if TYPE_CHECKING:
    from .process import Address

MAX_ANSWER = 2 * 1024**3
SECONDS = 10.0
TRANSFER_SECONDS = 120.0
"""A request of 200,000 frames is 80 MB; on a busy computer that takes longer than a question."""

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"


class Answer(NamedTuple):
    """Status and body of an HTTP answer."""

    status: int
    body: bytes


class Transport(Protocol):
    """Carries one HTTP request; raises BackendError when there is no answer."""

    def __call__(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Answer: ...


@dataclass(frozen=True)
class Loopback:
    """HTTP to a port, one connection a call (they are rare and local).

    Attributes:
        port: where the backend listens.
        host: this computer, unless the user named another.
        tls: speak HTTPS; always so with another computer.
        authority: file of a certificate to trust besides the system's; "" for none.
    """

    port: int
    host: str = "127.0.0.1"
    tls: bool = False
    authority: str = ""

    @classmethod
    def to(cls, address: Address) -> Loopback:
        """The way to a backend that has said where it is."""
        return cls(address.port, address.host, address.tls, address.authority)

    def __call__(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        connection = self._connection(seconds)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            if answer.length is not None and answer.length > MAX_ANSWER:
                raise BackendError(f"The backend's answer to {path} is too large.")
            return Answer(answer.status, answer.read())  # read(n) would take a cut-off answer for a whole one
        except TimeoutError as error:
            raise BackendError(f"The backend did not answer within {seconds:.0f} s.") from error
        except (OSError, http.client.HTTPException) as error:
            raise BackendError(f"The backend does not answer ({type(error).__name__}: {error}).") from error
        finally:
            connection.close()

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        try:
            context = ssl.create_default_context()
            if self.authority:
                context.load_verify_locations(self.authority)
        except (OSError, ssl.SSLError) as error:
            raise BackendError(f"The certificate {self.authority} cannot be read ({error}).") from error
        return http.client.HTTPSConnection(self.host, self.port, timeout=seconds, context=context)


@dataclass(frozen=True)
class JobStatus:
    """How far a job is.

    Attributes:
        state: queued, running, done, failed or cancelled.
        step, total: sampling steps done and to do.
        eta_seconds: estimated remaining time; None where it is not known yet.
        elapsed_seconds: since it was taken up.
        error: what went wrong, for ``failed``.
        ready: frames that are drawn already, see :meth:`Client.partial`.
    """

    state: str
    step: int
    total: int
    eta_seconds: float | None
    elapsed_seconds: float
    error: LimberError | None = None
    ready: int = 0


class Client:
    """The backend's interface as functions.

    Args:
        transport: how a request gets there.
        token: shown with every call.
    """

    def __init__(self, transport: Transport, token: str) -> None:
        self._transport, self._token = transport, token

    def health(self) -> dict[str, Any]:
        """Version, protocol and what is loaded."""
        return self._json("GET", "/v1/health")

    def models(self) -> list[dict[str, Any]]:
        """The bundles, with licence, systems and tasks."""
        answer = self._json("GET", "/v1/models", None, TRANSFER_SECONDS)  # the first one asked for imports torch
        models = answer.get("models") if isinstance(answer, dict) else answer
        if not isinstance(models, list):
            raise BackendError("The backend's list of models makes no sense.")
        return models

    def submit(self, request: bytes) -> str:
        """Hand in a request (.npz); the job's number."""
        answer = self._json("POST", "/v1/jobs", request, TRANSFER_SECONDS)
        return str(_entry(answer, "job"))

    def status(self, job: str) -> JobStatus:
        """How far ``job`` is."""
        answer = self._json("GET", f"/v1/jobs/{job}")
        state = str(_entry(answer, "state"))
        error = answer.get("error")
        try:
            return JobStatus(
                state, int(answer.get("step") or 0), int(answer.get("total") or 0),
                None if answer.get("eta_seconds") is None else float(answer["eta_seconds"]),
                float(answer.get("elapsed_seconds") or 0.0), _error(error, 0) if error else None,
                int(answer.get("ready") or 0),
            )  # fmt: skip
        except (TypeError, ValueError) as problem:
            raise BackendError(f"The backend's answer about job {job} makes no sense.") from problem

    def result(self, job: str) -> bytes:
        """The finished job's result (.npz)."""
        return self._call("GET", f"/v1/jobs/{job}/result", None, TRANSFER_SECONDS)

    def partial(self, job: str) -> bytes:
        """The motion of a job that runs, as far as it is drawn (.npz of a clip)."""
        return self._call("GET", f"/v1/jobs/{job}/partial", None, TRANSFER_SECONDS)

    def cancel(self, job: str) -> None:
        """Stop the computation of ``job``; one that is gone already is fine."""
        try:
            self._call("DELETE", f"/v1/jobs/{job}", None, SECONDS)
        except JobCancelled:
            return

    def _json(self, method: str, path: str, body: bytes | None = None, seconds: float = SECONDS) -> Any:
        data = self._call(method, path, body, seconds)
        try:
            return json.loads(data)
        except ValueError as error:
            raise BackendError(f"The backend's answer to {path} is not JSON.") from error

    def _call(self, method: str, path: str, body: bytes | None, seconds: float) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        answer = self._transport(method, path, body, headers, seconds)
        if 200 <= answer.status < 300:
            return answer.body
        try:
            error = json.loads(answer.body)["error"]
        except (ValueError, KeyError, TypeError):
            error = None
        raise _error(error, answer.status)


def _entry(answer: Any, key: str) -> Any:
    if not isinstance(answer, dict) or key not in answer:
        raise BackendError(f"The backend's answer has no {key!r}.")
    return answer[key]


def _error(error: Any, status: int) -> LimberError:
    """The error that the backend described, as one of ours.

    Args:
        error: ``{"field", "problem", "remedy", "message"}`` or whatever came.
        status: HTTP status, 0 for a job's own error.
    """
    if isinstance(error, dict) and error.get("field"):
        return InvalidRequestError(str(error["field"]), str(error.get("problem") or error.get("message") or ""),
                                   str(error.get("remedy") or ""))  # fmt: skip
    if isinstance(error, dict) and (error.get("message") or error.get("problem")):
        message = str(error.get("message") or error["problem"])
        remedy = str(error.get("remedy") or "")
        return BackendError(message if not remedy or remedy in message else f"{message} {remedy}")
    return BackendError(f"The backend answered with status {status} and no reason.")
