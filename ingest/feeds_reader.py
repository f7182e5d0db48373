"""The feeds and the cities' own device models of now, out of the database."""

from __future__ import annotations

from db import device_models, feeds
from db.pool import Connection
from ingest.feeds import Feeds
from wire.models import use_own_models


def read_feeds(conn: Connection) -> Feeds:
    """Those of one revision."""
    revision, rows, retired = feeds.read_feeds(conn)
    return Feeds(rows, revision, retired)


def follow_models(conn: Connection) -> None:
    """Read devices by the models that their cities have now."""
    use_own_models(device_models.list_texts(conn))
