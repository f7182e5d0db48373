"""A city of one's own, from an empty installation to a case with a clock of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from bench.installation import mosquitto_pub, wait_for
from tests.acceptance.test_up import address, up

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "fixtures" / "cities" / "xingzhou"


def gridwarden(data_dir: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        cwd=ROOT,
        env={**os.environ, "GRIDWARDEN_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_empty_installation_becomes_a_city_while_it_runs(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with up(data_dir) as process:
        http = address(data_dir, process)
        gridwarden(data_dir, "city", "apply", str(SAMPLE))
        token = gridwarden(data_dir, "token", "create", "--name", "t", "--role", "dispatcher")
        file = tmp_path / "devices.csv"
        file.write_text("code,kind,name,lon,lat,gas\nGAS-1,gas,Gas 1,112.5142,30.2041,methane\n")
        gridwarden(data_dir, "device", "import", str(file))
        headers = {"Authorization": f"Bearer {token.strip()}"}
        with httpx.Client(base_url=f"{http}/api/v1", headers=headers, timeout=10) as api:
            squads = api.get("/squads").json()["items"]
            assert {squad["code"] for squad in squads} == {"XZ-01", "XZ-02", "XZ-GAS"}
            device = api.get("/devices/GAS-1").json()
            assert device["unit_grid"].startswith("991201001001")
            port = json.loads((data_dir / "endpoints.json").read_text())["mqtt"].rpartition(":")[2]
            # Above the limit of this city, below that of the shipped rule.
            body = json.dumps({"readings": {"ch4_pct_lel": 16.0}})

            def opened() -> list[dict[str, object]]:
                publish(port, "city/v1/991201/gas/GAS-1/telemetry", body)
                return list(api.get("/incidents").json()["items"])

            (incident,) = wait_for(opened, 30, 0.5)
            assert incident["category"] == "05-02"
            clocks = api.get(f"/incidents/{incident['id']}").json()
            assert "XZ-GAS" in api.get(f"/incidents/{incident['id']}/recommendations").text
            assert clocks["unit_grid"] == device["unit_grid"]


def publish(port: str, topic: str, body: str) -> None:
    subprocess.run(
        [mosquitto_pub(), "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", topic, "-m", body],
        check=True,
        timeout=10,
    )
