"""How far back the demonstration reaches: decided before anything of it is written."""

from __future__ import annotations

from datetime import datetime, timedelta

from city.incident import Role
from db import districts
from db.events import last_seq
from db.pool import Connection

# Passwords of its people, in the data folder.
LOGINS_FILE = "demo-logins.json"
DEMO_USERS: tuple[tuple[str, Role], ...] = (
    ("admin", Role.ADMIN),
    ("dispatcher", Role.DISPATCHER),
    ("squad", Role.SQUAD_LEADER),
    ("checker", Role.CHECKER),
    ("engineer", Role.GAS_ENGINEER),
    ("leader", Role.LEADER),
    ("viewer", Role.VIEWER),
)

# What is planned and, once it is there, what was written of it.
SETTING = "demo.past"
REMOVED = "removed"


def plan_past(conn: Connection, days: int, now: datetime) -> datetime:
    """When the demonstration begins: `days` ago in an installation in which nothing has happened
    yet, else now. The caller seeds it as of then, and commits."""
    if was_removed(conn):
        districts.save_setting(conn, "", SETTING, {}, now)
    if days == 0 or last_seq(conn) > 0:
        return now
    start = now - timedelta(days=days)
    districts.save_setting(conn, "", SETTING, {"from": start.isoformat()}, start)
    return start


def planned_start(conn: Connection) -> datetime | None:
    """When a past begins that is planned and not yet written."""
    plan = districts.find_settings(conn, "", [SETTING]).get(SETTING, {})
    return None if "from" not in plan or "to" in plan else datetime.fromisoformat(plan["from"])


def forget_past(conn: Connection, now: datetime) -> None:
    """The demonstration is removed, and comes back only if somebody asks for it."""
    districts.save_setting(conn, "", SETTING, {REMOVED: now.isoformat()}, now)


def was_removed(conn: Connection) -> bool:
    """Whether the installation had a demonstration and nobody wants it back."""
    return REMOVED in districts.find_settings(conn, "", [SETTING]).get(SETTING, {})
