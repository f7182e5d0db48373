"""The first run: a code for whoever started the installation, and the city that it may found."""

from __future__ import annotations

import secrets
from datetime import datetime

from app.city_commands import put_rules, shipped
from city.errors import Conflict, Forbidden
from city.event import NewEvent
from city.first_run import FirstRun, Outlook
from city.person import ADMINISTRATORS, Caller
from db import districts, setup_codes, users
from db.events import append_events
from db.first_steps import DISMISSED
from db.pool import Connection
from founding import steps as founding
from founding.compare import as_changes
from founding.first_run import judge_answers
from founding.settings import as_fault

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


def invitation(
    conn: Connection, address: str, actor: str, now: datetime, *, keep_code: bool
) -> str:
    """Where the city is founded, with a fresh code; empty where somebody can sign in already.
    `keep_code`: a code that there is stays good, for whoever is about to use it."""
    if not is_open(conn):
        return ""
    if keep_code and setup_codes.has_code(conn):
        return (
            f"Nobody can sign in yet. Found the city at {address}/setup with the code that was "
            "printed before; `gridwarden setup-code` prints a fresh one"
        )
    code = new_code(conn, actor, now)
    return f"Nobody can sign in yet. Found the city at {address}/setup?code={code}"


def is_open(conn: Connection) -> bool:
    """Only while there is no person in the installation."""
    return not setup_codes.has_people(conn)


def fits(conn: Connection, code: str) -> bool:
    """Whether this code opens the set-up now; it is held until the commit."""
    return setup_codes.lock_code(conn, code) and is_open(conn)


def look(conn: Connection, answers: FirstRun) -> Outlook:
    """What is wrong with the answers, else what would be made of them; writes nothing."""
    city, faults = judge_answers(answers, shipped())
    if city is None:
        return Outlook([as_fault(fault) for fault in faults], ())
    plan = founding.plan_city(conn, city)
    if plan.obstacles:
        return Outlook([as_fault(fault) for fault in plan.obstacles], ())
    return Outlook((), as_changes(plan.changes))


def found(conn: Connection, code: str, answers: FirstRun, password: str, now: datetime) -> None:
    """Found the city and its first administrator; the code is used up. The caller commits."""
    if not fits(conn, code):
        raise Forbidden("the set-up code is not right, or set-up is closed")
    city, faults = judge_answers(answers, shipped())
    if city is None:
        lines = "\n".join(map(str, faults))
        raise Conflict(f"nothing was changed:\n{lines}", current={})
    setup_codes.delete_code(conn)
    chosen = users.Password(password, users.hash_password(password))
    founding.apply_city(
        conn, city, ACTOR, now, put_rules=put_rules, new_password=lambda: chosen
    )  # fmt: skip


def dismiss_tour(conn: Connection, caller: Caller, now: datetime) -> None:
    """Nobody of the district is reminded of what a new city still needs any more."""
    if caller.role not in ADMINISTRATORS:
        raise Forbidden(f"{caller.role.value} may not do this; it takes one of: admin")
    districts.save_setting(conn, caller.district, DISMISSED, caller.name, now)
    event = NewEvent(
        now, caller.district, "setup.tour_dismissed", f"setting:{DISMISSED}", caller.name, {}
    )
    append_events(conn, [event])
