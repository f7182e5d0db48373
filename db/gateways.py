"""Gateways and network servers: when they were heard, what they say, which devices are behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from city.gateway import NETWORK_SERVER, USUAL, DevicePaths, Gateway, Heard
from db.pool import Connection

# A large city has some hundreds. More are invented ones, which push out their own kind.
GATEWAYS_MAX = 5_000
# A frame in a dense network is heard by about ten; more are remembered for devices that move.
GATEWAYS_PER_DEVICE = 32
# How exactly `heard_at` is kept. Writing less often keeps chatty devices from costing anything;
# a gateway is judged by minutes, whom it heard by days.
GATEWAY_EVERY = timedelta(seconds=10)
PAIR_EVERY = timedelta(seconds=60)
# Whoever was heard over this span is no invention of the moment.
TENURE = timedelta(days=1)


class _Key(NamedTuple):
    format: str
    identity: str


def note_gateways(
    conn: Connection, heard: Sequence[Heard], *, gateways_max: int = GATEWAYS_MAX
) -> None:
    """Take in what the messages of a batch say; what is known well enough is not written again.

    The database puts the keys in order before it locks a row, so that workers never deadlock.
    """
    if not heard:
        return
    if _upsert_gateways(conn, heard):
        _trim_gateways(conn, gateways_max)
    moved = _upsert_pairs(conn, heard)
    if moved:
        _trim_pairs(conn, moved)


def _upsert_gateways(conn: Connection, heard: Iterable[Heard]) -> bool:
    """Whether somebody is new."""
    alive: dict[_Key, Heard] = {}
    said: dict[_Key, Heard] = {}
    about: dict[_Key, dict[str, Any]] = {}
    for item in heard:
        key = _Key(item.format, item.identity)
        if item.is_alive and (key not in alive or alive[key].at < item.at):
            alive[key] = item
        if item.online is not None and (key not in said or said[key].at <= item.at):
            said[key] = item
        about.setdefault(key, {}).update(item.attributes)
    keys = list(about)
    any_of = [alive.get(key) or said.get(key) for key in keys]
    known = [(key, item) for key, item in zip(keys, any_of, strict=True) if item is not None]
    rows = conn.execute(
        """
        INSERT INTO gateway AS known
            (format, identity, kind, district, online, status_at, heard_at, attributes, first_seen)
        SELECT said.format, said.identity, said.kind, said.district, said.online, said.status_at,
               said.heard_at, said.attributes, coalesce(said.heard_at, said.status_at)
        FROM unnest(%(formats)s::text[], %(identities)s::text[], %(kinds)s::text[],
                    %(districts)s::text[], %(onlines)s::boolean[], %(status_ats)s::timestamptz[],
                    %(heard_ats)s::timestamptz[], %(attributes)s::jsonb[])
             AS said (format, identity, kind, district, online, status_at, heard_at, attributes)
        LEFT JOIN gateway AS old ON old.format = said.format AND old.identity = said.identity
        WHERE old.id IS NULL
           OR said.status_at > coalesce(old.status_at, '-infinity')
           OR said.heard_at > coalesce(old.heard_at, '-infinity') + %(every)s
        ORDER BY said.format, said.identity
        ON CONFLICT (format, identity) DO UPDATE
        SET district = coalesce(known.district, excluded.district),
            online = CASE WHEN excluded.status_at >= coalesce(known.status_at, '-infinity')
                          THEN excluded.online ELSE known.online END,
            status_at = greatest(known.status_at, excluded.status_at),
            heard_at = greatest(known.heard_at, excluded.heard_at),
            attributes = known.attributes || excluded.attributes
        RETURNING xmax = 0
        """,
        {
            "formats": [key.format for key, _ in known],
            "identities": [key.identity for key, _ in known],
            "kinds": [item.kind for _, item in known],
            "districts": [item.district for _, item in known],
            "onlines": [said[key].online if key in said else None for key, _ in known],
            "status_ats": [said[key].at if key in said else None for key, _ in known],
            "heard_ats": [alive[key].at if key in alive else None for key, _ in known],
            "attributes": [Jsonb(about[key]) for key, _ in known],
            "every": GATEWAY_EVERY,
        },
    ).fetchall()
    return any(is_new for (is_new,) in rows)


def _trim_gateways(conn: Connection, gateways_max: int) -> None:
    """Forget those of a moment before those of long standing, the longest unheard first."""
    conn.execute(
        """
        DELETE FROM gateway WHERE id IN (
            SELECT id FROM gateway WHERE id IN (
                SELECT id FROM gateway
                ORDER BY coalesce(heard_at, status_at) - first_seen > %s DESC,
                         coalesce(heard_at, status_at) DESC, id DESC OFFSET %s)
            ORDER BY id FOR UPDATE SKIP LOCKED)
        """,
        (TENURE, gateways_max),
    )


def _upsert_pairs(conn: Connection, heard: Iterable[Heard]) -> list[int]:
    """Ids of the devices that were heard through a gateway for the first time.

    A gateway or device that somebody is about to remove is passed over: waiting for it would end
    in a broken reference. One that is noted here cannot be removed until the transaction ends, so
    that removing one, with its pairs in whatever order, never meets a worker at its pairs.
    """
    newest: dict[tuple[int, _Key], Heard] = {}
    for item in heard:
        if item.device_id is not None and item.is_alive:
            key = item.device_id, _Key(item.format, item.identity)
            if key not in newest or newest[key].at <= item.at:
                newest[key] = item
    if not newest:
        return []
    rows = conn.execute(
        """
        INSERT INTO device_gateway AS known (device_id, gateway_id, heard_at, rssi_dbm, snr_db)
        SELECT said.device_id, gateway.id, said.heard_at, said.rssi_dbm, said.snr_db
        FROM unnest(%(devices)s::int[], %(formats)s::text[], %(identities)s::text[],
                    %(heard_ats)s::timestamptz[], %(rssi_dbm)s::real[], %(snr_db)s::real[])
             AS said (device_id, format, identity, heard_at, rssi_dbm, snr_db)
        JOIN gateway ON gateway.format = said.format AND gateway.identity = said.identity
        JOIN device ON device.id = said.device_id  -- may have been removed a moment ago
        LEFT JOIN device_gateway AS old
               ON old.device_id = said.device_id AND old.gateway_id = gateway.id
        WHERE old.heard_at IS NULL OR said.heard_at > old.heard_at + %(every)s
        ORDER BY said.device_id, gateway.id
        FOR KEY SHARE OF gateway, device SKIP LOCKED
        ON CONFLICT (device_id, gateway_id) DO UPDATE
        SET heard_at = excluded.heard_at, rssi_dbm = excluded.rssi_dbm, snr_db = excluded.snr_db
        WHERE known.heard_at < excluded.heard_at
        RETURNING device_id, xmax = 0
        """,
        {
            "devices": [device_id for device_id, _ in newest],
            "formats": [key.format for _, key in newest],
            "identities": [key.identity for _, key in newest],
            "heard_ats": [item.at for item in newest.values()],
            "rssi_dbm": [item.rssi_dbm for item in newest.values()],
            "snr_db": [item.snr_db for item in newest.values()],
            "every": PAIR_EVERY,
        },
    ).fetchall()
    return sorted({device_id for device_id, is_new in rows if is_new})


def _trim_pairs(conn: Connection, device_ids: Sequence[int]) -> None:
    """Of these devices only the gateways heard last are kept."""
    conn.execute(
        """
        DELETE FROM device_gateway WHERE (device_id, gateway_id) IN (
            SELECT device_id, gateway_id FROM device_gateway
            WHERE (device_id, gateway_id) IN (
                SELECT device_id, gateway_id FROM (
                    SELECT device_id, gateway_id,
                           row_number() OVER (PARTITION BY device_id
                                              ORDER BY heard_at DESC, gateway_id) AS place
                    FROM device_gateway WHERE device_id = ANY(%s)) ranked
                WHERE place > %s)
            ORDER BY device_id, gateway_id FOR UPDATE SKIP LOCKED)
        """,
        (list(device_ids), GATEWAYS_PER_DEVICE),
    )


def list_all(conn: Connection) -> list[Gateway]:
    """Every gateway that is remembered."""
    with conn.cursor(row_factory=class_row(Gateway)) as cursor:
        return cursor.execute(
            """
            SELECT id, format, identity, kind, name, district, online, status_at, heard_at, back_at,
                   attributes ? 'network' AS is_foreign
            FROM gateway ORDER BY format, identity
            """
        ).fetchall()


_IN_SERVICE: LiteralString = """
    d.retired_at IS NULL AND NOT coalesce(d.out_of_service_since <= %(now)s
             AND (d.return_due_at IS NULL OR d.return_due_at > %(now)s), false)
    """


def list_second_intervals(
    conn: Connection,
    gateway_ids: Sequence[int],
    kinds: Sequence[str],
    now: datetime,
    *,
    device_ids: Sequence[int] | None = None,
) -> dict[int, int]:
    """By gateway the second shortest reporting interval, in seconds, of the devices of these kinds
    that it usually hears (given ids, of those only): by then two have missed their turn. Without
    two there is none."""
    rows = conn.execute(
        """
        SELECT behind.gateway_id, (array_agg(d.report_interval_s ORDER BY d.report_interval_s))[2]
        FROM (
            SELECT g.id AS gateway_id, g.heard_at, pair.device_id
            FROM gateway g
            JOIN device_gateway pair ON pair.gateway_id = g.id
                                    AND pair.heard_at > g.heard_at - %(usual)s
            WHERE g.id = ANY(%(ids)s)
            UNION ALL
            SELECT g.id, g.heard_at, d.id
            FROM gateway g
            JOIN device d ON d.format = g.format
            WHERE g.id = ANY(%(ids)s) AND g.kind = %(server)s
        ) behind
        JOIN device d ON d.id = behind.device_id
        WHERE d.kind = ANY(%(kinds)s)
          AND (%(devices)s::int[] IS NULL OR d.id = ANY(%(devices)s))
          AND EXISTS (SELECT FROM device_latest latest WHERE latest.device_id = d.id
                      AND latest.received_at > behind.heard_at - %(usual)s)
          AND """
        + _IN_SERVICE
        + "GROUP BY behind.gateway_id HAVING count(*) > 1",
        {
            "ids": list(gateway_ids),
            "usual": USUAL,
            "server": NETWORK_SERVER,
            "now": now,
            "kinds": list(kinds),
            "devices": None if device_ids is None else list(device_ids),
        },
    )
    return dict(rows.fetchall())


def list_paths(
    conn: Connection,
    now: datetime,
    *,
    device_ids: Sequence[int] = (),
    gateway_ids: Sequence[int] = (),
    formats: Sequence[str] = (),
) -> list[DevicePaths]:
    """Devices in service that were ever heard: these ones, those heard through these gateways, and
    all of these formats."""
    with conn.cursor(row_factory=class_row(DevicePaths)) as cursor:
        return cursor.execute(
            """
            SELECT d.id AS device_id, d.kind, d.format, d.district, d.lon, d.lat, d.demo,
                   coalesce(latest.last_at, pairs.last_at) AS last_at,
                   coalesce(pairs.gateway_ids, '{}') AS gateway_ids,
                   coalesce(pairs.heard_ats, '{}') AS heard_ats
            FROM device d
            CROSS JOIN LATERAL (
                SELECT max(received_at) AS last_at FROM device_latest WHERE device_id = d.id) latest
            LEFT JOIN LATERAL (
                SELECT array_agg(gateway_id ORDER BY gateway_id) AS gateway_ids,
                       array_agg(heard_at ORDER BY gateway_id) AS heard_ats,
                       max(heard_at) AS last_at
                FROM device_gateway WHERE device_id = d.id) pairs ON true
            WHERE (d.id = ANY(%(devices)s::int[]) OR d.format = ANY(%(formats)s::text[])
                   OR d.id IN (SELECT device_id FROM device_gateway
                               WHERE gateway_id = ANY(%(gateways)s::int[])))
              AND coalesce(latest.last_at, pairs.last_at) IS NOT NULL
              AND """
            + _IN_SERVICE
            + "ORDER BY d.id",
            {
                "devices": list(device_ids), "gateways": list(gateway_ids),
                "formats": list(formats), "now": now,
            },
        ).fetchall()  # fmt: skip


def mark_back(conn: Connection, gateway_ids: Sequence[int], now: datetime) -> None:
    """They speak again: whoever is behind gets the time to do so, too. Rows are locked in the
    order in which ingest locks them."""
    conn.execute(
        """
        UPDATE gateway SET back_at = %s
        FROM (SELECT id FROM gateway WHERE id = ANY(%s)
              ORDER BY format, identity FOR NO KEY UPDATE) AS back
        WHERE gateway.id = back.id
        """,
        (now, list(gateway_ids)),
    )


GATEWAY_FILTERS: dict[str, type] = {"format": str, "kind": str, "silent": bool}


@dataclass(frozen=True, slots=True)
class ListedGateway:
    """A gateway as people see it. `devices` were heard through it in its last day of being heard,
    the silence of `inhibited` ones is explained by its alarm."""

    id: int
    format: str
    identity: str
    kind: str
    name: str
    district: str | None
    online: bool | None
    status_at: datetime | None
    heard_at: datetime | None
    back_at: datetime | None
    attributes: dict[str, Any]
    first_seen: datetime
    devices: int
    inhibited: int
    alarm_id: int | None
    alarm_state: str | None
    severity: int | None
    silent_since: datetime | None
    condition: str  # of its alarm, whether there is one or not


def list_gateways(
    conn: Connection,
    district: str,
    *,
    format: str | None = None,
    kind: str | None = None,
    silent: bool | None = None,
    since: datetime | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[ListedGateway]:
    """Gateways of the district and of none, by id from `after` on; `since`: heard since then."""
    with conn.cursor(row_factory=class_row(ListedGateway)) as cursor:
        return cursor.execute(
            """
            SELECT g.id, g.format, g.identity, g.kind, g.name, g.district, g.online, g.status_at,
                   g.heard_at, g.back_at, g.attributes, g.first_seen,
                   (CASE WHEN g.kind = %(server)s
                         THEN (SELECT count(*) FROM device d WHERE d.format = g.format)
                         ELSE (SELECT count(*) FROM device_gateway pair
                               WHERE pair.gateway_id = g.id
                                 AND pair.heard_at > g.heard_at - %(usual)s) END)::int AS devices,
                   (SELECT count(*) FROM alarm_inhibition
                    WHERE by_condition = named.condition)::int AS inhibited,
                   alarm.id AS alarm_id, alarm.state AS alarm_state, alarm.severity,
                   (alarm.reason ->> 'since')::timestamptz AS silent_since, named.condition
            FROM gateway g
            CROSS JOIN LATERAL (SELECT CASE WHEN g.kind = %(server)s THEN 'feed/' || g.format
                ELSE 'gateway/' || g.format || '/' || g.identity END AS condition) named
            LEFT JOIN alarm ON alarm.condition = named.condition
                           AND alarm.state IN ('unacknowledged', 'acknowledged')
            WHERE g.id > %(after)s AND (g.district = %(district)s OR g.district IS NULL)
              AND (%(format)s::text IS NULL OR g.format = %(format)s)
              AND (%(kind)s::text IS NULL OR g.kind = %(kind)s)
              AND (%(silent)s::boolean IS NULL OR (alarm.id IS NOT NULL) = %(silent)s)
              AND (%(since)s::timestamptz IS NULL OR g.heard_at >= %(since)s)
            ORDER BY g.id LIMIT %(limit)s
            """,
            {
                "server": NETWORK_SERVER, "usual": USUAL, "district": district, "format": format,
                "kind": kind, "silent": silent, "since": since, "after": after, "limit": limit,
            },
        ).fetchall()  # fmt: skip


@dataclass(frozen=True, slots=True)
class GatewayCounts:
    """Gateways of a district and of none; `explained` devices are not announced one by one."""

    heard: int
    silent: int
    explained: int


def count_gateways(conn: Connection, district: str) -> GatewayCounts:
    """How many there are, how many are silent, and how many devices that explains."""
    with conn.cursor(row_factory=class_row(GatewayCounts)) as cursor:
        found = cursor.execute(
            """
            SELECT count(*) FILTER (WHERE alarm.id IS NULL)::int AS heard,
                   count(alarm.id)::int AS silent,
                   (SELECT count(DISTINCT device_id) FROM alarm_inhibition
                    WHERE district = %(district)s)::int AS explained
            FROM gateway g
            LEFT JOIN alarm
                   ON alarm.condition = CASE WHEN g.kind = %(server)s THEN 'feed/' || g.format
                                             ELSE 'gateway/' || g.format || '/' || g.identity END
                  AND alarm.state IN ('unacknowledged', 'acknowledged')
            WHERE g.district = %(district)s OR g.district IS NULL
            """,
            {"server": NETWORK_SERVER, "district": district},
        ).fetchone()
    assert found is not None, "a query of counts always answers"
    return found


@dataclass(frozen=True, slots=True)
class HeardThrough:
    """A gateway through which a device was heard, and how well."""

    format: str
    identity: str
    kind: str
    name: str
    online: bool | None
    heard_at: datetime  # the device through it
    gateway_heard_at: datetime | None  # anything through it
    rssi_dbm: float | None
    snr_db: float | None


def list_heard_through(conn: Connection, device_id: int) -> list[HeardThrough]:
    """Gateways of one device, the one that heard it last first, then the best signal."""
    with conn.cursor(row_factory=class_row(HeardThrough)) as cursor:
        return cursor.execute(
            """
            SELECT g.format, g.identity, g.kind, g.name, g.online, pair.heard_at,
                   g.heard_at AS gateway_heard_at, pair.rssi_dbm, pair.snr_db
            FROM device_gateway pair JOIN gateway g ON g.id = pair.gateway_id
            WHERE pair.device_id = %s
            ORDER BY pair.heard_at DESC, pair.rssi_dbm DESC NULLS LAST, g.id
            """,
            (device_id,),
        ).fetchall()
