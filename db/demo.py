"""What of an installation is a demonstration: how it is marked, what hangs on it, how it goes.

A district is a demonstration if its setting `demo` says so; the setting names the people that
came with it. Devices, squads, alarms and incidents carry a mark of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.sql import SQL, Identifier

from city.hash_chain import GENESIS
from db import tallies
from db.districts import find_settings, save_setting
from db.editions import edition_of
from db.pool import Connection

SETTING = "demo"
# Who writes into the log of a demonstration besides its people.
OWN_ACTORS = ("system", "seed")
# Names of one kind that are listed where they stand in the way.
NAMED_MAX = 5

# Books of what came in, whoever sent it: they go where there is nothing but the demonstration.
BOOKS = (
    "ingest_ledger", "ingest_batch", "ingest_total", "ingest_total_state", "reject",
    "reject_minute", "reject_flood", "sequence_batch", "sequence_gap", "sequence_name",
    "sequence_state", "sequence_total", "message_seen", "mqtt_outbox", "sparkplug_metric",
    "sparkplug_source", "sparkplug_node", "zigbee_device", "zigbee_bridge", "discovered_device",
    "broker_count", "idempotency", "session_end", "rollup_due", "device_latest", "feed_heard",
)  # fmt: skip
# What belongs to a device, besides readings; to a case; to a squad.
OF_DEVICE = (
    "work_permit_note", "work_permit_device", "rule_timer", "device_clock", "device_fault",
    "device_gateway", "device_identity",
    "device_latest", "device_link", "device_return", "lamp_answer",
)  # fmt: skip
OF_CASE = (
    "evidence", "incident_text", "incident_alarm", "incident_merge", "video_case", "deadline",
    "breach_forecast",
    "pause", "assignment", "intake", "field_task", "delivery", "checklist_answer",
    "distress_call", "check_in",
)  # fmt: skip
# What is only ever added to; a demonstration takes its own with it.
NEVER_CHANGED = ("case_fact", "kpi_publication")
# Large, and full of references to each other: emptied in one go where the log is emptied too.
CASES = (
    *OF_CASE, "incident_similar", "register_inspection", "public_report_photo", "public_report",
    "incident", "alarm_change", "alarm_inhibition", "alarm",
)  # fmt: skip
OF_SQUAD = ("squad_position", "squad_shift", "squad_duty_grid", "squad_roster")
# What names its district itself, in the order in which nothing refers to what has gone.
OF_DISTRICT = (
    "lamp_command", "lamp_order", "lamp_assignment", "lamp_step_due", "lamp_programme", "lit_night",
    "register_inspection", "register_draw", "register_entry", "register_definition", "approval",
    "work_permit", "rule_trial", "public_report", "handover", "run_card", "distress_call",
    "check_in",
    "incident", "alarm_inhibition", "alarm", "video_event", "device", "device_model",
    "pipe_section", "area", "video_limit", "message_channel", "escalation_step", "delivery", "feed",
    "score_formula", "report_plan", "handling_time",
    "gateway", "api_token", "app_user", "squad",
    "unit_grid", "duty_grid", "division", "incident_category", "stage_limit",
    "picture_checkpoint", "operator_hour", "setting",
)  # fmt: skip
READINGS = ("reading", "reading_1m", "reading_1h")
# Rows that stay, with what `put_row_aside` needs to tell them again to a log that begins anew.
STAYING = (
    ("incident_category", ("category", "code"), ("code", "version")),
    ("stage_limit", ("stage_limit", "clock"), ("clock", "version")),
    ("work_calendar", ("calendar", "code"), ("code", "version")),
    ("work_calendar_day", ("calendar", "code"), ("code", "version", "day")),
    ("rule", ("rule", "code"), ("code", "version")),
    ("feed", ("feed", "name"), ("name",)),
    ("setting", ("setting", "key"), ("district", "key")),
)
# Of the settings those that are nobody's, which the log is never told of.
NOTED = "('alerts.ticker', 'ledger.kept_since')"


@dataclass(frozen=True, slots=True)
class Hanging:
    """Rows that are not of the demonstration and would be left without a district."""

    what: str
    count: int
    names: Sequence[str]

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.names) else ""
        return f"{self.count} {self.what} ({', '.join(self.names)}{more})"


@dataclass(frozen=True, slots=True)
class CutLog:
    """What the log held before it began anew."""

    events: int
    hash: bytes


def mark(conn: Connection, district: str, people: Sequence[str], now: datetime) -> None:
    """This district is a demonstration, and these people came with it."""
    known = people_of(conn, district)
    save_setting(conn, district, SETTING, {"people": sorted({*known, *people})}, now)


def is_demo(conn: Connection, district: str) -> bool:
    """Whether a district is a demonstration."""
    return SETTING in find_settings(conn, district, [SETTING])


def people_of(conn: Connection, district: str) -> list[str]:
    """Names of the people who came with a demonstration."""
    found = find_settings(conn, district, [SETTING]).get(SETTING, {})
    return list(found.get("people", []))


def list_hanging(conn: Connection, district: str, people: Sequence[str]) -> list[Hanging]:
    """Who and what would be left without a district; people who are shut out are not."""
    queries = {
        "devices": "SELECT code FROM device WHERE district = %(d)s AND NOT demo ORDER BY 1",
        "squads": "SELECT code FROM squad WHERE district = %(d)s AND NOT demo ORDER BY 1",
        "incidents": "SELECT number FROM incident WHERE district = %(d)s AND NOT demo ORDER BY 1",
        "alarms": "SELECT condition FROM alarm WHERE district = %(d)s AND NOT demo ORDER BY 1",
        "people": "SELECT name FROM app_user WHERE district = %(d)s AND disabled_at IS NULL"
        " AND name <> ALL(%(people)s) ORDER BY 1",
        "tokens": "SELECT name FROM api_token WHERE district = %(d)s AND revoked_at IS NULL"
        " ORDER BY 1",
        "register entries": "SELECT code FROM register_entry WHERE district = %(d)s"
        " AND retired_at IS NULL AND NOT demo ORDER BY 1",
        "device models": "SELECT name FROM device_model WHERE district = %(d)s ORDER BY 1",
        "gas pipes": "SELECT code FROM pipe_section WHERE district = %(d)s ORDER BY 1",
        "lighting programmes": "SELECT DISTINCT code FROM lamp_programme WHERE district = %(d)s"
        " AND actor <> ALL(%(people)s) ORDER BY 1",
        "message channels": "SELECT name FROM message_channel WHERE district = %(d)s ORDER BY 1",
        "feeds": "SELECT name FROM feed WHERE district = %(d)s AND retired_at IS NULL ORDER BY 1",
    }
    hanging = []
    for what, query in queries.items():
        rows = conn.execute(SQL(query), {"d": district, "people": list(people)}).fetchall()
        if rows:
            names = [name for (name,) in rows[:NAMED_MAX]]
            hanging.append(Hanging(what, len(rows), names))
    return hanging


def is_alone(conn: Connection, district: str) -> bool:
    """Whether there is no other district: all that ever came in came for this one."""
    row = conn.execute("SELECT NOT EXISTS (SELECT FROM district WHERE code <> %s)", (district,))
    return bool((row.fetchone() or (False,))[0])


def is_only_told_of(conn: Connection, district: str, people: Sequence[str]) -> bool:
    """Whether the log holds nothing but this demonstration: its own people, in its district."""
    row = conn.execute(
        """
        SELECT NOT EXISTS (
            SELECT FROM event
            WHERE district NOT IN ('', %s) OR actor <> ALL(%s))
        """,
        (district, [*OWN_ACTORS, *people]),
    ).fetchone()
    return bool(row and row[0])


def simulators(conn: Connection) -> int:
    """Processes that play the demonstration now."""
    row = conn.execute(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'gridwarden simulate' AND datname = current_database()
        """
    ).fetchone()
    return row[0] if row else 0


def remove(
    conn: Connection, district: str, now: datetime, *, alone: bool, told: bool
) -> dict[str, int]:
    """Delete a demonstration; how many rows of which table. The log stays as it is. `alone`: there
    is nothing else in the installation; `told`: the log is to be told of every row."""
    removed: dict[str, int] = {}
    if alone and not told:
        _empty(conn, removed, CASES)
    _delete(conn, removed, "alarm_change", "alarm_id", "alarm", district)
    _delete(conn, removed, "incident_similar", "similar_to", "incident", district)
    for table in OF_CASE:
        _delete(conn, removed, table, "incident_id", "incident", district)
    for table in OF_DEVICE:
        _delete(conn, removed, table, "device_id", "device", district)
    if alone:
        _empty_books(conn, removed, now)
    else:
        stored = "" if edition_of(conn) == "community" else "_stored"
        for table in ("reading", *(f"{name}_stored" for name in READINGS[1:] if stored)):
            _delete(conn, removed, table, "device_id", "device", district)
    for table in OF_SQUAD:
        _delete(conn, removed, table, "squad", "squad", district, key="code")
    _delete(conn, removed, "duty_grid_division", "duty_grid", "duty_grid", district, key="code")
    _delete(conn, removed, "public_report_photo", "report_id", "public_report", district)
    _delete(conn, removed, "handover_note", "handover_id", "handover", district)
    _delete(conn, removed, "certificate", "person", "app_user", district, key="name")
    for table in OF_DISTRICT:
        query = SQL("DELETE FROM {} WHERE district = %s").format(Identifier(table))
        removed[table] = removed.get(table, 0) + conn.execute(query, (district,)).rowcount
    for table in NEVER_CHANGED:
        name = Identifier(table)
        conn.execute(SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
        query = SQL("DELETE FROM {} WHERE district = %s").format(name)
        removed[table] = conn.execute(query, (district,)).rowcount
        conn.execute(SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(name))
    tallies.forget(conn)
    removed["district"] = conn.execute("DELETE FROM district WHERE code = %s", (district,)).rowcount
    return {table: count for table, count in removed.items() if count > 0}


def _delete(
    conn: Connection,
    removed: dict[str, int],
    table: str,
    column: str,
    owner: str,
    district: str,
    key: str = "id",
) -> None:
    query = SQL("DELETE FROM {} WHERE {} IN (SELECT {} FROM {} WHERE district = %s)").format(
        *map(Identifier, (table, column, key, owner))
    )
    removed[table] = removed.get(table, 0) + conn.execute(query, (district,)).rowcount


def _empty(conn: Connection, removed: dict[str, int], tables: Sequence[str]) -> None:
    for table in tables:
        row = conn.execute(SQL("SELECT count(*) FROM {}").format(Identifier(table))).fetchone()
        removed[table] = removed.get(table, 0) + (row[0] if row else 0)
    conn.execute(SQL("TRUNCATE {}").format(SQL(", ").join(map(Identifier, tables))))


def _empty_books(conn: Connection, removed: dict[str, int], now: datetime) -> None:
    _empty(conn, removed, BOOKS)
    stored = "" if edition_of(conn) == "community" else "_stored"
    ahead = now.replace(year=now.year + 10, day=1)
    for relation in READINGS:
        name = relation if relation == "reading" else relation + stored
        conn.execute("SELECT drop_chunks(%s::regclass, %s::timestamptz)", (name, ahead))


def begin_log_anew(conn: Connection) -> CutLog:
    """Empty the log; what stays in the tables waits to be told again. The caller appends."""
    row = conn.execute("SELECT seq, hash FROM event_head FOR UPDATE").fetchone()
    assert row is not None, "migration 0001 puts the head row there"
    conn.execute("ALTER TABLE event DISABLE TRIGGER event_append_only")
    conn.execute("TRUNCATE event")
    conn.execute("ALTER TABLE event ENABLE TRIGGER event_append_only")
    conn.execute("DELETE FROM event_row_waiting")
    conn.execute("DELETE FROM picture_checkpoint")
    conn.execute("UPDATE event_head SET seq = 0, hash = %s", (GENESIS,))
    conn.execute("UPDATE delivery_cursor SET seq = 0")
    for table, about, keys in STAYING:
        told = SQL(f"WHERE key NOT IN {NOTED}" if table == "setting" else "")
        conn.execute(
            SQL(
                "SELECT count(*) FROM (SELECT put_row_aside(%s, %s, %s, to_jsonb(t), false)"
                " FROM {} t {}) put"
            ).format(Identifier(table), told),
            (table, list(about), list(keys)),
        )
    return CutLog(row[0], bytes(row[1]))
