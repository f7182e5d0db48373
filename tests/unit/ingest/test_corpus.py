"""Every real sample of a supported format decodes to what its source says.

The samples are third-party data and are not part of this repository. They are read from the
folder named by GRIDWARDEN_SAMPLES, else from `shared/samples` beside the checkout; where there
is none these tests are skipped and say so. Formats that are not supported yet are listed here
with their number of samples, so that a sample that is not looked at is never taken for a pass.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.decode import decode_by_hand, rejected_everything

ROOT = Path(__file__).parents[3]
SAMPLES = Path(os.environ.get("GRIDWARDEN_SAMPLES") or ROOT.parent / "shared" / "samples")
# Format id of the corpus -> the format here that reads it.
SUPPORTED = {
    "chirpstack-v4-up-json": "chirpstack",
    "chirpstack-v4-status-json": "chirpstack",
    "chirpstack-v4-log-json": "chirpstack",
    "chirpstack-v3-up-json": "chirpstack",
    "chirpstack-v3-error-json": "chirpstack",
    "chirpstack-v3-protobuf-json": "chirpstack",
    "chirpstack-legacy-json": "chirpstack",
    "ttn-v3-uplink-json": "ttn",
    "ttn-v3-uplink-json (JSON lines)": "ttn",
    "ttn-v3-event-json": "ttn",
    "ttn-v3-join": "ttn",
    "ttn-v3-downlink-ack": "ttn",
    "frigate-events-json": "frigate",
    "frigate-reviews-json": "frigate",
    "frigate-tracked-object-json": "frigate",
    "frigate-plain-text": "frigate",
}
# Samples of each format that nothing here reads yet.
NOT_SUPPORTED = {
    "axis-event-mqtt-json": 4, "axis-people-counter-json": 1, "axis-scene-metadata-json": 2,
    "dahua-event-json": 1, "dataq-json": 2, "detectx-json": 1, "fiware-ngsi-ld": 3,
    "fiware-ngsi-v2-keyvalues": 1, "fiware-ngsi-v2-normalized": 1, "gaslyt-json": 3,
    "ha-discovery-json": 1, "hikvision-isapi-xml": 3, "huawei-iotda-json": 1,
    "jetlinks-json": 1, "lorawan-frame-hex": 20, "loriot-json-gw": 1, "loriot-json-rx": 1,
    "lwm2m-oma-json": 1, "milesight-gateway-json": 1, "milesight-nbiot-binary": 1,
    "netmore-json": 5, "onvif-ej-json": 2, "senml-cbor-hex": 1, "senml-json": 3,
    "senml-pack-json": 1, "shelly-gen1-component-json": 1, "shelly-gen1-plain-text": 2,
    "shelly-gen1-status-json": 1, "shelly-gen2-rpc-json": 1, "shelly-gen2-status-json": 1,
    "tasmota-json": 9, "tasmota-plain-text": 2, "thingpark-json": 2,
    "thingsboard-telemetry-json": 1, "xiaomi-gw3-json": 1, "zigbee2mqtt-json": 14,
}  # fmt: skip
# Devices of the corpus whose bytes a codec of ours reads; the other byte frames stay bytes.
CODECS = {"Milesight GS101": "milesight-gs101", "Milesight EM310-TILT": "milesight-em310-tilt"}
# The source of these samples gives our codec's values other names.
RENAMED = {"state": "gas_status", "valve": "valve_status", "relay": "relay_output_status"}
# Values that a source lists and that are no values: null, and bytes repeated as a list.
LIST_OF_BYTES = "raw"
CLASSES = {
    "readings": {"telemetry"}, "readings-with-codec": {"telemetry", "undecoded"},
    "raw": {"undecoded"}, "status": {"status"}, "event": {"event"}, "reject": {"invalid"},
    "none": {"other", "undecoded", "telemetry"},
}  # fmt: skip
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Sample:
    """One row of the corpus's index."""

    file: str
    topic: str
    format: str
    message_class: str
    expect: str
    expected: dict[str, Any]
    codec_of: str

    def decoded(self, **options: Any) -> dict[str, Any]:
        payload = (SAMPLES / self.file).read_bytes()
        return decode_by_hand(self.topic, payload, received_at=NOW, **options)


def read_index() -> list[Sample]:
    index = SAMPLES / "INDEX.tsv"
    if not index.exists():
        return []
    with index.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Sample(
            row["file"], row["topic"], row["format"], row["message_class"], row["expect"],
            json.loads((SAMPLES / row["expected"]).read_text(encoding="utf-8")),
            row["needs_codec"] or "",
        )
        for row in rows
    ]  # fmt: skip


CORPUS = read_index()
KNOWN = [sample for sample in CORPUS if sample.format in SUPPORTED]
corpus = pytest.mark.skipif(
    not CORPUS,
    reason=f"the corpus of real samples is absent: no INDEX.tsv in {SAMPLES}; "
    "set GRIDWARDEN_SAMPLES to a folder that has it",
)


def each(samples: list[Sample]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sample", samples, ids=[sample.file for sample in samples])


@corpus
def test_every_sample_is_either_read_or_listed_as_not_supported() -> None:
    counts: dict[str, int] = {}
    for sample in CORPUS:
        if sample.format not in SUPPORTED:
            counts[sample.format] = counts.get(sample.format, 0) + 1
    assert counts == NOT_SUPPORTED
    assert len(KNOWN) == len(CORPUS) - sum(NOT_SUPPORTED.values())
    assert {sample.format for sample in KNOWN} == SUPPORTED.keys()


@corpus
@each(KNOWN)
def test_a_sample_is_recognised_by_its_topic_and_by_its_body(sample: Sample) -> None:
    wanted = SUPPORTED[sample.format]
    assert sample.decoded()["format"] == wanted
    if sample.format != "frigate-plain-text":  # a bare word says nothing about its sender
        assert decode_by_hand(
            "", (SAMPLES / sample.file).read_bytes(), received_at=NOW
        )["format"] == wanted  # fmt: skip


@corpus
@each(KNOWN)
def test_a_sample_has_the_class_and_the_device_that_its_source_says(sample: Sample) -> None:
    result = sample.decoded()
    if sample.message_class == "sequence":
        return  # has a test of its own
    assert result["class"] in CLASSES[sample.expect]
    wanted = sample.expected.get("device_id")
    if wanted is not None:
        assert result["device"].lower() == wanted.lower()
    assert rejected_everything(result) == (sample.expect == "reject")
    assert bool(result["rejects"]) == (sample.expect == "reject")


@corpus
@each([sample for sample in KNOWN if sample.expect in ("readings", "status", "none")])
def test_a_sample_has_all_values_of_its_source_and_no_others(sample: Sample) -> None:
    if sample.message_class == "sequence":
        return
    shown = {r["raw_name"]: r for r in sample.decoded()["readings"]}
    wanted = {
        name: value
        for point in sample.expected["points"]
        for name, value in point["values"].items()
        if value is not None and name != LIST_OF_BYTES
    }
    wanted.pop("margin", None)  # shown with the status, see the test of ChirpStack's status
    wanted.pop("availability", None)
    for name, value in wanted.items():
        assert same(shown[name]["value"], value), name
        unit = sample.expected.get("units", {}).get(name)
        if shown[name]["raw_unit"] and unit:
            assert shown[name]["raw_unit"] == unit
    normalised = {"air.temperature"}  # the server's own second form of the same frame
    assert shown.keys() - normalised == wanted.keys()


def same(ours: object, theirs: object) -> bool:
    if isinstance(theirs, (bool, int, float)):
        return isinstance(ours, (int, float)) and abs(ours - theirs) < 1e-9
    return ours == theirs


@corpus
@each([s for s in KNOWN if s.expect == "readings" and s.expected.get("time")])
def test_a_samples_values_have_the_time_that_its_source_says(sample: Sample) -> None:
    wanted = moment(sample.expected["time"])
    for reading in sample.decoded()["readings"]:
        assert abs((moment(reading["ts"]) - wanted).total_seconds()) < 1e-5


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@corpus
@each([s for s in KNOWN if s.expect in ("raw", "readings-with-codec") or s.codec_of])
def test_a_samples_bytes_and_port_are_kept(sample: Sample) -> None:
    result = sample.decoded()
    link = sample.expected["link"]
    assert result["frame"] == link["frm_payload_hex"]
    assert result["fport"] == (link.get("fPort") or link.get("f_port"))
    assert result["readings"] == []


@corpus
@each([sample for sample in KNOWN if sample.codec_of in CODECS])
def test_a_sample_of_bytes_is_read_by_our_codec_as_its_source_says(sample: Sample) -> None:
    result = sample.decoded(model=CODECS[sample.codec_of])
    shown = {r["raw_name"]: r["raw_value"] for r in result["readings"]}
    for name, value in sample.expected["points"][0]["values"].items():
        name = RENAMED.get(name, name)
        ours = shown.get(name)
        if ours is None:  # of several axes only the largest is a reading
            assert name in ("angle_x", "angle_y", "threshold_x", "threshold_y", "threshold_z")
            continue
        assert same(ours, value), name
    assert any(reading["stored"] for reading in result["readings"])
    assert result["rejects"] == []


@corpus
@each([s for s in KNOWN if s.expected.get("link", {}).get("gateways")])
def test_a_frame_heard_by_many_gateways_is_one_frame_with_all_of_them(sample: Sample) -> None:
    heard = sample.decoded()["link"]["gateways"]
    wanted = sample.expected["link"]["gateways"]
    assert [entry.get("rssi_dbm") for entry in heard] == [entry.get("rssi") for entry in wanted]
    frame = sample.expected["link"].get("fCnt", sample.expected["link"].get("f_cnt", 0))
    assert sample.decoded()["link"]["frame"] == frame


@corpus
@each([sample for sample in KNOWN if sample.message_class == "event"])
def test_a_video_sample_is_the_event_that_its_source_says(sample: Sample) -> None:
    wanted = sample.expected
    event = sample.decoded()["events"][0]
    assert (event["camera"], event["id"]) == (wanted["device_id"], wanted["event_id"])
    assert event["phase"] == wanted["event_phase"]
    assert moment(event["start"]) == moment(wanted["start_time"])
    ends = wanted["end_time"]
    assert event["end"] is None if ends is None else moment(event["end"]) == moment(ends)
    attributes = event["attributes"]
    if wanted.get("label"):
        assert attributes["label"] == wanted["label"]
        assert attributes["top_score"] == wanted["top_score"] == event["confidence"]
        assert attributes["box"] == wanted["box"]
        assert attributes["current_zones"] == wanted["current_zones"]
        assert attributes["stationary"] == wanted["stationary"]
    else:
        assert (attributes["objects"], attributes["zones"]) == (wanted["objects"], wanted["zones"])
        assert event["type"] == f"review_{wanted['severity']}"


@corpus
@each([sample for sample in KNOWN if sample.message_class == "event-enrichment"])
def test_a_later_finding_is_told_of_the_event_it_belongs_to(sample: Sample) -> None:
    event = sample.decoded()["events"][0]
    wanted = sample.expected
    assert (event["camera"], event["id"]) == (wanted["device_id"], wanted["event_id"])
    assert moment(event["attributes"]["found_at"]) == moment(wanted["time"])
    for name, value in wanted["values"].items():
        assert event["attributes"][name] == value


@corpus
@each([sample for sample in KNOWN if sample.message_class == "simulated"])
def test_a_simulated_sample_is_marked(sample: Sample) -> None:
    assert {reading["quality"] for reading in sample.decoded()["readings"]} == {"simulated"}


@corpus
@each([sample for sample in KNOWN if sample.message_class == "sequence"])
def test_a_captured_stream_is_read_to_its_end(sample: Sample) -> None:
    result = sample.decoded()
    wanted = sample.expected
    undecoded = wanted["without_decoded_payload"]
    assert result["messages"] == wanted["messages"]
    assert result["classes"] == {
        "telemetry": wanted["messages"] - undecoded, "undecoded": undecoded,
    }  # fmt: skip
    assert result["rejects"] == []
    first, last = moment(wanted["first"]), moment(wanted["last"])
    for reading in result["readings"]:
        assert first.timestamp() - 1 < moment(reading["ts"]).timestamp() < last.timestamp()
