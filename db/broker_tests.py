"""What a broker kept over a restart, when it was last tried: one row of `setting`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from db.pool import Connection

KEY = "broker.restart_test"


@dataclass(frozen=True)
class BrokerTest:
    """The last test of a broker; by kind of subscription whether everything was kept."""

    broker: str
    passed: dict[str, bool]
    at: datetime


def save_broker_test(conn: Connection, test: BrokerTest) -> None:
    """It replaces what was known."""
    conn.execute(
        """
        INSERT INTO setting (district, key, value, updated_at) VALUES ('', %s, %s, %s)
        ON CONFLICT (district, key) DO UPDATE
        SET value = excluded.value, updated_at = excluded.updated_at
        """,
        (KEY, Jsonb({"broker": test.broker, "passed": test.passed}), test.at),
    )


def find_broker_test(conn: Connection, broker: str) -> BrokerTest | None:
    """The last test, if it was of this broker."""
    row = conn.execute(
        "SELECT value, updated_at FROM setting WHERE district = '' AND key = %s", (KEY,)
    ).fetchone()
    if row is None or row[0]["broker"] != broker:
        return None
    return BrokerTest(broker, row[0]["passed"], row[1])
