"""Key figures counted by hand against the ones that the database computes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from city.scope import Scope
from db import kpi
from db.events import append_waiting
from replay import shown
from replay.read_picture import read_picture

DAY = datetime(2026, 7, 15, tzinfo=UTC)
END = DAY + timedelta(days=1)
DISTRICT = "460107"
HOUR = timedelta(hours=1)


def add_incident(db, number: str, *, opened: datetime, **columns: Any) -> int:
    values = {"state": "filed", "squad": None, "category": "0101", **columns}
    row = db.execute(
        """
        INSERT INTO incident (number, district, category, category_version, source, state,
                              severity, title_zh, title_en, lon, lat, squad, opened_at,
                              filed_at, dispatched_at, acknowledged_at, arrived_at, handled_at,
                              closed_at, rework_count, reported_by)
        VALUES (%(number)s, '460107', %(category)s, 1, 'patrol', %(state)s, 2, 't', 't', 110.36,
                20.0, %(squad)s, %(opened)s, %(filed)s, %(dispatched)s, %(acknowledged)s,
                %(arrived)s, %(handled)s, %(closed)s, %(reworked)s, 'test')
        RETURNING id
        """,
        {
            "number": number,
            "opened": opened,
            **dict.fromkeys(
                ("filed", "dispatched", "acknowledged", "arrived", "handled", "closed")
            ),
            "reworked": 0,
            **values,
        },
    ).fetchone()
    return int(row[0])


def add_clock(
    db, incident_id: int, clock: str, due: datetime, met: datetime | None = None, **more: Any
) -> None:
    values = {"attempt": 1, "stopped": None, "paused": None, **more}
    db.execute(
        """
        INSERT INTO deadline (district, incident_id, clock, attempt, started_at, limit_amount,
                              limit_unit, calendar, calendar_version, due_at, counted, warn_at,
                              met_at, stopped_at, paused_at)
        VALUES ('460107', %s, %s, %s, %s, 1, 'urgent_hour', 'CN', 1, %s, '[]', %s, %s, %s, %s)
        """,
        (
            incident_id,
            clock,
            values["attempt"],
            due - HOUR,
            due,
            due - HOUR / 5,
            met,
            values["stopped"],
            values["paused"],
        ),
    )


def closed_incident(db, number: str, *, late: bool, opened: datetime = DAY, **columns: Any) -> int:
    at = opened + HOUR
    incident_id = add_incident(
        db,
        number,
        opened=opened,
        state="closed",
        filed=at,
        dispatched=at + HOUR,
        acknowledged=at + 2 * HOUR,
        arrived=at + 3 * HOUR,
        handled=at + 4 * HOUR,
        closed=at + 5 * HOUR,
        **columns,
    )
    met = at + 4 * HOUR
    add_clock(db, incident_id, "handle", met - HOUR if late else met + HOUR, met)
    add_clock(db, incident_id, "check", met + 2 * HOUR, met + HOUR)
    return incident_id


def figures(db, by: str = "district") -> dict[str, kpi.KpiRow]:
    return {row.key: row for row in kpi.list_kpi(db, Scope(DISTRICT), DAY, END, by)}


def test_rates_are_counted_as_the_field_counts_them(db) -> None:
    closed_incident(db, "in-time", late=False)
    closed_incident(db, "late", late=True)
    overdue = add_incident(db, "overdue", opened=DAY, state="dispatched", dispatched=DAY + HOUR)
    add_clock(db, overdue, "handle", DAY + 3 * HOUR)
    early = add_incident(db, "not due yet", opened=DAY, state="dispatched", dispatched=DAY + HOUR)
    add_clock(db, early, "handle", END + HOUR)
    paused = add_incident(db, "paused", opened=DAY, state="suspended")
    add_clock(db, paused, "handle", DAY + HOUR, paused=DAY)
    row = figures(db)[DISTRICT]
    assert row.opened == 5
    assert (row.handled, row.handled_in_time) == (2, 1)
    assert row.due_to_handle == 3, "two met, one ran out; a paused one runs out for nobody"
    assert (row.closed, row.closed_in_time, row.due_to_close) == (2, 1, 3)


def test_a_case_of_last_year_that_is_still_open_counts_where_it_ran_out(db) -> None:
    old = add_incident(db, "old", opened=DAY - timedelta(days=400), state="dispatched")
    add_clock(db, old, "handle", DAY - timedelta(days=399))
    assert figures(db) == {}
    add_clock(db, old, "handle", DAY + HOUR, attempt=2)
    row = figures(db)[DISTRICT]
    assert (row.opened, row.due_to_handle, row.handled, row.due_to_close) == (0, 1, 0, 1)


def test_cancelled_and_merged_cases_count_as_opened_only(db) -> None:
    for state in ("cancelled", "merged", "rejected"):
        incident_id = add_incident(
            db, state, opened=DAY, state=state, dispatched=DAY + HOUR, closed=DAY + 2 * HOUR
        )
        add_clock(db, incident_id, "handle", DAY + HOUR)
    row = figures(db)[DISTRICT]
    assert (row.opened, row.due_to_handle, row.due_to_close, row.closed) == (3, 0, 0, 0)
    assert row.dispatch_to_acknowledge_count == 0


def test_a_stopped_clock_and_an_earlier_attempt_do_not_judge_the_handling(db) -> None:
    incident_id = add_incident(db, "reworked", opened=DAY, state="handled", handled=DAY + 5 * HOUR)
    add_clock(db, incident_id, "handle", DAY + HOUR, stopped=DAY + HOUR / 2)
    add_clock(db, incident_id, "handle", DAY + 2 * HOUR, DAY + 3 * HOUR, attempt=2)
    add_clock(db, incident_id, "handle", DAY + 6 * HOUR, DAY + 5 * HOUR, attempt=3)
    row = figures(db)[DISTRICT]
    assert (row.due_to_handle, row.handled, row.handled_in_time) == (1, 1, 1)


def test_times_are_medians_and_ninetieth_percentiles_of_what_happened(db) -> None:
    for n in range(1, 12):
        add_incident(
            db,
            f"n{n}",
            opened=DAY,
            state="acknowledged",
            dispatched=DAY + HOUR,
            acknowledged=DAY + HOUR + timedelta(minutes=n),
        )
    row = figures(db)[DISTRICT]
    assert row.dispatch_to_acknowledge_count == 11
    assert row.dispatch_to_acknowledge_median_s == 6 * 60
    assert row.dispatch_to_acknowledge_p90_s == 10 * 60
    assert (row.open_to_closed_count, row.open_to_closed_median_s) == (0, None)


def test_alarm_to_dispatch_starts_with_the_first_alarm(db) -> None:
    incident_id = add_incident(db, "alarmed", opened=DAY, dispatched=DAY + HOUR)
    for minutes in (20, 40):
        row = db.execute(
            """
            INSERT INTO alarm (district, condition, rule_code, rule_version, category, severity,
                               state, reason, sensed_at, received_at, raised_at, lon, lat)
            VALUES ('460107', %s, 'r', 1, '05-02', 1, 'normal', '{}', %s, %s, %s, 110, 20)
            RETURNING id
            """,
            (f"c{minutes}", DAY, DAY, DAY + timedelta(minutes=minutes)),
        ).fetchone()
        db.execute("INSERT INTO incident_alarm VALUES (%s, %s)", (row[0], incident_id))
    assert figures(db)[DISTRICT].alarm_to_dispatch_median_s == 40 * 60


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
    closed_incident(db, "done", late=False)
    append_waiting(db, now)
    head = shown.headline(read_picture(db, DISTRICT), DAY, now)
    assert (head.open, head.overdue, head.due_soon) == (3, 1, 1)
    assert (head.opened_today, head.closed_today) == (3, 1)
