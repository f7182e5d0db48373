"""`gridwarden engine`: readings to alarms, alarms to incidents; pictures of video events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from alerts import worker as alert_worker
from alerts.video import worker as snapshot_worker
from alerts.video.credentials import parse_credentials
from alerts.video.fetch import parse_hosts
from app.settings import Settings
from dispatch import worker as dispatch_worker

log = logging.getLogger(__name__)


def run(settings: Settings, stop: threading.Event) -> None:
    """Alarm evaluation, incident opening and pictures, a thread each; the end of one ends all."""
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
        snapshots=lambda: snapshot_worker.run(
            snapshot_worker.SnapshotSettings(
                database_url=settings.database_url,
                redis_url=settings.redis_url,
                hosts=parse_hosts(settings.snapshot_hosts),
                credentials=parse_credentials(settings.snapshot_credentials),
            ),
            stop,
        ),
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
