"""Pictures of video events from a real HTTP server that leads elsewhere, lies, pours and hangs."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from PIL import Image

from alerts.rule_files import parse_rule
from alerts.steps import apply_rules, default_rules, picture_for
from alerts.video.fetch import parse_hosts
from alerts.video.snapshots import forget_old
from alerts.video.worker import SnapshotSettings, run
from city.incident import Role
from city.person import Caller
from city.reading import EventPhase, VideoEvent
from city.video import ReportedEvent
from db.pool import connect
from db.video_events import upsert_video_events
from tests.integration.alerts.engine_city import DISTRICT
from tests.integration.alerts.test_engine_worker import wait_for

TIMEOUT_S = 1.5
SIXTY_MB = 60 * 1024 * 1024


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "JPEG")
    return out.getvalue()


ANSWERS = {
    "/good.jpg": (picture("red"), "image/jpeg"),
    "/lies.jpg": (b"<html>sign in</html>", "image/jpeg"),
    "/page.html": (picture("blue"), "text/html"),
}
LEADS = {
    "/here": "/good.jpg",
    "/elsewhere": "http://169.254.169.254/latest/meta-data/",
    "/round": "/round",
}


@dataclass
class Cameras:
    """A server of the test, and what it was asked."""

    port: int
    asked: list[str] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


class Camera(http.server.BaseHTTPRequestHandler):
    cameras: Cameras
    stop: threading.Event

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.cameras.asked.append(path)
        if path in LEADS:
            self.lead(LEADS[path])
        elif path in ANSWERS:
            self.answer(*ANSWERS[path])
        else:
            self.misbehave(path)

    def misbehave(self, path: str) -> None:
        match path:
            case "/large":
                self.send_response(200)
                self.send_header("Content-Length", str(SIXTY_MB))
                self.end_headers()
                self.pour(path)
            case "/endless":
                self.send_response(200)
                self.end_headers()
                self.pour(path)
            case "/drip":
                self.send_response(200)
                self.end_headers()
                while not self.stop.wait(0.1):
                    self.wfile.write(b"\xff")
            case "/hangs":
                self.stop.wait(30)
            case "/breaks":
                self.send_response(200)
                self.send_header("Content-Length", "5000")
                self.end_headers()
                self.wfile.write(picture("red")[:300])
            case "/forbidden":
                self.send_error(403)

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def lead(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def pour(self, path: str) -> None:
        for _ in range(SIXTY_MB // 65_536):
            self.wfile.write(b"\0" * 65_536)
            self.cameras.sent[path] = self.cameras.sent.get(path, 0) + 65_536

    def log_message(self, *_: Any) -> None:
        pass


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Whoever hangs up on the test's server is meant to."""


@pytest.fixture
def cameras() -> Iterator[Cameras]:
    server = Quiet(("0.0.0.0", 0), Camera)
    found, stop = Cameras(server.server_port), threading.Event()
    server.RequestHandlerClass = type("Handler", (Camera,), {"cameras": found, "stop": stop})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


def report(database_url: str, event_id: str, snapshot: str, camera: str = "CAM-X", **more: Any):
    """A camera's event with a picture; every camera has an address of its own."""
    with connect(database_url, application="test") as conn:
        row = conn.execute(
            """
            INSERT INTO device (code, district, kind, name, lon, lat, report_interval_s,
                                attributes, created_at)
            VALUES (%s, %s, 'camera', %s, 110.35, 20.0, 60, '{"address": "10.9.9.9"}', now())
            ON CONFLICT (code) DO UPDATE SET name = excluded.name RETURNING id
            """,
            (camera, DISTRICT, camera),
        ).fetchone()
        assert row is not None
        now = datetime.now(UTC)
        event = VideoEvent(
            camera, event_id, "hawker", EventPhase.NEW, now, snapshot=snapshot, **more
        )
        upsert_video_events(conn, [ReportedEvent(row[0], camera, DISTRICT, event, now)])
        conn.commit()
        return int(row[0])


def states(database_url: str) -> dict[str, tuple[str, str]]:
    with psycopg.connect(database_url) as conn:
        rows = conn.execute("SELECT event_id, state, problem FROM video_snapshot").fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


@pytest.fixture
def rules(database_url: str) -> None:
    with connect(database_url, application="test") as conn:
        apply_rules(conn, "system", default_rules(), datetime.now(UTC))
        conn.commit()


def test_pictures_come_from_allowed_hosts_only_and_whoever_hangs_delays_nobody(
    database_url: str, redis_url: str, cameras: Cameras, rules: None
) -> None:
    inline = base64.b64encode(picture("green")).decode()
    camera_id = report(database_url, "good", cameras.url("/good.jpg"))
    # Every case has a name of its own for the server's address, so that each is a host.
    for number, (event_id, path) in enumerate(
        (
            ("lies", "/lies.jpg"),
            ("page", "/page.html"),
            ("here", "/here"),
            ("elsewhere", "/elsewhere"),
            ("round", "/round"),
            ("large", "/large"),
            ("endless", "/endless"),
            ("drip", "/drip"),
            ("hangs", "/hangs"),
            ("breaks", "/breaks"),
            ("forbidden", "/forbidden"),
        ),
        start=2,
    ):
        report(database_url, event_id, cameras.url(path, f"127.0.0.{number}"))
    report(database_url, "other", "http://169.254.169.254/latest/meta-data/")
    report(database_url, "local", cameras.url("/good.jpg", "localhost"))
    report(database_url, "own", "http://10.9.9.9:1/x.jpg")
    report(database_url, "inline", f"data:image/jpeg;base64,{inline}")
    report(database_url, "nonsense", "data:image/jpeg;base64,AAAA")
    hosts = ",".join(f"127.0.0.{n}:{cameras.port}" for n in range(1, 13))
    settings = SnapshotSettings(database_url, redis_url, parse_hosts(hosts), TIMEOUT_S)
    stop = threading.Event()
    began = time.monotonic()
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    try:
        still = {"hangs", "drip", "breaks"}
        found = wait_for(
            lambda: (
                (s := states(database_url))
                and all(s[name][0] != "waiting" or s[name][1] for name in s)
                and s
            ),
            20,
        )
        took_s = time.monotonic() - began
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()

    assert {name for name, (state, _) in found.items() if state == "stored"} == {
        "good",
        "page",
        "here",
        "inline",
    }
    assert {name for name, (state, _) in found.items() if state == "waiting"} == still
    for name, said in (
        ("lies", "undamaged JPEG, PNG or WebP"),
        ("nonsense", "undamaged JPEG"),
        ("elsewhere", "169.254.169.254:80 is not allowed"),
        ("round", "redirects more than 2"),
        ("large", "sends more than 8388608 bytes"),
        ("endless", "sends more than 8388608"),
        ("drip", "does not answer in time"),
        ("hangs", "does not answer in time"),
        ("breaks", "breaks off after 300 of 5000"),
        ("forbidden", "answers 403"),
        ("other", "host 169.254.169.254:80 is not allowed"),
        ("local", f"host localhost:{cameras.port} is not allowed"),
        ("own", "host 10.9.9.9:1 is not allowed"),
    ):
        assert said in found[name][1], name
    assert cameras.sent.get("/large", 0) < SIXTY_MB / 4
    assert cameras.sent["/endless"] < SIXTY_MB / 2
    assert took_s < 12
    with psycopg.connect(database_url) as conn:
        sha256, content, blurred = conn.execute(
            "SELECT sha256, content, blurred FROM video_snapshot WHERE event_id = 'good'"
        ).fetchone() or (b"", b"", None)
        told = conn.execute(
            "SELECT payload->>'problem' FROM event WHERE kind = 'video.snapshot_refused' "
            "AND subject = 'video:CAM-X/other'"
        ).fetchall()
        slow = conn.execute(
            "SELECT attempts, due_at > now() FROM video_snapshot WHERE event_id = 'hangs'"
        ).fetchone()
    assert content == picture("red")
    assert (sha256, blurred) == (hashlib.sha256(content).digest(), False)
    assert told == [("host 169.254.169.254:80 is not allowed",)]
    assert slow == (1, True)
    # A role without the right sees what the rule says; days later nobody sees more.
    assert camera_id


def test_a_picture_is_blurred_for_others_and_forgotten_in_time(
    database_url: str, rules: None
) -> None:
    text = next(t for name, t in default_rules().items() if "video-confirmed" in name)
    own = 'snapshot_days = 2\nsnapshot_blur = "regions"\n\n[[level]]'
    now = datetime.now(UTC)
    image = Image.effect_noise((96, 64), 120).convert("RGB")
    out = io.BytesIO()
    image.save(out, "PNG")
    content = out.getvalue()
    inline = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    regions = {"regions": [[0.0, 0.0, 0.5, 1.0]]}
    camera_id = report(database_url, "a", inline, attributes=regions)
    report(database_url, "b", inline)
    stop = threading.Event()
    with connect(database_url, application="test") as conn:
        changed = text.replace("[[level]]", own)
        assert parse_rule(changed)
        apply_rules(conn, "system", {"rules/video-confirmed.toml": changed}, now)
        conn.execute("UPDATE video_event SET review = 'confirmed' WHERE event_id = 'a'")
        conn.commit()
        thread = threading.Thread(
            target=run, args=(SnapshotSettings(database_url, "redis://127.0.0.1:1/0"), stop)
        )
        thread.start()
        wait_for(lambda: all(s[0] == "stored" for s in states(database_url).values()))
        stop.set()
        thread.join(15)

        def shown(role: Role, event_id: str = "a") -> bytes:
            caller = Caller("somebody", role, DISTRICT)
            found = picture_for(conn, caller, camera_id, event_id, datetime.now(UTC))
            assert found is not None
            return found[0]

        def spread(found: bytes, left: int) -> float:
            part = Image.open(io.BytesIO(found)).convert("L").crop((left, 0, left + 48, 64))
            low, high = part.getextrema()
            assert isinstance(low, int)
            assert isinstance(high, int)
            return high - low

        assert shown(Role.CHECKER) == content
        other = shown(Role.LEADER)
        assert spread(other, 0) < 90 < spread(other, 48)
        whole = shown(Role.LEADER, "b")  # the camera named no region: all of it
        assert spread(whole, 48) < 90
        assert forget_old(conn, now + timedelta(days=1)) == 0
        assert forget_old(conn, now + timedelta(days=3)) == 2
        kept = shown(Role.CHECKER)
        assert spread(kept, 0) < 90
        stranger = Caller("somebody", Role.ADMIN, "310101")
        assert picture_for(conn, stranger, camera_id, "a", now) is None
        rows = conn.execute(
            "SELECT event_id, state, content IS NULL, sha256 FROM video_snapshot ORDER BY event_id"
        ).fetchall()
        digest = hashlib.sha256(content).digest()
        assert rows == [("a", "stored", False, digest), ("b", "forgotten", True, digest)]
        kinds = conn.execute("SELECT kind FROM event WHERE kind LIKE 'video.snap%' ORDER BY seq")
        told = sorted(row[0] for row in kinds.fetchall())
        assert told[:2] == ["video.snapshot_blurred", "video.snapshot_deleted"]
