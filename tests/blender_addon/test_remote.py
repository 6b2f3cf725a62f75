"""A backend on "another computer": TLS with a certificate made here, a real process, a real run over it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from blender_addon import elsewhere, process
from blender_addon.client import Client, Loopback
from blender_addon.jobs import Session
from blender_addon.motion.errors import BackendError, LimberError
from tests.blender_addon.characters import every_key, key_poses, make_person
from tests.blender_addon.running import pump_until

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "studio-" + "t" * 40
pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl, which makes certificates, is absent"
)


@dataclass(frozen=True)
class Wishes:
    """What an animator writes into the preferences."""

    remote_address: str
    remote_token: str = TOKEN
    remote_certificate: str = ""
    share: bool = False
    remote: bool = True


def certificate(folder: Path, name: str, names: str = "DNS:localhost,IP:127.0.0.1") -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(made)],
                   check=True, capture_output=True)  # fmt: skip
    return made, key


@dataclass
class Studio:
    """A running backend with TLS: where, and whose certificate."""

    port: int
    certificate: Path
    folder: Path
    process: subprocess.Popen[str]


def serve(python: str, folder: Path, made: tuple[Path, Path]) -> Studio:
    token = folder / "token"
    token.write_text(TOKEN, encoding="ascii")
    token.chmod(0o600)
    started = subprocess.Popen(
        [python, "-m", "backend", "serve", "--certificate", str(made[0]), "--key", str(made[1]), "--token-file",
         str(token)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert started.stdout is not None
    return Studio(int(json.loads(started.stdout.readline())["port"]), made[0], folder, started)


@pytest.fixture(scope="module")
def studio(backend_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    running = serve(backend_python, folder, certificate(folder, "studio"))
    with running.process:
        yield running
        running.process.communicate(timeout=30)


def settled(wishes: Wishes) -> Any:
    """The backend that the preferences ask for, once it is known how that goes."""
    found = elsewhere.make(wishes, None, ROOT)
    found.start()
    assert found._settled.wait(60)
    return found


def test_a_run_over_tls(studio: Studio, session: Session) -> None:
    person = make_person()
    before = every_key(key_poses(person))
    wishes = Wishes(f"https://localhost:{studio.port}", remote_certificate=str(studio.certificate))
    own, session.backend = session.backend, settled(wishes)
    try:
        assert session.backend_state == process.READY, session.backend_line()
        pump_until(session, lambda: bool(session.models), 120)
        import bpy

        assert bpy.ops.limber.inbetween() == {"FINISHED"}
        made = every_key(person.animation_data.action)
        assert all(set(keys) <= set(made[channel]) for channel, keys in before.items())
        assert person.limber.results[0].key_change == 0
    finally:
        session.stop_backend(wait=True)
        session.backend = own
    assert studio.process.poll() is None  # it is the studio's, and goes on


def test_a_wrong_certificate_name_or_token_is_refused(studio: Studio, tmp_path: Path) -> None:
    good = Wishes(f"https://localhost:{studio.port}", remote_certificate=str(studio.certificate))
    other, _ = certificate(tmp_path, "other")
    for wrong, said in (
        (replace(good, remote_certificate=""), "CERTIFICATE_VERIFY_FAILED"),  # nobody vouches for it
        (replace(good, remote_certificate=str(other)), "CERTIFICATE_VERIFY_FAILED"),  # another's, same names
        (replace(good, remote_certificate=str(tmp_path / "absent.pem")), "cannot be read"),
        (replace(good, remote_token="wrong-" + "t" * 40), "token"),
        (replace(good, remote_address=f"localhost:{studio.port}"), "does not answer"),  # in the clear
    ):
        found = settled(wrong)
        assert found.state == process.CRASHED
        assert said.lower() in found.problem.lower(), found.problem
        assert found.address is None
    right = settled(good)
    assert right.state == process.READY, right.problem
    right.stop(wait=True)


def test_a_certificate_for_another_computer_is_refused(backend_python: str, tmp_path: Path) -> None:
    running = serve(backend_python, tmp_path, certificate(tmp_path, "elsewhere", "DNS:render.studio"))
    with running.process:
        way = Loopback(running.port, "localhost", True, str(running.certificate))
        with pytest.raises(BackendError, match="mismatch"):
            Client(way, TOKEN).health()
        running.process.communicate(timeout=30)


def test_the_studios_backend_goes_away(backend_python: str, tmp_path: Path, session: Session) -> None:
    made = certificate(tmp_path, "gone")
    running = serve(backend_python, tmp_path, made)
    wishes = Wishes(f"https://localhost:{running.port}", remote_certificate=str(made[0]))
    key_poses(make_person())
    own, session.backend = session.backend, settled(wishes)
    try:
        running.process.communicate(timeout=30)
        import bpy

        with pytest.raises(RuntimeError, match="does not answer"):
            bpy.ops.limber.inbetween()
        assert [a.name for a in bpy.data.actions] == ["Walk"]
    finally:
        session.stop_backend(wait=True)
        session.backend = own


def test_what_cannot_be_trusted_is_not_asked() -> None:
    with pytest.raises(LimberError, match="unprotected"):
        elsewhere.make(Wishes("http://studio:8000"), None, ROOT)
