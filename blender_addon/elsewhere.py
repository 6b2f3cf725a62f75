"""A backend that is not this Blender's child: one that several Blenders share, or one on another computer.

Both are off unless the user asks for them. The shared one is found by a file in Limber's own folder
that only its user may read; whoever finds none starts it, and it ends by itself when no Blender has
asked after it for a while. Another computer is reached by TLS, or through an SSH tunnel, which makes
it a port of this one.

No bpy. Everything that waits does so in a thread; :attr:`Elsewhere.state` only looks.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from .client import Client, Loopback
from .motion.errors import BackendError, JobCancelled, LimberError
from .process import (
    CRASHED,
    PROTOCOL,
    READY,
    START_SECONDS,
    STARTING,
    STOPPED,
    Address,
    Backend,
    child_environment,
    data_folder,
    serve_command,
)

HEARTBEAT_SECONDS = 10.0
LINGER_SECONDS = 60
"""How long a shared backend waits for a next Blender; several heartbeats."""

_ADDRESS = re.compile(r"(?:(https?)://)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})/?")
_HERE = ("127.0.0.1", "localhost")


class Wishes(Protocol):
    """What is read from the preferences."""

    @property
    def share(self) -> bool: ...
    @property
    def remote(self) -> bool: ...
    @property
    def remote_address(self) -> str: ...
    @property
    def remote_token(self) -> str: ...
    @property
    def remote_certificate(self) -> str: ...


def make(wishes: Wishes, python: Path | None, folder: Path) -> Backend:
    """The backend that the preferences ask for, not yet started.

    Raises:
        BackendError: the other computer's address makes no sense.
    """
    if wishes.remote:
        address = parse(wishes.remote_address, wishes.remote_token, wishes.remote_certificate)
        return Elsewhere(lambda _: address)
    assert python is not None
    if wishes.share:
        return Elsewhere(lambda cancelled: find_or_start(python, folder, cancelled))
    return Backend(serve_command(python), folder)


def parse(text: str, token: str, certificate: str = "") -> Address:
    """``https://host:port`` (or ``localhost:port``, the near end of a tunnel) as an address.

    Raises:
        BackendError: not of that form, no token, or another computer without TLS.
    """
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or not 0 < int(match[3]) < 65536:
        raise BackendError(
            f"{text!r} is not an address. Write https://computer:port, or localhost:port for a tunnel."
        )
    if not token.strip():
        raise BackendError("The backend on another computer needs its token. Ask whoever started it.")
    host, tls = match[2].lower(), match[1] == "https"
    if host not in _HERE and not tls:
        raise BackendError(f"{host} is another computer: motion and token would cross the network unprotected. Write "
                           "https://..., or use an SSH tunnel and localhost.")  # fmt: skip
    host = "127.0.0.1" if host == "localhost" and not tls else host.strip("[]")
    return Address("", int(match[3]), token.strip(), host, tls, certificate)


def find_or_start(
    python: Path, folder: Path, cancelled: threading.Event, data: Path | None = None
) -> Address:
    """The shared backend's address; it is started where there is none.

    Raises:
        BackendError: it does not come up, or is of another version.
        JobCancelled: ``cancelled`` was set.
    """
    data = data or data_folder()
    file = data / "shared-backend.json"
    if (address := _announced(file)) is not None and _answers(address):
        return address
    hidden = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    command = [*serve_command(python), "--announce", str(file), "--linger", str(LINGER_SECONDS)]
    try:
        data.mkdir(parents=True, exist_ok=True)
        with (data / "shared-backend.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, env=child_environment(folder), stdin=subprocess.DEVNULL, shell=False,
                stdout=subprocess.DEVNULL, stderr=log, start_new_session=True, creationflags=hidden,
            )  # fmt: skip
    except OSError as error:
        raise BackendError(f"The shared backend cannot be started: {error}. Check the Python and the room on the disk, "
                           "or untick Share the Backend in Limber's preferences.") from error  # fmt: skip
    # Of two Blenders that start one at the same moment, the second's ends: the file is there already.
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if (address := _announced(file)) is not None and _answers(address):
            _reap(process)
            return address
        if cancelled.wait(0.1):
            raise JobCancelled("cancelled while the backend was starting")
        if process.poll() not in (None, 0):
            break
    raise BackendError(f"The shared backend did not come up; see {data / 'shared-backend.log'}.")


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Whoever started it keeps it from becoming a zombie when it ends."""
    threading.Thread(target=process.wait, name="limber-shared", daemon=True).start()


def _announced(file: Path) -> Address | None:
    try:
        hello = json.loads(file.read_text(encoding="utf-8"))
        if hello["protocol"] != PROTOCOL:
            return None
        return Address(str(hello["limber"]), int(hello["port"]), str(hello["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _answers(address: Address) -> bool:
    try:
        return Client(Loopback.to(address), address.token).health().get("protocol") == PROTOCOL
    except LimberError:
        return False


class Elsewhere(Backend):
    """Looks like a backend of our own, and asks after it every few seconds.

    Args:
        find: says where it is; called in a thread, with the event that cancels it.
    """

    def __init__(self, find: Callable[[threading.Event], Address]) -> None:
        super().__init__((), Path(os.curdir))
        self._find, self._ended = find, threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> str:
        """As of :class:`.process.Backend`."""
        if self._ended.is_set():
            return STOPPED
        if self.problem:
            return CRASHED
        if self._thread is None:
            return STOPPED
        return READY if self.address else STARTING

    def start(self) -> None:
        """Look for it and return; :attr:`state` tells how it went."""
        self.started = time.monotonic()
        self._thread = threading.Thread(target=self._watch, name="limber-elsewhere", daemon=True)
        self._thread.start()

    def stop(self, wait: bool = False) -> None:
        """Leave it alone; it goes on for whoever else uses it."""
        self._ended.set()
        self._settled.set()
        if wait and self._thread is not None:
            self._thread.join(5)

    def _watch(self) -> None:
        try:
            address = self._find(self._ended)
            while True:
                health = Client(Loopback.to(address), address.token).health()
                if health.get("protocol") != PROTOCOL:
                    raise BackendError(f"The backend at {address.host} speaks protocol {health.get('protocol')}, this "
                                       f"add-on speaks {PROTOCOL}. Install the same version of both.")  # fmt: skip
                self.address = address
                self._settled.set()
                if self._ended.wait(HEARTBEAT_SECONDS):
                    return
        except JobCancelled:
            return
        except LimberError as error:
            self.problem = str(error)
            self._settled.set()
