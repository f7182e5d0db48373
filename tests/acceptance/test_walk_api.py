"""One real message to a verified, closed incident, through the interfaces that stay put."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from app.settings import DEMO_DISTRICT
from bench.installation import Installation, mosquitto_pub, wait_for
from city.incident import Role
from db.pool import connect


def test_a_gas_reading_becomes_a_case_that_people_close(installation: Installation) -> None:
    device = gas_detector(installation, offset=0)
    sent = time.monotonic()
    installation.publish(telemetry_topic(device), telemetry(ch4_pct_lel=62.5))

    dispatcher = installation.api(Role.DISPATCHER)
    incident = wait_for(lambda: incident_of(dispatcher, device["code"]), 2)
    assert time.monotonic() - sent < 2, "an alarm must reach the list within two seconds"
    assert incident["state"] == "filed"
    assert incident["category"] == "05-02"

    ranked = dispatcher.get(f"/incidents/{incident['id']}/recommendations").json()["items"]
    assert ranked, "somebody is always on duty for gas"
    squad = squad_of(installation)
    act(dispatcher, incident["id"], "dispatch", squad=squad)

    leader = installation.api(Role.SQUAD_LEADER)
    act(leader, incident["id"], "acknowledge")
    act(leader, incident["id"], "arrive")
    refused = leader.post(
        f"/incidents/{incident['id']}/actions",
        json={"action": "handle", "version": version(leader, incident["id"]), "note": "clamped"},
    )
    assert refused.status_code == 422, "handling needs a photo first"
    upload(leader, incident["id"], "photo_after")
    act(leader, incident["id"], "handle", note="joint clamped, soil aired")

    checker = installation.api(Role.CHECKER)
    act(checker, incident["id"], "check")
    upload(checker, incident["id"], "check_photo")
    early = checker.post(
        f"/incidents/{incident['id']}/actions",
        json={"action": "close", "version": version(checker, incident["id"])},
    )
    assert early.status_code in {409, 422}, "gas closes only after a gas-free time and a release"

    history = dispatcher.get("/events", params={"after": 0, "limit": 1000}).json()["items"]
    kinds = [e["kind"] for e in history if e["subject"] == f"incident:{incident['id']}"]
    assert kinds[:2] == ["incident.opened", "incident.dispatched"]


def test_an_on_off_detector_over_chirpstack_opens_a_case(installation: Installation) -> None:
    api = installation.api(Role.DISPATCHER)
    device = next(
        d
        for d in api.get("/devices", params={"kind": "gas", "limit": 1000}).json()["items"]
        if d["format"] == "chirpstack"
    )
    uplink = chirpstack_uplink(device["external_id"], bytes.fromhex("058e01060101070100"))
    installation.publish(f"application/a1/device/{device['external_id']}/event/up", uplink)
    incident = wait_for(lambda: incident_of(api, device["code"]), 2)
    assert incident["category"] == "05-02"


def test_a_repeated_message_opens_nothing_twice(installation: Installation) -> None:
    device = gas_detector(installation, offset=1)
    body = telemetry(ch4_pct_lel=80.0)
    for _ in range(5):
        installation.publish(telemetry_topic(device), body)
    api = installation.api(Role.DISPATCHER)
    wait_for(lambda: incident_of(api, device["code"]), 2)
    time.sleep(1)
    found = api.get("/incidents", params={"device": device["code"]}).json()["items"]
    assert len(found) == 1


def test_bad_messages_are_kept_with_their_reason_and_the_next_good_one_flows(
    installation: Installation,
) -> None:
    device = gas_detector(installation, offset=2)
    topic = telemetry_topic(device)
    bad = {
        "json_invalid": (topic, "{not json"),
        "topic_unknown": ("city/v1/460107/gas/telemetry", "{}"),
        "device_unknown": ("city/v1/460107/gas/NOBODY/telemetry", telemetry(ch4_pct_lel=1.0)),
        "number_not_finite": (topic, f'{{"ts": {epoch_ms()}, "readings": {{"ch4_pct_lel": NaN}}}}'),
        "time_in_future": (topic, telemetry(ts="2099-01-01T00:00:00Z", ch4_pct_lel=1.0)),
        "payload_too_large": (topic, json.dumps({"ts": 1, "pad": "x" * 100_000}) + " " * 900_000),
    }
    for where, what in bad.values():
        publish_large(installation, where, what)
    installation.publish(topic, telemetry(ch4_pct_lel=1.5))

    api = installation.api(Role.ADMIN)
    wait_for(lambda: latest(api, device["code"]).get("ch4_pct_lel") == 1.5, 3)
    reasons = {r["reason"] for r in rejects(api)}
    assert reasons >= set(bad)
    verified = installation.gridwarden("ledger", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_refused_message_is_replayed_after_the_registration(
    installation: Installation, tmp_path: Path
) -> None:
    code = "GAS-LATE"
    installation.publish(f"city/v1/{DEMO_DISTRICT}/gas/{code}/telemetry", telemetry(ch4_pct_lel=2))
    # A newer one of which not all bytes are kept must not stand in the way.
    publish_large(installation, telemetry_topic(gas_detector(installation, 3)), "x" * 300_000)
    admin = installation.api(Role.ADMIN)
    wait_for(lambda: any(r["device"] == code for r in rejects(admin)), 5)
    detector = gas_detector(installation, 30)
    file = tmp_path / "late.csv"
    file.write_text(
        "code,kind,name,lon,lat\n"
        f"{code},gas,Late,{detector['lon'] + 0.0002},{detector['lat'] + 0.0002}\n"
    )
    assert installation.gridwarden("device", "import", str(file)).returncode == 0
    replayed = installation.gridwarden("reject", "replay", "--format", "native")
    assert replayed.returncode == 0, replayed.stderr
    assert "replayed 1," in replayed.stdout
    assert latest(admin, code) == {"ch4_pct_lel": 2}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("user", "add", "x", "--role", "squad_leader", "--squad", "NOPE"), "squad"),
        (("token", "create", "--name", "x", "--role", "squad_leader", "--squad", "NOPE"), "squad"),
        (("ledger", "verify", "--from", "2026-01-02", "--to", "2026-01-01"), "--from"),
        (("worker", "end", "nobody"), "name"),
        (("sla", "due", "--start", "2026-01-01", "--limit", "4 parsecs"), "limit"),
        (
            ("sla", "due", "--data-dir", "/nowhere", "--start", "x", "--limit", "1 work_hour"),
            "running",
        ),
    ],
)
def test_a_command_that_cannot_be_done_says_why_in_one_line(
    installation: Installation, arguments: tuple[str, ...], said: str
) -> None:
    refused = installation.gridwarden(*arguments, input="password of the new user\n")
    assert refused.returncode == 1
    assert said in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_the_event_log_is_whole(installation: Installation) -> None:
    verified = installation.gridwarden("audit", "verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["events"] > 0


def test_doctor_finds_nothing_wrong(installation: Installation) -> None:
    found = installation.gridwarden("doctor")
    assert found.returncode == 0, found.stdout + found.stderr


def rejects(api: httpx.Client) -> list[dict[str, Any]]:
    return list(api.get("/rejects", params={"limit": 200}).json()["items"])


def gas_detector(installation: Installation, offset: int) -> dict[str, Any]:
    listed = installation.api(Role.ADMIN).get("/devices", params={"kind": "gas", "limit": 200})
    native = [d for d in listed.json()["items"] if d["format"] == "native"]
    return dict(native[offset])


def telemetry_topic(device: dict[str, Any]) -> str:
    return f"city/v1/{DEMO_DISTRICT}/{device['kind']}/{device['code']}/telemetry"


def telemetry(ts: str | int | None = None, **readings: float) -> dict[str, Any]:
    return {"ts": epoch_ms() if ts is None else ts, "readings": readings}


def epoch_ms() -> int:
    return int(time.time() * 1000)


def chirpstack_uplink(dev_eui: str, data: bytes) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        "deduplicationId": f"test-{epoch_ms()}",
        "time": now,
        "deviceInfo": {"devEui": dev_eui, "applicationId": "a1", "deviceName": "gas"},
        "fCnt": 4,
        "fPort": 85,
        "data": base64.b64encode(data).decode(),
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -85, "snr": 8.5, "gwTime": now}],
    }


def publish_large(installation: Installation, topic: str, body: str | dict[str, Any]) -> None:
    """Longer than a command line may be, so through standard input where needed."""
    text = body if isinstance(body, str) else json.dumps(body)
    if len(text) < 100_000:
        installation.publish(topic, text)
        return
    port = installation.mqtt.rpartition(":")[2]
    subprocess.run(
        [mosquitto_pub(), "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", topic, "-s"],
        input=text.encode(),
        check=True,
        timeout=20,
    )


def incident_of(api: httpx.Client, device: str) -> dict[str, Any] | None:
    found = api.get("/incidents", params={"device": device})
    assert found.status_code == 200, found.text
    items = found.json()["items"]
    return items[0] if items else None


def latest(api: httpx.Client, device: str) -> dict[str, float]:
    body = api.get(f"/devices/{device}").json()
    return {row["metric"]: row["value"] for row in body["latest"]}


def version(api: httpx.Client, incident_id: int) -> int:
    return int(api.get(f"/incidents/{incident_id}").json()["version"])


def squad_of(installation: Installation) -> str:
    """The squad that the test's squad leader belongs to."""
    with connect(installation.postgres) as conn:
        row = conn.execute("SELECT squad FROM app_user WHERE name = 'squad'").fetchone()
    assert row is not None, "the demo has a squad leader"
    return str(row[0])


def act(api: httpx.Client, incident_id: int, action: str, **more: Any) -> dict[str, Any]:
    answer = api.post(
        f"/incidents/{incident_id}/actions",
        json={"action": action, "version": version(api, incident_id), **more},
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def upload(api: httpx.Client, incident_id: int, stage: str) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(picture, "JPEG")
    answer = api.post(
        f"/incidents/{incident_id}/evidence",
        files={"file": (f"{stage}.jpg", picture.getvalue(), "image/jpeg")},
        data={"stage": stage},
    )
    assert answer.status_code == 201, answer.text
