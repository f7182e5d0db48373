"""How long a city of two million people takes to be put in force, and how long a second time.

Six districts of 10 km: 3,000 communities, 60,000 cells, 400 squads, 3,000 people and 50,000
devices, by the commands that a city would use, the start of each process with it.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stack
from app.up import prepare_database
from bench.installation import READY_TIMEOUT_S, read_endpoints, wait_for
from db.pool import connect

DISTRICTS, STREETS, COMMUNITIES = 6, 25, 20
SQUADS, PEOPLE, DEVICES = 400, 3_000, 50_000
SIDE_DEG = 0.0895  # cells of 0.000895° are 100 m
WEST, SOUTH = 112.0, 30.0
KINDS = ("gas", "light", "manhole", "light")
Row = Sequence[str | float]


@dataclass(frozen=True)
class Sample:
    """One district of the six."""

    code: str
    west: float

    def write(self, folder: Path, number: int) -> None:
        folder.mkdir(parents=True)
        box = [
            [self.west, SOUTH], [self.west + SIDE_DEG, SOUTH],
            [self.west + SIDE_DEG, SOUTH + SIDE_DEG], [self.west, SOUTH + SIDE_DEG],
            [self.west, SOUTH],
        ]  # fmt: skip
        (folder / "boundary.geojson").write_text(
            json.dumps({"type": "Polygon", "coordinates": [box]})
        )
        (folder / "city.toml").write_text(
            f'code = "{self.code}"\nname_zh = "第{number}区"\nname_en = "District {number}"\n'
        )
        step = SIDE_DEG / 100
        (folder / "grid.toml").write_text(
            f"west = {self.west}\nsouth = {SOUTH}\ncell_lon = {step}\ncell_lat = {step}\n"
        )
        _write(folder / "divisions.csv", "code,name,level,parent,lon,lat", self._divisions())
        _write(folder / "squads.csv", "code,name_zh,name_en,kind,skills,grids", self._squads())
        _write(folder / "people.csv", "name,role,squad", self._people(number))

    def streets(self) -> list[str]:
        return [f"{self.code}{n:03d}" for n in range(1, STREETS + 1)]

    def _divisions(self) -> Iterator[Row]:
        yield self.code, "区", "district", f"{self.code[:4]}00", "", ""
        for n, street in enumerate(self.streets()):
            yield street, f"{n + 1}街道", "street", self.code, "", ""
            for c in range(COMMUNITIES):
                lon = self.west + (c + 0.5) * SIDE_DEG / COMMUNITIES
                lat = SOUTH + (n + 0.5) * SIDE_DEG / STREETS
                yield f"{street}{c + 1:03d}", f"{c + 1}社区", "community", street, lon, lat

    def _squad_codes(self) -> list[str]:
        return [f"{self.code}-{n:02d}" for n in range(1, SQUADS // DISTRICTS + 1)]

    def _squads(self) -> Iterator[Row]:
        streets = self.streets()
        for n, code in enumerate(self._squad_codes()):
            skills = "gas;manhole" if n % 10 == 0 else "street;parking;waste"
            yield code, f"{n}队", f"Squad {n}", "territorial", skills, streets[n % STREETS]

    def _people(self, number: int) -> Iterator[Row]:
        yield f"admin{number}", "admin", ""
        squads = self._squad_codes()
        for n in range(PEOPLE // DISTRICTS - 1):
            role = ("squad_leader", "dispatcher", "checker")[n % 3]
            yield f"p{number}-{n}", role, squads[n % len(squads)] if role == "squad_leader" else ""


def _write(path: Path, header: str, rows: Iterator[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header.split(","))
        writer.writerows(rows)


def run(districts: int = DISTRICTS) -> dict[str, Any]:
    """Folders made, applied, applied again, exported, planned from the export; devices imported."""
    with tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder:
        home = Path(folder)
        figures = _commands(home, districts)
        up = {
            "up_empty_s": _up(home / "empty"),  # a first start: the database is made
            "up_empty_again_s": _up(home / "empty"),
            "up_city_s": _up(home / "data"),
            "up_city_again_s": _up(home / "data"),
        }
    return figures | up


def _up(data_dir: Path) -> float:
    """From the command to the address, with every process ready."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "up.log").open("w") as log:
        began = time.monotonic()
        started = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up", "--no-demo", "--data-dir", str(data_dir)],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_for(
                lambda: read_endpoints(started, data_dir, str(data_dir / "up.log")),
                READY_TIMEOUT_S,
            )
            return time.monotonic() - began
        finally:
            started.send_signal(signal.SIGINT)
            started.wait(READY_TIMEOUT_S)


def _commands(home: Path, districts: int) -> dict[str, Any]:
    with stack.running(home / "data") as servers:
        prepare_database(servers.postgres, demo=False)
        samples = [
            Sample(f"9913{n:02d}", round(WEST + n * SIDE_DEG, 6)) for n in range(1, districts + 1)
        ]
        for number, sample in enumerate(samples, start=1):
            sample.write(home / sample.code, number)
        _write(home / "devices.csv", "code,kind,name,lon,lat,district", _devices(samples))
        folders = [str(home / sample.code) for sample in samples]
        environ = {
            **os.environ,
            "GRIDWARDEN_DATABASE_URL": servers.postgres,
            "GRIDWARDEN_MQTT_URL": servers.mqtt,
            "GRIDWARDEN_REDIS_URL": servers.redis,
            "GRIDWARDEN_SECRET_KEY": "only for this measurement",
        }

        def seconds(*words: str) -> float:
            began = time.monotonic()
            subprocess.run(
                [sys.executable, "-m", "app.cli", *words],
                env=environ, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            return time.monotonic() - began

        figures = {
            "check_s": seconds("city", "check", *folders),
            "apply_s": seconds("city", "apply", *folders),
            "devices_s": seconds("device", "import", str(home / "devices.csv")),
            "second_apply_s": seconds("city", "apply", *folders),
            "plan_s": seconds("city", "plan", *folders),
        }
        with connect(servers.postgres) as conn:
            for table in ("division", "unit_grid", "squad", "app_user", "device"):
                found = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
                figures[table] = found[0] if found else 0
        return figures


def _devices(samples: Sequence[Sample]) -> Iterator[Row]:
    """Along the middle of every cell in turn."""
    side = 100
    for n in range(DEVICES):
        sample = samples[n % len(samples)]
        cell = n // len(samples)
        lon = sample.west + (cell % side + 0.5) * SIDE_DEG / side
        lat = SOUTH + (cell // side % side + 0.5) * SIDE_DEG / side
        kind = KINDS[n % len(KINDS)]
        yield f"{kind[:3].upper()}-{n:06d}", kind, f"{n}", round(lon, 6), round(lat, 6), sample.code
