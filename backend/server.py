"""The server: requests in, jobs, results out; HTTP on 127.0.0.1, and nowhere else unless told so.

The first line on standard output is JSON: version, protocol, port and token. Everything else is
said on standard error. The process ends when its standard input closes, which is what happens
when the parent goes away, however it does.

Nothing here imports torch: the port is open in half a second, the worker thread loads the rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from blender_addon.motion import npz
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import BackendError, LimberError

from . import PROTOCOL, __version__, api_page
from .guard import Guard
from .jobs import DONE, Jobs, Progress, QueueFullError, UnknownJobError
from .wire import describe_error, error_body

if TYPE_CHECKING:
    from .service import Service

HOST = "127.0.0.1"
MAX_BODY = 512 << 20
"""Bytes of a request, packed and unpacked; 200,000 frames with position targets take 300 MB."""
BODY_TYPES = ("application/octet-stream", "application/x-npz", "application/zip")
STATUS = {QueueFullError: 503, UnknownJobError: 404}


class Backend:
    """The service behind the server, made by whoever needs it first, and its queue.

    Args:
        weights_dirs: folders to look for bundles in, before the ones that came along.
        idle_seconds: models are dropped from memory after this time without a job.
    """

    def __init__(self, weights_dirs: Sequence[Path] = (), idle_seconds: float = 300) -> None:
        self._weights_dirs, self._service, self._lock = weights_dirs, None, threading.Lock()
        self.jobs = Jobs(self._work, warm=self._warm, idle=self._release, idle_seconds=idle_seconds)

    def service(self) -> Service:
        """The service; the first call imports torch, which takes seconds."""
        with self._lock:
            if self._service is None:
                from .service import Service

                self._service = Service(self._weights_dirs)
            return self._service

    def _work(self, request: Any, progress: Progress, cancelled: Callable[[], bool]) -> bytes:
        def shown(clip: Clip, frames: int) -> None:
            self.jobs.show(npz.clip_to_bytes(clip), frames)

        return npz.result_to_bytes(self.service().run(request, progress, cancelled, shown))

    def _warm(self) -> None:
        self.service().warm()

    def _release(self) -> None:
        self.service().release()


class _App(FastAPI):
    """With a page that tells the truth about ``.npz`` bodies."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI page, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = api_page.finished(super().openapi())
        return self.openapi_schema


def create_app(backend: Backend) -> FastAPI:
    """The HTTP interface, without the guard."""
    app = _App(title="Limber", version=__version__, docs_url=None, redoc_url=None, openapi_url=api_page.PATH)

    @app.exception_handler(LimberError)
    async def limber_error(_: Request, error: LimberError) -> JSONResponse:
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
        return JSONResponse({"error": describe_error(error)}, status)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        problem = f"{request.method} {request.url.path}: {error.detail}"
        return JSONResponse(error_body("", problem), error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def defect(_: Request, error: Exception) -> JSONResponse:
        problem = f"a defect in Limber: {type(error).__name__}: {error}"
        return JSONResponse(error_body("", problem, "Please report it with the backend's log."), 500)

    @app.get("/v1/health", responses=api_page.answers(api_page.HEALTH))
    def health() -> dict[str, Any]:
        counts = backend.jobs.counts()
        return {"limber": __version__, "protocol": PROTOCOL, "pid": os.getpid(), "jobs": counts}

    @app.get("/v1/models", responses=api_page.answers(api_page.MODELS))
    def models() -> dict[str, Any]:
        return {"models": backend.service().models()}

    @app.post("/v1/jobs", status_code=201, openapi_extra=api_page.body(BODY_TYPES),
              responses=api_page.answers(api_page.SUBMITTED, 413, 503, status=201))  # fmt: skip
    async def submit(request: Request) -> JSONResponse:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in BODY_TYPES:
            problem = f"{kind!r} is not a request" if kind else "missing"
            return JSONResponse(error_body("Content-Type", problem, f"Send an .npz as {BODY_TYPES[0]}."), 400)
        body = await request.body()
        parsed = await run_in_threadpool(npz.request_from_bytes, body, MAX_BODY)
        return JSONResponse({"job": backend.jobs.submit(parsed).id}, 201)

    @app.get("/v1/jobs/{job}", responses=api_page.answers(api_page.JOB, 404))
    def state(job: str) -> dict[str, Any]:
        return backend.jobs.describe(job)

    @app.get("/v1/jobs/{job}/result", response_class=Response, responses=api_page.result(BODY_TYPES))
    def result(job: str) -> Response:
        data, described = backend.jobs.result(job), backend.jobs.describe(job)
        if data is not None:
            return Response(data, media_type=BODY_TYPES[0])
        if described["error"] is not None:
            return JSONResponse({"error": described["error"]}, 409)
        remedy = "" if described["state"] == DONE else "Ask for its state until it is done."
        return JSONResponse(error_body("job", f"it is {described['state']}, there is no result", remedy), 409)

    @app.get("/v1/jobs/{job}/partial", response_class=Response, responses=api_page.result(BODY_TYPES))
    def partial(job: str) -> Response:
        data = backend.jobs.partial(job)
        if data is not None:
            return Response(data, media_type=BODY_TYPES[0])
        return JSONResponse(error_body("job", "there is nothing to be seen of it, or it has ended"), 409)

    @app.delete("/v1/jobs/{job}", responses=api_page.answers(api_page.JOB, 404))
    def cancel(job: str) -> dict[str, Any]:
        return backend.jobs.cancel(job)

    return app


def listen(port: int = 0, host: str = HOST) -> socket.socket:
    """A listening socket, on 127.0.0.1 if nothing else is said.

    Args:
        port: 0 lets the system pick a free one.
        host: an address of this computer.

    Raises:
        BackendError: the port is taken or may not be used.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere the option would let two servers share the port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        problem = f"port {port} of {host} cannot be used ({error})"
        raise BackendError(f"{problem}. Leave --port out, or choose another.") from error
    return listening


@dataclass(frozen=True)
class Reach:
    """Who may reach the server, and how; by default only programs of this computer that were told the token.

    Attributes:
        host: address to listen on.
        names: what callers may call this computer, besides 127.0.0.1 and localhost.
        token_file: file that holds the token; None makes a new one.
        certificate, key: files for TLS; without them no other computer is let in.
        announce: file that receives the first line, readable for this user alone.
        linger: seconds without a call after which it ends; 0: never.
    """

    host: str = HOST
    names: Sequence[str] = ()
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    announce: Path | None = None
    linger: float = 0.0

    def check(self) -> None:
        """Raises BackendError where another computer would be talked to in the clear."""
        if (self.certificate is None) != (self.key is None):
            raise BackendError("--certificate and --key belong together: give both.")
        if not self.host.startswith("127.") and self.certificate is None:
            raise BackendError(f"--listen {self.host} would send motion and token over the network unprotected. Give "
                               "--certificate and --key, or use an SSH tunnel to 127.0.0.1.")  # fmt: skip
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise BackendError(f"{path} is not a file.")

    def token(self) -> str:
        """The token to be shown. Raises BackendError where the file holds none that is fit."""
        if self.token_file is None:
            return secrets.token_urlsafe(32)
        try:
            token = self.token_file.read_text(encoding="ascii").strip()
            shared = os.name == "posix" and self.token_file.stat().st_mode & 0o077
        except (OSError, UnicodeDecodeError) as error:
            raise BackendError(f"{self.token_file} cannot be read ({error}).") from error
        if shared:
            raise BackendError(f"{self.token_file} can be read by others. Run: chmod 600 {self.token_file}")
        if not re.fullmatch(r"[A-Za-z0-9_-]{32,512}", token):
            raise BackendError(f"{self.token_file} must hold 32 letters, digits, '-' or '_' or more. Make one with: "
                               "python -c 'import secrets; print(secrets.token_urlsafe(32))'")  # fmt: skip
        return token


def serve(
    weights_dirs: Sequence[Path] = (),
    port: int = 0,
    stay: bool = False,
    idle_seconds: float = 300,
    reach: Reach | None = None,
) -> None:
    """Serve until standard input closes (unless ``stay``) or the process is told to end.

    Raises:
        BackendError: the port, the token or a certificate cannot be used.
    """
    # 1. a port, before anything slow
    reach = reach or Reach()
    reach.check()
    token = reach.token()
    listening = listen(port, reach.host)
    # 2. queue and interface
    backend = Backend(weights_dirs, idle_seconds)
    guarded = Guard(create_app(backend), token, MAX_BODY, (reach.host, *reach.names))
    key = None if reach.key is None else str(reach.key)
    config = uvicorn.Config(guarded, log_level="warning", access_log=False, lifespan="off",
                            server_header=False, timeout_graceful_shutdown=1, ws="none",
                            ssl_certfile=reach.certificate, ssl_keyfile=key)  # fmt: skip
    server = uvicorn.Server(config)
    # 3. say where; the socket listens already, so a client that is quicker than us only waits
    hello = {"limber": __version__, "protocol": PROTOCOL, "port": listening.getsockname()[1], "token": token}
    if reach.announce is not None:
        _announce(reach.announce, hello)
    print(json.dumps(hello), flush=True)
    # 4. until the parent is gone, or nobody has called for a while
    if reach.linger > 0:
        watch, arguments = _end_when_lonely, (server, guarded, backend.jobs, reach.linger)
        threading.Thread(target=watch, args=arguments, name="limber-linger", daemon=True).start()
    elif not stay:
        threading.Thread(target=_end_with_parent, args=(server,), name="limber-parent", daemon=True).start()
    try:
        server.run(sockets=[listening])
    finally:
        ended = backend.jobs.close()
        listening.close()
        if reach.announce is not None:
            _withdraw(reach.announce, token)
    if not ended:  # a step that does not come back must not keep the process alive
        sys.stderr.flush()
        os._exit(0)


def _announce(file: Path, hello: dict[str, Any]) -> None:
    """Write the first line where other programs of this user look for it, whole and for nobody else."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(hello, out)
    fresh.replace(file)


def _withdraw(file: Path, token: str) -> None:
    """Take the announcement away, unless it is another server's by now."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if json.loads(file.read_text(encoding="utf-8"))["token"] == token:
            file.unlink()


def _end_when_lonely(server: uvicorn.Server, guard: Guard, jobs: Jobs, seconds: float) -> None:
    while not server.should_exit:
        time.sleep(min(1.0, seconds / 4))
        counts = jobs.counts()
        if time.monotonic() - guard.last_call > seconds and not counts["running"] + counts["queued"]:
            server.should_exit = True


def _end_with_parent(server: uvicorn.Server) -> None:
    """Reads standard input to its end; a parent that dies closes it without a word."""
    while True:
        try:
            if not os.read(0, 4096):  # not sys.stdin, which may be None under a window
                break
        except OSError:
            break
    server.should_exit = True
    with contextlib.suppress(OSError):  # where the parent is gone, nobody reads this either
        print("limber: standard input closed, ending (--stay keeps it running)", file=sys.stderr, flush=True)
