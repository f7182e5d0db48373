"""The sample district with a list of every register that ships."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from app.city_commands import put_rules, read_files, shipped
from city.incident import Role
from city.person import Caller
from db.pool import Connection, connect
from db.users import draw_password
from founding.check import judge_folder
from founding.steps import apply_city
from tests.conftest import BARE, with_database
from tests.integration.founding.conftest import a_copy
from tests.integration.founding.conftest import files as files
from tests.integration.founding.conftest import folder as folder
from tests.integration.founding.conftest import gridwarden as gridwarden
from tests.unit.founding.conftest import SAMPLE

DISTRICT = "991201"
PATROL = Caller("wang", Role.CHECKER, DISTRICT)
WHERE = "112.5142,30.2041"
AREA = '"POLYGON ((112.514 30.204, 112.515 30.204, 112.515 30.205, 112.514 30.204))"'
ROUTE = '"LINESTRING (112.502 30.204, 112.518 30.204)"'
LISTS = {
    "gas_enterprises": f"code,name,licence,credit,lon,lat\nE-1,星洲燃气,91991201E1,B,{WHERE}\n",
    "gas_users": "code,address,kind,enterprise,person,phone,identity,lon,lat\n"
    f"U-1,东一路 1 号,restaurant,E-1,王小明,13800138000,91991201s1,{WHERE}\n"
    f"U-2,东一路 2 号,household,E-1,李四,13900139000,,{WHERE}\n",
    "shopfronts": "code,name,licence,owner,credit,next_inspection,lon,lat\n"
    f"S-1,王记面馆,91991201S1,王小明,C,2026-11-01,{WHERE}\n"
    f"S-2,李记药房,91991201S2,李四,A,2027-03-01,{WHERE}\n"
    f"S-3,东一便利店,91991201-S1,王小明,B,,{WHERE}\n",
    "construction_sites": f"code,name,licence,geometry\nB-1,东洲中学,91991201B1,{AREA}\n",
    "muck_trucks": f"code,plate,site,hours,geometry\nT-1,琼A10001,B-1,22:00-05:00,{ROUTE}\n"
    "T-2,琼A10002,B-1,,\n",
    "facilities": f"code,name,kind,lon,lat\nH-1,东一路消火栓,hydrant,{WHERE}\n",
    "bicycle_parking": f"code,name,geometry\nP-1,东一路停放区,{AREA}\n",
    "waste_points": f"code,name,keeper,lon,lat\nW-1,东一社区投放点,李四,{WHERE}\n",
}


@pytest.fixture
def lists(folder: Path) -> Path:
    """The sample with its lists, to be changed at will."""
    (folder / "registers").mkdir()
    for code, text in LISTS.items():
        (folder / "registers" / f"{code}.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def town_template(bare_template: str) -> str:
    """Name of a database in which the sample with its lists is in force; nobody connects to it."""
    name = "gw_town_template"
    files = read_files(SAMPLE)
    files |= {f"registers/{code}.csv": text.encode() for code, text in LISTS.items()}
    city, faults = judge_folder(files, shipped())
    assert faults == []
    assert city is not None
    with psycopg.connect(bare_template, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {BARE} STRATEGY wal_log")
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    with connect(with_database(bare_template, name)) as conn:
        apply_city(
            conn, city, "cli", datetime.now(UTC), put_rules=put_rules, new_password=draw_password
        )
    with psycopg.connect(bare_template, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        conn.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = %s AND usesysid IS NOT NULL
            """,
            (name,),
        )
    return name


@pytest.fixture
def new_installation(bare_template: str, town_template: str) -> Iterator[str]:
    """Address of a town of its own."""
    with a_copy(bare_template, town_template) as url:
        yield url


@pytest.fixture
def town(new_installation: str) -> Iterator[Connection]:
    """A connection to it; what it changes is not committed by itself."""
    with connect(new_installation) as conn:
        yield conn
