"""A person says how they are reached, a browser shows a message, and the case says who knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app.settings import DEMO_DISTRICT
from bench.installation import Installation
from city.delivery import Channel, ChannelKind, DeliveryState, NewDelivery
from city.incident import Role
from db import deliveries, message_settings
from tests.acceptance.browser.conftest import Person, SignIn

NAMES = ("page-mail", "page-push")
# Nobody listens there: a message stays in the queue with the reason.
NOWHERE = "smtp://127.0.0.1:9"


@pytest.fixture
def channels(installation: Installation) -> Iterator[None]:
    """Two channels while it lasts."""
    with psycopg.connect(installation.postgres, autocommit=True) as conn:
        made = [
            Channel(NAMES[0], ChannelKind.EMAIL, NOWHERE, sender="d@city.example"),
            Channel(NAMES[1], ChannelKind.PUSH, "mailto:d@city.example", hosts=("push.example",)),
        ]
        message_settings.save_channels(conn, DEMO_DISTRICT, made)
        yield
        message_settings.delete_channels(conn, DEMO_DISTRICT, NAMES)


def report(installation: Installation) -> int:
    asked = {"category": "05-02", "lon": 110.36, "lat": 20.01, "description": "smell of gas"}
    answer = installation.api(Role.DISPATCHER).post("/incidents", json=asked)
    return int(answer.json()["id"])


def send_push(installation: Installation, case: int, token: str) -> None:
    """A message that a push service has taken."""
    now = datetime.now(UTC)
    with psycopg.connect(installation.postgres, autocommit=True) as conn:
        new = NewDelivery(
            district=DEMO_DISTRICT,
            incident_id=case,
            event_seq=None,
            step="opened",
            clock="",
            attempt=0,
            person="dispatcher",
            channel=NAMES[1],
            kind="push",
            target="0",
            lang="zh",
            title="红色案件",
            body="内容",
            token=token,
            rings=True,
            urgent=True,
            queued_at=now,
            due_at=now + timedelta(hours=1),
            expires_at=now + timedelta(hours=2),
        )
        made = deliveries.insert_delivery(conn, new)
        assert made is not None
        deliveries.mark_sent(conn, made, DeliveryState.SENT, "text", now)


def deliver(person: Person, token: str) -> None:
    """What the browser does when its push service sends it something."""
    person.context.grant_permissions(["notifications"], origin=person.base)
    session = person.context.new_cdp_session(person.page)
    found: list[dict[str, Any]] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated", lambda told: found.extend(told["registrations"])
    )
    session.send("ServiceWorker.enable")
    person.page.evaluate(
        "navigator.serviceWorker.register('/notify/push-worker.js', {scope: '/notify/'})"
        ".then(made => new Promise(done => { const look = () => made.active"
        " ? done() : setTimeout(look, 50); look(); }))"
    )
    mine = person.until(lambda: [r for r in found if r["scopeURL"].endswith("/notify/")])
    told = {"title": "红色案件", "body": "内容", "url": f"{person.base}/m/{token}", "token": token}
    session.send(
        "ServiceWorker.deliverPushMessage",
        {
            "origin": person.base,
            "registrationId": mine[-1]["registrationId"],
            "data": json.dumps(told),
        },
    )


def test_a_person_is_reached_and_says_that_they_know(
    sign_in: SignIn, installation: Installation, channels: None
) -> None:
    desk = sign_in("dispatcher", lang="en")
    desk.open("/notify")
    desk.until_text("#notify-channels", "you have no address there")
    desk.page.fill("input[name=email]", "nobody")
    desk.page.get_by_role("button", name="Save").click()
    desk.until_text("#notice", "must be an address")
    desk.page.fill("input[name=email]", "desk@city.example")
    desk.page.get_by_role("button", name="Save").click()
    mail = desk.page.locator(f"[data-channel={NAMES[0]}]")
    desk.until(lambda: mail.get_by_role("button").count() == 1)
    mail.get_by_role("button").click()
    desk.until_text("#notify-list", "d…@city.example")
    desk.until_text(f"[data-channel={NAMES[0]}]", "Connection refused", 30)
    case = report(installation)
    token = f"page-{case}"
    send_push(installation, case, token)
    deliver(desk, token)
    desk.until_text("#notify-list", "delivered", 20)
    # The link of the message opens the case.
    desk.open(f"/m/{token}")
    desk.until_text("#detail", "Who was told")
    desk.until_text("#detail .gw-told", "seen")
    desk.page.locator(f"[data-known='{case}']").click()
    desk.until_text("#detail .gw-told", "acknowledged")
    assert desk.page.locator(f"[data-known='{case}']").count() == 0
    faults = [fault for fault in desk.faults if "422" not in fault]  # the address that was none
    assert (faults, desk.abroad) == ([], [])


def test_messages_fit_a_phone(sign_in: SignIn, channels: None) -> None:
    phone = sign_in("squad", phone=True)
    phone.open("/notify")
    phone.until_text("#notify-own", "免打扰")
    phone.until_text("#notify-channels", NAMES[0])
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert phone.faults == []
