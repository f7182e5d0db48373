"""Rows of changes come into the log with their events, or by themselves; secrets never do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from city.event import Event, NewEvent
from city.incident import Role
from db import users
from db.event_rows import ROWS_MAX
from db.events import append_events, append_waiting, last_seq, list_events, verify_chain
from db.migrate import MIGRATIONS, migrate
from db.pool import Connection, connect
from replay.checkpoint import FORMAT, decode
from replay.picture import Picture, fold_all
from replay.read_picture import keep_pictures, read_picture

DISTRICT = "460107"
NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)


def about(subject: str, kind: str = "test.said") -> NewEvent:
    return NewEvent(NOW, DISTRICT, kind, subject, "test", {})


def rows_of(event: Event) -> list[tuple[str, Any]]:
    """(table, row) of each."""
    return [(found["table"], found["row"]) for found in json.loads(event.rows or "[]")]


def after(conn: Connection, seq: int) -> list[Event]:
    return list_events(conn, after=seq, with_rows=True)


def rename(conn: Connection, code: str, name: str = "new") -> None:
    conn.execute("UPDATE squad SET name_en = %s WHERE code = %s", (name, code))


def test_a_row_goes_with_the_event_about_it_and_the_rest_with_the_first(db: Connection) -> None:
    for code in ("SQ-01", "SQ-02", "SQ-03"):
        rename(db, code)
    appended = append_events(db, [about("x:1"), about("squad:SQ-02"), about("squad:SQ-02")])
    told = [[row["code"] for _, row in rows_of(event)] for event in appended]
    assert told == [["SQ-01", "SQ-03"], ["SQ-02"], []]
    assert appended[2].rows is None
    assert after(db, appended[0].seq - 1) == appended


def test_of_a_row_that_changes_twice_the_end_is_told_in_the_place_of_its_beginning(
    db: Connection,
) -> None:
    rename(db, "SQ-01", "first")
    rename(db, "SQ-02")
    rename(db, "SQ-01", "last")
    (event,) = append_events(db, [about("x:1")])
    assert [row["name_en"] for _, row in rows_of(event)] == ["last", "new"]


def test_what_changes_nothing_is_no_change(db: Connection) -> None:
    db.execute("UPDATE squad SET name_en = name_en")
    (event,) = append_events(db, [about("x:1")])
    assert event.rows is None


def test_a_deletion_and_a_new_key_say_what_is_gone(db: Connection) -> None:
    db.execute("UPDATE setting SET key = 'other' WHERE false")
    db.execute(
        "INSERT INTO setting (district, key, value, updated_at) VALUES ('', 'a', '1', now())"
    )
    append_events(db, [about("x:1")])
    db.execute("UPDATE setting SET key = 'b' WHERE key = 'a'")
    (moved,) = append_events(db, [about("x:1")])
    db.execute("DELETE FROM setting WHERE key = 'b'")
    (gone,) = append_events(db, [about("x:1")])
    keys = [(found["key"]["key"], found["row"] is None) for found in json.loads(moved.rows or "")]
    assert keys == [("a", True), ("b", False)]
    assert rows_of(gone) == [("setting", None)]


def test_what_was_changed_by_hand_comes_first_as_an_event_of_its_own(
    db: Connection, database_url: str
) -> None:
    seq = last_seq(db)
    with connect(database_url) as other:
        rename(other, "SQ-01", "by hand")
    rename(db, "SQ-01", "after that")
    append_events(db, [about("squad:SQ-01")])
    by_hand, told = after(db, seq)
    assert (by_hand.kind, by_hand.actor, by_hand.district) == ("row.changed", "system", DISTRICT)
    assert by_hand.payload == {"rows": {"squad": 1}}
    assert rows_of(by_hand)[0][1]["name_en"] == "by hand"
    assert rows_of(told)[0][1]["name_en"] == "after that"


def test_what_nobody_tells_of_the_scheduler_puts_into_the_log(db: Connection) -> None:
    seq = last_seq(db)
    assert append_waiting(db, NOW) == 0
    rename(db, "SQ-01")
    db.execute("UPDATE incident_category SET name_en = 'x' WHERE code = '05-02'")
    assert append_waiting(db, NOW) == 2
    assert [(event.district, event.at) for event in after(db, seq)] == [(DISTRICT, NOW), ("", NOW)]
    assert append_waiting(db, NOW) == 0


def test_what_is_undone_was_never_told(db: Connection) -> None:
    seq = last_seq(db)
    rename(db, "SQ-01")
    db.rollback()
    append_events(db, [about("x:1")])
    assert [event.rows for event in after(db, seq)] == [None]


def test_many_rows_are_several_events(db: Connection) -> None:
    seq = last_seq(db)
    db.execute("UPDATE device SET name = name || '.'")
    row = db.execute("SELECT count(*) FROM device").fetchone()
    assert row is not None
    (told,) = append_events(db, [about("x:1", "device.imported")])
    events = after(db, seq)
    sizes = [len(rows_of(event)) for event in events]
    assert max(sizes) == ROWS_MAX
    assert sum(sizes) == row[0]
    assert events[-1] == told


def test_secrets_stay_in_their_tables(db: Connection) -> None:
    seq = last_seq(db)
    users.add_user(db, "nora", "a long enough password", Role.VIEWER, DISTRICT, NOW)
    users.create_token(db, "robot", Role.VIEWER, DISTRICT, NOW)
    append_waiting(db, NOW)
    (event,) = after(db, seq)
    found = dict(rows_of(event))
    assert (found["app_user"]["name"], found["api_token"]["name"]) == ("nora", "robot")
    assert "password_hash" not in found["app_user"]
    assert "token_sha256" not in found["api_token"]
    whole = "".join(event.rows or "" for event in after(db, 0))
    assert "argon2" not in whole
    assert "token_sha256" not in whole


def test_where_a_squad_is_and_what_the_ticker_notes_are_not_in_the_log(db: Connection) -> None:
    db.execute("INSERT INTO squad_position SELECT code, now(), 110.1, 20.1 FROM squad")
    db.execute("UPDATE setting SET updated_at = now() WHERE key = 'alerts.ticker'")
    db.execute("UPDATE device_link SET reported_at = now()")
    assert append_waiting(db, NOW) == 0


@pytest.mark.parametrize(
    "damage",
    [
        "SET rows = jsonb_set(rows, '{0,row,name_en}', '\"other\"')",
        "SET rows = NULL",
        "SET rows = rows - 0",
    ],
)
def test_a_row_that_was_changed_in_the_log_is_found(db: Connection, damage: str) -> None:
    rename(db, "SQ-01")
    (event,) = append_events(db, [about("x:1")])
    append_events(db, [about("x:2")])
    assert verify_chain(db).broken_at is None
    db.execute("ALTER TABLE event DISABLE TRIGGER event_append_only")
    db.execute(f"UPDATE event {damage} WHERE seq = %s", (event.seq,))
    assert verify_chain(db).broken_at == event.seq


def test_rows_that_were_put_into_an_event_without_any_are_found(db: Connection) -> None:
    (event,) = append_events(db, [about("x:1")])
    db.execute("ALTER TABLE event DISABLE TRIGGER event_append_only")
    db.execute("UPDATE event SET rows = '[]' WHERE seq = %s", (event.seq,))
    assert verify_chain(db).broken_at == event.seq


@pytest.mark.parametrize("number", ["1e16", "1.50", "1E-7", "0.1234567890123456789", "1e400", "-0"])
def test_the_chain_holds_for_every_number_that_a_row_may_have(db: Connection, number: str) -> None:
    db.execute(
        "UPDATE device SET attributes = %s::jsonb WHERE code = 'GAS-000001'",
        (f'{{"b": {number}, "a": [{number}, "ж\\u0001", null]}}',),
    )
    (event,) = append_events(db, [about("x:1")])
    assert event.rows is not None
    assert verify_chain(db).broken_at is None


def test_an_existing_installation_starts_with_what_it_has(database_url: str) -> None:
    with connect(database_url) as conn:
        expected = fold_all(Picture(DISTRICT), list_events(conn, limit=1_000_000, with_rows=True))
        before = last_seq(conn)
    roll_back(database_url, "0021", "0020", "0019")
    migrate(database_url)
    with connect(database_url) as conn:
        events = after(conn, before)
        assert {event.kind for event in events} == {"log.began"}
        found = read_picture(conn, DISTRICT)
        began = fold_all(Picture(DISTRICT), events)
        assert began.cases == found.cases == expected.cases
        assert began.devices == expected.devices
        # These came later than the log, and their rows with them.
        later = {"feed", "district", "duty_grid", "area", "video_limit", "run_card"}
        assert began.tables == {name: t for name, t in expected.tables.items() if name not in later}


def roll_back(database_url: str, *numbers: str) -> None:
    """Undo migrations as yoyo would, and let it forget them."""
    with psycopg.connect(database_url) as conn:
        for number in numbers:
            (path,) = MIGRATIONS.glob(f"{number}_*.rollback.sql")
            conn.execute(path.read_bytes())
            name = path.name.removesuffix(".rollback.sql")
            conn.execute("DELETE FROM _yoyo_migration WHERE migration_id = %s", (name,))


def test_a_checkpoint_and_the_events_after_it_are_the_whole_log(db: Connection) -> None:
    keep_pictures(db, NOW)
    made = db.execute("SELECT seq, body FROM picture_checkpoint").fetchall()
    assert [seq for seq, _ in made] == [last_seq(db)]
    rename(db, "SQ-01")
    append_events(db, [about("squad:SQ-01")])
    whole = fold_all(Picture(DISTRICT), list_events(db, limit=1_000_000, with_rows=True))
    assert read_picture(db, DISTRICT) == whole
    assert read_picture(db, DISTRICT, made[0][0]) == decode(made[0][1])
    assert whole.table("squad")["SQ-01"]["name_en"] == "new"
    keep_pictures(db, NOW + timedelta(minutes=1))
    keep_pictures(db, NOW + timedelta(hours=7))
    assert db.execute("SELECT count(*), max(format) FROM picture_checkpoint").fetchone() == (
        2, FORMAT,
    )  # fmt: skip
