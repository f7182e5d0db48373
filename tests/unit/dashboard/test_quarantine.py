"""Messages as people read them, and what the quarantine page makes of a choice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from dash.development.base_component import Component

import city.reading
from city.incident import Role
from city.person import Caller
from dashboard.screens.quarantine.load import Today
from dashboard.screens.quarantine.page import (
    chosen_group,
    chosen_id,
    render_detail,
    render_groups,
    render_list,
)
from dashboard.shell.components import render_raw
from dashboard.shell.frame import View
from dashboard.shell.i18n import read_catalogue, texts
from dashboard.shell.raw_text import (
    DUMPED_BYTES,
    SHORT_LINE_BYTES,
    SHOWN_CHARACTERS,
    hex_dump,
    readable,
)
from dashboard.shell.theme import LIGHT
from db.reject_counts import RejectCount
from db.rejects import StoredReject, Which

NOW = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
EN = texts("en")
VIEW = View(Caller("a", Role.ADMIN, "460107"), EN, LIGHT)
ROW = StoredReject(
    7,
    NOW,
    "chirpstack",
    "application/1/device/24e1/event/up",
    "24e1/2",
    "device_unknown",
    "no device",
    b'{"a":1}',
    7,
    True,
    None,
)
GROUP = RejectCount("chirpstack", "24e1/2", "device_unknown", 1, 5, 4, 0, NOW, NOW, [0] * 23 + [5])
STORABLE = Today(refusals=[], decoded={"format": "chirpstack"})


def drawn(parts: Any) -> str:
    """A part of the screen as JSON: texts, attributes and links."""
    return json.dumps(parts, default=Component.to_plotly_json, ensure_ascii=False)


@pytest.mark.parametrize(
    ("raw", "kind", "line"),
    [
        (b'{"a":{"b":[1,2]}}', "json", '  "a": {'),
        ('{"name":"井盖"}'.encode(), "json", '  "name": "井盖"'),
        (b'{"a":NaN}', "json", '  "a": NaN'),
        (b"<a><b>1</b></a>", "xml", "  <b>1</b>"),
        (b'{"a": broken', "text", '{"a": broken'),
        (b"plain text\r\nwith lines", "text", "with lines"),
        (b"<a><b></a>", "text", "<a><b></a>"),
        (b"\x01\x02\xff", "bytes", "0000  01 02 ff"),
        (b"abc\x1b[31m", "bytes", "0000  61 62 63 1b 5b 33 31 6d"),
        ("\u202egnirts".encode(), "bytes", "0000  e2 80 ae"),
        (b"", "empty", ""),
    ],
)
def test_a_message_is_shown_the_way_it_can_be_read(raw: bytes, kind: str, line: str) -> None:
    found = readable(raw)
    assert found.kind == kind
    assert any(shown.startswith(line) for shown in found.text.splitlines() or [""])


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><a>&b;</a>',
        b"<a>" * 20_000,
        b"1" * 5000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_hostile_documents_are_shown_as_they_came(raw: bytes) -> None:
    found = readable(raw)
    assert found.kind == "text"
    assert len(found.text) <= SHOWN_CHARACTERS + 2


def test_a_dump_names_the_offset_and_shows_letters_beside_the_bytes() -> None:
    lines = hex_dump(b"0123456789abcdef\x00Z").splitlines()
    assert lines[0].endswith("  0123456789abcdef")
    assert lines[1].startswith("0010  00 5a ")
    assert lines[1].endswith("  .Z")
    assert len(hex_dump(bytes(100_000)).splitlines()) == DUMPED_BYTES // 16


def test_a_dump_for_a_phone_has_short_lines_and_the_same_bytes() -> None:
    raw = bytes(range(20))
    short = hex_dump(raw, SHORT_LINE_BYTES).splitlines()
    assert max(map(len, short)) < 40
    assert short[1].startswith("0008  08 09 0a 0b 0c 0d 0e 0f  ")
    wide, narrow = render_raw(b"\x00\xff", readable(b"\x00\xff"))
    assert (wide.className.strip(), narrow.className.strip()) == ("gw-hex-wide", "gw-hex-short")
    (only,) = render_raw(b"{}", readable(b"{}"))
    assert only.children == "{}"


def test_every_reason_is_in_words() -> None:
    reasons = {v for name, v in vars(city.reading).items() if name.startswith("REASON_")}
    missing = {
        r
        for r in reasons | {"store_failed", "decoder_failed"}
        if f"refused.{r}" not in read_catalogue()
    }
    assert missing == set()


def test_a_message_that_could_be_stored_now_says_so_and_offers_it() -> None:
    text = drawn(render_detail(EN, ROW, STORABLE))
    assert EN("quarantine.would_store") in text
    assert '"data-replay-reject": "7"' in text
    assert "/devices?discovered=chirpstack/24e1/2" in text


def test_a_message_that_would_be_refused_says_why() -> None:
    today = Today(refusals=[("json_invalid", "at byte 3")], decoded={})
    text = drawn(render_detail(EN, ROW, today))
    assert "It would be refused again: Broken JSON (at byte 3)" in text


@pytest.mark.parametrize("row", [replace(ROW, raw_size=99), replace(ROW, replayed_at=NOW)])
def test_a_part_of_a_message_or_one_that_was_replayed_offers_no_replay(row: StoredReject) -> None:
    assert "data-replay-reject" not in drawn(render_detail(EN, row, STORABLE))


def test_only_an_unknown_device_leads_to_its_registration() -> None:
    other = replace(ROW, reason="json_invalid")
    assert "discovered" not in drawn(render_detail(EN, other, STORABLE))


def test_a_group_is_chosen_and_replayed_by_its_names() -> None:
    text = drawn(render_groups(VIEW, [GROUP]))
    assert '"data-device": "24e1/2"' in text
    assert EN("quarantine.replay_all", n="4") in text
    of_all = replace(GROUP, device="", devices=40, replayable=0)
    text = drawn(render_groups(VIEW, [of_all]))
    assert '"data-device"' not in text
    assert "40 devices" in text
    assert "data-replay-group" not in text


def test_an_empty_quarantine_says_so() -> None:
    assert EN("quarantine.empty") in drawn(render_groups(VIEW, []))
    assert EN("quarantine.nothing_here") in drawn(render_list(EN, Which(), []))


@pytest.mark.parametrize("value", [None, 7, [], {"device": 3}, {"colour": "red"}, {"device": "\0"}])
def test_nonsense_in_the_browsers_store_chooses_everything(value: Any) -> None:
    assert chosen_group(value) == Which()


def test_a_choice_is_taken_by_its_names() -> None:
    assert chosen_group({"device": "d", "reason": "r"}) == Which(device="d", reason="r")


@pytest.mark.parametrize("value", [None, "7", True, 0, -1, 2**63, 1.5])
def test_what_cannot_be_an_id_chooses_nothing(value: Any) -> None:
    assert chosen_id(value) is None
    assert chosen_id(7) == 7
