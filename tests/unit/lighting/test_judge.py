"""What becomes of a command: sent, answered, asked again, given up; and what ignores it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from city.errors import InvalidInput
from city.feed import Feed
from city.lighting import CommandState, Lamp, LampAnswer, LampCommand, TargetKind, target_of
from lighting.address import addressed, bases_of
from lighting.judge import (
    ATTEMPTS_MAX,
    End,
    Ignored,
    Send,
    judge_answer,
    judge_state,
    next_sending,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TOKEN = "7d9f1f7e-0000-4000-8000-000000000001"
LAMP = Lamp("LT-1", "460107", "native", "", "", {})
COMMAND = LampCommand(7, 3, 11, TOKEN, 60, None, CommandState.SENT, 1, NOW, 600, LAMP)
KNOWN = {TOKEN: (7, 11, "sent")}


def test_a_command_is_sent_three_times_and_then_it_has_timed_out() -> None:
    command, payloads = replace(COMMAND, state=CommandState.QUEUED, attempts=0), set()
    for attempt in range(ATTEMPTS_MAX):
        verdict = next_sending(replace(command, attempts=attempt), NOW)
        assert isinstance(verdict, Send)
        assert (verdict.again, verdict.due_at > NOW) == (attempt > 0, True)
        payloads.add((verdict.downlink.topic, verdict.downlink.payload))
    assert len(payloads) == 1  # the same message each time: a lamp that has done it does it again
    last = next_sending(replace(command, attempts=ATTEMPTS_MAX), NOW)
    assert last == End(CommandState.TIMED_OUT, "no answer to 3 sendings", "no_answer", "3")


@pytest.mark.parametrize(
    ("lamp", "said"),
    [
        (replace(LAMP, format="onvif"), "format onvif cannot be commanded"),
        (
            replace(LAMP, format="chirpstack", model="zenopix-dali"),
            "this model cannot be commanded: zenopix-dali has no [command] in its file",
        ),
        (replace(LAMP, attributes={"dimmable": False}), "can only be on or off"),
    ],
)
def test_a_lamp_that_cannot_be_commanded_fails_by_name(lamp: Lamp, said: str) -> None:
    verdict = next_sending(replace(COMMAND, lamp=lamp), NOW)
    assert isinstance(verdict, End)
    assert (verdict.state, said in verdict.detail) == (CommandState.FAILED, True)


def test_a_frame_waits_for_the_lamps_uplinks_and_a_native_lamp_for_seconds() -> None:
    radio = Lamp(
        "LT-2", "460107", "chirpstack", "nas-ul20xx", "70b3d50000000001", {"application_id": "a"}
    )
    slow = next_sending(replace(COMMAND, lamp=radio, report_interval_s=3600), NOW)
    quick = next_sending(COMMAND, NOW)
    assert isinstance(slow, Send)
    assert isinstance(quick, Send)
    assert (slow.due_at - NOW, quick.due_at - NOW) == (
        timedelta(hours=2),
        timedelta(seconds=20),
    )


@pytest.mark.parametrize(
    ("answer", "device", "expected"),
    [
        (LampAnswer(TOKEN, True, 60.0), 11, CommandState.ACKNOWLEDGED),
        (LampAnswer(TOKEN, True), 11, CommandState.ACKNOWLEDGED),
        (LampAnswer(TOKEN, False, None, "overheated"), 11, CommandState.FAILED),
        (LampAnswer(TOKEN, True, 100.0), 11, CommandState.FAILED),
        (LampAnswer(TOKEN, True, 60.0), 12, Ignored.OTHER_LAMP),
        (LampAnswer("made up", True, 60.0), 11, Ignored.UNKNOWN),
    ],
)
def test_an_answer_counts_for_the_lamp_that_was_asked(
    answer: LampAnswer, device: int, expected: Any
) -> None:
    verdict = judge_answer(answer, device, {TOKEN: COMMAND}, KNOWN)
    assert (verdict.state if isinstance(verdict, End) else verdict) == expected


def test_an_answer_to_what_is_over_or_never_went_out_changes_nothing() -> None:
    answer = LampAnswer(TOKEN, True, 60.0)
    assert judge_answer(answer, 11, {}, {TOKEN: (7, 11, "timed_out")}) is Ignored.OVER
    queued = replace(COMMAND, state=CommandState.QUEUED)
    assert judge_answer(answer, 11, {TOKEN: queued}, KNOWN) is Ignored.OVER


@pytest.mark.parametrize(
    ("level", "lamp_on", "dim_pct", "done"),
    [
        (60, 1.0, 60.0, True),
        (60, 1.0, 59.1, True),  # 151 of 254
        (60, 1.0, 100.0, False),  # it is still where it was
        (60, 1.0, None, False),  # on, and nobody knows how bright
        (60, None, 60.0, True),
        (100, 1.0, None, True),
        (100, 0.0, 100.0, False),
        (0, 0.0, 60.0, True),  # the level that it would have
        (0, None, 0.0, True),
        (0, 1.0, 0.0, False),
    ],
)
def test_the_state_that_a_lamp_reports_acknowledges_if_it_fits(
    level: int, lamp_on: float | None, dim_pct: float | None, done: bool
) -> None:
    verdict = judge_state(replace(COMMAND, level=level), lamp_on, dim_pct)
    assert (verdict is not None and verdict.state is CommandState.ACKNOWLEDGED) == done
    assert judge_state(replace(COMMAND, state=CommandState.QUEUED), lamp_on, dim_pct) is None


def test_a_target_names_what_it_means() -> None:
    assert target_of("lamps", "", [" a", "b", "a"]).lamps == ("a", "b")
    assert target_of("cabinet", "CAB-1").kind is TargetKind.CABINET
    for kind, code, lamps, field in (
        ("planet", "x", [], "target"),
        ("district", "", [], "target"),
        ("street", " ", [], "code"),
        ("lamps", "", [], "lamps"),
        ("lamps", "x", ["a"], "code"),
        ("lamp", "x", ["a"], "lamps"),
        ("lamps", "", [str(n) for n in range(1001)], "lamps"),
    ):
        with pytest.raises(InvalidInput) as refused:
            target_of(kind, code, lamps)
        assert refused.value.field == field


NORTH = [
    Feed("north", "zigbee2mqtt", "z2m_north"),
    Feed("houses", "tasmota", "city7"),
    Feed("zigbee2mqtt", "zigbee2mqtt", "", shipped=True),
]


@pytest.mark.parametrize(
    ("format_name", "identity", "bound", "topic"),
    [
        ("zigbee2mqtt", "lamp1", "", "zigbee2mqtt/lamp1/set"),
        ("zigbee2mqtt", "lamp1", "zigbee2mqtt", "zigbee2mqtt/lamp1/set"),
        ("zigbee2mqtt", "lamp1", "z2m_north", "z2m_north/lamp1/set"),
        ("zigbee2mqtt", "z2m_north/lamp1", "", "z2m_north/lamp1/set"),
        ("tasmota", "lamp1", "tasmota", "cmnd/lamp1/Dimmer"),
        ("tasmota", "lamp1", "city7", "city7/cmnd/lamp1/Dimmer"),
        ("tasmota", "city7/lamp1", "", "city7/cmnd/lamp1/Dimmer"),
        ("native", "", "native", "city/v1/460107/light/LT-1/command"),
    ],
)
def test_a_lamp_of_an_added_feed_is_commanded_below_its_levels(
    format_name: str, identity: str, bound: str, topic: str
) -> None:
    lamp = Lamp("LT-1", "460107", format_name, "", identity, {}, bound)
    verdict = next_sending(replace(COMMAND, lamp=addressed(lamp, bases_of(NORTH))), NOW)
    assert isinstance(verdict, Send)
    assert verdict.downlink.topic == topic
