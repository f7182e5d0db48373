"""Topics and bodies to attack every format with, all of them of our own making."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cbor2

from tests.unit.ingest.sparkplug_messages import metric, node_birth, node_death, payload
from wire import FEED_ROOT, FORMATS
from wire.lorawan.chirpstack_gateway import message_classes

FIXTURES = Path(__file__).parents[1] / "fixtures"

# What stands where a format's filters have a wildcard: the words its parser knows, and one that
# it does not.
_LEVELS: dict[str, tuple[str, ...]] = {
    "native": (
        "v1/460107/gas/G-1/telemetry", "v1/460107/gas/G-1/status", "v1/460107/video/C-1/event",
        "v1/460107/squad/S-1/position", "v1/460107/light/L-1/command/ack", "v2",
    ),
    "chirpstack": ("up", "status", "join", "ack", "txack", "log", "location", "integration", "x"),
    "ttn": ("ack", "failed", "x"),
    "frigate": ("detect", "recordings", "x"),
    "axis": ("0/event/a/b", "0", "0/metadata"),
    "detectx": ("0/a", "0"),
    "dataq": ("0/a/b", "0"),
    "onvif": ("RuleEngine/FieldDetector/ObjectsInside/&1/P", "a"),
    "sparkplug": ("a",),
    "zigbee2mqtt": (
        "lamp", "lamp/l2", "lamp/availability", "lamp/temperature", "lamp/set", "bridge/state",
        "bridge/devices",
    ),
    "shelly": (
        "a", "switch:0", "shellygas-0a1b2c/sensor/gas", "shelly1-0a1b2c/relay/0", "a/info",
        "a/status", "a/emeter/0/power", "announce", "a/online",
    ),
    "tasmota": (
        "lamp/SENSOR", "lamp/STATE", "lamp/LWT", "lamp/RESULT", "lamp/POWER", "lamp/STATUS8",
        "a/b/INFO1", "SENSOR", "x",
    ),
    "iotda": ("properties/report", "messages/up", "events/up", "gateway/sub_devices/x", "x"),
    "jetlinks": ("report", "d/properties/report", "d/event/e", "d/online", "fire", "a"),
    "lwm2m": ("resp", "notify", "a/b"),
    "thingsboard": ("telemetry", "attributes", "connect", "claim", "rpc/request/1"),
    "ngsi": ("a", "a/b"),
}  # fmt: skip
# Where a bridged body of the format says more in the topic than who it is.
_FEEDS: dict[str, tuple[str, ...]] = {
    "lorawan-frame": ("24e1000000000001/85",),
    "axis": ("serial/event/a",),
    "shelly": ("d/sensor/gas", "d/status/switch:0"),
    "tasmota": ("tele/lamp/SENSOR",),
    "zigbee2mqtt": ("lamp/availability",),
    "ngsi": ("a/Streetlight",),
    "onvif": ("c/a/&1",),
    "sparkplug": ("spBv1.0/g/DDATA/e/d",),
}
# Bodies that are one plain value, whichever format gets them.
WORDS = (
    b"", b"0", b"-1", b"3.5", b"ON", b"true", b"online", b"Offline", b"null", b"[]", b"{}", b'""',
    b"NaN", b"d|12|t|3.5", b"2026-03-04T05:06:07Z|t|3.5#t|4", b"\xef\xbb\xbf{}", b"\xff\x00",
)  # fmt: skip


@cache
def topics(name: str) -> tuple[str, ...]:
    """Topics under which the format gets messages: each filter it listens to, and its feed."""
    bridged = [f"{FEED_ROOT}/{name}/{rest}" for rest in ("x", *_FEEDS.get(name, ()))]
    own = [
        topic
        for pattern in FORMATS[name].subscriptions
        for topic in _filled(pattern, _LEVELS.get(name, ("a",)))
    ]
    return tuple(dict.fromkeys([*own, *bridged]))


def _filled(pattern: str, words: tuple[str, ...]) -> Iterator[str]:
    """Topics that the filter lets through; only its last level takes every word."""
    levels = pattern.split("/")
    start = ["a" if level == "+" else level for level in levels[:-1]]
    if levels[-1] not in ("+", "#"):
        yield "/".join([*start, levels[-1]])
        return
    for word in words:
        if levels[-1] == "#" or "/" not in word:
            yield "/".join([*start, word])


@cache
def bodies(name: str) -> tuple[bytes, ...]:
    """The format's own fixtures, and what is written by code because it is no text."""
    folder = FIXTURES / "formats" / name
    if not folder.is_dir():
        folder = FIXTURES / "formats" / name.replace("-", "_")
    return (*(path.read_bytes() for path in sorted(folder.glob("*"))), *_written(name))


def _written(name: str) -> Iterator[bytes]:
    if name == "senml":
        pack = json.loads((FIXTURES / "formats/senml/pack.json").read_bytes())
        numbers = {"bn": -2, "bt": -3, "bu": -4, "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "t": 6}
        records = [{numbers.get(key, key): item for key, item in each.items()} for each in pack]
        yield cbor2.dumps(records)
        yield cbor2.dumps(records).hex().encode()
        yield b'<sensml><senml bn="urn:dev:ow:1" n="t" v="1"/></sensml>'
    if name == "chirpstack-gateway":
        state, counts = message_classes()["ConnState"], message_classes()["GatewayStats"]
        yield state(gateway_id=b"a", state=1).SerializeToString()
        yield counts(gateway_id_legacy=bytes(8), rxPacketsReceived=7).SerializeToString()
        yield b'{"gatewayId":"a","state":"ONLINE"}'
    if name == "sparkplug":
        yield node_birth(metric("temperature_c", 20.5, alias=7))
        yield node_death()
        yield payload(metric("ch4_pct_lel", 1.5, properties={"Quality": 500}), seq=1)
        yield payload({"alias": 7, "datatype": 9, "float_value": 3.5}, seq=2)
        yield b'{"online":true,"timestamp":1772600767000}'


def seeds(name: str) -> Iterator[tuple[str, bytes]]:
    """Every topic of the format with every body of it, and each plain value once."""
    wheres = topics(name)
    for topic in wheres:
        yield from ((topic, body) for body in bodies(name))
    for number, word in enumerate(WORDS):
        yield wheres[number % len(wheres)], word
