"""Reasons: stored without loss, and readable in both languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.reasons import CODES, as_json, from_json, value_reason
from alerts.rule_files import parse_rule
from alerts.sentences import all_sentences, sentence
from alerts.video.types import video_types
from alerts.video.verdicts import judge_confirmed, type_of
from alerts.watch.feed import feed_place, judge_feed
from alerts.watch.silence import judge_silence
from city.alarm import Reason, Severity
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.video import ReviewedEvent
from db.rules import default_texts

T0 = datetime(2026, 5, 1, 8, tzinfo=UTC)


def shipped(code: str):  # type: ignore[no-untyped-def]
    return parse_rule(default_texts()[f"{code}.toml"], code)


def test_a_reason_survives_being_stored() -> None:
    reason = value_reason(shipped("manhole-tilt"), 40.0, 15.0, T0, 2.0)
    assert from_json(as_json(reason)) == reason
    assert as_json(reason)["since"] == "2026-05-01T08:00:00+00:00"


def test_a_gas_reason_reads_as_a_sentence() -> None:
    reason = value_reason(shipped("gas-lel"), 23.5, 20.0, T0)
    assert sentence(reason, "zh") == "可燃气体浓度超限: 23.5%LEL,达到或超过限值 20%LEL"
    assert sentence(reason, "en") == (
        "Combustible gas above the limit: 23.5 %LEL is at or above the limit of 20 %LEL"
    )


def test_a_tilt_reason_says_how_far_from_the_baseline() -> None:
    reason = value_reason(shipped("manhole-tilt"), 40.0, 15.0, T0, 2.0)
    assert "38 ° away from the baseline of 2 °, limit 15 °" in sentence(reason, "en")


def test_an_on_off_reason_names_what_the_device_reports() -> None:
    reason = value_reason(shipped("manhole-open"), 1.0, 1.0, T0)
    assert sentence(reason, "en") == "the device reports: Manhole cover open"
    assert sentence(reason, "zh") == "设备上报 井盖打开"


def test_every_comparison_has_a_code_and_every_code_two_sentences() -> None:
    assert set(CODES.values()) <= set(all_sentences())
    assert all(len(pair) == 2 and all(pair) for pair in all_sentences().values())


@pytest.mark.parametrize("language", ["zh", "en"])
def test_reasons_of_what_is_not_there_read_as_sentences(language: str) -> None:
    device = WatchedDevice(
        id=1, code="GAS-1", district="460107", kind="gas", gas=None, lon=110.4, lat=19.8,
        unit_grid=None, attributes={}, report_interval_s=120, demo=False,
        out_of_service_since=None, return_due_at=None,
    )  # fmt: skip
    silent = judge_silence(shipped("gas-silent"), device, T0, T0 + timedelta(seconds=400))
    assert "400" in sentence(silent.reason, language)
    assert "360" in sentence(silent.reason, language)
    lamps = Reason("lamps_dark_in_cabinet", "lamp-dark", 1, value=12.0, facts={"cabinet": "CAB-7"})
    assert "12" in sentence(lamps, language)
    assert "CAB-7" in sentence(lamps, language)


def test_a_feed_is_silent_after_two_minutes_of_listening_to_nothing() -> None:
    rule = shipped("feed-silent")
    later = T0 + timedelta(seconds=121)
    assert judge_feed(rule, T0, T0, T0 + timedelta(seconds=120)) is None
    found = judge_feed(rule, T0, T0, later)
    assert found is not None
    assert found.severity is Severity.ORANGE
    assert judge_feed(rule, None, T0, later) is None  # nothing was ever received
    assert judge_feed(rule, T0, later, later) is None  # we have only begun to listen
    assert feed_place(("460107", 110.4, 19.8)).name == "ingest"


def video(kind: str) -> ReviewedEvent:
    return ReviewedEvent(
        camera_id=1, camera="CAM-1", event_id="e1", district="460107", type=kind, category=None,
        phase="new", start_at=T0, received_at=T0, confidence=0.9, snapshot="http://cam/1.jpg",
        review="pending", reviewed_by=None, lon=110.4, lat=19.8, unit_grid=None, demo=False,
    )  # fmt: skip


def test_video_types_are_found_by_every_name_a_camera_may_use() -> None:
    assert type_of(video("hawker")).category == "04-01"
    assert type_of(video("Illegal-Parking")).category == "04-09"
    assert type_of(video("WATERGATHER")).category == "05-06"
    assert type_of(video("暴露垃圾")).category == "01-10"


def test_a_type_without_a_category_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="person"):
        type_of(video("person"))


def test_every_video_type_says_where_its_code_comes_from() -> None:
    assert all(known.source for known in video_types().values())


def test_a_confirmed_event_names_who_confirmed_it() -> None:
    event = video("hawker")
    outcome = judge_confirmed(shipped("video-confirmed"), event, type_of(event), "li")
    assert sentence(outcome.reason, "en") == "Street vendor: li confirmed the video event hawker"
    assert outcome.sensed_at == T0
