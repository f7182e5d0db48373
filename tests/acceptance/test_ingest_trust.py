"""Nothing lost, nothing doubled: ingest processes between real servers, and what happens to them.

After each of these the ledger must balance and the counts must be what the publisher knows it sent.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import stack as embedded
from bench import mqtt_load, processes
from db.pool import connect
from stack import Services
from stack.account import server_account
from tests.conftest import ROOT, with_database
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

READY_S = 60.0
DRAIN_S = 120.0


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


class Load:
    """Messages at an even rate from a thread of its own, each acknowledged by the broker."""

    def __init__(self, site: Site, publisher: Publisher, rate: int) -> None:
        self._site, self._publisher, self._rate = site, publisher, rate
        self._ended = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ended.is_set():
            while self.sent < (time.monotonic() - began) * self._rate:
                self._publisher.send(self._site.topic(self.sent), payload(self.sent))
                self.sent += 1
            time.sleep(0.01)

    def end(self) -> int:
        """Stop; how many messages the broker has taken."""
        self._ended.set()
        self._thread.join()
        self._publisher.send_and_wait(self._site.topic(self.sent), payload(self.sent))
        return self.sent + 1


def all_is_there(site: Site, count: int) -> None:
    """Exactly the messages that were sent, each once, and books that say so."""
    wait_until(lambda: site.stored() >= count, DRAIN_S)
    time.sleep(1.0)  # what would come twice has come by now
    assert site.stored() == count
    assert site.readings() == count
    assert site.imbalances() == []


@pytest.mark.slow
def test_an_inbox_killed_twenty_times_in_mid_batch_loses_and_doubles_nothing(
    site: Site, publisher: Publisher
) -> None:
    dice = random.Random(20)
    process = start_process(site)
    wait_until(lambda: is_subscribed(site), READY_S)
    load = Load(site, publisher, rate=1000)
    try:
        for _ in range(20):
            before = site.stored()
            wait_until(lambda before=before: site.stored() > before, READY_S, 0.02)  # type: ignore[misc]
            time.sleep(dice.uniform(0.0, 0.1))
            kill(process)
            process = start_process(site)
        sent = load.end()
        all_is_there(site, sent)
        print(f"{sent} messages, 20 kills")
    finally:
        load.end()
        kill(process)


@pytest.mark.slow
def test_an_inbox_that_is_killed_and_never_comes_back_swallows_nothing(
    site: Site, publisher: Publisher
) -> None:
    """Its session is taken over by the one that stands by; nothing is queued for the dead."""
    inboxes = {
        name: start_process(site, worker_name=name, storers=1) for name in ("first", "second")
    }
    try:
        wait_until(lambda: is_subscribed(site), READY_S)
        load = Load(site, publisher, rate=1000)
        time.sleep(3.0)
        (holder,) = site.row("SELECT process FROM inbox_lease")
        kill(inboxes[holder])
        time.sleep(5.0)
        all_is_there(site, load.end())
        (heir,) = site.row("SELECT process FROM inbox_lease")
        assert heir != holder
    finally:
        for process in inboxes.values():
            if process.poll() is None:
                kill(process)


def test_ten_thousand_invalid_messages_do_not_delay_the_valid_one_behind_them(
    site: Site, publisher: Publisher
) -> None:
    with working(site):
        for number in range(10_000):
            publisher.send(site.topic(number), b"{broken %d" % number)
        publisher.send_and_wait(site.topic(0), payload(0))
        began = time.monotonic()
        wait_until(lambda: site.stored() == 1, 10, 0.02)
        assert time.monotonic() - began < 1
        wait_until(lambda: refused(site) >= 10_000, 10)
        assert site.imbalances() == []


def refused(site: Site) -> int:
    return int(site.row("SELECT coalesce(sum(rejected), 0) FROM ingest_batch")[0])


def test_a_publisher_that_sends_again_with_dup_is_counted_as_it_is(site: Site) -> None:
    """The broker passes each on as a new message; the unique index knows better."""
    with working(site), raw_publisher(site) as sock:
        for number in range(200):
            packet = bytearray(mqtt_load.packet(site.topic(number), payload(number), number + 1))
            sock.sendall(packet)
            packet[0] |= 0x08
            sock.sendall(packet)
        wait_until(lambda: site.stored() >= 200, 20)
        time.sleep(0.5)
        assert (site.stored(), site.readings()) == (200, 200)
        assert site.imbalances() == []


def test_a_message_without_a_time_that_the_broker_sends_again_is_stored_once(
    site: Site, publisher: Publisher
) -> None:
    """Killed between the commit and the acknowledgement: the broker cannot know it is stored."""
    body = json.dumps({"readings": {"ch4_pct_lel": 1.25}}).encode()
    with connect(site.settings.database_url, autocommit=True) as conn:
        # The commit takes so long that the kill comes before the acknowledgement.
        conn.execute(
            """
            CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_sleep(1.0); RETURN NULL; END $$
            """
        )
        conn.execute(
            """
            CREATE CONSTRAINT TRIGGER doze AFTER INSERT ON ingest_batch
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION doze()
            """
        )
    process = start_process(site)
    try:
        wait_until(lambda: is_subscribed(site), READY_S)
        before = received(site)
        publisher.send_and_wait(site.topic(0), body)
        dozing = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        wait_until(lambda: site.row(dozing)[0] > 0, READY_S, 0.01)
        kill(process)  # in the middle of the commit, which the server finishes by itself
        process = start_process(site)
        wait_until(lambda: received(site) >= before + 2, READY_S)
        assert (site.stored(), site.readings()) == (1, 1)
        publisher.send_and_wait(site.topic(0), body)
        wait_until(lambda: site.readings() == 2, READY_S)  # the same value again is news
    finally:
        kill(process)


def received(site: Site) -> int:
    return int(site.row("SELECT coalesce(sum(received), 0) FROM ingest_batch")[0])


@contextmanager
def raw_publisher(site: Site) -> Iterator[socket.socket]:
    address = urlsplit(site.settings.mqtt_url)
    sock = mqtt_load.connect(address.hostname or "", address.port or 0, "test-dup")
    try:
        yield sock
    finally:
        sock.close()


@pytest.mark.slow
def test_every_server_restarted_under_load_loses_nothing(
    site: Site, publisher: Publisher, stack: Services
) -> None:
    process = start_process(site)
    try:
        wait_until(lambda: is_subscribed(site), READY_S)
        load = Load(site, publisher, rate=1000)
        for server in ("postgres", "mosquitto", "redis", "postgres", "mosquitto"):
            time.sleep(2)
            stack.restart(server)
        time.sleep(2)
        sent = load.end()
        wait_until(lambda: site.stored() >= sent, DRAIN_S)
        # The publisher sends again what a restarting broker had not acknowledged.
        assert (site.stored(), site.readings()) == (sent, sent)
        assert site.imbalances() == []
    finally:
        load.end()
        kill(process)


@pytest.mark.slow
def test_what_the_broker_holds_while_nobody_listens_is_drained(
    site: Site, publisher: Publisher
) -> None:
    """Thirty times what Mosquitto keeps by its own default."""
    with working(site):
        pass
    count = 30_000
    for number in range(count):
        publisher.send(site.topic(number), payload(number))
    publisher.send_and_wait(site.topic(count), payload(count))
    with working(site):
        all_is_there(site, count + 1)


@pytest.mark.slow
def test_memory_is_bounded_while_the_database_is_away(
    site: Site, publisher: Publisher, stack: Services
) -> None:
    """Ten times the bound waits at the broker, part of it in large messages."""
    process = start_process(site)
    try:
        wait_until(lambda: is_subscribed(site), READY_S)
        time.sleep(1.0)
        stack.stop("postgres")
        before = resident_mib(process)
        large = b'{"padding":"' + b"x" * 200_000 + b'"}'
        for number in range(3000):
            publisher.send(site.topic(number), large)
        for number in range(20_000):
            publisher.send(site.topic(number), payload(number))
        publisher.send_and_wait(site.topic(20_000), payload(20_000))
        time.sleep(3.0)
        grown = resident_mib(process) - before
        stack.start("postgres")
        wait_until(lambda: site.stored() >= 20_001, DRAIN_S, 1.0)
        wait_until(lambda: refused(site) >= 3000, DRAIN_S, 1.0)
        assert grown < 250
        assert resident_mib(process) - before < 400
        assert site.imbalances() == []
    finally:
        kill(process)


def resident_mib(process: subprocess.Popen[bytes]) -> float:
    """Of the inbox and its workers."""
    pids = [process.pid, *processes.children(process.pid)]
    return sum(map(processes.rss_mib, pids))


@pytest.mark.slow
def test_gas_goes_first_when_a_backlog_waits(site: Site, publisher: Publisher) -> None:
    """Lamps first at the broker, gas behind them: gas is stored first all the same."""
    with working(site):
        time.sleep(1.0)  # both lanes are subscribed
    with connect(site.settings.database_url) as conn:
        rows = conn.execute("SELECT code FROM device WHERE kind = 'light' LIMIT 500").fetchall()
    lamps = [f"city/v1/{site.district}/light/{code}/telemetry" for (code,) in rows]
    lamp_count, gas_count = 20_000, 1000
    for number in range(lamp_count):
        body = payload(number).replace(b"ch4_pct_lel", b"power_w")
        publisher.send(lamps[number % len(lamps)], body)
    for number in range(gas_count):
        publisher.send(site.topic(number), payload(number))
    publisher.send_and_wait(site.topic(gas_count), payload(gas_count))
    process = start_process(site)
    try:
        of_metric = "SELECT count(*) FROM reading WHERE metric_id = %s"
        wait_until(lambda: site.row(of_metric, 1)[0] == gas_count + 1, READY_S, 0.02)
        assert site.row(of_metric, 42)[0] < lamp_count / 2
        all_is_there(site, lamp_count + gas_count + 1)
    finally:
        kill(process)


@pytest.fixture
def small_disk(servers: embedded.RunningStack) -> Iterator[Path]:
    """A file system of 10 MiB that the database server may write to."""
    folder = ROOT / ".stack" / "tests" / f"disk-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("a small file system needs the right to mount one")
    account = server_account(ROOT)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    shutil.rmtree(folder)


@pytest.mark.long
def test_a_full_disk_of_the_database_is_waited_for(
    site: Site, publisher: Publisher, servers: embedded.RunningStack, small_disk: Path
) -> None:
    with superuser(servers, site.settings.database_url) as conn:
        conn.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
        conn.execute("GRANT CREATE ON TABLESPACE small TO PUBLIC")
        conn.execute("SELECT attach_tablespace('small', 'reading')")
    count = 200_000
    process = start_process(site)
    try:
        wait_until(lambda: is_subscribed(site), READY_S)
        for number in range(count):
            publisher.send(site.topic(number), payload(number))
        publisher.send_and_wait(site.topic(count), payload(count))
        wait_until(lambda: free_bytes(small_disk) < 100_000, DRAIN_S)
        time.sleep(3.0)
        assert site.stored() < count, "the disk was to be too small for all"
        assert site.imbalances() == []
        grow = ["mount", "-o", "remount,size=500m", str(small_disk)]
        subprocess.run(grow, check=True)
        all_is_there(site, count + 1)
    finally:
        kill(process)
        with superuser(servers, servers.postgres) as conn:
            name = site.settings.database_url.rpartition("/")[2].partition("?")[0]
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
            conn.execute("DROP TABLESPACE small")


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@contextmanager
def superuser(servers: embedded.RunningStack, database_url: str) -> Iterator[psycopg.Connection]:
    passwords = json.loads(
        (ROOT / ".stack/tests" / str(os.getpid()) / "passwords.json").read_text()
    )
    address = urlsplit(servers.postgres)
    url = f"postgresql://postgres:{passwords['superuser']}@{address.hostname}:{address.port}/x"
    name = database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(with_database(url, name), autocommit=True) as conn:
        yield conn
