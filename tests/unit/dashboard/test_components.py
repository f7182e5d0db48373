"""Components are functions of values: what a person reads and what a button carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dash.development.base_component import Component

from city.incident import Role
from city.person import Caller
from dashboard.screens.console import page as console
from dashboard.screens.console import video
from dashboard.screens.detail.page import alarm_verbs, render_detail, render_squad
from dashboard.screens.kpi import page as kpi
from dashboard.screens.wall import page as wall
from dashboard.shell import frame, theme
from dashboard.shell.components import (
    action_fields,
    event_note,
    number_text,
    ratio_text,
    reason_text,
    render_actions,
    value_text,
)
from dashboard.shell.frame import View
from dashboard.shell.i18n import LANGUAGES, Texts, texts
from dashboard.shell.i18n.times import day_and_clock, duration

ZH, EN = texts("zh"), texts("en")
GAS_REASON = {
    "code": "value_at_or_above_limit",
    "rule": "gas-high",
    "rule_version": 2,
    "metric": "ch4_pct_lel",
    "value": 57.4,
    "limit": 50.0,
    "facts": {},
}


def walk(part: Any) -> Iterator[Any]:
    """A component and everything in it."""
    if isinstance(part, list | tuple):
        for item in part:
            yield from walk(item)
    elif part is not None:
        yield part
        if isinstance(part, Component):
            yield from walk(getattr(part, "children", None))


def words(part: Any) -> str:
    return " ".join(str(item) for item in walk(part) if not isinstance(item, Component))


def with_attribute(part: Any, name: str) -> list[Any]:
    return [c for c in walk(part) if isinstance(c, Component) and hasattr(c, name)]


def an_incident(**changes: Any) -> dict[str, Any]:
    incident: dict[str, Any] = {
        "id": 17,
        "number": "460107-20261122-0017",
        "version": 3,
        "state": "filed",
        "severity": 1,
        "family": "gas",
        "category": "0211",
        "category_zh": "燃气泄漏",
        "category_en": "Gas leak",
        "title_zh": "府城街道燃气泄漏",
        "title_en": "Gas leak in Fucheng",
        "description": "",
        "source": "sensor",
        "lon": 110.35,
        "lat": 19.99,
        "unit_grid": "460107002001001",
        "street_name": "府城街道",
        "community_name": "忠介社区",
        "device": "GAS-1",
        "squad": None,
        "squad_zh": None,
        "squad_en": None,
        "opened_at": "2026-11-22T01:00:00+00:00",
        "released_at": None,
        "demo": True,
        "category_facts": {"closing_evidence": ["photo_after", "check_photo", "gas_release"]},
        "actions": ["comment", "dispatch"],
        "steps": [
            {"action": "comment", "to": "filed", "needs": ["note"]},
            {"action": "dispatch", "to": "dispatched", "needs": ["squad"]},
        ],
        "waiting": [],
        "clocks": [
            {
                "clock": "dispatch",
                "limit": "0.25 urgent_hour",
                "due_at": "2026-11-22T01:15:00+00:00",
                "standing": "running",
                "met_at": None,
                "stopped_at": None,
            }
        ],
        "alarms": [
            {
                "id": 4,
                "severity": 1,
                "state": "unacknowledged",
                "reason": GAS_REASON,
                "raised_at": "2026-11-22T01:00:00+00:00",
                "device": "GAS-1",
            }
        ],
        "evidence": [],
        "events": [
            {
                "at": "2026-11-22T01:00:00+00:00",
                "kind": "incident.opened",
                "actor": "system",
                "payload": {},
            }
        ],
    }
    return incident | changes


def a_squad(**changes: Any) -> dict[str, Any]:
    return {
        "squad": "SQ-1",
        "name_zh": "府城中队",
        "name_en": "Fucheng Squad",
        "eligible": True,
        "score": 81.5,
        "parts": {"travel": 41.5, "grid": 30.0, "workload": 10.0},
        "on_duty": True,
        "has_skill": True,
        "owns_grid": True,
        "distance_m": 840,
        "travel_minutes": 2.6,
        "open_incidents": 1,
    } | changes


def test_a_squad_says_whom_to_call_where_the_reader_may_know() -> None:
    drawn = render_squad(EN, a_squad(called="Wu", phone="138 0000 0001"), 1)
    assert "On duty: Wu" in words(drawn)
    assert "tel:13800000001" in str(drawn)
    assert "On duty" not in words(render_squad(EN, a_squad(called="", phone=""), 1))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (0, "0"), (0.2, "0.2"), (3.14159, "3.14"), (57.44, "57.4"), (1234.5, "1,234")],
)
def test_numbers_have_no_more_figures_than_they_need(value: float | None, text: str) -> None:
    assert number_text(value) == text


def test_a_value_carries_its_unit_and_a_switch_says_yes_or_no() -> None:
    assert value_text(EN, "ch4_pct_lel", 57.4) == "57.4 %LEL"
    assert value_text(EN, "cover_open", 1.0) == "yes"
    assert value_text(ZH, "cover_open", 0.0) == "否"
    assert value_text(EN, "power_factor", 0.95) == "0.95"


def test_a_ratio_of_nothing_is_a_dash() -> None:
    assert ratio_text(0, 0) == "—"
    assert ratio_text(381, 405) == "94.1%"


def test_the_reason_of_an_alarm_is_a_sentence_in_both_languages() -> None:
    assert reason_text(ZH, GAS_REASON) == "甲烷 57.4 %LEL，达到限值 50 %LEL"
    assert reason_text(EN, GAS_REASON) == "Methane 57.4 %LEL, limit 50 %LEL"


def test_a_reason_with_a_missing_fact_still_reads() -> None:
    said = reason_text(EN, {"code": "lamps_dark_in_cabinet", "value": 9, "facts": {}})
    assert "—" in said


def test_an_unknown_reason_shows_the_title_of_its_rule() -> None:
    reason = {"code": "brand_new", "facts": {"title_en": "Something odd"}}
    assert reason_text(EN, reason) == "Something odd"
    assert reason_text(EN, None) == ""


def test_times_are_those_of_the_district() -> None:
    assert day_and_clock("2026-11-22T16:30:05+00:00") == "11-23 00:30:05"
    assert day_and_clock(None) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (8, "8 s"),
        (75, "1 min 15 s"),
        (754, "12 min"),
        (5400, "1 h 30 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float | None, text: str) -> None:
    assert duration(EN, seconds) == text


def test_an_action_asks_for_what_the_server_needs_and_offers_the_rest() -> None:
    incident = an_incident()
    dispatch = incident["steps"][1]
    assert action_fields(incident, dispatch) == ["squad*", "note"]


def test_closing_asks_for_every_photo_that_is_missing() -> None:
    incident = an_incident(evidence=[{"stage": "photo_after"}])
    close = {"action": "close", "needs": [], "waiting_for": [{"code": "check_photo"}]}
    assert action_fields(incident, close) == ["check_photo*", "outcome", "note"]


def test_an_action_that_only_waits_for_a_photo_is_a_button() -> None:
    waits = [{"action": "handle", "needs": ["note"], "waiting_for": [{"code": "photo_after"}]}]
    drawn = render_actions(ZH, an_incident(actions=[], steps=[], waiting=waits))
    (button,) = with_attribute(drawn, "data-action")
    assert getattr(button, "data-fields") == "photo_after* note*"


def test_an_action_that_waits_for_a_fact_says_which_and_until_when() -> None:
    until = "2026-11-22T02:00:00+00:00"
    waits = [
        {
            "action": "close",
            "needs": [],
            "waiting_for": [{"code": "gas_free_period_runs", "free_at": until}],
        }
    ]
    drawn = render_actions(EN, an_incident(actions=[], steps=[], waiting=waits))
    assert with_attribute(drawn, "data-action") == []
    assert "the gas-free period is not over (11-22 10:00:00)" in words(drawn)


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        (ZH, "报警仍未恢复：GAS-1（{why}）; cover/MH-2（{why}）"),
        (EN, "still in alarm: GAS-1 ({why}); cover/MH-2 ({why})"),
    ],
)
def test_an_action_that_waits_for_alarms_names_each_of_them(t: Texts, expected: str) -> None:
    alarms = [
        {"device": "GAS-1", "condition": "gas/GAS-1", "reason": GAS_REASON},
        {"device": None, "condition": "cover/MH-2", "reason": GAS_REASON},
    ]
    waits = [
        {
            "action": "close",
            "needs": [],
            "waiting_for": [{"code": "alarm_stands", "alarms": alarms}],
        }
    ]
    drawn = render_actions(t, an_incident(actions=[], steps=[], waiting=waits))
    assert with_attribute(drawn, "data-action") == []
    assert expected.format(why=reason_text(t, GAS_REASON)) in words(drawn)


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        (
            ZH,
            "须先解除：GAS-1（{why}），须由燃气工程师解除; "
            "cover/MH-2（{why}），{at} 起由派遣员解除",
        ),
        (
            EN,
            "released first: GAS-1 ({why}), by a Gas engineer; cover/MH-2 ({why}), "
            "by a Dispatcher from {at} on",
        ),
    ],
)
def test_an_action_that_waits_for_a_release_says_who_gives_it_and_when(
    t: Texts, expected: str
) -> None:
    at = "2026-11-22T02:00:00+00:00"
    alarms = [
        {
            "device": "GAS-1",
            "condition": "",
            "reason": GAS_REASON,
            "release_role": None,
            "releasable_at": None,
        },
        {
            "device": None,
            "condition": "cover/MH-2",
            "reason": GAS_REASON,
            "release_role": "dispatcher",
            "releasable_at": at,
        },
    ]
    waits = [
        {
            "action": "close",
            "needs": [],
            "waiting_for": [{"code": "alarm_latched", "alarms": alarms}],
        }
    ]
    drawn = render_actions(t, an_incident(actions=[], steps=[], waiting=waits))
    said = expected.format(why=reason_text(t, GAS_REASON), at=day_and_clock(at))
    assert said in words(drawn)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_log_says_in_both_languages_why_the_system_acted(lang: str) -> None:
    t = texts(lang)
    told = {"squad": "SQ-1", "reason": "alarm_again", "note": "MH-1"}
    assert event_note(t, {"payload": told}) == f"SQ-1 · {t('cause.alarm_again')} · MH-1"
    assert event_note(t, {"payload": {"reason": "still smells"}}) == "still smells"
    assert "N-7" in event_note(t, {"payload": {"similar_to": "N-7"}})


SIMILAR = {
    "id": 9,
    "number": "N-9",
    "state": "handled",
    "severity": 2,
    "title_zh": "井盖缺失",
    "title_en": "Cover missing",
    "because": "near_same_category",
    "distance_m": 40.2,
}


def test_an_incident_that_may_be_the_same_is_shown_and_merged_into_by_a_press() -> None:
    drawn = render_detail(EN, an_incident(actions=["merge"], similar=[SIMILAR]), [])
    assert "N-9 · Handled · same category, 40 m away" in words(drawn)
    (merge,) = with_attribute(drawn, "data-into")
    assert getattr(merge, "data-into") == "9"
    (link,) = with_attribute(drawn, "data-select")
    assert getattr(link, "data-select") == "9"
    over = render_detail(
        EN, an_incident(actions=["merge"], similar=[{**SIMILAR, "state": "closed"}]), []
    )
    assert with_attribute(over, "data-into") == []


@pytest.mark.parametrize(
    ("role", "condition", "state", "shelved", "verbs"),
    [
        (Role.DISPATCHER, "cover/MH-1", "unacknowledged", None, ["shelve"]),
        (Role.DISPATCHER, "cover/MH-1", "acknowledged", None, ["shelve", "reset"]),
        (Role.DISPATCHER, "gas/GAS-1", "acknowledged", None, ["shelve"]),
        (Role.GAS_ENGINEER, "gas/GAS-1", "acknowledged", None, ["shelve", "reset"]),
        (Role.DISPATCHER, "cover/MH-1", "unacknowledged", "2026-11-22T02:00Z", ["unshelve"]),
        (Role.DISPATCHER, "cover/MH-1", "returned_unacknowledged", None, []),
        (Role.LEADER, "cover/MH-1", "acknowledged", None, []),
    ],
)
def test_a_wrong_sensors_alarm_can_be_shelved_or_reset_where_its_case_is_shown(
    role: Role, condition: str, state: str, shelved: str | None, verbs: list[str]
) -> None:
    alarm = {"condition": condition, "state": state, "shelved_until": shelved}
    assert alarm_verbs(alarm, role) == verbs


def test_the_main_road_comes_first_and_shows_its_key() -> None:
    drawn = render_actions(ZH, an_incident())
    buttons = with_attribute(drawn, "data-action")
    assert [getattr(b, "data-action") for b in buttons] == ["dispatch", "comment"]
    assert getattr(buttons[0], "data-key") == "d"
    assert "D" in words(buttons[0])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_detail_panel_shows_reason_squads_clocks_and_timeline(lang: str) -> None:
    t = texts(lang)
    drawn = render_detail(t, an_incident(), [a_squad()], ("photo_after",))
    said = words(drawn)
    for expected in (
        reason_text(t, GAS_REASON),
        t.pick(a_squad(), "name"),
        t("clock.dispatch"),
        t("event.incident.opened"),
        "460107-20261122-0017",
    ):
        assert expected in said
    assert getattr(drawn, "data-version") == "3"


def test_the_timeline_says_when_it_was_done_and_why_that_is_not_believed() -> None:
    told = {"acted_at": "2026-11-29T02:00:00+00:00"}
    assert "done at 11-29 10:00" in event_note(EN, {"payload": told})
    moved = told | {"acted_at_said": "2026-11-27T02:00:00+00:00", "phone_clock_off_s": 172_800}
    assert "clock corrected" in event_note(EN, {"payload": moved})
    doubted = moved | {"acted_at_doubt": "too_old"}
    assert "11-27 10:00" in event_note(EN, {"payload": doubted})
    assert "too long ago" in event_note(EN, {"payload": doubted})


def test_sending_a_squad_that_is_off_duty_asks_for_a_note() -> None:
    drawn = render_detail(EN, an_incident(), [a_squad(on_duty=False, eligible=False)])
    (button,) = with_attribute(drawn, "data-squad")
    assert getattr(button, "data-fields") == "squad* note*"


def test_nobody_who_may_not_dispatch_is_offered_squads() -> None:
    drawn = render_detail(EN, an_incident(actions=["comment"]), [a_squad()])
    (section,) = [
        part
        for part in walk(drawn)
        if type(part).__name__ == "Section" and EN("detail.squads") in words(part)
    ]
    assert section.hidden
    assert not with_attribute(section, "data-key")


def test_text_from_outside_stays_text() -> None:
    drawn = render_detail(EN, an_incident(description="<img src=x onerror=alert(1)>"), [])
    assert "<img src=x onerror=alert(1)>" in words(drawn)
    assert not with_attribute(drawn, "dangerously_allow_html")


def test_a_snapshot_of_another_server_is_a_link_and_never_a_picture() -> None:
    assert video.render_snapshot(EN, "https://camera.example/a.jpg")[0].__class__.__name__ == "A"
    assert video.render_snapshot(EN, "/snapshots/a.jpg")[0].__class__.__name__ == "Img"
    assert video.render_snapshot(EN, "javascript://x/%0aalert(1)") == []
    assert video.render_snapshot(EN, "") == []


def a_view(role: Role, lang: str = "zh", shade: str = theme.DARK) -> View:
    return View(Caller("lin", role, "460107", "SQ-1"), texts(lang), shade)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("shade", theme.THEMES)
@pytest.mark.parametrize("layout", [wall.layout, console.layout, kpi.layout])
def test_every_screen_can_be_drawn_in_every_language_and_theme(
    layout: Any, lang: str, shade: str
) -> None:
    drawn = layout(a_view(Role.DISPATCHER, lang, shade))
    ids = [c.id for c in walk(drawn) if isinstance(c, Component) and getattr(c, "id", None)]
    assert len(ids) == len(set(ids))
    assert texts(lang)("link.connecting") in words(drawn)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_every_role_has_a_home_that_it_may_open(role: Role) -> None:
    assert frame.may_open(Caller("p", role, "460107"), frame.home_of(role).strip("/"))


def test_the_squad_screen_is_not_for_a_viewer() -> None:
    assert not frame.may_open(Caller("p", Role.VIEWER, "460107"), "console")
    assert not frame.may_open(Caller("p", Role.VIEWER, "460107"), "squad")


def test_a_checker_starts_with_what_is_to_check() -> None:
    drawn = console.layout(a_view(Role.CHECKER))
    pressed = [
        getattr(c, "data-filter")
        for c in with_attribute(drawn, "data-filter")
        if getattr(c, "aria-pressed") == "true"
    ]
    assert pressed == ["to_check"]
