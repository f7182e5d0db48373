"""The first run: a code for whoever started the installation, and the city that it may found."""

from __future__ import annotations

import secrets
from datetime import datetime

from app.city_commands import put_rules, shipped
from city.errors import Conflict, Forbidden
from city.event import NewEvent
from city.first_run import FileFault, FirstRun, Outlook
from db import setup_codes, users
from db.events import append_events
from db.pool import Connection
from founding import steps as founding
from founding.check import judge_folder
from founding.compare import as_lines
from founding.first_run import make_folder
from founding.parts import City

ACTOR = "setup"
CODE_BYTES = 18


def new_code(conn: Connection, actor: str, now: datetime) -> str:
    """A fresh code, which makes the one before worthless; its text is known only now."""
    if not is_open(conn):
        raise Conflict("somebody can sign in already: set-up is closed", current={})
    code = secrets.token_urlsafe(CODE_BYTES)
    setup_codes.put_code(conn, code, now)
    append_events(conn, [NewEvent(now, "", "setup.code_made", "setup:code", actor, {})])
    return code


def is_open(conn: Connection) -> bool:
    """Only while there is no person in the installation."""
    return not setup_codes.has_people(conn)


def fits(conn: Connection, code: str) -> bool:
    """Whether this code opens the set-up now; it is held until the commit."""
    return setup_codes.lock_code(conn, code) and is_open(conn)


def look(conn: Connection, answers: FirstRun) -> Outlook:
    """What is wrong with the answers, else what would be made of them; writes nothing."""
    city, faults = _judge(answers)
    if city is not None:
        plan = founding.plan_city(conn, city)
        if not plan.obstacles:
            return Outlook((), as_lines(plan.changes))
        faults = tuple(FileFault(fault.file, str(fault)) for fault in plan.obstacles)
    return Outlook(faults, ())


def found(conn: Connection, code: str, answers: FirstRun, password: str, now: datetime) -> None:
    """Found the city and its first administrator; the code is used up. The caller commits."""
    if not fits(conn, code):
        raise Forbidden("the set-up code is not right, or set-up is closed")
    city, faults = _judge(answers)
    if city is None:
        lines = "\n".join(fault.text for fault in faults)
        raise Conflict(f"nothing was changed:\n{lines}", current={})
    setup_codes.delete_code(conn)
    chosen = users.Password(password, users.hash_password(password))
    founding.apply_city(
        conn, city, ACTOR, now, put_rules=put_rules, new_password=lambda: chosen
    )  # fmt: skip


def _judge(answers: FirstRun) -> tuple[City | None, tuple[FileFault, ...]]:
    city, faults = judge_folder(make_folder(answers), shipped())
    return city, tuple(FileFault(fault.file, str(fault)) for fault in faults)
