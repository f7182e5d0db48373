"""`gridwarden notify`: messages to people."""

from __future__ import annotations

import threading
from functools import partial

from app.settings import Settings, resolve_reference
from notify import worker


def run(settings: Settings, stop: threading.Event) -> None:
    """Follow the log and send what it asks for; secrets come from this process's environment."""
    worker.run(
        worker.NotifySettings(
            database_url=settings.database_url,
            redis_url=settings.redis_url,
            base_url=settings.public_url or settings.http_url,
            secret_key=settings.secret_key,
            resolve=partial(resolve_reference, folder=settings.channel_secrets),
        ),
        stop,
    )
