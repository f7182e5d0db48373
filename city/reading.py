"""What sensors and cameras report, in canonical names and units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

from city.errors import InvalidInput
from city.lighting import LampAnswer


@dataclass(frozen=True, slots=True)
class Metric:
    """One measurable quantity. `id` is stored in every reading row and never reused."""

    id: int
    name: str
    unit: str
    low: float  # physically possible range; outside it the value is a reject
    high: float


def _metrics(*rows: tuple[int, str, str, float, float]) -> dict[str, Metric]:
    return {name: Metric(i, name, unit, low, high) for i, name, unit, low, high in rows}


# Canonical metrics (contract: "MQTT, native format"). Ranges are what a working sensor of
# the kind can physically report; a rule's limits live in the rules, not here. Gas sensors drift
# a little below zero, and such a reading is a sign of life, not a reject.
METRICS: dict[str, Metric] = _metrics(
    (1, "ch4_pct_lel", "%LEL", -10, 2000),
    (2, "ch4_pct_vol", "%vol", -0.5, 100),
    (3, "co_ppm", "ppm", -100, 100_000),
    (4, "h2s_ppm", "ppm", -100, 100_000),
    (5, "o2_pct_vol", "%vol", -1, 100),
    (6, "pressure_kpa", "kPa", -200, 20_000),
    (7, "temperature_c", "°C", -90, 200),
    (8, "humidity_pct", "%", 0, 100),
    (9, "gas_alarm", "0/1", 0, 1),  # on/off detectors that give no concentration
    (10, "co2_ppm", "ppm", -1000, 1_000_000),
    (11, "nh3_ppm", "ppm", -100, 100_000),
    (12, "no2_ppm", "ppm", -100, 100_000),
    (13, "so2_ppm", "ppm", -100, 100_000),
    (14, "o3_ppm", "ppm", -100, 100_000),
    (15, "no_ppm", "ppm", -100, 100_000),
    (16, "gas_ppm", "ppm", -1000, 1_000_000),  # combustible gas; %LEL only where it is known which
    (17, "c2h6_ppm", "ppm", -1000, 1_000_000),  # ethane: in pipeline gas, not in biogas
    (20, "tilt_deg", "°", -180, 180),
    (21, "water_level_cm", "cm", -1000, 100_000),
    (22, "cover_open", "0/1", 0, 1),
    (23, "flooded", "0/1", 0, 1),
    (24, "distance_mm", "mm", 0, 1_000_000),
    (25, "fill_pct", "%", 0, 100),
    (26, "vibration", "0/1", 0, 1),
    (27, "acceleration_g", "g", -400, 400),
    (28, "moved_m", "m", 0, 21_000_000),  # from the registered place, by a fix
    (40, "lamp_on", "0/1", 0, 1),
    (41, "dim_pct", "%", 0, 100),
    (42, "power_w", "W", -1_000_000, 1_000_000),
    (43, "voltage_v", "V", 0, 100_000),
    (44, "current_a", "A", -100_000, 100_000),
    (45, "energy_kwh", "kWh", 0, 1e12),
    (46, "leakage_ma", "mA", 0, 1_000_000),
    (47, "power_factor", "1", -1, 1),
    (48, "frequency_hz", "Hz", 0, 1000),
    (49, "apparent_power_va", "VA", -1_000_000, 1_000_000),
    (50, "reactive_power_var", "var", -1_000_000, 1_000_000),
    (51, "operating_h", "h", 0, 1e7),
    (52, "illuminance_lx", "lx", 0, 1_000_000),
    (53, "lamp_fault", "0/1", 0, 1),
    (60, "battery_pct", "%", 0, 100),
    (61, "battery_v", "V", 0, 1000),
    (62, "rssi_dbm", "dBm", -200, 50),
    (63, "snr_db", "dB", -100, 100),
    (64, "battery_low", "0/1", 0, 1),
    (65, "tamper", "0/1", 0, 1),
    (66, "signal_pct", "%", 0, 100),
    (67, "link_quality", "1", 0, 255),  # without unit: what Zigbee coordinators call LQI
    (70, "motion", "0/1", 0, 1),
)
METRICS_BY_ID: dict[int, Metric] = {m.id: m for m in METRICS.values()}


class Quality(IntEnum):
    """How far a value may be trusted; stored with it."""

    GOOD = 0
    CLOCK_REPLACED = 1  # the device's clock was implausible, `ts` is the time of receipt
    LATE = 2  # arrived long after it was measured: stored, raises no alarm
    SUSPECT = 3  # the device itself says it is unsure (warm-up, fault code, outlier flag)
    SIMULATED = 4  # the message says that it is a simulation


# Values that may end an alarm: whatever delay of it had run out by one of them is over.
ENDING = (Quality.GOOD, Quality.CLOCK_REPLACED)


class TimeSource(StrEnum):
    """Where a reading's time was taken from (`ts_from`)."""

    DEVICE = "device"  # the sensor's own clock
    GATEWAY = "gateway"
    SERVER = "server"  # the network server or bridge that published the message
    RECEIVED = "received"  # nothing usable in the message: our time of receipt


class MessageClass(StrEnum):
    """What a message is, decided before its values are looked at."""

    TELEMETRY = "telemetry"
    EVENT = "event"
    STATUS = "status"
    POSITION = "position"
    UNDECODED = "undecoded"  # kept as bytes: no codec for this device model
    OTHER = "other"  # join, downlink acknowledgement, log, discovery, heartbeat: counted only
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric at one time, as decoded from a message.

    `device` is the identity that the message carries (device code, EUI, serial), before
    the registry is asked. `metric` is canonical where the format or the model says so, else
    the vendor's name; normalisation decides which are stored. `raw_*` keep what was sent.
    """

    device: str
    metric: str
    value: float
    unit: str
    ts: datetime
    ts_from: TimeSource
    raw_name: str
    raw_value: Any = None
    raw_unit: str = ""
    quality: Quality = Quality.GOOD

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InvalidInput(self.metric, self.value, "must be a finite number")


@dataclass(frozen=True, slots=True)
class RawValue:
    """One named value as a vendor's message carries it, before units and names are judged.

    `value` is a number, a truth value or text; `sent` is what stood in the message where that
    differs ("3.384 V"). Normalisation turns those that the device's model knows into readings.
    `meaning` is what the sender's own definition of the value says: the name of a metric, or one of
    the words below; empty where it says nothing.
    """

    name: str
    value: float | bool | str
    ts: datetime
    ts_from: TimeSource
    unit: str = ""
    sent: Any = None
    quality: Quality = Quality.GOOD
    meaning: str = ""


# Meanings of a value that are no metric.
NO_READING = "no reading"  # a setting, a counter, a quantity without a metric here
ALARM_OF_DEVICE = "alarm of the device"  # of whatever the device is there to detect
ALARM_UNCLEAR = "alarm unclear"  # something is wrong, nothing says what
UNIT_UNKNOWN = "unit unknown"  # a quantity that is sent in several units, nothing says in which


class EventPhase(StrEnum):
    NEW = "new"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True, slots=True)
class VideoEvent:
    """What a camera's analytics reported; (camera, event_id) is its identity.

    Cameras that number no events say only that a condition (a rule of theirs) began or is over.
    Then `event_id` names the condition, `recurring` is true, and whoever stores the report finds
    the occurrence it belongs to, or begins one (`occurrence_id`). `repeated_as` is the condition
    under which the same camera says the same a second time.
    """

    camera: str
    event_id: str
    type: str
    phase: EventPhase
    start_at: datetime
    end_at: datetime | None = None
    confidence: float | None = None
    bbox: tuple[float, float, float, float] | None = None  # x, y, w, h, each 0 to 1
    snapshot: str = ""
    model: str = ""
    model_version: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    recurring: bool = False
    repeated_as: str = ""


def occurrence_id(condition: str, at: datetime) -> str:
    """The event id of one occurrence of a condition that recurs."""
    return f"{condition}@{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A device, gateway or bridge says that it is there, or its Last Will says it is not."""

    device: str
    online: bool | None
    ts: datetime
    ts_from: TimeSource
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SquadPosition:
    squad: str
    lon: float
    lat: float
    accuracy_m: float | None
    ts: datetime


@dataclass(frozen=True, slots=True)
class Reject:
    """A message, or one part of it, that was refused. `reason` is a code, `detail` for people."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """One MQTT message, parsed. `device` is the identity in the message, if there is one."""

    format: str
    message_class: MessageClass
    device: str = ""
    readings: tuple[Reading, ...] = ()
    values: tuple[RawValue, ...] = ()  # in the vendor's names: readings only after normalisation
    events: tuple[VideoEvent, ...] = ()
    statuses: tuple[StatusReport, ...] = ()
    positions: tuple[SquadPosition, ...] = ()
    rejects: tuple[Reject, ...] = ()
    raw_bytes: bytes = b""  # device bytes left for a codec
    fport: int | None = None
    link: dict[str, Any] = field(default_factory=dict)  # frame counter, gateways, signal
    cached: bool = False  # repeats old values beside new ones: only what changed is news
    # A message that speaks for several devices: one part each, and nothing of its own beside.
    parts: tuple[Decoded, ...] = ()
    answer: LampAnswer | None = None  # of a lamp, or of the server before it, to a command


# Reject reasons: what the quarantine groups by and a person searches for.
REASON_TOPIC = "topic_unknown"
REASON_JSON = "json_invalid"
REASON_XML = "xml_invalid"
REASON_CBOR = "cbor_invalid"
REASON_PROTOBUF = "protobuf_invalid"
REASON_TEXT = "text_invalid"
REASON_ALIAS = "alias_unknown"  # Sparkplug B: data before the birth that names its metrics
REASON_FIELD = "field_invalid"
REASON_NAN = "number_not_finite"
REASON_TIME_FUTURE = "time_in_future"
REASON_TIME_OLD = "time_too_old"
REASON_TOO_LARGE = "payload_too_large"
REASON_DEVICE_UNKNOWN = "device_unknown"
REASON_DEVICE_REPLACED = "device_replaced"  # sent by hardware that was exchanged
REASON_DEVICE_RETIRED = "device_retired"  # of a device that is no more
REASON_METRIC_UNKNOWN = "metric_unknown"
REASON_RANGE = "value_out_of_range"
REASON_ALARM = "alarm_unclear"  # may be an alarm, and neither its sender nor a model says of what
REASON_UNIT = "unit_unknown"
REASON_DISTRICT = "district_mismatch"
REASON_KIND = "kind_mismatch"
REASON_CODEC = "codec_failed"
REASON_UNDECODED = "frame_undecoded"  # not refused: bytes kept until the model has a codec
REASON_FORMAT = "format_unknown"


# Which of a device's metrics its dot on the map shows: the first of these that it reports.
SHOWN_METRICS = (
    "cover_open", "water_level_cm", "flooded", "tilt_deg", "ch4_pct_lel", "gas_alarm",
    "ch4_pct_vol", "co_ppm", "h2s_ppm", "o2_pct_vol", "pressure_kpa", "lamp_on", "dim_pct",
    "power_w", "temperature_c", "humidity_pct", "distance_mm", "battery_pct",
)  # fmt: skip
