"""Wire formats: one pure file each, and the table of those that are understood.

A format is closed: nothing outside its own files names it (a test of the architecture says so).
To add one, touch these files and no others:

1. `wire/<family>/<name>.py`: `NAME`, `SUBSCRIPTIONS` (MQTT topic filters), `_matches(topic)`,
   `_fits(body)` and `_parse(topic, payload, received_at) -> Decoded`, gathered in one `Format`.
   The parser does no I/O and reads no clock. It leaves by returning, or by raising `Refused`
   with one of the reasons of `city.reading`; one bad field is a partial rejection beside the
   values that can be used. JSON comes through `body.parse_object`, times through `times`,
   decoded vendor objects through `values.flatten`. Where topics are the user's own or no JSON is
   told without its topic, `no_topic` and `no_body` say so.
   `base`, `any_prefix` and `is_local` say how feeds that an installation adds are read
   (`wire.feeds`).
   What else is peculiar to it is said in the same `Format`: `carriers` if messages come through
   gateways or a server (`carriers`, `lorawan.server`), `numbering` if their senders number them
   (and the feed's place at the end of `city.sequence.FEEDS`), `kind` if all its devices are of one.
   Network servers describe a frame by an `Envelope` of `lorawan.server`; cameras share `video`,
   lists of records `industry.records`.
2. `wire/__init__.py`: the import and one line in `FORMATS` (order is the order in
   which `recognise` asks), and a line in `ALIASES` for names people know it by.
3. `wire/models/<model>.toml` for each device model whose names are not canonical, and
   `<model>.js` beside it if its payload is bytes (see `wire/models/__init__.py`).
4. Where one message is understood by earlier ones only: `needs` in the `Format`, the module
   `ingest/formats/<name>.py` that keeps them, and a line in `ingest.peculiar`.
5. `tests/unit/wire/test_format_<name>.py`, with payloads of your own making in
   `tests/fixtures/formats/<name>/`; one of each class of message, one of each way to be broken.
   The worst that its grammar allows goes into `WORST` of `test_format_hostile.py`.

Real samples of it, where there are any, are compared by a suite `test_corpus_<group>.py`.
"""

from __future__ import annotations

from functools import lru_cache

from wire.body import parse_json
from wire.cameras.axis import AXIS
from wire.cameras.dahua import DAHUA
from wire.cameras.dataq import DATAQ
from wire.cameras.detectx import DETECTX
from wire.cameras.frigate import FRIGATE
from wire.cameras.hikvision import HIKVISION
from wire.cameras.onvif import ONVIF
from wire.format import PAYLOAD_LIMIT, Format, Refused
from wire.home.gaslyt import GASLYT
from wire.home.homeassistant import HOMEASSISTANT
from wire.home.shelly import SHELLY
from wire.home.tasmota import TASMOTA
from wire.home.xiaomi_gw3 import XIAOMI_GW3
from wire.home.zigbee2mqtt import ZIGBEE2MQTT
from wire.industry.lwm2m import LWM2M
from wire.industry.senml import SENML
from wire.industry.sparkplug import SPARKPLUG
from wire.lorawan.chirpstack import CHIRPSTACK
from wire.lorawan.chirpstack_gateway import CHIRPSTACK_GATEWAY
from wire.lorawan.lorawan_frame import LORAWAN_FRAME
from wire.lorawan.loriot import LORIOT
from wire.lorawan.milesight_gateway import MILESIGHT_GATEWAY
from wire.lorawan.milesight_nbiot import MILESIGHT_NBIOT
from wire.lorawan.netmore import NETMORE
from wire.lorawan.thingpark import THINGPARK
from wire.lorawan.ttn import TTN
from wire.native import NATIVE
from wire.platforms.iotda import IOTDA
from wire.platforms.jetlinks import JETLINKS
from wire.platforms.ngsi import NGSI
from wire.platforms.thingsboard import THINGSBOARD

__all__ = [
    "ALIASES", "FEED_ROOT", "FORMATS", "GAS", "OWN", "PAYLOAD_LIMIT", "Format", "find_format",
    "recognise",
]  # fmt: skip

# Formats that fix no topic, or travel by HTTP, are bridged to `feed/{format}/{anything}`; by
# convention the first level after the format names the device where the body does not.
FEED_ROOT = "feed"
# Topics whose format is remembered, and the length from which none is: some 10 MB together.
TOPICS_REMEMBERED = 32_768
TOPIC_REMEMBERED_LENGTH = 256

FORMATS: dict[str, Format] = {
    "native": NATIVE,
    "milesight-gateway": MILESIGHT_GATEWAY,  # before ChirpStack, whose old form is its ancestor
    "chirpstack": CHIRPSTACK,
    "ttn": TTN,
    "thingpark": THINGPARK,
    "loriot": LORIOT,
    "netmore": NETMORE,
    "milesight-nbiot": MILESIGHT_NBIOT,
    "frigate": FRIGATE,
    "axis": AXIS,
    "detectx": DETECTX,
    "dataq": DATAQ,
    "onvif": ONVIF,
    "hikvision": HIKVISION,
    "dahua": DAHUA,
    "sparkplug": SPARKPLUG,
    "homeassistant": HOMEASSISTANT,
    "zigbee2mqtt": ZIGBEE2MQTT,
    "xiaomi-gw3": XIAOMI_GW3,
    "shelly": SHELLY,
    "tasmota": TASMOTA,
    "gaslyt": GASLYT,
    "iotda": IOTDA,
    "jetlinks": JETLINKS,
    "lwm2m": LWM2M,
    "senml": SENML,  # after LwM2M, whose packs are of this form
    "thingsboard": THINGSBOARD,
    "ngsi": NGSI,  # takes any object with an id and a type
    "chirpstack-gateway": CHIRPSTACK_GATEWAY,
    "lorawan-frame": LORAWAN_FRAME,  # last: takes every hex text for a frame
}

# Our own format, which a device speaks of which nobody says anything else.
OWN = NATIVE.name
# Where gas sensors publish: one format alone has topics that say so.
(GAS,) = (known.gas for known in FORMATS.values() if known.gas is not None)

# Other names by which people know a format.
ALIASES: dict[str, str] = {
    "gridwarden": "native",
    "chirpstack-v4": "chirpstack",
    "chirpstack-v3": "chirpstack",
    "tts": "ttn",
    "ttn-v3": "ttn",
    "the-things-stack": "ttn",
    "thethingsstack": "ttn",
    "actility": "thingpark",
    "frigate-nvr": "frigate",
    "axis-camera": "axis",
    "onvif-ej": "onvif",
    "hikvision-isapi": "hikvision",
    "isapi": "hikvision",
    "sparkplugb": "sparkplug",
    "spb": "sparkplug",
    "z2m": "zigbee2mqtt",
    "ha-discovery": "homeassistant",
    "home-assistant": "homeassistant",
    "sensml": "senml",
    "fiware": "ngsi",
    "ngsi-v2": "ngsi",
    "ngsi-ld": "ngsi",
    "fiware-ngsi-v2": "ngsi",
    "fiware-ngsi-ld": "ngsi",
    "ultralight": "ngsi",
    "huawei-iotda": "iotda",
    "xiaomi-gateway": "xiaomi-gw3",
    "xiaomi-gateway3": "xiaomi-gw3",
}


def recognise(topic: str, payload: bytes) -> Format | None:
    """The format of a message: by its topic, else by what its body looks like."""
    known = _remembered(topic) if len(topic) <= TOPIC_REMEMBERED_LENGTH else _of_topic(topic)
    return known if known is not None or _is_fed(topic) else _of_body(payload)


def _is_fed(topic: str) -> bool:
    """The topic names the format, or one that there is not."""
    return topic.startswith(f"{FEED_ROOT}/")


def _of_topic(topic: str) -> Format | None:
    if _is_fed(topic):
        return find_format(topic.split("/", 2)[1])
    return next((known for known in FORMATS.values() if known.matches(topic)), None)


_remembered = lru_cache(maxsize=TOPICS_REMEMBERED)(_of_topic)


def _of_body(payload: bytes) -> Format | None:
    if len(payload) > PAYLOAD_LIMIT:
        return None
    try:
        body = parse_json(payload)
    except Refused:
        return next((f for f in FORMATS.values() if f.fits_bytes and f.fits_bytes(payload)), None)
    return next((known for known in FORMATS.values() if known.fits(body)), None)


def find_format(name: str) -> Format | None:
    """A format by its name, by a name people know it by, or by the name of one of its messages
    ("chirpstack-v4-up-json")."""
    written = name.strip().lower().replace(" ", "-").replace("_", "-")
    names = sorted({*FORMATS, *ALIASES}, key=len, reverse=True)
    found = next((n for n in names if written == n or written.startswith(f"{n}-")), written)
    return FORMATS.get(ALIASES.get(found, found))
