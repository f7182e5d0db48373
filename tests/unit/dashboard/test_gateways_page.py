"""Gateways on the pages: who is silent, which devices that explains, what is said where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dash.development.base_component import Component

from alerts.watch.gateway import GatewayKind
from dashboard.screens.detail.page import GATEWAY_REASONS, render_explanation
from dashboard.screens.devices import page as devices
from dashboard.screens.operations import gateways_page as gateways
from dashboard.screens.operations.gateways import GatewayPicture, SilentGateway, gateway_of
from dashboard.shell.i18n import read_catalogue, texts
from db.gateways import KINDS, GatewayCounts, ListedGateway
from db.inhibitions import ListedInhibition

NOW = datetime(2026, 11, 24, 3, 12, 30, tzinfo=UTC)
EN = texts("en")
HEARD = ListedGateway(
    id=1, format="chirpstack", identity="a84041ffff1f0001", kind="lorawan_gateway", name="",
    district="460107", online=True, status_at=NOW - timedelta(hours=1),
    heard_at=NOW - timedelta(seconds=20), back_at=None, attributes={},
    first_seen=NOW - timedelta(days=9), devices=7, inhibited=0, alarm_id=None, alarm_state=None,
    severity=None, silent_since=None, condition="gateway/chirpstack/a84041ffff1f0001",
)  # fmt: skip
SILENT = replace(
    HEARD, id=2, identity="a84041ffff1f0002", online=None, status_at=None, inhibited=3,
    heard_at=NOW - timedelta(minutes=47), silent_since=NOW - timedelta(minutes=47), alarm_id=9,
    alarm_state="unacknowledged", severity=3, condition="gateway/chirpstack/a84041ffff1f0002",
)  # fmt: skip
BEHIND = ListedInhibition(
    condition="silent/GAS-1", by_condition=SILENT.condition, device="GAS-1", kind="gas",
    severity=3, reason={}, since=NOW - timedelta(minutes=47),
)  # fmt: skip


def words(component: Any) -> str:
    """Everything that is read on a part of the screen."""
    if isinstance(component, list | tuple):
        return " ".join(words(part) for part in component)
    if isinstance(component, Component):
        return words(getattr(component, "children", None) or "")
    return "" if component is None else str(component)


def picture(*silent: SilentGateway, heard: int = 1) -> GatewayPicture:
    return GatewayPicture(GatewayCounts(heard, len(silent), 3), list(silent), [HEARD][:heard])


def test_a_silent_gateway_stands_with_its_age_its_devices_and_its_alarm() -> None:
    shown = gateways.render_silent(EN, picture(SilentGateway(SILENT, [BEHIND])), NOW)
    text = words(shown)
    for part in ("a84041ffff1f0002", "LoRaWAN gateway", "47 min", "3 devices", "Acknowledge"):
        assert part in text
    assert "GAS-1" in text
    assert "2 more" in text  # of three devices one is named


def test_an_acknowledged_alarm_offers_no_second_acknowledgement() -> None:
    known = replace(SILENT, alarm_state="acknowledged")
    text = words(gateways.render_silent(EN, picture(SilentGateway(known, [])), NOW))
    assert "Acknowledged" in text
    assert text.count("Acknowledge") == 1


@pytest.mark.parametrize(("heard", "key"), [(1, "gateways.none_silent"), (0, "gateways.none")])
def test_nobody_silent_and_nobody_at_all_are_told_apart(heard: int, key: str) -> None:
    assert EN(key) in words(gateways.render_silent(EN, picture(heard=heard), NOW))


def test_a_gateway_that_said_nothing_of_itself_is_not_called_online() -> None:
    mute = gateways.word_cell(EN, replace(HEARD, online=None), NOW)
    assert words(mute) == EN("gateways.word_none")
    assert words(gateways.word_cell(EN, replace(HEARD, online=False), NOW)) == "offline 1 h ago"


def test_the_summary_says_how_many_are_not_shown() -> None:
    some = GatewayPicture(GatewayCounts(60, 0, 0), [], [HEARD])
    assert gateways.summary_text(EN, some) == "Gateways without alarm: 60, the first 1 are shown"
    assert gateways.summary_text(EN, picture()) == "Gateways without alarm: 1"


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        ("gateway/chirpstack/a840", "a840"),
        ("gateway/sparkplug/Hainan/edge-07", "Hainan/edge-07"),
        ("feed/chirpstack", "chirpstack"),
    ],
)
def test_a_condition_names_its_gateway(condition: str, name: str) -> None:
    assert gateway_of(condition) == name


def test_a_device_says_behind_which_gateway_it_is_silent() -> None:
    text = words(devices.render_behind(EN, BEHIND))
    assert text == "behind silent gateway a84041ffff1f0002   since 11-24 10:25"
    assert devices.render_behind(EN, None) == []


def test_an_explained_alarm_names_its_gateway_and_a_gateways_alarm_leads_to_its_devices() -> None:
    explained = {"inhibited_by": SILENT.condition, "reason": {"code": "device_silent"}}
    assert "a84041ffff1f0002" in words(render_explanation(EN, explained))
    leads = render_explanation(EN, {"inhibited_by": None, "reason": {"code": "gateway_silent"}})
    assert words(leads) == EN("alarm.explains")
    assert render_explanation(EN, {"inhibited_by": None, "reason": {"code": "device_silent"}}) == []


def test_reasons_and_kinds_of_gateways_are_those_of_the_engine() -> None:
    assert set(GatewayKind.sentences) == GATEWAY_REASONS
    assert {f"gateway_kind.{kind}" for kind in KINDS} <= set(read_catalogue())
