"""Our codecs read every real sample of device bytes as its source says, whatever carried them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.wire.corpus import CORPUS, NOW, Sample, corpus, each, same
from wire.lorawan.codec import CodecCall, CodecFailed, run_codecs
from wire.models import load_model

# Device of the corpus -> our model. The others (a tracker, a bridge to unknown Modbus registers,
# unnamed examples) are no city sensors: their bytes stay bytes.
MODELS = {
    "AIUT ALEVEL V2 (LPG tank level)": "aiut-alevel-v2",
    "AXsensor level sensor (well/container)": "axsensor-level",
    "Atomsenses AS204 (CO2, NH3, H2S)": "atomsenses-as204",
    "Decentlab DL-LID": "decentlab-dl-lid",
    "Decentlab DL-LP8P CO2": "decentlab-dl-lp8p",
    "Dingtek DC410 manhole level + tilt sensor": "dingtek-dc410",
    "Dingtek DC413 manhole sensor": "dingtek-dc413",
    "Dragino LDDS75 ultrasonic distance": "dragino-ldds75",
    "Ellenex PLS2-L submersible level": "ellenex-pls2-l",
    "Elsys ELT-2 ultrasonic": "elsys-elt",
    "Milesight EM310-TILT": "milesight-em310-tilt",
    "Milesight EM400-MUD (NB-IoT)": "milesight-em400",
    "Milesight EM400-UDL": "milesight-em400",
    "Milesight EM410-RDL": "milesight-em410-rdl",
    "Milesight GS101": "milesight-gs101",
    "Milesight VS360": "milesight-vs360",
    "Milesight WS558": "milesight-ws558",
    "NIAB-FLS fill-level sensor": "niab-fls",
    "Netvox R718EA tilt angle + temperature": "netvox-r718ea",
    "Netvox R72615 multi-gas / dust station": "netvox-r72615",
    "Pipiot LevelSense": "pipiot-levelsense",
    "Teneo filling-degree sensor": "teneo-filling-degree",
    "Terabee Level Monitoring XL": "terabee-lm-xl",
    "VEGAPULS Air 41 radar level sensor (with tilt angle)": "vegapuls-air41",
    "Yobiiq EM4301": "yobiiq-em4301",
    "uRADMonitor INDUSTRIAL (CO, NO2, SO2, O3)": "uradmonitor-industrial",
}
# The source of these samples has other names than the vendor's own library, which we follow.
RENAMED = {"state": "gas_status", "valve": "valve_status", "relay": "relay_output_status"}
# Values that a source states and that are not in the bytes, with the reason.
NOT_IN_THE_BYTES = {
    # Computed for a vessel of 1400 mm, which the source assumes for every device.
    "netmore/axsensor-level.json": {"fillingPercentage", "fillingLevel"},
    # The frame ends inside the angles: its source reads the missing bytes as zero.
    "lorawan-codec/act-em310-tilt.hex": {"angle_z", "threhold_x", "threhold_y", "threhold_z"},
}
# What our codecs say beyond their sources: flags that were left out as false, identities, times.
BESIDES = {
    "protocol_version", "device_id", "timestamp", "dataloggerTimestamp", "namurState",
    "detailState", "inclination", "lowLPG", "outOfRange", "notValidReadout", "batteryVoltage",
}  # fmt: skip
# The source tests these alone of what the frame holds.
PARTLY_STATED = {"netmore/vegapuls-air41-inches.json": {"battery", "temperature"}}

SAMPLES_OF_OURS = [sample for sample in CORPUS if sample.codec_of in MODELS]
READ = [s for s in SAMPLES_OF_OURS if s.expect in ("readings-with-codec", "none")]
REFUSED = [sample for sample in SAMPLES_OF_OURS if sample.expect == "raw"]


def frame_of(sample: Sample) -> tuple[bytes, int | None]:
    """The device bytes and their port, as the format that carries them finds them."""
    if sample.format == "lorawan-frame-hex":
        return bytes.fromhex(sample.payload.decode()), sample.fport
    result = sample.decoded(format=sample.format)
    return bytes.fromhex(result["frame"]), result["fport"]


def outputs(sample: Sample) -> dict[str, Any]:
    """What our codec makes of the sample; stored points beside the rest."""
    model = load_model(MODELS[sample.codec_of])
    assert model is not None
    frame, port = frame_of(sample)
    (result,) = run_codecs([CodecCall(model.codec, frame, port, NOW)])
    if isinstance(result, CodecFailed):
        raise result
    return result.data


@corpus
def test_every_device_of_the_corpus_that_needs_a_codec_has_one_or_a_reason() -> None:
    others = {sample.codec_of for sample in CORPUS if sample.codec_of} - MODELS.keys()
    expectations = {sample.expect for sample in CORPUS if sample.codec_of in others}
    assert expectations == {"raw"}


@corpus
@each([sample for sample in READ if sample.expect == "readings-with-codec"])
def test_a_frame_has_the_values_that_its_source_states(sample: Sample) -> None:
    ours = outputs(sample)
    history = ours.pop("history", None)
    points = sample.expected["points"]
    shown = history if history is not None else [ours]
    assert len(shown) == len(points)
    missing = NOT_IN_THE_BYTES.get(sample.file, set())
    for found, point in zip(shown, points, strict=True):
        wanted = {RENAMED.get(name, name): value for name, value in point["values"].items()}
        for name in wanted.keys() - missing:
            assert same(found[name], wanted[name]), name
        besides = BESIDES | PARTLY_STATED.get(sample.file, set())
        extra = found.keys() - wanted.keys() - besides
        assert {name for name in extra if not name.endswith("Flag")} == set()


@corpus
@each([sample for sample in READ if sample.expect == "none"])
def test_a_frame_of_settings_or_identity_gives_no_reading(sample: Sample) -> None:
    frame, port = frame_of(sample)
    topic = f"feed/lorawan-frame/device-1/{port}"
    result = sample.__class__(**{**fields(sample), "topic": topic}).decoded(
        format=sample.format, model=MODELS[sample.codec_of]
    )
    assert frame
    assert [reading for reading in result["readings"] if reading["stored"]] == []
    assert result["rejects"] == []


@corpus
@each([sample for sample in READ if sample.expect == "readings-with-codec"])
def test_a_frame_read_with_its_model_gives_readings(sample: Sample) -> None:
    port = frame_of(sample)[1]
    topic = sample.topic or f"feed/lorawan-frame/device-1/{'' if port is None else port}"
    result = sample.__class__(**{**fields(sample), "topic": topic}).decoded(
        format=sample.format, model=MODELS[sample.codec_of]
    )
    stored = [reading["metric"] for reading in result["readings"] if reading["stored"]]
    refused = [reject["detail"] for reject in result["rejects"]]
    if sample.file in NOTHING_TO_STORE:
        assert stored == []
    else:
        assert stored
    assert len(refused) == len(IMPOSSIBLE.get(sample.file, ()))
    for detail, name in zip(refused, IMPOSSIBLE.get(sample.file, ()), strict=True):
        assert detail.startswith(f"{name}: must be")


# People counted, and a detector that says only that it is switched on.
NOTHING_TO_STORE = {"chirpstack/tb-vs360-history.json", "lorawan-codec/act-gs101-status.hex"}
# Values that the source repeats as sent and that no sensor of the kind can have measured.
IMPOSSIBLE = {
    "lorawan-codec/ttn-pls2-1-negative-payload-01-e8-00-fb-58-00-00-22.hex": ("level",),
    "lorawan-codec/ttn-elt-ultrasonic-1-elt-ultrasonic-temperature-humidity-acce.hex": (
        "pressure",
    ),
}


def fields(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in sample.__dataclass_fields__}


@corpus
@each(REFUSED)
def test_a_frame_that_is_none_of_the_devices_is_refused_by_its_codec(sample: Sample) -> None:
    with pytest.raises(CodecFailed):
        outputs(sample)
