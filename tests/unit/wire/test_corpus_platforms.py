"""Every real sample of standards and platforms decodes to what its source says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ingest.decode import decode_by_hand
from tests.unit.wire.corpus import NOW, Sample, corpus, each, moment, of_formats, same
from wire import find_format

# Format id of the corpus -> the format here that reads it.
SUPPORTED = {
    "senml-json": "senml", "senml-pack-json": "senml", "senml-cbor-hex": "senml",
    "lwm2m-oma-json": "lwm2m", "fiware-ngsi-v2-keyvalues": "ngsi",
    "fiware-ngsi-v2-normalized": "ngsi", "fiware-ngsi-ld": "ngsi",
    "thingsboard-telemetry-json": "thingsboard", "huawei-iotda-json": "iotda",
    "jetlinks-json": "jetlinks", "gaslyt-json": "gaslyt",
}  # fmt: skip
CLASSES = {"readings": "telemetry", "event": "event", "status": "status"}
KNOWN = of_formats(SUPPORTED)
RECORDS = [sample for sample in KNOWN if "records" in sample.expected]
POINTS = [sample for sample in KNOWN if "records" not in sample.expected]
# The list of expected values has two that the normalised NGSI-LD file has not: they are in the
# key-value form of the same lamp only.
NOT_IN_THE_FILE = {
    "fiware/streetlight-ld-normalized.json": {"lifetimePowerConsumption", "lifetimeMotionDetected"}
}
# The kind of alarm is shown as a reading of its own: the alarm raises an alarm here as well.
OUR_OWN = {"gaslyt/alarm.json": {"tipo"}}
# In words what our units say in signs.
UNITS = {"Cel": {"", "°C", "Cel"}, "fraction 0..1": {"", "1"}}


def payload(sample: Sample) -> bytes:
    """The body as it is published: CBOR is stored as hex digits."""
    if sample.file.endswith(".hex"):
        return bytes.fromhex(sample.payload.decode())
    return sample.payload


def decoded(sample: Sample, topic: str | None = None, **options: Any) -> dict[str, Any]:
    where = sample.topic if topic is None else topic
    return decode_by_hand(where, payload(sample), received_at=NOW, **options)


@corpus
@each(KNOWN)
def test_a_sample_is_recognised_by_its_body_and_by_its_name(sample: Sample) -> None:
    wanted = SUPPORTED[sample.format]
    known = find_format(sample.format)
    assert known is not None
    assert known.name == wanted
    assert decoded(sample)["format"] == wanted
    if sample.format != "thingsboard-telemetry-json":  # names and values could be anybody's
        assert decoded(sample, topic="")["format"] == wanted


@corpus
@each(KNOWN)
def test_a_sample_has_the_class_and_the_device_that_its_source_says(sample: Sample) -> None:
    result = decoded(sample)
    assert (result["class"], result["rejects"]) == (CLASSES[sample.expect], [])
    wanted = sample.expected.get("device_id")
    if wanted == "(from the topic)":
        wanted = sample.topic.split("/")[2]
    if wanted is not None:
        assert result["device"] == wanted


@corpus
@each(POINTS)
def test_a_sample_has_all_values_of_its_source_and_no_others(sample: Sample) -> None:
    shown = {r["raw_name"]: r for r in decoded(sample)["readings"]}
    wanted = {
        name: value
        for point in sample.expected["points"]
        for name, value in point["values"].items()
    }
    for name in NOT_IN_THE_FILE.get(sample.file, ()):
        del wanted[name]
    assert shown.keys() - OUR_OWN.get(sample.file, set()) == wanted.keys()
    for name, value in wanted.items():
        raw = shown[name]["raw_value"]
        assert same(float(raw) if isinstance(value, float) else raw, value), name
        unit = sample.expected.get("units", {}).get(name)
        if unit is not None:  # where the source says none, the model or the manual may know it
            assert shown[name]["raw_unit"] in UNITS.get(unit, {"", unit}), name


@corpus
@each(POINTS)
def test_a_samples_values_have_the_time_that_its_source_says(sample: Sample) -> None:
    said = sample.expected["time"]
    wanted = NOW if said is None else moment(said)
    assert {moment(reading["ts"]) for reading in decoded(sample)["readings"]} == {wanted}


@corpus
@each([sample for sample in RECORDS if sample.format != "lwm2m-oma-json"])
def test_a_pack_has_all_its_records_and_no_others(sample: Sample) -> None:
    """Records, not points: a pack has several values of one name and time (a place is two)."""
    result = decoded(sample)
    shown = Counter(
        (r["raw_name"], moment(r["ts"]), r["raw_value"], r["raw_unit"] or None)
        for r in result["readings"]
    )
    texts = result["link"].get("text", {}) | result["link"].get("about", {})
    wanted = Counter(
        (r["name"], moment(r["time"]) if r["time"] else NOW, r["value"], r["unit"])
        for r in sample.expected["records"]
        if r["unit"] not in ("lat", "lon") and r["name"] not in texts
    )
    assert shown == wanted
    for record in sample.expected["records"]:
        if record["name"] in texts:
            assert texts[record["name"]] == record["value"]
    places = [r for r in sample.expected["records"] if r["unit"] in ("lat", "lon")]
    if places:
        last = {r["unit"]: r["value"] for r in places}
        assert result["link"]["place"] == last


@corpus
@each([sample for sample in KNOWN if sample.file.endswith(".hex")])
def test_cbor_says_the_same_as_hex_digits(sample: Sample) -> None:
    by_hex = decode_by_hand("", sample.payload, received_at=NOW)
    assert by_hex == decoded(sample)


@corpus
@each([sample for sample in KNOWN if sample.format == "lwm2m-oma-json"])
def test_points_of_a_clock_never_set_keep_their_distances(sample: Sample) -> None:
    """The source resolves the times to 1970; here the newest point is of the time of receipt."""
    shown = {r["raw_value"]: moment(r["ts"]) for r in decoded(sample)["readings"]}
    records = sample.expected["records"]
    newest = max(record["epoch_s"] for record in records)
    assert {r["path"] for r in records} == {r["raw_name"] for r in decoded(sample)["readings"]}
    for record in records:
        age = (NOW - shown[record["value"]]).total_seconds()
        assert age == pytest.approx(newest - record["epoch_s"], abs=1e-3)


@corpus
@each([sample for sample in KNOWN if sample.format == "thingsboard-telemetry-json"])
def test_the_lamps_own_model_knows_the_units(sample: Sample) -> None:
    result = decoded(sample, model="zenopix-dali")
    stored = {r["metric"]: r["value"] for r in result["readings"] if r["stored"]}
    assert stored == {
        "voltage_v": 230.5,
        "power_factor": 0.95,
        "temperature_c": 42,
        "dim_pct": 75,
        "operating_h": 1500,
    }
