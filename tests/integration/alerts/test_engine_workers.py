"""Three ingest workers share the messages: the alarms are those of one reading after another."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.book import AlarmBook
from alerts.course import judge_sample
from alerts.judge import Sample
from alerts.rule_files import parse_rule
from alerts.steps import apply_rules, default_rules, evaluate_waiting
from city.device import WatchedDevice
from db.evaluation import list_watched_devices
from db.pool import connect
from tests.integration.ingest.workers import (
    FIRST_MS,
    Publisher,
    Site,
    leave,
    new_site,
    payload,
    wait_until,
    working,
)

DEVICES, STEPS = 20, 40
# Within a second of each other, so that neighbours in time often go to different workers.
STEP_MS = 25
# No two of a device's values mean the same: clear, between, over the limit, far over it.
VALUES = (1.0, 15.0, 25.0, 60.0)


@pytest.fixture
def site(mqtt_url: str, database_url: str, redis_url: str) -> Iterator[Site]:
    site = new_site(mqtt_url, database_url, redis_url)
    yield site
    leave(site)


def test_three_workers_raise_what_one_after_the_other_would(site: Site) -> None:
    chance = random.Random(7)
    history = [
        (site.codes[number], step * STEP_MS * DEVICES + number, chance.choice(VALUES))
        for step in range(STEPS)
        for number in range(DEVICES)
    ]
    with connect(site.settings.database_url) as conn:
        apply_rules(conn, "system", default_rules(), datetime.now(UTC))
        devices = {device.code: device for device in list_watched_devices(conn)}
    publisher = Publisher(site.settings.mqtt_url)
    with working(site, storers=3, batch_size=50):
        for code, at, value in history:
            topic = f"city/v1/{site.district}/gas/{code}/telemetry"
            publisher.send(topic, payload(at, value))
        for _ in range(20):
            evaluate(site)
        wait_until(lambda: site.readings() >= len(history), 30)
    publisher.close()
    while evaluate(site):
        pass
    workers = site.row("SELECT count(DISTINCT worker) FROM ingest_batch WHERE readings_stored > 0")
    assert workers[0] > 1
    with connect(site.settings.database_url) as conn:
        found = conn.execute("SELECT condition, severity, state FROM alarm").fetchall()
        delays = conn.execute("SELECT device_id, started_at FROM rule_timer").fetchall()
    book = in_order(history, devices)
    alarms = [page.alarm for page in book.pages]
    assert sorted(found) == sorted((a.condition, int(a.severity), a.state.value) for a in alarms)
    assert sorted(delays) == sorted((t.device_id, t.started_at) for t in book.started.values())


def evaluate(site: Site) -> bool:
    with connect(site.settings.database_url) as conn:
        done = evaluate_waiting(conn, datetime.now(UTC))
    return done is not None


def in_order(history: list[tuple[str, int, float]], devices: dict[str, WatchedDevice]) -> AlarmBook:
    book = AlarmBook(datetime.now(UTC))
    rule = replace(parse_rule(default_rules()["gas-lel.toml"]), version=1)
    for code, at, value in sorted(history, key=lambda item: item[1]):
        ts = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=FIRST_MS + at)
        judge_sample(book, rule, devices[code], Sample(ts, ts, value))
    return book
