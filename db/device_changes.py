"""What happens to a registered device: out of service and back, its hardware exchanged, renamed,
moved, corrected, retired; and what it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from city.errors import Conflict, NotFound
from db.devices import Cell
from db.pool import Connection
from db.row_columns import assignments, insert_list, names_of, select_list, values_of


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What of a device may be put right; place in WGS-84 degrees."""

    name: str
    model: str
    gas: str | None
    lon: float
    lat: float
    report_interval_s: int
    attributes: dict[str, Any]


FACT_NAMES = names_of(DeviceFacts)


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
    name: str
    gas: str | None
    lon: float
    lat: float
    report_interval_s: int
    attributes: dict[str, Any]
    retired_at: datetime | None

    @property
    def facts(self) -> DeviceFacts:
        return DeviceFacts(**{name: getattr(self, name) for name in FACT_NAMES})

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


def claim_known(conn: Connection, codes: Sequence[str]) -> dict[str, ClaimedDevice]:
    """Those of these codes that are registered in any district, locked until the transaction
    ends."""
    with conn.cursor(row_factory=class_row(ClaimedDevice)) as cursor:
        found = cursor.execute(
            f"SELECT {CLAIMED_COLUMNS} FROM device WHERE code = ANY(%s) ORDER BY id FOR UPDATE",
            (list(codes),),
        ).fetchall()
    return {device.code: device for device in found}


def insert_past(conn: Connection, device_id: int, until: datetime) -> None:
    """Keep a device as it is now, before it is changed."""
    conn.execute(
        f"""
        INSERT INTO device_past (device_id, valid_to, version, {insert_list(FACT_NAMES)})
        SELECT id, %s, version, {insert_list(FACT_NAMES)} FROM device WHERE id = %s
        """,
        (until, device_id),
    )


def update_facts(
    conn: Connection, device_id: int, facts: DeviceFacts, cell: Cell | None, now: datetime
) -> None:
    """Put these in the place of what is there, which is kept; `cell` is where it now stands."""
    insert_past(conn, device_id, now)
    conn.execute(
        f"""
        UPDATE device
        SET {assignments(FACT_NAMES)}, unit_grid = %(unit_grid)s, street = %(street)s,
            community = %(community)s, version = version + 1
        WHERE id = %(id)s
        """,
        {
            **values_of(facts), "id": device_id,
            "unit_grid": cell.code if cell else None, "street": cell.street if cell else None,
            "community": cell.community if cell else None,
        },
    )  # fmt: skip


def update_retired(conn: Connection, device_id: int, at: datetime, by: str, reason: str) -> None:
    """It is no more; code, history and what hangs on it stay. What was said of its absence is
    over."""
    conn.execute(
        """
        UPDATE device
        SET retired_at = %s, retired_by = %s, retired_reason = %s, out_of_service_since = NULL,
            return_due_at = NULL, out_of_service_reason = '', out_of_service_by = NULL,
            version = version + 1
        WHERE id = %s
        """,
        (at, by, reason, device_id),
    )


def update_revived(conn: Connection, device_id: int) -> None:
    """It is there again, under its code and identity."""
    try:
        conn.execute(
            """
            UPDATE device SET retired_at = NULL, retired_by = NULL, retired_reason = '',
                              version = version + 1
            WHERE id = %s
            """,
            (device_id,),
        )
    except UniqueViolation as error:
        raise Conflict("another device has its identity now", current={}) from error


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
