"""What a squad's own history says of the case that it has, and what became of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from city.incident import Action
from city.scope import Scope
from db import forecasts
from dispatch import steps
from tests.integration.dispatch.town import DISPATCHER, DISTRICT, City

HANDLED = 40
SCOPE = Scope(DISTRICT)


def remember(town: City, seconds: list[float]) -> None:
    """So long took cases of this category and squad on days before, at the hour of now."""
    for n, took in enumerate(seconds):
        at = town.now - timedelta(days=n + 1)
        town.conn.execute(
            """
            WITH made AS (
                INSERT INTO incident (number, district, category, category_version, source, state,
                                      severity, title_zh, title_en, lon, lat, opened_at,
                                      reported_by)
                VALUES (%(number)s, '460107', '05-02', 1, 'patrol', 'closed', 2, 't', 't', 110.36,
                        20.0, %(at)s, 'test')
                RETURNING id
            )
            INSERT INTO case_fact (seq, kind, at, district, incident_id, squad, clock, attempt,
                                   seconds)
            SELECT %(seq)s, 'handled', %(at)s + make_interval(secs => %(took)s), '460107', id,
                   %(squad)s, 'handle', 1, %(took)s FROM made
            """,
            {
                "number": f"old {n}",
                "at": at,
                "seq": -n - 1,
                "took": took,
                "squad": town.gas_squad,
            },
        )
    forecasts.refresh(town.conn, town.now)


def test_a_case_is_likely_late_before_it_is(town: City) -> None:
    remember(town, [60.0 * n for n in range(1, HANDLED + 1)])
    case = town.new_filed()
    assert steps.list_forecasts(town.conn, SCOPE, town.now) == {}, "nobody was sent yet"
    town.do(DISPATCHER, case, Action.DISPATCH, squad=town.gas_squad, note="go")
    town.later(seconds=1)
    expected = steps.list_forecasts(town.conn, SCOPE, town.now)[case]
    assert (expected.count, expected.basis) == (HANDLED, "hour")
    assert expected.probability == 0, "an hour is more than anybody ever needed"
    town.conn.execute(
        "UPDATE deadline SET due_at = %s WHERE incident_id = %s AND clock = 'handle'",
        (town.now + timedelta(minutes=30), case),
    )
    soon = steps.list_forecasts(town.conn, SCOPE, town.now)[case].probability
    assert soon == pytest.approx(0.25, abs=0.02)
    town.later(minutes=20)
    later = steps.list_forecasts(town.conn, SCOPE, town.now)[case].probability
    assert later == pytest.approx(0.5, abs=0.02), "half of those still open at 20 are at 30"


def test_forecasts_stay_and_are_held_against_what_came(town: City) -> None:
    remember(town, [60.0 * n for n in range(1, HANDLED + 1)])
    case = town.new_filed()
    town.do(DISPATCHER, case, Action.DISPATCH, squad=town.gas_squad, note="go")
    town.conn.execute(
        "UPDATE deadline SET due_at = %s WHERE incident_id = %s AND clock = 'handle'",
        (town.now + timedelta(minutes=10), case),
    )
    assert steps.keep_forecasts(town.conn, town.now) == 1
    assert steps.keep_forecasts(town.conn, town.later(minutes=5)) == 0
    assert steps.read_calibration(town.conn, DISTRICT, town.now) == []
    town.later(minutes=10)
    while steps.tick_deadlines(town.conn, town.now):
        pass
    (band,) = steps.read_calibration(town.conn, DISTRICT, town.now)
    assert (band.count, band.late) == (1, 1)
    assert band.expected == pytest.approx(0.77, abs=0.03)


def test_too_few_cases_say_nothing(town: City) -> None:
    remember(town, [60.0] * 29)
    case = town.new_filed()
    town.do(DISPATCHER, case, Action.DISPATCH, squad=town.gas_squad, note="go")
    assert steps.list_forecasts(town.conn, SCOPE, town.now) == {}
    assert steps.keep_forecasts(town.conn, town.now) == 0
