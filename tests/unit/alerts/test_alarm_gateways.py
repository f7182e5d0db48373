"""When a gateway counts as silent, and whose silence that explains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.paths import Paths, Silence, name_of
from alerts.reasons import as_json, from_json
from alerts.rule_files import parse_rule
from alerts.sentences import sentence
from alerts.watch.gateway import (
    is_bounded,
    is_offline,
    judge_gateway,
    judge_silence_of,
    only_servers_fault,
    place_of_gateway,
    worst_of,
)
from city.alarm import Severity
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.gateway import KINDS, DevicePaths, Gateway
from db.rules import default_texts

T0 = datetime(2026, 5, 1, 8, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
RULE = parse_rule(default_texts()["gateway-silent.toml"], "gateway-silent")
SERVER_RULE = parse_rule(default_texts()["server-silent.toml"], "server-silent")
SILENT = [parse_rule(default_texts()[f"{code}.toml"]) for code in ("gas-silent", "device-silent")]


def gateway(number: int = 1, heard_at: datetime | None = T0, **other: object) -> Gateway:
    found = Gateway(
        id=number, format="chirpstack", identity=f"gw-{number}", kind="lorawan_gateway", name="",
        district="460107", online=None, status_at=None, heard_at=heard_at, back_at=None,
        is_foreign=False,
    )  # fmt: skip
    return replace(found, **other)  # type: ignore[arg-type]


SERVER = gateway(9, identity="chirpstack", kind="network_server", district=None)


def device(last_at: datetime = T0, kind: str = "manhole", **heard: datetime) -> DevicePaths:
    """`gw1=…` is when gateway 1 heard it."""
    return DevicePaths(
        device_id=1, kind=kind, format="chirpstack", district="460107", lon=110.0, lat=20.0,
        demo=False, last_at=last_at, gateway_ids=[int(name[2:]) for name in heard],
        heard_ats=list(heard.values()),
    )  # fmt: skip


def silence(of: Gateway, *, by_own_word: bool = False) -> Silence:
    rule = SERVER_RULE if of.kind == "network_server" else RULE
    return Silence(of, rule, of.heard_at or T0, 2 * MINUTE, by_own_word)


def paths(known: Iterable[Gateway], *dead: Gateway) -> Paths:
    return Paths(known, {way.id: silence(way) for way in dead})


def test_it_is_silent_after_two_intervals_of_the_second_fastest_device() -> None:
    assert judge_gateway(RULE, gateway(), 60, T0, T0 + 2 * MINUTE) is None
    found = judge_gateway(RULE, gateway(), 60, T0, T0 + 2 * MINUTE + SECOND)
    assert found is not None
    assert (found.since, found.limit, found.by_own_word) == (T0, 2 * MINUTE, False)
    assert found.condition == "gateway/chirpstack/gw-1"


def test_nobody_is_silent_for_longer_than_we_have_been_listening() -> None:
    now = T0 + HOUR
    assert judge_gateway(RULE, gateway(), 60, now - MINUTE, now) is None


def test_without_two_devices_only_its_own_word_counts() -> None:
    now = T0 + HOUR
    assert judge_gateway(RULE, gateway(), None, T0, now) is None
    gone = gateway(online=False, status_at=T0 + MINUTE)
    assert judge_gateway(RULE, gone, None, T0, T0 + 2 * MINUTE - SECOND) is None
    found = judge_gateway(RULE, gone, None, T0, T0 + 2 * MINUTE)
    assert found is not None
    assert (found.since, found.by_own_word) == (T0 + MINUTE, True)


def test_a_gateway_that_was_never_heard_is_not_silent() -> None:
    assert judge_gateway(RULE, gateway(heard_at=None), 60, T0, T0 + HOUR) is None


@pytest.mark.parametrize(
    ("online", "heard_at", "offline"),
    [
        (False, T0, True),
        (False, None, True),
        (False, T0 + 2 * SECOND, False),  # a frame came after its word
        (True, T0, False),
        (None, T0, False),
    ],
)
def test_its_word_holds_until_a_frame_says_otherwise(
    online: bool | None, heard_at: datetime | None, offline: bool
) -> None:
    assert is_offline(gateway(online=online, status_at=T0 + SECOND, heard_at=heard_at)) is offline


def test_a_silent_gateway_explains_a_device_that_nobody_else_hears() -> None:
    dead = gateway()
    found = paths([dead], dead).blame(device(T0 - MINUTE, gw1=T0 - MINUTE))
    assert found is not None
    assert found.gateway is dead


def test_another_gateway_that_was_heard_since_shows_that_it_is_the_device() -> None:
    dead, alive = gateway(), gateway(2, T0 + 5 * MINUTE)
    both = device(gw1=T0, gw2=T0 - HOUR)
    assert paths([dead, alive], dead).blame(both) is None


def test_another_gateway_that_was_not_heard_since_proves_nothing() -> None:
    """A gateway far away that caught one frame and nothing afterwards."""
    dead, far = gateway(), gateway(2, T0 - HOUR)
    assert paths([dead, far], dead).blame(device(gw1=T0, gw2=T0 - HOUR)) is not None


def test_a_gateway_that_heard_the_device_more_than_a_day_ago_has_no_say() -> None:
    dead, alive = gateway(), gateway(2, T0 + MINUTE)
    long_ago = T0 - 25 * HOUR
    assert paths([dead, alive], dead).blame(device(gw1=T0, gw2=long_ago)) is not None
    assert paths([dead, alive], dead).blame(device(gw1=long_ago, gw2=T0)) is None


def test_when_all_gateways_are_silent_the_one_that_heard_the_device_last_is_named() -> None:
    first, second = gateway(1, T0 - MINUTE), gateway(2, T0)
    found = paths([first, second], first, second).blame(device(gw1=T0 - MINUTE, gw2=T0))
    assert found is not None
    assert found.gateway is second


def test_a_silent_server_explains_all_devices_of_its_format() -> None:
    found = paths([SERVER], SERVER).blame(device())
    assert found is not None
    assert found.condition == "feed/chirpstack"
    assert paths([SERVER], SERVER).blame(replace(device(), format="ttn")) is None


def test_a_way_is_open_since_the_last_of_its_gateways_came_back() -> None:
    ways = [gateway(1, back_at=T0), gateway(2, back_at=T0 + MINUTE), gateway(3, back_at=T0 + HOUR)]
    assert paths(ways).back_at(device(gw1=T0, gw2=T0)) == T0 + MINUTE
    assert paths([gateway()]).back_at(device(gw1=T0)) is None
    server = replace(SERVER, back_at=T0)
    assert paths([server]).back_at(device()) == T0


def test_the_alarm_is_as_bad_as_the_worst_device_and_counts_them() -> None:
    behind = [
        replace(device(kind=kind), device_id=number)
        for number, kind in enumerate(("manhole", "gas", "camera"))
    ]
    worst = worst_of(SILENT, behind, {})
    found = judge_silence_of(silence(gateway()), behind, worst, T0 + 5 * MINUTE)
    assert found.severity is Severity.YELLOW
    assert (found.reason.value, found.reason.since) == (300.0, T0)
    assert (found.reason.facts["devices"], found.reason.facts["gas"]) == (3, 1)
    assert judge_silence_of(silence(gateway()), [], worst, T0).severity is Severity.BLUE


def test_a_silence_rule_with_bounds_counts_for_the_devices_that_it_is_about() -> None:
    text = default_texts()["gas-silent.toml"].replace('severity = "yellow"', 'severity = "red"')
    hospital = parse_rule(text.replace("[help]", '[scope]\ndevice = "G-2"\n\n[help]'), "by-name")
    behind = [replace(device(kind="gas"), device_id=number) for number in (1, 2)]
    known = {
        n: WatchedDevice(
            id=n,
            code=f"G-{n}",
            district="460107",
            kind="gas",
            gas="methane",
            lon=110.0,
            lat=20.0,
            unit_grid=None,
            attributes={},
            report_interval_s=60,
            demo=False,
            out_of_service_since=None,
            return_due_at=None,
        )
        for n in (1, 2)
    }
    assert (is_bounded(SILENT), is_bounded([hospital])) == (False, True)
    both = worst_of([*SILENT, hospital], behind, known)
    assert both == {1: Severity.YELLOW, 2: Severity.RED}
    assert worst_of([hospital], behind, known) == {2: Severity.RED}


@pytest.mark.parametrize(
    "of",
    [silence(gateway()), silence(gateway(), by_own_word=True), silence(SERVER)],
)
def test_every_reason_is_stored_without_loss_and_reads_as_a_sentence(of: Silence) -> None:
    reason = judge_silence_of(of, [device(kind="gas")], {}, T0 + MINUTE).reason
    assert from_json(as_json(reason)) == reason
    assert of.gateway.identity in sentence(reason, "zh")
    assert "1 gas" in sentence(reason, "en")


def test_a_server_is_to_blame_only_for_devices_whose_gateways_did_not_say_they_go() -> None:
    gone = gateway(1)
    ways = Paths([gone, SERVER], {1: silence(gone, by_own_word=True)})
    behind = [device(gw1=T0), device(gw1=T0), device()]
    assert not only_servers_fault(silence(SERVER), ways, behind)
    assert only_servers_fault(silence(SERVER), ways, [*behind, device()])


def test_its_place_is_the_middle_of_the_devices_behind_it() -> None:
    behind = [replace(device(), lon=110.0), replace(device(), lon=112.0, district="460108")]
    place = place_of_gateway(gateway(district=None), [*behind, behind[1]])
    assert (place.name, place.district) == ("chirpstack/gw-1", "460108")
    assert (place.lon, place.lat) == (pytest.approx(334 / 3), 20.0)
    assert place_of_gateway(gateway(), behind).district == "460107"


def test_the_shipped_rules_cover_every_kind_of_gateway_once() -> None:
    assert RULE.watch == SERVER_RULE.watch == "gateway"
    assert sorted([*RULE.kinds, *SERVER_RULE.kinds]) == sorted(KINDS)
    assert name_of(SERVER) == "chirpstack"


def test_a_gateway_rule_needs_its_intervals() -> None:
    text = default_texts()["gateway-silent.toml"].replace("intervals = 2", "")
    with pytest.raises(InvalidInput, match="intervals"):
        parse_rule(text)
