"""The page of devices: pure pieces of it, and its words for every fault."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from city.incident import Role
from city.person import Caller
from city.reading import Quality
from dashboard.screens.devices import load as registry
from dashboard.screens.devices import page as devices
from dashboard.shell import frame
from dashboard.shell.i18n import CHINESE, ENGLISH, LANGUAGES, read_catalogue, texts
from db.discovery import DiscoveredCounts, DiscoveredDevice
from db.registry_pages import STATES, OutOfService, RegistryCounts, RegistryRow
from registry import changes, device_files
from registry import import_file as device_import

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ROW = RegistryRow(
    id=1,
    code="GAS-1",
    kind="gas",
    name="Gate",
    model="",
    format="native",
    external_id=None,
    gas=None,
    lon=110.3,
    lat=20.0,
    unit_grid=None,
    street="府城街道",
    community=None,
    report_interval_s=60,
    out_of_service_since=None,
    return_due_at=None,
    out_of_service_reason="",
    out_of_service_by=None,
    demo=False,
    version=3,
    state="ok",
    severity=None,
    heard_at=NOW,
    total=1,
    metric="ch4_pct_lel",
    value=3.25,
    ts=NOW - timedelta(minutes=2),
    quality=0,
)


def row(**other: Any) -> RegistryRow:
    values = {name: getattr(ROW, name) for name in ROW.__slots__} | other
    return RegistryRow(**values)


def shown(component: Any) -> str:
    """All the text of a component."""
    if component is None or isinstance(component, str):
        return component or ""
    if isinstance(component, list | tuple):
        return " ".join(shown(part) for part in component)
    return shown(getattr(component, "children", None))


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_fault_has_words_in_both_languages_with_the_same_gaps() -> None:
    problems = {**device_files.FILE_PROBLEMS, **device_import.PROBLEMS, **changes.PROBLEMS}
    for code, english in problems.items():
        versions = read_catalogue()[f"fault.{code}"]
        for lang in LANGUAGES:
            assert gaps(versions[lang]) == gaps(english), code


def test_every_state_and_quality_has_a_word() -> None:
    wanted = {f"devices.state_{state}" for state in STATES}
    wanted |= {f"quality.{quality.name.lower()}" for quality in Quality}
    wanted |= {f"kind.{kind}" for kind in device_import.KINDS}
    assert wanted - set(read_catalogue()) == set()


def test_only_those_who_may_read_the_registry_find_its_page() -> None:
    may = {role for role in Role if frame.may_open(Caller("p", role, "460107"), "devices")}
    assert may == set(registry.READERS)
    assert set(registry.CHANGERS) < may


def test_a_row_shows_value_age_and_doubt() -> None:
    t = texts(ENGLISH)
    text = shown(devices.render_latest(t, row(quality=int(Quality.SUSPECT)), NOW))
    assert "3.25 %LEL" in text
    assert "2 min ago" in text
    assert "suspect" in text
    assert shown(devices.render_latest(t, row(metric=None, ts=None), NOW)) == "No reading yet"


def test_an_overdue_return_is_said_where_the_device_stands() -> None:
    t = texts(CHINESE)
    away = row(out_of_service_since=NOW - timedelta(days=9), return_due_at=NOW - timedelta(hours=5))
    assert "逾期 5 小时" in shown(devices.render_state(t, away, NOW))
    due = row(out_of_service_since=NOW, return_due_at=NOW + timedelta(days=1), state="out")
    assert "应于 2026-11-23 16:00 恢复" in shown(devices.render_state(t, due, NOW))


@pytest.mark.parametrize(("may_change", "steps"), [(True, 3), (False, 1)])
def test_who_may_not_change_gets_no_buttons_to_do_so(may_change: bool, steps: int) -> None:
    assert len(devices.render_steps(texts(ENGLISH), ROW, may_change=may_change)) == steps


def test_a_name_from_outside_is_text_and_nothing_else() -> None:
    table = devices.render_table(
        texts(ENGLISH), [row(name="<img src=x onerror=alert(1)>")], NOW, may_change=True
    )
    assert "<img src=x onerror=alert(1)>" in shown(table)


def test_an_empty_list_says_so() -> None:
    t = texts(ENGLISH)
    assert shown(devices.render_table(t, [], NOW, may_change=True)) == "No devices match"
    nobody = devices.render_strangers(t, [], NOW, may_change=True, state="waiting")
    assert "Nobody reports" in shown(nobody)
    assert "No device" in shown(devices.render_out(t, [], NOW, may_change=True))


def stranger(payload: bytes, size: int = 0) -> DiscoveredDevice:
    return DiscoveredDevice(
        id=7,
        format="chirpstack",
        identity="a84041ffff000001",
        kind="gas",
        state="waiting",
        first_seen=NOW,
        last_seen=NOW,
        messages=12,
        last_topic="application/1",
        decided_by=None,
        decided_at=None,
        device=None,
        last_payload=payload,
        payload_size=size or len(payload),
    )


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        (b'{"a":{"b":1}}', '"b": 1'),
        (b"\x00\xff\x10", "00 ff 10"),
    ],
)
def test_the_newest_message_of_a_stranger_is_readable(payload: bytes, part: str) -> None:
    item = devices.render_stranger(texts(ENGLISH), stranger(payload), NOW, may_change=True)
    assert part in shown(item)


def test_a_text_cut_inside_a_character_is_text_and_bytes_stay_bytes() -> None:
    t = texts(ENGLISH)
    half = devices.render_stranger(t, stranger("温度".encode()[:-1], 9_000), NOW, may_change=True)
    assert "温" in shown(half)
    raw = devices.render_stranger(t, stranger(b"\xff\xfe\x81", 9_000), NOW, may_change=True)
    assert "ff fe 81" in shown(raw)


def test_a_message_that_was_cut_says_so() -> None:
    item = devices.render_stranger(texts(ENGLISH), stranger(b"abc", 9_000), NOW, may_change=False)
    assert "first 3 of 9000 bytes" in shown(item)
    assert "Register" not in shown(item)


def test_the_tabs_count_what_waits_and_what_is_overdue() -> None:
    t = texts(ENGLISH)
    busy = devices.count_texts(t, RegistryCounts(20_000, 3, 1), DiscoveredCounts(2, 0, 0))
    assert busy == ["20,000", "2", "3 · 1 overdue"]
    quiet = devices.count_texts(t, RegistryCounts(5, 0, 0), DiscoveredCounts(0, 0, 0))
    assert quiet == ["5", "", ""]


def test_the_register_shows_reason_and_who() -> None:
    away = OutOfService("GAS-1", "gas", "Gate", None, None, NOW, None, "in repair", "anna", 1)
    text = shown(devices.render_out(texts(ENGLISH), [away], NOW, may_change=False))
    assert "in repair" in text
    assert "anna" in text
    assert "No date" in text
