"""Gateways, and what a silent one explains, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from psycopg.types.json import Jsonb

from city.incident import Role

NOW = datetime.now(UTC).replace(microsecond=0)
CONDITION = "gateway/chirpstack/gw-1"


@pytest.fixture(scope="module")
def heard(site) -> str:
    """A device behind gw-1, which is silent; its code."""
    device_id, code = site.sql(
        "SELECT id, code FROM device WHERE kind = 'gas' ORDER BY code DESC LIMIT 1"
    )[0]
    for number, kind in enumerate(["network_server", "lorawan_gateway"]):
        gateway_id = site.sql(
            """
            INSERT INTO gateway (format, identity, kind, district, heard_at, first_seen)
            VALUES ('chirpstack', %s, %s, '460107', %s, %s) RETURNING id
            """,
            (f"gw-{number}", kind, NOW, NOW),
        )[0][0]
    site.sql(
        "INSERT INTO device_gateway VALUES (%s, %s, %s, -101, 4.5)", (device_id, gateway_id, NOW)
    )
    site.sql(
        """
        INSERT INTO alarm_inhibition
            (condition, by_condition, district, device_id, severity, reason, since)
        VALUES (%s, %s, '460107', %s, 3, %s, %s)
        """,
        (f"silent/{code}", CONDITION, device_id, Jsonb({"code": "device_silent"}), NOW),
    )
    site.sql(
        """
        INSERT INTO alarm (district, condition, rule_code, rule_version, category, severity, state,
                           reason, sensed_at, received_at, raised_at, lon, lat)
        SELECT '460107', condition, 'gateway-silent', 1, 'device', 3, 'unacknowledged', %s, %s, %s,
               %s, 110.36, 20.0
        FROM (VALUES (%s), (%s)) AS named (condition)
        """,
        (Jsonb({"since": NOW.isoformat()}), NOW, NOW, NOW, CONDITION, f"silent/{code}"),
    )
    return str(code)


def test_gateways_are_listed_in_pages_with_their_alarm(site, heard: str) -> None:
    with site.client(Role.DISPATCHER) as client:
        first = client.get("/api/v1/gateways?format=chirpstack&limit=1").json()
        (server,) = first["items"]
        assert (server["identity"], server["kind"]) == ("gw-0", "network_server")
        rest = client.get(f"/api/v1/gateways?cursor={first['next']}").json()
        (gateway,) = rest["items"]
        assert rest["next"] is None
        assert (gateway["identity"], gateway["devices"], gateway["inhibited"]) == ("gw-1", 1, 1)
        assert (gateway["severity"], gateway["alarm_state"]) == (3, "unacknowledged")
        silent = client.get("/api/v1/gateways?silent=true").json()["items"]
        assert [row["identity"] for row in silent] == ["gw-1"]
        later = (NOW + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        assert client.get(f"/api/v1/gateways?since={later}").json()["items"] == []
        assert client.get("/api/v1/gateways?kind=toaster").status_code == 422


def test_a_device_shows_how_it_is_heard_and_what_of_it_is_not_announced(site, heard: str) -> None:
    with site.client(Role.DISPATCHER) as client:
        device = client.get(f"/api/v1/devices/{heard}").json()
        (way,) = device["gateways"]
        assert (way["identity"], way["rssi_dbm"], way["snr_db"]) == ("gw-1", -101, 4.5)
        assert way["heard_at"] == NOW.isoformat().replace("+00:00", "Z")
        assert [row["by_condition"] for row in device["inhibitions"]] == [CONDITION]
        alarms = client.get("/api/v1/alarms?rule=gateway-silent").json()["items"]
        muted = {row["condition"]: row["inhibited_by"] for row in alarms}
        assert muted == {CONDITION: None, f"silent/{heard}": CONDITION}


def test_what_a_gateway_explains_is_listed_with_the_reason(site, heard: str) -> None:
    with site.client(Role.DISPATCHER) as client:
        (row,) = client.get(f"/api/v1/inhibitions?by={CONDITION}").json()["items"]
        assert (row["device"], row["kind"], row["severity"]) == (heard, "gas", 3)
        assert row["reason"] == {"code": "device_silent"}
        assert client.get("/api/v1/inhibitions?device=nobody").json()["items"] == []


@pytest.mark.parametrize("path", ["gateways", "inhibitions"])
def test_nobody_reads_them_without_signing_in(site, path: str) -> None:
    with site.client(None) as client:
        assert client.get(f"/api/v1/{path}").status_code == 401
