"""Rosters of a city: who stands in them, what overlaps, and days without anybody for gas. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from city.roster import DAY, Duty, of_day
from founding.folder import PEOPLE, ROSTER, SQUADS
from founding.parts import Entry, Fault, Person, RosterRow, SquadPart

GAS_SKILL = "gas"
# So many days without anybody are named; the rest is counted.
NAMED_MAX = 10
# Any week: its Monday.
SOME_MONDAY = date(2024, 1, 1)
WEEK = 7
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_DAYS = 3_660


def judge_rosters(
    entries: Sequence[Entry[RosterRow]],
    squads: Mapping[str, SquadPart],
    people: Mapping[str, Person],
    faults: list[Fault],
) -> dict[str, tuple[Duty, ...]]:
    """The duties by squad, in the order of days and hours."""
    before = len(faults)
    found: dict[str, list[Entry[RosterRow]]] = {}
    for entry in entries:
        faults += _strangers(entry, squads, people)
        found.setdefault(entry.value.squad, []).append(entry)
    for mine in found.values():
        faults += _overlaps(mine)
    rosters = {code: _in_order(mine) for code, mine in sorted(found.items())}
    if len(faults) == before:
        faults += gas_gaps(rosters, squads)
    return rosters


def entry_name(squad: str, day: str, start: str) -> str:
    """How the page of settings names a row."""
    return f"{squad} {day} {start}"


def _in_order(entries: Sequence[Entry[RosterRow]]) -> tuple[Duty, ...]:
    return tuple(sorted((e.value.duty for e in entries), key=lambda d: (d.day, d.start)))


def _strangers(
    entry: Entry[RosterRow], squads: Mapping[str, SquadPart], people: Mapping[str, Person]
) -> Iterator[Fault]:
    row = entry.value
    if row.squad not in squads:
        yield Fault(ROSTER, entry.row, "squad", row.squad, f"is no squad of {SQUADS}")
        return
    person = people.get(row.duty.person)
    if person is None:
        yield Fault(ROSTER, entry.row, "person", row.duty.person, f"is nobody of {PEOPLE}")
    elif person.squad != row.squad:
        there = f"belongs to squad {person.squad}" if person.squad else "belongs to no squad"
        problem = f"{there} in {PEOPLE}, not to {row.squad}"
        yield Fault(ROSTER, entry.row, "person", row.duty.person, problem)


def _overlaps(entries: Sequence[Entry[RosterRow]]) -> Iterator[Fault]:
    """Two of one squad at one time, among its dates and among its weeks: a date goes before."""
    for weekly in (True, False):
        spans = [
            (begin, end, entry)
            for entry in entries
            if entry.value.duty.is_weekly is weekly and entry.value.duty.day
            for begin, end in _spans(entry.value.duty)
        ]
        spans.sort(key=lambda span: span[:2])
        latest: tuple[datetime, Entry[RosterRow]] | None = None
        told: set[int] = set()
        for begin, end, entry in spans:
            if latest and begin < latest[0] and entry.row != latest[1].row:
                first, second = sorted((latest[1], entry), key=lambda e: e.row)
                if second.row not in told:
                    told.add(second.row)
                    problem = f"overlaps row {first.row} of the same squad"
                    value = f"{second.value.duty.start:%H:%M}"
                    yield Fault(ROSTER, second.row, "from", value, problem)
            if latest is None or end > latest[0]:
                latest = (end, entry)


def _spans(duty: Duty) -> Iterator[tuple[datetime, datetime]]:
    """When it begins and ends; of a weekly one in two weeks, so that Sunday night meets Monday."""
    if duty.is_weekly:
        days = [SOME_MONDAY + n * DAY for n in range(2 * WEEK)]
        days = [day for day in days if duty.is_on(day)]
    else:
        days = [date.fromisoformat(duty.day)]
    for day in days:
        last = day + DAY if duty.end <= duty.start else day
        yield datetime.combine(day, duty.start), datetime.combine(last, duty.end)


def gas_gaps(
    rosters: Mapping[str, Sequence[Duty]], squads: Mapping[str, SquadPart]
) -> Iterator[Fault]:
    """Days on which nobody of any squad for gas begins a duty, from the first to the last date of
    their rosters; where these name no dates, days of the week. One squad may have its days off."""
    gas = [squad for squad in squads.values() if GAS_SKILL in squad.skills]
    duties = [duty for squad in gas for duty in rosters.get(squad.code, ())]
    if not duties:
        return
    days = _covered(duties)
    empty = [day for day in days if not any(_is_there(squad, rosters, day) for squad in gas)]
    weekly = all(duty.is_weekly for duty in duties)
    for day in empty[:NAMED_MAX]:
        name = WEEKDAYS[day.weekday()]
        value = name if weekly else day.isoformat()
        problem = f"has nobody of a squad with the skill {GAS_SKILL} on duty ({name})"
        yield Fault(ROSTER, None, "day", value, problem)
    if len(empty) > NAMED_MAX:
        problem = f"{len(empty) - NAMED_MAX} more days have nobody for {GAS_SKILL}"
        yield Fault(ROSTER, None, "day", "", problem)


def _covered(duties: Sequence[Duty]) -> list[date]:
    dates = sorted(date.fromisoformat(duty.day) for duty in duties if not duty.is_weekly)
    if not dates:
        return [SOME_MONDAY + n * DAY for n in range(WEEK)]
    length = min((dates[-1] - dates[0]) // DAY + 1, LONGEST_DAYS)
    return [dates[0] + n * DAY for n in range(length)]


def _is_there(squad: SquadPart, rosters: Mapping[str, Sequence[Duty]], day: date) -> bool:
    if squad.code in rosters:
        return bool(of_day(rosters[squad.code], day))
    return any(day.isoweekday() in shift.weekdays for shift in squad.shifts)
