"""What only time brings about: delays, silence, dark lamps, open ends. One transaction a tick."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from alerts.applying import withdraw_orphans
from alerts.book import SYSTEM, AlarmBook, condition_of, place_of
from alerts.course import run_out
from alerts.evaluate import load_book
from alerts.gateway_ticks import Explained, look_at_gateways, save_inhibitions
from alerts.judge import Start
from alerts.known import load_rules
from alerts.lamps import (
    CABINET,
    LampAlarm,
    LampClear,
    Seen,
    cabinet_condition,
    judge_cabinet,
    judge_lamps,
    see_lamp,
)
from alerts.levels import ACTIVE
from alerts.lifecycle import Input
from alerts.returns import judge_returned
from alerts.rules import Rule, Watch
from alerts.save import save, timer_from
from alerts.screen import applies_to
from alerts.silence import feed_place, inhibit, judge_feed, judge_silence
from city.device import WatchedDevice
from city.event import NewEvent
from city.place import LonLat
from city.sun import is_dark
from db import alarms, evaluation, gateways, rule_timers, video_reviews
from db.evaluation import ListeningSince
from db.events import append_events
from db.pool import Connection

# Silence and dark lamps read the latest values of all devices; minutes matter there, not
# seconds, so this part runs less often than the ticks.
SLOW_EVERY = timedelta(seconds=5)
# No tick for this long: the installation was off, and silence meanwhile means nothing.
GAP = timedelta(seconds=60)
# Delays run out in spite of readings that wait, should evaluation stand still for so long.
WAIT_FOR_READINGS = timedelta(minutes=5)
# The sun sets this much later at one edge of a large city than in its middle, at most.
ACROSS_THE_CITY = timedelta(minutes=5)

Rules = Mapping[str, Rule]


def tick(conn: Connection, now: datetime) -> int:
    """Everything that is due at `now`; answers how many alarms changed. The caller commits."""
    alarms.lock_alarms(conn)
    rules = load_rules(conn, now)
    book = AlarmBook(now)
    run_out_timers(conn, book, rules, now)
    judge_returned(conn, book, rules, now)
    run_out_shelving(conn, book, now)
    events = end_video_events(conn, book, now)
    listening = evaluation.take_turn(conn, now, SLOW_EVERY, GAP)
    if listening is not None:
        withdraw_orphans(conn, book, rules, now)
        events += look_for_silence(conn, book, rules, listening, now)
        for rule in _watching(rules, Watch.LAMP):
            look_at_lamps(conn, book, rule, now)
    append_events(conn, [*events, *save(conn, book)])
    return book.changes()


def run_out_timers(conn: Connection, book: AlarmBook, rules: Rules, now: datetime) -> None:
    """On-delays and off-delays of reading rules that have run out.

    While readings wait to be judged the clock of delays stands at the oldest of them: one of them
    may end the delay.
    """
    waiting = evaluation.find_oldest_waiting(conn)
    if waiting is not None:
        now = min(now, max(waiting, now - WAIT_FOR_READINGS))
    reading = _watching(rules, Watch.READING)
    devices = rule_timers.list_due_devices(
        conn,
        now,
        on=[rule.code for rule in reading],
        off=[rule.code for rule in reading if not rule.clear_needs_reading],
    )
    if not devices:
        return
    load_book(conn, book, devices, [rule.code for rule in reading])
    for device in evaluation.list_watched_devices(conn, devices):
        for rule in reading:
            if not (device.is_watched(now) and applies_to(rule, device)):
                drop_due(book, rule, device, now)
        for _ in run_out(book, reading, device, now, device_clock=False):
            pass


def drop_due(book: AlarmBook, rule: Rule, device: WatchedDevice, now: datetime) -> None:
    """Delays that have run out for a device that a rule is not, or not now, about."""
    for severity, timer in list(book.standing(rule, device).timers.items()):
        if timer.due_at <= now:
            book.stop_timer(rule.code, device, severity)


def run_out_shelving(conn: Connection, book: AlarmBook, now: datetime) -> None:
    """Shelving is always for a time; after it the alarm speaks again."""
    for alarm in alarms.list_live_alarms(conn, shelved_until=now):
        book.add([alarm])
        book.act(alarm.condition, Input.UNSHELVE, SYSTEM, {"why": "time"}, shelved_until=None)


def end_video_events(conn: Connection, book: AlarmBook, now: datetime) -> list[NewEvent]:
    """Video events without an end are ended by their time limit, and their alarms with them."""
    ended = video_reviews.end_overdue(conn, now)
    over = video_reviews.list_over(conn)
    if over:
        book.add(alarms.list_live_alarms(conn, conditions=[condition for _, condition in over]))
        for _, condition in over:
            book.clear(condition, now)
    return [
        NewEvent(
            at=now,
            district=event.district,
            kind="video.ended",
            subject=f"video:{event.camera}/{event.event_id}",
            actor=SYSTEM,
            payload={"camera": event.camera, "event_id": event.event_id, "why": "time_limit"},
        )
        for event in ended
    ]


def look_for_silence(
    conn: Connection, book: AlarmBook, rules: Rules, listening: ListeningSince, now: datetime
) -> list[NewEvent]:
    """One alarm when nothing arrives at all; otherwise one for each gateway and each device that
    is silent, unless a gateway's silence explains it. Answers what to log of the latter."""
    feeds = _watching(rules, Watch.FEED)
    silent = [look_at_feed(conn, book, rule, listening, now) for rule in feeds]
    if any(silent):
        # Nobody can be blamed before everybody had the time to report again.
        evaluation.save_listening(conn, ListeningSince(listening.feed, now), now)
        return []
    explained = look_at_gateways(conn, book, rules, listening.devices, now)
    for rule in _watching(rules, Watch.SILENCE):
        look_at_devices(conn, book, rule, listening, explained, now)
    return save_inhibitions(conn, explained, now)


def look_at_feed(
    conn: Connection, book: AlarmBook, rule: Rule, listening: ListeningSince, now: datetime
) -> bool:
    """Whether the whole feed is silent."""
    book.add(alarms.list_live_alarms(conn, rule_codes=[rule.code]))
    found = judge_feed(rule, evaluation.find_last_receipt(conn), listening.feed, now)
    if found is None:
        for alarm in book.live_of(rule.code):
            book.clear(alarm.condition, now, rule.code)
        return False
    centre = evaluation.find_centre(conn)
    if centre is not None:
        book.raise_alarm(rule, feed_place(centre), found)
    return True


def look_at_devices(
    conn: Connection,
    book: AlarmBook,
    rule: Rule,
    listening: ListeningSince,
    explained: Explained,
    now: datetime,
) -> None:
    """Raise for devices that fell silent, clear for those that speak again or are put away."""
    found = evaluation.list_silent_devices(
        conn, sorted(rule.kinds), rule.intervals, since=listening.devices, now=now
    )
    silent = {device.id: device.last_at for device in found}
    book.add(alarms.list_live_alarms(conn, rule_codes=[rule.code]))
    live = {a.device_id: a for a in book.live_of(rule.code) if a.state in ACTIVE}
    concerned = sorted(silent.keys() | {i for i in live if i is not None})
    if not concerned:
        return
    alone = [i for i in silent.keys() - live.keys() if explained.blame(i) is None]
    opened = _list_opened(conn, explained, alone, now)
    last_at = evaluation.list_last_receipts(conn, [i for i in live if i is not None])
    for device in evaluation.list_watched_devices(conn, concerned):
        watched = device.is_watched(now)
        limit = timedelta(seconds=rule.intervals * device.report_interval_s)
        cause = explained.blame(device.id)
        if device.id in silent and watched and cause is not None:
            why = inhibit(rule, device, silent[device.id], now, cause.condition)
            explained.wanted[why.condition] = why
        elif device.id in live:
            # Right after a standstill nobody counts as silent, but this one has not spoken either.
            spoke = device.id not in last_at or now - last_at[device.id] <= limit
            if spoke or not watched:
                book.clear(condition_of(rule, device.code), now, rule.code)
        elif watched and now - opened.get(device.id, silent[device.id]) > limit:
            outcome = judge_silence(rule, device, silent[device.id], now)
            book.raise_alarm(rule, place_of(device, rule), outcome)


def _list_opened(
    conn: Connection, explained: Explained, device_ids: Collection[int], now: datetime
) -> dict[int, datetime]:
    """Since when devices have a way again that was silent: their time counts from then."""
    if not device_ids:
        return {}
    paths = gateways.list_paths(conn, now, device_ids=sorted(device_ids))
    found = {path.device_id: explained.paths.back_at(path) for path in paths}
    return {device_id: back_at for device_id, back_at in found.items() if back_at is not None}


def look_at_lamps(conn: Connection, book: AlarmBook, rule: Rule, now: datetime) -> None:
    """Lamps that should be lit and are not, singly or as a cabinet."""
    assert rule.lamp is not None
    timers = {
        row.device_id: timer_from(row) for row in rule_timers.list_timers_of_rule(conn, rule.code)
    }
    live = alarms.list_live_alarms(conn, rule_codes=[rule.code])
    watched = sorted(timers.keys() | {a.device_id for a in live if a.device_id is not None})
    centre = evaluation.find_centre(conn)
    slack = max(rule.lamp.grace - ACROSS_THE_CITY, timedelta(0))
    night = centre is not None and is_dark(now, LonLat(centre[1], centre[2]), slack)
    if not night and not watched:
        return
    book.add(live, timers.values())
    rows = evaluation.list_lamps(
        conn, sorted(rule.kinds), rule.lamp.power_share, dark=night, watched=watched
    )
    devices = {d.id: d for d in evaluation.list_watched_devices(conn, [r.device_id for r in rows])}
    lamps = [
        see_lamp(rule, devices[row.device_id], row, timers.get(row.device_id), now)
        for row in rows
        if devices[row.device_id].is_watched(now)
    ]
    _apply_lamps(book, rule, lamps, now)


def _apply_lamps(book: AlarmBook, rule: Rule, lamps: list[Seen], now: datetime) -> None:
    active = {a.condition: a.raised_at for a in book.live_of(rule.code) if a.state in ACTIVE}
    for outcome in list(judge_lamps(rule, lamps, active, now)):
        if isinstance(outcome, LampAlarm):
            book.raise_alarm(rule, outcome.place, outcome.outcome, condition=outcome.condition)
        elif isinstance(outcome, LampClear):
            book.clear(outcome.condition, now)
        else:
            device, change = outcome
            if isinstance(change, Start):
                book.start_timer(change.timer, device.code)
            else:
                book.stop_timer(rule.code, device, change.severity)
    dark = book.timers_of(rule.code)
    for condition in active:
        if condition.startswith(f"{CABINET}/"):
            left = sum(
                cabinet_condition(s.cabinet) == condition and s.device.id in dark for s in lamps
            )
            for clear in judge_cabinet(rule, condition, left):
                book.clear(clear.condition, now)


def _watching(rules: Rules, watch: Watch) -> list[Rule]:
    return [rule for rule in rules.values() if rule.watch is watch]
