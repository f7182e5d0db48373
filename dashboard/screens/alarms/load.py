"""What the alarm workbench reads: measures of a period, and devices out of service."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from city.errors import InvalidInput
from city.person import Caller
from dashboard.shell.parts import parts
from db import alarm_measures
from db.alarm_measures import BadActor, LongAlarm
from db.pool import transaction
from replay.floods import ENDS_BELOW, STARTS_ABOVE, AlarmLoad, alarm_load

# As long as data are kept in one answer; a year and a leap day.
LONGEST = timedelta(days=366)
# domain.md 7.1: ISA-18.2 and EEMUA 191, for one operator.
TARGETS: dict[str, float] = {
    "per_operator_hour": 6,
    "per_operator_hour_max": 12,
    "per_operator_10min": 1,
    "per_operator_10min_max": 2,
    "full_windows_pct": 1,
    "flood_pct": 1,
    "top_ten_pct": 5,
    "chattering": 0,
    "stale": 5,
    "standing": 10,
    "high_pct": 5,
    "medium_pct": 15,
}


class MeasuresAnswer(msgspec.Struct, kw_only=True):
    """The measures of alarm management over [from_, to). `by_severity` counts what was raised
    from red to blue; `operators` is who is signed in now, at least one. Before
    `operators_since` (None: ever) nobody was counted, and every hour has one."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    operators: int
    operators_since: datetime | None
    load: AlarmLoad
    raised: int
    by_severity: list[int]
    fleeting: int
    shelved: int
    standing: int
    stale: int
    stale_alarms: list[LongAlarm]
    top: list[BadActor]
    top_share: float
    chattering: list[BadActor]
    targets: dict[str, float]
    flood_starts_above: int
    flood_ends_below: int


def measures(caller: Caller, from_: datetime, to: datetime, now: datetime) -> MeasuresAnswer:
    """Of the caller's scope; a period that has not ended ends now."""
    end = min(to, now)
    if from_ >= end:
        raise InvalidInput("from", from_, "must be before now and before `to`")
    if end - from_ > LONGEST:
        raise InvalidInput("from", from_, f"must be within {LONGEST.days} days before `to`")
    with transaction(parts().pool) as conn:
        announced = alarm_measures.list_announced(conn, caller.scope, from_, end)
        operators = alarm_measures.operators_by_hour(conn, caller.district, from_, end, now)
        counts = alarm_measures.count_alarms(conn, caller.scope, from_, end)
        top, chattering = alarm_measures.list_bad_actors(conn, caller.scope, from_, end)
        stale = alarm_measures.list_stale(conn, caller.scope, end)
        since = alarm_measures.operators_counted_since(conn, caller.district)
        present = alarm_measures.count_operators(conn, caller.district, now)
    load = alarm_load([at for at, _ in announced], operators, from_, end)
    return MeasuresAnswer(
        from_=from_,
        to=end,
        operators=max(1, present),
        operators_since=since,
        load=load,
        raised=counts.raised,
        by_severity=counts.by_severity,
        fleeting=counts.fleeting,
        shelved=counts.shelved,
        standing=counts.standing,
        stale=counts.stale,
        stale_alarms=stale,
        top=top,
        top_share=sum(a.announced for a in top) / load.announced if load.announced else 0.0,
        chattering=chattering,
        targets=TARGETS,
        flood_starts_above=STARTS_ABOVE,
        flood_ends_below=ENDS_BELOW,
    )
