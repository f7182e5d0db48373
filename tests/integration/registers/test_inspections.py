"""Inspections of every register through to a case, offences, draws, vehicles."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import IncidentState, Role, Source
from city.person import Caller
from city.requests import InspectionRequest
from city.scope import Scope
from db import incidents, registers
from db.events import list_events, verify_chain
from db.pool import Connection
from dispatch.steps import report
from registers import steps
from registers.entries import short_code
from registers.shipped import shipped_registers
from registers.steps import Inspected
from tests.integration.app.conftest import Command
from tests.integration.registers.conftest import DISTRICT, LISTS, PATROL

NOW = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
FIRST = {code: text.splitlines()[1].split(",")[0] for code, text in LISTS.items()}


def inspect(
    town: Connection, register: str, code: str, failing: tuple[str, ...] = (), days: int = 0
) -> Inspected:
    items = shipped_registers()[register].items
    answers = {item.code: "fail" if item.code in failing else "ok" for item in items}
    request = InspectionRequest(answers, note="看过了")
    short = short_code(DISTRICT, register, code)
    now = NOW + timedelta(days=days)
    return steps.inspect(town, PATROL, short, request, now, report=report)


@pytest.mark.parametrize("register", sorted(LISTS))
def test_an_inspection_that_fails_becomes_a_case(town: Connection, register: str) -> None:
    worst = tuple(item.code for item in shipped_registers()[register].items)
    done = inspect(town, register, FIRST[register], worst)
    assert (done.passed, done.score) == (False, 0)
    assert done.incident_id is not None
    case = incidents.find(town, done.incident_id)
    assert case.category == shipped_registers()[register].category
    assert (case.source, case.state) == (Source.PATROL, IncidentState.REPORTED)
    assert "看过了" in case.description
    event = list_events(town, kind="register_entry.inspected", with_rows=True)[-1]
    assert (event.actor, event.payload["incident"]) == ("wang", done.incident_id)
    assert event.rows is not None
    assert "91991201" not in event.rows
    assert verify_chain(town).broken_at is None


def test_one_that_passes_makes_none_and_is_due_later(town: Connection) -> None:
    shops = shipped_registers()["shopfronts"]
    before = steps.coverage_of(town, Scope(DISTRICT), shops, NOW)
    assert (before.entries, before.inspected, before.due, before.overdue) == (3, 0, 1, 1)
    done = inspect(town, "shopfronts", "S-1", ("parking",))
    assert (done.passed, done.incident_id, done.due_on) == (True, None, date(2026, 12, 31))
    after = steps.coverage_of(town, Scope(DISTRICT), shops, NOW)
    assert (after.inspected, after.due) == (1, 0)
    later = steps.coverage_of(town, Scope(DISTRICT), shops, NOW + timedelta(days=31))
    assert (later.inspected, later.overdue) == (0, 1)


def test_a_date_that_an_inspection_set_outlives_the_next_apply(
    gridwarden: Command, town: Connection, lists: Path
) -> None:
    inspect(town, "shopfronts", "S-1")
    town.commit()
    assert gridwarden("city", "apply", str(lists)).output == "nothing to do\n"
    short = short_code(DISTRICT, "shopfronts", "S-1")
    assert registers.find_entry(town, DISTRICT, short).due_on == date(2026, 12, 31)
    path = lists / "registers" / "shopfronts.csv"
    text = path.read_text(encoding="utf-8").replace("2026-11-01", "2026-12-05")
    path.write_text(text, encoding="utf-8")
    town.commit()
    assert gridwarden("city", "apply", str(lists)).exit_code == 0
    assert registers.find_entry(town, DISTRICT, short).due_on == date(2026, 12, 5)


def test_what_is_due_longest_comes_first(town: Connection) -> None:
    page = registers.page_entries(town, Scope(DISTRICT), "shopfronts", limit=2)
    assert [e.code for e in page] == ["S-1", "S-2"]
    after = (page[-1].due_on or registers.NEVER, page[-1].code)
    rest = registers.page_entries(town, Scope(DISTRICT), "shopfronts", after=after)
    assert [e.code for e in rest] == ["S-3"]
    due = registers.page_entries(town, Scope(DISTRICT), "shopfronts", due_until=NOW.date())
    assert [e.code for e in due] == ["S-1"]


def test_personal_fields_are_searched_for_those_only_who_see_them(town: Connection) -> None:
    def found(*words: str, seeing: bool) -> list[str]:
        page = registers.page_entries(
            town, Scope(DISTRICT), "shopfronts", words=words, with_personal=seeing
        )
        return [e.code for e in page]

    assert found("李四", seeing=True) == ["S-2"]
    assert found("李四", seeing=False) == []
    assert found("便利", "s-3", seeing=False) == ["S-3"]


def test_a_second_offence_of_a_party_names_the_first_wherever_it_was(town: Connection) -> None:
    assert inspect(town, "shopfronts", "S-1", ("clean",)).earlier == []
    assert inspect(town, "shopfronts", "S-2", ("clean",), days=1).earlier == []
    again = inspect(town, "gas_users", "U-1", ("leak",), days=2)
    assert [(o.register, o.entry) for o in again.earlier] == [("shopfronts", "S-1")]
    third = inspect(town, "shopfronts", "S-3", ("clean",), days=3)
    assert [o.entry for o in third.earlier] == ["U-1", "S-1"]
    assert len(steps.offences_of(town, PATROL, "91991201 s1")) == 3


def test_a_case_that_was_turned_down_is_no_offence(town: Connection) -> None:
    first = inspect(town, "shopfronts", "S-1", ("clean",))
    town.execute("UPDATE incident SET state = 'rejected' WHERE id = %s", (first.incident_id,))
    assert inspect(town, "shopfronts", "S-3", ("clean",), days=1).earlier == []


def test_what_has_no_place_takes_that_of_what_it_belongs_to(town: Connection) -> None:
    done = inspect(town, "muck_trucks", "T-2", ("cover", "permit"))
    case = incidents.find(town, done.incident_id or 0)
    assert (round(case.lon, 3), round(case.lat, 3)) == (112.515, 30.204)


def test_who_may_not_inspect_and_what_cannot_be_inspected_is_refused(town: Connection) -> None:
    short = short_code(DISTRICT, "shopfronts", "S-1")
    leader = Caller("boss", Role.LEADER, DISTRICT)
    nothing = InspectionRequest({})
    with pytest.raises(Forbidden):
        steps.inspect(town, leader, short, nothing, NOW, report=report)
    with pytest.raises(InvalidInput, match=r"answers\.clean"):
        steps.inspect(town, PATROL, short, nothing, NOW, report=report)
    town.execute("UPDATE register_entry SET retired_at = now() WHERE code = 'S-1'")
    with pytest.raises(Conflict, match="S-1"):
        steps.inspect(town, PATROL, short, nothing, NOW, report=report)
    assert list_events(town, kind="register_entry.inspected") == []


def test_a_draw_can_be_repeated_and_a_changed_one_is_found(
    gridwarden: Command, town: Connection
) -> None:
    words = "register draw shopfronts --objects 2 --each 1 --inspector wu --seed 2026-12 --why"
    drawn = gridwarden(*words.split(), "十二月双随机")
    assert drawn.output.startswith("draw 1: 2 of 3 entries, seed 2026-12\n")
    event = list_events(town, kind="register.drawn")[-1]
    assert event.payload["why"] == "十二月双随机"
    assert gridwarden("register", "verify-draw", "1").output == "draw 1: the same\n"
    town.execute("UPDATE register_draw SET population = population - 0")
    town.commit()
    changed = gridwarden("register", "verify-draw", "1")
    assert changed.exit_code == 1
    assert "was drawn from other entries" in changed.output


def test_a_draw_that_cannot_be_is_refused(gridwarden: Command, town: Connection) -> None:
    words = ("register", "draw", "shopfronts", "--why", "x", "--objects")
    assert (
        "objects: must be from 1 to 3"
        in gridwarden(*words, "4", "--inspector", "wu", "--each", "1").output
    )
    assert "inspectors: is nobody" in gridwarden(*words, "1", "--inspector", "zorro").output
    assert list_events(town, kind="register.drawn") == []


def test_a_truck_off_its_route_or_hours_is_a_case_once(
    gridwarden: Command, town: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "positions.csv"
    rows = (
        ("T-1", "2026-12-01T23:00:00+08:00", 112.505, 30.204),
        ("T-1", "2026-12-01T23:05:00+08:00", 112.505, 30.209),
        ("T-1", "2026-12-01T23:06:00+08:00", 112.506, 30.209),
        ("T-1", "2026-12-02T12:00:00+08:00", 112.505, 30.204),
        ("T-2", "2026-12-02T12:00:00+08:00", 112.505, 30.209),
    )
    lines = [",".join(map(str, row)) for row in rows]
    file.write_text("\n".join(["code,ts,lon,lat", *lines]) + "\n", encoding="utf-8")
    said = gridwarden("register", "check-positions", "muck_trucks", str(file)).output
    assert "off_route" in said
    assert "out_of_hours" in said
    assert said.endswith("5 positions, 2 findings\n")
    told = [e.payload["incident"] for e in list_events(town, kind=steps.STRAYED)]
    assert {incidents.find(town, number).category for number in told} == {"muck-route"}
    again = gridwarden("register", "check-positions", "muck_trucks", str(file)).output
    assert again.count("told before") == 2
    assert len(list_events(town, kind=steps.STRAYED)) == 2
    file.write_text("code,ts,lon,lat\nT-1,yesterday,1,1\n", encoding="utf-8")
    refused = gridwarden("register", "check-positions", "muck_trucks", str(file))
    assert "positions.csv, row 2, ts" in refused.output


def test_every_register_is_listed_with_its_counts(gridwarden: Command, town: Connection) -> None:
    said = gridwarden("register", "list").output
    (shops,) = [line for line in said.splitlines() if line.startswith("shopfronts")]
    assert "0 of 3 inspected, 1 overdue" in shops
    assert gridwarden("register", "offences", "91991201S1").output.startswith("first offence")


def test_the_person_of_an_inspection_need_not_be_the_last_owner(town: Connection) -> None:
    """A shop changes hands: the offences stay with who answered for it then."""
    inspect(town, "shopfronts", "S-1", ("clean",))
    town.execute(
        "UPDATE register_entry SET party = 'NEW1', fields = fields || "
        "'{\"licence\": \"NEW1\"}' WHERE code = 'S-1'"
    )
    assert inspect(town, "shopfronts", "S-1", ("clean",), days=1).earlier == []
