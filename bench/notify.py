"""From a gas reading at the broker to the pocket: a webhook and a push service on loopback that
answer at once, beside a channel that hangs."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.alarm_path import native_gas, publish_all
from bench.installation import Installation, running_installation
from city.delivery import Channel, ChannelKind, EscalationStep, PushTarget, Step
from db import contacts, message_settings
from db.pool import connect
from notify.push_cipher import as_base64url

# One alarm at a time, so that each figure is a latency and not a queue.
ALARMS = 60
WAIT_S = 20.0
DISTRICT, PERSON = "460107", "dispatcher"


@dataclass
class Pocket:
    """When each message arrived, epoch milliseconds by its key."""

    url: str
    arrived: dict[str, float] = field(default_factory=dict)


def run(seconds: int | None = None) -> dict[str, Any]:
    """Milliseconds from publish to arrival, of the webhook and of push."""
    with running_installation("notify") as installation, pocket() as web:
        set_up(installation, web)
        sent = publish_all(installation, native_gas(installation, ALARMS))
        ended = time.monotonic() + WAIT_S
        while time.monotonic() < ended and len(web.arrived) < 2 * len(sent):
            time.sleep(0.1)
        told = delivered(installation)
    result: dict[str, Any] = {"alarms": len(sent)}
    for kind in ("webhook", "push"):
        found = [
            web.arrived[key] - sent[device]
            for key, device, of in told
            if of == kind and key in web.arrived and device in sent
        ]
        result[f"{kind}_arrived"] = len(found)
        if len(found) > 1:
            cuts = statistics.quantiles(found, n=100, method="inclusive")
            result |= {f"{kind}_ms_p50": cuts[49], f"{kind}_ms_p95": cuts[94]}
    return result


@contextmanager
def pocket() -> Iterator[Pocket]:
    web = Pocket("")
    hung = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            now = time.time() * 1000
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/hangs":
                hung.wait(60)
                return
            web.arrived[self.headers.get("Topic") or self.headers["Idempotency-Key"]] = now
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield web
    finally:
        hung.set()
        server.shutdown()
        server.server_close()


def set_up(installation: Installation, web: Pocket) -> None:
    """Two channels that answer and one that hangs; the dispatcher is signed in with a browser."""
    now = datetime.now(UTC)
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    )  # fmt: skip
    with connect(installation.postgres) as conn:
        message_settings.save_channels(
            conn,
            DISTRICT,
            [
                Channel("hangs", ChannelKind.WEBHOOK, f"{web.url}/hangs"),
                Channel("hook", ChannelKind.WEBHOOK, f"{web.url}/hook"),
                Channel("push", ChannelKind.PUSH, "mailto:duty@city.example", hosts=(web.url,)),
            ],
        )
        opened = EscalationStep(Step.OPENED, None, 4, ("dispatcher",), ("hangs", "hook"))
        message_settings.save_steps(conn, DISTRICT, [opened])
        contacts.begin_session(conn, "bench", PERSON, now)
        keys = (as_base64url(point), as_base64url(b"0" * 16))
        target = PushTarget(0, PERSON, f"{web.url}/push", *keys, "bench", now)
        contacts.add_push_target(conn, target)
        conn.commit()


def delivered(installation: Installation) -> list[tuple[str, str, str]]:
    """Key, device and kind of every message about the opening of a case."""
    with psycopg.connect(installation.postgres) as conn:
        return conn.execute(
            """
            SELECT m.token, d.code, m.kind FROM delivery m
            JOIN incident i ON i.id = m.incident_id JOIN device d ON d.id = i.device_id
            WHERE m.step = 'opened' AND m.channel IN ('hook', 'push')
            """
        ).fetchall()
