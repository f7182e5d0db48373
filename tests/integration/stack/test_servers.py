"""The three embedded servers, started for real."""

import os
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from stack import Endpoints, RunningStack, StackError
from stack.account import parse_capabilities

WAIT_SECONDS = 20.0
SERVERS = ("postgres", "redis", "mosquitto")


class Client:
    """A client that keeps what it receives, from the moment it connects."""

    def __init__(self, url: str, topic: str = "", session: str = "") -> None:
        self.payloads: list[bytes] = []
        self._changed = threading.Condition()
        self._ready = False
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=session, clean_session=not session
        )
        self.mqtt.on_message = self._on_message
        self.mqtt.on_connect = lambda *_: self.mqtt.subscribe(topic or "nothing", qos=1)
        self.mqtt.on_subscribe = self._on_subscribe
        parts = urlsplit(url)
        self.mqtt.connect(parts.hostname or "", parts.port or 0)
        self.mqtt.loop_start()
        assert self._wait_until(lambda: self._ready)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def send(self, topic: str, payloads: Iterable[bytes], qos: int = 1) -> None:
        """Publish all of them and wait until the last has left."""
        for payload in payloads:
            sent = self.mqtt.publish(topic, payload, qos=qos)
        sent.wait_for_publish(WAIT_SECONDS)
        assert sent.is_published()

    def received(self, count: int) -> bool:
        return self._wait_until(lambda: len(self.payloads) >= count)

    def _wait_until(self, condition: Callable[[], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, WAIT_SECONDS)

    def _on_message(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self.payloads.append(message.payload)
            self._changed.notify()

    def _on_subscribe(self, *_: object) -> None:
        with self._changed:
            self._ready = True
            self._changed.notify()


@pytest.fixture
def cache(own_stack: RunningStack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(own_stack.redis) as client:
        yield client


def test_timescaledb_stores_and_finds_in_a_hypertable(own_stack: RunningStack) -> None:
    with psycopg.connect(own_stack.postgres) as conn:
        conn.execute("CREATE TABLE t (at timestamptz NOT NULL, value float)")
        conn.execute("SELECT create_hypertable('t', 'at')")
        conn.execute("INSERT INTO t VALUES ('2026-01-01 08:00+08', 1.5)")
        row = conn.execute("SELECT at AT TIME ZONE 'UTC', value FROM t").fetchone()
        assert row is not None
        assert (row[0].hour, row[1]) == (0, 1.5)
        conn.rollback()


def test_the_application_is_no_superuser_and_may_still_copy_a_database(
    own_stack: RunningStack,
) -> None:
    with psycopg.connect(own_stack.postgres, autocommit=True) as conn:
        row = conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        assert row == (False,)
        conn.execute("CREATE DATABASE original")
        with psycopg.connect(own_stack.postgres.rsplit("/", 1)[0] + "/original") as other:
            other.execute("CREATE EXTENSION timescaledb")
        conn.execute("CREATE DATABASE copied TEMPLATE original")
        conn.execute("DROP DATABASE copied")
        conn.execute("DROP DATABASE original")


def test_the_database_is_set_up_as_promised(own_stack: RunningStack) -> None:
    promised = {
        "synchronous_commit": "on",
        "TimeZone": "UTC",
        "jit": "off",
        "server_encoding": "UTF8",
        "listen_addresses": "127.0.0.1",
        "timescaledb.telemetry_level": "off",
    }
    with psycopg.connect(own_stack.postgres) as conn:
        for name, value in promised.items():
            row = conn.execute("SELECT current_setting(%s)", (name,)).fetchone()
            assert row == (value,), name
        row = conn.execute("SELECT upper('é'), 'Z' < 'a'").fetchone()
        assert row == ("É", True)  # Unicode case, code-point order


def test_a_message_goes_through_the_broker(own_stack: RunningStack) -> None:
    with Client(own_stack.mqtt, "through/#") as client:
        client.send("through/it", [b"hello"])
        assert client.received(1)
        assert client.payloads == [b"hello"]


def test_a_payload_of_one_mebibyte_arrives_to_be_rejected_by_us(own_stack: RunningStack) -> None:
    with Client(own_stack.mqtt, "large") as client:
        client.send("large", [bytes(1024 * 1024)])
        assert client.received(1)


@pytest.mark.parametrize("qos", [0, 1])
def test_the_broker_keeps_far_more_than_a_thousand_messages_for_a_client_that_is_away(
    own_stack: RunningStack, qos: int
) -> None:
    count = 5000  # Mosquitto's own default keeps 1,000 and drops the rest without a word
    topic, session = f"kept/{qos}", f"away-{qos}"
    with Client(own_stack.mqtt, topic, session):
        pass
    with Client(own_stack.mqtt) as sender:
        sender.send(topic, (str(number).encode() for number in range(count)), qos)
    with Client(own_stack.mqtt, topic, session) as back:
        assert back.received(count)


def test_redis_answers_only_with_the_password(own_stack: RunningStack, cache: redis.Redis) -> None:
    assert cache.set("key", "value")
    assert cache.get("key") == b"value"
    parts = urlsplit(own_stack.redis)
    with (
        redis.Redis(host=parts.hostname or "", port=parts.port or 0) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_redis_refuses_writes_rather_than_forgetting_sessions(cache: redis.Redis) -> None:
    assert cache.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("name", SERVERS)
def test_servers_listen_on_loopback_and_nowhere_else(own_stack: RunningStack, name: str) -> None:
    port = urlsplit(own_stack.services.address(name)).port
    listening = listeners(port or 0)
    assert listening == {"0100007F"}  # 127.0.0.1, as the kernel writes it


def listeners(port: int) -> set[str]:
    """Local addresses (hexadecimal) on which a port is listened to."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, hexadecimal = local.split(":")
            if state == "0A" and int(hexadecimal, 16) == port:
                found.add(address)
    return found


@pytest.mark.parametrize("name", SERVERS)
def test_servers_run_without_privileges(own_stack: RunningStack, name: str) -> None:
    status = Path(f"/proc/{own_stack.services.pid(name)}/status").read_text()
    uid = int(re.findall(r"^Uid:\t(\d+)", status, re.MULTILINE)[0])
    assert uid != 0
    if os.geteuid() == 0:
        # pytest's folders are closed to others: passing through them is all a server keeps.
        assert parse_capabilities(status, "CapEff") in {0b000, 0b010, 0b100}
    else:
        assert parse_capabilities(status, "CapEff") == 0


@pytest.mark.parametrize("name", SERVERS)
def test_a_restarted_server_is_back_on_its_port(own_stack: RunningStack, name: str) -> None:
    before = (own_stack.services.pid(name), own_stack.services.address(name))
    own_stack.services.restart(name)
    assert own_stack.services.pid(name) != before[0]
    assert own_stack.services.address(name) == before[1]


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_comes_back_on_its_port(own_stack: RunningStack, name: str) -> None:
    address = own_stack.services.address(name)
    own_stack.services.kill(name)
    assert listeners(urlsplit(address).port or 0) == set()
    own_stack.services.start(name)
    assert own_stack.services.address(name) == address


def test_what_was_committed_outlives_a_kill_of_the_database(own_stack: RunningStack) -> None:
    with psycopg.connect(own_stack.postgres, autocommit=True) as conn:
        conn.execute("CREATE TABLE survives (n int)")
        conn.execute("INSERT INTO survives SELECT generate_series(1, 1000)")
    own_stack.services.kill("postgres")
    own_stack.services.start("postgres")
    with psycopg.connect(own_stack.postgres) as conn:
        row = conn.execute("SELECT count(*) FROM survives").fetchone()
    assert row == (1000,)


def test_a_server_that_ends_by_itself_is_noticed(own_stack: RunningStack) -> None:
    assert own_stack.services.fallen() == []
    process = own_stack.services.pid("redis")
    os.kill(process, 9)
    while not own_stack.services.fallen():
        threading.Event().wait(0.05)
    assert own_stack.services.fallen() == ["redis"]
    own_stack.services.restart("redis")
    assert own_stack.services.fallen() == []


def test_a_server_whose_restart_failed_is_still_missed(own_stack: RunningStack) -> None:
    port = urlsplit(own_stack.redis).port or 0
    os.kill(own_stack.services.pid("redis"), 9)
    while not own_stack.services.fallen():
        threading.Event().wait(0.05)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StackError, match="redis"):
        own_stack.services.restart("redis")
    assert own_stack.services.fallen() == ["redis"]
    own_stack.services.restart("redis")
    assert own_stack.services.fallen() == []


def test_the_addresses_are_plain_values(own_stack: RunningStack) -> None:
    assert isinstance(own_stack, Endpoints)
    assert own_stack.edition == "apache"
    assert own_stack.mqtt.startswith("mqtt://127.0.0.1:")
