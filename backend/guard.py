"""What a request has to pass before any of it is looked at: Host, Origin, token, size.

A server on 127.0.0.1 can be reached by every program of the machine and, through the browser, by
every web page that is open in it. The token keeps out other programs, the Host check keeps out
pages whose name was made to resolve to 127.0.0.1, the Origin check keeps out all pages.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException

from .wire import error_body

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_DISCARD_BYTES, _DISCARD_SECONDS = 1 << 30, 5.0
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware.

    Args:
        app: what is guarded.
        token: what ``Authorization: Bearer ...`` has to hold.
        max_bytes: largest body; a longer one is refused before it is read.
        names: what callers may call this computer, besides 127.0.0.1 and localhost.

    Attributes:
        last_call: ``time.monotonic()`` of the last call that showed the token.
    """

    def __init__(self, app: App, token: str, max_bytes: int, names: Sequence[str] = ()) -> None:
        self.last_call = time.monotonic()
        self._names = ("127.0.0.1", "localhost", *(name.lower() for name in names))
        self._app, self._expected, self._max_bytes = app, f"Bearer {token}".encode(), max_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {key.lower(): value for key, value in scope["headers"]}
        refused = self._refusal(headers, scope["server"][1])
        if refused is not None:
            await _discard(receive)
            await _answer(send, *refused)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:  # a body without a length that turns out too long
                raise HTTPException(413, f"more than {self._max_bytes} bytes")
            return message

        await self._app(scope, counted, send)

    def _refusal(self, headers: dict[bytes, bytes], port: int) -> tuple[int, dict[str, Any]] | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host not in [f"{name}:{port}" for name in self._names]:
            return 400, error_body("Host", f"{host!r} is not this server", f"Ask 127.0.0.1:{port}.")
        if b"origin" in headers:
            return 400, error_body("Origin", "web pages are not served", "Use Limber's add-on.")
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            return 401, error_body("Authorization", "the token is missing or wrong",
                                   "Send 'Bearer ' and the token of the server's first line.")  # fmt: skip
        self.last_call = time.monotonic()
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return 400, error_body("Content-Length", "not a number")
        if int(length) > self._max_bytes:
            problem = f"{length.decode()} bytes, at most {self._max_bytes} are taken"
            return 413, error_body("body", problem, "Split the range into parts.")
        return None


async def _discard(receive: Receive) -> None:
    """Read on and throw away, within reason: a client that still writes would not see the answer."""
    size, until = 0, time.monotonic() + _DISCARD_SECONDS
    while size < _DISCARD_BYTES and time.monotonic() < until:
        message = await receive()
        size += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode()),
               (b"connection", b"close")]  # fmt: skip
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
