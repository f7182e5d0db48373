"""Plays the city through MQTT, each message at its time."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from city.errors import InvalidInput, Unavailable
from city.place import LonLat
from db.pool import connect_when_ready, open_pool, transaction
from db.seeds import simulated
from db.seeds.squads import read_squads
from simulator.cast import Cast
from simulator.lamps import COMMANDS, LampOrders
from simulator.messages import Message
from simulator.play import play
from simulator.scenarios import DEFAULT, SCENARIOS

log = logging.getLogger(__name__)

DEFAULT_PORT = 1883
# Messages on their way at a time: the fill at the start sends some 280 a second.
INFLIGHT = 500
# A device keeps a report this long while the broker is away, then loses it.
KEEP = timedelta(seconds=60)
# Longest wait at a time, so that a stop is noticed.
STEP_S = 0.5
RECONNECT_S = (1, 10)
# Squads notice a call this often.
DISPATCH_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    mqtt_url: str
    database_url: str = ""  # empty: the devices as the seeds plan them
    scenario: str | None = None  # a name in SCENARIOS; None: the demo's day
    seed: int = 1


def run(settings: SimulatorSettings, stop: threading.Event) -> None:
    """Publish until `stop`; a broker or database that is away is waited for."""
    name = settings.scenario or DEFAULT
    if name not in SCENARIOS:
        raise InvalidInput("scenario", name, f"must be one of {', '.join(SCENARIOS)}")
    try:
        cast = assemble(settings, stop)
    except Unavailable:
        return  # stopped while the database was away
    if not cast.devices:
        log.error("no demo devices in the database: nothing to simulate")
        return
    client = _connect(settings.mqtt_url)
    try:
        if _wait_for_broker(client, stop):
            log.info("playing %s with %d devices", name, len(cast.devices))
            destinations = _follow_dispatch(settings.database_url, stop)
            start = datetime.now(UTC)
            orders = LampOrders(cast, settings.seed)
            _take_orders(client, orders)
            acts = play(cast, SCENARIOS[name], settings.seed, start, destinations, orders)
            _perform(client, acts, stop)
    finally:
        client.disconnect()
        client.loop_stop()


def assemble(settings: SimulatorSettings, stop: threading.Event) -> Cast:
    """The demo's devices, from the database where one is given, and its squads."""
    if not settings.database_url:
        return Cast(tuple(simulated.planned_devices()), tuple(read_squads()))
    with connect_when_ready(
        settings.database_url, log.warning, application="gridwarden simulate", stopped=stop.wait
    ) as conn:
        return Cast(tuple(simulated.list_simulated_devices(conn)), tuple(read_squads()))


def _follow_dispatch(database_url: str, stop: threading.Event) -> dict[str, LonLat]:
    """Where squads are called to, kept up to date by a thread until `stop`."""
    destinations: dict[str, LonLat] = {}

    def follow() -> None:
        pool = open_pool(database_url, max_size=1, application="gridwarden simulate")
        while not stop.wait(DISPATCH_EVERY_S):
            try:
                with transaction(pool) as conn:
                    called = simulated.list_destinations(conn)
            except Unavailable as error:
                log.debug("where squads are called to is not known: %s", error)
                continue
            for squad in destinations.keys() - called.keys():
                del destinations[squad]
            destinations.update(called)
        pool.close()

    if database_url:
        threading.Thread(target=follow, name="dispatch", daemon=True).start()
    return destinations


def _take_orders(client: Client, orders: LampOrders) -> None:
    """Let lamps answer what they are told, also after the broker was away."""

    def obey(_: Client, __: object, message: MQTTMessage) -> None:
        for answer in orders.obey(message.topic, bytes(message.payload), datetime.now(UTC)):
            client.publish(answer.topic, answer.payload, qos=1)

    def subscribe(*_: object) -> None:
        client.subscribe(COMMANDS, qos=1)

    client.message_callback_add(COMMANDS, obey)
    client.on_connect = subscribe
    subscribe()


def _perform(client: Client, messages: Iterator[Message], stop: threading.Event) -> None:
    lost = 0
    for message in messages:
        while (ahead := (message.at - datetime.now(UTC)).total_seconds()) > 0:
            if stop.wait(min(ahead, STEP_S)):
                return
        while not client.is_connected() and datetime.now(UTC) - message.at < KEEP:
            if stop.wait(STEP_S):
                return
        if stop.is_set():
            return
        if not client.is_connected():
            lost += 1
            continue
        if lost:
            log.warning("%d messages lost while the broker was away", lost)
            lost = 0
        client.publish(message.topic, message.payload, qos=1, retain=message.retain)


def _connect(url: str) -> Client:
    parts = urlsplit(url)
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"gridwarden-simulator-{uuid.uuid4().hex[:8]}",
        protocol=MQTTProtocolVersion.MQTTv5,
    )
    client.max_inflight_messages_set(INFLIGHT)
    client.reconnect_delay_set(*RECONNECT_S)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    if parts.scheme == "mqtts":
        client.tls_set()
    client.connect_async(parts.hostname or "localhost", parts.port or DEFAULT_PORT)
    client.loop_start()
    return client


def _wait_for_broker(client: Client, stop: threading.Event) -> bool:
    """True once connected, False if stopped before."""
    said = False
    while not client.is_connected():
        if stop.wait(STEP_S):
            return False
        if not said and not client.is_connected():
            log.warning("waiting for the broker")
            said = True
    return True
