"""Every real sample of the camera formats decodes to what its source says."""

from __future__ import annotations

from typing import Any

from ingest.decode import decode_by_hand, rejected_everything
from tests.unit.wire.corpus import NOW, Sample, corpus, each, moment, of_formats, same

# Format id of the corpus -> the format here that reads it.
SUPPORTED = {
    "axis-event-mqtt-json": "axis",
    "axis-people-counter-json": "axis",
    "axis-scene-metadata-json": "axis",
    "dataq-json": "dataq",
    "detectx-json": "detectx",
    "onvif-ej-json": "onvif",
    "hikvision-isapi-xml": "hikvision",
    "dahua-event-json": "dahua",
}
CLASSES = {
    "readings": "telemetry",
    "status": "status",
    "event": "event",
    "reject": "invalid",
    "none": "other",
}
# The corpus' words for values that the messages call otherwise.
RENAMED = {"confidence": "c"}
KNOWN = of_formats(SUPPORTED)
EVENTS = [sample for sample in KNOWN if sample.expect == "event"]


@corpus
@each(KNOWN)
def test_a_sample_is_recognised_by_its_topic_and_by_its_body(sample: Sample) -> None:
    wanted = SUPPORTED[sample.format]
    assert sample.decoded()["format"] == wanted
    assert sample.decoded(format=sample.format)["format"] == wanted
    if sample.expect != "reject":
        alone = decode_by_hand("", sample.payload, received_at=NOW)
        assert (alone["format"], alone["class"]) == (wanted, CLASSES[sample.expect])


@corpus
@each(KNOWN)
def test_a_sample_has_the_class_and_the_device_that_its_source_says(sample: Sample) -> None:
    result = sample.decoded()
    assert result["class"] == CLASSES[sample.expect]
    if sample.expected.get("device_id"):
        assert result["device"] == sample.expected["device_id"]
    assert rejected_everything(result) == (sample.expect == "reject")
    assert bool(result["rejects"]) == (sample.expect == "reject")


@corpus
@each([sample for sample in KNOWN if sample.expect == "readings"])
def test_a_samples_readings_are_all_values_of_its_source_and_no_others(sample: Sample) -> None:
    shown = sample.decoded()["readings"]
    wanted = sample.expected["points"][0]
    assert {r["raw_name"]: r["value"] for r in shown} == wanted["values"]
    assert {moment(r["ts"]) for r in shown} == {moment(wanted["time"])}


@corpus
@each([sample for sample in KNOWN if sample.expect == "status"])
def test_a_will_says_that_the_camera_is_gone(sample: Sample) -> None:
    (report,) = sample.decoded()["statuses"]
    assert report["online"] is sample.expected["values"]["connected"]
    assert report["ts_from"] == "received"


@corpus
@each(EVENTS)
def test_an_event_has_the_times_that_its_source_says(sample: Sample) -> None:
    (event,) = sample.decoded()["events"]
    start = sample.expected.get("start_time") or sample.expected["time"]
    assert moment(event["start"]) == moment(start)
    if sample.expected.get("end_time"):
        assert moment(event["end"]) == moment(sample.expected["end_time"])
        assert event["id"] == sample.expected["event_id"]


@corpus
@each(EVENTS)
def test_an_event_has_all_values_of_its_source(sample: Sample) -> None:
    (event,) = sample.decoded()["events"]
    attributes = event["attributes"]
    for name, value in sample.expected["values"].items():
        assert _agrees(name, value, attributes), name


def _agrees(name: str, value: Any, attributes: dict[str, Any]) -> bool:
    """The source's value is ours, in the message's own words or in the corpus' reading of them."""
    if name == "channelID_raw":
        return same(attributes["channelID"], value)
    if name == "box_px":  # thousandths of the picture, by the application's README
        return [attributes[side] for side in "xywh"] == value
    if name == "startTime":
        return moment(attributes[name]) == moment(value)
    return same(attributes.get(name, attributes.get(RENAMED.get(name, name))), value)


@corpus
@each([sample for sample in EVENTS if "active" in str(sample.expected["values"])])
def test_a_state_that_is_over_ends_what_it_began(sample: Sample) -> None:
    (event,) = sample.decoded()["events"]
    values = sample.expected["values"]
    over = values.get("active") == 0
    assert (event["phase"] == "end") == over
