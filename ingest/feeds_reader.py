"""The feeds of now, out of the database."""

from __future__ import annotations

from db import feeds
from db.pool import Connection
from ingest.feeds import Feeds


def read_feeds(conn: Connection) -> Feeds:
    """Those of one revision."""
    revision, rows, retired = feeds.read_feeds(conn)
    return Feeds(rows, revision, retired)
