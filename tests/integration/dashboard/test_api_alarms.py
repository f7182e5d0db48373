"""The alarm workbench over HTTP: filters, acknowledging together, shelving by two, measures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from psycopg.types.json import Jsonb

from alerts.steps import apply_rules, default_rules
from city.incident import Role
from db import users
from tests.integration.dashboard.conftest import DISTRICT, PASSWORD
from tests.integration.dashboard.test_api_approvals import with_csrf
from tests.integration.dashboard.test_api_lists import assert_problem
from tests.integration.dashboard.test_api_openapi import check
from tests.integration.dashboard.test_api_people import signed_in

API = "/api/v1/alarms"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def city(site) -> None:
    with site.pool.connection() as conn:
        apply_rules(conn, "system", default_rules(), NOW)
        users.add_user(conn, "anna", PASSWORD, Role.DISPATCHER, DISTRICT, NOW)
        users.add_user(conn, "bo", PASSWORD, Role.GAS_ENGINEER, DISTRICT, NOW)


@pytest.fixture
def anna(site, city) -> Iterator[httpx.Client]:
    with signed_in(site, "anna") as client:
        yield with_csrf(client)


def raise_alarm(site, condition: str, rule: str, severity: int, kind: str, **more: Any) -> int:
    """An alarm of the rule's newest version, at a device of its own on the first cell."""
    values = {"state": "unacknowledged", "cleared_at": None, "latch_s": None} | more
    code = condition.partition("/")[2]
    reason = {
        "code": "value_equals_limit",
        "rule": rule,
        "rule_version": 1,
        "metric": "",
        "facts": {"title_zh": "标题", "title_en": "Something wrong"},
    }
    return site.sql(
        """
        WITH cell AS (SELECT * FROM unit_grid WHERE district = '460107' ORDER BY code LIMIT 1),
        thing AS (
            INSERT INTO device (code, district, kind, name, lon, lat, unit_grid, street, created_at,
                                attributes)
            SELECT %(code)s, '460107', %(kind)s, %(code)s, west, south, code, street, now(),
                   '{"cabinet": "CAB-1"}' FROM cell
            RETURNING *)
        INSERT INTO alarm (district, condition, rule_code, rule_version, category, device_id,
                           severity, state, reason, sensed_at, received_at, raised_at, lon, lat,
                           unit_grid, cleared_at, latch_s)
        SELECT '460107', %(condition)s, %(rule)s, 1, '0123', id, %(severity)s, %(state)s,
               %(reason)s, now(), now(), now(), lon, lat, unit_grid, %(cleared_at)s, %(latch_s)s
        FROM thing RETURNING id
        """,
        {
            "code": code,
            "kind": kind,
            "condition": condition,
            "rule": rule,
            "severity": severity,
            "reason": Jsonb(reason),
            **values,
        },
    )[0][0]


def test_alarms_are_found_by_condition_street_kind_and_text_and_say_what_to_do(site, city) -> None:
    cover = raise_alarm(site, "cover/W-1", "manhole-open", 2, "manhole")
    with site.client(Role.VIEWER) as client:
        (found,) = client.get(API, params={"condition": "cover", "q": "w-1"}).json()["items"]
        assert found["id"] == cover
        assert found["help"]["minutes"] == 15
        assert found["help"]["action_zh"]
        assert "fence it off" in found["help"]["action_en"]
        street = found["street"]
        assert found["street_name"]
        for query, expected in (
            ({"street": street, "kind": "manhole"}, [cover]),
            ({"street": street, "kind": "light"}, []),
            ({"shelved": "true"}, []),
            ({"q": "something WRONG", "live": "true"}, [cover]),
        ):
            items = client.get(API, params=query).json()["items"]
            assert [item["id"] for item in items] == expected, query


def test_several_are_acknowledged_together_and_red_gas_is_named(site, city, anna) -> None:
    one, two = (raise_alarm(site, f"cover/B-{n}", "manhole-open", 2, "manhole") for n in (1, 2))
    red = raise_alarm(site, "gas/B-3", "gas-lel", 1, "gas")
    wanted = [{"id": n, "version": 1} for n in (one, two)]
    both = {"alarms": [*wanted, {"id": red, "version": 1}]}
    refused = assert_problem(anna.post(f"{API}/acknowledge", json=both), 409)
    assert refused["current"]["refused"] == "red_gas"
    assert [alarm["condition"] for alarm in refused["current"]["alarms"]] == ["gas/B-3"]
    twice = {"alarms": [wanted[0], wanted[0]]}
    assert_problem(anna.post(f"{API}/acknowledge", json=twice), 422, "alarms[1].id")
    assert_problem(anna.post(f"{API}/acknowledge", json={"alarms": []}), 422, "alarms")
    done = anna.post(f"{API}/acknowledge", json={"alarms": wanted}).json()["items"]
    assert [(a["id"], a["state"], a["acknowledged_by"]) for a in done] == [
        (one, "acknowledged", "anna"),
        (two, "acknowledged", "anna"),
    ]
    with site.client(Role.VIEWER) as client:
        assert_problem(client.post(f"{API}/acknowledge", json={"alarms": wanted}), 403)


def test_red_gas_is_asked_for_and_shelved_by_a_second_person(site, city, anna) -> None:
    red = raise_alarm(site, "gas/S-1", "gas-lel", 1, "gas")
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    body = {"version": 1, "until": until, "reason": "the pipe is being flushed"}
    with site.client(Role.DISPATCHER) as script:
        assert_problem(script.post(f"{API}/{red}/shelve", json=body), 403)
    document = anna.get("/api/v1/openapi.json").json()
    asked = anna.post(f"{API}/{red}/shelve", json=body)
    assert asked.status_code == 202
    described = document["paths"]["/alarms/{id}/shelve"]["post"]["responses"]["202"]
    check(asked.json(), described["content"]["application/json"]["schema"], document)
    assert anna.get(f"{API}/{red}").json()["shelved_until"] is None
    with signed_in(site, "bo") as bo:
        with_csrf(bo)
        number = asked.json()["approval"]
        item = bo.get(f"/api/v1/approvals/{number}").json()
        assert item["shown"]["shelve"]["condition"] == "gas/S-1"
        agreed = {"digest": item["digest"], "why": "seen on site"}
        done = bo.post(f"/api/v1/approvals/{number}/approve", json=agreed)
        assert done.status_code == 200, done.text
    shelved = anna.get(f"{API}/{red}").json()
    assert shelved["shelved_by"] == "anna, bo"
    assert [a["id"] for a in anna.get(API, params={"shelved": "true"}).json()["items"]] == [red]


def test_whoever_asked_to_shelve_red_gas_takes_it_back(site, city, anna) -> None:
    red = raise_alarm(site, "gas/S-2", "gas-lel", 1, "gas")
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    body = {"version": 1, "until": until, "reason": "the pipe is being flushed"}
    number = anna.post(f"{API}/{red}/shelve", json=body).json()["approval"]
    (mine,) = [i for i in anna.get("/api/v1/approvals").json()["items"] if i["id"] == number]
    assert (mine["may_approve"], mine["may_refuse"]) == (False, True)
    assert anna.get(f"/api/v1/approvals/{number}").status_code == 200
    with site.client(Role.DISPATCHER) as other:  # neither asked nor decides
        assert_problem(other.get(f"/api/v1/approvals/{number}"), 404)
    gone = anna.post(f"/api/v1/approvals/{number}/refuse", json={"why": "flushed already"})
    assert (gone.status_code, gone.json()["state"]) == (200, "withdrawn")
    with signed_in(site, "bo") as bo:
        with_csrf(bo)
        agreed = {"digest": mine["digest"], "why": "late"}
        late = bo.post(f"/api/v1/approvals/{number}/approve", json=agreed)
        assert_problem(late, 409)
    assert anna.get(f"{API}/{red}").json()["shelved_until"] is None


def test_a_latched_alarm_says_when_it_can_be_released(site, city, anna) -> None:
    """Released by the role that its rule names."""
    held = raise_alarm(
        site, "gas/L-1", "gas-lel", 2, "gas", state="latched_acknowledged", latch_s=600
    )
    due = datetime.now(UTC) + timedelta(minutes=9)
    site.sql(
        "UPDATE alarm SET releasable_at = %s, release_role = 'gas_engineer' WHERE id = %s",
        (due, held),
    )
    with site.client(Role.GAS_ENGINEER) as client:
        said = assert_problem(client.post(f"{API}/{held}/reset", json={"version": 1}), 409)
        assert due.astimezone().isoformat(timespec="seconds") in said["detail"]
        found = client.get(f"{API}/{held}").json()
        assert (found["latch_s"], found["release_role"]) == (600, "gas_engineer")
        site.sql("UPDATE alarm SET releasable_at = now() WHERE id = %s", (held,))
        assert_problem(anna.post(f"{API}/{held}/reset", json={"version": 1}), 403)
        done = client.post(f"{API}/{held}/reset", json={"version": 1})
        assert done.json()["state"] == "normal"


def test_the_measures_fit_their_description_and_refuse_a_period_that_is_none(site, city) -> None:
    with site.client(Role.LEADER) as client:
        document = client.get("/api/v1/openapi.json").json()
        answer = client.get(f"{API}/measures")
        assert answer.status_code == 200, answer.text
        described = document["paths"]["/alarms/measures"]["get"]["responses"]["200"]
        check(answer.json(), described["content"]["application/json"]["schema"], document)
        found = answer.json()
        assert found["load"]["announced"] == found["raised"] == sum(found["by_severity"]) > 0
        assert found["operators"] >= 1
        assert found["operators_since"] is None
        site.sql(
            "INSERT INTO operator_hour VALUES ('460107', date_trunc('hour', now()), 'x', now())"
        )
        since = client.get(f"{API}/measures").json()["operators_since"]
        assert datetime.fromisoformat(since) <= datetime.now(UTC)
        assert_problem(client.get(f"{API}/measures?from=2999-01-01T00:00:00Z"), 422, "from")
        assert_problem(client.get(f"{API}/measures?from=2001-01-01T00:00:00Z"), 422, "from")
        assert_problem(client.get(f"{API}/measures?until=now"), 422, "until")
        assert_problem(client.get(f"{API}/proposals"), 422, "rule")
        assert_problem(client.get(f"{API}/proposals?rule=nothing"), 404)
        silence = assert_problem(client.get(f"{API}/proposals?rule=gas-silent"), 409)
        assert "judges no readings" in silence["detail"]


def test_a_chattering_level_sensor_gets_proposals_and_a_gas_rule_is_never_blinded(
    site, city
) -> None:
    raise_alarm(site, "water/C-1", "manhole-water", 3, "manhole", state="acknowledged")
    begin = datetime.now(UTC) - timedelta(hours=2)
    # Around a limit of 100 cm, back to 89 each time: past the clear limit of 90.
    site.sql(
        """
        WITH probe AS (
            UPDATE device SET attributes = '{"water_limit_cm": 100}' WHERE code = 'C-1'
            RETURNING id)
        INSERT INTO reading (ts, device_id, metric_id, value, received_at)
        SELECT %(t)s + n * interval '6 min', probe.id, metric.id,
               CASE WHEN n %% 2 = 0 THEN 101 ELSE 89 END, %(t)s + n * interval '6 min'
        FROM probe, metric, generate_series(0, 9) n WHERE metric.name = 'water_level_cm'
        """,
        {"t": begin},
    )
    with site.client(Role.DISPATCHER) as client:
        document = client.get("/api/v1/openapi.json").json()
        query = {"rule": "manhole-water", "device": "C-1", "from": begin.isoformat()}
        answer = client.get(f"{API}/proposals", params=query)
        assert answer.status_code == 200, answer.text
        described = document["paths"]["/alarms/proposals"]["get"]["responses"]["200"]
        check(answer.json(), described["content"]["application/json"]["schema"], document)
        found = {item["kind"]: item for item in answer.json()["items"]}
        # Five peaks, each with an alarm of its own; a wider deadband makes them one.
        wider = found["deadband"]
        assert wider["fields"] == {"clear_share": {"now": 0.9, "proposed": 0.85}}
        assert (wider["alarms_before"], wider["alarms_after"]) == (5, 1)
        assert wider["gained"] == []
        later = found["on_delay"]
        assert later["fields"] == {"level.on_delay_s": {"now": 0.0, "proposed": 60.0}}
        gas = client.get(f"{API}/proposals", params=query | {"rule": "gas-lel", "device": ""})
        assert [item["kind"] for item in gas.json()["items"]] == ["deadband", "off_delay"]
