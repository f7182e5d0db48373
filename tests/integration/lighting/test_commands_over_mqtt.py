"""Commands to lamps over a real broker: answered, refused, asked again, given up, in time."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import psycopg
import pytest

from city.errors import Conflict
from city.lighting import Target, TargetKind
from db.pool import connect
from lighting import steps
from tests.conftest import drop_database, with_database
from tests.integration.ingest.workers import (
    Publisher,
    Site,
    kill,
    leave,
    new_site,
    start_process,
    working,
)
from tests.integration.lighting.lamps import DISPATCHER, Lamps, Streets, obey

NATIVE = "city/v1/+/light/+/command"
EUI = "70b3d5e75e000001"
# Lamps of other formats, by code: format, model, identity, attributes, topic of their commands.
OTHERS = {
    "LT-000101": ("tasmota", "tasmota-light", "road-1", {}, "cmnd/road-1/Dimmer"),
    "LT-000102": ("zigbee2mqtt", "zigbee-light", "road 2", {}, "zigbee2mqtt/road 2/set"),
    "LT-000103": ("shelly", "shelly", "shellyprodm1pwr-30c6f7", {}, "shellyprodm1pwr-30c6f7/rpc"),
    "LT-000104": (
        "chirpstack",
        "nas-ul20xx",
        EUI,
        {"application_id": "app"},
        f"application/app/device/{EUI}/command/down",
    ),
    "LT-000105": ("chirpstack", "zenopix-dali", "70b3d5e75e000002", {}, ""),
}


@pytest.fixture(scope="module")
def site(template: str, servers) -> Iterator[Site]:
    """One database and one inbox for all tests of this file."""
    name = f"gw_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(template, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE gw_template STRATEGY wal_log")
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    found = new_site(servers.mqtt, with_database(template, name), servers.redis)
    with connect(found.settings.database_url) as conn:
        for code, (format_name, model, identity, attributes, _) in OTHERS.items():
            conn.execute(
                "UPDATE device SET format = %s, model = %s, external_id = %s,"
                " attributes = attributes || %s::jsonb WHERE code = %s",
                (format_name, model, identity, json.dumps(attributes), code),
            )
    yield found
    leave(found)
    drop_database(template, name)


@pytest.fixture(scope="module")
def inbox(site: Site) -> Iterator[None]:
    with working(site):
        yield


@pytest.fixture
def streets(site: Site) -> Streets:
    return Streets(site.settings.database_url)


def cabinet(number: int) -> Target:
    return Target(TargetKind.CABINET, f"CAB-{number:03d}")


def test_a_kill_between_sending_and_answer_loses_and_doubles_nothing(
    site: Site, streets: Streets, mqtt_url: str
) -> None:
    """What publishes and hears is killed when the lamps have their command; they answer while it
    is dead. A lamp that hears its command twice hears the same one. (Before the tests that have the
    inbox in this process: it would hold the session.)"""
    lamps = Lamps(mqtt_url, lambda topic, payload: ())
    with lamps.listening(NATIVE):
        process = start_process(site)
        order = streets.order(cabinet(3), 70)
        streets.until(lambda: sum(map(bool, lamps.heard.values())) == 25, 60)
        kill(process)
        assert {s[0] for s in streets.states(order).values()} == {"sent"}
        publish(mqtt_url, [a for topic, got in lamps.heard.items() for a in obey(topic, got[0])])
        streets.tick()
        assert {s[0] for s in streets.states(order).values()} == {"sent"}  # nobody hears them
        process = start_process(site)
        streets.until(
            lambda: {s[0] for s in streets.states(order).values()} == {"acknowledged"}, 60
        )
        kill(process)
    assert all(len(set(got)) == 1 for got in lamps.heard.values())
    acknowledged = [n for kind, _, n in streets.events(order) if kind == "lamps.acknowledged"]
    assert sum(acknowledged) == 25
    assert streets.rows("SELECT count(*) FROM lamp_answer") == [(0,)]


def test_a_cabinet_obeys_and_what_does_not_is_asked_again_and_given_up(
    streets: Streets, inbox: None, mqtt_url: str
) -> None:
    """Lamps 1 to 25: one refuses, one goes elsewhere, one never answers, one answers for its
    neighbour, one answers a command that nobody gave."""

    def answer(topic: str, payload: bytes) -> Sequence[tuple[str, bytes]]:
        code, said = topic.split("/")[4], json.loads(payload)
        told = {"id": said["id"], "ok": True, "level": said["level"]}
        match code:
            case "LT-000001":
                told = {"id": said["id"], "ok": False, "error": "driver fault"}
            case "LT-000002":
                told |= {"level": 100}
            case "LT-000003":
                return []
            case "LT-000004":
                neighbour = topic.replace("LT-000004", "LT-000005")
                return [(f"{neighbour}/ack", json.dumps(told).encode()), *obey(topic, payload)]
            case "LT-000006":
                made_up = json.dumps({"id": "x", "ok": True}).encode()
                return [(f"{topic}/ack", made_up), *obey(topic, payload)]
        return [(f"{topic}/ack", json.dumps(told).encode())]

    with Lamps(mqtt_url, answer).listening(NATIVE) as lamps:
        order = streets.order(cabinet(1), 40)
        streets.until(lambda: [s for s, _, _ in streets.states(order).values()].count("sent") == 1)
        states = streets.states(order)
        assert states["LT-000001"][:2] == ("failed", "the lamp refuses: driver fault")
        assert states["LT-000002"][:2] == ("failed", "the lamp went to 100 % instead of 40 %")
        assert [s for s, _, _ in states.values()].count("acknowledged") == 22
        silent = "city/v1/460107/light/LT-000003/command"
        for attempt in (1, 2, 3):
            streets.until(lambda n=attempt: len(lamps.heard[silent]) == n)  # type: ignore[misc]
            assert streets.states(order)["LT-000003"][2] == attempt
            streets.run_out(order)
            streets.tick()
        assert streets.states(order)["LT-000003"] == (
            "timed_out",
            "no answer to 3 sendings",
            3,
        )
        assert len(set(lamps.heard[silent])) == 1  # three times the very same command
        late = obey(silent, lamps.heard[silent][0])
        before = len(ignored(streets))
        publish(mqtt_url, late)
        streets.until(lambda: len(ignored(streets)) > before)
        assert streets.states(order)["LT-000003"][0] == "timed_out"
    assert {(r, tuple(n)) for r, n in ignored(streets)} == {
        ("other_lamp", ("LT-000005",)),
        ("unknown", ("LT-000006",)),
        ("over", ("LT-000003",)),
    }
    kinds = streets.events(order)
    assert kinds[0] == ("lamps.ordered", "ding", 25)
    assert sum(n for kind, _, n in kinds if kind == "lamps.acknowledged") == 22
    assert [n for kind, _, n in kinds if kind == "lamps.sent"] == [25, 1, 1]
    assert sum(n for kind, _, n in kinds if kind == "lamps.failed") == 2
    assert kinds[-1] == ("lamps.timed_out", "system", 1)


def ignored(streets: Streets) -> list[tuple[str, list[str]]]:
    return [
        (reason, named)
        for reason, named in streets.rows(
            "SELECT payload ->> 'reason', payload -> 'named' FROM event"
            " WHERE kind = 'lamps.answer_ignored' ORDER BY seq"
        )
    ]


def publish(mqtt_url: str, messages: Sequence[tuple[str, bytes]]) -> None:
    publisher = Publisher(mqtt_url)
    for topic, body in messages:
        publisher.send_and_wait(topic, body)
    publisher.close()


def test_lamps_of_other_formats_answer_by_their_state_or_their_servers_word(
    streets: Streets, inbox: None, mqtt_url: str
) -> None:
    def answer(topic: str, payload: bytes) -> Sequence[tuple[str, bytes]]:
        if topic == "cmnd/road-1/Dimmer":
            said = {"POWER": "ON", "Dimmer": int(payload)}
            return [("stat/road-1/RESULT", json.dumps(said).encode())]
        said = json.loads(payload)
        if topic == "zigbee2mqtt/road 2/set":
            assert said == {"state": "ON", "brightness": 152}
            return [("zigbee2mqtt/road 2", json.dumps(said | {"linkquality": 80}).encode())]
        if topic.endswith("/rpc"):
            assert (said["method"], said["params"]["brightness"]) == ("Light.Set", 60)
            status = {"id": 0, "source": "MQTT", "output": True, "brightness": 60.0}
            return [(topic.replace("/rpc", "/status/light:0"), json.dumps(status).encode())]
        assert base64.b64decode(said["data"]) == b"\x01\xfe\x3c"
        ack = {
            "deviceInfo": {"devEui": said["devEui"]},
            "queueItemId": said["id"],
            "acknowledged": True,
            "fCntDown": 4,
        }
        return [(topic.replace("command/down", "event/ack"), json.dumps(ack).encode())]

    topics = [topic for *_, topic in OTHERS.values() if topic]
    with Lamps(mqtt_url, answer).listening(*topics) as lamps:
        order = streets.order(Target(TargetKind.LAMPS, "", tuple(OTHERS)), 60)
        streets.until(
            lambda: not {"queued", "sent"} & {s[0] for s in streets.states(order).values()}
        )
        states = streets.states(order)
    said = {code: (state, detail) for code, (state, detail, _) in states.items()}
    by_state = ("acknowledged", "the state it reported")
    assert said == {
        "LT-000101": by_state,
        "LT-000102": by_state,
        "LT-000103": by_state,
        "LT-000104": ("acknowledged", "the lamp's answer"),
        "LT-000105": (
            "failed",
            "this model cannot be commanded: zenopix-dali has no [command] in its file",
        ),
    }
    assert sorted(lamps.heard) == sorted(topics)
    with pytest.raises(Conflict, match="this model cannot be commanded: zenopix-dali"):
        streets.order(Target(TargetKind.LAMP, "LT-000105"), 60)


def test_a_later_command_takes_the_place_of_one_that_is_open(
    streets: Streets, inbox: None, mqtt_url: str
) -> None:
    first = streets.order(cabinet(7), 100)
    streets.tick()
    second = streets.order(cabinet(7), 30)
    assert {s[:2] for s in streets.states(first).values()} == {("cancelled", "a later command")}
    with Lamps(mqtt_url).listening(NATIVE):
        streets.until(lambda: {s[0] for s in streets.states(second).values()} == {"acknowledged"})
    third = streets.order(cabinet(7), 0)
    with connect(streets.database_url) as conn:
        count, _ = steps.cancel(conn, DISPATCHER, third, "not today", datetime.now(UTC))
    assert count == 25
    assert {s[:2] for s in streets.states(third).values()} == {("cancelled", "not today")}
    with connect(streets.database_url) as conn, pytest.raises(Conflict, match="nothing of this"):
        steps.cancel(conn, DISPATCHER, third, "again", datetime.now(UTC))


def test_two_at_once_send_once_and_a_lamp_has_one_open_command(streets: Streets) -> None:
    """Nobody is connected to the broker for these: what would be sent stays in the outbox."""
    target = Target(TargetKind.CABINET, "CAB-050")
    begin = threading.Barrier(4)
    orders: list[int] = []

    def give() -> None:
        begin.wait(10)
        orders.append(streets.order(target, 50))

    def send() -> None:
        begin.wait(10)
        for _ in range(5):
            streets.tick()

    threads = [threading.Thread(target=work) for work in (give, give, send, send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    streets.tick()
    open_now = streets.rows(
        "SELECT order_id, count(*), max(attempts) FROM lamp_command"
        " WHERE order_id = ANY(%s) AND state IN ('queued', 'sent') GROUP BY 1",
        orders,
    )
    assert open_now == [(max(orders), 25, 1)]
    sent = streets.rows(
        "SELECT kind, sum((payload ->> 'lamps')::int) FROM event WHERE subject = %s GROUP BY 1",
        f"lamp_order:{max(orders)}",
    )
    assert dict(sent)["lamps.sent"] == 25
    with connect(streets.database_url) as conn:
        steps.cancel(conn, DISPATCHER, max(orders), "over", datetime.now(UTC))


def test_a_shelly_answers_the_call_itself_under_its_own_name_or_its_prefix(
    site: Site, streets: Streets, inbox: None, mqtt_url: str
) -> None:
    """Fake devices as their maker describes them: a frame with the id of the call, their name and
    the result or an error, published where the call says who asks. None of them tells its state."""
    named = {
        "LT-000201": ("shellyplusrgbwpm-30c6f7000001", {}),
        "LT-000202": ("road/lamp1", {"generation": 2}),
        "LT-000203": ("shellyplusrgbwpm-30c6f7000003", {}),
    }
    with connect(site.settings.database_url) as conn:
        for code, (identity, attributes) in named.items():
            conn.execute(
                "UPDATE device SET format = 'shelly', model = 'shelly', external_id = %s,"
                " attributes = attributes || %s::jsonb WHERE code = %s",
                (identity, json.dumps(attributes), code),
            )

    def answer(topic: str, payload: bytes) -> Sequence[tuple[str, bytes]]:
        call = json.loads(payload)
        prefix = topic.removesuffix("/rpc")
        name = prefix if prefix.startswith("shelly") else "shellyplusrgbwpm-30c6f7000002"
        frame = {"id": call["id"], "src": name, "dst": call["src"]}
        if prefix.endswith("3"):
            frame["error"] = {"code": -103, "message": "brightness out of range"}
        else:
            frame["result"] = None
        return [(f"{call['src']}/rpc", json.dumps(frame).encode())]

    topics = [f"{identity}/rpc" for identity, _ in named.values()]
    with Lamps(mqtt_url, answer).listening(*topics):
        order = streets.order(Target(TargetKind.LAMPS, "", tuple(named)), 40)
        streets.until(
            lambda: not {"queued", "sent"} & {s[0] for s in streets.states(order).values()}
        )
    found = streets.states(order)
    assert {code: state[0] for code, state in found.items()} == {
        "LT-000201": "acknowledged",
        "LT-000202": "acknowledged",
        "LT-000203": "failed",
    }
    (why,) = streets.rows(
        "SELECT detail FROM lamp_command WHERE order_id = %s AND state = 'failed'", order
    )
    assert "brightness out of range" in why[0]
