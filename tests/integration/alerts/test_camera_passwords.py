"""Cameras that ask for a password: a real HTTP server that checks what it is told."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.request import parse_http_list, parse_keqv_list

import pytest

from alerts.video.credentials import Credentials, parse_credentials
from alerts.video.fetch import NotFetched, fetch, parse_hosts
from app.settings import load_settings
from city.errors import InvalidInput

PICTURE = b"a picture"
USER, PASSWORD = "viewer", 'p\u00e4ss, "word"'
REALM, NONCE = "camera", "abcdef0123456789"


@dataclass
class Camera:
    """A server of the test, and what it was told."""

    port: int
    told: list[tuple[str, str]] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    camera: Camera

    def do_GET(self) -> None:
        said = self.headers.get("Authorization", "")
        self.camera.told.append((self.path, said))
        path = self.path.partition("?")[0]
        if path == "/leads":
            self.send_response(302)
            self.send_header("Location", self.camera.url("/basic", "127.0.0.2"))
            self.end_headers()
        elif path.startswith("/digest") and not self.is_digest(said):
            stale = [f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5']
            self.refuse([*stale, 'Basic realm="camera"'])
        elif path.startswith("/sha") and not self.is_digest(said, "sha256"):
            self.refuse([f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=SHA-256'])
        elif path.startswith("/basic") and said != self.basic():
            self.refuse(['Basic realm="camera", charset="UTF-8"'])
        elif path == "/odd":
            self.refuse(["Negotiate"])
        elif path == "/broken":
            self.refuse(["Digest nothing at all"])
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(PICTURE)))
            self.end_headers()
            self.wfile.write(PICTURE)

    def refuse(self, offers: list[str]) -> None:
        self.send_response(401)
        for offer in offers:
            self.send_header("WWW-Authenticate", offer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def is_digest(self, said: str, algorithm: str = "md5") -> bool:
        """As RFC 7616 has it, for the very path that was asked for."""
        scheme, _, rest = said.partition(" ")
        if scheme != "Digest":
            return False
        parts = parse_keqv_list(parse_http_list(rest))

        def digest(text: str) -> str:
            return hashlib.new(algorithm, text.encode()).hexdigest()

        one = digest(f"{USER}:{REALM}:{PASSWORD}")
        two = digest(f"GET:{self.path}")
        wanted = digest(f"{one}:{NONCE}:{parts['nc']}:{parts['cnonce']}:auth:{two}")
        return parts["uri"] == self.path and parts["response"] == wanted

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def camera() -> Iterator[Camera]:
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    found = Camera(server.server_port)
    server.RequestHandlerClass = type("Own", (Handler,), {"camera": found})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def written(kind: str, name: str, password: str = PASSWORD) -> Credentials:
    """As the file of an installation has it."""
    quoted = password.replace('"', '\\"')
    return parse_credentials(f'[{kind}."{name}"]\nuser = "{USER}"\npassword = "{quoted}"\n')


def ask(camera: Camera, path: str, known: Credentials, code: str = "CAM-1") -> bytes:
    hosts = parse_hosts(f"127.0.0.1:{camera.port},127.0.0.2:{camera.port}")
    return fetch(
        camera.url(path), hosts, 5.0,
        lambda host, port, is_own: known.login_for(code, host, port, is_own=is_own),
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/digest.jpg?channel=1&x=a%20b", "/sha.jpg", "/basic.jpg"])
def test_a_camera_gets_its_password_in_the_way_that_it_asks_for(camera: Camera, path: str) -> None:
    assert ask(camera, path, written("camera", "CAM-1")) == PICTURE
    first, second = camera.told
    assert first == (path, "")  # nothing before it asks
    assert second[1].startswith("Basic " if "basic" in path else "Digest ")
    assert PASSWORD not in second[1]
    assert ask(camera, path, written("host", f"127.0.0.1:{camera.port}"), "CAM-9") == PICTURE


@pytest.mark.parametrize(
    ("path", "known", "problem"),
    [
        ("/digest.jpg", Credentials(), "asks for a password, and none is known"),
        ("/digest.jpg", written("camera", "CAM-2"), "asks for a password, and none is known"),
        ("/digest.jpg", written("host", "127.0.0.1"), "asks for a password, and none is known"),
        ("/basic.jpg", written("camera", "CAM-1", "wrong secret"), "does not accept"),
        ("/digest.jpg", written("camera", "CAM-1", "wrong secret"), "does not accept"),
        ("/odd", written("camera", "CAM-1"), "neither Digest nor Basic"),
        ("/broken", written("camera", "CAM-1"), "cannot be answered"),
    ],
)
def test_what_does_not_come_says_why_and_holds_no_secret(
    camera: Camera, path: str, known: Credentials, problem: str
) -> None:
    with pytest.raises(NotFetched, match=problem) as caught:
        ask(camera, path, known)
    assert caught.value.refused
    assert "secret" not in f"{caught.value}{caught.value.problem}"
    assert PASSWORD not in repr(known)
    assert "wrong secret" not in repr(known)


def test_a_password_of_a_camera_does_not_follow_to_another_host(camera: Camera) -> None:
    with pytest.raises(NotFetched, match=r"127\.0\.0\.2 asks for a password"):
        ask(camera, "/leads", written("camera", "CAM-1"))
    assert {said for _, said in camera.told} == {""}
    known = written("host", f"127.0.0.2:{camera.port}")
    assert ask(camera, "/leads", known) == PICTURE
    with pytest.raises(NotFetched, match="is not allowed"):
        fetch(camera.url("/basic", "localhost"), parse_hosts("127.0.0.1"), 5.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("x = ", "not valid TOML"),
        ("[door.x]", "door"),
        ('[camera."C-1"]\nuser = "a"', "camera.C-1.password"),
        ('[camera."C-1"]\nuser = ""\npassword = "topsecret"', "camera.C-1.user"),
        ('[host.h]\nuser = "a:b"\npassword = "topsecret"', "host.h.user"),
        ('[host.h]\nuser = "a"\npassword = "topsecret"\npin = "topsecret"', "host.h.pin"),
        ("camera = 3", "camera"),
        ("[host]\nh = 3", "host.h"),
    ],
)
def test_a_wrong_file_is_named_by_its_place_without_its_secrets(text: str, named: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_credentials(text)
    assert named in str(caught.value)
    assert "topsecret" not in str(caught.value)


def test_the_settings_read_a_secret_file_and_never_show_it(tmp_path: Any) -> None:
    file = tmp_path / "cameras.toml"
    file.write_text('[camera."C-1"]\nuser = "a"\npassword = "topsecret"\n')
    environ = {
        "GRIDWARDEN_SNAPSHOT_CREDENTIALS_FILE": str(file),
        "GRIDWARDEN_DATABASE_URL": "postgresql://x",
        "GRIDWARDEN_MQTT_URL": "mqtt://x",
        "GRIDWARDEN_REDIS_URL": "redis://x",
    }
    found = load_settings(tmp_path, environ)
    assert parse_credentials(found.snapshot_credentials).cameras["C-1"].password == "topsecret"
    assert "topsecret" not in repr(found)
