"""Zigbee2MQTT bridges, and the definitions that they publish of their devices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from db.pool import Connection

# Of those without a registered device. A city has some tens; more are invented ones, which push
# out their own kind.
BRIDGES_MAX = 200
# Whoever was heard over this span is no invention of the moment.
TENURE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BridgeRow:
    """What is known of a bridge; versions are empty until it has told them."""

    bridge: str
    version: str
    converters: str
    info_at: datetime | None
    devices_at: datetime | None
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One device of a bridge; `exposed` is None if the bridge has no definition of it."""

    bridge: str
    ieee: str
    identity: str
    name: str
    model_id: str
    vendor: str
    model: str
    version: str
    power_source: str
    exposed: dict[str, dict[str, Any]] | None


def find_digest(conn: Connection, bridge: str) -> bytes | None:
    """The content of a bridge's newest list, if there is one."""
    row = conn.execute("SELECT digest FROM zigbee_bridge WHERE bridge = %s", (bridge,)).fetchone()
    return None if row is None else row[0]


def lock_bridge(conn: Connection, bridge: str, now: datetime) -> BridgeRow:
    """This bridge, made known if it is not, locked until the transaction ends. Whoever locks
    several takes them in the order of their names."""
    with conn.cursor(row_factory=class_row(BridgeRow)) as cursor:
        row = cursor.execute(
            """
            INSERT INTO zigbee_bridge (bridge, first_seen, heard_at)
            VALUES (%(bridge)s, %(now)s, %(now)s)
            ON CONFLICT (bridge) DO UPDATE SET heard_at = excluded.heard_at
            RETURNING bridge, version, converters, info_at, devices_at, digest
            """,
            {"bridge": bridge, "now": now},
        ).fetchone()
    assert row is not None
    return row


def update_info(conn: Connection, bridge: str, version: str, converters: str, at: datetime) -> None:
    """What a locked bridge says it is, as of `at`."""
    conn.execute(
        """
        UPDATE zigbee_bridge SET version = %s, converters = %s, info_at = %s WHERE bridge = %s
        """,
        (version, converters, at, bridge),
    )


def mark_devices(conn: Connection, bridge: str, digest: bytes, at: datetime) -> None:
    """A locked bridge's list of this content was received."""
    conn.execute(
        "UPDATE zigbee_bridge SET digest = %s, devices_at = %s WHERE bridge = %s",
        (digest, at, bridge),
    )


def replace_devices(conn: Connection, bridge: str, devices: Sequence[DeviceRow]) -> None:
    """The devices of a locked bridge are now these and no others."""
    conn.execute("DELETE FROM zigbee_device WHERE bridge = %s", (bridge,))
    with (
        conn.cursor() as cursor,
        cursor.copy(
            """
            COPY zigbee_device (bridge, ieee, identity, name, model_id, vendor, model, version,
                                power_source, exposed)
            FROM STDIN
            """
        ) as copy,
    ):
        for device in devices:
            copy.write_row(
                (device.bridge, device.ieee, device.identity, device.name, device.model_id,
                 device.vendor, device.model, device.version, device.power_source,
                 None if device.exposed is None else Jsonb(device.exposed))
            )  # fmt: skip


def find_devices(conn: Connection, names: Collection[str]) -> list[DeviceRow]:
    """Devices of any bridge with one of these identities or hardware addresses; of one address
    on several bridges that of the newest list is the last."""
    with conn.cursor(row_factory=class_row(DeviceRow)) as cursor:
        return cursor.execute(
            """
            SELECT bridge, ieee, identity, name, model_id, vendor, model, zigbee_device.version,
                   power_source, exposed
            FROM zigbee_device JOIN zigbee_bridge USING (bridge)
            WHERE identity = ANY(%(names)s) OR ieee = ANY(%(names)s)
            ORDER BY devices_at, bridge
            """,
            {"names": list(names)},
        ).fetchall()


def trim(conn: Connection, *, bridges_max: int = BRIDGES_MAX) -> None:
    """Forget bridges without a registered device beyond this limit: those of a moment before
    those of long standing, the longest unheard first."""
    conn.execute(
        """
        WITH registered AS (
            SELECT DISTINCT bridge FROM zigbee_device JOIN device
              ON format = 'zigbee2mqtt' AND external_id IN (identity, ieee)
        ), beyond AS (
            SELECT bridge FROM zigbee_bridge LEFT JOIN registered USING (bridge)
            WHERE registered.bridge IS NULL
            ORDER BY heard_at - first_seen > %s DESC, heard_at DESC, bridge OFFSET %s
        ), locked AS (
            SELECT bridge FROM zigbee_bridge WHERE bridge IN (SELECT * FROM beyond)
            ORDER BY bridge FOR UPDATE SKIP LOCKED
        )
        DELETE FROM zigbee_bridge WHERE bridge IN (SELECT * FROM locked)
        """,
        (TENURE, bridges_max),
    )
