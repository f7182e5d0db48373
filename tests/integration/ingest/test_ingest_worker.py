"""The ingest worker between a real broker and a real database, and what may happen to them."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from bench import processes
from db.live import Wakeups, open_redis
from db.pool import connect
from ingest.message import GAS_LANE
from stack import Services
from tests.integration.ingest.workers import (
    Publisher,
    Site,
    is_subscribed,
    kill,
    leave,
    new_site,
    payload,
    start_process,
    wait_until,
    working,
)

DRAIN_S = 60.0
SERVERS = ("mosquitto", "postgres", "redis")


@pytest.fixture
def site(mqtt_url: str, database_url: str, redis_url: str) -> Iterator[Site]:
    site = new_site(mqtt_url, database_url, redis_url)
    yield site
    leave(site)


@pytest.fixture
def publisher(mqtt_url: str) -> Iterator[Publisher]:
    publisher = Publisher(mqtt_url)
    yield publisher
    publisher.close()


def test_a_message_is_stored_within_a_second_and_evaluation_is_woken(
    site: Site, publisher: Publisher, redis_url: str
) -> None:
    wakeups = Wakeups(open_redis(redis_url), "evaluate")
    wakeups.wait(0.2)
    with working(site):
        began = time.monotonic()
        publisher.send(site.topic(0), payload(0))
        assert wakeups.wait(5)
        wait_until(lambda: site.stored() == 1, 5, 0.01)
        assert time.monotonic() - began < 1
    wakeups.close()


def test_an_invalid_thousand_does_not_delay_the_valid_one_behind_it(
    site: Site, publisher: Publisher
) -> None:
    with working(site):
        rejected = rejects(site)
        for number in range(1000):
            publisher.send(site.topic(number), b"{broken %d" % number)
        publisher.send_and_wait(site.topic(0), payload(0))
        began = time.monotonic()
        wait_until(lambda: site.stored() == 1, 10, 0.02)
        # A second on a machine of one's own; a thousand that were tried again would take minutes.
        assert time.monotonic() - began < 5
        assert rejects(site) == rejected + 1000
        assert site.imbalances() == []


def test_a_message_published_twice_is_stored_once(site: Site, publisher: Publisher) -> None:
    with working(site):
        for _ in range(3):
            publisher.send(site.topic(0), payload(0))
        publisher.send_and_wait(site.topic(1), payload(1))
        wait_until(lambda: site.stored() == 2, 10)
        wait_until(lambda: duplicates(site) == 2, 10)
        assert site.readings() == 2


def test_messages_without_a_time_that_come_at_once_are_all_stored(
    site: Site, publisher: Publisher
) -> None:
    """A detector without a clock says off, then on, while we are away: both are read at once."""
    with working(site):
        publisher.send_and_wait(site.topic(0), payload(0))
        wait_until(lambda: site.stored() == 1, 10)
    values = [0.5, 62.5] * 20
    for value in values:
        publisher.send(site.topic(0), b'{"readings": {"ch4_pct_lel": %.1f}}' % value)
    publisher.send_and_wait(site.topic(1), payload(1))
    with working(site):
        wait_until(lambda: site.stored() == 2 + len(values), 20)
        assert site.readings() == 2 + len(values)
        (found,) = site.row(
            "SELECT array_agg(value ORDER BY ts) FROM reading WHERE value IN (0.5, 62.5)"
        )
        assert found == values
        assert site.imbalances() == []


def test_a_killed_worker_loses_and_doubles_nothing(site: Site, publisher: Publisher) -> None:
    count, kills = 4000, 5
    process = start_process(site)
    wait_until(lambda: is_subscribed(site), 20)
    dice = random.Random(4)
    for round_ in range(kills):
        for number in range(round_ * count // kills, (round_ + 1) * count // kills):
            publisher.send(site.topic(number), payload(number))
        time.sleep(dice.uniform(0.02, 0.4))
        kill(process)
        process = start_process(site)
    try:
        wait_until(lambda: site.stored() >= count, DRAIN_S)
        time.sleep(0.5)  # what would come twice has come by now
        assert site.stored() == count
        assert site.readings() == count
        assert site.imbalances() == []
    finally:
        kill(process)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("way", ["restart", "kill"])
def test_a_server_that_goes_and_comes_back_under_load_is_waited_for(
    site: Site,
    publisher: Publisher,
    stack: Services,
    server: str,
    way: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    count = 3000
    with working(site):
        caplog.clear()
        sending = threading.Thread(target=send_slowly, args=(site, publisher, count))
        sending.start()
        time.sleep(0.5)
        if way == "restart":
            stack.restart(server)
        else:
            stack.kill(server)
            time.sleep(1.5)
            stack.start(server)
        sending.join(DRAIN_S)
        # A killed broker forgets sessions and messages younger than its last save.
        least = count if (server, way) != ("mosquitto", "kill") else 1
        wait_until(lambda: site.stored() >= least, DRAIN_S)
        before = site.stored()
        publisher.send_and_wait(site.topic(count), payload(count))
        wait_until(lambda: site.stored() > before, DRAIN_S)
        # After a killed broker the publisher sends again what was on its way.
        wait_until(lambda: site.readings() == site.stored(), DRAIN_S)
        assert site.imbalances() == []
    assert [record for record in caplog.records if record.exc_info] == []


def send_slowly(site: Site, publisher: Publisher, count: int) -> None:
    """About three seconds of load."""
    for number in range(count):
        publisher.send(site.topic(number), payload(number))
        if number % 50 == 0:
            time.sleep(0.05)


def test_the_one_message_that_the_database_refuses_is_quarantined_and_the_rest_flows(
    site: Site, publisher: Publisher
) -> None:
    with connect(site.settings.database_url, autocommit=True) as conn:
        conn.execute(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.value = 666 THEN RAISE EXCEPTION 'poison'; END IF;
                RETURN NEW;
            END $$
            """
        )
        conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON reading FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    with working(site):
        before = rejects(site)
        for number in range(300):
            publisher.send(site.topic(number), payload(number, 666 if number == 123 else 1))
        wait_until(lambda: site.stored() == 299, 20)
        wait_until(lambda: rejects(site) == before + 1, 20)
        reason, detail = site.row("SELECT reason, detail FROM reject ORDER BY id DESC LIMIT 1")
        assert (reason, "poison" in detail) == ("store_failed", True)
        assert site.imbalances() == []


def test_a_device_imported_while_the_worker_runs_is_known_within_two_seconds(
    site: Site, publisher: Publisher
) -> None:
    topic = f"city/v1/{site.district}/gas/NEW-1/telemetry"
    with working(site):
        publisher.send_and_wait(topic, payload(0))
        with connect(site.settings.database_url) as conn:
            conn.execute(
                """
                INSERT INTO device (code, district, kind, name, lon, lat, created_at)
                VALUES ('NEW-1', %s, 'gas', 'New', 110.3, 20, now())
                """,
                (site.district,),
            )
        time.sleep(1.1)
        publisher.send_and_wait(topic, payload(1))
        wait_until(lambda: site.stored() == 1, 1)


def test_a_stopped_worker_finds_its_messages_when_it_comes_back(
    site: Site, publisher: Publisher
) -> None:
    with working(site):
        publisher.send_and_wait(site.topic(0), payload(0))
        wait_until(lambda: site.stored() == 1, 10)
    for number in range(1, 200):
        publisher.send(site.topic(number), payload(number))
    publisher.send_and_wait(site.topic(200), payload(200))

    with working(site):
        wait_until(lambda: site.stored() == 201, 20)
        assert site.imbalances() == []


def test_two_workers_share_the_messages_and_store_each_once(
    site: Site, publisher: Publisher
) -> None:
    with working(site, storers=2, batch_size=100):
        for number in range(2000):
            publisher.send(site.topic(number), payload(number))
        wait_until(lambda: site.stored() == 2000, DRAIN_S)
        workers = site.row("SELECT count(DISTINCT worker) FROM ingest_batch WHERE stored > 0")
        assert workers == (2,)
        assert site.readings() == 2000
        assert site.imbalances() == []


def storers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Process ids of the workers of an inbox."""
    return processes.children(process.pid)


def test_a_storing_worker_that_is_killed_or_frozen_is_replaced_and_loses_nothing(
    site: Site, publisher: Publisher
) -> None:
    process = start_process(site)
    try:
        wait_until(lambda: is_subscribed(site) and len(storers_of(process)) == 2, 20)
        sending = threading.Thread(target=send_slowly, args=(site, publisher, 6000))
        sending.start()
        for signal_ in (signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL):
            time.sleep(1.0)
            os.kill(storers_of(process)[0], signal_)
        sending.join(DRAIN_S)
        wait_until(lambda: site.stored() >= 6000, DRAIN_S)
        time.sleep(0.5)
        assert (site.stored(), site.readings()) == (6000, 6000)
        assert site.imbalances() == []
        wait_until(lambda: len(storers_of(process)) == 2, 20)
    finally:
        kill(process)


# A worker as it is, but for one word that ends the process at once, as a fault of a library would.
FRAGILE = """
import os, sys
from ingest import worker
decode = worker.decode_messages
def fragile(messages):
    if any(b"fatal" in message.payload for message in messages):
        os._exit(9)
    return decode(messages)
worker.decode_messages = fragile
worker.main()
"""


@pytest.mark.slow
def test_a_message_that_ends_workers_is_put_aside_and_the_rest_flows(
    site: Site, publisher: Publisher
) -> None:
    with working(site, store_command=(sys.executable, "-c", FRAGILE)):
        before = rejects(site)
        for number in range(60):
            body = payload(number) if number != 23 else b'{"fatal": true}'
            publisher.send(site.topic(number), body)
        wait_until(lambda: site.stored() == 59, DRAIN_S)
        wait_until(lambda: rejects(site) == before + 1, DRAIN_S)
        reason, raw = site.row("SELECT reason, raw FROM reject ORDER BY id DESC LIMIT 1")
        assert (reason, bytes(raw)) == ("worker_ended", b'{"fatal": true}')
        assert site.readings() == 59
        assert site.imbalances() == []


def test_an_inbox_that_stands_by_takes_over_from_one_that_is_killed_or_frozen(
    site: Site, publisher: Publisher
) -> None:
    """Under the same session, so that nothing waits at the broker for somebody who is gone."""
    names = ("a", "b", "c")
    inboxes = {name: start_process(site, worker_name=name) for name in names}
    try:
        wait_until(lambda: is_subscribed(site), 20)
        number = 0
        for way in (signal.SIGKILL, signal.SIGSTOP):
            holder = str(site.row("SELECT process FROM inbox_lease")[0])
            os.kill(inboxes[holder].pid, way)
            began = time.monotonic()
            publisher.send_and_wait(site.topic(number), payload(number))
            number += 1
            wait_until(lambda n=number: site.stored() == n, 20, 0.02)  # type: ignore[misc]
            print(f"{way.name}: {time.monotonic() - began:.1f} s")
        for inbox in inboxes.values():  # whoever was frozen finds its place taken
            if inbox.poll() is None:
                os.kill(inbox.pid, signal.SIGCONT)
        publisher.send_and_wait(site.topic(number), payload(number))
        wait_until(lambda: site.stored() == number + 1, 20)
        assert site.readings() == number + 1
        assert site.imbalances() == []
    finally:
        for inbox in inboxes.values():
            if inbox.poll() is None:
                kill(inbox)


def test_what_waits_in_the_sessions_of_an_earlier_version_is_stored_and_they_end(
    site: Site, publisher: Publisher
) -> None:
    """It used shared subscriptions, one session a worker."""
    old = f"{site.settings.worker_name}-old"
    with working(site, session=old, worker_name=old, shared=True):
        pass
    client_id = f"gridwarden-ingest-{old}"
    filters = [f"$share/{share}" for share in ("ingest/city/#", "ingest-gas/city/v1/+/gas/#")]
    with connect(site.settings.database_url, autocommit=True) as conn:
        conn.execute("DELETE FROM inbox_lease")
        for lane in ("", GAS_LANE):
            conn.execute("INSERT INTO left_session VALUES (%s, %s)", (client_id + lane, filters))
    for number in range(50):
        publisher.send_and_wait(site.topic(number), payload(number))
    with working(site):
        wait_until(lambda: site.row("SELECT count(*) FROM left_session") == (0,), 20)
        wait_until(lambda: site.stored() == 50, 10)
        assert site.imbalances() == []


def test_a_worker_stops_while_the_database_is_away(site: Site, stack: Services) -> None:
    with working(site) as stop:
        stack.stop("postgres")
        try:
            stop.set()
            time.sleep(0.1)
        finally:
            stack.start("postgres")


def rejects(site: Site) -> int:
    return int(site.row("SELECT count(*) FROM reject")[0])


def duplicates(site: Site) -> int:
    return int(site.row("SELECT sum(duplicate) FROM ingest_batch")[0])
