"""What never reached us is found by the numbers of its senders: stored, followed, told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import books as bookkeeping
from city.gateway import Heard
from city.moment import as_microseconds
from city.sequence import FEEDS
from columns.numbers import NUMBER_DTYPE
from dashboard.screens.operations.books_load import BooksItem, read_books
from db import sequences
from db.gateways import note_gateways
from db.pool import Connection, connect
from ingest.message import Message
from ingest.sequence_steps import follow_numbers
from tests.integration.ingest.field import DISTRICT, Field, milliseconds
from tests.integration.ingest.own_broker import OwnBroker
from tests.integration.ingest.workers import Publisher, Site, leave, new_site, wait_until, working

DEVICES = 5
KNOWN = 10
LATER = timedelta(minutes=2)


def numbered(field: Field, number: int, device: int = 0, **changes: Any) -> Message:
    """A second after the one with the number before."""
    at = field.now - timedelta(seconds=600 - number)
    readings = {"ts": milliseconds(at), "seq": number, "readings": {"ch4_pct_lel": 1}}
    topic = f"city/v1/{DISTRICT}/gas/{field.codes[device]}/telemetry"
    received_at = at + timedelta(milliseconds=200)
    return Message(topic, json.dumps(readings).encode(), False, received_at)._replace(**changes)


def books(field: Field, now: datetime | None = None) -> BooksItem:
    now = now or field.now
    follow_numbers(field.conn, now)
    return read_books(field.conn, now - timedelta(hours=1), now, now)


def count_up(field: Field, numbers: range, devices: int = DEVICES) -> None:
    field.store(*(numbered(field, n, device) for n in numbers for device in range(devices)))


def test_a_run_of_numbers_that_is_missing_of_several_devices_is_one_loss(field: Field) -> None:
    count_up(field, range(100))
    assert books(field).balanced
    count_up(field, range(103, 110))
    found = books(field)
    (loss,) = found.missing
    assert (loss.messages, loss.sources) == (3 * DEVICES, DEVICES)
    assert loss.names == sorted(field.codes[:DEVICES])
    assert (loss.from_, loss.to) == (
        field.now - timedelta(seconds=499.8),
        field.now - timedelta(seconds=497.8),
    )
    assert not found.balanced
    assert [(item.feed, item.usable) for item in found.numbers] == [("native", DEVICES)]


def test_messages_that_come_late_take_the_alarm_back(field: Field) -> None:
    count_up(field, range(KNOWN))
    count_up(field, range(KNOWN + 5, KNOWN + 8))
    assert not books(field).balanced
    count_up(field, range(KNOWN, KNOWN + 5))
    assert books(field).balanced
    (total,) = sequences.list_totals(field.conn)
    assert (total.missing, total.late) == (5 * DEVICES, 5 * DEVICES)


def test_a_gap_that_may_still_close_is_not_told(field: Field) -> None:
    count_up(field, range(585))
    field.store(numbered(field, 590))
    assert books(field).balanced
    assert not books(field, field.now + timedelta(minutes=1)).balanced


def test_a_message_that_is_stored_again_changes_nothing(field: Field) -> None:
    count_up(field, range(KNOWN))
    for _ in range(3):
        field.store(numbered(field, 4), numbered(field, 5, again=True))
    assert books(field).balanced


def test_a_refused_message_came(field: Field) -> None:
    count_up(field, range(KNOWN), 1)
    field.store(numbered(field, KNOWN, payload=b"{broken"))
    count_up(field, range(KNOWN + 1, KNOWN + 5), 1)
    assert books(field).balanced


def test_a_batch_costs_one_row_and_following_it_one_for_thousands_of_devices(
    field: Field,
) -> None:
    for number in range(0, 20, 5):
        count_up(field, range(number, number + 5), 50)
    assert field.one("SELECT count(*) FROM sequence_batch") == 4
    follow_numbers(field.conn, field.now)
    assert field.one("SELECT count(*) FROM sequence_batch") == 0
    assert field.one("SELECT count(*) FROM sequence_state") == 1
    assert field.one("SELECT count(*) FROM sequence_gap") == 0


def test_messages_without_numbers_cost_nothing(field: Field) -> None:
    field.store(field.telemetry({"ch4_pct_lel": 1}, field.now))
    assert field.one("SELECT count(*) FROM sequence_batch") == 0


def test_only_one_follows_at_a_time(field: Field, database_url: str) -> None:
    count_up(field, range(KNOWN))
    field.conn.commit()
    with connect(database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (sequences.FOLLOW_LOCK,))
        assert follow_numbers(field.conn, field.now) == 0
    assert follow_numbers(field.conn, field.now) == KNOWN * DEVICES


def test_old_losses_and_numbers_that_nobody_followed_are_forgotten(field: Field) -> None:
    count_up(field, range(KNOWN))
    count_up(field, range(KNOWN + 5, KNOWN + 8))
    follow_numbers(field.conn, field.now)
    count_up(field, range(KNOWN + 8, KNOWN + 9))
    sequences.forget(field.conn, field.now + timedelta(days=1))
    assert field.one("SELECT count(*) FROM sequence_gap") == DEVICES
    sequences.forget(field.conn, field.now + timedelta(days=91))
    assert field.one("SELECT count(*) FROM sequence_gap") == 0
    assert field.one("SELECT count(*) FROM sequence_batch") == 0


def test_a_gateway_is_told_what_the_devices_lose_that_it_hears(field: Field) -> None:
    rows = field.conn.execute(
        "SELECT id FROM device WHERE format = 'chirpstack' ORDER BY code LIMIT 3"
    ).fetchall()
    received_us = as_microseconds(field.now)
    code = FEEDS.index("chirpstack")
    said = [
        (device, code, 0, number, received_us + number, received_us + number)
        for (device,) in rows
        for number in (*range(KNOWN), KNOWN + 10)
    ]
    sequences.insert_numbers(field.conn, np.array(said, NUMBER_DTYPE), [])
    heard = [
        Heard("chirpstack", "0a0000b1", "lorawan_gateway", field.now, device_id=device)
        for (device,) in rows
    ]
    note_gateways(field.conn, heard)
    found = books(field)
    assert found.balanced  # radio loses
    (share,) = [row for row in found.gateways if row.gateway == "0a0000b1"]
    assert (share.feed, share.devices) == ("chirpstack", 3)
    assert share.share == pytest.approx(10 / 21, abs=0.001)
    assert len(found.lossy) == 3


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnBroker]:
    broker = OwnBroker(tmp_path).start()
    yield broker
    broker.kill()


@pytest.fixture
def site(broker: OwnBroker, database_url: str, redis_url: str) -> Iterator[Site]:
    site = new_site(broker.url, database_url, redis_url)
    yield site
    leave(site)


def send(site: Site, numbers: range) -> None:
    """Every message is acknowledged by the broker."""
    publisher = Publisher(site.settings.mqtt_url)
    try:
        for number in numbers:
            for device in range(DEVICES):
                ts = milliseconds(datetime.now(UTC)) + number  # no two messages of one time
                body = {"ts": ts, "seq": number, "readings": {"ch4_pct_lel": 1}}
                publisher.send(site.topic(device), json.dumps(body).encode())
        publisher.send_and_wait("city/v1/nobody", b"{}")
    finally:
        publisher.close()


def stored_since(site: Site, since: datetime) -> int:
    """Readings that were measured since then."""
    return int(site.row("SELECT count(*) FROM reading WHERE ts >= %s", since)[0])


def verified(conn: Connection) -> dict[str, Any]:
    now = datetime.now(UTC) + LATER
    found = bookkeeping.read(conn, now - timedelta(hours=1), now, now)
    return bookkeeping.as_json(found) | {"lines": list(bookkeeping.lines(found))}


def counted(site: Site) -> int:
    """Looks at the broker's counters."""
    return int(site.row("SELECT count(*) FROM broker_count WHERE version <> ''")[0])


def test_what_a_full_queue_of_ours_dropped_is_told_with_time_and_number(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    broker = OwnBroker(tmp_path, "max_queued_messages 60").start()
    site = new_site(broker.url, database_url, redis_url)
    try:
        with working(site):
            send(site, range(KNOWN))
            wait_until(lambda: site.stored() >= KNOWN * DEVICES and counted(site) > 0, 20)
        assert verified(db)["broker"]["balanced"]
        send(site, range(KNOWN, KNOWN + 40))  # two hundred
        with working(site):
            wait_until(lambda: site.stored() >= KNOWN * DEVICES + 50, 20)  # what was kept
            last = datetime.now(UTC)
            send(site, range(KNOWN + 40, KNOWN + 42))
            wait_until(lambda: stored_since(site, last) == 2 * DEVICES, 20)
            wait_until(lambda: verified(db)["broker"]["drops"] != [], 20, 1)
            found = verified(db)
    finally:
        broker.kill()
    assert not found["broker"]["balanced"]
    assert any("the broker gave up" in line for line in found["lines"])
    # A worker's two sessions are both owed what gas sensors say, so the broker counts it twice.
    missing = (KNOWN + 42) * DEVICES - site.stored()
    assert missing >= 140
    assert missing <= sum(drop["deliveries"] for drop in found["broker"]["drops"])
    # The senders' numbers say how many messages that were.
    assert sum(loss["messages"] for loss in found["sequences"]["missing"]) == missing


def test_what_a_killed_broker_had_acknowledged_and_not_saved_is_found_and_told(
    broker: OwnBroker, site: Site, db: Connection
) -> None:
    with working(site):
        send(site, range(KNOWN))
        wait_until(lambda: site.stored() >= KNOWN * DEVICES, 20)
    began = datetime.now(UTC)
    send(site, range(KNOWN, KNOWN + 7))
    broker.kill()
    broker.start()
    ended = datetime.now(UTC)
    with working(site):
        send(site, range(KNOWN + 7, KNOWN + 10))
        wait_until(lambda: site.stored() >= (KNOWN + 3) * DEVICES, 20)
    found = verified(db)
    assert not found["sequences"]["balanced"]
    assert sum(loss["messages"] for loss in found["sequences"]["missing"]) == 7 * DEVICES
    (loss,) = found["sequences"]["missing"]
    assert loss["sources"] == DEVICES
    assert datetime.fromisoformat(loss["from"]) < ended
    assert datetime.fromisoformat(loss["to"]) > began
    assert f"{7 * DEVICES} messages of {DEVICES} senders" in found["lines"][0]
    assert found["broker"]["balanced"]  # nor can it say what it took with it
    assert site.imbalances() == []  # it begins at receipt, and cannot know
