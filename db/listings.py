"""Pages of devices, alarms and video events as the API lists them; no locks are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from city.alarm import Inhibition
from city.errors import NotFound
from city.scope import Scope
from city.trust import ShownClock, trust_words
from db.gateways import HeardThrough, list_heard_through
from db.inhibitions import list_inhibitions_of
from db.pool import Connection
from db.quality import ShownFault, list_clocks, list_shown_faults
from db.row_columns import select_list
from db.scopes import inside
from db.video_events import END_AFTER

DEVICE_FILTERS: dict[str, type] = {
    "kind": str, "model": str, "format": str, "external_id": str, "gas": str, "street": str,
    "community": str, "unit_grid": str, "demo": bool, "out_of_service": bool,
}  # fmt: skip
ALARM_FILTERS: dict[str, type] = {
    "state": str, "severity": int, "category": str, "rule": str, "device": str,
    "unit_grid": str, "incident_id": int, "live": bool, "demo": bool, "condition": str,
    "kind": str, "street": str, "shelved": bool, "q": str,
}  # fmt: skip
VIDEO_FILTERS: dict[str, type] = {
    "review": str, "type": str, "category": str, "camera": str, "phase": str,
    "standing": str, "held_why": str,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LatestReading:
    """The newest value of one metric; `age_s` is counted from the sensor's own time."""

    metric: str
    unit: str
    value: float
    ts: datetime
    received_at: datetime
    age_s: float
    quality: int
    trust: list[str] = field(default_factory=list)  # gravest first: stuck, clock, stale, quality


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A registered device with its newest values."""

    id: int
    code: str
    kind: str
    model: str
    format: str
    external_id: str | None
    name: str
    lon: float
    lat: float
    unit_grid: str | None
    street: str | None
    community: str | None
    gas: str | None
    report_interval_s: int
    attributes: dict[str, Any]
    out_of_service_since: datetime | None
    return_due_at: datetime | None
    out_of_service_reason: str
    out_of_service_by: str | None
    online: bool | None
    online_at: datetime | None
    demo: bool
    created_at: datetime
    version: int
    latest: list[LatestReading] = field(default_factory=list)
    clock: ShownClock | None = None
    faults: list[ShownFault] = field(default_factory=list)


DEVICE_COLUMNS = select_list(
    ListedDevice, "d", without={"latest", "clock", "faults"},
    online="link.online", online_at="link.reported_at",
)  # fmt: skip


def list_devices(
    conn: Connection,
    scope: Scope,
    now: datetime,
    *,
    filters: Mapping[str, Any],
    since: datetime | None,
    after: str | None,
    limit: int,
) -> list[ListedDevice]:
    """Devices by code from `after` on; `since`: only those that measured something since then."""
    with conn.cursor(row_factory=class_row(ListedDevice)) as cursor:
        devices = cursor.execute(
            f"""
            SELECT {DEVICE_COLUMNS}
            FROM device d
            LEFT JOIN device_link link ON link.device_id = d.id
            WHERE d.district = %(district)s AND {inside("d")}
              AND (%(code)s::text IS NULL OR d.code = %(code)s)
              AND (%(after)s::text IS NULL OR d.code > %(after)s)
              AND (%(kind)s::text IS NULL OR d.kind = %(kind)s)
              AND (%(model)s::text IS NULL OR d.model = %(model)s)
              AND (%(format)s::text IS NULL OR d.format = %(format)s)
              AND (%(external_id)s::text IS NULL OR d.external_id = %(external_id)s)
              AND (%(gas)s::text IS NULL OR d.gas = %(gas)s)
              AND (%(street)s::text IS NULL OR d.street = %(street)s)
              AND (%(community)s::text IS NULL OR d.community = %(community)s)
              AND (%(unit_grid)s::text IS NULL OR d.unit_grid = %(unit_grid)s)
              AND (%(demo)s::boolean IS NULL OR d.demo = %(demo)s)
              AND (%(out_of_service)s::boolean IS NULL
                   OR (d.out_of_service_since IS NOT NULL) = %(out_of_service)s)
              AND (%(since)s::timestamptz IS NULL OR EXISTS (
                   SELECT FROM device_latest WHERE device_id = d.id AND ts >= %(since)s))
            ORDER BY d.code
            LIMIT %(limit)s
            """,
            {
                **dict.fromkeys(DEVICE_FILTERS), "code": None, **filters,
                "district": scope.district, "within": scope.codes, "since": since,
                "after": after, "limit": limit,
            },
        ).fetchall()  # fmt: skip
    ids = [device.id for device in devices]
    latest, clocks = _latest(conn, ids, now), list_clocks(conn, ids)
    faults = list_shown_faults(conn, ids)
    return [
        replace(
            device,
            latest=_judged(device, latest.get(device.id, []), faults.get(device.id, [])),
            clock=clocks.get(device.id),
            faults=faults.get(device.id, []),
        )
        for device in devices
    ]


def _judged(
    device: ListedDevice, latest: Sequence[LatestReading], faults: Sequence[ShownFault]
) -> list[LatestReading]:
    """The values with what to know before one believes them."""
    return [
        replace(
            value,
            trust=trust_words(
                value.quality,
                value.age_s,
                device.report_interval_s,
                [fault.kind for fault in faults if fault.metric in ("", value.metric)],
            ),
        )
        for value in latest
    ]


def find_device(conn: Connection, scope: Scope, code: str, now: datetime) -> ListedDevice:
    """One device of the scope by its code."""
    named = {"code": code}
    found = list_devices(conn, scope, now, filters=named, since=None, after=None, limit=1)
    if found:
        return found[0]
    if scope.within is not None:
        find_device(conn, scope.whole, code, now)
        raise scope.refusal("device", code)
    raise NotFound("device", code)


@dataclass(frozen=True, slots=True)
class DetailedDevice(ListedDevice):
    """One device, with the ways its messages come and what of it is not announced."""

    gateways: list[HeardThrough] = field(default_factory=list)
    inhibitions: list[Inhibition] = field(default_factory=list)


def find_detailed_device(
    conn: Connection, scope: Scope, code: str, now: datetime
) -> DetailedDevice:
    """One device of the scope by its code, with its gateways."""
    found = find_device(conn, scope, code, now)
    return DetailedDevice(
        **{column.name: getattr(found, column.name) for column in fields(found)},
        gateways=list_heard_through(conn, found.id),
        inhibitions=list_inhibitions_of(conn, found.id),
    )


def _latest(
    conn: Connection, device_ids: Sequence[int], now: datetime
) -> dict[int, list[LatestReading]]:
    rows = conn.execute(
        """
        SELECT device_id, m.name, m.unit, value, ts, received_at, quality
        FROM device_latest JOIN metric m ON m.id = metric_id
        WHERE device_id = ANY(%s)
        ORDER BY device_id, metric_id
        """,
        (list(device_ids),),
    )
    found: dict[int, list[LatestReading]] = {}
    for device_id, metric, unit, value, ts, received_at, quality in rows:
        age_s = (now - ts).total_seconds()
        found.setdefault(device_id, []).append(
            LatestReading(metric, unit, value, ts, received_at, age_s, quality)
        )
    return found


@dataclass(frozen=True, slots=True)
class ListedAlarm:
    """An alarm with rule, reason and all its times."""

    id: int
    condition: str
    rule: str
    rule_version: int
    category: str
    device: str | None
    camera_event: str | None
    severity: int
    state: str
    reason: dict[str, Any]
    sensed_at: datetime
    received_at: datetime
    raised_at: datetime
    committed_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    ended_at: datetime | None
    shelved_until: datetime | None
    shelved_by: str | None
    shelve_reason: str | None
    lon: float
    lat: float
    unit_grid: str | None
    incident_id: int | None
    inhibited_by: str | None  # condition of the alarm that explains this one
    device_name: str | None
    kind: str | None  # of the device
    street: str | None
    street_name: str | None
    latch_s: int | None  # its condition has to be gone so long before it may be released
    release_role: str | None
    releasable_at: datetime | None  # while it is latched
    help: dict[str, Any] | None  # of its rule
    demo: bool
    version: int


ALARM_COLUMNS = select_list(
    ListedAlarm, "a",
    rule="a.rule_code", device="device.code", incident_id="link.incident_id",
    inhibited_by="CASE WHEN a.state <> 'normal' THEN muted.by_condition END",
    device_name="device.name", kind="device.kind", street="street.code",
    street_name="street.name", help="rule.definition -> 'help'",
)  # fmt: skip


def list_alarms(
    conn: Connection,
    scope: Scope,
    *,
    filters: Mapping[str, Any],
    since: datetime | None,
    before: int | None,
    limit: int,
) -> list[ListedAlarm]:
    """Alarms, newest first, from `before` on; `since`: only those raised since then."""
    with conn.cursor(row_factory=class_row(ListedAlarm)) as cursor:
        return cursor.execute(
            f"""
            SELECT {ALARM_COLUMNS}
            FROM alarm a
            LEFT JOIN alarm_inhibition muted ON muted.condition = a.condition
            LEFT JOIN device ON device.id = a.device_id
            LEFT JOIN incident_alarm link ON link.alarm_id = a.id
            LEFT JOIN rule ON rule.code = a.rule_code AND rule.version = a.rule_version
            LEFT JOIN unit_grid cell ON cell.code = a.unit_grid
            LEFT JOIN division street ON street.code = coalesce(cell.street, device.street)
            WHERE a.district = %(district)s
              AND {inside("device", cell="coalesce(a.unit_grid, device.unit_grid)")}
              AND (%(condition)s::text IS NULL
                   OR %(condition)s IN (a.condition, split_part(a.condition, '/', 1)))
              AND (%(kind)s::text IS NULL OR device.kind = %(kind)s)
              AND (%(street)s::text IS NULL OR street.code = %(street)s)
              AND (%(shelved)s::boolean IS NULL
                   OR (a.shelved_until IS NOT NULL AND a.state <> 'normal') = %(shelved)s)
              AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(
                      ' ', a.condition, a.rule_code, device.name, street.name,
                      a.reason -> 'facts' ->> 'title_zh',
                      a.reason -> 'facts' ->> 'title_en')),
                  lower(%(q)s)) > 0)
              AND (%(id)s::bigint IS NULL OR a.id = %(id)s)
              AND (%(before)s::bigint IS NULL OR a.id < %(before)s)
              AND (%(since)s::timestamptz IS NULL OR a.raised_at >= %(since)s)
              AND (%(state)s::text IS NULL OR a.state = %(state)s)
              AND (%(severity)s::int IS NULL OR a.severity = %(severity)s)
              AND (%(category)s::text IS NULL OR a.category = %(category)s)
              AND (%(rule)s::text IS NULL OR a.rule_code = %(rule)s)
              AND (%(device)s::text IS NULL OR device.code = %(device)s)
              AND (%(unit_grid)s::text IS NULL OR a.unit_grid = %(unit_grid)s)
              AND (%(incident_id)s::bigint IS NULL OR link.incident_id = %(incident_id)s)
              AND (%(live)s::boolean IS NULL OR (a.state <> 'normal') = %(live)s)
              AND (%(demo)s::boolean IS NULL OR a.demo = %(demo)s)
            ORDER BY a.id DESC
            LIMIT %(limit)s
            """,
            {
                **dict.fromkeys(ALARM_FILTERS), "id": None, **filters,
                "district": scope.district, "within": scope.codes, "since": since,
                "before": before, "limit": limit,
            },
        ).fetchall()  # fmt: skip


def find_alarm(conn: Connection, scope: Scope, alarm_id: int) -> ListedAlarm:
    """One alarm of the scope."""
    found = list_alarms(conn, scope, filters={"id": alarm_id}, since=None, before=None, limit=1)
    if found:
        return found[0]
    if scope.within is not None:
        find_alarm(conn, scope.whole, alarm_id)
        raise scope.refusal("alarm", alarm_id)
    raise NotFound("alarm", alarm_id)


@dataclass(frozen=True, slots=True)
class ListedVideoEvent:
    """What a camera's analytics reported and what a person made of it."""

    camera_id: int
    camera: str
    camera_name: str
    event_id: str
    type: str
    category: str | None
    category_zh: str | None
    category_en: str | None
    phase: str
    start_at: datetime
    end_at: datetime | None
    confidence: float | None
    bbox: list[float] | None
    snapshot: str
    model: str
    model_version: str
    attributes: dict[str, Any]
    received_at: datetime
    lon: float
    lat: float
    unit_grid: str | None
    review: str
    reviewed_by: str | None
    reviewed_at: datetime | None
    review_note: str | None
    dismiss_reason: str
    merged_into: str
    standing: str
    held_why: str
    held_area: str
    seen_until: datetime
    stay_s: int
    snapshot_state: str
    snapshot_problem: str
    district: str
    demo: bool


# The camera's last sign of it, and how long it was seen: as `alerts.video.standing.stay_of`.
SEEN_UNTIL = f"greatest(v.end_due_at - interval '{END_AFTER.seconds} s', v.start_at)"
STAY_S = f"""round(extract(epoch FROM greatest(
    CASE WHEN v.end_at IS NOT NULL THEN least(v.end_at, {SEEN_UNTIL})
         WHEN v.phase = 'new' THEN least(now(), v.end_due_at) ELSE {SEEN_UNTIL} END - v.start_at,
    interval '0')))::int"""
VIDEO_COLUMNS = select_list(
    ListedVideoEvent, "v",
    camera="d.code", camera_name="d.name", category_zh="c.name_zh", category_en="c.name_en",
    lon="d.lon", lat="d.lat", unit_grid="d.unit_grid", demo="d.demo",
    seen_until=SEEN_UNTIL, stay_s=STAY_S,
    snapshot_state="coalesce(p.state, '')", snapshot_problem="coalesce(p.problem, '')",
)  # fmt: skip


def list_video_events(
    conn: Connection,
    scope: Scope,
    *,
    filters: Mapping[str, Any],
    since: datetime | None = None,
    before: tuple[datetime, int, str] | None = None,
    limit: int,
) -> list[ListedVideoEvent]:
    """Video events, newest first, from `before` (start, camera id, event id) on."""
    before_start, before_camera, before_event = before or (None, None, None)
    with conn.cursor(row_factory=class_row(ListedVideoEvent)) as cursor:
        return cursor.execute(
            f"""
            SELECT {VIDEO_COLUMNS}
            FROM video_event v
            JOIN device d ON d.id = v.camera_id
            LEFT JOIN LATERAL (
                SELECT * FROM incident_category
                WHERE code = v.category AND valid_to IS NULL AND district IN ('', v.district)
                ORDER BY district DESC LIMIT 1
            ) AS c ON true
            LEFT JOIN video_snapshot p ON p.camera_id = v.camera_id AND p.event_id = v.event_id
                  AND p.number = 0
            WHERE v.district = %(district)s AND {inside("d")}
              AND (%(camera_id)s::int IS NULL OR v.camera_id = %(camera_id)s)
              AND (%(event_id)s::text IS NULL OR v.event_id = %(event_id)s)
              AND (%(review)s::text IS NULL OR v.review = %(review)s)
              AND (%(type)s::text IS NULL OR v.type = %(type)s)
              AND (%(category)s::text IS NULL OR v.category = %(category)s)
              AND (%(camera)s::text IS NULL OR d.code = %(camera)s)
              AND (%(phase)s::text IS NULL OR v.phase = %(phase)s)
              AND (%(standing)s::text IS NULL OR v.standing = %(standing)s)
              AND (%(held_why)s::text IS NULL OR v.held_why = %(held_why)s)
              AND (%(since)s::timestamptz IS NULL OR v.start_at >= %(since)s)
              AND (%(before_start)s::timestamptz IS NULL
                   OR (v.start_at, v.camera_id, v.event_id)
                      < (%(before_start)s, %(before_camera)s, %(before_event)s))
            ORDER BY v.start_at DESC, v.camera_id DESC, v.event_id DESC
            LIMIT %(limit)s
            """,
            {
                **dict.fromkeys(VIDEO_FILTERS), "camera_id": None, "event_id": None, **filters,
                "district": scope.district, "within": scope.codes, "since": since,
                "before_start": before_start,
                "before_camera": before_camera, "before_event": before_event, "limit": limit,
            },
        ).fetchall()  # fmt: skip


def find_camera_id(conn: Connection, scope: Scope, camera: str) -> int:
    """Row number of a device of the scope, by its code, else by the number itself."""
    row = conn.execute(
        f"""
        SELECT id FROM device d
        WHERE district = %(district)s AND (code = %(camera)s OR id::text = %(camera)s)
          AND {inside("d")}
        ORDER BY code = %(camera)s DESC LIMIT 1
        """,
        {"district": scope.district, "within": scope.codes, "camera": camera},
    ).fetchone()
    if row is not None:
        return int(row[0])
    if scope.within is not None:
        find_camera_id(conn, scope.whole, camera)
        raise scope.refusal("camera", camera)
    raise NotFound("camera", camera)
