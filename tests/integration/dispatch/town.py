"""A small cast and short ways to raise alarms, for the tests of the incident core."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from PIL import Image
from psycopg.types.json import Jsonb

from city.alarm import AlarmChangeKind
from city.incident import Action, Incident, Role
from city.person import Caller
from city.requests import ActionRequest
from db import incidents
from db.events import append_events
from db.pool import Connection
from dispatch import steps

DISTRICT = "460107"
# A Wednesday morning in Shanghai, inside the known calendar and inside working time.
START = datetime(2026, 7, 15, 1, 0, tzinfo=UTC)


def caller(name: str, role: Role, squad: str | None = None) -> Caller:
    return Caller(name, role, DISTRICT, squad)


DISPATCHER = caller("wang", Role.DISPATCHER)
SECOND_DISPATCHER = caller("li", Role.DISPATCHER)
CHECKER = caller("zhao", Role.CHECKER)
CHIEF = caller("gao", Role.LEADER)
ENGINEER = caller("sun", Role.GAS_ENGINEER)


def photo(shade: int = 0) -> bytes:
    """A small JPEG, another one for every shade."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, shade, shade)).save(out, "JPEG")
    return out.getvalue()


@dataclass
class City:
    """A database and a clock that the test moves."""

    conn: Connection
    now: datetime
    gas_device: int
    gas_squad: str

    @property
    def leader(self) -> Caller:
        return caller("chen", Role.SQUAD_LEADER, self.gas_squad)

    def later(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now

    def raise_alarm(
        self,
        condition: str = "gas_leak/test",
        *,
        category: str = "05-02",
        severity: int = 2,
        state: str = "unacknowledged",
        device_id: int | None = None,
        kind: AlarmChangeKind = AlarmChangeKind.RAISED,
        opens_incident: bool = True,
        lon: float = 110.36,
        lat: float = 20.0,
    ) -> int:
        return insert_alarm(
            self.conn,
            self.now,
            condition,
            category,
            severity,
            state,
            device_id or self.gas_device,
            kind,
            opens_incident,
            lon,
            lat,
        )

    def clear_alarm(self, alarm_id: int) -> None:
        self.conn.execute(
            "UPDATE alarm SET state = 'normal', cleared_at = %s, ended_at = %s WHERE id = %s",
            (self.now, self.now, alarm_id),
        )
        self.change(alarm_id, AlarmChangeKind.CLEARED)

    def change(self, alarm_id: int, kind: AlarmChangeKind) -> None:
        self.conn.execute(
            "INSERT INTO alarm_change (alarm_id, kind, at) VALUES (%s, %s, %s)",
            (alarm_id, kind.value, self.now),
        )

    def measure(self, value: float, metric: str = "ch4_pct_lel") -> None:
        self.conn.execute(
            """
            INSERT INTO reading (ts, device_id, metric_id, value, received_at)
            SELECT %s, %s, id, %s, %s FROM metric WHERE name = %s
            """,
            (self.now, self.gas_device, value, self.now, metric),
        )

    def take_all(self) -> int:
        taken = 0
        while steps.take_alarm_change(self.conn, self.now):
            taken += 1
        return taken

    def opened_by(self, alarm_id: int) -> int:
        row = self.conn.execute(
            "SELECT incident_id FROM incident_alarm WHERE alarm_id = %s", (alarm_id,)
        ).fetchone()
        assert row is not None, "the alarm has no incident"
        return int(row[0])

    def incident(self, incident_id: int) -> Incident:
        return incidents.find(self.conn, incident_id)

    def do(self, who: Caller, incident_id: int, action: Action, **more: object) -> Incident:
        version = more.pop("version", None) or self.incident(incident_id).version
        request = ActionRequest(action=action, version=version, **more)  # type: ignore[arg-type]
        self.act(who, incident_id, request)
        return self.incident(incident_id)

    def act(self, who: Caller, incident_id: int, request: ActionRequest) -> None:
        """The action; the duty chief lets happen at once what takes one."""
        asked = steps.waits_for_duty_chief(self.conn, who, incident_id, request, self.now)
        if asked is None:
            steps.act(self.conn, who, incident_id, request, self.now)
            return
        done = steps.act_approved(self.conn, who, incident_id, request, CHIEF.name, self.now)
        append_events(self.conn, done)

    def add(self, who: Caller, incident_id: int, stage: str, shade: int = 0) -> int:
        return steps.add_evidence(
            self.conn, who, incident_id, stage, f"{stage}.jpg", "image/jpeg", photo(shade), self.now
        )

    def events_of(self, incident_id: int) -> list[str]:
        rows = self.conn.execute(
            "SELECT kind FROM event WHERE subject = %s ORDER BY seq", (f"incident:{incident_id}",)
        )
        return [row[0] for row in rows]

    def new_filed(self, **alarm: object) -> int:
        """An alarm's incident, waiting to be dispatched."""
        alarm_id = self.raise_alarm(**alarm)  # type: ignore[arg-type]
        self.take_all()
        return self.opened_by(alarm_id)

    def new_on_site(self, **alarm: object) -> int:
        """The same with the squad there."""
        incident_id = self.new_filed(**alarm)
        self.do(DISPATCHER, incident_id, Action.DISPATCH, squad=self.gas_squad, note="test")
        self.do(self.leader, incident_id, Action.ACKNOWLEDGE)
        self.do(self.leader, incident_id, Action.ARRIVE)
        return incident_id


def insert_alarm(
    conn: Connection,
    now: datetime,
    condition: str,
    category: str,
    severity: int,
    state: str,
    device_id: int,
    kind: AlarmChangeKind,
    opens_incident: bool,
    lon: float,
    lat: float,
) -> int:
    """An alarm and its change, as the alarm engine leaves them."""
    reason = {"code": "value_at_or_above_limit", "metric": "ch4_pct_lel", "value": 30, "limit": 20}
    row = conn.execute(
        """
        INSERT INTO alarm (district, condition, rule_code, rule_version, category, device_id,
                           severity, state, opens_incident, reason, sensed_at, received_at,
                           raised_at, lon, lat)
        VALUES (%s, %s, 'test', 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        RETURNING id
        """,
        (
            DISTRICT,
            condition,
            category,
            device_id,
            severity,
            state,
            opens_incident,
            Jsonb(reason),
            now,
            now,
            now,
            lon,
            lat,
        ),
    ).fetchone()
    assert row is not None
    conn.execute(
        "INSERT INTO alarm_change (alarm_id, kind, at) VALUES (%s, %s, %s)",
        (row[0], kind.value, now),
    )
    return int(row[0])
