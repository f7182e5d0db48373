"""A process that tells people, for the tests: `telling.py` with a JSON of settings."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path

from app.settings import resolve_reference
from notify.worker import NotifySettings, run


def main() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = json.loads(sys.argv[1])
    lease = timedelta(seconds=settings.pop("lease_s"))
    run(
        NotifySettings(**settings, lease=lease, resolve=partial(resolve_reference, folder=Path())),
        stop,
    )


if __name__ == "__main__":
    main()
