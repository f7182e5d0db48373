"""`gridwarden ingest`: MQTT in, readings stored."""

from __future__ import annotations

import sys
import threading

from app.settings import Settings
from ingest import inbox


def run(settings: Settings, stop: threading.Event) -> None:
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
