"""Log lines for the person who reads them at 3 a.m.: time, process, level, one sentence."""

from __future__ import annotations

import logging
import sys
from datetime import datetime

# Libraries that report every reconnect or every run; their warnings still come through.
CHATTY = ("apscheduler", "gunicorn.access", "werkzeug", "yoyo")
# The pool warns at every attempt, in two lines; our loops say the same in one.
SAID_BY_US = ("psycopg.pool",)


class OneLine(logging.Formatter):
    """`2026-11-22T03:00:00+08:00 WARNING ingest: text`; a traceback follows only for bugs."""

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {process}: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="seconds")


def configure(process: str, level: int = logging.INFO) -> None:
    """Send everything to standard error in one format."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(OneLine(process))
    logging.basicConfig(level=level, handlers=[stream], force=True)
    logging.captureWarnings(True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SAID_BY_US:
        logging.getLogger(name).setLevel(logging.ERROR)
