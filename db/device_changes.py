"""What happens to a registered device: out of service and back, its hardware exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from city.errors import Conflict, NotFound
from db.pool import Connection
from db.row_columns import select_list


@dataclass(frozen=True, slots=True)
class ClaimedDevice:
    """A device about to be changed."""

    id: int
    code: str
    district: str
    kind: str
    model: str
    format: str
    external_id: str | None
    out_of_service_since: datetime | None
    return_due_at: datetime | None
    created_at: datetime
    version: int

    @property
    def identity(self) -> str:
        """By what its messages are known: a device without external identity has its code."""
        return self.external_id or self.code


CLAIMED_COLUMNS = select_list(ClaimedDevice, "device")


def claim_device(conn: Connection, district: str, code: str) -> ClaimedDevice:
    """One device of the district, locked until the transaction ends."""
    with conn.cursor(row_factory=class_row(ClaimedDevice)) as cursor:
        found = cursor.execute(
            f"""
            SELECT {CLAIMED_COLUMNS}
            FROM device WHERE district = %s AND code = %s FOR UPDATE
            """,
            (district, code),
        ).fetchone()
    if found is None:
        raise NotFound("device", code)
    return found


def update_out_of_service(
    conn: Connection, device_id: int, since: datetime, due: datetime, reason: str, by: str
) -> None:
    conn.execute(
        """
        UPDATE device
        SET out_of_service_since = %s, return_due_at = %s, out_of_service_reason = %s,
            out_of_service_by = %s, version = version + 1
        WHERE id = %s
        """,
        (since, due, reason, by, device_id),
    )


def update_returned(conn: Connection, device_id: int) -> None:
    conn.execute(
        """
        UPDATE device
        SET out_of_service_since = NULL, return_due_at = NULL, out_of_service_reason = '',
            out_of_service_by = NULL, version = version + 1
        WHERE id = %s
        """,
        (device_id,),
    )


def update_hardware(
    conn: Connection, device_id: int, format: str, external_id: str | None, model: str
) -> None:
    """Code, place and history stay; messages are known by the new identity."""
    try:
        conn.execute(
            """
            UPDATE device SET format = %s, external_id = %s, model = %s, version = version + 1
            WHERE id = %s
            """,
            (format, external_id, model, device_id),
        )
    except UniqueViolation as error:
        raise Conflict("another device has this identity", current={}) from error


def insert_old_identity(
    conn: Connection, device: ClaimedDevice, until: datetime, reason: str, by: str
) -> None:
    """Keep what the hardware was; it began where the one before it ended."""
    conn.execute(
        """
        INSERT INTO device_identity (device_id, format, identity, model, valid_from, valid_to,
                                     reason, replaced_by)
        SELECT %(id)s, %(format)s, %(identity)s, %(model)s,
               coalesce((SELECT max(valid_to) FROM device_identity WHERE device_id = %(id)s),
                        %(created_at)s),
               %(until)s, %(reason)s, %(by)s
        """,
        {
            "id": device.id, "format": device.format, "identity": device.identity,
            "model": device.model, "created_at": device.created_at, "until": until,
            "reason": reason, "by": by,
        },
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """By what a device was or is known; `to` is empty for the present hardware."""

    format: str
    identity: str
    model: str
    from_: datetime
    to: datetime | None
    reason: str
    replaced_by: str | None


def list_identities(conn: Connection, district: str, code: str) -> list[DeviceIdentity]:
    """Every identity of a device, the present one first."""
    with conn.cursor(row_factory=class_row(DeviceIdentity)) as cursor:
        found = cursor.execute(
            """
            WITH it AS (SELECT * FROM device WHERE district = %s AND code = %s)
            SELECT format, coalesce(external_id, code) AS identity, model,
                   coalesce((SELECT max(valid_to) FROM device_identity WHERE device_id = it.id),
                            created_at) AS from_,
                   NULL::timestamptz AS to, '' AS reason, NULL::text AS replaced_by
            FROM it
            UNION ALL
            SELECT old.format, old.identity, old.model, old.valid_from, old.valid_to, old.reason,
                   old.replaced_by
            FROM device_identity old JOIN it ON it.id = old.device_id
            ORDER BY from_ DESC, "to" DESC NULLS FIRST
            """,
            (district, code),
        ).fetchall()
    if not found:
        raise NotFound("device", code)
    return found


def list_replaced(conn: Connection) -> dict[tuple[str, str], str]:
    """(format, identity) of hardware that was exchanged, with the code it stood under."""
    return _replaced(conn, None)


def find_replaced(conn: Connection, identities: Sequence[str]) -> dict[tuple[str, str], str]:
    """The same for these identities only."""
    return _replaced(conn, list(identities))


def _replaced(conn: Connection, identities: list[str] | None) -> dict[tuple[str, str], str]:
    rows = conn.execute(
        """
        SELECT old.format, old.identity, d.code
        FROM device_identity old JOIN device d ON d.id = old.device_id
        WHERE %(names)s::text[] IS NULL OR old.identity = ANY(%(names)s)
        ORDER BY old.valid_to
        """,
        {"names": identities},
    )
    return {(format, identity): code for format, identity, code in rows}
