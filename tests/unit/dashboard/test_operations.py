"""What the operations page calls wrong, and how it draws what nobody measured."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from dash.development.base_component import Component

from city.incident import Role
from city.person import Caller
from dashboard.screens.operations.books_load import BooksItem, DropItem, LossItem
from dashboard.screens.operations.load import (
    SAID_ELSEWHERE,
    UNKNOWN_FEED,
    DiskItem,
    EvaluationItem,
    GatewaysItem,
    OperationsAnswer,
    build_feeds,
    build_workers,
    find_problems,
    is_silent,
    stage_problems,
    unsaid,
    usual_gap_s,
)
from dashboard.screens.operations.page import (
    lag_text,
    render_body,
    render_finding,
    render_rest,
    size_text,
)
from dashboard.shell import stages
from dashboard.shell.frame import View
from dashboard.shell.i18n import read_catalogue, texts
from dashboard.shell.minute_bars import hour_bars, stacked_bars
from dashboard.shell.stages import Fault
from dashboard.shell.theme import DARK, PALETTES
from db.ledger import Imbalance, LedgerLine
from db.operations import DatabaseSize, FeedFigures, Worker
from db.reject_counts import QuarantineSize

NOW = datetime(2026, 11, 24, 3, 12, 30, tzinfo=UTC)
START = NOW.replace(second=0) - timedelta(minutes=59)
EN = texts("en")
FEED = FeedFigures(
    feed="chirpstack",
    received=600,
    stored=590,
    duplicate=10,
    rejected=0,
    without_values=0,
    readings_stored=1200,
    newest_at=NOW - timedelta(seconds=20),
    is_exact=True,
    first_minute=NOW - timedelta(days=1),
    active_minutes=1440,
    store_lag_avg_s=0.05,
    store_lag_max_s=0.2,
    sense_lag_avg_s=None,
    sense_lag_max_s=None,
)
WELL = OperationsAnswer(
    from_=START,
    now=NOW,
    findings=[],
    feeds=build_feeds([FEED], [], [], START, NOW),
    imbalances=[],
    workers=[],
    programs={"ingest": 1, "engine": 1, "scheduler": 1, "serve": 1},
    evaluation=EvaluationItem(batches_waiting=0, oldest_waiting_s=None, alarm_changes_waiting=0),
    quarantine=QuarantineSize(0, 0, None, 0, 8192),
    quarantine_limit_bytes=2**30,
    database=DatabaseSize(10**9, 10**8, 8192, 10**7),
    disk=DiskItem(total=10**12, free=10**11),
)


def loss(number: int = 1, **fields: Any) -> LossItem:
    return LossItem(
        **{
            "from_": NOW - timedelta(minutes=number),
            "to": NOW - timedelta(minutes=number - 1),
            "messages": 37,
            "sources": 35,
            "names": ["gas-1", "gas-2"],
            "feeds": ["native"],
            **fields,
        }
    )


DROP = DropItem(from_=NOW - timedelta(minutes=2), to=NOW, deliveries=12)


def worker(name: str, silent_s: float) -> Worker:
    return Worker(name, NOW - timedelta(seconds=silent_s), NOW - timedelta(minutes=1), 40)


def changed(**fields: Any) -> OperationsAnswer:
    return msgspec.structs.replace(WELL, **fields)


def codes(answer: OperationsAnswer) -> list[str]:
    return [finding.code for finding in find_problems(answer)]


def feeds(**fields: Any) -> OperationsAnswer:
    return changed(feeds=build_feeds([replace(FEED, **fields)], [], [], START, NOW))


def words(component: Component) -> str:
    """Everything that is read on a part of the screen."""
    found = [component] if isinstance(component, str) else []
    for child in component if isinstance(component, list | tuple) else ():
        found.append(words(child))
    if isinstance(component, Component):
        found.append(words(getattr(component, "children", None) or ""))
    return " ".join(str(part) for part in found)


def test_a_healthy_installation_has_no_findings() -> None:
    assert codes(WELL) == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (changed(programs={"engine": 1, "scheduler": 1}), "ingest_absent"),
        (changed(programs={"ingest": 1, "engine": 0, "scheduler": 1}), "engine_absent"),
        (
            changed(programs={"ingest": 1, "engine": 1, "scheduler": 1, "notify": 0}),
            "notify_absent",
        ),
        (changed(feeds=[]), "never_received"),
        (changed(imbalances=[Imbalance("ttn", START, "messages", 2, 1)]), "imbalance"),
        (
            changed(workers=build_workers([worker("a", 1), worker("b", 31)], NOW)),
            "worker_gone",
        ),
        (
            changed(evaluation=EvaluationItem(
                batches_waiting=3, oldest_waiting_s=31.0, alarm_changes_waiting=0)),
            "evaluation_behind",
        ),
        (changed(disk=DiskItem(total=10**12, free=10**9)), "disk_low"),
        (changed(gateways=GatewaysItem(heard=3, silent=1, explained=12)), "gateway_silent"),
        (feeds(rejected=40, stored=560), "many_refused"),
        (feeds(store_lag_avg_s=6.0), "store_slow"),
        (changed(books=BooksItem(missing=[loss()])), "messages_missing"),
        (changed(books=BooksItem(drops=[DROP])), "broker_dropped"),
        (changed(books=BooksItem(outages=[loss(received=3)])), "frames_missing"),
    ],
)  # fmt: skip
def test_each_fault_is_found_alone(answer: OperationsAnswer, code: str) -> None:
    assert codes(answer) == [code]


@pytest.mark.parametrize("code", sorted(set(stages.OLD) - set(SAID_ELSEWHERE)))
def test_a_stage_that_stands_still_has_a_line_with_what_to_do(code: str) -> None:
    for since in (NOW - timedelta(seconds=75), None):
        (finding,) = stage_problems([Fault(code, since)])
        for lang in ("zh", "en"):
            shown = words(render_finding(texts(lang), finding))
            assert "{" not in shown
            assert "None" not in shown


def test_one_fact_is_one_line() -> None:
    dead = changed(
        programs={"scheduler": 1},
        evaluation=EvaluationItem(
            batches_waiting=3, oldest_waiting_s=31.0, alarm_changes_waiting=0
        ),
    )
    assert codes(dead) == ["ingest_absent", "engine_absent", "evaluation_behind"]
    faults = [Fault(stages.INGEST_ABSENT, NOW), Fault(stages.NOT_JUDGED, NOW)]
    assert [f.code for f in stage_problems(faults)] == ["ingest_absent", "not_judged"]
    assert unsaid(find_problems(dead), faults) == []


def test_a_few_refusals_and_one_idle_installation_are_no_fault() -> None:
    assert codes(feeds(rejected=19, stored=30, received=49)) == []
    assert codes(feeds(rejected=20, received=10_000)) == []
    idle = [replace(worker("a", 2), last_at=None, received=0)]
    assert codes(changed(workers=build_workers(idle, NOW))) == []


def test_when_nothing_arrives_at_all_that_is_said_before_the_feeds() -> None:
    assert codes(feeds(newest_at=NOW - timedelta(minutes=20)))[0] == "nothing_received"


@pytest.mark.parametrize(
    ("age_s", "gap_s", "silent"),
    [
        (599, 60.0, False),
        (601, 60.0, True),
        (7000, 1800.0, False),  # a feed that speaks every half hour
        (9001, 1800.0, True),
        (86_000, None, False),  # too seldom to know
        (90_000, None, True),
    ],
)
def test_a_feed_is_silent_when_it_is_quiet_for_much_longer_than_usual(
    age_s: float, gap_s: float | None, silent: bool
) -> None:
    assert is_silent("ttn", age_s, gap_s) is silent
    assert is_silent(UNKNOWN_FEED, age_s, gap_s) is False


def test_the_usual_gap_is_unknown_for_a_feed_that_hardly_spoke() -> None:
    assert usual_gap_s(replace(FEED, active_minutes=2)) is None
    assert usual_gap_s(replace(FEED, first_minute=None)) is None
    assert usual_gap_s(replace(FEED, active_minutes=49)) == pytest.approx(1800, rel=0.01)


def test_a_feed_that_was_taken_out_of_use_is_listed_and_not_complained_of() -> None:
    old = feeds(newest_at=NOW - timedelta(days=30), first_minute=None, active_minutes=0)
    assert "feed_silent" not in codes(old)
    assert old.feeds[0].silent


def test_a_minute_stands_at_its_place_in_the_hour() -> None:
    def line(minutes: int) -> LedgerLine:
        minute = NOW.replace(second=0) - timedelta(minutes=minutes)
        return LedgerLine("chirpstack", minute, 9, 5, 3, 1, 0, 5, 0, None, None, None, None)

    (feed,) = build_feeds([FEED], [line(0), line(59), line(60)], [], START, NOW)
    assert feed.minutes[-1] == feed.minutes[0] == [5, 3, 1]
    assert sum(map(sum, feed.minutes)) == 18


def test_feeds_that_speak_stand_before_silent_ones_and_an_imbalance_marks_its_feed() -> None:
    silent = replace(FEED, feed="a", newest_at=NOW - timedelta(hours=5))
    wrong = [Imbalance("chirpstack", START, "messages", 2, 1)]
    first, last = build_feeds([silent, FEED], [], wrong, START, NOW)
    assert (first.feed, first.balanced, last.feed, last.balanced) == (
        "chirpstack",
        False,
        "a",
        True,
    )


def test_every_finding_has_words_and_says_what_to_do() -> None:
    known = {key.split(".", 1)[1] for key in read_catalogue() if key.startswith("finding.")}
    plain = {key for key in known if not key.endswith("_do")}
    assert {f"{key}_do" for key in plain} == known - plain
    everything = [
        changed(programs={}),
        changed(feeds=[]),
        feeds(newest_at=NOW - timedelta(hours=2)),
        changed(imbalances=[Imbalance("ttn", START, "messages", 2, 1)]),
        changed(disk=DiskItem(total=1, free=1)),
        changed(books=BooksItem(missing=[loss()] * 9, outages=[loss()] * 9, drops=[DROP] * 9)),
    ]
    assert {code for answer in everything for code in codes(answer)} <= plain


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_says_that_all_is_well_and_shows_a_dash_for_what_was_not_measured(
    lang: str,
) -> None:
    view = View(Caller("a", Role.ADMIN, "460107"), texts(lang), DARK)
    text = words(render_body(view, WELL))
    assert view.t("operations.all_well") in text
    assert " – " in text
    assert lag_text(view.t, 0.05) in text


def test_an_imbalance_is_listed_with_feed_and_minute() -> None:
    view = View(Caller("a", Role.ADMIN, "460107"), EN, DARK)
    wrong = [Imbalance("ttn", START, "messages", 12, 11)]
    now = changed(imbalances=wrong)
    now.findings = list(find_problems(now))
    text = words(render_body(view, now))
    assert "11-24 10:13 ttn messages: 12 received, 11 accounted for" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.0123, "12 ms"), (1.234, "1.23 s"), (12.3, "12 s"), (7500.0, "2 h 5 min")],
)
def test_lags_are_read_in_the_unit_that_fits(seconds: float | None, text: str) -> None:
    assert lag_text(EN, seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (65_500, "65.5 kB"), (2.5e9, "2.5 GB")]
)
def test_sizes_are_read_in_the_unit_that_fits(size: float, text: str) -> None:
    assert size_text(size) == text


def test_a_small_chart_shows_every_part_however_small() -> None:
    picture = unquote(stacked_bars([(1000, 0, 1), (0, 0, 0)], ["#a", "#b", "#c"], "#d"))
    assert 'fill="#a"' in picture
    assert 'fill="#c"' in picture
    assert 'fill="#b"' not in picture
    assert "M4 " not in picture
    assert hour_bars([0] * 24, PALETTES[DARK]).startswith("data:image/svg+xml,")


def test_a_worker_that_is_gone_shows_since_when_and_what_to_do() -> None:
    gone = worker("w-2", 600)
    text = words(render_rest(EN, changed(workers=build_workers([worker("w-1", 1), gone], NOW))))
    assert "w-1 stored 1 min ago · 40 messages in an hour" in text
    assert "No sign of life since 11-24 11:02:30." in text
    assert EN("operations.worker_gone_do") in text
