"""The demonstration's district: a city folder like any other, put in force as one, and marked."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import cities
from app.city_commands import read_files, shipped
from app.settings import DEMO_DISTRICT
from db import registers, seeds, squads
from db.events import append_waiting
from db.pool import Connection
from db.users import draw_password
from founding.check import judge_folder
from founding.parts import City
from founding.steps import apply_city

FOLDER = Path(cities.__file__).parent / DEMO_DISTRICT
ACTOR = "seed"
TOLD = {"from": "demonstration"}


def read_demo_city() -> City:
    """What its folder says."""
    city, faults = judge_folder(read_files(FOLDER), shipped())
    if city is None:
        raise AssertionError("\n".join(map(str, faults)))
    return city


def found_demo(conn: Connection, now: datetime, today: datetime) -> None:
    """The district with its devices, where there is none yet. `now` is when it begins, `today`
    what time it is. The caller commits."""
    city = read_demo_city()
    apply_city(
        conn, city, ACTOR, now, told=TOLD, new_password=draw_password,
        put_rules=lambda _conn, _actor, _texts, _now: (),  # it has none of its own
    )  # fmt: skip
    squads.mark_demo(conn, sorted(city.squads))
    day = today.astimezone(ZoneInfo(city.district.timezone)).date()
    for code, part in city.registers.items():
        days = part.register.every_days
        registers.mark_demo(conn, DEMO_DISTRICT, code, day, days)
    append_waiting(conn, now)
    seeds.seed_demo(conn, now)
