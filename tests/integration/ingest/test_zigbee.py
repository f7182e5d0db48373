"""Zigbee2MQTT over a real database: any worker may learn a definition, all use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from alerts.steps import apply_rules, default_rules, evaluate_waiting
from city.feed import Feed
from db import rejects, zigbee
from db.devices import NewDevice, insert_devices, list_registered, list_squad_districts
from db.pool import Connection, connect
from ingest.batch import build_batch, decode_messages
from ingest.feeds import Feeds
from ingest.formats.zigbee2mqtt import resolve_definitions
from ingest.message import Message
from ingest.reporters import Reporters
from ingest.store_batch import Stored, replay_reject, store_batch
from tests.integration.ingest.workers import (
    Publisher,
    Site,
    leave,
    new_site,
    wait_until,
    working,
)
from tests.unit.wire.zigbee_definitions import binary, bridge_devices, device, enum, numeric
from wire.format import PAYLOAD_LIMIT

SECOND = timedelta(seconds=1)
IEEE = "0x00124b0001020304"
GAS = device("gas 1", numeric("gas", "%LEL"), numeric("co", "ppm"), enum("gas_sensor_state"))
PLUG = device("plug 1", numeric("current", "mA"), numeric("power_factor", "%"))
AIR = device("air 1", numeric("pressure", "kPa"), ieee=IEEE, power="Battery")
VERSION = {"version": "2.7.1", "zigbee_herdsman_converters": {"version": "25.9.0"}}


class Worker:
    """Stores messages as an ingest worker does, over a connection of its own."""

    def __init__(self, conn: Connection, now: datetime) -> None:
        self.conn, self.now = conn, now

    def message(self, topic: str, body: Any, at_s: float = 0, retain: bool = False) -> Message:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Message(f"zigbee2mqtt/{topic}", payload, retain, self.now + at_s * SECOND)

    def store(self, *messages: Message) -> Stored:
        now = max(message.received_at for message in messages)
        with self.conn.transaction():
            decoded = resolve_definitions(self.conn, messages, decode_messages(messages), now)
            registry = Reporters(list_registered(self.conn), list_squad_districts(self.conn))
            return store_batch(self.conn, build_batch(messages, decoded, registry), now)

    def take(self, topic: str, body: Any, at_s: float = 0, retain: bool = False) -> Stored:
        return self.store(self.message(topic, body, at_s, retain))

    def readings(self, code: str) -> dict[str, float]:
        """The newest value of each metric."""
        rows = self.conn.execute(
            """
            SELECT metric.name, value FROM reading JOIN metric ON metric.id = metric_id
            JOIN device ON device.id = device_id WHERE code = %s ORDER BY ts
            """,
            (code,),
        )
        return dict(rows.fetchall())

    def refused(self) -> list[tuple[str, str]]:
        return self.conn.execute("SELECT device, reason FROM reject ORDER BY id").fetchall()

    def all(self, query: str) -> list[Any]:
        return self.conn.execute(query).fetchall()


@pytest.fixture
def workers(database_url: str, now: datetime) -> Iterator[tuple[Worker, Worker]]:
    kinds = {"gas 1": "gas", "plug 1": "light", "air 1": "manhole", "east/gas 1": "gas"}
    with (
        connect(database_url, autocommit=True) as first,
        connect(database_url, autocommit=True) as second,
    ):
        devices = [
            NewDevice(
                code=name.upper(),
                district="460107",
                kind=kind,
                model="",
                format="zigbee2mqtt",
                external_id=name,
                name=name,
                lon=110.35,
                lat=20.0,
                cell=None,
                gas=None,
                report_interval_s=3600,
                attributes={},
            )
            for name, kind in kinds.items()
        ]
        insert_devices(first, devices, now)
        yield Worker(first, now), Worker(second, now)


def test_what_one_worker_learned_another_uses(workers: tuple[Worker, Worker]) -> None:
    first, second = workers
    first.take("bridge/info", VERSION)
    first.take("bridge/devices", bridge_devices(GAS, PLUG), retain=True)
    second.take("gas 1", {"gas": 12.3, "co": 4, "gas_sensor_state": "alarm"}, 1)
    second.take("plug 1", {"current": 450, "power_factor": 95}, 1)
    assert first.readings("GAS 1") == {"ch4_pct_lel": 12.3, "co_ppm": 4, "gas_alarm": 1}
    assert first.readings("PLUG 1") == {"current_a": 0.45, "power_factor": 0.95}
    assert first.refused() == []
    assert first.all("SELECT version, converters FROM zigbee_bridge") == [("2.7.1", "25.9.0")]


def test_bridges_of_two_feeds_define_their_own_devices_of_one_name(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    feeds = Feeds([Feed("north", "zigbee2mqtt", "north/z2m")], 1)
    in_ppm = device("gas 1", numeric("gas", "ppm"), numeric("co", "ppm"), ieee=IEEE)

    def read(topic: str, body: Any, at_s: float = 0) -> Any:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        handed = [feeds.hand(Message(topic, payload, False, worker.now + at_s * SECOND))]
        return resolve_definitions(worker.conn, handed, decode_messages(handed), worker.now)[0]

    read("zigbee2mqtt/bridge/devices", bridge_devices(GAS))
    read("north/z2m/bridge/devices", bridge_devices(in_ppm))
    for topic, unit in (("zigbee2mqtt/gas 1", "%LEL"), ("north/z2m/gas 1", "ppm")):
        values = {value.name: value.unit for value in read(topic, {"gas": 12.3}, 1).values}
        assert values == {"gas": unit}
    known = worker.all("SELECT bridge, identity FROM zigbee_device ORDER BY bridge")
    assert known == [("", "gas 1"), ("north/z2m", "north/z2m/gas 1")]


def test_a_definition_holds_for_states_before_it_in_the_same_batch(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    worker.store(
        worker.message("plug 1", {"current": 450}),
        worker.message("bridge/devices", bridge_devices(PLUG), 1),
    )
    assert worker.readings("PLUG 1") == {"current_a": 0.45}


def test_without_a_definition_nothing_is_guessed_and_replay_mends_it(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    state = {"gas": 12.3, "gas_sensor_state": "alarm"}
    worker.take("gas 1", state)
    assert worker.readings("GAS 1") == {"gas_alarm": 1}  # the alarm needs no unit
    assert worker.refused() == [("gas 1", "unit_unknown")]
    (kept,) = rejects.list_rejects(worker.conn)
    assert not replay_reject(worker.conn, kept.id, worker.now + 5 * SECOND)
    worker.take("bridge/devices", bridge_devices(GAS), 10)
    assert replay_reject(worker.conn, kept.id, worker.now + 15 * SECOND)
    assert worker.readings("GAS 1") == {"gas_alarm": 1, "ch4_pct_lel": 12.3}


def test_a_list_of_megabytes_is_read(workers: tuple[Worker, Worker]) -> None:
    worker, _ = workers
    many = [device(f"n {n}", *(numeric(f"v{k}", "W") for k in range(30))) for n in range(300)]
    payload = bridge_devices(*many, GAS)
    assert len(payload) > 2 * PAYLOAD_LIMIT
    worker.take("bridge/devices", payload)
    assert worker.all("SELECT count(*) FROM zigbee_device") == [(301,)]
    worker.take("gas 1", {"gas": 12.3}, 1)
    assert worker.readings("GAS 1") == {"ch4_pct_lel": 12.3}


def test_a_renamed_device_keeps_its_definition_and_a_removed_one_loses_it(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    worker.take("bridge/devices", bridge_devices(AIR))
    renamed = AIR | {"friendly_name": "air 2"}
    worker.take("bridge/devices", bridge_devices(renamed), 1)
    assert worker.all("SELECT ieee, identity FROM zigbee_device") == [(IEEE, "air 2")]
    worker.conn.execute("UPDATE device SET external_id = %s WHERE code = 'AIR 1'", (IEEE,))
    state = {"pressure": 101.3, "device": {"ieeeAddr": IEEE}}
    worker.take("air 2", state, 2)
    assert worker.readings("AIR 1") == {"pressure_kpa": 101.3}
    worker.take("bridge/devices", bridge_devices(GAS), 3)
    worker.take("air 2", state | {"pressure": 99.0}, 4)
    assert worker.readings("AIR 1") == {"pressure_kpa": 101.3}
    assert worker.refused() == [(IEEE, "unit_unknown")]


def test_a_new_version_of_the_bridge_brings_its_own_units(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    worker.take("bridge/devices", bridge_devices(AIR))
    worker.take("air 1", {"pressure": 101.0}, 1)
    worker.take("bridge/info", VERSION | {"version": "3.0.0"}, 2)
    in_hpa = AIR | {"definition": {"exposes": [numeric("pressure", "hPa")]}}
    worker.take("bridge/devices", bridge_devices(in_hpa), 2)
    worker.take("air 1", {"pressure": 1020.0}, 3)
    assert worker.readings("AIR 1") == {"pressure_kpa": 102.0}
    assert worker.all("SELECT version FROM zigbee_bridge") == [("3.0.0",)]


def test_an_older_list_that_is_stored_later_changes_nothing(
    workers: tuple[Worker, Worker],
) -> None:
    first, second = workers
    first.take("bridge/devices", bridge_devices(AIR), 10)
    second.take("bridge/devices", bridge_devices(GAS), 5)
    assert first.all("SELECT identity FROM zigbee_device") == [("air 1",)]


def test_a_list_that_is_repeated_is_not_written_again(workers: tuple[Worker, Worker]) -> None:
    first, second = workers
    first.take("bridge/devices", bridge_devices(GAS, AIR))
    written = first.all("SELECT xmin FROM zigbee_device")
    second.take("bridge/devices", bridge_devices(GAS, AIR), 10, retain=True)
    assert first.all("SELECT xmin FROM zigbee_device") == written
    assert first.all("SELECT devices_at FROM zigbee_bridge") == [(first.now + 10 * SECOND,)]


def test_two_bridges_are_told_apart_by_their_base_topics(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    worker.take("bridge/devices", bridge_devices(GAS))
    in_ppm = device("gas 1", numeric("gas", "ppm"))
    worker.take("east/bridge/devices", bridge_devices(in_ppm))
    worker.take("gas 1", {"gas": 60}, 1)
    worker.take("east/gas 1", {"gas": 60}, 1)
    assert worker.readings("GAS 1") == {"ch4_pct_lel": 60}
    assert worker.readings("EAST/GAS 1") == {"gas_ppm": 60}
    assert worker.refused() == []


def test_a_device_that_the_bridge_does_not_support_is_read_as_one_without_definition(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    worker.take("bridge/devices", bridge_devices(device("gas 1", defined=False)))
    worker.take("gas 1", {"gas_alarm_2": True, "pressure": 101}, 1)
    assert worker.readings("GAS 1") == {"gas_alarm": 1}
    assert worker.refused() == [("gas 1", "unit_unknown")]


@pytest.mark.parametrize("body", [b"{", b'{"a": 1}', b"[" * 100_000, b"\xff"])
def test_a_broken_list_is_refused_and_what_was_known_stays(
    workers: tuple[Worker, Worker], body: bytes
) -> None:
    worker, _ = workers
    worker.take("bridge/devices", bridge_devices(GAS))
    worker.take("bridge/devices", body, 1)
    worker.take("gas 1", {"gas": 12.3}, 2)
    assert worker.readings("GAS 1") == {"ch4_pct_lel": 12.3}
    assert len(worker.refused()) == 1


def test_a_list_that_is_deleted_at_the_broker_is_still_known(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    worker.take("bridge/devices", bridge_devices(GAS))
    worker.take("bridge/devices", b"", 1)
    assert worker.all("SELECT identity FROM zigbee_device") == [("gas 1",)]
    assert worker.refused() == []


def test_what_the_database_cannot_store_in_a_list_does_no_harm(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    nasty = device("gas\u0000 1", numeric("gas", "%LEL\u0000"), binary("\udc00x"))
    worker.take("bridge/devices", json.dumps([nasty]).encode())
    assert worker.all("SELECT identity FROM zigbee_device") == [("gas 1",)]


def test_two_workers_that_learn_at_once_wait_for_each_other_and_no_longer(
    workers: tuple[Worker, Worker],
) -> None:
    both = Barrier(2)

    def learn(worker: Worker, topics: list[str]) -> None:
        both.wait(5)
        for round_ in range(5):
            worker.store(
                *(
                    worker.message(f"{topic}/devices", bridge_devices(GAS, PLUG), round_)
                    for topic in topics
                )
            )

    with ThreadPoolExecutor(2) as pool:
        there = ["bridge", "east/bridge", "west/bridge"]
        done = [pool.submit(learn, workers[0], there), pool.submit(learn, workers[1], there[::-1])]
        for task in done:
            task.result(20)
    assert workers[0].all("SELECT count(*) FROM zigbee_device") == [(6,)]


def test_invented_bridges_push_out_their_own_kind(workers: tuple[Worker, Worker]) -> None:
    worker, _ = workers
    worker.take("bridge/devices", bridge_devices(GAS))
    for number in range(5):
        stranger = device("x", numeric("gas", "ppm"))
        worker.take(f"b{number}/bridge/devices", bridge_devices(stranger), number)
    zigbee.trim(worker.conn, bridges_max=2)
    assert worker.all("SELECT bridge FROM zigbee_bridge ORDER BY bridge") == [
        ("",),
        ("b3",),
        ("b4",),
    ]
    zigbee.trim(worker.conn, bridges_max=0)
    assert worker.all("SELECT bridge FROM zigbee_bridge") == [("",)]


@pytest.mark.parametrize("model", ["", "aqara-jt-bz-01aq", "zigbee-leak", "dragino-door"])
@pytest.mark.parametrize("is_defined", [True, False])
@pytest.mark.parametrize(
    ("exposed", "said"),
    [
        (binary("gas"), True),
        (binary("gas_alarm_2"), True),
        (binary("carbon_monoxide", "ON", "OFF"), "ON"),
        (enum("gas_sensor_state"), "alarm"),
        (binary("alarm_1"), True),
    ],
)
def test_a_detector_in_alarm_raises_one_whatever_model_was_chosen(
    workers: tuple[Worker, Worker], model: str, is_defined: bool, exposed: dict[str, Any], said: Any
) -> None:
    """From the message to the alarm, over the shipped rules."""
    worker, _ = workers
    apply_rules(worker.conn, "system", default_rules(), worker.now)
    worker.conn.execute("UPDATE device SET model = %s WHERE code = 'GAS 1'", (model,))
    if is_defined:
        worker.take("bridge/devices", bridge_devices(device("gas 1", exposed)))
    worker.take("gas 1", {exposed["property"]: said, "linkquality": 80}, 1)
    evaluate_waiting(worker.conn, worker.now + SECOND)
    assert worker.all(
        "SELECT condition FROM alarm JOIN device ON device.id = device_id WHERE code = 'GAS 1'"
    ) == [("gas/GAS 1",)]


@pytest.fixture
def site(mqtt_url: str, database_url: str, redis_url: str) -> Iterator[Site]:
    site = new_site(mqtt_url, database_url, redis_url)
    yield site
    leave(site)


def test_a_long_list_comes_through_the_broker_to_a_worker(
    site: Site, workers: tuple[Worker, Worker], mqtt_url: str
) -> None:
    publisher = Publisher(mqtt_url)
    many = [device(f"n {n}", *(numeric(f"v{k}", "W") for k in range(40))) for n in range(300)]
    payload = bridge_devices(*many, PLUG)
    assert len(payload) > 4 * PAYLOAD_LIMIT
    with working(site):
        publisher.send("zigbee2mqtt/bridge/devices", payload)
        wait_until(lambda: site.stored() == 1, 20, 0.05)
        publisher.send("zigbee2mqtt/plug 1", b'{"current": 450}')
        wait_until(lambda: site.stored() == 2, 10, 0.05)
    publisher.close()
    assert workers[0].readings("PLUG 1") == {"current_a": 0.45}
