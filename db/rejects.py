"""Quarantine: messages that were refused, with the reason and their bytes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import class_row

from city.reject import NewReject
from db.pool import Connection
from db.reject_limits import LIMITS, ROW_BYTES, Arrival, Group, Limits, Seen, choose

# Bytes kept of a refused message: enough to replay any honest one, not enough to fill the disk.
RAW_LIMIT = 64 * 1024
# Characters of the explanation and of the topic.
TEXT_LIMIT = 1000
# Characters of a device's name: an index entry has to fit a third of a page.
NAME_LIMIT = 200


@dataclass(frozen=True, slots=True)
class StoredReject:
    """One row of the quarantine; `raw` may have been cut, `raw_size` is what arrived."""

    id: int
    received_at: datetime
    format: str
    topic: str
    device: str
    reason: str
    detail: str
    raw: bytes
    raw_size: int
    whole_message: bool
    replayed_at: datetime | None

    @property
    def is_complete(self) -> bool:
        return len(self.raw) == self.raw_size


@dataclass(frozen=True, slots=True)
class Which:
    """Refused messages of a format, of a device, with a reason, since a time; None: any."""

    format: str | None = None
    device: str | None = None
    reason: str | None = None
    since: datetime | None = None

    def as_parameters(self) -> dict[str, Any]:
        return {
            "format": self.format, "device": self.device, "reason": self.reason,
            "since": self.since,
        }  # fmt: skip


EVERY = Which()


def insert_rejects(conn: Connection, rejects: Sequence[NewReject], limits: Limits = LIMITS) -> None:
    """Put refused messages into quarantine; of a flood only what the limits allow, the rest is
    counted. Workers queue here by format until they commit, so that the limits hold exactly."""
    if not rejects:
        return
    rows = [_storable_row(reject) for reject in rejects]
    arrivals = [_arrival(row) for row in rows]
    surplus = list(_surplus_parts(rows, limits))
    considered = [arrival for arrival, more in zip(arrivals, surplus, strict=True) if not more]
    _claim_minutes(conn, considered)
    spent = _spent(conn, considered)
    seen = _seen(conn, considered, limits)
    chosen = choose(considered, seen, spent, limits)
    verdicts = [(False, True) if more else next(chosen) for more in surplus]
    _copy(conn, [row for row, (kept, _) in zip(rows, verdicts, strict=True) if kept])
    _book(conn, rows, arrivals, verdicts)


def _surplus_parts(rows: Iterable[NewReject], limits: Limits) -> Iterator[bool]:
    """Whether as many parts of the same message go before: then it is counted only."""
    parts: Counter[tuple[datetime, str, bytes]] = Counter()
    for row in rows:
        message = row.received_at, row.topic, row.raw
        parts[message] += not row.whole_message
        yield not row.whole_message and parts[message] > limits.message_parts


def _storable_row(reject: NewReject) -> NewReject:
    return NewReject(
        reject.received_at, reject.format, _storable(reject.topic),
        _storable(reject.device, NAME_LIMIT), reject.reason, _storable(reject.detail),
        reject.raw, reject.whole_message, reject.gas,
    )  # fmt: skip


def _storable(text: str, limit: int = TEXT_LIMIT) -> str:
    """PostgreSQL takes neither NUL nor half characters, which refused messages may hold."""
    clean = text[:limit].encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _arrival(row: NewReject) -> Arrival:
    minute = row.received_at.replace(second=0, microsecond=0)
    texts = sum(len(text.encode()) for text in (row.topic, row.device, row.detail))
    return Arrival(
        Group(row.format, row.device, row.reason, minute.replace(minute=0)),
        minute,
        min(len(row.raw), RAW_LIMIT) + texts + ROW_BYTES,
    )


def _claim_minutes(conn: Connection, arrivals: Iterable[Arrival]) -> None:
    """Lock the accounts of these minutes, always in the same order."""
    minutes = sorted({(a.minute, a.group.format) for a in arrivals})
    conn.execute(
        """
        INSERT INTO reject_minute (minute, format)
        SELECT * FROM unnest(%s::timestamptz[], %s::text[])
        ON CONFLICT (minute, format) DO UPDATE SET counted = reject_minute.counted
        """,
        ([minute for minute, _ in minutes], [format_ for _, format_ in minutes]),
    )


def _spent(conn: Connection, arrivals: Iterable[Arrival]) -> dict[tuple[str, datetime], int]:
    """Bytes kept of each format and hour."""
    hours = sorted({(a.group.format, a.group.hour) for a in arrivals})
    rows = conn.execute(
        """
        SELECT hours.format, hours.hour, sum(kept_bytes)::bigint
        FROM unnest(%s::text[], %s::timestamptz[]) AS hours (format, hour)
        JOIN reject_minute AS kept ON kept.format = hours.format
         AND kept.minute >= hours.hour AND kept.minute < hours.hour + interval '1 hour'
        GROUP BY 1, 2
        """,
        ([format_ for format_, _ in hours], [hour for _, hour in hours]),
    )
    return {(format_, hour): bytes_ for format_, hour, bytes_ in rows}


def _seen(conn: Connection, arrivals: Iterable[Arrival], limits: Limits) -> dict[Group, Seen]:
    """What is kept of each group; looks at no more rows than the limit is."""
    groups = list({a.group for a in arrivals})
    rows = conn.execute(
        """
        SELECT groups.n, count(*), sum(kept.bytes)::bigint,
               date_trunc('minute', max(kept.received_at))
        FROM unnest(%(formats)s::text[], %(devices)s::text[], %(reasons)s::text[],
                    %(hours)s::timestamptz[])
             WITH ORDINALITY AS groups (format, device, reason, hour, n)
        CROSS JOIN LATERAL (
            SELECT received_at,
                   octet_length(raw) + octet_length(topic) + octet_length(device)
                       + octet_length(detail) + %(row_bytes)s AS bytes
            FROM reject
            WHERE format = groups.format AND device = groups.device AND reason = groups.reason
              AND received_at >= groups.hour AND received_at < groups.hour + interval '1 hour'
            ORDER BY received_at DESC
            LIMIT %(limit)s
        ) AS kept
        GROUP BY groups.n
        """,
        {
            "formats": [group.format for group in groups],
            "devices": [group.device for group in groups],
            "reasons": [group.reason for group in groups],
            "hours": [group.hour for group in groups],
            "row_bytes": ROW_BYTES,
            "limit": limits.device_rows,
        },
    )
    return {groups[n - 1]: Seen(count, bytes_, minute) for n, count, bytes_, minute in rows}


def _copy(conn: Connection, rows: Iterable[NewReject]) -> None:
    with (
        conn.cursor() as cursor,
        cursor.copy(
            """
            COPY reject (received_at, format, topic, device, reason, detail, raw, raw_size,
                         whole_message, gas)
            FROM STDIN
            """
        ) as copy,
    ):
        for row in rows:
            copy.write_row(
                (
                    *(row.received_at, row.format, row.topic, row.device, row.reason, row.detail),
                    *(row.raw[:RAW_LIMIT], len(row.raw), row.whole_message, row.gas),
                )
            )


def _book(
    conn: Connection,
    rows: Sequence[NewReject],
    arrivals: Sequence[Arrival],
    verdicts: Sequence[tuple[bool, bool]],
) -> None:
    """Bytes kept and messages counted, by minute; and who sent what is only counted."""
    minutes: dict[tuple[datetime, str], list[int]] = defaultdict(lambda: [0, 0])
    flood: dict[Group, list[Any]] = {}
    for row, arrival, (kept, beyond) in zip(rows, arrivals, verdicts, strict=True):
        group = arrival.group
        minute = minutes[arrival.minute, group.format]
        if kept:
            minute[0] += arrival.size
            continue
        minute[1] += row.whole_message
        sender = group._replace(device="") if beyond else group
        entry = flood.setdefault(sender, [0, 0, row.received_at])
        entry[0] += 1
        entry[1] += len(row.raw)
        entry[2] = max(entry[2], row.received_at)
    book_minutes(conn, minutes)
    _book_flood(conn, flood)


def book_minutes(conn: Connection, minutes: Mapping[tuple[datetime, str], Sequence[int]]) -> None:
    """Add (bytes kept, whole messages counted) to the accounts of minutes and formats."""
    keys = sorted(minutes)
    conn.execute(
        """
        INSERT INTO reject_minute (minute, format, kept_bytes, counted)
        SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::bigint[], %s::bigint[])
        ON CONFLICT (minute, format) DO UPDATE
        SET kept_bytes = reject_minute.kept_bytes + excluded.kept_bytes,
            counted = reject_minute.counted + excluded.counted
        """,
        (
            [minute for minute, _ in keys],
            [format_ for _, format_ in keys],
            [minutes[key][0] for key in keys],
            [minutes[key][1] for key in keys],
        ),
    )


def _book_flood(conn: Connection, flood: Mapping[Group, Sequence[Any]]) -> None:
    if not flood:
        return
    groups = sorted(flood)
    conn.execute(
        """
        INSERT INTO reject_flood (hour, format, device, reason, counted, bytes, newest_at)
        SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[],
                             %s::bigint[], %s::bigint[], %s::timestamptz[])
        ON CONFLICT (hour, format, device, reason) DO UPDATE
        SET counted = reject_flood.counted + excluded.counted,
            bytes = reject_flood.bytes + excluded.bytes,
            newest_at = greatest(reject_flood.newest_at, excluded.newest_at)
        """,
        (
            [group.hour for group in groups],
            [group.format for group in groups],
            [group.device for group in groups],
            [group.reason for group in groups],
            *([flood[group][column] for group in groups] for column in range(3)),
        ),
    )


_KEPT: LiteralString = """
    SELECT id, received_at, format, topic, device, reason, detail, raw, raw_size, whole_message,
           replayed_at
    FROM reject
    """


def list_rejects(
    conn: Connection,
    which: Which = EVERY,
    *,
    before: int | None = None,
    limit: int = 50,
    replayed: bool = False,
) -> list[StoredReject]:
    """Newest first; those that were replayed only on request. `before` is an id, for paging."""
    with conn.cursor(row_factory=class_row(StoredReject)) as cursor:
        return cursor.execute(
            _KEPT
            + """
            WHERE (%(format)s::text IS NULL OR format = %(format)s)
              AND (%(device)s::text IS NULL OR device = %(device)s)
              AND (%(reason)s::text IS NULL OR reason = %(reason)s)
              AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
              AND (%(before)s::bigint IS NULL OR id < %(before)s)
              AND (replayed_at IS NULL OR %(replayed)s)
            ORDER BY id DESC
            LIMIT %(limit)s
            """,
            which.as_parameters() | {"before": before, "limit": limit, "replayed": replayed},
        ).fetchall()


def list_replayable(
    conn: Connection, which: Which = EVERY, *, after: int = 0, limit: int = 1000
) -> list[int]:
    """Ids of messages that were not replayed and are kept whole, oldest first."""
    rows = conn.execute(
        """
        SELECT id
        FROM reject
        WHERE (%(format)s::text IS NULL OR format = %(format)s)
          AND (%(device)s::text IS NULL OR device = %(device)s)
          AND (%(reason)s::text IS NULL OR reason = %(reason)s)
          AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
          AND id > %(after)s AND replayed_at IS NULL AND octet_length(raw) = raw_size
        ORDER BY id
        LIMIT %(limit)s
        """,
        which.as_parameters() | {"after": after, "limit": limit},
    )
    return [row[0] for row in rows]


def find_reject(conn: Connection, reject_id: int) -> StoredReject | None:
    """One row as it stands."""
    with conn.cursor(row_factory=class_row(StoredReject)) as cursor:
        return cursor.execute(_KEPT + "WHERE id = %s", (reject_id,)).fetchone()


def claim_reject(conn: Connection, reject_id: int) -> StoredReject | None:
    """One row, locked until the transaction ends."""
    with conn.cursor(row_factory=class_row(StoredReject)) as cursor:
        return cursor.execute(_KEPT + "WHERE id = %s FOR UPDATE", (reject_id,)).fetchone()


def mark_replayed(conn: Connection, reject_id: int, now: datetime) -> None:
    conn.execute("UPDATE reject SET replayed_at = %s WHERE id = %s", (now, reject_id))


@dataclass(frozen=True, slots=True)
class RefusedGas:
    """A refused message that speaks of gas over a limit, and that nobody has dealt with."""

    id: int
    received_at: datetime
    topic: str
    device: str
    reason: str
    gas: str


_UNSEEN_GAS: LiteralString = """
    FROM reject WHERE gas <> '' AND gas_seen_at IS NULL AND replayed_at IS NULL
    """


def list_refused_gas(conn: Connection, limit: int) -> list[RefusedGas]:
    """Newest first."""
    with conn.cursor(row_factory=class_row(RefusedGas)) as cursor:
        columns: LiteralString = "SELECT id, received_at, topic, device, reason, gas"
        order: LiteralString = " ORDER BY received_at DESC, id DESC LIMIT %s"
        return cursor.execute(columns + _UNSEEN_GAS + order, (limit,)).fetchall()


def find_refused_gas_age(conn: Connection) -> float | None:
    """Seconds since the oldest of them came; None: there is none."""
    row = conn.execute(
        "SELECT extract(epoch FROM clock_timestamp() - min(received_at))::float8" + _UNSEEN_GAS
    ).fetchone()
    return row[0] if row else None


def mark_gas_seen(conn: Connection, up_to: int, now: datetime) -> list[str]:
    """Somebody has dealt with those up to this one; what they said of gas."""
    rows = conn.execute(
        """
        UPDATE reject SET gas_seen_at = %s
        WHERE gas <> '' AND gas_seen_at IS NULL AND replayed_at IS NULL AND id <= %s
        RETURNING device, gas
        """,
        (now, up_to),
    )
    return [f"{device} {gas}".strip() for device, gas in rows]
