"""A roster of a city folder in the database: who is called, what the wall says, what was before."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.city_commands import put_rules, shipped
from city.errors import InvalidInput
from city.incident import Role
from city.person import Caller
from city.place import LonLat
from city.requests import ReportRequest
from city.squad import Recommendation
from db import rosters, squads, users
from db.events import append_waiting
from db.pool import Connection
from db.users import draw_password
from dispatch import steps as dispatch
from dispatch.steps.viewing import rank_squads
from founding import settings
from founding.settings import Edit
from replay.read_picture import read_picture
from replay.shown import squads as shown_squads
from tests.integration.app.conftest import Command
from tests.integration.founding.test_city_commands import DISTRICT, change, done

HERE = LonLat(112.5126, 30.2021)
CHEN = Caller("chen", Role.DISPATCHER, DISTRICT)
# A Saturday: by day 10:00, by night 22:00 at the place.
DAY, NIGHT = datetime(2026, 12, 5, 2, tzinfo=UTC), datetime(2026, 12, 5, 14, tzinfo=UTC)
FREE = datetime(2026, 12, 20, 2, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
ROSTER = (
    "squad,day,from,to,person,phone\n"
    "XZ-GAS,2026-12-05,08:00,20:00,wu,13800000001\n"
    "XZ-GAS,2026-12-06,08:00,20:00,wu,\n"
)


@pytest.fixture
def folder(folder: Path) -> Path:
    (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
    change(folder, "squads.csv", "gas;manhole;drainage,,", "gas;manhole;drainage,0716-119,")
    return folder


def gas_squad(conn: Connection, now: datetime) -> Recommendation:
    """How it is recommended for a case of gas at this time."""
    case = dispatch.report(conn, CHEN, ReportRequest("05-02", HERE.lon, HERE.lat, "it smells"), now)
    return next(r for r in rank_squads(conn, case, now) if r.squad == "XZ-GAS")


def test_who_is_on_duty_is_recommended_with_their_number(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    assert "roster XZ-GAS added" in done(gridwarden("city", "apply", str(folder)))
    by_day, by_night, free = (gas_squad(bare, now) for now in (DAY, NIGHT, FREE))
    assert (by_day.eligible, by_day.called, by_day.phone) == (True, "吴队长", "13800000001")
    assert (by_night.eligible, by_night.called, by_night.phone) == (False, "", "0716-119")
    assert free.on_duty is False
    assert rosters.list_last_dates(bare) == [("XZ-GAS", date(2026, 12, 6))]
    append_waiting(bare, DAY)
    picture = read_picture(bare, DISTRICT)
    for now in (DAY, NIGHT, FREE):
        local = now.astimezone(ZONE)
        stored = squads.list_squads(bare, DISTRICT, near=now)
        duty = {s.code: s.is_on_duty(local) for s in stored}
        assert {s.code: s.is_on_duty(local) for s in shown_squads(picture, {}, now)} == duty


def test_a_roster_goes_round_stays_without_its_file_and_ends_with_its_rows(
    gridwarden: Command, bare: Connection, folder: Path, tmp_path: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    out = tmp_path / "out"
    done(gridwarden("city", "export", str(out)))
    assert done(gridwarden("city", "plan", str(out))) == "nothing to do\n"
    (folder / "roster.csv").unlink()
    assert done(gridwarden("city", "plan", str(folder))) == "nothing to do\n"
    (folder / "roster.csv").write_text(ROSTER.partition("\n")[0], encoding="utf-8")
    assert done(gridwarden("city", "apply", str(folder))) == "roster XZ-GAS retired\n"
    assert squads.find_squad(bare, DISTRICT, "XZ-GAS").roster is None
    assert gas_squad(bare, FREE).on_duty


def test_a_duty_is_changed_in_the_settings_and_found_in_their_history(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    key = "XZ-GAS 2026-12-06 08:00"
    row = {"squad": "XZ-GAS", "day": "2026-12-06", "from": "07:00", "to": "20:00", "person": "wu"}
    sheet = settings.show(bare, DISTRICT, "rosters")
    assert [r.values["entry"] for r in sheet.rows][1] == key
    seen = (sheet.digest, sheet.seq)
    edit = Edit(put=row, key=key)
    plan = settings.plan(bare, DISTRICT, "lin.admin", "rosters", edit, shipped(), seen)
    assert [(c.what, c.code, c.how) for c in plan.changes] == [("roster", "XZ-GAS", "changed")]
    with bare.transaction():
        settings.apply(
            bare,
            DISTRICT,
            "lin.admin",
            "rosters",
            plan.content.encode(),
            seen,
            "an earlier start",
            DAY,
            shipped=shipped(),
            put_rules=put_rules,
            new_password=draw_password,
        )
    item = settings.history(bare, DISTRICT, "rosters", "XZ-GAS 2026-12-06 07:00")[0]
    assert (item.actor, item.why, item.code) == ("lin.admin", "an earlier start", "XZ-GAS")
    assert "07:00" in item.fields[0].after
    assert "07:00" not in item.fields[0].before


def test_who_was_shut_out_since_stands_in_the_way_of_the_roster_alone(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    users.disable_user(bare, "wu", DAY)
    sheet = settings.show(bare, DISTRICT, "squads")
    values = next(r.values for r in sheet.rows if r.values["code"] == "XZ-01")
    for part, edit, faulty in (
        ("squads", Edit(put={**values, "phone": "119"}, key="XZ-01"), False),
        ("rosters", Edit(content=ROSTER.encode()), True),
    ):
        plan = settings.plan(bare, DISTRICT, "lin.admin", part, edit, shipped(), None)
        assert bool(plan.faults) is faulty, plan.faults
    with pytest.raises(InvalidInput, match=r"roster.csv, row 2, person: is nobody"):
        settings.apply(
            bare,
            DISTRICT,
            "lin.admin",
            "rosters",
            ROSTER.encode(),
            (settings.show(bare, DISTRICT, "rosters").digest, 0),
            "again",
            DAY,
            shipped=shipped(),
            put_rules=put_rules,
            new_password=draw_password,
        )
