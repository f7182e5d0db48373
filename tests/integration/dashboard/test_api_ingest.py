"""Quarantine and operations over HTTP: counted, filtered, replayed, measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bench.installation import wait_for
from city.incident import Role
from city.ledger import LedgerEntry
from city.reject import NewReject
from db import broker_counts, ledger, operations
from db.broker_counts import BrokerCount
from db.ledger import NewBatch
from db.rejects import insert_rejects

NOW = datetime.now(UTC).replace(microsecond=0)
BODY = json.dumps({"readings": {"ch4_pct_lel": 1.5}}).encode()
REFUSED = "/api/v1/rejects"


@pytest.fixture(autouse=True)
def clean(site) -> Iterator[None]:
    yield
    site.sql("DELETE FROM reject")
    site.sql("DELETE FROM reject_flood")
    site.sql("DELETE FROM reject_minute")
    site.sql("DELETE FROM ingest_batch")
    site.sql("DELETE FROM reading")
    for table in ("sequence_gap", "sequence_state", "sequence_total", "broker_count"):
        site.sql(f"DELETE FROM {table}")


def refuse(
    site, code: str, *, reason: str = "device_unknown", age_s: int = 60, **other: Any
) -> int:
    """A message of a native gas device that was refused; its id."""
    values = {
        "received_at": NOW - timedelta(seconds=age_s),
        "format": "native",
        "topic": f"city/v1/460107/gas/{code}/telemetry",
        "device": code,
        "reason": reason,
        "detail": f"no native device {code!r}",
        "raw": BODY,
        "whole_message": True,
    } | other
    reject = NewReject(**values)
    minute = ledger.floor_minute(reject.received_at)
    with site.pool.connection() as conn:
        insert_rejects(conn, [reject])
        entry = LedgerEntry(reject.format, minute, 1, 0, 0, 1, 0, 0, 0)
        ledger.insert_batch(conn, NewBatch("w", minute, minute), [entry], reject.received_at)
    return int(site.sql("SELECT max(id) FROM reject")[0][0])


def registered(site, number: int = 0) -> str:
    return str(
        site.sql("SELECT code FROM device WHERE kind = 'gas' AND format = 'native' ORDER BY code")[
            number
        ][0]
    )


def balanced(site) -> bool:
    with site.pool.connection() as conn:
        return ledger.verify(conn, NOW - timedelta(hours=2), NOW + timedelta(hours=1)) == []


def problem(answer: httpx.Response, status: int, field: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.json().get("field", "") == field


def test_since_is_applied_before_the_page_is_cut(site) -> None:
    for age_s in (30, 600, 40, 700, 50):
        refuse(site, "x-1", age_s=age_s)
    since = (NOW - timedelta(minutes=2)).isoformat()
    with site.client() as client:
        ask: dict[str, Any] = {"since": since, "limit": 2}
        found = []
        while True:
            page = client.get(REFUSED, params=ask).json()
            found += page["items"]
            if page["next"] is None:
                break
            ask["cursor"] = page["next"]
    assert len(found) == 3
    assert {item["received_at"] >= since[:19] for item in found} == {True}


def test_refused_messages_are_filtered_by_device_and_counted_in_groups(site) -> None:
    for _ in range(3):
        refuse(site, "x-1")
    refuse(site, "x-2", reason="json_invalid")
    with site.client(Role.GAS_ENGINEER) as client:
        items = client.get(REFUSED, params={"device": "x-1"}).json()["items"]
        assert [item["device"] for item in items] == ["x-1"] * 3
        groups = client.get(f"{REFUSED}/counts").json()["items"]
        assert [(g["device"], g["reason"], g["waiting"]) for g in groups] == [
            ("x-1", "device_unknown", 3),
            ("x-2", "json_invalid", 1),
        ]
        assert sum(groups[0]["hours"]) == 3
        one = client.get(f"{REFUSED}/counts", params={"by": "reason", "reason": "json_invalid"})
        assert [(g["device"], g["devices"]) for g in one.json()["items"]] == [("", 1)]
        problem(client.get(f"{REFUSED}/counts", params={"by": "colour"}), 422, "by")
        problem(client.get(f"{REFUSED}/counts", params={"colour": "red"}), 422, "colour")


def test_a_message_is_replayed_after_its_device_was_registered_and_stays_if_not(site) -> None:
    code = registered(site)
    good, bad = refuse(site, code), refuse(site, "nobody")
    with site.client(Role.DISPATCHER) as client:
        done = client.post(f"{REFUSED}/{good}/replay").json()
        assert (done["stored"], done["refused"], done["next"]) == (1, {}, None)
        still = client.post(f"{REFUSED}/{bad}/replay").json()
        assert still["stored"] == 0
        assert still["refused"] == {"device_unknown": 1}
        assert "nobody" in still["example"]
        problem(client.post(f"{REFUSED}/{good}/replay"), 409)
        problem(client.post(f"{REFUSED}/987654321/replay"), 404)
        assert [i["id"] for i in client.get(REFUSED).json()["items"]] == [bad]
    assert balanced(site)


def test_a_message_of_which_only_the_beginning_was_kept_is_not_replayed(site) -> None:
    cut = refuse(site, registered(site), raw=b"{" + b" " * 100_000)
    with site.client() as client:
        problem(client.post(f"{REFUSED}/{cut}/replay"), 409)


def test_a_group_is_replayed_in_steps_and_says_what_is_still_refused(
    site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.screens.quarantine.load.REPLAY_STEP", 2)
    known = [refuse(site, registered(site, 1), raw=BODY.replace(b"1.5", b"%d" % n)) for n in (1, 2)]
    unknown = [refuse(site, "nobody") for _ in range(3)]
    other = refuse(site, "nobody", reason="json_invalid")
    with site.client() as client:
        body: dict[str, Any] = {"reason": "device_unknown"}
        stored, refused, steps = 0, 0, 0
        while True:
            step = client.post(f"{REFUSED}/replay", json=body).json()
            stored += step["stored"]
            refused += step["refused"].get("device_unknown", 0)
            steps += 1
            if step["next"] is None:
                break
            body["after"] = step["next"]
        left = [item["id"] for item in client.get(REFUSED).json()["items"]]
    assert (stored, refused, steps) == (2, 3, 3)
    assert left == [other, *unknown[::-1]]
    assert not set(known) & set(left)
    assert balanced(site)


def test_a_replay_of_everything_at_once_is_refused(site) -> None:
    with site.client() as client:
        problem(client.post(f"{REFUSED}/replay", json={}), 422, "body")
        problem(client.post(f"{REFUSED}/replay", json={"reason": "x", "after": -1}), 422, "after")
        problem(client.post(f"{REFUSED}/replay", json={"colour": "red"}), 422, "colour")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.LEADER, Role.CHECKER, Role.SQUAD_LEADER])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", REFUSED),
        ("GET", f"{REFUSED}/counts"),
        ("GET", "/api/v1/operations"),
        ("POST", f"{REFUSED}/1/replay"),
        ("POST", f"{REFUSED}/replay"),
    ],
)
def test_others_see_nothing_of_it(site, role: Role, method: str, path: str) -> None:
    with site.client(role) as client:
        problem(client.request(method, path, json={} if method == "POST" else None), 403)


def test_operations_shows_feeds_and_names_what_is_wrong(site) -> None:
    for _ in range(30):
        refuse(site, "x-1")
    with site.client() as client:
        now = client.get("/api/v1/operations").json()
    (feed,) = now["feeds"]
    assert (feed["feed"], feed["received"], feed["rejected"]) == ("native", 30, 30)
    assert sum(minute[2] for minute in feed["minutes"]) == 30
    assert feed["store_lag_avg_s"] is None
    assert now["imbalances"] == []
    codes = [finding["code"] for finding in now["findings"]]
    assert "many_refused" in codes
    assert "ingest_absent" in codes  # nothing but a web server runs in this test
    site.sql(
        "UPDATE ingest_ledger SET rejected = rejected + 1 WHERE batch_id ="
        " (SELECT max(id) FROM ingest_batch)"
    )
    with site.client() as client:
        wrong = client.get("/api/v1/operations").json()
    assert {item["what"] for item in wrong["imbalances"]} == {"messages", "rejects"}
    assert wrong["feeds"][0]["balanced"] is False


def lose(site, device: str, missing: int, age_s: int = 300) -> None:
    """Messages of a device that are known not to have come."""
    site.sql(
        "INSERT INTO sequence_gap (source, feed, epoch, first, last, after_at, before_at, usual,"
        " found_at) SELECT id, 'native', 0, 1, %s, %s, %s, false, %s FROM device WHERE code = %s",
        (missing, NOW - timedelta(seconds=age_s + 10), NOW - timedelta(seconds=age_s), NOW, device),
    )


def test_what_was_sent_and_did_not_arrive_is_named_before_what_is_slow(site) -> None:
    refuse(site, "x-1")
    lose(site, registered(site, 0), 3)
    lose(site, registered(site, 1), 2, age_s=301)
    look = BrokerCount(NOW - timedelta(seconds=90), "mosquitto", 1000, 50, 0)
    with site.pool.connection() as conn:
        broker_counts.record(conn, look)
        broker_counts.record(conn, replace(look, looked_at=NOW, uptime_s=1090, dropped=9))
    with site.client() as client:
        now = client.get("/api/v1/operations").json()
        metrics = client.get("/metrics").text.splitlines()
    found = {finding["code"]: finding["facts"] for finding in now["findings"]}
    # Nobody goes round here: that stages stand still is said first.
    standing = {code for code in found if code.startswith("not_") or code.endswith("_absent")}
    losses = [code for code in found if code not in standing][:2]
    assert losses == ["messages_missing", "broker_dropped"]
    assert (found["messages_missing"]["count"], found["messages_missing"]["sources"]) == (5, 2)
    assert found["broker_dropped"]["count"] == 9
    (missing,) = now["books"]["missing"]
    assert missing["names"] == sorted(registered(site, number) for number in (0, 1))
    assert missing["from"] < missing["to"]
    assert now["books"]["broker"]["version"] == "mosquitto"
    assert "gridwarden_broker_messages_dropped_total 9.0" in metrics


def test_metrics_count_each_feed(site) -> None:
    site.sql("DELETE FROM ingest_total")
    site.sql("UPDATE ingest_total_state SET until = %s", (NOW - timedelta(hours=1),))
    refuse(site, "x-1")
    with site.pool.connection() as conn:
        operations.add_totals(conn, datetime.now(UTC) + timedelta(minutes=5))
    with site.client(None) as client:
        lines = client.get("/metrics").text.splitlines()
    assert 'gridwarden_feed_messages_total{feed="native",result="rejected"} 1.0' in lines
    assert 'gridwarden_feed_messages_total{feed="native",result="stored"} 0.0' in lines
    assert any(
        line.startswith('gridwarden_feed_newest_age_seconds{feed="native"}') for line in lines
    )
    assert not any("store_lag_seconds_count" in line for line in lines)  # nobody measured


def test_refused_gas_is_said_on_every_screen_until_somebody_has_looked_into_it(site) -> None:
    refuse(site, "calm")
    first = refuse(site, "loud", gas="71.3 %LEL", age_s=90)
    second = refuse(site, "louder", gas="gas_alarm")
    with site.client(Role.DISPATCHER) as client, site.client(Role.VIEWER) as viewer:
        listed = client.get(f"{REFUSED}/gas").json()["items"]
        assert [(one["id"], one["device"], one["gas"]) for one in listed] == [
            (second, "louder", "gas_alarm"),
            (first, "loud", "71.3 %LEL"),
        ]
        wait_for(lambda: first_finding(client) == "gas_refused", 10)
        assert viewer.get(f"{REFUSED}/gas").status_code == 403
        asked = {"up_to": first, "note": ""}
        unsaid = client.post(f"{REFUSED}/gas/seen", json=asked)
        assert (unsaid.status_code, unsaid.json()["field"]) == (422, "note")
        seen = client.post(f"{REFUSED}/gas/seen", json=asked | {"note": "valve closed"})
        assert seen.json() == {"seen": 1}
        assert [one["id"] for one in client.get(f"{REFUSED}/gas").json()["items"]] == [second]
        client.post(f"{REFUSED}/gas/seen", json={"up_to": second, "note": "a test of the detector"})
        wait_for(lambda: first_finding(client) != "gas_refused", 10)
    told = site.sql("SELECT actor, payload FROM event WHERE kind = 'reject.gas_seen' ORDER BY seq")
    assert [payload["note"] for _, payload in told] == ["valve closed", "a test of the detector"]
    assert told[0][1]["said"] == ["loud 71.3 %LEL"]


def first_finding(client: httpx.Client) -> str:
    findings = client.get("/api/v1/operations").json()["findings"]
    return str(findings[0]["code"]) if findings else ""
