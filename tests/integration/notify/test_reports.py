"""Figures of a period that has ended are sent once to whoever asked for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from city.errors import Forbidden, InvalidInput
from city.incident import Role
from db import deliveries
from db.report_plans import list_plans
from notify import reports
from tests.integration.dispatch.town import CHIEF, DISPATCHER, DISTRICT
from tests.integration.notify.desk import Desk

ZONE = ZoneInfo("Asia/Shanghai")


def sent(desk: Desk) -> list[deliveries.DeliveryRow]:
    return desk.rows(step="report")


def test_a_report_is_sent_once_when_its_day_is_over(desk: Desk) -> None:
    desk.mail("smtp://127.0.0.1:9")
    desk.person("ma", Role.LEADER)
    desk.person("he", Role.LEADER)
    town = desk.town
    reports.plan_report(town.conn, CHIEF, "早报", "day", "squad", ["ma"], town.now)
    assert reports.send_reports(town.conn, town.now) == 0, "yesterday is over already"
    town.new_filed()
    town.later(days=1, minutes=11)
    assert reports.send_reports(town.conn, town.now) == 1
    assert reports.send_reports(town.conn, town.now) == 0
    (row,) = sent(desk)
    assert (row.person, row.state, row.incident_id) == ("ma", "queued", None)
    assert row.title.startswith("早报 ")
    assert "立卷 1 件" in row.body
    assert "— (0/0)" in row.body, "nothing was closed"
    town.later(days=1)
    assert reports.send_reports(town.conn, town.now) == 1
    assert len(sent(desk)) == 2


def test_who_has_no_address_is_named_as_such(desk: Desk) -> None:
    desk.person("ma", Role.LEADER)
    town = desk.town
    reports.plan_report(town.conn, CHIEF, "week", "week", "district", ["ma"], town.now)
    town.later(days=8)
    reports.send_reports(town.conn, town.now)
    (row,) = sent(desk)
    assert (row.state, row.problem) == ("failed", "no_address")


def test_only_a_duty_chief_says_who_is_sent_figures(desk: Desk) -> None:
    desk.person("ma", Role.LEADER)
    conn, now = desk.town.conn, desk.town.now
    with pytest.raises(Forbidden):
        reports.plan_report(conn, DISPATCHER, "a", "day", "squad", ["ma"], now)
    for wrong in (
        ("a", "hour", "squad", ["ma"]),
        ("a", "day", "colour", ["ma"]),
        ("a", "day", "squad", ["nobody"]),
        ("a", "day", "squad", []),
        (" ", "day", "squad", ["ma"]),
    ):
        with pytest.raises(InvalidInput):
            reports.plan_report(conn, CHIEF, *wrong, now)
    reports.plan_report(conn, CHIEF, "a", "day", "squad", ["ma"], now)
    reports.end_plan(conn, CHIEF, "a", now)
    assert list_plans(conn, DISTRICT) == []


@pytest.mark.parametrize(
    ("every", "name", "first", "last"),
    [
        ("day", "2026-11-29", (2026, 11, 29), (2026, 11, 30)),
        ("week", "2026-W48", (2026, 11, 23), (2026, 11, 30)),
        ("month", "2026-10", (2026, 10, 1), (2026, 11, 1)),
        ("quarter", "2026-Q3", (2026, 7, 1), (2026, 10, 1)),
    ],
)
def test_a_period_is_the_last_that_ended(
    every: str, name: str, first: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    now = datetime(2026, 11, 29, 16, tzinfo=UTC) + timedelta(hours=3)  # Monday in Shanghai
    found = reports.ended_period(every, now, ZONE)
    assert found.name == name
    assert found.start == datetime(*first, tzinfo=ZONE)
    assert found.end == datetime(*last, tzinfo=ZONE)
