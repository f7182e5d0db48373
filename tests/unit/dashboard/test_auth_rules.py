"""Where a sign-in may lead, what a page may load, what a body may hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from city.errors import InvalidInput
from city.incident import Action
from city.place import LonLat
from city.requests import ActionRequest, ShelveRequest
from dashboard.api.bodies import check_text, decode_request
from dashboard.api.incident_json import incident_answer
from dashboard.api.params import decode_cursor, encode_cursor, parse_time
from dashboard.screens.citymap.geometry import bounds_of, centre_of
from dashboard.screens.kpi.key_figures import check_span, ratio
from dashboard.shell.auth import content_security_policy
from dashboard.shell.fan_out import LEAVE, RESYNC, RING_FRAMES, VIEWER_FRAMES, Audience
from dashboard.shell.gate import SessionKey
from dashboard.shell.problems import Malformed
from dashboard.shell.sign_in import safe_target
from dashboard.shell.sign_in_texts import TEXTS
from tests.tables import cases


@pytest.mark.parametrize("target", ["/", "/wall", "/kpi?by=squad&x=1", "/a/b#c"])
def test_a_path_of_this_server_is_a_place_to_go(target: str) -> None:
    assert safe_target(target) == target


@pytest.mark.parametrize("target", cases("anything_else_leads_to_the_start_page.jsonl", target=str))
def test_anything_else_leads_to_the_start_page(target: str) -> None:
    assert safe_target(target) == "/"


def test_the_policy_allows_own_scripts_and_the_tile_server_only() -> None:
    policy = content_security_policy(["'sha256-abc'"], "https://tiles.city.example/{z}/{x}/{y}")
    assert "script-src 'self' 'sha256-abc';" in policy
    assert "img-src 'self' data: blob: https://tiles.city.example;" in policy
    assert "unsafe-eval" not in policy
    assert "https:" not in content_security_policy([], "")
    assert "https:" not in content_security_policy([], "/tiles/{z}/{x}/{y}")


def test_a_cookie_of_another_make_is_no_session() -> None:
    assert SessionKey.of({"sid": "a", "name": "b", "iat": 1}) == SessionKey("a", "b", 1.0)
    for broken in ({}, {"sid": 1, "name": "b", "iat": 1}, {"sid": "a", "name": "b", "iat": "1"}):
        assert SessionKey.of(broken) is None


def test_both_languages_say_the_same_things() -> None:
    assert TEXTS["zh"].keys() == TEXTS["en"].keys()


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"{}", "action"),
        (b'{"action": "dance"}', "action"),
        (b'{"action": "file", "version": 1.5}', "version"),
        (b'{"action": "file", "version": 99999999999}', "version"),
        (b'{"action": "file", "note": "\\u0000"}', "note"),
        (b'{"action": "file", "until": "2026-11-22T00:00:00"}', "until"),
        (b'{"action": "file", "Action": "file"}', "Action"),
        (b"[]", "body"),
        (b"null", "body"),
    ],
)
def test_a_body_names_the_field_that_is_wrong(raw: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_request(raw, ActionRequest)
    assert caught.value.field == field


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"action": "\xff"}'])
def test_what_is_not_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        decode_request(raw, ActionRequest)


def test_a_body_is_typed_and_its_times_are_utc() -> None:
    body = decode_request(
        b'{"until": "2026-11-22T08:00:00+08:00", "reason": "works", "version": 2}', ShelveRequest
    )
    assert body.until == datetime(2026, 11, 22, tzinfo=UTC)
    assert body.until.utcoffset() == timedelta(0)
    filed = b'{"action": "file"}'
    assert decode_request(filed, ActionRequest, 3).action is Action.FILE
    with pytest.raises(InvalidInput, match="version"):
        decode_request(filed, ActionRequest)
    with pytest.raises(InvalidInput, match="Unicode"):
        check_text("note", "\ud800")


def test_a_cursor_is_read_back_and_a_made_up_one_is_not() -> None:
    key = ["2026-11-22T00:00:00+00:00", 7, "中"]
    assert decode_cursor(encode_cursor(key)) == key
    for text in ("", "a", "!!!!", "eyJ9", encode_cursor(key)[:-2]):
        with pytest.raises(InvalidInput):
            decode_cursor(text)


def test_times_are_rfc_3339_or_epoch_milliseconds() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    for text in (
        "2026-11-22T00:00:00Z",
        "2026-11-22T08:00:00+08:00",
        "2026-11-22T08:00:00 08:00",
        str(round(at.timestamp() * 1000)),
    ):
        assert parse_time("from", text) == at
    for text in ("", "yesterday", "2026-11-22T00:00:00", "2026-13-01T00:00:00Z", "9" * 30):
        with pytest.raises(InvalidInput):
            parse_time("from", text)


def test_a_ratio_of_nothing_is_nothing() -> None:
    assert ratio(0, 0).ratio is None
    assert ratio(1, 4).ratio == 0.25


def test_a_period_must_run_forward_and_end_somewhere() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="to"):
        check_span(at, at, timedelta(days=1))
    with pytest.raises(InvalidInput, match="from"):
        check_span(at - timedelta(days=2), at, timedelta(days=1))


def test_an_action_that_waits_for_a_photo_alone_is_offered_but_not_possible() -> None:
    view = {
        "id": 1,
        "actions": [{"action": "comment", "to": "filed", "needs": []}],
        "waiting": [
            {"action": "handle", "waiting_for": [{"code": "photo_after"}]},
            {"action": "close", "waiting_for": [{"code": "photo_after"}, {"code": "overdue"}]},
        ],
        "clocks": [{"clock": "handle", "limit": "0.5 work_day"}],
        "timeline": [{"seq": 1}],
    }
    shown = incident_answer(view, [])
    assert shown["actions"] == ["comment"]
    assert shown["offered"] == ["comment", "handle"]
    assert (shown["clocks"][0]["limit_amount"], shown["clocks"][0]["limit_unit"]) == (
        0.5,
        "work_day",
    )
    assert shown["events"] == [{"seq": 1}]
    assert "timeline" not in shown


def test_bounds_hold_for_every_kind_of_outline() -> None:
    ring = [[110, 19], [111, 19], [111, 20], [110, 19]]
    assert bounds_of({"coordinates": [ring]}) == (110, 19, 111, 20)
    assert bounds_of({"coordinates": [[ring], [[[112, 18], [113, 18], [112, 18]]]]}) == (
        110,
        18,
        113,
        20,
    )
    assert centre_of({"coordinates": [ring]}) == LonLat(110.5, 19.5)


def test_the_ring_forgets_its_oldest_frames_and_says_so() -> None:
    audience = Audience()
    audience.begin(100)
    for rev in range(101, 101 + RING_FRAMES + 10):
        audience.send(b"id: %d\n" % rev, rev=rev)
    assert audience.join(100)[1] == RESYNC
    assert audience.join(109)[1] == RESYNC
    missed = audience.join(110)[1]
    assert missed.startswith(b"id: 111\n")
    assert missed.count(b"\n") == RING_FRAMES
    assert audience.join(100 + RING_FRAMES + 10)[1] == b""
    assert audience.join(100 + RING_FRAMES + 11)[1] == RESYNC


def test_a_stream_says_hello_sends_frames_and_ends_when_closed() -> None:
    audience = Audience()
    audience.begin(1)
    stream = audience.stream(None, lambda: True, lambda: b"now\n")
    assert next(stream) == b"retry: 2000\n\nnow\n"
    audience.send(b"a\n", rev=2)
    audience.send(b"b\n")
    assert next(stream) == b"a\nb\n"
    audience.close()
    assert list(stream) == []
    assert len(audience) == 0


def test_a_stream_that_is_too_slow_is_told_to_start_anew() -> None:
    audience = Audience()
    stream = audience.stream(None, lambda: True, lambda: b"")
    next(stream)
    for _ in range(VIEWER_FRAMES + 5):
        audience.send(b"x")
    assert next(stream) == b"x" * VIEWER_FRAMES
    assert next(stream) == RESYNC
    assert list(stream) == []


def test_a_stream_ends_when_its_viewer_is_not_welcome_any_more(monkeypatch) -> None:
    monkeypatch.setattr("dashboard.shell.fan_out.KEEP_ALIVE_S", 0.0)
    audience = Audience()
    answers = iter([True, False])
    stream = audience.stream(None, lambda: next(answers), lambda: b"now")
    assert list(stream) == [b"retry: 2000\n\nnow", b"now", LEAVE]
