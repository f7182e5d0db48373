"""Rosters (值班表): who of a squad is on duty on which day. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

DAY = timedelta(days=1)
# Entries of days further away say nothing of now.
NEAR = timedelta(days=2)
# Who had less between two duties is warned of: 11 h is the daily rest of directive 2003/88/EC,
# article 3; the Labour Law of China names none.
REST = timedelta(hours=11)
WEEKDAYS = re.compile(r"[1-7](?:,[1-7])*")


@dataclass(frozen=True, slots=True)
class Duty:
    """One person's duty on `day`, a date as ISO text or days of the week like "1,2,3" with 1 for
    Monday; end <= start runs past midnight. `called` is what people call them."""

    day: str
    start: time
    end: time
    person: str
    phone: str = ""
    called: str = ""

    @property
    def is_weekly(self) -> bool:
        return WEEKDAYS.fullmatch(self.day) is not None

    def is_on(self, day: date) -> bool:
        """Whether it begins on this day; of a day with a date of its own `of_day` decides."""
        if self.is_weekly:
            return str(day.isoweekday()) in self.day.split(",")
        return self.day == day.isoformat()


def days_text(day: str) -> str:
    """The day of a duty as people write it: three days of the week in a row are a span."""
    if not WEEKDAYS.fullmatch(day):
        return day
    spans: list[list[int]] = []
    for number in map(int, day.split(",")):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ",".join(f"{s[0]}-{s[-1]}" if len(s) > 2 else ",".join(map(str, s)) for s in spans)


def of_day(roster: Iterable[Duty], day: date) -> list[Duty]:
    """The duties that begin on a day: those of its date, else those of its weekday."""
    mine = [duty for duty in roster if duty.is_on(day)]
    return [duty for duty in mine if not duty.is_weekly] or mine


def duty_at(roster: Sequence[Duty], local: datetime) -> Duty | None:
    """Who is on duty at a local wall-clock time. A day without an entry has nobody."""
    today, clock = local.date(), local.time()
    for duty in of_day(roster, today):
        if duty.start <= clock and (clock < duty.end or duty.end <= duty.start):
            return duty
    for duty in of_day(roster, today - DAY):
        if duty.end <= duty.start and clock < duty.end:
            return duty
    return None


def running_at(roster: Sequence[Duty], local: datetime) -> tuple[datetime, datetime, Duty] | None:
    """The duty that runs at a local wall-clock time, with its begin and end as such times."""
    duty, wall = duty_at(roster, local), local.replace(tzinfo=None)
    spans = spans_around(roster, local.date(), 1)
    running = [span for span in spans if span[2] == duty and span[0] <= wall < span[1]]
    return running[-1] if running else None


def rest_before(roster: Sequence[Duty], local: datetime) -> timedelta | None:
    """For how long whoever is on duty at a local wall-clock time was off before this duty, by the
    days before it in this roster; None: nobody is on duty, or no duty of theirs is near."""
    running = running_at(roster, local)
    if running is None:
        return None
    began, _, duty = running
    ended = [
        end
        for begin, end, one in spans_around(roster, local.date())
        if one.person == duty.person and begin < began
    ]
    return None if not ended else max(timedelta(0), began - max(ended))


def spans_around(
    roster: Sequence[Duty], day: date, days: int = 3
) -> list[tuple[datetime, datetime, Duty]]:
    """The duties that begin on a day or on the few before it, as wall-clock times from and to."""
    found = []
    for back in range(days, -1, -1):
        begins = day - back * DAY
        for duty in of_day(roster, begins):
            start = datetime.combine(begins, duty.start)
            ends_on = begins + DAY if duty.end <= duty.start else begins
            found.append((start, datetime.combine(ends_on, duty.end), duty))
    return found


def days_around(now: datetime) -> tuple[str, str]:
    """The first and the last date of which an entry can say who is on duty now, wherever the
    district is."""
    return (now - NEAR).date().isoformat(), (now + NEAR).date().isoformat()
