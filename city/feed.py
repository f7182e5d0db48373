"""A feed: topics at the broker that are taken as one wire format."""

from __future__ import annotations

import re
from dataclasses import dataclass

from city.datum import Datum

# Names stand in lists that semicolons separate, in addresses and on screens.
FEED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Seconds: a feed that is expected less often than once a month is not expected.
INTERVAL_MAX_S = 31 * 86_400


@dataclass(frozen=True, slots=True)
class Feed:
    """One row. `topic` is a prefix of topics or, with wildcards, a filter; empty for a shipped
    feed, which has the topics that its format fixes. `district` is that of its devices (empty:
    of any), `datum` that of its coordinates. `interval_s`: it is expected to be heard that often.
    """

    name: str
    format: str
    topic: str = ""
    district: str = ""
    interval_s: int | None = None
    enabled: bool = True
    datum: Datum = Datum.WGS84
    shipped: bool = False
