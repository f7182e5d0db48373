"""A rule over HTTP: as text and form, tried on the past, put in force, by one person or two."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from alerts.rule_files import parse_rule
from alerts.steps import apply_rules, default_rules
from app import four_eyes, rule_desk
from app.rule_trials import work_on
from app.trial_starter import TrialStarter
from city.errors import Conflict, Forbidden
from city.incident import Role
from city.person import Caller
from city.reading import METRICS
from db import districts, rule_trials, users
from db.pool import connect
from tests.integration.dashboard.conftest import DISTRICT, PASSWORD
from tests.integration.ingest.workers import wait_until

API = "/api/v1"
WHY = "the neighbours asked"


@pytest.fixture
def admin(site) -> Iterator[httpx.Client]:
    with connect(site.database_url) as conn:
        apply_rules(conn, "system", default_rules(), datetime.now(UTC))
    with site.client() as client:
        yield client


def text_of(code: str) -> str:
    return default_rules()[f"{code}.toml"]


def start(client: httpx.Client, text: str) -> dict[str, Any]:
    """By somebody who has seen the newest version."""
    code = parse_rule(text).code
    seen = client.get(f"{API}/rules/{code}").json()["rule"]["version"]
    answer = client.post(f"{API}/rule-trials", json={"text": text, "seen": seen})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def work(site, trial: dict[str, Any]) -> None:
    """What the scheduler's child does, in this process."""
    with connect(site.database_url) as conn:
        assert rule_trials.claim(conn, datetime.now(UTC)) == trial["id"]
    work_on(site.database_url, trial["id"], give_up=lambda: None)


def tried(site, client: httpx.Client, text: str) -> dict[str, Any]:
    trial = start(client, text)
    work(site, trial)
    answer = client.get(f"{API}/rule-trials/{trial['id']}").json()
    assert answer["state"] == "done", answer
    found: dict[str, Any] = answer
    return found


def apply(client: httpx.Client, trial: dict[str, Any], **body: Any) -> httpx.Response:
    return client.post(f"{API}/rule-trials/{trial['id']}/apply", json={"why": WHY, **body})


def opened(site, code: str, hours: int, device: int) -> None:
    """A cover that is open for ten minutes every hour."""
    site.sql(
        """
        INSERT INTO device (id, code, district, kind, name, lon, lat, created_at)
        OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, 'manhole', %s, 110.3, 20.0, now())
        """,
        (device, code, DISTRICT, code),
    )
    start_at = datetime.now(UTC) - timedelta(hours=hours)
    rows = [
        (start_at + timedelta(hours=n, minutes=10 * up), float(1 - up))
        for n in range(hours)
        for up in (0, 1)
    ]
    site.sql(
        """
        INSERT INTO reading (ts, device_id, metric_id, value, received_at)
        SELECT ts, %s, %s, value, ts FROM unnest(%s::timestamptz[], %s::float8[]) AS r (ts, value)
        """,
        (device, METRICS["cover_open"].id, [ts for ts, _ in rows], [v for _, v in rows]),
    )


def test_the_list_and_a_rule_with_its_versions(admin, site) -> None:
    items = {item["code"]: item for item in admin.get(f"{API}/rules").json()["items"]}
    assert items["gas-lel"]["gas"]
    assert items["gas-lel"]["levels"][1]["limit"] == 50.0
    assert not items["manhole-open"]["gas"]
    one = admin.get(f"{API}/rules/gas-lel").json()
    assert {"gas-detector", "gas-methane-vol"} <= set(one["beside"])
    assert "gas-lel" not in one["beside"]
    assert [v["version"] for v in one["versions"]] == [1]
    assert admin.get(f"{API}/rules/no-such").status_code == 404
    for role, allowed in ((Role.LEADER, 200), (Role.DISPATCHER, 200), (Role.SQUAD_LEADER, 403)):
        with site.client(role) as client:
            assert client.get(f"{API}/rules").status_code == allowed
            assert client.post(f"{API}/rule-trials", json={"text": "x"}).status_code == 403


def test_text_and_form_are_one_and_a_fault_names_field_and_value(admin) -> None:
    text = text_of("gas-lel")
    form = admin.post(f"{API}/rules/form", json={"text": text}).json()
    assert form["fault"] is None
    assert form["known"] == 1
    assert form["values"]["level[0].limit"] == 20.0
    assert {"clear_limit", "level[1].on_delay_s"} <= {f["name"] for f in form["fields"]}
    put = {"level[0].limit": 25, "off_delay_s": 240}
    changed = admin.post(f"{API}/rules/form", json={"text": text, "put": put}).json()
    assert "clear_limit = 10.0       # below half" in changed["text"]
    assert "off_delay_s = 240        # ... for five" in changed["text"]
    wrong = admin.post(f"{API}/rules/form", json={"text": text, "put": {"kind": 7}}).json()
    fault = wrong["fault"]
    assert (fault["field"], fault["value"]) == ("kind", "7")
    assert fault["problem"] == "must be text or a list of texts"
    both = {"kind": 7, "off_delay_s": "long"}
    wrong = admin.post(f"{API}/rules/form", json={"text": text, "put": both}).json()
    assert {fault["field"] for fault in wrong["faults"]} == {"kind", "off_delay_s"}
    odd = admin.post(f"{API}/rules/form", json={"text": text, "put": {"clear_limit": 0}}).json()
    assert [(r["code"], r["grade"]) for r in odd["remarks"]] == [("never_clears", "error")]
    refused = admin.post(f"{API}/rule-trials", json={"text": odd["text"], "seen": 1})
    assert refused.status_code == 422
    assert refused.json()["field"] == "rule: clear_limit"
    broken = admin.post(f"{API}/rules/form", json={"text": "x = "}).json()
    assert broken["values"] is None
    assert admin.post(f"{API}/rules/form", json={"text": "x =", "put": put}).status_code == 422


def test_a_change_is_tried_then_applied_with_a_reason_and_told_afterwards(admin, site) -> None:
    opened(site, "M-TRIED", 30, 9001)
    text = text_of("manhole-open").replace("on_delay_s = 0", "on_delay_s = 900")
    trial = start(admin, text)
    assert apply(admin, trial).json()["current"]["refused"] == "not_tried"
    work(site, trial)
    found = admin.get(f"{API}/rule-trials/{trial['id']}").json()
    alarms = found["result"]["alarms"]
    assert (alarms["lost_count"], alarms["gained_count"]) == (30, 0)
    assert alarms["devices"][0] == {"device": "M-TRIED", "gained": 0, "lost": 30, "levels": 0}
    assert not found["result"]["gas"]
    assert apply(admin, trial, why=" ").json()["field"] == "why"
    assert apply(admin, trial).json() == {"rules": ["manhole-open version 2"], "approval": None}
    one = admin.get(f"{API}/rules/manhole-open").json()
    assert [(v["version"], v["why"]) for v in one["versions"]] == [(2, WHY), (1, "")]
    again = apply(admin, trial)
    assert again.status_code == 409
    same = admin.post(f"{API}/rule-trials", json={"text": text, "seen": 2})
    assert same.status_code == 422
    # Out of force, and back.
    gone = admin.post(f"{API}/rule-trials", json={"retire": "manhole-open", "seen": 2}).json()
    work(site, gone)
    assert apply(admin, gone).json()["rules"] == ["manhole-open"]
    one = admin.get(f"{API}/rules/manhole-open").json()
    assert (one["rule"]["state"], one["retired"]["why"]) == ("retired", WHY)
    back = tried(site, admin, text)
    assert back["result"]["alarms"]["gained_count"] == 0
    assert apply(admin, back).json()["rules"] == ["manhole-open version 3"]


def test_a_rule_too_loud_is_applied_only_if_that_is_agreed_to(admin, site) -> None:
    opened(site, "M-LOUD", 24 * 5, 9002)
    loud = text_of("manhole-open").replace("off_delay_s = 60", "off_delay_s = 30")
    trial = tried(site, admin, loud)
    (noisy,) = trial["result"]["remarks"]
    assert (noisy["code"], noisy["grade"], noisy["value"]) == ("noisy", "ask", 150)
    refused = apply(admin, trial)
    assert (refused.status_code, refused.json()["field"]) == (422, "accept")
    assert apply(admin, trial, accept=True).status_code == 200


def test_the_second_of_two_editors_is_told_by_whom_and_what(admin, site) -> None:
    first = tried(site, admin, text_of("manhole-tilt").replace("limit = 15.0", "limit = 20.0"))
    with site.client(Role.GAS_ENGINEER) as other:
        second = tried(site, other, text_of("manhole-tilt").replace("limit = 15.0", "limit = 18.0"))
        assert apply(admin, first).status_code == 200
        refused = apply(other, second)
        assert refused.status_code == 409
        (moved,) = refused.json()["current"]["changed"]
        assert (moved["actor"], moved["version"]) == ("token:admin", 2)
        assert "limit = 20.0" in moved["text"]
        assert other.get(f"{API}/rule-trials/{second['id']}").json()["moved"][0]["why"] == WHY
        late = other.post(
            f"{API}/rule-trials",
            json={"text": text_of("manhole-tilt").replace("= 15.0", "= 12.0"), "seen": 1},
        )
        assert late.json()["current"]["changed"][0]["version"] == 2


def test_a_trial_is_stale_when_a_rule_of_its_condition_changes(admin, site) -> None:
    trial = tried(site, admin, text_of("manhole-tilt").replace("limit = 15.0", "limit = 21.0"))
    with connect(site.database_url) as conn:
        beside = text_of("manhole-open").replace("off_delay_s = 60", "off_delay_s = 90")
        apply_rules(conn, "li", [beside], datetime.now(UTC))
        elsewhere = text_of("lamp-leakage").replace("off_delay_s = 300", "off_delay_s = 301")
        apply_rules(conn, "li", [elsewhere], datetime.now(UTC))
    refused = apply(admin, trial).json()["current"]
    assert [(m["code"], m["actor"]) for m in refused["changed"]] == [("manhole-open", "li")]


def test_a_trial_whose_process_dies_is_done_again_and_one_that_is_cancelled_ends(
    admin, site
) -> None:
    text = text_of("manhole-water").replace("off_delay_s = 300", "off_delay_s = 310")
    trial = start(admin, text)
    now = datetime.now(UTC)
    with connect(site.database_url) as conn:
        assert rule_trials.claim(conn, now) == trial["id"]
        assert rule_trials.claim(conn, now) is None  # one at a time
        later = now + rule_trials.DEAD_AFTER + timedelta(seconds=1)
        assert rule_trials.claim(conn, later) == trial["id"]
        conn.rollback()
    TrialStarter(site.database_url).close()
    starter = TrialStarter(site.database_url)
    starter.tick()
    starter.close()  # killed, most likely before it had done anything
    site.sql(
        "UPDATE rule_trial SET beat_at = beat_at - interval '16 s' WHERE id = %s", (trial["id"],)
    )
    starter.tick()
    child = starter._child
    assert isinstance(child, subprocess.Popen)
    wait_until(lambda: child.poll() is not None, 60)
    assert admin.get(f"{API}/rule-trials/{trial['id']}").json()["state"] == "done"
    starter.close()
    other = start(admin, text)
    assert admin.post(f"{API}/rule-trials/{other['id']}/cancel").json()["state"] == "cancelled"
    with connect(site.database_url) as conn:
        assert rule_trials.claim(conn, datetime.now(UTC)) is None
        assert not rule_trials.beat(conn, other["id"], datetime.now(UTC))
    assert apply(admin, other).json()["current"]["state"] == "cancelled"


def test_permits_are_made_listed_and_ended_by_the_desk(admin, site) -> None:
    opened(site, "M-PERMIT", 1, 9003)
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    body = {"code": "A/1", "who": "crew", "why": "cleaning", "until": until}
    made = admin.post(f"{API}/permits", json={**body, "devices": ["M-PERMIT"]})
    assert (made.status_code, made.json()["state"]) == (201, "open")
    for wrong, field in (
        ({"devices": ["M-PERMIT"]}, "code"),
        ({"code": "A/2"}, "place"),
        ({"code": "A/2", "devices": ["M-PERMIT"], "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"code": "A/2", "lon": 110.3, "lat": 20.0, "radius_m": -1}, "radius_m"),
        ({"code": "A/2", "polygon": [[1, 2]]}, "polygon"),
    ):
        refused = admin.post(f"{API}/permits", json={**body, **wrong})
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    planned = {**body, "code": "", "begin": until, "lon": 110.3, "lat": 20.0, "radius_m": 50}
    planned["until"] = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    assert admin.post(f"{API}/permits", json=planned).json()["state"] == "planned"
    with site.client(Role.SQUAD_LEADER) as crew:
        found = crew.get(f"{API}/permits?device=M-PERMIT&state=open").json()["items"]
        assert [item["state"] for item in found] == ["planned", "open"]
        assert found[1]["devices"] == ["M-PERMIT"]
        assert crew.get(f"{API}/permits?device=M-PERMIT&limit=1").json()["next"]
        assert crew.post(f"{API}/permits", json=body).status_code == 403
    end = f"{API}/permits/A/1/end"
    assert admin.post(end, json={"why": "done", "version": 9}).status_code == 409
    ended = admin.post(end, json={"why": "done", "version": made.json()["version"]}).json()
    assert (ended["state"], ended["ended_why"]) == ("over", "done")
    assert admin.get(f"{API}/permits/A/1").json()["due_at"] is not None
    assert admin.post(end, json={"why": "done", "version": 2}).status_code == 409
    assert admin.get(f"{API}/permits?state=shut").status_code == 422
    assert admin.get(f"{API}/permits/A/9").status_code == 404


def test_gas_waits_for_a_second_person_with_what_the_trial_found(admin, site) -> None:
    text = text_of("gas-lel").replace("limit = 20.0", "limit = 22.0")
    li, wang = (Caller(name, Role.GAS_ENGINEER, DISTRICT) for name in ("li", "wang"))
    with connect(site.database_url) as conn:
        now = datetime.now(UTC)
        districts.save_setting(conn, DISTRICT, "four_eyes", True, now)
        users.add_user(conn, "li", PASSWORD, Role.GAS_ENGINEER, DISTRICT, now)
        conn.commit()
        trial = rule_desk.start_trial(conn, li, text, "", 1, now)
        conn.commit()
        work(site, {"id": trial.id})
        with pytest.raises(Conflict, match="nobody else could approve"):
            rule_desk.apply_trial(conn, li, trial.id, WHY, accept=False, now=now)
        conn.rollback()
        users.add_user(conn, "wang", PASSWORD, Role.GAS_ENGINEER, DISTRICT, now)
        done = rule_desk.apply_trial(conn, li, trial.id, WHY, accept=False, now=now)
        conn.commit()
        assert done.approval is not None
        items = {item.code: item for item in rule_desk.list_rules(conn, li, now)}
        assert items["gas-lel"].waits == done.approval
        (asked,) = four_eyes.list_approvals(conn, wang)
        assert asked.shown["alarms"]["days"] == 30
        with pytest.raises(Forbidden):
            four_eyes.approve(conn, li, asked.id, asked.digest, "mine", now)
        conn.rollback()
        four_eyes.approve(conn, wang, asked.id, asked.digest, "looked at it", now)
        conn.commit()
        newest = rule_desk.show_rule(conn, li, "gas-lel", now).versions[0]
        assert (newest.applied_by, newest.asked_by, newest.why) == ("wang", "li", WHY)
    # A token is nobody.
    other = tried(site, admin, text.replace("22.0", "23.0"))
    assert apply(admin, other).status_code == 403
