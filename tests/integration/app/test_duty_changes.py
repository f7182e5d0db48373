"""Leave and swaps: asked for by one person, done when another one agrees, and never half."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from app import duty, four_eyes
from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import Role
from city.person import Caller
from city.requests import DutyChangeRequest
from city.roster import Duty, duty_at, of_day
from db import rosters
from db.events import list_newest
from db.pool import Connection

DISTRICT, SQUAD = "460107", "SQ-14"
NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)
LEADER = Caller("wu", Role.SQUAD_LEADER, DISTRICT, SQUAD)
CHIEF = Caller("chen", Role.DISPATCHER, DISTRICT)
WEEK = "1,2,3,4,5,6,7"
DAY, NIGHT = time(8), time(20)


@pytest.fixture
def roster(db: Connection) -> Connection:
    for name in ("wu", "he"):
        db.execute(
            "INSERT INTO app_user (name, role, squad, district, password_hash, display_name,"
            " created_at) VALUES (%s, 'squad_leader', %s, %s, 'x', %s, %s)",
            (name, SQUAD, DISTRICT, name, NOW),
        )
    rosters.replace_roster(
        db, SQUAD, [Duty(WEEK, DAY, NIGHT, "wu", "138"), Duty(WEEK, NIGHT, DAY, "he")]
    )
    return db


def on_duty(conn: Connection, text: str) -> str:
    found = rosters.list_rosters(conn, DISTRICT, SQUAD)[SQUAD]
    there = duty_at(found, datetime.fromisoformat(text))
    assert there is not None
    return there.person


def leave(**more: str) -> DutyChangeRequest:
    given = {
        "squad": SQUAD,
        "day": "2026-12-05",
        "start": "08:00",
        "stand_in": "he",
        "why": "leave",
    }
    return DutyChangeRequest(**{**given, **more})


def test_a_stand_in_has_the_duty_once_somebody_else_agrees(roster: Connection) -> None:
    asked = duty.ask_change(roster, LEADER, leave(), NOW)
    assert on_duty(roster, "2026-12-05T09:00") == "wu", "nothing is done yet"
    four_eyes.approve(roster, CHIEF, asked.id, asked.digest, "fine", NOW)
    assert on_duty(roster, "2026-12-05T09:00") == "he"
    assert on_duty(roster, "2026-12-06T09:00") == "wu", "that day alone"
    assert on_duty(roster, "2026-12-05T21:00") == "he", "the night of that day stays"
    told = list_newest(roster, f"roster:{SQUAD}", limit=1)[0]
    assert (told.actor, told.payload["asked_by"], told.payload["why"]) == ("chen", "wu", "leave")


def test_a_swap_moves_both_duties(roster: Connection) -> None:
    wanted = leave(other_day="2026-12-07", other_start="20:00")
    asked = duty.ask_change(roster, LEADER, wanted, NOW)
    four_eyes.approve(roster, CHIEF, asked.id, asked.digest, "fine", NOW)
    assert on_duty(roster, "2026-12-05T09:00") == "he"
    assert on_duty(roster, "2026-12-07T21:00") == "wu"
    found = rosters.list_rosters(roster, DISTRICT, SQUAD)[SQUAD]
    assert len(of_day(found, datetime(2026, 12, 7, tzinfo=UTC).date())) == 2


def test_leave_alone_names_the_hole_and_who_could_fill_it(roster: Connection) -> None:
    """By the skills of the squad and the rest rule: `he` comes off the night, `bai` is fresh,
    the certificate of `lin` is over."""
    for name in ("bai", "lin"):
        roster.execute(
            "INSERT INTO app_user (name, role, squad, district, password_hash, display_name,"
            " created_at) VALUES (%s, 'squad_leader', %s, %s, 'x', %s, %s)",
            (name, SQUAD, DISTRICT, name.title(), NOW),
        )
    roster.execute(
        "INSERT INTO certificate (person, skill, number, valid_until)"
        " VALUES ('lin', 'gas', '1', '2026-12-04')"
    )
    could = duty.list_stand_ins(roster, LEADER, SQUAD, "2026-12-05", "08:00", NOW)
    found = [(one.person, one.rest_hours, one.expired, one.fit) for one in could]
    assert found == [
        ("bai", None, (), True),
        ("lin", None, ("gas",), False),
        ("he", 0.0, (), False),
    ]
    with pytest.raises(InvalidInput, match=r"nobody on 2026-12-05 08:00-20:00.*Bai") as refused:
        duty.ask_change(roster, LEADER, leave(stand_in=""), NOW)
    assert (refused.value.field, refused.value.code) == ("stand_in", "hole_filled_by")
    asked = duty.ask_change(roster, LEADER, leave(stand_in="lin"), NOW)
    assert asked.shown["duty"]["doubts"] == {"rest_hours": None, "expired": ["gas"]}
    asked = duty.ask_change(roster, LEADER, leave(stand_in="bai", day="2026-12-08"), NOW)
    assert "doubts" not in asked.shown["duty"]
    with pytest.raises(Forbidden):
        duty.list_stand_ins(roster, LEADER, "SQ-01", "2026-12-05", "08:00", NOW)


def test_what_changed_meanwhile_is_asked_for_anew(roster: Connection) -> None:
    asked = duty.ask_change(roster, LEADER, leave(), NOW)
    rosters.replace_roster(roster, SQUAD, [Duty(WEEK, DAY, NIGHT, "he")])
    with pytest.raises(Conflict, match="has changed since"):
        four_eyes.approve(roster, CHIEF, asked.id, asked.digest, "fine", NOW)
    with pytest.raises(Forbidden):
        four_eyes.approve(roster, LEADER, asked.id, asked.digest, "mine", NOW)


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (leave(day="2026-11-30"), "day: is over"),
        (leave(day="soon"), "day: must be YYYY-MM-DD"),
        (leave(start="09:00"), "start: is when no duty of 2026-12-05 begins"),
        (leave(stand_in="wu"), "stand_in: has this duty already"),
        (leave(stand_in="nobody"), "stand_in: is nobody of squad SQ-14"),
        (leave(squad="SQ-01"), "is not yours"),
        (leave(other_day="2026-12-07", other_start="08:00"), "is the duty of wu, not of he"),
        (leave(why=" "), "why: must have"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(
    roster: Connection, request_: DutyChangeRequest, problem: str
) -> None:
    with pytest.raises((InvalidInput, Forbidden), match=problem):
        duty.ask_change(roster, LEADER, request_, NOW)
