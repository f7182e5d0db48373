"""`gridwarden simulate`: a seeded city through MQTT."""

from __future__ import annotations

import threading
from typing import Any

from app.settings import Settings
from simulator import publish


def run(settings: Settings, stop: threading.Event, **options: Any) -> None:
    publish.run(
        publish.SimulatorSettings(
            mqtt_url=settings.mqtt_url, database_url=settings.database_url, **options
        ),
        stop,
    )
