"""`gridwarden city …` on an installation that has no district yet, and on one that has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from click.testing import Result

from app.city_commands import judged, put_rules
from app.demo_city import FOLDER
from app.people_commands import ROLES
from city.clock import ClockKind, Limit, LimitUnit
from city.errors import Conflict, Unavailable
from city.place import LonLat
from db import calendars, categories, places, squads, users
from db.events import list_events, verify_chain
from db.pool import Connection, connect
from founding.steps import apply_city
from replay.read_picture import read_picture
from tests.integration.app.conftest import Command

DISTRICT = "991201"

T = TypeVar("T")


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def refused(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    return result.output


def change(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")


def everything(conn: Connection) -> list[object]:
    """What a city that is put in force may touch."""
    tables = (
        "district",
        "division",
        "duty_grid",
        "duty_grid_division",
        "unit_grid",
        "squad",
        "squad_shift",
        "squad_duty_grid",
        "squad_position",
        "incident_category",
        "stage_limit",
        "work_calendar",
        "work_calendar_day",
        "app_user",
        "rule",
        "setting",
        "event",
    )
    return [
        conn.execute(
            f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {name} t"
        ).fetchone()
        for name in tables
    ]


def register_device(conn: Connection, at: LonLat) -> None:
    place = places.place_at(conn, DISTRICT, at)
    conn.execute(
        """
        INSERT INTO device (code, district, kind, name, lon, lat, unit_grid, street, community,
                            created_at)
        VALUES ('GAS-1', %s, 'gas', 'Gas 1', %s, %s, %s, %s, %s, now())
        """,
        (DISTRICT, at.lon, at.lat, place.unit_grid, place.street, place.community),
    )


def test_a_folder_becomes_a_city(gridwarden: Command, bare: Connection, folder: Path) -> None:
    said = done(gridwarden("city", "apply", str(folder)))
    assert "unit_grid: 360 added" in said
    place = places.place_at(bare, DISTRICT, LonLat(112.5142, 30.2041))
    assert (place.street_name, place.community_name) == ("东洲街道", "东一社区")
    assert place.duty_grid == "DG991201001001"
    squad = squads.find_squad(bare, DISTRICT, "XZ-GAS")
    assert (len(squad.duty_grids), squad.position) == (4, LonLat(112.51, 30.21))
    assert squad.is_on_duty(datetime(2026, 12, 1, 3, 0, tzinfo=UTC))
    gas = categories.find_in_force(bare, "05-02", DISTRICT)
    assert (gas.version, gas.limit) == (2, Limit(0.5, LimitUnit.URGENT_HOUR))
    assert categories.find_in_force(bare, "05-01", DISTRICT).version == 1
    limits = categories.stage_limits(bare, DISTRICT)
    assert limits[ClockKind.ACKNOWLEDGE] == Limit(0.25, LimitUnit.URGENT_HOUR)
    assert limits[ClockKind.VERIFY] == Limit(0.5, LimitUnit.URGENT_HOUR)
    calendar = calendars.calendar_of(bare, DISTRICT)
    assert (calendar.code, calendar.version, len(calendar.exceptions)) == ("XZ", 1, 3)
    rule = bare.execute(
        "SELECT version, applied_by FROM rule WHERE code = 'gas-lel' AND retired_at IS NULL"
    ).fetchone()
    assert rule == (2, "cli")


def test_passwords_are_printed_once_and_open_the_door(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    said = done(gridwarden("city", "apply", str(folder)))
    passwords = {
        words[0]: words[1]
        for line in said.splitlines()
        if len(words := line.split()) == 3 and words[2] in ROLES
    }
    assert set(passwords) == {"lin.admin", "chen", "wu", "zhou", "zheng"}
    found = users.verify(bare, "wu", passwords["wu"])
    assert found is not None
    assert (found.district, found.squad, found.display_name) == (DISTRICT, "XZ-GAS", "吴队长")
    again = done(gridwarden("city", "apply", str(folder)))
    assert again == "nothing to do\n"
    told = bare.execute(
        "SELECT string_agg(payload::text || coalesce(rows::text, ''), '') FROM event"
    )
    text = str(told.fetchone())
    assert not any(password in text for password in passwords.values())


def test_tokens_and_people_find_the_only_district(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    said = refused(gridwarden("token", "create", "--name", "a", "--role", "viewer"))
    assert "district: is no district of this installation; there is none yet" in said
    done(gridwarden("city", "apply", str(folder)))
    secret = done(gridwarden("token", "create", "--name", "a", "--role", "viewer")).strip()
    caller = users.find_token(bare, secret)
    assert caller is not None
    assert caller.district == DISTRICT
    done(gridwarden("user", "add", "fu", "--role", "viewer", stdin="a long enough password\n"))
    assert "fu " in done(gridwarden("user", "list"))


def test_everything_is_in_the_log_with_who_did_it(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    before = bare.execute("SELECT seq FROM event_head").fetchone()
    assert before is not None
    done(gridwarden("city", "apply", str(folder)))
    events = list_events(bare, after=before[0], limit=1_000, with_rows=True)
    assert {event.actor for event in events} == {"cli"}
    kinds = {event.kind for event in events}
    assert kinds == {
        "district.added",
        "calendar.added",
        "division.added",
        "duty_grid.added",
        "unit_grid.changed",
        "squad.added",
        "category.changed",
        "stage_limit.changed",
        "user.added",
        "rule.applied",
    }
    cells = next(event for event in events if event.kind == "unit_grid.changed")
    assert cells.payload["added"] == 360
    assert verify_chain(bare).broken_at is None
    picture = read_picture(bare, DISTRICT)
    assert set(picture.table("squad")) == {"XZ-01", "XZ-02", "XZ-GAS"}
    assert picture.table("division")["991201001001"]["name"] == "东一社区"
    assert len(picture.table("squad_duty_grid")) == 2 + 2 + 4
    assert set(picture.table("app_user")) == {"lin.admin", "chen", "wu", "zhou", "zheng"}
    assert picture.table("setting")[f"{DISTRICT}/calendar"]["value"] == "XZ"


def test_a_second_time_changes_nothing(gridwarden: Command, bare: Connection, folder: Path) -> None:
    done(gridwarden("city", "apply", str(folder)))
    before = everything(bare)
    assert json.loads(done(gridwarden("city", "plan", str(folder), "--json"))) == {"changes": []}
    assert done(gridwarden("city", "plan", str(folder))) == "nothing to do\n"
    assert done(gridwarden("city", "apply", str(folder))) == "nothing to do\n"
    assert everything(bare) == before


def test_a_plan_says_what_an_application_does_and_writes_nothing(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    before = everything(bare)
    planned = done(gridwarden("city", "plan", str(folder)))
    assert everything(bare) == before
    changes, _, _ = planned.partition("alarms on the readings of")
    assert done(gridwarden("city", "apply", str(folder))).startswith(changes)


def test_what_fails_half_way_leaves_nothing(
    new_installation: str, bare: Connection, folder: Path
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    before = everything(bare)
    with pytest.raises(KeyboardInterrupt), connect(new_installation) as conn:
        apply_city(
            conn,
            *judged([folder]),
            "cli",
            datetime.now(UTC),
            put_rules=killed,
            new_password=users.draw_password,
        )
    assert everything(bare) == before


def test_a_server_process_that_dies_leaves_nothing(
    new_installation: str, bare: Connection, folder: Path
) -> None:
    def cut(conn: Connection, *_: object) -> None:
        bare.execute("SELECT pg_terminate_backend(%s)", (conn.info.backend_pid,))
        conn.execute("SELECT pg_sleep(60)")

    before = everything(bare)
    with pytest.raises((psycopg.Error, Unavailable)), connect(new_installation) as conn:
        apply_city(
            conn,
            *judged([folder]),
            "cli",
            datetime.now(UTC),
            put_rules=cut,
            new_password=users.draw_password,
        )
    assert everything(bare) == before


def test_a_command_that_is_killed_leaves_nothing(
    gridwarden: Command, new_installation: str, bare: Connection, folder: Path
) -> None:
    """A process of its own, killed when all but the event log is written."""
    before = everything(bare)
    with connect(new_installation) as holder:
        holder.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "city", "apply", str(folder)],
            env=os.environ.copy(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            backend = wait_for(lambda: waiting_for_the_log(bare))
        finally:
            process.kill()
            said, _ = process.communicate(timeout=60)
        assert (process.returncode, said) == (-signal.SIGKILL, b"")
        holder.rollback()
    wait_for(lambda: not is_there(bare, backend))
    assert everything(bare) == before
    assert "unit_grid: 360 added" in done(gridwarden("city", "apply", str(folder)))


def waiting_for_the_log(conn: Connection) -> int | None:
    """The server process that waits for the event log, once it has written the cells."""
    row = conn.execute(
        """
        SELECT w.pid FROM pg_locks w JOIN pg_locks g USING (pid)
        WHERE w.relation = 'event'::regclass AND NOT w.granted
          AND g.relation = 'unit_grid'::regclass AND g.mode = 'RowExclusiveLock'
          AND w.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """
    ).fetchone()
    return row[0] if row else None


def is_there(conn: Connection, backend: int) -> bool:
    row = conn.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (backend,)).fetchone()
    return row is not None


def wait_for(look: Callable[[], T], seconds: float = 60) -> T:
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"nothing within {seconds:g} s"
        time.sleep(0.05)
    return found


def test_two_applications_at_once_are_one(
    new_installation: str, bare: Connection, folder: Path
) -> None:
    (city,) = judged([folder])

    def apply() -> int:
        with connect(new_installation) as conn:
            done = apply_city(
                conn,
                city,
                "cli",
                datetime.now(UTC),
                put_rules=put_rules,
                new_password=users.draw_password,
            )
        return len(done.changes)

    with ThreadPoolExecutor(2) as pool:
        counts = [made.result() for made in [pool.submit(apply), pool.submit(apply)]]
    assert sorted(map(bool, counts)) == [False, True]
    founded = bare.execute("SELECT count(*) FROM event WHERE kind = 'district.added'").fetchone()
    assert founded == (1,)


def test_of_several_districts_one_must_be_named(
    gridwarden: Command, bare: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    bare.execute(
        """
        INSERT INTO district (code, name_zh, name_en, outline)
        SELECT '991202', name_zh, name_en, outline FROM district
        """
    )
    said = refused(gridwarden("token", "create", "--name", "a", "--role", "viewer"))
    assert "GRIDWARDEN_DISTRICT: must name one of 991201, 991202" in said
    monkeypatch.setenv("GRIDWARDEN_DISTRICT", "991202")
    done(gridwarden("token", "create", "--name", "a", "--role", "viewer"))


def neighbour_of(folder: Path) -> Path:
    """A second district of the same rules and limits, east of it."""
    other = folder.parent / "neighbour"
    names = {"991201": "991302", "XZ-": "YZ-", "112.": "113."}
    names |= {f"\n{name},": f"\n{name}2," for name in ("lin.admin", "chen", "wu", "zhou", "zheng")}
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        text = path.read_text(encoding="utf-8")
        for old, new in names.items():
            text = text.replace(old, new)
        (other / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        (other / path.relative_to(folder)).write_text(text, encoding="utf-8")
    return other


def test_several_districts_are_put_in_force_together_or_not_at_all(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    other = neighbour_of(folder)
    both = (str(folder), str(other))
    change(other, "people.csv", "chen2,", "chen,")
    before = everything(bare)
    assert "chen" in refused(gridwarden("city", "apply", *both))
    assert everything(bare) == before
    change(other, "people.csv", "chen,", "chen2,")
    planned = done(gridwarden("city", "plan", *both))
    assert planned.count("unit_grid: 360 added") == planned.count("category 05-02 changed") == 2
    said = done(gridwarden("city", "apply", *both))
    # The calendar that both name is there when the second one is looked at.
    told = [line for line in planned.splitlines() if not line.startswith("alarms ")]
    assert set(told) <= set(said.splitlines())
    nothing = "991201:\nnothing to do\n991302:\nnothing to do\n"
    assert done(gridwarden("city", "apply", *both)) == nothing
    assert done(gridwarden("city", "plan", *both)) == nothing
    assert places.place_at(bare, "991302", LonLat(113.5142, 30.2041)).street_name == "东洲街道"
    assert verify_chain(bare).broken_at is None
    change(other, "limits.csv", "0.25 urgent_hour", "1 work_hour")
    change(other, "limits.csv", "0.5 urgent_hour", "3 urgent_hour")
    assert done(gridwarden("city", "apply", str(other))).splitlines() == [
        "category 05-02 changed (handle_limit)",
        "stage_limit acknowledge changed (limit)",
    ]
    assert done(gridwarden("city", "apply", *both)) == nothing
    limits = [categories.stage_limits(bare, code) for code in (DISTRICT, "991302", "460107")]
    assert [str(found[ClockKind.ACKNOWLEDGE]) for found in limits] == [
        "0.25 urgent_hour",
        "1 work_hour",
        "0.166667 urgent_hour",
    ]
    twice = refused(gridwarden("city", "check", str(folder), str(folder)))
    assert "xingzhou/city.toml, code: is in two folders" in twice


def test_what_changed_is_changed_and_what_is_gone_is_retired(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    change(folder, "squads.csv", "东洲中队", "东洲第一中队")
    lines = (folder / "squads.csv").read_text(encoding="utf-8").splitlines()
    west = next(line for line in lines if line.startswith("XZ-02"))
    change(folder, "squads.csv", west + "\n", "")
    change(folder, "limits.csv", "0.5 urgent_hour", "0.75 urgent_hour")
    change(folder, "people.csv", "zhou,checker,,周核查", "zhou,leader,,周主任")
    change(folder, "divisions.csv", "东二社区", "东二新社区")
    change(folder, "calendar-2027.csv", "2027-01-04,false,example\n", "")
    said = done(gridwarden("city", "apply", str(folder)))
    assert said.splitlines() == [
        "calendar XZ changed",
        "division 991201001002 changed (name)",
        "duty_grid: 1 changed",
        "squad XZ-01 changed (name_zh)",
        "squad XZ-02 retired",
        "category 05-02 changed (handle_limit)",
        "person zhou changed (role, display_name)",
    ]
    assert [squad.code for squad in squads.list_squads(bare, DISTRICT)] == ["XZ-01", "XZ-GAS"]
    assert categories.find_in_force(bare, "05-02", DISTRICT).version == 3
    assert categories.find(bare, "05-02", 2).valid_to is not None
    assert calendars.calendar_of(bare, DISTRICT).version == 2
    assert len(calendars.find_calendar(bare, "XZ", 1).exceptions) == 3
    zhou = users.find_user(bare, "zhou")
    assert zhou is not None
    assert (zhou.role.value, zhou.display_name) == ("leader", "周主任")
    assert done(gridwarden("city", "plan", str(folder))) == "nothing to do\n"


def test_a_squad_that_comes_back_is_active_again(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    whole = (folder / "squads.csv").read_bytes()
    done(gridwarden("city", "apply", str(folder)))
    (folder / "squads.csv").write_bytes(b"\n".join(whole.splitlines()[:2] + whole.splitlines()[3:]))
    assert "squad XZ-02 retired" in done(gridwarden("city", "apply", str(folder)))
    (folder / "squads.csv").write_bytes(whole)
    assert "squad XZ-02 added" in done(gridwarden("city", "apply", str(folder)))
    assert len(squads.find_squad(bare, DISTRICT, "XZ-02").shifts) == 2
    assert done(gridwarden("city", "plan", str(folder))) == "nothing to do\n"


def test_a_grid_grows_and_does_not_move_under_devices(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    at = LonLat(112.5142, 30.2041)
    register_device(bare, at)
    cell = places.place_at(bare, DISTRICT, at).unit_grid
    before = everything(bare)
    (folder / "grid.toml").write_text(
        "west = 112.4995\nsouth = 30.2\ncell_lon = 0.00104\ncell_lat = 0.0009\n"
    )
    said = refused(gridwarden("city", "apply", str(folder)))
    assert "nothing was changed" in said
    assert f"grid.toml, code: would move or go, and 1 devices stand in it (got '{cell}')" in said
    assert "1 devices stand in it" in refused(gridwarden("city", "plan", str(folder)))
    assert everything(bare) == before
    (folder / "grid.toml").unlink()
    change(
        folder, "divisions.csv", "991201001001,东一社区,community,991201001,112.515,30.204\n", ""
    )
    said = refused(gridwarden("city", "apply", str(folder)))
    assert "divisions.csv, code: is missing, and 1 devices stand in it" in said


def test_a_grid_without_devices_is_made_anew(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    change(folder, "grid.toml", "0.0009", "0.001")
    assert "unit_grid" in done(gridwarden("city", "apply", str(folder)))
    assert places.place_at(bare, DISTRICT, LonLat(112.5142, 30.2041)).unit_grid
    assert done(gridwarden("city", "plan", str(folder))) == "nothing to do\n"


def test_people_stay_until_somebody_shuts_them_out(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    change(folder, "people.csv", "zhou,checker,,周核查\n", "")
    assert done(gridwarden("city", "apply", str(folder))) == "nothing to do\n"
    assert users.find_user(bare, "zhou") is not None
    done(gridwarden("user", "disable", "chen"))
    said = refused(gridwarden("city", "apply", str(folder)))
    assert "people.csv, name: is shut out; `gridwarden user enable chen` lets them in again" in said
    done(gridwarden("user", "enable", "chen"))
    change(folder, "people.csv", "lin.admin,admin", "lin.admin,viewer")
    said = refused(gridwarden("city", "apply", str(folder)))
    assert "people.csv, role: would leave no administrator (got 'lin.admin')" in said


def test_a_squad_with_people_of_others_is_not_retired(gridwarden: Command, folder: Path) -> None:
    done(gridwarden("city", "apply", str(folder)))
    password = "a long enough password\n"
    done(
        gridwarden(
            "user", "add", "fu", "--role", "squad_leader", "--squad", "XZ-02", stdin=password
        )
    )
    lines = (folder / "squads.csv").read_text(encoding="utf-8").splitlines()
    (folder / "squads.csv").write_text("\n".join(lines[:2] + lines[3:]), encoding="utf-8")
    said = refused(gridwarden("city", "apply", str(folder)))
    assert "squads.csv, code: is missing, and fu belongs to it (got 'XZ-02')" in said


def test_what_was_written_out_founds_the_same_city_elsewhere(
    gridwarden: Command,
    another_one: str,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    tmp_path: Path,
) -> None:
    # Two columns of the raster lie west of the boundary: the first cells are not in its first one.
    change(folder, "grid.toml", "west = 112.5", "west = 112.498")
    done(gridwarden("city", "apply", str(folder)))
    out = tmp_path / "out"
    done(gridwarden("city", "export", str(out)))
    assert "is not empty" in refused(gridwarden("city", "export", str(out)))
    assert done(gridwarden("city", "plan", str(out))) == "nothing to do\n"
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", another_one)
    done(gridwarden("city", "apply", str(out)))
    assert json.loads(done(gridwarden("city", "plan", str(out), "--json"))) == {"changes": []}
    third = tmp_path / "third"
    done(gridwarden("city", "export", str(third)))
    ours = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    theirs = {p.relative_to(third): p.read_bytes() for p in third.rglob("*") if p.is_file()}
    assert theirs == ours


def test_the_demonstration_is_written_out_and_founded_elsewhere(
    gridwarden: Command,
    database_url: str,
    new_installation: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    out = str(tmp_path / "demo")
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", database_url)
    # It is the folder that ships, and the simulator plays the same city.
    assert done(gridwarden("city", "plan", str(FOLDER))) == "nothing to do\n"
    done(gridwarden("city", "export", out))
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", new_installation)
    assert "squad SQ-24 added" in done(gridwarden("city", "apply", out))
    assert done(gridwarden("city", "plan", out)) == "nothing to do\n"


def test_a_city_never_ends_a_gas_alarm(
    new_installation: str, bare: Connection, gridwarden: Command, folder: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    (city,) = judged([folder])

    def refuse(*_: object) -> None:
        raise Conflict("this would end gas alarms", current={})

    before = everything(bare)
    changed = city.rules["gas-lel"].replace("limit = 15.0", "limit = 16.0")
    (folder / "rules" / "gas-lel.toml").write_text(changed, encoding="utf-8")
    with pytest.raises(Conflict), connect(new_installation) as conn:
        apply_city(
            conn,
            *judged([folder]),
            "cli",
            datetime.now(UTC),
            put_rules=refuse,
            new_password=users.draw_password,
        )
    assert everything(bare) == before


def test_a_faulty_folder_is_named_without_an_installation(
    folder: Path, gridwarden: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE", "MQTT", "REDIS"):
        monkeypatch.delenv(f"GRIDWARDEN_{name}_URL")
    said = done(gridwarden("city", "check", str(folder)))
    assert "no fault. 7 divisions, 360 cells, 3 squads, 5 people" in said
    change(folder, "people.csv", "XZ-GAS", "XZ-9")
    change(folder, "limits.csv", "2工作时", "2 fortnights")
    lines = refused(gridwarden("city", "check", str(folder))).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "limits.csv, row 4, limit",
        "people.csv, row 4, squad",
    ]
