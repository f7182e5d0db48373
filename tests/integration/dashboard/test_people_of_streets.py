"""People and tokens that are bounded to divisions: what they see, and that nothing else is open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from psycopg.types.json import Jsonb

from alerts.steps import apply_rules, default_rules
from app import case_requests, four_eyes
from city.approval import NewApproval
from city.errors import Conflict, Forbidden
from city.incident import Role
from city.lighting import Target, TargetKind
from city.permit import NewPermit, PermitPlace
from city.person import Caller
from city.register import RegisterEntry
from city.scope import Scope, Within
from dashboard.shell.bounded import (
    CALLBACKS,
    OPEN_CALLBACKS,
    OPEN_ENDPOINTS,
    OPEN_SCREENS,
    PAGES,
    first_written,
)
from db import approvals, lamp_commands, permits, registers, users
from db.events import append_waiting
from db.lamp_commands import NewOrder
from dispatch.steps import write_case_texts
from tests.integration.dashboard.conftest import DISTRICT, PASSWORD, Site
from tests.integration.dashboard.test_api_incidents import act, assert_problem, photo
from tests.integration.dashboard.test_live_stream import Stream

NOW = datetime.now(UTC)
HERE, YONDER = "HERE", "YONDER"
# Who may be bounded and has screens of their own, from the desk to the wall.
ROLES = (Role.DISPATCHER, Role.CHECKER, Role.GAS_ENGINEER, Role.LEADER, Role.VIEWER)


@dataclass
class Street:
    """One matter of every kind in a street, all of them named after `word`."""

    word: str
    street: str
    community: str
    cell: str
    lon: float
    lat: float
    incident: dict[str, Any]
    evidence: int
    alarm: int
    device: int
    lamp: int
    entry: str  # short code
    approval: int
    order: int


@dataclass
class Town:
    site: Site
    here: Street
    yonder: Street
    tokens: dict[Role, str]

    def client(self, role: Role = Role.DISPATCHER) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"}
        return httpx.Client(base_url=self.site.url, headers=headers, timeout=20)


@pytest.fixture(scope="module")
def town(site) -> Town:
    with site.pool.connection() as conn:
        apply_rules(conn, "system", default_rules(), NOW)
    places = site.sql(
        """
        SELECT DISTINCT ON (street) street, community, (west + east) / 2, (south + north) / 2, code
        FROM unit_grid WHERE district = %s ORDER BY street, code DESC LIMIT 2
        """,
        (DISTRICT,),
    )
    here, yonder = (settle(site, *pair) for pair in zip((HERE, YONDER), places, strict=True))
    tokens = {}
    with site.pool.connection() as conn:
        for role in ROLES:
            tokens[role] = users.create_token(
                conn, f"street-{role.value}", role, DISTRICT, NOW, divisions=[here.street]
            )
        append_waiting(conn, NOW)
        write_case_texts(conn, NOW)
    return Town(site, here, yonder, tokens)


def settle(site, word: str, place: tuple[Any, ...]) -> Street:
    street, community, lon, lat, cell = place
    common = {"word": word, "lon": lon, "lat": lat, "cell": cell, "street": street}
    common |= {"community": community}
    device = site.sql(
        """
        INSERT INTO device (code, district, kind, name, lon, lat, unit_grid, street, community,
                            created_at)
        SELECT %(word)s || suffix, '460107', kind, %(word)s, %(lon)s, %(lat)s, %(cell)s, %(street)s,
               %(community)s, now()
        FROM (VALUES ('-1', 'manhole'), ('-CAM', 'camera'), ('-LAMP', 'light'))
            AS made (suffix, kind) RETURNING id
        """,
        common,
    )
    site.sql(
        """
        INSERT INTO video_event (camera_id, event_id, district, type, phase, start_at, end_due_at,
                                 received_at, confidence, standing)
        VALUES (%s, %s, '460107', 'garbage', 'new', now(), now() + interval '1 hour', now(), 0.9,
                'review')
        """,
        (device[1][0], f"{word}-EVENT"),
    )
    reason = {
        "code": "value_equals_limit",
        "rule": "manhole-open",
        "rule_version": 1,
        "metric": "",
        "facts": {"title_zh": word, "title_en": word},
    }
    ((alarm,),) = site.sql(
        """
        INSERT INTO alarm (district, condition, rule_code, rule_version, category, device_id,
                           severity, state, reason, sensed_at, received_at, raised_at, lon, lat,
                           unit_grid)
        VALUES ('460107', 'cover/' || %(word)s || '-1', 'manhole-open', 1, '0123', %(device)s, 2,
                'unacknowledged', %(reason)s, now(), now(), now(), %(lon)s, %(lat)s, %(cell)s)
        RETURNING id
        """,
        {**common, "device": device[0][0], "reason": Jsonb(reason)},
    )
    with site.client(Role.DISPATCHER) as client:
        report = {
            "category": "0101",
            "lon": lon,
            "lat": lat,
            "description": f"{word} cover",
            "title": f"{word} cover",
            "source": "patrol",
        }
        incident = client.post("/api/v1/incidents", json=report).json()
        files = {"file": ("a.jpg", photo(len(word)), "image/jpeg")}
        address = f"/api/v1/incidents/{incident['id']}/evidence"
        kept = client.post(address, data={"stage": "photo_before"}, files=files).json()
    lamp, entry = device[2][0], f"{word}-short"
    title = f"{word} cover"
    change = {"incident": incident["id"]}
    asked = NewApproval(case_requests.CASE_STEP, title, change, {}, {})
    lit = NewOrder(DISTRICT, Target(TargetKind.LAMP, f"{word}-LAMP"), 50, None, "x", word, 1, NOW)
    soon = NOW + timedelta(hours=1)
    place = PermitPlace(devices=(f"{word}-1",))
    shop = RegisterEntry(f"{word}-shop", "open", {"name": word}, {}, None, lon, lat)
    with site.pool.connection() as conn:
        waits = approvals.insert_approval(conn, DISTRICT, asked, "asker", "why", NOW, soon)
        order = lamp_commands.insert_order(conn, lit)
        lamp_commands.insert_commands(conn, order, DISTRICT, [lamp], 50, NOW)
        permit = NewPermit(f"{word}-1", "who", "why", place, NOW, soon)
        permits.insert_permit(conn, DISTRICT, permit, [device[0][0]], "x", NOW)
        kept_shop = registers.EntryRow(shop, entry, "", None)
        registers.save_entries(conn, DISTRICT, "shopfronts", [kept_shop], NOW)
    assert waits
    assert order
    return Street(
        word, street, community, cell, lon, lat, incident, kept["evidence_id"], alarm,
        device[0][0], lamp, entry, waits, order,
    )  # fmt: skip


def filled(names: dict[str, Any], found: re.Match[str]) -> str:
    return str(names.get(found[1], 1))


def addresses(town: Town, street: Street) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and address of every route there is, each about this street's matters."""
    named = {
        "incident_id": street.incident["id"],
        "evidence_id": street.evidence,
        "alarm_id": street.alarm,
        "verb": "acknowledge",
        "camera": f"{street.word}-CAM",
        "event_id": f"{street.word}-EVENT",
        "name": "dispatcher",
        "part": "people",
        "night": "2026-01-01",
        "short": street.entry,
        "id": 1,
        "draw_id": 1,
        "reject_id": 1,
        "discovered_id": 1,
        "path": "console",
        "code": f"{street.word}-1",
        "period": "2026-07",
        "call_id": 1,
        "token": "none",
    }
    queries = {
        "devices.get_readings": "?metric=battery_pct",
        "devices.list_devices": f"?unit_grid={street.cell}",
        "kpi.get_kpi": "?by=category",
        "lighting.list_lamps": f"?street={street.street}",
        "events.get_events": "?limit=1000",
    }
    of_all = {
        "registers": {"code": "shopfronts"},
        "rules": {"code": "manhole-open"},
        "labels": {"short": "x"},  # leads to the page of what is scanned, whatever it is
    }
    numbers = {"approvals": street.approval, "lighting": street.order}
    for rule in town.site.server.url_map.iter_rules():
        if rule.rule.startswith(("/assets/", "/_dash-component-suites/", "/_favicon")):
            continue
        part = rule.endpoint.partition(".")[0]
        own = {**named, "id": numbers.get(part, 1), **of_all.get(part, {})}
        address = re.sub(r"<(?:[^<>:]*:)?([a-z_]+)>", partial(filled, own), rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, address + queries.get(rule.endpoint, "")


OPEN_TO_ALL = (
    "sign_in",
    "setup",
    "health.",
    "openapi.",
    "public_",
    "phone_manifest",
    "phone_worker",
    "message_arrived",
    "push_worker",
)


@pytest.mark.parametrize("role", ROLES)
def test_every_route_is_shut_to_a_person_of_another_street_or_tells_nothing(
    town: Town, role: Role
) -> None:
    told = set()
    with town.client(role) as client, town.site.client(Role.ADMIN) as admin:
        for endpoint, method, address in addresses(town, town.yonder):
            if endpoint.startswith(OPEN_TO_ALL) or endpoint in ("live.follow", "sign_out"):
                continue
            if method == "GET" and telling(admin.get(address)):
                told.add(endpoint)
            answer = client.request(method, address, json={} if method == "POST" else None)
            where = (role, endpoint, method, address, answer.text[:300])
            is_open = endpoint in OPEN_ENDPOINTS or endpoint in PAGES
            if not is_open:
                assert answer.status_code == 403, where
                continue
            assert answer.status_code < 500, where
            if answer.status_code == 403:
                continue  # by name, see below
            assert not telling(answer), where
            assert town.yonder.incident["number"] not in answer.text, where
    # The same addresses tell somebody of the whole district.
    assert told >= {
        "incidents.get_incident",
        "incidents.list_incidents",
        "devices.list_devices",
        "alarms.list_alarms",
        "live.snapshot",
        "live.city_map",
        "approvals.list_approvals",
        "events.get_events",
        "lighting.get_order",
        "lighting.list_lamps",
        "lighting.list_orders",
        "permits.get_permit",
        "permits.list_permits",
        "registers.get_entry",
        "registers.list_entries",
    }


def telling(answer: httpx.Response) -> bool:
    """Whether anything but the address itself is of the other street."""
    return YONDER in answer.text.replace(answer.request.url.path, "")


def test_every_callback_is_shut_or_tells_nothing(town: Town) -> None:
    with town.client() as client:
        found = client.get("/_dash-dependencies").json()
        served = [one for one in found if not one["clientside_function"]]
        assert {first_written(one["output"]) for one in served} >= OPEN_CALLBACKS
        for one in served:
            answer = client.post(CALLBACKS, json=asked(one, town.yonder))
            where = (one["output"], answer.status_code, answer.text[:300])
            if first_written(one["output"]) not in OPEN_CALLBACKS:
                assert answer.status_code == 403, where
            else:
                assert YONDER not in answer.text.replace("YONDER lies outside", ""), where


def asked(callback: dict[str, Any], street: Street) -> dict[str, Any]:
    """The request of a browser for a callback; the console has chosen this street's case."""
    several = callback["output"].startswith("..")
    names = callback["output"].strip(".").split("...") if several else [callback["output"]]
    outputs = [dict(zip(("id", "property"), n.rsplit(".", 1), strict=True)) for n in names]
    values = {"selected": street.incident["id"], "location": "/kpi"}
    inputs = [{**i, "value": values.get(i["id"])} for i in callback["inputs"]]
    return {
        "output": callback["output"],
        "outputs": outputs if several else outputs[0],
        "inputs": inputs,
        "changedPropIds": [f"{i['id']}.{i['property']}" for i in inputs],
        "state": [{**s, "value": None} for s in callback["state"]],
    }


def test_screens_of_the_whole_district_are_not_offered(town: Town) -> None:
    def screen(client: httpx.Client, path: str) -> str:
        (show,) = (
            one
            for one in client.get("/_dash-dependencies").json()
            if one["output"] == "content.children"
        )
        body = asked(show, town.here)
        body["inputs"][0]["value"] = path
        return json.dumps(client.post(CALLBACKS, json=body).json())

    with town.client() as bounded, town.site.client(Role.DISPATCHER) as whole:
        for path in ("/console", "/kpi"):
            links = set(re.findall(r'"href": ?"/([a-z]+)"', screen(bounded, path)))
            assert links <= {*OPEN_SCREENS, "manual", "login"}, path
        assert "/roster" in screen(whole, "/console")
        assert "gw-missing" in screen(bounded, "/roster")


def test_a_bounded_person_works_in_their_own_street(town: Town) -> None:
    here, there = town.here, town.yonder
    with town.client() as client:
        listed = client.get("/api/v1/incidents").json()["items"]
        assert here.incident["id"] in {row["id"] for row in listed}
        assert {row["street_name"] for row in listed} == {listed[0]["street_name"]}
        found = client.get("/api/v1/incidents", params={"q": "cover"}).json()["items"]
        assert [row["id"] for row in found] == [here.incident["id"]]
        assert client.get(f"/api/v1/devices/{HERE}-1").json()["street"] == here.street
        devices = client.get("/api/v1/devices", params={"limit": 1000}).json()["items"]
        assert {device["street"] for device in devices} == {here.street}
        alarms = client.get("/api/v1/alarms").json()["items"]
        assert [alarm["id"] for alarm in alarms] == [here.alarm]
        (figures,) = client.get("/api/v1/kpi", params={"by": "street"}).json()["groups"]
        assert figures["key"] == here.street
        measures = client.get("/api/v1/alarms/measures").json()
        assert (measures["raised"], measures["standing"]) == (1, 1)
        filed = act(client, here.incident, "file")
        assert filed.status_code == 200, filed.text
        report = {"category": "0101", "description": "x", "source": "patrol"}
        refused = client.post(
            "/api/v1/incidents", json={**report, "lon": there.lon, "lat": there.lat}
        )
        assert "lies outside" in assert_problem(refused, 403)["detail"]
        body = {"alarms": [{"id": here.alarm, "version": 1}, {"id": there.alarm, "version": 1}]}
        assert_problem(client.post("/api/v1/alarms/acknowledge", json=body), 403)


def command(client: httpx.Client, street: Street, **more: Any) -> httpx.Response:
    body = {"target": "lamp", "code": f"{street.word}-LAMP", "level": 40, "why": "dark", **more}
    return client.post("/api/v1/lighting/commands", json=body)


def allow(client: httpx.Client, street: Street) -> httpx.Response:
    until = (NOW + timedelta(hours=2)).isoformat()
    body = {"who": "x", "why": "y", "devices": [f"{street.word}-1"], "until": until}
    return client.post("/api/v1/permits", json=body)


def inspect(client: httpx.Client, street: Street) -> httpx.Response:
    address = f"/api/v1/register-entries/{street.entry}"
    return client.post(f"{address}/inspections", json={"answers": {}})


def test_lamps_permits_entries_and_the_log_of_their_street_are_theirs(town: Town) -> None:
    here, there = town.here, town.yonder
    with town.client() as client, town.client(Role.CHECKER) as checker:
        picture = client.get("/api/v1/lighting").json()
        assert {group["code"] for group in picture["picture"]["streets"]} == {here.street}
        assert (picture["may_command"], picture["may_change"]) == (True, False)
        given = command(client, here)
        assert given.status_code == 201, given.text
        orders = client.get("/api/v1/lighting/commands").json()["items"]
        assert {order["code"] for order in orders} == {f"{HERE}-LAMP"}
        everywhere = {"target": "district", "code": "", "programme": "p", "why": "w"}
        told = assert_problem(client.post("/api/v1/lighting/assignments", json=everywhere), 403)
        assert "whole district" in told["detail"]
        assert allow(client, here).status_code == 201
        assert len(client.get("/api/v1/permits").json()["items"]) == 2
        entries = client.get("/api/v1/registers/shopfronts/entries").json()["items"]
        assert f"{HERE}-shop" in {entry["code"] for entry in entries}
        placed = town.site.sql("SELECT count(*) FROM register_entry WHERE register = 'shopfronts'")
        coverage = client.get("/api/v1/registers/shopfronts").json()["coverage"]
        assert 0 < coverage["entries"] == len(entries) < placed[0][0]
        draw = {"seed": "1", "objects": 1, "each": 1, "why": "w"}
        drawn = client.post("/api/v1/registers/shopfronts/draws", json=draw)
        assert_problem(drawn, 403)
        for street, status in ((here, 201), (there, 403)):
            place = {"lon": str(street.lon), "lat": str(street.lat)}
            cells = {"code": f"M-{street.word}", "state": "open", "name": "x", **place}
            asked = {"cells": cells, "why": "new"}
            kept = client.post("/api/v1/registers/shopfronts/entries", json=asked)
            assert kept.status_code == status, kept.text
        rules = client.get("/api/v1/rules").json()["items"]
        assert "manhole-open" in {rule["code"] for rule in rules}
        next_ = checker.post("/api/v1/video-review/next", json={"count": 5}).json()
        assert [one["event"]["event_id"] for one in next_["items"]] == [f"{HERE}-EVENT"]
        assert next_["counts"]["review"] == 1
        log = client.get("/api/v1/events", params={"limit": 1000}).json()["items"]
        number = here.incident["id"]
        assert f"incident:{number}" in {event["subject"] for event in log}
        assert {event["subject"].partition(":")[0] for event in log} <= {
            "incident", "alarm", "device", "video", "register_entry",
        }  # fmt: skip


def test_a_bounded_chief_decides_for_the_cases_of_their_streets_alone(town: Town) -> None:
    here, there = town.here, town.yonder
    within = Within(("street",), frozenset({here.street, here.community}))
    chief = Caller("chief", Role.LEADER, DISTRICT, within=within)
    with town.client(Role.LEADER) as client:
        listed = client.get("/api/v1/approvals").json()["items"]
        assert [row["id"] for row in listed] == [here.approval]
        assert client.get(f"/api/v1/approvals/{there.approval}").status_code == 404
    with town.site.pool.connection() as conn:
        for row in (here, there):
            found = approvals.lock_approval(conn, DISTRICT, row.approval)
            assert found is not None
            # What their own was made on is not as it is: beyond the bounds that is not looked at.
            expected = "has changed since" if row is here else f"approval {row.approval} lies out"
            with pytest.raises((Forbidden, Conflict), match=expected):
                four_eyes.approve(conn, chief, row.approval, found.digest, "yes", NOW)
        with pytest.raises(Forbidden, match="lies outside street"):
            four_eyes.refuse(conn, chief, there.approval, "no", NOW)
        assert four_eyes.refuse(conn, chief, here.approval, "no", NOW).decided_by == "chief"
        conn.rollback()


def test_what_lies_elsewhere_is_refused_by_its_name(town: Town) -> None:
    there = town.yonder
    ((name,),) = town.site.sql("SELECT name FROM division WHERE code = %s", (town.here.street,))
    number = there.incident["number"]
    with town.client() as client:
        for answer, what in (
            (act(client, there.incident, "file"), f"incident {number}"),
            (client.get(f"/api/v1/incidents/{there.incident['id']}"), f"incident {number}"),
            (client.get(f"/api/v1/devices/{YONDER}-1"), f"device {YONDER}-1"),
            (client.get(f"/api/v1/alarms/{there.alarm}"), f"alarm {there.alarm}"),
            (client.get(f"/api/v1/permits/{YONDER}-1"), f"permit {YONDER}-1"),
            (client.get(f"/api/v1/register-entries/{there.entry}"), f"entry {YONDER}-shop"),
            (command(client, there), f"device {YONDER}-LAMP"),
            (allow(client, there), f"device {YONDER}-1"),
            (inspect(client, there), f"entry {YONDER}-shop"),
            (
                client.get(f"/api/v1/video-events/{YONDER}-CAM/{YONDER}-EVENT/snapshot"),
                f"camera {YONDER}-CAM",
            ),
        ):
            assert assert_problem(answer, 403)["detail"] == f"{what} lies outside {name}"
        assert client.get("/api/v1/devices/NOBODY").status_code == 404
        refused = assert_problem(client.get("/api/v1/roster"), 403)["detail"]
        assert refused == (
            "/api/v1/roster is for people of the whole district; token:street-dispatcher is "
            f"bounded to {name}"
        )
    with town.site.client(Role.DISPATCHER) as client:
        assert client.get(f"/api/v1/incidents/{there.incident['id']}").json()["state"] == "reported"


def test_a_screen_of_a_street_is_pushed_what_happens_there_alone(town: Town) -> None:
    site = town.site
    with town.client(Role.VIEWER) as client:
        shown = client.get("/live/snapshot").json()
        assert [row["id"] for row in shown["incidents"]] == [town.here.incident["id"]]
        assert [row["id"] for row in shown["alarms"]] == [town.here.alarm]
        assert shown["kpi"]["open"] == 1
        drawn = client.get("/live/map")
        with site.client(Role.VIEWER) as whole:
            etag = whole.get("/live/map").headers["ETag"]
        assert client.get("/live/map", headers={"If-None-Match": etag}).status_code == 200
        again = client.get("/live/map", headers={"If-None-Match": drawn.headers["ETag"]})
        assert again.status_code == 304
        city_map = drawn.json()
        assert {f"{HERE}-1", f"{HERE}-CAM"} <= {row[1] for row in city_map["devices"]}
        assert town.yonder.device not in {row[0] for row in city_map["devices"]}
        ((cells,),) = site.sql(
            "SELECT count(*) FROM unit_grid WHERE street = %s", (town.here.street,)
        )
        assert len(city_map["cells"]) == cells
        with client.stream("GET", "/events") as answer:
            stream = Stream(answer)
            stream.next("now")
            with site.client(Role.DISPATCHER) as whole:
                for street in (town.yonder, town.here):
                    report = {"category": "0101", "lon": street.lon, "lat": street.lat}
                    report |= {"description": f"{street.word} again", "source": "patrol"}
                    whole.post("/api/v1/incidents", json=report)
            frames = []
            while not frames or not frames[-1]["incidents"]:
                frames.append(stream.next("ev"))
    assert YONDER not in json.dumps(frames)
    assert all(not frame["gone"] for frame in frames)


def test_a_division_of_any_level_bounds_and_another_one_is_refused(town: Town) -> None:
    site = town.site
    with site.client() as admin:
        body = {"name": "lan", "role": "dispatcher", "password": PASSWORD}
        refused = admin.post("/api/v1/users", json={**body, "divisions": ["460107"]})
        assert assert_problem(refused, 422)["field"] == "divisions"
        whole = {**body, "role": "admin", "divisions": [town.here.street]}
        assert (
            "whole district"
            in assert_problem(admin.post("/api/v1/users", json=whole), 422)["problem"]
        )
        made = admin.post("/api/v1/users", json={**body, "divisions": [town.here.community]}).json()
        assert made["divisions"] == [town.here.community]
        as_leader = {"version": made["version"], "role": "leader"}
        kept = admin.post("/api/v1/users/lan/role", json=as_leader).json()
        assert kept["divisions"] == [town.here.community]
        opened = {"version": kept["version"], "role": "leader", "divisions": []}
        assert admin.post("/api/v1/users/lan/role", json=opened).json()["divisions"] == []
    with site.pool.connection() as conn:
        token = users.create_token(
            conn, "community", Role.VIEWER, DISTRICT, NOW, divisions=[town.here.community]
        )
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=site.url, headers=headers, timeout=20) as client:
        devices = client.get("/api/v1/devices", params={"limit": 1000}).json()["items"]
        assert {device["community"] for device in devices} == {town.here.community}


def test_a_part_that_nobody_looks_at_is_followed_no_more(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls = town.site.parts.walls
    whole = walls.of(Scope(DISTRICT))
    street, community = (
        walls.of(Scope(DISTRICT, Within((code,), frozenset({code}))))
        for code in (town.here.street, town.here.community)
    )
    assert not street.stopping
    monkeypatch.setattr("dashboard.shell.walls.IDLE_S", -1.0)
    last = walls.of(Scope(DISTRICT, Within(("x",), frozenset({"x"}))))
    assert (street.stopping, community.stopping) == (True, True)
    assert (whole.stopping, last.stopping) == (False, False)
    assert walls.all()[-1] is last


def test_a_division_that_is_gone_opens_nothing(town: Town) -> None:
    site = town.site
    with site.pool.connection() as conn:
        token = users.create_token(
            conn, "gone", Role.VIEWER, DISTRICT, NOW, divisions=[town.here.street]
        )
    site.sql("UPDATE api_token SET divisions = '{460107999}' WHERE name = 'gone'")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=site.url, headers=headers, timeout=20) as client:
        assert client.get("/api/v1/incidents").json()["items"] == []
        assert client.get("/api/v1/devices").json()["items"] == []
        assert client.get("/live/snapshot").json()["incidents"] == []
