"""`gridwarden serve`: screens and API."""

from __future__ import annotations

import json
import logging
import threading
from datetime import UTC, datetime
from pathlib import Path

from alerts import steps as alert_steps
from app import (
    case_requests,
    city_settings,
    duty,
    first_run,
    four_eyes,
    lamps,
    proposals,
    rule_desk,
    shelving,
)
from app.demo_plan import DEMO_USERS
from app.settings import Settings
from city.errors import Unavailable
from dashboard.shell import serve
from dashboard.shell.parts import DemoLogin
from dashboard.shell.ports import Ports
from db import setup_codes
from db.pool import Connection, connect
from dispatch import steps as dispatch_steps
from ingest import replay
from notify import steps as notify_steps
from people import steps as people_steps
from registry import steps as registry_steps

log = logging.getLogger(__name__)

# Where a container listens, and where the compose file publishes that.
EVERYWHERE, LOOPBACK = "0.0.0.0", "127.0.0.1"


def run(settings: Settings, stop: threading.Event) -> None:
    """The web server starts without the database too: it says so on /readyz and here."""
    try:
        with connect(settings.database_url, application="gridwarden serve") as conn:
            if settings.http_fd is None:  # else `gridwarden up` invites
                invite(conn, settings)
    except Unavailable as error:
        log.warning("%s; the screens wait for it", error)
    serve.run(
        serve.ServeSettings(
            database_url=settings.database_url,
            redis_url=settings.redis_url,
            secret_key=settings.secret_key,
            host=settings.http_host,
            port=settings.http_port,
            data_dir=str(settings.data_dir),
            listener_fd=settings.http_fd,
            trusted_proxies=settings.trusted_proxies,
            secure_cookies=settings.secure_cookies,
            streams_per_person=settings.streams_per_person,
            streams_per_address=settings.streams_per_address,
            demo_logins=demo_logins(settings.demo_logins_file),
        ),
        build_ports(),
        stop,
    )


def invite(conn: Connection, settings: Settings) -> None:
    """Say in the log of a container where the city is founded, while nobody can sign in."""
    if not setup_codes.is_prepared(conn):
        return
    host = LOOPBACK if settings.http_host == EVERYWHERE else settings.http_host
    address = f"http://{host}:{settings.http_port}"
    text = first_run.invitation(conn, address, "serve", datetime.now(UTC), keep_code=True)
    conn.commit()
    if text:
        log.warning("%s", text)


def demo_logins(path: str) -> tuple[DemoLogin, ...]:
    """The logins of `DEMO_USERS` as the sign-in page offers them; none outside a demonstration."""
    if not path:
        return ()
    passwords: dict[str, str] = json.loads(Path(path).read_text())
    return tuple(
        DemoLogin(name, passwords[name], role.value)
        for name, role in DEMO_USERS
        if name in passwords
    )


def build_ports() -> Ports:
    """What the dashboard may do to alarms, incidents and people; it cannot import them itself."""
    return Ports(
        incidents=dispatch_steps,
        cases=case_requests,
        alarms=alert_steps,
        shelving=shelving,
        duty=duty,
        proposals=proposals,
        registry=registry_steps,
        quarantine=replay,
        people=people_steps,
        settings=city_settings,
        approvals=four_eyes,
        rules=rule_desk,
        permits=alert_steps,
        first_run=first_run,
        lighting=lamps,
        intake=dispatch_steps,
        reports=dispatch_steps,
        handovers=dispatch_steps,
        messages=notify_steps,
        lone_work=dispatch_steps,
    )
