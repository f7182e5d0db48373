"""The fold of any beginning of the event log is what the tables showed then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from city.requests import OutOfServiceRequest
from city.squad import Squad, SquadPlace
from db import squad_positions, users
from db.events import append_waiting, last_seq, list_events, verify_chain
from db.pool import Connection
from db.squads import list_squads
from registry.out_of_service import return_to_service, take_out_of_service
from replay import shown
from replay.checkpoint import decode, encode
from replay.picture import Picture, fold
from replay.read_picture import read_picture
from tests.integration.dispatch.test_invariant import ANY, Cases
from tests.integration.dispatch.town import DISTRICT, START, City
from tests.integration.replay import tables


@dataclass(frozen=True)
class Seen:
    """What the tables said at a moment."""

    seq: int
    now: datetime
    midnight: datetime
    incidents: list[Any]
    alarms: list[Any]
    squads: list[Squad]
    headline: tuple[int, ...]
    devices: dict[int, tuple[str, int, bool]]
    places: dict[str, SquadPlace]
    cases: dict[int, tuple[Any, ...]]
    rest: dict[str, list[Any]]


def look(conn: Connection, now: datetime) -> Seen:
    """Read the tables as the screens once did."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    head = tables.headline(conn, DISTRICT, midnight, now)
    return Seen(
        last_seq(conn),
        now,
        midnight,
        [as_tuple(row) for row in tables.list_incidents(conn, DISTRICT)],
        sorted((as_tuple(row) for row in tables.list_alarms(conn, DISTRICT)), key=by_id),
        list_squads(conn, DISTRICT),
        as_tuple(head),
        {
            row.id: (row.kind, row.report_interval_s, row.out_of_service)
            for row in tables.list_devices(conn, DISTRICT, now)
        },
        squad_positions.list_newest(conn, DISTRICT),
        whole_cases(conn),
        {name: rows_of(conn, query) for name, query in REST.items()},
    )


def whole_cases(conn: Connection) -> dict[int, tuple[Any, ...]]:
    """Every open incident in full with its clocks, pauses and assignments by their ids."""
    rows = conn.execute(
        """
        SELECT i.id, to_jsonb(i),
               (SELECT jsonb_object_agg(id, to_jsonb(d)) FROM deadline d WHERE incident_id = i.id),
               (SELECT jsonb_object_agg(id, to_jsonb(p)) FROM pause p WHERE incident_id = i.id),
               (SELECT jsonb_object_agg(id, to_jsonb(a)) FROM assignment a WHERE incident_id = i.id)
        FROM incident i WHERE state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
        """
    ).fetchall()
    return {
        row[0]: (row[1], *({int(key): r for key, r in (part or {}).items()} for part in row[2:]))
        for row in rows
    }


REST = {
    "alarm": "SELECT to_jsonb(t) FROM alarm t WHERE state <> 'normal' ORDER BY id",
    "squad": "SELECT to_jsonb(t) FROM squad t ORDER BY code",
    "app_user": "SELECT to_jsonb(t) - 'password_hash' FROM app_user t ORDER BY name",
    "incident_category": "SELECT to_jsonb(t) FROM incident_category t ORDER BY code, version",
    "rule": "SELECT to_jsonb(t) FROM rule t ORDER BY code, version",
}


def rows_of(conn: Connection, query: str) -> list[Any]:
    return [row[0] for row in conn.execute(query)]  # type: ignore[call-overload]


def by_id(row: tuple[Any, ...]) -> Any:
    return row[0]


def as_tuple(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in row.__dataclass_fields__)


def check(picture: Picture, seen: Seen) -> None:
    """The picture shows what was seen."""
    assert [as_tuple(row) for row in shown.incidents(picture)] == seen.incidents
    alarms = sorted((as_tuple(row) for row in shown.alarms(picture)), key=by_id)
    assert alarms == seen.alarms
    assert [plain(row) for row in shown.squads(picture, seen.places)] == [
        plain(r) for r in seen.squads
    ]
    assert as_tuple(shown.headline(picture, seen.midnight, seen.now)) == seen.headline
    assert {
        device_id: (row.kind, row.report_interval_s, shown.is_out_of_service(row, seen.now))
        for device_id, row in picture.devices.items()
    } == seen.devices
    assert {
        incident_id: (case.row, case.deadline, case.pause, case.assignment)
        for incident_id, case in picture.cases.items()
    } == seen.cases
    assert [picture.alarms[i] for i in sorted(picture.alarms)] == seen.rest["alarm"]
    for name in REST.keys() - {"alarm"}:
        assert sorted(map(repr, picture.table(name).values())) == sorted(map(repr, seen.rest[name]))


def plain(squad: Squad) -> tuple[Any, ...]:
    """Without the order of shifts, which means nothing."""
    return (*(getattr(squad, n) for n in squad.__dataclass_fields__ if n != "shifts"),
            frozenset(squad.shifts))  # fmt: skip


class Histories(Cases):
    """Anything happens in any order, in the tables and past the code; the log says all of it."""

    def __init__(self, town: City) -> None:
        super().__init__(town)
        users.add_user(self.conn, "nora", "a long enough password", "viewer", DISTRICT, START)
        append_waiting(self.conn, START)
        self.start = read_picture(self.conn, DISTRICT)
        self.seen: list[Seen] = []

    @rule(which=ANY, hours=st.integers(1, 80))
    def device_leaves(self, which: int, hours: int) -> None:
        request = OutOfServiceRequest("works", self.town.now + timedelta(hours=hours))
        step = partial(take_out_of_service, self.conn, "wang", DISTRICT, self._code(which))
        self._try(lambda: step(request, self.town.now))

    @rule(which=ANY)
    def device_returns(self, which: int) -> None:
        step = partial(return_to_service, self.conn, "wang", DISTRICT, self._code(which))
        self._try(lambda: step(version=None, now=self.town.now))

    @rule(which=ANY, code=st.sampled_from(["NEW-1", "NEW-2"]))
    def device_comes_or_goes_by_hand(self, which: int, code: str) -> None:
        self.conn.execute("DELETE FROM device WHERE code = %s", (code,))
        if which % 3:
            self.conn.execute(
                """
                INSERT INTO device (code, district, kind, name, lon, lat, created_at)
                VALUES (%s, %s, 'gas', 'n', 110.3, 20.0, now())
                """,
                (code, DISTRICT),
            )

    @rule(which=ANY, name=st.text("ab", max_size=2), active=st.booleans())
    def squad_changes_by_hand(self, which: int, name: str, active: bool) -> None:
        self.conn.execute(
            """
            UPDATE squad SET name_zh = %s, active = %s
            WHERE code = (SELECT code FROM squad ORDER BY code OFFSET %s LIMIT 1)
            """,
            (name, active, which % 20),
        )
        self.conn.execute("DELETE FROM squad_shift WHERE squad = 'SQ-01'")
        self.conn.execute("UPDATE app_user SET display_name = %s", (name,))

    @rule(which=ANY)
    def squad_moves(self, which: int) -> None:
        place = SquadPlace(f"SQ-{which % 20 + 1:02}", 110.3, 20.0 + which / 1000, self.town.now)
        squad_positions.insert_positions(self.conn, [place])

    @rule(which=ANY)
    def names_change_by_hand(self, which: int) -> None:
        self.conn.execute("UPDATE division SET name = name || '*' WHERE level = 'community'")
        self.conn.execute(
            "UPDATE incident_category SET name_en = %s WHERE code = '05-02'", (f"Gas {which}",)
        )

    @rule()
    def an_ended_alarm_is_taken_back_by_hand(self) -> None:
        self.conn.execute(
            """
            UPDATE alarm SET state = 'acknowledged' WHERE id = (
                SELECT min(id) FROM alarm a WHERE state = 'normal' AND NOT EXISTS (
                    SELECT FROM alarm b WHERE b.condition = a.condition AND b.state <> 'normal'))
            """
        )

    @rule()
    def a_case_that_is_over_is_opened_by_hand(self) -> None:
        self.conn.execute(
            """
            UPDATE incident SET state = 'filed' WHERE id = (
                SELECT min(id) FROM incident a WHERE state IN ('closed', 'rejected', 'cancelled')
                AND NOT EXISTS (
                    SELECT FROM incident b WHERE b.condition = a.condition
                    AND b.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')))
            """
        )

    @invariant()
    def remember(self) -> None:
        """After every step what the tables show, once the log has all of it."""
        append_waiting(self.conn, self.town.now)
        self.seen.append(look(self.conn, self.town.now))

    # Nobody is responsible for what was done by hand: not invariants here.

    def somebody_is_responsible_and_a_clock_runs(self) -> None:
        raise NotImplementedError

    def what_is_over_has_no_clock(self) -> None:
        raise NotImplementedError

    def teardown(self) -> None:
        try:
            self.fold_every_beginning()
        finally:
            super().teardown()

    def fold_every_beginning(self) -> None:
        """One event after the other, and once through a checkpoint in the middle."""
        picture, waiting = self.start, list(self.seen)
        events = list_events(self.conn, after=picture.seq, limit=100_000, with_rows=True)
        half = len(events) // 2
        while waiting and waiting[0].seq == picture.seq:
            check(picture, waiting.pop(0))
        for number, event in enumerate(events):
            picture = fold(picture, event)
            if number == half:
                picture = decode(encode(picture))
            while waiting and waiting[0].seq == event.seq:
                check(picture, waiting.pop(0))
        assert waiting == []

    def _code(self, which: int) -> str:
        row = self.conn.execute(
            "SELECT code FROM device ORDER BY code OFFSET %s LIMIT 1", (which % 5,)
        ).fetchone()
        assert row is not None
        return str(row[0])


def test_the_fold_of_any_beginning_of_the_log_is_what_the_tables_showed(town: City) -> None:
    run_state_machine_as_test(
        partial(Histories, town),
        settings=settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert verify_chain(town.conn).broken_at is None
