"""Every real sample of the smaller LoRaWAN network servers, and of bare device bytes."""

from __future__ import annotations

from ingest.decode import decode_by_hand, rejected_everything
from tests.unit.wire.corpus import NOW, Sample, corpus, each, moment, of_formats, same
from wire import find_format

# Format id of the corpus -> the format here that reads it.
SUPPORTED = {
    "thingpark-json": "thingpark",
    "loriot-json-rx": "loriot",
    "loriot-json-gw": "loriot",
    "netmore-json": "netmore",
    "milesight-gateway-json": "milesight-gateway",
    "milesight-nbiot-binary": "milesight-nbiot",
    "lorawan-frame-hex": "lorawan-frame",
}
BARE = frozenset({"lorawan-frame-hex", "milesight-nbiot-binary"})
KNOWN = of_formats(SUPPORTED)
SERVERS = [sample for sample in KNOWN if sample.format not in BARE]
# The names by which the corpus calls a frame's counter and port.
COUNTERS = ("FCntUp", "fcnt", "fCntUp", "fCnt", "frameCnt")
PORTS = ("FPort", "port", "fPort")
FRAMES = ("frm_payload_hex", "sensor_payload_hex")
# A source may give our codec's values other names.
RENAMED = {"state": "gas_status", "valve": "valve_status", "relay": "relay_output_status"}


def said(sample: Sample, names: tuple[str, ...]) -> object:
    link = sample.expected.get("link", {})
    return next((link[name] for name in names if link.get(name) is not None), None)


def topic_of(sample: Sample) -> str:
    """The sample's topic; a bare frame is published with its port."""
    if sample.format in BARE:
        return f"feed/{SUPPORTED[sample.format]}/dev-1/{sample.fport or ''}"
    return sample.topic


@corpus
@each(KNOWN)
def test_a_sample_is_recognised_by_name_topic_and_body(sample: Sample) -> None:
    wanted = SUPPORTED[sample.format]
    found = find_format(sample.format)
    assert found is not None
    assert found.name == wanted
    for topic in {topic_of(sample), "", f"feed/{wanted}/x"}:
        result = decode_by_hand(topic, sample.payload, received_at=NOW)
        assert result["format"] == wanted


@corpus
@each(KNOWN)
def test_a_sample_is_kept_as_bytes_that_wait_for_a_codec(sample: Sample) -> None:
    result = decode_by_hand(topic_of(sample), sample.payload, received_at=NOW)
    assert result["class"] == "undecoded"
    assert result["rejects"] == []
    assert not rejected_everything(result)
    wanted = said(sample, FRAMES) or sample.expected.get("payload_hex")
    assert result["frame"] == wanted
    port = said(sample, PORTS)
    assert result["fport"] == (sample.fport if port is None else int(str(port)))


@corpus
@each([sample for sample in KNOWN if sample.expected.get("device_id")])
def test_a_sample_is_of_the_device_that_its_source_says(sample: Sample) -> None:
    result = sample.decoded()
    assert result["device"] == sample.expected["device_id"].lower()


@corpus
@each(SERVERS)
def test_a_samples_frame_has_counter_time_and_all_gateways(sample: Sample) -> None:
    link = sample.decoded()["link"]
    assert link.get("frame") == said(sample, COUNTERS)
    wanted = moment(sample.expected["time"])  # one source cuts microseconds off
    assert abs((moment(link["time"]) - wanted).total_seconds()) < 0.001
    gateways = sample.expected["link"]["gateways"]
    assert [g["rssi_dbm"] for g in link["gateways"]] == [float(g["rssi"]) for g in gateways]
    assert [g["snr_db"] for g in link["gateways"]] == [float(g["snr"]) for g in gateways]


@corpus
@each([sample for sample in KNOWN if sample.format == "milesight-nbiot-binary"])
def test_a_samples_header_is_read(sample: Sample) -> None:
    link, wanted = sample.decoded()["link"], sample.expected
    assert link["serial"] == wanted["serial"]
    for name in ("csq", "imsi", "iccid"):
        assert link[name] == wanted["link"][name]


@corpus
@each([sample for sample in SERVERS if sample.codec_of == "Milesight GS101"])
def test_a_samples_bytes_are_read_by_our_codec_as_its_source_says(sample: Sample) -> None:
    result = sample.decoded(model="milesight-gs101")
    shown = {r["raw_name"]: r["raw_value"] for r in result["readings"]}
    for name, value in sample.expected["points"][0]["values"].items():
        assert same(shown[RENAMED.get(name, name)], value), name
    assert any(reading["stored"] for reading in result["readings"])
    assert result["rejects"] == []


@corpus
def test_both_messages_of_one_loriot_frame_have_one_key() -> None:
    """The corpus holds the two of different frames: here the same frame is sent in both."""
    samples = {s.format: s for s in KNOWN if s.format.startswith("loriot")}
    full = samples["loriot-json-gw"]
    quick = full.payload.replace(b'"cmd": "gw"', b'"cmd": "rx"')
    keys = {
        decode_by_hand("", body, received_at=NOW)["link"]["deduplication"]
        for body in (full.payload, quick)
    }
    assert quick != full.payload
    assert len(keys) == 1
