"""What each long-running command does: build settings, run the loop, stop on a signal."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alerts import steps as alert_steps
from alerts import worker as alert_worker
from app import scheduler
from app.people import DEMO_USERS
from app.settings import Settings
from city.errors import Unavailable
from db.pool import connect
from dispatch import steps as dispatch_steps
from dispatch import worker as dispatch_worker
from dispatch.requests import ActionRequest, ReportRequest
from ingest import device_import, inbox, registration, replay
from simulator import publish

if TYPE_CHECKING:
    from dashboard.parts import DemoLogin
    from dashboard.ports import Ports

log = logging.getLogger(__name__)


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def run_ingest(settings: Settings, stop: threading.Event) -> None:
    inbox.run(
        inbox.IngestSettings(
            mqtt_url=settings.mqtt_url,
            database_url=settings.database_url,
            redis_url=settings.redis_url,
            worker_name=settings.worker,
            storers=settings.storers,
            shared=settings.mqtt_shared,
            store_command=(sys.executable, "-m", "app.storing"),
        ),
        stop,
    )


def run_engine(settings: Settings, stop: threading.Event) -> None:
    """Alarm evaluation and incident opening, a thread each; the end of one ends both."""
    _run_together(
        stop,
        alerts=lambda: alert_worker.run(
            alert_worker.EngineSettings(
                database_url=settings.database_url, redis_url=settings.redis_url
            ),
            stop,
        ),
        dispatch=lambda: dispatch_worker.run(
            dispatch_worker.DispatchSettings(
                database_url=settings.database_url, redis_url=settings.redis_url
            ),
            stop,
        ),
    )


def run_scheduler(settings: Settings, stop: threading.Event) -> None:
    scheduler.run(settings, stop)


def run_serve(settings: Settings, stop: threading.Event) -> None:
    """The web server starts without the database too: it says so on /readyz and here."""
    # Here and below, not above: the screens' libraries take more than half of the start-up time
    # and memory of every process that imports this module, and only this one draws.
    from dashboard import serve

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
    from dashboard.parts import DemoLogin

    if not path:
        return ()
    passwords: dict[str, str] = json.loads(Path(path).read_text())
    return tuple(
        DemoLogin(name, passwords[name], role.value)
        for name, role in DEMO_USERS
        if name in passwords
    )


def run_simulate(settings: Settings, stop: threading.Event, **options: Any) -> None:
    publish.run(
        publish.SimulatorSettings(
            mqtt_url=settings.mqtt_url, database_url=settings.database_url, **options
        ),
        stop,
    )


def build_ports() -> Ports:
    """What the dashboard may do to alarms and incidents; it cannot import them itself."""
    from dashboard.ports import Ports

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


def _run_together(stop: threading.Event, **loops: Callable[[], None]) -> None:
    def guarded(name: str, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Exception:
            log.exception("%s stopped", name)
            failed.append(name)
        finally:
            stop.set()

    failed: list[str] = []
    threads = [threading.Thread(target=guarded, args=item, name=item[0]) for item in loops.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(1)
