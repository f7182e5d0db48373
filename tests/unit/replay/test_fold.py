"""The picture: what belongs to it, what goes with what, and what is forgotten."""

from __future__ import annotations

from datetime import timedelta

from replay import shown
from replay.checkpoint import (
    EVENTS_BETWEEN,
    LONGEST,
    NEWEST_KEPT,
    SHORTEST,
    Made,
    decode,
    encode,
    is_due,
    too_many,
)
from replay.picture import Picture, fold, fold_all
from tests.unit.replay.log import ALARM, AT, DEVICE, DISTRICT, INCIDENT, SQUAD, event, row

START = Picture(DISTRICT)


def opened(incident_id: int, **more: object) -> dict[str, object]:
    return row("incident", {"id": incident_id}, {**INCIDENT, **more})


def clock(incident_id: int, clock_id: int, minutes: int, **more: object) -> dict[str, object]:
    due = AT + timedelta(minutes=minutes)
    content = {
        "clock": f"c{clock_id}",
        "due_at": due.isoformat(),
        "warn_at": due.isoformat(),
        "paused_at": None,
        "met_at": None,
        "stopped_at": None,
        **more,
    }
    return row("deadline", {"incident_id": incident_id, "id": clock_id}, content)


def test_an_event_makes_another_picture_and_leaves_the_one_before_it_alone() -> None:
    before = fold(START, event(1, "x", "x:1", opened(1), clock(1, 1, 5)))
    after = fold(before, event(2, "x", "x:1", clock(1, 1, 9), opened(2)))
    assert (before.seq, sorted(before.cases)) == (1, [1])
    assert (
        shown.first_clock(before.cases[1])["due_at"] < shown.first_clock(after.cases[1])["due_at"]
    )
    assert Picture(DISTRICT) == START
    assert fold(before, event(3, "x", "x:1")).cases is before.cases


def test_a_case_that_is_over_takes_its_parts_with_it_and_counts_for_its_day() -> None:
    over = opened(1, state="closed", closed_at=AT.isoformat())
    met = clock(1, 1, 5, met_at=AT.isoformat())
    before = event(1, "x", "x:1", opened(1), clock(1, 1, 5))
    found = fold_all(START, [before, event(2, "x", "x:1", over, met)])
    assert (found.cases, list(found.past)) == ({}, [1])
    head = shown.headline(found, AT - timedelta(hours=1), AT)
    assert (head.open, head.opened_today, head.closed_today) == (0, 1, 1)
    late = event(3, "x", "x:1", opened(2, state="rejected"), at=AT + timedelta(days=4))
    assert list(fold(found, late).past) == []


def test_the_clock_that_runs_out_first_is_shown_and_no_other() -> None:
    stopped = clock(1, 1, 1, stopped_at=AT.isoformat())
    found = fold(START, event(1, "x", "x:1", opened(1), stopped, clock(1, 2, 9), clock(1, 3, 5)))
    (incident,) = shown.incidents(found)
    assert incident.clock == "c3"


def test_another_districts_rows_are_nobodys() -> None:
    alarm = row("alarm", {"id": 1}, {**ALARM, "district": "990101"})
    link = row("incident_alarm", {"alarm_id": 1}, {"incident_id": 1})
    theirs = opened(1, district="990101")
    found = fold(START, event(1, "x", "x:1", theirs, clock(1, 1, 5), alarm, link))
    assert (found.cases, found.alarms, found.links) == ({}, {}, {})
    moved = event(2, "x", "x:1", opened(2), opened(2, district="990101"))
    assert fold(found, moved).cases == {}


def test_an_alarm_that_ends_takes_its_link_with_it() -> None:
    live = event(
        1,
        "x",
        "x:1",
        opened(7),
        row("alarm", {"id": 1}, ALARM),
        row("incident_alarm", {"alarm_id": 1}, {"incident_id": 7}),
    )
    found = fold(START, live)
    assert [alarm.incident_id for alarm in shown.alarms(found)] == [7]
    ended = fold(found, event(2, "x", "x:1", row("alarm", {"id": 1}, {**ALARM, "state": "normal"})))
    assert (ended.alarms, ended.links) == ({}, {})


def test_a_device_is_kept_as_far_as_it_is_looked_at() -> None:
    found = fold(START, event(1, "x", "x:1", row("device", {"id": 4}, DEVICE)))
    assert (found.devices[4].code, found.devices[4].report_interval_s) == ("GD-1", 60)
    gone = fold(found, event(2, "x", "x:1", row("device", {"id": 4}, None)))
    assert gone.devices == {}


def test_a_picture_is_the_same_after_it_was_written_down() -> None:
    rows = [
        opened(7),
        clock(7, 1, 5),
        opened(8, state="closed"),
        row("alarm", {"id": 1}, ALARM),
        row("device", {"id": 4}, DEVICE),
        row("squad", {"code": "A"}, SQUAD),
        row("incident_alarm", {"alarm_id": 1}, {"incident_id": 7}),
    ]
    found = fold(START, event(1, "x", "x:1", *rows))
    assert decode(encode(found)) == found


def test_a_checkpoint_is_made_when_it_saves_much_and_never_often() -> None:
    made = Made(100, AT)
    assert is_due(None, 1, AT)
    assert not is_due(None, 0, AT)
    assert not is_due(made, 100 + EVENTS_BETWEEN, AT + SHORTEST - timedelta(seconds=1))
    assert is_due(made, 100 + EVENTS_BETWEEN, AT + SHORTEST)
    assert not is_due(made, 100, AT + 2 * LONGEST)
    assert is_due(made, 101, AT + LONGEST)


def test_the_newest_checkpoints_stay_and_the_last_one_of_every_day() -> None:
    made = [Made(n, AT + timedelta(hours=3 * n)) for n in range(40)]
    gone = set(too_many(made))
    kept = [one for one in made if one.seq not in gone]
    assert [one.seq for one in kept[-NEWEST_KEPT:]] == list(range(32, 40))
    days = {one.made_at.date() for one in made}
    assert {one.made_at.date() for one in kept} == days
    older = [one for one in kept if one.seq < 32]
    assert len(older) == len({one.made_at.date() for one in older})


def test_a_call_for_help_is_there_until_somebody_has_taken_it_on() -> None:
    content = {
        "id": 1, "district": DISTRICT, "kind": "duress", "person": "chen", "squad": "SQ-01",
        "incident_id": None, "acted_at": AT.isoformat(), "raised_at": AT.isoformat(),
        "heard_at": None, "lon": 110.0, "lat": 20.0, "acknowledged_at": None,
    }  # fmt: skip
    raised = event(1, "squad.duress", "distress_call:1", row("distress_call", {"id": 1}, content))
    found = fold(START, raised)
    assert [(call.id, call.person, call.acted_at) for call in shown.calls(found)] == [
        (1, "chen", AT)
    ]
    taken = row("distress_call", {"id": 1}, {**content, "acknowledged_at": AT.isoformat()})
    assert shown.calls(fold(found, event(2, "x", "distress_call:1", taken))) == []
