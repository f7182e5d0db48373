"""What the beats of the stages come to, and how the screens say it in both languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from city.stage import DEADLINES, TIMERS, Beat, Stage, Usual, Waiting
from dashboard.shell import stages
from dashboard.shell.i18n import CHINESE, ENGLISH, texts
from dashboard.shell.readiness import SENTENCES, check_stages
from dashboard.shell.stages import LATE_S, OLD, PARTS, QUIET_MIN_S, STILL_S, Fault, Look, judge

NOW = datetime(2026, 11, 28, 3, 12, 30, tzinfo=UTC)


def beat(stage: Stage, name: str = "one", **fields: Any) -> Beat:
    well: dict[str, Any] = {
        "age_s": 1.0,
        "connected": True,
        "connected_age_s": 1.0,
        "newest_age_s": None,
        "waiting_s": None,
    }
    return Beat(stage, name, **(well | fields))


BEATS = (
    beat(Stage.RECEIVED, newest_age_s=2.0),
    beat(Stage.COMMITTED),
    beat(Stage.JUDGED),
    beat(Stage.DISPATCHED),
    beat(Stage.TICKED, TIMERS),
    beat(Stage.TICKED, DEADLINES),
)
WELL = Look(BEATS, Waiting(0.2, None), usual=Usual(10, None))


def without(*missing: Stage) -> Look:
    return replace(WELL, beats=[b for b in BEATS if b.stage not in missing])


def with_beats(*instead: Beat) -> Look:
    """All well but for these stages."""
    found = without(*{b.stage for b in instead})
    return replace(found, beats=[*found.beats, *instead])


def codes(look: Look | None, age_s: float = 0.5) -> list[str]:
    return [fault.code for fault in judge(look, age_s, NOW)]


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_nothing_is_said_while_every_stage_goes_round() -> None:
    assert codes(WELL) == []


def test_a_restart_of_a_stage_is_no_news() -> None:
    assert codes(with_beats(beat(Stage.JUDGED, age_s=STILL_S - 1))) == []


@pytest.mark.parametrize(
    ("look", "code", "since"),
    [
        (with_beats(beat(Stage.RECEIVED, age_s=75)), stages.INGEST_ABSENT, ago(75.5)),
        (with_beats(beat(Stage.RECEIVED, connected=False, connected_age_s=20)),
         stages.BROKER_AWAY, ago(20.5)),
        (with_beats(beat(Stage.RECEIVED, newest_age_s=75)), stages.NOTHING_COMES, ago(75.5)),
        (with_beats(beat(Stage.COMMITTED, age_s=20)), stages.NOT_STORED, ago(20.5)),
        (with_beats(beat(Stage.RECEIVED, waiting_s=20)), stages.NOT_STORED, ago(20.5)),
        (with_beats(beat(Stage.JUDGED, age_s=20)), stages.NOT_JUDGED, ago(20.5)),
        (replace(WELL, waiting=Waiting(20, None)), stages.JUDGED_LATE, ago(20.5)),
        (with_beats(beat(Stage.DISPATCHED, age_s=20)), stages.NOT_DISPATCHED, ago(20.5)),
        (replace(WELL, waiting=Waiting(None, 20)), stages.DISPATCHED_LATE, ago(20.5)),
        (with_beats(beat(Stage.TICKED, TIMERS), beat(Stage.TICKED, DEADLINES, age_s=20)),
         stages.NOT_TICKED, ago(20.5)),
        (without(Stage.RECEIVED), stages.INGEST_ABSENT, None),
        (with_beats(beat(Stage.RECEIVED, connected=False, connected_age_s=None)),
         stages.BROKER_AWAY, None),
        (without(Stage.COMMITTED), stages.NOT_STORED, None),
        (without(Stage.JUDGED), stages.NOT_JUDGED, None),
        (without(Stage.DISPATCHED), stages.NOT_DISPATCHED, None),
        (without(Stage.TICKED), stages.NOT_TICKED, None),
        (with_beats(beat(Stage.TICKED, TIMERS)), stages.NOT_TICKED, None),
        (replace(WELL, refused_gas_s=75), stages.GAS_REFUSED, ago(75.5)),
    ],
)  # fmt: skip
def test_a_stage_that_stands_still_is_said_with_its_time(
    look: Look, code: str, since: datetime | None
) -> None:
    (fault,) = judge(look, 0.5, NOW)
    assert (fault.code, fault.since) == (code, since)


def test_a_database_that_does_not_answer_explains_everything() -> None:
    dead = replace(WELL, beats=())
    assert judge(dead, 20, NOW) == [Fault(stages.DATABASE_AWAY, ago(20))]
    assert judge(None, 1, NOW) == [Fault(stages.DATABASE_AWAY, None)]


def test_the_first_stage_that_stands_still_explains_those_behind_it() -> None:
    look = with_beats(
        beat(Stage.RECEIVED, age_s=90, newest_age_s=90, waiting_s=90),
        beat(Stage.COMMITTED, age_s=90),
        beat(Stage.JUDGED, age_s=40),
        beat(Stage.DISPATCHED, age_s=40),
    )
    assert codes(look) == [stages.INGEST_ABSENT, stages.NOT_JUDGED]


def test_of_several_processes_the_best_one_counts() -> None:
    look = with_beats(
        beat(Stage.RECEIVED, "gone", age_s=9000, newest_age_s=9000),
        beat(Stage.RECEIVED, "cut off", connected=False, connected_age_s=60),
        beat(Stage.RECEIVED, "well", newest_age_s=1),
        beat(Stage.COMMITTED, "gone", age_s=9000),
        beat(Stage.COMMITTED, "well"),
    )
    assert codes(look) == []


def test_what_a_dead_inbox_held_does_not_hold_up_the_living() -> None:
    look = with_beats(
        beat(Stage.RECEIVED, "gone", age_s=9000, waiting_s=9000), beat(Stage.RECEIVED, "well")
    )
    assert codes(look) == []


@pytest.mark.parametrize(
    ("usual", "quiet_s", "said"),
    [
        (Usual(10, None), QUIET_MIN_S - 1, False),
        (Usual(10, None), QUIET_MIN_S + 1, True),
        (Usual(300, None), 500, False),  # two of its devices report every five minutes
        (Usual(300, None), 700, True),
        (Usual(300, 200), 500, False),  # a quiet city pauses for minutes
        (Usual(300, 2), 30, True),  # thousands of slow devices pause for seconds
        (Usual(300, 3600), 700, True),  # an outage within the hour is no measure
        (Usual(None, None), 100_000, False),  # nobody knows how often anything comes here
    ],
)
def test_quiet_is_judged_by_what_is_usual(usual: Usual, quiet_s: float, said: bool) -> None:
    look = with_beats(beat(Stage.RECEIVED, newest_age_s=quiet_s))
    found = codes(replace(look, usual=usual))
    assert found == ([stages.NOTHING_COMES] if said else [])


def test_before_the_first_message_nobody_is_quiet() -> None:
    assert codes(with_beats(beat(Stage.RECEIVED, newest_age_s=None))) == []


def test_a_burst_that_is_being_judged_is_not_late() -> None:
    assert codes(replace(WELL, waiting=Waiting(LATE_S - 1, LATE_S - 1))) == []


def test_a_time_once_told_does_not_flicker() -> None:
    told = [Fault(stages.NOT_JUDGED, ago(20)), Fault(stages.INGEST_ABSENT, None)]
    found = [Fault(stages.NOT_JUDGED, ago(20.7)), Fault(stages.INGEST_ABSENT, ago(9))]
    assert stages.keep_times(told, found) == [told[0], found[1]]
    later = [Fault(stages.NOT_JUDGED, ago(9))]
    assert stages.keep_times(told, later) == later


def test_the_walls_follower_is_judged_as_well() -> None:
    assert stages.judge_picture(STILL_S - 1, NOW) == []
    assert stages.judge_picture(20, NOW) == [Fault(stages.PICTURE_STANDS, ago(20))]


@pytest.mark.parametrize("lang", [CHINESE, ENGLISH])
@pytest.mark.parametrize("code", sorted(OLD))
def test_every_fault_has_its_words(code: str, lang: str) -> None:
    entries = texts(lang).entries
    assert "{age}" in entries[f"fault.{code}"]
    assert entries[f"fault.{code}_why"]
    if code in MAY_NEVER_HAVE_BEGUN:
        assert "{" not in entries[f"fault.{code}_never"]
    assert code in PARTS
    assert code in SENTENCES


MAY_NEVER_HAVE_BEGUN = {
    fault.code
    for look in (
        None,
        without(Stage.RECEIVED),
        without(Stage.COMMITTED),
        without(Stage.JUDGED),
        without(Stage.DISPATCHED),
        without(Stage.TICKED),
        with_beats(beat(Stage.RECEIVED, connected=False, connected_age_s=None)),
    )
    for fault in judge(look, 0, NOW)
}


@pytest.mark.parametrize(
    ("lang", "code", "what"),
    [
        (ENGLISH, stages.INGEST_ABSENT, "No readings for 75 s"),
        (CHINESE, stages.INGEST_ABSENT, "已 75 秒没有读数"),
        (ENGLISH, stages.NOT_JUDGED, "Alarms have not been judged for 75 s"),
        (CHINESE, stages.NOT_JUDGED, "已 75 秒没有判断报警"),
    ],
)
def test_a_screen_says_what_does_not_arrive(lang: str, code: str, what: str) -> None:
    t = texts(lang)
    assert t(f"fault.{code}", age=t("time.seconds", n=75)) == what


def test_readiness_names_each_part_and_what_cannot_be_known() -> None:
    well = {check.part: check.ok for check in check_stages([])}
    assert well == dict.fromkeys(
        ["database", "broker", "ingest", "devices", "engine", "scheduler"], True
    )
    away = {check.part: check.ok for check in check_stages(judge(WELL, 20, NOW))}
    assert away == {**dict.fromkeys(well, None), "database": False}
    deaf = {c.part: c.ok for c in check_stages([Fault(stages.INGEST_ABSENT, None)])}
    assert deaf == well | {"broker": None, "ingest": False, "devices": None}
    (broker,) = [c for c in check_stages([Fault(stages.BROKER_AWAY, ago(20))]) if c.ok is False]
    assert broker.as_json(NOW) == {
        "part": "broker",
        "ok": False,
        "code": "broker_away",
        "since": ago(20),
        "age_s": 20.0,
        "text": "ingest does not reach the broker: no readings arrive"
        " since 2026-11-28 03:12:10 UTC",
    }
