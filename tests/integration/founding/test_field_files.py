"""Feeds, models and pipes of a folder are put in force, shown, written out, and taken out again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from app.city_commands import put_rules, shipped
from db import device_models, feeds, pipes
from db.pool import Connection
from db.users import draw_password
from founding import settings
from founding.settings import Edit
from ingest.feeds_reader import read_feeds
from tests.integration.app.conftest import Command
from tests.unit.founding.test_field_files import CODEC, MODEL, NORTH, section
from tests.unit.founding.test_field_files import pipes as pipes_file

DISTRICT = "991201"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_a_folder_puts_feeds_models_and_pipes_in_force_and_export_says_the_same(
    gridwarden: Command, folder: Path, bare: Connection, tmp_path: Path
) -> None:
    (folder / "models").mkdir()
    (folder / "feeds.toml").write_bytes(NORTH)
    (folder / "models/acme.toml").write_bytes(MODEL)
    (folder / "models/acme.js").write_bytes(CODEC)
    (folder / "pipes.geojson").write_bytes(pipes_file(section(), section(code="P-2", year=1999)))
    before = feeds.find_revision(bare)
    applied = gridwarden("city", "apply", str(folder))
    assert applied.exit_code == 0, applied.output
    for line in (
        "feed north added",
        "feed shelly changed (enabled)",
        "model acme added",
        "pipe: 2 added",
    ):
        assert line in applied.output
    assert feeds.find_revision(bare) > before
    wanted = read_feeds(bare).subscription()
    assert "zigbee2mqtt_north/#" in wanted.others
    assert "shellies/#" not in wanted.others
    assert device_models.list_texts(bare) == {"acme": (MODEL.decode(), CODEC.decode())}
    assert [row.code for row in pipes.list_pipes(bare, DISTRICT)] == ["P-1", "P-2"]
    told = bare.execute(
        "SELECT DISTINCT kind FROM event WHERE split_part(kind, '.', 1) IN"
        " ('feed', 'model', 'pipe') AND actor = 'cli' ORDER BY kind"
    ).fetchall()
    assert told == [("feed.added",), ("feed.changed",), ("model.added",), ("pipe.changed",)]

    out = tmp_path / "out"
    assert gridwarden("city", "export", str(out)).exit_code == 0
    for written in (folder, out):
        planned = gridwarden("city", "plan", str(written), "--json")
        assert json.loads(planned.output) == {"changes": []}, planned.output

    change_in_settings(bare)

    (folder / "feeds.toml").write_text("")
    (folder / "pipes.geojson").write_bytes(pipes_file(section()))
    applied = gridwarden("city", "apply", str(folder))
    assert "feed north retired" in applied.output
    assert "pipe: 1 retired" in applied.output
    assert "feed shelly changed (enabled)" in applied.output
    assert "model" not in applied.output


def change_in_settings(conn: Connection) -> None:
    """The same feeds as a part of the settings."""
    sheet = settings.show(conn, DISTRICT, "feeds")
    assert sheet.rows[0].values["name"] == "north"
    seen = (sheet.digest, sheet.seq)
    clash = {"name": "east", "format": "shelly", "topic": "zigbee2mqtt_north/x"}
    planned = settings.plan(conn, DISTRICT, "zhao", "feeds", Edit(put=clash), shipped(), seen)
    assert "east" in planned.faults[0].problem
    assert "north" in planned.faults[0].problem
    east = {"name": "east", "format": "ttn", "topic": "east"}
    planned = settings.plan(conn, DISTRICT, "zhao", "feeds", Edit(put=east), shipped(), seen)
    assert [(c.what, c.code, c.how) for c in planned.changes] == [("feed", "east", "added")]
    with conn.transaction():
        settings.apply(
            conn,
            DISTRICT,
            "zhao",
            "feeds",
            planned.content.encode(),
            seen,
            "a new gateway",
            NOW,
            shipped=shipped(),
            put_rules=put_rules,
            new_password=draw_password,
        )
    assert "east/v3/+/devices/+/up" in read_feeds(conn).subscription().others
    bind_and_move(conn)
    (item, *_) = settings.history(conn, DISTRICT, "feeds", "east")
    assert (item.actor, item.why) == ("zhao", "a new gateway")
    assert settings.write_file(conn, DISTRICT, "feeds", "xlsx")[:2] == b"PK"


def bind_and_move(conn: Connection) -> None:
    """A device that is known by its name alone goes with the topics of its feed."""
    row = conn.execute(
        """
        INSERT INTO device (code, district, kind, format, external_id, name, lon, lat, created_at)
        VALUES ('L-1', %s, 'light', 'zigbee2mqtt', 'lamp1', 'L-1', 112.51, 30.2, now())
        RETURNING id
        """,
        (DISTRICT,),
    ).fetchone()
    assert row is not None
    feeds.bind_devices(conn, {row[0]: "zigbee2mqtt_north"})
    sheet = settings.show(conn, DISTRICT, "feeds")
    seen = (sheet.digest, sheet.seq)
    north = next(r.values for r in sheet.rows if r.values["name"] == "north")
    moved = Edit(put={**north, "topic": "hill/north"}, key="north")
    planned = settings.plan(conn, DISTRICT, "zhao", "feeds", moved, shipped(), seen)
    with conn.transaction():
        settings.apply(
            conn,
            DISTRICT,
            "zhao",
            "feeds",
            planned.content.encode(),
            seen,
            "moved",
            NOW,
            shipped=shipped(),
            put_rules=put_rules,
            new_password=draw_password,
        )
    assert feeds.list_bindings(conn) == {row[0]: "hill/north"}
