"""FIWARE: entities of NGSI-v2 and NGSI-LD in all their representations, subscription
notifications and batches, and the measures of the IoT agents (JSON and UltraLight 2.0).

An entity is the whole state of a thing; what describes it (address, maker, category) is left
out, as the smart data models mark it static. Sources: the NGSIv2 specification, ETSI GS CIM 009,
smart-data-models.org, the user manuals of iotagent-json and iotagent-ul.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import translate
from typing import Any
from urllib.parse import unquote

from city.reading import (
    REASON_FIELD,
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    Reject,
    TimeSource,
)
from wire.body import (
    IDENTITY_LIMIT,
    as_dict,
    as_list,
    as_plain,
    as_text,
    identity,
    kind_of,
    parse_json,
    shown,
)
from wire.carriers import by_server
from wire.format import Format, Refused, guarded
from wire.lorawan.lorawan import said_number
from wire.platforms.ngsi_measures import GROUP_LIMIT, entity_time, read_groups
from wire.quantities import quantity_of, sort_out
from wire.values import VALUE_LIMIT, Flattened, Stamp, flatten

NAME = "ngsi"
SUBSCRIPTIONS = (
    "/json/+/+/attrs/#",
    "json/+/+/attrs/#",
    "/ul/+/+/attrs/#",
    "ul/+/+/attrs/#",
    "/+/+/attrs/#",
)
# Entities of one notification or batch; context brokers page at 20 to 1,000.
ENTITY_LIMIT = 256
# Values of one attribute (datasetId); one sensor each.
DATASET_LIMIT = 32

# UN/CEFACT common codes (Recommendation 20) as units; `unitCode` of NGSI-LD, metadata of v2.
UNIT_CODES = {
    "CEL": "Cel", "FAH": "°F", "KEL": "K", "P1": "%", "C62": "1", "E34": "GB",
    "VLT": "V", "2Z": "mV", "KVT": "kV", "AMP": "A", "4K": "mA", "WTT": "W", "KWT": "kW",
    "KWH": "kWh", "WHR": "Wh", "MWH": "MWh", "VA": "VA", "D46": "VA", "KVA": "kVA",
    "D44": "var", "KVR": "kvar", "HTZ": "Hz", "OHM": "ohm", "LUX": "lx", "LUM": "lm",
    "PAL": "Pa", "A97": "hPa", "KPA": "kPa", "BAR": "bar", "MBR": "mbar",
    "MMT": "mm", "CMT": "cm", "MTR": "m", "KMT": "km", "INH": "in", "FOT": "ft",
    "DD": "deg", "C81": "rad", "59": "ppm", "61": "ppb", "GQ": "µg/m3", "GP": "mg/m3",
    "2N": "dB", "DBM": "dBm", "SEC": "s", "MIN": "min", "HUR": "h", "DAY": "d",
    "MTS": "m/s", "KMH": "km/h", "LTR": "l", "MTQ": "m3", "KGM": "kg", "GRM": "g",
    "H79": "uS/cm", "D10": "S/m", "Q30": "pH", "NTU": "NTU",
}  # fmt: skip

# Attributes that describe a thing and are no readings (smart data models: Device, Streetlighting,
# Environment, WasteManagement, WaterQuality); lower-case, with * for any characters.
_STATIC = (
    "address", "airqualityindexstandard", "alternatename", "annotations", "areaserved",
    "belongs*", "brandname", "cargoweight*", "category", "circuit", "color", "compliantwith",
    "configuration", "controlledasset", "controlledproperty", "controllingmethod",
    "cupboardmadeof", "*date", "date*", "*datetime", "dataprovider", "description",
    "deviceclass", "devicecategory", "deviceinfo", "devicestate", "devicetype", "direction",
    "documentation", "dstaware", "family", "features", "feederid", "feederpillarnum",
    "firmwareversion", "hardwareversion", "image", "insertholesnumber", "ipaddress", "isin*",
    "lampbrandname", "lampmanufacturername", "lampmodelname", "lamptype", "lantern*",
    "last*change", "*lastservice*", "laterality", "link", "location", "locationcategory",
    "locationtype", "macaddress", "manufacturername", "maximumpoweravailable",
    "maximumpowerconsumption", "mcc", "measurand", "measurementtype", "meterreadingperiod",
    "mnc", "modelname", "modifiedat", "createdat", "observedat", "municipality*", "name",
    "nextservice*", "observationspace", "osversion", "owner", "ownerid", "powerrating",
    "provider", "providedby", "ref*", "relativeposition", "reliability", "rfid", "rssi",
    "seealso", "serialnumber", "softwareversion", "source", "stationcode", "stationname",
    "storedwaste*", "streetpolenum", "supportedprotocol", "supportedunits", "timeinstant",
    "timestamp", "typeoflocation", "unit", "unitcode", "units", "version", "warrantydate",
)  # fmt: skip
_STATIC_NAME = re.compile("|".join(map(translate, _STATIC)))
# Texts are values only where the name says that they tell a state; others are descriptions.
_STATE_NAME = re.compile(
    r".*(state|status|mode|alarm|alert|level|severity|result|command|event|quality)$", re.IGNORECASE
)
# Attributes that say when the entity was observed, the best first.
_TIME_NAMES = (
    "dateObserved", "observationDateTime", "dateObservedTo", "dateObservedFrom", "TimeInstant",
    "observedAt", "dateLastValueReported", "dateLastReported", "timestamp",
)  # fmt: skip
_SERVER_TIME_NAMES = ("dateModified", "modifiedAt")
_METADATA_TIMES = ("observedAt", "dateObserved", "TimeInstant", "timestamp")
# Members of an attribute, beside its value, that are no attributes of their own.
_VALUE_MEMBERS = ("value", "json", "vocab", "valueList", "languageMap")
_NO_VALUE_TYPES = frozenset(
    {"Relationship", "GeoProperty", "LanguageProperty", "ListRelationship", "geo:json"}
    | {"geo:point", "geo:line", "geo:box", "geo:polygon", "DateTime", "command", "Command"}
)
_NUMBER_TYPES = frozenset({"Number", "Float", "Integer", "Double"})
_ENTITY_TYPE = re.compile(r"([A-Z][A-Za-z0-9_]{1,63}|https?://\S{1,200}|[a-z]+:[A-Za-z0-9]{1,64})")
_ULTRALIGHT_DEVICE = re.compile(r"[\w%.~-]{1,64}(?:=|%3D)[^=]{1,64}(?:(?:;|%3B).{1,200})?")
_AGENT_TOPIC = re.compile(
    r"/?(?:(json|ul)/)?([^/]+)/([^/]+)/(attrs|cmdexe|cmd|configuration)(/.*)?"
)


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    agent = _agent(topic)
    if agent is not None and _is_measure(payload):
        return _measures(agent, payload, received_at)
    return _context(parse_json(payload), _topic_device(topic), received_at)


# --- Entities, notifications, batches ---------------------------------------------------------


def _context(body: Any, topic_device: str, received_at: datetime) -> Decoded:
    """One entity is one message; several are one part each."""
    base = _server_stamp(as_dict(body).get("notifiedAt"), received_at)
    entities = _entities(body)
    if not entities:
        return Decoded(NAME, MessageClass.OTHER, topic_device, link={"event": "no entities"})
    parts = []
    for number, entity in enumerate(entities[:ENTITY_LIMIT]):
        try:
            parts.append(_entity(entity, base))
        except Refused as refusal:
            where = f"entity {number + 1}: " if len(entities) > 1 else ""
            reject = replace(refusal.reject, detail=where + refusal.reject.detail)
            parts.append(Decoded(NAME, MessageClass.INVALID, refusal.device, rejects=(reject,)))
    if len(entities) > ENTITY_LIMIT:
        problem = f"more than {ENTITY_LIMIT} entities, the rest was left out"
        parts[0] = replace(parts[0], rejects=(*parts[0].rejects, Reject(REASON_FIELD, problem)))
    if len(parts) == 1:
        return parts[0]
    return Decoded(NAME, MessageClass.TELEMETRY, parts=tuple(parts))


def _entities(body: Any) -> list[Any]:
    """The entities of a notification, a batch, a collection, or the body itself."""
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        raise Refused(REASON_FIELD, f"body: must be an entity (got {kind_of(body)})")
    for key in ("data", "entities", "features"):
        listed = body.get(key)
        if isinstance(listed, list) and _is_envelope(body, key):
            return listed
        if key == "data" and isinstance(listed, dict) and _is_envelope(body, key):
            return _entities(listed)  # a notification of GeoJSON
    for key in ("contextResponses", "contextElements"):  # NGSI-v1
        if isinstance(body.get(key), list):
            elements = map(as_dict, body[key])
            return [_of_version_1(element.get("contextElement", element)) for element in elements]
    return [body]


def _is_envelope(body: Mapping[str, Any], key: str) -> bool:
    if key == "data":
        return "subscriptionId" in body or body.get("type") == "Notification"
    if key == "entities":
        return "id" not in body
    return body.get("type") == "FeatureCollection"


def _of_version_1(element: Any) -> dict[str, Any]:
    """An entity of NGSI-v1, whose attributes are a list, as one of v2."""
    element = as_dict(element)
    attributes = {
        as_text(entry.get("name"), IDENTITY_LIMIT): {
            "type": entry.get("type"),
            "value": entry.get("value"),
            "metadata": {
                as_text(item.get("name"), IDENTITY_LIMIT): item
                for item in map(as_dict, as_list(entry.get("metadatas")))
            },
        }
        for entry in map(as_dict, as_list(element.get("attributes"))[:VALUE_LIMIT])
    }
    return {"id": element.get("id"), "type": element.get("type"), **attributes}


def _entity(entity: Any, base: Stamp) -> Decoded:
    if not isinstance(entity, dict):
        raise Refused(REASON_FIELD, f"must be an entity (got {kind_of(entity)})")
    if entity.get("type") == "Feature":
        entity = {"id": entity.get("id"), **as_dict(entity.get("properties"))}
    device = identity(entity.get("id") or entity.get("@id"), "id")
    kind = _type(entity)
    if "deletedAt" in entity:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "deleted", "type": kind})
    attributes = {_short(key): item for key, item in list(entity.items())[:VALUE_LIMIT]}
    stamp = _entity_stamp(attributes, base)
    found = _Found()
    for name, item in attributes.items():
        if name not in ("id", "@id", "type", "@type", "@context", "scope"):
            found.take(name, item, stamp, kind)
    return _message(device, kind, found, attributes)


def _type(entity: Mapping[str, Any]) -> str:
    said = entity.get("type") or entity.get("@type")
    if isinstance(said, list):
        said = next(iter(said), None)
    if said is not None and not isinstance(said, str):
        raise Refused(REASON_FIELD, f"type: must be text (got {shown(said)})")
    return _short(as_text(said))


def _short(name: str) -> str:
    """The last part of an expanded name: https://uri.etsi.org/…#temperature is temperature."""
    return re.split(r"[#/]", name)[-1] if "://" in name[:12] else name


@dataclass(slots=True)
class _Attribute:
    """One value of an attribute with what stands beside it."""

    value: Any
    unit: str = ""
    ts: datetime | None = None
    kind: str = ""


class _Found:
    """Collects the readings of one entity and what is told beside them."""

    def __init__(self) -> None:
        self.values: list[RawValue] = []
        self.rejects: list[Reject] = []
        self.about: dict[str, Any] = {}

    def take(self, name: str, item: Any, stamp: Stamp, entity_type: str) -> None:
        """The values of one attribute, if it is one that measures."""
        if name.lower() in ("rssi", "devicestate") and (told := as_plain(_attribute(item).value)):
            self.about[name] = told
            return
        if _is_static(name):
            return
        for label, attribute in _attributes(name, item):
            if attribute.kind in _NO_VALUE_TYPES or len(self.values) >= VALUE_LIMIT:
                continue
            when = stamp if attribute.ts is None else replace(
                stamp, ts=attribute.ts, ts_from=TimeSource.DEVICE
            )  # fmt: skip
            flat = _flat(label, attribute.value, when, entity_type)
            self.rejects += flat.rejects
            if attribute.kind in _NUMBER_TYPES and _is_no_number(attribute.value):
                problem = f"{label}: must be a number (got {shown(attribute.value)})"
                self.rejects.append(Reject(REASON_FIELD, problem))
                continue
            self.values += [_with_unit(value, attribute.unit) for value in flat.values]


def _is_no_number(value: Any) -> bool:
    return isinstance(value, str) and isinstance(said_number(value), str)


def _is_static(name: str) -> bool:
    return _STATIC_NAME.match(name.lower()) is not None


def _attributes(name: str, item: Any) -> Iterator[tuple[str, _Attribute]]:
    """An attribute of several sensors is a list whose members have a datasetId."""
    if isinstance(item, dict) and isinstance(item.get("values"), list):
        yield from ((name, attribute) for attribute in _overentity_time(item))
        return
    if not isinstance(item, list) or not all(isinstance(part, dict) for part in item):
        yield name, _attribute(item)
        return
    for part in item[:DATASET_LIMIT]:
        dataset = as_text(part.get("datasetId"), IDENTITY_LIMIT)
        yield (f"{name}[{dataset}]" if dataset else name)[:IDENTITY_LIMIT], _attribute(part)


def _overentity_time(item: Mapping[str, Any]) -> Iterator[_Attribute]:
    """The values of an attribute's temporal representation, each a pair of value and time."""
    unit, kind = _unit(item, {}), as_text(item.get("type"), 64)
    for pair in map(as_list, item["values"][:VALUE_LIMIT]):
        if len(pair) == 2:
            yield _Attribute(pair[0], unit, entity_time(pair[1]), kind)


def _attribute(item: Any) -> _Attribute:
    """Normalised, concise or simplified: with members of its own, or the value alone."""
    if not isinstance(item, dict):
        return _Attribute(item)
    kind = as_text(item.get("type"), 64)
    member = next((key for key in _VALUE_MEMBERS if key in item), None)
    if member is None:
        if "object" in item or "coordinates" in item or kind in _NO_VALUE_TYPES:
            return _Attribute(None, kind=kind or "Relationship")
        return _Attribute(item, kind=kind)
    value = item[member]
    if isinstance(value, dict) and ("@value" in value or "coordinates" in value):
        value = value.get("@value")
        kind = "DateTime"
    metadata = as_dict(item.get("metadata"))
    return _Attribute(value, _unit(item, metadata), _own_time(item, metadata), kind)


def _unit(item: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    said = item.get("unitCode")
    for key in ("unitCode", "unit", "units", "uom"):
        said = said or as_dict(metadata.get(key)).get("value")
    code = as_text(said if isinstance(said, str) else as_dict(said).get("value"), 64)
    return UNIT_CODES.get(code, code if len(code) <= 16 else "")


def _own_time(item: Mapping[str, Any], metadata: Mapping[str, Any]) -> datetime | None:
    told = [item.get(key) for key in _METADATA_TIMES]
    told += [metadata.get(key) for key in _METADATA_TIMES]
    return next(filter(None, map(entity_time, told)), None)


def _flat(name: str, value: Any, stamp: Stamp, entity_type: str) -> Flattened:
    """Numbers and truth values; texts that are numbers or states; structures one by one."""
    if name == "value" and isinstance(value, str) and _ULTRALIGHT_DEVICE.fullmatch(value):
        return flatten({"": _device_measures(value)}, stamp)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list) and not all(type(item) in (int, float) for item in value):
        return Flattened((), ())  # a list of texts is a description, one of numbers has phases
    flat = flatten({name: value}, stamp)
    kept = tuple(v for v in flat.values if not isinstance(v.value, str) or _tells_state(v))
    return Flattened(kept, flat.rejects)


def _tells_state(value: RawValue) -> bool:
    return bool(value.value) and _STATE_NAME.fullmatch(value.name) is not None


def _device_measures(text: str) -> dict[str, str]:
    """`Device.value` of the data models: t=21.2;l=0.22, often URL-encoded."""
    pairs = (part.partition("=") for part in unquote(text).split(";"))
    return {name: value for name, _, value in pairs if name}


def _with_unit(value: RawValue, unit: str) -> RawValue:
    return replace(value, unit=unit) if unit and not isinstance(value.value, str) else value


def _message(device: str, kind: str, found: _Found, attributes: Mapping[str, Any]) -> Decoded:
    values = found.values
    if _attribute(attributes.get("outlier")).value is True:
        values = [replace(value, quality=Quality.SUSPECT) for value in values]
    told = [_with_quantity(value, attributes) for value in values]
    sorted_out = sort_out(device, told)
    link: dict[str, Any] = {"type": kind, **found.about}
    rejects = (*found.rejects, *sorted_out.rejects)
    if not values:
        message_class = MessageClass.INVALID if rejects else MessageClass.OTHER
        return Decoded(NAME, message_class, device, rejects=rejects, link=link | _NO_READING)
    return Decoded(
        NAME, MessageClass.TELEMETRY, device, sorted_out.readings, sorted_out.values,
        rejects=rejects, link=link, cached=True,
    )  # fmt: skip


_NO_READING = {"event": "no readings"}


def _with_quantity(value: RawValue, attributes: Mapping[str, Any]) -> tuple[RawValue, str]:
    """The metric of a value whose unit is told; a DeviceMeasurement names what it measures."""
    if value.name != "numValue":
        return value, quantity_of(value.name, value.unit) if value.name in _BY_UNIT else ""
    code = as_text(_attribute(attributes.get("unit")).value, 16)
    value = _with_unit(value, value.unit or UNIT_CODES.get(code, ""))
    controlled = _attribute(attributes.get("controlledProperty")).value
    return value, quantity_of(as_text(controlled, 64), value.unit)


# Names of the data models whose unit varies from city to city: readings only where the message
# has a unit. Those that are fractions without one are in the model file as well.
_BY_UNIT = frozenset(
    {"co", "no", "no2", "so2", "o3", "nh3", "h2s", "ch4", "co2", "current", "distance", "level"}
    | {"waterLevel", "power", "tilt", "angle", "relativeHumidity", "batteryLevel"}
    | {"fillingLevel", "humidity", "pressure", "atmosphericPressure"}
)


# --- Times ------------------------------------------------------------------------------------


def _entity_stamp(attributes: Mapping[str, Any], base: Stamp) -> Stamp:
    for name in _TIME_NAMES:
        ts = entity_time(attributes.get(name))
        if ts is not None:
            return Stamp(ts, TimeSource.DEVICE)
    if base.ts_from is TimeSource.RECEIVED:
        for name in _SERVER_TIME_NAMES:
            ts = entity_time(attributes.get(name))
            if ts is not None:
                return Stamp(ts, TimeSource.SERVER)
    return base


def _server_stamp(said: Any, received_at: datetime) -> Stamp:
    ts = entity_time(said)
    if ts is None:
        return Stamp(received_at, TimeSource.RECEIVED)
    return Stamp(ts, TimeSource.SERVER)


# --- Measures of the IoT agents ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Agent:
    """What the topic of an agent says: device, kind of message, attribute of a single measure."""

    protocol: str
    device: str
    kind: str
    attribute: str


def _agent(topic: str) -> _Agent | None:
    match = _AGENT_TOPIC.fullmatch(topic[:512])
    if match is None or topic.startswith("feed/"):
        return _feed_agent(topic)
    return _Agent(match[1] or "", match[3], match[4], (match[5] or "")[1:])


def _feed_agent(topic: str) -> _Agent | None:
    """`feed/ngsi/{device}/attrs[/{attribute}]`, for devices that speak HTTP to an agent;
    `feed/ultralight/{device}` is always a device's text."""
    parts = topic.split("/")
    if parts[:2] == ["feed", "ultralight"] and len(parts) > 2:
        return _Agent("ul", parts[2], "attrs", "")
    if parts[0] != "feed" or len(parts) < 4 or parts[3] not in ("attrs", "cmdexe"):
        return None
    return _Agent("", parts[2], parts[3], "/".join(parts[4:]))


def _is_measure(payload: bytes) -> bool:
    """Anything but entities with their attributes spelled out, which agents take as well."""
    try:
        body = parse_json(payload)
    except Refused:
        return True
    first = as_dict(next(iter(_entities(body)), None)) if _fits(body) else {}
    return not any(map(_is_attribute, first.values()))


def _measures(agent: _Agent, payload: bytes, received_at: datetime) -> Decoded:
    device = identity(agent.device, "topic")
    if agent.kind != "attrs":
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": agent.kind})
    try:
        groups = read_groups(agent.protocol, agent.attribute, payload)
    except Refused as refusal:
        refusal.device = device
        raise
    now = Stamp(received_at, TimeSource.RECEIVED)
    values: list[RawValue] = []
    rejects: list[Reject] = []
    for group in groups[:GROUP_LIMIT]:
        ts = entity_time(group.pop("TimeInstant", None))
        stamp = now if ts is None else Stamp(ts, TimeSource.DEVICE)
        flat = flatten({"": group}, stamp)
        values.extend(flat.values)
        rejects.extend(flat.rejects)
        if len(values) > VALUE_LIMIT:
            break
    if len(values) > VALUE_LIMIT or len(groups) > GROUP_LIMIT:
        rejects.append(Reject(REASON_FIELD, "more measures than are read, the rest was left out"))
    if not values and not rejects:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "no measures"})
    message_class = MessageClass.TELEMETRY if values else MessageClass.INVALID
    return Decoded(
        NAME, message_class, device, values=tuple(values[:VALUE_LIMIT]), rejects=tuple(rejects)
    )


# --- What is ours -----------------------------------------------------------------------------


def _topic_device(topic: str) -> str:
    parts = topic.split("/")
    return parts[2] if parts[0] == "feed" and len(parts) > 2 else ""


def _matches(topic: str) -> bool:
    agent = _AGENT_TOPIC.fullmatch(topic[:512])
    if agent is None:
        return False
    return agent[1] is not None or (topic.startswith("/") and agent[4] in ("attrs", "cmdexe"))


def _fits(body: Any) -> bool:
    """An entity, a list of them, or a notification or batch that holds some."""
    if isinstance(body, list):
        return bool(body) and _is_entity(body[0])
    if not isinstance(body, dict):
        return False
    if any(isinstance(body.get(key), list) for key in ("contextResponses", "contextElements")):
        return True
    if isinstance(body.get("TimeInstant"), str):
        return True  # a measure of an agent, whose topic would say of which device
    for key in ("data", "entities", "features"):
        if isinstance(body.get(key), list) and _is_envelope(body, key):
            return not body[key] or _is_entity(body[key][0])
        if key == "data" and isinstance(body.get(key), dict) and _is_envelope(body, key):
            return _fits(body[key])
    return _is_entity(body)


def _is_entity(item: Any) -> bool:
    if as_dict(item).get("type") == "Feature":
        return isinstance(as_dict(item).get("properties"), dict)
    return _is_keyvalues(item) or any(_is_attribute(part) for part in as_dict(item).values())


def _is_keyvalues(item: Any) -> bool:
    """An id and a type that is written as types of data models are."""
    entity = as_dict(item)
    kind = entity.get("type") or entity.get("@type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    named = isinstance(entity.get("id") or entity.get("@id"), str)
    return named and isinstance(kind, str) and _ENTITY_TYPE.fullmatch(kind) is not None


def _is_attribute(item: Any) -> bool:
    attribute = as_dict(item)
    return isinstance(attribute.get("type"), str) and (
        "value" in attribute or "object" in attribute
    )


NGSI = Format(NAME, SUBSCRIPTIONS, _matches, _fits, guarded(NAME, _parse), carriers=by_server)
