"""How people are reached, and who was told what, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from city.delivery import Channel, ChannelKind, NewDelivery
from city.incident import Role
from db import contacts, deliveries, message_settings, users
from tests.integration.dashboard.conftest import DISTRICT, PASSWORD
from tests.integration.dashboard.test_api_approvals import with_csrf
from tests.integration.dashboard.test_api_people import signed_in
from tests.integration.notify.desk import browser_keys

HOST = "push.example"


@pytest.fixture(scope="module")
def people(site) -> None:
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        users.add_user(conn, "anna", PASSWORD, Role.DISPATCHER, DISTRICT, now)
        users.add_user(conn, "bo", PASSWORD, Role.CHECKER, DISTRICT, now)
        made = [
            Channel("mail", ChannelKind.EMAIL, "smtp://127.0.0.1:9", sender="d@city.example"),
            Channel("push", ChannelKind.PUSH, "mailto:d@city.example", hosts=(HOST,)),
            Channel("room", ChannelKind.WECOM, secret="env:ROOM"),
        ]
        message_settings.save_channels(conn, DISTRICT, made)


@pytest.fixture
def anna(site, people) -> Iterator[httpx.Client]:
    with signed_in(site, "anna") as client:
        yield with_csrf(client)


@pytest.fixture
def bo(site, people) -> Iterator[httpx.Client]:
    with signed_in(site, "bo") as client:
        yield with_csrf(client)


@pytest.fixture(scope="module")
def case(site, people) -> int:
    asked = {"category": "05-02", "lon": 110.36, "lat": 20.01, "description": "smell of gas"}
    answer = site.client(Role.DISPATCHER).post("/api/v1/incidents", json=asked)
    return int(answer.json()["id"])


def queue(site, case: int, *, kind: str = "email", token: str) -> None:
    """A message of a case that was sent to anna."""
    now = datetime.now(UTC)
    with site.pool.connection() as conn:
        new = NewDelivery(
            DISTRICT,
            case,
            None,
            "opened",
            "",
            0,
            "anna",
            "mail",
            kind,
            "anna@city.example",
            "zh",
            "标题",
            "内容",
            token,
            True,
            False,
            now,
            now,
            now + timedelta(hours=1),
        )
        made = deliveries.insert_delivery(conn, new)
        assert made is not None
        deliveries.mark_sent(conn, made, deliveries.DeliveryState.SENT, "text", now)


def state_of(site, token: str) -> str:
    return str(site.sql("SELECT state FROM delivery WHERE token = %s", (token,))[0][0])


def test_a_person_says_how_they_are_reached(anna: httpx.Client) -> None:
    wanted = {
        "email": "anna@city.example",
        "phone": "+86 138-0000 0000",
        "lang": "en",
        "quiet_from": "22:00",
        "quiet_to": "06:30",
    }
    answer = anna.post("/api/v1/contact", json=wanted)
    assert answer.status_code == 200, answer.text
    assert answer.json() | {"push_key": ""} == wanted | {
        "phone": "+8613800000000",
        "push_key": "",
        "browsers": [],
    }
    assert anna.get("/api/v1/contact").json()["quiet_to"] == "06:30"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "a@b\r\nBcc: c@d"),
        ("phone", "12ab"),
        ("lang", "fr"),
        ("quiet_from", "25:00"),
        ("quiet_to", "later"),
    ],
)
def test_what_is_no_address_is_named(anna: httpx.Client, field: str, value: str) -> None:
    body = {"quiet_from": "22:00", "quiet_to": "06:00", field: value}
    answer = anna.post("/api/v1/contact", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_browser_is_taken_where_an_administrator_has_allowed_its_service(
    anna: httpx.Client,
) -> None:
    _key, p256dh, auth = browser_keys()
    keys = {"p256dh": p256dh, "auth": auth, "browser": "Firefox"}
    inside = {"endpoint": "https://10.0.0.1/admin", **keys}
    assert anna.post("/api/v1/contact/browsers", json=inside).json()["field"] == "endpoint"
    mine = {"endpoint": f"https://{HOST}/1", **keys}
    assert anna.post("/api/v1/contact/browsers", json=mine).status_code == 201
    shown = anna.get("/api/v1/contact").json()
    assert [b["endpoint"] for b in shown["browsers"]] == [mine["endpoint"]]
    assert len(shown["push_key"]) == 87
    gone = anna.post("/api/v1/contact/browsers/remove", json={"endpoint": mine["endpoint"]})
    assert gone.json()["browsers"] == []
    again = anna.post("/api/v1/contact/browsers/remove", json={"endpoint": mine["endpoint"]})
    assert again.status_code == 404


def test_nobody_but_the_centre_sees_what_others_were_told(
    site, case: int, anna: httpx.Client, bo: httpx.Client
) -> None:
    queue(site, case, token="for-anna-1")
    (item,) = [i for i in anna.get("/api/v1/deliveries").json()["items"] if i["person"] == "anna"]
    assert (item["to"], item["title"], item["incident"]) == ("a…@city.example", "标题", case)
    assert "token" not in item
    assert bo.get("/api/v1/deliveries").json()["items"] == []
    assert bo.get("/api/v1/deliveries?person=anna").status_code == 403
    of_case = bo.get(f"/api/v1/deliveries?incident={case}").json()["items"]
    assert "anna" in {i["person"] for i in of_case}


def test_a_link_is_seen_by_its_reader_and_by_no_scanner(
    site, case: int, anna: httpx.Client, bo: httpx.Client
) -> None:
    queue(site, case, token="for-anna-2")
    stranger = site.client(None, follow_redirects=False)
    away = stranger.get("/m/for-anna-2", headers={"Accept": "text/html"})
    assert away.headers["Location"] == "/login?next=/m/for-anna-2"
    bo.get("/m/for-anna-2", follow_redirects=False)
    assert state_of(site, "for-anna-2") == "sent"
    led = anna.get("/m/for-anna-2", follow_redirects=False)
    assert led.headers["Location"] == f"/console#{case}"
    assert state_of(site, "for-anna-2") == "seen"
    assert anna.get("/m/unknown", follow_redirects=False).status_code == 404


def test_acknowledging_from_the_case_counts(
    site, case: int, anna: httpx.Client, bo: httpx.Client
) -> None:
    queue(site, case, token="for-anna-3")
    assert bo.post(f"/api/v1/incidents/{case}/known").json() == {"acknowledged": 0}
    assert anna.post(f"/api/v1/incidents/{case}/known").json()["acknowledged"] >= 1
    assert state_of(site, "for-anna-3") == "acknowledged"


def test_a_browser_says_that_a_message_arrived_without_being_signed_in(site, case: int) -> None:
    queue(site, case, kind="push", token="for-anna-4")
    stranger = site.client(None)
    assert stranger.post("/m/for-anna-4/arrived").status_code == 204
    assert state_of(site, "for-anna-4") == "delivered"
    assert stranger.post("/m/nothing/arrived").status_code == 204
    worker = stranger.get("/notify/push-worker.js")
    assert worker.headers["Content-Type"].startswith("text/javascript")


def test_a_test_message_is_queued_for_whoever_asks(site, anna: httpx.Client) -> None:
    assert anna.post("/api/v1/contact", json={"email": "anna@city.example"}).status_code == 200
    items = {i["name"]: i for i in anna.get("/api/v1/channels").json()["items"]}
    assert items["mail"]["reaches_me"]
    assert not items["push"]["reaches_me"]
    answer = anna.post("/api/v1/channels/mail/test")
    assert answer.status_code == 201
    (made,) = answer.json()["deliveries"]
    found = site.sql("SELECT person, target, step, state FROM delivery WHERE id = %s", (made,))
    assert found == [("anna", "anna@city.example", "test", "queued")]
    assert anna.post("/api/v1/channels/push/test").json()["field"] == "channel"
    assert anna.post("/api/v1/channels/room/test").status_code == 403
    assert anna.post("/api/v1/channels/none/test").status_code == 404


def test_who_signs_out_is_not_there_any_more(site, people) -> None:
    def there() -> bool:
        with site.pool.connection() as conn:
            long_ago = datetime.now(UTC) - timedelta(days=30)
            rows = contacts.list_reachable(conn, DISTRICT, long_ago)
        return next(row.signed_in for row in rows if row.name == "bo")

    site.sql("DELETE FROM session_begin WHERE name = 'bo'")
    _key, p256dh, auth = browser_keys()
    browser = {"endpoint": f"https://{HOST}/bo", "p256dh": p256dh, "auth": auth}
    with signed_in(site, "bo") as desk, signed_in(site, "bo") as phone:
        assert there()
        assert with_csrf(desk).post("/api/v1/contact/browsers", json=browser).status_code == 201
        desk.post("/logout")
        assert there()
        assert with_csrf(phone).get("/api/v1/contact").json()["browsers"] == []
        phone.post("/logout")
        assert not there()
