"""Key figures counted by hand against the ones that the database computes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from city.event import NewEvent
from city.scope import Scope
from db import kpi
from db.events import append_events, append_waiting
from replay import shown
from replay.read_picture import read_picture

DAY = datetime(2026, 7, 15, tzinfo=UTC)
END = DAY + timedelta(days=1)
DISTRICT = "460107"
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def add_incident(db, number: str, *, opened: datetime, **columns: Any) -> int:
    values = {"state": "filed", "category": "0101", **columns}
    row = db.execute(
        """
        INSERT INTO incident (number, district, category, category_version, source, state,
                              severity, title_zh, title_en, lon, lat, opened_at, closed_at,
                              reported_by)
        VALUES (%(number)s, '460107', %(category)s, 1, 'patrol', %(state)s, 2, 't', 't', 110.36,
                20.0, %(opened)s, %(closed)s, 'test')
        RETURNING id
        """,
        {"number": number, "opened": opened, "closed": None, **values},
    ).fetchone()
    return int(row[0])


def add_clock(db, incident_id: int, clock: str, due: datetime) -> None:
    db.execute(
        """
        INSERT INTO deadline (district, incident_id, clock, attempt, started_at, limit_amount,
                              limit_unit, calendar, calendar_version, due_at, counted, warn_at)
        VALUES ('460107', %s, %s, 1, %s, 1, 'urgent_hour', 'CN', 1, %s, '[]', %s)
        """,
        (incident_id, clock, due - HOUR, due, due - HOUR / 5),
    )


class Told:
    """A case of which the log is told, as the steps tell it."""

    def __init__(self, db, number: str, opened: datetime = DAY, **columns: Any) -> None:
        self.db, self.attempt, self.squad = db, 0, ""
        self.id = add_incident(db, number, opened=opened, **columns)
        self.say("opened", opened, to="filed")

    def say(self, kind: str, at: datetime, **payload: Any) -> Told:
        told = {"role": "dispatcher", "squad": self.squad, **payload}
        append_events(
            self.db,
            [NewEvent(at, DISTRICT, f"incident.{kind}", f"incident:{self.id}", "test", told)],
        )
        return self

    def sent(self, at: datetime, squad: str = "", kind: str = "dispatched") -> Told:
        self.attempt, self.squad = self.attempt + 1, squad
        return self.say(kind, at, clocks=self._clock("started"))

    def handled(self, at: datetime, *, late: bool = False) -> Told:
        return self.say("handled", at, clocks=self._clock("met", late=late))

    def returned(self, at: datetime) -> Told:
        return self.say("returned", at, clocks=self._clock("stopped"))

    def ran_out(self, due: datetime, clock: str = "handle") -> Told:
        """The clockwork notices a second later."""
        return self.say(
            "overdue", due + SECOND, clock=clock, attempt=self.attempt, due_at=due.isoformat()
        )

    def _clock(self, what: str, **more: Any) -> dict[str, Any]:
        return {what: [{"clock": "handle", "attempt": self.attempt, **more}]}


def closed_incident(db, number: str, *, late: bool, squad: str = "", **columns: Any) -> None:
    case = Told(db, number, **columns).sent(DAY + 2 * HOUR, squad)
    case.say("acknowledged", DAY + 3 * HOUR).say("arrived", DAY + 4 * HOUR)
    if late:
        case.ran_out(DAY + 4.5 * HOUR)
    case.handled(DAY + 5 * HOUR, late=late).say("closed", DAY + 6 * HOUR)


def figures(db, by: str = "district", end: datetime = END) -> dict[str, kpi.KpiRow]:
    return {row.key: row for row in kpi.list_kpi(db, Scope(DISTRICT), DAY, end, by)}


def test_rates_are_counted_as_the_field_counts_them(db) -> None:
    closed_incident(db, "in-time", late=False)
    closed_incident(db, "late", late=True)
    Told(db, "overdue").sent(DAY + HOUR).ran_out(DAY + 3 * HOUR)
    Told(db, "not due yet").sent(DAY + HOUR)
    row = figures(db)[DISTRICT]
    assert row.opened == 4
    assert (row.handled, row.handled_in_time, row.due_to_handle) == (2, 1, 3)
    assert (row.closed, row.closed_in_time, row.due_to_close) == (2, 1, 3)


def test_a_case_of_last_year_that_is_still_open_counts_where_it_ran_out(db) -> None:
    old = Told(db, "old", DAY - timedelta(days=400)).sent(DAY - timedelta(days=400))
    old.ran_out(DAY - timedelta(days=399))
    assert figures(db) == {}
    old.sent(DAY - HOUR, kind="reworked").ran_out(DAY + HOUR)
    row = figures(db)[DISTRICT]
    assert (row.opened, row.due_to_handle, row.handled, row.due_to_close) == (0, 1, 0, 1)


@pytest.mark.parametrize("end", ["cancelled", "merged", "rejected"])
def test_what_ends_otherwise_is_not_due_to_close_and_its_missed_attempt_stays(db, end: str) -> None:
    Told(db, end).sent(DAY + HOUR, "").ran_out(DAY + 2 * HOUR).say(end, DAY + 3 * HOUR)
    row = figures(db)[DISTRICT]
    assert (row.opened, row.due_to_close, row.closed) == (1, 0, 0)
    assert (row.due_to_handle, row.handled) == (1, 0)


def test_each_attempt_counts_for_itself(db) -> None:
    case = Told(db, "reworked").sent(DAY + HOUR).returned(DAY + 2 * HOUR)
    case.sent(DAY + 3 * HOUR).ran_out(DAY + 4 * HOUR).handled(DAY + 5 * HOUR, late=True)
    case.sent(DAY + 6 * HOUR, kind="reworked").handled(DAY + 7 * HOUR)
    row = figures(db)[DISTRICT]
    assert (row.due_to_handle, row.handled, row.handled_in_time) == (2, 2, 1)
    assert (row.returned, row.returned_late, row.reworked) == (1, 0, 1)


def test_an_attempt_that_ran_out_yesterday_and_ends_today_counts_on_both_days(db) -> None:
    case = Told(db, "two days", DAY - HOUR).sent(DAY - HOUR).ran_out(DAY - HOUR / 2)
    case.handled(DAY + HOUR, late=True)
    (before,) = kpi.list_kpi(db, Scope(DISTRICT), DAY - 5 * HOUR, DAY, "district")
    assert (before.due_to_handle, before.handled) == (1, 0)
    row = figures(db)[DISTRICT]
    assert (row.due_to_handle, row.handled, row.handled_in_time) == (1, 1, 0)


def test_times_are_medians_and_ninetieth_percentiles_of_what_happened(db) -> None:
    for n in range(1, 12):
        at = DAY + HOUR
        Told(db, f"n{n}").sent(at).say("acknowledged", at + timedelta(minutes=n))
    row = figures(db)[DISTRICT]
    assert row.dispatch_to_acknowledge_count == 11
    assert row.dispatch_to_acknowledge_median_s == 6 * 60
    assert row.dispatch_to_acknowledge_p90_s == 10 * 60
    assert (row.open_to_closed_count, row.open_to_closed_median_s) == (0, None)


def test_alarm_to_dispatch_starts_with_the_first_alarm_and_ends_with_the_first_squad(db) -> None:
    case = Told(db, "alarmed")
    for minutes in (20, 40):
        raised = (DAY + timedelta(minutes=minutes)).isoformat()
        case.say("alarm_joined", DAY + HOUR, changed_at=raised)
    case.sent(DAY + HOUR).returned(DAY + 2 * HOUR).sent(DAY + 3 * HOUR)
    row = figures(db)[DISTRICT]
    assert (row.alarm_to_dispatch_count, row.alarm_to_dispatch_median_s) == (1, 40 * 60)


def test_groups_are_named_in_both_languages_and_add_up(db) -> None:
    squads = db.execute("SELECT code, name_zh FROM squad ORDER BY code LIMIT 2").fetchall()
    closed_incident(db, "a", late=False, squad=squads[0][0])
    closed_incident(db, "b", late=True, squad=squads[1][0])
    closed_incident(db, "c", late=True, squad=squads[1][0], category="0102")
    by_squad = figures(db, "squad")
    assert {key: row.closed for key, row in by_squad.items()} == {
        squads[0][0]: 1,
        squads[1][0]: 2,
    }
    assert by_squad[squads[0][0]].name_zh == squads[0][1]
    by_category = figures(db, "category")
    assert (by_category["0101"].closed, by_category["0102"].closed) == (2, 1)
    assert by_category["0101"].name_en == "Water supply cover missing or shifted"
    assert figures(db, "street")[""].closed == 3, "no street known"
    assert figures(db)[DISTRICT].closed == 3


def test_the_headline_counts_each_open_case_once(db) -> None:
    now = DAY + 12 * HOUR
    late = add_incident(db, "late", opened=DAY)
    add_clock(db, late, "dispatch", DAY + HOUR)
    add_clock(db, late, "handle", DAY + 2 * HOUR)
    soon = add_incident(db, "soon", opened=DAY)
    add_clock(db, soon, "handle", now + HOUR / 10)
    add_incident(db, "easy", opened=DAY - HOUR)
    add_incident(db, "done", opened=DAY, state="closed", closed=DAY + HOUR)
    append_waiting(db, now)
    head = shown.headline(read_picture(db, DISTRICT), DAY, now)
    assert (head.open, head.overdue, head.due_soon) == (3, 1, 1)
    assert (head.opened_today, head.closed_today) == (3, 1)
