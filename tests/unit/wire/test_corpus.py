"""Every real sample of the network servers and of Frigate decodes to what its source says.

Each group of formats has a suite of its own, `test_corpus_<group>.py`; here are the first four
and the check that no format of the corpus is unknown.
"""

from __future__ import annotations

import pytest

from ingest.decode import decode_by_hand, rejected_everything
from tests.unit.wire.corpus import CORPUS, NOW, Sample, corpus, each, moment, of_formats, same
from wire import find_format

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
# Devices of the corpus whose bytes a codec of ours reads; the other byte frames stay bytes.
CODECS = {"Milesight GS101": "milesight-gs101", "Milesight EM310-TILT": "milesight-em310-tilt"}
# The source of these samples gives our codec's values other names.
RENAMED = {"state": "gas_status", "valve": "valve_status", "relay": "relay_output_status"}
# Values that a source lists and that are no values: null, and bytes repeated as a list.
LIST_OF_BYTES = "raw"
CLASSES = {
    "readings": {"telemetry"},
    "readings-with-codec": {"telemetry", "undecoded"},
    "raw": {"undecoded"},
    "status": {"status"},
    "event": {"event"},
    "reject": {"invalid"},
    "none": {"other", "undecoded", "telemetry"},
}
KNOWN = of_formats(SUPPORTED)


@corpus
@pytest.mark.parametrize("name", sorted({sample.format for sample in CORPUS}))
def test_every_format_of_the_corpus_is_known_by_its_name(name: str) -> None:
    assert find_format(name) is not None


@corpus
@each(KNOWN)
def test_a_sample_is_recognised_by_its_topic_and_by_its_body(sample: Sample) -> None:
    wanted = SUPPORTED[sample.format]
    assert sample.decoded()["format"] == wanted
    if sample.format != "frigate-plain-text":  # a bare word says nothing about its sender
        assert decode_by_hand("", sample.payload, received_at=NOW)["format"] == wanted


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


@corpus
@each([s for s in KNOWN if s.expect == "readings" and s.expected.get("time")])
def test_a_samples_values_have_the_time_that_its_source_says(sample: Sample) -> None:
    wanted = moment(sample.expected["time"])
    for reading in sample.decoded()["readings"]:
        assert abs((moment(reading["ts"]) - wanted).total_seconds()) < 1e-5


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
        "telemetry": wanted["messages"] - undecoded,
        "undecoded": undecoded,
    }
    assert result["rejects"] == []
    first, last = moment(wanted["first"]), moment(wanted["last"])
    for reading in result["readings"]:
        assert first.timestamp() - 1 < moment(reading["ts"]).timestamp() < last.timestamp()
