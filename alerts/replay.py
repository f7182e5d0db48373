"""Readings of the past once more, in the order of time: the alarms that they come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from alerts.book import SYSTEM, AlarmBook, condition_of
from alerts.course import judge_sample, run_out
from alerts.judge import Sample
from alerts.lifecycle import Input
from alerts.limits import ReadingRule
from city.alarm import AlarmState
from city.device import WatchedDevice


def replay_together(
    rules: Sequence[ReadingRule],
    device: WatchedDevice,
    samples: Iterable[tuple[ReadingRule, Sample]],
    to: datetime,
) -> AlarmBook:
    """The alarms of rules that share a condition, one after the other. Whoever is told acts at
    once: an alarm that clears is over, and the next one is another."""
    book = AlarmBook(to, latches=False)
    for rule, sample in samples:
        judge_sample(book, rule, device, sample, [other for other in rules if other is not rule])
        _acknowledge(book, rule, device)
    for rule, _ in run_out(book, rules, device, to):
        _acknowledge(book, rule, device)
    return book


def _acknowledge(book: AlarmBook, rule: ReadingRule, device: WatchedDevice) -> None:
    alarm = book.find(condition_of(rule, device.code))
    if alarm is not None and alarm.state is not AlarmState.ACKNOWLEDGED:
        book.act(alarm.condition, Input.ACKNOWLEDGE, SYSTEM)
