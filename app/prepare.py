"""What `gridwarden up` puts into a database: reference rows, default rules, the demonstration. What
only a new one needs is loaded for a new one alone: the rest is at every start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from alerts import steps as alert_steps
from app.demo_people import demo_logins
from app.demo_plan import plan_past, planned_start, was_removed
from app.settings import DEMO_DISTRICT
from db import districts, feeds, seeds, setup_codes
from db.migrate import migrate
from db.pool import connect
from wire.feeds import shipped_feeds


def prepare_database(url: str, *, demo: bool | None, demo_days: int = 0) -> bool:
    """Schema, reference rows, default rules and, for a demo, the district, which in an empty
    database is as old as the past that it is to get. Safe to repeat. Answers whether there is a
    demo; None: unless it was removed."""
    migrate(url)
    today = now = datetime.now(UTC)
    with connect(url, application="gridwarden seed") as conn:
        demo = not was_removed(conn) if demo is None else demo
        if demo:
            now = plan_past(conn, demo_days, now)
        seeds.seed_reference(conn, now)
        feeds.seed_feeds(conn, shipped_feeds())
        if demo:
            if districts.find_district(conn, DEMO_DISTRICT) is None:
                import_module("app.demo_city").found_demo(conn, now, today)
            else:
                seeds.seed_demo(conn, now)
        alert_steps.apply_rules(conn, "system", alert_steps.default_rules(), now)
        conn.commit()
    return demo


def make_demo(url: str, data_dir: Path, say: Callable[[str], None]) -> Mapping[str, str]:
    """People of the demonstration with their passwords, and its past where it has none yet."""
    logins = demo_logins(url, data_dir)
    with connect(url, application="gridwarden demo") as conn:
        is_planned = planned_start(conn) is not None
    if is_planned:
        import_module("app.demo_past").play_past(url, datetime.now(UTC), say)
    return logins


def invite(url: str, address: str) -> str:
    """Where nobody can sign in yet: the address that founds the city, with a code for one use."""
    with connect(url, application="gridwarden up") as conn:
        if setup_codes.has_people(conn):
            return ""
        first_run = import_module("app.first_run")
        text = first_run.invitation(conn, address, "up", datetime.now(UTC), keep_code=False)
        conn.commit()
    return str(text)
