"""What a script and a screen are told while an alarm of an incident stands."""

from __future__ import annotations

from datetime import UTC, datetime

from city.alarm import AlarmChangeKind
from city.incident import Role
from db.pool import Connection, transaction
from dispatch import steps
from tests.integration.dashboard.conftest import Site
from tests.integration.dispatch.town import insert_alarm


def open_covers(site: Site, count: int) -> list[int]:
    """Open covers 20 m apart, and the incident of each."""
    with transaction(site.pool) as conn:
        devices = conn.execute(
            "SELECT id FROM device WHERE kind = 'manhole' ORDER BY id LIMIT %s", (count,)
        ).fetchall()
        return [open_cover(conn, number, int(device[0])) for number, device in enumerate(devices)]


def open_cover(conn: Connection, number: int, device: int) -> int:
    now = datetime.now(UTC)
    alarm_id = insert_alarm(
        conn,
        now,
        f"cover/{number}",
        "0123",
        2,
        "acknowledged",
        device,
        AlarmChangeKind.RAISED,
        True,
        110.36,
        20.0 + number * 0.00018,
    )
    while steps.take_alarm_change(conn, now):
        pass
    row = conn.execute("SELECT incident_id FROM incident_alarm WHERE alarm_id = %s", (alarm_id,))
    found = row.fetchone()
    assert found is not None
    return int(found[0])


def test_a_refusal_names_the_alarms_and_neighbours_are_suggested_and_merged_by_a_person(
    site: Site,
) -> None:
    first, second = open_covers(site, 2)
    assert first != second
    with site.client(Role.DISPATCHER) as client:
        newer = client.get(f"/api/v1/incidents/{second}").json()
        older = client.get(f"/api/v1/incidents/{first}").json()
        assert [s["id"] for s in newer["similar"]] == [first]
        assert [s["id"] for s in older["similar"]] == [second]
        assert newer["similar"][0]["because"] == "near_same_category"

        cancel = {"action": "cancel", "version": newer["version"], "reason": "works"}
        refused = client.post(f"/api/v1/incidents/{second}/actions", json=cancel)
        assert refused.status_code == 409
        problem = refused.json()
        assert problem["current"]["refused"] == "alarm_stands"
        assert [a["device"] for a in problem["current"]["alarms"]] == [newer["device"]]
        assert newer["device"] in problem["detail"]
        waits = {w["action"]: w["waiting_for"] for w in newer["waiting"]}
        assert waits["cancel"][0]["alarms"][0]["device"] == newer["device"]

        merge = {"action": "merge", "version": newer["version"], "into": first, "reason": "one"}
        merged = client.post(f"/api/v1/incidents/{second}/actions", json=merge)
        assert merged.status_code == 200, merged.text
        older = client.get(f"/api/v1/incidents/{first}").json()
        assert len(older["alarms"]) == 2
        cancel = {"action": "cancel", "version": older["version"], "reason": "works"}
        refused = client.post(f"/api/v1/incidents/{first}/actions", json=cancel)
        named = {a["device"] for a in refused.json()["current"]["alarms"]}
        assert named == {newer["device"], older["device"]}
