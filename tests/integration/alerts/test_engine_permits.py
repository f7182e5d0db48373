"""A cover that is opened under a work permit is a note, and a minute after its end an alarm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from alerts.steps import add_permit, end_permit
from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import Role
from city.permit import NewPermit, PermitPlace, read_place
from city.person import Caller
from db import permits
from db.permits import PermitRow
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

People = Callable[[Role], Caller]
HERE = (109.35, 20.0)  # where the demonstration has nothing


@pytest.fixture
def covers(engine: Engine) -> Engine:
    engine.device("M-1", "manhole", at=HERE)
    engine.device("M-2", "manhole", at=(109.36, 20.0))  # a kilometre away
    engine.device("L-1", "light", at=HERE)
    return engine


def permit(
    engine: Engine,
    place: PermitPlace | None = None,
    code: str = "WP-1",
    *,
    begins: timedelta = timedelta(0),
    lasts: timedelta = timedelta(hours=2),
    role: Role = Role.DISPATCHER,
) -> PermitRow:
    where = place or PermitPlace(devices=("M-1",))
    start = engine.now + begins
    new = NewPermit(code, "water works", "cleaning", where, start, start + lasts)
    return add_permit(engine.conn, Caller("a desk", role, DISTRICT), new, engine.now)


def say(engine: Engine, code: str, metric: str, value: float) -> None:
    engine.latest(code, metric, value, engine.now)
    engine.read((code, metric, value))


def standing(engine: Engine) -> list[str]:
    return [alarm.condition for alarm in engine.alarms() if alarm.cleared_at is None]


def found(engine: Engine, code: str = "WP-1") -> PermitRow:
    row = permits.find_permit(engine.conn, DISTRICT, code)
    assert row is not None
    return row


def test_opened_and_shut_under_a_permit_is_a_note_and_nothing_is_left(covers: Engine) -> None:
    permit(covers)
    covers.later(minutes=10)
    say(covers, "M-1", "cover_open", 1.0)
    say(covers, "M-2", "cover_open", 1.0)
    assert standing(covers) == ["cover/M-2"]
    covers.later(minutes=5)
    say(covers, "M-1", "cover_open", 1.0)
    (note,) = found(covers).noted
    assert (note["device"], note["condition"]) == ("M-1", "cover/M-1")
    assert note["first_at"] != note["last_at"]
    assert covers.events().count("permit.opened") == 1
    covers.later(minutes=30)
    say(covers, "M-1", "cover_open", 0.0)
    covers.later(hours=2)
    tick(covers.conn, covers.now)
    assert standing(covers) == ["cover/M-2"]
    assert "permit.over" in covers.events()
    assert found(covers).due_at is None


def test_gas_and_water_are_never_covered(covers: Engine) -> None:
    permit(covers)
    covers.later(minutes=10)
    say(covers, "M-1", "ch4_pct_lel", 60.0)
    say(covers, "M-1", "flooded", 1.0)
    assert standing(covers) == ["gas/M-1", "water/M-1"]


def test_a_cover_still_open_is_an_alarm_one_minute_after_the_end(covers: Engine) -> None:
    permit(covers)
    covers.later(minutes=10)
    say(covers, "M-1", "cover_open", 1.0)
    covers.later(hours=1, minutes=50, seconds=59)
    tick(covers.conn, covers.now)
    assert standing(covers) == []
    tick(covers.conn, covers.later(seconds=1))
    assert standing(covers) == ["cover/M-1"]
    tick(covers.conn, covers.later(seconds=1))
    assert covers.changes() == ["raised"]


def test_a_tilt_whose_delay_runs_over_the_end_is_not_lost(covers: Engine) -> None:
    permit(covers, lasts=timedelta(minutes=10))
    covers.later(minutes=10, seconds=50)
    say(covers, "M-1", "tilt_deg", 40.0)
    for _ in range(60):
        tick(covers.conn, covers.later(seconds=1))
    assert standing(covers) == ["cover/M-1"]


def test_a_permit_ended_early_leaves_a_minute(covers: Engine, person: People) -> None:
    made = permit(covers)
    covers.later(minutes=10)
    say(covers, "M-1", "cover_open", 1.0)
    with pytest.raises(Forbidden):
        end_permit(covers.conn, person(Role.VIEWER), "WP-1", made.version, "done", covers.now)
    desk = person(Role.DISPATCHER)
    with pytest.raises(InvalidInput, match="why"):
        end_permit(covers.conn, desk, "WP-1", made.version, " ", covers.now)
    with pytest.raises(Conflict, match="has changed"):
        end_permit(covers.conn, desk, "WP-1", made.version + 1, "done", covers.now)
    end_permit(covers.conn, desk, "WP-1", made.version, "done", covers.now)
    with pytest.raises(Conflict, match="is over"):
        end_permit(covers.conn, desk, "WP-1", None, "again", covers.later(seconds=1))
    tick(covers.conn, covers.later(seconds=58))
    assert standing(covers) == []
    tick(covers.conn, covers.later(seconds=1))
    assert standing(covers) == ["cover/M-1"]
    assert found(covers).ended_by == desk.name


def test_another_permit_over_the_same_cover_holds_on(covers: Engine) -> None:
    permit(covers, lasts=timedelta(hours=1))
    permit(covers, code="WP-2", lasts=timedelta(hours=3))
    covers.later(minutes=10)
    say(covers, "M-1", "cover_open", 1.0)
    tick(covers.conn, covers.later(hours=1))
    assert standing(covers) == []
    tick(covers.conn, covers.later(hours=2))
    assert standing(covers) == ["cover/M-1"]


def test_an_alarm_that_stood_before_stands_on_until_it_is_shut(covers: Engine) -> None:
    say(covers, "M-1", "cover_open", 1.0)
    permit(covers, begins=timedelta(seconds=1))
    covers.later(minutes=10)
    say(covers, "M-1", "cover_open", 1.0)
    assert standing(covers) == ["cover/M-1"]
    covers.later(minutes=1)
    say(covers, "M-1", "cover_open", 0.0)
    tick(covers.conn, covers.later(seconds=61))
    assert standing(covers) == []


def test_what_was_opened_in_time_and_comes_late_is_looked_at_once_more(covers: Engine) -> None:
    permit(covers, lasts=timedelta(minutes=10))
    opened = covers.later(minutes=9)
    tick(covers.conn, covers.later(minutes=5))
    covers.latest("M-1", "cover_open", 1.0, opened)
    covers.latest("M-1", "battery_pct", 80.0, covers.now)
    covers.read(("M-1", "cover_open", 1.0, opened))
    assert standing(covers) == []
    tick(covers.conn, covers.later(seconds=1))
    assert standing(covers) == ["cover/M-1"]


def test_places(covers: Engine) -> None:
    around = read_place({"lon": HERE[0], "lat": HERE[1], "radius_m": 50})
    assert permit(covers, around, "WP-1").devices == ["M-1"]
    west, east = HERE[0] - 0.0001, HERE[0] + 0.0001
    corners = f"{west} 19.9999; {east} 19.9999; {east} 20.0001; {west} 20.0001"
    assert permit(covers, read_place({"polygon": corners}), "WP-2").devices == ["M-1"]
    assert permit(covers, read_place({"devices": "M-2 L-1"}), "WP-3").devices == ["L-1", "M-2"]
    with pytest.raises(InvalidInput, match="no cover with a sensor"):
        permit(covers, read_place({"lon": 109.0, "lat": 20.0, "radius_m": 50}), "WP-4")
    with pytest.raises(InvalidInput, match="no device of this district"):
        permit(covers, PermitPlace(devices=("X-1",)), "WP-5")
    with pytest.raises(InvalidInput, match="number of another permit"):
        permit(covers)
    with pytest.raises(Forbidden):
        permit(covers, code="WP-6", role=Role.SQUAD_LEADER)
