"""Key figures of a day, week, month or quarter that has ended, to whoever asked for them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from city.delivery import REPORT, Channel, ChannelKind, DeliveryState, NewDelivery
from city.errors import Forbidden, InvalidInput
from city.event import NewEvent
from city.period import Period, last_ended
from city.person import DUTY_CHIEFS, Caller, system_caller
from city.scope import Scope
from db import contacts, deliveries, message_settings, places, report_plans, tallies
from db.contacts import Reachable
from db.events import append_events
from db.kpi import KpiRow
from db.pool import Connection, is_away
from db.report_plans import ReportPlan
from notify.messages import texts

log = logging.getLogger(__name__)

EVERY = ("day", "week", "month", "quarter")
# What ran out at the last moment has been said by then.
AFTER_END = timedelta(minutes=10)
# Who was away so long is not told of it any more.
LAST = timedelta(days=3)
SIGNED_IN = timedelta(days=30)
TOKEN_BYTES = 18
# Groups that a message names, those with most to do; the page has them all.
NAMED = 5
NAME_MAX = 80
NO_ADDRESS = "no_address"


def ended_period(every: str, now: datetime, zone: ZoneInfo) -> Period:
    """The last one of its kind that ended before now; weeks begin on Monday."""
    if every in ("month", "quarter"):
        month, quarter, _ = last_ended(now, zone)
        return month if every == "month" else quarter
    today = now.astimezone(zone).date()
    end = today if every == "day" else today - timedelta(days=today.weekday())
    first = end - timedelta(days=1 if every == "day" else 7)
    name = first.isoformat() if every == "day" else f"{first:%G-W%V}"
    return Period(name, _midnight(first, zone), _midnight(end, zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def plan_report(
    conn: Connection,
    caller: Caller,
    name: str,
    every: str,
    grouping: str,
    recipients: Sequence[str],
    now: datetime,
) -> ReportPlan:
    """From the next period that ends these people are sent its figures."""
    _check_may(caller)
    name = name.strip()
    if not name or len(name) > NAME_MAX:
        raise InvalidInput("name", name[:NAME_MAX], f"must have 1 to {NAME_MAX} characters")
    if every not in EVERY:
        raise InvalidInput("every", every, "must be one of " + ", ".join(EVERY))
    if grouping not in tallies.GROUPINGS:
        raise InvalidInput("by", grouping, "must be one of " + ", ".join(tallies.GROUPINGS))
    known = {p.name: p for p in contacts.list_reachable(conn, caller.district, now - SIGNED_IN)}
    for person in recipients:
        if person not in known:
            raise InvalidInput("to", person, "is nobody who may sign in to this district")
        if known[person].divisions:
            raise InvalidInput("to", person, "sees some streets only; figures are of all of them")
    if not recipients:
        raise InvalidInput("to", "", "must name somebody")
    zone = places.zone_of(conn, caller.district)
    plan = ReportPlan(
        caller.district, name, every, grouping, sorted(set(recipients)),
        ended_period(every, now, zone).end,
    )  # fmt: skip
    report_plans.save_plan(conn, plan)
    told = {"every": every, "by": grouping, "to": plan.recipients}
    append_events(conn, [_event(caller.district, "kpi.report_planned", name, caller, told, now)])
    return plan


def end_plan(conn: Connection, caller: Caller, name: str, now: datetime) -> None:
    """Nobody is sent it any more."""
    _check_may(caller)
    if not report_plans.delete_plan(conn, caller.district, name):
        raise InvalidInput("name", name, "is no report of this district")
    append_events(conn, [_event(caller.district, "kpi.report_ended", name, caller, {}, now)])


def _check_may(caller: Caller) -> None:
    if caller.role not in DUTY_CHIEFS or caller.within is not None:
        raise Forbidden(f"{caller.role.value} may not say who is sent figures of the district")


def send_reports(conn: Connection, now: datetime) -> int:
    """Queue what has become due; how many messages that is. One plan that fails holds up no
    other."""
    count = 0
    for plan in report_plans.list_plans(conn):
        try:
            with conn.transaction():
                count += _send(conn, plan, now)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("report %s of %s cannot be sent", plan.name, plan.district)
    return count


def _send(conn: Connection, plan: ReportPlan, now: datetime) -> int:
    period = ended_period(plan.every, now - AFTER_END, places.zone_of(conn, plan.district))
    if period.end <= plan.told_until or not report_plans.move_plan(conn, plan, period.end):
        return 0
    scope = Scope(plan.district)
    total = tallies.list_figures(conn, scope, period.start, period.end, "district")
    groups = tallies.list_figures(conn, scope, period.start, period.end, plan.grouping)
    channels = [c for c in message_settings.list_channels(conn, plan.district) if c.mode != "off"]
    people = {p.name: p for p in contacts.list_reachable(conn, plan.district, now - SIGNED_IN)}
    count = 0
    for name in plan.recipients:
        person = people.get(name)
        if person is None or person.divisions:  # gone, or bounded since
            continue
        title, body = word_report(plan, period, total, groups, person.lang)
        ways = _ways(conn, plan.district, person, channels)
        for channel, target in ways or [(None, "")]:
            new = _delivery(plan, person, channel, target, title, body, now)
            count += deliveries.insert_delivery(conn, new) is not None
    told = {"period": period.name, "to": plan.recipients, "messages": count}
    system = system_caller(plan.district)
    append_events(conn, [_event(plan.district, "kpi.reported", plan.name, system, told, now)])
    return count


def _ways(
    conn: Connection, district: str, person: Reachable, channels: Sequence[Channel]
) -> list[tuple[Channel | None, str]]:
    """By mail and to browsers; a report is no reason for a text message."""
    found: list[tuple[Channel | None, str]] = []
    for channel in channels:
        if channel.kind is ChannelKind.EMAIL and person.email:
            found.append((channel, person.email))
        elif channel.kind is ChannelKind.PUSH:
            targets = contacts.list_push_targets(conn, district, person.name)
            found += [(channel, str(target.id)) for target in targets]
    return found


def _delivery(
    plan: ReportPlan,
    person: Reachable,
    channel: Channel | None,
    target: str,
    title: str,
    body: str,
    now: datetime,
) -> NewDelivery:
    return NewDelivery(
        plan.district, None, None, REPORT, "", 0, person.name, channel.name if channel else "",
        channel.kind if channel else "", target, person.lang, title, body,
        secrets.token_urlsafe(TOKEN_BYTES), False, False, now, now if channel else None,
        now + LAST, DeliveryState.QUEUED if channel else DeliveryState.FAILED,
        "" if channel else NO_ADDRESS,
    )  # fmt: skip


def word_report(
    plan: ReportPlan, period: Period, total: Sequence[KpiRow], groups: Sequence[KpiRow], lang: str
) -> tuple[str, str]:
    """Title and body: the figures of the district, and of the groups with most to do."""
    known: Mapping[str, Any] = texts()[lang]["report"]
    title = known["title"].format(name=plan.name, period=period.name)
    if not total:
        return title, known["nothing"]
    whole = total[0]
    lines = [
        known["body"].format(
            opened=whole.opened,
            handling=share(whole.handled, whole.due_to_handle),
            in_time=share(whole.handled_in_time, whole.due_to_handle),
            closing=share(whole.closed_in_time, whole.due_to_close),
            reworked=whole.reworked,
            returned=whole.returned,
        )
    ]
    if plan.grouping != "district":
        most = sorted(groups, key=lambda row: -row.due_to_handle)[:NAMED]
        lines += [
            known["group"].format(
                name=(row.name_zh if lang == "zh" else row.name_en) or known["unnamed"],
                in_time=share(row.handled_in_time, row.due_to_handle),
            )
            for row in most
        ]
    return title, "\n".join(lines)


def share(num: int, den: int) -> str:
    """A rate with its counts; a dash of nothing."""
    return f"{num / den:.1%} ({num}/{den})" if den else "— (0/0)"


def _event(
    district: str, kind: str, name: str, caller: Caller, told: Mapping[str, Any], now: datetime
) -> NewEvent:
    return NewEvent(now, district, kind, f"kpi:report {name}", caller.name, dict(told))
