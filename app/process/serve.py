"""`gridwarden serve`: screens and API."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

from alerts import steps as alert_steps
from app.people import DEMO_USERS
from app.settings import Settings
from city.errors import Unavailable
from dashboard import serve
from dashboard.parts import DemoLogin
from dashboard.ports import Ports
from db.pool import connect
from dispatch import steps as dispatch_steps
from dispatch.requests import ActionRequest, ReportRequest
from ingest import device_import, registration, replay

log = logging.getLogger(__name__)


def run(settings: Settings, stop: threading.Event) -> None:
    """The web server starts without the database too: it says so on /readyz and here."""
    try:
        connect(settings.database_url, application="gridwarden serve").close()
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
    """What the dashboard may do to alarms and incidents; it cannot import them itself."""
    return Ports(
        action_request=ActionRequest,
        report_request=ReportRequest,
        act=dispatch_steps.act,
        report=dispatch_steps.report,
        view=dispatch_steps.view,
        rank_squads=dispatch_steps.rank_squads,
        add_evidence=dispatch_steps.add_evidence,
        acknowledge=alert_steps.acknowledge,
        shelve=alert_steps.shelve,
        unshelve=alert_steps.unshelve,
        reset=alert_steps.reset,
        review_video_event=alert_steps.review_video_event,
        import_devices=device_import.import_content,
        registry_words=registration.registry_words,
        approve_device=registration.approve,
        ignore_device=registration.ignore,
        take_out_of_service=registration.take_out_of_service,
        return_to_service=registration.return_to_service,
        replace_device=registration.replace,
        decode=replay.decode_again,
        refusals=replay.refusals,
        replay_group=replay.replay_group,
    )
